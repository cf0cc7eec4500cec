"""Images of simple shapes, drawn without end."""

from collections.abc import Iterator
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state

from sknn_basics._compat import Interval, validate_params

#: Names of the shapes, in the order of their classes.
SHAPE_NAMES = ("Z", "plus", "three lines", "U", "circle")

_ANGLES = np.linspace(0, 2 * np.pi, 13)
# Strokes through points (x, y) from -1 to 1; y grows downwards, as rows do.
STROKES = (
    [[(-1, -1), (1, -1), (-1, 1), (1, 1)]],
    [[(0, -1), (0, 1)], [(-1, 0), (1, 0)]],
    [[(-1, -1), (-1, 1)], [(0, -1), (0, 1)], [(1, -1), (1, 1)]],
    [[(-1, -1), (-1, 1), (1, 1), (1, -1)]],
    [list(zip(np.cos(_ANGLES[:-1]), np.sin(_ANGLES[:-1])))],
)
CLOSED = (False, False, False, False, True)
# The points of a circle lie close to each other: it would crumple if they moved as far.
MOBILITY = (1, 1, 1, 1, 0.3)

# Half the size of a shape, as a share of the image's size.
SCALES = (0.18, 0.3)
# Width of a stroke, as a share of the image's size; at least one pixel.
STROKE_WIDTH = 1 / 32
# Images drawn at once: few enough to stay in a cache.
CHUNK = 16

SIZE = Interval(Integral, 16, None, closed="left")
JITTER = Interval(Real, 0, 0.3, closed="both")


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "size": [SIZE],
        "jitter": [JITTER],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_shapes(
    n_samples: int = 1000, *, size: int = 64, jitter: float = 0.1, random_state=None
) -> tuple[np.ndarray, np.ndarray]:
    """Draw images of five shapes: a Z, a plus, three vertical lines, a squared U, a circle.

    Each shape is drawn as anti-aliased strokes through points that are moved at random, at a
    random place and in a random size, white on black.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of images. The classes are as frequent as each other, and in random order.
    size : int, default=64
        Height and width of the images, in pixels; at least 16.
    jitter : float in [0, 0.3], default=0.1
        Largest move of each point in x and in y, as a share of half of the shape's size; the
        points of a circle move less.
    random_state : int, RandomState instance or None, default=None
        Source of the draws.

    Returns
    -------
    X : ndarray of shape (n_samples, size, size), dtype float32
        Images, with values from 0 to 1.
    y : ndarray of shape (n_samples,), dtype int64
        Classes: indices of `SHAPE_NAMES`.

    See Also
    --------
    iter_shapes : The same, batch by batch, without end.

    Examples
    --------
    >>> from sknn_basics.datasets import SHAPE_NAMES, make_shapes
    >>> X, y = make_shapes(10, random_state=0)
    >>> X.shape
    (10, 64, 64)
    >>> SHAPE_NAMES[y[0]]
    'three lines'
    """
    rng = check_random_state(random_state)
    y = rng.permutation(np.arange(n_samples) % len(STROKES))
    half = rng.uniform(*SCALES, size=n_samples) * size
    margin = half * (1 + jitter) + _stroke_width(size) / 2 + 1
    centre = margin[:, None] + rng.uniform(size=(n_samples, 2)) * (size - 2 * margin[:, None])
    X = np.empty((n_samples, size, size), dtype=np.float32)
    for label in range(len(STROKES)):
        rows = np.flatnonzero(y == label)
        segments = _place(label, centre[rows], half[rows], jitter, rng)
        for start in range(0, len(rows), CHUNK):
            chunk = slice(start, start + CHUNK)
            X[rows[chunk]] = _draw(segments[chunk], size)
    return X, y


@validate_params(
    {
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "size": [SIZE],
        "jitter": [JITTER],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def iter_shapes(
    batch_size: int = 32, *, size: int = 64, jitter: float = 0.1, random_state=None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Draw batches of shapes without end.

    Parameters
    ----------
    batch_size : int, default=32
        Number of images per batch.
    size : int, default=64
        Height and width of the images, in pixels; at least 16.
    jitter : float in [0, 0.3], default=0.1
        Largest move of each point in x and in y, as a share of half of the shape's size; the
        points of a circle move less.
    random_state : int, RandomState instance or None, default=None
        Source of the draws.

    Returns
    -------
    batches : iterator
        Yields pairs (X, y), as `make_shapes` returns them.

    Examples
    --------
    >>> from itertools import islice
    >>> from sknn_basics.datasets import iter_shapes
    >>> [X.shape for X, y in islice(iter_shapes(8, size=16), 3)]
    [(8, 16, 16), (8, 16, 16), (8, 16, 16)]
    """
    # A new generator of numbers for an int, so that each batch differs from the last one.
    rng = check_random_state(random_state)

    def batches():
        while True:
            yield make_shapes(batch_size, size=size, jitter=jitter, random_state=rng)

    return batches()


def _place(label, centre, half, jitter, rng) -> np.ndarray:
    """Move the points of one shape, and return its strokes' segments in pixels.

    The result has shape (n_samples, n_segments, 2, 2): two ends a segment, x and y an end.
    """
    segments, jitter = [], jitter * MOBILITY[label]
    for stroke in STROKES[label]:
        points = np.array(stroke, dtype=float)
        points = points + rng.uniform(-jitter, jitter, size=(len(half), *points.shape))
        if CLOSED[label]:
            points = np.concatenate([points, points[:, :1]], axis=1)
        segments.append(np.stack([points[:, :-1], points[:, 1:]], axis=2))
    segments = np.concatenate(segments, axis=1)
    return (centre[:, None, None] + half[:, None, None, None] * segments).astype(np.float32)


def _draw(segments: np.ndarray, size: int) -> np.ndarray:
    """Draw segments of a few images: white within half a stroke's width, grey at the border."""
    pixels = np.arange(size, dtype=np.float32) + np.float32(0.5)
    squares = [_squared_distances(start, end, pixels) for start, end in _each(segments)]
    distance = np.sqrt(np.minimum.reduce(squares))
    return np.clip(np.float32(0.5 + _stroke_width(size) / 2) - distance, 0, 1)


def _stroke_width(size: int) -> float:
    return max(1.0, size * STROKE_WIDTH)


def _each(segments):
    """Iterate over segments, as the x and y of both ends, each of shape (n_samples, 1, 1)."""
    return np.moveaxis(segments, 0, -1)[..., None, None]


def _squared_distances(start, end, pixels) -> np.ndarray:
    """Compute the squared distance of each pixel to one segment of each image."""
    (x, y), (across, down) = start, end - start
    from_x, from_y = pixels - x, pixels[:, None] - y
    length = np.maximum(across**2 + down**2, np.finfo(np.float32).tiny)
    along = from_x * (across / length) + from_y * (down / length)
    along = np.clip(along, 0, 1, out=along)
    return (from_x - along * across) ** 2 + (from_y - along * down) ** 2
