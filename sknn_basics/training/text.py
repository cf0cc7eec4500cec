"""Windows of texts as training data, the net that learns from them, and passes over texts."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from sknn_basics.training.batches import ArrayDataset, index_on
from sknn_basics.training.devices import in_double, reproducible
from sknn_basics.training.net import Net

# Stands for what follows the end of a text that is shorter than a window; the loss leaves it out.
PADDING = -1

# Tokens that are read at once, and numbers of outputs that are computed at once, without gradients.
TOKENS_AT_ONCE = 2**14
OUTPUTS_AT_ONCE = 2**21

# Texts are scored in pieces of so many contexts.
CONTEXTS_A_PIECE = 8


class Windows:
    """Windows of texts, each as the place where it begins.

    Parameters
    ----------
    texts : sequence of ndarray of shape (n_tokens,)
        Numbers of the tokens of each text.
    window : int
        Number of tokens of a window. It is followed by one more, which is only a target.
    step : int
        Number of tokens from one window to the next.

    Attributes
    ----------
    tokens : ndarray
        All texts, one after another; short ones are filled up.
    starts : ndarray of shape (n_windows,)
        Where windows begin.
    """

    dtype = np.dtype(np.int64)

    def __init__(self, texts: Sequence[np.ndarray], window: int, step: int):
        self.window, parts, starts, n_before = window, [], [], 0
        for text in texts:
            filled = np.pad(text, (0, max(0, window + 1 - len(text))), constant_values=PADDING)
            starts.append(n_before + np.arange(0, len(filled) - window, step))
            parts.append(filled)
            n_before += len(filled)
        self.tokens, self.starts = np.concatenate(parts), np.concatenate(starts)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.starts), self.window + 1

    @property
    def size(self) -> int:
        return len(self.starts) * (self.window + 1)

    def __len__(self) -> int:
        return len(self.starts)


class TextDataset(ArrayDataset):
    """Windows as inputs, and what follows as targets.

    Parameters
    ----------
    windows : Windows
        Windows of texts.
    target : {'each', 'last'}
        Whether the token after each token of a window is a target, or that after its last.
    device : torch.device
        Where batches are wanted.
    """

    def __init__(self, windows: Windows, target: str, device: torch.device):
        self.rows, self.targets, self.weights = None, None, None
        self.target, self.n_samples = target, len(windows)
        self.sample_bytes = 8 * (windows.window + 1)
        self.X, self.reader, self.device = windows, None, device
        self.tokens = torch.as_tensor(windows.tokens, device=device)
        self.starts = torch.as_tensor(windows.starts, device=device)
        self.offsets = torch.arange(windows.window + 1, device=device)
        self.is_padded = bool((windows.tokens == PADDING).any())

    def describe_samples(self) -> tuple:
        return len(self.offsets), self.target

    def equals(self, other: ArrayDataset) -> bool:
        return self is other

    def __getitem__(self, rows) -> tuple[Tensor, Tensor, None]:
        rows = self.rows_of_whole(rows)
        index = index_on(rows, self.device)
        tokens = self.tokens[self.starts[index].unsqueeze(1) + self.offsets].long()
        inputs = tokens[:, :-1]
        targets = tokens[:, 1:] if self.target == "each" else tokens[:, -1]
        return inputs.clamp(min=0) if self.is_padded else inputs, targets, None


class TextNet(Net):
    """A net that keeps the losses of validation windows, not the probabilities of all tokens.

    Attributes
    ----------
    generate : callable or None
        The estimator's method, for callbacks; None once the training has ended.
    """

    generate: Callable | None = None

    def validation_step(self, batch, **fit_params) -> dict:
        X, y, _ = batch
        with torch.no_grad():
            losses = self.criterion_(self.module_(X), y)
        return {"loss": losses.mean(), "penalty": None, "y_pred": losses}

    def end_training(self, *args) -> None:
        super().end_training(*args)
        self.generate = None


@contextmanager
def evaluation(module: nn.Module) -> Iterator[None]:
    """Compute without gradients and dropout, also in the middle of a training."""
    was_training = module.training
    if was_training:
        module.eval()
    try:
        with torch.inference_mode(), reproducible(next(module.parameters()).device):
            yield
    finally:
        if was_training:
            module.train()


def read_on(module: nn.Module, numbers: np.ndarray, states: list | None = None):
    """Read tokens; return the logits of what comes next, and the states to continue from.

    Parameters
    ----------
    module : RecurrentNetwork
        Network, in `evaluation`.
    numbers : array-like of shape (n_texts, n_tokens)
        Texts of one length, of any number of tokens.
    states : list or None, default=None
        What the tokens before have left; None begins anew.

    Returns
    -------
    logits : ndarray of shape (n_texts, n_outputs)
        In double precision.
    states : list
        States of all layers.
    """
    numbers = torch.as_tensor(np.asarray(numbers), device=next(module.parameters()).device)
    for part in numbers.split(max(1, TOKENS_AT_ONCE // len(numbers)), dim=1):
        output, states = module.advance(part, states, n_outputs=1)
    return in_double(output[:, -1]).numpy(force=True), states


def logits_behind(module: nn.Module, contexts: Sequence[np.ndarray]) -> np.ndarray:
    """Compute the logits of what follows contexts of any lengths, (n_contexts, n_outputs)."""
    lengths = np.array([len(context) for context in contexts])
    parts, order = [], np.argsort(lengths, kind="stable")
    with evaluation(module):
        for alike in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
            size = max(1, TOKENS_AT_ONCE // lengths[alike[0]])
            for start in range(0, len(alike), size):
                rows = [contexts[i] for i in alike[start : start + size]]
                parts.append(read_on(module, np.stack(rows))[0])
    return np.concatenate(parts)[np.argsort(order)]


def read_all(module: nn.Module, contexts: Sequence[np.ndarray]) -> tuple[np.ndarray, list]:
    """Read contexts of any length, in `evaluation`; return what `read_on` gives for all of them."""
    logits, states = zip(*(read_on(module, [context]) for context in contexts))
    together = [tuple(map(torch.cat, zip(*layer))) for layer in zip(*states)]
    return np.concatenate(logits), together


def take_states(states: list, rows: np.ndarray) -> list:
    """Take the states of some texts."""
    return [
        tuple(values[torch.as_tensor(rows, device=values.device)] for values in layer)
        for layer in states
    ]


def log_probabilities(module: nn.Module, text: np.ndarray, context: int) -> np.ndarray:
    """Compute the logarithm of the probability of each token of a text but the first.

    Each is predicted from all tokens before it, or from at least `context` of them.
    """
    n_tokens, length = len(text) - 1, CONTEXTS_A_PIECE * context
    # Each piece has the tokens before it as context; rows are filled up at their end.
    filled = np.pad(text, (context, -n_tokens % length))
    starts = np.arange(0, n_tokens, length)
    size = max(1, TOKENS_AT_ONCE // length)
    with evaluation(module):
        # Nothing stands before the first piece.
        values = [log_probabilities_of_rows(module, filled[None, context : context + length + 1])]
        for i in range(1, len(starts), size):
            rows = starts[i : i + size, None] + np.arange(context + length + 1)
            values.append(log_probabilities_of_rows(module, filled[rows])[:, context:])
    return np.concatenate([part.ravel() for part in values])[:n_tokens]


def log_probabilities_of_rows(module: nn.Module, rows: np.ndarray) -> np.ndarray:
    """Do the same for rows of shape (n_rows, n_steps + 1), from their beginning each."""
    numbers = torch.as_tensor(rows, device=next(module.parameters()).device).long()
    n_steps = max(1, OUTPUTS_AT_ONCE // (len(rows) * module.output.out_features))
    values, states = [], None
    for given, true in zip(numbers[:, :-1].split(n_steps, 1), numbers[:, 1:].split(n_steps, 1)):
        output, states = module.advance(given, states)
        logarithms = in_double(output).log_softmax(-1)
        values.append(logarithms.gather(-1, true.unsqueeze(-1).to(logarithms.device)).squeeze(-1))
    return torch.cat(values, 1).numpy(force=True)
