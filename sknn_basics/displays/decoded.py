"""What lies between and around the latent variables of images."""

from collections.abc import Sequence

import numpy as np
from sklearn.utils import check_array

from sknn_basics.displays._axes import TileGrid, choose_ax, draw_tiles
from sknn_basics.displays.images import GREY, as_brightness, as_images, brightness_range
from sknn_basics.inspection.latents import check_components, interpolate, latent_grid


class LatentGridDisplay:
    """What a plane of two latent variables decodes to, as a mosaic of images.

    Use `from_estimator` to make one.

    Parameters
    ----------
    images : ndarray of shape (n_steps, n_steps, height, width) or \
(n_steps, n_steps, height, width, 3)
        The decoded images; the first latent variable grows along the second axis, and the second
        one against the first axis.
    low, high : pair of float
        Values of the two latent variables at the first and last image.
    names : tuple of str, default=('Latent 0', 'Latent 1')
        What the latent variables are called.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn. Each image has its middle at its latent variables.
    figure_ : matplotlib Figure
        What holds the axes.
    image_ : matplotlib AxesImage
        The mosaic.

    See Also
    --------
    LatentScatterDisplay : Where samples lie in such a plane.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sknn_basics.displays import LatentGridDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> display = LatentGridDisplay.from_estimator(PCA(2).fit(X), n_steps=5, low=-20, high=20)
    >>> display.image_.get_array().shape
    (40, 40)
    """

    def __init__(
        self,
        *,
        images: np.ndarray,
        low: tuple[float, float],
        high: tuple[float, float],
        names: tuple[str, str] = ("Latent 0", "Latent 1"),
    ):
        self.images = images
        self.low = low
        self.high = high
        self.names = names

    @classmethod
    def from_estimator(
        cls,
        estimator,
        *,
        n_steps: int = 15,
        low=-3.0,
        high=3.0,
        components: Sequence[int] = (0, 1),
        center=None,
        image_shape: tuple[int, ...] | None = None,
        data_format: str = "auto",
        ax=None,
    ) -> "LatentGridDisplay":
        """Decode a grid over the plane of two latent variables, and draw it.

        Parameters
        ----------
        estimator : object
            Anything fitted with `inverse_transform`, a `Decoder` too.
        n_steps : int, default=15
            Number of values of each latent variable.
        low, high : float or pair of float, default=-3.0 and 3.0
            Range of the values: one for both latent variables, or one each.
        components : pair of int, default=(0, 1)
            Numbers of the two latent variables.
        center : array-like of shape (n_components,), default=None
            Values of the other latent variables; None for a model that has no others.
        image_shape : tuple of int, default=None
            Shape of an image that is decoded as a row of pixels; None takes rows for grey squares.
        data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
            Where images have their channels; 'auto' is last, if an image has three dimensions.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : LatentGridDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If there are no such latent variables, their range is empty, or they do not decode to
            images.
        """
        low, high = check_range(low, high)
        decoded = latent_grid(
            estimator, n_steps, low=low, high=high, components=components, center=center
        )
        images = as_images(decoded.reshape(-1, *decoded.shape[2:]), image_shape, data_format)
        n_components = 2 if center is None else len(center)
        chosen = check_components(components, n_components, n_wanted=2)
        return cls(
            images=images.reshape(n_steps, n_steps, *images.shape[1:]),
            low=low,
            high=high,
            names=tuple(f"Latent {number % n_components}" for number in chosen),
        ).plot(ax)

    def plot(self, ax=None) -> "LatentGridDisplay":
        """Draw the mosaic.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : LatentGridDisplay
            This display.
        """
        self.ax_ = choose_ax(self, ax, (6, 6))
        self.figure_ = self.ax_.figure
        n_steps, _, height, width = self.images.shape[:4]
        mosaic = np.moveaxis(self.images, 2, 1).reshape(
            n_steps * height, n_steps * width, *self.images.shape[4:]
        )
        low, high = np.array(self.low, dtype=float), np.array(self.high, dtype=float)
        half = (high - low) / (n_steps - 1) / 2
        (left, bottom), (right, top) = low - half, high + half
        shown = as_brightness(mosaic, brightness_range(mosaic))
        self.image_ = self.ax_.imshow(shown, extent=(left, right, bottom, top), **GREY)
        self.ax_.set(xlabel=self.names[0], ylabel=self.names[1])
        # An image keeps its shape, whatever the ranges of the latent variables.
        self.ax_.set_aspect((right - left) / (top - bottom) * height / width)
        return self


