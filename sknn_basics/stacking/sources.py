"""The samples that the networks of a stack see, read once for those that see the same."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from sknn_basics.modules.layers import RandomLayer
from sknn_basics.modules.summary import count_multiplications
from sknn_basics.stacking.linear import Memory
from sknn_basics.training.batches import ArrayDataset, Batches
from sknn_basics.training.net import Net

# Most memory that the inputs of all sources together take, where all of them are kept.
TABLE_BYTES = 64 * 2**20

# Where samples that weigh nothing are left out, as many are read as make a multiple of this: each
# other number needs memory of its own.
GRANULE = 16

# What a step costs besides its multiplications, in those of a forward pass: batches of different
# lengths are one step, if less is multiplied to fill up the shorter ones.
STEP_COST = 2**20

Samples = tuple[Tensor, Tensor, Tensor | None]


class Sources:
    """The different sequences of batches that the networks of a stack see.

    Networks that differ in their parameters only, such as the candidates of one fold of a search,
    see the same samples in the same order: these are read once. Batches are of one source if their
    sizes and keys agree (number of samples and state of the random generator, cheap to compare),
    and then their data and orders, value by value. Whoever is of one source now is of one for ever:
    all draw the same permutations from equal states. The first network of a source is its leader,
    whose batches are read; the others follow, and only draw, so that their random state is as it
    would be alone.

    A source that has no batch left in an epoch rests. Sources with larger batches, and then more
    samples, come first, so that those that take a step together mostly are neighbours: their
    networks are slices of their blocks, and no weights are copied.

    Parameters
    ----------
    batches : sequence of Batches
        Of each network.
    nets : sequence of Net
        The networks.

    Attributes
    ----------
    order : list of int
        The networks, those of one source side by side.
    index : list of int
        Source of each, in that order.
    """

    def __init__(self, batches: Sequence[Batches], nets: Sequence[Net]):
        groups = []
        by_key = defaultdict(list)
        for i, own in enumerate(batches):
            alike = by_key[own.batch_size, own.key()]
            group = next((group for group in alike if batches[group[0]].equals(own)), None)
            if group is None:
                group = []
                alike.append(group)
                groups.append(group)
            group.append(i)
            batches[group[0]].dataset.share_with(own.dataset)
        size_of = [(min(own.batch_size, len(own.dataset)), len(own.dataset)) for own in batches]
        groups.sort(key=lambda group: size_of[group[0]], reverse=True)
        self.batches, self.reader = batches, None
        self.order = [i for group in groups for i in group]
        self.index = [source for source, group in enumerate(groups) for _ in group]
        self.leaders = [batches[group[0]] for group in groups]
        firsts = {}
        for leader in self.leaders:
            # The fits of an ensemble are given the same array.
            firsts.setdefault(id(leader.dataset.X), leader.dataset).share_with(leader.dataset)
        self.work = [sum(count_multiplications(nets[i].module_) for i in group) for group in groups]
        self.may_fill_up = not any(map(sees_other_samples, nets))
        self.may_leave_out = self.may_fill_up and not any(map(draws, nets))

    def steps(self) -> Iterator[tuple[int, int, list[int] | None, Samples]]:
        """Iterate over the steps of an epoch.

        Yields
        ------
        start, stop : int
            Which sources take part.
        lengths : list of int or None
            Numbers of their samples, if there are further ones that only fill a batch up.
        batches : (Tensor, Tensor, Tensor or None)
            Inputs, targets and weights, of shape (n_sources, n_samples, ...), or None for no
            weights.
        """
        for own in self.batches:
            # The random state of followers must be as if they had read their own batches.
            own.reshuffle()
        if self.reader is None:
            self.reader = self.make_reader()
            self.schedule = list(self.plan())
        self.reader.begin()
        for i, start, lengths in self.schedule:
            stop = start + len(lengths)
            is_filled = len(set(lengths)) > 1
            samples = self.reader.read(start, stop, i, lengths)
            yield start, stop, lengths if is_filled else None, samples

    def plan(self) -> Iterator[tuple[int, int, list[int]]]:
        """Plan the steps of every epoch: which batch, the first source, and the lengths."""
        for i in range(max(map(len, self.leaders))):
            lengths = [length_of(leader, i) for leader in self.leaders]
            run, stop = [], 0
            for (_, length), alike in groupby(zip(map(self.reader.kind, self.leaders), lengths)):
                n_alike = len(list(alike))
                if run and not self.may_join(run, length, stop, n_alike):
                    yield i, stop - len(run), run
                    run = []
                stop += n_alike
                run = run + [length] * n_alike if length else []
            if run:
                yield i, stop - len(run), run

    def may_join(self, run: list[int], length: int, start: int, n_alike: int) -> bool:
        """Tell whether batches of a length are part of the step of longer ones before them."""
        if not (0 < length <= run[0] and self.may_fill_up and self.reader.is_table):
            return False
        if -(-length // GRANULE) == -(-run[0] // GRANULE):
            return True
        n_more = run[0] - length
        return n_more * sum(self.work[start : start + n_alike]) <= STEP_COST

    def make_reader(self) -> "TableReader | BlockReader":
        """Choose how samples are read: all sources at once where they are small."""
        if can_be_table([leader.dataset for leader in self.leaders]):
            return TableReader(self.leaders, self.may_leave_out)
        return BlockReader(self.leaders)

    def counts(self) -> list[list[int]]:
        """List the sizes of each source's batches."""
        return [[length_of(own, i) for i in range(len(own))] for own in self.leaders]


