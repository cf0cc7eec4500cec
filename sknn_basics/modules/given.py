"""Modules that a user gives in place of layers."""

from collections.abc import Callable, Sequence
from copy import deepcopy

import torch
from torch import nn
from torch.nn import functional as F

from sknn_basics._compat import n_changes
from sknn_basics.modules.layers import Dropout, RReLU


def make_given(given: nn.Module | Callable, shape: Sequence[int], name: str) -> nn.Module:
    """Copy a module, or call a class or function with the shape of a sample to make one.

    Parameters
    ----------
    given : nn.Module or callable
        What the user gave.
    shape : sequence of int
        Shape of what the module is to read of one sample.
    name : str
        The parameter's name, for errors.

    Raises
    ------
    TypeError
        If what is made is no module, or a class or function cannot be called with a shape.
    """
    if isinstance(given, nn.Module):
        module = deepcopy(given)
    else:
        try:
            module = given(tuple(shape))
        except TypeError as error:
            raise TypeError(
                f"{name} must be an nn.Module, or a class or function that makes one of the shape "
                f"of a sample, {tuple(shape)}; {given!r} raised: {error}"
            ) from error
    if not isinstance(module, nn.Module):
        raise TypeError(f"{name} must be an nn.Module or make one, got {module!r}.")
    return hold_single_samples(draw_from_own(module))


class SingleSampleNorm:
    """Use running statistics where a batch has one value a channel, which has no variance."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        has_variance = x.numel() > self.num_features or self.running_mean is None
        if not self.training or has_variance:
            return super().forward(x)
        statistics = self.running_mean, self.running_var
        return F.batch_norm(x, *statistics, self.weight, self.bias, False, 0.0, self.eps)


class BatchNorm1d(SingleSampleNorm, nn.BatchNorm1d):
    """Batch normalization of rows or signals, also of a batch of one."""


class BatchNorm2d(SingleSampleNorm, nn.BatchNorm2d):
    """Batch normalization of images, also of a batch of one."""


class BatchNorm3d(SingleSampleNorm, nn.BatchNorm3d):
    """Batch normalization of volumes, also of a batch of one."""


NORMS = {nn.BatchNorm1d: BatchNorm1d, nn.BatchNorm2d: BatchNorm2d, nn.BatchNorm3d: BatchNorm3d}


def hold_single_samples(module: nn.Module) -> nn.Module:
    """Let torch's batch normalization train on the last batch of an epoch, if that has one row."""
    for layer in module.modules():
        layer.__class__ = NORMS.get(type(layer), type(layer))
    return module


def draw_from_own(module: nn.Module) -> nn.Module:
    """Replace layers that draw from torch's global random state by those that do not."""
    for parent in list(module.modules()):
        for name, layer in parent.named_children():
            if type(layer) is nn.Dropout and layer.p < 1:
                setattr(parent, name, Dropout(layer.p).train(layer.training))
            elif type(layer) is nn.RReLU:
                setattr(parent, name, RReLU(layer.lower, layer.upper).train(layer.training))
    return module


def trace(
    module: nn.Module,
    shape: Sequence[int],
    name: str,
    what: str,
    *,
    may_change: bool = False,
    **options,
) -> tuple[int, ...]:
    """Find the shape of what a module makes of a sample.

    Parameters
    ----------
    module : nn.Module
        The module, which stays as it is, but for the shapes of lazy layers.
    shape : sequence of int
        Shape of the sample.
    name, what : str
        What the module and samples are called in errors.
    may_change : bool, default=False
        Whether it may change samples in place.
    **options
        Further arguments of the module.

    Raises
    ------
    ValueError
        If it cannot read such samples, changes them, or does not return one output for each.
    """
    example = _example(module, shape)
    before = n_changes(example)
    modes = {layer: layer.training for layer in module.modules()}
    try:
        with torch.no_grad():
            output = module.eval()(example, **options)
    except Exception as error:
        raise ValueError(f"{name} cannot read {what} of shape {tuple(shape)}: {error}") from error
    finally:
        for layer, mode in modes.items():
            layer.training = mode
    output = first_output(output)
    if n_changes(example) != before and not may_change:
        raise ValueError(
            f"{name} changes its inputs in place, which would change X: set inplace=False in its "
            "first layer."
        )
    if not isinstance(output, torch.Tensor):
        raise ValueError(f"{name} must return a tensor, got {type(output).__name__}.")
    if output.dim() < 2 or len(output) != len(example):
        raise ValueError(
            f"{name} must return one output of one or more values for each sample, but of "
            f"{what} of shape {tuple(example.shape)} it made shape {tuple(output.shape)}."
        )
    return tuple(output.shape[1:])


def first_output(output):
    """Give what is read of a module's output: of those of torch's recurrent layers, the first."""
    return output[0] if isinstance(output, tuple) else output


def _example(module: nn.Module, shape: Sequence[int]) -> torch.Tensor:
    """Make two samples of zeros, of the data type of a module."""
    tensors = [p for p in module.parameters() if p.is_floating_point()]
    like = tensors[0] if tensors else torch.empty(0)
    return torch.zeros(2, *shape, dtype=like.dtype, device=like.device)
