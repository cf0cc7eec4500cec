"""Networks of one structure, computed as one network with a further first dimension."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from sknn_basics.modules.autoencoder import AutoencoderNetwork, VariationalNetwork
from sknn_basics.modules.layers import ACTIVATIONS, NORMALIZATIONS, RandomLayer

Layer = Callable[[Tensor], Tensor]

# Layers that `vmap` runs for all members at once, with each member's own parameters.
MAPPED = {*NORMALIZATIONS.values(), nn.PReLU}

# Layers that act on every value, or along the last dimension, alike for all members.
SHARED = {type(make()) for make in ACTIVATIONS.values()} - MAPPED

# Activations computed in place, and their gradients from the outputs, in place too.
_aten = torch.ops.aten
IN_PLACE = {
    nn.ReLU: (
        torch.relu_,
        lambda g, output: _aten.threshold_backward.grad_input(g, output, 0, grad_input=g),
    ),
    nn.Sigmoid: (
        torch.sigmoid_,
        lambda g, output: _aten.sigmoid_backward.grad_input(g, output, grad_input=g),
    ),
    nn.Tanh: (
        torch.tanh_,
        lambda g, output: _aten.tanh_backward.grad_input(g, output, grad_input=g),
    ),
}


def unstackable_layer(module: nn.Module) -> str | None:
    """Name the first layer that `stack_layers` does not know, if any."""
    halves = [module]
    if type(module) in (AutoencoderNetwork, VariationalNetwork):
        halves = [module.encoder, module.decoder]
    for half in halves:
        if not isinstance(half, nn.Sequential):
            return type(half).__name__
    return next((type(layer).__name__ for layer in chain(*halves) if not _is_known(layer)), None)


def _is_known(layer: nn.Module) -> bool:
    if isinstance(layer, nn.Linear | RandomLayer) or type(layer) in MAPPED:
        return True
    # A softmax without a dimension chooses it by the number of dimensions.
    return type(layer) in SHARED and getattr(layer, "dim", -1) == -1


class Memory(dict):
    """Tensors that each step uses again: new ones cost more than to compute what they hold."""

    def take(self, name: str, like: Tensor, *shape: int) -> Tensor:
        """Give the tensor of that name and shape, whatever it holds."""
        if (name, shape) not in self:
            self[name, shape] = like.new_empty(shape)
        return self[name, shape].detach()

    def take_matrices(
        self, name: str, like: Tensor, n_matrices: int, n_rows: int, n_columns: int, by_column: bool
    ) -> Tensor:
        """Give matrices whose rows lie side by side, or whose columns do."""
        if by_column:
            return self.take(name, like, n_matrices, n_columns, n_rows).mT
        return self.take(name, like, n_matrices, n_rows, n_columns)


class StackedLinear(torch.autograd.Function):
    """Linear layers side by side, and their activation.

    Takes x of shape (n_members, n_samples, n_inputs), weight of shape (n_members, n_units,
    n_inputs), bias of shape (n_members, n_units). Results lie in memory that the next step uses
    again; gradients of weights have the order that fused optimisers need.
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor, activation, memory: Memory):
        ctx.save_for_backward(x, weight)
        ctx.activation, ctx.memory = activation, memory
        n_members, n_samples, _ = x.shape
        n_units = weight.shape[1]
        # Values that lie side by side are computed at once: the more of them, the faster.
        is_narrow = n_units < n_samples
        output = memory.take_matrices("output", x, n_members, n_samples, n_units, is_narrow)
        if is_narrow:
            torch.baddbmm(bias.unsqueeze(2), weight, x.mT, out=output.mT)
        else:
            torch.baddbmm(bias.unsqueeze(1), x, weight.mT, out=output)
        if activation is not None:
            activate, _ = IN_PLACE[activation]
            activate(output)
            ctx.output = output
        return output

    @staticmethod
    def backward(ctx, gradient: Tensor):
        x, weight = ctx.saved_tensors
        memory = ctx.memory
        if ctx.activation is not None:
            # The gradient belongs to this layer alone.
            _, differentiate = IN_PLACE[ctx.activation]
            differentiate(gradient, ctx.output)
        needs_x, needs_weight, needs_bias, _, _ = ctx.needs_input_grad
        gradient_x = gradient_weight = gradient_bias = None
        if needs_x:
            gradient_x = memory.take_matrices("x", x, *x.shape, x.mT.is_contiguous())
            if x.mT.is_contiguous():
                torch.bmm(weight.mT, gradient.mT, out=gradient_x.mT)
            else:
                torch.bmm(gradient, weight, out=gradient_x)
        if needs_weight:
            out = memory.take("weight", weight, *weight.shape)
            gradient_weight = torch.bmm(gradient.mT, x, out=out)
        if needs_bias:
            out = memory.take("bias", weight, *weight.shape[:2])
            gradient_bias = torch.sum(gradient, 1, out=out)
        return gradient_x, gradient_weight, gradient_bias, None, None


