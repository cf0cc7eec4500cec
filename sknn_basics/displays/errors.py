"""What a classifier confuses."""

import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.utils import check_consistent_length, column_or_1d

from sknn_basics._compat import safe_indexing
from sknn_basics.displays._axes import TileGrid, choose_ax, draw_tiles
from sknn_basics.displays.images import as_images, import_pyplot
from sknn_basics.displays.predictions import name_of


class ErrorCountDisplay(ConfusionMatrixDisplay):
    """Heat map of errors: a confusion matrix without its diagonal.

    The counts of right predictions, by far the largest, would make all errors look alike. Use
    ``from_estimator`` or ``from_predictions`` to make one, with the arguments of scikit-learn's
    `sklearn.metrics.ConfusionMatrixDisplay`.

    Parameters
    ----------
    confusion_matrix : ndarray of shape (n_classes, n_classes)
        Counts or shares, true classes by row.
    display_labels : array-like of shape (n_classes,), default=None
        Names of the classes; None is their numbers.

    Attributes
    ----------
    im_ : matplotlib AxesImage
        The heat map, whose diagonal is masked.
    text_ : ndarray of shape (n_classes, n_classes) of matplotlib Text, or None
        The values; those of the diagonal are empty.
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        What holds the axes.

    See Also
    --------
    ErrorGalleryDisplay : One misclassified image of each pair of classes.

    Examples
    --------
    >>> from sknn_basics.displays import ErrorCountDisplay
    >>> display = ErrorCountDisplay.from_predictions([0, 0, 1, 1, 2], [0, 1, 1, 1, 1])
    >>> display.im_.get_array().tolist()
    [[None, 1, 0], [0, None, 0], [0, 1, None]]
    """

    def plot(self, **kwargs) -> "ErrorCountDisplay":
        """Draw the heat map.

        Parameters
        ----------
        **kwargs
            Arguments of `sklearn.metrics.ConfusionMatrixDisplay.plot`.

        Returns
        -------
        display : ErrorCountDisplay
            This display.
        """
        import_pyplot(self)
        whole = self.confusion_matrix
        # The colours and the contrast of texts are those of errors alone.
        self.confusion_matrix = whole * (1 - np.eye(len(whole), dtype=whole.dtype))
        try:
            super().plot(**kwargs)
        finally:
            self.confusion_matrix = whole
        self.im_.set_data(np.ma.array(self.im_.get_array(), mask=np.eye(len(whole))))
        if self.text_ is not None:
            for text in self.text_.diagonal():
                text.set_text("")
        return self


