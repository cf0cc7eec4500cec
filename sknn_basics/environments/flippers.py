"""Flippers: turn tiles until three dots lie in a line."""

from numbers import Integral, Real
from operator import index

import gymnasium
import numpy as np

from sknn_basics.environments.boards import (
    DOT,
    EMPTY,
    as_picture,
    as_text,
    check_choice,
    rows_and_columns,
)

# Tables beyond this do not fit into memory, and indices of boards beyond it not into an integer.
LARGEST_SIZE = 7


class Flippers(gymnasium.Env):
    """A board of two-sided tiles, of which each move flips one.

    One side of a tile has a dot, the other is blank. The game is won when there are exactly as many
    dots as a row has tiles, and all lie in one row or column. A game starts with any of all boards,
    each as probable. If it is won already, ``info["terminated"]`` is True: the agents of
    `sknn_basics.agents` make no move then; others, which do not know, can play on.

    Parameters
    ----------
    size : int, default=3
        Number of rows and columns, up to 7. A board of 3 rows is one of 512 and has 6 goals.
    p_flip : float, default=0.0
        Probability that a random tile flips after a move.
    observation : {'index', 'board'}, default='index'
        What an agent sees: the number of the board, to which tile i, counted row by row, adds 2**i
        if it shows its dot; or all tiles row by row, 1 for a dot and -1 for a blank.
    reward : {'win', 'game_length', 'step'}, default='win'
        What a move gives: 1 for the winning move, else 0; 1 / sqrt(number of moves) for the winning
        move, else 0; or -1 for every move.
    check_win : {'after_flip', 'before_flip'}, default='after_flip'
        When a game is won: by the board after the random flip alone, so that this can undo a win;
        or also by that before, so that no tile flips after a winning move.
    max_moves : int, default=None
        Number of moves after which a game is truncated; None is unlimited.
    render_mode : {'ansi', 'rgb_array'}, default=None
        What `render` returns.

    Attributes
    ----------
    board : ndarray of shape (size, size)
        The tiles: 1 for a dot, -1 for a blank.
    observation_space : gymnasium.spaces.Discrete or gymnasium.spaces.Box
        The boards.
    action_space : gymnasium.spaces.Discrete
        The tiles, counted row by row.

    See Also
    --------
    TicTacToe : A game against an opponent.

    Notes
    -----
    With 3 rows, the best play wins in 2.671875 moves on average over all boards, and in 6 at most.
    With random flips of probability 0.1 it takes 2.8540 moves on average, or 2.7453 with
    ``check_win='before_flip'``.

    References
    ----------
    Towers et al. "Gymnasium: a standard interface for reinforcement learning environments."
    arXiv:2407.17032.

    Examples
    --------
    >>> from sknn_basics.environments import Flippers
    >>> game = Flippers(render_mode="ansi")
    >>> observation, info = game.reset(options={"board": [[1, 1, -1], [-1, -1, -1], [-1, -1, -1]]})
    >>> observation
    3
    >>> game.step(2)
    (7, 1.0, True, False, {})
    >>> print(game.render())
    o o o
    . . .
    . . .
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 2}
    # What images show on tiles.
    symbols = {1: "●", -1: ""}

    def __init__(
        self,
        size: int = 3,
        p_flip: float = 0.0,
        observation: str = "index",
        reward: str = "win",
        check_win: str = "after_flip",
        max_moves: int | None = None,
        render_mode: str | None = None,
    ):
        if not isinstance(size, Integral) or not 2 <= size <= LARGEST_SIZE:
            raise ValueError(f"size must be a whole number from 2 to {LARGEST_SIZE}, got {size!r}.")
        if not isinstance(p_flip, Real) or not 0 <= p_flip <= 1:
            raise ValueError(f"p_flip must be a number from 0 to 1, got {p_flip!r}.")
        if max_moves is not None and (not isinstance(max_moves, Integral) or max_moves < 1):
            raise ValueError(
                f"max_moves must be a whole number from 1, or None, got {max_moves!r}."
            )
        check_choice("observation", observation, ("index", "board"))
        check_choice("reward", reward, ("win", "game_length", "step"))
        check_choice("check_win", check_win, ("after_flip", "before_flip"))
        check_choice("render_mode", render_mode, (None, *self.metadata["render_modes"]))
        self.size, self.p_flip, self.observation = int(size), float(p_flip), observation
        self.reward, self.check_win, self.max_moves = reward, check_win, max_moves
        self.render_mode = render_mode
        self._n_tiles = self.size**2
        self._goals = frozenset(sum(1 << i for i in line) for line in rows_and_columns(self.size))
        self.action_space = gymnasium.spaces.Discrete(self._n_tiles)
        if observation == "index":
            self.observation_space = gymnasium.spaces.Discrete(1 << self._n_tiles)
        else:
            self.observation_space = gymnasium.spaces.Box(-1, 1, (self._n_tiles,), np.float32)
        self._board, self._n_moves, self._flipped, self._is_over = 0, 0, None, True

    @property
    def board(self) -> np.ndarray:
        """The tiles: 1 for a dot, -1 for a blank."""
        return self.as_board(self._board)

    def as_board(self, observation) -> np.ndarray:
        """Turn an observation, or the number of a board, into its tiles.

        Parameters
        ----------
        observation : int or array-like of shape (size ** 2,)
            What `reset` or `step` has returned.

        Returns
        -------
        board : ndarray of shape (size, size)
            The tiles: 1 for a dot, -1 for a blank.
        """
        if np.ndim(observation) == 0:
            tiles = (int(observation) >> np.arange(self._n_tiles)) & 1
            return (2 * tiles - 1).reshape(self.size, self.size)
        return np.sign(observation).astype(int).reshape(self.size, self.size)

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        """Start a game.

        Parameters
        ----------
        seed : int, default=None
            Seed of all random draws from now on; None continues with those of before.
        options : dict, default=None
            With 'board', the board to start with, by its number or its tiles; None draws one.

        Returns
        -------
        observation : int or ndarray of shape (size ** 2,)
            The board.
        info : dict
            With 'terminated', if the board is a goal.

        Raises
        ------
        ValueError
            If there is no such board.
        """
        super().reset(seed=seed)
        board = (options or {}).get("board")
        if board is None:
            self._board = int(self.np_random.random() * (1 << self._n_tiles))
        else:
            self._board = self._check_board(board)
        self._n_moves, self._flipped, self._is_over = 0, None, False
        return self._observe(), {"terminated": True} if self._board in self._goals else {}

    def _check_board(self, board) -> int:
        """Read a board that is given by its number or its tiles."""
        if np.ndim(board) == 0:
            if not isinstance(board, Integral) or not 0 <= board < 1 << self._n_tiles:
                raise ValueError(
                    f"board must be a number from 0 to {(1 << self._n_tiles) - 1}, got {board!r}."
                )
            return int(board)
        tiles = np.ravel(board)
        if len(tiles) != self._n_tiles or not np.isin(tiles, (-1, 1)).all():
            raise ValueError(
                f"board must be {self._n_tiles} tiles that are 1 or -1, got {board!r}."
            )
        return sum(1 << i for i, tile in enumerate(tiles) if tile == 1)

    def step(self, action: int):
        """Flip a tile, after which another may flip by chance.

        Parameters
        ----------
        action : int
            The tile, counted row by row.

        Returns
        -------
        observation : int or ndarray of shape (size ** 2,)
            The board.
        reward : float
            See the parameter of this name.
        terminated : bool
            Whether the game is won.
        truncated : bool
            Whether it ends after `max_moves` moves.
        info : dict
            Empty.

        Raises
        ------
        RuntimeError
            If the game is over, or was not started.
        ValueError
            If there is no such tile.
        """
        if self._is_over:
            raise RuntimeError("The game is over: call reset before step.")
        action = index(action)
        if not 0 <= action < self._n_tiles:
            raise ValueError(f"action must be a tile from 0 to {self._n_tiles - 1}, got {action}.")
        self._board ^= 1 << action
        self._n_moves += 1
        self._flipped = action
        won = self.check_win == "before_flip" and self._board in self._goals
        if self.p_flip and not won and self.np_random.random() < self.p_flip:
            self._board ^= 1 << int(self.np_random.random() * self._n_tiles)
        won = won or self._board in self._goals
        truncated = self._n_moves == self.max_moves and not won
        self._is_over = won or truncated
        return self._observe(), self._reward(won), won, truncated, {}

    def _observe(self):
        if self.observation == "index":
            return self._board
        return self.board.ravel().astype(np.float32)

    def _reward(self, won: bool) -> float:
        if self.reward == "step":
            return -1.0
        if not won:
            return 0.0
        return 1.0 if self.reward == "win" else self._n_moves**-0.5

    def render(self):
        """Show the board.

        Returns
        -------
        rendered : str or ndarray of shape (height, width, 3)
            A line per row, 'o' for a dot; or an image, in which the tile of the last move has a
            red border.
        """
        if self.render_mode == "ansi":
            return as_text(self.board, {1: "o", -1: "."})
        if self.render_mode == "rgb_array":
            return as_picture(self.board, {1: DOT, -1: EMPTY}, self._flipped)
        gymnasium.logger.warn("render_mode is None: there is nothing to render.")
        return None
