"""Convolutional networks: blocks of convolutions, then dense layers."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from math import prod

import torch
from torch import Tensor, nn

from sknn_basics._compat import is_exporting
from sknn_basics.modules._fast.single_filter import SingleFilter
from sknn_basics.modules.branches import Branches
from sknn_basics.modules.dense import DenseNetwork
from sknn_basics.modules.given import make_given, trace
from sknn_basics.modules.images import ImageInput, check_first_batch, make_preprocessing
from sknn_basics.modules.initialisers import weight_layers
from sknn_basics.modules.layers import BatchNorm, Dropout, GaussianNoise, make_activation
from sknn_basics.modules.shapes import ZeroPad
from sknn_basics.modules.signals import SIGNAL_NETWORKS

Size = tuple[int, ...]


class Conv1d(nn.Conv1d):
    """One-dimensional convolution with unset weights; torch's draws from the global state."""

    def reset_parameters(self) -> None:
        pass


class Conv2d(nn.Conv2d):
    """Two-dimensional convolution with unset weights."""

    def reset_parameters(self) -> None:
        pass

    def forward(self, x: Tensor) -> Tensor:
        if self.is_single_filter and x.device.type == "cpu" and not is_exporting():
            return SingleFilter.apply(x, self.weight, self.bias)
        return super().forward(x)

    @property
    def is_single_filter(self) -> bool:
        """Whether one filter gives results of the images' size."""
        keeps_size = all(k == 2 * p + 1 for k, p in zip(self.kernel_size, self.padding))
        return self.out_channels == 1 and self.stride == (1, 1) and keeps_size


class Conv3d(nn.Conv3d):
    """Three-dimensional convolution with unset weights."""

    def reset_parameters(self) -> None:
        pass


CONVOLUTIONS = {1: Conv1d, 2: Conv2d, 3: Conv3d}

POOLINGS = {
    "max": {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d},
    "average": {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d},
}

# Width up to which kernels may be of any size: images become small after some blocks.
USUAL_KERNEL = 11

# How weights and images lie in memory, where convolutions are fastest.
MEMORY_FORMATS = {2: torch.channels_last, 3: torch.channels_last_3d}


