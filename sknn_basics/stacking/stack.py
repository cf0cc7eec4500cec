"""Many networks of one structure, trained as one."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sknn_basics.modules.cells import RecurrentLayer
from sknn_basics.modules.layers import RandomLayer, random_layers
from sknn_basics.modules.summary import count_multiplications
from sknn_basics.stacking.layers import apply, stack_layers
from sknn_basics.stacking.linear import LinearLayers, Memory
from sknn_basics.stacking.losses import losses_of_members
from sknn_basics.stacking.optimisers import (
    JointOptimiser,
    lay_moments_side_by_side,
    snapshot_of_optimisers,
)
from sknn_basics.stacking.sources import Sources
from sknn_basics.training.batches import Batches
from sknn_basics.training.losses import describe_loss
from sknn_basics.training.net import Fit, Net
from sknn_basics.training.optimisers import get_rate
from sknn_basics.training.own_losses import is_own

# Options of layers that all networks of a stack have, besides what layers say of themselves.
OPTIONS = ("channel_axis", "max_norm", "returns_sequence", "step_shape", "steps_out")


class Unstackable(Exception):
    """Says why networks that were to be stacked cannot be; they are as they were before."""


class Structure(NamedTuple):
    """What the networks of a stack have in common, each part in a form that can be compared."""

    layers: tuple
    weights: tuple
    dtypes: tuple
    devices: tuple
    frozen: tuple
    loss: tuple
    batch_size: int
    # The number of steps of sequences is in it.
    n_multiplications: int
    samples: tuple


def structure(fit: Fit) -> Structure:
    """Describe what a network must have in common with others to be stacked with them."""
    net, module = fit.net, fit.net.module_
    tensors = named_tensors(module)
    return Structure(
        layers=tuple(
            (name, type(layer), describe_layer(layer)) for name, layer in module.named_modules()
        ),
        weights=tuple((name, tuple(tensor.shape)) for name, tensor in tensors),
        dtypes=tuple(tensor.dtype for _, tensor in tensors),
        devices=tuple(str(tensor.device) for _, tensor in tensors),
        frozen=tuple(name for name, tensor in tensors if not tensor.requires_grad),
        loss=(*describe_loss(net.criterion_), net.criterion_.progress()),
        batch_size=net.batch_size,
        n_multiplications=count_multiplications(module),
        samples=fit.batches.dataset.describe_samples(),
    )


def describe_layer(layer: torch.nn.Module) -> tuple:
    """Name the options of a layer; those of draws may differ."""
    may_differ = isinstance(layer, RandomLayer) and not isinstance(layer, RecurrentLayer)
    options = tuple(getattr(layer, option, None) for option in OPTIONS)
    return options if may_differ else (layer.extra_repr(), *options)


def named_tensors(module: torch.nn.Module) -> list[tuple[str, Tensor]]:
    """List parameters and buffers by name."""
    return [*module.named_parameters(), *module.named_buffers()]


def has_independent_samples(module: torch.nn.Module) -> bool:
    """Tell whether a network computes each sample alike, whatever others are in its batch."""
    depends = (RandomLayer, torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)
    return not any(isinstance(layer, depends) for layer in module.modules())


class Stack:
    """Networks of one structure whose parameters lie in common tensors.

    The parameters of each network become views into them: what reads or changes a network (its
    optimiser, callbacks, predictions) needs not know of the stack.

    Parameters
    ----------
    nets : sequence of Net
        Initialised nets of one `structure`.
    batches : sequence of Batches
        What each is trained on.

    Attributes
    ----------
    nets : list of Net
        The nets, those that see the same batches side by side.
    n_epochs : int
        Number of epochs that were trained.
    """

    def __init__(self, nets: Sequence[Net], batches: Sequence[Batches]):
        # An optimiser's call takes long for each tensor; neighbours of one rate are one tensor.
        by_rate = sorted(range(len(nets)), key=lambda i: get_rate(nets[i].optimizer_))
        nets, batches = [nets[i] for i in by_rate], [batches[i] for i in by_rate]
        sources = Sources(batches, has_independent_samples(nets[0].module_))
        self.sources = sources
        self.nets = [nets[i] for i in sources.order]
        self.members = [dict(named_tensors(net.module_)) for net in self.nets]
        self.tensors = {
            name: torch.stack([member[name].detach() for member in self.members])
            for name in self.members[0]
        }
        first = self.members[0]
        self.gradients = {
            name: torch.empty_like(tensor)
            for name, tensor in self.tensors.items()
            if first[name].requires_grad
        }
        # Of each parameter and buffer: itself, what it shares memory with, whether it is trained.
        self.views = [
            (member[name], view, first[name].requires_grad)
            for name, tensor in self.tensors.items()
            for member, view in zip(self.members, tensor.unbind())
        ]
        self.undo = self.snapshot()
        for tensor, view, _ in self.views:
            tensor.data = view
        self.gradient_views = [
            (member[name], view)
            for name, gradient in self.gradients.items()
            for member, view in zip(self.members, gradient.unbind())
        ]
        self.batch_size = nets[0].batch_size
        self.has_penalty = any(net.alpha for net in nets)
        self.known = {}
        self.n_epochs = 0

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
        orders = [
            (own, own.order, own.rng and own.rng.get_state())
            for own in (*self.sources.leaders, *self.sources.followers)
        ]
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
        for parameter, gradient in self.gradient_views:
            if parameter.grad is not gradient:
                parameter.grad = gradient
        if not self.n_epochs:
            lay_moments_side_by_side(
                [net.optimizer_ for net in self.nets], [net.trainable_ for net in self.nets]
            )
        records, current = [], None
        for start, stop, batches in self.sources.steps(self.batch_size):
            members = self.neighbours(start, stop)
            if members is not current:
                if current is not None:
                    current.optimiser.separate()
                members.begin()
                current = members
            records.append((members.start, members.step(*batches)))
        current.optimiser.separate()
        self.n_epochs += 1
        losses, observed = self.read_losses(records)
        return list(zip(losses, self.sources.counts(self.batch_size), observed))

    def neighbours(self, start: int, stop: int) -> "Neighbours":
        """Give those of the stack that take their steps from the sources start to stop."""
        if (start, stop) not in self.known:
            self.known[start, stop] = Neighbours(self, start, stop)
        return self.known[start, stop]

    def read_losses(self, records: list[tuple[int, Tensor]]) -> tuple[list, list]:
        """Move losses, penalties and what is observed of all steps from the device.

        Returns
        -------
        losses : list of ndarray of shape (n_batches,)
            Reported losses of each network.
        observed : list of ndarray of shape (n_batches, 1 + n_observed) or of None
            Losses without the penalty, and what each network's criterion observes besides.
        """
        numbers = torch.cat([record for _, record in records], dim=1).numpy(force=True)
        places = [start + i for start, record in records for i in range(record.shape[1])]
        losses, scales, *rest = numbers[:, np.argsort(places, kind="stable")]
        ends = np.cumsum(np.bincount(places)[:-1])
        n_norms = len(rest) - self.nets[0].criterion_.n_observed
        observed = [None] * len(self.nets)
        if n_norms < len(rest):
            observed = np.split(np.column_stack([losses, *rest[n_norms:]]), ends)
        losses = self.nets[0].reported_losses(losses, scales, np.array(rest[:n_norms]).T)
        return np.split(losses, ends), observed


class Neighbours:
    """Neighbours in a stack, which take a step together: those of the sources start to stop."""

    def __init__(self, stack: Stack, start: int, stop: int):
        sources = stack.sources
        members = slice(sources.first_member(start), sources.first_member(stop))
        self.start = members.start
        self.nets = nets = stack.nets[members]
        tensors = {name: tensor[members] for name, tensor in stack.tensors.items()}
        device = next(iter(tensors.values())).device
        self.index = None
        if len(nets) > stop - start:
            self.index = torch.tensor(sources.index[members], device=device) - start
        self.criterion = nets[0].criterion_
        # Losses of steps have class weights of their own; those of users know no other dimensions.
        criteria = [net.criterion_ for net in nets]
        has_weights = any(getattr(own, "class_weight", None) is not None for own in criteria)
        self.criteria = criteria if has_weights or is_own(criteria[0]) else None
        parameters = dict(nets[0].module_.named_parameters())
        self.trained = [name for name, p in parameters.items() if p.requires_grad]
        self.leaves = {name: tensors[name].detach() for name in tensors}
        for name in self.trained:
            self.leaves[name].requires_grad_()
        self.layers = stack_layers([net.module_ for net in nets], self.leaves)
        counts = {sources.count_members(source) for source in range(start, stop)}
        self.shares_inputs = len(counts) == 1 and isinstance(self.layers[0], LinearLayers)
        self.gradients = {name: stack.gradients[name][members] for name in self.trained}
        for name, gradient in self.gradients.items():
            self.leaves[name].grad = gradient
        self.memory, self.optimiser = Memory(), None
        dtype = tensors[self.trained[0]].dtype
        self.decayed = [name for name in self.trained if parameters[name].dim() > 1]
        self.has_penalty = stack.has_penalty
        self.averaged = [net for net in nets if net.average_ is not None]
        self.alpha = torch.tensor([net.alpha for net in nets], dtype=torch.float64, device=device)
        limits = [np.inf if net.clip_grad_norm is None else net.clip_grad_norm for net in nets]
        self.clip = None
        if np.isfinite(limits).any():
            self.clip = torch.tensor(limits, dtype=dtype, device=device)
        self.constrained = [
            (self.leaves[f"{name}.weight"].detach(), layer.max_norm)
            for name, layer in nets[0].module_.named_modules()
            if getattr(layer, "max_norm", None) is not None
        ]

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

    def step(self, X: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
        """Make a step.

        Returns losses, scales of the penalty, norms, and what the criterion observes, one column a
        network.
        """
        self.begin_step()
        output = apply(self.layers, X if self.shares_inputs else self.spread("X", X))
        losses, shares, total_weight = self.losses(output, self.spread("y", y), weight)
        objective = torch.dot(losses.flatten(), shares.flatten())
        gradients = torch.autograd.grad(objective, [self.leaves[name] for name in self.trained])
        # The optimisers know these tensors, which lie in memory as their parameters do.
        for own, gradient in zip(self.gradients.values(), gradients):
            if gradient.data_ptr() != own.data_ptr():
                own.copy_(gradient)
        scale = self.alpha / total_weight
        norms = self.decay(scale.to(output.dtype))
        if self.clip is not None:
            self.clip_gradients()
        self.optimiser.step()
        for weight, max_norm in self.constrained:
            weight.flatten(0, 1).renorm_(2, 0, max_norm)
        for net in self.averaged:
            net.average_.update()
        means = torch.linalg.vecdot(losses.detach(), shares)
        observed = ()
        if self.criterion.n_observed:
            observed = self.criterion.observe(output.detach().mT).mean(2).T
        return torch.stack([means, scale.to(output.dtype), *norms, *observed])

    def spread(self, name: str, values: Tensor) -> Tensor:
        """Give each network what its source has."""
        if self.index is None:
            return values
        out = self.memory.take(name, values, len(self.index), *values.shape[1:])
        return torch.index_select(values, 0, self.index, out=out)

    def losses(self, output: Tensor, y: Tensor, weight: Tensor | None):
        """Compute the losses of each network's batch.

        Returns
        -------
        losses, shares : Tensor of shape (n_members, n_samples)
            Losses of samples, and their shares in the mean.
        total_weight : Tensor of shape (n_members,) or int
            What the samples weigh together.
        """
        if self.criteria is not None:
            losses = torch.stack([own(*pair) for own, *pair in zip(self.criteria, output, y)])
        else:
            losses = losses_of_members(self.criterion, output, y)
        if weight is None:
            n_samples = output.shape[1]
            return losses, torch.full_like(losses, 1 / n_samples), n_samples
        weight = self.spread("weight", weight)
        total = weight.sum(1)
        total = torch.where(total > 0, total, 1.0)
        return losses, (weight / total[:, None]).to(losses.dtype), total

    def decay(self, scale: Tensor) -> list[Tensor]:
        """Add the gradient of the L2 penalty; return the norms of the weights."""
        if not self.has_penalty:
            return []
        norms = []
        for name in self.decayed:
            weight = self.leaves[name].detach()
            self.gradients[name].addcmul_(weight, scale.view(-1, *[1] * (weight.dim() - 1)))
            norms.append(torch.linalg.vector_norm(weight.flatten(1), dim=1))
        return norms

    def clip_gradients(self) -> None:
        """Clip the norm of each network's gradient."""
        gradients = self.gradients.values()
        parts = [torch.linalg.vector_norm(g.flatten(1), dim=1) for g in gradients]
        norm = torch.linalg.vector_norm(torch.stack(parts), dim=0)
        factor = torch.clamp(self.clip / (norm + 1e-6), max=1.0)
        for gradient in gradients:
            gradient.mul_(factor.view(-1, *[1] * (gradient.dim() - 1)))


def why_unstackable(error: Exception) -> str:
    """Turn what has failed while networks were stacked into a reason to train them alone."""
    message = str(error).partition("\n")[0]
    return f"stacking failed with {type(error).__name__}" + (f": {message}" if message else "")


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether an allocation failed, on any device."""
    # torch says on the CPU: "DefaultCPUAllocator: can't allocate memory".
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "allocate memory" in str(error)
    )
