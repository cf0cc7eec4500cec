"""Inner layers as features, and networks as plain modules."""

import pickle

import numpy as np
import pytest
import torch
from joblib import Memory
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler
from torch import nn

from sknn_basics import (
    Autoencoder,
    ConvAutoencoder,
    ConvNetClassifier,
    ConvNetRegressor,
    MLPClassifier,
    MLPRegressor,
    RNNClassifier,
    RNNRegressor,
    VariationalAutoencoder,
)
from sknn_basics.inspection import activations
from sknn_basics.preprocessing import NetworkFeatures

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SHORT = {"max_iter": 3, "random_state": 0}
digits = load_digits()
X, y, IMAGES = digits.data[:200] / 16, digits.target[:200], digits.images[:200] / 16


class Counting(nn.ReLU):
    """Count the rows that it is evaluated with."""

    n_rows = 0

    def forward(self, x):
        Counting.n_rows += len(x) * (not self.training and len(x) > 2)
        return super().forward(x)


@pytest.fixture(scope="module")
def backbone():
    return ConvNetClassifier(filters=(4, 6), hidden_layer_sizes=(12,), **SHORT).fit(IMAGES, y)


def test_features_are_what_the_layers_weights_compute():
    model = MLPClassifier((12, 7), **SHORT).fit(X, y)
    hidden = np.maximum(X @ model.coefs_[0] + model.intercepts_[0], 0)
    expected = hidden @ model.coefs_[1] + model.intercepts_[1]
    features = NetworkFeatures(model, layer="hidden2").fit(X)
    assert_allclose(features.transform(X), expected, atol=1e-5)
    assert_allclose(NetworkFeatures(model).fit_transform(X), np.maximum(expected, 0), atol=1e-5)


def test_features_of_images_are_flattened(backbone):
    features = NetworkFeatures(backbone, layer="block1_conv1").fit(IMAGES)
    assert features.shape_ == (4, 4, 4)
    expected = activations(backbone, IMAGES, "block1_conv1")["block1_conv1"]
    assert_array_equal(features.transform(IMAGES), expected.reshape(200, -1))
    assert len(features.get_feature_names_out()) == 64


def test_logistic_regression_on_the_last_features_is_as_good_as_the_network(backbone):
    model = make_pipeline(NetworkFeatures(FrozenEstimator(backbone)), LogisticRegression())
    assert model.fit(IMAGES, y).score(IMAGES, y) >= backbone.score(IMAGES, y)


def test_latents_are_the_features_of_an_autoencoder():
    coder = Autoencoder(n_components=3, hidden_layer_sizes=(8,), **SHORT).fit(X)
    assert_allclose(NetworkFeatures(coder).fit_transform(X), coder.transform(X), atol=1e-6)


def test_features_of_a_pipeline_and_of_a_module():
    pipeline = make_pipeline(MinMaxScaler(), MLPClassifier((5,), **SHORT)).fit(16 * X, y)
    within = NetworkFeatures(pipeline, layer="hidden1").fit_transform(16 * X)
    scaled = pipeline[0].transform(16 * X)
    assert_array_equal(within, NetworkFeatures(pipeline[-1], layer="hidden1").fit_transform(scaled))
    network = nn.Sequential(nn.Linear(64, 5), nn.Tanh()).double()
    expected = network(torch.tensor(X)).detach().numpy()
    assert_allclose(NetworkFeatures(network).fit_transform(X), expected)


def test_a_search_runs_the_network_once_a_fold(tmp_path):
    network = MLPClassifier((8,), activation=Counting, **SHORT).fit(X, y)
    pipeline = Pipeline(
        [
            ("features", NetworkFeatures(FrozenEstimator(network))),
            ("logistic", LogisticRegression()),
        ],
        memory=Memory(tmp_path, verbose=0),
    )
    Counting.n_rows = 0
    search = GridSearchCV(pipeline, {"logistic__C": [0.1, 1.0, 10.0]}, cv=2, refit=False).fit(X, y)
    # Each of the candidates predicts its fold, but the first alone transforms what it is fitted to.
    assert Counting.n_rows == 2 * (100 + 3 * 100)
    assert search.cv_results_["mean_test_score"].min() > 0.2


def test_clone_takes_a_frozen_network_along(backbone):
    features = clone(NetworkFeatures(FrozenEstimator(backbone)))
    loaded = pickle.loads(pickle.dumps(features.fit(IMAGES)))
    assert_array_equal(loaded.transform(IMAGES), features.transform(IMAGES))


def test_features_leave_the_network_alone(backbone):
    before = {name: value.clone() for name, value in backbone.module_.state_dict().items()}
    state = torch.random.get_rng_state()
    NetworkFeatures(backbone).fit_transform(IMAGES)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(before[n], v) for n, v in backbone.module_.state_dict().items())


