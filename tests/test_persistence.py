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
from sknn_basics import (
    GAN,
    Autoencoder,
    ConvAutoencoder,
    ConvGAN,
    ConvNetClassifier,
    ConvNetRegressor,
    MLPClassifier,
    MLPRegressor,
    RNNAutoencoder,
    RNNClassifier,
    RNNRegressor,
    TextGenerator,
    VariationalAutoencoder,
    VariationalConvAutoencoder,
    architectures,
    from_json,
)

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


# Of each family: an estimator, its data from images and labels, and what it predicts.
SMALL = {"max_iter": 2, "random_state": 0}
FAMILIES = {
    "MLPClassifier": (MLPClassifier((6,), **SMALL), lambda X, y: (X, y)),
    "labels": (MLPClassifier((6,), **SMALL), lambda X, y: (X, np.eye(10, dtype=int)[y])),
    "probabilities": (
        MLPClassifier((6,), loss="cross_entropy", label_smoothing=0.1, **SMALL),
        lambda X, y: (X, np.eye(10)[y]),
    ),
    "MLPRegressor": (MLPRegressor(hidden_layer_sizes=(6,), **SMALL), lambda X, y: (X, X[:, :2])),
    "counts": (MLPRegressor("poisson", (6,), **SMALL), lambda X, y: (X, y)),
    "ConvNetClassifier": (
        ConvNetClassifier(((3, 4), 4), (5,), kernel_size=((3, 5), 3), **SMALL),
        lambda X, y: (X.reshape(-1, 8, 8), y),
    ),
    "ConvNetRegressor": (
        ConvNetRegressor(filters=(3,), padding=(1,), hidden_layer_sizes=(5,), **SMALL),
        lambda X, y: (X, y),
    ),
    "RNNClassifier": (
        RNNClassifier((4,), bidirectional=True, **SMALL),
        lambda X, y: (X.reshape(-1, 8, 8), y),
    ),
    "steps": (
        RNNClassifier((4,), class_weight={0: 1.0, 1: 2.0}, **SMALL),
        lambda X, y: (X.reshape(-1, 8, 8), (X.reshape(-1, 8, 8).sum(2) > 3).astype(int)),
    ),
    "frames": (
        RNNClassifier((4,), filters=(2,), **SMALL),
        lambda X, y: (np.stack(2 * [X.reshape(-1, 8, 8)], axis=1), y),
    ),
    "stateful": (
        RNNClassifier((4,), stateful=True, batch_size=30, shuffle=False, **SMALL),
        lambda X, y: (X.reshape(-1, 8, 8), y),
    ),
    "RNNRegressor": (
        RNNRegressor(hidden_layer_sizes=(4,), **SMALL),
        lambda X, y: (X.reshape(-1, 8, 8), X[:, :2]),
    ),
    "Autoencoder": (
        Autoencoder((6,), 3, noise="gaussian", sparsity=0.1, **SMALL),
        lambda X, y: (X,),
    ),
    "VariationalAutoencoder": (
        VariationalAutoencoder((6,), n_components=3, beta=2.0, **SMALL),
        lambda X, y: (X,),
    ),
    "ConvAutoencoder": (
        ConvAutoencoder((3, 4), 3, **SMALL),
        lambda X, y: (X.reshape(-1, 8, 8),),
    ),
    "VariationalConvAutoencoder": (
        VariationalConvAutoencoder((3, 4), n_components=3, **SMALL),
        lambda X, y: (X.reshape(-1, 8, 8),),
    ),
    "RNNAutoencoder": (RNNAutoencoder((4,), 3, **SMALL), lambda X, y: (X.reshape(-1, 8, 8),)),
    "GAN": (GAN(average_decay=0.9, batch_variety=True, **SMALL), lambda X, y: (X, y)),
    "ConvGAN": (
        ConvGAN((3, 4), n_components=3, spectral_normalization=True, **SMALL),
        lambda X, y: (X.reshape(-1, 8, 8),),
    ),
    "growing": (
        ConvGAN((3, 4), n_components=3, grow=(4, 8), **SMALL),
        lambda X, y: (X.reshape(-1, 8, 8),),
    ),
    "TextGenerator": (
        TextGenerator(hidden_layer_sizes=(4,), window=9, **SMALL),
        lambda X, y: ("the quick brown fox jumps over the lazy dog. " * 5,),
    ),
}


