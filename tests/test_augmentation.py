"""Augmentation varies images in training, as its draws say and from its own generator alone."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_sample_image
from sklearn.model_selection import cross_val_predict
from torch import nn

from sknn_basics import ConvNetClassifier, ConvNetRegressor
from sknn_basics.datasets import load_images, save_variants
from sknn_basics.modules import (
    CutMix,
    FunctionAugmentation,
    MixUp,
    RandomAffine,
    RandomBlur,
    RandomColor,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomRotation,
    RandomScale,
    RandomShift,
    RandomTimeShift,
    RandomZoom,
    as_augmentation,
)
from sknn_basics.modules.augmentation import affine_matrix, draw_variants
from sknn_basics.modules.layers import GaussianNoise, seed_random_layers

OURS = {
    "affine": lambda: RandomAffine(shift=0.2, zoom=0.1, rotation=20),
    "shift": lambda: RandomShift(0.2),
    "zoom": lambda: RandomZoom(0.2),
    "rotation": lambda: RandomRotation(20),
    "flip": lambda: RandomFlip(vertical=True),
    "color": lambda: RandomColor(0.2, 0.2, 0.5),
    "crop": lambda: RandomCrop(0.5),
    "erasing": lambda: RandomErasing(0.5),
    "blur": lambda: RandomBlur(2.0),
    "scale": lambda: RandomScale(0.3),
    "sequence": lambda: nn.Sequential(RandomShift(0.2, fill=0), RandomFlip(), GaussianNoise(0.1)),
    "with generator": lambda: as_augmentation(add_own_noise),
    "with global state": lambda: as_augmentation(add_global_noise),
    "module": lambda: as_augmentation(nn.Dropout(0.5)),
}


def add_own_noise(x, generator):
    return x + torch.rand(x.shape, generator=generator, dtype=x.dtype)


def add_global_noise(x):
    return x + torch.rand(x.shape, dtype=x.dtype)


def seeded(layer, seed=0):
    seed_random_layers(layer, torch.Generator().manual_seed(seed))
    return layer.train()


def matrix(x, down=0.0, right=0.0, zoom=1.0, degrees=0.0):
    """Make the matrices of one draw for all of x: shifts in pixels, a turn to the left."""
    height, width = x.shape[-2:]
    values = (2 * down / height, 2 * right / width, zoom, np.deg2rad(degrees))
    columns = [torch.full((len(x),), float(value), dtype=x.dtype) for value in values]
    return affine_matrix(*columns, aspect=width / height)


@pytest.fixture
def digits():
    """Sixteen digits as a batch of shape (16, 1, 8, 8), in double precision."""
    return torch.tensor(load_digits().images[:16, None] / 16)


@pytest.fixture
def labelled():
    """Digits as images of shape (120, 8, 8), and their labels."""
    X, y = load_digits(return_X_y=True)
    return X[:120].reshape(-1, 8, 8) / 16, y[:120]


def network(augmentation):
    return ConvNetClassifier((4,), (), max_iter=2, augmentation=augmentation, random_state=0)


@pytest.fixture
def photos():
    """Two colour photos of 40 x 60 pixels."""
    china, flower = (load_sample_image(f"{name}.jpg") for name in ("china", "flower"))
    photos = np.stack([china[100:140, 200:260], flower[100:140, 200:260]]) / 255
    return torch.tensor(photos).permute(0, 3, 1, 2).contiguous()


@pytest.mark.parametrize("name", OURS)
def test_evaluation_returns_the_batch_itself(name, digits):
    layer = seeded(OURS[name]()).eval()
    assert torch.equal(layer(digits), digits)


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_and_data_type_stay(name, dtype, photos):
    varied = seeded(OURS[name]())(photos.to(dtype))
    assert varied.shape == photos.shape
    assert varied.dtype == dtype


@pytest.mark.parametrize("name", OURS)
def test_the_same_seed_gives_the_same_bits(name, digits):
    first, second = (seeded(OURS[name](), seed=3)(digits) for _ in range(2))
    assert torch.equal(first, second)
    assert not torch.equal(first, seeded(OURS[name](), seed=4)(digits))


@pytest.mark.parametrize("name", OURS)
def test_global_random_state_is_neither_read_nor_touched(name, digits):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = seeded(OURS[name]())(digits)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert torch.equal(seeded(OURS[name]())(digits), first)


@pytest.mark.parametrize("name", OURS)
def test_every_batch_is_varied_anew(name, digits):
    layer = seeded(OURS[name]())
    assert not torch.equal(layer(digits), layer(digits))


@pytest.mark.parametrize("name", ["affine", "shift", "zoom", "rotation"])
def test_every_image_is_varied_by_itself(name, digits):
    same = digits[:1].expand(16, -1, -1, -1)
    varied = seeded(OURS[name]())(same)
    assert len(torch.unique(varied, dim=0)) == 16


@pytest.mark.parametrize("name", ["affine", "flip"])
def test_the_channels_of_an_image_are_varied_alike(name, photos):
    grey = photos[:, :1].expand(-1, 3, -1, -1)
    varied = seeded(OURS[name]())(grey)
    torch.testing.assert_close(varied, varied[:, :1].expand(-1, 3, -1, -1))


@pytest.mark.parametrize("name", OURS)
def test_layers_are_pickled(name, digits):
    layer = OURS[name]()
    copied = pickle.loads(pickle.dumps(layer))
    assert torch.equal(seeded(layer)(digits), seeded(copied)(digits))


@pytest.mark.parametrize(("down", "right"), [(2, 0), (0, 3), (-1, 2), (-3, -2)])
def test_shift_by_whole_pixels_is_a_roll_with_the_fill(down, right, photos):
    shifted = RandomShift(1, fill=0.5).apply_draw(photos, matrix(photos, down, right))

    expected = torch.roll(photos, (down, right), (-2, -1))
    expected[..., slice(None, down) if down > 0 else slice(down or 40, None), :] = 0.5
    expected[..., slice(None, right) if right > 0 else slice(right or 60, None)] = 0.5
    torch.testing.assert_close(shifted, expected)


def test_the_edge_fills_what_a_shift_uncovers(photos):
    shifted = RandomShift(1).apply_draw(photos, matrix(photos, down=4))
    expected = np.pad(photos, ((0, 0), (0, 0), (4, 0), (0, 0)), mode="edge")[..., :40, :]
    torch.testing.assert_close(shifted, torch.from_numpy(expected))


def test_shift_by_half_a_pixel_is_the_mean_of_neighbours(photos):
    shifted = RandomShift(1).apply_draw(photos, matrix(photos, right=-0.5))
    expected = (photos[..., :-1] + photos[..., 1:]) / 2
    torch.testing.assert_close(shifted[..., :-1], expected)


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_quarter_turns_are_those_of_torch(quarter_turns, digits):
    turned = RandomRotation(180, fill=0).apply_draw(
        digits, matrix(digits, degrees=90 * quarter_turns)
    )
    torch.testing.assert_close(turned, torch.rot90(digits, quarter_turns, (-2, -1)))


def test_a_turn_does_not_distort_images_that_are_wider_than_high(photos):
    turned = RandomRotation(180, fill=0).apply_draw(photos, matrix(photos, degrees=90))
    expected = torch.rot90(photos, 1, (-2, -1))[..., 10:50, :]
    torch.testing.assert_close(turned[..., 10:50], expected)


def test_zoom_by_three_enlarges_the_middle(photos):
    zoomed = RandomZoom(0.5).apply_draw(photos, matrix(photos, zoom=3.0))
    # Every third pixel has the centre of an original one.
    torch.testing.assert_close(zoomed[..., ::3, 1::3], photos[..., 13:27, 20:40])


def test_draws_stay_within_their_limits():
    layer = seeded(RandomAffine(shift=0.25, zoom=0.5, rotation=90))
    drawn = layer.draw(torch.zeros(4000, 1, 8, 8, dtype=torch.float64))
    turn, places = drawn[..., :2], drawn[..., 2:]
    zoom = turn.det().rsqrt()
    angle = torch.rad2deg(torch.atan2(turn[:, 1, 0], turn[:, 0, 0]))
    shift = (turn.inverse() @ places / 2).abs()
    assert 0.5 <= zoom.min() < 0.51
    assert 1.49 < zoom.max() <= 1.5
    assert 89 < angle.abs().max() <= 90
    assert 0.249 < shift.max() <= 0.25 + 1e-9


def test_the_parts_of_one_affine_layer_are_the_separate_layers(photos):
    both = seeded(RandomShift(0.2))(photos), seeded(RandomAffine(shift=0.2))(photos)
    assert torch.equal(*both)


@pytest.mark.parametrize(("horizontal", "vertical"), [(True, False), (False, True), (True, True)])
def test_flips_are_those_of_torch(horizontal, vertical, photos):
    layer = RandomFlip(horizontal, vertical)
    flipped = layer.apply_draw(photos, torch.tensor([[True, True], [False, False]]))
    dims = [dim for dim, is_on in ((-1, horizontal), (-2, vertical)) if is_on]
    assert torch.equal(flipped[0], photos[0].flip(dims))
    assert torch.equal(flipped[1], photos[1])


def test_half_of_the_images_are_flipped():
    images = torch.arange(2.0).expand(4000, 1, 1, 2)
    flipped = seeded(RandomFlip())(images)[:, 0, 0, 0]
    assert flipped.mean().item() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("name", ["affine", "flip", "with generator", "with global state"])
def test_draws_of_several_networks_apply_side_by_side(name, digits):
    layers = [seeded(OURS[name](), seed) for seed in (0, 1)]
    alone = torch.stack([layer(digits) for layer in layers])
    drawn = torch.stack([seeded(layer, seed).draw(digits) for seed, layer in enumerate(layers)])
    together = layers[0].apply_draw(torch.stack([digits, digits]), drawn)
    assert torch.equal(together, alone)


def test_none_changes_nothing(digits):
    assert as_augmentation(None).train()(digits) is digits


@pytest.mark.parametrize("name", ["affine", "sequence"])
def test_seeding_leaves_the_given_layer_as_it_was(name):
    given = OURS[name]()
    seeded(as_augmentation(given))
    assert all(getattr(layer, "generator", None) is None for layer in given.modules())


def test_every_part_of_a_sequence_is_seeded(digits):
    sequence = nn.Sequential(RandomFlip(), nn.Sequential(nn.Dropout(0.5), RandomShift(0.1)))
    first, second = (seeded(as_augmentation(sequence))(digits) for _ in range(2))
    assert torch.equal(first, second)


def test_a_function_is_told_what_it_did_to_the_shape(digits):
    layer = seeded(as_augmentation(lambda x: x[..., 1:]))
    with pytest.raises(ValueError, match=r"must keep the shape .*\[16, 1, 8, 8\].*16, 1, 8, 7"):
        layer(digits)


def test_a_function_is_told_what_it_did_to_the_data_type(digits):
    layer = seeded(as_augmentation(torch.Tensor.float))
    with pytest.raises(ValueError, match=r"must keep the dtype .* given .*64, and returned .*32"):
        layer(digits)


def test_a_function_that_returns_no_tensor_is_named(digits):
    with pytest.raises(TypeError, match=r"augmentation as_list must return a tensor, got .*list"):
        seeded(as_augmentation(as_list))(digits)


def test_global_state_is_put_back_after_an_error(digits):
    before = torch.get_rng_state()
    layer = seeded(as_augmentation(draw_and_fail))
    with pytest.raises(RuntimeError, match="on purpose"):
        layer(digits)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_function_that_works_in_place_leaves_the_batch_as_it_was(digits):
    before = digits.clone()
    varied = seeded(as_augmentation(torch.Tensor.zero_))(digits)
    assert not varied.any()
    assert torch.equal(digits, before)


@pytest.mark.parametrize("augmentation", ["flip", 3, RandomFlip, [RandomFlip()]])
def test_something_else_is_no_augmentation(augmentation):
    with pytest.raises(TypeError, match="augmentation must be None"):
        as_augmentation(augmentation)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomShift(1.5), r"fraction must be a number in \[0, 1\], got 1.5"),
        (lambda: RandomShift("0.1"), "fraction must be a number"),
        (lambda: RandomShift(True), "fraction must be a number"),
        (lambda: RandomZoom(1), r"fraction must be a number in \[0, 1\), got 1"),
        (lambda: RandomRotation(-5), r"degrees must be a number in \[0, 180\], got -5"),
        (lambda: RandomAffine(shift=float("nan")), "shift must be a number"),
        (lambda: RandomAffine(rotation=200), "rotation must be a number"),
        (lambda: RandomShift(0.1, fill="wrap"), "fill must be 'edge' or a finite number"),
        (lambda: RandomFlip(horizontal=False), "horizontal=True or vertical=True"),
    ],
)
def test_wrong_parameters_raise(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("shape", [(8, 8), (4, 8, 8), (2, 4, 1, 8, 8)])
def test_what_is_no_batch_of_images_raises(shape):
    with pytest.raises(ValueError, match="n_samples, n_channels, height, width"):
        RandomFlip()(torch.zeros(shape))


def test_bytes_are_no_images_to_interpolate():
    with pytest.raises(ValueError, match=r"takes floats .* got torch.uint8"):
        RandomShift(0.1)(torch.zeros(2, 1, 8, 8, dtype=torch.uint8))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", ["affine", "sequence", "with generator", "with global state"])
def test_a_fit_with_augmentation_repeats_to_the_bit(name, labelled):
    first, second, plain = (
        network(augmentation).fit(*labelled).predict_proba(labelled[0])
        for augmentation in (OURS[name](), OURS[name](), None)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, plain)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_predictions_are_of_the_images_as_they_are(labelled):
    X, y = labelled
    model = network(lambda x: x * 0).fit(X, y)
    assert len(np.unique(model.predict_proba(X), axis=0)) > 1


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_folds_are_augmented_as_in_a_fit_alone(labelled):
    X, y = labelled
    folds = [(np.arange(60), np.arange(60, 120)), (np.arange(60, 120), np.arange(60))]
    model = network(RandomShift(0.2))
    together = cross_val_predict(model, X, y, cv=folds, method="predict_proba")
    alone = network(RandomShift(0.2)).fit(X[60:], y[60:]).predict_proba(X[:60])
    np.testing.assert_array_equal(together[:60], alone)


def as_list(x):
    return x.tolist()


def draw_and_fail(x):
    torch.rand(5)
    raise RuntimeError("on purpose")


def jitter(x):
    """Change the brightness as torchvision's ColorJitter does: one draw a call, cut off at 0, 1."""
    return (x * torch.empty(1).uniform_(0.5, 1.5)).clamp(0, 1)


