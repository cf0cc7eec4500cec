"""Text generation: tokens, windows, learning, writing, scoring."""

import pickle
import re
from collections import Counter
from pydoc_data.topics import topics

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from torch import nn

from sknn_basics import TextGenerator, from_json
from sknn_basics.estimators._base.texts import LEVELS
from sknn_basics.estimators.text import keep_likely
from sknn_basics.modules.layers import Dropout
from sknn_basics.training.callbacks import PrintText
from sknn_basics.training.text import TextDataset, Windows, log_probabilities

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

FOX = "the quick brown fox jumps over the lazy dog. " * 30
HELP = "\n".join(topics[name] for name in sorted(topics))
OPTIONS = {"hidden_layer_sizes": (16,), "window": 12, "max_iter": 2, "random_state": 0}


def generator(**options) -> TextGenerator:
    return TextGenerator(**{**OPTIONS, **options})


@pytest.fixture(scope="module")
def fox():
    """A generator that knows its sentence by heart."""
    return generator(hidden_layer_sizes=(32,), learning_rate_init=0.02, max_iter=15, tol=0.0).fit(
        FOX
    )


@pytest.fixture(scope="module")
def helper():
    """A generator that has learnt a little of Python's help."""
    return generator().fit(HELP[:3000])


# Tokens.


def test_tokens_are_the_characters_of_the_texts(helper):
    assert helper.tokens_ == sorted(set(HELP[:3000]))
    assert [helper.vocabulary_[token] for token in helper.tokens_] == list(
        range(len(helper.tokens_))
    )


def test_counts_are_those_of_the_text(helper):
    counts = Counter(HELP[:3000])
    assert helper.token_counts_.tolist() == [counts[token] for token in helper.tokens_]


def test_words_are_split_from_marks():
    words = LEVELS["word"].split("Yes, it's  done (mostly)!\nIs well-known pi 3.14?")
    expected = "Yes , it's done ( mostly ) !|Is well-known pi 3.14 ?".replace("|", " \n ")
    assert words == expected.split(" ")


@pytest.mark.parametrize(
    "text",
    [
        "Yes, it's done (mostly)!\nIs it?",
        'He said "yes", she said "no".\nThe "end"',
        "She\u2019d pay $1,000.50 \u2013 or 5% of \u201call\u201d it's well-known for...",
        "One [or two; even {three}]: @home, #1",
    ],
)
def test_words_get_their_spaces_back(text):
    assert LEVELS["word"].join(LEVELS["word"].split(text)) == text


def test_words_stay_the_same_when_they_are_written_and_read_again():
    words = LEVELS["word"].split(HELP)
    assert LEVELS["word"].split(LEVELS["word"].join(words)) == words


def test_only_the_most_frequent_words_are_kept():
    model = generator(level="word", max_tokens=3, window=4).fit("a a a a b b b c c d " * 5)
    assert model.tokens_ == ["a", "b", "c", "<unk>"]
    assert model.token_counts_.tolist() == [20, 15, 10, 5]


def test_a_given_vocabulary_is_used():
    model = generator(vocabulary=list("cba"), unknown_token="?").fit("abcd" * 20)
    assert model.tokens_ == ["c", "b", "a", "?"]


# Windows.


def test_windows_lie_within_one_text():
    windows = Windows([np.arange(10), np.arange(100, 108)], window=5, step=2)
    X, y, _ = TextDataset(windows, "each", torch.device("cpu"))[:]
    assert X[:, 0].tolist() == [0, 2, 4, 100, 102]
    assert X[3].tolist() == [100, 101, 102, 103, 104]
    assert torch.equal(X[:, 1:], y[:, :-1])


def test_the_last_token_alone_may_be_the_target():
    windows = Windows([np.arange(10)], window=5, step=2)
    _, y, _ = TextDataset(windows, "last", torch.device("cpu"))[:]
    assert y.tolist() == [5, 7, 9]


def test_short_texts_are_windows_without_targets_behind_their_end():
    windows = Windows([np.arange(6), np.arange(3)], window=5, step=1)
    X, y, _ = TextDataset(windows, "each", torch.device("cpu"))[:]
    assert X[1].tolist() == [0, 1, 2, 0, 0]
    assert y[1].tolist() == [1, 2, -1, -1, -1]


