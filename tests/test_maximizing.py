"""What filters respond to most, and where: filters, feature maps and their displays."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    QuantileTransformer,
    StandardScaler,
)
from torch import nn

from sknn_basics import ConvNetClassifier, MLPClassifier, RNNClassifier
from sknn_basics.displays import FeatureMapDisplay, FilterDisplay
from sknn_basics.inspection import activations, maximize, total_variation

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:.*filters of .* dead"),
]

IMAGES = load_digits().images / 16
DIGITS = load_digits().target
ROWS = IMAGES.reshape(len(IMAGES), -1)


@pytest.fixture(scope="module")
def convnet():
    return ConvNetClassifier(filters=(16, 32), max_iter=20, random_state=0).fit(IMAGES, DIGITS)


def responses(model, images, layer):
    name = f"{layer}_activation"
    maps = activations(model, images, name)[name]
    own = range(len(images))
    return np.square(maps[own, :, :, own]).sum(axis=(1, 2))


def test_every_live_filter_responds_at_least_five_times_as_strongly(convnet):
    start = np.random.RandomState(0).uniform(-1, 1, size=(32, 8, 8))
    found = maximize(convnet, "block2_conv1", start=start, random_state=0)
    is_dead = np.isnan(found).any(axis=(1, 2))
    before = responses(convnet, start, "block2_conv1")
    after = responses(convnet, np.nan_to_num(found), "block2_conv1")
    responds = ~is_dead & (before > 0)
    assert responds.sum() > 24
    assert (after[responds] >= 5 * before[responds]).all()
    assert (after[~is_dead] > 0).all()


def test_a_unit_of_the_first_layer_finds_its_own_filter(convnet):
    found = maximize(convnet, "block1_conv1", place=(1, 1), bounds=None, random_state=0)
    weights = convnet.module_.block1_conv1.weight.detach().numpy()[:, 0]
    for image, weight in zip(found, weights, strict=True):
        # With a stride of 2 and a row of zeros around, place (1, 1) sees rows and columns 1 to 3.
        assert np.corrcoef(image[1:4, 1:4].ravel(), weight.ravel())[0, 1] > 0.95


def test_dead_filters_are_reported_and_not_drawn():
    model = ConvNetClassifier(filters=(3,), max_iter=1, random_state=0).fit(IMAGES, DIGITS)
    with torch.no_grad():
        model.module_.block1_conv1.weight[1] = 0
        model.module_.block1_conv1.bias[1] = -1
    with pytest.warns(UserWarning, match=r"1 of 3 filters of 'block1_conv1' are dead.*\[1\]"):
        found = maximize(model, "block1_conv1", random_state=0)
    np.testing.assert_array_equal(np.isnan(found).all(axis=(1, 2)), [False, True, False])
    display = FilterDisplay.from_estimator(model, "block1_conv1", random_state=0)
    assert [text.get_text() for text in display.texts_] == ["0", "1, dead", "2"]


def test_the_output_of_a_class_gives_an_input_of_that_class(convnet):
    found = maximize(convnet, "output", random_state=0)
    np.testing.assert_array_equal(convnet.predict(found), convnet.classes_)


def test_filters_do_not_depend_on_which_others_are_asked_for(convnet):
    start = IMAGES[:1]
    some = maximize(convnet, "block1_conv1", [3, 5], start=start, n_steps=10)
    one = maximize(convnet, "block1_conv1", 5, start=start, n_steps=10)
    np.testing.assert_allclose(some[1], one[0], rtol=1e-4, atol=1e-5)


def test_a_single_weight_is_a_single_filter(convnet):
    start = IMAGES[:1]
    by_weight = maximize(convnet, "block1_conv1", weights=np.eye(16)[4], start=start, n_steps=10)
    alone = maximize(convnet, "block1_conv1", 4, start=start, n_steps=10)
    np.testing.assert_allclose(by_weight, alone, rtol=1e-4, atol=1e-5)


def test_total_variation_makes_smoother_images(convnet):
    plain, smooth = (
        maximize(convnet, "block1_conv1", 4, regularizers=weights, random_state=0)
        for weights in (None, {"total_variation": 1.0})
    )
    assert total_variation(torch.tensor(smooth)[:, None]) < total_variation(
        torch.tensor(plain)[:, None]
    )


@pytest.mark.parametrize(
    "options",
    [
        {"parameterization": "fourier"},
        {"transforms": ["jitter", "scale"]},
        {"transforms": [lambda images, generator: images.flip(-1)]},
        {"regularizers": {"norm": 0.1}},
    ],
)
def test_each_option_raises_responses_within_the_bounds(convnet, options):
    found = maximize(convnet, "block1_conv1", random_state=0, **options)
    start = np.random.RandomState(0).uniform(-1, 1, size=(16, 8, 8))
    before = responses(convnet, start, "block1_conv1")
    assert (responses(convnet, found, "block1_conv1") > before).mean() > 0.9
    assert np.abs(found).max() <= 1


def test_the_same_seed_gives_the_same_bits_and_touches_no_state(convnet):
    generator, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    options = {"transforms": ["jitter", "scale"], "n_steps": 5, "random_state": 3}
    first = maximize(convnet, "block1_conv1", **options)
    np.testing.assert_array_equal(first, maximize(convnet, "block1_conv1", **options))
    assert torch.equal(generator, torch.get_rng_state())
    np.testing.assert_array_equal(numpy_state, np.random.get_state()[1])
    assert all(p.requires_grad and p.grad is None for p in convnet.module_.parameters())


def test_linear_steps_of_a_pipeline_are_differentiated():
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(10, max_iter=20, random_state=0))
    pipeline.fit(ROWS, DIGITS)
    found = maximize(pipeline, "output", bounds=(0, 1), n_steps=50, random_state=0)
    start = np.random.RandomState(0).uniform(0, 1, size=(10, 64))
    before, after = (np.diag(activations(pipeline, X)["output"]) for X in (start, found))
    assert found.shape == (10, 64)
    assert (after > before + 1).all()


@pytest.mark.parametrize(
    "step", [QuantileTransformer(n_quantiles=50), FunctionTransformer(np.square)]
)
def test_a_step_that_is_not_linear_is_named(step):
    pipeline = make_pipeline(MinMaxScaler(), step, MLPClassifier(5, max_iter=1, random_state=0))
    pipeline.fit(ROWS, DIGITS)
    name = type(step).__name__
    with pytest.raises(ValueError, match=f"step '{name.lower()}', {name}, is not linear"):
        maximize(pipeline, "output")


def test_units_of_sequences_and_of_any_module_have_inputs_too(convnet):
    model = RNNClassifier(4, max_iter=1, random_state=0).fit(IMAGES[:50], DIGITS[:50])
    assert maximize(model, "hidden1", n_steps=3, random_state=0).shape == (4, 8, 8)
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 2))
    start = np.random.RandomState(0).uniform(-1, 1, size=(1, 1, 8, 8))
    assert maximize(module, "1", start=start, n_steps=3).shape == (3, 1, 8, 8)
    with pytest.raises(ValueError, match="give a start"):
        maximize(module, "1")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"layer": "block9_conv1"}, "no layer 'block9_conv1'"),
        ({"filters": 16}, "from 0 to 15"),
        ({"bounds": (1, 0)}, "bounds"),
        ({"n_steps": 0}, "n_steps"),
        ({"weights": [1.0]}, "16 filters"),
        ({"transforms": ["shake"]}, "'shake'"),
        ({"parameterization": "wavelets"}, "'wavelets'"),
        ({"start": IMAGES[:3]}, "1 or 16"),
    ],
)
def test_bad_arguments_are_named(convnet, options, text):
    with pytest.raises(ValueError, match=text):
        maximize(convnet, **{"layer": "block1_conv1", **options})


def test_feature_maps_are_drawn_over_the_image(convnet):
    plain = FeatureMapDisplay.from_estimator(convnet, IMAGES[3], "block1_conv1", [2, 0])
    over = FeatureMapDisplay.from_estimator(convnet, IMAGES[3], "block1_conv1", overlay=True)
    name = "block1_conv1_activation"
    maps = activations(convnet, IMAGES[3:4], name)[name][0]
    np.testing.assert_array_equal(plain.maps[0], maps[..., 2])
    np.testing.assert_array_equal(plain.maps_[0].get_array(), maps[..., 2])
    assert len(over.maps_) == 16
    with pytest.raises(ValueError, match="no maps"):
        FeatureMapDisplay.from_estimator(convnet, IMAGES[3], "hidden1")
    with pytest.raises(ValueError, match="from 0 to 15"):
        FeatureMapDisplay.from_estimator(convnet, IMAGES[3], "block1_conv1", 16)


def test_filters_of_rows_and_of_colours_are_drawn():
    rows = ConvNetClassifier(filters=(3,), max_iter=1, random_state=0).fit(ROWS, DIGITS)
    display = FilterDisplay.from_estimator(rows, "block1_conv1", n_steps=2, random_state=0)
    assert display.images.shape == (3, 8, 8)
    colours = np.repeat(IMAGES[:50, None], 3, axis=1)
    model = ConvNetClassifier(
        filters=(3,), data_format="channels_first", max_iter=1, random_state=0
    )
    model.fit(colours, DIGITS[:50])
    display = FilterDisplay.from_estimator(model, "block1_conv1", 2, n_steps=2, random_state=0)
    assert display.images.shape == (1, 8, 8, 3)
