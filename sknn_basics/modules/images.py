"""Images as they come, as the convolutions want them."""

import warnings
from collections.abc import Sequence
from contextvars import ContextVar
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn

from sknn_basics.modules.layers import constant

# What differences of bytes and constants do not exceed.
LARGEST_PIXEL = 512.0

# Offset and factor of each named preprocessing of pixels in [0, 255].
PIXEL_SCALES = {
    "unit": (0.0, 1 / 255),
    "symmetric": (127.5, 1 / 127.5),
    # Mean and standard deviation of ImageNet's channels, as torchvision's networks expect.
    "imagenet": (
        (123.675, 116.28, 103.53),
        (1 / 58.395, 1 / 57.12, 1 / 57.375),
    ),
}


# What changes images in evaluation, in the thread that sets it.
VARIATION: ContextVar[nn.Module | None] = ContextVar("VARIATION", default=None)


class ImageInput(nn.Module):
    """Bring samples of any layout to (n_samples, n_channels, *size).

    Parameters
    ----------
    shape : sequence of int
        Shape of a sample as it comes, apart from flattening: (*size), (*size, n_channels) or
        (n_channels, *size).
    channel_axis : int or None
        Where `shape` has its channels: 0, -1 or None.

    Attributes
    ----------
    augmentation : nn.Module or None
        What changes each batch of images while training.
    """

    def __init__(self, shape: Sequence[int], channel_axis: int | None):
        super().__init__()
        self.augmentation = None
        self.shape, self.channel_axis = tuple(shape), channel_axis
        if channel_axis is None:
            self.output_shape = (1, *self.shape)
        elif channel_axis == 0:
            self.output_shape = self.shape
        else:
            self.output_shape = (self.shape[-1], *self.shape[:-1])

    def forward(self, x: Tensor) -> Tensor:
        if self.channel_axis == -1:
            # Strides of channels-last memory, which convolutions take as it is.
            x = x.reshape(x.shape[0], *self.shape).movedim(-1, 1)
        else:
            x = x.reshape(x.shape[0], *self.output_shape)
        vary = self.augmentation if self.training else VARIATION.get()
        return x if vary is None else vary(x)

    def extra_repr(self) -> str:
        return f"{self.shape} -> {self.output_shape}"


class ChannelScale(nn.Module):
    """Subtract a constant from each channel, and multiply the rest by a factor.

    Parameters
    ----------
    offset : float or sequence of float
        What is subtracted: one value, or one per channel.
    factor : float or sequence of float, default=1.0
        What the difference is multiplied by: one value, or one per channel.

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.modules.images import ChannelScale
    >>> ChannelScale(127.5, 1 / 127.5)(torch.tensor([[[[0.0, 255.0]]]])).tolist()
    [[[[-1.0, 1.0]]]]
    """

    def __init__(self, offset: float | Sequence[float], factor: float | Sequence[float] = 1.0):
        super().__init__()
        self.offset, self.factor = offset, factor

    def forward(self, x: Tensor) -> Tensor:
        return (x - self._a_channel(self.offset, x)) * self._a_channel(self.factor, x)

    def inverse(self, x: Tensor) -> Tensor:
        """Undo it."""
        return x / self._a_channel(self.factor, x) + self._a_channel(self.offset, x)

    def _a_channel(self, values: float | Sequence[float], x: Tensor) -> float | Tensor:
        if isinstance(values, float | int):
            return values
        return constant(values, x).view(-1, *[1] * (x.dim() - 2))

    def extra_repr(self) -> str:
        return f"offset={self.offset}, factor={self.factor}"


class Preprocessing(nn.Module):
    """Apply a function of the user to every batch of images."""

    # Code that nobody here knows.
    calls_user = True

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def check_first_batch(layer: nn.Module) -> None:
    """Let a layer warn where its first batch in training comes out on another scale."""

    def check(layer, inputs: tuple[Tensor], output: Tensor) -> None:
        if layer.training:
            handle.remove()
            warn_of_scale(inputs[0], output)

    handle = layer.register_forward_hook(check)


