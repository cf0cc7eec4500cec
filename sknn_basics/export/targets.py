"""Converter of scikit-learn's regressors of transformed targets, which skl2onnx has none for."""

from collections.abc import Callable

import numpy as np
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)

from sknn_basics.export.converters import is_double, onnx_type, write_answer
from sknn_basics.export.graphs import Writer

SCALERS = StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler

# Operators by the functions that undo a transformation, and what is added after them.
FUNCTIONS: dict[Callable, tuple[str, float]] = {
    np.exp: ("Exp", 0.0),
    np.expm1: ("Exp", -1.0),
    np.log: ("Log", 0.0),
    np.sqrt: ("Sqrt", 0.0),
}


def convert_targets(scope, operator, container) -> None:
    """Convert a regressor, and what brings its predictions back to the scale of y."""
    from skl2onnx.algebra.onnx_operator import OnnxSubEstimator

    model, write = operator.raw_operator, Writer(scope, container, container.target_opset)
    if len(operator.inputs) > 1:
        raise ValueError("TransformedTargetRegressor is converted with one input: give an array X.")
    name = write.name("predicted")
    part = OnnxSubEstimator(
        model.regressor_, operator.inputs[0], op_version=write.opset, output_names=[name]
    )
    part.add_to(scope, container)
    dtype = "float64" if is_double(operator) else "float32"
    predicted = write.cast(name, onnx_type(dtype))
    write_answer(write, operator, undo(write, model.transformer_, predicted, dtype))


def undo(write: Writer, transformer, predicted: str, dtype: str) -> str:
    """Write what undoes a transformation.

    Raises
    ------
    ValueError
        If it has no operators in ONNX.
    """
    if isinstance(transformer, SCALERS):
        n_targets = transformer.n_features_in_
        offset, ends = transformer.inverse_transform(np.eye(2)[:, [1] * n_targets])
        factor, offset = (write.constant(v.astype(dtype)) for v in (ends - offset, offset))
        return write.add("Add", write.add("Mul", predicted, factor), offset)
    undoing = getattr(transformer, "inverse_func", None)
    if not isinstance(transformer, FunctionTransformer) or undoing not in {None, *FUNCTIONS}:
        raise ValueError(
            f"The predictions of a TransformedTargetRegressor with {transformer!r} cannot be "
            f"transformed back in ONNX: only those of {', '.join(s.__name__ for s in SCALERS)}, "
            "or a FunctionTransformer whose inverse_func is np.exp, np.expm1, np.log or np.sqrt."
        )
    if undoing is None:
        return predicted
    kind, shift = FUNCTIONS[undoing]
    return write.add("Add", write.add(kind, predicted), write.constant(np.array(shift, dtype)))
