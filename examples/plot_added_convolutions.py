"""
============================================
Two convolutions from one dense layer, added
============================================

A network need not be a row of layers. Here a dense layer makes an image of a table's columns, two
convolutions of different kernels read that image side by side, and their results are added before
the output layer. `module` takes such a network; the estimator adds the output layer, and trains it.

.. code-block:: shell

    python examples/plot_added_convolutions.py
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from sknn_basics import MLPClassifier
from sknn_basics.displays import TrainingCurveDisplay
from sknn_basics.modules import Branches, Noise, Reshape, ZeroPad

# %%
# The network
# -----------
# `Reshape` turns the 64 units of the dense layer into an image of 8 x 8, `Branches` applies both
# convolutions to it, and ``merge="add"`` adds their 8 images each. Kernels of 3 x 3 and 5 x 5 keep
# the size of the image with one and two zeros around it, so that the results can be added.


def make_network(shape):
    return nn.Sequential(
        Noise(0.05),
        nn.Linear(shape[0], 64),
        nn.ReLU(),
        Reshape(1, 8, 8),
        Branches(
            {
                "small": nn.Sequential(ZeroPad(1), nn.Conv2d(1, 8, 3)),
                "large": nn.Sequential(ZeroPad(2), nn.Conv2d(1, 8, 5)),
            },
            merge="add",
        ),
        nn.ReLU(),
    )


# %%
# The training
# ------------
# The weights follow from `random_state`, as the function makes the module anew for each fit.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0, stratify=y)
model = MLPClassifier(module=make_network, early_stopping=True, max_iter=60, random_state=0)
model.fit(X_train, y_train)
print(model.summary())
print(f"test accuracy {model.score(X_test, y_test):.3f}")
TrainingCurveDisplay.from_estimator(model)
plt.show()

# %%
# What the branches add
# ---------------------
# The fitted network is in `module_`: the images that both convolutions make of one digit, averaged
# over their 8 filters, and their sum, of which the output layer reads the positive part.

layers = model.module_.module
branches = layers[4]
with torch.no_grad():
    image = layers[:4](torch.tensor(X_test[:1], dtype=branches.small[1].weight.dtype))
    parts = {
        "digit": X_test[0].reshape(8, 8),
        "dense layer": image[0, 0],
        "3 x 3": branches.small(image)[0].mean(0),
        "5 x 5": branches.large(image)[0].mean(0),
        "sum": branches(image)[0].mean(0),
    }
figure, axes = plt.subplots(1, 5, figsize=(9, 2.2), layout="constrained")
for ax, (name, pixels) in zip(axes, parts.items()):
    ax.imshow(np.asarray(pixels), cmap="gray_r")
    ax.set_title(name)
    ax.set_axis_off()
plt.show()
