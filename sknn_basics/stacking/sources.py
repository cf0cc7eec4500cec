"""The samples that the networks of a stack see, read once for those that see the same."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from sknn_basics.stacking.linear import Memory
from sknn_basics.training.batches import ArrayDataset, Batches

# Most memory that the inputs of all sources together take, where all of them are kept.
TABLE_BYTES = 64 * 2**20

# Batches whose numbers of samples have the same next multiple are one step; where those that weigh
# nothing are left out, they have such a multiple: each other number needs memory of its own.
GRANULE = 16

Samples = tuple[Tensor, Tensor, Tensor | None]


class Sources:
    """The different sequences of batches that the networks of a stack see.

    Networks that differ in their parameters only, such as the candidates of one fold of a search,
    see the same samples in the same order: these are read once. Batches are of one source if their
    keys agree (number of samples and state of the random generator, cheap to compare), and then
    their data and orders, value by value. Whoever is of one source now is of one for ever: all draw
    the same permutations from equal states. The first network of a source is its leader, whose
    batches are read; the others follow, and only draw, so that their random state is as it would be
    alone. Sources with more samples come first, so that those that still have a batch are the first
    ones: any step is made by a slice of the stack, without copying weights.

    Parameters
    ----------
    batches : sequence of Batches
        Of each network.
    may_weigh_nothing : bool, default=False
        Whether samples that weigh nothing may be left out of a batch, or put into it.

    Attributes
    ----------
    order : list of int
        The networks, those of one source side by side, sources with more samples first.
    index : list of int
        Source of each, in that order.
    """

    def __init__(self, batches: Sequence[Batches], may_weigh_nothing: bool = False):
        groups = []
        by_key = defaultdict(list)
        for i, own in enumerate(batches):
            alike = by_key[own.key()]
            group = next((group for group in alike if batches[group[0]].equals(own)), None)
            if group is None:
                group = []
                alike.append(group)
                groups.append(group)
            group.append(i)
            batches[group[0]].dataset.share_with(own.dataset)
        groups.sort(key=lambda group: -len(batches[group[0]].dataset))
        self.order = [i for group in groups for i in group]
        self.index = [source for source, group in enumerate(groups) for _ in group]
        self.leaders = [batches[group[0]] for group in groups]
        self.followers = [batches[i] for group in groups for i in group[1:]]
        firsts = {}
        for leader in self.leaders:
            # The fits of an ensemble are given the same array.
            firsts.setdefault(id(leader.dataset.X), leader.dataset).share_with(leader.dataset)
        self.sizes = [len(leader.dataset) for leader in self.leaders]
        self.may_weigh_nothing, self.reader = may_weigh_nothing, None

    def first_member(self, source: int) -> int:
        """Tell the place of the first network of a source."""
        return bisect_left(self.index, source)

    def count_members(self, source: int) -> int:
        """Count the networks of a source."""
        return self.first_member(source + 1) - self.first_member(source)

    def steps(self, batch_size: int) -> Iterator[tuple[int, int, Samples]]:
        """Iterate over the steps of an epoch: which sources take part, and their batches.

        Sources whose batches have about the same length take a step together. Batches are inputs,
        targets and weights, of shape (n_sources, n_samples, ...), or None for no weights.
        """
        for own in [*self.leaders, *self.followers]:
            # The random state of followers must be as if they had read their own batches.
            own.reshuffle()
        if self.reader is None:
            self.reader = self.make_reader()
        self.reader.begin()
        for first in range(0, self.sizes[0], batch_size):
            start = 0
            left = [size - first for size in self.sizes if size > first]
            for _, alike in groupby((min(batch_size, n) for n in left), self.reader.step_length):
                lengths = list(alike)
                stop = start + len(lengths)
                yield start, stop, self.reader.read(start, stop, first, lengths)
                start = stop

    def make_reader(self) -> "TableReader | BlockReader":
        """Choose how samples are read: all sources at once where they are small."""
        if can_be_table([leader.dataset for leader in self.leaders]):
            return TableReader(self.leaders, self.may_weigh_nothing)
        return BlockReader(self.leaders)

    def counts(self, batch_size: int) -> list[list[int]]:
        """List the sizes of each network's batches."""
        counts = [
            [min(batch_size, size - first) for first in range(0, size, batch_size)]
            for size in self.sizes
        ]
        return [counts[source] for source in self.index]


