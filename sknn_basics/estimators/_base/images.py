"""Images as X, and the arguments of blocks of convolutions."""

import warnings
from collections.abc import Sequence
from math import isqrt
from numbers import Integral, Real

import numpy as np

from sknn_basics.estimators._base.checks import (
    as_size,
    check_choice,
    check_samples,
    has_channels,
    hidden_sizes,
    one_a_block,
    one_a_layer,
)
from sknn_basics.modules.conv import CONVOLUTIONS
from sknn_basics.modules.layers import ACTIVATIONS
from sknn_basics.training.devices import as_array

DOWNSAMPLINGS = ("max", "average", "stride", None)
NORMALIZATIONS = ("batch", "layer", None)
# Sides of images are longer, but for those of strips.
FEW_CHANNELS = 12
CHANNEL_AXES = {"channels_first": 0, "channels_last": -1, "no_channels": None}

# Parameters that are given once or once a block.
BLOCK_PARAMETERS = (
    *("filters", "kernel_size", "strides", "padding", "downsample", "pool_size"),
    *("normalization", "activation", "dropout", "max_norm", "depthwise", "pool_padding"),
)


def check_images(estimator, X, reset: bool):
    """Check X of images as `check_samples` does, and warn where they seem to be misread."""
    X = check_samples(estimator, check_alike(X), reset)
    if reset and estimator.data_format == estimator.image_shape == "auto":
        warn_of_channels(X.shape)
    return X


def describe_images(
    sample_shape: Sequence[int], image_shape: str | Sequence[int], data_format: str
) -> tuple[list[int], int | None]:
    """Find the shape of an image as it comes, and its channel axis.

    Parameters
    ----------
    sample_shape : sequence of int
        Shape of a sample of X.
    image_shape, data_format : str or sequence of int, str
        Parameters of the estimator.

    Raises
    ------
    ValueError
        If the samples do not have this shape, or are no images.
    """
    shape = list(map(int, sample_shape))
    if not isinstance(image_shape, str):
        wanted = as_size(image_shape, len(image_shape), "image_shape")
        if np.prod(wanted) != np.prod(shape) or (len(shape) > 1 and wanted != tuple(shape)):
            raise ValueError(f"image_shape={wanted} does not fit samples of shape {shape}.")
        shape = list(wanted)
    elif len(shape) == 1:
        side = isqrt(shape[0])
        return ([side, side] if side**2 == shape[0] else shape), None
    layout = data_format
    if data_format == "auto":
        layout = "no_channels" if len(shape) < 3 else "channels_last"
    axis = CHANNEL_AXES[layout]
    if len(shape) - (axis is not None) not in CONVOLUTIONS:
        raise ValueError(
            f"Samples of shape {tuple(shape)} with data_format={data_format!r} are no "
            "images of one, two or three dimensions."
        )
    return shape, axis


def count_blocks(filters) -> int:
    """Count the blocks of convolutions."""
    return 1 if isinstance(filters, Integral) else len(filters)


def describe_blocks(n_dims: int, *, filters, **parameters) -> list[dict]:
    """Collect the arguments of each block of a network of images of some dimensions.

    Parameters
    ----------
    n_dims : int
        Number of dimensions of an image, without channels.
    filters, **parameters
        The estimator's `BLOCK_PARAMETERS`.
    """
    filters = [filters] if isinstance(filters, Integral) else list(filters)
    if not filters or any(np.size(widths) == 0 for widths in filters):
        raise ValueError(f"filters must give a convolution for each block, got {filters}.")
    values = {name: one_a_block(given, len(filters), name) for name, given in parameters.items()}
    check_blocks(values)
    shares = one_a_layer(values["dropout"], len(filters), "dropout")
    blocks = []
    for i, widths in enumerate(filters):
        block = {name: values[name][i] for name in values}
        block["filters"] = hidden_sizes(widths, "filters")
        n_convolutions = len(block["filters"])
        for name in ("kernel_size", "strides"):
            sizes = one_a_convolution(block[name], n_convolutions, name)
            block[name] = [
                as_parallel_sizes(size, n_dims, name)
                if isinstance(size, set | frozenset) and name == "kernel_size"
                else as_size(size, n_dims, name)
                for size in sizes
            ]
        block["pool_size"] = as_size(block["pool_size"], n_dims, "pool_size")
        block["dropout"] = shares[i]
        # What earlier versions do not have is left out where it changes nothing.
        if not block["depthwise"]:
            del block["depthwise"]
        if block["pool_padding"] == "valid":
            del block["pool_padding"]
        blocks.append(block)
    return blocks


