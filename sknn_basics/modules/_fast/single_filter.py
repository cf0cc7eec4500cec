"""Convolutions by a single filter, which the usual ways of CPUs are slow at."""

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional

from sknn_basics._compat import once_differentiable, weight_gradient

Place = tuple[slice, ...]


class SingleFilter(torch.autograd.Function):
    """Convolution of images by one filter of odd size, with results of the images' size.

    A matrix multiplication for each image weighs all pixels by all taps of the filter; for each
    tap, the weighed pixels are then moved to where they count, and added up. This takes half as
    long as a convolution of torch, whose results for several filters are computed side by side.
    Backwards, the one channel is the input of a convolution by many filters, and that is fast.

    Sums are made in place, in a tensor that begins as the bias. It must be nobody else's memory,
    for the activation that follows may overwrite it in turn: ``repeat`` copies, ``expand`` would
    not. The incoming gradient is copied for another reason: its one channel can lie first or last
    in memory without a difference in shape, and torch chooses its kernel by the strides alone.
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        n_samples, _, *size = x.shape
        ctx.save_for_backward(x, weight)
        pixels, taps = x.flatten(2), weight[0].flatten(1).T.contiguous()
        # No view: an activation may change it in place.
        out = bias.repeat(n_samples, 1, *size)
        products = torch.bmm(taps.expand(n_samples, -1, -1), pixels).unflatten(2, size)
        places = places_of_taps(weight.shape[2:], size)
        for weighed, (target, source) in zip(products.split(1, dim=1), places):
            out[target] += weighed[source]
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        padding = [k // 2 for k in weight.shape[2:]]
        mirrored = weight.flip(2, 3).movedim(1, 0)
        # Torch sees only from strides that its one channel comes last, as those of x do.
        images = grad.clone(memory_format=torch.channels_last)
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            of_x = functional.conv2d(images, mirrored, padding=padding)
        if ctx.needs_input_grad[1]:
            of_mirrored = weight_gradient(2)(images, mirrored.shape, x, padding=padding)
            of_weight = of_mirrored.movedim(1, 0).flip(2, 3)
        return of_x, of_weight, grad.sum().view(1)


def places_of_taps(kernel: Sequence[int], size: Sequence[int]) -> list[tuple[Place, Place]]:
    """List for each tap of a filter in which results it counts, and for which pixels.

    Parameters
    ----------
    kernel : sequence of int
        Size of the filter, odd in each dimension.
    size : sequence of int
        Size of the images.

    Examples
    --------
    >>> from sknn_basics.modules._fast.single_filter import places_of_taps
    >>> places_of_taps([3], [5])[0]  # the first tap: each pixel counts in the next result
    ((Ellipsis, slice(1, 5, None)), (Ellipsis, slice(0, 4, None)))
    """
    shifts = [
        [(overlap(n, -shift), overlap(n, shift)) for shift in range(-(k // 2), k // 2 + 1)]
        for k, n in zip(kernel, size, strict=True)
    ]
    return [
        ((..., *(target for target, _ in tap)), (..., *(source for _, source in tap)))
        for tap in product(*shifts)
    ]


def overlap(n: int, shift: int) -> slice:
    """Tell which of `n` places there are still, when they are moved by minus `shift`."""
    return slice(min(n, max(0, shift)), max(0, n + min(0, shift)))
