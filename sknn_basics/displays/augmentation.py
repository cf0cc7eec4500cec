"""What an augmentation makes of an image."""

from math import ceil, sqrt
from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state

from sknn_basics.displays.images import (
    GREY,
    as_brightness,
    as_image,
    brightness_range,
    import_pyplot,
)
from sknn_basics.modules.augmentation import draw_variants


class AugmentationDisplay:
    """One image and its variants, side by side.

    Use `from_augmentation` to make one.

    Parameters
    ----------
    image : ndarray of shape (height, width) or (height, width, 3)
        The image itself.
    variants : ndarray of shape (n_variants, height, width) or (n_variants, height, width, 3)
        What the augmentation made of it.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    image_ : matplotlib AxesImage
        All tiles as one image, with white gaps; the first tile, framed, is the image itself.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics.displays import AugmentationDisplay
    >>> from sknn_basics.modules import RandomAffine
    >>> digit = load_digits().images[0] / 16
    >>> display = AugmentationDisplay.from_augmentation(
    ...     RandomAffine(shift=0.1, rotation=20), digit, random_state=0
    ... )
    >>> display.variants.shape
    (15, 8, 8)
    """

    def __init__(self, *, image: np.ndarray, variants: np.ndarray):
        self.image = image
        self.variants = variants

    @classmethod
    def from_augmentation(
        cls,
        augmentation,
        image,
        *,
        n_variants: int = 15,
        random_state=None,
        data_format: str = "auto",
        ax=None,
        n_columns: int | None = None,
    ) -> "AugmentationDisplay":
        """Vary an image, and draw it with its variants.

        Parameters
        ----------
        augmentation : nn.Module, callable or None
            What estimators take as `augmentation`. It is copied, and draws once a variant.
        image : array-like of shape (height, width), (height, width, n_channels) or \
(n_channels, height, width)
            Grey or of three colours.
        n_variants : int, default=15
            Number of variants.
        random_state : int, RandomState instance or None, default=None
            Source of the draws.
        data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
            Where the image has its channels; 'auto' is last, if it has three dimensions.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        n_columns : int, default=None
            Number of tiles per row; None makes the grid as square as possible.

        Returns
        -------
        display : AugmentationDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the image cannot be shown, or `n_variants` or `n_columns` is not positive.
        """
        check_count(n_variants, "n_variants")
        image = as_image(image, data_format)
        seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
        channels_first = np.moveaxis(np.atleast_3d(image), -1, 0)
        variants = draw_variants(augmentation, channels_first, n_variants, seed)
        variants = np.moveaxis(variants, 1, -1).reshape(n_variants, *image.shape)
        return cls(image=image, variants=variants).plot(ax, n_columns=n_columns)

    def plot(self, ax=None, *, n_columns: int | None = None) -> "AugmentationDisplay":
        """Draw the image and its variants.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        n_columns : int, default=None
            Number of tiles per row; None makes the grid as square as possible.

        Returns
        -------
        display : AugmentationDisplay
            This display.
        """
        plt = import_pyplot(self)
        tiles = np.concatenate([self.image[None], self.variants])
        if n_columns is None:
            n_columns = ceil(sqrt(len(tiles)))
        check_count(n_columns, "n_columns")
        tiles = as_brightness(tiles, brightness_range(self.image))
        self.ax_ = plt.subplots()[1] if ax is None else ax
        self.figure_ = self.ax_.figure
        self.image_ = self.ax_.imshow(make_mosaic(tiles, n_columns), **GREY)
        height, width = self.image.shape[:2]
        frame = plt.Rectangle((-0.5, -0.5), width, height, fill=False, lw=2, edgecolor="C1")
        self.ax_.add_patch(frame)
        self.ax_.set_axis_off()
        self.ax_.set_title("The image (framed) and its variants")
        return self


def make_mosaic(tiles: np.ndarray, n_columns: int) -> np.ndarray:
    """Lay tiles out row by row, with white gaps.

    Parameters
    ----------
    tiles : ndarray of shape (n_tiles, height, width, ...)
        Tiles, with values from 0 to 1.
    n_columns : int
        Number of tiles per row.

    Returns
    -------
    mosaic : ndarray of shape (n_rows * (height + gap) - gap, n_columns * (width + gap) - gap, ...)
        Where a gap is a pixel, and one more for every 32 of a tile.
    """
    n_tiles, height, width, *channels = tiles.shape
    n_rows, gap = -(-n_tiles // n_columns), 1 + max(height, width) // 32
    shape = (n_rows * (height + gap) - gap, n_columns * (width + gap) - gap, *channels)
    mosaic = np.ones(shape)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, n_columns)
        top, left = row * (height + gap), column * (width + gap)
        mosaic[top : top + height, left : left + width] = tile
    return mosaic


def check_count(value, name: str) -> None:
    """Check that a number of things is a positive integer.

    Raises
    ------
    ValueError
        If it is not.
    """
    if not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be an integer > 0, got {value!r}.")
