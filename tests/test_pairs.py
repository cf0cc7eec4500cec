"""Any two parameters, in any family, in any order of calls.

Each example draws a family, two of its parameters with two values each, and an action, and compares
what the action leaves with a reference that cannot have its fault: a fresh fit, a fit without
X_val, the model before it was saved, the same fit alone. A fit may refuse a combination, by an
error that names one of the drawn parameters.

A new family is a line of `FAMILIES`, a new parameter a line of `VALUES`, a new order of calls a
function behind `@action`. ``PAIRS_EXAMPLES=20000`` draws so many examples, others in every run.
"""

import inspect
import os
import pickle
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from joblib import Parallel, delayed, parallel_config
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import EpochTimer
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
    TextGenerator,
    VariationalAutoencoder,
    VariationalConvAutoencoder,
    from_json,
)
from sknn_basics.modules import RandomFlip
from sknn_basics.training.schedules import StepDecay

pytestmark = pytest.mark.filterwarnings("ignore")

# None: a few examples, the same in every run.
N_EXAMPLES = os.environ.get("PAIRS_EXAMPLES")

N_SAMPLES = 24


# What is fitted.


class Data(NamedTuple):
    """Samples, others to validate on, and some that every fit refuses."""

    X: object
    y: object
    X_val: object
    y_val: object
    refused: object


def data(X, y=None) -> Data:
    """Make validation data that would mislead a training: of one class, or with larger targets."""
    y_val = None
    if y is not None:
        y_val = np.zeros_like(y[:8]) if y.dtype.kind == "i" else y[:8] + 100 * (y.ndim == 1)
    refused = X.copy()
    refused.flat[0] = np.nan
    return Data(X, y, X[:8][::-1], y_val, refused)


RNG = np.random.RandomState(0)
ROWS, IMAGES = RNG.rand(N_SAMPLES, 6), RNG.rand(N_SAMPLES, 12, 12, 2)
SEQUENCES, FRAMES = RNG.rand(N_SAMPLES, 5, 2), RNG.rand(N_SAMPLES, 3, 6, 6)
LABELS, NUMBERS = np.arange(N_SAMPLES) % 3, RNG.normal(size=N_SAMPLES)
LABELS_OF_STEPS = RNG.randint(3, size=(N_SAMPLES, 5))
PROBABILITIES = RNG.dirichlet([1, 1, 1], N_SAMPLES)
SERIES = np.cumsum(RNG.normal(size=(40, 2)), axis=0)
TEXTS = [" ".join(RNG.permutation(["a", "bad", "cab", "fat", "bees"] * 2)) for _ in range(4)]


# Fits take milliseconds; full batches in order, and double precision, leave no choice of sums.
SMALL = {"max_iter": 3, "shuffle": False, "random_state": 0, "dtype": "float64"}
DENSE = {**SMALL, "hidden_layer_sizes": (4,)}
CONV = {**SMALL, "filters": (2, 3), "hidden_layer_sizes": (4,)}
CODE = {**DENSE, "n_components": 2}
CONV_CODE = {**SMALL, "filters": (2, 3), "n_components": 2}
TEXT = {**DENSE, "window": 4, "batch_size": 1000}

RECONSTRUCTIONS = ("transform", "reconstruct", "score_samples")


def at_zero(epoch: int) -> float:
    """Serve as a rate that the user computes."""
    return 0.01 / (1 + epoch)


def fitted_like(family: "Family"):
    """Stand for a fitted estimator of the family."""


