"""Agents as estimators of seeds, for scikit-learn's searches."""

import random

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from sknn_basics.agents.base import MAX_STEPS, Agent
from sknn_basics.agents.policies import Greedy


class AgentEstimator(BaseEstimator):
    """An agent and its environment, as an estimator of seeds; `as_estimator` makes it.

    Parameters
    ----------
    agent : Agent
        What learns.
    env : environment, str or callable
        Where it learns and is scored.
    max_steps : int or None
        Number of moves after which a game that is scored is cut.

    Attributes
    ----------
    agent_ : Agent
        The fitted agent.
    """

    def __init__(self, agent, env, max_steps=MAX_STEPS):
        self.agent = agent
        self.env = env
        self.max_steps = max_steps

    def fit(self, X, y=None):
        """Learn from one game for each seed.

        Parameters
        ----------
        X : array-like of shape (n_games, 1)
            Seeds of the environment.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        seeds = self._check_seeds(X, reset=True)
        if not isinstance(self.agent, Agent):
            raise TypeError(f"agent must be an agent, got {self.agent!r}.")
        self.agent_ = clone(self.agent)._fit_seeds(self.env, seeds)
        return self

    def score(self, X, y=None) -> float:
        """Compute the mean return of games without exploring, one for each seed.

        Parameters
        ----------
        X : array-like of shape (n_games, 1)
            Seeds of the environment.
        y : None
            Ignored.

        Returns
        -------
        score : float
            The mean return.
        """
        check_is_fitted(self)
        seeds = self._check_seeds(X, reset=False)
        policy = Greedy(random.Random(0).random)
        games = self.agent_._evaluate(self.env, policy, [None] * len(seeds), seeds, self.max_steps)
        return float(games.returns.mean())

    def _check_seeds(self, X, reset: bool) -> list[int]:
        X = validate_data(self, X, reset=reset)
        if X.shape[1] != 1 or np.any(np.floor(X) != X) or np.any(X < 0):
            raise ValueError("X must be a column of whole numbers that are not negative: seeds.")
        return [int(seed) for seed in X[:, 0]]


def as_estimator(agent: Agent, env, *, max_steps: int | None = MAX_STEPS) -> AgentEstimator:
    """Make an estimator of an agent and its environment, for searches and cross-validation.

    Its X is a column of seeds: ``fit`` lets the agent play one game for each, so that there are as
    many games as rows and the agent's `max_iter` does not matter; ``score`` is the mean return of a
    game for each, without exploring.

    Parameters
    ----------
    agent : QLearningAgent or DeepQAgent
        What learns. Its parameters are the estimator's, with ``agent__`` before their names.
    env : environment, str or callable
        Where it learns and is scored: an environment, which is copied for every fit, the id of one
        that gymnasium knows, or a function that makes one.
    max_steps : int or None, default=1000
        Number of moves after which a game that is scored is cut.

    Returns
    -------
    estimator : AgentEstimator
        With ``fit``, ``score`` and, once it is fitted, ``agent_``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sknn_basics.agents import QLearningAgent, as_estimator
    >>> from sknn_basics.environments import Flippers
    >>> estimator = as_estimator(QLearningAgent(random_state=0), Flippers(), max_steps=10)
    >>> seeds = np.arange(800)[:, None]
    >>> search = GridSearchCV(estimator, {"agent__gamma": [0.0, 0.5]}, cv=2).fit(seeds)
    >>> search.best_params_
    {'agent__gamma': 0.5}
    """
    return AgentEstimator(agent, env, max_steps)
