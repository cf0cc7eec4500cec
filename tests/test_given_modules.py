"""Modules that a user gives in place of layers."""

import copy
import pickle

import numpy as np
import pytest
import skops.io
import torch
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.preprocessing import scale
from torch import nn

from sknn_basics import (
    ConvNetClassifier,
    ConvNetRegressor,
    MLPClassifier,
    MLPRegressor,
    RNNClassifier,
    RNNRegressor,
)
from sknn_basics.modules.given import make_given
from sknn_basics.parallel import stacked

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return scale(X), y


@pytest.fixture(scope="module")
def sequences():
    X = np.random.RandomState(0).randn(60, 5, 2).astype(np.float32)
    return X, X[:, -2:].sum((1, 2))


def body(shape):
    return nn.Sequential(nn.Linear(shape[0], 8), nn.Tanh())


class Residual(nn.Module):
    """A layer that a sequence of layers cannot express."""

    def __init__(self, shape):
        super().__init__()
        self.inner = nn.Linear(shape[-1], shape[-1])

    def forward(self, x):
        return x + torch.relu(self.inner(x))


class Padded(nn.Module):
    """The mean of the steps of each sequence."""

    def __init__(self, shape):
        super().__init__()
        self.inner = nn.Linear(shape[1], 6)

    def forward(self, x, lengths):
        x = torch.tanh(self.inner(x))
        if lengths is None:
            return x.mean(1)
        mask = torch.arange(x.shape[1]) < lengths[:, None]
        return (x * mask.unsqueeze(2)).sum(1) / lengths[:, None]


def train_by_hand(network, X, y, loss, n_epochs):
    """Train as ``solver='sgd', momentum=0, alpha=0`` does on whole samples."""
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(n_epochs):
        optimiser.zero_grad()
        loss(network(X), y).backward()
        optimiser.step()


BARE = {"solver": "sgd", "momentum": 0, "alpha": 0, "learning_rate_init": 0.1, "shuffle": False}
BARE |= {"batch_size": 1000, "max_iter": 4, "random_state": 0}


@pytest.mark.filterwarnings("ignore:Got `batch_size`")
@pytest.mark.parametrize("make", [body, Residual])
def test_a_dense_module_trains_as_in_bare_torch(make, iris):
    X, y = iris
    model = MLPClassifier(module=make, **BARE)
    first = clone(model).initialize(X, y).module_
    network = copy.deepcopy(nn.Sequential(first.module, first.output)).train().requires_grad_()
    train_by_hand(network, torch.tensor(X), torch.tensor(y), nn.CrossEntropyLoss(), 4)
    expected = network(torch.tensor(X)).softmax(1).detach()
    np.testing.assert_allclose(model.fit(X, y).predict_proba(X), expected, rtol=1e-9)


@pytest.mark.filterwarnings("ignore:Got `batch_size`")
def test_torchs_own_recurrent_layer_trains_as_in_bare_torch(sequences):
    X, y = sequences
    model = RNNRegressor(module=lambda shape: nn.GRU(shape[1], 7, batch_first=True), **BARE)
    first = clone(model).initialize(X, y).module_
    recurrent, output = (copy.deepcopy(part) for part in (first.module, first.output))
    network = nn.ModuleList([recurrent, output]).train().requires_grad_()
    network.forward = lambda x: output(recurrent(x)[0][:, -1])[:, 0]
    half = lambda a, b: nn.functional.mse_loss(a, b) / 2  # noqa: E731
    dtype = output.weight.dtype
    train_by_hand(network, torch.tensor(X).to(dtype), torch.tensor(y).to(dtype), half, 4)
    expected = network(torch.tensor(X).to(dtype)).detach()
    np.testing.assert_allclose(model.fit(X, y).predict(X), expected, rtol=1e-5)


def test_a_recurrent_module_predicts_each_step(sequences):
    X, _ = sequences
    y = X.sum(2, keepdims=True)
    model = RNNRegressor(module=Residual, max_iter=60, learning_rate_init=0.05, random_state=0)
    assert model.fit(X, y).predict(X).shape == y.shape
    assert model.score(X, y) > 0.99


def test_the_summary_names_the_layers_of_a_module(sequences):
    module = nn.LSTM(2, 7, batch_first=True)
    text = RNNRegressor(module=module, max_iter=1).fit(*sequences).summary()
    assert text.splitlines()[2].split() == ["module", "LSTM", "(None,", "5,", "7)", "308"]


