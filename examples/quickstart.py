"""
===============================================
Quickstart: from a first score to a saved model
===============================================

A neural network inside scikit-learn's own tools: a pipeline is cross-validated, tuned by
a grid search, tested once, saved, and loaded again in another process.

.. code-block:: shell

    python examples/quickstart.py
    python examples/quickstart.py --data fashion-mnist
"""

import argparse
import hashlib
import subprocess
import sys
import time
import warnings
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import (
    GridSearchCV,
    ParameterGrid,
    StratifiedKFold,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from sknn_basics import MLPClassifier
from sknn_basics.datasets import load_fashion_mnist
from sknn_basics.displays import SearchScoresDisplay, TrainingCurveDisplay
from sknn_basics.model_selection import SearchProgressBar

# Networks this small train faster side by side than one by one on all cores.
N_JOBS = 2

# %%
# The data
# --------
# The digits come with scikit-learn. Of Fashion-MNIST, a stratified part of the training set
# is enough to show the way; its test set is used whole.


def load_data(name):
    if name == "digits":
        X, y = load_digits(return_X_y=True)
        return train_test_split(X, y, stratify=y, random_state=42)
    X_train, y_train = load_fashion_mnist(split="train", return_X_y=True)
    X_test, y_test = load_fashion_mnist(split="test", return_X_y=True)
    X_train, _, y_train, _ = train_test_split(
        X_train, y_train, train_size=2_000, stratify=y_train, random_state=42
    )
    print("Fashion-MNIST: a stratified subset of the training set, and the whole test set")
    return X_train, X_test, y_train, y_test


# %%
# The model
# ---------
# The scaler is a step of the pipeline, so each fold scales by its own training rows only.
# The network needs no input shape, no number of classes and no one-hot labels.


def make_model():
    network = MLPClassifier(
        hidden_layer_sizes=(50,),
        learning_rate_init="auto",
        batch_size=64,
        early_stopping=True,
        random_state=42,
    )
    return Pipeline([("normalize", MinMaxScaler()), ("model", network)])


def cross_validate(model, X, y):
    folds = StratifiedKFold(n_splits=5, shuffle=True, random_state=42)
    return cross_val_score(model, X, y, cv=folds, n_jobs=N_JOBS)


# %%
# The search
# ----------
# Layers, neurons, dropout and solver are parameters like any other. The backend "stacked" trains
# all networks of one structure as one; `n_processes` shares the fits between two processes, each
# with stacks of its own. Scores and weights are those of fits one by one, to rounding. The
# progress bar shows the search, the fits under way below it, and the time left.

GRID = {
    "model__hidden_layer_sizes": [
        (n_neurons,) * n_layers for n_layers in (1, 2) for n_neurons in (50, 100)
    ],
    "model__dropout": [0.0, 0.2],
    "model__solver": ["adam", "adadelta"],
}


def search_grid(model, X, y, **backend):
    folds = StratifiedKFold(n_splits=3, shuffle=True, random_state=42)
    search = GridSearchCV(model, GRID, cv=folds)
    search.set_callbacks(SearchProgressBar())
    with warnings.catch_warnings(), joblib.parallel_config(**backend):
        warnings.filterwarnings("ignore", message="The estimator MinMaxScaler does not support")
        return search.fit(X, y)


def search_both_ways(model, X, y):
    n_fits = 3 * len(ParameterGrid(GRID))
    print(f"{n_fits} fits one by one, in {N_JOBS} processes:")
    start = time.perf_counter()
    search_grid(model, X, y, backend="loky", n_jobs=N_JOBS)
    middle = time.perf_counter()
    print("The same fits as stacks:")
    search = search_grid(model, X, y, backend="stacked", n_processes=N_JOBS)
    ratio = (middle - start) / (time.perf_counter() - middle)
    print(f"Stacked, the search was {ratio:.1f} times as fast.")
    return search


# %%
# Saving
# ------
# A fitted pipeline is one joblib file. Another process that loads it predicts the same bits.

PREDICT_IN_FRESH_PROCESS = """
import hashlib, sys
import joblib, numpy as np
model, X = joblib.load(sys.argv[1]), np.load(sys.argv[2])
print(hashlib.sha256(model.predict_proba(X).tobytes()).hexdigest())
"""


def predicts_same_bits_when_reloaded(model, X, folder):
    model_path, X_path = folder / "model.joblib", folder / "X_test.npy"
    joblib.dump(model, model_path)
    np.save(X_path, X)
    command = [sys.executable, "-c", PREDICT_IN_FRESH_PROCESS, model_path, X_path]
    reloaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    return reloaded == hashlib.sha256(model.predict_proba(X).tobytes()).hexdigest()


# %%
# The pictures
# ------------


def plot_training(network, path):
    figure = TrainingCurveDisplay.from_estimator(network).figure_
    figure.suptitle("The best network, refitted on all training rows")
    figure.savefig(path)


def plot_grid_scores(search, path):
    figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
    SearchScoresDisplay.from_search(search, ax=ax)
    figure.savefig(path)


# %%
# All together
# ------------


def main(data, folder):
    start = time.perf_counter()
    X_train, X_test, y_train, y_test = data
    print(f"{len(X_train):,} training rows, {len(X_test):,} test rows")

    model = make_model()
    scores = cross_validate(model, X_train, y_train)
    print(f"Accuracy of a first guess, 5 folds: {scores.mean():.4f} ± {scores.std():.4f}")

    search = search_both_ways(model, X_train, y_train)
    print(f"Best of {len(search.cv_results_['params'])}: {search.best_params_}")
    print(f"Its accuracy, 3 folds: {search.best_score_:.4f}")
    print(f"Its test accuracy: {search.score(X_test, y_test):.4f}")

    folder.mkdir(parents=True, exist_ok=True)
    if not predicts_same_bits_when_reloaded(search.best_estimator_, X_test, folder):
        sys.exit("The reloaded model predicts differently.")
    print("Saved, and loaded in a fresh process: it predicts the same bits")

    plot_training(search, folder / "training.png")
    plot_grid_scores(search, folder / "grid_scores.png")
    print("Written:", *sorted(map(str, folder.iterdir())))
    print(f"This took {time.perf_counter() - start:.0f} s.")


def parse_arguments():
    parser = argparse.ArgumentParser(description="From a first score to a saved model.")
    parser.add_argument("--data", choices=["digits", "fashion-mnist"], default="digits")
    parser.add_argument("--folder", type=Path, default=Path("quickstart_output"))
    return parser.parse_args()


if __name__ == "__main__":
    arguments = parse_arguments()
    try:
        data = load_data(arguments.data)
    except FileNotFoundError as error:
        sys.exit(str(error))
    main(data, arguments.folder)
