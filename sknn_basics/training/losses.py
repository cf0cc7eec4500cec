"""Losses: functions of (output, target) with one value per sample, summed over its outputs."""

from collections.abc import Sequence
from math import log, pi

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sknn_basics.modules.layers import LARGEST_LOG_VARIANCE, constant, standard_deviation

__all__ = ["FocalLoss"]


class Loss(nn.Module):
    """A loss per sample.

    Attributes
    ----------
    reported_share : float
        What the reported mean loss is multiplied with. scikit-learn's regressor follows the
        gradient of the sum over outputs, and reports the mean over them.
    n_observed : int
        Number of values a sample that `observe` reads from an output, and `read_epoch` from their
        means: what is recorded besides the loss.
    """

    reported_share: float = 1.0
    n_observed: int = 0

    def options(self) -> tuple:
        """Name what losses of one class may differ in, in a form that can be compared."""
        plain = int | float | tuple
        return tuple((name, v) for name, v in vars(self).items() if isinstance(v, plain))

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Compute losses of shape (n_samples,) from outputs of shape (n_samples, n_outputs).

        But for the losses of sequences, both may have further dimensions after these.
        """
        raise NotImplementedError

    def mean(self, output: Tensor, target: Tensor) -> Tensor:
        """Average the losses over the samples."""
        return self(output, target).mean()

    def progress(self) -> int:
        """Tell how far it has changed with the epochs, which all networks of a stack share."""
        return 0

    def held_back(self, observed):
        """Compute what the losses of batches lack of those that are reported."""
        return 0.0


class CrossEntropy(Loss):
    """Cross-entropy of the softmax of the outputs, for class indices or class probabilities."""

    def __init__(self, label_smoothing: float = 0.0):
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(
            output, target, reduction="none", label_smoothing=self.label_smoothing
        )

    def mean(self, output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output, target, label_smoothing=self.label_smoothing)


class BinaryCrossEntropy(Loss):
    """Cross-entropy of the logistic function of each output."""

    def __init__(self, label_smoothing: float = 0.0):
        super().__init__()
        self.label_smoothing = label_smoothing

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        if self.label_smoothing:
            target = target * (1 - self.label_smoothing) + self.label_smoothing / 2
        return F.binary_cross_entropy_with_logits(output, target, reduction="none").sum(1)

    def log_likelihood(self, output: Tensor, target: Tensor) -> Tensor:
        """Compute log-likelihoods of binary features.

        Values outside [0, 1] have none. They count as the next value that has, less half of the
        squared distance from it, so that the worse is always less likely.
        """
        inside = target.clamp(0, 1)
        return -self(output, inside) - 0.5 * (target - inside).square().sum(1)


class FocalLoss(Loss):
    """Cross-entropy in which samples count less, the better they are classified.

    The cross-entropy of a class of probability p is multiplied by ``(1 - p) ** gamma``. It is the
    loss of ``loss='focal'``; give an object of it as `loss` for another `gamma`.

    Parameters
    ----------
    gamma : float, default=2.0
        How much less; 0 is the cross-entropy.

    References
    ----------
    Lin, Goyal, Girshick, He and Dollar. "Focal loss for dense object detection." ICCV 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknn_basics import MLPClassifier
    >>> from sknn_basics.training.losses import FocalLoss
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier(loss=FocalLoss(gamma=1.0), solver="lbfgs", random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    def __init__(self, gamma: float = 2.0):
        super().__init__()
        if not gamma >= 0:
            raise ValueError(f"gamma must not be negative, got {gamma!r}.")
        self.gamma = float(gamma)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Compute losses for class indices, or for labels of zeros and ones, one per output."""
        if not target.is_floating_point():
            log_p = output.log_softmax(1).gather(1, target.unsqueeze(1)).squeeze(1)
            return -self.weigh(log_p) * log_p
        log_p = F.logsigmoid(output.where(target > 0.5, -output))
        return (-self.weigh(log_p) * log_p).sum(1)

    def weigh(self, log_p: Tensor) -> Tensor:
        # The power of 0 has no gradient for a gamma below 1.
        return (-torch.expm1(log_p)).clamp(min=1e-12) ** self.gamma if self.gamma else 1.0


class RegressionLoss(Loss):
    """A loss between predictions and real targets."""

    def __init__(self, n_outputs: int = 1):
        super().__init__()
        self.reported_share = 1 / n_outputs


class SquaredError(RegressionLoss):
    """Half of the squared error."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        return 0.5 * (output - target).square().sum(1)


class AbsoluteError(RegressionLoss):
    """Absolute error."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).abs().sum(1)


class Huber(RegressionLoss):
    """Half of the squared error up to 1, the absolute error less 1/2 beyond.

    References
    ----------
    Huber. "Robust estimation of a location parameter." Annals of Statistics 53.1 (1964): 73-101.
    """

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(output, target, reduction="none").sum(1)


class Pinball(RegressionLoss):
    """Pinball loss, which is smallest at a quantile of the targets.

    Parameters
    ----------
    levels : sequence of float
        Levels of the quantiles: one for all outputs, or one per output, of a single target.
    n_outputs : int, default=1
        Number of outputs.

    References
    ----------
    Koenker and Bassett. "Regression quantiles." Econometrica 46.1 (1978): 33-50.
    """

    def __init__(self, levels: Sequence[float], n_outputs: int = 1):
        super().__init__(n_outputs)
        self.levels = tuple(map(float, levels))

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        levels = constant(self.levels, output).view(-1, *[1] * (output.ndim - 2))
        error = target - output
        return torch.maximum(levels * error, (levels - 1) * error).sum(1)


class GaussianLikelihood(RegressionLoss):
    """Negative log-likelihood of targets that are normal, of outputs of means and log-variances.

    References
    ----------
    Nix and Weigend. "Estimating the mean and variance of the target probability distribution."
    ICNN 1994.
    """

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        mean, log_variance = output.chunk(2, dim=1)
        log_variance = limit_log_variance(log_variance)
        errors = (target - mean).square() * (-log_variance).exp()
        return 0.5 * (errors + log_variance + log(2 * pi)).sum(1)


class Poisson(Loss):
    """Half of the Poisson deviance of the exponential of the outputs."""

    def __init__(self, n_outputs: int = 1):
        super().__init__()

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        deviance = torch.xlogy(target, target) - target * output - target + output.exp()
        return deviance.sum(1)


class SequenceLoss(Loss):
    """Mean of a loss over the steps of a sequence that have a target.

    Takes outputs of shape (n_samples, n_steps, n_outputs), and targets of shape (n_samples,
    n_steps) or (n_samples, n_steps, n_outputs): class indices, where negative ones are missing, or
    floats, where NaN is.

    Parameters
    ----------
    step_loss : Loss
        Loss of a step.
    class_weight : sequence of float or None
        Weight of each class in the mean; None weighs all steps the same.
    """

    def __init__(self, step_loss: Loss, class_weight: Sequence[float] | None = None):
        super().__init__()
        self.step_loss, self.class_weight = step_loss, class_weight
        self.reported_share = step_loss.reported_share

    def forward(self, output: Tensor, target: Tensor, class_weight: Tensor | None = None) -> Tensor:
        """Compute the losses; `class_weight` may have a row a sample, of shape (..., n_classes)."""
        if class_weight is None and self.class_weight is not None:
            class_weight = constant(self.class_weight, output)
        is_index = not target.is_floating_point()
        has_target = target >= 0 if is_index else target[..., 0].isnan().logical_not()
        filled = target.clamp(min=0) if is_index else target.nan_to_num(nan=0.0)
        losses = self.step_loss(output.flatten(0, 1), filled.flatten(0, 1)).view_as(has_target)
        if class_weight is not None:
            index = filled if is_index else filled[..., 0].long()
            losses = losses * class_weight.expand(len(index), -1).gather(1, index)
        return losses.where(has_target, 0.0).sum(1) / has_target.sum(1)


class LogisticSquaredError(Loss):
    """Half of the squared error of the logistic function of each output."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        return 0.5 * (torch.sigmoid(output) - target).square().sum(1)


class Reconstruction(Loss):
    """Loss of a reconstruction, and an L1 penalty on the latent variables in the output after it.

    Parameters
    ----------
    loss : Loss
        Compares a reconstruction with its target; the reported loss is its mean over features.
    n_features : int
        Number of values of a sample, of whatever shape.
    sparsity : float, default=0.0
        Strength of the penalty; the output ends with the reconstruction if it is 0.
    """

    def __init__(self, loss: Loss, n_features: int, sparsity: float = 0.0):
        super().__init__()
        self.loss, self.n_features, self.sparsity = loss, n_features, sparsity
        self.reported_share = 1 / n_features

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        reconstruction = output[:, : self.n_features]
        losses = self.loss(reconstruction, target.reshape(reconstruction.shape))
        if self.sparsity:
            losses = losses + self.sparsity * output[:, self.n_features :].abs().sum(1)
        return losses


class PaddedReconstruction(Reconstruction):
    """Loss of a reconstruction whose target is NaN after the end of shorter sequences.

    What is missing counts for nothing, and the rest for more, so that each sequence weighs the
    same, however long it is.
    """

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        reconstruction = output[:, : self.n_features]
        target = target.reshape(reconstruction.shape)
        known = target.isnan().logical_not()
        # Both zero, each missing value adds the same to the loss.
        zero = torch.zeros_like(reconstruction[:1])
        missing = self.loss(zero, zero) * (1 - known.to(output.dtype).mean(1))
        filled = torch.where(known, reconstruction, 0.0), torch.where(known, target, 0.0)
        losses = (self.loss(*filled) - missing) / known.to(output.dtype).mean(1)
        if self.sparsity:
            losses = losses + self.sparsity * output[:, self.n_features :].abs().sum(1)
        return losses


class NormalLikelihood(Loss):
    """Negative log-likelihood of normal features of one variance, less its constant.

    Parameters
    ----------
    half_error : Loss
        Half of the squared error.
    n_features : int
        Number of values of a sample.
    variance : float
        The variance.
    is_learnt : bool
        Whether each training step takes the variance under which its batch is most likely: the mean
        squared error. It counts as a constant in the gradient, which is that of
        ``n_features / 2 * log(mean squared error)`` all the same.

    References
    ----------
    Rybkin, Daniilidis and Levine. "Simple and effective VAE training with calibrated decoders."
    ICML 2021.
    """

    # Features that are reconstructed without any error have a likelihood still.
    smallest_variance = 1e-10

    def __init__(self, half_error: Loss, n_features: int, variance: float, is_learnt: bool):
        super().__init__()
        self.half_error, self.n_features, self.is_learnt = half_error, n_features, is_learnt
        # A tensor is no option that the networks of a stack have in common.
        self.variance = torch.tensor(variance, dtype=torch.float64) if is_learnt else variance

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        half = self.half_error(output, target)
        if not (self.is_learnt and self.training):
            return self.scaled(half)
        variance = half.detach().mean(-1, keepdim=True) * (2 / self.n_features)
        variance = variance.clamp(min=self.smallest_variance)
        return half / variance + 0.5 * self.n_features * variance.log()

    def scaled(self, half_errors: Tensor) -> Tensor:
        """Turn halves of squared errors into losses."""
        variance = float(self.variance)
        return half_errors / variance + 0.5 * self.n_features * log(variance)

    def log_likelihood(self, output: Tensor, target: Tensor) -> Tensor:
        """Compute log-likelihoods of features, their constant included."""
        constant = 0.5 * self.n_features * log(2 * pi)
        return -self.scaled(self.half_error(output, target)) - constant

    def learn(self, losses: np.ndarray, counts: list[int]) -> float:
        """Average the variances of an epoch's steps, given the mean losses of their batches."""
        variances = np.exp(2 * losses.astype(np.float64) / self.n_features - 1)
        variance = float(np.average(variances, weights=counts))
        self.variance.fill_(variance)
        return variance


class VariationalLoss(Loss):
    """Negative evidence lower bound of an output of reconstruction, means and log-variances.

    Parameters
    ----------
    loss : BinaryCrossEntropy or NormalLikelihood
        Compares a reconstruction with its target: a negative log-likelihood.
    n_features : int
        Number of values of a sample, of whatever shape.
    n_latents : int
        Number of latent variables.
    beta : float, default=1.0
        Weight of the divergence.
    warmup : int, default=0
        Number of epochs over which the weight rises to it.
    n_epochs : int, default=0
        Number of epochs that were trained before.
    """

    def __init__(
        self,
        loss: Loss,
        n_features: int,
        n_latents: int,
        beta: float = 1.0,
        warmup: int = 0,
        n_epochs: int = 0,
    ):
        super().__init__()
        self.loss, self.n_features, self.beta = loss, n_features, beta
        self.n_observed = n_latents
        self.warmup, self.n_epochs = warmup, min(n_epochs, warmup)

    def options(self) -> tuple:
        # Before and after some epochs, it is the same loss.
        return tuple(option for option in super().options() if option[0] != "n_epochs")

    def progress(self) -> int:
        return min(self.n_epochs, self.warmup)

    @property
    def weight(self) -> float:
        """Weight of the divergence in this epoch."""
        if self.n_epochs >= self.warmup:
            return self.beta
        return self.beta * (self.n_epochs + 1) / (self.warmup + 1)

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        reconstruction = output[:, : self.n_features]
        losses = self.loss(reconstruction, target.reshape(reconstruction.shape))
        return losses + self.weight * self.observe(output).sum(1)

    def observe(self, output: Tensor) -> Tensor:
        """Compute the divergence of each latent variable, of shape (n_samples, n_latents, ...)."""
        return divergence_from_unit_normal(*output[:, self.n_features :].chunk(2, dim=1))

    def read_epoch(self, losses, observed, counts: list[int], is_training: bool) -> dict:
        """Take the losses of an epoch apart, and learn from those of a training epoch.

        Parameters
        ----------
        losses : ndarray of shape (n_batches,)
            Means of the losses.
        observed : ndarray of shape (n_batches, n_latents)
            Means of what `observe` computes.
        counts : list of int
            Sizes of the batches.
        is_training : bool
            Whether the batches were those of training steps.
        """
        divergences = observed.sum(axis=1)
        with np.errstate(invalid="ignore"):  # of a training that has diverged
            losses = losses - self.weight * divergences
        parts = {"reconstruction": losses, "kl": divergences}
        parts = {name: float(np.average(part, weights=counts)) for name, part in parts.items()}
        if is_training and getattr(self.loss, "is_learnt", False):
            parts["noise_variance"] = self.loss.learn(losses, counts)
        self.n_epochs += is_training and self.n_epochs < self.warmup
        return parts

    def held_back(self, observed) -> np.ndarray:
        """Compute what the losses of batches lack before the weight has risen to `beta`."""
        return (self.beta - self.weight) * observed.sum(axis=1)

    def bound(self, network: nn.Module, x: Tensor, target: Tensor, noise: Tensor) -> Tensor:
        """Estimate the evidence lower bound of each sample, with a `beta` of 1.

        The expectation over latent variables is a mean over the rows of `noise`, draws of a unit
        normal of shape (n_draws, n_latents) that all samples share.
        """
        mean, log_variance = network.distribution(x)
        target, deviation = target.flatten(1), standard_deviation(log_variance)
        likelihoods = sum(
            self.loss.log_likelihood(network.decode(mean + deviation * row), target)
            for row in noise
        )
        divergence = divergence_from_unit_normal(mean, log_variance).sum(1)
        return likelihoods / len(noise) - divergence


def describe_loss(loss: Loss) -> tuple:
    """Name a loss, its options, and the losses that it is made of."""
    parts = [part for part in loss.children() if isinstance(part, Loss)]
    return type(loss).__name__, loss.options(), tuple(map(describe_loss, parts))


# Those that are made of the number of outputs alone.
REGRESSION_LOSSES = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": Huber,
    "poisson": Poisson,
}


