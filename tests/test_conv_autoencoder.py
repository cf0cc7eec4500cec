"""Convolutional autoencoders against independent references."""

import pickle

import joblib
import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch import nn

from sknn_basics import (
    Autoencoder,
    ConvAutoencoder,
    MLPClassifier,
    VariationalConvAutoencoder,
    from_json,
)
from sknn_basics.architectures import POOLED_AUTOENCODER, POOLED_DENOISER, STRIDED_DENOISER
from sknn_basics.inspection import interpolate, latent_grid
from sknn_basics.modules._fast import transposed
from sknn_basics.modules.conv_autoencoder import TRANSPOSED
from sknn_basics.preprocessing import PixelScaler

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def images(digits):
    X, _ = digits
    return X[:200].reshape(-1, 8, 8)


def small(kind=ConvAutoencoder, **parameters):
    defaults = {"filters": (4, 6), "n_components": 3, "max_iter": 2, "random_state": 0}
    return kind(**{**defaults, **parameters})


KINDS = [ConvAutoencoder, VariationalConvAutoencoder]


def copy_weights(layers, module, names):
    for layer, name in zip(layers, names, strict=True):
        layer.load_state_dict(module.get_submodule(name).state_dict())


# Networks.


def test_strided_network_computes_what_one_written_by_hand_does(images):
    model = small(n_components=None, dtype="float64").fit(images)
    encoder = nn.Sequential(
        nn.Conv2d(1, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 6, 3, 2, 1), nn.ReLU(), nn.Flatten()
    )
    decoder = nn.Sequential(
        nn.Unflatten(1, (6, 2, 2)),
        nn.ConvTranspose2d(6, 6, 3, 2, 1, 1),
        nn.ReLU(),
        nn.ConvTranspose2d(6, 4, 3, 2, 1, 1),
        nn.ReLU(),
        nn.Conv2d(4, 1, 3, 1, 1),
        nn.Sigmoid(),
    )
    encoder.double(), decoder.double()
    copy_weights([encoder[0], encoder[2]], model.module_.encoder, ["block1_conv1", "block2_conv1"])
    names = ["block1_conv1", "block2_conv1", "output"]
    copy_weights([decoder[1], decoder[3], decoder[5]], model.module_.decoder, names)
    with torch.no_grad():
        latents = encoder(torch.tensor(images)[:, None])
        reconstruction = decoder(latents)[:, 0]
    np.testing.assert_allclose(model.transform(images), latents, atol=1e-12)
    np.testing.assert_allclose(model.reconstruct(images), reconstruction, atol=1e-12)


