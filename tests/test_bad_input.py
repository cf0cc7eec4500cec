"""What cannot be used raises, and the message names it, says what came and what is expected."""

import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn.neural_network as reference
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from torch import nn

from sknn_basics import (
    Autoencoder,
    ConvAutoencoder,
    ConvNetClassifier,
    MLPClassifier,
    MLPRegressor,
    RNNClassifier,
)
from sknn_basics.estimators._base.checks import UnknownClasses
from sknn_basics.training.schedules import CosineAnnealing, StepDecay

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

OPTIONS = {"hidden_layer_sizes": (10,), "max_iter": 2, "random_state": 0, "dtype": "float32"}
NAMES = ["sepal length", "sepal width", "petal length", "petal width"]
KINDS = [MLPClassifier, MLPRegressor]


def classifier(**options) -> MLPClassifier:
    return MLPClassifier(**{**OPTIONS, **options})


def regressor(**options) -> MLPRegressor:
    return MLPRegressor(**{**OPTIONS, **options})


def spoilt(array, value, row=-1):
    """Copy an array, with another value in one row."""
    array = np.array(array, dtype=np.result_type(array, type(value)))
    array[row] = value
    return array


# X.

BAD_X = {
    "one dimension": (lambda X: X[:, 0], "Expected 2D array, got 1D array"),
    "three dimensions": (lambda X: X[:, :, None], "array with dim 3, while dim <= 2 is required"),
    "no samples": (lambda X: X[:0], re.escape("0 sample(s) (shape=(0, 4)) while a minimum of 1")),
    "no features": (lambda X: X[:, :0], re.escape("0 feature(s) (shape=(150, 0)) while a min")),
    "NaN": (lambda X: spoilt(X, np.nan), "Input X contains NaN"),
    "infinity": (lambda X: spoilt(X, -np.inf), "Input X contains infinity"),
    "NaN, float32": (lambda X: spoilt(X.astype(np.float32), np.nan), "Input X contains NaN"),
    "NaN, object": (lambda X: spoilt(X, np.nan).astype(object), "Input X contains NaN"),
    "NaN, list": (lambda X: spoilt(X, np.nan).tolist(), "Input X contains NaN"),
    "NaN, pandas": (lambda X: pd.DataFrame(spoilt(X, np.nan)), "Input X contains NaN"),
    "NaN, polars": (lambda X: pl.DataFrame(spoilt(X, np.nan)), "Input X contains NaN"),
    "null, polars": (lambda X: pl.DataFrame([*X.tolist(), [None] * 4])[1:], "X contains NaN"),
    "NaN, tensor": (lambda X: torch.tensor(spoilt(X, np.nan)), "Input X contains NaN"),
    "NaN, sparse": (lambda X: sparse.csr_array(spoilt(X, np.nan)), "Input X contains NaN"),
    "infinity, sparse": (lambda X: sparse.coo_array(spoilt(X, np.inf)), "X contains infinity"),
    "words": (lambda X: np.full(X.shape, "a"), "not compatible with arrays of bytes/strings"),
    "words, object": (lambda X: spoilt(X.astype(object), "a"), "string to float: 'a'"),
    "complex": (lambda X: X * 1j, "Complex data not supported"),
    "dates": (lambda X: X.astype("datetime64[s]"), r"X must .*numbers, .*datetime64\[s\]"),
    "durations": (lambda X: X.astype("timedelta64[s]"), r"X must .*numbers, .*timedelta64\[s\]"),
    "too large": (lambda X: spoilt(X, 1e39), "X contains .* too large for dtype.'float32'"),
    "too small": (lambda X: spoilt(X, -1e39), "X contains .* too large for dtype.'float32'"),
    "too large, sparse": (lambda X: sparse.csr_array(spoilt(X, 1e39)), "Input X .* too large"),
}


@pytest.mark.parametrize("case", BAD_X)
@pytest.mark.parametrize("kind", KINDS)
def test_fit_refuses_a_bad_X(kind, case, iris):
    X, y = iris
    spoil, message = BAD_X[case]
    with pytest.raises(ValueError, match=message):
        kind(**OPTIONS).fit(spoil(X), y)


@pytest.mark.parametrize("case", BAD_X)
def test_partial_fit_refuses_a_bad_X(case, iris):
    X, y = iris
    spoil, message = BAD_X[case]
    with pytest.raises(ValueError, match=message):
        classifier().partial_fit(spoil(X), y, classes=[0, 1, 2])


@pytest.mark.parametrize("case", [case for case in BAD_X if case != "no features"])
@pytest.mark.parametrize("kind", KINDS)
def test_predict_refuses_a_bad_X(kind, case, iris):
    X, y = iris
    spoil, message = BAD_X[case]
    model = kind(**OPTIONS).fit(X, y)
    with pytest.raises(ValueError, match=message):
        model.predict(spoil(X))


