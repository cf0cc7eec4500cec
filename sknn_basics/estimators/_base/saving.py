"""Saving and loading: whole estimators, weights alone, architectures as text."""

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from itertools import chain
from os import PathLike
from pathlib import Path
from zipfile import ZipFile, is_zipfile
from zlib import crc32

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from skorch import NeuralNet

from sknn_basics._optional import import_optional
from sknn_basics.training.archives import check_finite, read_npz
from sknn_basics.training.devices import (
    DTYPES,
    available_memory,
    move,
    resolve_device_or_cpu,
)
from sknn_basics.training.saving import (
    load_optimiser,
    load_weights,
    optimiser_as_arrays,
    pack_modules,
    unpack_modules,
    weights_as_arrays,
)

# Types of single values.
PLAIN = (str, bool, int, float, np.generic, type(None))

# What a text that describes an estimator has.
KEYS = ("sknn_basics", "estimator", "parameters", "fitted", "checksum")

# Bytes up to which strings are as long as their type says, and not as they are.
LARGEST_STRINGS = 2**20


def pack_state(estimator, state: dict) -> dict:
    """Turn the state of an estimator into NumPy arrays and plain values.

    Network and net are made anew when it is loaded, on the device that its ``device`` finds there.
    """
    state = {**state, "_sknn_basics_version": package_version()}
    if "module_" not in state:
        return pack_modules(state, {}, {})
    module, net = state.pop("module_"), state.pop("net_")
    state["_as_fitted_"] = changed_since_fit(estimator)
    state["_saved"] = {
        "weights": weights_as_arrays(module),
        "frozen": [name for name, p in module.named_parameters() if not p.requires_grad],
        "optimiser": optimiser_as_arrays(net.optimizer_),
        "history": [dict(row) for row in net.history_],
        "best": dict(net.best_),
    }
    packed, weights = {}, state["_saved"]["weights"]
    state["_structure_"] = pack_modules(estimator._structure_, weights, packed)
    return pack_modules(state, weights, packed)


def unpack_state(state: dict) -> tuple[dict | None, dict]:
    """Undo `pack_state`: give what `load_fit` reads, if there was a network, and all the rest."""
    state = {name: value for name, value in state.items() if name != "_sknn_basics_version"}
    saved = state.pop("_saved", None)
    weights, unpacked = saved["weights"] if saved else {}, {}
    state = unpack_modules(state, weights, unpacked)
    if saved is not None:
        state["_structure_"] = unpack_modules(state["_structure_"], weights, unpacked)
    return saved, state


def load_fit(estimator, saved: dict) -> None:
    """Give an estimator that has its parameters and attributes its network and net again."""
    # Models of earlier versions do not know it.
    changed = vars(estimator).get("_as_fitted_", {})
    estimator._as_fitted_ = {**plain_parameters(estimator), **changed}
    rebuild(estimator, saved["frozen"])
    load_weights(estimator.module_, saved["weights"])
    load_optimiser(estimator.net_.optimizer_, saved["optimiser"])
    estimator.net_.history_.extend(saved["history"])
    estimator.net_.best_ = saved["best"]


def rebuild(estimator, frozen: list[str] = ()) -> None:
    """Make network and net with unset weights."""
    module = estimator._make_module(estimator._structure_)
    for name, parameter in module.named_parameters():
        parameter.requires_grad_(name not in frozen)
    device = resolve_device_or_cpu(estimator.device)
    estimator.module_ = move(module, device, DTYPES[estimator._dtype_]).eval()
    # The net is that of the last fit, whatever `set_params` has changed since.
    fitted = estimator._as_fitted_
    current = {name: getattr(estimator, name) for name in fitted}
    vars(estimator).update(fitted)
    try:
        estimator.net_ = estimator._make_net().initialize()
    finally:
        vars(estimator).update(current)


def default_parameters(kind: type) -> dict:
    """Collect the defaults of parameters, which a model of an earlier version may not have."""
    parameters = signature(kind.__init__).parameters
    return {name: parameters[name].default for name in kind._get_param_names()}


