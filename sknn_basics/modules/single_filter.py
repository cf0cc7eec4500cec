"""Convolutions by a single filter, which the usual ways of CPUs are slow at."""

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Place = tuple[slice, ...]


class SingleFilter(torch.autograd.Function):
    """Convolution of images by one filter of odd size, with results of the images' size.

    A matrix product for each image weighs all pixels by all taps of the filter; for each tap, the
    weighed pixels are then moved to where they count, and added up. This takes half as long as a
    convolution of torch, whose results for several filters are computed side by side.
    """

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        n_samples, _, *size = x.shape
        pixels, taps = x.flatten(2), weight[0].flatten(1).T.contiguous()
        ctx.save_for_backward(pixels, taps)
        ctx.size, ctx.kernel = size, weight.shape[2:]
        ctx.places = places_of_taps(ctx.kernel, size)
        # No view: an activation may change it in place.
        out = bias.repeat(n_samples, 1, *size)
        products = torch.bmm(taps.expand(n_samples, -1, -1), pixels).unflatten(2, size)
        for weighed, (target, source) in zip(products.split(1, dim=1), ctx.places):
            out[target] += weighed[source]
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        pixels, taps = ctx.saved_tensors
        n_samples, n_channels, _ = pixels.shape
        moved = grad.new_zeros(n_samples, len(taps), *ctx.size)
        for plane, (target, source) in zip(moved.split(1, dim=1), ctx.places):
            plane[source] = grad[target]
        moved = moved.flatten(2)
        # Channels last, as the pixels are.
        of_pixels = torch.bmm(moved.transpose(1, 2), taps.expand(n_samples, -1, -1))
        of_taps = torch.bmm(moved, pixels.transpose(1, 2)).sum(0)
        return (
            of_pixels.transpose(1, 2).unflatten(2, ctx.size),
            of_taps.T.reshape(1, n_channels, *ctx.kernel),
            grad.sum().view(1),
        )


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
    >>> from sknn_basics.modules.single_filter import places_of_taps
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
