"""Fits that fail, stop or are interrupted, and models in unusual company, leave nothing broken."""

import copy
import gc
import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import warnings
import weakref
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
import sklearn.neural_network as reference
import torch
from sklearn.callback import ProgressBar
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback, EarlyStopping
from torch import nn

from sknn_basics import MLPClassifier, MLPRegressor
from sknn_basics.training import interrupts
from sknn_basics.training.schedules import CosineAnnealing, ExponentialDecay, OneCycle

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

OPTIONS = {"hidden_layer_sizes": (10,), "max_iter": 4, "random_state": 0, "dtype": "float32"}


def classifier(**options) -> MLPClassifier:
    return MLPClassifier(**{**OPTIONS, **options})


def regressor(**options) -> MLPRegressor:
    return MLPRegressor(**{**OPTIONS, **options})


def raising(hook: str, error: BaseException, epoch: int = 3) -> Callback:
    """Make a callback that raises in one hook of one epoch, counted from 1."""

    def react(self, net, **kwargs):
        if len(net.history) == epoch:
            raise error

    return type("Raising", (Callback,), {hook: react})()


def results(model) -> dict:
    """Collect everything that a fit has learnt, but for the times that it took."""
    history = {name: values.tolist() for name, values in model.history_.items() if name != "dur"}
    weights = {name: value.tolist() for name, value in model.module_.state_dict().items()}
    names = ("n_iter_", "t_", "loss_", "best_loss_", "loss_curve_", "validation_scores_")
    return {
        "weights": weights,
        "history": history,
        "seconds": len(model.history_.get("dur", ())),
        **{name: copy.copy(getattr(model, name)) for name in names},
    }


def learnt(model) -> set[str]:
    """Name the attributes that are neither parameters nor there before a fit."""
    return vars(model).keys() - vars(classifier()).keys() - vars(regressor()).keys()


# Divergence.


@pytest.mark.parametrize("epochs", [20, 1000])
def test_divergence_names_the_epoch_and_the_rate(epochs, diabetes):
    model = regressor(solver="sgd", learning_rate_init=1e6, max_iter=epochs)
    with pytest.raises(ValueError, match=r"diverged: .* epoch \d+ with learning rate 1e\+06"):
        model.fit(*diabetes)


def test_divergence_names_the_rate_of_its_epoch(diabetes):
    model = regressor(solver="sgd", learning_rate=lambda epoch: [1e-3, 1e-3, 1e30][epoch])
    with pytest.raises(ValueError, match=r"diverged: .* epoch 3 with learning rate 1e\+30"):
        model.fit(*diabetes)


def test_divergence_in_partial_fit_names_the_epoch(diabetes):
    X, y = diabetes
    model = regressor().partial_fit(X, y).partial_fit(X, y)
    with pytest.raises(ValueError, match=r"diverged: .* epoch 3 with learning rate 0.001"):
        model.partial_fit(X * 1e30, y)


def test_divergence_of_lbfgs_names_the_iterations(diabetes):
    X, y = diabetes
    model = regressor(solver="lbfgs", dtype="float64")
    with pytest.raises(ValueError, match=r"diverged: the loss is (inf|nan) .* L-BFGS"):
        model.fit(X, y * 1e200)


# L-BFGS computes in double precision, and its weights are rounded at the end.
HUGE = {
    "solver": "lbfgs",
    "hidden_layer_sizes": (),
    "alpha": 0,
    "weight_init": lambda weight, *, generator: weight.fill_(1e39),
}


def test_weights_too_large_for_single_precision_raise(iris):
    with pytest.raises(ValueError, match="diverged: the weights are too large for float32 after"):
        classifier(**HUGE).fit(*iris)


def test_weights_too_large_for_single_precision_fit_into_double_precision(iris):
    X, y = iris
    model = classifier(**HUGE, dtype="float64").fit(X, y)
    assert np.isfinite(model.predict_proba(X)).all()
    assert model.coefs_[0].max() > np.finfo(np.float32).max


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_weights_that_overflow_raise(solver, diabetes):
    huge = {"dtype": "float64", "weight_init": lambda weight, *, generator: weight.fill_(1e300)}
    with pytest.raises(ValueError, match="diverged"):
        regressor(solver=solver, hidden_layer_sizes=(10, 10), **huge).fit(*diabetes)


