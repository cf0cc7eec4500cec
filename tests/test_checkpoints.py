"""Checkpoints: a fit that was interrupted ends as one that was not, or says why it cannot."""

import os
import resource
import subprocess
import sys
import warnings
from contextlib import suppress

import numpy as np
import pytest
import torch
from joblib import parallel_config
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback, Checkpoint, EarlyStopping, LoadInitState

from sknn_basics import (
    GAN,
    Autoencoder,
    ConvAutoencoder,
    ConvGAN,
    ConvNetClassifier,
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
)
from sknn_basics.training.adversarial import RecordSamples
from sknn_basics.training.checkpoints import TrainingCheckpoint
from sknn_basics.training.tabular import Training

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sknn_basics.ModeCollapseWarning"),
]


class Interrupt(Callback):
    """End a training before its epoch `n`, as a failure of the machine would."""

    def __init__(self, n: int):
        self.n = n

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == self.n:
            raise MemoryError


def flip(batch, generator):
    is_turned = torch.rand(len(batch), generator=generator) < 0.5
    return torch.where(is_turned.view(-1, 1, 1, 1), batch.flip(-1), batch)


def as_images(X, y):
    return X.reshape(-1, 8, 8), y


def as_one(X, y):
    return (as_images(X, y)[0],)


STOP = {"early_stopping": True, "n_iter_no_change": 2, "max_iter": 8}
CASES = {
    "default": (MLPClassifier((12,)), None),
    "any random state": (MLPClassifier((12,), random_state=None), None),
    "dropout, noise and batch normalization": (
        MLPClassifier((12,), dropout=0.3, input_noise=0.1, normalization="batch"),
        None,
    ),
    "early stopping": (MLPClassifier((12,), learning_rate_init=0.01, **STOP), None),
    "adaptive": (
        MLPClassifier((12,), solver="sgd", learning_rate="adaptive", tol=0.1, n_iter_no_change=1),
        None,
    ),
    "invscaling": (
        MLPClassifier((12,), solver="sgd", learning_rate="invscaling", learning_rate_init=0.1),
        None,
    ),
    "plateau": (MLPRegressor("squared_error", (12,), learning_rate="reduce_on_plateau"), None),
    "one cycle": (MLPClassifier((12,), solver="sgd", learning_rate="one_cycle"), None),
    "average": (MLPClassifier((12,), average_decay=0.9, **STOP), None),
    "muon": (MLPClassifier((12,), solver="muon", layer_rates={"output": 0.1}), None),
    "lbfgs": (MLPClassifier((12,), solver="lbfgs"), None),
    "hardened": (MLPClassifier((12,), adversarial_training=0.1), None),
    "ConvNetClassifier": (ConvNetClassifier(((3, 4), 4), (5,), augmentation=flip), as_images),
    "RNNClassifier": (RNNClassifier((4,), dropout=0.2, recurrent_dropout=0.2), as_images),
    "RNNRegressor": (
        RNNRegressor(hidden_layer_sizes=(4,), stateful=True, shuffle=False),
        as_images,
    ),
    "Autoencoder": (Autoencoder((6,), 3, noise="gaussian", **STOP), lambda X, y: (X,)),
    "VariationalAutoencoder": (
        VariationalAutoencoder((6,), n_components=3, noise_variance="auto", loss="squared_error"),
        lambda X, y: (X,),
    ),
    "ConvAutoencoder": (ConvAutoencoder((3, 4), 3, **STOP), as_one),
    "VariationalConvAutoencoder": (VariationalConvAutoencoder((3, 4), n_components=3), as_one),
    "RNNAutoencoder": (RNNAutoencoder((4,), 3), as_one),
    "GAN": (GAN(average_decay=0.9, loss="wasserstein", gradient_penalty=1.0), None),
    "growing ConvGAN": (ConvGAN((3, 4), n_components=3, grow=(4, 8)), as_one),
    "TextGenerator": (
        TextGenerator(hidden_layer_sizes=(4,), window=9, dropout=0.2, **STOP),
        lambda X, y: ("the quick brown fox jumps over the lazy dog. " * 9,),
    ),
}


