"""
===========================================
Anomaly detection: clothes of another class
===========================================

An autoencoder that was trained on one class of clothes reconstructs others poorly: minus its
squared error, which ``score_samples`` returns, separates usual images from anomalies. No images of
other classes are needed for training. It is compared with the error of a PCA with as many
components, and with scikit-learn's isolation forest.

.. code-block:: shell

    python examples/plot_anomaly_detection.py              # 1,000 images per class
    SKNN_FULL=1 python examples/plot_anomaly_detection.py  # all 6,000
"""

import os
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from sknn_basics import Autoencoder, AutoencoderOutlierDetector
from sknn_basics.datasets import load_fashion_mnist

start = time.perf_counter()
warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is meant
N_PER_CLASS = 6_000 if os.environ.get("SKNN_FULL") == "1" else 1_000


# %%
# The images
# ----------
# Without Fashion-MNIST, handwritten digits take its place, and the numbers are others.


def load_clothes():
    train, test = load_fashion_mnist(split="train"), load_fashion_mnist(split="test")
    chosen = [np.flatnonzero(train.target == c)[:N_PER_CLASS] for c in range(10)]
    chosen = np.concatenate(chosen)
    X_train, X_test = (X / np.float32(255) for X in (train.data[chosen], test.data))
    return X_train, X_test, train.target[chosen], test.target, train.target_names


def load_small_digits():
    X, y = load_digits(return_X_y=True)
    parts = train_test_split(X / np.float32(16), y, stratify=y, random_state=0)
    return *parts, [f"Digit {i}" for i in range(10)]


try:
    X_train, X_test, y_train, y_test, names = load_clothes()
except FileNotFoundError:
    X_train, X_test, y_train, y_test, names = load_small_digits()
side = round(X_train.shape[1] ** 0.5)
print(f"{len(X_train)} images to train on, a tenth at a time, and {len(X_test)} to test on")


# %%
# The detectors
# -------------
# Each detector has ``score_samples``, where lower is more unusual. PCA's own method of this name
# returns a likelihood; here it is minus the error of its reconstruction.


class PCAReconstruction(PCA):
    def score_samples(self, X):
        return -np.square(X - self.inverse_transform(self.transform(X))).mean(axis=1)


DETECTORS = {
    "Autoencoder": Autoencoder(
        (128, 64),
        n_components=16,
        batch_size=32,
        learning_rate_init=0.002,
        max_iter=20,
        random_state=0,
    ),
    "PCA": PCAReconstruction(n_components=16, random_state=0),
    "Isolation forest": IsolationForest(n_estimators=100, random_state=0),
}

# %%
# Every class in turn
# -------------------
# Detectors are trained on one class, and rank the test images of all classes. The area under the
# ROC curve is the probability that an image of another class is ranked as more unusual than one of
# the same class. The autoencoder is a little better than PCA with almost every class. In the mean
# it is no better than the isolation forest, which is far better for sandals and bags, and worse for
# shirts.
#
# Use the isolation forest first: it needs no tuning and is trained in a fraction of the time. An
# autoencoder pays if it is better on anomalies like yours, if you want to see *where* an image is
# unusual (from the reconstruction), or if images are too large for trees on single pixels.


def rank_test_images(detector, normal):
    return clone(detector).fit(X_train[y_train == normal]).score_samples(X_test)


scores = {
    name: [rank_test_images(detector, normal) for normal in range(10)]
    for name, detector in DETECTORS.items()
}
areas = pd.DataFrame(
    {
        name: [roc_auc_score(y_test == normal, ranks[normal]) for normal in range(10)]
        for name, ranks in scores.items()
    },
    index=names,
)
areas.loc["Mean"] = areas.mean()
print("\nArea under the ROC curve, by the class that was learned")
print(areas.round(3).to_string())

# %%
# One class
# ---------
# From here on, T-shirts are the usual class. Shoes and bags are easily told from them, and shirts
# are not. The forest misses dresses and trousers more often than both kinds of reconstruction.

NORMAL = 0
others = [c for c in range(10) if c != NORMAL]


def area_against(scores, other):
    is_either = np.isin(y_test, [NORMAL, other])
    return roc_auc_score(y_test[is_either] == NORMAL, scores[is_either])


