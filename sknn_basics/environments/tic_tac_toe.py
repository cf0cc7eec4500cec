"""Tic-tac-toe against an opponent that is part of the environment."""

from collections.abc import Callable
from functools import cache
from numbers import Real
from operator import index

import gymnasium
import numpy as np

from sknn_basics.environments.boards import (
    CROSS,
    EMPTY,
    RING,
    as_picture,
    as_text,
    check_choice,
    rows_and_columns,
)

LINES = (*rows_and_columns(3), (0, 4, 8), (2, 4, 6))
Board = tuple[int, ...]


class TicTacToe(gymnasium.Env):
    """Tic-tac-toe: an agent against an opponent that is part of the environment.

    The first who has three marks in a row, column or diagonal wins. Boards are seen from the side
    of who is to move, so that what was learned with crosses, which begin, serves with noughts too.

    Parameters
    ----------
    opponent : {'random', 'perfect'}, agent or callable, default='random'
        Who answers: a random legal move; a best one, of several a random one; the greedy one of a
        fitted agent; or what a function of the observation and the mask of legal moves returns,
        both from the opponent's side.
    side : {'x', 'o', 'random'}, default='x'
        Which marks the agent has; 'random' draws them for every game. Crosses begin.
    illegal_moves : {'offered', 'masked'}, default='offered'
        Whether an agent has to learn which places are taken, or is told by a mask of legal moves in
        ``info["action_mask"]``. An illegal move loses the game either way.
    draw_reward : float, default=0.5
        What a draw gives; a win gives 1, a loss or an illegal move 0, as do all moves before.
    observation : {'index', 'board'}, default='index'
        What an agent sees: the number of the board, to which place i, counted row by row, adds
        3**i if it is the agent's own and 2 * 3**i if it is the opponent's; or all places row by
        row, 1 for the agent's own, -1 for the opponent's and 0 for the empty ones.
    render_mode : {'ansi', 'rgb_array'}, default=None
        What `render` returns.

    Attributes
    ----------
    board : ndarray of shape (3, 3)
        The places: 1 for the agent's own, -1 for the opponent's, 0 for the empty ones.
    observation_space : gymnasium.spaces.Discrete or gymnasium.spaces.Box
        The boards.
    action_space : gymnasium.spaces.Discrete
        The places, counted row by row.

    See Also
    --------
    Flippers : A game without an opponent.
    sknn_basics.agents.self_play : Training against former selves.

    References
    ----------
    Sutton and Barto. "Reinforcement learning: an introduction." 2nd edition, 2018, section 1.5.

    Examples
    --------
    >>> from sknn_basics.environments import TicTacToe
    >>> game = TicTacToe(opponent="perfect", illegal_moves="masked", render_mode="ansi")
    >>> observation, info = game.reset(seed=0)
    >>> observation, reward, terminated, truncated, info = game.step(0)
    >>> print(game.render())
    X . .
    . O .
    . . .
    >>> info["action_mask"].tolist()
    [0, 1, 1, 1, 0, 1, 1, 1, 1]
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 2}
    # What images show on places: the agent's own, and the opponent's.
    symbols = {1: "✕", -1: "○", 0: ""}

    def __init__(
        self,
        opponent: str | Callable = "random",
        side: str = "x",
        illegal_moves: str = "offered",
        draw_reward: float = 0.5,
        observation: str = "index",
        render_mode: str | None = None,
    ):
        is_player = callable(opponent) or hasattr(opponent, "predict")
        if not is_player and opponent not in ("random", "perfect"):
            raise ValueError(
                "opponent must be 'random', 'perfect', a fitted agent or a function, "
                f"got {opponent!r}."
            )
        check_choice("side", side, ("x", "o", "random"))
        check_choice("illegal_moves", illegal_moves, ("offered", "masked"))
        check_choice("observation", observation, ("index", "board"))
        check_choice("render_mode", render_mode, (None, *self.metadata["render_modes"]))
        if not isinstance(draw_reward, Real) or not 0 <= draw_reward <= 1:
            raise ValueError(f"draw_reward must be a number from 0 to 1, got {draw_reward!r}.")
        self.opponent, self.side, self.illegal_moves = opponent, side, illegal_moves
        self.draw_reward, self.observation = float(draw_reward), observation
        self.render_mode = render_mode
        self.action_space = gymnasium.spaces.Discrete(9)
        if observation == "index":
            self.observation_space = gymnasium.spaces.Discrete(3**9)
        else:
            self.observation_space = gymnasium.spaces.Box(-1, 1, (9,), np.float32)
        self._board, self._begins, self._last, self._is_over = (0,) * 9, True, None, True

    @property
    def board(self) -> np.ndarray:
        """The places: 1 for the agent's own, -1 for the opponent's, 0 for the empty ones."""
        return np.array(self._board).reshape(3, 3)

    def as_board(self, observation) -> np.ndarray:
        """Turn an observation into the places of its board.

        Parameters
        ----------
        observation : int or array-like of shape (9,)
            What `reset` or `step` has returned.

        Returns
        -------
        board : ndarray of shape (3, 3)
            The places: 1 for the agent's own, -1 for the opponent's, 0 for the empty ones.
        """
        if np.ndim(observation) == 0:
            digits = int(observation) // 3 ** np.arange(9) % 3
            return np.array([0, 1, -1])[digits].reshape(3, 3)
        return np.sign(observation).astype(int).reshape(3, 3)

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        """Start a game; the opponent moves first if it has the crosses.

        Parameters
        ----------
        seed : int, default=None
            Seed of all random draws from now on; None continues with those of before.
        options : dict, default=None
            With 'side', the marks of the agent in this game, 'x' or 'o'.

        Returns
        -------
        observation : int or ndarray of shape (9,)
            The board.
        info : dict
            With 'action_mask', an ndarray of shape (9,), if illegal moves are masked.

        Raises
        ------
        ValueError
            If there is no such side.
        """
        super().reset(seed=seed)
        side = (options or {}).get("side", self.side)
        check_choice("side", side, ("x", "o", "random"))
        self._begins = self.np_random.random() < 0.5 if side == "random" else side == "x"
        self._board, self._last, self._is_over = (0,) * 9, None, False
        if not self._begins:
            self._answer()
        return observe(self._board, self.observation), self._info()

    def step(self, action: int):
        """Make a move, and let the opponent answer.

        Parameters
        ----------
        action : int
            The place, counted row by row.

        Returns
        -------
        observation : int or ndarray of shape (9,)
            The board.
        reward : float
            1 for a win, `draw_reward` for a draw, else 0.
        terminated : bool
            Whether the game is over.
        truncated : bool
            False.
        info : dict
            With 'action_mask', an ndarray of shape (9,), if illegal moves are masked.

        Raises
        ------
        RuntimeError
            If the game is over, or was not started.
        ValueError
            If there is no such place.
        """
        if self._is_over:
            raise RuntimeError("The game is over: call reset before step.")
        action = index(action)
        if not 0 <= action < 9:
            raise ValueError(f"action must be a place from 0 to 8, got {action}.")
        reward, self._is_over = 0.0, True
        if self._board[action] == 0:
            self._board, self._last = put(self._board, action, 1), action
            if not is_finished(self._board):
                self._answer()
            self._is_over = is_finished(self._board)
            if self._is_over:
                reward = {1: 1.0, 0: self.draw_reward, -1: 0.0}[winner(self._board)]
        return observe(self._board, self.observation), reward, self._is_over, False, self._info()

    def _answer(self) -> None:
        """Make the opponent's move."""
        seen = tuple(-place for place in self._board)
        if self.opponent == "random":
            move = self._draw([i for i, place in enumerate(seen) if place == 0])
        elif self.opponent == "perfect":
            move = self._draw(best_moves(seen))
        else:
            move = self._ask(seen)
        self._board = put(self._board, move, -1)

    def _draw(self, moves) -> int:
        return moves[int(self.np_random.random() * len(moves))]

    def _ask(self, seen: Board) -> int:
        """Ask an agent or a function for its move."""
        observation, mask = observe(seen, self.observation), legal_moves(seen)
        if hasattr(self.opponent, "predict"):
            move = index(self.opponent.predict([observation], action_mask=[mask])[0])
        else:
            move = index(self.opponent(observation, mask))
        if not 0 <= move < 9 or not mask[move]:
            raise ValueError(f"opponent must make a legal move, got {move} for {seen}.")
        return move

    def _info(self) -> dict:
        return {"action_mask": legal_moves(self._board)} if self.illegal_moves == "masked" else {}

    def render(self):
        """Show the board.

        Returns
        -------
        rendered : str or ndarray of shape (height, width, 3)
            A line per row; or an image, in which the place of the agent's last move has a red
            border.
        """
        own, other = ("X", "O") if self._begins else ("O", "X")
        if self.render_mode == "ansi":
            return as_text(self.board, {1: own, -1: other, 0: "."})
        if self.render_mode == "rgb_array":
            shapes = {"X": CROSS, "O": RING}
            shapes = {1: shapes[own], -1: shapes[other], 0: EMPTY}
            return as_picture(self.board, shapes, self._last)
        gymnasium.logger.warn("render_mode is None: there is nothing to render.")
        return None


