"""
===================================
Epochs for the candidates that lead
===================================

A search by successive halving trains all candidates for a few epochs, and continues with the best
third of them, again and again. Here 54 candidates are searched with the digits, and drawn with
what they would have become.

.. code-block:: shell

    python examples/plot_epoch_halving.py
"""

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import loguniform
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from sknn_basics import MLPClassifier
from sknn_basics.model_selection import EpochHalvingRandomSearchCV

start = time.perf_counter()
warnings.simplefilter("ignore", ConvergenceWarning)  # 54 epochs are meant

# %%
# The search
# ----------
# Rates, penalties and dropout are drawn. All candidates differ in numbers alone, so that 54 x 3
# networks begin as one stack; after each rung, the losers leave it.

X, y = load_digits(return_X_y=True)
X, y = X[::2] / 16, y[::2]
network = MLPClassifier((32,), max_iter=54, batch_size=100, tol=0, random_state=0)
drawn = {
    "learning_rate_init": loguniform(1e-4, 0.3),
    "alpha": loguniform(1e-5, 1),
    "dropout": [0.1, 0.2, 0.3],
}
search = EpochHalvingRandomSearchCV(
    network, drawn, n_candidates=54, min_resources=2, cv=3, random_state=0
)
search.fit(X, y)
results = search.cv_results_
for n_candidates, n_epochs in zip(search.n_candidates_, search.n_resources_):
    print(f"{n_candidates:3} candidates after {n_epochs:2} epochs")
print(f"best: {search.best_score_:.3f} with {search.best_params_}")

# %%
# The same candidates with fewer losers
# -------------------------------------
# With a factor above the number of candidates there is a single rung, in which all of them are
# trained for all epochs.

full = EpochHalvingRandomSearchCV(
    network, drawn, n_candidates=54, factor=55, min_resources=54, cv=3, random_state=0, refit=False
)
begin = time.perf_counter()
full.fit(X, y)
print(f"all epochs: {full.best_score_:.3f}, in {time.perf_counter() - begin:.1f} s")

# %%
# What was kept
# -------------
# On the left is the course of every candidate, as far as it went, and in grey where it would have
# ended: most bad rates are told from good ones after two epochs, and some slow ones would have
# caught up. On the right is what each candidate becomes with all epochs, by its rate,
# and in which rung it left the search.

rows = {}
for parameters, n_epochs, score in zip(
    results["params"], results["n_resources"], results["mean_test_score"]
):
    rows.setdefault(str(parameters), []).append((n_epochs, score))
last = np.array([len(rows[str(parameters)]) - 1 for parameters in full.cv_results_["params"]])
colours = plt.get_cmap("viridis_r")(np.linspace(0, 1, search.n_iterations_))

figure, (courses, ends) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained", sharey=True)
for parameters, score in zip(full.cv_results_["params"], full.cv_results_["mean_test_score"]):
    reached = rows[str(parameters)][-1]
    courses.plot(*zip(reached, (network.max_iter, score)), color="0.85", linewidth=0.8, zorder=0)
for rung in range(search.n_iterations_):
    for own in (own for own in rows.values() if len(own) == rung + 1):
        courses.plot(*zip(*own), "o-", color=colours[rung], markersize=4, linewidth=1 + rung / 2)
courses.set(xscale="log", xlabel="epochs", ylabel="mean accuracy of three folds")
courses.set_xticks(search.n_resources_, search.n_resources_)
courses.minorticks_off()
courses.set_title("halving: as far as each candidate went")
rates = [parameters["learning_rate_init"] for parameters in full.cv_results_["params"]]
scores = full.cv_results_["mean_test_score"]
for rung, n_epochs in enumerate(search.n_resources_):
    of_rung = last == rung
    ends.scatter(
        np.array(rates)[of_rung],
        scores[of_rung],
        color=colours[rung],
        s=20 + 25 * rung,
        label=f"left after {n_epochs}" if rung < search.n_iterations_ - 1 else "the best",
        zorder=rung + 2,
    )
ends.set(xscale="log", xlabel="learning rate")
ends.set_title(f"all candidates after {network.max_iter} epochs")
ends.legend(loc="lower center")
plt.show()

print(f"{time.perf_counter() - start:.1f} s")
