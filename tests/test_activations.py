"""What layers put out, and what looking at them leaves as it was."""

import copy
import warnings
from collections import OrderedDict

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from torch import nn

from sknn_basics import (
    Autoencoder,
    ConvAutoencoder,
    ConvNetClassifier,
    ConvNetRegressor,
    MLPClassifier,
    MLPRegressor,
    RNNAutoencoder,
    RNNClassifier,
    RNNRegressor,
    TextGenerator,
    VariationalAutoencoder,
    VariationalConvAutoencoder,
)
from sknn_basics.inspection import activations
from sknn_basics.preprocessing import FilterBank

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

IMAGES = load_digits().images[:60] / 16
DIGITS = load_digits().target[:60]
X_IRIS, Y_IRIS = load_iris(return_X_y=True)
X_DIABETES, Y_DIABETES = load_diabetes(return_X_y=True)
SHORT = {"max_iter": 2, "random_state": 0}
TEXT = "the quick brown fox jumps over the lazy dog " * 5

FAMILIES = {
    "MLPClassifier": lambda: (MLPClassifier(5, dropout=0.2, **SHORT), X_IRIS, Y_IRIS),
    "MLPRegressor": lambda: (
        MLPRegressor(hidden_layer_sizes=5, normalization="batch", **SHORT),
        X_DIABETES[:50],
        Y_DIABETES[:50],
    ),
    "ConvNetClassifier": lambda: (ConvNetClassifier((4, 6), **SHORT), IMAGES, DIGITS),
    "ConvNetRegressor": lambda: (ConvNetRegressor(filters=(4,), **SHORT), IMAGES, DIGITS),
    "RNNClassifier": lambda: (RNNClassifier(4, **SHORT), IMAGES, DIGITS),
    "RNNRegressor": lambda: (
        RNNRegressor(hidden_layer_sizes=4, bidirectional=True, **SHORT),
        IMAGES,
        DIGITS,
    ),
    "stateful": lambda: (
        RNNRegressor(hidden_layer_sizes=4, stateful=True, batch_size=20, **SHORT),
        IMAGES,
        DIGITS,
    ),
    "Autoencoder": lambda: (Autoencoder(5, 2, **SHORT), X_IRIS, None),
    "VariationalAutoencoder": lambda: (VariationalAutoencoder(5, 2, **SHORT), X_IRIS, None),
    "ConvAutoencoder": lambda: (ConvAutoencoder((4, 6), **SHORT), IMAGES, None),
    "VariationalConvAutoencoder": lambda: (
        VariationalConvAutoencoder((4, 6), **SHORT),
        IMAGES,
        None,
    ),
    "RNNAutoencoder": lambda: (RNNAutoencoder(4, n_components=2, **SHORT), IMAGES, None),
    "TextGenerator": lambda: (TextGenerator(hidden_layer_sizes=4, window=5, **SHORT), TEXT, None),
}


@pytest.fixture(scope="module", params=FAMILIES)
def fitted(request):
    model, X, y = FAMILIES[request.param]()
    model = model.fit(X) if y is None else model.fit(X, y)
    return model, X


@pytest.fixture(scope="module")
def convnet():
    return ConvNetClassifier((4, 6), **SHORT).fit(IMAGES, DIGITS)


def state_of(module):
    """Copy all that a look could change."""
    state = {
        "modes": [layer.training for layer in module.modules()],
        "inplace": [getattr(layer, "inplace", None) for layer in module.modules()],
        "needs": [p.requires_grad for p in module.parameters()],
        "hooks": [len(layer._forward_hooks) for layer in module.modules()],
        "gradients": [p.grad is None for p in module.parameters()],
        "carried": [
            None if getattr(layer, "state", None) is None else layer.state[0].tolist()
            for layer in module.modules()
        ],
    }
    return state, {name: values.clone() for name, values in module.state_dict().items()}


def assert_unchanged(before, module):
    plain, weights = before
    plain_now, weights_now = state_of(module)
    assert plain == plain_now
    assert all(torch.equal(weights[name], weights_now[name]) for name in weights)


def listed(model):
    """Read the layers' names from the summary."""
    lines = model.summary().splitlines()[2:-2]
    return [line.split()[0] for line in lines]


def test_activations_are_named_as_in_the_summary(fitted):
    model, X = fitted
    assert list(activations(model, X)) == listed(model)


