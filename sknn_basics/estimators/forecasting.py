"""Any regressor as a forecaster of series."""

import warnings
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array, check_random_state, check_scalar, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from sknn_basics._compat import (
    HasMethods,
    Interval,
    StrOptions,
    check_method_params,
    check_sample_weight,
    fit_context,
    routing_enabled,
)
from sknn_basics.estimators._base.checks import unchanged_by_failure
from sknn_basics.estimators._base.held_out import count_held_out, takes_validation
from sknn_basics.estimators._base.intervals import (
    Draw,
    at_median,
    conformal_bounds,
    quantile_levels,
)
from sknn_basics.estimators._base.levels import Differences, WindowScaling, least_scales
from sknn_basics.estimators._base.timeline import (
    Timeline,
    check_index,
    column_names,
    is_pandas,
    label,
    label_steps,
)
from sknn_basics.estimators._base.types import Int, Ints
from sknn_basics.preprocessing.windows import (
    SlidingWindow,
    check_series,
    split_columns,
    window_rows,
)
from sknn_basics.training.devices import as_array

NUMBERS = {"dtype": np.float64, "ensure_all_finite": "allow-nan"}

# Rows by which a scaler of the user is tried out.
N_TRIED = 100

# Origins that are forecast from at once.
ORIGINS_AT_ONCE = 4096


