"""
======================================
Denoising: half of the pixels are lost
======================================

A denoising autoencoder damages its training images, and learns to reconstruct the originals. In
front of a classifier that was trained on whole images, it repairs damaged ones. A grid search over
the whole pipeline, scored on damaged images, finds how much to damage and how many latent variables
to use.

.. code-block:: shell

    python examples/plot_denoising.py
"""

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from joblib import parallel_config
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from sknn_basics import Autoencoder

start = time.perf_counter()
warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is meant

# %%
# The images
# ----------
# All models are trained on whole digits. The digits to classify have lost half of their pixels.


def lose_pixels(X, random_state):
    return X * (np.random.RandomState(random_state).random_sample(X.shape) < 0.5)


X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, stratify=y, random_state=0)
X_damaged = lose_pixels(X_test, random_state=0)

# %%
# The search
# ----------
# The autoencoder damages its images anew in every epoch; with a ``noise_amount`` of 0, it is a
# plain one. The classifier reads the latent variables. A scorer damages the test images of the
# folds. Under the backend "stacked", networks of the same architecture are trained together.


def score_damaged(model, X, y):
    return model.score(lose_pixels(X, random_state=0), y)


autoencoder = Autoencoder(
    (128,),
    noise="mask",
    learning_rate_init=0.005,
    batch_size=64,
    max_iter=30,
    random_state=0,
)
neighbors = KNeighborsClassifier()
pipeline = Pipeline([("encode", autoencoder), ("classify", neighbors)])
GRID = {"encode__noise_amount": [0.0, 0.25, 0.5, 0.75], "encode__n_components": [8, 16, 32]}

search = GridSearchCV(pipeline, GRID, scoring=score_damaged, cv=3)
with parallel_config(backend="stacked"):
    search.fit(X_train, y_train)
pca_search = GridSearchCV(
    Pipeline([("encode", PCA(random_state=0)), ("classify", neighbors)]),
    {"encode__n_components": GRID["encode__n_components"]},
    scoring=score_damaged,
    cv=3,
).fit(X_train, y_train)

results = pd.DataFrame(search.cv_results_).pivot_table(
    "mean_test_score", "param_encode__noise_amount", "param_encode__n_components"
)
results = results.rename_axis(index="Noise amount", columns="Latents").astype(float)
alone = cross_val_score(neighbors, X_train, y_train, scoring=score_damaged, cv=3).mean()
print("Accuracy on damaged images of the folds")
print(results.round(3).to_string())
print(f"Pixels, without an autoencoder: {alone:.3f}")
print(f"Best: {search.best_params_}")

# %%
# The test
# --------
# The same encoders are used with two classifiers. For comparison, the classifiers are also trained
# without an encoder on twenty damaged copies of every image.
#
# Neither PCA nor the plain autoencoder helps against the damage. The denoising one helps both
# classifiers, at the price of some errors on whole images. For nearest neighbours it is the
# best way; logistic regression gains more from the damaged copies.

denoiser = search.best_estimator_["encode"]
plain = clone(denoiser).set_params(noise_amount=0.0).fit(X_train)
ENCODERS = {
    "Pixels": None,
    "PCA": pca_search.best_estimator_["encode"],
    "Plain autoencoder": plain,
    "Denoising autoencoder": denoiser,
}
CLASSIFIERS = {
    "Neighbours": neighbors,
    "Logistic regression": LogisticRegression(max_iter=1000),
}


def score_on_test(encoder, classifier):
    encode = (lambda X: X) if encoder is None else encoder.transform
    model = clone(classifier).fit(encode(X_train), y_train)
    return model.score(encode(X_test), y_test), model.score(encode(X_damaged), y_test)


def score_with_copies(classifier):
    copies = np.concatenate([lose_pixels(X_train, 1 + i) for i in range(20)])
    model = clone(classifier).fit(copies, np.tile(y_train, 20))
    return model.score(X_test, y_test), model.score(X_damaged, y_test)


table = pd.concat(
    {
        name: pd.DataFrame(
            [score_on_test(encoder, classifier) for encoder in ENCODERS.values()]
            + [score_with_copies(classifier)],
            index=[*ENCODERS, "Pixels of damaged copies"],
            columns=["whole", "damaged"],
        )
        for name, classifier in CLASSIFIERS.items()
    },
    axis=1,
)
print("\nAccuracy on test images")
print(table.round(3).to_string())

errors = {
    "damaged": np.square(X_damaged - X_test).mean(),
    "by the plain autoencoder": -plain.score(X_damaged, X_clean=X_test),
    "by the denoising one": -denoiser.score(X_damaged, X_clean=X_test),
}
print("\nSquared error of a pixel: " + ", ".join(f"{k} {v:.3f}" for k, v in errors.items()))

# %%
# Reconstructions
# ---------------
# The plain autoencoder reconstructs the gaps, a little blurred. The denoising one fills them, now
# and then with another digit than the given one.

ROWS = {
    "Whole": X_test,
    "Damaged": X_damaged,
    "Plain\nautoencoder": plain.reconstruct(X_damaged[:16]),
    "Denoising\nautoencoder": denoiser.reconstruct(X_damaged[:16]),
}
figure, axes = plt.subplots(len(ROWS), 16, figsize=(12, 3.4), layout="constrained")
for (name, images), row in zip(ROWS.items(), axes):
    for ax, image in zip(row, images):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name, rotation=0, ha="right", va="center")
plt.show()

# %%
# The denoiser is best with many latent variables, and with damage of a quarter or a half. Without
# damage in training, it is worse than the pixels alone.

figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
results.plot(ax=ax, marker="o", xticks=results.index)
ax.axhline(alone, color="black", linestyle=":", label="Pixels, no autoencoder")
ax.set(ylabel="Accuracy on damaged images", title="Nearest neighbours of the latent variables")
ax.legend(title="Latent variables")
plt.show()

print(f"This took {time.perf_counter() - start:.0f} s.")
