"""Checkpoints: the whole state of a training in one file, from which it continues bit by bit."""

import re
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from skorch.callbacks import Callback

from sknn_basics.modules.layers import random_layers
from sknn_basics.training.archives import read_archive, remove_left_over, write_archive
from sknn_basics.training.saving import (
    load_optimiser,
    load_weights,
    optimiser_as_arrays,
    views_of_weights,
)

__all__ = ["TrainingCheckpoint"]

SUFFIX = ".safetensors"

# To wait until a file lies on the disk takes longer than to write it: it is done once in so many
# seconds, and at the end of a training. The last one that lies there is kept until the next does.
SECONDS_TO_SYNC = 1.0


@dataclass
class Recording:
    """What a training that is recorded has to say of itself, and what it continues from.

    Attributes
    ----------
    identity : dict
        What must be the same in a training that continues from a checkpoint of this one, and a
        digest of it.
    rng : dict
        State of the random numbers before the first draw of the training.
    describe : callable
        Gives of the net what a new estimator needs to predict as this one does now.
    is_stream : bool
        Whether it is one of many calls of ``partial_fit``.
    saved : dict or None
        Content of the checkpoint from which it continues.
    n_samples : int
        Number of samples of an epoch.
    """

    identity: dict
    rng: dict
    describe: Callable
    is_stream: bool = False
    saved: dict | None = None
    n_samples: int = 0

    @property
    def digest(self) -> str:
        return self.identity["digest"]


