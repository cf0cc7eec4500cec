"""Convolutional estimators: architectures, layouts, forward passes, bad input."""

import pickle

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from torch import nn
from torch.nn import functional as F

from sknn_basics import ConvNetClassifier, ConvNetRegressor, architectures, from_json
from sknn_basics.modules import RandomShift
from sknn_basics.modules.conv import ConvNetwork, pad_evenly, slid_size

SMALL = {"filters": (4, 8), "hidden_layer_sizes": (16,), "max_iter": 2, "random_state": 0}


@pytest.fixture(scope="module")
def images(digits):
    """Handwritten digits as images: X of shape (1797, 8, 8) in [0, 1], y in 0..9."""
    X, y = digits
    return X.reshape(-1, 8, 8), y


@pytest.fixture(scope="module")
def colours():
    """Random colour images of shape (40, 9, 7, 3) in {0, ..., 255}, and two classes."""
    rng = np.random.RandomState(0)
    return rng.randint(256, size=(40, 9, 7, 3)).astype(np.uint8), rng.randint(2, size=40)


def initialized(shape, n_classes=10, **parameters) -> ConvNetClassifier:
    images = np.zeros((n_classes, *shape), dtype=np.uint8)
    return ConvNetClassifier(**parameters).initialize(images, np.arange(n_classes))


# Architectures.


@pytest.mark.parametrize(
    ("name", "n_parameters"),
    [
        ("CLASSIC", 1_199_882),
        ("SHALLOW", (25 + 1) * 32 + (25_088 + 1) * 10),
        ("FULL_SIZE", (25 + 1) * 16 + (16 * 9 + 1) * 8 + (8 * 9 + 1) * 8 + (6_272 + 1) * 10),
        ("POOLED", 780 + 4_336 + (784 + 1) * 128 + (128 + 1) * 64 + (64 + 1) * 10),
        ("STRIDED", 780 + 4_336 + (784 + 1) * 128 + (128 + 1) * 64 + (64 + 1) * 10),
        ("NORMALIZED", 780 + 4_336 + 2 * (30 + 16) + 100_480 + 8_256 + 650),
        ("DEEP_POOLED", 29_008 + (3 * 3 * 8 + 1) * 512 + 513 * 256 + 257 * 10),
        ("DEEP_STRIDED", 29_008 + (4 * 4 * 8 + 1) * 512 + 513 * 256 + 257 * 10),
    ],
)
def test_an_architecture_has_the_parameters_of_its_table(name, n_parameters):
    model = initialized((28, 28), **getattr(architectures, name))
    assert model.n_parameters_ == n_parameters


def test_vgg16_has_its_138_million_parameters():
    structure = ConvNetClassifier(**architectures.vgg16())
    structure._sample_shape_ = (224, 224, 3)
    with torch.device("meta"):
        module = structure._make_module(structure._describe_module(n_outputs=1000))
    assert sum(p.numel() for p in module.parameters()) == 138_357_544


def test_vgg16_with_strides_halves_its_images_as_often():
    model = initialized((32, 32, 3), **architectures.vgg16(1 / 32, downsample="stride"))
    assert not any(isinstance(layer, nn.MaxPool2d) for layer in model.module_)
    assert model.module_.hidden1.in_features == 16


def torchvision_vgg16(width: float, n_classes: int) -> nn.Module:
    """VGG16 with torchvision's layers and names."""
    layers, n_channels = [], 3
    for n_filters, count in zip((64, 128, 256, 512, 512), (2, 2, 3, 3, 3)):
        for _ in range(count):
            layers += [nn.Conv2d(n_channels, round(n_filters * width), 3, padding=1), nn.ReLU()]
            n_channels = round(n_filters * width)
        layers.append(nn.MaxPool2d(2))
    n_units = round(4096 * width)
    network = nn.Module()
    network.features = nn.Sequential(*layers)
    network.classifier = nn.Sequential(
        nn.Linear(n_channels, n_units), nn.ReLU(), nn.Dropout(),
        nn.Linear(n_units, n_units), nn.ReLU(), nn.Dropout(),
        nn.Linear(n_units, n_classes),
    )  # fmt: skip
    return network.eval()


