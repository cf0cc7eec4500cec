"""One fit over several processes, each of which computes a part of every batch."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from datetime import timedelta
from functools import reduce
from zlib import crc32

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from sknn_basics.training.batches import Batches
from sknn_basics.training.devices import kept_memory
from sknn_basics.training.net import TRAINER, Fit, Net

BATCH_NORMALIZATIONS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@contextmanager
def data_parallel(timeout: float = 300.0) -> Iterator[int]:
    """Let all processes of ``torchrun`` make each fit together.

    Every process calls the same ``fit`` with the same rows, such as one memory map, and the same
    integer ``random_state``. Of each batch it computes its share: the first process the first of
    every so many samples, the second the next ones. Gradients are averaged by torch's
    ``DistributedDataParallel``, so that all processes have the same weights, bit by bit, and those
    of one process alone up to rounding: what a batch size, a weight or an order mean does not
    depend on the number of processes. What is drawn within the network, such as dropout, is drawn
    for other samples, and equal on average only. L-BFGS, which takes all samples at once, computes
    everything in each process.

    Parameters
    ----------
    timeout : float, default=300.0
        Seconds that a process waits for the others before it gives up with an error.

    Yields
    ------
    rank : int
        The number of this process, 0 where a script was not started by ``torchrun``: then nothing
        else is changed. Let only process 0 print and write.

    Raises
    ------
    RuntimeError
        By a fit, if a process has ended, or they have not been given the same.
    ValueError
        By a fit, if its network cannot be trained in shares: with batch normalization, steps of its
        own (adversaries, texts, states kept from batch to batch), or a callback or loss that
        watches batches.

    References
    ----------
    .. [1] S. Li et al., "PyTorch Distributed: Experiences on Accelerating Data Parallel Training",
       Proceedings of the VLDB Endowment 13 (2020).

    Examples
    --------
    In a file ``train.py``, started by ``torchrun --nproc-per-node 4 train.py``:

    >>> from sklearn.datasets import load_iris
    >>> from sknn_basics import MLPClassifier
    >>> from sknn_basics.parallel import data_parallel
    >>> X, y = load_iris(return_X_y=True)
    >>> with data_parallel() as rank:
    ...     network = MLPClassifier(max_iter=500, random_state=0).fit(X, y)
    >>> if rank == 0:
    ...     print(f"{network.score(X, y):.2f}")
    0.98
    """
    if "WORLD_SIZE" not in os.environ:
        yield 0
        return
    is_own = not dist.is_initialized()
    if is_own:
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())
        dist.init_process_group(timeout=timedelta(seconds=timeout))
    token = TRAINER.set(train_together)
    try:
        yield dist.get_rank()
    finally:
        TRAINER.reset(token)
        if is_own:
            dist.destroy_process_group()


def train_together(fit: Fit) -> None:
    """Make all steps of a fit, of each batch a part."""
    fit.advance()
    if fit.batches is None:
        return
    net = fit.net
    check_network(net)
    same_everywhere("were given different data or random states", *description(fit))
    replica = Replica(net, fit.batches)
    with kept_memory(net.device, net.bytes_of_step()):
        while fit.batches is not None:
            fit.result = replica.train_epoch(fit.batches)
            fit.advance()
            same_everywhere("ended at different epochs", len(net.history), fit.batches is None)
    same_everywhere("have different weights", checksum(net.module_))


def description(fit: Fit) -> tuple:
    """Tell what all processes must have alike before the first epoch."""
    batches = fit.batches
    n_samples, state = batches.key()
    return (
        n_samples,
        crc32(repr(state).encode()),
        batches.dataset.fingerprint(),
        checksum(fit.net.module_),
    )


def checksum(module: nn.Module) -> int:
    """Compute a checksum of all weights, which differ if a bit does."""
    parts = [np.ascontiguousarray(p.numpy(force=True)) for p in module.state_dict().values()]
    return reduce(lambda before, part: crc32(part, before), parts, 0)


def same_everywhere(otherwise: str, *numbers) -> None:
    """Check that all processes have the same numbers.

    Raises
    ------
    RuntimeError
        If they have not.
    """
    found = [None] * dist.get_world_size()
    dist.all_gather_object(found, numbers)
    others = [rank for rank, own in enumerate(found) if own != found[0]]
    if others:
        raise RuntimeError(
            f"The processes of one fit {otherwise}: {others} and 0. Give all the same rows, the "
            "same parameters and an integer random_state, and stop by epochs, not by time."
        )


def check_network(net: Net) -> None:
    """Check that a network can be trained in shares.

    Raises
    ------
    ValueError
        If it cannot.
    """
    if any(isinstance(layer, BATCH_NORMALIZATIONS) for layer in net.module_.modules()):
        raise ValueError(
            "normalization='batch' would count each process's samples by itself: "
            "set 'layer' or 'group' for a fit over several processes."
        )
    if type(net).train_step is not Net.train_step or type(net).pass_over is not Net.pass_over:
        raise ValueError(
            f"A fit over several processes makes the steps of {Net.__name__}, not of "
            f"{type(net).__name__}: train this network in one process."
        )
    if net.mixing_:
        raise ValueError("Samples are mixed with others of their batch: train in one process.")
    if net.watches_batches() or net.criterion_.n_observed:
        what = "A callback" if net.watches_batches() else "A loss"
        raise ValueError(
            f"{what} that watches batches would see a part of each: train in one process."
        )


class Replica:
    """A process's copy of a network, and its share of the batches.

    The share of a batch's loss is what the share's samples add to the mean over all samples, so
    that gradients are to be added up, where torch's engine takes their mean.

    Parameters
    ----------
    net : Net
        The net, equal in all processes.
    batches : Batches
        What it is trained on.
    """

    def __init__(self, net: Net, batches: Batches):
        net.replayed_ = None  # A recorded step would not wait for the others.
        self.net, self.n_processes, self.rank = net, dist.get_world_size(), dist.get_rank()
        self.module = DistributedDataParallel(net.module_)
        self.size = batches.batch_size
        self.n_samples = len(batches.dataset)
        self.n_steps = 0

    def train_epoch(self, batches: Batches) -> tuple:
        """Make a step with every batch, and return what `Net.pass_over` returns."""
        own = self.share_of(batches)
        net = self.net
        changed = {"compute": self.compute, "mean_loss": self.mean_loss}
        vars(net).update(changed)
        try:
            self.n_steps = 0
            losses, _, observed = net.pass_over(own, "train")
        finally:
            for name in changed:
                del vars(net)[name]
        counts = [self.rows_of_batch(i) for i in range(len(batches))]
        return losses, counts, observed

    def share_of(self, batches: Batches) -> Batches:
        """Shuffle as usual, and keep this process's rows of each batch."""
        batches.reshuffle()
        order = np.arange(self.n_samples) if batches.order is None else batches.order
        parts = [order[i : i + self.size] for i in range(0, self.n_samples, self.size)]
        # Whoever has no row of a small last batch takes one that weighs nothing.
        rows = [part[self.rank :: self.n_processes] for part in parts]
        rows = [own if len(own) else part[:1] for own, part in zip(rows, parts)]
        own = copy(batches)
        own.__class__ = Share
        own.rows = rows
        return own

    def rows_of_batch(self, number: int) -> int:
        return min(self.size, self.n_samples - number * self.size)

    def compute(self, X: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return Net.compute(self.net, X)
        module, self.net.module_ = self.net.module_, self.module
        try:
            return Net.compute(self.net, X)
        finally:
            self.net.module_ = module

    def mean_loss(self, output: Tensor, y: Tensor, weight: Tensor | None):
        if not torch.is_grad_enabled():
            return Net.mean_loss(self.net, output, y, weight)
        n_rows, self.n_steps = self.rows_of_batch(self.n_steps), self.n_steps + 1
        n_own = len(range(self.rank, n_rows, self.n_processes))
        if weight is None:
            share, total = n_own / n_rows, n_rows
        else:
            own = weight.sum() if n_own else weight.new_zeros(())
            total = own.clone()
            dist.all_reduce(total)
            total = torch.where(total > 0, total, 1.0)
            share = own / total
        loss, _ = Net.mean_loss(self.net, output, y, weight)
        return AddedUp.apply(loss * share, self.n_processes), total


class AddedUp(torch.autograd.Function):
    """The sum of all processes' losses; each has the gradient of its own, times their number."""

    @staticmethod
    def forward(ctx, loss: Tensor, n_processes: int) -> Tensor:
        ctx.n_processes = n_processes
        total = loss.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient: Tensor):
        return gradient * ctx.n_processes, None


class Share(Batches):
    """A process's rows of all batches of an epoch."""

    def __iter__(self) -> Iterator[tuple]:
        for rows in self.rows:
            yield self.dataset[rows]
