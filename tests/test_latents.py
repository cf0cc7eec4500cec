"""Latent spaces of autoencoders and of PCA, and decoders alone."""

import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sknn_basics import Autoencoder, VariationalAutoencoder
from sknn_basics.inspection import blend, interpolate, latent_grid, latent_path, perturb

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def images(digits):
    X, _ = digits
    return X[:300]


MODELS = {
    "PCA": PCA(2),
    "Autoencoder": Autoencoder((20,), 2, max_iter=3, random_state=0),
    "tied": Autoencoder((20,), 2, tied_weights=True, max_iter=3, random_state=0),
    "VariationalAutoencoder": VariationalAutoencoder((20,), 2, max_iter=3, random_state=0),
    "Pipeline": make_pipeline(MinMaxScaler(), Autoencoder((20,), 2, max_iter=3, random_state=0)),
}


@pytest.fixture(scope="module", params=MODELS)
def model(request, images):
    return MODELS[request.param].fit(images)


# Probes.


def test_interpolation_goes_from_one_reconstruction_to_the_other(model, images):
    a, b = images[:3], images[3:6]
    path = interpolate(model, a, b, n_steps=5)
    assert path.shape == (3, 5, 64)
    for end, X in ((0, a), (-1, b)):
        expected = model.inverse_transform(model.transform(X))
        np.testing.assert_allclose(path[:, end], expected, atol=1e-5)
    middle = model.inverse_transform((model.transform(a) + model.transform(b)) / 2)
    np.testing.assert_allclose(path[:, 2], middle, atol=1e-5)


def test_blend_is_a_point_of_the_interpolation(model, images):
    a, b = images[:3], images[3:6]
    expected = interpolate(model, a, b, n_steps=5)[:, 1]
    np.testing.assert_allclose(blend(model, a, b, share=0.25), expected, atol=1e-6)


def test_perturbation_moves_latents_by_the_amount(images):
    pca = PCA(5).fit(images)
    moved = [pca.transform(perturb(pca, images, 10.0, random_state=i)) for i in range(5)]
    assert np.std(moved - pca.transform(images)) == pytest.approx(10, rel=0.05)


def test_relative_perturbation_moves_latents_by_a_share_of_them(images):
    pca = PCA(5).fit(images)
    Z = pca.transform(images)
    moved = [
        pca.transform(perturb(pca, images, 0.3, relative=True, random_state=i)) for i in range(5)
    ]
    assert np.std((moved - Z) / Z) == pytest.approx(0.3, rel=0.05)


def test_perturbation_of_one_latent_leaves_the_others(images):
    pca = PCA(5).fit(images)
    change = pca.transform(perturb(pca, images, 1.0, components=2, random_state=0))
    change -= pca.transform(images)
    assert np.abs(np.delete(change, 2, axis=1)).max() < 1e-9
    assert np.std(change[:, 2]) > 0.5


def test_no_perturbation_is_the_reconstruction(model, images):
    expected = model.inverse_transform(model.transform(images))
    np.testing.assert_allclose(perturb(model, images, 0), expected, atol=1e-6)


def test_perturbation_repeats_with_a_seed(model, images):
    first, second = (perturb(model, images, 1, random_state=0) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_grid_lies_as_a_plot_of_the_plane(model):
    grid = latent_grid(model, 3, low=(-1, -2), high=(1, 2))
    assert grid.shape == (3, 3, 64)
    corners = {(0, 0): [-1, 2], (0, 2): [1, 2], (2, 0): [-1, -2], (1, 1): [0, 0]}
    for place, latents in corners.items():
        expected = model.inverse_transform(np.array([latents]))[0]
        np.testing.assert_allclose(grid[place], expected, atol=1e-6)


def test_grid_varies_two_of_many_latents(images):
    pca = PCA(5).fit(images)
    grid = latent_grid(pca, 4, components=(1, 3), center=[9, 8, 7, 6, 5])
    Z = pca.transform(grid.reshape(16, 64)).reshape(4, 4, 5)
    np.testing.assert_allclose(Z[..., [0, 2, 4]], np.broadcast_to([9, 7, 5], (4, 4, 3)))
    np.testing.assert_allclose(Z[0, :, 1], [-3, -1, 1, 3])
    np.testing.assert_allclose(Z[:, 0, 3], [3, 1, -1, -3])


def test_path_passes_through_its_points(model):
    points = np.array([[0.0, 0], [1, 2], [-1, 1]])
    path = latent_path(model, points, n_steps=4)
    assert path.shape == (9, 64)
    np.testing.assert_allclose(path[::4], model.inverse_transform(points), atol=1e-6)
    expected = model.inverse_transform(np.array([[0.5, 1]]))[0]
    np.testing.assert_allclose(path[2], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        (lambda m, X: interpolate(m, X[:2], X[:3]), "inconsistent"),
        (lambda m, X: interpolate(m, X, X, n_steps=1), "n_steps"),
        (lambda m, X: perturb(m, X, -1), "amount"),
        (lambda m, X: perturb(m, X, 1, components=2), "of 2 latent variables"),
        (lambda m, X: perturb(m, X, 1, components=[0.5]), "of 2 latent variables"),
        (lambda m, X: latent_grid(m, components=(0, 0)), "2 different integers of 2"),
        (lambda m, X: latent_grid(m, components=(0, 1, 2)), "2 different integers"),
        (lambda m, X: latent_grid(m, center=[0, np.nan]), "center"),
        (lambda m, X: latent_path(m, [[0, 0]]), "points"),
        (lambda m, X: latent_path(m, [[0, 0, 0], [1, 1, 1]]), "Z must have 2 columns"),
    ],
)
def test_wrong_probes_raise(images, probe, message):
    model = Autoencoder((20,), 2, max_iter=1, random_state=0).fit(images)
    with pytest.raises(ValueError, match=message):
        probe(model, images)


