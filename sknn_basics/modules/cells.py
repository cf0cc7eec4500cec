"""Recurrent cells, and layers of them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sknn_basics._compat import is_exporting
from sknn_basics.modules.initialisers import draw_weight
from sknn_basics.modules.layers import RandomLayer

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
        Names of its states; the first one is what it outputs.
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
    """A layer of recurrent cells, with one bias per unit and gate.

    It computes (n_samples, n_steps, n_inputs) -> (n_samples, n_steps, n_outputs), or
    (n_samples, n_outputs) if it returns the last step alone.

    Parameters
    ----------
    cell : {'lstm', 'gru', 'rnn'}
        Kind of cell; gates are in torch's order.
    n_inputs, n_units : int
        Number of values per step, and of cells.
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
        Whether each sample continues with the state in which the same row of the preceding batch
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

    factors = ("recurrent_dropout",)

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
            if self.stateful and not is_exporting():
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
        if x.device.type != "cpu":
            weights = side_by_side(weights)
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

    def advance(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Compute the outputs of the forward direction, and its last states, in evaluation."""
        if x.shape[1] > 1 or x.device.type != "cpu":
            return self.run(x, "", state)
        # What torch's kernels prepare costs more than a single step.
        states = self.run_stepwise(x, "", state)
        return states[0], tuple(values[:, -1] for values in states)

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
        p = self.factor("recurrent_dropout", x)
        return (self.uniform(x) >= p).to(x.dtype) / (1 - p)

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
        if self.state is None or is_exporting():
            return (x.new_zeros(x.shape[0], self.n_units),) * n_states
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


def empty_parameter(*shape: int) -> nn.Parameter:
    """Make a parameter of unset values."""
    return nn.Parameter(torch.empty(shape))


def side_by_side(tensors: list[Tensor]) -> list[Tensor]:
    """Copy tensors into one memory, where cuDNN wants weights, or it warns and copies them."""
    parts = torch.cat([t.flatten() for t in tensors]).split([t.numel() for t in tensors])
    return [part.view_as(t) for part, t in zip(parts, tensors)]


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
    return x.gather(1, (lengths - 1)[:, None, None].expand(-1, 1, x.shape[2])).squeeze(1)
