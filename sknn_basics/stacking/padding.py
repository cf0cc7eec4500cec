"""Dense networks of different widths as one block: weights padded with zeros for each step."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor, nn

from sknn_basics.modules.dense import DenseNetwork
from sknn_basics.modules.layers import RandomLayer, RReLU
from sknn_basics.modules.summary import count_multiplications
from sknn_basics.stacking.layers import SHARED
from sknn_basics.training.net import Net

# What a block of its own costs in each step, in multiplications of a forward pass: networks of
# different widths are one block if less is multiplied for nothing: `python -m benchmarks.stacking`.
BLOCK_COST = 2**21

# What it costs to pad weights and to take their gradients out, in samples that they would serve.
PADDING_COST = 16


def join_widths(keys: dict[Net, tuple]) -> list[list[Net]]:
    """Sort nets into blocks: of one structure, or of any widths where padding costs less.

    Parameters
    ----------
    keys : dict of Net to tuple
        The `structure` of each.
    """
    by_kind = defaultdict(lambda: defaultdict(list))
    for net, key in keys.items():
        by_kind[kind_without_widths(key, net.module_) or key][key].append(net)
    blocks = []
    for by_widths in by_kind.values():
        alike = list(by_widths.values())
        alike.sort(key=lambda nets: count_multiplications(nets[0].module_), reverse=True)
        together, cost = [], 0
        for nets in alike:
            more = cost_of_padding([*together, nets])
            if together and more - cost > BLOCK_COST:
                blocks.append(list(chain.from_iterable(together)))
                together, more = [], 0
            together, cost = [*together, nets], more
        blocks.append(list(chain.from_iterable(together)))
    return blocks


def kind_without_widths(key: tuple, module: nn.Module) -> tuple | None:
    """Describe all of a network but its widths; None where a unit of zeros would change others.

    A layer's units are computed one by one, and a unit whose weights are 0 has the output 0: what
    follows a linear layer is an activation without weights, of which 0 is a fixed point, or only
    draws.
    """
    if type(module) is not DenseNetwork or not all(map(keeps_zeros, module)):
        return None
    names = [name for name, layer in module.named_children() if isinstance(layer, nn.Linear)]
    dtypes = tuple(dtype for _, dtype, _ in key.weights)
    return tuple(names), dtypes, key.frozen, key.loss


def keeps_zeros(layer: nn.Module) -> bool:
    """Tell whether a padded unit is 0 after a layer, and nothing else knows of it."""
    if isinstance(layer, RandomLayer):
        return type(layer) is not RReLU
    if isinstance(layer, nn.Linear):
        return True
    return type(layer) in SHARED and not layer(torch.zeros(1, 2)).any()


def cost_of_padding(groups: Sequence[list[Net]]) -> int:
    """Count what is multiplied for nothing in a step of groups of one structure, if padded."""
    if len(groups) == 1:
        return 0
    shapes = [[p.shape for p in nets[0].module_.parameters()] for nets in groups]
    largest = sum(torch.Size(map(max, zip(*own))).numel() for own in zip(*shapes))
    cost = 0
    for nets in groups:
        n_samples = sum(net.batch_size for net in nets)
        cost += (n_samples + PADDING_COST * len(nets)) * largest
        cost -= n_samples * count_multiplications(nets[0].module_)
    return cost


class Padded:
    """A parameter of networks of different widths.

    Each network's part is as it is alone, and all lie side by side: that is what optimisers see.
    Products need tensors of one shape, into which the parts are copied before each step; what is
    none of them is 0.

    Parameters
    ----------
    parameters : sequence of Tensor
        The parameter of each network, of one number of dimensions.

    Attributes
    ----------
    own : Tensor of shape (n_values + 1,)
        The parts of all networks, and a zero.
    index : Tensor of shape (n_members, ...)
        Where each value of the padded tensor is in `own`.
    """

    def __init__(self, parameters: Sequence[Tensor]):
        self.shapes = [p.shape for p in parameters]
        self.sizes = [p.numel() for p in parameters]
        first = parameters[0].detach()
        values = [p.detach().flatten() for p in parameters]
        self.own = torch.cat([*values, first.new_zeros(1)])
        n_values = len(self.own) - 1
        largest = list(map(max, zip(*self.shapes)))
        index = torch.full((len(parameters), *largest), n_values, device=first.device)
        numbers = torch.arange(n_values, device=first.device).split(self.sizes)
        for padded, own, shape in zip(index, numbers, self.shapes):
            padded[tuple(map(slice, shape))] = own.view(shape)
        self.index = index

    def views(self, values: Tensor) -> list[Tensor]:
        """Give each network's part of values like `own`."""
        parts = values[: sum(self.sizes)].split(self.sizes)
        return [part.view(shape) for part, shape in zip(parts, self.shapes)]


class PaddedStep:
    """Copies a parameter of neighbours to where it is padded, and values of it back.

    Parameters
    ----------
    padded : Padded
        The parameter, of a block.
    members : slice
        The neighbours.
    """

    def __init__(self, padded: Padded, members: slice):
        index = padded.index[members].flatten()
        self.source, self.index = padded.own, index
        self.places = (index < sum(padded.sizes)).nonzero().flatten()
        start = sum(padded.sizes[: members.start])
        self.own = slice(start, start + len(self.places))

    def pad(self, out: Tensor) -> None:
        """Copy the networks' own values into a padded tensor."""
        torch.index_select(self.source, 0, self.index, out=out.view(-1))

    def take(self, padded: Tensor, out: Tensor) -> None:
        """Copy those of a padded tensor to where the networks have them."""
        torch.index_select(padded.view(-1), 0, self.places, out=out[self.own])
