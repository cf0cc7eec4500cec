"""Generators and discriminators of images."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sknn_basics.modules.adversarial import (
    AdversarialNetwork,
    Discriminator,
    GivenDiscriminator,
    measured,
    with_slope,
)
from sknn_basics.modules.conv import MEMORY_FORMATS, ConvStack, Size
from sknn_basics.modules.conv_autoencoder import Crop, ImageOutput, add_transposed
from sknn_basics.modules.images import ImageInput
from sknn_basics.modules.layers import NORMALIZATIONS, Linear, make_activation


class Projection(nn.Sequential):
    """Dense layers from latent variables to images: (n, n_inputs) -> (n, n_channels, *size).

    Parameters
    ----------
    n_inputs : int
        Number of latent variables, and of classes.
    hidden_layer_sizes : sequence of int
        Number of units of each layer before the last.
    shape : sequence of int
        Shape (n_channels, *size) of the images.
    normalization : {'batch', 'layer'} or None
        Of the last layer.
    activation : str or callable
        Of all layers.
    """

    def __init__(
        self,
        n_inputs: int,
        hidden_layer_sizes: Sequence[int],
        shape: Sequence[int],
        normalization: str | None,
        activation: str | Callable,
    ):
        super().__init__()
        for number, size in enumerate(hidden_layer_sizes, 1):
            self.add_module(f"hidden{number}", Linear(n_inputs, size))
            self.add_module(f"hidden{number}_activation", make_activation(activation))
            n_inputs = size
        self.add_module("images", Linear(n_inputs, prod(shape)))
        if normalization is not None:
            self.add_module("images_normalization", NORMALIZATIONS[normalization](prod(shape)))
        self.add_module("images_activation", make_activation(activation))
        self.add_module("unflatten", nn.Unflatten(1, tuple(shape)))


class ConvGenerator(ConvStack):
    """Convolutional generator: (n_samples, n_inputs) -> (n_samples, n_features).

    Dense layers make small images, and each block makes them larger: by repeated pixels before a
    convolution, or by a transposed one. The last block has the channels of the samples.

    Parameters
    ----------
    projection : Projection
        What makes the first images.
    shape : sequence of int
        Their shape (n_channels, *size).
    blocks : sequence of dict
        Arguments of `add_generator_block`.
    out_activation : str
        Activation of the output.
    channel_axis : int or None
        Layout of a sample, see `ImageInput`.
    """

    def __init__(
        self,
        projection: Projection,
        shape: Sequence[int],
        blocks: Sequence[dict],
        out_activation: str,
        channel_axis: int | None,
    ):
        n_channels, *size = shape
        super().__init__(n_channels, size)
        self.add_module("input", projection)
        self.n_multiplications += sum(p.numel() for p in projection.parameters())
        for number, block in enumerate(blocks, 1):
            is_last = number == len(blocks)
            self.add_generator_block("output" if is_last else f"block{number}", **block)
        self.add_module("output_activation", make_activation(out_activation))
        self.add_module("output_layout", ImageOutput(channel_axis))

    def add_generator_block(
        self,
        name: str,
        *,
        filters: int,
        kernel_size: Size,
        upsample: str,
        pool_size: Size,
        size: Size,
        normalization: str | None,
        activation: str | Callable | None,
    ) -> None:
        """Add a block: larger images, then what follows their convolution, if it is not the last.

        Parameters
        ----------
        name : str
            Name of its convolution.
        filters : int
            Number of filters.
        kernel_size : tuple of int
            Size of the kernel.
        upsample : {'repeat', 'stride'}
            How images grow.
        pool_size : tuple of int
            How many times they grow in each dimension.
        size : tuple of int
            Size to which they are cut then.
        normalization : {'batch', 'layer'} or None
            Of the convolution.
        activation : str, callable or None
            Of the convolution; None for the last one.
        """
        if upsample == "stride":
            add_transposed(self, name, filters, kernel_size, pool_size)
        elif max(pool_size) > 1:
            self.add_module(f"{name}_repeat", nn.Upsample(scale_factor=tuple(pool_size)))
            self.size = tuple(n * s for n, s in zip(self.size, pool_size))
        if self.size != tuple(size):
            self.add_module(f"{name}_crop", Crop([(0, n - m) for n, m in zip(self.size, size)]))
            self.size = tuple(size)
        if upsample == "repeat":
            self.add_convolution(name, filters, kernel_size, (1,) * len(self.size), "same")
        self.largest_output = max(self.largest_output, self.n_channels * prod(self.size))
        if activation is not None:
            self.add_activation(name, normalization, activation)


class Features(ConvStack):
    """Blocks of convolutions, then dense layers: (n, n_channels, *size) -> (n, n_features).

    Parameters
    ----------
    shape : sequence of int
        Shape (n_channels, *size) of the images.
    blocks : sequence of dict
        What `ConvStack.add_block` takes.
    hidden_layer_sizes : sequence of int
        Number of units of each dense layer.
    activation : str or callable
        Of these.
    """

    def __init__(
        self,
        shape: Sequence[int],
        blocks: Sequence[dict],
        hidden_layer_sizes: Sequence[int],
        activation: str | Callable,
    ):
        n_channels, *size = shape
        super().__init__(n_channels, size)
        for number, block in enumerate(blocks, 1):
            self.add_block(f"block{number}", **block)
        self.add_module("flatten", nn.Flatten())
        self.n_features = self.n_channels * prod(self.size)
        self.add_hidden(hidden_layer_sizes, activation)

    def add_hidden(self, sizes: Sequence[int], activation: str | Callable) -> None:
        """Add dense layers."""
        for number, size in enumerate(sizes, 1):
            self.add_module(f"hidden{number}", Linear(self.n_features, size))
            self.add_module(f"hidden{number}_activation", make_activation(activation))
            self.n_multiplications += self.n_features * size
            self.n_features = size


class Growing(nn.Module):
    """A network that has a part for each of several sizes of images, and grows into them.

    Attributes
    ----------
    growth : Tensor
        Number of the size that it has reached, counted from 0; between two sizes, a mixture.
    """

    def __init__(self):
        super().__init__()
        self.register_buffer("growth", torch.zeros(()))

    def stage(self) -> tuple[int, float]:
        """Tell the present size, and the share that its own layers have in the result."""
        growth = float(self.growth)
        stage = -int(-growth // 1)
        return stage, 1 - (stage - growth)


class GrowingGenerator(Growing):
    """Generator that begins with small images: (n_samples, n_inputs) -> (n_samples, n_features).

    Whatever size it has reached, its samples are brought to the full one by repeated pixels.

    Parameters
    ----------
    projection : Projection
        What makes the first images.
    widths : sequence of int
        Number of channels at each size, from the smallest to the largest.
    sizes : sequence of tuple of int
        The sizes.
    n_channels : int
        Number of channels of a sample.
    kernel_size : sequence of tuple of int
        Size of the kernel at each size.
    normalization : sequence of {'batch', 'layer'} or None
        Of the convolution at each size; that of the first is not used.
    activation : str or callable
        Of the convolutions.
    out_activation : str
        Activation of the output.
    channel_axis : int or None
        Layout of a sample, see `ImageInput`.
    """

    def __init__(
        self,
        projection: Projection,
        widths: Sequence[int],
        sizes: Sequence[Size],
        n_channels: int,
        kernel_size: Sequence[Size],
        normalization: Sequence[str | None],
        activation: str | Callable,
        out_activation: str,
        channel_axis: int | None,
    ):
        super().__init__()
        self.input, self.full_size = projection, tuple(sizes[-1])
        self.blocks, self.outputs = nn.ModuleList(), nn.ModuleList()
        self.n_multiplications = sum(p.numel() for p in projection.parameters())
        one = (1,) * len(sizes[0])
        for number, (width, size) in enumerate(zip(widths, sizes)):
            if number:
                block = ConvStack(widths[number - 1], size)
                block.add_convolution("conv1", width, kernel_size[number], one, "same")
                block.add_activation("conv1", normalization[number], activation)
                self.blocks.append(block)
                self.n_multiplications += block.n_multiplications
            output = ConvStack(width, size)
            output.add_convolution("conv1", n_channels, one, one, "valid")
            self.outputs.append(output)
        self.largest_output = max(w * prod(size) for w, size in zip(widths, sizes))
        self.output_activation = make_activation(out_activation)
        self.output_layout = ImageOutput(channel_axis)

    def forward(self, x: Tensor) -> Tensor:
        stage, share = self.stage()
        x = before = self.input(x)
        for block in self.blocks[:stage]:
            before, x = x, block(F.interpolate(x, scale_factor=2))
        images = self.outputs[stage](x)
        if share < 1:
            smaller = F.interpolate(self.outputs[stage - 1](before), scale_factor=2)
            images = torch.lerp(smaller, images, share)
        images = self.output_activation(images)
        if images.shape[2:] != self.full_size:
            images = F.interpolate(images, size=self.full_size)
        return self.output_layout(images)


class GrowingFeatures(Growing):
    """Features of images that are made as small as those which a `GrowingGenerator` has reached.

    Parameters
    ----------
    n_channels : int
        Number of channels of the images.
    widths, sizes, kernel_size
        As in `GrowingGenerator`.
    blocks : sequence of {'batch', 'layer'} or None
        Normalization of the convolution at each size.
    hidden_layer_sizes : sequence of int
        Number of units of each dense layer at the end.
    activation : str or callable
        Of all layers.
    """

    def __init__(
        self,
        n_channels: int,
        widths: Sequence[int],
        sizes: Sequence[Size],
        kernel_size: Sequence[Size],
        normalization: Sequence[str | None],
        hidden_layer_sizes: Sequence[int],
        activation: str | Callable,
    ):
        super().__init__()
        self.inputs, self.blocks = nn.ModuleList(), nn.ModuleList()
        self.n_multiplications, one = 0, (1,) * len(sizes[0])
        for number, (width, size) in enumerate(zip(widths, sizes)):
            reader = ConvStack(n_channels, size)
            reader.add_convolution("conv1", width, one, one, "valid")
            reader.add_activation("conv1", None, activation)
            self.inputs.append(reader)
            block = ConvStack(width, size)
            narrow = widths[max(0, number - 1)]
            block.add_convolution("conv1", narrow, kernel_size[number], one, "same")
            block.add_activation("conv1", normalization[number], activation)
            if number:
                block.add_pooling("pool", "average", (2,) * len(size), "valid")
            self.blocks.append(block)
            self.n_multiplications += block.n_multiplications
        head = Features((widths[0], *sizes[0]), (), hidden_layer_sizes, activation)
        self.head, self.n_features = head, head.n_features
        self.n_multiplications += head.n_multiplications
        self.largest_output = max(w * prod(size) for w, size in zip(widths, sizes))

    def forward(self, x: Tensor) -> Tensor:
        stage, share = self.stage()
        images = shrink(x, len(self.blocks) - 1 - stage)
        x = self.blocks[stage](self.inputs[stage](images))
        if share < 1:
            x = torch.lerp(self.inputs[stage - 1](shrink(images, 1)), x, share)
        for block in reversed(self.blocks[:stage]):
            x = block(x)
        return self.head(x)


def shrink(images: Tensor, n_times: int) -> Tensor:
    """Replace squares of two by two pixels by their mean, several times."""
    pool = getattr(F, f"avg_pool{images.ndim - 2}d")
    return pool(images, 2**n_times) if n_times else images


def conv_generator(
    *,
    image_shape: Sequence[int],
    channel_axis: int | None,
    n_components: int,
    n_classes: int,
    first_shape: Sequence[int],
    generator_hidden: Sequence[int],
    generator_blocks: Sequence[dict],
    generator_normalization: Sequence[str | None],
    generator_activation: str | type[nn.Module],
    negative_slope: float,
    out_activation: str,
    grow: Sequence[Size] | None = None,
    generator: nn.Module | None = None,
    **structure,
) -> nn.Module:
    """Make the generator of a convolutional GAN, with unset weights, of the arguments of all."""
    if generator is not None:
        return nn.Sequential(deepcopy(generator), ImageOutput(channel_axis))
    activation = with_slope(generator_activation, negative_slope)
    projection = Projection(
        n_components + n_classes,
        generator_hidden,
        first_shape,
        generator_normalization[0],
        activation,
    )
    if grow is not None:
        network: nn.Module = GrowingGenerator(
            projection,
            [first_shape[0], *(block["filters"] for block in generator_blocks[:-1])],
            grow,
            ImageInput(image_shape, channel_axis).output_shape[0],
            [block["kernel_size"] for block in generator_blocks],
            generator_normalization,
            activation,
            out_activation,
            channel_axis,
        )
    else:
        blocks = [
            {
                **block,
                "normalization": normalization,
                "activation": activation if block is not generator_blocks[-1] else None,
            }
            for block, normalization in zip(generator_blocks, [*generator_normalization[1:], None])
        ]
        network = ConvGenerator(projection, first_shape, blocks, out_activation, channel_axis)
    return in_memory_format(network, len(first_shape) - 1)


def conv_discriminator(
    *,
    image_shape: Sequence[int],
    channel_axis: int | None,
    n_classes: int,
    blocks: Sequence[dict],
    discriminator_hidden: Sequence[int],
    hidden_activation: str | type[nn.Module],
    negative_slope: float,
    batch_variety: bool,
    spectral_normalization: bool,
    grow: Sequence[Size] | None = None,
    discriminator: nn.Module | None = None,
    **structure,
) -> nn.Module:
    """Make the discriminator of a convolutional GAN, with unset weights."""
    layout = ImageInput(image_shape, channel_axis)
    if discriminator is not None:
        return GivenDiscriminator(deepcopy(discriminator), layout)
    n_channels, *size = layout.output_shape
    hidden = with_slope(hidden_activation, negative_slope)
    if grow is not None:
        body: nn.Module = GrowingFeatures(
            n_channels + n_classes,
            [block["filters"][0] for block in reversed(blocks)],
            grow,
            [block["kernel_size"][0] for block in reversed(blocks)],
            [block["normalization"] for block in reversed(blocks)],
            discriminator_hidden,
            hidden,
        )
    else:
        blocks = [
            {**block, "activation": with_slope(block["activation"], negative_slope)}
            for block in blocks
        ]
        body = Features((n_channels + n_classes, *size), blocks, discriminator_hidden, hidden)
    network = Discriminator(
        body,
        body.n_features,
        layout,
        batch_variety=batch_variety,
        spectral_normalization=spectral_normalization,
    )
    return in_memory_format(network, len(size))


def in_memory_format(network: nn.Module, n_dims: int) -> nn.Module:
    """Lay a network in memory as convolutions want it."""
    memory_format = MEMORY_FORMATS.get(n_dims)
    return network if memory_format is None else network.to(memory_format=memory_format)


def conv_gan(*, is_averaged: bool, **structure) -> AdversarialNetwork:
    """Make generator and discriminator of images, with unset weights.

    Parameters
    ----------
    is_averaged : bool
        See `AdversarialNetwork`.
    **structure
        Arguments of `conv_generator` and `conv_discriminator`.
    """
    halves = conv_generator(**structure), conv_discriminator(**structure)
    return measured(AdversarialNetwork(*halves, structure["n_classes"], is_averaged))