def test_unknown_layers_are_listed(backbone):
    with pytest.raises(ValueError, match="no layer 'block9'.*The layers are: .*'block2_conv1'"):
        NetworkFeatures(backbone, layer="block9").fit(IMAGES)
    with pytest.raises(ValueError, match="layer must be the name of one layer"):
        NetworkFeatures(backbone, layer=["output"]).fit(IMAGES)
    with pytest.raises(ValueError, match="layer=None needs a network with hidden layers"):
        NetworkFeatures(MLPClassifier((), **SHORT).fit(X, y)).fit(X)
    features = NetworkFeatures(MLPClassifier((5,), **SHORT).fit(X, y)).fit(X)
    with pytest.raises(ValueError, match="63 features, but NetworkFeatures is expecting 64"):
        features.transform(X[:, 1:])


# Plain modules.


@pytest.mark.parametrize(
    ("model", "inputs"),
    [
        (MLPClassifier((5,), **SHORT), X),
        (ConvNetClassifier(filters=(4,), **SHORT), IMAGES),
        (RNNClassifier((5,), **SHORT), IMAGES),
    ],
)
def test_plain_module_has_one_logit_a_class(model, inputs):
    for target in (y, y % 2):
        module = model.fit(inputs, target).to_torch()
        logits = module(torch.tensor(inputs, dtype=torch.float32))
        assert logits.dtype == torch.float32
        assert logits.shape == (200, len(model.classes_))
        assert_allclose(logits.softmax(1).detach(), model.predict_proba(inputs), atol=1e-5)


def test_plain_module_of_labels_has_a_logit_a_label():
    labels = np.column_stack([y > 3, y > 6]).astype(int)
    model = MLPClassifier((5,), **SHORT).fit(X, labels)
    logits = model.to_torch()(torch.tensor(X, dtype=torch.float32))
    assert_allclose(logits.sigmoid().detach(), model.predict_proba(X), atol=1e-5)


def test_plain_module_of_a_regressor_predicts():
    rows, target = load_diabetes(return_X_y=True)
    for loss in ("squared_error", "poisson"):
        model = MLPRegressor(hidden_layer_sizes=(5,), loss=loss, **SHORT).fit(rows, target / 100)
        predicted = model.to_torch()(torch.tensor(rows, dtype=torch.float32))
        assert_allclose(predicted.detach()[:, 0], model.predict(rows), rtol=1e-4)
    model = ConvNetRegressor(filters=(3,), **SHORT).fit(IMAGES, y)
    predicted = model.to_torch()(torch.tensor(IMAGES, dtype=torch.float32))
    assert_allclose(predicted.detach()[:, 0], model.predict(IMAGES), rtol=1e-4)


@pytest.mark.parametrize("family", [Autoencoder, VariationalAutoencoder, ConvAutoencoder])
def test_plain_module_of_an_autoencoder_reconstructs(family):
    inputs = IMAGES if family is ConvAutoencoder else X
    model = family(n_components=3, **SHORT).fit(inputs)
    output = model.to_torch()(torch.tensor(inputs, dtype=torch.float32))
    assert_allclose(output.detach(), model.reconstruct(inputs), atol=1e-5)


def test_plain_module_reads_what_its_estimator_does():
    X_first = np.random.RandomState(0).randn(20, 5, 5)
    model = RNNClassifier((5,), data_format="channels_first", **SHORT).fit(X_first, y[:20])
    logits = model.to_torch()(torch.tensor(X_first, dtype=torch.float32))
    assert_allclose(logits.softmax(1).detach(), model.predict_proba(X_first), atol=1e-5)
    bytes_ = np.round(IMAGES * 255)
    model = ConvAutoencoder(n_components=3, preprocessing="unit", **SHORT).fit(bytes_)
    output = model.to_torch()(torch.tensor(bytes_, dtype=torch.float32))
    assert_allclose(output.detach(), model.reconstruct(bytes_), rtol=1e-4, atol=1e-3)


def test_plain_module_shares_nothing_with_the_model(backbone):
    expected = backbone.predict_proba(IMAGES)
    module = backbone.to_torch()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    assert_array_equal(backbone.predict_proba(IMAGES), expected)


def test_plain_module_begins_each_call_without_a_state():
    model = RNNRegressor(hidden_layer_sizes=(4,), stateful=True, **SHORT).fit(IMAGES, y)
    module, inputs = model.to_torch(), torch.tensor(IMAGES[:5], dtype=torch.float32)
    assert_array_equal(module(inputs).detach(), module(inputs).detach())
    expected = model.reset_states().predict(IMAGES[:5])
    assert_allclose(module(inputs).detach()[:, 0], expected, rtol=1e-5)


def test_captum_explains_a_plain_module(backbone):
    attr = pytest.importorskip("captum.attr")
    module = backbone.to_torch()
    inputs = torch.tensor(IMAGES[:4], dtype=torch.float32)
    layer = module.network.block1_conv1
    outputs = attr.LayerActivation(module, layer).attribute(inputs)
    expected = activations(backbone, IMAGES[:4], "block1_conv1")["block1_conv1"]
    assert_allclose(np.moveaxis(outputs.detach().numpy(), 1, -1), expected, atol=1e-5)
    shares = attr.IntegratedGradients(module).attribute(inputs, target=torch.tensor(y[:4]))
    logits, zero = module(inputs), module(torch.zeros_like(inputs))
    difference = (logits - zero)[torch.arange(4), torch.tensor(y[:4])]
    assert_allclose(shares.flatten(1).sum(1).detach(), difference.detach(), atol=0.05)
