"""Studies that an introductory course makes of dense networks, on the handwritten digits."""

import numpy as np
import pytest
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from sknn_basics import MLPClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

COURSE = {"weight_init": "glorot_uniform", "alpha": 0.0, "random_state": 0}
REGULARISED = {**COURSE, "hidden_layer_sizes": (32, 32), "dropout": 0.2, "max_norm": 3.0}


@pytest.fixture(scope="module")
def split(digits):
    X, y = digits
    return train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)


def fit(split, **options):
    X, X_val, y, y_val = split
    return MLPClassifier(**options).fit(X, y, X_val=X_val, y_val=y_val)


@pytest.mark.parametrize("sizes", [(64,), (64, 64), (64, 10), (32, 32)], ids=str)
def test_one_and_two_hidden_layers_recognise_digits(sizes, split):
    model = fit(split, hidden_layer_sizes=sizes, batch_size=32, max_iter=25, **COURSE)
    assert model.validation_scores_[-1] > 0.95


def test_a_plain_network_overfits_and_dropout_with_max_norm_does_less(split):
    def gap(model):
        return model.history_["valid_loss"][-1] - model.loss_curve_[-1]

    options = {"batch_size": 32, "max_iter": 50}
    plain = fit(split, **{**REGULARISED, "dropout": 0.0, "max_norm": None}, **options)
    regularised = fit(split, **REGULARISED, **options)
    assert gap(regularised) < 0 < gap(plain)


def test_learning_rates_are_broken_good_and_slow(split):
    rates = [0.5, 0.005, 0.00001]
    options = {**REGULARISED, "batch_size": 32, "max_iter": 15}
    scores = [fit(split, learning_rate_init=r, **options).validation_scores_[-1] for r in rates]
    assert np.argmax(scores) == 1
    assert scores[0] < 0.5


def test_small_batches_learn_more_an_epoch(split):
    sizes = [1024, 256, 64, 16]
    losses = [fit(split, batch_size=size, max_iter=5, **COURSE).loss_curve_[-1] for size in sizes]
    assert losses == sorted(losses, reverse=True)


def test_ten_folds_score_the_regularised_network(digits):
    model = MLPClassifier(**REGULARISED, batch_size=32, max_iter=15)
    folds = StratifiedKFold(10, shuffle=True, random_state=42)
    scores = cross_val_score(model, *digits, cv=folds)
    assert scores.shape == (10,)
    assert scores.mean() > 0.9


def test_a_grid_of_layers_neurons_and_solvers_goes_by_plain_names(digits):
    network = MLPClassifier(learning_rate_init="auto", max_iter=8, random_state=0)
    pipe = Pipeline([("normalize", MinMaxScaler()), ("model", network)])
    grid = {
        "model__hidden_layer_sizes": [(5,), (40, 40)],
        "model__solver": ["adam", "adadelta"],
    }
    search = GridSearchCV(pipe, grid, cv=3).fit(*digits)
    assert search.best_params_["model__hidden_layer_sizes"] == (40, 40)
    assert search.best_score_ > 0.85


def test_an_estimator_needs_no_shapes_no_one_hot_and_no_build_function(iris):
    assert MLPClassifier().fit(*iris).score(*iris) > 0.9


def test_an_unknown_parameter_raises():
    with pytest.raises(TypeError, match="hiden_layer_sizes"):
        MLPClassifier(hiden_layer_sizes=(10,))
    with pytest.raises(ValueError, match="hiden_layer_sizes"):
        MLPClassifier().set_params(hiden_layer_sizes=(10,))