def length_of(batches: Batches, i: int) -> int:
    """Tell how many samples the batch of a number has, 0 where there is none."""
    return max(0, min(batches.batch_size, len(batches.dataset) - i * batches.batch_size))


def draws(net: Net) -> bool:
    """Tell whether what a network draws depends on the number of samples."""
    return any(isinstance(layer, RandomLayer) for layer in net.module_.modules())


def sees_other_samples(net: Net) -> bool:
    """Tell whether what a network makes of a sample depends on the others in its batch."""
    kinds = torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d
    is_observed = net.criterion_.n_observed > 0
    return is_observed or any(isinstance(layer, kinds) for layer in net.module_.modules())


class BlockReader:
    """Reads several batches of each source at once, source by source.

    For data that are large, on a GPU, sparse, memory-mapped or preprocessed: memory holds one block
    of each source, which the next block overwrites. A source that has no sample left in a block
    leaves its place as it was, and takes no part in steps.

    Parameters
    ----------
    leaders : sequence of Batches
        Of each source, those of one batch size side by side, and of these those with more samples
        first.
    """

    is_table = False

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
        self.blocks = {}

    def kind(self, leader: Batches) -> int:
        """Tell what batches must have in common to be read together."""
        return leader.batch_size

    def read(self, start: int, stop: int, i: int, lengths: list[int]) -> Samples:
        """Read a batch of each source from start to stop: that of a number."""
        size = self.leaders[start].batch_size
        first = i * size
        begin = first - first % self.leaders[start].block_size
        alike = [leader for leader in self.leaders if leader.batch_size == size]
        if self.blocks.get(size, (None,))[0] != begin:
            self.blocks[size] = begin, self.read_block(alike, begin)
        start -= self.leaders.index(alike[0])
        place = slice(start, start + len(lengths)), slice(first - begin, first - begin + lengths[0])
        _, block = self.blocks[size]
        X, y, weight = (None if tensor is None else tensor[place] for tensor in block)
        return X, y, weight

    def read_block(self, leaders: Sequence[Batches], begin: int) -> Samples:
        """Read samples of all sources that have some, from `begin` on, into common tensors."""
        leaders = [leader for leader in leaders if len(leader.dataset) > begin]
        size = leaders[0].batch_size
        n_rows = min(leaders[0].block_size, len(leaders[0].dataset) - begin)
        X, y, weight = (
            None
            if row is None
            else self.memory.take(f"{name} {size}", row, len(leaders), n_rows, *row.shape)
            for name, row in self.rows.items()
        )
        for i, leader in enumerate(leaders):
            parts = (None if tensor is None else tensor[i] for tensor in (X, y, weight))
            leader.dataset.read_into(leader.rows_of_block(begin), *parts)
        return X, X if y is None else y, weight


class TableReader:
    """Reads the batches of all sources at once, from common tensors of all samples.

    For small data on a CPU: a step is one selection of rows for all sources. Folds of a search are
    row numbers into one array, which the table holds once. Where batches of different lengths make
    one step, the shorter ones are filled up with a row that weighs nothing. Rows that weigh nothing
    anyway, as the out-of-bag rows of bagging, are left out where nobody would miss them.

    Parameters
    ----------
    leaders : sequence of Batches
        Of each source.
    may_leave_out : bool
        Whether samples that weigh nothing may be left out of a batch.
    """

    is_table = True

    def __init__(self, leaders: Sequence[Batches], may_leave_out: bool):
        self.leaders, self.memory = leaders, Memory()
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
            if may_leave_out and not self.weight.all():
                self.weighs = self.weight.numpy() != 0

    def begin(self) -> None:
        """Begin an epoch, in the new order of the batches."""
        n_samples = [len(leader.dataset) for leader in self.leaders]
        self.rows = np.zeros((len(n_samples), max(n_samples)), dtype=np.int64)
        for own, leader, n in zip(self.rows, self.leaders, n_samples):
            order = np.arange(n) if leader.order is None else leader.order
            own[:n] = leader.dataset.rows_of_whole(order)

    def kind(self, leader: Batches) -> None:
        """Tell what batches must have in common to be read together: nothing."""

    def read(self, start: int, stop: int, i: int, lengths: list[int]) -> Samples:
        """Read a batch of each source from start to stop: that of a number."""
        first_target = self.first_target[start:stop, None]
        first = [i * leader.batch_size for leader in self.leaders[start:stop]]
        if len(set(first)) == 1:
            rows = self.rows[start:stop, first[0] : first[0] + lengths[0]] + first_target
        else:
            columns = np.array(first)[:, None] + np.arange(lengths[0])
            columns = np.minimum(columns, self.rows.shape[1] - 1)
            rows = np.take_along_axis(self.rows[start:stop], columns, 1) + first_target
        weighs = None
        if min(lengths) < lengths[0]:
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
