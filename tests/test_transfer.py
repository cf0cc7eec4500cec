"""Freezing layers, and starting from those of another network."""

import pickle

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sknn_basics import ConvNetClassifier, MLPClassifier

OPTIONS = {"hidden_layer_sizes": (8, 6), "max_iter": 3, "dtype": "float32", "random_state": 0}


@pytest.fixture(scope="module")
def source(digits):
    """A network fitted to the digits below five."""
    X, y = digits
    return MLPClassifier(**OPTIONS).fit(X[y < 5], y[y < 5])


def weights(model, layer: str) -> np.ndarray:
    return getattr(model.module_, layer).weight.detach().numpy().copy()


# Starting from another network.


def through_path(source, folder):
    source.save_weights(folder / "weights.npz")
    return folder / "weights.npz"


WAYS = {
    "estimator": lambda source, folder: source,
    "frozen": lambda source, folder: FrozenEstimator(source),
    "pipeline": lambda source, folder: make_pipeline(MinMaxScaler(), source),
    "mapping": lambda source, folder: {
        name: value.numpy() for name, value in source.module_.state_dict().items()
    },
    "path": through_path,
}


@pytest.mark.parametrize("way", WAYS)
def test_all_layers_but_the_output_are_taken(way, source, digits, tmp_path):
    X, y = digits
    model = MLPClassifier(**OPTIONS, init_from=WAYS[way](source, tmp_path)).initialize(X, y)
    for layer in ("hidden1", "hidden2"):
        np.testing.assert_array_equal(weights(model, layer), weights(source, layer))
    assert weights(model, "output").shape == (10, 6)


def test_layers_to_take_are_chosen_by_name(source, digits):
    X, y = digits
    model = MLPClassifier(**OPTIONS, init_from=source, init_layers=["*2"]).initialize(X, y)
    fresh = MLPClassifier(**OPTIONS).initialize(X, y)
    np.testing.assert_array_equal(weights(model, "hidden2"), weights(source, "hidden2"))
    np.testing.assert_array_equal(weights(model, "hidden1"), weights(fresh, "hidden1"))


def test_a_frozen_estimator_survives_a_search(source, digits):
    X, y = digits
    model = MLPClassifier(**OPTIONS, init_from=FrozenEstimator(source), frozen_layers="hidden*")
    search = GridSearchCV(model, {"alpha": [0, 1]}, cv=2).fit(X, y)
    best = search.best_estimator_
    np.testing.assert_array_equal(weights(best, "hidden1"), weights(source, "hidden1"))


def test_an_estimator_that_clone_has_unfitted_is_an_error(source, digits):
    X, y = digits
    model = clone(MLPClassifier(**OPTIONS, init_from=source))
    with pytest.raises(ValueError, match="not fitted.*FrozenEstimator"):
        model.fit(X, y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"hidden_layer_sizes": (8, 7)},
            r"hidden2.weight is \(6, 8\) there, \(7, 8\) here; hidden2.bias is \(6,\)",
        ),
        ({"hidden_layer_sizes": (8,)}, r"hidden2.weight is \(6, 8\) there, missing here"),
        ({"hidden_layer_sizes": (8, 6, 5)}, r"hidden3.weight is missing there, \(5, 6\) here"),
        ({"init_layers": "*"}, r"output.weight is \(5, 6\) there, \(10, 6\) here"),
        ({"init_layers": "block*"}, r"'block\*' matches none of the layers \['hidden1'"),
    ],
)
def test_layers_that_do_not_match_are_named(options, message, source, digits):
    X, y = digits
    with pytest.raises(ValueError, match=message):
        MLPClassifier(**{**OPTIONS, **options}, init_from=source).fit(X, y)


def test_a_source_that_is_no_network_is_named(digits):
    X, y = digits
    with pytest.raises(ValueError, match="must be a neural estimator, got MinMaxScaler|predict"):
        MLPClassifier(init_from=FrozenEstimator(MinMaxScaler())).fit(X, y)


# Freezing.


