"""Models of ONNX: what onnxruntime computes is what the estimators do."""

import json
import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import is_classifier, is_regressor
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)
from test_activations import FAMILIES
from test_common import ESTIMATORS
from torch import nn

from sknn_basics import (
    GAN,
    Autoencoder,
    ConvAutoencoder,
    ConvGAN,
    ConvNetClassifier,
    Forecaster,
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
from sknn_basics.export import register_converters, to_onnx
from sknn_basics.modules.layers import ACTIVATIONS
from sknn_basics.preprocessing import FilterBank, PixelScaler, TableEncoder

runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
try:
    skl2onnx = register_converters()
except ImportError as error:
    pytest.skip(str(error), allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True, scope="module")
def functions_of_the_exporter():
    """Let torch's exporter read its 500 functions once, and not for each model, if it can."""
    try:
        from onnxscript._framework_apis import torch_2_5 as library

        read = library.get_torchlib_ops
    except (ImportError, AttributeError):
        yield
        return
    library.get_torchlib_ops = cache(read)
    yield
    library.get_torchlib_ops = read


SHORT = {"max_iter": 3, "random_state": 0}
X_IRIS, Y_IRIS = load_iris(return_X_y=True)
X_DIABETES, Y_DIABETES = load_diabetes(return_X_y=True)
IMAGES, DIGITS = load_digits().images[:60], load_digits().target[:60]
TEXT = "the quick brown fox jumps over the lazy dog " * 5
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y_IRIS]


def run(file, X) -> list:
    """Run a model on an array, or on the columns of a data frame."""
    session = runtime.InferenceSession(file.SerializeToString())
    feed = {"X": X}
    if hasattr(X, "columns"):
        feed = {name: as_input(X[name]) for name in X.columns}
    return session.run(None, feed)


def as_input(column) -> np.ndarray:
    is_numeric = pd.api.types.is_numeric_dtype(column)
    values = column.to_numpy() if is_numeric else column.astype(object).fillna("").to_numpy()
    return values.reshape(-1, 1)


def assert_same(model, X, expected=None, **options) -> None:
    """Check what onnxruntime computes of all of X, and of one sample."""
    file = to_onnx(model, X, **options)
    for rows in (X, X[:1]):
        found = run(file, rows)
        if expected is None and is_classifier(model):
            assert_array_equal(found[0], model.predict(rows))
        answer = answer_of(model, rows) if expected is None else expected[: len(rows)]
        scale = max(1.0, np.abs(answer).max())
        assert_allclose(found[-1].reshape(answer.shape), answer, rtol=0, atol=1e-5 * scale)


def answer_of(model, X) -> np.ndarray:
    if is_classifier(model):
        return model.predict_proba(X)
    return model.predict(X) if is_regressor(model) else model.transform(X)


# Every estimator.


def fitted(kind, mode):
    """Fit an estimator of the tests of scikit-learn to few epochs."""
    model = kind(**{**mode, "max_iter": 3}).set_params(random_state=0)
    if is_classifier(model):
        return model.fit(X_IRIS, NAMES)
    target = X_IRIS[:, 3] if is_regressor(model) else None
    return model.fit(X_IRIS) if target is None else model.fit(X_IRIS, target)


MODES = [
    pytest.param(kind, mode, id=f"{kind.__name__}{i}")
    for kind, modes in ESTIMATORS.items()
    for i, mode in enumerate(modes)
    if kind not in (GAN, ConvGAN, TextGenerator)
]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "mode"), MODES)
def test_every_estimator_in_every_mode_answers_the_same(kind, mode):
    assert_same(fitted(kind, mode), X_IRIS.astype(np.float32))


@pytest.mark.parametrize("kind", [kind for kind in ESTIMATORS if kind is not TextGenerator])
def test_every_estimator_answers_the_same_in_double_precision(kind):
    model = fitted(kind, {**ESTIMATORS[kind][0]})
    if kind in (GAN, ConvGAN):
        Z = model.sample_latents(20, 0).astype(np.float64)
        assert_same(model, Z, model.inverse_transform(Z))
    else:
        assert_same(model, X_IRIS)


# What changes the forward pass.


@pytest.mark.slow
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_computed_as_it_was_trained(activation):
    model = MLPClassifier((6, 5), activation, **SHORT).fit(X_IRIS, Y_IRIS)
    assert_same(model, X_IRIS)


