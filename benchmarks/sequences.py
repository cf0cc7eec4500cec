"""Recurrent networks: the same work in each library."""

import os
from collections.abc import Callable
from pathlib import Path

N_SAMPLES, WINDOW, SIZES = 2_000, 13, (9, 6, 3)

Work = Callable[[], object]
Peer = Callable[[Path], Work]


def make_windows():
    """Windows of the upsloping sines, float32 of shape (1987, 13, 1), and what follows each."""
    from sknn_basics.datasets import make_sum_of_sines
    from sknn_basics.preprocessing import SlidingWindow

    series = make_sum_of_sines(N_SAMPLES, kind="upsloping")
    series = ((series - series.mean()) / series.std()).astype("float32")
    X, y = SlidingWindow(WINDOW, flatten=False).fit(series).split(series)
    return X.copy(), y.copy()


def fit_windows(batch_size: int, n_epochs: int) -> Peer:
    def prepare(folder: Path) -> Work:
        from sknn_basics import RNNRegressor

        X, y = make_windows()
        network = RNNRegressor(
            hidden_layer_sizes=SIZES,
            batch_size=batch_size,
            max_iter=n_epochs,
            n_iter_no_change=1000,
            dtype="float32",
            random_state=0,
        )
        return lambda: network.fit(X, y)

    return prepare


def fit_windows_bare(batch_size: int, n_epochs: int) -> Peer:
    """The loop one would write by hand: slices of a permutation, LSTM layers, fused Adam."""

    def prepare(folder: Path) -> Work:
        import torch
        from torch import nn

        X, y = map(torch.from_numpy, make_windows())
        y = y[:, None]

        class Network(nn.Module):
            def __init__(self):
                super().__init__()
                sizes = zip((1, *SIZES), SIZES)
                self.layers = nn.ModuleList(nn.LSTM(*pair, batch_first=True) for pair in sizes)
                self.output = nn.Linear(SIZES[-1], 1)

            def forward(self, x):
                for layer in self.layers:
                    x, _ = layer(x)
                return self.output(x[:, -1])

        def fit() -> None:
            torch.manual_seed(0)
            network = Network()
            optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
            for _ in range(n_epochs):
                for batch in torch.randperm(len(X)).split(batch_size):
                    loss = nn.functional.mse_loss(network(X[batch]), y[batch])
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()

        return fit

    return prepare


def fit_windows_keras(batch_size: int, n_epochs: int) -> Peer:
    def prepare(folder: Path) -> Work:
        os.environ["KERAS_BACKEND"] = "torch"
        import keras
        from keras import layers

        X, y = make_windows()

        def fit() -> None:
            keras.utils.set_random_seed(0)
            deeper = [layers.LSTM(size, return_sequences=True) for size in SIZES[:-1]]
            network = keras.Sequential(
                [keras.Input(X.shape[1:]), *deeper, layers.LSTM(SIZES[-1]), layers.Dense(1)]
            )
            network.compile("adam", "mean_squared_error")
            network.fit(X, y, batch_size=batch_size, epochs=n_epochs, verbose=0)

        return fit

    return prepare