class BlockReader:
    """Reads several batches of each source at once, source by source.

    For data that are large, on a GPU, sparse, memory-mapped or preprocessed: memory holds one block
    of each source, which the next block overwrites. A source that has no sample left in a block
    leaves its place as it was, and takes no part in steps.

    Parameters
    ----------
    leaders : sequence of Batches
        Of each source, those with more samples first.
    """

    def __init__(self, leaders: Sequence[Batches]):
        self.leaders, self.memory = leaders, Memory()
        X, y, weights = zip(*(leader.dataset[:1] for leader in leaders))
        has_targets = any(x is not target for x, target in zip(X, y))
        # What a sample is; targets that are the inputs, and weights of which none is given, are not
        # read.
        self.rows = {
            "X": X[0][0],
            "y": y[0][0] if has_targets else None,
            "weight": next((weight[0] for weight in weights if weight is not None), None),
        }

    def begin(self) -> None:
        """Begin an epoch: nothing has been read in its order."""
        self.block = None

    def step_length(self, length: int) -> int:
        """Tell what batches of a given length must have in common to be read together."""
        return length

    def read(self, start: int, stop: int, first: int, lengths: list[int]) -> Samples:
        """Read a batch of each source from start to stop, from its sample `first` on."""
        begin = first - first % self.leaders[0].block_size
        if first == begin and start == 0:
            self.block = self.read_block(begin)
        place = slice(start, stop), slice(first - begin, first - begin + lengths[0])
        X, y, weight = (None if tensor is None else tensor[place] for tensor in self.block)
        return X, y, weight

    def read_block(self, begin: int) -> Samples:
        """Read samples of all sources that have some, from `begin` on, into common tensors."""
        leaders = [leader for leader in self.leaders if len(leader.dataset) > begin]
        n_rows = min(leaders[0].block_size, len(leaders[0].dataset) - begin)
        X, y, weight = (
            None if row is None else self.memory.take(name, row, len(leaders), n_rows, *row.shape)
            for name, row in self.rows.items()
        )
        for i, leader in enumerate(leaders):
            parts = (None if tensor is None else tensor[i] for tensor in (X, y, weight))
            leader.dataset.read_into(leader.rows_of_block(begin), *parts)
        return X, X if y is None else y, weight


