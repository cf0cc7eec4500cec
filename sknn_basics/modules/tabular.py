"""Networks for tables, side by side: the forward pass of all members of an ensemble."""

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from sknn_basics._compat import once_differentiable, selu_gradient
from sknn_basics.modules.layers import draw_bits

# Learning rates and decays next to those of the weights, by kind of parameter.
FACTORS = {"weight": 1.0, "scale": 6.0, "bias": 0.1, "slope": 0.1, "wave": 0.1, "level": 1.0}
N_WAVES, N_OF_NUMBER, N_OF_CATEGORY = 16, 3, 8


class TabularNetworks(nn.Module):
    """Multi-layer perceptrons for tables, one a member, with embeddings of numbers and categories.

    All parameters of a member are one row of `rows`, and the layers are views of it: one operation
    updates, copies or drops all of a member's parameters.

    Parameters
    ----------
    n_members : int
        Number of networks.
    n_numbers : int
        Number of columns, the first ones of the inputs, that get periodic embeddings.
    n_inputs : int
        Number of columns.
    n_levels : sequence of int
        Number of levels of each column of categories that gets a learned embedding.
    hidden_layer_sizes : sequence of int
        Numbers of units.
    n_outputs : int
        Number of outputs.

    References
    ----------
    Holzmüller, Grinsztajn and Steinwart. "Better by default: strong pre-tuned MLPs and boosted
    trees on tabular data." NeurIPS 2024.

    Gorishniy, Rubachev and Babenko. "On embeddings for numerical features in tabular deep
    learning." NeurIPS 2022.
    """

    def __init__(self, n_members, n_numbers, n_inputs, n_levels, hidden_layer_sizes, n_outputs):
        super().__init__()
        self.n_numbers, self.n_levels = n_numbers, list(n_levels)
        self.register_buffer(
            "offsets", torch.tensor([0, *itertools.accumulate(n_levels)][:-1]), persistent=False
        )
        self.shapes = self._lay_out(n_numbers, n_inputs, hidden_layer_sizes, n_outputs)
        self.n_layers = len(hidden_layer_sizes) + 1
        self.rows = nn.Parameter(torch.zeros(n_members, sum(self._sizes())))

    def _lay_out(self, n_numbers, n_inputs, hidden_layer_sizes, n_outputs) -> dict:
        """Name the kind and the shape of each layer's parameters."""
        n_expanded = n_inputs + n_numbers * N_OF_NUMBER + len(self.n_levels) * N_OF_CATEGORY
        shapes = {
            "frequency": ("wave", (n_numbers, 1, N_WAVES)),
            "phase": ("wave", (n_numbers, 1, N_WAVES)),
            "mixing": ("wave", (n_numbers, N_WAVES, N_OF_NUMBER)),
            "shift": ("wave", (n_numbers, 1, N_OF_NUMBER)),
            "levels": ("level", (sum(self.n_levels), N_OF_CATEGORY)),
            "scale": ("scale", (1, n_expanded)),
        }
        sizes = [n_expanded, *hidden_layer_sizes, n_outputs]
        for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
            shapes[f"weight{i}"] = ("weight", (n_in, n_out))
            shapes[f"bias{i}"] = ("bias", (1, n_out))
            if i < len(hidden_layer_sizes):
                shapes[f"slope{i}"] = ("slope", (1, n_out))
        return shapes

    def _sizes(self) -> list[int]:
        return [math.prod(shape) for _, shape in self.shapes.values()]

    @property
    def n_members(self) -> int:
        """Number of networks."""
        return len(self.rows)

    def layers(self) -> dict[str, Tensor]:
        """Cut the rows into the layers' parameters, of shape (n_members, ...)."""
        pieces = self.rows.split(self._sizes(), dim=1)
        return {
            name: piece.unflatten(1, shape)
            for piece, (name, (_, shape)) in zip(pieces, self.shapes.items())
        }

    @torch.no_grad()
    def draw(self, generator: torch.Generator, frequency_scales: Tensor) -> None:
        """Draw initial weights; the outputs begin with zeros.

        Parameters
        ----------
        generator : torch.Generator
            Draws them, on the CPU.
        frequency_scales : Tensor of shape (n_members,)
            Standard deviation of each member's frequencies, in periods per unit of a number.
        """
        for name, layer in self.layers().items():
            kind, shape = self.shapes[name]
            if kind in ("scale", "slope"):
                layer.fill_(1.0)
            elif name == "frequency":
                drawn = torch.randn(layer.shape, generator=generator)
                layer.copy_(drawn * frequency_scales[:, None, None, None] * 2 * math.pi)
            elif name == "phase":
                layer.copy_((torch.rand(layer.shape, generator=generator) * 2 - 1) * math.pi)
            elif kind == "wave":
                drawn = torch.rand(layer.shape, generator=generator) * 2 - 1
                layer.copy_(drawn / math.sqrt(N_WAVES))
            elif not name.endswith(str(self.n_layers - 1)):
                n_in = shape[0] if kind == "weight" else 1
                layer.copy_(torch.randn(layer.shape, generator=generator) / math.sqrt(max(n_in, 1)))

    def factors(self) -> tuple[Tensor, Tensor]:
        """Give what multiplies each parameter's learning rate and decay.

        That of the weights is divided by the root of the number of inputs, which is what the
        neural tangent parametrisation amounts to under Adam.
        """
        rates, decays = [], []
        for name, (kind, shape) in self.shapes.items():
            n_in = shape[0] if kind == "weight" else 1
            rate = FACTORS[kind] / math.sqrt(max(n_in, 1))
            rate *= 2 * math.pi if name == "frequency" else 1
            rates.append(torch.full((math.prod(shape),), rate))
            decays.append(torch.full((math.prod(shape),), FACTORS[kind] * (kind != "bias")))
        return torch.cat(rates), torch.cat(decays)

    def forward(
        self,
        x: Tensor,
        codes: Tensor | None = None,
        dropout: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Compute outputs of shape (n_members, n_samples, n_outputs).

        Parameters
        ----------
        x : Tensor of shape (n_members, n_samples, n_inputs)
            Columns of numbers.
        codes : Tensor of shape (n_members, n_samples, n_columns), default=None
            Levels of the columns with learned embeddings.
        dropout : Tensor of shape (n_members,), default=None
            Share of hidden units that are left out, of each member.
        generator : torch.Generator, default=None
            Draws the units.
        """
        layers = self.layers()
        x = self._embed(x, codes, layers) * layers["scale"]
        for i in range(self.n_layers):
            x = torch.baddbmm(layers[f"bias{i}"], x, layers[f"weight{i}"])
            if i < self.n_layers - 1:
                is_kept = None if dropout is None else kept_units(x, dropout, generator)
                x = ScaledSELU.apply(x, layers[f"slope{i}"], is_kept)
        return x

    def _embed(self, x: Tensor, codes: Tensor | None, layers: dict[str, Tensor]) -> Tensor:
        """Put periodic features of numbers and embeddings of categories after the columns."""
        parts = [x]
        if self.n_numbers:
            numbers = x[..., : self.n_numbers].transpose(1, 2).unsqueeze(3)
            waves = Waves.apply(numbers, layers["frequency"], layers["phase"], layers["mixing"])
            parts.append((waves + layers["shift"]).transpose(1, 2).flatten(2))
        if self.n_levels:
            index = (codes + self.offsets).flatten(1).unsqueeze(2)
            rows = layers["levels"].gather(1, index.expand(-1, -1, N_OF_CATEGORY))
            parts.append(rows.unflatten(1, codes.shape[1:]).flatten(2))
        return torch.cat(parts, 2)


class Waves(torch.autograd.Function):
    """Cosines of numbers, mixed, with nothing computed twice: they are most of a step's time."""

    @staticmethod
    def forward(ctx, numbers, frequency, phase, mixing):
        angle = torch.addcmul(phase, numbers, frequency)
        wave = angle.cos()
        ctx.save_for_backward(numbers, angle, wave, mixing)
        return torch.matmul(wave, mixing)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        numbers, angle, wave, mixing = ctx.saved_tensors
        grad_angle = torch.matmul(grad, mixing.transpose(-1, -2).neg()).mul_(angle.sin())
        factors = torch.cat([numbers, torch.ones_like(numbers)], -1).transpose(-1, -2)
        of_frequency, of_phase = torch.matmul(factors, grad_angle).split(1, dim=-2)
        return None, of_frequency, of_phase, torch.matmul(wave.transpose(-1, -2), grad)


class ScaledSELU(torch.autograd.Function):
    """The way from the identity (a slope of 0) to SELU (of 1), with dropout after it."""

    @staticmethod
    def forward(ctx, x, slope, is_kept):
        y = functional.selu(x)
        ctx.save_for_backward(x, y, slope, is_kept)
        output = torch.lerp(x, y, slope)
        return output if is_kept is None else output.mul_(is_kept)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        x, y, slope, is_kept = ctx.saved_tensors
        grad = grad if is_kept is None else grad * is_kept
        of_slope = torch.sub(y, x).mul_(grad).sum(1, keepdim=True)
        return torch.lerp(grad, selu_gradient(grad, y), slope), of_slope, None


def kept_units(x: Tensor, dropout: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draw a mask of dropout like x, of each member's own share, scaled so that its mean is 1."""
    limits = (2**16 * dropout.clamp(max=1 - 2**-16)).round()[:, None, None]
    is_kept = draw_bits(x, generator).view(x.shape) >= (limits - 2**15).to(torch.int16)
    return is_kept.to(x.dtype).mul_(2**16 / (2**16 - limits))
