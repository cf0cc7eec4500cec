"""Recurrent layers and networks, next to torch's own."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from sknn_basics.modules.cells import CELLS, MERGE_MODES, RecurrentLayer, reverse
from sknn_basics.modules.initialisers import initialise
from sknn_basics.modules.layers import seed_random_layers
from sknn_basics.modules.recurrent import RecurrentNetwork, TimeDistributed
from sknn_basics.modules.summary import count_parameters

REFERENCES = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
LENGTHS = torch.tensor([7, 3, 1, 5])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(*shape):
    return torch.randn(*shape, generator=generator())


def drawn_network(*args, **kwargs):
    """Make a network with drawn weights, those of biases too."""
    network = RecurrentNetwork(*args, **kwargs).eval()
    for parameter in network.parameters():
        parameter.data.uniform_(-0.5, 0.5, generator=generator())
    return network


def padded(x):
    """Cut sequences to `LENGTHS`."""
    x = x.clone()
    for row, length in zip(x, LENGTHS):
        row[length:] = torch.nan
    return x


def reference_of(network):
    """Make torch's own layers with the weights of a network, and second biases of zero."""
    layers = network.recurrent_layers()
    reference = REFERENCES[layers[0].cell](
        layers[0].n_inputs,
        layers[0].n_units,
        num_layers=len(layers),
        bidirectional=layers[0].bidirectional,
        batch_first=True,
    )
    for i, layer in enumerate(layers):
        for suffix in layer.directions():
            own = dict(zip(("weight_ih", "weight_hh", "bias_ih"), layer.weights(suffix)))
            own["bias_hh"] = torch.zeros_like(own["bias_ih"])
            for name, value in own.items():
                getattr(reference, f"{name}_l{i}{suffix}").data.copy_(value)
    return reference


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "padded"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("n_layers", [1, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_every_step_equals_that_of_torch(cell, n_layers, bidirectional, lengths):
    network = drawn_network(
        (3,), [5] * n_layers, 2, cell=cell, bidirectional=bidirectional, steps_out="each"
    )
    x = drawn(4, 7, 3)
    packed = pack_padded_sequence(
        x, torch.full((4,), 7) if lengths is None else lengths, True, enforce_sorted=False
    )
    expected, _ = pad_packed_sequence(reference_of(network)(packed)[0], True, total_length=7)
    output = network(x if lengths is None else padded(x))
    for row, want, length in zip(output, network.output(expected), LENGTHS):
        until = 7 if lengths is None else length
        torch.testing.assert_close(row[:until], want[:until], atol=1e-6, rtol=0)


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "padded"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_the_last_output_is_the_last_hidden_state_of_torch(cell, bidirectional, lengths):
    network = drawn_network((3,), [5, 5], 2, cell=cell, bidirectional=bidirectional)
    x = drawn(4, 7, 3)
    packed = pack_padded_sequence(
        x, torch.full((4,), 7) if lengths is None else lengths, True, enforce_sorted=False
    )
    _, ends = reference_of(network)(packed)
    hidden = ends[0] if cell == "lstm" else ends
    last = torch.cat([*hidden[-2:]], 1) if bidirectional else hidden[-1]
    output = network(x if lengths is None else padded(x))
    torch.testing.assert_close(output, network.output(last), atol=1e-6, rtol=0)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_equal_those_of_torch(cell):
    network = drawn_network((3,), [5], 1, cell=cell)
    reference = reference_of(network)
    x = drawn(4, 7, 3)
    network(x).sum().backward()
    network.output(reference(x)[0][:, -1]).sum().backward()
    for name, weight in zip(
        ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0"), network.hidden1.weights("")
    ):
        torch.testing.assert_close(weight.grad, getattr(reference, name).grad, atol=1e-5, rtol=0)


@pytest.mark.parametrize("cell", CELLS)
def test_the_equation_of_a_cell_is_that_of_the_kernel(cell):
    layer = drawn_network((3,), [5], 1, cell=cell).hidden1
    x = drawn(4, 7, 3)
    start = layer.resume(x)
    output, ends = layer.run(x, "", start)
    states = layer.run_stepwise(x, "", start)
    torch.testing.assert_close(states[0], output, atol=1e-6, rtol=0)
    for values, end in zip(states, ends, strict=True):
        torch.testing.assert_close(values[:, -1], end, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("merge_mode", "merge"),
    [
        ("concat", lambda a, b: torch.cat([a, b], 2)),
        ("sum", lambda a, b: a + b),
        ("average", lambda a, b: (a + b) / 2),
        ("product", lambda a, b: a * b),
    ],
)
def test_directions_are_merged(merge_mode, merge):
    network = drawn_network(
        (3,), [5], 2, bidirectional=True, merge_mode=merge_mode, steps_out="each"
    )
    x = drawn(4, 7, 3)
    expected = merge(*reference_of(network)(x)[0].split(5, 2))
    torch.testing.assert_close(network(x), network.output(expected), atol=1e-6, rtol=0)


def test_merge_modes_are_all_tested():
    assert set(MERGE_MODES) == {"concat", "sum", "average", "product"}


@pytest.mark.parametrize("bidirectional", [False, True])
def test_further_steps_follow_the_last_one_of_each_sequence(bidirectional):
    network = drawn_network((3,), [5, 4], 2, steps_out=3, bidirectional=bidirectional)
    x = drawn(4, 7, 3)
    outputs = network(padded(x))
    for row, output, length in zip(x, outputs, LENGTHS):
        alone = network(row[None, :length])
        assert alone.shape == (1, 3, 2)
        torch.testing.assert_close(alone[0], output, atol=1e-6, rtol=0)


def test_further_steps_are_steps_without_inputs():
    network = drawn_network((3,), [5], 2, steps_out=3)
    x = drawn(4, 7, 3)
    extended = torch.cat([x, torch.zeros(4, 3, 3)], 1)
    expected = reference_of(network)(extended)[0][:, 7:]
    torch.testing.assert_close(network(x), network.output(expected), atol=1e-6, rtol=0)


def test_what_follows_the_end_changes_nothing():
    network = drawn_network((3,), [5, 4], 2, bidirectional=True)
    x = padded(drawn(4, 7, 3))
    longer = torch.cat([x, torch.full((4, 2, 3), torch.nan)], 1)
    torch.testing.assert_close(network(longer), network(x), atol=1e-6, rtol=0)


def test_sequences_are_reversed_within_their_length():
    x = torch.arange(8.0).reshape(2, 4, 1)
    expected = torch.tensor([[2.0, 1, 0, 3], [4, 5, 6, 7]])[:, :, None]
    torch.testing.assert_close(reverse(x, torch.tensor([3, 1])), expected)


def test_a_plain_cell_has_a_known_number_of_parameters():
    assert count_parameters(RecurrentNetwork((3,), [5], 4, cell="rnn")) == 69


def test_a_character_model_has_a_known_number_of_parameters():
    assert count_parameters(RecurrentNetwork((89,), [128, 128], 89)) == 254_681


def test_a_model_of_frames_has_a_known_number_of_parameters():
    network = RecurrentNetwork((1, 128, 128), [128], 9, filters=[8], kernel_size=5, stride=2)
    assert count_parameters(network) == 16_844_633


@pytest.mark.parametrize("kernel_size", [2, 3])
def test_frames_are_convolved_one_by_one(kernel_size):
    network = drawn_network((2, 6, 5), [3], 1, filters=[4], kernel_size=kernel_size)
    x = drawn(3, 4, 2, 6, 5)
    features = network.frames(x)
    assert features.shape == (3, 4, 4 * 3 * 3)
    torch.testing.assert_close(features[1, 2], network.frames.module(x[1, 2][None])[0])


def test_a_time_distributed_layer_is_the_same_at_every_step():
    layer = nn.Linear(3, 2)
    x = drawn(4, 7, 3)
    torch.testing.assert_close(TimeDistributed(layer)(x), layer(x))


@pytest.mark.parametrize("cell", CELLS)
def test_states_go_on_from_batch_to_batch(cell):
    options = {"cell": cell, "steps_out": "each"}
    network = drawn_network((3,), [5, 4], 2, stateful=True, **options)
    x = drawn(4, 9, 3)
    parts = torch.cat([network(part) for part in x.split(3, 1)], 1)
    network.reset_states()
    torch.testing.assert_close(network(x), parts, atol=1e-6, rtol=0)


def test_states_are_detached():
    network = drawn_network((3,), [5], 2, stateful=True)
    network(drawn(4, 7, 3))
    assert not any(values.requires_grad for values in network.hidden1.state)


def test_rows_without_a_state_begin_at_zero():
    network = drawn_network((3,), [5], 2, stateful=True)
    first, second = drawn(2, 7, 3), drawn(4, 7, 3)
    network(first)
    output = network(second)
    network.reset_states()
    torch.testing.assert_close(output[2:], network(second)[2:], atol=1e-6, rtol=0)


def test_a_smaller_batch_keeps_the_states_of_the_other_rows():
    network = drawn_network((3,), [5], 2, stateful=True)
    network(drawn(4, 7, 3))
    before = network.hidden1.state[0].clone()
    network(drawn(1, 2, 3))
    after = network.hidden1.state[0]
    assert not torch.equal(after[0], before[0])
    torch.testing.assert_close(after[1:], before[1:])


def test_initial_weights_are_glorot_orthogonal_and_forget_nothing():
    network = RecurrentNetwork((40,), [30], 2)
    initialise(network, "glorot_uniform", generator())
    network.initialise("glorot_uniform", generator())
    layer = network.hidden1
    limit = (6 / 70) ** 0.5
    for gate in layer.weight_ih.chunk(4):
        assert 0.95 * limit < gate.abs().max().item() <= limit
    for gate in layer.weight_hh.chunk(4):
        torch.testing.assert_close(gate @ gate.T, torch.eye(30), atol=1e-5, rtol=0)
    i, f, g, o = layer.bias.chunk(4)
    assert (f == 1).all()
    assert not torch.cat([i, g, o]).any()


@pytest.mark.parametrize("cell", ["gru", "rnn"])
def test_cells_without_a_forget_gate_start_without_a_bias(cell):
    layer = RecurrentLayer(cell, 3, 5, bidirectional=True)
    layer.initialise("he_normal", generator())
    assert not layer.bias.any()
    assert not layer.bias_reverse.any()


def test_recurrent_dropout_keeps_one_mask_a_sequence():
    layer = RecurrentLayer("rnn", 1, 100, recurrent_dropout=0.5)
    layer.weight_ih.data.fill_(0.1)
    layer.weight_hh.data.copy_(torch.eye(100))
    layer.bias.data.zero_()
    seed_random_layers(layer, generator())
    output = layer.train()(torch.ones(3, 6, 1))
    # A dropped unit never recalls anything, any other one always does.
    dropped = torch.isclose(output, torch.tensor(0.1).tanh())
    assert (dropped[:, 1:] == dropped[:, 1:2]).all()
    assert 0.3 < dropped[:, 1].float().mean() < 0.7
    assert not torch.equal(dropped[0, 1], dropped[1, 1])


def test_recurrent_dropout_does_nothing_in_evaluation():
    with_dropout = drawn_network((3,), [5], 2, recurrent_dropout=[0.5])
    without = drawn_network((3,), [5], 2)
    x = drawn(4, 7, 3)
    torch.testing.assert_close(with_dropout(x), without(x))


def test_traced_states_are_those_of_the_forward_pass():
    network = drawn_network((3,), [5, 4], 2, bidirectional=True, steps_out="each")
    x = drawn(4, 7, 3)
    states = network.trace(x)
    last = torch.cat([states["layer2_hidden"], states["layer2_hidden_reverse"]], 2)
    torch.testing.assert_close(network.output(last), network(x), atol=1e-6, rtol=0)
    assert states["layer1_cell_reverse"].shape == (4, 7, 5)
