"""A fit keeps what it should of the fits before it, and learns from its training data alone."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed, parallel_config
from sklearn.linear_model import LinearRegression
from skorch.callbacks import Callback

from sknn_basics import (
    Autoencoder,
    ConvAutoencoder,
    ConvNetClassifier,
    ConvNetRegressor,
    Forecaster,
    MLPClassifier,
    MLPRegressor,
    RNNAutoencoder,
    RNNClassifier,
    RNNRegressor,
    TextGenerator,
    VariationalAutoencoder,
    VariationalConvAutoencoder,
)
from sknn_basics.preprocessing import PixelScaler, SlidingWindow
from sknn_basics.training.schedules import CosineAnnealing, ExponentialDecay, OneCycle, StepDecay

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

TEXT = "the quick brown fox jumps over the lazy dog. " * 6

# Each family in a small setting.
FAMILIES = {
    "dense": (MLPClassifier, {"hidden_layer_sizes": (10,)}),
    "dense regressor": (MLPRegressor, {"hidden_layer_sizes": (10,)}),
    "convolutional": (ConvNetClassifier, {"filters": (4,), "hidden_layer_sizes": (6,)}),
    "convolutional regressor": (ConvNetRegressor, {"filters": (4,), "hidden_layer_sizes": (6,)}),
    "recurrent": (RNNClassifier, {"hidden_layer_sizes": (6,)}),
    "recurrent regressor": (RNNRegressor, {"hidden_layer_sizes": (6,)}),
    "autoencoder": (Autoencoder, {"hidden_layer_sizes": (10,), "n_components": 3}),
    "variational": (VariationalAutoencoder, {"hidden_layer_sizes": (10,), "n_components": 3}),
    "convolutional autoencoder": (ConvAutoencoder, {"filters": (4,), "n_components": 3}),
    "convolutional variational": (
        VariationalConvAutoencoder,
        {"filters": (4,), "n_components": 3},
    ),
    "recurrent autoencoder": (RNNAutoencoder, {"hidden_layer_sizes": (6,), "n_components": 3}),
    "text": (TextGenerator, {"hidden_layer_sizes": (6,), "window": 8}),
}

EVERY_FAMILY = pytest.mark.parametrize("family", FAMILIES)


def make(family: str, **options):
    kind, own = FAMILIES[family]
    return kind(**{"max_iter": 3, "random_state": 0, **own, **options})


def data_of(family: str, digits) -> tuple:
    X, y = digits[0][:200], digits[1][:200]
    if family == "text":
        return (TEXT,)
    if "autoencoder" in family or "variational" in family:
        return (X if family in ("autoencoder", "variational") else X.reshape(-1, 8, 8),)
    return (X, y) if "dense" in family else (X.reshape(-1, 8, 8), y)


def weights(model) -> np.ndarray:
    return torch.cat([p.detach().ravel() for p in model.module_.parameters()]).numpy(force=True)


def output(model, data: tuple) -> np.ndarray:
    if hasattr(model, "predict_proba"):
        return model.predict_proba(data[0])
    return (model.predict if hasattr(model, "predict") else model.transform)(data[0])


def fit_stacked(models: list, *args) -> list:
    with parallel_config(backend="stacked"):
        return Parallel()(delayed(type(model).fit)(model, *args) for model in models)


# Validation data.


@pytest.fixture(scope="module")
def steps(digits):
    """Digits line by line, with three classes of lines."""
    X = digits[0][:300].reshape(-1, 8, 8)
    return X, np.digitize(X.mean(axis=2), [0.2, 0.4])


def without_class(X, y, label) -> tuple:
    """Take the samples in which no step has a class."""
    rows = (y != label).reshape(len(y), -1).all(axis=1)
    assert 0 < rows.sum() < len(y)
    return X[rows], y[rows]


@EVERY_FAMILY
def test_validation_data_do_not_change_what_is_learnt(family, digits):
    data = data_of(family, digits)
    held = {"X_val": data[0] if family == "text" else data[0][:50]}
    if len(data) == 2:
        held["y_val"] = data[1][:50]
    validated = make(family).fit(*data, **held)
    np.testing.assert_array_equal(weights(validated), weights(make(family).fit(*data)))


@pytest.mark.parametrize("kind", [MLPClassifier, RNNClassifier, ConvNetClassifier])
def test_balanced_classes_are_those_of_the_training_data(kind, digits):
    X, y = digits[0][:200], digits[1][:200]
    X_val, y_val = without_class(X, y, 3)
    options = {"class_weight": "balanced", "max_iter": 3, "random_state": 0}
    model = kind(**options).fit(X, y, X_val=X_val, y_val=y_val)
    np.testing.assert_array_equal(weights(model), weights(kind(**options).fit(X, y)))


@pytest.mark.parametrize("is_stacked", [False, True])
def test_balanced_classes_of_steps_are_those_of_the_training_data(is_stacked, steps):
    X, y = steps
    X_val, y_val = without_class(X, y, 2)
    options = {"hidden_layer_sizes": (6,), "class_weight": "balanced", "max_iter": 4}
    options["dtype"] = "float64"
    models = [RNNClassifier(**options, random_state=seed) for seed in (0, 1)]
    if is_stacked:
        with parallel_config(backend="stacked"):
            models = Parallel()(
                delayed(model.fit)(X, y, X_val=X_val, y_val=y_val) for model in models
            )
    for seed, model in enumerate(models):
        model = model if is_stacked else model.fit(X, y, X_val=X_val, y_val=y_val)
        alone = RNNClassifier(**options, random_state=seed).fit(X, y)
        np.testing.assert_allclose(weights(model), weights(alone), rtol=1e-9, atol=1e-12)


def test_validation_data_are_weighed_as_the_training_data(digits):
    X, y = digits[0][:400], digits[1][:400]
    rare = (y > 0) | (np.arange(400) % 8 == 0)
    X, y = X[rare], y[rare]
    X_val, y_val = digits[0][400:], digits[1][400:]
    model = MLPClassifier(class_weight="balanced", max_iter=2, random_state=0)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    counts = np.bincount(y)
    weight = (len(y) / (10 * counts))[y_val]
    right = model.predict(X_val) == y_val
    assert model.validation_scores_[-1] == pytest.approx(np.average(right, weights=weight))


@pytest.mark.parametrize("call", ["fit", "partial_fit"])
def test_class_weights_end_with_the_parameter(call, steps):
    X, y = steps
    # Without momentum, nothing is left of the first gradients.
    options = {"hidden_layer_sizes": (6,), "max_iter": 1, "random_state": 0, "warm_start": True}
    options |= {"solver": "sgd", "momentum": 0}
    first = {0: 1.0, 1: 1.0, 2: 1.0}
    weighted = RNNClassifier(**options, class_weight={2: 9.0}, learning_rate_init=1e-30).fit(X, y)
    plain = RNNClassifier(**options, class_weight=first, learning_rate_init=1e-30).fit(X, y)
    for model in (weighted, plain):
        getattr(model.set_params(class_weight=None, learning_rate_init=0.01), call)(X, y)
    np.testing.assert_allclose(weights(weighted), weights(plain), rtol=1e-6)


# What a warm start compares.


def stopping(**options) -> MLPClassifier:
    return MLPClassifier(
        **{
            "hidden_layer_sizes": (20,),
            "learning_rate_init": 0.01,
            "early_stopping": True,
            "warm_start": True,
            "random_state": 0,
            **options,
        }
    )


def as_it_is(model):
    return model


def reloaded(model):
    return pickle.loads(pickle.dumps(model))


@pytest.mark.parametrize("store", [as_it_is, reloaded])
def test_another_scoring_is_compared_anew(store, digits):
    X, y = digits[0][:600], digits[1][:600]
    model = store(stopping().fit(X, y))
    before = weights(model)
    model.set_params(scoring="neg_log_loss").fit(X, y)
    assert np.abs(weights(model) - before).max() > 0.01
    assert len(model.validation_scores_) == model.n_iter_
    assert model.best_validation_score_ == max(model.validation_scores_) < 0
    assert np.isnan(model.history_["valid_score"][: -model.n_iter_]).all()


def test_another_scoring_is_compared_anew_in_a_stack(digits):
    X, y = digits[0][:600], digits[1][:600]
    models = [stopping(random_state=seed).fit(X, y) for seed in (0, 1)]
    before = [weights(model) for model in models]
    for model in models:
        model.set_params(scoring="neg_log_loss")
    after = fit_stacked(models, X, y)
    for old, model in zip(before, after):
        assert np.abs(weights(model) - old).max() > 0.01
        assert model.best_validation_score_ < 0


def test_patience_begins_anew_without_early_stopping(digits):
    X, y = digits[0][:600], digits[1][:600]
    model = stopping(max_iter=30).fit(X, y).set_params(early_stopping=False).fit(X, y)
    assert model.n_iter_ == 30
    assert model.loss_curve_[-1] < 0.5 * model.loss_curve_[-30]


def test_early_stopping_does_not_give_back_weights_of_before_a_fit_without_it(digits):
    X, y = digits[0][:600], digits[1][:600]
    model = stopping(max_iter=20).fit(X, y)
    model.set_params(early_stopping=False, learning_rate_init=1.0, max_iter=1).fit(X, y)
    spoilt = weights(model)
    model.set_params(early_stopping=True, learning_rate_init=0.01, max_iter=30).fit(X, y)
    assert np.abs(weights(model) - spoilt).max() > 0
    assert model.best_validation_score_ == max(model.validation_scores_[-model.n_iter_ :])


def test_other_validation_data_are_compared_anew(digits):
    X, y = digits[0][:600], digits[1][:600]
    easy, hard = (X[:100], y[:100]), (X[100:200], (y[100:200] + 1) % 10)
    model = stopping(max_iter=15).fit(X, y, X_val=easy[0], y_val=easy[1])
    before = weights(model)
    model.set_params(max_iter=3).fit(X, y, X_val=hard[0], y_val=hard[1])
    assert len(model.validation_scores_) == 3
    assert np.abs(weights(model) - before).max() > 0


def test_a_warm_start_holds_out_the_same_samples(digits):
    X, y = digits[0][:300], digits[1][:300]
    seen = []

    def scoring(estimator, X_val, y_val):
        seen.append(X_val)
        return 0.0

    stopping(scoring=scoring, max_iter=1).fit(X, y).fit(X, y)
    np.testing.assert_array_equal(*seen)


OTHER_LOSSES = {
    "loss": (MLPRegressor, {"loss": "squared_error"}, {"loss": "absolute_error"}),
    "alpha": (MLPRegressor, {"alpha": 0.0}, {"alpha": 300.0}),
    "dropout": (MLPRegressor, {"dropout": 0.0}, {"dropout": 0.5}),
    "class weights": (MLPClassifier, {"class_weight": None}, {"class_weight": {3: 30.0}}),
    "label smoothing": (MLPClassifier, {"label_smoothing": 0.0}, {"label_smoothing": 0.3}),
    "sparsity": (
        Autoencoder,
        {"n_components": 3, "sparsity": 0.0},
        {"n_components": 3, "sparsity": 10.0},
    ),
}


@pytest.mark.parametrize("store", [as_it_is, reloaded])
@pytest.mark.parametrize("case", OTHER_LOSSES)
def test_the_curve_of_another_loss_begins_anew(case, store, digits):
    kind, first, then = OTHER_LOSSES[case]
    X, y = digits[0][:200], digits[1][:200]
    options = {"hidden_layer_sizes": (10,), "warm_start": True, "random_state": 0, "max_iter": 20}
    model = store(kind(**options, **first).fit(X, y)).set_params(**then).fit(X, y)
    assert len(model.loss_curve_) == model.n_iter_ == 20
    assert model.best_loss_ == min(model.loss_curve_)
    assert len(model.history_["learning_rate"]) == 40


def test_the_curve_of_the_same_loss_goes_on(digits):
    X, y = digits[0][:200], digits[1][:200]
    model = MLPRegressor(hidden_layer_sizes=(10,), warm_start=True, random_state=0, max_iter=5)
    model = model.fit(X, y).fit(X[:100], y[:100]).partial_fit(X[:50], y[:50])
    assert len(model.loss_curve_) == 11


def test_the_best_loss_is_of_the_same_samples(digits):
    X, y = digits[0][:200], digits[1][:200]
    model = MLPRegressor(
        hidden_layer_sizes=(10,), warm_start=True, random_state=0, max_iter=100
    ).fit(X, y)
    # Larger targets have larger losses, which fall nevertheless.
    assert model.fit(X, 30 * y).n_iter_ == 100
    assert model.best_loss_ == min(model.loss_curve_[100:])


def test_patience_goes_on_where_nothing_changed(iris):
    model = MLPClassifier(tol=1.0, n_iter_no_change=5, warm_start=True, random_state=0).fit(*iris)
    assert model.fit(*iris).n_iter_ == 1


def test_a_plateau_is_not_found_in_another_loss(diabetes):
    X, y = diabetes
    model = MLPRegressor(
        learning_rate="reduce_on_plateau", warm_start=True, random_state=0, max_iter=20
    ).fit(X, y)
    model.fit(X, 30 * y)
    np.testing.assert_array_equal(model.history_["learning_rate"], 0.001)


# What a warm start takes.

CHANGES = {
    "dropout": 0.5,
    "recurrent_dropout": 0.5,
    "hidden_dropout": 0.5,
    "input_noise": 0.5,
    "noise": "gaussian",
    "sparsity": 0.5,
    "max_norm": 0.3,
    "hidden_max_norm": 0.3,
    "clip_grad_norm": 1e-3,
    "class_weight": {3: 9.0},
    "label_smoothing": 0.3,
    "alpha": 50.0,
    "beta": 9.0,
    "solver": "sgd",
    "learning_rate": "exponential",
    "learning_rate_init": 0.03,
    "window": 5,
    "target": "last",
}
CASES = [
    (family, name)
    for family, (kind, own) in FAMILIES.items()
    for name in CHANGES
    if name in kind(**own).get_params() and own.get(name) != CHANGES[name]
]


@pytest.mark.parametrize("call", ["fit", "partial_fit"])
@pytest.mark.parametrize(("family", "name"), CASES)
def test_what_leaves_the_weights_alone_may_change(family, name, call, digits):
    data = data_of(family, digits)
    models = [make(family, warm_start=True, learning_rate_init=0.01).fit(*data) for _ in "ab"]
    before = weights(models[0])
    changed, same = models[0].set_params(**{name: CHANGES[name]}), models[1]
    for model in (changed, same):
        getattr(model.set_params(max_iter=2), call)(*data)
    assert not np.array_equal(weights(changed), weights(same))
    # It goes on with the fitted weights; new ones would be others altogether.
    assert np.corrcoef(weights(changed), before)[0, 1] > 0.7
    if family != "text":
        np.testing.assert_array_equal(output(reloaded(changed), data), output(changed, data))


def test_a_warm_start_with_dropout_computes_with_the_fitted_weights(digits):
    X, y = digits[0][:200], digits[1][:200]
    model = MLPClassifier((10,), warm_start=True, random_state=0, max_iter=3).fit(X, y)
    expected = model.predict_proba(X)
    model.set_params(dropout=0.5, learning_rate_init=1e-30, max_iter=1).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    assert "Dropout" in str(model.module_)
    model.set_params(dropout=0.0).fit(X, y)
    assert "Dropout" not in str(model.module_)


def test_a_stack_takes_other_dropout_in_a_warm_start(digits):
    X, y = digits[0][:200], digits[1][:200]
    options = {"hidden_layer_sizes": (10,), "warm_start": True, "max_iter": 2}
    models = [MLPClassifier(**options, random_state=seed).fit(X, y) for seed in (0, 1)]
    before = [weights(model) for model in models]
    for model in models:
        model.set_params(max_norm=0.5, input_noise=0.1)
    for old, model in zip(before, fit_stacked(models, X, y)):
        assert np.linalg.norm(model.coefs_[0], axis=0).max() <= 0.5 + 1e-6
        assert np.corrcoef(weights(model), old)[0, 1] > 0.5


def test_normalization_may_change_where_there_is_nothing_to_normalise(digits):
    X, y = digits
    model = MLPClassifier((), warm_start=True, random_state=0, max_iter=2).fit(X, y)
    assert model.set_params(normalization="batch", activation="tanh").fit(X, y).n_iter_ == 2


def test_frozen_layers_stay_frozen_when_the_network_is_renewed(digits):
    X, y = digits[0][:200], digits[1][:200]
    model = MLPClassifier((10,), random_state=0, frozen_layers="hidden1", max_iter=1).fit(X, y)
    kept = model.coefs_[0].copy()
    model.set_params(dropout=0.3).partial_fit(X, y)
    np.testing.assert_array_equal(model.coefs_[0], kept)


def test_partial_fit_keeps_its_moments_when_dropout_changes(digits):
    X, y = digits[0][:200], digits[1][:200]
    model = MLPClassifier((10,), random_state=0).partial_fit(X, y, classes=range(10))
    optimiser = model.net_.optimizer_
    model.set_params(input_noise=0.1, learning_rate_init=0.02).partial_fit(X, y)
    assert model.net_.optimizer_ is optimiser
    assert model.history_["learning_rate"].tolist() == [0.001, 0.02]


def test_partial_fit_takes_another_solver(digits):
    X, y = digits[0][:200], digits[1][:200]
    model = MLPClassifier((10,), random_state=0).partial_fit(X, y, classes=range(10))
    model.set_params(solver="sgd").partial_fit(X, y)
    assert isinstance(model.net_.optimizer_, torch.optim.SGD)


# Schedules that have ended.


def small_regressor(**options) -> MLPRegressor:
    return MLPRegressor(hidden_layer_sizes=(5,), random_state=0, **options)


def count_on(model, X, y, n_calls: int) -> list:
    """Call `partial_fit`; return the messages of all warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(n_calls):
            model.partial_fit(X, y)
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle", CosineAnnealing(0.1), OneCycle()])
def test_a_schedule_that_has_ended_warns_and_keeps_its_last_rate(schedule, diabetes):
    model = small_regressor(learning_rate=schedule, max_iter=4)
    assert count_on(model, *diabetes, 4) == []
    (message,) = count_on(model, *diabetes, 1)
    assert "schedule has ended after max_iter=4 epochs" in message
    rates = model.history_["learning_rate"]
    assert rates[4] == rates[3]


