"""Stacks of recurrent networks."""

import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.model_selection import KFold, ParameterGrid, cross_val_score

from sknn_basics import RNNAutoencoder, RNNClassifier, RNNRegressor
from sknn_basics.parallel import stacked

N_SAMPLES, N_STEPS = 40, 7
FIXED = {"max_iter": 3, "batch_size": 8, "dtype": "float64", "random_state": 0}


def sequences(*step_shape):
    return np.random.default_rng(0).normal(size=(N_SAMPLES, N_STEPS, *step_shape))


def classifier(**parameters):
    return RNNClassifier((5,), **FIXED, **parameters), sequences(2), np.arange(N_SAMPLES) % 3


def ragged(**parameters):
    estimator, X, y = classifier(**parameters)
    # In each training part of the folds, one has all steps.
    return estimator, [x[: 3 + i % 5] for i, x in enumerate(X)], y


def each_step(**parameters):
    y = np.cumsum(sequences(), axis=1)
    return RNNRegressor(hidden_layer_sizes=(5,), **FIXED, **parameters), sequences(2), y


def labelled_steps(**parameters):
    estimator, X, _ = classifier(**parameters)
    return estimator, X, (X.sum(2) > 0) + (X[..., 0] > 1).astype(int)


def further_steps(**parameters):
    estimator = RNNRegressor(hidden_layer_sizes=(5,), n_steps_out=2, **FIXED, **parameters)
    return estimator, sequences(2), sequences()[:, :2]


def autoencoder(**parameters):
    return RNNAutoencoder((5,), 3, **FIXED, **parameters), sequences(2), None


CASES = {
    "lstm": (classifier, {"learning_rate_init": [1e-3, 1e-2], "alpha": [0.0, 0.1]}),
    "gru": (classifier, {"cell": ["gru"], "solver": ["sgd", "rmsprop"]}),
    "rnn": (classifier, {"cell": ["rnn"], "clip_grad_norm": [None, 0.1]}),
    "layers": (classifier, {"hidden_layer_sizes": [(4, 3), (5,)], "dropout": [0.0, 0.5]}),
    "recurrent dropout": (classifier, {"recurrent_dropout": [0.0, 0.2, 0.5]}),
    "dropout twice": (
        classifier,
        {
            "hidden_layer_sizes": [(4, 3)],
            "dropout": [0.2, 0.5],
            "recurrent_dropout": [0.0, [0.5, 0.0]],
        },
    ),
    "bidirectional": (
        classifier,
        {
            "bidirectional": [True],
            "merge_mode": ["concat", "sum", "average", "product"],
            "hidden_layer_sizes": [(4, 3)],
            "dropout": [0.0, 0.5],
        },
    ),
    "class weights": (classifier, {"class_weight": [None, {0: 3.0}], "input_noise": [0.0, 0.1]}),
    "ragged": (ragged, {"alpha": [0.0, 0.1], "bidirectional": [False, True]}),
    "ragged noise": (ragged, {"input_noise": [0.1, 0.3], "dropout": [0.2]}),
    "each step": (each_step, {"bidirectional": [False, True], "alpha": [0.0, 0.1]}),
    "labelled steps": (
        labelled_steps,
        {"class_weight": [None, "balanced", {0: 3.0}], "cell": ["gru"]},
    ),
    "further steps": (further_steps, {"cell": ["lstm", "rnn"], "loss": ["squared_error", "huber"]}),
    "early stopping": (
        classifier,
        {"early_stopping": [True], "n_iter_no_change": [1, 20], "max_iter": [2, 6]},
    ),
    "autoencoder": (
        autoencoder,
        {"alpha": [0.0, 0.1], "noise": [None, "gaussian"], "sparsity": [0.0, 0.1]},
    ),
    "bidirectional autoencoder": (
        autoencoder,
        {"bidirectional": [True], "dropout": [0.0, 0.3], "latent_activation": ["tanh"]},
    ),
}


def take(X, rows):
    return [X[i] for i in rows] if isinstance(X, list) else X[rows]


@pytest.mark.parametrize("case", CASES)
def test_stacked_fits_equal_those_alone(case):
    make, grid = CASES[case]
    template, X, y = make()
    folds = [train for train, _ in KFold(3, shuffle=True, random_state=0).split(X)]
    estimators = [clone(template).set_params(**options) for options in ParameterGrid(grid)]

    def fit_all():
        return Parallel()(
            delayed(clone(estimator).fit)(take(X, rows), None if y is None else y[rows])
            for estimator in estimators
            for rows in folds
        )

    alone = fit_all()
    with stacked() as report:
        together = fit_all()
    assert {training.way for training in report.trainings} == {"stacked"}
    assert sum(training.n_fits for training in report.trainings) == len(alone)
    for one, other in zip(together, alone):
        np.testing.assert_allclose(one.loss_curve_, other.loss_curve_, rtol=1e-9)
        others = dict(other.module_.named_parameters())
        for name, weight in one.module_.named_parameters():
            difference = (weight - others[name]).abs().max()
            assert difference < 1e-9, f"{one}: {name} differs by {difference}"


@pytest.mark.parametrize(
    ("parameters", "step_shape", "layer"),
    [
        ({"stateful": True, "shuffle": False}, (2,), "a stateful RecurrentLayer"),
        ({"filters": (2,), "kernel_size": 3}, (6, 6), "TimeDistributed"),
    ],
)
def test_networks_without_a_stacked_form_are_trained_alone(parameters, step_shape, layer):
    estimator, _, y = classifier(**parameters)
    with stacked() as report:
        cross_val_score(estimator, sequences(*step_shape), y, cv=3)
    assert [t.way for t in report.trainings] == [f"alone: {layer} has no stacked form"]


def test_sequences_of_different_length_are_not_stacked_with_each_other():
    estimator, X, y = classifier()
    with stacked() as report:
        Parallel()(delayed(clone(estimator).fit)(X[:, :n], y) for n in (5, 7, 7))
    assert sorted(training.most_at_once for training in report.trainings) == [1, 2]
