"""A forecaster is autoregression by hand, knows no future, and keeps the index of its series."""

import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
import torch
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, Ridge, SGDRegressor
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, PowerTransformer
from sklearn.svm import SVR
from sklearn.utils.estimator_checks import parametrize_with_checks

from sknn_basics import Forecaster, MLPRegressor, RNNRegressor
from sknn_basics.datasets import make_sum_of_sines

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

IN_TIME = "a prediction needs the rows before it, in the order of time"


@parametrize_with_checks(
    [
        Forecaster(Ridge(), window=3),
        Forecaster(LinearRegression(), window=2, horizon=2, scaler=None),
        Forecaster(Ridge(), window=2, differences=1, window_scaling="mean", missing="drop"),
        Forecaster(MLPRegressor(hidden_layer_sizes=(3,), max_iter=5, random_state=0), window=2),
    ],
    expected_failed_checks=lambda estimator: {
        "check_methods_sample_order_invariance": IN_TIME,
        "check_methods_subset_invariance": IN_TIME,
        "check_fit1d": "a series of one feature has one dimension",
    },
)
@pytest.mark.filterwarnings("ignore")
def test_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def regress(X, y):
    """Fit least squares with an intercept, and return the function that predicts."""
    solve = np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), y)[0]
    return lambda X: np.column_stack([X, np.ones(len(X))]) @ solve


def linear(window, **options):
    return Forecaster(LinearRegression(), window, **options)


# Against least squares by hand.


@pytest.mark.parametrize("scaler", ["standard", None, MinMaxScaler()])
def test_linear_forecaster_is_autoregression_by_least_squares(sunspots, scaler):
    series, w = sunspots.to_numpy(), 9
    train, test = series[:220], series[220:]
    lags = sliding_window_view(series, w)
    model = regress(lags[: 220 - w], train[w:])

    forecaster = linear(w, scaler=scaler).fit(train)

    predicted = forecaster.predict(test)
    np.testing.assert_allclose(predicted[w:], model(sliding_window_view(test, w)[:-1]))
    assert np.isnan(predicted[:w]).all()
    assert forecaster.score(test) == pytest.approx(r2_score(test[w:], predicted[w:]))


def test_forecast_feeds_predictions_back(sunspots):
    series, w = sunspots.to_numpy(), 9
    model = regress(sliding_window_view(series, w)[:-1], series[w:])
    expected = list(series)
    for _ in range(30):
        expected.extend(model([expected[-w:]]))

    forecaster = linear(w).fit(series)

    np.testing.assert_allclose(forecaster.forecast(30), expected[-30:])


def test_several_features_are_vector_autoregression(waves):
    X = sliding_window_view(waves.ravel(), 6)[::3][:-1]
    model = regress(X, waves[2:])
    expected = waves
    for _ in range(10):
        expected = np.vstack([expected, model(expected[-2:].reshape(1, -1))])

    forecaster = linear(2).fit(waves)

    np.testing.assert_allclose(forecaster.predict(waves)[2:], model(X), atol=1e-12)
    np.testing.assert_allclose(forecaster.forecast(10), expected[-10:], atol=1e-12)


def test_exogenous_columns_are_known_at_the_predicted_row(waves):
    both, plan = waves[:, :2], waves[:, 2:]
    X = np.hstack([both[:-2], both[1:-1], plan[1:-1], plan[2:]])
    model = regress(X, both[2:])
    future = np.linspace(-1, 1, 10)[:, None]
    plans, expected = np.vstack([plan, future]), both
    for t in range(120, 130):
        row = np.hstack([expected[t - 2], expected[t - 1], plans[t - 1], plans[t]])
        expected = np.vstack([expected, model(row[None])])

    forecaster = linear(2, exogenous=2).fit(waves)

    np.testing.assert_allclose(forecaster.predict(waves)[2:], model(X), atol=1e-12)
    np.testing.assert_allclose(
        forecaster.forecast(10, exogenous=future), expected[-10:], atol=1e-12
    )


