"""The most probable classes of an image."""

import numpy as np
from sklearn.utils import column_or_1d

from sknn_basics.displays._axes import choose_axes
from sknn_basics.displays.augmentation import check_count
from sknn_basics.displays.images import GREY, as_brightness, as_images, brightness_range
from sknn_basics.displays.predictions import name_of


class TopProbabilitiesDisplay:
    """An image, and bars of its most probable classes next to it.

    Use `from_estimator` or `from_predictions` to make one.

    Parameters
    ----------
    image : ndarray of shape (height, width) or (height, width, 3)
        The image.
    probabilities : ndarray of shape (n_classes,)
        The probability of each class.
    classes : ndarray of shape (n_classes,)
        The labels.
    n_top : int, default=5
        How many classes are drawn, or all if there are fewer.
    y_true : label, default=None
        The true label, whose bar is green; None is not known.
    class_names : dict of label to str, default=None
        What the labels are called; None writes them as they are.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (2,)
        Where image and bars were drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    image_ : matplotlib AxesImage
        The image.
    bars_ : matplotlib BarContainer
        The bars, the most probable class first.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import MLPClassifier
    >>> from sknn_basics.displays import TopProbabilitiesDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> network = MLPClassifier(max_iter=50, tol=0.1, random_state=0).fit(X / 16, y)
    >>> display = TopProbabilitiesDisplay.from_estimator(network, X[0] / 16, n_top=3)
    >>> display.axes_[1].get_yticklabels()[0].get_text()
    '0'
    """

    def __init__(
        self,
        *,
        image: np.ndarray,
        probabilities: np.ndarray,
        classes,
        n_top: int = 5,
        y_true=None,
        class_names: dict | None = None,
    ):
        self.image = image
        self.probabilities = probabilities
        self.classes = classes
        self.n_top = n_top
        self.y_true = y_true
        self.class_names = class_names

    @classmethod
    def from_estimator(
        cls,
        estimator,
        image,
        *,
        n_top: int = 5,
        y_true=None,
        image_shape: tuple[int, ...] | None = None,
        data_format: str = "auto",
        class_names: dict | None = None,
        ax=None,
    ) -> "TopProbabilitiesDisplay":
        """Predict one image, and draw it with its most probable classes.

        Parameters
        ----------
        estimator : estimator
            Fitted classifier with ``predict_proba``, for one label a sample.
        image : array-like of shape (...)
            One image or the row of its pixels, as the classifier takes several: prepared in the
            same way.
        n_top : int, default=5
            How many classes are drawn, or all if there are fewer.
        y_true : label, default=None
            The true label, whose bar is green; None is not known.
        image_shape : tuple of int, default=None
            Shape of an image that is a row of pixels; None takes it for a grey square.
        data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
            Where the image has its channels; 'auto' is last, if it has three dimensions.
        class_names : dict of label to str, default=None
            What the labels are called; None writes them as they are.
        ax : array-like of 2 matplotlib Axes, default=None
            Where to draw image and bars; None makes a new figure.

        Returns
        -------
        display : TopProbabilitiesDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the image cannot be shown, or `n_top` is not positive.
        """
        (probabilities,) = estimator.predict_proba(np.asarray(image)[None])
        return cls.from_predictions(
            image,
            probabilities,
            classes=estimator.classes_,
            n_top=n_top,
            y_true=y_true,
            image_shape=image_shape,
            data_format=data_format,
            class_names=class_names,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        image,
        probabilities,
        *,
        classes=None,
        n_top: int = 5,
        y_true=None,
        image_shape: tuple[int, ...] | None = None,
        data_format: str = "auto",
        class_names: dict | None = None,
        ax=None,
    ) -> "TopProbabilitiesDisplay":
        """Draw one image with given probabilities.

        Parameters
        ----------
        image : array-like of shape (...)
            One image, or the row of its pixels.
        probabilities : array-like of shape (n_classes,)
            The probability of each class.
        classes : array-like of shape (n_classes,), default=None
            The labels; None counts from 0.
        n_top : int, default=5
            How many classes are drawn, or all if there are fewer.
        y_true : label, default=None
            The true label, whose bar is green; None is not known.
        image_shape : tuple of int, default=None
            Shape of an image that is a row of pixels; None takes it for a grey square.
        data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
            Where the image has its channels; 'auto' is last, if it has three dimensions.
        class_names : dict of label to str, default=None
            What the labels are called; None writes them as they are.
        ax : array-like of 2 matplotlib Axes, default=None
            Where to draw image and bars; None makes a new figure.

        Returns
        -------
        display : TopProbabilitiesDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the image cannot be shown, `n_top` is not positive, or there are more or fewer
            probabilities than classes.
        """
        check_count(n_top, "n_top")
        probabilities = column_or_1d(probabilities)
        classes = np.arange(len(probabilities)) if classes is None else column_or_1d(classes)
        if len(classes) != len(probabilities):
            raise ValueError(f"{len(probabilities)} probabilities of {len(classes)} classes.")
        (shown,) = as_images(np.asarray(image)[None], image_shape, data_format)
        return cls(
            image=shown,
            probabilities=probabilities,
            classes=classes,
            n_top=n_top,
            y_true=y_true,
            class_names=class_names,
        ).plot(ax)

    def plot(self, ax=None) -> "TopProbabilitiesDisplay":
        """Draw image and bars.

        Parameters
        ----------
        ax : array-like of 2 matplotlib Axes, default=None
            Where to draw image and bars; None makes a new figure.

        Returns
        -------
        display : TopProbabilitiesDisplay
            This display.

        Raises
        ------
        ValueError
            If there are not two axes.
        """
        self.axes_ = choose_axes(self, ax, 2, (3.5, 3))
        self.figure_ = self.axes_[0].figure
        image_ax, bar_ax = self.axes_
        limits = brightness_range(self.image)
        self.image_ = image_ax.imshow(as_brightness(self.image, limits), **GREY)
        image_ax.set_axis_off()

        top = np.argsort(-self.probabilities, kind="stable")[: self.n_top]
        is_true = [self.y_true is not None and label == self.y_true for label in self.classes[top]]
        colors = ["tab:green" if true else "tab:blue" for true in is_true]
        self.bars_ = bar_ax.barh(range(len(top)), self.probabilities[top], color=colors)
        bar_ax.bar_label(self.bars_, fmt="%.3f", padding=3)
        names = [name_of(label, self.class_names) for label in self.classes[top]]
        bar_ax.set_yticks(range(len(top)), names)
        # The label of a bar of 1 needs room.
        bar_ax.set(xlabel="Probability", xlim=(0, 1.2), xticks=(0, 0.5, 1))
        bar_ax.invert_yaxis()
        return self
