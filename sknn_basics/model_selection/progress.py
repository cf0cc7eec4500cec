"""A progress bar for searches, which is no longer than the terminal."""

import time
from dataclasses import dataclass, field
from threading import Lock

from sknn_basics._compat import close_listener, context_path, open_listener, send
from sknn_basics._optional import import_optional

# What a process shows just now, by the fit that it belongs to. Callbacks are copied and pickled,
# and what is shown cannot be.
SHOWN: dict[object, "Overview"] = {}


class SearchProgressBar:
    """A callback that shows a search, the fits under way, and the time left.

    Where scikit-learn's `sklearn.callback.ProgressBar` keeps a row for every task that has begun,
    this one forgets what has ended: it has one row for the whole, and one for each fit under way,
    as many as the terminal has lines. Without a terminal, it prints the last state of the first
    row alone.

    Parameters
    ----------
    max_propagation_depth : int or None, default=None
        Down to which level of estimators in estimators rows are shown. None shows all: those of a
        network count its epochs.

    See Also
    --------
    sklearn.callback.ProgressBar : One row for every task.

    Notes
    -----
    It needs the package rich, which the extra ``progress`` brings. The time left is what the past
    share of the work has taken, spread over the share that is left.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sknn_basics import MLPClassifier
    >>> from sknn_basics.model_selection import SearchProgressBar
    >>> X, y = load_iris(return_X_y=True)
    >>> search = GridSearchCV(MLPClassifier(max_iter=5, tol=1), {"alpha": [1e-4, 1e-2]}, cv=3)
    >>> search = search.set_callbacks(SearchProgressBar()).fit(X, y)
    GridSearchCV ... 100% 0:00
    """

    def __init__(self, max_propagation_depth: int | None = None):
        import_optional("rich", "progress", "SearchProgressBar")
        self.max_propagation_depth = max_propagation_depth
        self._listeners = {}

    def setup(self, estimator, context) -> None:
        """Begin to show a fit.

        Parameters
        ----------
        estimator : estimator instance
            Whose fit it is.
        context : sklearn.callback.CallbackContext
            Its place among the tasks of all estimators.
        """
        overview = SHOWN[context.root_uuid] = Overview()
        # Fits in other processes send their news to this one.
        self._listeners[context.root_uuid] = open_listener(overview.receive)
        overview.live.start()

    def on_fit_task_begin(self, estimator, context, **kwargs) -> None:
        """Take down that a task begins, unless it is a mere step of another.

        Parameters
        ----------
        estimator : estimator instance
            Whose fit it is.
        context : sklearn.callback.CallbackContext
            Its place among the tasks of all estimators.
        **kwargs
            What scikit-learn tells callbacks besides.
        """
        has_steps = context.max_subtasks != 0 or context.parent is None
        if has_steps or context.source_estimator_name is not None:
            name = context.estimator_name
            self._send(context, {"name": name, "n_tasks": context.max_subtasks})

    def on_fit_task_end(self, estimator, context, **kwargs) -> None:
        """Take down that a task has ended.

        Parameters
        ----------
        estimator : estimator instance
            Whose fit it is.
        context : sklearn.callback.CallbackContext
            Its place among the tasks of all estimators.
        **kwargs
            What scikit-learn tells callbacks besides.
        """
        self._send(context, None)

    def teardown(self, estimator, context) -> None:
        """Show the last state, and let go of it.

        Parameters
        ----------
        estimator : estimator instance
            Whose fit it is.
        context : sklearn.callback.CallbackContext
            Its place among the tasks of all estimators.
        """
        SHOWN.pop(context.root_uuid).close()
        close_listener(self._listeners.pop(context.root_uuid))

    def _send(self, context, task: dict | None) -> None:
        path = tuple(ancestor.task_id for ancestor in context_path(context))
        send(self._listeners[context.root_uuid], (path, task))


@dataclass
class Task:
    """A task that has begun and not ended.

    Attributes
    ----------
    name : str
        Name of the estimator.
    n_tasks : int or None
        Number of the tasks that it consists of, None where that is not known.
    n_ended : int
        How many of them have ended.
    under_way : dict of int to Task
        Those of them that have begun and not ended, by number.
    """

    name: str
    n_tasks: int | None
    n_ended: int = 0
    under_way: dict[int, "Task"] = field(default_factory=dict)

    def share_done(self) -> float:
        """Tell how much of it is done, from 0 to 1."""
        done = self.n_ended + sum(task.share_done() for task in self.under_way.values())
        return min(1.0, done / self.n_tasks) if self.n_tasks else 0.0

    def innermost(self, label: str = "") -> list[tuple[str, "Task"]]:
        """List the innermost tasks under way, each with its number among most others."""
        if not self.under_way:
            return [(f"{self.name}{label}", self)]
        rows = []
        for number, task in self.under_way.items():
            own = f" {number + 1} of {self.n_tasks}" if (self.n_tasks or 0) > 2 else label
            rows += task.innermost(own)
        return rows


class Overview:
    """What a progress bar shows: the whole, and what is under way."""

    def __init__(self):
        live = import_optional("rich.live", "progress", "SearchProgressBar")
        self.root, self.start, self.seconds, self.lock = None, time.monotonic(), None, Lock()
        self.live = live.Live(get_renderable=self.render, refresh_per_second=10)

    def receive(self, message: tuple[tuple[int, ...], dict | None]) -> None:
        """Take down that a task has begun or ended; several threads may do so."""
        path, task = message
        with self.lock:
            if len(path) == 1:
                self.begin_or_end(task)
                return
            parent = self.root
            for number in path[1:-1]:
                parent = parent.under_way[number]
            if task is not None:
                parent.under_way[path[-1]] = Task(**task)
            else:
                parent.under_way.pop(path[-1], None)
                parent.n_ended += 1

    def begin_or_end(self, task: dict | None) -> None:
        """Begin or end the whole."""
        if task is not None:
            self.root = Task(**task)
        else:
            self.root.n_tasks = self.root.n_ended = 1
            self.seconds = time.monotonic() - self.start

    def close(self) -> None:
        """Show the last state."""
        self.live.stop()
        if not (self.live.console.is_interactive or self.live.console.is_jupyter):
            self.live.console.print()

    def render(self):
        """Make what is shown now."""
        from rich.table import Table

        table = Table.grid(padding=(0, 1))
        with self.lock:
            if self.root is None:
                return table
            done, under_way = self.root.share_done(), self.root.innermost()
        seconds = self.seconds
        if seconds is None and done:
            seconds = (time.monotonic() - self.start) * (1 - done) / done
        self.add_row(table, self.root.name, done, seconds)
        if self.seconds is None and self.root.under_way:
            n_rows = max(1, self.live.console.height - 3)
            for label, task in under_way[:n_rows]:
                self.add_row(table, f"  {label}", task.share_done())
            if len(under_way) > n_rows:
                table.add_row(f"  and {len(under_way) - n_rows} more")
        return table

    def add_row(self, table, label: str, done: float, seconds: float | None = None) -> None:
        """Add a row of a name, a bar, a share and a time."""
        from rich.progress_bar import ProgressBar

        left = "" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
        what = "" if seconds is None else (" left" if self.seconds is None else "")
        table.add_row(label, ProgressBar(1, done, width=24), f"{done:4.0%}", left + what)