DENSE = {
    "cross-entropy of two classes": (MLPClassifier(loss="cross_entropy"), Y_IRIS > 0),
    "two classes": (MLPClassifier(), NAMES == "setosa"),
    "numbers as classes": (MLPClassifier(), Y_IRIS * 2.0),
    "one class": (MLPClassifier(), np.full(150, "a")),
    "labels": (MLPClassifier(), np.column_stack([Y_IRIS > 0, Y_IRIS > 1]).astype(int)),
    "probabilities": (MLPClassifier(), np.eye(3)[Y_IRIS] * 0.8 + 0.2 / 3),
    "batch": (MLPClassifier(normalization="batch", dropout=0.2, input_noise=0.1), Y_IRIS),
    "layer": (MLPRegressor(normalization="layer"), X_IRIS[:, 0]),
    "no hidden layer": (MLPClassifier(()), Y_IRIS),
    "several targets": (MLPRegressor(), X_IRIS[:, :3]),
    "quantiles": (MLPRegressor(loss="quantile", quantile=[0.1, 0.5, 0.9]), X_IRIS[:, 0]),
    "a normal": (MLPRegressor(loss="gaussian"), X_IRIS[:, :2]),
    "counts": (MLPRegressor(loss="poisson"), Y_IRIS),
    "labels of a table": (
        TabularClassifier(n_networks=2, hidden_layer_sizes=(8,)),
        np.column_stack([Y_IRIS > 0, Y_IRIS > 1]).astype(int),
    ),
    "targets of a table": (
        TabularRegressor(n_networks=2, hidden_layer_sizes=(8,)),
        X_IRIS[:, :2],
    ),
}


@pytest.mark.parametrize("name", DENSE)
def test_every_kind_of_output_is_computed(name):
    model, target = DENSE[name]
    assert_same(model.set_params(**SHORT).fit(X_IRIS, target), X_IRIS.astype(np.float32))


