"""Layers that change the shape of what they are given, or read a part of it."""

from collections.abc import Sequence
from math import prod
from numbers import Integral, Real

import torch
from torch import Tensor, nn

from sknn_basics.modules.layers import GaussianNoise

Widths = int | Sequence[int | tuple[int, int]]


class Columns(nn.Module):
    """Read some of the columns of X: (n_samples, n_features) -> (n_samples, \\*shape).

    Parameters
    ----------
    start : int
        First column.
    stop : int or None, default=None
        Column after the last; None reads all that are left.
    shape : sequence of int or None, default=None
        Shape of what the columns of a sample become, ``(1, 28, 28)`` for a grey image say; None
        leaves them as they are.

    Raises
    ------
    ValueError
        If there are no such columns, or not as many as the shape has values.

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.modules import Columns
    >>> Columns(2, 8, shape=(1, 2, 3))(torch.zeros(5, 10)).shape
    torch.Size([5, 1, 2, 3])
    """

    def __init__(self, start: int, stop: int | None = None, *, shape: Sequence[int] | None = None):
        super().__init__()
        is_range = stop is None or (isinstance(stop, Integral) and stop > start)
        if not isinstance(start, Integral) or start < 0 or not is_range:
            raise ValueError(f"Columns must be start >= 0 and stop > start, got {start}, {stop}.")
        self.start, self.stop = int(start), None if stop is None else int(stop)
        self.shape = None if shape is None else tuple(shape)
        if shape is not None and stop is not None and prod(shape) != stop - start:
            raise ValueError(f"{self} are {stop - start} columns, but {prod(shape)} values.")

    def forward(self, x: Tensor) -> Tensor:
        n_columns = x.shape[-1]
        if self.start >= n_columns or (self.stop is not None and self.stop > n_columns):
            raise ValueError(f"{self} are not all among the {n_columns} columns of X.")
        part = x[..., self.start : self.stop]
        if self.shape is None:
            return part
        if part.shape[-1] != prod(self.shape):
            raise ValueError(f"{self} are {part.shape[-1]} columns, but {prod(self.shape)} values.")
        return part.unflatten(-1, self.shape)

    def extra_repr(self) -> str:
        shape = "" if self.shape is None else f", shape={self.shape}"
        return f"{self.start}, {self.stop}{shape}"


class Reshape(nn.Module):
    """Give each sample another shape: (n_samples, ...) -> (n_samples, \\*shape).

    Parameters
    ----------
    *shape : int
        Shape of a sample; one size may be -1, for what is left.

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.modules import Reshape
    >>> Reshape(1, 8, -1)(torch.zeros(5, 64)).shape
    torch.Size([5, 1, 8, 8])
    """

    def __init__(self, *shape: int):
        super().__init__()
        is_shape = shape and all(isinstance(n, Integral) and (n > 0 or n == -1) for n in shape)
        if not is_shape or shape.count(-1) > 1:
            raise ValueError(f"shape must be positive integers, at most one -1; got {shape}.")
        self.shape = tuple(int(n) for n in shape)

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1).unflatten(1, self.shape)

    def extra_repr(self) -> str:
        return ", ".join(map(str, self.shape))


class Framed(nn.Module):
    """Change the sides of images of shape (n_samples, n_channels, ...).

    Parameters
    ----------
    widths : int or sequence of (int or pair of int)
        Number of pixels at both ends of every dimension, or for each dimension one number for both
        ends or one for each end.
    """

    def __init__(self, widths: Widths):
        super().__init__()
        self.widths = widths if isinstance(widths, Integral) else tuple(map(_pair, widths))
        pairs = [(widths, 0)] if isinstance(widths, Integral) else self.widths
        if not all(isinstance(n, Integral) and n >= 0 for pair in pairs for n in pair):
            raise ValueError(f"widths must not be negative, got {widths}.")

    def pairs(self, x: Tensor) -> list[tuple[int, int]]:
        """Tell the widths at both ends of each dimension."""
        n_dims = x.dim() - 2
        if isinstance(self.widths, Integral):
            return [(self.widths, self.widths)] * n_dims
        if len(self.widths) != n_dims:
            raise ValueError(f"{self} is for {len(self.widths)} dimensions, images have {n_dims}.")
        return list(self.widths)

    def extra_repr(self) -> str:
        return f"{self.widths}"


