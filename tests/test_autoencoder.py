"""Autoencoders against independent references."""

import pickle
import tracemalloc
import warnings

import joblib
import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier as ReferenceClassifier
from sklearn.neural_network import MLPRegressor as ReferenceRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sknn_basics import Autoencoder, MLPClassifier, from_json

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL = {"hidden_layer_sizes": (20,), "n_components": 3, "max_iter": 3, "random_state": 0}


@pytest.fixture(scope="module")
def images(digits):
    X, _ = digits
    return X[:300]


def small(**parameters):
    return Autoencoder(**{**SMALL, **parameters})


# What is minimised.


def test_follows_the_loss_curve_of_a_perceptron_that_learns_its_inputs(images):
    options = {"max_iter": 5, "random_state": 0, "batch_size": 64}
    theirs = ReferenceRegressor(hidden_layer_sizes=(20, 8, 20), **options).fit(images, images)
    ours = Autoencoder(
        (20,), 8, latent_activation="relu", loss="squared_error", dtype="float64", **options
    ).fit(images)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, atol=1e-9)
    np.testing.assert_allclose(ours.reconstruct(images), theirs.predict(images), atol=1e-9)


def test_cross_entropy_is_that_of_a_perceptron_that_learns_its_inputs(images):
    X = (images > 0.5).astype(int)
    X = X[:, X.any(axis=0) & ~X.all(axis=0)]
    options = {"max_iter": 5, "random_state": 0, "alpha": 0}
    theirs = ReferenceClassifier(hidden_layer_sizes=(20, 8, 20), **options).fit(X, X)
    ours = Autoencoder((20,), 8, latent_activation="relu", dtype="float64", **options).fit(X)
    assert ours.out_activation_ == "logistic"
    expected = np.array(theirs.loss_curve_) / X.shape[1]
    np.testing.assert_allclose(ours.loss_curve_, expected, atol=1e-9)
    np.testing.assert_allclose(ours.reconstruct(X), theirs.predict_proba(X), atol=1e-9)


@pytest.mark.parametrize("n_components", [2, 5])
def test_linear_autoencoder_spans_the_subspace_of_pca(images, n_components):
    pca = PCA(n_components).fit(images)
    linear = Autoencoder(
        (),
        n_components,
        loss="squared_error",
        solver="lbfgs",
        alpha=0,
        tol=1e-7,
        max_iter=2000,
        random_state=0,
    ).fit(images)
    error = np.square(images - pca.inverse_transform(pca.transform(images))).mean()
    assert -linear.score(images) == pytest.approx(error, rel=1e-4)
    directions = linear.module_.decoder.output.weight.numpy(force=True)
    assert np.rad2deg(subspace_angles(directions, pca.components_.T).max()) < 1


def test_sparsity_adds_the_absolute_latents_to_the_loss(images):
    model = small(sparsity=0.3, alpha=0, solver="sgd", learning_rate_init=1e-12, dtype="float64")
    model.set_params(max_iter=1, loss="squared_error").fit(images)
    error = 0.5 * np.square(model.reconstruct(images) - images).sum(axis=1)
    penalty = 0.3 * np.abs(model.transform(images)).sum(axis=1)
    assert model.loss_ == pytest.approx((error + penalty).mean() / 64, rel=1e-6)


def test_sparsity_makes_latents_smaller(images):
    dense, sparse = (small(sparsity=s, max_iter=30).fit(images) for s in (0.0, 1.0))
    assert np.abs(sparse.transform(images)).mean() < np.abs(dense.transform(images)).mean() / 2


def test_tied_decoder_has_the_transposed_weights_of_the_encoder(images):
    model = small(tied_weights=True, loss="squared_error", dtype="float64").fit(images)
    encoder, decoder = model.module_.encoder, model.module_.decoder
    hidden = np.maximum(
        model.transform(images) @ encoder.output.weight.numpy(force=True)
        + decoder.hidden1.bias.numpy(force=True),
        0,
    )
    expected = hidden @ encoder.hidden1.weight.numpy(force=True)
    expected += decoder.output.bias.numpy(force=True)
    np.testing.assert_allclose(model.reconstruct(images), expected, atol=1e-12)
    assert model.n_parameters_ == 64 * 20 + 20 + 20 * 3 + 3 + 20 + 64