COLOURS = np.random.RandomState(0).randint(0, 256, (12, 9, 8, 3)).astype(np.uint8)
VOLUMES = np.random.RandomState(0).rand(12, 4, 5, 6).astype(np.float32)
CONVOLUTIONS = {
    "pools": (
        {"downsample": ["max", "average"], "filters": (4, 6), "pool_padding": ["same", "valid"]},
        COLOURS,
    ),
    "even kernels": ({"kernel_size": (4, 2), "padding": "same"}, IMAGES),
    "side by side": ({"kernel_size": [[{1, 3}], [3]], "filters": (4, 4)}, IMAGES),
    "depthwise": ({"depthwise": True, "normalization": "batch"}, COLOURS),
    "one filter": ({"filters": (1,), "downsample": None}, IMAGES),
    "layer": ({"normalization": "layer", "activation": "gelu"}, IMAGES),
    "channels first": ({"data_format": "channels_first"}, np.moveaxis(COLOURS, -1, 1)),
    "volumes": ({"filters": (3,), "data_format": "no_channels"}, VOLUMES),
    "signals": ({"filters": (3,), "image_shape": (64,)}, IMAGES.reshape(60, -1)),
    "scaled": ({"preprocessing": "imagenet"}, COLOURS),
    "a function": ({"preprocessing": lambda x: x / 255 - 0.5}, COLOURS),
    "features": ({"features": nn.Sequential(nn.Conv2d(3, 4, 3), nn.Hardswish())}, COLOURS),
    "double": ({"dtype": "float64"}, IMAGES),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_every_kind_of_convolution_is_computed(name):
    options, X = CONVOLUTIONS[name]
    model = ConvNetClassifier(**{"filters": (4, 6), **options, **SHORT})
    assert_same(model.fit(X, np.arange(len(X)) % 3), X)


def sequences(n_steps: int = 7) -> np.ndarray:
    return np.random.RandomState(0).randn(20, n_steps, 3).astype(np.float32)


RECURRENT = {
    "lstm": ({"cell": "lstm", "hidden_layer_sizes": (5, 4)}, None),
    "gru": ({"cell": "gru"}, None),
    "rnn": ({"cell": "rnn", "bidirectional": True, "merge_mode": "average"}, None),
    "both directions": ({"bidirectional": True, "dtype": "float64"}, None),
    "each step": ({"bidirectional": True}, "each"),
    "following steps": ({"n_steps_out": 2, "cell": "gru"}, 2),
}


def fit_recurrent(name: str, kind=RNNClassifier):
    options, steps = RECURRENT[name]
    shape = {None: (20,), "each": (20, 7), 2: (20, 2)}[steps]
    y = np.random.RandomState(1).randint(0, 3, shape)
    y = np.array(["a", "b", "c"])[y] if kind is RNNClassifier else y
    return kind(**{"hidden_layer_sizes": (4,), **options, **SHORT}).fit(sequences(), y)


@pytest.mark.parametrize("name", RECURRENT)
@pytest.mark.parametrize("kind", [RNNClassifier, RNNRegressor])
def test_recurrent_networks_read_any_number_of_steps(name, kind):
    model = fit_recurrent(name, kind)
    file = to_onnx(model, sequences())
    for n_steps in (7, 12, 1):
        X = sequences(n_steps)
        found = run(file, X)
        answer = answer_of(model, X)
        assert_allclose(found[-1].reshape(answer.shape), answer, atol=1e-5)
        if kind is RNNClassifier:
            assert_array_equal(found[0], model.predict(X))


def test_several_targets_a_step_have_an_axis_of_their_own():
    y = np.random.RandomState(0).randn(20, 7, 2)
    model = RNNRegressor(hidden_layer_sizes=(4,), **SHORT).fit(sequences(), y)
    file = to_onnx(model, sequences())
    (output,) = runtime.InferenceSession(file.SerializeToString()).get_outputs()
    assert len(output.shape) == 3
    assert_allclose(run(file, sequences(4))[0], model.predict(sequences(4)), atol=1e-5)


@pytest.mark.parametrize("name", ["lstm", "both directions"])
def test_padded_sequences_end_where_they_do_for_the_estimator(name):
    model, X = fit_recurrent(name), sequences()
    lengths = np.random.RandomState(0).randint(1, 8, 20)
    X[np.arange(7) >= lengths[:, None]] = np.nan
    expected = model.predict_proba([x[:n] for x, n in zip(X, lengths)])
    assert_allclose(run(to_onnx(model, X), X)[1], expected, atol=1e-5)


def test_sequences_come_in_the_layout_of_the_estimator():
    X, y = sequences().swapaxes(1, 2), np.arange(20) % 2
    model = RNNClassifier((4,), data_format="channels_first", **SHORT).fit(X, y)
    file = to_onnx(model, X)
    for n_steps in (7, 9):
        longer = sequences(n_steps).swapaxes(1, 2)
        assert_allclose(run(file, longer)[1], model.predict_proba(longer), atol=1e-5)
    frames = np.random.RandomState(0).rand(10, 4, 8, 8, 3).astype(np.float32)
    model = RNNRegressor(
        hidden_layer_sizes=(4,), filters=(2,), kernel_size=4, data_format="channels_last", **SHORT
    )
    assert_same(model.fit(frames, np.arange(10)), frames)


def test_states_of_a_stateful_network_are_refused():
    model = RNNRegressor(hidden_layer_sizes=(4,), stateful=True, **SHORT)
    model.fit(sequences(), np.arange(20.0))
    with pytest.raises(ValueError, match="stateful=True"):
        to_onnx(model, sequences())


class Attention(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.attention = nn.MultiheadAttention(shape[1], 1, batch_first=True)

    def forward(self, x):
        return self.attention(x, x, x)[0].mean(1)


def test_modules_of_a_user_are_recorded():
    module = nn.Sequential(nn.Linear(4, 6), nn.Hardtanh(), nn.LayerNorm(6))
    assert_same(MLPClassifier(module=module, **SHORT).fit(X_IRIS, Y_IRIS), X_IRIS)
    X, y = sequences(), np.arange(20) % 2
    given = nn.LSTM(3, 4, batch_first=True)
    assert_same(RNNClassifier(module=given, **SHORT).fit(X, y), X)
    assert_same(RNNClassifier(module=Attention, **SHORT).fit(X, y), X)


class Looks(nn.Module):
    def forward(self, x):
        return x if x.max() > 0 else -x


class Counts(nn.Module):
    def forward(self, x):
        return torch.cat([x[i : i + 1] for i in range(len(x))])


@pytest.mark.parametrize("module", [Looks(), Counts()])
def test_a_module_that_cannot_be_recorded_is_named(module):
    model = MLPClassifier(module=module, **SHORT).fit(X_IRIS, Y_IRIS)
    with pytest.raises(ValueError, match="a module or function of your own must not look"):
        to_onnx(model, X_IRIS)


# Autoencoders and generators.


AUTOENCODERS = {
    "dense": (Autoencoder((8,), 2, tied_weights=True, latent_activation="tanh"), X_IRIS),
    "variational": (VariationalAutoencoder((8,), 2), X_IRIS),
    "convolutional": (ConvAutoencoder((4, 6), 3, preprocessing="unit"), COLOURS),
    "repeated": (ConvAutoencoder((4, 6), None, latent_filters=2, downsample="max"), IMAGES),
    "variational images": (VariationalConvAutoencoder((4,), 3), IMAGES / 16),
    "recurrent": (RNNAutoencoder((4,), 3, cell="gru", bidirectional=True), sequences()),
}


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_encoders_decoders_and_both_together_are_converted(name):
    model, X = AUTOENCODERS[name]
    model.set_params(**SHORT).fit(X)
    latents = model.transform(X)
    assert_same(model, X, latents)
    assert_same(model, X, model.reconstruct(X), method="reconstruct")
    assert_same(model, latents, model.inverse_transform(latents), method="inverse_transform")


def test_decoders_and_generators_are_converted_by_themselves():
    model = Autoencoder((8,), 2, **SHORT).fit(X_IRIS)
    latents = model.transform(X_IRIS)
    assert_same(model.extract_decoder(), latents, model.inverse_transform(latents))
    classes = np.arange(60) % 2
    gan = ConvGAN((4, 4), n_components=3, max_iter=1, random_state=0).fit(IMAGES / 16, classes)
    Z = gan.sample_latents(5, 0)
    assert_same(gan.extract_generator(1), Z, gan.inverse_transform(Z, 1))
    with pytest.raises(ValueError, match="y is missing"):
        to_onnx(gan)


# Texts.


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_text_is_written_step_by_step(cell):
    model = TextGenerator(window=5, hidden_layer_sizes=(8, 6), cell=cell, **SHORT).fit(TEXT)
    session = runtime.InferenceSession(to_onnx(model).SerializeToString())
    tokens = json.loads(session.get_modelmeta().custom_metadata_map["tokens"])
    _, *states = (value.name for value in session.get_inputs())
    widths = [value.shape[1] for value in session.get_inputs()[1:]]
    ends = [np.zeros((1, width), np.float32) for width in widths]
    text, given = "qui", [tokens.index(token) for token in "qui"]
    while len(text) < 20:
        feed = {"tokens": np.array([given]), **dict(zip(states, ends))}
        probability, *ends = session.run(None, feed)
        assert_allclose(probability[0], model.predict_proba(text), atol=1e-5)
        given = [int(probability[0].argmax())]
        text += tokens[given[0]]
    assert text[3:] == model.generate("qui", 17, strategy="argmax")


# Preparation of data, and what holds estimators.


@pytest.mark.parametrize(
    "transformer",
    [
        PixelScaler(),
        PixelScaler((-1, 1), pixel_range=(0, 16), dtype="float64"),
        FilterBank([[[1, 0.5], [0, -1]]]),
        FilterBank(np.ones((2, 3, 2)), padding="same", threshold=20),
        FilterBank([[[1, np.nan], [1, 1]]], pool_size=2, threshold="all"),
    ],
)
def test_preparation_of_images_is_converted(transformer):
    for dtype in (np.uint8, np.float32, np.float64):
        X = IMAGES.astype(dtype)
        assert_same(transformer.fit(X), X)
    colours = FilterBank(np.ones((2, 2, 2, 3)), data_format="channels_first")
    X = np.moveaxis(COLOURS, -1, 1).astype(np.float32)
    assert_same(colours.fit(X), X)


def table() -> pd.DataFrame:
    rng = np.random.RandomState(0)
    X = pd.DataFrame(X_IRIS[:, :3], columns=["length", "width", "missing"])
    X.loc[3:7, "missing"] = np.nan
    X["two"] = np.where(X_IRIS[:, 3] > 1, "wide", "narrow")
    X["many"] = rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 150)
    X["flag"] = X_IRIS[:, 1] > 3
    X["few"] = rng.randint(0, 4, 150)
    X.loc[9, "two"] = None
    return X


@pytest.mark.parametrize(
    "model",
    [
        TableEncoder(),
        TableEncoder(max_categories=5, clip=None, dtype="float64"),
        TableEncoder(categorical_features=["few", "two", "many", "flag"], max_categories=3),
        TabularClassifier(2, hidden_layer_sizes=(8,), max_iter=3, random_state=0),
        TabularRegressor(2, hidden_layer_sizes=(8,), max_iter=3, random_state=0),
    ],
)
def test_tables_of_numbers_and_texts_are_converted(model):
    X = table()
    model.fit(X, NAMES if is_classifier(model) else X_IRIS[:, 3])
    file, new = to_onnx(model, X), X.copy()
    new.loc[0, ["two", "many"]] = "never seen"
    answer = answer_of(model, new)
    found = run(file, new)
    assert_allclose(found[-1].reshape(answer.shape), answer, atol=1e-5)
    if is_classifier(model):
        assert_array_equal(found[0], model.predict(new))


def test_categories_that_come_as_numbers_are_found():
    X = np.column_stack([X_IRIS, Y_IRIS, np.arange(150) % 20]).astype(np.float32)
    X[5, 4] = np.nan
    model = TabularClassifier(
        2, hidden_layer_sizes=(8,), categorical_features=[4, 5], max_iter=3, random_state=0
    )
    assert_same(model.fit(X, Y_IRIS), X)


def test_quantiles_of_tables_are_refused():
    model = TableEncoder(numbers="quantile").fit(X_IRIS)
    with pytest.raises(ValueError, match="numbers='quantile'"):
        to_onnx(model, X_IRIS)


def test_pipelines_and_searches_become_one_file():
    pipeline = make_pipeline(StandardScaler(), MLPClassifier((5,), **SHORT))
    search = GridSearchCV(pipeline, {"mlpclassifier__alpha": [1e-4, 1.0]}, cv=2)
    search.fit(X_IRIS, NAMES)
    for model in (search, search.best_estimator_, FrozenEstimator(search)):
        assert_same(model, X_IRIS)
    images = make_pipeline(PixelScaler(pixel_range=(0, 16)), ConvNetClassifier((4,), **SHORT))
    assert_same(images.fit(IMAGES, DIGITS), IMAGES)
    latents = make_pipeline(Autoencoder((8,), 2, **SHORT), LogisticRegression())
    assert_same(latents.fit(X_IRIS, NAMES), X_IRIS)


def test_columns_and_votes_of_scikit_learn_hold_networks():
    columns = ColumnTransformer([("few", StandardScaler(), [0, 1]), ("rest", "passthrough", [3])])
    model = make_pipeline(columns, MLPRegressor(hidden_layer_sizes=(5,), **SHORT))
    assert_same(model.fit(X_IRIS, X_IRIS[:, 2]), X_IRIS)
    voters = [("network", MLPClassifier((5,), **SHORT)), ("linear", LogisticRegression())]
    model = VotingClassifier(voters, voting="soft", flatten_transform=False).fit(X_IRIS, Y_IRIS)
    assert_same(model, X_IRIS)


@pytest.mark.parametrize(
    "transformer",
    [
        StandardScaler(),
        RobustScaler(),
        MinMaxScaler((-1, 1)),
        FunctionTransformer(np.log1p, np.expm1),
        FunctionTransformer(np.square, np.sqrt),
    ],
)
def test_targets_are_brought_back_to_their_scale(transformer):
    network = make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(5,), **SHORT))
    model = TransformedTargetRegressor(network, transformer=transformer, check_inverse=False)
    assert_same(model.fit(X_DIABETES, Y_DIABETES), X_DIABETES)
    with np.errstate(invalid="ignore"):
        both = np.column_stack([Y_DIABETES, Y_DIABETES**2 / 100])
        assert_same(model.fit(X_DIABETES, both), X_DIABETES)


