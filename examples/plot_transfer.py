"""
=========================================
Transfer learning: from clothes to digits
=========================================

The first layers of a network that classifies clothes detect edges and curves, which digits have,
too. With few images of digits, a network that starts from these layers may be better than one that
is trained from scratch. Its new head is trained first, with the old layers frozen; then all layers
are fine-tuned with a smaller learning rate.

.. code-block:: shell

    python examples/plot_transfer.py              # a subset
    SKNN_FULL=1 python examples/plot_transfer.py  # all clothes
"""

import os
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import zoom
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedShuffleSplit

from sknn_basics import ConvNetClassifier
from sknn_basics.datasets import load_fashion_mnist

start = time.perf_counter()
warnings.simplefilter("ignore", ConvergenceWarning)  # the numbers of epochs are meant

# %%
# Pretraining on clothes
# ----------------------

is_full = os.environ.get("SKNN_FULL") == "1"
n_clothes, n_epochs = (60_000, 20) if is_full else (6_000, 10)
clothes, kinds = load_fashion_mnist(split="train", as_images=True, return_X_y=True)

network = ConvNetClassifier(
    filters=(16, 32, 64),
    hidden_layer_sizes=(64,),
    batch_size=20,
    max_iter=n_epochs,
    dtype="float32",
    random_state=0,
)
source = clone(network).fit(clothes[:n_clothes] / np.float32(255), kinds[:n_clothes])
print(source.summary())

# %%
# Few digits
# ----------
# The digits are enlarged to the size of the clothes. ``init_layers`` names the layers that are
# copied from ``init_from``: those of the convolutions, because the dense ones are specific to
# clothes. With ``warm_start``, a second fit starts from the weights of the first one.

digits = load_digits()
X, y = np.zeros((len(digits.images), 28, 28), dtype=np.float32), digits.target
X[:, 4:24, 4:24] = zoom(digits.images / 16, (1, 2.5, 2.5), order=1)


def score_from_scratch(train, test, seed):
    model = clone(network).set_params(max_iter=60, random_state=seed)
    return [model.fit(*train).score(*test)]


def score_fine_tuned(train, test, seed):
    model = clone(network).set_params(init_from=source, init_layers="block*", random_state=seed)
    model.set_params(frozen_layers="block*", warm_start=True, max_iter=20)
    of_head = model.fit(*train).score(*test)
    model.set_params(frozen_layers=None, learning_rate_init=5e-4, max_iter=40)
    return [of_head, model.fit(*train).score(*test)]


WAYS = ("from scratch", "head only", "fine-tuned")
SIZES, N_SPLITS = (20, 50, 100, 200), 4
scores = np.empty((len(SIZES), N_SPLITS, len(WAYS)))
for i, size in enumerate(SIZES):
    splits = StratifiedShuffleSplit(N_SPLITS, train_size=size, test_size=1000, random_state=0)
    for seed, (train, test) in enumerate(splits.split(X, y)):
        data = (X[train], y[train]), (X[test], y[test]), seed
        scores[i, seed] = [*score_from_scratch(*data), *score_fine_tuned(*data)]
print("digits  " + "  ".join(f"{way:>13}" for way in WAYS))
for size, row in zip(SIZES, scores.mean(axis=1)):
    print(f"{size:>6}  " + "  ".join(f"{score:>13.3f}" for score in row))

# %%
# Accuracy by the number of digits
# --------------------------------
# Fine-tuning is ahead by one to three points in the mean, but the error bars overlap: a network
# pretrained on images this different helps little. Networks that were pretrained on millions of
# photos usually help more for photos: see :ref:`pretrained-networks`.

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for i, (way, rows) in enumerate(zip(WAYS, np.moveaxis(scores, 2, 0))):
    places = np.array(SIZES) * 1.06 ** (i - 1)  # next to each other
    ax.errorbar(places, rows.mean(axis=1), rows.std(axis=1), marker="o", capsize=3, label=way)
ax.set(
    xscale="log",
    xticks=SIZES,
    xticklabels=SIZES,
    xlabel="Images of digits to train on",
    ylabel="Accuracy on 1,000 others",
    title="Mean and standard deviation over four splits",
)
ax.minorticks_off()
ax.legend()
print(f"This took {time.perf_counter() - start:.0f} s.")
plt.show()
