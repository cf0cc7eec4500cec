"""Networks that differ in their parameters, and see batches of different sizes, in one stack."""

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

from sknn_basics import ConvNetClassifier, MLPClassifier, RNNClassifier
from sknn_basics.parallel import stacked
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


def tensors(estimator) -> dict[str, np.ndarray]:
    values = {name: t.numpy() for name, t in estimator.module_.state_dict().items()}
    if getattr(estimator, "normalization", None) == "batch":
        # Batch normalization takes the intercepts before it away: their gradients are rounding.
        values = {k: v for k, v in values.items() if ".bias" not in k or "norm" in k}
        values = {k: v for k, v in values.items() if "running_mean" not in k}
    return values


def assert_same_fits(fits, others, tolerance=1e-8):
    for one, other in zip(fits, others, strict=True):
        np.testing.assert_allclose(one.loss_curve_, other.loss_curve_, rtol=tolerance)
        assert one.n_iter_ == other.n_iter_
        expected = tensors(other)
        for name, values in tensors(one).items():
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
    assert_same_fits(together, alone, tolerance)
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
    "weights_average": [None, 0.9],
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_networks_that_differ_in_a_parameter_are_one_stack(name, wine):
    if name not in MLPClassifier().get_params():
        pytest.skip("no such parameter")
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
    ]
    datasets = [(X[:n], y[:n], *([weight[:n]] if is_weighted else [])) for n in sizes]
    compare_fits(estimators, datasets, TOLERANCE[dtype])
