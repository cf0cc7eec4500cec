"""Freezing layers, and starting from those of another network."""

import pickle
import sys

import joblib
import numpy as np
import pytest
import skorch
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sknn_basics import (
    Autoencoder,
    ConvAutoencoder,
    ConvNetClassifier,
    ConvNetRegressor,
    MLPClassifier,
    RNNAutoencoder,
    RNNClassifier,
    TextGenerator,
    VariationalConvAutoencoder,
)

OPTIONS = {"hidden_layer_sizes": (8, 6), "max_iter": 3, "dtype": "float32", "random_state": 0}


@pytest.fixture(scope="module")
def source(digits):
    """A network fitted to the digits below five."""
    X, y = digits
    return MLPClassifier(**OPTIONS).fit(X[y < 5], y[y < 5])


def weights(model, layer: str) -> np.ndarray:
    return getattr(model.module_, layer).weight.detach().numpy().copy()


# Starting from another network.


def through_path(source, folder):
    source.save_weights(folder / "weights.npz")
    return folder / "weights.npz"


WAYS = {
    "estimator": lambda source, folder: source,
    "frozen": lambda source, folder: FrozenEstimator(source),
    "pipeline": lambda source, folder: make_pipeline(MinMaxScaler(), source),
    "mapping": lambda source, folder: {
        name: value.numpy() for name, value in source.module_.state_dict().items()
    },
    "path": through_path,
}


@pytest.mark.parametrize("way", WAYS)
def test_all_layers_but_the_output_are_taken(way, source, digits, tmp_path):
    X, y = digits
    model = MLPClassifier(**OPTIONS, init_from=WAYS[way](source, tmp_path)).initialize(X, y)
    for layer in ("hidden1", "hidden2"):
        np.testing.assert_array_equal(weights(model, layer), weights(source, layer))
    assert weights(model, "output").shape == (10, 6)


def test_layers_to_take_are_chosen_by_name(source, digits):
    X, y = digits
    model = MLPClassifier(**OPTIONS, init_from=source, init_layers=["*2"]).initialize(X, y)
    fresh = MLPClassifier(**OPTIONS).initialize(X, y)
    np.testing.assert_array_equal(weights(model, "hidden2"), weights(source, "hidden2"))
    np.testing.assert_array_equal(weights(model, "hidden1"), weights(fresh, "hidden1"))


def test_a_frozen_estimator_survives_a_search(source, digits):
    X, y = digits
    model = MLPClassifier(**OPTIONS, init_from=FrozenEstimator(source), frozen_layers="hidden*")
    search = GridSearchCV(model, {"alpha": [0, 1]}, cv=2).fit(X, y)
    best = search.best_estimator_
    np.testing.assert_array_equal(weights(best, "hidden1"), weights(source, "hidden1"))


def test_an_estimator_that_clone_has_unfitted_is_an_error(source, digits):
    X, y = digits
    model = clone(MLPClassifier(**OPTIONS, init_from=source))
    with pytest.raises(ValueError, match="not fitted.*FrozenEstimator"):
        model.fit(X, y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"hidden_layer_sizes": (8, 7)},
            r"hidden2.weight is \(6, 8\) there, \(7, 8\) here; hidden2.bias is \(6,\)",
        ),
        ({"hidden_layer_sizes": (8,)}, r"hidden2.weight is \(6, 8\) there, missing here"),
        ({"hidden_layer_sizes": (8, 6, 5)}, r"hidden3.weight is missing there, \(5, 6\) here"),
        ({"init_layers": "*"}, r"output.weight is \(5, 6\) there, \(10, 6\) here"),
        ({"init_layers": "block*"}, r"'block\*' matches none of the layers \['hidden1'"),
    ],
)
def test_layers_that_do_not_match_are_named(options, message, source, digits):
    X, y = digits
    with pytest.raises(ValueError, match=message):
        MLPClassifier(**{**OPTIONS, **options}, init_from=source).fit(X, y)


def test_a_source_that_is_no_network_is_named(digits):
    X, y = digits
    with pytest.raises(ValueError, match="must be a neural estimator, got MinMaxScaler|predict"):
        MLPClassifier(init_from=FrozenEstimator(MinMaxScaler())).fit(X, y)


