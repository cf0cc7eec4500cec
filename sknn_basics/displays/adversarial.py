"""Samples that GANs make: next to real ones, and epoch by epoch."""

import numpy as np

from sknn_basics._compat import safe_indexing
from sknn_basics.displays._axes import TileGrid, choose_ax, choose_axes, draw_tiles
from sknn_basics.displays.augmentation import check_count
from sknn_basics.displays.images import as_images

# Points of data that are drawn after made ones.
N_POINTS = 500


class GeneratedSamplesDisplay:
    """Real samples next to those that a model makes: images in rows, or points of a plane.

    Use `from_estimator` to make one.

    Parameters
    ----------
    real, made : ndarray of shape (n_samples, 2), (n_samples, height, width) or \
(n_samples, height, width, 3)
        Points or images.
    n_columns : int, default=10
        Number of images in a row.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    images_ : list of matplotlib AxesImage
        The images, real ones first.
    points_ : list of matplotlib PathCollection
        The real points and the made ones.

    See Also
    --------
    SampleHistoryDisplay : Samples after each epoch.

    Examples
    --------
    >>> import numpy as np
    >>> from sknn_basics import GAN
    >>> from sknn_basics.displays import GeneratedSamplesDisplay
    >>> X = np.random.RandomState(0).normal(size=(100, 2))
    >>> model = GAN(max_iter=2, random_state=0).fit(X)
    >>> display = GeneratedSamplesDisplay.from_estimator(model, X, n_samples=50)
    >>> [len(points.get_offsets()) for points in display.points_]
    [50, 50]
    """

    def __init__(self, *, real: np.ndarray, made: np.ndarray, n_columns: int = 10):
        self.real = real
        self.made = made
        self.n_columns = n_columns

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        n_samples: int = 20,
        n_columns: int = 10,
        random_state: int = 0,
        image_shape: tuple[int, ...] | None = None,
        data_format: str = "auto",
        ax=None,
    ) -> "GeneratedSamplesDisplay":
        """Make samples, and draw them next to as many real ones.

        Parameters
        ----------
        estimator : object
            Anything fitted with `sample`: a GAN, a variational autoencoder or a `Decoder`.
        X : array-like of shape (n_real, ...)
            Real samples, of which some are drawn.
        n_samples : int, default=20
            Number of samples of each kind.
        n_columns : int, default=10
            Number of images in a row.
        random_state : int, default=0
            Source of the samples, and of the choice of real ones.
        image_shape : tuple of int, default=None
            Shape of an image whose pixels are a row of X; None takes rows for grey squares.
        data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
            Where images have their channels; 'auto' is last, if an image has three dimensions.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : GeneratedSamplesDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If a number is not positive, or samples are neither points of a plane nor images.
        """
        check_count(n_samples, "n_samples")
        check_count(n_columns, "n_columns")
        made = np.asarray(estimator.sample(n_samples, random_state))
        rng = np.random.RandomState(random_state)
        n_real = len(X) if hasattr(X, "__len__") else X.shape[0]
        real = safe_indexing(X, np.sort(rng.permutation(n_real)[:n_samples]))
        if made.shape[1:] == (2,):
            return cls(real=np.asarray(real), made=made).plot(ax)
        real, made = (as_images(images, image_shape, data_format) for images in (real, made))
        return cls(real=real, made=made, n_columns=n_columns).plot(ax)

    def plot(self, ax=None) -> "GeneratedSamplesDisplay":
        """Draw the samples.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : GeneratedSamplesDisplay
            This display.
        """
        self.images_, self.points_ = [], []
        if self.made.ndim == 2:
            self.ax_ = choose_ax(self, ax, (4, 4))
            for name, points in (("real", self.real), ("made", self.made)):
                self.points_.append(self.ax_.scatter(*points.T, s=6, alpha=0.6, label=name))
            self.ax_.set(xlabel="Feature 0", ylabel="Feature 1")
            self.ax_.legend()
        else:
            self._draw_images(ax)
        self.figure_ = self.ax_.figure
        return self

    def _draw_images(self, ax) -> None:
        images = np.concatenate([self.real, self.made])
        n_rows = -(-len(self.real) // self.n_columns)
        numbers = [*range(len(self.real)), *range(len(self.made))]
        starts = [0] * len(self.real) + [n_rows] * len(self.made)
        places = [
            (start + number // self.n_columns, number % self.n_columns)
            for start, number in zip(starts, numbers)
        ]
        n_all = 1 + max(row for row, _ in places)
        self.ax_ = choose_ax(self, ax, (1 + 0.6 * self.n_columns, 0.6 * n_all))
        self.images_, _ = draw_tiles(self.ax_, images, places)
        names = ["real" if row == 0 else "made" if row == n_rows else "" for row in range(n_all)]
        TileGrid(images, has_captions=False).label(self.ax_, names, [])


class SampleHistoryDisplay:
    """What a GAN makes of the same latent variables, epoch by epoch.

    Images are drawn in a row for each epoch. Points of a plane are drawn in a panel for each, in
    front of real ones and of what the discriminator is confident of.

    Use `from_callback` to make one.

    Parameters
    ----------
    samples : ndarray of shape (n_epochs, n_samples, ...)
        Points, or images.
    epochs : sequence of int
        The epochs.
    real : ndarray of shape (n_points, 2), default=None
        Real points to draw after.
    confidences : sequence of ndarray of shape (n_rows, n_columns), default=None
        Confidence of the discriminator over a grid, for each epoch.
    extent : tuple of float, default=None
        Range of this grid: of the first feature, and of the second.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (n_axes,)
        Where it was drawn: one for images, and one for each epoch for points.
    figure_ : matplotlib Figure
        What holds the axes.
    images_ : list of matplotlib AxesImage
        The images, row by row, or the confidences.
    points_ : list of matplotlib PathCollection
        The made points of each panel.

    See Also
    --------
    GeneratedSamplesDisplay : Samples next to real ones.

    Examples
    --------
    >>> import numpy as np
    >>> from sknn_basics import GAN
    >>> from sknn_basics.displays import SampleHistoryDisplay
    >>> from sknn_basics.training.adversarial import RecordSamples
    >>> record = RecordSamples(n_samples=30, every=2)
    >>> X = np.random.RandomState(0).normal(size=(100, 2))
    >>> model = GAN(max_iter=6, callbacks=[record], random_state=0).fit(X)
    >>> display = SampleHistoryDisplay.from_callback(record, X)
    >>> [ax.get_title() for ax in display.axes_]
    ['Epoch 2', 'Epoch 4', 'Epoch 6']
    """

    def __init__(self, *, samples, epochs, real=None, confidences=None, extent=None):
        self.samples = samples
        self.epochs = epochs
        self.real = real
        self.confidences = confidences
        self.extent = extent

    @classmethod
    def from_callback(
        cls,
        callback,
        X=None,
        *,
        image_shape: tuple[int, ...] | None = None,
        data_format: str = "auto",
        ax=None,
    ) -> "SampleHistoryDisplay":
        """Draw what was recorded in a training.

        Parameters
        ----------
        callback : RecordSamples
            What has recorded it.
        X : array-like of shape (n_samples, 2), default=None
            Real points to draw after those of a plane.
        image_shape : tuple of int, default=None
            Shape of an image that is made as a row of pixels; None takes rows for grey squares.
        data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
            Where images have their channels; 'auto' is last, if an image has three dimensions.
        ax : matplotlib Axes or array-like of matplotlib Axes, default=None
            One for images, one for each epoch for points; None makes a new figure.

        Returns
        -------
        display : SampleHistoryDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If nothing was recorded, or samples are neither points of a plane nor images.
        """
        if not getattr(callback, "epochs_", None):
            raise ValueError("There is nothing to draw: no epoch was recorded.")
        samples = np.stack(callback.samples_)
        if samples.shape[2:] == (2,):
            real = None if X is None else np.asarray(X)[:N_POINTS]
            return cls(
                samples=samples,
                epochs=callback.epochs_,
                real=real,
                confidences=callback.confidences_,
                extent=callback.extent_,
            ).plot(ax)
        images = as_images(samples.reshape(-1, *samples.shape[2:]), image_shape, data_format)
        images = images.reshape(*samples.shape[:2], *images.shape[1:])
        return cls(samples=images, epochs=callback.epochs_).plot(ax)

    def plot(self, ax=None) -> "SampleHistoryDisplay":
        """Draw the samples.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of matplotlib Axes, default=None
            One for images, one for each epoch for points; None makes a new figure.

        Returns
        -------
        display : SampleHistoryDisplay
            This display.
        """
        self.images_, self.points_ = [], []
        if self.samples.ndim == 3:
            self._draw_points(ax)
        else:
            self._draw_images(ax)
        self.figure_ = self.axes_[0].figure
        return self

    def _draw_images(self, ax) -> None:
        n_rows, n_columns = self.samples.shape[:2]
        self.axes_ = choose_axes(self, ax, 1, (1 + 0.6 * n_columns, 0.6 * n_rows))
        tiles = self.samples.reshape(-1, *self.samples.shape[2:])
        places = [divmod(number, n_columns) for number in range(len(tiles))]
        self.images_, _ = draw_tiles(self.axes_[0], tiles, places)
        names = [f"Epoch {epoch}" for epoch in self.epochs]
        TileGrid(tiles, has_captions=False).label(self.axes_[0], names, [])

    def _draw_points(self, ax) -> None:
        self.axes_ = choose_axes(self, ax, len(self.epochs), (2.4, 2.6))
        shown = self.samples.reshape(-1, 2) if self.real is None else self.real
        margin = 0.2 * np.ptp(shown, axis=0)
        (left, bottom), (right, top) = shown.min(axis=0) - margin, shown.max(axis=0) + margin
        for number, (axes, points) in enumerate(zip(self.axes_, self.samples)):
            if self.confidences is not None:
                style = {"cmap": "RdBu", "vmin": 0, "vmax": 1, "alpha": 0.5}
                self.images_.append(
                    axes.imshow(
                        self.confidences[number],
                        extent=self.extent,
                        origin="lower",
                        aspect="auto",
                        **style,
                    )
                )
            if self.real is not None:
                axes.scatter(*self.real.T, s=2, color="gray", alpha=0.5)
            self.points_.append(axes.scatter(*points.T, s=4, color="black"))
            axes.set(title=f"Epoch {self.epochs[number]}", xticks=[], yticks=[])
            axes.set(xlim=(left, right), ylim=(bottom, top))