def test_held_out_windows_share_no_token_with_the_others():
    model = generator(early_stopping=True, step=5)
    windows = model._check_X(FOX, reset=True)
    rows, rows_val = model._split_rows(windows, np.random.RandomState(0))
    assert windows.starts[rows].max() + model.window < windows.starts[rows_val].min() + 1
    assert len(rows_val) == np.ceil(0.1 * len(windows))


def test_windows_take_no_more_memory_than_the_text():
    windows = Windows([np.zeros(30_000, np.int32)], window=40, step=3)
    data = TextDataset(windows, "each", torch.device("cpu"))
    held = [value.nbytes for value in vars(data).values() if isinstance(value, torch.Tensor)]
    assert sum(held) < 8 * 30_000
    X, y, _ = data[:5]
    assert X.shape == y.shape == (5, 40)


# The network.


def test_a_text_model_of_89_characters_has_as_many_parameters_as_in_the_book():
    characters = [chr(32 + i) for i in range(89)]
    model = TextGenerator(vocabulary=characters).initialize(" !" * 50)
    assert model.n_parameters_ == 254_681


def test_a_text_model_of_words_has_an_embedding_two_layers_and_dropout():
    model = TextGenerator(
        "word", max_tokens=300, hidden_layer_sizes=(8, 8), dropout=0.3, max_iter=1, random_state=0
    ).fit(HELP[:20_000])
    n_tokens = 301
    layers = 4 * 8 * (64 + 8 + 1) + 4 * 8 * (8 + 8 + 1)
    assert model.n_parameters_ == n_tokens * 64 + layers + (8 + 1) * n_tokens
    assert [layer.p for layer in model.module_.children() if isinstance(layer, Dropout)] == [
        0.3
    ] * 2
    assert model.unknown_token_ == model.tokens_[-1] == "<unk>"
    assert "<unk>" not in model.generate(length=100, temperature=1.5, random_state=0)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_predicts_as_layers_of_torch_with_its_weights(cell):
    model = generator(cell=cell, hidden_layer_sizes=(6, 5)).fit(FOX)
    kinds = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
    x = torch.tensor([[model.vocabulary_[c] for c in "the quick brown"]])
    x = nn.functional.one_hot(x, len(model.tokens_)).float()
    for name, size in (("hidden1", 6), ("hidden2", 5)):
        layer, own = kinds[cell](x.shape[2], size, batch_first=True), model.module_
        own = own.get_submodule(name)
        weights = own.weight_ih, own.weight_hh, own.bias, torch.zeros_like(own.bias)
        for target, weight in zip(layer.parameters(), weights):
            target.data.copy_(weight.data)
        x = layer(x)[0]
    expected = model.module_.output(x[:, -1]).softmax(1).detach().numpy()[0]
    np.testing.assert_allclose(model.predict_proba("the quick brown"), expected, atol=1e-6)


def test_words_are_embedded():
    model = generator(level="word", window=4).fit("one two three four five six " * 10)
    assert model.module_.embedding.weight.shape == (7, 64)
    assert generator(embedding_size=3).fit(FOX).module_.embedding.weight.shape == (28, 3)


# Learning.


def test_learns_a_sentence_by_heart(fox):
    assert fox.generate("the quick ", 21, strategy="argmax") == "brown fox jumps over "
    assert fox.score(FOX) > -0.1


def bits_of_ngrams(train, test, n):
    """Bits a character of counts of n characters, with add-one smoothing."""
    grams = Counter(train[i : i + n] for i in range(len(train) - n + 1))
    contexts = Counter(train[i : i + n - 1] for i in range(len(train) - n + 1))
    ends = range(n, len(test) + 1)
    seen = np.array([(grams[test[i - n : i]], contexts[test[i - n : i - 1]]) for i in ends])
    return -np.log2((seen[:, 0] + 1) / (seen[:, 1] + len(set(train)))).mean()


def test_beats_n_grams_on_text_that_it_has_not_seen():
    train, test = HELP[:20_000], HELP[20_000:24_000]
    test = "".join(c for c in test if c in set(train))
    bits = [bits_of_ngrams(train, test, n) for n in (2, 3, 4, 5)]
    options = {"step": 40, "batch_size": 16, "learning_rate_init": 0.01, "max_iter": 8}
    model = TextGenerator(hidden_layer_sizes=(64,), random_state=0, **options)
    assert -model.fit(train).score(test) < min(bits) - 0.2


