"""Scores of outlier detectors with their threshold, and where images are anomalous."""

import numpy as np
from sklearn.utils import check_consistent_length

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
from sknn_basics.inspection.errors import reconstruction_error

# How many interquartile ranges below the median scores are drawn.
FARTHEST = 20


class OutlierScoreDisplay:
    """Histogram of the scores of samples, with the threshold below which they are outliers.

    Use `from_estimator` or `from_predictions` to make one. Unless the edges of bins are given, the
    first bin also counts what lies more than 20 interquartile ranges below the median.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        Scores, which are low for outliers.
    threshold : float or None, default=None
        What scores of outliers are below; None draws none.
    labels : ndarray of shape (n_samples,) or None, default=None
        True labels, of which each gets a histogram of its own; None draws one of all samples.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    counts_ : dict of label to ndarray of shape (n_bins,)
        Number of samples in each bin, by label; by None, if there are no labels.
    line_ : matplotlib Line2D or None
        The threshold.

    See Also
    --------
    AnomalyMapDisplay : Where images are anomalous.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknn_basics import AutoencoderOutlierDetector
    >>> from sknn_basics.displays import OutlierScoreDisplay
    >>> X, _ = load_iris(return_X_y=True)
    >>> detector = AutoencoderOutlierDetector(contamination=0.1, random_state=0).fit(X)
    >>> display = OutlierScoreDisplay.from_estimator(detector, X)
    >>> float(display.line_.get_xdata()[0]) == detector.offset_
    True
    """

    def __init__(self, *, scores, threshold: float | None = None, labels=None):
        self.scores = scores
        self.threshold = threshold
        self.labels = labels

    @classmethod
    def from_estimator(
        cls, estimator, X, y=None, *, bins=50, ax=None, threshold: float | None = None
    ) -> "OutlierScoreDisplay":
        """Score samples, and draw their histogram.

        Parameters
        ----------
        estimator : estimator
            Fitted estimator with `score_samples`: an outlier detector, or an autoencoder.
        X : array-like of shape (n_samples, ...)
            Samples, as the estimator takes them.
        y : array-like of shape (n_samples,), default=None
            True labels, whatever they are.
        bins : int, str or array-like of shape (n_bins + 1,), default=50
            See `numpy.histogram_bin_edges`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        threshold : float, default=None
            The threshold; None takes the estimator's `offset_`, if it has one.

        Returns
        -------
        display : OutlierScoreDisplay
            The drawn display.
        """
        if threshold is None:
            threshold = getattr(estimator, "offset_", None)
        scores = estimator.score_samples(X)
        return cls.from_predictions(scores, y, threshold=threshold, bins=bins, ax=ax)

    @classmethod
    def from_predictions(
        cls, scores, y=None, *, threshold: float | None = None, bins=50, ax=None
    ) -> "OutlierScoreDisplay":
        """Draw the histogram of given scores, such as decisions of ``cross_val_predict``.

        Parameters
        ----------
        scores : array-like of shape (n_samples,)
            Scores, which are low for outliers.
        y : array-like of shape (n_samples,), default=None
            True labels, whatever they are.
        threshold : float, default=None
            The threshold; None draws none.
        bins : int, str or array-like of shape (n_bins + 1,), default=50
            See `numpy.histogram_bin_edges`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : OutlierScoreDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the numbers of scores and labels differ.
        """
        check_consistent_length(scores, y)
        labels = None if y is None else np.asarray(y)
        display = cls(scores=np.asarray(scores, dtype=float), threshold=threshold, labels=labels)
        return display.plot(ax, bins=bins)

    def plot(self, ax=None, *, bins=50) -> "OutlierScoreDisplay":
        """Draw the histogram.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        bins : int, str or array-like of shape (n_bins + 1,), default=50
            See `numpy.histogram_bin_edges`.

        Returns
        -------
        display : OutlierScoreDisplay
            This display.
        """
        self.ax_ = choose_ax(self, ax, (6, 3.5))
        self.figure_ = self.ax_.figure
        shown = bring_in(self.scores) if np.ndim(bins) == 0 else self.scores
        edges = np.histogram_bin_edges(shown, bins)
        groups = {None: shown}
        if self.labels is not None:
            groups = {k: shown[self.labels == k] for k in np.unique(self.labels).tolist()}
        self.counts_ = {}
        for label, scores in groups.items():
            name = None if label is None else str(label)
            self.counts_[label] = self.ax_.hist(scores, edges, alpha=0.6, label=name)[0]
        self.line_ = None
        if self.threshold is not None:
            name = f"threshold {self.threshold:.3g}"
            self.line_ = self.ax_.axvline(self.threshold, color="black", ls="--", label=name)
        # A few outliers among many samples are to be seen.
        self.ax_.set(xlabel="Score (outliers on the left)", ylabel="Samples", yscale="log")
        if self.labels is not None or self.line_ is not None:
            self.ax_.legend()
        return self


