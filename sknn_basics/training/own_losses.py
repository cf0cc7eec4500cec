"""Losses that a user gives: a class or an object of `nn.Module`, or a function."""

import inspect
from collections.abc import Callable
from copy import deepcopy
from functools import partial

import numpy as np
from torch import Tensor, nn

from sknn_basics.training.losses import Loss

# Losses of torch that do not compare outputs before their activation with targets, and what does.
UNFIT = {
    nn.NLLLoss: "takes log-probabilities: use torch.nn.CrossEntropyLoss",
    nn.BCELoss: "takes probabilities: use torch.nn.BCEWithLogitsLoss",
    nn.PoissonNLLLoss: "is of an exponential: use loss='poisson'",
    nn.GaussianNLLLoss: "needs variances: use loss='gaussian'",
}
UNFIT_FOR_RECONSTRUCTIONS = {
    nn.BCEWithLogitsLoss: "takes logits, and is given reconstructions: use "
    "loss='binary_cross_entropy'",
    nn.CrossEntropyLoss: "compares no reconstructions: use torch.nn.MSELoss, say",
    nn.NLLLoss: "compares no reconstructions: use torch.nn.MSELoss, say",
}


class OwnLoss(Loss):
    """A loss of the user, computed for each network of a stack by itself.

    Parameters
    ----------
    loss : nn.Module class, nn.Module or callable
        What is called with outputs and targets. It returns one number a sample, numbers of the
        shape of the outputs, of which those of a sample are added, or their mean over the batch,
        with which samples cannot be weighed. Modules of torch are asked for the former.
    reported_share : float, default=1.0
        See `Loss`.
    unfit : dict of type to str
        Classes that are refused, and why.
    activate : callable or None, default=None
        What is applied to the outputs first.
    sample_shape : tuple of int or None, default=None
        The shape that outputs and targets of a sample get; None leaves them as they are.

    Raises
    ------
    ValueError
        If it is no loss of outputs and targets.
    """

    # Code that nobody here knows.
    calls_user = True

    def __init__(
        self,
        loss: type[nn.Module] | nn.Module | Callable,
        reported_share: float = 1.0,
        *,
        unfit: dict[type, str] = UNFIT,
        activate: Callable | None = None,
        sample_shape: tuple[int, ...] | None = None,
    ):
        super().__init__()
        self.title = f"loss={getattr(loss, '__qualname__', None) or repr(loss)}"
        for kind, reason in unfit.items():
            if loss is kind or isinstance(loss, kind):
                raise ValueError(f"{self.title} {reason}.")
        self.function = self.of_samples(loss)
        self.reported_share = reported_share
        self.activate, self.sample_shape = activate, sample_shape

    def of_samples(self, loss) -> Callable:
        """Make a module of a class, or copy one, with losses of samples where it has them."""
        if isinstance(loss, type):
            if not issubclass(loss, nn.Module):
                raise ValueError(f"{self.title} must be a torch.nn.Module, if it is a class.")
            try:
                has_reduction = "reduction" in inspect.signature(loss).parameters
                loss = loss(reduction="none") if has_reduction else loss()
            except Exception as error:
                raise ValueError(
                    f"{self.title} cannot be made without arguments, give an object of it: {error}"
                ) from error
        elif isinstance(loss, nn.Module):
            loss = deepcopy(loss)
            if hasattr(loss, "reduction"):
                loss.reduction = "none"
        if isinstance(loss, nn.Module) and any(p.requires_grad for p in loss.parameters()):
            raise ValueError(
                f"{self.title} has parameters, which no solver would train: call its "
                "requires_grad_(False), if they are constants."
            )
        return loss

    def options(self) -> tuple:
        activation = getattr(self.activate, "__name__", None)
        return describe_value(self.function), self.reported_share, activation, self.sample_shape

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        losses = self.compute(output, target)
        if losses.ndim == 0:
            raise ValueError(
                f"{self.title} returns one number for a batch of {len(output)} samples, but "
                "sample_weight, class_weight, solver='lbfgs' and targets of steps need one a "
                "sample: return losses of shape (n_samples,), as reduction='none' does."
            )
        return losses

    def mean(self, output: Tensor, target: Tensor) -> Tensor:
        losses = self.compute(output, target)
        return losses.mean() if losses.ndim else losses

    def compute(self, output: Tensor, target: Tensor) -> Tensor:
        """Compute losses of shape (n_samples,), or one for all samples."""
        if self.activate is not None:
            output = self.activate(output)
        if self.sample_shape is not None:
            output, target = (x.reshape(-1, *self.sample_shape) for x in (output, target))
        try:
            losses = self.function(output, target)
        except Exception as error:
            if isinstance(error, MemoryError) or "memory" in str(error):
                raise
            raise ValueError(
                f"{self.title} failed with outputs of shape {tuple(output.shape)} and targets of "
                f"shape {tuple(target.shape)} and {target.dtype}: {error}"
            ) from error
        return self.check(losses, output)

    def check(self, losses, output: Tensor) -> Tensor:
        """Check what the loss has returned, and add up the losses of each sample."""
        n_samples, allowed = len(output), [(), (len(output),), tuple(output.shape)]
        if not isinstance(losses, Tensor):
            raise ValueError(f"{self.title} must return a tensor, got {type(losses).__name__}.")
        if tuple(losses.shape) not in [*allowed, (n_samples, 1)]:
            raise ValueError(
                f"{self.title} must return losses of shape (n_samples,), those of the outputs' "
                f"shape, or their mean: one of {allowed}, got {tuple(losses.shape)}."
            )
        if output.requires_grad and not losses.requires_grad:
            raise ValueError(f"{self.title} must be differentiable: it returns no gradient.")
        return losses.flatten(1).sum(1) if losses.ndim > 1 else losses

    def log_likelihood(self, output: Tensor, target: Tensor) -> Tensor:
        """Compute what it is the negative of, where it is read as a log-likelihood."""
        return -self(output, target)

    def takes(self, output: Tensor, target: Tensor) -> bool:
        """Tell whether the loss can be computed of such outputs and targets."""
        try:
            self.to(output.dtype).mean(output, target)
        except ValueError:
            return False
        return True


def make_loss(loss, reported_share: float = 1.0, **options) -> Loss:
    """Make a loss of what the user gives; an object of `Loss` is one, and is copied."""
    return deepcopy(loss) if isinstance(loss, Loss) else OwnLoss(loss, reported_share, **options)


def is_own(loss: Loss) -> bool:
    """Tell whether a loss is, or has a part that is, of the user."""
    return any(isinstance(part, OwnLoss) for part in loss.modules())


def describe_value(value):
    """Describe a value so that equal descriptions are those of what computes the same.

    Functions are the same only if they are one object; modules, if they have the same attributes.
    """
    if isinstance(value, Tensor):
        return describe_value(value.numpy(force=True))
    if isinstance(value, np.ndarray):
        return value.shape, str(value.dtype), value.tobytes()
    if isinstance(value, dict):
        options = (name for name in value if name != "training")
        return tuple((name, describe_value(value[name])) for name in options)
    if isinstance(value, set):
        return frozenset(value)
    if isinstance(value, list | tuple):
        return tuple(map(describe_value, value))
    if isinstance(value, partial):
        return value.func, describe_value(value.args), describe_value(value.keywords)
    return (type(value), describe_value(vars(value))) if isinstance(value, nn.Module) else value
