"""What lies between, around and beyond the latent variables of samples.

These functions take anything that has `transform` and `inverse_transform`: autoencoders, `PCA`, a
pipeline that ends in one. With latent variables in place of samples, `inverse_transform` is enough:
GANs.
"""

from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_array, check_consistent_length, check_random_state, check_scalar


def interpolate(model, a, b, n_steps: int = 6, *, space: str = "data") -> np.ndarray:
    """Go from samples to others, on straight lines between their latent variables.

    Parameters
    ----------
    model : object
        Fitted transformer with `inverse_transform`.
    a, b : array-like of shape (n_pairs, ...)
        Samples where the lines begin and end.
    n_steps : int, default=6
        Number of samples on each line, its ends among them.
    space : {'data', 'latent'}, default='data'
        Whether `a` and `b` are samples, or latent variables already, as for models without an
        encoder: a GAN or a `Decoder`.

    Returns
    -------
    X : ndarray of shape (n_pairs, n_steps, ...)
        Decoded latent variables; the first and last ones are the reconstructions of `a` and `b`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sknn_basics.inspection import interpolate
    >>> X, _ = load_digits(return_X_y=True)
    >>> interpolate(PCA(5).fit(X), X[:3], X[3:6], n_steps=4).shape
    (3, 4, 64)
    """
    check_n_steps(n_steps)
    return _between(model, a, b, np.linspace(0, 1, n_steps), space)


def blend(model, a, b, share: float = 0.5, *, space: str = "data") -> np.ndarray:
    """Blend samples with others, as the weighted means of their latent variables.

    Parameters
    ----------
    model : object
        Fitted transformer with `inverse_transform`.
    a, b : array-like of shape (n_pairs, ...)
        Samples.
    share : float, default=0.5
        Share of `b`; beyond 0 and 1, the line through both latent variables continues.
    space : {'data', 'latent'}, default='data'
        Whether `a` and `b` are samples, or latent variables already, as for models without an
        encoder: a GAN or a `Decoder`.

    Returns
    -------
    X : ndarray of shape (n_pairs, ...)
        Decoded latent variables.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sknn_basics.inspection import blend
    >>> X, _ = load_digits(return_X_y=True)
    >>> blend(PCA(5).fit(X), X[:3], X[3:6], share=0.25).shape
    (3, 64)
    """
    check_scalar(share, "share", Real)
    return _between(model, a, b, np.array([share]), space)[:, 0]


def perturb(
    model,
    X,
    amount: float,
    *,
    relative: bool = False,
    components: int | Sequence[int] | None = None,
    random_state=None,
    space: str = "data",
) -> np.ndarray:
    """Add normal noise to the latent variables of samples.

    Parameters
    ----------
    model : object
        Fitted transformer with `inverse_transform`.
    X : array-like of shape (n_samples, ...)
        Samples.
    amount : float
        Standard deviation of the noise.
    relative : bool, default=False
        Whether `amount` is a share of each latent variable's value: 0.1 changes it by 10 %.
    components : int, sequence of int or None, default=None
        Numbers of the latent variables to change; None changes all.
    random_state : int, RandomState instance or None, default=None
        Source of the noise.
    space : {'data', 'latent'}, default='data'
        Whether rows of X are samples, or latent variables already, as for models without an
        encoder: a GAN or a `Decoder`.

    Returns
    -------
    X : ndarray of shape (n_samples, ...)
        Decoded latent variables.

    Raises
    ------
    ValueError
        If `amount` is negative, or there is no such latent.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sknn_basics.inspection import perturb
    >>> X, _ = load_digits(return_X_y=True)
    >>> perturb(PCA(5).fit(X), X[:3], amount=0.1, relative=True, random_state=0).shape
    (3, 64)
    """
    check_scalar(amount, "amount", Real, min_val=0)
    Z = _latents(model, X, space)
    noise = amount * check_random_state(random_state).standard_normal(Z.shape)
    chosen = np.zeros(Z.shape[1], dtype=bool)
    if components is None:
        chosen[:] = True
    else:
        chosen[check_components(components, Z.shape[1])] = True
    return model.inverse_transform(Z + np.where(chosen, noise * Z if relative else noise, 0))