def warn_of_scale(before: Tensor, after: Tensor) -> None:
    """Warn where preprocessing has brought images to a scale that networks cannot learn from."""
    if len(before) < 2 or not after.is_floating_point():
        return
    before, after = before.detach(), after.detach()
    largest = float(after.abs().max())
    what = None
    if largest > max(LARGEST_PIXEL, 2 * float(before.abs().max())):
        what = f"values up to {largest:,.0f}"
    elif float(before.std()) > 0 and float(after.std()) < 0.01:
        what = f"values that differ by {float(after.std()):.2g} (standard deviation)"
    if what is not None:
        warnings.warn(
            f"preprocessing turns images from {float(before.min()):g} to {float(before.max()):g} "
            f"into {what}. Functions are given the values of X as they are, as floats: those "
            "that expect numbers in [0, 1], such as the transforms of torchvision, need bytes "
            "divided by 255 first, by lambda x: function(x / 255).",
            stacklevel=2,
        )


def make_preprocessing(preprocessing, n_channels: int) -> nn.Module:
    """Make the layer of a name in `PIXEL_SCALES`, an offset and a factor, a module or a function.

    Raises
    ------
    ValueError
        If it is made for another number of channels.
    """
    if isinstance(preprocessing, str):
        offset, factor = PIXEL_SCALES[preprocessing]
        if not isinstance(offset, float) and len(offset) != n_channels:
            raise ValueError(
                f"preprocessing={preprocessing!r} needs images of {len(offset)} channels, "
                f"got {n_channels}."
            )
        return ChannelScale(offset, factor)
    if isinstance(preprocessing, list | tuple):
        return ChannelScale(*preprocessing)
    if isinstance(preprocessing, nn.Module):
        return preprocessing
    return Preprocessing(preprocessing)


class SamplePreprocessing:
    """Preprocess samples of images, and leave them in their own layout.

    Parameters
    ----------
    image_shape, channel_axis
        Layout of a sample, see `ImageInput`.
    preprocessing : str, nn.Module or callable
        See `make_preprocessing`; a module is copied.
    """

    def __init__(self, image_shape: Sequence[int], channel_axis: int | None, preprocessing):
        self.layout = ImageInput(image_shape, channel_axis)
        self.key = self.layout.shape, channel_axis, preprocessing
        layer = make_preprocessing(preprocessing, self.layout.output_shape[0])
        # What is to be reconstructed must not change in the training.
        self.layer = deepcopy(layer).eval()

    def __eq__(self, other) -> bool:
        return isinstance(other, SamplePreprocessing) and self.key == other.key

    def to(self, *args, **kwargs) -> "SamplePreprocessing":
        """Move it to a device and data type."""
        self.layer.to(*args, **kwargs)
        return self

    def __call__(self, x: Tensor) -> Tensor:
        images = self.layout(x)
        processed = self.layer(images)
        if processed.shape != images.shape:
            raise ValueError(
                "preprocessing must keep the shape of the images that an autoencoder reconstructs, "
                f"{tuple(images.shape[1:])}, got {tuple(processed.shape[1:])}."
            )
        return self._as_samples(processed, x)

    def inverse(self, x: Tensor) -> Tensor:
        """Undo it where the layer has an ``inverse``, as those of a name have."""
        if not hasattr(self.layer, "inverse"):
            return x
        return self._as_samples(self.layer.inverse(self.layout(x)), x)

    def _as_samples(self, images: Tensor, x: Tensor) -> Tensor:
        images = images.movedim(1, -1) if self.layout.channel_axis == -1 else images
        return images.reshape(x.shape)


def read_preprocessing(structure: dict) -> SamplePreprocessing | None:
    """Make what preprocesses the samples of a network, from the arguments of the network."""
    if structure.get("preprocessing") is None:
        return None
    names = "image_shape", "channel_axis", "preprocessing"
    return SamplePreprocessing(*(structure[name] for name in names))


def undo_preprocessing(samples: np.ndarray, structure: dict) -> np.ndarray:
    """Bring what a network decodes back to the scale of its inputs."""
    preprocess = read_preprocessing(structure)
    if preprocess is None:
        return samples
    values = torch.from_numpy(samples)
    with torch.no_grad():
        return preprocess.to(values.dtype).inverse(values).numpy()
