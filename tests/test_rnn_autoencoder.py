"""Recurrent autoencoders against independent references."""

import pickle

import joblib
import numpy as np
import pytest
from scipy.special import expit
from sklearn.model_selection import cross_val_score

from sknn_basics import RNNAutoencoder, from_json
from sknn_basics.inspection import interpolate
from sknn_basics.parallel import stacked

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def images(digits):
    """Digits of shape (100, 8, 8), read line by line."""
    X, _ = digits
    return X[:100].reshape(-1, 8, 8)


def small(**parameters):
    defaults = {"hidden_layer_sizes": (6,), "n_components": 3, "max_iter": 2, "random_state": 0}
    return RNNAutoencoder(**{**defaults, **parameters})


def run_plain_cells(layer, x):
    """Compute tanh(W x + U h + b) step by step."""
    weight, recurrent, bias = (w.numpy(force=True) for w in layer.weights(""))
    hidden, outputs = np.zeros((len(x), layer.n_units)), []
    for step in range(x.shape[1]):
        hidden = np.tanh(x[:, step] @ weight.T + hidden @ recurrent.T + bias)
        outputs.append(hidden)
    return np.stack(outputs, axis=1)


def run_linear(layer, x):
    return x @ layer.weight.numpy(force=True).T + layer.bias.numpy(force=True)


def test_computes_what_cells_by_hand_do(images):
    model = small(cell="rnn", dtype="float64").fit(images)
    reader, writer = model.module_.encoder.reader, model.module_.decoder.writer
    latents = run_linear(reader.output, run_plain_cells(reader.hidden1, images)[:, -1])
    np.testing.assert_allclose(model.transform(images), latents, atol=1e-12)
    repeated = np.repeat(latents[:, np.newaxis], 8, axis=1)
    output = expit(run_linear(writer.output, run_plain_cells(writer.hidden1, repeated)))
    np.testing.assert_allclose(model.reconstruct(images), output, atol=1e-12)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("shape", [(100, 64), (100, 8, 8), (100, 16, 4)])
def test_reconstruct_is_the_inverse_of_transform(images, cell, shape):
    X = images.reshape(shape)
    model = small(cell=cell, bidirectional=True).fit(X)
    assert model.transform(X).shape == (100, 3)
    reconstruction = model.reconstruct(X)
    assert reconstruction.shape == shape
    np.testing.assert_array_equal(model.inverse_transform(model.transform(X)), reconstruction)


def test_training_brings_reconstructions_closer(images):
    trained = small(max_iter=60, learning_rate_init=0.01).fit(images)
    assert trained.score(images) > small().fit(images).score(images)


def test_saved_models_and_decoders_have_the_same_bits(images):
    model = small(noise="mask").fit(images)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.reconstruct(images), model.reconstruct(images))
    decoder = pickle.loads(pickle.dumps(model.extract_decoder(images)))
    Z = model.transform(images)
    np.testing.assert_allclose(decoder.inverse_transform(Z), model.inverse_transform(Z), atol=1e-6)
    assert decoder.sample(4, random_state=0).shape == (4, 8, 8)
    assert from_json(model.to_json()).reconstruct(images).shape == images.shape


def test_same_seed_gives_the_same_bits(images):
    first, second = (small(dropout=0.2).fit(images).transform(images) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_interpolates_sequences(images):
    assert interpolate(small().fit(images), images[:2], images[2:4]).shape == (2, 6, 8, 8)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_components": 0}, "'n_components' parameter"),
        ({"hidden_layer_sizes": ()}, "hidden_layer_sizes must name at least one"),
        ({"decoder_layer_sizes": ()}, "decoder_layer_sizes must name at least one"),
        ({"cell": "elman"}, "'cell' parameter"),
        ({"noise": "mask", "noise_amount": 1}, "noise_amount"),
        ({"solver": "lbfgs", "noise": "mask"}, "lbfgs"),
    ],
    ids=str,
)
def test_wrong_parameters_raise(images, parameters, message):
    with pytest.raises(ValueError, match=message):
        small(**parameters).fit(images)


def test_sequences_of_an_array_have_one_length_and_rows_as_steps(images):
    with pytest.raises(ValueError, match=r"samples of shape \(7, 8\)"):
        small().fit(images).transform(images[:, :7])
    with pytest.raises(ValueError, match="flatten its steps"):
        small().fit(images[..., np.newaxis])


def test_channels_first_is_reconstructed_as_it_came(images):
    X = images.reshape(100, 16, 4)
    swapped = X.swapaxes(1, 2)
    last = small(dtype="float64").fit(X)
    first = small(data_format="channels_first", dtype="float64").fit(swapped)
    np.testing.assert_allclose(first.transform(swapped), last.transform(X), atol=1e-12)
    expected = last.reconstruct(X).swapaxes(1, 2)
    np.testing.assert_allclose(first.reconstruct(swapped), expected, atol=1e-12)
    decoder = first.extract_decoder(swapped)
    np.testing.assert_allclose(
        decoder.inverse_transform(first.transform(swapped)), expected, atol=1e-12
    )


def test_channels_first_trains_the_same_in_a_stack(images):
    X = images.reshape(100, 4, 16)
    model = small(data_format="channels_first", batch_size=33)
    alone = cross_val_score(model, X, cv=3)
    with stacked() as report:
        together = cross_val_score(model, X, cv=3)
    assert {training.way for training in report.trainings} == {"stacked"}
    np.testing.assert_allclose(together, alone, rtol=1e-6)


def test_axes_that_look_swapped_are_warned_of(images):
    time = np.linspace(0, 6, 30)
    X = np.sin(time + np.arange(100)[:, None, None] + np.arange(3)[:, None])
    with pytest.warns(UserWarning, match="data_format='channels_first'"):
        small(max_iter=1).fit(X)


