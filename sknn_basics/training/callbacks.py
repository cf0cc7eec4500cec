"""Callbacks of the training: stopping, schedules, best weights, generated texts.

Each decision of a training is one small skorch callback. Callbacks read and write the history,
change the optimiser's learning rate, or set the net's `stop_reason_`. None looks into a batch, so
that they serve a single net as well as many that are trained together.
"""

import time
import warnings
from collections.abc import Callable
from os import PathLike

import numpy as np
import torch
from scipy.sparse import issparse
from skorch.callbacks import Callback, EpochTimer

from sknn_basics.training.optimisers import get_rate, scale_momentum, set_rate
from sknn_basics.training.saving import clone_weights
from sknn_basics.training.schedules import ReduceOnPlateau

# The others are made by parameters of estimators.
__all__ = ["PrintText"]

# What scikit-learn says of a training that diverges.
NON_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and "
    "need to be preprocessed."
)

# Share of the initial learning rate down to which momentum can be scaled along, in any precision.
MOST_SCALED = 1e-20

# Share of the initial rate below which steps are lost in rounding.
VANISHING = np.finfo(np.float32).eps


class RaiseOnDivergence(Callback):
    """Raise when the loss is not finite any more, as it is once the weights are not."""

    def on_epoch_end(self, net, **kwargs):
        loss = net.history[-1, "train_loss"]
        if np.isfinite(loss):
            return
        raise ValueError(explain_divergence(f"the loss is {loss}", net))


class RecordRate(Callback):
    """Record the learning rate of each epoch."""

    def on_epoch_begin(self, net, **kwargs):
        net.history.record("learning_rate", get_rate(net.optimizer_))


class ValidationScore(Callback):
    """Record the score on the validation data, and whether the epoch is the best so far.

    Of scores that differ by less than `tol`, the one with the smaller validation loss is better:
    an accuracy on few samples takes few values.

    Parameters
    ----------
    score : callable
        Computes the score of a net; higher is better.
    tol : float
        A smaller difference of scores counts as none.
    name : str
        What is scored, for a warning where the score is not defined.
    """

    def __init__(self, score: Callable, tol: float, name: str):
        self.score, self.tol, self.name = score, tol, name
        self.top, self.loss_of_best, self.has_warned = None, np.inf, False

    learnt = ("top", "loss_of_best", "has_warned")

    def on_epoch_end(self, net, **kwargs):
        if self.top is None:
            self.look_back(net)
        score, loss = read_number(self.score(net), "scoring"), net.history[-1, "valid_loss"]
        if np.isnan(score) and not self.has_warned:
            self.warn_of_nan()
        is_tied = score >= self.top - self.tol and loss < self.loss_of_best
        is_best = bool(score > self.top + self.tol or is_tied)
        self.top = np.fmax(score, self.top)
        self.loss_of_best = loss if is_best else self.loss_of_best
        net.history.record("valid_score", score)
        net.history.record("valid_score_best", is_best)

    def warn_of_nan(self) -> None:
        """Tell that a score is not defined, which says nothing about progress."""
        self.has_warned = True
        warnings.warn(
            f"{self.name} is not defined on the validation data: the score is NaN, and such epochs "
            "neither end the training nor become the best. Validate on data where it is defined, "
            "with samples of each class for example (X_val and y_val, or a larger "
            "validation_fraction), or choose another scoring, such as 'loss'.",
            stacklevel=2,
        )

    def look_back(self, net) -> None:
        """Find the best of the training that is continued, or loaded from a checkpoint."""
        self.top = -np.inf
        for row in scored_rows(net):
            self.top = np.fmax(row["valid_score"], self.top)
            self.loss_of_best = row["valid_loss"] if row["valid_score_best"] else self.loss_of_best


class WarnOfOtherScale(Callback):
    """Warn where the data to validate on seem not to be preprocessed as those to train on.

    Then the first validation loss is far above the training loss, and many values lie outside the
    range of the training data. Either alone may be as it should: series have trends, and batch
    normalization needs some epochs.
    """

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        train_loss, valid_loss = (net.history[-1, f"{name}_loss"] for name in ("train", "valid"))
        if len(net.history) > 1 or not valid_loss >= 10 * abs(train_loss):
            return
        is_elsewhere = {
            "X_val": share_outside(dataset_train.X, dataset_valid.X) > 0.2,
            "y_val": share_outside(dataset_train.targets, dataset_valid.targets) > 0.2,
        }
        names = " and ".join(name for name, is_true in is_elsewhere.items() if is_true)
        if names:
            warnings.warn(
                f"After the first epoch, the validation loss is {valid_loss:.3g} and the training "
                f"loss {train_loss:.3g}, and much of {names} lies outside the range of the "
                "training data: it must be preprocessed as X and y are. A pipeline passes X_val "
                "on as it is, unless metadata routing is enabled and the pipeline has "
                "transform_input=['X_val']; TransformedTargetRegressor never scales y_val.",
                UserWarning,
                stacklevel=2,
            )


