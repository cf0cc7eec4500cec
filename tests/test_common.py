"""scikit-learn's own checks, for every estimator in every mode it has."""

import inspect

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

import sknn_basics
from sknn_basics import (
    GAN,
    Autoencoder,
    ConvAutoencoder,
    ConvGAN,
    ConvNetClassifier,
    ConvNetRegressor,
    Forecaster,
    MLPClassifier,
    MLPRegressor,
    RNNAutoencoder,
    RNNClassifier,
    RNNRegressor,
    TabularClassifier,
    TabularRegressor,
    TextGenerator,
    VariationalAutoencoder,
    VariationalConvAutoencoder,
    preprocessing,
)
from sknn_basics.preprocessing import (
    FilterBank,
    ImageReader,
    NetworkFeatures,
    PixelScaler,
    SlidingWindow,
    TableEncoder,
)

EXACT_MODES = [
    {},
    {"solver": "sgd"},
    {"solver": "lbfgs"},
    {"normalization": "layer"},
    {"dtype": "float64"},
    {"average_decay": 0.9},
    {"solver": "muon"},
    {"hidden_layer_sizes": (20, 10), "activation": ["relu", "tanh"]},
]

# Here a sample of weight 2 is not the same as the sample twice.
WEIGHT_CHECKS = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)
INEXACT_MODES = {
    "dropout": ({"dropout": 0.5}, "masks are random"),
    "normalization": ({"normalization": "batch"}, "batch statistics have no weights"),
    "early_stopping": ({"early_stopping": True}, "the hold-out split counts samples"),
}


# Classes, whose names in the tests are the same in every process; those of functions are not.
class Dense(nn.Sequential):
    def __init__(self, shape):
        super().__init__(nn.Linear(shape[0], 10), nn.Tanh())


class Recurrent(nn.GRU):
    def __init__(self, shape):
        super().__init__(shape[1], 8, batch_first=True)


# What the families have in common is checked in every mode of the fastest one.
ALL_MODES = [*EXACT_MODES, *(mode for mode, _ in INEXACT_MODES.values())]
SMALL_RNN = {"hidden_layer_sizes": (8,), "learning_rate_init": 0.03, "max_iter": 40}
DENSE = {"hidden_layer_sizes": (10,), "n_components": 2}
CONVOLUTIONAL = {"filters": (4, 4), "n_components": 2}
TABULAR = {"n_networks": 3, "hidden_layer_sizes": (16,), "batch_size": 32, "max_iter": 60}
ESTIMATORS = {
    MLPClassifier: [
        *ALL_MODES,
        {"module": Dense, "layer_rates": {"module*": 0.5}},
        {"loss": "focal"},
        {"loss": nn.CrossEntropyLoss},
    ],
    MLPRegressor: [
        *ALL_MODES,
        {"module": Dense, "solver": "lbfgs"},
        {"loss": nn.SmoothL1Loss()},
        {"loss": "gaussian"},
        {"loss": "quantile", "quantile": 0.5},
        {"loss": "quantile", "quantile": [0.2, 0.5, 0.8]},
    ],
    ConvNetClassifier: [{}, {"normalization": "layer", "solver": "lbfgs"}],
    ConvNetRegressor: [{}, {"normalization": "layer", "solver": "lbfgs"}],
    RNNClassifier: [
        SMALL_RNN,
        {**SMALL_RNN, "cell": "gru"},
        {**SMALL_RNN, "solver": "lbfgs", "max_iter": 15},
        {**SMALL_RNN, "module": Recurrent},
    ],
    RNNRegressor: [
        SMALL_RNN,
        {**SMALL_RNN, "cell": "rnn", "bidirectional": True, "merge_mode": "product"},
    ],
    Autoencoder: [
        DENSE,
        {**DENSE, "solver": "lbfgs", "latent_activation": "relu", "sparsity": 0.1},
        {**DENSE, "tied_weights": True, "normalization": "layer"},
    ],
    VariationalAutoencoder: [DENSE, {**DENSE, "beta": 4.0, "normalization": "layer"}],
    ConvAutoencoder: [
        CONVOLUTIONAL,
        {**CONVOLUTIONAL, "filters": 4, "n_components": None, "latent_filters": 2},
    ],
    VariationalConvAutoencoder: [CONVOLUTIONAL],
    RNNAutoencoder: [{"hidden_layer_sizes": (4,), "n_components": 2}],
    TabularClassifier: [TABULAR, {**TABULAR, "n_networks": 1}],
    TabularRegressor: [TABULAR, {**TABULAR, "loss": "quantile", "quantile": 0.4}],
    GAN: [
        {},
        {"loss": "wasserstein", "out_activation": "tanh"},
        {"batch_variety": True, "average_decay": 0.9, "normalization": "batch"},
    ],
    ConvGAN: [{"filters": (4, 4), "n_components": 3, "max_iter": 5}],
    # Of texts, scikit-learn checks little.
    TextGenerator: [{}, {"level": "word"}],
}


# scikit-learn's own regressors predict one quantile.
SHAPE_CHECKS = (
    "check_regressors_train",
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
)


def expected_failed_checks(estimator) -> dict[str, str]:
    if isinstance(getattr(estimator, "quantile", None), list):
        return dict.fromkeys(SHAPE_CHECKS, "a column for each quantile")
    if isinstance(estimator, TabularClassifier | TabularRegressor):
        return dict.fromkeys(WEIGHT_CHECKS, "the folds count samples")
    for name, (mode, reason) in INEXACT_MODES.items():
        if getattr(estimator, name, None) == mode[name]:
            return dict.fromkeys(WEIGHT_CHECKS, reason)
    return {}


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [estimator(**mode) for estimator, modes in ESTIMATORS.items() for mode in modes],
    expected_failed_checks=expected_failed_checks,
)
def test_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [
        PixelScaler(),
        PixelScaler((-1, 1), dtype="float64"),
        ImageReader(),
        FilterBank([[[1]]]),
        TableEncoder(),
        TableEncoder(numbers="quantile", many_categories="codes", dtype="float64"),
    ]
)
def test_transformers_pass_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def default_estimators() -> list[BaseEstimator]:
    """Make every public estimator that needs no argument.

    `SlidingWindow` has fewer rows behind it than before; tests/test_windows.py has its checks.
    """
    public = [getattr(room, name) for room in (sknn_basics, preprocessing) for name in room.__all__]
    kinds = [kind for kind in public if inspect.isclass(kind) and issubclass(kind, BaseEstimator)]
    left_out = {Forecaster, FilterBank, NetworkFeatures, SlidingWindow}
    # Of ensembles, all is as it is made but the number of epochs: a fit takes seconds.
    long = {TabularClassifier, TabularRegressor}
    return [kind(max_iter=30) if kind in long else kind() for kind in kinds if kind not in left_out]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(default_estimators(), expected_failed_checks=expected_failed_checks)
def test_passes_the_checks_of_scikit_learn_as_it_is_made(estimator, check):
    check(estimator)
