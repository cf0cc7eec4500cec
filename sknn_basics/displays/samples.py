"""Images of each class."""

import numpy as np
from sklearn.utils import check_consistent_length, column_or_1d

from sknn_basics._compat import safe_indexing
from sknn_basics.displays._axes import TileGrid, choose_ax, draw_tiles
from sknn_basics.displays.augmentation import check_count
from sknn_basics.displays.images import as_images
from sknn_basics.displays.predictions import name_of


class ClassSamplesDisplay:
    """A row of images for each class.

    Use `from_data` to make one.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, 3)
        The images.
    y : ndarray of shape (n_images,)
        Their labels.
    class_names : dict of label to str, default=None
        What the labels are called; None writes them as they are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    images_ : list of matplotlib AxesImage
        The images, row by row.

    See Also
    --------
    PredictionGridDisplay : Images with what was predicted of them.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics.displays import ClassSamplesDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> display = ClassSamplesDisplay.from_data(X, y, n_per_class=4)
    >>> len(display.images_)
    40
    """

    def __init__(self, *, images: np.ndarray, y, class_names: dict | None = None):
        self.images = images
        self.y = y
        self.class_names = class_names

    @classmethod
    def from_data(
        cls,
        X,
        y,
        *,
        n_per_class: int = 10,
        image_shape: tuple[int, ...] | None = None,
        data_format: str = "auto",
        class_names: dict | None = None,
        ax=None,
    ) -> "ClassSamplesDisplay":
        """Draw the first images of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Images, or rows of their pixels.
        y : array-like of shape (n_samples,)
            Their labels.
        n_per_class : int, default=10
            Number of images of each class, or all that it has.
        image_shape : tuple of int, default=None
            Shape of an image whose pixels are a row of X; None takes rows for grey squares.
        data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
            Where images have their channels; 'auto' is last, if an image has three dimensions.
        class_names : dict of label to str, default=None
            What the labels are called; None writes them as they are.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : ClassSamplesDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If X holds no images or none at all, its length is not that of y, or `n_per_class` is
            not positive.
        """
        check_count(n_per_class, "n_per_class")
        check_consistent_length(X, y)
        y = column_or_1d(y)
        if not len(y):
            raise ValueError("There is no sample to show.")
        rows = np.concatenate([np.flatnonzero(y == label)[:n_per_class] for label in np.unique(y)])
        images = as_images(safe_indexing(X, rows), image_shape, data_format)
        return cls(images=images, y=y[rows], class_names=class_names).plot(ax)

    def plot(self, ax=None) -> "ClassSamplesDisplay":
        """Draw the rows of images.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : ClassSamplesDisplay
            This display.
        """
        labels, rows = np.unique(self.y, return_inverse=True)
        # The first image of a class is in the first column, and so on.
        columns = [np.count_nonzero(rows[:i] == row) for i, row in enumerate(rows)]
        self.ax_ = choose_ax(self, ax, (1 + 0.8 * (max(columns) + 1), 0.8 * len(labels)))
        self.figure_ = self.ax_.figure
        self.images_, _ = draw_tiles(self.ax_, self.images, list(zip(rows, columns)))
        names = [name_of(label, self.class_names) for label in labels]
        TileGrid(self.images, has_captions=False).label(self.ax_, names, [])
        return self
