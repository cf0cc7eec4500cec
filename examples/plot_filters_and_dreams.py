"""
==========================
Filters, dreams and styles
==========================

A convolutional network is trained to tell patches of two photos apart. Then it is looked into: to
which patterns its filters respond, where they find them in a photo, what the photo becomes if a
layer is to respond more strongly, and how the one photo looks in the style of the other.

With a file of VGG16's published weights, the same functions show far more:

.. code-block:: shell

    python examples/plot_filters_and_dreams.py
    SKNN_VGG16=vgg16.safetensors python examples/plot_filters_and_dreams.py
"""

import os
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_images
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.image import extract_patches_2d

from sknn_basics import ConvNetClassifier
from sknn_basics.architectures import load_vgg16
from sknn_basics.displays import (
    DreamDisplay,
    FeatureMapDisplay,
    FilterDisplay,
    StyleTransferDisplay,
)

start = time.perf_counter()
warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is meant

# %%
# Learn to tell a temple from a flower
# ------------------------------------

temple, flower = load_sample_images().images
is_vgg = "SKNN_VGG16" in os.environ
if is_vgg:
    network = load_vgg16(os.environ["SKNN_VGG16"])
else:
    patches = [
        extract_patches_2d(photo[::2, ::2], (24, 24), max_patches=600, random_state=0)
        for photo in (temple, flower)
    ]
    X, y = np.concatenate(patches), np.repeat(["temple", "flower"], 600)
    network = ConvNetClassifier(
        filters=((12, 12), (24, 24)),
        downsample="max",
        preprocessing="symmetric",
        max_iter=8,
        random_state=0,
    ).fit(X, y)
    print(f"accuracy on its own patches: {network.score(X, y):.3f}")

# %%
# What filters respond to
# -----------------------
#
# Each tile began as noise, and was changed so that one filter responds more and more. Small shifts
# at each step, and a penalty on differences of neighbours, keep out what looks like noise.

late = "block3_conv1" if is_vgg else "block2_conv2"
FilterDisplay.from_estimator(
    network,
    late,
    range(16),
    n_steps=40,
    step=0.05,
    transforms=["jitter", "scale"],
    regularizers={"total_variation": 1e-4},
    random_state=0,
)
plt.show()

# %%
# Where they respond
# ------------------

photo = temple[80:320:2, 150:510:2] if not is_vgg else temple[80:304, 200:424]
if is_vgg:
    FeatureMapDisplay.from_estimator(network, photo, "block1_conv2", range(16))
else:
    FeatureMapDisplay.from_estimator(network, photo[40:64, 60:84], "block1_conv2", overlay=True)
plt.show()

# %%
# What the network dreams of
# --------------------------
#
# The photo is changed so that a late layer responds more strongly, at three sizes, from coarse to
# fine.

DreamDisplay.from_estimator(network, photo, {late: 1.0}, n_steps=10, step=0.015)
plt.show()

# %%
# The temple in the style of the flower
# -------------------------------------
#
# The content is what an early layer makes of the one photo; the style is which filters respond
# together, wherever they do, in all layers, to the other. Where the network is small and knows
# little, the style is hardly more than colours and the coarseness of textures.

StyleTransferDisplay.from_estimator(
    network,
    photo,
    flower[60:300:2, 150:510:2],
    content_layers=["block1_conv2"],
    start="content",
    n_steps=60,
    random_state=0,
)
plt.show()

print(f"total: {time.perf_counter() - start:.0f} s")