# A failed fit leaves no model.

DISK_FULL = pytest.mark.parametrize(
    "hook", ["on_train_begin", "on_epoch_begin", "on_batch_end", "on_epoch_end", "on_train_end"]
)


def failing(hook: str, epoch: int = 1) -> Callback:
    n_epochs = {"on_train_begin": 0, "on_train_end": 4}.get(hook, epoch)
    return raising(hook, OSError("no space left"), n_epochs)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_diverged_fit_leaves_no_learnt_attribute(solver, diabetes):
    X, y = diabetes
    model = regressor(solver=solver, dtype="float64")
    with pytest.raises(ValueError, match="diverged"):
        model.fit(X, y * 1e200)
    assert learnt(model) == set()


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_diverged_fit_does_not_predict(solver, diabetes):
    X, y = diabetes
    model = regressor(solver=solver, dtype="float64")
    with pytest.raises(ValueError, match="diverged"):
        model.fit(X, y * 1e200)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        model.predict(X)


@DISK_FULL
def test_a_fit_that_fails_in_a_callback_leaves_no_learnt_attribute(hook, iris):
    model = classifier(callbacks=[failing(hook)])
    with pytest.raises(OSError, match="no space left"):
        model.fit(*iris)
    assert learnt(model) == set()


def test_a_first_partial_fit_that_fails_leaves_no_learnt_attribute(iris):
    model = classifier(callbacks=[failing("on_epoch_end")])
    with pytest.raises(OSError, match="no space left"):
        model.partial_fit(*iris, classes=[0, 1, 2])
    assert learnt(model) == set()


@pytest.mark.parametrize("spoil", [lambda X: X * np.nan, lambda X: X * 1e30], ids=["NaN", "huge"])
def test_a_refit_that_fails_keeps_the_model_from_before(spoil, diabetes):
    X, y = diabetes
    model = regressor().fit(X, y)
    before = results(model)
    with pytest.raises(ValueError, match="NaN|diverged"):
        model.fit(spoil(X), y)
    assert results(model) == before


def test_a_divergence_is_told_in_the_words_of_scikit_learn(diabetes):
    X, y = diabetes
    message = (
        "Solver produced non-finite parameter weights. The input data may contain large values and "
        "need to be preprocessed."
    )
    for options in ({}, {"solver": "lbfgs"}):
        with pytest.raises(ValueError, match=message):
            regressor(**options, dtype="float64").fit(X, y * 1e200)


@pytest.mark.parametrize("scoring", [None, "accuracy"])
def test_a_fit_that_fails_while_scoring_leaves_no_model(scoring, iris):
    X, y = iris
    model = classifier(scoring=scoring)
    with pytest.raises(ValueError, match="X_val"):
        model.fit(X, y, X_val=X[:, :3], y_val=y)
    assert learnt(model) == set()


def test_a_fit_after_a_failed_one_gives_the_same_bits(diabetes):
    X, y = diabetes
    model = regressor()
    with pytest.raises(ValueError, match="diverged"):
        model.fit(X * 1e30, y)
    assert results(model.fit(X, y)) == results(regressor().fit(X, y))


# A failure in the midst of a training leaves the model from before.

MODES = {
    "adam": {},
    "sgd": {"solver": "sgd", "learning_rate": "invscaling"},
    "schedule": {"learning_rate": ExponentialDecay(0.5)},
    "dropout": {"dropout": 0.5},
    "batch normalization": {"normalization": "batch"},
    "float64": {"dtype": "float64"},
}
WHOLE_FIT_MODES = {
    **MODES,
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.1, "n_iter_no_change": 1},
    "early stopping": {"early_stopping": True},
    "lbfgs": {"solver": "lbfgs", "dtype": "float64"},
    "rounded lbfgs": {"solver": "lbfgs"},
}


def diverge(model, call, X, y):
    with pytest.raises(ValueError, match="diverged"):
        call(model)(X, y * (1e30 if model.dtype == "float32" else 1e200))