class Forecaster(MetaEstimatorMixin, BaseEstimator):
    """Forecast a series with any regressor, from windows of its past.

    A series is cut into windows (`sknn_basics.preprocessing.SlidingWindow`), and the regressor
    learns what follows each of them. `predict` looks `horizon` steps ahead all along a series;
    `forecast` continues from its end, with predictions in place of what is not known yet. X is
    always a series, in the order of time; its target is in it, so that y is not needed.

    Parameters
    ----------
    estimator : object
        A regressor of scikit-learn or of this package. With several targets, or a `horizon` of
        several steps, it has to support several outputs: see
        `sklearn.multioutput.MultiOutputRegressor`.
    window : int, default=10
        Number of rows that a prediction is made from.
    step : int, default=1
        Number of rows from one window to the next in training.
    horizon : int, default=1
        Number of next rows that are predicted at once. `predict` and `forecast` continue in blocks
        of this size, and `score` is over all of these steps.
    target : int, str, array-like of int or str, or None, default=None
        Columns to predict, by position or by name. None takes all but the `exogenous` ones.
    exogenous : int, str, array-like of int or str, or None, default=None
        Columns that are known ahead, such as a calendar or a plan: predictions use them up to
        the last predicted row, and `forecast` asks for their future values. Columns that are
        neither target nor exogenous are used up to the row before the first predicted one.
    scaler : {'standard'}, transformer or None, default='standard'
        What scales the series for the regressor, fitted to the training series alone; predictions
        are scaled back. It must scale each row and each column by itself, and have
        ``inverse_transform``. 'standard' is `sklearn.preprocessing.StandardScaler`;
        ``FunctionTransformer(np.log, np.exp)`` suits a series whose seasons grow with its level.
    differences : int or array-like of int, default=()
        Lags of differences that are taken, one after another, of the target's columns after
        `scaler`: 1 takes out a trend, 12 the seasons of months, ``(1, 12)`` both. Predictions,
        forecasts and scores are in the units of the series. Unless `scaler` is None, the
        differences are brought to mean 0 and variance 1. A prediction is made from as many more
        rows as the sum of the lags.
    window_scaling : {'last', 'mean', 'standard'} or None, default=None
        What puts each window, and what follows it, on a scale of its own, so that the regressor
        sees no trend: 'last' and 'mean' subtract the window's last value or mean, 'standard'
        subtracts its mean and divides by its standard deviation. Predictions are scaled back;
        `exogenous` columns stay as they are.
    missing : {'auto', 'drop'}, default='auto'
        What becomes of missing values (NaN). 'auto' hands them on in windows where the regressor
        takes them, as its tags say (`sklearn.ensemble.HistGradientBoostingRegressor`, or a pipeline
        that begins with an imputer), and raises for other regressors. 'drop' trains on complete
        windows alone. What cannot be predicted is NaN, and not scored.
    input : {'auto', 'rows', 'sequences'}, default='auto'
        What the regressor is given: rows of shape (n_windows, window * n_features), or sequences of
        shape (n_windows, window, n_features). 'auto' gives sequences to those whose tags say that
        they read three dimensions.
    follows_training : {'auto'} or bool, default='auto'
        Whether a series given to `predict` or `score` begins right after the training series, as
        the test folds of `sklearn.model_selection.TimeSeriesSplit` do. Then its first predictions
        are made from the last rows of the training series; otherwise its first `window` rows
        have none. 'auto' compares the indices of pandas series; without an index that shows how it
        continues (see `forecast`), it does not follow. True raises an error if the index has a gap.

    Attributes
    ----------
    estimator_ : object
        The fitted regressor.
    scaler_ : object or None
        The fitted scaler.
    windows_ : SlidingWindow
        What cuts the scaled series.
    target_ : ndarray of shape (n_targets,)
        Positions of the target's columns.
    exogenous_ : ndarray of shape (n_exogenous,)
        Positions of the exogenous columns.
    last_window_ : ndarray of shape (n_rows, `n_features_in_`)
        Last rows of the training series: `window`, and as many as the lags of `differences` add up
        to.
    n_features_in_ : int
        Number of columns of the series.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where all of them are strings.
    errors_ : ndarray of shape (n_origins, n_steps, n_targets)
        Errors of forecasts on the scale of `scaler`, after `calibrate`.

    See Also
    --------
    sknn_basics.model_selection.backtest : Forecasts the past, to score forecasts.
    sknn_basics.preprocessing.SlidingWindow : Makes windows and targets alone.

    Notes
    -----
    A search over `window` compares its candidates on the same rows only if test folds are known to
    follow the training folds: by the index of a pandas series, or by ``follows_training=True``.
    Then every row of a fold is predicted, and other metrics work with the series as y too:
    ``cross_val_score(forecaster, s, s, scoring="neg_mean_absolute_error", cv=TimeSeriesSplit())``.
    A fold needs at least `horizon` rows; with ``TimeSeriesSplit(test_size=horizon)`` a metric sees
    each step once a fold.

    The index of a pandas series must show one series without gaps: dates, periods, durations and
    numbers must ascend, differ, and be as far from each other as their frequency says. Where each
    row counts as one step whatever the time between, as trading days do, leave the index
    out (``reset_index(drop=True)``), or give it a frequency that knows the holidays
    (`pandas.offsets.CustomBusinessDay`).

    A regressor with ``early_stopping=True`` whose ``fit`` takes ``X_val``, as those of this package
    do, holds out no windows at random: it is given the last ones, as many as its
    ``validation_fraction`` says, and windows before them that share a value with them are left
    out of the training. For others, a warning says that their held-out windows overlap with the
    training's. A search inside of a Forecaster has this fault, too: search around it.

    References
    ----------
    Bontempi, Ben Taieb and Le Borgne. "Machine learning strategies for time series forecasting."
    Business Intelligence, LNBIP 138 (2013): 62-77.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from sknn_basics import Forecaster
    >>> from sknn_basics.datasets import make_sum_of_sines
    >>> train, test = make_sum_of_sines(200), make_sum_of_sines(50, skip=200)
    >>> forecaster = Forecaster(LinearRegression(), window=4).fit(train)
    >>> forecaster.predict(test)[:6].round(2)
    array([  nan,   nan,   nan,   nan, -2.71, -2.73])
    >>> bool(abs(forecaster.forecast(50) - test).max() < 1e-3)
    True
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict"])],
        "window": [Interval(Integral, 1, None, closed="left")],
        "step": [Interval(Integral, 1, None, closed="left")],
        "horizon": [Interval(Integral, 1, None, closed="left")],
        "target": [Integral, str, "array-like", None],
        "exogenous": [Integral, str, "array-like", None],
        "scaler": [
            StrOptions({"standard"}),
            HasMethods(["fit", "transform", "inverse_transform"]),
            None,
        ],
        "differences": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "window_scaling": [StrOptions({"last", "mean", "standard"}), None],
        "missing": [StrOptions({"auto", "drop"})],
        "input": [StrOptions({"auto", "rows", "sequences"})],
        "follows_training": [StrOptions({"auto"}), "boolean"],
    }

    def __init__(
        self,
        estimator: Any,
        window: Int = 10,
        *,
        step: Int = 1,
        horizon: Int = 1,
        target: Any = None,
        exogenous: Any = None,
        scaler: Any = "standard",
        differences: Ints = (),
        window_scaling: str | None = None,
        missing: str = "auto",
        input: str = "auto",
        follows_training: bool = "auto",
    ):
        self.estimator = estimator
        self.window = window
        self.step = step
        self.horizon = horizon
        self.target = target
        self.exogenous = exogenous
        self.scaler = scaler
        self.differences = differences
        self.window_scaling = window_scaling
        self.missing = missing
        self.input = input
        self.follows_training = follows_training

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, *, X_val=None, **fit_params):
        """Fit scaler and regressor to a series.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, n_features)
            A series, in the order of time; one of one dimension has one feature.
        y : None or array-like of shape (n_samples,) or (n_samples, n_targets)
            Ignored if it is the target's columns of X, as metrics of scikit-learn need them in
            a cross-validation. Anything else is refused: what is known ahead belongs to X, as
            columns that `exogenous` names.
        X_val : array-like of shape (n_val,) or (n_val, n_features), default=None
            A series to validate on after every epoch, for a regressor whose ``fit`` takes ``X_val``
            and ``y_val``: both are cut out of it. If it follows the training series (see
            `follows_training`), its first windows begin there. None leaves the choice
            to the regressor; one with ``early_stopping=True`` gets the last windows of X.
        **fit_params : dict
            Passed to the regressor's ``fit``, by metadata routing if that is enabled. Of what has
            one value a row of the series, such as ``sample_weight``, each window gets the value of
            the first row that it predicts.

        Returns
        -------
        self : Forecaster
            The fitted forecaster.

        Raises
        ------
        ValueError
            If the series is shorter than a window with its target, has missing values that neither
            the regressor nor `missing` allows, has an index that goes back in time, repeats itself
            or leaves rows out, lacks a column, or is too short to hold out windows; if `y` is not
            the target; or if `scaler` does not scale each row and each column by itself.
        """
        with unchanged_by_failure(self):
            self._fit(X, y, X_val, fit_params)
        return self

    def _fit(self, X, y, X_val, fit_params: dict) -> None:
        series = self._read(X, reset=True)
        self.target_, self.exogenous_ = split_columns(self, self.target, self.exogenous)
        self._check_y(y, series)
        self._differences_ = Differences(check_lags(self.differences))
        self._check_training_length(len(series))
        scaled = self._fit_scales(series)
        inputs, target, rows = self._cut(scaled, self.step)
        self.last_window_ = series[-self._n_past :].copy()
        self._timeline_ = Timeline(X) if is_pandas(X) else None
        fit_params = self._route(fit_params)
        validation = self._cut_validation(X_val, fit_params)
        n_val = 0 if X_val is not None else count_held_out(self.estimator, len(rows))
        if n_val:
            validation = {"X_val": inputs[-n_val:], "y_val": target[-n_val:]}
            if fit_params.get("sample_weight") is not None:
                weight = check_sample_weight(fit_params["sample_weight"], series)
                validation["sample_weight_val"] = weight[rows[-n_val:]]
            rows = rows[: self._count_before(rows, n_val)]
        fit_params = check_method_params(X, fit_params, indices=rows)
        self.estimator_ = clone(self.estimator).fit(
            inputs[: len(rows)], target[: len(rows)], **fit_params, **validation
        )
        # Errors of another model say nothing.
        self.__dict__.pop("errors_", None)

    def predict(self, X):
        """Predict each row of a series from the rows before it, `horizon` rows at once.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, n_features)
            A series, in the order of time.

        Returns
        -------
        prediction : ndarray of shape (n_samples,) or (n_samples, n_targets)
            The prediction of each row. It is NaN for the first `window` rows (and those that
            `differences` need), unless they follow the training series (see `follows_training`),
            and where the window has missing values. The rows after them are predicted in
            blocks of `horizon`, each from the window before the block; where the last block
            would go beyond the end, what it lacks is predicted by one that ends with the series.
            So metrics see all steps of the horizon. Of a pandas series, it is a Series or a
            DataFrame with its index.

        Raises
        ------
        ValueError
            If there is no window with a whole horizon after it.
        """
        series = self._check(X)
        first, ahead = self._predict_ahead(X, series)
        rows = np.arange(len(series) - first)
        begin = np.minimum(rows // self.horizon * self.horizon, len(ahead) - 1)
        values = np.full((len(series), len(self.target_)), np.nan)
        values[first:] = ahead[begin, rows - begin]
        if is_pandas(X):
            return label(values, X.index, self._target_names(column_names(X)))
        return values[:, 0] if values.shape[1] == 1 else values

    def score(self, X, y=None, sample_weight=None) -> float:
        """Compute R² of the predictions from all windows of a series.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, n_features)
            A series, in the order of time.
        y : None or array-like of shape (n_samples,) or (n_samples, n_targets)
            Ignored if it is the target's columns of X; anything else is refused.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; a window has that of the first row that it predicts.

        Returns
        -------
        score : float
            R² of the target, averaged over several: one minus the squared errors of all steps of
            all windows, over the squared deviations of the same values from their mean.

        Raises
        ------
        ValueError
            If there is no window with a whole horizon after it, or a single value to score.
        """
        series = self._check(X)
        self._check_y(y, series)
        first, ahead = self._predict_ahead(X, series)
        n_windows, horizon, n_targets = ahead.shape
        if n_windows * horizon == 1:
            raise ValueError(
                "R² of a single value is not defined: score at least two rows (test_size=2), or "
                "choose another metric (scoring='neg_mean_absolute_error' with the series as y)."
            )
        true = window_rows(series[first:, self.target_], horizon).reshape(-1, n_targets)
        predicted = ahead.reshape(-1, n_targets)
        known = ~np.isnan(true + predicted).any(axis=1)
        if known.sum() < 2:
            raise ValueError("R² needs two rows at least that are known and predicted.")
        if sample_weight is not None:
            weight = check_sample_weight(sample_weight, series, ensure_non_negative=True)
            sample_weight = np.repeat(weight[first:][:n_windows], horizon)[known]
        return r2_score(true[known], predicted[known], sample_weight=sample_weight)

    def predict_steps(self, X, n_steps=None):
        """Predict several steps ahead from every row of a series: all forecasts of all origins.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, n_features)
            A series, in the order of time.
        n_steps : int, default=None
            Number of steps from each origin; None is `horizon`. Beyond `horizon`, predictions are
            fed back, as `forecast` does, so that forecasters of any horizon are comparable.

        Returns
        -------
        prediction : ndarray of shape (n_origins, n_steps) or (n_origins, n_steps, n_targets)
            The forecasts from each row that is the last one of a window and followed by `n_steps`
            more (rounded up to whole horizons, with `exogenous` columns). If X follows the training
            series (see `follows_training`), the first ones begin at the first row of X. Of a
            pandas series, it is a DataFrame: a row for each origin, by the label of its first
            predicted row, and a column for each step, or for each step and target.

        Raises
        ------
        ValueError
            If there is no window with all steps after it, or a needed future value is not in X.
        """
        rows, values, _ = self._forecast_along(X, n_steps)
        if is_pandas(X):
            names = self._target_names(column_names(X))
            return label_steps(values, X.index[rows], names)
        return values[:, :, 0] if values.shape[2] == 1 else values

    def _forecast_along(self, X, n_steps=None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Forecast from each row of a series.

        Returns the first rows that are forecast, the forecasts, and the true values, of shape
        (n_origins, n_steps, n_targets).
        """
        series = self._check(X)
        n_steps = self.horizon if n_steps is None else n_steps
        check_scalar(n_steps, "n_steps", Integral, min_val=1)
        past = self.last_window_ if self._follows_training(X) else series[:0]
        first = self._n_past - len(past)
        n_needed = self._count_rows(n_steps) if len(self.exogenous_) else n_steps
        rows = np.arange(first, len(series) - n_needed + 1)
        if not len(rows):
            raise ValueError(self._explain_length(len(series), first, n_needed))
        whole = np.concatenate([past, series])
        values = self._forecast_from(whole, rows + len(past), n_steps)
        return rows, values, series[rows[:, None] + np.arange(n_steps)][..., self.target_]

    def forecast(self, n_steps=1, *, history=None, exogenous=None):
        """Forecast what follows a series, each block of steps from the forecasts before it.

        Parameters
        ----------
        n_steps : int, default=1
            Number of rows to forecast.
        history : array-like of shape (n_samples,) or (n_samples, n_features), default=None
            The series to continue from, of at least `window` rows (and those that `differences`
            need); None continues from the end of the
            training series.
        exogenous : array-like of shape (n_rows,) or (n_rows, n_exogenous), default=None
            Next values of the exogenous columns: in their order, or with their names in a pandas
            DataFrame. `n_rows` is at least `n_steps` rounded up to a multiple of `horizon`.

        Returns
        -------
        forecast : ndarray of shape (n_steps,) or (n_steps, n_targets)
            The forecast. Where the series is one of pandas, it is a Series or a DataFrame whose
            index continues: dates that have or show a frequency, periods, and evenly spaced
            numbers do so by themselves. Otherwise it is the index of `exogenous`, or counts
            ``steps_ahead`` from 1.

        Raises
        ------
        ValueError
            If `history` is too short, its last rows have missing values that the regressor does
            not take, a needed future value is missing, `exogenous` does not begin
            where the series ends or has an index that does not continue row by row, or the forecast
            diverges.
        """
        check_is_fitted(self)
        check_scalar(n_steps, "n_steps", Integral, min_val=1)
        self._check_known_ahead(n_steps)
        past, timeline = self._find_past(history)
        n_rows = self._count_rows(n_steps)
        future = self._check_exogenous(exogenous, n_rows)
        values = self._run_freely(past[None], future[None])[0, :n_steps]
        if timeline is not None:
            index = timeline.following(n_rows, exogenous if is_pandas(exogenous) else None)
            return label(values, index[:n_steps], self._target_names(timeline.columns))
        return values[:, 0] if values.shape[1] == 1 else values

    def calibrate(self, result):
        """Learn from forecasts of the past how wrong forecasts are, for intervals.

        Parameters
        ----------
        result : Backtest
            What `sknn_basics.model_selection.backtest` made of a forecaster like this one, with
            models that had not seen what they forecast.

        Returns
        -------
        self : Forecaster
            The fitted forecaster, which keeps the errors as ``errors_``. They are on the scale of
            `scaler`: relative ones, with that of a logarithm.

        Raises
        ------
        ValueError
            If `result` has a gap, or other targets.
        """
        check_is_fitted(self)
        n_targets = len(self.target_)
        if result.steps[0] != 1 or result.true.shape[2] != n_targets:
            raise ValueError(
                f"result must have {n_targets} targets and no gap, got {result.true.shape[2]} "
                f"targets and first step {result.steps[0]}."
            )
        self.errors_ = self._scale_target(result.true) - self._scale_target(result.predicted)
        return self

    def forecast_interval(self, n_steps=1, *, coverage=0.9, history=None, exogenous=None):
        """Forecast what follows a series, with bounds that hold a share of what will come.

        The bounds of each step are the forecast and the quantiles of the errors that `calibrate`
        has found at this step (split conformal prediction), whatever the regressor.

        Parameters
        ----------
        n_steps : int, default=1
            Number of rows to forecast; those of `calibrate` at most.
        coverage : float in (0, 1), default=0.9
            Share of values that shall be between the bounds, at each step.
        history : array-like of shape (n_samples,) or (n_samples, n_features), default=None
            As in `forecast`.
        exogenous : array-like of shape (n_rows,) or (n_rows, n_exogenous), default=None
            As in `forecast`.

        Returns
        -------
        lower, upper : ndarray of shape (n_steps,) or (n_steps, n_targets)
            The bounds, in the form that `forecast` returns.

        Raises
        ------
        ValueError
            If `calibrate` was not called, or has too few errors for the coverage or the steps.
        """
        check_scalar(coverage, "coverage", Real, min_val=0, max_val=1, include_boundaries="neither")
        errors = self._errors_of(n_steps)
        point = self.forecast(n_steps, history=history, exogenous=exogenous)
        scaled = self._scale_target(np.asarray(point).reshape(n_steps, -1))
        bounds = []
        for bound in conformal_bounds(errors[:, :n_steps], coverage):
            values = self._unscale(scaled + bound).reshape(np.shape(point))
            if is_pandas(point):
                values = label(values, point.index, column_names(point))
            bounds.append(values)
        return tuple(bounds)

    def sample_paths(
        self, n_steps=1, n_paths=100, *, history=None, exogenous=None, random_state=None
    ) -> np.ndarray:
        """Draw courses that a series may take: each block continues from what was drawn before.

        A regressor that predicts several quantiles (``quantile=[0.05, 0.5, 0.95]``) is drawn from
        between them. To predictions of others, errors that `calibrate` has found in the first
        `horizon` steps are added, those of one origin together. Quantiles of the paths are
        intervals; those of predicted quantiles that are fed back are none.

        Parameters
        ----------
        n_steps : int, default=1
            Number of rows of each path.
        n_paths : int, default=100
            Number of paths.
        history : array-like of shape (n_samples,) or (n_samples, n_features), default=None
            As in `forecast`.
        exogenous : array-like of shape (n_rows,) or (n_rows, n_exogenous), default=None
            As in `forecast`.
        random_state : int, RandomState instance or None, default=None
            Source of the draws.

        Returns
        -------
        paths : ndarray of shape (n_paths, n_steps) or (n_paths, n_steps, n_targets)
            The paths.

        Raises
        ------
        ValueError
            If the regressor predicts no quantiles and `calibrate` was not called.
        """
        check_is_fitted(self)
        check_scalar(n_steps, "n_steps", Integral, min_val=1)
        check_scalar(n_paths, "n_paths", Integral, min_val=1)
        self._check_known_ahead(n_steps)
        past, _ = self._find_past(history)
        future = self._check_exogenous(exogenous, self._count_rows(n_steps))
        past, future = (np.repeat(values[None], n_paths, axis=0) for values in (past, future))
        draw = self._make_draw(check_random_state(random_state))
        paths = self._run_freely(past, future, draw)[:, :n_steps]
        return paths[:, :, 0] if paths.shape[2] == 1 else paths

    def get_metadata_routing(self) -> MetadataRouter:
        """Tell which metadata go where.

        Returns
        -------
        routing : MetadataRouter
            ``fit`` hands metadata to the regressor's ``fit``; ``score`` takes its own.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(estimator=self.estimator, method_mapping=mapping)
        )

    # Errors of forecasts.

    def _errors_of(self, n_steps: int) -> np.ndarray:
        check_is_fitted(self)
        check_scalar(n_steps, "n_steps", Integral, min_val=1)
        errors = getattr(self, "errors_", None)
        if errors is None:
            raise ValueError(
                "The errors of forecasts are not known: call calibrate with the result of "
                "sknn_basics.model_selection.backtest."
            )
        if n_steps > errors.shape[1]:
            raise ValueError(
                f"n_steps={n_steps} is more than the {errors.shape[1]} steps of the backtest that "
                "calibrate was given."
            )
        return errors

    def _make_draw(self, rng) -> Draw:
        levels = quantile_levels(self.estimator_)
        if levels is not None:
            return Draw(rng, levels=levels)
        errors = self._errors_of(self.horizon)[:, : self.horizon]
        known = ~np.isnan(errors).any(axis=(1, 2))
        return Draw(rng, errors=errors[known])

    def _scale_target(self, values: np.ndarray) -> np.ndarray:
        """Scale targets of shape (..., n_targets)."""
        whole = np.zeros((*values.shape[:-1], self.n_features_in_))
        whole[..., self.target_] = values
        return self._scale(whole)[..., self.target_]

    # Windows and scales.

    def _reads_sequences(self) -> bool:
        if self.input == "auto":
            return get_tags(self.estimator).input_tags.three_d_array
        return self.input == "sequences"

    @property
    def _n_past(self) -> int:
        """Number of rows that a prediction is made from."""
        return self.window + self._differences_.n_rows

    def _count_rows(self, n_steps: int) -> int:
        """Count the rows of as many blocks as make some steps."""
        return -(-n_steps // self.horizon) * self.horizon

    def _make_scaler(self):
        return StandardScaler() if self.scaler == "standard" else clone_or_none(self.scaler)

    def _scale(self, series: np.ndarray) -> np.ndarray:
        """Scale rows, of shape (..., n_features)."""
        if self.scaler_ is None:
            return series
        rows = series.reshape(-1, series.shape[-1])
        return np.asarray(self.scaler_.transform(rows)).reshape(series.shape)

    def _fit_scales(self, series: np.ndarray) -> np.ndarray:
        """Learn all scales, and what cuts windows; return the series by `scaler`."""
        self.scaler_ = self._make_scaler()
        scaled = self._fit_scaler(series)
        self._shift_, self._unit_ = np.zeros(self.n_features_in_), np.ones(self.n_features_in_)
        taken = self._take(scaled)
        if self._differences_.n_rows and self.scaler_ is not None:
            spread = np.nanstd(taken[:, self.target_], axis=0)
            self._shift_[self.target_] = np.nanmean(taken[:, self.target_], axis=0)
            self._unit_[self.target_] = np.where(spread > 0, spread, 1.0)
            taken = self._take(scaled)
        is_scaled = ~np.isin(np.arange(self.n_features_in_), self.exogenous_)
        self._window_scaling_ = WindowScaling(self.window_scaling, is_scaled, least_scales(taken))
        self.windows_ = SlidingWindow(
            self.window,
            horizon=self.horizon,
            target=self.target_,
            exogenous=self.exogenous_,
            flatten=not self._reads_sequences(),
        ).fit(taken)
        return scaled

    def _take(self, scaled: np.ndarray) -> np.ndarray:
        """Take differences of scaled rows, of shape (..., n_samples, n_features)."""
        if not self._differences_.n_rows:
            return scaled
        return (self._differences_.take(scaled, self.target_) - self._shift_) / self._unit_

    def _cut(self, scaled: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Cut windows and targets that can be learned from; tell the row each target begins at."""
        inputs, target = self.windows_.split(self._take(scaled))
        inputs, centre, scale = self._scale_windows(inputs[::step])
        target = target[::step]
        if self.window_scaling is not None:
            shaped = target.reshape(len(target), self.horizon, -1)
            target = ((shaped - centre) / scale).reshape(target.shape)
        rows = self._n_past + step * np.arange(len(inputs))
        known = self._can_predict(inputs) & ~np.isnan(target.reshape(len(target), -1)).any(axis=1)
        if known.all():
            return inputs, target, rows
        if not known.any():
            raise ValueError(
                f"None of {len(known)} windows with their targets is complete: missing values are "
                f"in all of them. Fill them, or choose less than window={self.window}."
            )
        return inputs[known], target[known], rows[known]

    def _scale_windows(self, inputs: np.ndarray):
        """Scale windows by themselves; return what is subtracted and divided by, for the target."""
        if self.window_scaling is None:
            return inputs, 0.0, 1.0
        windows = inputs.reshape(len(inputs), self.window, -1)
        centre, scale = self._window_scaling_.find(windows)
        scaled = ((windows - centre) / scale).reshape(inputs.shape)
        return scaled, centre[..., self.target_], scale[..., self.target_]

    def _can_predict(self, inputs: np.ndarray) -> np.ndarray:
        """Tell which windows the regressor can be given."""
        missing = np.isnan(inputs.reshape(len(inputs), -1))
        return ~(missing.all(axis=1) if self._passes_missing() else missing.any(axis=1))

    def _passes_missing(self) -> bool:
        return self.missing == "auto" and takes_missing(self.estimator)

    def _fit_scaler(self, series) -> np.ndarray:
        """Fit the scaler, and scale the series with it."""
        if self.scaler_ is None:
            return series
        self.scaler_.fit(series)
        scaled = np.asarray(self.scaler_.transform(series))
        if scaled.shape != series.shape:
            raise ValueError(
                f"scaler={self.scaler!r} must keep the shape {series.shape} of a series, "
                f"got {scaled.shape}."
            )
        if self.scaler != "standard":
            self._try_scaler(series[-N_TRIED:], scaled[-N_TRIED:])
        return scaled

    def _try_scaler(self, series: np.ndarray, scaled: np.ndarray) -> None:
        """Check that every other row of the target is scaled, and back, as it is among all rows."""
        columns = self.target_
        whole = np.asarray(self.scaler_.inverse_transform(scaled))[:, columns]
        alone = self._scale(series[1::2]), self._unscale(scaled[1::2, columns])
        if not (is_close(alone[0], scaled[1::2]) and is_close(alone[1], whole[1::2])):
            raise ValueError(
                f"scaler={self.scaler!r} must scale each row and each column by itself, in "
                "transform and inverse_transform: a forecast has no other rows to be scaled back "
                "with. differences and window_scaling take trends out."
            )
        known = ~np.isnan(series[:, columns]).any(axis=1)
        true, whole = series[known][:, columns], whole[known]
        if not len(true):
            return
        error, spread = np.square(whole - true).mean(axis=0), true.var(axis=0)
        if (error > spread + 1e-9 * np.square(true).mean(axis=0)).any():
            raise ValueError(
                f"inverse_transform of scaler={self.scaler!r} does not give the series back: "
                "a FunctionTransformer needs inverse_func."
            )

    def _unscale(self, target: np.ndarray) -> np.ndarray:
        """Scale back targets of any shape that ends with their number."""
        if self.scaler_ is None:
            return target
        rows = target.reshape(-1, target.shape[-1])
        known = ~np.isnan(rows).any(axis=1)
        values = np.full(rows.shape, np.nan)
        whole = np.zeros((known.sum(), self.n_features_in_))
        if len(whole):
            whole[:, self.target_] = rows[known]
            values[known] = np.asarray(self.scaler_.inverse_transform(whole))[:, self.target_]
        return values.reshape(target.shape)

    # What the regressor is given.

    def _check_y(self, y, series: np.ndarray) -> None:
        """Check that y is nothing but the target."""
        if y is None:
            return
        values, target = np.asarray(as_array(y)), series[:, self.target_]
        if values.size == target.size and are_equal(values.reshape(target.shape), target):
            return
        message = (
            f"y must be None, or the target's {self._describe(self.target_)} of X, got another "
            f"{type(y).__name__} of shape {values.shape}. What is known ahead belongs to X, as "
            "columns that the parameter exogenous names."
        )
        if hasattr(y, "columns") or hasattr(y, "name") or not is_labels(values):
            raise ValueError(message)
        # scikit-learn's tools, and its checks of estimators, hand labels to anything.
        warnings.warn(message, stacklevel=5)

    def _route(self, fit_params: dict) -> dict:
        """Choose what the regressor's fit is given besides windows and targets."""
        if routing_enabled():
            return process_routing(self, "fit", **fit_params).estimator.fit
        return fit_params

    def _cut_validation(self, X_val, fit_params: dict) -> dict:
        """Cut windows and targets out of a series to validate on."""
        if not {"y_val", "sample_weight_val"}.isdisjoint(fit_params):
            raise ValueError(
                "y_val and sample_weight_val must be left out: X_val is a series, and its windows "
                "and targets are cut out of it."
            )
        if X_val is None:
            return {}
        if not takes_validation(self.estimator):
            raise ValueError(
                "X_val needs a regressor whose fit takes X_val and y_val, as that of "
                f"sknn_basics.MLPRegressor, got {type(self.estimator).__name__}."
            )
        try:
            series = self._read(X_val, reset=False)
            past = self.last_window_ if self._follows_training(X_val) else series[:0]
            X_val, y_val, _ = self._cut(self._scale(np.concatenate([past, series])), step=1)
        except ValueError as error:
            raise ValueError(f"In X_val: {error}") from error
        return {"X_val": X_val, "y_val": y_val}

    def _count_before(self, rows: np.ndarray, n_val: int) -> int:
        """Count those of the first windows that share no value with the last ones."""
        first_held_out = rows[-n_val] - self._n_past if n_val < len(rows) else 0
        n_train = int((rows[:-n_val] + self.horizon <= first_held_out).sum())
        if n_train < 1:
            raise ValueError(
                f"No window is left to train on: the last ones are held out, and window="
                f"{self.window} and horizon={self.horizon} rows before them are left out, so that "
                "no value is in both. Give a longer series, a smaller validation_fraction, "
                "or early_stopping=False."
            )
        return n_train

    # Predictions.

    def _check(self, X) -> np.ndarray:
        check_is_fitted(self)
        return self._read(X, reset=False)

    def _read(self, X, reset: bool) -> np.ndarray:
        """Read a series, and check that its missing values are taken."""
        series = check_series(self, X, reset=reset, **NUMBERS)
        if self.missing == "auto" and not self._passes_missing():
            check_complete(series, self.estimator)
        empty = np.flatnonzero(np.isnan(series).all(axis=0)) if reset else []
        if len(empty):
            raise ValueError(
                f"No window is complete: missing values are all that {self._describe(empty)} hold."
            )
        return series

    def _check_training_length(self, n_samples: int) -> None:
        needed = self._n_past + self.horizon
        if self._differences_.n_rows and n_samples < needed:
            raise ValueError(
                f"window={self.window}, horizon={self.horizon} and "
                f"differences={self.differences!r} need a series of at least {needed} rows, got "
                f"n_samples={n_samples}."
            )

    def _follows_training(self, X) -> bool:
        shows_index = is_pandas(X) and self._timeline_ is not None
        if self.follows_training != "auto":
            if self.follows_training and shows_index:
                self._timeline_.check_followed_by(X.index)
            return bool(self.follows_training)
        return shows_index and self._timeline_.is_followed_by(X.index)

    def _predict_ahead(self, X, series: np.ndarray) -> tuple[int, np.ndarray]:
        """Predict from all windows of a series that a whole horizon follows.

        Returns the first row that can be predicted, and predictions of the `horizon` rows from
        there on and from each later row, an array of shape (n_windows, horizon, n_targets).
        """
        past = self.last_window_ if self._follows_training(X) else series[:0]
        first = self._n_past - len(past)
        if len(series) < first + self.horizon:
            raise ValueError(self._explain_length(len(series), first, self.horizon))
        return first, self._predict_windows(np.concatenate([past, series]))

    def _target_names(self, columns: list) -> list:
        return [columns[i] for i in self.target_]

    def _explain_length(self, n_samples: int, first: int, n_ahead: int) -> str:
        remedy = "In a cross-validation, set test_size of TimeSeriesSplit."
        if first and self.follows_training is not True:
            remedy = (
                "If it begins right after the training series, as test folds of TimeSeriesSplit "
                "do, set follows_training=True."
            )
        return (
            f"A series of at least {first + n_ahead} rows is needed with "
            f"window={self.window} and horizon={self.horizon}, got n_samples={n_samples}. {remedy}"
        )

    def _predict_windows(self, series: np.ndarray) -> np.ndarray:
        """Predict what follows each window, an array of shape (n_windows, horizon, n_targets)."""
        scaled = self._scale(series)
        inputs = self.windows_.transform(self._take(scaled))
        past, n_before = scaled[:, self.target_], self._differences_.n_rows
        if n_before:
            past = sliding_window_view(past, n_before, axis=0)[self.window :][: len(inputs)]
            past = np.moveaxis(past, 2, 1)
        return self._unscale(self._regress(inputs, past))

    def _regress(self, inputs: np.ndarray, past: np.ndarray, draw=None) -> np.ndarray:
        """Predict what follows windows, on the scale of `scaler`; NaN where that is not possible.

        Parameters
        ----------
        inputs : ndarray of shape (n_windows, ...)
            Windows of differences.
        past : ndarray of shape (n_windows, n_rows, n_targets)
            Rows before the first predicted one, by which differences are undone.
        draw : Draw or None
            Draws from what may follow; None predicts it.
        """
        inputs, centre, scale = self._scale_windows(inputs)
        known = self._can_predict(inputs)
        predicted = np.full((len(inputs), self.horizon, len(self.target_)), np.nan)
        if known.any():
            values = self.estimator_.predict(inputs if known.all() else inputs[known])
            values = np.asarray(values, dtype=np.float64)
            levels = quantile_levels(self.estimator_)
            if levels is not None:
                values = at_median(values, levels) if draw is None else draw.between(values)
            predicted[known] = values.reshape(-1, *predicted.shape[1:])
        differences = predicted * scale + centre
        differences = differences * self._unit_[self.target_] + self._shift_[self.target_]
        values = self._differences_.undo(differences, past)
        return values if draw is None else draw.around(values)

    # Forecasts.

    def _forecast_from(self, series: np.ndarray, origins: np.ndarray, n_steps: int) -> np.ndarray:
        """Forecast from several origins, an array of shape (n_origins, n_steps, n_targets).

        An origin is the number of rows that are known; exogenous columns are known after it too.
        """
        self._check_known_ahead(n_steps)
        n_rows = self._count_rows(n_steps)
        parts = []
        for start in range(0, len(origins), ORIGINS_AT_ONCE):
            some = origins[start : start + ORIGINS_AT_ONCE, None]
            past = series[some + np.arange(-self._n_past, 0)]
            ahead = np.minimum(some + np.arange(n_rows), len(series) - 1)
            future = series[ahead][..., self.exogenous_]
            parts.append(self._run_freely(past, future)[:, :n_steps])
        return np.concatenate(parts)

    def _run_freely(self, past: np.ndarray, future: np.ndarray, draw=None) -> np.ndarray:
        """Predict block by block, each from the rows before it and the blocks before it.

        Parameters
        ----------
        past : ndarray of shape (n_origins, n_past, n_features)
            Rows before each origin.
        future : ndarray of shape (n_origins, n_rows, n_exogenous)
            Exogenous columns after them; `n_rows` are whole blocks.
        draw : Draw or None
            Draws from what may follow; None predicts it.

        Returns
        -------
        forecast : ndarray of shape (n_origins, n_rows, n_targets)
            NaN where the windows have missing values.
        """
        n_past, n_rows, h = past.shape[1], future.shape[1], self.horizon
        rows = np.concatenate([past, np.repeat(past[:, -1:], n_rows, axis=1)], axis=1)
        rows[:, n_past:, self.exogenous_] = future
        scaled = self._scale(rows)
        for start in range(0, n_rows, h):
            end = start + n_past
            block = self._unscale(self._predict_block(scaled[:, start : end + h], draw))
            if np.isinf(block).any():
                raise ValueError(f"The forecast diverged after {start} steps.")
            rows[:, end : end + h, self.target_] = block
            scaled[:, end : end + h] = self._scale(rows[:, end : end + h])
        return rows[:, n_past:, self.target_]

    def _predict_block(self, scaled: np.ndarray, draw=None) -> np.ndarray:
        """Predict the last `horizon` rows of several pieces of a series, on the scale of these.

        Parameters
        ----------
        scaled : ndarray of shape (n_pieces, n_past + horizon, n_features)
            Of the last rows, only the exogenous columns are read.
        """
        taken = self._take(scaled)
        inputs = taken[:, : self.window].copy()
        inputs[..., self.exogenous_] = taken[:, self.horizon :, :][..., self.exogenous_]
        if self.windows_.flatten:
            inputs = inputs.reshape(len(inputs), -1)
        past = scaled[:, self.window : self._n_past, :][..., self.target_]
        return self._regress(inputs, past, draw)

    def _find_past(self, history) -> tuple[np.ndarray, Timeline | None]:
        """Find the rows that a forecast continues from, and their timeline if they have one."""
        past, timeline = self.last_window_, self._timeline_
        if history is not None:
            past, timeline = self._check(history), None
            timeline = Timeline(history) if is_pandas(history) else None
        if len(past) < self._n_past:
            needed = f"window={self.window} rows"
            if self._differences_.n_rows:
                needed += f" and {self._differences_.n_rows} that differences need"
            raise ValueError(f"history must have at least {needed}, got {len(past)}.")
        past = past[-self._n_past :]
        if np.isnan(past).any() and not self._passes_missing():
            raise ValueError(
                f"The last {self._n_past} rows, which the forecast is made from, have missing "
                "values: fill them, or give a history that ends with complete rows."
            )
        return past, timeline

    def _check_known_ahead(self, n_steps: int) -> None:
        known = {*self.target_, *self.exogenous_}
        unknown = [i for i in range(self.n_features_in_) if i not in known]
        if unknown and n_steps > self.horizon:
            raise ValueError(
                f"n_steps={n_steps} is more than horizon={self.horizon}, but the next values of "
                f"{self._describe(unknown)} are neither predicted nor known: add them to target or "
                "to exogenous, or make the horizon longer."
            )

    def _describe(self, columns) -> str:
        names = getattr(self, "feature_names_in_", range(self.n_features_in_))
        return f"columns {[names[i] for i in columns]}"

    def _check_exogenous(self, exogenous, n_rows: int) -> np.ndarray:
        """Check future values of exogenous columns, an array of shape (n_rows, n_exogenous)."""
        n_columns = len(self.exogenous_)
        if (exogenous is None) != (n_columns == 0):
            wanted = f"{n_rows} rows of {self._describe(self.exogenous_)}" if n_columns else "None"
            raise ValueError(f"exogenous must be {wanted}, got {type(exogenous).__name__}.")
        if exogenous is None:
            return np.empty((n_rows, 0))
        if is_pandas(exogenous):
            check_index(exogenous, "exogenous")
        if hasattr(exogenous, "columns") and hasattr(self, "feature_names_in_"):
            exogenous = pick(exogenous, self.feature_names_in_[self.exogenous_])
        values = check_array(exogenous, dtype=np.float64, ensure_2d=False, input_name="exogenous")
        values = values[:, None] if values.ndim == 1 else values
        if len(values) < n_rows or values.shape[1] != n_columns:
            raise ValueError(
                f"exogenous must have at least {n_rows} rows of {n_columns} columns, "
                f"got shape {values.shape}."
            )
        return values[:n_rows]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimator_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing == "drop" or takes_missing(self.estimator)
        return tags


