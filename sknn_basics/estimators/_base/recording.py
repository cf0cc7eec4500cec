"""What tells one training from another, so that it continues from its own checkpoints alone."""

import json
from functools import cache
from hashlib import blake2b

import joblib
import numpy as np
import torch
from scipy.sparse import issparse

from sknn_basics.estimators._base.saving import (
    architecture_of,
    as_jsonable,
    check_version,
    from_jsonable,
    load_fit,
    package_version,
    plain_parameters,
)
from sknn_basics.training.checkpoints import Recording, TrainingCheckpoint, first_difference
from sknn_basics.training.saving import weights_as_arrays

# Parameters that do not change what is learned, but for when it ends.
WITHOUT_EFFECT = ("callbacks", "verbose", "max_time")


def checkpoints_of(callbacks) -> list[TrainingCheckpoint]:
    """List the checkpoints among callbacks, with names or without."""
    own = [c[1] if isinstance(c, tuple) else c for c in callbacks or ()]
    return [callback for callback in own if isinstance(callback, TrainingCheckpoint)]


def begin_recording(
    estimator,
    rng: np.random.RandomState,
    data: dict,
    *,
    continued: bool = False,
    is_stream: bool = False,
) -> Recording | None:
    """Find the checkpoint that a training continues from, and begin it as that one began.

    Parameters
    ----------
    estimator : NeuralEstimator
        Who is trained.
    rng : RandomState
        Source of all its draws, which are those of the training before from here on.
    data : dict
        Arrays by their names, or None.
    continued : bool
        Whether it continues with a fitted network.
    is_stream : bool
        Whether it is a call of ``partial_fit``.

    Returns
    -------
    recording : Recording or None
        None if nobody asks for checkpoints.

    Raises
    ------
    ValueError
        If there is a checkpoint of another training.
    """
    checkpoints = checkpoints_of(estimator.callbacks)
    if not checkpoints:
        return None
    start = describe_value(weights_as_arrays(estimator.module_)) if continued else None
    identity = identify(estimator, {} if is_stream else data, None if is_stream else start)
    recording = Recording(identity, rng.get_state(legacy=False), describer(estimator), is_stream)
    if is_stream and continued:
        return recording
    found = [saved for own in checkpoints if (saved := own.find(identity)) is not None]
    if is_stream and found:
        raise ValueError(
            "There are checkpoints of earlier calls of partial_fit in "
            f"{str(checkpoints[0].dirname)!r}. Let TrainingCheckpoint.restore give their state to "
            "the estimator, or set resume=False to begin anew."
        )
    if found:
        recording.saved = max(found, key=lambda saved: saved["epoch"])
        recording.rng = recording.saved["rng"]
        rng.set_state(recording.rng)
        check_version(recording.saved["fitted"]["version"], type(estimator).__name__)
    return recording


def identify(estimator, data: dict, start: str | None) -> dict:
    """Collect what must be the same for a training to continue from a checkpoint."""
    parameters = estimator.get_params(deep=False)
    identity = {
        "estimator": type(estimator).__name__,
        "parameters": {
            name: describe_value(value)
            for name, value in parameters.items()
            if name not in WITHOUT_EFFECT
        },
        "data": {name: describe_value(value) for name, value in data.items()},
        "fitted network to begin with": start,
    }
    text = json.dumps(identity, sort_keys=True).encode()
    return {"digest": blake2b(text, digest_size=4).hexdigest(), **identity}


def describe_value(value) -> str:
    """Describe a value such that others have another description, in any process."""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        # Checksums of joblib depend on which of equal strings are one object.
        value = json.dumps(value)
        return f"{len(value)} letters with checksum {joblib.hash(value)[:12]}"
    if isinstance(value, np.random.RandomState):
        # Its state is put back, whatever it is.
        return "a RandomState"
    if value is None or isinstance(value, str | bool | int | float):
        return repr(value)
    if isinstance(value, np.generic):
        return repr(value.item())
    if isinstance(value, torch.Tensor):
        value = value.numpy(force=True)
    if isinstance(value, np.ndarray) or issparse(value):
        kind = f"{value.shape} {value.dtype}"
    else:
        kind = getattr(value, "__qualname__", type(value).__name__)
    if isinstance(value, torch.nn.Module):
        value = weights_as_arrays(value)
    try:
        return f"{kind} with checksum {joblib.hash(value)[:12]}"
    except Exception:  # Whatever cannot be pickled is known by its name.
        return kind


def describer(estimator):
    """Make the function that describes the estimator's network, for `restore`."""

    @cache
    def once() -> str | None:
        names = [n for n in architecture_of(type(estimator)) if hasattr(estimator, n)]
        try:
            return json.dumps({name: as_jsonable(getattr(estimator, name)) for name in names})
        except TypeError:
            return None

    def describe(net) -> dict:
        if not hasattr(net, "module_"):
            return {"version": package_version(), "attributes": None}
        n_epochs = len(net.history) - net.n_earlier_
        return {
            "version": package_version(),
            "attributes": once(),
            "frozen": [n for n, p in net.module_.named_parameters() if not p.requires_grad],
            "t_": estimator.t_ + n_epochs * net.recording.n_samples,
        }

    return describe


def restore(estimator, saved: dict, path: str):
    """Give an estimator the state of a checkpoint; see `TrainingCheckpoint.restore`."""
    identity = identify(estimator, {}, None)
    own = {name: identity[name] for name in ("estimator", "parameters")}
    if any(saved["identity"][name] != value for name, value in own.items()):
        difference = first_difference(saved["identity"], own)
        raise ValueError(f"{path!r} is a checkpoint of another estimator: {difference}.")
    if saved["fitted"]["attributes"] is None:
        raise ValueError(
            f"{path!r} cannot be restored by itself, since the network holds a module that was "
            "given as a parameter: call fit, which continues from it."
        )
    check_version(saved["fitted"]["version"], type(estimator).__name__)
    attributes = json.loads(saved["fitted"]["attributes"], object_hook=from_jsonable)
    vars(estimator).update(attributes, _as_fitted_=plain_parameters(estimator))
    estimator._reset_results()
    state = saved["state"]
    names = ("weights", "optimiser", "history", "best")
    load_fit(estimator, {"frozen": saved["fitted"]["frozen"], **{n: state[n] for n in names}})
    net = estimator.net_
    net.n_epochs_, net.observed_ = len(net.history), state["observed"]
    net.stop_reason_ = state["stop_reason"]
    estimator._read_results(net, 0, 0)
    estimator.t_ = saved["fitted"]["t_"]
    waited = state["callbacks"].get("StopWithoutProgress")
    if waited:
        estimator._progress_ = waited["best_"], waited["n_waiting_"]
    return estimator
