"""Data that do not fit in memory, as memory maps that every estimator fits."""

import os
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
from torch.utils.data import DataLoader, Dataset

from sknn_basics._optional import import_optional
from sknn_basics.training.saving import replace_when_complete

# What is read of tables at once, as numbers of eight bytes.
BYTES_AT_ONCE = 2**24

# Samples that are taken one by one and stacked.
ROWS_OF_SAMPLES = 256


def to_memory_map(
    source,
    target: str | None = None,
    *,
    path: str | os.PathLike,
    columns: Sequence[str] | None = None,
    dtype: str = "float32",
) -> tuple[np.ndarray, np.ndarray | None]:
    """Write data that need not fit in memory into NumPy files, and open these as memory maps.

    A memory map is an array on disk. All estimators here read it batch by batch, scikit-learn's
    splitters and searches index it as any array, and processes share it: what is read from many
    small files once is fitted often. Some batches are in memory at a time.

    Parameters
    ----------
    source : path, list of paths, pyarrow dataset, Table or RecordBatchReader, polars LazyFrame, \
torch Dataset or iterable of batches
        Where rows come from: Parquet, Feather or Arrow files by name; tables; a ``Dataset`` of
        torch, whose items are samples; or a ``DataLoader`` and any other iterable, whose items are
        batches, arrays of shape (n_samples, ...) or pairs of these and their targets.
    target : str or None, default=None
        Name of the column with the targets, where the source has columns.
    path : path
        File of the inputs, as ``numpy.save`` writes it; ``X.npy`` in a folder of your own, for
        example. Is replaced once all is written. Targets are next to it, ``X.target.npy``.
    columns : list of str or None, default=None
        Names of the columns with the inputs; None takes all but the target.
    dtype : str, default='float32'
        Data type of the inputs in the file; 'uint8' for pixels.

    Returns
    -------
    X : memory map of shape (n_samples, ...)
        The inputs, read-only.
    y : ndarray of shape (n_samples, ...) or None
        The targets: a memory map of numbers, an array of anything else; None without any.

    Raises
    ------
    ImportError
        If a file is to be read, and pyarrow is not installed.
    TypeError
        If the source is none of these.
    ValueError
        If it has no rows, a column is missing or holds no numbers, or batches differ in shape.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sknn_basics import MLPClassifier
    >>> from sknn_basics.datasets import to_memory_map
    >>> rng = np.random.default_rng(0)
    >>> batches = ((rng.normal(size=(100, 4)), rng.integers(2, size=100)) for _ in range(10))
    >>> folder = tempfile.TemporaryDirectory()
    >>> X, y = to_memory_map(batches, path=f"{folder.name}/X.npy")
    >>> X.shape, type(X).__name__, y.shape
    ((1000, 4), 'memmap', (1000,))
    >>> network = MLPClassifier(max_iter=2, random_state=0).fit(X, y)
    """
    path = Path(path)
    paths = {"inputs": str(path), "targets": str(path.with_suffix(".target.npy"))}
    others = []
    with replace_when_complete(paths) as files:
        with open(files["inputs"], "wb") as first, open(files["targets"], "wb") as second:
            inputs, targets = _Writer(first, dtype), _Writer(second)
            for X, y in _batches_of(source, target, columns):
                inputs.write(X)
                if y is not None and np.asarray(y).dtype.kind in "biuf":
                    targets.write(y)
                elif y is not None:
                    others.append(np.asarray(y))
            inputs.end()
            targets.end()
        if not inputs.n_rows:
            raise ValueError("The source has no rows.")
        if targets.n_rows not in (0, inputs.n_rows):
            raise ValueError("The targets are numbers in some batches only.")
    if not targets.n_rows:
        Path(paths["targets"]).unlink()
    X, y = (
        np.load(own, mmap_mode="r") if n_rows else None
        for own, n_rows in zip(paths.values(), (inputs.n_rows, targets.n_rows))
    )
    return X, np.concatenate(others) if others else y


