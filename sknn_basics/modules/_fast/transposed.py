"""Transposed convolutions, a few samples at a time."""

from collections.abc import Callable, Sequence
from itertools import repeat

import torch
from torch import Tensor
from torch.nn import functional

from sknn_basics._compat import once_differentiable, relu_gradient, weight_gradient

# Bytes of results for each thread: as much as its cache holds for what is computed of them.
CACHED = 2**21


class Transposed(torch.autograd.Function):
    """Transposed convolution, and the rectifier that follows if there is one.

    The results of a whole batch would be written to memory and read again for the rectifier, and
    their gradients for the rectifier, bias, weight and input each; those of a few samples stay in
    the cache. Besides, a bias takes the transposed convolution of torch half as long as all others.

    The rectifier is computed in place: a gradient of it needs its results only, which are positive
    where it let values through. So the sums before it are kept nowhere, and ``backward`` saves its
    output. The gradient that comes in is not overwritten: it may be another reader's too (a tensor
    that is added to two branches hands the same one to both), so each part gets a new one, of the
    size of a cache.
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor, settings: tuple, rectifies: bool):
        convolve = getattr(functional, f"conv_transpose{x.ndim - 2}d")
        ctx.settings = settings
        if not rectifies:
            ctx.save_for_backward(x, weight, None)
            return convolve(x, weight, bias, *settings)
        output = rectified(x, lambda part: convolve(part, weight, bias, *settings))
        ctx.save_for_backward(x, weight, output)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, output = ctx.saved_tensors
        n = samples_at_a_time(gradient)
        outputs = repeat(None) if output is None else output.split(n)
        parts = [
            gradients(*part, weight, ctx.settings, ctx.needs_input_grad)
            for part in zip(gradient.split(n), x.split(n), outputs)
        ]
        of_x, of_weight, of_bias = zip(*parts)
        return joined(of_x), total(of_weight), total(of_bias), None, None


def samples_at_a_time(images: Tensor) -> int:
    """Tell how many samples the caches hold: for each thread at least one, a power of two."""
    n_samples = CACHED // max(1, images[:1].numel() * images.element_size())
    return torch.get_num_threads() * 2 ** max(0, n_samples.bit_length() - 1)


def rectified(x: Tensor, convolve: Callable[[Tensor], Tensor]) -> Tensor:
    """Convolve images and rectify the results."""
    example = convolve(x[:1])
    # In whatever order the convolution lays its results.
    output = example.new_empty_strided((len(x), *example.shape[1:]), example.stride())
    n = samples_at_a_time(output)
    for part, target in zip(x.split(n), output.split(n)):
        torch.clamp_min(convolve(part), 0, out=target)
    return output


def gradients(
    gradient: Tensor,
    x: Tensor,
    output: Tensor | None,
    weight: Tensor,
    settings: tuple,
    needed: Sequence[bool],
) -> tuple[Tensor | None, ...]:
    """Compute the gradients of input, weight and bias, those that are needed."""
    stride, padding, _, groups, dilation = settings
    needs_x, needs_weight, needs_bias, *_ = needed
    if output is not None:
        gradient = relu_gradient(gradient, output, torch.empty_like(gradient))
    # Forwards, this is the gradient of a convolution; so its own are a convolution, and the
    # gradient of the weights of one, in which inputs and results have changed their parts.
    convolve = getattr(functional, f"conv{x.ndim - 2}d")
    of_x = convolve(gradient, weight, None, stride, padding, dilation, groups) if needs_x else None
    of_weight = None
    if needs_weight:
        gradient_of_weight = weight_gradient(x.ndim - 2)
        of_weight = gradient_of_weight(gradient, weight.shape, x, stride, padding, dilation, groups)
    of_bias = gradient.sum((0, *range(2, gradient.ndim))) if needs_bias else None
    return of_x, of_weight, of_bias


def joined(parts: Sequence[Tensor | None]) -> Tensor | None:
    return None if parts[0] is None else torch.cat(parts)


def total(parts: Sequence[Tensor | None]) -> Tensor | None:
    return None if parts[0] is None else torch.stack(parts).sum(0)
