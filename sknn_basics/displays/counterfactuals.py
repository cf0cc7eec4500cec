"""What of a row would have to be otherwise."""

import numpy as np

from sknn_basics.displays._axes import choose_ax
from sknn_basics.inspection.counterfactuals import counterfactual


class CounterfactualDisplay:
    """The columns of one row that a counterfactual changes, each from and to a value.

    Use `from_estimator` to make one.

    Parameters
    ----------
    names : sequence of str
        Names of the changed columns.
    before, after : ndarray of shape (n_columns,)
        Their values.
    scale : ndarray of shape (n_columns,)
        Standard deviations, in which the bars are drawn.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    bars_ : matplotlib BarContainer
        A bar for each changed column.

    See Also
    --------
    sknn_basics.inspection.counterfactual : The changed rows alone.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sknn_basics import MLPClassifier
    >>> from sknn_basics.displays import CounterfactualDisplay
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), MLPClassifier(max_iter=30, random_state=0))
    >>> display = CounterfactualDisplay.from_estimator(model.fit(X, y), X[:1], reference=X)
    >>> len(display.bars_) == len(display.names) > 0
    True
    """

    def __init__(self, *, names, before: np.ndarray, after: np.ndarray, scale: np.ndarray):
        self.names = names
        self.before = before
        self.after = after
        self.scale = scale

    @classmethod
    def from_estimator(
        cls, estimator, X, target=None, *, reference, ax=None, **options
    ) -> "CounterfactualDisplay":
        """Find what would have to be otherwise of one row, and draw it.

        Parameters
        ----------
        estimator : estimator, Pipeline or nn.Module
            See `sknn_basics.inspection.counterfactual`.
        X : array-like or data frame of shape (1, n_features)
            The row.
        target : label, default=None
            The wanted decision; None is any other.
        reference : array-like of shape (n_rows, n_features)
            Rows that tell ranges and standard deviations.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        **options
            Further arguments of `sknn_basics.inspection.counterfactual`.

        Returns
        -------
        display : CounterfactualDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If X is not one row, or no change is found.
        """
        if len(X) != 1:
            raise ValueError(f"X must be one row, got {len(X)}.")
        found = counterfactual(estimator, X, target, reference=reference, **options)
        if not found.success[0]:
            raise ValueError("No change within the bounds leads to another decision.")
        names = list(X.columns) if hasattr(X, "columns") else range(np.shape(X)[1])
        before, after = np.asarray(X, dtype=float)[0], np.asarray(found.X_counterfactual)[0]
        moved = np.flatnonzero(np.asarray(found.change)[0])
        return cls(
            names=[str(list(names)[i]) for i in moved],
            before=before[moved],
            after=after[moved],
            scale=np.asarray(reference, dtype=float).std(axis=0)[moved],
        ).plot(ax)

    def plot(self, ax=None) -> "CounterfactualDisplay":
        """Draw the changes.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : CounterfactualDisplay
            This display.
        """
        self.ax_ = choose_ax(self, ax, (6, 1 + 0.4 * len(self.names)))
        self.figure_ = self.ax_.figure
        change = (self.after - self.before) / np.where(self.scale > 0, self.scale, 1)
        texts = [f"{a:.4g} → {b:.4g}" for a, b in zip(self.before, self.after)]
        colors = ["C3" if value < 0 else "C0" for value in change]
        self.bars_ = self.ax_.barh(self.names, change, color=colors)
        self.ax_.bar_label(self.bars_, texts, padding=3)
        self.ax_.axvline(0, color="black", lw=0.8)
        self.ax_.invert_yaxis()
        self.ax_.margins(x=0.35)
        self.ax_.set(xlabel="Change in standard deviations", title="What would have to change")
        return self
