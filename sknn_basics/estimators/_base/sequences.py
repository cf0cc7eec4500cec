"""Sequences of one length or of several, as X and as y."""

import warnings
from collections.abc import Sequence
from math import prod

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array
from sklearn.utils.validation import check_consistent_length, validate_data

from sknn_basics.estimators._base.checks import check_numeric, check_samples, has_channels
from sknn_basics.training.devices import as_array


def is_list_of_sequences(values) -> bool:
    """Tell whether values are several arrays rather than one.

    They are, in a list, tuple or array of objects, if one of them has two or more dimensions, or
    if their lengths differ.
    """
    is_list = isinstance(values, list | tuple) or (
        isinstance(values, np.ndarray) and values.dtype == object and values.ndim == 1
    )
    if not is_list or not all(hasattr(v, "__len__") and not isinstance(v, str) for v in values):
        return False
    if any(len(getattr(value, "shape", ())) > 1 for value in values):
        return True
    return len({len(value) for value in values}) > 1


def is_list_of_inputs(X) -> bool:
    """Tell whether X holds several sequences rather than one array.

    A list of arrays does, even if their lengths are the same by chance: the next ones may not be.
    """
    if is_list_of_sequences(X):
        return True
    is_list = isinstance(X, list | tuple) or (
        isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1
    )
    return is_list and len(X) > 0 and all(len(getattr(x, "shape", ())) == 1 for x in X)


def find_lengths(X, data_format: str) -> np.ndarray | None:
    """Tell how many steps each sequence has, None if all of an array have the same.

    Parameters
    ----------
    X : array or sequence of array-like
        What the user gave: a list, or an array in which shorter sequences end with steps of NaN.
    data_format : {'auto', 'channels_last', 'channels_first'}
        The layout.
    """
    if is_list_of_inputs(X):
        return np.array([len(x) for x in in_layout(X, data_format, is_list=True)])
    X = in_layout(X if hasattr(X, "shape") else to_array(X, "X"), data_format, is_list=False)
    if hasattr(X, "columns") or not ends_with_padding(X):
        return None
    X = np.asarray(as_array(X))
    return has_input(X[:, :, np.newaxis] if X.ndim == 2 else X).sum(axis=1)


def cut_padding(y, lengths: np.ndarray | None):
    """Cut the targets of steps after the end of sequences off, of an array; leave lists alone."""
    if lengths is None or not hasattr(y, "shape") or len(y.shape) < 2:
        return y
    n_steps = y.shape[1]
    if len(y) != len(lengths) or n_steps < lengths.max() or n_steps == lengths.min():
        return y
    return [row[:n] for row, n in zip(y, lengths)]


def are_of_steps(y, lengths: np.ndarray) -> bool:
    """Tell whether y is a list of arrays of one dimension, as long as sequences are."""
    return (
        not hasattr(y, "shape")
        and is_list_of_inputs(y)
        and len(y) == len(lengths)
        and all(np.ndim(row) == 1 and len(row) == n for row, n in zip(y, lengths))
    )


def ends_with_padding(X) -> bool:
    """Tell whether some sequences of an array with steps first end with steps of NaN.

    NaN elsewhere is no padding.
    """
    if issparse(X) or len(getattr(X, "shape", ())) < 2 or not is_float(X) or 0 in X.shape:
        return False
    # That of shorter sequences reaches the last step, so that others cost little.
    if not np.isnan(np.asarray(as_array(X[:, -1]), dtype=float)).any():
        return False
    missing = np.isnan(np.asarray(as_array(X))).reshape(*X.shape[:2], -1)
    is_whole = missing.all(axis=2) == missing.any(axis=2)
    first = missing.all(axis=2)
    return bool(is_whole.all() and not first[:, 0].any() and (first[:, 1:] >= first[:, :-1]).all())


def is_float(X) -> bool:
    """Tell whether an array or a tensor holds floating-point numbers."""
    return getattr(X.dtype, "kind", None) == "f" or getattr(X.dtype, "is_floating_point", False)


