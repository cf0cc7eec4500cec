"""Transformers of images: pixels to numbers, files to images, images to match maps."""

import io
import pickle
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_sample_image
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sknn_basics.datasets import load_images
from sknn_basics.preprocessing import ImageReader, PixelScaler


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


@pytest.fixture
def files(tmp_path):
    """Three images of 6 x 8 pixels, as files that lose nothing, and their arrays."""
    photo = load_sample_image("china.jpg")
    images = np.stack([photo[start : start + 6, 200:208] for start in (100, 150, 200)])
    paths = [tmp_path / f"photo {number}.png" for number in range(3)]
    for path, image in zip(paths, images):
        Image.fromarray(image).save(path)
    return paths, images


def test_files_of_the_right_size_are_read_unchanged(files):
    paths, images = files
    np.testing.assert_array_equal(ImageReader((6, 8)).transform(paths), images)


def test_images_are_writable_bytes(files):
    images = ImageReader((6, 8)).transform(files[0])
    images[0] = 7
    assert images.dtype == np.uint8
    assert (images[0] == 7).all()


def test_grey_images_are_as_pillow_makes_them(files):
    paths, images = files
    grey = ImageReader((6, 8), mode="L").transform(paths)
    expected = [Image.fromarray(image).convert("L") for image in images]
    np.testing.assert_array_equal(grey, np.stack(expected))


def test_images_are_made_smaller_by_means(tmp_path):
    path = tmp_path / "halves.png"
    Image.fromarray(np.repeat([0, 100, 200, 250], 16).reshape(4, 16).astype(np.uint8)).save(path)
    shrunk = ImageReader((1, 1), mode="L").transform([path])
    assert abs(int(shrunk[0, 0, 0]) - 137) < 15


def test_height_comes_before_width(files):
    assert ImageReader((5, 9)).transform(files[0]).shape == (3, 5, 9, 3)


def test_one_number_is_a_square(files):
    assert ImageReader(4, mode="L").transform(files[0]).shape == (3, 4, 4)


def test_photos_are_turned_upright(tmp_path):
    image = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    image.save(tmp_path / "turned.png", exif=exif)
    (read,) = ImageReader((4, 3), mode="L").transform([tmp_path / "turned.png"])
    np.testing.assert_array_equal(read, np.rot90(np.asarray(image), -1))


def as_series(paths):
    return pytest.importorskip("pandas").Series(map(str, paths), index=[9, 4, 1])


def as_polars(paths):
    return pytest.importorskip("polars").Series(list(map(str, paths)))


@pytest.mark.parametrize(
    "make",
    [
        lambda paths: list(map(str, paths)),
        lambda paths: tuple(paths),
        lambda paths: np.array(list(map(str, paths))),
        lambda paths: np.array(paths, dtype=object)[:, None],
        as_series,
        lambda paths: as_series(paths).to_frame(),
        as_polars,
    ],
)
def test_paths_come_in_any_container(make, files):
    paths, images = files
    np.testing.assert_array_equal(ImageReader((6, 8)).fit_transform(make(paths)), images)


def test_a_column_transformer_reads_a_column_next_to_others(files):
    pd = pytest.importorskip("pandas")
    paths, images = files
    frame = pd.DataFrame({"age": [30, 40, 50], "photo": list(map(str, paths))})
    reader = ImageReader((6, 8), flatten=True)
    columns = make_column_transformer((reader, ["photo"]), ("passthrough", ["age"]))
    X = columns.fit_transform(frame)
    np.testing.assert_array_equal(X[:, :-1], images.reshape(3, -1))
    np.testing.assert_array_equal(X[:, -1], [30, 40, 50])
    assert len(columns.get_feature_names_out()) == 6 * 8 * 3 + 1


def test_no_file_is_left_behind(files, tmp_path):
    before = sorted(tmp_path.iterdir())
    images = ImageReader((6, 8), folder=tmp_path).transform(files[0])
    if sys.platform != "win32":
        assert sorted(tmp_path.iterdir()) == before
    del images
    assert sorted(tmp_path.iterdir()) == before


def test_images_lie_on_disk_and_not_in_memory(files):
    images = ImageReader((6, 8)).transform(files[0])
    base = images
    while isinstance(base, np.ndarray):
        base = base.base
    assert type(getattr(base, "obj", base)).__name__ == "mmap"


