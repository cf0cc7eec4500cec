"""Deep Q-learning: a network in place of the table."""

from collections import deque
from collections.abc import Callable
from copy import deepcopy
from math import isfinite
from numbers import Integral

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted
from torch import nn
from torch.nn import functional as F

from sknn_basics._compat import Interval, StrOptions, add_scaled
from sknn_basics.agents.base import Agent, Learner
from sknn_basics.agents.episodes import Episode, number_of_actions
from sknn_basics.agents.memory import MoveMemory, Moves
from sknn_basics.agents.policies import masked
from sknn_basics.agents.schedules import LinearDecay
from sknn_basics.estimators.convolutional import ConvNetRegressor
from sknn_basics.estimators.dense import MLPRegressor
from sknn_basics.training.devices import threads_for_step

# Losses a move by the estimator's name of them.
LOSSES = {
    "squared_error": lambda values, targets: 0.5 * F.mse_loss(values, targets, reduction="none"),
    "absolute_error": lambda values, targets: F.l1_loss(values, targets, reduction="none"),
    "huber": lambda values, targets: F.huber_loss(values, targets, reduction="none"),
}

# Parameters of the estimator that deep Q-learning has no use for, and what they must be.
WITHOUT_EFFECT = {
    "learning_rate": "constant",
    "early_stopping": False,
    "callbacks": None,
    "max_norm": None,
}


class Inputs:
    """How observations come into a network.

    Parameters
    ----------
    space : gymnasium.spaces.Discrete or gymnasium.spaces.Box
        What is observed. A number becomes a one-hot vector.
    is_flat : bool
        Whether the network takes vectors only.

    Raises
    ------
    ValueError
        If the space is neither.
    """

    def __init__(self, space, is_flat: bool):
        number, shape = getattr(space, "n", None), getattr(space, "shape", None)
        self.n_states = None if number is None or np.ndim(number) else int(number)
        if self.n_states is None and not shape:
            raise ValueError(f"env.observation_space must be Discrete or Box, got {space}.")
        self.shape = () if self.n_states else tuple(shape)
        dtype = np.dtype(getattr(space, "dtype", None) or np.float32)
        # Bytes of images stay bytes in the memory.
        self.dtype = np.int64 if self.n_states else (dtype if dtype == np.uint8 else np.float32)
        self.is_flat = is_flat

    def __eq__(self, other) -> bool:
        return vars(self) == vars(other)

    def as_array(self, observations) -> np.ndarray:
        """Turn observations into what the network's estimator takes as X."""
        observations = np.asarray(observations)
        if observations.shape[1:] != self.shape:
            raise ValueError(
                f"observations must have shape (n_observations, *{self.shape}), "
                f"got {observations.shape}."
            )
        if self.n_states:
            if not np.isin(observations, np.arange(self.n_states)).all():
                raise ValueError(f"observations must be from 0 to {self.n_states - 1}.")
            return np.eye(self.n_states, dtype=np.float32)[observations.astype(int)]
        if self.is_flat:
            observations = observations.reshape(len(observations), -1)
        return observations.astype(np.float32)

    def as_tensor(self, observations: np.ndarray, device: torch.device) -> torch.Tensor:
        """Do the same with a batch of the memory, as a tensor."""
        tensor = torch.from_numpy(observations).to(device)
        if self.n_states:
            return F.one_hot(tensor, self.n_states).float()
        return (tensor.flatten(1) if self.is_flat else tensor).float()


