"""
==================================================
Three sums of sines, four windows, three networks
==================================================

How far back must a network look, and how deep must it be? LSTMs of one, two and three layers
forecast a calm series, a busy one and one that jumps, from windows of 1 to 13 steps. A linear model
of the same windows shows what is easy: a sum of sines is linear in a few of its past values.

.. code-block:: shell

    python examples/plot_sine_forecasts.py              # 400 samples
    SKNN_FULL=1 python examples/plot_sine_forecasts.py  # 2,000 samples, more epochs
"""

import os
import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression

from sknn_basics import Forecaster, RNNRegressor
from sknn_basics.datasets import make_sum_of_sines

start = time.perf_counter()
warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is meant

is_full = os.environ.get("SKNN_FULL") == "1"
n_train, n_epochs = (2_000, 200) if is_full else (400, 50)
N_TEST, SKIP = 400, 10_000

# %%
# Series and models
# -----------------
# All have `fit`, `predict` and `forecast`, whatever the regressor. Those that read sequences get
# each window as one.

KINDS, WINDOWS = ("calm", "busy", "upsloping"), (1, 3, 5, 13)
SIZES = {"LSTM 3": (3,), "LSTM 3-3": (3, 3), "LSTM 9-6-3": (9, 6, 3)}


def make_network(sizes):
    return RNNRegressor(
        hidden_layer_sizes=sizes,
        batch_size=32 if is_full else 20,
        max_iter=n_epochs,
        learning_rate="cosine",
        learning_rate_init=0.03,
        tol=0,
        alpha=0,
        dtype="float32",
        random_state=0,
    )


MODELS = {"linear": LinearRegression(), **{name: make_network(s) for name, s in SIZES.items()}}

# %%
# The table
# ---------
# Mean squared errors one step ahead, on samples that come long after those of the training, in
# units of the series' variance: 1 is what the mean would do.

errors, predictions, tests = {}, {}, {}
print(f"{'series':<10} {'window':>6}", *(f"{name:>11}" for name in MODELS))
for kind in KINDS:
    train = make_sum_of_sines(n_train, kind=kind)
    tests[kind] = test = make_sum_of_sines(N_TEST, kind=kind, skip=SKIP)
    for window in WINDOWS:
        for name, model in MODELS.items():
            predicted = Forecaster(model, window).fit(train).predict(test)
            errors[kind, window, name] = np.nanmean((predicted - test) ** 2) / train.var()
            predictions[kind, window, name] = predicted
        row = (f"{errors[kind, window, name]:>11.2g}" for name in MODELS)
        print(f"{kind:<10} {window:>6}", *row)

# %%
# Errors by window and depth
# --------------------------
# Above, the forecasts of the deepest network from the longest window, where it is wrong and where
# not; below, all errors. A line is exact for sums of sines, once the window holds two values a
# wave, but it cannot know where the series jumps.

FLOOR = 1e-6  # smaller errors are drawn here

figure, axes = plt.subplots(2, 3, figsize=(12, 6.5), layout="constrained")
for kind, (above, below) in zip(KINDS, axes.T):
    above.plot(tests[kind][:200], color="black", linewidth=3, alpha=0.25, label="series")
    above.plot(predictions[kind, 13, "LSTM 9-6-3"][:200], label="LSTM 9-6-3", linewidth=1)
    above.set(title=kind, xlabel="Step")
    for name in MODELS:
        values = [max(FLOOR, errors[kind, window, name]) for window in WINDOWS]
        style = "k--" if name == "linear" else "-"
        below.plot(WINDOWS, values, style, marker="o", label=name)
    below.set(xlabel="Window", yscale="log", ylim=(FLOOR / 2, 3), xticks=WINDOWS)
axes[0, 0].set_ylabel("Value")
axes[1, 0].set_ylabel("Squared error / variance")
axes[0, 0].legend()
axes[1, 0].legend()
print(f"This took {time.perf_counter() - start:.0f} s.")
plt.show()