# Sequences of several lengths.


@pytest.fixture(scope="module")
def ragged(images):
    """The first lines of each image, three to all of them."""
    return [image[: 3 + i % (len(image) - 2)] for i, image in enumerate(images[:60])]


def pad(sequences):
    X = np.full((len(sequences), max(map(len, sequences)), *sequences[0].shape[1:]), np.nan)
    for i, sequence in enumerate(sequences):
        X[i, : len(sequence)] = sequence
    return X


def test_sequences_of_several_lengths_are_reconstructed_each_as_long_as_it_is(ragged):
    model = small().fit(ragged)

    reconstructed = model.reconstruct(ragged)

    assert [r.shape for r in reconstructed] == [x.shape for x in ragged]
    assert model.transform(ragged).shape == (60, 3)
    errors = [np.square(r - x).mean() for r, x in zip(reconstructed, ragged, strict=True)]
    np.testing.assert_allclose(model.score_samples(ragged), np.negative(errors), rtol=1e-5)
    assert model.score(ragged) == pytest.approx(-np.mean(errors), rel=1e-5)


def test_a_sequence_has_the_latents_that_it_has_alone(ragged):
    model = small().fit(ragged)

    alone = [model.transform([sequence])[0] for sequence in ragged[:5]]

    np.testing.assert_allclose(model.transform(ragged)[:5], alone, rtol=1e-5)


@pytest.mark.parametrize("loss", ["squared_error", "binary_cross_entropy"])
def test_the_loss_is_the_mean_over_what_is_known(ragged, loss):
    model = small(loss=loss, out_activation="logistic", alpha=0).fit(ragged)
    model.set_params(max_iter=1, learning_rate_init=1e-30, warm_start=True)

    reconstructed = model.reconstruct(ragged)
    model.fit(ragged)

    def compare(r, x):
        if loss == "squared_error":
            return np.square(r - x).mean() / 2
        return -(x * np.log(r) + (1 - x) * np.log(1 - r)).mean()

    expected = np.mean([compare(r, x) for r, x in zip(reconstructed, ragged, strict=True)])
    assert model.history_["train_loss"][-1] == pytest.approx(expected, rel=1e-4)


def test_training_on_sequences_of_one_length_is_the_same_in_a_list(images):
    X = images[:40]
    of_array = small(dtype="float64").fit(X)

    of_list = small(dtype="float64").fit(list(X))

    np.testing.assert_allclose(of_list.loss_curve_, of_array.loss_curve_)
    np.testing.assert_allclose(of_list.reconstruct(list(X)), of_array.reconstruct(X))


def test_an_array_padded_with_nan_is_a_list_of_sequences(ragged):
    X = pad(ragged)
    model = small().fit(X)

    np.testing.assert_array_equal(model.transform(X), small().fit(ragged).transform(ragged))
    reconstructed = model.reconstruct(X)
    np.testing.assert_array_equal(np.isnan(reconstructed), np.isnan(X))
    np.testing.assert_array_equal(reconstructed[0, :3], model.reconstruct(ragged)[0])


def test_channels_first_of_several_lengths_come_back_as_they_came(ragged):
    swapped = [sequence.T for sequence in ragged]
    model = small(data_format="channels_first").fit(swapped)

    reconstructed = model.reconstruct(swapped)

    expected = small().fit(ragged).reconstruct(ragged)
    for own, other in zip(reconstructed, expected, strict=True):
        np.testing.assert_allclose(own.T, other, rtol=1e-5, atol=1e-6)


def test_shorter_arrays_and_numbers_are_read(ragged):
    numbers = [sequence[:, 0] for sequence in ragged]
    model = small().fit(numbers)

    assert [r.shape for r in model.reconstruct(numbers)] == [x.shape for x in numbers]
    assert small().fit(ragged).reconstruct(np.stack([x[:3] for x in ragged])).shape == (60, 3, 8)


def test_several_lengths_stop_early_go_on_and_are_saved(ragged):
    model = small(early_stopping=True, noise="gaussian", sparsity=0.1).fit(ragged)
    loaded = pickle.loads(pickle.dumps(model))

    np.testing.assert_array_equal(loaded.transform(ragged), model.transform(ragged))
    assert np.isfinite(model.validation_scores_).all()
    going_on = small().partial_fit(ragged).partial_fit(ragged[:9])
    assert np.isfinite(going_on.loss_)


def test_several_lengths_train_the_same_in_a_stack(ragged):
    alone = [small(random_state=i).fit(ragged).loss_curve_ for i in range(2)]

    with joblib.parallel_config(backend="stacked"):
        stacked = joblib.Parallel()(
            joblib.delayed(small(random_state=i).fit)(ragged) for i in range(2)
        )

    np.testing.assert_allclose([model.loss_curve_ for model in stacked], alone, rtol=1e-4)


def test_what_several_lengths_cannot_be_is_told(ragged, images):
    model = small().fit(ragged)
    with pytest.raises(ValueError, match="8 to 9 steps of 8 features, .* 1 to 8 steps of 8"):
        model.transform([np.ones((9, 8)), np.ones((8, 8))])
    with pytest.raises(ValueError, match="steps of 2 features"):
        model.transform([np.ones((4, 2)), np.ones((3, 2))])
    with pytest.raises(ValueError, match="X_clean needs sequences of one length"):
        small().fit(ragged, X_clean=ragged)
    with pytest.raises(ValueError, match="was fitted to 8 to 8 steps"):
        small().fit(images[:40]).transform(ragged)
