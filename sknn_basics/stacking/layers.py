"""Networks of one structure, computed as one network with a further first dimension."""

from collections.abc import Iterable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from sknn_basics.modules.autoencoder import AutoencoderNetwork, VariationalNetwork
from sknn_basics.modules.conv import CONVOLUTIONS, POOLINGS
from sknn_basics.modules.conv_autoencoder import TRANSPOSED, ImageOutput
from sknn_basics.modules.dense import DenseNetwork
from sknn_basics.modules.images import ChannelScale, ImageInput
from sknn_basics.modules.layers import (
    ACTIVATIONS,
    NORMALIZATIONS,
    Dropout,
    GaussianNoise,
    RandomLayer,
    RReLU,
    below,
)
from sknn_basics.modules.recurrent import RecurrentNetwork
from sknn_basics.modules.recurrent_autoencoder import RecurrentAutoencoderNetwork, Repeat, SwapAxes
from sknn_basics.modules.shapes import Crop, Reshape, Upsample, ZeroPad
from sknn_basics.stacking.linear import IN_PLACE, Layer, LinearLayers, Memory, runs
from sknn_basics.stacking.recurrent import (
    OwnRows,
    StackedRandomLayer,
    StackedRecurrent,
    layers_of,
    names_of_layers,
)

AUTOENCODERS = {AutoencoderNetwork, RecurrentAutoencoderNetwork, VariationalNetwork}

CONVOLUTION = (*CONVOLUTIONS.values(), *TRANSPOSED.values())

# Layers that `vmap` runs for all members at once, with each member's own parameters.
MAPPED = {
    *CONVOLUTION,
    *NORMALIZATIONS.values(),
    nn.PReLU,
}

# Layers that act on every value, or along the last dimension, alike for all members.
SHARED = {type(make()) for make in ACTIVATIONS.values()} - MAPPED

# What each member of a block may have in place of another's activation.
ANY_ACTIVATION = SHARED - {RReLU}

# Random layers of dense networks, and the draw that leaves a value as it is.
NEUTRAL = {Dropout: 1.0, GaussianNoise: 0.0}

# Layers that treat each sample alike, whatever its member.
SAMPLEWISE = {
    ChannelScale,
    Crop,
    ImageInput,
    ImageOutput,
    Repeat,
    Reshape,
    SwapAxes,
    Upsample,
    ZeroPad,
    nn.Flatten,
    nn.Unflatten,
    nn.Upsample,
    *(pool for kinds in POOLINGS.values() for pool in kinds.values()),
}


def unstackable_layer(module: nn.Module) -> str | None:
    """Name the first layer that `stack_layers` does not know, if any."""
    if type(module) in AUTOENCODERS:
        return unstackable_layer(module.encoder) or unstackable_layer(module.decoder)
    if isinstance(module, RecurrentNetwork):
        return StackedRecurrent.unstackable_layer(module)
    if not isinstance(module, nn.Sequential):
        return type(module).__name__
    for layer in module:
        if isinstance(layer, RecurrentNetwork) and (name := unstackable_layer(layer)):
            return name
        if getattr(layer, "augmentation", None) is not None:
            return "augmentation"
        if not _is_known(layer):
            return type(layer).__name__
    return None


def _is_known(layer: nn.Module) -> bool:
    kinds = nn.Linear | RandomLayer | RecurrentNetwork
    if isinstance(layer, kinds) or type(layer) in {*MAPPED, *SAMPLEWISE, nn.GroupNorm}:
        return True
    # A softmax without a dimension chooses it by the number of dimensions.
    return type(layer) in SHARED and getattr(layer, "dim", -1) == -1


def has_convolutions(module: nn.Module) -> bool:
    """Tell whether a network convolves images."""
    return any(isinstance(layer, CONVOLUTION) for layer in module.modules())


def stack_layers(
    modules: Sequence[nn.Module], tensors: dict[str, Tensor], rows: OwnRows
) -> list[Layer]:
    """Make the layers of a block: tensors of shape (n_members, n_samples, ...) to the same.

    Parameters
    ----------
    modules : sequence of nn.Module
        Networks of one structure: of layers in sequence, recurrent ones, or autoencoders of such
        halves. Any may lack layers that only draw.
    tensors : dict
        Their parameters and buffers by name, stacked along a new first dimension.
    rows : OwnRows
        Which samples of a step are whose.
    """
    first = modules[0]
    if isinstance(first, RecurrentNetwork):
        return [StackedRecurrent(modules, tensors, rows)]
    if isinstance(first, nn.Sequential):
        return _stack_sequence(modules, tensors, rows)
    encoder, decoder = (
        _stack_sequence(layers_of(half, modules), below(half, tensors), rows)
        for half in ("encoder", "decoder")
    )
    if isinstance(first, VariationalNetwork):
        sampling = layers_of("sampling", modules)
        sampling = _stack_layer(sampling, below("sampling", tensors), rows)
        return [*encoder, lambda x: torch.cat([apply([sampling, *decoder], x), x], -1)]
    if first.appends_latents:
        decoder = [lambda x, layers=decoder: torch.cat([apply(layers, x), x], -1)]
    noise = layers_of("noise", modules)
    noise = [_stack_layer(noise, below("noise", tensors), rows)] if any(noise) else []
    return [*noise, *encoder, *decoder]


