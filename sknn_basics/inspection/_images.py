"""Images as networks of this room are given them: their layout, and what is done to them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from sknn_basics.inspection._networks import Subject

INTERPOLATIONS = {1: "linear", 2: "bilinear", 3: "trilinear"}


@dataclass
class Layout:
    """How the samples of a model are images.

    Attributes
    ----------
    sample_shape : tuple of int
        Shape of a sample, as the model takes it.
    image_shape : tuple of int
        The same, unflattened.
    channel_axis : int or None
        Where `image_shape` has its channels: 0, -1 or None.
    """

    sample_shape: tuple[int, ...]
    image_shape: tuple[int, ...]
    channel_axis: int | None

    @property
    def size(self) -> tuple[int, ...]:
        """Size of an image, without its channels."""
        shape = self.image_shape
        return (
            shape
            if self.channel_axis is None
            else shape[1:]
            if self.channel_axis == 0
            else shape[:-1]
        )

    def to_images(self, samples: Tensor) -> Tensor:
        """Bring samples to (n_samples, n_channels, *size)."""
        images = samples.reshape(len(samples), *self.image_shape)
        if self.channel_axis is None:
            return images.unsqueeze(1)
        return images.movedim(-1, 1) if self.channel_axis == -1 else images

    def to_samples(self, images: Tensor) -> Tensor:
        """Undo `to_images`."""
        if self.channel_axis is None:
            images = images.squeeze(1)
        elif self.channel_axis == -1:
            images = images.movedim(1, -1)
        return images.reshape(len(images), *self.sample_shape)


def find_layout(subject: Subject, sample_shape: tuple[int, ...]) -> Layout | None:
    """Find how samples of a shape are images; None if they are none."""
    structure = {} if subject.estimator is None else subject.estimator._structure_
    if "image_shape" in structure:
        return Layout(sample_shape, tuple(structure["image_shape"]), structure["channel_axis"])
    if subject.estimator is None and len(sample_shape) in (2, 3):
        # Of torch: channels first.
        return Layout(sample_shape, sample_shape, 0)
    return None


def need_layout(subject: Subject, sample_shape: tuple[int, ...], what: str) -> Layout:
    """Find how samples of a shape are images.

    Raises
    ------
    ValueError
        If they are none.
    """
    if (layout := find_layout(subject, sample_shape)) is None:
        raise ValueError(
            f"{what} needs a network of images; its samples are of shape {sample_shape}."
        )
    return layout


def total_variation(images: Tensor) -> Tensor:
    """Sum the squared differences of neighbours, for each image.

    Parameters
    ----------
    images : Tensor of shape (n_images, n_channels, ...)
        Images.

    Returns
    -------
    variation : Tensor of shape (n_images,)
        The sums.

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.inspection import total_variation
    >>> total_variation(torch.eye(2).reshape(1, 1, 2, 2))
    tensor([4.])
    """
    sums = [images.diff(dim=d).square().flatten(1).sum(1) for d in range(2, images.dim())]
    return torch.stack(sums).sum(0)


def squared_norm(images: Tensor) -> Tensor:
    """Sum the squares of each image's values."""
    return images.square().flatten(1).sum(1)


REGULARIZERS = {"total_variation": total_variation, "norm": squared_norm}


