"""Generators and discriminators: networks that play against each other."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from math import prod

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from sknn_basics.modules.dense import DenseNetwork
from sknn_basics.modules.layers import Linear, make_activation

# Share of the present batch in the running mean of `BatchVariety`.
NEW_SHARE = 0.1

LATENTS = ("uniform", "symmetric", "normal")


def draw_latents(
    latent: str | Callable, n_samples: int, n_components: int, generator: torch.Generator
) -> Tensor:
    """Draw latent variables of shape (n_samples, n_components).

    Parameters
    ----------
    latent : {'uniform', 'symmetric', 'normal'} or callable
        From [0, 1), from [-1, 1), from the unit normal, or what a function
        ``(n_samples, n_components, generator)`` makes.
    n_samples, n_components : int
        Shape of the draw.
    generator : torch.Generator
        Source of the draw, and its device.

    Raises
    ------
    ValueError
        If the function makes something of another shape, or not finite.
    """
    shape = n_samples, n_components
    if latent == "normal":
        return torch.randn(shape, generator=generator, device=generator.device)
    if isinstance(latent, str):
        drawn = torch.rand(shape, generator=generator, device=generator.device)
        return drawn if latent == "uniform" else 2 * drawn - 1
    drawn = torch.as_tensor(latent(n_samples, n_components, generator), device=generator.device)
    if tuple(drawn.shape) != shape or not drawn.isfinite().all():
        what = "values that are not finite" if tuple(drawn.shape) == shape else tuple(drawn.shape)
        raise ValueError(f"latent must make finite latent variables of shape {shape}, got {what}.")
    return drawn


class BatchVariety(nn.Module):
    """Append to the features of a batch how much they vary within it: (n, k) -> (n, k + 1).

    It is the standard deviation over the batch, averaged over features. In evaluation, where what
    is told of a sample must not depend on the others, it is the running mean of what it was in
    training.

    References
    ----------
    Karras, Aila, Laine and Lehtinen. "Progressive growing of GANs for improved quality, stability,
    and variation." ICLR 2018.
    """

    def __init__(self):
        super().__init__()
        self.track_running_stats = True
        self.register_buffer("running_variety", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        variety = self.running_variety
        if self.training and len(x) > 1:
            variety = (x.var(0, unbiased=False) + 1e-8).sqrt().mean()
            if self.track_running_stats:
                self.running_variety.lerp_(variety.detach(), NEW_SHARE)
        return torch.cat([x, variety.expand(x.shape[0], 1)], 1)


class SpectralNorm(nn.Module):
    """A linear or convolutional layer whose weight is divided by its largest singular value.

    The value is estimated by one step of the power method for each pass in training.

    References
    ----------
    Miyato, Kataoka, Koyama and Yoshida. "Spectral normalization for generative adversarial
    networks." ICLR 2018.
    """

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer, self.track_running_stats = layer, True
        self.register_buffer("direction", F.normalize(torch.ones(len(layer.weight)), dim=0))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.layer.weight
        return functional_call(self.layer, {"weight": weight / self.largest(weight.flatten(1))}, x)

    def largest(self, matrix: Tensor) -> Tensor:
        """Estimate the largest singular value, with a gradient."""
        with torch.no_grad():
            right = F.normalize(matrix.T @ self.direction, dim=0)
            left = F.normalize(matrix @ right, dim=0)
            if self.training and self.track_running_stats:
                self.direction.copy_(left)
        return left @ matrix @ right + torch.finfo(matrix.dtype).tiny


def normalise_spectrally(module: nn.Module) -> None:
    """Put every layer with a weight matrix into a `SpectralNorm`."""
    for name, layer in list(module.named_children()):
        weight = getattr(layer, "weight", None)
        if isinstance(weight, nn.Parameter) and weight.ndim > 1:
            setattr(module, name, SpectralNorm(layer))
        else:
            normalise_spectrally(layer)


class Discriminator(nn.Module):
    """(n_samples, ...) -> (n_samples, 1), the logit of how likely a sample is a real one.

    Parameters
    ----------
    body : nn.Module
        Makes features of shape (n_samples, n_features) of samples.
    n_features : int
        Number of these features.
    layout : nn.Module or None, default=None
        What brings samples into the layout that the body reads.
    batch_variety : bool, default=False
        Whether the features continue with those of `BatchVariety`.
    spectral_normalization : bool, default=False
        Whether all layers are those of `SpectralNorm`.
    """

    def __init__(
        self,
        body: nn.Module,
        n_features: int,
        layout: nn.Module | None = None,
        *,
        batch_variety: bool = False,
        spectral_normalization: bool = False,
    ):
        super().__init__()
        if layout is not None:
            self.layout = layout
        self.body = body
        if batch_variety:
            self.variety = BatchVariety()
        self.output = Linear(n_features + batch_variety, 1)
        if spectral_normalization:
            normalise_spectrally(self)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        x = self.layout(x) if hasattr(self, "layout") else x
        if condition is not None:
            x = append_condition(x, condition)
        features = self.body(x)
        return self.output(self.variety(features) if hasattr(self, "variety") else features)


class GivenDiscriminator(nn.Module):
    """A module of the user as discriminator: (n_samples, ...) -> (n_samples, 1)."""

    def __init__(self, body: nn.Module, layout: nn.Module | None = None):
        super().__init__()
        if layout is not None:
            self.layout = layout
        self.body = body

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        x = self.layout(x) if hasattr(self, "layout") else x
        logits = self.body(x if condition is None else append_condition(x, condition))
        return logits.reshape(x.shape[0], 1)


def append_condition(x: Tensor, condition: Tensor) -> Tensor:
    """Append to features, or to the channels of images, one constant for each class."""
    condition = condition.to(x.dtype).view(*condition.shape, *[1] * (x.ndim - 2))
    return torch.cat([x, condition.expand(-1, -1, *x.shape[2:])], 1)


class AdversarialNetwork(nn.Module):
    """Generator and discriminator: (n_samples, ...) -> (n_samples, 1), what the latter says.

    Parameters
    ----------
    generator : nn.Module
        Maps latent variables, and classes after them, to samples of shape (n_samples, n_features).
    discriminator : nn.Module
        Maps samples, and classes as a second argument, to logits of shape (n_samples, 1).
    n_classes : int, default=0
        Number of classes; 0 for samples without any.
    is_averaged : bool, default=False
        Whether samples are made with the running average of the generator's weights.

    Attributes
    ----------
    average : nn.Module
        The generator with these weights, if there are any.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        n_classes: int = 0,
        is_averaged: bool = False,
    ):
        super().__init__()
        self.generator, self.discriminator, self.n_classes = generator, discriminator, n_classes
        if is_averaged:
            self.average = deepcopy(generator).requires_grad_(False)

    @property
    def sampler(self) -> nn.Module:
        """The generator that makes samples: the averaged one, if there is any."""
        return self.average if hasattr(self, "average") else self.generator

    @torch.no_grad()
    def follow(self, decay: float) -> None:
        """Move the average towards the generator."""
        for mean, new in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            mean.lerp_(new, 1 - decay)
        for mean, new in zip(self.average.buffers(), self.generator.buffers(), strict=True):
            mean.copy_(new)

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        if condition is None and self.n_classes:
            condition = x.new_full((x.shape[0], self.n_classes), 1 / self.n_classes)
        return self.discriminator(x, condition)