def test_published_weights_of_vgg16_predict_as_there(tmp_path):
    network = torchvision_vgg16(1 / 16, 3)
    torch.save(network.state_dict(), tmp_path / "vgg16.pth")
    model = architectures.load_vgg16(
        tmp_path / "vgg16.pth", classes=["zebra", "ant", "dog"], image_shape=(32, 32, 3)
    )
    pixels = np.random.RandomState(0).randint(256, size=(4, 32, 32, 3)).astype(np.uint8)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    x = torch.tensor(((pixels / 255 - mean) / std).transpose(0, 3, 1, 2), dtype=torch.float32)
    expected = network.classifier(network.features(x).flatten(1)).softmax(1).detach().numpy()
    assert list(model.classes_) == ["ant", "dog", "zebra"]
    np.testing.assert_allclose(model.predict_proba(pixels), expected[:, [1, 2, 0]], rtol=1e-4)


def test_weights_of_another_network_are_no_vgg16():
    with pytest.raises(ValueError, match="no features.0.weight"):
        architectures.read_torchvision_vgg16({"conv1.weight": np.zeros(3)})


def test_classes_of_vgg16_must_be_as_many_as_its_outputs():
    weights = torchvision_vgg16(1 / 64, 3).state_dict()
    with pytest.raises(ValueError, match="3 different labels"):
        architectures.load_vgg16(weights, classes=["ant", "ant", "dog"], image_shape=(32, 32, 3))


# The arithmetic of convolutions.


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "expected"),
    [
        ((7, 7), 3, 1, 0, (5, 5)),
        ((10, 10), 5, 1, 0, (6, 6)),
        ((13, 8), 5, 1, 2, (13, 8)),
        ((5, 9), 3, [(2, 3)], 0, (2, 3)),
        ((60, 60), 3, 3, 1, (20, 20)),
        ((600, 600), 5, 2, 2, (300, 300)),
        ((300, 300), 3, 3, 1, (100, 100)),
    ],
)
def test_a_convolution_makes_images_of_the_size_of_the_table(
    size, kernel, stride, padding, expected
):
    model = initialized(
        size, filters=1, kernel_size=kernel, strides=[stride], padding=padding,
        downsample=None, hidden_layer_sizes=(), dtype="float32",
    )  # fmt: skip
    assert model.module_.size == expected
    assert model.module_.block1_conv1(torch.zeros(1, 1, *size)).shape[2:] == expected


def test_a_one_by_one_convolution_mixes_channels():
    model = initialized((6, 5, 300), filters=175, kernel_size=1, downsample=None)
    assert model.module_.block1_conv1.weight.shape == (175, 300, 1, 1)
    assert (model.module_.n_channels, *model.module_.size) == (175, 6, 5)


@pytest.mark.parametrize(("stride", "expected"), [(1, 5), (2, 7), (3, 9)])
def test_a_transposed_convolution_undoes_the_size_of_a_convolution(stride, expected):
    x = torch.zeros(1, 1, 3, 3)
    assert F.conv_transpose2d(x, torch.zeros(1, 1, 3, 3), stride=stride).shape[2:] == (
        expected,
        expected,
    )
    assert slid_size((expected,), (3,), (stride,), (0,)) == (3,)


