"""Recurrent networks solve tasks that need a memory, and say what is wrong with bad sequences."""

import numpy as np
import pytest

from sknn_basics import Forecaster, RNNRegressor
from sknn_basics.datasets import make_sum_of_sines

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

TRAINED = {
    "batch_size": 32,
    "learning_rate": "cosine",
    "learning_rate_init": 0.02,
    "alpha": 0,
    "tol": 0,
    "dtype": "float32",
    "random_state": 0,
}


@pytest.fixture(scope="module")
def noise():
    """Sequences of ten random numbers, for training and for testing."""
    X = np.random.default_rng(0).uniform(-1, 1, size=(1200, 10, 1))
    return X[:1000], X[1000:]


def relative_error(model, task, train, test) -> float:
    """Root mean squared error of new sequences, as a share of the range of the targets."""
    model.fit(train, task(train))
    target = task(test)
    return np.sqrt(np.mean((model.predict(test) - target) ** 2)) / np.ptp(target)


def test_a_network_adds_up_its_inputs(noise):
    model = RNNRegressor(hidden_layer_sizes=(16,), cell="gru", max_iter=60, **TRAINED)

    assert relative_error(model, lambda X: X.cumsum(axis=1), *noise) < 0.01


def test_a_network_repeats_its_inputs_some_steps_later(noise):
    def delayed(X):
        return np.pad(X[:, :-2], ((0, 0), (2, 0), (0, 0)))

    model = RNNRegressor(hidden_layer_sizes=(16,), cell="gru", max_iter=60, **TRAINED)

    assert relative_error(model, delayed, *noise) < 0.01


# Bad input, from the series to the recurrent network.

SERIES = make_sum_of_sines(60)


def with_gap(series):
    series = series.copy()
    series[30] = np.nan
    return series


BAD_SERIES = {
    "window too long": ({"window": 60}, SERIES, "window=60 and horizon=1 need .* 61 rows, .*=60"),
    "missing value": ({}, with_gap(SERIES), "Input X contains NaN"),
    "ragged": ({}, [[1.0, 2.0], [3.0], [4.0, 5.0]], "looks like several"),
    "several series": ({}, SERIES.reshape(2, 6, 5), "looks like several"),
    "no horizon": ({"horizon": 0}, SERIES, "'horizon' parameter .* Got 0"),
    "horizon back in time": ({"horizon": -1}, SERIES, "'horizon' parameter .* Got -1"),
}


@pytest.mark.parametrize("case", BAD_SERIES)
def test_a_forecaster_of_sequences_refuses_a_bad_series(case):
    options, series, message = BAD_SERIES[case]
    forecaster = Forecaster(RNNRegressor(hidden_layer_sizes=(2,), max_iter=1), **options)

    with pytest.raises(ValueError, match=message):
        forecaster.fit(series)


@pytest.mark.parametrize("n_steps_out", [0, -1, 1.5])
def test_a_number_of_steps_under_one_raises(n_steps_out, noise):
    model = RNNRegressor(hidden_layer_sizes=(2,), max_iter=1, n_steps_out=n_steps_out)

    with pytest.raises(ValueError, match="'n_steps_out' parameter of RNNRegressor must be"):
        model.fit(noise[0], noise[0][:, -1])


def test_ragged_targets_of_equal_sequences_name_the_first_that_differs(noise):
    X = noise[0][:3]
    y = [X[0], X[1, :7], X[2]]

    with pytest.raises(ValueError, match=r"X\[1\] has 10 steps and y\[1\] has 7"):
        RNNRegressor(hidden_layer_sizes=(2,), max_iter=1).fit(X, y)


RAGGED = [[[1.0, 2.0], [3.0]], [[4.0, 5.0], [6.0, 7.0]]]


@pytest.mark.parametrize(
    ("X", "message"),
    [(RAGGED, "X has steps of several"), ([*RAGGED, [[8.0]]], r"X\[0\] has steps of several")],
)
def test_ragged_steps_are_named(X, message):
    with pytest.raises(ValueError, match=message):
        RNNRegressor(hidden_layer_sizes=(2,), max_iter=1).fit(X, np.arange(len(X)))


def test_ragged_targets_are_named(noise):
    with pytest.raises(ValueError, match="y has steps of several"):
        RNNRegressor(hidden_layer_sizes=(2,), max_iter=1).fit(noise[0][:2], RAGGED)
