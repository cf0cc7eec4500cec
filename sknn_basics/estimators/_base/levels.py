"""What takes trends and levels out of a series before a regressor sees it, and puts them back."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# A window that hardly varies is divided by this share of the series' standard deviation at least.
LEAST_SHARE = 0.01


class Differences:
    """Differences to earlier rows, one after another: of lags 1 and 12, for example.

    With the lag operator B they are ``(1 - B)(1 - B**12) s``, a sum of the current row and some
    before it with fixed coefficients; so what they take out is put back row by row.

    Parameters
    ----------
    lags : sequence of int
        The lags; none leaves a series as it is.

    Attributes
    ----------
    n_rows : int
        Number of rows before a row that its difference needs.
    coefficients : ndarray of shape (n_rows + 1,)
        What the current row, the one before it, and so on are multiplied by.
    """

    def __init__(self, lags: Sequence[int]):
        self.coefficients = np.ones(1)
        for lag in lags:
            self.coefficients = np.convolve(self.coefficients, [1, *[0] * (lag - 1), -1])
        self.n_rows = len(self.coefficients) - 1

    def take(self, series: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Take the differences of some columns, of shape (..., n_samples - n_rows, n_features).

        The other columns only lose their first rows.
        """
        if not self.n_rows:
            return series
        taken = series[..., self.n_rows :, :].copy()
        taken[..., columns] = sum(
            self.coefficients[k]
            * series[..., self.n_rows - k : series.shape[-2] - k, :][..., columns]
            for k in np.flatnonzero(self.coefficients)
        )
        return taken

    def undo(self, differences: np.ndarray, past: np.ndarray) -> np.ndarray:
        """Put back what was taken out, of shape (n_windows, n_steps, n_targets).

        Parameters
        ----------
        differences : ndarray of shape (n_windows, n_steps, n_targets)
            Differences of the rows that follow.
        past : ndarray of shape (n_windows, n_rows, n_targets)
            The rows before them.
        """
        if not self.n_rows:
            return differences
        values = np.concatenate([past, differences], axis=1)
        back = np.flatnonzero(self.coefficients)[1:]
        for row in range(self.n_rows, values.shape[1]):
            values[:, row] -= np.tensordot(self.coefficients[back], values[:, row - back], (0, 1))
        return values[:, self.n_rows :]


@dataclass
class WindowScaling:
    """Each window on a scale of its own, by its mean, its last value, or mean and deviation.

    Parameters
    ----------
    kind : {'mean', 'last', 'standard'} or None
        What is subtracted from a window: its mean or its last value; 'standard' also divides by
        its standard deviation. None leaves windows as they are.
    columns : ndarray of bool of shape (n_features,)
        Which columns are scaled.
    least : ndarray of shape (n_features,)
        What 'standard' divides by at least.
    """

    kind: str | None
    columns: np.ndarray
    least: np.ndarray

    def find(self, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find what windows of shape (n_windows, n_rows, n_features) are scaled by.

        Returns what is subtracted and what is divided by, of shape (n_windows, 1, n_features).
        Missing values count for nothing.
        """
        known = ~np.isnan(windows)
        if self.kind == "last":
            last = windows.shape[1] - 1 - known[:, ::-1].argmax(axis=1, keepdims=True)
            centre = np.take_along_axis(windows, last, axis=1)
        else:
            centre = mean_of_known(windows, known)
        scale = np.ones_like(centre)
        if self.kind == "standard":
            scale = np.maximum(np.sqrt(mean_of_known((windows - centre) ** 2, known)), self.least)
        return np.where(self.columns, centre, 0.0), np.where(self.columns, scale, 1.0)


def mean_of_known(windows: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Compute the mean along windows' rows where values are known; NaN where none is."""
    with np.errstate(invalid="ignore"):
        total = np.where(known, windows, 0.0).sum(axis=1, keepdims=True)
        return total / known.sum(axis=1, keepdims=True)


def least_scales(series: np.ndarray) -> np.ndarray:
    """Tell what windows of a series are divided by at least, of shape (n_features,)."""
    spread = np.nanstd(series, axis=0) * LEAST_SHARE
    return np.where(spread > 0, spread, 1.0)
