"""
=======================================
A linear autoencoder, compared with PCA
=======================================

Without hidden layers and with a linear output, an autoencoder minimises the same error as PCA. It
finds the same subspace, but not the same axes: all bases of the subspace have the same error.

.. code-block:: shell

    python examples/plot_linear_autoencoder.py

References
----------
Baldi and Hornik. "Neural networks and principal component analysis: learning from examples without
local minima." Neural Networks 2 (1989): 53-58.
"""

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from scipy.linalg import subspace_angles
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from sknn_basics import Autoencoder

start = time.perf_counter()
warnings.simplefilter("ignore", ConvergenceWarning)  # some of the fits are short on purpose
N_COMPONENTS = 8

X, y = load_digits(return_X_y=True)
X_train, X_test, _, y_test = train_test_split(X / 16, y, stratify=y, random_state=0)
pca = PCA(N_COMPONENTS, random_state=0).fit(X_train)

# %%
# Two ways to train
# -----------------
# The output is linear and the loss is the squared error; there is no penalty, which would shrink
# the weights. The subspace is spanned by what the decoder returns for the unit vectors, minus what
# it returns for zero.

LINEAR = {
    "hidden_layer_sizes": (),
    "n_components": N_COMPONENTS,
    "loss": "squared_error",
    "out_activation": "identity",
    "alpha": 0.0,
    "tol": 0.0,
    "dtype": "float64",
    "random_state": 0,
}


def decoded_axes(model):
    units = np.eye(N_COMPONENTS)
    return model.inverse_transform(units) - model.inverse_transform(np.zeros_like(units))


def compare(model):
    """Tell the largest angle to PCA's subspace in degrees, and the excess error over PCA's."""
    angles = subspace_angles(decoded_axes(model).T, pca.components_.T)
    return np.degrees(angles.max()), -model.score(X_train) / error_of_pca(X_train) - 1


def error_of_pca(X):
    return np.square(X - pca.inverse_transform(pca.transform(X))).mean()


SOLVERS = {
    "adam": ([1, 3, 10, 30, 100, 300], {"solver": "adam", "learning_rate_init": 0.01}),
    "lbfgs": ([3, 10, 30, 100, 300, 1000], {"solver": "lbfgs"}),
}
courses, models = {}, {}
for name, (lengths, options) in SOLVERS.items():
    for max_iter in lengths:
        models[name] = Autoencoder(**LINEAR, **options, max_iter=max_iter).fit(X_train)
        courses[name, max_iter] = compare(models[name])
        angle, excess = courses[name, max_iter]
        print(f"{name:>5}, {max_iter:>4} iterations: ", end="")
        print(f"largest angle {angle:9.5f}°, error {excess:+.5%} of PCA's")

# %%
# The error is near PCA's long before the subspaces are equal: missing a direction in which images
# vary little costs little. L-BFGS needs fewer iterations than Adam, whose steps use batches.

figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
for name, (lengths, _) in SOLVERS.items():
    for ax, values in zip(axes, zip(*(courses[name, n] for n in lengths))):
        ax.loglog(lengths, values, marker="o", label=name)
axes[0].set(
    xlabel="Epochs or iterations", ylabel="Degrees", title="Largest angle between the subspaces"
)
axes[1].set(
    xlabel="Epochs or iterations", ylabel="Share of PCA's error", title="Excess error (training)"
)
axes[0].legend()
plt.show()

# %%
# The same images, other axes
# ---------------------------
# In the longest of the fits above, reconstructions of test images differ from PCA's by a few
# hundredths of black at most. The axes differ.

model = models["lbfgs"]
back, back_of_pca = model.reconstruct(X_test), pca.inverse_transform(pca.transform(X_test))
angles = np.degrees(subspace_angles(decoded_axes(model).T, pca.components_.T))
print("\nAngles between the subspaces, in degrees:", *(f"{angle:.5f}" for angle in angles[::-1]))
print(f"Squared error per test pixel: {np.square(X_test - back).mean():.6f}, ", end="")
print(f"PCA {error_of_pca(X_test):.6f}")
differences = np.abs(back - back_of_pca)
print(f"Reconstructed pixels differ by {differences.mean():.2g} on average, ", end="")
print(f"by {differences.max():.2g} at most")

axes_of_model = decoded_axes(model)
axes_of_model /= np.linalg.norm(axes_of_model, axis=1, keepdims=True)
print("Largest cosine between an axis and one of PCA's, of each axis:", end=" ")
print(*(f"{value:.2f}" for value in np.abs(axes_of_model @ pca.components_.T).max(axis=1)))

# %%
# The singular vectors of all reconstructions are PCA's axes, up to their signs.

centered = model.reconstruct(X_train) - X_train.mean(axis=0)
_, _, turned = np.linalg.svd(centered, full_matrices=False)
turned = turned[:N_COMPONENTS]
turned *= np.sign(np.sum(turned * pca.components_, axis=1, keepdims=True))
print(f"After the turn, least cosine: {np.sum(turned * pca.components_, axis=1).min():.6f}")

ROWS = {"PCA": pca.components_, "Autoencoder": axes_of_model, "Autoencoder,\nturned": turned}
figure, axes = plt.subplots(len(ROWS), N_COMPONENTS, figsize=(9, 3.8), layout="constrained")
for (name, components), row in zip(ROWS.items(), axes):
    for ax, component in zip(row, components):
        ax.imshow(component.reshape(8, 8), cmap="RdBu_r", vmin=-0.4, vmax=0.4)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name, rotation=0, ha="right", va="center")
figure.suptitle("The axes of the latent variables")
plt.show()

# %%
# The reconstructions of both look the same.

firsts = [np.flatnonzero(y_test == digit)[0] for digit in range(10)]
ROWS = {"Original": X_test, "PCA": back_of_pca, "Autoencoder": back}
figure, axes = plt.subplots(len(ROWS), 10, figsize=(9, 3), layout="constrained")
for (name, images), row in zip(ROWS.items(), axes):
    for ax, image in zip(row, images[firsts]):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name, rotation=0, ha="right", va="center")
figure.suptitle(f"From {N_COMPONENTS} latent variables")
plt.show()

print(f"This took {time.perf_counter() - start:.0f} s.")
