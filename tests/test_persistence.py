"""Saving and loading: nothing is lost, and a failing write spoils nothing."""

import copy
import json
import pickle
import pickletools
import subprocess
import sys
import warnings

import cloudpickle
import joblib
import numpy as np
import pytest
import skops.io
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from skorch.callbacks import Callback, Checkpoint, LoadInitState

import sknn_basics
from sknn_basics import MLPClassifier, MLPRegressor, from_json

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def through_joblib(model, folder):
    joblib.dump(model, folder / "model.joblib")
    return joblib.load(folder / "model.joblib")


def through_memory_map(model, folder):
    joblib.dump(model, folder / "model.joblib")
    return joblib.load(folder / "model.joblib", mmap_mode="r")


def through_skops(model, folder):
    skops.io.dump(model, folder / "model.skops")
    untrusted = skops.io.get_untrusted_types(file=folder / "model.skops")
    return skops.io.load(folder / "model.skops", trusted=untrusted)


WAYS = {
    "pickle": lambda model, _: pickle.loads(pickle.dumps(model)),
    "oldest pickle": lambda model, _: pickle.loads(pickle.dumps(model, protocol=2)),
    "cloudpickle": lambda model, _: cloudpickle.loads(cloudpickle.dumps(model)),
    "copy": lambda model, _: copy.copy(model),
    "deepcopy": lambda model, _: copy.deepcopy(model),
    "joblib": through_joblib,
    "joblib memory map": through_memory_map,
    "skops": through_skops,
}

MODES = {
    "plain": {},
    "dropout and batch normalization": {"dropout": 0.3, "normalization": "batch"},
    "early stopping": {"early_stopping": True},
    "lbfgs": {"solver": "lbfgs"},
    "float64": {"dtype": "float64"},
    "adadelta": {"solver": "adadelta", "learning_rate_init": "auto"},
    "one layer, input noise": {"hidden_layer_sizes": 5, "input_noise": 0.1, "max_norm": 2.0},
    "prelu": {"activation": "prelu", "weight_init": "he_normal"},
}

OPTIONS = {"hidden_layer_sizes": (20, 10), "max_iter": 3, "random_state": 0}