# Values of every parameter; all are allowed, though not all together.
VALUES = {
    "activation": ["relu", "tanh", "logistic", nn.GELU],
    "alpha": [0.0, 1e-4, 0.1, 1e300],
    "augmentation": [None, RandomFlip()],
    "n_test_variants": [0, 2],
    "batch_size": ["auto", 7, 1000],
    "beta": [0.5, 1.0],
    "beta_warmup": [0, 2],
    "beta_1": [0.9, 0.0, 0],
    "beta_2": [0.999, 0.0, 0],
    "bidirectional": [False, True],
    "callbacks": [None, [], [EpochTimer()]],
    "cell": ["lstm", "gru", "rnn"],
    "class_weight": [None, "balanced", {0: 5.0, 1: 0.5}],
    "clip_grad_norm": [None, 0.01, 10.0],
    "compile": [False],  # It needs a compiler, and a minute.
    "cuda_graphs": [True, False],
    "data_format": ["auto", "channels_last", "channels_first", "no_channels"],
    "decoder_filters": [None, (3, 2), [(3, 2), 2]],
    "decoder_layer_sizes": [None, (5,), [3, 4]],
    "device": ["auto", "cpu"],
    "downsample": ["stride", "max", "average", ["max", "stride"]],
    "dropout": [0.0, 0.5],
    "dtype": ["float64", "float32", "auto"],
    "early_stopping": [False, True],
    "embedding_size": ["auto", None, 3],
    "epsilon": [1e-8, 1e-3],
    "depthwise": [False],
    "embedding": [None],
    "features": [None],
    "filters": [(2, 3), 2, [(2, 2), 3]],
    "frozen_layers": [None, "*1", ["output", "*output"], [None], []],
    "hidden_dropout": [0.0, [0.5]],
    "hidden_layer_sizes": [(4,), [5, 3], 4],
    "hidden_max_norm": [None, 0.5],
    "image_shape": ["auto"],
    "init_from": [None, fitted_like],
    "init_layers": [None, "*1", ["*"]],
    "input_noise": [0.0, 0.1],
    "kernel_size": [3, [(2,), 3], 2],
    "label_smoothing": [0.0, 0.2, 1.0],
    "adversarial_training": [None, 0.1],
    "latent_activation": ["identity", "tanh", nn.Softplus],
    "latent_filters": [None, 2],
    "learning_rate": [
        *("constant", "invscaling", "adaptive", "step", "exponential", "cosine", "one_cycle"),
        *("reduce_on_plateau", StepDecay(0.1, 2), at_zero),
    ],
    "learning_rate_init": ["auto", 1e-3, 0.05],
    "level": ["char", "word"],
    "loss": {
        "classifier": ["log_loss", "cross_entropy", "focal", nn.CrossEntropyLoss],
        "regressor": ["squared_error", "absolute_error", "huber", "gaussian", nn.SmoothL1Loss()],
        "autoencoder": ["auto", "squared_error", "binary_cross_entropy", nn.L1Loss],
    },
    "max_fun": [15000, 2],
    "layer_rates": [None, {"*1": 0.5}],
    "max_iter": [3, 1, 2],
    "max_norm": [None, 0.5],
    "max_time": [None, 1e6],
    "max_tokens": [None, 20],
    "merge_mode": ["concat", "sum", "average", "product"],
    "module": [None],
    "momentum": [0.9, 0.0, 0, 1.0],
    "n_components": [2, 3],
    "n_iter_no_change": [10, 1, np.inf],
    "n_steps_out": [None],
    "nesterovs_momentum": [True, False],
    "noise": [None, "gaussian", "mask"],
    "noise_amount": [0.2, 0.0],
    "noise_variance": ["auto", 0.5],
    "normalization": [None, "layer", "batch"],
    "out_activation": ["auto", "logistic", "identity"],
    "padding": ["same", "valid", 1, ["same", 2]],
    "pool_padding": ["valid", "same"],
    "pool_size": [2, 3, [(1, 2), 2]],
    "power_t": [0.5, 0.0, 1],
    "preprocessing": [None, "unit", "symmetric"],
    "quantile": [None],
    "random_state": [0, 1],
    "recurrent_dropout": [0.0, 0.5],
    "scoring": [None, "loss"],
    "shuffle": [False, True],
    "solver": [
        *("adam", "sgd", "adamw", "adamax", "nadam", "radam", "rmsprop", "adagrad", "adadelta"),
        *("lbfgs", torch.optim.SGD, torch.optim.AdamW),
    ],
    "sparsity": [0.0, 0.1],
    "stateful": [False, True],
    "step": [1, 2],
    "strides": [1, 2, [1, (2,)]],
    "target": ["each", "last"],
    "tied_weights": [False, True],
    "tol": [1e-4, 0.0, 10.0],
    "unknown_token": ["auto", "?"],
    "end_token": ["auto", True],
    "lowercase": [False, True],
    "validation_fraction": [0.1, 0.5],
    "verbose": [False, True],
    "vocabulary": [None, [*" abcdefst"]],
    "warm_start": [False],  # The actions say when.
    "weight_init": ["auto", "he_normal", "orthogonal", nn.init.xavier_uniform_],
    "window": [4, 6],
    # A GAN's own.
    "average_decay": [None, 0.9],
    "batch_variety": [False, True],
    "discriminator": [None],
    "discriminator_layer_sizes": [(4,), [5, 3], 4],
    "discriminator_learning_rate_init": [None, "auto", 1e-4],
    "discriminator_steps": [1, 2],
    "generator": [None],
    "generator_activation": [None, "relu", nn.GELU],
    "generator_layer_sizes": [(4,), [5, 3], 4],
    "generator_normalization": ["auto", None, ["batch", "layer"]],
    "generator_steps": [1, 2],
    "gradient_penalty": ["auto", 0.0, 0.1],
    "grow": [None, (6, 12)],
    "latent": ["uniform", "symmetric", "normal"],
    "negative_slope": [0.1, 0.0],
    "round": ["joint", "alternate"],
    "spectral_normalization": [False, True],
    "upsample": ["stride", "repeat"],
    # A forecaster's own.
    "estimator": [None],
    "exogenous": [None, [1]],
    "follows_training": ["auto", True, False],
    "differences": [(), 1, (1, 2)],
    "window_scaling": [None, "mean", "last", "standard"],
    "missing": ["auto", "drop"],
    "horizon": [1, 3],
    "input": ["auto", "rows"],
    "scaler": ["standard", None],
}