class TrainingCheckpoint(Callback):
    """Write the state of a training into one file, from which an interrupted `fit` continues.

    The same `fit` in a new process finds the file and continues from there; it ends with the bits
    of a training that nothing interrupted. A training that has ended is read from its last file.
    The files hold weights, the optimiser, the history, schedule, patience and best weights, and the
    state of all random numbers. They hold no pickle, and each is replaced as a whole.

    Parameters
    ----------
    dirname : str or path-like
        Folder of the files, which is made if there is none.
    every : int, default=1
        Number of epochs from one checkpoint to the next. The last epoch gets one in any case.
    seconds : float or None, default=None
        Least time from one checkpoint to the next.
    best_only : bool, default=False
        Whether only epochs get one whose validation score is the best so far or, without validation
        data, whose training loss is.
    keep : int, default=1
        Number of checkpoints to keep, the latest ones. While the training continues, there may be
        one more, the last that is known to lie on the disk.
    prefix : str, default='checkpoint'
        Beginning of the names of files, which continue with a digest of the training, the epoch,
        and the validation score or the training loss.
    resume : bool, default=True
        Whether `fit` continues from the latest checkpoint in the folder. False begins anew, and the
        first new checkpoint replaces those that are there.
    shared : bool, default=False
        Whether several trainings write to the folder, such as the candidates of a search. Each then
        looks for its own files alone. Otherwise, checkpoints of another training raise an error.
    on_failure : {'warn', 'raise'}, default='warn'
        Whether a checkpoint that cannot be written, on a full disk for example, is told in a
        warning while the training continues, or ends it. The checkpoint before it stays either way.

    See Also
    --------
    skorch.callbacks.Checkpoint : Writes several files, for nets outside this package.

    Notes
    -----
    The same training has the same estimator, parameters, data and, with ``warm_start``, the same
    fitted network to begin with. The parameters ``callbacks``, ``verbose`` and ``max_time`` may
    differ. With ``solver='lbfgs'``, whose state is SciPy's, an unfinished training is repeated.

    Of other callbacks, what skorch calls their state is kept: attributes whose names end with an
    underscore, if they are arrays or plain values.

    Calls of ``partial_fit`` do not continue by themselves: `restore` gives a new estimator the
    state after the last call that was recorded.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_iris
    >>> from sknn_basics import MLPClassifier
    >>> from sknn_basics.training.checkpoints import TrainingCheckpoint
    >>> X, y = load_iris(return_X_y=True)
    >>> with TemporaryDirectory() as folder:
    ...     checkpoint = TrainingCheckpoint(folder, every=10)
    ...     model = MLPClassifier(max_iter=300, tol=0.1, random_state=0, callbacks=[checkpoint])
    ...     first, second = model.fit(X, y).loss_, model.fit(X, y).loss_
    >>> first == second
    True
    """

    def __init__(
        self,
        dirname,
        *,
        every: int = 1,
        seconds: float | None = None,
        best_only: bool = False,
        keep: int = 1,
        prefix: str = "checkpoint",
        resume: bool = True,
        shared: bool = False,
        on_failure: str = "warn",
    ):
        self.dirname, self.every, self.seconds, self.best_only = dirname, every, seconds, best_only
        self.keep, self.prefix, self.resume, self.shared = keep, prefix, resume, shared
        self.on_failure = on_failure

    def initialize(self):
        """Check the parameters.

        Returns
        -------
        self : TrainingCheckpoint
            The callback.

        Raises
        ------
        ValueError
            If a parameter has no such value.
        """
        if self.on_failure not in ("warn", "raise"):
            raise ValueError(f"on_failure must be 'warn' or 'raise', got {self.on_failure!r}.")
        for name in ("every", "keep"):
            if not (isinstance(value := getattr(self, name), int) and value >= 1):
                raise ValueError(f"{name} must be an integer of at least 1, got {value!r}.")
        if not isinstance(self.prefix, str) or not self.prefix or "/" in self.prefix:
            raise ValueError(f"prefix must begin a file name, got {self.prefix!r}.")
        return self

    # Before the training.

    def find(self, identity: dict) -> dict | None:
        """Read the latest checkpoint of a training; None if there is none to continue from.

        Parameters
        ----------
        identity : dict
            What the training says of itself.

        Returns
        -------
        saved : dict or None
            Content of the file.

        Raises
        ------
        ValueError
            If the latest file is damaged, or of another training.
        """
        self.initialize()
        if not self.resume:
            return None
        files = self.list_files(None if not self.shared else identity["digest"])
        if not files:
            return None
        saved = read_archive(files[-1])
        if saved["identity"] != identity:
            raise ValueError(
                f"{str(files[-1])!r} is a checkpoint of another training: "
                f"{first_difference(saved['identity'], identity)}. Give each training a folder of "
                "its own, or set shared=True where several share one, as in a search, or "
                "resume=False to begin anew."
            )
        return saved

    def list_files(self, digest: str | None = None) -> list[Path]:
        """List the checkpoints in the folder, the latest last.

        Parameters
        ----------
        digest : str or None, default=None
            Of the training whose checkpoints are wanted; None is any.

        Returns
        -------
        files : list of Path
            Their paths.
        """
        pattern = re.compile(
            re.escape(self.prefix) + r"-([0-9a-f]{8})-epoch=(\d+)-.*" + re.escape(SUFFIX)
        )
        found = []
        folder = Path(self.dirname)
        for path in folder.iterdir() if folder.is_dir() else ():
            match = pattern.fullmatch(path.name)
            if match and digest in (None, match[1]):
                found.append((path.stat().st_mtime_ns, int(match[2]), path))
        return [path for *_, path in sorted(found)]

    def restore(self, estimator):
        """Give an estimator the network, optimiser and history of the latest checkpoint.

        It predicts as the training did after that epoch, and `partial_fit` continues from there.

        Parameters
        ----------
        estimator : NeuralEstimator
            An estimator with the parameters of the one that was trained.

        Returns
        -------
        estimator : NeuralEstimator
            The same.

        Raises
        ------
        ValueError
            If there is no checkpoint, or it is that of another estimator.
        """
        files = self.list_files()
        if not files:
            raise ValueError(f"There is no checkpoint in {str(self.dirname)!r}.")
        return estimator._restore(read_archive(files[-1]), str(files[-1]))

    # In the training.

    def on_train_begin(self, net, **kwargs):
        """Begin to count.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net that is trained.
        **kwargs
            What skorch tells callbacks besides.

        Raises
        ------
        TypeError
            If it is no net of this package's estimators.
        """
        if not hasattr(net, "recording"):
            raise TypeError("TrainingCheckpoint is for the estimators of this package.")
        # Without one, nothing is trained.
        if net.recording is not None:
            self.begin(net.recording)

    def on_epoch_end(self, net, **kwargs):
        """Write a checkpoint, if it is the epoch for one.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net that is trained.
        **kwargs
            What skorch tells callbacks besides.
        """
        row = net.history[-1]
        is_best = row.get(f"{name_of_value(row)}_best", False)
        if is_best if self.best_only else self.is_due(len(net.history)):
            self.write_net(net)

    def on_train_end(self, net, **kwargs):
        """Write the last checkpoint, of a training that has ended by itself.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net that was trained.
        **kwargs
            What skorch tells callbacks besides.
        """
        if net.recording is None or not net.has_ended_:
            return
        if self.needs_last(net.recording):
            self.write_net(net)
        if self.best_only and (files := self.list_files(net.recording.digest)):
            self.synced_ = None
            self._keep_latest(files)

    def write_net(self, net) -> None:
        """Write a checkpoint of a net.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net that is trained.
        """
        row = net.history[-1]
        name = name_of_value(row)
        self.write(net.recording, len(net.history), name, row[name], state_of(net), net)

    def begin(self, recording: Recording) -> None:
        """Make the folder, and remove what is left of an interrupted training.

        Parameters
        ----------
        recording : Recording
            The training that begins.
        """
        self.last_time_ = time.monotonic()
        self.last_sync_, self.synced_ = -float("inf"), None
        folder = Path(self.dirname)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            remove_left_over(folder, f"{self.prefix}-{recording.digest}-")
            if self.resume:
                self._keep_latest(self.list_files(recording.digest))
        except OSError as error:
            self._tell(error, folder)

    def write(self, recording: Recording, epoch: int, name: str, value: float, state, net) -> None:
        """Write a checkpoint, and remove those that are not to be kept.

        Parameters
        ----------
        recording : Recording
            The training.
        epoch : int
            Its last epoch, counted from 1.
        name, value : str, float
            What the name of the file tells of it.
        state : dict
            All that it continues from.
        net : object
            What was trained, for the description of the recording.
        """
        file = f"{self.prefix}-{recording.digest}-epoch={epoch:05d}-{name}={value:.6g}{SUFFIX}"
        path = Path(self.dirname, file)
        content = {
            "identity": recording.identity,
            "rng": recording.rng,
            "epoch": epoch,
            "state": state,
        }
        is_synced = time.monotonic() - self.last_sync_ >= SECONDS_TO_SYNC or state["has_ended"]
        try:
            content["fitted"] = recording.describe(net)
            write_archive(path, content, is_synced=is_synced)
            self.last_time_ = time.monotonic()
            if is_synced:
                self.last_sync_, self.synced_ = self.last_time_, path
            self._remove_older(recording, path)
        except (OSError, TypeError) as error:
            self._tell(error, path)

    def needs_last(self, recording: Recording) -> bool:
        """Tell whether the end of a training gets a checkpoint.

        Parameters
        ----------
        recording : Recording
            The training.

        Returns
        -------
        needs_last : bool
            False if it has one already, or only the best epochs get one.
        """
        if self.best_only or recording.is_stream:
            return False
        return recording.saved is None or not recording.saved["state"]["has_ended"]

    def is_due(self, epoch: int) -> bool:
        """Tell whether an epoch gets a checkpoint, if not only the best do.

        Parameters
        ----------
        epoch : int
            The epoch, counted from 1.

        Returns
        -------
        is_due : bool
            Whether it does.
        """
        waits = self.seconds is not None and time.monotonic() - self.last_time_ < self.seconds
        return epoch % self.every == 0 and not waits

    def _remove_older(self, recording: Recording, newest: Path) -> None:
        """Remove checkpoints beyond those to keep, and those of another training before this."""
        own = [path for path in self.list_files(recording.digest) if path != newest]
        self._keep_latest([*own, newest])
        for path in () if self.shared else self.list_files():
            if f"-{recording.digest}-epoch=" not in path.name:
                path.unlink(missing_ok=True)

    def _keep_latest(self, files: list[Path]) -> None:
        """Remove the first ones of some files."""
        for path in files[: -self.keep]:
            if path != self.synced_:
                path.unlink(missing_ok=True)

    def _tell(self, error: Exception, path: Path) -> None:
        """Warn of a checkpoint that cannot be written, or raise."""
        message = (
            f"The checkpoint {str(path)!r} cannot be written ({type(error).__name__}: {error}); "
            "the one before it stays."
        )
        if self.on_failure == "raise":
            raise type(error)(message) from error
        warnings.warn(message, RuntimeWarning, stacklevel=2)


