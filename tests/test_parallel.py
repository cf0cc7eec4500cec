"""Stacked training: the joblib backend, the turns of its tasks, and the stacks."""

import gc
import os
import random
import signal
import threading
import time
import warnings
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky import get_reusable_executor
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    ParameterGrid,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from skorch.callbacks import Callback

from sknn_basics import Autoencoder, MLPClassifier, MLPRegressor, VariationalAutoencoder
from sknn_basics.stacking import rounds, sources
from sknn_basics.stacking.backend import MOST_FITS, stacked
from sknn_basics.stacking.blocks import Part
from sknn_basics.stacking.stack import Neighbours, Stack
from sknn_basics.training.batches import ArrayDataset, Batches
from sknn_basics.training.schedules import CosineAnnealing

TOLERANCE = {"float32": 1e-4, "float64": 1e-9}


@pytest.fixture(scope="module")
def data():
    return make_classification(97, 6, n_informative=5, n_redundant=0, n_classes=3, random_state=0)


def network(**parameters):
    fixed = {"hidden_layer_sizes": (8,), "max_iter": 4, "batch_size": 16, "random_state": 0}
    return MLPClassifier(**{**fixed, **parameters})


def weights(estimator):
    intercepts = estimator.intercepts_
    if estimator.normalization == "batch":
        # Batch normalization takes the intercepts before it away: their gradients are rounding.
        intercepts = intercepts[-1:]
    return [*estimator.coefs_, *intercepts]


def assert_same_fits(fits, others, tolerance):
    for one, other in zip(fits, others, strict=True):
        np.testing.assert_allclose(one.loss_curve_, other.loss_curve_, rtol=tolerance)
        assert one.n_iter_ == other.n_iter_
        for a, b in zip(weights(one), weights(other), strict=True):
            np.testing.assert_allclose(a, b, atol=tolerance, rtol=0)


def compare(estimator, grid, X, y, tolerance=1e-4, cv=4, n_processes=1, **fit):
    """Run a search alone and stacked, and check that its results are the same."""
    search = GridSearchCV(estimator, grid, cv=cv)
    alone = clone(search).set_params(n_jobs=1).fit(X, y, **fit)
    with stacked(n_processes=n_processes) as report:
        together = clone(search).fit(X, y, **fit)
    for key in alone.cv_results_:
        if key.startswith("split"):
            np.testing.assert_allclose(
                together.cv_results_[key], alone.cv_results_[key], atol=tolerance
            )
    return report


OPTIONS = {
    "adam": {"learning_rate_init": [1e-3, 1e-2], "alpha": [0.0, 1.0]},
    "sgd": {"solver": ["sgd"], "momentum": [0.0, 0.9], "learning_rate_init": [0.1, 0.01]},
    "rmsprop": {"solver": ["rmsprop"], "alpha": [1e-4, 1e-2]},
    "torch": {"solver": [torch.optim.Adadelta, torch.optim.AdamW]},
    "schedules": {
        "learning_rate": [
            "constant",
            "adaptive",
            "invscaling",
            CosineAnnealing(),
            lambda epoch: 0.1 / (epoch + 1),
        ],
        "solver": ["sgd"],
    },
    "early stopping": {
        "early_stopping": [True],
        "n_iter_no_change": [1, 2, 30],
        "learning_rate_init": [1e-3, 0.1],
        "max_iter": [20],
    },
    "tolerance": {"tol": [1e-4, 0.05], "n_iter_no_change": [1], "max_iter": [5, 15]},
    "class weights": {"class_weight": [None, "balanced", {0: 3.0}]},
    "batch normalization": {"normalization": ["batch"], "alpha": [0.0, 0.1]},
    "layer normalization": {"normalization": ["layer"], "activation": ["tanh", "prelu"]},
    "dropout": {"dropout": [0.2, 0.5, [0.0]], "input_noise": [0.0, 0.1]},
    "random activation": {"activation": ["rrelu"], "alpha": [0.0, 0.1]},
    "max norm and clipping": {"max_norm": [1.0], "clip_grad_norm": [None, 0.1, 10.0]},
    "label smoothing": {"label_smoothing": [0.0, 0.1], "loss": ["cross_entropy", "log_loss"]},
    "structures": {"hidden_layer_sizes": [(4,), (8,), (4, 4), ()], "activation": ["relu", "tanh"]},
    "batches": {"batch_size": [7, 16, 1000], "shuffle": [True, False]},
    "seeds": {"random_state": [0, 1, 2]},
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", OPTIONS)
def test_stacked_fits_equal_those_alone(data, options, dtype):
    (X, y), grid = data, OPTIONS[options]
    estimators = [
        network(dtype=dtype).set_params(**parameters) for parameters in ParameterGrid(grid)
    ]
    folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(X, y))

    def fit_all():
        return Parallel()(
            delayed(clone(estimator).fit)(X[train], y[train])
            for estimator in estimators
            for train, _ in folds
        )

    alone = fit_all()
    with stacked() as report:
        together = fit_all()
    assert_same_fits(together, alone, TOLERANCE[dtype])
    assert max(training.most_at_once for training in report.trainings) > 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_search_in_pipeline_gives_the_same_scores_and_best_weights(data, dtype):
    X, y = data
    pipe = make_pipeline(MinMaxScaler(), network(dtype=dtype, max_iter=10))
    grid = {"mlpclassifier__learning_rate_init": [1e-3, 1e-2], "mlpclassifier__alpha": [0, 0.1, 1]}
    alone = GridSearchCV(pipe, grid, cv=4, n_jobs=1).fit(X, y)
    with parallel_config(backend="stacked"):
        together = GridSearchCV(pipe, grid, cv=4).fit(X, y)
    assert together.best_params_ == alone.best_params_
    np.testing.assert_allclose(
        together.cv_results_["mean_test_score"],
        alone.cv_results_["mean_test_score"],
        atol=TOLERANCE[dtype],
    )
    assert_same_fits([together.best_estimator_[-1]], [alone.best_estimator_[-1]], TOLERANCE[dtype])


