"""
=================================
The states of a recurrent network
=================================

A recurrent network reads a series step by step, and carries a state from one to the next. Here are
its layers, its training, and every unit's state along a window of a series.

.. code-block:: shell

    python examples/plot_recurrent_states.py
"""

import time
import warnings

import matplotlib.pyplot as plt
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.exceptions import ConvergenceWarning

from sknn_basics import RNNRegressor
from sknn_basics.datasets import make_sum_of_sines
from sknn_basics.displays import (
    ArchitectureDisplay,
    RecurrentStatesDisplay,
    TrainingCurveDisplay,
)

start = time.perf_counter()
warnings.simplefilter("ignore", ConvergenceWarning)  # 60 epochs are meant

# %%
# The task
# --------
# A sum of four waves; from 40 steps, the next one. The last quarter of the series is kept apart.

series = make_sum_of_sines(1200, kind="busy") / 8
windows = sliding_window_view(series, 41)
X, y = windows[:, :-1], windows[:, -1]
X_train, X_test, y_train, y_test = X[:850], X[900:], y[:850], y[900:]

# %%
# The network
# -----------
# Two recurrent layers. Shapes are those of one sample: steps and units.

network = RNNRegressor(
    hidden_layer_sizes=(12, 6),
    cell="lstm",
    batch_size=50,
    learning_rate_init=0.01,
    max_iter=60,
    tol=0,
    random_state=0,
)
network.fit(X_train, y_train, X_val=X_test, y_val=y_test)
ArchitectureDisplay.from_estimator(network)
plt.show()

# %%
# The training
# ------------
# The score of a regression is the coefficient of determination.

TrainingCurveDisplay.from_estimator(network)
plt.show()

# %%
# The states
# ----------
# A row a unit, a column a step. Some units follow the waves, others their turns; the second layer
# reads the states of the first.

RecurrentStatesDisplay.from_estimator(network, X_test[20])
plt.show()

print(f"This took {time.perf_counter() - start:.0f} s.")