def put(board: Board, place: int, mark: int) -> Board:
    """Put a mark on a board."""
    return (*board[:place], mark, *board[place + 1 :])


def observe(board: Board, kind: str):
    """Describe a board to who has the marks 1."""
    if kind == "index":
        return sum(3**i * (place % 3) for i, place in enumerate(board))
    return np.array(board, np.float32)


def legal_moves(board: Board) -> np.ndarray:
    """Tell which places are empty, as zeros and ones."""
    return np.array([place == 0 for place in board], np.int8)


@cache
def winner(board: Board) -> int:
    """Tell who has a line: 1, -1, or 0 for nobody."""
    for line in LINES:
        total = sum(board[place] for place in line)
        if abs(total) == 3:
            return total // 3
    return 0


def is_finished(board: Board) -> bool:
    """Tell whether a game is over."""
    return winner(board) != 0 or 0 not in board


@cache
def value(board: Board) -> int:
    """Tell what who is to move, with marks 1, reaches against a perfect opponent: 1, 0 or -1."""
    if is_finished(board):
        return winner(board)
    return max(move_values(board).values())


@cache
def move_values(board: Board) -> dict[int, int]:
    """Tell the value of every legal move."""
    empty = [i for i, place in enumerate(board) if place == 0]
    return {i: -value(tuple(-place for place in put(board, i, 1))) for i in empty}


@cache
def best_moves(board: Board) -> list[int]:
    """List the best moves of who has the marks 1."""
    values = move_values(board)
    return [move for move, reached in values.items() if reached == max(values.values())]
