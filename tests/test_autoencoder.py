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
from sklearn import config_context
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neural_network import MLPClassifier as ReferenceClassifier
from sklearn.neural_network import MLPRegressor as ReferenceRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sknn_basics import (
    Autoencoder,
    ConvAutoencoder,
    MLPClassifier,
    MLPRegressor,
    RNNAutoencoder,
    VariationalAutoencoder,
    VariationalConvAutoencoder,
    from_json,
)
from sknn_basics.inspection import explained_variance

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
    assert denoising.score(noisy, X_clean=X) > plain.score(noisy, X_clean=X)


def test_predicts_without_noise(images):
    model = small(noise="gaussian").fit(images)
    np.testing.assert_array_equal(model.transform(images), model.transform(images))


# What X should become.


def test_y_is_ignored(digits):
    X, y = digits
    expected = small().fit(X).transform(X)
    for ignored in (y, y.astype(str), list(y), 1 - X, X[:, :3], y[:5]):
        np.testing.assert_array_equal(small().fit(X, ignored).transform(X), expected)
        np.testing.assert_array_equal(small().fit_transform(X, ignored), expected)
    assert small().fit(X).score(X, 1 - X) == small().fit(X).score(X)
    first, second = small().partial_fit(X), small().partial_fit(X, 1 - X)
    np.testing.assert_array_equal(first.transform(X), second.transform(X))


def test_a_pipeline_may_have_targets_of_any_shape(digits):
    X, _ = digits
    pipeline = make_pipeline(small(), MLPRegressor(hidden_layer_sizes=(8,), max_iter=2))
    for Y in (X[:, :2], 1 - X):
        pipeline.fit(X, Y)
        np.testing.assert_array_equal(pipeline[0].transform(X), small().fit(X).transform(X))
        assert pipeline.predict(X).shape == Y.shape


CLEAN = {"loss": "squared_error", "max_iter": 40, "learning_rate_init": 0.01}


def test_clean_samples_are_the_target(images):
    model = small(**CLEAN).fit(images, X_clean=1 - images)
    errors = np.square(model.reconstruct(images) - (1 - images)).mean(axis=1)
    assert errors.mean() < np.square(model.reconstruct(images) - images).mean() / 2
    scores = model.score_samples(images, X_clean=1 - images)
    np.testing.assert_allclose(scores, -errors, rtol=1e-5)
    assert model.score(images, X_clean=1 - images) == pytest.approx(-errors.mean())


@pytest.mark.parametrize("kind", [VariationalAutoencoder, RNNAutoencoder])
def test_every_family_takes_clean_samples(images, kind):
    options = {"hidden_layer_sizes": (20,), "n_components": 3, "random_state": 0, **CLEAN}
    model = kind(**options).fit(images, X_clean=1 - images)
    assert model.score(images, X_clean=1 - images) > model.score(images)
    loaded = pickle.loads(pickle.dumps(model))
    assert loaded.score(images, X_clean=1 - images) == model.score(images, X_clean=1 - images)


def test_fit_transform_and_partial_fit_take_clean_samples(images):
    expected = small().fit(images, X_clean=1 - images).transform(images)
    np.testing.assert_array_equal(small().fit_transform(images, X_clean=1 - images), expected)
    model = small(max_iter=1).fit(images, X_clean=1 - images)
    other = small(dtype=model._dtype_).partial_fit(images, X_clean=1 - images)
    np.testing.assert_array_equal(other.transform(images), model.transform(images))
    assert small().initialize(images, X_clean=images - 0.5).out_activation_ == "identity"


def test_clean_samples_that_equal_X_are_the_same_as_none(images):
    expected = small().fit(images).loss_curve_
    assert small().fit(images, X_clean=images.copy()).loss_curve_ == expected


def test_clean_samples_are_routed_through_a_pipeline_whose_steps_transform_them(images):
    noisy = images + np.random.RandomState(0).normal(0, 0.1, images.shape)
    options = {"loss": "squared_error"}
    scaler = StandardScaler().fit(noisy)
    expected = small(**options).fit(scaler.transform(noisy), X_clean=scaler.transform(images))
    with config_context(enable_metadata_routing=True):
        denoiser = small(**options).set_fit_request(X_clean=True)
        pipeline = make_pipeline(StandardScaler(), denoiser, transform_input=["X_clean"])
        pipeline.fit(noisy, X_clean=images)
    np.testing.assert_array_equal(
        pipeline.transform(noisy), expected.transform(scaler.transform(noisy))
    )


def test_a_search_splits_clean_samples_with_the_folds(images):
    noisy = np.clip(images + np.random.RandomState(0).normal(0, 0.3, images.shape), 0, 1)
    with config_context(enable_metadata_routing=True):
        denoiser = small().set_fit_request(X_clean=True).set_score_request(X_clean=True)
        search = GridSearchCV(denoiser, {"n_components": [1, 3]}, cv=KFold(2))
        search.fit(noisy, X_clean=images)
    first, second = noisy[:150], noisy[150:]
    model = small().fit(second, X_clean=images[150:])
    expected = model.score(first, X_clean=images[:150])
    assert search.cv_results_["split0_test_score"][1] == expected