def plain_parameters(estimator) -> dict:
    """Collect the parameters that are single values, which is all that a net is made of."""
    values = {name: getattr(estimator, name) for name in estimator._get_param_names()}
    return {name: value for name, value in values.items() if isinstance(value, PLAIN)}


def changed_since_fit(estimator) -> dict:
    """Give the parameters of the last fit that `set_params` has changed since."""
    fitted = estimator._as_fitted_.items()
    return {name: v for name, v in fitted if not same_value(getattr(estimator, name), v)}


def write_json(estimator) -> str:
    """Describe an estimator as its `to_json` does."""
    content = {
        "sknn_basics": package_version(),
        "estimator": type(estimator).__name__,
        "parameters": estimator.get_params(deep=False),
    }
    for name, value in content["parameters"].items():
        try:
            content["parameters"][name] = as_jsonable(value)
        except TypeError as error:
            raise TypeError(f"{name}={value!r} cannot be written as JSON.") from error
    if hasattr(estimator, "module_"):
        names = [name for name in architecture_of(type(estimator)) if hasattr(estimator, name)]
        content["fitted"] = {name: as_jsonable(getattr(estimator, name)) for name in names}
        content["fitted"]["_as_fitted_"] = as_jsonable(changed_since_fit(estimator))
    return sign(content)


def sign(content: dict) -> str:
    """Write what describes an estimator as JSON, with a checksum."""
    return json.dumps({**content, "checksum": checksum_of(content)}, indent=2)


def checksum_of(content: dict) -> str:
    """Compute the checksum of what describes an estimator, whatever version has written it."""
    parts = [content.get(name) for name in ("estimator", "parameters", "fitted")]
    return f"{crc32(json.dumps(parts).encode()):08x}"


def architecture_of(kind: type) -> list[str]:
    """List what a class and its parents name as their ``_architecture``, the parents' first."""
    return [name for own in kind.__mro__[::-1] for name in vars(own).get("_architecture", ())]


def from_json(text: str):
    """Make an estimator from the text of its `to_json`.

    If the text describes a fitted estimator, the new one has the same network with initial
    weights: `load_weights` makes it predict as the old one.

    Parameters
    ----------
    text : str
        What `to_json` returned.

    Returns
    -------
    estimator : object
        A new estimator.

    Raises
    ------
    ValueError
        If the text does not describe an estimator of this package, is damaged, or describes a
        network that is larger than the memory.

    Examples
    --------
    >>> from sknn_basics import MLPClassifier, from_json
    >>> text = MLPClassifier(hidden_layer_sizes=[32, 16], dropout=0.2).to_json()
    >>> from_json(text)
    MLPClassifier(dropout=0.2, hidden_layer_sizes=[32, 16])
    """

    content = read_text(text)
    name = content.get("estimator") if isinstance(content, dict) else None
    kind = find_kind(name)
    if kind is None:
        raise ValueError(f"The text describes no estimator of sknn_basics, but {name!r}.")
    check_keys(content, KEYS, "The text")
    if content.get("checksum", checksum_of(content)) != checksum_of(content):
        raise ValueError(
            "The checksum of the text is another one: it is damaged, or was changed. Leave out "
            "'checksum' of a text that was changed on purpose."
        )
    check_version(str(content.get("sknn_basics")), name)
    with as_value_error(f"The text describes no {name}"):
        content = json.loads(text, object_hook=from_jsonable)
        if not is_neural(kind):
            return kind._from_json(content)
        return make_described(kind, content["parameters"], content.get("fitted"))


def read_text(text: str):
    """Read JSON.

    Raises
    ------
    ValueError
        If it is none; the message names the place.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("The text is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"The text is no JSON: {error}.") from error


@contextmanager
def as_value_error(what: str) -> Iterator[None]:
    """Turn whatever values of another type or shape raise into a ValueError."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"{what}: {type(error).__name__}: {error}") from error


def find_kind(name) -> type | None:
    """Find the class of a name that a text may describe."""
    import sknn_basics
    from sknn_basics import agents

    if name in ("QLearningAgent", "DeepQAgent"):
        return getattr(agents, name)
    kind = getattr(sknn_basics, name, None) if isinstance(name, str) else None
    return kind if isinstance(kind, type) and is_neural(kind) else None


