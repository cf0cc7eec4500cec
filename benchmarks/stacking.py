"""Where stacking pays on a processor: ``python -m benchmarks.stacking [dense|recurrent|images]``.

Cross-validation under ``backend="stacked"``, with networks of several kinds and sizes: all in
stacks, and all alone, side by side in the threads of the processor. `reason_alone` in
training/rounds.py rests on the tables, which are printed in Markdown.
"""

import sys
import time
import warnings
from collections.abc import Iterator
from unittest import mock

import numpy as np
from sklearn.model_selection import cross_val_score

from benchmarks.forecasting import print_table
from sknn_basics import ConvNetClassifier, MLPClassifier, RNNClassifier
from sknn_basics.parallel import stacked
from sknn_basics.training import rounds

N_FITS, N_ROUNDS = 10, 4
TRAINING = {"max_iter": 2, "dtype": "float32", "random_state": 0}
WAYS = {"stacked": None, "alone": "for the comparison"}

# Features, hidden units and samples.
DENSE = (
    (64, 100, 10_000),
    (196, 100, 10_000),
    (196, 200, 10_000),
    (784, 100, 10_000),
    (784, 300, 6_000),
    (784, 784, 4_000),
)
# Cell, units, steps and samples a batch; sequences of nine features.
RECURRENT = (
    ("lstm", 6, 13, 32),
    ("lstm", 32, 13, 32),
    ("lstm", 64, 13, 32),
    ("lstm", 32, 30, 200),
    ("gru", 32, 13, 32),
    ("gru", 32, 30, 200),
    ("rnn", 32, 30, 200),
)
# Filters of both convolutions, and the size of images.
IMAGES = ((4, 8), (8, 8), (8, 28), (32, 14))


def make_dense() -> Iterator[tuple]:
    """Make dense networks: name, network, shape of the data, products a step."""
    for n_features, n_hidden, n_samples in DENSE:
        network = MLPClassifier((n_hidden,), batch_size=200, **TRAINING)
        products = 200 * (n_features + 10) * n_hidden
        yield f"{n_features}-{n_hidden}-10", network, (n_samples, n_features), products


def make_recurrent() -> Iterator[tuple]:
    """Make recurrent networks, with the products of a step of the cells."""
    n_gates = {"lstm": 4, "gru": 3, "rnn": 1}
    for cell, n_units, n_steps, batch_size in RECURRENT:
        network = RNNClassifier((n_units,), cell, batch_size=batch_size, **TRAINING)
        name = f"{cell} 9-{n_units}, {n_steps} steps, batch {batch_size}"
        products = batch_size * (n_gates[cell] * n_units * (9 + n_units) + 10 * n_units)
        yield name, network, (1_500, n_steps, 9), products


def make_images() -> Iterator[tuple]:
    """Make convolutional networks, with the products of a step."""
    for n_filters, size in IMAGES:
        network = ConvNetClassifier((n_filters,) * 2, (), batch_size=100, **TRAINING)
        name = f"{size} x {size}, {n_filters} filters twice, batch 100"
        halves = (size // 2) ** 2, (size // 4) ** 2
        products = 100 * 9 * (n_filters * halves[0] + n_filters**2 * halves[1])
        yield name, network, (1_000, size, size), products


def compare(kinds: Iterator[tuple]) -> None:
    lines = []
    for name, network, shape, products in kinds:
        X = np.random.default_rng(0).random(shape, dtype=np.float32)
        together, alone = measure(network, X, np.arange(len(X)) % 10)
        seconds = f"{together:.2f} s", f"{alone:.2f} s"
        lines.append([name, f"{products / 1e6:.2f}", *seconds, f"{alone / together:.2f}x"])
        print(" ".join(lines[-1]), file=sys.stderr, flush=True)
    print_table(["network", "million products a step", *WAYS, "gain of stacking"], lines)


def measure(network, X: np.ndarray, y: np.ndarray) -> list[float]:
    """Time both ways in turn, the first time unrecorded; return medians in seconds."""
    seconds = {way: [] for way in WAYS}
    for _ in range(1 + N_ROUNDS):
        for way, reason in WAYS.items():
            start = time.perf_counter()
            with mock.patch.object(rounds, "reason_alone", return_value=reason), stacked():
                cross_val_score(network, X, y, cv=N_FITS)
            seconds[way].append(time.perf_counter() - start)
    return [np.median(times[1:]) for times in seconds.values()]


KINDS = {"dense": make_dense, "recurrent": make_recurrent, "images": make_images}


def main(names: list[str]) -> None:
    warnings.simplefilter("ignore")  # that the number of epochs is a setting is meant
    for name in names or KINDS:
        compare(KINDS[name]())


if __name__ == "__main__":
    main(sys.argv[1:])
