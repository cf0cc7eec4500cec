"""Latent variables of samples."""

from collections.abc import Sequence

import numpy as np
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.multiclass import type_of_target

from sknn_basics._compat import safe_indexing
from sknn_basics.displays._axes import choose_ax, choose_axes
from sknn_basics.displays.augmentation import check_count
from sknn_basics.displays.images import (
    GREY,
    as_brightness,
    as_images,
    brightness_range,
    import_pyplot,
)
from sknn_basics.displays.predictions import name_of
from sknn_basics.inspection.latents import check_components

# More numbers than there are colours are told apart by a colour bar.
MAX_CLASSES = 20


class LatentBarsDisplay:
    """A bar for each latent variable of a sample; a row of bars for each sample.

    Use `from_estimator` or `from_latents` to make one.

    Parameters
    ----------
    latents : ndarray of shape (n_samples, n_components)
        The latent variables.
    images : ndarray of shape (n_samples, height, width) or (n_samples, height, width, 3), \
default=None
        The samples, to draw next to their bars; None draws bars alone.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (n_samples,)
        Where the bars were drawn; images are in axes of their own to the right of these.
    figure_ : matplotlib Figure
        What holds the axes.
    bars_ : list of matplotlib BarContainer
        The bars of each sample.
    images_ : list of matplotlib AxesImage
        The images; empty if there are none.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sknn_basics.displays import LatentBarsDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> display = LatentBarsDisplay.from_estimator(PCA(5).fit(X), X, n_samples=2)
    >>> [len(bars) for bars in display.bars_]
    [5, 5]
    """

    def __init__(self, *, latents: np.ndarray, images: np.ndarray | None = None):
        self.latents = latents
        self.images = images

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        n_samples: int = 3,
        show_images: bool = False,
        image_shape: tuple[int, ...] | None = None,
        data_format: str = "auto",
        ax=None,
    ) -> "LatentBarsDisplay":
        """Compute the latent variables of the first samples, and draw them.

        Parameters
        ----------
        estimator : estimator
            Fitted transformer.
        X : array-like of shape (n_samples, ...)
            Samples as the transformer takes them.
        n_samples : int, default=3
            How many of them, from the first.
        show_images : bool, default=False
            Whether to draw the samples, which are images then, next to their bars.
        image_shape : tuple of int, default=None
            Shape of an image whose pixels are a row of X; None takes rows for grey squares.
        data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
            Where images have their channels; 'auto' is last, if an image has three dimensions.
        ax : array-like of matplotlib Axes, default=None
            Where to draw, one per sample; None makes a new figure.

        Returns
        -------
        display : LatentBarsDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If there is no sample, or the number of axes does not fit.
        """
        check_count(n_samples, "n_samples")
        X = safe_indexing(X, slice(n_samples))
        return cls.from_latents(
            estimator.transform(X),
            X if show_images else None,
            n_samples=n_samples,
            image_shape=image_shape,
            data_format=data_format,
            ax=ax,
        )

    @classmethod
    def from_latents(
        cls,
        Z,
        X=None,
        *,
        n_samples: int = 3,
        image_shape: tuple[int, ...] | None = None,
        data_format: str = "auto",
        ax=None,
    ) -> "LatentBarsDisplay":
        """Draw the latent variables of the first samples.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_components)
            Latent variables.
        X : array-like of shape (n_samples, ...), default=None
            Images to draw next to the bars, or rows of their pixels; None draws bars alone.
        n_samples : int, default=3
            How many of them, from the first.
        image_shape : tuple of int, default=None
            Shape of an image whose pixels are a row of X; None takes rows for grey squares.
        data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
            Where images have their channels; 'auto' is last, if an image has three dimensions.
        ax : array-like of matplotlib Axes, default=None
            Where to draw, one per sample; None makes a new figure.

        Returns
        -------
        display : LatentBarsDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If there is no sample, or the number of axes does not fit.
        """
        check_count(n_samples, "n_samples")
        Z, images = check_array(Z, input_name="Z"), None
        if X is not None:
            check_consistent_length(Z, X)
            images = as_images(safe_indexing(X, slice(n_samples)), image_shape, data_format)
        return cls(latents=Z[:n_samples], images=images).plot(ax)

    def plot(self, ax=None) -> "LatentBarsDisplay":
        """Draw the bars, those of all samples on one scale.

        Parameters
        ----------
        ax : array-like of matplotlib Axes, default=None
            Where to draw, one per sample; None makes a new figure.

        Returns
        -------
        display : LatentBarsDisplay
            This display.

        Raises
        ------
        ValueError
            If the number of axes does not fit.
        """
        plt = import_pyplot(self)
        n_samples, n_components = self.latents.shape
        if ax is None:
            size = (6, 1 + n_samples)
            ax = plt.subplots(n_samples, 1, figsize=size, sharex=True, layout="constrained")[1]
        self.axes_ = choose_axes(self, ax, n_samples, (6, 1))
        self.figure_ = self.axes_[0].figure
        self.bars_ = [
            axes.bar(np.arange(n_components), values)
            for axes, values in zip(self.axes_, self.latents)
        ]
        largest = 1.05 * np.abs(self.latents).max() or 1.0
        for axes in self.axes_:
            axes.axhline(0, color="black", linewidth=0.8)
            axes.set(ylim=(-largest, largest), ylabel="Value")
        self.axes_[-1].set(xlabel="Latent")
        self.axes_[-1].xaxis.get_major_locator().set_params(integer=True)
        self.images_ = [] if self.images is None else self._draw_images()
        return self

    def _draw_images(self) -> list:
        tiles = as_brightness(self.images, brightness_range(self.images))
        places = [axes.inset_axes((1.02, 0, 0.25, 1), anchor="W") for axes in self.axes_]
        for place in places:
            place.set_axis_off()
        return [place.imshow(tile, **GREY) for place, tile in zip(places, tiles)]


