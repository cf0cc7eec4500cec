"""Forecasts of the past, from many origins, and their scores."""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.metrics import get_scorer
from sklearn.utils import check_scalar
from sklearn.utils.parallel import Parallel, delayed

from sknn_basics.estimators._base.timeline import column_names, is_pandas

# What `sklearn.metrics.make_scorer` makes.
SCORER = type(get_scorer("r2"))


@dataclass
class Backtest:
    """Forecasts from many origins along a series, next to what came.

    `backtest` makes one. A step is the distance from the origin, the last row that a forecast
    knows: the first row after it is step 1.

    Parameters
    ----------
    origins : ndarray of shape (n_origins,)
        Positions of the last known rows.
    steps : ndarray of shape (n_steps,)
        The steps, from 1, or from ``gap + 1``.
    true, predicted : ndarray of shape (n_origins, n_steps, n_targets)
        The values of the series and their forecasts; NaN where one is missing.
    n_train : ndarray of shape (n_origins,)
        How many rows the model of each origin was trained on.
    targets : list
        Names of the targets, or their positions.
    index : Index of pandas or None, default=None
        Labels of the series' rows.

    Examples
    --------
    >>> import numpy as np
    >>> from sknn_basics.model_selection import Backtest
    >>> values = np.arange(6.0).reshape(3, 2, 1)  # three origins, two steps, one target
    >>> result = Backtest(
    ...     origins=np.arange(3), steps=np.arange(1, 3), true=values, predicted=values + 1,
    ...     n_train=np.full(3, 1), targets=[0],
    ... )
    >>> result.score(by="step").tolist()
    [-1.0, -1.0]
    """

    origins: np.ndarray
    steps: np.ndarray
    true: np.ndarray
    predicted: np.ndarray
    n_train: np.ndarray
    targets: list
    index: Any = None

    def score(self, scoring="neg_mean_absolute_error", *, by: str | None = None):
        """Score the forecasts.

        Parameters
        ----------
        scoring : str or callable, default='neg_mean_absolute_error'
            A scorer of scikit-learn, by its name or made by `sklearn.metrics.make_scorer`; or a
            metric, ``metric(y_true, y_pred)``.
        by : {'step', 'origin'} or None, default=None
            What has a score of its own; None scores all forecasts together.

        Returns
        -------
        score : float or ndarray of shape (n_steps,) or (n_origins,)
            The score, of what is known and predicted; NaN where nothing is.

        Raises
        ------
        ValueError
            If `by` or the name of a scorer is unknown.
        TypeError
            If `scoring` is neither a name nor callable.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.linear_model import LinearRegression
        >>> from sklearn.metrics import mean_absolute_error
        >>> from sknn_basics import Forecaster
        >>> from sknn_basics.model_selection import backtest
        >>> series = np.arange(60.0) % 12
        >>> result = backtest(Forecaster(LinearRegression(), window=12), series, n_steps=3)
        >>> result.score(mean_absolute_error, by="step").round(6)
        array([0., 0., 0.])
        """
        if by not in (None, "step", "origin"):
            raise ValueError(f"by must be 'step', 'origin' or None, got {by!r}.")
        metric = as_metric(scoring)
        axis = {None: None, "origin": 0, "step": 1}[by]
        if axis is None:
            return score_known(metric, self.true, self.predicted)
        pairs = zip(np.moveaxis(self.true, axis, 0), np.moveaxis(self.predicted, axis, 0))
        return np.array([score_known(metric, *pair) for pair in pairs])

    def label(self, rows):
        """Give the labels of rows of the series, or their positions where it has no index.

        Parameters
        ----------
        rows : ndarray of shape (n_rows,)
            Positions of rows.

        Returns
        -------
        labels : Index of pandas or ndarray of shape (n_rows,)
            Their labels.
        """
        if self.index is None:
            return rows
        return self.index.take(rows)

    def to_frame(self):
        """List all forecasts in a DataFrame of pandas.

        Returns
        -------
        frame : DataFrame
            A row for each origin, step and target, with the columns 'origin' and 'row' (labels of
            the series, or positions), 'step', 'target', 'true' and 'predicted'.
        """
        import pandas as pd

        places = np.indices(self.true.shape)
        origins, steps = self.origins[places[0].ravel()], self.steps[places[1].ravel()]
        names = pd.Index(self.targets)[places[2].ravel()]
        return pd.DataFrame(
            {
                "origin": self.label(origins),
                "row": self.label(origins + steps),
                "step": steps,
                "target": names,
                "true": self.true.ravel(),
                "predicted": self.predicted.ravel(),
            }
        )


