"""Sequences are scaled feature by feature, in the form they come in, by the training rows alone."""

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

from sknn_basics import RNNClassifier, RNNRegressor
from sknn_basics.preprocessing import SequenceScaler

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

LENGTHS = (3, 7, 5, 4)


@pytest.fixture
def sequences():
    rng = np.random.RandomState(0)
    return [rng.normal([100, -3], [20, 0.1], size=(n, 2)) for n in LENGTHS]


def test_each_feature_is_scaled_over_all_steps(sequences):
    steps = np.concatenate(sequences)

    scaled = SequenceScaler().fit_transform(sequences)

    assert [len(s) for s in scaled] == list(LENGTHS)
    np.testing.assert_allclose(np.concatenate(scaled), StandardScaler().fit_transform(steps))


@pytest.mark.parametrize("scaler", [MinMaxScaler(), StandardScaler(with_std=False)])
def test_any_scaler_of_columns_serves(sequences, scaler):
    X = np.stack([s[:3] for s in sequences])

    scaled = SequenceScaler(scaler).fit_transform(X)

    np.testing.assert_allclose(scaled.reshape(-1, 2), scaler.fit_transform(X.reshape(-1, 2)))


def forms():
    """Every form that sequences come in, made of those of three steps."""
    return {
        "array": lambda X: X,
        "list": list,
        "rows": lambda X: X[:, :, 0],
        "list of numbers": lambda X: list(X[:, :, 0]),
        "nested list": lambda X: X.tolist(),
    }


@pytest.mark.parametrize("form", forms())
def test_the_form_is_kept_and_scaled_back(sequences, form):
    X = forms()[form](np.stack([s[:3] for s in sequences]))
    scaler = SequenceScaler().fit(X)

    scaled = scaler.transform(X)

    assert isinstance(scaled, list) == (form in ("list", "list of numbers"))
    assert np.shape(scaled) == np.shape(X)
    np.testing.assert_allclose(np.mean(scaled, axis=(0, 1)), 0, atol=1e-12)
    np.testing.assert_allclose(scaler.inverse_transform(scaled), X)


@pytest.mark.parametrize("is_list", [True, False])
def test_channels_may_be_first(sequences, is_list):
    X = [s[:3] for s in sequences]
    swapped = [s.T for s in X] if is_list else np.stack(X).transpose(0, 2, 1)

    scaled = SequenceScaler(data_format="channels_first").fit_transform(swapped)

    np.testing.assert_allclose(
        np.stack(scaled).transpose(0, 2, 1), SequenceScaler().fit_transform(X)
    )


def test_padding_counts_for_nothing_and_stays(sequences):
    X = np.full((4, 7, 2), np.nan)
    for i, s in enumerate(sequences):
        X[i, : len(s)] = s

    scaled = SequenceScaler().fit_transform(X)

    for i, s in enumerate(SequenceScaler().fit_transform(sequences)):
        np.testing.assert_allclose(scaled[i, : len(s)], s)
        assert np.isnan(scaled[i, len(s) :]).all()


def test_the_scale_is_that_of_the_training_rows(sequences):
    scaler = SequenceScaler().fit(sequences[:2])

    np.testing.assert_allclose(scaler.scaler_.mean_, np.concatenate(sequences[:2]).mean(axis=0))
    assert scaler.transform(sequences[2:])[0].shape == (5, 2)


@pytest.mark.parametrize("network", [RNNClassifier, RNNRegressor])
def test_lists_go_through_a_pipeline_in_a_cross_validation(sequences, network):
    X, y = sequences * 4, np.arange(16) % 2
    model = make_pipeline(SequenceScaler(), network(hidden_layer_sizes=(2,), max_iter=2))

    assert np.isfinite(cross_val_score(model, X, y, cv=2)).all()


def test_a_network_behind_a_scaler_learns_the_same_far_from_zero():
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(40, 6, 1)), rng.normal(size=40)
    network = RNNRegressor(hidden_layer_sizes=(4,), max_iter=5, dtype="float64", random_state=0)
    model = make_pipeline(SequenceScaler(), network)
    near = model.fit(X, y).predict(X)

    far = model.fit(1024 + X / 64, y).predict(1024 + X / 64)

    np.testing.assert_allclose(far, near, rtol=1e-6)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (lambda s: [*s[:-1], s[-1][:, :1]], r"X\[3\] has steps of shape \(1,\)"),
        (lambda s: [*s[:-1], s[-1] * np.nan], "Input X contains NaN"),
        (lambda s: np.full((2, 3, 2), np.inf), "contains infinity"),
        (lambda s: np.ones((2, 3, 4, 4)), "flatten them"),
        (lambda s: [np.ones((2, 4, 4)), np.ones((3, 4, 4))], "flatten them"),
        (lambda s: [s[0], s[1][:0]], r"X\[1\] is empty"),
        (lambda s: [np.array([["a"]]), np.array([["b"], ["c"]])], "strings|convert"),
    ],
)
def test_what_is_no_sequence_of_numbers_is_named(sequences, X, message):
    with pytest.raises(ValueError, match=message):
        SequenceScaler().fit(X(sequences))


def test_other_features_than_in_fit_are_named(sequences):
    scaler = SequenceScaler().fit(sequences)

    with pytest.raises(ValueError, match="steps of 1 features, but .* steps of 2"):
        scaler.transform([s[:, :1] for s in sequences])


@pytest.mark.parametrize("bad", [{"scaler": "minmax"}, {"data_format": "first"}])
def test_bad_parameters_are_named(sequences, bad):
    with pytest.raises(ValueError, match=f"'{next(iter(bad))}' parameter"):
        SequenceScaler(**bad).fit(sequences)


@pytest.mark.parametrize(
    "scaler", [OneHotEncoder(sparse_output=False), SimpleImputer(add_indicator=True)]
)
def test_a_scaler_that_changes_the_features_is_named(scaler):
    X = np.array([[[1.0, 2.0], [2.0, 1.0], [np.nan, np.nan]]])
    with pytest.raises(ValueError, match="must keep the number of features"):
        SequenceScaler(scaler).fit(X)
