"""
==============================================
Augmentation, searched inside cross-validation
==============================================

Random variants of images help if there are few images, and if the variants could occur in real
data. Augmentation is a parameter of the estimator and changes training batches only, so that a
search shows on unchanged images whether it helps. Here, with centred digits of equal size, it does
not; and flips, which turn digits into other signs, do harm.

.. code-block:: shell

    python examples/plot_augmentation.py
"""

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from torch.nn import Sequential

from sknn_basics import ConvNetClassifier
from sknn_basics.displays import AugmentationDisplay
from sknn_basics.modules import RandomAffine, RandomFlip, RandomRotation, RandomShift

start = time.perf_counter()
warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is meant

# %%
# Few images
# ----------

digits = load_digits()
X, X_test, y, y_test = train_test_split(
    digits.images / 16, digits.target, train_size=300, stratify=digits.target, random_state=0
)
print(f"{len(X)} images to train on, {len(X_test)} to test on")

# %%
# Variants of an image
# --------------------
# The first tile is the image itself. Digits must not be mirrored: a flip turns them into other
# signs, and the search below shows what that costs.

vary = RandomAffine(shift=0.1, zoom=0.1, rotation=12)
AugmentationDisplay.from_augmentation(vary, X[0], n_variants=11, random_state=0)

# %%
# The search
# ----------
# Every candidate is cross-validated three times, each time on other folds.

CANDIDATES = {
    "none": None,
    "shift": RandomShift(0.1),
    "rotation": RandomRotation(12),
    "shift, zoom, rotation": vary,
    "flips": Sequential(RandomFlip(horizontal=True, vertical=True)),
}
model = ConvNetClassifier(filters=(16, 32), batch_size=32, max_iter=40, dropout=0.2, random_state=0)
scores = []
for seed in range(3):
    folds = StratifiedKFold(3, shuffle=True, random_state=seed)
    search = GridSearchCV(
        model, {"augmentation": list(CANDIDATES.values())}, cv=folds, refit=seed == 2
    ).fit(X, y)
    results = search.cv_results_
    scores += [results[f"split{fold}_test_score"] for fold in range(3)]
scores = np.array(scores)
for name, mean, deviation in zip(CANDIDATES, scores.mean(axis=0), scores.std(axis=0)):
    print(f"{name:<22} {mean:.3f} ± {deviation:.3f}")

# %%
# The scores of all folds, and of the best network on the test images. The differences between no
# augmentation, shifts and rotations lie within the spread of the folds.

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.boxplot(scores, orientation="horizontal", tick_labels=list(CANDIDATES))
ax.invert_yaxis()
ax.set(xlabel="Accuracy on held-out folds", title="Augmentation of 200 training images")
print(f"best on the test images: {search.score(X_test, y_test):.3f}")
plain = model.fit(X, y).score(X_test, y_test)
print(f"without augmentation:    {plain:.3f}")
print(f"This took {time.perf_counter() - start:.0f} s.")
plt.show()