# Decoders.


@pytest.fixture(params=["Autoencoder", "tied", "VariationalAutoencoder"])
def autoencoder(request, images):
    return MODELS[request.param].fit(images)


def test_decoder_alone_decodes_as_the_whole(autoencoder, images, tmp_path):
    Z = autoencoder.transform(images)
    joblib.dump(autoencoder.extract_decoder(), tmp_path / "decoder.joblib")
    loaded = joblib.load(tmp_path / "decoder.joblib")
    np.testing.assert_allclose(
        loaded.inverse_transform(Z), autoencoder.inverse_transform(Z), atol=1e-12
    )


def test_loaded_decoder_has_the_same_bits(autoencoder, images):
    decoder = autoencoder.extract_decoder(images)
    loaded = pickle.loads(pickle.dumps(decoder))
    np.testing.assert_array_equal(
        loaded.sample(5, random_state=0), decoder.sample(5, random_state=0)
    )


def test_decoder_does_not_change_with_its_autoencoder(autoencoder, images):
    Z = autoencoder.transform(images)
    decoder = autoencoder.extract_decoder()
    before = decoder.inverse_transform(Z)
    autoencoder.partial_fit(images)
    np.testing.assert_array_equal(decoder.inverse_transform(Z), before)


def test_decoder_is_half_as_large_as_a_stateless_whole(images):
    model = Autoencoder((200,), 20, solver="sgd", momentum=0, max_iter=1, random_state=0)
    whole = len(pickle.dumps(model.fit(images)))
    assert len(pickle.dumps(model.extract_decoder())) < 0.6 * whole


def test_decoder_samples_the_distribution_of_the_latents(images):
    linear = Autoencoder(
        (), 5, loss="squared_error", solver="lbfgs", alpha=0, max_iter=200, random_state=0
    ).fit(images)
    samples = linear.extract_decoder(images).sample(20000, random_state=0)
    np.testing.assert_allclose(samples.mean(axis=0), images.mean(axis=0), atol=0.02)
    expected = np.cov(linear.reconstruct(images), rowvar=False, bias=True)
    np.testing.assert_allclose(np.cov(samples, rowvar=False), expected, atol=0.01)


def test_sampling_latents_of_unknown_distribution_raises(images):
    decoder = Autoencoder((20,), 2, max_iter=1, random_state=0).fit(images).extract_decoder()
    with pytest.raises(ValueError, match="pass X to extract_decoder"):
        decoder.sample()


def test_decoder_checks_latents(autoencoder):
    with pytest.raises(ValueError, match="Z must have 2 columns, one per latent variable, got 3"):
        autoencoder.extract_decoder().inverse_transform(np.zeros((2, 3)))


def test_decoder_serves_grids_and_paths(autoencoder):
    decoder = autoencoder.extract_decoder()
    np.testing.assert_allclose(latent_grid(decoder, 3), latent_grid(autoencoder, 3), atol=1e-6)
    assert latent_path(decoder, [[0, 0], [1, 1]]).shape == (11, 64)


def test_decoder_is_cloned_with_its_parameters(autoencoder, images):
    decoder = autoencoder.extract_decoder(images)
    copied = clone(decoder)
    assert copied.get_params().keys() == decoder.get_params().keys() >= {"kind", "weights"}
    np.testing.assert_array_equal(
        copied.sample(5, random_state=0), decoder.sample(5, random_state=0)
    )
    changed = copied.set_params(dtype="float32")
    assert changed.sample(5, random_state=0).dtype == np.float32