def one_hot(classes: Tensor, n_classes: int, dtype: torch.dtype) -> Tensor:
    """Write numbers of classes as rows of zeros with a one."""
    return F.one_hot(classes, n_classes).to(dtype)


def with_slope(activation: str | Callable, negative_slope: float) -> str | Callable:
    """Give 'leaky_relu' its slope, and leave any other activation as it is."""
    return partial(nn.LeakyReLU, negative_slope) if activation == "leaky_relu" else activation


def dense_generator(
    *,
    n_features: int,
    n_components: int,
    n_classes: int,
    generator_layer_sizes: Sequence[int],
    generator_activation: str | type[nn.Module],
    negative_slope: float,
    normalization: str | None,
    out_activation: str,
    generator: nn.Module | None = None,
    **structure,
) -> nn.Module:
    """Make the generator of a dense GAN, with unset weights, of the arguments of the whole."""
    if generator is not None:
        return nn.Sequential(deepcopy(generator), nn.Flatten())
    network = DenseNetwork(
        n_components + n_classes,
        generator_layer_sizes,
        n_features,
        activation=with_slope(generator_activation, negative_slope),
        normalization=normalization,
    )
    network.add_module("output_activation", make_activation(out_activation))
    return network


def dense_gan(
    *,
    discriminator_layer_sizes: Sequence[int],
    activation: str | type[nn.Module],
    discriminator_normalization: str | None,
    dropout: Sequence[float],
    batch_variety: bool,
    spectral_normalization: bool,
    is_averaged: bool,
    discriminator: nn.Module | None = None,
    **structure,
) -> AdversarialNetwork:
    """Make generator and discriminator of dense networks, with unset weights.

    Parameters
    ----------
    n_features, n_components, n_classes : int
        Number of features, of latent variables, and of classes, which may be 0.
    generator_layer_sizes, discriminator_layer_sizes : sequence of int
        Number of units of each hidden layer.
    activation, generator_activation : str or nn.Module class
        Activations of the hidden layers, of the discriminator and of the generator.
    negative_slope : float
        Of 'leaky_relu'.
    normalization, discriminator_normalization : {'batch', 'layer'} or None
        Normalizations in the hidden layers, of the generator and of the discriminator.
    out_activation : str
        Activation of the generator's output.
    dropout : sequence of float
        Dropout probability after each hidden layer of the discriminator.
    batch_variety, spectral_normalization
        See `Discriminator`.
    is_averaged : bool
        See `AdversarialNetwork`.
    generator, discriminator : nn.Module or None
        What stands in their places, and is copied.
    """
    n_classes = structure["n_classes"]
    n_inputs = structure["n_features"] + n_classes
    if discriminator is not None:
        judge: nn.Module = GivenDiscriminator(deepcopy(discriminator))
    else:
        body = DenseNetwork(
            n_inputs,
            discriminator_layer_sizes,
            1,
            activation=with_slope(activation, structure["negative_slope"]),
            normalization=discriminator_normalization,
            dropout=dropout,
        )
        del body.output
        judge = Discriminator(
            body,
            [n_inputs, *discriminator_layer_sizes][-1],
            batch_variety=batch_variety,
            spectral_normalization=spectral_normalization,
        )
    return measured(AdversarialNetwork(dense_generator(**structure), judge, n_classes, is_averaged))


