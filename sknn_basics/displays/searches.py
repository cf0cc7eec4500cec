"""Scores and times of the candidates of a search."""

from numbers import Real

import numpy as np

from sknn_basics.displays._axes import choose_ax
from sknn_basics.displays.candidates import Candidates, is_wide, label_values, read_candidates


class SearchScoresDisplay:
    """Scores of all candidates of a search.

    Use `from_search` to make one. It draws in four ways: 'points', a labelled row with an error bar
    for each candidate; 'lines', scores along one parameter, a line for each combination of the
    others; 'sizes' and 'heat_map', the scores in the plane of two parameters, the best where
    candidates differ in others too.

    Parameters
    ----------
    candidates : Candidates
        Parameters and scores.
    score_name : str, default='score'
        What the scores are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    errorbars_ : list of matplotlib ErrorbarContainer
        Of 'points' the one container, of 'lines' those of the lines.
    points_ : matplotlib PathCollection
        Of 'sizes' the markers.
    image_ : matplotlib AxesImage
        Of 'heat_map' the map: a row a value of `y`, a column a value of `x`.

    See Also
    --------
    FitTimeDisplay : Times of a search's candidates.
    sklearn.model_selection.ValidationCurveDisplay : Scores along one parameter, without a search.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sknn_basics import MLPClassifier
    >>> from sknn_basics.displays import SearchScoresDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> grid = {"alpha": [0.001, 0.1], "hidden_layer_sizes": [(5,), (10,)]}
    >>> search = GridSearchCV(MLPClassifier(max_iter=5, tol=10, random_state=0), grid, cv=2)
    >>> display = SearchScoresDisplay.from_search(search.fit(X, y), kind="lines", x="alpha")
    >>> [text.get_text() for text in display.ax_.get_legend().get_texts()]
    ['hidden_layer_sizes=(5,)', 'hidden_layer_sizes=(10,)']
    """

    def __init__(self, *, candidates: Candidates, score_name: str = "score"):
        self.candidates = candidates
        self.score_name = score_name

    @classmethod
    def from_search(
        cls,
        search,
        *,
        kind: str = "points",
        x: str | None = None,
        y: str | None = None,
        metric: str = "score",
        ax=None,
    ) -> "SearchScoresDisplay":
        """Draw the mean test scores of a fitted search.

        Parameters
        ----------
        search : search
            Any fitted search with ``cv_results_``. Of a halving search, the last score of each
            candidate is drawn.
        kind : {'points', 'lines', 'sizes', 'heat_map'}, default='points'
            How to draw.
        x : str, default=None
            Parameter along the horizontal axis of all kinds but 'points', as in the search's grid,
            with or without the names of steps before it; None takes the one with most values.
        y : str, default=None
            The other parameter of 'sizes' and 'heat_map'; None takes the one with most values of
            the rest.
        metric : str, default='score'
            Which score, of a search with several.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : SearchScoresDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the search is not fitted, has no such parameter or score, or `kind` is unknown.
        """
        candidates = read_candidates(search, f"test_{metric}")
        return cls(candidates=candidates, score_name=metric).plot(ax, kind=kind, x=x, y=y)

    def plot(
        self, ax=None, *, kind: str = "points", x: str | None = None, y: str | None = None
    ) -> "SearchScoresDisplay":
        """Draw the scores.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        kind : {'points', 'lines', 'sizes', 'heat_map'}, default='points'
            How to draw.
        x : str, default=None
            Parameter along the horizontal axis of all kinds but 'points'; None takes the one with
            most values.
        y : str, default=None
            The other parameter of 'sizes' and 'heat_map'; None takes the one with most values of
            the rest.

        Returns
        -------
        display : SearchScoresDisplay
            This display.

        Raises
        ------
        ValueError
            If there is no such parameter, or `kind` is unknown.
        """
        draw = {
            "points": self._draw_points,
            "lines": self._draw_lines,
            "sizes": self._draw_sizes,
            "heat_map": self._draw_heat_map,
        }
        if kind not in draw:
            raise ValueError(f"kind must be one of {list(draw)}, got {kind!r}.")
        if kind == "points":
            size = (7, 1 + 0.25 * len(self.candidates.means))
            chosen = ()
        else:
            size = (6, 4)
            chosen = self.candidates.choose(x, y)[: 1 if kind == "lines" else 2]
            if kind != "lines" and len(chosen) < 2:
                raise ValueError(f"kind={kind!r} needs a search of two parameters or more.")
        self.ax_ = choose_ax(self, ax, size)
        self.figure_ = self.ax_.figure
        draw[kind](*chosen)
        return self

    def _draw_points(self) -> None:
        means, stds = self.candidates.means, self.candidates.stds
        # The best at the top; those that failed at the bottom.
        order = np.argsort(np.where(np.isnan(means), -np.inf, means), kind="stable")
        places = np.arange(len(order))
        drawn = self.ax_.errorbar(means[order], places, xerr=stds[order], fmt="o", capsize=3)
        self.errorbars_ = [drawn]
        self.ax_.set_yticks(places, [self.candidates.label(i) for i in order])
        self.ax_.set(xlabel=f"Test {self.score_name}: mean and deviation")

    def _draw_lines(self, x: str) -> None:
        self.errorbars_ = draw_lines(self.ax_, self.candidates, x)
        self.ax_.set(ylabel=f"Mean test {self.score_name}")

    def _draw_sizes(self, x: str, y: str) -> None:
        scores = self._best_scores(x, y)
        rows, columns = np.nonzero(~np.isnan(scores))
        values = scores[rows, columns]
        low, high = np.min(values, initial=np.inf), np.max(values, initial=-np.inf)
        sizes = 30 + 570 * (values - low) / ((high - low) or 1)
        self.points_ = self.ax_.scatter(columns, rows, s=sizes, c=values)
        self.figure_.colorbar(self.points_, ax=self.ax_, label=f"Mean test {self.score_name}")
        self._label_plane(x, y)
        # Room for the largest markers.
        self.ax_.margins(0.2)

    def _draw_heat_map(self, x: str, y: str) -> None:
        scores = self._best_scores(x, y)
        self.image_ = self.ax_.imshow(scores, origin="lower", aspect="auto")
        self.figure_.colorbar(self.image_, ax=self.ax_, label=f"Mean test {self.score_name}")
        middle = (np.nanmin(scores) + np.nanmax(scores)) / 2
        for (row, column), score in np.ndenumerate(scores):
            if not np.isnan(score):
                color = "black" if score > middle else "white"
                self.ax_.text(column, row, f"{score:.3f}", ha="center", va="center", color=color)
        self._label_plane(x, y)

    def _best_scores(self, x: str, y: str) -> np.ndarray:
        """Compute the best score of each pair of values; NaN where no candidate has it."""
        (xs, columns), (ys, rows) = (self.candidates.values(name) for name in (x, y))
        scores = np.full((len(ys), len(xs)), np.nan)
        for row, column, score in zip(rows, columns, self.candidates.means):
            scores[row, column] = np.fmax(scores[row, column], score)
        return scores

    def _label_plane(self, x: str, y: str) -> None:
        for name, set_ticks in ((x, self.ax_.set_xticks), (y, self.ax_.set_yticks)):
            values = self.candidates.values(name)[0]
            set_ticks(range(len(values)), label_values(values))
        self.ax_.set(xlabel=self.candidates.short(x), ylabel=self.candidates.short(y))


def draw_lines(ax, candidates: Candidates, x: str) -> list:
    """Draw what was measured along a parameter, a line for each combination of the others."""
    values, places = candidates.values(x)
    is_number = all(isinstance(value, Real) and not isinstance(value, bool) for value in values)
    errorbars = []
    for others, rows in candidates.group_by_others(x):
        rows = np.array(sorted(rows, key=lambda row: places[row]))
        across = [values[place] if is_number else place for place in places[rows]]
        drawn = ax.errorbar(
            across, candidates.means[rows], yerr=candidates.stds[rows], marker="o", capsize=3
        )
        drawn.set_label(others)
        errorbars.append(drawn)
    if not is_number:
        ax.set_xticks(range(len(values)), label_values(values))
    elif is_wide(values):
        ax.set_xscale("log")
    if len(errorbars) > 1:
        ax.legend()
    ax.set(xlabel=candidates.short(x))
    return errorbars
