"""
===============================
Plots of a search, in four ways
===============================

A search tries combinations of parameters, and its results are a table. Displays plot the scores as
rows, as lines or as a heat map of two parameters, and the times of fits along one of them.

.. code-block:: shell

    python examples/plot_search_scores.py
"""

import time
import warnings

import joblib
import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn_basics import MLPClassifier
from sknn_basics.displays import FitTimeDisplay, SearchScoresDisplay

start = time.perf_counter()
warnings.simplefilter("ignore", ConvergenceWarning)  # 20 epochs are meant

# %%
# The search
# ----------

X, y = load_breast_cancer(return_X_y=True)
model = make_pipeline(StandardScaler(), MLPClassifier(max_iter=20, random_state=0))
grid = {
    "mlpclassifier__hidden_layer_sizes": [(10,), (50,), (50, 50)],
    "mlpclassifier__learning_rate_init": [0.0003, 0.001, 0.003, 0.01, 0.03],
}
search = GridSearchCV(model, grid, scoring="neg_log_loss", cv=5)
with joblib.parallel_config(backend="stacked"):
    search.fit(X, y)

# %%
# Every candidate, the best one first
# -----------------------------------
# Error bars are standard deviations over the folds: many candidates are as good as the best one.

SearchScoresDisplay.from_search(search)
plt.show()

# %%
# Along one parameter
# -------------------
# One line for each value of the other parameter. Numbers of a wide range get a logarithmic axis.

SearchScoresDisplay.from_search(search, kind="lines", x="learning_rate_init")
plt.show()

# %%
# In the plane of two parameters
# ------------------------------
# Left, the area of a marker shows the score; right, the colour.

figure, axes = plt.subplots(ncols=2, figsize=(11, 3.5), layout="constrained")
for ax, kind in zip(axes, ("sizes", "heat_map")):
    SearchScoresDisplay.from_search(search, kind=kind, ax=ax)
plt.show()

# %%
# Times
# -----
# Larger batches need fewer steps per epoch. Fits run one by one here: the times of fits that are
# trained together could not be told apart.

grid = {
    "mlpclassifier__batch_size": [8, 32, 128],
    "mlpclassifier__hidden_layer_sizes": [(10,), (500,)],
}
FitTimeDisplay.from_search(GridSearchCV(model, grid, cv=3).fit(X, y), x="batch_size")
plt.show()

print(f"This took {time.perf_counter() - start:.0f} s.")
