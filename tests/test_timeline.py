"""Forecasts keep the labels of pandas, and their index goes on."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, ShuffleSplit, TimeSeriesSplit, cross_val_score

from sknn_basics import Forecaster
from sknn_basics.datasets import make_sum_of_sines
from sknn_basics.preprocessing import SlidingWindow


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
        pd.Index(["day"] * 20),
        pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(20) * 60 + np.arange(20) % 3, "s"),
        pd.Index(np.arange(20) + np.arange(20) % 3 / 10),
    ],
    ids=["strings", "one string", "times that jitter", "numbers that jitter"],
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
    seconds = np.arange(120) * 60 + np.arange(120) % 3
    readings = frame.set_index(pd.Timestamp("2024-01-01") + pd.to_timedelta(seconds, "s"))

    forecast = linear(2, exogenous="plan").fit(readings[:90]).forecast(5, exogenous=readings[90:])

    pd.testing.assert_index_equal(forecast.index, readings.index[90:95])


def test_what_is_known_ahead_must_begin_where_the_series_ends(frame):
    forecaster = linear(2, exogenous="plan").fit(frame[:100])

    with pytest.raises(ValueError, match="must begin at 2024-05-09 .* begins at 2024-05-10"):
        forecaster.forecast(3, exogenous=frame[101:])


@pytest.mark.parametrize("dates", [True, False])
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([0, 2, 1, 3, 4], "begin|order of time"),
        ([0, 1, 1, 2, 3], "more than once|has .* in place of"),
        ([0, 1, 3, 4, 5], "no gaps|has .* in place of"),
    ],
    ids=["order", "twice", "hole"],
)
def test_what_is_known_ahead_goes_on_row_by_row(frame, dates, rows, message):
    series = frame if dates else frame.reset_index(drop=True)
    forecaster = linear(2, exogenous="plan").fit(series[:100])

    with pytest.raises(ValueError, match=f"exogenous.*({message})"):
        forecaster.forecast(5, exogenous=series[100:].iloc[rows])


def test_what_is_known_ahead_of_an_array_is_in_the_order_of_time(frame):
    forecaster = linear(2, exogenous=2).fit(frame.to_numpy()[:100])

    with pytest.raises(ValueError, match="rows of exogenous must be in the order of time"):
        forecaster.forecast(5, exogenous=frame[["plan"]][100:][::-1])


def test_all_rows_of_a_horizon_are_compared(frame):
    forecaster = linear(2, exogenous="plan", horizon=4).fit(frame[:100])
    plan = frame[100:108].set_index(frame.index[100:106].append(frame.index[107:109]))

    with pytest.raises(ValueError, match="exogenous"):
        forecaster.forecast(5, exogenous=plan)


def test_labels_that_differ_by_rounding_go_on():
    index = pd.Index(np.arange(40) / 10)
    series = pd.Series(make_sum_of_sines(40), index=index)
    forecaster = linear(2).fit(series.iloc[:30])

    assert np.isfinite(forecaster.predict(series.iloc[30:])).all()


# Gaps, and several series.

INDICES = {
    "dates": pd.date_range("2020-01-01", periods=30, freq="D"),
    "months": pd.date_range("2020-01-31", periods=30, freq="ME"),
    "zone": pd.date_range("2020-01-01", periods=30, freq="h", tz="Europe/Berlin"),
    "periods": pd.period_range("2020-01", periods=30, freq="M"),
    "durations": pd.timedelta_range("0s", periods=30, freq="5s"),
    "weekdays": pd.bdate_range("2020-01-01", periods=30),
    "date objects": pd.Index(pd.date_range("2020-01-01", periods=30).date),
    "years": pd.RangeIndex(1700, 1730),
    "fractions": pd.Index(1950 + np.arange(30) / 4),
}


def on_rows(index, rows):
    return pd.Series(make_sum_of_sines(len(rows)), index=index[rows])


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([*range(10), *range(12, 30)], "no gaps"),
        ([*range(10), *range(9, 30)], "more than once"),
        ([*range(10), 11, 10, *range(12, 30)], "in the order of time"),
        (np.flatnonzero(np.random.RandomState(0).rand(30) < 0.6), "no gaps"),
    ],
    ids=["missing", "twice", "order", "shuffled fold"],
)
def test_rows_that_are_missing_repeated_or_out_of_order_raise(index, rows, message):
    forecaster = linear(2).fit(on_rows(index, range(30)))

    for method in (linear(2).fit, forecaster.predict, forecaster.score):
        with pytest.raises(ValueError, match=message):
            method(on_rows(index, rows))
    with pytest.raises(ValueError, match=message):
        forecaster.forecast(history=on_rows(index, rows))
    with pytest.raises(ValueError, match=message):
        SlidingWindow(2).fit(on_rows(index, rows))


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
@pytest.mark.parametrize("n_rows", [4, 5, 6, 29])
def test_a_part_of_a_regular_index_has_no_gaps(index, n_rows):
    # As text and back, which loses the frequency.
    if isinstance(index, pd.DatetimeIndex):
        index = pd.DatetimeIndex(index.to_numpy(), tz=index.tz)

    for start in range(30 - n_rows):
        linear(2).fit(on_rows(index, range(start, start + n_rows)))


@pytest.mark.parametrize(
    "days",
    [
        pd.date_range("2020-01-01", periods=30, freq="bh"),
        pd.date_range("2020-02-15", periods=30, freq="SME"),
        pd.date_range("2020-01-01", periods=30, freq="BQE"),
        pd.date_range("2020-01-01", periods=30, freq="WOM-3FRI"),
    ],
    ids=["business hours", "half months", "quarters", "third Fridays"],
)
def test_frequencies_with_steps_of_several_lengths_have_no_gaps(days):
    linear(2).fit(pd.Series(make_sum_of_sines(30), index=pd.DatetimeIndex(days.to_numpy())))


def test_trading_days_are_taken_with_a_frequency_that_knows_the_holidays():
    holidays = pd.offsets.CustomBusinessDay(holidays=["2024-12-24", "2024-12-25", "2024-12-26"])
    days = pd.date_range("2024-12-01", periods=30, freq=holidays)
    series = pd.Series(make_sum_of_sines(30), index=days)

    assert np.isfinite(cross_val_score(linear(2), series, cv=TimeSeriesSplit(3))).all()
    with pytest.raises(ValueError, match="reset_index"):
        linear(2).fit(series.set_axis(pd.DatetimeIndex(days.to_numpy())))


def test_periods_further_apart_than_their_frequency_says_raise():
    quarters = pd.period_range("2020-01", periods=30, freq="M")[::3]

    with pytest.raises(ValueError, match="no gaps"):
        linear(2).fit(on_rows(quarters, range(10)))


def test_missing_labels_raise():
    with pytest.raises(ValueError, match="missing labels"):
        linear(2).fit(pd.Series(make_sum_of_sines(20), index=[np.nan, *range(19)]))


@pytest.mark.parametrize("convert", [pd.Series.to_frame, lambda series: series])
def test_several_series_in_a_multiindex_raise(sunspots, convert):
    panel = pd.concat({"a": sunspots, "b": sunspots}, names=["star", "year"])

    with pytest.raises(ValueError, match=r"single series, .* levels \['star', 'year'\]"):
        linear(2).fit(convert(panel))


@pytest.mark.parametrize("cv", [3, KFold(3, shuffle=True, random_state=0), ShuffleSplit(2)])
def test_folds_that_leave_gaps_raise(sunspots, cv):
    with pytest.raises(ValueError, match="TimeSeriesSplit"):
        cross_val_score(linear(2), sunspots.reset_index(drop=True), cv=cv, error_score="raise")


# A series that is said to follow the training series.


SHOWN = {name: index for name, index in INDICES.items() if name != "date objects"}


@pytest.mark.parametrize("index", SHOWN.values(), ids=SHOWN)
@pytest.mark.parametrize("start", [5, 19, 22])
def test_follows_training_raises_where_the_index_shows_otherwise(index, start):
    told = linear(2, follows_training=True).fit(on_rows(index, range(20)))

    for method in (told.predict, told.score):
        with pytest.raises(ValueError, match="follows_training=True, but .* begins at"):
            method(on_rows(index, range(start, 30)))
    assert np.isfinite(told.predict(on_rows(index, range(20, 30)))).all()


def test_follows_training_is_believed_where_no_index_shows_it(sunspots):
    told = linear(2, follows_training=True).fit(sunspots[:200])
    expected = told.predict(sunspots[200:]).to_numpy()

    for later in (sunspots[200:].reset_index(drop=True), sunspots[200:].to_numpy()):
        np.testing.assert_array_equal(told.predict(later), expected)


def test_a_shuffled_series_of_dates_raises(frame):
    with pytest.raises(ValueError, match="in the order of time, but its DatetimeIndex"):
        linear(2).fit(frame.sample(frac=1, random_state=0))


def test_arrays_give_arrays(frame):
    forecaster = linear(2).fit(frame.to_numpy())

    assert type(forecaster.predict(frame.to_numpy())) is np.ndarray
    assert type(forecaster.forecast(3)) is np.ndarray
