"""
===========================
Images and columns together
===========================

Some data are neither images nor tables, but both. Here the upper half of each handwritten digit is
on record as pixels, and of its lower half only how much ink there is in each column. A network with
two branches reads the pixels by convolutions and the columns by a dense layer, and is better than
a network that has one of them alone.

.. code-block:: shell

    python examples/plot_images_and_columns.py
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from torch import nn

from sknn_basics import MLPClassifier
from sknn_basics.modules import Branches, Columns

warnings.simplefilter("ignore", ConvergenceWarning)  # 40 epochs are meant

# %%
# The data
# --------
# A data frame of 40 columns: 32 pixels of the upper half, 4 x 8, and 8 sums of the lower half.

images, y = load_digits().images, load_digits().target
pixels = [f"pixel{i}" for i in range(32)]
inks = [f"ink{i}" for i in range(8)]
X = pd.DataFrame(
    np.hstack([images[:, :4].reshape(-1, 32), images[:, 4:].sum(axis=1)]), columns=pixels + inks
)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)

figure, axes = plt.subplots(2, 6, figsize=(9, 3), height_ratios=(2, 1), layout="constrained")
for i, (above, below) in enumerate(axes.T):
    above.imshow(images[i, :4], cmap="gray_r")
    above.set_title(f"digit {y[i]}")
    above.set_axis_off()
    below.bar(range(8), X.loc[i, inks], color="gray")
    below.set(xticks=[], yticks=[], ylim=(0, 64))
plt.show()

# %%
# The networks
# ------------
# A function makes the module of the shape of a sample. `Columns` reads the columns of its branch,
# in the order in which the `ColumnTransformer` puts them: first the pixels, then the sums.


def read_pixels():
    return nn.Sequential(
        Columns(0, 32, shape=(1, 4, 8)),
        nn.Conv2d(1, 16, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
    )


def read_inks():
    return nn.Sequential(Columns(32, 40), nn.Linear(8, 32), nn.ReLU())


def make_image_network(shape):
    return read_pixels()


def make_table_network(shape):
    return read_inks()


def make_joint_network(shape):
    return Branches({"pixels": read_pixels(), "inks": read_inks()})


# %%
# The search
# ----------
# The module is a parameter like any other, so that a grid search compares the networks. Each kind
# of column is scaled in its own way, by the training rows of each fold.

columns = ColumnTransformer([("pixels", MinMaxScaler(), pixels), ("inks", StandardScaler(), inks)])
network = MLPClassifier(max_iter=40, learning_rate_init=0.005, random_state=0)
modules = {"both": make_joint_network, "inks": make_table_network, "pixels": make_image_network}
search = GridSearchCV(
    make_pipeline(columns, network), {"mlpclassifier__module": list(modules.values())}, cv=3
)
search.fit(X_train, y_train)
scores = dict(zip(modules, search.cv_results_["mean_test_score"]))
for name, score in scores.items():
    print(f"{name}: cross-validated accuracy {score:.3f}")
print(f"the best one on the test data: {search.score(X_test, y_test):.3f}")
print(search.best_estimator_[-1].summary())

# %%
# What the pixels do not tell, the sums do.

figure, ax = plt.subplots(figsize=(5, 2.2), layout="constrained")
bars = ax.barh(list(scores), list(scores.values()), xerr=search.cv_results_["std_test_score"])
ax.bar_label(bars, fmt="%.3f", label_type="center", color="white")
ax.set(xlim=(0, 1), xlabel="cross-validated accuracy")
ax.invert_yaxis()
plt.show()
