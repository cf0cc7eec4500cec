"""Networks of one structure within a stack, and the steps that neighbours among them take."""

import weakref
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sknn_basics.modules.cells import RecurrentLayer
from sknn_basics.modules.layers import RandomLayer
from sknn_basics.modules.summary import count_multiplications
from sknn_basics.stacking.layers import ANY_ACTIVATION, apply, stack_layers
from sknn_basics.stacking.linear import LinearLayers, Memory
from sknn_basics.stacking.losses import class_weights_of, losses_of_members
from sknn_basics.stacking.padding import Padded, PaddedStep
from sknn_basics.stacking.recurrent import OwnRows
from sknn_basics.training.averaging import update_averages
from sknn_basics.training.devices import Replayed, widest_float
from sknn_basics.training.losses import CrossEntropy, describe_loss
from sknn_basics.training.net import Net
from sknn_basics.training.own_losses import is_own

# Options of layers that all networks of a block have, besides what layers say of themselves.
OPTIONS = ("channel_axis", "returns_sequence", "step_shape", "steps_out")


class Structure(NamedTuple):
    """What the networks of a block have in common, each part in a form that can be compared."""

    layers: tuple
    weights: tuple
    frozen: tuple
    loss: tuple
    # The number of steps of sequences is in it.
    n_multiplications: int


def structure(net: Net) -> Structure:
    """Describe what a network must have in common with others to be computed by one product."""
    module, criterion = net.module_, net.criterion_
    tensors = named_tensors(module)
    return Structure(
        layers=tuple(
            (name, *describe_layer(layer))
            for name, layer in module.named_modules()
            if not is_free(layer)
        ),
        weights=tuple((name, tensor.dtype, tuple(tensor.shape)) for name, tensor in tensors),
        frozen=tuple(name for name, tensor in tensors if not tensor.requires_grad),
        # Each may smooth labels in its own way.
        loss=(CrossEntropy,)
        if type(criterion) is CrossEntropy
        else (*describe_loss(criterion), criterion.progress()),
        n_multiplications=count_multiplications(module),
    )


def is_free(layer: nn.Module) -> bool:
    """Tell whether a layer only draws, so that others may lack it, or have another one."""
    return isinstance(layer, RandomLayer) and not isinstance(layer, RecurrentLayer)


def describe_layer(layer: nn.Module) -> tuple:
    """Name the kind of a layer and its options, if networks of a block have these in common."""
    if activation_of(layer):
        return (nn.Module,)
    return type(layer), layer.extra_repr(), *(getattr(layer, option, None) for option in OPTIONS)


def activation_of(layer: nn.Module) -> str:
    """Name an activation that others of a block need not have; "" for any other layer."""
    kind = type(layer)
    return f"{kind.__name__}({layer.extra_repr()})" if kind in ANY_ACTIVATION else ""


def activations_of(net: Net) -> list[str]:
    """Name the activations of a network, by which the networks of a block are sorted."""
    return [activation_of(layer) for layer in net.module_.modules()]


def named_tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    """List parameters and buffers by name."""
    return [*module.named_parameters(), *module.named_buffers()]


