"""Differences and scales of windows take trends out, and put them back."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeRegressor

from sknn_basics import Forecaster, MLPRegressor, RNNRegressor
from sknn_basics.estimators._base.levels import Differences, WindowScaling, least_scales

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

EVERY_COLUMN = np.array([0])


class Watcher(RegressorMixin, BaseEstimator):
    """Remembers what it is fitted to, and predicts zeros."""

    def fit(self, X, y):
        self.X_, self.y_ = X, y
        return self

    def predict(self, X):
        return np.zeros((len(X), *self.y_.shape[1:]))


def zeros(**options):
    """Predict no difference."""
    dummy = DummyRegressor(strategy="constant", constant=0.0)
    return Forecaster(dummy, 1, **{"scaler": None, **options})


@pytest.fixture(scope="module")
def trend():
    """A series with a trend and seasons."""
    t = np.arange(96)
    rng = np.random.RandomState(0)
    return 50 + 0.7 * t + 8 * np.sin(2 * np.pi * t / 12) + rng.normal(size=96)


# Differences.


@pytest.mark.parametrize("lags", [(1,), (12,), (1, 12), (12, 1), (1, 1), (3, 3, 2)])
def test_differences_are_those_of_pandas_one_after_another(trend, lags):
    expected = pd.Series(trend)
    for lag in lags:
        expected = expected.diff(lag)

    taken = Differences(lags).take(trend[:, None], EVERY_COLUMN)

    np.testing.assert_allclose(taken[:, 0], expected[sum(lags) :], atol=1e-12)


@pytest.mark.parametrize("lags", [(), (1,), (12,), (1, 12), (1, 1)])
def test_differences_are_undone(trend, lags):
    differences = Differences(lags)
    taken = differences.take(trend[:, None], EVERY_COLUMN)

    back = differences.undo(
        taken[None, -20:], trend[None, : len(trend) - 20, None][:, -sum(lags) :]
    )

    np.testing.assert_allclose(back[0, :, 0], trend[-20:])


def test_no_difference_to_the_last_year_is_the_seasonal_naive_forecast(trend):
    forecaster = zeros(differences=12).fit(trend)

    np.testing.assert_allclose(forecaster.forecast(30), np.tile(trend[-12:], 3)[:30])
    np.testing.assert_allclose(forecaster.predict(trend)[13:], trend[1:-12])
    assert forecaster.score(trend) == pytest.approx(r2_score(trend[13:], trend[1:-12]))


def test_the_mean_difference_is_the_drift(trend):
    forecaster = Forecaster(DummyRegressor(), 1, differences=1).fit(trend)

    # The first window takes one row, and its difference another.
    slope = (trend[-1] - trend[1]) / (len(trend) - 2)
    np.testing.assert_allclose(forecaster.forecast(5), trend[-1] + slope * np.arange(1, 6))


@pytest.mark.parametrize("horizon", [1, 4])
@pytest.mark.parametrize("scaler", ["standard", None])
def test_differences_inside_are_differences_by_hand(trend, horizon, scaler):
    inside = Forecaster(
        LinearRegression(), 6, horizon=horizon, differences=(1, 12), scaler=scaler
    ).fit(trend)

    yearly = trend[12:] - trend[:-12]
    by_hand = Forecaster(LinearRegression(), 6, horizon=horizon).fit(np.diff(yearly))

    expected = list(trend)
    for step in np.cumsum(by_hand.forecast(8)):
        expected.append(expected[-12] + yearly[-1] + step)
    np.testing.assert_allclose(inside.forecast(8), expected[-8:])
    np.testing.assert_allclose(inside.predict_steps(trend, 8)[-1], by_steps(inside, trend))


def by_steps(forecaster, series):
    return forecaster.forecast(8, history=series[:-8])


def test_predictions_with_differences_are_of_the_row_and_its_own_past(trend):
    forecaster = Forecaster(Ridge(), 6, horizon=3, differences=(1, 12)).fit(trend)

    predicted = forecaster.predict(trend)

    assert np.isnan(predicted[:19]).all()
    np.testing.assert_allclose(predicted[19:22], forecaster.forecast(3, history=trend[:19]))
    np.testing.assert_allclose(predicted[-2:], forecaster.forecast(3, history=trend[:-3])[1:])


def test_logarithms_are_taken_before_differences(trend):
    grows = np.exp(trend / 20)
    log = FunctionTransformer(np.log, np.exp)

    drift = Forecaster(DummyRegressor(), 1, differences=1, scaler=log).fit(grows).forecast(1)

    assert drift == pytest.approx(grows[-1] * (grows[-1] / grows[1]) ** (1 / 94))


def test_differences_reach_the_regressor_standardised_unless_nothing_is_scaled(trend):
    scaled = Forecaster(Watcher(), 2, differences=1).fit(1000 * trend).estimator_
    raw = Forecaster(Watcher(), 2, differences=1, scaler=None).fit(trend).estimator_

    assert scaled.X_.std() == pytest.approx(1, rel=0.02)
    assert scaled.X_.mean() == pytest.approx(0, abs=0.02)
    np.testing.assert_allclose(raw.y_, np.diff(trend)[2:])


def test_only_targets_are_differenced(waves):
    watcher = Forecaster(Watcher(), 1, target=0, exogenous=2, differences=1, scaler=None)

    X = watcher.fit(waves).estimator_.X_

    np.testing.assert_allclose(X[:, 0], waves[1:-1, 0] - waves[:-2, 0])
    np.testing.assert_array_equal(X[:, 1], waves[1:-1, 1])
    np.testing.assert_array_equal(X[:, 2], waves[2:, 2])


def test_a_test_fold_goes_on_from_as_many_rows_as_differences_need(trend):
    series = pd.Series(trend, pd.period_range("2000-01", periods=96, freq="M"))
    forecaster = Forecaster(Ridge(), 6, differences=(1, 12)).fit(series[:80])

    assert forecaster.last_window_.shape == (19, 1)
    pd.testing.assert_series_equal(forecaster.predict(series[80:]), forecaster.predict(series)[80:])


def test_held_out_windows_share_no_row_through_differences(trend):
    seen = {}

    class Spy(MLPRegressor):
        def fit(self, X, y, X_val=None, y_val=None):
            seen.update(n=len(X), n_val=len(X_val))
            return self

    network = Spy(early_stopping=True, validation_fraction=0.2)
    Forecaster(network, 6, differences=12).fit(trend)

    # 78 windows; 16 are held out, and 18 rows before them belong to them.
    assert seen == {"n": 78 - 16 - 18, "n_val": 16}


# Windows on their own scale.


@pytest.mark.parametrize(
    ("kind", "centre"),
    [("mean", lambda w: w.mean(axis=1)), ("last", lambda w: w[:, -1])],
)
def test_windows_lose_their_level_and_so_does_what_follows(trend, kind, centre):
    watcher = Forecaster(Watcher(), 5, horizon=2, scaler=None, window_scaling=kind).fit(trend)

    windows = np.lib.stride_tricks.sliding_window_view(trend, 7)
    level = centre(windows[:, :5])[:, None]
    np.testing.assert_allclose(watcher.estimator_.X_, windows[:, :5] - level)
    np.testing.assert_allclose(watcher.estimator_.y_, windows[:, 5:] - level)
    np.testing.assert_allclose(watcher.predict_steps(trend), np.hstack([level, level]))


def test_windows_may_be_divided_by_their_deviation(trend):
    X = Forecaster(Watcher(), 5, window_scaling="standard").fit(trend).estimator_.X_

    np.testing.assert_allclose(X.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(X.std(axis=1), 1)


@pytest.mark.parametrize(
    "options",
    [
        {"window_scaling": "mean"},
        {"window_scaling": "last"},
        {"window_scaling": "standard"},
        {"differences": 1},
    ],
)
@pytest.mark.parametrize("horizon", [1, 3])
def test_a_tree_follows_a_trend_beyond_what_it_has_seen(trend, options, horizon):
    tree = DecisionTreeRegressor(random_state=0)
    line = np.arange(60.0)

    followed = Forecaster(tree, 4, horizon=horizon, **options).fit(line).forecast(30)

    np.testing.assert_allclose(followed, np.arange(60.0, 90.0))
    assert Forecaster(tree, 4, horizon=horizon).fit(line).forecast(30).max() < 60


@pytest.mark.parametrize("kind", ["mean", "last", "standard"])
@pytest.mark.parametrize("input", ["rows", "sequences"])
def test_a_raised_window_has_a_raised_forecast(trend, kind, input):
    estimator = MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, random_state=0)
    if input == "sequences":
        estimator = RNNRegressor(hidden_layer_sizes=(3,), max_iter=3, random_state=0)
    forecaster = Forecaster(estimator, 6, window_scaling=kind).fit(trend)

    np.testing.assert_allclose(
        forecaster.forecast(4, history=trend + 1000), forecaster.forecast(4) + 1000, rtol=1e-5
    )


def test_columns_that_are_known_ahead_keep_their_scale(waves):
    options = {"exogenous": 2, "scaler": None, "window_scaling": "mean"}
    X = Forecaster(Watcher(), 3, **options).fit(waves).estimator_.X_

    np.testing.assert_array_equal(
        X[:, 2::3], np.lib.stride_tricks.sliding_window_view(waves[1:, 2], 3)
    )
    np.testing.assert_allclose(X[:, ::3].mean(axis=1), 0, atol=1e-12)


def test_a_constant_window_is_not_divided_by_nothing():
    series = np.r_[np.zeros(30), np.random.RandomState(0).normal(size=30)]

    forecaster = Forecaster(LinearRegression(), 4, window_scaling="standard").fit(series)

    assert np.abs(forecaster.estimator_.coef_).max() < 10
    np.testing.assert_allclose(forecaster.predict(series)[5:29], 0, atol=0.5)


def test_missing_values_of_a_window_do_not_count():
    scaling = WindowScaling("mean", np.array([True]), least_scales(np.ones((3, 1))))
    windows = np.array([[1.0, np.nan, 3.0], [np.nan, 4.0, np.nan]])[:, :, None]

    assert scaling.find(windows)[0].ravel().tolist() == [2, 4]
    scaling.kind = "last"
    assert scaling.find(windows)[0].ravel().tolist() == [3, 4]


@pytest.mark.parametrize(
    "options", [{"differences": (1, 12)}, {"window_scaling": "standard"}, {"differences": 1}]
)
def test_scores_and_validation_are_in_step_with_the_training(trend, options):
    network = MLPRegressor(hidden_layer_sizes=(2,), max_iter=2, random_state=0)
    forecaster = Forecaster(network, 6, follows_training=True, **options)

    forecaster.fit(trend[:70], X_val=trend[70:])

    predicted = forecaster.predict(trend[70:])
    assert forecaster.score(trend[70:]) == pytest.approx(r2_score(trend[70:], predicted))
    assert len(forecaster.estimator_.validation_scores_) == 2


@pytest.mark.parametrize("bad", [0, -1, (1, 0), (1, 1.5), ("a",)])
def test_bad_lags_are_named(trend, bad):
    with pytest.raises(ValueError, match="differences"):
        Forecaster(Ridge(), 2, differences=bad).fit(trend)


def test_a_series_too_short_for_its_differences_is_told():
    with pytest.raises(
        ValueError, match=r"differences=\(1, 12\) need a series of at least 18 rows"
    ):
        Forecaster(Ridge(), 4, differences=(1, 12)).fit(np.arange(17.0))
    forecaster = Forecaster(Ridge(), 4, differences=12).fit(np.arange(40.0))
    with pytest.raises(ValueError, match="12 that differences need"):
        forecaster.forecast(history=np.arange(15.0))


def test_windows_have_no_unknown_scale(trend):
    with pytest.raises(ValueError, match="'window_scaling' parameter"):
        Forecaster(Ridge(), 4, window_scaling="max").fit(trend)
