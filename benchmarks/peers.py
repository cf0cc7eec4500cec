"""The same work in each library. A process imports its own peer only."""

import os
from collections.abc import Callable
from pathlib import Path

from benchmarks.data import DIGITS, FASHION, load_arrays, map_pixels

Work = Callable[[], object]
Peer = Callable[[Path], Work]

# No tolerance ends a fit early: every epoch of `max_iter` runs.
COMMON = {"n_iter_no_change": 1000, "random_state": 0}
DIGITS_NETWORK = dict(hidden_layer_sizes=(100,), batch_size=200, max_iter=10, **COMMON)
FASHION_NETWORK = dict(hidden_layer_sizes=(784,), batch_size=256, max_iter=2, **COMMON)
PIXELS_NETWORK = dict(hidden_layer_sizes=(100,), batch_size=256, max_iter=1, **COMMON)


def our_class() -> type:
    from sknn_basics import MLPClassifier

    return MLPClassifier


def sklearn_class() -> type:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier


def import_ours() -> None:
    import sknn_basics  # noqa: F401


def import_dependencies() -> None:
    import skorch  # noqa: F401
    import torch  # noqa: F401
    from sklearn import base  # noqa: F401
    from sklearn.utils import validation  # noqa: F401


def fit_digits(get_class: Callable[[], type]) -> Peer:
    def prepare(folder: Path) -> Work:
        MLPClassifier, (X, y) = get_class(), load_arrays(folder, DIGITS)
        return lambda: MLPClassifier(**DIGITS_NETWORK).fit(X, y)

    return prepare


def fit_fashion(get_class: Callable[[], type]) -> Peer:
    def prepare(folder: Path) -> Work:
        MLPClassifier, (X, y) = get_class(), load_arrays(folder, FASHION, 20_000)
        return lambda: MLPClassifier(**FASHION_NETWORK).fit(X, y)

    return prepare


def fit_memory_map(get_class: Callable[[], type], n_rows: int) -> Peer:
    def prepare(folder: Path) -> Work:
        MLPClassifier, (X, y) = get_class(), map_pixels(folder, n_rows)
        return lambda: MLPClassifier(**PIXELS_NETWORK).fit(X, y)

    return prepare


def predict_fashion(get_class: Callable[[], type], n_rows: int, dtype: str) -> Peer:
    """`predict_proba` of a network fitted to 2,000 rows of the dtype that it then reads."""

    def prepare(folder: Path) -> Work:
        X, y = load_arrays(folder, FASHION, dtype=dtype)
        classifier = get_class()(**FASHION_NETWORK).fit(X[:2000], y[:2000])
        X = X[:n_rows]
        return lambda: classifier.predict_proba(X)

    return prepare


def fit_digits_skorch(folder: Path) -> Work:
    import torch
    from skorch import NeuralNetClassifier

    X, y = load_arrays(folder, DIGITS, dtype="float32")

    def fit() -> None:
        torch.manual_seed(0)
        NeuralNetClassifier(
            torch.nn.Sequential(
                torch.nn.Linear(64, 100), torch.nn.ReLU(), torch.nn.Linear(100, 10)
            ),
            criterion=torch.nn.CrossEntropyLoss,
            optimizer=torch.optim.Adam,
            lr=1e-3,
            batch_size=200,
            max_epochs=10,
            iterator_train__shuffle=True,
            train_split=None,
            verbose=0,
        ).fit(X, y)

    return fit


def fit_digits_keras(folder: Path) -> Work:
    os.environ["KERAS_BACKEND"] = "torch"
    import keras
    from scikeras.wrappers import KerasClassifier

    X, y = load_arrays(folder, DIGITS)

    def build_network() -> keras.Model:
        dense = keras.layers.Dense
        return keras.Sequential(
            [keras.Input((64,)), dense(100, activation="relu"), dense(10, activation="softmax")]
        )

    def fit() -> None:
        keras.utils.set_random_seed(0)
        KerasClassifier(
            build_network,
            loss="sparse_categorical_crossentropy",
            optimizer="adam",
            batch_size=200,
            epochs=10,
            verbose=0,
        ).fit(X, y)

    return fit


def fit_fashion_bare(folder: Path) -> Work:
    """The loop one would write by hand: slices of a permutation, fused Adam, no history."""
    import torch

    X, y = map(torch.from_numpy, load_arrays(folder, FASHION, 20_000))
    y = y.long()

    def fit() -> None:
        torch.manual_seed(0)
        network = torch.nn.Sequential(
            torch.nn.Linear(784, 784), torch.nn.ReLU(), torch.nn.Linear(784, 10)
        )
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
        for _ in range(2):
            for batch in torch.randperm(len(X)).split(256):
                loss = torch.nn.functional.cross_entropy(network(X[batch]), y[batch])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()

    return fit
