"""Losses and scores by epoch."""

from collections.abc import Mapping
from math import log

import numpy as np

from sknn_basics.displays._axes import choose_axes
from sknn_basics.displays.models import find_network

STYLES = {"train": ("--", "training"), "valid": ("-", "validation")}

# The same of GANs: whose loss, and of which samples a confidence is.
STYLES_OF_PLAYERS = {
    "generator": ("--", "generator"),
    "discriminator": ("-", "discriminator"),
    "made": ("--", "made samples"),
    "real": ("-", "real samples"),
}
MEASURES = ("loss", "score", "confidence")

# What a discriminator that cannot tell real samples from made ones has, with the loss 'log_loss'.
INDIFFERENCE = {"loss": log(2), "confidence": 0.5}


class TrainingCurveDisplay:
    """Losses and scores of one or several trainings, epoch by epoch.

    Use `from_estimator` or `from_estimators` to make one. scikit-learn's
    `sklearn.model_selection.LearningCurveDisplay` is something else: scores by number of samples.

    Parameters
    ----------
    histories : dict of str to dict
        For each run by name: arrays of shape (n_epochs,) named 'train_loss' and, where they were
        recorded, 'valid_loss', 'train_score' and 'valid_score'. Those of GANs have
        'generator_loss', 'discriminator_loss', 'real_confidence' and 'made_confidence'.
    best_epochs : dict of str to int, default=None
        The best epoch, counted from 1, of runs that have one; None marks none.
    indifference : bool, default=False
        Whether lines mark the loss and the confidence of a GAN's discriminator that cannot tell
        real samples from made ones.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (1,) or (2,)
        Where losses and, if there are any, scores or confidences were drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    lines_ : dict of tuple to matplotlib Line2D
        The curves, by name of the run and of what was recorded.
    best_lines_ : dict of tuple to matplotlib Line2D
        The marks of best epochs, by name of the run and number of the axes.

    See Also
    --------
    SearchScoresDisplay : Scores of a search's candidates.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknn_basics import MLPClassifier
    >>> from sknn_basics.displays import TrainingCurveDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPClassifier((5,), max_iter=8, early_stopping=True, random_state=0).fit(X, y)
    >>> display = TrainingCurveDisplay.from_estimator(network)
    >>> sorted(quantity for run, quantity in display.lines_)
    ['train_loss', 'valid_loss', 'valid_score']
    """

    def __init__(
        self,
        *,
        histories: Mapping,
        best_epochs: Mapping[str, int] | None = None,
        indifference: bool = False,
    ):
        self.histories = histories
        self.best_epochs = best_epochs
        self.indifference = indifference

    @classmethod
    def from_estimator(cls, estimator, *, name: str | None = None, ax=None):
        """Draw the training of one network.

        Parameters
        ----------
        estimator : estimator
            Fitted neural estimator, a pipeline that ends in one, or a search of these.
        name : str, default=None
            What the legend calls it; None is the name of its class.
        ax : matplotlib Axes or array-like of matplotlib Axes, default=None
            One for the losses, and one for scores or confidences if there are any; None makes a new
            figure.

        Returns
        -------
        display : TrainingCurveDisplay
            The drawn display.

        Raises
        ------
        TypeError
            If there is no neural estimator.
        ValueError
            If it is not fitted.
        """
        network = find_network(estimator)
        return cls.from_estimators({name or type(network).__name__: network}, ax=ax)

    @classmethod
    def from_estimators(cls, estimators: Mapping, *, ax=None):
        """Draw the trainings of several networks, to compare them.

        Parameters
        ----------
        estimators : dict of str to estimator
            Fitted neural estimators, pipelines that end in one, or searches of these, by name.
        ax : matplotlib Axes or array-like of matplotlib Axes, default=None
            One for the losses, and one for scores or confidences if there are any; None makes a new
            figure.

        Returns
        -------
        display : TrainingCurveDisplay
            The drawn display.

        Raises
        ------
        TypeError
            If there is no neural estimator, or no dict.
        ValueError
            If there are none, or one is not fitted.
        """
        if not isinstance(estimators, Mapping):
            raise TypeError(
                f"estimators must be a dict of name to estimator, got {type(estimators).__name__}."
            )
        networks = {name: find_network(estimator) for name, estimator in estimators.items()}
        epochs = {name: find_best_epoch(network) for name, network in networks.items()}
        return cls(
            histories={name: network.history_ for name, network in networks.items()},
            best_epochs={name: epoch for name, epoch in epochs.items() if epoch is not None},
            indifference=all(
                "made_confidence" in network.history_ and network.loss == "log_loss"
                for network in networks.values()
            ),
        ).plot(ax)

    def plot(self, ax=None) -> "TrainingCurveDisplay":
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of matplotlib Axes, default=None
            One for the losses, and one for scores or confidences if there are any; None makes a new
            figure.

        Returns
        -------
        display : TrainingCurveDisplay
            This display.

        Raises
        ------
        ValueError
            If there is nothing to draw, or the number of axes does not fit.
        """
        if not self.histories:
            raise ValueError("There is no training to draw: histories is empty.")
        measures = [m for m in MEASURES if any(map(recorded(m), self.histories.values()))]
        if not measures:
            raise ValueError("There is no training to draw: no epoch was recorded.")
        self.axes_ = choose_axes(self, ax, len(measures), (4.5, 3.5))
        self.figure_ = self.axes_[0].figure
        self.lines_, self.best_lines_ = {}, {}
        for place, (axes, measure) in enumerate(zip(self.axes_, measures)):
            for number, name in enumerate(self.histories):
                self._draw_run(axes, name, measure, f"C{number % 10}")
                self._mark_best(axes, place, name, f"C{number % 10}")
            if self.indifference and measure in INDIFFERENCE:
                axes.axhline(INDIFFERENCE[measure], color="gray", linewidth=1, zorder=0)
            axes.set(xlabel="Epoch", ylabel=measure.capitalize())
            axes.legend()
        return self

    def _draw_run(self, ax, name: str, measure: str, color: str) -> None:
        for part, (style, label) in styles_of(self.histories[name]).items():
            values = self.histories[name].get(f"{part}_{measure}")
            if values is None:
                continue
            label = label if len(self.histories) == 1 else f"{name}, {label}"
            # A curve of one epoch is a point.
            marker = "o" if len(values) == 1 else None
            epochs = np.arange(1, len(values) + 1)
            (line,) = ax.plot(epochs, values, style, color=color, label=label, marker=marker)
            self.lines_[name, f"{part}_{measure}"] = line

    def _mark_best(self, ax, place: int, name: str, color: str) -> None:
        epoch = (self.best_epochs or {}).get(name)
        if epoch is None:
            return
        label = f"best epoch: {epoch}" if len(self.histories) == 1 else None
        line = ax.axvline(epoch, color=color, linestyle=":", linewidth=1, label=label)
        self.best_lines_[name, place] = line


def recorded(measure: str):
    """Make a function that tells whether a history has losses or scores."""
    return lambda history: any(f"{part}_{measure}" in history for part in styles_of(history))


def styles_of(history: Mapping) -> dict[str, tuple[str, str]]:
    """Choose the curves of a history: style and label by what their names begin with."""
    return STYLES_OF_PLAYERS if "generator_loss" in history else STYLES


def find_best_epoch(network) -> int | None:
    """Find the last epoch, from 1, that was the best on validation data; None without such data."""
    best = [i for i, row in enumerate(network.net_.history, 1) if row.get("valid_score_best")]
    return best[-1] if best else None