def test_pooled_architecture_has_147_latents_of_28_pixels_squared():
    X = np.random.RandomState(0).uniform(size=(5, 28, 28))
    model = ConvAutoencoder(**POOLED_AUTOENCODER).initialize(X)
    assert model.transform(X).shape == (5, 147)
    convolutions = [layer for layer in model.module_.modules() if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [16, 8, 3, 16, 1]
    assert model.reconstruct(X).shape == X.shape


@pytest.mark.parametrize("architecture", [POOLED_DENOISER, STRIDED_DENOISER])
def test_denoising_architectures_have_four_layers_of_32_filters(architecture):
    X = np.random.RandomState(0).uniform(size=(5, 28, 28))
    model = ConvAutoencoder(**architecture).initialize(X)
    kinds = nn.Conv2d | nn.ConvTranspose2d
    layers = [layer for layer in model.module_.modules() if isinstance(layer, kinds)]
    assert [layer.out_channels for layer in layers] == [32, 32, 32, 32, 1]
    assert model.transform(X).shape == (5, 32 * 7 * 7)


@pytest.mark.parametrize("side", [5, 6, 7, 8, 9, 13])
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("pool_size", [2, 3])
def test_strides_give_back_images_of_any_size(side, kernel_size, pool_size):
    X = np.random.RandomState(0).uniform(size=(3, side, side + 1))
    model = small(kernel_size=kernel_size, pool_size=pool_size).initialize(X)
    assert model.reconstruct(X).shape == X.shape


@pytest.mark.parametrize("downsample", ["max", "average", "stride", None])
@pytest.mark.parametrize("shape", [(16,), (8, 4), (4, 8, 4)])
def test_images_have_one_to_three_dimensions(downsample, shape):
    X = np.random.RandomState(0).uniform(size=(6, *shape))
    model = small(downsample=downsample, data_format="no_channels")
    if len(shape) == 1:
        model.set_params(image_shape=shape)
    assert model.fit(X).reconstruct(X).shape == X.shape


@pytest.mark.parametrize("kind", KINDS)
def test_layouts_of_images_are_the_same_to_the_network(kind):
    last = np.random.RandomState(0).uniform(size=(20, 8, 4, 3))
    first = np.moveaxis(last, -1, 1)
    model = small(kind, dtype="float64").fit(last)
    other = small(kind, dtype="float64", data_format="channels_first").fit(first)
    rows = small(kind, dtype="float64", image_shape=(8, 4, 3)).fit(last.reshape(20, -1))
    expected = model.reconstruct(last)
    np.testing.assert_allclose(np.moveaxis(other.reconstruct(first), 1, -1), expected, atol=1e-12)
    reconstruction = rows.reconstruct(last.reshape(20, -1))
    np.testing.assert_allclose(reconstruction, expected.reshape(20, -1), atol=1e-12)


def test_score_compares_pixels_with_their_own(images):
    model = small(data_format="channels_last", loss="squared_error")
    colour = np.stack([images, images / 2, images / 4], axis=-1)
    model.fit(colour)
    errors = np.square(colour - model.reconstruct(colour)).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(model.score_samples(colour), -errors, rtol=1e-5)


# Manners.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("latents", [{}, {"n_components": None, "latent_filters": 2}], ids=str)
def test_reconstruct_is_the_inverse_of_transform(images, kind, latents):
    model = small(kind, **latents).fit(images)
    Z = model.transform(images)
    assert Z.ndim == 2
    assert len(model.get_feature_names_out()) == Z.shape[1]
    np.testing.assert_array_equal(model.inverse_transform(Z), model.reconstruct(images))


def test_clean_images_are_the_targets_of_noisy_ones(images):
    noisy = np.clip(images + np.random.RandomState(0).normal(0, 0.3, images.shape), 0, 1)
    model = small(filters=(16,), n_components=None, max_iter=40, learning_rate_init=0.01)
    model.fit(noisy, X_clean=images)
    error_of_noise = np.square(noisy - images).mean()
    assert -model.score(noisy, X_clean=images) < error_of_noise


@pytest.mark.parametrize("kind", KINDS)
def test_loaded_models_have_the_same_bits(images, kind):
    model = small(kind).fit(images)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.reconstruct(images), model.reconstruct(images))
    again = small(kind).fit(images)
    np.testing.assert_array_equal(again.transform(images), model.transform(images))
    described = from_json(model.to_json())
    assert described.reconstruct(images).shape == images.shape


@pytest.mark.parametrize("kind", KINDS)
def test_decoder_alone_decodes_as_the_whole(images, kind):
    model = small(kind).fit(images)
    decoder = pickle.loads(pickle.dumps(model.extract_decoder(images)))
    Z = model.transform(images)
    np.testing.assert_allclose(decoder.inverse_transform(Z), model.inverse_transform(Z), atol=1e-6)
    assert decoder.sample(4, random_state=0).shape == (4, 8, 8)


def test_probes_give_images(images):
    model = small().fit(images)
    assert interpolate(model, images[:2], images[2:4], n_steps=4).shape == (2, 4, 8, 8)
    assert latent_grid(model, 3, center=np.zeros(3)).shape == (3, 3, 8, 8)


