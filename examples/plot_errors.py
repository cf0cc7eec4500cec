"""
======================================
What a network sees, and where it errs
======================================

Accuracy is one number. These pictures show what is behind it: the images, the predictions, which
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
# A row a class. Displays read rows of 64 pixels as images of 8 x 8; ``image_shape`` says otherwise.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, train_size=300, stratify=y, random_state=0
)
ClassSamplesDisplay.from_data(X_train, y_train, n_per_class=12)
plt.show()

# %%
# The predictions
# ---------------
# A network that has learnt from 300 images. Where it errs, the true label is in parentheses.

network = MLPClassifier((32,), max_iter=1000, batch_size=32, random_state=0)
network.fit(X_train, y_train)
print(f"Test accuracy: {network.score(X_test, y_test):.3f}")
PredictionGridDisplay.from_estimator(network, X_test, y_test, n_images=40, n_columns=10)
plt.show()

# %%
# What is taken for what
# ----------------------
# The confusion matrix without its diagonal, which would outshine the rest.

ErrorCountDisplay.from_estimator(network, X_test, y_test)
plt.show()

# %%
# Behind each number are images. This gallery has the one of them that the network was most sure of.

ErrorGalleryDisplay.from_estimator(network, X_test, y_test)
plt.show()

# %%
# How sure it is
# --------------
# The surest error of all. The bar of the true class is green.

probability = network.predict_proba(X_test)
is_wrong = network.predict(X_test) != y_test
surest = np.argmax(np.where(is_wrong, probability.max(axis=1), 0))
TopProbabilitiesDisplay.from_estimator(network, X_test[surest], y_true=y_test[surest])
plt.show()

print(f"This took {time.perf_counter() - start:.0f} s.")