def test_activations_change_nothing(fitted):
    model, X = fitted
    before, generator = state_of(model.module_), torch.get_rng_state()
    activations(model, X)
    assert_unchanged(before, model.module_)
    assert torch.equal(torch.get_rng_state(), generator)


def test_looking_at_a_network_in_training_leaves_it_in_training():
    module = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(inplace=True), nn.Dropout())
    module[1].eval()
    before, generator = state_of(module), torch.get_rng_state()
    first, second = activations(module, X_IRIS), activations(module, X_IRIS)
    assert_unchanged(before, module)
    assert torch.equal(torch.get_rng_state(), generator)
    np.testing.assert_array_equal(first["3"], second["3"])


def test_activations_of_a_failed_pass_leave_no_hook(convnet):
    before = state_of(convnet.module_)
    with pytest.raises(ValueError, match="X"):
        activations(convnet, IMAGES[:, :5])
    with pytest.raises(RuntimeError):
        activations(convnet.module_, X_IRIS)
    assert_unchanged(before, convnet.module_)


def test_activations_equal_a_pass_by_hand():
    model = MLPRegressor(hidden_layer_sizes=(6, 5), activation="tanh", **SHORT).fit(
        X_DIABETES, Y_DIABETES
    )
    outputs = activations(model, X_DIABETES, ["hidden1", "hidden2_activation", "output"])
    hidden = X_DIABETES @ model.coefs_[0] + model.intercepts_[0]
    second = np.tanh(np.tanh(hidden) @ model.coefs_[1] + model.intercepts_[1])
    np.testing.assert_allclose(outputs["hidden1"], hidden, rtol=1e-10)
    np.testing.assert_allclose(outputs["hidden2_activation"], second, rtol=1e-10)
    np.testing.assert_allclose(outputs["output"][:, 0], model.predict(X_DIABETES), rtol=1e-10)


def test_no_activation_overwrites_what_a_convolution_has_made(convnet):
    outputs = activations(convnet, IMAGES, ["block1_conv1", "block1_conv1_activation"])
    before, after = outputs.values()
    assert before.min() < 0
    np.testing.assert_array_equal(np.maximum(before, 0), after)


def test_no_activation_in_place_of_a_foreign_module_overwrites():
    module = nn.Sequential(nn.Linear(4, 3), nn.ReLU(inplace=True))
    nn.init.constant_(module[0].bias, -5.0)
    outputs = activations(module, X_IRIS)
    np.testing.assert_array_equal(np.maximum(outputs["0"], 0), outputs["1"])
    assert outputs["0"].min() < 0


def test_hooks_of_others_see_what_a_convolution_has_made(convnet):
    seen = []
    hook = convnet.module_.block1_conv1.register_forward_hook(
        lambda layer, inputs, output: seen.append(output)
    )
    with torch.no_grad():
        convnet.module_(torch.tensor(IMAGES, dtype=torch.float32))
    hook.remove()
    expected = activations(convnet, IMAGES, "block1_conv1")["block1_conv1"]
    np.testing.assert_array_equal(seen[0].movedim(1, -1).numpy(), expected)


def test_activations_of_images_have_their_channels_where_X_has_them():
    grey = IMAGES[..., None]
    last = ConvNetClassifier((4,), data_format="channels_last", **SHORT).fit(grey, DIGITS)
    first = ConvNetClassifier((4,), data_format="channels_first", **SHORT)
    first.fit(np.moveaxis(grey, -1, 1), DIGITS)
    maps_last = activations(last, grey, "block1_conv1")["block1_conv1"]
    maps_first = activations(first, np.moveaxis(grey, -1, 1), "block1_conv1")["block1_conv1"]
    assert maps_last.shape == (60, 4, 4, 4)
    np.testing.assert_allclose(np.moveaxis(maps_first, 1, -1), maps_last, rtol=1e-5, atol=1e-6)


def test_maps_of_a_stripe_filter_equal_those_of_a_filter_bank():
    stripe = np.array([[-1.0, 2.0, -1.0]] * 3)
    model = ConvNetClassifier((1,), downsample=None, dtype="float64", **SHORT).fit(IMAGES, DIGITS)
    with torch.no_grad():
        model.module_.block1_conv1.weight.copy_(torch.from_numpy(stripe))
        model.module_.block1_conv1.bias.zero_()
    maps = activations(model, IMAGES, "block1_conv1")["block1_conv1"]
    bank = FilterBank(stripe[None], padding="same").fit_transform(IMAGES)
    np.testing.assert_allclose(maps, bank, atol=1e-12)


