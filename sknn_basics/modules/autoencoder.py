"""Autoencoders: networks that are trained to return what they are given."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sknn_basics.modules.dense import DenseNetwork
from sknn_basics.modules.layers import ClippedNoise, MaskingNoise, NormalSampling, make_activation

NOISES = {"gaussian": ClippedNoise, "mask": MaskingNoise}


class AutoencoderNetwork(nn.Module):
    """Encoder and decoder: (n_samples, ...) -> (n_samples, n_features).

    Parameters
    ----------
    encoder : nn.Module
        Maps inputs to latent variables.
    decoder : nn.Module
        Maps latent variables of shape (n_samples, n_latents) to raw outputs of shape
        (n_samples, n_features), the flattened reconstruction.
    noise : nn.Module or None, default=None
        What corrupts the inputs while training.
    appends_latents : bool, default=False
        Whether the output continues with the flattened latent variables, for a loss that looks at
        them.
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
        """Compute latent variables of shape (n_samples, n_latents)."""
        return self.encoder(x).flatten(1)

    def decode(self, latents: Tensor) -> Tensor:
        """Compute raw outputs of shape (n_samples, n_features)."""
        return self.decoder(latents)

    def forward(self, x: Tensor) -> Tensor:
        latents = self.encode(self.noise(x) if hasattr(self, "noise") else x)
        reconstruction = self.decode(latents)
        return torch.cat([reconstruction, latents], 1) if self.appends_latents else reconstruction


class VariationalNetwork(nn.Module):
    """Encoder of normal distributions, and decoder of draws from them.

    (n_samples, ...) -> (n_samples, n_features + 2 * n_latents): the flattened reconstruction, the
    means and the log-variances.

    Parameters
    ----------
    encoder : nn.Module
        Maps inputs to means and log-variances of the latent variables, (n_samples, 2 * n_latents).
    decoder : nn.Module
        Maps latent variables to raw outputs of shape (n_samples, n_features).
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module):
        super().__init__()
        self.encoder, self.sampling, self.decoder = encoder, NormalSampling(), decoder

    def distribution(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute means and log-variances of the latent variables."""
        return self.encoder(x).chunk(2, dim=1)

    def encode(self, x: Tensor) -> Tensor:
        """Compute the means of the latent variables."""
        return self.distribution(x)[0]

    def decode(self, latents: Tensor) -> Tensor:
        """Compute raw outputs of shape (n_samples, n_features)."""
        return self.decoder(latents)

    def forward(self, x: Tensor) -> Tensor:
        distribution = self.encoder(x)
        return torch.cat([self.decode(self.sampling(distribution)), distribution], 1)


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
    *,
    latent_activation: str | type[nn.Module],
    noise: Sequence | None,
    tied_weights: bool,
    appends_latents: bool,
    **structure,
) -> AutoencoderNetwork:
    """Make an autoencoder of dense networks, with unset weights.

    Parameters
    ----------
    latent_activation : str or nn.Module class
        Activation of the latent variables.
    noise : sequence of (str, float, ...) or None
        Name in `NOISES` and arguments of what corrupts the inputs.
    tied_weights : bool
        Whether the decoder has the transposed weights of the encoder.
    appends_latents : bool
        Whether the output continues with the latent variables.
    **structure
        Arguments of `dense_halves`.
    """
    encoder, decoder = dense_halves(**structure)
    encoder.add_module("output_activation", make_activation(latent_activation))
    if tied_weights:
        tie(encoder, decoder)
    noise = None if noise is None else NOISES[noise[0]](*noise[1:])
    return measured(AutoencoderNetwork(encoder, decoder, noise, appends_latents))


def dense_variational(**structure) -> VariationalNetwork:
    """Make a variational autoencoder of dense networks, with unset weights.

    Parameters
    ----------
    **structure
        Arguments of `dense_halves`.
    """
    return measured(VariationalNetwork(*dense_halves(**structure, n_heads=2)))


def dense_halves(
    n_features: int,
    hidden_layer_sizes: Sequence[int],
    n_components: int,
    decoder_layer_sizes: Sequence[int],
    *,
    activation: str | type[nn.Module],
    normalization: str | None,
    dropout: Sequence[float],
    max_norm: float | None,
    n_heads: int = 1,
) -> tuple[DenseNetwork, DenseNetwork]:
    """Make a dense encoder and a dense decoder.

    Parameters
    ----------
    n_features, n_components : int
        Number of features and of latent variables.
    hidden_layer_sizes, decoder_layer_sizes : sequence of int
        Number of units of each hidden layer, of the encoder and of the decoder.
    activation : str or nn.Module class
        Activation of the hidden layers.
    normalization : {'batch', 'layer'} or None
        Normalization between a hidden layer's linear part and its activation.
    dropout : sequence of float
        Dropout probability after each hidden layer, the encoder's first.
    max_norm : float or None
        Largest norm of the weights into a hidden unit.
    n_heads : int, default=1
        Number of values that the encoder computes for each latent variable.
    """
    n_hidden = len(hidden_layer_sizes)
    options = {"activation": activation, "normalization": normalization, "max_norm": max_norm}
    n_outputs = n_heads * n_components
    encoder = DenseNetwork(
        n_features, hidden_layer_sizes, n_outputs, dropout=dropout[:n_hidden], **options
    )
    decoder = dense_decoder(
        n_features, n_components, decoder_layer_sizes, dropout=dropout, **options
    )
    return encoder, decoder


def dense_decoder(
    n_features: int,
    n_components: int,
    decoder_layer_sizes: Sequence[int],
    *,
    dropout: Sequence[float],
    activation: str | type[nn.Module],
    normalization: str | None,
    max_norm: float | None,
    **structure,
) -> DenseNetwork:
    """Make the decoder alone, of the arguments of a whole autoencoder."""
    return DenseNetwork(
        n_components,
        decoder_layer_sizes,
        n_features,
        dropout=dropout[len(dropout) - len(decoder_layer_sizes) :],
        activation=activation,
        normalization=normalization,
        max_norm=max_norm,
    )


def measured(network: nn.Module) -> nn.Module:
    """Tell a dense autoencoder what its passes take."""
    # Tied layers use a weight again.
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear | TiedLinear)]
    network.n_multiplications = sum(layer.weight.numel() for layer in layers)
    # Latent variables are small, but not what they are decoded into.
    network.largest_output = max(len(layer.bias) for layer in layers)
    return network


def tie(encoder: nn.Sequential, decoder: nn.Sequential) -> None:
    """Give the linear layers of a decoder the transposed weights of the mirrored encoder."""
    sources = [layer for layer in encoder if isinstance(layer, nn.Linear)]
    names = [name for name, layer in decoder.named_children() if isinstance(layer, nn.Linear)]
    for name, source in zip(names, reversed(sources), strict=True):
        setattr(decoder, name, TiedLinear(source))


def own_weights_as_arrays(decoder: nn.Module) -> dict[str, np.ndarray]:
    """Copy the parameters and buffers of a decoder, those that it shares with its encoder too."""
    tensors = decoder.state_dict()
    for name, layer in decoder.named_modules():
        if isinstance(layer, TiedLinear):
            tensors[f"{name}.weight"] = layer.weight
    return {name: tensor.numpy(force=True).copy() for name, tensor in tensors.items()}
