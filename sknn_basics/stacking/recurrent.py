"""Recurrent networks of one structure, computed as one network, step by step."""

from collections.abc import Callable, Sequence
from graphlib import TopologicalSorter

import torch
from torch import Tensor, nn

from sknn_basics.modules.cells import MERGE_MODES, RecurrentLayer, State, last_step, reverse
from sknn_basics.modules.conv import MEMORY_FORMATS
from sknn_basics.modules.layers import RandomLayer, below, join_random_layers
from sknn_basics.modules.recurrent import RecurrentNetwork, last_steps, split_padding
from sknn_basics.stacking.linear import LinearLayers


class OwnRows:
    """How many samples of a step are each member's own; None for all, where none fills it up."""

    counts: list[int] | None = None


class StackedRecurrentLayer:
    """Recurrent layers: (n_members, n_samples, n_steps, n_inputs) to the outputs of each.

    torch's kernels compute all steps of one layer; here, one step of all layers is a few
    operations. Samples lie side by side, since there are more of them than units.

    Parameters
    ----------
    layers : sequence of RecurrentLayer
        The layers.
    tensors : dict
        Their parameters by name, stacked along a new first dimension.
    """

    def __init__(self, layers: Sequence[RecurrentLayer], tensors: dict[str, Tensor], rows: OwnRows):
        self.layers, self.tensors, self.rows = layers, tensors, rows

    def __call__(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        first = self.layers[0]
        forward = self.run(x, "")
        if not first.bidirectional:
            return forward if first.returns_sequence else of_each(last_step, forward, lengths)
        backward = self.run(of_each(reverse, x, lengths), "_reverse")
        if first.returns_sequence:
            backward = of_each(reverse, backward, lengths)
        else:
            forward, backward = (of_each(last_step, y, lengths) for y in (forward, backward))
        return MERGE_MODES[first.merge_mode](forward, backward)

    def run(self, x: Tensor, suffix: str) -> Tensor:
        """Run one direction over all steps; return its outputs."""
        first, tensors = self.layers[0], self.tensors
        names = ("weight_ih", "weight_hh", "bias")
        weight_ih, weight_hh, bias = (tensors[f"{name}{suffix}"] for name in names)
        n_members, n_samples, n_steps, _ = x.shape
        values = x.permute(0, 3, 2, 1).flatten(2)
        given = torch.baddbmm(bias.unsqueeze(2), weight_ih, values)
        start = x.new_zeros(n_members, first.n_units, n_samples).mT
        mask = self.draw(start)
        state: State = (start,) * len(first.kind.states)
        outputs = []
        for given_now in given.unflatten(2, (n_steps, n_samples)).unbind(2):
            hidden = state[0] if mask is None else state[0] * mask
            recalled = torch.bmm(weight_hh, hidden.mT)
            state = first.kind.step(given_now.mT, recalled.mT, state)
            outputs.append(state[0].mT)
        return torch.stack(outputs, 2).permute(0, 3, 2, 1)

    def laid_out(self, x: Tensor) -> list[Tensor]:
        """Split the outputs by layer, and lay them in memory as each layer does alone."""
        first = self.layers[0]
        is_by_step = x.ndim == 4 and not (first.bidirectional and first.merge_mode == "concat")
        return [
            part.transpose(0, 1).contiguous().transpose(0, 1)
            if is_by_step and not layer.recurrent_dropout
            else part.contiguous()
            for layer, part in zip(self.layers, x.unbind())
        ]

    def draw(self, start: Tensor) -> Tensor | None:
        """Draw which units are dropped on their way to the next step, as each layer does alone."""
        if not any(layer.recurrent_dropout for layer in self.layers):
            return None
        if "key" in self.tensors:
            return join_random_layers(self.layers, self.tensors["key"]).draw(start)
        masks = torch.ones_like(start)
        counts = self.rows.counts or [start.shape[1]] * len(start)
        for mask, layer, count in zip(masks, self.layers, counts):
            if layer.recurrent_dropout:
                mask[:count] = layer.draw(mask[:count])
        return masks


class StackedRecurrent:
    """Recurrent networks: (n_members, n_samples, n_steps, ...) to the outputs of each.

    Parameters
    ----------
    networks : sequence of RecurrentNetwork
        The networks.
    tensors : dict
        Their parameters and buffers by name, stacked along a new first dimension.
    rows : OwnRows
        Which samples of a step are whose.
    """

    def __init__(
        self, networks: Sequence[RecurrentNetwork], tensors: dict[str, Tensor], rows: OwnRows
    ):
        first = networks[0]
        self.step_shape, self.steps_out, self.noise = first.step_shape, first.steps_out, None
        if any(noise := layers_of("input_noise", networks)):
            self.noise = StackedRandomLayer(noise, below("input_noise", tensors), rows)
        self.layers = []
        for name in names_of_layers(networks):
            layers = layers_of(name, networks)
            if isinstance(layers[0], RecurrentLayer):
                layers = StackedRecurrentLayer(layers, below(name, tensors), rows)
            elif name.startswith("hidden"):
                layers = StackedRandomLayer(layers, below(name, tensors), rows)
            if name.startswith("hidden"):
                self.layers.append(layers)
        self.output = LinearLayers(below("output", tensors), None)

    @staticmethod
    def unstackable_layer(network: RecurrentNetwork) -> str | None:
        """Name the first layer of a network that cannot be part of a stack, if any."""
        for name, layer in network.named_children():
            if name in ("embedding", "frames", "module"):
                return type(layer).__name__
            if isinstance(layer, RecurrentLayer) and layer.stateful:
                return f"a stateful {type(layer).__name__}"
        return None

    def __call__(self, x: Tensor) -> Tensor:
        x, lengths = self.prepare(x)
        for layers in self.layers:
            if isinstance(layers, StackedRecurrentLayer):
                recurrent, x = layers, layers(x, lengths)
            else:
                x = layers(x, recurrent.laid_out)
        if isinstance(self.steps_out, int):
            x = of_each(last_steps, x, lengths, self.steps_out)
        if x.ndim == 3:
            return self.output(x)
        _, n_samples, n_steps, _ = x.shape
        values = self.output(x.transpose(1, 2).flatten(1, 2))
        return values.unflatten(1, (n_steps, n_samples)).transpose(1, 2)

    def prepare(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Do for all networks what `RecurrentNetwork.prepare` does for one."""
        if not self.step_shape:
            x = x.unsqueeze(-1)
        n_members = len(x)
        x, lengths = split_padding(x.flatten(0, 1))
        x = x.unflatten(0, (n_members, -1))
        if self.noise is not None:
            x = self.noise(x)
        x = x.flatten(3)
        if isinstance(self.steps_out, int):
            x = nn.functional.pad(x, (0, 0, 0, self.steps_out))
            lengths = None if lengths is None else lengths + self.steps_out
        return x, lengths


def of_each(function, x: Tensor, lengths: Tensor | None, *args) -> Tensor:
    """Apply a function of sequences and lengths to those of all members."""
    return function(x.flatten(0, 1), lengths, *args).unflatten(0, x.shape[:2])


def names_of_layers(modules: Sequence[nn.Module]) -> list[str]:
    """List the names of the layers of all modules, in an order that is that of each."""
    order = TopologicalSorter()
    for names in dict.fromkeys(tuple(name for name, _ in m.named_children()) for m in modules):
        for name, earlier in zip(names, [(), *zip(names)]):
            order.add(name, *earlier)
    return list(order.static_order())


def layers_of(name: str, modules: Sequence[nn.Module]) -> list[nn.Module | None]:
    """List each module's layer of a name, None where it has none."""
    return [getattr(module, name, None) for module in modules]


class StackedRandomLayer:
    """Random layers: (n_members, n_samples, ...) to the same, with each member's own draws.

    On a CPU, each layer draws from its generator; elsewhere, one call draws from the keys of all.

    Parameters
    ----------
    layers : sequence of RandomLayer or None
        The layer of each member, if it has one.
    tensors : dict
        Their keys, stacked, if they have any.
    rows : OwnRows
        Which samples of a step are whose.
    """

    def __init__(
        self, layers: Sequence[RandomLayer | None], tensors: dict[str, Tensor], rows: OwnRows
    ):
        self.layers, self.rows, self.joined = layers, rows, None
        if "key" in tensors and len({*map(type, layers)}) == 1:
            self.joined = join_random_layers(layers, tensors["key"])

    def __call__(self, x: Tensor, lay_out: Callable | None = None) -> Tensor:
        """Apply them; `lay_out` splits x by member, in the memory order that each has alone."""
        if self.joined is not None:
            return self.joined.apply_draw(x, self.joined.draw(x))
        return apply_each(self.layers, x if lay_out is None else lay_out(x), self.rows)


def apply_each(
    layers: Sequence[RandomLayer | None], x: Tensor | Sequence[Tensor], rows: OwnRows
) -> Tensor:
    """Apply to each member's own samples its layer, if it has one, which draws as it does alone.

    It draws in the order in which values lie in memory: that of one tensor for all is made the
    usual one, of images that of convolutions.
    """
    counts = rows.counts or [None] * len(layers)
    if isinstance(x, Tensor):
        memory_format = MEMORY_FORMATS.get(x.ndim - 3, torch.contiguous_format)
        x = [part.contiguous(memory_format=memory_format) for part in x.unbind()]
    parts = []
    for layer, part, count in zip(layers, x, counts):
        if layer is not None:
            own, filling = part[:count], part[len(part) if count is None else count :]
            part = torch.cat([layer(own), filling]) if len(filling) else layer(own)
        parts.append(part)
    return torch.stack(parts)