def apply(layers: Iterable[Layer], x: Tensor) -> Tensor:
    """Apply layers one after the other."""
    for layer in layers:
        x = layer(x)
    return x


def _stack_sequence(
    modules: Sequence[nn.Sequential], tensors: dict[str, Tensor], rows: OwnRows
) -> list[Layer]:
    places = [(name, layers_of(name, modules)) for name in names_of_layers(modules)]
    layers, widths, is_done = [], [None] * len(modules), False
    for i, (name, own) in enumerate(places):
        if is_done:
            is_done = False
        elif isinstance(own[0], nn.Linear):
            following = [type(layer) for layer in places[i + 1][1]] if i + 1 < len(places) else []
            is_done = bool(following) and {*following} <= {*IN_PLACE, nn.Identity}
            layers.append(LinearLayers(below(name, tensors), following if is_done else None))
            widths = [layer.out_features for layer in own]
        elif f"{name}.key" in tensors and len({*widths}) == 1:
            layers.append(StackedRandomLayer(own, below(name, tensors), rows))
        elif _draw_alike(own) and isinstance(modules[0], DenseNetwork):
            layers.append(DrawnLayers(own, rows, widths))
        else:
            layers.append(_stack_layer(own, below(name, tensors), rows))
    return layers


class DrawnLayers:
    """Random layers of dense networks: each draws as it does alone, and all are applied at once.

    Parameters
    ----------
    layers : sequence of RandomLayer or None
        The layer of each member, if it has one: all of one class, one of `NEUTRAL`.
    rows : OwnRows
        Which samples of a step are whose.
    widths : sequence of int or None
        How many of the units are each member's own; None for all.
    """

    def __init__(
        self, layers: Sequence[RandomLayer | None], rows: OwnRows, widths: Sequence[int | None]
    ):
        self.layers, self.rows, self.widths = layers, rows, widths
        self.first = next(layer for layer in layers if layer is not None)
        self.memory = Memory()

    def __call__(self, x: Tensor) -> Tensor:
        n_members, n_samples, _ = x.shape
        counts = self.rows.counts or [n_samples] * n_members
        drawn = self.memory.take("drawn", x, *x.shape)
        drawn.fill_(NEUTRAL[type(self.first)])
        for own, layer, count, width in zip(drawn, self.layers, counts, self.widths):
            if layer is not None:
                place = own[:count, :width]
                place.copy_(layer.draw(self.memory.take("like", x, *place.shape)))
        return self.first.apply_draw(x, drawn)


def _draw_alike(layers: Sequence[nn.Module | None]) -> bool:
    kinds = {type(layer) for layer in layers if layer is not None}
    return len(kinds) == 1 and kinds <= NEUTRAL.keys()


def _stack_layer(
    layers: list[nn.Module | None], tensors: dict[str, Tensor], rows: OwnRows
) -> Layer:
    first = layers[0]
    if isinstance(first, RecurrentNetwork):
        return StackedRecurrent(layers, tensors, rows)
    if any(isinstance(layer, RandomLayer) for layer in layers):
        return StackedRandomLayer(layers, tensors, rows)
    if type(first) in SAMPLEWISE:
        return lambda x: first(x.flatten(0, 1)).unflatten(0, x.shape[:2])
    if isinstance(first, nn.GroupNorm):
        return partial(_normalize_groups, first.num_groups, first.eps, tensors)
    if not tensors:
        options = [(type(layer), layer.extra_repr()) for layer in layers]
        kinds = [(own, layers[own.start]) for own, _ in runs(options)]
        return first if len(kinds) == 1 else partial(_apply_kinds, kinds)
    if isinstance(first, CONVOLUTION):
        # Without the ways of this package's own layers, for which `vmap` has no rule.
        mapped = vmap(lambda own, x: first._conv_forward(x, own["weight"], own.get("bias")))
    else:
        mapped = vmap(lambda own, x: functional_call(first, own, (x,)))
    return lambda x: mapped(tensors, x)


def _apply_kinds(kinds: list[tuple[slice, nn.Module]], x: Tensor) -> Tensor:
    """Apply to each slice of the members a layer of its own."""
    parts = x.split([members.stop - members.start for members, _ in kinds])
    # Some overwrite what they are given, which a part of a split must not be.
    return torch.cat(
        [
            layer(part.clone() if getattr(layer, "inplace", False) else part)
            for (_, layer), part in zip(kinds, parts)
        ]
    )


def _normalize_groups(n_groups: int, eps: float, tensors: dict[str, Tensor], x: Tensor) -> Tensor:
    """Normalize groups of channels, for which `vmap` has no rule."""
    normal = nn.functional.group_norm(x.flatten(0, 1), n_groups, eps=eps).view_as(x)
    shape = (len(x), 1, -1, *[1] * (x.ndim - 3))
    return normal * tensors["weight"].view(shape) + tensors["bias"].view(shape)
