"""Batches as slices of whole arrays, never sample by sample."""

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import repeat
from math import prod
from zlib import crc32

import numpy as np
import torch
from scipy.sparse import issparse
from torch import Tensor, nn
from torch.utils.data import Dataset

from sknn_basics.training.devices import available_memory, can_pin, reproducible, widest_float

NUMPY_DTYPES = {torch.float32: np.float32, torch.float64: np.float64}

# Sizes of batches that are evaluated, not trained: here the size is a question of speed alone, not
# of what is learned. A pass takes some microseconds per layer however small it is, so that few
# large batches are faster than many small ones; but a layer whose inputs are not in a cache waits
# for memory, and a batch of a whole data set may not fit there at all. What counts are the bytes of
# the inputs, and those of the largest output of a layer where layers blow up their inputs (filters,
# recurrent steps, vocabularies: `largest_output`). What comes of a row does not depend on the
# others in its batch, but for rounding; only a stateful network, whose states belong to places in a
# batch, is evaluated in batches of the size that it was trained in.
EVALUATION_BATCH_BYTES = 4 * 2**20
EVALUATION_OUTPUT_BYTES = 8 * 2**20

# What is read at once for training.
READ_BYTES = 2 * 2**20

# Any other device has no such caches, but has to be kept busy, and each word with it takes time: so
# many times as much is evaluated or read there at once.
DEVICE_FACTOR = 32


def times_for(device: torch.device) -> int:
    """Tell how many times as much as on a CPU a device is given at once."""
    return 1 if device.type == "cpu" else DEVICE_FACTOR


@dataclass
class Rows:
    """Numbers of rows, on the host and, put there once an epoch, on a device."""

    host: np.ndarray
    there: Tensor

    def __getitem__(self, part: slice) -> "Rows":
        return Rows(self.host[part], self.there[part])

    def __len__(self) -> int:
        return len(self.host)


# What is read to tell datasets apart.
FINGERPRINT_ROWS = 64
FINGERPRINT_BYTES = 2**18


