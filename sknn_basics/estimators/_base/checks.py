"""Checks of parameters and arrays that several estimators share."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from numbers import Integral, Real

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data


def is_learnt(name: str) -> bool:
    """Tell whether an attribute is the result of a fit, by its name."""
    return name.endswith("_") and not name.startswith("__")


@contextmanager
def unchanged_by_failure(estimator) -> Iterator[None]:
    """Give an estimator back all that it had learned before, if a fit fails."""
    before = {name: value for name, value in vars(estimator).items() if is_learnt(name)}
    try:
        yield
    except BaseException:
        for name in [name for name in vars(estimator) if is_learnt(name)]:
            delattr(estimator, name)
        vars(estimator).update(before)
        raise


class UnknownClasses(ValueError):
    """y has labels that are not among the classes.

    Attributes
    ----------
    seen : ndarray
        The labels of y.
    """

    def __init__(self, message: str, seen: np.ndarray | None = None):
        super().__init__(message)
        self.seen = seen


def explain_other_classes(before: np.ndarray, seen: np.ndarray) -> str:
    """Say that a warm start needs the classes of the last fit, in scikit-learn's words."""
    return (
        "warm_start can only be used where `y` has the same classes as in the previous call to "
        f"fit. Previously got {before}, `y` has {seen}"
    )


def hidden_sizes(sizes: int | Sequence[int], name: str = "hidden_layer_sizes") -> list[int]:
    """Read sizes of layers, given as one or several, as a list.

    Raises
    ------
    ValueError
        If a size is not a positive integer.
    """
    sizes = [sizes] if isinstance(sizes, Integral) else list(sizes)
    if not all(isinstance(size, Integral) and size > 0 for size in sizes):
        # scikit-learn's words where it has the parameter.
        is_theirs = name == "hidden_layer_sizes" and all(isinstance(n, Integral) for n in sizes)
        raise ValueError(f"{name} must be {'' if is_theirs else 'integers '}> 0, got {sizes}.")
    return [int(size) for size in sizes]