def check_alike(X):
    """Check that a list of images can be one array.

    Raises
    ------
    ValueError
        If the images have several shapes; the message says which.
    """
    if hasattr(X, "shape") or not isinstance(X, list | tuple):
        return X
    shapes = [np.shape(as_array(image)) for image in X]
    other = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), None)
    if other is None or not all(len(shape) > 1 for shape in shapes):
        return X
    remedy = "bring all to one size, for example with sknn_basics.preprocessing.ImageReader"
    if len(shapes[0]) != len(shapes[other]) or shapes[0][:2] == shapes[other][:2]:
        remedy = (
            "make all grey or all of as many channels, for example with Pillow's convert('RGB')"
        )
    raise ValueError(
        f"X[{other}] has shape {shapes[other]}, but X[0] has shape {shapes[0]}: {remedy}."
    )


def warn_of_channels(shape: tuple[int, ...]) -> None:
    """Warn where images seem to have channels at another place than where they are read."""
    _, *sample = shape
    if len(sample) == 2 and min(sample) <= FEW_CHANNELS and 8 * min(sample) <= max(sample):
        read = "grey images"
        layout = "channels_first" if sample[0] < sample[1] else "channels_last"
        what = f"signals of {min(sample)} channels"
        explicit = "no_channels"
    elif len(sample) > 2 and has_channels(sample):
        read, layout = f"images of {sample[-1]} channels", "channels_first"
        what, explicit = f"images of {sample[0]} channels", "channels_last"
    else:
        return
    warnings.warn(
        f"X of shape {shape} is read as {read}, but looks like {what}. Set "
        f"data_format='{layout}' if so, else data_format='{explicit}'.",
        stacklevel=2,
    )


def check_blocks(values: dict[str, list]) -> None:
    """Check each block's value of the parameters that are a choice or a number.

    Raises
    ------
    ValueError
        If one is none of those it can be.
    """
    for padding in values["padding"]:
        if not isinstance(padding, Integral) or padding < 0:
            check_choice(padding, ("same", "valid"), "padding")
    for downsample in values["downsample"]:
        check_choice(downsample, DOWNSAMPLINGS, "downsample")
    for padding in values["pool_padding"]:
        check_choice(padding, ("valid", "same"), "pool_padding")
    for depthwise in values["depthwise"]:
        check_choice(depthwise, (False, True), "depthwise")
    for normalization in values["normalization"]:
        check_choice(normalization, NORMALIZATIONS, "normalization")
    for activation in values["activation"]:
        if not callable(activation):
            check_choice(activation, list(ACTIVATIONS), "activation")
    for max_norm in values["max_norm"]:
        if max_norm is not None and not (isinstance(max_norm, Real) and max_norm > 0):
            raise ValueError(f"max_norm must be None or > 0, got {max_norm!r}.")


def one_a_convolution(value, n_convolutions: int, name: str) -> list:
    """Read a block's value that is given once or once a convolution as one a convolution.

    Raises
    ------
    ValueError
        If the number of values differs from the number of convolutions.
    """
    if isinstance(value, Integral | set | frozenset):
        return [value] * n_convolutions
    if not isinstance(value, list | tuple | np.ndarray) or len(value) != n_convolutions:
        raise ValueError(
            f"{name} of a block must be an integer or one value for each of its {n_convolutions} "
            f"convolutions, got {value!r}. A size that differs by dimension is a tuple in the list "
            f"of its block: {name}=[[(5, 3)]] for one block of one convolution."
        )
    return list(value)


def as_parallel_sizes(sizes, n_dims: int, name: str) -> list[tuple[int, ...]]:
    """Read a set of sizes, those of kernels side by side, as a list of sizes.

    Raises
    ------
    ValueError
        If the set is empty or holds no sizes.
    """
    if not sizes:
        raise ValueError(f"{name} must not be an empty set.")
    return sorted(as_size(size, n_dims, name) for size in sizes)
