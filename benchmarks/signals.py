"""Classifiers of signals: ``python -m benchmarks.signals folder [network ...]``.

The folder has the files that aeon and sktime bundle: GunPoint, ArrowHead, ItalyPowerDemand,
BasicMotions and JapaneseVowels (with a ``.ts`` ending each, for training and for testing as the
archive splits them). Accuracies are means over five seeds; seconds are those of a fit. Markdown.
"""

import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.forecasting import print_table
from sknn_basics import ConvNetClassifier, RNNClassifier, architectures

SETS = ("GunPoint", "ArrowHead", "ItalyPowerDemand", "BasicMotions", "JapaneseVowels_eq")
N_SEEDS = 5


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read signals of equal length, (n_samples, length, n_channels), and their classes."""
    lines = path.read_text().split("@data\n")[1].split()
    cells = [line.split(":") for line in lines]
    X = np.array([[channel.split(",") for channel in row[:-1]] for row in cells], dtype=float)
    return X.transpose(0, 2, 1), np.array([row[-1] for row in cells])


class Flat(StandardScaler):
    """Signals as rows, each value scaled by itself."""

    def fit(self, X, y=None):
        return super().fit(X.reshape(len(X), -1))

    def transform(self, X):
        return super().transform(X.reshape(len(X), -1))


class Scaled(StandardScaler):
    """Signals whose channels are scaled."""

    def fit(self, X, y=None):
        return super().fit(X.reshape(-1, X.shape[-1]))

    def transform(self, X):
        return super().transform(X.reshape(-1, X.shape[-1])).reshape(X.shape)


def ridge(seed: int):
    return make_pipeline(Flat(), RidgeClassifierCV(np.logspace(-3, 3, 10)))


def signal_network(name: str):
    def make(seed: int):
        network = ConvNetClassifier(**getattr(architectures, name), random_state=seed)
        return make_pipeline(Scaled(), network)

    return make


def recurrent(seed: int):
    return make_pipeline(Scaled(), RNNClassifier(random_state=seed))


NETWORKS = {
    "ridge": ridge,
    "INCEPTION_TIME": signal_network("INCEPTION_TIME"),
    "RESNET_1D": signal_network("RESNET_1D"),
    "FCN": signal_network("FCN"),
    "RNNClassifier()": recurrent,
}


def main(folder: str, *names: str) -> None:
    warnings.simplefilter("ignore")
    rows = []
    for name in names or NETWORKS:
        accuracies, seconds = [], 0.0
        for own in SETS:
            train, test = (read(Path(folder) / f"{own}_{part}.ts") for part in ("TRAIN", "TEST"))
            n_seeds = 1 if name == "ridge" else N_SEEDS
            scores = []
            for seed in range(n_seeds):
                start = time.perf_counter()
                model = NETWORKS[name](seed).fit(*train)
                seconds += (time.perf_counter() - start) / n_seeds / len(SETS)
                scores.append(model.score(*test))
            accuracies.append(np.mean(scores))
            print(name, own, np.round(scores, 4), f"{seconds:.1f}", file=sys.stderr, flush=True)
        mean = f"{np.mean(accuracies):.4f}"
        rows.append([name, *(f"{own:.3f}" for own in accuracies), mean, f"{seconds:.1f}"])
    print_table(["network", *(own.split("_")[0] for own in SETS), "mean", "seconds"], rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
