"""Networks of one structure, computed as one network with a further first dimension."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from sknn_basics.modules.layers import ACTIVATIONS, NORMALIZATIONS, RandomLayer

Layer = Callable[[Tensor], Tensor]

# Layers that `vmap` runs for all members at once, with each member's own parameters.
MAPPED = {*NORMALIZATIONS.values(), nn.PReLU}

# Layers that act on every value, or along the last dimension, alike for all members.
SHARED = {type(make()) for make in ACTIVATIONS.values()} - MAPPED


def unstackable_layer(module: nn.Module) -> str | None:
    """Name the first layer that `stack_layers` does not know, if any."""
    if not isinstance(module, nn.Sequential):
        return type(module).__name__
    return next((type(layer).__name__ for layer in module if not _is_known(layer)), None)


def _is_known(layer: nn.Module) -> bool:
    if isinstance(layer, nn.Linear | RandomLayer) or type(layer) in MAPPED:
        return True
    # A softmax without a dimension chooses it by the number of dimensions.
    return type(layer) in SHARED and getattr(layer, "dim", -1) == -1


def stack_layers(modules: Sequence[nn.Sequential], tensors: dict[str, Tensor]) -> list[Layer]:
    """Make the layers of a stack: tensors of shape (n_members, n_samples, ...) to the same.

    Parameters
    ----------
    modules : sequence of nn.Sequential
        Networks of one structure.
    tensors : dict
        Their parameters and buffers by name, stacked along a new first dimension.
    """
    return [
        _stack_layer([getattr(module, name) for module in modules], _below(name, tensors))
        for name, _ in modules[0].named_children()
    ]


class StackedLinear(torch.autograd.Function):
    """Linear layers side by side: x of shape (n_members, n_samples, n_inputs), weight of shape
    (n_members, n_units, n_inputs), bias of shape (n_members, n_units).

    torch's own gradient of a batched product has its weights transposed in memory, which fused
    optimisers would read in the wrong order.
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return torch.baddbmm(bias.unsqueeze(1), x, weight.mT)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        return (
            torch.bmm(gradient, weight) if needs_x else None,
            torch.bmm(gradient.mT, x) if needs_weight else None,
            gradient.sum(1) if needs_bias else None,
        )


def _below(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    prefix = f"{name}."
    return {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}


def _stack_layer(layers: list[nn.Module], tensors: dict[str, Tensor]) -> Layer:
    first = layers[0]
    if isinstance(first, nn.Linear):
        return lambda x: StackedLinear.apply(x, tensors["weight"], tensors["bias"])
    if isinstance(first, RandomLayer):
        # Each member draws from its own generator, as it does alone.
        return lambda x: first.apply_draw(
            x, torch.stack([layer.draw(part) for layer, part in zip(layers, x.unbind())])
        )
    if type(first) is nn.ReLU:
        return torch.relu_  # its input is this stack's own, and needed by no gradient
    if not tensors:
        return first
    mapped = vmap(lambda own, x: functional_call(first, own, (x,)))
    return lambda x: mapped(tensors, x)
