"""Losses of the user: classes, objects and functions in place of names."""

import pickle
from functools import partial

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import scale
from torch import nn
from torch.nn import functional as F

from sknn_basics import (
    Autoencoder,
    ConvAutoencoder,
    ConvNetClassifier,
    ConvNetRegressor,
    MLPClassifier,
    MLPRegressor,
    RNNAutoencoder,
    RNNClassifier,
    RNNRegressor,
    VariationalAutoencoder,
)
from sknn_basics.parallel import stacked
from sknn_basics.training.losses import FocalLoss

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SHORT = {"max_iter": 5, "random_state": 0}
X, y = load_diabetes(return_X_y=True)
X, y = scale(X)[:120, :9], scale(y)[:120]
X_IRIS, CLASSES = load_iris(return_X_y=True)
TWO_CLASSES = (CLASSES > 0).astype(int)
WEIGHT = np.arange(150) % 3.0


def shaped(family, X):
    """Give rows the shape that a family expects."""
    if "Conv" in family.__name__:
        return X.reshape(len(X), int(X.shape[1] ** 0.5), -1)
    return X[:, :, np.newaxis] if "RNN" in family.__name__ else X


def half_squared_error(output, target):
    return 0.5 * (output - target).square()


def power_error(output, target, power=2.0):
    return (output - target).abs() ** power


def mean_squared_error(output, target):
    return (output - target).square().mean()


class Expected(nn.Module):
    """A loss of more than one part, with a tensor of its own."""

    def __init__(self, factor: float = 0.5):
        super().__init__()
        self.register_buffer("factor", torch.tensor(factor))

    def forward(self, output, target):
        return self.factor * (output - target).square()


@pytest.mark.parametrize("family", [MLPRegressor, ConvNetRegressor, RNNRegressor])
@pytest.mark.parametrize("weight", [None, WEIGHT[:120]], ids=["", "weighted"])
@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("squared_error", half_squared_error),
        ("squared_error", Expected),
        ("absolute_error", nn.L1Loss),
        ("huber", nn.HuberLoss()),
    ],
)
def test_regressor_with_an_own_loss_equals_the_named_one(family, weight, name, own):
    inputs = shaped(family, X)
    named = family(loss=name, **SHORT).fit(inputs, y, weight)
    model = family(loss=own, **SHORT).fit(inputs, y, weight)
    assert_array_equal(model.predict(inputs), named.predict(inputs))
    assert model.loss_curve_ == named.loss_curve_


@pytest.mark.parametrize("family", [MLPClassifier, ConvNetClassifier, RNNClassifier])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weighted"])
@pytest.mark.parametrize(
    ("name", "own", "target"),
    [
        ("log_loss", nn.CrossEntropyLoss, CLASSES),
        ("cross_entropy", nn.CrossEntropyLoss(), TWO_CLASSES),
        ("log_loss", nn.BCEWithLogitsLoss, TWO_CLASSES),
        ("log_loss", partial(F.cross_entropy, reduction="none"), CLASSES),
        ("focal", FocalLoss(2.0), CLASSES),
        ("log_loss", FocalLoss(0.0), CLASSES),
    ],
)
def test_classifier_with_an_own_loss_equals_the_named_one(family, weight, name, own, target):
    inputs = shaped(family, X_IRIS)
    named = family(loss=name, **SHORT).fit(inputs, target, weight)
    model = family(loss=own, **SHORT).fit(inputs, target, weight)
    assert_allclose(model.predict_proba(inputs), named.predict_proba(inputs), atol=1e-7)
    assert_allclose(model.loss_curve_, named.loss_curve_, rtol=1e-6)


def test_own_loss_of_labels_equals_the_named_one():
    labels = np.column_stack([CLASSES > 0, CLASSES > 1]).astype(int)
    named = MLPClassifier(**SHORT).fit(X_IRIS, labels)
    model = MLPClassifier(loss=nn.BCEWithLogitsLoss, **SHORT).fit(X_IRIS, labels)
    assert_array_equal(model.predict_proba(X_IRIS), named.predict_proba(X_IRIS))


