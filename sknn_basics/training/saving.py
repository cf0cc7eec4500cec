"""Networks and optimisers as NumPy arrays, and files that never end half-written."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from sknn_basics._compat import is_lazy
from sknn_basics.modules.layers import CPU, below
from sknn_basics.training.archives import check_shapes, remove_left_over


def weights_as_arrays(module: nn.Module) -> dict[str, np.ndarray]:
    """Copy parameters and buffers into NumPy arrays, by name."""
    return {name: array.copy() for name, array in views_of_weights(module).items()}


def views_of_weights(module: nn.Module) -> dict[str, np.ndarray]:
    """Give parameters and buffers as NumPy arrays, by name, on a CPU of the same memory."""
    return {name: value.numpy(force=True) for name, value in module.state_dict().items()}


def load_weights(module: nn.Module, arrays: dict[str, np.ndarray]) -> None:
    """Copy arrays by name into parameters and buffers.

    Raises
    ------
    ValueError
        If names or shapes differ; the message names them.
    """
    own = module.state_dict()
    check_shapes({name: np.shape(array) for name, array in arrays.items()}, shapes_of(module))
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(_as_tensor(arrays[name]))


def shapes_of(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """Collect the shapes of parameters and buffers, by name."""
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}


class SavedModule:
    """A module that is given as a parameter, with arrays in place of its tensors.

    Parameters
    ----------
    module : nn.Module
        What to save.
    fitted : dict of str to ndarray
        Weights, by the names that they have in the module, that are saved elsewhere: those of a
        frozen part of a network are the same, and are not saved again.

    Attributes
    ----------
    skeleton : nn.Module
        Copy of the module without tensors.
    tensors : list of (list of str, ndarray or None, str, bool)
        Of each tensor: its names, values (None where `fitted` has them) and data type, and whether
        it has a gradient, if it is a parameter, else None.
    """

    def __init__(self, module: nn.Module, fitted: dict[str, np.ndarray]):
        names, found = defaultdict(list), {}
        for kind in (module.named_parameters, module.named_buffers):
            for name, tensor in kind(remove_duplicate=False):
                names[id(tensor)].append(name)
                found[id(tensor)] = tensor
        self.skeleton = deepcopy(module, dict.fromkeys(found))
        self.tensors = []
        for key, tensor in found.items():
            # NumPy has no numbers of 16 bits with the range of 32.
            plain = tensor.float() if tensor.dtype is torch.bfloat16 else tensor
            values, own = plain.numpy(force=True), fitted.get(names[key][0])
            is_saved = own is not None and np.array_equal(own.astype(values.dtype), values)
            has_gradient = tensor.requires_grad if isinstance(tensor, nn.Parameter) else None
            values = None if is_saved else values.copy()
            self.tensors.append([names[key], values, str(tensor.dtype)[6:], has_gradient])

    def restore(self, fitted: dict[str, np.ndarray]) -> nn.Module:
        """Make the module anew, on the CPU."""
        module = deepcopy(self.skeleton)  # A copy of an estimator has a module of its own.
        for names, values, dtype, has_gradient in self.tensors:
            values = fitted[names[0]] if values is None else values
            tensor = _as_tensor(values).to(getattr(torch, dtype), copy=True)
            if has_gradient is not None:
                tensor = nn.Parameter(tensor, has_gradient)
            for name in names:
                path, _, own_name = name.rpartition(".")
                setattr(module.get_submodule(path), own_name, tensor)
        return module


def pack_modules(values: dict, fitted: dict[str, np.ndarray], packed: dict) -> dict:
    """Put a `SavedModule` in place of each module; `packed` has those that were made already."""
    modules = {k: v for k, v in values.items() if isinstance(v, nn.Module) and not has_lazy(v)}
    for name, module in modules.items():
        if id(module) not in packed:
            packed[id(module)] = SavedModule(module, below(name, fitted))
    return {**values, **{name: packed[id(module)] for name, module in modules.items()}}


def unpack_modules(values: dict, fitted: dict[str, np.ndarray], unpacked: dict) -> dict:
    """Put the modules back that `pack_modules` has saved."""
    saved = {name: value for name, value in values.items() if isinstance(value, SavedModule)}
    for name, value in saved.items():
        if id(value) not in unpacked:
            unpacked[id(value)] = value.restore(below(name, fitted))
    return {**values, **{name: unpacked[id(value)] for name, value in saved.items()}}


def has_lazy(module: nn.Module) -> bool:
    """Tell whether a module has tensors whose shapes are not known yet."""
    return any(map(is_lazy, chain(module.parameters(), module.buffers())))


def copy_into(parameters: list[nn.Parameter], arrays: list[np.ndarray], name: str) -> None:
    """Copy arrays into parameters of the same shapes.

    Raises
    ------
    ValueError
        If number or shapes differ; the message says `name`.
    """
    wanted = [tuple(parameter.shape) for parameter in parameters]
    given = [np.shape(array) for array in arrays]
    if wanted != given:
        raise ValueError(f"{name} must have layers of shapes {wanted}, got {given}.")
    for parameter, array in zip(parameters, arrays):
        parameter.data.copy_(_as_tensor(array))


def optimiser_as_arrays(optimiser: Optimizer, copy: bool = True) -> dict:
    """Turn an optimiser's state into NumPy arrays, copied or not, and plain values."""
    plain = partial(_as_plain, copy=copy)
    state = optimiser.state_dict()
    return {
        "state": {
            str(index): {key: plain(value) for key, value in values.items()}
            for index, values in state["state"].items()
        },
        "param_groups": [
            {key: plain(value) for key, value in group.items() if key != "fused"}
            for group in state["param_groups"]
        ],
    }


