"""Recurrent autoencoders: sequences to latent variables and back."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from sknn_basics.modules.autoencoder import NOISES, AutoencoderNetwork
from sknn_basics.modules.cells import RecurrentLayer
from sknn_basics.modules.layers import make_activation
from sknn_basics.modules.recurrent import RecurrentNetwork


class Repeat(nn.Module):
    """Give each of `n_steps` steps the same values: (n_samples, n) -> (n_samples, n_steps, n)."""

    def __init__(self, n_steps: int):
        super().__init__()
        self.n_steps = n_steps

    def forward(self, x: Tensor) -> Tensor:
        return x.unsqueeze(1).expand(-1, self.n_steps, -1)

    def extra_repr(self) -> str:
        return f"n_steps={self.n_steps}"


class SwapAxes(nn.Module):
    """Swap features and steps: (n_samples, n, m) -> (n_samples, m, n)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)


class RecurrentAutoencoderNetwork(AutoencoderNetwork):
    """Autoencoder whose encoder reads a sequence, and whose decoder writes it."""

    def initialise(self, scheme: str | Callable, generator: torch.Generator) -> None:
        """Draw the weights of the recurrent layers."""
        for layer in self.modules():
            if isinstance(layer, RecurrentLayer):
                layer.initialise(scheme, generator)


def recurrent_autoencoder(
    *,
    n_steps: int,
    step_shape: Sequence[int],
    hidden_layer_sizes: Sequence[int],
    n_components: int,
    cell: str,
    bidirectional: bool,
    dropout: Sequence[float],
    recurrent_dropout: Sequence[float],
    latent_activation: str | type[nn.Module],
    noise: Sequence | None,
    appends_latents: bool,
    is_swapped: bool = False,
    **structure,
) -> RecurrentAutoencoderNetwork:
    """Make a recurrent autoencoder, with unset weights.

    Parameters
    ----------
    n_steps : int
        Number of steps of a sequence.
    step_shape : sequence of int
        Shape of a step: () for one number, or (n_features,).
    hidden_layer_sizes : sequence of int
        Number of units of each recurrent layer of the encoder.
    n_components : int
        Number of latent variables.
    cell : {'lstm', 'gru', 'rnn'}
        Kind of the recurrent cells.
    bidirectional : bool
        Whether the encoder reads in both directions.
    dropout, recurrent_dropout : sequence of float
        Dropout probabilities of each hidden layer of the encoder.
    latent_activation : str or nn.Module class
        Activation of the latent variables.
    noise : sequence of (str, float, ...) or None
        Name in `NOISES` and arguments of what corrupts the inputs.
    appends_latents : bool
        Whether the output continues with the latent variables.
    is_swapped : bool, default=False
        Whether sequences have shape (n_samples, n_features, n_steps).
    **structure
        What only `recurrent_decoder` takes.
    """
    reader = RecurrentNetwork(
        step_shape,
        hidden_layer_sizes,
        n_components,
        cell=cell,
        bidirectional=bidirectional,
        dropout=dropout,
        recurrent_dropout=recurrent_dropout,
    )
    encoder = nn.Sequential()
    if is_swapped:
        encoder.add_module("layout", SwapAxes())
    encoder.add_module("reader", reader)
    encoder.add_module("output_activation", make_activation(latent_activation))
    shared = {"n_steps": n_steps, "n_components": n_components, "cell": cell}
    decoder = recurrent_decoder(**shared, is_swapped=is_swapped, **structure)
    noise = None if noise is None else NOISES[noise[0]](*noise[1:])
    network = RecurrentAutoencoderNetwork(encoder, decoder, noise, appends_latents)
    halves = reader, decoder.writer
    network.n_multiplications = n_steps * sum(half.n_multiplications_a_step for half in halves)
    network.largest_output = n_steps * max(half.largest_output_a_step for half in halves)
    return network


def recurrent_decoder(
    *,
    n_steps: int,
    n_components: int,
    n_outputs_a_step: int,
    decoder_layer_sizes: Sequence[int],
    cell: str,
    is_swapped: bool = False,
    **structure,
) -> nn.Sequential:
    """Make the decoder alone, of the arguments of a whole autoencoder."""
    decoder = nn.Sequential()
    decoder.add_module("repeat", Repeat(n_steps))
    writer = RecurrentNetwork(
        (n_components,), decoder_layer_sizes, n_outputs_a_step, cell=cell, steps_out="each"
    )
    decoder.add_module("writer", writer)
    if is_swapped:
        decoder.add_module("layout", SwapAxes())
    decoder.add_module("flatten", nn.Flatten())
    decoder.largest_output = n_steps * writer.largest_output_a_step
    return decoder
