"""Networks that differ in their parameters, and see batches of different sizes, in one stack."""

from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.datasets import load_wine, make_classification
from sklearn.model_selection import (
    GridSearchCV,
    TimeSeriesSplit,
    cross_val_predict,
    cross_val_score,
)
from sklearn.multiclass import OneVsOneClassifier
from sklearn.preprocessing import StandardScaler
from torch import nn

from sknn_basics import ConvNetClassifier, MLPClassifier, RNNClassifier
from sknn_basics.parallel import stacked
from sknn_basics.stacking import backend
from sknn_basics.stacking.blocks import Block, Part
from sknn_basics.training.schedules import CosineAnnealing

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

TOLERANCE = {"float32": 1e-4, "float64": 1e-8}


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True)
    order = np.random.RandomState(0).permutation(len(y))
    return StandardScaler().fit_transform(X)[order], y[order]


def network(**parameters):
    fixed = {"hidden_layer_sizes": (6,), "max_iter": 3, "batch_size": 50, "random_state": 0}
    return MLPClassifier(**{**fixed, "dtype": "float64", **parameters})


def assert_same_fits(fits, others, X, tolerance=1e-8):
    for one, other in zip(fits, others, strict=True):
        np.testing.assert_allclose(one.loss_curve_, other.loss_curve_, rtol=tolerance)
        assert one.n_iter_ == other.n_iter_
        np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=tolerance)
        if getattr(one, "normalization", None) == "batch":
            continue  # Gradients of intercepts that it takes away are rounding.
        expected = other.module_.state_dict()
        for name, values in one.module_.state_dict().items():
            np.testing.assert_allclose(values, expected[name], rtol=0, atol=tolerance)


def compare_fits(estimators, datasets, tolerance=1e-8):
    """Fit all, each on every dataset, alone and stacked; return the report."""

    def fit_all():
        return Parallel()(
            delayed(clone(estimator).fit)(*own) for estimator in estimators for own in datasets
        )

    alone = fit_all()
    with stacked() as report:
        together = fit_all()
    assert_same_fits(together, alone, datasets[0][0], tolerance)
    return report


def assert_one_stack(report, n_fits):
    (row,) = report.trainings
    assert (row.way, row.n_fits, row.n_stacks, row.most_at_once) == ("stacked", n_fits, 1, n_fits)