def test_targets_that_cannot_be_brought_back_are_refused():
    network = MLPRegressor(hidden_layer_sizes=(5,), **SHORT)
    model = TransformedTargetRegressor(network, transformer=PowerTransformer())
    with pytest.raises(ValueError, match="PowerTransformer"):
        to_onnx(model.fit(X_DIABETES, Y_DIABETES), X_DIABETES)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dense", "recurrent"])
def test_what_was_compiled_is_converted(name):
    if name == "dense":
        model, X = MLPClassifier((5,), compile=True, max_iter=1), X_IRIS
        target = Y_IRIS
    else:
        model, X = RNNClassifier((5,), compile=True, max_iter=1), sequences()
        target = np.arange(20) % 2
    assert_same(model.fit(X, target), X)


def test_a_data_frame_has_an_input_for_each_column():
    X = pd.DataFrame(X_IRIS, columns=["a", "b", "c", "d"])
    model = MLPClassifier((5,), **SHORT).fit(X, NAMES)
    file = to_onnx(model, X)
    assert [value.name for value in file.graph.input] == ["a", "b", "c", "d"]
    label, probability = run(file, X)
    assert_array_equal(label, model.predict(X))
    assert_allclose(probability, model.predict_proba(X), atol=1e-5)


def test_inputs_and_outputs_are_named_as_those_of_scikit_learn():
    model = MLPClassifier((5,), **SHORT).fit(X_IRIS, Y_IRIS)
    file = to_onnx(model)
    assert [value.name for value in file.graph.output] == ["label", "probabilities"]
    (given,) = runtime.InferenceSession(file.SerializeToString()).get_inputs()
    assert (given.name, given.shape, given.type) == ("X", [None, 4], "tensor(float)")
    linear = to_onnx(LogisticRegression().fit(X_IRIS, Y_IRIS), X_IRIS)
    assert [v.name for v in linear.graph.output] == [v.name for v in file.graph.output]
    model = MLPRegressor(hidden_layer_sizes=(5,), **SHORT).fit(X_IRIS, Y_IRIS)
    assert [value.name for value in to_onnx(model).graph.output] == ["variable"]