def pad_evenly(total: Sequence[int]) -> ZeroPad:
    """Make the layer that adds zeros: one more after than in front where the number is odd."""
    return ZeroPad([(n // 2, n - n // 2) for n in total])


def slid_size(size: Size, window: Size, stride: Size, padding: Size) -> Size:
    """Compute how often a window fits into an image, in each dimension.

    Parameters
    ----------
    size : tuple of int
        Size of the image.
    window : tuple of int
        Size of the kernel or pool.
    stride : tuple of int
        How far it moves.
    padding : tuple of int
        Number of zeros that are added in each dimension, both sides together.

    References
    ----------
    Dumoulin and Visin. "A guide to convolution arithmetic for deep learning." arXiv:1603.07285.

    Examples
    --------
    >>> from sknn_basics.modules.conv import slid_size
    >>> slid_size((5, 9), (3, 3), (2, 3), (0, 0))
    (2, 3)
    """
    return tuple(
        (n + p - w) // s + 1 for n, w, s, p in zip(size, window, stride, padding, strict=True)
    )


def check_kernel(name: str, kernel: Size, size: Size) -> None:
    """Check that not most weights of a kernel would only ever meet zeros around images.

    Raises
    ------
    ValueError
        If they would, of a kernel that is not small either.
    """
    if prod(kernel) > prod(max(2 * n - 1, USUAL_KERNEL) for n in size):
        raise ValueError(
            f"{name}: kernel_size={tuple(kernel)} is more than twice as large as what is left of "
            f"the image, {tuple(size)}: most weights would only meet the zeros around it."
        )


class ConvStack(nn.Sequential):
    """Layers of images, which know how large their images are.

    Parameters
    ----------
    n_channels : int
        Number of channels of the images so far.
    size : sequence of int
        Size of the images so far.

    Attributes
    ----------
    n_multiplications : int
        Number of multiplications a sample of a forward pass.
    largest_output : int
        Number of values a sample of the largest layer output.
    """

    def __init__(self, n_channels: int, size: Sequence[int]):
        super().__init__()
        self.n_channels, self.size = n_channels, tuple(size)
        self.n_multiplications, self.largest_output = 0, n_channels * prod(size)

    def add_block(
        self,
        name: str,
        *,
        filters: Sequence[int],
        kernel_size: Sequence[Size | list[Size]],
        strides: Sequence[Size],
        padding: str | int,
        downsample: str | None,
        pool_size: Size,
        normalization: str | None,
        activation: str | type[nn.Module],
        dropout: float,
        max_norm: float | None,
        depthwise: bool = False,
        pool_padding: str = "valid",
    ) -> None:
        """Add a block: convolutions, then pooling and dropout.

        Parameters
        ----------
        name : str
            What its layers' names begin with.
        filters : sequence of int
            Number of filters of each convolution.
        kernel_size, strides : sequence of tuple of int
            Of each convolution, in each dimension. A list of kernels stands for as many
            convolutions side by side.
        padding : {'same', 'valid'} or int
            Zeros around the images of each convolution: as many as keep the size at stride 1,
            none, or that many on each side.
        downsample : {'max', 'average', 'stride'} or None
            How the block ends: with a pool of `pool_size`, or with a last convolution that moves
            by `pool_size`.
        pool_size : tuple of int
            See `downsample`.
        normalization, activation, max_norm
            Of each convolution.
        dropout : float
            Probability of dropping a value at the block's end.
        depthwise : bool
            Whether each convolution filters every channel by itself, and then mixes channels.
        pool_padding : {'valid', 'same'}
            Whether a pool drops the last pixels that do not fill its window, or pools them too.
        """
        strides = list(strides)
        if downsample == "stride":
            strides[-1] = pool_size
        for i, (n_filters, kernel, stride) in enumerate(zip(filters, kernel_size, strides), 1):
            layer = f"{name}_conv{i}"
            if isinstance(kernel, list):
                self.add_parallel(layer, n_filters, kernel, stride, padding, depthwise)
            elif depthwise:
                self.add_separable(layer, n_filters, kernel, stride, padding)
            else:
                self.add_convolution(layer, n_filters, kernel, stride, padding)
            for filters in weight_layers(getattr(self, layer)):
                filters.max_norm = max_norm
            self.add_activation(layer, normalization, activation)
        if downsample in POOLINGS:
            self.add_pooling(f"{name}_pool", downsample, pool_size, pool_padding)
        if dropout:
            self.add_module(f"{name}_dropout", Dropout(dropout))

    def add_activation(
        self, name: str, normalization: str | None, activation: str | type[nn.Module]
    ) -> None:
        """Add what follows a convolution."""
        if normalization is not None:
            normalize = BatchNorm if normalization == "batch" else _layer_norm
            self.add_module(f"{name}_normalization", normalize(self.n_channels))
        layer = make_activation(activation)
        if isinstance(layer, nn.ReLU):
            # Nothing before it needs its own outputs again.
            layer.may_overwrite = True
        self.add_module(f"{name}_activation", layer)

    def add_parallel(
        self,
        name: str,
        n_filters: int,
        kernels: list[Size],
        stride: Size,
        padding: str | int,
        depthwise: bool,
    ) -> None:
        """Add convolutions side by side, of `n_filters` filters each.

        Raises
        ------
        ValueError
            If they make images of several sizes.
        """
        parts = {}
        for kernel in kernels:
            part = ConvStack(self.n_channels, self.size)
            add = part.add_separable if depthwise else part.add_convolution
            add(f"{name}_{'x'.join(map(str, kernel))}", n_filters, kernel, stride, padding)
            parts["x".join(map(str, kernel))] = part
        sizes = {part.size for part in parts.values()}
        if len(sizes) > 1:
            raise ValueError(
                f"{name}: kernels {', '.join(parts)} make images of sizes {sorted(sizes)} with "
                f"padding={padding!r}: kernels side by side need padding='same'."
            )
        self.add_module(name, Branches(parts))
        self.n_channels, self.size = n_filters * len(parts), part.size
        self.n_multiplications += sum(part.n_multiplications for part in parts.values())
        self.largest_output = max(self.largest_output, self.n_channels * prod(self.size))

    def add_separable(
        self, name: str, n_filters: int, kernel: Size, stride: Size, padding: str | int
    ) -> None:
        """Add one filter for each channel, and a convolution of 1 x 1 that mixes channels."""
        one, n_channels = (1,) * len(kernel), self.n_channels
        self.add_convolution(
            f"{name}_depthwise", n_channels, kernel, stride, padding, groups=n_channels, bias=False
        )
        self.add_convolution(name, n_filters, one, one, "valid")

    def add_convolution(
        self,
        name: str,
        n_filters: int,
        kernel: Size,
        stride: Size,
        padding: str | int,
        **options,
    ) -> None:
        """Add a convolution, with further options of torch's layer.

        Raises
        ------
        ValueError
            If the kernel is larger than the padded image.
        """
        if padding == "same":
            total = tuple(k - 1 for k in kernel)
        else:
            total = tuple(2 * (0 if padding == "valid" else padding) for _ in kernel)
        self.check_fits(name, "kernel", kernel, total)
        check_kernel(name, kernel, self.size)
        if not isinstance(padding, str) and padding >= max(*kernel, USUAL_KERNEL):
            raise ValueError(
                f"{name}: padding={padding} is no smaller than the kernel, {tuple(kernel)}, "
                "which would only meet zeros there."
            )
        is_even = all(t % 2 == 0 for t in total)
        if not is_even:
            self.add_module(f"{name}_padding", pad_evenly(total))
        each_side = tuple(t // 2 for t in total) if is_even else 0
        kind = CONVOLUTIONS[len(self.size)]
        layer = kind(self.n_channels, n_filters, kernel, stride, each_side, **options)
        self.add_module(name, layer)
        self.n_channels, self.size = n_filters, slid_size(self.size, kernel, stride, total)
        self.n_multiplications += prod(self.size) * layer.weight.numel()
        self.largest_output = max(self.largest_output, n_filters * prod(self.size))

    def add_pooling(self, name: str, kind: str, pool_size: Size, padding: str) -> None:
        """Add a pool.

        Raises
        ------
        ValueError
            If it is larger than the image.
        """
        missing = (0,) * len(pool_size)
        if padding == "same":
            missing = tuple(-n % w for n, w in zip(self.size, pool_size))
        self.check_fits(name, "pool", pool_size, missing)
        pool = POOLINGS[kind][len(pool_size)]
        self.add_module(name, pool(pool_size, ceil_mode=padding == "same"))
        self.size = slid_size(self.size, pool_size, pool_size, missing)

    def check_fits(self, name: str, what: str, window: Size, padding: Size) -> None:
        """Check that a kernel or pool is not larger than the padded image."""
        if any(w > n + p for w, n, p in zip(window, self.size, padding)):
            padded = f", padded by {padding}" if any(padding) else ""
            raise ValueError(
                f"{name}: a {what} of size {window} is larger than what is left of the image, "
                f"{self.size}{padded}."
            )


class ConvNetwork(ConvStack):
    """Convolutional network: (n_samples, *image_shape) -> (n_samples, n_outputs).

    Layout and preprocessing of images, then blocks of convolution -> normalization -> activation,
    each ending in pooling and dropout, then dense layers.

    Parameters
    ----------
    image_shape : sequence of int
        Shape of a sample, see `ImageInput`.
    channel_axis : int or None
        Where it has its channels: 0, -1 or None.
    blocks : sequence of dict
        What `add_block` takes.
    features : nn.Module, callable, str or None
        What stands in place of the blocks: a module, which is copied, or a function from the shape
        (n_channels, *size) to one.
    hidden_layer_sizes, hidden_activation, hidden_dropout, hidden_max_norm
        The dense layers, as in `DenseNetwork`.
    n_outputs : int
        Number of output units.
    preprocessing : str, nn.Module, callable or None
        What happens to every batch first, see `make_preprocessing`.
    input_noise : float
        Standard deviation of normal noise on the preprocessed images.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        channel_axis: int | None,
        blocks: Sequence[dict],
        hidden_layer_sizes: Sequence[int],
        n_outputs: int,
        *,
        hidden_activation: str | type[nn.Module] = "relu",
        hidden_dropout: Sequence[float] = (),
        hidden_max_norm: float | None = None,
        features: nn.Module | Callable | None = None,
        preprocessing: str | nn.Module | Callable | None = None,
        input_noise: float = 0.0,
    ):
        layout = ImageInput(image_shape, channel_axis)
        super().__init__(layout.output_shape[0], layout.output_shape[1:])
        self.add_module("input", layout)
        if preprocessing is not None:
            self.add_preprocessing(preprocessing)
        if input_noise:
            self.add_module("input_noise", GaussianNoise(input_noise))
        if features is not None:
            self.add_features(features)
        for number, block in enumerate(blocks if features is None else (), start=1):
            self.add_block(f"block{number}", **block)
        self.add_module("flatten", nn.Flatten())
        head = DenseNetwork(
            self.n_channels * prod(self.size),
            hidden_layer_sizes,
            n_outputs,
            activation=hidden_activation,
            dropout=hidden_dropout,
            max_norm=hidden_max_norm,
        )
        for name, layer in head.named_children():
            self.add_module(name, layer)
        self.n_multiplications += sum(p.numel() for p in head.parameters())
        if (memory_format := MEMORY_FORMATS.get(len(self.size))) is not None:
            self.to(memory_format=memory_format)

    def add_preprocessing(self, preprocessing: str | nn.Module | Callable) -> None:
        """Add the layer that preprocesses images, and learn what it makes of their shape."""
        layer = deepcopy(make_preprocessing(preprocessing, self.n_channels))
        if not isinstance(preprocessing, str):
            check_first_batch(layer)
        self.add_module("preprocessing", layer)
        shape = self.trace(layer, "preprocessing")
        if len(shape) != len(self.size) + 1:
            raise ValueError(f"preprocessing must make images of images, got shape {shape}.")
        self.n_channels, *size = shape
        self.size = tuple(size)

    def add_features(self, features: nn.Module | Callable | str) -> None:
        """Add a module in place of the blocks."""
        shape = (self.n_channels, *self.size)
        if isinstance(features, str):
            features = SIGNAL_NETWORKS[features]
        module = make_given(features, shape, "features")
        self.add_module("features", module)
        self.n_channels, *size = self.trace(module, "features")
        self.size = tuple(size)
        self.n_multiplications += sum(p.numel() for p in module.parameters())
        self.largest_output = max(self.largest_output, 64 * prod(shape))

    def trace(self, module: nn.Module, name: str) -> Size:
        """Find the shape of what a module makes of a sample of the present shape.

        Raises
        ------
        ValueError
            If it cannot read such samples.
        """
        # What preprocesses images is mostly given copies of them, as floats.
        may_change = name == "preprocessing"
        shape = (self.n_channels, *self.size)
        return trace(module, shape, name, "images", may_change=may_change)


def _layer_norm(n_channels: int) -> nn.GroupNorm:
    """Make a normalization over all channels and positions of an image."""
    return nn.GroupNorm(1, n_channels)
