"""
===========================================
Video frames: which way does the ball move?
===========================================

Videos of a ball that moves in one of eight directions, or stands still. No frame tells which: the
ball may be anywhere in each. Convolutions find it in every frame, and a recurrent layer over the
frames finds out how it moves.

.. code-block:: shell

    python examples/plot_moving_ball.py
"""

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import ConfusionMatrixDisplay

from sknn_basics import ConvNetClassifier, RNNClassifier

start = time.perf_counter()
warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is meant

# %%
# The videos
# ----------
# The ball leaves a frame on one side and comes back on the other, so that it is everywhere equally
# often, whichever way it moves. The shape is (n_samples, n_steps, n_channels, height, width).

SIZE, N_STEPS, RADIUS = 20, 8, 2.0
ARROWS = {"→": 0, "↗": 45, "↑": 90, "↖": 135, "←": 180, "↙": 225, "↓": 270, "↘": 315}
NAMES = np.array([*ARROWS, "still"])


def make_videos(n_samples, rng):
    kinds = rng.integers(len(NAMES), size=n_samples)
    angles = np.deg2rad([*ARROWS.values(), 0])[kinds]
    speed = np.where(NAMES[kinds] == "still", 0, rng.uniform(1, 2, size=n_samples))
    velocity = speed[:, None] * np.stack([-np.sin(angles), np.cos(angles)], axis=1)  # down, right
    place = rng.uniform(0, SIZE, size=(n_samples, 1, 2))
    place = place + np.arange(N_STEPS)[:, None] * velocity[:, None]
    distance = np.arange(SIZE) - place[..., None]  # of each row and each column
    distance = (distance + SIZE / 2) % SIZE - SIZE / 2
    squares = distance[:, :, 0, :, None] ** 2 + distance[:, :, 1, None, :] ** 2
    frames = np.clip(RADIUS + 0.5 - np.sqrt(squares), 0, 1)
    return frames[:, :, None].astype(np.float32), NAMES[kinds]


rng = np.random.default_rng(0)
X, y = make_videos(2_000, rng)
X_test, y_test = make_videos(500, rng)
print("Videos of shape", X.shape)

figure, axes = plt.subplots(3, N_STEPS, figsize=(10, 4), layout="constrained")
for row, video, name in zip(axes, X_test, y_test):
    for ax, frame in zip(row, video[:, 0]):
        ax.imshow(frame, cmap="gray")
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name, fontsize="x-large", rotation=0, labelpad=16, va="center")
figure.suptitle("Three videos, and how the ball moves")

# %%
# The networks
# ------------
# With `filters`, the recurrent network applies convolutions to every frame. A convolutional network
# that sees the last frame alone cannot do better than chance.

network = RNNClassifier(
    hidden_layer_sizes=(32,),
    filters=(8,),
    kernel_size=5,
    strides=2,
    batch_size=32,
    learning_rate_init=0.003,
    max_iter=30,
    tol=0,
    random_state=0,
).fit(X, y)
print(network.summary())

one_frame = ConvNetClassifier(batch_size=32, max_iter=5, random_state=0).fit(X[:, -1], y)
print(f"\nall frames: accuracy {network.score(X_test, y_test):.3f}")
print(f"last frame: accuracy {one_frame.score(X_test[:, -1], y_test):.3f}, by chance {1 / 9:.3f}")

# %%
# After how many frames it knows
# ------------------------------
# Predictions take videos of any length. One frame tells nothing; this network, taught by videos of
# eight, wants most of them.

lengths = np.arange(1, N_STEPS + 1)
accuracies = [network.score(X_test[:, :n], y_test) for n in lengths]

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.8), layout="constrained")
left.plot(lengths, accuracies, marker="o")
left.axhline(1 / 9, color="gray", linestyle=":", label="by chance")
left.set(xlabel="Frames seen", ylabel="Accuracy on test videos", ylim=(0, 1.02))
left.legend()
ConfusionMatrixDisplay.from_estimator(
    network, X_test, y_test, labels=NAMES, ax=right, colorbar=False, cmap="Blues"
)
right.set_title("All frames")
print(f"This took {time.perf_counter() - start:.0f} s.")
plt.show()
