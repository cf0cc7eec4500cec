"""Windows of texts as training data, and the net that learns from them."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from sknn_basics.training.batches import ArrayDataset
from sknn_basics.training.net import Net

# Stands for what follows the end of a text that is shorter than a window; the loss leaves it out.
PADDING = -1


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
        Whether the token behind each token of a window is a target, or that behind its last.
    device : torch.device
        Where batches are wanted.
    """

    def __init__(self, windows: Windows, target: str, device: torch.device):
        self.rows, self.targets, self.weights = None, None, None
        self.target, self.n_samples = target, len(windows)
        self.sample_bytes = 8 * (windows.window + 1)
        self.tokens = torch.tensor(windows.tokens, device=device)
        self.starts = torch.tensor(windows.starts, device=device)
        self.offsets = torch.arange(windows.window + 1, device=device)
        self.is_padded = bool((self.tokens == PADDING).any())

    def equals(self, other: ArrayDataset) -> bool:
        return self is other

    def __getitem__(self, rows) -> tuple[Tensor, Tensor, None]:
        rows = self.rows_of_whole(rows)
        index = torch.from_numpy(rows) if isinstance(rows, np.ndarray) else rows
        tokens = self.tokens[self.starts[index].unsqueeze(1) + self.offsets]
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