@pytest.mark.parametrize(
    ("parameters", "low", "activation"),
    [
        ({}, 0, "logistic"),
        ({}, -1, "identity"),
        ({"loss": "squared_error"}, 0, "identity"),
        ({"loss": "squared_error", "out_activation": "logistic"}, 0, "logistic"),
        ({"out_activation": "identity"}, 0, "identity"),
    ],
)
def test_the_range_of_the_data_decides_the_output(images, parameters, low, activation):
    model = small(**parameters).fit(images + low)
    assert model.out_activation_ == activation
    if activation == "logistic":
        reconstruction = model.reconstruct(images)
        assert 0 < reconstruction.min() < reconstruction.max() < 1


# Noise.


def test_masking_sets_a_share_of_the_values_to_zero(images):
    layer = small(noise="mask", noise_amount=0.3).fit(images).module_.noise.train()
    noisy = layer(torch.ones(300, 64))
    assert set(noisy.unique().tolist()) == {0.0, 1.0}
    assert (noisy == 0).double().mean() == pytest.approx(0.3, abs=0.02)


def test_gaussian_noise_stays_in_the_range_of_the_inputs(images):
    layer = small(noise="gaussian", noise_amount=5.0).fit(images).module_.noise.train()
    noisy = layer(torch.tensor(images))
    assert (noisy.min(), noisy.max()) == (0, 1)


def test_denoising_reconstructs_noisy_images_better(digits):
    X, _ = digits
    noisy = np.clip(X + np.random.RandomState(0).normal(0, 0.5, X.shape), 0, 1)
    options = {"hidden_layer_sizes": (64,), "n_components": 20, "max_iter": 30, "random_state": 0}
    plain = Autoencoder(**options).fit(X)
    denoising = Autoencoder(noise="gaussian", noise_amount=0.5, **options).fit(X)
    assert denoising.score(noisy, X) > plain.score(noisy, X)


def test_predicts_without_noise(images):
    model = small(noise="gaussian").fit(images)
    np.testing.assert_array_equal(model.transform(images), model.transform(images))


# What y is.


def test_labels_are_ignored(digits):
    X, y = digits
    expected = small().fit(X).transform(X)
    for labels in (y, y.astype(str), list(y)):
        np.testing.assert_array_equal(small().fit(X, labels).transform(X), expected)


def test_y_with_the_shape_of_X_is_the_target(images):
    model = small(loss="squared_error", max_iter=40, learning_rate_init=0.01)
    model.fit(images, 1 - images)
    assert model.score(images, 1 - images) > 2 * model.score(images)


def test_y_that_equals_X_is_the_same_as_none(images):
    expected = small().fit(images).loss_curve_
    assert small().fit(images, images.copy()).loss_curve_ == expected


@pytest.mark.parametrize("shape", [(300, 1), (300, 63), (300, 8, 8)])
def test_y_of_another_shape_raises(images, shape):
    with pytest.raises(ValueError, match=r"y must have the shape of X, \(300, 64\)"):
        small().fit(images, np.zeros(shape))
    with pytest.raises(ValueError, match="y must have the shape of X"):
        small().fit(images).score(images, np.zeros(shape))


def test_y_of_another_length_raises(images):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        small().fit(images, np.zeros(299))


def test_clean_samples_must_be_finite(images):
    y = images.copy()
    y[3, 2] = np.nan
    with pytest.raises(ValueError, match="Input y contains NaN"):
        small().fit(images, y)


# Transforming.


def test_reconstruct_is_the_inverse_of_transform(images):
    model = small().fit(images)
    expected = model.reconstruct(images)
    np.testing.assert_array_equal(model.inverse_transform(model.transform(images)), expected)


def test_score_is_the_negative_mean_squared_error(images):
    model = small().fit(images)
    errors = np.square(images - model.reconstruct(images)).mean(axis=1)
    np.testing.assert_allclose(model.score_samples(images), -errors, rtol=1e-5)
    weight = np.arange(300.0)
    assert model.score(images) == pytest.approx(-errors.mean())
    expected = -np.average(errors, weights=weight)
    assert model.score(images, sample_weight=weight) == pytest.approx(expected)