def share_outside(reference, values) -> float:
    """Tell which share of values lies outside the range that a reference has in their column.

    Of arrays of more than two dimensions, it is the range of all; of long ones, the first rows
    tell. Without any, the share is 0.
    """
    if reference is None:
        return 0.0
    values = values[:1000]
    if isinstance(values, torch.Tensor):
        reference, values = reference.numpy(force=True), values.numpy(force=True)
    if issparse(values):
        low, high = (bound.toarray() for bound in (reference.min(axis=0), reference.max(axis=0)))
        values = values.toarray()
    else:
        # Sequences may have any number of steps, and padding that is not a number.
        axis = 0 if values.ndim == 2 else None
        low, high = np.fmin.reduce(reference, axis=axis), np.fmax.reduce(reference, axis=axis)
    return float(np.mean((values < low) | (values > high)))


class KeepBestWeights(Callback):
    """Give the net the weights of its best epoch when the training ends."""

    def __init__(self):
        self.best_weights, self.has_begun = None, False

    learnt = ("best_weights", "has_begun")

    def on_epoch_begin(self, net, **kwargs):
        if not self.has_begun and scored_rows(net):
            # The training that is continued has left its best weights in the net.
            self.best_weights = clone_weights(net.module_)
        self.has_begun = True

    def on_epoch_end(self, net, **kwargs):
        if net.history[-1, "valid_score_best"]:
            self.best_weights = clone_weights(net.module_)

    def on_train_end(self, net, **kwargs):
        if self.best_weights is not None:
            net.module_.load_state_dict(self.best_weights)


class StopWithoutProgress(Callback):
    """Stop when the training loss or the validation score no longer improves.

    Parameters
    ----------
    monitor : {'train_loss', 'valid_score'}
        What should improve.
    tol : float
        A smaller improvement counts as none.
    patience : float
        More epochs than this in a row without improvement end the training.
    adaptive : bool
        Divide the rate by 5 instead, and stop when it has become tiny.

    Attributes
    ----------
    best_ : float
        Best value so far.
    n_waiting_ : int
        Number of epochs in a row without improvement.
    """

    def __init__(self, monitor: str, tol: float, patience: float, adaptive: bool = False):
        self.monitor, self.tol, self.patience, self.adaptive = monitor, tol, patience, adaptive
        self.best_, self.n_waiting_ = np.inf, 0

    learnt = ("best_", "n_waiting_")

    def on_epoch_end(self, net, **kwargs):
        sign = -1 if self.monitor == "valid_score" else 1
        value = sign * net.history[-1, self.monitor]
        if np.isnan(value):
            # A score that is not defined says nothing.
            return
        has_progress = value <= self.best_ - self.tol
        self.n_waiting_ = 0 if has_progress else self.n_waiting_ + 1
        self.best_ = float(np.fmin(value, self.best_))
        if self.n_waiting_ > self.patience:
            self.react(net)

    def react(self, net) -> None:
        """Stop, or lower an adaptive rate and wait again."""
        what = "Validation score" if self.monitor == "valid_score" else "Training loss"
        reason = (
            f"{what} did not improve more than tol={self.tol:f} "
            f"for {self.patience} consecutive epochs."
        )
        rate = get_rate(net.optimizer_)
        if self.adaptive and rate > 1e-6:
            set_rate(net.optimizer_, rate / 5)
            scale_momentum(net.optimizer_, 5)
            self.n_waiting_ = 0
        else:
            net.stop_reason_ = reason


class StopAfter(Callback):
    """Stop before an epoch that would end after some seconds, if it took as long as the longest.

    Parameters
    ----------
    seconds : float
        Time for all epochs of a training, of which one is trained in any case.
    """

    def __init__(self, seconds: float):
        self.seconds, self.longest, self.elapsed = seconds, 0.0, 0.0

    learnt = ("longest", "elapsed")

    def on_train_begin(self, net, **kwargs):
        self.last = time.monotonic()

    def on_epoch_end(self, net, **kwargs):
        now = time.monotonic()
        duration, self.last = now - self.last, now
        self.longest, self.elapsed = max(self.longest, duration), self.elapsed + duration
        if self.elapsed + self.longest > self.seconds:
            net.stop_reason_ = f"Another epoch would end after max_time={self.seconds:g} seconds."


class StopAtEpoch(Callback):
    """Stop after a number of epochs that is meant as a setting, of which nothing needs to warn.

    Parameters
    ----------
    number : int
        Number of the last epoch, counted from 1.
    """

    def __init__(self, number: int):
        self.number = number

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) - net.n_earlier_ >= self.number:
            net.stop_reason_ = f"That was the last of {self.number} epochs."