def test_partial_fit_after_a_whole_schedule_warns(diabetes):
    model = small_regressor(learning_rate="cosine", max_iter=4).fit(*diabetes)
    (message,) = count_on(model, *diabetes, 1)
    assert "keeps its last learning rate, 0" in message


def test_a_rate_that_vanishes_warns(diabetes):
    model = small_regressor(learning_rate=StepDecay(1e-4, every=1), max_iter=2)
    assert len(count_on(model, *diabetes, 4)) == 2


@pytest.mark.parametrize(
    "schedule",
    ["constant", "invscaling", "adaptive", ExponentialDecay(0.5), lambda epoch: 0.01 / (1 + epoch)],
)
def test_a_schedule_without_an_end_says_nothing(schedule, diabetes):
    model = small_regressor(learning_rate=schedule, solver="sgd", max_iter=2)
    assert count_on(model, *diabetes, 6) == []


# Fits that train nothing, or are refused.


@pytest.mark.parametrize("options", [{"solver": "lbfgs"}, {"early_stopping": True}], ids=str)
@EVERY_FAMILY
@pytest.mark.filterwarnings("error")
def test_initialize_trains_nothing(family, options, digits):
    if "solver" in options and family in ("text", "variational", "convolutional variational"):
        pytest.skip("L-BFGS does not fit this family")
    data = data_of(family, digits)
    options = {**options, "dtype": "float64"}
    model = make(family, **options).initialize(*data)
    plain = make(family, dtype="float64").initialize(*data)
    np.testing.assert_array_equal(weights(model), weights(plain))
    assert (model.n_iter_, model.t_, model.loss_curve_) == (0, 0, [])


