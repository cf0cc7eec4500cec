"""How the code is laid out: few classes that say what they are, and functions that work alone."""

import ast
import inspect
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

import sknn_basics
from sknn_basics import agents, preprocessing
from sknn_basics.estimators._base.fit import NeuralEstimator
from sknn_basics.estimators._base.images import describe_images
from sknn_basics.estimators._base.saving import architecture_of
from sknn_basics.estimators._base.sequences import cut_targets, find_target_axes, join_targets
from sknn_basics.estimators._base.texts import choose_tokens
from sknn_basics.estimators._base.validation import score_by, split_rows

ROOT = Path(sknn_basics.__file__).parent
ESTIMATORS = [
    kind
    for room in (sknn_basics, preprocessing, agents)
    for kind in (getattr(room, name) for name in room.__all__)
    if inspect.isclass(kind) and issubclass(kind, BaseEstimator)
]
NEURAL = [kind for kind in ESTIMATORS if issubclass(kind, NeuralEstimator)]


@pytest.mark.parametrize("kind", ESTIMATORS, ids=lambda kind: kind.__name__)
def test_an_estimator_has_at_most_five_classes_of_the_package(kind):
    own = [parent for parent in kind.__mro__ if parent.__module__.startswith("sknn_basics")]
    assert len(own) <= 5, own


@pytest.mark.parametrize("kind", NEURAL, ids=lambda kind: kind.__name__)
def test_no_class_names_architecture_that_a_parent_names(kind):
    names = architecture_of(kind)
    assert names[: len(NeuralEstimator._architecture)] == list(NeuralEstimator._architecture)
    assert len(set(names)) == len(names)


def test_no_class_borrows_a_method_of_another():
    borrowed = [
        f"{path.name}: {ast.unparse(line)}"
        for path in ROOT.rglob("*.py")
        for kind in ast.walk(ast.parse(path.read_text()))
        if isinstance(kind, ast.ClassDef)
        for line in kind.body
        if isinstance(line, ast.Assign) and re.fullmatch(r"[A-Z]\w*\._\w+", ast.unparse(line.value))
    ]
    assert not borrowed


# What a room may import of others, beside itself and private names of other libraries.
MAY_IMPORT = {
    "modules": {"_compat"},
    "training": {"_compat", "modules"},
    "stacking": {"_compat", "modules", "training"},
    "estimators": {"_compat", "modules", "preprocessing", "training"},
}


def imported_rooms(path: Path) -> set[str]:
    """List the rooms that a file names in its imports."""
    names = re.findall(r"^ *from sknn_basics\.(\w+)", path.read_text(), re.MULTILINE)
    return set(names) - {"_optional"}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_no_arrow_between_rooms_points_back(room):
    files = (ROOT / room).rglob("*.py")
    for path in files:
        foreign = imported_rooms(path) - MAY_IMPORT[room] - {room}
        assert not foreign, f"{path.relative_to(ROOT)} imports {foreign}"


def test_only_the_public_names_of_stacking_know_of_it():
    outside = [path for path in ROOT.rglob("*.py") if "stacking" not in path.parts]
    assert [path.name for path in outside if "stacking" in imported_rooms(path)] == ["parallel.py"]


def test_rows_are_split_by_class_where_each_class_is_in_both_parts():
    strata = np.repeat([0, 1], [40, 10])
    rows, rows_val = split_rows(50, 0.2, strata, np.random.RandomState(0))
    assert np.bincount(strata[rows_val]).tolist() == [8, 2]
    assert sorted([*rows, *rows_val]) == list(range(50))


def test_rows_are_split_without_strata_where_a_class_has_one_row():
    strata = np.repeat([0, 1], [49, 1])
    _, rows_val = split_rows(50, 0.2, strata, np.random.RandomState(0))
    assert len(rows_val) == 10


def test_the_error_of_a_scorer_names_the_parameter():
    X, y = np.eye(4), np.array([0, 1, 0, 1])
    model = LogisticRegression().fit(X, y)
    assert score_by("accuracy", model, X, y, None)(None) == model.score(X, y)
    with pytest.raises(ValueError, match="scoring='accuracy' cannot score the validation data"):
        score_by("accuracy", model, X[:, :2], y, None)(None)


def test_targets_of_steps_are_joined_and_cut_to_what_they_were():
    y = [np.array([1, 2, 3]), np.array([4, 5])]
    assert find_target_axes(y, (3, 1), None, has_classes=True) == 1
    steps, lengths = join_targets(y, 1, None)
    assert (steps.tolist(), lengths.tolist()) == ([1, 2, 3, 4, 5], [3, 2])
    for own, cut in zip(y, cut_targets(steps, lengths, 1)):
        np.testing.assert_array_equal(cut, own)


def test_rows_of_a_square_number_of_pixels_are_square_images():
    assert describe_images((64,), "auto", "auto") == ([8, 8], None)
    assert describe_images((3, 8, 9), "auto", "channels_first") == ([3, 8, 9], 0)


def test_words_have_a_token_for_all_others():
    options = {"vocabulary": None, "max_tokens": 2, "unknown_token": "auto"}
    tokens, unknown = choose_tokens(["a b a c"], level="word", **options)
    assert tokens == ["a", "b", unknown]
