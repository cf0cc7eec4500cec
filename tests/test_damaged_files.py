"""Files that one does not trust: an error that says where, or the right model."""

import json
import random
import warnings
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
import skops.io
import torch
from sklearn.base import clone

import sknn_basics
from sknn_basics import (
    ConvNetClassifier,
    MLPClassifier,
    RNNClassifier,
    TabularClassifier,
    TextGenerator,
    VariationalAutoencoder,
    from_json,
)
from sknn_basics.agents import QLearningAgent
from sknn_basics.training.checkpoints import TrainingCheckpoint

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def model(iris):
    return MLPClassifier((5, 5), random_state=0, max_iter=3, early_stopping=True).fit(*iris)


# Damages of all kinds.


def flip(content: bytes, draw) -> bytes:
    place = draw.randrange(len(content))
    return (
        content[:place] + bytes([content[place] ^ (1 << draw.randrange(8))]) + content[place + 1 :]
    )


def overwrite(content: bytes, draw) -> bytes:
    place, n = draw.randrange(len(content)), draw.randrange(1, 9)
    return content[:place] + draw.randbytes(n) + content[place + n :]


def truncate(content: bytes, draw) -> bytes:
    return content[: draw.randrange(len(content))]


def lengthen(content: bytes, draw) -> bytes:
    place = draw.randrange(len(content) + 1)
    return content[:place] + draw.randbytes(draw.randrange(1, 9)) + content[place:]


def exchange(content: bytes, draw) -> bytes:
    a, b, c, d = sorted(draw.randrange(len(content)) for _ in range(4))
    return content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]


DAMAGES = (flip, flip, overwrite, truncate, lengthen, exchange)


def each_damaged(content: bytes, n: int):
    draw = random.Random(0)
    for _ in range(n):
        damaged = draw.choice(DAMAGES)(content, draw)
        if damaged != content:
            yield damaged


each_number = pytest.mark.parametrize("n", [200, pytest.param(2000, marks=pytest.mark.slow)])


@each_number
def test_damaged_weights_are_refused_or_right(n, model, iris, tmp_path):
    path = tmp_path / "weights.npz"
    model.save_weights(path)
    content, expected = path.read_bytes(), model.predict_proba(iris[0])
    n_refused = 0
    for damaged in each_damaged(content, n):
        path.write_bytes(damaged)
        for read in (model.load_weights, lambda path: init_from(path, iris)):
            try:
                read(path)
            except ValueError as error:
                n_refused += str(path) in str(error)
        np.testing.assert_array_equal(model.predict_proba(iris[0]), expected)
    assert n_refused > n


def init_from(path, data) -> None:
    model = MLPClassifier((5, 5), max_iter=1, init_from=path, learning_rate_init=1e-30)
    model.initialize(*data)


@each_number
def test_damaged_texts_are_refused_or_right(n, model):
    text, n_refused = model.to_json(), 0
    for damaged in each_damaged(text.encode(), n):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of another version
            try:
                read = from_json(damaged.decode(errors="replace"))
            except ValueError:
                n_refused += 1
                continue
        assert read.get_params() == model.get_params()
        assert json.loads(read.to_json()) == json.loads(text)
    assert n_refused > 0.8 * n


@each_number
def test_damaged_checkpoints_are_refused_or_right(n, iris, tmp_path):
    checkpoint = TrainingCheckpoint(tmp_path)
    model = MLPClassifier((5, 5), random_state=0, max_iter=3, early_stopping=True)
    model.set_params(callbacks=[checkpoint]).fit(*iris)
    (path,) = tmp_path.iterdir()
    content, n_refused = path.read_bytes(), 0
    for damaged in each_damaged(content, n):
        path.write_bytes(damaged)
        try:
            read = checkpoint.restore(clone(model))
        except ValueError as error:
            n_refused += str(path) in str(error)
            continue
        np.testing.assert_array_equal(read.predict_proba(iris[0]), model.predict_proba(iris[0]))
    assert n_refused > 0.8 * n


