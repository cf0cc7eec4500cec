"""Batches as slices of whole arrays, never sample by sample."""

from collections.abc import Callable, Iterator
from copy import copy
from functools import cache
from itertools import repeat
from math import prod
from zlib import crc32

import numpy as np
import torch
from scipy.sparse import issparse
from torch import Tensor, nn
from torch.utils.data import Dataset

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
        self.X = X
        self.read, self.whole = _make_reader(X, dtype, device, is_read_again=y is not None)
        self.rows = None
        self.targets = None if y is None else torch.tensor(y, device=device)
        if self.targets is not None and self.targets.is_floating_point():
            self.targets = self.targets.to(dtype)
        # In double precision, so that weights of any scale have a sum.
        self.weights = None if weight is None else torch.tensor(weight, device=device)
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
        pairs = (
            (self.rows, other.rows),
            (self.targets, other.targets),
            (self.weights, other.weights),
        )
        return all(a is b or (a is not None and b is not None and (a == b).all()) for a, b in pairs)

    def fingerprint(self) -> int:
        """Compute a checksum of some samples, which tells datasets apart at little cost."""
        n_rows = max(1, min(FINGERPRINT_ROWS, len(self), FINGERPRINT_BYTES // self.sample_bytes))
        rows = np.linspace(0, len(self) - 1, n_rows).astype(np.int64)
        parts = [part.numpy(force=True) for part in self[rows] if part is not None]
        checksum = len(self)
        for part in parts:
            checksum = crc32(np.ascontiguousarray(part), checksum)
        return checksum

    def __len__(self) -> int:
        return self.n_samples

    def __getitem__(self, rows) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Read a batch: inputs, targets and weights of `rows` (a slice or an index array)."""
        rows = self.rows_of_whole(rows)
        index = torch.from_numpy(rows) if isinstance(rows, np.ndarray) else rows
        targets = None if self.targets is None else self.targets[index]
        weights = None if self.weights is None else self.weights[index]
        return self.read(rows), targets, weights

    def read_into(self, rows, X: Tensor, y: Tensor | None, weight: Tensor | None) -> None:
        """Read a batch into the first rows of given tensors, but for what is None."""
        rows = self.rows_of_whole(rows)
        n_rows = len(rows) if isinstance(rows, np.ndarray) else rows.stop - rows.start
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
        self.read_target = self.read
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
        self.block_size = batch_size * max(1, READ_BYTES // batch_bytes)
        self.order = None if rng is None else np.arange(len(dataset), dtype=np.int64)

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
        return rows if self.order is None else self.order[rows]

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
    size = EVALUATION_BATCH_BYTES // sample_bytes
    if n_values := getattr(module, "largest_output", 0):
        itemsize = next(module.parameters()).element_size()
        size = min(size, EVALUATION_OUTPUT_BYTES // (n_values * itemsize))
    return max(1, size)


def map_batches(function: Callable, dataset: ArrayDataset, batch_size: int) -> np.ndarray:
    """Join the arrays that a function makes of batches, without gradients."""
    starts = range(0, len(dataset), batch_size)
    with torch.inference_mode():
        parts = [function(dataset[start : start + batch_size]) for start in starts]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _make_reader(X, dtype: torch.dtype, device: torch.device, is_read_again: bool):
    """Make the function that reads rows of X as a tensor, a given one if wanted.

    Where X is small, a second one gives all of it at once; else that is None.
    """
    if device.type != "cpu" and not issparse(X) and _fits_on(device, X):
        resident = torch.as_tensor(_as_supported(X), device=device)
        return lambda rows, out=None: _fill(out, resident[rows].to(dtype)), None
    dense, numpy_dtype = not issparse(X), NUMPY_DTYPES[dtype]

    def read(rows, out: Tensor | None = None) -> Tensor:
        # `take` is several times faster than indexing by an array.
        batch = X.take(rows, axis=0) if isinstance(rows, np.ndarray) and dense else X[rows]
        batch = np.ascontiguousarray(batch if dense else batch.toarray(), dtype=numpy_dtype)
        if not batch.flags.writeable:
            batch = batch.copy()
        return _fill(out, torch.from_numpy(batch).to(device))

    if not (is_read_again and dense and X.size * dtype.itemsize <= READ_BYTES):
        return read, None

    # What is read at once anyway is cast once.
    whole = cache(lambda: read(slice(None)))
    return lambda rows, out=None: _select(whole(), rows, out), whole


def _preprocessed(read: Callable, preprocess: Callable) -> Callable:
    """Make a reader of what another one reads, preprocessed."""

    def read_preprocessed(rows, out: Tensor | None = None) -> Tensor:
        with torch.no_grad():
            return _fill(out, preprocess(read(rows)))

    return read_preprocessed


def _select(values: Tensor, rows, out: Tensor | None = None) -> Tensor:
    """Select rows (a slice or an index array) of a tensor."""
    if isinstance(rows, np.ndarray):
        return torch.index_select(values, 0, torch.from_numpy(rows).to(values.device), out=out)
    return _fill(out, values[rows])


def _fill(out: Tensor | None, values: Tensor) -> Tensor:
    """Copy values to a tensor, if there is one."""
    return values if out is None else out.copy_(values)


def _fits_on(device: torch.device, X) -> bool:
    """Tell whether X takes less than half of an accelerator's free memory."""
    if device.type != "cuda":
        return False
    return 2 * X.nbytes < torch.cuda.mem_get_info(device)[0]


def _as_supported(X: np.ndarray) -> np.ndarray:
    """Convert the number types that torch does not have."""
    try:
        torch.from_numpy(X[:0].copy())
    except TypeError:
        return X.astype(np.float64)
    return X
