"""Recurrent networks: cells, layers of them, and what stands before and after."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from sknn_basics.modules.conv import Conv2d, Pad, slid_size
from sknn_basics.modules.initialisers import draw_weight
from sknn_basics.modules.layers import Dropout, GaussianNoise, Linear, RandomLayer

State = tuple[Tensor, ...]


def lstm_step(given: Tensor, recalled: Tensor, state: State) -> State:
    """Compute hidden and cell state from the inputs of the gates i, f, g, o."""
    i, f, g, o = (given + recalled).chunk(4, -1)
    _, cell = state
    cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
    return o.sigmoid() * cell.tanh(), cell


def gru_step(given: Tensor, recalled: Tensor, state: State) -> State:
    """Compute the hidden state from the inputs of the gates r, z, n."""
    given_r, given_z, given_n = given.chunk(3, -1)
    recalled_r, recalled_z, recalled_n = recalled.chunk(3, -1)
    reset, update = (given_r + recalled_r).sigmoid(), (given_z + recalled_z).sigmoid()
    new = (given_n + reset * recalled_n).tanh()
    return ((1 - update) * new + update * state[0],)


def rnn_step(given: Tensor, recalled: Tensor, state: State) -> State:
    """Compute the hidden state of a plain cell."""
    return ((given + recalled).tanh(),)


@dataclass(frozen=True)
class Cell:
    """A kind of recurrent cell.

    Attributes
    ----------
    n_gates : int
        Number of gates, each with weights of its own.
    states : tuple of str
        Names of its states; the first one is what it puts out.
    step : callable
        The cell's equation: (W x + b, U h, states) -> states.
    run : callable
        torch's kernel for all steps at once.
    """

    n_gates: int
    states: tuple[str, ...]
    step: Callable[[Tensor, Tensor, State], State]
    run: Callable


CELLS = {
    "lstm": Cell(4, ("hidden", "cell"), lstm_step, torch.lstm),
    "gru": Cell(3, ("hidden",), gru_step, torch.gru),
    "rnn": Cell(1, ("hidden",), rnn_step, torch.rnn_tanh),
}

MERGE_MODES = {
    "concat": lambda forward, backward: torch.cat([forward, backward], -1),
    "sum": torch.add,
    "average": lambda forward, backward: (forward + backward) / 2,
    "product": torch.mul,
}


class RecurrentLayer(RandomLayer):
    """A layer of recurrent cells, with one bias a unit and gate.

    It computes (n_samples, n_steps, n_inputs) -> (n_samples, n_steps, n_outputs), or
    (n_samples, n_outputs) if it returns the last step alone.

    Parameters
    ----------
    cell : {'lstm', 'gru', 'rnn'}
        Kind of cell; gates are in torch's order.
    n_inputs, n_units : int
        Number of values a step, and of cells.
    bidirectional : bool, default=False
        Whether as many cells read each sequence from its end.
    merge_mode : {'concat', 'sum', 'average', 'product'}, default='concat'
        How both directions become one output.
    recurrent_dropout : float, default=0.0
        Probability of dropping a unit's way to the next step; a sequence has one mask.
    returns_sequence : bool, default=True
        Whether the output of every step is returned, or that of the last one: of each direction's
        own last one, that is.
    stateful : bool, default=False
        Whether each sample goes on with the state in which the same row of the preceding batch
        has ended.

    Attributes
    ----------
    state : tuple of Tensor of shape (n_samples, n_units) or None
        Where the last batch has ended, if stateful.

    References
    ----------
    Hochreiter and Schmidhuber. "Long short-term memory." Neural Computation 9.8 (1997): 1735-1780.

    Cho et al. "Learning phrase representations using RNN encoder-decoder for statistical machine
    translation." EMNLP 2014.

    Schuster and Paliwal. "Bidirectional recurrent neural networks." IEEE Transactions on Signal
    Processing 45.11 (1997): 2673-2681.

    Gal and Ghahramani. "A theoretically grounded application of dropout in recurrent neural
    networks." NeurIPS 2016.
    """

    def __init__(
        self,
        cell: str,
        n_inputs: int,
        n_units: int,
        *,
        bidirectional: bool = False,
        merge_mode: str = "concat",
        recurrent_dropout: float = 0.0,
        returns_sequence: bool = True,
        stateful: bool = False,
    ):
        super().__init__()
        self.cell, self.n_inputs, self.n_units = cell, n_inputs, n_units
        self.bidirectional, self.merge_mode = bidirectional, merge_mode
        self.recurrent_dropout = recurrent_dropout
        self.returns_sequence, self.stateful = returns_sequence, stateful
        self.state = None
        self.n_outputs = n_units * (2 if bidirectional and merge_mode == "concat" else 1)
        self.kind = CELLS[cell]
        rows = self.kind.n_gates * n_units
        for suffix in self.directions():
            self.register_parameter(f"weight_ih{suffix}", empty_parameter(rows, n_inputs))
            self.register_parameter(f"weight_hh{suffix}", empty_parameter(rows, n_units))
            self.register_parameter(f"bias{suffix}", empty_parameter(rows))

    def directions(self) -> list[str]:
        """List the suffixes of the parameters' names, one a direction."""
        return ["", "_reverse"] if self.bidirectional else [""]

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Compute the outputs.

        Parameters
        ----------
        x : Tensor of shape (n_samples, n_steps, n_inputs)
            Sequences, which begin at the first step.
        lengths : Tensor of shape (n_samples,) or None
            Number of steps of each; None if it is `n_steps`. Outputs beyond mean nothing.
        """
        if not self.bidirectional:
            output, ends = self.run(x, "", self.resume(x))
            if self.stateful:
                self.remember(ends)
            return output if self.returns_sequence else last_step(output, lengths)
        forward, _ = self.run(x, "", self.resume(x))
        backward, _ = self.run(reverse(x, lengths), "_reverse", self.resume(x))
        if self.returns_sequence:
            backward = reverse(backward, lengths)
        else:
            forward, backward = last_step(forward, lengths), last_step(backward, lengths)
        return MERGE_MODES[self.merge_mode](forward, backward)

    def run(self, x: Tensor, suffix: str, state: State) -> tuple[Tensor, State]:
        """Run one direction over all steps; return its outputs and its last states."""
        if self.training and self.recurrent_dropout:
            states = self.run_stepwise(x, suffix, state)
            return states[0], tuple(values[:, -1] for values in states)
        start = tuple(values.unsqueeze(0) for values in state)
        weights = self.weights(suffix)
        # torch's kernels add a second bias.
        weights.append(torch.zeros_like(weights[-1], requires_grad=False))
        output, *ends = self.kind.run(
            x,
            start if len(start) > 1 else start[0],
            weights,
            has_biases=True,
            num_layers=1,
            dropout=0.0,
            train=self.training,
            bidirectional=False,
            batch_first=True,
        )
        return output, tuple(end[0] for end in ends)

    def run_stepwise(self, x: Tensor, suffix: str, state: State) -> State:
        """Run one direction step by step; return its states at all steps.

        Each has shape (n_samples, n_steps, n_units).
        """
        weight_ih, weight_hh, bias = self.weights(suffix)
        mask = self.draw(state[0]) if self.training and self.recurrent_dropout else None
        states = []
        for given in nn.functional.linear(x, weight_ih, bias).unbind(1):
            hidden = state[0] if mask is None else state[0] * mask
            state = self.kind.step(given, hidden @ weight_hh.T, state)
            states.append(state)
        return tuple(torch.stack(values, 1) for values in zip(*states))

    def draw(self, x: Tensor) -> Tensor:
        kept = self.uniform(x) >= self.recurrent_dropout
        return kept.to(x.dtype) / (1 - self.recurrent_dropout)

    def trace(self, x: Tensor, lengths: Tensor | None = None) -> dict[str, Tensor]:
        """Compute the states of all cells at all steps, of shape (n_samples, n_steps, n_units).

        A backward direction's state at a step is the one after it has read that step.
        """
        states = dict(zip(self.kind.states, self.run_stepwise(x, "", self.resume(x))))
        if self.bidirectional:
            traced = self.run_stepwise(reverse(x, lengths), "_reverse", self.resume(x))
            names = [f"{name}_reverse" for name in self.kind.states]
            states.update(zip(names, (reverse(values, lengths) for values in traced)))
        return states

    def weights(self, suffix: str) -> list[Tensor]:
        """Give the weights of a direction: of the inputs, of the hidden state, and the bias."""
        return [getattr(self, f"{name}{suffix}") for name in ("weight_ih", "weight_hh", "bias")]

    def resume(self, x: Tensor) -> State:
        """Give the states in which the samples begin; rows without one begin at zero."""
        n_states = len(self.kind.states)
        if self.state is None:
            return (x.new_zeros(len(x), self.n_units),) * n_states
        n_new = max(0, len(x) - len(self.state[0]))
        start = x.new_zeros(n_new, self.n_units)
        return tuple(torch.cat([values[: len(x)], start]) for values in self.state)

    def remember(self, ends: State) -> None:
        """Keep the states in which the samples have ended, and those of rows that had none."""
        ends = tuple(end.detach() for end in ends)
        before = ends if self.state is None else self.state
        self.state = tuple(torch.cat([end, old[len(end) :]]) for end, old in zip(ends, before))

    def initialise(self, scheme: str | Callable, generator: torch.Generator) -> None:
        """Draw input weights by a scheme and orthogonal recurrent ones, gate by gate.

        Biases become zero, but those of an LSTM's forget gates one.

        References
        ----------
        Jozefowicz, Zaremba and Sutskever. "An empirical exploration of recurrent network
        architectures." ICML 2015.

        Saxe, McClelland and Ganguli. "Exact solutions to the nonlinear dynamics of learning in
        deep linear neural networks." ICLR 2014.
        """
        for suffix in self.directions():
            weight_ih, weight_hh, bias = self.weights(suffix)
            for gate in weight_ih.data.chunk(self.kind.n_gates):
                draw_weight(gate, scheme, generator)
            for gate in weight_hh.data.chunk(self.kind.n_gates):
                draw_weight(gate, "orthogonal", generator)
            bias.data.zero_()
            if self.cell == "lstm":
                bias.data.chunk(self.kind.n_gates)[1].fill_(1.0)

    def extra_repr(self) -> str:
        text = f"{self.cell!r}, {self.n_inputs}, {self.n_units}"
        return text + (f", bidirectional, {self.merge_mode}" if self.bidirectional else "")


class TimeDistributed(nn.Module):
    """Apply one module to every step: (n_samples, n_steps, ...) -> (n_samples, n_steps, ...).

    Parameters
    ----------
    module : nn.Module
        What is applied to (n_samples * n_steps, ...).
    """

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return self.module(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class FrameFeatures(nn.Sequential):
    """Convolutions of frames: (n_frames, *frame_shape) -> (n_frames, n_outputs).

    Each layer is convolution -> rectifier; zeros around keep the size at stride 1.

    Parameters
    ----------
    frame_shape : sequence of int
        (n_channels, height, width).
    filters : sequence of int
        Number of filters of each convolution.
    kernel_size, stride : int
        Width of the square kernels, and how far they move.

    Attributes
    ----------
    n_outputs : int
        Number of values that a frame becomes.
    n_multiplications : int
        Number of multiplications a frame.
    largest_output : int
        Number of values a frame of the largest layer output.
    """

    def __init__(
        self, frame_shape: Sequence[int], filters: Sequence[int], kernel_size: int, stride: int
    ):
        super().__init__()
        n_channels, *size = frame_shape
        total, is_odd = (kernel_size - 1,) * 2, kernel_size % 2 == 1
        self.n_multiplications = self.largest_output = 0
        for i, n_filters in enumerate(filters, start=1):
            size = slid_size(tuple(size), (kernel_size,) * 2, (stride,) * 2, total)
            if not is_odd:
                self.add_module(f"conv{i}_padding", Pad(total))
            each_side = kernel_size // 2 if is_odd else 0
            layer = Conv2d(n_channels, n_filters, kernel_size, stride, each_side)
            self.add_module(f"conv{i}", layer)
            self.add_module(f"conv{i}_activation", nn.ReLU())
            self.n_multiplications += prod(size) * layer.weight.numel()
            self.largest_output = max(self.largest_output, n_filters * prod(size))
            n_channels = n_filters
        self.add_module("flatten", nn.Flatten())
        self.n_outputs = n_channels * prod(size)


class RecurrentNetwork(nn.Module):
    """Recurrent network: (n_samples, n_steps, ...) -> (n_samples, [n_steps_out,] n_outputs).

    Each hidden layer is recurrent -> dropout; the output is linear, and the same at each step.

    Parameters
    ----------
    step_shape : sequence of int
        Shape of a step: () for one number, (n_features,), or (n_channels, height, width); or
        (height, width) of a grey frame.
    hidden_layer_sizes : sequence of int
        Number of units of each hidden layer.
    n_outputs : int
        Number of output units.
    cell : {'lstm', 'gru', 'rnn'}, default='lstm'
        Kind of the recurrent cells.
    bidirectional : bool, default=False
        Whether each layer reads the sequences in both directions.
    merge_mode : {'concat', 'sum', 'average', 'product'}, default='concat'
        How both directions become one output.
    dropout : sequence of float, default=()
        Dropout probability after each hidden layer.
    recurrent_dropout : sequence of float, default=()
        Dropout probability from step to step in each hidden layer.
    input_noise : float, default=0.0
        Standard deviation of normal noise on the inputs.
    filters : sequence of int, default=()
        Number of filters of each convolution that is applied to every frame.
    kernel_size, stride : int, default=5 and 2
        Of the convolutions.
    steps_out : 'last', 'each' or int, default='last'
        Which outputs are returned: after the last step, after each step, or at so many further
        steps, which have no inputs.
    stateful : bool, default=False
        Whether each sample goes on where the same row of the preceding batch has ended.

    Attributes
    ----------
    n_multiplications_a_step : int
        Number of multiplications of a forward pass, for each step of a sample.
    largest_output_a_step : int
        Number of values of the largest layer output, for each step of a sample.

    Notes
    -----
    Shorter sequences are padded with NaN at their end; outputs there mean nothing.
    """

    def __init__(
        self,
        step_shape: Sequence[int],
        hidden_layer_sizes: Sequence[int],
        n_outputs: int,
        *,
        cell: str = "lstm",
        bidirectional: bool = False,
        merge_mode: str = "concat",
        dropout: Sequence[float] = (),
        recurrent_dropout: Sequence[float] = (),
        input_noise: float = 0.0,
        filters: Sequence[int] = (),
        kernel_size: int = 5,
        stride: int = 2,
        steps_out: str | int = "last",
        stateful: bool = False,
    ):
        super().__init__()
        self.step_shape, self.steps_out = tuple(step_shape), steps_out
        self.n_multiplications_a_step = self.largest_output_a_step = 0
        if input_noise:
            self.input_noise = GaussianNoise(input_noise)
        n_inputs = prod(step_shape)
        if filters:
            n_inputs = self.add_convolutions(filters, kernel_size, stride)
        no_dropout = [0.0] * len(hidden_layer_sizes)
        shares = zip(dropout or no_dropout, recurrent_dropout or no_dropout, strict=True)
        for i, (size, (p, p_recurrent)) in enumerate(zip(hidden_layer_sizes, shares), start=1):
            layer = RecurrentLayer(
                cell,
                n_inputs,
                size,
                bidirectional=bidirectional,
                merge_mode=merge_mode,
                recurrent_dropout=p_recurrent,
                returns_sequence=i < len(hidden_layer_sizes) or steps_out != "last",
                stateful=stateful,
            )
            self.add_module(f"hidden{i}", layer)
            if p:
                self.add_module(f"hidden{i}_dropout", Dropout(p))
            self.count(sum(w.numel() for w in layer.parameters()), layer.kind.n_gates * size)
            n_inputs = layer.n_outputs
        self.output = Linear(n_inputs, n_outputs)
        self.count(self.output.weight.numel(), n_outputs)

    def add_convolutions(self, filters: Sequence[int], kernel_size: int, stride: int) -> int:
        """Add the convolutions of frames; return the number of values that a frame becomes."""
        shape = self.step_shape if len(self.step_shape) == 3 else (1, *self.step_shape)
        features = FrameFeatures(shape, filters, kernel_size, stride)
        self.frames = TimeDistributed(features)
        self.count(features.n_multiplications, features.largest_output)
        return features.n_outputs

    def count(self, n_multiplications: int, n_values: int) -> None:
        """Count what a layer computes at each step of a sample, and puts out."""
        self.n_multiplications_a_step += n_multiplications
        self.largest_output_a_step = max(self.largest_output_a_step, n_values)

    def forward(self, x: Tensor) -> Tensor:
        x, lengths = self.prepare(x)
        for layer in self.hidden_layers():
            x = layer(x, lengths) if isinstance(layer, RecurrentLayer) else layer(x)
        if isinstance(self.steps_out, int):
            x = last_steps(x, lengths, self.steps_out)
        return self.output(x)

    def hidden_layers(self) -> list[nn.Module]:
        """List the recurrent layers and the dropout between them."""
        return [layer for name, layer in self.named_children() if name.startswith("hidden")]

    def recurrent_layers(self) -> list[RecurrentLayer]:
        """List the recurrent layers."""
        return [layer for layer in self.children() if isinstance(layer, RecurrentLayer)]

    def prepare(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Turn inputs into sequences of shape (n_samples, n_steps, n_values), and their lengths."""
        if not self.step_shape:
            x = x.unflatten(1, (-1, 1))
        x, lengths = split_padding(x)
        if hasattr(self, "input_noise"):
            x = self.input_noise(x)
        if hasattr(self, "frames"):
            x = self.frames(x.unsqueeze(2) if len(self.step_shape) == 2 else x)
        x = x.flatten(2)
        if isinstance(self.steps_out, int):
            x = nn.functional.pad(x, (0, 0, 0, self.steps_out))
            lengths = None if lengths is None else lengths + self.steps_out
        return x, lengths

    def trace(self, x: Tensor) -> dict[str, Tensor]:
        """Compute the states of all layers at all steps, of shape (n_samples, n_steps, n_units)."""
        x, lengths = self.prepare(x)
        states = {}
        for i, layer in enumerate(self.recurrent_layers(), start=1):
            traced = layer.trace(x, lengths)
            states |= {f"layer{i}_{name}": values for name, values in traced.items()}
            x = traced["hidden"]
            if layer.bidirectional:
                x = MERGE_MODES[layer.merge_mode](x, traced["hidden_reverse"])
        return states

    def reset_states(self) -> None:
        """Let the next batch begin at zero."""
        for layer in self.recurrent_layers():
            layer.state = None

    def initialise(self, scheme: str | Callable, generator: torch.Generator) -> None:
        """Draw the weights of the recurrent layers."""
        for layer in self.recurrent_layers():
            layer.initialise(scheme, generator)


