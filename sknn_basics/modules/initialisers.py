"""Initial weights."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import init

from sknn_basics._compat import ConvNd, ConvTransposeNd, fan_in_and_fan_out

INITIALISERS = {
    "uniform": partial(init.uniform_, a=-0.01, b=0.01),
    "normal": partial(init.normal_, std=0.05),
    "glorot_uniform": init.xavier_uniform_,
    "glorot_normal": init.xavier_normal_,
    "he_uniform": partial(init.kaiming_uniform_, nonlinearity="relu"),
    "he_normal": partial(init.kaiming_normal_, nonlinearity="relu"),
    "lecun_uniform": partial(init.kaiming_uniform_, nonlinearity="linear"),
    "lecun_normal": partial(init.kaiming_normal_, nonlinearity="linear"),
    "orthogonal": init.orthogonal_,
}


def weight_layers(module: nn.Module) -> list[nn.Module]:
    """List the linear and convolutional layers of a module, from input to output."""
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear | ConvNd)]


def glorot_uniform_with_bias(
    module: nn.Module, rng: np.random.RandomState, factor: float = 6.0
) -> None:
    """Draw weights and biases as scikit-learn's multi-layer perceptron does, bit by bit.

    Both come from a uniform distribution on ±sqrt(factor / (fan_in + fan_out)).

    Parameters
    ----------
    module : nn.Module
        Network whose linear and convolutional layers are set.
    rng : numpy.random.RandomState
        Source of the draws.
    factor : float, default=6.0
        6 in general; scikit-learn takes 2 for logistic units.

    References
    ----------
    Glorot and Bengio. "Understanding the difficulty of training deep feedforward neural
    networks." AISTATS 2010.
    """
    for layer in weight_layers(module):
        weight = layer.weight
        fan_in, fan_out = fan_in_and_fan_out(weight)
        bound = np.sqrt(factor / (fan_in + fan_out))
        # scikit-learn stores inputs by outputs, so the draw is transposed.
        draw = rng.uniform(-bound, bound, (*weight.shape[1:], weight.shape[0]))
        weight.data.copy_(torch.from_numpy(np.moveaxis(draw, -1, 0)))
        if layer.bias is not None:
            layer.bias.data.copy_(torch.from_numpy(rng.uniform(-bound, bound, len(layer.bias))))


def initialise(module: nn.Module, scheme: str | Callable, generator: torch.Generator) -> None:
    """Draw the weights of every linear and convolutional layer; biases become zero.

    Parameters
    ----------
    module : nn.Module
        Network to initialise.
    scheme : str or callable
        Name in `INITIALISERS`, or a function ``(weight, *, generator)`` as in `torch.nn.init`.
    generator : torch.Generator
        Source of the draws.
    """
    for layer in weight_layers(module):
        # Transposed convolutions have inputs by outputs, where others have outputs by inputs.
        swapped = isinstance(layer, ConvTransposeNd)
        draw_weight(
            layer.weight.data.transpose(0, 1) if swapped else layer.weight.data, scheme, generator
        )
        if layer.bias is not None:
            layer.bias.data.zero_()


def draw_weight(weight: Tensor, scheme: str | Callable, generator: torch.Generator) -> None:
    """Fill a weight by a scheme, see `initialise`.

    It is drawn where the generator draws, and then copied.

    Raises
    ------
    ValueError
        If the scheme leaves a value that is not finite.
    """
    draw = INITIALISERS[scheme] if isinstance(scheme, str) else scheme
    drawn = torch.full(weight.shape, torch.nan, dtype=weight.dtype, device=generator.device)
    draw(drawn, generator=generator)
    if not drawn.isfinite().all():
        raise ValueError(f"weight_init={scheme!r} must fill a weight with finite numbers.")
    weight.copy_(drawn)
