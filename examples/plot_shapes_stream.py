"""
================================
Learning from a stream of images
================================

`iter_shapes` draws images of five shapes without end, and ``partial_fit`` learns from them batch by
batch: no image is stored, and none is seen twice. A network that is trained on the same few images
for as many steps memorises them instead.

.. code-block:: shell

    python examples/plot_shapes_stream.py
"""

import time
from itertools import cycle, islice

import matplotlib.pyplot as plt
import numpy as np

from sknn_basics import ConvNetClassifier
from sknn_basics.datasets import SHAPE_NAMES, iter_shapes, make_shapes

start = time.perf_counter()

# %%
# The shapes
# ----------
# Their points, places and sizes vary at random.

X, y = make_shapes(60, size=32, random_state=0)
figure, axes = plt.subplots(5, 8, figsize=(8, 5.4), layout="constrained")
for row, (label, name) in enumerate(zip(range(5), SHAPE_NAMES)):
    for ax, image in zip(axes[row], X[y == label]):
        ax.imshow(image, cmap="gray")
        ax.set(xticks=[], yticks=[])
    axes[row, 0].set_ylabel(name, rotation=0, ha="right", va="center")

# %%
# A stream, and few images many times
# -----------------------------------
# Each call of ``partial_fit`` takes one step with its 32 images. The test images occur in no
# stream.

N_STEPS, EVERY = 300, 20
X_test, y_test = make_shapes(1000, size=32, random_state=1)


def learn(batches, title):
    model = ConvNetClassifier(
        filters=(8, 16, 32), hidden_layer_sizes=(32,), batch_size=32, random_state=0
    )
    scores = []
    for step, (images, labels) in enumerate(islice(batches, N_STEPS), start=1):
        model.partial_fit(images, labels, classes=range(5))
        if step % EVERY == 0:
            scores.append(model.score(X_test, y_test))
    print(f"{title:<28} {scores[-1]:.3f}")
    return scores


def few_images(n_images):
    """The batches of a stream that begins again after `n_images`."""
    return cycle(list(islice(iter_shapes(32, size=32, random_state=2), n_images // 32)))


streams = {
    "an endless stream": iter_shapes(32, size=32, random_state=2),
    "1,024 images, again and again": few_images(1024),
    "256 images, again and again": few_images(256),
}
curves = {title: learn(batches, title) for title, batches in streams.items()}

# %%
# Accuracy by the number of images
# --------------------------------

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
steps = np.arange(EVERY, N_STEPS + 1, EVERY)
for title, scores in curves.items():
    ax.plot(32 * steps, scores, marker="o", markersize=3, label=title)
ax.set(xlabel="Images seen", ylabel="Accuracy on 1,000 others", title="A stream and few images")
ax.legend()
print(f"This took {time.perf_counter() - start:.0f} s.")
plt.show()
