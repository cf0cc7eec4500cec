"""
=================================
A table of numbers and categories
=================================

A survey of 6,366 marriages asks for ages, years, numbers of children, religion, education and
occupations. Who has had an affair? `TabularClassifier` reads the table without preparation. It is
compared with boosted trees, which do so, too, and with a linear model, which needs preparation.

.. code-block:: shell

    python examples/plot_tables.py
"""

import time

import matplotlib.pyplot as plt
import pandas as pd
import statsmodels.api as sm
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from sknn_basics import TabularClassifier
from sknn_basics.displays import EnsembleCurveDisplay
from sknn_basics.preprocessing import TableEncoder

# %%
# The table
# ---------
# Occupations are numbered in the file, but they are names; some ages are made missing.

X = sm.datasets.fair.load_pandas().data
y = (X.pop("affairs") > 0).map({True: "affair", False: "none"})
jobs = {1: "student", 2: "farming", 3: "office", 4: "teaching", 5: "managing", 6: "academic"}
for column in "occupation", "occupation_husb":
    X[column] = X[column].map(jobs).astype("category")
X.loc[X.sample(frac=0.05, random_state=0).index, "age"] = None
print(X.head(3).to_string())
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=1500, stratify=y, random_state=0
)

# %%
# Three first models
# ------------------
# All have their defaults. The linear model gets its table from `TableEncoder`, which also stands in
# front of `TabularClassifier`'s networks.

models = {
    "LogisticRegression": make_pipeline(TableEncoder(), LogisticRegression(max_iter=1000)),
    "HistGradientBoosting": HistGradientBoostingClassifier(random_state=0),
    "TabularClassifier": TabularClassifier(random_state=0),
}
rows = {}
for name, model in models.items():
    begin = time.perf_counter()
    model.fit(X_train, y_train)
    seconds = time.perf_counter() - begin
    rows[name] = {
        "accuracy": model.score(X_test, y_test),
        "log-loss": log_loss(y_test, model.predict_proba(X_test)),
        "seconds": seconds,
    }
print(pd.DataFrame(rows).T.round(3).to_string())

# %%
# The networks
# ------------
# Eight were trained as one stack, each validated on another eighth of the rows: a line each, with a
# dot at the epoch that is used.

model = models["TabularClassifier"]
EnsembleCurveDisplay.from_estimator(model)
plt.tight_layout()
plt.show()

# %%
# What they promised for new rows, from rows that each network had not seen, can be compared with
# what came true:

promised = log_loss(y_train, model.out_of_fold_prediction_)
came_true = rows["TabularClassifier"]["log-loss"]
print(f"log-loss out of fold: {promised:.3f}, of the test: {came_true:.3f}")

# %%
# Which columns matter
# --------------------
# Each column of 1,000 test rows is shuffled in turn; the more the log-loss rises, the more the
# column matters.

found = permutation_importance(
    model, X_test[:1000], y_test[:1000], scoring="neg_log_loss", n_repeats=3, random_state=0
)
order = found.importances_mean.argsort()
figure, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
ax.barh(X.columns[order], found.importances_mean[order], xerr=found.importances_std[order])
ax.set(xlabel="Rise of the log-loss when a column is shuffled")
plt.show()