# What a parameter needs to have an effect comes with it.
NEEDS = {
    "init_layers": {"init_from": fitted_like},
    "max_fun": {"solver": "lbfgs"},
    "merge_mode": {"bidirectional": True},
    "momentum": {"solver": "sgd"},
    "nesterovs_momentum": {"solver": "sgd"},
    "noise_amount": {"noise": "gaussian"},
    "power_t": {"solver": "sgd", "learning_rate": "invscaling"},
    "scoring": {"early_stopping": True},
    "validation_fraction": {"early_stopping": True},
}

OF_CLASSES = {"scoring": [None, "loss", "neg_log_loss", "balanced_accuracy"]}
OF_NUMBERS = {"scoring": [None, "loss", "neg_mean_absolute_error"]}
OF_FRAMES = {"filters": [(2,), 3], "kernel_size": [3, 2], "strides": [2, 1]}
NO_FRAMES = {"filters": [()], "kernel_size": [5], "strides": [2]}


@dataclass(frozen=True)
class Family:
    """An estimator on data of a kind.

    Attributes
    ----------
    estimator : callable
        Makes one from parameters.
    kind : str
        Which of the values for a kind it takes.
    data : Data
        What it is fitted to.
    options : dict
        Parameters of small fits.
    values : dict
        Its own values, in place of those of `VALUES`.
    read : tuple of str
        Methods whose results tell what it has learnt.
    """

    estimator: Callable
    kind: str
    data: Data
    options: dict
    values: dict = field(default_factory=dict)
    read: tuple = ("predict",)

    def make(self, parameters: dict):
        options = {**self.options, **parameters}
        return self.estimator(**self.resolved(options))

    def resolved(self, parameters: dict) -> dict:
        """Put a fitted estimator where the family has to fit it."""
        given = parameters.get("init_from") is fitted_like
        return {**parameters, "init_from": self.given()} if given else parameters

    def given(self):
        return self.make({"random_state": 3}).fit(self.data.X, self.data.y)

    def classes(self) -> dict:
        """Give what the first call of `partial_fit` needs besides the data."""
        if self.kind != "classifier":
            return {}
        y = self.data.y
        return {"classes": np.unique(y) if y.dtype.kind == "i" else np.arange(y.shape[1])}

    def drawn(self) -> list[str]:
        """List the parameters that have several values."""
        return [name for name in self.make({}).get_params() if len(self.values_of(name)) > 1]

    def needs(self, names: list[str]) -> dict:
        """Collect what parameters need to have an effect."""
        found = {}
        for name in names:
            bare = name.removeprefix("estimator__")
            prefix = name.removesuffix(bare)
            found |= {prefix + other: value for other, value in NEEDS.get(bare, {}).items()}
        return found

    def values_of(self, name: str) -> list:
        values = {**VALUES, **self.values}[name.removeprefix("estimator__")]
        return values[self.kind] if isinstance(values, dict) else values

    def takes(self, name: str) -> bool:
        """Tell whether `fit` has an argument."""
        return name in inspect.signature(self.make({}).fit).parameters