def make(mode="plain", **options):
    return MLPClassifier(**{**OPTIONS, **MODES[mode], **options})


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", WAYS)
def test_a_fitted_pipeline_predicts_the_same_bits_afterwards(way, mode, digits, tmp_path):
    X, y = digits
    model = make_pipeline(MinMaxScaler(), make(mode)).fit(X, y)
    loaded = WAYS[way](model, tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("way", WAYS)
def test_a_fitted_regressor_predicts_the_same_bits_afterwards(way, diabetes, tmp_path):
    X, y = diabetes
    model = MLPRegressor(**OPTIONS).fit(X, y)
    np.testing.assert_array_equal(WAYS[way](model, tmp_path).predict(X), model.predict(X))


@pytest.mark.parametrize("way", WAYS)
def test_an_unfitted_pipeline_fits_the_same_bits_afterwards(way, digits, tmp_path):
    X, y = digits
    model = make_pipeline(MinMaxScaler(), make("dropout and batch normalization"))
    loaded = WAYS[way](model, tmp_path)
    np.testing.assert_array_equal(
        loaded.fit(X, y).predict_proba(X), clone(model).fit(X, y).predict_proba(X)
    )


@pytest.mark.parametrize("way", WAYS)
def test_fitted_attributes_are_the_same_afterwards(way, iris, tmp_path):
    model = make("early stopping").fit(*iris)
    loaded = WAYS[way](model, tmp_path)
    for name in ("coefs_", "intercepts_", "loss_curve_", "validation_scores_", "classes_"):
        assert_same(getattr(loaded, name), getattr(model, name))
    for name in ("n_iter_", "t_", "best_validation_score_", "loss_", "n_features_in_"):
        assert getattr(loaded, name) == getattr(model, name)
    assert loaded.summary() == model.summary()
    assert loaded.history_.keys() == model.history_.keys()
    for name, values in model.history_.items():
        np.testing.assert_array_equal(loaded.history_[name], values)


def assert_same(ours, theirs):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        np.testing.assert_array_equal(a, b)


def test_string_labels_and_column_names_survive(iris, tmp_path):
    pd = pytest.importorskip("pandas")
    X, y = iris
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    model = make().fit(frame, np.array(["x", "y", "z"])[y])
    for way in WAYS.values():
        loaded = way(model, tmp_path)
        np.testing.assert_array_equal(loaded.predict(frame), model.predict(frame))
        assert loaded.feature_names_in_.tolist() == ["a", "b", "c", "d"]


@pytest.mark.parametrize("mode", MODES)
def test_skops_needs_to_trust_nothing_but_this_package(mode, iris):
    model = make_pipeline(MinMaxScaler(), make(mode)).fit(*iris)
    untrusted = skops.io.get_untrusted_types(data=skops.io.dumps(model))
    assert untrusted == ["sknn_basics.estimators.dense.MLPClassifier"]


def test_a_fresh_process_predicts_the_same_bits(digits, tmp_path):
    X, y = digits
    model = make_pipeline(MinMaxScaler(), make("dropout and batch normalization")).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    np.save(tmp_path / "X.npy", X)
    script = (
        "import joblib, numpy as np\n"
        "probability = joblib.load('model.joblib').predict_proba(np.load('X.npy'))\n"
        "np.save('probability.npy', probability)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "probability.npy"), model.predict_proba(X))


# Going on with a loaded model.

SOLVERS = ["sgd", "adam", "adamw", "adamax", "nadam", "radam", "rmsprop", "adagrad", "adadelta"]


@pytest.mark.parametrize("way", ["pickle", "deepcopy", "skops"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_partial_fit_goes_on_with_the_same_bits_when_loaded(solver, way, digits, tmp_path):
    X, y = digits
    model = make(solver=solver, dropout=0.2, learning_rate_init="auto")
    for _ in range(2):
        model.partial_fit(X, y, classes=range(10))
    loaded = WAYS[way](model, tmp_path)
    for _ in range(2):
        model.partial_fit(X, y)
        loaded.partial_fit(X, y)
    assert_same(loaded.coefs_, model.coefs_)
    assert loaded.loss_curve_ == model.loss_curve_


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_samples", [50, 1797])
def test_partial_fit_after_fit_goes_on_with_the_same_bits_when_loaded(solver, n_samples, digits):
    X, y = (array[:n_samples] for array in digits)
    model = make(solver=solver).fit(X, y)
    loaded = pickle.loads(pickle.dumps(model))
    for _ in range(2):
        model.partial_fit(X, y)
        loaded.partial_fit(X, y)
    assert_same(loaded.coefs_, model.coefs_)


@pytest.mark.parametrize("mode", MODES)
def test_a_warm_start_goes_on_with_the_same_bits_when_loaded(mode, digits):
    X, y = digits
    model = make(mode, warm_start=True).fit(X, y)
    loaded = pickle.loads(pickle.dumps(model)).fit(X, y)
    model.fit(X, y)
    assert_same(loaded.coefs_, model.coefs_)
    assert loaded.loss_curve_ == model.loss_curve_


def test_a_copy_is_independent_of_its_original(digits):
    X, y = digits
    model = make(warm_start=True).fit(X, y)
    before = model.predict_proba(X)
    copy.copy(model).fit(X, y)
    copy.deepcopy(model).partial_fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), before)


class CountEpochs(Callback):
    """Count the epochs since the training began."""

    def initialize(self):
        self.n_epochs_ = 0
        return self

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs_ += 1


@pytest.mark.parametrize("way", ["pickle", "copy", "deepcopy"])
def test_copying_leaves_the_callbacks_of_the_original_alone(way, iris, tmp_path):
    model = make(callbacks=[CountEpochs()]).fit(*iris)
    WAYS[way](model, tmp_path)
    assert model.callbacks[0].n_epochs_ == 3


@pytest.mark.parametrize("way", ["pickle", "deepcopy"])
def test_a_callback_keeps_its_state_when_loaded(way, iris, tmp_path):
    model = make(callbacks=[CountEpochs()]).fit(*iris)
    assert WAYS[way](model, tmp_path).callbacks[0].n_epochs_ == 3


# What is in the file.

PLAIN = (type(None), bool, int, float, str)


def unexpected(value, path="state") -> list[str]:
    """List what is neither an array nor a plain value."""
    if isinstance(value, dict):
        parts = [(key, part) for key, part in value.items()]
        found = [f"key {key!r} of {path}" for key in value if type(key) not in PLAIN]
    elif type(value) in (list, tuple):
        parts, found = enumerate(value), []
    else:
        is_array = type(value) is np.ndarray and value.dtype.kind in "biufU"
        return [] if is_array or type(value) in PLAIN else [f"{path}: {type(value)}"]
    return sum((unexpected(part, f"{path}[{key!r}]") for key, part in parts), found)


@pytest.mark.parametrize("mode", MODES)
def test_the_state_holds_only_arrays_and_plain_values(mode, iris):
    assert unexpected(make(mode).fit(*iris).__getstate__()) == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("is_fitted", [False, True])
def test_a_pickle_names_nothing_of_torch(is_fitted, mode, iris):
    model = make(mode).fit(*iris) if is_fitted else make(mode)
    words = [arg for _, arg, _ in pickletools.genops(pickle.dumps(model)) if isinstance(arg, str)]
    assert [word for word in words if word.split(".")[0] in ("torch", "skorch")] == []


def test_a_pickle_is_hardly_larger_than_weights_and_optimiser(digits):
    model = MLPClassifier((200, 200), max_iter=2).fit(*digits)
    # The weights, and two moments of Adam, in single or double precision.
    assert len(pickle.dumps(model)) < (4 + 2 * 8) * model.n_parameters_ + 10_000


# Versions and devices.


def restore(state) -> MLPClassifier:
    model = MLPClassifier.__new__(MLPClassifier)
    model.__setstate__(state)
    return model


MAJOR, MINOR = (int(part) for part in sknn_basics.__version__.split(".")[:2])


def test_a_model_of_another_major_version_warns_and_predicts(iris):
    X, _ = iris
    model = make().fit(*iris)
    state = {**model.__getstate__(), "_sknn_basics_version": f"{MAJOR + 1}.0.0"}
    with pytest.warns(UserWarning, match=f"saved by version {MAJOR + 1}.0.0"):
        loaded = restore(state)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("minor", [MINOR, MINOR + 1, MINOR + 10])
def test_a_model_of_another_minor_version_loads_silently(minor, iris):
    state = {**make().fit(*iris).__getstate__(), "_sknn_basics_version": f"{MAJOR}.{minor}.0"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert restore(state).n_iter_ == 3


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_model_of_a_gpu_loads_without_one(iris):
    X, _ = iris
    model = make().fit(*iris)
    with pytest.warns(UserWarning, match="No device 'cuda' here"):
        loaded = restore({**model.__getstate__(), "device": "cuda"})
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


# Weights alone, architecture alone.


@pytest.mark.parametrize("mode", MODES)
def test_architecture_and_weights_make_the_same_model(mode, digits, tmp_path):
    X, y = digits
    model = make(mode).fit(X, y)
    model.save_weights(tmp_path / "weights.npz")
    rebuilt = from_json(model.to_json()).load_weights(tmp_path / "weights.npz")
    np.testing.assert_array_equal(rebuilt.predict_proba(X), model.predict_proba(X))


def test_architecture_and_weights_make_the_same_regressor(diabetes, tmp_path):
    X, y = diabetes
    model = MLPRegressor(**OPTIONS).fit(X, y)
    model.save_weights(str(tmp_path / "weights.npz"))
    rebuilt = from_json(model.to_json()).load_weights(str(tmp_path / "weights.npz"))
    np.testing.assert_array_equal(rebuilt.predict(X), model.predict(X))


@pytest.mark.parametrize("labels", [["x", "y", "z"], [False, True, True], [1.0, 2.0, 3.0]])
def test_architecture_keeps_the_classes(labels, iris):
    X, y = iris
    model = make().fit(X, np.array(labels)[y])
    rebuilt = from_json(model.to_json())
    np.testing.assert_array_equal(rebuilt.classes_, model.classes_)
    assert rebuilt.classes_.dtype == model.classes_.dtype


def test_architecture_has_the_initial_weights(digits):
    model = make(solver="sgd", learning_rate_init=1e-30, weight_init="he_normal").fit(*digits)
    assert_same(from_json(model.to_json()).coefs_, model.coefs_)


def test_a_network_from_text_can_be_trained(digits):
    X, y = digits
    rebuilt = from_json(make().fit(X, y).to_json())
    assert rebuilt.partial_fit(X, y).n_iter_ == 1


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"hidden_layer_sizes": [5, 4], "dropout": [0.1, 0.2]},
        {"class_weight": {0: 1.0, 1: 2.0, 2: 3.0}},
        {"n_iter_no_change": np.inf, "tol": np.float64(0.01), "batch_size": np.int64(50)},
        {"hidden_layer_sizes": np.array([5, 4])},
    ],
    ids=str,
)
def test_an_estimator_from_text_fits_the_same_bits(options, iris):
    X, y = iris
    model = make(**options)
    rebuilt = from_json(model.to_json())
    np.testing.assert_array_equal(
        rebuilt.fit(X, y).predict_proba(X), model.fit(X, y).predict_proba(X)
    )


