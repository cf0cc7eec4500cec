"""In which precision networks compute, and in which probabilities come."""

import joblib
import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_validate

from sknn_basics import (
    Autoencoder,
    ConvAutoencoder,
    ConvNetClassifier,
    MLPClassifier,
    MLPRegressor,
    RNNAutoencoder,
    RNNClassifier,
    RNNRegressor,
    VariationalAutoencoder,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

FAMILIES = [
    MLPClassifier,
    MLPRegressor,
    ConvNetClassifier,
    RNNClassifier,
    RNNRegressor,
    Autoencoder,
    VariationalAutoencoder,
    ConvAutoencoder,
    RNNAutoencoder,
]
each_family = pytest.mark.parametrize("family", FAMILIES)


def precision(model) -> str:
    """Tell the data type of a fitted network."""
    (dtype,) = {parameter.dtype for parameter in model.module_.parameters()}
    return str(dtype).removeprefix("torch.")


def rows(n_samples: int, n_columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Random rows in [0, 1], and three classes."""
    X = np.random.RandomState(0).uniform(size=(n_samples, n_columns))
    return X, np.arange(n_samples) % 3


# The precision of the network.


@each_family
@pytest.mark.parametrize(("n_columns", "expected"), [(12, "float64"), (36, "float32")])
@pytest.mark.parametrize("n_samples", [6, 3000])
def test_the_number_of_samples_does_not_decide(n_samples, n_columns, expected, family):
    model = family().initialize(*rows(n_samples, n_columns))
    assert precision(model) == expected


@each_family
def test_small_samples_of_a_large_network_are_in_single_precision(family):
    name = "filters" if family in (ConvNetClassifier, ConvAutoencoder) else "hidden_layer_sizes"
    model = family(**{name: (900, 900)}).initialize(*rows(6, 20))
    assert precision(model) == "float32"


def test_a_recurrent_network_over_many_steps_is_in_single_precision():
    model = RNNClassifier((4,)).initialize(*rows(6, 500))
    assert model.n_parameters_ < 200
    assert precision(model) == "float32"


def test_recurrent_networks_count_the_multiplications_of_each_step():
    short, long = (RNNClassifier((80,)).initialize(*rows(6, n)) for n in (15, 30))
    assert [precision(short), precision(long)] == ["float64", "float32"]


@pytest.mark.parametrize("lengths", [(5, 5, 5), (3, 5, 4), (40, 5, 4)])
def test_sequences_in_lists_are_in_single_precision_whatever_their_lengths(lengths):
    X = [np.ones((length, 1)) for length in lengths]
    assert precision(RNNClassifier((4,)).initialize(X, [0, 1, 2])) == "float32"


@pytest.mark.parametrize("container", [np.asarray, csr_array])
@each_family
def test_incremental_and_cold_fits_have_the_same_precision(family, container):
    X, y = rows(60, 12)
    cold, incremental = (family(max_iter=1, tol=0, random_state=0) for _ in range(2))
    cold.fit(container(X), y)
    options = {"classes": [0, 1, 2]} if hasattr(family, "predict_proba") else {}
    incremental.partial_fit(container(X), y, **options)
    assert precision(cold) == precision(incremental) == "float64"
    for name, weight in cold.module_.state_dict().items():
        torch.testing.assert_close(incremental.module_.state_dict()[name], weight, rtol=0, atol=0)


@pytest.mark.parametrize("backend", ["loky", "stacked"])
@pytest.mark.parametrize("n_columns", [12, 36])
def test_folds_have_the_precision_of_the_refitted_model(n_columns, backend):
    X, y = rows(90, n_columns)
    network = MLPClassifier((8,), max_iter=2, random_state=0)
    with joblib.parallel_config(backend=backend, n_jobs=1):
        search = GridSearchCV(network, {"alpha": [0.01]}, cv=3).fit(X, y)
        folds = cross_validate(network, X, y, cv=3, return_estimator=True)["estimator"]
    assert {precision(fold) for fold in folds} == {precision(search.best_estimator_)}


@pytest.mark.parametrize(
    ("device", "expected"), [("cpu", "float64"), ("cuda", "float32"), ("mps", "float32")]
)
def test_only_on_a_processor_small_networks_are_in_double_precision(device, expected, iris):
    model = MLPClassifier((4,)).initialize(*iris)
    assert model._choose_dtype((4,), torch.device(device)) == expected


@pytest.mark.parametrize("options", [{"dtype": "float64"}, {"solver": "lbfgs"}])
def test_double_precision_on_a_device_without_it_raises(options, iris, monkeypatch):
    monkeypatch.setattr(
        "sknn_basics.estimators._base.fit.resolve_device", lambda device: torch.device("mps")
    )
    with pytest.raises(ValueError, match="device='mps' has no float64"):
        MLPClassifier((4,), max_iter=1, device="mps", **options).fit(*iris)


# The precision of probabilities.

NETWORKS = {
    "dense": MLPClassifier((16,), max_iter=4, dtype="float32", random_state=0),
    "convolutional": ConvNetClassifier((4,), (), max_iter=2, dtype="float32", random_state=0),
    "recurrent": RNNClassifier((4,), max_iter=1, dtype="float32", random_state=0),
}
each_network = pytest.mark.parametrize("name", NETWORKS)
ENSEMBLES = {
    "bagging": lambda network: BaggingClassifier(network, 3, random_state=0),
    "soft voting": lambda network: VotingClassifier(
        [("a", network), ("b", network)], voting="soft"
    ),
    "temperature": lambda network: CalibratedClassifierCV(network, method="temperature", cv=2),
    "sigmoid": lambda network: CalibratedClassifierCV(network, method="sigmoid", cv=2),
}


@pytest.mark.filterwarnings("error:The y_prob values do not sum to one")
@pytest.mark.parametrize("backend", ["loky", "stacked"])
@pytest.mark.parametrize("ensemble", ENSEMBLES)
@each_network
def test_probabilities_of_ensembles_sum_to_one(name, ensemble, backend, digits):
    X, y = digits[0][:400], digits[1][:400]
    with joblib.parallel_config(backend=backend, n_jobs=1):
        model = ENSEMBLES[ensemble](NETWORKS[name]).fit(X, y)
    probability = model.predict_proba(X)
    assert np.isfinite(log_loss(y, probability))
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("convert", "expected"),
    [
        (np.asarray, "float64"),
        (lambda X: X.astype("float32"), "float32"),
        (lambda X: X.astype("float16"), "float64"),
        (lambda X: (16 * X).astype("uint8"), "float64"),
        (lambda X: X.tolist(), "float64"),
        (csr_array, "float64"),
        (lambda X: csr_array(X.astype("float32")), "float32"),
        (lambda X: torch.tensor(X, dtype=torch.float32), "float32"),
    ],
    ids=["float64", "float32", "float16", "bytes", "list", "sparse", "sparse32", "tensor"],
)
@pytest.mark.parametrize("n_classes", [2, 10])
@each_network
def test_probabilities_come_in_the_precision_of_X_as_in_scikit_learn(
    name, n_classes, convert, expected, digits
):
    X, y = convert(digits[0][:60]), digits[1][:60] % n_classes
    model = clone(NETWORKS[name]).fit(X, y)
    assert precision(model) == "float32"
    for n_rows in (1, 60):
        assert model.predict_proba(X[:n_rows]).dtype == expected
        assert model.predict_log_proba(X[:n_rows]).dtype == expected


def test_double_precision_that_is_asked_for_stays_for_single_inputs(iris):
    X, y = iris[0].astype("float32"), iris[1]
    model = MLPClassifier((4,), max_iter=1, dtype="float64").fit(X, y)
    assert model.predict_proba(X).dtype == "float64"


def certain(n_classes: int, iris):
    """A network whose logit of the last class is its feature times 1000, and others are 0."""
    model = MLPClassifier((), max_iter=1, dtype="float32", random_state=0)
    model.fit(iris[0][:, :1], iris[1] % n_classes)
    weight = torch.zeros_like(model.module_.output.weight)
    weight[-1] = 1000
    model.module_.output.weight.data.copy_(weight)
    model.module_.output.bias.data.zero_()
    return model


def test_the_logarithm_of_a_probability_of_zero_is_minus_infinity(iris):
    model = certain(3, iris)
    assert model.predict_proba([[1.0]]).tolist() == [[0, 0, 1]]
    assert model.predict_log_proba([[1.0]]).tolist() == [[-np.inf, -np.inf, 0]]


@pytest.mark.parametrize("n_classes", [1, 2, 3])
@each_network
def test_logarithms_are_those_of_the_probabilities(name, n_classes, digits):
    X, y = digits[0][:60], digits[1][:60] % n_classes
    model = clone(NETWORKS[name]).fit(X, y)
    probability = model.predict_proba(X)
    assert probability.shape == (60, n_classes)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), probability, rtol=1e-13)
    np.testing.assert_array_equal(model.predict(X), probability.argmax(axis=1))


def test_probabilities_of_steps_sum_to_one(digits):
    X = digits[0][:60].reshape(-1, 8, 8)
    y = (X.mean(axis=2) * 6).astype(int).clip(0, 2)
    model = RNNClassifier((4,), max_iter=2, dtype="float32", random_state=0).fit(X, y)
    for form in (X, list(X)):
        probability = np.asarray(model.predict_proba(form))
        np.testing.assert_allclose(probability.sum(axis=-1), 1, rtol=0, atol=1e-14)
        logarithms = np.asarray(model.predict_log_proba(form))
        np.testing.assert_allclose(np.exp(logarithms), probability, rtol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_lists_of_sequences_keep_their_precision(dtype, digits):
    X = [x[: 3 + i % 5] for i, x in enumerate(digits[0][:60].reshape(-1, 8, 8).astype(dtype))]
    model = clone(NETWORKS["recurrent"]).fit(X, digits[1][:60])
    assert model.predict_proba(X).dtype == dtype