def test_functions_are_given_bytes_as_numbers_up_to_one():
    seen = []

    def look(x):
        seen.append((x.min().item(), x.max().item()))
        return x

    images = torch.arange(256.0).view(4, 1, 8, 8)
    varied = seeded(as_augmentation(look, reads_bytes=True))(images)
    assert seen == [(0.0, 1.0)]
    torch.testing.assert_close(varied, images)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("error::UserWarning")
def test_bytes_are_varied_as_numbers_in_the_unit_range_are(labelled):
    X, y = labelled
    pixels = np.round(255 * X / X.max()).astype(np.uint8)
    options = {"preprocessing": "unit", "dtype": "float64"}
    bytes_ = network(jitter).set_params(**options).fit(pixels, y)
    floats = network(jitter).set_params(dtype="float64").fit(pixels / 255, y)
    expected = floats.predict_proba(pixels / 255)
    np.testing.assert_allclose(bytes_.predict_proba(pixels), expected, atol=1e-9)


def test_values_that_a_function_cuts_off_are_told(photos):
    layer = seeded(as_augmentation(jitter))
    with pytest.warns(UserWarning, match=r"jitter was given values .* value_range="):
        layer(2 * photos - 1)
    with warnings.catch_warnings(action="error"):
        layer(2 * photos - 1)  # once is enough
        seeded(as_augmentation(jitter))(photos)
        seeded(FunctionAugmentation(jitter, value_range=(-1, 1)))(2 * photos - 1)


