"""What each parameter does, and what a fitted model tells."""

import inspect
import re
import textwrap

import numpy as np
import pandas as pd
import pytest
import sklearn.neural_network as reference
import torch
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from torch import nn

from sknn_basics import (
    Autoencoder,
    ConvAutoencoder,
    ConvNetClassifier,
    MLPClassifier,
    MLPRegressor,
    RNNClassifier,
    TextGenerator,
    VariationalAutoencoder,
)
from sknn_basics.modules.layers import Dropout
from sknn_basics.training.schedules import StepDecay

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

OPTIONS = {"hidden_layer_sizes": (10,), "max_iter": 4, "random_state": 0}
KINDS = [MLPClassifier, MLPRegressor]
each_kind = pytest.mark.parametrize("kind", KINDS)
each_parameter = pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in KINDS for name in kind().get_params()]
)

# One step on all samples, with no penalty: the weights move by the rate times the gradient.
ONE_STEP = {
    "solver": "sgd",
    "momentum": 0.0,
    "alpha": 0.0,
    "batch_size": 150,
    "max_iter": 1,
    "dtype": "float64",
}
# Such a small rate leaves the initial weights as they are.
NO_STEP = {**ONE_STEP, "learning_rate_init": 1e-300}


def classifier(**options) -> MLPClassifier:
    return MLPClassifier(**{**OPTIONS, **options})


def regressor(**options) -> MLPRegressor:
    return MLPRegressor(**{**OPTIONS, **options})


def weights(model) -> np.ndarray:
    """Read all weights and biases as one vector."""
    return np.concatenate([w.ravel() for w in [*model.coefs_, *model.intercepts_]])


class Batches(Callback):
    """Records the inputs of every training batch, and the outputs of every layer for them."""

    def initialize(self):
        self.inputs, self.outputs = [], {}
        return self

    def on_train_begin(self, net, **kwargs):
        for name, layer in net.module_.named_children():
            layer.register_forward_hook(self.recorder(name))

    def recorder(self, name):
        def record(layer, inputs, output):
            if layer.training:
                self.outputs.setdefault(name, []).append(output.detach().numpy())

        return record

    def on_batch_begin(self, net, batch, training, **kwargs):
        if training:
            self.inputs.append(batch[0].numpy())


@pytest.fixture
def batches():
    return Batches()


# Constructor.


@each_kind
def test_a_misspelt_parameter_raises_in_the_constructor(kind):
    with pytest.raises(TypeError, match="unexpected keyword argument 'drop_out'"):
        kind(drop_out=0.5)


@each_kind
def test_a_misspelt_parameter_raises_in_set_params(kind):
    with pytest.raises(ValueError, match="Invalid parameter 'drop_out' for estimator"):
        kind().set_params(drop_out=0.5)


@each_kind
def test_a_misspelt_parameter_raises_in_a_grid(kind, iris):
    with pytest.raises(ValueError, match="Invalid parameter 'drop_out' for estimator"):
        GridSearchCV(kind(**OPTIONS), {"drop_out": [0.5]}).fit(*iris)


@each_kind
def test_every_parameter_has_a_constraint(kind):
    assert set(kind._parameter_constraints) == set(kind().get_params())


@each_parameter
def test_every_parameter_refuses_an_object_by_its_name(kind, name, iris):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of {kind.__name__} must be"):
        kind(**{name: object()}).fit(*iris)


@each_parameter
def test_the_constructor_only_stores(kind, name):
    value = object()
    model = kind(**{name: value})
    assert getattr(model, name) is value
    assert vars(model).keys() == vars(kind()).keys()


BOUNDS = {
    "alpha": [-1e-9],
    "batch_size": [0, -1, 1.5, "all"],
    "learning_rate_init": [0, -0.1, "usual"],
    "power_t": [-0.1],
    "max_iter": [0, -1, 1.5],
    "shuffle": ["yes", None],
    "tol": [-1e-9],
    "momentum": [-0.1, 1.1],
    "validation_fraction": [-0.1, 1.0],
    "beta_1": [-0.1, 1.0],
    "beta_2": [-0.1, 1.0],
    "epsilon": [0, -1e-9],
    "n_iter_no_change": [0, -1, 1.5, -np.inf],
    "max_fun": [0],
    "dropout": [-0.1, 1.0],
    "normalization": ["group"],
    "max_norm": [0, -1.0],
    "input_noise": [-0.1],
    "label_smoothing": [-0.1, 1.1],
    "adversarial_training": [-0.1, 0.0, "much"],
    "clip_grad_norm": [0, -1.0],
    "compile": [None],
    "cuda_graphs": [None, "auto"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BOUNDS.items() for value in values]
)
def test_a_value_out_of_bounds_raises_by_name(name, value, iris):
    with pytest.raises(ValueError, match=f"(?s)The '{name}' parameter .* must be .* Got"):
        classifier(**{name: value}).fit(*iris)


