"""Small changes that mislead a network, and what they are compared with."""

import copy

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from torch import nn

from sknn_basics import ConvNetClassifier, MLPClassifier, MLPRegressor, RNNClassifier
from sknn_basics.displays import AdversarialDisplay
from sknn_basics.inspection import adversarial, universal_perturbation

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

METHODS = ["gradient_sign", "gradient", "deepfool", "optimise"]
DIGITS = load_digits()
X_TRAIN, X_TEST, Y_TRAIN, Y_TEST = train_test_split(
    DIGITS.images / 16, DIGITS.target, random_state=0
)
X_CANCER, Y_CANCER = load_breast_cancer(return_X_y=True)


@pytest.fixture(scope="module")
def convnet():
    return ConvNetClassifier(filters=(16, 32), max_iter=30, random_state=0).fit(X_TRAIN, Y_TRAIN)


@pytest.fixture(scope="module")
def linear():
    X = StandardScaler().fit_transform(X_CANCER)
    model = MLPClassifier((), max_iter=200, random_state=0).fit(X, Y_CANCER)
    return model, X, model.coefs_[0][:, 0], X @ model.coefs_[0][:, 0] + model.intercepts_[0][0]


def sizes(change, norm):
    flat = change.reshape(len(change), -1)
    return np.linalg.norm(flat, axis=1) if norm == "l2" else np.abs(flat).max(axis=1)


def test_every_digit_is_misled_by_a_small_change(convnet):
    X = X_TEST[:100]
    found = adversarial(convnet, X, random_state=0)
    assert found.success.all()
    assert (convnet.predict(found.X_adversarial) != convnet.predict(X)).all()
    assert np.median(found.norm) <= 0.60
    assert found.X_adversarial.min() >= 0
    assert found.X_adversarial.max() <= 1
    np.testing.assert_allclose(sizes(found.X_adversarial - X, "l2"), found.norm, rtol=1e-4)


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_auto_is_not_above_any_method(convnet, norm):
    X = X_TEST[:30]
    auto = adversarial(convnet, X, norm=norm, n_steps=60, random_state=0)
    for method in METHODS:
        alone = adversarial(convnet, X, norm=norm, method=method, n_steps=60, random_state=0)
        assert (auto.norm <= alone.norm).all()


def test_projected_gradients_flip_more_with_a_larger_radius(convnet):
    shares = [
        adversarial(
            convnet, X_TEST[:100], norm="linf", method="gradient", max_norm=radius, n_steps=40
        ).success.mean()
        for radius in (0.1, 0.2)
    ]
    assert shares[0] < shares[1]
    assert shares[1] >= 0.95


def test_noise_of_the_same_size_misleads_few(convnet):
    X = X_TEST[:100]
    found = adversarial(convnet, X, random_state=0)
    noise = np.random.RandomState(0).normal(size=X.shape)
    noise *= (found.norm / sizes(noise, "l2"))[:, None, None]
    assert (convnet.predict(X + noise) != convnet.predict(X)).mean() < 0.1


@pytest.mark.parametrize(("norm", "dual"), [("l2", 2), ("linf", 1)])
def test_the_change_of_a_linear_model_is_the_distance_to_its_hyperplane(linear, norm, dual):
    model, X, weights, logits = linear
    found = adversarial(model, X, norm=norm, random_state=0)
    distance = np.abs(logits) / np.linalg.norm(weights, dual)
    np.testing.assert_allclose(found.norm, distance, rtol=1e-3)


@pytest.mark.parametrize("radius", [0.05, 0.1, 0.2, 0.3])
def test_projected_gradients_are_those_of_foolbox(convnet, radius):
    foolbox = pytest.importorskip("foolbox", reason="compares with foolbox")
    X, classes = torch.tensor(X_TEST, dtype=torch.float32), convnet.predict(X_TEST)
    network = foolbox.PyTorchModel(copy.deepcopy(convnet.module_), (0, 1))
    torch.manual_seed(0)
    attack = foolbox.attacks.LinfPGD(steps=40)
    _, _, success = attack(network, X, torch.tensor(classes), epsilons=radius)
    own = adversarial(
        convnet, X_TEST, norm="linf", method="gradient", max_norm=radius, n_steps=40, random_state=0
    )
    assert abs(own.success.mean() - float(success.float().mean())) < 0.05