def test_samples_are_images_of_pixels(images):
    model = small(VariationalConvAutoencoder).fit(images)
    samples = model.sample(5, random_state=0)
    assert samples.shape == (5, 8, 8)
    assert (samples > 0).all()
    assert (samples < 1).all()
    np.testing.assert_array_equal(samples, model.sample(5, random_state=0))


def test_works_before_a_classifier_and_in_a_search(digits):
    X, y = digits
    pipeline = make_pipeline(
        ConvAutoencoder((8,), 10, max_iter=10, random_state=0), MLPClassifier((20,), random_state=0)
    )
    search = GridSearchCV(pipeline, {"convautoencoder__n_components": [1, 10]}, cv=2)
    with joblib.parallel_config(backend="stacked"):
        search.fit(X[:300], y[:300])
    assert search.best_params_ == {"convautoencoder__n_components": 10}


@pytest.mark.parametrize("scheme", ["auto", "he_normal", "orthogonal", "glorot_uniform"])
def test_transposed_convolutions_are_drawn_by_what_flows_into_them(images, scheme):
    model = small(filters=(64, 4), n_components=None, weight_init=scheme).initialize(images)
    layer = model.module_.decoder.block2_conv1
    assert (layer.in_channels, layer.out_channels) == (4, 64)
    expected = {"he_normal": np.sqrt(2 / (4 * 9)), "glorot_uniform": np.sqrt(2 / (68 * 9))}
    assert layer.weight.isfinite().all()
    if scheme in expected:
        assert layer.weight.std().item() == pytest.approx(expected[scheme], rel=0.1)


@pytest.mark.parametrize("n_dims", [1, 2, 3])
def test_transposed_convolutions_are_those_of_torch(n_dims):
    layer = TRANSPOSED[n_dims](3, 2, 3, 2, 1, 1)
    generator = torch.Generator().manual_seed(0)
    for values in layer.parameters():
        nn.init.normal_(values, generator=generator)
    x = torch.randn(4, 3, *range(4, 4 + n_dims), generator=generator).requires_grad_()
    expected = getattr(nn, f"ConvTranspose{n_dims}d").forward(layer, x)
    torch.testing.assert_close(layer(x), expected)
    leaves, by = [x, *layer.parameters()], torch.randn(expected.shape, generator=generator)
    torch.testing.assert_close(
        torch.autograd.grad(layer(x).relu_(), leaves, by),
        torch.autograd.grad(expected.relu_(), leaves, by),
    )


@pytest.fixture(params=[1, 2**40], ids=["in parts", "at once"])
def cached(request, monkeypatch):
    monkeypatch.setattr(transposed, "CACHED", request.param)


def drawn_layer(*arguments, n_dims=2):
    layer = TRANSPOSED[n_dims](*arguments).double()
    for values in layer.parameters():
        nn.init.normal_(values, generator=torch.Generator().manual_seed(0))
    return layer


def drawn_images(*shape):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()


@pytest.mark.usefixtures("cached")
@pytest.mark.parametrize("rectifies", [False, True])
@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        ((3, 2, 3, 2, 1, 1), (4, 5)),
        ((3, 2, 5, 3, 1), (3, 2)),
        ((3, 4, 2, 2), (3, 3)),
        ((3, 2, 1, 2, 0, 1), (4, 4)),
        ((3, 2, (4, 3), (1, 2), (2, 1)), (2, 7)),
        ((3, 2, 3, 2, 1, 1), (5,)),
        ((3, 2, 3, 2, 1, 1), (2, 3, 4)),
    ],
)
@pytest.mark.parametrize("layout", ["first", "last"])
def test_gradients_of_a_rectified_transposed_convolution_are_those_of_torch(
    arguments, size, rectifies, layout
):
    layer, x = drawn_layer(*arguments, n_dims=len(size)), drawn_images(7, *size, 3).movedim(-1, 1)
    x = (x.contiguous() if layout == "first" else x).detach().requires_grad_()
    by = getattr(nn, f"ConvTranspose{len(size)}d")
    expected = by.forward(layer, x).relu() if rectifies else by.forward(layer, x)
    output, leaves = layer(x, rectifies=rectifies), [x, *layer.parameters()]
    torch.testing.assert_close(output, expected, rtol=1e-10, atol=1e-10)
    for gradient in (drawn_images(*output.shape), torch.ones(()).double().expand(output.shape)):
        torch.testing.assert_close(
            torch.autograd.grad(output, leaves, gradient, retain_graph=True),
            torch.autograd.grad(expected, leaves, gradient, retain_graph=True),
            rtol=1e-10,
            atol=1e-10,
        )


