import copy
import pickle

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import cross_val_score

from sknn_basics import TabularClassifier, TabularRegressor

pd = pytest.importorskip("pandas")
SMALL = {"n_networks": 3, "hidden_layer_sizes": (32,), "max_iter": 64, "random_state": 0}


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True, as_frame=True)
    X["kind"] = np.where(X["petal length (cm)"] > 4, "long", "short")
    return X, y.map({0: "setosa", 1: "versicolor", 2: "virginica"})


def test_a_mixed_table_is_learnt(iris):
    X, y = iris
    assert cross_val_score(TabularClassifier(**SMALL), X, y).mean() > 0.9


def test_a_regression_beats_the_mean():
    X, y = load_diabetes(return_X_y=True)
    assert cross_val_score(TabularRegressor(**SMALL), X, y).mean() > 0.3


def test_the_same_seed_gives_the_same_bits(iris):
    first, second = (TabularClassifier(**SMALL).fit(*iris).predict_proba(iris[0]) for _ in "ab")
    np.testing.assert_array_equal(first, second)


def test_copies_predict_the_same(iris):
    model = TabularClassifier(**SMALL).fit(*iris)
    expected = model.predict_proba(iris[0])
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict_proba(iris[0]), expected)


def test_random_labels_promise_nothing():
    rng = np.random.RandomState(0)
    X, y = rng.randn(400, 5), rng.randint(2, size=400)
    model = TabularClassifier(**{**SMALL, "n_networks": 8}).fit(X[:200], y[:200])
    assert abs(model.score(X[200:], y[200:]) - 0.5) < 0.15


def test_two_outputs_are_predicted_in_their_shape():
    X, y = load_diabetes(return_X_y=True)
    y = np.stack([y, -y], axis=1)
    predicted = TabularRegressor(**SMALL).fit(X, y).predict(X)
    assert predicted.shape == y.shape
    assert predicted[:, 0].std() > 0


def test_predictions_stay_in_the_range_of_the_targets():
    X, y = load_diabetes(return_X_y=True)
    predicted = TabularRegressor(**SMALL).fit(X, y).predict(100 * X)
    assert y.min() <= predicted.min()
    assert predicted.max() <= y.max()


@pytest.mark.parametrize("X", [[[0.0], [1.0]], [[1.0], [1.0]], [["a"], ["b"]], [[np.nan]] * 2])
def test_two_rows_have_an_answer(X):
    X = np.array(X, dtype=object)
    assert set(TabularClassifier(**SMALL).fit(X, [0, 1]).predict(X)) <= {0, 1}


def test_one_class_is_certain():
    model = TabularClassifier(**SMALL).fit([[0.0], [1.0], [2.0]], ["only"] * 3)
    np.testing.assert_array_equal(model.predict_proba([[5.0]]), [[1.0]])


def test_given_validation_rows_need_their_targets(iris):
    with pytest.raises(ValueError, match="X_val and y_val"):
        TabularClassifier(**SMALL).fit(*iris, X_val=iris[0])