def test_horizon_is_predicted_at_once_and_forecast_in_blocks(sunspots):
    series, w, h = sunspots.to_numpy(), 9, 4
    lags, following = sliding_window_view(series, w), sliding_window_view(series[w:], h)
    model = regress(lags[:-h], following)
    expected = series
    for _ in range(3):
        expected = np.append(expected, model(expected[None, -w:]))

    forecaster = linear(w, horizon=h).fit(series)

    np.testing.assert_allclose(forecaster.forecast(10), expected[len(series) :][:10])
    np.testing.assert_allclose(forecaster.predict(series)[w:], model(lags[:-h:h]).ravel())
    assert forecaster.score(series) == pytest.approx(
        r2_score(following.ravel(), model(lags[:-h]).ravel())
    )


def test_horizon_and_exogenous_columns_go_together(waves):
    series = waves[:, [0, 2]]
    known = sliding_window_view(series[:, 1], 3)
    X = np.hstack([sliding_window_view(series[:, 0], 3)[:-2], known[2:]])
    model = regress(X, sliding_window_view(series[3:, 0], 2))
    future = [0.5, -0.5, 0.25, 1.0]
    load, plan = list(series[:, 0]), [*series[:, 1], *future]
    for t in (120, 122):
        load.extend(model([load[t - 3 : t] + plan[t - 1 : t + 2]])[0])

    forecaster = linear(3, horizon=2, exogenous=1).fit(series)

    np.testing.assert_allclose(forecaster.forecast(3, exogenous=future), load[-4:-1])
    predicted = forecaster.predict(series)
    np.testing.assert_allclose(predicted[3:-1], model(X)[::2].ravel())
    np.testing.assert_allclose(predicted[-1], model(X)[-1, 1])  # the second step from its window


def test_one_target_is_predicted_from_all_columns(waves):
    X = sliding_window_view(waves.ravel(), 6)[::3][:-1]

    predicted = linear(2, target=1).fit(waves).predict(waves)

    np.testing.assert_allclose(predicted[2:], regress(X, waves[2:, 1])(X), atol=1e-12)


def test_step_trains_on_fewer_windows_and_predicts_all(sunspots):
    series, w = sunspots.to_numpy(), 9
    lags = sliding_window_view(series, w)[:-1]
    model = regress(lags[::4], series[w::4])

    np.testing.assert_allclose(linear(w, step=4).fit(series).predict(series)[w:], model(lags))


def test_sample_weights_are_those_of_the_predicted_rows(sunspots):
    series, w = sunspots.to_numpy(), 3
    weight = np.linspace(0, 1, len(series))
    root = np.sqrt(weight[w:, None])
    X = np.column_stack([sliding_window_view(series, w)[:-1], np.ones(len(series) - w)])
    solve = np.linalg.lstsq(X * root, series[w:] * root[:, 0])[0]

    forecaster = linear(w).fit(series, sample_weight=weight)

    np.testing.assert_allclose(forecaster.predict(series)[w:], X @ solve)
    assert forecaster.score(series, sample_weight=weight) == pytest.approx(
        r2_score(series[w:], X @ solve, sample_weight=weight[w:])
    )


def test_history_replaces_the_end_of_the_training_series(sunspots):
    forecaster = linear(9).fit(sunspots[:200])

    np.testing.assert_array_equal(
        forecaster.forecast(5, history=sunspots[:200]), forecaster.forecast(5)
    )
    np.testing.assert_allclose(
        forecaster.forecast(1, history=sunspots[:250]), forecaster.predict(sunspots[241:251])[-1:]
    )


# No future.


@pytest.mark.parametrize("options", [{}, {"horizon": 3}, {"target": 0}, {"exogenous": 2}])
def test_predictions_do_not_change_with_what_comes_later(waves, options):
    forecaster = linear(4, **options).fit(waves[:60])
    changed = waves.copy()
    changed[90:, :2] = 1e3
    if "exogenous" not in options:
        changed[90:, 2] = -1e3

    before, after = forecaster.predict(waves), forecaster.predict(changed)

    np.testing.assert_array_equal(after[:91], before[:91])
    assert not np.array_equal(after[91:], before[91:])


