"""The same work in each library. A process imports its own peer only."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks.data import DIGITS, FASHION, load_arrays, map_pixels

Work = Callable[[], object]
Peer = Callable[[Path], Work]

# No tolerance ends a fit early: every epoch of `max_iter` runs.
COMMON = {"n_iter_no_change": 1000, "random_state": 0}
DIGITS_NETWORK = dict(hidden_layer_sizes=(100,), batch_size=200, max_iter=10, **COMMON)
FASHION_NETWORK = dict(hidden_layer_sizes=(784,), batch_size=256, max_iter=2, **COMMON)
PIXELS_NETWORK = dict(hidden_layer_sizes=(100,), batch_size=256, max_iter=1, **COMMON)
BAGGED_NETWORK = dict(hidden_layer_sizes=(32,), batch_size=200, max_iter=10, **COMMON)

RATES = [1e-3, 3e-3, 1e-2]
ALPHAS = [1e-5, 1e-4, 1e-3, 1e-2]


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

    X, y = load_arrays(folder, DIGITS, dtype="float32")

    def fit() -> None:
        torch.manual_seed(0)
        skorch_network().fit(X, y)

    return fit


def skorch_network():
    import torch
    from skorch import NeuralNetClassifier

    return NeuralNetClassifier(
        torch.nn.Sequential(torch.nn.Linear(64, 100), torch.nn.ReLU(), torch.nn.Linear(100, 10)),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=200,
        max_epochs=10,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )


def fit_digits_keras(folder: Path) -> Work:
    network, (X, y) = keras_network(), load_arrays(folder, DIGITS)
    import keras

    def fit() -> None:
        keras.utils.set_random_seed(0)
        network.fit(X, y)

    return fit


def keras_network():
    os.environ["KERAS_BACKEND"] = "torch"
    from scikeras.wrappers import KerasClassifier

    def build_network(alpha: float | None):
        import keras

        dense, penalty = keras.layers.Dense, alpha and keras.regularizers.L2(alpha)
        return keras.Sequential(
            [
                keras.Input((64,)),
                dense(100, activation="relu", kernel_regularizer=penalty),
                dense(10, activation="softmax", kernel_regularizer=penalty),
            ]
        )

    return KerasClassifier(
        build_network,
        model__alpha=None,
        loss="sparse_categorical_crossentropy",
        optimizer="adam",
        batch_size=200,
        epochs=10,
        verbose=0,
    )


def in_two_processes() -> AbstractContextManager:
    from joblib import parallel_config

    return parallel_config(n_jobs=2)


def as_one_network() -> AbstractContextManager:
    from joblib import parallel_config

    return parallel_config(backend="stacked")


def as_two_networks() -> AbstractContextManager:
    from joblib import parallel_config

    return parallel_config(backend="stacked", n_processes=2)


def search_digits(
    make_network: Callable[[], object],
    how: Callable[[], AbstractContextManager],
    rate: str = "learning_rate_init",
    alpha: str = "alpha",
    *,
    scaled: bool = False,
    dtype: str = "float64",
) -> Peer:
    """Search 3 rates x 4 penalties in 5 folds, the network alone or behind a scaler."""

    def prepare(folder: Path) -> Work:
        from sklearn.model_selection import GridSearchCV
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import MinMaxScaler

        network, (X, y) = make_network(), load_arrays(folder, DIGITS, dtype=dtype)
        grid = {rate: RATES, alpha: ALPHAS}
        if scaled:
            network = Pipeline([("scale", MinMaxScaler()), ("network", network)])
            grid = {f"network__{name}": values for name, values in grid.items()}
        search = GridSearchCV(network, grid, cv=5, refit=False)

        def fit() -> None:
            with how():
                search.fit(X, y)

        return fit

    return prepare


# What scikit-learn has too of the grid that README.md searches, and networks of many shapes.
README_GRID = {"hidden_layer_sizes": [(100,), (50, 50)], "solver": ["adam", "sgd"]}
SHAPES_GRID = {"hidden_layer_sizes": [(w,) * d for w in range(10, 100, 10) for d in (1, 2, 3)]}


def search_shapes(
    get_class: Callable[[], type], how: Callable[[], AbstractContextManager], grid: dict
) -> Peer:
    """Search networks that differ in shapes and solvers in 5 folds."""

    def prepare(folder: Path) -> Work:
        from sklearn.model_selection import GridSearchCV

        X, y = load_arrays(folder, DIGITS)
        search = GridSearchCV(get_class()(**DIGITS_NETWORK), grid, cv=5, refit=False)

        def fit() -> None:
            with how():
                search.fit(X, y)

        return fit

    return prepare


def mlp_digits(get_class: Callable[[], type]) -> Callable[[], object]:
    return lambda: get_class()(**DIGITS_NETWORK)


def cross_validate_fashion(how: Callable[[], AbstractContextManager]) -> Peer:
    def prepare(folder: Path) -> Work:
        from sklearn.model_selection import cross_val_score

        network = our_class()(**FASHION_NETWORK)
        X, y = load_arrays(folder, FASHION, 20_000)

        def score() -> None:
            with how():
                cross_val_score(network, X, y, cv=10)

        return score

    return prepare


def bag_digits(get_class: Callable[[], type], how: Callable[[], AbstractContextManager]) -> Peer:
    def prepare(folder: Path) -> Work:
        from sklearn.ensemble import BaggingClassifier

        X, y = load_arrays(folder, DIGITS)
        bagging = BaggingClassifier(get_class()(**BAGGED_NETWORK), 100, random_state=0)

        def fit() -> None:
            with how():
                bagging.fit(X, y)

        return fit

    return prepare


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