class LatentScatterDisplay:
    """Samples in the plane of two latent variables, coloured by their labels.

    Use `from_estimator` or `from_latents` to make one.

    Parameters
    ----------
    latents : ndarray of shape (n_samples, 2)
        The two latent variables.
    y : ndarray of shape (n_samples,) or None
        Labels, or real numbers.
    names : tuple of str, default=('Latent 0', 'Latent 1')
        What the latent variables are called.
    class_names : dict of label to str, default=None
        What the labels are called; None writes them as they are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    points_ : list of matplotlib PathCollection
        The samples, class by class; all at once for numbers (more than 20 integers among them) and
        without y.
    circles_ : list of matplotlib Circle
        Where the unit normal is 1, 2 and 3 standard deviations from its mean, if drawn.

    See Also
    --------
    LatentGridDisplay : What such a plane decodes to.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sknn_basics.displays import LatentScatterDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> display = LatentScatterDisplay.from_estimator(PCA(5).fit(X), X, y, components=(2, 3))
    >>> len(display.points_), display.ax_.get_xlabel()
    (10, 'Latent 2')
    """

    def __init__(
        self,
        *,
        latents: np.ndarray,
        y,
        names: tuple[str, str] = ("Latent 0", "Latent 1"),
        class_names: dict | None = None,
    ):
        self.latents = latents
        self.y = y
        self.names = names
        self.class_names = class_names

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        components: Sequence[int] = (0, 1),
        class_names: dict | None = None,
        unit_normal: bool = False,
        ax=None,
    ) -> "LatentScatterDisplay":
        """Compute latent variables of samples, and draw two of them.

        Parameters
        ----------
        estimator : estimator
            Fitted transformer.
        X : array-like of shape (n_samples, ...)
            Samples as the transformer takes them.
        y : array-like of shape (n_samples,), default=None
            Labels, or real numbers; None draws all samples alike.
        components : pair of int, default=(0, 1)
            Numbers of the two latent variables.
        class_names : dict of label to str, default=None
            What the labels are called; None writes them as they are.
        unit_normal : bool, default=False
            Whether to draw circles of 1, 2 and 3 standard deviations of the unit normal, to which
            the latent variables of variational autoencoders are kept close.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : LatentScatterDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If lengths differ, or there are no such latent variables.
        """
        return cls.from_latents(
            estimator.transform(X),
            y,
            components=components,
            class_names=class_names,
            unit_normal=unit_normal,
            ax=ax,
        )

    @classmethod
    def from_latents(
        cls,
        Z,
        y=None,
        *,
        components: Sequence[int] = (0, 1),
        class_names: dict | None = None,
        unit_normal: bool = False,
        ax=None,
    ) -> "LatentScatterDisplay":
        """Draw two latent variables of samples.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_components)
            Latent variables.
        y : array-like of shape (n_samples,), default=None
            Labels, or real numbers; None draws all samples alike.
        components : pair of int, default=(0, 1)
            Numbers of the two latent variables.
        class_names : dict of label to str, default=None
            What the labels are called; None writes them as they are.
        unit_normal : bool, default=False
            Whether to draw circles of 1, 2 and 3 standard deviations of the unit normal.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : LatentScatterDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If lengths differ, or there are no such latent variables.
        """
        Z = check_array(Z, input_name="Z")
        chosen = check_components(components, Z.shape[1], n_wanted=2)
        if y is not None:
            check_consistent_length(Z, y)
            y = column_or_1d(y)
        first, second = (f"Latent {np.arange(Z.shape[1])[number]}" for number in chosen)
        display = cls(latents=Z[:, chosen], y=y, names=(first, second), class_names=class_names)
        return display.plot(ax, unit_normal=unit_normal)

    def plot(self, ax=None, *, unit_normal: bool = False) -> "LatentScatterDisplay":
        """Draw the samples.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        unit_normal : bool, default=False
            Whether to draw circles of 1, 2 and 3 standard deviations of the unit normal.

        Returns
        -------
        display : LatentScatterDisplay
            This display.
        """
        self.ax_ = choose_ax(self, ax, (6, 5))
        self.figure_ = self.ax_.figure
        if self._has_classes():
            self._draw_classes()
        else:
            self.points_ = [self.ax_.scatter(*self.latents.T, c=self.y, s=8, cmap="viridis")]
            if self.y is not None:
                self.figure_.colorbar(self.points_[0], ax=self.ax_)
        self.circles_ = [self._add_circle(radius) for radius in (1, 2, 3) if unit_normal]
        self.ax_.set(xlabel=self.names[0], ylabel=self.names[1], aspect="equal")
        return self

    def _has_classes(self) -> bool:
        if self.y is None or type_of_target(self.y) == "continuous":
            return False
        return self.y.dtype.kind not in "iuf" or len(np.unique(self.y)) <= MAX_CLASSES

    def _draw_classes(self) -> None:
        labels = np.unique(self.y)
        colors = choose_colors(import_pyplot(self), len(labels))
        self.points_ = [
            self.ax_.scatter(
                *self.latents[self.y == label].T,
                s=8,
                color=colors[i],
            )
            for i, label in enumerate(labels)
        ]
        # Names are given as they are: a label of points that begins with an underscore is hidden.
        self.ax_.legend(
            self.points_,
            [name_of(label, self.class_names) for label in labels],
            loc="center left",
            bbox_to_anchor=(1, 0.5),
            markerscale=2,
            ncols=-(-len(labels) // MAX_CLASSES),
        )

    def _add_circle(self, radius: float):
        circle = import_pyplot(self).Circle((0, 0), radius, fill=False, color="black", alpha=0.5)
        return self.ax_.add_patch(circle)


def choose_colors(plt, n_classes: int) -> list:
    """Choose a different colour for each class."""
    if n_classes > MAX_CLASSES:
        return list(plt.get_cmap("viridis")(np.linspace(0, 1, n_classes)))
    return list(plt.get_cmap("tab10" if n_classes <= 10 else "tab20").colors)