def load_optimiser(optimiser: Optimizer, plain: dict) -> None:
    """Restore an optimiser's state from arrays and plain values."""
    current = optimiser.state_dict()["param_groups"]
    groups = [{**now, **saved} for now, saved in zip(current, plain["param_groups"], strict=True)]
    optimiser.load_state_dict({"state": {}, "param_groups": groups})
    # Not by `load_state_dict`, which casts the state to the parameters' data type.
    places = [(p, group) for group in optimiser.param_groups for p in group["params"]]
    for index, values in plain["state"].items():
        parameter, group = places[int(index)]
        # Fused and capturable optimisers count on the device, any other on the CPU, where it reads
        # these single numbers in every step.
        counts_there = group.get("fused") or group.get("capturable")
        place = parameter.device if counts_there else CPU
        optimiser.state[parameter] = {
            key: _restored(value, parameter, place if is_number(key, value, parameter) else None)
            for key, value in values.items()
        }


def is_number(key: str, value, parameter: torch.Tensor) -> bool:
    """Tell whether a part of an optimiser's state is a single number, whatever the parameter is."""
    return key == "step" or (np.ndim(value) == 0 and parameter.dim() > 0)


def clone_weights(module: nn.Module) -> dict[str, torch.Tensor]:
    """Copy parameters and buffers on their device, by name."""
    return {name: value.clone() for name, value in module.state_dict().items()}


def own_memory(module: nn.Module, optimiser: Optimizer) -> None:
    """Give weights and states that are views of larger tensors a memory of their own.

    A copy or a file of a view holds everything that it is a view of.
    """
    states = [state.values() for state in optimiser.state.values()]
    for tensor in chain(module.parameters(), module.buffers(), *states):
        if isinstance(tensor, torch.Tensor) and tensor.untyped_storage().nbytes() > tensor.nbytes:
            tensor.data = tensor.data.clone()


def snapshot(module: nn.Module, optimiser: Optimizer) -> Callable[[], None]:
    """Copy the state of a training; calling the result brings it back."""
    weights, state = clone_weights(module), deepcopy(optimiser.state_dict())
    dtype = next(module.parameters()).dtype
    is_trained = [parameter.requires_grad for parameter in module.parameters()]

    def restore() -> None:
        module.to(dtype).eval().load_state_dict(weights)
        for parameter, flag in zip(module.parameters(), is_trained):
            parameter.requires_grad_(flag)
        optimiser.load_state_dict(state)

    return restore


@contextmanager
def replace_when_complete(files: dict) -> Iterator[dict]:
    """Give a temporary name for every path, and move the files into place at the end.

    When writing fails (for example, a full disk), the files that were there stay as they were.
    What a process has left that was killed is removed.

    Parameters
    ----------
    files : dict
        Values that are paths are replaced; anything else is passed through.

    Yields
    ------
    temporary : dict
        `files`, with temporary paths next to the real ones.
    """
    paths = {key: Path(value) for key, value in files.items() if isinstance(value, str | Path)}
    for path in paths.values():
        remove_left_over(path.parent, f"{path.name}.")
    temporary = {key: path.with_name(f".{path.name}.{os.getpid()}") for key, path in paths.items()}
    try:
        yield {**files, **{key: str(path) for key, path in temporary.items()}}
        for key, path in temporary.items():
            path.replace(paths[key])
    finally:
        for path in temporary.values():
            path.unlink(missing_ok=True)


def _restored(value, parameter: torch.Tensor, device: torch.device | None):
    """Turn an array of an optimiser's state into a tensor, by default where its parameter is."""
    if not isinstance(value, np.ndarray):
        return value
    tensor = _as_tensor(value, device or parameter.device)
    if tensor.shape != parameter.shape or tensor.stride() == parameter.stride():
        return tensor
    # Fused optimisers expect it to lie in memory as the parameter does.
    return torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)


def _as_plain(value, copy: bool):
    if not isinstance(value, torch.Tensor):
        return value
    return value.numpy(force=True).copy() if copy else value.numpy(force=True)


def _as_tensor(array: np.ndarray, device: torch.device | None = None) -> torch.Tensor:
    # Some strides that torch does not have.
    return torch.tensor(np.asarray(array, order="C"), device=device)