def test_activations_of_rows_of_pixels_are_images(convnet):
    rows = IMAGES.reshape(60, -1)
    model = ConvNetClassifier((4, 6), **SHORT).fit(rows, DIGITS)
    expected = activations(convnet, IMAGES, "block1_conv1")["block1_conv1"]
    np.testing.assert_allclose(activations(model, rows)["block1_conv1"], expected, rtol=1e-5)


def test_activations_of_short_sequences_end_with_them():
    sequences = [image[: 3 + i % 6] for i, image in enumerate(IMAGES)]
    model = RNNClassifier((3, 4), **SHORT).fit(sequences, DIGITS)
    outputs = activations(model, sequences, "hidden1")["hidden1"]
    steps = np.array([len(sequence) for sequence in sequences])
    np.testing.assert_array_equal(np.isfinite(outputs).all(axis=2).sum(axis=1), steps)
    np.testing.assert_allclose(
        outputs, np.array(model.states(sequences)["layer1_hidden"]), rtol=1e-4, atol=1e-6
    )


def test_activations_of_frames_have_steps():
    films = np.stack([IMAGES, IMAGES[::-1]], axis=1)
    model = RNNClassifier(3, filters=(2,), **SHORT).fit(films, DIGITS)
    outputs = activations(model, films)
    assert outputs["frames.module.conv1"].shape == (60, 2, 2, 4, 4)
    one = activations(model, films[:, :1])["frames.module.conv1"]
    np.testing.assert_allclose(outputs["frames.module.conv1"][:, 0], one[:, 0], rtol=1e-5)


def test_activations_of_swapped_sequences_are_swapped():
    X = IMAGES[:, :5]
    model = RNNClassifier((3, 4), data_format="channels_first", **SHORT)
    model.fit(np.moveaxis(X, 1, 2), DIGITS)
    assert activations(model, np.moveaxis(X, 1, 2))["hidden1"].shape == (60, 3, 5)


def test_activations_go_through_the_steps_of_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), MinMaxScaler(), MLPClassifier(5, **SHORT))
    pipeline.fit(X_IRIS, Y_IRIS)
    expected = activations(pipeline[-1], pipeline[:-1].transform(X_IRIS))
    for model in (pipeline, FrozenEstimator(pipeline)):
        outputs = activations(model, X_IRIS)
        np.testing.assert_array_equal(outputs["hidden1"], expected["hidden1"])


def test_activations_do_not_depend_on_how_many_rows_are_given(convnet):
    many = np.tile(IMAGES, (40, 1, 1))
    outputs = activations(convnet, many, "block2_conv1")["block2_conv1"]
    few = activations(convnet, IMAGES, "block2_conv1")["block2_conv1"]
    np.testing.assert_allclose(outputs, np.tile(few, (40, 1, 1, 1)), rtol=1e-5, atol=1e-6)


def test_activations_of_no_rows_are_refused(convnet):
    with pytest.raises(ValueError, match="0 sample"):
        activations(convnet, IMAGES[:0])


def test_an_unknown_layer_is_named_with_those_there_are(convnet):
    with pytest.raises(ValueError, match=r"'block1_conv7'.*'block1_conv1'.*'hidden1'"):
        activations(convnet, IMAGES, "block1_conv7")


def test_a_layer_that_is_not_run_is_named():
    module = nn.Sequential(nn.Linear(4, 3))
    module.add_module("spare", nn.ModuleList([nn.Linear(3, 2)]))
    module.forward = lambda x: module[0](x)
    assert list(activations(module, X_IRIS)) == ["0"]
    with pytest.raises(ValueError, match=r"does not run its layer 'spare.0'"):
        activations(module, X_IRIS, ["spare.0"])


@pytest.mark.parametrize(
    ("model", "error", "text"),
    [
        (MLPClassifier(), NotFittedError, "not fitted"),
        (LogisticRegression(), TypeError, "LogisticRegression"),
        (make_pipeline(StandardScaler(), LogisticRegression()), TypeError, "LogisticRegression"),
    ],
)
def test_models_without_a_network_are_refused(model, error, text):
    with pytest.raises(error, match=text):
        activations(model, X_IRIS)