def test_skl2onnx_itself_converts_what_is_registered():
    register_converters()
    model = MLPClassifier((5,), **SHORT).fit(X_IRIS, NAMES)
    X = X_IRIS.astype(np.float32)
    file = skl2onnx.to_onnx(model, X[:1], target_opset=18)
    label, probability = run(file, X)
    assert_array_equal(label, model.predict(X))
    assert set(probability[0]) == set(model.classes_)


def test_what_cannot_be_converted_is_refused():
    with pytest.raises(NotFittedError):
        to_onnx(MLPClassifier())
    model = MLPRegressor(hidden_layer_sizes=(5,), **SHORT).fit(X_IRIS, Y_IRIS)
    with pytest.raises(ValueError, match="target_opset must be at least 18"):
        to_onnx(model, target_opset=12)
    with pytest.raises(ValueError, match="method='reconstruct' is for an autoencoder"):
        to_onnx(model, method="reconstruct")
    with pytest.raises(ValueError, match="method must be one of"):
        to_onnx(Autoencoder((8,), 2, **SHORT).fit(X_IRIS), method="fit")
    forecaster = Forecaster(model, window=3).fit(X_IRIS[:, :1])
    with pytest.raises(ValueError, match="convert its `estimator_`"):
        to_onnx(forecaster)
    with pytest.raises(ValueError, match=r"shape \(2,\), but MLPRegressor .* of shape \(4,\)"):
        to_onnx(model, X_IRIS[:, :2])
    images = make_pipeline(PixelScaler(), ConvNetClassifier((4,), **SHORT)).fit(IMAGES, DIGITS)
    with pytest.raises(ValueError, match="give X"):
        to_onnx(images)


def test_converting_leaves_the_model_as_it_was():
    model = fit_recurrent("lstm")
    before = model.predict_proba(sequences())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        to_onnx(model, sequences())
    assert not [str(warning.message) for warning in caught]
    assert_array_equal(model.predict_proba(sequences()), before)
    assert "run" not in vars(model.module_.hidden1)


# torch.export.


@pytest.mark.parametrize("name", FAMILIES)
def test_torch_records_the_network_of_each_family_for_any_number_of_samples(name):
    model, X, y = FAMILIES[name]()
    module = (model.fit(X) if y is None else model.fit(X, y)).module_.eval()
    if isinstance(model, TextGenerator):
        x = torch.zeros(3, 5, dtype=torch.int64)
    else:
        x = torch.tensor(np.asarray(X)[:3], dtype=next(module.parameters()).dtype)
    if hasattr(module, "reset_states"):
        module.reset_states()
    axes = {0: torch.export.Dim.DYNAMIC}
    program = torch.export.export(module, (x,), dynamic_shapes=(axes,))
    many = torch.cat([x, x, x])
    torch.testing.assert_close(program.module()(many), module(many), rtol=1e-5, atol=1e-6)