def test_scales_are_those_of_the_training_series(sunspots):
    forecaster = linear(9).fit(sunspots[:200])

    assert forecaster.scaler_.mean_ == pytest.approx(sunspots[:200].mean())


def test_test_folds_do_not_change_the_scale(sunspots):
    forecaster = linear(9).fit(sunspots[:200])
    before = forecaster.scaler_.mean_.copy()
    forecaster.predict(sunspots[200:])

    np.testing.assert_array_equal(forecaster.scaler_.mean_, before)


# The past of a test fold.


def test_a_series_that_goes_on_is_predicted_from_its_first_row(sunspots):
    forecaster = linear(9).fit(sunspots[:200])

    pd.testing.assert_series_equal(
        forecaster.predict(sunspots[200:]), forecaster.predict(sunspots)[200:]
    )


@pytest.mark.parametrize("start", [0, 150, 199, 201])
def test_a_series_that_begins_elsewhere_is_not(sunspots, start):
    predicted = linear(9).fit(sunspots[:200]).predict(sunspots[start:])

    np.testing.assert_array_equal(predicted.isna(), np.arange(len(predicted)) < 9)


def test_arrays_follow_the_training_series_when_told(sunspots):
    values = sunspots.to_numpy()
    told = linear(9, follows_training=True).fit(values[:200])

    np.testing.assert_allclose(told.predict(values[200:]), told.predict(values)[200:])


def test_a_series_that_goes_on_is_not_taken_to_when_told(sunspots):
    told = linear(9, follows_training=False).fit(sunspots[:200])

    assert told.predict(sunspots[200:]).isna().sum() == 9


def test_folds_of_a_series_score_all_their_rows(sunspots):
    expected = []
    for train, test in TimeSeriesSplit(4).split(sunspots):
        predicted = linear(9).fit(sunspots.iloc[train]).predict(sunspots)
        expected.append(r2_score(sunspots.iloc[test], predicted.iloc[test]))

    np.testing.assert_allclose(
        cross_val_score(linear(9), sunspots, cv=TimeSeriesSplit(4)), expected
    )


def test_a_fold_shorter_than_the_window_is_scored(sunspots):
    folds = TimeSeriesSplit(3, test_size=4)

    assert np.isfinite(cross_val_score(linear(30), sunspots, cv=folds)).all()


def test_other_metrics_work_where_all_rows_are_predicted(sunspots):
    scores = cross_val_score(
        linear(9), sunspots, sunspots, scoring="neg_mean_absolute_error", cv=TimeSeriesSplit(3)
    )

    assert np.isfinite(scores).all()


# All steps of a horizon.

ONE_HORIZON = TimeSeriesSplit(3, test_size=12)


def forecasts_of_folds(forecaster, series, folds):
    """Forecast each fold from the rows before it."""
    return [
        forecaster.fit(series.iloc[train]).forecast(len(test))
        for train, test in folds.split(series)
    ]


@pytest.mark.parametrize("estimator", [Ridge(), make_pipeline(MinMaxScaler(), Ridge())])
@pytest.mark.parametrize(
    ("scoring", "metric"),
    [
        (None, r2_score),
        ("r2", r2_score),
        ("neg_mean_absolute_error", lambda *y: -mean_absolute_error(*y)),
    ],
)
def test_folds_of_one_horizon_score_all_its_steps(sunspots, estimator, scoring, metric):
    forecaster = Forecaster(estimator, 24, horizon=12)
    forecasts = forecasts_of_folds(forecaster, sunspots, ONE_HORIZON)

    scores = cross_val_score(forecaster, sunspots, sunspots, scoring=scoring, cv=ONE_HORIZON)

    np.testing.assert_allclose(scores, [metric(sunspots.loc[f.index], f) for f in forecasts])


