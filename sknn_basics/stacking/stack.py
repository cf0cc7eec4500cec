"""Many networks trained as one."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sknn_basics.modules.layers import random_layers
from sknn_basics.modules.summary import count_multiplications
from sknn_basics.stacking.blocks import Block, Part, activations_of, structure
from sknn_basics.stacking.optimisers import (
    JointOptimiser,
    lay_moments_side_by_side,
    snapshot_of_optimisers,
)
from sknn_basics.stacking.padding import join_widths
from sknn_basics.stacking.sources import Sources
from sknn_basics.training.batches import Batches
from sknn_basics.training.net import Fit, Net
from sknn_basics.training.optimisers import get_rate


class Unstackable(Exception):
    """Says why networks that were to be stacked cannot be; they are as they were before."""


class Setting(NamedTuple):
    """What the networks of a stack have in common, each part in a form that can be compared."""

    dtype: str
    device: str
    samples: tuple


def setting(fit: Fit) -> Setting:
    """Describe what a network must have in common with others to take its steps with them."""
    parameter = next(fit.net.module_.parameters())
    return Setting(
        dtype=str(parameter.dtype).removeprefix("torch."),
        device=str(parameter.device),
        samples=fit.batches.dataset.describe_samples(),
    )


class Stack:
    """Networks of one `setting` that take their steps together, in blocks of one structure.

    The parameters of each network become views into those of its block: what reads or changes a
    network (its optimiser, callbacks, predictions) needs not know of the stack.

    Parameters
    ----------
    nets : sequence of Net
        Initialised nets of one setting.
    batches : sequence of Batches
        What each is trained on.

    Attributes
    ----------
    blocks : list of Block
        The blocks.
    nets : list of Net
        The nets of all blocks, those of a block that see the same batches side by side.
    n_epochs : int
        Number of epochs that were trained.
    work : int
        Multiplications of the forward passes of a step of all nets.
    """

    def __init__(self, nets: Sequence[Net], batches: Sequence[Batches]):
        self.sources = Sources(batches, nets)
        sources = {nets[i]: source for i, source in zip(self.sources.order, self.sources.index)}
        # An optimiser's call takes long for each tensor; neighbours of one rate are one tensor.
        places = {
            net: (
                *(sources[net], activations_of(net)),
                *(type(net.optimizer_).__name__, get_rate(net.optimizer_)),
            )
            for net in nets
        }
        self.blocks = []
        for members in join_widths({net: structure(net) for net in nets}):
            members.sort(key=places.get)
            self.blocks.append(Block(members, [sources[net] for net in members]))
        self.nets = [net for block in self.blocks for net in block.nets]
        self.views = [view for block in self.blocks for view in block.views]
        self.undo = self.snapshot()
        for tensor, view, _ in self.views:
            tensor.data = view
        self.known = {}
        self.n_epochs, self.work = 0, work_of_step(self.nets)

    def holds(self) -> bool:
        """Tell whether the networks are views into the stack still, and train the same layers."""
        return all(
            tensor.data_ptr() == view.data_ptr() and tensor.requires_grad == is_trained
            for tensor, view, is_trained in self.views
        )

    def train_epoch(self) -> list[tuple[np.ndarray, list[int], np.ndarray | None]]:
        """Make a step with every batch of every network.

        Whatever fails in the first epoch is undone: alone, a network may well be trained, or it
        fails by itself.

        Returns
        -------
        results : list of (ndarray, list of int, ndarray or None)
            What `Net.pass_over` returns, for each of `nets`.

        Raises
        ------
        Unstackable
            If something fails in the first epoch, but for a lack of memory.
        """
        try:
            results = self.make_steps()
        except Exception as error:
            if self.undo is None:
                raise
            self.undo()
            if is_out_of_memory(error):
                raise
            raise Unstackable(why_unstackable(error)) from error
        self.undo = None
        return results

    def snapshot(self) -> Callable[[], None]:
        """Remember what the first epoch changes; calling the result undoes it."""
        # Not copied: the steps change what they are views of from now on.
        weights = [(tensor, tensor.data) for tensor, _, _ in self.views]
        orders = [(own, own.order, own.rng and own.rng.get_state()) for own in self.sources.batches]
        generators = {
            layer.generator: layer.generator.get_state()
            for net in self.nets
            for layer in random_layers(net.module_)
        }
        undo_optimisers = snapshot_of_optimisers([net.optimizer_ for net in self.nets])
        rates = [(net, list(net.rates_of_steps_)) for net in self.nets]
        undo_averages = [net.average_.snapshot() for net in self.nets if net.average_]

        def undo() -> None:
            for batches, order, state in orders:
                batches.order = order
                if state is not None:
                    batches.rng.set_state(state)
            for generator, state in generators.items():
                generator.set_state(state)
            for tensor, original in weights:
                tensor.data = original
            undo_optimisers()
            for undo_average in undo_averages:
                undo_average()
            for net, own in rates:
                net.rates_of_steps_ = own

        return undo

    def make_steps(self) -> list[tuple[np.ndarray, list[int], np.ndarray | None]]:
        for net in self.nets:
            if not net.module_.training or net.frozen_statistics_:
                net._set_training(True)
        for block in self.blocks:
            for parameter, gradient in block.gradient_views:
                if parameter.grad is not gradient:
                    parameter.grad = gradient
            if not self.n_epochs:
                lay_moments_side_by_side(
                    [net.optimizer_ for net in block.nets], [net.trainable_ for net in block.nets]
                )
        records, current = defaultdict(list), None
        for start, stop, lengths, batches in self.sources.steps():
            members = self.neighbours(start, stop)
            if members is not current:
                if current is not None:
                    current.optimiser.separate()
                members.begin()
                current = members
            members.fill(lengths)
            for block, record in members.step(*batches):
                records[block].append(record)
        current.optimiser.separate()
        self.n_epochs += 1
        results, counts = [], self.sources.counts()
        for block in self.blocks:
            losses, observed = block.read_losses(records[block])
            results += zip(losses, [counts[source] for source in block.index], observed)
        return results

    def neighbours(self, start: int, stop: int) -> "Neighbours":
        """Give those of the stack that take their steps from the sources start to stop."""
        if (start, stop) not in self.known:
            self.known[start, stop] = Neighbours(self, start, stop)
        return self.known[start, stop]


class Neighbours:
    """Neighbours in a stack, which take a step together: those of the sources start to stop."""

    def __init__(self, stack: Stack, start: int, stop: int):
        sources = set(range(start, stop))
        self.blocks = [block for block in stack.blocks if not sources.isdisjoint(block.index)]
        self.parts = [Part(block, start, stop) for block in self.blocks]
        self.nets = [net for part in self.parts for net in part.nets]
        self.optimiser = None

    def begin(self) -> None:
        """Read the options of all optimisers, which callbacks may have changed."""
        # Foreign callbacks may also have changed what the optimisers work on.
        is_known = self.optimiser and not any(net.runs_foreign_code() for net in self.nets)
        if not (is_known and self.optimiser.renew()):
            self.optimiser = JointOptimiser([net.optimizer_ for net in self.nets])

    def begin_step(self) -> None:
        """Set the rates of a step, where schedules change them by step."""
        if not any(net.rates_of_steps_ for net in self.nets):
            return
        self.optimiser.separate()
        for net in self.nets:
            net.begin_step()
        if not self.optimiser.renew():
            self.optimiser = JointOptimiser([net.optimizer_ for net in self.nets])

    def fill(self, lengths: list[int] | None) -> None:
        """Tell how many samples of the next batches are each source's own; None for all."""
        for part in self.parts:
            part.rows.counts = lengths and [lengths[source] for source in part.sources]

    def step(
        self, X: Tensor, y: Tensor, weight: Tensor | None
    ) -> list[tuple[Block, tuple[int, Tensor]]]:
        """Make a step; return what each block takes down of it."""
        self.begin_step()
        records = [(part.start, part.step(X, y, weight)) for part in self.parts]
        self.optimiser.step()
        for part in self.parts:
            part.end_step()
        return list(zip(self.blocks, records))


def work_of_step(nets: Sequence[Net]) -> int:
    """Count the multiplications of the forward passes of a step of all nets."""
    return sum(net.batch_size * count_multiplications(net.module_) for net in nets)


def why_unstackable(error: Exception) -> str:
    """Turn what has failed while networks were stacked into a reason to train them alone."""
    message = str(error).partition("\n")[0]
    return f"stacking failed with {type(error).__name__}" + (f": {message}" if message else "")


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether an allocation failed, on any device."""
    # torch says on the CPU: "DefaultCPUAllocator: can't allocate memory", and of libraries of CUDA
    # CUBLAS_STATUS_ALLOC_FAILED or CUDNN_STATUS_ALLOC_FAILED.
    signs = ("allocate memory", "ALLOC_FAILED", "out of memory")
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)
    )
