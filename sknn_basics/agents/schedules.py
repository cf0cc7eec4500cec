"""Values that change while an agent learns."""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real


@dataclass(frozen=True)
class LinearDecay:
    """Go from one value to another in equal steps, and stay there.

    Parameters
    ----------
    start, stop : float
        First and last value.
    n_steps : int
        After how many games, or moves of a `DeepQAgent`, the last value is reached.

    Examples
    --------
    >>> from sknn_basics.agents import LinearDecay
    >>> epsilon = LinearDecay(1.0, 0.1, 3)
    >>> [round(epsilon(game), 2) for game in range(5)]
    [1.0, 0.7, 0.4, 0.1, 0.1]
    """

    start: float
    stop: float
    n_steps: int

    def __post_init__(self):
        if self.n_steps < 1:
            raise ValueError(f"n_steps must be at least 1, got {self.n_steps}.")

    def __call__(self, step: int) -> float:
        """Compute the value of a game or move, counted from 0."""
        share = min(1.0, step / self.n_steps)
        return (1 - share) * self.start + share * self.stop


@dataclass(frozen=True)
class ExponentialDecay:
    """Multiply a value by a factor each time, down to a least value.

    Parameters
    ----------
    start : float
        First value.
    factor : float
        What it is multiplied with after every game, or move of a `DeepQAgent`.
    least : float, default=0.0
        The value does not fall below this.

    Examples
    --------
    >>> from sknn_basics.agents import ExponentialDecay
    >>> [ExponentialDecay(1.0, 0.5, 0.2)(game) for game in range(4)]
    [1.0, 0.5, 0.25, 0.2]
    """

    start: float
    factor: float
    least: float = 0.0

    def __call__(self, step: int) -> float:
        """Compute the value of a game or move, counted from 0."""
        return max(self.least, self.start * self.factor**step)


# Those that can be written as JSON.
SCHEDULES = {kind.__name__: kind for kind in (LinearDecay, ExponentialDecay)}


def value_at(parameter: float | Callable[[int], float], step: int, name: str) -> float:
    """Read a number, or a schedule at a game or move.

    Raises
    ------
    ValueError
        If a schedule gives no number that is at least 0.
    """
    if not callable(parameter):
        return parameter
    value = parameter(step)
    if not isinstance(value, Real) or not value >= 0:
        raise ValueError(f"{name} must give numbers of at least 0, got {value!r} at {step}.")
    return float(value)