class Block:
    """Networks of one structure whose parameters lie in common tensors.

    Parameters
    ----------
    nets : list of Net
        Networks of one `structure`, sorted by their sources.
    index : list of int
        Source of each.

    Attributes
    ----------
    tensors : dict of str to Tensor
        Parameters and buffers by name, those of all networks along a new first dimension.
    gradients : dict of str to Tensor
        Gradients of what is trained of these.
    views, gradient_views : list of tuple
        Of each parameter and buffer: itself, what it shares memory with, whether it is trained. Of
        each that is trained: itself, and what its gradient shares memory with.
    """

    def __init__(self, nets: list[Net], index: list[int]):
        self.nets, self.index = nets, index
        members = [dict(named_tensors(net.module_)) for net in nets]
        self.tensors, self.gradients, self.padded, self.own_gradients = {}, {}, {}, {}
        self.views, self.gradient_views = [], []
        for name, first in members[0].items():
            self.add(name, [member[name] for member in members], first.requires_grad)
        self.has_penalty = any(net.alpha for net in nets)

    def add(self, name: str, parameters: list[Tensor], is_trained: bool) -> None:
        """Lay a parameter or buffer of all networks into common memory."""
        if len({p.shape for p in parameters}) == 1:
            self.tensors[name] = torch.stack([p.detach() for p in parameters])
            views_of, own = torch.unbind, self.tensors[name]
        else:
            padded = self.padded[name] = Padded(parameters)
            self.tensors[name] = padded.own.new_empty(padded.index.shape)
            views_of, own = padded.views, padded.own
        self.views += [(p, view, is_trained) for p, view in zip(parameters, views_of(own))]
        if is_trained:
            gradient = torch.empty_like(own)
            self.gradients[name] = self.own_gradients[name] = gradient
            if name in self.padded:
                self.gradients[name] = torch.empty_like(self.tensors[name])
            self.gradient_views += zip(parameters, views_of(gradient))

    def read_losses(self, records: list[tuple[int, Tensor]]) -> tuple[list, list]:
        """Move losses, penalties and what is observed of all steps from the device.

        Parameters
        ----------
        records : list of (int, Tensor)
            Of each step: its first network, and what `Part.step` returns.

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


class Part:
    """Those networks of a block that take a step together: of the sources start to stop."""

    def __init__(self, block: Block, start: int, stop: int):
        members = slice(bisect_left(block.index, start), bisect_left(block.index, stop))
        self.start = members.start
        self.nets = nets = block.nets[members]
        tensors = {name: tensor[members] for name, tensor in block.tensors.items()}
        device = next(iter(tensors.values())).device
        self.sources = [source - start for source in block.index[members]]
        self.index = None
        if self.sources != list(range(stop - start)):
            self.index = torch.tensor(self.sources, device=device)
        self.set_up_losses(next(iter(tensors.values())))
        parameters = dict(nets[0].module_.named_parameters()) if nets else {}
        self.trained = [name for name, p in parameters.items() if p.requires_grad]
        self.leaves = {name: tensors[name].detach() for name in tensors}
        for name in self.trained:
            self.leaves[name].requires_grad_()
        self.rows = OwnRows()
        self.layers = stack_layers([net.module_ for net in nets], self.leaves, self.rows)
        counts = Counter(self.sources)
        self.shares_inputs = (
            len(counts) == stop - start
            and len(set(counts.values())) == 1
            and isinstance(self.layers[0], LinearLayers)
        )
        self.gradients = {name: block.gradients[name][members] for name in self.trained}
        for name, gradient in self.gradients.items():
            self.leaves[name].grad = gradient
        self.padded = [
            (PaddedStep(padded, members), tensors[name], self.gradients.get(name), name)
            for name, padded in block.padded.items()
        ]
        self.own_gradients = block.own_gradients
        self.memory = Memory()
        self.decayed = [name for name in self.trained if parameters[name].dim() > 1]
        self.has_penalty = block.has_penalty
        self.averaged = [net for net in nets if net.average_ is not None]
        self.alpha = torch.tensor(
            [net.alpha for net in nets], dtype=widest_float(device), device=device
        )
        self.set_up_limits(tensors[self.trained[0]])
        self.replayed = None
        if all(net.may_be_replayed() for net in nets) and not self.padded:
            # No circle, which would keep the memory of a stack that has ended.
            own = weakref.proxy(self)
            self.replayed = Replayed(lambda *batch: own.compute_gradients(*batch))

    def set_up_losses(self, like: Tensor) -> None:
        self.criteria = [net.criterion_ for net in self.nets]
        self.criterion = self.criteria[0]
        # Those of users know no other dimensions.
        self.is_each_apart = is_own(self.criterion)
        self.class_weights = class_weights_of(self.criteria, like)
        self.rates = None
        if type(self.criterion) is CrossEntropy and any(c.label_smoothing for c in self.criteria):
            self.rates = like.new_tensor([own.label_smoothing for own in self.criteria])

    def set_up_limits(self, like: Tensor) -> None:
        clips = [net.clip_grad_norm for net in self.nets]
        self.clip = limits_of(clips, like)
        self.constrained = []
        for name in self.trained:
            layer, _, kind = name.rpartition(".")
            layers = [net.module_.get_submodule(layer) for net in self.nets]
            limits = limits_of([getattr(own, "max_norm", None) for own in layers], like)
            if kind == "weight" and limits is not None:
                self.constrained.append((self.leaves[name].detach(), limits))

    def step(self, X: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
        """Compute the gradients of a step.

        Returns losses, scales of the penalty, norms, and what the criterion observes, one column a
        network.
        """
        if self.replayed is None:
            return self.compute_gradients(X, y, weight)
        # The next step overwrites what a graph returns.
        return self.replayed(X, y, weight).clone()

    def compute_gradients(self, X: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
        for values, tensor, _, _ in self.padded:
            values.pad(tensor)
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
        for values, _, gradient, name in self.padded:
            if gradient is not None:
                values.take(gradient, self.own_gradients[name])
        means = torch.linalg.vecdot(losses.detach(), shares)
        observed = ()
        if self.criterion.n_observed:
            observed = self.criterion.observe(output.detach().mT).mean(2).T
        return torch.stack([means, scale.to(output.dtype), *norms, *observed])

    def end_step(self) -> None:
        """Do what follows the optimisers' step."""
        for values, tensor, _, _ in self.padded if self.constrained else ():
            values.pad(tensor)
        for weight, limits in self.constrained:
            norms = torch.linalg.vector_norm(weight.flatten(2), dim=2)
            # torch's `renorm` divides by as much.
            factors = torch.where(norms > limits[:, None], limits[:, None] / (norms + 1e-7), 1.0)
            weight.mul_(factors.view(*norms.shape, *[1] * (weight.dim() - 2)))
        for values, tensor, _, _ in self.padded if self.constrained else ():
            values.take(tensor, values.source)
        update_averages([net.average_ for net in self.averaged])

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
        # Only for class indices is there a form in which each network smooths labels as it does.
        is_smoothed = self.rates is not None and (y.is_floating_point() or output.ndim > 3)
        if self.is_each_apart or is_smoothed:
            losses = torch.stack([own(*pair) for own, *pair in zip(self.criteria, output, y)])
        else:
            losses = losses_of_members(self.criterion, output, y, self.rates, self.class_weights)
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


def limits_of(limits: Sequence[float | None], like: Tensor) -> Tensor | None:
    """Make a tensor of each network's limit, infinite where it has none; None if all are."""
    if all(limit is None for limit in limits):
        return None
    return like.new_tensor([np.inf if limit is None else limit for limit in limits])