@pytest.mark.filterwarnings("error")
def test_one_sample_is_enough_to_initialize(digits):
    X, y = digits
    options = {"early_stopping": True, "batch_size": 30, "random_state": 0}
    assert MLPRegressor(**options).initialize(X[:1], y[:1]).predict(X).shape == y.shape


def refuse_missing(model, data):
    X = data[0]
    model.fit([5] if isinstance(X, str) else X * np.nan, *data[1:])


def refuse_lengths(model, data):
    if len(data) == 2:
        model.fit(data[0], data[1][:5])
    else:
        model.fit(data[0], X_clean=data[0][:5])


def refuse_shape(model, data):
    model.fit("ab" if isinstance(data[0], str) else data[0].ravel(), *data[1:])


def refuse_options(model, data):
    model.set_params(callbacks=["no callback"]).fit(*data)


class Raising(Callback):
    def on_epoch_end(self, net, **kwargs):
        raise ValueError("in the midst of training")


def fail_while_training(model, data):
    model.set_params(callbacks=[Raising()]).fit(*data)


@pytest.mark.parametrize(
    "refuse", [refuse_missing, refuse_lengths, refuse_shape, refuse_options, fail_while_training]
)
@EVERY_FAMILY
def test_a_fit_that_fails_keeps_the_model_from_before(family, refuse, digits):
    if family == "text" and refuse is refuse_lengths:
        pytest.skip("texts have no targets")
    data = data_of(family, digits)
    model = make(family, solver="sgd").fit(*data)
    before = {name: value for name, value in vars(model).items() if name.endswith("_")}
    expected = weights(model)
    with pytest.raises((ValueError, TypeError)):
        refuse(model, data)
    after = {name: value for name, value in vars(model).items() if name.endswith("_")}
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before)
    np.testing.assert_array_equal(weights(model), expected)
    if family != "text":
        assert len(output(model, data)) == len(data[0])


