"""Autoencoders: networks that are trained to give back what they are given."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sknn_basics.modules.dense import DenseNetwork
from sknn_basics.modules.layers import ClippedNoise, MaskingNoise, make_activation

NOISES = {"gaussian": ClippedNoise, "mask": MaskingNoise}


class AutoencoderNetwork(nn.Module):
    """Encoder and decoder: (n_samples, ...) -> (n_samples, n_features).

    Parameters
    ----------
    encoder : nn.Module
        Maps inputs to latents.
    decoder : nn.Module
        Maps latents of shape (n_samples, n_latents) to raw outputs of shape
        (n_samples, n_features), the flattened reconstruction.
    noise : nn.Module or None, default=None
        What corrupts the inputs while training.
    appends_latents : bool, default=False
        Whether the output goes on with the flattened latents, for a loss that looks at them.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        noise: nn.Module | None = None,
        appends_latents: bool = False,
    ):
        super().__init__()
        if noise is not None:
            self.noise = noise
        self.encoder, self.decoder = encoder, decoder
        self.appends_latents = appends_latents

    def encode(self, x: Tensor) -> Tensor:
        """Compute latents of shape (n_samples, n_latents)."""
        return self.encoder(x).flatten(1)

    def decode(self, latents: Tensor) -> Tensor:
        """Compute raw outputs of shape (n_samples, n_features)."""
        return self.decoder(latents)

    def forward(self, x: Tensor) -> Tensor:
        latents = self.encode(self.noise(x) if hasattr(self, "noise") else x)
        reconstruction = self.decode(latents)
        return torch.cat([reconstruction, latents], 1) if self.appends_latents else reconstruction


class TiedLinear(nn.Module):
    """Linear layer with the transposed weight of another one, and a bias of its own.

    Parameters
    ----------
    source : nn.Linear
        The layer whose weight it shares.
    """

    def __init__(self, source: nn.Linear):
        super().__init__()
        # In a list, the source is no part of this layer: it has its own place in the network.
        self._source = [source]
        self.bias = nn.Parameter(torch.zeros(source.in_features))

    @property
    def weight(self) -> Tensor:
        (source,) = self._source
        return source.weight.T

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)


def dense_autoencoder(
    n_features: int,
    hidden_layer_sizes: Sequence[int],
    n_components: int,
    decoder_layer_sizes: Sequence[int],
    *,
    activation: str | type[nn.Module],
    latent_activation: str | type[nn.Module],
    normalization: str | None,
    dropout: Sequence[float],
    max_norm: float | None,
    noise: Sequence | None,
    tied_weights: bool,
    appends_latents: bool,
) -> AutoencoderNetwork:
    """Make an autoencoder of dense networks, with unset weights.

    Parameters
    ----------
    n_features, n_components : int
        Number of features and of latents.
    hidden_layer_sizes, decoder_layer_sizes : sequence of int
        Number of units of each hidden layer, of the encoder and of the decoder.
    activation, latent_activation : str or nn.Module class
        Activation of the hidden layers, and of the latents.
    normalization : {'batch', 'layer'} or None
        Normalization between a hidden layer's linear part and its activation.
    dropout : sequence of float
        Dropout probability after each hidden layer, the encoder's first.
    max_norm : float or None
        Largest norm of the weights into a hidden unit.
    noise : sequence of (str, float, ...) or None
        Name in `NOISES` and arguments of what corrupts the inputs.
    tied_weights : bool
        Whether the decoder has the transposed weights of the encoder.
    appends_latents : bool
        Whether the output goes on with the latents.
    """
    n_hidden = len(hidden_layer_sizes)
    options = {"activation": activation, "normalization": normalization, "max_norm": max_norm}
    encoder = DenseNetwork(
        n_features, hidden_layer_sizes, n_components, dropout=dropout[:n_hidden], **options
    )
    encoder.add_module("output_activation", make_activation(latent_activation))
    decoder = DenseNetwork(
        n_components, decoder_layer_sizes, n_features, dropout=dropout[n_hidden:], **options
    )
    if tied_weights:
        tie(encoder, decoder)
    network = AutoencoderNetwork(encoder, decoder, make_noise(noise), appends_latents)
    network.n_multiplications = count_multiplications(network)
    # Latents are small, but not what they are decoded into.
    network.largest_output = max([n_features, *hidden_layer_sizes, *decoder_layer_sizes])
    return network


def count_multiplications(network: nn.Module) -> int:
    """Count the multiplications a sample of dense layers; tied ones use a weight again."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear | TiedLinear)]
    return sum(layer.weight.numel() for layer in layers)


def make_noise(noise: Sequence | None) -> nn.Module | None:
    """Make a layer of noise from its name in `NOISES` and its arguments."""
    return None if noise is None else NOISES[noise[0]](*noise[1:])


def tie(encoder: nn.Sequential, decoder: nn.Sequential) -> None:
    """Give the linear layers of a decoder the transposed weights of the mirrored encoder."""
    sources = [layer for layer in encoder if isinstance(layer, nn.Linear)]
    names = [name for name, layer in decoder.named_children() if isinstance(layer, nn.Linear)]
    for name, source in zip(names, reversed(sources), strict=True):
        setattr(decoder, name, TiedLinear(source))