@pytest.mark.parametrize("n", [1, 2, 5, 8])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_same_padding_gives_the_size_divided_by_the_stride(n, kernel, stride):
    options = {"kernel_size": kernel, "strides": stride, "downsample": None, "dtype": "float64"}
    model = initialized((n, n), filters=1, **options)
    assert model.module_.size == (-(-n // stride),) * 2
    x = model.module_.input(torch.zeros(1, n, n, dtype=torch.float64))
    for name, layer in model.module_.named_children():
        x = layer(x) if name.startswith("block") else x
    assert x.shape[2:] == model.module_.size


# Forward passes equal plain ones of torch.


def plain_forward(module: ConvNetwork, x: torch.Tensor) -> torch.Tensor:
    """Two blocks of one convolution of stride 2, a hidden layer: with torch's functions."""
    convolve = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[x.dim() - 2]
    for layer in (module.block1_conv1, module.block2_conv1):
        x = F.relu(convolve(x, layer.weight, layer.bias, stride=2, padding=1))
    x = F.relu(F.linear(x.contiguous().flatten(1), module.hidden1.weight, module.hidden1.bias))
    return F.linear(x, module.output.weight, module.output.bias)


@pytest.mark.parametrize(
    ("shape", "parameters", "axes"),
    [
        ((20,), {}, None),
        ((25,), {}, (1, 5, 5)),
        ((30,), {"image_shape": (5, 6)}, (1, 5, 6)),
        ((60,), {"image_shape": (4, 5, 3)}, (4, 5, 3)),
        ((6, 7), {}, (1, 6, 7)),
        ((6, 7, 3), {}, "last"),
        ((3, 6, 7), {"data_format": "channels_first"}, "first"),
        ((9, 4), {"data_format": "channels_last"}, "last"),
        ((4, 9), {"data_format": "channels_first"}, "first"),
        ((3, 4, 5), {"data_format": "no_channels"}, (1, 3, 4, 5)),
        ((3, 4, 5, 2), {}, "last"),
    ],
)
def test_a_forward_pass_equals_a_plain_one_of_torch(shape, parameters, axes):
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(12, *shape)), rng.normal(size=12)
    model = ConvNetRegressor(**SMALL, dtype="float64", **parameters).fit(X, y)
    x = torch.tensor(X)
    if axes == "last":
        x = x.movedim(-1, 1)
    elif axes is None:
        x = x.unsqueeze(1)
    elif axes == (4, 5, 3):
        x = x.reshape(12, *axes).movedim(-1, 1)
    elif axes != "first":
        x = x.reshape(12, *axes)
    expected = plain_forward(model.module_, x).detach().numpy().ravel()
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-10)


@pytest.mark.parametrize("downsample", ["max", "average"])
@pytest.mark.parametrize("normalization", ["batch", "layer"])
def test_blocks_pool_and_normalize_as_torch_does(downsample, normalization, images):
    X, y = images
    model = ConvNetClassifier(
        **SMALL, downsample=downsample, normalization=normalization, dtype="float64"
    ).fit(X[:200], y[:200])
    pool = F.max_pool2d if downsample == "max" else F.avg_pool2d
    module, x = model.module_, torch.tensor(X[:20]).unsqueeze(1)
    for block in ("block1", "block2"):
        conv = getattr(module, f"{block}_conv1")
        norm = getattr(module, f"{block}_conv1_normalization")
        x = F.conv2d(x, conv.weight, conv.bias, padding=1)
        if normalization == "batch":
            x = F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)
        else:
            x = F.group_norm(x, 1, norm.weight, norm.bias)
        x = pool(F.relu(x), 2)
    x = F.relu(module.hidden1(x.flatten(1)))
    expected = module.output(x).softmax(1).detach().numpy()
    np.testing.assert_allclose(model.predict_proba(X[:20]), expected, rtol=1e-10)


def test_padding_of_an_even_kernel_is_one_more_behind():
    x = torch.arange(1.0, 7).view(1, 1, 2, 3)
    expected = F.pad(x, (0, 1, 1, 2))
    assert torch.equal(pad_evenly((3, 1))(x), expected)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_training_equals_a_plain_loop_of_torch(solver, images):
    X, y = images
    # scikit-learn's Adam adds epsilon elsewhere.
    parameters = {**SMALL, "solver": solver, "epsilon": 1e-14, "shuffle": False, "dtype": "float64"}
    parameters["alpha"] = 0.0
    model = ConvNetClassifier(**parameters, learning_rate_init=0.01).initialize(X, y)
    weights = {name: value.clone() for name, value in model.module_.state_dict().items()}
    plain = nn.Sequential(
        nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 8, 3, 2, 1), nn.ReLU(), nn.Flatten(),
        nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 10),
    ).double()  # fmt: skip
    plain.load_state_dict(dict(zip(plain.state_dict(), weights.values())))
    if solver == "adam":
        optimiser = torch.optim.Adam(plain.parameters(), lr=0.01, eps=1e-14)
    else:
        optimiser = torch.optim.SGD(plain.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    x, target = torch.tensor(X).unsqueeze(1), torch.tensor(y)
    for _ in range(2):
        for start in range(0, len(x), 200):
            loss = F.cross_entropy(plain(x[start : start + 200]), target[start : start + 200])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    model = ConvNetClassifier(**parameters, learning_rate_init=0.01).fit(X, y)
    expected = plain(x).softmax(1).detach().numpy()
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-6)