def test_learns_more_an_epoch_from_every_token_than_from_the_last():
    scores = {
        target: generator(target=target, learning_rate_init=0.01).fit(HELP[:9000]).score(HELP[:999])
        for target in ("each", "last")
    }
    assert scores["each"] > scores["last"] + 0.2


def test_learns_by_the_optimiser_of_the_book():
    options = {"solver": "rmsprop", "learning_rate_init": 0.01, "target": "last", "batch_size": 100}
    losses = generator(**options, max_iter=5).fit(FOX).loss_curve_
    assert losses[-1] < losses[0] - 0.5


def test_partial_fit_takes_epochs_of_fit():
    whole = generator(shuffle=False, max_iter=3).fit(FOX)
    parts = generator(shuffle=False)
    for _ in range(3):
        parts.partial_fit(FOX)
    np.testing.assert_allclose(parts.loss_curve_, whole.loss_curve_, rtol=1e-6)


def test_early_stopping_keeps_the_best_epoch():
    model = generator(
        early_stopping=True, max_iter=30, n_iter_no_change=3, learning_rate_init=0.05
    ).fit(HELP[:5000])
    scores = model.validation_scores_
    assert model.n_iter_ < 30
    assert model.best_validation_score_ == max(scores)


def test_validation_texts_are_scored_in_bits():
    model = generator().fit(HELP[:3000], X_val=HELP[:2000])
    loss = model.history_["valid_loss"]
    np.testing.assert_allclose(model.history_["valid_score"], -loss / np.log(2), rtol=1e-3)


def test_is_searched_over_texts():
    texts = [HELP[i : i + 500] for i in range(0, 4000, 500)]
    characters = sorted(set(HELP))
    grid = {"hidden_layer_sizes": [(2,), (32,)]}
    model = generator(learning_rate_init=0.02, max_iter=5, vocabulary=characters)
    search = GridSearchCV(model, grid, cv=2).fit(texts)
    assert search.best_params_ == {"hidden_layer_sizes": (32,)}


def test_a_callback_writes_a_text_after_every_epoch():
    texts = []
    callback = PrintText(9, prompt="the", write=texts.append, temperature=0.5)
    model = generator(callbacks=[callback], max_iter=3, dropout=0.5).fit(FOX)
    assert list(map(len, texts)) == [9] * 3
    assert texts[-1] == model.generate("the", 9, temperature=0.5, random_state=0)


def test_a_callback_changes_nothing_of_the_training():
    watched = generator(callbacks=[PrintText(9, write=str)], dropout=0.5).fit(FOX)
    assert watched.loss_curve_ == generator(dropout=0.5).fit(FOX).loss_curve_


# Texts that end.

NAMES = ["anna", "bob", "Eve"] * 40


@pytest.fixture(scope="module")
def names():
    return TextGenerator(
        hidden_layer_sizes=(16,), learning_rate_init=0.02, max_iter=40, tol=0, random_state=0
    ).fit(NAMES)


def test_short_texts_end_by_themselves(names):
    assert names.tokens_ == [*sorted(set("annabobEve")), "<end>"]
    written = names.generate(n_texts=60, top_p=0.9, random_state=0)
    assert set(written) == set(NAMES)


def test_a_text_that_ends_is_no_longer_than_wanted(names):
    assert names.generate("b", 2, strategy="argmax") == "ob"
    assert names.generate("b", 1, strategy="argmax") == "o"
    assert names.generate("bob", 5, strategy="argmax") == ""


def test_the_end_is_a_token_that_is_predicted_and_scored(names):
    end = names.vocabulary_["<end>"]
    ahead = names.predict_proba(["anna", "ann"])[:, end]
    first = np.exp2(names.score(["bob"]) * 4)
    assert ahead[0] > 0.9 > 0.1 > ahead[1]
    # The probability of the whole text, of its beginning and its end.
    parts = [names.predict_proba(c)[names.vocabulary_[t]] for c, t in [("b", "o"), ("bo", "b")]]
    assert first == pytest.approx(
        np.prod(parts) * names.predict_proba("bob")[end] * first_of(names, "b"), rel=1e-4
    )


def first_of(model, token):
    """Tell how likely a text begins with a token."""
    logits = log_probabilities(
        model.module_, model._known_tokens().encode(token, "text"), context=40
    )
    return np.exp(logits[0])


def test_ends_are_learnt_where_they_are_wanted():
    long = generator().fit([FOX, FOX])
    wanted = generator(end_token=True).fit([FOX, FOX])
    unwanted = generator(window=3, end_token=False).fit(["anna", "hannah"])

    assert "<end>" not in long.tokens_ + unwanted.tokens_
    assert wanted.tokens_ == [*long.tokens_, "<end>"]