@pytest.mark.parametrize("family", [Autoencoder, ConvAutoencoder, RNNAutoencoder])
@pytest.mark.parametrize("out_activation", ["identity", "logistic"])
def test_autoencoder_with_an_own_loss_equals_the_named_one(family, out_activation):
    inputs = shaped(family, X)
    inputs = (inputs - inputs.min()) / np.ptp(inputs)
    options = {**SHORT, "n_components": 2, "out_activation": out_activation}
    named = family(loss="squared_error", **options).fit(inputs)
    model = family(loss=half_squared_error, **options).fit(inputs)
    assert_array_equal(model.reconstruct(inputs), named.reconstruct(inputs))
    assert model.loss_curve_ == named.loss_curve_


def test_autoencoder_gives_its_loss_samples_in_the_shape_of_X():
    shapes = set()

    def remember(output, target):
        shapes.update([output.shape[1:], target.shape[1:]])
        return half_squared_error(output, target)

    ConvAutoencoder(n_components=2, loss=remember, **SHORT).fit(shaped(ConvAutoencoder, X))
    assert shapes == {(3, 3)}


def test_variational_autoencoder_reads_its_loss_as_a_likelihood():
    options = {**SHORT, "n_components": 2}
    named = VariationalAutoencoder(noise_variance=1.0, loss="squared_error", **options).fit(X)
    model = VariationalAutoencoder(loss=half_squared_error, **options).fit(X)
    assert_array_equal(model.reconstruct(X), named.reconstruct(X))
    constant = 0.5 * X.shape[1] * np.log(2 * np.pi)
    assert_allclose(model.score_samples(X) - constant, named.score_samples(X), rtol=1e-5)


def test_own_loss_is_that_of_bare_torch():
    model = MLPRegressor(
        hidden_layer_sizes=(), loss=nn.SmoothL1Loss(beta=0.5), solver="sgd", momentum=0.0, alpha=0.0
    )
    model.set_params(batch_size=120, shuffle=False, learning_rate_init=0.1, **SHORT)
    model.initialize(X, y)
    network = nn.Linear(9, 1).double()
    network.load_state_dict(
        {
            k: torch.tensor(v.T)
            for k, v in zip(
                ("weight", "bias"), (model.coefs_[0].copy(), model.intercepts_[0].copy())
            )
        }
    )
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(5):
        optimiser.zero_grad()
        F.smooth_l1_loss(network(torch.tensor(X))[:, 0], torch.tensor(y), beta=0.5).backward()
        optimiser.step()
    expected = network(torch.tensor(X))[:, 0].detach().numpy()
    assert_allclose(model.fit(X, y).predict(X), expected, atol=1e-10)


def test_clone_shares_no_loss():
    model = MLPRegressor(loss=Expected(0.5), **SHORT)
    copy = clone(model)
    copy.loss.factor.fill_(2.0)
    assert model.loss.factor == 0.5
    before = model.fit(X, y).predict(X)
    model.loss.factor.fill_(3.0)
    assert model.net_.criterion_.function.factor == 0.5
    assert_array_equal(model.predict(X), before)


@pytest.mark.parametrize("loss", [nn.SmoothL1Loss, Expected(), half_squared_error])
def test_model_with_an_own_loss_is_saved(loss):
    model = MLPRegressor(loss=loss, **SHORT).fit(X, y)
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.predict(X), model.predict(X))
    assert_array_equal(loaded.partial_fit(X, y).predict(X), model.partial_fit(X, y).predict(X))


@pytest.mark.parametrize(
    "loss",
    [nn.SmoothL1Loss, Expected(), half_squared_error, partial(power_error, power=1.5)],
)
def test_fits_with_the_same_own_loss_are_stacked(loss):
    grid = {"alpha": [0.0, 0.1], "learning_rate_init": [0.001, 0.01]}
    search = GridSearchCV(MLPRegressor(loss=loss, **SHORT), grid, cv=2, refit=False)
    alone = search.fit(X, y).cv_results_["mean_test_score"]
    with stacked() as report:
        together = search.fit(X, y).cv_results_["mean_test_score"]
    assert [training.n_fits for training in report.trainings] == [8]
    assert_allclose(together, alone, atol=1e-6)


def test_losses_in_a_grid_are_one_stack():
    grid = {"loss": [nn.L1Loss, nn.SmoothL1Loss(), Expected(0.5), Expected(1.0)]}
    search = GridSearchCV(MLPRegressor(**SHORT), grid, cv=3, refit=False)
    alone = search.fit(X, y).cv_results_["mean_test_score"]
    with stacked() as report:
        together = search.fit(X, y).cv_results_["mean_test_score"]
    assert {(t.way, t.most_at_once) for t in report.trainings} == {("stacked", 12)}
    assert_allclose(together, alone, atol=1e-6)
    assert len(set(alone)) == 4