def test_a_fit_does_not_go_on_from_a_damaged_checkpoint(iris, tmp_path):
    model = MLPClassifier((5,), max_iter=3, callbacks=[TrainingCheckpoint(tmp_path)]).fit(*iris)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"damaged"):
        model.fit(*iris)


# Weights.


def write_archive(path, arrays: dict, compression=0) -> None:
    with ZipFile(path, "w", compression) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array)


@pytest.fixture
def arrays(model):
    return {name: value.numpy() for name, value in model.module_.state_dict().items()}


def first(arrays: dict, change) -> dict:
    name = next(iter(arrays))
    return {**arrays, name: change(arrays[name])}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: np.where(np.eye(*a.shape), np.nan, a), "not finite"),
        (lambda a: a + np.inf, "not finite"),
        (lambda a: a + 0j, "complex128, not real numbers"),
        (lambda a: a.astype(str), "not real numbers"),
    ],
)
@pytest.mark.parametrize("way", ["load_weights", "init_from"])
def test_weights_that_are_no_finite_numbers_are_refused(
    way, change, message, model, arrays, iris, tmp_path
):
    path = tmp_path / "weights.npz"
    write_archive(path, first(arrays, change))
    before = model.predict_proba(iris[0])
    with pytest.raises(ValueError, match=message):
        model.load_weights(path) if way == "load_weights" else init_from(path, iris)
    np.testing.assert_array_equal(model.predict_proba(iris[0]), before)


@pytest.mark.parametrize("way", ["load_weights", "init_from"])
def test_an_archive_that_would_expand_is_not_read(way, model, iris, tmp_path, monkeypatch):
    path = tmp_path / "weights.npz"
    write_archive(path, {"hidden1.weight": np.zeros((2**13, 2**11))}, ZIP_DEFLATED)
    assert path.stat().st_size < 2**18
    monkeypatch.setattr(ZipFile, "read", None)
    with pytest.raises(ValueError, match="do not fit the network|expands to more"):
        model.load_weights(path) if way == "load_weights" else init_from(path, iris)


def test_exchanged_members_of_an_archive_are_noticed(model, arrays, tmp_path):
    path, other = tmp_path / "weights.npz", tmp_path / "exchanged.npz"
    model.save_weights(path)
    pair = [name for name in arrays if arrays[name].shape == (5,)][:2]
    exchanged = {**arrays, pair[0]: arrays[pair[1]], pair[1]: arrays[pair[0]]}
    write_archive(other, exchanged)
    with ZipFile(path) as own, ZipFile(other, "a") as changed:
        changed.comment = own.comment
    with pytest.raises(ValueError, match="checksum is another one"):
        model.load_weights(other)


def test_archives_of_numpy_are_read(model, arrays, iris, tmp_path):
    expected = model.predict_proba(iris[0])
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "weights.npz", **arrays)
        np.testing.assert_array_equal(
            model.load_weights(tmp_path / "weights.npz").predict_proba(iris[0]), expected
        )
    model.save_weights(tmp_path / "own.npz")
    with np.load(tmp_path / "own.npz") as read:
        assert set(read) == set(arrays)


def test_other_files_are_named(model, tmp_path):
    path = tmp_path / "model.pt"
    torch.save(model.module_.state_dict(), path)
    with pytest.raises(ValueError, match=r"model.pt' cannot be read as weights"):
        model.load_weights(path)
    with pytest.raises(FileNotFoundError):
        model.load_weights(tmp_path / "missing.npz")


# Texts.


def edited(model, **changes) -> str:
    content = json.loads(model.to_json())
    del content["checksum"]
    for name, change in changes.items():
        content[name] = change(content[name])
    return json.dumps(content)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fitted": lambda f: {**f, "predict": 1}}, r"'fitted' has \['predict'\]"),
        ({"fitted": lambda f: {**f, "__class__": 1}}, "__class__"),
        ({"parameters": lambda p: {**p, "wide": 1}}, r"'parameters' has \['wide'\]"),
        ({"parameters": lambda p: []}, "'parameters' must have names"),
        ({"parameters": lambda p: {**p, "alpha": "a"}}, "'alpha' parameter"),
        ({"fitted": lambda f: {}}, "_structure_"),
        ({"fitted": lambda f: {**f, "_structure_": 3}}, "describes no MLPClassifier"),
        (
            {"fitted": lambda f: {**f, "classes_": {"values": ["a"], "dtype": "V1000000000"}}},
            "cannot have dtype",
        ),
    ],
)
def test_a_text_with_anything_else_is_refused(changes, message, model):
    with pytest.raises(ValueError, match=message):
        from_json(edited(model, **changes))


