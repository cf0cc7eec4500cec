"""Transformers of images: pixels to numbers, files to images, images to match maps."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sknn_basics.preprocessing import PixelScaler


@pytest.fixture
def all_bytes():
    """Every byte once, as one image."""
    return np.arange(256, dtype=np.uint8).reshape(1, 16, 16)


def test_bytes_are_divided_by_255(all_bytes):
    scaled = PixelScaler().fit_transform(all_bytes)
    np.testing.assert_array_equal(scaled, all_bytes.astype(np.float32) / np.float32(255))


@pytest.mark.parametrize("feature_range", [(0, 1), (-1, 1), (-3.5, 7)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scaling_is_that_of_a_min_max_scaler_that_saw_all_bytes(feature_range, dtype, all_bytes):
    column = all_bytes.reshape(-1, 1)
    expected = MinMaxScaler(feature_range).fit_transform(column.astype(float))
    scaled = PixelScaler(feature_range, dtype=dtype).fit_transform(column)
    assert scaled.dtype == dtype
    np.testing.assert_allclose(scaled, expected, rtol=0, atol=2e-6 if dtype == "float32" else 1e-14)


@pytest.mark.parametrize("feature_range", [(0, 1), (-1, 1)])
def test_the_ends_of_the_range_are_met_exactly(feature_range):
    scaled = PixelScaler(feature_range).transform([[0, 255]])
    assert tuple(scaled[0]) == feature_range


def test_nothing_is_learnt_from_the_pixels():
    scaler = PixelScaler().fit([[100, 101]])
    np.testing.assert_array_equal(scaler.transform([[0, 255]]), [[0, 1]])


def test_pixels_are_scaled_without_fit():
    assert PixelScaler().transform([[255]]) == 1


@pytest.mark.parametrize("feature_range", [(0, 1), (-1, 1), (-3.5, 7)])
def test_every_byte_comes_back(feature_range, all_bytes):
    scaler = PixelScaler(feature_range)
    restored = scaler.inverse_transform(scaler.transform(all_bytes))
    assert restored.dtype == np.uint8
    np.testing.assert_array_equal(restored, all_bytes)


def test_what_is_no_pixel_is_clipped_on_the_way_back():
    restored = PixelScaler().inverse_transform([[-0.5, 0.501, 3.0]])
    np.testing.assert_array_equal(restored, [[0, 128, 255]])


def test_pixels_of_another_range_come_back_as_floats():
    scaler = PixelScaler(pixel_range=(0, 4095), dtype="float64")
    X = np.array([[0.0, 17.25, 5000.0]])
    np.testing.assert_allclose(scaler.inverse_transform(scaler.transform(X)), X)


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 4), (6, 4, 4, 3), (6, 2, 4, 4, 3)])
def test_any_number_of_dimensions_keeps_its_shape(shape):
    assert PixelScaler().fit_transform(np.full(shape, 255, np.uint8)).shape == shape


def test_images_of_another_size_are_scaled_as_well():
    scaler = PixelScaler().fit(np.zeros((2, 8, 8)))
    assert scaler.transform(np.zeros((2, 5, 7))).shape == (2, 5, 7)


def test_a_table_of_another_width_raises():
    with pytest.raises(ValueError, match="3 features, but PixelScaler is expecting 4"):
        PixelScaler().fit(np.zeros((2, 4))).transform(np.zeros((2, 3)))


def test_read_only_pixels_stay_as_they_are(all_bytes):
    all_bytes.setflags(write=False)
    PixelScaler().fit_transform(all_bytes)
    np.testing.assert_array_equal(all_bytes.ravel(), np.arange(256))


def test_a_data_frame_keeps_its_names():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"left": [0, 255], "right": [51, 102]}, index=[7, 3])
    scaled = PixelScaler().set_output(transform="pandas").fit_transform(frame)
    assert list(scaled.columns) == ["left", "right"]
    assert list(scaled.index) == [7, 3]
    assert list(PixelScaler().fit(frame).get_feature_names_out()) == ["left", "right"]


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.full((2, 3), np.nan), "NaN"),
        (np.full((2, 3, 3), np.inf), "infinity"),
        (np.zeros(4), "Expected 2D array"),
        (np.zeros((2, 3, 3), dtype="M8[s]"), "must hold numbers"),
        (np.full((2, 3), 1e300), "too large for dtype"),
        (np.zeros((0, 3, 3)), "0 sample"),
        ([["a", "b"]], "could not convert|numeric"),
    ],
)
def test_what_holds_no_pixels_raises(X, message):
    with pytest.raises(ValueError, match=message):
        PixelScaler().fit_transform(X)


@pytest.mark.parametrize("name", ["feature_range", "pixel_range"])
@pytest.mark.parametrize("value", [(1, 0), (0, 0), (0, 1, 2), (0, np.inf), ("0", "1")])
def test_wrong_ranges_raise(name, value):
    with pytest.raises(ValueError, match=f"{name} must be two numbers"):
        PixelScaler(**{name: value}).fit([[0]])


def test_a_search_chooses_the_range(digits):
    X, y = digits
    pipeline = make_pipeline(PixelScaler(pixel_range=(0, 1)), LogisticRegression(max_iter=20))
    grid = {"pixelscaler__feature_range": [(0, 1), (-1, 1)]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X[:100], y[:100])
    assert search.best_params_["pixelscaler__feature_range"] in grid["pixelscaler__feature_range"]


def test_a_pickled_clone_scales_alike(all_bytes):
    scaler = PixelScaler((-1, 1)).fit(all_bytes)
    copied = pickle.loads(pickle.dumps(clone(scaler)))
    np.testing.assert_array_equal(copied.transform(all_bytes), scaler.transform(all_bytes))


def test_images_have_no_feature_names(all_bytes):
    with pytest.raises(NotFittedError):
        PixelScaler().fit(all_bytes).get_feature_names_out()