def join_sequences(sequences: Sequence, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Put sequences one after another.

    Parameters
    ----------
    sequences : sequence of array-like of shape (n_steps, ...)
        Sequences whose numbers of steps may differ.
    name : str
        What error messages call them.

    Returns
    -------
    steps : ndarray of shape (n_steps of all together, ...)
        Their steps.
    lengths : ndarray of shape (n_samples,)
        Their numbers of steps.

    Raises
    ------
    ValueError
        If a sequence is empty, or their steps have several shapes.
    """
    arrays = [to_array(sequence, f"{name}[{i}]") for i, sequence in enumerate(sequences)]
    for i, array in enumerate(arrays):
        if array.shape[1:] != arrays[0].shape[1:]:
            raise ValueError(
                f"{name}[{i}] has steps of shape {array.shape[1:]}, but {name}[0] has steps of "
                f"shape {arrays[0].shape[1:]}. Sequences have shape (n_steps, n_features); those "
                "of shape (n_features, n_steps) need data_format='channels_first'."
            )
        if not array.size:
            raise ValueError(f"{name}[{i}] is empty: its shape is {array.shape}.")
    return np.concatenate(arrays), np.array([len(array) for array in arrays])


def to_array(values, name: str) -> np.ndarray:
    """Make an array of steps of one shape.

    Raises
    ------
    ValueError
        If steps have several shapes.
    """
    try:
        return np.asarray(as_array(values))
    except ValueError as error:
        raise ValueError(f"{name} has steps of several shapes: {error}") from error


def pad_sequences(
    steps: np.ndarray, lengths: np.ndarray, padding: float, n_steps: int | None = None
) -> np.ndarray:
    """Cut joined sequences apart, and fill them up to the longest, or to `n_steps`.

    Returns
    -------
    sequences : ndarray of shape (n_samples, n_steps, ...)
        Sequences that are followed by `padding`.
    """
    shape = (len(lengths), n_steps or lengths.max(), *steps.shape[1:])
    padded = np.full(shape, padding, np.result_type(steps.dtype, padding))
    padded[np.arange(shape[1]) < lengths[:, None]] = steps
    return padded


def in_layout(X, data_format: str, is_list: bool, back: bool = False):
    """Bring sequences to the layout that networks read, or back.

    Parameters
    ----------
    X : array of shape (n_samples, ...) or sequence of array-like of shape (...)
        Sequences, whose samples have the steps first but for 'channels_first', which has
        (n_features, n_steps); frames have shape (n_channels, height, width) but for
        'channels_last', which has (height, width, n_channels).
    data_format : {'auto', 'channels_last', 'channels_first'}
        The layout.
    is_list : bool
        Whether X holds arrays of different lengths.
    back : bool, default=False
        Whether to undo it.
    """
    n_dims, axes = {"channels_first": (2, (-1, -2)), "channels_last": (4, (-1, -3))}.get(
        data_format, (None, None)
    )
    if axes is None:
        return X
    source, destination = reversed(axes) if back else axes
    if not is_list:
        is_other = len(X.shape) == n_dims + 1
        return np.moveaxis(np.asarray(X), source, destination) if is_other else X
    arrays = [to_array(values, f"X[{i}]") for i, values in enumerate(X)]
    return [np.moveaxis(a, source, destination) if a.ndim == n_dims else a for a in arrays]


def warn_of_swapped_axes(X: np.ndarray) -> None:
    """Warn where what is read as steps seems to be something else, of checked X with steps first.

    Neighbours are alike along time. So (n_samples, n_features, n_steps) shows by values that vary
    less along its longer, last axis, and frames with their channels last by the number of these.
    """
    _, n_steps, *step_shape = X.shape
    if len(step_shape) == 1:
        (n_features,) = step_shape
        is_swapped = n_steps == 1 and n_features >= 8
        if 1 < n_steps < n_features:
            some = X[:100].astype(np.float64)
            along, across = (np.nanmean(np.abs(np.diff(some, axis=axis))) for axis in (2, 1))
            is_swapped = 0 < 2 * along < across
        read, other = f"{n_steps} steps of {n_features} features", "first"
    else:
        is_swapped = len(step_shape) == 3 and has_channels(step_shape[::-1])
        read, other = f"frames of {step_shape[0]} channels", "last"
    if is_swapped:
        explicit = "last" if other == "first" else "first"
        warnings.warn(
            f"X of shape {X.shape} is read as {read}, but looks as if it had its channels {other}. "
            f"Set data_format='channels_{other}' if so, else 'channels_{explicit}'.",
            UserWarning,
            stacklevel=2,
        )


def has_input(X) -> np.ndarray:
    """Tell at which steps checked X of shape (n_samples, n_steps, ...) is no padding."""
    if X.ndim == 2 or X.dtype.kind != "f":
        return np.ones(X.shape[:2], bool)
    return ~np.isnan(X.reshape(*X.shape[:2], -1)[:, :, 0])


def has_target(target: np.ndarray) -> np.ndarray:
    """Tell at which steps there is a target, as `SequenceLoss` does."""
    return target >= 0 if target.ndim == 2 else ~np.isnan(target[:, :, 0])


def check_sequences(estimator, X, reset: bool):
    """Check X of sequences; learn their shape if `reset`.

    Parameters
    ----------
    estimator : estimator
        What learns `n_features_in_` and ``_sample_shape_``, or is compared with.
    X : array-like or sequence of array-like
        An array of shape (n_samples, n_steps, ...), in which shorter sequences may end with steps
        of NaN; rows of shape (n_samples, n_steps) with one number a step; or a list of arrays of
        shape (n_steps, ...) whose lengths may differ.
    reset : bool
        Whether the shape is learned. Predictions take another number of steps than `fit`, except
        for rows.

    Returns
    -------
    X : array of shape (n_samples, n_steps) or (n_samples, n_steps, ...)
        Shorter sequences end with NaN.
    """
    is_list = is_list_of_inputs(X)
    X = X if hasattr(X, "shape") or is_list else to_array(X, "X")
    X = in_layout(X, estimator.data_format, is_list)
    is_padded = not is_list and not hasattr(X, "columns") and ends_with_padding(X)
    if reset:
        estimator._is_list_ = is_list or is_padded
    if is_list:
        steps, lengths = join_sequences(X, "X")
        X = pad_sequences(check_steps(steps), lengths, np.nan)
        X = X[:, :, np.newaxis] if X.ndim == 2 else X
    is_row = len(X.shape) == 2 and (reset or len(estimator._sample_shape_) == 1) and not is_padded
    if is_row or len(X.shape) < 2:
        return check_samples(estimator, X, reset)
    X = validate_data(
        estimator,
        X,
        reset=reset,
        allow_nd=True,
        ensure_2d=False,
        ensure_all_finite="allow-nan" if is_list or is_padded else True,
    )
    check_numeric(X, "X")
    X = X[:, :, np.newaxis] if X.ndim == 2 else X
    check_shape_of_steps(estimator, X.shape[1:], reset)
    return X


def check_shape_of_steps(estimator, shape: tuple[int, ...], reset: bool) -> None:
    """Learn the shape of sequences, or compare that of their steps with what was learned."""
    if 0 in shape:
        raise ValueError(f"X has samples of shape {shape}, which hold nothing.")
    if reset:
        estimator.n_features_in_, estimator._sample_shape_ = prod(shape[1:]), shape
        return
    n_steps, *fitted = estimator._sample_shape_
    if shape[1:] != tuple(fitted):
        what = f"steps of shape {tuple(fitted)}" if fitted else f"rows of {n_steps} steps"
        raise ValueError(
            f"X has steps of shape {shape[1:]}, but {type(estimator).__name__} was fitted to "
            f"{what}."
        )


def check_steps(steps: np.ndarray) -> np.ndarray:
    """Check the joined sequences of X."""
    check_numeric(steps, "X")
    return check_array(steps, allow_nd=True, ensure_2d=False, input_name="X")


def find_target_axes(y, sample_shape: tuple[int, ...], n_steps_out, has_classes: bool) -> int:
    """Find the number of dimensions of a sample's targets if these have steps, else 0.

    Parameters
    ----------
    y : array or sequence of array-like
        Targets.
    sample_shape : tuple of int
        Shape of a sequence of X.
    n_steps_out : int or None
        The parameter, which says that targets have steps.
    has_classes : bool
        Whether targets are classes: of a two-dimensional y, these may be those of steps.
    """
    if is_list_of_sequences(y):
        return max(np.ndim(values) for values in y)
    if n_steps_out is not None:
        return max(1, y.ndim - 1)
    n_steps, *step_shape = sample_shape
    if len(y.shape) != 2 or not has_classes:
        return len(y.shape) - 1 if len(y.shape) > 2 else 0
    # Rows are often tables, whose columns of zeros and ones are labels.
    may_be_labels = not step_shape and np.isin(y, (0, 1)).all()
    return int(y.shape[1] == n_steps > 1 and not may_be_labels)


def join_targets(y, n_axes: int, n_steps_out: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Put the targets of all steps one after another, and tell their numbers.

    Raises
    ------
    ValueError
        If they do not have the `n_axes` of `find_target_axes`, or not `n_steps_out` steps.
    """
    if is_list_of_sequences(y):
        steps, lengths = join_sequences(y, "y")
        shape = f"{len(lengths)} sequences of {lengths.min()} to {lengths.max()} steps"
    else:
        y = np.asarray(as_array(y))
        shape = f"shape {y.shape}"
        steps = y.reshape(-1, *y.shape[2:]) if y.ndim > 1 else y[np.newaxis]
        lengths = np.full(len(y), y.shape[1] if y.ndim > 1 else 0)
    if steps.ndim != n_axes or not np.isin(lengths, (n_steps_out or lengths)).all():
        wanted = f"(n_samples, {n_steps_out or 'n_steps'}"
        raise ValueError(f"y must have shape {wanted}) or {wanted}, n_outputs), got {shape}.")
    return (steps[:, 0] if steps.shape[1:] == (1,) else steps), lengths


def cut_targets(steps: np.ndarray, lengths: np.ndarray, n_axes: int):
    """Cut joined targets apart: to an array where all lengths are the same, else to a list."""
    if n_axes == 2 and steps.ndim == 1:
        steps = steps[:, np.newaxis]
    if (lengths == lengths[0]).all():
        return steps.reshape(len(lengths), -1, *steps.shape[1:])
    return np.split(steps, np.cumsum(lengths)[:-1])


def check_same_steps(lengths: np.ndarray, target_lengths: np.ndarray) -> None:
    """Check that sequences have as many targets as steps.

    Raises
    ------
    ValueError
        If one has not; the message says which.
    """
    check_consistent_length(lengths, target_lengths)
    differing = np.flatnonzero(lengths != target_lengths)
    if len(differing):
        i = differing[0]
        raise ValueError(
            f"Each step of X needs a target, but X[{i}] has {lengths[i]} steps and y[{i}] has "
            f"{target_lengths[i]}. Set n_steps_out for targets that follow the sequence."
        )