@pytest.fixture(params=FAMILIES)
def fitted(request, digits):
    """Fitted estimator of a family, and its data."""
    estimator, make_data = FAMILIES[request.param]
    data = make_data(*(array[:120] for array in digits))
    return clone(estimator).fit(*data), data


def outputs(model, data) -> np.ndarray:
    if isinstance(model, TextGenerator):
        return model.predict_proba([data[0][:20]])
    names = "predict_proba", "predict", "transform", "score_samples"
    name = next(n for n in names if hasattr(model, n))
    if getattr(model, "stateful", False):
        model.reset_states()
    return getattr(model, name)(data[0])


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


@pytest.mark.parametrize("way", ["pickle", "deepcopy", "cloudpickle"])
def test_a_net_that_went_on_is_picklable_and_goes_on(way, digits):
    X, y = digits
    model = make(solver="sgd", momentum=0.9, max_norm=1.0)
    for _ in range(3):
        model.partial_fit(X, y, classes=range(10))
    net = WAYS[way](model.net_, None)
    before = [weight.detach().clone() for weight in net.module_.parameters()]
    np.testing.assert_array_equal(net.predict_proba(X), model.net_.predict_proba(X))
    for own in (net, model.net_):
        own.partial_fit(X, y)
    for a, b, c in zip(net.module_.parameters(), model.net_.module_.parameters(), before):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


def test_the_net_of_each_family_is_picklable_after_all_ways_to_go_on(fitted):
    model, data = fitted
    for _ in range(2):
        model.partial_fit(*data)
        pickle.loads(pickle.dumps(model.net_))
    model.set_params(warm_start=True).fit(*data)
    net = pickle.loads(pickle.dumps(model.net_))
    for own, other in zip(net.parameters_, model.net_.parameters_, strict=True):
        assert torch.equal(own, other)
    assert net.trains_the_same()


@pytest.mark.parametrize("solver", ["adam", "adamw"])
def test_a_net_is_saved_with_one_copy_of_its_weights(solver, iris):
    model = make(solver=solver, hidden_layer_sizes=(200, 200), dtype="float32")
    model.partial_fit(*iris, classes=range(3))
    # Weights, and two moments, in single precision.
    assert len(pickle.dumps(model.net_)) < 3 * 4 * model.n_parameters_ + 30_000


# What is changed after a fit.

CHANGES = {
    "loss": [
        *("squared_error", "absolute_error", "huber", "poisson", "log_loss", "cross_entropy"),
        *("auto", "binary_cross_entropy"),
    ],
    "out_activation": ["identity", "logistic"],
    "solver": ["lbfgs", "sgd", torch.optim.SGD],
    "dtype": ["float64", "float32"],
    "hidden_layer_sizes": [(3, 3), 2],
    "class_weight": [None, "balanced"],
    **{name: [0.0, 0.5] for name in ("alpha", "sparsity", "beta", "label_smoothing", "dropout")},
    **{name: [1.0, None] for name in ("clip_grad_norm", "max_norm")},
    **{name: [None, 7] for name in ("filters", "n_components", "n_steps_out", "batch_size")},
    **{
        name: [True, False]
        for name in ("stateful", "shuffle", "compile", "cuda_graphs", "bidirectional")
    },
    "callbacks": [None, [CountEpochs()]],
}


def test_a_model_whose_parameters_were_changed_loads_as_it_was_fitted(fitted):
    model, data = fitted
    expected = outputs(model, data)
    changes = [(k, value) for k in CHANGES if k in model.get_params() for value in CHANGES[k]]
    for name, value in changes:
        changed = copy.deepcopy(model).set_params(**{name: value})
        # Twice, as what a loaded model was fitted with is known too.
        loaded = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(changed))))
        assert getattr(loaded, name) == value or name == "callbacks"
        np.testing.assert_array_equal(outputs(loaded, data), expected)
        assert describe_loss(loaded.net_.criterion_) == describe_loss(model.net_.criterion_)


def describe_loss(loss) -> tuple:
    options = {name: value for name, value in vars(loss).items() if name[0] != "_"}
    return type(loss), options, [describe_loss(child) for child in loss.children()]


