"""Windows that slide over a series, and what follows each of them."""

from collections.abc import Hashable, Iterable, Mapping
from datetime import date, time, timedelta
from numbers import Integral

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from sknn_basics._compat import Interval, check_feature_names_in, fit_context
from sknn_basics.estimators._base.checks import unchanged_by_failure
from sknn_basics.estimators._base.sequences import is_list_of_sequences
from sknn_basics.estimators._base.timeline import (
    FOR_PANELS,
    check_index,
    column_names,
    is_pandas,
    label,
)
from sknn_basics.training.devices import as_array


class SlidingWindow(TransformerMixin, BaseEstimator):
    """Cut a series into windows, and each window's target out of what follows it.

    With one feature and the defaults, a series s of n values gives n - window pairs
    ``X[i] = s[i : i + window]`` and ``y[i] = s[i + window]``.

    Windows are fewer than the rows they are cut from, so this is no step of a `Pipeline`, whose y
    would keep its length: `split` makes X and y together, and `sknn_basics.Forecaster` does it
    inside of an estimator.

    Parameters
    ----------
    window : int, default=10
        Number of rows of a window.
    step : int, default=1
        Number of rows from one window to the next.
    horizon : int, default=1
        Number of rows that follow a window and are its target, all of them at once.
    target : int, str, array-like of int or str, or None, default=None
        Columns whose next values are the target, by position or by name. None takes all but the
        `exogenous` ones.
    exogenous : int, str, array-like of int or str, or None, default=None
        Columns that are known ahead, such as a calendar or a plan. In a window, they are `horizon`
        rows ahead of the others: its last row holds their values at the last row of the target.
    flatten : bool, default=True
        Whether a window is a row, as most regressors need it, with all features of its first time,
        then all of its second, and so on. If False, it is a sequence of shape
        (window, n_features), as recurrent networks read it.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns of the series.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where all of them are strings.
    target_ : ndarray of shape (n_targets,)
        Positions of the target's columns.
    exogenous_ : ndarray of shape (n_exogenous,)
        Positions of the exogenous columns.

    See Also
    --------
    sknn_basics.Forecaster : Fits any regressor to windows of a series, and forecasts with it.

    Notes
    -----
    The index of a pandas series must ascend without gaps, as that of `sknn_basics.Forecaster`.

    Of a C-contiguous array without `exogenous` columns, windows are a view: they overlap in the
    memory of the series, take none of their own, and cannot be written to.

    References
    ----------
    Box, Jenkins, Reinsel and Ljung. "Time Series Analysis: Forecasting and Control." 5th edition,
    Wiley, 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from sknn_basics.preprocessing import SlidingWindow
    >>> series = np.arange(6)
    >>> X, y = SlidingWindow(window=3).fit(series).split(series)
    >>> X
    array([[0, 1, 2],
           [1, 2, 3],
           [2, 3, 4]])
    >>> y
    array([3, 4, 5])
    """

    _parameter_constraints: dict = {
        "window": [Interval(Integral, 1, None, closed="left")],
        "step": [Interval(Integral, 1, None, closed="left")],
        "horizon": [Interval(Integral, 1, None, closed="left")],
        "target": [Integral, str, "array-like", None],
        "exogenous": [Integral, str, "array-like", None],
        "flatten": ["boolean"],
    }

    def __init__(self, window=10, *, step=1, horizon=1, target=None, exogenous=None, flatten=True):
        self.window = window
        self.step = step
        self.horizon = horizon
        self.target = target
        self.exogenous = exogenous
        self.flatten = flatten

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn which columns are the target and which are exogenous.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, n_features)
            A series, in the order of time; one of one dimension has one feature.
        y : None
            Ignored.

        Returns
        -------
        self : SlidingWindow
            The fitted transformer.

        Raises
        ------
        ValueError
            If the series is shorter than a window with its target, or a column is unknown.
        """
        with unchanged_by_failure(self):
            series = check_series(self, X, reset=True)
            self.target_, self.exogenous_ = split_columns(self, self.target, self.exogenous)
            self._count_windows(series)
        return self

    def transform(self, X):
        """Cut the series into windows.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, n_features)
            A series, in the order of time.

        Returns
        -------
        windows : ndarray of shape (n_windows, window * n_features) or \
                (n_windows, window, n_features)
            All windows that are followed by a whole target:
            ``n_windows = (n_samples - window - horizon) // step + 1``. Rows of a pandas series
            are a DataFrame, each with the index of the first row of its target.

        Raises
        ------
        ValueError
            If the series is shorter than a window with its target.
        """
        check_is_fitted(self)
        series = check_series(self, X, reset=False)
        n_windows = self._count_windows(series)
        rows = window_rows(lead(series, self.exogenous_, self.horizon), self.window)
        rows = rows[:: self.step][:n_windows]
        if not self.flatten:
            return rows.reshape(n_windows, self.window, self.n_features_in_)
        return self._label(rows, X, self.get_feature_names_out())

    def make_target(self, X):
        """Cut what follows each window out of the series.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, n_features)
            A series, in the order of time.

        Returns
        -------
        target : ndarray of shape (n_windows,) or (n_windows, horizon * n_targets)
            What follows each window of `transform`: all targets of the first row, then all of the
            second, and so on. Of a pandas series, it is a Series or a DataFrame, with the index of
            the first of these rows.

        Raises
        ------
        ValueError
            If the series is shorter than a window with its target.
        """
        check_is_fitted(self)
        series = check_series(self, X, reset=False)
        n_windows = self._count_windows(series)
        following = window_rows(series[self.window :, as_slice(self.target_)], self.horizon)
        target = following[:: self.step][:n_windows]
        target = target[:, 0] if target.shape[1] == 1 else target
        return self._label(target, X, self._name_target(X))

    def split(self, X):
        """Make inputs and targets of a supervised regression.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, n_features)
            A series, in the order of time.

        Returns
        -------
        windows, target : tuple of ndarray, or of pandas objects
            What `transform` and `make_target` return.

        Raises
        ------
        ValueError
            If the series is shorter than a window with its target.
        """
        return self.transform(X), self.make_target(X)

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Name the columns of windows that are rows.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of the series; None takes those of `fit`, or x0, x1, ...

        Returns
        -------
        names : ndarray of shape (window * n_features,)
            ``name_lagk`` is what came k rows before the target begins, ``name_lead1`` is at its
            first row.
        """
        check_is_fitted(self)
        names = check_feature_names_in(self, input_features)
        ahead = np.isin(np.arange(len(names)), self.exogenous_) * self.horizon
        return np.array(
            [
                f"{name}_{name_offset(row - self.window + shift)}"
                for row in range(self.window)
                for name, shift in zip(names, ahead, strict=True)
            ],
            dtype=object,
        )

    def _count_windows(self, series: np.ndarray) -> int:
        n_samples, needed = len(series), self.window + self.horizon
        if n_samples < needed:
            raise ValueError(
                f"window={self.window} and horizon={self.horizon} need a series of at least "
                f"{needed} rows, got n_samples={n_samples}."
            )
        return (n_samples - needed) // self.step + 1

    def _name_target(self, X) -> list:
        columns = column_names(X) if is_pandas(X) else range(self.n_features_in_)
        names = [columns[i] for i in self.target_]
        if self.horizon == 1:
            return names
        return [f"{name}_lead{k}" for k in range(1, self.horizon + 1) for name in names]

    def _label(self, values: np.ndarray, X, names):
        """Give values the index of the first row of each target, if the series has an index."""
        if not is_pandas(X):
            return values
        return label(values, X.index[self.window :: self.step][: len(values)], names)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def check_series(estimator, X, *, reset: bool, **options) -> np.ndarray:
    """Check a series, and return it as an array of shape (n_samples, n_features).

    Parameters
    ----------
    estimator : object
        The estimator that reads the series; it learns or checks the features.
    X : array-like of shape (n_samples,) or (n_samples, n_features)
        The series. A named Series of pandas or polars is a frame of one column.
    reset : bool
        Whether the features are learned.
    **options : dict
        Options of `sklearn.utils.check_array`; by default, missing values may be in the series.

    Returns
    -------
    series : ndarray of shape (n_samples, n_features)
        The series, not copied where that is possible.

    Raises
    ------
    ValueError
        If it has more dimensions, no numbers, other features than in `fit`, or an index that goes
        back in time, repeats itself, leaves rows out or has several levels.
    """
    X = as_array(X)
    check_one_series(X, type(estimator).__name__)
    if is_pandas(X):
        check_index(X)
    n_dims = X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim
    if n_dims == 1 and (reset or estimator.n_features_in_ == 1):
        X = X.to_frame() if hasattr(X, "to_frame") else np.asarray(X)[:, None]
    check_no_dates(X)
    options = {"ensure_all_finite": "allow-nan", **options}
    return validate_data(estimator, X, reset=reset, **options)


