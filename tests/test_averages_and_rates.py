"""Running averages of weights, rates of layers, Muon, and fits of limited time."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.preprocessing import scale
from skorch.callbacks import Callback
from torch import nn

from sknn_basics import (
    Autoencoder,
    ConvAutoencoder,
    ConvNetClassifier,
    MLPClassifier,
    MLPRegressor,
    RNNAutoencoder,
    RNNClassifier,
    TextGenerator,
)
from sknn_basics.parallel import stacked
from sknn_basics.training import optimisers

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return scale(X), y


class RecordWeights(Callback):
    """Keeps the weights after each step."""

    def __init__(self):
        self.seen = []

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self.seen.append(copy.deepcopy(net.module_.state_dict()))


def parameters_of(model) -> list[np.ndarray]:
    return [p.detach().numpy() for p in model.module_.parameters()]


TEXT = "the cat sat on the mat and the dog sat on the cat " * 8
IMAGES = load_digits().images[:80] / 16
FAMILIES = {
    "dense": (MLPClassifier((6,)), (IMAGES.reshape(80, -1), load_digits().target[:80])),
    "convolutional": (ConvNetClassifier(filters=4), (IMAGES, load_digits().target[:80])),
    "recurrent": (RNNClassifier((5,)), (IMAGES, load_digits().target[:80])),
    "autoencoder": (Autoencoder((6,), 3), (IMAGES.reshape(80, -1),)),
    "conv_autoencoder": (ConvAutoencoder(filters=4), (IMAGES,)),
    "rnn_autoencoder": (RNNAutoencoder((5,)), (IMAGES,)),
    "text": (TextGenerator(window=10, hidden_layer_sizes=(5,)), (TEXT,)),
}


# Averages.


@pytest.mark.parametrize("decay", [0.5, 0.99])
def test_the_network_ends_with_the_weighted_mean_of_the_weights_after_each_step(decay, iris):
    recorder = RecordWeights()
    model = MLPClassifier((6,), normalization="batch", batch_size=50, max_iter=3, random_state=0)
    model.set_params(average_decay=decay, callbacks=[recorder]).fit(*iris)
    shares = decay ** np.arange(len(recorder.seen))[::-1]
    assert len(shares) == 9
    for name, value in model.module_.state_dict().items():
        if value.is_floating_point():
            steps = [weights[name].numpy() for weights in recorder.seen]
            expected = np.average(steps, axis=0, weights=shares)
            np.testing.assert_allclose(value.numpy(), expected, rtol=1e-9, atol=1e-12)


def test_an_average_does_not_change_the_steps(iris):
    model = MLPClassifier((6,), batch_size=50, max_iter=5, random_state=0)
    averaged = clone(model).set_params(average_decay=0.9).fit(*iris)
    assert averaged.loss_curve_ == model.fit(*iris).loss_curve_
    assert not np.array_equal(averaged.coefs_[0], model.coefs_[0])


def test_the_average_is_validated_and_its_best_epoch_kept(iris):
    X, y = iris
    options = {"average_decay": 0.9, "random_state": 0, "learning_rate_init": 0.05}
    model = MLPClassifier((6,), early_stopping=True, max_iter=15, **options)
    model.fit(X, y, X_val=X, y_val=y)
    assert model.score(X, y) == model.best_validation_score_ == max(model.validation_scores_)
    last = MLPClassifier((6,), max_iter=15, **options).fit(X, y, X_val=X, y_val=y)
    assert last.score(X, y) == last.validation_scores_[-1]


def test_frozen_layers_are_not_averaged(iris):
    model = MLPClassifier((6,), average_decay=0.5, frozen_layers="hidden1", random_state=0)
    first = clone(model).initialize(*iris).coefs_[0]
    np.testing.assert_array_equal(model.set_params(max_iter=2).fit(*iris).coefs_[0], first)


def test_an_interrupted_training_ends_with_the_average(iris):
    class Interrupt(RecordWeights):
        def on_batch_end(self, net, training=False, **kwargs):
            super().on_batch_end(net, training, **kwargs)
            if len(self.seen) == 4:
                raise KeyboardInterrupt

    recorder = Interrupt()
    model = MLPClassifier((6,), batch_size=50, average_decay=0.8, callbacks=[recorder])
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(*iris)
    # The fourth step was made, and is in the average.
    expected = np.average(
        [w["output.weight"].numpy() for w in recorder.seen],
        axis=0,
        weights=0.8 ** np.arange(4)[::-1],
    )
    np.testing.assert_allclose(model.coefs_[1].T, expected)


@pytest.mark.parametrize("family", FAMILIES)
def test_averages_and_rates_are_for_every_family(family):
    model, data = FAMILIES[family]
    model = clone(model).set_params(max_iter=2, random_state=0)
    plain = parameters_of(clone(model).fit(*data))
    averaged = clone(model).set_params(average_decay=0.9).fit(*data)
    slow = clone(model).set_params(layer_rates={"*": 1e-9}).fit(*data)
    assert not any(map(np.array_equal, parameters_of(averaged), plain))
    first = parameters_of(clone(model).initialize(*data))
    for own, initial in zip(parameters_of(slow), first):
        np.testing.assert_allclose(own, initial, atol=1e-6)
    muon = clone(model).set_params(solver="muon", learning_rate_init=0.01).fit(*data)
    assert not any(map(np.array_equal, parameters_of(muon), plain))
    assert muon.loss_curve_[1] < muon.loss_curve_[0]
    loaded = pickle.loads(pickle.dumps(muon))
    for own in (muon, loaded):
        own.set_params(warm_start=True).fit(*data)
    assert all(map(np.array_equal, parameters_of(loaded), parameters_of(muon)))


def test_fits_with_averages_are_stacked(iris):
    model = MLPClassifier((6,), max_iter=4, average_decay=0.9, random_state=0)
    alone = cross_val_score(model, *iris, cv=3, scoring="neg_log_loss")
    with stacked() as report:
        joint = cross_val_score(model, *iris, cv=3, scoring="neg_log_loss")
    np.testing.assert_allclose(joint, alone, rtol=1e-8)
    assert {training.way for training in report.trainings} == {"stacked"}


# Rates of layers.

BARE = {"alpha": 0, "shuffle": False, "batch_size": 150, "max_iter": 5, "random_state": 0}


@pytest.mark.parametrize(
    ("solver", "options"),
    [("sgd", {"momentum": 0.9, "nesterov": True}), ("adamax", {}), (torch.optim.Adagrad, {})],
)
def test_rates_of_layers_are_those_of_parameter_groups_in_torch(solver, options, iris):
    X, y = iris
    rates = {"hidden2": 0.1, "hidden*": 3.0}
    model = MLPClassifier((6, 5), solver=solver, learning_rate_init=0.02, layer_rates=rates, **BARE)
    network = copy.deepcopy(clone(model).initialize(X, y).module_).train()
    kind = {"sgd": torch.optim.SGD, "adamax": torch.optim.Adamax}.get(solver, solver)
    groups = [
        {"params": network.output.parameters()},
        {"params": network.hidden1.parameters(), "lr": 0.06},
        {"params": network.hidden2.parameters(), "lr": 0.002},
    ]
    optimiser = kind(groups, lr=0.02, **options)
    for _ in range(5):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(torch.tensor(X)), torch.tensor(y)).backward()
        optimiser.step()
    for own, p in zip(parameters_of(model.fit(X, y)), network.parameters(), strict=True):
        np.testing.assert_allclose(own, p.detach().numpy(), rtol=1e-7, atol=1e-10)


def test_a_schedule_keeps_the_factors(iris):
    rates = []

    class Watch(Callback):
        def on_epoch_begin(self, net, **kwargs):
            groups = net.optimizer_.param_groups
            rates.append(sorted(group["lr"] for group in groups))

    model = MLPClassifier(
        (6,), learning_rate=lambda epoch: 0.1 / (1 + epoch), layer_rates={"hidden1": 0.5}
    )
    model.set_params(max_iter=3, callbacks=[Watch()]).fit(*iris)
    np.testing.assert_allclose(rates, [[0.05, 0.1], [0.025, 0.05], [0.1 / 6, 0.1 / 3]])
    np.testing.assert_array_equal(model.history_["learning_rate"], [0.1, 0.05, 0.1 / 3])


def test_factors_of_one_are_no_factors(iris):
    for solver in ("adam", "adamw", "sgd"):
        model = MLPClassifier((6,), solver=solver, max_iter=5, random_state=0)
        plain = clone(model).fit(*iris).loss_curve_
        assert model.set_params(layer_rates={"*": 1.0}).fit(*iris).loss_curve_ == plain


def test_rates_of_layers_are_stacked(iris):
    model = MLPClassifier((6, 5), max_iter=6, learning_rate_init=0.02, random_state=0)
    grid = {"layer_rates": [None, {"hidden1": 0.1}, {"hidden2": 0.1, "output": 2.0}]}
    search = GridSearchCV(model, grid, cv=2, scoring="neg_log_loss")
    alone = clone(search).fit(*iris).cv_results_["mean_test_score"]
    with stacked() as report:
        joint = search.fit(*iris).cv_results_["mean_test_score"]
    np.testing.assert_allclose(joint, alone, rtol=1e-8)
    assert len(np.unique(alone)) == 3
    assert "stacked" in {training.way for training in report.trainings}
    assert max(training.most_at_once for training in report.trainings) == 6


def test_partial_fit_goes_on_with_factors(iris):
    model = MLPClassifier((6,), layer_rates={"hidden1": 0.1}, random_state=0)
    for _ in range(3):
        model.partial_fit(*iris, classes=[0, 1, 2])
    loaded = pickle.loads(pickle.dumps(model))
    for own in (model, loaded):
        own.partial_fit(*iris)
    np.testing.assert_array_equal(loaded.coefs_[0], model.coefs_[0])


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"layer_rates": {"block*": 0.1}}, r"layer_rates: 'block\*' matches none of the layers"),
        ({"layer_rates": {"hidden1": 0}}, "layer_rates must hold factors > 0, got 0 for 'hidden1'"),
        ({"layer_rates": {"hidden1": "a"}}, "got 'a' for 'hidden1'"),
        ({"layer_rates": {"*": 0.1}, "solver": "lbfgs"}, "does not work with layer_rates"),
        ({"average_decay": 0.9, "solver": "lbfgs"}, "does not work with average_decay"),
        ({"average_decay": 1.0}, "'average_decay' parameter"),
        ({"max_time": 0}, "'max_time' parameter"),
        ({"solver": "muon", "alpha": 2000.0}, "alpha=2000 is too large for solver='muon'"),
    ],
)
def test_wrong_values_are_named(parameters, words, iris):
    with pytest.raises(ValueError, match=words):
        MLPClassifier((6,), **parameters).fit(*iris)


# Muon.


def test_muon_trains_hidden_matrices_and_adamw_all_else(iris):
    X, y = iris
    model = MLPClassifier((6, 5), solver="muon", learning_rate_init=0.02, **BARE)
    model.set_params(alpha=0.5, max_iter=10)
    network = copy.deepcopy(clone(model).initialize(X, y).module_).train()
    hidden = [network.hidden1, network.hidden2]
    matrices = torch.optim.Muon(
        [layer.weight for layer in hidden],
        lr=0.02,
        weight_decay=0.5,
        adjust_lr_fn="match_rms_adamw",
    )
    others = torch.optim.AdamW(
        [
            {"params": [network.output.weight], "weight_decay": 0.5},
            {"params": [layer.bias for layer in (*hidden, network.output)], "weight_decay": 0},
        ],
        lr=0.02,
    )
    for _ in range(10):
        for optimiser in (matrices, others):
            optimiser.zero_grad()
        nn.functional.cross_entropy(network(torch.tensor(X)), torch.tensor(y)).backward()
        for optimiser in (matrices, others):
            optimiser.step()
    for own, p in zip(parameters_of(model.fit(X, y)), network.parameters(), strict=True):
        np.testing.assert_allclose(own, p.detach().numpy(), rtol=1e-6, atol=1e-8)


def test_muon_needs_a_torch_that_has_it(iris, monkeypatch):
    monkeypatch.delattr(optimisers.torch.optim, "Muon")
    with pytest.raises(ValueError, match="solver='muon' cannot be used: it needs torch.optim.Muon"):
        MLPClassifier((6,), solver="muon").fit(*iris)


def test_muon_is_stacked(iris):
    model = MLPClassifier((6, 5), solver="muon", max_iter=5, random_state=0)
    alone = cross_val_score(model, *iris, cv=3, scoring="neg_log_loss")
    with stacked() as report:
        joint = cross_val_score(model, *iris, cv=3, scoring="neg_log_loss")
    # Muon computes with numbers of 16 bits.
    np.testing.assert_allclose(joint, alone, rtol=1e-2)
    assert [training.way for training in report.trainings] == ["stacked"]


# Time.


class Clock:
    """Moves on by a second each time that it is read."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1.0
        return self.now