def test_words_end_too():
    model = generator(level="word", learning_rate_init=0.02, max_iter=60, tol=0)
    model.fit(["the fox jumps", "the dog sleeps"] * 20)

    assert set(model.generate(n_texts=20, random_state=0)) <= {"the fox jumps", "the dog sleeps"}


def test_later_batches_end_as_the_first():
    model = generator(hidden_layer_sizes=(4,)).partial_fit(["anna", "bob"])

    model.partial_fit(["bob" * 20, "anna"])

    assert model.tokens_.count("<end>") == 1
    assert model.score(["anna"]) < 0


@pytest.mark.parametrize("changed", [{"end_token": False}, {"lowercase": True}])
def test_a_warm_start_does_not_read_texts_in_another_way(changed):
    model = generator(warm_start=True).fit(NAMES)

    with pytest.raises(ValueError, match=next(iter(changed)).replace("end_token", "has_end")):
        model.set_params(**changed).fit(NAMES)


def test_a_generator_of_names_is_saved_and_cloned(names):
    expected = names.generate(n_texts=5, random_state=0)
    assert pickle.loads(pickle.dumps(names)).generate(n_texts=5, random_state=0) == expected
    assert clone(names).fit(NAMES).generate(n_texts=5, random_state=0) == expected


def test_names_are_validated_on(names):
    model = generator(max_iter=3).fit(NAMES, X_val=["anna", "Eve"])

    assert model.validation_scores_[-1] == pytest.approx(model.score(["anna", "Eve"]), rel=0.2)


# Smaller alphabets.


def test_texts_are_lower_cased_everywhere():
    model = generator(lowercase=True).fit(FOX.title())

    assert model.tokens_ == sorted(set(FOX))
    expected = generator().fit(FOX)
    np.testing.assert_array_equal(model.predict_proba("THE"), expected.predict_proba("the"))
    assert model.score("The Fox") == expected.score("the fox")
    assert model.generate("THE", 9, random_state=0) == expected.generate("the", 9, random_state=0)


def test_characters_outside_of_a_vocabulary_are_left_out():
    letters = list("abcdefghijklmnopqrstuvwxyz ")
    model = generator(vocabulary=letters, unknown_token="").fit(FOX.replace(" ", "-_ "))

    expected = generator(vocabulary=[*letters, "."]).fit(FOX)
    assert model.tokens_ == letters
    assert model.token_counts_.tolist() == expected.token_counts_[:-1].tolist()
    np.testing.assert_array_equal(model.predict_proba("f-o.x"), model.predict_proba("fox"))
    assert set(model.generate(length=50, random_state=0)) <= set(letters)


def test_rare_tokens_are_left_out():
    model = generator(max_tokens=5, unknown_token="").fit(FOX)

    assert len(model.tokens_) == 5
    with pytest.raises(ValueError, match="at least one token"):
        model.predict_proba("zzz")


# Writing.


def test_several_prompts_are_continued_at_once(helper):
    prompts = ["def ", "if x is", "a"]

    written = helper.generate(prompts, 20, strategy="argmax")

    assert written == [helper.generate(prompt, 20, strategy="argmax") for prompt in prompts]


def test_several_texts_of_one_prompt_are_drawn_from_its_probabilities(helper):
    written = helper.generate("def", 1, n_texts=3000, random_state=0)

    probability = helper.predict_proba("def")
    likeliest = probability.argmax()
    share = written.count(helper.tokens_[likeliest]) / 3000
    p = probability[likeliest]
    assert abs(share - p) < 4 * np.sqrt(p * (1 - p) / 3000)


def test_several_texts_without_a_prompt_begin_each_for_itself(helper):
    written = helper.generate(length=5, n_texts=50, random_state=0)

    assert [len(text) for text in written] == [5] * 50
    assert len({text[0] for text in written}) > 5
    assert helper.generate(length=5, n_texts=1, random_state=0) == [
        helper.generate(length=5, random_state=0)
    ]


@pytest.mark.parametrize("k", [1, 3])
def test_only_the_likeliest_tokens_are_drawn(helper, k):
    probability = helper.predict_proba("def")
    likeliest = {helper.tokens_[i] for i in np.argsort(-probability)[:k]}

    written = helper.generate("def", 1, n_texts=500, top_k=k, temperature=5.0, random_state=0)

    assert set(written) == likeliest