def check_one_series(X, name: str) -> None:
    """Check that X is not a panel: many series at once.

    Raises
    ------
    ValueError
        If it is a mapping, a list of series, or an array of three dimensions.
    """
    what, shape = None, getattr(X, "shape", ())
    is_mapping = isinstance(X, Mapping) and not shape  # some sparse arrays are mappings
    is_list = isinstance(X, list | tuple) and any(map(is_pandas, X))
    if is_mapping or is_list or is_list_of_sequences(X):
        what = f"a {type(X).__name__} of {len(X)}"
    elif len(shape) > 2:
        what = f"an array of shape {shape}"
    if what is not None:
        raise ValueError(f"{name} takes one series, and {what} looks like several. {FOR_PANELS}")


def check_no_dates(X) -> None:
    """Check that no column holds dates or durations, which would become numbers.

    Raises
    ------
    ValueError
        If one does.
    """
    if not hasattr(X, "columns"):
        dtype = X.dtype if hasattr(X, "dtype") else np.asarray(X).dtype
        if is_temporal(dtype):
            raise ValueError(f"X must hold numbers, got dtype {dtype}.")
        return
    row = [None] * len(X.columns) if not len(X) else X.iloc[0] if is_pandas(X) else X.row(0)
    dates = [
        name
        for name, dtype, value in zip(X.columns, X.dtypes, row)
        if is_temporal(dtype) or isinstance(value, (date, time, timedelta))
    ]
    if dates:
        raise ValueError(
            f"The columns {dates} of X hold dates or durations, which are neither features nor "
            "targets: make them the index of a pandas object, or drop them."
        )