def test_folds_of_one_horizon_score_all_targets_and_steps(frame):
    forecaster = linear(4, horizon=6, exogenous="plan")
    folds, target = TimeSeriesSplit(2, test_size=6), frame[["load", "wind"]]
    expected = []
    for train, test in folds.split(frame):
        forecast = forecaster.fit(frame.iloc[train]).forecast(6, exogenous=frame.iloc[test])
        expected.append(r2_score(target.iloc[test], forecast))

    for scoring, y in ((None, None), ("r2", target)):
        scores = cross_val_score(forecaster, frame, y, scoring=scoring, cv=folds)
        np.testing.assert_allclose(scores, expected)


def test_a_longer_fold_is_predicted_in_blocks_that_end_with_it(sunspots):
    train, test = sunspots[:250], sunspots[250:280]
    forecaster = linear(9, horizon=12).fit(train)
    origins = [0, 12, 18]
    blocks = [forecaster.forecast(12, history=sunspots[: 250 + i]) for i in origins]

    expected = pd.concat([blocks[0], blocks[1], blocks[2][-6:]])
    pd.testing.assert_series_equal(forecaster.predict(test), expected, check_freq=False)


@pytest.mark.parametrize("scoring", [None, "neg_mean_absolute_error"])
def test_a_fold_shorter_than_the_horizon_is_told(sunspots, scoring):
    with pytest.raises(ValueError, match="at least 12 rows .* horizon=12, .*=5.* test_size"):
        cross_val_score(
            linear(9, horizon=12),
            sunspots,
            sunspots,
            scoring=scoring,
            cv=TimeSeriesSplit(3, test_size=5),
            error_score="raise",
        )


def test_arrays_in_folds_are_told_of_follows_training(sunspots):
    values = sunspots.to_numpy()
    with pytest.raises(ValueError, match="at least 36 rows .* set follows_training=True"):
        cross_val_score(linear(24, horizon=12), values, cv=ONE_HORIZON, error_score="raise")

    np.testing.assert_array_equal(
        cross_val_score(linear(24, horizon=12, follows_training=True), values, cv=ONE_HORIZON),
        cross_val_score(linear(24, horizon=12), sunspots, cv=ONE_HORIZON),
    )


def test_a_single_value_has_no_score(sunspots):
    forecaster = linear(9).fit(sunspots[:200])

    with pytest.raises(ValueError, match="R² of a single value"):
        forecaster.score(sunspots[200:201])


def test_the_series_or_its_target_may_be_y(frame):
    for y in (None, frame[["load", "wind"]], frame[["load", "wind"]].to_numpy()):
        forecaster = linear(2, exogenous="plan").fit(frame, y)
        assert forecaster.score(frame, y) == linear(2, exogenous="plan").fit(frame).score(frame)


# Held-out windows.


class Splits(RegressorMixin, BaseEstimator):
    """Remembers what it is trained and validated on."""

    def __init__(self, early_stopping=True, validation_fraction=0.1):
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction

    def fit(self, X, y, sample_weight=None, X_val=None, y_val=None, sample_weight_val=None):
        self.train_, self.valid_ = (X, y, sample_weight), (X_val, y_val, sample_weight_val)
        return self

    def predict(self, X):
        return np.zeros(len(X))


@pytest.mark.parametrize("step", [1, 3, 40])
@pytest.mark.parametrize("horizon", [1, 4])
def test_the_last_windows_are_held_out_and_share_no_value(step, horizon):
    series = np.arange(400.0)
    forecaster = Forecaster(Splits(), 6, step=step, horizon=horizon, scaler=None).fit(
        series, sample_weight=series
    )
    (X, y, weight), (X_val, y_val, weight_val) = (
        forecaster.estimator_.train_,
        forecaster.estimator_.valid_,
    )
    n_windows = (400 - 6 - horizon) // step + 1
    last = step * (n_windows - 1)

    assert len(X_val) == max(2, np.ceil(0.1 * n_windows))
    assert X_val[-1, 0] == last
    assert y.max() < X_val.min() <= y.max() + step
    np.testing.assert_array_equal(weight, X[:, -1] + 1)
    np.testing.assert_array_equal(weight_val, X_val[:, -1] + 1)
    np.testing.assert_array_equal(np.ravel(y_val.T)[: len(y_val)], X_val[:, -1] + 1)


