"""From which width on a network is better trained alone: ``python -m benchmarks.widths``.

Ten folds of `cross_val_score` under ``backend="stacked"``, with networks of several widths: all in
stacks, and all alone, side by side in the threads of the processor. Prints a Markdown table.
"""

import time
import warnings
from unittest import mock

import numpy as np
from sklearn.model_selection import cross_val_score

from benchmarks.forecasting import print_table
from sknn_basics import MLPClassifier
from sknn_basics.datasets import load_fashion_mnist
from sknn_basics.parallel import stacked
from sknn_basics.training import rounds

# Features, hidden units and samples.
SIZES = (
    (64, 100, 10_000),
    (196, 100, 10_000),
    (196, 200, 10_000),
    (784, 100, 10_000),
    (784, 300, 6_000),
    (784, 784, 4_000),
)
BATCH_SIZE, N_EPOCHS, N_ROUNDS = 200, 3, 4
WAYS = {"stacked": None, "alone": "for the comparison"}


def main() -> None:
    warnings.simplefilter("ignore")  # that the number of epochs is a setting is meant
    X, y = load_fashion_mnist(return_X_y=True)
    X = (X / np.float32(255)).astype(np.float32).reshape(len(X), -1)
    lines = []
    for n_features, n_hidden, n_samples in SIZES:
        part = np.ascontiguousarray(X[:n_samples, :n_features]), y[:n_samples]
        network = MLPClassifier(
            (n_hidden,), batch_size=BATCH_SIZE, max_iter=N_EPOCHS, dtype="float32", random_state=0
        )
        together, alone = measure(network, *part)
        step = BATCH_SIZE * (n_features + 10) * n_hidden
        seconds = f"{together:.2f} s", f"{alone:.2f} s"
        lines.append([f"{n_features}-{n_hidden}-10", f"{step / 1e6:.1f}", *seconds])
        lines[-1].append(f"{alone / together:.2f}x")
    print_table(["network", "million products a step", *WAYS, "gain of stacking"], lines)


def measure(network, X, y) -> list[float]:
    """Time both ways in turn, the first time unrecorded; return medians in seconds."""
    seconds = {way: [] for way in WAYS}
    for _ in range(1 + N_ROUNDS):
        for way, reason in WAYS.items():
            start = time.perf_counter()
            with mock.patch.object(rounds, "reason_alone", return_value=reason), stacked():
                cross_val_score(network, X, y, cv=10)
            seconds[way].append(time.perf_counter() - start)
    return [np.median(times[1:]) for times in seconds.values()]


if __name__ == "__main__":
    main()
