"""Parameters of well-known convolutional networks, for ``ConvNetClassifier(**architecture)``.

Each is a mapping of parameters, or a function that returns one; `ConvNetRegressor` takes them, too.
The mappings expect images scaled to [-1, 1], as ``preprocessing='symmetric'`` does with pixels in
[0, 255]. Your own values come last: ``ConvNetClassifier(**{**STRIDED, "max_iter": 5})``.

`POOLED_AUTOENCODER`, `POOLED_DENOISER` and `STRIDED_DENOISER` are for `ConvAutoencoder` instead,
and expect images in [0, 1]. `GAUSSIAN_GAN` is for `GAN`, and `POOLED_GAN` and `STRIDED_GAN` are
for `ConvGAN`, which scales images itself; each gives narrower networks too: ``POOLED_GAN(0.125)``.

References
----------
Chollet. "Deep learning with Python." Manning, 2017, chapter 5.

Glassner. "Deep learning: a visual approach." No Starch Press, 2021, chapters 16 and 17."""

from collections.abc import Mapping
from os import PathLike
from types import MappingProxyType

import numpy as np
import torch

from sknn_basics.estimators.convolutional import ConvNetClassifier

__all__ = [
    "CLASSIC",
    "DEEP_POOLED",
    "DEEP_STRIDED",
    "FCN",
    "FULL_SIZE",
    "GAUSSIAN_GAN",
    "INCEPTION_TIME",
    "NORMALIZED",
    "POOLED",
    "POOLED_AUTOENCODER",
    "POOLED_DENOISER",
    "POOLED_GAN",
    "RESNET_1D",
    "SHALLOW",
    "STRIDED",
    "STRIDED_DENOISER",
    "STRIDED_GAN",
    "load_vgg16",
    "read_torchvision_vgg16",
    "vgg16",
]

TRAINING = {
    "alpha": 0.0,
    "batch_size": 256,
    "weight_init": "glorot_uniform",
    "max_iter": 100,
}
DEEP = {
    **TRAINING,
    "filters": ((32, 32), (16, 16), (8, 8)),
    "kernel_size": ((5, 3), (5, 3), (5, 3)),
    "hidden_layer_sizes": (512, 256),
}
TWO_BLOCKS = {
    **TRAINING,
    "filters": (30, 16),
    "kernel_size": (5, 3),
    "hidden_layer_sizes": (128, 64),
}
AUTOENCODING = {**TRAINING, "n_components": None, "max_iter": 50}
DENOISING = {
    **AUTOENCODING,
    "filters": (32, 32),
    "noise": "gaussian",
    "noise_amount": 0.5,
    "max_iter": 100,
}

#: Two convolutions, one pool: 1,199,882 parameters for 28 x 28 pixels and ten classes.
CLASSIC = MappingProxyType(
    {
        **TRAINING,
        "filters": ((32, 64),),
        "padding": "valid",
        "downsample": "max",
        "dropout": 0.25,
        "hidden_layer_sizes": (128,),
        "hidden_dropout": 0.25,
        "max_iter": 12,
    }
)
#: One convolution.
SHALLOW = MappingProxyType(
    {
        **TRAINING,
        "filters": (32,),
        "kernel_size": 5,
        "downsample": None,
        "hidden_layer_sizes": (),
    }
)
#: Three convolutions at full size.
FULL_SIZE = MappingProxyType(
    {
        **TRAINING,
        "filters": (16, 8, 8),
        "kernel_size": (5, 3, 3),
        "downsample": None,
        "dropout": 0.2,
        "max_norm": 3.0,
        "hidden_layer_sizes": (),
    }
)
#: Two convolutions, each with its pool.
POOLED = MappingProxyType({**TWO_BLOCKS, "downsample": "max", "dropout": 0.2, "max_norm": 3.0})
#: `POOLED` with strides in place of pools.
STRIDED = MappingProxyType({**TWO_BLOCKS, "downsample": "stride", "dropout": 0.2, "max_norm": 3.0})
#: `STRIDED` with batch normalization in place of dropout and max-norm.
NORMALIZED = MappingProxyType({**TWO_BLOCKS, "downsample": "stride", "normalization": "batch"})
#: Three blocks of two convolutions, each with its pool.
DEEP_POOLED = MappingProxyType({**DEEP, "downsample": "max"})
#: `DEEP_POOLED` with strides in place of pools.
DEEP_STRIDED = MappingProxyType({**DEEP, "downsample": "stride"})