def backtest(
    forecaster,
    X,
    *,
    n_steps=None,
    min_train_size=None,
    max_train_size=None,
    stride=1,
    gap=0,
    refit=True,
    n_jobs=None,
    fit_params=None,
) -> Backtest:
    """Forecast from many origins along a series, each from the rows before it alone.

    Parameters
    ----------
    forecaster : Forecaster or search
        An unfitted `sknn_basics.Forecaster`, or a search of scikit-learn around one, which then
        chooses anew in the training rows of every fit.
    X : array-like of shape (n_samples,) or (n_samples, n_features)
        A series, in the order of time.
    n_steps : int, default=None
        Number of rows to forecast from each origin; None is the forecaster's horizon. Beyond it,
        forecasts are fed back.
    min_train_size : int, default=None
        Number of rows before the first origin and with it; None is half of the series.
    max_train_size : int, default=None
        Largest number of rows to train on, the last ones before an origin: a window that slides.
        None trains on all of them, a window that expands.
    stride : int, default=1
        Number of rows from one origin to the next.
    gap : int, default=0
        Number of rows between an origin and the first row that is scored.
    refit : bool or int, default=True
        Whether the model is fitted anew for every origin, or only for the first. A number fits it
        anew after so many origins; in between, the last model forecasts from the newer rows.
    n_jobs : int, default=None
        Number of fits at once, as in joblib. Under ``joblib.parallel_config("stacked")`` networks
        are trained together.
    fit_params : dict, default=None
        Passed to each ``fit``; what has a value for each row of X is cut with it.

    Returns
    -------
    result : Backtest
        All forecasts, next to what came.

    Raises
    ------
    ValueError
        If the series is too short.

    See Also
    --------
    make_forecast_scorer : A scorer of all steps of all origins, for searches.
    sknn_basics.displays.BacktestDisplay : Draws forecasts and scores.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from sknn_basics import Forecaster
    >>> from sknn_basics.datasets import load_sunspots
    >>> from sknn_basics.model_selection import backtest
    >>> result = backtest(
    ...     Forecaster(LinearRegression(), window=9), load_sunspots(), n_steps=3, refit=50
    ... )
    >>> result.predicted.shape
    (153, 3, 1)
    >>> result.score("neg_mean_absolute_error", by="step").round(1)
    array([-12.6, -16.6, -20.1])
    """
    model = getattr(forecaster, "estimator", forecaster)
    model = forecaster if hasattr(forecaster, "forecast") else model
    check_forecaster(model)
    X = X if hasattr(X, "shape") else np.asarray(X)
    n_steps = model.horizon if n_steps is None else n_steps
    n_samples = len(X)
    first = n_samples // 2 if min_train_size is None else min_train_size
    for name, value, least in (
        ("n_steps", n_steps, 1),
        ("min_train_size", first, 1),
        ("stride", stride, 1),
        ("gap", gap, 0),
        ("refit", int(refit), 0),
    ):
        check_scalar(value, name, Integral, min_val=least)
    known_ahead = -(-(gap + n_steps) // model.horizon) * model.horizon
    n_needed = known_ahead if model.exogenous is not None else gap + n_steps
    ends = np.arange(first, n_samples - n_needed + 1, stride)
    if not len(ends):
        raise ValueError(
            f"A series of at least {first + n_needed} rows is needed with min_train_size={first}, "
            f"n_steps={n_steps} and gap={gap}, got n_samples={n_samples}."
        )
    n_of_fit = len(ends) if refit is False else int(refit)
    groups = [ends[start : start + n_of_fit] for start in range(0, len(ends), n_of_fit)]
    lengths = [min(group[0], max_train_size or group[0]) for group in groups]
    parts = Parallel(n_jobs=n_jobs)(
        delayed(forecast_group)(forecaster, X, group, length, gap + n_steps, fit_params or {})
        for group, length in zip(groups, lengths)
    )
    predicted, series, targets = zip(*parts)
    steps = np.arange(gap + 1, gap + n_steps + 1)
    return Backtest(
        origins=ends - 1,
        steps=steps,
        true=series[0][(ends - 1)[:, None] + steps][..., targets[0]],
        predicted=np.concatenate(predicted)[:, gap:],
        n_train=np.repeat(lengths, [len(group) for group in groups]),
        targets=name_targets(X, targets[0]),
        index=X.index if is_pandas(X) else None,
    )


def forecast_group(forecaster, X, ends: np.ndarray, n_train: int, n_steps: int, fit_params: dict):
    """Fit to the rows before the first origin of a group, and forecast from all of them.

    Returns the forecasts, the whole series as an array, and the positions of its targets.
    """
    rows = slice(ends[0] - n_train, ends[0])
    cut = {
        name: take_rows(value, rows) if has_rows(value, len(X)) else value
        for name, value in fit_params.items()
    }
    fitted = clone(forecaster).fit(take_rows(X, rows), **cut)
    fitted = getattr(fitted, "best_estimator_", fitted)
    series = fitted._check(X)
    return fitted._forecast_from(series, ends, n_steps), series, fitted.target_


def make_forecast_scorer(scoring="neg_mean_absolute_error", *, n_steps=None) -> Callable:
    """Make a scorer of all steps of all origins of a series, for searches and cross-validations.

    A scorer of scikit-learn compares one prediction of each row with it. The one that is made here
    compares the forecasts of `n_steps` rows from every row of a test fold, fed back where `n_steps`
    is more than the forecaster's horizon: so candidates of several horizons and windows are
    compared on the same rows and steps. It needs no y.

    Parameters
    ----------
    scoring : str or scorer, default='neg_mean_absolute_error'
        A scorer of scikit-learn, by its name or made by `sklearn.metrics.make_scorer`.
    n_steps : int, default=None
        Number of steps; None is each forecaster's horizon.

    Returns
    -------
    scorer : callable
        ``scorer(forecaster, X, y=None)``.

    Raises
    ------
    TypeError
        If `scoring` is a bare metric, which does not say whether higher values are better.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
    >>> from sknn_basics import Forecaster
    >>> from sknn_basics.datasets import load_sunspots
    >>> from sknn_basics.model_selection import make_forecast_scorer
    >>> search = GridSearchCV(
    ...     Forecaster(LinearRegression(), window=9, follows_training=True),
    ...     {"horizon": [1, 11]},
    ...     scoring=make_forecast_scorer(n_steps=11),
    ...     cv=TimeSeriesSplit(n_splits=4),
    ... )
    >>> search.fit(load_sunspots()).best_params_
    {'horizon': 1}
    """
    if not isinstance(scoring, str | SCORER):
        raise TypeError(
            f"scoring must be the name of a scorer, or what make_scorer makes, got {scoring!r}: "
            "whether higher values of a metric are better, make_scorer knows."
        )
    return ForecastScorer(scoring, n_steps)


@dataclass(frozen=True)
class ForecastScorer:
    """What `make_forecast_scorer` makes."""

    scoring: Any
    n_steps: int | None

    def __call__(self, forecaster, X, y=None, sample_weight=None) -> float:
        if sample_weight is not None:
            raise ValueError("A scorer of all steps takes no sample_weight.")
        forecaster = getattr(forecaster, "best_estimator_", forecaster)
        check_forecaster(forecaster)
        _, predicted, true = forecaster._forecast_along(X, self.n_steps)
        return float(score_known(as_metric(self.scoring), true, predicted))


class Given(BaseEstimator):
    """Predicts what it is given, for scorers, which call an estimator."""

    _estimator_type = "regressor"

    def fit(self, X, y=None):
        """Do nothing."""
        return self

    def predict(self, X):
        """Return what is given."""
        return X

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.estimator_type = "regressor"
        return tags


def as_metric(scoring) -> Callable:
    """Make a function of true and predicted values of a scorer or a metric."""
    if isinstance(scoring, str):
        scoring = get_scorer(scoring)
    if not callable(scoring):
        raise TypeError(f"scoring must be the name of a scorer or callable, got {scoring!r}.")
    if isinstance(scoring, SCORER):
        return lambda true, predicted: scoring(Given(), predicted, true)
    return scoring


def score_known(metric: Callable, true: np.ndarray, predicted: np.ndarray) -> float:
    """Score values of shape (..., n_targets) that are known and predicted; NaN if none is."""
    true, predicted = (a.reshape(-1, a.shape[-1]) for a in (true, predicted))
    known = ~np.isnan(true + predicted).any(axis=1)
    if not known.any():
        return np.nan
    true, predicted = true[known], predicted[known]
    if true.shape[1] == 1:
        true, predicted = true[:, 0], predicted[:, 0]
    return metric(true, predicted)


def check_forecaster(forecaster) -> None:
    """Check that an object forecasts.

    Raises
    ------
    TypeError
        If it does not.
    """
    if not hasattr(forecaster, "predict_steps"):
        raise TypeError(
            f"A sknn_basics.Forecaster is needed, or a search around one, got {forecaster!r}."
        )


def take_rows(X, rows: slice):
    """Take some rows of an array, a tensor or a frame of any library."""
    return X.iloc[rows] if is_pandas(X) else X[rows]


def has_rows(value, n_samples: int) -> bool:
    """Tell whether a value has one element for each row of the series."""
    return hasattr(value, "__len__") and not isinstance(value, str) and len(value) == n_samples


def name_targets(X, columns: np.ndarray) -> list:
    """Name the targets as the series does, or by their positions."""
    if is_pandas(X):
        names = column_names(X)
        return [names[i] for i in columns]
    return columns.tolist()
