"""Policies: from the values of all actions to the one that is taken.

Values are a list with a number for each action; an action that is not allowed has the value -inf.
"""

from collections.abc import Callable, Sequence
from math import exp, inf, log

from scipy.optimize import brentq

# How closely the rate of a mellowmax policy is found.
TOLERANCE = 1e-10


def mellowmax(values: Sequence[float], temperature: float = 1.0) -> float:
    """Compute a smooth maximum, which lies between the mean and the maximum.

    It is T log(mean(exp(values / T))) with the temperature T: the mean if T is large, the maximum
    if T is small. Unlike the mean under a softmax policy, it never moves further than the values
    do.

    Parameters
    ----------
    values : sequence of float
        Values of actions; those of -inf are left out.
    temperature : float, default=1.0
        The temperature, greater than 0; the reciprocal of the paper's omega.

    Returns
    -------
    value : float
        The smooth maximum.

    References
    ----------
    Asadi and Littman. "An alternative softmax operator for reinforcement learning." ICML 2017.

    Examples
    --------
    >>> from sknn_basics.agents import mellowmax
    >>> [round(mellowmax([0.0, 1.0], temperature), 3) for temperature in (0.01, 1, 100)]
    [0.993, 0.62, 0.501]
    """
    allowed = [value for value in values if value > -inf]
    best = max(allowed)
    total = sum(exp((value - best) / temperature) for value in allowed)
    return best + temperature * log(total / len(allowed))


class Policy:
    """A way to act that gives each action a probability.

    Parameters
    ----------
    random : callable
        Draws a number from [0, 1).
    """

    def __init__(self, random: Callable[[], float]):
        self.random = random

    def probabilities(self, values: Sequence[float]) -> list[float]:
        """Compute the probability of each action."""
        raise NotImplementedError

    def choose(self, values: Sequence[float]) -> int:
        """Draw an action."""
        remaining = self.random()
        probabilities = self.probabilities(values)
        for action, probability in enumerate(probabilities):
            remaining -= probability
            if remaining < 0:
                return action
        # Rounding has left a little.
        return probabilities.index(max(probabilities))

    def expect(self, values: Sequence[float]) -> float:
        """Compute the mean value of the action that is taken."""
        return sum(p * value for p, value in zip(self.probabilities(values), values) if p)


class Greedy(Policy):
    """Take the best action, of several a random one."""

    def probabilities(self, values):
        best = max(values)
        share = 1 / values.count(best)
        return [share if value == best else 0.0 for value in values]

    def choose(self, values):
        best = max(values)
        number = values.count(best)
        if number == 1:
            return values.index(best)
        ties = [action for action, value in enumerate(values) if value == best]
        return ties[int(self.random() * number)]


class EpsilonGreedy(Greedy):
    """Take the best action, or with probability epsilon one of the others."""

    epsilon = 0.0

    def probabilities(self, values):
        greedy = super().probabilities(values)
        n_allowed = sum(value > -inf for value in values)
        if n_allowed == 1:
            return greedy
        # Any of equally good actions is the greedy one, and one of the others if it is not.
        share = self.epsilon / (n_allowed - 1)
        return [
            p * (1 - self.epsilon) + (1 - p) * share if value > -inf else 0.0
            for p, value in zip(greedy, values)
        ]

    def expect(self, values):
        allowed = [value for value in values if value > -inf]
        best, n_others = max(allowed), len(allowed) - 1
        if not n_others:
            return best
        return (1 - self.epsilon) * best + self.epsilon * (sum(allowed) - best) / n_others

    def choose(self, values):
        action = super().choose(values)
        if self.random() >= self.epsilon:
            return action
        others = [i for i, value in enumerate(values) if value > -inf and i != action]
        return others[int(self.random() * len(others))] if others else action


class EpsilonSoft(Greedy):
    """Take the best action, or with probability epsilon any."""

    epsilon = 0.0

    def probabilities(self, values):
        share = self.epsilon / sum(value > -inf for value in values)
        return [
            p * (1 - self.epsilon) + share if value > -inf else 0.0
            for p, value in zip(super().probabilities(values), values)
        ]

    def expect(self, values):
        allowed = [value for value in values if value > -inf]
        return (1 - self.epsilon) * max(allowed) + self.epsilon * sum(allowed) / len(allowed)

    def choose(self, values):
        if self.random() >= self.epsilon:
            return super().choose(values)
        allowed = [action for action, value in enumerate(values) if value > -inf]
        return allowed[int(self.random() * len(allowed))]


class Softmax(Policy):
    """Take actions with probabilities that grow exponentially with their values."""

    temperature = 1.0

    def probabilities(self, values):
        return softmax(values, self.temperature)


class Mellowmax(Policy):
    """Take actions as undecidedly as possible while their mean value is the mellowmax.

    That is a softmax too, but with another temperature for all values of a state.
    """

    temperature = 1.0

    def probabilities(self, values):
        best = max(values)
        allowed = [value for value in values if value > -inf]
        spread = best - min(allowed)
        # As shares of their spread, whatever their scale.
        shares = [(value - best) / spread if spread else 0 * value for value in allowed]
        rate = mellow_rate(shares, self.temperature / spread) if spread else 0.0
        weights = iter(softmax([rate * share for share in shares], 1.0))
        return [next(weights) if value > -inf else 0.0 for value in values]


def mellow_rate(values: list[float], temperature: float) -> float:
    """Find the rate b for which the mean under a softmax of b times the values is mellowmax."""
    wanted = mellowmax(values, temperature)

    def excess(rate: float) -> float:
        weights = softmax([rate * value for value in values], 1.0)
        return sum(weight * value for weight, value in zip(weights, values)) - wanted

    if excess(0.0) >= 0:  # up to rounding, at a very high temperature
        return 0.0
    high = 1.0
    while excess(high) < 0:
        high *= 2
    return brentq(excess, 0.0, high, xtol=TOLERANCE)


def softmax(values: Sequence[float], temperature: float) -> list[float]:
    """Compute the softmax of values divided by a temperature."""
    best = max(values)
    weights = [exp((value - best) / temperature) for value in values]
    total = sum(weights)
    return [weight / total for weight in weights]


POLICIES = {
    "epsilon": EpsilonGreedy,
    "epsilon_soft": EpsilonSoft,
    "softmax": Softmax,
    "mellowmax": Mellowmax,
}


def masked(values: list[float], mask) -> list[float]:
    """Give actions that are not allowed the value -inf."""
    if mask is None:
        return values
    return [value if allowed else -inf for value, allowed in zip(values, mask)]
