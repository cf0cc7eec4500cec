"""Work for a GPU, beside skorch and bare torch loops there and scikit-learn on all cores.

``python -m benchmarks --only "gpu-*"`` runs it; BENCHMARK_DEVICE=cpu tries it out where there is no
GPU, with a hundredth of the candidates and samples.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np

from benchmarks import images, peers
from benchmarks.data import DIGITS, FASHION, load_arrays
from benchmarks.harness import OURS, Row, ratio_of_at_least
from benchmarks.measure import milliseconds

DEVICE = os.environ.get("BENCHMARK_DEVICE", "cuda")
# Of candidates, networks and samples.
SHARE = 1 if DEVICE == "cuda" else 0.01

# A first run of more milliseconds counts: what it prepares is little of that.
LONG_RUN = 20_000

Work = Callable[[], object]
Peer = Callable[[Path], Work]


def some(n: int, least: int = 2) -> int:
    """Give a number of candidates or samples, or fewer where this is only tried out."""
    return max(least, int(n * SHARE))


def runs(work: Work) -> Iterator[float]:
    """Time each run until the device has ended it, after a first one unless that takes long."""
    first = milliseconds(lambda: (work(), wait()))
    if first > LONG_RUN:
        yield first
    while True:
        yield milliseconds(lambda: (work(), wait()))


def wait() -> None:
    """Wait for a GPU, where this process uses one."""
    import sys

    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def on_all_cores() -> AbstractContextManager:
    from joblib import parallel_config

    return parallel_config(n_jobs=-1)


def mlp(get_class: Callable[[], type], **parameters) -> Callable[[], object]:
    """Make a dense network of ours on the device, in float32, or one of scikit-learn."""

    def make():
        kind = get_class()
        place = {"device": DEVICE, "dtype": "float32"} if kind.__module__.startswith("sknn") else {}
        return kind(**{**peers.DIGITS_NETWORK, **place, **parameters})

    return make


def skorch_mlp(n_inputs: int, sizes: tuple[int, ...], **parameters):
    import torch
    from skorch import NeuralNetClassifier

    layers, before = [], n_inputs
    for size in sizes:
        layers += [torch.nn.Linear(before, size), torch.nn.ReLU()]
        before = size
    return NeuralNetClassifier(
        torch.nn.Sequential(*layers, torch.nn.Linear(before, 10)),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
        device=DEVICE,
        **parameters,
    )


def search(
    make_network: Callable[[], object],
    how: Callable[[], AbstractContextManager],
    n_candidates: int,
    cv: int,
    rate: str = "learning_rate_init",
    alpha: str = "alpha",
    dtype: str = "float64",
) -> Peer:
    """Search rates and penalties for digits."""

    def prepare(folder: Path) -> Work:
        from sklearn.model_selection import GridSearchCV

        X, y = load_arrays(folder, DIGITS, dtype=dtype)
        n_rates = max(1, round(some(n_candidates) ** 0.5 / 2))
        grid = {
            rate: np.logspace(-3, -2, n_rates).tolist(),
            alpha: np.logspace(-5, 0, some(n_candidates) // n_rates).tolist(),
        }
        network = GridSearchCV(make_network(), grid, cv=cv, refit=False)

        def fit() -> None:
            with how():
                network.fit(X, y)

        return fit

    return prepare


def bag(make_network: Callable[[], object], how: Callable[[], AbstractContextManager]) -> Peer:
    def prepare(folder: Path) -> Work:
        from sklearn.ensemble import BaggingClassifier

        X, y = load_arrays(folder, DIGITS)
        bagging = BaggingClassifier(make_network(), some(100), random_state=0)

        def fit() -> None:
            with how():
                bagging.fit(X, y)

        return fit

    return prepare


def load_fashion(folder: Path, n_samples: int = 60_000):
    return load_arrays(folder, FASHION, some(n_samples, 600))


def fit_dense(get_class: Callable[[], type], sizes: tuple[int, ...]) -> Peer:
    def prepare(folder: Path) -> Work:
        X, y = load_fashion(folder)
        network = mlp(get_class, hidden_layer_sizes=sizes, batch_size=500, max_iter=5)()
        return lambda: network.fit(X, y)

    return prepare


def fit_dense_skorch(sizes: tuple[int, ...]) -> Peer:
    def prepare(folder: Path) -> Work:
        X, y = load_fashion(folder)
        network = skorch_mlp(784, sizes, batch_size=500, max_epochs=5)
        return lambda: network.fit(X, y)

    return prepare


def bare_loop(
    make_network: Callable, load: Callable, batch_size: int, n_epochs: int, after=None
) -> Peer:
    """The loop one would write by hand: all data on the device, fused Adam, no history."""

    def prepare(folder: Path) -> Work:
        import torch

        torch.backends.cudnn.allow_tf32 = False
        X, y = (torch.from_numpy(array) for array in load(folder))

        def fit() -> None:
            torch.manual_seed(0)
            network = make_network().to(DEVICE)
            there, labels = X.to(DEVICE), y.long().to(DEVICE)
            optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
            for _ in range(n_epochs):
                for batch in torch.randperm(len(X), device=DEVICE).split(batch_size):
                    output = network(there[batch])
                    loss = torch.nn.functional.cross_entropy(output, labels[batch])
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                    if after is not None:
                        after(network)

        return fit

    return prepare


def bare_mlp(sizes: tuple[int, ...]):
    return lambda: skorch_mlp(784, sizes).module


def load_images(folder: Path):
    X, y = load_fashion(folder, 20_000)
    return 2 * X.reshape(-1, 1, 28, 28) - 1, y


def fit_strided(folder: Path) -> Work:
    X, y = load_images(folder)
    network = images.our_network("STRIDED", data_format="channels_first", device=DEVICE, max_iter=5)
    return lambda: network.fit(X, y)


def limit_norms(network) -> None:
    for layer in network:
        if layer.weight.dim() == 4 if hasattr(layer, "weight") else False:
            layer.weight.detach().renorm_(2, 0, 3.0)


def load_sequences(folder: Path):
    X, y = load_fashion(folder, 10_000)
    return X.reshape(-1, 28, 28), y


def fit_lstm(folder: Path) -> Work:
    from sknn_basics import RNNClassifier

    X, y = load_sequences(folder)
    options = {"batch_size": 200, "max_iter": 5, "n_iter_no_change": 1000, "random_state": 0}
    network = RNNClassifier((128,), dtype="float32", device=DEVICE, **options)
    return lambda: network.fit(X, y)


def bare_lstm():
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.output = nn.LSTM(28, 128, batch_first=True), nn.Linear(128, 10)

        def forward(self, x):
            return self.output(self.lstm(x)[0][:, -1])

    torch.manual_seed(0)
    return Network()


def search_images(how: Callable[[], AbstractContextManager]) -> Peer:
    """Search eight small convolutional networks in five folds."""

    def prepare(folder: Path) -> Work:
        from sklearn.model_selection import GridSearchCV

        from sknn_basics import ConvNetClassifier

        X, y = load_arrays(folder, DIGITS, dtype="float32")
        options = {"batch_size": 100, "max_iter": 5, "random_state": 0, "device": DEVICE}
        network = ConvNetClassifier((8, 16), dtype="float32", **options)
        grid = {"alpha": np.logspace(-5, 0, some(8)).tolist()}
        own = GridSearchCV(network, grid, cv=5, refit=False)

        def fit() -> None:
            with how():
                own.fit(X.reshape(-1, 8, 8), y)

        return fit

    return prepare


def fit_table(device: str) -> Peer:
    def prepare(folder: Path) -> Work:
        from sknn_basics import TabularClassifier

        X, y = load_arrays(folder, DIGITS)
        X, y = X[: some(1797, 200)], y[: some(1797, 200)]
        network = TabularClassifier(random_state=0, device=device, max_iter=some(50, 2))
        return lambda: network.fit(X, y)

    return prepare


def gpu_row(name: str, title: str, detail: str, others: dict, needed: dict, ours: Peer) -> Row:
    return Row(
        name=f"gpu-{name}",
        title=title,
        detail=detail,
        measure=runs,
        peers={OURS: ours, **others},
        requirements={peer: ratio_of_at_least(least) for peer, least in needed.items()},
    )


ALL_CORES = "scikit-learn, all cores"
BARE = "bare torch loop"
STACKED, WIDE = peers.as_one_network, (2048, 2048)
OUR_MLP, THEIR_MLP = mlp(peers.our_class), mlp(peers.sklearn_class)
BAGGED = {"hidden_layer_sizes": (32,)}

ROWS = [
    gpu_row(
        "search-60",
        "grid search: 12 candidates x 5 folds, digits, 64-100-10, 10 epochs",
        'Ours in one stack, `joblib.parallel_config(backend="stacked")`.',
        {
            ALL_CORES: search(THEIR_MLP, on_all_cores, 12, 5),
            "skorch": search(
                lambda: skorch_mlp(64, (100,), batch_size=200, max_epochs=10),
                nullcontext,
                *(12, 5, "lr", "optimizer__weight_decay", "float32"),
            ),
        },
        {ALL_CORES: 2, "skorch": 8},
        search(OUR_MLP, STACKED, 12, 5),
    ),
    gpu_row(
        "search-1000",
        "grid search: 1,000 candidates x 2 folds, digits, 64-100-10, 10 epochs",
        "The same. skorch, which trains one after another, would take minutes.",
        {ALL_CORES: search(THEIR_MLP, on_all_cores, 1000, 2)},
        {ALL_CORES: 30},
        search(OUR_MLP, STACKED, 1000, 2),
    ),
    gpu_row(
        "bagging-100",
        "`BaggingClassifier` of 100 networks, digits, 64-32-10, batch 200, 10 epochs",
        "Ours in one stack.",
        {ALL_CORES: bag(mlp(peers.sklearn_class, **BAGGED), on_all_cores)},
        {ALL_CORES: 5},
        bag(mlp(peers.our_class, **BAGGED), STACKED),
    ),
    gpu_row(
        "dense",
        "fit 60,000 x 784, 784-784-10, batch 500, 5 epochs, Adam",
        "One network.",
        {
            BARE: bare_loop(bare_mlp((784,)), load_fashion, 500, 5),
            "skorch": fit_dense_skorch((784,)),
            ALL_CORES: fit_dense(peers.sklearn_class, (784,)),
        },
        {BARE: 1 / 1.1, "skorch": 2, ALL_CORES: 5},
        fit_dense(peers.our_class, (784,)),
    ),
    gpu_row(
        "wide",
        "fit 60,000 x 784, 784-2048-2048-10, batch 500, 5 epochs, Adam",
        "One network, whose products keep a GPU busy.",
        {
            BARE: bare_loop(bare_mlp(WIDE), load_fashion, 500, 5),
            "skorch": fit_dense_skorch(WIDE),
        },
        {BARE: 1 / 1.1, "skorch": 1},
        fit_dense(peers.our_class, WIDE),
    ),
    gpu_row(
        "strided",
        "fit the strided convolutional network, 20,000 images, batch 256, 5 epochs, Adam",
        "The bare loop has the same layers, and no TF32 either.",
        {BARE: bare_loop(lambda: images.bare_network("STRIDED"), load_images, 256, 5, limit_norms)},
        {BARE: 1 / 1.1},
        fit_strided,
    ),
    gpu_row(
        "lstm",
        "fit an LSTM of 128, 10,000 sequences of 28 steps of 28, batch 200, 5 epochs, Adam",
        "The bare loop has torch's LSTM.",
        {BARE: bare_loop(bare_lstm, load_sequences, 200, 5)},
        {BARE: 1 / 1.2},
        fit_lstm,
    ),
    gpu_row(
        "stacked-images",
        "grid search: 8 convolutional networks x 5 folds, digits, filters 8 and 16, 5 epochs",
        "In one stack, against one after another.",
        {f"{OURS}, alone": search_images(nullcontext)},
        {f"{OURS}, alone": 1},
        search_images(STACKED),
    ),
    gpu_row(
        "table",
        "fit `TabularClassifier` to digits, at most 50 epochs",
        "Against itself on the processor.",
        {f"{OURS}, processor": fit_table("cpu")},
        {f"{OURS}, processor": 1},
        fit_table(DEVICE),
    ),
]
