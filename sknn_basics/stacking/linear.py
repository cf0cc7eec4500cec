"""Linear layers side by side, in memory that each step uses again."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from sknn_basics._compat import relu_gradient, sigmoid_gradient, tanh_gradient

Layer = Callable[[Tensor], Tensor]

# Activations computed in place, and their gradients from the outputs, in place too.
IN_PLACE = {
    nn.ReLU: (torch.relu_, relu_gradient),
    nn.Sigmoid: (torch.sigmoid_, sigmoid_gradient),
    nn.Tanh: (torch.tanh_, tanh_gradient),
}


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
    """Linear layers side by side, and their activations, each of a slice of the members.

    Takes x of shape (n_sources, n_samples, n_inputs), weight of shape (n_members, n_units,
    n_inputs), bias of shape (n_members, n_units). Where there are more members than sources, as
    many neighbours share each one, whose gradient is not computed. Results lie in memory that the
    next step uses again, the gradients of weight and bias in their `grad` if they have one.

    Three things are done in place, against torch's custom, because to allocate memory costs small
    networks more than to compute what it holds. The activation overwrites the products it is made
    of: its gradient can be told from its results (`IN_PLACE`). Backwards, that gradient overwrites
    the one that came from the layer above, which nobody reads any more, since this layer's output
    has a single reader. And the gradients of weights are written where the optimiser reads them,
    not added up: each weight is used once a step. A layer whose output is read twice, or whose
    weights are shared, must not be computed in this way.
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor, activations, memory: Memory):
        n_sources, n_samples, _ = x.shape
        n_members, n_units, _ = weight.shape
        # Values that lie side by side are computed at once: the more of them, the faster.
        is_narrow = n_units < n_samples
        output = memory.take_matrices("output", x, n_members, n_samples, n_units, is_narrow)
        if is_narrow:
            matrices = bias.unsqueeze(2), weight, output.mT
            biases, weights, out = (below_each_other(m, n_sources) for m in matrices)
            torch.baddbmm(biases, weights, x.mT, out=out)
        else:
            if n_members > n_sources:
                shared, x = x.unsqueeze(1), memory.take("inputs", x, n_members, *x.shape[1:])
                x.unflatten(0, (n_sources, -1)).copy_(shared)
            torch.baddbmm(bias.unsqueeze(1), x, weight.mT, out=output)
        ctx.save_for_backward(x, weight, bias)
        ctx.activations, ctx.memory = activations, memory
        for members, kind in activations:
            activate, _ = IN_PLACE[kind]
            activate(output[members])
        # Another view: the result itself would keep what remembers it alive.
        ctx.output = output.detach()
        return output

    @staticmethod
    def backward(ctx, gradient: Tensor):
        x, weight, bias = ctx.saved_tensors
        memory = ctx.memory
        for members, kind in ctx.activations:
            # The gradient belongs to this layer alone.
            _, differentiate = IN_PLACE[kind]
            differentiate(gradient[members], ctx.output[members])
        needs_x, needs_weight, needs_bias, _, _ = ctx.needs_input_grad
        gradient_x = gradient_weight = gradient_bias = None
        if needs_x:
            gradient_x = memory.take_matrices("x", x, *x.shape, x.mT.is_contiguous())
            if x.mT.is_contiguous():
                torch.bmm(weight.mT, gradient.mT, out=gradient_x.mT)
            else:
                torch.bmm(gradient, weight, out=gradient_x)
        if needs_weight:
            gradient_weight = torch.empty_like(weight) if weight.grad is None else weight.grad
            out = below_each_other(gradient_weight, len(x))
            torch.bmm(below_each_other(gradient.mT, len(x)), x, out=out)
        if needs_bias:
            gradient_bias = torch.sum(gradient, 1, out=bias.grad)
        return gradient_x, gradient_weight, gradient_bias, None, None


def below_each_other(matrices: Tensor, n_sources: int) -> Tensor:
    """Make one matrix of those of each source's members, a view where they lie side by side."""
    return matrices.reshape(n_sources, -1, matrices.shape[-1])


class LinearLayers:
    """Linear layers of all members, and the activations of `IN_PLACE` that follow, if any.

    Members may share their inputs, see `StackedLinear`.

    Parameters
    ----------
    tensors : dict of str to Tensor
        Weights and biases of all members.
    activation : type, sequence of type, or None
        Activation of all members, or of each; None, or another one than those of `IN_PLACE`, is
        none.
    """

    def __init__(self, tensors: dict[str, Tensor], activation: type | Sequence[type] | None):
        self.weight, self.bias = tensors["weight"], tensors["bias"]
        is_one = activation is None or isinstance(activation, type)
        kinds = [activation] * len(self.weight) if is_one else activation
        self.activations = [(place, kind) for place, kind in runs(kinds) if kind in IN_PLACE]
        self.memory = Memory()

    def __call__(self, x: Tensor) -> Tensor:
        return StackedLinear.apply(x, self.weight, self.bias, self.activations, self.memory)


def runs(values: Sequence) -> Iterator[tuple[slice, Any]]:
    """Iterate over equal neighbours: where they are, and their value."""
    start = 0
    for value, alike in groupby(values):
        stop = start + len(list(alike))
        yield slice(start, stop), value
        start = stop
