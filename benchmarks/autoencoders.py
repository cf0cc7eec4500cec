"""Autoencoders on Fashion-MNIST: ``python -m benchmarks.autoencoders [NAME ...]``.

Trained on 10,000 images for fifty epochs, tested on the 10,000 test images. ``pca`` compares the
error of twenty latents with that of twenty principal components; ``bound`` the evidence lower bound
of a variational autoencoder with that of the same network in bare torch; ``latents`` describes
this autoencoder's latents and samples; ``epochs`` times two ways to make images smaller and larger.
Each prints one line a fit, then a Markdown table.
"""

import sys
import time
import warnings
from itertools import pairwise

import numpy as np
import torch
from sklearn.decomposition import PCA

from benchmarks.forecasting import print_table, report
from sknn_basics import Autoencoder, ConvAutoencoder, MLPClassifier, VariationalAutoencoder
from sknn_basics.architectures import POOLED_DENOISER, STRIDED_DENOISER
from sknn_basics.datasets import load_fashion_mnist

SEEDS = range(3)
N_TRAIN, N_EPOCHS, BATCH_SIZE = 10_000, 50, 200
SIZES, N_LATENTS = (512, 256), 20
N_DRAWS = 64
N_SAMPLES = 1_000
N_ROUNDS = 21
TRAINING = {
    "max_iter": N_EPOCHS,
    "batch_size": BATCH_SIZE,
    "alpha": 0.0,
    "tol": 0.0,
    "n_iter_no_change": N_EPOCHS,
    "dtype": "float32",
}


def load(split: str) -> tuple[np.ndarray, np.ndarray]:
    X, y = load_fashion_mnist(split=split, return_X_y=True)
    X = (X / np.float32(255)).astype(np.float32).reshape(len(X), -1)
    return (X[:N_TRAIN], y[:N_TRAIN]) if split == "train" else (X, y)


def compare_with_pca(train, test) -> None:
    """Compare mean squared errors of reconstructed test images."""
    pca = PCA(N_LATENTS, random_state=0).fit(train[0])
    reconstructions = {"PCA": pca.inverse_transform(pca.transform(test[0]))}
    for seed in SEEDS:
        model = Autoencoder(SIZES, N_LATENTS, **TRAINING, random_state=seed)
        reconstructions[f"deep, seed {seed}"] = timed_fit(model, train[0]).reconstruct(test[0])
    errors = {name: np.mean((X - test[0]) ** 2) for name, X in reconstructions.items()}
    lines = [
        [name, f"{error:.5f}", f"{error / errors['PCA']:.3f}"] for name, error in errors.items()
    ]
    print_table(["model", "error", "of PCA's"], lines)


def compare_bounds(train, test) -> None:
    """Compare bounds of test images, both computed in bare torch."""
    X_test = torch.from_numpy(test[0])
    lines, bounds = [], []
    for seed in SEEDS:
        ours = timed_fit(variational(seed), train[0])
        theirs = train_bare(torch.from_numpy(train[0]), seed)
        pair = [
            bare_bound(net.encoder, net.decoder, X_test) for net in (ours.module_.eval(), theirs)
        ]
        bounds.append(pair)
        lines.append([f"{seed}", *(f"{b:.2f}" for b in pair), f"{ours.score(test[0]):.2f}"])
        report(" ".join(lines[-1]))
    mean, reference = np.mean(bounds, axis=0)
    change = f"{(mean - reference) / abs(reference):+.2%}"
    lines.append(["mean", f"{mean:.2f}", f"{reference:.2f} ({change})", ""])
    print_table(["seed", "sknn_basics", "bare torch", "by `score`"], lines)


def variational(seed: int) -> VariationalAutoencoder:
    loss = "binary_cross_entropy"
    return VariationalAutoencoder(SIZES, N_LATENTS, loss=loss, **TRAINING, random_state=seed)


def train_bare(X: torch.Tensor, seed: int) -> torch.nn.Module:
    """Train the same network as its inventors' paper describes it, with torch's own layers."""
    torch.manual_seed(seed)
    sizes = (X.shape[1], *SIZES)
    network = torch.nn.Module()
    network.encoder = dense(*sizes, 2 * N_LATENTS)
    network.decoder = dense(N_LATENTS, *sizes[::-1])
    optimiser = torch.optim.Adam(network.parameters())
    for _ in range(N_EPOCHS):
        for rows in torch.randperm(len(X)).split(BATCH_SIZE):
            optimiser.zero_grad()
            loss = -bound_of_draw(network.encoder, network.decoder, X[rows]).mean()
            loss.backward()
            optimiser.step()
    return network