def classifier(estimator, *args, read=("predict_proba", "predict"), **values):
    return Family(estimator, "classifier", *args, {**OF_CLASSES, **values}, read)


def regressor(estimator, *args, **values):
    return Family(estimator, "regressor", *args, {**OF_NUMBERS, **values})


def autoencoder(estimator, *args, **values):
    return Family(estimator, "autoencoder", *args, values, RECONSTRUCTIONS)


def gan(estimator, *args, **values):
    loss = ["log_loss", "hinge", "wasserstein"]
    out_activation = ["auto", "tanh", "logistic", "identity"]
    solver = [solver for solver in VALUES["solver"] if solver != "lbfgs"]
    own = {
        "activation": ["leaky_relu", "tanh", nn.GELU],
        "alpha": [0.0, 0.1],
        "batch_size": [1000, 7],
        "label_smoothing": [0.0, 0.2],
        "loss": loss,
        "out_activation": out_activation,
        "solver": solver,
    }
    return Family(estimator, "gan", *args, {**own, **values}, ("score_samples", "discriminate"))


def forecaster(**parameters) -> Forecaster:
    return Forecaster(MLPRegressor(**DENSE), window=4).set_params(**parameters)


FAMILIES = {
    "MLPClassifier": classifier(MLPClassifier, data(ROWS, LABELS), DENSE),
    "MLPClassifier of two classes": classifier(
        MLPClassifier, data(ROWS, LABELS % 2), DENSE, scoring=[None, "loss", "roc_auc"]
    ),
    "MLPClassifier of probabilities": classifier(
        MLPClassifier, data(ROWS, PROBABILITIES), DENSE, scoring=[None, "loss"]
    ),
    "MLPRegressor": regressor(MLPRegressor, data(ROWS, NUMBERS), DENSE),
    "ConvNetClassifier": classifier(ConvNetClassifier, data(IMAGES, LABELS), CONV),
    "ConvNetRegressor": regressor(ConvNetRegressor, data(IMAGES, NUMBERS), CONV),
    "RNNClassifier": classifier(RNNClassifier, data(SEQUENCES, LABELS), DENSE, **NO_FRAMES),
    "RNNClassifier of steps": classifier(
        RNNClassifier,
        data(SEQUENCES, LABELS_OF_STEPS),
        DENSE,
        **NO_FRAMES,
        scoring=[None, "loss"],
        data_format=["auto"],
    ),
    "RNNClassifier of frames": classifier(
        RNNClassifier, data(FRAMES, LABELS), {**DENSE, "filters": 2}, **OF_FRAMES
    ),
    "RNNRegressor": regressor(RNNRegressor, data(SEQUENCES, NUMBERS), DENSE, **NO_FRAMES),
    "Autoencoder": autoencoder(Autoencoder, data(ROWS), CODE),
    "VariationalAutoencoder": autoencoder(VariationalAutoencoder, data(ROWS), CODE),
    "ConvAutoencoder": autoencoder(
        ConvAutoencoder, data(IMAGES), CONV_CODE, n_components=[2, 3, None]
    ),
    "VariationalConvAutoencoder": autoencoder(
        VariationalConvAutoencoder, data(IMAGES), CONV_CODE, n_components=[2, 3, None]
    ),
    "RNNAutoencoder": autoencoder(RNNAutoencoder, data(SEQUENCES), CODE),
    "GAN": gan(GAN, data(ROWS), {**SMALL, "generator_layer_sizes": (4,), "n_components": 2}),
    "GAN of classes": gan(GAN, data(ROWS, LABELS), {**SMALL, "n_components": 2}),
    "ConvGAN": gan(
        ConvGAN,
        data(IMAGES),
        {**CONV_CODE, "kernel_size": 3},
        downsample=["stride", "max", "average", None],
        filters=[(2, 3), [4, 2]],
    ),
    "TextGenerator": Family(
        TextGenerator,
        "text",
        Data(TEXTS, None, ["a bad cab", "a fat bee"], None, [3.0]),
        TEXT,
        {"dtype": ["float64", "float32"], "solver": VALUES["solver"][:-3]},
        ("predict_proba", "score"),
    ),
    "Forecaster": Family(
        forecaster,
        "regressor",
        data(SERIES),
        {},
        {**OF_NUMBERS, "target": [None, 0], "window": [4, 3]},
    ),
}