class InverseScaling(Callback):
    """Divide the initial rate by a power of the number of samples seen.

    Parameters
    ----------
    initial_rate : float
        Rate of the first epoch.
    power : float
        The exponent.
    n_seen : int
        Number of samples seen in earlier trainings of the network.
    """

    def __init__(self, initial_rate: float, power: float, n_seen: int):
        self.initial_rate, self.power, self.n_seen = initial_rate, power, n_seen

    learnt = ("n_seen",)

    def on_epoch_end(self, net, dataset_train=None, **kwargs):
        self.n_seen += len(dataset_train)
        old_rate = get_rate(net.optimizer_)
        with np.errstate(over="ignore"):
            new_rate = float(self.initial_rate / np.power(self.n_seen + 1.0, self.power))
        if new_rate < MOST_SCALED * self.initial_rate:
            raise ValueError(
                f"power_t={self.power:g} lets the learning rate vanish: it is {new_rate:g} after "
                f"{self.n_seen} samples."
            )
        set_rate(net.optimizer_, new_rate)
        scale_momentum(net.optimizer_, old_rate / new_rate)


class FollowSchedule(Callback):
    """Set each epoch's rate from a function of the epoch, counted from 0.

    Parameters
    ----------
    schedule : callable
        Computes the learning rate of an epoch.
    restarts : bool
        Whether a training that continues another starts the schedule anew. One that continues and
        has ended is told in a warning.
    n_epochs : int
        Number of epochs that the schedule is for.
    ends : bool
        Whether it ends with these epochs; one that does not has ended when its learning rate
        vanishes.
    by_step : bool, default=False
        Whether the function is of the step, and of the number of all steps, in place of epochs.
    """

    def __init__(
        self,
        schedule: Callable[..., float],
        restarts: bool,
        n_epochs: int,
        ends: bool,
        by_step: bool = False,
    ):
        self.schedule, self.restarts = schedule, restarts
        self.n_epochs, self.ends, self.by_step = n_epochs, ends, by_step

    def on_train_begin(self, net, **kwargs):
        self.n_earlier_epochs_ = len(net.history) if self.restarts else 0

    def on_epoch_begin(self, net, **kwargs):
        epoch = len(net.history) - 1 - self.n_earlier_epochs_
        rate, *others = self.rates(epoch, net.n_steps_of_epoch_)
        net.rates_of_steps_ = [rate, *others] if self.by_step else []
        has_ended = self.ends or rate <= VANISHING * net.lr
        if epoch >= self.n_epochs and not self.restarts and has_ended:
            warnings.warn(
                f"The learning rate's schedule has ended after max_iter={self.n_epochs} epochs: "
                f"epoch {epoch + 1} keeps its last learning rate, {rate:g}. Set max_iter to "
                "the number of epochs of all calls of partial_fit together, or choose a "
                "learning_rate without an end, such as 'constant'.",
                stacklevel=2,
            )
        set_rate(net.optimizer_, rate)

    def rates(self, epoch: int, n_steps: int) -> list[float]:
        """Compute the learning rate of an epoch, or those of its steps."""
        if not self.by_step:
            return [self.check_rate(self.schedule(epoch), f"epoch {epoch}")]
        n_all = self.n_epochs * n_steps
        steps = range(epoch * n_steps, (epoch + 1) * n_steps)
        # Beyond the end, the last learning rate stays.
        rates = [
            self.schedule(min(i, n_all - 1) if self.ends else i, n_epochs=n_all) for i in steps
        ]
        return [self.check_rate(rate, f"step {i}") for i, rate in zip(steps, rates)]

    def check_rate(self, rate, when: str) -> float:
        rate = read_number(rate, "learning_rate")
        if not (np.isfinite(rate) and rate >= 0):
            raise ValueError(
                "learning_rate must give a finite rate that is not negative, "
                f"got {rate} for {when}."
            )
        return rate


class LowerRateOnPlateau(Callback):
    """Lower the learning rate if the loss has not improved since its best or the last lowering."""

    def __init__(self, schedule: ReduceOnPlateau):
        self.schedule = schedule

    def on_epoch_end(self, net, **kwargs):
        rate = get_rate(net.optimizer_)
        recent = net.history[-self.schedule.patience :]
        if len(recent) == self.schedule.patience and not any(
            _has_improved(row) or row["learning_rate"] != rate for row in recent
        ):
            set_rate(net.optimizer_, max(rate * self.schedule.factor, self.schedule.min_rate))