# repr, clone, get_params.

CHANGED = {
    "hidden_layer_sizes": [5, 4],
    "activation": nn.SiLU,
    "solver": torch.optim.Adagrad,
    "learning_rate": StepDecay(0.1, 3),
    "n_iter_no_change": np.inf,
    "dropout": [0.1, 0.2],
    "callbacks": [("recorder", Callback())],
    "device": torch.device("cpu"),
}


def test_repr_shows_what_is_not_the_default():
    model = MLPClassifier((5,), dropout=0.2, learning_rate=StepDecay(0.1, 3))
    assert repr(model) == (
        "MLPClassifier(dropout=0.2, hidden_layer_sizes=(5,),\n"
        "              learning_rate=StepDecay(factor=0.1, every=3, by_step=False))"
    )


@each_kind
def test_repr_is_the_call_that_makes_the_estimator(kind):
    model = kind(hidden_layer_sizes=(5,), dropout=[0.1], solver="sgd", max_norm=3.0)
    assert eval(repr(model)).get_params() == model.get_params()


@each_kind
def test_a_clone_has_equal_parameters(kind):
    model = kind(**CHANGED)
    copied = clone(model).get_params(deep=False)
    # Callbacks have no equality.
    callbacks = copied.pop("callbacks")
    expected = model.get_params(deep=False)
    assert copied == {k: v for k, v in expected.items() if k != "callbacks"}
    assert [name for name, _ in callbacks] == ["recorder"]


@each_kind
def test_a_clone_is_not_fitted(kind, iris):
    copied = clone(kind(**OPTIONS).fit(*iris))
    assert vars(copied).keys() == vars(kind()).keys()


@each_kind
def test_get_params_is_what_the_constructor_takes(kind):
    parameters = kind(**CHANGED).get_params(deep=False)
    assert kind(**parameters).get_params(deep=False) == parameters


@each_kind
def test_set_params_sets_what_get_params_returns(kind):
    parameters = kind(**CHANGED).get_params()
    assert kind().set_params(**parameters).get_params() == parameters


@each_kind
def test_get_params_does_not_look_into_parameters(kind):
    model = kind(solver=torch.optim.SGD, learning_rate=StepDecay())
    assert model.get_params(deep=True).keys() == model.get_params(deep=False).keys()


# Weights and steps.


def test_weight_init_may_be_a_function(iris):
    def init(weight, *, generator):
        return weight.fill_(0.25)

    model = classifier(**NO_STEP, weight_init=init).fit(*iris)
    np.testing.assert_array_equal(np.concatenate([c.ravel() for c in model.coefs_]), 0.25)
    np.testing.assert_allclose(np.concatenate(model.intercepts_), 0, atol=1e-300)


def test_weight_init_draws_from_the_generator_it_is_given(iris):
    def init(weight, *, generator):
        return weight.normal_(generator=generator)

    models = [classifier(weight_init=init, random_state=seed).fit(*iris) for seed in (0, 0, 1)]
    first, same, other = map(weights, models)
    np.testing.assert_array_equal(first, same)
    assert not np.isclose(first, other).any()


@pytest.mark.parametrize("rate", [0.1, 10.0])
def test_clipping_limits_the_length_of_a_step(rate, iris):
    start = weights(classifier(**NO_STEP).fit(*iris))
    options = {**ONE_STEP, "learning_rate_init": rate}
    clipped = weights(classifier(**options, clip_grad_norm=0.01).fit(*iris))
    assert np.linalg.norm(clipped - start) == pytest.approx(rate * 0.01, rel=1e-4)


