"""
==========================
Four autoencoders compared
==========================

Four autoencoders of ten latent variables each are trained on the same images of clothes. All of
them are then tested in the same ways: reconstruction, interpolation between two articles, noise on
the latent variables, and new clothes from random latent variables.

.. code-block:: shell

    python examples/plot_autoencoders_compared.py              # 4,000 images
    SKNN_FULL=1 python examples/plot_autoencoders_compared.py  # all 60,000
"""

import os
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors

from sknn_basics import (
    Autoencoder,
    ConvAutoencoder,
    VariationalAutoencoder,
    VariationalConvAutoencoder,
)
from sknn_basics.datasets import load_fashion_mnist
from sknn_basics.inspection import interpolate, perturb

start = time.perf_counter()
warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is meant
N_TRAIN, N_EPOCHS = (60_000, 30) if os.environ.get("SKNN_FULL") == "1" else (4_000, 10)

# %%
# The images
# ----------
# Without Fashion-MNIST, handwritten digits take its place.


def load_images():
    try:
        X, y = load_fashion_mnist(split="train", as_images=True, return_X_y=True)
        X_test, y_test = load_fashion_mnist(split="test", as_images=True, return_X_y=True)
    except FileNotFoundError:
        digits = load_digits()
        images = digits.images / np.float32(16)
        return train_test_split(images, digits.target, stratify=digits.target, random_state=0)
    images = (X[:N_TRAIN] / np.float32(255), X_test[:2000] / np.float32(255))
    return *images, y[:N_TRAIN], y_test[:2000]


X_train, X_test, y_train, y_test = load_images()
SHAPE, n_pixels = X_train[0].shape, X_train[0].size
print(f"{len(X_train)} images to train on, {len(X_test)} to test on")


# %%
# The models
# ----------
# Dense networks take rows of pixels. Convolutional ones take images, or such rows and the shape of
# their images.

COMMON = {
    "n_components": 10,
    "batch_size": 50,
    "learning_rate_init": 0.002,
    "max_iter": N_EPOCHS if n_pixels == 784 else 60,
    "random_state": 0,
}
DENSE = {"hidden_layer_sizes": (256, 128), **COMMON}
CONVOLUTIONAL = {"filters": (8, 16), "image_shape": SHAPE, **COMMON}
MODELS = {
    "Dense": Autoencoder(**DENSE),
    "Convolutional": ConvAutoencoder(**CONVOLUTIONAL),
    "Variational": VariationalAutoencoder(**DENSE),
    "Variational\nconvolutional": VariationalConvAutoencoder(**CONVOLUTIONAL),
}
X_train, X_test = X_train.reshape(-1, n_pixels), X_test.reshape(-1, n_pixels)
seconds = {}
for name, model in MODELS.items():
    before = time.perf_counter()
    model.fit(X_train)
    seconds[name] = time.perf_counter() - before

# %%
# The tests
# ---------
# Noise has half the standard deviation of all latent variables. New clothes are decoded from draws
# of the standard normal distribution for the variational autoencoders; for the others, from draws
# of a normal distribution with the mean and covariance of the training latent variables.


def draw_clothes(model, n_samples):
    is_variational = hasattr(model, "sample")
    decoder = model.extract_decoder(None if is_variational else X_train)
    return decoder.sample(n_samples, random_state=0)


def add_noise(model, X):
    amount = model.transform(X_test).std() / 2
    return perturb(model, X, amount, random_state=0)


def halfway(model, n_pairs):
    return interpolate(model, X_test[:n_pairs], X_test[-n_pairs:], n_steps=3)[:, 1]


# %%
# Reconstructions are compared with their originals. New images have none; they are compared with
# their nearest training image. The distances of real test images and of averages of two images show
# what is small and what is large. Blurred images are near to many others: the mean difference of
# neighbouring pixels tells how sharp they are.