pairs = pd.DataFrame(
    {name: [area_against(ranks[NORMAL], c) for c in others] for name, ranks in scores.items()},
    index=[names[c] for c in others],
)
print(f"\nArea under the ROC curve, {names[NORMAL]} against one other class")
print(pairs.round(3).to_string())

# %%
# `AutoencoderOutlierDetector` adds a threshold to an autoencoder, and predicts in the terms of
# scikit-learn's outlier detectors: 1 for usual images, -1 for anomalies. With
# ``contamination=0.05``, one in twenty of the images that it is trained on exceeds the threshold.
# Images that it has not seen are reconstructed a little worse: held-out ones tell how many of
# these raise an alarm. Neither the threshold nor this share is chosen on the test images.

seen, held_out = train_test_split(X_train[y_train == NORMAL], test_size=0.2, random_state=0)
detector = AutoencoderOutlierDetector(DETECTORS["Autoencoder"], contamination=0.05).fit(seen)
errors, threshold = -detector.score_samples(X_test), -detector.offset_
alarms = detector.predict(X_test) == -1
held_out_alarms = detector.predict(held_out) == -1
print(f"\nAlarms for held-out images of {names[NORMAL]}: {np.mean(held_out_alarms):.1%}")
print(f"Alarms for test images of {names[NORMAL]}: {np.mean(alarms[y_test == NORMAL]):.1%}")
print(f"Alarms for test images of all others: {np.mean(alarms[y_test != NORMAL]):.0%}")

figure, (dots, histogram) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
for (name, column), marker in zip(pairs[::-1].items(), "os^"):
    dots.plot(column, column.index, marker, alpha=0.8, label=name)
dots.set(xlabel="Area under the ROC curve", title=f"{names[NORMAL]} against one other class")
dots.grid(axis="y", alpha=0.4)
dots.legend(loc="lower left")
bins = np.linspace(0, np.percentile(errors, 99), 60)
for is_normal, label in [(True, names[NORMAL]), (False, "All others")]:
    shown = errors[(y_test == NORMAL) == is_normal]
    histogram.hist(shown, bins, density=True, alpha=0.6, label=label)
histogram.axvline(threshold, color="black", linewidth=1, label="Threshold for alarms")
histogram.set(xlabel="Error of the autoencoder", ylabel="Density", title="Errors of test images")
histogram.legend()
plt.show()

# %%
# Usual and unusual images
# ------------------------
# Above, the images; below, their reconstructions. Plain T-shirts are the most usual ones. T-shirts
# with stripes, prints, long sleeves or another shape are found unusual. Shirts that pass for
# T-shirts look like them. Boots and high heels are reconstructed as a bright blur.

usual, unusual = np.flatnonzero(y_test == NORMAL), np.flatnonzero(y_test != NORMAL)
GALLERIES = {
    f"The least unusual of {names[NORMAL]}": usual[np.argsort(errors[usual])[:12]],
    f"The most unusual of {names[NORMAL]}": usual[np.argsort(-errors[usual])[:12]],
    "The least unusual of all others": unusual[np.argsort(errors[unusual])[:12]],
    "The most unusual of all others": unusual[np.argsort(-errors[unusual])[:12]],
}


def as_strip(X):
    images = X.reshape(-1, side, side)
    return np.pad(images, ((0, 0), (1, 1), (1, 1))).transpose(1, 0, 2).reshape(side + 2, -1)


figure, axes = plt.subplots(len(GALLERIES), figsize=(9, 7.5), layout="constrained")
for ax, (title, chosen) in zip(axes, GALLERIES.items()):
    strips = [as_strip(X_test[chosen]), as_strip(detector.estimator_.reconstruct(X_test[chosen]))]
    ax.imshow(np.concatenate(strips), cmap="gray", vmin=0, vmax=1)
    ax.set(xticks=(np.arange(12) + 0.5) * (side + 2), yticks=[], title=title)
    ax.set_xticklabels([names[c] for c in y_test[chosen]], fontsize="small")
    ax.tick_params(length=0)
plt.show()

print(f"This took {time.perf_counter() - start:.0f} s.")