def test_clipping_leaves_the_direction_of_a_step(iris):
    start = weights(classifier(**NO_STEP).fit(*iris))
    options = {**ONE_STEP, "learning_rate_init": 0.1}
    step = weights(classifier(**options).fit(*iris)) - start
    clipped = weights(classifier(**options, clip_grad_norm=0.01).fit(*iris)) - start
    np.testing.assert_allclose(
        clipped / np.linalg.norm(clipped), step / np.linalg.norm(step), atol=1e-9
    )


def test_a_short_gradient_is_not_clipped(iris):
    plain = weights(classifier().fit(*iris))
    np.testing.assert_array_equal(weights(classifier(clip_grad_norm=1e6).fit(*iris)), plain)


def test_max_norm_shortens_the_weights_into_each_unit(iris):
    start = classifier(**NO_STEP).fit(*iris).coefs_[0]
    limited = classifier(**NO_STEP, max_norm=0.5).fit(*iris).coefs_[0]
    norms = np.linalg.norm(start, axis=0)
    assert norms.max() > 0.5
    np.testing.assert_allclose(limited, start * np.minimum(1, 0.5 / norms), rtol=1e-5)


def test_max_norm_leaves_short_weights_alone(iris):
    plain = weights(classifier().fit(*iris))
    np.testing.assert_array_equal(weights(classifier(max_norm=1e6).fit(*iris)), plain)


@pytest.mark.parametrize(
    ("solver", "rate"),
    [
        ("sgd", 0.01),
        ("adam", 0.001),
        ("adamw", 0.001),
        ("adamax", 0.002),
        ("nadam", 0.002),
        ("radam", 0.001),
        ("rmsprop", 0.001),
        ("adagrad", 0.01),
        ("adadelta", 1.0),
        (torch.optim.Adamax, 0.002),
    ],
)
def test_an_automatic_rate_is_the_usual_one_of_the_solver(solver, rate, iris):
    model = classifier(solver=solver, learning_rate_init="auto", max_iter=1).fit(*iris)
    assert model.history_["learning_rate"].tolist() == [rate]


def test_a_solver_may_be_a_function(iris):
    def solver(parameters, lr):
        return torch.optim.SGD(parameters, lr=lr, momentum=0.9, nesterov=True)

    by_name = classifier(solver="sgd").fit(*iris)
    np.testing.assert_array_equal(weights(classifier(solver=solver).fit(*iris)), weights(by_name))


@pytest.mark.filterwarnings("default::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("max_fun", [2, 10])
def test_max_fun_ends_lbfgs_where_scikit_learn_does(max_fun, iris):
    options = {**OPTIONS, "solver": "lbfgs", "max_iter": 100, "max_fun": max_fun}
    with pytest.warns(ConvergenceWarning, match="lbfgs failed to converge"):
        ours = MLPClassifier(**options).fit(*iris)
    with pytest.warns(ConvergenceWarning, match="lbfgs failed to converge"):
        theirs = reference.MLPClassifier(**options).fit(*iris)
    assert ours.loss_ == pytest.approx(theirs.loss_, abs=1e-9)
    assert ours.n_iter_ == theirs.n_iter_


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}], ids=str)
def test_infinite_patience_trains_for_all_epochs(options, iris):
    patient = classifier(**options, tol=1e6, n_iter_no_change=np.inf, max_iter=30)
    assert patient.fit(*iris).n_iter_ == 30


# Batches.


def test_without_shuffling_batches_follow_the_order_of_the_data(batches, iris):
    X, y = iris
    classifier(shuffle=False, batch_size=60, callbacks=[batches], max_iter=2).fit(X, y)
    np.testing.assert_allclose(np.concatenate(batches.inputs), np.tile(X, (2, 1)), rtol=1e-6)


def test_shuffling_gives_every_epoch_another_order(batches, iris):
    classifier(batch_size=150, callbacks=[batches], max_iter=3).fit(*iris)
    first, second, third = batches.inputs
    assert not np.array_equal(first, second)
    assert not np.array_equal(second, third)


@pytest.mark.parametrize("shuffle", [False, True])
def test_the_order_of_the_samples_matters_unless_they_are_one_batch(shuffle, iris):
    X, y = iris
    for batch_size, is_equal in ((10, False), (150, True)):
        options = {"shuffle": shuffle, "batch_size": batch_size, "dtype": "float64"}
        forward = classifier(**options).fit(X, y)
        backward = classifier(**options).fit(X[::-1], y[::-1])
        assert np.allclose(weights(forward), weights(backward), atol=1e-9) == is_equal


# What happens in training only.