def test_class_weights_of_strings_survive_text(iris):
    X, y = iris
    y = np.array(["x", "y", "z"])[y]
    model = make(class_weight={"x": 1.0, "y": 2.0, "z": 3.0}).fit(X, y)
    rebuilt = from_json(model.to_json()).fit(X, y)
    np.testing.assert_array_equal(rebuilt.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("activation", torch.nn.ReLU),
        ("solver", torch.optim.Adam),
        ("learning_rate", abs),
        ("random_state", np.random.RandomState(0)),
        ("callbacks", [CountEpochs()]),
    ],
)
def test_a_parameter_that_is_no_plain_value_is_named(name, value):
    with pytest.raises(TypeError, match=f"{name}=.* cannot be written as JSON"):
        make(**{name: value}).to_json()


@pytest.mark.parametrize("text", ["{}", "[]", '"MLPClassifier"', '{"estimator": "SVC"}'])
def test_text_of_something_else_raises(text):
    with pytest.raises(ValueError, match="no estimator of sknn_basics"):
        from_json(text)


def test_text_of_a_function_of_the_package_raises():
    content = {**json.loads(make().to_json()), "estimator": "from_json"}
    with pytest.raises(ValueError, match="no estimator of sknn_basics"):
        from_json(json.dumps(content))


