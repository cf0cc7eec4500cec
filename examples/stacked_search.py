"""
============================
Train a whole search at once
============================

Under the joblib backend ``"stacked"``, scikit-learn's searches train all networks of the same
architecture at once. Here, a grid search of 60 networks is run in both ways: one fit after the
other, and all of them together.

.. code-block:: shell

    python examples/stacked_search.py
"""

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sknn_basics import MLPClassifier
from sknn_basics.parallel import stacked

start = time.perf_counter()
warnings.simplefilter("ignore", ConvergenceWarning)  # ten epochs are meant

# %%
# The search
# ----------
# Candidates may differ in learning rates, penalties, dropout, schedules and early stopping, and
# folds in their samples. Different architectures are batched separately.

X, y = load_digits(return_X_y=True)
pipeline = make_pipeline(MinMaxScaler(), MLPClassifier(max_iter=10, random_state=0))
grid = {
    "mlpclassifier__learning_rate_init": [1e-3, 3e-3, 1e-2],
    "mlpclassifier__alpha": [1e-5, 1e-4, 1e-3, 1e-2],
}
search = GridSearchCV(pipeline, grid, cv=5, refit=False)

# %%
# One by one, and together
# ------------------------
# ``joblib.parallel_config(backend="stacked")`` does the same as ``stacked()``, without a report.
# The scores of both searches are equal up to rounding.

start_alone = time.perf_counter()
alone = search.fit(X, y).cv_results_
seconds = {"one by one": time.perf_counter() - start_alone}
print(f"one by one: {seconds['one by one']:.1f} s")

start_together = time.perf_counter()
with stacked() as report:
    together = search.fit(X, y).cv_results_
seconds["together"] = time.perf_counter() - start_together
print(f"together:   {seconds['together']:.1f} s\n")
print(report)

difference = np.abs(together["mean_test_score"] - alone["mean_test_score"]).max()
print(f"\nLargest difference of a candidate's score: {difference:g}")
print(f"Best candidate: {search.best_params_} with accuracy {search.best_score_:.3f}")

figure, ax = plt.subplots(figsize=(7, 2.4), layout="constrained")
ax.bar_label(ax.barh(list(seconds), list(seconds.values())), fmt="%.1f s", padding=3)
ax.margins(x=0.15)
factor = seconds["one by one"] / seconds["together"]
ax.set(xlabel="Time of 60 fits [s]", title=f"Together, the search is {factor:.1f} times as fast")
plt.show()

print(f"This took {time.perf_counter() - start:.0f} s.")
