"""Games of an agent, and what it expects of its moves."""

from collections.abc import Mapping, Sequence

import numpy as np

from sknn_basics.displays._axes import choose_ax
from sknn_basics.displays.images import import_pyplot

CHOSEN, OTHER = "tab:red", "tab:blue"


class GameDisplay:
    """A game on a board, move by move, and below each board the values of all moves.

    Use `from_agent` to make one. The tile of the move that follows, and its value, are red.

    Parameters
    ----------
    boards : ndarray of shape (n_moves + 1, n_rows, n_columns)
        The boards before each move, and the one at the end.
    actions : sequence of int
        The moves: tiles, counted row by row.
    values : ndarray of shape (n_moves, n_actions)
        What the agent expects of all moves on each board.
    rewards : sequence of float
        What each move gave.
    symbols : dict of int to str, default=None
        What is written on a tile for each value of a board; None writes the values.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (2, n_moves + 1)
        Where boards and values were drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    bars_ : list of matplotlib BarContainer
        The values of the moves on each board.

    See Also
    --------
    QTableDisplay : All values of a table.

    Examples
    --------
    >>> from sknn_basics.agents import QLearningAgent
    >>> from sknn_basics.displays import GameDisplay
    >>> from sknn_basics.environments import Flippers
    >>> agent = QLearningAgent(random_state=0).fit(Flippers())
    >>> display = GameDisplay.from_agent(agent, Flippers(), start=0, random_state=0)
    >>> len(display.bars_) == len(display.actions) >= 3
    True
    """

    def __init__(
        self,
        *,
        boards: np.ndarray,
        actions: Sequence[int],
        values: np.ndarray,
        rewards: Sequence[float],
        symbols: Mapping[int, str] | None = None,
    ):
        self.boards, self.actions = boards, actions
        self.values, self.rewards, self.symbols = values, rewards, symbols

    @classmethod
    def from_agent(
        cls, agent, env, *, start=None, max_steps: int | None = 10, random_state=None, ax=None
    ) -> "GameDisplay":
        """Let an agent play a game without exploring, and draw it.

        Parameters
        ----------
        agent : QLearningAgent or DeepQAgent
            Fitted agent.
        env : environment, str or callable
            A game with a method ``as_board``, such as those of `sknn_basics.environments`.
        start : dict, int or array-like of int, default=None
            How the game starts: options of the environment's ``reset``, or what is its option
            'board'; None leaves it to the environment.
        max_steps : int or None, default=10
            Number of moves after which the game is cut.
        random_state : int, RandomState instance or None, default=None
            Source of the seed of the environment, and of the choice between equally good moves.
        ax : array-like of matplotlib Axes of shape (2, n_moves + 1), default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : GameDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the environment has no boards, or the game no moves.
        """
        from sknn_basics.agents.episodes import opened

        with opened(env) as opened_env:
            game = getattr(opened_env, "unwrapped", opened_env)
            if not hasattr(game, "as_board"):
                raise ValueError(f"GameDisplay needs an env with a method as_board, got {env!r}.")
            episode = agent.evaluate(
                opened_env,
                1,
                starts=None if start is None else [start],
                max_steps=max_steps,
                random_state=random_state,
            ).trajectories[0]
            boards = [game.as_board(observation) for observation in episode.observations]
        masks = episode.masks[:-1]
        if not len(episode):
            raise ValueError(f"There is no move to draw: the game that starts with {start} is won.")
        values = agent.decision_function(np.stack(episode.observations[:-1]))
        if masks[0] is not None:
            values = np.where(masks, values, np.nan)
        return cls(
            boards=np.array(boards),
            actions=episode.actions,
            values=values,
            rewards=episode.rewards,
            symbols=getattr(game, "symbols", None),
        ).plot(ax)

    def plot(self, ax=None) -> "GameDisplay":
        """Draw the game.

        Parameters
        ----------
        ax : array-like of matplotlib Axes of shape (2, n_moves + 1), default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : GameDisplay
            This display.

        Raises
        ------
        ValueError
            If the number of axes does not fit.
        """
        n = len(self.boards)
        if ax is None:
            size = {"figsize": (1.6 * n + 0.6, 3), "squeeze": False, "layout": "constrained"}
            ax = import_pyplot(self).subplots(2, n, **size)[1]
        axes = np.asarray(ax, dtype=object)
        if axes.size != 2 * n:
            raise ValueError(f"ax must be {2 * n} axes, two rows of {n}, got {axes.size}.")
        self.axes_ = axes.reshape(2, n)
        self.figure_ = self.axes_[0, 0].figure
        for number, board in enumerate(self.boards):
            action = self.actions[number] if number < len(self.actions) else None
            draw_board(self.axes_[0, number], board, self.symbols, action)
            self.axes_[0, number].set_title(self._title(number), fontsize="medium")
        self.bars_ = [self._draw_values(number) for number in range(n - 1)]
        self.axes_[1, -1].set_axis_off()
        self.axes_[1, 0].set_ylabel("Value")
        return self

    def _title(self, number: int) -> str:
        if number == 0:
            return "start"
        reward = self.rewards[number - 1]
        return f"move {number}: {reward:+.3g}" if reward else f"move {number}"

    def _draw_values(self, number: int):
        values, ax = self.values[number], self.axes_[1, number]
        places = np.arange(len(values))
        colors = np.where(places == self.actions[number], CHOSEN, OTHER)
        bars = ax.bar(places, values, color=colors)
        low, high = min(0.0, np.nanmin(self.values)), max(0.0, np.nanmax(self.values))
        room = 0.05 * ((high - low) or 1)
        ax.set(
            xlim=(-0.6, len(values) - 0.4),
            ylim=(low - room * (low < 0), high + room),
            xticks=places[:: 1 + len(places) // 10],
            xlabel="Action",
        )
        ax.tick_params(axis="x", labelsize="small")
        ax.tick_params(labelleft=number == 0)
        return bars


def draw_board(ax, board: np.ndarray, symbols, marked: int | None) -> None:
    """Draw a board, one tile in red."""
    n_rows, n_columns = board.shape
    for place, tile in enumerate(board.flat):
        row, column = divmod(place, n_columns)
        color = CHOSEN if place == marked else "0.92"
        corner = (column - 0.46, row - 0.46)
        ax.add_patch(make_rectangle(ax, corner, 0.92, color))
        text = str(tile) if symbols is None else symbols[int(tile)]
        ink = "white" if place == marked else "black"
        size = 48 / n_rows
        ax.text(column, row, text, ha="center", va="center_baseline", color=ink, fontsize=size)
    ax.set(xlim=(-0.5, n_columns - 0.5), ylim=(n_rows - 0.5, -0.5), aspect="equal")
    ax.set_axis_off()


def make_rectangle(ax, corner: tuple[float, float], side: float, color: str):
    """Make a filled square."""
    from matplotlib.patches import Rectangle

    return Rectangle(corner, side, side, facecolor=color)


class QTableDisplay:
    """All values of a table: a dot for each action that was taken, by row.

    Use `from_agent` to make one.

    Parameters
    ----------
    q_table : ndarray of shape (n_states, n_actions)
        The values.
    n_visits : ndarray of shape (n_states, n_actions), default=None
        How often each action was taken; None draws all.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    dots_ : matplotlib PathCollection
        The values, coloured by action.

    See Also
    --------
    GameDisplay : The values of the moves of one game.

    Examples
    --------
    >>> from sknn_basics.agents import QLearningAgent
    >>> from sknn_basics.displays import QTableDisplay
    >>> from sknn_basics.environments import Flippers
    >>> agent = QLearningAgent(max_iter=100, random_state=0).fit(Flippers())
    >>> display = QTableDisplay.from_agent(agent)
    >>> bool(len(display.dots_.get_offsets()) == (agent.n_visits_ > 0).sum())
    True
    """

    def __init__(self, *, q_table: np.ndarray, n_visits: np.ndarray | None = None):
        self.q_table, self.n_visits = q_table, n_visits

    @classmethod
    def from_agent(cls, agent, *, ax=None) -> "QTableDisplay":
        """Draw the table of an agent.

        Parameters
        ----------
        agent : QLearningAgent
            Fitted agent.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : QTableDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the agent has no table.
        """
        if not hasattr(agent, "q_table_"):
            raise ValueError(f"QTableDisplay needs a fitted agent with a table, got {agent!r}.")
        return cls(q_table=agent.q_table_, n_visits=agent.n_visits_).plot(ax)

    def plot(self, ax=None) -> "QTableDisplay":
        """Draw the table.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : QTableDisplay
            This display.
        """
        self.ax_ = choose_ax(self, ax, (8, 3.5))
        self.figure_ = self.ax_.figure
        taken = np.ones_like(self.q_table) if self.n_visits is None else self.n_visits
        rows, actions = np.nonzero(taken)
        n_states, n_actions = self.q_table.shape
        colors = import_pyplot(self).get_cmap("turbo", n_actions)
        self.dots_ = self.ax_.scatter(
            rows,
            self.q_table[rows, actions],
            c=actions,
            cmap=colors,
            vmin=-0.5,
            vmax=n_actions - 0.5,
            s=6,
        )
        ticks = range(0, n_actions, 1 + n_actions // 20)
        self.figure_.colorbar(self.dots_, ax=self.ax_, label="Action", ticks=ticks)
        self.ax_.set(xlabel="Row of the table", ylabel="Value", xlim=(-0.01 * n_states, None))
        return self


class DiscountedReturnDisplay:
    """Discounted returns of a game from each move on, for several discount factors.

    Use `from_episode` or `from_rewards` to make one.

    Parameters
    ----------
    rewards : sequence of float
        What each move gave.
    gammas : sequence of float
        The discount factors.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    lines_ : dict of float to matplotlib Line2D
        The returns by discount factor.

    Examples
    --------
    >>> from sknn_basics.displays import DiscountedReturnDisplay
    >>> display = DiscountedReturnDisplay.from_rewards([0.0, 0.0, 1.0], gammas=(0.5, 1.0))
    >>> display.lines_[0.5].get_ydata().tolist()
    [0.25, 0.5, 1.0]
    """

    def __init__(self, *, rewards: Sequence[float], gammas: Sequence[float]):
        self.rewards, self.gammas = rewards, gammas

    @classmethod
    def from_episode(
        cls, episode, *, gammas: Sequence[float] = (0.2, 0.5, 0.8, 0.9, 1.0), ax=None
    ) -> "DiscountedReturnDisplay":
        """Draw the returns of a recorded game.

        Parameters
        ----------
        episode : Episode
            The game, such as one of the trajectories of an agent's ``evaluate``.
        gammas : sequence of float, default=(0.2, 0.5, 0.8, 0.9, 1.0)
            The discount factors.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : DiscountedReturnDisplay
            The drawn display.
        """
        return cls.from_rewards(episode.rewards, gammas=gammas, ax=ax)

    @classmethod
    def from_rewards(
        cls, rewards, *, gammas: Sequence[float] = (0.2, 0.5, 0.8, 0.9, 1.0), ax=None
    ) -> "DiscountedReturnDisplay":
        """Draw the returns of a game by its rewards.

        Parameters
        ----------
        rewards : sequence of float
            What each move gave.
        gammas : sequence of float, default=(0.2, 0.5, 0.8, 0.9, 1.0)
            The discount factors.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : DiscountedReturnDisplay
            The drawn display.
        """
        return cls(rewards=rewards, gammas=gammas).plot(ax)

    def plot(self, ax=None) -> "DiscountedReturnDisplay":
        """Draw the returns.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : DiscountedReturnDisplay
            This display.

        Raises
        ------
        ValueError
            If there are no rewards.
        """
        if not len(self.rewards):
            raise ValueError("There is nothing to draw: rewards is empty.")
        self.ax_ = choose_ax(self, ax, (5.5, 3.5))
        self.figure_ = self.ax_.figure
        moves = np.arange(1, len(self.rewards) + 1)
        self.lines_ = {}
        for gamma in self.gammas:
            returns = discounted_returns(self.rewards, gamma)
            (line,) = self.ax_.plot(moves, returns, marker=".", label=f"gamma = {gamma:g}")
            self.lines_[gamma] = line
        self.ax_.set(xlabel="Move", ylabel="Discounted return from here on")
        self.ax_.xaxis.get_major_locator().set_params(integer=True)
        self.ax_.legend(loc="upper left", bbox_to_anchor=(1, 1))
        return self


def discounted_returns(rewards: Sequence[float], gamma: float) -> np.ndarray:
    """Compute the discounted return from each move on."""
    returns, total = np.empty(len(rewards)), 0.0
    for move in reversed(range(len(rewards))):
        total = returns[move] = rewards[move] + gamma * total
    return returns