class TableReader:
    """Reads the batches of all sources at once, from common tensors of all samples.

    For small data on a CPU: a step is one selection of rows for all sources. Folds of a search are
    row numbers into one array, which the table holds once. Batches whose lengths differ a little
    make one step: the shorter ones are filled up with a row that weighs nothing. For the same
    reason rows that weigh nothing anyway, as the out-of-bag rows of bagging, are left out. Both
    need that no sample changes what a layer makes of another one (`may_weigh_nothing`).

    Parameters
    ----------
    leaders : sequence of Batches
        Of each source, those with more samples first.
    may_weigh_nothing : bool
        Whether samples that weigh nothing may be left out of a batch, or put into it.
    """

    def __init__(self, leaders: Sequence[Batches], may_weigh_nothing: bool):
        self.leaders, self.memory = leaders, Memory()
        self.may_weigh_nothing = may_weigh_nothing
        datasets = [leader.dataset for leader in leaders]
        # The fits of an ensemble are given the same array.
        different = {id(dataset.X): dataset for dataset in datasets}
        inputs = [dataset.whole() for dataset in different.values()]
        first_input = dict(zip(different, starts(inputs)))
        self.first_input = np.array([first_input[id(dataset.X)] for dataset in datasets])
        self.first_target = starts([dataset.targets for dataset in datasets])
        self.X = torch.cat(inputs)
        self.y = torch.cat([dataset.targets for dataset in datasets])
        self.weight = self.weighs = None
        if any(dataset.weights is not None for dataset in datasets):
            self.weight = torch.cat([weights_of(dataset) for dataset in datasets])
            if may_weigh_nothing and not self.weight.all():
                self.weighs = self.weight.numpy() != 0

    def begin(self) -> None:
        """Begin an epoch, in the new order of the batches."""
        n_samples = [len(leader.dataset) for leader in self.leaders]
        self.rows = np.zeros((len(n_samples), max(n_samples)), dtype=np.int64)
        for own, leader, n in zip(self.rows, self.leaders, n_samples):
            order = np.arange(n) if leader.order is None else leader.order
            own[:n] = leader.dataset.rows_of_whole(order)

    def step_length(self, length: int) -> int:
        """Tell what batches of a given length must have in common to be read together."""
        return -(-length // GRANULE) if self.may_weigh_nothing else length

    def read(self, start: int, stop: int, first: int, lengths: list[int]) -> Samples:
        """Read a batch of each source from start to stop, from its sample `first` on."""
        first_target = self.first_target[start:stop, None]
        rows = self.rows[start:stop, first : first + lengths[0]] + first_target
        weighs = None
        if lengths[-1] < lengths[0]:
            weighs = np.arange(lengths[0]) < np.array(lengths)[:, None]
            rows = np.where(weighs, rows, rows[:, :1])
        if self.weighs is not None:
            rows, weighs = self.leave_out(rows, weighs)
        X = self.select("X", self.X, rows - first_target + self.first_input[start:stop, None])
        y = self.select("y", self.y, rows)
        weight = None if self.weight is None else self.select("weight", self.weight, rows)
        if weighs is not None:
            weighs = torch.from_numpy(weighs)
            weight = weighs.double() if weight is None else weight.mul_(weighs)
        return X, y, weight

    def leave_out(
        self, rows: np.ndarray, is_own: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Leave out rows that weigh nothing; fill up to as many for each source, with its first.

        Parameters
        ----------
        rows : ndarray of shape (n_sources, n_samples)
            Rows of targets and weights.
        is_own : ndarray of shape (n_sources, n_samples) or None
            Which belong to the batch, if not all of them do.

        Returns
        -------
        kept : ndarray of shape (n_sources, n_kept)
            Rows that weigh something, in their order, and then those that fill up.
        weighs : ndarray of shape (n_sources, n_kept)
            Which are the former.
        """
        weighs = self.weighs[rows] if is_own is None else self.weighs[rows] & is_own
        n_own = weighs.sum(1)
        n_kept = -(-max(1, n_own.max()) // GRANULE) * GRANULE
        kept = np.repeat(rows[:, :1], n_kept, axis=1)
        is_kept = np.arange(n_kept) < n_own[:, None]
        kept[is_kept] = rows[weighs]
        return kept, is_kept

    def select(self, name: str, values: Tensor, rows: np.ndarray) -> Tensor:
        """Select rows of a tensor, in the shape of their numbers."""
        out = self.memory.take(name, values, rows.size, *values.shape[1:])
        torch.index_select(values, 0, torch.from_numpy(rows.ravel()), out=out)
        return out.view(*rows.shape, *values.shape[1:])


def can_be_table(datasets: Sequence[ArrayDataset]) -> bool:
    """Tell whether the samples of all datasets are small enough to be kept in common tensors."""
    if not all(type(dataset) is ArrayDataset and dataset.whole for dataset in datasets):
        return False
    n_bytes = {id(dataset.X): dataset.X.shape[0] * dataset.sample_bytes for dataset in datasets}
    is_alike = len({dataset.X.shape[1:] for dataset in datasets}) == 1
    is_on_cpu = datasets[0].targets.device.type == "cpu"
    return is_alike and is_on_cpu and sum(n_bytes.values()) <= TABLE_BYTES


def weights_of(dataset: ArrayDataset) -> Tensor:
    """Give the weights of all samples, 1 where none are given."""
    if dataset.weights is None:
        return torch.ones(len(dataset.targets), dtype=torch.float64)
    return dataset.weights


def starts(parts: Sequence[Tensor]) -> np.ndarray:
    """Tell in which row each of several tensors starts, one after the other."""
    return np.cumsum([0, *map(len, parts[:-1])])
