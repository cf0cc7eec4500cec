"""Random numbers from keys: tensors that count what was drawn, on any device.

The numbers of a key depend on it and on their place alone. So a layer's draws, whose state is a
tensor on its device, need no word from the processor: they are the same whether its network is
trained alone, with others in a stack, which draws for all members at once, or as a CUDA graph. The
generators of torch, which networks on a CPU draw from, are faster there, but draw for one network.

Each draw takes a key to its successor in a linear congruential generator, Knuth's of 64 bits, and
makes the numbers of the places by SplitMix64 from there.

References
----------
Steele, Lea and Flood. "Fast splittable pseudorandom number generators." OOPSLA 2014.
"""

from math import pi, prod

import torch
from torch import Tensor

MULTIPLIER, INCREMENT = 6364136223846793005, 1442695040888963407
# Of SplitMix64, as signed numbers: the stride, and two rounds of a shift and a factor.
STRIDE = 0x9E3779B97F4A7C15 - 2**64
ROUNDS = (30, 0xBF58476D1CE4E5B9 - 2**64), (27, 0x94D049BB133111EB - 2**64), (31, 1)


def draw_words(key: Tensor, n: int) -> Tensor:
    """Draw `n` words of 64 bits from each key, and take it to its next.

    Parameters
    ----------
    key : int64 Tensor of any shape
        Changed in place.
    n : int
        How many.

    Returns
    -------
    words : int64 Tensor of shape (*key.shape, n)
        The words.
    """
    key.mul_(MULTIPLIER).add_(INCREMENT)
    words = torch.arange(n, device=key.device).mul_(STRIDE) + key.unsqueeze(-1)
    for shift, factor in ROUNDS:
        words.bitwise_xor_(shift_down(words, shift)).mul_(factor)
    return words


def shift_down(words: Tensor, n_bits: int) -> Tensor:
    """Shift words of 64 bits down, with zeros after."""
    return (words >> n_bits).bitwise_and_(2 ** (64 - n_bits) - 1)


def draw_short(key: Tensor, n: int) -> Tensor:
    """Draw `n` numbers of 16 bits from each key: an int16 of shape (*key.shape, n)."""
    return draw_words(key, -(-n // 4)).view(torch.int16)[..., :n]


def draw_uniform(key: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Draw uniformly from [0, 1), with a shape that begins with that of the key."""
    n_bits = 53 if dtype is torch.float64 else 24
    words = draw_words(key, prod(shape[key.dim() :]))
    return shift_down(words, 64 - n_bits).to(dtype).mul_(2.0**-n_bits).view(shape)


def draw_normal(key: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Draw from the unit normal, in pairs as Box and Muller do."""
    n = prod(shape[key.dim() :])
    unit = draw_uniform(key, (*key.shape, 2, -(-n // 2)), dtype)
    radius, angle = (1 - unit.select(-2, 0)).log().mul(-2).sqrt(), 2 * pi * unit.select(-2, 1)
    normal = torch.cat([radius * angle.cos(), radius * angle.sin()], -1)
    return normal[..., :n].reshape(shape)


def lay_out(drawn: Tensor, shape: tuple[int, ...], n_leading: int) -> Tensor:
    """Give what was drawn, value by value, the shape of samples.

    Parameters
    ----------
    drawn : Tensor of shape (*leading, n_values)
        Draws.
    shape : tuple of int
        That of the samples, (*leading, n_samples, ...).
    n_leading : int
        Number of leading dimensions. Images after them have channels last in memory.
    """
    if len(shape) - n_leading < 4:
        return drawn.view(shape)
    n_samples, n_channels, *size = shape[n_leading:]
    return drawn.view(*shape[:n_leading], n_samples, *size, n_channels).movedim(-1, n_leading + 1)