def make(estimator, *callbacks, **options):
    """Copy an estimator, with a random state of its own."""
    model = clone(estimator).set_params(callbacks=list(callbacks), **options)
    own = {} if model.max_iter != 200 and model.max_iter != 100 else {"max_iter": 6}
    if isinstance(model, ConvGAN):
        own["max_iter"] = 3
    if estimator.random_state is None and not options:
        own["random_state"] = np.random.RandomState(5)
    return model.set_params(**own)


def learnt(model) -> dict:
    """Collect what a fit has learnt, but for times."""
    history = {name: values for name, values in model.history_.items() if name != "dur"}
    weights = {name: v.numpy(force=True) for name, v in model.module_.state_dict().items()}
    scores = getattr(model, "validation_scores_", None)
    known = {"loss_curve_": model.loss_curve_, "t_": model.t_, "n_iter_": model.n_iter_}
    return {**history, **weights, **known, "scores": scores or [], "loss_": model.loss_}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)


@pytest.fixture(params=CASES)
def case(request, digits):
    estimator, prepare = CASES[request.param]
    data = tuple(array[:120] for array in digits)
    return estimator, data if prepare is None else prepare(*data)


def interrupted(estimator, data, folder, at: int = 4, **options):
    checkpoint = TrainingCheckpoint(folder, **options)
    with pytest.raises(MemoryError):
        make(estimator, checkpoint, Interrupt(at)).fit(*data)


def test_a_resumed_fit_has_the_bits_of_one_that_was_not_interrupted(case, tmp_path):
    estimator, data = case
    expected = learnt(make(estimator).fit(*data))
    interrupted(estimator, data, tmp_path)
    resumed = make(estimator, TrainingCheckpoint(tmp_path)).fit(*data)
    assert_same(learnt(resumed), expected)
    # It is whole now: nothing is trained any more.
    again = make(estimator, TrainingCheckpoint(tmp_path), Interrupt(0)).fit(*data)
    assert_same(learnt(again), expected)
    assert len(os.listdir(tmp_path)) == 1


def test_a_resumed_fit_draws_from_the_keys_of_a_device(iris, tmp_path, keyed_layers):
    estimator = MLPClassifier((8,), dropout=0.3, input_noise=0.1, max_iter=8, random_state=0)
    expected = learnt(make(estimator).fit(*iris))
    interrupted(estimator, iris, tmp_path)
    assert_same(learnt(make(estimator, TrainingCheckpoint(tmp_path)).fit(*iris)), expected)


@pytest.mark.parametrize(
    "estimator",
    [
        TabularClassifier(10, hidden_layer_sizes=(8,), max_iter=15, random_state=0),
        TabularClassifier(10, hidden_layer_sizes=(8,), max_iter=15, n_iter_no_change=2),
        TabularRegressor(10, hidden_layer_sizes=(8,), max_iter=15, random_state=0),
    ],
    ids=["classifier", "with patience", "regressor"],
)
@pytest.mark.parametrize("at", [4, 9])
def test_an_ensemble_for_tables_goes_on(estimator, at, iris, tmp_path, monkeypatch):
    def fit(*callbacks):
        seed = np.random.RandomState(5)
        return clone(estimator).set_params(callbacks=callbacks, random_state=seed).fit(*iris)

    expected = fit()
    advance = Training.advance

    def interrupt(self, epoch, generator):
        if epoch == at:
            raise MemoryError
        advance(self, epoch, generator)

    with monkeypatch.context() as patched:
        patched.setattr(Training, "advance", interrupt)
        with suppress(MemoryError):
            fit(TrainingCheckpoint(tmp_path))
    resumed = fit(TrainingCheckpoint(tmp_path))
    monkeypatch.setattr(Training, "advance", None)
    for model in (resumed, fit(TrainingCheckpoint(tmp_path))):
        np.testing.assert_array_equal(model._rows_, expected._rows_)
        np.testing.assert_array_equal(model.ensemble_weights_, expected.ensemble_weights_)
        for name, values in expected.history_.items():
            np.testing.assert_array_equal(model.history_[name], values)