def test_attacks_of_foolbox_are_methods(convnet):
    foolbox = pytest.importorskip("foolbox", reason="runs its attacks")
    found = adversarial(convnet, X_TEST[:20], method=foolbox.attacks.L2DeepFoolAttack())
    own = adversarial(convnet, X_TEST[:20], method="deepfool")
    assert found.success.all()
    np.testing.assert_allclose(np.median(found.norm), np.median(own.norm), rtol=0.05)
    assert set(found.method) == {"L2DeepFoolAttack"}


def test_attacks_of_torchattacks_are_methods(convnet):
    torchattacks = pytest.importorskip("torchattacks", reason="runs its attacks")
    attack = torchattacks.FGSM(convnet.module_, eps=0.2)
    found = adversarial(convnet, X_TEST[:20], norm="linf", method=attack, max_norm=0.2)
    assert found.success.mean() > 0.5


def test_a_target_is_reached(convnet):
    X = X_TEST[:20]
    found = adversarial(convnet, X, target=3, n_steps=60, random_state=0)
    assert found.success.all()
    np.testing.assert_array_equal(convnet.predict(found.X_adversarial), 3)
    wanted = (convnet.predict(X) + 1) % 10
    found = adversarial(convnet, X, target=wanted, n_steps=60, random_state=0)
    np.testing.assert_array_equal(convnet.predict(found.X_adversarial), wanted)


def test_none_of_the_first_classes_stays_first(convnet):
    X = X_TEST[:20]
    before, _ = convnet.top_k(X, 3)
    found = adversarial(convnet, X, k=3, n_steps=60, random_state=0)
    assert found.success.all()
    assert not (convnet.predict(found.X_adversarial)[:, None] == before).any()


def test_what_is_misclassified_already_stays_as_it_is(convnet):
    other = (convnet.predict(X_TEST[:5]) + 1) % 10
    found = adversarial(convnet, X_TEST[:5], other)
    np.testing.assert_array_equal(found.X_adversarial, X_TEST[:5])
    np.testing.assert_array_equal(found.norm, 0)


def test_where_nothing_is_found_the_sample_stays(convnet):
    found = adversarial(convnet, X_TEST[:5], max_norm=1e-4, n_steps=5)
    assert not found.success.any()
    np.testing.assert_array_equal(found.X_adversarial, X_TEST[:5])
    np.testing.assert_array_equal(found.norm, np.inf)


def test_changes_of_rows_go_back_through_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(10, max_iter=60, random_state=0))
    pipeline.fit(X_CANCER, Y_CANCER)
    low, high = X_CANCER.min(axis=0), X_CANCER.max(axis=0)
    found = adversarial(pipeline, X_CANCER[:30], bounds=(low, high), n_steps=60, random_state=0)
    flipped = pipeline.predict(found.X_adversarial) != pipeline.predict(X_CANCER[:30])
    np.testing.assert_array_equal(flipped, found.success)
    assert found.success.mean() > 0.9
    assert (found.X_adversarial >= low * (1 - 1e-6) - 1e-6).all()
    assert (found.X_adversarial <= high * (1 + 1e-6) + 1e-6).all()


def test_bytes_stay_in_their_range():
    X = DIGITS.images.astype(np.uint8) * 15
    model = ConvNetClassifier(filters=(4,), preprocessing="unit", max_iter=20, random_state=0)
    model.fit(X, DIGITS.target)
    found = adversarial(model, X[:20], n_steps=60, random_state=0)
    assert found.success.all()
    assert found.X_adversarial.min() >= 0
    assert found.X_adversarial.max() <= 255
    assert np.median(found.norm) > 5


