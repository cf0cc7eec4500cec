"""Filters with fixed weights match what they are made for, as torch's convolution computes it."""

import pickle

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate
from sklearn.base import clone
from sklearn.datasets import load_digits, load_sample_image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sknn_basics.preprocessing import FilterBank

YELLOWNESS = np.reshape([1, 1, -1], (1, 1, 1, 3))
STRIPE = np.array([[[-1, 1, -1]] * 3])


@pytest.fixture(scope="module")
def photos():
    """Two photos of 20 x 30 pixels, channels last, bytes."""
    china, flower = (load_sample_image(f"{name}.jpg") for name in ("china", "flower"))
    return np.stack([china[100:120, 200:230], flower[200:220, 300:330]])


def random_filters(*shape):
    return np.random.default_rng(0).normal(size=shape)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("size", [(1, 1), (3, 3), (5, 3), (2, 4)])
def test_matches_are_those_of_a_convolution_of_torch(padding, size, photos):
    filters = random_filters(4, *size, 3)
    maps = FilterBank(filters, padding=padding).fit_transform(photos.astype(float))
    expected = torch.nn.functional.conv2d(
        torch.tensor(photos, dtype=torch.float64).permute(0, 3, 1, 2),
        torch.tensor(filters).permute(0, 3, 1, 2),
        padding=padding,
    )
    np.testing.assert_allclose(maps, expected.permute(0, 2, 3, 1), rtol=0, atol=1e-9)


def test_matches_of_grey_images_are_those_of_scipy():
    digits = load_digits().images[:5]
    maps = FilterBank(STRIPE, padding="same").transform(digits)
    expected = [correlate(digit, STRIPE[0].astype(float), mode="constant") for digit in digits]
    np.testing.assert_array_equal(maps[..., 0], expected)


def test_yellowness_is_red_and_green_without_blue(photos):
    maps = FilterBank(YELLOWNESS).transform(photos)
    red, green, blue = np.moveaxis(photos.astype(int), -1, 0)
    np.testing.assert_array_equal(maps[..., 0], red + green - blue)


def test_the_stripe_detector_finds_the_stripe_alone():
    image = np.zeros((9, 9), dtype=np.uint8)
    image[2:7, 4] = 1  # a vertical stripe
    image[1, :] = 1  # and a horizontal one above it
    matches = FilterBank(STRIPE, threshold=3, padding="same").transform([image])[0, ..., 0]
    assert list(zip(*np.nonzero(matches))) == [(3, 4), (4, 4), (5, 4)]


def test_a_threshold_tells_matches_from_others(photos):
    plain = FilterBank(YELLOWNESS).transform(photos)
    matches = FilterBank(YELLOWNESS, threshold=200.0).transform(photos)
    assert 0 < matches.mean() < 1
    np.testing.assert_array_equal(matches, plain >= 200)


def test_a_match_at_the_threshold_is_one():
    assert FilterBank([[[1]]], threshold=5).transform([[[4, 5]]]).ravel().tolist() == [0, 1]


def test_a_match_that_rounding_keeps_below_the_threshold_is_one():
    tenths = np.full((1, 1, 30), 0.1, dtype=np.float32)
    assert FilterBank(tenths, threshold=3).transform(np.ones((1, 1, 30), np.float32)) == 1


def test_each_filter_may_have_its_threshold():
    bank = FilterBank([[[1]], [[2]]], threshold=[3, 8])
    assert bank.transform([[[2, 3, 4]]])[0, 0].tolist() == [[0, 0], [1, 0], [1, 1]]
    with pytest.raises(ValueError, match="one for each of the 2 filters"):
        bank.set_params(threshold=[1, 2, 3]).transform([[[2]]])


def test_cells_that_do_not_matter_are_not_looked_at():
    cross = [[[np.nan, 1, np.nan], [1, 1, 1], [np.nan, 1, np.nan]]]
    images = np.ones((2, 3, 3))
    images[0, [0, 0, 2, 2], [0, 2, 0, 2]] = [0, 1, 0, 1]
    images[1, 1, 0] = 0
    found = FilterBank(cross, threshold="all").transform(images)
    assert found.ravel().tolist() == [1, 0]


def test_pools_keep_the_largest_match_and_the_rest_at_the_edges():
    image = np.arange(35.0).reshape(1, 5, 7)
    maps = FilterBank([[[1]], [[-1]]], pool_size=(2, 3)).transform(image)
    assert maps[0, ..., 0].tolist() == [[9, 12, 13], [23, 26, 27], [30, 33, 34]]
    assert maps[0, ..., 1].tolist() == [[0, -3, -6], [-14, -17, -20], [-28, -31, -34]]


# Ten filters by hand, in three layers, that find a face of 27 x 27 pixels.

BAR, WALL, RISE, FALL, DOT = (
    np.array([row.split() for row in rows.split("/")], dtype=float)
    for rows in (
        "-1 -1 -1 / 1 1 1 / -1 -1 -1",
        "-1 1 -1 / -1 1 -1 / -1 1 -1",
        "-1 -1 1 / -1 1 -1 / 1 -1 -1",
        "1 -1 -1 / -1 1 -1 / -1 -1 1",
        "-1 -1 -1 / -1 1 -1 / -1 -1 -1",
    )
)
STROKES = {"-": BAR, "|": WALL, "/": RISE, "\\": FALL, ".": DOT}
EYE, NOSE, SMILE, CHEEK = (
    ["/-\\", "|.|", "\\-/"],
    [" | ", " | ", "/-\\"],
    ["   ", "\\ /", " - "],
    ["   ", " . ", "   "],
)
FACE = [[EYE, CHEEK, EYE], [CHEEK, NOSE, CHEEK], [CHEEK, SMILE, CHEEK]]


