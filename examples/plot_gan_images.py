"""
====================================
Digits and clothes from random noise
====================================

A convolutional GAN makes images of digits that nobody has written. A second one, which is told the
class of each image, makes clothes of the class that it is asked for.

.. code-block:: shell

    python examples/plot_gan_images.py
"""

import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from sknn_basics import ConvGAN
from sknn_basics.datasets import load_fashion_mnist
from sknn_basics.displays import (
    ClassSamplesDisplay,
    GeneratedSamplesDisplay,
    InterpolationDisplay,
    SampleHistoryDisplay,
)
from sknn_basics.training.adversarial import RecordSamples

# %%
# Digits
# ------
# The same ten latent variables after every fifth epoch: each becomes a digit, and may become
# another one.


def make_digits():
    record = RecordSamples(n_samples=10, every=5)
    model = ConvGAN((16, 32), n_components=16, max_iter=15, callbacks=[record], random_state=0)
    return model, record


# %%
# Clothes
# -------
# Some images of Fashion-MNIST, if they can be found, and their classes.


def make_clothes():
    X, y = load_fashion_mnist(split="train", return_X_y=True)
    model = ConvGAN((16, 32), n_components=32, max_iter=6, batch_size=32, random_state=0)
    return model.fit(X[:2000], y[:2000])


# %%
# All together
# ------------


def main(folder):
    start = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    X, _ = load_digits(return_X_y=True)
    model, record = make_digits()
    model.fit(X)
    print(f"Score of the digits: {model.score(X):.3f}")
    rows = SampleHistoryDisplay.from_callback(record)
    rows.figure_.savefig(folder / "digits_by_epoch.png")
    beside = GeneratedSamplesDisplay.from_estimator(model, X, n_samples=20)
    beside.figure_.savefig(folder / "digits.png")
    Z = model.sample_latents(6, random_state=3)
    ways = InterpolationDisplay.from_estimator(model, Z[:3], Z[3:], n_steps=8, space="latent")
    ways.figure_.savefig(folder / "ways.png")

    try:
        clothes = make_clothes()
    except OSError as error:
        print(f"No clothes: {error}")
    else:
        y = np.repeat(np.arange(10), 8)
        images = clothes.sample(len(y), random_state=0, y=y).reshape(-1, 28, 28)
        rows = ClassSamplesDisplay.from_data(images, y, n_per_class=8)
        rows.figure_.savefig(folder / "clothes.png")
    print("Written:", *sorted(map(str, folder.iterdir())))
    print(f"This took {time.perf_counter() - start:.0f} s.")


if __name__ == "__main__":
    main(Path("gan_images_output"))
