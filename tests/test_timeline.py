"""Forecasts keep the labels of pandas, and their index goes on."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from sknn_basics import Forecaster
from sknn_basics.datasets import make_sum_of_sines


def linear(window, **options):
    return Forecaster(LinearRegression(), window, **options)


@pytest.mark.parametrize(
    ("index", "following"),
    [
        (pd.RangeIndex(1700, 1720, name="year"), pd.RangeIndex(1720, 1723, name="year")),
        (pd.RangeIndex(0, 40, 2), pd.RangeIndex(40, 46, 2)),
        (pd.Index(list(range(1980, 2000))), pd.Index([2000, 2001, 2002])),
        (pd.Index(np.arange(20, dtype="uint8")), pd.Index([20, 21, 22])),
        (pd.Index(1950 + np.arange(20) / 4), pd.Index([1955.0, 1955.25, 1955.5])),
        (
            pd.date_range("2024-01-31", periods=20, freq="ME", name="month"),
            pd.DatetimeIndex(["2025-09-30", "2025-10-31", "2025-11-30"], name="month"),
        ),
        (
            pd.DatetimeIndex(list(pd.bdate_range("2024-01-01", periods=20))),
            pd.DatetimeIndex(["2024-01-29", "2024-01-30", "2024-01-31"]),
        ),
        (
            pd.date_range("2024-03-30", periods=20, freq="h", tz="Europe/Berlin"),
            pd.date_range("2024-03-30 20:00", periods=3, freq="h", tz="Europe/Berlin"),
        ),
        (
            pd.period_range("2020Q1", periods=20, freq="Q"),
            pd.period_range("2025Q1", periods=3, freq="Q"),
        ),
        (
            pd.timedelta_range("0s", periods=20, freq="5s"),
            pd.to_timedelta(["100s", "105s", "110s"]),
        ),
    ],
    ids=lambda index: f"{type(index).__name__}-{index.dtype}",
)
def test_index_goes_on(index, following):
    series = pd.Series(make_sum_of_sines(20), index=index, name="sines")

    forecast = linear(2).fit(series).forecast(3)

    assert forecast.name == "sines"
    assert forecast.index.name == index.name
    pd.testing.assert_index_equal(forecast.index, following, exact="equiv", check_exact=False)


def test_holidays_of_the_frequency_are_kept():
    trading = pd.offsets.CustomBusinessDay(holidays=["2024-12-24", "2024-12-25", "2024-12-26"])
    days = pd.date_range(end="2024-12-23", periods=20, freq=trading)

    forecaster = linear(2).fit(pd.Series(make_sum_of_sines(20), index=days))

    assert (
        forecaster.forecast(2).index.tolist()
        == pd.to_datetime(["2024-12-27", "2024-12-30"]).tolist()
    )


@pytest.mark.parametrize(
    "index",
    [
        pd.date_range("2024-10-26", periods=20, freq="D", tz="Europe/Berlin", unit="s"),
        pd.period_range("2020-01", periods=20, freq="M"),
        pd.timedelta_range("0s", periods=20, freq="5s"),
        pd.RangeIndex(1700, 1720),
        pd.Index(list("abcdefghijklmnopqrst")),
    ],
    ids=lambda index: type(index).__name__,
)
def test_a_saved_forecaster_knows_how_its_index_goes_on(index):
    skops = pytest.importorskip("skops.io")
    forecaster = linear(2).fit(pd.Series(make_sum_of_sines(20), index=index, name="sines"))

    saved = skops.dumps(forecaster)
    untrusted = skops.get_untrusted_types(data=saved)
    loaded = skops.loads(saved, trusted=untrusted)

    assert all(name.startswith("sknn_basics.") for name in untrusted)
    pd.testing.assert_series_equal(loaded.forecast(3), forecaster.forecast(3))


@pytest.mark.parametrize(
    "index",
    [
        pd.Index([f"day {k}" for k in range(20)]),
        pd.to_datetime(
            [f"2024-01-{k * k // 20 + k + 1:02}" for k in range(14)] + ["2024-03-01"] * 6
        ),
        pd.Index([0, 1, 2, 3, *range(10, 26)]),
        pd.Index([7] * 20),
        pd.MultiIndex.from_product([[2023, 2024], range(10)]),
        pd.Index([np.nan, *range(19)]),
    ],
    ids=["strings", "irregular dates", "gap", "constant", "two levels", "missing"],
)
def test_an_index_that_shows_no_step_counts_the_steps_ahead(index):
    series = pd.Series(make_sum_of_sines(20), index=index)

    expected = pd.RangeIndex(1, 4, name="steps_ahead")
    pd.testing.assert_index_equal(linear(2).fit(series).forecast(3).index, expected)


def test_frames_keep_index_and_columns(frame):
    forecaster = linear(2, target=["wind", "load"], exogenous="plan").fit(frame[:100])

    predicted = forecaster.predict(frame)
    forecast = forecaster.forecast(20, exogenous=frame[["plan"]][100:])

    pd.testing.assert_index_equal(predicted.index, frame.index)
    pd.testing.assert_index_equal(forecast.index, frame.index[100:])
    assert predicted.columns.tolist() == forecast.columns.tolist() == ["wind", "load"]


def test_a_frame_of_one_column_gives_a_series(frame):
    forecast = linear(2).fit(frame[["load"]]).forecast(2)

    assert isinstance(forecast, pd.Series)
    assert forecast.name == "load"


def test_the_index_of_what_is_known_ahead_serves_where_no_step_shows(frame):
    trading = frame.drop(frame.index[[3, 11, 12, 40]])

    forecast = linear(2, exogenous="plan").fit(trading[:90]).forecast(5, exogenous=trading[90:])

    pd.testing.assert_index_equal(forecast.index, trading.index[90:95], exact="equiv")


def test_what_is_known_ahead_must_begin_where_the_series_ends(frame):
    forecaster = linear(2, exogenous="plan").fit(frame[:100])

    with pytest.raises(ValueError, match="must begin at 2024-05-09 .* begins at 2024-05-10"):
        forecaster.forecast(3, exogenous=frame[101:])


def test_a_shuffled_series_of_dates_raises(frame):
    with pytest.raises(ValueError, match="in the order of time, but its DatetimeIndex"):
        linear(2).fit(frame.sample(frac=1, random_state=0))


def test_arrays_give_arrays(frame):
    forecaster = linear(2).fit(frame.to_numpy())

    assert type(forecaster.predict(frame.to_numpy())) is np.ndarray
    assert type(forecaster.forecast(3)) is np.ndarray
