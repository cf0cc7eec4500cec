"""Schedules: the learning rate of each epoch, computed from the initial one."""

import math
from dataclasses import dataclass

__all__ = [
    "CosineAnnealing",
    "ExponentialDecay",
    "OneCycle",
    "ReduceOnPlateau",
    "Schedule",
    "StepDecay",
]


class Schedule:
    """A learning-rate schedule that an estimator's ``learning_rate`` takes.

    Attributes
    ----------
    by_step : bool
        Whether it counts steps (batches) and not epochs.
    ends : bool
        Whether it is made for `n_epochs` epochs, so that calls of ``partial_fit`` beyond these keep
        its last learning rate, and warn.

    Examples
    --------
    A schedule of one's own:

    >>> from sknn_basics.training.schedules import Schedule
    >>> class WarmUp(Schedule):
    ...     def __call__(self, epoch, initial_rate, n_epochs):
    ...         return initial_rate * min(1, (epoch + 1) / 4)
    >>> [WarmUp()(epoch, 1.0, 6) for epoch in range(6)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    """

    by_step = False
    ends = False

    def __call__(self, epoch: int, initial_rate: float, n_epochs: int) -> float:
        """Compute the learning rate of an epoch, counted from 0."""
        raise NotImplementedError


@dataclass(frozen=True)
class StepDecay(Schedule):
    """Multiply the learning rate by `factor` after every `every` epochs (a staircase).

    Parameters
    ----------
    factor : float, default=0.5
        What the learning rate is multiplied with at each step.
    every : int, default=10
        Number of epochs per step.
    by_step : bool, default=False
        Whether it counts steps (batches) and not epochs.

    Examples
    --------
    >>> from sknn_basics.training.schedules import StepDecay
    >>> [StepDecay(factor=0.1, every=2)(epoch, 1.0, 5) for epoch in range(5)]
    [1.0, 1.0, 0.1, 0.1, 0.01]
    """

    factor: float = 0.5
    every: int = 10
    by_step: bool = False

    def __post_init__(self):
        if self.every < 1:
            raise ValueError(f"every must be at least 1, got {self.every}.")

    def __call__(self, epoch: int, initial_rate: float, n_epochs: int) -> float:
        """Compute the learning rate of an epoch, counted from 0."""
        return initial_rate * round(self.factor ** (epoch // self.every), 15)


@dataclass(frozen=True)
class ExponentialDecay(Schedule):
    """Multiply the learning rate by `factor` after every epoch.

    Parameters
    ----------
    factor : float, default=0.95
        What the learning rate is multiplied with.
    by_step : bool, default=False
        Whether it counts steps (batches) and not epochs.

    Examples
    --------
    >>> from sknn_basics.training.schedules import ExponentialDecay
    >>> [ExponentialDecay(factor=0.5)(epoch, 1.0, 3) for epoch in range(3)]
    [1.0, 0.5, 0.25]
    """

    factor: float = 0.95
    by_step: bool = False

    def __call__(self, epoch: int, initial_rate: float, n_epochs: int) -> float:
        """Compute the learning rate of an epoch, counted from 0."""
        return initial_rate * self.factor**epoch


@dataclass(frozen=True)
class CosineAnnealing(Schedule):
    """Fall from the initial learning rate to `final_share` of it along half a cosine.

    Parameters
    ----------
    final_share : float, default=0.0
        The last epoch's rate as a share of the initial one.
    by_step : bool, default=False
        Whether it counts steps (batches) and not epochs.

    References
    ----------
    Loshchilov and Hutter. "SGDR: stochastic gradient descent with warm restarts." ICLR 2017.

    Examples
    --------
    >>> from sknn_basics.training.schedules import CosineAnnealing
    >>> [round(CosineAnnealing()(epoch, 1.0, 5), 3) for epoch in range(5)]
    [1.0, 0.854, 0.5, 0.146, 0.0]
    """

    final_share: float = 0.0
    by_step: bool = False

    ends = True

    def __call__(self, epoch: int, initial_rate: float, n_epochs: int) -> float:
        """Compute the learning rate of an epoch, counted from 0."""
        progress = min(1.0, epoch / max(1, n_epochs - 1))
        return initial_rate * _cosine_between(1.0, self.final_share, progress)


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Rise to the initial learning rate during the first epochs, then fall far below the start.

    Parameters
    ----------
    rising_share : float, default=0.3
        Share of the epochs that rise.
    start_share, final_share : float, default=0.04, 1e-4
        First and last learning rate as shares of the peak, which is the initial learning rate.
    by_step : bool, default=False
        Whether it counts steps (batches) and not epochs.

    References
    ----------
    Smith and Topin. "Super-convergence: very fast training of neural networks using large
    learning rates." 2019.

    Examples
    --------
    >>> from sknn_basics.training.schedules import OneCycle
    >>> [round(OneCycle(rising_share=0.5)(epoch, 1.0, 5), 2) for epoch in range(5)]
    [0.04, 0.52, 1.0, 0.5, 0.0]
    """

    rising_share: float = 0.3
    start_share: float = 0.04
    final_share: float = 1e-4
    by_step: bool = False

    ends = True

    def __call__(self, epoch: int, initial_rate: float, n_epochs: int) -> float:
        """Compute the learning rate of an epoch, counted from 0."""
        last = max(1, n_epochs - 1)
        peak = self.rising_share * last
        if epoch < peak:
            return initial_rate * _cosine_between(self.start_share, 1.0, epoch / peak)
        progress = min(1.0, (epoch - peak) / max(1e-12, last - peak))
        return initial_rate * _cosine_between(1.0, self.final_share, progress)


@dataclass(frozen=True)
class ReduceOnPlateau(Schedule):
    """Multiply the learning rate by `factor` when the loss has not improved for `patience` epochs.

    The loss is the validation loss where there is one, else the training loss.

    Parameters
    ----------
    factor : float, default=0.1
        What the learning rate is multiplied with.
    patience : int, default=5
        Number of epochs without improvement.
    min_rate : float, default=1e-6
        The learning rate does not fall below this.

    Examples
    --------
    >>> from sknn_basics import MLPClassifier
    >>> from sknn_basics.training.schedules import ReduceOnPlateau
    >>> model = MLPClassifier(learning_rate=ReduceOnPlateau(factor=0.5, patience=3), solver="sgd")
    """

    factor: float = 0.1
    patience: int = 5
    min_rate: float = 1e-6


SCHEDULES = {
    "step": StepDecay,
    "exponential": ExponentialDecay,
    "cosine": CosineAnnealing,
    "one_cycle": OneCycle,
    "reduce_on_plateau": ReduceOnPlateau,
}


def _cosine_between(start: float, end: float, progress: float) -> float:
    """Go from start to end along half a cosine, as progress goes from 0 to 1."""
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