SIGNALS = {
    "dtype": "float32",
    "alpha": 0.0,
    "batch_size": 16,
    "hidden_layer_sizes": (),
    "data_format": "channels_last",
    "learning_rate": "one_cycle",
    "learning_rate_init": 1e-3,
    "max_iter": 200,
    "n_iter_no_change": np.inf,
    "tol": 0.0,
}
#: Signals of shape (length, n_channels), read by kernels of several lengths side by side.
INCEPTION_TIME = MappingProxyType({**SIGNALS, "features": "inception_time"})
#: Signals of shape (length, n_channels): three residual blocks of three convolutions.
RESNET_1D = MappingProxyType({**SIGNALS, "features": "resnet_1d"})
#: Signals of shape (length, n_channels): three convolutions, and their means over time.
FCN = MappingProxyType({**SIGNALS, "features": "fully_convolutional"})

#: Three channels of 7 x 7 as latent variables of 28 x 28 pixels.
POOLED_AUTOENCODER = MappingProxyType(
    {
        **AUTOENCODING,
        "filters": (16, 8),
        "latent_filters": 3,
        "latent_activation": "relu",
        "decoder_filters": (16,),
        "downsample": "max",
    }
)
#: Clean images of noisy ones; 32 channels as latent variables.
POOLED_DENOISER = MappingProxyType({**DENOISING, "downsample": "max"})
#: The same with strides and transposed convolutions in place of pools and repeated pixels.
STRIDED_DENOISER = MappingProxyType({**DENOISING, "downsample": "stride"})


class ScaledArchitecture(Mapping):
    """Parameters of a network whose layers can be made narrower or wider.

    It is a mapping, ``ConvGAN(**POOLED_GAN)``, and called with a factor on the numbers of filters
    and units, it makes one: ``ConvGAN(**POOLED_GAN(width=0.125))``.

    Parameters
    ----------
    text : str
        Its own docstring.
    widths : tuple of str
        Names of the parameters that are such numbers.
    **parameters
        All parameters, at width 1.
    """

    def __init__(self, text: str, widths: tuple[str, ...], **parameters):
        self.__doc__, self._widths, self._parameters = text, widths, parameters

    def __getitem__(self, name: str):
        return self._parameters[name]

    def __iter__(self):
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def __call__(self, width: float = 1.0) -> dict:
        """Give the parameters of a network that is `width` times as wide."""
        return {
            name: scaled(value, width) if name in self._widths else value
            for name, value in self._parameters.items()
        }

    def __repr__(self) -> str:
        return repr(self._parameters)


def scaled(sizes: tuple[int, ...], width: float) -> tuple[int, ...]:
    """Multiply sizes of layers by a factor.

    Raises
    ------
    ValueError
        If it is not positive.
    """
    if not width > 0:
        raise ValueError(f"width must be > 0, got {width}.")
    return tuple(max(1, round(size * width)) for size in sizes)