class ArrayDataset(Dataset):
    """Inputs, targets and sample weights of one fit.

    Inputs stay as they are, in memory or on disk: a batch is cast when it is read.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, ...)
        Inputs.
    y : ndarray of shape (n_samples, ...) or None
        Encoded targets, in the dtype that the loss expects.
    weight : ndarray of shape (n_samples,) or None
        Sample weights.
    dtype : torch.dtype
        Data type of the network.
    device : torch.device
        Where batches are wanted.
    """

    def __init__(self, X, y=None, weight=None, *, dtype: torch.dtype, device: torch.device):
        # What has targets is read more than once.
        self.X, self.device = X, device
        self.read, self.whole = _make_reader(X, dtype, device, is_read_again=y is not None)
        self.reader, self.rows = self.read, None
        self.targets = self.weights = None
        # What is compared with others, without asking the device.
        self.compared = y, weight
        if y is not None:
            # Cast on the host: not every device has all data types.
            self.targets = torch.tensor(y, dtype=dtype if y.dtype.kind == "f" else None)
            self.targets = self.targets.to(device)
        if weight is not None:
            # In double precision, so that weights of any scale have a sum.
            self.weights = torch.tensor(weight, dtype=widest_float(device), device=device)
        self.n_samples = X.shape[0]
        self.sample_bytes = max(1, prod(X.shape[1:])) * dtype.itemsize

    def subset(self, rows: np.ndarray) -> "ArrayDataset":
        """Make a dataset of some rows, which shares the data with this one."""
        part = copy(self)
        part.rows, part.n_samples = rows, len(rows)
        return part

    def describe_samples(self) -> tuple:
        """Describe what samples must have in common to lie in one tensor."""
        targets = self.targets
        return tuple(self.X.shape[1:]), targets is not None and (targets.shape[1:], targets.dtype)

    def equals(self, other: "ArrayDataset") -> bool:
        """Tell whether two datasets hold the same; matrices do if they are the same object."""
        if self.n_samples != other.n_samples or self.X.dtype != other.X.dtype:
            return False
        if self.X is not other.X and (issparse(self.X) or not np.array_equal(self.X, other.X)):
            return False
        pairs = zip((self.rows, *self.compared), (other.rows, *other.compared))
        return all(
            a is b or (a is not None and b is not None and np.array_equal(a, b)) for a, b in pairs
        )

    def share_with(self, other: "ArrayDataset") -> None:
        """Let another dataset, whose inputs are the same, read from what this one has put there."""
        if isinstance(self.reader, DeviceReader) and isinstance(other.reader, DeviceReader):
            self.reader.share_with(other.reader)

    def fingerprint(self) -> int:
        """Compute a checksum of some samples, which tells datasets apart at little cost."""
        n_rows = max(1, min(FINGERPRINT_ROWS, len(self), FINGERPRINT_BYTES // self.sample_bytes))
        rows = np.linspace(0, len(self) - 1, n_rows).astype(np.int64)
        parts = [part.numpy(force=True) for part in self[rows] if part is not None]
        checksum = len(self)
        for part in parts:
            checksum = crc32(np.ascontiguousarray(part), checksum)
        return checksum

    def place_rows(self, order: np.ndarray | None) -> "np.ndarray | Rows | None":
        """Put an order of all samples where the data are; None is theirs."""
        if self.device.type == "cpu" or (order is None and self.rows is None):
            return order
        host = np.ascontiguousarray(self.rows if order is None else self.rows_of_whole(order))
        return Rows(host, torch.from_numpy(host).to(self.device))

    def __len__(self) -> int:
        return self.n_samples

    def __getitem__(self, rows) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Read a batch: inputs, targets and weights of `rows` (a slice or an index array)."""
        rows = self.rows_of_whole(rows)
        index = index_on(rows, self.device)
        targets = None if self.targets is None else self.targets[index]
        weights = None if self.weights is None else self.weights[index]
        return self.read(rows), targets, weights

    def read_into(self, rows, X: Tensor, y: Tensor | None, weight: Tensor | None) -> None:
        """Read a batch into the first rows of given tensors, but for what is None."""
        rows = self.rows_of_whole(rows)
        n_rows = rows.stop - rows.start if isinstance(rows, slice) else len(rows)
        self.read(rows, X[:n_rows])
        if y is not None:
            self.read_targets_into(rows, y[:n_rows])
        if weight is not None and self.weights is None:
            weight.fill_(1.0)
        elif weight is not None:
            _select(self.weights, rows, weight[:n_rows])

    def read_targets_into(self, rows, y: Tensor) -> None:
        """Read the targets of rows of the shared data."""
        _select(self.targets, rows, y)

    def rows_of_whole(self, rows):
        """Turn rows of this dataset into rows of the data that it shares with others."""
        if isinstance(rows, Rows):
            return rows
        if isinstance(rows, int):
            rows = slice(rows, rows + 1)
        return rows if self.rows is None else self.rows[rows]


class ReconstructionDataset(ArrayDataset):
    """Inputs and what they are reconstructed as, both read batch by batch.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, ...)
        Inputs.
    y : ndarray or CSR matrix of the same shape
        What they should become. If it is X, the same object, a batch is its own target.
    weight : ndarray of shape (n_samples,) or None
        Sample weights.
    dtype : torch.dtype
        Data type of the network.
    device : torch.device
        Where batches are wanted.
    preprocess : callable or None, default=None
        What changes batches of inputs and targets alike.
    """

    def __init__(
        self,
        X,
        y,
        weight=None,
        *,
        dtype: torch.dtype,
        device: torch.device,
        preprocess: Callable | None = None,
    ):
        super().__init__(X, None, weight, dtype=dtype, device=device)
        self.y, self.preprocess = y, preprocess
        self.read, self.whole = _make_reader(X, dtype, device, is_read_again=True)
        self.reader = self.read_target = self.read
        if y is not X:
            self.read_target, _ = _make_reader(y, dtype, device, is_read_again=True)
        if preprocess is not None:
            self.read = _preprocessed(self.read, preprocess)
            self.read_target = _preprocessed(self.read_target, preprocess)

    def equals(self, other: ArrayDataset) -> bool:
        same = getattr(other, "y", None) is self.y or (self.y is self.X and other.y is other.X)
        return same and self.preprocess == other.preprocess and super().equals(other)

    def __getitem__(self, rows) -> tuple[Tensor, Tensor, Tensor | None]:
        X, _, weights = super().__getitem__(rows)
        targets = X if self.y is self.X else self.read_target(self.rows_of_whole(rows))
        return X, targets, weights

    def read_targets_into(self, rows, y: Tensor) -> None:
        self.read_target(rows, y)


class Batches:
    """Iterate over a dataset in batches; each iteration is one epoch.

    Parameters
    ----------
    dataset : ArrayDataset
        What to cut into batches.
    batch_size : int
        Number of samples per batch; the last one may have fewer.
    rng : numpy.random.RandomState or None
        Source of a new order for every epoch; None keeps the order of the data.

    Attributes
    ----------
    block_size : int
        Number of samples that are read at once.
    """

    def __init__(
        self, dataset: ArrayDataset, batch_size: int, rng: np.random.RandomState | None = None
    ):
        self.dataset, self.batch_size, self.rng = dataset, batch_size, rng
        # Reading several batches at once is cheaper; more than a cache holds is not.
        batch_bytes = batch_size * dataset.sample_bytes
        n_bytes = READ_BYTES * times_for(dataset.device)
        self.block_size = batch_size * max(1, n_bytes // batch_bytes)
        self.order = None if rng is None else np.arange(len(dataset), dtype=np.int64)
        self.placed = None

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor | None, Tensor | None]]:
        self.reshuffle()
        for start in range(0, len(self.dataset), self.block_size):
            block = self.dataset[self.rows_of_block(start)]
            if self.block_size == self.batch_size:
                yield block
            else:
                size = self.batch_size
                yield from zip(*(repeat(None) if t is None else t.split(size) for t in block))

    def rows_of_block(self, start: int):
        """Tell the rows of this epoch from `start` on, as many as are read at once."""
        rows = slice(start, min(start + self.block_size, len(self.dataset)))
        if start == 0 and (self.placed is None or self.order is not None):
            self.placed = self.dataset.place_rows(self.order)
        return rows if self.placed is None else self.placed[rows]

    def key(self) -> tuple:
        """Describe what equal batches have in common, at little cost."""
        state = None if self.rng is None else self.rng.get_state(legacy=False)["state"]
        return len(self.dataset), state and (state["pos"], state["key"].tobytes())

    def equals(self, other: "Batches") -> bool:
        """Tell whether two sequences give the same batches now and later, if their keys agree."""
        return (
            self.order is None or np.array_equal(self.order, other.order)
        ) and self.dataset.equals(other.dataset)

    def reshuffle(self) -> None:
        """Permute the last epoch's order, as scikit-learn's multi-layer perceptron does."""
        if self.rng is not None:
            # NumPy shuffles numbers of this size in two thirds of the time of smaller ones.
            permutation = np.arange(len(self.order), dtype=np.int64)
            self.rng.shuffle(permutation)
            self.order = self.order[permutation]


def evaluation_batch_size(dataset: ArrayDataset, module: nn.Module) -> int:
    """Choose the number of samples per batch for passes without gradients."""
    return samples_a_batch(module, dataset.sample_bytes)


def samples_a_batch(module: nn.Module, sample_bytes: int) -> int:
    """Choose the number of samples of a given size for a pass without gradients.

    A network whose layers blow up their inputs has an attribute ``largest_output``.
    """
    parameter = next(module.parameters(), None)
    times = 1 if parameter is None else times_for(parameter.device)
    size = times * EVALUATION_BATCH_BYTES // sample_bytes
    if n_values := getattr(module, "largest_output", 0):
        size = min(size, times * EVALUATION_OUTPUT_BYTES // (n_values * parameter.element_size()))
    return max(1, size)


def map_batches(function: Callable, dataset: ArrayDataset, batch_size: int) -> np.ndarray:
    """Join the arrays that a function makes of batches, without gradients."""
    starts = range(0, len(dataset), batch_size)
    with torch.inference_mode(), reproducible(dataset.device):
        parts = [function(dataset[start : start + batch_size]) for start in starts]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _make_reader(X, dtype: torch.dtype, device: torch.device, is_read_again: bool):
    """Make the function that reads rows of X as a tensor, a given one if wanted.

    Where X is small, a second one gives all of it at once; else that is None.
    """
    if device.type != "cpu":
        return DeviceReader(X, dtype, device), None
    read = _read_on_host(X, dtype)
    if not (is_read_again and not issparse(X) and X.size * dtype.itemsize <= READ_BYTES):
        return read, None

    # What is read at once anyway is cast once.
    whole = cache(lambda: read(slice(None)))
    return lambda rows, out=None: _select(whole(), rows, out), whole


def _read_on_host(X, dtype: torch.dtype) -> Callable:
    """Make the function that reads rows of X as a tensor of the CPU."""
    dense, numpy_dtype = not issparse(X), NUMPY_DTYPES[dtype]

    def read(rows, out: Tensor | None = None) -> Tensor:
        # `take` is several times faster than indexing by an array.
        batch = X.take(rows, axis=0) if isinstance(rows, np.ndarray) and dense else X[rows]
        batch = np.ascontiguousarray(batch if dense else batch.toarray(), dtype=numpy_dtype)
        if not batch.flags.writeable:
            batch = batch.copy()
        return _fill(out, torch.from_numpy(batch))

    return read


class DeviceReader:
    """Reads rows of an array for a device that is no CPU.

    What takes less than half of the device's free memory is put there as a whole, in its own data
    type, when a batch of it is first read. Of anything else, blocks are read on the host while the
    device still computes with the one before, and copied from pinned memory.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, ...)
        The array.
    dtype : torch.dtype
        Data type of what is read.
    device : torch.device
        The device.

    Attributes
    ----------
    shared : DeviceReader or None
        The reader of the same array that puts it there, if it is another one.
    """

    def __init__(self, X, dtype: torch.dtype, device: torch.device):
        self.X, self.dtype, self.device, self.shared = X, dtype, device, None
        self.read_on_host = _read_on_host(X, dtype)

    @cached_property
    def resident(self) -> Tensor | None:
        """All of it, on the device, if it fits there."""
        if self.shared is not None:
            return self.shared.resident
        if issparse(self.X) or 2 * self.X.nbytes >= available_memory(self.device):
            return None
        # A copy of an array that may not be written to gives no warning, as a view of it would.
        return torch.tensor(as_supported(self.X), device=self.device)

    def share_with(self, other: "DeviceReader") -> None:
        """Let another reader, whose array is the same, use what this one puts there."""
        first = self
        while first.shared is not None:
            first = first.shared
        if other is not first and other.shared is None:
            other.shared = first

    def __call__(self, rows, out: Tensor | None = None) -> Tensor:
        # Some rows of no epoch, to look at, are no reason to put all of it there.
        is_look = isinstance(rows, np.ndarray) and "resident" not in vars(self)
        resident = None if is_look else self.resident
        if resident is not None:
            return _fill(out, resident[index_on(rows, self.device)].to(self.dtype))
        block = self.read_on_host(rows.host if isinstance(rows, Rows) else rows)
        if can_pin(self.device):
            block = block.pin_memory()
        return _fill(out, block.to(self.device, non_blocking=True))


def _preprocessed(read: Callable, preprocess: Callable) -> Callable:
    """Make a reader of what another one reads, preprocessed."""

    def read_preprocessed(rows, out: Tensor | None = None) -> Tensor:
        with torch.no_grad():
            return _fill(out, preprocess(read(rows)))

    return read_preprocessed


def _select(values: Tensor, rows, out: Tensor | None = None) -> Tensor:
    """Select rows (a slice or an index array) of a tensor."""
    index = index_on(rows, values.device)
    if isinstance(index, Tensor):
        return torch.index_select(values, 0, index, out=out)
    return _fill(out, values[index])


def index_on(rows, device: torch.device) -> slice | Tensor:
    """Turn rows into what selects them from a tensor on a device."""
    if isinstance(rows, Rows):
        return rows.there
    return torch.from_numpy(rows).to(device) if isinstance(rows, np.ndarray) else rows


def _fill(out: Tensor | None, values: Tensor) -> Tensor:
    """Copy values to a tensor, if there is one."""
    return values if out is None else out.copy_(values)


# Numbers that torch indexes on no device, and what holds them.
UNSUPPORTED_UNSIGNED = {np.dtype("u2"): np.int32, np.dtype("u4"): np.int64}


def as_supported(X: np.ndarray) -> np.ndarray:
    """Convert the number types, byte orders and negative strides that torch does not have."""
    native = X.dtype.newbyteorder("=")
    if native in UNSUPPORTED_UNSIGNED:
        return X.astype(UNSUPPORTED_UNSIGNED[native])
    if native == np.dtype("u8"):
        return X.astype(np.float64)
    try:
        torch.from_numpy(np.empty(0, native))
    except TypeError:
        return X.astype(np.float64)
    X = X.astype(native, copy=False)
    return np.ascontiguousarray(X) if any(stride < 0 for stride in X.strides) else X