RECONSTRUCTION_LOSSES = {
    ("binary_cross_entropy", "logistic"): BinaryCrossEntropy,
    ("squared_error", "logistic"): LogisticSquaredError,
    ("squared_error", "identity"): SquaredError,
}


def mean_squared_difference(reconstruction: Tensor, target: Tensor) -> Tensor:
    """Compute each sample's squared error, averaged over its values."""
    return (reconstruction - target.flatten(1)).square().mean(1)


def divergence_from_unit_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Compute the Kullback-Leibler divergence of independent normals from unit ones, one each.

    Beyond `LARGEST_LOG_VARIANCE` the variance grows linearly, so that it stays finite, and has a
    gradient that brings it back.
    """
    excess = (log_variance - LARGEST_LOG_VARIANCE).clamp(min=0)
    variance = (log_variance - excess).exp() * (1 + excess)
    return 0.5 * (mean.square() + variance - 1 - log_variance)


def identity(output: Tensor) -> Tensor:
    """Return the outputs as they are."""
    return output


def logistic(output: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Turn each value into a probability, which rounding to a data type does not make certain."""
    dtype = dtype or output.dtype
    limits = torch.finfo(dtype)
    return torch.sigmoid(output).to(dtype).clamp(limits.tiny, 1 - limits.eps)


