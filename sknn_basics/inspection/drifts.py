"""Whether new rows are like those of a fit."""

from numbers import Real

import numpy as np
from scipy.stats import chi2_contingency, ks_2samp
from sklearn.utils import Bunch, check_scalar


def drift(X_fit, X_new, *, alpha: float = 0.05) -> Bunch:
    """Compare the columns of new rows with those that a model was fitted to.

    Numbers are compared by the test of Kolmogorov and Smirnov, labels by that of chi-squared;
    the p-values are corrected for the number of columns by Holm's method.

    Parameters
    ----------
    X_fit, X_new : array-like or data frame of shape (n_rows, n_features)
        Rows of the fit, and new ones. Samples of more dimensions are compared value by value.
    alpha : float in (0, 1), default=0.05
        Probability of at least one false alarm, if nothing has changed.

    Returns
    -------
    result : Bunch
        ``statistic`` (the largest difference of both distribution functions, or Cramér's V),
        ``p_value`` (corrected) and ``drifted`` (whether it is below `alpha`), each of shape
        (n_features,); ``names`` of the columns.

    Raises
    ------
    ValueError
        If the numbers of columns differ, or there are no rows.

    References
    ----------
    Rabanser, Günnemann and Lipton. "Failing loudly: an empirical study of methods for detecting
    dataset shift." NeurIPS 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknn_basics.inspection import drift
    >>> X, _ = load_iris(return_X_y=True)
    >>> found = drift(X[::2], X[1::2] + [0, 0, 1, 0])
    >>> found.drifted
    array([False, False,  True, False])
    """
    check_scalar(alpha, "alpha", Real, min_val=0, max_val=1, include_boundaries="neither")
    names, before = columns_of(X_fit)
    _, after = columns_of(X_new)
    if len(before) != len(after):
        raise ValueError(f"X_fit has {len(before)} columns, X_new has {len(after)}.")
    tests = [compare(a, b) for a, b in zip(before, after)]
    statistic, p_value = (np.array(values) for values in zip(*tests))
    p_value = holm(p_value)
    return Bunch(statistic=statistic, p_value=p_value, drifted=p_value < alpha, names=names)


def columns_of(X) -> tuple[list, list[np.ndarray]]:
    """List the columns of a table, and their names or numbers.

    Raises
    ------
    ValueError
        If there are no rows.
    """
    if hasattr(X, "columns"):
        names = list(X.columns)
        columns = [np.asarray(X[name]) for name in names]
    else:
        X = np.asarray(X)
        columns = list(X.reshape(len(X), -1).T) if len(X) else []
        names = list(range(len(columns)))
    if not columns or not len(columns[0]):
        raise ValueError("There are no rows to compare.")
    return names, columns


def compare(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """Test whether two samples are of one distribution; return the statistic and the p-value."""
    if before.dtype.kind in "iufb" and after.dtype.kind in "iufb":
        before, after = (values[~np.isnan(values.astype(float))] for values in (before, after))
        if not len(before) or not len(after):
            return np.nan, 1.0
        found = ks_2samp(before, after)
        return float(found.statistic), float(found.pvalue)
    before, after = before.astype(str), after.astype(str)
    labels = np.unique([*before, *after])
    counts = np.array([[np.sum(values == label) for label in labels] for values in (before, after)])
    if len(labels) < 2:
        return 0.0, 1.0
    found = chi2_contingency(counts)
    return float(np.sqrt(found.statistic / counts.sum())), float(found.pvalue)


def holm(p_value: np.ndarray) -> np.ndarray:
    """Correct p-values for their number."""
    order = np.argsort(p_value)
    factors = np.arange(len(p_value), 0, -1)
    corrected = np.minimum(1, np.maximum.accumulate(p_value[order] * factors))
    return corrected[np.argsort(order)]