def test_sequences_and_modules_are_misled_too():
    model = RNNClassifier(8, max_iter=10, random_state=0).fit(X_TRAIN, Y_TRAIN)
    found = adversarial(model, X_TEST[:10], method="deepfool")
    np.testing.assert_array_equal(
        model.predict(found.X_adversarial) != model.predict(X_TEST[:10]), found.success
    )
    module = nn.Sequential(nn.Linear(2, 3)).double()
    X = np.random.RandomState(0).normal(size=(20, 2))
    found = adversarial(module, X, random_state=0)
    with torch.no_grad():
        before, after = (
            module(torch.tensor(values)).argmax(1) for values in (X, found.X_adversarial)
        )
    assert found.success.all()
    assert (before != after).all()


def test_the_same_seed_gives_the_same_bits_and_touches_no_state(convnet):
    state = {name: values.clone() for name, values in convnet.module_.state_dict().items()}
    generator = torch.get_rng_state()
    first, second = (
        adversarial(convnet, X_TEST[:5], method="gradient", n_steps=10, random_state=1)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.X_adversarial, second.X_adversarial)
    assert torch.equal(torch.get_rng_state(), generator)
    after = convnet.module_.state_dict()
    assert all(torch.equal(values, after[name]) for name, values in state.items())
    assert all(p.requires_grad and p.grad is None for p in convnet.module_.parameters())


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_one_change_misleads_most(convnet, norm):
    X = X_TEST[:200]
    found = universal_perturbation(convnet, X, norm=norm, share=0.6, n_steps=100)
    assert found.success
    changed = np.clip(X + found.perturbation, 0, 1)
    share = (convnet.predict(changed) != convnet.predict(X)).mean()
    assert share == pytest.approx(found.share, abs=0.011)
    assert share >= 0.59
    assert sizes(found.perturbation[None], norm)[0] == pytest.approx(found.norm, rel=1e-4)
    other = adversarial(convnet, X, norm=norm, method="deepfool")
    assert found.norm > np.median(other.norm)


def test_a_universal_change_that_is_too_small_does_not_succeed(convnet):
    found = universal_perturbation(convnet, X_TEST[:50], max_norm=0.1, n_steps=20)
    assert not found.success
    assert found.norm <= 0.1 * (1 + 1e-5)
    assert found.share < 0.8


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"norm": "l1"}, "norm must be one of"),
        ({"criterion": "best"}, "criterion must be one of"),
        ({"criterion": "target"}, "belong together"),
        ({"method": "magic"}, "method must be"),
        ({"method": 3}, "method must be"),
        ({"bounds": (1, 0)}, "bounds must be"),
        ({"max_norm": -1}, "max_norm"),
        ({"k": 10}, "k must be from 1 to 9"),
        ({"target": 11}, "target has .*11"),
        ({"y": np.zeros(3)}, r"y must have shape \(5,\)"),
    ],
)
def test_bad_arguments_are_named(convnet, options, text):
    with pytest.raises(ValueError, match=text):
        adversarial(convnet, X_TEST[:5], **options)


def test_models_without_classes_are_refused():
    model = MLPRegressor(hidden_layer_sizes=3, max_iter=1, random_state=0)
    model.fit(X_CANCER, Y_CANCER)
    with pytest.raises(ValueError, match="MLPRegressor does not choose one class"):
        adversarial(model, X_CANCER[:5])
    labels = MLPClassifier(3, max_iter=1, random_state=0)
    labels.fit(MinMaxScaler().fit_transform(X_CANCER), np.stack([Y_CANCER, 1 - Y_CANCER], axis=1))
    with pytest.raises(ValueError, match="MLPClassifier does not choose one class"):
        adversarial(labels, X_CANCER[:5])


def test_before_change_and_after_are_drawn_with_their_classes(convnet):
    display = AdversarialDisplay.from_estimator(convnet, X_TEST[0], method="deepfool")
    assert display.before[0][0] == str(convnet.predict(X_TEST[:1])[0])
    assert display.after[0][0] != display.before[0][0]
    assert len(display.before) == 3
    np.testing.assert_allclose(display.changed - display.image, display.perturbation, atol=1e-6)
    assert display.axes_[0].get_xlabel().startswith(display.before[0][0])
