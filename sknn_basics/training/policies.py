"""Which callbacks decide over a training, from an estimator's words for them."""

from collections.abc import Callable
from functools import partial

from skorch.callbacks import Callback

from sknn_basics.training.callbacks import (
    FollowSchedule,
    InverseScaling,
    KeepBestWeights,
    LowerRateOnPlateau,
    PrintEpoch,
    RaiseOnDivergence,
    RecordRate,
    StopAfter,
    StopWithoutProgress,
    ValidationScore,
)
from sknn_basics.training.schedules import SCHEDULES, ReduceOnPlateau, Schedule


def schedule_callbacks(
    schedule: str | Schedule | Callable[[int], float],
    rate: float,
    *,
    solver: str | Callable,
    n_epochs: int,
    power_t: float,
    n_seen: int,
    restarts: bool,
) -> list[Callback]:
    """Choose the callback that changes the rate, if any.

    Parameters
    ----------
    schedule : str, Schedule or callable
        The estimator's ``learning_rate``.
    rate : float
        Initial rate.
    solver : str or callable
        As in scikit-learn, 'invscaling' and 'adaptive' do nothing to 'adam'.
    n_epochs : int
        Largest number of epochs.
    power_t : float
        Exponent of 'invscaling'.
    n_seen : int
        Number of samples seen in earlier trainings.
    restarts : bool
        Whether a training that continues another starts the schedule anew.

    Raises
    ------
    ValueError
        If the schedule is a class.
    """
    if isinstance(schedule, type):
        raise ValueError(f"learning_rate must be an object, got the class {schedule.__name__}.")
    if schedule == "invscaling" and solver != "adam":
        return [InverseScaling(rate, power_t, n_seen)]
    if schedule in ("constant", "adaptive", "invscaling"):
        return []
    if isinstance(schedule, str):
        schedule = SCHEDULES[schedule]()
    if isinstance(schedule, ReduceOnPlateau):
        return [LowerRateOnPlateau(schedule)]
    ends = isinstance(schedule, Schedule) and schedule.ends
    if isinstance(schedule, Schedule):
        schedule = partial(schedule, initial_rate=rate, n_epochs=n_epochs)
    return [FollowSchedule(schedule, restarts, n_epochs, ends)]


def stochastic_callbacks(
    *,
    score: Callable | None,
    scoring: str,
    early_stopping: bool,
    max_time: float | None,
    schedule: list[Callback],
    tol: float,
    patience: float,
    adaptive: bool,
    progress: tuple[float, int],
    verbose: bool,
) -> list[Callback]:
    """List the callbacks of a stochastic solver, in the order in which they decide.

    Parameters
    ----------
    score : callable or None
        Scores a net on the validation data, if there are any.
    scoring : str
        What that is called in warnings.
    early_stopping : bool
        Whether the validation score ends the training, and the best weights are kept.
    max_time : float or None
        Seconds after which no epoch begins; the best weights are kept then too.
    schedule : list of Callback
        What `schedule_callbacks` chose.
    tol, patience : float
        Of `StopWithoutProgress`.
    adaptive : bool
        Whether the rate is lowered before the training stops.
    progress : (float, int)
        Best value, and number of epochs waited, in the training that is continued.
    verbose : bool
        Whether to print each epoch.
    """
    callbacks = [RaiseOnDivergence(), *schedule, RecordRate()]
    if score is not None:
        callbacks.append(ValidationScore(score, tol, scoring))
    if early_stopping or (max_time is not None and score is not None):
        callbacks.append(KeepBestWeights())
    if max_time is not None:
        callbacks.append(StopAfter(max_time))
    monitor = "valid_score" if early_stopping else "train_loss"
    stop = StopWithoutProgress(monitor, tol, patience, adaptive)
    stop.best_, stop.n_waiting_ = progress
    return [*callbacks, stop, *([PrintEpoch()] if verbose else [])]
