"""Networks of signals, for `features` of convolutional estimators."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from sknn_basics.modules.branches import Branches
from sknn_basics.modules.layers import BatchNorm


class Residual(nn.Module):
    """The outputs of some layers and their inputs added up, and the rectifier of the sum.

    Parameters
    ----------
    body : nn.Module
        The layers, which keep the length of a signal.
    n_channels, n_filters : int
        Numbers of channels of inputs and outputs: where they differ, or always if
        `is_mixed`, a convolution of one step makes the one of the other.
    is_mixed : bool, default=False
        See `n_channels`.

    References
    ----------
    He, Zhang, Ren and Sun. "Deep residual learning for image recognition." CVPR 2016.
    """

    def __init__(self, body: nn.Module, n_channels: int, n_filters: int, *, is_mixed: bool = False):
        super().__init__()
        self.body = body
        mixing = [nn.Conv1d(n_channels, n_filters, 1, bias=False)]
        is_mixed = is_mixed or n_channels != n_filters
        self.shortcut = nn.Sequential(*(mixing if is_mixed else []), BatchNorm(n_filters))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.shortcut(x))


class GlobalAverage(nn.Module):
    """The mean of each channel over all steps: signals of any length become (n_channels,)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(-1)


def inception_time(
    shape: Sequence[int],
    *,
    n_filters: int = 32,
    depth: int = 6,
    kernel_sizes: Sequence[int] = (39, 19, 9),
    n_bottleneck: int = 32,
) -> nn.Module:
    """Make the network of InceptionTime, up to its dense layer.

    Every module reads its inputs, narrowed to a few channels, by kernels of several lengths side by
    side, and by a pool; every third is bridged by a residual connection. Kernels are no longer than
    the signal.

    Parameters
    ----------
    shape : tuple of int
        Shape of a signal, (n_channels, length).
    n_filters : int, default=32
        Number of filters of each kernel length, and of the pool.
    depth : int, default=6
        Number of modules.
    kernel_sizes : sequence of int, default=(39, 19, 9)
        Lengths of the kernels, odd numbers; the paper has 40, 20 and 10.
    n_bottleneck : int, default=32
        Number of channels that the kernels read.

    Returns
    -------
    network : nn.Module
        Takes signals of shape (n_samples, n_channels, length) to features of shape
        (n_samples, n_filters * (1 + number of kernels)).

    References
    ----------
    Ismail Fawaz et al. "InceptionTime: finding AlexNet for time series classification." Data
    Mining and Knowledge Discovery 34 (2020): 1936-1962.

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.modules import inception_time
    >>> inception_time((3, 50), depth=3)(torch.zeros(2, 3, 50)).shape
    torch.Size([2, 128])
    """
    n_channels, length = shape
    kernels = dict.fromkeys(min(size, length - (length + 1) % 2) for size in kernel_sizes)
    layers, run, n_before = [], [], n_channels
    for i in range(depth):
        n_outputs = n_filters * (1 + len(kernels))
        run.append(_inception(n_channels, n_filters, kernels, n_bottleneck))
        n_channels = n_outputs
        if i % 3 == 2:
            layers.append(Residual(nn.Sequential(*run), n_before, n_outputs, is_mixed=True))
            run, n_before = [], n_outputs
    return nn.Sequential(*layers, *run, GlobalAverage())


def _inception(
    n_channels: int, n_filters: int, kernels: Sequence[int], n_bottleneck: int
) -> nn.Module:
    narrowed = []
    if n_channels > 1:
        narrowed = [nn.Conv1d(n_channels, n_bottleneck, 1, bias=False)]
    n_read = n_bottleneck if narrowed else n_channels
    convolutions = {
        f"kernel{size}": nn.Conv1d(n_read, n_filters, size, padding=size // 2, bias=False)
        for size in kernels
    }
    pooled = nn.Sequential(
        nn.MaxPool1d(3, 1, padding=1), nn.Conv1d(n_channels, n_filters, 1, bias=False)
    )
    filters = nn.Sequential(*narrowed, Branches(convolutions))
    return nn.Sequential(
        Branches({"filters": filters, "pool": pooled}),
        BatchNorm(n_filters * (1 + len(kernels))),
        nn.ReLU(),
    )


def resnet_1d(
    shape: Sequence[int],
    *,
    filters: Sequence[int] = (64, 128, 128),
    kernel_sizes: Sequence[int] = (7, 5, 3),
) -> nn.Module:
    """Make a residual network of signals, up to its dense layer.

    Parameters
    ----------
    shape : tuple of int
        Shape of a signal, (n_channels, length).
    filters : sequence of int, default=(64, 128, 128)
        Number of filters of the convolutions of each block.
    kernel_sizes : sequence of int, default=(7, 5, 3)
        Lengths of the kernels of the convolutions in a block, odd numbers; the paper has 8, 5, 3.

    Returns
    -------
    network : nn.Module
        Takes signals of shape (n_samples, n_channels, length) to features, as many as the last
        block has filters.

    References
    ----------
    Wang, Yan and Oates. "Time series classification from scratch with deep neural networks: a
    strong baseline." IJCNN 2017.

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.modules import resnet_1d
    >>> resnet_1d((3, 50), filters=(8, 16))(torch.zeros(2, 3, 50)).shape
    torch.Size([2, 16])
    """
    n_channels, blocks = shape[0], []
    for n_filters in filters:
        layers, n_inputs = [], n_channels
        for size in kernel_sizes:
            layers += [_convolution(n_inputs, n_filters, size), nn.ReLU()]
            n_inputs = n_filters
        blocks.append(Residual(nn.Sequential(*layers[:-1]), n_channels, n_filters))
        n_channels = n_filters
    return nn.Sequential(*blocks, GlobalAverage())


def fully_convolutional(
    shape: Sequence[int],
    *,
    filters: Sequence[int] = (128, 256, 128),
    kernel_sizes: Sequence[int] = (7, 5, 3),
) -> nn.Module:
    """Make a network of convolutions and a mean over all steps, up to its dense layer.

    Parameters
    ----------
    shape : tuple of int
        Shape of a signal, (n_channels, length).
    filters : sequence of int, default=(128, 256, 128)
        Number of filters of each convolution.
    kernel_sizes : sequence of int, default=(7, 5, 3)
        Length of the kernels of each, odd numbers; the paper has 8, 5, 3.

    Returns
    -------
    network : nn.Module
        Takes signals of shape (n_samples, n_channels, length) to features, as many as the last
        convolution has filters.

    References
    ----------
    Wang, Yan and Oates. "Time series classification from scratch with deep neural networks: a
    strong baseline." IJCNN 2017.

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.modules import fully_convolutional
    >>> fully_convolutional((3, 50))(torch.zeros(2, 3, 50)).shape
    torch.Size([2, 128])
    """
    n_channels, layers = shape[0], []
    for n_filters, size in zip(filters, kernel_sizes, strict=True):
        layers += [_convolution(n_channels, n_filters, size), nn.ReLU()]
        n_channels = n_filters
    return nn.Sequential(*layers, GlobalAverage())


def _convolution(n_channels: int, n_filters: int, size: int) -> nn.Module:
    convolution = nn.Conv1d(n_channels, n_filters, size, padding=size // 2, bias=False)
    return nn.Sequential(convolution, BatchNorm(n_filters))


SIGNAL_NETWORKS = {make.__name__: make for make in (inception_time, resnet_1d, fully_convolutional)}