# Freezing.


def test_frozen_layers_keep_their_weights_and_others_learn(source, digits):
    X, y = digits
    model = MLPClassifier(**OPTIONS, frozen_layers="hidden1")
    before = clone(model).initialize(X, y)
    model.fit(X, y)
    np.testing.assert_array_equal(weights(model, "hidden1"), weights(before, "hidden1"))
    assert not np.array_equal(weights(model, "hidden2"), weights(before, "hidden2"))


def test_the_summary_counts_frozen_parameters(digits):
    X, y = digits
    summary = MLPClassifier(**OPTIONS, frozen_layers="hidden1").initialize(X, y).summary()
    assert summary.splitlines()[-1] == f"frozen parameters: {64 * 8 + 8}"


def test_a_penalty_and_a_largest_norm_leave_frozen_layers_alone(digits):
    X, y = digits
    model = MLPClassifier(**OPTIONS, frozen_layers="hidden1", alpha=10.0, max_norm=0.01)
    before = clone(model).initialize(X, y)
    np.testing.assert_array_equal(weights(model.fit(X, y), "hidden1"), weights(before, "hidden1"))


def test_frozen_batch_normalization_keeps_its_statistics(digits):
    X, y = digits
    model = ConvNetClassifier(
        filters=(4, 4), normalization="batch", max_iter=2, frozen_layers="block1*", random_state=0
    ).fit(X, y)
    norms = model.module_.block1_conv1_normalization, model.module_.block2_conv1_normalization
    assert torch.equal(norms[0].running_mean, torch.zeros_like(norms[0].running_mean))
    assert not torch.equal(norms[1].running_mean, torch.zeros_like(norms[1].running_mean))


def test_a_warm_start_thaws(source, digits):
    X, y = digits
    model = MLPClassifier(
        **OPTIONS, init_from=source, frozen_layers="hidden*", warm_start=True
    ).fit(X, y)
    np.testing.assert_array_equal(weights(model, "hidden1"), weights(source, "hidden1"))
    model.set_params(frozen_layers=None, learning_rate_init=1e-4).fit(X, y)
    assert not np.array_equal(weights(model, "hidden1"), weights(source, "hidden1"))
    assert all(parameter.requires_grad for parameter in model.module_.parameters())


def test_partial_fit_freezes_and_thaws_from_call_to_call(digits):
    X, y = digits
    model = MLPClassifier(**OPTIONS).partial_fit(X, y, classes=range(10))
    before = weights(model, "hidden1")
    model.set_params(frozen_layers="hidden1").partial_fit(X, y)
    np.testing.assert_array_equal(weights(model, "hidden1"), before)
    model.set_params(frozen_layers=None).partial_fit(X, y)
    assert not np.array_equal(weights(model, "hidden1"), before)


def test_a_pickle_goes_on_with_frozen_layers(digits):
    X, y = digits
    model = MLPClassifier(**OPTIONS, frozen_layers="hidden1").partial_fit(X, y, classes=range(10))
    loaded = pickle.loads(pickle.dumps(model))
    model.partial_fit(X, y)
    loaded.partial_fit(X, y)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert not loaded.module_.hidden1.weight.requires_grad


def test_a_failed_fit_leaves_frozen_what_was(digits):
    X, y = digits
    model = MLPClassifier(**OPTIONS, frozen_layers="hidden1", warm_start=True).fit(X, y)
    model.set_params(frozen_layers="hidden2", learning_rate_init=1e30, solver="sgd")
    with pytest.raises(ValueError, match="diverged"):
        model.fit(X, y)
    assert not model.module_.hidden1.weight.requires_grad
    assert model.module_.hidden2.weight.requires_grad


def test_stacked_fits_freeze_as_alone(digits):
    X, y = digits
    model = MLPClassifier(**OPTIONS, frozen_layers="hidden1")
    alone = cross_val_score(model, X, y, cv=3)
    with joblib.parallel_config(backend="stacked"):
        np.testing.assert_array_equal(cross_val_score(model, X, y, cv=3), alone)


