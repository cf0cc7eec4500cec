"""Agents with a table: L-learning, Q-learning, SARSA and their kin."""

from collections.abc import Callable
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sknn_basics._compat import Interval, StrOptions
from sknn_basics.agents.base import Agent, Learner
from sknn_basics.agents.episodes import Episode, number_of_actions, number_of_states
from sknn_basics.agents.policies import masked
from sknn_basics.agents.schedules import value_at

# The most cells that a table may have: lists of as many numbers take about half a gigabyte.
LARGEST_TABLE = 2**24


class TableLearner(Learner):
    """A table as lists, which Python reads and writes faster than arrays.

    Subclasses say what a move is worth (`future`), or learn otherwise.
    """

    def __init__(self, agent: "QLearningAgent", draw: Callable[[], float]):
        super().__init__(agent, draw)
        self.draw, self.gamma = draw, agent.gamma
        self.alphas, self.alpha = agent.alpha, 0.0
        self.table, self.visits = agent.q_table_.tolist(), agent.n_visits_.tolist()
        self.visited = set()
        self.n_before, self.n_games = agent.n_episodes_, 0
        self.memory = Memory(agent.replay_size, draw, agent._memory)
        self.replay = agent.replay

    @property
    def n_done(self) -> int:
        return self.n_games

    def begin_game(self) -> None:
        number = self.n_before + self.n_games
        self.explore(number)
        self.alpha = value_at(self.alphas, number, "alpha")

    def choose(self, state, mask) -> int:
        return self.policy.choose(masked(self.table[state], mask))

    def learn(self, state, action, reward, seen, following, mask, terminated) -> None:
        self.visits[state][action] += 1
        self.visited.add(state)
        self.update(state, action, reward, seen, following, mask, terminated)
        if self.replay == "transitions":
            self.memory.add((state, action, reward, seen, following, mask, terminated))
            self.update(*self.memory.draw_one())

    def update(self, state, action, reward, seen, following, mask, terminated) -> None:
        """Move a cell towards the reward and what the future is worth."""
        target = reward if terminated else reward + self.gamma * self.future(seen, following, mask)
        row = self.table[state]
        row[action] = (1 - self.alpha) * row[action] + self.alpha * target

    def future(self, state, action, mask) -> float:
        """Compute what is expected from a state on, where an action is taken next."""
        raise NotImplementedError

    def end_game(self, episode: Episode) -> None:
        self.n_games += 1
        if self.replay == "sequences":
            self.memory.add(episode)
            self.play_again(self.memory.draw_one())

    def play_again(self, episode: Episode) -> None:
        """Learn from a recorded game as if it were played now."""
        moves = zip(episode.observations, episode.actions, episode.rewards)
        for number, (state, action, reward) in enumerate(moves, 1):
            self.visited.add(state)
            seen, mask = episode.observations[number], episode.masks[number]
            is_last = number == len(episode)
            following = None if is_last else episode.actions[number]
            if is_last and not episode.terminated:
                following = self.choose(seen, mask)
            terminated = is_last and episode.terminated
            self.update(state, action, reward, seen, following, mask, terminated)

    def store(self, agent: "QLearningAgent") -> None:
        """Write the rows that have changed."""
        for row in self.visited:
            agent.q_table_[row], agent.n_visits_[row] = self.table[row], self.visits[row]
        agent._memory = self.memory.items
        self.visited.clear()


class QLearner(TableLearner):
    """Expect the best action."""

    def future(self, state, action, mask):
        return max(masked(self.table[state], mask))


class SARSALearner(TableLearner):
    """Expect the action that is taken."""

    def future(self, state, action, mask):
        return self.table[state][action]


class ExpectedSARSALearner(TableLearner):
    """Expect the mean of what the policy may take."""

    def future(self, state, action, mask):
        return self.policy.expect(masked(self.table[state], mask))


class DoubleQLearner(TableLearner):
    """Let one of two tables choose the best action, and the other tell its value.

    Actions are chosen by the mean of both.
    """

    def __init__(self, agent, draw):
        super().__init__(agent, draw)
        self.tables = agent.q_tables_.tolist()

    def update(self, state, action, reward, seen, following, mask, terminated) -> None:
        own, other = self.tables
        if self.draw() < 0.5:
            own, other = other, own
        target = reward
        if not terminated:
            values = masked(own[seen], mask)
            target = reward + self.gamma * other[seen][values.index(max(values))]
        row = own[state]
        row[action] = (1 - self.alpha) * row[action] + self.alpha * target
        self.table[state][action] = (row[action] + other[state][action]) / 2

    def store(self, agent) -> None:
        for row in self.visited:
            agent.q_tables_[:, row] = [table[row] for table in self.tables]
        super().store(agent)