class PrintEpoch(Callback):
    """Print one line per epoch, in scikit-learn's words."""

    def on_epoch_end(self, net, **kwargs):
        row = net.history[-1]
        line = f"Iteration {len(net.history)}, loss = {row['train_loss']:.8f}"
        if "valid_score" in row:
            line += f", validation score = {row['valid_score']:.6f}"
        print(line)

    def on_train_end(self, net, **kwargs):
        if net.stop_reason_ is not None:
            print(f"{net.stop_reason_} Stopping.")


class NotifyEpochs(Callback):
    """Call functions when an epoch begins and ends; a true answer at its end stops the training."""

    def __init__(self, begin: Callable[[], None], end: Callable[[], bool]):
        self.begin, self.end, self.is_open = begin, end, False

    def on_epoch_begin(self, net, **kwargs):
        self.is_open = True
        self.begin()

    def on_epoch_end(self, net, **kwargs):
        self.is_open = False
        if self.end():
            net.stop_reason_ = "A callback asked to stop."

    def on_train_end(self, net, **kwargs):
        if self.is_open:
            # The epoch was interrupted.
            self.end()


class PrintText(Callback):
    """Print a text that a `TextGenerator` writes after every epoch.

    Parameters
    ----------
    length : int, default=200
        Number of tokens to write.
    every : int, default=1
        Number of epochs from one text to the next.
    random_state : int, default=0
        Source of the draws, the same for every text.
    write : callable, default=print
        What is called with the text.
    file : path or None, default=None
        A file that texts are appended to, a line each, in place of being printed.
    **options
        Further arguments of `TextGenerator.generate`, such as ``prompt`` and ``temperature``. Of
        several texts, each is a line.

    Examples
    --------
    >>> from sknn_basics import TextGenerator
    >>> from sknn_basics.training.callbacks import PrintText
    >>> texts = []
    >>> callback = PrintText(8, every=2, write=texts.append)
    >>> model = TextGenerator(hidden_layer_sizes=(4,), window=3, max_iter=4, callbacks=[callback])
    >>> len(model.fit("abc" * 50) and texts)
    2
    """

    def __init__(
        self,
        length: int = 200,
        *,
        every: int = 1,
        random_state: int = 0,
        write: Callable[[str], object] = print,
        file: str | PathLike | None = None,
        **options,
    ):
        self.length, self.every, self.random_state = length, every, random_state
        self.write, self.file, self.options = write, file, options

    def on_epoch_end(self, net, **kwargs):
        """Write a text, if it is the epoch for one.

        Parameters
        ----------
        net : skorch.NeuralNet
            The net that is trained.
        **kwargs
            What skorch tells callbacks besides.
        """
        if len(net.history) % self.every == 0:
            options = {"length": self.length, "random_state": self.random_state, **self.options}
            text = net.generate(**options)
            text = text if isinstance(text, str) else "\n".join(text)
            if self.file is None:
                self.write(text)
                return
            with open(self.file, "a", encoding="utf-8") as file:
                file.write(f"{text}\n")


# The decisions of this package, and the clock: quick, and alike in every thread.
DECISIONS = frozenset(
    {
        EpochTimer,
        RaiseOnDivergence,
        RecordRate,
        ValidationScore,
        WarnOfOtherScale,
        KeepBestWeights,
        StopAfter,
        StopWithoutProgress,
        InverseScaling,
        FollowSchedule,
        LowerRateOnPlateau,
        PrintEpoch,
    }
)


def explain_divergence(what: str, net) -> str:
    """Say that a training of epochs diverged, and what can be done, in scikit-learn's words too."""
    # A penalty that moves weights further than their size throws them out.
    also = " or alpha" if get_rate(net.optimizer_) * net.alpha > net.batch_size else ""
    return (
        f"Training diverged: {what} after epoch {len(net.history)} with learning rate "
        f"{get_rate(net.optimizer_):g}. {NON_FINITE} Scale X (and a regression's y), lower "
        f"learning_rate_init{also}, or set clip_grad_norm."
    )


def all_finite(module: torch.nn.Module) -> bool:
    """Tell whether all weights and running statistics are finite, with one transfer."""
    values = [t for t in module.state_dict().values() if t.is_floating_point()]
    return bool(torch.stack([t.detach().sum() for t in values]).isfinite().all())


def scored_rows(net) -> list[dict]:
    """List the epochs so far whose scores on validation data are comparable."""
    return [row for row in net.history if "valid_score_best" in row]


def read_number(value, name: str) -> float:
    """Read what a user's function returned.

    Raises
    ------
    ValueError
        If it is not a number; the message names the parameter that the function is.
    """
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must return a number, got {value!r}.") from error


def _has_improved(row: dict) -> bool:
    # What is not comparable any more begins anew.
    return row.get("valid_loss_best", row.get("train_loss_best", True))