def test_images_that_a_function_makes_alike_are_told(photos):
    with pytest.warns(UserWarning, match="has made all images of a batch alike"):
        seeded(as_augmentation(lambda x: x[:1].expand_as(x)))(photos)


def test_per_image_gives_each_image_its_own_draw():
    images = torch.full((8, 1, 2, 2), 0.5)
    together = seeded(FunctionAugmentation(jitter))(images)
    apart = seeded(FunctionAugmentation(jitter, per_image=True))(images)
    assert len(together.unique()) == 1
    assert len(apart.unique()) == 8
    assert torch.equal(apart, seeded(FunctionAugmentation(jitter, per_image=True))(images))


@pytest.mark.parametrize("value_range", [(1, 0), (0, 0), "bytes", (0, 1, 2), (0, float("inf"))])
def test_what_is_no_range_raises(value_range):
    with pytest.raises(ValueError, match="value_range must be"):
        FunctionAugmentation(jitter, value_range=value_range)


class Standardise(nn.Module):
    """Standardise as the transforms of torchvision's weights do, which expect [0, 1]."""

    def forward(self, x):
        return (x - 0.45) / 0.225


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("preprocessing", "message"),
    [
        (Standardise(), "into values up to 1,1"),
        (lambda x: x / 255**2, "into values that differ by"),
    ],
)
def test_preprocessing_to_another_scale_is_told(preprocessing, message, labelled):
    X, y = labelled
    pixels = np.round(255 * X / X.max()).astype(np.uint8)
    with pytest.warns(UserWarning, match=message):
        network(None).set_params(preprocessing=preprocessing).fit(pixels, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize(
    "preprocessing", [lambda x: Standardise()(x / 255), lambda x: x - 128, "imagenet", None]
)
def test_preprocessing_to_a_usual_scale_is_not(preprocessing, labelled):
    X, y = labelled
    pixels = np.round(255 * X / X.max()).astype(np.uint8)
    pixels = np.repeat(pixels[..., np.newaxis], 3, axis=-1)
    network(None).set_params(preprocessing=preprocessing).fit(pixels, y)


# Colours, crops, erasing, blur, signals.


def test_colours_change_by_the_drawn_factors(photos):
    layer = RandomColor(0.5, 0.5, 1.0)
    brighter, greyer, flatter = (
        layer.apply_draw(photos, torch.tensor([factors] * 2, dtype=photos.dtype))
        for factors in ([1.5, 1, 1], [1, 1, 0], [1, 0, 1])
    )
    torch.testing.assert_close(brighter, 1.5 * photos)
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=photos.dtype)[:, None, None]
    grey = (photos * weights).sum(1, keepdim=True).expand_as(photos)
    torch.testing.assert_close(greyer, grey)
    means = photos.mean((1, 2, 3), keepdim=True).expand_as(photos)
    torch.testing.assert_close(flatter, means)


