"""Forecasts of the past, and how good they were."""

import numpy as np

from sknn_basics.displays._axes import choose_axes


class BacktestDisplay:
    """Forecasts from several origins along their series, and scores by step.

    Use `from_backtest` to make one.

    Parameters
    ----------
    result : Backtest
        What `sknn_basics.model_selection.backtest` made.

    Attributes
    ----------
    axes_ : ndarray of shape (2,) of matplotlib Axes
        The series with its forecasts, and the scores.
    figure_ : matplotlib Figure
        What holds the axes.
    lines_ : list of matplotlib Line2D
        The series, then a line for each origin that is drawn.
    scores_ : matplotlib Line2D
        The score of each step.

    See Also
    --------
    sknn_basics.model_selection.backtest : Makes the forecasts.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from sknn_basics import Forecaster
    >>> from sknn_basics.datasets import load_sunspots
    >>> from sknn_basics.displays import BacktestDisplay
    >>> from sknn_basics.model_selection import backtest
    >>> forecaster = Forecaster(LinearRegression(), window=9)
    >>> result = backtest(forecaster, load_sunspots(as_frame=True), n_steps=11, refit=50)
    >>> display = BacktestDisplay.from_backtest(result)
    >>> len(display.lines_), display.scores_.get_ydata().shape
    (15, (11,))
    """

    def __init__(self, *, result):
        self.result = result

    @classmethod
    def from_backtest(
        cls, result, *, target=0, scoring="neg_mean_absolute_error", ax=None
    ) -> "BacktestDisplay":
        """Draw the forecasts and their scores.

        Parameters
        ----------
        result : Backtest
            What `sknn_basics.model_selection.backtest` made.
        target : int, default=0
            Which of several targets is drawn, by its place among them.
        scoring : str or callable, default='neg_mean_absolute_error'
            What scores each step, as in ``result.score``.
        ax : array-like of shape (2,) of matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : BacktestDisplay
            The drawn display.
        """
        return cls(result=result).plot(ax, target=target, scoring=scoring)

    def plot(self, ax=None, *, target=0, scoring="neg_mean_absolute_error") -> "BacktestDisplay":
        """Draw the forecasts and their scores.

        Forecasts that overlap would hide each other: of these, each begins where the last one ends.

        Parameters
        ----------
        ax : array-like of shape (2,) of matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        target : int, default=0
            Which of several targets is drawn, by its place among them.
        scoring : str or callable, default='neg_mean_absolute_error'
            What scores each step, as in ``result.score``.

        Returns
        -------
        display : BacktestDisplay
            This display.
        """
        self.axes_ = choose_axes(self, ax, 2, (6, 4))
        self.figure_ = self.axes_[0].figure
        self.lines_ = self._draw_series(self.axes_[0], target)
        result = self.result
        scores = result.score(scoring, by="step")
        (self.scores_,) = self.axes_[1].plot(result.steps, scores, marker=".")
        name = scoring if isinstance(scoring, str) else getattr(scoring, "__name__", "score")
        self.axes_[1].set(xlabel="Steps ahead", ylabel=name.replace("_", " ").capitalize())
        return self

    def _draw_series(self, ax, target: int) -> list:
        result = self.result
        rows = result.origins[:, None] + result.steps
        places, first = np.unique(rows, return_index=True)
        values = result.true[..., target].ravel()[first]
        lines = ax.plot(self._label(places), values, color="grey", label="series")
        end = -1
        for origin, ahead, predicted in zip(result.origins, rows, result.predicted):
            if origin < end:
                continue
            end = ahead[-1]
            name = "forecasts" if len(lines) == 1 else None
            lines += ax.plot(self._label(ahead), predicted[:, target], color="C0", label=name)
        ax.set_ylabel(result.targets[target] if result.index is not None else "")
        ax.legend()
        return lines

    def _label(self, rows: np.ndarray):
        labels = self.result.label(rows)
        # Matplotlib knows no periods.
        return labels.to_timestamp() if hasattr(labels, "to_timestamp") else labels
