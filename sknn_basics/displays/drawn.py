"""Images that were changed by a network, next to what they were."""

import numpy as np

from sknn_basics.displays._axes import choose_axes
from sknn_basics.displays.images import GREY, as_brightness, as_images, brightness_range
from sknn_basics.inspection._networks import Subject
from sknn_basics.inspection.dreams import dream
from sknn_basics.inspection.styles import style_transfer


class DrawnDisplay:
    """Images side by side, each in axes of its own."""

    _titles: tuple[str, ...]

    def plot(self, ax=None):
        """Draw the images.

        Parameters
        ----------
        ax : array-like of matplotlib Axes, default=None
            Where to draw, one axes an image; None makes a new figure.

        Returns
        -------
        display : object
            This display.
        """
        self.axes_ = choose_axes(self, ax, len(self._titles), (4, 3.2))
        self.figure_ = self.axes_[0].figure
        self.images_ = []
        for axes, title in zip(self.axes_, self._titles):
            image = getattr(self, title)
            shown = as_brightness(image, brightness_range(image))
            self.images_.append(axes.imshow(shown, **GREY))
            axes.set_title(title.capitalize())
            axes.set_axis_off()
        return self


class DreamDisplay(DrawnDisplay):
    """A photo, and what a network makes of it when it dreams.

    Use `from_estimator` to make one.

    Parameters
    ----------
    image : ndarray of shape (height, width) or (height, width, 3)
        The photo.
    dream : ndarray of shape (height, width) or (height, width, 3)
        What became of it.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (2,)
        Where both were drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    images_ : list of matplotlib AxesImage
        Both images.

    See Also
    --------
    sknn_basics.inspection.dream : The dream alone.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import ConvNetClassifier
    >>> from sknn_basics.displays import DreamDisplay
    >>> digits = load_digits()
    >>> model = ConvNetClassifier(filters=(4, 8), max_iter=10, random_state=0)
    >>> _ = model.fit(digits.images / 16, digits.target)
    >>> display = DreamDisplay.from_estimator(model, digits.images[0] / 16, "block1_conv1")
    >>> [axes.get_title() for axes in display.axes_]
    ['Image', 'Dream']
    """

    _titles = ("image", "dream")

    def __init__(self, *, image: np.ndarray, dream: np.ndarray):
        self.image = image
        self.dream = dream

    @classmethod
    def from_estimator(
        cls, estimator, image, layers, *, data_format: str = "auto", ax=None, **options
    ) -> "DreamDisplay":
        """Let a network dream, and draw what it dreams.

        Parameters
        ----------
        estimator : estimator, Pipeline or nn.Module
            See `sknn_basics.inspection.dream`.
        image : array-like of shape (height, width), (height, width, n_channels) or \
(n_channels, height, width)
            The photo.
        layers : str, sequence of str or mapping of str to float
            Names of layers, and their weights.
        data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
            Where the image has its channels; 'auto' is where the estimator reads them, else last.
        ax : array-like of 2 matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **options
            Further arguments of `sknn_basics.inspection.dream`.

        Returns
        -------
        display : DreamDisplay
            The drawn display.
        """
        dreamt = dream(estimator, image, layers, **options)
        shown = shown_images(estimator, data_format, image, dreamt)
        return cls(image=shown[0], dream=shown[1]).plot(ax)


class StyleTransferDisplay(DrawnDisplay):
    """Two images, and the content of one in the style of the other.

    Use `from_estimator` to make one.

    Parameters
    ----------
    content, style, result : ndarray of shape (height, width) or (height, width, 3)
        The images.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (3,)
        Where they were drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    images_ : list of matplotlib AxesImage
        The images.

    See Also
    --------
    sknn_basics.inspection.style_transfer : The result alone.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import ConvNetClassifier
    >>> from sknn_basics.displays import StyleTransferDisplay
    >>> digits = load_digits()
    >>> model = ConvNetClassifier(filters=(4, 8), max_iter=10, random_state=0)
    >>> _ = model.fit(digits.images / 16, digits.target)
    >>> display = StyleTransferDisplay.from_estimator(
    ...     model, digits.images[0] / 16, digits.images[1] / 16, content_layers="block1_conv1",
    ...     n_steps=10, random_state=0,
    ... )
    >>> [axes.get_title() for axes in display.axes_]
    ['Content', 'Style', 'Result']
    """

    _titles = ("content", "style", "result")

    def __init__(self, *, content: np.ndarray, style: np.ndarray, result: np.ndarray):
        self.content = content
        self.style = style
        self.result = result

    @classmethod
    def from_estimator(
        cls, estimator, content, style, *, data_format: str = "auto", ax=None, **options
    ) -> "StyleTransferDisplay":
        """Draw one image in the style of another.

        Parameters
        ----------
        estimator : estimator, Pipeline or nn.Module
            See `sknn_basics.inspection.style_transfer`.
        content, style : array-like of shape (height, width), (height, width, n_channels) or \
(n_channels, height, width)
            The images.
        data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
            Where images have their channels; 'auto' is where the estimator reads them, else last.
        ax : array-like of 3 matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **options
            Further arguments of `sknn_basics.inspection.style_transfer`.

        Returns
        -------
        display : StyleTransferDisplay
            The drawn display.
        """
        result = style_transfer(estimator, content, style, **options)
        shown = shown_images(estimator, data_format, content, style, result)
        return cls(content=shown[0], style=shown[1], result=shown[2]).plot(ax)


def shown_images(estimator, data_format: str, *images) -> list[np.ndarray]:
    """Check images, and return them with channels last, or without if they have one."""
    data_format, shape = Subject(estimator).describe_images(data_format, None)
    return [as_images(np.asarray(image)[None], shape, data_format)[0] for image in images]
