"""Training on the worst samples near those that are given."""

from numbers import Integral, Real

import numpy as np
import torch
from scipy.sparse import issparse
from torch import Tensor

from sknn_basics.training.net import Net

NORMS = ("linf", "l2")
DEFAULTS = {"norm": "linf", "n_steps": 7, "bounds": "auto"}

# A step of the search is this share of the ball's radius, over the number of steps.
STRIDE = 2.5


class HardenedNet(Net):
    """A net that is trained on the worst samples that it finds in a ball around each.

    Parameters
    ----------
    *args, **kwargs
        As `Net`.
    attack : dict
        What `check_attack` returned.

    References
    ----------
    Madry, Makelov, Schmidt, Tsipras and Vladu. "Towards deep learning models resistant to
    adversarial attacks." ICLR 2018.
    """

    changes_tensors_only = False

    why_alone = "it is trained on what misleads it (adversarial_training)"

    def __init__(self, *args, attack: dict, **kwargs):
        super().__init__(*args, **kwargs)
        self.attack, self.limits_ = attack, None

    def run_epochs(self, train, valid, epochs: int) -> None:
        self.limits_ = find_limits(train.X, self.attack["bounds"])
        super().run_epochs(train, valid, epochs)

    def train_step(self, batch, **fit_params) -> dict:
        X, y, weight = batch
        return super().train_step((self.worsen(X, y), y, weight), **fit_params)

    def worsen(self, X: Tensor, y: Tensor) -> Tensor:
        """Go up the loss within the ball, in evaluation: nothing is drawn or counted."""
        radius, n_steps = self.attack["radius"], self.attack["n_steps"]
        changed = X
        self._set_training(False)
        # Kernels of cuDNN for recurrent layers have no gradients in evaluation.
        with torch.backends.cudnn.flags(enabled=not X.is_cuda):
            for _ in range(n_steps):
                changed = changed.detach().requires_grad_()
                loss = self.criterion_(self.module_(changed), y).sum()
                (gradient,) = torch.autograd.grad(loss, changed)
                step = STRIDE * radius / n_steps * self.steepest(gradient)
                changed = self.clip(X + self.project(changed.detach() + step - X))
        self._set_training(True)
        return changed.detach()

    def steepest(self, gradient: Tensor) -> Tensor:
        """Find the change of size 1 that raises the loss most."""
        if self.attack["norm"] == "linf":
            return gradient.sign()
        return gradient / sizes(gradient).clamp(min=1e-30)

    def project(self, change: Tensor) -> Tensor:
        """Bring changes into the ball."""
        radius = self.attack["radius"]
        if self.attack["norm"] == "linf":
            return change.clamp(-radius, radius)
        return change * (radius / sizes(change).clamp(min=radius))

    def clip(self, X: Tensor) -> Tensor:
        """Bring samples into the range of the data."""
        return X if self.limits_ is None else X.clamp(*self.limits_)


def sizes(change: Tensor) -> Tensor:
    """Compute the norm of each sample's change; padding counts nothing."""
    return change.nan_to_num(nan=0.0).flatten(1).norm(dim=1).view(-1, *[1] * (change.dim() - 1))


def check_attack(adversarial_training) -> dict:
    """Check a radius, or a dict with more, and fill in the defaults.

    Raises
    ------
    ValueError
        If something is unknown or has no such value.
    """
    given = adversarial_training
    attack = {**DEFAULTS, **(given if isinstance(given, dict) else {"radius": given})}
    known = {"radius", *DEFAULTS}
    radius, n_steps, bounds = (attack.get(name) for name in ("radius", "n_steps", "bounds"))
    is_right = (
        set(attack) == known
        and isinstance(radius, Real)
        and 0 < radius < np.inf
        and attack["norm"] in NORMS
        and isinstance(n_steps, Integral)
        and n_steps > 0
        and (bounds is None or bounds == "auto" or bounds[0] < bounds[1])
    )
    if not is_right:
        raise ValueError(
            "adversarial_training must be a radius above 0, or a dict with a 'radius' and, if "
            f"wanted, a 'norm' of {NORMS}, 'n_steps' above 0 and 'bounds' (a growing pair, 'auto' "
            f"or None), got {given!r}."
        )
    return attack


def find_limits(X, bounds) -> tuple[float, float] | None:
    """Choose the range of changed samples; 'auto' is that of the data."""
    if bounds is None or bounds != "auto":
        return bounds
    if issparse(X):
        return float(X.min()), float(X.max())
    return float(np.nanmin(X)), float(np.nanmax(X))
