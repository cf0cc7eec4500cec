"""
====================================
A label for every step of a sequence
====================================

A signal changes now and then between three regimes. Its values have the same distribution in each:
only their order differs, so that no single value tells the regime. Recurrent networks that label
every step learn to tell, and one that reads in both directions knows the future too.

.. code-block:: shell

    python examples/plot_sequence_labels.py
"""

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix

from sknn_basics import RNNClassifier

start = time.perf_counter()
warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is meant

# %%
# The signals
# -----------
# Autoregression of order one with three coefficients, and a variance of one with each. The
# signals are of different lengths: a list of arrays holds them, and another one their labels.

REGIMES = {"drifting": 0.95, "noise": 0.0, "alternating": -0.95}
NAMES, COEFFICIENTS = np.array(list(REGIMES)), np.array(list(REGIMES.values()))
STAY = 0.97  # probability that the next step has the same regime


def make_signal(rng):
    n_steps = rng.integers(80, 160)
    moves = np.where(rng.random(n_steps) < STAY, 0, rng.integers(1, 3, n_steps))
    regimes = moves.cumsum() % 3
    noise, signal = rng.normal(size=n_steps), np.zeros(n_steps)
    for i, coefficient in enumerate(COEFFICIENTS[regimes]):
        before = signal[i - 1] if i else 0.0
        signal[i] = coefficient * before + np.sqrt(1 - coefficient**2) * noise[i]
    return signal, NAMES[regimes]


rng = np.random.default_rng(0)
X, y = zip(*(make_signal(rng) for _ in range(300)))
X_test, y_test = zip(*(make_signal(rng) for _ in range(100)))
print(f"{len(X)} signals of {min(map(len, X))} to {max(map(len, X))} steps")

# %%
# The models
# ----------
# A classifier of single steps is no better than a guess. The recurrent ones take lists, and give
# lists back.

steps, labels = np.concatenate(X)[:, np.newaxis], np.concatenate(y)
steps_test, labels_test = np.concatenate(X_test)[:, np.newaxis], np.concatenate(y_test)
single = LogisticRegression().fit(np.hstack([steps, steps**2]), labels)
accuracy = single.score(np.hstack([steps_test, steps_test**2]), labels_test)
print(f"{'each step alone':<16} accuracy {accuracy:.3f}")

options = {
    "hidden_layer_sizes": (16,),
    "cell": "gru",
    "batch_size": 20,
    "learning_rate_init": 0.01,
    "max_iter": 25,
    "tol": 0,
    "random_state": 0,
}
MODELS = {
    "forward": RNNClassifier(**options),
    "both directions": RNNClassifier(**options, bidirectional=True),
}
for name, model in MODELS.items():
    model.fit(list(X), list(y))
    print(f"{name:<16} accuracy {model.score(list(X_test), list(y_test)):.3f}")

both = np.concatenate(MODELS["both directions"].predict(list(X_test)))
print("\nConfusion (rows are true):", *MODELS["forward"].classes_)
print(confusion_matrix(labels_test, both))

# %%
# Where they err
# --------------
# After a change, the forward network needs some steps to see it. The other one sees it coming,
# but it may be late or early.

MOST = 30


def steps_since_change(labels):
    changes = np.flatnonzero(labels[1:] != labels[:-1]) + 1
    last = np.zeros(len(labels), dtype=int)
    last[changes] = changes
    since = np.arange(len(labels)) - np.maximum.accumulate(last)
    since[: changes[0] if len(changes) else None] = MOST  # no change was seen yet
    return since


since = np.concatenate([steps_since_change(labels) for labels in y_test])

figure, axes = plt.subplot_mosaic(
    [["signal", "errors"], ["forward", "errors"], ["both directions", "errors"]],
    figsize=(11, 6),
    width_ratios=[2, 1],
    layout="constrained",
)
colors, signal = ("C0", "C1", "C2"), X_test[0]
axes["signal"].plot(signal, color="black", linewidth=0.8)
axes["signal"].set(title="A signal, and the regime of each step", ylabel="Value")
classes = MODELS["forward"].classes_
index = np.searchsorted(classes, y_test[0])
for i in range(len(classes)):
    axes["signal"].fill_between(
        np.arange(len(signal)), -3, 3, where=index == i, step="mid", alpha=0.3, color=colors[i]
    )
for name, model in MODELS.items():
    (probability,) = model.predict_proba([signal])
    axes[name].stackplot(
        np.arange(len(signal)), probability.T, colors=colors, alpha=0.6, labels=classes
    )
    axes[name].set(title=f"Probabilities, {name}", ylim=(0, 1))
    wrong = np.concatenate(model.predict(list(X_test))) != labels_test
    rate = [wrong[since == i].mean() for i in range(MOST)]
    axes["errors"].plot(rate, label=name)
axes["both directions"].set_xlabel("Step")
axes["forward"].legend(loc="lower left", fontsize="small")
axes["errors"].set(xlabel="Steps since the last change", ylabel="Share of wrong labels")
axes["errors"].set(title="Wrong labels", ylim=(0, None))
axes["errors"].legend()
print(f"This took {time.perf_counter() - start:.0f} s.")
plt.show()