@pytest.mark.parametrize("shape", [(300, 1), (300, 63), (300, 8, 8), (299, 64)])
def test_clean_samples_of_another_shape_raise(images, shape):
    with pytest.raises(ValueError, match=r"X_clean must have the shape of X, \(300, 64\)"):
        small().fit(images, X_clean=np.zeros(shape))
    with pytest.raises(ValueError, match="X_clean must have the shape of X"):
        small().fit(images).score(images, X_clean=np.zeros(shape))


def test_clean_samples_must_be_finite(images):
    clean = images.copy()
    clean[3, 2] = np.nan
    with pytest.raises(ValueError, match="Input X_clean contains NaN"):
        small().fit(images, X_clean=clean)
    with pytest.raises(ValueError, match="In X_val, X_clean_val.*Input X_clean contains NaN"):
        small().fit(images, X_val=images, X_clean_val=clean)


def test_clean_frames_have_the_columns_of_X(images):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(images).rename(columns="pixel{}".format)
    expected = small().fit(images).transform(images)
    for clean in (frame, images):
        model = small().fit(frame, X_clean=clean)
        np.testing.assert_array_equal(model.transform(frame), expected)
    with pytest.raises(ValueError, match="X_clean must have the columns of X"):
        small().fit(frame, X_clean=frame[frame.columns[::-1]])


@pytest.mark.parametrize(
    ("scale", "scale_of_clean", "shift"), [(1, 255, 0), (255, 1, 0), (1, 16, 0), (1, 1, 5)]
)
def test_clean_samples_in_another_range_are_told(images, scale, scale_of_clean, shift):
    with pytest.warns(UserWarning, match="X_clean has values from .* scale them alike"):
        small().fit(scale * images, X_clean=scale_of_clean * images + shift)


def test_clean_validation_samples_in_another_range_are_told(images):
    with pytest.warns(UserWarning, match="X_clean has values from 0 to 255"):
        small().fit(images, X_clean=images, X_val=images, X_clean_val=255 * images)
    model = small().fit(images)
    with pytest.warns(UserWarning, match="X_clean has values from 0 to 255"):
        model.score(images, X_clean=255 * images)


@pytest.mark.filterwarnings("error:X_clean")
def test_noise_and_dark_samples_are_no_other_range(images):
    rng = np.random.RandomState(0)
    model = small()
    for noisy in (
        images + rng.normal(0, 0.5, images.shape),
        images * rng.randint(2, size=(300, 64)),
    ):
        model.fit(noisy, X_clean=images)
        model.partial_fit(noisy[:2], X_clean=0.01 * images[:2])
        model.score(noisy[:1], X_clean=0.01 * images[:1])


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


FAR = 10.0 ** np.array([1, 2, 4, 8, 11, 12, 13, 20, 30, 38])
FARTHEST = {"float32": FAR, "float64": [*FAR, 1e100, 1e154, 1e200, 1e290, 1e300, 1.79e308]}
SCORED = {
    "dense": Autoencoder((20,), 5),
    "dense, identity": Autoencoder((20,), 5, loss="squared_error", normalization="layer"),
    "variational": VariationalAutoencoder((20,), 5),
    "variational, binary": VariationalAutoencoder((20,), 5, loss="binary_cross_entropy"),
    "variational, fixed": VariationalAutoencoder((20,), 5, noise_variance=0.1),
    "convolutional": ConvAutoencoder((4, 6), 5),
    "convolutional, variational": VariationalConvAutoencoder((4, 6), 5),
    "recurrent": RNNAutoencoder((6,), 3),
    "recurrent, gru": RNNAutoencoder((6,), 3, cell="gru"),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SCORED)
def test_scores_are_finite_and_fall_up_to_the_largest_floats(images, name, dtype):
    model = clone(SCORED[name]).set_params(max_iter=10, random_state=0, dtype=dtype).fit(images)
    for pixel in (0, 20, 63):
        for sign in (-1, 1):
            rows = np.repeat(images[:1], 1 + len(FARTHEST[dtype]), axis=0)
            rows[1:, pixel] = sign * np.asarray(FARTHEST[dtype])
            scores = model.score_samples(rows)
            assert np.isfinite(scores).all()
            assert (np.diff(scores) < 0).all()
            assert np.isfinite(model.score(rows))


def test_mean_of_the_worst_scores_is_finite(images):
    model = small(dtype="float64").fit(images)
    assert np.isfinite(model.score(np.full((300, 64), np.finfo(float).max)))


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
    grid = {"alpha": [1e-4, 1.0], "noise": [None, "mask"]}
    search = GridSearchCV(small(dtype="float64"), grid, cv=2)
    expected = clone(search).fit(images).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend="stacked"):
        scores = search.fit(images).cv_results_["mean_test_score"]
    np.testing.assert_allclose(scores, expected, rtol=1e-9)


