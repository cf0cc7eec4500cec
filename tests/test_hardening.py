"""Training on what misleads a network."""

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import cross_val_score, train_test_split

from sknn_basics import ConvNetClassifier, MLPClassifier, RNNClassifier
from sknn_basics.inspection import adversarial

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

DIGITS = load_digits()
X_TRAIN, X_TEST, Y_TRAIN, Y_TEST = train_test_split(
    DIGITS.images / 16, DIGITS.target, random_state=0
)
X_IRIS, Y_IRIS = load_iris(return_X_y=True)


def accuracy_under_attack(model, radius):
    found = adversarial(
        model, X_TEST, Y_TEST, norm="linf", method="gradient", max_norm=radius, n_steps=20
    )
    return 1 - found.success.mean()


@pytest.mark.slow
def test_a_hardened_network_is_right_more_often_under_attack():
    plain = ConvNetClassifier(filters=(16, 32), max_iter=20, random_state=0)
    hard = clone(plain).set_params(adversarial_training={"radius": 0.15, "n_steps": 4})
    plain.fit(X_TRAIN, Y_TRAIN)
    hard.fit(X_TRAIN, Y_TRAIN)
    assert accuracy_under_attack(hard, 0.15) > accuracy_under_attack(plain, 0.15) + 0.1
    assert hard.score(X_TEST, Y_TEST) > 0.85


def test_the_first_step_of_one_ascent_is_the_gradient_sign():
    options = {"max_iter": 1, "random_state": 0, "shuffle": False, "batch_size": 150}
    attack = {"radius": 0.3, "n_steps": 1, "bounds": None}
    hard = MLPClassifier(5, adversarial_training=attack, **options).fit(X_IRIS, Y_IRIS)
    start = MLPClassifier(5, **options).initialize(X_IRIS, Y_IRIS)
    inputs = torch.tensor(X_IRIS, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(start.module_(inputs), torch.tensor(Y_IRIS))
    worse = X_IRIS + 0.3 * np.sign(torch.autograd.grad(loss, inputs)[0].numpy())
    by_hand = MLPClassifier(5, **options).fit(worse, Y_IRIS)
    np.testing.assert_allclose(hard.coefs_[0], by_hand.coefs_[0], rtol=1e-9)
    assert hard.loss_ == pytest.approx(by_hand.loss_)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_samples_stay_in_the_ball_and_in_the_range_of_X(norm):
    attack = {"radius": 0.5, "norm": norm}
    model = MLPClassifier(5, adversarial_training=attack, max_iter=1, random_state=0)
    model.fit(X_IRIS, Y_IRIS)
    X = torch.tensor(X_IRIS)
    changed = model.net_.worsen(X, torch.tensor(Y_IRIS))
    change = (changed - X).numpy()
    sizes = np.abs(change).max(axis=1) if norm == "linf" else np.linalg.norm(change, axis=1)
    assert 0.4 < sizes.max() <= 0.5 + 1e-9
    assert X_IRIS.min() <= changed.min()
    assert changed.max() <= X_IRIS.max()


def test_the_same_seed_gives_the_same_bits_and_touches_no_state():
    model = RNNClassifier(4, adversarial_training=0.1, max_iter=2, random_state=0)
    generator = torch.get_rng_state()
    first, second = (clone(model).fit(X_TRAIN[:100], Y_TRAIN[:100]) for _ in range(2))
    np.testing.assert_array_equal(first.predict_proba(X_TEST), second.predict_proba(X_TEST))
    assert torch.equal(torch.get_rng_state(), generator)


def test_sequences_of_several_lengths_are_hardened():
    sequences = [image[: 3 + i % 6] for i, image in enumerate(X_TRAIN[:60])]
    for norm in ("linf", "l2"):
        attack = {"radius": 0.1, "norm": norm}
        model = RNNClassifier(4, adversarial_training=attack, max_iter=2, random_state=0)
        assert np.isfinite(model.fit(sequences, Y_TRAIN[:60]).loss_curve_).all()


def test_hardened_networks_are_trained_alone_in_a_stacked_search():
    model = MLPClassifier(4, adversarial_training=0.1, max_iter=3, random_state=0)
    alone = cross_val_score(model, X_IRIS, Y_IRIS, cv=3)
    with joblib.parallel_config(backend="stacked"):
        stacked = cross_val_score(model, X_IRIS, Y_IRIS, cv=3)
    np.testing.assert_array_equal(alone, stacked)


def test_a_warm_start_may_begin_to_harden():
    model = MLPClassifier(5, warm_start=True, max_iter=2, random_state=0).fit(X_IRIS, Y_IRIS)
    model.set_params(adversarial_training=0.2).fit(X_IRIS, Y_IRIS)
    assert np.isfinite(model.loss_)
    model.partial_fit(X_IRIS, Y_IRIS)
    assert model.t_ == 5 * 150


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"adversarial_training": {"norm": "l2"}}, "a dict with a 'radius'"),
        ({"adversarial_training": {"radius": 0.1, "norm": "l1"}}, "'norm' of"),
        ({"adversarial_training": {"radius": 0.1, "steps": 3}}, "adversarial_training must be"),
        ({"adversarial_training": {"radius": 0.1, "bounds": (1, 0)}}, "growing pair"),
        ({"adversarial_training": 0.1, "solver": "lbfgs"}, "solver='lbfgs'"),
    ],
)
def test_what_cannot_harden_is_named(options, text):
    with pytest.raises(ValueError, match=text):
        MLPClassifier(5, max_iter=1, **options).fit(X_IRIS, Y_IRIS)