def test_colours_of_bytes_stay_bytes():
    images = np.full((20, 8, 8, 3), 250, dtype=np.uint8)
    seen = []

    class Watching(nn.Module):
        def forward(self, x):
            seen.append(x.max())
            return x

    augmentation = nn.Sequential(RandomColor(brightness=0.5), Watching())
    network(augmentation).fit(images, np.arange(20) % 2)
    assert 0.99 < max(seen) <= 1


def test_a_crop_is_a_part_that_is_enlarged(photos):
    layer = RandomCrop(0.5)
    half = torch.tensor([[[0.5, 0, -0.5], [0, 0.5, 0.5]]] * 2, dtype=photos.dtype)
    # The lower left quarter, in twice its size.
    expected = nn.functional.interpolate(photos[..., 20:, :30], scale_factor=2, mode="bilinear")
    cropped = layer.apply_draw(photos, half)
    torch.testing.assert_close(cropped[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1])
    drawn = seeded(layer).draw(photos.expand(500, 2, -1, -1, -1).flatten(0, 1))
    reach = drawn[:, 0, 0] + drawn[:, :, 2].abs().amax(1)
    assert drawn[:, 0, 0].min() >= 0.5
    assert reach.max() <= 1 + 1e-9


def test_erasing_hides_one_rectangle(photos):
    erased = seeded(RandomErasing(0.5, fill=-1.0))(photos)
    for image, before in zip(erased, photos):
        hidden = (image == -1).all(0)
        rows, columns = hidden.any(1).nonzero(), hidden.any(0).nonzero()
        height, width = (len(places) for places in (rows, columns))
        assert 0 < height <= 21
        assert 0 < width <= 31
        assert hidden.sum() == height * width
        torch.testing.assert_close(image[:, ~hidden], before[:, ~hidden])