def test_early_stopping_watches_the_reconstruction_error(images):
    model = small(early_stopping=True, max_iter=4).fit(images)
    assert len(model.validation_scores_) == 4
    assert model.validation_scores_[-1] == pytest.approx(model.score(images), rel=0.2)


def test_validates_on_given_data_with_and_without_clean_samples(images):
    first, second = images[:200], images[200:]
    model = small().fit(first, X_val=second)
    np.testing.assert_allclose(model.validation_scores_[-1], model.score(second), rtol=1e-5)
    model = small().fit(first, X_val=second, X_clean_val=1 - second)
    np.testing.assert_allclose(
        model.validation_scores_[-1], model.score(second, X_clean=1 - second), rtol=1e-5
    )
    with pytest.raises(ValueError, match="X_clean_val needs X_val"):
        small().fit(first, X_clean_val=second)


# What X is.


@pytest.mark.parametrize("kind", [csr_array, torch.tensor, list], ids=["sparse", "torch", "list"])
def test_takes_X_of_any_kind(images, kind):
    expected = small().fit(images)
    model = small().fit(kind(images))
    np.testing.assert_array_equal(model.transform(kind(images)), expected.transform(images))
    np.testing.assert_allclose(model.score(kind(images)), expected.score(images))


def test_takes_sparse_clean_samples(images):
    expected = small(early_stopping=True).fit(images, X_clean=1 - images)
    clean = csr_array(1 - images)
    model = small(early_stopping=True).fit(csr_array(images), X_clean=clean)
    np.testing.assert_array_equal(model.transform(images), expected.transform(images))


@pytest.mark.parametrize("is_denoising", [False, True])
def test_neither_bytes_nor_targets_are_copied_whole(tmp_path, digits, is_denoising):
    X, _ = digits
    X = np.tile(X > 0.5, (10, 12)).astype(np.uint8)
    X.tofile(tmp_path / "X")
    X = np.memmap(tmp_path / "X", np.uint8, "r", shape=X.shape)
    clean = np.memmap(tmp_path / "X", np.uint8, "r", shape=X.shape) if is_denoising else None
    model = small(max_iter=1, dtype="float32")
    tracemalloc.start()
    try:
        model.fit(X, X_clean=clean).score(X, X_clean=clean)
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


def test_one_value_beyond_one_by_rounding_changes_no_loss(digits):
    X = digits[0][:100].copy()
    plain = Autoencoder((8,), 2, max_iter=2, random_state=0).fit(X)
    X[3, 5] = 1.0000001
    X[7, 0] = -1e-7
    rounded = Autoencoder((8,), 2, max_iter=2, random_state=0).fit(X)
    assert (plain.out_activation_, rounded.out_activation_) == ("logistic", "logistic")
    np.testing.assert_allclose(rounded.loss_curve_, plain.loss_curve_, rtol=1e-3)
    X[3, 5] = 1.01
    assert Autoencoder((8,), 2, max_iter=2).fit(X).out_activation_ == "identity"


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler(), MinMaxScaler((-10, 30))])
def test_explained_variance_is_that_of_the_columns_in_any_unit(scaler, iris):
    X, _ = iris
    pipeline = make_pipeline(scaler, Autoencoder((8,), 2, max_iter=5, random_state=0)).fit(X)
    restored = pipeline.inverse_transform(pipeline.transform(X))
    expected = r2_score(X, restored)
    assert explained_variance(pipeline, X) == pytest.approx(expected)
    network, scaled = pipeline[-1], pipeline[0].transform(X)
    assert network.score(scaled, metric="r2") == pytest.approx(expected, rel=1e-5)


def test_columns_that_do_not_vary_count_nothing_in_explained_variance(iris):
    X, _ = iris
    wide = np.column_stack([X, np.full(len(X), 3.0)])
    model = Autoencoder((8,), 2, max_iter=5, random_state=0).fit(wide)
    expected = r2_score(X, model.reconstruct(wide)[:, :4])
    assert model.score(wide, metric="r2") == pytest.approx(expected)
    assert np.isnan(model.score(np.ones((5, 5)), metric="r2"))
    with pytest.raises(ValueError, match="metric must be one of"):
        model.score(wide, metric="mse")


def test_a_search_compares_scalers_by_explained_variance(iris):
    X, _ = iris
    pipeline = make_pipeline(StandardScaler(), Autoencoder((8,), 2, max_iter=5, random_state=0))
    scalers = [StandardScaler(), MinMaxScaler()]
    grid = {"standardscaler": scalers}
    search = GridSearchCV(pipeline, grid, scoring=explained_variance, cv=2).fit(X)
    half, rest = X[75:], X[:75]
    first = clone(pipeline).set_params(standardscaler=clone(scalers[1])).fit(half)
    restored = first.inverse_transform(first.transform(rest))
    expected = r2_score(rest, restored)
    assert search.cv_results_["split0_test_score"][1] == pytest.approx(expected)