def test_frozen_layers_keep_their_weights_and_others_learn(source, digits):
    X, y = digits
    model = MLPClassifier(**OPTIONS, frozen_layers="hidden1")
    before = clone(model).initialize(X, y)
    model.fit(X, y)
    np.testing.assert_array_equal(weights(model, "hidden1"), weights(before, "hidden1"))
    assert not np.array_equal(weights(model, "hidden2"), weights(before, "hidden2"))


def test_the_summary_counts_frozen_parameters(digits):
    X, y = digits
    summary = MLPClassifier(**OPTIONS, frozen_layers="hidden1").initialize(X, y).summary()
    assert summary.splitlines()[-1] == f"frozen parameters: {64 * 8 + 8}"


def test_a_penalty_and_a_largest_norm_leave_frozen_layers_alone(digits):
    X, y = digits
    model = MLPClassifier(**OPTIONS, frozen_layers="hidden1", alpha=10.0, max_norm=0.01)
    before = clone(model).initialize(X, y)
    np.testing.assert_array_equal(weights(model.fit(X, y), "hidden1"), weights(before, "hidden1"))


def test_frozen_batch_normalization_keeps_its_statistics(digits):
    X, y = digits
    model = ConvNetClassifier(
        filters=(4, 4), normalization="batch", max_iter=2, frozen_layers="block1*", random_state=0
    ).fit(X, y)
    norms = model.module_.block1_conv1_normalization, model.module_.block2_conv1_normalization
    assert torch.equal(norms[0].running_mean, torch.zeros_like(norms[0].running_mean))
    assert not torch.equal(norms[1].running_mean, torch.zeros_like(norms[1].running_mean))


def test_a_warm_start_thaws(source, digits):
    X, y = digits
    model = MLPClassifier(
        **OPTIONS, init_from=source, frozen_layers="hidden*", warm_start=True
    ).fit(X, y)
    np.testing.assert_array_equal(weights(model, "hidden1"), weights(source, "hidden1"))
    model.set_params(frozen_layers=None, learning_rate_init=1e-4).fit(X, y)
    assert not np.array_equal(weights(model, "hidden1"), weights(source, "hidden1"))
    assert all(parameter.requires_grad for parameter in model.module_.parameters())


def test_partial_fit_freezes_and_thaws_from_call_to_call(digits):
    X, y = digits
    model = MLPClassifier(**OPTIONS).partial_fit(X, y, classes=range(10))
    before = weights(model, "hidden1")
    model.set_params(frozen_layers="hidden1").partial_fit(X, y)
    np.testing.assert_array_equal(weights(model, "hidden1"), before)
    model.set_params(frozen_layers=None).partial_fit(X, y)
    assert not np.array_equal(weights(model, "hidden1"), before)


def test_a_pickle_goes_on_with_frozen_layers(digits):
    X, y = digits
    model = MLPClassifier(**OPTIONS, frozen_layers="hidden1").partial_fit(X, y, classes=range(10))
    loaded = pickle.loads(pickle.dumps(model))
    model.partial_fit(X, y)
    loaded.partial_fit(X, y)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert not loaded.module_.hidden1.weight.requires_grad


def test_a_failed_fit_leaves_frozen_what_was(digits):
    X, y = digits
    model = MLPClassifier(**OPTIONS, frozen_layers="hidden1", warm_start=True).fit(X, y)
    model.set_params(frozen_layers="hidden2", learning_rate_init=1e30, solver="sgd")
    with pytest.raises(ValueError, match="diverged"):
        model.fit(X, y)
    assert not model.module_.hidden1.weight.requires_grad
    assert model.module_.hidden2.weight.requires_grad


def test_stacked_fits_freeze_as_alone(digits):
    X, y = digits
    model = MLPClassifier(**OPTIONS, frozen_layers="hidden1")
    alone = cross_val_score(model, X, y, cv=3)
    with joblib.parallel_config(backend="stacked"):
        np.testing.assert_array_equal(cross_val_score(model, X, y, cv=3), alone)


@pytest.mark.parametrize(
    ("patterns", "message"),
    [("block*", "matches none of the layers"), ("*", "leaves no layer to train")],
)
def test_patterns_that_freeze_nothing_or_all_raise(patterns, message, digits):
    X, y = digits
    with pytest.raises(ValueError, match=message):
        MLPClassifier(**OPTIONS, frozen_layers=patterns).fit(X, y)