def empty_parameter(*shape: int) -> nn.Parameter:
    """Make a parameter of unset values."""
    return nn.Parameter(torch.empty(shape))


def split_padding(x: Tensor) -> tuple[Tensor, Tensor | None]:
    """Replace padding by zeros, and tell the length of each sequence, or None if all are whole.

    Parameters
    ----------
    x : Tensor of shape (n_samples, n_steps, ...)
        Sequences with NaN after their end.
    """
    if not x[:, -1].flatten(1)[:, 0].isnan().any():
        return x, None
    lengths = x.flatten(2)[:, :, 0].isnan().logical_not().sum(1)
    return x.nan_to_num(nan=0.0), lengths


def reverse(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Reverse sequences of shape (n_samples, n_steps, n_values), each within its length."""
    if lengths is None:
        return x.flip(1)
    steps = torch.arange(x.shape[1], device=x.device)
    source = lengths[:, None] - 1 - steps
    source = torch.where(source >= 0, source, steps)
    return x.gather(1, source[:, :, None].expand_as(x))


def last_step(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Take the last step of sequences of shape (n_samples, n_steps, n_values)."""
    if lengths is None:
        return x[:, -1]
    return x[torch.arange(len(x), device=x.device), lengths - 1]


def last_steps(x: Tensor, lengths: Tensor | None, n_steps: int) -> Tensor:
    """Take the last `n_steps` steps of sequences of shape (n_samples, n_steps, n_values)."""
    if lengths is None:
        return x[:, -n_steps:]
    steps = lengths[:, None] - n_steps + torch.arange(n_steps, device=x.device)
    return x[torch.arange(len(x), device=x.device)[:, None], steps]
