"""The loaders read the authors' files, and say what is wrong with others."""

import gzip
from itertools import islice

import numpy as np
import pytest

from sknn_basics.datasets import (
    SHAPE_NAMES,
    iter_shapes,
    load_fashion_mnist,
    load_mnist,
    make_shapes,
)


def idx_bytes(values, magic=None):
    magic = bytes([0, 0, 8, values.ndim]) if magic is None else magic
    return magic + np.array(values.shape, dtype=">u4").tobytes() + values.tobytes()


def write_idx(path, values, **kwargs):
    path.write_bytes(gzip.compress(idx_bytes(values, **kwargs)))


def write_fashion_mnist(folder, n_train=6, n_test=4):
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for prefix, n_samples in (("train", n_train), ("t10k", n_test)):
        images = rng.integers(256, size=(n_samples, 28, 28), dtype=np.uint8)
        labels = rng.integers(10, size=n_samples, dtype=np.uint8)
        write_idx(folder / f"{prefix}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", labels)
        arrays[prefix] = images, labels
    return arrays


@pytest.fixture
def small(tmp_path):
    """A folder with ten images in the files of Fashion-MNIST, and their arrays."""
    return tmp_path, write_fashion_mnist(tmp_path)


@pytest.fixture
def no_data(tmp_path, monkeypatch):
    """Empty XDG data folders, the user's and the machine's."""
    user, machine = tmp_path / "user", tmp_path / "machine"
    monkeypatch.setenv("XDG_DATA_HOME", str(user))
    monkeypatch.setenv("XDG_DATA_DIRS", str(machine))
    return user, machine


@pytest.mark.parametrize(("split", "prefix"), [("train", "train"), ("test", "t10k")])
def test_split_is_read_unchanged(small, split, prefix):
    folder, arrays = small
    images, labels = arrays[prefix]

    dataset = load_fashion_mnist(split=split, data_home=folder)

    np.testing.assert_array_equal(dataset.images, images)
    np.testing.assert_array_equal(dataset.data, images.reshape(-1, 784))
    np.testing.assert_array_equal(dataset.target, labels)


def test_no_split_gives_train_then_test(small):
    folder, arrays = small

    X, y = load_fashion_mnist(data_home=folder, return_X_y=True)

    np.testing.assert_array_equal(X[:6], arrays["train"][0].reshape(-1, 784))
    np.testing.assert_array_equal(y[6:], arrays["t10k"][1])


def test_arrays_are_bytes_and_writable(small):
    dataset = load_fashion_mnist(split="test", data_home=small[0])

    assert dataset.data.dtype == np.uint8
    assert dataset.target.dtype == np.int64
    assert dataset.data.flags.writeable
    assert np.shares_memory(dataset.data, dataset.images)


def test_there_is_one_name_a_class(small):
    assert len(set(load_fashion_mnist(data_home=small[0]).target_names)) == 10


def test_one_split_needs_only_its_own_files(small):
    folder, _ = small
    (folder / "train-images-idx3-ubyte.gz").unlink()

    assert len(load_fashion_mnist(split="test", data_home=folder).data) == 4


@pytest.mark.parametrize("layout", ["datasets/fashion-mnist", "fashion-mnist", "FashionMNIST/raw"])
def test_usual_layouts_are_found(no_data, layout):
    write_fashion_mnist(no_data[1] / layout)

    assert len(load_fashion_mnist().data) == 10
    assert len(load_fashion_mnist(data_home=str(no_data[1])).data) == 10


@pytest.mark.parametrize("layout", ["datasets/mnist", "mnist", "MNIST/raw"])
def test_digits_are_found_in_the_usual_layouts(no_data, layout):
    arrays = write_fashion_mnist(no_data[1] / layout)

    dataset = load_mnist(split="test")

    np.testing.assert_array_equal(dataset.images, arrays["t10k"][0])
    assert [dataset.target_names[label] for label in dataset.target] == list(
        map(str, arrays["t10k"][1])
    )


def test_clothes_are_not_taken_for_digits(no_data):
    write_fashion_mnist(no_data[1] / "datasets/fashion-mnist")

    with pytest.raises(FileNotFoundError, match="MNIST was not found"):
        load_mnist()


@pytest.mark.parametrize("load", [load_fashion_mnist, load_mnist])
def test_images_keep_their_shape_where_they_should(small, load):
    folder, arrays = small

    X, _ = load(split="train", data_home=folder, as_images=True, return_X_y=True)

    np.testing.assert_array_equal(X, arrays["train"][0])


def test_user_folder_comes_before_those_of_the_machine(no_data):
    write_fashion_mnist(no_data[0] / "fashion-mnist", n_test=1)
    write_fashion_mnist(no_data[1] / "fashion-mnist", n_test=2)

    assert len(load_fashion_mnist(split="test").data) == 1


