"""More layers that vary samples at random while training: colours, crops, signals, and mixtures."""

from math import ceil

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from sknn_basics.modules.augmentation import (
    ImageAugmentation,
    RandomAffine,
    check_amount,
    check_fill,
    check_value_range,
)
from sknn_basics.modules.layers import RandomLayer, constant

# What red, green and blue add to the brightness that is seen (ITU-R BT.601).
LUMINANCE = (0.299, 0.587, 0.114)


def draw_signs(layer: RandomLayer, x: Tensor, n: int) -> Tensor:
    """Draw `n` numbers from -1 to 1 for each sample."""
    return 2 * layer.uniform(x, len(x), n) - 1


class RandomColor(ImageAugmentation):
    """Change brightness, contrast and saturation of each image.

    Parameters
    ----------
    brightness : float in [0, 1], default=0.0
        Factors of all values are drawn from [1 - `brightness`, 1 + `brightness`].
    contrast : float in [0, 1], default=0.0
        The same of differences from the image's mean.
    saturation : float in [0, 1], default=0.0
        The same of differences from grey, in images of three channels.
    value_range : 'auto', pair of float or None, default='auto'
        Values beyond these are cut off. 'auto' is (0, 255) for bytes and None for other X.

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.modules import RandomColor
    >>> RandomColor(brightness=0.2, saturation=0.5)(torch.rand(8, 3, 28, 28)).shape
    torch.Size([8, 3, 28, 28])
    """

    def __init__(
        self,
        brightness: float = 0.0,
        contrast: float = 0.0,
        saturation: float = 0.0,
        value_range: str | tuple[float, float] | None = "auto",
    ):
        super().__init__()
        self.brightness = check_amount(brightness, "brightness", 1)
        self.contrast = check_amount(contrast, "contrast", 1)
        self.saturation = check_amount(saturation, "saturation", 1)
        self.value_range = check_value_range(value_range)

    def draw(self, x: Tensor) -> Tensor:
        """Draw the three factors: (n_samples, 3)."""
        amounts = constant([self.brightness, self.contrast, self.saturation], x)
        return 1 + amounts * draw_signs(self, x, 3)

    def apply_draw(self, x: Tensor, drawn: Tensor) -> Tensor:
        brightness, contrast, saturation = drawn[..., None, None, None].unbind(-4)
        if self.brightness:
            x = x * brightness
        if self.contrast:
            x = torch.lerp(x.mean((-3, -2, -1), keepdim=True), x, contrast)
        if self.saturation and x.shape[-3] == 3:
            weights = constant(LUMINANCE, x)[:, None, None]
            x = torch.lerp((x * weights).sum(-3, keepdim=True), x, saturation)
        return x.clamp(*self.value_range) if isinstance(self.value_range, tuple) else x

    def extra_repr(self) -> str:
        names = "brightness", "contrast", "saturation"
        return ", ".join(f"{name}={getattr(self, name)}" for name in names)


class RandomCrop(RandomAffine):
    """Cut a part out of each image, and enlarge it to the size of the image.

    Parameters
    ----------
    smallest : float in (0, 1], default=0.7
        Smallest height and width of the part, as a share of those of the image.

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.modules import RandomCrop
    >>> RandomCrop(0.5)(torch.rand(8, 1, 28, 28)).shape
    torch.Size([8, 1, 28, 28])
    """

    def __init__(self, smallest: float = 0.7):
        super().__init__()
        self.smallest = check_amount(smallest, "smallest", 1)
        if not self.smallest:
            raise ValueError("smallest must be a number in (0, 1], got 0.")

    def draw(self, x: Tensor) -> Tensor:
        """Draw matrices of shape (n_samples, 2, 3), as `RandomAffine` does."""
        size, right, down = draw_signs(self, x, 3).unbind(1)
        size = self.smallest + (1 - self.smallest) * (size + 1) / 2
        zero, room = torch.zeros_like(size), 1 - size
        rows = torch.stack([size, zero, room * right], 1), torch.stack([zero, size, room * down], 1)
        return torch.stack(rows, 1)

    def extra_repr(self) -> str:
        return f"smallest={self.smallest}"


