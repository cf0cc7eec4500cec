"""Pixels as numbers that networks like."""

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from sknn_basics._compat import StrOptions, fit_context
from sknn_basics.estimators._base.checks import check_numeric, check_range, unchanged_by_failure

BYTES = (0, 255)


class PixelScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Map pixels from [0, 255] to [0, 1] or any other range, whatever values there are.

    In contrast to `sklearn.preprocessing.MinMaxScaler`, nothing is learned: the same pixel always
    becomes the same number.

    Parameters
    ----------
    feature_range : tuple (min, max), default=(0, 1)
        What `pixel_range` is mapped to; (-1, 1) suits tanh. Values outside `pixel_range` are
        mapped alike, to values outside.
    pixel_range : tuple (min, max), default=(0, 255)
        Range of the pixels.
    dtype : {'float32', 'float64'}, default='float32'
        Data type of the result.

    Attributes
    ----------
    n_features_in_ : int
        Number of features, where X has two dimensions.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has names that are all strings.

    See Also
    --------
    sklearn.preprocessing.MinMaxScaler : Learns the range of each feature.

    References
    ----------
    LeCun, Bottou, Orr and Müller. "Efficient BackProp." Neural Networks: Tricks of the Trade
    (1998): 9-50.

    Examples
    --------
    >>> import numpy as np
    >>> from sknn_basics.preprocessing import PixelScaler
    >>> images = np.array([[[0, 51], [204, 255]]], dtype=np.uint8)
    >>> scaled = PixelScaler(feature_range=(-1, 1)).transform(images)
    >>> scaled.tolist()
    [[[-1.0, -0.6000000238418579], [0.6000000238418579, 1.0]]]
    >>> PixelScaler(feature_range=(-1, 1)).inverse_transform(scaled).tolist()
    [[[0, 51], [204, 255]]]
    """

    _parameter_constraints: dict = {
        "feature_range": ["array-like"],
        "pixel_range": ["array-like"],
        "dtype": [StrOptions({"float32", "float64"})],
    }

    def __init__(self, feature_range=(0, 1), *, pixel_range=BYTES, dtype="float32"):
        self.feature_range = feature_range
        self.pixel_range = pixel_range
        self.dtype = dtype

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Only check parameters and X.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Pixels, in two or more dimensions.
        y : Ignored
            Not used.

        Returns
        -------
        self : object
            The transformer.
        """
        self._ranges()
        with unchanged_by_failure(self):
            self._check(X, reset=True)
        return self

    def transform(self, X) -> np.ndarray:
        """Map pixels to features.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Pixels, in two or more dimensions.

        Returns
        -------
        X_scaled : ndarray of the shape of X
            A new array of type `dtype`.
        """
        pixels, features = self._ranges()
        return self._map(self._check(X), pixels, features)

    def inverse_transform(self, X) -> np.ndarray:
        """Map features back to pixels.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Features, in two or more dimensions.

        Returns
        -------
        X_pixels : ndarray of the shape of X
            With a `pixel_range` of (0, 255), bytes that can be shown: rounded, and clipped to it.
            With any other, an array of type `dtype`, neither rounded nor clipped.
        """
        pixels, features = self._ranges()
        X = self._map(self._check(X), features, pixels)
        if pixels != BYTES:
            return X
        return np.rint(X, out=X).clip(*BYTES, out=X).astype(np.uint8)

    def _ranges(self) -> tuple[tuple, tuple]:
        """Check both ranges, and return that of pixels first."""
        ranges = []
        for name in ("pixel_range", "feature_range"):
            values = tuple(getattr(self, name))
            numbers = len(values) == 2 and all(isinstance(value, Real) for value in values)
            if not numbers or not np.isfinite(values).all() or not values[0] < values[1]:
                raise ValueError(f"{name} must be two numbers (min, max), min < max, got {values}.")
            ranges.append(values)
        return tuple(ranges)

    def _check(self, X, reset: bool = False) -> np.ndarray:
        if not hasattr(X, "shape"):
            X = np.asarray(X)
        # Of images, scikit-learn would take the height for the number of features.
        if len(X.shape) > 2:
            X = check_array(X, allow_nd=True, estimator=self, input_name="X")
        else:
            X = validate_data(self, X, reset=reset)
        check_numeric(X, "X")
        check_range(X, self.dtype, "X")
        return X

    def _map(self, X: np.ndarray, source: tuple, target: tuple) -> np.ndarray:
        X = X.astype(self.dtype)
        X -= source[0]
        # One division, so that both ends are met exactly.
        X /= (source[1] - source[0]) / (target[1] - target[0])
        X += target[0]
        return X

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = []
        return tags
