"""Data that several tests use: small, real, and read-only so that no test can change it."""

from urllib.error import URLError

import pytest
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.preprocessing import scale


def read_only(*arrays):
    for array in arrays:
        array.setflags(write=False)
    return arrays


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Let no test fetch data from the network."""

    def refuse(*args, **kwargs):
        raise URLError("tests stay offline")

    monkeypatch.setattr("sknn_basics.datasets.idx.fetch_openml", refuse)


@pytest.fixture(scope="session")
def digits():
    """Handwritten digits: X of shape (1797, 64) in [0, 1], y in 0..9."""
    X, y = load_digits(return_X_y=True)
    return read_only(X / 16, y)


@pytest.fixture(scope="session")
def iris():
    """Iris flowers: standardised X of shape (150, 4), y in 0..2."""
    X, y = load_iris(return_X_y=True)
    return read_only(scale(X), y)


@pytest.fixture(scope="session")
def diabetes():
    """Disease progression: standardised X of shape (442, 10), standardised y."""
    X, y = load_diabetes(return_X_y=True)
    return read_only(scale(X), scale(y))