# What is done with it.


class Refused(Exception):
    """A fit does not work with a drawn parameter, and says which."""


@dataclass(frozen=True)
class Case:
    """A family, an action, and two parameters with their values before it and after."""

    family: str
    action: str
    before: dict
    after: dict

    @property
    def own(self) -> Family:
        return FAMILIES[self.family]

    def fit(self, parameters: dict, X=None, y=None, **arguments):
        """Fit a new estimator, to the family's data if no other are given."""
        model = self.own.make(parameters)
        return self.refit(model, X, y, **arguments)

    def refit(self, model, X=None, y=None, **arguments):
        X, y = (self.own.data.X, self.own.data.y) if X is None else (X, y)
        with self.refusals(*arguments):
            model.fit(X, y, **arguments)
        self.assert_sound(model)
        return model

    def fit_validated(self, parameters: dict):
        return self.fit(parameters, **self.validation())

    def validation(self) -> dict:
        if not self.own.takes("X_val"):
            return {}
        y_val = {} if self.own.data.y_val is None else {"y_val": self.own.data.y_val}
        return {"X_val": self.own.data.X_val, **y_val}

    @contextmanager
    def refusals(self, *names: str):
        """Tell a refusal, which names a drawn parameter or one of the given names, from a fault."""
        try:
            yield
        except (ValueError, TypeError) as error:
            names = [*names, *(name.removeprefix("estimator__") for name in self.before)]
            if not any(name in str(error) for name in names):
                raise
            raise Refused from error

    def changed(self) -> set[str]:
        return {name for name in self.before if self.before[name] is not self.after[name]}

    def assert_sound(self, model) -> None:
        """Check outputs by themselves, for samples far from those that were learnt, too."""
        X = self.own.data.X
        for samples in [X] if self.own.kind == "text" else [X, -9999 * X]:
            outputs = self.outputs(model, samples)
            # A forecaster does not predict the first window, and rows that differences need.
            first = max(4, getattr(model, "_n_past", 0))
            assert all(
                np.isfinite(output[first:] if output.ndim else output).all() for output in outputs
            )
            if self.own.kind == "classifier":
                assert outputs[0].dtype == X.dtype
                np.testing.assert_allclose(outputs[0].sum(axis=-1), 1, rtol=1e-12)

    def outputs(self, model, X=None) -> list[np.ndarray]:
        X = self.own.data.X if X is None else X
        if getattr(model, "stateful", False):
            model.reset_states()
        return [np.asarray(getattr(model, method)(X)) for method in self.own.read]

    def assert_same(self, model, reference) -> None:
        """Check that two models predict the same bits."""
        self.assert_outputs(model, self.outputs(reference))

    def assert_same_epoch(self, model, reference) -> None:
        """Check that a further epoch of two models gives the same bits."""
        if hasattr(model, "partial_fit") and getattr(model, "class_weight", None) != "balanced":
            for one in (model, reference):
                one.partial_fit(self.own.data.X, self.own.data.y)
            self.assert_same(model, reference)

    def assert_outputs(self, model, expected, tolerance=0) -> None:
        for output, wanted in zip(self.outputs(model), expected, strict=True):
            np.testing.assert_allclose(output, wanted, rtol=tolerance, atol=tolerance)

    def assert_close(self, model, reference) -> None:
        """Check that two models predict the same to rounding, unless they draw at random."""
        module = getattr(model, "estimator_", model).module_
        is_double = next(module.parameters()).dtype == torch.float64
        if not draws_at_random(model):
            self.assert_outputs(model, self.outputs(reference), 1e-6 if is_double else 1e-2)


# Masks and noise depend on what was drawn before.
RANDOM = ("dropout", "hidden_dropout", "recurrent_dropout", "input_noise", "noise", "augmentation")


