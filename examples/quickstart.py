"""
===============================================
Quickstart: from a first score to a saved model
===============================================

This example goes through the steps of a usual project: load data, score a first network, tune it
with a grid search, test the result once, save it, and load it again. All tools around the network
are those of scikit-learn.

.. code-block:: shell

    python examples/quickstart.py              # digits
    SKNN_FULL=1 python examples/quickstart.py  # a part of Fashion-MNIST
"""

import os
import tempfile
import time
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sknn_basics import MLPClassifier
from sknn_basics.datasets import load_fashion_mnist
from sknn_basics.displays import SearchScoresDisplay, TrainingCurveDisplay

start = time.perf_counter()

# %%
# Load the data
# -------------
# The digits are images of 8 x 8 pixels that come with scikit-learn: a row of 64 numbers for each
# image. A quarter of them is held out for the final test.

if os.environ.get("SKNN_FULL") == "1":
    X, y = load_fashion_mnist(split="train", return_X_y=True)
    X, y = X[:4000], y[:4000]
else:
    X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=42)
print(f"{len(X_train)} training images and {len(X_test)} test images of {X.shape[1]} pixels")

# %%
# Score a first network
# ---------------------
# The network reads the number of pixels and the classes from the data. The scaler is a step of the
# pipeline, so that each fold is scaled by its own training rows.

network = MLPClassifier(
    hidden_layer_sizes=(50,),
    learning_rate_init=0.01,
    batch_size=64,
    early_stopping=True,
    random_state=42,
)
pipeline = make_pipeline(MinMaxScaler(), network)
scores = cross_val_score(pipeline, X_train, y_train, cv=5)
print(f"Accuracy: {scores.mean():.3f} (standard deviation over five folds: {scores.std():.3f})")

# %%
# Look at the training
# --------------------
# With ``early_stopping``, a tenth of the training images is held out as validation data. The
# training ends when their score no longer improves, and the weights of the best epoch are kept.

pipeline.fit(X_train, y_train)
fitted = pipeline[-1]
print(f"{fitted.n_iter_} epochs, best validation accuracy {fitted.best_validation_score_:.3f}")
TrainingCurveDisplay.from_estimator(pipeline)
plt.show()

# %%
# Tune it
# -------
# The sizes of layers, dropout and the learning rate are parameters like any other. Under the
# backend ``"stacked"``, the networks of all folds that have the same layers are trained at once.

grid = {
    "mlpclassifier__hidden_layer_sizes": [(50,), (100,), (100, 100)],
    "mlpclassifier__dropout": [0.0, 0.2],
    "mlpclassifier__learning_rate_init": [0.003, 0.01],
}
search = GridSearchCV(pipeline, grid, cv=3)
start_search = time.perf_counter()
with joblib.parallel_config(backend="stacked"):
    search.fit(X_train, y_train)
print(f"{3 * len(search.cv_results_['params'])} fits in {time.perf_counter() - start_search:.1f} s")
for name, value in search.best_params_.items():
    print(f"{name}: {value}")
print(f"Accuracy over three folds: {search.best_score_:.3f}")

# %%
# The error bars are standard deviations over the folds. They overlap: several candidates are as
# good as the best one, among them smaller networks.

figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
SearchScoresDisplay.from_search(search, ax=ax)
plt.show()

# %%
# Test it once
# ------------
# The test images were used neither for training nor for tuning. The search has refitted the best
# candidate on all training images.

print(f"Test accuracy: {search.score(X_test, y_test):.3f}")

# %%
# Save it, and load it again
# --------------------------
# A fitted pipeline is a single file. The loaded one gives identical predictions.

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "digits.joblib")
    joblib.dump(search.best_estimator_, path)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
    loaded = joblib.load(path)
assert (loaded.predict_proba(X_test) == search.predict_proba(X_test)).all()

# %%
# From here on, :ref:`sphx_glr_auto_examples_plot_errors.py` shows which digits are confused,
# :ref:`sphx_glr_auto_examples_stacked_search.py` how much time the backend saves, and the
# :doc:`user guide </user_guide/index>` has a page for each family of networks.

print(f"This took {time.perf_counter() - start:.0f} s.")