@pytest.mark.parametrize("case", [case for case in BAD_X if case != "no features"])
def test_fit_refuses_a_bad_X_val_by_its_name(case, iris):
    X, y = iris
    spoil, message = BAD_X[case]
    with pytest.raises(ValueError, match=f"(?s)X_val.*{message}"):
        classifier().fit(X, y, X_val=spoil(X), y_val=y)


@pytest.mark.parametrize("value", [1e39, -1e39])
def test_double_precision_takes_what_single_precision_cannot_hold(value, iris):
    X, y = iris
    model = classifier(dtype="float64", solver="lbfgs").fit(X, y)
    assert np.isfinite(model.predict_proba(spoilt(X, value))).all()


PREDICTIONS = ["predict", "predict_proba", "predict_log_proba"]


@pytest.mark.parametrize("method", PREDICTIONS)
@pytest.mark.parametrize("n_features", [3, 5])
def test_another_number_of_features_raises_at_predict(n_features, method, iris):
    model = classifier().fit(*iris)
    message = f"X has {n_features} features, but MLPClassifier is expecting 4 features"
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(np.ones((2, n_features)))


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_other_column_names_raise_at_predict(frame, iris):
    X, y = iris
    model = classifier().fit(frame(dict(zip(NAMES, X.T))), y)
    other = frame(dict(zip([*NAMES[:3], "stem length"], X.T)))
    with pytest.raises(ValueError, match=r"(?s)unseen at fit time:.*stem length.*petal width"):
        model.predict(other)


def test_other_column_names_raise_in_partial_fit(iris):
    X, y = iris
    model = regressor().partial_fit(pd.DataFrame(X, columns=NAMES), y)
    with pytest.raises(ValueError, match="feature names should match"):
        model.partial_fit(pd.DataFrame(X, columns=NAMES[::-1]), y)


# y.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_targets", [149, 151])
def test_another_number_of_targets_than_samples_raises(n_targets, kind, iris):
    X, _ = iris
    with pytest.raises(ValueError, match=rf"numbers of samples: \[150, {n_targets}\]"):
        kind(**OPTIONS).fit(X, np.arange(n_targets) % 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_no_y_raises(method, kind, iris):
    X, _ = iris
    first = {"classes": [0, 1]} if (kind, method) == (MLPClassifier, "partial_fit") else {}
    with pytest.raises(ValueError, match="requires y to be passed, but the target y is None"):
        getattr(kind(**OPTIONS), method)(X, None, **first)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "Input y contains NaN"),
        (np.inf, "Input y contains infinity"),
    ],
)
def test_a_y_that_is_not_finite_raises(value, message, kind, iris):
    X, y = iris
    with pytest.raises(ValueError, match=message):
        kind(**OPTIONS).fit(X, spoilt(y, value))


@pytest.mark.parametrize("form", [np.ndarray.tolist, np.asarray, pd.Series])
def test_a_missing_target_of_a_regressor_raises(form, iris):
    X, y = iris
    y = form(spoilt(y.astype(object), None))
    with pytest.raises(ValueError, match="y contains NaN"):
        regressor().fit(X, y)


def mixed_labels(y):
    labels = np.array(["a", "b", "c"], dtype=object)[y]
    labels[-1] = 3
    return labels


BAD_LABELS = {
    "missing number": lambda y: spoilt(y.astype(object), None),
    "missing word": lambda y: spoilt(np.array(["a", "b", "c"], dtype=object)[y], None),
    "numbers and words": mixed_labels,
    "numbers and words, pandas": lambda y: pd.Series(mixed_labels(y)),
}


@pytest.mark.parametrize("case", BAD_LABELS)
def test_missing_or_mixed_labels_raise(case, iris):
    X, y = iris
    with pytest.raises(ValueError, match=r"\by\b"):
        classifier().fit(X, BAD_LABELS[case](y))


@pytest.mark.parametrize("case", BAD_LABELS)
def test_missing_or_mixed_labels_raise_in_partial_fit(case, iris):
    X, y = iris
    classes = ["a", "b", "c"] if "word" in case else [0, 1, 2]
    with pytest.raises(ValueError, match=r"\by\b"):
        classifier().partial_fit(X, BAD_LABELS[case](y), classes=classes)


def test_dates_as_targets_of_a_regressor_raise(iris):
    X, y = iris
    with pytest.raises(ValueError, match=r"y must .*numbers, .*datetime64\[s\]"):
        regressor().fit(X, y.astype("datetime64[s]"))