def test_a_recurrent_module_is_told_the_lengths_of_sequences(sequences):
    X, _ = sequences
    lists = [x[: 2 + i % 3] for i, x in enumerate(X)]
    y = np.array([x.mean() > 0 for x in lists]).astype(int)
    model = RNNClassifier(module=Padded, max_iter=5, random_state=0).fit(lists, y)
    alone = np.concatenate([model.predict_proba([x]) for x in lists])
    np.testing.assert_allclose(model.predict_proba(lists), alone, rtol=1e-6)


def test_a_module_that_is_given_is_copied_and_keeps_its_weights(iris):
    given = nn.Sequential(nn.Linear(4, 6, bias=False), nn.Dropout(0.3), nn.ReLU())
    before = given[0].weight.detach().clone()
    model = MLPClassifier(module=given, max_iter=3).fit(*iris)
    assert torch.equal(given[0].weight, before)
    frozen = clone(model).set_params(frozen_layers="module*").fit(*iris)
    assert torch.equal(frozen.module_.module[0].weight, before.to(torch.float64))
    assert not torch.equal(model.module_.module[0].weight, before.to(torch.float64))
    assert [w.shape for w in model.coefs_] == [(6, 3)]


@pytest.mark.parametrize("kind", [MLPClassifier, RNNClassifier])
def test_a_module_with_dropout_depends_on_random_state_alone(kind, iris):
    X, y = iris

    def make(shape):
        return nn.Sequential(nn.Flatten(), nn.Linear(4, 6), nn.Dropout(0.5))

    model = kind(module=make, max_iter=2, random_state=0)
    torch.random.default_generator.manual_seed(0)
    first = clone(model).fit(X, y).predict_proba(X)
    state = torch.random.get_rng_state()
    torch.random.default_generator.manual_seed(1)
    np.testing.assert_array_equal(clone(model).fit(X, y).predict_proba(X), first)
    assert torch.equal(state, torch.random.default_generator.manual_seed(0).get_state())


@pytest.mark.parametrize("module", [Residual, nn.Sequential(nn.Linear(4, 6), nn.ELU())])
def test_a_model_with_a_module_goes_on_the_same_when_loaded(module, iris):
    X, y = iris
    model = MLPClassifier(module=module, max_iter=3, random_state=0).fit(X, y)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    for own in (model, loaded):
        own.set_params(warm_start=True).fit(X, y).partial_fit(X, y)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("kind", [MLPRegressor, RNNRegressor])
def test_skops_needs_to_trust_a_modules_own_classes(kind, sequences):
    X, y = sequences
    module = nn.Sequential(nn.Flatten(), nn.Linear(10, 3))
    X = X if kind is RNNRegressor else X.reshape(len(X), -1)
    model = kind(module=module, max_iter=2).fit(X, y)
    data = skops.io.dumps(model)
    untrusted = skops.io.get_untrusted_types(data=data)
    assert [name for name in untrusted if "sknn_basics" not in name] == [
        "torch.nn.modules.container.Sequential",
        "torch.nn.modules.flatten.Flatten",
        "torch.nn.modules.linear.Linear",
    ]
    loaded = skops.io.loads(data, trusted=untrusted)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


@pytest.mark.parametrize(
    ("module", "error", "words"),
    [
        (nn.Linear(5, 3), ValueError, r"module cannot read samples of shape \(4,\)"),
        (nn.Linear, TypeError, "class or function that makes one of the shape of a sample"),
        (lambda shape: 3, TypeError, "nn.Module or make one, got 3"),
        (lambda shape: nn.Flatten(0), ValueError, r"\(2, 4\) it made shape \(8,\)"),
    ],
)
def test_a_module_of_the_wrong_shape_is_named(module, error, words, iris):
    with pytest.raises(error, match=words):
        MLPClassifier(module=module).fit(*iris)


def test_a_recurrent_module_of_the_wrong_shape_is_named(sequences):
    X, y = sequences
    flat = nn.Sequential(nn.Flatten(), nn.Linear(10, 3))
    with pytest.raises(ValueError, match=r"module must return shape \(n_samples, 5, n_values\)"):
        RNNRegressor(module=flat).fit(X, X.sum(2, keepdims=True))
    with pytest.raises(ValueError, match="second parameter `lengths`"):
        RNNRegressor(module=Residual).fit([X[0], X[1][:3]], y[:2])
    with pytest.raises(ValueError, match="stateful=True does not work with module"):
        RNNRegressor(module=Residual, stateful=True).fit(X, y)
    with pytest.raises(ValueError, match="in whose place module stands"):
        RNNRegressor(module=Residual, max_iter=1).fit(X, y).states(X)