def name_of_value(row: dict) -> str:
    """Name the record by which epochs are compared."""
    return "valid_score" if "valid_score" in row else "train_loss"


def first_difference(saved: dict, wanted: dict) -> str:
    """Say in which of the things that identify a training two of them differ first."""
    for part, values in wanted.items():
        before = saved.get(part)
        if part == "digest" or values == before:
            continue
        if not isinstance(values, dict):
            return f"its {part} is {before!r}, not {values!r}"
        for name in dict.fromkeys([*values, *before]):
            if values.get(name) != before.get(name):
                return f"its {name} is {before.get(name)}, not {values.get(name)}"
    return "it was written by another version of this package"


# The state of a training at the end of an epoch.


def state_of(net) -> dict:
    """Collect what decides how a training continues after an epoch."""
    average = net.average_
    return {
        "weights": views_of_weights(net.module_),
        "criterion": views_of_weights(net.criterion_),
        "optimiser": optimiser_as_arrays(net.optimizer_, copy=False),
        "average": None if average is None else (average.n_steps, average.means, average.last),
        "history": [dict(row) for row in net.history],
        "best": dict(net.best_),
        "observed": net.observed_,
        "stop_reason": net.stop_reason_,
        "has_ended": net.has_ended_,
        "result": net.state_of_search(),
        "order": None if net.batches_ is None else net.batches_.order,
        "rng": None if net.rng is None else net.rng.get_state(legacy=False),
        "generators": [generator.get_state() for generator in generators_of(net)],
        "keys": keys_of(net),
        "callbacks": {name: learnt_by(callback) for name, callback in net.callbacks_},
    }


