"""Layers, initial weights, summaries."""

import numpy as np
import pytest
import torch
from torch import nn

from sknn_basics import MLPClassifier
from sknn_basics.modules._fast.single_filter import SingleFilter
from sknn_basics.modules.conv import Conv2d
from sknn_basics.modules.dense import DenseNetwork
from sknn_basics.modules.initialisers import INITIALISERS, initialise
from sknn_basics.modules.layers import (
    ACTIVATIONS,
    BatchNorm,
    Dropout,
    GaussianNoise,
    RReLU,
    make_activation,
)
from sknn_basics.stacking.linear import LinearLayers

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def seeded(layer):
    layer.generator = generator()
    return layer


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_every_activation_keeps_the_shape(name):
    x = torch.linspace(-2, 2, 12).view(3, 4)
    assert make_activation(name).eval()(x).shape == x.shape


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_every_activation_fits(name, iris):
    model = MLPClassifier((8,), activation=name, max_iter=3, random_state=0).fit(*iris)
    assert np.isfinite(model.loss_)


def test_an_activation_may_be_a_class(iris):
    by_class = MLPClassifier(activation=nn.SiLU, max_iter=3, random_state=0).fit(*iris)
    by_name = MLPClassifier(activation="silu", max_iter=3, random_state=0).fit(*iris)
    np.testing.assert_array_equal(by_class.coefs_[0], by_name.coefs_[0])


