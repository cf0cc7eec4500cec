"""Intervals of forecasts: from errors of earlier ones, and from levels of quantiles."""

import numpy as np


def conformal_bounds(errors: np.ndarray, coverage: float) -> tuple[np.ndarray, np.ndarray]:
    """Find the bounds of what a forecast's errors are, by step, from those of earlier forecasts.

    Each bound leaves out half of ``1 - coverage``, and is the order statistic that does so for a
    new error too, if it is exchangeable with the others.

    Parameters
    ----------
    errors : ndarray of shape (n_origins, n_steps, n_targets)
        Earlier errors; NaN where there is none.
    coverage : float
        Share of errors between the bounds.

    Returns
    -------
    lower, upper : ndarray of shape (n_steps, n_targets)
        The bounds.

    Raises
    ------
    ValueError
        If there are too few errors for so high a coverage.
    """
    ordered = np.sort(errors, axis=0)  # NaN last
    n_errors = (~np.isnan(errors)).sum(axis=0)
    # 0.95 of 20 is not a bit more than 19.
    place = np.ceil((n_errors + 1) * (1 + coverage) / 2 - 1e-9).astype(np.intp)
    if (place > n_errors).any():
        needed = int(np.ceil(2 / (1 - coverage) - 1e-9)) - 1
        step = int(np.flatnonzero((place > n_errors).any(axis=1))[0])
        raise ValueError(
            f"coverage={coverage} needs {needed} errors of each step at least, step {step + 1} has "
            f"{n_errors[step].min()}: calibrate with more origins, or choose a smaller coverage."
        )
    upper = np.take_along_axis(ordered, place[None] - 1, axis=0)[0]
    lower = np.take_along_axis(ordered, (n_errors - place)[None], axis=0)[0]
    return lower, upper


def quantile_levels(estimator) -> np.ndarray | None:
    """Find the levels of the quantiles that a fitted regressor predicts, if it predicts several."""
    while hasattr(estimator, "steps") or hasattr(estimator, "best_estimator_"):
        inner = getattr(estimator, "best_estimator_", None)
        estimator = estimator.steps[-1][1] if inner is None else inner
    levels = getattr(estimator, "quantile", None)
    return np.asarray(levels, np.float64) if np.ndim(levels) == 1 else None


class Draw:
    """Draws what may follow windows, for paths.

    Parameters
    ----------
    rng : RandomState
        Source of the draws.
    levels : ndarray of shape (n_levels,), default=None
        Levels of the quantiles that are predicted.
    errors : ndarray of shape (n_errors, horizon, n_targets), default=None
        Errors of predictions.
    """

    def __init__(self, rng: np.random.RandomState, levels=None, errors=None):
        self.rng, self.levels, self.errors = rng, levels, errors

    def between(self, values: np.ndarray) -> np.ndarray:
        """Draw from predicted quantiles of shape (n_samples, n_levels)."""
        return at_logits(values, self.levels, self.rng.logistic(size=len(values)))

    def around(self, predicted: np.ndarray) -> np.ndarray:
        """Add errors to predictions of shape (n_samples, horizon, n_targets)."""
        if self.errors is None:
            return predicted
        return predicted + self.errors[self.rng.randint(len(self.errors), size=len(predicted))]


def at_median(values: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Interpolate the medians of predicted quantiles of shape (n_samples, n_levels)."""
    return at_logits(values, levels, np.zeros(len(values)))


def at_logits(values: np.ndarray, levels: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Interpolate predicted quantiles at a level for each sample, over the logits of levels.

    Beyond the first and the last level, the line through the two next to it continues, so that the
    tails are those of a logistic distribution.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_levels)
        Predicted quantiles.
    levels : ndarray of shape (n_levels,)
        Their levels.
    wanted : ndarray of shape (n_samples,)
        Logits of the wanted levels.
    """
    if len(levels) == 1:
        return values[:, 0]
    known = np.log(levels / (1 - levels))
    right = np.clip(np.searchsorted(known, wanted), 1, len(known) - 1)
    rows = np.arange(len(values))
    slope = (values[rows, right] - values[rows, right - 1]) / (known[right] - known[right - 1])
    return values[rows, right - 1] + slope * (wanted - known[right - 1])