def test_words_as_targets_of_a_regressor_raise(iris):
    X, y = iris
    with pytest.raises(ValueError, match="'numeric' is not compatible|string to float"):
        regressor().fit(X, np.array(["a", "b", "c"])[y])


def test_continuous_targets_of_a_classifier_raise(iris):
    X, y = iris
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        classifier().fit(X, y + 0.5)


def test_three_dimensional_targets_raise(iris):
    X, _ = iris
    with pytest.raises(ValueError, match="dim 3"):
        regressor().fit(X, np.ones((150, 2, 2)))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([0.5, 0.3, 0.1], "must sum to 1, got sums from 0.9 to 0.9"),
        ([0.7, 0.7, 0.1], "must sum to 1, got sums from 1.5 to 1.5"),
        ([1.2, -0.2, 0.0], "must not be negative .*-0.2"),
    ],
    ids=str,
)
def test_rows_that_are_no_probabilities_raise(rows, message, iris):
    X, _ = iris
    with pytest.raises(ValueError, match=message):
        classifier().fit(X, np.tile(rows, (150, 1)))


def test_several_columns_of_more_than_two_classes_raise(iris):
    X, y = iris
    with pytest.raises(ValueError, match="multiclass-multioutput"):
        classifier().fit(X, np.column_stack([y, y]))


@pytest.mark.parametrize("value", [1e39, -1e39])
def test_a_target_too_large_for_single_precision_raises(value, iris):
    X, y = iris
    with pytest.raises(ValueError, match="Input y contains .* too large for dtype.'float32'"):
        regressor().fit(X, spoilt(y, value))


def test_negative_counts_raise(iris):
    X, y = iris
    with pytest.raises(ValueError, match="loss='poisson' needs y >= 0, got -1"):
        regressor(loss="poisson").fit(X, y - 1)


# Sample weights.

BAD_WEIGHTS = {
    "NaN": (spoilt(np.ones(150), np.nan), "Input sample_weight contains NaN"),
    "infinity": (spoilt(np.ones(150), np.inf), "Input sample_weight contains infinity"),
    "negative": (spoilt(np.ones(150), -1.0), "Negative values in .*`sample_weight`"),
    "zero": (np.zeros(150), "[Ss]ample.weight.* (non-)?zero"),
    "wrong length": (np.ones(3), re.escape("sample_weight.shape == (3,), expected (150,)")),
    "two dimensions": (np.ones((150, 1)), "Sample weights must be 1D array or scalar, got 2D"),
    "words": (np.full(150, "heavy"), "could not convert string to float: .*heavy"),
}


@pytest.mark.parametrize("case", BAD_WEIGHTS)
@pytest.mark.parametrize("kind", KINDS)
def test_bad_sample_weights_raise(kind, case, iris):
    weight, message = BAD_WEIGHTS[case]
    with pytest.raises(ValueError, match=message):
        kind(**OPTIONS).fit(*iris, weight)


@pytest.mark.parametrize("case", BAD_WEIGHTS)
def test_bad_sample_weights_raise_in_partial_fit(case, iris):
    weight, message = BAD_WEIGHTS[case]
    with pytest.raises(ValueError, match=message):
        regressor().partial_fit(*iris, weight)


@pytest.mark.parametrize("case", BAD_WEIGHTS)
def test_bad_validation_weights_raise(case, iris):
    X, y = iris
    weight, message = BAD_WEIGHTS[case]
    with pytest.raises(ValueError, match=f"_val.*{message}"):
        classifier().fit(X, y, X_val=X, y_val=y, sample_weight_val=weight)


# Validation data.


@pytest.mark.parametrize(("given", "missing"), [("X_val", "y_val"), ("y_val", "X_val")])
def test_one_half_of_the_validation_data_raises(given, missing, iris):
    X, y = iris
    with pytest.raises(ValueError, match=f"{missing} is missing"):
        classifier().fit(X, y, **{given: {"X_val": X, "y_val": y}[given]})


def test_validation_weights_without_validation_data_raise(iris):
    with pytest.raises(ValueError, match="sample_weight_val.*X_val"):
        classifier().fit(*iris, sample_weight_val=np.ones(150))


