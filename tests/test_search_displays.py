"""Displays of searches draw each candidate's score or time where it belongs."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sknn_basics import MLPClassifier
from sknn_basics.displays import FitTimeDisplay, SearchScoresDisplay

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

GRID = {"svc__C": [100.0, 0.01, 1.0], "svc__kernel": ["rbf", "linear"]}


@pytest.fixture(scope="module")
def search():
    """Two parameters, of three and two values."""
    pipeline = make_pipeline(StandardScaler(), SVC())
    return GridSearchCV(pipeline, GRID, cv=3).fit(*load_iris(return_X_y=True))


def score_of(search, **params):
    results = search.cv_results_
    (row,) = (
        i
        for i, candidate in enumerate(results["params"])
        if all(candidate[f"svc__{name}"] == value for name, value in params.items())
    )
    return results["mean_test_score"][row]


def tick_labels(axis):
    return [text.get_text() for text in axis.get_ticklabels()]


def test_every_candidate_is_a_labelled_row(search):
    display = SearchScoresDisplay.from_search(search)
    (drawn,) = display.errorbars_
    scores, places = drawn.lines[0].get_data()
    labels = tick_labels(display.ax_.yaxis)
    assert len(labels) == 6
    for score, place in zip(scores, places):
        C, kernel = (text.split("=")[1] for text in labels[place].split(", "))
        assert score == score_of(search, C=float(C), kernel=kernel)


def test_the_best_candidate_is_at_the_top(search):
    display = SearchScoresDisplay.from_search(search)
    scores = display.errorbars_[0].lines[0].get_xdata()
    assert scores[-1] == search.best_score_
    assert (np.diff(scores) >= 0).all()


def test_error_bars_are_the_deviations_over_folds(search):
    display = SearchScoresDisplay.from_search(search)
    (segments,) = display.errorbars_[0].lines[2]
    widths = [segment[1, 0] - segment[0, 0] for segment in segments.get_segments()]
    np.testing.assert_allclose(sorted(widths), np.sort(2 * search.cv_results_["std_test_score"]))


def test_a_line_for_each_combination_of_the_other_parameters(search):
    display = SearchScoresDisplay.from_search(search, kind="lines", x="C")
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["kernel=rbf", "kernel=linear"]
    for drawn, kernel in zip(display.errorbars_, ("rbf", "linear")):
        xs, scores = drawn.lines[0].get_data()
        assert list(xs) == [0.01, 1, 100]
        assert list(scores) == [score_of(search, C=C, kernel=kernel) for C in xs]
    assert display.ax_.get_xlabel() == "C"
    assert display.ax_.get_xscale() == "log"


def test_values_that_are_no_numbers_stand_side_by_side(search):
    display = SearchScoresDisplay.from_search(search, kind="lines", x="svc__kernel")
    assert tick_labels(display.ax_.xaxis) == ["rbf", "linear"]
    assert [list(drawn.lines[0].get_xdata()) for drawn in display.errorbars_] == [[0, 1]] * 3


def test_lines_go_along_the_parameter_with_most_values(search):
    assert SearchScoresDisplay.from_search(search, kind="lines").ax_.get_xlabel() == "C"


def test_a_heat_map_has_a_cell_for_each_pair_of_values(search):
    display = SearchScoresDisplay.from_search(search, kind="heat_map", x="kernel", y="C")
    expected = [
        [score_of(search, C=C, kernel=kernel) for kernel in ("rbf", "linear")]
        for C in (0.01, 1.0, 100.0)
    ]
    np.testing.assert_array_equal(display.image_.get_array(), expected)
    assert tick_labels(display.ax_.xaxis) == ["rbf", "linear"]
    assert tick_labels(display.ax_.yaxis) == ["0.01", "1", "100"]
    texts = [text.get_text() for text in display.ax_.texts]
    assert texts == [f"{score:.3f}" for score in np.ravel(expected)]


def test_larger_markers_are_better_scores(search):
    display = SearchScoresDisplay.from_search(search, kind="sizes")
    sizes, scores = display.points_.get_sizes(), display.points_.get_array()
    assert len(sizes) == 6
    order = np.argsort(scores)
    assert (np.diff(sizes[order]) >= 0).all()
    assert sizes.max() > sizes.min() > 0
    for (column, row), score in zip(display.points_.get_offsets(), scores):
        C, kernel = (0.01, 1.0, 100.0)[int(column)], ("rbf", "linear")[int(row)]
        assert score == score_of(search, C=C, kernel=kernel)


def test_a_plane_shows_the_best_over_the_other_parameters(iris):
    grid = {"n_neighbors": [1, 50, 70], "weights": ["uniform", "distance"], "p": [1, 2]}
    search = GridSearchCV(KNeighborsClassifier(), grid, cv=2).fit(*iris)
    display = SearchScoresDisplay.from_search(search, kind="heat_map", x="n_neighbors", y="p")
    scores = search.cv_results_["mean_test_score"].reshape(3, 2, 2)  # n_neighbors, p, weights
    np.testing.assert_array_equal(display.image_.get_array(), scores.max(axis=2).T)


def test_values_of_a_random_search_that_did_not_come_are_blank(iris):
    grid = {"n_neighbors": [1, 5, 9], "p": [1, 2, 3]}
    search = RandomizedSearchCV(KNeighborsClassifier(), grid, n_iter=4, cv=2, random_state=0)
    display = SearchScoresDisplay.from_search(search.fit(*iris), kind="heat_map")
    assert np.isfinite(display.image_.get_array()).sum() == 4


def test_the_last_score_of_a_halving_search_counts(iris):
    grid = {"n_neighbors": [1, 3, 5, 9]}
    search = HalvingGridSearchCV(KNeighborsClassifier(), grid, cv=2, random_state=0).fit(*iris)
    assert len(search.cv_results_["params"]) > 4
    display = SearchScoresDisplay.from_search(search, kind="lines")
    neighbours, scores = display.errorbars_[0].lines[0].get_data()
    last = {p["n_neighbors"]: i for i, p in enumerate(search.cv_results_["params"])}
    assert list(scores) == [search.cv_results_["mean_test_score"][last[n]] for n in neighbours]


def test_any_of_several_metrics_is_drawn(iris):
    metrics = ["accuracy", "neg_log_loss"]
    options = {"scoring": metrics, "refit": False, "cv": 2}
    search = GridSearchCV(KNeighborsClassifier(), {"p": [1, 2]}, **options).fit(*iris)
    display = SearchScoresDisplay.from_search(search, metric="neg_log_loss")
    scores = display.errorbars_[0].lines[0].get_xdata()
    assert sorted(scores) == sorted(search.cv_results_["mean_test_neg_log_loss"])
    with pytest.raises(ValueError, match=r"has not measured 'test_score', but \["):
        SearchScoresDisplay.from_search(search)


def test_failed_candidates_leave_a_gap(iris):
    with warnings.catch_warnings(action="ignore"):
        search = GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [1, 5, 500]}, cv=2).fit(*iris)
    display = SearchScoresDisplay.from_search(search)
    assert np.isnan(display.errorbars_[0].lines[0].get_xdata()[0])
    assert tick_labels(display.ax_.yaxis)[0] == "n_neighbors=500"


def test_layers_are_values_like_any_other(iris):
    grid = {"hidden_layer_sizes": [(3,), (3, 3)], "solver": ["adam", "sgd"]}
    network = MLPClassifier(max_iter=2, tol=10, random_state=0)
    search = GridSearchCV(network, grid, cv=2).fit(*iris)
    display = SearchScoresDisplay.from_search(search, kind="heat_map")
    assert tick_labels(display.ax_.xaxis) == ["(3,)", "(3, 3)"]


def test_a_parameter_of_one_value_is_left_out(iris):
    grid = {"p": [1, 2], "weights": ["uniform"]}
    search = GridSearchCV(KNeighborsClassifier(), grid, cv=2).fit(*iris)
    display = SearchScoresDisplay.from_search(search)
    assert sorted(tick_labels(display.ax_.yaxis)) == ["p=1", "p=2"]


def test_parameters_of_two_steps_keep_their_long_names(iris):
    pipeline = Pipeline([("a", PCA()), ("b", PCA()), ("c", KNeighborsClassifier())])
    grid = {"a__n_components": [3, 4], "b__n_components": [1, 2]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(*iris)
    display = SearchScoresDisplay.from_search(search, kind="heat_map")
    assert {display.ax_.get_xlabel(), display.ax_.get_ylabel()} == set(grid)
    with pytest.raises(ValueError, match="no parameter 'n_components'"):
        SearchScoresDisplay.from_search(search, kind="lines", x="n_components")


def test_times_are_drawn_on_a_logarithmic_axis(search):
    display = FitTimeDisplay.from_search(search, x="C")
    assert display.ax_.get_yscale() == "log"
    times = [drawn.lines[0].get_ydata() for drawn in display.errorbars_]
    expected = search.cv_results_["mean_fit_time"].reshape(3, 2)[[1, 2, 0]].T
    np.testing.assert_array_equal(times, expected)


def test_a_search_is_drawn_into_the_axes_given(search):
    _, ax = plt.subplots()
    assert SearchScoresDisplay.from_search(search, ax=ax).ax_ is ax
    assert FitTimeDisplay.from_search(search, ax=ax).figure_ is ax.figure


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "bars"}, "kind must be one of .*, got 'bars'"),
        ({"kind": "lines", "x": "gamma"}, "has no parameter 'gamma', but"),
        ({"kind": "sizes", "x": "C", "y": "svc__C"}, "Two different parameters are needed"),
        ({"metric": "f1"}, "has not measured 'test_f1'"),
    ],
)
def test_what_a_search_does_not_have_raises(search, options, message):
    with pytest.raises(ValueError, match=message):
        SearchScoresDisplay.from_search(search, **options)


def test_a_plane_of_one_parameter_raises(iris):
    search = GridSearchCV(KNeighborsClassifier(), {"p": [1, 2]}, cv=2).fit(*iris)
    with pytest.raises(ValueError, match="kind='sizes' needs a search of two parameters"):
        SearchScoresDisplay.from_search(search, kind="sizes")


def test_a_search_that_is_not_fitted_raises():
    with pytest.raises(ValueError, match="GridSearchCV is no fitted search"):
        SearchScoresDisplay.from_search(GridSearchCV(SVC(), {"C": [1]}))
