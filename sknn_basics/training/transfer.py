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
        if any(buffer.is_floating_point() for buffer in layer.buffers(recurse=False))
        and any(True for _ in layer.parameters(recurse=False))
        and not any(p.requires_grad for p in layer.parameters(recurse=False))
    ]


def copy_layers(
    module: nn.Module,
    weights: Mapping[str, np.ndarray],
    choice: str | Iterable[str] | Mapping[str, str] | None,
) -> None:
    """Copy layers from another network's weights.

    Parameters
    ----------
    module : nn.Module
        Network that gets them.
    weights : mapping
        The other network's parameters and buffers, by name.
    choice : str, iterable of str, mapping or None
        Patterns of the layers to take; or how their names begin there, and how here. None is all
        but the output, of both networks, and of an autoencoder the layers of its encoder.

    Raises
    ------
    ValueError
        If one of these layers is missing, or has another shape; the message names them all.
    """
    own = module.state_dict()
    given = {name: np.asarray(weights[name]) for name in weights}
    if choice is None and is_of_autoencoder(given) and not is_of_autoencoder(own):
        given = encoder_layers(given)
        wanted = list(given)
    elif isinstance(choice, Mapping):
        given = rename(given, choice)
        wanted = list(dict.fromkeys([*given, *(name for name in own if _is_asked(name, choice))]))
    else:
        wanted = _choose(own, given, choice)
    differing = [
        f"{name} is {_shape(given, name)} there, {_shape(own, name)} here"
        for name in wanted
        if _shape(given, name) != _shape(own, name) and not _may_miss(name, given)
    ]
    if differing:
        fitting = {_layer_of(name) for name in wanted if _shape(given, name) == _shape(own, name)}
        matching = [name for name in dict.fromkeys(map(_layer_of, wanted)) if name in fitting]
        raise ValueError(
            f"init_from has layers that do not match: {'; '.join(differing)}. "
            f"{', '.join(matching) if matching else 'None'} would match. init_layers says which "
            "to take, and as a mapping how their names begin there and here."
        )
    with torch.no_grad():
        for name in wanted:
            if name in given:
                own[name].copy_(torch.tensor(given[name]))


def _choose(own: Iterable[str], given: Iterable[str], patterns: Iterable[str] | None) -> list[str]:
    """List the tensors of both networks whose layers are to be taken."""
    names = list(dict.fromkeys((*own, *given)))
    if patterns is None:
        return [name for name in names if _layer_of(name) != OUTPUT]
    chosen = match_layers(dict.fromkeys(map(_layer_of, own)), patterns, "init_layers")
    return [name for name in names if _layer_of(name) in chosen]


def rename(given: Mapping[str, np.ndarray], prefixes: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Give tensors their names here; those whose names have none of the beginnings are left out.

    Parameters
    ----------
    given : mapping
        Tensors by their names there.
    prefixes : mapping of str to str
        How names begin there, and how here; of several beginnings the longest holds. '' is any, and
        then leaves the output layer out.

    Raises
    ------
    ValueError
        If no name has a beginning, or two tensors get one name.
    """
    renamed, found = {}, set()
    by_length = sorted(prefixes, key=lambda there: len(there), reverse=True)
    for name, values in given.items():
        there = next((there for there in by_length if _begins(name, there)), None)
        if there is None:
            continue
        found.add(there)
        rest, here = name.removeprefix(there).removeprefix("."), prefixes[there].removesuffix(".")
        new = f"{here}.{rest}" if here else rest
        if new in renamed:
            raise ValueError(f"init_layers gives two layers of init_from the name {new!r}.")
        if _layer_of(new) != OUTPUT or (_begins(OUTPUT, here) and here):
            renamed[new] = values
    if unknown := [there for there in prefixes if there not in found]:
        raise ValueError(
            f"init_layers: no layer of init_from begins with {unknown[0]!r}, its layers are "
            f"{list(dict.fromkeys(map(_layer_of, given)))}."
        )
    return renamed


def takes_output(choice: str | Iterable[str] | Mapping[str, str] | None) -> bool:
    """Tell whether the output layer is among those to be taken."""
    if choice is None:
        return False
    if isinstance(choice, Mapping):
        return any(here and _begins(OUTPUT, here) for here in choice.values())
    patterns = [choice] if isinstance(choice, str) else choice
    return any(fnmatchcase(OUTPUT, pattern) for pattern in patterns)


def is_of_autoencoder(names: Iterable[str]) -> bool:
    """Tell whether names are those of the tensors of an autoencoder."""
    return {name.partition(".")[0] for name in names} >= {"encoder", "decoder"}


def encoder_layers(given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Take the encoder's layers of an autoencoder, without those of the latent variables."""
    names = {name: name.removeprefix("encoder.").removeprefix("reader.") for name in given}
    return {
        own: given[name]
        for name, own in names.items()
        if _begins(name, "encoder") and _layer_of(own) not in (OUTPUT, "latent")
    }


def _begins(name: str, prefix: str) -> bool:
    """Tell whether whole parts of a name are a prefix."""
    prefix = prefix.removesuffix(".")
    return not prefix or name == prefix or name.startswith(f"{prefix}.")


def _is_asked(name: str, prefixes: Mapping[str, str]) -> bool:
    """Tell whether a tensor's layer is one that gets a name by a prefix other than ''."""
    return any(here and _begins(name, here) for here in prefixes.values())


def _may_miss(name: str, given: Mapping) -> bool:
    # It counts batches, decides on nothing, and is not in files of earlier versions of torch.
    return name.endswith("num_batches_tracked") and name not in given


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
