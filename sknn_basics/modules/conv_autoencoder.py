"""Convolutional autoencoders."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from torch import Tensor, nn
from torch.nn import functional

from sknn_basics._compat import is_exporting
from sknn_basics.modules._fast.transposed import Transposed
from sknn_basics.modules.autoencoder import NOISES, AutoencoderNetwork, VariationalNetwork
from sknn_basics.modules.conv import MEMORY_FORMATS, ConvStack, Size
from sknn_basics.modules.images import ImageInput
from sknn_basics.modules.layers import Dropout, Linear, make_activation
from sknn_basics.modules.shapes import Crop


class TransposedConvolution:
    """Unset weights, and gradients of its own on CPUs."""

    def reset_parameters(self) -> None:
        pass

    @property
    def settings(self) -> tuple:
        """What torch's functions take after the bias."""
        return self.stride, self.padding, self.output_padding, self.groups, self.dilation

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return getattr(functional, f"conv_transpose{x.ndim - 2}d")(x, weight, bias, *self.settings)

    def forward(self, x: Tensor, rectifies: bool = False) -> Tensor:
        """Convolve images, and apply a rectifier where `rectifies` is true."""
        if x.device.type == "cpu" and not is_exporting():
            return Transposed.apply(x, self.weight, self.bias, self.settings, rectifies)
        output = self._conv_forward(x, self.weight, self.bias)
        return output.relu_() if rectifies else output


class ConvTranspose1d(TransposedConvolution, nn.ConvTranspose1d):
    """One-dimensional transposed convolution."""


class ConvTranspose2d(TransposedConvolution, nn.ConvTranspose2d):
    """Two-dimensional transposed convolution."""


class ConvTranspose3d(TransposedConvolution, nn.ConvTranspose3d):
    """Three-dimensional transposed convolution."""


TRANSPOSED = {1: ConvTranspose1d, 2: ConvTranspose2d, 3: ConvTranspose3d}


class ImageOutput(nn.Module):
    """Flatten images (n_samples, n_channels, *size) in the order of values that samples have."""

    def __init__(self, channel_axis: int | None):
        super().__init__()
        self.channel_axis = channel_axis

    def forward(self, x: Tensor) -> Tensor:
        return (x.movedim(1, -1) if self.channel_axis == -1 else x).flatten(1)


class ConvEncoder(ConvStack):
    """Convolutional encoder: (n_samples, ...) -> (n_samples, n_heads * n_components).

    Blocks of a convolution each, a further convolution to few channels and a dense layer where they
    are wanted; the result is flattened.

    Parameters
    ----------
    image_shape, channel_axis
        Layout of a sample, see `ImageInput`.
    blocks : sequence of dict
        What `ConvStack.add_block` takes.
    latent_filters : int or None
        Number of filters of a last convolution.
    n_components : int
        Number of latent variables.
    is_dense : bool
        Whether a dense layer computes them.
    n_heads : int, default=1
        Number of values that are computed for each latent variable.
    """

    def __init__(
        self,
        *,
        image_shape: Sequence[int],
        channel_axis: int | None,
        blocks: Sequence[dict],
        latent_filters: int | None,
        n_components: int,
        is_dense: bool,
        n_heads: int = 1,
    ):
        layout = ImageInput(image_shape, channel_axis)
        super().__init__(layout.output_shape[0], layout.output_shape[1:])
        self.add_module("input", layout)
        for number, block in enumerate(blocks, start=1):
            self.add_block(f"block{number}", **block)
        if latent_filters is not None:
            n_filters = latent_filters * (1 if is_dense else n_heads)
            (kernel,), one = blocks[-1]["kernel_size"], (1,) * len(self.size)
            self.add_convolution("latent", n_filters, kernel, one, "same")
        self.add_module("flatten", nn.Flatten())
        if is_dense:
            layer = Linear(self.n_channels * prod(self.size), n_heads * n_components)
            self.add_module("output", layer)
            self.n_multiplications += layer.weight.numel()


