"""Any regressor as a forecaster of series."""

import warnings
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array, check_scalar, get_tags
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
from sknn_basics.estimators._base.timeline import (
    Timeline,
    check_index,
    column_names,
    is_pandas,
    label,
)
from sknn_basics.estimators._base.types import Int
from sknn_basics.preprocessing.windows import (
    SlidingWindow,
    check_series,
    split_columns,
    window_rows,
)
from sknn_basics.training.devices import as_array

NUMBERS = {"dtype": np.float64, "ensure_all_finite": True}

# Rows by which a scaler of the user is tried out.
N_TRIED = 100


class Forecaster(MetaEstimatorMixin, BaseEstimator):
    """Forecast a series with any regressor, from windows of its past.

    A series is cut into windows (`sknn_basics.preprocessing.SlidingWindow`), and the regressor
    learns what follows each of them. `predict` looks `horizon` steps ahead all along a series;
    `forecast` continues from its end, with predictions in place of what is not known yet. X is
    always a series, in the order of time and without gaps; its target is in it, so that y is not
    needed.

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
        ``inverse_transform``: differences are no scaler. 'standard' is
        `sklearn.preprocessing.StandardScaler`.
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
    last_window_ : ndarray of shape (window, `n_features_in_`)
        Last rows of the training series.
    n_features_in_ : int
        Number of columns of the series.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where all of them are strings.

    See Also
    --------
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
            If the series is shorter than a window with its target, has missing values, has an index
            that goes back in time, repeats itself or leaves rows out, lacks a column, or is too
            short to hold out windows; if `y` is not the target; or if `scaler` does not
            scale each row and each column by itself.
        """
        with unchanged_by_failure(self):
            self._fit(X, y, X_val, fit_params)
        return self

    def _fit(self, X, y, X_val, fit_params: dict) -> None:
        series = check_series(self, X, reset=True, **NUMBERS)
        self.target_, self.exogenous_ = split_columns(self, self.target, self.exogenous)
        self._check_y(y, series)
        self.windows_ = SlidingWindow(
            self.window,
            horizon=self.horizon,
            target=self.target_,
            exogenous=self.exogenous_,
            flatten=not self._reads_sequences(),
        ).fit(series)
        self.scaler_ = self._make_scaler()
        inputs, target = self.windows_.split(self._fit_scaler(series))
        inputs, target = inputs[:: self.step], target[:: self.step]
        self.last_window_ = series[-self.window :].copy()
        self._timeline_ = Timeline(X) if is_pandas(X) else None
        rows = np.arange(self.window, len(series) - self.horizon + 1)[:: self.step]
        fit_params = self._route(fit_params)
        validation = self._cut_validation(X_val, fit_params)
        n_val = 0 if X_val is not None else count_held_out(self.estimator, len(rows))
        if n_val:
            validation = {"X_val": inputs[-n_val:], "y_val": target[-n_val:]}
            if fit_params.get("sample_weight") is not None:
                weight = check_sample_weight(fit_params["sample_weight"], series)
                validation["sample_weight_val"] = weight[rows[-n_val:]]
            rows = rows[: self._count_before(len(rows) - n_val)]
        fit_params = check_method_params(X, fit_params, indices=rows)
        self.estimator_ = clone(self.estimator).fit(
            inputs[: len(rows)], target[: len(rows)], **fit_params, **validation
        )

    def predict(self, X):
        """Predict each row of a series from the rows before it, `horizon` rows at once.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, n_features)
            A series, in the order of time.

        Returns
        -------
        prediction : ndarray of shape (n_samples,) or (n_samples, n_targets)
            The prediction of each row. It is NaN for the first `window` rows, unless they follow
            the training series (see `follows_training`). The rows after them are predicted in
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
        if sample_weight is not None:
            weight = check_sample_weight(sample_weight, series, ensure_non_negative=True)
            sample_weight = np.repeat(weight[first:][:n_windows], horizon)
        return r2_score(true, ahead.reshape(-1, n_targets), sample_weight=sample_weight)

    def forecast(self, n_steps=1, *, history=None, exogenous=None):
        """Forecast what follows a series, each block of steps from the forecasts before it.

        Parameters
        ----------
        n_steps : int, default=1
            Number of rows to forecast.
        history : array-like of shape (n_samples,) or (n_samples, n_features), default=None
            The series to continue from, of at least `window` rows; None continues from the end of
            the training series.
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
            If `history` is too short, a needed future value is missing, `exogenous` does not begin
            where the series ends or has an index that does not continue row by row, or the forecast
            diverges.
        """
        check_is_fitted(self)
        check_scalar(n_steps, "n_steps", Integral, min_val=1)
        self._check_known_ahead(n_steps)
        past, timeline = self.last_window_, self._timeline_
        if history is not None:
            past, timeline = self._check_history(history)
        n_rows = -(-n_steps // self.horizon) * self.horizon
        future = self._check_exogenous(exogenous, n_rows)
        values = self._run_freely(past, future, n_rows)[:n_steps]
        if timeline is not None:
            index = timeline.following(n_rows, exogenous if is_pandas(exogenous) else None)
            return label(values, index[:n_steps], self._target_names(timeline.columns))
        return values[:, 0] if values.shape[1] == 1 else values

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

    # Windows and scales.

    def _reads_sequences(self) -> bool:
        if self.input == "auto":
            return get_tags(self.estimator).input_tags.three_d_array
        return self.input == "sequences"

    def _make_scaler(self):
        return StandardScaler() if self.scaler == "standard" else clone_or_none(self.scaler)

    def _scale(self, series) -> np.ndarray:
        return series if self.scaler_ is None else np.asarray(self.scaler_.transform(series))

    def _fit_scaler(self, series) -> np.ndarray:
        """Fit the scaler, and scale the series with it."""
        if self.scaler_ is None:
            return series
        self.scaler_.fit(series)
        scaled = self._scale(series)
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
                "with. Take differences or trends out of the series before fit, and add them to "
                "the forecast."
            )
        true = series[:, columns]
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
        whole = np.zeros((target.size // target.shape[-1], self.n_features_in_))
        whole[:, self.target_] = target.reshape(len(whole), -1)
        return np.asarray(self.scaler_.inverse_transform(whole))[:, self.target_].reshape(
            target.shape
        )

    # What the regressor is given.

    def _check_y(self, y, series: np.ndarray) -> None:
        """Check that y is nothing but the target."""
        if y is None:
            return
        values, target = np.asarray(as_array(y)), series[:, self.target_]
        if values.size == target.size and (values.reshape(target.shape) == target).all():
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
            series = check_series(self, X_val, reset=False, **NUMBERS)
            past = self.last_window_ if self._follows_training(X_val) else series[:0]
            X_val, y_val = self.windows_.split(self._scale(np.concatenate([past, series])))
        except ValueError as error:
            raise ValueError(f"In X_val: {error}") from error
        return {"X_val": X_val, "y_val": y_val}

    def _count_before(self, n_windows: int) -> int:
        """Count those of the first windows that share no value with what follows them."""
        n_train = n_windows + 1 - -(-(self.window + self.horizon) // self.step)
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
        return check_series(self, X, reset=False, **NUMBERS)

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
        first = self.window - len(past)
        if len(series) < first + self.horizon:
            raise ValueError(self._explain_length(len(series), first))
        return first, self._predict_windows(np.concatenate([past, series]))

    def _target_names(self, columns: list) -> list:
        return [columns[i] for i in self.target_]

    def _explain_length(self, n_samples: int, first: int) -> str:
        remedy = "In a cross-validation, set test_size of TimeSeriesSplit."
        if first and self.follows_training is not True:
            remedy = (
                "If it begins right after the training series, as test folds of TimeSeriesSplit "
                "do, set follows_training=True."
            )
        return (
            f"A series of at least {first + self.horizon} rows is needed with "
            f"window={self.window} and horizon={self.horizon}, got n_samples={n_samples}. {remedy}"
        )

    def _predict_windows(self, series: np.ndarray) -> np.ndarray:
        """Predict what follows each window, an array of shape (n_windows, horizon, n_targets)."""
        windows = self.windows_.transform(self._scale(series))
        predicted = np.asarray(self.estimator_.predict(windows), dtype=np.float64)
        shape = len(windows), self.horizon, len(self.target_)
        if predicted.size != np.prod(shape):
            raise ValueError(
                f"estimator predicts {predicted.size // len(windows)} values per "
                f"window, but horizon={self.horizon} and {len(self.target_)} target columns need "
                f"{np.prod(shape[1:])}. Fit a forecaster for each of several quantiles."
            )
        return self._unscale(predicted.reshape(shape))

    # Forecasts.

    def _run_freely(self, past: np.ndarray, future: np.ndarray, n_rows: int) -> np.ndarray:
        """Predict block by block, each from the rows before it and the blocks before it."""
        rows = np.concatenate([past, np.repeat(past[-1:], n_rows, axis=0)])
        rows[self.window :, self.exogenous_] = future
        for start in range(0, n_rows, self.horizon):
            end = start + self.window
            block = self._predict_windows(rows[start : end + self.horizon])[0]
            if not np.isfinite(block).all():
                raise ValueError(f"The forecast diverged after {start} steps.")
            rows[end : end + self.horizon, self.target_] = block
        return rows[self.window :, self.target_]

    def _check_history(self, history):
        """Check a series to continue from; return its last rows, and its timeline if it has one."""
        series = self._check(history)
        if len(series) < self.window:
            raise ValueError(
                f"history must have at least window={self.window} rows, got {len(series)}."
            )
        return series[-self.window :], Timeline(history) if is_pandas(history) else None

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