def test_only_tokens_that_make_up_a_share_are_drawn(helper):
    probability = np.sort(helper.predict_proba("def"))[::-1]
    n_kept = int(np.searchsorted(np.cumsum(probability), 0.6)) + 1
    likeliest = {helper.tokens_[i] for i in np.argsort(-helper.predict_proba("def"))[:n_kept]}

    written = helper.generate("def", 1, n_texts=3000, top_p=0.6, random_state=0)

    assert set(written) == likeliest
    assert helper.generate("def", 9, top_p=1e-9, random_state=0) == helper.generate(
        "def", 9, strategy="argmax"
    )
    assert helper.generate("def", 9, top_p=1.0, random_state=0) == helper.generate(
        "def", 9, random_state=0
    )


def test_a_share_is_of_the_tokens_that_are_left():
    kept = keep_likely(np.array([[0.1, 0.4, 0.3, 0.2]]), top_k=2, top_p=0.6)

    assert kept.tolist() == [[0, 0.4, 0.3, 0]]
    assert keep_likely(kept, None, 0.5).tolist() == [[0, 0.4, 0, 0]]


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda m: m.generate(30), r"generate\(length=30\)"),
        (lambda m: m.generate(30, "the "), r"The prompt comes first: generate\(prompt, length\)"),
        (lambda m: m.generate(length=30, seed="the "), "seed is called prompt"),
        (lambda m: m.generate(["the ", 3]), "a text or a sequence of texts"),
    ],
)
def test_the_old_order_of_arguments_is_told(fox, write, message):
    with pytest.raises(TypeError, match=message):
        write(fox)


def test_a_callback_appends_texts_to_a_file(tmp_path):
    file = tmp_path / "texts.txt"
    callback = PrintText(9, prompt="the", file=file)

    model = generator(callbacks=[callback], max_iter=2).fit(FOX)

    lines = file.read_text().splitlines()
    assert len(lines) == 2
    assert lines[-1] == model.generate("the", 9, random_state=0)


def test_a_callback_writes_several_texts_in_lines():
    texts = []
    callback = PrintText(5, n_texts=3, write=texts.append)

    generator(callbacks=[callback], max_iter=1).fit(FOX)

    assert [len(line) for line in texts[0].split("\n")] == [5, 5, 5]


def test_same_seed_and_random_state_write_the_same_text(helper):
    texts = {helper.generate("if ", 50, random_state=7) for _ in range(3)}
    assert len(texts) == 1
    assert texts != {helper.generate("if ", 50, random_state=8)}


def test_state_is_carried_from_token_to_token(helper):
    text = helper.generate("def ", 30, random_state=0)
    for i in (1, 10, 29):
        context = "def " + text[:i]
        probability = helper.predict_proba(context)
        rng = np.random.RandomState(0)
        draws = rng.uniform(size=30)
        chosen = np.searchsorted(np.cumsum(probability), draws[i])
        assert helper.tokens_[chosen] == text[i]


@pytest.mark.parametrize("window", [5, 50])
def test_each_token_is_read_once_whatever_the_window(window):
    model, n_read = generator(window=window).fit(FOX), []
    count = model.module_.embedding.register_forward_hook(lambda *call: n_read.append(call[1][0]))
    model.generate("the quick", 30, random_state=0)
    count.remove()
    assert sum(numbers.numel() for numbers in n_read) == len("the quick") + 29


def test_long_contexts_are_read_in_pieces(helper, monkeypatch):
    expected = helper.predict_proba(HELP[:500])
    monkeypatch.setattr("sknn_basics.training.text.TOKENS_AT_ONCE", 7)
    np.testing.assert_allclose(helper.predict_proba(HELP[:500]), expected, rtol=1e-4)


def test_low_temperatures_write_likely_tokens(helper):
    expected = helper.generate("def ", 30, strategy="argmax")
    assert helper.generate("def ", 30, temperature=1e-6, random_state=0) == expected
    many = helper.generate(length=2000, temperature=1e6, random_state=0)
    assert len(set(many)) == len(helper.tokens_)


@pytest.mark.filterwarnings("error")
def test_temperatures_may_be_as_low_and_as_high_as_floats(helper):
    for temperature in (np.finfo(float).tiny, np.finfo(float).max):
        assert len(helper.generate("def ", 9, temperature=temperature, random_state=0)) == 9


