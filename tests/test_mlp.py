"""Multi-layer perceptrons against independent references."""

import inspect

import numpy as np
import pytest
import sklearn.neural_network as reference
from scipy.sparse import csr_array
from scipy.special import expit, softmax
from sklearn.base import clone

from sknn_basics import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

PAIRS = [
    (MLPClassifier, reference.MLPClassifier),
    (MLPRegressor, reference.MLPRegressor),
]

# With one random_state and double precision, ours and theirs start from the same weights and
# see the same batches.
SOLVERS = [
    {"solver": "adam"},
    {"solver": "adam", "alpha": 1.0, "batch_size": 64},
    {"solver": "adam", "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3, "shuffle": False},
    {"solver": "sgd"},
    {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.05},
    {"solver": "sgd", "momentum": 0.0},
    {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5, "power_t": 0.3},
    {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.1, "n_iter_no_change": 1},
]


@pytest.fixture(params=["classes", "two classes", "labels"])
def targets(request, digits):
    X, y = digits
    choices = {
        "classes": y,
        "two classes": y % 2,
        "labels": np.column_stack([y % 2, y > 4, y == 3]).astype(int),
    }
    return X, choices[request.param]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_has_every_parameter_of_scikit_learn_with_its_default(ours, theirs):
    own, expected = ours().get_params(), theirs().get_params()
    assert {name: own.get(name, "missing") for name in expected} == expected


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_positional_parameters_are_those_of_scikit_learn(ours, theirs):
    def positional(estimator):
        parameters = inspect.signature(estimator).parameters.values()
        return [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]

    assert positional(ours) == positional(theirs)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_has_every_fitted_attribute_of_scikit_learn(ours, theirs, early_stopping, iris):
    options = {"max_iter": 2, "early_stopping": early_stopping, "random_state": 0}
    a, b = ours(**options).fit(*iris), theirs(**options).fit(*iris)
    public = [name for name in vars(b) if name.endswith("_") and not name.startswith("_")]
    assert [name for name in public if not hasattr(a, name)] == []
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_"):
        assert getattr(a, name) == getattr(b, name)
    assert (a.best_loss_ is None) == (b.best_loss_ is None)
    assert (a.validation_scores_ is None) == (b.validation_scores_ is None)


@pytest.mark.parametrize("options", SOLVERS, ids=str)
def test_classifier_follows_the_loss_curve_of_scikit_learn(options, targets):
    options = {"max_iter": 10, "random_state": 0, "hidden_layer_sizes": (20, 10), **options}
    theirs = reference.MLPClassifier(**options).fit(*targets)
    ours = MLPClassifier(**options, dtype="float64").fit(*targets)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, atol=1e-9)
    X, _ = targets
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-9)


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("options", SOLVERS[:7], ids=str)
def test_regressor_follows_the_loss_curve_of_scikit_learn(options, n_outputs, loss, diabetes):
    X, y = diabetes
    if loss == "poisson":
        y = np.abs(np.column_stack([y, X])[:, :n_outputs])
        y = y.ravel() if n_outputs == 1 else y
    options = {"max_iter": 10, "random_state": 0, "loss": loss, **options}
    options["learning_rate_init"] = 0.001
    theirs = reference.MLPRegressor(**options).fit(X, y)
    ours = MLPRegressor(**options, dtype="float64").fit(X, y)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, atol=1e-9)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-9)


def test_lbfgs_finds_the_minimum_of_scikit_learn(targets):
    options = {"solver": "lbfgs", "max_iter": 10, "random_state": 0, "hidden_layer_sizes": 10}
    theirs = reference.MLPClassifier(**options).fit(*targets)
    ours = MLPClassifier(**options).fit(*targets)
    assert ours.loss_ == pytest.approx(theirs.loss_, abs=1e-8)
    assert ours.n_iter_ == theirs.n_iter_


def test_sample_weights_mean_the_same_as_in_scikit_learn(digits):
    X, y = digits
    weight = np.random.RandomState(0).uniform(0, 2, len(y))
    options = {"max_iter": 5, "random_state": 0}
    theirs = reference.MLPClassifier(**options).fit(X, y, weight)
    ours = MLPClassifier(**options, dtype="float64").fit(X, y, weight)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, atol=1e-9)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_partial_fit_follows_scikit_learn(kind, iris):
    X, y = iris
    options = {"random_state": 0, "hidden_layer_sizes": 10}
    theirs = getattr(reference, kind.__name__)(**options)
    ours = kind(**options, dtype="float64")
    first = {"classes": [0, 1, 2]} if kind is MLPClassifier else {}
    for rows in np.array_split(np.random.RandomState(0).permutation(len(y)), 10):
        theirs.partial_fit(X[rows], y[rows], **first)
        ours.partial_fit(X[rows], y[rows], **first)
        first = {}
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, atol=1e-9)
    assert (ours.n_iter_, ours.t_) == (theirs.n_iter_, theirs.t_)


