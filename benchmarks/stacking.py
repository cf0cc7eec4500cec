"""Where stacking pays: epochs of many networks as one, and one after the other.

``python -m benchmarks.stacking`` prints the table that `reason_alone` in `training/rounds.py` rests
on.
"""

import warnings
from statistics import median
from unittest.mock import patch

import numpy as np
from sklearn.model_selection import cross_val_score

from benchmarks.harness import OURS
from benchmarks.report import machine
from sknn_basics import MLPClassifier
from sknn_basics.parallel import stacked

N_FITS = 10
WIDTHS = [32, 100, 200, 400, 784]
BATCH_SIZES = [32, 256]
N_TURNS = 5


def seconds_of_training(network: MLPClassifier, X, y, reason: str | None) -> float:
    with patch("sknn_basics.training.rounds.reason_alone", lambda net: reason), stacked() as report:
        cross_val_score(network, X, y, cv=N_FITS)
    return sum(training.seconds for training in report.trainings)


def ratio(width: int, batch_size: int) -> float:
    """How many times faster stacked networks of width inputs and units are, turn by turn."""
    rng = np.random.default_rng(0)
    n_samples = 20 * batch_size
    X = rng.random((n_samples, width), dtype=np.float32)
    y = np.arange(n_samples) % 10
    network = MLPClassifier(
        (width,), batch_size=batch_size, max_iter=3, dtype="float32", random_state=0
    )
    turns = []
    for _ in range(N_TURNS):
        alone = seconds_of_training(network, X, y, "as asked")
        turns.append(alone / seconds_of_training(network, X, y, None))
    return median(turns)


def main() -> None:
    warnings.simplefilter("ignore")  # that three epochs do not converge is meant
    print(f"{OURS}: {N_FITS} fits stacked, times as fast as alone; {machine()}")
    print("width  " + "".join(f"batch {size:<6}" for size in BATCH_SIZES))
    for width in WIDTHS:
        cells = [f"{ratio(width, size):<12.2f}" for size in BATCH_SIZES]
        print(f"{width:<7}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