def test_a_refused_fit_keeps_names_and_classes(iris):
    pd = pytest.importorskip("pandas")
    X, y = pd.DataFrame(iris[0], columns=list("abcd")), np.array(["x", "y", "z"])[iris[1]]
    model = MLPClassifier((5,), max_iter=2, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full((6, 2), np.nan), [1, 2, 3, 4, 5, 6])
    assert model.feature_names_in_.tolist() == list("abcd")
    assert model.classes_.tolist() == ["x", "y", "z"]
    assert model.n_features_in_ == 4
    assert model.score(X, y) > 0


@pytest.mark.parametrize(
    ("make_model", "good", "bad"),
    [
        (lambda: Forecaster(LinearRegression(), 3), np.arange(20.0), np.arange(2.0)),
        (lambda: Forecaster(LinearRegression(), 3), np.arange(20.0), np.full(20, np.nan)),
        (lambda: Forecaster(LinearRegression(), 3), np.arange(20.0), np.ones((4, 2, 2))),
        (lambda: SlidingWindow(3), np.arange(20.0), np.arange(2.0)),
        (lambda: PixelScaler(), np.ones((4, 2, 2), np.uint8), np.full((4, 3, 3), "a")),
    ],
)
def test_a_refused_fit_keeps_what_no_network_has_learnt(make_model, good, bad):
    model = make_model().fit(good)
    before = dict(vars(model))
    with pytest.raises(ValueError):
        model.fit(bad)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is before[name] for name in before)
