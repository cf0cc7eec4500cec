"""Recurrent layers as the operators that ONNX has for them, which read any number of steps."""

from functools import partial

import torch
from torch import Tensor, nn

from sknn_basics.modules.cells import RecurrentLayer, State

# Which of torch's gates stand in which place: i, o, f, c of an LSTM, z, r, h of a GRU.
GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn": (0,)}


@torch.library.custom_op("sknn_basics::recurrent", mutates_args=())
def recurrent(
    cell: str,
    n_units: int,
    x: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias: Tensor,
    hidden: Tensor,
    memory: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Stand for an operator of ONNX, in its layout, while torch records a network."""
    raise NotImplementedError("This operator is recorded only.")


@recurrent.register_fake
def _(cell, n_units, x, weight_ih, weight_hh, bias, hidden, memory):
    n_steps, n_samples = x.shape[:2]
    output = x.new_empty(n_steps, 1, n_samples, n_units)
    return output, torch.empty_like(hidden), torch.empty_like(memory)


def write_recurrent(cell: str, n_units: int, x, weight_ih, weight_hh, bias, hidden, memory):
    """Write the operator of ONNX for `recurrent`; the lengths of sequences are left out."""
    from onnxscript import opset18 as operators

    given = x, weight_ih, weight_hh, bias, None, hidden
    if cell == "lstm":
        return operators.LSTM(*given, memory, hidden_size=n_units)
    if cell == "gru":
        return *operators.GRU(*given, hidden_size=n_units, linear_before_reset=1), memory
    return *operators.RNN(*given, hidden_size=n_units), memory


def use_operators(network: nn.Module) -> None:
    """Let the recurrent layers of a network record `recurrent`, in place of torch's functions."""
    for layer in network.modules():
        if isinstance(layer, RecurrentLayer):
            layer.run = partial(run, layer)


def run(layer: RecurrentLayer, x: Tensor, suffix: str, state: State) -> tuple[Tensor, State]:
    """Run one direction of a layer, as `RecurrentLayer.run` does."""
    n = layer.n_units
    weight_ih, weight_hh, bias = (
        torch.cat([w[gate * n : (gate + 1) * n] for gate in GATES[layer.cell]])
        for w in layer.weights(suffix)
    )
    # The second half is a bias of the hidden state's own.
    bias = torch.cat([bias, torch.zeros_like(bias)])
    start = [values.unsqueeze(0) for values in state]
    output, *ends = recurrent(
        layer.cell,
        layer.n_units,
        x.transpose(0, 1),
        *(w.unsqueeze(0) for w in (weight_ih, weight_hh, bias)),
        start[0],
        start[-1],
    )
    return output[:, 0].transpose(0, 1), tuple(end[0] for end in ends[: len(state)])