@pytest.mark.parametrize(
    ("kind", "spoil", "message"),
    [
        (MLPClassifier, lambda X, y: (X[:, :3], y), "X has 3 features, .* is expecting 4"),
        (MLPClassifier, lambda X, y: (X, y[:-1]), r"numbers of samples: \[150, 149\]"),
        (MLPClassifier, lambda X, y: (X, spoilt(y, np.nan)), "Input y.* contains NaN"),
        (MLPClassifier, lambda X, y: (X, spoilt(y, 7)), "y.* has classes not in .*7"),
        (MLPClassifier, lambda X, y: (X, np.eye(3)[y]), r"y.*\(150, 3\)"),
        (MLPRegressor, lambda X, y: (X, np.eye(3)[y]), "y.* must have 1 output.*, got 3"),
        (MLPRegressor, lambda X, y: (X, spoilt(y, np.inf)), "Input y.* contains infinity"),
        (MLPRegressor, lambda X, y: (X, spoilt(y, 1e39)), "Input y.* too large .*float32"),
        (MLPRegressor, lambda X, y: (X, spoilt(y.astype(object), None)), "y.* contains NaN"),
        (MLPRegressor, lambda X, y: (X, y.astype("datetime64[s]")), "y.*datetime64"),
    ],
    ids=[
        "features",
        "lengths",
        "NaN",
        "unknown class",
        "columns of a classifier",
        "columns of a regressor",
        "infinity",
        "too large",
        "missing",
        "dates",
    ],
)
def test_errors_in_the_validation_data_say_so(kind, spoil, message, iris):
    X, y = iris
    X_val, y_val = spoil(X, y)
    with pytest.raises(ValueError, match=f"X_val, y_val.*{message}"):
        kind(**OPTIONS).fit(X, y, X_val=X_val, y_val=y_val)


@pytest.mark.parametrize("n_samples", [1, 2])
def test_too_few_samples_to_hold_some_out_raise(n_samples, iris):
    X, y = iris
    with pytest.raises(ValueError, match=f"early_stopping.*n_samples={n_samples}"):
        regressor(early_stopping=True).fit(X[:n_samples], y[:n_samples])


@pytest.mark.parametrize("kind", KINDS)
def test_holding_nothing_out_raises(kind, iris):
    with pytest.raises(ValueError, match="early_stopping.*validation_fraction=0"):
        kind(**OPTIONS, early_stopping=True, validation_fraction=0).fit(*iris)


# Classes.


def test_a_class_that_is_not_among_the_classes_raises(iris):
    with pytest.raises(ValueError, match=r"classes not in `self.classes_`.*\[0 1\].*2"):
        classifier().partial_fit(*iris, classes=[0, 1])


def test_an_unknown_class_in_a_later_call_raises(iris):
    X, y = iris
    model = classifier().partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"classes not in `self.classes_`.*\[0 1 2\].*7"):
        model.partial_fit(X, spoilt(y, 7))


def test_words_after_numbers_raise_in_partial_fit(iris):
    X, y = iris
    model = classifier().partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"\by\b.*classes"):
        model.partial_fit(X, np.array(["a", "b", "c"])[y])


def test_a_warm_start_with_fewer_classes_raises_as_in_scikit_learn(iris):
    X, y = iris
    model = classifier(warm_start=True).fit(X, y)
    message = "warm_start can only be used where `y` has the same classes as in the previous call"
    with pytest.raises(ValueError, match=message):
        model.fit(X, y % 2)


@pytest.mark.parametrize("change", [lambda y: y + 1, lambda y: spoilt(y, 7)])
def test_a_warm_start_with_an_unknown_class_raises_as_in_scikit_learn(change, iris):
    X, y = iris
    message = (
        "warm_start can only be used where `y` has the same classes as in the previous call to "
        f"fit. Previously got [0 1 2], `y` has {np.unique(change(y))}"
    )
    for kind in (classifier, reference.MLPClassifier):
        model = kind(warm_start=True, max_iter=2).fit(X, y)
        with pytest.raises(ValueError, match=re.escape(message)):
            model.fit(X, change(y))


def test_an_unknown_class_raises_in_partial_fit_as_in_scikit_learn(iris):
    X, y = iris
    message = (
        "`y` has classes not in `self.classes_`. `self.classes_` has [0 1 2]. 'y' has [1 2 3]."
    )
    for kind in (classifier, reference.MLPClassifier):
        model = kind().partial_fit(X, y, classes=[0, 1, 2])
        with pytest.raises(ValueError, match=re.escape(message)):
            model.partial_fit(X, y + 1)