def test_begins_with_frequent_tokens_without_a_seed(helper):
    first = Counter(helper.generate(length=1, random_state=i) for i in range(300))
    assert first.most_common(1)[0][0] == " "


def test_unknown_tokens_are_not_written_unless_allowed():
    text = "a b c d e f g h " * 30
    model = generator(level="word", max_tokens=2, window=4).fit(text)
    assert "<unk>" not in model.generate(length=50, random_state=0)
    assert "<unk>" in model.generate(length=50, allow_unknown=True, random_state=0)
    assert np.isfinite(model.score("a z b"))


# Probabilities and scores.


def test_probabilities_sum_to_one(helper):
    probability = helper.predict_proba(["a", "ab", "a" * 500])
    assert probability.shape == (3, len(helper.tokens_))
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    np.testing.assert_array_equal(helper.predict_proba("ab"), probability[1])


def test_contexts_are_predicted_together_as_alone(helper):
    contexts = [HELP[i : i + 3 + i % 5] for i in range(40)]
    alone = [helper.predict_proba(context) for context in contexts]
    np.testing.assert_allclose(helper.predict_proba(contexts), alone, rtol=1e-4)


@pytest.mark.parametrize("n_tokens", [2, 12, 13, 96, 97])
def test_score_of_short_texts_is_the_mean_of_all_logarithms(helper, n_tokens):
    text = HELP[100 : 100 + n_tokens]
    expected = [
        np.log2(helper.predict_proba(text[:i])[helper.vocabulary_[text[i]]])
        for i in range(1, n_tokens)
    ]
    assert helper.score(text) == pytest.approx(np.mean(expected), abs=1e-5)


def test_texts_without_tokens_to_predict_do_not_count():
    model = generator(level="word", window=3).fit(FOX)
    assert model.score(["the quick fox", " \t ", "dog"]) == model.score("the quick fox")
    with pytest.raises(ValueError, match="at least two tokens"):
        model.score(["dog", " "])


def test_score_of_long_texts_uses_at_least_a_window_of_context(helper):
    text, start = HELP[:250], 12 * 8
    expected = [
        np.log2(helper.predict_proba(text[start - 12 : i])[helper.vocabulary_[text[i]]])
        for i in range(start + 1, 2 * start + 1)
    ]
    numbers = np.array([helper.vocabulary_[c] for c in text])
    scores = log_probabilities(helper.module_, numbers, 12) / np.log(2)
    np.testing.assert_allclose(scores[start : 2 * start], expected, atol=1e-5)
    assert len(scores) == 249


# scikit-learn.


@pytest.mark.parametrize("convert", [tuple, np.array, lambda X: pd.Series(X, index=[7, 7, 3])])
def test_the_container_of_texts_does_not_matter(convert):
    texts = [FOX[:50], FOX[10:90], FOX[:30]]
    expected = generator().fit(texts)
    model = generator().fit(convert(texts))
    assert model.loss_curve_ == expected.loss_curve_
    assert model.score(convert(texts)) == expected.score(texts)


@pytest.mark.parametrize("options", [{}, {"level": "word", "window": 3}], ids=["char", "word"])
def test_survives_pickling_and_json(options, tmp_path):
    model = generator(**options).fit(FOX)
    expected = model.generate(length=20, random_state=0)
    assert pickle.loads(pickle.dumps(model)).generate(length=20, random_state=0) == expected
    model.save_weights(tmp_path / "weights.npz")
    rebuilt = from_json(model.to_json()).load_weights(tmp_path / "weights.npz")
    assert rebuilt.generate(length=20, random_state=0) == expected


def test_parameters_change_a_fitted_generator_only_when_it_is_fitted(helper):
    expected = helper.generate(length=20, random_state=0), helper.score(HELP[:500])
    model = pickle.loads(pickle.dumps(helper)).set_params(level="word", window=3, unknown_token="?")
    assert (model.generate(length=20, random_state=0), model.score(HELP[:500])) == expected
    with pytest.raises(ValueError, match="level is 'char', not 'word'"):
        model.partial_fit(HELP[:3000])


def test_layers_are_taken_from_another_generator(helper):
    options = {"init_from": helper, "vocabulary": helper.tokens_, "frozen_layers": "hidden*"}
    model = generator(**options).fit(FOX)
    for a, b in zip(model.module_.hidden1.weights(""), helper.module_.hidden1.weights("")):
        assert torch.equal(a, b)