@pytest.mark.parametrize(
    ("patterns", "message"),
    [("block*", "matches none of the layers"), ("*", "leaves no layer to train")],
)
def test_patterns_that_freeze_nothing_or_all_raise(patterns, message, digits):
    X, y = digits
    with pytest.raises(ValueError, match=message):
        MLPClassifier(**OPTIONS, frozen_layers=patterns).fit(X, y)


# Weights of others: files, state dicts, autoencoders.


def backbone():
    """Two layers of digits, as bare torch names them."""
    return torch.nn.Sequential(torch.nn.Linear(64, 8), torch.nn.ReLU(), torch.nn.Linear(8, 6))


RENAMED = {"0": "hidden1", "2": "hidden2"}


def skorch_checkpoint(module, folder):
    checkpoint = skorch.callbacks.Checkpoint(monitor=None, dirname=folder)
    net = skorch.NeuralNet(module, torch.nn.MSELoss, lr=0, train_split=None, max_epochs=1)
    net.set_params(callbacks=[checkpoint], verbose=0)
    net.fit(np.zeros((4, 64), np.float32), np.zeros((4, 6), np.float32))
    return folder / "params.pt"


def saved(content, folder, name="weights.pth"):
    torch.save(content, folder / name)
    return str(folder / name)


OTHERS = {
    "state dict": lambda module, folder: module.state_dict(),
    "parameters": lambda module, folder: dict(module.named_parameters()),
    "half precision": lambda module, folder: module.bfloat16().state_dict(),
    "pth": lambda module, folder: saved(module.state_dict(), folder),
    "checkpoint": lambda module, folder: saved(
        {"epoch": 3, "model": module.state_dict(), "loss": 0.1}, folder
    ),
    "legacy file": lambda module, folder: (
        torch.save(module.state_dict(), folder / "old.pt", _use_new_zipfile_serialization=False)
        or folder / "old.pt"
    ),
    "skorch checkpoint": skorch_checkpoint,
    "skorch net": lambda module, folder: skorch.NeuralNet(module, torch.nn.MSELoss).initialize(),
}


@pytest.mark.parametrize("way", OTHERS)
def test_weights_of_others_are_read(way, digits, tmp_path):
    module = backbone()
    source = OTHERS[way](module, tmp_path)
    model = MLPClassifier(**OPTIONS, init_from=source, init_layers=RENAMED).initialize(*digits)
    if way == "skorch net":
        module = source.module_
    for there, here in RENAMED.items():
        layer = module[int(there)]
        np.testing.assert_array_equal(weights(model, here), layer.weight.detach().float())
        np.testing.assert_array_equal(
            getattr(model.module_, here).bias.detach(), layer.bias.detach().float()
        )


def test_safetensors_are_read_where_the_package_is(digits, tmp_path, monkeypatch):
    module, path = backbone(), tmp_path / "weights.safetensors"
    path.touch()
    model = MLPClassifier(**OPTIONS, init_from=path, init_layers=RENAMED)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(ImportError, match="needs safetensors, which the extra 'safetensors'"):
        clone(model).fit(*digits)
    monkeypatch.undo()
    safetensors = pytest.importorskip("safetensors.torch")
    safetensors.save_file(module.state_dict(), path)
    fitted = model.initialize(*digits)
    np.testing.assert_array_equal(weights(fitted, "hidden1"), module[0].weight.detach())


def test_a_beginning_stands_for_all_layers_below_it(digits):
    X, y = digits
    given = torch.nn.ModuleDict({"net": torch.nn.ModuleDict({"body": backbone()})})
    model = MLPClassifier(
        module=backbone(), init_from=given.state_dict(), init_layers={"net.body.": "module"}
    ).initialize(X, y)
    for own, other in zip(model.module_.module.parameters(), given.parameters(), strict=True):
        assert torch.equal(own.float(), other)