def softmax(output: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Turn each row into probabilities, rounded to a data type."""
    return torch.softmax(output, -1).to(dtype or output.dtype)


# Of what a network takes for the noise of targets: a part in 1e5, where they are scaled.
SMALLEST_LOG_VARIANCE = log(1e-10)


def limit_log_variance(log_variance: Tensor) -> Tensor:
    """Keep targets without any noise likely, and variances finite."""
    return log_variance.clamp(SMALLEST_LOG_VARIANCE, LARGEST_LOG_VARIANCE)


def in_order(output: Tensor) -> Tensor:
    """Sort the quantiles of each row, so that none lies below one of a smaller level.

    That never makes the pinball loss larger: Chernozhukov, Fernandez-Val and Galichon. "Quantile
    and probability curves without crossing." Econometrica 78.3 (2010): 1093-1125.
    """
    return output.sort(dim=-1).values


def mean_and_deviation(output: Tensor) -> Tensor:
    """Turn means and log-variances into means and standard deviations."""
    mean, log_variance = output.chunk(2, dim=-1)
    return torch.cat([mean, (0.5 * limit_log_variance(log_variance)).exp()], dim=-1)


OUTPUT_ACTIVATIONS = {
    "identity": identity,
    "quantiles": in_order,
    "gaussian": mean_and_deviation,
    "exp": torch.exp,
    "logistic": logistic,
    "softmax": softmax,
}