def jitter(images: Tensor, generator: torch.Generator) -> Tensor:
    """Move images by up to an eighth of their size in each direction, around their edges."""
    dims = tuple(range(2, images.dim()))
    most = [max(1, n // 8) for n in images.shape[2:]]
    shifts = [int(torch.randint(-m, m + 1, (1,), generator=generator)) for m in most]
    return images.roll(shifts, dims)


def scale(images: Tensor, generator: torch.Generator) -> Tensor:
    """Enlarge or shrink images by up to a tenth, about their centre."""
    factor = 0.9 + 0.2 * float(torch.rand(1, generator=generator))
    if images.dim() != 4:
        return resize(
            resize(images, [round(n * factor) for n in images.shape[2:]]), images.shape[2:]
        )
    matrix = torch.eye(2, 3, dtype=images.dtype, device=images.device) / factor
    grid = F.affine_grid(matrix.expand(len(images), 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


TRANSFORMS = {"jitter": jitter, "scale": scale}


def resize(images: Tensor, size: Sequence[int]) -> Tensor:
    """Resize images of shape (n_images, n_channels, ...)."""
    mode = INTERPOLATIONS[images.dim() - 2]
    return F.interpolate(images, tuple(size), mode=mode, align_corners=False, antialias=False)


class Pixels:
    """Images that are changed pixel by pixel.

    Each step goes against the gradient, divided by the square root of its mean square.

    Parameters
    ----------
    images : Tensor of shape (n_images, ...)
        Where they begin.
    step : float
        Length of a step.
    bounds : pair of float or None
        Smallest and largest value of a pixel.
    """

    def __init__(self, images: Tensor, step: float, bounds: tuple[float, float] | None):
        self.values, self.size, self.bounds = images.detach().clone(), step, bounds

    def images(self) -> Tensor:
        """Give the images."""
        return self.values

    def ascend(self, gradient: Tensor) -> None:
        """Make a step."""
        self.values = self.values + self.size * unit_gradient(gradient)
        if self.bounds is not None:
            self.values = self.values.clamp(*self.bounds)


class Spectrum:
    """Images that are changed in their frequencies, of which low ones count more.

    Neighbouring pixels change together, so that images are smooth. Values stay within the bounds by
    a hyperbolic tangent.

    References
    ----------
    Olah, Mordvintsev and Schubert. "Feature visualization." Distill 2017.
    """

    def __init__(self, images: Tensor, step: float, bounds: tuple[float, float] | None):
        low, high = (-1.0, 1.0) if bounds is None else bounds
        self.centre, self.half = (low + high) / 2, (high - low) / 2
        self.size, self.step = images.shape[2:], step
        frequencies = [torch.fft.fftfreq(n) for n in self.size[:-1]]
        frequencies.append(torch.fft.rfftfreq(self.size[-1]))
        grid = torch.stack(torch.meshgrid(*frequencies, indexing="ij")).square().sum(0).sqrt()
        self.weight = (1 / grid.clamp(min=1 / max(self.size))).to(images)
        start = torch.atanh(((images - self.centre) / self.half).clamp(-0.99, 0.99))
        spectrum = torch.fft.rfftn(start, s=self.size, norm="ortho") / self.weight
        self.values = torch.view_as_real(spectrum.contiguous())
        self.mean = torch.zeros_like(self.values)
        self.square = torch.zeros_like(self.values)
        self.n_steps = 0

    def images(self) -> Tensor:
        """Give the images."""
        spectrum = torch.view_as_complex(self.values.contiguous()) * self.weight
        pixels = torch.fft.irfftn(spectrum, s=self.size, norm="ortho")
        return self.centre + self.half * torch.tanh(pixels)

    def ascend(self, gradient: Tensor) -> None:
        """Make a step of Adam's."""
        self.n_steps += 1
        gradient = unit_gradient(gradient)
        self.mean = 0.9 * self.mean + 0.1 * gradient
        self.square = 0.999 * self.square + 0.001 * gradient.square()
        mean = self.mean / (1 - 0.9**self.n_steps)
        square = self.square / (1 - 0.999**self.n_steps)
        self.values = self.values.detach() + self.step * mean / (square.sqrt() + 1e-8)


PARAMETERIZATIONS = {"pixels": Pixels, "fourier": Spectrum}


def unit_gradient(gradient: Tensor) -> Tensor:
    """Divide each sample's gradient by the square root of its mean square."""
    dims = tuple(range(1, gradient.dim()))
    size = gradient.square().mean(dims, keepdim=True).sqrt()
    return torch.where(size > 0, gradient / size.clamp(min=1e-30), 0.0)


def climb(
    parameters: Pixels | Spectrum,
    objective: Callable[[Tensor], Tensor],
    n_steps: int,
    change: Callable[[Tensor], Tensor] = lambda gradient: gradient,
) -> None:
    """Go up an objective, which gives one value an image.

    Parameters
    ----------
    parameters : Pixels or Spectrum
        What is changed.
    objective : callable
        From images to one value each.
    n_steps : int
        Number of steps.
    change : callable
        What becomes of the gradients before a step.
    """
    for _ in range(n_steps):
        parameters.values.requires_grad_()
        value = objective(parameters.images()).sum()
        (gradient,) = torch.autograd.grad(value, parameters.values)
        parameters.values = parameters.values.detach()
        parameters.ascend(change(gradient))