def test_architecture_of_a_model_whose_loss_was_changed_is_that_of_the_fit(digits, tmp_path):
    X, _ = digits
    model = Autoencoder((6,), 3, **SMALL).fit(X).set_params(loss="squared_error", sparsity=0.1)
    model.save_weights(tmp_path / "weights.npz")
    rebuilt = from_json(model.to_json()).load_weights(tmp_path / "weights.npz")
    assert rebuilt.loss == "squared_error"
    np.testing.assert_array_equal(rebuilt.transform(X), model.transform(X))
    assert describe_loss(rebuilt.net_.criterion_) == describe_loss(model.net_.criterion_)


def test_a_model_of_an_unknown_kind_of_device_loads_on_the_cpu(iris):
    X, _ = iris
    model = make().fit(*iris)
    expected = model.predict_proba(X)
    with pytest.warns(UserWarning, match="No device '7' here"):
        loaded = pickle.loads(pickle.dumps(model.set_params(device=7)))
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)


# Modules as parameters.


def backbone(n_filters=32) -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, n_filters, 3),
        torch.nn.BatchNorm2d(n_filters),
        torch.nn.ReLU(),
        torch.nn.Conv2d(n_filters, n_filters, 3),
    )


def with_backbone(**parameters):
    fixed = {"hidden_layer_sizes": (), "frozen_layers": "features*", "solver": "sgd", **SMALL}
    return ConvNetClassifier(**{"features": backbone(), **fixed, **parameters})


@pytest.mark.parametrize("kind", [MLPClassifier, ConvNetClassifier, RNNClassifier])
def test_a_model_that_was_saved_before_a_parameter_was_added_loads(kind, digits):
    X, y = digits[0][:50], digits[1][:50]
    model = kind(max_iter=1).fit(X, y)
    state = model.__getstate__()
    for name in ("average_decay", "layer_rates", "max_time"):
        del state[name]
    loaded = kind.__new__(kind)
    loaded.__setstate__(state)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert loaded.get_params() == model.get_params()
    assert loaded.set_params(warm_start=True).fit(X, y).n_iter_ == 1


