"""Losses of all networks of a stack at once."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sknn_basics._compat import once_differentiable
from sknn_basics.training.losses import CrossEntropy, Loss


def class_weights_of(criteria: Sequence[Loss], like: Tensor) -> Tensor | None:
    """Collect the class weights of losses of steps, of shape (n_members, n_classes), if any."""
    given = [getattr(own, "class_weight", None) for own in criteria]
    known = [weights for weights in given if weights is not None]
    if not known:
        return None
    equal = [1.0] * len(known[0])
    rows = [equal if weights is None else list(weights) for weights in given]
    return like.new_tensor(rows)


def losses_of_members(
    criterion: Loss,
    output: Tensor,
    target: Tensor,
    rates: Tensor | None = None,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Compute the losses of the samples of each network, of shape (n_members, n_samples).

    Parameters
    ----------
    criterion : Loss
        The loss that all have in common.
    output : Tensor of shape (n_members, n_samples, n_outputs) or with steps before the outputs
        Outputs of the networks.
    target : Tensor of shape (n_members, n_samples, ...)
        Their targets.
    rates : Tensor of shape (n_members,) or None
        How much each smooths labels, in a cross-entropy for class indices; None if none does.
    class_weights : Tensor of shape (n_members, n_classes) or None
        What classes weigh in the losses of steps.
    """
    if output.ndim == 4:
        flat = [output.flatten(0, 1), target.flatten(0, 1)]
        if class_weights is not None:
            flat.append(class_weights.repeat_interleave(output.shape[1], 0))
        return criterion(*flat).view(output.shape[:2])
    # Losses are along the second dimension, whatever follows it.
    output, target = output.mT, target.flatten(2).mT if target.ndim > 2 else target
    if type(criterion) is CrossEntropy and not target.is_floating_point():
        return StackedCrossEntropy.apply(output, target, rates)
    return criterion(output, target)


class StackedCrossEntropy(torch.autograd.Function):
    """Cross-entropy of the softmax along the second of three dimensions, for class indices.

    torch computes this one's gradient sample by sample, in five times the time. Each network may
    smooth labels at a rate of its own.
    """

    @staticmethod
    def forward(ctx, output: Tensor, target: Tensor, rates: Tensor | None = None) -> Tensor:
        index = target.unsqueeze(1)
        exponentials = output - output.amax(1, keepdim=True)
        chosen = exponentials.gather(1, index)
        if rates is not None:
            rates = rates[:, None, None]
            chosen = chosen * (1 - rates) + exponentials.mean(1, keepdim=True) * rates
        totals = exponentials.exp_().sum(1, keepdim=True)
        ctx.exponentials, ctx.totals, ctx.index, ctx.rates = exponentials, totals, index, rates
        return (totals.log() - chosen).squeeze(1)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor):
        # In place: to allocate memory would cost more than to compute what it holds.
        difference, ctx.exponentials = ctx.exponentials, None
        gradient = gradient.unsqueeze(1)
        difference.mul_(gradient / ctx.totals)
        if ctx.rates is not None:
            difference.sub_(gradient * (ctx.rates / difference.shape[1]))
            gradient = gradient * (1 - ctx.rates)
        difference.scatter_add_(1, ctx.index, -gradient)
        return difference, None, None