# Images as they come.


def test_all_layouts_give_the_same_network(colours):
    X, y = colours
    layouts = [
        (X, {}),
        (X.transpose(0, 3, 1, 2), {"data_format": "channels_first"}),
        (X.reshape(40, -1), {"image_shape": (9, 7, 3)}),
        (X.astype(float), {}),
        (X.tolist(), {}),
        (torch.tensor(X), {}),
    ]
    probabilities = [
        ConvNetClassifier(**SMALL, preprocessing="unit", dtype="float64", **parameters)
        .fit(images, y)
        .predict_proba(images)
        for images, parameters in layouts
    ]
    for other in probabilities[1:]:
        np.testing.assert_allclose(other, probabilities[0], rtol=1e-9)


@pytest.mark.parametrize(
    ("preprocessing", "offset", "factor"),
    [("unit", 0, 1 / 255), ("symmetric", 127.5, 1 / 127.5), (lambda x: x / 255, 0, 1 / 255)],
)
def test_preprocessing_equals_scaling_by_hand(preprocessing, offset, factor, colours):
    X, y = colours
    model = ConvNetClassifier(**SMALL, preprocessing=preprocessing, dtype="float64").fit(X, y)
    by_hand = ConvNetClassifier(**SMALL, dtype="float64").fit((X - offset) * factor, y)
    scaled = by_hand.predict_proba((X - offset) * factor)
    np.testing.assert_allclose(model.predict_proba(X), scaled, rtol=1e-9)


def test_pixels_of_imagenet_are_standardised():
    model = initialized((2, 2, 3), preprocessing="imagenet", filters=1)
    mean_pixel = 255 * torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    layer = model.module_.preprocessing
    torch.testing.assert_close(layer(mean_pixel), torch.zeros(1, 3, 1, 1), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        layer(mean_pixel + 255)[0, :, 0, 0], 1 / torch.tensor([0.229, 0.224, 0.225])
    )


def test_rows_go_through_a_scaler_in_a_pipeline(digits):
    X, y = digits
    pipeline = make_pipeline(MinMaxScaler(), ConvNetClassifier(max_iter=30, random_state=0))
    assert cross_val_score(pipeline, X, y, cv=3).mean() > 0.9


def test_a_network_can_be_made_of_any_module(images):
    X, y = images
    backbone = nn.Sequential(nn.Conv2d(1, 6, 3), nn.Tanh())
    model = ConvNetClassifier(features=backbone, frozen_layers="features*", **SMALL).fit(X, y)
    assert torch.equal(model.module_.features[0].weight.detach(), backbone[0].weight.detach())
    assert model.module_.hidden1.in_features == 6 * 6 * 6


def test_a_module_made_by_a_function_depends_on_random_state_alone(images):
    X, y = images
    make = lambda shape: nn.Conv2d(shape[0], 6, 3)  # noqa: E731
    model = ConvNetClassifier(features=make, **SMALL)
    before = torch.random.get_rng_state()
    first = clone(model).fit(X, y).predict_proba(X)
    torch.random.default_generator.manual_seed(7)
    second = clone(model).fit(X, y).predict_proba(X)
    torch.random.set_rng_state(before)
    np.testing.assert_array_equal(first, second)
    other = clone(model).set_params(random_state=1).fit(X, y).predict_proba(X)
    assert not np.array_equal(first, other)


# Training.


def test_filters_keep_their_largest_norm(images):
    X, y = images
    model = ConvNetClassifier(**SMALL, max_norm=[0.5, None], hidden_max_norm=0.3).fit(X, y)
    norms = model.module_.block1_conv1.weight.flatten(1).norm(dim=1)
    assert norms.max() <= 0.5 + 1e-5
    assert model.module_.block2_conv1.weight.flatten(1).norm(dim=1).max() > 0.5
    assert model.module_.hidden1.weight.norm(dim=1).max() <= 0.3 + 1e-5