def test_an_ensemble_for_tables_takes_no_other_callbacks(iris):
    with pytest.raises(TypeError, match="TrainingCheckpoint"):
        TabularClassifier(callbacks=[Interrupt(3)]).fit(*iris)


@pytest.mark.parametrize("at", [2, 3, 5, 6, 7])
def test_early_stopping_goes_on_from_any_epoch(at, digits, tmp_path):
    estimator, data = MLPClassifier((12,), early_stopping=True, n_iter_no_change=1), digits
    options = {"random_state": 0, "learning_rate_init": 0.05, "max_iter": 30}
    expected = make(estimator, **options).fit(*data)
    assert expected.n_iter_ < 30
    checkpoint = TrainingCheckpoint(tmp_path)
    with suppress(MemoryError):
        make(estimator, checkpoint, Interrupt(at), **options).fit(*data)
    resumed = make(estimator, checkpoint, **options).fit(*data)
    assert_same(learnt(resumed), learnt(expected))
    assert resumed.best_validation_score_ == expected.best_validation_score_


@pytest.mark.parametrize("store", ["alone", "stacked"])
def test_fits_in_a_stack_go_on_too(store, digits, tmp_path):
    data = digits[0][:120], digits[1][:120]
    grid = {"alpha": [1e-4, 1.0], "dropout": [0.0, 0.3]}

    def search(*callbacks, **options):
        model = make(MLPClassifier((12,), random_state=0), *callbacks)
        with parallel_config(backend="stacked" if store == "stacked" else "sequential"):
            return GridSearchCV(model, grid, cv=2, refit=False, **options).fit(*data)

    expected = search().cv_results_["mean_test_score"]
    checkpoint = TrainingCheckpoint(tmp_path, shared=True)
    with pytest.raises(MemoryError):
        search(checkpoint, Interrupt(4), error_score="raise")
    resumed = search(checkpoint).cv_results_["mean_test_score"]
    np.testing.assert_allclose(resumed, expected, atol=1e-6)
    # All are whole: none is trained again.
    again = search(checkpoint, Interrupt(0), error_score="raise").cv_results_["mean_test_score"]
    np.testing.assert_array_equal(again, resumed)
    assert len(os.listdir(tmp_path)) == 8


def test_a_warm_start_goes_on_with_the_training_that_was_interrupted(iris, tmp_path):
    model = MLPClassifier((5,), random_state=0, max_iter=5, warm_start=True)
    expected = clone(model).fit(*iris).set_params(alpha=0.1).fit(*iris)
    second = TrainingCheckpoint(tmp_path)
    begun = clone(model).fit(*iris).set_params(alpha=0.1, callbacks=[second, Interrupt(8)])
    with pytest.raises(MemoryError):
        begun.fit(*iris)
    resumed = clone(model).fit(*iris).set_params(alpha=0.1, callbacks=[second]).fit(*iris)
    assert_same(learnt(resumed), learnt(expected))


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("options", [{"dropout": 0.3}, {"learning_rate": "cosine"}], ids=str)
def test_partial_fit_goes_on_from_a_restored_model(options, solver, digits, tmp_path):
    X, y = digits[0][:120], digits[1][:120]
    model = MLPClassifier((12,), solver=solver, max_iter=6, random_state=0, **options)
    expected = clone(model)
    for _ in range(6):
        expected.partial_fit(X, y, classes=range(10))
    checkpoint = TrainingCheckpoint(tmp_path)
    begun = clone(model).set_params(callbacks=[checkpoint])
    for _ in range(4):
        begun.partial_fit(X, y, classes=range(10))
    with pytest.raises(ValueError, match=r"earlier calls of partial_fit.*restore"):
        clone(begun).partial_fit(X, y, classes=range(10))
    resumed = checkpoint.restore(clone(begun))
    np.testing.assert_array_equal(resumed.predict_proba(X), begun.predict_proba(X))
    assert (resumed.t_, resumed.loss_curve_) == (begun.t_, begun.loss_curve_)
    for _ in range(2):
        resumed.partial_fit(X, y)
    assert_same(learnt(resumed), learnt(expected))