def test_a_share_of_the_images_is_erased():
    images = torch.ones(2000, 1, 6, 6)
    is_erased = (seeded(RandomErasing(probability=0.25))(images) == 0).flatten(1).any(1)
    assert 0.2 < is_erased.double().mean() < 0.3


def test_blur_is_that_of_scipy(photos):
    from scipy.ndimage import gaussian_filter

    deviations = torch.tensor([[0.7], [2.0]], dtype=photos.dtype)
    blurred = RandomBlur(2.0).apply_draw(photos, deviations)
    expected = [
        gaussian_filter(photo.numpy(), (0, std, std), mode="nearest", radius=6)
        for photo, std in zip(photos, (0.7, 2.0))
    ]
    np.testing.assert_allclose(blurred, np.stack(expected), atol=1e-6)


@pytest.mark.parametrize("circular", [False, True])
def test_signals_are_shifted_in_time(circular):
    signals = torch.arange(10.0).expand(3, 2, 10)
    drawn = torch.tensor([-2, 0, 3]).view(3, 1, 1)
    shifted = RandomTimeShift(0.3, circular).apply_draw(signals, drawn)
    ends = ([0, 1], [7, 8, 9]) if circular else ([9, 9], [0, 0, 0])
    assert shifted[0, 0].tolist() == [*range(2, 10), *ends[0]]
    assert shifted[1, 1].tolist() == list(range(10))
    assert shifted[2, 1].tolist() == [*ends[1], *range(7)]