def network(model):
    """Give what has the parameters of a network: the model, or what a forecaster is made of."""
    return getattr(model, "estimator", model)


def draws_at_random(model) -> bool:
    options = network(model).get_params()
    return hasattr(model, "sample") or any(np.any(options.get(name)) for name in RANDOM)


def shuffles_batches(model) -> bool:
    """Tell whether the order of samples decides which share a batch."""
    return model.shuffle and model.batch_size == 7


def watched(model) -> tuple:
    """Tell of what quantity the best value is kept, and patience counted."""
    return model.loss if hasattr(model, "loss") else None, model.early_stopping and model.scoring


ACTIONS = {}


def action(fits: Callable[[Family], bool] = lambda family: True):
    """Register a function of a case; `fits` tells for which families."""

    def register(function):
        ACTIONS[function.__name__] = function, fits
        return function

    return register


def has(method: str) -> Callable[[Family], bool]:
    return lambda family: hasattr(family.make({}), method)


def has_parameter(name: str) -> Callable[[Family], bool]:
    return lambda family: name in family.make({}).get_params()


def takes(argument: str) -> Callable[[Family], bool]:
    return lambda family: family.takes(argument)


@action()
def refit(case):
    """Nothing of an earlier fit is left."""
    model = case.fit(case.before).set_params(**case.own.resolved(case.after))
    case.assert_same(case.refit(model), case.fit(case.after))


# What a warm start may refuse, although the weights keep their shapes: it says what they mean.
MEANINGS = {
    *("activation", "bidirectional", "cell", "data_format", "downsample", "dtype", "end_token"),
    *("filters", "lowercase"),
    *("kernel_size", "latent_activation", "level", "loss", "max_tokens", "merge_mode"),
    *("normalization", "out_activation", "padding", "pool_size", "preprocessing", "stateful"),
    *("strides", "target", "tied_weights", "unknown_token", "vocabulary", "window"),
}

# Schedules that go on where they were.
CARRIED = ("adaptive", "invscaling", "reduce_on_plateau")


@action(has_parameter("init_from"))
def warm_fit(case):
    """A warm start is a new fit that begins with the weights of the last one."""
    model = case.fit_validated(case.before)
    expected, earlier = case.outputs(model), deepcopy(model)
    reference = begin_with_weights_of(model, case)
    model.set_params(**case.own.resolved(case.after), warm_start=True)
    try:
        model.fit(case.own.data.X, case.own.data.y, **case.validation())
    except (ValueError, TypeError):
        if reference is not None and not MEANINGS & case.changed():
            raise
        model.set_params(**case.own.resolved(case.before))
        case.assert_outputs(model, expected)
        return
    assert reference is not None, "The warm start takes what a fit from these weights refuses."
    assert_goes_on(case, model, earlier, reference)


def begin_with_weights_of(model, case):
    """Fit a new estimator from all weights of another; return None where they do not fit."""
    start = {**case.after, "init_from": model, "init_layers": "*"}
    with suppress(ValueError, Refused):
        reference = case.fit_validated(start)
        if reference.module_.state_dict().keys() == model.module_.state_dict().keys():
            return reference
    return None


def assert_goes_on(case, model, earlier, reference):
    # It goes on, or begins anew with another loss.
    lengths = model.n_iter_, len(earlier.loss_curve_) + model.n_iter_
    assert len(model.loss_curve_) in lengths
    # 'auto' remains what it was.
    if shuffles_batches(model) or model.out_activation_ != reference.out_activation_:
        return
    if watched(model) == watched(earlier):
        if model.early_stopping and model.solver != "lbfgs":
            # The best weights of both trainings are kept.
            scores = [m.best_validation_score_ for m in (model, earlier)]
            assert scores[0] >= scores[1] or np.isnan(scores).any()
            return
        if model.learning_rate in CARRIED or model.n_iter_ < reference.n_iter_:
            return
    if model.learning_rate != "invscaling":
        assert model.n_iter_ == reference.n_iter_
        assert model.t_ == earlier.t_ + reference.t_
        case.assert_close(model, reference)