def test_the_best_epoch_can_be_restored(digits, tmp_path):
    checkpoint = TrainingCheckpoint(tmp_path, best_only=True)
    model = MLPClassifier((12,), early_stopping=True, learning_rate_init=0.05, random_state=0)
    model.set_params(callbacks=[checkpoint], max_iter=20).fit(*digits)
    (path,) = tmp_path.iterdir()
    assert f"valid_score={model.best_validation_score_:.6g}.safetensors" in path.name
    restored = checkpoint.restore(clone(model))
    np.testing.assert_array_equal(restored.predict_proba(digits[0]), model.predict_proba(digits[0]))


# Which files there are.


def epochs_of(folder) -> list[int]:
    return sorted(int(path.name.split("epoch=")[1][:5]) for path in folder.iterdir())


@pytest.mark.parametrize(
    ("options", "epochs"),
    [
        ({}, [10]),
        ({"every": 4}, [10]),
        ({"every": 4, "keep": 9}, [4, 8, 10]),
        ({"keep": 3}, [8, 9, 10]),
        ({"seconds": 3600.0}, [10]),
    ],
    ids=str,
)
def test_checkpoints_are_written_and_kept_as_wanted(options, epochs, iris, tmp_path):
    checkpoint = TrainingCheckpoint(tmp_path, **options)
    MLPClassifier((3,), max_iter=10, random_state=0, callbacks=[checkpoint]).fit(*iris)
    assert epochs_of(tmp_path) == epochs


def test_a_checkpoint_is_read_by_safetensors(iris, tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    checkpoint = TrainingCheckpoint(tmp_path)
    model = MLPClassifier((3,), max_iter=2, random_state=0, callbacks=[checkpoint]).fit(*iris)
    (path,) = tmp_path.iterdir()
    arrays = safetensors.load_file(path).values()
    assert any(np.array_equal(array, model.coefs_[0].T) for array in arrays)


def test_beginning_anew_replaces_the_checkpoints_of_before(iris, tmp_path):
    model = MLPClassifier((3,), max_iter=4, random_state=0)
    model.set_params(callbacks=[TrainingCheckpoint(tmp_path, keep=3)]).fit(*iris)
    anew = TrainingCheckpoint(tmp_path, keep=3, resume=False, every=3)
    model.set_params(callbacks=[anew], random_state=1).fit(*iris)
    assert epochs_of(tmp_path) == [3, 4]


def test_nothing_is_written_without_training(iris, tmp_path):
    MLPClassifier(callbacks=[TrainingCheckpoint(tmp_path)]).initialize(*iris)
    assert not list(tmp_path.iterdir())


# What does not go on.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m, X, y: m.set_params(alpha=0.5).fit(X, y), "its alpha is 0.0001, not 0.5"),
        (lambda m, X, y: m.set_params(random_state=1).fit(X, y), "its random_state is 0, not 1"),
        (lambda m, X, y: m.fit(X + 1, y), r"its X is \(150, 4\) float64 with checksum"),
        (lambda m, X, y: m.fit(X, y[::-1]), "its y is"),
        (lambda m, X, y: m.fit(X[:50], y[:50] % 3), "its X is"),
        (lambda m, X, y: m.fit(X, y, np.ones(150)), "its sample_weight is None, not"),
        (lambda m, X, y: m.fit(X, y, X_val=X, y_val=y), "its X_val is None, not"),
        (lambda m, X, y: MLPRegressor(callbacks=m.callbacks).fit(X, y), "its estimator is"),
    ],
)
def test_another_training_is_refused_and_the_difference_named(change, message, iris, tmp_path):
    checkpoint = TrainingCheckpoint(tmp_path)
    model = MLPClassifier((3,), max_iter=3, random_state=0, callbacks=[checkpoint]).fit(*iris)
    before = learnt(model)
    with pytest.raises(ValueError, match=message):
        change(model, *iris)
    assert_same(learnt(model), before)
    assert epochs_of(tmp_path) == [3]