def test_dropout_drops_the_share_and_keeps_the_mean():
    y = seeded(Dropout(0.3)).train()(torch.ones(100_000))
    assert (y == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert y.mean().item() == pytest.approx(1, abs=0.01)


def test_dropout_draws_anew_for_every_batch():
    layer = seeded(Dropout(0.5))
    x = torch.ones(100)
    assert not torch.equal(layer(x), layer(x))


@pytest.mark.parametrize("layer", [Dropout(0.5), GaussianNoise(1.0)])
def test_random_layers_do_nothing_in_evaluation(layer):
    x = torch.ones(10)
    assert torch.equal(layer.eval()(x), x)


def test_gaussian_noise_has_its_standard_deviation():
    noise = seeded(GaussianNoise(0.2)).train()(torch.zeros(100_000))
    assert noise.std().item() == pytest.approx(0.2, rel=0.02)


def test_rrelu_evaluates_as_that_of_torch():
    x = torch.linspace(-2, 2, 9)
    assert torch.equal(RReLU().eval()(x), nn.RReLU().eval()(x))


def test_batch_normalization_equals_that_of_torch():
    x = torch.randn(8, 3, generator=generator())
    torch.testing.assert_close(BatchNorm(3).train()(x), nn.BatchNorm1d(3).train()(x))


def test_batch_normalization_takes_a_batch_of_one():
    layer = BatchNorm(3).train()
    x = torch.ones(1, 3)
    torch.testing.assert_close(layer(x), x, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("scheme", "limit", "std"),
    [
        ("uniform", 0.01, 0.01 / 3**0.5),
        ("normal", np.inf, 0.05),
        ("glorot_uniform", (6 / 700) ** 0.5, (2 / 700) ** 0.5),
        ("glorot_normal", np.inf, (2 / 700) ** 0.5),
        ("he_uniform", (6 / 400) ** 0.5, (2 / 400) ** 0.5),
        ("he_normal", np.inf, (2 / 400) ** 0.5),
        ("lecun_uniform", (3 / 400) ** 0.5, (1 / 400) ** 0.5),
        ("lecun_normal", np.inf, (1 / 400) ** 0.5),
    ],
)
def test_initial_weights_have_the_spread_of_their_scheme(scheme, limit, std):
    network = DenseNetwork(400, [300], 2)
    initialise(network, scheme, generator())
    weight = network.hidden1.weight
    assert weight.std().item() == pytest.approx(std, rel=0.02)
    assert weight.abs().max().item() <= limit
    assert not network.hidden1.bias.any()


def test_orthogonal_weights_are_orthogonal():
    network = DenseNetwork(30, [20], 2)
    initialise(network, "orthogonal", generator())
    weight = network.hidden1.weight.detach()
    torch.testing.assert_close(weight @ weight.T, torch.eye(20), atol=1e-5, rtol=0)


@pytest.mark.parametrize("scheme", ["auto", *INITIALISERS])
def test_two_units_never_start_equal(scheme):
    model = MLPClassifier((50,), weight_init=scheme, learning_rate_init=1e-12, max_iter=1)
    weights = model.fit(np.eye(4), [0, 1, 2, 3]).coefs_[0]
    assert len(np.unique(weights, axis=1).T) == 50


def test_normalization_stands_between_linear_and_activation():
    network = DenseNetwork(3, [4], 2, normalization="batch", dropout=[0.5], input_noise=0.1)
    assert [type(layer).__name__ for layer in network] == [
        "GaussianNoise", "Linear", "BatchNorm", "ReLU", "Dropout", "Linear",
    ]  # fmt: skip


def test_max_norm_limits_the_weights_of_hidden_units(digits):
    model = MLPClassifier(
        (32, 32), max_norm=0.5, max_iter=3, learning_rate_init=0.01, random_state=0
    ).fit(*digits)
    *hidden, output = [np.linalg.norm(coef, axis=0).max() for coef in model.coefs_]
    assert max(hidden) <= 0.5 + 1e-6 < output


def test_summary_counts_the_parameters_of_a_known_network():
    rng = np.random.RandomState(0)
    model = MLPClassifier((784,), max_iter=1).fit(rng.rand(20, 784), np.arange(20) % 10)
    assert model.n_parameters_ == 623_290
    rows = [line.split("  ") for line in model.summary().splitlines()]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert ["hidden1", "Linear", "(None, 784)", "ReLU", "615,440"] in cells
    assert ["output", "Linear", "(None, 10)", "7,850"] in cells
    assert cells[-2:] == [["trainable parameters: 623,290"], ["frozen parameters: 0"]]


@pytest.mark.parametrize(
    ("kernel", "size"), [((3, 3), (5, 7)), ((5, 1), (3, 4)), ((7, 5), (2, 2)), ((1, 1), (3, 3))]
)
def test_a_single_filter_computes_a_convolution_and_its_gradients(kernel, size):
    rng, shapes = generator(), ((2, 3, *size), (1, 3, *kernel), (1,))
    x, weight, bias = (
        torch.randn(shape, generator=rng, dtype=torch.float64).requires_grad_() for shape in shapes
    )
    padding = [k // 2 for k in kernel]
    expected = nn.functional.conv2d(x, weight, bias, padding=padding)
    torch.testing.assert_close(SingleFilter.apply(x, weight, bias), expected)
    assert torch.autograd.gradcheck(SingleFilter.apply, (x, weight, bias))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("frozen", ["x", "weight", "bias"])
def test_a_single_filter_computes_only_the_gradients_that_are_needed(frozen, layout):
    layer = Conv2d(4, 1, (3, 5), 1, (1, 2)).double()
    x = torch.randn(3, 4, 6, 7, generator=generator(), dtype=torch.float64)
    leaves = {"x": x.contiguous(memory_format=layout), **dict(layer.named_parameters())}
    for name, values in leaves.items():
        nn.init.normal_(values, generator=generator()).requires_grad_(name != frozen)
    trained = [values for name, values in leaves.items() if name != frozen]
    torch.testing.assert_close(
        torch.autograd.grad(layer(leaves["x"]).square().sum(), trained),
        torch.autograd.grad(nn.Conv2d.forward(layer, leaves["x"]).square().sum(), trained),
        rtol=1e-10,
        atol=1e-10,
    )


def test_what_a_single_filter_computes_may_be_changed_in_place():
    layer, x = Conv2d(2, 1, 3, 1, 1), torch.randn(2, 2, 4, 4, generator=generator())
    for values in layer.parameters():
        nn.init.normal_(values, generator=generator())
    expected = torch.autograd.grad(nn.Conv2d.forward(layer, x).relu().sum(), layer.weight)
    torch.testing.assert_close(torch.autograd.grad(layer(x).relu_().sum(), layer.weight), expected)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((4, 1, 3, 1, 1), True),
        ((4, 2, 3, 1, 1), False),
        ((4, 1, 3, 2, 1), False),
        ((4, 1, 3, 1, 0), False),
    ],
)
def test_only_one_filter_that_keeps_the_size_goes_its_own_way(arguments, expected):
    layer, x = Conv2d(*arguments), torch.randn(2, 4, 6, 6, generator=generator())
    for values in layer.parameters():
        nn.init.normal_(values, generator=generator())
    assert layer.is_single_filter is expected
    torch.testing.assert_close(layer(x), nn.Conv2d.forward(layer, x))


@pytest.mark.parametrize("activation", [None, nn.ReLU])
@pytest.mark.parametrize("lies_by_sample", [False, True])
@pytest.mark.parametrize("n_units", [3, 20])
def test_linear_layers_that_share_inputs_equal_those_with_their_own(
    n_units, lies_by_sample, activation
):
    generator = torch.Generator().manual_seed(0)
    shapes = {"x": (2, 9, 4), "weight": (6, n_units, 4), "bias": (6, n_units)}
    x, weight, bias = (
        torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes.values()
    )
    gradient = torch.randn(6, 9, n_units, generator=generator, dtype=torch.float64)
    if not lies_by_sample:
        gradient = gradient.mT.contiguous().mT
    tensors = {"weight": weight.requires_grad_(), "bias": bias.requires_grad_()}

    expected = torch.baddbmm(bias.unsqueeze(1), x.repeat_interleave(3, 0), weight.mT)
    expected = expected if activation is None else expected.relu()
    expected_gradients = torch.autograd.grad(expected, tensors.values(), gradient.clone())
    layers = LinearLayers(tensors, activation)
    for _ in range(2):  # the second time in the memory of the first
        output = layers(x)
        gradients = torch.autograd.grad(output, tensors.values(), gradient.clone())
        torch.testing.assert_close(output, expected)
        torch.testing.assert_close(gradients, expected_gradients)