def test_a_layer_that_puts_out_a_tuple_gives_its_outputs():
    module = nn.Sequential(OrderedDict(lstm=nn.LSTM(8, 3, batch_first=True)))
    expected = module.lstm(torch.tensor(IMAGES, dtype=torch.float32))[0]
    outputs = activations(module, IMAGES)["lstm"]
    np.testing.assert_allclose(outputs, expected.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_layers_overwrite_while_a_net_trains_and_predicts_only(convnet):
    seen = []
    relu = convnet.module_.block1_conv1_activation
    hook = relu.register_forward_pre_hook(lambda layer, inputs: seen.append(layer.inplace))
    convnet.predict(IMAGES)
    hook.remove()
    assert seen == [True]
    assert not relu.inplace


def test_copies_of_a_network_are_plain(convnet):
    module = copy.deepcopy(convnet).module_
    assert not any(getattr(layer, "inplace", False) for layer in module.modules())


@pytest.mark.parametrize("method", ["Saliency", "IntegratedGradients", "DeepLift"])
def test_gradient_explainers_of_captum_run_on_the_network_of_each_family(fitted, method):
    captum = pytest.importorskip("captum.attr", reason="needs captum, of the extra 'explain'")
    model, X = fitted
    if isinstance(model, TextGenerator):
        pytest.skip("reads tokens, which have no gradients")
    module = model.module_
    inputs = torch.tensor(np.asarray(X)[:4], dtype=next(module.parameters()).dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        target = (0,) * (module(inputs).dim() - 1)
        explainer = getattr(captum, method)(module)
        found = explainer.attribute(
            inputs.requires_grad_(), target=target if len(target) > 1 else 0
        )
    assert found.shape == inputs.shape
    assert found.isfinite().all()


RECURRENT = ("RNNClassifier", "RNNRegressor", "RNNAutoencoder")


def explained(model, X):
    """Give a plain network with outputs of shape (n_samples, n_outputs), and some samples."""
    module = model.to_torch()
    if module(torch.tensor(np.asarray(X)[:1], dtype=torch.float32)).dim() > 2:
        module = nn.Sequential(module, nn.Flatten())
    return module, torch.tensor(np.asarray(X)[:6], dtype=torch.float32)


def test_grad_cam_of_captum_runs_on_the_network_of_each_family(fitted):
    captum = pytest.importorskip("captum.attr", reason="needs captum, of the extra 'explain'")
    model, X = fitted
    if isinstance(model, TextGenerator):
        pytest.skip("reads tokens, which have no gradients")
    module, inputs = explained(model, X)
    kinds = nn.Conv2d if any(isinstance(m, nn.Conv2d) for m in module.modules()) else nn.Linear
    layer = next(layer for layer in module.modules() if isinstance(layer, kinds))
    found = captum.LayerGradCam(module, layer).attribute(inputs, target=0)
    with torch.enable_grad():
        outputs = []
        hook = layer.register_forward_hook(lambda *args: outputs.append(args[-1]))
        score = module(inputs)[:, 0].sum()
        hook.remove()
        (gradient,) = torch.autograd.grad(score, outputs[0])
    places = tuple(range(2, gradient.dim()))
    weights = gradient.mean(places, keepdim=True) if places else gradient
    torch.testing.assert_close(found, (weights * outputs[0]).sum(1, keepdim=True))


def test_deep_explanations_of_shap_sum_to_what_the_outputs_differ_by(fitted):
    shap = pytest.importorskip("shap", reason="needs shap")
    model, X = fitted
    if isinstance(model, TextGenerator):
        pytest.skip("reads tokens, which have no gradients")
    if type(model).__name__ in RECURRENT:
        pytest.skip("SHAP has no rule for what the gates of recurrent cells multiply")
    module, inputs = explained(model, X)
    shares = shap.DeepExplainer(module, inputs[2:]).shap_values(inputs[:2])
    outputs = module(inputs).detach().numpy()
    shares = shares.reshape(2, -1, outputs.shape[1]).sum(1)
    np.testing.assert_allclose(shares, outputs[:2] - outputs[2:].mean(0), atol=1e-3)


def test_the_gradient_explainer_of_shap_runs_on_the_network_of_each_family(fitted):
    shap = pytest.importorskip("shap", reason="needs shap")
    model, X = fitted
    if isinstance(model, TextGenerator):
        pytest.skip("reads tokens, which have no gradients")
    module, inputs = explained(model, X)
    shares = shap.GradientExplainer(module, inputs[2:]).shap_values(inputs[:2], rseed=0)
    assert np.isfinite(shares).all()
    assert np.shape(shares)[:-1] == inputs[:2].shape
