"""Stacks of convolutional networks."""

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.model_selection import KFold, ParameterGrid, cross_val_score

from sknn_basics import ConvAutoencoder, ConvNetClassifier, VariationalConvAutoencoder
from sknn_basics.parallel import stacked
from sknn_basics.stacking import rounds

N_SAMPLES = 24
IMAGES = np.random.default_rng(0).random((N_SAMPLES, 8, 8, 2))
CLASSES = np.arange(N_SAMPLES) % 3
FIXED = {"max_iter": 2, "batch_size": 8, "dtype": "float64", "random_state": 0}


def classifier():
    return ConvNetClassifier((3, 4), (5,), **FIXED), IMAGES, CLASSES


def autoencoder():
    return ConvAutoencoder((3, 4), 5, **FIXED), IMAGES, None


def grey_autoencoder():
    return ConvAutoencoder((3, 4), 5, **FIXED), IMAGES[..., 0], None


def variational():
    return VariationalConvAutoencoder((3, 4), 5, **FIXED), IMAGES, None


CASES = {
    "strides": (classifier, {"alpha": [0.0, 0.1], "learning_rate_init": [1e-3, 1e-2]}),
    "pools": (
        classifier,
        {"downsample": ["max", "average"], "dropout": [0.0, 0.5], "input_noise": [0.1]},
    ),
    "kernels": (classifier, {"kernel_size": [3, 2], "padding": ["same", "valid"]}),
    "normalization": (classifier, {"normalization": ["batch", "layer"], "activation": ["tanh"]}),
    "norms": (classifier, {"max_norm": [0.5], "hidden_dropout": [0.1, 0.2]}),
    "preprocessing": (classifier, {"preprocessing": ["unit", "symmetric"]}),
    "autoencoder": (autoencoder, {"noise": [None, "gaussian"], "sparsity": [0.0, 0.1]}),
    "pooled autoencoder": (autoencoder, {"downsample": ["max"], "latent_filters": [None, 2]}),
    "grey autoencoder": (grey_autoencoder, {"alpha": [0.0, 0.1], "downsample": ["max", "stride"]}),
    "variational": (variational, {"beta": [0.5, 1.0]}),
}


@pytest.mark.parametrize("case", CASES)
def test_stacked_fits_equal_those_alone(case):
    make, grid = CASES[case]
    template, X, y = make()
    folds = [train for train, _ in KFold(3, shuffle=True, random_state=0).split(X)]
    estimators = [clone(template).set_params(**options) for options in ParameterGrid(grid)]

    def fit_all():
        return Parallel()(
            delayed(clone(estimator).fit)(X[rows], None if y is None else y[rows])
            for estimator in estimators
            for rows in folds
        )

    alone = fit_all()
    with stacked() as report:
        together = fit_all()
    assert {training.way for training in report.trainings} == {"stacked"}
    for one, other in zip(together, alone):
        np.testing.assert_allclose(one.loss_curve_, other.loss_curve_, rtol=1e-9)
        others = other.module_.state_dict()
        for name, values in one.module_.state_dict().items():
            difference = (values - others[name]).abs().max()
            assert difference < 1e-9, f"{one}: {name} differs by {difference}"


def test_wide_networks_are_trained_alone_on_a_processor(monkeypatch):
    monkeypatch.setattr(rounds, "WIDE_IMAGES", 8 * (2 * 3 + 3 * 4) * 9)
    estimator, X, y = classifier()
    with stacked() as report:
        cross_val_score(estimator, X, y, cv=3)
    assert [t.way for t in report.trainings] == ["alone: it is wide enough for a processor"]


@pytest.mark.parametrize(
    ("parameters", "layer"),
    [
        ({"augmentation": torch.abs}, "augmentation"),
        ({"preprocessing": torch.abs}, "Preprocessing"),
    ],
)
def test_foreign_layers_have_no_stacked_form(parameters, layer):
    estimator, X, y = classifier()
    with stacked() as report:
        cross_val_score(estimator.set_params(**parameters), X, y, cv=3)
    assert [t.way for t in report.trainings] == [f"alone: {layer} has no stacked form"]