def check_keys(content, known: Iterable[str], what: str) -> None:
    """Check that a text describes nothing but what is known.

    Raises
    ------
    ValueError
        If it does; the message names what.
    """
    if not isinstance(content, dict):
        raise ValueError(f"{what} must have names and values, got {content!r}.")
    if unknown := [name for name in content if name not in known]:
        raise ValueError(f"{what} has {unknown}, which nothing here has.")


def make_described(kind: type, parameters: dict, fitted: dict | None):
    """Make an estimator of a class, with its network if it was fitted."""
    check_keys(parameters, kind._get_param_names(), "'parameters'")
    estimator = kind(**parameters)
    if fitted is None:
        return estimator
    check_keys(fitted, (*architecture_of(kind), "_as_fitted_"), "'fitted'")
    estimator._validate_params()
    changed = fitted.pop("_as_fitted_", {})
    check_keys(changed, kind._get_param_names(), "'_as_fitted_'")
    vars(estimator).update(fitted)
    estimator._as_fitted_ = {**plain_parameters(estimator), **changed}
    estimator._reset_results()
    check_memory(estimator)
    rebuild(estimator)
    estimator._draw_weights(check_random_state(estimator.random_state))
    return estimator


def check_memory(estimator) -> None:
    """Check that a network fits in memory, before any of it is made.

    Raises
    ------
    ValueError
        If it does not.
    """
    with torch.device("meta"):
        module = estimator._make_module(estimator._structure_)
    tensors = chain(module.parameters(), module.buffers())
    n_bytes = 2 * sum(tensor.numel() * 8 for tensor in tensors)
    if n_bytes > available_memory("cpu"):
        raise ValueError(f"its network takes {n_bytes / 2**30:.3g} GiB, more than there is")


def is_neural(kind: type) -> bool:
    """Tell whether a class is a neural estimator."""
    from sknn_basics.estimators._base.fit import NeuralEstimator

    return issubclass(kind, NeuralEstimator)


def read_weights(source) -> dict[str, np.ndarray]:
    """Read weights, by name, of a fitted estimator or skorch net, a mapping, or a file.

    Raises
    ------
    ValueError
        If the source has none.
    """
    if isinstance(source, Mapping):
        return as_arrays(source, "init_from")
    if isinstance(source, str | PathLike):
        return read_weight_file(Path(source))
    if isinstance(source, FrozenEstimator):
        source = source.estimator
    if isinstance(source, Pipeline):
        source = source[-1]
    if not is_neural(type(source)) and not isinstance(source, NeuralNet):
        raise ValueError(f"init_from must be a neural estimator, got {type(source).__name__}.")
    if "module_" not in vars(source):
        raise ValueError(
            f"init_from={source!r} is not fitted. `clone`, and so every search, takes the fit away "
            "from an estimator: wrap it in sklearn.frozen.FrozenEstimator to keep it."
        )
    return weights_as_arrays(source.module_)


def as_arrays(tensors: Mapping, name: str) -> dict[str, np.ndarray]:
    """Turn a mapping of tensors or arrays into one of arrays.

    Raises
    ------
    ValueError
        If a value is neither.
    """
    arrays = {}
    for key, value in tensors.items():
        if isinstance(value, torch.Tensor):
            # NumPy has no numbers of 16 bits with the range of 32.
            value = value.float() if value.dtype is torch.bfloat16 else value
            value = value.numpy(force=True)
        if not isinstance(value, np.ndarray | np.generic):
            raise ValueError(f"{name} must hold tensors or arrays, got {type(value)} as {key!r}.")
        arrays[key] = np.asarray(value)
    try:
        check_finite(arrays)
    except ValueError as error:
        raise ValueError(f"In {name}, {error}.") from error
    return arrays


