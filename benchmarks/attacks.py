"""Projected gradients: the same attack in each library, on the same network."""

from collections.abc import Callable
from pathlib import Path

Work = Callable[[], object]
Peer = Callable[[Path], Work]

N_DIGITS, N_STEPS, RADIUS = 1000, 40, 0.1


def victim():
    """A fitted network of digits, 1,000 of these in [0, 1], and what it says of them."""
    from sklearn.datasets import load_digits

    from sknn_basics import ConvNetClassifier

    digits = load_digits()
    X, y = digits.images / 16, digits.target
    network = ConvNetClassifier(filters=(16, 32), max_iter=10, random_state=0).fit(X, y)
    return network, X[:N_DIGITS], network.predict(X[:N_DIGITS])


def attack() -> Peer:
    def prepare(folder: Path) -> Work:
        from sknn_basics.inspection import adversarial

        network, X, y = victim()
        options = {"norm": "linf", "method": "gradient", "n_steps": N_STEPS, "random_state": 0}
        return lambda: adversarial(network, X, y, max_norm=RADIUS, **options)

    return prepare


def attack_foolbox() -> Peer:
    def prepare(folder: Path) -> Work:
        import foolbox
        import torch

        network, X, y = victim()
        model = foolbox.PyTorchModel(network.module_.eval(), (0, 1))
        X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
        projected = foolbox.attacks.LinfPGD(steps=N_STEPS)
        return lambda: projected(model, X, y, epsilons=RADIUS)

    return prepare


def attack_torchattacks() -> Peer:
    def prepare(folder: Path) -> Work:
        import torch
        import torchattacks

        network, X, y = victim()
        X, y = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
        projected = torchattacks.PGD(
            network.module_.eval(), eps=RADIUS, alpha=RADIUS / 30, steps=N_STEPS
        )
        return lambda: projected(X, y)

    return prepare
