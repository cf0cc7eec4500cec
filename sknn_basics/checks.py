"""Checks of parameters and arrays that several estimators share."""

from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse


def hidden_sizes(hidden_layer_sizes: int | Sequence[int]) -> list[int]:
    """Read ``hidden_layer_sizes`` as a list.

    Raises
    ------
    ValueError
        If a size is not a positive integer.
    """
    sizes = [hidden_layer_sizes] if isinstance(hidden_layer_sizes, Integral) else hidden_layer_sizes
    sizes = list(sizes)
    if not all(isinstance(size, Integral) and size > 0 for size in sizes):
        raise ValueError(f"hidden_layer_sizes must be integers > 0, got {sizes}.")
    return [int(size) for size in sizes]


def one_a_layer(value: float | Sequence[float], n_layers: int, name: str) -> list[float]:
    """Read a share that is given once or once a layer as one a layer.

    Raises
    ------
    ValueError
        If the number of values differs from the number of layers, or one is not in [0, 1).
    """
    values = [value] * n_layers if np.ndim(value) == 0 else list(value)
    if len(values) != n_layers:
        raise ValueError(
            f"{name} must be one value or one for each of the {n_layers} hidden layers, "
            f"got {len(values)}: {value}."
        )
    if not all(isinstance(v, Real) and 0 <= v < 1 for v in values):
        raise ValueError(f"{name} must lie in [0, 1), got {value}.")
    return [float(v) for v in values]


def check_numeric(array, name: str) -> None:
    """Check that an array holds numbers, not dates.

    Raises
    ------
    ValueError
        If it holds dates or durations.
    """
    if array.dtype.kind in "mM":
        raise ValueError(f"{name} must hold numbers, got dtype {array.dtype}.")


def check_range(array, dtype: str, name: str) -> None:
    """Check that an array's values exist in the network's data type.

    Raises
    ------
    ValueError
        If a value would become infinite.
    """
    values = array.data if issparse(array) else array
    if (
        not values.size
        or values.dtype.kind != "f"
        or values.dtype.itemsize <= np.dtype(dtype).itemsize
    ):
        return
    limit = np.finfo(dtype).max
    if values.max() > limit or values.min() < -limit:
        raise ValueError(
            f"Input {name} contains a value too large for dtype('{dtype}'): "
            "scale it, or set dtype='float64'."
        )