def run_out_of_space(model, call, X, y):
    model.set_params(callbacks=[failing("on_epoch_end", len(model.net_.history) + 1)])
    with pytest.raises(OSError, match="no space left"):
        call(model)(X, y)
    model.set_params(callbacks=None)


def run_out_of_space_in_a_batch(model, call, X, y):
    model.set_params(callbacks=[failing("on_batch_end", len(model.net_.history) + 1)])
    with pytest.raises(OSError, match="no space left"):
        call(model)(X, y)
    model.set_params(callbacks=None)


def miss_a_value(model, call, X, y):
    with pytest.raises(ValueError, match="Input X contains NaN"):
        call(model)(X * np.nan, y)


def change_the_network(model, call, X, y):
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        call(model.set_params(hidden_layer_sizes=(7,)))(X, y)
    model.set_params(hidden_layer_sizes=(10,))


FAILURES = [
    diverge,
    run_out_of_space,
    run_out_of_space_in_a_batch,
    miss_a_value,
    change_the_network,
]


def warm_fit(model):
    return model.set_params(warm_start=True).fit


def partial_fit(model):
    return model.partial_fit


CASES = [
    pytest.param(call, modes[mode], fail, id=f"{call.__name__}-{mode}-{fail.__name__}")
    for call, modes in ((warm_fit, WHOLE_FIT_MODES), (partial_fit, MODES))
    for mode in modes
    for fail in FAILURES
    # L-BFGS has no batches, and in double precision what diverges is too large for single.
    if not ("lbfgs" in mode and fail is run_out_of_space_in_a_batch)
    if (mode, fail) != ("rounded lbfgs", diverge)
]


@pytest.mark.parametrize(("call", "mode", "fail"), CASES)
def test_a_failure_keeps_the_model_from_before(call, mode, fail, diabetes):
    model = regressor(**mode)
    call(model)(*diabetes)
    call(model)(*diabetes)
    before = results(model)
    fail(model, call, *diabetes)
    assert results(model) == before


@pytest.mark.parametrize(("call", "mode", "fail"), CASES)
def test_going_on_after_a_failure_gives_the_bits_of_no_failure(call, mode, fail, diabetes):
    model, lucky = regressor(**mode), regressor(**mode)
    call(model)(*diabetes)
    fail(model, call, *diabetes)
    call(model)(*diabetes)
    call(lucky)(*diabetes)
    call(lucky)(*diabetes)
    assert results(model) == results(lucky)


@pytest.mark.parametrize("call", [warm_fit, partial_fit])
def test_a_failure_keeps_the_model_predicting(call, diabetes):
    X, y = diabetes
    model = regressor()
    call(model)(X, y)
    expected = model.predict(X)
    diverge(model, call, X, y)
    np.testing.assert_array_equal(model.predict(X), expected)


def test_a_failure_keeps_the_model_picklable(diabetes):
    X, y = diabetes
    model = regressor().partial_fit(X, y)
    diverge(model, partial_fit, X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


# Interrupts.


@pytest.mark.parametrize("mode", ["adam", "early stopping", "lbfgs", "batch normalization"])
def test_an_interrupt_after_an_epoch_gives_the_model_of_a_shorter_fit(mode, iris):
    options = {**WHOLE_FIT_MODES[mode], "max_iter": 50, "n_iter_no_change": 100}
    model = classifier(**options, callbacks=[raising("on_epoch_end", KeyboardInterrupt())])
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(*iris)
    assert results(model) == results(classifier(**{**options, "max_iter": 3}).fit(*iris))


@pytest.mark.parametrize("mode", ["adam", "early stopping"])
@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_batch_begin", "on_batch_end"])
def test_an_interrupted_epoch_leaves_no_record(hook, mode, iris):
    options = {**WHOLE_FIT_MODES[mode], "max_iter": 50, "n_iter_no_change": 100}
    model = classifier(**options, callbacks=[raising(hook, KeyboardInterrupt())])
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(*iris)
    assert model.n_iter_ == len(model.loss_curve_) == len(model.history_["train_loss"]) == 2


@pytest.mark.parametrize("mode", ["adam", "early stopping", "lbfgs"])
@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_batch_end", "on_epoch_end"])
def test_an_interrupt_in_the_first_epoch_leaves_a_usable_model(hook, mode, iris):
    X, y = iris
    hook = "on_epoch_begin" if mode == "lbfgs" and hook == "on_batch_end" else hook
    interrupt = raising(hook, KeyboardInterrupt(), epoch=1)
    model = classifier(**WHOLE_FIT_MODES[mode], callbacks=[interrupt])
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-6)