def draw(part) -> np.ndarray:
    """Draw a part of 9 x 9 pixels of strokes, of 3 x 3 each."""
    blank = np.zeros((3, 3))
    rows = [[STROKES[name].clip(0) if name in STROKES else blank for name in row] for row in part]
    return np.block(rows)


def filter_of(part) -> np.ndarray:
    """Ask for the strokes of a part, whatever else there is."""
    return np.array([[[float(name == cell) for name in STROKES] for cell in row] for row in part])


def find_face():
    parts = [EYE, NOSE, SMILE, CHEEK]
    whole = [[[float(part is cell) for part in parts] for cell in row] for row in FACE]
    options = {"threshold": "all", "padding": "same", "pool_size": 3}
    return make_pipeline(
        FilterBank(list(STROKES.values()), **options),
        FilterBank([filter_of(part) for part in parts], **options),
        FilterBank([whole], threshold="all"),
    )


def test_a_hierarchy_of_ten_filters_finds_a_face():
    face = np.block([[draw(part) for part in row] for row in FACE])
    assert face.shape == (27, 27)
    without_smile, upside_down = face.copy(), face[::-1]
    without_smile[18:, 9:18] = 0
    found = find_face().transform(np.stack([face, without_smile, upside_down, np.zeros((27, 27))]))
    assert found.shape == (4, 1, 1, 1)
    assert found.ravel().tolist() == [1, 0, 0, 0]


def test_layouts_give_the_same_matches(photos):
    filters = random_filters(4, 3, 3, 3)
    last = FilterBank(filters).transform(photos)
    first = FilterBank(filters, data_format="channels_first").transform(np.moveaxis(photos, -1, 1))
    assert first.shape == (2, 4, 18, 28)
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), last)


def test_many_images_match_as_each_alone():
    images = np.random.default_rng(0).integers(256, size=(40, 128, 128), dtype=np.uint8)
    bank = FilterBank(STRIPE)
    together = bank.transform(images)
    np.testing.assert_array_equal(together[33:34], bank.transform(images[33:34]))


@pytest.mark.parametrize(
    ("dtype", "expected"), [("uint8", "float32"), ("float32", "float32"), ("float64", "float64")]
)
def test_double_precision_stays(dtype, expected, photos):
    assert FilterBank(YELLOWNESS).transform(photos.astype(dtype)).dtype == expected


def test_the_images_stay_as_they_are(photos):
    before = photos.copy()
    FilterBank(YELLOWNESS).transform(photos)
    np.testing.assert_array_equal(photos, before)


def test_a_pipeline_feeds_matches_to_a_model():
    X, y = load_digits(return_X_y=True)
    as_images = FunctionTransformer(np.reshape, kw_args={"shape": (-1, 8, 8)})
    as_rows = FunctionTransformer(np.reshape, kw_args={"shape": (-1, 36)})
    model = make_pipeline(as_images, FilterBank(STRIPE), as_rows, LogisticRegression(max_iter=300))
    assert model.fit(X[:400], y[:400]).score(X[400:800], y[400:800]) > 0.7


def test_a_pickled_clone_matches_alike(photos):
    bank = FilterBank(YELLOWNESS, threshold=200)
    copied = pickle.loads(pickle.dumps(clone(bank)))
    np.testing.assert_array_equal(copied.transform(photos), bank.transform(photos))


@pytest.mark.parametrize(
    ("filters", "shape", "message"),
    [
        (STRIPE, (2, 8, 8, 3), r"filters of shape \(1, 3, 3\) do not fit images of 3 channels"),
        (YELLOWNESS, (2, 8, 8), "do not fit images of 1 channels"),
        ([[1, 2]], (2, 8, 8), r"filters of shape \(1, 2\)"),
        (np.ones((1, 9, 9)), (2, 8, 8), r"filters of \(9, 9\) are larger than the images"),
        (np.full((1, 3, 3), np.inf), (2, 8, 8), "filters contains infinity"),
        (STRIPE, (2, 8), r"X of shape \(2, 8\) holds no images"),
        (STRIPE, (2, 0, 8), r"X of shape \(2, 0, 8\) holds no images"),
    ],
)
def test_what_does_not_fit_raises(filters, shape, message):
    with pytest.raises(ValueError, match=message):
        FilterBank(filters).fit(np.zeros(shape))


def test_images_without_channels_are_no_channels_first():
    with pytest.raises(ValueError, match="data_format='channels_first'"):
        FilterBank(STRIPE, data_format="channels_first").fit(np.zeros((2, 8, 8)))


def test_missing_pixels_raise():
    with pytest.raises(ValueError, match="X contains NaN"):
        FilterBank(STRIPE).fit(np.full((2, 8, 8), np.nan))


@pytest.mark.parametrize("name", ["threshold", "padding", "data_format"])
def test_wrong_parameters_raise(name):
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        FilterBank(STRIPE, **{name: "most"}).fit(np.zeros((2, 8, 8)))
