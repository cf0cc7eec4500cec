"""What more workers bring: ``python -m benchmarks.workers``.

Measures on this machine how long a stack of so many networks trains, how long a share takes to be
sent and its results to come back, and replays with these numbers a search of 10,000 candidates in
five folds over 1 to 1,000 workers: whoever has done its share gets the next one, and one process
sends them all. Written in Markdown.
"""

import heapq
import pickle
import time
import warnings

import numpy as np
from joblib import Parallel, delayed
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from benchmarks.forecasting import print_table
from sknn_basics import MLPClassifier
from sknn_basics.parallel import stacked

N_FITS = 50_000
WORKERS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
STACKS = (1, 4, 16, 64, 256)
MOST = STACKS[-1]
NETWORK = MLPClassifier((100,), max_iter=10, batch_size=200, dtype="float32", random_state=0)


def seconds_of_stacks(X: np.ndarray, y: np.ndarray) -> dict[int, float]:
    """Measure stacks of several sizes, fit and score."""
    found = {}
    for n_fits in STACKS:
        grid = {"alpha": np.logspace(-6, 0, n_fits)}
        split = np.arange(1400), np.arange(1400, len(X))
        search = GridSearchCV(NETWORK, grid, cv=[split], refit=False)
        times = []
        for _ in range(3):
            start = time.perf_counter()
            with stacked():
                search.fit(X, y)
            times.append(time.perf_counter() - start)
        found[n_fits] = min(times)
    return found


def seconds_of_message(X: np.ndarray, y: np.ndarray, n_fits: int) -> float:
    """Measure what the sender does for a share: pickle its calls, and read its scores."""
    calls = [(NETWORK, {"alpha": alpha}, np.arange(1400)) for alpha in np.arange(float(n_fits))]
    start = time.perf_counter()
    for _ in range(10):
        pickle.loads(pickle.dumps(calls))
    return (time.perf_counter() - start) / 10


def seconds_of_dispatch() -> float:
    """Measure how long a call to another process and back takes."""
    with Parallel(n_jobs=2) as parallel:
        parallel(delayed(int)(0) for _ in range(4))
        start = time.perf_counter()
        parallel(delayed(int)(0) for _ in range(200))
        return (time.perf_counter() - start) / 200


def replay(n_workers: int, work: dict[int, float], message: dict[int, float]) -> float:
    """Replay a search; return its seconds."""
    n_shares = max(n_workers, -(-N_FITS // MOST))
    sizes = np.diff(np.linspace(0, N_FITS, n_shares + 1).astype(int))
    free, sent = [0.0] * n_workers, 0.0
    heapq.heapify(free)
    for size in sizes:
        sent += np.interp(size, list(message), list(message.values()))
        begin = max(sent, heapq.heappop(free))
        heapq.heappush(free, begin + np.interp(size, list(work), list(work.values())))
    return max(free)


def main() -> None:
    warnings.simplefilter("ignore")
    X, y = load_digits(return_X_y=True)
    work = seconds_of_stacks(X / 16, y)
    dispatch = seconds_of_dispatch()
    message = {n: dispatch + seconds_of_message(X, y, n) for n in STACKS}
    rows = [
        [str(n), f"{work[n]:.3f}", f"{1000 * work[n] / n:.1f}", f"{message[n]:.4f}"] for n in STACKS
    ]
    print_table(["fits a share", "seconds", "ms a fit", "seconds to send"], rows)
    one = replay(1, work, message)
    rows = []
    for n_workers in WORKERS:
        seconds = replay(n_workers, work, message)
        share = min(MOST, N_FITS // n_workers)
        rows.append([f"{n_workers:,}", str(share), f"{seconds:.1f}", f"{one / seconds:.0f}x"])
    print()
    print_table(["workers", "fits a share", "seconds", "faster than one"], rows)


if __name__ == "__main__":
    main()