def test_input_noise_has_its_standard_deviation(batches, digits):
    X, y = digits
    options = {"input_noise": 0.3, "batch_size": 1797, "max_iter": 1, "callbacks": [batches]}
    classifier(**options).fit(X, y)
    noise = batches.outputs["input_noise"][0] - batches.inputs[0]
    assert noise.mean() == pytest.approx(0, abs=0.01)
    assert noise.std() == pytest.approx(0.3, rel=0.01)


def test_input_noise_acts_on_a_linear_network_as_a_penalty():
    # Noise on the inputs of a linear regression is an L2 penalty (Bishop 1995).
    x = np.tile([-1.0, 1.0], 20_000)[:, None]
    model = MLPRegressor(
        hidden_layer_sizes=(), input_noise=1.0, alpha=0.0, solver="sgd", learning_rate="cosine",
        learning_rate_init=0.05, max_iter=5, random_state=0,
    ).fit(x, x[:, 0])  # fmt: skip
    assert model.coefs_[0].item() == pytest.approx(0.5, abs=0.03)


def test_dropout_is_one_share_a_layer(batches, digits):
    options = {"hidden_layer_sizes": (80, 50, 30), "activation": "tanh", "batch_size": 1797}
    dropout = [0.2, 0.0, 0.5]
    classifier(**options, dropout=dropout, max_iter=1, callbacks=[batches]).fit(*digits)
    names = ["hidden1_dropout", "hidden2_activation", "hidden3_dropout"]
    shares = [np.mean(batches.outputs[name][0] == 0) for name in names]
    np.testing.assert_allclose(shares, dropout, atol=0.01)


def test_one_dropout_holds_for_every_layer(iris):
    options = {"hidden_layer_sizes": (8, 8)}
    one = classifier(**options, dropout=0.3).fit(*iris)
    many = classifier(**options, dropout=[0.3, 0.3]).fit(*iris)
    np.testing.assert_array_equal(weights(one), weights(many))


@pytest.mark.parametrize(("normalization", "axis"), [("batch", 0), ("layer", 1)])
def test_normalization_centres_and_scales_what_the_activation_gets(
    normalization, axis, batches, iris
):
    options = {"normalization": normalization, "batch_size": 150, "max_iter": 1}
    classifier(**options, callbacks=[batches]).fit(*iris)
    normalised = batches.outputs["hidden1_normalization"][0]
    np.testing.assert_allclose(normalised.mean(axis=axis), 0, atol=1e-5)
    np.testing.assert_allclose(normalised.std(axis=axis), 1, atol=1e-2)


def test_batch_normalization_predicts_each_sample_alone(iris):
    X, y = iris
    model = classifier(normalization="batch").fit(X, y)
    alone = np.concatenate([model.predict_proba(x[None]) for x in X])
    np.testing.assert_allclose(alone, model.predict_proba(X), rtol=1e-4)


def test_label_smoothing_bounds_the_probability_of_certain_classes():
    X, y = np.tile(np.eye(4), (5, 1)), np.tile(np.arange(4), 5)
    options = {"hidden_layer_sizes": (), "solver": "lbfgs", "alpha": 0.0, "tol": 1e-9}
    model = MLPClassifier(**options, label_smoothing=0.2).fit(X, y)
    expected = 0.8 * np.eye(4) + 0.2 / 4
    np.testing.assert_allclose(model.predict_proba(np.eye(4)), expected, atol=1e-4)


# Class weights.


def test_balanced_weights_are_inverse_to_the_frequencies(iris):
    X, y = iris
    X, y = X[30:], y[30:]
    balanced = classifier(class_weight="balanced").fit(X, y)
    by_hand = classifier().fit(X, y, sample_weight=120 / (3 * np.array([20, 50, 50])[y]))
    np.testing.assert_allclose(weights(balanced), weights(by_hand), rtol=1e-6)


def test_class_weights_multiply_sample_weights(iris):
    X, y = iris
    weight = np.random.RandomState(0).uniform(0.5, 2, 150)
    both = classifier(class_weight={1: 3.0}).fit(X, y, weight)
    product = classifier().fit(X, y, weight * np.where(y == 1, 3.0, 1.0))
    np.testing.assert_array_equal(weights(both), weights(product))


