"""What a checkpoint an epoch costs, beside skorch's files: ``python -m benchmarks.checkpoints``.

Milliseconds that an epoch of the digits takes longer with it, for three sizes of networks: medians
of fits that take turns. Prints a table.
"""

import time
import warnings
from functools import partial
from statistics import median
from tempfile import TemporaryDirectory

from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

SIZES = ((32,), (128, 64), (512, 256))
N_EPOCHS, N_ROUNDS = 20, 5


def ours(folder: str) -> list:
    from sknn_basics.training.checkpoints import TrainingCheckpoint

    return [TrainingCheckpoint(folder, resume=False)]


def theirs(folder: str) -> list:
    from skorch.callbacks import Checkpoint

    return [Checkpoint(monitor=None, dirname=folder)]


def none(folder: str) -> list:
    return []


def seconds_of(make_callbacks, sizes: tuple[int, ...], X, y) -> float:
    from sknn_basics import MLPClassifier

    with TemporaryDirectory() as folder:
        options = {"max_iter": N_EPOCHS, "random_state": 0, "callbacks": make_callbacks(folder)}
        model = MLPClassifier(sizes, **options)
        start = time.perf_counter()
        model.fit(X, y)
        return (time.perf_counter() - start) / N_EPOCHS


def main() -> None:
    warnings.simplefilter("ignore", ConvergenceWarning)
    X, y = load_digits(return_X_y=True)
    X = X / 16
    print("| Network | Epoch [ms] | + TrainingCheckpoint [ms] | + skorch's Checkpoint [ms] |")
    print("| --- | --- | --- | --- |")
    for sizes in SIZES:
        measure = partial(seconds_of, sizes=sizes, X=X, y=y)
        rounds = [[1e3 * measure(way) for way in (none, ours, theirs)] for _ in range(N_ROUNDS)]
        plain, own, other = (median(times) for times in zip(*rounds))
        print(f"| {sizes} | {plain:.2f} | {own - plain:.2f} | {other - plain:.2f} |")


if __name__ == "__main__":
    main()
