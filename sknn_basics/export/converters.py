"""Converters of this package's estimators, as skl2onnx calls them."""

from collections.abc import Callable
from math import prod

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin, is_classifier

from sknn_basics.estimators._base.sequences import in_layout
from sknn_basics.estimators.recurrent import RecurrentEstimator
from sknn_basics.export.answers import METHODS, Matches, choose_answer
from sknn_basics.export.graphs import Writer, record
from sknn_basics.preprocessing import FilterBank, PixelScaler, TableEncoder

# Samples and steps that a network is recorded with: numbers that are not special to any network.
N_RECORDED, N_STEPS_RECORDED = 3, 5


class MethodOf(TransformerMixin, BaseEstimator):
    """A method of an autoencoder, or a decoder, as the transform of an estimator."""

    def __init__(self, model, method=None):
        self.model, self.method = model, method

    def __sklearn_is_fitted__(self):
        return True

    def answer(self, dtype: torch.dtype) -> Callable:
        """Choose what is recorded."""
        if self.method is None:
            return choose_answer(self.model, dtype)
        return lambda: METHODS[self.method](self.model)

    @property
    def reads_latents(self) -> bool:
        """Whether inputs are latent variables."""
        return self.method in (None, "inverse_transform")


def convert_network(scope, operator, container) -> None:
    """Convert an estimator with a network."""
    from skl2onnx.common.data_types import FloatTensorType

    model, write = operator.raw_operator, Writer(scope, container, container.target_opset)
    if getattr(model, "_structure_", {}).get("stateful"):
        raise ValueError(
            "A network with stateful=True continues from batch to batch, which a file of ONNX "
            "cannot: it cannot be converted."
        )
    is_single = isinstance(operator.inputs[0].type, FloatTensorType)
    dtype = torch.float32 if is_single else torch.float64
    read, example = read_inputs(write, operator, dtype)
    answer = model.answer(dtype) if isinstance(model, MethodOf) else choose_answer(model, dtype)
    graph = record(answer(), [example], [free_axes(model, example.ndim)], write.opset)
    (answered,) = write.paste(graph, [read])
    write_answer(write, operator, answered)


def convert_pixels(scope, operator, container) -> None:
    """Convert a `PixelScaler`, which computes in a data type of its own."""
    scaler, write = operator.raw_operator, Writer(scope, container, container.target_opset)
    (low, high), (first, last) = scaler.pixel_range, scaler.feature_range
    to = onnx_type(scaler.dtype)
    numbers = (low, (high - low) / (last - first), first)
    offset, ratio, start = (write.constant(np.array(n, scaler.dtype)) for n in numbers)
    pixels = write.add("Sub", write.cast(operator.inputs[0].full_name, to), offset)
    features = write.add("Add", write.add("Div", pixels, ratio), start)
    write_answer(write, operator, features)


def convert_filters(scope, operator, container) -> None:
    """Convert a `FilterBank`."""
    write = Writer(scope, container, container.target_opset)
    to = onnx_type("float64" if is_double(operator) else "float32")
    read = write.cast(operator.inputs[0].full_name, to)
    shape = tuple(operator.inputs[0].type.shape)[1:]
    dtype = torch.float64 if is_double(operator) else torch.float32
    example = torch.zeros(N_RECORDED, *shape, dtype=dtype)
    graph = record(Matches(operator.raw_operator), [example], [(0,)], write.opset)
    (answered,) = write.paste(graph, [read])
    write_answer(write, operator, answered)


def write_answer(write: Writer, operator, answered: str) -> None:
    """Write what an operator outputs: the answer, and of a classifier labels before it."""
    if is_classifier(operator.raw_operator):
        write_labels(write, operator.raw_operator, answered, operator.outputs[0].full_name)
    from skl2onnx.common.data_types import DoubleTensorType

    last = operator.outputs[-1]
    to = onnx_type("float64" if isinstance(last.type, DoubleTensorType) else "float32")
    write.cast(answered, to, output=last.full_name)


def onnx_type(dtype: str) -> int:
    """Give ONNX's number of a data type."""
    from onnx import TensorProto

    return {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}[dtype]


def read_inputs(write: Writer, operator, dtype: torch.dtype) -> tuple[str, torch.Tensor]:
    """Join the inputs of an operator in one data type; make samples to record a network with."""
    from onnx import TensorProto

    to = TensorProto.FLOAT if dtype == torch.float32 else TensorProto.DOUBLE
    parts = [write.cast(variable.full_name, to) for variable in operator.inputs]
    read = parts[0] if len(parts) == 1 else write.add("Concat", *parts, axis=1)
    shape = sample_shape(operator.raw_operator, operator.inputs)
    return read, torch.zeros(N_RECORDED, *shape, dtype=dtype)