def test_more_time_and_other_words_are_no_other_training(iris, tmp_path):
    checkpoint = TrainingCheckpoint(tmp_path)
    model = MLPClassifier((3,), max_iter=5, random_state=0, callbacks=[checkpoint])
    with pytest.raises(MemoryError):
        clone(model).set_params(callbacks=[checkpoint, Interrupt(3)]).fit(*iris)
    resumed = model.set_params(max_time=1e6).fit(*iris)
    assert resumed.n_iter_ == 5


def test_an_estimator_with_other_parameters_is_not_restored(iris, tmp_path):
    checkpoint = TrainingCheckpoint(tmp_path)
    model = MLPClassifier((3,), max_iter=3, random_state=0, callbacks=[checkpoint]).fit(*iris)
    with pytest.raises(ValueError, match="its alpha is 0.0001, not 0.5"):
        checkpoint.restore(clone(model).set_params(alpha=0.5))
    with pytest.raises(ValueError, match="no checkpoint"):
        TrainingCheckpoint(tmp_path, prefix="other").restore(model)


@pytest.mark.parametrize(
    "options",
    [{"every": 0}, {"keep": 0}, {"on_failure": "never"}, {"prefix": "a/b"}, {"prefix": ""}],
    ids=str,
)
def test_parameters_of_a_checkpoint_are_checked(options, iris, tmp_path):
    checkpoint = TrainingCheckpoint(tmp_path, **options)
    with pytest.raises(ValueError, match=f"{next(iter(options))} must"):
        MLPClassifier(callbacks=[checkpoint]).fit(*iris)


def test_callbacks_of_users_go_on_with_what_they_have_learnt(digits, tmp_path):
    data = digits[0][:120], digits[1][:120]

    def run(*callbacks):
        stop = EarlyStopping(monitor="train_loss", patience=3, threshold=0.2, sink=str)
        record = RecordSamples(n_samples=2)
        GAN(max_iter=9, random_state=0, callbacks=[stop, record, *callbacks]).fit(*data)
        return record.epochs_, record.samples_, stop.misses_

    expected = run()
    with pytest.raises(MemoryError):
        run(TrainingCheckpoint(tmp_path), Interrupt(3))
    for own, other in zip(run(TrainingCheckpoint(tmp_path)), expected):
        np.testing.assert_array_equal(own, other)


# Files that cannot be written, or were not.


