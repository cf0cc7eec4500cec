"""
==============================
Schedules of the learning rate
==============================

A schedule changes the learning rate from epoch to epoch. This example plots five schedules, and
compares networks that are trained with them on the digits.

.. code-block:: shell

    python examples/plot_schedules.py
"""

import time
import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from sknn_basics import MLPClassifier
from sknn_basics.training.schedules import CosineAnnealing, ExponentialDecay, OneCycle, StepDecay

start = time.perf_counter()
warnings.simplefilter("ignore", ConvergenceWarning)  # 40 epochs are meant

# %%
# The schedules
# -------------
# ``learning_rate`` takes an instance of a schedule, the name of one with its defaults, or a
# function that returns the learning rate for an epoch. The learning rates of a fit are in
# ``history_``.

SCHEDULES = {
    "constant": "constant",
    "step": StepDecay(factor=0.5, every=10),
    "exponential": ExponentialDecay(factor=0.93),
    "cosine": CosineAnnealing(),
    "one cycle": OneCycle(),
}

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, test_size=0.5, random_state=0)


def train(schedule):
    network = MLPClassifier(
        learning_rate=schedule,
        learning_rate_init=0.03,
        max_iter=40,
        tol=0,
        random_state=0,
    )
    return network.fit(X_train, y_train, X_val=X_test, y_val=y_test)


networks = {name: train(schedule) for name, schedule in SCHEDULES.items()}

# %%
# The trainings
# -------------
# With a learning rate that decreases, the loss varies less in the last epochs than with a constant
# one. On these digits, the validation losses of all schedules are nearly the same: here, a schedule
# makes the result more stable, not better.

figure, (rate_ax, loss_ax) = plt.subplots(ncols=2, figsize=(9, 4), layout="constrained")
for name, network in networks.items():
    rate_ax.plot(network.history_["learning_rate"], label=name)
    loss_ax.semilogy(network.history_["valid_loss"], linewidth=1)
rate_ax.set(xlabel="Epoch", ylabel="Learning rate")
loss_ax.set(xlabel="Epoch", ylabel="Validation loss")
figure.legend(loc="outside lower center", ncols=5)
plt.show()

for name, network in networks.items():
    last = network.history_["valid_loss"][-10:]
    print(f"{name:12s} {last[-1]:.3f}, deviation of the last ten epochs {last.std():.4f}")
print(f"This took {time.perf_counter() - start:.0f} s.")