def test_an_unknown_class_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(UnknownClasses("y has others", np.arange(2))))
    assert str(error) == "y has others"
    np.testing.assert_array_equal(error.seen, [0, 1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_validation_set_raises_as_in_scikit_learn(kind, iris):
    X, y = iris
    message = "The validation set is too small. Increase 'validation_fraction' or the size of your"
    with pytest.raises(ValueError, match=message):
        kind(**OPTIONS, early_stopping=True).fit(X[:2], y[:2])


def test_units_that_are_no_units_raise_as_in_scikit_learn(iris):
    for kind in (MLPClassifier, reference.MLPClassifier):
        with pytest.raises(ValueError, match="hidden_layer_sizes must be > 0, got"):
            kind(hidden_layer_sizes=(10, 0)).fit(*iris)


def test_a_batch_larger_than_the_samples_warns_as_in_scikit_learn(iris):
    for kind in (MLPClassifier, reference.MLPClassifier):
        with pytest.warns(UserWarning, match="Got `batch_size` less than 1 or larger than sample"):
            kind(batch_size=200, max_iter=2).fit(*iris)


BAD_VALIDATION_LABELS = {
    "None among words": lambda y: spoilt(np.array(["a", "b", "c"], object)[y], None),
    "None": lambda y: [None] * len(y),
    "words among numbers": lambda y: spoilt(y.astype(object), "a"),
    "dicts": lambda y: [{} for _ in y],
    "dates": lambda y: y.astype("datetime64[s]"),
    "a number": lambda y: 3,
    "other classes": lambda y: y + 1,
    "too few": lambda y: y[:5],
}


@pytest.mark.parametrize("kind", [MLPClassifier, RNNClassifier])
@pytest.mark.parametrize("case", BAD_VALIDATION_LABELS)
def test_bad_validation_labels_raise_by_name(case, kind, iris):
    X, y = iris
    model = kind(hidden_layer_sizes=(4,), max_iter=1)
    with pytest.raises((ValueError, TypeError), match="y_val"):
        model.fit(X, y, X_val=X, y_val=BAD_VALIDATION_LABELS[case](y))


@pytest.mark.parametrize("scoring", ["accuracy", "f1_macro", "neg_log_loss"])
def test_a_scorer_that_cannot_score_steps_raises_by_name(scoring, digits):
    images = digits[0][:60].reshape(-1, 8, 8)
    X = [image[: 3 + i % 5] for i, image in enumerate(images)]
    y = [(rows.mean(axis=1) > 0.3).astype(int) for rows in X]
    model = RNNClassifier((4,), early_stopping=True, scoring=scoring, max_iter=2)
    with pytest.raises(ValueError, match=f"scoring='{scoring}' cannot score"):
        model.fit(X, y)


def test_no_classes_in_the_first_call_of_partial_fit_raise(iris):
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        classifier().partial_fit(*iris)


@pytest.mark.parametrize("classes", [[0, 1], [0, 1, 2, 3], [1, 2, 3], ["a", "b", "c"]], ids=str)
def test_other_classes_in_a_later_call_raise(classes, iris):
    model = classifier().partial_fit(*iris, classes=[0, 1, 2])
    message = rf"classes={re.escape(repr(classes))}.* is not the same as on last call"
    with pytest.raises(ValueError, match=message):
        model.partial_fit(*iris, classes=classes)


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({7: 2.0}, "class_weight"),
        ({"setosa": 2.0}, "class_weight"),
        ({0: -1.0}, "class_weight.*-1"),
        ({0: np.nan}, "class_weight.*nan"),
        ({0: np.inf}, "class_weight.*inf"),
        ({0: "heavy"}, "class_weight.*heavy"),
        ({0: 0.0, 1: 0.0, 2: 0.0}, "class_weight"),
        ([{0: 1.0, 1: 2.0}], "class_weight"),
        ("equal", "class_weight.*equal"),
    ],
    ids=str,
)
def test_a_bad_class_weight_raises(class_weight, message, iris):
    with pytest.raises(ValueError, match=message):
        classifier(class_weight=class_weight).fit(*iris)


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({7: 2.0}, "class_weight.*7"),
        ({0: -1.0}, "class_weight.*-1"),
        ({0: np.nan}, "class_weight.*nan"),
        ({0: 0.0, 1: 0.0, 2: 0.0}, "class_weight"),
        ([{0: 1.0, 1: 2.0}], "class_weight"),
    ],
    ids=str,
)
def test_a_bad_class_weight_of_probabilities_raises(class_weight, message, iris):
    X, y = iris
    with pytest.raises(ValueError, match=message):
        classifier(class_weight=class_weight).fit(X, 0.7 * np.eye(3)[y] + 0.1)


def test_balanced_class_weights_raise_in_partial_fit(iris):
    with pytest.raises(ValueError, match="class_weight='balanced' is not supported by partial_fit"):
        classifier(class_weight="balanced").partial_fit(*iris, classes=[0, 1, 2])


# Parameters.


@pytest.mark.parametrize("sizes", [0, -1, 1.5, "10", (10, 0), (10, -1), (1.5,), None, [[10]]])
def test_hidden_layers_of_no_size_raise(sizes, iris):
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        classifier(hidden_layer_sizes=sizes).fit(*iris)