class DeepQLearner(Learner):
    """A network, its copy of some time ago, and the moves from which it learns."""

    def __init__(self, agent: "DeepQAgent", draw: Callable[[], float], seed: int):
        super().__init__(agent, draw)
        self.agent, self.rng = agent, np.random.default_rng(seed)
        self.memory, self.inputs = agent._memory, agent._inputs
        network = agent.network_
        self.module, self.optimiser = network.module_, network.net_.optimizer_
        parameters = list(self.module.parameters())
        self.trainable = [p for p in parameters if p.requires_grad]
        self.decayed = [p for p in self.trainable if p.dim() > 1]
        self.device = parameters[0].device
        self.n_weights = sum(p.numel() for p in parameters)
        self.n_multiplications = getattr(self.module, "n_multiplications", None) or self.n_weights
        self.compute_loss = LOSSES[network.loss]
        self.penalty, self.clip = network.alpha / agent.batch_size, network.clip_grad_norm
        self.target = deepcopy(self.module).eval().requires_grad_(False)
        load_arrays(self.target, agent._target)
        self.n_before, self.n_moves = agent.n_steps_, 0
        self.pending = deque()
        self.explore(self.n_before)

    @property
    def n_done(self) -> int:
        return self.n_moves

    def computing(self):
        return threads_for_step(self.agent.batch_size * self.n_multiplications)

    def begin_game(self) -> None:
        self.pending.clear()

    def choose(self, observation, mask) -> int:
        return self.policy.choose(masked(self.values_of(observation), mask))

    @torch.no_grad()
    def values_of(self, observation) -> list[float]:
        """Compute the values of all actions."""
        batch = np.asarray(observation, self.inputs.dtype)[None]
        return self.module(self.inputs.as_tensor(batch, self.device))[0].tolist()

    def learn(self, observation, action, reward, seen, following, mask, terminated) -> bool:
        agent = self.agent
        self.pending.append((observation, action, reward))
        if terminated:
            self.remember_pending(seen, mask, terminated)
        elif len(self.pending) == agent.n_steps:
            self.remember_first(seen, mask, terminated)
        self.n_moves += 1
        n_moves = self.n_before + self.n_moves
        is_time = n_moves >= agent.learning_starts and n_moves % agent.train_every == 0
        if is_time and len(self.memory):
            for _ in range(agent.gradient_steps):
                self.improve()
        if n_moves % agent.target_update == 0:
            self.target.load_state_dict(self.module.state_dict())
        self.explore(n_moves)
        return self.n_moves == self.limit

    def remember_pending(self, seen, mask, terminated: bool) -> None:
        """Record all moves that wait for the rewards of later ones, of which there are no more."""
        while self.pending:
            self.remember_first(seen, mask, terminated)

    def remember_first(self, seen, mask, terminated: bool) -> None:
        """Record the first move that waits, with the rewards from it on."""
        gamma, total = self.agent.gamma, 0.0
        for _, _, reward in reversed(self.pending):
            total = reward + gamma * total
        discount = 0.0 if terminated else gamma ** len(self.pending)
        observation, action, _ = self.pending.popleft()
        self.memory.add(observation, action, total, seen, discount, mask)

    def end_game(self, episode: Episode) -> None:
        self.remember_pending(episode.observations[-1], episode.masks[-1], False)

    def improve(self) -> None:
        """Make a step towards the targets of a batch of moves."""
        if self.agent.replay == "uniform":
            moves, weights = self.memory.draw(self.agent.batch_size, self.rng), None
        else:
            moves, weights = self.memory.draw_by_priority(self.agent.batch_size, self.rng)
        targets = self.targets(moves)
        self.module.train()
        self.optimiser.zero_grad()
        values = self.module(self.inputs.as_tensor(moves.observations, self.device))
        values = values.gather(1, self.tensor(moves.actions))
        losses = self.compute_loss(values, targets)
        if weights is not None:
            losses = losses * self.tensor(weights)
            self.memory.set_errors(moves.places, (values - targets).numpy(force=True)[:, 0])
        loss = losses.mean()
        loss.backward()
        self.adjust_gradient()
        self.optimiser.step()
        self.module.eval()
        if not isfinite(loss.item()):
            raise ValueError(
                f"The training diverged after {self.n_moves} moves: the loss is not finite. "
                "Smaller rewards, a smaller learning_rate_init of the estimator, or its "
                "clip_grad_norm help."
            )

    @torch.no_grad()
    def targets(self, moves: Moves) -> torch.Tensor:
        """Compute what the moves are worth, by the network of some time ago."""
        seen = self.inputs.as_tensor(moves.following, self.device)
        old = self.allowed(self.target(seen), moves.masks)
        if self.agent.double:
            best = self.allowed(self.module(seen), moves.masks).argmax(1, keepdim=True)
            future = old.gather(1, best)
        else:
            future = old.amax(1, keepdim=True)
        discounts = self.tensor(moves.discounts)
        if moves.masks is not None:
            future = future.where(discounts > 0, 0.0)  # at the end, nothing is allowed
        return self.tensor(moves.rewards).addcmul(discounts, future)

    def allowed(self, values: torch.Tensor, masks: np.ndarray | None) -> torch.Tensor:
        return values if masks is None else values.where(self.tensor(masks), -torch.inf)

    def tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device)

    def adjust_gradient(self) -> None:
        """Add the gradient of the L2 penalty, and clip."""
        if self.penalty:
            gradients = [parameter.grad for parameter in self.decayed]
            add_scaled(gradients, [p.detach() for p in self.decayed], self.penalty)
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.trainable, self.clip)

    def store(self, agent: "DeepQAgent") -> None:
        # The network is the agent's own.
        agent._target = as_arrays(self.target)