class Crop(Framed):
    """Cut pixels off the sides of images.

    Parameters
    ----------
    widths : int or sequence of (int or pair of int)
        Number of pixels to cut at both ends of every dimension, or for each dimension one number
        for both ends or one for each end.

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.modules import Crop
    >>> Crop([1, (0, 3)])(torch.zeros(5, 1, 8, 8)).shape
    torch.Size([5, 1, 6, 5])
    """

    def forward(self, x: Tensor) -> Tensor:
        pairs, size = self.pairs(x), x.shape[2:]
        if any(before + after >= n for (before, after), n in zip(pairs, size)):
            raise ValueError(f"{self} leaves nothing of images of size {tuple(size)}.")
        return x[(..., *(slice(before, n - after) for (before, after), n in zip(pairs, size)))]


class ZeroPad(Framed):
    """Add zeros around images.

    Parameters
    ----------
    widths : int or sequence of (int or pair of int)
        Number of pixels to add at both ends of every dimension, or for each dimension one number
        for both ends or one for each end.

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.modules import ZeroPad
    >>> ZeroPad(2)(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 1, 32, 32])
    """

    def forward(self, x: Tensor) -> Tensor:
        widths = [width for pair in reversed(self.pairs(x)) for width in pair]
        return nn.functional.pad(x, widths)


class Upsample(nn.Module):
    """Make images larger: (n_samples, n_channels, ...) -> the same with `factor` times the pixels.

    Parameters
    ----------
    factor : int or sequence of int, default=2
        How many times as large they become, in all dimensions or in each.
    mode : {'nearest', 'linear'}, default='nearest'
        Whether pixels are repeated, or values between them interpolated.

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.modules import Upsample
    >>> Upsample(2)(torch.tensor([[[1.0, 3.0]]]))
    tensor([[[1., 1., 3., 3.]]])
    """

    def __init__(self, factor: int | Sequence[int] = 2, mode: str = "nearest"):
        super().__init__()
        factors = [factor] if isinstance(factor, Integral) else list(factor)
        if not factors or not all(isinstance(n, Integral) and n > 0 for n in factors):
            raise ValueError(f"factor must be positive integers, got {factor}.")
        if mode not in ("nearest", "linear"):
            raise ValueError(f"mode must be 'nearest' or 'linear', got {mode!r}.")
        self.factor, self.mode = factor if isinstance(factor, Integral) else tuple(factors), mode

    def forward(self, x: Tensor) -> Tensor:
        n_dims = x.dim() - 2
        factor = [self.factor] * n_dims if isinstance(self.factor, Integral) else list(self.factor)
        if len(factor) != n_dims:
            raise ValueError(f"{self} is for {len(factor)} dimensions, images have {n_dims}.")
        mode = self.mode
        if mode == "linear":
            mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[n_dims]
        return nn.functional.interpolate(x, scale_factor=[float(n) for n in factor], mode=mode)

    def extra_repr(self) -> str:
        return f"factor={self.factor}, mode={self.mode!r}"


class Noise(GaussianNoise):
    """Add normal noise while training.

    Parameters
    ----------
    std : float
        Standard deviation.

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.modules import Noise
    >>> Noise(0.1).eval()(torch.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, std: float):
        if not (isinstance(std, Real) and 0 <= std < torch.inf):
            raise ValueError(f"std must not be negative, got {std!r}.")
        super().__init__(std)


def _pair(width: int | Sequence[int]) -> tuple[int, int]:
    if isinstance(width, Integral):
        return int(width), int(width)
    pair = tuple(width)
    if len(pair) != 2:
        raise ValueError(f"widths of a dimension must be one number or two, got {width}.")
    return pair
