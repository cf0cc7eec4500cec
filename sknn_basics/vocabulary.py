"""Texts as the numbers of their tokens."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

WORDS = re.compile(r"\w+(?:['\u2019]\w+)*|[^\w\s]|\n")
# What stands next to a word, without a space.
NO_SPACE_BEFORE = frozenset(".,;:!?)]}'\u2019\"\n")
NO_SPACE_BEHIND = frozenset("([{\n")


def join_words(tokens: Sequence[str]) -> str:
    """Write words and punctuation marks as a text, with spaces where they usually are.

    Examples
    --------
    >>> from sknn_basics.vocabulary import join_words
    >>> join_words(["Words", ",", "words", "(", "all", "of", "them", ")", "!"])
    'Words, words (all of them)!'
    """
    text = ""
    for token in tokens:
        is_close = not text or text[-1] in NO_SPACE_BEHIND or token in NO_SPACE_BEFORE
        text += token if is_close else f" {token}"
    return text


@dataclass(frozen=True)
class Level:
    """A way to cut texts into tokens.

    Attributes
    ----------
    split : callable
        Cuts a text into tokens.
    join : callable
        Makes a text of tokens.
    """

    split: Callable[[str], list[str]]
    join: Callable[[Sequence[str]], str]


LEVELS = {"char": Level(list, "".join), "word": Level(WORDS.findall, join_words)}


class Vocabulary:
    """The tokens that a model knows.

    Parameters
    ----------
    level : {'char', 'word'}
        How texts are cut into tokens.
    tokens : sequence of str
        The tokens, whose places are their numbers.
    unknown_token : str or None
        The one of them that stands for all others; None raises where there are others.
    """

    def __init__(self, level: str, tokens: Sequence[str], unknown_token: str | None):
        self.level, self.tokens = LEVELS[level], list(tokens)
        self.numbers = {token: i for i, token in enumerate(self.tokens)}
        self.unknown = None if unknown_token is None else self.numbers[unknown_token]

    def encode(self, text: str, name: str) -> np.ndarray:
        """Number the tokens of a text, of shape (n_tokens,).

        Raises
        ------
        ValueError
            If a token is not known; the message calls the text `name`.
        """
        tokens = self.level.split(text)
        numbers = [self.numbers.get(token, self.unknown) for token in tokens]
        if None in numbers:
            place = numbers.index(None)
            raise ValueError(
                f"{name} contains {tokens[place]!r} (token {place}), which is not among the "
                f"{len(self.tokens)} tokens of the vocabulary. Set unknown_token before fitting to "
                "have a token for all others."
            )
        return np.array(numbers, dtype=np.int64)

    def decode(self, numbers: Iterable[int]) -> str:
        """Make a text of the numbers of its tokens."""
        return self.level.join([self.tokens[number] for number in numbers])


def learn_tokens(
    texts: Sequence[str], level: str, max_tokens: int | None, unknown_token: str | None
) -> list[str]:
    """Find the tokens of texts, in alphabetical order; behind them `unknown_token`.

    Parameters
    ----------
    texts : sequence of str
        Texts.
    level : {'char', 'word'}
        How they are cut into tokens.
    max_tokens : int or None
        How many tokens are kept, the most frequent ones; None keeps all.
    unknown_token : str or None
        What stands for all others.

    Raises
    ------
    ValueError
        If tokens are left out and nothing stands for them.
    """
    counts = Counter(token for text in texts for token in LEVELS[level].split(text))
    counts.pop(unknown_token, None)
    tokens = sorted(counts, key=lambda token: (-counts[token], token))[:max_tokens]
    if unknown_token is None and len(tokens) < len(counts):
        raise ValueError(
            f"max_tokens={max_tokens} leaves out {len(counts) - len(tokens)} of {len(counts)} "
            "tokens: set unknown_token to what stands for them."
        )
    return sorted(tokens) + ([] if unknown_token is None else [unknown_token])


def check_texts(X, name: str = "X") -> list[str]:
    """Read one text or several as a list.

    Raises
    ------
    TypeError
        If there is something that is no string.
    ValueError
        If there is no text, or one is empty.
    """
    texts = [X] if isinstance(X, str) else X
    if isinstance(texts, bytes) or not hasattr(texts, "__iter__"):
        raise TypeError(f"{name} must be a text or a sequence of texts, got {type(X).__name__}.")
    texts = list(texts)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(
                f"{name} must be a text or a sequence of texts, got {type(text).__name__} "
                f"at position {i}."
            )
        if not text:
            raise ValueError(f"{name} holds an empty text, at position {i}.")
    if not texts:
        raise ValueError(f"{name} holds no text.")
    return [str(text) for text in texts]
