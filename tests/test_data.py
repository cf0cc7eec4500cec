"""Every kind of data that scikit-learn takes gives the model of a plain array."""

import tracemalloc
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse
from sklearn.exceptions import DataConversionWarning

from sknn_basics import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

OPTIONS = {"hidden_layer_sizes": (20,), "max_iter": 3, "random_state": 0}
NAMES = [f"pixel{i}" for i in range(64)]


@pytest.fixture(scope="module")
def counts(digits):
    """Digits as whole numbers from 0 to 16, which every data type represents."""
    X, y = digits
    X = (16 * X).round()
    X.setflags(write=False)
    return X, y


@pytest.fixture(scope="module")
def probabilities(counts):
    """What the model of a plain array predicts."""
    X, y = counts
    return MLPClassifier(**OPTIONS).fit(X, y).predict_proba(X)


@pytest.fixture(scope="module")
def labels(digits):
    """Three properties of a digit: odd, large, three."""
    _, y = digits
    return np.column_stack([y % 2, y > 4, y == 3]).astype(int)


def every_second_row(X):
    doubled = np.repeat(X, 2, axis=0)
    doubled[1::2] = -1
    return doubled[::2]


FORMS = {
    "Fortran order": np.asfortranarray,
    "writeable": np.array,
    "non-contiguous": every_second_row,
    "negative strides": lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    "big-endian": lambda X: X.astype(">f8"),
    "big-endian float32": lambda X: X.astype(">f4"),
    "big-endian int16": lambda X: X.astype(">i2"),
    "float16": lambda X: X.astype(np.float16),
    "float32": lambda X: X.astype(np.float32),
    "uint8": lambda X: X.astype(np.uint8),
    "int8": lambda X: X.astype(np.int8),
    "uint16": lambda X: X.astype(np.uint16),
    "int64": lambda X: X.astype(np.int64),
    "object": lambda X: X.astype(object),
    "list of lists": lambda X: X.tolist(),
    "list of arrays": list,
    "pandas": lambda X: pd.DataFrame(X, index=np.arange(len(X))[::-1] * 7, columns=NAMES),
    "pandas uint8": lambda X: pd.DataFrame(X, columns=NAMES).astype(np.uint8),
    "pandas nullable": lambda X: pd.DataFrame(X, columns=NAMES).astype("Int64"),
    "pandas numbered": pd.DataFrame,
    "polars": lambda X: pl.DataFrame(X, schema=NAMES),
    "torch float32": lambda X: torch.tensor(X, dtype=torch.float32),
    "torch uint8": lambda X: torch.tensor(X, dtype=torch.uint8),
    "torch bfloat16": lambda X: torch.tensor(X, dtype=torch.bfloat16),
    "torch transposed": lambda X: torch.tensor(X.T).T,
    "torch with gradient": lambda X: torch.tensor(X, requires_grad=True),
    **{
        name: getattr(sparse, name)
        for name in (
            "csr_array",
            "csr_matrix",
            "csc_array",
            "csc_matrix",
            "coo_array",
            "coo_matrix",
            "lil_array",
        )
    },
    "csr_array uint8": lambda X: sparse.csr_array(X.astype(np.uint8)),
}


@pytest.mark.parametrize("form", FORMS)
def test_input_of_any_form_gives_the_model_of_a_plain_array(form, counts, probabilities):
    X, y = counts
    X = FORMS[form](X)
    result = MLPClassifier(**OPTIONS).fit(X, y).predict_proba(X)
    # Probabilities of samples in single precision are rounded to it.
    np.testing.assert_array_equal(result, probabilities.astype(result.dtype))


def test_bool_input_gives_the_model_of_zeros_and_ones(counts):
    X, y = counts
    ink = X > 8
    model = MLPClassifier(**OPTIONS).fit(ink.astype(float), y)
    of_bool = MLPClassifier(**OPTIONS).fit(ink, y)
    np.testing.assert_array_equal(of_bool.predict_proba(ink), model.predict_proba(ink))


def test_memory_map_gives_the_model_of_a_plain_array(counts, probabilities, tmp_path):
    X, y = counts
    X.astype(np.uint8).tofile(tmp_path / "X")
    X = np.memmap(tmp_path / "X", np.uint8, "r", shape=X.shape)
    np.testing.assert_array_equal(
        MLPClassifier(**OPTIONS).fit(X, y).predict_proba(X), probabilities
    )


