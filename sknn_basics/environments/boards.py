"""Square boards: their lines, as text, and as images."""

import numpy as np

# Pixels of a tile, and colours of images.
TILE = 48
PAPER, FIELD, INK, MARK = (255, 255, 255), (225, 225, 225), (40, 40, 40), (214, 39, 40)


def rows_and_columns(size: int) -> list[tuple[int, ...]]:
    """List the places of each row and column of a square board."""
    places = np.arange(size**2).reshape(size, size)
    return [tuple(map(int, line)) for line in (*places, *places.T)]


def check_choice(name: str, value, choices: tuple) -> None:
    """Check that a parameter is one of its choices.

    Raises
    ------
    ValueError
        If it is none of them.
    """
    if not any(value is choice or value == choice for choice in choices):
        raise ValueError(f"{name} must be one of {choices}, got {value!r}.")


def as_text(tiles: np.ndarray, symbols: dict[int, str]) -> str:
    """Write a board, a line per row."""
    return "\n".join(" ".join(symbols[int(tile)] for tile in row) for row in tiles)


def as_picture(tiles: np.ndarray, shapes: dict[int, np.ndarray], marked: int | None) -> np.ndarray:
    """Draw a board as an array of bytes of shape (height, width, 3), one tile outlined in red.

    Parameters
    ----------
    tiles : ndarray of shape (size, size)
        What lies where.
    shapes : dict of int to ndarray of shape (TILE, TILE)
        Where each kind of tile is inked.
    marked : int or None
        The tile that is outlined.
    """
    size = len(tiles)
    picture = np.empty((size * TILE, size * TILE, 3), np.uint8)
    for place, tile in enumerate(tiles.flat):
        row, column = divmod(place, size)
        part = picture[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
        part[:] = PAPER
        part[2:-2, 2:-2] = MARK if place == marked else FIELD
        part[5:-5, 5:-5] = FIELD
        part[shapes[int(tile)]] = INK
    return picture


_rows, _columns = np.mgrid[:TILE, :TILE] - (TILE - 1) / 2
_radius = np.hypot(_rows, _columns)
EMPTY = np.zeros((TILE, TILE), bool)
DOT = _radius < TILE / 5
RING = np.abs(_radius - TILE / 4) < 2.5
CROSS = (np.abs(np.abs(_rows) - np.abs(_columns)) < 3) & (np.abs(_rows) < TILE / 4)
