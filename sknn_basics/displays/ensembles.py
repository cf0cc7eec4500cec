"""The networks of an ensemble, epoch by epoch."""

from collections.abc import Sequence

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sknn_basics.displays._axes import choose_axes


class EnsembleCurveDisplay:
    """What each network of an ensemble was judged by, epoch by epoch, and which count.

    Use `from_estimator` to make one. Networks that do not count in the prediction are grey, and a
    dot marks the epoch that a network is used from.

    Parameters
    ----------
    curves : ndarray of shape (n_epochs, n_networks)
        Losses on validation rows, NaN after a network has left.
    best_epochs : array-like of shape (n_networks,)
        Numbers of the epochs that are used, from 0.
    weights : array-like of shape (n_networks,)
        How much each network counts.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where was drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    lines_ : list of matplotlib Line2D
        The curves.
    points_ : list of matplotlib Line2D
        The marks of the epochs that are used.

    See Also
    --------
    TrainingCurveDisplay : The same for single networks.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknn_basics import TabularClassifier
    >>> from sknn_basics.displays import EnsembleCurveDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> model = TabularClassifier(n_networks=3, max_iter=5, random_state=0).fit(X, y)
    >>> len(EnsembleCurveDisplay.from_estimator(model).lines_)
    3
    """

    def __init__(self, *, curves: np.ndarray, best_epochs: Sequence[int], weights: Sequence[float]):
        self.curves = curves
        self.best_epochs = best_epochs
        self.weights = weights

    @classmethod
    def from_estimator(cls, estimator, *, ax=None):
        """Draw the networks of a `TabularClassifier` or `TabularRegressor`.

        Parameters
        ----------
        estimator : estimator
            Fitted one, or a pipeline or search that ends in one.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : EnsembleCurveDisplay
            The drawn display.

        Raises
        ------
        TypeError
            If it is no ensemble.
        """
        estimator = getattr(estimator, "best_estimator_", estimator)
        if isinstance(estimator, Pipeline):
            estimator = estimator[-1]
        check_is_fitted(estimator)
        if not hasattr(estimator, "ensemble_weights_"):
            raise TypeError(
                "EnsembleCurveDisplay needs a TabularClassifier or TabularRegressor, got "
                f"{type(estimator).__name__}."
            )
        display = cls(
            curves=estimator.history_["valid_loss"],
            best_epochs=estimator.best_epoch_,
            weights=estimator.ensemble_weights_,
        )
        return display.plot(ax=ax)

    def plot(self, *, ax=None) -> "EnsembleCurveDisplay":
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : EnsembleCurveDisplay
            This display.
        """
        (self.ax_,) = choose_axes(self, ax, 1, (6.4, 4))
        self.figure_ = self.ax_.figure
        epochs = np.arange(1, len(self.curves) + 1)
        self.lines_, self.points_ = [], []
        for curve, best, weight in zip(self.curves.T, self.best_epochs, self.weights):
            style = {"color": "C0"} if weight else {"color": "0.7", "zorder": 1}
            (line,) = self.ax_.plot(epochs, curve, linewidth=1, **style)
            (point,) = self.ax_.plot(best + 1, curve[best], "o", markersize=5, **style)
            self.lines_.append(line)
            self.points_.append(point)
        counts = np.asarray(self.weights) > 0
        for is_shown, lines in (counts, "counts"), (~counts, "left out"):
            if is_shown.any():
                self.lines_[int(np.argmax(is_shown))].set_label(f"{lines}: {is_shown.sum()}")
        self.ax_.set(xlabel="Epoch", ylabel="Loss on validation rows")
        self.ax_.legend(title="Networks")
        return self