def test_missing_files_tell_where_to_get_them(no_data):
    with pytest.raises(FileNotFoundError, match="dataset-fashion-mnist") as error:
        load_fashion_mnist()

    assert all(str(folder / "datasets" / "fashion-mnist") in str(error.value) for folder in no_data)


@pytest.fixture
def openml(monkeypatch):
    """A stand-in for OpenML's copies, and the arguments with which it was asked."""
    asked = []

    def fetch_openml(name, **kwargs):
        asked.append((name, kwargs))
        X = np.broadcast_to(np.arange(70_000)[:, None] % 256, (70_000, 784))
        return X, (np.arange(70_000) % 10).astype(str).astype(object)

    monkeypatch.setattr("sknn_basics.datasets.idx.fetch_openml", fetch_openml)
    return asked


@pytest.mark.parametrize(
    ("load", "name"), [(load_fashion_mnist, "Fashion-MNIST"), (load_mnist, "mnist_784")]
)
def test_what_is_missing_is_fetched(no_data, openml, load, name):
    load(split="test", data_home=no_data[0])

    [(asked, options)] = openml
    assert asked == name
    assert options["version"] == 1
    assert options["data_home"] == str(no_data[0])


@pytest.mark.parametrize(
    ("split", "first", "n_samples"), [("train", 0, 60_000), ("test", 60_000, 10_000)]
)
def test_what_is_fetched_has_the_official_split(no_data, openml, split, first, n_samples):
    dataset = load_mnist(split=split)

    assert dataset.images.shape == (n_samples, 28, 28)
    assert dataset.data.dtype == np.uint8
    np.testing.assert_array_equal(dataset.data[:, 5], np.arange(first, first + n_samples) % 256)
    np.testing.assert_array_equal(dataset.target, np.arange(first, first + n_samples) % 10)


def test_local_files_are_not_fetched(small, openml):
    load_mnist(data_home=small[0])

    assert not openml


def test_nothing_is_fetched_where_that_is_forbidden(no_data, openml):
    with pytest.raises(FileNotFoundError, match="download_if_missing=True fetches"):
        load_mnist(download_if_missing=False)

    assert not openml


def test_missing_network_is_told_next_to_missing_files(no_data):
    with pytest.raises(FileNotFoundError, match="MNIST/raw.*data_home.*tests stay offline"):
        load_mnist()


def test_another_set_under_the_name_is_refused(no_data, monkeypatch):
    other = np.zeros((150, 4)), np.zeros(150)
    monkeypatch.setattr("sknn_basics.datasets.idx.fetch_openml", lambda *_, **__: other)

    with pytest.raises(ValueError, match=r"MNIST of OpenML has shape \(150, 4\)"):
        load_mnist()


def test_data_home_does_not_fall_back_to_other_folders(no_data, tmp_path):
    write_fashion_mnist(no_data[0] / "fashion-mnist")

    with pytest.raises(FileNotFoundError, match="elsewhere"):
        load_fashion_mnist(data_home=tmp_path / "elsewhere")


def test_unknown_split_raises():
    with pytest.raises(ValueError, match="'split' parameter .* Got 'validation'"):
        load_fashion_mnist(split="validation")


def test_file_that_is_not_gzip_raises(small):
    folder, _ = small
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(b"not compressed")

    with pytest.raises(ValueError, match="t10k-labels.* is not a complete gzip file"):
        load_fashion_mnist(data_home=folder)


@pytest.mark.parametrize("n_left", [200, 10])
def test_download_that_stopped_early_raises(small, n_left):
    path = small[0] / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:n_left])

    with pytest.raises(ValueError, match="train-images.* is not a complete gzip file"):
        load_fashion_mnist(data_home=small[0])


def test_wrong_magic_number_raises(small):
    path = small[0] / "train-images-idx3-ubyte.gz"
    write_idx(path, np.zeros((6, 28, 28), np.uint8), magic=bytes([0, 0, 0x0D, 3]))

    with pytest.raises(ValueError, match="starts with '00000d03', not '00000803'"):
        load_fashion_mnist(data_home=small[0])


def test_header_that_is_cut_raises(small):
    path = small[0] / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 3, 0, 0])))

    with pytest.raises(ValueError, match="not an IDX file"):
        load_fashion_mnist(data_home=small[0])


def test_missing_values_raise(small):
    path = small[0] / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx_bytes(np.zeros((4, 28, 28), np.uint8))[:-1]))

    with pytest.raises(ValueError, match="3135 values, but its header announces 3136"):
        load_fashion_mnist(data_home=small[0])


def test_images_of_another_size_raise(small):
    write_idx(small[0] / "t10k-images-idx3-ubyte.gz", np.zeros((4, 32, 32), np.uint8))

    with pytest.raises(ValueError, match=r"images of \(32, 32\), not \(28, 28\)"):
        load_fashion_mnist(data_home=small[0])


