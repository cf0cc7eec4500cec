"""Networks as graphs of ONNX, by torch's exporter."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn
from torch.export import Dim

from sknn_basics._compat import recorded_operator
from sknn_basics.export.recurrent import recurrent, use_operators, write_recurrent

# Operators that onnxruntime does not have in double precision, on CPUs: these compute in single
# precision, between casts.
SINGLE = {
    *("AveragePool", "Conv", "ConvTranspose", "GlobalAveragePool", "InstanceNormalization"),
    *("LpPool", "Resize", "Upsample", "GRU", "LSTM", "RNN"),
    *("Celu", "Elu", "Erf", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "PRelu"),
    *("Selu", "Softplus", "Softsign", "ThresholdedRelu"),
}


def record(
    module: nn.Module,
    examples: Sequence[torch.Tensor | list[torch.Tensor]],
    free_axes: Sequence[Sequence],
    opset: int,
    **names,
):
    """Record a module as an ONNX model.

    Parameters
    ----------
    module : nn.Module
        What is recorded.
    examples : sequence of Tensor or list of Tensor
        What it is called with.
    free_axes : sequence of sequence of int
        Axes of each tensor that may have any length, nested as `examples` are.
    opset : int
        Version of the operators.
    **names : list of str
        ``input_names`` and ``output_names``.

    Returns
    -------
    model : onnx.ModelProto
        The model.

    Raises
    ------
    ValueError
        If torch cannot record it: its code looks at values, or is for one number of samples.
    """
    use_operators(module)
    with quiet(), torch.no_grad():
        try:
            program = torch.onnx.export(
                module,
                tuple(examples),
                dynamo=True,
                dynamic_shapes=tuple(map(_as_dynamic, free_axes)),
                opset_version=opset,
                verbose=False,
                custom_translation_table={recorded_operator(recurrent): write_recurrent},
                **names,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            reason = str(error.__cause__ or error).strip().split("\n")[0]
            raise ValueError(
                "torch cannot record this network for any number of samples, as is needed for "
                "ONNX: a module or function of your own must not look at values, nor name the "
                f"number of samples (torch.export says why): {reason}"
            ) from error
    return program.model_proto


def _as_dynamic(axes):
    """Say of axes what torch calls dynamic shapes."""
    if isinstance(axes, list):
        return list(map(_as_dynamic, axes))
    return dict.fromkeys(axes, Dim.DYNAMIC)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep back what torch's exporter says of libraries that it could use, too."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)


def element_types(model) -> dict[str, int]:
    """Tell the data type of each value of a graph, by its name."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(model).graph
    types = {value.name: value.data_type for value in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        types[value.name] = value.type.tensor_type.elem_type
    return types


class Writer:
    """Adds the nodes of models to a model that skl2onnx is about to make.

    Parameters
    ----------
    scope, container
        What skl2onnx gives a converter.
    opset : int
        Version of the operators.
    """

    def __init__(self, scope, container, opset: int):
        self.scope, self.container, self.opset = scope, container, opset

    def name(self, of: str) -> str:
        """Make a name that no other value has."""
        return self.scope.get_unique_variable_name(f"sknn_{of}")

    def add(self, kind: str, *inputs: str, output: str | None = None, **attributes) -> str:
        """Add a node with one output."""
        output = output or self.name(kind.lower())
        self.nodes(kind, list(inputs), [output], **attributes)
        return output

    def nodes(self, kind: str, inputs, outputs, domain: str = "", version=None, **attributes):
        """Add a node."""
        self.container.add_node(
            kind,
            list(inputs),
            list(outputs),
            op_domain=domain,
            op_version=version or self.opset,
            name=self.scope.get_unique_operator_name(f"sknn_{kind}"),
            **attributes,
        )

    def cast(self, value: str, to: int, output: str | None = None) -> str:
        """Add a cast."""
        return self.add("Cast", value, output=output, to=to)

    def constant(self, values) -> str:
        """Add an array of numbers or texts."""
        from onnx import TensorProto, numpy_helper

        name = self.name("constant")
        if values.dtype.kind in "OUT":
            texts = [str(text).encode() for text in values.ravel()]
            self.container.add_initializer(name, TensorProto.STRING, list(values.shape), texts)
        else:
            tensor = numpy_helper.from_array(values)
            self.container.add_initializer(name, tensor.data_type, list(tensor.dims), tensor)
        return name

    def paste(self, model, inputs: Sequence[str]) -> list[str]:
        """Add the nodes of a model, and return the names of its outputs."""
        from onnx import helper, numpy_helper

        graph, types = model.graph, element_types(model)
        names = {value.name: given for value, given in zip(graph.input, inputs, strict=True)}
        for tensor in graph.initializer:
            names[tensor.name] = self.constant(numpy_helper.to_array(tensor))
        for node in graph.node:
            names |= {name: self.name("value") for name in node.output if name}
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            place = {"domain": node.domain, "version": None if not node.domain else 1}
            ends = [[names.get(name, "") for name in side] for side in (node.input, node.output)]
            ends[0] = self._filled(node.op_type, ends[0])
            if node.op_type in SINGLE:
                ends = self._in_single(node, types, *ends)
            self.nodes(node.op_type, *ends, **place, **attributes)
            if node.op_type in SINGLE:
                self._back_in_double(node, types, names, ends[1])
        return [names[value.name] for value in graph.output]

    def _filled(self, kind: str, inputs: list[str]) -> list[str]:
        """Give the inputs that a node may do without: skl2onnx cannot sort nodes that lack one."""
        from onnx import TensorProto

        if "" not in inputs:
            return inputs
        if kind in ("LSTM", "GRU", "RNN"):
            shape = self.add("Shape", inputs[0])
            n_steps, n_samples, _ = self.split(shape, 3)
            lengths = self.add("Expand", n_steps, n_samples)
            return [*inputs[:4], self.cast(lengths, TensorProto.INT32), *inputs[5:]]
        if kind != "Resize":
            raise ValueError(f"skl2onnx takes no {kind} without all of its inputs.")
        return [given or self.constant(np.zeros(0, np.float32)) for given in inputs]

    def split(self, value: str, n: int) -> list[str]:
        """Split an array of so many values into arrays of one."""
        return [self.add("Gather", value, self.constant(np.array([i])), axis=0) for i in range(n)]

    def _in_single(self, node, types: dict[str, int], inputs: list, outputs: list) -> list[list]:
        """Cast what a node reads in double precision, and name anew what it computes of it."""
        from onnx import TensorProto

        is_double = [types.get(name) == TensorProto.DOUBLE for name in node.input]
        inputs = [
            self.cast(given, TensorProto.FLOAT) if is_cast else given
            for given, is_cast in zip(inputs, is_double)
        ]
        renamed = [self.name("single") if given and any(is_double) else given for given in outputs]
        return [inputs, renamed]

    def _back_in_double(self, node, types, names: dict[str, str], computed: list) -> None:
        from onnx import TensorProto

        for name, single in zip(node.output, computed):
            if name and names[name] != single:
                self.cast(single, TensorProto.DOUBLE, output=names[name])
