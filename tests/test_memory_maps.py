"""Data of many kinds written into memory maps, and fitted."""

import numpy as np
import pytest
import torch

from sknn_basics import MLPClassifier
from sknn_basics.datasets import memory_maps, to_memory_map


@pytest.fixture
def table(monkeypatch):
    monkeypatch.setattr(memory_maps, "BYTES_AT_ONCE", 8 * 3 * 32)
    rng = np.random.default_rng(0)
    return {"a": rng.normal(size=100), "b": np.arange(100), "y": np.arange(100) % 3}


def as_parquet(table, folder):
    arrow = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    path = folder / "rows.parquet"
    arrow.write_table(pyarrow.table(table), path, row_group_size=30)
    return path


def as_feathers(table, folder):
    feather = pytest.importorskip("pyarrow.feather")
    import pyarrow

    halves = slice(0, 60), slice(60, 100)
    paths = [folder / f"{i}.feather" for i in range(2)]
    for path, half in zip(paths, halves):
        feather.write_feather(pyarrow.table({k: v[half] for k, v in table.items()}), path)
    import pyarrow.dataset

    return pyarrow.dataset.dataset([str(path) for path in paths], format="feather")


def as_table(table, folder):
    return pytest.importorskip("pyarrow").table(table)


def as_reader(table, folder):
    return as_table(table, folder).to_reader(max_chunksize=30)


def as_lazy_frame(table, folder):
    return pytest.importorskip("polars").LazyFrame(table)


@pytest.mark.parametrize("make", [as_parquet, as_feathers, as_table, as_reader, as_lazy_frame])
def test_tables_become_inputs_and_targets(make, table, tmp_path):
    X, y = to_memory_map(make(table, tmp_path), "y", path=tmp_path / "X.npy")
    expected = np.column_stack([table["a"], table["b"]]).astype(np.float32)
    np.testing.assert_array_equal(X, expected)
    np.testing.assert_array_equal(y, table["y"])
    assert isinstance(X, np.memmap)
    assert isinstance(y, np.memmap)
    assert sorted(path.suffix for path in tmp_path.glob("*.npy")) == [".npy"] * 2
    np.testing.assert_array_equal(np.load(tmp_path / "X.npy"), expected)


def test_columns_are_chosen_and_strings_are_targets(table, tmp_path):
    names = np.array(["ant", "bee", "cow"])[table["y"]]
    source = as_lazy_frame({**table, "y": names}, tmp_path)
    X, y = to_memory_map(source, "y", columns=["b"], path=tmp_path / "X.npy", dtype="int16")
    np.testing.assert_array_equal(X, table["b"][:, None].astype(np.int16))
    assert y.tolist() == names.tolist()
    assert not (tmp_path / "X.target.npy").exists()


class Squares(torch.utils.data.Dataset):
    def __len__(self):
        return 600

    def __getitem__(self, i):
        return torch.full((2, 3), float(i)), i**2


def test_datasets_and_loaders_of_torch(tmp_path):
    expected = np.arange(600)
    loader = torch.utils.data.DataLoader(Squares(), batch_size=7)
    for source in (Squares(), loader):
        X, y = to_memory_map(source, path=tmp_path / "X.npy")
        np.testing.assert_array_equal(X[:, 1, 2], expected)
        assert X.shape == (600, 2, 3)
        np.testing.assert_array_equal(y, expected**2)


def test_a_fit_is_that_of_the_same_rows_in_memory(table, tmp_path):
    X, y = to_memory_map(as_lazy_frame(table, tmp_path), "y", path=tmp_path / "X.npy")
    network = MLPClassifier((5,), max_iter=3, random_state=0, early_stopping=True)
    on_disk = network.fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(network.fit(np.array(X), np.array(y)).predict_proba(X), on_disk)


def batches(*shapes):
    return (np.zeros(shape) for shape in shapes)


@pytest.mark.parametrize(
    ("source", "options", "error", "message"),
    [
        (lambda: iter(()), {}, ValueError, "no rows"),
        (lambda: batches((2, 3), (2, 4)), {}, ValueError, r"shape \(4,\), those before it \(3,\)"),
        (lambda: batches((2, 3)), {"target": "y"}, TypeError, "generator has no columns"),
        (lambda: np.zeros((3, 2)), {}, TypeError, "files, a table or batches, got ndarray"),
        (lambda: 3, {}, TypeError, "got int"),
        (
            lambda: iter([(np.zeros((2, 1)), [0, 1]), (np.zeros((2, 1)), ["a", "b"])]),
            {},
            ValueError,
            "numbers in some batches only",
        ),
    ],
)
def test_what_is_no_source_is_told(source, options, error, message, tmp_path):
    path = tmp_path / "X.npy"
    path.write_text("what was there")
    with pytest.raises(error, match=message):
        to_memory_map(source(), path=path, **options)
    assert path.read_text() == "what was there"
    assert [own.name for own in tmp_path.iterdir()] == ["X.npy"]


def test_columns_that_are_missing_or_hold_no_numbers_are_named(table, tmp_path):
    source = as_lazy_frame({**table, "name": ["x"] * 100}, tmp_path)
    with pytest.raises(ValueError, match="'name' holds no numbers"):
        to_memory_map(source, "y", path=tmp_path / "X.npy")
    with pytest.raises(ValueError, match="no column 'z'; it has a, b, y, name"):
        to_memory_map(source, "z", path=tmp_path / "X.npy")
