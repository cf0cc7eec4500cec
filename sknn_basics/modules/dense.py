"""Dense networks: layers of fully connected units."""

from collections.abc import Sequence

from torch import nn

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
    activation : str or nn.Module class
        Activation of the hidden layers.
    normalization : {'batch', 'layer'} or None
        Normalization between a hidden layer's linear part and its activation.
    dropout : sequence of float
        Dropout probability after each hidden layer.
    max_norm : float or None
        Largest norm of the weights into a hidden unit.
    input_noise : float
        Standard deviation of normal noise on the inputs.
    """

    def __init__(
        self,
        n_inputs: int,
        hidden_layer_sizes: Sequence[int],
        n_outputs: int,
        *,
        activation: str | type[nn.Module] = "relu",
        normalization: str | None = None,
        dropout: Sequence[float] = (),
        max_norm: float | None = None,
        input_noise: float = 0.0,
    ):
        super().__init__()
        if input_noise:
            self.add_module("input_noise", GaussianNoise(input_noise))
        dropout = dropout or [0.0] * len(hidden_layer_sizes)
        for i, (size, p) in enumerate(zip(hidden_layer_sizes, dropout, strict=True), start=1):
            layer = Linear(n_inputs, size)
            layer.max_norm = max_norm
            self.add_module(f"hidden{i}", layer)
            if normalization is not None:
                self.add_module(f"hidden{i}_normalization", NORMALIZATIONS[normalization](size))
            self.add_module(f"hidden{i}_activation", make_activation(activation))
            if p:
                self.add_module(f"hidden{i}_dropout", Dropout(p))
            n_inputs = size
        self.add_module("output", Linear(n_inputs, n_outputs))