def test_class_weights_of_labels_multiply(iris):
    X, y = iris
    labels = np.column_stack([y > 0, y == 1]).astype(int)
    by_class = classifier(class_weight=[{0: 1.0, 1: 2.0}, {0: 1.0, 1: 5.0}]).fit(X, labels)
    by_sample = classifier().fit(X, labels, np.array([1.0, 10.0, 2.0])[y])
    np.testing.assert_array_equal(weights(by_class), weights(by_sample))


@pytest.mark.parametrize("class_weight", [{0: 1.0, 1: 2.0, 2: 5.0}, {2: 5.0}, {1: 2.0, 2: 5.0}])
def test_a_batch_may_lack_a_class_that_has_a_weight(class_weight, iris):
    X, y = iris
    names = np.array(["setosa", "versicolor", "virginica"])
    class_weight = {names[k]: v for k, v in class_weight.items()}
    weighted = classifier(class_weight=class_weight)
    weighted.partial_fit(X[:100], names[y[:100]], classes=names)
    by_hand = classifier().partial_fit(
        X[:100],
        names[y[:100]],
        [class_weight.get(name, 1.0) for name in names[y[:100]]],
        classes=names,
    )
    np.testing.assert_allclose(weights(weighted), weights(by_hand), rtol=1e-6)


@pytest.mark.parametrize("class_weight", [{2: 5.0}, "balanced"], ids=str)
def test_validation_data_may_lack_a_class_that_has_a_weight(class_weight, iris):
    X, y = iris
    model = classifier(class_weight=class_weight).fit(X, y, X_val=X[:100], y_val=y[:100])
    plain = classifier(class_weight=class_weight).fit(X, y)
    np.testing.assert_array_equal(weights(model), weights(plain))


# Scoring, callbacks, progress.


def test_scoring_is_recorded_every_epoch(diabetes):
    X, y = diabetes
    scores = []

    def scoring(estimator, X, y):
        scores.append(-mean_absolute_error(y, estimator.predict(X)))
        return scores[-1]

    model = regressor(scoring=scoring, early_stopping=True).fit(X, y)
    assert model.validation_scores_ == model.history_["valid_score"].tolist() == scores
    assert len(scores) == 4


def test_scoring_by_name_is_that_scorer_of_scikit_learn(diabetes):
    X, y = diabetes
    model = regressor(scoring="neg_mean_absolute_error").fit(X, y, X_val=X[:100], y_val=y[:100])
    expected = -mean_absolute_error(y[:100], model.predict(X[:100]))
    assert model.validation_scores_[-1] == pytest.approx(expected, rel=1e-6)


