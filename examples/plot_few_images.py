"""
============================
Few images, and augmentation
============================

A convolutional network is trained on 100 images of shapes. With augmentation, it sees random
variants of them in every epoch: shifted, zoomed and rotated. It learns more slowly, and generalises
better than a network that is trained on the same images in every epoch.

.. code-block:: shell

    python examples/plot_few_images.py
"""

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sknn_basics import ConvNetClassifier
from sknn_basics.datasets import make_shapes
from sknn_basics.displays import AugmentationDisplay
from sknn_basics.modules import RandomAffine

start = time.perf_counter()
warnings.simplefilter("ignore", ConvergenceWarning)  # 60 epochs are meant

# %%
# The data
# --------
# Five shapes, drawn with jitter: 100 images to learn from, 500 others to test.

X, y = make_shapes(600, size=32, jitter=0.2, random_state=0)
X_train, X_test, y_train, y_test = X[:100], X[100:], y[:100], y[100:]

# %%
# The variants
# ------------
# Each image is changed at random within these bounds. The first tile is the image itself. The
# display shows the inputs of the network before any training.

augmentation = RandomAffine(shift=0.1, zoom=0.1, rotation=10)
AugmentationDisplay.from_augmentation(augmentation, X_train[1], n_columns=8, random_state=0)
plt.show()

# %%
# The comparison
# --------------
# Three networks with different initial weights are trained with augmentation, and three without.
# After every epoch, they are validated on the same test images, which are not augmented.


def train(augmentation, seed):
    network = ConvNetClassifier(
        filters=(8, 16),
        hidden_layer_sizes=(64,),
        batch_size=25,
        max_iter=60,
        tol=0,
        augmentation=augmentation,
        random_state=seed,
    )
    return network.fit(X_train, y_train, X_val=X_test, y_val=y_test)


ways = {"without augmentation": None, "with augmentation": augmentation}
networks = {name: [train(way, seed) for seed in range(3)] for name, way in ways.items()}
for name, trained in networks.items():
    scores = [network.score(X_test, y_test) for network in trained]
    print(f"{name}: test accuracy {np.mean(scores):.3f} ± {np.std(scores):.3f}")

# %%
# With augmentation, the training loss stays higher, because no image occurs twice. What matters is
# the accuracy on images that no network has seen.

figure, (loss_ax, score_ax) = plt.subplots(ncols=2, figsize=(9, 3.5), layout="constrained")
for color, (name, trained) in zip(("C0", "C1"), networks.items()):
    for network in trained:
        loss_ax.semilogy(network.history_["train_loss"], color=color)
        score_ax.plot(network.history_["valid_score"], color=color)
    score_ax.lines[-1].set_label(name)
loss_ax.set(xlabel="Epoch", ylabel="Training loss")
score_ax.set(xlabel="Epoch", ylabel="Test accuracy")
score_ax.legend(loc="lower right")
plt.show()

print(f"This took {time.perf_counter() - start:.0f} s.")