def test_score_samples_tells_images_from_noise(digits):
    X, _ = digits
    model = Autoencoder((64,), 10, max_iter=30, random_state=0).fit(X)
    noise = np.random.RandomState(0).uniform(size=(100, 64))
    assert model.score_samples(noise).max() < np.quantile(model.score_samples(X), 0.01)


def test_latents_have_names(images):
    frame = small().set_output(transform="pandas").fit_transform(images)
    assert list(frame.columns) == ["autoencoder0", "autoencoder1", "autoencoder2"]


def test_works_before_a_classifier(digits):
    X, y = digits
    model = make_pipeline(
        MinMaxScaler(),
        Autoencoder((64,), 10, max_iter=30, random_state=0),
        StandardScaler(),
        MLPClassifier(random_state=0, max_iter=50),
    )
    assert model.fit(X[:1000], y[:1000]).score(X[1000:], y[1000:]) > 0.8


def test_ends_a_pipeline_that_is_inverted(images):
    model = make_pipeline(MinMaxScaler(), small()).fit(16 * images)
    Z = model.transform(16 * images)
    assert model.inverse_transform(Z).shape == images.shape
    assert np.isfinite(model.score(16 * images))


def test_search_finds_the_number_of_latents_that_reconstructs_best(digits):
    X, y = digits
    search = GridSearchCV(Autoencoder((32,), max_iter=20, random_state=0), {"n_components": [1, 8]})
    assert search.fit(X[:500], y[:500]).best_params_ == {"n_components": 8}


def test_search_on_the_stacked_backend_has_the_same_scores(images):
    search = GridSearchCV(small(), {"alpha": [1e-4, 1.0], "noise": [None, "mask"]}, cv=2)
    expected = clone(search).fit(images).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend="stacked"):
        scores = search.fit(images).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(scores, expected)


def test_early_stopping_watches_the_reconstruction_error(images):
    model = small(early_stopping=True, max_iter=4).fit(images)
    assert len(model.validation_scores_) == 4
    assert model.validation_scores_[-1] == pytest.approx(model.score(images), rel=0.2)


def test_validates_on_given_data_with_and_without_clean_samples(images):
    first, second = images[:200], images[200:]
    model = small().fit(first, X_val=second)
    np.testing.assert_allclose(model.validation_scores_[-1], model.score(second), rtol=1e-5)
    model = small().fit(first, X_val=second, y_val=1 - second)
    np.testing.assert_allclose(
        model.validation_scores_[-1], model.score(second, 1 - second), rtol=1e-5
    )
    with pytest.raises(ValueError, match="y_val needs X_val"):
        small().fit(first, y_val=second)


# What X is.


@pytest.mark.parametrize("kind", [csr_array, torch.tensor, list], ids=["sparse", "torch", "list"])
def test_takes_X_of_any_kind(images, kind):
    expected = small().fit(images)
    model = small().fit(kind(images))
    np.testing.assert_array_equal(model.transform(kind(images)), expected.transform(images))
    np.testing.assert_allclose(model.score(kind(images)), expected.score(images))


def test_takes_sparse_clean_samples(images):
    expected = small(early_stopping=True).fit(images, 1 - images)
    model = small(early_stopping=True).fit(csr_array(images), csr_array(1 - images))
    np.testing.assert_array_equal(model.transform(images), expected.transform(images))


@pytest.mark.parametrize("is_denoising", [False, True])
def test_neither_bytes_nor_targets_are_copied_whole(tmp_path, digits, is_denoising):
    X, _ = digits
    X = np.tile(X > 0.5, (10, 12)).astype(np.uint8)
    X.tofile(tmp_path / "X")
    X = np.memmap(tmp_path / "X", np.uint8, "r", shape=X.shape)
    y = np.memmap(tmp_path / "X", np.uint8, "r", shape=X.shape) if is_denoising else None
    model = small(max_iter=1, dtype="float32")
    tracemalloc.start()
    try:
        model.fit(X, y).score(X, y)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # NumPy's memory: in single precision, X alone is four times as large as its bytes.
    assert peak < X.nbytes