neighbors = NearestNeighbors(n_neighbors=1).fit(X_train)


def distance_to_real(X):
    distances, _ = neighbors.kneighbors(X)
    return np.square(distances).mean() / n_pixels


def sharpness(X):
    return np.abs(np.diff(X.reshape(len(X), *SHAPE), axis=2)).mean()


def measure(model):
    drawn = draw_clothes(model, 200)
    return {
        "reconstruction": np.square(model.reconstruct(X_test) - X_test).mean(),
        "with noise": np.square(add_noise(model, X_test) - X_test).mean(),
        "halfway to real": distance_to_real(halfway(model, 200)),
        "drawn to real": distance_to_real(drawn),
        "sharpness drawn": sharpness(drawn),
    }


table = pd.DataFrame({name.replace("\n", " "): measure(model) for name, model in MODELS.items()}).T
table["fit [s]"] = list(seconds.values())
print("\nSquared errors and distances of a pixel, and sharpness")
print(table.round({**dict.fromkeys(table.columns, 4), "fit [s]": 0}).to_string())
print(f"Test images: {distance_to_real(X_test[:200]):.4f} to real, ", end="")
print(f"sharpness {sharpness(X_test):.4f}")
averages = (X_test[:200] + X_test[-200:]) / 2
print(f"Averages of two: {distance_to_real(averages):.4f} to real")

# %%
# After these few epochs, the dense networks reconstruct best, the variational one as well as the
# other. With noise on the latent variables, the variational ones lose least. The samples of the
# dense variational network are nearest to real clothes, and least sharp; those of the convolutional
# one are sharp, but far from real ones.
#
# Reconstruction
# --------------
# The class of each article and its brightness are kept; prints and straps are lost by all networks.


def plot_rows(rows, title):
    n_images = len(next(iter(rows.values())))
    size = (0.8 * n_images + 1.2, 0.85 * len(rows) + 0.4)
    figure, axes = plt.subplots(len(rows), n_images, figsize=size, layout="constrained")
    for (name, images), row in zip(rows.items(), axes):
        for ax, image in zip(row, images):
            ax.imshow(image.reshape(SHAPE), cmap="gray_r", vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
        row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    figure.suptitle(title)
    plt.show()


firsts = np.array([np.flatnonzero(y_test == c)[0] for c in range(10)])
X_shown = X_test[firsts]  # one of each class
rows = {name: model.reconstruct(X_shown) for name, model in MODELS.items()}
plot_rows({"Original": X_shown, **rows}, "Reconstructions of test images")

# %%
# Interpolation
# -------------
# Ten steps on a straight line between the latent variables of two articles. The first row is the
# mean of the pixels. The dense networks fade one article out and the other in, almost as the mean
# of pixels does; the convolutional ones change the outline.

pair = X_shown[[0]], X_shown[[7]]
shares = np.linspace(0, 1, 10)[:, np.newaxis]
rows = {name: interpolate(model, *pair, n_steps=10)[0] for name, model in MODELS.items()}
plot_rows({"Pixels": (1 - shares) * pair[0] + shares * pair[1], **rows}, "From one to another")

# %%
# Noise on the latent variables
# -----------------------------
# The same draws of noise, in proportion to the latent variables. Both networks that are not
# variational lose the coat, and the dense one also the shoes. The variational networks keep the
# class of most articles.

rows = {name: add_noise(model, X_shown) for name, model in MODELS.items()}
plot_rows({"Original": X_shown, **rows}, "Decoded after noise on the latent variables")

# %%
# New clothes
# -----------
# The dense variational network draws shirts, trousers and shoes, some of them faint. The
# convolutional one draws shoes, and shapes that nobody would wear. So are most samples of the
# two networks that are not variational.

rows = {name: draw_clothes(model, 10) for name, model in MODELS.items()}
plot_rows(rows, "Decoded random latent variables")

print(f"This took {time.perf_counter() - start:.0f} s.")