@action(has("partial_fit"))
def partial_fit(case):
    """So many calls of partial_fit are a fit of so many epochs."""
    model, X, y = case.own.make(case.before), case.own.data.X, case.own.data.y
    if not hasattr(model, "partial_fit"):
        return
    for _ in range(model.max_iter):
        with case.refusals():
            model.partial_fit(X, y, **case.own.classes())
    reference = case.fit(case.before)
    if reference.n_iter_ == model.max_iter:
        assert len(model.loss_curve_) == len(reference.loss_curve_)
        assert model.t_ == reference.t_
        if not shuffles_batches(model):
            case.assert_close(model, reference)
    pickle.loads(pickle.dumps(model.net_))
    assert_learns_or_says_so(case, model)


def assert_learns_or_says_so(case, model):
    """Check that a call behind the end of the schedule trains, or warns."""
    weights = deepcopy(model.module_.state_dict())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.partial_fit(case.own.data.X, case.own.data.y)
    has_learnt = any(
        not torch.equal(weight, weights[name])
        for name, weight in model.module_.state_dict().items()
    )
    assert has_learnt or caught, "The call has changed nothing, and has not said so."


@action(has("initialize"))
def initialize(case):
    """Initialising trains nothing, and a fit goes on from there as from nothing."""
    model = case.own.make(case.before)
    with warnings.catch_warnings(), case.refusals():
        warnings.simplefilter("error", ConvergenceWarning)
        model.initialize(case.own.data.X, case.own.data.y)
    case.assert_sound(model)
    assert (model.n_iter_, model.t_, len(model.loss_curve_)) == (0, 0, 0)
    model.set_params(warm_start=True)
    case.refit(model, case.own.data.X, case.own.data.y, **case.validation())
    reference = case.fit_validated(case.before)
    assert model.n_iter_ == reference.n_iter_
    if not shuffles_batches(model):
        case.assert_close(model, reference)


@action()
def saved(case):
    """A pickled model predicts and goes on as the one that was pickled."""
    model = case.fit(case.before)
    expected = case.outputs(model)
    model.set_params(**case.own.resolved(case.after))
    loaded = pickle.loads(pickle.dumps(model))
    for one in (model, loaded):
        one.set_params(**case.own.resolved(case.before))
        case.assert_outputs(one, expected)
    if hasattr(model, "warm_start"):
        case.assert_same(*[case.refit(one.set_params(warm_start=True)) for one in (model, loaded)])
        case.assert_same_epoch(loaded, model)


@action(has("to_json"))
def saved_as_json(case):
    """An architecture with its weights predicts and goes on as the model that it describes."""
    model = case.fit(case.before)
    with TemporaryDirectory() as folder, case.refusals():
        model.save_weights(Path(folder, "weights.npz"))
        loaded = from_json(model.to_json()).load_weights(Path(folder, "weights.npz"))
    case.assert_same(loaded, model)
    for one in (model, loaded):
        case.refit(one.set_params(warm_start=True))
    keeps_best = model.early_stopping and model.solver != "lbfgs"
    # Text tells nothing of the training before it.
    if keeps_best or model.learning_rate in CARRIED or model.n_iter_ != loaded.n_iter_:
        return
    case.assert_same(loaded, model)
    if model.learning_rate == "constant":
        case.assert_same_epoch(loaded, model)


@action()
def refused_fit(case):
    """A fit that is refused leaves the model before it."""
    model = case.fit(case.before)
    twin, expected = deepcopy(model), case.outputs(model)
    refused = {"X": (case.own.data.refused, case.own.data.y)}
    if case.own.data.y is not None:
        refused["y"] = case.own.data.X, case.own.data.y[:5]
    for X, y in refused.values():
        with pytest.raises((ValueError, TypeError)):
            model.fit(X, y)
        case.assert_outputs(model, expected)
    if hasattr(model, "warm_start"):
        case.assert_same(*[case.refit(one.set_params(warm_start=True)) for one in (model, twin)])


@action(takes("X_val"))
def validated(case):
    """Validation data are read, and not learnt from."""
    model = case.fit_validated(case.before)
    if not network(model).early_stopping:
        case.assert_same(model, case.fit(case.before))
    elif case.own.estimator is not forecaster:
        assert_goes_on_without_scores(case)