def test_partial_fit_keeps_the_output_of_the_first_call(images):
    model = small().partial_fit(images - 0.5)
    assert model.partial_fit(images).out_activation_ == "identity"
    model = small().partial_fit(images)
    with pytest.raises(ValueError, match=r"values in \[0, 1\].* from -0.5 to 0.5"):
        model.partial_fit(images - 0.5)


def test_warm_start_goes_on_where_the_last_fit_ended(images):
    model = small(warm_start=True, noise="gaussian").fit(images).fit(images)
    assert len(model.loss_curve_) == 6


# Saving.


@pytest.mark.parametrize("parameters", [{}, {"tied_weights": True}, {"noise": "gaussian"}], ids=str)
def test_pickled_model_has_the_same_latents(images, parameters):
    model = small(**parameters).fit(images)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.transform(images), model.transform(images))
    np.testing.assert_array_equal(loaded.reconstruct(images), model.reconstruct(images))


def test_architecture_and_weights_make_the_same_model(images, tmp_path):
    model = small(noise="gaussian", sparsity=0.1).fit(images)
    model.save_weights(tmp_path / "weights.npz")
    loaded = from_json(model.to_json()).load_weights(tmp_path / "weights.npz")
    np.testing.assert_array_equal(loaded.reconstruct(images), model.reconstruct(images))


@pytest.mark.parametrize("noise", [None, "gaussian", "mask"])
def test_same_seed_gives_the_same_bits(images, noise):
    state = torch.get_rng_state(), np.random.get_state()[1].copy()
    first, second = (small(noise=noise).fit(images).transform(images) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (torch.get_rng_state() == state[0]).all()
    assert (np.random.get_state()[1] == state[1]).all()


# Bad input.


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_components": 0}, "'n_components' parameter"),
        ({"noise": "salt"}, "'noise' parameter"),
        ({"noise": "gaussian", "noise_amount": -0.1}, "'noise_amount' parameter"),
        ({"noise": "mask", "noise_amount": 1.0}, r"noise_amount in \[0, 1\)"),
        ({"sparsity": -1}, "'sparsity' parameter"),
        ({"decoder_layer_sizes": (3, 0)}, "decoder_layer_sizes must be integers > 0"),
        ({"decoder_layer_sizes": (3,), "tied_weights": True}, "decoder_layer_sizes must be None"),
        ({"loss": "binary_cross_entropy", "out_activation": "identity"}, "out_activation"),
        ({"solver": "lbfgs", "noise": "mask"}, "solver='lbfgs' does not work with noise=mask"),
        ({"dropout": [0.1, 0.2, 0.3]}, "one for each of the 2 hidden layers"),
        ({"scoring": "r2"}, "'scoring' parameter"),
    ],
    ids=str,
)
def test_wrong_parameters_raise(images, parameters, message):
    with pytest.raises(ValueError, match=message):
        small(**parameters).fit(images)


@pytest.mark.parametrize(
    "parameters", [{"loss": "binary_cross_entropy"}, {"out_activation": "logistic"}]
)
def test_logistic_output_needs_values_that_it_can_reconstruct(images, parameters):
    with pytest.raises(ValueError, match=r"values in \[0, 1\].* from 0 to 16"):
        small(**parameters).fit(16 * images)


@pytest.mark.parametrize("Z", [np.zeros((2, 4)), np.zeros(3), np.full((2, 3), np.nan), [["a"] * 3]])
def test_wrong_latents_raise(images, Z):
    with pytest.raises(ValueError):
        small().fit(images).inverse_transform(Z)


def test_images_must_be_flattened(images):
    with pytest.raises(ValueError, match="flatten"):
        small().fit(images.reshape(-1, 8, 8))


def test_encodes_one_sample(images):
    assert small().fit(images[:1]).transform(images[:1]).shape == (1, 3)


def test_has_no_predict():
    assert not hasattr(Autoencoder(), "predict")


def test_large_values_do_not_end_in_latents_that_are_not_finite(images):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        with pytest.raises(ValueError, match="diverged|too large"):
            small(dtype="float32").fit(1e30 * images)