@pytest.mark.parametrize("frozen_layers", ["features*", None])
@pytest.mark.parametrize("way", WAYS)
def test_a_model_with_a_module_goes_on_the_same_when_loaded(way, frozen_layers, digits, tmp_path):
    X, y = digits[0][:200].reshape(-1, 8, 8), digits[1][:200]
    scaling = torch.nn.Sequential(torch.nn.BatchNorm2d(1))
    model = with_backbone(frozen_layers=frozen_layers, preprocessing=scaling).fit(X, y)
    loaded = WAYS[way](model, tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    for own in (model, loaded):
        own.set_params(warm_start=True).fit(X, y)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    # What was given stays as it was: a new fit begins there.
    np.testing.assert_array_equal(
        loaded.set_params(warm_start=False).fit(X, y).predict_proba(X),
        clone(model).set_params(warm_start=False).fit(X, y).predict_proba(X),
    )


def test_a_frozen_module_is_saved_once(digits):
    X, y = digits[0][:50], digits[1][:50]
    model = with_backbone(features=backbone(200)).fit(X, y)
    size = 4 * sum(p.numel() for p in model.features.parameters())
    assert size < len(pickle.dumps(model)) - 3 * 4 * len(model.module_.output.weight) < 1.3 * size


def test_a_module_is_restored_with_its_types_and_shared_tensors():
    module = backbone().to(torch.bfloat16)
    module[0].weight.requires_grad_(False)
    module.add_module("4", torch.nn.Conv2d(32, 32, 3))
    module[4].weight = module[3].weight
    module[1].register_buffer("hidden", torch.arange(3), persistent=False)
    loaded = pickle.loads(pickle.dumps(with_backbone(features=module))).features
    assert loaded[4].weight is loaded[3].weight
    assert loaded.state_dict().keys() == module.state_dict().keys()
    assert torch.equal(loaded[1].hidden, torch.arange(3))
    for a, b in zip(loaded.parameters(), module.parameters(), strict=True):
        assert torch.equal(a, b)
        assert (a.dtype, a.requires_grad) == (b.dtype, b.requires_grad)


def test_skops_needs_to_trust_a_modules_own_classes(digits):
    model = with_backbone().fit(digits[0][:50], digits[1][:50])
    untrusted = skops.io.get_untrusted_types(data=skops.io.dumps(model))
    assert untrusted == [
        "sknn_basics.estimators.convolutional.ConvNetClassifier",
        "sknn_basics.training.saving.SavedModule",
        "torch.nn.modules.activation.ReLU",
        "torch.nn.modules.batchnorm.BatchNorm2d",
        "torch.nn.modules.container.Sequential",
        "torch.nn.modules.conv.Conv2d",
    ]


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


@pytest.mark.parametrize(
    ("saved", "loading"),
    [("1.2.3", "1.0.0"), ("1.0.0", "1.12.0.dev0"), ("2.0", "2.1.5"), ("0.3.1", "0.3.0")],
)
def test_a_model_of_another_minor_version_loads_silently(saved, loading, iris, monkeypatch):
    state = {**make().fit(*iris).__getstate__(), "_sknn_basics_version": saved}
    monkeypatch.setattr(sknn_basics, "__version__", loading)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert restore(state).n_iter_ == 3


@pytest.mark.parametrize(
    ("saved", "loading"), [("0.9.0", "0.1.0"), ("0.1.0", "0.2.0.dev0"), ("0.9", "1.0")]
)
def test_below_one_a_minor_version_breaks(saved, loading, iris, digits, monkeypatch):
    state = {**make().fit(*iris).__getstate__(), "_sknn_basics_version": saved}
    decoder = Autoencoder((6,), 3, **SMALL).fit(digits[0][:50]).extract_decoder()
    monkeypatch.setattr(sknn_basics, "__version__", loading)
    with pytest.warns(UserWarning, match=f"MLPClassifier was saved by version {saved}"):
        restore(state)
    with pytest.warns(UserWarning, match=f"Decoder was saved by version {saved}"):
        decoder.__setstate__({**decoder.__getstate__(), "sknn_basics_version": saved})


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


def through_text(model, folder):
    model.save_weights(folder / "weights.npz")
    return from_json(model.to_json()).load_weights(folder / "weights.npz")


def test_each_family_goes_on_from_text_and_weights(fitted, tmp_path):
    model, data = fitted
    rebuilt = through_text(model, tmp_path)
    np.testing.assert_array_equal(outputs(rebuilt, data), outputs(model, data))
    assert repr(rebuilt) == repr(model)
    assert rebuilt.get_params() == model.get_params()
    for own in (model, rebuilt):
        own.set_params(warm_start=True).fit(*data)
    np.testing.assert_allclose(outputs(rebuilt, data), outputs(model, data), rtol=1e-5)
    before = outputs(rebuilt, data)
    assert np.abs(outputs(rebuilt.partial_fit(*data), data) - before).max() > 0


ARCHITECTURES = {
    name: dict(value)
    for name, value in vars(architectures).items()
    if name in architectures.__all__ and not callable(value)
}
ARCHITECTURES["vgg16"] = architectures.vgg16(width=1 / 64)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_each_architecture_goes_on_from_text_and_weights(name, digits, tmp_path):
    parameters = {**ARCHITECTURES[name], "max_iter": 1, "batch_size": 10, "random_state": 0}
    images, y = digits[0][:20].reshape(-1, 8, 8), digits[1][:20]
    data = (images, y)
    if "n_components" in parameters:
        model, data = ConvAutoencoder(**parameters), (images,)
    elif name == "vgg16":
        data = (np.zeros((20, 32, 32, 3), dtype=np.uint8), y)
        model = ConvNetClassifier(**parameters)
    else:
        model = ConvNetClassifier(**parameters)
    rebuilt = through_text(model.fit(*data), tmp_path)
    for own in (model, rebuilt):
        own.set_params(warm_start=True).fit(*data)
    np.testing.assert_allclose(outputs(rebuilt, data), outputs(model, data), rtol=1e-3, atol=1e-5)
    rebuilt.partial_fit(*data)


def test_tuples_and_lists_survive_text():
    value = {"blocks": [(1, (2, [3])), ()], (1, 2): None}
    model = from_json(make(class_weight=value).to_json())
    assert model.class_weight == value
    assert model.hidden_layer_sizes == (20, 10)


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