def one_a_layer(value: float | Sequence[float], n_layers: int, name: str) -> list[float]:
    """Read a share that is given once or once per layer as one per layer.

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


def one_a_hidden_layer(value, n_layers: int, name: str):
    """Read what is given once or once per hidden layer: one value, or a list of one per layer.

    Raises
    ------
    ValueError
        If the number of values differs from the number of layers.
    """
    if not isinstance(value, list | tuple | np.ndarray):
        return value
    if len(value) != n_layers:
        raise ValueError(
            f"{name} must be one value or one for each of the {n_layers} hidden layers, "
            f"got {len(value)}: {value}."
        )
    return list(value)


def check_samples(estimator, X, reset: bool):
    """Check X, whose samples may have any number of dimensions, in its own data type.

    Sets or checks the estimator's ``n_features_in_``, which is ``X.shape[1]``, its feature names,
    and the shape of a sample as ``_sample_shape_``.

    Parameters
    ----------
    estimator : NeuralEstimator
        Who is given X.
    X : {array-like, sparse matrix} of shape (n_samples, ...)
        Inputs of two or more dimensions; a sparse matrix has two.
    reset : bool
        Whether to learn the shape of a sample, or to compare with what was learned.

    Returns
    -------
    X : {ndarray, CSR matrix} of shape (n_samples, ...)
        The checked inputs.

    Raises
    ------
    ValueError
        If X holds anything but finite numbers, is empty, or has samples of another shape.
    """
    if not hasattr(X, "shape"):
        X = np.asarray(X)
    # Of images, scikit-learn would compare the height alone, and call it features.
    is_tabular = len(X.shape) <= 2
    X = validate_data(
        estimator, X, reset=reset, accept_sparse="csr", allow_nd=True, ensure_2d=is_tabular
    )
    check_numeric(X, "X")
    shape = tuple(X.shape[1:])
    if 0 in shape:
        raise ValueError(f"X has samples of shape {shape}, which hold nothing.")
    if reset:
        estimator.n_features_in_, estimator._sample_shape_ = shape[0], shape
    elif shape != tuple(estimator._sample_shape_):
        fitted = tuple(estimator._sample_shape_)
        is_single = X.shape == fitted
        raise ValueError(
            f"X has samples of shape {shape}, but {type(estimator).__name__} was fitted to "
            f"samples of shape {fitted}."
            + (" X looks like a single sample: give it as X[np.newaxis]." if is_single else "")
        )
    return X


def count_dimensions(array) -> int:
    """Count the dimensions of an array, or of anything that can be turned into one."""
    return len(array.shape) if hasattr(array, "shape") else np.asarray(array).ndim


def has_channels(shape: Sequence[int]) -> bool:
    """Tell whether a shape looks as if its first axis were the channels of an image.

    There are 1, 3 or 4 of them, or as many as there may be where all other sides are the same; all
    sides of an image are longer.
    """
    first, second, *_, last = shape
    if first >= last or (first == second > 1):
        return False
    return first in (1, 3, 4) or len(set(shape[1:])) == 1


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
    # Unlike `max`, these pass over the padding of sequences.
    if np.fmax.reduce(values, axis=None) > limit or np.fmin.reduce(values, axis=None) < -limit:
        raise ValueError(
            f"Input {name} contains a value too large for dtype('{dtype}'): "
            "scale it, or set dtype='float64'."
        )


def is_unit_floats(array) -> bool:
    """Tell whether an array holds floats that all lie in [0, 1]; padding counts nothing."""
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or not array.size:
        return False
    low, high = np.fmin.reduce(array, axis=None), np.fmax.reduce(array, axis=None)
    return bool(low >= 0 and high <= 1)


def warn_of_integers(X) -> None:
    """Warn of bytes, or other integers beyond 1, for a network that was fitted to [0, 1]."""
    is_integer = isinstance(X, np.ndarray) and X.dtype.kind in "iu" and X.size
    if is_integer and (largest := X.max()) > 1:
        warnings.warn(
            f"X holds integers up to {largest}, but the estimator was fitted to floats in [0, 1]: "
            "scale X as the X of fit (X / 255, of bytes), or its outputs mean nothing.",
            stacklevel=4,
        )


def check_magnitudes(estimator, dtype: str, rate: float) -> None:
    """Check that the strengths of penalties and noises can be computed with.

    Raises
    ------
    ValueError
        If the square of one overflows, `epsilon` is nothing, or the decay of 'adamw' or 'muon'
        would turn weights round.
    """
    limit, solver = float(np.finfo(dtype).max) ** 0.5, estimator.solver
    names = ("alpha", "input_noise", "noise_amount", "sparsity", "beta")
    values = {name: getattr(estimator, name, 0.0) for name in names}
    values["class_weight"] = max(getattr(estimator, "_step_weights_", None) or [0.0])
    for name, value in values.items():
        value = np.max(value, initial=0)
        if value > limit:
            raise ValueError(f"{name}={value:g} is too large for {dtype}: its square overflows.")
    divides = isinstance(solver, str) and ("adam" in solver or solver in ("rmsprop", "muon"))
    if divides and estimator.epsilon < np.finfo(dtype).tiny:
        raise ValueError(f"epsilon={estimator.epsilon:g} is too small for {dtype}: it is 0 there.")
    if solver in ("adamw", "muon") and rate * estimator.alpha > 1:
        raise ValueError(
            f"alpha={estimator.alpha:g} is too large for solver={solver!r}: each step multiplies "
            f"weights by 1 - learning_rate_init * alpha = {1 - rate * estimator.alpha:g}."
        )


# How a size that differs by dimension is written for a single block.
SIZES_BY_DIMENSION = {"kernel_size": "[[{}]]", "strides": "[[{}]]", "pool_size": "[{}]"}


def one_a_block(value, n_blocks: int, name: str) -> list:
    """Read a parameter that is given once or once a block as one value a block.

    Raises
    ------
    ValueError
        If the number of values differs from the number of blocks.
    """
    if not isinstance(value, list | tuple | np.ndarray):
        return [value] * n_blocks
    if len(value) != n_blocks:
        message = (
            f"{name} must be one value or one for each of the {n_blocks} blocks, "
            f"got {len(value)}: {value}."
        )
        if name in SIZES_BY_DIMENSION and len(value) in (2, 3):
            nested = SIZES_BY_DIMENSION[name].format(tuple(value))
            message += f" A size that differs by dimension is a tuple in its block: {name}={nested}"
            message += " for one block." if n_blocks == 1 else ", and so on for each block."
        raise ValueError(message)
    return list(value)


def as_size(value: int | Sequence[int], n_dims: int, name: str) -> tuple[int, ...]:
    """Read a size that is given once or once per dimension as one per dimension.

    Raises
    ------
    ValueError
        If it is no positive integer, or not one per dimension.
    """
    size = (value,) * n_dims if isinstance(value, Integral) else value
    is_size = isinstance(size, list | tuple | np.ndarray) and len(size) == n_dims
    if not is_size or not all(isinstance(n, Integral) and n > 0 for n in size):
        raise ValueError(
            f"{name} must be an integer > 0, or one for each of the {n_dims} dimensions, "
            f"got {value!r}."
        )
    return tuple(int(n) for n in size)


def check_choice(value, choices: Sequence, name: str) -> None:
    """Check that a value is one of a few.

    Raises
    ------
    ValueError
        If it is not.
    """
    if not any(value is choice or (value == choice) is True for choice in choices):
        raise ValueError(f"{name} must be one of {list(choices)}, got {value!r}.")


def value_range(array) -> tuple[float, float]:
    """Tell the smallest and the largest value of an array or a sparse matrix."""
    return float(array.min()), float(array.max())


def check_latents(Z, n_components: int, dtype: str) -> np.ndarray:
    """Check latent variables that are to be decoded.

    Raises
    ------
    ValueError
        If they are not finite numbers, or have another number of columns than `n_components`.
    """
    Z = check_array(Z, dtype=dtype, input_name="Z")
    if Z.shape[1] != n_components:
        raise ValueError(
            f"Z must have {n_components} columns, one per latent variable, got {Z.shape[1]}."
        )
    return Z