def latent_grid(
    model,
    n_steps: int = 10,
    *,
    low: float = -3.0,
    high: float = 3.0,
    components: Sequence[int] = (0, 1),
    center=None,
) -> np.ndarray:
    """Decode a grid over the plane of two latent variables.

    Parameters
    ----------
    model : object
        Anything fitted with `inverse_transform`, a `Decoder` too.
    n_steps : int, default=10
        Number of values of each latent variable.
    low, high : float or pair of float, default=-3.0 and 3.0
        Range of the values: one for both latent variables, or one each.
    components : pair of int, default=(0, 1)
        Numbers of the two latent variables.
    center : array-like of shape (n_components,), default=None
        Values of the other latent variables; None for a model that has no others.

    Returns
    -------
    X : ndarray of shape (n_steps, n_steps, ...)
        Decoded latent variables. As in a plot, the first one grows from left to right, along the
        second axis, and the second one grows from bottom to top.

    Raises
    ------
    ValueError
        If there are no such latent variables.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sknn_basics.inspection import latent_grid
    >>> X, _ = load_digits(return_X_y=True)
    >>> latent_grid(PCA(2).fit(X), 4, low=-20, high=20).shape
    (4, 4, 64)
    """
    check_n_steps(n_steps)
    center = np.zeros(2) if center is None else check_array([center], input_name="center")[0]
    first, second = check_components(components, len(center), n_wanted=2)
    x, y = np.linspace(*np.broadcast_arrays(low, high, [0, 0])[:2], n_steps).T
    Z = np.tile(center.astype(np.float64), (n_steps, n_steps, 1))
    Z[..., first], Z[..., second] = x, y[::-1, np.newaxis]
    return _unflatten(model.inverse_transform(Z.reshape(-1, len(center))), (n_steps, n_steps))


def latent_path(model, points, n_steps: int = 10) -> np.ndarray:
    """Decode a path of straight lines between latent variables.

    Parameters
    ----------
    model : object
        Anything fitted with `inverse_transform`, a `Decoder` too.
    points : array-like of shape (n_points, n_components)
        Latent variables where the lines meet.
    n_steps : int, default=10
        Number of steps on each line.

    Returns
    -------
    X : ndarray of shape ((n_points - 1) * n_steps + 1, ...)
        Decoded latent variables, those of the points among them.

    Raises
    ------
    ValueError
        If there are fewer than two points.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sknn_basics.inspection import latent_path
    >>> X, _ = load_digits(return_X_y=True)
    >>> latent_path(PCA(2).fit(X), [[-20, 0], [20, 0], [20, 20]], n_steps=5).shape
    (11, 64)
    """
    check_scalar(n_steps, "n_steps", Integral, min_val=1)
    points = check_array(points, dtype=np.float64, input_name="points")
    if len(points) < 2:
        raise ValueError("points must be two or more latent variables, got one.")
    places = np.linspace(0, len(points) - 1, (len(points) - 1) * n_steps + 1)
    corners = np.arange(len(points))
    Z = np.column_stack([np.interp(places, corners, column) for column in points.T])
    return model.inverse_transform(Z)


def check_n_steps(n_steps: int) -> None:
    """Check the number of values between two ends.

    Raises
    ------
    ValueError
        If it is less than 2.
    """
    check_scalar(n_steps, "n_steps", Integral, min_val=2)


def check_components(components, n_components: int, n_wanted: int | None = None) -> list[int]:
    """Check numbers of latent variables.

    Raises
    ------
    ValueError
        If there is no such latent variable, or another number of them is wanted.
    """
    chosen = [components] if isinstance(components, Integral) else list(components)
    valid = all(isinstance(i, Integral) and -n_components <= i < n_components for i in chosen)
    if not valid or len(set(chosen)) != (n_wanted or len(chosen)):
        raise ValueError(
            f"components must be {n_wanted or ''} different integers of {n_components} latent "
            f"variables, counted from 0, got {components!r}.".replace("  ", " ")
        )
    return chosen


def _latents(model, X, space: str) -> np.ndarray:
    if space not in ("data", "latent"):
        raise ValueError(f"space must be 'data' or 'latent', got {space!r}.")
    if space == "latent":
        return check_array(X, input_name="latents")
    if not hasattr(model, "transform"):
        raise ValueError(
            f"{type(model).__name__} has no encoder: give latent variables, and space='latent'."
        )
    return np.asarray(model.transform(X))


def _between(model, a, b, shares: np.ndarray, space: str) -> np.ndarray:
    check_consistent_length(a, b)
    start, stop = (_latents(model, end, space)[:, np.newaxis] for end in (a, b))
    shares = shares.astype(start.dtype)[:, np.newaxis]
    Z = (1 - shares) * start + shares * stop
    return _unflatten(model.inverse_transform(Z.reshape(-1, Z.shape[-1])), Z.shape[:2])


def _unflatten(X, shape: tuple[int, int]) -> np.ndarray:
    X = np.asarray(X)
    return X.reshape(*shape, *X.shape[1:])