@pytest.mark.parametrize("early_stopping", [False, "auto"])
def test_a_regressor_that_does_not_stop_early_gets_all_windows(early_stopping):
    forecaster = Forecaster(Splits(early_stopping), 6).fit(np.arange(100.0))

    assert len(forecaster.estimator_.train_[0]) == 94
    assert forecaster.estimator_.valid_[0] is None


NETWORKS = [
    MLPRegressor(hidden_layer_sizes=(2,), max_iter=3, early_stopping=True, random_state=0),
    RNNRegressor(hidden_layer_sizes=(2,), max_iter=3, early_stopping=True, random_state=0),
]


@pytest.mark.parametrize("network", NETWORKS, ids=["dense", "recurrent"])
def test_networks_stop_by_the_score_of_the_last_windows(sunspots, network):
    forecaster = Forecaster(network, 9, scaler=None).fit(sunspots)
    network = forecaster.estimator_
    X, y = forecaster.windows_.split(sunspots.to_numpy())

    # The best weights are those of one epoch, and the score of these windows is its.
    assert network.score(X[-30:], y[-30:]) == pytest.approx(max(network.validation_scores_))


def test_histogram_boosting_stops_by_the_last_windows(sunspots):
    boosting = HistGradientBoostingRegressor(max_iter=4, early_stopping=True, scoring="r2")
    forecaster = Forecaster(boosting, 9, scaler=None).fit(sunspots)
    X, y = forecaster.windows_.split(sunspots.to_numpy())

    score = forecaster.estimator_.score(X[-30:], y[-30:])
    assert score == pytest.approx(forecaster.estimator_.validation_score_[-1])