def test_images_without_labels_raise(small):
    write_idx(small[0] / "t10k-labels-idx1-ubyte.gz", np.zeros(3, np.uint8))

    with pytest.raises(ValueError, match="4 images, but .* 3 labels"):
        load_fashion_mnist(data_home=small[0])


def test_unknown_label_raises(small):
    write_idx(small[0] / "t10k-labels-idx1-ubyte.gz", np.full(4, 10, np.uint8))

    with pytest.raises(ValueError, match="label 10"):
        load_fashion_mnist(data_home=small[0])


def test_real_set_has_the_published_sizes():
    try:
        dataset = load_fashion_mnist(download_if_missing=False)
    except FileNotFoundError as error:
        pytest.skip(str(error))

    assert dataset.data.shape == (70_000, 784)
    np.testing.assert_array_equal(np.bincount(dataset.target[:60_000]), 6_000)
    np.testing.assert_array_equal(np.bincount(dataset.target[60_000:]), 1_000)
    assert dataset.target_names[dataset.target[0]] == "Ankle boot"


def test_shapes_are_white_strokes_on_black():
    X, y = make_shapes(50, random_state=0)

    assert X.shape == (50, 64, 64)
    assert X.dtype == np.float32
    assert y.dtype == np.int64
    assert X.min() == 0
    np.testing.assert_array_equal(X.max(axis=(1, 2)), 1)


def test_classes_are_equally_frequent():
    _, y = make_shapes(100, size=16, random_state=0)

    np.testing.assert_array_equal(np.bincount(y), [20] * len(SHAPE_NAMES))


@pytest.mark.parametrize("jitter", [0.0, 0.3])
def test_shapes_lie_within_their_images(jitter):
    X, _ = make_shapes(300, size=16, jitter=jitter, random_state=0)

    border = [X[:, 0], X[:, -1], X[:, :, 0], X[:, :, -1]]
    assert not np.any(border)


def drawn(name):
    """Draw one shape without jitter, cut to where it is white."""
    X, y = make_shapes(5, size=64, jitter=0.0, random_state=0)
    image = X[list(y).index(SHAPE_NAMES.index(name))] > 0.5
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def test_three_lines_are_three_runs_in_each_row():
    starts = np.diff(drawn("three lines").astype(int), axis=1, prepend=0) == 1
    assert (starts.sum(axis=1) == 3).mean() > 0.9


def test_a_plus_has_one_full_row_and_one_full_column_in_the_middle():
    image = drawn("plus")
    full = np.flatnonzero(image.all(axis=1)), np.flatnonzero(image.all(axis=0))
    middle = [side // 2 for side in image.shape]
    np.testing.assert_allclose([np.mean(f) for f in full], middle, atol=1.5)


def test_a_u_is_full_at_the_left_the_bottom_and_the_right_only():
    image = drawn("U")
    assert image[:, 1].all()
    assert image[-2].all()
    assert image[:, -2].all()
    assert not image[1, 4:-4].any()


def test_a_z_runs_from_the_upper_right_to_the_lower_left():
    image = drawn("Z")
    anti = np.fliplr(image)
    steps = np.linspace(4, min(image.shape) - 5, 10).astype(int)
    assert anti[steps, steps].all()
    assert image[1].all()
    assert image[-2].all()


def test_a_circle_is_as_far_from_its_centre_everywhere():
    rows, columns = np.nonzero(drawn("circle"))
    distance = np.hypot(rows - rows.mean(), columns - columns.mean())
    assert distance.std() / distance.mean() < 0.06


def test_the_same_seed_draws_the_same_shapes():
    first, second = (make_shapes(20, size=16, random_state=7) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_shapes_do_not_touch_the_global_random_state():
    np.random.seed(0)
    make_shapes(5, size=16, random_state=1)
    next(iter_shapes(5, size=16, random_state=1))
    assert np.random.rand() == np.random.RandomState(0).rand()


def test_no_two_batches_of_shapes_are_alike():
    first, second = islice(iter_shapes(10, size=16, random_state=0), 2)
    assert first[0].shape == (10, 16, 16)
    assert not np.array_equal(first[0], second[0])


def test_batches_of_shapes_repeat_with_the_seed():
    first, second = (list(islice(iter_shapes(4, size=16, random_state=3), 3)) for _ in range(2))
    for (X_1, y_1), (X_2, y_2) in zip(first, second):
        np.testing.assert_array_equal(X_1, X_2)
        np.testing.assert_array_equal(y_1, y_2)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: make_shapes(0), "n_samples"),
        (lambda: make_shapes(size=4), "size"),
        (lambda: make_shapes(jitter=0.5), "jitter"),
        (lambda: iter_shapes(0), "batch_size"),
    ],
)
def test_wrong_parameters_of_shapes_raise(make, name):
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        make()
