"""Rates by step, bfloat16 and range tests; ways to train in a stack and after loading."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from torch import nn

from sknn_basics import (
    Autoencoder,
    ConvNetClassifier,
    MLPClassifier,
    MLPRegressor,
    RNNClassifier,
)
from sknn_basics.model_selection import suggest_rate
from sknn_basics.parallel import stacked
from sknn_basics.training.schedules import CosineAnnealing, OneCycle, Schedule, StepDecay

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_digits(return_X_y=True)
X, y = X[:300] / 16, y[:300]
SHORT = {"hidden_layer_sizes": (12, 12), "batch_size": 50, "max_iter": 4, "random_state": 0}


def classifier(**options) -> MLPClassifier:
    return MLPClassifier(**{**SHORT, **options})


def weights(model) -> list[np.ndarray]:
    return [values.detach().numpy().copy() for values in model.module_.parameters()]


# Steps.


def test_schedule_by_step_changes_the_rate_of_each_step():
    rates = []

    class Remember(Schedule):
        by_step = True

        def __call__(self, epoch, initial_rate, n_epochs):
            rates.append((epoch, n_epochs))
            return initial_rate / (1 + epoch)

    model = classifier(learning_rate=Remember(), learning_rate_init=0.1).fit(X, y)
    assert rates == [(step, 24) for step in range(24)]
    assert_allclose(model.history_["learning_rate"], 0.1 / (1 + np.arange(0, 24, 6)))


def test_schedule_by_step_is_one_by_epoch_where_an_epoch_is_a_step():
    whole = {"batch_size": 300, "solver": "sgd", "learning_rate_init": 0.1, "shuffle": False}
    for schedule in (CosineAnnealing, OneCycle, StepDecay):
        by_epoch = classifier(learning_rate=schedule(), **whole).fit(X, y)
        by_step = classifier(learning_rate=schedule(by_step=True), **whole).fit(X, y)
        assert_array_equal(by_step.predict_proba(X), by_epoch.predict_proba(X))


# Whatever the way.


@pytest.mark.parametrize(
    "options",
    [
        {"solver": "muon"},
        {"layer_rates": {"output": 0.1}},
        {"average_decay": 0.9},
        {"learning_rate": OneCycle(by_step=True)},
        {"dtype": "bfloat16"},
    ],
)
def test_partial_fit_goes_on_after_loading(options):
    model = classifier(**options).fit(X, y)
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    expected = model.partial_fit(X, y).predict_proba(X)
    assert_array_equal(loaded.partial_fit(X, y).predict_proba(X), expected)


@pytest.mark.parametrize(
    ("options", "grid"),
    [
        ({}, {"layer_rates": [None, {"output": 0.1}, {"hidden1": 0.1}]}),
        ({}, {"average_decay": [None, 0.5, 0.9]}),
        ({"early_stopping": True, "average_decay": 0.9}, {"alpha": [0.0, 0.1]}),
        ({"learning_rate": OneCycle(by_step=True)}, {"learning_rate_init": [0.001, 0.01]}),
        ({}, {"learning_rate": [StepDecay(0.5, 3, by_step=True), CosineAnnealing(by_step=True)]}),
    ],
)
def test_is_stacked_with_the_same_result(options, grid):
    search = GridSearchCV(classifier(**options), grid, cv=2, refit=False, scoring="neg_log_loss")
    alone = search.fit(X, y).cv_results_["mean_test_score"]
    with stacked() as report:
        together = search.fit(X, y).cv_results_["mean_test_score"]
    assert {training.way for training in report.trainings} == {"stacked"}
    assert_allclose(together, alone, rtol=1e-5)


def test_muon_is_stacked():
    # In bfloat16, in which torch makes matrices orthogonal, rounding is coarse.
    search = GridSearchCV(
        classifier(solver="muon"), {"alpha": [0.0, 0.1]}, cv=2, refit=False, scoring="neg_log_loss"
    )
    alone = search.fit(X, y).cv_results_["mean_test_score"]
    with stacked() as report:
        together = search.fit(X, y).cv_results_["mean_test_score"]
    assert {training.way for training in report.trainings} == {"stacked"}
    assert_allclose(together, alone, rtol=0.01)


# Half precision.


@pytest.mark.parametrize("family", [MLPClassifier, ConvNetClassifier, RNNClassifier])
def test_bfloat16_computes_in_it_with_weights_of_float32(family):
    inputs = X if family is MLPClassifier else X.reshape(-1, 8, 8)
    model = family(dtype="bfloat16", max_iter=2, random_state=0).fit(inputs, y)
    single = family(dtype="float32", max_iter=2, random_state=0).fit(inputs, y)
    assert {parameter.dtype for parameter in model.module_.parameters()} == {torch.float32}
    difference = np.abs(model.predict_proba(inputs) - single.predict_proba(inputs)).max()
    assert 0 < difference < 0.01


def test_bfloat16_is_trained_alone_and_says_so():
    with stacked() as report:
        GridSearchCV(classifier(dtype="bfloat16"), {"alpha": [0.0, 0.1]}, cv=2).fit(X, y)
    assert "alone: it computes in bfloat16" in {training.way for training in report.trainings}
    with pytest.raises(ValueError, match="solver='lbfgs' computes in float64"):
        classifier(dtype="bfloat16", solver="lbfgs").fit(X, y)


# Range tests.


@pytest.mark.parametrize(
    "model", [MLPClassifier(), MLPClassifier(solver="sgd"), ConvNetClassifier()]
)
def test_suggested_rate_learns_faster_than_smaller_and_larger_ones(model):
    model.set_params(max_iter=5, random_state=0)
    inputs = X.reshape(-1, 8, 8) if isinstance(model, ConvNetClassifier) else X
    rate = suggest_rate(model, inputs, y)
    losses = [
        model.set_params(learning_rate_init=factor * rate).fit(inputs, y).loss_
        for factor in (0.03, 1, 30)
    ]
    assert losses[1] == min(losses)


def test_suggested_rate_scales_as_the_loss_does():
    def scaled(output, target):
        return 100 * nn.functional.mse_loss(output, target, reduction="none")

    options = {"solver": "sgd", "momentum": 0.0, "alpha": 0.0, "random_state": 0, "batch_size": 300}
    target = (y - y.mean()) / y.std()
    rates = [
        suggest_rate(MLPRegressor(loss=loss, **options), X, target) for loss in (nn.MSELoss, scaled)
    ]
    assert 30 < rates[0] / rates[1] < 300


def test_rate_is_suggested_for_the_end_of_a_pipeline_which_is_left_alone():
    pipeline = make_pipeline(MinMaxScaler(), Autoencoder(n_components=3, random_state=0))
    assert 1e-5 < suggest_rate(pipeline, 16 * X) < 0.1
    assert not hasattr(pipeline[-1], "module_")
    with pytest.raises(ValueError, match="solver='lbfgs' has no learning rate"):
        suggest_rate(MLPClassifier(solver="lbfgs"), X, y)
    with pytest.raises(ValueError, match="falls at no rate"):
        suggest_rate(classifier(batch_size=300), X, y, lowest=1e-12, highest=1e-11)