@pytest.mark.usefixtures("cached")
@pytest.mark.parametrize("frozen", ["x", "weight", "bias"])
def test_transposed_convolutions_compute_only_the_gradients_that_are_needed(frozen):
    layer, x = drawn_layer(3, 2, 3, 2, 1, 1), drawn_images(5, 3, 4, 4)
    leaves = {"x": x, **dict(layer.named_parameters())}
    expected = torch.autograd.grad(layer(x, rectifies=True).sum(), [*leaves.values()])
    expected = dict(zip(leaves, expected))
    leaves[frozen].requires_grad_(False)
    layer(x, rectifies=True).sum().backward()
    assert leaves[frozen].grad is None
    for name in leaves.keys() - {frozen}:
        torch.testing.assert_close(leaves[name].grad, expected[name])


def test_a_gradient_that_comes_to_a_transposed_convolution_is_left_alone():
    layer, x = drawn_layer(3, 2, 3, 2, 1, 1), drawn_images(5, 3, 4, 4)
    output = layer(x, rectifies=True)
    gradient = torch.ones_like(output)
    output.backward(gradient)
    assert (gradient == 1).all()


def test_second_gradients_of_a_transposed_convolution_raise():
    layer, x = drawn_layer(3, 2, 3, 2, 1, 1), drawn_images(5, 3, 4, 4)
    (first,) = torch.autograd.grad(layer(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_hooks_between_a_transposed_convolution_and_its_rectifier_change_nothing(images):
    model, seen = small(dtype="float64").fit(images), []
    expected = model.reconstruct(images)
    decoder = model.module_.decoder
    decoder.block1_conv1.register_forward_hook(lambda *call: seen.append(call[-1].min().item()))
    decoder.block1_conv1_activation.register_forward_pre_hook(lambda *call: seen.append(0))
    np.testing.assert_allclose(model.reconstruct(images), expected, atol=1e-12)
    assert len(seen) == 2
    assert seen[0] < 0


# Preprocessing.


@pytest.fixture(scope="module")
def pixels(images):
    """Clean and noisy images, as bytes."""
    clean = np.rint(255 * images).astype(np.uint8)
    noise = np.random.RandomState(0).normal(0, 60, images.shape)
    return clean, np.clip(clean + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", KINDS)
def test_preprocessing_maps_images_and_clean_ones_alike(pixels, kind):
    clean, noisy = pixels
    options = {"dtype": "float64", "max_iter": 5}
    model = small(kind, preprocessing="unit", **options).fit(noisy, X_clean=clean)
    scaled = small(kind, **options).fit(noisy / 255, X_clean=clean / 255)
    assert model.out_activation_ == "logistic"
    np.testing.assert_allclose(model.transform(noisy), scaled.transform(noisy / 255), atol=1e-9)
    expected = 255 * scaled.reconstruct(noisy / 255)
    np.testing.assert_allclose(model.reconstruct(noisy), expected, atol=1e-6)
    score = scaled.score(noisy / 255, X_clean=clean / 255)
    assert model.score(noisy, X_clean=clean) == pytest.approx(score, rel=1e-7)
    Z = model.transform(noisy)
    np.testing.assert_allclose(model.inverse_transform(Z), expected, atol=1e-6)
    decoder = pickle.loads(pickle.dumps(model.extract_decoder(noisy)))
    np.testing.assert_allclose(decoder.inverse_transform(Z), expected, atol=1e-6)


def test_bytes_are_denoised_on_their_own_scale(pixels):
    clean, noisy = pixels
    options = {"filters": (16,), "n_components": None, "max_iter": 40, "learning_rate_init": 0.01}
    model = small(preprocessing="unit", **options).fit(noisy, X_clean=clean)
    error = np.square(model.reconstruct(noisy) - clean).mean()
    assert error < np.square(noisy.astype(float) - clean).mean()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("preprocessing", "activation"), [("unit", "logistic"), ("symmetric", "identity")]
)
def test_the_range_of_preprocessed_images_decides_the_output(
    pixels, preprocessing, activation, dtype
):
    clean, noisy = pixels
    model = small(preprocessing=preprocessing, dtype=dtype).fit(noisy, X_clean=clean)
    assert model.out_activation_ == activation
    low = {"unit": 0, "symmetric": -1}[preprocessing]
    np.testing.assert_allclose(model._input_range_, [low, 1], atol=1e-6)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_preprocessing_knows_the_channels(data_format):
    images = np.random.RandomState(0).randint(256, size=(30, 8, 8, 3))
    model = small(preprocessing="imagenet", dtype="float64", data_format=data_format)
    means, stds = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    scaled = (images - means) / stds
    if data_format == "channels_first":
        images, scaled = np.moveaxis(images, -1, 1), np.moveaxis(scaled, -1, 1)
    other = small(dtype="float64", data_format=data_format).fit(scaled)
    np.testing.assert_allclose(model.fit(images).transform(images), other.transform(scaled))
    expected = np.moveaxis(
        other.reconstruct(scaled), 1 if data_format == "channels_first" else -1, -1
    )
    reconstruction = model.reconstruct(images)
    if data_format == "channels_first":
        reconstruction = np.moveaxis(reconstruction, 1, -1)
    np.testing.assert_allclose(reconstruction, expected * stds + means, atol=1e-8)


def test_a_function_preprocesses_and_is_not_undone(pixels):
    clean, _ = pixels
    model = small(preprocessing=halve, dtype="float64").fit(clean / 255)
    other = small(dtype="float64").fit(clean / 510)
    np.testing.assert_allclose(model.reconstruct(clean / 255), other.reconstruct(clean / 510))


def halve(images):
    return images / 2


def test_a_module_that_preprocesses_is_neither_trained_nor_drawn(pixels):
    clean, _ = pixels
    module = nn.Conv2d(1, 1, 1)
    with torch.no_grad():
        module.weight.fill_(1 / 255)
        module.bias.fill_(0.0)
    model = small(preprocessing=module, frozen_layers=["decoder.output"], dtype="float64").fit(
        clean
    )
    assert module.weight.item() == pytest.approx(1 / 255)
    other = small(frozen_layers=["decoder.output"], dtype="float64").fit(clean / 255)
    np.testing.assert_allclose(model.transform(clean), other.transform(clean / 255), atol=1e-6)


def test_preprocessed_images_are_stacked_as_alone(pixels):
    clean, _ = pixels
    grid = {"preprocessing": ["unit", "symmetric", halve], "alpha": [0.0, 0.1]}
    search = GridSearchCV(small(dtype="float64", loss="squared_error"), grid, cv=2)
    expected = clone(search).fit(clean).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend="stacked"):
        scores = search.fit(clean).cv_results_["mean_test_score"]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_preprocessing_is_saved_and_kept(pixels, tmp_path):
    clean, _ = pixels
    model = small(preprocessing="unit").fit(clean)
    expected = model.reconstruct(clean)
    model.save_weights(tmp_path / "weights.npz")
    described = from_json(model.to_json()).load_weights(tmp_path / "weights.npz")
    for other in (
        described,
        pickle.loads(pickle.dumps(model)),
        model.set_params(preprocessing=None),
    ):
        np.testing.assert_array_equal(other.reconstruct(clean), expected)
    with pytest.raises(ValueError, match="preprocessing is 'unit'"):
        model.set_params(out_activation="logistic").partial_fit(clean / 255)


def test_bytes_go_through_a_pipeline_with_their_clean_ones(pixels):
    clean, noisy = pixels
    with config_context(enable_metadata_routing=True):
        denoiser = small().set_fit_request(X_clean=True)
        pipeline = make_pipeline(PixelScaler(), denoiser, transform_input=["X_clean"])
        pipeline.fit(noisy, X_clean=clean)
        reconstruction = pipeline.inverse_transform(pipeline.transform(noisy))
    scaled = small().fit(PixelScaler().transform(noisy), X_clean=PixelScaler().transform(clean))
    expected = scaled.reconstruct(PixelScaler().transform(noisy))
    assert np.abs(reconstruction - 255 * expected).max() <= 0.5 + 1e-4


def test_clean_bytes_of_scaled_images_are_told(pixels):
    clean, noisy = pixels
    with pytest.warns(UserWarning, match="X_clean has values from 0 to 255"):
        small().fit(noisy / 255, X_clean=clean)


@pytest.mark.parametrize(
    ("preprocessing", "message"),
    [
        ("imagenet", "needs images of 3 channels"),
        (nn.MaxPool2d(2), r"preprocessing must keep the shape .*\(1, 8, 8\), got \(1, 4, 4\)"),
    ],
)
def test_preprocessing_that_changes_the_shape_raises(images, preprocessing, message):
    with pytest.raises(ValueError, match=message):
        small(preprocessing=preprocessing).fit(images)


# Bad input.


def test_pools_that_do_not_divide_the_images_raise(images):
    message = (
        r"size \(8, 8\) cannot be divided by the pools of 4 blocks: "
        r"\(8, 8\) -> \(4, 4\) -> \(2, 2\) -> \(1, 1\), which block 4 would divide by \(2, 2\)"
    )
    with pytest.raises(ValueError, match=message):
        small(filters=(4, 4, 4, 4), downsample="max").fit(images)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"filters": ((4, 4), 8)}, "filters must be integers > 0"),
        ({"n_components": 0}, "'n_components' parameter"),
        ({"latent_filters": 0}, "'latent_filters' parameter"),
        ({"decoder_filters": (4, 4, 4)}, "one number for each of the 2 blocks"),
        ({"decoder_filters": (4,)}, "one fewer where pools"),
        ({"downsample": "median"}, "'downsample' parameter"),
        ({"noise": "mask", "noise_amount": 2}, "noise_amount"),
        ({"kernel_size": 2, "pool_size": 1}, "odd kernel_size"),
        ({"kernel_size": [3, 3, 3]}, "one for each of the 2 blocks"),
    ],
    ids=str,
)
def test_wrong_parameters_raise(images, parameters, message):
    with pytest.raises(ValueError, match=message):
        small(**parameters).fit(images)


def test_distributions_need_a_layer_of_their_own(images):
    with pytest.raises(ValueError, match="set n_components or latent_filters"):
        small(VariationalConvAutoencoder, n_components=None).fit(images)


def test_images_of_another_shape_raise(images):
    with pytest.raises(ValueError, match=r"samples of shape \(8, 7\)"):
        small().fit(images).transform(images[:, :, :7])
    with pytest.raises(ValueError, match="X_clean must have the shape of X"):
        small().fit(images, X_clean=images.reshape(200, -1))


def test_dense_autoencoder_and_convolutional_one_take_the_same_rows(images):
    rows = images.reshape(200, -1)
    assert small().fit(rows).reconstruct(rows).shape == rows.shape
    assert Autoencoder((10,), 3, max_iter=2).fit(rows).reconstruct(rows).shape == rows.shape