def test_a_module_is_searched_over_and_named_in_the_report(iris):
    search = GridSearchCV(
        MLPClassifier(max_iter=3, random_state=0), {"module": [None, body, Residual]}, cv=3
    )
    alone = clone(search).fit(*iris).cv_results_["mean_test_score"]
    with stacked() as report:
        search.fit(*iris)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], alone)
    assert "alone: Sequential has no stacked form" in str(report)
    assert "alone: Residual has no stacked form" in str(report)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(MLPRegressor, "module"), (RNNRegressor, "module"), (ConvNetRegressor, "features")],
)
def test_a_module_that_would_change_X_is_an_error(kind, name, sequences):
    X, y = sequences
    X = (X.reshape(len(X), -1) if kind is MLPRegressor else X).copy()
    before, module = X.copy(), nn.Sequential(nn.ReLU(inplace=True), nn.Flatten())
    with pytest.raises(ValueError, match=f"{name} changes its inputs in place"):
        kind(**{name: module}).fit(X, y)
    np.testing.assert_array_equal(X, before)


# Values for each hidden layer.


def test_hidden_layers_have_values_of_their_own(iris):
    model = MLPClassifier(
        (8, 6, 5),
        ["tanh", nn.ELU, "logistic"],
        normalization=["batch", None, "layer"],
        dropout=[0.0, 0.5, 0.0],
        input_noise=[0.1, 0.2, 0],
        max_iter=1,
    ).fit(*iris)
    assert [type(layer).__name__ for layer in model.module_] == [
        *("GaussianNoise", "Linear", "BatchNorm", "Tanh"),
        *("GaussianNoise", "Linear", "ELU", "Dropout"),
        *("Linear", "LayerNorm", "Sigmoid", "Linear"),
    ]
    assert (model.module_.input_noise.std, model.module_.hidden2_noise.std) == (0.1, 0.2)


def test_one_value_a_layer_is_the_same_as_one_value():
    X, y = load_diabetes(return_X_y=True)
    one = {"activation": "logistic", "normalization": "layer", "input_noise": 0.1}
    each = {name: [value, value] for name, value in one.items()} | {"input_noise": [0.1, 0.0]}
    model = MLPRegressor(hidden_layer_sizes=(6, 4), max_iter=3, random_state=0)
    expected, given = (clone(model).set_params(**p).fit(X, y).predict(X) for p in (one, each))
    np.testing.assert_array_equal(given, expected)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"activation": ["tanh"]}, "activation must be one value or one for each of the 2 hidden"),
        ({"activation": ["tanh", "tahn"]}, "activation must be one of .* got 'tahn'"),
        ({"normalization": ["batch", "x"]}, "normalization must be one of .* got 'x'"),
        ({"input_noise": [0.1, -1]}, "input_noise must not be negative, got -1"),
        ({"input_noise": [0.1]}, "input_noise must be one value or one for each"),
        ({"input_noise": [0.1, 1e300]}, "input_noise=1e.300 is too large"),
    ],
)
def test_wrong_values_of_layers_are_named(parameters, words, iris):
    with pytest.raises(ValueError, match=words):
        MLPClassifier((5, 5), **parameters).fit(*iris)


def test_values_of_layers_are_stacked(iris):
    model = MLPClassifier((6, 5), ["tanh", "relu"], normalization=["layer", None], max_iter=5)
    model.set_params(random_state=0)
    alone = cross_val_score(model, *iris, cv=3)
    with stacked() as report:
        np.testing.assert_allclose(cross_val_score(model, *iris, cv=3), alone)
    assert [training.way for training in report.trainings] == ["stacked"]


@pytest.mark.parametrize("way", ["partial_fit", "fit"])
def test_batch_normalization_of_a_backbone_takes_a_batch_of_one(way):
    X = np.random.RandomState(0).uniform(size=(9, 8, 8)).astype(np.float32)
    y = np.arange(9) % 2
    layers = [nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    backbone = nn.Sequential(*layers, nn.BatchNorm1d(3))
    model = ConvNetClassifier(features=backbone, batch_size=4, max_iter=2, random_state=0)
    if way == "fit":  # whose last batch has one image
        model.fit(X, y)
    else:
        model.partial_fit(X, y, classes=[0, 1])
        means = model.module_.features[4].running_mean.clone()
        before = model.predict_proba(X)
        model.partial_fit(X[:1], y[:1])
        torch.testing.assert_close(model.module_.features[4].running_mean, means)
        assert np.abs(model.predict_proba(X) - before).max() > 0
    assert np.isfinite(model.predict_proba(X)).all()
    assert type(backbone[1]) is nn.BatchNorm2d


def test_batches_of_several_are_normalized_as_by_torch():
    given = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    X = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    made = make_given(given, (4,), "module").train()
    torch.testing.assert_close(made(X), given.train()(X))
    torch.testing.assert_close(made[1].running_var, given[1].running_var)
    assert list(made.state_dict()) == list(given.state_dict())
