"""Models of ONNX, of estimators alone and of the pipelines of scikit-learn around them."""

import json
from functools import cache
from importlib.metadata import version

import numpy as np
import torch
from sklearn.base import ClassifierMixin, RegressorMixin, is_classifier
from sklearn.compose import TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

import sknn_basics
from sknn_basics._optional import import_optional
from sknn_basics.estimators._base.fit import NeuralEstimator
from sknn_basics.estimators._base.sequences import is_list_of_sequences
from sknn_basics.estimators.adversarial import AdversarialEstimator
from sknn_basics.estimators.autoencoders.decoder import Decoder
from sknn_basics.estimators.forecasting import Forecaster
from sknn_basics.estimators.recurrent import RecurrentEstimator
from sknn_basics.estimators.tabular import TabularEstimator
from sknn_basics.estimators.text import TextGenerator
from sknn_basics.export import converters, tables, targets
from sknn_basics.export.answers import METHODS, NextToken
from sknn_basics.export.graphs import record
from sknn_basics.preprocessing import FilterBank, PixelScaler, TableEncoder
from sknn_basics.training.devices import as_array

# What torch's exporter writes at least, and the first version of torch whose exporter is asked.
LEAST_OPSET, LEAST_TORCH = 18, (2, 9)

OPTIONS_OF_CLASSIFIERS = {
    "zipmap": [True, False, "columns"],
    "output_class_labels": [False, True],
    "nocl": [False],
    "raw_scores": [False],
}


def to_onnx(model, X=None, *, method: str | None = None, target_opset: int | None = None):
    """Turn a fitted model into a model of ONNX, for runtimes that need neither Python nor PyTorch.

    Inputs and outputs are those of scikit-learn's own models that `skl2onnx` converts: of a
    classifier ``'label'`` and ``'probabilities'``, of anything else ``'variable'``, with a column
    for each target, each latent or each feature. The number of samples is free; so is that of
    steps, where a recurrent network reads them.

    Parameters
    ----------
    model : estimator, pipeline, search, Decoder
        Any fitted estimator of this package but `Forecaster`, or what of scikit-learn holds one
        and `skl2onnx` can convert: pipelines, column transformers, votes; and
        `sklearn.compose.TransformedTargetRegressor` with a usual scaler. Of a search it is the best
        estimator, of a GAN the generator, and of a `TextGenerator` a step, see the notes.
    X : array-like of shape (n_samples, ...), data frame or None, default=None
        Some samples, of which only shapes and data types count: inputs of the file have them. An
        array is one input, ``'X'``; a data frame one for each column, named as it is. None is an
        array of float32 of the shape that the model was fitted to.
    method : {'transform', 'inverse_transform', 'reconstruct'} or None, default=None
        What is computed of an autoencoder; None is 'transform'.
    target_opset : int or None, default=None
        Version of the operators of ONNX, 18 or more; None is the latest that skl2onnx was tested
        with.

    Returns
    -------
    model : onnx.ModelProto
        The model, which ``model.SerializeToString()`` turns into bytes.

    Raises
    ------
    ImportError
        If skl2onnx or onnxscript are not installed, which the extra ``onnx`` brings, or torch is
        older than 2.9.
    ValueError
        If the model cannot be converted, or torch cannot record a module of your own.

    See Also
    --------
    register_converters : Let skl2onnx itself convert the estimators of this package.

    Notes
    -----
    Networks keep their data type, so that float64 remains float64; but convolutions, recurrent
    layers and some activations, for which onnxruntime knows no double precision, are computed in
    float32 there. What was trained in bfloat16 is computed in float32.

    Sequences may be padded with NaN after their end, as for the estimator. Networks that were
    trained with ``stateful=True`` are refused.

    A `TextGenerator` becomes a step: of ``'tokens'``, int64 of shape (n_texts, n_tokens), and a
    state for each layer, ``'layer1_hidden'`` and the like of shape (n_texts, n_units), zeros at
    the start of a text, it computes ``'probabilities'`` of the next token, of shape (n_texts,
    n_tokens), and the states ``'next_layer1_hidden'``, which the next step is given. The
    vocabulary stands in the metadata of the file, as ``'tokens'``, a list in JSON.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sknn_basics import MLPClassifier
    >>> from sknn_basics.export import to_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), MLPClassifier(random_state=0)).fit(X, y)
    >>> file = to_onnx(model, X)
    >>> [output.name for output in file.graph.output]
    ['label', 'probabilities']
    """
    skl2onnx = register_converters()
    if target_opset is not None and target_opset < LEAST_OPSET:
        raise ValueError(f"target_opset must be at least {LEAST_OPSET}, got {target_opset}.")
    model = _unwrap(model)
    _check_convertible(model, method)
    if isinstance(model, TextGenerator):
        return _step_of_text(model, target_opset or LEAST_OPSET)
    if isinstance(model, AdversarialEstimator):
        model = model.extract_generator()
    if method is not None or isinstance(model, Decoder):
        model = converters.MethodOf(model, method)
    return skl2onnx.convert_sklearn(
        model,
        initial_types=_input_types(model, X),
        options={id(model): {"zipmap": False}} if is_classifier(model) else None,
        target_opset=target_opset,
    )