GAUSSIAN_GAN = ScaledArchitecture(
    """Points in a plane: a generator of 114 and a discriminator of 337 parameters.

    Parameters
    ----------
    width : float, default=1.0
        Factor on the numbers of units.

    Returns
    -------
    parameters : dict
        Parameters of `GAN`.

    References
    ----------
    Glassner. "Deep learning: a visual approach." No Starch Press, 2021, chapter 22.

    Examples
    --------
    >>> from sknn_basics.architectures import GAUSSIAN_GAN
    >>> GAUSSIAN_GAN(width=2)["discriminator_layer_sizes"]
    (32, 32)
    """,
    ("generator_layer_sizes", "discriminator_layer_sizes"),
    generator_layer_sizes=(16,),
    discriminator_layer_sizes=(16, 16),
    n_components=4,
    latent="uniform",
    activation="leaky_relu",
    negative_slope=0.1,
    batch_size=32,
    max_iter=15,
)
POOLED_GAN = ScaledArchitecture(
    """Images by repeated pixels and pools of averages, with tanh alone.

    Of 28 x 28 pixels, the generator has 6,751,233 parameters and the discriminator 6,631,169.

    Parameters
    ----------
    width : float, default=1.0
        Factor on the numbers of filters and units.

    Returns
    -------
    parameters : dict
        Parameters of `ConvGAN`.

    References
    ----------
    Glassner. "Deep learning: a visual approach." No Starch Press, 2021, chapter 22.

    Examples
    --------
    >>> from sknn_basics.architectures import POOLED_GAN
    >>> POOLED_GAN(width=0.125)["filters"]
    (8, 16)
    """,
    ("filters", "hidden_layer_sizes"),
    filters=(64, 128),
    hidden_layer_sizes=(1024,),
    n_components=100,
    latent="symmetric",
    kernel_size=5,
    upsample="repeat",
    downsample="average",
    activation="tanh",
    generator_activation="tanh",
    normalization=None,
    generator_normalization=("batch", None),
    round="alternate",
    solver="sgd",
    learning_rate_init=0.0005,
    discriminator_learning_rate_init=None,
    momentum=0.9,
    batch_size=128,
    max_iter=100,
)
STRIDED_GAN = ScaledArchitecture(
    """Images by strided and transposed convolutions, normalised by batches.

    Parameters
    ----------
    width : float, default=1.0
        Factor on the numbers of filters.

    Returns
    -------
    parameters : dict
        Parameters of `ConvGAN`.

    References
    ----------
    Radford, Metz and Chintala. "Unsupervised representation learning with deep convolutional
    generative adversarial networks." ICLR 2016.

    Examples
    --------
    >>> from sknn_basics.architectures import STRIDED_GAN
    >>> STRIDED_GAN(width=0.25)["filters"]
    (16, 32)
    """,
    ("filters",),
    filters=(64, 128),
    hidden_layer_sizes=(),
    n_components=100,
    latent="symmetric",
    kernel_size=5,
    upsample="stride",
    downsample="stride",
    activation="leaky_relu",
    negative_slope=0.2,
    generator_activation="relu",
    normalization="batch",
    learning_rate_init=0.001,
    discriminator_learning_rate_init=0.0001,
    batch_size=128,
    max_iter=100,
)

# Numbers of torchvision's layers, from image to output.
TORCHVISION_LAYERS = {
    "features": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
    "classifier": (0, 3, 6),
}


def vgg16(width: float = 1.0, *, downsample: str = "max") -> dict:
    """Give the parameters of VGG16.

    Parameters
    ----------
    width : float, default=1.0
        Factor on the number of filters and hidden units.
    downsample : {'max', 'stride'}, default='max'
        How each block halves its images: by a pool, or by the stride of its last convolution.

    Returns
    -------
    parameters : dict
        What makes the network of a `ConvNetClassifier`, for images of three channels of
        standardised pixels, best 224 x 224.

    Raises
    ------
    ValueError
        If `width` is not positive.

    References
    ----------
    Simonyan and Zisserman. "Very deep convolutional networks for large-scale image recognition."
    ICLR 2015.

    Examples
    --------
    >>> from sknn_basics.architectures import vgg16
    >>> vgg16(width=0.25)["filters"]
    ((16, 16), (32, 32), (64, 64, 64), (128, 128, 128), (128, 128, 128))
    """
    n_filters = scaled((64, 128, 256, 512, 512), width)
    (n_units,) = scaled((4096,), width)
    return {
        "filters": tuple((n,) * count for n, count in zip(n_filters, (2, 2, 3, 3, 3))),
        "downsample": downsample,
        "hidden_layer_sizes": (n_units, n_units),
        "hidden_dropout": 0.5,
        "preprocessing": "imagenet",
        "loss": "cross_entropy",
    }