def test_images_are_pickled_by_value(files):
    paths, images = files
    copied = pickle.loads(pickle.dumps(ImageReader((6, 8)).transform(paths)))
    np.testing.assert_array_equal(copied, images)


def test_a_missing_file_is_named(files):
    paths = [files[0][0], Path("no such photo.png")]
    with pytest.raises(FileNotFoundError, match=r"X\[1\] is 'no such photo.png'"):
        ImageReader(8).transform(paths)


def write_text(path):
    path.write_text("no image")


def write_half(path):
    Image.fromarray(load_sample_image("flower.jpg")).save(path, format="PNG")
    path.write_bytes(path.read_bytes()[:3000])


def write_half_photo(path):
    Image.fromarray(load_sample_image("flower.jpg")).save(path, format="JPEG")
    path.write_bytes(path.read_bytes()[:3000])


def write_deep(path):
    Image.fromarray(np.full((4, 4), 40_000, dtype=np.uint16)).save(path, format="PNG")


@pytest.mark.parametrize(
    "write", [Path.touch, write_text, write_half, write_half_photo, Path.mkdir]
)
def test_what_is_no_image_is_named(write, tmp_path):
    write(tmp_path / "broken.png")
    with pytest.raises(ValueError, match=r"X\[0\] is '.*broken.png', which is no image"):
        ImageReader(8).transform([tmp_path / "broken.png"])


def test_sixteen_bits_are_not_cut_to_eight_in_silence(tmp_path):
    write_deep(tmp_path / "scan.png")
    with pytest.raises(ValueError, match=r"scan.png.*more than eight bits"):
        ImageReader(8, mode="L").transform([tmp_path / "scan.png"])


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colours_of_sixteen_bits_are_refused(suffix, mode, tmp_path):
    path = tmp_path / f"scan.{suffix}"
    path.write_bytes(SIXTEEN_BITS[suffix](len(mode)))
    with pytest.raises(ValueError, match=rf"scan.{suffix}.*more than eight bits"):
        ImageReader(8).transform([path])