def test_a_text_of_a_network_larger_than_the_memory_is_refused(model):
    def widen(fitted):
        structure = json.loads(json.dumps(fitted["_structure_"]).replace("5", "10000000"))
        return {**fitted, "_structure_": structure}

    with pytest.raises(ValueError, match="GiB, more than there is"):
        from_json(edited(model, fitted=widen))


@pytest.mark.parametrize("text", ["[" * 100_000, "", "nonsense", '{"estimator": ', "\ufffd"])
def test_a_text_that_is_no_json_is_refused(text):
    with pytest.raises(ValueError, match=r"nested too deeply|no JSON: .*line 1 column"):
        from_json(text)


def test_a_text_that_was_changed_on_purpose_is_read_without_its_checksum(model):
    text = edited(model, parameters=lambda p: {**p, "max_iter": 77})
    assert from_json(text).max_iter == 77
    content = json.loads(model.to_json())
    content["parameters"]["max_iter"] = 77
    with pytest.raises(ValueError, match="Leave out 'checksum'"):
        from_json(json.dumps(content))


def test_a_text_of_an_agent_takes_known_keys_only():
    content = json.loads(QLearningAgent().to_json())
    del content["checksum"]
    with pytest.raises(ValueError, match=r"'fitted' has \['act'\]"):
        from_json(json.dumps({**content, "fitted": {"act": 1}}))


# skops.

FAMILIES = {
    "MLPClassifier": (MLPClassifier((3,), max_iter=1), None),
    "RNNClassifier": (RNNClassifier((3,), max_iter=1), (8, 8)),
    "VariationalAutoencoder": (VariationalAutoencoder((3,), n_components=2, max_iter=1), None),
    "TabularClassifier": (TabularClassifier(2, max_iter=1), None),
    "with features": (
        ConvNetClassifier(
            features=torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2)),
            hidden_layer_sizes=(),
            max_iter=1,
        ),
        (8, 8),
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_skops_trusts_only_this_package_and_what_the_user_gave(family, digits, tmp_path):
    estimator, shape = FAMILIES[family]
    X, y = digits[0][:60], digits[1][:60]
    X = X if shape is None else X.reshape(-1, *shape)
    model = clone(estimator).fit(X, y)
    skops.io.dump(model, tmp_path / "model.skops")
    types = skops.io.get_untrusted_types(file=tmp_path / "model.skops")
    given = {
        f"{type(layer).__module__}.{type(layer).__name__}"
        for layer in (model.features.modules() if "features" in family else ())
    }
    assert all(name.startswith("sknn_basics.") or name in given for name in types)
    loaded = skops.io.load(tmp_path / "model.skops", trusted=types)
    predict = "transform" if hasattr(model, "transform") else "predict_proba"
    np.testing.assert_array_equal(getattr(loaded, predict)(X), getattr(model, predict)(X))


def test_texts_of_every_family_are_measured_before_they_are_made(digits):
    X = digits[0][:64].reshape(-1, 8, 8)
    models = [
        sknn_basics.ConvGAN((2, 3), n_components=2, max_iter=1, grow=(4, 8)).fit(X),
        sknn_basics.RNNAutoencoder((4,), 3, max_iter=1).fit(X),
        sknn_basics.VariationalConvAutoencoder((2,), n_components=2, max_iter=1).fit(X),
        TextGenerator(hidden_layer_sizes=(4,), window=3, max_iter=1).fit("abcd" * 9),
        RNNClassifier((3,), bidirectional=True, filters=(2,), max_iter=1).fit(
            np.stack([X, X], axis=1), digits[1][:64]
        ),
    ]
    for model in models:
        assert from_json(model.to_json()).n_parameters_ == model.n_parameters_
