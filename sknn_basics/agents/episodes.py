"""Games from start to end, whoever plays and learns."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from sknn_basics._optional import import_optional


@dataclass
class Episode:
    """A recorded game.

    Parameters
    ----------
    observations : list
        What was seen: one more than there are moves.
    actions : list of int
        What was done.
    rewards : list of float
        What each move gave.
    terminated : bool
        Whether the game came to its end, rather than being cut.
    masks : list of (ndarray of shape (n_actions,) or None)
        The allowed actions at each observation, where the environment tells them.
    is_complete : bool
        Whether it was played until its end or cut, rather than left by who learns.

    Examples
    --------
    >>> from sknn_basics.agents import Episode
    >>> episode = Episode([3, 1, 7], [1, 2], [0.0, 1.0], terminated=True)
    >>> len(episode)
    2
    >>> episode.discounted_return(0.9)
    0.9
    """

    observations: list = field(default_factory=list)
    actions: list = field(default_factory=list)
    rewards: list = field(default_factory=list)
    terminated: bool = False
    masks: list = field(default_factory=list)
    is_complete: bool = True

    def __len__(self) -> int:
        return len(self.actions)

    def discounted_return(self, gamma: float = 1.0) -> float:
        """Sum the rewards, each move's less by a factor than that of the move before.

        Parameters
        ----------
        gamma : float, default=1.0
            The factor.

        Returns
        -------
        total : float
            The discounted return from the first move on.
        """
        total = 0.0
        for reward in reversed(self.rewards):
            total = reward + gamma * total
        return float(total)


@contextmanager
def opened(env) -> Iterator:
    """Give an environment for what a user names it by: itself, its id, or a function.

    Those that are made here are closed at the end.

    Raises
    ------
    TypeError
        If it is none of these.
    """
    if hasattr(env, "reset") and hasattr(env, "step") and not isinstance(env, type):
        yield env
        return
    if isinstance(env, str):
        gymnasium = import_optional("gymnasium", "rl", f"env={env!r}")
        made = gymnasium.make(env, disable_env_checker=True)
    elif callable(env):
        made = env()
    else:
        raise TypeError(
            "env must be an environment with reset and step, the id of one that gymnasium knows, "
            f"or a function that makes one, got {env!r}."
        )
    try:
        yield made
    finally:
        if hasattr(made, "close"):
            made.close()


def play_episode(
    env,
    choose: Callable,
    learn: Callable | None = None,
    *,
    seed: int | None = None,
    options: dict | None = None,
    max_steps: int | None = None,
) -> Episode:
    """Play a game.

    Parameters
    ----------
    env : environment
        With ``reset`` and ``step`` as gymnasium's.
    choose : callable
        Gives the action of (observation, mask), where the mask tells the allowed actions or is
        None. It is asked after every move that does not end the game by the environment's rules,
        also if the game is cut there.
    learn : callable, default=None
        Is told of each move: (observation, action, reward, next observation, next action or None,
        next mask, terminated). If it returns True, the game is left.
    seed : int, default=None
        Seed of the environment.
    options : dict, default=None
        Options of the environment's ``reset``.
    max_steps : int, default=None
        Number of moves after which the game is cut.

    Returns
    -------
    episode : Episode
        What happened.
    """
    observation, info = env.reset(**reset_arguments(seed, options))
    mask = info.get("action_mask")
    episode = Episode([observation], masks=[mask], terminated=bool(info.get("terminated")))
    if episode.terminated:  # some boards are goals
        return episode
    observations, actions, rewards = episode.observations, episode.actions, episode.rewards
    step, masks = env.step, episode.masks
    action, is_over, n_steps = choose(observation, mask), False, 0
    while not is_over:
        seen, reward, terminated, truncated, info = step(action)
        n_steps += 1
        mask = info.get("action_mask") if info else None
        # What a cut game would continue with: its future counts, though nobody plays it.
        following = None if terminated else choose(seen, mask)
        observations.append(seen)
        actions.append(action)
        rewards.append(reward)
        masks.append(mask)
        is_over = terminated or truncated or n_steps == max_steps
        if learn and learn(observation, action, reward, seen, following, mask, terminated):
            episode.is_complete, is_over = is_over, True
        observation, action = seen, following
    episode.terminated = bool(terminated)
    return episode


def reset_arguments(seed: int | None, options: dict | None) -> dict:
    """Collect what ``reset`` is to be told; environments that know neither can do without."""
    given = {"seed": seed, "options": options}
    return {name: value for name, value in given.items() if value is not None}


def as_start(start) -> dict:
    """Read a start: options of ``reset``, or the board of a game."""
    return start if isinstance(start, dict) else {"board": start}


def number_of_actions(env) -> int:
    """Count the actions of an environment.

    Raises
    ------
    ValueError
        If they are not counted from 0.
    """
    return _count(env.action_space, "action_space", "agents choose one of several actions")


def number_of_states(env) -> int:
    """Count the observations of an environment.

    Raises
    ------
    ValueError
        If they are not counted from 0.
    """
    why = "a table has a row for each observation; DeepQAgent takes arrays"
    return _count(env.observation_space, "observation_space", why)


def _count(space, name: str, why: str) -> int:
    number = getattr(space, "n", None)
    if number is None or np.ndim(number) or getattr(space, "start", 0) != 0:
        raise ValueError(f"env.{name} must be Discrete and begin at 0, got {space}: {why}.")
    return int(number)
