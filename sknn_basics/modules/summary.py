"""A table of a network's layers."""

import torch
from torch import Tensor, nn


def summarise(module: nn.Module, sample_shape: tuple[int, ...]) -> str:
    """Tell each layer's name, type, output shape, activation and number of parameters.

    Parameters
    ----------
    module : nn.Module
        Network in evaluation mode.
    sample_shape : tuple of int
        Shape of one sample.

    Returns
    -------
    table : str
        One line a layer, then the totals of trainable and frozen parameters.
    """
    rows = [("layer", "type", "output shape", "activation", "parameters")]
    rows += _layer_rows(module, next(module.parameters()).new_zeros(1, *sample_shape))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    trainable = sum(p.numel() for p in module.parameters() if p.requires_grad)
    lines.append(f"trainable parameters: {trainable:,}")
    lines.append(f"frozen parameters: {count_parameters(module) - trainable:,}")
    return "\n".join(lines)


def count_parameters(module: nn.Module) -> int:
    """Count the parameters of a network."""
    return sum(p.numel() for p in module.parameters())


def _layer_rows(module: nn.Module, example: Tensor) -> list[tuple[str, ...]]:
    shapes = _output_shapes(module, example)
    rows = []
    for name, layer in module.named_modules():
        if name not in shapes:
            continue
        if name.endswith("activation") and rows:
            rows[-1][3] = type(layer).__name__
            if not any(True for _ in layer.parameters()):
                continue
        count = sum(p.numel() for p in layer.parameters())
        rows.append([name, type(layer).__name__, str(shapes[name]), "", f"{count:,}"])
    return [tuple(row) for row in rows]


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
        shapes[name] = (None, *output.shape[1:])

    return record