def stack_layers(modules: Sequence[nn.Module], tensors: dict[str, Tensor]) -> list[Layer]:
    """Make the layers of a stack: tensors of shape (n_members, n_samples, ...) to the same.

    Parameters
    ----------
    modules : sequence of nn.Module
        Networks of one structure, of layers in sequence or autoencoders of such halves.
    tensors : dict
        Their parameters and buffers by name, stacked along a new first dimension.
    """
    first = modules[0]
    if isinstance(first, nn.Sequential):
        return _stack_sequence(modules, tensors)
    encoder, decoder = (
        _stack_sequence([getattr(module, half) for module in modules], _below(half, tensors))
        for half in ("encoder", "decoder")
    )
    if isinstance(first, VariationalNetwork):
        sampling = _stack_layer([module.sampling for module in modules], {})
        return [*encoder, lambda x: torch.cat([apply([sampling, *decoder], x), x], -1)]
    if first.appends_latents:
        decoder = [lambda x, layers=decoder: torch.cat([apply(layers, x), x], -1)]
    noise = []
    if hasattr(first, "noise"):
        noise = [_stack_layer([module.noise for module in modules], {})]
    return [*noise, *encoder, *decoder]


def apply(layers: Iterable[Layer], x: Tensor) -> Tensor:
    """Apply layers one after the other."""
    for layer in layers:
        x = layer(x)
    return x


def _stack_sequence(modules: Sequence[nn.Sequential], tensors: dict[str, Tensor]) -> list[Layer]:
    names = [name for name, _ in modules[0].named_children()]
    layers, kinds = [], [type(layer) for layer in modules[0]]
    for i, name in enumerate(names):
        if kinds[i] in IN_PLACE and issubclass(kinds[i - 1], nn.Linear) and i > 0:
            continue
        own = _below(name, tensors)
        if issubclass(kinds[i], nn.Linear):
            following = kinds[i + 1] if i + 1 < len(kinds) else None
            activation = following if following in IN_PLACE else None
            layers.append(_stack_linear(own, activation))
        else:
            layers.append(_stack_layer([getattr(module, name) for module in modules], own))
    return layers


def _below(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    prefix = f"{name}."
    return {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}


def _stack_linear(tensors: dict[str, Tensor], activation: type | None) -> Layer:
    memory = Memory()
    weight, bias = tensors["weight"], tensors["bias"]
    return lambda x: StackedLinear.apply(x, weight, bias, activation, memory)


def _stack_layer(layers: list[nn.Module], tensors: dict[str, Tensor]) -> Layer:
    first = layers[0]
    if isinstance(first, RandomLayer):
        # Each member draws from its own generator, with its own options, as it does alone: in the
        # order in which values lie in memory, too.
        return lambda x: torch.stack(
            [layer(part) for layer, part in zip(layers, x.contiguous().unbind())]
        )
    if not tensors:
        return first
    mapped = vmap(lambda own, x: functional_call(first, own, (x,)))
    return lambda x: mapped(tensors, x)