def read_weight_file(path: Path) -> dict[str, np.ndarray]:
    """Read a file of `save_weights`, of safetensors, or of `torch.save`, a skorch checkpoint say.

    Raises
    ------
    ValueError
        If it is none of these, or holds more than tensors by name.
    """
    if path.suffix == ".safetensors":
        package = import_optional("safetensors.torch", "safetensors", f"init_from={str(path)!r}")
        try:
            return as_arrays(package.load_file(path), str(path))
        except FileNotFoundError:
            raise
        except Exception as error:
            raise ValueError(f"init_from={str(path)!r} cannot be read: {error}") from error
    if is_zipfile(path):
        try:
            with ZipFile(path) as archive:
                names = archive.namelist()
        except Exception as error:
            raise ValueError(f"init_from={str(path)!r} cannot be read: {error}") from error
        if names and all(name.endswith(".npy") for name in names):
            return read_npz(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(
            f"init_from={str(path)!r} cannot be read as weights: no archive of `save_weights`, no "
            f"safetensors, and torch.load(weights_only=True) says: {str(error).strip()}"
        ) from error
    return as_arrays(find_state_dict(content, path), str(path))


def find_state_dict(content, path: Path) -> Mapping:
    """Find the tensors by name in what `torch.save` has saved: all of it, or one part.

    Raises
    ------
    ValueError
        If there are none, or several parts could be meant.
    """
    if _is_state_dict(content):
        return content
    parts = content if isinstance(content, Mapping) else {}
    found = [key for key, value in parts.items() if _is_state_dict(value)]
    if len(found) != 1:
        raise ValueError(
            f"init_from={str(path)!r} must hold tensors by name, or one part that does; it holds "
            f"{list(parts) if parts else type(content).__name__}"
            + (f", of which {found} could be meant: give the mapping itself." if found else ".")
        )
    return parts[found[0]]


def _is_state_dict(value) -> bool:
    is_mapping = isinstance(value, Mapping) and len(value) > 0
    return is_mapping and all(isinstance(part, torch.Tensor) for part in value.values())


def as_jsonable(value):
    """Write plain values, tuples, sets, NumPy arrays, numbers, dicts with any keys as JSON can.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if isinstance(value, np.ndarray):
        return {"values": value.tolist(), "dtype": str(value.dtype)}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple):
        return {"tuple": [as_jsonable(item) for item in value]}
    if isinstance(value, set | frozenset):
        return {"set": as_jsonable(sorted(value))}
    if isinstance(value, list):
        return [as_jsonable(item) for item in value]
    if isinstance(value, dict):
        keys, values = as_jsonable(list(value)), as_jsonable(list(value.values()))
        return {"keys": keys, "values": values}
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"{type(value).__name__} is not a plain value")


def from_jsonable(value: dict):
    """Read back what `as_jsonable` wrote."""
    if value.keys() == {"values", "dtype"}:
        return read_array(value["values"], np.dtype(value["dtype"]))
    if value.keys() == {"tuple"}:
        return tuple(value["tuple"])
    if value.keys() == {"set"}:
        return set(value["set"])
    if value.keys() == {"keys", "values"}:
        return dict(zip(value["keys"], value["values"]))
    return value


def read_array(values: list, dtype: np.dtype) -> np.ndarray:
    """Make an array of numbers or strings, whose size the values bound and not the type alone.

    Raises
    ------
    ValueError
        If the type is another one.
    """
    if dtype.kind not in "biufUO":
        raise ValueError(f"an array cannot have dtype {dtype}")
    is_large = dtype.kind == "U" and dtype.itemsize * len(values) > LARGEST_STRINGS
    return np.array(values, dtype=np.dtype("U") if is_large else dtype)


def package_version() -> str:
    """Tell the version of this package."""
    from sknn_basics import __version__

    return __version__


def same_value(a, b) -> bool:
    """Tell whether two plain values are the same, whatever the first one is."""
    return type(a) is type(b) and a == b


def series(version: str) -> list[str]:
    """Give the part of a version in which models do not differ."""
    numbers = version.split(".")
    return numbers[:2] if numbers[0] == "0" else numbers[:1]


def check_version(saved: str, name: str) -> None:
    """Warn when a model comes from a version whose models differ: another major one.

    Below 1.0, minor versions break what major ones do later.
    """
    if series(saved) != series(package_version()):
        warnings.warn(
            f"This {name} was saved by version {saved} of sknn_basics, and is loaded by "
            f"{package_version()}: its predictions may differ.",
            stacklevel=3,
        )
