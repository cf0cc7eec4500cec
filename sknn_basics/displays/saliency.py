"""Where an output looks in images."""

import numpy as np

from sknn_basics.displays._axes import choose_axes
from sknn_basics.displays.images import (
    GREY,
    as_brightness,
    as_images,
    brightness_range,
    import_pyplot,
)
from sknn_basics.inspection._networks import Subject
from sknn_basics.inspection.saliency import saliency


class SaliencyDisplay:
    """Images, and how much each pixel counts, one below the other.

    Use `from_estimator` to make one.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, 3)
        The images.
    importance : ndarray of shape (n_images, height, width)
        How much each pixel counts, for all channels together.
    names : sequence of str
        What stands above each image.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (2 * n_images,)
        Where they were drawn: the images, then the importance of their pixels, from blue (against)
        over white to red (for).
    figure_ : matplotlib Figure
        What holds the axes.

    See Also
    --------
    sknn_basics.inspection.saliency : The numbers alone.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import ConvNetClassifier
    >>> from sknn_basics.displays import SaliencyDisplay
    >>> digits = load_digits()
    >>> X = digits.images / 16
    >>> model = ConvNetClassifier(filters=(4, 8), max_iter=20, random_state=0).fit(X, digits.target)
    >>> display = SaliencyDisplay.from_estimator(model, X[:3], method="input_x_gradient")
    >>> display.importance.shape
    (3, 8, 8)
    """

    def __init__(self, *, images: np.ndarray, importance: np.ndarray, names):
        self.images = images
        self.importance = importance
        self.names = names

    @classmethod
    def from_estimator(
        cls, estimator, X, y=None, *, data_format: str = "auto", ax=None, **options
    ) -> "SaliencyDisplay":
        """Compute how much pixels count, and draw it.

        Parameters
        ----------
        estimator : estimator, Pipeline or nn.Module
            See `sknn_basics.inspection.saliency`.
        X : array-like of shape (n_images, ...)
            Images, as the estimator takes them.
        y : label, int or array-like of shape (n_images,), default=None
            Whose score is explained; None takes the predicted class, or the only output.
        data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
            Where images have their channels; 'auto' is where the estimator reads them, else last.
        ax : array-like of 2 * n_images matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **options
            Further arguments of `sknn_basics.inspection.saliency`.

        Returns
        -------
        display : SaliencyDisplay
            The drawn display.
        """
        importance = saliency(estimator, X, y, **options)
        data_format, shape = Subject(estimator).describe_images(data_format, None)
        images, counts = (as_images(values, shape, data_format) for values in (X, importance))
        names = y
        if y is None and hasattr(estimator, "predict"):
            names = estimator.predict(X)
        names = np.broadcast_to("" if names is None else names, len(images))
        counts = counts.sum(axis=-1) if counts.ndim == 4 else counts
        return cls(images=images, importance=counts, names=[str(name) for name in names]).plot(ax)

    def plot(self, ax=None) -> "SaliencyDisplay":
        """Draw images and importance.

        Parameters
        ----------
        ax : array-like of 2 * n_images matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : SaliencyDisplay
            This display.
        """
        n_images = len(self.images)
        if ax is None:
            plt = import_pyplot(self)
            size = (1.6 * n_images, 3.6)
            ax = plt.subplots(2, n_images, figsize=size, layout="compressed", squeeze=False)[1]
        self.axes_ = choose_axes(self, ax, 2 * n_images, (2, 2))
        self.figure_ = self.axes_[0].figure
        limits = brightness_range(self.images)
        for i, (image, counts) in enumerate(zip(self.images, self.importance)):
            self.axes_[i].imshow(as_brightness(image, limits), **GREY)
            self.axes_[i].set_title(self.names[i])
            largest = float(np.abs(counts).max()) or 1.0
            self.axes_[n_images + i].imshow(counts, cmap="RdBu_r", vmin=-largest, vmax=largest)
        for axes in self.axes_:
            axes.set(xticks=[], yticks=[])
        return self