def test_strips_are_augmented_as_signals():
    X = np.random.RandomState(0).normal(size=(40, 30))
    augmentation = nn.Sequential(RandomTimeShift(0.1), RandomScale(0.2))
    model = ConvNetClassifier((4,), (), max_iter=2, augmentation=augmentation, random_state=0)
    model.set_params(image_shape=(30,))
    first, again = (model.fit(X, np.arange(40) % 2).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    plain = model.set_params(augmentation=None).fit(X, np.arange(40) % 2)
    assert (plain.predict_proba(X) != first).any()


# Mixtures.


@pytest.mark.parametrize("kind", [MixUp, CutMix])
def test_mixtures_are_of_two_images_by_their_shares(kind, photos):
    images = torch.zeros(60, 3, 20, 30, dtype=torch.float64)
    images += torch.arange(60.0).view(-1, 1, 1, 1)
    layer = seeded(kind(1.0))
    mixed = layer(images)
    others, shares = layer.drawn
    means = mixed.mean((1, 2, 3))
    expected = shares * torch.arange(60) + (1 - shares) * others
    torch.testing.assert_close(means, expected.to(means))
    assert len(set(others.tolist())) == 60
    assert shares.min() < 0.4 < 0.8 < shares.max()
    if kind is CutMix:
        assert all(len(image.unique()) <= 2 for image in mixed)


class WatchedMixUp(MixUp):
    """Keep what was drawn last beyond the fit."""

    last: list = []

    def apply_draw(self, x, drawn):
        mixed = super().apply_draw(x, drawn)
        self.last[:] = [part.double().numpy() for part in self.drawn]
        return mixed


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_of_a_mixture_is_that_of_both_targets(weighted, labelled):
    X, y = labelled
    weight = np.linspace(0.5, 2, len(X)) if weighted else np.ones(len(X))
    model = network(WatchedMixUp(0.5)).set_params(batch_size=120, max_iter=1, alpha=0.0)
    model.set_params(shuffle=False, dtype="float64")
    before = network(None).set_params(dtype="float64").initialize(X, y)
    model.fit(X, y, sample_weight=weight if weighted else None)
    others, shares = WatchedMixUp.last
    others = others.astype(int)
    mixed = shares[:, None, None] * X + (1 - shares)[:, None, None] * X[others]
    losses = -before.predict_log_proba(mixed)
    own, other = weight * shares, weight[others] * (1 - shares)
    rows = np.arange(120)
    expected = (own * losses[rows, y] + other * losses[rows, y[others]]).sum() / (own + other).sum()
    np.testing.assert_allclose(model.history_["train_loss"][0], expected, rtol=1e-6)


def test_two_mixtures_are_refused(labelled):
    with pytest.raises(ValueError, match="mixes samples twice"):
        network(nn.Sequential(MixUp(), CutMix())).fit(*labelled)


@pytest.mark.parametrize("kind", [MixUp, CutMix])
def test_regressors_mix_targets_as_well(kind, labelled):
    X, y = labelled
    model = ConvNetRegressor(
        filters=(4,), hidden_layer_sizes=(), max_iter=3, augmentation=kind(), random_state=0
    )
    first, again = (model.fit(X, y).predict(X) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    plain = model.set_params(augmentation=None).fit(X, y).predict(X)
    assert np.abs(first - plain).max() > 1e-3


# Predictions over variants.


def test_predictions_are_averaged_over_flips(labelled):
    X, y = labelled
    X = X[..., :6]  # not square: a flip is along the right axis only

    class Mirror(RandomFlip):
        def draw(self, x):
            return torch.ones(len(x), 2, dtype=torch.bool)

    plain = network(Mirror()).fit(X, y)
    varied = network(Mirror()).set_params(n_test_variants=1).fit(X, y)
    expected = (plain.predict_proba(X) + plain.predict_proba(X[:, :, ::-1])) / 2
    np.testing.assert_allclose(varied.predict_proba(X), expected, rtol=1e-5)
    np.testing.assert_array_equal(varied.predict(X), expected.argmax(1))


@pytest.mark.parametrize("name", sorted(OURS))
def test_variants_of_predictions_are_the_same_in_every_call_and_batch(name, labelled):
    X, y = labelled
    model = network(OURS[name]()).fit(X, y).set_params(n_test_variants=3)
    probability = model.predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(X), probability)
    loaded = pickle.loads(pickle.dumps(model)) if "with" not in name else model
    np.testing.assert_array_equal(loaded.predict_proba(X), probability)
    if "with" not in name and name != "module":
        np.testing.assert_allclose(model.predict_proba(X[7:9]), probability[7:9], rtol=1e-4)
    np.testing.assert_allclose(probability.sum(1), 1)


def test_bytes_are_varied_as_bytes_in_predictions(labelled):
    X, y = labelled
    bytes_ = (255 * X).astype(np.uint8)
    options = {"n_test_variants": 2, "preprocessing": "unit"}
    model = network(RandomColor(0.5)).set_params(**options).fit(bytes_, y)
    own = model.predict_proba(bytes_)
    ranged = model.set_params(augmentation=RandomColor(0.5, value_range=(0, 255)))
    np.testing.assert_array_equal(own, ranged.predict_proba(bytes_))


def test_variants_need_an_augmentation(labelled):
    with pytest.raises(ValueError, match="n_test_variants=2 needs an augmentation"):
        network(None).set_params(n_test_variants=2).fit(*labelled)


def test_saved_variants_are_those_that_a_network_sees(tmp_path, labelled):
    X, y = labelled
    options = {"n_variants": 2, "random_state": 0}
    paths = save_variants(tmp_path / "a", RandomShift(0.2), X[:6], y[:6], **options)
    again = save_variants(tmp_path / "b", RandomShift(0.2), X[:6], y[:6], **options)
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in again]
    images, labels = load_images(tmp_path / "a", size=8, mode="L")
    assert sorted(labels.tolist()) == sorted(2 * y[:6].astype(str).tolist())
    first = images[labels == str(y[0])][0] / 255
    seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max)
    expected = draw_variants(RandomShift(0.2), X[:1], 2, seed)[0, 0]
    np.testing.assert_allclose(first, expected, atol=0.6 / 255)


def test_saved_colours_stay_bytes(tmp_path):
    images = np.full((2, 4, 4, 3), 200, dtype=np.uint8)
    save_variants(tmp_path, RandomColor(brightness=0.1), images, ["a", "b"], random_state=0)
    read, _ = load_images(tmp_path, size=4)
    assert read.shape == (10, 4, 4, 3)
    assert 180 <= read.min() < 200 < read.max() <= 220
