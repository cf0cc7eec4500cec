"""
============================================
How many latent variables describe an image?
============================================

With twenty latent variables, ten, three or two, what is left of an image? A shallow autoencoder,
without hidden layers, is compared with a deep one and with PCA, on handwritten digits and on
clothes.

.. code-block:: shell

    python examples/plot_number_of_latents.py              # 3,000 clothes
    SKNN_FULL=1 python examples/plot_number_of_latents.py  # all 60,000
"""

import os
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from sknn_basics import Autoencoder
from sknn_basics.datasets import load_fashion_mnist

start = time.perf_counter()
warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is meant
N_CLOTHES, N_EPOCHS = (60_000, 40) if os.environ.get("SKNN_FULL") == "1" else (3_000, 12)
SIZES = [20, 10, 3, 2]

# %%
# The images
# ----------
# Without Fashion-MNIST, there are only digits.


def load_clothes():
    X, y = load_fashion_mnist(split="train", return_X_y=True)
    X_test, y_test = load_fashion_mnist(split="test", return_X_y=True)
    return X[:N_CLOTHES] / np.float32(255), X_test / np.float32(255), y[:N_CLOTHES], y_test


def load_small_digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split(X / np.float32(16), y, stratify=y, random_state=0)


# The images, the hidden layers of the deep network, and the number of epochs.
DATA = {"Digits": (load_small_digits(), (64, 32), 60)}
try:
    DATA["Clothes"] = (load_clothes(), (256, 64), N_EPOCHS)
except FileNotFoundError:
    print("Fashion-MNIST is not on this machine: only digits are shown.")
for name, ((X_train, X_test, *_), *_) in DATA.items():
    print(f"{name}: {len(X_train)} images to train on, {len(X_test)} to test on")

# %%
# The models
# ----------
# PCA has the least squared error that a linear model can have, on what it was fitted to. The
# shallow network is almost linear: only its output is logistic, as pixels are in [0, 1], and it
# minimises their cross-entropy.
#
# The deep network is best if there are few latent variables: with two or three, its error is a
# third smaller than PCA's. The shallow one is no better than PCA. With twenty, the three are close
# to each other, and on the digits PCA reconstructs better than the deep network, which has few
# training images.


def make_models(n_components, hidden_layer_sizes, max_iter):
    common = {
        "n_components": n_components,
        "learning_rate_init": 0.003,
        "batch_size": 50,
        "max_iter": max_iter,
        "random_state": 0,
    }
    return {
        "PCA": PCA(n_components, random_state=0),
        "Shallow": Autoencoder((), **common),
        "Deep": Autoencoder(hidden_layer_sizes, **common),
    }


def reconstruct(model, X):
    return model.inverse_transform(model.transform(X))


errors, pictures = {}, {}
for name, ((X_train, X_test, _, y_test), *network) in DATA.items():
    shown = [np.flatnonzero(y_test == c)[0] for c in range(10)]
    for n_components in SIZES:
        for kind, model in make_models(n_components, *network).items():
            X_back = reconstruct(model.fit(X_train), X_test)
            errors[name, n_components, kind] = np.square(X_back - X_test).mean()
            pictures[name, n_components, kind] = X_back[shown]
    pictures[name, "Original"] = X_test[shown]

table = pd.Series(errors).unstack()[["PCA", "Shallow", "Deep"]]
table = table.reindex([(name, size) for name in DATA for size in SIZES])
print("\nSquared error of a pixel of test images")
print(table.rename_axis(["", "Latents"]).round(4).to_string())

# %%
# Reconstructions
# ---------------
# With two or three latent variables, PCA and the shallow network mix classes: there are trousers in
# the T-shirt, and a sandal is a grey cloud. The deep network returns a definite object, but not
# always the right one: its five from three latent variables looks like an eight.


def plot_reconstructions(name):
    rows = {"Original": pictures[name, "Original"]}
    for kind in ("PCA", "Shallow", "Deep"):
        rows |= {f"{kind}, {size}": pictures[name, size, kind] for size in SIZES}
    side = round(rows["Original"].shape[1] ** 0.5)
    figure, axes = plt.subplots(len(rows), 10, figsize=(7, 8.5), layout="constrained")
    for (label, images), row in zip(rows.items(), axes):
        for ax, image in zip(row, images):
            ax.imshow(image.reshape(side, side), cmap="gray_r", vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
        row[0].set_ylabel(label, rotation=0, ha="right", va="center")
    figure.suptitle(f"{name}, by the number of latent variables")
    plt.show()


for name in DATA:
    plot_reconstructions(name)

# %%

figure, axes = plt.subplots(1, len(DATA), figsize=(4.5 * len(DATA), 3.5), layout="constrained")
for ax, name in zip(np.ravel(axes), DATA):
    table.loc[name].plot(ax=ax, marker="o", logx=True, ylim=(0, None))
    ax.set(xlabel="Latent variables", ylabel="Squared error per pixel", title=name)
    ax.set_xticks(SIZES, SIZES)
    ax.minorticks_off()
plt.show()

print(f"This took {time.perf_counter() - start:.0f} s.")
