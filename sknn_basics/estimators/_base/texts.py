"""Texts as the numbers of their tokens."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from sknn_basics.training.text import PADDING, Windows

# Numbers, words with apostrophes or hyphens inside, dashes, other marks, ends of lines.
WORDS = re.compile(r"\d+(?:[.,]\d+)+|\w+(?:['\u2019-]\w+)*|--+|[^\w\s]|\n")
# What stands next to a word, without a space.
NO_SPACE_BEFORE = frozenset(".,;:!?%)]}'\u2019\u201d\u00bb\n")
NO_SPACE_BEHIND = frozenset("([{$#@\u2018\u201c\u00ab\n")

# Of a token that has no number.
MISSING = -1

# Stands before the beginning and after the end of texts that end.
END = "<end>"


def join_words(tokens: Iterable[str]) -> str:
    """Write words and punctuation marks as a text, with spaces where they usually are.

    In each line, every other straight quotation mark opens a quotation.

    Examples
    --------
    >>> from sknn_basics.estimators._base.texts import join_words
    >>> join_words(["Words", ",", '"', "words", '"', "(", "all", "of", "them", ")", "!"])
    'Words, "words" (all of them)!'
    """
    parts, is_open, needs_space = [], False, False
    for token in tokens:
        closes = is_open if token == '"' else token in NO_SPACE_BEFORE
        parts.append(f" {token}" if needs_space and not closes else token)
        is_open = token != "\n" and is_open != (token == '"')
        needs_space = not (token in NO_SPACE_BEHIND or (token == '"' and is_open))
    return "".join(parts)


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

    split: Callable[[str], Sequence[str]]
    join: Callable[[Iterable[str]], str]


# A text is the sequence of its characters already.
LEVELS = {"char": Level(str, "".join), "word": Level(WORDS.findall, join_words)}


class Vocabulary:
    """The tokens that a model knows.

    Parameters
    ----------
    level : {'char', 'word'}
        How texts are cut into tokens.
    tokens : sequence of str
        The tokens, whose places are their numbers.
    unknown_token : str or None
        The one of them that stands for all others; '' leaves others out, None raises an error where
        there are others.
    has_end : bool
        Whether texts end, with a token for it.
    lowercase : bool
        Whether texts are lower-cased.
    """

    def __init__(
        self,
        level: str,
        tokens: Sequence[str],
        unknown_token: str | None,
        has_end: bool = False,
        lowercase: bool = False,
    ):
        self.level, self.tokens, self.lowercase = LEVELS[level], list(tokens), lowercase
        self.numbers = {token: i for i, token in enumerate(self.tokens)}
        self.leaves_out = unknown_token == ""
        self.unknown = self.numbers[unknown_token] if unknown_token else MISSING
        self.end = [self.numbers[END]] if has_end else []

    def encode(self, text: str, name: str) -> np.ndarray:
        """Number the tokens of a whole text, of shape (n_tokens,), between those of its ends.

        Raises
        ------
        ValueError
            If a token is not known; the message calls the text `name`.
        """
        numbers = self._number(text, name)
        return np.array([*self.end, *numbers, *self.end], np.int32) if self.end else numbers

    def _number(self, text: str, name: str) -> np.ndarray:
        tokens = self.level.split(text.lower() if self.lowercase else text)
        found = map(self.numbers.get, tokens, repeat(self.unknown))
        numbers = np.fromiter(found, np.int32, len(tokens))
        missing = np.flatnonzero(numbers == MISSING)
        if self.leaves_out:
            return numbers[numbers != MISSING]
        if len(missing):
            raise ValueError(
                f"{name} contains {tokens[missing[0]]!r} (token {missing[0]}), which is not among "
                f"the {len(self.tokens)} tokens of the vocabulary. Before fitting, set vocabulary "
                "to all tokens, or unknown_token to have a token for all others."
            )
        return numbers

    def encode_context(self, text: str, name: str) -> np.ndarray:
        """Number the tokens of a text that is to be continued, from its beginning.

        Raises
        ------
        ValueError
            If it has none, or one that is not known.
        """
        numbers = self._number(text, name)
        if not len(numbers):
            raise ValueError(f"{name} must hold at least one token, got {text!r}.")
        return np.array([*self.end, *numbers], np.int32) if self.end else numbers

    def decode(self, numbers: Iterable[int]) -> str:
        """Make a text of the numbers of its tokens."""
        return self.level.join(self.tokens[number] for number in numbers)


def learn_tokens(
    texts: Sequence[str], level: str, max_tokens: int | None, unknown_token: str | None
) -> list[str]:
    """Find the tokens of texts, in alphabetical order; after them `unknown_token`.

    Parameters
    ----------
    texts : sequence of str
        Texts.
    level : {'char', 'word'}
        How they are cut into tokens.
    max_tokens : int or None
        How many tokens are kept, the most frequent ones; None keeps all.
    unknown_token : str or None
        What stands for all others; '' is nothing.

    Raises
    ------
    ValueError
        If tokens are left out and nothing stands for them.
    """
    counts = Counter()
    for text in texts:
        counts.update(LEVELS[level].split(text))
    counts.pop(unknown_token, None)
    tokens = sorted(counts, key=lambda token: (-counts[token], token))[:max_tokens]
    if unknown_token is None and len(tokens) < len(counts):
        raise ValueError(
            f"max_tokens={max_tokens} leaves out {len(counts) - len(tokens)} of {len(counts)} "
            "tokens: set unknown_token to what stands for them."
        )
    return sorted(tokens) + ([unknown_token] if unknown_token else [])


def are_short(texts: Sequence[str], level: str, window: int) -> bool:
    """Tell whether there are several texts, and none has more tokens than a window."""
    return len(texts) > 1 and all(len(LEVELS[level].split(text)) <= window for text in texts)


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
    is_table = isinstance(texts, Mapping) or len(getattr(texts, "shape", (0,))) != 1
    if is_table or isinstance(texts, bytes) or not hasattr(texts, "__iter__"):
        kind = f"{type(X).__name__} of shape {X.shape}" if hasattr(X, "shape") else type(X).__name__
        raise TypeError(f"{name} must be a text or a sequence of texts, got {kind}.")
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


def cut_windows(
    texts: list[str], known: Vocabulary, *, window: int, step: int, target: str
) -> Windows:
    """Cut texts into training windows of numbers of tokens.

    Parameters
    ----------
    texts : list of str
        Checked texts.
    known : Vocabulary
        The tokens.
    window, step, target : int, int, str
        Parameters of `TextGenerator`.

    Raises
    ------
    ValueError
        If all texts are shorter than a window, or one has nothing to predict.
    """
    numbers = [known.encode(text, f"The text at position {i}") for i, text in enumerate(texts)]
    lengths = [len(text) for text in numbers]
    if known.end and target == "each":
        # Texts that end are whole in windows that are no longer than the longest of them.
        window = min(window, max(lengths) - 1)
    if max(lengths) <= window:
        raise ValueError(
            f"window={window} needs a text of at least {window + 1} tokens, the "
            f"longest one has {max(lengths)}. Short texts, such as names, need end_token=True."
        )
    least = 2 if target == "each" else window + 1
    if min(lengths) < least:
        raise ValueError(
            f"Each text must have at least {least} tokens with window={window} and "
            f"target={target!r}, that at position {int(np.argmin(lengths))} has "
            f"{min(lengths)}."
        )
    return Windows(numbers, window, min(step, max(lengths)))


def count_tokens(windows: Windows, n_tokens: int) -> np.ndarray:
    """Count how often each token is in the texts of windows."""
    return np.bincount(windows.tokens[windows.tokens != PADDING], minlength=n_tokens)


def choose_tokens(
    texts: list[str],
    *,
    level: str,
    vocabulary,
    max_tokens: int | None,
    unknown_token: str | None,
    has_end: bool = False,
) -> tuple[list[str], str | None]:
    """Choose the tokens of a network from its texts and the parameters of `TextGenerator`.

    Returns
    -------
    tokens : list of str
        The tokens, whose places are their numbers.
    unknown : str or None
        The one that stands for all others.

    Raises
    ------
    ValueError
        If parameters contradict each other, or there are no two tokens.
    """
    unknown = unknown_token
    if unknown == "auto":
        unknown = "<unk>" if level == "word" else None
    if vocabulary is not None and max_tokens is not None:
        raise ValueError(
            f"max_tokens={max_tokens} chooses from the tokens of the texts, but "
            "vocabulary is given: leave one of them None."
        )
    if vocabulary is None:
        tokens = learn_tokens(texts, level, max_tokens, unknown)
    else:
        tokens = list(dict.fromkeys(map(str, vocabulary)))
        if unknown and unknown not in tokens:
            tokens.append(unknown)
    if has_end and END not in tokens:
        tokens.append(END)
    if len(tokens) < 2:
        raise ValueError(f"There is nothing to predict: the only token is {tokens}.")
    return tokens, unknown


def read_vectors(
    embedding: np.ndarray | Mapping[str, np.ndarray],
    tokens: Sequence[str],
    vocabulary: Sequence[str] | None,
) -> dict[int, np.ndarray]:
    """Read the vectors that tokens begin with, by the tokens' numbers.

    Parameters
    ----------
    embedding : array of shape (n_tokens, n_dims), or mapping of str to array
        One row for each token of `vocabulary`, or the vectors of words.
    tokens : sequence of str
        The network's tokens.
    vocabulary : sequence of str or None
        The tokens that the user gave.

    Raises
    ------
    ValueError
        If rows and tokens do not belong together, no token has a vector, or a vector is not finite
        or has another width than the first.
    """
    if isinstance(embedding, list | np.ndarray):
        rows = np.asarray(embedding, dtype=np.float64)
        given = [] if vocabulary is None else list(map(str, vocabulary))
        if vocabulary is None or rows.ndim != 2 or len(rows) != len(given):
            raise ValueError(
                f"embedding of shape {rows.shape} must have one row for each token of vocabulary, "
                + ("which is None." if vocabulary is None else f"which has {len(given)}.")
            )
        embedding = dict(zip(given, rows))
    vectors = {
        number: np.asarray(embedding[token], dtype=np.float64)
        for number, token in enumerate(tokens)
        if token in embedding
    }
    if not vectors:
        raise ValueError(f"embedding has a vector for none of the tokens, {list(tokens[:5])}, ...")
    first = next(iter(vectors.values()))
    for number, vector in vectors.items():
        if vector.ndim != 1 or vector.shape != first.shape or not np.isfinite(vector).all():
            raise ValueError(
                f"embedding must give each token as many finite numbers, but of "
                f"{tokens[number]!r} it has shape {vector.shape}."
            )
    return vectors
