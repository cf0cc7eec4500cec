"""Data that several tests use: small, real, and read-only so that no test can change it."""

import os
import sys
from functools import cache
from urllib.error import URLError

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.preprocessing import scale

from sknn_basics.datasets import load_sunspots
from sknn_basics.export import register_converters
from sknn_basics.modules.layers import random_layers, seed_random_layers
from sknn_basics.training.interrupts import LastInterrupt

# It is read by mypy alone, and has errors on purpose.
collect_ignore = ["user_code.py"]


# Whole files that start processes, compile, interrupt, or try every estimator in every way.
SLOW_FILES = {
    "test_agents.py",
    "test_common.py",
    "test_determinism.py",
    "test_documentation.py",
    "test_failures.py",
    "test_pairs.py",
    "test_parallel.py",
    "test_sequence_tasks.py",
    "test_site.py",
    "test_stacked_failures.py",
    "test_stacked_sequences.py",
    "test_stacked_tasks.py",
    "test_systems.py",
    "test_variational_autoencoder.py",
}


def pytest_addoption(parser):
    parser.addoption(
        "--device", default="cuda", help="where tests marked cuda compute; 'cpu' tries them out"
    )


def pytest_configure(config):
    """Hide GPUs from all tests but those that are for one: expected bits are a CPU's."""
    if config.option.markexpr != "cuda":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def pytest_collection_modifyitems(config, items):
    """Mark what `make quick` leaves out, and skip what needs a GPU where there is none."""
    device = config.option.device
    is_there = device != "cuda" or torch.cuda.is_available()
    for item in items:
        if item.path.name in SLOW_FILES or "compiled" in item.name:
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("cuda") and (not is_there or config.option.markexpr != "cuda"):
            item.add_marker(pytest.mark.skip(reason="needs a GPU and -m cuda"))
        elif device == "cpu" and "gpu_only" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.skip(reason="counts what only a GPU does"))
        if item.name.startswith("sknn_basics.export.") and (reason := why_no_onnx()):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def gpu_only():
    """Of tests marked cuda, those that say nothing on a CPU."""


@pytest.fixture
def keyed_layers(monkeypatch):
    """Let random layers draw from keys, as they do on any device but the CPU."""

    def seed(module, generator, device):
        seed_random_layers(module, generator, device)
        for layer in random_layers(module):
            layer.key = torch.randint(2**62, (), generator=generator)

    monkeypatch.setattr("sknn_basics.estimators._base.fit.seed_random_layers", seed)


@cache
def why_no_onnx() -> str | None:
    """Say what the examples of `sknn_basics.export` lack, if they lack anything."""
    try:
        register_converters()
    except ImportError as error:
        return str(error)
    return None


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


@pytest.fixture(autouse=True)
def no_interrupt_before(monkeypatch):
    """Let no test be the second one that is interrupted."""
    monkeypatch.setattr(LastInterrupt, "time", -float("inf"))


@pytest.fixture(autouse=True)
def no_figures_left():
    """Close the figures of displays, without a window for any."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


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


@pytest.fixture(scope="session")
def sunspots():
    """Yearly sunspot numbers from 1700 to 2008."""
    pytest.importorskip("statsmodels")
    return load_sunspots(as_frame=True)


@pytest.fixture(scope="session")
def waves():
    """Three noisy columns that depend on each other's past, and on the present of the third."""
    rng = np.random.RandomState(0)
    series = rng.normal(size=(120, 3))
    for t in range(2, 120):
        series[t, 0] += 0.6 * series[t - 1, 0] - 0.3 * series[t - 2, 1] + series[t, 2]
        series[t, 1] += 0.5 * series[t - 1, 1] + 0.2 * series[t - 1, 0]
    return read_only(series)[0]


@pytest.fixture
def frame(waves):
    """The same as a frame of days."""
    pd = pytest.importorskip("pandas")
    days = pd.date_range("2024-01-30", periods=120, freq="D", name="day")
    return pd.DataFrame(waves, index=days, columns=["load", "wind", "plan"])