def test_text_of_another_major_version_warns():
    content = {**json.loads(make().to_json()), "sknn_basics": f"{MAJOR + 1}.2.3"}
    with pytest.warns(UserWarning, match=f"saved by version {MAJOR + 1}.2.3"):
        from_json(json.dumps(content))


def test_weights_of_another_size_name_the_layers(iris, tmp_path):
    make(hidden_layer_sizes=(20, 9)).fit(*iris).save_weights(tmp_path / "weights.npz")
    model = make().fit(*iris)
    before = copy.deepcopy(model.coefs_)
    with pytest.raises(ValueError, match=r"hidden2.weight: \(9, 20\) for \(10, 20\)") as error:
        model.load_weights(tmp_path / "weights.npz")
    assert "hidden1" not in str(error.value)
    assert_same(model.coefs_, before)


def test_weights_of_another_depth_name_the_layers(iris, tmp_path):
    make(hidden_layer_sizes=(20,)).fit(*iris).save_weights(tmp_path / "weights.npz")
    with pytest.raises(ValueError, match="hidden2.bias: missing for"):
        make().fit(*iris).load_weights(tmp_path / "weights.npz")


# Writes that fail.


@pytest.fixture
def full_disk(monkeypatch):
    """Function that lets no write of weights be completed any more."""

    def write_half(*args, **kwargs):
        target = next(arg for arg in args if isinstance(arg, str) or hasattr(arg, "write"))
        if isinstance(target, str):
            with open(target, "wb") as file:
                file.write(b"half")
        else:
            target.write(b"half")
        raise OSError("No space left on device")

    def fill():
        monkeypatch.setattr(np, "savez", write_half)
        monkeypatch.setattr(torch, "save", write_half)

    return fill


