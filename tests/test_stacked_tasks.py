"""Tasks of the backend "stacked" that wait for each other, or for what another one caches."""

import os
import signal
import threading
import time
import warnings

import joblib
import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, Pipeline

from sknn_basics import Autoencoder, MLPClassifier
from sknn_basics.parallel import stacked

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

OVERDUE = "computed nothing for"


def network(**parameters):
    fixed = {"hidden_layer_sizes": (8,), "max_iter": 4, "batch_size": 16, "random_state": 0}
    return MLPClassifier(**{**fixed, **parameters})


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr("sknn_basics.stacking.backend.PATIENCE", 0.3)


@pytest.fixture
def fit_with(iris):
    """Function that fits a network within a context manager, in each of some tasks."""

    def run(context, n_tasks=4, network=network):
        def fit_within(seed):
            with context:
                return network(random_state=seed).fit(*iris)

        with stacked() as report:
            return Parallel()(delayed(fit_within)(seed) for seed in range(n_tasks)), report

    return run


def assert_same_fits(fits, iris):
    for seed, fit in enumerate(fits):
        alone = network(random_state=seed).fit(*iris)
        for a, b in zip(fit.coefs_, alone.coefs_, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


# Locks.


@pytest.mark.parametrize("make", [threading.Lock, threading.RLock, threading.Condition])
def test_a_lock_around_each_fit_hangs_nothing(make, fit_with, iris, impatient):
    with pytest.warns(RuntimeWarning, match=OVERDUE) as caught:
        fits, _ = fit_with(make())
    assert_same_fits(fits, iris)
    (message,) = [str(w.message) for w in caught if OVERDUE in str(w.message)]
    assert "fit_within(1)" in message
    assert "1 others wait within fit" in message


def test_two_at_once_may_hold_a_semaphore(fit_with, iris, impatient):
    with pytest.warns(RuntimeWarning, match=OVERDUE):
        fits, report = fit_with(threading.Semaphore(2))
    assert_same_fits(fits, iris)
    assert max(training.most_at_once for training in report.trainings) == 2


def test_tasks_that_meet_before_their_fit_go_on_together(iris, impatient):
    barrier = threading.Barrier(3)

    def meet_and_fit(seed):
        barrier.wait()
        return network(random_state=seed).fit(*iris)

    with stacked(), pytest.warns(RuntimeWarning, match=OVERDUE):
        fits = Parallel()(delayed(meet_and_fit)(seed) for seed in range(3))
    assert_same_fits(fits, iris)


def test_a_lock_around_a_search_within_a_task_hangs_nothing(iris, impatient):
    lock, search = threading.Lock(), GridSearchCV(network(), {"alpha": [0.0, 1.0]}, cv=2)

    def search_alone():
        with lock:
            return clone(search).fit(*iris)

    alone = clone(search).fit(*iris).cv_results_["mean_test_score"]
    with stacked(), pytest.warns(RuntimeWarning, match=OVERDUE):
        together = Parallel()(delayed(search_alone)() for _ in range(3))
    for own in together:
        np.testing.assert_allclose(own.cv_results_["mean_test_score"], alone)


def test_a_fit_that_fails_within_a_lock_gives_it_back(iris, impatient):
    X, y = iris
    lock = threading.Lock()

    def fit_within(rate):
        with lock:
            try:
                return network(solver="sgd", learning_rate_init=rate).fit(X, y).n_iter_
            except ValueError as error:
                return str(error)[:17]

    with stacked(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = Parallel()(delayed(fit_within)(rate) for rate in (0.01, 1e30, 0.01))
    assert results == [4, "Training diverged", 4]


def test_a_task_that_computes_for_long_is_not_overdue(iris, impatient):
    def compute_and_fit(seed):
        deadline = time.perf_counter() + (1.0 if seed else 0.0)
        while time.perf_counter() < deadline:
            sum(range(1000))
        return network(random_state=seed).fit(*iris)

    with stacked() as report, warnings.catch_warnings():
        warnings.filterwarnings("error", f".*{OVERDUE}")
        fits = Parallel()(delayed(compute_and_fit)(seed) for seed in range(2))
    assert_same_fits(fits, iris)
    assert [training.most_at_once for training in report.trainings] == [2]


@pytest.mark.skipif(os.name == "nt", reason="sends itself a signal")
def test_an_interrupt_ends_tasks_that_wait_for_a_lock(fit_with, monkeypatch):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr("sknn_basics.stacking.backend.PATIENCE", 2.0)
    lock, n_threads = threading.Lock(), threading.active_count()

    def interrupt():
        while not lock.locked():
            time.sleep(0.01)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

    interrupter = threading.Thread(target=interrupt)
    interrupter.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            fit_with(lock, network=lambda **kw: network(max_iter=100_000, tol=0, **kw))
    finally:
        signal.signal(signal.SIGINT, before)
        interrupter.join()
    assert not lock.locked()
    assert threading.active_count() == n_threads


@pytest.mark.skipif(os.name == "nt", reason="sends itself a signal")
def test_an_interrupt_ends_a_search_whose_caller_holds_the_lock(fit_with, impatient):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    lock = threading.RLock()
    interrupter = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    interrupter.start()
    try:
        with (
            lock,
            pytest.raises(KeyboardInterrupt),
            pytest.warns(RuntimeWarning, match=OVERDUE),
        ):
            fit_with(lock)
    finally:
        signal.signal(signal.SIGINT, before)
        interrupter.join()


# Caches.


class CountedAutoencoder(Autoencoder):
    n_fits = []

    def fit(self, X, y=None, **kwargs):
        self.n_fits.append(len(X))
        return super().fit(X, y, **kwargs)


@pytest.fixture
def counted():
    CountedAutoencoder.n_fits.clear()
    return CountedAutoencoder((6,), 3, max_iter=3, random_state=0)


@pytest.mark.parametrize("nested", [False, True])
def test_a_step_of_a_cached_pipeline_is_fitted_once_a_fold(nested, counted, iris, tmp_path):
    step = FeatureUnion([("codes", counted)]) if nested else counted

    def search(memory):
        pipe = Pipeline([("codes", step), ("network", network())], memory=memory)
        grid = {"network__alpha": [0.0, 0.1, 1.0]}
        return GridSearchCV(pipe, grid, cv=3, refit=False).fit(*iris).cv_results_

    alone = search(str(tmp_path / "alone"))
    counted.n_fits.clear()
    with stacked() as report:
        together = search(str(tmp_path / "together"))
    assert counted.n_fits == [100] * 3
    np.testing.assert_allclose(together["mean_test_score"], alone["mean_test_score"])
    trainings = {(t.way, t.n_fits, t.most_at_once) for t in report.trainings}
    # What is not kept is stacked.
    assert trainings == {("alone: a joblib.Memory keeps its result", 3, 1), ("stacked", 9, 9)}


def test_a_pipeline_without_a_cache_stacks_all_steps(counted, iris):
    pipe = Pipeline([("codes", counted), ("network", network())])
    with stacked() as report:
        cross_val_score(pipe, *iris, cv=3)
    assert {(t.way, t.n_fits) for t in report.trainings} == {("stacked", 3)}


def test_a_cached_function_is_called_once(iris, tmp_path):
    calls = []

    def fit(seed):
        calls.append(seed)
        return network(random_state=seed).fit(*iris)

    cached = joblib.Memory(tmp_path, verbose=0).cache(fit)
    with stacked():
        fits = Parallel()(delayed(cached)(seed) for seed in (0, 1, 0, 1))
    assert calls == [0, 1]
    assert_same_fits(fits[:2], iris)
    assert_same_fits(fits[2:], iris)