class ConvDecoder(ConvStack):
    """Convolutional decoder: (n_samples, n_components) -> (n_samples, n_features).

    Parameters
    ----------
    latent_shape : sequence of int
        Shape (n_channels, *size) of the images that the first block takes.
    n_components : int
        Number of latent variables.
    is_dense : bool
        Whether a dense layer makes these images.
    decoder_blocks : sequence of dict
        What `add_decoder_block` takes.
    image_shape, channel_axis
        Layout of a sample, see `ImageInput`.
    **structure
        The rest of an autoencoder's arguments, which a decoder does not need.
    """

    def __init__(
        self,
        *,
        latent_shape: Sequence[int],
        n_components: int,
        is_dense: bool,
        decoder_blocks: Sequence[dict],
        image_shape: Sequence[int],
        channel_axis: int | None,
        **structure,
    ):
        n_channels, *size = latent_shape
        super().__init__(n_channels, size)
        if is_dense:
            self.add_module("input", Linear(n_components, prod(latent_shape)))
            self.add_module("input_activation", make_activation(decoder_blocks[0]["activation"]))
            self.n_multiplications += n_components * prod(latent_shape)
        self.add_module("unflatten", nn.Unflatten(1, tuple(latent_shape)))
        for number, block in enumerate(decoder_blocks, start=1):
            self.add_decoder_block(f"block{number}", **block)
        n_outputs = ImageInput(image_shape, channel_axis).output_shape[0]
        kernel, one = decoder_blocks[-1]["kernel_size"], (1,) * len(size)
        self.add_convolution("output", n_outputs, kernel, one, "same")
        self.add_module("output_layout", ImageOutput(channel_axis))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layers in turn, a transposed convolution together with its rectifier."""
        pairs = pairwise([*self, None])
        for layer, following in pairs:
            if are_one(layer, following):
                x = layer(x, rectifies=True)
                next(pairs)
            else:
                x = layer(x)
        return x

    def add_decoder_block(
        self,
        name: str,
        *,
        filters: int | None,
        kernel_size: Size,
        upsample: str | None,
        pool_size: Size,
        size: Size,
        normalization: str | None,
        activation: str | type[nn.Module],
        dropout: float,
    ) -> None:
        """Add a block: a convolution, then larger images.

        Parameters
        ----------
        name : str
            What its layers' names begin with.
        filters : int or None
            Number of filters; None for no convolution.
        kernel_size : tuple of int
            Size of the kernel.
        upsample : {'repeat', 'stride'} or None
            How images grow: their pixels are repeated, or the convolution is a transposed one.
        pool_size : tuple of int
            How many times they grow in each dimension.
        size : tuple of int
            Size to which they are cut then.
        normalization, activation
            Of the convolution.
        dropout : float
            Probability of dropping a value at the block's end.
        """
        if upsample == "stride":
            add_transposed(self, f"{name}_conv1", filters, kernel_size, pool_size)
        elif filters is not None:
            one = (1,) * len(self.size)
            self.add_convolution(f"{name}_conv1", filters, kernel_size, one, "same")
        if filters is not None:
            self.add_activation(f"{name}_conv1", normalization, activation)
        if upsample == "repeat":
            self.add_module(f"{name}_repeat", nn.Upsample(scale_factor=tuple(pool_size)))
            self.size = tuple(n * s for n, s in zip(self.size, pool_size))
        if self.size != tuple(size):
            self.add_module(f"{name}_crop", Crop([(0, n - m) for n, m in zip(self.size, size)]))
            self.size = tuple(size)
        self.largest_output = max(self.largest_output, self.n_channels * prod(self.size))
        if dropout:
            self.add_module(f"{name}_dropout", Dropout(dropout))


def add_transposed(stack: ConvStack, name: str, n_filters: int, kernel: Size, stride: Size) -> None:
    """Add a transposed convolution, whose images are exactly `stride` times as large."""
    padding = tuple(max(0, -((s - k) // 2)) for k, s in zip(kernel, stride))
    extra = tuple(s - k + 2 * p for k, s, p in zip(kernel, stride, padding))
    kind = TRANSPOSED[len(stack.size)]
    layer = kind(stack.n_channels, n_filters, kernel, stride, padding, extra)
    stack.add_module(name, layer)
    stack.n_multiplications += prod(stack.size) * layer.weight.numel()
    stack.size = tuple(n * s for n, s in zip(stack.size, stride))
    stack.n_channels = n_filters


def are_one(layer: nn.Module, following: nn.Module | None) -> bool:
    """Tell whether these are a transposed convolution and a rectifier, and no hook is between."""
    if not (isinstance(layer, TransposedConvolution) and type(following) is nn.ReLU):
        return False
    kinds = "_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks"
    return not any(getattr(part, kind) for part in (layer, following) for kind in kinds)


def conv_autoencoder(
    *,
    latent_activation: str | type[nn.Module],
    noise: Sequence | None,
    appends_latents: bool,
    **structure,
) -> AutoencoderNetwork:
    """Make a convolutional autoencoder, with unset weights.

    Parameters
    ----------
    latent_activation : str or nn.Module class
        Activation of the latent variables.
    noise : sequence of (str, float, ...) or None
        Name in `NOISES` and arguments of what corrupts the inputs.
    appends_latents : bool
        Whether the output continues with the latent variables.
    **structure
        Arguments of `conv_halves`.
    """
    encoder, decoder = conv_halves(**structure)
    encoder.add_module("output_activation", make_activation(latent_activation))
    noise = None if noise is None else NOISES[noise[0]](*noise[1:])
    return conv_measured(AutoencoderNetwork(encoder, decoder, noise, appends_latents))


def conv_variational(**structure) -> VariationalNetwork:
    """Make a convolutional variational autoencoder, with unset weights.

    Parameters
    ----------
    **structure
        Arguments of `conv_halves`.
    """
    return conv_measured(VariationalNetwork(*conv_halves(**structure, n_heads=2)))


def conv_halves(
    latent_shape: Sequence[int],
    decoder_blocks: Sequence[dict],
    n_heads: int = 1,
    preprocessing=None,
    **shared,
) -> tuple[ConvEncoder, ConvDecoder]:
    """Make a convolutional encoder and a convolutional decoder, of preprocessed images."""
    encoder = ConvEncoder(**shared, n_heads=n_heads)
    return encoder, ConvDecoder(**shared, latent_shape=latent_shape, decoder_blocks=decoder_blocks)


def conv_measured(network: nn.Module) -> nn.Module:
    """Tell a convolutional autoencoder what its passes take, and lay it in memory."""
    halves = network.encoder, network.decoder
    network.n_multiplications = sum(half.n_multiplications for half in halves)
    network.largest_output = max(half.largest_output for half in halves)
    memory_format = MEMORY_FORMATS.get(len(network.encoder.size))
    return network if memory_format is None else network.to(memory_format=memory_format)
