"""The progress bar of searches: the whole, what is under way, the time left."""

import io
import pickle
import re

import pytest
from joblib import parallel_config
from sklearn.callback import AutoPropagatedCallback, FitCallback
from sklearn.model_selection import GridSearchCV

from sknn_basics import MLPClassifier
from sknn_basics.model_selection import SearchProgressBar
from sknn_basics.model_selection.progress import Overview, Task

console = pytest.importorskip("rich.console")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def overview():
    """An overview that draws on a terminal of ten lines and eighty columns."""
    shown = Overview()
    shown.live.console = console.Console(
        file=io.StringIO(), force_terminal=True, width=80, height=10, color_system=None
    )
    return shown


def draw(overview) -> list[str]:
    with overview.live.console.capture() as captured:
        overview.live.console.print(overview.render())
    return [line.rstrip() for line in captured.get().splitlines()]


def begin(overview, *path, name="Net", n_tasks=2):
    overview.receive((path, {"name": name, "n_tasks": n_tasks}))


def end(overview, *path):
    overview.receive((path, None))


def test_share_counts_what_is_under_way():
    epochs = Task("Net", 4, n_ended=1)
    assert Task("Search", 2, n_ended=1, under_way={1: epochs}).share_done() == (1 + 1 / 4) / 2


def test_rows_are_the_whole_and_the_fits_under_way(overview):
    begin(overview, 0, name="Search", n_tasks=6)
    for number in range(3):
        begin(overview, 0, number)
    end(overview, 0, 0, 0)
    end(overview, 0, 1)
    whole, first, third = draw(overview)
    assert re.match(r"Search +\S+ +25% \d+:\d\d left", whole)
    assert re.match(r"  Net 1 of 6 +\S+ +50%", first)
    assert re.match(r"  Net 3 of 6 +(\S+ +)?0%", third)


def test_rows_are_no_more_than_the_terminal_has(overview):
    begin(overview, 0, name="Search", n_tasks=50)
    for number in range(50):
        begin(overview, 0, number)
    lines = draw(overview)
    assert len(lines) == 9
    assert lines[-1] == "  and 43 more"


def test_the_end_shows_the_whole_alone(overview):
    begin(overview, 0, name="Search", n_tasks=6)
    begin(overview, 0, 0)
    end(overview, 0)
    (line,) = draw(overview)
    assert re.match(r"Search +\S+ +100% 0:00$", line)


@pytest.mark.parametrize("backend", [{}, {"backend": "loky", "n_jobs": 2}, {"backend": "stacked"}])
def test_a_search_shows_one_line_without_a_terminal(backend, iris, capsys):
    search = GridSearchCV(MLPClassifier(max_iter=3), {"alpha": [1e-4, 1e-2]}, cv=2)
    with parallel_config(**backend):
        search.set_callbacks(SearchProgressBar()).fit(*iris)
    assert re.fullmatch(r"GridSearchCV \S+ 100% \d:\d\d\n", capsys.readouterr().out)


def test_a_refused_fit_leaves_nothing(iris):
    X, y = iris
    callback = SearchProgressBar()
    with pytest.raises(ValueError, match="inconsistent"):
        MLPClassifier().set_callbacks(callback).fit(X, y[:5])
    assert not callback._listeners


def test_it_is_a_callback_that_can_be_pickled():
    callback = pickle.loads(pickle.dumps(SearchProgressBar(max_propagation_depth=1)))
    assert callback.max_propagation_depth == 1
    assert isinstance(callback, FitCallback)
    assert isinstance(callback, AutoPropagatedCallback)
