"""
================
A GAN that grows
================

A GAN first learns digits of 2 x 2 pixels, then of 4 x 4, then of 8 x 8. Each time, both networks
get layers for the new size, which are faded in, while the layers that they have continue learning.

.. code-block:: shell

    python examples/plot_gan_growing.py
"""

import time
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits

from sknn_basics import ConvGAN
from sknn_basics.displays import SampleHistoryDisplay
from sknn_basics.training.adversarial import RecordSamples

# %%
# The networks
# ------------
# One number of filters for each size, that of the largest first. The callback keeps samples of the
# same latent variables; they are shown as large as the images will be.


def make_model():
    record = RecordSamples(n_samples=10, every=4)
    model = ConvGAN(
        (16, 32, 32),
        n_components=16,
        grow=(2, 4, 8),
        max_iter=8,
        callbacks=[record],
        random_state=0,
    )
    return model, record


# %%
# All together
# ------------


def main(folder):
    start = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    X, _ = load_digits(return_X_y=True)
    model, record = make_model()
    model.fit(X)
    print(f"Score: {model.score(X):.3f}")
    rows = SampleHistoryDisplay.from_callback(record)
    rows.figure_.savefig(folder / "growing.png")

    figure, (size, variety) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
    size.plot(model.history_["growth"])
    size.set(xlabel="Epoch", ylabel="Size of images", yticks=range(3), yticklabels=[2, 4, 8])
    variety.plot(model.history_["variety"])
    variety.set(xlabel="Epoch", ylabel="Variety of samples")
    figure.savefig(folder / "history.png")
    print("Written:", *sorted(map(str, folder.iterdir())))
    print(f"This took {time.perf_counter() - start:.0f} s.")


if __name__ == "__main__":
    main(Path("gan_growing_output"))
