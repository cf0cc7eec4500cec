"""
====================
Forecasting sunspots
====================

A forecaster turns any regressor into a model of a series. Here the number of past years it looks
at is searched for on folds in the order of time, for linear models, a dense network and a recurrent
one, with its kind of cell. All are compared with the value of the year before.

.. code-block:: shell

    python examples/plot_sunspots.py              # three windows for the recurrent network
    SKNN_FULL=1 python examples/plot_sunspots.py  # all windows
"""

import os
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from sknn_basics import Forecaster, MLPRegressor, RNNRegressor
from sknn_basics.datasets import load_sunspots

start = time.perf_counter()
warnings.simplefilter("ignore", ConvergenceWarning)  # the numbers of epochs are meant

# %%
# The series
# ----------
# One value per year. The last 60 years are used for the test only; no choice below depends on them.

sunspots = load_sunspots(as_frame=True)
train, test = sunspots.loc[:1948], sunspots.loc[1949:]
print(f"{len(train)} years to train on, {len(test)} to test on")

# %%
# The search
# ----------
# A fold is trained on years before those it is tested on. From the index, the forecaster knows that
# the test fold directly follows, so that its first predictions are made from the end of the
# training years, and all candidates are compared on the same years, whatever their windows. The
# series is scaled by the training years of each fold, at least 124.

WINDOWS = [2, 4, 6, 9, 12, 18]
FEWER = WINDOWS if os.environ.get("SKNN_FULL") == "1" else [6, 9, 12]
FOLDS = TimeSeriesSplit(n_splits=5, test_size=25)

network = MLPRegressor(
    hidden_layer_sizes=(8,), activation="tanh", solver="lbfgs", max_iter=200, random_state=0
)
recurrent = RNNRegressor(
    hidden_layer_sizes=(8,), solver="lbfgs", alpha=1.0, max_iter=100, random_state=0
)
candidates = {
    "Least squares": (LinearRegression(), {}),
    "Ridge": (Ridge(), {"estimator__alpha": [0.1, 1.0, 10.0, 100.0]}),
    "Dense network": (network, {"estimator__alpha": [0.1, 1.0, 10.0]}),
    "Recurrent network": (
        recurrent,
        {"window": FEWER, "estimator__cell": ["rnn", "gru", "lstm"]},
    ),
}


def search_window(estimator, grid):
    search = GridSearchCV(Forecaster(estimator), {"window": WINDOWS, **grid}, cv=FOLDS)
    return search.fit(train)


searches = {name: search_window(*candidate) for name, candidate in candidates.items()}

# %%
# The test, one year ahead
# ------------------------
# Every test year is predicted from the years before it. A model should be better than the value
# of the year before.

predictions = {"Year before": sunspots.shift(1).loc[test.index]}
for name, search in searches.items():
    predictions[name] = search.predict(test)
    print(f"{name}: {search.best_params_}, R² of the folds {search.best_score_:.3f}")

errors = {name: root_mean_squared_error(test, values) for name, values in predictions.items()}
print("\nRoot mean squared error of the test years, one year ahead")
print(pd.Series(errors).round(2).to_string())

# %%
# To see how much depends on chance, here is the recurrent network with other initial weights, and
# least squares with the same window:

best = searches["Recurrent network"].best_estimator_
others = [clone(best).set_params(estimator__random_state=seed).fit(train) for seed in range(1, 5)]
seeds = [root_mean_squared_error(test, model.predict(test)) for model in others]
print("\nOther seeds:", *(f"{error:.2f}" for error in seeds))
line = Forecaster(LinearRegression(), best.window).fit(train)
error = root_mean_squared_error(test, line.predict(test))
print(f"Least squares of {best.window} years: {error:.2f}")

# %%
# The test, all years ahead
# -------------------------
# Now nothing after 1948 is known: predictions take the place of unknown years.

forecasts = {name: search.best_estimator_.forecast(len(test)) for name, search in searches.items()}
free_errors = {name: root_mean_squared_error(test, values) for name, values in forecasts.items()}
free_errors["Mean of the past"] = root_mean_squared_error(test, np.full(len(test), train.mean()))
print("\nRoot mean squared error of the test years, from 1948 on")
print(pd.Series(free_errors).round(2).to_string())

# %%
# The forecasts
# -------------
# In the folds, the networks are better, the recurrent one most. In the test years, one year ahead,
# they are not: after 1948, there are peaks that are higher than any before, which no network has
# seen. If all years are forecast at once, the cycles of the linear models fade, and those of the
# networks continue.

COLORS = {
    "Year before": "C0",
    "Least squares": "C1",
    "Ridge": "C2",
    "Dense network": "C3",
    "Recurrent network": "C4",
}


def plot_search(ax):
    for name, search in searches.items():
        results = pd.DataFrame(search.cv_results_)
        best = results.groupby("param_window")["mean_test_score"].max()
        ax.plot(best.index, best, marker="o", color=COLORS[name])
    ax.set(
        xlabel="Window (years)",
        ylabel="R² of the folds",
        title="The search (three windows for the recurrent network)",
    )


def plot_series(ax, series, title):
    ax.plot(test, color="black", linewidth=3, alpha=0.25, label="Observed")
    for name, values in series.items():
        style = ":" if name == "Ridge" else "-"  # almost equal to least squares
        ax.plot(values, style, color=COLORS[name], label=name, linewidth=1.2)
    ax.set(xlabel="Year", ylabel="Sunspots", title=title)


figure, axes = plt.subplot_mosaic(
    [["ahead", "ahead"], ["free", "free"], ["search", "."]],
    figsize=(9, 8),
    layout="constrained",
)
plot_search(axes["search"])
plot_series(axes["ahead"], predictions, "One year ahead")
plot_series(axes["free"], forecasts, "All years ahead, with nothing known after 1948")
figure.legend(*axes["ahead"].get_legend_handles_labels(), loc="outside lower center", ncols=5)
plt.show()

print(f"This took {time.perf_counter() - start:.0f} s.")
