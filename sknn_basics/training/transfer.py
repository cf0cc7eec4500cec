"""Freezing layers, and starting from those of another network."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import numpy as np
import torch
from torch import nn

OUTPUT = "output"


def layers_with_weights(module: nn.Module) -> dict[str, nn.Module]:
    """Find the layers that have parameters of their own, by name."""
    return {
        name: layer
        for name, layer in module.named_modules()
        if any(True for _ in layer.parameters(recurse=False))
    }


def match_layers(names: Iterable[str], patterns: str | Iterable[str], what: str) -> list[str]:
    """Choose the names that match one of the patterns, as in `fnmatch`.

    Raises
    ------
    ValueError
        If a pattern is no string, or matches no name.
    """
    names, patterns = list(names), [patterns] if isinstance(patterns, str) else list(patterns)
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise ValueError(f"{what} must hold names of layers, got {pattern!r}.")
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(f"{what}: {pattern!r} matches none of the layers {names}.")
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]


def freeze_layers(module: nn.Module, patterns: str | Iterable[str] | None) -> None:
    """Freeze the layers whose names match a pattern, and thaw all others.

    Raises
    ------
    ValueError
        If a pattern matches nothing, or everything is frozen.
    """
    layers = layers_with_weights(module)
    frozen = match_layers(layers, () if patterns is None else patterns, "frozen_layers")
    if len(frozen) == len(layers):
        raise ValueError(f"frozen_layers={patterns!r} leaves no layer to train.")
    for name, layer in layers.items():
        for parameter in layer.parameters(recurse=False):
            parameter.requires_grad_(name not in frozen)


def frozen_statistics(module: nn.Module) -> list[nn.Module]:
    """List the frozen layers that would learn in a forward pass: batch normalizations."""
    return [
        layer
        for layer in module.modules()
        if any(True for _ in layer.buffers(recurse=False))
        and any(True for _ in layer.parameters(recurse=False))
        and not any(p.requires_grad for p in layer.parameters(recurse=False))
    ]


def copy_layers(
    module: nn.Module,
    weights: Mapping[str, np.ndarray],
    patterns: str | Iterable[str] | None,
) -> None:
    """Copy layers from another network's weights.

    Parameters
    ----------
    module : nn.Module
        Network that gets them.
    weights : mapping
        The other network's parameters and buffers, by name.
    patterns : str, iterable of str or None
        Which layers; None is all but the output, of both networks.

    Raises
    ------
    ValueError
        If one of these layers is missing, or has another shape; the message names them all.
    """
    own = module.state_dict()
    given = {name: np.asarray(weights[name]) for name in weights}
    names = dict.fromkeys(_layer_of(name) for name in (*own, *given))
    if patterns is None:
        chosen = [name for name in names if name != OUTPUT]
    else:
        chosen = match_layers(dict.fromkeys(map(_layer_of, own)), patterns, "init_layers")
    wanted = [name for name in dict.fromkeys((*own, *given)) if _layer_of(name) in chosen]
    differing = [
        f"{name} is {_shape(given, name)} there, {_shape(own, name)} here"
        for name in wanted
        if _shape(given, name) != _shape(own, name)
    ]
    if differing:
        raise ValueError(
            f"init_from has layers that do not match: {'; '.join(differing)}. "
            "init_layers says which to take."
        )
    with torch.no_grad():
        for name in wanted:
            own[name].copy_(torch.tensor(given[name]))


def share_weights(module: nn.Module, source: nn.Module) -> nn.Module:
    """Give a network the parameters and buffers of another one, the same objects."""
    is_trained = {name: p.requires_grad for name, p in source.named_parameters()}
    module.load_state_dict(source.state_dict(keep_vars=True), assign=True)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(is_trained[name])
    return module


def _layer_of(name: str) -> str:
    return name.rpartition(".")[0]


def _shape(arrays: Mapping, name: str) -> tuple | str:
    return tuple(arrays[name].shape) if name in arrays else "missing"
