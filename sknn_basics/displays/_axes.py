"""Where displays draw."""

from math import ceil, sqrt

import numpy as np

from sknn_basics.displays.images import GREY, as_brightness, brightness_range, import_pyplot


def choose_axes(display, ax, n_axes: int, size: tuple[float, float]) -> np.ndarray:
    """Take the axes that are given, or make a row of them in a new figure.

    Parameters
    ----------
    display : object
        Who draws.
    ax : matplotlib Axes, array-like of them or None
        What was given.
    n_axes : int
        How many are needed.
    size : tuple of float
        Width and height of each, in inches.

    Returns
    -------
    axes : ndarray of matplotlib Axes of shape (n_axes,)
        The axes.

    Raises
    ------
    ValueError
        If the number of axes is another.
    """
    plt = import_pyplot(display)
    if ax is None:
        figsize = (n_axes * size[0], size[1])
        ax = plt.subplots(1, n_axes, figsize=figsize, layout="compressed")[1]
    axes = np.ravel(np.asarray(ax, dtype=object))
    if len(axes) != n_axes:
        raise ValueError(f"ax must be {n_axes} axes, got {len(axes)}.")
    return axes


def choose_ax(display, ax, size: tuple[float, float]):
    """Take the axes that are given, or make some in a new figure."""
    return choose_axes(display, ax, 1, size)[0]


def square_columns(n_tiles: int) -> int:
    """Tell how many columns make a grid of tiles about square."""
    return max(1, ceil(sqrt(n_tiles)))


def draw_tiles(ax, images: np.ndarray, places, captions=None, colors=None) -> tuple[list, list]:
    """Draw images at places of a grid, with captions above them.

    Parameters
    ----------
    ax : matplotlib Axes
        Where to draw. A tile is one unit wide.
    images : ndarray of shape (n_tiles, height, width) or (n_tiles, height, width, 3)
        The images; the range of all of them goes from black to white.
    places : sequence of tuple of int
        Row and column of each.
    captions : sequence of str, default=None
        Text above each tile; None writes nothing.
    colors : sequence of str, default=None
        Colour of each caption; None is black.

    Returns
    -------
    artists : list of matplotlib AxesImage
        The tiles.
    texts : list of matplotlib Text
        The captions.
    """
    grid = TileGrid(images, has_captions=captions is not None)
    artists, texts = [], []
    for i, tile in enumerate(as_brightness(images, brightness_range(images))):
        left, top = grid.corner(*places[i])
        extent = (left, left + 1, top + grid.height, top)
        artists.append(ax.imshow(tile, extent=extent, **GREY))
        if captions is not None:
            color = "black" if colors is None else colors[i]
            place = (left + 0.5, top - 0.04)
            texts.append(ax.text(*place, captions[i], ha="center", va="bottom", color=color))
    n_rows, n_columns = np.max(places, axis=0) + 1
    ax.set(**grid.limits(n_rows, n_columns), xticks=[], yticks=[], aspect="equal", frame_on=False)
    return artists, texts


class TileGrid:
    """Where tiles of a grid lie, in units of a tile's width.

    Parameters
    ----------
    images : ndarray of shape (n_tiles, height, width, ...)
        The tiles.
    has_captions : bool
        Whether there is a line of text above each.
    """

    def __init__(self, images: np.ndarray, has_captions: bool):
        self.height = images.shape[1] / images.shape[2]
        self.above = 0.35 if has_captions else 0.1

    def corner(self, row: int, column: int) -> tuple[float, float]:
        """Tell where a tile begins: left and top."""
        return column * 1.1, row * (self.height + self.above)

    def limits(self, n_rows: int, n_columns: int) -> dict[str, tuple[float, float]]:
        """Tell what part of the axes all tiles fill."""
        bottom = n_rows * (self.height + self.above) - self.above
        return {"xlim": (-0.1, n_columns * 1.1), "ylim": (bottom + 0.1, -self.above)}

    def label(self, ax, rows, columns) -> None:
        """Write labels next to the rows and above the columns of a grid without captions."""
        middles = [column * 1.1 + 0.5 for column in range(len(columns))]
        ax.set_xticks(middles, columns)
        ax.set_yticks([self.corner(row, 0)[1] + self.height / 2 for row in range(len(rows))], rows)
        ax.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
