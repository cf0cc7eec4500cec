"""Layouts of samples: what is read at another place than where it is, is told."""

import pickle
import warnings

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.model_selection import cross_val_score

from sknn_basics import (
    ConvAutoencoder,
    ConvNetClassifier,
    ConvNetRegressor,
    RNNAutoencoder,
    RNNClassifier,
    RNNRegressor,
    from_json,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

OPTIONS = {"max_iter": 2, "random_state": 0, "dtype": "float64"}
CONVOLUTIONAL = {
    "classifier": lambda **options: ConvNetClassifier((4,), (), **OPTIONS, **options),
    "regressor": lambda **options: ConvNetRegressor(filters=(4,), **OPTIONS, **options),
    "autoencoder": lambda **options: ConvAutoencoder(filters=(4,), **OPTIONS, **options),
}
RECURRENT = {
    "classifier": lambda **options: RNNClassifier((4,), **OPTIONS, **options),
    "regressor": lambda **options: RNNRegressor(hidden_layer_sizes=(4,), **OPTIONS, **options),
    "autoencoder": lambda **options: RNNAutoencoder((4,), 3, **OPTIONS, **options),
}


def sample(*shape):
    """Draw samples that change little along the last axis."""
    steps = np.random.RandomState(0).normal(size=(12, *shape))
    values = np.cumsum(steps, axis=-1)
    return (values - values.min()) / np.ptp(values), np.arange(12) % 2


@pytest.mark.parametrize("kind", CONVOLUTIONAL)
@pytest.mark.parametrize(
    ("shape", "right", "other"),
    [
        ((3, 16, 16), "channels_first", "channels_last"),
        ((1, 16, 16), "channels_first", "channels_last"),
        ((6, 100), "channels_first", "no_channels"),
        ((100, 6), "channels_last", "no_channels"),
    ],
)
def test_images_that_look_misread_are_told(kind, shape, right, other):
    X, y = sample(*shape)
    message = f"looks like .*data_format='{right}' if so, else data_format='{other}'"
    with pytest.warns(UserWarning, match=message):
        CONVOLUTIONAL[kind]().fit(X, y)
    for data_format in (right, other):
        with warnings.catch_warnings(action="error", category=UserWarning):
            warnings.filterwarnings("ignore", message="Stochastic Optimizer")
            CONVOLUTIONAL[kind](data_format=data_format).fit(X, y)


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("kind", CONVOLUTIONAL)
@pytest.mark.parametrize("shape", [(16, 16, 3), (16, 16, 1), (12, 16), (64,), (4, 4, 2), (30, 9)])
def test_images_that_look_right_are_not(kind, shape):
    CONVOLUTIONAL[kind]().fit(*sample(*shape))


@pytest.mark.parametrize("kind", RECURRENT)
@pytest.mark.parametrize("shape", [(1, 24), (5, 60)])
def test_sequences_that_look_misread_are_told(kind, shape):
    X, y = sample(*shape)
    with pytest.warns(
        UserWarning, match=r"data_format='channels_first' if so, else 'channels_last'"
    ):
        RECURRENT[kind]().fit(X, y)
    for data_format in ("channels_first", "channels_last"):
        with warnings.catch_warnings(action="error", category=UserWarning):
            warnings.filterwarnings("ignore", message="Stochastic Optimizer")
            RECURRENT[kind](data_format=data_format).fit(X, y)


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("kind", RECURRENT)
def test_sequences_that_look_right_are_not(kind):
    for shape in [(24, 1), (60, 5), (24,), (8, 8)]:
        X, y = sample(*shape[::-1])
        RECURRENT[kind]().fit(np.swapaxes(X, 1, -1), y)


@pytest.mark.parametrize("kind", RECURRENT)
@pytest.mark.parametrize("backend", ["loky", "stacked"])
def test_channels_first_equals_channels_last(kind, backend):
    X, y = sample(5, 12)
    method = "transform" if kind == "autoencoder" else "predict"
    results = []
    for data, data_format in [(X, "channels_first"), (X.swapaxes(1, 2), "channels_last")]:
        model = RECURRENT[kind](data_format=data_format)
        with parallel_config(backend=backend, n_jobs=1):
            scores = cross_val_score(model, data, y, cv=3)
        results.append([*scores, *getattr(model.fit(data, y), method)(data).ravel()])
    np.testing.assert_allclose(results[0], results[1], rtol=1e-9)


@pytest.mark.parametrize("kind", RECURRENT)
def test_the_layout_is_saved(kind, tmp_path):
    X, y = sample(5, 12)
    model = RECURRENT[kind](data_format="channels_first").fit(X, y)
    model.save_weights(tmp_path / "weights.npz")
    method = "transform" if kind == "autoencoder" else "predict"
    expected = getattr(model, method)(X)
    loaded = from_json(model.to_json()).load_weights(tmp_path / "weights.npz")
    for other in (loaded, pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(getattr(other, method)(X), expected)


def test_reconstructions_have_the_layout_of_sequences():
    X, _ = sample(5, 12)
    model = RNNAutoencoder((4,), 3, data_format="channels_first", **OPTIONS).fit(X)
    other = RNNAutoencoder((4,), 3, **OPTIONS).fit(X.swapaxes(1, 2))
    expected = other.reconstruct(X.swapaxes(1, 2)).swapaxes(1, 2)
    np.testing.assert_allclose(model.reconstruct(X), expected, atol=1e-12)


def test_lists_of_sequences_have_a_layout():
    X, y = sample(5, 12)
    first = [x[:, : 6 + i % 3] for i, x in enumerate(X)]
    model = RECURRENT["classifier"](data_format="channels_first").fit(first, y)
    other = RECURRENT["classifier"]().fit([x.T for x in first], y)
    np.testing.assert_array_equal(
        model.predict_proba(first), other.predict_proba([x.T for x in first])
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strides": (2, 3)}, r"strides=\[\[\(2, 3\)\]\] for one block"),
        ({"kernel_size": (3, 5)}, r"kernel_size=\[\[\(3, 5\)\]\] for one block"),
        ({"pool_size": (1, 2)}, r"pool_size=\[\(1, 2\)\] for one block"),
    ],
)
def test_sizes_by_dimension_say_how_they_are_written(options, message):
    X, y = sample(16, 16)
    with pytest.raises(ValueError, match=message):
        CONVOLUTIONAL["classifier"](**options).fit(X, y)
    ((name, size),) = options.items()
    written = [size] if name == "pool_size" else [[size]]
    CONVOLUTIONAL["classifier"](**{name: written}).fit(X, y)


@pytest.mark.parametrize("kind", CONVOLUTIONAL)
@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(8, 8), (8, 9)], r"X\[1\] has shape \(8, 9\).*ImageReader"),
        ([(8, 8, 3), (8, 8)], r"X\[1\] has shape \(8, 8\).*all grey"),
        ([(8, 8, 3), (8, 8, 4)], r"X\[1\] has shape \(8, 8, 4\).*all grey"),
    ],
)
def test_lists_of_unlike_images_say_which(kind, shapes, message):
    X = [np.zeros(shape) for shape in shapes]
    with pytest.raises(ValueError, match=message):
        CONVOLUTIONAL[kind]().fit(X, [0, 1])


@pytest.mark.parametrize("shape", [(16, 16), (16, 16, 3)])
def test_a_single_image_needs_its_first_axis(shape):
    X, y = sample(*shape)
    model = CONVOLUTIONAL["classifier"]().fit(X, y)
    with pytest.raises(ValueError, match=r"looks like a single sample: .*X\[np.newaxis\]"):
        model.predict(X[0])
    assert model.predict(X[:1][0][np.newaxis]).shape == (1,)