def test_blocks_have_values_of_their_own(images):
    X, y = images
    model = ConvNetClassifier(
        filters=((3, 4), 5),
        kernel_size=((5, 3), [(1, 3)]),
        padding=("same", "valid"),
        downsample=("average", None),
        normalization=("batch", None),
        activation=("tanh", nn.ELU),
        dropout=(0.0, 0.5),
        max_iter=1,
    ).fit(X, y)
    names = [type(layer).__name__ for layer in model.module_][1:-4]  # no input, no dense layers
    assert names == [
        *("Conv2d", "BatchNorm", "Tanh") * 2,
        *("AvgPool2d", "Conv2d", "ELU", "Dropout"),
    ]
    assert [
        tuple(layer.kernel_size) for layer in model.module_ if isinstance(layer, nn.Conv2d)
    ] == [
        (5, 5),
        (3, 3),
        (1, 3),
    ]


class Recorder:
    """An augmentation that counts the images it sees."""

    def __init__(self):
        self.n_images = 0

    def __deepcopy__(self, memo):
        return self

    def __call__(self, x):
        self.n_images += len(x)
        return x


def test_augmentation_sees_training_batches_only(images):
    X, y = images
    recorder = Recorder()
    model = ConvNetClassifier(**SMALL, augmentation=recorder, early_stopping=True)
    model.fit(X[:500], y[:500]).predict(X)
    assert recorder.n_images == 2 * 450


def test_augmentation_gives_the_same_bits_for_the_same_seed(images):
    X, y = images
    model = ConvNetClassifier(**SMALL, augmentation=nn.Sequential(RandomShift(0.2)))
    first, second = (clone(model).fit(X, y).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    plain = clone(model).set_params(augmentation=None).fit(X, y).predict_proba(X)
    assert not np.array_equal(first, plain)


def test_augmentation_is_no_part_of_the_fitted_network(images):
    X, y = images
    model = ConvNetClassifier(**SMALL, augmentation=nn.BatchNorm2d(1)).fit(X, y)
    assert not any("augmentation" in name for name in model.module_.state_dict())
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_augmentation_can_be_searched(images):
    X, y = images
    grid = {"augmentation": [None, RandomShift(0.1)], "filters": [(4,), ((4, 4), 8)]}
    search = GridSearchCV(ConvNetClassifier(max_iter=2), grid, cv=2).fit(X[:200], y[:200])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_search_has_the_same_scores_under_the_stacked_backend(images):
    X, y = images
    search = GridSearchCV(ConvNetClassifier(**SMALL), {"alpha": [1e-4, 1e-2]}, cv=2)
    alone = clone(search).fit(X[:300], y[:300]).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend="stacked"):
        together = clone(search).fit(X[:300], y[:300]).cv_results_["mean_test_score"]
    np.testing.assert_allclose(together, alone)


@pytest.mark.parametrize("parameters", [{}, {"normalization": "batch", "dropout": 0.2}])
def test_a_pickle_predicts_the_same_bits_and_goes_on(parameters, images):
    X, y = images
    model = ConvNetClassifier(**SMALL, **parameters).partial_fit(X, y, classes=range(10))
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    model.partial_fit(X, y)
    loaded.partial_fit(X, y)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_architecture_as_text_makes_the_same_network(images, tmp_path):
    X, y = images
    model = ConvNetClassifier(**{**architectures.STRIDED, "max_iter": 1}).fit(X, y)
    model.save_weights(tmp_path / "weights.npz")
    rebuilt = from_json(model.to_json()).load_weights(tmp_path / "weights.npz")
    np.testing.assert_array_equal(rebuilt.predict_proba(X), model.predict_proba(X))


def test_weights_lie_in_the_memory_order_of_fast_convolutions(images):
    X, y = images
    model = ConvNetClassifier(**SMALL).fit(X, y)
    for each in (model, pickle.loads(pickle.dumps(model))):
        weight = each.module_.block2_conv1.weight
        assert weight.is_contiguous(memory_format=torch.channels_last)


def test_top_k_gives_the_most_probable_classes_first(images):
    X, y = images
    names = np.array(list("abcdefghij"))
    model = ConvNetClassifier(**SMALL).fit(X, names[y])
    labels, probability = model.top_k(X, k=3)
    order = np.argsort(-model.predict_proba(X), axis=1)[:, :3]
    np.testing.assert_array_equal(labels, names[order])
    np.testing.assert_array_equal(labels[:, 0], model.predict(X))
    assert (np.diff(probability, axis=1) <= 0).all()