class InterpolationDisplay:
    """What lies between the latent variables of pairs of images, one row per pair.

    Use `from_estimator` or `from_predictions` to make one.

    Parameters
    ----------
    images : ndarray of shape (n_pairs, n_steps, height, width) or \
(n_pairs, n_steps, height, width, 3)
        The decoded images.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn. Above each column is the share of the pair's second image.
    figure_ : matplotlib Figure
        What holds the axes.
    images_ : list of matplotlib AxesImage
        The images, strip by strip.

    See Also
    --------
    sknn_basics.inspection.interpolate : The images alone.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sknn_basics.displays import InterpolationDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> display = InterpolationDisplay.from_estimator(PCA(9).fit(X), X[:2], X[2:4], n_steps=5)
    >>> [text.get_text() for text in display.ax_.get_xticklabels()]
    ['0 %', '25 %', '50 %', '75 %', '100 %']
    """

    def __init__(self, *, images: np.ndarray):
        self.images = images

    @classmethod
    def from_estimator(
        cls,
        estimator,
        a,
        b,
        *,
        n_steps: int = 6,
        space: str = "data",
        image_shape: tuple[int, ...] | None = None,
        data_format: str = "auto",
        ax=None,
    ) -> "InterpolationDisplay":
        """Decode points on straight lines between the latent variables of images, and plot them.

        Parameters
        ----------
        estimator : estimator
            Fitted transformer with `inverse_transform`.
        a, b : array-like of shape (n_pairs, ...)
            Images where the ways begin and end, or rows of their pixels, as the transformer takes
            them.
        n_steps : int, default=6
            Number of images a way, the reconstructions of its ends among them.
        space : {'data', 'latent'}, default='data'
            Whether `a` and `b` are images, or latent variables already, as those of a GAN are.
        image_shape : tuple of int, default=None
            Shape of an image whose pixels are a row; None takes rows for grey squares.
        data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
            Where images have their channels; 'auto' is last, if an image has three dimensions.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : InterpolationDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If these are no images, lengths differ, or `n_steps` is below 2.
        """
        decoded = interpolate(estimator, a, b, n_steps, space=space)
        return cls.from_predictions(
            decoded, image_shape=image_shape, data_format=data_format, ax=ax
        )

    @classmethod
    def from_predictions(
        cls,
        X,
        *,
        image_shape: tuple[int, ...] | None = None,
        data_format: str = "auto",
        ax=None,
    ) -> "InterpolationDisplay":
        """Draw given ways from images to others.

        Parameters
        ----------
        X : array-like of shape (n_pairs, n_steps, ...)
            The images of each way in order, or rows of their pixels, as
            `sknn_basics.inspection.interpolate` returns them.
        image_shape : tuple of int, default=None
            Shape of an image whose pixels are a row; None takes rows for grey squares.
        data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
            Where images have their channels; 'auto' is last, if an image has three dimensions.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : InterpolationDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If X holds no ways of two or more images.
        """
        X = check_array(X, ensure_2d=False, allow_nd=True, input_name="X")
        if X.ndim < 3 or X.shape[1] < 2:
            raise ValueError(
                "X must be of shape (n_pairs, n_steps, ...) with two or more steps, got shape "
                f"{X.shape}."
            )
        images = as_images(X.reshape(-1, *X.shape[2:]), image_shape, data_format)
        return cls(images=images.reshape(*X.shape[:2], *images.shape[1:])).plot(ax)

    def plot(self, ax=None) -> "InterpolationDisplay":
        """Draw the strips.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : InterpolationDisplay
            This display.
        """
        n_pairs, n_steps = self.images.shape[:2]
        self.ax_ = choose_ax(self, ax, (n_steps, 0.4 + n_pairs))
        self.figure_ = self.ax_.figure
        tiles = self.images.reshape(-1, *self.images.shape[2:])
        places = [divmod(number, n_steps) for number in range(len(tiles))]
        self.images_, _ = draw_tiles(self.ax_, tiles, places)
        shares = [f"{share:.0%}".replace("%", " %") for share in np.linspace(0, 1, n_steps)]
        TileGrid(tiles, has_captions=False).label(self.ax_, [], shares)
        return self


def check_range(low, high) -> tuple[tuple[float, float], tuple[float, float]]:
    """Check the ends of two latent variables' ranges, and return a pair of each.

    Raises
    ------
    ValueError
        If they are no numbers for one or both latent variables, or a range is empty.
    """
    ends = []
    for name, limit in (("low", low), ("high", high)):
        values = np.asarray(limit)
        if values.shape not in ((), (2,)) or values.dtype.kind not in "iuf":
            raise ValueError(f"{name} must be a number or a pair of numbers, got {limit!r}.")
        ends.append(tuple(np.broadcast_to(values.astype(float), 2)))
    if not np.isfinite(ends).all() or np.equal(*ends).any():
        raise ValueError(f"low and high must be finite and differ, got {low!r} and {high!r}.")
    return tuple(ends)
