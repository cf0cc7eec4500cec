"""A table of a network's layers."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Layer(NamedTuple):
    """What is told about one layer.

    Attributes
    ----------
    name : str
        Its name in the network, with dots between the parts.
    kind : str
        Name of its class.
    output_shape : tuple
        Shape of its output for a batch, whose size stands as None.
    activation : str
        Name of the class of the activation that follows it; '' if there is none.
    n_parameters : int
        Number of its parameters, those of its activation left out.
    """

    name: str
    kind: str
    output_shape: tuple
    activation: str
    n_parameters: int


def describe_layers(module: nn.Module, sample_shape: tuple[int, ...]) -> list[Layer]:
    """List the layers of a network, in the order in which it names them.

    Parameters
    ----------
    module : nn.Module
        Network in evaluation mode.
    sample_shape : tuple of int
        Shape of one sample.

    Returns
    -------
    layers : list of Layer
        An activation with parameters of its own is a layer too.
    """
    shapes = _output_shapes(module, next(module.parameters()).new_zeros(1, *sample_shape))
    layers: list[Layer] = []
    for name, layer in module.named_modules():
        if name not in shapes:
            continue
        kind, count = type(layer).__name__, count_parameters(layer)
        if name.endswith("activation") and layers:
            layers[-1] = layers[-1]._replace(activation=kind)
            if count == 0:
                continue
        layers.append(Layer(name, kind, shapes[name], "", count))
    return layers


def summarise(module: nn.Module, layers: list[Layer]) -> str:
    """Write each layer's name, type, output shape, activation and number of parameters.

    Parameters
    ----------
    module : nn.Module
        The network.
    layers : list of Layer
        What `describe_layers` made of it.

    Returns
    -------
    table : str
        One line per layer, then the totals of trainable and frozen parameters.
    """
    rows = [("layer", "type", "output shape", "activation", "parameters")]
    rows += [(*map(str, layer[:-1]), f"{layer.n_parameters:,}") for layer in layers]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*lines, *(f"{kind}: {n:,}" for kind, n in total_parameters(module).items())])


def total_parameters(module: nn.Module) -> dict[str, int]:
    """Count the trainable and the frozen parameters of a network."""
    trainable = sum(p.numel() for p in module.parameters() if p.requires_grad)
    frozen = count_parameters(module) - trainable
    return {"trainable parameters": trainable, "frozen parameters": frozen}


def count_parameters(module: nn.Module) -> int:
    """Count the parameters of a network."""
    return sum(p.numel() for p in module.parameters())


def count_multiplications(module: nn.Module) -> int:
    """Count the multiplications a sample of a forward pass.

    A network that uses a weight more than once has an attribute ``n_multiplications``.
    """
    return getattr(module, "n_multiplications", None) or count_parameters(module)


def _output_shapes(module: nn.Module, example: Tensor) -> dict[str, tuple]:
    shapes, hooks = {}, []
    for name, layer in module.named_modules():
        if not any(True for _ in layer.children()):
            hooks.append(layer.register_forward_hook(_shape_recorder(name, shapes)))
    try:
        with torch.no_grad():
            module(example)
    finally:
        for hook in hooks:
            hook.remove()
    return shapes


def _shape_recorder(name: str, shapes: dict[str, tuple]):
    def record(layer, inputs, output):
        # torch's recurrent layers return their states too.
        output = output[0] if isinstance(output, tuple) else output
        shapes[name] = (None, *output.shape[1:])

    return record
