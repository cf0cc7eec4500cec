"""
==========================
Which digits are confused?
==========================

Accuracy is one number. These plots show what it consists of: the images, the predictions, which
classes are taken for each other, and how sure the network is of it.

.. code-block:: shell

    python examples/plot_errors.py
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sknn_basics import MLPClassifier
from sknn_basics.displays import (
    ClassSamplesDisplay,
    ErrorCountDisplay,
    ErrorGalleryDisplay,
    PredictionGridDisplay,
    TopProbabilitiesDisplay,
)

start = time.perf_counter()

# %%
# The images
# ----------
# One row per class. Displays read rows of 64 pixels as images of 8 x 8, unless ``image_shape`` is
# set.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, train_size=300, stratify=y, random_state=0
)
ClassSamplesDisplay.from_data(X_train, y_train, n_per_class=12)
plt.show()

# %%
# The predictions
# ---------------
# The network was trained on 300 images. If a prediction is wrong, the true label is in parentheses.

network = MLPClassifier((32,), max_iter=1000, batch_size=32, random_state=0)
network.fit(X_train, y_train)
print(f"Test accuracy: {network.score(X_test, y_test):.3f}")
PredictionGridDisplay.from_estimator(network, X_test, y_test, n_images=40, n_columns=10)
plt.show()

# %%
# Which digits are confused
# -------------------------
# The confusion matrix without its diagonal, which would dominate the colours.

ErrorCountDisplay.from_estimator(network, X_test, y_test)
plt.show()

# %%
# The gallery shows one image for each kind of error: the one with the highest predicted
# probability.

ErrorGalleryDisplay.from_estimator(network, X_test, y_test)
plt.show()

# %%
# How sure the network is
# -----------------------
# The error with the highest probability of all. The bar of the true class is green.

probability = network.predict_proba(X_test)
is_wrong = network.predict(X_test) != y_test
surest = np.argmax(np.where(is_wrong, probability.max(axis=1), 0))
TopProbabilitiesDisplay.from_estimator(network, X_test[surest], y_true=y_test[surest])
plt.show()

print(f"This took {time.perf_counter() - start:.0f} s.")
