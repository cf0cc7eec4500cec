"""What filters look for, and where they find it."""

from collections.abc import Sequence

import numpy as np

from sknn_basics._optional import import_optional
from sknn_basics.displays._axes import (
    TileGrid,
    choose_ax,
    draw_tiles,
    square_columns,
)
from sknn_basics.displays.images import GREY, as_brightness, as_images, brightness_range
from sknn_basics.inspection._networks import Subject
from sknn_basics.inspection.activations import activations
from sknn_basics.inspection.maximizing import count_filters, maximize

# Filters that are drawn if none are chosen.
MOST_FILTERS = 64

HEAT = ["black", "red", "yellow"]


class FilterDisplay:
    """The images to which filters respond most, a tile each.

    Use `from_estimator` or `from_predictions` to make one.

    Parameters
    ----------
    images : ndarray of shape (n_filters, height, width) or (n_filters, height, width, 3)
        The images; those of dead filters are NaN.
    names : sequence of str
        What stands above each.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    images_ : list of matplotlib AxesImage
        The tiles, each from its darkest to its brightest value.
    texts_ : list of matplotlib Text
        What stands above them.

    See Also
    --------
    sknn_basics.inspection.maximize : The images alone.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import ConvNetClassifier
    >>> from sknn_basics.displays import FilterDisplay
    >>> digits = load_digits()
    >>> model = ConvNetClassifier(filters=(4, 8), max_iter=10, random_state=0)
    >>> _ = model.fit(digits.images / 16, digits.target)
    >>> display = FilterDisplay.from_estimator(model, "block1_conv1", n_steps=10, random_state=0)
    >>> len(display.images_)
    4
    """

    def __init__(self, *, images: np.ndarray, names: Sequence[str]):
        self.images = images
        self.names = names

    @classmethod
    def from_estimator(
        cls,
        estimator,
        layer: str,
        filters: int | Sequence[int] | None = None,
        *,
        image_shape: tuple[int, ...] | None = None,
        data_format: str = "auto",
        ax=None,
        **options,
    ) -> "FilterDisplay":
        """Find what filters respond to most, and draw it.

        Parameters
        ----------
        estimator : estimator, Pipeline or nn.Module
            See `sknn_basics.inspection.maximize`.
        layer : str
            Name of a layer, as in ``estimator.summary()``.
        filters : int, sequence of int or None, default=None
            Numbers of filters; None draws the first 64 of the layer.
        image_shape : tuple of int, default=None
            Shape of an image whose pixels are a row; None takes rows for grey squares.
        data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
            Where images have their channels; 'auto' is where the estimator reads them, else last.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **options
            Further arguments of `sknn_basics.inspection.maximize`.

        Returns
        -------
        display : FilterDisplay
            The drawn display.
        """
        subject = Subject(estimator)
        if filters is None:
            n_filters = count_filters(estimator, layer, options.get("start"))
            filters = range(min(n_filters, MOST_FILTERS))
        chosen = [filters] if np.ndim(filters) == 0 else list(filters)
        images = maximize(estimator, layer, chosen, **options)
        names = ["all"] if options.get("weights") is not None else [str(i) for i in chosen]
        data_format, image_shape = subject.describe_images(data_format, image_shape)
        return cls.from_predictions(
            images, names, image_shape=image_shape, data_format=data_format, ax=ax
        )

    @classmethod
    def from_predictions(
        cls,
        images,
        names: Sequence[str] | None = None,
        *,
        image_shape: tuple[int, ...] | None = None,
        data_format: str = "auto",
        ax=None,
    ) -> "FilterDisplay":
        """Draw what `sknn_basics.inspection.maximize` returned.

        Parameters
        ----------
        images : array-like of shape (n_filters, ...)
            The images; those of dead filters are NaN.
        names : sequence of str, default=None
            What stands above each; None numbers them.
        image_shape : tuple of int, default=None
            Shape of an image whose pixels are a row; None takes rows for grey squares.
        data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
            Where images have their channels; 'auto' is last, if an image has three dimensions.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : FilterDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If these are no images that can be shown.
        """
        images = np.asarray(images, dtype=float)
        is_dead = np.isnan(images.reshape(len(images), -1)).any(axis=1)
        shown = as_images(np.nan_to_num(images), image_shape, data_format, "images")
        shown[is_dead] = np.nan
        names = [str(i) for i in range(len(shown))] if names is None else list(names)
        return cls(images=shown, names=names).plot(ax)

    def plot(self, ax=None) -> "FilterDisplay":
        """Draw the tiles; an empty one says that its filter is dead.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : FilterDisplay
            This display.
        """
        n_columns = square_columns(len(self.images))
        n_rows = -(-len(self.images) // n_columns)
        self.ax_ = choose_ax(self, ax, (max(3, 0.9 * n_columns), max(3, 1.1 * n_rows)))
        self.figure_ = self.ax_.figure
        is_dead = np.isnan(self.images.reshape(len(self.images), -1)).any(axis=1)
        tiles = np.stack([stretched(image) for image in self.images])
        names = [f"{name}, dead" if dead else name for name, dead in zip(self.names, is_dead)]
        places = [divmod(number, n_columns) for number in range(len(tiles))]
        self.images_, self.texts_ = draw_tiles(self.ax_, tiles, places, names)
        return self


class FeatureMapDisplay:
    """What the filters of a layer find in one image, a map each.

    Use `from_estimator` to make one.

    Parameters
    ----------
    maps : ndarray of shape (n_filters, map_height, map_width)
        The maps.
    names : sequence of str
        What stands above each.
    image : ndarray of shape (height, width) or (height, width, 3), default=None
        The image over which maps are laid; None draws the maps alone.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    maps_ : list of matplotlib AxesImage
        The maps, all on one scale, from black over red to yellow.

    See Also
    --------
    sknn_basics.inspection.activations : The maps alone.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import ConvNetClassifier
    >>> from sknn_basics.displays import FeatureMapDisplay
    >>> digits = load_digits()
    >>> model = ConvNetClassifier(filters=(4, 8), max_iter=10, random_state=0)
    >>> _ = model.fit(digits.images / 16, digits.target)
    >>> display = FeatureMapDisplay.from_estimator(model, digits.images[0] / 16, "block1_conv1")
    >>> display.maps.shape
    (4, 4, 4)
    """

    def __init__(self, *, maps: np.ndarray, names: Sequence[str], image: np.ndarray | None = None):
        self.maps = maps
        self.names = names
        self.image = image

    @classmethod
    def from_estimator(
        cls,
        estimator,
        image,
        layer: str,
        filters: int | Sequence[int] | None = None,
        *,
        overlay: bool = False,
        image_shape: tuple[int, ...] | None = None,
        data_format: str = "auto",
        ax=None,
    ) -> "FeatureMapDisplay":
        """Compute the maps of an image, and draw them.

        Parameters
        ----------
        estimator : estimator, Pipeline or nn.Module
            See `sknn_basics.inspection.activations`.
        image : array-like of shape (...)
            One image, as the estimator takes it.
        layer : str
            Name of a layer, as in ``estimator.summary()``; its maps are drawn after the activation
            that follows it.
        filters : int, sequence of int or None, default=None
            Numbers of filters; None draws the first 64 of the layer.
        overlay : bool, default=False
            Whether maps are laid over the image.
        image_shape : tuple of int, default=None
            Shape of an image whose pixels are a row; None takes rows for grey squares.
        data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
            Where the image has its channels; 'auto' is where the estimator reads them, else last.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : FeatureMapDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the layer has no maps, or no such filter.
        """
        subject = Subject(estimator)
        name = subject.response_name(layer)
        (maps,) = activations(estimator, np.asarray(image)[None], name)[name]
        if maps.ndim != 3:
            raise ValueError(f"layer {layer!r} has no maps, its outputs are of shape {maps.shape}.")
        is_first = subject.estimator is None or subject.estimator.data_format == "channels_first"
        maps = maps if is_first else np.moveaxis(maps, -1, 0)
        if filters is None:
            filters = range(min(len(maps), MOST_FILTERS))
        chosen = [filters] if np.ndim(filters) == 0 else list(filters)
        if not all(0 <= i < len(maps) for i in chosen):
            raise ValueError(f"filters must be from 0 to {len(maps) - 1}, got {filters!r}.")
        shown = None
        if overlay:
            data_format, image_shape = subject.describe_images(data_format, image_shape)
            (shown,) = as_images(np.asarray(image)[None], image_shape, data_format, "image")
        return cls(maps=maps[chosen], names=[str(i) for i in chosen], image=shown).plot(ax)

    def plot(self, ax=None) -> "FeatureMapDisplay":
        """Draw the maps.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : FeatureMapDisplay
            This display.
        """
        n_columns = square_columns(len(self.maps))
        n_rows = -(-len(self.maps) // n_columns)
        self.ax_ = choose_ax(self, ax, (max(3.6, n_columns), max(3, 1.2 * n_rows)))
        self.figure_ = self.ax_.figure
        limits = float(np.min(self.maps)), float(np.max(self.maps))
        under = self.maps if self.image is None else [self.image] * len(self.maps)
        grid = TileGrid(np.asarray(under), has_captions=True)
        colors = {"cmap": make_colormap(self), "vmin": limits[0], "vmax": limits[1]}
        self.maps_ = []
        for number, values in enumerate(self.maps):
            left, top = grid.corner(*divmod(number, n_columns))
            place = {"extent": (left, left + 1, top + grid.height, top)}
            if self.image is not None:
                shown = as_brightness(self.image, brightness_range(self.image))
                self.ax_.imshow(shown, **place, **GREY)
            alpha = 1.0 if self.image is None else 0.6
            smooth = "nearest" if self.image is None else "bilinear"
            self.maps_.append(
                self.ax_.imshow(values, alpha=alpha, interpolation=smooth, **colors, **place)
            )
            self.ax_.text(left + 0.5, top - 0.04, self.names[number], ha="center", va="bottom")
        self.ax_.set(
            **grid.limits(n_rows, n_columns), xticks=[], yticks=[], aspect="equal", frame_on=False
        )
        self.figure_.colorbar(self.maps_[0], cax=self.ax_.inset_axes((1.02, 0, 0.04, 1)))
        return self


def make_colormap(display):
    """Make the colours of heat maps."""
    colors = import_optional("matplotlib.colors", "plot", type(display).__name__)
    return colors.LinearSegmentedColormap.from_list("heat", HEAT)


def stretched(image: np.ndarray) -> np.ndarray:
    """Map an image's own values to [0, 1]; a constant or missing one becomes white."""
    low, high = np.min(image), np.max(image)
    return np.ones_like(image) if not high > low else (image - low) / (high - low)
