"""Filters with fixed weights, matched with every place of an image."""

from collections.abc import Iterator
from numbers import Integral, Real

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_array

from sknn_basics._compat import Interval, StrOptions, fit_context
from sknn_basics.estimators._base.checks import as_size, check_numeric

# Values below all places of the filters, copied at once: few enough to stay in a cache.
CHUNK_VALUES = 2**19


class FilterBank(TransformerMixin, BaseEstimator):
    """Convolve images with given filters: tell how well each place matches each of them.

    What a convolutional layer computes, with weights that are chosen by hand and never learned.
    As there, filters are not mirrored (the operation is a cross-correlation).

    Parameters
    ----------
    filters : array-like of shape (n_filters, height, width) or (n_filters, height, width, \
n_channels)
        Weights. Those of images with channels have a last dimension for them, whatever
        `data_format` is. NaN is a cell that does not matter, as 0 is.
    threshold : float, array-like of shape (n_filters,), 'all' or None, default=None
        Matches of at least so much become 1, all others 0; one for all filters, or one for each.
        'all' is the sum of a filter's positive weights: of images of zeros and ones, places match
        where every cell with a positive weight is 1 and every one with a negative weight is 0.
        None returns the matches themselves.
    pool_size : int or tuple (height, width), default=1
        The largest match of each window of so many places is returned, as by max pooling. Windows
        do not overlap; what is left at the lower and right edges is a smaller one.
    padding : {'valid', 'same'}, default='valid'
        'valid' matches a filter where it lies within the image; 'same' puts zeros around the
        image, so that maps have its size.
    data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
        Where images have their channels. 'auto' reads samples of two dimensions as grey images,
        those of three as channels last.

    References
    ----------
    Leung and Malik. "Representing and recognizing the visual appearance of materials using
    three-dimensional textons." International Journal of Computer Vision 43 (2001): 29-44.

    Examples
    --------
    How yellow each pixel of a photo is, by a filter of 1 x 1: red and green, and no blue.

    >>> import numpy as np
    >>> from sklearn.datasets import load_sample_image
    >>> from sknn_basics.preprocessing import FilterBank
    >>> yellowness = np.reshape([1, 1, -1], (1, 1, 1, 3))
    >>> photo = load_sample_image("flower.jpg")
    >>> FilterBank(yellowness, threshold=300).transform([photo]).shape
    (1, 427, 640, 1)

    Where there is a white vertical stripe, one pixel wide:

    >>> stripe = [[[-1, 1, -1], [-1, 1, -1], [-1, 1, -1]]]
    >>> image = np.eye(5)[[2, 2, 2, 0, 0]]
    >>> FilterBank(stripe, threshold=3).transform([image])[0, :, :, 0]
    array([[0., 1., 0.],
           [0., 0., 0.],
           [0., 0., 0.]])
    """

    _parameter_constraints: dict = {
        "filters": ["array-like"],
        "threshold": [
            Interval(Real, None, None, closed="neither"),
            "array-like",
            StrOptions({"all"}),
            None,
        ],
        "pool_size": ["array-like", Interval(Integral, 1, None, closed="left")],
        "padding": [StrOptions({"valid", "same"})],
        "data_format": [StrOptions({"auto", "channels_last", "channels_first", "no_channels"})],
    }

    def __init__(
        self, filters, *, threshold=None, pool_size=1, padding="valid", data_format="auto"
    ):
        self.filters = filters
        self.threshold = threshold
        self.pool_size = pool_size
        self.padding = padding
        self.data_format = data_format

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Only check parameters and X.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width), (n_samples, height, width, \
n_channels) or (n_samples, n_channels, height, width)
            Images.
        y : Ignored
            Not used.

        Returns
        -------
        self : object
            The transformer.
        """
        self._check(X)
        return self

    def transform(self, X) -> np.ndarray:
        """Match the filters with every place of the images.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width), (n_samples, height, width, \
n_channels) or (n_samples, n_channels, height, width)
            Images.

        Returns
        -------
        maps : ndarray of shape (n_samples, map_height, map_width, n_filters)
            Matches, or 0 and 1 with a `threshold`; of shape (n_samples, n_filters, map_height,
            map_width) for images with channels first. float64 for X of float64, else float32.

        Raises
        ------
        ValueError
            If filters and images do not fit: another number of channels, or filters that are
            larger than the images.
        """
        X, weights = self._check(X)
        maps = np.concatenate([self._match(part, weights) for part in _chunks(X, weights)])
        if self.threshold is not None:
            maps = (maps >= self._thresholds(weights)).astype(maps.dtype)
        maps = _largest_of_windows(maps, as_size(self.pool_size, 2, "pool_size"))
        return np.moveaxis(maps, -1, 1) if self.data_format == "channels_first" else maps

    def _check(self, X) -> tuple[np.ndarray, np.ndarray]:
        """Check X and filters; return images with channels last, and weights of four dimensions."""
        X = check_array(X, allow_nd=True, ensure_2d=False, estimator=self, input_name="X")
        check_numeric(X, "X")
        X = self._with_channels_last(X)
        weights = check_array(
            self.filters,
            dtype=np.float64,
            allow_nd=True,
            ensure_2d=False,
            ensure_all_finite="allow-nan",
            input_name="filters",
        )
        weights = np.nan_to_num(weights, nan=0.0)
        if weights.ndim == 3:
            weights = weights[..., None]
        if weights.ndim != 4 or weights.shape[-1] != X.shape[-1]:
            raise ValueError(
                f"filters of shape {np.shape(self.filters)} do not fit images of {X.shape[-1]} "
                "channels: (n_filters, height, width, n_channels) is needed."
            )
        if self.padding == "valid" and np.any(np.less(X.shape[1:3], weights.shape[1:3])):
            raise ValueError(
                f"filters of {weights.shape[1:3]} are larger than the images of {X.shape[1:3]}: "
                "set padding='same', or choose smaller ones."
            )
        return X, weights.astype(np.float64 if X.dtype == np.float64 else np.float32)

    def _thresholds(self, weights: np.ndarray) -> np.ndarray:
        """Compute the least match of each filter; what only rounding keeps below it matches."""
        if isinstance(self.threshold, str):
            thresholds = weights.clip(min=0).sum(axis=(1, 2, 3))
        else:
            thresholds = np.asarray(self.threshold, dtype=weights.dtype)
        if thresholds.shape not in ((), (len(weights),)):
            raise ValueError(
                f"threshold must be one number or one for each of the {len(weights)} filters, got "
                f"shape {thresholds.shape}."
            )
        return thresholds - np.abs(thresholds) * weights[0].size * np.finfo(weights.dtype).eps

    def _with_channels_last(self, X: np.ndarray) -> np.ndarray:
        has_channels = self.data_format.startswith("channels")
        n_dims = {3, 4} if self.data_format == "auto" else {3 + has_channels}
        if X.ndim not in n_dims or 0 in X.shape:
            raise ValueError(
                f"X of shape {X.shape} holds no images of data_format={self.data_format!r}."
            )
        if X.ndim == 3:
            return X[..., None]
        return np.moveaxis(X, 1, -1) if self.data_format == "channels_first" else X

    def _match(self, X: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Compute the maps of a few images."""
        X = X.astype(weights.dtype)
        size = weights.shape[1:3]
        if self.padding == "same":
            X = np.pad(X, ((0, 0), *map(_around, size), (0, 0)))
        windows = sliding_window_view(X, size, axis=(1, 2))
        return np.tensordot(windows, weights, axes=([4, 5, 3], [1, 2, 3]))

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _largest_of_windows(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pool maps of shape (n_samples, height, width, n_filters)."""
    for axis, width in zip((1, 2), size):
        maps = np.maximum.reduceat(maps, range(0, maps.shape[axis], width), axis=axis)
    return maps


def _around(length: int) -> tuple[int, int]:
    """Tell how many zeros stand before and after an image, for maps of its size."""
    return (length - 1) // 2, length // 2


def _chunks(X: np.ndarray, weights: np.ndarray) -> Iterator[np.ndarray]:
    """Cut images into parts that are filtered at once."""
    n_images = max(1, CHUNK_VALUES // (X[0].size * weights[0, ..., 0].size))
    return (X[start : start + n_images] for start in range(0, len(X), n_images))