def test_callbacks_see_what_the_estimators_own_have_recorded(iris):
    seen = []

    class Reader(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append((net.history[-1, "train_loss"], net.history[-1, "valid_score"]))

    model = classifier(callbacks=[Reader()], early_stopping=True).fit(*iris)
    assert seen == list(zip(model.loss_curve_, model.validation_scores_))


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_verbose_prints_one_line_an_epoch(solver, iris, capsys):
    model = classifier(solver=solver, verbose=True).fit(*iris)
    lines = capsys.readouterr().out.splitlines()
    losses = zip(range(1, 5), model.loss_curve_, strict=True)
    assert lines == [f"Iteration {i}, loss = {loss:.8f}" for i, loss in losses]


def test_verbose_prints_the_validation_score(iris, capsys):
    model = classifier(verbose=True, early_stopping=True).fit(*iris)
    scores = re.findall("[Vv]alidation score[:= ]+(.*)", capsys.readouterr().out)
    np.testing.assert_allclose([*map(float, scores)], model.validation_scores_, atol=1e-6)


def test_verbose_says_why_a_training_stopped(iris, capsys):
    classifier(verbose=True, tol=10, n_iter_no_change=2, max_iter=20).fit(*iris)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == (
        "Training loss did not improve more than tol=10.000000 for 2 consecutive epochs. Stopping."
    )


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_fit_prints_nothing_by_itself(solver, iris, capsys):
    classifier(solver=solver).fit(*iris)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")


# Device, data type, compiler.


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
@pytest.mark.parametrize("device", ["cpu", torch.device("cpu"), "cpu:0"], ids=repr)
def test_the_automatic_device_is_the_cpu_without_cuda(device, iris):
    auto, cpu = classifier().fit(*iris), classifier(device=device).fit(*iris)
    assert next(auto.module_.parameters()).device.type == "cpu"
    np.testing.assert_array_equal(weights(cpu), weights(auto))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_the_automatic_device_is_cuda_where_there_is_one(iris):
    auto, cuda = classifier().fit(*iris), classifier(device="cuda").fit(*iris)
    assert next(auto.module_.parameters()).device.type == "cuda"
    np.testing.assert_array_equal(weights(cuda), weights(auto))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("X_dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_network_has_the_dtype_that_is_asked_for(dtype, X_dtype, solver, iris):
    X, y = iris
    X = X.astype(X_dtype)
    model = classifier(dtype=dtype, solver=solver).fit(X, y)
    arrays = [*model.coefs_, *model.intercepts_]
    assert {str(array.dtype) for array in arrays} == {dtype}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_holds_in_training(dtype, batches, iris):
    classifier(dtype=dtype, callbacks=[batches]).fit(*iris)
    arrays = [array for outputs in batches.outputs.values() for array in outputs]
    assert {str(array.dtype) for array in [*batches.inputs, *arrays]} == {dtype}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_loading_keeps_the_dtype(dtype, iris):
    X, y = iris
    model = regressor(dtype=dtype).partial_fit(X, y)
    assert str(model.partial_fit(X, y).predict(X).dtype) == dtype


def test_a_compiled_network_predicts_the_same(iris):
    X, y = iris
    plain = classifier(dtype="float32").fit(X, y)
    compiled = classifier(dtype="float32", compile=True).fit(X, y)
    np.testing.assert_allclose(compiled.predict_proba(X), plain.predict_proba(X), atol=1e-5)


# What a fitted model tells.


@each_kind
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_history_holds_one_value_an_epoch(solver, kind, iris):
    model = kind(**OPTIONS, solver=solver).fit(*iris)
    shapes = {name: values.shape for name, values in model.history_.items()}
    assert shapes == dict.fromkeys(["train_loss", "learning_rate", "dur"], (4,))


def test_history_of_lbfgs_holds_one_loss_an_iteration(iris):
    model = classifier(solver="lbfgs").fit(*iris)
    assert model.history_["train_loss"].tolist() == model.loss_curve_
    assert len(model.loss_curve_) == model.n_iter_ == 4


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}], ids=str)
def test_history_holds_the_loss_and_the_score_of_validation_data(options, iris):
    X, y = iris
    model = classifier(**options).fit(X, y, X_val=X, y_val=y)
    assert model.history_["valid_score"].tolist() == model.validation_scores_
    assert model.history_["valid_loss"].shape == (4,)


def test_history_holds_the_loss_curve(iris):
    model = classifier().fit(*iris)
    assert model.history_["train_loss"].tolist() == model.loss_curve_


def test_history_holds_the_seconds_of_every_epoch(iris):
    assert (classifier().fit(*iris).history_["dur"] > 0).all()


def test_history_goes_on_in_a_warm_start(iris):
    model = classifier(warm_start=True).fit(*iris)
    first = model.history_["train_loss"]
    model.fit(*iris)
    np.testing.assert_array_equal(model.history_["train_loss"][:4], first)
    assert model.history_["train_loss"].tolist() == model.loss_curve_


def test_changing_the_history_does_not_change_the_model(iris):
    model = classifier().fit(*iris)
    model.history_["train_loss"][:] = 0
    assert model.history_["train_loss"].tolist() == model.loss_curve_


def test_summary_shows_every_layer(iris):
    options = {"hidden_layer_sizes": (5, 3), "normalization": "layer", "dropout": [0.1, 0.0]}
    model = classifier(**options, activation="tanh", input_noise=0.1).fit(*iris)
    rows = [re.split(r"\s{2,}", line) for line in model.summary().splitlines()]
    assert rows[0] == ["layer", "type", "output shape", "activation", "parameters"]
    assert rows[2:-2] == [
        ["input_noise", "GaussianNoise", "(None, 4)", "0"],
        ["hidden1", "Linear", "(None, 5)", "25"],
        ["hidden1_normalization", "LayerNorm", "(None, 5)", "Tanh", "10"],
        ["hidden1_dropout", "Dropout", "(None, 5)", "0"],
        ["hidden2", "Linear", "(None, 3)", "18"],
        ["hidden2_normalization", "LayerNorm", "(None, 3)", "Tanh", "6"],
        ["output", "Linear", "(None, 3)", "12"],
    ]
    assert rows[-2:] == [["trainable parameters: 71"], ["frozen parameters: 0"]]


