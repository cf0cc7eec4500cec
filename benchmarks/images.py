"""Convolutional networks: the same work in each library."""

import os
from collections.abc import Callable
from pathlib import Path

from benchmarks.data import FASHION, load_arrays, map_pixels

N_EPOCHS = 2
BATCH_SIZE = 256
N_IMAGES = 10_000

Work = Callable[[], object]
Peer = Callable[[Path], Work]


def load_images(folder: Path):
    """10,000 images of Fashion-MNIST, float32 in [-1, 1], of shape (n, 28, 28)."""
    X, y = load_arrays(folder, FASHION, N_IMAGES)
    return 2 * X.reshape(-1, 28, 28) - 1, y


def our_network(name: str, **parameters):
    from sknn_basics import ConvNetClassifier, architectures

    parameters = {"max_iter": N_EPOCHS, "n_iter_no_change": 1000, "random_state": 0, **parameters}
    return ConvNetClassifier(**{**getattr(architectures, name), **parameters})


def fit_images(name: str, *, augmented: bool = False) -> Peer:
    def prepare(folder: Path) -> Work:
        from torch.nn import Sequential

        from sknn_basics.modules import RandomAffine, RandomFlip

        X, y = load_images(folder)
        vary = Sequential(RandomAffine(shift=0.1, rotation=15), RandomFlip())
        network = our_network(name, augmentation=vary if augmented else None)
        return lambda: network.fit(X, y)

    return prepare


def bare_network(name: str):
    """The network of that name from torch's layers, in channels-last order."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    pooled = name == "POOLED"
    stride, pool = (1, [nn.MaxPool2d(2)]) if pooled else (2, [])
    return nn.Sequential(
        *(nn.Conv2d(1, 30, 5, stride, 2), nn.ReLU(), *pool, nn.Dropout(0.2)),
        *(nn.Conv2d(30, 16, 3, stride, 1), nn.ReLU(), *pool, nn.Dropout(0.2)),
        *(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU()),
        nn.Linear(64, 10),
    ).to(memory_format=torch.channels_last)


def fit_images_bare(name: str) -> Peer:
    """The loop one would write by hand: slices of a permutation, fused Adam, max-norm."""

    def prepare(folder: Path) -> Work:
        import torch
        from torch import nn

        X, y = map(torch.from_numpy, load_images(folder))
        X, y = X.unsqueeze(1), y.long()

        def fit() -> None:
            network = bare_network(name)
            convolutions = [layer for layer in network if isinstance(layer, nn.Conv2d)]
            optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
            for _ in range(N_EPOCHS):
                for batch in torch.randperm(len(X)).split(BATCH_SIZE):
                    loss = nn.functional.cross_entropy(network(X[batch]), y[batch])
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                    for layer in convolutions:
                        layer.weight.detach().renorm_(2, 0, 3.0)

        return fit

    return prepare


def fit_images_keras(name: str) -> Peer:
    def prepare(folder: Path) -> Work:
        os.environ["KERAS_BACKEND"] = "torch"
        import keras

        from benchmarks.accuracy import keras_network

        X, y = load_images(folder)

        def fit() -> None:
            keras.utils.set_random_seed(0)
            network = keras_network(name)
            network.compile("adam", "sparse_categorical_crossentropy")
            network.fit(X, y, batch_size=BATCH_SIZE, epochs=N_EPOCHS, verbose=0)

        return fit

    return prepare


def predict_images(name: str) -> Peer:
    def prepare(folder: Path) -> Work:
        X, y = load_images(folder)
        network = our_network(name, max_iter=1).fit(X[:1000], y[:1000])
        return lambda: network.predict_proba(X)

    return prepare


def predict_images_bare(name: str) -> Peer:
    def prepare(folder: Path) -> Work:
        import torch

        X = torch.from_numpy(load_images(folder)[0]).unsqueeze(1)
        network = bare_network(name).eval()

        def predict() -> object:
            with torch.inference_mode():
                return torch.cat([network(x).softmax(1) for x in X.split(BATCH_SIZE)]).numpy()

        return predict

    return prepare


def fit_mapped_images(n_rows: int) -> Peer:
    def prepare(folder: Path) -> Work:
        pixels, y = map_pixels(folder, n_rows)
        network = our_network("STRIDED", max_iter=1, preprocessing="symmetric")
        return lambda: network.fit(pixels, y)

    return prepare