def sample_shape(model, inputs) -> tuple[int, ...]:
    """Find the shape of what stands for a sample: that of the inputs, where these tell it.

    Raises
    ------
    ValueError
        If the estimator was fitted to others.
    """
    fitted, given = list(fitted_shape(model)), list(inputs[0].type.shape)[1:]
    if len(inputs) > 1:
        return tuple(fitted)
    for axis in axes_of_steps(model, len(given) + 1):
        given[axis - 1] = fitted[axis - 1] = N_STEPS_RECORDED
    if not all(isinstance(n, int) for n in given):
        return tuple(fitted)
    if prod(given) != prod(fitted):
        raise ValueError(
            f"X has samples of shape {tuple(given)}, but {type(model).__name__} was fitted to "
            f"samples of shape {tuple(fitted)}."
        )
    return tuple(given)


def fitted_shape(model) -> tuple[int, ...]:
    """Tell the shape of the samples that an estimator was fitted to.

    Raises
    ------
    ValueError
        If it does not know.
    """
    if isinstance(model, MethodOf):
        if model.reads_latents:
            return (getattr(model.model, "n_components", None) or model.model._n_features_out,)
        model = model.model
    shape = getattr(model, "_sample_shape_", None)
    if shape is None and hasattr(model, "n_features_in_"):
        shape = (model.n_features_in_,)
    if shape is None:
        raise ValueError(f"{type(model).__name__} does not know the shape of samples: give X.")
    if isinstance(model, RecurrentEstimator):
        samples = np.broadcast_to(0, (1, *shape))
        shape = in_layout(samples, model.data_format, is_list=False, back=True).shape[1:]
    return tuple(shape)


def axes_of_steps(model, n_dims: int) -> tuple[int, ...]:
    """Tell which axes of X of so many dimensions may have any length: the steps of sequences."""
    if not isinstance(model, RecurrentEstimator) or model._has_given(model._structure_):
        return ()
    is_last = model.data_format == "channels_first" and n_dims == 3
    return () if n_dims < 3 else (2,) if is_last else (1,)


def free_axes(model, n_dims: int) -> tuple[int, ...]:
    """Tell which axes of samples may have any length."""
    return (0, *axes_of_steps(model, n_dims))


def write_labels(write: Writer, model, probability: str, output: str) -> None:
    """Write the nodes that choose labels by their probabilities."""
    from onnx import TensorProto

    if is_multilabel(model):
        # Compared in double precision: 0.5 has the same value in both.
        half = write.constant(np.array(0.5))
        in_double = write.cast(probability, TensorProto.DOUBLE)
        is_label = write.add("Greater", in_double, half)
        write.cast(is_label, TensorProto.INT64, output=output)
        return
    classes = model.classes_
    values = classes.astype(np.int64) if classes.dtype.kind in "biuf" else classes
    index = write.add("ArgMax", probability, axis=-1, keepdims=0)
    write.add("Gather", write.constant(values), index, output=output, axis=0)


def shape_of_classifier(operator) -> None:
    """Tell the types of labels and probabilities."""
    from skl2onnx.common.data_types import Int64TensorType, StringTensorType

    model, label = operator.raw_operator, operator.outputs[0]
    steps = steps_of(model)
    kind = Int64TensorType if model.classes_.dtype.kind in "biuf" else StringTensorType
    n_columns = len(model.classes_)
    label.type = kind([None, *steps, *([n_columns] if is_multilabel(model) else [])])
    operator.outputs[1].type = answer_type(operator)([None, *steps, n_columns])


def shape_of_regressor(operator) -> None:
    """Tell the type of predictions."""
    n_axes = 1 + max(1, getattr(operator.raw_operator, "_target_axes_", 0))
    operator.outputs[0].type = answer_type(operator)([None] * n_axes)


def shape_of_transformer(operator) -> None:
    """Tell the type of latent variables, of samples, or of features."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    model, given = operator.raw_operator, list(operator.inputs[0].type.shape)
    if isinstance(model, MethodOf) and model.method != "transform":
        of = model.model
        shape = [None, *(of.sample_shape if model.method is None else of._sample_shape_)]
    elif isinstance(model, PixelScaler):
        shape = given
    elif isinstance(model, FilterBank):
        shape = [None] * 4
    else:
        shape = [None, getattr(model, "_n_features_out", None)]
    kind = answer_type(operator)
    if isinstance(model, PixelScaler | TableEncoder):
        kind = DoubleTensorType if model.dtype == "float64" else FloatTensorType
    operator.outputs[0].type = kind(shape)


def is_multilabel(model) -> bool:
    """Tell whether a classifier was fitted to labels of zeros and ones."""
    return getattr(model, "_target_type_", None) == "labels" or getattr(
        model, "_is_multilabel_", False
    )


def is_double(operator) -> bool:
    """Tell whether an operator reads double precision."""
    from skl2onnx.common.data_types import DoubleTensorType

    return isinstance(operator.inputs[0].type, DoubleTensorType)


def answer_type(operator):
    """Choose the type of numbers: double where the input is."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    return DoubleTensorType if is_double(operator) else FloatTensorType


def steps_of(model) -> list[None]:
    """Give a free axis for the steps that answers have."""
    return [None] * bool(getattr(model, "_target_axes_", 0))
