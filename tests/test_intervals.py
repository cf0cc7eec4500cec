"""Intervals hold the share of what comes that they promise, at each step."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sknn_basics import Forecaster, MLPRegressor
from sknn_basics.estimators._base.intervals import at_logits, conformal_bounds
from sknn_basics.model_selection import backtest

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def no_change(**options):
    """The last value goes on."""
    constant = np.zeros(options.get("horizon", 1))
    dummy = DummyRegressor(strategy="constant", constant=constant)
    return Forecaster(dummy, 1, differences=1, scaler=None, **options)


@pytest.fixture(scope="module")
def walk():
    """A random walk, whose forecasts h steps ahead have errors of deviation sqrt(h)."""
    return np.random.RandomState(0).normal(size=4000).cumsum()


# Bounds from errors.


@pytest.mark.parametrize(("n", "coverage", "places"), [(19, 0.9, (0, 18)), (99, 0.8, (9, 89))])
def test_bounds_are_order_statistics(n, coverage, places):
    errors = np.random.RandomState(0).permutation(n).astype(float)[:, None, None]

    bounds = conformal_bounds(errors, coverage)

    assert tuple(bound.item() for bound in bounds) == places


def test_bounds_hold_their_share_of_new_errors_whatever_their_distribution():
    rng = np.random.RandomState(0)
    for draw in (rng.standard_normal, rng.standard_exponential, rng.standard_cauchy):
        errors, new = draw((49, 4000)), draw(4000)
        lower, upper = conformal_bounds(errors[:, :, None], 0.8)
        inside = (lower[:, 0] <= new) & (new <= upper[:, 0])
        assert abs(inside.mean() - 0.8) < 3 * np.sqrt(0.8 * 0.2 / 4000)


def test_missing_errors_do_not_count():
    errors = np.arange(30.0)[:, None, None]
    holed = np.insert(errors, [3, 17, 30], np.nan, axis=0)

    np.testing.assert_array_equal(conformal_bounds(holed, 0.9), conformal_bounds(errors, 0.9))


def test_too_few_errors_for_a_coverage_tell_how_many_are_needed():
    with pytest.raises(ValueError, match="needs 19 errors of each step at least, step 1 has 18"):
        conformal_bounds(np.zeros((18, 2, 1)), 0.9)
    with pytest.raises(ValueError, match="coverage=0.99 needs 199 errors"):
        conformal_bounds(np.zeros((198, 2, 1)), 0.99)


# Intervals of forecasts.


def test_intervals_are_the_forecast_and_the_errors_of_its_step(sunspots):
    forecaster = Forecaster(LinearRegression(), 9).fit(sunspots)
    result = backtest(forecaster, sunspots, n_steps=5, refit=20)

    lower, upper = forecaster.calibrate(result).forecast_interval(5, coverage=0.8)

    errors = (result.true - result.predicted)[:, :, 0]
    k = int(np.ceil((len(errors) + 1) * 0.9))
    point = forecaster.forecast(5)
    np.testing.assert_allclose(upper, point + np.sort(errors, axis=0)[k - 1])
    np.testing.assert_allclose(lower, point + np.sort(errors, axis=0)[-k])
    pd.testing.assert_index_equal(lower.index, point.index)


@pytest.mark.parametrize("step", [1, 10, 30])
def test_intervals_of_a_random_walk_cover_what_comes_at_each_step(walk, step):
    forecaster = no_change().fit(walk[:2000])
    result = backtest(forecaster, walk[:2000], n_steps=30, min_train_size=100, refit=False)
    forecaster.calibrate(result)

    later = backtest(forecaster, walk, n_steps=30, min_train_size=2000, refit=False)
    lower, upper = forecaster.forecast_interval(30, coverage=0.9)
    width = (lower - walk[1999], upper - walk[1999])
    errors = (later.true - later.predicted)[:, step - 1, 0]

    inside = (width[0][step - 1] <= errors) & (errors <= width[1][step - 1])
    # Forecasts of so many steps overlap: those that do not are independent.
    n_independent = len(errors) / step
    assert abs(inside.mean() - 0.9) < 3 * np.sqrt(0.09 / n_independent)
    assert (width[1] - width[0])[step - 1] == pytest.approx(3.29 * np.sqrt(step), rel=0.25)


def test_intervals_of_logarithms_are_shares(walk):
    grows = np.exp(walk[:600] / 20)
    log = make_pipeline(FunctionTransformer(np.log, np.exp), StandardScaler())
    forecaster = no_change().set_params(scaler=log).fit(grows)
    forecaster.calibrate(backtest(forecaster, grows, n_steps=3, refit=False))

    lower, upper = forecaster.forecast_interval(3)
    higher = forecaster.forecast_interval(3, history=100 * grows)

    np.testing.assert_allclose(higher, [100 * lower, 100 * upper])


def test_several_targets_have_intervals_each(frame):
    forecaster = Forecaster(Ridge(), 3, exogenous="plan").fit(frame)
    forecaster.calibrate(backtest(forecaster, frame, n_steps=2, refit=10))
    future = frame[["plan"]][:2].set_axis(frame.index[-2:] + pd.Timedelta(days=2))

    lower, upper = forecaster.forecast_interval(2, coverage=0.5, exogenous=future)

    point = forecaster.forecast(2, exogenous=future)
    assert lower.columns.tolist() == ["load", "wind"]
    assert ((lower < point) & (point < upper)).all(axis=None)


def test_a_new_fit_forgets_the_errors_of_the_last_model(walk):
    forecaster = no_change().fit(walk[:200])
    forecaster.calibrate(backtest(forecaster, walk[:200], n_steps=2, refit=False))

    with pytest.raises(ValueError, match="call calibrate"):
        forecaster.fit(walk[:300]).forecast_interval(2)


def test_intervals_name_what_they_lack(walk):
    forecaster = no_change().fit(walk[:200])
    result = backtest(forecaster, walk[:200], n_steps=2, refit=False)
    with pytest.raises(ValueError, match="call calibrate"):
        forecaster.forecast_interval(2)
    with pytest.raises(ValueError, match="call calibrate"):
        forecaster.sample_paths(2)
    with pytest.raises(ValueError, match="n_steps=3 is more than the 2 steps"):
        forecaster.calibrate(result).forecast_interval(3)
    with pytest.raises(ValueError, match="coverage"):
        forecaster.forecast_interval(2, coverage=90)
    with pytest.raises(ValueError, match="no gap"):
        forecaster.calibrate(backtest(forecaster, walk[:200], gap=1, refit=False))


# Sampled paths.


def test_paths_of_a_random_walk_spread_with_the_root_of_steps(walk):
    forecaster = no_change().fit(walk)
    forecaster.calibrate(backtest(forecaster, walk, refit=False))

    paths = forecaster.sample_paths(25, 2000, random_state=0)

    assert paths.shape == (2000, 25)
    for step in (1, 9, 25):
        deviation = paths[:, step - 1].std()
        assert abs(deviation / np.sqrt(step) - 1) < 3 / np.sqrt(2 * 2000) + 0.03


def test_errors_of_one_origin_are_drawn_together(walk):
    forecaster = no_change(horizon=3).fit(walk[:300])
    result = backtest(forecaster, walk[:300], refit=False)

    paths = forecaster.calibrate(result).sample_paths(3, 50, random_state=0)

    errors = (result.true - result.predicted)[:, :, 0]
    drawn = paths - walk[299]
    assert np.abs(errors[:, None] - drawn).sum(axis=2).min(axis=0).max() < 1e-9


def test_the_same_random_state_draws_the_same_paths(walk):
    forecaster = no_change().fit(walk[:300])
    forecaster.calibrate(backtest(forecaster, walk[:300], refit=False))

    paths = [forecaster.sample_paths(5, 10, random_state=seed) for seed in (0, 0, 1)]

    np.testing.assert_array_equal(paths[0], paths[1])
    assert (paths[0] != paths[2]).any()


class KnownQuantiles(RegressorMixin, BaseEstimator):
    """Predicts the quantiles of the last value plus a logistic variable."""

    def __init__(self, quantile=(0.05, 0.5, 0.95)):
        self.quantile = quantile

    def fit(self, X, y):
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X):
        levels = np.array(self.quantile)
        return X[:, -1:] + np.log(levels / (1 - levels))


def test_a_regressor_of_quantiles_predicts_their_median(walk):
    forecaster = Forecaster(KnownQuantiles(), 2, scaler=None).fit(walk)
    uneven = Forecaster(KnownQuantiles((0.2, 0.7)), 2, scaler=None).fit(walk)

    np.testing.assert_allclose(forecaster.predict(walk)[2:], walk[1:-1])
    np.testing.assert_allclose(uneven.forecast(3), walk[-1])


@pytest.mark.parametrize(
    "wrap",
    [lambda e: e, lambda e: make_pipeline(StandardScaler(with_mean=False, with_std=False), e)],
)
def test_paths_of_predicted_quantiles_add_up(walk, wrap):
    forecaster = Forecaster(wrap(KnownQuantiles()), 2, scaler=None).fit(walk)

    paths = forecaster.sample_paths(16, 4000, random_state=0) - walk[-1]

    # The variance of a logistic variable is pi**2 / 3.
    for step in (1, 16):
        expected = np.pi * np.sqrt(step / 3)
        assert paths[:, step - 1].std() == pytest.approx(expected, rel=0.05)


def test_quantiles_between_levels_are_interpolated():
    values = np.tile([10.0, 20.0, 40.0], (5, 1))
    levels = np.array([0.25, 0.5, 0.75])
    logit = np.log(3)

    at = at_logits(values, levels, logit * np.array([-2, -1, -0.5, 0.5, 2]))

    np.testing.assert_allclose(at, [0, 10, 15, 30, 60])


def test_a_quantile_network_draws_paths_around_its_median():
    rng = np.random.RandomState(0)
    noise = rng.normal(size=800)
    network = MLPRegressor(
        loss="quantile",
        quantile=[0.05, 0.25, 0.5, 0.75, 0.95],
        hidden_layer_sizes=(4,),
        learning_rate_init=0.02,
        max_iter=40,
        random_state=0,
    )

    forecaster = Forecaster(network, 2).fit(noise)

    for step in (0, 19):
        paths = forecaster.sample_paths(20, 1000, random_state=0)[:, step]
        assert paths.std() == pytest.approx(noise.std(), rel=0.15)
        assert abs(np.median(paths)) < 0.2