@pytest.mark.parametrize("dropout", [1.0, -0.1, np.nan, "0.5", [1.0], [-0.1], ["0.5"], [[0.5]]])
def test_a_dropout_that_is_no_probability_raises(dropout, iris):
    with pytest.raises(ValueError, match="dropout"):
        classifier(dropout=dropout).fit(*iris)


@pytest.mark.parametrize("dropout", [[], [0.1, 0.2, 0.3]], ids=str)
def test_another_number_of_dropouts_than_layers_raises(dropout, iris):
    message = f"dropout must be .* each of the 2 hidden layers, got {len(dropout)}"
    with pytest.raises(ValueError, match=message):
        classifier(hidden_layer_sizes=(5, 5), dropout=dropout).fit(*iris)


class Pair(nn.Module):
    """A module that returns no tensor."""

    def forward(self, x):
        return x, x


@pytest.mark.parametrize(
    "activation",
    ["rely", "", nn.GLU, nn.ReLU(), nn.Linear, Pair, torch.relu, int, np.tanh, 3],
    ids=lambda activation: getattr(activation, "__name__", repr(activation)),
)
def test_an_activation_that_is_none_raises(activation, iris):
    with pytest.raises(ValueError, match="activation"):
        classifier(activation=activation).fit(*iris)


def without_rate(parameters):
    return torch.optim.SGD(parameters, lr=0.1)


@pytest.mark.parametrize(
    "solver",
    [
        "adom",
        torch.optim.LBFGS,
        without_rate,
        lambda parameters, lr: None,
        dict,
        3,
    ],
    ids=["name", "LBFGS", "no rate", "None", "dict", "number"],
)
def test_a_solver_that_is_none_raises(solver, iris):
    with pytest.raises(ValueError, match="solver"):
        classifier(solver=solver).fit(*iris)


def test_a_solver_without_a_usual_rate_raises(iris):
    def solver(parameters, lr):
        return torch.optim.SGD(parameters, lr=lr)

    with pytest.raises(ValueError, match="learning_rate_init='auto'.*solver"):
        classifier(solver=solver, learning_rate_init="auto").fit(*iris)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dropout", 0.5),
        ("dropout", [0.5]),
        ("max_norm", 1.0),
        ("clip_grad_norm", 1.0),
        ("input_noise", 0.1),
    ],
)
def test_lbfgs_refuses_what_it_cannot_do(name, value, iris):
    with pytest.raises(ValueError, match=rf"lbfgs.*{name}={re.escape(str(value))}"):
        classifier(solver="lbfgs", **{name: value}).fit(*iris)


@pytest.mark.parametrize("options", [{"solver": "lbfgs"}, {"early_stopping": True}], ids=str)
def test_partial_fit_is_missing_where_it_cannot_work(options, iris):
    with pytest.raises(AttributeError, match="partial_fit") as raised:
        classifier(**options).partial_fit(*iris, classes=[0, 1, 2])
    (value,) = options.values()
    assert str(value) in str(raised.value.__cause__)


@pytest.mark.parametrize(
    ("rate", "message"),
    [
        (np.nan, "learning_rate must .*finite.*nan for epoch 1"),
        (np.inf, "learning_rate must .*finite.*inf for epoch 1"),
        (-0.1, "learning_rate must .*not negative.*-0.1 for epoch 1"),
        ("slow", "learning_rate must .*number.*'slow'"),
        (None, "learning_rate must .*number.*None"),
    ],
)
def test_a_function_that_gives_no_rate_raises(rate, message, iris):
    with pytest.raises(ValueError, match=message):
        classifier(learning_rate=lambda epoch: rate if epoch == 1 else 0.1).fit(*iris)


@pytest.mark.parametrize("schedule", ["cosin", CosineAnnealing, 0.1, None], ids=str)
def test_a_learning_rate_that_is_no_schedule_raises(schedule, iris):
    with pytest.raises(ValueError, match="learning_rate"):
        classifier(learning_rate=schedule).fit(*iris)


@pytest.mark.parametrize("every", [0, -1])
def test_a_staircase_without_steps_raises(every):
    with pytest.raises(ValueError, match=f"every must be at least 1, got {every}"):
        StepDecay(every=every)


@pytest.mark.parametrize("callbacks", [[3], [("name", 3)], [None], ["checkpoint"]], ids=str)
def test_callbacks_that_are_none_raise(callbacks, iris):
    with pytest.raises((ValueError, TypeError), match=r"callback"):
        classifier(callbacks=callbacks).fit(*iris)


@pytest.mark.parametrize("scoring", ["acuracy", 3, ["accuracy"]], ids=str)
def test_an_unknown_scoring_raises(scoring, iris):
    with pytest.raises(ValueError, match="scoring"):
        classifier(early_stopping=True, scoring=scoring).fit(*iris)