def sixteen_bit_png(n_channels: int) -> bytes:
    """Write a file of 4 x 4 pixels, which Pillow reads but does not write."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    colour_type = {3: 2, 4: 6}[n_channels]
    header = struct.pack(">IIBBBBB", 4, 4, 16, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + struct.pack(">H", 40_000) * 4 * n_channels for _ in range(4))
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def sixteen_bit_tiff(n_channels: int) -> bytes:
    """Write a file of 4 x 4 pixels, which Pillow reads but does not write."""
    pixels = struct.pack("<H", 40_000) * 16 * n_channels
    bits = struct.pack("<H", 16) * n_channels
    start = 8 + len(pixels) + len(bits)
    tags = [
        (256, 4, 1, 4),  # width
        (257, 4, 1, 4),  # height
        (258, 3, n_channels, 8 + len(pixels)),  # bits of each channel
        (259, 3, 1, 1),  # not compressed
        (262, 3, 1, 2),  # colours
        (273, 4, 1, 8),  # where the pixels are
        (277, 3, 1, n_channels),
        (278, 4, 1, 4),  # rows together
        (279, 4, 1, len(pixels)),
        (338, 3, 1, 2),  # what a fourth channel is: opacity
    ][: 10 if n_channels == 4 else 9]
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    return b"II*\0" + struct.pack("<I", start) + pixels + bits + directory


SIXTEEN_BITS = {"png": sixteen_bit_png, "tiff": sixteen_bit_tiff}


@pytest.fixture
def icon(tmp_path):
    """A black square, the left half of it transparent, as most icons are."""
    pixels = np.zeros((8, 8, 4), dtype=np.uint8)
    pixels[:, 4:, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "icon.png")
    return [tmp_path / "icon.png"]


@pytest.mark.parametrize(
    ("background", "seen"),
    [("white", (255, 255, 255)), ("#102030", (16, 32, 48)), ((1, 2, 3), (1, 2, 3))],
)
def test_transparent_pixels_show_the_background(background, seen, icon):
    (image,) = ImageReader(8, background=background).transform(icon)
    assert (image[:, :4] == seen).all()
    assert not image[:, 4:].any()


def test_half_transparent_pixels_mix_with_the_background(tmp_path):
    pixels = np.full((8, 8, 4), [0, 0, 0, 51], dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "veil.png")
    (image,) = ImageReader(8).transform([tmp_path / "veil.png"])
    assert (image == 204).all()


def test_a_transparent_colour_of_a_palette_shows_the_background(tmp_path):
    pixels = np.zeros((8, 8), dtype=np.uint8)
    pixels[:, 4:] = 1
    picture = Image.fromarray(pixels).convert("P")
    picture.putpalette([0, 0, 0, 0, 0, 0])
    picture.save(tmp_path / "icon.gif", transparency=0)
    (image,) = ImageReader(8, mode="L").transform([tmp_path / "icon.gif"])
    assert (image[:, :4] == 255).all()
    assert not image[:, 4:].any()


def test_transparent_pixels_are_refused_without_a_background(icon, tmp_path):
    with pytest.raises(ValueError, match=r"icon.png.*transparent pixels, and background=None"):
        ImageReader(8, background=None).transform(icon)
    opaque = np.full((8, 8, 4), 255, dtype=np.uint8)
    Image.fromarray(opaque).save(tmp_path / "opaque.png")
    assert (ImageReader(8, background=None).transform([tmp_path / "opaque.png"]) == 255).all()


@pytest.mark.parametrize("background", ["whitish", (1, 2), (0, 0, 256), (0.5, 0, 0)])
def test_what_is_no_colour_raises(background, icon):
    with pytest.raises(ValueError, match="background"):
        ImageReader(8, background=background).transform(icon)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("photo.png", "got the single path 'photo.png'"),
        ([], r"got shape \(0,\)"),
        (["a.png", None], r"X\[1\] = None"),
        ([3.0], r"X\[0\] = 3.0"),
        ([["a.png", "b.png"]], r"got shape \(1, 2\)"),
    ],
)
def test_what_are_no_paths_raises(X, message):
    with pytest.raises(ValueError, match=message):
        ImageReader(8).fit(X)


@pytest.mark.parametrize("size", [(0, 8), (8,), (8, 8, 3), (8.5, 8)])
def test_wrong_sizes_raise(size, files):
    with pytest.raises(ValueError, match="size must be an integer > 0"):
        ImageReader(size).fit(files[0])


def test_a_missing_library_is_told_with_its_extra(files, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match=r"pip install 'sknn_basics\[images\]'"):
        ImageReader(8).transform(files[0])


def test_images_have_no_feature_names_unless_they_are_rows(files):
    with pytest.raises(ValueError, match="set flatten=True"):
        ImageReader(8).fit(files[0]).get_feature_names_out()


# Deep images, broken ones, and other sources than paths.


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_grey_images_of_sixteen_bits_are_read_as_they_are(suffix, dtype, tmp_path):
    values = np.arange(0, 60_000, 2_500, dtype=np.uint16).reshape(4, 6)
    Image.fromarray(values).save(tmp_path / f"scan.{suffix}")
    for mode in ("L", "RGB"):
        (read,) = ImageReader((4, 6), mode=mode, dtype=dtype).transform(
            [tmp_path / f"scan.{suffix}"]
        )
        assert read.dtype == dtype
        np.testing.assert_array_equal(read if mode == "L" else read[..., 2], values)


def test_images_of_floats_are_read_as_they_are(tmp_path):
    values = np.linspace(-3, 5, 24, dtype=np.float32).reshape(4, 6)
    Image.fromarray(values).save(tmp_path / "heights.tiff")
    reader = ImageReader((4, 6), mode="L", dtype="float32")
    np.testing.assert_array_equal(reader.transform([tmp_path / "heights.tiff"])[0], values)
    with pytest.raises(ValueError, match="set dtype='float32'"):
        ImageReader((4, 6), dtype="uint16").transform([tmp_path / "heights.tiff"])


def test_bytes_stay_what_they_are_in_a_wider_type(files):
    paths, images = files
    wide = ImageReader((6, 8), dtype="float32").transform(paths)
    assert wide.dtype == np.float32
    np.testing.assert_array_equal(wide, images)


def test_all_that_cannot_be_read_is_listed(files):
    paths, _ = files
    write_text(paths[0])
    Path.unlink(paths[2])
    with pytest.raises(ValueError, match="2 images cannot be read") as error:
        ImageReader(8).transform(paths)
    for name in ("X[0]", "photo 0.png", "X[2]", "photo 2.png", "ImageReader.read"):
        assert name in str(error.value)
    assert "photo 1.png" not in str(error.value)


def test_of_many_broken_files_some_are_listed_and_all_counted(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(30)]
    with pytest.raises(FileNotFoundError, match="30 images cannot be read") as error:
        ImageReader(8).transform(paths)
    assert str(error.value).count("no such file") == 20
    assert "and 10 more" in str(error.value)


def test_what_can_be_read_is_read_with_a_mask(files):
    paths, images = files
    write_half(paths[1])
    read, is_read = ImageReader((6, 8)).read(paths)
    assert is_read.tolist() == [True, False, True]
    np.testing.assert_array_equal(read, images[[0, 2]])


def test_where_nothing_can_be_read_reading_raises(tmp_path):
    write_text(tmp_path / "a.png")
    with pytest.raises(ValueError, match="a.png"):
        ImageReader(8).read([tmp_path / "a.png"])


SOURCES = {
    "bytes": lambda path: path.read_bytes(),
    "files": lambda path: io.BytesIO(path.read_bytes()),
    "images of Pillow": Image.open,
}


@pytest.mark.parametrize("kind", SOURCES)
def test_images_need_not_be_files_on_disk(kind, files):
    paths, images = files
    sources = [SOURCES[kind](path) for path in paths]
    reader = ImageReader((6, 8))
    for _ in range(2):  # which leaves files and images as they were
        np.testing.assert_array_equal(reader.fit(sources).transform(sources), images)


def test_broken_bytes_are_named_by_their_number():
    with pytest.raises(ValueError, match=r"X\[0\] is 3 bytes, which is no image"):
        ImageReader(8).transform([b"abc"])


def test_one_image_is_no_list_of_images(files):
    with Image.open(files[0][0]) as image, pytest.raises(ValueError, match="got the single"):
        ImageReader(8).transform(image)


@pytest.mark.parametrize("name", ["RGB", "L"])
def test_images_are_cropped_on_both_sides_or_padded(name, tmp_path):
    bars = np.repeat([10, 20, 30, 40, 50, 60, 70, 80], 4).reshape(8, 4).T.astype(np.uint8)
    Image.fromarray(bars).save(tmp_path / "bars.png")
    options = {"size": 4, "mode": name}
    cropped, padded, black = (
        ImageReader(**options, **own)
        .transform([tmp_path / "bars.png"])[0]
        .reshape(4, 4, -1)[..., 0]
        for own in ({"resize": "crop"}, {"resize": "pad"}, {"resize": "pad", "background": "black"})
    )
    np.testing.assert_array_equal(cropped, bars[:, 2:6])
    assert (padded[[0, 3]] == 255).all()
    assert (black[[0, 3]] == 0).all()
    np.testing.assert_array_equal(padded[1:3], black[1:3])
    assert (np.diff(padded[1].astype(int)) > 0).all()


def test_folders_are_classes(tmp_path):
    rng = np.random.RandomState(0)
    arrays = rng.randint(256, size=(4, 5, 7, 3)).astype(np.uint8)
    names = ["cats/a.png", "cats/more/b.BMP", "dogs/c.tiff", "dogs/d.png"]
    for name, array in zip(names, arrays):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(tmp_path / name)
    for ignored in ("readme.txt", "cats/notes.txt", "dogs/.hidden.png"):
        (tmp_path / ignored).write_text("no image")
    X, y = load_images(tmp_path, size=(5, 7))
    np.testing.assert_array_equal(X, arrays)
    assert y.tolist() == ["cats", "cats", "dogs", "dogs"]
    (tmp_path / "dogs/e.png").write_text("no image")
    with pytest.raises(ValueError, match="e.png"):
        load_images(tmp_path)
    with pytest.warns(UserWarning, match="1 images cannot be read: .*e.png"):
        X, y = load_images(tmp_path, size=(5, 7), skip_broken=True)
    assert (len(X), y.tolist()) == (4, ["cats", "cats", "dogs", "dogs"])


def test_a_folder_without_classes_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must have a folder for each class"):
        load_images(tmp_path)
    with pytest.raises(NotADirectoryError, match="nowhere"):
        load_images(tmp_path / "nowhere")
