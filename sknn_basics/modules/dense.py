"""Dense networks: layers of fully connected units."""

from collections.abc import Callable, Sequence
from math import prod

from torch import nn

from sknn_basics.modules.given import make_given, trace
from sknn_basics.modules.layers import (
    NORMALIZATIONS,
    Dropout,
    GaussianNoise,
    Linear,
    make_activation,
)


class DenseNetwork(nn.Sequential):
    """Dense network: (n_samples, n_inputs) -> (n_samples, n_outputs).

    Each hidden layer is linear -> normalization -> activation -> dropout; the output is linear.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Number of features and of output units.
    hidden_layer_sizes : sequence of int
        Number of units of each hidden layer.
    activation : str, nn.Module class or list of them
        Activation of the hidden layers, one for all or one for each.
    normalization : {'batch', 'layer'}, None or list of them
        Normalization between a hidden layer's linear part and its activation.
    dropout : sequence of float
        Dropout probability after each hidden layer.
    max_norm : float or None
        Largest norm of the weights into a hidden unit.
    input_noise : float or list of float
        Standard deviation of normal noise on the inputs, or on what each hidden layer reads.
    module : nn.Module, callable or None
        What stands in place of the hidden layers: a module, which is copied, or a class or
        function that makes one of the shape (n_inputs,). Its outputs are flattened.
    """

    def __init__(
        self,
        n_inputs: int,
        hidden_layer_sizes: Sequence[int],
        n_outputs: int,
        *,
        activation: str | type[nn.Module] | list = "relu",
        normalization: str | list[str | None] | None = None,
        dropout: Sequence[float] = (),
        max_norm: float | None = None,
        input_noise: float | list[float] = 0.0,
        module: nn.Module | Callable | None = None,
    ):
        super().__init__()
        n_hidden = len(hidden_layer_sizes)
        activations = activation if isinstance(activation, list) else [activation] * n_hidden
        kinds = normalization if isinstance(normalization, list) else [normalization] * n_hidden
        noises = input_noise if isinstance(input_noise, list) else [input_noise]
        noises = noises + [0.0] * n_hidden
        dropout = dropout or [0.0] * n_hidden
        if noises[0]:
            self.add_module("input_noise", GaussianNoise(noises[0]))
        if module is not None:
            self.add_module("module", make_given(module, (n_inputs,), "module"))
            self.add_module("flatten", nn.Flatten())
            n_inputs = prod(trace(self.module, (n_inputs,), "module", "samples"))
        for i, (size, p) in enumerate(zip(hidden_layer_sizes, dropout, strict=True), start=1):
            if i > 1 and noises[i - 1]:
                self.add_module(f"hidden{i}_noise", GaussianNoise(noises[i - 1]))
            layer = Linear(n_inputs, size)
            layer.max_norm = max_norm
            self.add_module(f"hidden{i}", layer)
            if kinds[i - 1] is not None:
                self.add_module(f"hidden{i}_normalization", NORMALIZATIONS[kinds[i - 1]](size))
            self.add_module(f"hidden{i}_activation", make_activation(activations[i - 1]))
            if p:
                self.add_module(f"hidden{i}_dropout", Dropout(p))
            n_inputs = size
        self.add_module("output", Linear(n_inputs, n_outputs))