@pytest.mark.parametrize("score", ["good", None, [0.5, 0.6]], ids=str)
def test_a_scoring_that_gives_no_number_raises(score, iris):
    message = f"scoring must return a number, got {re.escape(repr(score))}"
    with pytest.raises(ValueError, match=message):
        classifier(early_stopping=True, scoring=lambda *_: score).fit(*iris)


@pytest.mark.parametrize(
    "device",
    [
        "nonsense",
        "meta",
        "",
        "cpu:nonsense",
        torch.device("meta"),
        pytest.param(
            "cuda",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is such a device"),
        ),
        3,
    ],
    ids=str,
)
def test_a_device_that_cannot_compute_raises(device, iris):
    with pytest.raises(ValueError, match="device"):
        classifier(device=device).fit(*iris)


@pytest.mark.parametrize("dtype", ["float16", "int32", np.float32, torch.float32], ids=str)
def test_a_dtype_that_is_none_of_the_network_raises(dtype, iris):
    with pytest.raises(ValueError, match="'dtype' parameter of MLPClassifier must be"):
        classifier(dtype=dtype).fit(*iris)


@pytest.mark.parametrize(
    "weight_init",
    [
        lambda weight, *, generator: None,
        lambda weight, *, generator: weight.fill_(torch.nan),
        lambda weight, *, generator: weight.fill_(torch.inf),
        lambda weight, *, generator: torch.zeros_like(weight),
        "xavier",
    ],
    ids=["nothing", "NaN", "infinity", "a new tensor", "name"],
)
def test_initial_weights_that_are_none_raise(weight_init, iris):
    with pytest.raises(ValueError, match="weight_init"):
        classifier(weight_init=weight_init).fit(*iris)


@pytest.mark.parametrize(
    "value",
    [
        [np.ones((4, 10))],
        [np.ones((4, 10)), np.ones((10, 3)), np.ones((3, 3))],
        [np.ones((10, 4)), np.ones((10, 3))],
        [np.ones((4, 10)), np.ones((10, 2))],
        [np.ones(40), np.ones(30)],
    ],
    ids=["too few", "too many", "transposed", "too narrow", "flat"],
)
def test_weights_of_other_shapes_raise(value, iris):
    model = classifier().fit(*iris)
    with pytest.raises(ValueError, match=r"coefs_ must have .*shapes .*\(4, 10\).*, got "):
        model.coefs_ = value


@pytest.mark.parametrize("value", [[np.ones(10)], [np.ones(10), np.ones(10)]])
def test_biases_of_other_shapes_raise(value, iris):
    model = classifier().fit(*iris)
    with pytest.raises(ValueError, match=r"intercepts_ must have .*\(10,\), \(3,\).*, got "):
        model.intercepts_ = value


def test_weights_of_other_shapes_leave_the_model_as_it_was(iris):
    X, y = iris
    model = classifier().fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="coefs_"):
        model.coefs_ = [np.ones((4, 10)), np.ones((10, 2))]
    np.testing.assert_array_equal(model.predict_proba(X), before)


# Before a fit.


@pytest.mark.parametrize("method", PREDICTIONS)
def test_predicting_before_a_fit_raises(method, iris):
    with pytest.raises(NotFittedError, match="This MLPClassifier instance is not fitted yet"):
        getattr(classifier(), method)(iris[0])


@pytest.mark.parametrize("kind", KINDS)
def test_scoring_before_a_fit_raises(kind, iris):
    with pytest.raises(NotFittedError, match=f"This {kind.__name__} instance is not fitted yet"):
        kind().score(*iris)


@pytest.mark.parametrize(
    "name", ["history_", "n_parameters_", "n_layers_", "coefs_", "intercepts_"]
)
def test_reading_results_before_a_fit_raises(name):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(regressor(), name)


@pytest.mark.parametrize("name", ["coefs_", "intercepts_"])
def test_setting_weights_before_a_fit_raises(name):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        setattr(regressor(), name, [np.ones((4, 10))])


@pytest.mark.parametrize(
    "call",
    [
        lambda model, path: model.summary(),
        lambda model, path: model.save_weights(path),
        lambda model, path: model.load_weights(path),
    ],
    ids=["summary", "save_weights", "load_weights"],
)
def test_methods_that_need_a_network_raise_before_a_fit(call, tmp_path):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        call(regressor(), tmp_path / "weights.npz")


# Continuing a fit.


def continue_by_fit(model, X, y):
    return model.set_params(warm_start=True).fit(X, y)


def continue_by_partial_fit(model, X, y):
    return model.partial_fit(X, y)


