"""Generative adversarial networks: the same rounds in our estimator and in a loop of bare torch."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.data import FASHION, load_arrays

N_POINTS, N_IMAGES = 10_000, 10_000
WIDTH = 0.25

Work = Callable[[], object]


def load_points() -> np.ndarray:
    """Points around (5, 5)."""
    return np.random.RandomState(0).normal(5, 1, size=(N_POINTS, 2)).astype(np.float32)


def load_images(folder: Path) -> np.ndarray:
    """10,000 images of Fashion-MNIST, float32 in [-1, 1], of shape (n, 28, 28)."""
    X, _ = load_arrays(folder, FASHION, N_IMAGES)
    return 2 * X.reshape(-1, 28, 28) - 1


def fit_points(folder: Path) -> Work:
    from sknn_basics import GAN

    X = load_points()
    model = GAN(max_iter=2, dtype="float32", random_state=0)
    return lambda: model.fit(X)


def fit_images(folder: Path) -> Work:
    from sknn_basics import ConvGAN
    from sknn_basics.architectures import STRIDED_GAN

    X = load_images(folder)
    model = ConvGAN(**{**STRIDED_GAN(width=WIDTH), "max_iter": 1}, random_state=0)
    return lambda: model.fit(X)


def fit_points_bare(folder: Path) -> Work:
    import torch
    from torch import nn

    X = torch.from_numpy(load_points())

    def dense(*sizes: int) -> nn.Sequential:
        layers = [[nn.Linear(n, m), nn.LeakyReLU(0.1)] for n, m in pairwise(sizes)]
        return nn.Sequential(*[part for pair in layers for part in pair][:-1])

    def fit() -> None:
        torch.manual_seed(0)
        players = dense(4, 16, 2), dense(2, 16, 16, 1)
        play(*players, X, 2, 32, lambda n: torch.rand(n, 4), (1e-3, 1e-3))

    return fit


def fit_images_bare(folder: Path) -> Work:
    import torch
    from torch import nn

    X = torch.from_numpy(load_images(folder)).unsqueeze(1)

    def fit() -> None:
        torch.manual_seed(0)
        generator = nn.Sequential(
            *(nn.Linear(100, 1568), nn.BatchNorm1d(1568), nn.ReLU(), nn.Unflatten(1, (32, 7, 7))),
            *(nn.ConvTranspose2d(32, 16, 5, 2, 2, 1), nn.BatchNorm2d(16), nn.ReLU()),
            *(nn.ConvTranspose2d(16, 1, 5, 2, 2, 1), nn.Tanh()),
        ).to(memory_format=torch.channels_last)
        discriminator = nn.Sequential(
            *(nn.Conv2d(1, 16, 5, 2, 2), nn.LeakyReLU(0.2)),
            *(nn.Conv2d(16, 32, 5, 2, 2), nn.BatchNorm2d(32), nn.LeakyReLU(0.2)),
            *(nn.Flatten(), nn.Linear(1568, 1)),
        ).to(memory_format=torch.channels_last)
        players = generator, discriminator
        play(*players, X, 1, 128, lambda n: 2 * torch.rand(n, 100) - 1, (1e-3, 1e-4))

    return fit


def play(generator, discriminator, X, n_epochs: int, batch_size: int, draw, rates) -> None:
    """Make the rounds one would write by hand: slices of a permutation, fused Adam, logits."""
    import torch
    from torch.nn.functional import softplus

    steps = [
        torch.optim.Adam(player.parameters(), lr=rate, betas=(0.5, 0.999), fused=True)
        for player, rate in zip((generator, discriminator), rates)
    ]
    for _ in range(n_epochs):
        for rows in torch.randperm(len(X)).split(batch_size):
            with torch.no_grad():
                made = generator(draw(len(rows)))
            loss = softplus(-discriminator(X[rows])).mean() + softplus(discriminator(made)).mean()
            steps[1].zero_grad()
            loss.backward()
            steps[1].step()
            loss = softplus(-discriminator(generator(draw(len(rows))))).mean()
            steps[0].zero_grad()
            loss.backward()
            steps[0].step()
