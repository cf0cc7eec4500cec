"""What all agents share: learning as a story, playing, and saving."""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from itertools import chain, repeat
from math import isfinite
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.validation import check_is_fitted

from sknn_basics._compat import Interval, StrOptions, fit_context
from sknn_basics.agents.episodes import Episode, as_start, opened, play_episode
from sknn_basics.agents.policies import POLICIES, Greedy, Policy, masked
from sknn_basics.agents.progress import Progress
from sknn_basics.agents.schedules import SCHEDULES, value_at
from sknn_basics.estimators._base.saving import (
    as_jsonable,
    check_keys,
    check_version,
    package_version,
    sign,
)

# Moves after which a game is cut that an agent plays without learning: greedy play may never end.
MAX_STEPS = 1000


class Learner(ABC):
    """What an agent is while it learns.

    Parameters
    ----------
    agent : Agent
        Whose parameters and results these are.
    draw : callable
        Draws a number from [0, 1).
    """

    def __init__(self, agent: "Agent", draw: Callable[[], float]):
        self.policy = POLICIES[agent.exploration](draw)
        # How much there is to do, in what the agent's `max_iter` counts; None plays whole games.
        self.limit: int | None = agent.max_iter
        self.dial = agent._dial()
        self.schedule = getattr(agent, self.dial)

    def explore(self, step: int) -> None:
        """Set how much the policy explores at a game or move."""
        setattr(self.policy, self.dial, value_at(self.schedule, step, self.dial))

    @property
    def exploration(self) -> float:
        """How much the policy explores: its epsilon or temperature."""
        return getattr(self.policy, self.dial)

    @property
    @abstractmethod
    def n_done(self) -> int:
        """How much is done, in what the agent's `max_iter` counts."""

    def computing(self) -> AbstractContextManager:
        """Make the context in which it computes."""
        return nullcontext()

    @abstractmethod
    def begin_game(self) -> None:
        """Prepare for a game."""

    @abstractmethod
    def choose(self, observation, mask) -> int:
        """Choose an action."""

    @abstractmethod
    def learn(self, observation, action, reward, seen, following, mask, terminated) -> bool | None:
        """Learn from a move; return True to leave the game."""

    @abstractmethod
    def end_game(self, episode: Episode) -> None:
        """Learn from a whole game."""

    @abstractmethod
    def store(self, agent: "Agent") -> None:
        """Write what is learned into the agent."""