@given(
    n_samples=st.integers(20, 60),
    n_folds=st.integers(2, 5),
    rates=st.lists(st.sampled_from([1e-3, 1e-2, 0.1]), min_size=1, max_size=3, unique=True),
    alphas=st.lists(st.sampled_from([0.0, 1e-3, 1.0]), min_size=1, max_size=3, unique=True),
    batch_sizes=st.lists(st.integers(1, 40), min_size=1, max_size=2, unique=True),
    solver=st.sampled_from(["adam", "sgd", "adamw"]),
    sizes=st.lists(st.integers(1, 6), max_size=2),
    early_stopping=st.booleans(),
    seed=st.integers(0, 100),
)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_search_equals_the_one_alone(
    n_samples, n_folds, rates, alphas, batch_sizes, solver, sizes, early_stopping, seed
):
    X, y = make_classification(n_samples, 5, random_state=seed)
    estimator = MLPClassifier(
        sizes, solver=solver, max_iter=3, early_stopping=early_stopping, random_state=seed
    )
    grid = {"learning_rate_init": rates, "alpha": alphas, "batch_size": batch_sizes}
    compare(estimator, grid, X, y, 1e-9, StratifiedKFold(n_folds, shuffle=True, random_state=seed))


def test_regressors_with_sparse_and_weighted_samples(data):
    X, y = data
    rng = np.random.RandomState(0)
    weight, sparse = rng.rand(len(y)), csr_array(np.where(rng.rand(*X.shape) > 0.5, X, 0))
    targets = np.column_stack([y, X[:, 0]]).astype(float)
    estimator = MLPRegressor(hidden_layer_sizes=(5,), max_iter=3, random_state=0)
    grid = {"alpha": [0.0, 1.0], "loss": ["squared_error", "huber"]}
    compare(estimator, grid, sparse, targets, 1e-9, sample_weight=weight)


def test_fits_with_and_without_weights_share_a_stack(data):
    X, y = data
    weight = np.random.RandomState(0).rand(len(y))

    def fit_all():
        return Parallel()(
            delayed(network(dtype="float64").fit)(X, y, sample_weight=w) for w in (None, weight)
        )

    alone = fit_all()
    with stacked() as report:
        together = fit_all()
    assert_same_fits(together, alone, 1e-9)
    assert len(report.trainings) == 1


@pytest.fixture
def steps_taken(monkeypatch):
    """List the shapes of the inputs of all steps of stacks."""
    shapes, original = [], Neighbours.step

    def step(self, X, y, weight):
        shapes.append(tuple(X.shape))
        return original(self, X, y, weight)

    monkeypatch.setattr(Neighbours, "step", step)
    return shapes


