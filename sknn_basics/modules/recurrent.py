"""Recurrent networks: what stands before, between and after recurrent layers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from inspect import signature
from math import prod

import torch
from torch import Tensor, nn

from sknn_basics._compat import is_exporting
from sknn_basics.modules.cells import MERGE_MODES, RecurrentLayer, State
from sknn_basics.modules.conv import Conv2d, check_kernel, pad_evenly, slid_size
from sknn_basics.modules.given import first_output, make_given, trace
from sknn_basics.modules.layers import Dropout, GaussianNoise, Linear


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


class OneHot(nn.Module):
    """Turn numbers from 0 to `n_values` - 1 into vectors of zeros and a one."""

    def __init__(self, n_values: int):
        super().__init__()
        self.n_values = n_values
        # Tells the data type of the network.
        self.register_buffer("empty", torch.empty(0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        vectors = torch.zeros(*x.shape, self.n_values, dtype=self.empty.dtype, device=x.device)
        return vectors.scatter_(-1, x.long().unsqueeze(-1), 1.0)

    def extra_repr(self) -> str:
        return f"{self.n_values}"


class Embedding(nn.Embedding):
    """Embedding with unset weights; torch's draws from the global state."""

    def reset_parameters(self) -> None:
        pass

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.long())


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
        Number of multiplications per frame.
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
            check_kernel(f"frames_conv{i}", (kernel_size,) * 2, tuple(size))
            size = slid_size(tuple(size), (kernel_size,) * 2, (stride,) * 2, total)
            if not is_odd:
                self.add_module(f"conv{i}_padding", pad_evenly(total))
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
        Whether each sample continues where the same row of the preceding batch has ended.
    embedding : nn.Module or None, default=None
        What turns inputs of shape (n_samples, n_steps), numbers of tokens, into steps.
    module : nn.Module, callable or None, default=None
        What stands in place of the recurrent layers: a module, which is copied, or a class or
        function that makes one of the shape of a sample, (n_steps, n_values).
    n_steps : int, default=1
        Number of steps of a sample, which is told to what makes a module.

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
        embedding: nn.Module | None = None,
        module: nn.Module | Callable | None = None,
        n_steps: int = 1,
    ):
        super().__init__()
        self.step_shape, self.steps_out = tuple(step_shape), steps_out
        self.n_multiplications_a_step = self.largest_output_a_step = 0
        if embedding is not None:
            self.embedding = embedding
        if input_noise:
            self.input_noise = GaussianNoise(input_noise)
        n_inputs = prod(step_shape)
        if filters:
            n_inputs = self.add_convolutions(filters, kernel_size, stride)
        if module is not None:
            n_inputs = self.add_given(module, (n_steps, n_inputs))
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

    def add_given(self, given: nn.Module | Callable, shape: tuple[int, int]) -> int:
        """Add a module in place of recurrent layers; return the number of values it makes.

        Raises
        ------
        ValueError
            If it returns neither a vector a step nor, where that is wanted, a vector a sample.
        """
        self.module = make_given(given, shape, "module")
        self.takes_lengths = "lengths" in signature(self.module.forward).parameters
        options = {"lengths": None} if self.takes_lengths else {}
        made = trace(self.module, shape, "module", "sequences", **options)
        is_by_step = len(made) == 2 and made[0] == shape[0]
        if not is_by_step and not (len(made) == 1 and self.steps_out == "last"):
            raise ValueError(
                f"module must return shape (n_samples, {shape[0]}, n_values)"
                f"{' or (n_samples, n_values)' if self.steps_out == 'last' else ''} of sequences "
                f"of shape (n_samples, {shape[0]}, {shape[1]}), but made (n_samples, "
                f"{', '.join(map(str, made))})."
            )
        self.count(sum(w.numel() for w in self.module.parameters()), made[-1])
        return made[-1]

    def read_by_given(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """Apply the module that stands in place of recurrent layers."""
        if lengths is not None and not self.takes_lengths:
            raise ValueError(
                "module reads sequences of one length, X has several: give its `forward` a second "
                "parameter `lengths`, the number of steps of each sample (None if all are whole)."
            )
        made = first_output(self.module(x, lengths) if self.takes_lengths else self.module(x))
        if self.steps_out == "last" and made.dim() == 3:
            return last_steps(made, lengths, 1)[:, 0]
        return made

    def count(self, n_multiplications: int, n_values: int) -> None:
        """Count what a layer computes at each step of a sample, and outputs."""
        self.n_multiplications_a_step += n_multiplications
        self.largest_output_a_step = max(self.largest_output_a_step, n_values)

    def forward(self, x: Tensor) -> Tensor:
        x, lengths = self.prepare(x)
        if hasattr(self, "module"):
            x = self.read_by_given(x, lengths)
        for layer in self.hidden_layers():
            x = layer(x, lengths) if isinstance(layer, RecurrentLayer) else layer(x)
        if isinstance(self.steps_out, int):
            x = last_steps(x, lengths, self.steps_out)
        return self.output(x)

    def compile(self, *args, **kwargs) -> None:
        """Compile all but the recurrent layers, whose kernels torch's compiler does not take."""
        for layer in self.recurrent_layers():
            layer.forward = torch.compiler.disable(partial(RecurrentLayer.forward, layer))
        super().compile(*args, **kwargs)

    def hidden_layers(self) -> list[nn.Module]:
        """List the recurrent layers and the dropout between them."""
        return [layer for name, layer in self.named_children() if name.startswith("hidden")]

    def recurrent_layers(self) -> list[RecurrentLayer]:
        """List the recurrent layers."""
        return [layer for layer in self.children() if isinstance(layer, RecurrentLayer)]

    def prepare(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Turn inputs into sequences of shape (n_samples, n_steps, n_values), and their lengths."""
        if hasattr(self, "embedding"):
            return self.embedding(x), None
        if not self.step_shape:
            x = x.unflatten(1, (-1, 1))
        # A given module may read whole sequences only. Where padding cannot be looked for, and not
        # be passed on either, it makes outputs NaN.
        is_whole = is_exporting() and not getattr(self, "takes_lengths", True)
        is_asked = hasattr(self, "module")
        x, lengths = (x, None) if is_whole else split_padding(x, is_asked=is_asked)
        if hasattr(self, "input_noise"):
            x = self.input_noise(x)
        if hasattr(self, "frames"):
            x = self.frames(x.unsqueeze(2) if len(self.step_shape) == 2 else x)
        x = x.flatten(2)
        if isinstance(self.steps_out, int):
            x = nn.functional.pad(x, (0, 0, 0, self.steps_out))
            lengths = None if lengths is None else lengths + self.steps_out
        return x, lengths

    def advance(
        self, x: Tensor, states: list[State] | None = None, n_outputs: int = 0
    ) -> tuple[Tensor, list[State]]:
        """Compute the outputs after the last steps, and the states of all layers after the last.

        In evaluation, and not with bidirectional layers.

        Parameters
        ----------
        x : Tensor of shape (n_samples, n_steps, ...)
            Sequences of one length.
        states : list of tuple of Tensor or None, default=None
            Where each layer begins; None is zero.
        n_outputs : int, default=0
            After how many of the steps outputs are wanted; 0 is all.
        """
        x, _ = self.prepare(x)
        ends = []
        for layer in self.recurrent_layers():
            state = layer.resume(x) if states is None else states[len(ends)]
            x, end = layer.advance(x, state)
            ends.append(end)
        return self.output(x[:, -n_outputs:]), ends

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

    @contextmanager
    def kept_states(self) -> Iterator[None]:
        """Undo what a block changes of the states."""
        states = [layer.state for layer in self.recurrent_layers()]
        try:
            yield
        finally:
            for layer, state in zip(self.recurrent_layers(), states):
                layer.state = state

    def initialise(self, scheme: str | Callable, generator: torch.Generator) -> None:
        """Draw the weights of the recurrent layers, and of an embedding normal ones."""
        if isinstance(getattr(self, "embedding", None), nn.Embedding):
            weight = self.embedding.weight.data
            # Drawn on the CPU, as the generator is.
            weight.copy_(torch.empty(weight.shape, dtype=weight.dtype).normal_(generator=generator))
        for layer in self.recurrent_layers():
            layer.initialise(scheme, generator)


# Where sequences of a format and number of dimensions have their channels, and networks read them.
MOVED_CHANNELS = {("channels_first", 3): (-1, -2), ("channels_last", 5): (-1, -3)}


def in_layout_of_network(x: Tensor, data_format: str) -> Tensor:
    """Bring a batch of sequences to the layout that networks read."""
    axes = MOVED_CHANNELS.get((data_format, x.dim()))
    return x if axes is None else x.movedim(*axes)


def split_padding(x: Tensor, is_asked: bool = False) -> tuple[Tensor, Tensor | None]:
    """Replace padding by zeros, and tell the length of each sequence, or None if all are whole.

    Whether they are is known at once on a CPU. Elsewhere it would take waiting for the device, so
    that their lengths are told in any case, unless it `is_asked` for.

    Parameters
    ----------
    x : Tensor of shape (n_samples, n_steps, ...)
        Sequences with NaN after their end.
    """
    is_known = (is_asked or x.device.type == "cpu") and not is_exporting()
    if is_known and not x[:, -1].flatten(1)[:, 0].isnan().any():
        return x, None
    lengths = x.flatten(2)[:, :, 0].isnan().logical_not().sum(1)
    return x.nan_to_num(nan=0.0), lengths


def last_steps(x: Tensor, lengths: Tensor | None, n_steps: int) -> Tensor:
    """Take the last `n_steps` steps of sequences of shape (n_samples, n_steps, n_values)."""
    if lengths is None:
        return x[:, -n_steps:]
    steps = lengths[:, None] - n_steps + torch.arange(n_steps, device=x.device)
    return x.gather(1, steps[:, :, None].expand(-1, -1, x.shape[2]))
