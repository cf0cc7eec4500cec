"""Where stacking pays on a processor: ``python -m benchmarks.stacking [KIND...]``.

Kinds are dense, recurrent, images and mixtures. The first three are cross-validation under
``backend="stacked"``, with networks of several kinds and sizes: all in stacks, and all alone, side
by side in the threads of the processor. `reason_alone` in stacking/rounds.py rests on these tables.
Mixtures are networks that differ, in one stack and one by one, and in one stack without padding:
`BLOCK_COST` in stacking/padding.py rests on this one. Tables are printed in Markdown.
"""

import sys
import time
import warnings
from collections.abc import Iterator
from unittest import mock

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import KFold, ParameterGrid, cross_val_score

from benchmarks.forecasting import print_table
from sknn_basics import ConvNetClassifier, MLPClassifier, RNNClassifier
from sknn_basics.parallel import stacked
from sknn_basics.stacking import padding, rounds

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


# Grids of networks that differ, and the number of folds.
WIDTHS = range(10, 100, 10)
MIXTURES = {
    "9 widths x 3 depths": (
        {"hidden_layer_sizes": [(w,) * d for w in WIDTHS for d in (1, 2, 3)]},
        1,
    ),
    "9 widths x 5 folds": ({"hidden_layer_sizes": [(w,) for w in WIDTHS]}, 5),
    "4 widths far apart x 5 folds": ({"hidden_layer_sizes": [(w,) for w in (10, 50, 200, 400)]}, 5),
    "6 activations x 5 folds": (
        {"activation": ["relu", "tanh", "logistic", "identity", "gelu", "elu"]},
        5,
    ),
    "README's grid x 5 folds": (
        {
            "dropout": [0.0, 0.2],
            "hidden_layer_sizes": [(100,), (50, 50)],
            "solver": ["adam", "sgd"],
        },
        5,
    ),
}


def compare_mixtures() -> None:
    X, y = load_digits(return_X_y=True)
    lines = []
    for name, (grid, n_folds) in MIXTURES.items():
        template = MLPClassifier(**{**TRAINING, "max_iter": 10})
        estimators = [clone(template).set_params(**options) for options in ParameterGrid(grid)]
        rows = [np.arange(len(X))]
        if n_folds > 1:
            rows = [train for train, _ in KFold(n_folds, shuffle=True, random_state=0).split(X)]
        work = [(estimator, X[own] / 16, y[own]) for estimator in estimators for own in rows]
        together, unpadded, alone = measure_mixture(work)
        seconds = [f"{t:.2f} s" for t in (together, unpadded, alone)]
        lines.append([name, str(len(work)), *seconds, f"{alone / together:.2f}x"])
        print(" ".join(lines[-1]), file=sys.stderr, flush=True)
    print_table(
        ["mixture", "fits", "one stack", "without padding", "one by one", "gain of stacking"], lines
    )


def measure_mixture(work: list[tuple]) -> list[float]:
    """Time three ways in turn, the first time unrecorded; return medians in seconds."""
    times = []
    for _ in range(1 + N_ROUNDS):
        times.append([fit_stacked(work), 0.0, 0.0])
        with mock.patch.object(padding, "BLOCK_COST", 0):
            times[-1][1] = fit_stacked(work)
        start = time.perf_counter()
        for estimator, X, y in work:
            clone(estimator).fit(X, y)
        times[-1][2] = time.perf_counter() - start
    return list(np.median(times[1:], axis=0))


def fit_stacked(work: list[tuple]) -> float:
    start = time.perf_counter()
    with stacked():
        Parallel()(delayed(clone(estimator).fit)(X, y) for estimator, X, y in work)
    return time.perf_counter() - start


KINDS = {"dense": make_dense, "recurrent": make_recurrent, "images": make_images}


def main(names: list[str]) -> None:
    warnings.simplefilter("ignore")  # that the number of epochs is a setting is meant
    for name in names or [*KINDS, "mixtures"]:
        compare_mixtures() if name == "mixtures" else compare(KINDS[name]())


if __name__ == "__main__":
    main(sys.argv[1:])