def test_warm_start_begins_a_new_curve_with_another_loss():
    model = MLPRegressor(loss=nn.L1Loss, warm_start=True, **SHORT).fit(X, y)
    assert len(model.fit(X, y).loss_curve_) == 10
    assert len(model.set_params(loss=nn.SmoothL1Loss).fit(X, y).loss_curve_) == 5


def test_mean_of_a_batch_is_a_loss_without_weights():
    named = MLPRegressor(loss="squared_error", alpha=0.0, **SHORT).fit(X, y)
    model = MLPRegressor(loss=mean_squared_error, alpha=0.0, **SHORT).fit(X, y)
    # Adam does not depend on the scale of the loss.
    assert_allclose(model.predict(X), named.predict(X), atol=1e-4)
    with pytest.raises(ValueError, match="mean_squared_error returns one number .*sample_weight"):
        model.fit(X, y, WEIGHT[:120])


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (nn.NLLLoss, "loss=NLLLoss takes log-probabilities: use torch.nn.CrossEntropyLoss"),
        (nn.GaussianNLLLoss(), "needs variances: use loss='gaussian'"),
        (nn.CTCLoss, r"loss=CTCLoss failed with outputs of shape \(120, 1\)"),
        (dict, "loss=dict must be a torch.nn.Module, if it is a class"),
        (nn.Bilinear, "loss=Bilinear cannot be made without arguments"),
        (lambda o, t: torch.zeros(3), r"must return losses of shape \(n_samples,\).*got \(3,\)"),
        (lambda o, t: (o - t[:, 0]).square(), r"got \(120, 120\)"),
        (lambda o, t: 1.0, "must return a tensor, got float"),
        (lambda o, t: (o.detach() - t).square(), "must be differentiable"),
        (nn.Linear(1, 1), r"has parameters.*requires_grad_\(False\)"),
    ],
)
def test_refuses_what_is_no_loss(loss, message):
    with pytest.raises(ValueError, match=message):
        MLPRegressor(loss=loss, **SHORT).fit(X, y)


def test_classifier_refuses_a_loss_that_does_not_take_classes():
    for loss in (nn.MSELoss, nn.BCEWithLogitsLoss):
        with pytest.raises(
            ValueError, match=rf"loss={loss.__name__} cannot be computed of outputs"
        ):
            MLPClassifier(loss=loss).fit(X_IRIS, CLASSES)
    with pytest.raises(ValueError, match="label_smoothing=0.1 needs loss='log_loss'"):
        MLPClassifier(loss=nn.CrossEntropyLoss, label_smoothing=0.1).fit(X_IRIS, CLASSES)


def test_autoencoder_refuses_a_loss_of_logits():
    with pytest.raises(ValueError, match="loss=BCEWithLogitsLoss takes logits.*'binary_cross_entr"):
        Autoencoder(loss=nn.BCEWithLogitsLoss).fit(X)


def test_refused_loss_keeps_the_model():
    model = MLPRegressor(**SHORT, warm_start=True).fit(X, y)
    before = model.predict(X)
    with pytest.raises(ValueError, match="must return"):
        model.set_params(loss=lambda o, t: torch.zeros(3)).fit(X, y)
    assert_array_equal(model.predict(X), before)


def test_focal_loss_is_its_formula():
    output, index = torch.randn(20, 3, dtype=torch.float64), torch.arange(20) % 3
    p = output.softmax(1)[torch.arange(20), index]
    assert_allclose(FocalLoss(1.5)(output, index), -((1 - p) ** 1.5) * p.log())
    label = (torch.arange(60) % 2).double().reshape(20, 3)
    q = torch.where(label > 0, output.sigmoid(), 1 - output.sigmoid())
    assert_allclose(FocalLoss(1.5)(output, label), (-((1 - q) ** 1.5) * q.log()).sum(1))


def test_focal_loss_needs_classes():
    probabilities = np.random.RandomState(0).dirichlet([1, 1, 1], 150)
    with pytest.raises(ValueError, match="focal loss needs classes or labels"):
        MLPClassifier(loss="focal").fit(X_IRIS, probabilities)