def dense(*sizes: int) -> torch.nn.Sequential:
    """Make linear layers with rectifiers between them."""
    layers = [torch.nn.Linear(n, m) for n, m in pairwise(sizes)]
    pairs = [part for layer in layers for part in (layer, torch.nn.ReLU())]
    return torch.nn.Sequential(*pairs[:-1])


def bound_of_draw(encoder, decoder, X: torch.Tensor) -> torch.Tensor:
    """Compute the evidence lower bound of each sample by one draw of its latents."""
    mean, log_variance = encoder(X).chunk(2, dim=1)
    logits = decoder(mean + (log_variance / 2).exp() * torch.randn_like(mean))
    error = torch.nn.functional.binary_cross_entropy_with_logits(logits, X, reduction="none")
    divergence = (mean**2 + log_variance.exp() - 1 - log_variance) / 2
    return -error.sum(1) - divergence.sum(1)


@torch.no_grad()
def bare_bound(encoder, decoder, X: torch.Tensor) -> float:
    """Average the bound over samples and draws."""
    torch.manual_seed(0)
    return float(
        np.mean([bound_of_draw(encoder, decoder, X).double().mean() for _ in range(N_DRAWS)])
    )


def describe_latents(train, test) -> None:
    """Tell the means of latents of test images, and which clothes a classifier sees in samples."""
    classifier = MLPClassifier(SIZES, max_iter=20, random_state=0)
    timed_fit(classifier, *train)
    report(f"accuracy of the classifier on test images: {classifier.score(*test):.4f}")
    lines = []
    for seed in SEEDS:
        model = timed_fit(variational(seed), train[0])
        means, spreads = model.transform(test[0]).mean(0), model.sample_latents(test[0], 0).std(0)
        classes = classifier.predict(model.sample(N_SAMPLES, random_state=0))
        counts = np.bincount(classes, minlength=10)
        spread = f"{spreads.min():.2f} to {spreads.max():.2f}"
        largest = f"{np.abs(means).max():.3f}"
        lines.append([f"{seed}", largest, spread, ", ".join(map(str, counts))])
    header = ["largest mean of a latent", "standard deviations", "samples of the ten classes"]
    print_table(["seed", *header], lines)


def time_epochs(train, test) -> None:
    """Compare times of an epoch of a half of the images, in turn, the first time unrecorded."""
    images = train[0][: N_TRAIN // 2].reshape(-1, 28, 28)
    seconds = {"POOLED_DENOISER": [], "STRIDED_DENOISER": []}
    parameters = dict(zip(seconds, (POOLED_DENOISER, STRIDED_DENOISER)))
    for _ in range(1 + N_ROUNDS):
        for name, times in seconds.items():
            model = ConvAutoencoder(**{**parameters[name], "max_iter": 2}, random_state=0)
            start = time.perf_counter()
            model.fit(images)
            times.append((time.perf_counter() - start) / 2)
            report(f"{name}: {times[-1]:.2f} s an epoch")
    pooled, strided = (np.median(times[1:]) for times in seconds.values())
    lines = [
        ["`POOLED_DENOISER`", f"{pooled:.2f} s", ""],
        ["`STRIDED_DENOISER`", f"{strided:.2f} s", f"{strided / pooled:.2f}"],
    ]
    print_table(["architecture", "an epoch", "ratio"], lines)


def timed_fit(model, X, y=None):
    start = time.perf_counter()
    model.fit(X, y)
    report(f"{type(model).__name__} took {time.perf_counter() - start:.0f} s")
    return model


NAMES = {
    "pca": compare_with_pca,
    "bound": compare_bounds,
    "latents": describe_latents,
    "epochs": time_epochs,
}


def main(names: list[str]) -> None:
    warnings.simplefilter("ignore")  # that the number of epochs is a setting is meant
    train, test = load("train"), load("test")
    for name in names or NAMES:
        NAMES[name](train, test)


if __name__ == "__main__":
    main(sys.argv[1:])