@pytest.mark.parametrize(
    "estimator",
    [
        SGDRegressor(early_stopping=True),
        GradientBoostingRegressor(n_estimators=3, n_iter_no_change=2),
        make_pipeline(MinMaxScaler(), NETWORKS[0]),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_windows_held_out_at_random_are_told(sunspots, estimator):
    with pytest.warns(UserWarning, match="holds out at random: they overlap"):
        Forecaster(estimator).fit(sunspots)


@pytest.mark.parametrize(
    "estimator",
    [
        SGDRegressor(),
        GradientBoostingRegressor(n_estimators=3),
        HistGradientBoostingRegressor(max_iter=3),
        NETWORKS[0],
        clone(NETWORKS[0]).set_params(solver="lbfgs"),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_other_regressors_are_fitted_without_a_word(sunspots, estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        Forecaster(estimator).fit(sunspots)


def test_a_series_too_short_to_hold_out_windows_raises(sunspots):
    with pytest.raises(ValueError, match="No window is left .* window=24 and horizon=12"):
        Forecaster(Splits(), 24, horizon=12).fit(sunspots[:40])


def test_a_series_to_validate_on_is_scaled_and_cut_as_the_training_series(sunspots):
    train, later = sunspots[:200], sunspots[200:]
    forecaster = Forecaster(Splits(), 9).fit(train, X_val=later)
    X, y = forecaster.windows_.split((sunspots.to_numpy() - train.mean()) / train.std(ddof=0))

    assert len(forecaster.estimator_.train_[0]) == 191
    np.testing.assert_allclose(forecaster.estimator_.valid_[0], X[191:])
    np.testing.assert_allclose(forecaster.estimator_.valid_[1], y[191:])


def test_bad_series_to_validate_on_raise(sunspots):
    with pytest.raises(ValueError, match="X_val needs a regressor .* got Ridge"):
        Forecaster(Ridge()).fit(sunspots, X_val=sunspots)
    with pytest.raises(ValueError, match="y_val and sample_weight_val must be left out"):
        Forecaster(Splits()).fit(sunspots, X_val=sunspots, y_val=sunspots)
    with pytest.raises(ValueError, match="In X_val: .* contains NaN"):
        Forecaster(Splits()).fit(sunspots, X_val=sunspots.shift(1))


def test_stacked_search_with_held_out_windows_scores_as_one_by_one(sunspots):
    search = GridSearchCV(
        Forecaster(NETWORKS[0], 3),
        {"estimator__alpha": [1e-4, 1e-1]},
        cv=TimeSeriesSplit(2),
        refit=False,
    )

    alone = search.fit(sunspots).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend="stacked"):
        together = search.fit(sunspots).cv_results_["mean_test_score"]

    np.testing.assert_allclose(together, alone)


# Search.


def test_grid_search_goes_over_windows_and_networks(sunspots):
    network = MLPRegressor(hidden_layer_sizes=(2,), max_iter=3, random_state=0)
    grid = {"window": [2, 9], "estimator__hidden_layer_sizes": [(2,), (3,)]}
    folds = TimeSeriesSplit(2)

    search = GridSearchCV(Forecaster(network), grid, cv=folds).fit(sunspots)

    assert len(search.cv_results_["params"]) == 4
    best = clone(search.estimator).set_params(**search.best_params_)
    assert search.best_score_ == cross_val_score(best, sunspots, cv=folds).mean()
    assert len(search.best_estimator_.forecast(3)) == 3


def test_stacked_search_scores_as_one_by_one(sunspots):
    network = MLPRegressor(hidden_layer_sizes=(2,), max_iter=3, random_state=0)
    grid = {"estimator__alpha": [1e-4, 1e-1]}
    search = GridSearchCV(Forecaster(network, 3), grid, cv=TimeSeriesSplit(2), refit=False)

    alone = search.fit(sunspots).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend="stacked"):
        together = search.fit(sunspots).cv_results_["mean_test_score"]

    np.testing.assert_allclose(together, alone)


# What the estimator is given.


class Watcher(RegressorMixin, BaseEstimator):
    """Remembers the shape of X, and predicts the last value of its first feature."""

    def __init__(self, three_d=False):
        self.three_d = three_d

    def fit(self, X, y):
        self.shape_ = X.shape
        return self

    def predict(self, X):
        return X[:, -1, 0] if X.ndim == 3 else X[:, -1]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = self.three_d
        return tags


@pytest.mark.parametrize(
    ("three_d", "options", "shape"),
    [
        (False, {}, (116, 12)),
        (True, {}, (116, 4, 3)),
        (True, {"input": "rows"}, (116, 12)),
        (False, {"input": "sequences"}, (116, 4, 3)),
    ],
)
def test_tags_or_input_decide_on_rows_or_sequences(waves, three_d, options, shape):
    forecaster = Forecaster(Watcher(three_d), 4, target=0, **options).fit(waves)

    assert forecaster.estimator_.shape_ == shape


def test_sequences_end_with_the_last_known_row(waves):
    predicted = Forecaster(Watcher(three_d=True), 4, target=0).fit(waves).predict(waves)

    np.testing.assert_allclose(predicted[4:], waves[3:-1, 0])


@pytest.mark.parametrize(
    "scaler", [PowerTransformer(), FunctionTransformer(np.sqrt, np.square, check_inverse=False)]
)
def test_targets_are_scaled_back(sunspots, scaler):
    persistence = Forecaster(Watcher(), 4, scaler=scaler).fit(sunspots)

    np.testing.assert_allclose(persistence.predict(sunspots)[4:], sunspots[3:-1], atol=1e-9)


@pytest.mark.parametrize(
    "estimator",
    [
        HistGradientBoostingRegressor(max_iter=30),
        SVR(),
        make_pipeline(MinMaxScaler(), Ridge()),
        GridSearchCV(Ridge(), {"alpha": [0.1, 1]}, cv=2),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_regressors_of_scikit_learn_forecast(sunspots, estimator):
    forecaster = Forecaster(estimator).fit(sunspots)

    assert forecaster.score(sunspots) > 0.7
    assert np.isfinite(forecaster.forecast(20)).all()


def test_a_network_forecasts_sines():
    network = MLPRegressor(hidden_layer_sizes=(10,), solver="lbfgs", random_state=0)
    forecaster = Forecaster(network, window=5).fit(make_sum_of_sines(200))

    assert forecaster.score(make_sum_of_sines(200, skip=400)) > 0.99


def test_the_same_random_state_forecasts_the_same_bits(sunspots):
    def forecast():
        network = MLPRegressor(hidden_layer_sizes=(3,), max_iter=5, random_state=0)
        return Forecaster(network).fit(sunspots).forecast(5)

    pd.testing.assert_series_equal(forecast(), forecast(), check_exact=True)


# Containers and copies.


@pytest.mark.parametrize("convert", [list, torch.tensor, pl.Series, lambda s: s[:, None]])
def test_other_containers_give_the_same_predictions(convert):
    series = make_sum_of_sines(60, kind="busy")
    expected = linear(3).fit(series).predict(series)

    np.testing.assert_allclose(linear(3).fit(convert(series)).predict(convert(series)), expected)


def test_read_only_and_mapped_series_are_read(tmp_path):
    series = make_sum_of_sines(60)
    np.save(tmp_path / "series.npy", series)
    mapped = np.load(tmp_path / "series.npy", mmap_mode="r")
    network = MLPRegressor(hidden_layer_sizes=(2,), max_iter=2, random_state=0)

    np.testing.assert_array_equal(
        Forecaster(network).fit(mapped).predict(mapped),
        Forecaster(network).fit(series).predict(series),
    )


def test_clone_and_pickle_forecast_the_same(frame):
    forecaster = linear(2, exogenous=["plan"], scaler=MinMaxScaler()).fit(frame[:100])
    expected = forecaster.forecast(5, exogenous=frame[100:])

    for copy in (clone(forecaster).fit(frame[:100]), pickle.loads(pickle.dumps(forecaster))):
        pd.testing.assert_frame_equal(copy.forecast(5, exogenous=frame[100:]), expected)


def test_parameters_of_estimator_and_scaler_are_set_by_name():
    forecaster = Forecaster(Ridge(), scaler=MinMaxScaler())
    forecaster.set_params(estimator__alpha=3.0, scaler__clip=True, window=4)

    assert (forecaster.estimator.alpha, forecaster.scaler.clip, forecaster.window) == (3.0, True, 4)


def test_fit_changes_neither_estimator_nor_scaler(sunspots):
    estimator, scaler = LinearRegression(), MinMaxScaler()
    Forecaster(estimator, scaler=scaler).fit(sunspots)

    assert not hasattr(estimator, "coef_")
    assert not hasattr(scaler, "scale_")


def test_weights_are_routed_to_the_estimator(sunspots):
    weight = np.linspace(0, 1, len(sunspots))
    expected = Forecaster(Ridge()).fit(sunspots, sample_weight=weight).forecast(3)

    with sklearn.config_context(enable_metadata_routing=True):
        asking = Forecaster(Ridge().set_fit_request(sample_weight=True))
        pd.testing.assert_series_equal(
            asking.fit(sunspots, sample_weight=weight).forecast(3), expected
        )


def test_several_quantiles_forecast_the_median_between_them(sunspots):
    quantiles = MLPRegressor(loss="quantile", quantile=[0.1, 0.9], max_iter=1, random_state=0)
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        forecaster = Forecaster(quantiles, window=3, scaler=None).fit(sunspots)
    windows = np.array([np.asarray(sunspots)[-3:]])
    middle = forecaster.estimator_.predict(windows).mean()
    assert float(np.asarray(forecaster.forecast(1))[0]) == pytest.approx(middle)