@pytest.mark.parametrize(("max_time", "n_epochs"), [(0.5, 1), (4, 4), (6.5, 6), (1e9, 20)])
def test_no_epoch_begins_that_would_end_too_late(max_time, n_epochs, iris, monkeypatch):
    monkeypatch.setattr("sknn_basics.training.callbacks.time.monotonic", Clock())
    model = MLPClassifier((6,), max_time=max_time, max_iter=20, tol=0).fit(*iris)
    assert model.n_iter_ == n_epochs
    if n_epochs < 20:
        assert "max_time" in model.net_.stop_reason_


def test_a_fit_ends_in_time():
    X, y = load_diabetes(return_X_y=True)
    model = MLPRegressor(
        hidden_layer_sizes=(10,), max_time=0.5, max_iter=10**6, tol=0, n_iter_no_change=np.inf
    )
    model.fit(X, y)
    assert 1 < model.n_iter_ < 10**6


def test_a_fit_of_limited_time_keeps_the_best_weights(iris, monkeypatch):
    X, y = iris
    monkeypatch.setattr("sknn_basics.training.callbacks.time.monotonic", Clock())
    model = MLPClassifier((6,), learning_rate_init=0.3, max_time=12, max_iter=50, random_state=0)
    model.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert len(model.validation_scores_) == 12
    assert model.validation_scores_[-1] < max(model.validation_scores_)
    assert model.score(X[1::2], y[1::2]) == max(model.validation_scores_)


def test_lbfgs_stops_in_time(iris, monkeypatch):
    monkeypatch.setattr("sknn_basics.training.callbacks.time.monotonic", Clock())
    model = MLPClassifier((6,), solver="lbfgs", max_time=4, random_state=0).fit(*iris)
    assert model.n_iter_ == 4


def test_fits_of_limited_time_are_stacked(iris):
    model = MLPClassifier((6,), max_time=1e6, max_iter=5, random_state=0)
    alone = cross_val_score(clone(model).set_params(max_time=None), *iris, cv=3)
    with stacked() as report:
        np.testing.assert_array_equal(cross_val_score(model, *iris, cv=3), alone)
    assert [training.way for training in report.trainings] == ["stacked"]
