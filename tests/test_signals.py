"""Networks of signals and their architectures."""

import pickle
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from sknn_basics import ConvNetClassifier, ConvNetRegressor, architectures
from sknn_basics.modules import fully_convolutional, inception_time, resnet_1d
from sknn_basics.modules.signals import Residual

SMALL = {
    "INCEPTION_TIME": partial(inception_time, n_filters=4, n_bottleneck=4, depth=3),
    "RESNET_1D": partial(resnet_1d, filters=(4, 8)),
    "FCN": partial(fully_convolutional, filters=(8, 16, 8)),
}
KERNELS = 32 * 32 * (39 + 19 + 9)
# Weights of three channels: convolutions, normalizations (two a channel), shortcuts.
NUMBERS = {
    "INCEPTION_TIME": (2 * 3 * 32 + KERNELS + 256)
    + 5 * (2 * 128 * 32 + KERNELS + 256)
    + (3 * 128 + 256)
    + (128 * 128 + 256),
    "RESNET_1D": (64 * (3 * 7 + 64 * 8) + 6 * 64 + 3 * 64 + 128)
    + (128 * (64 * 7 + 128 * 8) + 6 * 128 + 64 * 128 + 256)
    + (128 * 128 * 15 + 6 * 128 + 256),
    "FCN": 3 * 128 * 7 + 128 * 256 * 5 + 256 * 128 * 3 + 2 * (128 + 256 + 128),
}


def small(name, kind=ConvNetClassifier, **options):
    parameters = {**getattr(architectures, name), "features": SMALL[name], "max_iter": 15}
    return kind(**{**parameters, "random_state": 0, "batch_size": 10, **options})


@pytest.fixture(scope="module")
def waves():
    """Sines of two frequencies whose beginnings differ, in two channels."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    steps = np.arange(40) + rng.integers(40, size=(60, 1))
    signals = np.sin(steps * np.where(y, 0.3, 0.6)[:, None])
    return np.stack([signals, rng.normal(size=(60, 40))], axis=-1), np.array(["slow", "fast"])[y]


@pytest.mark.parametrize("name", SMALL)
def test_an_architecture_learns_what_is_shifted_in_time(name, waves):
    X, y = waves
    network = small(name)
    assert cross_val_score(network, X, y, cv=3).mean() > 0.9


@pytest.mark.parametrize("name", SMALL)
def test_a_network_survives_clone_and_pickle(name, waves):
    X, y = waves
    network = small(name, max_iter=2).fit(X, y)
    copy = pickle.loads(pickle.dumps(network))
    np.testing.assert_array_equal(copy.predict_proba(X), network.predict_proba(X))
    again = clone(network).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), network.predict_proba(X))


def test_a_regressor_takes_the_same_parameters(waves):
    X, _ = waves
    target = X[..., 1].mean(axis=1)
    network = small("FCN", ConvNetRegressor, max_iter=100).fit(X, target)
    assert network.score(X, target) > 0.9


@pytest.mark.parametrize(
    ("name", "make"),
    [("INCEPTION_TIME", inception_time), ("RESNET_1D", resnet_1d), ("FCN", fully_convolutional)],
)
def test_sizes_are_those_of_the_papers(name, make):
    module = make((3, 100))
    assert sum(parameter.numel() for parameter in module.parameters()) == NUMBERS[name]
    assert getattr(architectures, name)["features"] == make.__name__


def test_kernels_are_no_longer_than_the_signal():
    module = inception_time((1, 8), depth=1)
    kernels = {
        layer.kernel_size[0] for layer in module.modules() if isinstance(layer, torch.nn.Conv1d)
    }
    assert kernels == {1, 7}
    assert module(torch.zeros(2, 1, 8)).shape == (2, 64)


def test_features_do_not_depend_on_the_length():
    module = resnet_1d((2, 20), filters=(4,)).eval()
    x = torch.randn(1, 2, 20)
    twice = torch.cat([x, x.flip(-1)], -1)
    assert module(twice).shape == module(x).shape == (1, 4)


def test_a_residual_adds_its_inputs():
    body = torch.nn.Identity()
    residual = Residual(body, 3, 3).eval()
    x = torch.randn(5, 3, 7)
    torch.testing.assert_close(residual(x), torch.relu(2 * x), rtol=1e-4, atol=1e-4)