def test_summary_counts_as_n_parameters(digits):
    model = regressor(hidden_layer_sizes=(30, 20), activation="prelu").fit(*digits)
    # Weights, biases, and one slope a hidden layer.
    assert model.n_parameters_ == 64 * 30 + 30 * 20 + 20 + 30 + 20 + 1 + 2
    assert f"trainable parameters: {model.n_parameters_:,}" in model.summary()


def test_summary_leaves_the_predictions_alone(iris):
    X, y = iris
    model = classifier(normalization="batch", dropout=0.5).fit(X, y)
    expected = model.predict_proba(X)
    model.summary()
    np.testing.assert_array_equal(model.predict_proba(X), expected)


# Documentation.


def section(kind, title: str) -> dict[str, str]:
    """Read one section of a docstring: name -> type and description."""
    text = inspect.getdoc(kind)
    body = re.search(rf"^{title}\n-+\n(.*?)(?=^[^\n]+\n-+\n|\Z)", text, flags=re.S | re.M).group(1)
    parts = re.split(r"^(\w+) : ", textwrap.dedent(body), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


@each_kind
def test_every_parameter_is_documented(kind):
    assert section(kind, "Parameters").keys() == kind().get_params().keys()


@each_parameter
def test_the_documented_default_is_the_default(kind, name):
    documented = section(kind, "Parameters")[name].split("\n")[0]
    default = re.search(r"default=(.*)", documented).group(1)
    assert eval(default) == kind().get_params()[name]


@each_parameter
def test_a_parameter_has_a_description(kind, name):
    _, *description = section(kind, "Parameters")[name].strip().split("\n")
    assert "".join(description).strip().endswith(".")


@each_kind
@pytest.mark.parametrize("options", [{"early_stopping": True}, {"solver": "lbfgs"}], ids=str)
def test_every_fitted_attribute_is_documented(kind, options, iris):
    X, y = iris
    model = kind(**OPTIONS, **options).fit(pd.DataFrame(X, columns=list("abcd")), y)
    attributes = {name for name in dir(model) if name.endswith("_") and not name.startswith("_")}
    assert attributes == section(kind, "Attributes").keys()


@each_kind
def test_every_documented_attribute_is_there_after_a_fit(kind, iris):
    X, y = iris
    model = kind(**OPTIONS).fit(pd.DataFrame(X, columns=list("abcd")), y)
    assert [name for name in section(kind, "Attributes") if not hasattr(model, name)] == []


@each_kind
def test_no_fitted_attribute_is_there_before_a_fit(kind):
    assert [name for name in section(kind, "Attributes") if hasattr(kind(), name)] == []


@each_kind
def test_every_public_method_is_documented(kind):
    undocumented = [
        name
        for name, member in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_") and not inspect.getdoc(member)
    ]
    assert undocumented == []


# Edges of what is allowed.


@pytest.mark.parametrize("name", ["beta_1", "beta_2"])
@pytest.mark.parametrize("solver", ["adam", "adamw", "adamax", "nadam", "radam"])
def test_decay_rates_may_be_the_integer_zero(solver, name, iris):
    as_integer, as_float = (
        classifier(solver=solver, **{name: zero}).fit(*iris).loss_ for zero in (0, 0.0)
    )
    assert as_integer == as_float


@pytest.mark.parametrize("name", ["beta_1", "beta_2"])
def test_a_decay_rate_of_zero_follows_scikit_learn(name, iris):
    options = {"hidden_layer_sizes": (5,), "max_iter": 5, "random_state": 0, name: 0}
    theirs = reference.MLPClassifier(**options).fit(*iris)
    ours = MLPClassifier(**options, dtype="float64").fit(*iris)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, atol=1e-9)