def bring_in(scores: np.ndarray) -> np.ndarray:
    """Raise scores of outliers that are so low that all others would be drawn as one bar."""
    first, middle, third = np.percentile(scores, [25, 50, 75])
    return np.maximum(scores, middle - FARTHEST * (third - first)) if third > first else scores


class AnomalyMapDisplay:
    """Images, and below them where an autoencoder restores them badly.

    Use `from_estimator` to make one.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, 3)
        The images.
    errors : ndarray of shape (n_images, height, width)
        Squared error of each pixel, the mean of its colours.
    masks : ndarray of bool of shape (n_images, height, width) or None, default=None
        What is known to be anomalous, which is outlined; None outlines nothing.
    titles : list of str or None, default=None
        Text above each image.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (2 * n_images,)
        Those of the images, then those of the maps.
    figure_ : matplotlib Figure
        What holds the axes.
    maps_ : list of matplotlib AxesImage
        The maps, on one scale of colours.
    colorbar_ : matplotlib Colorbar
        That of the maps.

    See Also
    --------
    ReconstructionDisplay : The reconstructions themselves.
    sknn_basics.inspection.reconstruction_error : What is drawn.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sknn_basics.displays import AnomalyMapDisplay
    >>> X, _ = load_digits(return_X_y=True)
    >>> damaged = X[:3].copy()
    >>> damaged[:, :3] = 16
    >>> display = AnomalyMapDisplay.from_estimator(PCA(20).fit(X), damaged)
    >>> display.errors.shape
    (3, 8, 8)
    """

    def __init__(self, *, images, errors, masks=None, titles: list[str] | None = None):
        self.images = images
        self.errors = errors
        self.masks = masks
        self.titles = titles

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        masks=None,
        *,
        n_images: int = 6,
        image_shape: tuple[int, ...] | None = None,
        data_format: str = "auto",
        ax=None,
    ) -> "AnomalyMapDisplay":
        """Reconstruct the first images, and draw their errors.

        Parameters
        ----------
        estimator : estimator
            Fitted outlier detector, autoencoder, pipeline that ends in one, or `PCA`. Above the
            images of one that predicts stands whether they are outliers.
        X : array-like of shape (n_samples, ...)
            Images, or rows of their pixels, as the estimator takes them.
        masks : array-like of shape (n_samples, height, width), default=None
            What is known to be anomalous: not 0.
        n_images : int, default=6
            How many of them, from the first.
        image_shape : tuple of int, default=None
            Shape of an image whose pixels are a row of X; None takes rows for grey squares.
        data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
            Where images have their channels; 'auto' is last, if an image has three dimensions.
        ax : array-like of 2 * n_images matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : AnomalyMapDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If X holds no images, masks are of another size, or a number is not positive.
        """
        check_count(n_images, "n_images")
        X = safe_indexing(X, slice(n_images))
        images, errors = (
            as_images(values, image_shape, data_format)
            for values in (X, reconstruction_error(estimator, X))
        )
        errors = errors.mean(axis=-1) if errors.ndim == 4 else errors
        if masks is not None:
            masks = np.asarray(masks)[:n_images] != 0
            if masks.shape != errors.shape:
                raise ValueError(
                    f"masks must have shape {errors.shape}, one for each image, got {masks.shape}."
                )
        titles = None
        if hasattr(estimator, "offset_"):
            names = {-1: "outlier", 1: "inlier"}
            titles = [names[label] for label in estimator.predict(X)]
        return cls(images=images, errors=errors, masks=masks, titles=titles).plot(ax)

    def plot(self, ax=None) -> "AnomalyMapDisplay":
        """Draw images and maps.

        Parameters
        ----------
        ax : array-like of 2 * n_images matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : AnomalyMapDisplay
            This display.
        """
        n_images = len(self.images)
        if ax is None:
            plt = import_pyplot(self)
            size = (1.6 * n_images + 0.6, 3.6)
            ax = plt.subplots(2, n_images, figsize=size, layout="compressed", squeeze=False)[1]
        self.axes_ = choose_axes(self, ax, 2 * n_images, (2, 2))
        self.figure_ = self.axes_[0].figure
        pictures, maps = self.axes_[:n_images], self.axes_[n_images:]
        limits, largest = brightness_range(self.images), float(self.errors.max()) or 1.0
        for i, axes in enumerate(pictures):
            axes.imshow(as_brightness(self.images[i], limits), **GREY)
            axes.set_title("" if self.titles is None else self.titles[i])
        self.maps_ = [
            axes.imshow(error, cmap="inferno", vmin=0, vmax=largest)
            for axes, error in zip(maps, self.errors)
        ]
        for axes in self.axes_:
            axes.set(xticks=[], yticks=[])
        self._outline()
        self.colorbar_ = self.figure_.colorbar(self.maps_[-1], ax=list(maps), label="Squared error")
        return self

    def _outline(self) -> None:
        if self.masks is None:
            return
        for i, axes in enumerate(self.axes_):
            mask = self.masks[i % len(self.masks)]
            if mask.any() and not mask.all():
                axes.contour(mask, levels=[0.5], colors="cyan", linewidths=1)
