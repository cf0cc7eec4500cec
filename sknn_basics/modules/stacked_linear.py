"""Linear layers side by side, in memory that each step uses again."""

from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

Layer = Callable[[Tensor], Tensor]

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


# Multiplications from which a product is faster by oneDNN: `python -m benchmarks.products`.
LARGE_PRODUCT = 2**20


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
    again, the gradients of weight and bias in their `grad` if they have one.
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor, activation, memory: Memory):
        ctx.save_for_backward(x, weight, bias)
        ctx.memory = memory
        n_members, n_samples, _ = x.shape
        n_units = weight.shape[1]
        # Values that lie side by side are computed at once: the more of them, the faster.
        is_narrow = n_units < n_samples
        output = memory.take_matrices("output", x, n_members, n_samples, n_units, is_narrow)
        if is_narrow:
            torch.baddbmm(bias.unsqueeze(2), weight, x.mT, out=output.mT)
        else:
            torch.baddbmm(bias.unsqueeze(1), x, weight.mT, out=output)
        return activate(ctx, output, activation)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        x, weight, bias = ctx.saved_tensors
        memory = ctx.memory
        differentiate(ctx, gradient)
        needs_x, needs_weight, needs_bias, _, _ = ctx.needs_input_grad
        gradient_x = gradient_weight = gradient_bias = None
        if needs_x:
            gradient_x = memory.take_matrices("x", x, *x.shape, x.mT.is_contiguous())
            if x.mT.is_contiguous():
                torch.bmm(weight.mT, gradient.mT, out=gradient_x.mT)
            else:
                torch.bmm(gradient, weight, out=gradient_x)
        if needs_weight:
            gradient_weight = torch.bmm(gradient.mT, x, out=weight.grad)
        if needs_bias:
            gradient_bias = torch.sum(gradient, 1, out=bias.grad)
        return gradient_x, gradient_weight, gradient_bias, None, None


class SharedLinear(torch.autograd.Function):
    """Linear layers side by side and their activation, where neighbours have samples in common.

    Takes x of shape (n_sources, n_samples, n_inputs) without a gradient, otherwise what
    `StackedLinear` takes; `places` are those of each source's members. The weights of all members
    of a source make one matrix, which is multiplied at once.
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor, places, activation, memory: Memory):
        ctx.save_for_backward(x, weight, bias)
        ctx.places = places
        n_members, n_units, _ = weight.shape
        output = memory.take("output", x, n_members, n_units, x.shape[1])
        for place, samples in zip(places, x):
            weighed = product(weight[place].flatten(0, 1), samples)
            own = output[place]
            torch.add(weighed.view_as(own), bias[place].unsqueeze(2), out=own)
        return activate(ctx, output.mT, activation)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor):
        x, weight, bias = ctx.saved_tensors
        differentiate(ctx, gradient)
        by_unit = gradient.mT.contiguous()
        gradient_weight = gradient_bias = None
        if ctx.needs_input_grad[1]:
            gradient_weight = weight.grad.detach()
            for place, samples in zip(ctx.places, x):
                own = gradient_weight[place]
                weighed = product(by_unit[place].flatten(0, 1), samples.T.contiguous())
                own.copy_(weighed.view_as(own))
        if ctx.needs_input_grad[2]:
            gradient_bias = torch.sum(by_unit, 2, out=bias.grad)
        return None, gradient_weight, gradient_bias, None, None, None


def activate(ctx, output: Tensor, activation: type | None) -> Tensor:
    """Apply an activation of `IN_PLACE`, if there is one, and remember it."""
    ctx.activation = activation
    if activation is not None:
        IN_PLACE[activation][0](output)
        # Another view: the result itself would keep what remembers it alive.
        ctx.output = output.detach()
    return output


def differentiate(ctx, gradient: Tensor) -> None:
    """Turn the gradient of what `activate` returned, which nobody else reads, into its input's."""
    if ctx.activation is not None:
        IN_PLACE[ctx.activation][1](gradient, ctx.output)


def product(rows: Tensor, others: Tensor) -> Tensor:
    """Multiply each row of a matrix by each row of another by oneDNN: (n, k), (m, k) -> (n, m).

    It writes its code for the processor that it finds. On processors that torch's own library was
    not written for, that takes half of the time.
    """
    return torch.ops.mkldnn._linear_pointwise(rows, others, None, "none", [], "")


@cache
def has_onednn() -> bool:
    """Tell whether this torch has oneDNN's product, which it made for its compiler."""
    one = torch.ones(1, 1)
    try:
        return product(one, one).equal(one)
    except (AttributeError, RuntimeError):
        return False


class LinearStack:
    """Linear layers of all members, and their activation.

    Parameters
    ----------
    weight, bias : Tensor
        Of shapes (n_members, n_units, n_inputs) and (n_members, n_units).
    activation : type or None
        Activation of `IN_PLACE` that follows, if any.
    """

    def __init__(self, weight: Tensor, bias: Tensor, activation: type | None):
        self.weight, self.bias, self.activation = weight, bias, activation
        self.memory = Memory()

    def __call__(self, x: Tensor) -> Tensor:
        return StackedLinear.apply(x, self.weight, self.bias, self.activation, self.memory)

    def shares(self, x: Tensor) -> bool:
        """Tell whether the members are better computed source by source, from their samples."""
        n_sources, is_usual = len(x), x.dtype is torch.float32 and x.device.type == "cpu"
        if n_sources == len(self.weight) or x.ndim != 3 or not is_usual:
            return False
        n_products = self.weight.numel() * x.shape[1]
        return n_products >= n_sources * LARGE_PRODUCT and has_onednn()

    def of_sources(self, x: Tensor, places: Sequence[slice]) -> Tensor:
        """Compute outputs of all members from the samples of their sources."""
        return SharedLinear.apply(x, self.weight, self.bias, places, self.activation, self.memory)


def stack_linear(tensors: dict[str, Tensor], activation: type | None) -> LinearStack:
    """Make linear layers of all members, and the activation of `IN_PLACE` that follows, if any."""
    return LinearStack(tensors["weight"], tensors["bias"], activation)


def below(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give the tensors of the layer of a name, by their names within it."""
    prefix = f"{name}."
    return {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}
