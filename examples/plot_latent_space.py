"""
=======================================
Two latent variables, compared with PCA
=======================================

An autoencoder and a variational one compress handwritten digits to two numbers each, and PCA does
so linearly. The same functions explore all three: where the digits lie, what points of the plane
decode to, and an interpolation between two digits.

.. code-block:: shell

    python examples/plot_latent_space.py
"""

import time
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from sknn_basics import Autoencoder, VariationalAutoencoder
from sknn_basics.inspection import interpolate, latent_grid

# %%
# The models
# ----------
# All three are transformers. For pixels in [0, 1], the autoencoders choose a logistic output by
# themselves.

NETWORK = {
    "hidden_layer_sizes": (128, 64),
    "n_components": 2,
    "learning_rate_init": 0.003,
    "max_iter": 100,
    "random_state": 0,
}
MODELS = {
    "PCA": PCA(2, random_state=0),
    "Autoencoder": Autoencoder(**NETWORK),
    "Variational autoencoder": VariationalAutoencoder(**NETWORK),
}


def reconstruction_error(model, X):
    return np.square(X - model.inverse_transform(model.transform(X))).mean()


# %%
# The planes
# ----------
# One column per model: the digits in its plane, and what the middle of the plane decodes to, from
# the 5th to the 95th percentile of each latent variable.


def plot_planes(models, X, y, path):
    figure, axes = plt.subplots(2, len(models), figsize=(12, 8), layout="constrained")
    for (name, model), (plane, grid) in zip(models.items(), axes.T):
        Z = model.transform(X)
        points = plane.scatter(*Z.T, c=y, cmap="tab10", vmin=-0.5, vmax=9.5, s=6)
        plane.set(title=name, xlabel="First latent variable", ylabel="Second latent variable")
        low, high = np.percentile(Z, [5, 95], axis=0)
        decoded = latent_grid(model, 10, low=low, high=high).reshape(10, 10, 8, 8)
        framed = np.pad(decoded, ((0, 0), (0, 0), (1, 1), (1, 1)))
        picture = framed.transpose(0, 2, 1, 3).reshape(100, 100)
        extent = [low[0], high[0], low[1], high[1]]
        grid.imshow(picture, cmap="gray_r", vmin=0, vmax=1, extent=extent, aspect="auto")
        grid.set(xlabel="First latent variable", ylabel="Second latent variable")
    figure.colorbar(points, ax=axes[0], ticks=range(10), label="Digit")
    figure.savefig(path)


def plot_ways(models, X, y, path):
    start, stop = X[[np.flatnonzero(y == 0)[0]]], X[[np.flatnonzero(y == 6)[0]]]
    figure, axes = plt.subplots(len(models), 10, figsize=(10, 3.4), layout="constrained")
    for (name, model), row in zip(models.items(), axes):
        (images,) = interpolate(model, start, stop, n_steps=10).reshape(1, 10, 8, 8)
        for ax, image in zip(row, images):
            ax.imshow(image, cmap="gray_r", vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
        row[0].set_title(name, loc="left", fontsize="medium")
    figure.suptitle("From a zero to a six, on a straight line between their latent variables")
    figure.savefig(path)


# %%
# All together
# ------------


def main(folder):
    start = time.perf_counter()
    X, y = load_digits(return_X_y=True)
    X_train, X_test, _, y_test = train_test_split(X / 16, y, stratify=y, random_state=0)
    for name, model in MODELS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(X_train)
        error = reconstruction_error(model, X_test)
        print(f"{name}: squared error per test pixel {error:.4f}")

    folder.mkdir(parents=True, exist_ok=True)
    plot_planes(MODELS, X_test, y_test, folder / "planes.png")
    plot_ways(MODELS, X_test, y_test, folder / "ways.png")
    print("Written:", *sorted(map(str, folder.iterdir())))
    print(f"This took {time.perf_counter() - start:.0f} s.")


if __name__ == "__main__":
    main(Path("latent_space_output"))
