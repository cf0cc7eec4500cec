"""What no stacked training can be faster than: ``python -m benchmarks.floor``.

For the search and the bagging of `benchmarks.rows`: the time of scikit-learn's own part, with an
estimator that only checks its data as scikit-learn asks; of the matrix products of all steps, in
batched calls of every processor at once, of samples that weigh something; and of the whole works,
by us and by scikit-learn in two processes. All in turn, in one process; medians. Prints a Markdown
table.
"""

import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier as ScikitLearnMLP
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from benchmarks import peers
from benchmarks.forecasting import print_table
from sknn_basics import MLPClassifier

N_ROUNDS, N_EPOCHS, BATCH_SIZE = 5, 10, 200
# Of a batch that is drawn with replacement, the samples that are drawn at all.
N_DRAWN = 126


class Checks(ClassifierMixin, BaseEstimator):
    """Checks what it is given, as scikit-learn asks of every classifier, and learns nothing."""

    def __init__(self, alpha=0.0, learning_rate_init=0.0, random_state=None):
        self.alpha, self.learning_rate_init = alpha, learning_rate_init
        self.random_state = random_state

    def fit(self, X, y):
        X, y = validate_data(self, X, y)
        check_classification_targets(y)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        X = validate_data(self, X, reset=False)
        return np.full(len(X), self.classes_[0])


def search(network, X, y) -> Callable[[], None]:
    grid = {"learning_rate_init": peers.RATES, "alpha": peers.ALPHAS}
    return lambda: GridSearchCV(network, grid, cv=5, refit=False).fit(X, y)


def bag(network, X, y) -> Callable[[], None]:
    return lambda: BaggingClassifier(network, 100, random_state=0).fit(X, y)


def products(n_networks: int, n_hidden: int, n_steps: int, n_rows: int) -> Callable[[], None]:
    """Make the products of all steps of networks 64-`n_hidden`-10: five a step."""
    n_threads = torch.get_num_threads()
    n = n_networks // n_threads
    x, h, g = (torch.randn(n, size, n_rows) for size in (64, n_hidden, 10))
    first, second = torch.randn(n, n_hidden, 64), torch.randn(n, 10, n_hidden)
    out = [torch.empty_like(t) for t in (h, g, second, h, first)]

    def train(_) -> None:
        torch.set_num_threads(1)
        own = [torch.empty_like(t) for t in out]
        for _ in range(n_steps):
            torch.bmm(first, x, out=own[0])
            torch.bmm(second, h, out=own[1])
            torch.bmm(g, h.mT, out=own[2])
            torch.bmm(second.mT, g, out=own[3])
            torch.bmm(h, x.mT, out=own[4])

    def run() -> None:
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(train, range(n_threads)))

    return run


def median_seconds(works: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Time works in turn, the first time unrecorded."""
    seconds = {name: [] for name in works}
    for _ in range(1 + N_ROUNDS):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - start)
    return {name: float(np.median(times[1:])) for name, times in seconds.items()}


def within(context: Callable, work: Callable[[], None]) -> Callable[[], None]:
    def run() -> None:
        with context():
            work()

    return run


def main() -> None:
    warnings.simplefilter("ignore")  # that the number of epochs is a setting is meant
    X, y = load_digits(return_X_y=True)
    X = X / 16
    n_steps = N_EPOCHS * len(X) // BATCH_SIZE
    kinds = {
        "search": (search, peers.DIGITS_NETWORK, products(60, 100, 4 * n_steps // 5, BATCH_SIZE)),
        "bagging": (bag, peers.BAGGED_NETWORK, products(100, 32, n_steps, N_DRAWN)),
    }
    lines = []
    for name, (meta, parameters, multiply) in kinds.items():
        theirs = meta(ScikitLearnMLP(**parameters), X, y)
        times = median_seconds(
            {
                "checks": meta(Checks(), X, y),
                "products": multiply,
                "ours": within(peers.as_two_networks, meta(MLPClassifier(**parameters), X, y)),
                "scikit-learn": within(peers.in_two_processes, theirs),
            }
        )
        floor = times["checks"] + times["products"]
        ratios = [f"{times['scikit-learn'] / t:.2f}x" for t in (times["ours"], floor)]
        lines.append([name, *(f"{1000 * t:.0f} ms" for t in times.values()), *ratios])
    print_table(["work", *times, "ratio", "ratio of the floor"], lines)


if __name__ == "__main__":
    main()