def assert_goes_on_without_scores(case):
    """Check that scores that are not defined do not end a training, and are told."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = case.fit_validated({**case.before, "max_iter": 5, "n_iter_no_change": 1})
    if np.isnan(model.validation_scores_ or [0]).all():
        assert model.n_iter_ == 5
        assert any("scoring" in str(warning.message) for warning in caught)


@action(lambda family: family.takes("sample_weight") or family.takes("fit_params"))
def weighted(case):
    """Weights of 1 are no weights, and samples of weight 0 are not there."""
    X, y, weight = case.own.data.X, case.own.data.y, np.ones(len(case.own.data.X))
    model = case.fit(case.before, sample_weight=weight)
    case.assert_close(model, case.fit(case.before))
    if hasattr(model, "alpha") and not counts_samples(model):
        weight[-4:] = 0
        model = case.fit(case.before, sample_weight=weight)
        case.assert_close(model, case.fit(case.before, X[:-4], None if y is None else y[:-4]))


def counts_samples(model) -> bool:
    """Tell whether a sample of weight 0 counts for something other than the loss."""
    options = model.get_params()
    return (
        model.batch_size == 7
        or model.early_stopping
        or model.learning_rate == "invscaling"
        or options.get("class_weight") == "balanced"
        or options.get("normalization") == "batch"
        or options.get("stateful", False)
    )


@action(has("transform"))
def given_targets(case):
    """A transformer ignores y."""
    X, y = case.own.data.X, 1 - case.own.data.X
    case.assert_same(case.fit(case.before, X, y), case.fit(case.before))


@action()
def stacked(case):
    """Fits that are trained together are those that are trained alone."""
    X, y = case.own.data.X, case.own.data.y
    n = len(X) - 1
    folds = [(X[rows], None if y is None else y[rows]) for rows in (slice(n), slice(-n, None))]
    fits = [(options, fold) for options in (case.before, case.after) for fold in folds]
    alone = [case.fit(options, *fold) for options, fold in fits]
    with parallel_config(backend="stacked"):
        together = Parallel()(delayed(case.own.make(options).fit)(*fold) for options, fold in fits)
    for one, other in zip(together, alone, strict=True):
        case.assert_close(one, other)


# The property.


def case_of(number: int) -> Case:
    """Draw a case.

    Left to itself, hypothesis prefers the first of several values, and copies one draw over
    another: a fourth of its cases are new.
    """
    rng = Random(number)
    family = rng.choice(list(FAMILIES))
    own = FAMILIES[family]
    action = rng.choice([name for name, (_, fits) in ACTIONS.items() if fits(own)])
    names = rng.sample(own.drawn(), 2)
    before, after = ({name: rng.choice(own.values_of(name)) for name in names} for _ in range(2))
    return Case(family, action, {**own.needs(names), **before}, {**own.needs(names), **after})


def simplified(case: Case) -> Iterator[Case]:
    """Give each of the parameters its first value, the usual one."""
    for name in case.before:
        usual = {name: case.own.values_of(name)[0]}
        yield replace(case, before={**case.before, **usual}, after={**case.after, **usual})


def check(case: Case) -> None:
    with suppress(Refused):
        ACTIONS[case.action][0](case)


@given(st.integers(0, 2**32 - 1).map(case_of))
@settings(
    max_examples=int(N_EXAMPLES or 300),
    derandomize=N_EXAMPLES is None,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_any_two_parameters_work_together(case):
    try:
        check(case)
    except Exception:
        for simpler in simplified(case):
            note(f"Fails with less: {simpler}")
            check(simpler)
        raise


@pytest.mark.parametrize("family", FAMILIES)
def test_values_cover_every_parameter(family):
    own = FAMILIES[family]
    names = {name.removeprefix("estimator__") for name in own.make({}).get_params()}
    assert names <= VALUES.keys() | own.values.keys()


def test_families_cover_every_estimator():
    public = [getattr(sknn_basics, name) for name in sknn_basics.__all__]
    estimators = {kind for kind in public if hasattr(kind, "fit")}
    # Ensembles neither go on nor stack: tests/test_tabular.py has their pairs.
    estimators -= {sknn_basics.TabularClassifier, sknn_basics.TabularRegressor}
    # All parameters but three are those of the autoencoder in it.
    estimators -= {sknn_basics.AutoencoderOutlierDetector}
    assert {type(family.make({})) for family in FAMILIES.values()} == estimators
