"""Recorded moves, from which networks learn."""

from typing import NamedTuple

import numpy as np

# How much the last error of a move counts in prioritized replay, and how much of the bias that
# comes of it is corrected.
PRIORITY_EXPONENT, CORRECTION_EXPONENT = 0.6, 0.4
# What is added to an error, so that every move can be drawn again.
LEAST_PRIORITY = 1e-6


class Moves(NamedTuple):
    """A batch of moves.

    Attributes
    ----------
    places : ndarray of shape (n_moves,)
        Where the memory has them.
    observations, following : ndarray of shape (n_moves, ...)
        What was seen before and after.
    actions : ndarray of shape (n_moves, 1)
        What was done.
    rewards : ndarray of shape (n_moves, 1)
        What it gave.
    discounts : ndarray of shape (n_moves, 1)
        What the future after it is worth; 0 where the game has ended.
    masks : ndarray of shape (n_moves, n_actions) or None
        Which actions are allowed after it; None if all are.
    """

    places: np.ndarray
    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    following: np.ndarray
    discounts: np.ndarray
    masks: np.ndarray | None


class MoveMemory:
    """The last moves, of which batches are drawn.

    Parameters
    ----------
    capacity : int
        How many are kept.
    shape : tuple of int
        Shape of an observation.
    dtype : dtype
        Data type of observations.
    n_actions : int
        Number of actions.
    """

    def __init__(self, capacity: int, shape: tuple[int, ...], dtype, n_actions: int):
        self.capacity, self.n_actions, self.n_added = capacity, n_actions, 0
        self.observations = np.zeros((capacity, *shape), dtype)
        self.following = np.zeros_like(self.observations)
        self.actions = np.zeros((capacity, 1), np.int64)
        self.rewards = np.zeros((capacity, 1), np.float32)
        self.discounts = np.zeros((capacity, 1), np.float32)
        self.priorities = np.zeros(capacity)
        self.masks = None

    def __len__(self) -> int:
        return min(self.n_added, self.capacity)

    def add(self, observation, action, reward, following, discount, mask=None) -> None:
        """Record a move, in the place of the oldest if there are too many."""
        place = self.n_added % self.capacity
        self.observations[place], self.following[place] = observation, following
        self.actions[place], self.rewards[place] = action, reward
        self.discounts[place] = discount
        if mask is not None:
            if self.masks is None:
                self.masks = np.ones((self.capacity, self.n_actions), bool)
            self.masks[place] = mask
        # A new move is drawn as soon as any.
        self.priorities[place] = self.priorities[: len(self)].max(initial=0.0) or 1.0
        self.n_added += 1

    def draw(self, n_moves: int, rng: np.random.Generator) -> Moves:
        """Draw moves, each as probable as any other."""
        return self.take(rng.integers(len(self), size=n_moves))

    def draw_by_priority(self, n_moves: int, rng: np.random.Generator) -> tuple[Moves, np.ndarray]:
        """Draw moves by the size of their last errors; return also the weights that correct it.

        References
        ----------
        Schaul et al. "Prioritized experience replay." ICLR 2016.
        """
        totals = np.cumsum(self.priorities[: len(self)])
        places = np.searchsorted(totals, rng.random(n_moves) * totals[-1], side="right")
        places = np.minimum(places, len(self) - 1)
        weights = self.priorities[places] ** -CORRECTION_EXPONENT
        return self.take(places), (weights / weights.max()).astype(np.float32)[:, None]

    def set_errors(self, places: np.ndarray, errors: np.ndarray) -> None:
        """Make moves as probable as the size of their errors says."""
        self.priorities[places] = (np.abs(errors) + LEAST_PRIORITY) ** PRIORITY_EXPONENT

    def take(self, places: np.ndarray) -> Moves:
        """Collect moves by their places."""
        return Moves(
            places,
            self.observations[places],
            self.actions[places],
            self.rewards[places],
            self.following[places],
            self.discounts[places],
            None if self.masks is None else self.masks[places],
        )

    def __getstate__(self):
        arrays = {k: v[: len(self)] for k, v in vars(self).items() if isinstance(v, np.ndarray)}
        return {**vars(self), **arrays}

    def __setstate__(self, state):
        vars(self).update(state)
        for name, value in state.items():
            if isinstance(value, np.ndarray):
                fill = np.ones if name == "masks" else np.zeros
                whole = fill((self.capacity, *value.shape[1:]), value.dtype)
                whole[: len(value)] = value
                setattr(self, name, whole)
