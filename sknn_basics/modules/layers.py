"""Layers that torch lacks, or that draw at random from a generator of their own."""

from collections.abc import Sequence
from copy import deepcopy
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sknn_basics.modules.draws import draw_normal, draw_short, draw_uniform, lay_out

CPU = torch.device("cpu")

# Of latent variables. Those of a trained encoder's samples lie below 0, the log-variance of their
# prior.
LARGEST_LOG_VARIANCE = 20.0


class Linear(nn.Linear):
    """Linear layer with unset weights; torch's draws them from the global random state."""

    def reset_parameters(self) -> None:
        pass


class RandomLayer(nn.Module):
    """A layer that draws at random while training, from a source of its own.

    Layers of torch draw from the global random state, which a fit must neither read nor touch.

    Attributes
    ----------
    generator : torch.Generator or None
        Source of the draws on a CPU, set by `seed_random_layers`.
    key : Tensor or None
        Source of the draws on any other device (`sknn_basics.modules.draws`); one for each member
        in the layer of a stack.
    factors : tuple of str
        Names of numbers that may differ between the layers of a stack.
    """

    generator: torch.Generator | None = None
    factors: tuple[str, ...] = ()

    def __init__(self):
        super().__init__()
        self.register_buffer("key", None, persistent=False)

    def draw(self, x: Tensor) -> Tensor:
        """Draw what `apply_draw` needs for `x`."""
        raise NotImplementedError

    def apply_draw(self, x: Tensor, drawn: Tensor) -> Tensor:
        """Compute the output for `x` from what was drawn for it."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return self.apply_draw(x, self.draw(x)) if self.training else x

    def factor(self, name: str, x: Tensor) -> float | Tensor:
        """Give one of `factors`, in a form that is broadcast to `x`."""
        value = getattr(self, name)
        if not isinstance(value, Tensor):
            return value
        return value.to(x.dtype).view(-1, *[1] * (x.dim() - 1))

    def uniform(self, x: Tensor, *shape: int) -> Tensor:
        """Draw uniformly from [0, 1), with the shape of `x` or another."""
        shape = shape or x.shape
        if self.key is None:
            return torch.rand(shape, generator=self.generator, dtype=x.dtype, device=x.device)
        return draw_uniform(self.key, shape, x.dtype)

    def normal(self, x: Tensor, *shape: int) -> Tensor:
        """Draw from the unit normal, with the shape of `x` or another."""
        shape = shape or x.shape
        if self.key is None:
            return torch.randn(shape, generator=self.generator, dtype=x.dtype, device=x.device)
        return draw_normal(self.key, shape, x.dtype)


def draw_bits(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draw 16 bits a value of x, as a flat int16: several times faster than uniform floats."""
    bits = torch.empty(-(-x.numel() // 4), dtype=torch.int64, device=x.device)
    bits.random_(-(2**63), None, generator=generator)
    return bits.view(torch.int16)[: x.numel()]


class Dropout(RandomLayer):
    """Set each value to zero with probability `p`, and scale the others by 1 / (1 - p).

    Parameters
    ----------
    p : float in [0, 1)
        Probability of dropping a value.

    References
    ----------
    Srivastava et al. "Dropout: a simple way to prevent neural networks from overfitting."
    Journal of Machine Learning Research 15 (2014): 1929-1958.
    """

    factors = ("p",)

    def __init__(self, p: float):
        super().__init__()
        # What is drawn are bits, which do not tell a larger one from 1.
        self.p = min(p, 1 - 2**-16)

    def draw(self, x: Tensor) -> Tensor:
        return self.draw_kept(x).to(x.dtype).mul_(1 / (1 - self.factor("p", x)))

    def draw_kept(self, x: Tensor) -> Tensor:
        """Draw which values are kept: bools, in the memory order of `x` where there is no key."""
        if self.key is not None:
            drawn = draw_short(self.key, x.numel() // self.key.numel())
            limit = self.factor("p", x) * 2**16 - 2**15
            return lay_out(drawn, x.shape, self.key.dim()) >= limit
        keep = draw_bits(x, self.generator) >= round(self.p * 2**16) - 2**15
        return keep.as_strided(x.shape, torch.empty_like(x, device="meta").stride())

    def apply_draw(self, x: Tensor, drawn: Tensor) -> Tensor:
        return x * drawn

    def extra_repr(self) -> str:
        return f"p={self.p}"


class GaussianNoise(RandomLayer):
    """Add normal noise of standard deviation `std` while training."""

    factors = ("std",)

    def __init__(self, std: float):
        super().__init__()
        self.std = std

    def draw(self, x: Tensor) -> Tensor:
        return self.factor("std", x) * self.normal(x)

    def apply_draw(self, x: Tensor, drawn: Tensor) -> Tensor:
        return x + drawn

    def extra_repr(self) -> str:
        return f"std={self.std}"


class ClippedNoise(GaussianNoise):
    """Add normal noise of standard deviation `std` while training, within [`low`, `high`]."""

    def __init__(self, std: float, low: float, high: float):
        super().__init__(std)
        self.low, self.high = low, high

    def apply_draw(self, x: Tensor, drawn: Tensor) -> Tensor:
        return (x + drawn).clamp(self.low, self.high)


class MaskingNoise(Dropout):
    """Set each value to zero with probability `p` while training, and leave the others alone."""

    def draw(self, x: Tensor) -> Tensor:
        return self.draw_kept(x)


class NormalSampling(RandomLayer):
    """Draw from independent normals while training, given their means and log-variances.

    (n_samples, 2 * n) -> (n_samples, n); in evaluation, the means.

    References
    ----------
    Kingma and Welling. "Auto-encoding variational Bayes." ICLR 2014.
    """

    def draw(self, x: Tensor) -> Tensor:
        return self.normal(x, *x.shape[:-1], x.shape[-1] // 2)

    def apply_draw(self, x: Tensor, drawn: Tensor) -> Tensor:
        mean, log_variance = x.chunk(2, dim=-1)
        return mean + standard_deviation(log_variance) * drawn

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if self.training else x.chunk(2, dim=1)[0]


class RReLU(RandomLayer):
    """Leaky rectifier whose slope is drawn from [`lower`, `upper`) while training."""

    factors = ("lower", "upper")

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3):
        super().__init__()
        self.lower, self.upper = lower, upper

    def draw(self, x: Tensor) -> Tensor:
        lower, upper = self.factor("lower", x), self.factor("upper", x)
        return lower + (upper - lower) * self.uniform(x)

    def apply_draw(self, x: Tensor, drawn: Tensor) -> Tensor:
        return torch.where(x >= 0, x, drawn * x)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return F.leaky_relu(x, (self.lower + self.upper) / 2)
        return super().forward(x)


class BatchNorm(nn.BatchNorm1d):
    """Batch normalization that uses its running statistics for a batch of one sample.

    One sample has no variance: torch raises there, which would break the last batch of an epoch.
    Inputs of shape (n_samples, n_channels, ...) may have any number of dimensions.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        pass

    def forward(self, x: Tensor) -> Tensor:
        if self.training and len(x) > 1:
            return super().forward(x)
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
        )


NORMALIZATIONS = {"batch": BatchNorm, "layer": nn.LayerNorm}

ACTIVATIONS = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "celu": nn.CELU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "hardshrink": nn.Hardshrink,
    "hardsigmoid": nn.Hardsigmoid,
    "hardswish": nn.Hardswish,
    "hardtanh": nn.Hardtanh,
    "leaky_relu": nn.LeakyReLU,
    "log_sigmoid": nn.LogSigmoid,
    "log_softmax": lambda: nn.LogSoftmax(dim=-1),
    "mish": nn.Mish,
    "prelu": nn.PReLU,
    "relu6": nn.ReLU6,
    "rrelu": RReLU,
    "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "softmax": lambda: nn.Softmax(dim=-1),
    "softmin": lambda: nn.Softmin(dim=-1),
    "softplus": nn.Softplus,
    "softshrink": nn.Softshrink,
    "softsign": nn.Softsign,
    "tanhshrink": nn.Tanhshrink,
}


def make_activation(activation: str | type[nn.Module]) -> nn.Module:
    """Make an activation layer from its name in `ACTIVATIONS`, or from its class.

    Raises
    ------
    ValueError
        If the class makes no layer that keeps the shape of its input.
    """
    if isinstance(activation, str):
        return ACTIVATIONS[activation]()
    if activation is nn.RReLU:
        return RReLU()
    try:
        layer = activation()
        keeps_shape = layer.eval()(torch.zeros(2, 4)).shape == (2, 4)
    except Exception as error:
        raise ValueError(f"activation={activation!r} is no class of layers: {error}") from error
    if not keeps_shape or not isinstance(layer, nn.Module):
        raise ValueError(f"activation={activation!r} makes no layer that keeps the shape.")
    return layer.train()


def standard_deviation(log_variance: Tensor) -> Tensor:
    """Compute standard deviations, which stay finite whatever an encoder makes of odd inputs."""
    return torch.exp(0.5 * log_variance.clamp(max=LARGEST_LOG_VARIANCE))


def random_layers(module: nn.Module) -> list[RandomLayer]:
    """List the layers of a module that draw at random while training."""
    return [layer for layer in module.modules() if isinstance(layer, RandomLayer)]


def seed_random_layers(
    module: nn.Module, generator: torch.Generator, device: torch.device = CPU
) -> None:
    """Let every random layer of a module on a device draw from a generator of the CPU.

    On any other device, each draws from a key instead, which is drawn from the generator here.
    """
    for layer in random_layers(module):
        layer.generator, layer.key = generator, None
        if device.type != "cpu":
            layer.key = torch.randint(2**62, (), generator=generator).to(device)


def join_random_layers(layers: Sequence[RandomLayer], key: Tensor) -> RandomLayer:
    """Make the layer of a stack, of those of its members and of their keys side by side."""
    joined = deepcopy(layers[0])
    joined.key = key
    for name in joined.factors:
        values = [getattr(layer, name) for layer in layers]
        if len(set(values)) > 1:
            # Not every device has double precision.
            dtype = torch.float32 if key.device.type == "mps" else torch.float64
            setattr(joined, name, torch.tensor(values, dtype=dtype, device=key.device))
    return joined


@lru_cache(maxsize=256)
def _constant(values: tuple, dtype: torch.dtype, device: torch.device) -> Tensor:
    # What is made in inference could not be used in training.
    with torch.inference_mode(False):
        return torch.tensor(values, dtype=dtype, device=device)


def constant(values: Sequence[float], like: Tensor) -> Tensor:
    """Give numbers as a tensor of the data type and on the device of another, not to be changed.

    On any device but the CPU it is made once: to make it waits for the device.
    """
    values = tuple(values)
    if like.device.type == "cpu":
        return torch.tensor(values, dtype=like.dtype)
    return _constant(values, like.dtype, like.device)


def below(name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give the tensors of the layer of a name, by their names within it."""
    prefix = f"{name}."
    return {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}