def read_torchvision_vgg16(source: str | PathLike | Mapping) -> dict[str, np.ndarray]:
    """Read VGG16's weights as torchvision publishes them.

    Parameters
    ----------
    source : str, path-like or mapping
        File of a state dict (``vgg16-*.pth``), or the state dict itself.

    Returns
    -------
    weights : dict of str to ndarray
        The same under the names of our layers: what ``init_from`` takes.

    Raises
    ------
    ValueError
        If a layer is missing.

    Examples
    --------
    Zeros in place of the file's weights:

    >>> from sknn_basics.architectures import TORCHVISION_LAYERS, read_torchvision_vgg16
    >>> layers = [f"{part}.{i}" for part, numbers in TORCHVISION_LAYERS.items() for i in numbers]
    >>> state = {f"{layer}.{kind}": 0 for layer in layers for kind in ("weight", "bias")}
    >>> list(read_torchvision_vgg16(state))[:4]
    ['block1_conv1.weight', 'block1_conv1.bias', 'block1_conv2.weight', 'block1_conv2.bias']
    """
    state = source
    if not isinstance(source, Mapping):
        state = torch.load(source, map_location="cpu", weights_only=True)
    theirs = [f"{part}.{i}" for part, numbers in TORCHVISION_LAYERS.items() for i in numbers]
    blocks = [
        f"block{b}_conv{i}" for b, n in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, n + 1)
    ]
    ours = [*blocks, "hidden1", "hidden2", "output"]
    pairs = [
        (f"{our}.{kind}", f"{their}.{kind}")
        for our, their in zip(ours, theirs, strict=True)
        for kind in ("weight", "bias")
    ]
    if missing := [their for _, their in pairs if their not in state]:
        raise ValueError(f"These are no weights of torchvision's VGG16: no {', '.join(missing)}.")
    return {our: np.asarray(state[their]) for our, their in pairs}


def load_vgg16(
    source: str | PathLike | Mapping, *, classes=None, image_shape=(224, 224, 3), **parameters
) -> ConvNetClassifier:
    """Make a VGG16 that predicts with published weights, without any training.

    Parameters
    ----------
    source : str, path-like or mapping
        See `read_torchvision_vgg16`.
    classes : array-like of shape (n_classes,), default=None
        Class labels in the order of the outputs; None numbers them.
    image_shape : tuple of int, default=(224, 224, 3)
        Shape of the images that will come: pixels in [0, 255], RGB, channels last.
    **parameters
        Parameters of `ConvNetClassifier` besides those of `vgg16`.

    Returns
    -------
    classifier : ConvNetClassifier
        A fitted classifier.

    Raises
    ------
    ValueError
        If the weights are not those of a VGG16, or do not fit images of this shape.
    """
    weights = read_torchvision_vgg16(source)
    n_classes, n_units = weights["output.weight"].shape
    classes = np.arange(n_classes) if classes is None else np.asarray(classes)
    if len(np.unique(classes)) != n_classes:
        raise ValueError(f"classes must be {n_classes} different labels, got {classes}.")
    order = np.argsort(classes)  # of the columns of predict_proba
    for name in ("output.weight", "output.bias"):
        weights[name] = weights[name][order]
    classifier = ConvNetClassifier(
        **{**vgg16(n_units / 4096), **parameters}, init_from=weights, init_layers="*"
    )
    images = np.broadcast_to(np.uint8(0), (n_classes, *image_shape))
    return classifier.initialize(images, classes).set_params(init_from=None, init_layers=None)