@pytest.mark.parametrize("form", ["pandas", "polars", "csr_array", "torch float32", "uint8"])
@pytest.mark.parametrize("scoring", [None, "neg_log_loss"])
def test_held_out_rows_of_any_form_score_as_those_of_a_plain_array(form, scoring, counts):
    X, y = counts
    options = {**OPTIONS, "early_stopping": True, "scoring": scoring}
    model = MLPClassifier(**options).fit(X, y)
    other = MLPClassifier(**options).fit(FORMS[form](X), y)
    # The logarithmic loss cuts off probabilities at the precision that they come in.
    rtol = 0.01 if form == "torch float32" else 1e-6
    np.testing.assert_allclose(other.validation_scores_, model.validation_scores_, rtol=rtol)


@pytest.mark.parametrize("form", ["pandas", "csr_array", "torch float32", "uint8"])
def test_validation_data_of_any_form_score_as_a_plain_array(form, counts):
    X, y = counts
    convert = FORMS[form]
    model = MLPClassifier(**OPTIONS).fit(X, y, X_val=X[:500], y_val=y[:500])
    other = MLPClassifier(**OPTIONS).fit(convert(X), y, X_val=convert(X[:500]), y_val=y[:500])
    assert other.validation_scores_ == model.validation_scores_


@pytest.mark.parametrize("form", ["pandas", "polars"])
def test_column_names_are_remembered(form, counts):
    X, y = counts
    assert MLPClassifier(**OPTIONS).fit(FORMS[form](X), y).feature_names_in_.tolist() == NAMES


@pytest.mark.parametrize("form", ["pandas", "polars"])
def test_columns_in_another_order_raise_at_predict(form, counts):
    X, y = counts
    frame = FORMS[form](X)
    model = MLPClassifier(**OPTIONS).fit(frame, y)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[NAMES[::-1]])


def test_unknown_columns_raise_at_predict(counts):
    X, y = counts
    model = MLPClassifier(**OPTIONS).fit(pd.DataFrame(X, columns=NAMES), y)
    with pytest.raises(ValueError, match="unseen at fit time"):
        model.predict(pd.DataFrame(X, columns=[*NAMES[:-1], "ink"]))


def test_validation_columns_in_another_order_raise(counts):
    X, y = counts
    frame = pd.DataFrame(X, columns=NAMES)
    with pytest.raises(ValueError, match="feature names should match"):
        MLPClassifier(**OPTIONS).fit(frame, y, X_val=frame[NAMES[::-1]], y_val=y)


# Labels.

WORDS = np.array(["a", "b", "c", "d", "e", "f", "g", "h", "i", "jj"])

