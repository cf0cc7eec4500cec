"""Text generation: bits a character on held-out text, and the same epoch in bare torch.

``python -m benchmarks.text [NAME ...]`` learns `pydoc_data.topics`, Python's own help, all but its
last tenth, and compares the bits a character on that tenth with those of counted n-grams with
add-one smoothing. Each name of `TRAININGS` takes some minutes.
"""

import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np

Work = Callable[[], object]
Peer = Callable[[Path], Work]

# Every help text, in alphabetical order.
TEXT = "\n".join(topics[name] for name in sorted(topics))
N_WINDOWS, WINDOW, STEP, BATCH_SIZE = 100_000, 40, 3, 100

# About as many windows each, and so about as much time.
TRAININGS = {
    "each": {},
    "last": {"target": "last"},
    "apart": {"step": WINDOW, "max_iter": 12},
}


def split_text() -> tuple[str, str]:
    """The text without its last tenth, and the last tenth with those characters alone."""
    n_train = len(TEXT) * 9 // 10
    known = set(TEXT[:n_train])
    return TEXT[:n_train], "".join(c for c in TEXT[n_train:] if c in known)


def bits_of_ngrams(train: str, test: str, n: int) -> float:
    """Bits a character of a model of n - 1 preceding characters with add-one smoothing."""
    n_tokens = len(set(train))
    grams = Counter(train[i : i + n] for i in range(len(train) - n + 1))
    contexts = Counter(train[i : i + n - 1] for i in range(len(train) - n + 1))
    places = range(n - 1, len(test))
    probabilities = [
        (grams[test[i - n + 1 : i + 1]] + 1) / (contexts[test[i - n + 1 : i]] + n_tokens)
        for i in places
    ]
    return -np.log2(probabilities).mean()


def our_generator(**parameters):
    """The network of Keras's well-known example, with this package's optimiser."""
    from sknn_basics import TextGenerator

    return TextGenerator(
        **{
            "window": WINDOW,
            "step": STEP,
            "hidden_layer_sizes": (128, 128),
            "batch_size": BATCH_SIZE,
            "max_iter": 1,
            "random_state": 0,
            **parameters,
        }
    )


def windows_text(n_windows: int) -> str:
    """A text of so many windows."""
    return TEXT[: (n_windows - 1) * STEP + WINDOW + 1]


def fit_text(n_windows: int = N_WINDOWS) -> Peer:
    def prepare(folder: Path) -> Work:
        text, generator = windows_text(n_windows), our_generator()
        return lambda: generator.fit(text)

    return prepare


def fit_text_bare(n_windows: int = N_WINDOWS) -> Peer:
    """The loop one would write by hand: windows of numbers, one-hot in the batch, fused Adam."""

    def prepare(folder: Path) -> Work:
        import torch
        from torch import nn

        text = windows_text(n_windows)
        tokens = sorted(set(text))
        numbers = torch.tensor([tokens.index(c) for c in text])
        windows = numbers.unfold(0, WINDOW + 1, STEP)
        eye = torch.eye(len(tokens))

        def fit() -> None:
            torch.manual_seed(0)
            lstm = nn.LSTM(len(tokens), 128, 2, batch_first=True)
            output = nn.Linear(128, len(tokens))
            parameters = [*lstm.parameters(), *output.parameters()]
            optimiser = torch.optim.Adam(parameters, lr=2e-3, fused=True)
            for rows in torch.randperm(len(windows)).split(BATCH_SIZE):
                batch = windows[rows]
                logits = output(lstm(eye[batch[:, :-1]])[0])
                loss = nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()

        return fit

    return prepare


def generate_text(window: int) -> Peer:
    def prepare(folder: Path) -> Work:
        model = our_generator(window=window).initialize(TEXT[:20_000])
        return lambda: model.generate(TEXT[:window], 1000, random_state=0)

    return prepare


def main(names: list[str]) -> None:
    warnings.simplefilter("ignore")  # that few epochs do not converge is meant
    train, test = split_text()
    print(f"{len(train):,} characters to learn, {len(test):,} to score, {len(set(train))} tokens")
    print("| model | epochs | seconds | bits a character |\n| --- | --- | --- | --- |")
    for n in (3, 4, 5):
        print(f"| {n}-grams, add-one smoothing | | | {bits_of_ngrams(train, test, n):.3f} |")
    for name in names or TRAININGS:
        model, start = our_generator(**TRAININGS[name]), time.perf_counter()
        model.fit(train)
        seconds, bits = time.perf_counter() - start, -model.score(test)
        print(f"| `{name}` | {model.n_iter_} | {seconds:.0f} | {bits:.3f} |", flush=True)
        for temperature in (0.5, 1.0, 1.5):
            written = model.generate("The ", 200, temperature=temperature, random_state=0)
            print(f"\nAt temperature {temperature}: The {written}")


if __name__ == "__main__":
    main(sys.argv[1:])
