"""What cannot be forecast raises an error that says why."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.decomposition import PCA
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.preprocessing import FunctionTransformer

from sknn_basics import Forecaster, MLPRegressor
from sknn_basics.datasets import make_sum_of_sines
from sknn_basics.preprocessing import SlidingWindow

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def linear(window, **options):
    return Forecaster(LinearRegression(), window, **options)


@pytest.mark.parametrize(("window", "horizon"), [(309, 1), (300, 10), (1000, 1)])
def test_window_longer_than_its_series_tells_both_lengths(sunspots, window, horizon):
    with pytest.raises(ValueError, match=f"window={window} and horizon={horizon} .*=309"):
        linear(window, horizon=horizon).fit(sunspots)


@pytest.mark.parametrize("options", [{}, {"horizon": 3}, {"horizon": 3, "exogenous": 2}])
@pytest.mark.parametrize("method", ["predict", "score"])
def test_a_series_too_short_to_predict_tells_both_lengths(waves, method, options):
    forecaster = linear(10, **options).fit(waves)

    with pytest.raises(ValueError, match="at least 1[13] rows .* window=10 .*=10"):
        getattr(forecaster, method)(waves[:10])


def test_a_series_shorter_than_the_horizon_is_not_scored(sunspots):
    forecaster = linear(5, horizon=6).fit(sunspots[:200])

    with pytest.raises(ValueError, match="at least 6 rows .*=4"):
        forecaster.score(sunspots[200:204])


def test_one_sample_raises(sunspots):
    with pytest.raises(ValueError, match="n_samples=1"):
        linear(1).fit(sunspots[:1])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_missing_values_raise(sunspots, bad):
    series = sunspots.copy()
    series.iloc[50] = bad
    forecaster = linear(3).fit(sunspots)

    for method in (linear(3).fit, forecaster.predict, forecaster.score):
        with pytest.raises(ValueError, match="Input X contains"):
            method(series)
    with pytest.raises(ValueError, match="Input X contains"):
        forecaster.forecast(3, history=series)


def test_a_constant_series_goes_on_constant():
    forecaster = linear(3).fit(np.full(20, 7.0))

    np.testing.assert_allclose(forecaster.forecast(5), 7)


def test_huge_values_are_scaled():
    series = 1e30 * make_sum_of_sines(100)
    network = MLPRegressor(hidden_layer_sizes=(3,), solver="lbfgs", random_state=0)

    assert Forecaster(network, 4).fit(series).score(series) > 0.9


def test_a_diverging_forecast_raises():
    class Exploding(DummyRegressor):
        def predict(self, X):
            return X[:, -1] * 1e200

    with pytest.raises(ValueError, match="diverged after"):
        Forecaster(Exploding(), 2, scaler=None).fit(np.arange(1.0, 20)).forecast(5)


def test_a_refused_fit_keeps_the_model(waves, frame):
    forecaster = linear(3).fit(waves)
    expected = forecaster.forecast(3)
    for bad in (waves[:2], frame[["load"]][:3], waves * np.nan):
        with pytest.raises(ValueError):
            forecaster.fit(bad)

    np.testing.assert_array_equal(forecaster.forecast(3), expected)


def test_a_refused_first_fit_leaves_nothing(waves):
    forecaster = linear(3)
    with pytest.raises(ValueError, match="n_samples=2"):
        forecaster.fit(waves[:2])

    with pytest.raises(sklearn.exceptions.NotFittedError):
        forecaster.predict(waves)


@pytest.mark.parametrize("convert", [np.asarray, pd.DataFrame, pl.DataFrame])
def test_a_second_argument_that_is_not_the_target_raises(waves, convert):
    series, plan = waves[:, 0], convert(waves[:, 2:])

    with pytest.raises(ValueError, match="What is known ahead belongs to X, .* exogenous"):
        linear(3).fit(series, plan)
    with pytest.raises(ValueError, match="y must be None, or the target"):
        linear(3).fit(series).score(series, plan)


def test_a_second_argument_of_whole_numbers_warns(waves):
    with pytest.warns(UserWarning, match="What is known ahead belongs to X"):
        linear(3).fit(waves[:, 0], (waves[:, 2] > 0).astype(int))


# Dates among the columns.

DAYS = pd.date_range("2024-01-01", periods=30)


@pytest.mark.parametrize(
    "dates",
    [DAYS, DAYS.tz_localize("UTC"), DAYS.to_period("D"), DAYS - DAYS[0], DAYS.date],
    ids=["dates", "zone", "periods", "durations", "objects"],
)
def test_a_column_of_dates_raises(dates):
    series = pd.DataFrame({"day": dates, "load": np.arange(30.0)})

    with pytest.raises(ValueError, match=r"columns \['day'\] of X hold dates"):
        linear(3).fit(series)


@pytest.mark.parametrize(
    "dtype", [pl.Date, pl.Datetime, pl.Duration], ids=["dates", "times", "durations"]
)
@pytest.mark.parametrize("fit", [linear(3).fit, SlidingWindow(3).fit], ids=["fit", "windows"])
def test_a_column_of_dates_in_polars_raises(dtype, fit):
    days = pl.Series(np.arange(30)).cast(pl.Int32 if dtype is pl.Date else pl.Int64).cast(dtype)

    with pytest.raises(ValueError, match=r"columns \['day'\] of X hold dates"):
        fit(pl.DataFrame({"day": days, "load": np.arange(30.0)}))


@pytest.mark.parametrize("series", [DAYS.to_numpy(), DAYS.to_series(), pl.Series(DAYS.date)])
def test_a_series_of_dates_raises(series):
    with pytest.raises(ValueError, match="of X hold dates|X must hold numbers, got dtype"):
        linear(3).fit(series)


# Scalers.

DIFFERENCES = FunctionTransformer(
    lambda X: np.diff(X, axis=0, prepend=X[:1]), lambda X: X.cumsum(axis=0), check_inverse=False
)
SMOOTHING = FunctionTransformer(
    lambda X: (X + np.roll(X, 1, axis=0) + np.roll(X, -1, axis=0)) / 3, check_inverse=False
)
DETRENDING = FunctionTransformer(
    lambda X: X - np.arange(len(X))[:, None],
    lambda X: X + np.arange(len(X))[:, None],
    check_inverse=False,
)


@pytest.mark.parametrize("scaler", [DIFFERENCES, SMOOTHING, DETRENDING])
def test_scalers_that_need_other_rows_raise(sunspots, scaler):
    with pytest.raises(ValueError, match="must scale each row and each column by itself"):
        linear(3, scaler=scaler).fit(sunspots)


def test_a_scaler_that_mixes_the_target_with_other_columns_raises(waves):
    with pytest.raises(ValueError, match="each column by itself"):
        linear(3, scaler=PCA(), target=0).fit(waves)


def test_a_scaler_may_mix_targets(waves):
    np.testing.assert_allclose(
        linear(3, scaler=PCA()).fit(waves).forecast(4), linear(3).fit(waves).forecast(4)
    )


def test_a_scaler_without_an_inverse_raises(sunspots):
    with pytest.raises(ValueError, match="needs inverse_func"):
        linear(3, scaler=FunctionTransformer(np.log1p)).fit(sunspots)


def test_columns_that_nobody_knows_ahead_limit_the_forecast(frame):
    forecaster = linear(2, horizon=3, target="load").fit(frame)

    assert len(forecaster.forecast(3)) == 3
    with pytest.raises(ValueError, match=r"n_steps=4 .* horizon=3, .* \['wind', 'plan'\]"):
        forecaster.forecast(4)


@pytest.mark.parametrize(
    ("exogenous", "message"),
    [
        (None, "4 rows of columns .*plan"),
        ([1.0, 2.0, 3.0], r"at least 4 rows of 1 columns, got shape \(3, 1\)"),
        (np.ones((4, 2)), r"got shape \(4, 2\)"),
        ([1.0, np.nan, 3.0, 4.0], "Input exogenous contains NaN"),
        (pd.DataFrame({"wind": [1.0] * 4}), r"lacks the columns \['plan'\]"),
    ],
)
def test_wrong_future_values_raise(frame, exogenous, message):
    forecaster = linear(2, horizon=2, exogenous="plan").fit(frame)

    with pytest.raises(ValueError, match=message):
        forecaster.forecast(3, exogenous=exogenous)


def test_future_values_that_nobody_asked_for_raise(sunspots):
    with pytest.raises(ValueError, match="exogenous must be None"):
        linear(2).fit(sunspots).forecast(2, exogenous=[1, 2])


def test_a_short_history_tells_both_lengths(sunspots):
    with pytest.raises(ValueError, match="at least window=9 rows, got 8"):
        linear(9).fit(sunspots).forecast(history=sunspots[:8])


@pytest.mark.parametrize("n_steps", [0, -1, 1.5, "all"])
def test_bad_numbers_of_steps_raise(sunspots, n_steps):
    with pytest.raises((ValueError, TypeError), match="n_steps"):
        linear(9).fit(sunspots).forecast(n_steps)


@pytest.mark.parametrize(
    "bad",
    [
        {"estimator": "ridge"},
        {"window": 0},
        {"horizon": 0},
        {"step": 0.5},
        {"scaler": "minmax"},
        {"scaler": Ridge()},
        {"input": "columns"},
        {"follows_training": "yes"},
    ],
)
def test_bad_parameters_raise(sunspots, bad):
    with pytest.raises(ValueError, match=f"'{next(iter(bad))}' parameter"):
        linear(3).set_params(**bad).fit(sunspots)


def test_a_scaler_that_changes_the_columns_raises(sunspots):
    class Doubling(FunctionTransformer):
        def transform(self, X):
            return np.hstack([X, X])

    with pytest.raises(ValueError, match="must keep the shape"):
        linear(3, scaler=Doubling()).fit(sunspots)


def test_other_columns_than_in_fit_raise(frame):
    forecaster = linear(2).fit(frame)

    with pytest.raises(ValueError, match="feature names should match"):
        forecaster.predict(frame.rename(columns={"wind": "sun"}))
    with pytest.raises(ValueError, match="2 features, but Forecaster is expecting 3"):
        forecaster.forecast(history=frame.to_numpy()[:, :2])


# Panels.


def panel(kind):
    """Two series of thirty days, as different packages have them."""
    days = pd.date_range("2020-01", periods=30, name="ds")
    series = [pd.Series(np.arange(30.0) + i, days, name="y") for i in range(2)]
    long = pd.concat(dict(zip("ab", series)), names=["unique_id", "ds"]).reset_index()
    return {
        "dict": dict(zip("ab", series)),
        "list": series,
        "list of several lengths": [np.arange(9.0), np.arange(7.0)],
        "objects": np.array([np.arange(9.0), np.arange(7.0)], dtype=object),
        "list of frames": [s.to_frame() for s in series],
        "three dimensions": np.zeros((2, 1, 30)),
        "levels": long.set_index(["unique_id", "ds"])["y"],
        "one below the other": long.set_index("ds")["y"],
        "row by row": long.sort_values("ds").set_index("ds")["y"],
        "rows of the same numbers": pd.concat([s.reset_index(drop=True) for s in series]),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "dict",
        "list",
        "list of several lengths",
        "objects",
        "list of frames",
        "three dimensions",
        "levels",
        "one below the other",
        "row by row",
        "rows of the same numbers",
    ],
)
def test_panels_are_refused_by_name(sunspots, kind):
    forecaster = linear(3).fit(sunspots)
    windows = SlidingWindow(3)
    for use in (linear(3).fit, forecaster.predict, forecaster.predict_steps, windows.fit):
        with pytest.raises(ValueError, match="skforecast's ForecasterRecursiveMultiSeries"):
            use(panel(kind))
