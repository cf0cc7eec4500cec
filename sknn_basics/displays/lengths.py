"""How long an agent's games are, and how that changes while it learns."""

from collections.abc import Mapping

import numpy as np

from sknn_basics.displays._axes import choose_ax


class GameLengthDisplay:
    """Histograms of lengths of games, with their means.

    Use `from_agent`, `from_agents` or `from_lengths` to make one.

    Parameters
    ----------
    lengths : dict of str to ndarray of shape (n_games,)
        Numbers of moves, by name.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    bars_ : dict of str to matplotlib BarContainer
        The shares of games of each length, by name.

    See Also
    --------
    AgentCurveDisplay : Lengths and returns against the number of games.

    Examples
    --------
    >>> from sknn_basics.displays import GameLengthDisplay
    >>> display = GameLengthDisplay.from_lengths({"one": [1, 2, 2, 3], "other": [1, 5]})
    >>> [float(bar.get_height()) for bar in display.bars_["one"]]
    [0.0, 0.25, 0.5, 0.25, 0.0, 0.0]
    """

    def __init__(self, *, lengths: Mapping[str, np.ndarray]):
        self.lengths = lengths

    @classmethod
    def from_agent(
        cls,
        agent,
        env,
        *,
        n_episodes: int = 100,
        starts=None,
        max_steps: int | None = 100,
        random_state=None,
        name: str | None = None,
        ax=None,
    ) -> "GameLengthDisplay":
        """Let an agent play games without exploring, and draw their lengths.

        Parameters
        ----------
        agent : QLearningAgent or DeepQAgent
            Fitted agent.
        env : environment, str or callable
            What it plays.
        n_episodes : int, default=100
            Number of games, of each start if there are any.
        starts : sequence, default=None
            How games start, as for the agent's ``evaluate``.
        max_steps : int or None, default=100
            Number of moves after which a game is cut.
        random_state : int, RandomState instance or None, default=None
            Source of the seed of the environment, and of the choice between equally good actions.
        name : str, default=None
            What the legend calls it; None is the name of its class.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : GameLengthDisplay
            The drawn display.
        """
        return cls.from_agents(
            {name or type(agent).__name__: agent},
            env,
            n_episodes=n_episodes,
            starts=starts,
            max_steps=max_steps,
            random_state=random_state,
            ax=ax,
        )

    @classmethod
    def from_agents(
        cls,
        agents: Mapping,
        env,
        *,
        n_episodes: int = 100,
        starts=None,
        max_steps: int | None = 100,
        random_state=None,
        ax=None,
    ) -> "GameLengthDisplay":
        """Let several agents play the same games, and draw their lengths.

        Parameters
        ----------
        agents : dict of str to agent
            Fitted agents, by name.
        env : environment, str or callable
            What they play.
        n_episodes : int, default=100
            Number of games, of each start if there are any.
        starts : sequence, default=None
            How games start, as for the agent's ``evaluate``.
        max_steps : int or None, default=100
            Number of moves after which a game is cut.
        random_state : int, RandomState instance or None, default=None
            Source of the seed of the environment, and of the choice between equally good actions.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : GameLengthDisplay
            The drawn display.
        """
        options = {"starts": starts, "max_steps": max_steps, "random_state": random_state}
        lengths = {
            name: agent.evaluate(env, n_episodes, **options).lengths
            for name, agent in agents.items()
        }
        return cls(lengths=lengths).plot(ax)

    @classmethod
    def from_lengths(cls, lengths: Mapping, *, ax=None) -> "GameLengthDisplay":
        """Draw lengths that are known.

        Parameters
        ----------
        lengths : dict of str to array-like of int
            Numbers of moves, by name.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : GameLengthDisplay
            The drawn display.
        """
        return cls(lengths={name: np.asarray(own) for name, own in lengths.items()}).plot(ax)

    def plot(self, ax=None) -> "GameLengthDisplay":
        """Draw the histograms.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : GameLengthDisplay
            This display.

        Raises
        ------
        ValueError
            If there are no games.
        """
        if not self.lengths or not all(map(len, self.lengths.values())):
            raise ValueError("There is nothing to draw: lengths has no games.")
        self.ax_ = choose_ax(self, ax, (6, 3.5))
        self.figure_ = self.ax_.figure
        longest = max(own.max() for own in self.lengths.values())
        width = 0.8 / len(self.lengths)
        self.bars_ = {}
        for number, (name, own) in enumerate(self.lengths.items()):
            shares = np.bincount(own, minlength=longest + 1) / len(own)
            places = np.arange(longest + 1) + (number - (len(self.lengths) - 1) / 2) * width
            label = f"{name}: mean {own.mean():.2f}"
            self.bars_[name] = self.ax_.bar(places, shares, width, color=f"C{number}", label=label)
            self.ax_.axvline(own.mean(), color=f"C{number}", linestyle=":", linewidth=1)
        self.ax_.xaxis.get_major_locator().set_params(integer=True)
        self.ax_.set(xlabel="Length of a game in moves", ylabel="Share of games")
        self.ax_.legend()
        return self


