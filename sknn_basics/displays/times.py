"""Times of the candidates of a search."""

from sknn_basics.displays._axes import choose_ax
from sknn_basics.displays.candidates import Candidates, read_candidates
from sknn_basics.displays.searches import draw_lines


class FitTimeDisplay:
    """Times of fits along one parameter, on a logarithmic axis.

    Use `from_search` to make one.

    Parameters
    ----------
    candidates : Candidates
        Parameters and times in seconds.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    errorbars_ : list of matplotlib ErrorbarContainer
        A line for each combination of the other parameters.

    See Also
    --------
    SearchScoresDisplay : Scores of a search's candidates.

    Notes
    -----
    Times mean little where several fits share a machine, or are trained together.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sknn_basics import MLPClassifier
    >>> from sknn_basics.displays import FitTimeDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> grid = {"batch_size": [10, 100]}
    >>> search = GridSearchCV(MLPClassifier(max_iter=5, tol=10, random_state=0), grid, cv=2)
    >>> display = FitTimeDisplay.from_search(search.fit(X, y))
    >>> display.ax_.get_xlabel(), display.ax_.get_yscale()
    ('batch_size', 'log')
    """

    def __init__(self, *, candidates: Candidates):
        self.candidates = candidates

    @classmethod
    def from_search(cls, search, *, x: str | None = None, ax=None) -> "FitTimeDisplay":
        """Draw the mean times of fits of a search.

        Parameters
        ----------
        search : search
            Any fitted search with ``cv_results_``.
        x : str, default=None
            Parameter along the horizontal axis, as in the search's grid, with or without the names
            of steps before it; None takes the one with most values.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : FitTimeDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the search is not fitted, or has no such parameter.
        """
        return cls(candidates=read_candidates(search, "fit_time")).plot(ax, x=x)

    def plot(self, ax=None, *, x: str | None = None) -> "FitTimeDisplay":
        """Draw the times.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        x : str, default=None
            Parameter along the horizontal axis; None takes the one with most values.

        Returns
        -------
        display : FitTimeDisplay
            This display.

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        x = self.candidates.choose(x)[0]
        self.ax_ = choose_ax(self, ax, (6, 4))
        self.figure_ = self.ax_.figure
        self.errorbars_ = draw_lines(self.ax_, self.candidates, x)
        self.ax_.set(ylabel="Mean time of a fit [s]", yscale="log")
        return self