def test_a_clone_is_fitted_to_the_same_bits():
    model = generator(dropout=0.2).fit(FOX)
    assert clone(model).fit(FOX).loss_curve_ == model.loss_curve_


def test_global_random_states_stay_as_they_are():
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    generator(embedding_size=4, dropout=0.2).fit(FOX).generate(length=5, random_state=0)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == np.random.get_state()[1].tolist()


def test_documented_attributes_exist():
    attributes = TextGenerator.__doc__.split("Attributes\n")[1].split("See Also")[0]
    model = generator(early_stopping=True).fit(FOX)
    names = re.findall(r"^ *(\w+_) : ", attributes, re.MULTILINE)
    assert len(names) == 16
    assert all(hasattr(model, name) for name in names)
    assert model.n_tokens_ == len(set(FOX))


# Bad input.


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ("too short", ValueError, "window=12 needs a text of at least 13 tokens, .* has 9"),
        ("", ValueError, "X holds an empty text"),
        ([], ValueError, "X holds no text"),
        (b"bytes" * 9, TypeError, "got bytes"),
        (5, TypeError, "got int"),
        (None, TypeError, "got NoneType"),
        ({"a": FOX}, TypeError, "got dict"),
        (np.array(FOX), TypeError, r"got ndarray of shape \(\)"),
        (pd.DataFrame({"a": [FOX]}), TypeError, r"got DataFrame of shape \(1, 1\)"),
        ([FOX, 3.0], TypeError, "got float at position 1"),
        ([FOX, "a"], ValueError, "at least 2 tokens .* position 1 has 1"),
        ("aaaaaaaaaaaaaaaaaaaaaaaa", ValueError, "nothing to predict"),
    ],
)
def test_texts_that_cannot_be_used_are_named(X, error, message):
    with pytest.raises(error, match=message):
        generator().fit(X)


def test_a_whole_window_is_needed_where_its_last_token_is_the_target():
    with pytest.raises(ValueError, match="at least 13 tokens with window=12 and target='last'"):
        generator(target="last").fit([FOX, "the quick"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompt": "Ünknown"}, "prompt contains 'Ü' .token 0., which is not among the 28"),
        ({"prompt": ""}, "prompt must hold at least one token"),
        ({"temperature": 0}, "'temperature' parameter"),
        ({"temperature": float("nan")}, "'temperature' parameter"),
        ({"length": 0}, "'length' parameter"),
        ({"strategy": "beam"}, "'strategy' parameter"),
        ({"length": 1.5}, "'length' parameter"),
        ({"top_k": 0}, "'top_k' parameter"),
        ({"top_p": 1.1}, "'top_p' parameter"),
        ({"prompt": ["the", "fox"], "n_texts": 2}, "n_texts=2 is for one prompt, got 2"),
    ],
)
def test_writing_says_what_it_cannot_do(fox, options, message):
    with pytest.raises(ValueError, match=message):
        fox.generate(**options)


def test_unknown_characters_are_named_by_their_place(fox):
    with pytest.raises(ValueError, match="position 1 contains 'X' .token 2."):
        fox.predict_proba(["the", "foX"])
    with pytest.raises(ValueError, match="'ß'"):
        fox.score("groß")


def test_a_given_vocabulary_leaves_no_choice_of_tokens():
    with pytest.raises(ValueError, match="max_tokens=3 chooses .* but vocabulary is given"):
        generator(max_tokens=3, vocabulary=sorted(set(FOX))).fit(FOX)


def test_tokens_left_out_need_one_that_stands_for_them():
    with pytest.raises(ValueError, match="max_tokens=3 leaves out 25 of 28 tokens"):
        generator(max_tokens=3).fit(FOX)


@pytest.mark.parametrize(
    "options",
    [
        {"window": 0}, {"step": 0}, {"level": "line"}, {"target": "all"}, {"solver": "lbfgs"},
        {"cell": "esn"}, {"embedding_size": 0}, {"max_tokens": 0}, {"unknown_token": 3},
    ],
    ids=str,
)  # fmt: skip
def test_bad_parameters_are_named(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"'{name}' parameter"):
        generator(**options).fit(FOX)


def test_says_that_it_is_not_fitted():
    for use in (lambda m: m.generate(), lambda m: m.score(FOX), lambda m: m.predict_proba("a")):
        with pytest.raises(NotFittedError):
            use(generator())