LABELS = {
    "uint8": lambda y: y.astype(np.uint8),
    "negative": lambda y: y - 5,
    "float": lambda y: y.astype(float),
    "big-endian": lambda y: y.astype(">i4"),
    "str": lambda y: WORDS[y],
    "object": lambda y: WORDS[y].astype(object),
    "list": lambda y: y.tolist(),
    "list of str": lambda y: WORDS[y].tolist(),
    "torch": torch.tensor,
    "pandas": lambda y: pd.Series(y, index=np.arange(len(y))[::-1] * 3),
    "pandas str": lambda y: pd.Series(WORDS[y]),
    "pandas Categorical": lambda y: pd.Categorical(WORDS[y]),
    "pandas categories": lambda y: pd.Series(WORDS[y], index=-np.arange(len(y)), dtype="category"),
    "polars": lambda y: pl.Series(y),
    "polars str": lambda y: pl.Series(WORDS[y]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_kind_are_predicted_as_given(kind, counts):
    X, y = counts
    convert = LABELS[kind]
    model = MLPClassifier(**OPTIONS).fit(X, y)
    other = MLPClassifier(**OPTIONS).fit(X, convert(y))
    np.testing.assert_array_equal(other.predict(X), np.asarray(convert(model.predict(X))))


@pytest.mark.parametrize("kind", LABELS)
def test_score_takes_labels_of_any_kind(kind, counts):
    X, y = counts
    y_kind = LABELS[kind](y)
    model = MLPClassifier(**OPTIONS).fit(X, y)
    assert MLPClassifier(**OPTIONS).fit(X, y_kind).score(X, y_kind) == model.score(X, y)


def test_bool_labels_are_predicted_as_bool(counts):
    X, y = counts
    model = MLPClassifier(**OPTIONS).fit(X, (y > 4).astype(int))
    predicted = MLPClassifier(**OPTIONS).fit(X, y > 4).predict(X)
    assert predicted.dtype == bool
    np.testing.assert_array_equal(predicted, model.predict(X))


def test_partial_fit_takes_string_labels(counts):
    X, y = counts
    model = MLPClassifier(**OPTIONS).partial_fit(X, y, classes=np.arange(10))
    other = MLPClassifier(**OPTIONS).partial_fit(X, WORDS[y], classes=WORDS)
    np.testing.assert_array_equal(other.predict(X), WORDS[model.predict(X)])


MULTI_LABEL_FORMS = {
    "bool": lambda Y: Y.astype(bool),
    "float": lambda Y: Y.astype(float),
    "Fortran order": np.asfortranarray,
    "list of lists": lambda Y: Y.tolist(),
    "pandas": lambda Y: pd.DataFrame(Y, index=-np.arange(len(Y))),
    "torch": torch.tensor,
    "csr_array": sparse.csr_array,
    "csr_matrix": sparse.csr_matrix,
    "csc_array": sparse.csc_array,
}


@pytest.mark.parametrize("form", MULTI_LABEL_FORMS)
def test_label_sets_of_any_form_give_the_model_of_an_array(form, counts, labels):
    X, _ = counts
    model = MLPClassifier(**OPTIONS).fit(X, labels)
    other = MLPClassifier(**OPTIONS).fit(X, MULTI_LABEL_FORMS[form](labels))
    np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("form", MULTI_LABEL_FORMS)
def test_score_takes_label_sets_of_any_form(form, counts, labels):
    X, _ = counts
    model = MLPClassifier(**OPTIONS).fit(X, labels)
    expected = np.mean((model.predict(X) == labels).all(axis=1))
    assert model.score(X, MULTI_LABEL_FORMS[form](labels)) == expected


def test_sparse_label_sets_are_predicted_as_dense_ones(counts, labels):
    X, _ = counts
    model = MLPClassifier(**OPTIONS).fit(X, labels)
    sparse_model = MLPClassifier(**OPTIONS).fit(X, sparse.csr_array(labels))
    np.testing.assert_array_equal(sparse_model.predict(X), model.predict(X))


# Class probabilities.

EXACT = {"loss": "cross_entropy", "dtype": "float64", "max_iter": 5, "random_state": 0}


@pytest.mark.parametrize(
    "form", [np.asarray, np.ndarray.tolist, pd.DataFrame, sparse.csr_array, torch.tensor]
)
def test_one_hot_rows_give_the_model_of_labels(form, counts):
    X, y = counts
    model = MLPClassifier(**EXACT).fit(X, y)
    one_hot = MLPClassifier(**EXACT).fit(X, form(np.eye(10)[y]))
    np.testing.assert_allclose(one_hot.predict_proba(X), model.predict_proba(X), atol=1e-9)


@pytest.mark.filterwarnings("error::DeprecationWarning")
@pytest.mark.parametrize(
    "form", [np.asarray, np.ndarray.tolist, pd.DataFrame, sparse.csr_array, torch.tensor]
)
def test_score_takes_one_hot_rows_of_any_form(form, counts):
    X, y = counts
    rows = form(np.eye(10)[y])
    model = MLPClassifier(**EXACT).fit(X, rows)
    assert model.score(X, rows) == np.mean(model.predict(X) == y)


def test_soft_labels_equal_each_class_once_weighted_by_its_probability(iris):
    X, y = iris
    soft = 0.7 * np.eye(3)[y] + 0.3 * np.random.RandomState(0).dirichlet(np.ones(3), len(y))
    options = {**EXACT, "solver": "sgd", "learning_rate_init": 0.1, "shuffle": False}
    model = MLPClassifier(**options, batch_size=150).fit(X, soft)
    repeated = MLPClassifier(**options, batch_size=450).fit(
        np.repeat(X, 3, axis=0), np.tile(np.arange(3), 150), sample_weight=soft.ravel()
    )
    np.testing.assert_allclose(model.predict_proba(X), repeated.predict_proba(X), atol=1e-9)


def test_two_columns_of_soft_labels_give_a_softmax(iris):
    X, y = iris
    soft = np.column_stack([y / 4, 1 - y / 4])
    model = MLPClassifier(**EXACT).fit(X, soft)
    assert (model.out_activation_, model.predict_proba(X).shape) == ("softmax", (150, 2))


# Columns, targets.


def test_column_of_labels_warns_and_gives_the_model_of_a_vector(counts, probabilities):
    X, y = counts
    with pytest.warns(DataConversionWarning, match="column-vector"):
        model = MLPClassifier(**OPTIONS).fit(X, y[:, None])
    np.testing.assert_array_equal(model.predict_proba(X), probabilities)


def test_column_of_targets_gives_the_model_of_a_vector(diabetes):
    X, y = diabetes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataConversionWarning)
        column = MLPRegressor(**OPTIONS).fit(X, y[:, None])
    expected = MLPRegressor(**OPTIONS).fit(X, y).predict(X)
    np.testing.assert_array_equal(column.predict(X), expected)


@pytest.mark.parametrize(
    "form", [np.ndarray.tolist, pd.Series, pl.Series, torch.tensor, lambda y: y.astype(">f8")]
)
def test_regression_targets_of_any_form_give_the_model_of_an_array(form, diabetes):
    X, y = diabetes
    model = MLPRegressor(**OPTIONS).fit(X, y)
    other = MLPRegressor(**OPTIONS).fit(X, form(y))
    np.testing.assert_array_equal(other.predict(X), model.predict(X))
    assert other.score(X, form(y)) == pytest.approx(model.score(X, y), rel=1e-5)


@pytest.mark.parametrize("form", [np.ndarray.tolist, pd.Series, torch.tensor, np.float32])
def test_sample_weights_of_any_form_give_the_model_of_an_array(form, iris):
    X, y = iris
    weight = 1.0 + np.arange(150) % 3
    model = MLPClassifier(**OPTIONS).fit(X, y, weight)
    other = MLPClassifier(**OPTIONS).fit(X, y, form(weight))
    np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))


