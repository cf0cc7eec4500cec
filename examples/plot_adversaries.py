"""
===================================
Adversarial examples, and a defence
===================================

A network reads digits well, and yet a change that is hardly seen makes a digit another one for it.
Here are such changes, one that misleads the network about most digits at once, and a training that
makes them larger.

.. code-block:: shell

    python examples/plot_adversaries.py
"""

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from sknn_basics import ConvNetClassifier
from sknn_basics.displays import AdversarialDisplay
from sknn_basics.inspection import adversarial, universal_perturbation

start = time.perf_counter()
warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is meant

# %%
# A network of digits, and the smallest change that misleads it
# -------------------------------------------------------------

digits = load_digits()
X_train, X_test, y_train, y_test = train_test_split(
    digits.images / 16, digits.target, random_state=0
)
network = ConvNetClassifier(filters=(16, 32), max_iter=20, random_state=0).fit(X_train, y_train)
print(f"accuracy: {network.score(X_test, y_test):.3f}")

AdversarialDisplay.from_estimator(network, X_test[0], random_state=0)
plt.show()

# %%
# How large such changes are
# --------------------------
#
# Noise of the same size misleads the network about hardly any digit: the direction matters.

found = adversarial(network, X_test[:100], random_state=0)
noise = np.random.RandomState(0).normal(size=found.perturbation.shape)
noise *= (found.norm / np.linalg.norm(noise, axis=(1, 2)))[:, None, None]
flipped = network.predict(X_test[:100] + noise) != network.predict(X_test[:100])
print(f"misled: {found.success.mean():.0%} by a median change of {np.median(found.norm):.2f}")
print(f"misled by noise of the same size: {flipped.mean():.0%}")

# %%
# One change for most digits
# --------------------------

change = universal_perturbation(network, X_train[:500], share=0.6, n_steps=100)
changed = np.clip(X_test + change.perturbation, 0, 1)
flipped = network.predict(changed) != network.predict(X_test)
print(f"one change of size {change.norm:.2f} misleads about {flipped.mean():.0%} of new digits")
figure, axes = plt.subplots(1, 4, figsize=(8, 2.4), layout="compressed")
axes[0].imshow(change.perturbation, cmap="RdBu_r", vmin=-0.5, vmax=0.5)
axes[0].set_title("The change")
for ax, image, label in zip(axes[1:], changed, network.predict(changed)):
    ax.imshow(image, cmap="gray", vmin=0, vmax=1)
    ax.set_title(f"read as {label}")
for ax in axes:
    ax.set_axis_off()
plt.show()

# %%
# A network that is trained on what misleads it
# ---------------------------------------------
#
# Before each step, each digit of the batch is changed by up to 0.15 a pixel to what the network
# reads worst. Such a network is right more often under attack, and a little less often without.

hardened = clone(network).set_params(adversarial_training={"radius": 0.15, "n_steps": 4})
hardened.fit(X_train, y_train)
radii = np.linspace(0, 0.3, 7)
figure, ax = plt.subplots(figsize=(5, 3.4), layout="compressed")
for model, label in ((network, "plain"), (hardened, "adversarial training")):
    accuracies = [model.score(X_test, y_test)]
    for radius in radii[1:]:
        attack = {"norm": "linf", "method": "gradient", "n_steps": 20, "max_norm": radius}
        accuracies.append(1 - adversarial(model, X_test, y_test, **attack).success.mean())
    ax.plot(radii, accuracies, "o-", label=label)
    print(f"{label}: {accuracies[0]:.2f} without, {accuracies[3]:.2f} at {radii[3]:.2f}")
ax.set(xlabel="Largest change of a pixel", ylabel="Accuracy", ylim=(0, 1))
ax.legend()
plt.show()

print(f"total: {time.perf_counter() - start:.0f} s")
