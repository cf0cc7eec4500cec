"""Displays draw what they say: their artists hold the images, variants and matches."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_sample_image

from sknn_basics.displays import AugmentationDisplay, MatchMapDisplay
from sknn_basics.modules import RandomFlip, RandomShift
from sknn_basics.preprocessing import FilterBank

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

STRIPE = [[[-1, 1, -1]] * 3]


@pytest.fixture
def digit():
    """A digit of 8 x 8 pixels in [0, 1]."""
    return load_digits().images[3] / 16


@pytest.fixture
def photo():
    """A colour photo of 24 x 40 pixels, bytes."""
    return load_sample_image("flower.jpg")[200:224, 300:340]


def tiles_of(display, n_tiles):
    """Cut what was drawn into its tiles."""
    mosaic = np.asarray(display.ax_.images[0].get_array())
    height, width = display.image.shape[:2]
    gap = 1 + max(height, width) // 32
    n_columns = (mosaic.shape[1] + gap) // (width + gap)
    corners = [divmod(number, n_columns) for number in range(n_tiles)]
    return np.stack(
        [
            mosaic[row * (height + gap) :, column * (width + gap) :][:height, :width]
            for row, column in corners
        ]
    )


def test_the_first_tile_is_the_image(digit):
    display = AugmentationDisplay.from_augmentation(RandomShift(0.2), digit, n_variants=3)
    np.testing.assert_array_equal(tiles_of(display, 1)[0], digit)


def test_the_other_tiles_are_the_variants(digit):
    display = AugmentationDisplay.from_augmentation(RandomFlip(), digit, random_state=0)
    tiles = tiles_of(display, 16)[1:]
    np.testing.assert_array_equal(tiles, display.variants)
    flipped = [np.array_equal(tile, digit[:, ::-1]) for tile in tiles]
    plain = [np.array_equal(tile, digit) for tile in tiles]
    assert any(flipped)
    assert any(plain)
    assert all(a or b for a, b in zip(flipped, plain))


def test_variants_are_those_that_a_network_would_see(photo):
    def lighten(x):
        return x + 50

    display = AugmentationDisplay.from_augmentation(lighten, photo, n_variants=1)
    assert display.variants.shape == (1, 24, 40, 3)
    np.testing.assert_array_equal(display.variants[0], photo.astype(float) + 50)
    # What is brighter than white is white.
    expected = np.minimum(photo.astype(float) + 50, 255) / 255
    np.testing.assert_allclose(tiles_of(display, 2)[1], expected)


def test_no_augmentation_changes_nothing(photo):
    display = AugmentationDisplay.from_augmentation(None, photo, n_variants=2)
    np.testing.assert_allclose(tiles_of(display, 3), [photo / 255] * 3)


def test_channels_first_images_are_shown_as_channels_last(photo):
    last = AugmentationDisplay.from_augmentation(RandomShift(0.2), photo, random_state=0)
    first = AugmentationDisplay.from_augmentation(
        RandomShift(0.2), np.moveaxis(photo, -1, 0), random_state=0, data_format="channels_first"
    )
    np.testing.assert_array_equal(first.ax_.images[0].get_array(), last.ax_.images[0].get_array())


def test_the_same_seed_draws_the_same_variants(digit):
    displays = [
        AugmentationDisplay.from_augmentation(RandomShift(0.2), digit, random_state=seed)
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(displays[0].variants, displays[1].variants)
    assert not np.array_equal(displays[0].variants, displays[2].variants)


def test_global_random_state_stays(digit):
    before = torch.get_rng_state()
    AugmentationDisplay.from_augmentation(torch.nn.Dropout(0.5), digit)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_function_that_draws_once_a_batch_still_varies(digit):
    def roll(x, generator):
        return x.roll(int(torch.randint(8, (), generator=generator)), -1)

    display = AugmentationDisplay.from_augmentation(roll, digit, random_state=0)
    assert len(np.unique(display.variants, axis=0)) > 1


def test_a_display_draws_into_the_axes_it_is_given(digit):
    _, ax = plt.subplots()
    display = AugmentationDisplay.from_augmentation(RandomShift(0.2), digit, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure


def test_the_grid_has_the_columns_that_are_asked_for(digit):
    display = AugmentationDisplay.from_augmentation(
        RandomShift(0.2), digit, n_variants=5, n_columns=3
    )
    assert display.ax_.images[0].get_array().shape == (2 * 9 - 1, 3 * 9 - 1)
    assert display.plot(n_columns=6).ax_.images[0].get_array().shape == (8, 6 * 9 - 1)


def test_image_and_map_are_drawn(photo):
    bank = FilterBank(np.reshape([1, 1, -1], (1, 1, 1, 3)))
    display = MatchMapDisplay.from_filter_bank(bank, photo)
    image, match_map = (ax.images[0].get_array() for ax in display.axes_)
    np.testing.assert_allclose(image, photo / 255)
    np.testing.assert_array_equal(match_map, photo.astype(int) @ [1, 1, -1])


def test_matches_above_the_threshold_are_marked(photo):
    bank = FilterBank(np.reshape([1, 1, -1], (1, 1, 1, 3)))
    display = MatchMapDisplay.from_filter_bank(bank, photo, threshold=300)
    marks = display.axes_[2].images[1].get_array()
    np.testing.assert_array_equal(marks[..., 3] > 0, photo.astype(int) @ [1, 1, -1] > 300)


def test_the_threshold_of_the_bank_is_the_default(digit):
    display = MatchMapDisplay.from_filter_bank(FilterBank(STRIPE, threshold=0.5), digit)
    assert display.threshold == 0.5
    assert set(np.unique(display.match_map)) != {0.0, 1.0}


def test_a_smaller_map_lies_over_the_pixels_that_it_is_about(digit):
    display = MatchMapDisplay.from_filter_bank(FilterBank(STRIPE), digit, threshold=1)
    _, marks = display.axes_[2].images
    assert marks.get_extent() == [0.5, 6.5, 6.5, 0.5]
    assert display.axes_[2].get_xlim() == display.axes_[0].get_xlim() == (-0.5, 7.5)


def test_any_filter_of_the_bank_is_shown(digit):
    bank = FilterBank(np.random.default_rng(0).normal(size=(3, 2, 2)))
    display = MatchMapDisplay.from_filter_bank(bank, digit, filter_index=2)
    np.testing.assert_array_equal(
        display.axes_[1].images[0].get_array(), bank.transform([digit])[0, ..., 2]
    )


def test_channels_first_images_are_matched_as_channels_last(photo):
    filters = np.random.default_rng(0).normal(size=(2, 3, 3, 3))
    last = MatchMapDisplay.from_filter_bank(FilterBank(filters), photo, filter_index=1)
    first = MatchMapDisplay.from_filter_bank(
        FilterBank(filters, data_format="channels_first"), np.moveaxis(photo, -1, 0), filter_index=1
    )
    np.testing.assert_array_equal(first.image, last.image)
    np.testing.assert_array_equal(first.match_map, last.match_map)


def test_a_match_map_takes_as_many_axes_as_it_needs(digit):
    _, axes = plt.subplots(1, 3)
    display = MatchMapDisplay.from_filter_bank(FilterBank(STRIPE), digit, threshold=1, ax=axes)
    assert list(display.axes_) == list(axes)
    with pytest.raises(ValueError, match="ax must be 2 axes, got 3"):
        MatchMapDisplay.from_filter_bank(FilterBank(STRIPE), digit, ax=axes)


def test_a_missing_filter_raises(digit):
    with pytest.raises(IndexError, match="filter_index=1, of 1 filters"):
        MatchMapDisplay.from_filter_bank(FilterBank(STRIPE), digit, filter_index=1)


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (np.zeros((8, 8, 2)), {}, r"got shape \(8, 8, 2\)"),
        (np.zeros(8), {}, r"got shape \(8,\)"),
        (np.zeros((3, 8, 8)), {"data_format": "no_channels"}, r"got shape \(3, 8, 8\)"),
        (np.full((8, 8), np.nan), {}, "image contains NaN"),
        (np.zeros((8, 8)), {"data_format": "NCHW"}, "data_format must be one of"),
        (np.zeros((8, 8)), {"n_variants": 0}, "n_variants must be an integer > 0"),
        (np.zeros((8, 8)), {"n_columns": 0}, "n_columns must be an integer > 0"),
    ],
)
def test_what_cannot_be_shown_raises(image, options, message):
    with pytest.raises(ValueError, match=message):
        AugmentationDisplay.from_augmentation(RandomFlip(), image, **options)


def test_a_missing_library_is_told_with_its_extra(digit, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"AugmentationDisplay .* 'sknn_basics\[plot\]'"):
        AugmentationDisplay.from_augmentation(RandomFlip(), digit)


def test_matplotlib_is_not_imported_before_something_is_drawn():
    code = "import sys, sknn_basics.displays; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
