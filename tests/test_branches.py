"""Networks whose parts stand side by side, and layers that change shapes."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from torch import nn
from torch.nn import functional as F

from sknn_basics import ConvAutoencoder, ConvNetClassifier, MLPClassifier, from_json
from sknn_basics.modules import Branches, Columns, Crop, Noise, Reshape, Upsample, ZeroPad
from sknn_basics.parallel import stacked

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def halves():
    """Upper halves of digits as pixels, lower halves as sums of columns."""
    images, y = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8)
    X = np.concatenate([images[:, :4].reshape(-1, 32), images[:, 4:].sum(1)], axis=1)
    return X[:600], y[:600]


def both_ways(shape, merge="concatenate"):
    image = nn.Sequential(
        Columns(0, 32, shape=(1, 4, 8)), nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten()
    )
    table = nn.Sequential(Columns(32), nn.Linear(shape[0] - 32, 16), nn.ReLU())
    if merge != "concatenate":
        image.append(nn.Linear(256, 16))
    return Branches({"image": image, "table": table}, merge)


def summed(shape):
    return both_ways(shape, "add")


# Branches.

EXPECTED = {
    "concatenate": lambda a, b: np.concatenate([a, b], axis=1),
    "add": np.add,
    "average": lambda a, b: np.mean([a, b], axis=0),
    "multiply": np.multiply,
    "maximum": np.maximum,
}


@pytest.mark.parametrize("merge", EXPECTED)
def test_outputs_of_branches_are_merged_as_numpy_does(merge):
    x = torch.randn(5, 6, 4, generator=torch.Generator().manual_seed(0))
    parts = {"first": nn.Tanh(), "second": nn.Sequential(nn.ReLU(), nn.Softplus())}
    merged = Branches(parts, merge)(x)
    a, b = parts["first"](x).numpy(), parts["second"](x).numpy()
    np.testing.assert_allclose(merged.numpy(), EXPECTED[merge](a, b), rtol=1e-6)


def test_branches_learn_as_in_bare_torch(halves):
    X, y = halves
    X = X / 16
    options = {"solver": "sgd", "momentum": 0, "alpha": 0, "learning_rate_init": 0.1}
    options |= {"shuffle": False, "batch_size": 600, "max_iter": 3, "dtype": "float64"}
    model = MLPClassifier(module=both_ways, random_state=0, **options)
    first = clone(model).initialize(X, y).module_
    image, table = first.module.image, first.module.table
    weights = [p.detach().clone().requires_grad_() for p in first.parameters()]
    kernel, kernel_bias, hidden, hidden_bias, output, output_bias = weights
    for w, p in zip(
        weights, [*image.parameters(), *table.parameters(), *first.output.parameters()]
    ):
        assert torch.equal(w, p)

    def forward(x):
        pixels = F.conv2d(x[:, :32].reshape(-1, 1, 4, 8), kernel, kernel_bias, padding=1)
        columns = x[:, 32:] @ hidden.T + hidden_bias
        both = torch.cat([pixels.relu().flatten(1), columns.relu()], 1)
        return both @ output.T + output_bias

    optimiser = torch.optim.SGD(weights, lr=0.1)
    for _ in range(3):
        optimiser.zero_grad()
        F.cross_entropy(forward(torch.tensor(X)), torch.tensor(y)).backward()
        optimiser.step()
    expected = forward(torch.tensor(X)).softmax(1).detach()
    np.testing.assert_allclose(model.fit(X, y).predict_proba(X), expected, rtol=1e-8)


def test_images_and_columns_together_are_better_than_either(halves):
    X, y = halves
    model = MLPClassifier((32,), max_iter=40, learning_rate_init=0.01, random_state=0)
    scores = {
        name: cross_val_score(make_pipeline(StandardScaler(), model), part, y, cv=3).mean()
        for name, part in {"image": X[:, :32], "table": X[:, 32:]}.items()
    }
    joint = clone(model).set_params(module=both_ways)
    together = cross_val_score(make_pipeline(StandardScaler(), joint), X, y, cv=3).mean()
    assert together > max(scores.values()) + 0.03


def test_branches_are_searched_over_behind_a_column_transformer(halves):
    columns = ColumnTransformer(
        [("image", MinMaxScaler(), slice(0, 32)), ("table", StandardScaler(), slice(32, 40))]
    )
    model = MLPClassifier(max_iter=5, learning_rate_init=0.01, random_state=0)
    search = GridSearchCV(
        make_pipeline(columns, model), {"mlpclassifier__module": [both_ways, summed]}, cv=2
    ).fit(*halves)
    loaded = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(loaded.predict(halves[0]), search.predict(halves[0]))
    with stacked() as report:
        again = clone(search).fit(*halves)
    np.testing.assert_array_equal(
        again.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"]
    )
    assert "Branches has no stacked form" in str(report)


def test_a_branch_is_frozen_by_its_name(halves):
    model = MLPClassifier(module=both_ways, frozen_layers="module.image*", random_state=0)
    first = clone(model).initialize(*halves).module_.module
    fitted = model.set_params(max_iter=2).fit(*halves).module_.module
    assert torch.equal(fitted.image[1].weight, first.image[1].weight)
    assert not torch.equal(fitted.table[1].weight, first.table[1].weight)


def test_branches_stand_in_place_of_blocks(halves):
    y = halves[1]
    images = load_digits().images[:600]
    parallel = Branches({"small": nn.Conv2d(1, 4, 3, padding=1), "large": nn.Conv2d(1, 6, 5, 1, 2)})
    model = ConvNetClassifier(features=parallel, max_iter=1).fit(images, y)
    assert model.module_.hidden1.in_features == 10 * 64


@pytest.mark.parametrize(
    ("branches", "merge", "words"),
    [
        ({"a": Columns(0, 5), "b": Columns(3, 9)}, "add", "'a' and 'b' overlap: a Columns.0, 5"),
        ({"a": nn.Sequential(Columns(2), nn.ReLU()), "b": Columns(8)}, "add", "overlap"),
        ({"a": nn.ReLU()}, "sum", "merge must be one of .*'add'.* got 'sum'"),
        ({}, "add", "branches must be modules by name"),
        ({"a": torch.relu}, "add", "branches must be modules, got a="),
    ],
)
def test_wrong_branches_are_named(branches, merge, words):
    with pytest.raises(ValueError, match=words):
        Branches(branches, merge)


def test_neighbouring_columns_do_not_overlap():
    model = Branches({"b": Columns(4), "a": Columns(0, 4)})
    x = torch.arange(12.0).reshape(2, 6)
    assert torch.equal(model(x), x[:, [4, 5, 0, 1, 2, 3]])


@pytest.mark.parametrize("merge", ["concatenate", "add"])
def test_shapes_that_cannot_be_merged_are_named(merge, halves):
    module = Branches({"image": Columns(0, 32, shape=(1, 4, 8)), "table": Columns(32)}, merge)
    words = r"cannot merge .* image \(1, 4, 8\), table \(8,\): end each with torch.nn.Flatten"
    with pytest.raises(ValueError, match=words):
        MLPClassifier(module=module).fit(*halves)


def test_columns_that_X_does_not_have_are_named(halves):
    with pytest.raises(ValueError, match=r"Columns\(32, 64\) are not all among the 40 columns"):
        MLPClassifier(module=Columns(32, 64)).fit(*halves)
    with pytest.raises(ValueError, match=r"Columns\(30, None, shape=\(3, 3\)\) are 10 columns"):
        MLPClassifier(module=Columns(30, shape=(3, 3))).fit(*halves)
    with pytest.raises(ValueError, match="are 5 columns, but 6 values"):
        Columns(0, 5, shape=(2, 3))
    with pytest.raises(ValueError, match="start >= 0 and stop > start, got 3, 3"):
        Columns(3, 3)


# Layers that change shapes.


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (Reshape(8, -1), lambda x: x.reshape(2, 8, -1)),
        (Crop(1), lambda x: x[:, :, 1:-1, 1:-1]),
        (Crop([(0, 2), 1]), lambda x: x[:, :, :-2, 1:-1]),
        (ZeroPad(2), lambda x: np.pad(x, [(0, 0), (0, 0), (2, 2), (2, 2)])),
        (ZeroPad([1, (0, 3)]), lambda x: np.pad(x, [(0, 0), (0, 0), (1, 1), (0, 3)])),
        (Upsample(2), lambda x: x.repeat(2, axis=2).repeat(2, axis=3)),
        (Upsample((1, 3)), lambda x: x.repeat(3, axis=3)),
    ],
)
def test_layers_change_shapes_as_numpy_does(layer, expected):
    x = np.random.RandomState(0).rand(2, 3, 4, 6)
    np.testing.assert_array_equal(layer(torch.tensor(x)).numpy(), expected(x))


def test_a_linear_upsampling_keeps_a_ramp_within_its_range():
    x = torch.tensor([[[0.0, 1.0, 2.0]]])
    expected = [0, 0.25, 0.75, 1.25, 1.75, 2]
    np.testing.assert_allclose(Upsample(2, "linear")(x)[0, 0], expected)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Reshape(0, 3), "at most one -1"),
        (lambda: Reshape(-1, -1), "at most one -1"),
        (lambda: Crop(-1), "widths must not be negative"),
        (lambda: Crop(2)(torch.zeros(1, 1, 4, 9)), "leaves nothing of images of size"),
        (lambda: ZeroPad([1])(torch.zeros(1, 1, 4, 9)), "is for 1 dimensions, images have 2"),
        (lambda: Upsample(0), "factor must be positive"),
        (lambda: Upsample(2, "cubic"), "mode must be 'nearest' or 'linear', got 'cubic'"),
        (lambda: Noise(-1), "std must not be negative, got -1"),
    ],
)
def test_wrong_options_of_layers_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_noise_depends_on_random_state_alone(halves):
    model = MLPClassifier(module=nn.Sequential(Noise(0.5), nn.Linear(40, 5)), max_iter=2)
    first, second, other = (
        clone(model).set_params(random_state=seed).fit(*halves).loss_curve_ for seed in (0, 0, 1)
    )
    assert first == second != other


# Blocks of convolutions.


def initialized(images, **parameters):
    return ConvNetClassifier(**parameters).initialize(images, np.arange(len(images)) % 10)


@pytest.mark.parametrize(("pool_padding", "n_parameters"), [("valid", 200_282), ("same", 228_954)])
def test_pools_drop_or_pad_the_odd_row(pool_padding, n_parameters):
    model = initialized(
        np.zeros((10, 28, 28)),
        filters=[(32, 32), (16, 16), (8, 8)],
        kernel_size=[(5, 3)] * 3,
        downsample="max",
        pool_padding=pool_padding,
        hidden_layer_sizes=(512, 256),
    )
    assert model.n_parameters_ == n_parameters


@pytest.mark.parametrize("kind", ["max", "average"])
def test_a_pool_that_pads_pools_the_pixels_that_there_are(kind):
    image = np.arange(15.0).reshape(1, 3, 5).repeat(10, axis=0)
    model = initialized(
        image, filters=1, kernel_size=1, downsample=kind, pool_padding="same", activation="identity"
    )
    pooled = model.module_.block1_pool(torch.tensor(image).unsqueeze(1))[0, 0]
    pick = np.max if kind == "max" else np.mean
    expected = [
        [pick(image[0, i : i + 2, j : j + 2]) for j in range(0, 5, 2)] for i in range(0, 3, 2)
    ]
    np.testing.assert_allclose(pooled, expected)


def test_depthwise_filters_are_a_convolution_of_products():
    images = np.random.RandomState(0).rand(10, 8, 8, 3)
    model = initialized(images, filters=4, depthwise=True, downsample=None, random_state=0)
    layers = model.module_
    assert layers.block1_conv1_depthwise.weight.shape == (3, 1, 3, 3)
    spatial, mixing = layers.block1_conv1_depthwise.weight, layers.block1_conv1.weight
    kernel = mixing[:, :, 0, 0, None, None] * spatial[None, :, 0]
    x = torch.tensor(images, dtype=kernel.dtype).permute(0, 3, 1, 2)
    expected = F.conv2d(x, kernel, layers.block1_conv1.bias, padding=1)
    made = layers.block1_conv1(layers.block1_conv1_depthwise(x))
    torch.testing.assert_close(made, expected, rtol=1e-4, atol=1e-5)


def test_kernels_of_a_set_stand_side_by_side():
    images = np.random.RandomState(0).rand(10, 9, 9)
    model = initialized(images, filters=[4, 5], kernel_size=[{3, 5}, 3], strides=2, downsample=None)
    x = torch.tensor(images, dtype=torch.float32).unsqueeze(1)
    branches = model.module_.block1_conv1
    expected = [
        F.conv2d(x, part[0].weight, part[0].bias, 2, padding)
        for part, padding in zip(branches.children(), (1, 2))
    ]
    torch.testing.assert_close(branches(x), torch.cat(expected, 1))
    assert model.module_.block2_conv1.in_channels == 8
    assert from_json(model.to_json()).get_params()["kernel_size"] == [{3, 5}, 3]


def test_new_blocks_are_trained_saved_and_stacked_the_same(halves):
    images, y = load_digits().images[:300, ::2, ::2], halves[1][:300]
    model = ConvNetClassifier(
        filters=[4, 4],
        kernel_size=[{1, 3}, 3],
        depthwise=[False, True],
        downsample="max",
        pool_padding="same",
        hidden_layer_sizes=(),
        max_norm=0.5,
        max_iter=3,
        random_state=0,
    )
    alone = cross_val_score(model, images, y, cv=2)
    with stacked():
        np.testing.assert_allclose(cross_val_score(model, images, y, cv=2), alone)
        plain = clone(model).set_params(kernel_size=3)
        joint = cross_val_score(plain, images, y, cv=2)
    np.testing.assert_allclose(cross_val_score(plain, images, y, cv=2), joint)
    loaded = pickle.loads(pickle.dumps(model.fit(images, y)))
    np.testing.assert_array_equal(loaded.predict_proba(images), model.predict_proba(images))
    parts = model.module_.block1_conv1.children()
    assert all(part[0].weight.flatten(1).norm(dim=1).max() <= 0.5 + 1e-5 for part in parts)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"kernel_size": {3, 5}, "padding": "valid"}, "side by side need padding='same'"),
        ({"kernel_size": [set(), 3]}, "kernel_size must not be an empty set"),
        ({"kernel_size": [{"a"}, 3]}, "kernel_size must be an integer > 0"),
        ({"pool_padding": ["same", "full"]}, "pool_padding must be one of .* got 'full'"),
        ({"depthwise": [True, 2]}, "depthwise must be one of .* got 2"),
    ],
)
def test_wrong_blocks_are_named(parameters, words):
    with pytest.raises(ValueError, match=words):
        initialized(np.zeros((10, 8, 8)), **parameters)


def test_an_autoencoder_has_one_kernel_a_block():
    with pytest.raises(ValueError, match="kernel_size must be sizes, not sets"):
        ConvAutoencoder(kernel_size={3, 5}).fit(np.random.RandomState(0).rand(20, 8, 8))
