"""Recurrent estimators: sequences as X and y, states, frames."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from threadpoolctl import threadpool_limits
from torch import nn

from sknn_basics import RNNClassifier, RNNRegressor, from_json

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

OPTIONS = {"hidden_layer_sizes": (6,), "max_iter": 3, "random_state": 0}
# So slow that weights stay what they were, and the loss is that of the initial network.
STILL = {**OPTIONS, "max_iter": 1, "learning_rate_init": 1e-12, "alpha": 0.0}
LENGTHS = 3 + np.arange(60) % 6


def classifier(**options) -> RNNClassifier:
    return RNNClassifier(**{**OPTIONS, **options})


def regressor(**options) -> RNNRegressor:
    return RNNRegressor(**{**OPTIONS, **options})


@pytest.fixture(scope="module")
def digits():
    """Digits as 60 sequences of 8 lines of 8 pixels, and their labels."""
    data = load_digits()
    return data.images[:60] / 16, data.target[:60]


@pytest.fixture(scope="module")
def ragged(digits):
    """The first lines of each digit."""
    X, y = digits
    return [image[:length] for image, length in zip(X, LENGTHS)], y


@pytest.fixture(scope="module")
def sums(digits):
    """For each line, the share of ink up to it, and whether it is more than the mean."""
    ink = digits[0].mean(axis=2).cumsum(axis=1) / 8
    return ink, (ink > ink.mean()).astype(int)


def cut(arrays):
    return [array[:length] for array, length in zip(arrays, LENGTHS)]


def assert_all_equal(a, b):
    assert len(a) == len(b)
    for left, right in zip(a, b):
        np.testing.assert_array_equal(left, right)


# Shapes of X.


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_predicts_as_layers_of_torch_with_its_weights(cell, digits):
    X, y = digits
    model = classifier(cell=cell, dtype="float64").fit(X, y)
    layer = model.module_.hidden1
    reference = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[cell](8, 6, batch_first=True)
    own = [*layer.weights(""), torch.zeros_like(layer.bias)]
    reference.double().load_state_dict(dict(zip(reference.state_dict(), own)))
    with torch.no_grad():
        output = model.module_.output(reference(torch.tensor(X))[0][:, -1])
    np.testing.assert_allclose(model.predict_proba(X), output.softmax(1), atol=1e-12)


@pytest.mark.parametrize("make", [classifier, regressor])
def test_rows_are_read_as_steps_of_one_number(make, digits):
    X, y = digits
    rows = X.mean(axis=2)
    by_rows = make().fit(rows, y).predict(rows)
    by_steps = make().fit(rows[:, :, None], y).predict(rows[:, :, None])
    np.testing.assert_array_equal(by_rows, by_steps)


def test_sparse_rows_give_the_model_of_dense_ones(digits):
    X, y = digits
    rows = X.mean(axis=2) * (X.mean(axis=2) > 0.3)
    dense = classifier().fit(rows, y)
    sparse = classifier().fit(csr_array(rows), y)
    np.testing.assert_array_equal(dense.predict_proba(rows), sparse.predict_proba(rows))


@pytest.mark.parametrize(
    "convert",
    [
        list,
        tuple,
        lambda X: X.tolist(),
        torch.tensor,
        np.asfortranarray,
        lambda X: [torch.tensor(x) for x in X],
        lambda X: [pd.DataFrame(x, index=range(7, 7 + len(x))) for x in X],
    ],
    ids=["list", "tuple", "nested list", "tensor", "Fortran", "list of tensors", "list of frames"],
)
def test_the_container_of_the_sequences_does_not_matter(convert, digits):
    X, y = digits
    model = classifier().fit(X, y)
    other = classifier().fit(convert(X), y)
    np.testing.assert_array_equal(other.predict_proba(convert(X)), model.predict_proba(X))


def test_an_array_of_objects_is_a_list_of_sequences(ragged):
    X, y = ragged
    objects = np.empty(len(X), dtype=object)
    objects[:] = X
    a, b = classifier().fit(X, y), classifier().fit(objects, y)
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(objects))


def test_single_precision_stays_what_it_is(digits):
    X, y = digits
    a = classifier(dtype="float32").fit(X.astype("f4"), y)
    b = classifier(dtype="float32").fit(X.astype("f4").astype("f8"), y)
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(X))


def test_predictions_take_sequences_of_another_length(digits):
    X, y = digits
    model = classifier(dtype="float64").fit(X, y)
    alone = [model.predict_proba(x[None, :5])[0] for x in X]
    np.testing.assert_allclose(model.predict_proba(X[:, :5]), alone, atol=1e-12)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_sequences_of_several_lengths_are_predicted_as_each_alone(bidirectional, ragged):
    X, y = ragged
    model = classifier(bidirectional=bidirectional, dtype="float64").fit(X, y)
    alone = np.concatenate([model.predict_proba([x]) for x in X])
    np.testing.assert_allclose(model.predict_proba(X), alone, atol=1e-12)


def test_a_list_of_one_number_a_step_is_a_list_of_sequences(ragged):
    X, y = [x.mean(axis=1) for x in ragged[0]], ragged[1]
    model = classifier().fit(X, y)
    assert model.n_features_in_ == 1
    expected = classifier().fit([x[:, None] for x in X], y).predict_proba([x[:, None] for x in X])
    np.testing.assert_array_equal(model.predict_proba(X), expected)


def padded(ragged):
    """Put sequences into one array, in which shorter ones end with steps of NaN."""
    X = np.full((len(ragged), max(map(len, ragged)), *ragged[0].shape[1:]), np.nan)
    for i, sequence in enumerate(ragged):
        X[i, : len(sequence)] = sequence
    return X


@pytest.mark.parametrize("make", [classifier, regressor])
def test_an_array_padded_with_nan_is_a_list_of_sequences(make, ragged):
    X, y = ragged

    model = make(random_state=0).fit(padded(X), y)

    of_list = make(random_state=0).fit(X, y)
    np.testing.assert_array_equal(model.predict(padded(X)), of_list.predict(X))
    np.testing.assert_array_equal(model.predict(X), of_list.predict(X))
    assert model.score(padded(X), y) == of_list.score(X, y)


def test_rows_padded_with_nan_are_a_list_of_sequences(ragged):
    numbers, y = [sequence[:, 0] for sequence in ragged[0]], ragged[1]

    model = classifier(random_state=0).fit(padded(numbers), y)

    expected = classifier(random_state=0).fit(numbers, y).predict(numbers)
    np.testing.assert_array_equal(model.predict(padded(numbers)), expected)


def test_padded_channels_first_are_read_in_their_layout(ragged):
    X, y = ragged
    swapped = padded(X).transpose(0, 2, 1)

    model = classifier(random_state=0, data_format="channels_first").fit(swapped, y)

    expected = classifier(random_state=0).fit(X, y).predict(X)
    np.testing.assert_array_equal(model.predict(swapped), expected)


def test_targets_of_padded_steps_do_not_count(ragged, sums):
    X, y = ragged[0], [ink[:, np.newaxis] for ink in cut(sums[0])]

    model = regressor(random_state=0).fit(padded(X), padded(y))

    expected = regressor(random_state=0).fit(X, y)
    for steps, other in zip(model.predict(padded(X)), expected.predict(X), strict=True):
        np.testing.assert_array_equal(steps, other)
    assert model.score(padded(X), padded(y)) == expected.score(X, y)


def test_a_list_whose_lengths_agree_by_chance_is_a_list(ragged):
    numbers, y = [sequence[:, 0] for sequence in ragged[0]], ragged[1]
    alike = [sequence[: len(min(numbers, key=len))] for sequence in numbers]

    model = classifier(random_state=0).fit(alike, y)

    assert model.n_features_in_ == 1
    assert model.predict(numbers).shape == y.shape


@pytest.mark.parametrize("make", [classifier, regressor])
def test_targets_of_steps_whose_lengths_agree_by_chance_are_of_steps(make):
    X = [np.arange(5.0), np.arange(5.0)[::-1], np.ones(5)]
    y = [np.array([0, 1, 0, 1, 1]), np.array([1, 1, 0, 0, 1]), np.zeros(5, int)]

    predicted = make(random_state=0).fit(X, y).predict([*X, np.ones(3)])

    assert [len(steps) for steps in predicted] == [5, 5, 5, 3]


def test_one_short_list_of_numbers_is_a_sequence_once_sequences_are_fitted(ragged):
    X, y = [x.mean(axis=1) for x in ragged[0]], ragged[1]
    model = classifier().fit(X, y)
    together = model.predict_proba(X)
    np.testing.assert_allclose(model.predict_proba([X[4]])[0], together[4], atol=1e-12)


def test_n_features_is_that_of_a_step(digits):
    X, y = digits
    assert classifier().fit(X, y).n_features_in_ == 8
    assert classifier().fit(X.mean(axis=2), y).n_features_in_ == 8
    assert classifier().fit(X[:, :3], y).n_features_in_ == 8
    assert classifier().fit(X[:, :, :3], y).n_features_in_ == 3


# Targets.


@pytest.mark.parametrize(
    ("shape", "n_outputs"), [((60,), 1), ((60, 2), 2), ((60, 8, 1), 1), ((60, 8, 3), 3)], ids=str
)
def test_a_regressor_predicts_in_the_shape_of_y(shape, n_outputs, digits):
    X, _ = digits
    y = np.random.RandomState(0).normal(size=shape)
    model = regressor().fit(X, y)
    assert model.predict(X).shape == shape
    assert model.n_outputs_ == n_outputs


def test_a_classifier_predicts_a_label_for_each_step(digits, sums):
    X, _ = digits
    y = np.where(sums[1], "more", "less")
    model = classifier().fit(X, y)
    assert model.predict(X).shape == (60, 8)
    assert set(np.unique(model.predict(X))) <= {"more", "less"}
    assert model.predict_proba(X).shape == (60, 8, 2)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X))


@pytest.mark.parametrize("loss", ["log_loss", "cross_entropy"])
def test_a_classifier_takes_several_columns_a_step(loss, digits, sums):
    X, _ = digits
    y = np.stack([sums[1], 1 - sums[1]], axis=2)
    model = classifier(loss=loss).fit(X, y)
    assert model.predict_proba(X).shape == (60, 8, 2)
    assert 0 <= model.score(X, y) <= 1


def test_rows_may_have_as_many_labels_as_steps(digits, sums):
    X, _ = digits
    labels = classifier().fit(X.mean(axis=2), sums[1])
    assert labels.predict_proba(X.mean(axis=2)).shape == (60, 8)
    steps = classifier().fit(X.mean(axis=2), sums[1] + 1)
    assert steps.predict_proba(X.mean(axis=2)).shape == (60, 8, 2)


def test_learns_what_each_step_needs_from_those_before(digits, sums):
    X, _ = digits
    options = {"batch_size": 10, "learning_rate_init": 0.01, "max_iter": 60, "tol": 0}
    model = regressor(**options).fit(X, sums[0][:, :, None])
    assert model.score(X, sums[0][:, :, None]) > 0.95


@pytest.mark.parametrize("shape", [(60, 3), (60, 3, 1), (60, 3, 2)], ids=str)
def test_further_steps_have_the_shape_of_y(shape, ragged):
    X, _ = ragged
    y = np.random.RandomState(0).normal(size=shape)
    assert regressor(n_steps_out=3).fit(X, y).predict(X).shape == shape


def test_one_step_may_be_followed_by_many(digits, sums):
    X, _ = digits
    model = regressor(n_steps_out=8).fit(X[:, :1], sums[0])
    assert model.predict(X[:, :1]).shape == (60, 8)


def test_a_classifier_predicts_further_steps(digits, sums):
    X, _ = digits
    model = classifier(n_steps_out=2).fit(X[:, :6], sums[1][:, 2:4])
    assert model.predict_proba(X[:, :6]).shape == (60, 2, 2)


def test_steps_of_several_lengths_are_predicted_in_a_list(ragged, sums):
    X, _ = ragged
    model = classifier().fit(X, cut(sums[1]))
    for predictions in (model.predict(X), model.predict_proba(X), model.top_k(X, 1)[0]):
        assert [len(steps) for steps in predictions] == LENGTHS.tolist()


# Losses and scores.


def test_the_loss_of_steps_is_the_mean_over_each_sequence(ragged, sums):
    X, _ = ragged
    y = cut(sums[1])
    model = classifier(**STILL).fit(X, y)
    losses = [log_loss(t, p, labels=[0, 1]) for t, p in zip(y, model.predict_proba(X))]
    assert model.loss_ == pytest.approx(np.mean(losses), abs=1e-6)


def test_the_squared_error_of_steps_is_the_mean_over_each_sequence(ragged, sums):
    X, _ = ragged
    y = cut(np.stack([sums[0], -sums[0]], axis=2))
    model = regressor(**STILL).fit(X, y)
    losses = [0.5 * np.square(t - p).mean() for t, p in zip(y, model.predict(X))]
    assert model.loss_ == pytest.approx(np.mean(losses), abs=1e-6)


def test_class_weights_weigh_the_steps(ragged, sums):
    X, _ = ragged
    y = cut(sums[1])
    model = classifier(**STILL, class_weight={0: 1.0, 1: 3.0}).fit(X, y)
    losses = []
    for true, probability in zip(y, model.predict_proba(X)):
        loss = -np.log(probability[np.arange(len(true)), true])
        losses.append(np.mean(loss * np.where(true, 3.0, 1.0)))
    assert model.loss_ == pytest.approx(np.mean(losses), abs=1e-6)


def test_balanced_classes_weigh_the_same_all_together(ragged, sums):
    X, _ = ragged
    y = cut(sums[1])
    weights = classifier(class_weight="balanced").fit(X, y)._step_weights_
    counts = np.bincount(np.concatenate(y))
    np.testing.assert_allclose(weights * counts, counts.sum() / 2)


@pytest.mark.filterwarnings("ignore:Got `batch_size`")
def test_a_weight_of_two_is_the_sequence_twice(ragged, sums):
    X, _ = ragged
    y, weight = cut(sums[1]), 1 + np.arange(60) % 2
    twice = [i for i, n in enumerate(weight) for _ in range(n)]
    options = {"batch_size": 200, "shuffle": False}
    weighted = classifier(**options).fit(X, y, weight)
    repeated = classifier(**options).fit([X[i] for i in twice], [y[i] for i in twice])
    for a, b in zip(weighted.predict_proba(X), repeated.predict_proba(X)):
        np.testing.assert_allclose(a, b, atol=1e-9)


def test_each_step_is_scored(ragged, sums):
    X, _ = ragged
    y, weight = cut(sums[1]), np.arange(60.0)
    model = classifier().fit(X, y)
    true, predicted = np.concatenate(y), np.concatenate(model.predict(X))
    expected = accuracy_score(true, predicted, sample_weight=np.repeat(weight, LENGTHS))
    assert model.score(X, y, weight) == pytest.approx(expected)


def test_a_regressor_scores_each_step(digits, sums):
    X, _ = digits
    y = np.stack([sums[0], sums[0] ** 2], axis=2)
    model = regressor().fit(X, y)
    expected = r2_score(y.reshape(-1, 2), model.predict(X).reshape(-1, 2))
    assert model.score(X, y) == pytest.approx(expected)


def test_early_stopping_scores_each_step(ragged, sums):
    X, _ = ragged
    X_val, y_val = X[:20], cut(sums[1])[:20]
    model = classifier(early_stopping=True).fit(X, cut(sums[1]), X_val=X_val, y_val=y_val)
    assert model.best_validation_score_ == pytest.approx(model.score(X_val, y_val))


@pytest.mark.parametrize("scoring", ["loss", "accuracy"])
def test_early_stopping_with_a_scorer_reads_several_lengths(scoring, ragged):
    model = classifier(early_stopping=True, scoring=scoring).fit(*ragged)
    assert np.isfinite(model.validation_scores_).all()


def test_searches_take_sequences_of_several_lengths(ragged, sums):
    X, _ = ragged
    search = GridSearchCV(classifier(), {"cell": ["gru", "rnn"]}, cv=2, error_score="raise")
    search.fit(X, cut(sums[1]))
    assert [len(steps) for steps in search.predict(X)] == LENGTHS.tolist()


def test_cross_validation_takes_frames_of_labels(digits, sums):
    scores = cross_val_score(classifier(), digits[0], sums[1], cv=2, error_score="raise")
    assert np.isfinite(scores).all()


# States.


def test_states_go_on_over_batches_of_any_number_of_samples(digits):
    X, _ = digits
    y = X.mean(axis=(1, 2))
    model = regressor(**STILL, stateful=True, batch_size=7, dtype="float64").fit(X, y)
    layer, output = model.module_.hidden1, model.module_.output
    reference = nn.LSTM(8, 6, batch_first=True).double()
    own = [*layer.weights(""), torch.zeros_like(layer.bias)]
    reference.load_state_dict(dict(zip(reference.state_dict(), own)))
    predicted, state = [], None
    with torch.no_grad():
        for batch in torch.tensor(X).split(7):
            if state is not None:
                state = tuple(values[:, : len(batch)].contiguous() for values in state)
            hidden, state = reference(batch, state)
            predicted.append(output(hidden[:, -1])[:, 0].numpy())
    predicted = np.concatenate(predicted)
    assert model.loss_ == pytest.approx(0.5 * np.square(predicted - y).mean(), abs=1e-9)
    np.testing.assert_allclose(model.predict(X), predicted, atol=1e-9)


def test_predictions_go_on_until_states_are_reset(digits):
    X, y = digits
    model = classifier(stateful=True, batch_size=1).fit(X, y)
    whole = model.predict_proba(X)
    model.reset_states()
    parts = [model.predict_proba(part) for part in np.array_split(X, 7)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert not np.array_equal(model.predict_proba(X[:5]), whole[:5])
    np.testing.assert_array_equal(model.reset_states().predict_proba(X[:5]), whole[:5])


def test_stateful_samples_keep_their_order(digits):
    X, y = digits
    shuffled = classifier(stateful=True, batch_size=5, shuffle=True).fit(X, y)
    in_order = classifier(stateful=True, batch_size=5, shuffle=False).fit(X, y)
    np.testing.assert_array_equal(shuffled.loss_curve_, in_order.loss_curve_)


def test_stateful_early_stopping_holds_out_the_last_samples(digits):
    X, y = digits
    options = {"stateful": True, "batch_size": 5, "early_stopping": True}
    a = classifier(**options, validation_fraction=0.25).fit(X, y)
    b = classifier(**options).fit(X[:45], y[:45], X_val=X[45:], y_val=y[45:])
    np.testing.assert_array_equal(a.loss_curve_, b.loss_curve_)
    np.testing.assert_array_equal(a.validation_scores_, b.validation_scores_)


def test_looking_at_a_stateful_network_leaves_its_states(digits):
    X, y = digits
    model = classifier(stateful=True, batch_size=5).fit(X, y)
    expected = model.predict_proba(X)
    model.reset_states().predict(X[:30])
    model.summary()
    model.states(X)
    np.testing.assert_array_equal(model.predict_proba(X[30:]), expected[30:])


def test_states_of_the_last_step_give_the_predictions(digits):
    X, _ = digits
    y = X.mean(axis=(1, 2))
    model = regressor(hidden_layer_sizes=(6, 4), dtype="float64").fit(X, y)
    states = model.states(X)
    assert {name: values.shape for name, values in states.items()} == {
        "layer1_hidden": (60, 8, 6),
        "layer1_cell": (60, 8, 6),
        "layer2_hidden": (60, 8, 4),
        "layer2_cell": (60, 8, 4),
    }
    weight, bias = (p.numpy(force=True) for p in model.module_.output.parameters())
    expected = states["layer2_hidden"][:, -1] @ weight[0] + bias
    np.testing.assert_allclose(model.predict(X), expected, atol=1e-12)


def test_there_are_no_states_behind_the_end(ragged):
    X, y = ragged
    model = classifier(cell="gru", bidirectional=True, dtype="float64").fit(X, y)
    states = model.states(X)
    assert list(states) == ["layer1_hidden", "layer1_hidden_reverse"]
    for values in states.values():
        assert (np.isfinite(values).all(axis=2).sum(axis=1) == LENGTHS).all()
    alone = model.states(X[:1])
    np.testing.assert_allclose(states["layer1_hidden"][0, :3], alone["layer1_hidden"][0])


# Frames.


@pytest.mark.parametrize("has_channels", [False, True])
def test_frames_are_read_through_convolutions(has_channels, digits):
    X, y = digits
    frames = X.reshape(60, 2, 4, 8)
    frames = frames[:, :, None] if has_channels else frames
    model = classifier(filters=(4, 3), kernel_size=3).fit(frames, y)
    counts = {
        name: layer.weight.shape
        for name, layer in model.module_.frames.module.named_children()
        if "conv" in name and hasattr(layer, "weight")
    }
    assert counts == {"conv1": (4, 1, 3, 3), "conv2": (3, 4, 3, 3)}
    assert model.module_.hidden1.n_inputs == 3 * 1 * 2
    assert model.predict(frames).shape == (60,)


def test_frames_without_filters_are_flattened(digits):
    X, y = digits
    a = classifier().fit(X.reshape(60, 2, 4, 8), y).predict_proba(X.reshape(60, 2, 4, 8))
    b = classifier().fit(X.reshape(60, 2, 32), y).predict_proba(X.reshape(60, 2, 32))
    np.testing.assert_array_equal(a, b)


def test_a_model_of_frames_has_a_known_number_of_parameters():
    X = np.zeros((9, 1, 1, 128, 128), dtype=np.uint8)
    model = RNNClassifier((128,), filters=8, kernel_size=5, strides=2, random_state=0)
    assert model.initialize(X, np.arange(9)).n_parameters_ == 16_844_633


def test_a_character_model_has_a_known_number_of_parameters():
    X = np.tile(np.eye(89), (89, 1, 1))[:, :3]
    model = RNNClassifier((128, 128), random_state=0).initialize(X, np.arange(89))
    assert model.n_parameters_ == 254_681


def test_a_compiled_network_predicts_the_same(digits):
    plain = classifier(dtype="float32").fit(*digits)
    compiled = classifier(dtype="float32", compile=True).fit(*digits)
    expected = plain.predict_proba(digits[0])
    np.testing.assert_allclose(compiled.predict_proba(digits[0]), expected, atol=1e-5)


# Repeating and saving.

KINDS = {
    "plain": {},
    "stateful": {"stateful": True, "batch_size": 7},
    "deep": {"hidden_layer_sizes": (5, 4), "bidirectional": True, "merge_mode": "product"},
    "random": {"dropout": 0.2, "recurrent_dropout": 0.2, "input_noise": 0.1},
    "balanced": {"class_weight": "balanced", "cell": "gru"},
}


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_the_same_seed_gives_the_same_bits(options, digits, sums):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    a, b = (classifier(**options).fit(digits[0], sums[1]) for _ in range(2))
    np.testing.assert_array_equal(a.predict_proba(digits[0]), b.predict_proba(digits[0]))
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])


@pytest.mark.parametrize("weight_init", ["auto", "orthogonal"])
def test_initial_weights_do_not_depend_on_the_number_of_threads(weight_init, digits):
    drawn = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads):
            model = classifier(hidden_layer_sizes=(200,), weight_init=weight_init)
            drawn.append(model.initialize(*digits).module_.state_dict())
    assert all(torch.equal(drawn[0][name], drawn[1][name]) for name in drawn[0])


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_a_saved_model_predicts_the_same(options, digits, sums):
    X, _ = digits
    model = classifier(**options).fit(X, sums[1])
    expected = model.predict_proba(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), expected)


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_a_model_is_rebuilt_from_its_architecture_and_weights(options, digits, sums, tmp_path):
    X, _ = digits
    model = classifier(**options).fit(X, sums[1])
    expected = model.predict_proba(X)
    model.save_weights(tmp_path / "weights.npz")
    rebuilt = from_json(model.to_json()).load_weights(tmp_path / "weights.npz")
    np.testing.assert_array_equal(rebuilt.predict_proba(X), expected)


def test_a_loaded_model_of_several_lengths_goes_on_as_the_other(ragged, sums):
    X, _ = ragged
    model = classifier(warm_start=True).fit(X, cut(sums[1]))
    loaded = pickle.loads(pickle.dumps(model))
    assert_all_equal(
        loaded.fit(X, cut(sums[1])).predict_proba(X), model.fit(X, cut(sums[1])).predict_proba(X)
    )


def test_partial_fit_takes_batches_of_several_lengths(ragged, digits, sums):
    X, _ = ragged
    model = classifier().partial_fit(X, cut(sums[1]), classes=[0, 1])
    model.partial_fit(digits[0], sums[1])
    assert model.n_iter_ == 1
    assert model.t_ == 120


def test_layers_are_taken_from_another_network(digits, sums):
    first = classifier().fit(*digits)
    second = classifier(init_from=first, frozen_layers="hidden*").fit(digits[0], sums[1])
    for a, b in zip(first.module_.hidden1.weights(""), second.module_.hidden1.weights("")):
        assert torch.equal(a, b)


# Bad input.


def spoilt(X, value, step=-1):
    X = X.copy()
    X[3, step] = value
    return X


BAD_X = {
    "NaN before a step": (lambda X: spoilt(X, np.nan, 4), "Input X contains NaN"),
    "NaN in a part of a step": (
        lambda X: np.where(spoilt(X, 99) == X[:, :, :1], X, np.nan),
        "Input X contains NaN",
    ),
    "NaN in a list": (lambda X: cut(spoilt(X, np.nan)[:, ::-1]), "Input X contains NaN"),
    "too large": (lambda X: spoilt(X, 1e39), "X contains a value too large"),
    "too large in a list": (lambda X: cut(spoilt(X, 1e39)[:, ::-1]), "X contains a value too l"),
    "words": (lambda X: X.astype(str), "not compatible with arrays of bytes/strings"),
    "words in a list": (lambda X: [["a"], ["b", "c"]] * 30, "arrays of bytes/strings"),
    "dates": (lambda X: X.astype("datetime64[s]"), "X must hold numbers, got dtype datetime64"),
    "no steps": (lambda X: X[:, :0], r"X has samples of shape \(0, 8\), which hold nothing"),
    "no steps in a list": (lambda X: [*cut(X)[:-1], X[0, :0]], r"X\[59\] is empty: .*\(0, 8\)"),
    "other steps": (lambda X: [*cut(X)[:-1], X[0, :, :3]], r"X\[59\] has steps of shape \(3,\), "),
    "one number": (lambda X: X[:, 0, 0], "Expected 2D array, got 1D array"),
    "nothing": (lambda X: [], "Expected 2D array, got 1D array"),
}


@pytest.mark.parametrize("case", BAD_X)
@pytest.mark.parametrize("make", [classifier, regressor])
def test_fit_refuses_a_bad_X(make, case, digits):
    spoil, message = BAD_X[case]
    with pytest.raises(ValueError, match=message):
        make(dtype="float32").fit(spoil(digits[0]), digits[1])


@pytest.mark.parametrize("case", BAD_X)
def test_predict_refuses_a_bad_X(case, digits):
    spoil, message = BAD_X[case]
    model = classifier(dtype="float32").fit(*digits)
    with pytest.raises(ValueError, match=message):
        model.predict(spoil(digits[0]))


def test_steps_of_another_shape_raise(digits):
    model = classifier().fit(*digits)
    message = r"X has steps of shape \(7,\), but RNNClassifier was fitted to steps of shape \(8,\)"
    with pytest.raises(ValueError, match=message):
        model.predict(digits[0][:, :, :7])


def test_sequences_raise_where_rows_were_fitted(digits):
    X, y = digits
    model = classifier().fit(X[:, 0], y)
    with pytest.raises(ValueError, match="was fitted to rows of 8 steps"):
        model.predict(X)
    with pytest.raises(ValueError, match="X has 7 features, but RNNClassifier is expecting 8"):
        model.predict(X[:, 0, :7])


BAD_Y = {
    "too few": (lambda y: y[:-1], "inconsistent numbers of samples"),
    "other steps": (lambda y: np.zeros((60, 5, 1)), r"X\[0\] has 8 steps and y\[0\] has 5"),
    "a list": (lambda y: cut(np.zeros((60, 8))), r"X\[0\] has 8 steps and y\[0\] has 3"),
    "NaN": (lambda y: np.full((60, 8, 1), np.nan), "Input y contains NaN"),
    "none": (lambda y: None, "requires y to be passed"),
}


@pytest.mark.parametrize("case", BAD_Y)
def test_fit_refuses_a_bad_y(case, digits):
    spoil, message = BAD_Y[case]
    with pytest.raises(ValueError, match=message):
        regressor().fit(digits[0], spoil(digits[1]))


@pytest.mark.parametrize("shape", [(60,), (60, 4), (60, 2, 1)])
def test_targets_that_are_not_as_many_as_n_steps_out_raise(shape, digits):
    message = r"y must have shape \(n_samples, 3\) or \(n_samples, 3, n_outputs\), got shape \(60"
    with pytest.raises(ValueError, match=message):
        regressor(n_steps_out=3).fit(digits[0], np.zeros(shape))


def test_a_validation_set_of_other_steps_is_named(digits, sums):
    with pytest.raises(ValueError, match=r"In X_val.*X\[0\] has 8 steps and y\[0\] has 7"):
        classifier().fit(digits[0], sums[1], X_val=digits[0], y_val=sums[1][:, :7])


BAD_OPTIONS = {
    "no layer": ({"hidden_layer_sizes": ()}, "at least one recurrent layer"),
    "cell": ({"cell": "elman"}, "'cell' parameter of RNNClassifier must be"),
    "loss": ({"loss": "hinge"}, "'loss' parameter of RNNClassifier must be"),
    "dropout": ({"dropout": [0.1, 0.2]}, "dropout must be one value or one for each of the 1 hid"),
    "recurrent": ({"recurrent_dropout": [1.0]}, r"recurrent_dropout must lie in \[0, 1\)"),
    "filters": ({"filters": 3}, r"filters=3 needs frames .*, X has steps of shape \(8,\)"),
    "two ways": ({"stateful": True, "bidirectional": True}, "does not work with bidirectional=Tr"),
    "further": ({"stateful": True, "n_steps_out": 2}, "does not work with n_steps_out=2"),
    "lbfgs": ({"stateful": True, "solver": "lbfgs"}, "'lbfgs' does not work with stateful=True"),
    "masks": ({"recurrent_dropout": 0.1, "solver": "lbfgs"}, "not work with recurrent_dropout=0.1"),
}


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_fit_refuses_bad_options(case, digits):
    options, message = BAD_OPTIONS[case]
    with pytest.raises(ValueError, match=message):
        classifier(**options).fit(*digits)


def test_stateful_networks_refuse_several_lengths(ragged):
    with pytest.raises(ValueError, match="stateful=True needs sequences of one length"):
        classifier(stateful=True).fit(*ragged)


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "states", "reset_states", "summary"]
)
def test_an_unfitted_model_does_nothing(method, digits):
    arguments = () if method in ("reset_states", "summary") else digits[:1]
    with pytest.raises(NotFittedError):
        getattr(classifier(), method)(*arguments)


# Where the features are.


@pytest.fixture(scope="module")
def signals():
    """40 signals of shape (100 steps, 6 channels), whose frequency is their label."""
    rng, time, y = np.random.RandomState(0), np.linspace(0, 6, 100), np.arange(40) % 2
    phase = rng.uniform(0, 6, (40, 1, 6))
    return np.sin(time[:, None] * (1 + y[:, None, None]) + phase), y


def test_channels_first_trains_and_predicts_as_channels_last(signals):
    X, y = signals
    last = classifier(scoring="accuracy").fit(X, y, X_val=X[:7], y_val=y[:7])
    first = classifier(scoring="accuracy", data_format="channels_first")
    swapped = X.swapaxes(1, 2)
    first.fit(swapped, y, X_val=swapped[:7], y_val=y[:7])
    assert first.n_features_in_ == 6
    assert first.validation_scores_ == last.validation_scores_
    np.testing.assert_array_equal(first.predict_proba(swapped), last.predict_proba(X))
    np.testing.assert_array_equal(
        first.states(swapped)["layer1_hidden"], last.states(X)["layer1_hidden"]
    )
    loaded = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(loaded.predict_proba(swapped), last.predict_proba(X))


def test_channels_first_holds_for_sequences_of_several_lengths(signals):
    X = [x[:n] for x, n in zip(signals[0], 50 + np.arange(40))]
    y, swapped = [x[:, 0] for x in X], [x.T for x in X]
    options = {"early_stopping": True, "scoring": lambda model, X, y: model.score(X, y)}
    last = regressor(**options).fit(X, y)
    first = regressor(**options, data_format="channels_first").fit(swapped, y)
    assert first.validation_scores_ == last.validation_scores_
    assert_all_equal(first.predict(swapped), last.predict(X))
    assert first.score(swapped, y) == last.score(X, y)


def test_channels_last_frames_train_as_channels_first(digits):
    X, y = digits
    frames = np.stack([X, 1 - X, X**2], axis=2).reshape(60, 8, 3, 2, 4)
    first = classifier(filters=2, kernel_size=3).fit(frames, y)
    last = classifier(filters=2, kernel_size=3, data_format="channels_last")
    moved = np.moveaxis(frames, 2, -1)
    last.fit(moved, y)
    np.testing.assert_array_equal(last.predict_proba(moved), first.predict_proba(frames))


def layouts(X):
    """What is read as given, and is not what it looks like: X, and the remedy."""
    frames = np.repeat(X[:, :64, :3].reshape(40, 1, 8, 8, 3), 2, axis=1)
    return {
        "(n, channels, steps)": (X.swapaxes(1, 2), "first"),
        "(n, 1, steps)": (X[:, :, :1].swapaxes(1, 2), "first"),
        "a list": (list(X.swapaxes(1, 2)), "first"),
        "frames": (frames, "last"),
    }


@pytest.mark.parametrize("case", list(layouts(np.zeros((40, 100, 6)))))
def test_axes_that_look_swapped_are_warned_of(case, signals):
    X, remedy = layouts(signals[0])[case]
    with pytest.warns(UserWarning, match=f"data_format='channels_{remedy}'"):
        classifier(max_iter=1).fit(X, signals[1])
    other = {"first": "last", "last": "first"}[remedy]
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier(max_iter=1, data_format=f"channels_{other}").fit(X, signals[1])


def test_usual_layouts_are_not_warned_of(signals, digits):
    X, y = signals
    words = np.random.RandomState(0).normal(size=(40, 5, 100))
    frames = np.zeros((40, 4, 3, 8, 8))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        for usual in (X, X[:, :1], X[:, :, 0], words, digits[0][:40], frames, frames[:, :, 0]):
            classifier(max_iter=1).fit(usual, y)
        regressor(max_iter=1, n_steps_out=8).fit(digits[0][:, :1], digits[0][:, :, 0])


def test_lists_with_the_channels_first_name_the_remedy(signals):
    X = [x[:n].T for x, n in zip(signals[0], 50 + np.arange(40))]
    with pytest.raises(ValueError, match=r"X\[1\] has steps .* data_format='channels_first'"):
        classifier().fit(X, signals[1])