class RandomErasing(ImageAugmentation):
    """Hide a rectangle of each image.

    Parameters
    ----------
    largest : float in [0, 1], default=0.4
        Largest height and width of the rectangle, as a share of those of the image.
    fill : float, default=0.0
        Its value.
    probability : float in [0, 1], default=1.0
        Share of the images in which something is hidden.

    References
    ----------
    Zhong, Zheng, Kang, Li and Yang. "Random erasing data augmentation." AAAI 2020.

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.modules import RandomErasing
    >>> erased = RandomErasing(0.5)(torch.ones(8, 1, 28, 28))
    >>> bool((erased.sum((1, 2, 3)) < 28 * 28).all())
    True
    """

    def __init__(self, largest: float = 0.4, fill: float = 0.0, probability: float = 1.0):
        super().__init__()
        self.largest = check_amount(largest, "largest", 1)
        self.probability = check_amount(probability, "probability", 1)
        self.fill = check_fill(fill)
        if self.fill == "edge":
            raise ValueError("fill must be a finite number, got 'edge'.")

    def draw(self, x: Tensor) -> Tensor:
        """Draw ends of the rectangles as shares: (n_samples, 4) of top, bottom, left and right."""
        unit = (draw_signs(self, x, 5) + 1) / 2
        size = self.largest * (1 - unit[:, :2]) * (unit[:, 4:] < self.probability)
        start = unit[:, 2:4] * (1 - size)
        return torch.stack([start, start + size], 2).flatten(1)

    def apply_draw(self, x: Tensor, drawn: Tensor) -> Tensor:
        sizes = constant([x.shape[-2]] * 2 + [x.shape[-1]] * 2, drawn)
        # A rectangle hides a pixel at least, unless it has no size.
        top, bottom, left, right = (drawn * sizes)[..., None, None, None].unbind(-4)
        rows = torch.arange(x.shape[-2], device=x.device)[:, None]
        columns = torch.arange(x.shape[-1], device=x.device)
        is_row = (rows >= top.floor()) & (rows < bottom.ceil()) & (bottom > top)
        is_column = (columns >= left.floor()) & (columns < right.ceil()) & (right > left)
        return x.masked_fill(is_row & is_column, self.fill)

    def extra_repr(self) -> str:
        return f"largest={self.largest}, fill={self.fill}, probability={self.probability}"


class RandomBlur(ImageAugmentation):
    """Blur each image with a Gaussian.

    Parameters
    ----------
    largest : float, default=1.0
        Largest standard deviation, in pixels.

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.modules import RandomBlur
    >>> images = torch.rand(8, 1, 28, 28)
    >>> bool(RandomBlur(2.0)(images).var() < images.var())
    True
    """

    def __init__(self, largest: float = 1.0):
        super().__init__()
        self.largest = check_amount(largest, "largest", float("inf"), is_below=True)

    def draw(self, x: Tensor) -> Tensor:
        """Draw standard deviations: (n_samples, 1)."""
        return self.largest * (draw_signs(self, x, 1) + 1) / 2

    def apply_draw(self, x: Tensor, drawn: Tensor) -> Tensor:
        radius = max(1, ceil(3 * self.largest))
        places = torch.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
        weights = torch.exp(-0.5 * (places / drawn.clamp(min=1e-3)).square())
        weights = (weights / weights.sum(-1, keepdim=True)).flatten(0, -2)[..., None, None, None]
        blurred = x.flatten(0, -4)
        for dim, width in ((-2, (0, 0, radius, radius)), (-1, (radius, radius, 0, 0))):
            padded, size = F.pad(blurred, width, mode="replicate"), blurred.shape[dim]
            parts = (
                padded.narrow(dim, i, size) * weight for i, weight in enumerate(weights.unbind(1))
            )
            blurred = sum(parts)
        return blurred.view(x.shape)

    def extra_repr(self) -> str:
        return f"largest={self.largest}"


class RandomScale(RandomLayer):
    """Multiply all values of each sample, a signal or an image, by one factor.

    Parameters
    ----------
    amount : float in [0, 1], default=0.1
        Factors are drawn from [1 - `amount`, 1 + `amount`].

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.modules import RandomScale
    >>> RandomScale(0.2)(torch.rand(8, 2, 100)).shape
    torch.Size([8, 2, 100])
    """

    def __init__(self, amount: float = 0.1):
        super().__init__()
        self.amount = check_amount(amount, "amount", 1)

    def draw(self, x: Tensor) -> Tensor:
        """Draw the factors: of shape (n_samples, 1, ...)."""
        return (1 + self.amount * draw_signs(self, x, 1)).view(-1, *[1] * (x.dim() - 1))

    def apply_draw(self, x: Tensor, drawn: Tensor) -> Tensor:
        return x * drawn

    def extra_repr(self) -> str:
        return f"amount={self.amount}"


class RandomTimeShift(RandomLayer):
    """Shift each signal to earlier or later steps.

    Parameters
    ----------
    fraction : float in [0, 1], default=0.1
        Largest shift, as a share of the length.
    circular : bool, default=False
        Whether what leaves a signal at one end comes in at the other. Otherwise, its first or last
        value continues.

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.modules import RandomTimeShift
    >>> RandomTimeShift(0.2)(torch.rand(8, 2, 100)).shape
    torch.Size([8, 2, 100])
    """

    def __init__(self, fraction: float = 0.1, circular: bool = False):
        super().__init__()
        self.fraction, self.circular = check_amount(fraction, "fraction", 1), bool(circular)

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != 3:
            raise ValueError(
                "RandomTimeShift takes signals of shape (n_samples, n_channels, length), got shape "
                f"{tuple(x.shape)}."
            )
        return super().forward(x)

    def draw(self, x: Tensor) -> Tensor:
        """Draw shifts in steps: (n_samples, 1, 1)."""
        steps = self.fraction * x.shape[-1] * draw_signs(self, x, 1)
        return steps.round().long().unsqueeze(-1)

    def apply_draw(self, x: Tensor, drawn: Tensor) -> Tensor:
        length = x.shape[-1]
        places = torch.arange(length, device=x.device) - drawn
        places = places % length if self.circular else places.clamp(0, length - 1)
        return x.gather(-1, places.expand(x.shape))

    def extra_repr(self) -> str:
        return f"fraction={self.fraction}, circular={self.circular}"