def as_arrays(module: nn.Module) -> dict[str, np.ndarray]:
    """Copy weights into arrays, by name."""
    return {name: value.numpy(force=True).copy() for name, value in module.state_dict().items()}


def load_arrays(module: nn.Module, arrays: dict[str, np.ndarray]) -> None:
    """Copy arrays into weights."""
    module.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})


class DeepQAgent(Agent):
    """An agent with a network that gives the values of all actions.

    It plays, records its moves, and after every move learns from a batch of recorded ones. For a
    move from state s by action a with reward r to state s', the network's value of a goes towards

        r + gamma Q'(s', argmax Q(s', .)),

    where Q' is the network of some time ago, and nothing is added to r if the move has ended the
    game by the rules (``terminated``); a game that was only cut (``truncated``) has a future.

    Parameters
    ----------
    estimator : MLPRegressor or ConvNetRegressor, default=None
        The network with its solver, learning rate, loss, penalty and clipping; None is
        ``MLPRegressor("huber", (64, 64), alpha=0.0)``. What belongs to data sets (`max_iter`,
        `batch_size`, `shuffle`, `tol`) does not matter.
    gamma : float, default=0.9
        Discount factor, in [0, 1]: what a reward is worth that comes a move later.
    exploration : {'epsilon', 'epsilon_soft', 'softmax', 'mellowmax'}, default='epsilon_soft'
        How actions are chosen while learning, see `QLearningAgent`.
    epsilon : float or callable, default=LinearDecay(1.0, 0.1, 3000)
        Probability of exploring; or a function from the number of a move to it.
    temperature : float or callable, default=1.0
        Temperature of 'softmax' and 'mellowmax', or a function from the number of a move to it.
    double : bool, default=True
        Whether the network chooses the action whose value Q' tells; otherwise Q' does both.
    n_steps : int, default=1
        Number of moves whose rewards are added up before the future is estimated.
    replay : {'uniform', 'prioritized'}, default='uniform'
        Whether all recorded moves are drawn alike, or those with large errors more often.
    buffer_size : int, default=10_000
        Number of last moves that are recorded.
    learning_starts : int, default=500
        Number of moves before the first step of the solver.
    batch_size : int, default=64
        Number of recorded moves a step of the solver.
    train_every, gradient_steps : int, default=1
        After how many moves there are steps of the solver, and how many.
    target_update : int, default=250
        After how many moves Q' becomes the network as it is.
    max_iter : int, default=12_000
        Number of moves.
    max_steps : int, default=None
        Number of moves after which a game is cut; None leaves it to the environment.
    random_state : int, RandomState instance or None, default=None
        Source of the seed of the environment, of the initial weights unless the estimator has a
        `random_state` of its own, and of all that the agent draws.
    verbose : bool or int, default=False
        Whether to print a line after every twentieth of the moves.
    callbacks : list of callable, default=None
        Functions that are called after each game with the agent and a dict of what `history_`
        records; if one returns True, learning stops.
    warm_start : bool, default=False
        Whether `fit` continues with the network of the last one.

    Attributes
    ----------
    network_ : estimator
        The fitted network, for `summary`, displays and ``save_weights``.
    history_ : dict of str to ndarray of shape (n_episodes,)
        For each complete game its 'return', the sum of rewards, its 'length', and the 'epsilon' or
        'temperature' at its end.
    n_episodes_, n_steps_ : int
        Number of complete games, and of all moves so far.

    See Also
    --------
    QLearningAgent : The same with a table.

    Notes
    -----
    A pickled agent has all that it needs to continue learning, the recorded moves among it.

    References
    ----------
    Mnih et al. "Human-level control through deep reinforcement learning." Nature 518 (2015):
    529-533.

    van Hasselt, Guez and Silver. "Deep reinforcement learning with double Q-learning." AAAI 2016.

    Schaul et al. "Prioritized experience replay." ICLR 2016.

    Examples
    --------
    >>> from sknn_basics import MLPRegressor
    >>> from sknn_basics.agents import DeepQAgent
    >>> from sknn_basics.environments import Flippers
    >>> network = MLPRegressor("huber", (32,), learning_rate_init=0.003)
    >>> agent = DeepQAgent(network, max_iter=1000, random_state=0)
    >>> agent = agent.fit(Flippers(observation="board"))
    >>> agent.decision_function([[1, 1, -1, -1, -1, -1, -1, -1, -1]]).shape
    (1, 9)
    """

    _parameter_constraints: dict = {
        **Agent._parameter_constraints,
        "estimator": [MLPRegressor, ConvNetRegressor, None],
        "double": ["boolean"],
        "n_steps": [Interval(Integral, 1, None, closed="left")],
        "replay": [StrOptions({"uniform", "prioritized"})],
        "buffer_size": [Interval(Integral, 1, None, closed="left")],
        "learning_starts": [Interval(Integral, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "train_every": [Interval(Integral, 1, None, closed="left")],
        "gradient_steps": [Interval(Integral, 1, None, closed="left")],
        "target_update": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        estimator=None,
        gamma=0.9,
        *,
        exploration="epsilon_soft",
        epsilon=LinearDecay(1.0, 0.1, 3000),  # noqa: B008 (it never changes)
        temperature=1.0,
        double=True,
        n_steps=1,
        replay="uniform",
        buffer_size=10_000,
        learning_starts=500,
        batch_size=64,
        train_every=1,
        gradient_steps=1,
        target_update=250,
        max_iter=12_000,
        max_steps=None,
        random_state=None,
        verbose=False,
        callbacks=None,
        warm_start=False,
    ):
        self.estimator = estimator
        self.gamma = gamma
        self.exploration = exploration
        self.epsilon = epsilon
        self.temperature = temperature
        self.double = double
        self.n_steps = n_steps
        self.replay = replay
        self.buffer_size = buffer_size
        self.learning_starts = learning_starts
        self.batch_size = batch_size
        self.train_every = train_every
        self.gradient_steps = gradient_steps
        self.target_update = target_update
        self.max_iter = max_iter
        self.max_steps = max_steps
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks
        self.warm_start = warm_start

    def _check_options(self) -> None:
        if self.estimator is None:
            return
        for name, value in WITHOUT_EFFECT.items():
            given = getattr(self.estimator, name)
            if given != value:
                raise ValueError(
                    f"DeepQAgent has no use for {name}={given!r} of its estimator: leave it at "
                    f"{value!r}."
                )
        if self.estimator.solver == "lbfgs":
            raise ValueError("DeepQAgent learns from batches: solver='lbfgs' of its estimator not.")
        if self.estimator.loss not in LOSSES:
            raise ValueError(
                f"loss of the estimator must be one of {list(LOSSES)}, got {self.estimator.loss!r}."
            )

    def _begin(self, env, rng) -> None:
        network = self.estimator
        if network is None:
            network = MLPRegressor("huber", (64, 64), alpha=0.0)
        network = clone(network)
        if network.random_state is None:
            network.set_params(random_state=int(rng.randint(np.iinfo(np.int32).max)))
        if network.dtype == "auto":
            network.set_params(dtype="float32")
        self.n_actions_ = number_of_actions(env)
        self._inputs = Inputs(env.observation_space, isinstance(network, MLPRegressor))
        example = np.zeros((1, *self._inputs.shape), self._inputs.dtype)
        X, y = self._inputs.as_array(example), np.zeros((1, self.n_actions_))
        self.network_ = network.initialize(X, y[:, 0] if self.n_actions_ == 1 else y)
        self._memory = MoveMemory(
            self.buffer_size, self._inputs.shape, self._inputs.dtype, self.n_actions_
        )
        self._target = as_arrays(self.network_.module_)

    def _go_on(self, env) -> None:
        inputs = Inputs(env.observation_space, self._inputs.is_flat)
        if number_of_actions(env) != self.n_actions_ or inputs != self._inputs:
            raise ValueError(
                f"env has the spaces {env.observation_space} and {env.action_space}, but the agent "
                "continues with a network for others."
            )
        # A fit that fails leaves the one from before.
        self.network_ = deepcopy(self.network_)

    def _make_learner(self, draw, seed) -> DeepQLearner:
        return DeepQLearner(self, draw, seed)

    def _value_function(self) -> Callable:
        return self._make_learner(None, 0).values_of

    def decision_function(self, observations) -> np.ndarray:
        """Compute the values of all actions.

        Parameters
        ----------
        observations : array-like of shape (n_observations, ...)
            What is seen.

        Returns
        -------
        values : ndarray of shape (n_observations, n_actions)
            What the network expects of each action.
        """
        check_is_fitted(self)
        values = self.network_.predict(self._inputs.as_array(observations))
        return values.reshape(-1, self.n_actions_)
