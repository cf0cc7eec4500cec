"""Images before and after a change that misleads a network."""

import numpy as np

from sknn_basics.displays._axes import choose_axes
from sknn_basics.displays.images import GREY, as_brightness, as_images, brightness_range
from sknn_basics.inspection._networks import Subject
from sknn_basics.inspection.adversaries import adversarial


class AdversarialDisplay:
    """An image, a small change, and the changed image, each with its most probable classes.

    Use `from_estimator` to make one.

    Parameters
    ----------
    image, perturbation, changed : ndarray of shape (height, width) or (height, width, 3)
        The images, and their difference.
    before, after : list of (str, float)
        The most probable classes of both images, and their probabilities.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (3,)
        Where they were drawn. The change goes from blue to red, each colour channel alike.
    figure_ : matplotlib Figure
        What holds the axes.
    images_ : list of matplotlib AxesImage
        The three images.

    See Also
    --------
    sknn_basics.inspection.adversarial : The changes alone.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import ConvNetClassifier
    >>> from sknn_basics.displays import AdversarialDisplay
    >>> digits = load_digits()
    >>> X = digits.images / 16
    >>> model = ConvNetClassifier(filters=(4, 8), max_iter=20, random_state=0).fit(X, digits.target)
    >>> display = AdversarialDisplay.from_estimator(model, X[0], n_steps=50, random_state=0)
    >>> display.before[0][0], display.after[0][0] == "0"
    ('0', False)
    """

    def __init__(self, *, image, perturbation, changed, before, after):
        self.image = image
        self.perturbation = perturbation
        self.changed = changed
        self.before = before
        self.after = after

    @classmethod
    def from_estimator(
        cls, estimator, image, *, n_classes: int = 3, data_format: str = "auto", ax=None, **options
    ) -> "AdversarialDisplay":
        """Find the smallest change that misleads an estimator, and draw it.

        Parameters
        ----------
        estimator : estimator or Pipeline
            A fitted neural classifier, or a pipeline that ends in one.
        image : array-like of shape (...)
            One image, as the estimator takes it.
        n_classes : int, default=3
            Number of classes that are named.
        data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
            Where the image has its channels; 'auto' is where the estimator reads them, else last.
        ax : array-like of 3 matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **options
            Further arguments of `sknn_basics.inspection.adversarial`.

        Returns
        -------
        display : AdversarialDisplay
            The drawn display.
        """
        X = np.asarray(image)[None]
        found = adversarial(estimator, X, **options)
        data_format, shape = Subject(estimator).describe_images(data_format, None)
        pictures = [
            as_images(values, shape, data_format)[0]
            for values in (X, found.perturbation, found.X_adversarial)
        ]
        named = [top_classes(estimator, rows, n_classes) for rows in (X, found.X_adversarial)]
        return cls(
            image=pictures[0],
            perturbation=pictures[1],
            changed=pictures[2],
            before=named[0],
            after=named[1],
        ).plot(ax)

    def plot(self, ax=None) -> "AdversarialDisplay":
        """Draw the three images.

        Parameters
        ----------
        ax : array-like of 3 matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : AdversarialDisplay
            This display.
        """
        self.axes_ = choose_axes(self, ax, 3, (3, 3.8))
        self.figure_ = self.axes_[0].figure
        limits = brightness_range(self.image)
        largest = float(np.abs(self.perturbation).max()) or 1.0
        change = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest, "interpolation": "nearest"}
        shown = self.perturbation
        if shown.ndim == 3:
            shown, change = 0.5 + shown / (2 * largest), {"interpolation": "nearest"}
        self.images_ = [
            self.axes_[0].imshow(as_brightness(self.image, limits), **GREY),
            self.axes_[1].imshow(shown, **change),
            self.axes_[2].imshow(as_brightness(self.changed, limits), **GREY),
        ]
        titles = ("Before", f"Change, at most {largest:.3g}", "After")
        below = (as_lines(self.before), "", as_lines(self.after))
        for axes, title, text in zip(self.axes_, titles, below):
            axes.set(title=title, xlabel=text, xticks=[], yticks=[])
        return self


def top_classes(estimator, X, n_classes: int) -> list[tuple[str, float]]:
    """Name the most probable classes of one sample, and their probabilities."""
    (probability,) = estimator.predict_proba(X)
    best = np.argsort(-probability, kind="stable")[:n_classes]
    return [(str(estimator.classes_[i]), float(probability[i])) for i in best]


def as_lines(classes: list[tuple[str, float]]) -> str:
    """Write classes and probabilities, one a line."""
    return "\n".join(f"{name}  {probability:.1%}" for name, probability in classes)