def check_given(network: AdversarialNetwork, n_inputs: int, sample_shape: Sequence[int]) -> None:
    """Check that modules of the user make samples of latent variables, and logits of samples.

    Raises
    ------
    ValueError
        If one does not; the message names it.
    """
    n_features, n_classes = prod(sample_shape), network.n_classes
    classes = f" and {n_classes} classes" if n_classes else ""
    of_latents = (
        f"{n_inputs - n_classes} latent variables{classes} to {n_features} values per sample"
    )
    of_samples = f"samples of shape {tuple(sample_shape)}{classes} to one logit each"
    parameter, mode = next(network.parameters()), network.training
    network.eval()
    for name, module, shape, n_outputs, purpose in (
        ("generator", network.generator, (n_inputs,), n_features, of_latents),
        ("discriminator", network, tuple(sample_shape), 1, of_samples),
    ):
        try:
            with torch.no_grad():
                output = module(parameter.new_zeros(2, *shape))
        except RuntimeError as error:
            raise ValueError(f"{name} must map {purpose}: {error}") from error
        if tuple(output.shape) != (2, n_outputs):
            raise ValueError(f"{name} must map {purpose}, got shape {tuple(output.shape)}.")
    network.train(mode)


def measured(network: AdversarialNetwork) -> AdversarialNetwork:
    """Tell a network what its passes take."""
    halves = network.generator, network.discriminator
    # The outermost part of a half that knows it counts its own parts too.
    network.n_multiplications = sum(
        max(getattr(part, "n_multiplications", 0) for part in half.modules())
        or sum(p.numel() for p in half.parameters())
        for half in halves
    )
    network.largest_output = max(
        getattr(part, "largest_output", 0) for half in halves for part in half.modules()
    )
    return network