class Agent(CallbackSupportMixin, BaseEstimator, ABC):
    """Base of all agents.

    An agent has parameters as scikit-learn's estimators have, but fits an environment instead of X
    and y. Of an environment it uses ``reset``, ``step``, ``observation_space``, ``action_space``
    and ``info["action_mask"]`` only, as gymnasium describes them.
    """

    _parameter_constraints: dict = {
        "gamma": [Interval(Real, 0, 1, closed="both")],
        "exploration": [StrOptions(set(POLICIES))],
        "epsilon": [Interval(Real, 0, 1, closed="both"), callable],
        "temperature": [Interval(Real, 0, None, closed="neither"), callable],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "max_steps": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "callbacks": [list, tuple, None],
        "warm_start": ["boolean"],
    }

    # What agents define.

    def _check_options(self) -> None:
        """Check what depends on several parameters."""

    @abstractmethod
    def _begin(self, env, rng: np.random.RandomState) -> None:
        """Start with nothing learned."""

    @abstractmethod
    def _go_on(self, env) -> None:
        """Check that the environment is like that of before, and prepare to continue."""

    @abstractmethod
    def _make_learner(self, draw: Callable[[], float], seed: int) -> Learner:
        """Make what learns."""

    @abstractmethod
    def _value_function(self) -> Callable:
        """Make a function that gives the list of an observation's values."""

    @abstractmethod
    def decision_function(self, observations) -> np.ndarray:
        """Compute the values of all actions."""

    # Learning.

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, env):
        """Learn to act in an environment.

        Parameters
        ----------
        env : environment, str or callable
            An object with the interface of `gymnasium.Env`, the id of an environment that gymnasium
            knows, or a function that makes one.

        Returns
        -------
        self : object
            The fitted agent.

        Raises
        ------
        ValueError
            If the environment's spaces do not suit the agent, or a reward is not finite.
        """
        return self._fit(env, continued=self.warm_start and self.__sklearn_is_fitted__())

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, env):
        """Go on learning, for as long as `fit` does.

        Parameters
        ----------
        env : environment, str or callable
            As for `fit`; it may be another one of the same spaces.

        Returns
        -------
        self : object
            The fitted agent.
        """
        return self._fit(env, continued=self.__sklearn_is_fitted__())

    @fit_context(prefer_skip_nested_validation=True)
    def _fit_seeds(self, env, seeds: list[int]):
        """Learn from one game for each seed of the environment."""
        return self._fit(env, continued=False, seeds=seeds)

    def _fit(self, env, continued: bool, seeds: list[int] | None = None):
        """Play and learn: one game for each seed, or for as long as `max_iter` says."""
        context = self._init_callback_context(max_subtasks=None)
        context.call_on_fit_task_begin(estimator=self)
        for callback in self.callbacks or ():
            if not callable(callback):
                raise TypeError(f"callbacks must be functions of agent and game, got {callback!r}.")
        self._check_options()
        rng = check_random_state(self.random_state)
        seed = rng.randint(np.iinfo(np.int32).max)
        with opened(env) as env, self._all_or_nothing():
            if continued:
                self._go_on(env)
            else:
                self.n_episodes_, self.n_steps_ = 0, 0
                self.history_ = {name: np.empty(0) for name in self._recorded()}
                self._begin(env, rng)
            # Each call of partial_fit draws anew.
            sequence = np.random.SeedSequence([seed, self.n_episodes_])
            own, of_env, of_memory = map(int, sequence.generate_state(3))
            learner = self._make_learner(random.Random(own).random, of_memory)
            if seeds is None:
                progress = Progress(self, context, self.max_iter)
                seeds = chain([of_env], repeat(None))
            else:
                progress, learner.limit = Progress(self, context, len(seeds)), None
            with learner.computing():
                self._play(env, learner, seeds, progress)
        context.call_on_fit_task_end(estimator=self)
        return self

    def _play(self, env, learner: Learner, seeds, progress: Progress) -> None:
        """Play games until all is done or a callback stops, and keep what was learned."""
        rows = []
        for number, seed in enumerate(seeds, 1):
            learner.begin_game()
            episode = play_episode(
                env, learner.choose, learner.learn, seed=seed, max_steps=self.max_steps
            )
            total = float(sum(episode.rewards))
            if not isfinite(total):
                raise ValueError(f"env gave rewards that are not finite: {episode.rewards}.")
            learner.end_game(episode)
            self.n_steps_ += len(episode)
            is_stopped = False
            if episode.is_complete:
                self.n_episodes_ += 1
                rows.append((total, len(episode), learner.exploration))
                is_stopped = self.callbacks and self._notify(learner, rows)
            n_done = number if learner.limit is None else learner.n_done
            if progress.reach(n_done, rows) or is_stopped or n_done >= progress.total:
                break
        progress.end()
        self._store(learner, rows)

    def _store(self, learner: Learner, rows: list[tuple]) -> None:
        """Become the agent that has learned from the games so far."""
        learner.store(self)
        n_new = self.n_episodes_ - len(self.history_["return"])
        new = np.reshape(rows[len(rows) - n_new :], (-1, 3)).T
        columns = zip(self._recorded(), new)
        self.history_ = {name: np.append(self.history_[name], own) for name, own in columns}

    def _notify(self, learner: Learner, rows: list[tuple]) -> bool:
        """Tell the callbacks of a game."""
        self._store(learner, rows)
        game = dict(zip(self._recorded(), rows[-1]))
        wants = [callback(self, game) for callback in self.callbacks]  # each is told
        return any(wants)

    def _dial(self) -> str:
        """Tell which parameter says how much is explored."""
        return "epsilon" if self.exploration.startswith("epsilon") else "temperature"

    def _recorded(self) -> tuple[str, str, str]:
        return "return", "length", self._dial()

    @contextmanager
    def _all_or_nothing(self):
        """Undo a failed fit: to the agent from before it."""
        before = dict(vars(self))
        try:
            yield
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    def __sklearn_is_fitted__(self) -> bool:
        return "history_" in vars(self)

    # Acting.

    def predict(self, observations, action_mask=None) -> np.ndarray:
        """Choose the best actions, of equally good ones the first.

        Parameters
        ----------
        observations : array-like of shape (n_observations,) or (n_observations, ...)
            What is seen.
        action_mask : array-like of shape (n_observations, n_actions), default=None
            Which actions are allowed; None allows all.

        Returns
        -------
        actions : ndarray of shape (n_observations,)
            The actions.
        """
        return self._masked_values(observations, action_mask).argmax(axis=1)

    def predict_proba(self, observations, action_mask=None) -> np.ndarray:
        """Compute the probabilities of actions under the exploring policy.

        Parameters
        ----------
        observations : array-like of shape (n_observations,) or (n_observations, ...)
            What is seen.
        action_mask : array-like of shape (n_observations, n_actions), default=None
            Which actions are allowed; None allows all.

        Returns
        -------
        probabilities : ndarray of shape (n_observations, n_actions)
            The probabilities, with the epsilon or temperature of the last game of the fit.
        """
        values = self._masked_values(observations, action_mask)
        policy = self._exploring_policy(None)
        rows = [policy.probabilities(row) for row in values.tolist()]
        return np.reshape(rows, values.shape)

    def _exploring_policy(self, draw) -> Policy:
        """Make the policy with which the fit has ended."""
        policy, dial = POLICIES[self.exploration](draw), self._dial()
        recorded = self.history_.get(dial, ())
        # The parameter may have been changed after the fit.
        value = recorded[-1] if len(recorded) else value_at(getattr(self, dial), 0, dial)
        setattr(policy, dial, float(value))
        return policy

    def _masked_values(self, observations, action_mask) -> np.ndarray:
        values = self.decision_function(observations)
        if action_mask is None:
            return values
        mask = np.asarray(action_mask, dtype=bool)
        if mask.shape != values.shape:
            raise ValueError(f"action_mask must have shape {values.shape}, got {mask.shape}.")
        return np.where(mask, values, -np.inf)

    def evaluate(
        self,
        env,
        n_episodes: int = 10,
        *,
        starts=None,
        max_steps: int | None = MAX_STEPS,
        explore: bool = False,
        random_state=None,
    ) -> Bunch:
        """Play without learning.

        Parameters
        ----------
        env : environment, str or callable
            As for `fit`.
        n_episodes : int, default=10
            Number of games, of each start if there are any.
        starts : sequence, default=None
            How games start: options of the environment's ``reset``, or what is its option 'board';
            None leaves it to the environment.
        max_steps : int or None, default=1000
            Number of moves after which a game is cut; None leaves it to the environment.
        explore : bool, default=False
            Whether to play by the exploring policy, with the epsilon or temperature of the last
            game of the fit. Otherwise the best action is taken, of equally good ones a random one.
        random_state : int, RandomState instance or None, default=None
            Source of the seed of the environment, and of what the agent draws.

        Returns
        -------
        games : sklearn.utils.Bunch
            With arrays ``returns`` and ``lengths`` of shape (n_games,), and ``trajectories``, a
            list of `Episode`.
        """
        check_is_fitted(self)
        options = repeat(None, n_episodes)
        if starts is not None:
            options = (as_start(start) for start in starts for _ in range(n_episodes))
        rng = check_random_state(random_state)
        of_env, own = map(int, rng.randint(np.iinfo(np.int32).max, size=2))
        draw = random.Random(own).random
        policy = self._exploring_policy(draw) if explore else Greedy(draw)
        return self._evaluate(env, policy, options, chain([of_env], repeat(None)), max_steps)

    def _evaluate(self, env, policy: Policy, options, seeds, max_steps) -> Bunch:
        """Play a game for each of the options and seeds."""
        values_of = self._value_function()

        def choose(observation, mask) -> int:
            return policy.choose(masked(values_of(observation), mask))

        with opened(env) as env:
            episodes = [
                play_episode(env, choose, seed=seed, options=option, max_steps=max_steps)
                for option, seed in zip(options, seeds)
            ]
        return Bunch(
            returns=np.array([float(sum(episode.rewards)) for episode in episodes]),
            lengths=np.array([len(episode) for episode in episodes], dtype=int),
            trajectories=episodes,
        )

    def score(self, env, n_episodes: int = 100) -> float:
        """Compute the mean return of games without exploring.

        Parameters
        ----------
        env : environment, str or callable
            As for `fit`.
        n_episodes : int, default=100
            Number of games.

        Returns
        -------
        score : float
            The mean return.
        """
        games = self.evaluate(env, n_episodes, random_state=self.random_state)
        return float(games.returns.mean())

    # Saving.

    def __getstate__(self):
        state = dict(super().__getstate__())
        state["_sknn_basics_version"] = package_version()
        return state

    def __setstate__(self, state):
        state = dict(state)
        check_version(state.pop("_sknn_basics_version"), type(self).__name__)
        super().__setstate__(state)

    def to_json(self) -> str:
        """Describe the agent as text, with its table if it is fitted and has one.

        Returns
        -------
        text : str
            JSON that `sknn_basics.from_json` reads.

        Raises
        ------
        TypeError
            If a parameter is no plain value, schedule or estimator of this package.
        """
        content = {
            "sknn_basics": package_version(),
            "estimator": type(self).__name__,
            "parameters": self.get_params(deep=False),
        }
        for name, value in content["parameters"].items():
            try:
                content["parameters"][name] = as_jsonable(describe(value))
            except TypeError as error:
                raise TypeError(f"{name}={value!r} cannot be written as JSON.") from error
        if self.__sklearn_is_fitted__() and self._json_results:
            fitted = {name: getattr(self, name) for name in self._json_results}
            content["fitted"] = {name: as_jsonable(value) for name, value in fitted.items()}
        return sign(content)

    # Results that `to_json` writes, where these are all there are.
    _json_results: tuple[str, ...] = ()

    @classmethod
    def _from_json(cls, content: dict) -> "Agent":
        """Make an agent of what `to_json` has written."""
        check_keys(content["parameters"], cls._get_param_names(), "'parameters'")
        check_keys(content.get("fitted", {}), cls._json_results, "'fitted'")
        agent = cls(**{name: restore(value) for name, value in content["parameters"].items()})
        vars(agent).update(content.get("fitted", {}))
        return agent


def describe(value):
    """Describe a schedule, or an estimator of this package, in plain values."""
    if type(value).__name__ in SCHEDULES and isinstance(value, tuple(SCHEDULES.values())):
        return {"schedule": type(value).__name__, "arguments": asdict(value)}
    if hasattr(value, "to_json"):
        return {"estimator": value.to_json()}
    return value


def restore(value):
    """Make a schedule or an estimator of its description."""
    if not isinstance(value, dict):
        return value
    if "schedule" in value:
        return SCHEDULES[value["schedule"]](**value["arguments"])
    from sknn_basics.estimators._base.saving import from_json

    return from_json(value["estimator"])