class ErrorGalleryDisplay:
    """One misclassified image of each pair of classes, the true one by row.

    Use `from_estimator` or `from_predictions` to make one.

    Parameters
    ----------
    images : ndarray of shape (n_errors, height, width) or (n_errors, height, width, 3)
        Misclassified images, at most one of each pair of classes.
    y_true : ndarray of shape (n_errors,)
        Their labels.
    y_pred : ndarray of shape (n_errors,)
        What was predicted.
    labels : ndarray of shape (n_classes,)
        All labels, in the order of rows and columns.
    class_names : dict of label to str, default=None
        What the labels are called; None writes them as they are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    images_ : dict of tuple to matplotlib AxesImage
        The images by true and predicted label.

    See Also
    --------
    ErrorCountDisplay : How many errors there are.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics.displays import ErrorGalleryDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> y_pred = y.copy()
    >>> y_pred[[3, 13, 5]] = 8
    >>> display = ErrorGalleryDisplay.from_predictions(X, y, y_pred)
    >>> [(int(true), int(predicted)) for true, predicted in display.images_]
    [(3, 8), (5, 8)]
    """

    def __init__(self, *, images: np.ndarray, y_true, y_pred, labels, class_names=None):
        self.images = images
        self.y_true = y_true
        self.y_pred = y_pred
        self.labels = labels
        self.class_names = class_names

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        image_shape: tuple[int, ...] | None = None,
        data_format: str = "auto",
        class_names: dict | None = None,
        ax=None,
    ) -> "ErrorGalleryDisplay":
        """Predict images, and draw the surest error of each pair of classes.

        Parameters
        ----------
        estimator : estimator
            Fitted classifier. Without ``predict_proba``, the first error of each pair is drawn.
        X : array-like of shape (n_samples, ...)
            Images, or rows of their pixels, as the classifier takes them.
        y : array-like of shape (n_samples,)
            Their labels.
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
        display : ErrorGalleryDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If X holds no images, its length is not that of y, or there is no error.
        """
        confidence = None
        if hasattr(estimator, "predict_proba"):
            confidence = np.max(estimator.predict_proba(X), axis=1)
        return cls.from_predictions(
            X,
            y,
            estimator.predict(X),
            confidence=confidence,
            image_shape=image_shape,
            data_format=data_format,
            class_names=class_names,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        X,
        y_true,
        y_pred,
        *,
        confidence=None,
        image_shape: tuple[int, ...] | None = None,
        data_format: str = "auto",
        class_names: dict | None = None,
        ax=None,
    ) -> "ErrorGalleryDisplay":
        """Draw an error of each pair of classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Images, or rows of their pixels.
        y_true : array-like of shape (n_samples,)
            Their labels.
        y_pred : array-like of shape (n_samples,)
            What was predicted.
        confidence : array-like of shape (n_samples,), default=None
            Of several errors, that with the largest value is drawn; None draws the first.
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
        display : ErrorGalleryDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If X holds no images, lengths differ, or there is no error.
        """
        check_consistent_length(X, y_true, y_pred, confidence)
        y_true, y_pred = column_or_1d(y_true), column_or_1d(y_pred)
        rows = pick_errors(y_true, y_pred, confidence)
        return cls(
            images=as_images(safe_indexing(X, rows), image_shape, data_format),
            y_true=y_true[rows],
            y_pred=y_pred[rows],
            labels=np.unique(np.concatenate([y_true, y_pred])),
            class_names=class_names,
        ).plot(ax)

    def plot(self, ax=None) -> "ErrorGalleryDisplay":
        """Draw the gallery.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : ErrorGalleryDisplay
            This display.
        """
        rows, columns = (np.searchsorted(self.labels, y) for y in (self.y_true, self.y_pred))
        side = 1 + 0.7 * len(self.labels)
        self.ax_ = choose_ax(self, ax, (side, side))
        self.figure_ = self.ax_.figure
        pictures, _ = draw_tiles(self.ax_, self.images, list(zip(rows, columns)))
        self.images_ = dict(zip(zip(self.y_true, self.y_pred), pictures))
        grid = TileGrid(self.images, has_captions=False)
        self.ax_.set(**grid.limits(len(self.labels), len(self.labels)))
        names = [name_of(label, self.class_names) for label in self.labels]
        grid.label(self.ax_, names, names)
        self.ax_.set(xlabel="Predicted label", ylabel="True label")
        self.ax_.xaxis.set_label_position("top")
        return self


def pick_errors(y_true: np.ndarray, y_pred: np.ndarray, confidence=None) -> np.ndarray:
    """Choose one misclassified sample of each pair of labels, in the order of these.

    Raises
    ------
    ValueError
        If there is none.
    """
    wrong = np.flatnonzero(y_true != y_pred)
    if len(wrong) == 0:
        raise ValueError("There is no error to show: y_pred is y_true.")
    if confidence is not None:
        wrong = wrong[np.argsort(-column_or_1d(confidence)[wrong], kind="stable")]
    labels = np.unique(np.concatenate([y_true, y_pred]))
    pairs = [np.searchsorted(labels, y[wrong]) for y in (y_true, y_pred)]
    _, first = np.unique(np.stack(pairs, axis=1), axis=0, return_index=True)
    return wrong[first]