def test_warm_start_follows_scikit_learn(iris):
    options = {"random_state": 0, "max_iter": 5, "warm_start": True, "solver": "sgd"}
    theirs = reference.MLPClassifier(**options)
    ours = MLPClassifier(**options, dtype="float64")
    for _ in range(3):
        theirs.fit(*iris)
        ours.fit(*iris)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, atol=1e-9)
    assert len(ours.loss_curve_) == 15
    assert (ours.n_iter_, ours.t_) == (theirs.n_iter_, theirs.t_)


def test_early_stopping_follows_scikit_learn(diabetes):
    options = {"random_state": 0, "early_stopping": True, "learning_rate_init": 0.01}
    theirs = reference.MLPRegressor(**options).fit(*diabetes)
    ours = MLPRegressor(**options, dtype="float64").fit(*diabetes)
    np.testing.assert_allclose(ours.validation_scores_, theirs.validation_scores_, atol=1e-5)
    np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0], atol=1e-6)


def test_tolerance_stops_where_scikit_learn_does(iris):
    options = {"random_state": 0, "tol": 1e-3, "n_iter_no_change": 3, "max_iter": 500}
    theirs = reference.MLPClassifier(**options).fit(*iris)
    ours = MLPClassifier(**options, dtype="float64").fit(*iris)
    assert ours.n_iter_ == theirs.n_iter_ < 500


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_predicts_as_scikit_learn_with_its_weights(activation, targets):
    X, y = targets
    options = {"activation": activation, "hidden_layer_sizes": (20, 10), "max_iter": 3}
    theirs = reference.MLPClassifier(**options).fit(X, y)
    ours = MLPClassifier(**options, dtype="float64").fit(X, y)
    ours.coefs_, ours.intercepts_ = theirs.coefs_, theirs.intercepts_
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-12)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


def test_predicts_as_a_forward_pass_by_hand(targets):
    X, y = targets
    model = MLPClassifier((20, 10), dtype="float64", max_iter=3, random_state=0).fit(X, y)
    values = X
    for coef, intercept in zip(model.coefs_, model.intercepts_):
        logits = values @ coef + intercept
        values = np.maximum(logits, 0)
    activate = expit if model.out_activation_ == "logistic" else (lambda z: softmax(z, axis=1))
    expected = activate(logits)
    np.testing.assert_allclose(model.predict_proba(X)[:, -1], expected[:, -1], atol=1e-12)


def test_single_precision_predicts_close_to_double(digits):
    options = {"max_iter": 5, "random_state": 0}
    single = MLPClassifier(**options).fit(*digits)
    double = MLPClassifier(**options, dtype="float64").fit(*digits)
    X, _ = digits
    np.testing.assert_allclose(single.predict_proba(X), double.predict_proba(X), atol=1e-4)


def test_sparse_input_gives_the_model_of_dense_input(digits):
    X, y = digits
    model = MLPClassifier(max_iter=3, random_state=0).fit(X, y)
    sparse = clone(model).fit(csr_array(X), y)
    np.testing.assert_array_equal(model.predict_proba(X), sparse.predict_proba(csr_array(X)))


@pytest.mark.parametrize("loss", ["absolute_error", "huber"])
def test_robust_losses_ignore_outliers(loss, diabetes):
    X, y = diabetes
    spoilt = y.copy()
    spoilt[::10] += 100
    options = {
        "solver": "lbfgs",
        "activation": "identity",
        "hidden_layer_sizes": (),
        "max_iter": 500,
    }
    robust = MLPRegressor(loss, **options).fit(X, spoilt)
    usual = MLPRegressor("squared_error", **options).fit(X, spoilt)
    assert robust.score(X, y) > 0.4 > usual.score(X, y)


def test_absolute_error_predicts_the_median():
    y = np.array([0.0, 1.0, 2.0, 3.0, 100.0])
    model = MLPRegressor(
        "absolute_error",
        (),
        solver="sgd",
        momentum=0,
        learning_rate="exponential",
        learning_rate_init=0.5,
        max_iter=200,
        n_iter_no_change=np.inf,
        alpha=0,
    ).fit(np.zeros((5, 1)), y)
    np.testing.assert_allclose(model.predict(np.zeros((1, 1))), 2, atol=0.05)