def test_any_beginning_leaves_the_output_out(source, digits):
    X, y = digits
    model = MLPClassifier(**OPTIONS, init_from=source, init_layers={"": ""}).initialize(X, y)
    np.testing.assert_array_equal(weights(model, "hidden2"), weights(source, "hidden2"))
    few = y < 5
    whole = MLPClassifier(
        **OPTIONS, init_from=source, init_layers={"hidden1": "hidden1", "output": "output"}
    ).initialize(X[few], y[few])
    np.testing.assert_array_equal(weights(whole, "output"), weights(source, "output"))
    np.testing.assert_array_equal(
        whole.module_.output.bias.detach(), source.module_.output.bias.detach()
    )


@pytest.mark.parametrize(
    ("init_layers", "message"),
    [
        ({"1": "hidden1"}, r"no layer of init_from begins with '1', its layers are \['0', '2'\]"),
        ({"0": "hidden2"}, r"hidden2.weight is \(8, 64\) there, \(6, 8\) here"),
        ({"0": "hidden3"}, r"hidden3.weight is \(8, 64\) there, missing here"),
        ({"0": "hidden1", "2": "hidden1.x"}, r"hidden1.x.weight is \(6, 8\) there, missing here"),
        (
            {"0": "hidden1", "2": "hidden1"},
            "gives two layers of init_from the name 'hidden1.weight'",
        ),
        (None, r"hidden1.weight is missing there, \(8, 64\) here.*0.weight is \(8, 64\) there"),
        ({"0": "hidden1", "2": "x"}, "hidden1 would match"),
    ],
)
def test_what_fits_and_what_does_not_is_named(init_layers, message, digits):
    model = MLPClassifier(**OPTIONS, init_from=backbone().state_dict(), init_layers=init_layers)
    with pytest.raises(ValueError, match=message):
        model.fit(*digits)


def test_layers_that_get_nothing_are_named_where_their_beginning_is_asked_for(digits):
    state = {name: value for name, value in backbone().state_dict().items() if "2" not in name}
    model = MLPClassifier(module=backbone(), init_from=state, init_layers={"": "module"})
    with pytest.raises(ValueError, match=r"module.2.weight is missing there, \(6, 8\) here"):
        model.fit(*digits)


def test_old_files_may_lack_the_count_of_batches(digits):
    module = torch.nn.Sequential(torch.nn.Linear(64, 4), torch.nn.BatchNorm1d(4))
    state = module.state_dict()
    del state["1.num_batches_tracked"]
    model = MLPClassifier(module=module, init_from=state, init_layers={"": "module"}, max_iter=1)
    assert model.fit(*digits).n_outputs_ == 10


class Unsafe:
    def __reduce__(self):
        return print, ("code of a file was run",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (Unsafe(), "cannot be read as weights"),
        ({"a": {"w": torch.ones(1)}, "b": {"w": torch.ones(1)}}, r"\['a', 'b'\] could be meant"),
        ({"epoch": 3}, r"it holds \['epoch'\]"),
        (torch.ones(3), "it holds Tensor"),
    ],
)
def test_files_that_hold_no_weights_are_named(content, message, digits, tmp_path, capsys):
    model = MLPClassifier(init_from=saved(content, tmp_path))
    with pytest.raises(ValueError, match=message):
        model.fit(*digits)
    assert "code of a file" not in capsys.readouterr().out


