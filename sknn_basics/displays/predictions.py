"""Images with what was predicted of them."""

import numpy as np
from sklearn.utils import check_consistent_length, column_or_1d

from sknn_basics._compat import safe_indexing
from sknn_basics.displays._axes import choose_ax, draw_tiles, square_columns
from sknn_basics.displays.augmentation import check_count
from sknn_basics.displays.images import as_images


class PredictionGridDisplay:
    """Images in a grid, each with its predicted and its true label.

    Use `from_estimator` or `from_predictions` to make one. Captions are green where the prediction
    is right, and red, with the true label in parentheses, where it is wrong.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, 3)
        The images.
    y_true : ndarray of shape (n_images,)
        Their labels.
    y_pred : ndarray of shape (n_images,)
        What was predicted.
    class_names : dict of label to str, default=None
        What the labels are called; None writes them as they are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    images_ : list of matplotlib AxesImage
        The images.
    texts_ : list of matplotlib Text
        Their captions.

    See Also
    --------
    ErrorGalleryDisplay : One misclassified image of each pair of classes.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import MLPClassifier
    >>> from sknn_basics.displays import PredictionGridDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> network = MLPClassifier(max_iter=50, tol=0.1, random_state=0).fit(X / 16, y)
    >>> display = PredictionGridDisplay.from_estimator(network, X / 16, y, n_images=3)
    >>> [text.get_text() for text in display.texts_]
    ['0', '1', '2']
    """

    def __init__(self, *, images: np.ndarray, y_true, y_pred, class_names: dict | None = None):
        self.images = images
        self.y_true = y_true
        self.y_pred = y_pred
        self.class_names = class_names

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        n_images: int = 25,
        image_shape: tuple[int, ...] | None = None,
        data_format: str = "auto",
        class_names: dict | None = None,
        ax=None,
        n_columns: int | None = None,
    ) -> "PredictionGridDisplay":
        """Predict the first images, and draw them.

        Parameters
        ----------
        estimator : estimator
            Fitted classifier.
        X : array-like of shape (n_samples, ...)
            Images, or rows of their pixels, as the classifier takes them.
        y : array-like of shape (n_samples,)
            Their labels.
        n_images : int, default=25
            How many of them, from the first.
        image_shape : tuple of int, default=None
            Shape of an image whose pixels are a row of X; None takes rows for grey squares.
        data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
            Where images have their channels; 'auto' is last, if an image has three dimensions.
        class_names : dict of label to str, default=None
            What the labels are called; None writes them as they are.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        n_columns : int, default=None
            Number of images per row; None makes the grid as square as possible.

        Returns
        -------
        display : PredictionGridDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If X holds no images, its length is not that of y, or a number is not positive.
        """
        check_count(n_images, "n_images")
        check_consistent_length(X, y)
        X, y = (safe_indexing(data, slice(n_images)) for data in (X, y))
        return cls.from_predictions(
            X,
            y,
            estimator.predict(X),
            n_images=n_images,
            image_shape=image_shape,
            data_format=data_format,
            class_names=class_names,
            ax=ax,
            n_columns=n_columns,
        )

    @classmethod
    def from_predictions(
        cls,
        X,
        y_true,
        y_pred,
        *,
        n_images: int = 25,
        image_shape: tuple[int, ...] | None = None,
        data_format: str = "auto",
        class_names: dict | None = None,
        ax=None,
        n_columns: int | None = None,
    ) -> "PredictionGridDisplay":
        """Draw the first images with given predictions.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Images, or rows of their pixels.
        y_true : array-like of shape (n_samples,)
            Their labels.
        y_pred : array-like of shape (n_samples,)
            What was predicted.
        n_images : int, default=25
            How many of them, from the first.
        image_shape : tuple of int, default=None
            Shape of an image whose pixels are a row of X; None takes rows for grey squares.
        data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
            Where images have their channels; 'auto' is last, if an image has three dimensions.
        class_names : dict of label to str, default=None
            What the labels are called; None writes them as they are.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        n_columns : int, default=None
            Number of images per row; None makes the grid as square as possible.

        Returns
        -------
        display : PredictionGridDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If X holds no images, lengths differ, or a number is not positive.
        """
        check_count(n_images, "n_images")
        check_consistent_length(X, y_true, y_pred)
        images = as_images(safe_indexing(X, slice(n_images)), image_shape, data_format)
        y_true, y_pred = (column_or_1d(y)[:n_images] for y in (y_true, y_pred))
        display = cls(images=images, y_true=y_true, y_pred=y_pred, class_names=class_names)
        return display.plot(ax, n_columns=n_columns)

    def plot(self, ax=None, *, n_columns: int | None = None) -> "PredictionGridDisplay":
        """Draw the images.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        n_columns : int, default=None
            Number of images per row; None makes the grid as square as possible.

        Returns
        -------
        display : PredictionGridDisplay
            This display.

        Raises
        ------
        ValueError
            If `n_columns` is not positive.
        """
        if n_columns is None:
            n_columns = square_columns(len(self.images))
        check_count(n_columns, "n_columns")
        n_rows = -(-len(self.images) // n_columns)
        self.ax_ = choose_ax(self, ax, (1.3 * n_columns, 1.6 * n_rows))
        self.figure_ = self.ax_.figure
        places = [divmod(number, n_columns) for number in range(len(self.images))]
        is_right = self.y_true == self.y_pred
        colors = ["tab:green" if right else "tab:red" for right in is_right]
        captions = [self._caption(*labels) for labels in zip(self.y_true, self.y_pred)]
        self.images_, self.texts_ = draw_tiles(self.ax_, self.images, places, captions, colors)
        return self

    def _caption(self, true, predicted) -> str:
        true, predicted = (name_of(label, self.class_names) for label in (true, predicted))
        return predicted if true == predicted else f"{predicted} ({true})"


def name_of(label, class_names: dict | None) -> str:
    """Write a label, by its name if it has one."""
    return str((class_names or {}).get(label, label))
