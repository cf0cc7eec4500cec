"""Where reconstructions differ from samples."""

import numpy as np
from scipy.sparse import issparse

from sknn_basics.estimators._base.transformers import mean_r2
from sknn_basics.training.devices import as_array


def reconstruction_error(model, X) -> np.ndarray:
    """Compute the squared error of each value's reconstruction.

    Parameters
    ----------
    model : estimator
        Fitted transformer with `inverse_transform`: an autoencoder, a pipeline that ends in one,
        `PCA`; or a search or an outlier detector of one.
    X : array-like of shape (n_samples, ...)
        Samples, as the model takes them.

    Returns
    -------
    error : ndarray of the shape of X
        Squared differences: of images, a map of what is anomalous; of tables, which columns are.
        After a scaler of the pipeline, they are in the squared units of X.

    See Also
    --------
    sknn_basics.displays.AnomalyMapDisplay : Draw it, for images.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sknn_basics import AutoencoderOutlierDetector
    >>> from sknn_basics.inspection import reconstruction_error
    >>> X, _ = load_iris(return_X_y=True)
    >>> detector = AutoencoderOutlierDetector(random_state=0).fit(X)
    >>> reconstruction_error(detector, [[5.0, 3.4, 5.5, 0.2]]).shape
    (1, 4)
    """
    model = find_transformer(model)
    restored = as_array(model.inverse_transform(model.transform(X)))
    X = as_array(X)
    X = np.asarray(X.toarray() if issparse(X) else X, dtype=float)
    return np.square(np.asarray(restored, dtype=float).reshape(X.shape) - X)


def explained_variance(model, X, y=None, sample_weight=None) -> float:
    """Compute the share of the variance of samples that reconstructions explain.

    Searches take it as ``scoring=explained_variance``. The shares of the features, R², are averaged
    over those that vary. They are the same in every unit: models after different scalers compare,
    as their `score`, a squared error in units of the scaled X, does not.

    Parameters
    ----------
    model : estimator
        Fitted transformer with `inverse_transform`: an autoencoder, a pipeline that ends in one,
        `PCA`; or a search or an outlier detector of one.
    X : array-like of shape (n_samples, ...)
        Samples, as the model takes them.
    y : Ignored
        Not used, present for consistency with scorers.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples.

    Returns
    -------
    share : float
        1 for perfect reconstructions, 0 for means of the features; NaN if no feature varies.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from sknn_basics.inspection import explained_variance
    >>> X, _ = load_iris(return_X_y=True)
    >>> round(explained_variance(PCA(4).fit(X), X), 6)
    1.0
    """
    model = find_transformer(model)
    restored = as_array(model.inverse_transform(model.transform(X)))
    return mean_r2(as_array(X), restored, sample_weight)


def find_transformer(model):
    """Find what restores samples: itself, or what a search or an outlier detector has fitted.

    Raises
    ------
    TypeError
        If it cannot.
    """
    while not hasattr(model, "inverse_transform"):
        parts = [n for n in ("best_estimator_", "estimator_", "estimator") if hasattr(model, n)]
        if not parts:
            raise TypeError(
                "model must have transform and inverse_transform, or be a fitted search or outlier "
                f"detector of what has, got {type(model).__name__}."
            )
        model = getattr(model, parts[0])
    return model
