"""Which callback changes the learning rate, from an estimator's words for it."""

from collections.abc import Callable
from functools import partial

from skorch.callbacks import Callback

from sknn_basics.training.callbacks import FollowSchedule, InverseScaling, LowerRateOnPlateau
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
    """Choose the callback that changes the learning rate, if any.

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
    by_step = isinstance(schedule, Schedule) and schedule.by_step
    if isinstance(schedule, Schedule):
        schedule = partial(schedule, initial_rate=rate, n_epochs=n_epochs)
    return [FollowSchedule(schedule, restarts, n_epochs, ends, by_step)]