class GameLearner(TableLearner):
    """L-learning: after a game, every cell played moves to the game's last reward."""

    def update(self, state, action, reward, seen, following, mask, terminated) -> None:
        pass

    def end_game(self, episode: Episode) -> None:
        self.learn_game(episode)
        super().end_game(episode)

    def play_again(self, episode: Episode) -> None:
        self.visited.update(episode.observations[:-1])
        self.learn_game(episode)

    def learn_game(self, episode: Episode) -> None:
        for state, action in dict.fromkeys(zip(episode.observations, episode.actions)):
            row = self.table[state]
            row[action] = (1 - self.alpha) * row[action] + self.alpha * episode.rewards[-1]


class Memory:
    """The last things that were added, of which one can be drawn."""

    def __init__(self, size: int, draw: Callable[[], float], items: list):
        self.size, self.draw, self.items = size, draw, list(items[-size:])
        self.place = 0

    def add(self, item) -> None:
        """Add one, in the place of the oldest if there are too many."""
        if len(self.items) < self.size:
            self.items.append(item)
        else:
            self.items[self.place] = item
            self.place = (self.place + 1) % self.size

    def draw_one(self):
        """Draw any of them."""
        return self.items[int(self.draw() * len(self.items))]


LEARNERS = {
    "q": QLearner,
    "sarsa": SARSALearner,
    "expected_sarsa": ExpectedSARSALearner,
    "double_q": DoubleQLearner,
    "game": GameLearner,
}