def test_an_interrupted_model_survives_pickle(iris):
    X, y = iris
    for epoch in (1, 3):
        model = classifier(callbacks=[raising("on_batch_end", KeyboardInterrupt(), epoch)])
        with pytest.warns(UserWarning, match="interrupted"):
            model.fit(X, y)
        loaded = pickle.loads(pickle.dumps(model.set_params(callbacks=None)))
        np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_an_interrupted_fit_can_be_continued(iris):
    options = {"solver": "sgd", "momentum": 0.0, "shuffle": False, "max_iter": 6}
    model = classifier(**options, callbacks=[raising("on_epoch_end", KeyboardInterrupt())])
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(*iris)
    model.set_params(callbacks=None, max_iter=3, warm_start=True).fit(*iris)
    assert model.loss_curve_ == classifier(**options).fit(*iris).loss_curve_


def test_an_interrupted_partial_fit_leaves_a_usable_model(iris):
    X, y = iris
    model = classifier().partial_fit(X, y, classes=[0, 1, 2])
    model.set_params(callbacks=[raising("on_batch_end", KeyboardInterrupt(), epoch=2)])
    with pytest.warns(UserWarning, match="interrupted"):
        model.partial_fit(X, y)
    assert len(model.set_params(callbacks=None).partial_fit(X, y).loss_curve_) == 2


class Interruption(nn.Module):
    """An activation that is interrupted when it has been called ten times in training."""

    n_calls = 0

    def forward(self, x):
        Interruption.n_calls += self.training
        if Interruption.n_calls == 10:
            raise KeyboardInterrupt
        return torch.tanh(x)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_an_interrupt_in_a_forward_pass_leaves_the_last_complete_epoch(solver, iris):
    options = {"solver": solver, "max_iter": 50}
    Interruption.n_calls = 0
    model = classifier(**options, activation=Interruption)
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(*iris)
    Interruption.n_calls = 0
    expected = classifier(**{**options, "max_iter": model.n_iter_}, activation="tanh").fit(*iris)
    assert results(model) == results(expected)


class InterruptionInValidation(nn.Module):
    """An activation that is interrupted when it evaluates 150 samples for the third time."""

    n_calls = 0

    def forward(self, x):
        InterruptionInValidation.n_calls += not self.training and len(x) == 150
        if InterruptionInValidation.n_calls == 3:
            raise KeyboardInterrupt
        return torch.tanh(x)


def interrupted_in_validation(X, y):
    InterruptionInValidation.n_calls = 0
    model = classifier(activation=InterruptionInValidation, max_iter=50)
    return model.fit(X, y, X_val=X, y_val=y)


def interrupted_in_scoring(X, y):
    scores = [0.5, 0.6]

    def scoring(estimator, X, y):
        if not scores:
            raise KeyboardInterrupt
        return scores.pop()

    return classifier(scoring=scoring, early_stopping=True, max_iter=50).fit(X, y)


@pytest.mark.parametrize("fit", [interrupted_in_validation, interrupted_in_scoring])
def test_an_epoch_that_is_interrupted_in_its_validation_leaves_no_record(fit, iris):
    with pytest.warns(UserWarning, match="interrupted"):
        model = fit(*iris)
    history = {name: len(values) for name, values in model.history_.items()}
    lengths = [model.n_iter_, len(model.loss_curve_), len(model.validation_scores_)]
    assert [*lengths, *history.values()] == [2] * (3 + len(history))


class InterruptionOfEach(nn.Module):
    """An activation that is interrupted when a network has called it three times in training."""

    def __init__(self):
        super().__init__()
        self.n_calls = 0

    def forward(self, x):
        self.n_calls += self.training
        if self.training and self.n_calls >= 3:
            raise KeyboardInterrupt
        return torch.tanh(x)