CONTINUE = pytest.mark.parametrize("go_on", [continue_by_fit, continue_by_partial_fit])


@CONTINUE
@pytest.mark.parametrize("kind", KINDS)
def test_continuing_with_other_features_raises(kind, go_on, iris):
    X, y = iris
    model = kind(**OPTIONS).fit(X, y)
    with pytest.raises(ValueError, match=f"X has 3 features, but {kind.__name__} is expecting 4"):
        go_on(model, X[:, :3], y)


@CONTINUE
@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("hidden_layer_sizes", (10,), (20,)),
        ("hidden_layer_sizes", (10,), (10, 10)),
        ("activation", "relu", "tanh"),
        ("normalization", None, "batch"),
        ("dtype", "float32", "float64"),
        ("dtype", "float64", "float32"),
    ],
)
def test_continuing_with_another_network_raises(name, before, after, go_on, iris):
    model = classifier(**{name: before}).fit(*iris)
    with pytest.raises(ValueError, match=rf"\b{name}\b"):
        go_on(model.set_params(**{name: after}), *iris)


@CONTINUE
def test_continuing_a_classifier_with_another_output_raises(go_on, iris):
    X, y = iris
    model = classifier().fit(X, y > 0).set_params(loss="cross_entropy")
    with pytest.raises(ValueError, match="n_outputs.* 1, not 2|out_activation.*logistic.*softmax"):
        go_on(model, X, y > 0)


@CONTINUE
def test_continuing_a_regressor_with_another_output_raises(go_on, iris):
    model = regressor().fit(*iris).set_params(loss="poisson")
    with pytest.raises(ValueError, match="out_activation.*identity.*exp"):
        go_on(model, *iris)


@CONTINUE
def test_continuing_with_other_outputs_raises(go_on, iris):
    X, y = iris
    model = regressor().fit(X, y)
    with pytest.raises(ValueError, match="y must have 1 output.*, got 3"):
        go_on(model, X, np.eye(3)[y])


@CONTINUE
@pytest.mark.parametrize("form", [np.eye(3), np.eye(2, dtype=int)[[0, 1, 1]]])
def test_continuing_classes_with_columns_raises(form, go_on, iris):
    X, y = iris
    model = classifier().fit(X, y)
    with pytest.raises(ValueError, match=r"y.*\(n_samples,\).*\(150, "):
        go_on(model, X, form[y])


@CONTINUE
def test_continuing_labels_with_another_number_of_columns_raises(go_on, iris):
    X, y = iris
    model = classifier().fit(X, np.eye(3, dtype=int)[y])
    with pytest.raises(ValueError, match=r"y must have shape \(n_samples, 3\), got \(150, 2\)"):
        go_on(model, X, np.eye(3, dtype=int)[y][:, :2])


UNIT = {
    "MLPClassifier": (MLPClassifier((4,), max_iter=2), (64,)),
    "MLPRegressor": (MLPRegressor(hidden_layer_sizes=(4,), max_iter=2), (64,)),
    "ConvNetClassifier": (ConvNetClassifier((2,), (), max_iter=2), (8, 8)),
    "RNNClassifier": (RNNClassifier((4,), max_iter=2), (8, 8)),
    "Autoencoder": (Autoencoder((4,), 2, max_iter=2), (64,)),
    "ConvAutoencoder": (ConvAutoencoder((2, 2), 2, max_iter=2), (8, 8)),
}


@pytest.mark.parametrize("name", UNIT)
def test_bytes_are_told_from_numbers_up_to_one(name, digits, recwarn):
    model, shape = UNIT[name]
    X, y = digits[0][:60].reshape(-1, *shape), digits[1][:60]
    model = clone(model).fit(X, y)
    method = "predict" if hasattr(model, "predict") else "transform"
    recwarn.clear()
    getattr(model, method)(X)
    getattr(model, method)((X > 0.5).astype(np.uint8))
    assert not recwarn.list
    with pytest.warns(UserWarning, match=r"integers up to 255.*fitted to floats in \[0, 1\]"):
        getattr(model, method)((255 * X).astype(np.uint8))
    loaded = pickle.loads(pickle.dumps(model))
    with pytest.warns(UserWarning, match="integers up to"):
        getattr(loaded, method)((255 * X).astype(np.int64))


def test_bytes_are_taken_where_fit_had_floats_of_bytes(digits, recwarn):
    X, y = np.rint(255 * digits[0][:60]), digits[1][:60]
    model = MLPClassifier((4,), max_iter=2).fit(X, y)
    recwarn.clear()
    np.testing.assert_allclose(
        model.predict_proba(X.astype(np.uint8)), model.predict_proba(X), rtol=1e-6
    )
    assert not recwarn.list