def check_lags(differences) -> list[int]:
    """Read the lags of differences.

    Raises
    ------
    ValueError
        If one is no whole number above 0.
    """
    lags = [differences] if isinstance(differences, Integral) else list(differences)
    if not all(isinstance(lag, Integral) and lag > 0 for lag in lags):
        raise ValueError(f"The lags of differences={differences!r} must be whole numbers above 0.")
    return lags


def takes_missing(estimator) -> bool:
    """Tell whether a regressor takes missing values, as tags say.

    Those of pipelines and searches do not tell: it is up to what is inside of them.
    """
    for name in ("regressor", "estimator"):  # of a target's transformer, or of a search
        inner = getattr(estimator, name, None)
        if hasattr(inner, "fit") and not isinstance(inner, type):
            return takes_missing(inner)
    for _, step in getattr(estimator, "steps", ()):
        if step in (None, "passthrough"):
            continue
        if not takes_missing(step):
            return False
        if "Imputer" in type(step).__name__:
            return True
    return bool(getattr(estimator, "steps", ())) or get_tags(estimator).input_tags.allow_nan


def check_complete(series: np.ndarray, estimator) -> None:
    """Check that a series has no missing values.

    Raises
    ------
    ValueError
        If it has.
    """
    rows = np.flatnonzero(np.isnan(series).any(axis=1))
    if len(rows):
        raise ValueError(
            f"Input X contains NaN in {len(rows)} of {len(series)} rows, the first is row "
            f"{rows[0]}, and {type(estimator).__name__} takes none. Set missing='drop' to leave "
            "out windows that have some; or fill them before; or choose a regressor that takes "
            "them, such as HistGradientBoostingRegressor or a pipeline with an imputer first."
        )


def are_equal(values: np.ndarray, expected: np.ndarray) -> bool:
    """Tell whether arrays of one shape have the same values, missing ones included."""
    return bool(((values == expected) | ((values != values) & np.isnan(expected))).all())


def clone_or_none(estimator):
    """Clone an estimator, unless there is none."""
    return None if estimator is None else clone(estimator)


def pick(frame, names):
    """Pick columns of a data frame by name.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise ValueError(f"exogenous lacks the columns {missing}, it has {list(frame.columns)}.")
    return frame[list(names)]


def is_close(values: np.ndarray, expected: np.ndarray) -> bool:
    """Tell whether values are the expected ones but for rounding, on the scale of these."""
    scale = np.abs(expected).max(initial=0)
    return np.allclose(values, expected, rtol=1e-6, atol=1e-8 * scale, equal_nan=True)


def is_labels(values: np.ndarray) -> bool:
    """Tell whether an array may be labels of classes: one dimension, and no fractions."""
    return values.ndim == 1 and not (values.dtype.kind == "f" and (values % 1).any())
