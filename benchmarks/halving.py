"""A search by halving, and the same candidates with all epochs: time, and the best score.

``python -m benchmarks.halving SEEDS`` prints the best scores of networks of some seeds.
"""

import sys
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np

from benchmarks.data import DIGITS, load_arrays
from benchmarks.measure import Work
from benchmarks.peers import Peer, as_two_networks, in_two_processes, our_class, sklearn_class

NETWORK = {
    "hidden_layer_sizes": (100,),
    "batch_size": 200,
    "max_iter": 81,
    "tol": 0.0,
    "n_iter_no_change": 81,  # nothing stops before
}
GRID = {
    "learning_rate_init": [1e-3, 3e-3, 1e-2],
    "alpha": [1e-5, 1e-3, 1e-1],
    "beta_1": [0.8, 0.9, 0.95],
}


def make_search(kind: str, seed: int = 0):
    """Make a search of `SEARCHES`."""
    who, how = kind.split(", ")
    network = (our_class if who == "ours" else sklearn_class)()(**NETWORK, random_state=seed)
    if how == "all epochs":
        from sklearn.model_selection import GridSearchCV

        return GridSearchCV(network, GRID, cv=5, refit=False)
    if who == "ours":
        from sknn_basics.model_selection import EpochHalvingSearchCV

        return EpochHalvingSearchCV(network, GRID, cv=5, refit=False)
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401
    from sklearn.model_selection import HalvingGridSearchCV

    return HalvingGridSearchCV(
        network,
        GRID,
        cv=5,
        refit=False,
        resource="max_iter",
        max_resources=81,
        return_train_score=False,
    )


def search_digits(kind: str, how: Callable[[], AbstractContextManager]) -> Peer:
    def prepare(folder: Path) -> Work:
        X, y = load_arrays(folder, DIGITS)
        search = make_search(kind)

        def fit() -> None:
            with how():
                search.fit(X, y)

        return fit

    return prepare


SEARCHES = {
    "ours, halving": nullcontext,
    "scikit-learn, all epochs": in_two_processes,
    "scikit-learn, halving": in_two_processes,
    "ours, all epochs": as_two_networks,
}
OUR_HALVING, SEARCH, HALVING, OUR_SEARCH = (search_digits(*pair) for pair in SEARCHES.items())


def main(n_seeds: int) -> None:
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    print("best scores".ljust(26), "mean    standard error")
    for kind, how in SEARCHES.items():
        scores = []
        for seed in range(n_seeds):
            search = make_search(kind, seed)
            with how(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                scores.append(search.fit(X / 16, y).best_score_)
        error = np.std(scores, ddof=1) / np.sqrt(n_seeds) if n_seeds > 1 else np.nan
        print(kind.ljust(26), f"{np.mean(scores):.4f}  {error:.4f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