@pytest.fixture
def repeated_warnings():
    """torch warns each time, not only the first."""
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(False)


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.usefixtures("repeated_warnings")
def test_read_only_data_are_taken_without_a_warning(diabetes):
    X, y = diabetes
    weight = np.ones(len(y))
    weight.setflags(write=False)
    options = {**OPTIONS, "dtype": "float64", "shuffle": False}
    MLPRegressor(**options).fit(X, y, weight).predict(X)


# Values.


@pytest.mark.parametrize("rate", [1e30, 1e100])
def test_weights_that_single_precision_cannot_hold_raise(rate, iris):
    options = {"solver": "sgd", "learning_rate_init": rate, "dtype": "float32"}
    model = MLPClassifier((10,), max_iter=4, **options)
    with pytest.raises(ValueError, match="diverged.* epoch .* rate"):
        model.fit(*iris)


# Memory.


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"input_noise": 0.5},
        {"dropout": 0.5, "normalization": "batch"},
        {"activation": "relu6", "shuffle": False},
        {"hidden_layer_sizes": (), "batch_size": 150},
        {"solver": "lbfgs"},
        {"early_stopping": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_data_are_not_modified(options, dtype, iris):
    X, y = (array.astype(dtype) for array in iris)
    weight = np.ones(150, dtype)
    before = X.copy(), y.copy(), weight.copy()
    model = MLPClassifier(**{**OPTIONS, "dtype": dtype, **options}).fit(X, y, weight)
    model.predict_proba(X)
    for array, copy in zip((X, y, weight), before):
        np.testing.assert_array_equal(array, copy)


@pytest.fixture
def traced_memory():
    """Function that tells the peak of NumPy's memory since the test began, in bytes."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


@pytest.fixture(scope="module")
def memory_map(counts, tmp_path_factory):
    """Bytes of shape (59301, 768) on disk: 46 MB, and 182 MB in single precision."""
    X, y = counts
    X = np.tile(X.astype(np.uint8), (33, 12))
    path = tmp_path_factory.mktemp("memory_map") / "X"
    X.tofile(path)
    return np.memmap(path, np.uint8, "r", shape=X.shape), np.tile(y, 33)


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"shuffle": False}], ids=str)
def test_fit_reads_a_memory_map_batch_by_batch(options, memory_map, traced_memory):
    X, y = memory_map
    MLPClassifier((4,), max_iter=1, **options).fit(X, y)
    assert traced_memory() < 4 * X.size / 4


def test_predict_reads_a_memory_map_batch_by_batch(memory_map, traced_memory):
    X, y = memory_map
    MLPClassifier((4,), max_iter=1).fit(X[:1000], y[:1000]).predict(X)
    assert traced_memory() < 4 * X.size / 2