AUTOENCODERS = {
    "conv": (
        ConvAutoencoder(filters=(4, 6), max_iter=1, random_state=0),
        ConvNetClassifier(filters=(4, 6), max_iter=1, random_state=1),
    ),
    "variational": (
        VariationalConvAutoencoder(filters=(4, 6), latent_filters=3, max_iter=1, random_state=0),
        ConvNetRegressor(filters=(4, 6), max_iter=1, random_state=1),
    ),
    "dense": (
        Autoencoder((8, 6), max_iter=1, random_state=0),
        MLPClassifier((8, 6), max_iter=1, random_state=1),
    ),
    "recurrent": (
        RNNAutoencoder((6,), n_components=3, max_iter=1, random_state=0),
        RNNClassifier((6,), max_iter=1, random_state=1),
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", AUTOENCODERS)
def test_a_network_begins_with_the_encoder_of_an_autoencoder(family, digits, tmp_path):
    X, y = digits[0][:60] / 16, digits[1][:60]
    X = X if family == "dense" else X.reshape(-1, 8, 8)
    autoencoder, model = AUTOENCODERS[family]
    autoencoder = clone(autoencoder).fit(X)
    autoencoder.save_weights(tmp_path / "weights")
    encoder = getattr(autoencoder.module_.encoder, "reader", autoencoder.module_.encoder)
    for init_from in (FrozenEstimator(autoencoder), tmp_path / "weights"):
        first = clone(model).set_params(init_from=init_from).initialize(X, y).module_
        drawn = clone(model).initialize(X, y).module_.state_dict()
        shared = [n for n in drawn if n in encoder.state_dict() and not n.startswith("output")]
        assert len(shared) >= 3
        for name, value in first.state_dict().items():
            expected = encoder.state_dict()[name] if name in shared else drawn[name]
            assert torch.equal(value, expected.to(value.dtype)) or name == "output.bias"


def test_blocks_that_differ_from_an_autoencoders_are_named(digits):
    images = digits[0][:60].reshape(-1, 8, 8) / 16
    autoencoder = ConvAutoencoder(filters=(4, 6), max_iter=1).initialize(images)
    model = ConvNetClassifier(filters=(4, 5), init_from=autoencoder)
    words = r"block2_conv1.weight is \(6, 4, 3, 3\) there, \(5, 4, 3, 3\) here.*block1_conv1 would"
    with pytest.raises(ValueError, match=words):
        model.fit(images, digits[1][:60])


# Vectors of words.

TEXT = "the cat sat on the mat and the dog sat on the cat " * 4
VECTORS = {"cat": [1.0, 2.0, 3.0], "dog": [4.0, 5.0, 6.0], "bird": [0.0, 0.0, 0.0]}
VECTORS = {word: np.array(vector) for word, vector in VECTORS.items()}


def test_words_begin_with_their_vectors():
    options = {"level": "word", "window": 5, "hidden_layer_sizes": (4,), "random_state": 0}
    drawn = TextGenerator(**options, embedding_size=3).initialize(TEXT)
    model = TextGenerator(**options, embedding=VECTORS).initialize(TEXT)
    for token, number in model.vocabulary_.items():
        expected = VECTORS.get(token, drawn.module_.embedding.weight.detach()[number].numpy())
        np.testing.assert_allclose(model.module_.embedding.weight.detach()[number], expected)
    frozen = model.set_params(frozen_layers="embedding", max_iter=1).fit(TEXT)
    np.testing.assert_allclose(
        frozen.module_.embedding.weight.detach()[model.vocabulary_["dog"]], VECTORS["dog"]
    )
    loaded = pickle.loads(pickle.dumps(frozen))
    assert loaded.generate(length=5, random_state=0) == frozen.generate(length=5, random_state=0)


def test_an_array_of_vectors_has_the_order_of_the_vocabulary():
    words = ["on", "the", "cat", "sat", "mat", "and", "dog"]
    rows = np.random.RandomState(0).rand(7, 3)
    model = TextGenerator("word", vocabulary=words, embedding=rows, window=5).initialize(TEXT)
    numbers = [model.vocabulary_[word] for word in words]
    np.testing.assert_allclose(model.module_.embedding.weight.detach()[numbers], rows, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"embedding": np.ones((3, 2))},
            r"embedding of shape \(3, 2\) .* vocabulary, which is None",
        ),
        (
            {"embedding": np.ones((3, 2)), "vocabulary": ["the", "cat"]},
            r"one row for each token of vocabulary, which has 2",
        ),
        ({"embedding": {"bird": np.ones(2)}}, "a vector for none of the tokens"),
        ({"embedding": {"cat": np.ones(2), "dog": np.ones(3)}}, r"of 'dog' it has shape \(3,\)"),
        ({"embedding": {"cat": np.array([1, np.nan])}}, "as many finite numbers"),
        ({"embedding": VECTORS, "embedding_size": 5}, "embedding_size=5 is not the width .* 3"),
    ],
)
def test_vectors_that_do_not_fit_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        TextGenerator("word", **options).fit(TEXT)
