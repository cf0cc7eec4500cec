"""Images next to their reconstructions."""

import numpy as np
from sklearn.utils import check_consistent_length

from sknn_basics._compat import safe_indexing
from sknn_basics.displays._axes import TileGrid, choose_ax, draw_tiles
from sknn_basics.displays.augmentation import check_count
from sknn_basics.displays.images import as_brightness, as_images, brightness_range


class ReconstructionDisplay:
    """Images, below them their reconstructions, and below these what differs.

    Use `from_estimator` or `from_predictions` to make one.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, 3)
        The images.
    reconstructions : ndarray of the shape of `images`
        Their reconstructions.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    images_ : list of matplotlib AxesImage
        The images, then their reconstructions.
    differences_ : list of matplotlib AxesImage
        Reconstructions minus images, with the mean of colours; empty if they were not drawn.
    colorbar_ : matplotlib Colorbar or None
        That of the differences.

    See Also
    --------
    InterpolationDisplay : What lies between pairs of images.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sknn_basics.displays import ReconstructionDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> display = ReconstructionDisplay.from_estimator(PCA(5).fit(X), X, n_images=4)
    >>> len(display.images_), len(display.differences_)
    (8, 4)
    """

    def __init__(self, *, images: np.ndarray, reconstructions: np.ndarray):
        self.images = images
        self.reconstructions = reconstructions

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        n_images: int = 10,
        image_shape: tuple[int, ...] | None = None,
        data_format: str = "auto",
        difference: bool = True,
        ax=None,
    ) -> "ReconstructionDisplay":
        """Reconstruct the first images, and draw them.

        Parameters
        ----------
        estimator : estimator
            Fitted transformer with `inverse_transform`: an autoencoder, `PCA`, a pipeline that ends
            in one.
        X : array-like of shape (n_samples, ...)
            Images, or rows of their pixels, as the transformer takes them.
        n_images : int, default=10
            How many of them, from the first.
        image_shape : tuple of int, default=None
            Shape of an image whose pixels are a row of X; None takes rows for grey squares.
        data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
            Where images have their channels; 'auto' is last, if an image has three dimensions.
        difference : bool, default=True
            Whether to draw what differs.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : ReconstructionDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If X holds no images, or a number is not positive.
        """
        check_count(n_images, "n_images")
        X = safe_indexing(X, slice(n_images))
        return cls.from_predictions(
            X,
            estimator.inverse_transform(estimator.transform(X)),
            n_images=n_images,
            image_shape=image_shape,
            data_format=data_format,
            difference=difference,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        X,
        X_pred,
        *,
        n_images: int = 10,
        image_shape: tuple[int, ...] | None = None,
        data_format: str = "auto",
        difference: bool = True,
        ax=None,
    ) -> "ReconstructionDisplay":
        """Draw the first images with given reconstructions.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Images, or rows of their pixels.
        X_pred : array-like of the shape of X
            Their reconstructions.
        n_images : int, default=10
            How many of them, from the first.
        image_shape : tuple of int, default=None
            Shape of an image whose pixels are a row of X; None takes rows for grey squares.
        data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
            Where images have their channels; 'auto' is last, if an image has three dimensions.
        difference : bool, default=True
            Whether to draw what differs.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : ReconstructionDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If X holds no images, X_pred is of another shape, or a number is not positive.
        """
        check_count(n_images, "n_images")
        check_consistent_length(X, X_pred)
        images, reconstructions = (
            as_images(safe_indexing(data, slice(n_images)), image_shape, data_format, name)
            for data, name in ((X, "X"), (X_pred, "X_pred"))
        )
        if images.shape != reconstructions.shape:
            raise ValueError(
                f"X_pred must have the shape of X: images of shape {images.shape}, got "
                f"{reconstructions.shape}."
            )
        return cls(images=images, reconstructions=reconstructions).plot(ax, difference=difference)

    def plot(self, ax=None, *, difference: bool = True) -> "ReconstructionDisplay":
        """Draw the rows of images.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        difference : bool, default=True
            Whether to draw what differs.

        Returns
        -------
        display : ReconstructionDisplay
            This display.
        """
        n_images, rows = len(self.images), ["Image", "Reconstruction", "Difference"]
        self.ax_ = choose_ax(self, ax, (1.5 + n_images, 3.2 if difference else 2.2))
        self.figure_ = self.ax_.figure
        # The brightness is that of the images: what goes beyond is black or white.
        limits = brightness_range(self.images)
        tiles = [as_brightness(part, limits) for part in (self.images, self.reconstructions)]
        places = [(row, column) for row in range(2) for column in range(n_images)]
        self.images_, _ = draw_tiles(self.ax_, np.concatenate(tiles), places)
        self.differences_, self.colorbar_ = [], None
        grid = TileGrid(self.images, has_captions=False)
        if difference:
            self._draw_differences(grid)
        grid.label(self.ax_, rows if difference else rows[:2], [])
        return self

    def _draw_differences(self, grid: TileGrid) -> None:
        differences = self.reconstructions.astype(float) - self.images
        differences = differences.mean(-1) if differences.ndim == 4 else differences
        largest = np.abs(differences).max() or 1.0
        for column, values in enumerate(differences):
            left, top = grid.corner(2, column)
            drawn = self.ax_.imshow(
                values,
                extent=(left, left + 1, top + grid.height, top),
                cmap="RdBu_r",
                vmin=-largest,
                vmax=largest,
                interpolation="nearest",
            )
            self.differences_.append(drawn)
        limits = grid.limits(3, len(differences))
        self.ax_.set(**limits)
        bottom, top = limits["ylim"]
        place = (1.01, 0.1 / (bottom - top), 0.02, grid.height / (bottom - top))
        self.colorbar_ = self.figure_.colorbar(drawn, cax=self.ax_.inset_axes(place))
