"""Where an image matches a filter."""

import numpy as np
from sklearn.base import clone

from sknn_basics.displays._axes import choose_axes
from sknn_basics.displays.images import GREY, as_brightness, as_image, brightness_range


class MatchMapDisplay:
    """An image, how well each place matches a filter, and which places match.

    Use `from_filter_bank` to make one.

    Parameters
    ----------
    image : ndarray of shape (height, width) or (height, width, 3)
        The image.
    match_map : ndarray of shape (map_height, map_width)
        How well each place matches. A map that is smaller than the image lies in its middle.
    threshold : float or None, default=None
        Places whose match is above it are marked on the image; None marks none.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (2,) or (3,)
        Where image, map and, with a threshold, marked image were drawn.
    figure_ : matplotlib Figure
        What holds the axes.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_sample_image
    >>> from sknn_basics.displays import MatchMapDisplay
    >>> from sknn_basics.preprocessing import FilterBank
    >>> yellowness = FilterBank(np.reshape([1, 1, -1], (1, 1, 1, 3)))
    >>> photo = load_sample_image("flower.jpg")
    >>> display = MatchMapDisplay.from_filter_bank(yellowness, photo, threshold=300)
    >>> len(display.axes_)
    3
    """

    def __init__(self, *, image: np.ndarray, match_map: np.ndarray, threshold: float | None = None):
        self.image = image
        self.match_map = match_map
        self.threshold = threshold

    @classmethod
    def from_filter_bank(
        cls, filter_bank, image, *, filter_index: int = 0, threshold: float | None = None, ax=None
    ) -> "MatchMapDisplay":
        """Match an image with one filter of a bank, and draw it.

        Parameters
        ----------
        filter_bank : FilterBank
            Holds the filter, and tells where the image has its channels.
        image : array-like of shape (height, width), (height, width, n_channels) or \
(n_channels, height, width)
            Grey or of three colours.
        filter_index : int, default=0
            Which filter.
        threshold : float or None, default=None
            Places whose match is above it are marked; None is the bank's own threshold.
        ax : array-like of 2 or 3 matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : MatchMapDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the image cannot be shown or matched.
        IndexError
            If the bank has no such filter.
        """
        shown = as_image(image, filter_bank.data_format)
        (maps,) = clone(filter_bank).set_params(threshold=None).transform(np.asarray(image)[None])
        axis = 0 if filter_bank.data_format == "channels_first" else -1
        if not -maps.shape[axis] <= filter_index < maps.shape[axis]:
            raise IndexError(f"filter_index={filter_index}, of {maps.shape[axis]} filters.")
        threshold = filter_bank.threshold if threshold is None else threshold
        match_map = maps.take(filter_index, axis=axis)
        return cls(image=shown, match_map=match_map, threshold=threshold).plot(ax)

    def plot(self, ax=None) -> "MatchMapDisplay":
        """Draw image, map and, with a threshold, the image with its matches marked.

        Parameters
        ----------
        ax : array-like of 2 or 3 matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : MatchMapDisplay
            This display.

        Raises
        ------
        ValueError
            If there are too few or too many axes.
        """
        titles = ["Image", "Match map"]
        if self.threshold is not None:
            titles.append(f"Matches above {self.threshold:g}")
        self.axes_ = choose_axes(self, ax, len(titles), (4, 4))
        self.figure_ = self.axes_[0].figure
        for axes, title in zip(self.axes_, titles):
            axes.set_title(title)
            axes.set_axis_off()
        self._draw_image(self.axes_[0])
        self._draw_map(self.axes_[1])
        if self.threshold is not None:
            self._draw_image(self.axes_[2])
            self._mark(self.axes_[2])
        return self

    def _draw_image(self, ax) -> None:
        ax.imshow(as_brightness(self.image, brightness_range(self.image)), **GREY)

    def _draw_map(self, ax) -> None:
        drawn = ax.imshow(self.match_map, extent=self._extent(), interpolation="nearest")
        self._keep_size(ax)
        # As high as the map, which an axes of its own would not be.
        ax.figure.colorbar(drawn, cax=ax.inset_axes((1.02, 0, 0.05, 1)))

    def _mark(self, ax) -> None:
        marks = np.zeros((*self.match_map.shape, 4))
        marks[self.match_map > self.threshold] = (1, 0, 0, 0.7)
        ax.imshow(marks, extent=self._extent(), interpolation="nearest")
        self._keep_size(ax)

    def _extent(self) -> tuple[float, float, float, float]:
        """Tell where the map lies on the image: left, right, bottom, top."""
        (height, width), (map_height, map_width) = self.image.shape[:2], self.match_map.shape
        left, top = (width - map_width) / 2 - 0.5, (height - map_height) / 2 - 0.5
        return left, left + map_width, top + map_height, top

    def _keep_size(self, ax) -> None:
        height, width = self.image.shape[:2]
        ax.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
