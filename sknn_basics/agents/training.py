"""What is done with agents besides a single fit."""

import pickle
import random
from copy import deepcopy
from os import PathLike
from pathlib import Path

import numpy as np
from sklearn.utils import check_random_state

from sknn_basics.agents.base import Agent
from sknn_basics.agents.policies import masked
from sknn_basics.training.saving import replace_when_complete


class Checkpoint:
    """A callback that saves an agent while it learns.

    The file is a pickle of the agent, whose ``partial_fit`` continues. It is replaced only when a
    new one is complete.

    Parameters
    ----------
    path : str or path-like
        Name of the file.
    every : int, default=1000
        Number of games after which it is written.

    Examples
    --------
    >>> import pickle
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sknn_basics.agents import Checkpoint, QLearningAgent
    >>> from sknn_basics.environments import Flippers
    >>> with TemporaryDirectory() as folder:
    ...     checkpoint = Checkpoint(Path(folder, "agent.pickle"), every=200)
    ...     agent = QLearningAgent(max_iter=300, callbacks=[checkpoint], random_state=0)
    ...     agent = agent.fit(Flippers())
    ...     saved = pickle.loads(Path(folder, "agent.pickle").read_bytes())
    >>> saved.n_episodes_
    200
    """

    def __init__(self, path: str | PathLike, every: int = 1000):
        if every < 1:
            raise ValueError(f"every must be at least 1, got {every}.")
        self.path, self.every = path, every

    def __call__(self, agent: Agent, game: dict) -> None:
        """Save the agent after each so many games."""
        if agent.n_episodes_ % self.every:
            return
        content = pickle.dumps(agent)
        with replace_when_complete({"path": self.path}) as temporary:
            Path(temporary["path"]).write_bytes(content)


class FormerSelf:
    """An opponent that plays as an agent has learned so far, and explores as it does.

    Parameters
    ----------
    agent : Agent
        Fitted agent, of which a copy plays.
    """

    def __init__(self, agent: Agent):
        seed = check_random_state(agent.random_state).randint(np.iinfo(np.int32).max)
        copy = deepcopy(agent)
        self.policy = copy._exploring_policy(random.Random(int(seed) + copy.n_episodes_).random)
        self.values_of = copy._value_function()

    def __call__(self, observation, mask) -> int:
        """Choose an action."""
        return self.policy.choose(masked(self.values_of(observation), mask))


def self_play(agent: Agent, env, n_rounds: int = 10) -> Agent:
    """Let an agent learn against copies of itself.

    In each round, the opponent is the agent as it was at the end of the last one, and explores as
    it did, so that games differ; in the first, if it is not fitted yet, it is the environment's
    own.

    Parameters
    ----------
    agent : QLearningAgent or DeepQAgent
        Who learns, for `max_iter` in every round.
    env : environment
        A game with an attribute `opponent`, such as `sknn_basics.environments.TicTacToe`. With
        ``side="random"``, sides are swapped from game to game. Its opponent is put back at the end.
    n_rounds : int, default=10
        Number of rounds.

    Returns
    -------
    agent : QLearningAgent or DeepQAgent
        The agent, fitted.

    Raises
    ------
    ValueError
        If the environment has no opponent.

    References
    ----------
    Samuel. "Some studies in machine learning using the game of checkers." IBM Journal of Research
    and Development 3.3 (1959): 210-229.

    Examples
    --------
    >>> from sknn_basics.agents import QLearningAgent, self_play
    >>> from sknn_basics.environments import TicTacToe
    >>> game = TicTacToe(side="random", illegal_moves="masked")
    >>> agent = self_play(QLearningAgent(gamma=0.9, max_iter=200, random_state=0), game, n_rounds=3)
    >>> agent.n_episodes_
    600
    """
    game = getattr(env, "unwrapped", env)
    if not hasattr(game, "opponent"):
        raise ValueError(f"env must have an attribute opponent, but {env!r} has none.")
    first = game.opponent
    try:
        for _ in range(n_rounds):
            if agent.__sklearn_is_fitted__():
                game.opponent = FormerSelf(agent)
            agent.partial_fit(env)
    finally:
        game.opponent = first
    return agent