@pytest.fixture
def small_files():
    """Let no file become larger than some bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(n_bytes):
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_told_and_the_checkpoint_before_stays(small_files, iris, tmp_path):
    checkpoint = TrainingCheckpoint(tmp_path)
    model = MLPClassifier((50,), max_iter=6, random_state=0, callbacks=[checkpoint])
    with pytest.raises(MemoryError):
        clone(model).set_params(callbacks=[checkpoint, Interrupt(3)]).fit(*iris)
    small_files(1000)
    with pytest.warns(RuntimeWarning, match="cannot be written .*the one before it stays"):
        whole = clone(model).fit(*iris)
    assert epochs_of(tmp_path) == [2]
    checkpoint = TrainingCheckpoint(tmp_path, on_failure="raise")
    with pytest.raises(OSError, match="cannot be written"):
        clone(model).set_params(callbacks=[checkpoint]).fit(*iris)
    small_files(resource.RLIM_INFINITY)
    assert epochs_of(tmp_path) == [2]
    assert_same(learnt(model.fit(*iris)), learnt(whole))


def test_skorch_checkpoints_tell_of_a_full_disk(small_files, iris, tmp_path):
    checkpoint = Checkpoint(monitor=None, dirname=str(tmp_path))
    model = MLPClassifier((50,), max_iter=2, random_state=0, callbacks=[checkpoint])
    small_files(1000)
    with pytest.warns(RuntimeWarning, match="cannot be written") as told:
        model.fit(*iris)
    assert {name for name in ("params.pt", "optimizer.pt") for w in told if name in str(w.message)}
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".pt")]


@pytest.mark.parametrize("options", [{}, {"shuffle": False, "dropout": 0.5}], ids=str)
def test_going_on_from_skorch_checkpoints_warns_of_what_they_lack(options, iris, tmp_path):
    checkpoint = Checkpoint(monitor=None, dirname=str(tmp_path))
    model = MLPClassifier((5,), max_iter=2, random_state=0, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        clone(model).set_params(callbacks=[checkpoint]).fit(*iris)
    with pytest.warns(UserWarning, match="TrainingCheckpoint"):
        model.set_params(callbacks=[LoadInitState(checkpoint)]).fit(*iris)
    assert len(model.loss_curve_) == 4


# Processes that are killed.

KILLS = """
import os, random, signal, sys, time, warnings
import numpy as np
from sklearn.datasets import load_digits
from sknn_basics import MLPClassifier, ConvNetClassifier
from sknn_basics.training.checkpoints import TrainingCheckpoint
from sknn_basics.training.tabular import Training

warnings.simplefilter("ignore")
folder, n_kills, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
X, y = (array[:300] for array in load_digits(return_X_y=True))


def fit(*callbacks):
    model = MLPClassifier(
        (20,), early_stopping=True, dropout=0.2, max_iter=25, random_state=0, callbacks=callbacks
    )
    return model.fit(X / 16, y)


expected = fit()
draw, n_left = random.Random(seed), n_kills
n_began_anew = 0
while n_left:
    # Each training is killed several times before it comes to its end.
    n_before = len(os.listdir(folder))
    child = os.fork()
    if not child:
        model = fit(TrainingCheckpoint(folder, keep=2))
        same = all(map(np.array_equal, model.coefs_, expected.coefs_))
        same &= model.validation_scores_ == expected.validation_scores_
        same &= model.loss_curve_ == expected.loss_curve_
        os._exit(0 if same else 1)
    time.sleep(draw.uniform(0, 0.15))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    n_left -= os.WIFSIGNALED(status)
    if not os.WIFSIGNALED(status):
        assert os.WEXITSTATUS(status) == 0, "other bits"
        names = os.listdir(folder)
        assert all(name.startswith("checkpoint-") for name in names), names
        assert len(names) == 2, names
        for name in names:
            os.unlink(os.path.join(folder, name))
model = fit(TrainingCheckpoint(folder, keep=2))
assert all(map(np.array_equal, model.coefs_, expected.coefs_))
names = os.listdir(folder)
assert len(names) == 2 and all(name.startswith("checkpoint-") for name in names), names
print("all the same")
"""


@pytest.mark.parametrize("n_kills", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_a_fit_that_is_killed_at_any_moment_goes_on(n_kills, tmp_path):
    command = [sys.executable, "-c", KILLS, str(tmp_path), str(n_kills), "0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "all the same", done.stderr[-2000:]


def test_what_a_killed_process_has_left_of_other_files_is_removed(iris, tmp_path):
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True
    )
    left = tmp_path / f".weights.npz.{int(gone.stdout)}"
    of_others = tmp_path / f".weights.npz.{os.getppid()}"
    for path in (left, of_others):
        path.write_bytes(b"half")
    MLPClassifier((3,), max_iter=1).fit(*iris).save_weights(tmp_path / "weights.npz")
    assert {path.name for path in tmp_path.iterdir()} == {"weights.npz", of_others.name}