def search(**options):
    return GridSearchCV(
        classifier(**options), {"alpha": [0.1, 0.2, 0.3]}, cv=2, error_score="raise"
    )


def test_a_second_interrupt_soon_after_ends_a_search(iris):
    with (
        pytest.warns(UserWarning, match="a second Ctrl-C within 2 seconds") as told,
        pytest.raises(KeyboardInterrupt),
    ):
        search(activation=InterruptionOfEach).fit(*iris)
    assert sum("interrupted" in str(warning.message) for warning in told) == 1


def test_interrupts_far_apart_end_a_fit_each(iris, monkeypatch):
    monkeypatch.setattr(interrupts, "SECONDS", 0.0)
    with pytest.warns(UserWarning, match="interrupted"):
        found = search(activation=InterruptionOfEach).fit(*iris)
    assert np.isfinite(found.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_batch_end", "on_epoch_end"])
def test_callbacks_that_interrupt_every_fit_end_no_search(hook, iris):
    with pytest.warns(UserWarning, match="interrupted"):
        found = search(callbacks=[raising(hook, KeyboardInterrupt())]).fit(*iris)
    assert found.best_estimator_.n_iter_ in (2, 3)


def test_a_second_interrupt_keeps_the_model_from_before(iris):
    model = classifier(activation=InterruptionOfEach)
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(*iris)
    expected = model.predict_proba(iris[0])
    with pytest.raises(KeyboardInterrupt):
        model.fit(*iris)
    np.testing.assert_array_equal(model.predict_proba(iris[0]), expected)


def test_an_interrupt_before_the_training_raises(iris):
    model = classifier(callbacks=[raising("on_train_begin", KeyboardInterrupt(), epoch=0)])
    with pytest.raises(KeyboardInterrupt):
        model.fit(*iris)
    assert learnt(model) == set()


UNTIL_INTERRUPTED = """
import json, signal, sys, warnings
from sklearn.datasets import load_iris
from skorch.callbacks import Callback
from sknn_basics import MLPClassifier

class Announcement(Callback):
    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 3:
            print("third epoch", flush=True)

signal.signal(signal.SIGINT, signal.default_int_handler)
X, y = load_iris(return_X_y=True)
endless = {"max_iter": 10**9, "n_iter_no_change": 10**9, "callbacks": [Announcement()]}
model = MLPClassifier((10,), random_state=0, **endless, **json.loads(sys.argv[1]))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model.fit(X, y)
print(json.dumps([[str(w.message) for w in caught], model.n_iter_, model.predict(X).tolist()]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals of POSIX")
@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"dropout": 0.5}], ids=str)
def test_control_c_ends_a_fit_with_a_warning_and_a_usable_model(options):
    command = [sys.executable, "-c", UNTIL_INTERRUPTED, json.dumps(options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "third epoch\n"
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 0
            messages, n_iter, predicted = json.loads(process.stdout.read())
        finally:
            process.kill()
    (message,) = messages
    assert message.startswith("Training interrupted by user.")
    assert 3 <= n_iter < 10**9
    assert set(predicted) <= {0, 1, 2}
    assert len(predicted) == 150


@pytest.mark.parametrize("mode", ["adam", "early stopping", "lbfgs"])
def test_early_stopping_of_skorch_stops_without_a_warning(mode, iris):
    stopping = EarlyStopping(monitor="train_loss", patience=2, threshold=10)
    model = classifier(**WHOLE_FIT_MODES[mode], callbacks=[stopping], max_iter=50)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(*iris)
    assert model.n_iter_ == 3


# Other processes and threads.


@pytest.fixture
def two_threads():
    """torch computes in two threads, which are running."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.ones(1000, 1000) @ torch.ones(1000, 1000)
    torch.ones(10**7).exp()
    yield
    torch.set_num_threads(n_threads)


def in_a_forked_process(function):
    """Call a function in a fork of this process; fail if it takes a minute."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=lambda: sender.send(function()))
    child.start()
    sender.close()
    try:
        assert receiver.poll(60), "the forked process hangs"
        return receiver.recv()
    finally:
        child.kill()
        child.join()


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.usefixtures("two_threads")
def test_predict_works_in_a_forked_process(digits):
    X, y = digits
    model = classifier(hidden_layer_sizes=(100,), max_iter=1).fit(X, y)
    expected = model.predict_proba(X)
    predicted = in_a_forked_process(lambda: model.predict_proba(X))
    np.testing.assert_allclose(predicted, expected, atol=1e-6)


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("mode", ["adam", "dropout", "batch normalization", "lbfgs"])
def test_fit_works_in_a_forked_process(mode, digits):
    X, y = (array[:500] for array in digits)
    # Steps of such a network are large enough for several threads.
    options = {"hidden_layer_sizes": (400,), "max_iter": 1, "dtype": "float64"}
    model = classifier(**{**WHOLE_FIT_MODES[mode], **options})
    expected = copy.deepcopy(model).fit(X, y).predict_proba(X)
    predicted = in_a_forked_process(lambda: model.fit(X, y).predict_proba(X))
    np.testing.assert_allclose(predicted, expected, atol=1e-6)


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.usefixtures("two_threads")
def test_a_forked_process_computes_in_as_many_threads():
    def compute():
        torch.ones(10**7).exp()
        return torch.get_num_threads(), in_a_forked_process(torch.get_num_threads)

    assert in_a_forked_process(compute) == (2, 2)
    assert in_a_thread(lambda: compute() and in_a_forked_process(compute)) == (2, 2)


def in_a_thread(function):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.usefixtures("two_threads")
def test_a_fork_leaves_the_threads_of_its_parent_alone():
    expected = torch.ones(10**7).exp()
    in_a_forked_process(lambda: None)
    assert torch.get_num_threads() == 2
    assert torch.equal(torch.ones(10**7).exp(), expected)


@pytest.mark.parametrize("mode", ["adam", "dropout"])
def test_fit_in_a_spawned_process_gives_the_same_bits(mode, digits):
    X, y = digits
    model = classifier(**MODES[mode])
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        spawned = pool.submit(model.fit, X, y).result(timeout=120)
    assert results(spawned) == results(model.fit(X, y))


@pytest.mark.parametrize("mode", ["adam", "dropout", "batch normalization"])
def test_eight_threads_predict_at_once(mode, digits):
    X, y = digits
    model = classifier(**MODES[mode]).fit(X, y)
    parts = [X[i::8] for i in range(8)] * 8
    expected = [model.predict_proba(part) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        predicted = list(pool.map(model.predict_proba, parts))
    for some, same in zip(predicted, expected):
        np.testing.assert_array_equal(some, same)


def test_a_grid_goes_on_after_a_candidate_that_diverges(diabetes):
    grid = {"learning_rate_init": [1e6, 1e-3]}
    search = GridSearchCV(regressor(solver="sgd"), grid, cv=3, error_score=np.nan)
    with pytest.warns(FitFailedWarning, match="(?s)3 fits failed.*diverged"):
        search.fit(*diabetes)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [True, False]
    assert search.best_params_ == {"learning_rate_init": 1e-3}


# Parameters stay as they are.


@pytest.mark.parametrize("early_stopping", [False, True])
def test_fit_does_not_modify_parameters(early_stopping, iris):
    parameters = {
        "hidden_layer_sizes": [10, 5],
        "dropout": [0.1, 0.2],
        "class_weight": {0: 2.0},
        "callbacks": [Callback()],
        "learning_rate": ExponentialDecay(),
        "activation": nn.SiLU,
        "max_iter": 2,
        "batch_size": 60,
        "early_stopping": early_stopping,
    }
    copies = copy.deepcopy({name: parameters[name] for name in parameters if name != "callbacks"})
    model = MLPClassifier(**parameters)
    before = model.get_params()
    model.fit(*iris)
    after = model.get_params()
    assert all(after[name] is before[name] for name in before)
    assert {name: after[name] for name in copies} == copies
    assert len(after["callbacks"]) == 1


def test_a_fitted_model_with_nonsensical_parameters_survives_pickle(digits):
    X, y = digits
    model = classifier().fit(X, y)
    expected = model.predict_proba(X)
    model.set_params(solver="nope", callbacks=3, device="abacus", dropout=7, loss="none")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)


@pytest.mark.parametrize("name", ["hidden_layer_sizes", "activation", "dtype", "loss", "dropout"])
def test_a_fitted_model_predicts_by_the_parameters_of_its_fit(name, iris):
    X, y = iris
    model = classifier().fit(X, y)
    expected = model.predict_proba(X)
    model.set_params(**{name: "nonsense"})
    np.testing.assert_array_equal(model.predict_proba(X), expected)


# Scores that are not numbers.


class Scores:
    """A scorer that gives one value after the other."""

    def __init__(self, *values):
        self.values = list(values)

    def __call__(self, estimator, X, y):
        return self.values.pop(0)


NAN_SCORES = [np.nan, 0.5, np.nan, 0.4, np.nan, 0.4, np.nan, np.nan, np.nan]


@pytest.mark.filterwarnings("ignore:scoring=.* is not defined")
def test_a_score_that_is_nan_is_not_waited_for(iris):
    options = {"early_stopping": True, "n_iter_no_change": 2, "max_iter": 9}
    # After the best epoch, only the three with a smaller score are without improvement.
    scoring = Scores(np.nan, 0.5, np.nan, 0.4, np.nan, 0.4, np.nan, 0.4, 0.4)
    assert classifier(scoring=scoring, **options).fit(*iris).n_iter_ == 8


def test_scores_that_are_all_nan_warn_once_and_do_not_stop_the_training(iris):
    X, y = iris
    options = {"early_stopping": True, "n_iter_no_change": 3, "max_iter": 20}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = classifier(scoring="roc_auc", **options)
        model.fit(X, y == 1, X_val=X[:40], y_val=np.zeros(40, bool))
    ours = [str(w.message) for w in caught if "scoring='roc_auc' is not defined" in str(w.message)]
    assert len(ours) == 1
    assert "validation_fraction" in ours[0]
    assert model.n_iter_ == 20
    assert np.isnan(model.best_validation_score_)


@pytest.mark.filterwarnings("ignore:scoring=.* is not defined")
def test_a_score_that_is_nan_is_never_the_best(iris):
    options = {"early_stopping": True, "n_iter_no_change": 3}
    model = classifier(scoring=Scores(*NAN_SCORES), **options, max_iter=9).fit(*iris)
    assert model.best_validation_score_ == 0.5
    short = classifier(scoring=Scores(*NAN_SCORES), **options, max_iter=2).fit(*iris)
    np.testing.assert_array_equal(model.coefs_[0], short.coefs_[0])


# Several fits of one estimator.


def test_a_function_of_the_epoch_goes_on_over_calls_of_partial_fit(iris):
    model = classifier(learning_rate=lambda epoch: 1 / (1 + epoch), solver="sgd")
    for _ in range(4):
        model.partial_fit(*iris, classes=[0, 1, 2])
    np.testing.assert_allclose(model.history_["learning_rate"], [1, 1 / 2, 1 / 3, 1 / 4])


@pytest.mark.parametrize("schedule", [CosineAnnealing(), OneCycle()], ids=str)
def test_a_schedule_takes_max_iter_as_the_number_of_calls_of_partial_fit(schedule, iris):
    model = classifier(learning_rate=schedule, learning_rate_init=0.01, max_iter=5)
    for _ in range(5):
        model.partial_fit(*iris, classes=[0, 1, 2])
    expected = [schedule(epoch, 0.01, 5) for epoch in range(5)]
    np.testing.assert_allclose(model.history_["learning_rate"], expected)


def test_a_schedule_starts_anew_in_a_warm_start(iris):
    model = classifier(learning_rate="cosine", max_iter=3, warm_start=True).fit(*iris).fit(*iris)
    first, second = np.split(model.history_["learning_rate"], 2)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_partial_fit_after_fit_follows_scikit_learn(solver, iris):
    options = {"solver": solver, "hidden_layer_sizes": (10,), "max_iter": 3, "random_state": 0}
    theirs = reference.MLPClassifier(**options).fit(*iris).partial_fit(*iris).partial_fit(*iris)
    ours = MLPClassifier(**options, dtype="float64").fit(*iris)
    ours.partial_fit(*iris).partial_fit(*iris)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, atol=1e-9)


def test_fit_after_partial_fit_starts_anew(iris):
    model = classifier().partial_fit(*iris, classes=[0, 1, 2, 3]).fit(*iris)
    assert results(model) == results(classifier().fit(*iris))


def test_fit_after_fit_starts_anew(iris):
    assert results(classifier().fit(*iris).fit(*iris)) == results(classifier().fit(*iris))


def test_fit_takes_another_number_of_features_than_before(iris):
    X, y = iris
    model = classifier().fit(X, y).fit(X[:, :2], y)
    assert results(model) == results(classifier().fit(X[:, :2], y))


def test_fit_takes_other_classes_than_before(iris):
    X, y = iris
    model = classifier().fit(X, y).fit(X, y > 0)
    assert results(model) == results(classifier().fit(X, y > 0))


# Memory.

FITS = {
    "fit": (MLPClassifier, {}, lambda model, X, y, w: model.fit(X, y, w)),
    "regressor": (MLPRegressor, {}, lambda model, X, y, w: model.fit(X, y, w)),
    "sgd": (MLPClassifier, {"solver": "sgd"}, lambda model, X, y, w: model.fit(X, y, w)),
    "lbfgs": (MLPClassifier, {"solver": "lbfgs"}, lambda model, X, y, w: model.fit(X, y, w)),
    "early stopping": (
        MLPClassifier,
        {"early_stopping": True, "scoring": "accuracy"},
        lambda model, X, y, w: model.fit(X, y),
    ),
    "validation data": (
        MLPRegressor,
        {"scoring": "r2"},
        lambda model, X, y, w: model.fit(-X, -y, X_val=X, y_val=y, sample_weight_val=w),
    ),
    "partial_fit": (MLPRegressor, {}, lambda model, X, y, w: model.partial_fit(X, y, w)),
    "callbacks of skorch": (
        MLPClassifier,
        {"callbacks": [EarlyStopping("train_loss")]},
        lambda model, X, y, w: model.fit(X, y, w),
    ),
    "callbacks of scikit-learn": (
        MLPClassifier,
        {},
        lambda model, X, y, w: model.set_callbacks(ProgressBar()).fit(X, y, w),
    ),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", FITS)
def test_a_fitted_model_does_not_keep_its_data(case, dtype, iris):
    kind, options, fit = FITS[case]
    X, y = (array.astype(dtype) for array in iris)
    weight = np.ones(150, dtype)
    model = fit(kind(**{**OPTIONS, **options, "dtype": dtype}), X, y, weight)
    references = [weakref.ref(array) for array in (X, y, weight)]
    del X, y, weight
    gc.collect()
    assert [reference() for reference in references] == [None, None, None]
    assert model.n_features_in_ == 4


# The scale of sample weights.

SCALES = pytest.mark.parametrize("scale", [1e-300, 1e300])


@SCALES
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("sizes", [(5,), (400,)], ids=["narrow", "wide"])
def test_the_scale_of_sample_weights_does_not_matter(sizes, solver, dtype, scale, digits):
    X, y = (array[:500] for array in digits)
    options = {"solver": solver, "hidden_layer_sizes": sizes, "dtype": dtype, "max_iter": 2}
    weighted = classifier(**options, alpha=0).fit(X, y, np.full(len(y), scale))
    plain = classifier(**options, alpha=0).fit(X, y)
    np.testing.assert_allclose(weighted.loss_curve_, plain.loss_curve_, rtol=1e-5)


@SCALES
def test_the_scale_of_validation_weights_does_not_matter(scale, iris):
    X, y = iris
    weighted, plain = classifier(), classifier()
    weighted.fit(X, y, X_val=X, y_val=y, sample_weight_val=np.full(150, scale))
    plain.fit(X, y, X_val=X, y_val=y)
    for name in ("valid_loss", "valid_score"):
        np.testing.assert_allclose(weighted.history_[name], plain.history_[name], rtol=1e-6)