def is_temporal(dtype) -> bool:
    """Tell whether a data type of NumPy, pandas or polars is one of dates, times or durations."""
    if hasattr(dtype, "is_temporal"):
        return dtype.is_temporal()
    return getattr(dtype, "kind", "O") in "mM" or str(dtype).startswith("period")


def split_columns(estimator, target, exogenous) -> tuple[np.ndarray, np.ndarray]:
    """Find the positions of the target's and of the exogenous columns of a fitted estimator.

    Raises
    ------
    ValueError
        If a column is unknown, given twice, both target and exogenous, or no target is left.
    """
    known = [] if exogenous is None else find_columns(estimator, exogenous, "exogenous")
    if target is None:
        columns = [i for i in range(estimator.n_features_in_) if i not in known]
    else:
        columns = find_columns(estimator, target, "target")
    if not columns or set(columns) & set(known):
        raise ValueError(
            "Some column must be a target, and none of these exogenous too, got "
            f"target={target!r} and exogenous={exogenous!r}."
        )
    return np.array(columns, dtype=np.intp), np.array(known, dtype=np.intp)


def find_columns(estimator, columns: Hashable | Iterable, parameter: str) -> list[int]:
    """Find the positions of columns that are given by position or by name.

    Raises
    ------
    ValueError
        If a column is unknown or given twice.
    """
    wanted = [columns] if isinstance(columns, (str, Integral)) else list(columns)
    n_features, names = estimator.n_features_in_, getattr(estimator, "feature_names_in_", [])
    places = {i: i % n_features for i in range(-n_features, n_features)}
    places.update({name: i for i, name in enumerate(names)})
    found = [places.get(column) for column in wanted]
    if None in found or len(set(found)) < len(found):
        described = f", named {list(names)}" if len(names) else ""
        raise ValueError(
            f"{parameter}={columns!r} must give different columns of a series of {n_features}"
            f"{described}."
        )
    return found


def lead(series: np.ndarray, columns: np.ndarray, n_rows: int) -> np.ndarray:
    """Move columns ahead by some rows against the others; drop the last rows if any is moved."""
    if not len(columns):
        return series
    moved = series[:-n_rows].copy()
    moved[:, columns] = series[n_rows:, columns]
    return moved


def window_rows(series: np.ndarray, window: int) -> np.ndarray:
    """View a series of shape (n_samples, n_features) as rows of `window * n_features` values."""
    n_features = series.shape[1]
    # In memory, a window's values are one after the other; a single column may have any stride.
    values = series[:, 0] if n_features == 1 else np.ascontiguousarray(series).ravel()
    return sliding_window_view(values, window * n_features)[::n_features]


def as_slice(columns: np.ndarray):
    """Turn the position of a single column into a slice, which makes a view."""
    return slice(columns[0], columns[0] + 1) if len(columns) == 1 else columns


def name_offset(offset: int) -> str:
    """Name a time by its distance from the first row of the target."""
    return f"lag{-offset}" if offset < 0 else f"lead{offset + 1}"
