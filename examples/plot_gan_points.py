"""
=========================================
Two networks that play against each other
=========================================

A generator turns four random numbers into a point, and a discriminator tells such points from
real ones, which lie around (5, 5). The points start near (0, 0), move too far, form long ellipses,
and lie where the real ones do after some thirteen epochs.

.. code-block:: shell

    python examples/plot_gan_points.py
"""

import time
from pathlib import Path

import numpy as np

from sknn_basics import GAN
from sknn_basics.architectures import GAUSSIAN_GAN
from sknn_basics.displays import SampleHistoryDisplay, TrainingCurveDisplay
from sknn_basics.training.adversarial import RecordSamples

# %%
# The game
# --------
# The callback keeps what the generator makes of the same latent variables after every third epoch,
# and what the discriminator is confident of over the plane: blue stands for real, red for made.


def play(X):
    record = RecordSamples(n_samples=300, every=3)
    model = GAN(**GAUSSIAN_GAN, callbacks=[record], random_state=0).fit(X)
    return model, record


# %%
# Eight modes
# -----------
# A generator may make samples of a few modes only. Here the data have eight, in a ring. With
# ``batch_variety=True``, the discriminator is told how much the points of a batch differ.


def make_ring(n_samples):
    rng = np.random.RandomState(0)
    angles = 2 * np.pi * rng.randint(8, size=n_samples) / 8
    centers = 2 * np.column_stack([np.cos(angles), np.sin(angles)])
    return centers + rng.normal(0, 0.05, size=(n_samples, 2))


def play_for_ring(X):
    record = RecordSamples(n_samples=300, every=8)
    model = GAN(
        (64, 64),
        (64, 64),
        latent="normal",
        batch_size=128,
        max_iter=40,
        batch_variety=True,
        dtype="float32",
        callbacks=[record],
        random_state=0,
    ).fit(X)
    return model, record


# %%
# All together
# ------------


def main(folder):
    start = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    X = np.random.RandomState(0).normal(5, 1, size=(10_000, 2))
    model, record = play(X)
    samples = model.sample(5_000, random_state=0)
    print("Means of 5,000 samples:", samples.mean(axis=0).round(2))
    print("Standard deviations:", samples.std(axis=0).round(2))
    film = SampleHistoryDisplay.from_callback(record, X)
    film.figure_.savefig(folder / "film.png")
    curves = TrainingCurveDisplay.from_estimator(model)
    curves.figure_.savefig(folder / "curves.png")

    X = make_ring(4_000)
    model, record = play_for_ring(X)
    film = SampleHistoryDisplay.from_callback(record, X)
    film.figure_.savefig(folder / "ring.png")
    print("Written:", *sorted(map(str, folder.iterdir())))
    print(f"This took {time.perf_counter() - start:.0f} s.")


if __name__ == "__main__":
    main(Path("gan_points_output"))