class QLearningAgent(Agent):
    """An agent with a table: a value for each observation and action.

    After every move from state s by action a with reward r to state s', the value of the move goes
    towards its target,

        Q(s, a) <- (1 - alpha) Q(s, a) + alpha (r + gamma F(s')),

    where F is what is expected from s' on, which `update` says. It is nothing if the move has ended
    the game by the rules (``terminated``), but counts if the game was only cut (``truncated``).

    Parameters
    ----------
    alpha : float or callable, default=0.3
        Learning rate, in (0, 1]; or a function from the number of a game to it.
    gamma : float, default=0.5
        Discount factor, in [0, 1]: what a reward is worth that comes a move later.
    exploration : {'epsilon', 'epsilon_soft', 'softmax', 'mellowmax'}, default='epsilon'
        How actions are chosen while learning: the best, or with probability `epsilon` one of the
        others; the best, or with probability `epsilon` any; with the probabilities of a softmax of
        the values divided by `temperature`; or as undecidedly as possible while the mean value is
        the `mellowmax` of that temperature. Of equally good actions, a random one is the best.
    epsilon : float or callable, default=0.1
        Probability of exploring; or a function from the number of a game to it, such as
        `LinearDecay`.
    temperature : float or callable, default=1.0
        Temperature of 'softmax' and 'mellowmax', or a function from the number of a game to it.
    initial_value : float, default=0.0
        Value of actions that were never taken; a high one makes an agent try everything.
    update : {'q', 'sarsa', 'expected_sarsa', 'double_q', 'game'}, default='q'
        What is expected from s' on: the largest value there (Q-learning); the value of the action
        that is taken next (SARSA); the mean value under the policy (expected SARSA); or the value
        in one table of the best action of another (double Q-learning). 'game' is L-learning: after
        a game, the last reward is the target of all moves played, and `gamma` does not matter.
    replay : {'sequences', 'transitions'}, default=None
        What is learned again: after each game a recorded one, move by move with its actions and
        rewards; or after each move a recorded one; None learns nothing again.
    replay_size : int, default=100
        Number of last games, or moves, that are recorded.
    max_iter : int, default=3000
        Number of games.
    max_steps : int, default=None
        Number of moves after which a game is cut; None leaves it to the environment.
    random_state : int, RandomState instance or None, default=None
        Source of the seed of the environment, and of all that the agent draws.
    verbose : bool or int, default=False
        Whether to print a line after every twentieth of the games.
    callbacks : list of callable, default=None
        Functions that are called after each game with the agent and a dict of what `history_`
        records; if one returns True, learning stops.
    warm_start : bool, default=False
        Whether `fit` continues with the table of the last one.

    Attributes
    ----------
    q_table_ : ndarray of shape (n_states, n_actions)
        The values.
    q_tables_ : ndarray of shape (2, n_states, n_actions)
        The two tables of double Q-learning, whose mean is `q_table_`.
    n_visits_ : ndarray of shape (n_states, n_actions)
        How often each action was taken.
    history_ : dict of str to ndarray of shape (n_episodes,)
        For each game its 'return', the sum of rewards, its 'length', and the 'epsilon' or
        'temperature' with which it was played.
    n_episodes_, n_steps_ : int
        Number of games and of moves so far.

    See Also
    --------
    DeepQAgent : The same with a network in place of the table.
    as_estimator : An agent and its environment, for searches and cross-validation.

    Notes
    -----
    L-learning as courses tell it is ``QLearningAgent(alpha=1, epsilon=0, update="game")`` with
    ``Flippers(reward="game_length")``. Without exploration it can go round in circles: give it
    `max_steps`.

    References
    ----------
    Watkins and Dayan. "Q-learning." Machine Learning 8 (1992): 279-292.

    Rummery and Niranjan. "On-line Q-learning using connectionist systems." 1994.

    van Seijen et al. "A theoretical and empirical analysis of expected Sarsa." ADPRL 2009.

    van Hasselt. "Double Q-learning." NeurIPS 2010.

    Lin. "Self-improving reactive agents based on reinforcement learning, planning and teaching."
    Machine Learning 8 (1992): 293-321.

    Examples
    --------
    >>> from sknn_basics.agents import QLearningAgent
    >>> from sknn_basics.environments import Flippers
    >>> agent = QLearningAgent(max_iter=5000, random_state=0).fit(Flippers())
    >>> games = agent.evaluate(Flippers(), n_episodes=1, starts=range(512), random_state=0)
    >>> bool(games.lengths.mean() < 4)
    True
    """

    _parameter_constraints: dict = {
        **Agent._parameter_constraints,
        "alpha": [Interval(Real, 0, 1, closed="right"), callable],
        "initial_value": [Interval(Real, None, None, closed="neither")],
        "update": [StrOptions(set(LEARNERS))],
        "replay": [StrOptions({"sequences", "transitions"}), None],
        "replay_size": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        alpha=0.3,
        gamma=0.5,
        *,
        exploration="epsilon",
        epsilon=0.1,
        temperature=1.0,
        initial_value=0.0,
        update="q",
        replay=None,
        replay_size=100,
        max_iter=3000,
        max_steps=None,
        random_state=None,
        verbose=False,
        callbacks=None,
        warm_start=False,
    ):
        self.alpha = alpha
        self.gamma = gamma
        self.exploration = exploration
        self.epsilon = epsilon
        self.temperature = temperature
        self.initial_value = initial_value
        self.update = update
        self.replay = replay
        self.replay_size = replay_size
        self.max_iter = max_iter
        self.max_steps = max_steps
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks
        self.warm_start = warm_start

    _json_results = ("q_table_", "n_visits_", "history_", "n_episodes_", "n_steps_", "_memory")

    def _check_options(self) -> None:
        if self.update == "game" and self.replay == "transitions":
            raise ValueError(
                "update='game' learns from whole games: use replay='sequences', not 'transitions'."
            )

    def _begin(self, env, rng) -> None:
        shape = number_of_states(env), number_of_actions(env)
        if np.prod(shape, dtype=float) > LARGEST_TABLE:
            raise ValueError(
                f"A table of {shape[0]} observations and {shape[1]} actions is too large: "
                "use DeepQAgent."
            )
        self.q_table_ = np.full(shape, float(self.initial_value))
        self.n_visits_ = np.zeros(shape, dtype=int)
        self._memory = []
        if self.update == "double_q":
            self.q_tables_ = np.stack([self.q_table_] * 2)

    def _go_on(self, env) -> None:
        shape = number_of_states(env), number_of_actions(env)
        if shape != self.q_table_.shape:
            raise ValueError(
                f"env has {shape[0]} observations and {shape[1]} actions, but the agent continues "
                f"with a table of shape {self.q_table_.shape}."
            )
        self._copy_tables()

    def _copy_tables(self) -> None:
        """Leave the tables from before to a fit that fails."""
        self.q_table_, self.n_visits_ = self.q_table_.copy(), self.n_visits_.copy()
        if self.update == "double_q":
            self.q_tables_ = np.copy(getattr(self, "q_tables_", [self.q_table_] * 2))

    def _make_learner(self, draw, seed) -> TableLearner:
        return LEARNERS[self.update](self, draw)

    def replay_episodes(self, episodes):
        """Learn from recorded games as if they were played now.

        Parameters
        ----------
        episodes : list of Episode
            The games, such as the trajectories of `evaluate`.

        Returns
        -------
        self : object
            The agent.
        """
        check_is_fitted(self)
        self._check_options()
        rng = check_random_state(self.random_state)
        with self._all_or_nothing():
            self._copy_tables()
            learner = self._make_learner(rng.random_sample, 0)
            learner.begin_game()
            for episode in episodes:
                learner.play_again(episode)
            learner.store(self)
        return self

    def _value_function(self) -> Callable:
        return self.q_table_.tolist().__getitem__

    def decision_function(self, observations) -> np.ndarray:
        """Look up the values of all actions.

        Parameters
        ----------
        observations : array-like of shape (n_observations,)
            Numbers of states.

        Returns
        -------
        values : ndarray of shape (n_observations, n_actions)
            Their rows of the table.

        Raises
        ------
        ValueError
            If there is no such state.
        """
        check_is_fitted(self)
        states = np.asarray(observations)
        n_states = len(self.q_table_)
        if states.ndim != 1 or (states.size and states.dtype.kind not in "iu"):
            raise ValueError(f"observations must be a list of whole numbers, got {states}.")
        if states.size and not (states.min() >= 0 and states.max() < n_states):
            raise ValueError(f"observations must be from 0 to {n_states - 1}, got {states}.")
        return self.q_table_[states.astype(int)]