def load_state(net, state: dict) -> None:
    """Let a training that is about to begin continue from the state of another one."""
    load_weights(net.module_, state["weights"])
    load_weights(net.criterion_, state["criterion"])
    load_optimiser(net.optimizer_, state["optimiser"])
    if net.average_ is not None and state["average"] is not None:
        net.average_.n_steps, means, last = state["average"]
        place = net.average_.means[0].device
        net.average_.means = [mean.to(place) for mean in means]
        net.average_.last = [tensor.to(place) for tensor in last]
    net.history_[:] = state["history"]
    net.best_, net.observed_ = state["best"], state["observed"]
    net.stop_reason_ = state["stop_reason"]
    if state["order"] is not None:
        net.batches_.order = state["order"]
    if net.rng is not None:
        net.rng.set_state(state["rng"])
    for generator, own in zip(generators_of(net), state["generators"], strict=True):
        generator.set_state(own)
    for key, own in zip(keys_of(net), state["keys"], strict=True):
        key.copy_(own)
    for name, callback in net.callbacks_:
        vars(callback).update(state["callbacks"].get(name, {}))


def generators_of(net) -> list[torch.Generator]:
    """List the sources of random numbers of a net's layers, and of its latent variables."""
    generators = [layer.generator for layer in random_layers(net.module_)]
    generators.append(getattr(net, "noise", None))
    return list({id(own): own for own in generators if own is not None}.values())


def keys_of(net) -> list[torch.Tensor]:
    """List what layers draw from on a device."""
    return [layer.key for layer in random_layers(net.module_) if layer.key is not None]


def learnt_by(callback: Callback) -> dict:
    """Collect what a callback has learned in a training.

    Those of this package name it in ``learnt``; others are skorch's, or follow it.
    """
    if isinstance(callback, TrainingCheckpoint):
        return {}
    names = getattr(callback, "learnt", None)
    if names is None:
        names = [n for n in vars(callback) if n.endswith("_") and not n.startswith("_")]
        return {n: v for n in names if is_plain(v := getattr(callback, n))}
    return {name: getattr(callback, name) for name in names}


def is_plain(value) -> bool:
    """Tell whether a value can be written."""
    if isinstance(value, dict):
        return all(is_plain(part) for pair in value.items() for part in pair)
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biuf"
    return value is None or isinstance(value, str | bool | int | float | np.generic | torch.Tensor)
