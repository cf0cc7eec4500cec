"""Windows hold what precedes their targets, without a copy, and keep the index of pandas."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from sknn_basics.datasets import make_sum_of_sines
from sknn_basics.preprocessing import SlidingWindow

FEWER = "windows are fewer than the rows they are cut from"
IN_TIME = "a window needs the rows before its target, in the order of time"


@parametrize_with_checks(
    [SlidingWindow(window=3), SlidingWindow(window=2, horizon=2, target=0, exogenous=[])],
    expected_failed_checks=lambda estimator: {
        "check_transformer_general": FEWER,
        "check_transformer_data_not_an_array": FEWER,
        "check_methods_sample_order_invariance": IN_TIME,
        "check_methods_subset_invariance": IN_TIME,
        "check_fit1d": "a series of one feature has one dimension",
    },
)
def test_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture
def series():
    """A busy sum of sines, 50 steps."""
    return make_sum_of_sines(50, kind="busy")


@pytest.fixture
def weather():
    """Three named columns of 12 days."""
    values = np.arange(36.0).reshape(12, 3)
    days = pd.date_range("2024-02-25", periods=12, freq="D", name="day")
    return pd.DataFrame(values, index=days, columns=["load", "wind", "holiday"])


def cut(series, **options):
    return SlidingWindow(**options).fit(series).split(series)


@pytest.mark.parametrize("window", [1, 3, 5, 49])
def test_windows_hold_what_precedes_the_target(series, window):
    X, y = cut(series, window=window)

    np.testing.assert_array_equal(X, [series[i : i + window] for i in range(50 - window)])
    np.testing.assert_array_equal(y, series[window:])


def test_step_leaves_windows_out(series):
    X, y = cut(series, window=4, step=3)

    np.testing.assert_array_equal(X, [series[i : i + 4] for i in range(0, 46, 3)])
    np.testing.assert_array_equal(y, series[4::3])


def test_horizon_takes_all_next_values_as_target(series):
    X, y = cut(series, window=4, horizon=3)

    np.testing.assert_array_equal(X, [series[i : i + 4] for i in range(44)])
    np.testing.assert_array_equal(y, [series[i + 4 : i + 7] for i in range(44)])


@pytest.mark.parametrize(("step", "horizon"), [(1, 1), (2, 1), (7, 1), (1, 5), (3, 5), (60, 2)])
def test_number_of_windows_and_targets_is_the_same(series, step, horizon):
    X, y = cut(series, window=6, step=step, horizon=horizon)
    expected = len([i for i in range(0, 50, step) if i + 6 + horizon <= 50])

    assert len(X) == len(y) == expected


def test_rows_are_sequences_read_time_by_time(weather):
    values = weather.to_numpy()
    rows, _ = cut(values, window=4)
    sequences, _ = cut(values, window=4, flatten=False)

    np.testing.assert_array_equal(sequences, [values[i : i + 4] for i in range(8)])
    np.testing.assert_array_equal(rows, sequences.reshape(8, 12))


def test_one_feature_has_sequences_of_one_feature(series):
    assert cut(series, window=4, flatten=False)[0].shape == (46, 4, 1)


def test_targets_are_chosen_by_name_or_position(weather):
    _, by_name = cut(weather, window=4, target="wind")
    _, by_position = cut(weather.to_numpy(), window=4, target=1)
    _, from_the_end = cut(weather.to_numpy(), window=4, target=-2)

    np.testing.assert_array_equal(by_name, weather["wind"][4:])
    np.testing.assert_array_equal(by_position, by_name)
    np.testing.assert_array_equal(from_the_end, by_name)


def test_several_targets_keep_their_order(weather):
    _, y = cut(weather, window=4, target=["wind", "load"])

    pd.testing.assert_frame_equal(y, weather[["wind", "load"]][4:], check_freq=False)


def test_targets_of_a_horizon_go_time_by_time(weather):
    values = weather.to_numpy()
    _, y = cut(values, window=4, horizon=2, target=[2, 0])

    np.testing.assert_array_equal(y, [values[i + 4 : i + 6][:, [2, 0]].ravel() for i in range(7)])


def test_no_target_means_all_columns_that_are_not_exogenous(weather):
    assert SlidingWindow(3).fit(weather).target_.tolist() == [0, 1, 2]
    assert SlidingWindow(3, exogenous="wind").fit(weather).target_.tolist() == [0, 2]


@pytest.mark.parametrize("horizon", [1, 2, 5])
def test_exogenous_columns_end_with_the_target(weather, horizon):
    values = weather.to_numpy()
    options = {"window": 4, "horizon": horizon, "exogenous": 2, "flatten": False}
    X, _ = cut(values, **options)

    for i, window in enumerate(X):
        np.testing.assert_array_equal(window[:, :2], values[i : i + 4, :2])
        np.testing.assert_array_equal(window[:, 2], values[i + horizon : i + 4 + horizon, 2])


def test_names_tell_the_distance_from_the_target(weather):
    names = SlidingWindow(2, exogenous="holiday").fit(weather).get_feature_names_out()

    assert names.tolist() == [
        *("load_lag2", "wind_lag2", "holiday_lag1"),
        *("load_lag1", "wind_lag1", "holiday_lead1"),
    ]


def test_named_columns_hold_what_their_names_say(weather):
    X, y = cut(weather, window=3, horizon=2, target="load", exogenous="holiday")
    day = X.index[1]

    assert X.loc[day, "wind_lag2"] == weather["wind"].shift(2)[day]
    assert X.loc[day, "holiday_lead2"] == weather["holiday"].shift(-1)[day]
    assert y.loc[day, "load_lead1"] == weather.loc[day, "load"]
    assert y.loc[day, "load_lead2"] == weather["load"].shift(-1)[day]


def test_pandas_keeps_the_index_of_the_target(weather):
    X, y = cut(weather, window=4, step=2, target="load")

    pd.testing.assert_index_equal(X.index, weather.index[4::2])
    pd.testing.assert_series_equal(y, weather["load"][4::2])


def test_a_series_of_pandas_keeps_its_name():
    series = pd.Series([1, 2, 4, 8, 16], index=list("abcde"), name="cells")
    X, y = cut(series, window=2)

    pd.testing.assert_series_equal(y, series[2:])
    assert X.columns.tolist() == ["cells_lag2", "cells_lag1"]


def test_pandas_output_is_made_of_arrays_too(series):
    X = SlidingWindow(2).set_output(transform="pandas").fit_transform(series)

    assert X.columns.tolist() == ["x0_lag2", "x0_lag1"]


@pytest.mark.parametrize("flatten", [True, False])
def test_windows_share_the_memory_of_their_series(series, flatten):
    columns = np.column_stack([series, series])

    assert np.shares_memory(cut(columns, window=4, flatten=flatten)[0], columns)
    assert all(np.shares_memory(part, series) for part in cut(series, window=4, step=2))


def test_windows_of_a_memory_map_stay_on_disk(tmp_path, series):
    np.save(tmp_path / "series.npy", series)
    mapped = np.load(tmp_path / "series.npy", mmap_mode="r")

    assert np.shares_memory(cut(mapped, window=4)[0], mapped)


def test_windows_keep_the_data_type():
    X, y = cut(np.arange(9, dtype=np.uint8), window=4)

    assert X.dtype == y.dtype == np.uint8


def test_missing_values_stay_missing():
    X, y = cut([1.0, np.nan, 3.0, 4.0], window=2)

    np.testing.assert_array_equal(X, [[1, np.nan], [np.nan, 3]])
    np.testing.assert_array_equal(y, [3, 4])


@pytest.mark.parametrize("convert", [list, torch.tensor, pl.Series, lambda s: pd.DataFrame(s)])
def test_other_containers_give_the_same_windows(series, convert):
    X, y = cut(convert(series), window=4)

    np.testing.assert_array_equal(X, cut(series, window=4)[0])
    np.testing.assert_array_equal(np.ravel(y), series[4:])


@pytest.mark.parametrize(("window", "horizon"), [(50, 1), (48, 3), (1000, 1)])
def test_window_longer_than_its_series_tells_both_lengths(series, window, horizon):
    with pytest.raises(
        ValueError, match=f"window={window} and horizon={horizon} .* {window + horizon} .*=50"
    ):
        SlidingWindow(window, horizon=horizon).fit(series)


def test_another_series_may_be_too_short(series):
    with pytest.raises(ValueError, match="n_samples=4"):
        SlidingWindow(4).fit(series).transform(series[:4])


@pytest.mark.parametrize(
    "columns",
    [
        {"target": 3},
        {"target": "rain"},
        {"target": ["load", "load"]},
        {"target": ["load", 0]},
        {"exogenous": "rain"},
        {"target": []},
        {"exogenous": ["load", "wind", "holiday"]},
        {"target": "load", "exogenous": "load"},
    ],
)
def test_impossible_columns_raise_with_their_names(weather, columns):
    with pytest.raises(ValueError, match=str(next(iter(columns.values())))[1:-1]):
        SlidingWindow(3, **columns).fit(weather)


@pytest.mark.parametrize("bad", [{"window": 0}, {"step": 0}, {"horizon": 1.5}, {"flatten": "no"}])
def test_bad_parameters_raise(series, bad):
    with pytest.raises(ValueError, match=f"'{next(iter(bad))}' parameter"):
        SlidingWindow(**bad).fit(series)


@pytest.mark.parametrize(
    "bad",
    [
        np.ones((4, 5, 6)),
        np.array(["a"] * 20),
        np.arange(20).astype("datetime64[D]"),
        csr_array(np.ones((20, 2))),
        [[1, 2], [3]],
        [1.0, np.inf] * 10,
        [],
        5.0,
    ],
)
def test_what_is_no_series_of_numbers_raises(bad):
    with pytest.raises((ValueError, TypeError)):
        SlidingWindow(2).fit(bad)


def test_another_number_of_features_raises(weather):
    with pytest.raises(ValueError, match="2 features, but SlidingWindow is expecting 3"):
        SlidingWindow(2).fit(weather.to_numpy()).transform(weather.to_numpy()[:, :2])


def test_clone_and_pickle_cut_the_same(weather):
    window = SlidingWindow(3, step=2, target="load", exogenous=["holiday"])
    X, y = window.fit(weather).split(weather)

    for copy in (clone(window).fit(weather), pickle.loads(pickle.dumps(window))):
        pd.testing.assert_frame_equal(copy.transform(weather), X)
        pd.testing.assert_series_equal(copy.make_target(weather), y)