TOO_LARGE = {
    "alpha": (classifier, {"alpha": 1e300}),
    "alpha of lbfgs": (classifier, {"alpha": 1e300, "solver": "lbfgs"}),
    "alpha of adamw": (classifier, {"alpha": 1e10, "solver": "adamw"}),
    "input_noise": (classifier, {"input_noise": 1e300}),
    "epsilon": (classifier, {"epsilon": 1e-300}),
    "power_t": (classifier, {"power_t": 1e300, "solver": "sgd", "learning_rate": "invscaling"}),
    "hidden_layer_sizes": (classifier, {"hidden_layer_sizes": (10**13,)}),
    "frozen_layers": (classifier, {"frozen_layers": [None]}),
    "noise_amount": (Autoencoder, {"noise": "gaussian", "noise_amount": 1e300}),
    "sparsity": (Autoencoder, {"sparsity": 1e300}),
    "beta": (VariationalAutoencoder, {"beta": 1e300}),
    "n_components": (Autoencoder, {"n_components": 10**13}),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", TOO_LARGE)
def test_what_cannot_be_computed_with_raises_by_name(case, iris):
    make, options = TOO_LARGE[case]
    with pytest.raises(ValueError, match=rf"^{case.split()[0]}\b|fit in memory with .*{case}"):
        make(**{"dtype": "float32", **options}).fit(*iris)


def test_init_layers_must_be_names(iris):
    source = FrozenEstimator(classifier().fit(*iris))
    with pytest.raises(ValueError, match="init_layers must hold names of layers, got None"):
        classifier(init_from=source, init_layers=[None]).fit(*iris)


def test_a_penalty_that_throws_weights_out_is_named(iris):
    model = classifier(solver="sgd", alpha=1e12, max_iter=50, dtype="float32")
    with pytest.raises(ValueError, match="diverged.* lower learning_rate_init or alpha"):
        model.fit(*iris)


def test_dropout_of_nearly_all_drops_nearly_all():
    layer = Dropout(1 - 1e-9)
    layer.generator = torch.Generator().manual_seed(0)
    assert (layer(torch.ones(1000)) != 0).sum() < 10


IMAGES = np.zeros((6, 4, 4, 2)), np.arange(6) % 2
FRAMES = np.zeros((6, 3, 8, 8)), np.arange(6) % 2
TOO_WIDE = {
    "kernel of volumes": (
        ConvNetClassifier,
        {"kernel_size": 100, "data_format": "no_channels"},
        IMAGES,
        "kernel_size",
    ),
    "kernel of an autoencoder": (ConvAutoencoder, {"kernel_size": 101}, IMAGES, "kernel_size"),
    "kernel of frames": (
        RNNClassifier,
        {"filters": (4,), "kernel_size": 1000},
        FRAMES,
        "kernel_size",
    ),
    "padding": (ConvNetClassifier, {"padding": 1000}, IMAGES, "padding"),
    "pool": (ConvAutoencoder, {"pool_size": 1000}, IMAGES, "pool_size"),
    "filters": (ConvNetClassifier, {"filters": 10**13}, IMAGES, "filters"),
}


@pytest.mark.parametrize("case", TOO_WIDE)
def test_what_is_much_wider_than_images_raises_by_name(case):
    kind, options, (X, y), name = TOO_WIDE[case]
    with pytest.raises(ValueError, match=name):
        kind(**options).fit(X, y)


def test_small_kernels_fit_on_images_of_any_size():
    X, y = IMAGES
    model = ConvNetClassifier(filters=(2, 2, 2, 2), kernel_size=5, max_iter=1)
    assert model.fit(X[..., 0], y).n_iter_ == 1


@pytest.mark.parametrize("kind", [RNNClassifier, MLPClassifier])
def test_sparse_labels_are_those_of_a_dense_array(kind, iris):
    X, y = iris
    labels = np.eye(3, dtype=int)[y]
    options = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0}
    dense, sparse = (kind(**options).fit(X, form(labels)) for form in (np.asarray, csr_array))
    np.testing.assert_array_equal(sparse.predict_proba(X), dense.predict_proba(X))
    assert sparse.score(X, csr_array(labels)) == dense.score(X, labels)


def test_sparse_classes_of_steps_are_those_of_a_dense_array(digits):
    X = digits[0][:60].reshape(-1, 8, 8)
    y = np.digitize(X.mean(axis=2), [0.2, 0.4])
    options = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0}
    dense, sparse = (RNNClassifier(**options).fit(X, form(y)) for form in (np.asarray, csr_array))
    np.testing.assert_array_equal(sparse.predict(X), dense.predict(X))


def test_a_step_beyond_the_text_makes_one_window_a_text():
    model = TextGenerator(hidden_layer_sizes=(4,), window=5, step=10**30, max_iter=2)
    assert model.fit(["abcabcabcabc", "abcabcabc"]).t_ == 4