@cache
def register_converters():
    """Let `skl2onnx.to_onnx` and `skl2onnx.convert_sklearn` know the estimators of this package.

    Returns
    -------
    skl2onnx : module
        The library.

    Raises
    ------
    ImportError
        If it is not installed, or torch is older than 2.9.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknn_basics import MLPClassifier
    >>> from sknn_basics.export import register_converters
    >>> X, y = load_iris(return_X_y=True)
    >>> skl2onnx = register_converters()
    >>> file = skl2onnx.to_onnx(MLPClassifier(random_state=0).fit(X, y), X, target_opset=18)
    >>> [output.name for output in file.graph.output]
    ['output_label', 'output_probability']
    """
    if tuple(map(int, version("torch").split(".")[:2])) < LEAST_TORCH:
        raise ImportError(f"to_onnx needs torch 2.9 or newer, got {version('torch')}.")
    import_optional("onnxscript", "onnx", "to_onnx")
    skl2onnx = import_optional("skl2onnx", "onnx", "to_onnx")
    for name in sknn_basics.__all__:
        kind = getattr(sknn_basics, name)
        if not isinstance(kind, type):
            continue
        if issubclass(kind, NeuralEstimator):
            _register(skl2onnx, kind, converters.convert_network)
        elif issubclass(kind, TabularEstimator):
            _register(skl2onnx, kind, tables.convert_table)
    _register(skl2onnx, converters.MethodOf, converters.convert_network)
    _register(skl2onnx, TableEncoder, tables.convert_table)
    _register(skl2onnx, PixelScaler, converters.convert_pixels)
    _register(skl2onnx, FilterBank, converters.convert_filters)
    _register(skl2onnx, TransformedTargetRegressor, targets.convert_targets)
    return skl2onnx


def _register(skl2onnx, kind: type, convert) -> None:
    shape, options = converters.shape_of_transformer, None
    if issubclass(kind, ClassifierMixin):
        shape, options = converters.shape_of_classifier, OPTIONS_OF_CLASSIFIERS
    elif issubclass(kind, RegressorMixin):
        shape = converters.shape_of_regressor
    skl2onnx.update_registered_converter(
        kind, f"SknnBasics{kind.__name__}", shape, convert, options=options
    )


def _unwrap(model):
    """Find the fitted estimator of a search, and of what keeps one as it is."""
    if hasattr(model, "best_estimator_"):
        return _unwrap(model.best_estimator_)
    if isinstance(model, FrozenEstimator):
        return _unwrap(model.estimator)
    if isinstance(model, Pipeline):
        return Pipeline([(name, _unwrap(step)) for name, step in model.steps])
    return model


def _check_convertible(model, method: str | None) -> None:
    """Check that there is something to convert.

    Raises
    ------
    ValueError
        If there is not.
    """
    if not isinstance(model, Decoder):
        check_is_fitted(model)
    if isinstance(model, Forecaster):
        raise ValueError(
            "A Forecaster reads a series of any length, which ONNX cannot cut into windows: "
            "convert its `estimator_`, which reads windows that its `scaler_` has scaled."
        )
    if method is None:
        return
    if method not in METHODS:
        raise ValueError(f"method must be one of {list(METHODS)} or None, got {method!r}.")
    if not hasattr(model, "extract_decoder"):
        raise ValueError(f"method={method!r} is for an autoencoder, got {type(model).__name__}.")


def _step_of_text(model: TextGenerator, opset: int):
    """Record a step of a text, in single precision."""
    step = NextToken(model)
    states = step.states()
    tokens = torch.zeros(converters.N_RECORDED, 2, dtype=torch.int64)
    examples = [torch.zeros(converters.N_RECORDED, n_units) for n_units in states.values()]
    file = record(
        step,
        [tokens, examples],
        [(0, 1), [(0,)] * len(states)],
        opset,
        input_names=["tokens", *states],
        output_names=["probabilities", *(f"next_{name}" for name in states)],
    )
    entry = file.metadata_props.add()
    entry.key, entry.value = "tokens", json.dumps(list(model.tokens_))
    return file


def _input_types(model, X) -> list[tuple]:
    """Describe the inputs as skl2onnx wants it: names and types."""
    if hasattr(X, "columns"):
        names = [str(name) for name in X.columns]
        return [(name, _type_of(tables.read_type(X, name), [None, 1])) for name in names]
    last = model[-1] if isinstance(model, Pipeline) else model
    first = model[0] if isinstance(model, Pipeline) else model
    if X is None or is_list_of_sequences(X):
        shape, dtype = converters.fitted_shape(first), np.dtype(np.float32)
    else:
        X = as_array(X)
        X = X if hasattr(X, "dtype") else np.asarray(X)
        shape, dtype = X.shape[1:], X.dtype
    shape = list(shape)
    if isinstance(last, RecurrentEstimator):
        for axis in converters.axes_of_steps(last, len(shape) + 1):
            shape[axis - 1] = None
    return [("X", _type_of(dtype, [None, *shape]))]


def _type_of(dtype: np.dtype, shape: list):
    """Choose the type of skl2onnx for arrays of a data type."""
    from skl2onnx.common import data_types as types

    if dtype == np.float64:
        return types.DoubleTensorType(shape)
    if dtype == np.uint8:
        return types.UInt8TensorType(shape)
    kinds = {
        "f": types.FloatTensorType,
        "i": types.Int64TensorType,
        "u": types.Int64TensorType,
        "b": types.BooleanTensorType,
    }
    return kinds.get(dtype.kind, types.StringTensorType)(shape)
