"""A learning rate from a range test."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from skorch.callbacks import Callback

from sknn_basics.training.schedules import Schedule


@dataclass(frozen=True)
class Rise(Schedule):
    """Rise from the first to the last rate by the same factor each step."""

    lowest: float
    highest: float
    n_steps: int

    by_step = True

    def __call__(self, epoch: int, initial_rate: float, n_epochs: int) -> float:
        return self.lowest * (self.highest / self.lowest) ** (epoch / (self.n_steps - 1))


class RangeTest(Callback):
    """Record learning rates and losses; stop when losses explode or learning rates end."""

    def __init__(self, highest: float):
        self.highest = highest
        self.rates: list[float] = []
        self.losses: list[float] = []

    def on_batch_end(self, net, training=False, loss=None, **kwargs):
        if not training or self.has_ended():
            return
        self.rates.append(float(net.optimizer_.param_groups[0]["lr"]))
        self.losses.append(float(loss))

    def on_epoch_end(self, net, **kwargs):
        if self.has_ended():
            net.stop_reason_ = "The range of rates has ended."

    def has_ended(self) -> bool:
        """Tell whether rates have ended, or the loss is far above its smallest."""
        if len(self.losses) < 10:
            return False
        explodes = not self.losses[-1] <= 4 * np.abs(self.losses[:10]).max()
        return explodes or self.rates[-1] >= self.highest * (1 - 1e-9)


def suggest_rate(
    estimator,
    X,
    y=None,
    *,
    lowest: float = 1e-6,
    highest: float = 10.0,
    n_steps: int = 100,
    **fit_params,
) -> float:
    """Suggest a `learning_rate_init` by a range test.

    A clone of the estimator is trained for some steps, whose rates rise by the same factor each,
    from far too small to far too large. The suggestion is the learning rate at which the smoothed
    loss falls the fastest.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A neural estimator, or a pipeline that ends in one, whose steps before are fitted too.
    X : array-like of shape (n_samples, ...)
        Inputs.
    y : array-like of shape (n_samples, ...), default=None
        Targets.
    lowest, highest : float, default=1e-6, 10.0
        The range of rates.
    n_steps : int, default=100
        Number of steps from the lowest to the highest.
    **fit_params
        Further arguments of the estimator's `fit`.

    Returns
    -------
    rate : float
        The suggestion.

    Raises
    ------
    ValueError
        If the estimator has no steps, as with ``solver='lbfgs'``, or the loss falls at no rate.

    References
    ----------
    Smith. "Cyclical learning rates for training neural networks." WACV 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import MLPClassifier
    >>> from sknn_basics.model_selection import suggest_rate
    >>> X, y = load_digits(return_X_y=True)
    >>> model = MLPClassifier(random_state=0)
    >>> bool(1e-3 < suggest_rate(model, X / 16, y) < 0.1)
    True
    """
    rates, losses = range_test(
        estimator, X, y, lowest=lowest, highest=highest, n_steps=n_steps, **fit_params
    )
    return steepest_rate(rates, losses)


def range_test(
    estimator, X, y, *, lowest: float, highest: float, n_steps: int, **fit_params
) -> tuple[np.ndarray, np.ndarray]:
    """Train with rising learning rates; return the learning rates and the losses of all steps."""
    if not (0 < lowest < highest and n_steps >= 10):
        raise ValueError(
            "A range test needs 0 < lowest < highest and at least 10 steps, got "
            f"lowest={lowest:g}, highest={highest:g}, n_steps={n_steps}."
        )
    estimator = clone(estimator)
    if isinstance(estimator, Pipeline):
        X = estimator[:-1].fit_transform(X, y)
        estimator = estimator[-1]
    if getattr(estimator, "solver", None) == "lbfgs":
        raise ValueError("solver='lbfgs' has no learning rate, and so none can be suggested.")
    test = RangeTest(highest)
    estimator.set_params(
        learning_rate=Rise(lowest, highest, n_steps),
        learning_rate_init=lowest,
        max_iter=n_steps,
        n_iter_no_change=np.inf,
        early_stopping=False,
        callbacks=[test],
        verbose=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            estimator.fit(X, y, **fit_params)
        except ValueError:
            # It may well diverge after the best rate.
            if len(test.losses) < 10:
                raise
    return np.array(test.rates), np.array(test.losses)


def steepest_rate(rates: np.ndarray, losses: np.ndarray) -> float:
    """Find where losses fall the fastest, smoothed over some steps.

    Raises
    ------
    ValueError
        If they do not fall.
    """
    finite = np.isfinite(losses)
    rates, losses = rates[finite], losses[finite]
    width = max(3, len(losses) // 10)
    smooth = np.convolve(losses, np.full(width, 1 / width), mode="valid")
    # What follows the smallest loss is past the best rate.
    slopes = np.diff(smooth[: np.argmin(smooth) + 1])
    if not smooth.min() < smooth[0] - 0.01 * abs(smooth[0]):
        raise ValueError(
            "The loss falls at no rate of the range test: check X and y, or give another range "
            "(lowest, highest)."
        )
    return float(rates[np.argmin(slopes) + width // 2])