DIFFERENCES = {
    "dropout": [0.0, 0.2],
    "input_noise": [0.0, 0.1, 0.3],
    "label_smoothing": [0.0, 0.1, 0.3],
    "max_norm": [None, 0.5, 1.0],
    "clip_grad_norm": [None, 0.1],
    "class_weight": [None, "balanced"],
    "loss": ["log_loss", "focal"],
    "solver": ["adam", "sgd", "rmsprop", "adamw"],
    "alpha": [0.0, 0.1],
    "batch_size": [16, 50, "auto"],
    "activation": ["relu", "tanh", "logistic", "gelu", "rrelu", "softmax", "identity"],
    "hidden_layer_sizes": [(), (3,), (6,), (6, 4), (5, 4, 3)],
    "normalization": [None, "batch", "layer"],
    "learning_rate": ["constant", "adaptive", CosineAnnealing()],
    "frozen_layers": [None, "hidden1"],
    "shuffle": [True, False],
    "average_decay": [None, 0.9],
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_networks_that_differ_in_a_parameter_are_one_stack(name, wine):
    estimators = [network(**{name: value}) for value in DIFFERENCES[name]]
    report = compare_fits(estimators, [wine, (wine[0][:120], wine[1][:120])])
    assert_one_stack(report, 2 * len(estimators))


def test_grid_of_the_readme_is_one_stack(wine):
    grid = {
        "dropout": [0.0, 0.2],
        "hidden_layer_sizes": [(8,), (6, 6)],
        "solver": ["adam", "sgd"],
    }
    search = GridSearchCV(network(), grid, cv=3)
    alone = clone(search).fit(*wine)
    with stacked() as report:
        together = search.fit(*wine)
    scores = [own.cv_results_["mean_test_score"] for own in (together, alone)]
    np.testing.assert_allclose(*scores, atol=1e-12)
    assert_one_stack(report, 24)


WIDTHS = [(3,), (9,), (5, 4), (4, 7), (7, 7), (2, 3, 4), (4, 3, 2)]


@pytest.fixture
def blocks(monkeypatch):
    """List the blocks of all stacks."""
    made, original = [], Block.__init__

    def init(self, nets, index):
        original(self, nets, index)
        made.append(self)

    monkeypatch.setattr(Block, "__init__", init)
    return made


@pytest.mark.parametrize(
    "options",
    [
        *({"solver": solver} for solver in ("adam", "sgd", "adamw", "adagrad", "rmsprop", "muon")),
        *({"activation": name} for name in ("tanh", "gelu", "logistic", "softmax", "prelu")),
        {"dropout": 0.3, "input_noise": 0.1},
        {"max_norm": 0.3, "alpha": 0.5, "clip_grad_norm": 0.1},
        {"average_decay": 0.9, "label_smoothing": 0.1},
        {"normalization": "layer"},
        {"early_stopping": True, "n_iter_no_change": 1, "max_iter": 20},
        {"frozen_layers": "hidden1"},
    ],
)
def test_networks_of_different_widths_are_padded(options, wine):
    estimators = [network(hidden_layer_sizes=sizes, **options) for sizes in WIDTHS]
    report = compare_fits(estimators, [wine, (wine[0][:120], wine[1][:120])])
    assert_one_stack(report, 2 * len(WIDTHS))


def test_networks_of_one_depth_are_one_block_with_zeros_where_none_has_units(wine, blocks):
    compare_fits([network(hidden_layer_sizes=sizes) for sizes in WIDTHS], [wine])
    assert sorted(len(block.nets) for block in blocks[:3]) == [2, 2, 3]
    block = max(blocks[:3], key=lambda block: len(block.nets))
    for name, padded in block.padded.items():
        missing = padded.index == sum(padded.sizes)
        assert missing.any()
        assert not block.tensors[name][missing].any()
        assert not block.gradients[name][missing].any()
        assert padded.own[-1] == 0
    for net in block.nets:
        for p in net.module_.parameters():
            assert net.optimizer_.state[p]["exp_avg_sq"].shape == p.shape


def test_networks_of_different_activations_are_one_block(wine, blocks):
    names = ["relu", "tanh", "gelu", "identity", nn.ELU, partial(nn.ELU, alpha=0.3)]
    compare_fits([network(activation=name) for name in names], [wine, wine])
    assert [len(block.nets) for block in blocks[:1]] == [2 * len(names)]


def test_networks_are_not_padded_where_that_costs_more_than_a_block(wine, blocks, monkeypatch):
    monkeypatch.setattr("sknn_basics.stacking.padding.BLOCK_COST", 0)
    report = compare_fits([network(hidden_layer_sizes=sizes) for sizes in WIDTHS], [wine])
    assert not any(block.padded for block in blocks)
    assert_one_stack(report, len(WIDTHS))


def test_a_padded_stack_takes_no_more_memory_than_is_estimated(wine, blocks, monkeypatch):
    estimates, original = {}, backend.bytes_of_fit

    def bytes_of_fit(fit):
        return estimates.setdefault(fit, original(fit))

    monkeypatch.setattr(backend, "bytes_of_fit", bytes_of_fit)
    compare_fits([network(hidden_layer_sizes=(n,)) for n in range(1, 60, 4)], [wine])
    tensors = []
    for block in (block for block in blocks if len(block.nets) == 15):
        tensors += [*block.tensors.values(), *block.gradients.values()]
        for padded in block.padded.values():
            tensors += [padded.own] * 4 + [padded.index] * 2
    assert sum(tensor.nbytes for tensor in tensors) < sum(estimates.values())


def test_a_padded_stack_that_does_not_fit_in_memory_is_halved(wine, monkeypatch):
    original = Part.step

    def step(self, *batch):
        if len(self.nets) > 2:
            raise MemoryError
        return original(self, *batch)

    monkeypatch.setattr(Part, "step", step)
    estimators = [network(hidden_layer_sizes=(n,)) for n in (3, 4, 5, 6)]
    with pytest.warns(RuntimeWarning, match="at most 2 are stacked now"):
        report = compare_fits(estimators, [wine])
    (row,) = report.trainings
    assert (row.way, row.n_fits, row.n_stacks, row.most_at_once) == ("stacked", 4, 2, 2)


@pytest.mark.parametrize("options", [{}, {"dropout": 0.3}, {"normalization": "batch"}])
def test_unequal_folds_of_small_data_are_one_stack(options, wine):
    estimator, cv = network(batch_size="auto", **options), TimeSeriesSplit(6)
    alone = cross_val_score(estimator, *wine, cv=cv, scoring="neg_log_loss")
    with stacked() as report:
        together = cross_val_score(estimator, *wine, cv=cv, scoring="neg_log_loss")
    np.testing.assert_allclose(together, alone, rtol=1e-8)
    assert_one_stack(report, 6)


def test_one_vs_one_of_unequal_classes_is_one_stack(wine):
    estimator = OneVsOneClassifier(network(batch_size="auto"))
    alone = cross_val_predict(clone(estimator), *wine, cv=2, method="decision_function")
    with stacked() as report:
        together = cross_val_predict(estimator, *wine, cv=2, method="decision_function")
    np.testing.assert_allclose(together, alone, atol=1e-8)
    assert_one_stack(report, 6)


SEQUENCES = np.random.default_rng(0).normal(size=(30, 5, 2)), np.arange(30) % 3
IMAGES = np.random.default_rng(0).random((24, 8, 8)), np.arange(24) % 3
OTHERS = {
    "recurrent": (
        RNNClassifier((4,), random_state=0, max_iter=2, batch_size=8, dtype="float64"),
        {
            "dropout": [0.0, 0.3],
            "recurrent_dropout": [0.0, 0.2],
            "input_noise": [0.0, 0.1],
            "label_smoothing": [0.0, 0.1],
            "batch_size": [7, 8],
            "cell": ["lstm", "gru"],
        },
        SEQUENCES,
    ),
    "convolutional": (
        ConvNetClassifier((3,), (4,), random_state=0, max_iter=2, batch_size=8, dtype="float64"),
        {
            "dropout": [0.0, 0.3],
            "hidden_dropout": [0.0, 0.2],
            "input_noise": [0.0, 0.1],
            "label_smoothing": [0.0, 0.1],
            "batch_size": [7, 8],
            "max_norm": [None, 0.3],
            "activation": ["relu", "tanh", "gelu"],
            "normalization": [None, "batch"],
        },
        IMAGES,
    ),
}


@pytest.mark.parametrize(("family", "name"), [(f, name) for f in OTHERS for name in OTHERS[f][1]])
def test_other_families_that_differ_in_a_parameter_are_one_stack(family, name):
    template, grid, data = OTHERS[family]
    estimators = [clone(template).set_params(**{name: value}) for value in grid[name]]
    X, y = data
    report = compare_fits(estimators, [(X, y), (X[:-3], y[:-3])])
    assert_one_stack(report, 2 * len(estimators))


@given(
    grids=st.lists(
        st.fixed_dictionaries(
            {
                name: st.sampled_from(DIFFERENCES[name])
                for name in (
                    *("dropout", "input_noise", "label_smoothing", "max_norm", "clip_grad_norm"),
                    *("class_weight", "loss", "solver", "alpha", "batch_size", "activation"),
                    *("hidden_layer_sizes", "normalization", "frozen_layers", "shuffle"),
                )
            }
        ),
        min_size=2,
        max_size=5,
    ),
    sizes=st.lists(st.integers(12, 60), min_size=1, max_size=3),
    dtype=st.sampled_from(list(TOLERANCE)),
    is_weighted=st.booleans(),
    seed=st.integers(0, 100),
)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_mixture_equals_the_fits_alone(grids, sizes, dtype, is_weighted, seed):
    X, y = make_classification(
        60, 4, n_redundant=0, n_informative=4, n_classes=3, random_state=seed
    )
    weight = np.random.RandomState(seed).randint(0, 3, 60) if is_weighted else np.ones(60)
    weight[:12] = 1
    y[:12] = np.arange(12) % 3
    estimators = [
        MLPClassifier(max_iter=2, dtype=dtype, random_state=seed).set_params(**options)
        for options in grids
        if not (options["loss"] == "focal" and options["label_smoothing"])
        and not (options["frozen_layers"] and not options["hidden_layer_sizes"])
        # What is rounding of a gradient that is 0 becomes a step of Adam in single precision.
        and not (options["normalization"] == "batch" and dtype == "float32")
    ]
    datasets = [(X[:n], y[:n], *([weight[:n]] if is_weighted else [])) for n in sizes]
    compare_fits(estimators, datasets, TOLERANCE[dtype])