def content(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_failing_write_of_weights_leaves_the_old_file(iris, tmp_path, full_disk):
    model = make().fit(*iris)
    model.save_weights(tmp_path / "weights.npz")
    before = content(tmp_path)
    full_disk()
    with pytest.raises(OSError, match="No space left"):
        model.partial_fit(*iris).save_weights(tmp_path / "weights.npz")
    assert content(tmp_path) == before


def test_a_failing_first_write_of_weights_leaves_no_file(iris, tmp_path, full_disk):
    full_disk()
    with pytest.raises(OSError, match="No space left"):
        make().fit(*iris).save_weights(tmp_path / "weights.npz")
    assert content(tmp_path) == {}


def test_a_failing_checkpoint_leaves_the_old_file(iris, tmp_path, full_disk):
    checkpoint = Checkpoint(monitor=None, dirname=str(tmp_path), f_history=None)
    make(callbacks=[checkpoint]).fit(*iris)
    before = content(tmp_path)
    full_disk()
    make(callbacks=[checkpoint], max_iter=5).fit(*iris)
    assert content(tmp_path) == before


# Checkpoints.


def every_second_epoch(net) -> bool:
    return net.history[-1, "epoch"] % 2 == 0


@pytest.fixture
def only_weights(tmp_path):
    """Arguments of a checkpoint that saves only weights, named by their epoch."""
    return {
        "f_params": "{last_epoch[epoch]}.pt",
        "f_optimizer": None,
        "f_criterion": None,
        "f_history": None,
        "dirname": str(tmp_path),
    }


def test_checkpoints_are_saved_every_k_epochs(only_weights, digits, tmp_path):
    checkpoint = Checkpoint(monitor=every_second_epoch, **only_weights)
    make(max_iter=7, callbacks=[checkpoint]).fit(*digits)
    assert sorted(content(tmp_path)) == ["2.pt", "4.pt", "6.pt"]


def test_checkpoints_are_saved_when_the_validation_loss_is_best(only_weights, digits, tmp_path):
    X, y = digits
    model = make(
        max_iter=8,
        solver="sgd",
        learning_rate_init=0.5,
        callbacks=[Checkpoint(monitor="valid_loss_best", **only_weights)],
    ).fit(X, y, X_val=X[:100], y_val=y[:100])
    losses = model.history_["valid_loss"]
    best = [i + 1 for i, loss in enumerate(losses) if loss < min([*losses[:i], np.inf])]
    assert 1 < len(best) < 8
    assert sorted(int(name.removesuffix(".pt")) for name in content(tmp_path)) == best


def test_checkpoints_are_named_by_epoch_and_monitored_value(only_weights, digits, tmp_path):
    only_weights["f_params"] = "{last_epoch[epoch]:02d}-{last_epoch[valid_loss]:.4f}.pt"
    checkpoint = Checkpoint(monitor=None, **only_weights)
    model = make(early_stopping=True, callbacks=[checkpoint]).fit(*digits)
    expected = [f"{i:02d}-{loss:.4f}.pt" for i, loss in enumerate(model.history_["valid_loss"], 1)]
    assert sorted(content(tmp_path)) == expected


def test_a_checkpoint_holds_the_weights_of_its_epoch(only_weights, digits, tmp_path):
    make(max_iter=4, callbacks=[Checkpoint(monitor=None, **only_weights)]).fit(*digits)
    saved = torch.load(tmp_path / "2.pt", weights_only=True)
    expected = make(max_iter=2).fit(*digits).module_.state_dict()
    assert saved.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(saved[name].float(), value)


def test_load_best_restores_the_weights_of_the_best_epoch(only_weights, digits):
    X, y = digits
    checkpoint = Checkpoint(monitor="valid_loss_best", load_best=True, **only_weights)
    options = {"solver": "sgd", "learning_rate_init": 0.5, "max_iter": 8}
    model = make(**options, callbacks=[checkpoint]).fit(X, y, X_val=X[:100], y_val=y[:100])
    best = int(np.argmin(model.history_["valid_loss"])) + 1
    assert best < 8
    expected = make(**{**options, "max_iter": best}).fit(X, y)
    assert_same(model.coefs_, expected.coefs_)


@pytest.mark.filterwarnings("error::skorch.exceptions.DeviceWarning")
@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop"])
@pytest.mark.parametrize("learning_rate", ["constant", "exponential"])
def test_a_resumed_training_ends_where_an_uninterrupted_one_does(
    learning_rate, solver, digits, tmp_path
):
    options = {"solver": solver, "learning_rate": learning_rate, "shuffle": False}
    whole = make(**options, max_iter=5).fit(*digits)
    checkpoint = Checkpoint(monitor=None, dirname=str(tmp_path))
    make(**options, max_iter=3, callbacks=[checkpoint]).fit(*digits)
    callbacks = [checkpoint, LoadInitState(checkpoint)]
    resumed = make(**options, max_iter=2, callbacks=callbacks).fit(*digits)
    assert_same(resumed.coefs_, whole.coefs_)
    assert resumed.loss_curve_ == whole.loss_curve_


def test_an_estimator_that_saved_checkpoints_is_picklable(only_weights, iris):
    X, y = iris
    checkpoint = Checkpoint(monitor=every_second_epoch, **only_weights)
    model = make(callbacks=[checkpoint]).fit(X, y)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
