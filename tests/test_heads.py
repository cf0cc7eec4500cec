"""What y may be, and what is made of it."""

import warnings
from contextlib import nullcontext

import numpy as np
import pytest
from joblib import parallel_config
from scipy.sparse import csr_array
from scipy.special import softmax
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, cross_val_score

from sknn_basics import (
    ConvNetClassifier,
    ConvNetRegressor,
    MLPClassifier,
    MLPRegressor,
    RNNClassifier,
    RNNRegressor,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

OPTIONS = {"hidden_layer_sizes": (10,), "max_iter": 5, "random_state": 0}


def fit(y, iris, **options):
    return MLPClassifier(**{**OPTIONS, **options}).fit(iris[0], y)


def one_hot(y):
    return np.eye(y.max() + 1)[y]


def test_two_classes_take_one_logistic_output(iris):
    model = fit(iris[1] > 0, iris)
    assert (model.n_outputs_, model.out_activation_) == (1, "logistic")
    assert model.predict_proba(iris[0]).shape == (150, 2)


def test_two_classes_may_take_a_softmax(iris):
    model = fit(iris[1] > 0, iris, loss="cross_entropy", solver="lbfgs")
    assert (model.n_outputs_, model.out_activation_) == (2, "softmax")
    assert model.score(iris[0], iris[1] > 0) == 1


def test_more_classes_take_a_softmax(iris):
    model = fit(iris[1], iris)
    assert (model.n_outputs_, model.out_activation_) == (3, "softmax")
    np.testing.assert_allclose(model.predict_proba(iris[0]).sum(axis=1), 1, atol=1e-6)


def test_several_labels_take_a_logistic_output_each(iris):
    y = np.column_stack([iris[1] > 0, iris[1] == 1]).astype(int)
    model = fit(y, iris, max_iter=100)
    assert (model.n_outputs_, model.out_activation_) == (2, "logistic")
    assert model.predict(iris[0]).dtype.kind == "i"
    np.testing.assert_array_equal(model.predict(iris[0]), model.predict_proba(iris[0]) > 0.5)


def test_labels_may_be_sparse(iris):
    y = np.column_stack([iris[1] > 0, iris[1] == 1]).astype(int)
    np.testing.assert_array_equal(fit(csr_array(y), iris).coefs_[0], fit(y, iris).coefs_[0])


def test_one_hot_rows_train_as_their_classes(iris):
    by_row = fit(one_hot(iris[1]), iris, loss="cross_entropy", dtype="float64")
    by_class = fit(iris[1], iris, dtype="float64")
    np.testing.assert_allclose(by_row.loss_curve_, by_class.loss_curve_)
    np.testing.assert_array_equal(by_row.predict(iris[0]), by_class.predict(iris[0]))
    assert by_row.score(iris[0], one_hot(iris[1])) == by_class.score(*iris)


def test_one_hot_rows_fix_the_number_of_classes(iris):
    X, y = iris
    model = MLPClassifier(loss="cross_entropy", **OPTIONS).fit(X[:100], one_hot(y)[:100])
    assert model.predict_proba(X).shape == (150, 3)


def test_probabilities_are_targets_without_asking(iris):
    soft = one_hot(iris[1]) * 0.7 + 0.1
    model = fit(soft, iris, max_iter=200, solver="lbfgs", alpha=0)
    np.testing.assert_allclose(
        model.predict_proba(iris[0]).mean(axis=0), soft.mean(axis=0), atol=1e-3
    )


def test_the_loss_of_probabilities_is_their_cross_entropy(iris):
    soft = softmax(np.random.RandomState(0).normal(size=(150, 3)), axis=1)
    model = fit(soft, iris, learning_rate_init=1e-12, max_iter=1, alpha=0, dtype="float64")
    expected = -(soft * model.predict_log_proba(iris[0])).sum(axis=1).mean()
    assert model.loss_ == pytest.approx(expected)


def test_label_smoothing_spreads_the_target(iris):
    smooth = fit(iris[1], iris, label_smoothing=0.3, dtype="float64")
    by_row = fit(one_hot(iris[1]) * 0.7 + 0.1, iris, dtype="float64")
    np.testing.assert_allclose(smooth.loss_curve_, by_row.loss_curve_)


def test_label_smoothing_of_two_classes_spreads_the_target(iris):
    y = (iris[1] > 0).astype(int)
    smooth = fit(y, iris, label_smoothing=0.2, learning_rate_init=1e-12, max_iter=1, alpha=0)
    p = smooth.predict_proba(iris[0])
    expected = -(np.column_stack([1 - y, y]) * 0.8 + 0.1) * np.log(p)
    assert smooth.loss_ == pytest.approx(expected.sum(axis=1).mean(), rel=1e-5)


def test_the_reported_loss_is_the_log_loss(iris):
    model = fit(iris[1], iris, learning_rate_init=1e-12, max_iter=1, alpha=0)
    assert model.loss_ == pytest.approx(log_loss(iris[1], model.predict_proba(iris[0])), rel=1e-5)


@pytest.mark.parametrize(
    "names",
    [["a", "b", "c"], [10, -5, 7], [0.0, 1.0, 2.0], np.array(["x", "yy", "zzz"], dtype=object)],
    ids=str,
)
def test_labels_may_be_of_any_type(names, iris):
    X, y = iris
    labels = np.asarray(names)[y]
    model = fit(labels, iris, solver="lbfgs", max_iter=20)
    np.testing.assert_array_equal(model.classes_, np.unique(labels))
    assert model.score(X, labels) > 0.9


def test_one_class_is_always_predicted():
    model = MLPClassifier(**OPTIONS).fit([[0.0], [1.0]], ["only", "only"])
    assert model.predict([[5.0]]) == ["only"]
    np.testing.assert_array_equal(model.predict_proba([[5.0]]), [[1.0]])


def test_balanced_class_weights_find_the_rare_class(iris):
    X, y = iris
    rows = np.r_[0:50, 50:53]
    # Without hidden layers there is but one optimum, from whatever initial weights.
    options = {"class_weight": "balanced", "tol": 1e-8, "max_iter": 300}
    model = MLPClassifier((), solver="lbfgs", alpha=1.0, **options).fit(X[rows], y[rows])
    reference = LogisticRegression(C=1.0, **options).fit(X[rows], y[rows])
    np.testing.assert_allclose(model.coefs_[0].T, reference.coef_, atol=2e-3)
    assert model.score(X[50:100], y[50:100]) > 0.9


def test_class_weights_of_probabilities_average_over_the_row(iris):
    soft = one_hot(iris[1]) * 0.7 + 0.1
    weights = {0: 1.0, 1: 2.0, 2: 4.0}
    by_class = fit(soft, iris, class_weight=weights)
    by_sample = MLPClassifier(**OPTIONS).fit(iris[0], soft, sample_weight=soft @ [1.0, 2.0, 4.0])
    np.testing.assert_array_equal(by_class.coefs_[0], by_sample.coefs_[0])


def test_regression_has_one_linear_output(diabetes):
    model = MLPRegressor(**OPTIONS).fit(*diabetes)
    assert (model.n_outputs_, model.out_activation_) == (1, "identity")
    assert model.predict(diabetes[0]).shape == (442,)


def test_regression_may_have_several_outputs(diabetes):
    X, y = diabetes
    model = MLPRegressor(solver="lbfgs", max_iter=500, hidden_layer_sizes=(), alpha=0, tol=1e-8)
    model.fit(X, np.column_stack([y, X[:, 0], X[:, 1] - X[:, 2]]))
    prediction = model.predict(X)
    np.testing.assert_allclose(prediction[:, 1], X[:, 0], atol=3e-3)
    np.testing.assert_allclose(prediction[:, 2], X[:, 1] - X[:, 2], atol=3e-3)


def test_poisson_regression_predicts_positive_means():
    X = np.repeat([[0.0], [1.0]], 100, axis=0)
    y = np.random.RandomState(0).poisson(np.repeat([2.0, 9.0], 100))
    model = MLPRegressor("poisson", (), solver="lbfgs", alpha=0, tol=1e-8).fit(X, y)
    np.testing.assert_allclose(
        model.predict([[0.0], [1.0]]), [y[:100].mean(), y[100:].mean()], rtol=1e-4
    )


def one_hot_targets(iris):
    """One-hot targets of every shape that is read as labels: estimator, X, y."""
    X, y = iris[0], one_hot(iris[1])
    every_step = np.repeat(y[:, None], 4, axis=1)
    return {
        "rows": (MLPClassifier, X, y),
        "bools": (MLPClassifier, X, y.astype(bool)),
        "integers in a list": (MLPClassifier, X, y.astype(int).tolist()),
        "sparse rows": (MLPClassifier, X, csr_array(y)),
        "images": (ConvNetClassifier, X.reshape(-1, 2, 2), y),
        "sequences": (RNNClassifier, X[:, :, None], y),
        "steps": (RNNClassifier, X[:, :, None], every_step),
    }


@pytest.mark.parametrize("case", list(one_hot_targets((np.zeros((3, 4)), np.arange(3)))))
def test_one_hot_rows_are_warned_of(case, iris):
    kind, X, y = one_hot_targets(iris)[case]
    with pytest.warns(UserWarning, match=r"exactly one 1 among its 3 columns.*'cross_entropy'"):
        kind(max_iter=1).fit(X, y)


def test_one_hot_rows_are_warned_of_by_partial_fit_and_initialize(iris):
    y = one_hot(iris[1])
    with pytest.warns(UserWarning, match="exactly one 1"):
        MLPClassifier().partial_fit(iris[0], y, classes=[0, 1, 2])
    with pytest.warns(UserWarning, match="exactly one 1"):
        MLPClassifier().initialize(iris[0], y)


def labels(iris):
    """Targets of several columns that are what they are read as: y, loss."""
    y = one_hot(iris[1])
    none, several = y.copy(), y.copy()
    none[0], several[0] = 0, 1
    return [
        (none, "log_loss"),
        (several, "log_loss"),
        (y[:, :2], "log_loss"),
        (one_hot((iris[1] > 0).astype(int)), "log_loss"),
        (y, "cross_entropy"),
        (softmax(y, axis=1), "log_loss"),
    ]


@pytest.mark.parametrize("case", range(6))
def test_labels_and_probabilities_are_not_warned_of(case, iris):
    y, loss = labels(iris)[case]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        MLPClassifier(max_iter=1, loss=loss).fit(iris[0], y)


def regressor(kind, **options):
    """A small regressor, and how its X is made of rows of four numbers."""
    size = {"filters": (4,), "hidden_layer_sizes": ()} if kind is ConvNetRegressor else {}
    shape = {MLPRegressor: (4,), ConvNetRegressor: (2, 2), RNNRegressor: (4, 1)}[kind]
    model = kind(**size, **{"max_iter": 60, "random_state": 0, **options})
    return model, lambda X: X.reshape(-1, *shape)


def output_bias(model):
    """Where the outputs begin, or have come to."""
    return model.module_.output.bias.detach().numpy()


STARTS = {
    "squared_error": lambda y, w: np.average(y, weights=w, axis=0),
    "poisson": lambda y, w: np.log(np.average(y, weights=w, axis=0)),
    "absolute_error": lambda y, w: np.sort(np.repeat(y, w, axis=0), axis=0)[(w.sum() - 1) // 2],
    "huber": lambda y, w: np.sort(np.repeat(y, w, axis=0), axis=0)[(w.sum() - 1) // 2],
}


@pytest.mark.parametrize("loss", STARTS)
@pytest.mark.parametrize("kind", [ConvNetRegressor, RNNRegressor])
def test_outputs_begin_at_the_constant_that_fits_best(kind, loss, iris):
    model, shaped = regressor(kind, loss=loss, max_iter=1, learning_rate_init=1e-12)
    y = 360 + np.column_stack([iris[1], iris[0][:, 0] ** 2])
    weight = np.arange(150) % 4
    model.fit(shaped(iris[0]), y, sample_weight=weight)
    np.testing.assert_allclose(output_bias(model), STARTS[loss](y, weight), rtol=1e-6)
    unfitted = output_bias(model.initialize(shaped(iris[0]), y))
    np.testing.assert_allclose(unfitted, STARTS[loss](y, np.ones(150, int)), rtol=1e-6)


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("kind", [ConvNetRegressor, RNNRegressor])
def test_targets_far_from_zero_are_learnt(kind, stacked, iris):
    model, shaped = regressor(kind, learning_rate_init=0.01)
    X, y = shaped(iris[0]), 360 + 3 * iris[0][:, 2]
    with parallel_config("stacked") if stacked else nullcontext():
        scores = cross_val_score(model, X, y, cv=KFold(3, shuffle=True, random_state=0))
    assert scores.min() > 0.5


def test_outputs_of_steps_begin_at_the_mean_over_sequences(iris):
    X = [iris[0][:n, :1] for n in (2, 5, 7)]
    y = [np.full((n, 1), 100.0 * n) for n in (2, 5, 7)]
    model, _ = regressor(RNNRegressor)
    bias = output_bias(model.initialize(X, y))
    np.testing.assert_allclose(bias, [(200 + 500 + 700) / 3], rtol=1e-6)


def test_outputs_begin_where_partial_fit_and_the_training_share_say(iris):
    model, shaped = regressor(RNNRegressor, learning_rate_init=1e-12)
    X, y = shaped(iris[0]), np.arange(150.0)
    model.partial_fit(X[:100], y[:100]).partial_fit(X[100:], y[100:])
    np.testing.assert_allclose(output_bias(model), [49.5], rtol=1e-6)
    model.set_params(early_stopping=True, stateful=True, batch_size=1, max_iter=1).fit(X, y)
    np.testing.assert_allclose(output_bias(model), [67.0], rtol=1e-6)


def test_an_output_from_another_network_keeps_its_bias(iris):
    model, shaped = regressor(RNNRegressor)
    first = model.fit(shaped(iris[0]), 100 + iris[1])
    second = clone(model).set_params(init_from=first, init_layers="*")
    bias = output_bias(second.initialize(shaped(iris[0]), 500 + iris[1]))
    np.testing.assert_array_equal(bias, output_bias(first))


@pytest.mark.parametrize("loss", ["squared_error", "poisson", "absolute_error", "huber"])
def test_a_dense_network_warns_where_it_has_not_come_to_y(loss, iris):
    y = 36000 + np.column_stack([iris[1], iris[0][:, 0]])
    model, _ = regressor(MLPRegressor, loss=loss, max_iter=3)
    with pytest.warns(ConvergenceWarning, match=r"lies far from 0.*TransformedTargetRegressor"):
        model.fit(iris[0], y)


@pytest.mark.parametrize("options", [{"solver": "lbfgs"}, {"max_iter": 300, "tol": 0}])
def test_a_dense_network_that_has_come_to_y_does_not_warn(options, iris):
    model, _ = regressor(MLPRegressor, learning_rate_init=0.01, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        warnings.filterwarnings("ignore", "(Stoch|lbfgs)", ConvergenceWarning)
        model.fit(iris[0], 10 + iris[0][:, 2])
        clone(model).fit(iris[0], np.ones(150))
        clone(model).set_params(max_iter=1).fit(iris[0], iris[0][:, 2])