def test_an_initialized_network_predicts_without_training(images):
    X, y = images
    model = ConvNetClassifier(**SMALL).initialize(X[:50], y[:50])
    assert model.predict_proba(X).shape == (len(X), 10)
    assert (model.n_iter_, model.t_, model.loss_curve_) == (0, 0, [])


# Bad input.


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"kernel_size": 9, "padding": "valid"}, r"block1_conv1: a kernel of size \(9, 9\)"),
        ({"filters": (4,) * 5, "downsample": "max"}, r"block4_pool: a pool of size \(2, 2\)"),
        ({"pool_size": 20, "downsample": "max"}, r"block1_pool: .* the image, \(8, 8\)"),
        ({"loss": "hinge"}, "The 'loss' parameter"),
        ({"filters": ()}, "filters must give a convolution"),
        ({"filters": ((4, 0),)}, "filters must be integers > 0"),
        ({"kernel_size": [3]}, "kernel_size must be one value or one for each of the 2 blocks"),
        ({"kernel_size": [(3, 3), 3]}, "its 1 convolutions"),
        ({"kernel_size": [["x"], 3]}, "kernel_size must be an integer > 0"),
        ({"strides": [[0], 1]}, "strides must be an integer > 0"),
        ({"pool_size": [(1, 2, 3), 2]}, "each of the 2 dimensions"),
        ({"padding": ["same", "x"]}, "padding must be one of"),
        ({"padding": ["same", -1]}, "padding must be one of"),
        ({"downsample": ["max", "min"]}, "downsample must be one of"),
        ({"normalization": ["batch", "x"]}, "normalization must be one of"),
        ({"activation": ["relu", "x"]}, "activation must be one of"),
        ({"max_norm": [1, -1]}, "max_norm must be None or > 0"),
        ({"dropout": [0.5, 1.0]}, r"dropout must lie in \[0, 1\)"),
        ({"hidden_dropout": [0.5, 0.5]}, "hidden_dropout must be one value or one for each"),
        ({"image_shape": (4, 4)}, r"image_shape=\(4, 4\) does not fit samples of shape \[8, 8\]"),
        ({"preprocessing": "imagenet"}, "needs images of 3 channels, got 1"),
        ({"preprocessing": torch.sum}, "preprocessing must return one output of"),
        ({"features": nn.Linear(3, 4)}, r"features cannot read images of shape \(1, 8, 8\)"),
        ({"solver": "lbfgs", "augmentation": RandomShift(0.1)}, "does not work with augmentation"),
    ],
)
def test_a_bad_parameter_is_named(parameters, message, images):
    X, y = images
    with pytest.raises(ValueError, match=message):
        ConvNetClassifier(**{"filters": (4, 8), **parameters}).fit(X[:50], y[:50])


@pytest.mark.parametrize("shape", [(8, 7), (7, 8), (64,), (8, 8, 1), (1, 8, 8)])
def test_images_of_another_shape_raise_at_predict(shape, images):
    X, y = images
    model = ConvNetClassifier(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match=r"samples of shape \(8, 8\)|expecting 8 features"):
        model.predict(np.zeros((3, *shape)))


def test_another_number_of_channels_raises_at_predict(colours):
    X, y = colours
    model = ConvNetClassifier(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match=r"shape \(9, 7, 1\).*shape \(9, 7, 3\)"):
        model.predict(X[..., :1])


def test_samples_of_too_many_dimensions_are_no_images():
    with pytest.raises(ValueError, match="no images of one, two or three dimensions"):
        ConvNetClassifier().fit(np.zeros((4, 2, 2, 2, 2, 2)), [0, 1, 0, 1])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_images_that_are_not_finite_raise(value, images):
    X, y = images
    X = X.copy()
    X[3, 4, 5] = value
    with pytest.raises(ValueError, match="contains NaN|contains infinity"):
        ConvNetClassifier().fit(X, y)


def test_images_without_pixels_raise():
    with pytest.raises(ValueError, match="hold nothing"):
        ConvNetClassifier().fit(np.zeros((4, 0, 3)), [0, 1, 0, 1])


def test_one_image_can_be_learnt_and_predicted(images):
    X, y = images
    model = ConvNetClassifier(**SMALL, normalization="batch").fit(X[:1], y[:1])
    assert model.predict(X[:1]) == y[:1]
