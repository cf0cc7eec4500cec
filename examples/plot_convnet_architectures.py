"""
=============================================
Seven convolutional networks on Fashion-MNIST
=============================================

How much do pooling, strides, depth and batch normalization matter? Seven architectures are trained
on the same images for the same number of epochs. A table and a plot compare their accuracy with
their size and with the time per epoch. This is a comparison after few epochs on few images: deep
networks need more of both, as with ``SKNN_FULL=1``.

.. code-block:: shell

    python examples/plot_convnet_architectures.py              # a subset
    SKNN_FULL=1 python examples/plot_convnet_architectures.py  # all images, 20 epochs
"""

import os
import time
import warnings

import matplotlib.pyplot as plt
from matplotlib.ticker import LogLocator, NullFormatter
from sklearn.exceptions import ConvergenceWarning

from sknn_basics import ConvNetClassifier, architectures
from sknn_basics.datasets import load_fashion_mnist

start = time.perf_counter()
warnings.simplefilter("ignore", ConvergenceWarning)  # a few epochs are meant

# %%
# The images
# ----------
# The images remain bytes. The networks scale each batch to [-1, 1].

is_full = os.environ.get("SKNN_FULL") == "1"
n_train, n_test, n_epochs = (60_000, 10_000, 20) if is_full else (4_000, 2_000, 5)
X, y = load_fashion_mnist(split="train", as_images=True, return_X_y=True)
X_test, y_test = load_fashion_mnist(split="test", as_images=True, return_X_y=True)
X, y, X_test, y_test = X[:n_train], y[:n_train], X_test[:n_test], y_test[:n_test]

# %%
# The networks
# ------------
# Each is a mapping of parameters; values that follow it in a call replace its own.

NAMES = (
    "SHALLOW",
    "FULL_SIZE",
    "POOLED",
    "STRIDED",
    "NORMALIZED",
    "DEEP_POOLED",
    "DEEP_STRIDED",
)
results = {}
print(f"{'architecture':<14} {'parameters':>10} {'accuracy':>9} {'s per epoch':>11}")
for name in NAMES:
    parameters = {**getattr(architectures, name), "max_iter": n_epochs}
    model = ConvNetClassifier(**parameters, preprocessing="symmetric", random_state=0).fit(X, y)
    accuracy, seconds = model.score(X_test, y_test), model.history_["dur"].mean()
    results[name] = model.n_parameters_, accuracy, seconds
    print(f"{name:<14} {model.n_parameters_:>10,} {accuracy:>9.3f} {seconds:>11.2f}")

# %%
# Accuracy and time
# -----------------
# The best networks are at the lower right: accurate and fast. The area of a marker is proportional
# to the number of parameters.

figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
for name, (n_parameters, accuracy, seconds) in results.items():
    ax.scatter(accuracy, seconds, s=n_parameters / 400, alpha=0.6)
    ax.annotate(name, (accuracy, seconds), ha="center", va="center", fontsize=8)
ax.set(
    xlabel=f"Accuracy on {n_test:,} test images",
    ylabel="Seconds per epoch",
    yscale="log",
    title=f"{n_epochs} epochs on {n_train:,} images of Fashion-MNIST",
)
ax.margins(0.15)
ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
ax.yaxis.set_major_formatter("{x:g}")
ax.yaxis.set_minor_formatter(NullFormatter())
for n_parameters in (10_000, 100_000):
    ax.scatter([], [], s=n_parameters / 400, color="grey", alpha=0.6, label=f"{n_parameters:,}")
ax.legend(title="Parameters", labelspacing=1.5, borderpad=1)
print(f"This took {time.perf_counter() - start:.0f} s.")
plt.show()