class AgentCurveDisplay:
    """What agents reach against the number of games that they have learned from.

    Use `from_agent` or `from_agents` to draw what was recorded while they learned. What was
    measured in between goes into the class itself.

    Parameters
    ----------
    curves : dict of str to tuple of ndarray of shape (n_points,)
        For each agent by name, numbers of games and what was measured.
    quantity : str, default='length'
        What that is.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    lines_ : dict of str to matplotlib Line2D
        The curves, by name.

    See Also
    --------
    TrainingCurveDisplay : Losses and scores of estimators by epoch.

    Examples
    --------
    >>> from sknn_basics.agents import QLearningAgent
    >>> from sknn_basics.displays import AgentCurveDisplay
    >>> from sknn_basics.environments import Flippers
    >>> agent = QLearningAgent(max_iter=300, random_state=0).fit(Flippers())
    >>> display = AgentCurveDisplay.from_agent(agent, window=50)
    >>> display.lines_["QLearningAgent"].get_xdata()[[0, -1]].tolist()
    [50, 300]
    """

    def __init__(self, *, curves: Mapping[str, tuple], quantity: str = "length"):
        self.curves, self.quantity = curves, quantity

    @classmethod
    def from_agent(
        cls,
        agent,
        *,
        quantity: str = "length",
        window: int = 100,
        name: str | None = None,
        ax=None,
    ) -> "AgentCurveDisplay":
        """Draw what an agent has recorded while it learned.

        Parameters
        ----------
        agent : QLearningAgent or DeepQAgent
            Fitted agent.
        quantity : {'length', 'return', 'epsilon', 'temperature'}, default='length'
            What to draw of its `history_`.
        window : int, default=100
            Number of games over which it is averaged.
        name : str, default=None
            What the legend calls it; None is the name of its class.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : AgentCurveDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If it was not recorded.
        """
        agents = {name or type(agent).__name__: agent}
        return cls.from_agents(agents, quantity=quantity, window=window, ax=ax)

    @classmethod
    def from_agents(
        cls, agents: Mapping, *, quantity: str = "length", window: int = 100, ax=None
    ) -> "AgentCurveDisplay":
        """Draw what several agents have recorded while they learned.

        Parameters
        ----------
        agents : dict of str to agent
            Fitted agents, by name.
        quantity : {'length', 'return', 'epsilon', 'temperature'}, default='length'
            What to draw of their `history_`.
        window : int, default=100
            Number of games over which it is averaged.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : AgentCurveDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If it was not recorded.
        """
        curves = {}
        for name, agent in agents.items():
            values = agent.history_.get(quantity)
            if values is None or not len(values):
                raise ValueError(
                    f"quantity must be one of {list(agent.history_)}, and recorded for a game at "
                    f"least, got {quantity!r}."
                )
            curves[name] = moving_mean(values, window)
        return cls(curves=curves, quantity=quantity).plot(ax)

    def plot(self, ax=None) -> "AgentCurveDisplay":
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : AgentCurveDisplay
            This display.
        """
        self.ax_ = choose_ax(self, ax, (5.5, 3.5))
        self.figure_ = self.ax_.figure
        self.lines_ = {}
        for name, (games, values) in self.curves.items():
            # A few points were measured in between, many while it learned.
            marker = "o" if len(games) <= 20 else None
            (self.lines_[name],) = self.ax_.plot(games, values, marker=marker, label=name)
        numbers = np.concatenate([np.asarray(games) for games, _ in self.curves.values()])
        is_sparse = all(len(games) <= 20 for games, _ in self.curves.values())
        if is_sparse and 0 < 20 * numbers.min() <= numbers.max():
            self.ax_.set_xscale("log")
        self.ax_.set(xlabel="Games of learning", ylabel=f"Mean {self.quantity}")
        self.ax_.legend()
        return self


def moving_mean(values: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Average over windows; return also the number of the last game of each."""
    window = max(1, min(window, len(values)))
    totals = np.cumsum(np.append(0.0, values))
    return np.arange(window, len(values) + 1), (totals[window:] - totals[:-window]) / window
