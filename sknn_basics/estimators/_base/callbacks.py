"""Parameters of skorch callbacks, by the names that skorch gives callbacks."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

PREFIX = "callbacks__"


def name_callbacks(callbacks: Sequence | None) -> dict[str, Any]:
    """Name callbacks: as the user does, or else as skorch does, by their class.

    Those of one class that have no name get numbers, from 1.
    """
    pairs = [
        callback if isinstance(callback, tuple) else (_class_name(callback), callback)
        for callback in callbacks or ()
    ]
    counts, seen, named = Counter(name for name, _ in pairs), Counter(), {}
    for name, callback in pairs:
        seen[name] += 1
        named[f"{name}_{seen[name]}" if counts[name] > 1 else name] = callback
    return named


def callback_parameters(callbacks: Sequence | None) -> dict[str, Any]:
    """Collect callbacks and their parameters, as ``callbacks__<name>[__<parameter>]``."""
    parameters = {}
    for name, callback in name_callbacks(callbacks).items():
        parameters[PREFIX + name] = callback
        if not isinstance(callback, type) and hasattr(callback, "get_params"):
            own = callback.get_params().items()
            parameters.update({f"{PREFIX}{name}__{key}": value for key, value in own})
    return parameters


def set_callback_parameters(callbacks: Sequence | None, parameters: dict[str, Any]) -> list:
    """Replace callbacks, or set parameters of theirs; None takes a callback away.

    Parameters
    ----------
    callbacks : sequence or None
        The callbacks, as an estimator is given them.
    parameters : dict
        Values by ``<name>`` or ``<name>__<parameter>``.

    Returns
    -------
    callbacks : list
        The callbacks from now on, in their order.

    Raises
    ------
    ValueError
        If there is no callback of a name, or it has no such parameter.
    """
    named, nested = name_callbacks(callbacks), defaultdict(dict)
    for key, value in parameters.items():
        name, _, parameter = key.partition("__")
        if name not in named:
            raise ValueError(f"callbacks has no {name!r}, but {list(named)}.")
        if parameter:
            nested[name][parameter] = value
        else:
            named[name] = value
    for name, own in nested.items():
        if named[name] is None:
            raise ValueError(f"callbacks has no {name!r} any more to set {list(own)} of.")
        if isinstance(named[name], type):
            named[name] = named[name](**own)
        else:
            named[name].set_params(**own)
    given = [callback if isinstance(callback, tuple) else None for callback in callbacks or ()]
    return [
        callback if pair is None else (pair[0], callback)
        for pair, callback in zip(given, named.values())
        if callback is not None
    ]


def _class_name(callback) -> str:
    return callback.__name__ if isinstance(callback, type) else type(callback).__name__