def _batches_of(source, target: str | None, columns: Sequence[str] | None) -> Iterator[tuple]:
    """Read a source batch by batch: inputs and targets."""
    if isinstance(source, (str, os.PathLike, list, tuple)):
        source = _arrow("reading files").dataset.dataset(source)
    kind = {cls.__module__.split(".")[0] for cls in type(source).__mro__}
    if "pyarrow" in kind or "polars" in kind:
        tables = _tables_of_polars(source) if "polars" in kind else _tables_of_arrow(source)
        return (_split(table, target, columns) for table in tables)
    if target is not None or columns is not None:
        raise TypeError(f"{type(source).__name__} has no columns to choose target and columns of.")
    if isinstance(source, Dataset) and hasattr(source, "__len__"):
        source = DataLoader(source, batch_size=ROWS_OF_SAMPLES)
    if isinstance(source, (np.ndarray, dict)) or not isinstance(source, Iterable):
        raise TypeError(f"source must be files, a table or batches, got {type(source).__name__}.")
    return (tuple(batch) if _is_pair(batch) else (batch, None) for batch in source)


def _is_pair(batch) -> bool:
    return isinstance(batch, (tuple, list)) and len(batch) == 2


def _arrow(what_for: str):
    import_optional("pyarrow.dataset", "arrow", what_for)
    return import_optional("pyarrow", "arrow", what_for)


def _rows_at_once(columns: Sequence[str]) -> int:
    return max(1, BYTES_AT_ONCE // (8 * max(1, len(columns))))


def _tables_of_arrow(source) -> Iterator[dict]:
    if hasattr(source, "read_next_batch"):
        tables = iter(source)
    elif hasattr(source, "scanner"):
        # Little is read ahead: row groups can be large, and files much larger.
        options = {"batch_readahead": 1, "fragment_readahead": 1}
        arrow = import_module("pyarrow.dataset")
        if isinstance(getattr(source, "format", None), arrow.ParquetFileFormat):
            options["fragment_scan_options"] = arrow.ParquetFragmentScanOptions(pre_buffer=False)
        tables = source.to_batches(batch_size=_rows_at_once(source.schema.names), **options)
    else:
        tables = source.to_batches(max_chunksize=_rows_at_once(source.schema.names))
    for table in tables:
        yield {k: table[k].to_numpy(zero_copy_only=False) for k in table.schema.names}


def _tables_of_polars(source) -> Iterator[dict]:
    source = source.lazy()
    n_rows = _rows_at_once(source.collect_schema().names())
    for table in source.collect_batches(chunk_size=n_rows, maintain_order=True):
        yield {k: table[k].to_numpy() for k in table.columns}


def _split(
    table: dict[str, np.ndarray], target: str | None, columns: Sequence[str] | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Make inputs and targets of the columns of a table."""
    if columns is None:
        columns = [name for name in table if name != target]
    wanted = [*columns, *([] if target is None else [target])]
    if missing := [name for name in wanted if name not in table]:
        raise ValueError(f"The source has no column {missing[0]!r}; it has {', '.join(table)}.")
    if others := [name for name in columns if table[name].dtype.kind not in "biuf"]:
        raise ValueError(
            f"The column {others[0]!r} holds no numbers, or some that are missing: encode it in "
            "the source, or name the others in `columns`."
        )
    return np.column_stack([table[name] for name in columns]), table.get(target)


class _Writer:
    """Writes batches one after the other into a file of NumPy's, whose length is not known yet."""

    def __init__(self, file, dtype: str | None = None):
        self.file, self.dtype = file, dtype
        self.shape, self.n_rows = None, 0

    def write(self, batch) -> None:
        batch = np.ascontiguousarray(batch, dtype=self.dtype)
        if self.shape is None:
            self.shape, self.dtype = batch.shape[1:], batch.dtype
            self.write_header()
        elif batch.shape[1:] != self.shape:
            raise ValueError(
                f"A batch has samples of shape {batch.shape[1:]}, those before it {self.shape}."
            )
        self.file.write(batch.data)
        self.n_rows += len(batch)

    def end(self) -> None:
        if self.n_rows:
            self.write_header()

    def write_header(self) -> None:
        """Write how many rows there are by now; the header leaves room for more."""
        self.file.seek(0)
        header = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.n_rows, *self.shape),
        }
        np.lib.format.write_array_header_1_0(self.file, header)