@pytest.mark.parametrize(
    "options",
    [{}, {"shuffle": False}, {"early_stopping": True}, {"batch_size": 200}, {"solver": "sgd"}],
)
def test_samples_that_weigh_nothing_are_left_out_of_steps(data, options, steps_taken):
    X, y = data
    weights = np.random.default_rng(0).integers(0, 2, (4, len(X))) * 2.5
    weights[0, : len(X) // 2] = 0  # whole batches that weigh nothing
    estimator = network(**{"batch_size": 40, "dtype": "float64", **options})

    def fit_all():
        return Parallel()(
            delayed(clone(estimator).fit)(X, y, sample_weight=weight) for weight in weights
        )

    alone = fit_all()
    assert not steps_taken
    with stacked():
        together = fit_all()
    assert_same_fits(together, alone, 1e-9)
    sizes = [n_samples for _, n_samples, _ in steps_taken]
    assert max(sizes) < min(estimator.batch_size, len(X))


@pytest.mark.parametrize("options", [{"normalization": "batch"}, {"dropout": 0.5}])
def test_samples_that_weigh_nothing_count_where_a_batch_matters(data, options, steps_taken):
    X, y = data
    weight = np.arange(len(X)) % 2
    estimator = network(batch_size=40, dtype="float64", **options)
    with stacked():
        Parallel()(delayed(clone(estimator).fit)(X, y, sample_weight=weight) for _ in range(2))
    assert max(n_samples for _, n_samples, _ in steps_taken) == 40


@pytest.mark.parametrize("hidden", [5, 60], ids=["narrow", "wide"])
def test_candidates_of_a_fold_share_their_inputs(data, hidden, monkeypatch):
    X, y = data
    copied, original = set(), Part.spread

    def spread(self, name, values):
        copied.add(name)
        return original(self, name, values)

    monkeypatch.setattr(Part, "spread", spread)
    search = GridSearchCV(
        network(hidden_layer_sizes=hidden, batch_size=40, dtype="float64"),
        {"learning_rate_init": [1e-3, 1e-2], "alpha": [1e-4, 1e-1]},
        cv=3,
    )
    alone = clone(search).fit(X, y)
    with stacked():
        together = clone(search).fit(X, y)
    assert_same_fits([together.best_estimator_], [alone.best_estimator_], 1e-9)
    assert "y" in copied
    assert "X" not in copied


@pytest.mark.parametrize(("options", "n_steps"), [({}, 2), ({"normalization": "batch"}, 3)])
def test_last_batches_of_unequal_folds_are_one_step(data, options, n_steps, steps_taken):
    X, y = data[0][:100], data[1][:100]  # folds of 66, 67 and 67 samples
    estimator = network(batch_size=40, dtype="float64", max_iter=3, **options)
    alone = cross_val_predict(estimator, X, y, cv=KFold(3), method="predict_proba")
    with stacked():
        together = cross_val_predict(estimator, X, y, cv=KFold(3), method="predict_proba")
    np.testing.assert_allclose(together, alone, atol=1e-9)
    assert len(steps_taken) == 3 * n_steps


def fitted_net():
    return network(max_iter=1).fit(np.eye(6), np.arange(6) % 2).net_


@pytest.mark.parametrize("weighs", [None, [1.0, 1.0, 0.0]])
def test_batches_are_filled_up_with_samples_of_their_own(weighs):
    X = np.arange(30.0)[:, None]
    weight = None if weighs is None else np.resize(weighs, 30)
    options = {"dtype": torch.float64, "device": torch.device("cpu")}
    whole = ArrayDataset(X, np.arange(30.0)[:, None], weight, **options)
    # The first rows of the data are held out, those of an early stopping for example.
    batches = [Batches(whole.subset(np.arange(start, 30)), 8) for start in (3, 4)]
    seen = [set(), set()]
    read = sources.Sources(batches, [fitted_net()] * 2)
    for start, stop, _, (X_read, y_read, weight_read) in read.steps():
        assert (start, stop) == (0, 2)
        torch.testing.assert_close(X_read, y_read)
        assert X_read.min() >= 3
        weight_read = torch.ones(y_read.shape[:2]) if weight_read is None else weight_read
        for own, values, weights in zip(seen, X_read, weight_read):
            own.update(values[weights > 0].ravel().tolist())
    for own, start in zip(seen, (3, 4)):
        assert own == {i for i in range(start, 30) if weight is None or weight[i]}


def test_bagging_reads_one_array_for_all_networks(data):
    X, y = data
    tables, original = [], sources.TableReader.__init__

    def make(self, *args):
        original(self, *args)
        tables.append(len(self.X))

    bagging = BaggingClassifier(network(), 5, random_state=0)
    alone = clone(bagging).fit(X, y)
    with mock.patch.object(sources.TableReader, "__init__", make), stacked():
        together = clone(bagging).fit(X, y)
    assert set(tables) == {len(X)}
    np.testing.assert_allclose(together.predict_proba(X), alone.predict_proba(X), atol=1e-9)


def test_arrays_that_some_networks_share_are_read_for_each(data):
    X, y = data
    estimator = network(dtype="float64")
    parts = [(X[:40].copy(), y[:40]), (X[40:70].copy(), y[40:70]), (X[70:].copy(), y[70:])]
    # Two fits have the longest array in common, and other targets.
    work = [*parts, (parts[0][0], y[40:80])]

    def fit_all():
        return Parallel()(delayed(clone(estimator).fit)(*own) for own in work)

    alone = fit_all()
    with stacked():
        together = fit_all()
    assert_same_fits(together, alone, 1e-9)


def test_large_arrays_are_read_in_blocks(data, monkeypatch):
    X, y = data
    monkeypatch.setattr(sources, "TABLE_BYTES", 0)
    blocks, original = [], sources.BlockReader.read_block

    def read_block(self, leaders, begin):
        blocks.append(begin)
        return original(self, leaders, begin)

    monkeypatch.setattr(sources.BlockReader, "read_block", read_block)
    compare(network(dtype="float64"), OPTIONS["batches"], X, y, 1e-9)
    assert blocks


def test_networks_of_different_dropout_agree_on_average(data):
    X, y = data
    grid = {"dropout": [0.3], "random_state": list(range(10))}
    search = GridSearchCV(network(max_iter=15), grid, cv=3)
    alone = clone(search).fit(X, y).cv_results_["mean_test_score"]
    with stacked():
        together = clone(search).fit(X, y).cv_results_["mean_test_score"]
    assert abs(alone.mean() - together.mean()) <= alone.std(ddof=1) / np.sqrt(10)


# scikit-learn's tools.

TOOLS = {
    "GridSearchCV": lambda e, X, y: GridSearchCV(e, {"alpha": [0, 1]}, cv=3).fit(X, y).best_score_,
    "RandomizedSearchCV": lambda e, X, y: (
        RandomizedSearchCV(e, {"alpha": [0, 1, 2]}, n_iter=2, cv=3, random_state=0)
        .fit(X, y)
        .cv_results_["mean_test_score"]
    ),
    "HalvingGridSearchCV": lambda e, X, y: (
        HalvingGridSearchCV(e, {"alpha": [0, 1, 2]}, cv=3, random_state=0, min_resources=30)
        .fit(X, y)
        .cv_results_["mean_test_score"]
    ),
    "cross_val_score": lambda e, X, y: cross_val_score(e, X, y, cv=4),
    "cross_validate": lambda e, X, y: cross_validate(e, X, y, return_train_score=True)[
        "train_score"
    ],
    "cross_val_predict": lambda e, X, y: cross_val_predict(e, X, y, method="predict_proba"),
    "learning_curve": lambda e, X, y: learning_curve(e, X, y, cv=3)[1:],
    "validation_curve": lambda e, X, y: validation_curve(
        e, X, y, param_name="alpha", param_range=[0, 1], cv=3
    ),
    "permutation_test_score": lambda e, X, y: permutation_test_score(
        e, X, y, n_permutations=4, cv=3, random_state=0
    )[1],
    "BaggingClassifier": lambda e, X, y: (
        BaggingClassifier(e, 6, random_state=0).fit(X, y).predict_proba(X)
    ),
    "OneVsRestClassifier": lambda e, X, y: OneVsRestClassifier(e).fit(X, y).predict_proba(X),
    "StackingClassifier": lambda e, X, y: (
        StackingClassifier(
            [("a", e), ("b", clone(e).set_params(alpha=1)), ("c", LogisticRegression())], cv=3
        )
        .fit(X, y)
        .predict_proba(X)
    ),
    "CalibratedClassifierCV": lambda e, X, y: (
        CalibratedClassifierCV(e, cv=3).fit(X, y).predict_proba(X)
    ),
    "nested search": lambda e, X, y: cross_val_score(
        GridSearchCV(e, {"alpha": [0, 1, 2]}, cv=2), X, y, cv=3
    ),
}


@pytest.mark.parametrize("in_pipeline", [False, True])
@pytest.mark.parametrize("tool", TOOLS)
def test_tools_of_scikit_learn(data, tool, in_pipeline):
    X, y = data
    estimator = network()
    if in_pipeline and tool not in ("GridSearchCV", "validation_curve"):
        if "Search" in tool or "search" in tool or tool == "StackingClassifier":
            pytest.skip("the parameter has another name in a pipeline")
        estimator = make_pipeline(MinMaxScaler(), estimator)
    alone = TOOLS[tool](estimator, X, y)
    with stacked() as report:
        together = TOOLS[tool](estimator, X, y)
    for one, other in zip(np.atleast_1d(together), np.atleast_1d(alone), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    assert report.trainings[0].way == "stacked"


def test_multi_output_regressor(data):
    X, _ = data
    estimator = MultiOutputRegressor(
        MLPRegressor(hidden_layer_sizes=(4,), max_iter=3, random_state=0)
    )
    alone = clone(estimator).fit(X, X[:, :3]).predict(X)
    with stacked() as report:
        together = clone(estimator).fit(X, X[:, :3]).predict(X)
    np.testing.assert_allclose(together, alone, atol=1e-9)
    assert report.trainings[0].n_fits == 3


def test_nested_searches_stack_across_the_outer_folds(data):
    X, y = data
    inner = GridSearchCV(network(), {"alpha": [0, 1, 2]}, cv=2)
    with stacked() as report:
        cross_val_score(inner, X, y, cv=5)
    # Five outer folds, each of three candidates on two folds, on every core's stack together.
    assert report.trainings[0].n_fits == 5 * 3 * 2 + 5
    assert report.trainings[0].most_at_once * torch.get_num_threads() >= 5 * 3 * 2


# What is not stacked.


class WatchBatches(Callback):
    def on_batch_end(self, net, **kwargs):
        self.has_seen_batch_ = True


class UnknownLayer(torch.nn.Module):
    def forward(self, x):
        return torch.relu(x)


def test_report_names_what_was_trained_alone_and_why(data):
    X, y = data
    estimators = [
        network(callbacks=[WatchBatches()]),
        network(activation=UnknownLayer),
        network(hidden_layer_sizes=(3,)),
        network(dtype="float32"),
        network(solver="lbfgs"),
        *[network(alpha=alpha) for alpha in range(6)],
    ]
    with stacked() as report:
        Parallel()(delayed(estimator.fit)(X, y) for estimator in estimators)
    ways = {training.way for training in report.trainings}
    assert "stacked" in ways
    assert "alone: a callback watches batches" in ways
    assert "alone: UnknownLayer has no stacked form" in ways
    assert "alone: no other has its dtype of float32" in ways
    text = str(report)
    assert "6-8-3" in text
    assert "6-3-3" in text
    assert estimators[0].callbacks[0].has_seen_batch_


def test_n_jobs_caps_what_is_stacked(data):
    X, y = data
    for n_jobs in (1, 3):
        with stacked(n_jobs) as report:
            cross_val_score(network(), X, y, cv=7)
        most = [training.most_at_once for training in report.trainings]
        assert max(most, default=1) <= n_jobs
    with pytest.raises(ValueError, match="n_jobs == 0"), stacked(0):
        cross_val_score(network(), X, y)


def test_more_fits_than_the_cap_run_one_after_the_other(data, monkeypatch):
    X, y = data
    monkeypatch.setattr("sknn_basics.stacking.backend.MOST_FITS", 4)
    alone = cross_val_score(network(), X, y, cv=11)
    with stacked():
        np.testing.assert_allclose(cross_val_score(network(), X, y, cv=11), alone)
    assert MOST_FITS > 4


def test_memory_caps_the_fits_under_way(data, monkeypatch):
    X, y = data
    live, most = [], []

    class Count(Callback):
        def on_train_begin(self, net, **kwargs):
            live.append(net)
            most.append(len(live))

        def on_train_end(self, net, **kwargs):
            live.remove(net)

    estimator = network(callbacks=[Count()])
    size = 1000
    monkeypatch.setattr("sknn_basics.stacking.backend.bytes_of_fit", lambda fit: size)
    monkeypatch.setattr(
        "sknn_basics.stacking.backend.available_memory", lambda device: 2 * 3 * size
    )
    with stacked():
        scores = cross_val_score(estimator, X, y, cv=8)
    assert np.isfinite(scores).all()
    assert max(most) == 3


def test_anything_else_just_runs():
    with stacked() as report:
        assert Parallel()(delayed(pow)(i, 2) for i in range(5)) == [0, 1, 4, 9, 16]
    assert report.trainings == []


# Failures.


def test_failure_of_one_member_reaches_that_member_alone(data):
    X, y = data
    grid = {"learning_rate_init": [1e-3, 1e30], "max_iter": [6]}
    search = GridSearchCV(network(solver="sgd"), grid, cv=3, error_score=np.nan, refit=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alone = clone(search).fit(X, y).cv_results_["mean_test_score"]
        with stacked():
            together = clone(search).fit(X, y).cv_results_["mean_test_score"]
    assert np.isnan(together[1])
    assert np.isfinite(together[0])
    np.testing.assert_allclose(together, alone)


def test_error_is_raised_as_alone(data):
    X, y = data
    n_threads = threading.active_count()
    search = GridSearchCV(network(), {"dropout": [0.0, [0.1, 0.2]]}, cv=3, error_score="raise")
    with pytest.raises(ValueError, match="dropout must be one value"), stacked():
        search.fit(X, y)
    assert threading.active_count() == n_threads


def test_stack_that_does_not_fit_in_memory_is_split(data, monkeypatch):
    X, y = data
    alone = cross_val_score(network(dropout=0.2), X, y, cv=8)
    step = Neighbours.step

    def step_in_little_memory(self, *batch):
        if len(self.nets) > 2:
            raise MemoryError
        return step(self, *batch)

    monkeypatch.setattr(Neighbours, "step", step_in_little_memory)
    with (
        stacked() as report,
        pytest.warns(RuntimeWarning, match="does not fit in memory") as caught,
    ):
        together = cross_val_score(network(dropout=0.2), X, y, cv=8)
    np.testing.assert_allclose(together, alone)
    messages = [str(w.message) for w in caught if "does not fit" in str(w.message)]
    assert messages == [
        f"A stack of {n} networks does not fit in memory: at most {n // 2} are stacked now."
        for n in (8, 4)
    ]
    assert report.trainings[0].most_at_once == 2


def test_stack_that_never_fits_in_memory_is_split_until_each_is_trained_alone(data, monkeypatch):
    X, y = data
    alone = cross_val_score(network(), X, y, cv=4)

    def no_memory(self, *batch):
        raise MemoryError("full")

    monkeypatch.setattr(Neighbours, "step", no_memory)
    with warnings.catch_warnings(), stacked() as report:
        warnings.simplefilter("ignore")
        np.testing.assert_allclose(cross_val_score(network(), X, y, cv=4), alone)
    assert [training.most_at_once for training in report.trainings] == [1]


@pytest.fixture
def heeds_interrupts():
    """Let Ctrl-C interrupt, which a process started in the background of a shell ignores."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt_a_search(X, y, delay, is_under_way=lambda: True):
    """Check that Ctrl-C during a search ends it, and leaves no thread."""

    def interrupt():
        while not is_under_way():
            time.sleep(0.001)
        time.sleep(delay)
        os.kill(os.getpid(), signal.SIGINT)

    # Python ignores Ctrl-C within the callbacks that free the threads of an earlier search.
    gc.collect()
    n_threads = threading.active_count()
    estimator = network(max_iter=100_000, tol=0, n_iter_no_change=100_000)
    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    with pytest.raises(KeyboardInterrupt), stacked():
        cross_val_score(GridSearchCV(estimator, {"alpha": [0, 1]}, cv=2), X, y, cv=3)
    interrupter.join()
    # A thread whose start was interrupted ends by itself.
    deadline = time.perf_counter() + 60
    while threading.active_count() > n_threads and time.perf_counter() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == n_threads
    assert cross_val_score(network(), X, y).shape == (5,)


@pytest.mark.skipif(os.name == "nt", reason="sends itself a signal")
@pytest.mark.parametrize("delay", [0.05, 0.4, 1.0])
def test_interrupt_stops_everything(data, delay, heeds_interrupts):
    interrupt_a_search(*data, delay)


@pytest.mark.parametrize("n_calls", [1, 3])
@pytest.mark.parametrize(
    ("kind", "method"),
    [(rounds.Report, "add"), (rounds.Rounds, "regroup"), (rounds.Epoch, "train")],
)
def test_interrupt_within_a_round_stops_nested_tasks_too(data, monkeypatch, kind, method, n_calls):
    X, y = data
    n_threads, original, calls = threading.active_count(), getattr(kind, method), []

    def interrupted(*args):
        original(*args)
        calls.append(args)
        if len(calls) == n_calls:
            raise KeyboardInterrupt

    monkeypatch.setattr(kind, method, interrupted)
    with pytest.raises(KeyboardInterrupt), stacked():
        cross_val_score(GridSearchCV(network(), {"alpha": [0, 1]}, cv=2), X, y, cv=3)
    assert threading.active_count() == n_threads


class SometimesFails(ClassifierMixin, BaseEstimator):
    """Fails where it is told to, else is fitted by a classifier."""

    def __init__(self, classifier=None, when="never"):
        self.classifier, self.when = classifier, when

    def fit(self, X, y):
        if self.when == "before":
            raise ValueError("before")
        self.classifier_ = clone(self.classifier).fit(X, y)
        if self.when == "after":
            raise ValueError("after")
        self.classes_ = self.classifier_.classes_
        return self

    def predict(self, X):
        return self.classifier_.predict(X)

    def predict_proba(self, X):
        return self.classifier_.predict_proba(X)


def _random_nesting(rng, depth):
    """Make a meta-estimator around meta-estimators around networks, some of which fail."""
    kind = rng.choice(["search", "bagging", "ovr", "stacking", "calibrated", "fails"])
    if depth == 0:
        return network(
            hidden_layer_sizes=rng.choice([(), (2,), (3,)]),
            max_iter=rng.choice([1, 2]),
            alpha=rng.choice([0.0, 1.0]),
            learning_rate_init=rng.choice([1e-3, 1e-3, 1e-3, 1e300]),
            callbacks=rng.choice([None, None, [WatchBatches()]]),
        )
    inner = _random_nesting(rng, depth - 1)
    if kind == "search":
        return GridSearchCV(
            SometimesFails(inner),
            {"when": rng.choice([["never"], ["never", "before"], ["never", "after"]])},
            cv=2,
            error_score=rng.choice([np.nan, "raise"]),
        )
    if kind == "bagging":
        return BaggingClassifier(inner, 2, random_state=0)
    if kind == "ovr":
        return OneVsRestClassifier(inner)
    if kind == "stacking":
        return StackingClassifier([("a", inner), ("b", LogisticRegression())], cv=2)
    if kind == "calibrated":
        return CalibratedClassifierCV(inner, cv=2)
    return SometimesFails(inner, rng.choice(["never", "never", "before", "after"]))


def run_nestings(seeds):
    """Fit random nestings; count those that failed."""
    X, y = make_classification(30, 4, n_informative=3, n_redundant=0, random_state=0)
    n_failures = 0
    for seed in seeds:
        rng = random.Random(seed)
        estimator = _random_nesting(rng, rng.choice([1, 2, 2, 3]))
        with warnings.catch_warnings(), stacked(rng.choice([None, None, 2, 3])):
            warnings.simplefilter("ignore")
            try:
                cross_val_score(estimator, X, y, cv=2, error_score=rng.choice([np.nan, "raise"]))
            except ValueError:
                n_failures += 1
    return n_failures


# Seconds after which a fit counts as a deadlock.
DEADLOCK = 300


def assert_no_deadlock(first):
    n_threads = threading.active_count()
    outcome = []
    worker = threading.Thread(
        target=lambda: outcome.append(run_nestings(range(first, first + 20))), daemon=True
    )
    worker.start()
    worker.join(DEADLOCK)
    assert not worker.is_alive()
    assert 0 < outcome[0] < 20
    assert threading.active_count() == n_threads


def test_a_task_is_cancelled_while_it_cancels_its_own(data):
    """The second task is about to cancel a task of a task when the first one fails."""

    def run(*functions):
        return Parallel()(delayed(function)() for function in functions)

    def fit(n_epochs):
        network(max_iter=n_epochs, tol=0, n_iter_no_change=n_epochs).fit(*data)

    def fail(function):
        function()
        raise ValueError("no")

    def search():
        try:
            with stacked():
                run(
                    lambda: fail(lambda: run(lambda: run(lambda: fit(2)))),
                    lambda: run(lambda: fail(lambda: fit(2)), lambda: run(lambda: fit(1000))),
                )
        except ValueError as error:
            outcome.append(str(error))

    outcome = []
    worker = threading.Thread(target=search, daemon=True)
    worker.start()
    worker.join(DEADLOCK)
    assert outcome == ["no"]


@pytest.mark.parametrize("first", [0, 20])
def test_no_nesting_deadlocks(first):
    assert_no_deadlock(first)


def test_steps_leave_nothing_to_the_garbage_collector(data):
    X, y = data

    def count_garbage(max_iter):
        gc.collect()
        gc.disable()
        try:
            with stacked():
                cross_val_score(network(max_iter=max_iter, n_iter_no_change=100), X, y, cv=3)
            return gc.collect()
        finally:
            gc.enable()

    count_garbage(1)
    assert count_garbage(41) - count_garbage(1) < 40


def test_memory_returns_to_where_it_was(data):
    X, y = data

    def live_networks():
        gc.collect()
        return sum(isinstance(o, torch.nn.Module) for o in gc.get_objects())

    before = live_networks()
    for _ in range(2):
        with stacked():
            cross_val_score(network(), X, y, cv=10)
    assert live_networks() == before


AUTOENCODERS = {
    "plain": (Autoencoder, {"alpha": [0.0, 0.1], "learning_rate_init": [1e-3, 1e-2]}),
    "noise": (Autoencoder, {"noise": ["gaussian"], "noise_amount": [0.1, 2.0]}),
    "mask": (Autoencoder, {"noise": ["mask"], "noise_amount": [0.1, 0.5], "dropout": [0.1]}),
    "sparse": (Autoencoder, {"sparsity": [0.0, 0.1, 1.0], "latent_activation": ["relu"]}),
    "normalized": (Autoencoder, {"normalization": ["batch"], "noise": [None, "gaussian"]}),
    "losses": (Autoencoder, {"loss": ["squared_error", "absolute_error"]}),
    "variational": (VariationalAutoencoder, {"beta": [0.5, 1.0], "alpha": [0.0, 0.1]}),
}


@pytest.mark.parametrize("kind", AUTOENCODERS)
def test_stacked_autoencoders_equal_those_alone(data, kind):
    make, grid = AUTOENCODERS[kind]
    X = data[0].copy()
    X[0, 0] = 100.0  # in all folds but one: noise is clipped to the range of X
    estimator = make((8,), 3, max_iter=4, batch_size=16, dtype="float64", random_state=0)
    report = compare(estimator, grid, X, None, 1e-8)
    assert {training.way for training in report.trainings} == {"stacked"}


def test_tied_autoencoders_are_trained_alone(data):
    X, _ = data
    with stacked() as report:
        cross_val_score(Autoencoder((8,), 3, max_iter=2, tied_weights=True), X, cv=3)
    assert [t.way for t in report.trainings] == ["alone: TiedLinear has no stacked form"]


def test_only_some_steps_of_a_stack_have_a_penalty(data):
    X, y = data

    def fit_all():
        sizes = {0.0: 97, 1.0: 49}  # a last batch of one, and none
        fits = (delayed(network(alpha=a).fit)(X[:n], y[:n]) for a, n in sizes.items())
        return Parallel()(fits)

    alone = fit_all()
    with stacked() as report:
        together = fit_all()
    assert report.trainings[0].most_at_once == 2
    assert_same_fits(together, alone, 1e-9)


# Threads.


@pytest.fixture
def two_threads(monkeypatch):
    """Have small steps trained by two threads, on any machine; list who trains what."""
    trained, original = [], rounds.Epoch.train

    def train(epoch):
        trained.append((threading.current_thread(), len(epoch.nets)))
        original(epoch)

    monkeypatch.setattr(rounds, "SMALL_STEP", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(rounds.Epoch, "train", train)
    return trained


def ways(trained):
    """Tell how many networks were trained at once, and whether by a thread of their own."""
    return {(size, thread is not threading.main_thread()) for thread, size in trained}


@pytest.mark.parametrize("options", ["adam", "early stopping", "dropout", "seeds", "tolerance"])
def test_stacks_of_two_threads_give_the_numbers_of_fits_alone(data, two_threads, options):
    X, y = data
    n_threads = threading.active_count()
    report = compare(network(dtype="float64"), OPTIONS[options], X, y, 1e-9)
    stacked_fits = sum(t.n_fits for t in report.trainings if t.way == "stacked")
    assert stacked_fits == 4 * len(ParameterGrid(OPTIONS[options]))
    assert any(in_thread for _, in_thread in ways(two_threads))
    assert threading.active_count() == n_threads


def test_networks_alone_are_trained_side_by_side(data, two_threads):
    X, y = data
    grid = {"dtype": ["float32", "float64"]}
    report = compare(network(), grid, X, y, cv=[(np.arange(80), np.arange(80, 97))])
    assert {t.way for t in report.trainings} == {
        f"alone: no other has its dtype of {dtype}" for dtype in grid["dtype"]
    }
    assert (1, True) in ways(two_threads)


@pytest.fixture
def wide(two_threads, monkeypatch):
    """Take every network for one that is wide enough for a processor."""
    monkeypatch.setattr(rounds, "WIDE_STEP", 0)
    return two_threads


@pytest.mark.parametrize("options", ["adam", "early stopping", "dropout", "seeds", "tolerance"])
def test_fits_in_the_background_give_the_numbers_of_fits_alone(data, wide, options):
    X, y = data
    n_threads = threading.active_count()
    report = compare(network(dtype="float64"), OPTIONS[options], X, y, 1e-12)
    assert {t.way for t in report.trainings} == {"alone: it is wide enough for a processor"}
    assert ways(wide) == {(1, True)}
    assert threading.active_count() == n_threads


def test_networks_are_trained_while_others_are_prepared(data, wide):
    def prepare_and_fit(i):
        deadline = time.perf_counter() + 60
        while i == 3 and not wide and time.perf_counter() < deadline:
            time.sleep(0.001)
        return len(wide), network().fit(*data)

    with stacked():
        n_trained, _ = zip(*Parallel()(delayed(prepare_and_fit)(i) for i in range(4)))
    assert n_trained[0] == 0
    assert n_trained[3] > 0


def test_the_only_fit_has_all_threads(data, wide):
    X, y = data
    with stacked():
        cross_val_score(network(), X, y, cv=[(np.arange(80), np.arange(80, 97))])
    assert ways(wide) == {(1, False)}


def test_an_error_in_the_background_reaches_its_own_fit(data, wide, monkeypatch):
    X, y = data
    original = rounds.Epoch.train_alone

    def fails(job):
        if job.nets[0].alpha == 2.0:
            raise ValueError("no")
        original(job)

    def fit(alpha):
        try:
            return network(alpha=alpha).fit(X, y).n_iter_
        except ValueError as error:
            return str(error)

    monkeypatch.setattr(rounds.Epoch, "train_alone", fails)
    with stacked() as report:
        results = Parallel()(delayed(fit)(alpha) for alpha in (1.0, 2.0, 1.0))
    assert results == [4, "no", 4]
    assert report.trainings[0].n_fits == 2


def test_no_nesting_deadlocks_in_the_background(wide):
    assert_no_deadlock(40)


@pytest.mark.skipif(os.name == "nt", reason="sends itself a signal")
@pytest.mark.parametrize("delay", [0.0, 0.1])
def test_interrupt_stops_the_background(data, wide, heeds_interrupts, delay):
    interrupt_a_search(*data, delay, lambda: wide)


@pytest.mark.skipif(os.name == "nt", reason="sends itself a signal")
@pytest.mark.parametrize("delay", [0.0, 0.1])
def test_interrupt_stops_both_threads(data, two_threads, heeds_interrupts, delay):
    interrupt_a_search(*data, delay, lambda: any(side for _, side in ways(two_threads)))


def test_wide_networks_are_trained_alone(data, monkeypatch):
    X, y = data
    monkeypatch.setattr(rounds, "WIDE_STEP", 16 * (7 * 8 + 9 * 3))  # a batch, in 6-8-3
    with stacked() as report:
        cross_validate(network(), X, y, cv=3)
        cross_validate(network(hidden_layer_sizes=(9,)), X, y, cv=3)
    ways = {training.network: training.way for training in report.trainings}
    assert ways == {"6-8-3": "stacked", "6-9-3": "alone: it is wide enough for a processor"}


def test_foreign_callbacks_are_called_in_one_thread(data, two_threads):
    X, y = data
    with stacked():
        cross_val_score(network(callbacks=[Callback()]), X, y, cv=4)
    assert ways(two_threads) == {(4, False)}


def test_an_error_in_one_of_two_stacks_leaves_the_other_alone(data, two_threads, monkeypatch):
    X, y = data
    original = Stack.train_epoch

    def fails(stack):
        if stack.nets[0].alpha == 2.0:
            raise ValueError("no")
        return original(stack)

    monkeypatch.setattr(Stack, "train_epoch", fails)
    estimators = [network(alpha=alpha, random_state=int(alpha)) for alpha in (1.0, 1.0, 2.0, 2.0)]

    def fit(estimator):
        try:
            return estimator.fit(X, y).n_iter_
        except ValueError as error:
            return str(error)

    with stacked():
        assert Parallel()(delayed(fit)(estimator) for estimator in estimators) == [4, 4, "no", "no"]


def test_one_of_two_stacks_that_does_not_fit_in_memory_is_halved(data, two_threads, monkeypatch):
    X, y = data
    original, failed = Stack.train_epoch, []

    def fails(stack):
        if len(stack.nets) == 2 and not failed:
            failed.append(stack)
            raise MemoryError
        return original(stack)

    def fit_all():
        seeds = range(4)
        return Parallel()(delayed(network(random_state=i, dropout=0.2).fit)(X, y) for i in seeds)

    alone = fit_all()
    monkeypatch.setattr(Stack, "train_epoch", fails)
    with stacked(), pytest.warns(RuntimeWarning, match="at most 1 are stacked"):
        together = fit_all()
    assert_same_fits(together, alone, 1e-4)


# Processes.


@pytest.fixture
def processes():
    """End joblib's processes, and the threads that look after them, behind a test."""
    yield
    get_reusable_executor().shutdown(wait=True)


@pytest.mark.parametrize("options", ["adam", "early stopping", "seeds"])
def test_two_processes_give_the_numbers_of_fits_alone(data, processes, options):
    X, y = data
    report = compare(network(dtype="float64"), OPTIONS[options], X, y, 1e-9, n_processes=2)
    (training,) = report.trainings
    n_fits = 4 * len(ParameterGrid(OPTIONS[options]))
    assert (training.way, training.n_fits) == ("stacked", n_fits)
    assert training.most_at_once == n_fits / 2


def test_nested_searches_share_processes(data, processes):
    X, y = data
    search = GridSearchCV(network(dtype="float64"), OPTIONS["adam"], cv=2)
    alone = cross_val_score(search, X, y, cv=4)
    with stacked(n_processes=2) as report:
        np.testing.assert_allclose(cross_val_score(search, X, y, cv=4), alone, atol=1e-9)
    assert max(training.most_at_once for training in report.trainings) == 2 * 2 * 4


def test_an_error_in_another_process_reaches_its_own_fit(data, processes):
    X, y = data
    grid = {"alpha": [0.0, -1.0]}
    with stacked(n_processes=2):
        with pytest.warns(FitFailedWarning, match="2 fits failed"):
            search = GridSearchCV(network(), grid, cv=2, refit=False).fit(X, y)
        with pytest.raises(ValueError, match="'alpha' parameter") as raised:
            GridSearchCV(network(), grid, cv=2, error_score="raise").fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).tolist() == [True, False]
    assert "In another process" in raised.value.__notes__[0]


def test_tasks_that_come_later_are_run_in_processes_too(data, processes):
    X, y = data
    with stacked(n_processes=2) as report:
        fits = Parallel(pre_dispatch=4)(delayed(network().fit)(X, y) for _ in range(10))
    assert len({fit.loss_ for fit in fits}) == 1
    assert sum(training.n_fits for training in report.trainings) == 10


def test_tasks_run_where_they_must(data, processes):
    with stacked(n_processes=2):
        assert Parallel()([delayed(os.getpid)()]) == [os.getpid()]
        shared = Parallel(require="sharedmem")(delayed(os.getpid)() for _ in range(2))
        elsewhere = Parallel()(delayed(os.getpid)() for _ in range(2))
    assert set(shared) == {os.getpid()}
    assert len(set(elsewhere)) == 2
    assert os.getpid() not in elsewhere


@pytest.mark.parametrize("n_processes", [0, -2, 1.5, "all"])
def test_a_number_of_processes_that_is_none_raises(n_processes):
    message = "n_processes must be -1 or a positive integer"
    with pytest.raises(ValueError, match=message), stacked(n_processes=n_processes):
        pass


# Side effects.


def test_a_fitted_network_owns_its_weights_and_moments(data):
    X, y = data
    with stacked():
        fits = cross_validate(network(), X, y, cv=5, return_estimator=True)["estimator"]
    for fit in fits:
        moments = [t for state in fit.net_.optimizer_.state.values() for t in state.values()]
        assert len(moments) == 3 * 4
        for tensor in (*fit.module_.parameters(), *moments):
            assert tensor.untyped_storage().nbytes() == tensor.nbytes


def test_a_stacked_fit_goes_on_as_one_alone(data):
    X, y = data

    def fit_twice(alpha):
        # The first stops early, and so leaves the others to a stack anew.
        model = network(alpha=alpha, n_iter_no_change=2, tol=10 if alpha else 0, max_iter=6)
        return model.fit(X, y).partial_fit(X, y)

    def fit_all():
        return Parallel()(delayed(fit_twice)(alpha) for alpha in (0.1, 0.0, 0.0))

    alone = fit_all()
    with stacked():
        together = fit_all()
    assert [len(fit.loss_curve_) for fit in alone] == [5, 7, 7]
    assert_same_fits(together, alone, 1e-5)


def test_callbacks_may_save_and_replace_weights_while_stacked(data, tmp_path):
    X, y = data

    class Save(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2:
                net.save_params(f_params=str(tmp_path / "weights.pt"))
                net.module_.output.bias.data = torch.zeros_like(net.module_.output.bias)

    def fit_all():
        return Parallel()(
            delayed(network(callbacks=callbacks).fit)(X, y) for callbacks in ([Save()], None, None)
        )

    alone = fit_all()
    with stacked():
        together = fit_all()
    assert_same_fits(together, alone, 1e-9)
    n_bytes = sum(p.nbytes for p in together[0].module_.parameters())
    assert (tmp_path / "weights.pt").stat().st_size < n_bytes + 4000


def test_warnings_of_tasks_and_filters_of_the_caller(data):
    X, y = data
    filters = list(warnings.filters)
    with stacked(), pytest.warns(UserWarning, match="Maximum iterations"):
        cross_val_score(network(), X, y, cv=4)
    assert list(warnings.filters) == filters


def test_random_state_instances_advance_as_alone(data):
    X, y = data

    def states_after_fits():
        rngs = [np.random.RandomState(0) for _ in range(4)]
        Parallel()(delayed(network(random_state=rng).fit)(X, y) for rng in rngs)
        return [rng.rand() for rng in rngs]

    alone = states_after_fits()
    with stacked():
        assert states_after_fits() == alone


def test_global_state_is_untouched(data):
    X, y = data
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    n_threads = torch.get_num_threads()
    with stacked():
        cross_val_score(network(dropout=0.2), X, y)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()
    assert torch.get_num_threads() == n_threads


def test_what_memory_is_available(monkeypatch):
    from sknn_basics.training import devices

    assert 0 < devices.available_memory("cpu") < 2**50
    monkeypatch.setattr(devices.Path, "read_text", lambda self: (_ for _ in ()).throw(OSError))
    assert devices.available_memory("cpu") == devices.UNKNOWN_MEMORY


def test_out_of_memory_is_recognised():
    assert rounds.is_out_of_memory(MemoryError())
    assert rounds.is_out_of_memory(torch.OutOfMemoryError())
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert rounds.is_out_of_memory(caught.value)
    assert not rounds.is_out_of_memory(RuntimeError("shape mismatch"))