class Mixing(RandomLayer):
    """Mix each sample with another one of its batch, whose target counts in the loss as well.

    Parameters
    ----------
    alpha : float
        Both parameters of the beta distribution of shares.

    Attributes
    ----------
    drawn : tuple of Tensor
        What the last batch was mixed of: numbers of the other samples, and the share that each
        sample has kept, both of shape (n_samples,).
    """

    drawn: tuple[Tensor, Tensor] | None = None

    def __init__(self, alpha: float):
        super().__init__()
        self.alpha = check_amount(alpha, "alpha", float("inf"), is_below=True)
        if not self.alpha:
            raise ValueError("alpha must be a number > 0, got 0.")

    def draw(self, x: Tensor) -> Tensor:
        """Draw a seed, where it is read: on the CPU."""
        return torch.randint(2**31 - 1, (), generator=self.generator)

    def apply_draw(self, x: Tensor, drawn: Tensor) -> Tensor:
        rng = np.random.RandomState(int(drawn))
        others = torch.from_numpy(rng.permutation(len(x))).to(x.device)
        shares = torch.from_numpy(rng.beta(self.alpha, self.alpha, len(x))).to(x)
        mixed, shares = self.mix(x, x[others], shares, rng)
        self.drawn = others, shares
        return mixed

    def mix(self, x: Tensor, other: Tensor, shares: Tensor, rng) -> tuple[Tensor, Tensor]:
        """Mix samples; return also what share of each was kept."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class MixUp(Mixing):
    """Mix each sample with another one, and its target as much.

    It is a part of `augmentation`, after others in a `torch.nn.Sequential`. The loss is the mean
    of the losses by both targets, weighted by their shares: for classes, that of soft targets.

    Parameters
    ----------
    alpha : float, default=0.2
        Shares are drawn from the beta distribution with both parameters `alpha`: small ones make
        them nearly 0 or 1.

    References
    ----------
    Zhang, Cisse, Dauphin and Lopez-Paz. "mixup: beyond empirical risk minimization." ICLR 2018.

    Examples
    --------
    >>> from sknn_basics import ConvNetClassifier
    >>> from sknn_basics.modules import MixUp
    >>> model = ConvNetClassifier(augmentation=MixUp(0.2))
    """

    def __init__(self, alpha: float = 0.2):
        super().__init__(alpha)

    def mix(self, x: Tensor, other: Tensor, shares: Tensor, rng) -> tuple[Tensor, Tensor]:
        return torch.lerp(other, x, shares.view(-1, *[1] * (x.dim() - 1))), shares


class CutMix(Mixing):
    """Put a rectangle of another image into each image, and mix targets by its area.

    It is a part of `augmentation`, as `MixUp` is.

    Parameters
    ----------
    alpha : float, default=1.0
        Shares that are kept are drawn from the beta distribution with both parameters `alpha`.

    References
    ----------
    Yun, Han, Oh, Chun, Choe and Yoo. "CutMix: regularization strategy to train strong classifiers
    with localizable features." ICCV 2019.

    Examples
    --------
    >>> from sknn_basics import ConvNetClassifier
    >>> from sknn_basics.modules import CutMix
    >>> model = ConvNetClassifier(augmentation=CutMix())
    """

    def __init__(self, alpha: float = 1.0):
        super().__init__(alpha)

    def mix(self, x: Tensor, other: Tensor, shares: Tensor, rng) -> tuple[Tensor, Tensor]:
        half = (1 - shares).sqrt() / 2
        is_other = torch.ones(len(x), 1, *x.shape[2:], dtype=torch.bool, device=x.device)
        for axis, size in enumerate(x.shape[2:], start=2):
            centre = torch.from_numpy(rng.uniform(size=len(x))).to(x)
            shape = [-1 if i == 0 else 1 for i in range(x.dim())]
            low, high = (((centre + sign * half) * size).round().view(shape) for sign in (-1, 1))
            places = torch.arange(size, device=x.device)
            places = places.view([-1 if i == axis else 1 for i in range(x.dim())])
            is_other &= (places >= low) & (places < high)
        kept = 1 - is_other.flatten(1).to(x.dtype).mean(1)
        return torch.where(is_other, other, x), kept


def find_mixing(module) -> list[Mixing]:
    """List the layer of a network that mixes samples, if there is one.

    Raises
    ------
    ValueError
        If there are several.
    """
    found = [layer for layer in module.modules() if isinstance(layer, Mixing)]
    if len(found) > 1:
        raise ValueError(
            f"augmentation mixes samples twice, by {found[0]} and by {found[1]}: give one of them."
        )
    return found
