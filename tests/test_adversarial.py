"""GANs: two networks that play against each other."""

import pickle

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC
from skorch.callbacks import Callback
from torch import nn

from sknn_basics import GAN, ConvGAN, ModeCollapseWarning, from_json
from sknn_basics.architectures import GAUSSIAN_GAN, POOLED_GAN, STRIDED_GAN
from sknn_basics.displays import (
    GeneratedSamplesDisplay,
    SampleHistoryDisplay,
    TrainingCurveDisplay,
)
from sknn_basics.inspection import blend, interpolate, latent_path, perturb
from sknn_basics.modules.adversarial import SpectralNorm
from sknn_basics.modules.layers import Linear
from sknn_basics.parallel import stacked
from sknn_basics.training.adversarial import RecordSamples


def gaussian(n_samples: int = 10_000) -> np.ndarray:
    """Points around (5, 5), of standard deviation 1."""
    return np.random.RandomState(0).normal(5, 1, size=(n_samples, 2))


@pytest.fixture(scope="module")
def small():
    return gaussian(200)


@pytest.fixture(scope="module")
def classes():
    return np.arange(200) % 3


@pytest.fixture(scope="module")
def fitted(small):
    return GAN(max_iter=3, random_state=0).fit(small)


def state_of(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def are_same(before: dict, after: dict) -> bool:
    return all(torch.equal(before[name], after[name]) for name in before)


# The two-dimensional Gaussian.


@pytest.mark.slow
@pytest.mark.parametrize(("round", "largest"), [("joint", 0.3), ("alternate", 0.7)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_learns_a_gaussian_within_13_epochs(round, largest, seed):
    X, moments = gaussian(), []
    model = GAN(round=round, random_state=seed)
    for epoch in range(13):
        model.partial_fit(X)
        if epoch >= 10:
            samples = model.sample(5000, random_state=0)
            correlation = np.corrcoef(samples.T)[0, 1]
            moments.append([*samples.mean(axis=0), *samples.std(axis=0), correlation])
    *means, std_x, std_y, correlation = np.mean(moments, axis=0)
    assert np.abs(np.subtract(means, 5)).max() < largest
    if round == "joint":
        assert 0.8 < min(std_x, std_y) < max(std_x, std_y) < 1.4
        assert abs(correlation) < 0.6
    last = {name: values[-3:].mean() for name, values in model.history_.items()}
    for player in ("real", "made"):
        assert 0.45 < last[f"{player}_confidence"] < 0.55
    for player in ("generator", "discriminator"):
        assert 0.6 < last[f"{player}_loss"] < 0.8


@pytest.mark.slow
@pytest.mark.parametrize("slow", [{"solver": "sgd"}, {"learning_rate_init": 2e-4}])
def test_slower_settings_do_not_get_there_in_all_of_three_seeds(slow):
    X, errors = gaussian(), []
    for seed in range(3):
        model = GAN(max_iter=13, random_state=seed, **slow).fit(X)
        errors.append(np.abs(model.sample(5000, random_state=0).mean(axis=0) - 5).max())
    assert max(errors) > 0.3


def test_an_untrained_generator_is_far_off(small):
    samples = GAN(random_state=0).initialize(small).sample(1000, random_state=0)
    assert np.linalg.norm(samples - 5, axis=1).mean() > 4


# The players leave each other alone.

STATEFUL = {"normalization": "batch", "batch_variety": True, "spectral_normalization": True}


@pytest.mark.parametrize("options", [{}, STATEFUL, {**STATEFUL, "solver": "adamw"}])
def test_a_step_of_one_player_leaves_the_other_as_it_was(small, options):
    model = GAN(max_iter=1, random_state=0, **options).fit(small)
    net, real = model.net_, torch.tensor(small[:32])
    model.module_.train()
    net.noise = torch.Generator().manual_seed(0)
    net.recorded_ = {"real": [], "made": [], "generator": []}
    for player, other, step in [
        ("generator", "discriminator", lambda: net.train_generator(32, None)),
        (
            "discriminator",
            "generator",
            lambda: net.train_discriminator(real, net.make(32, None), None),
        ),
    ]:
        before = {name: state_of(getattr(model.module_, name)) for name in (player, other)}
        moments = pickle.dumps([net.optimizer_.state[p] for p in net.parameters_of_[other]])
        step()
        assert are_same(before[other], getattr(model.module_, other).state_dict())
        assert not are_same(before[player], getattr(model.module_, player).state_dict())
        assert pickle.dumps([net.optimizer_.state[p] for p in net.parameters_of_[other]]) == moments


# Samples.


def test_samples_repeat_for_a_seed_also_without_the_discriminator_and_when_loaded(fitted):
    samples = fitted.sample(5, random_state=0)
    assert samples.shape == (5, 2)
    for other in (fitted, pickle.loads(pickle.dumps(fitted)), fitted.extract_generator()):
        assert np.array_equal(other.sample(5, random_state=0), samples)
    Z = fitted.sample_latents(5, random_state=0)
    assert np.array_equal(fitted.inverse_transform(Z), samples)


def test_the_same_seed_gives_the_same_bits_also_when_training_goes_on_from_a_file(small):
    first, second = (GAN(max_iter=2, random_state=0).fit(small) for _ in range(2))
    assert np.array_equal(first.sample(9, random_state=1), second.sample(9, random_state=1))
    second = pickle.loads(pickle.dumps(second))
    for model in (first, second):
        model.partial_fit(small)
    assert np.array_equal(first.sample(9, random_state=1), second.sample(9, random_state=1))


# Collapse.


def test_a_constant_generator_is_told_to_have_collapsed(small):
    model = GAN(random_state=0, learning_rate_init=1e-12).fit(small)
    for parameter in model.module_.generator.parameters():
        parameter.data.zero_()
    with pytest.warns(ModeCollapseWarning, match="epoch 16"):
        model.partial_fit(small)
    assert model.history_["variety"][-1] < 0.01


@pytest.mark.filterwarnings("error::sknn_basics.ModeCollapseWarning")
def test_ordinary_training_does_not_warn_of_a_collapse():
    GAN(max_iter=5, random_state=0).fit(gaussian(2000))


def ring(n_samples: int) -> np.ndarray:
    """Eight Gaussians of standard deviation 0.05, in a ring of radius 2."""
    rng = np.random.RandomState(0)
    angles = 2 * np.pi * rng.randint(8, size=n_samples) / 8
    return 2 * np.column_stack([np.cos(angles), np.sin(angles)]) + rng.normal(
        0, 0.05, size=(n_samples, 2)
    )


def count_modes(samples: np.ndarray) -> int:
    """Count the Gaussians that 50 samples or more are near to."""
    angles = 2 * np.pi * np.arange(8) / 8
    centers = 2 * np.column_stack([np.cos(angles), np.sin(angles)])
    distances = np.linalg.norm(samples[:, None] - centers, axis=2)
    near = distances.min(axis=1) < 0.5
    return np.count_nonzero(np.bincount(distances.argmin(axis=1)[near], minlength=8) >= 50)


RING = {
    "generator_layer_sizes": (64, 64),
    "discriminator_layer_sizes": (64, 64),
    "latent": "normal",
    "batch_size": 128,
    "max_iter": 60,
}


@pytest.mark.slow
def test_with_batch_variety_there_are_at_least_as_many_modes():
    X, modes = ring(4000), {}
    for batch_variety in (False, True):
        models = [
            GAN(**RING, batch_variety=batch_variety, random_state=seed).fit(X) for seed in range(3)
        ]
        modes[batch_variety] = [count_modes(m.sample(1000, random_state=0)) for m in models]
    assert np.mean(modes[True]) >= np.mean(modes[False])


def test_the_variety_of_a_batch_does_not_matter_to_what_is_told_of_a_sample(small):
    model = GAN(max_iter=2, batch_variety=True, random_state=0).fit(small)
    assert np.allclose(model.score_samples(small)[:3], model.score_samples(small[:3]), rtol=1e-12)


# Networks and losses.


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def test_the_gaussian_architecture_has_the_parameters_of_the_course(small):
    model = GAN(**GAUSSIAN_GAN).initialize(small)
    assert (count(model.generator_), count(model.discriminator_)) == (114, 337)


def test_the_pooled_architecture_has_the_parameters_of_the_course():
    model = ConvGAN(**POOLED_GAN).initialize(np.zeros((2, 28, 28), np.uint8))
    assert (count(model.generator_), count(model.discriminator_)) == (6_751_233, 6_631_169)


def test_the_strided_architecture_normalises_all_but_the_first_and_the_last_convolution():
    model = ConvGAN(**STRIDED_GAN(width=0.125)).initialize(np.zeros((2, 28, 28), np.uint8))
    layers = {name for name, layer in model.module_.named_modules() if "normalization" in name}
    assert layers == {
        "generator.input.images_normalization",
        "generator.block1_normalization",
        "discriminator.body.block2_conv1_normalization",
    }


LOSSES = {
    "hinge": {"loss": "hinge"},
    "wasserstein": {"loss": "wasserstein"},
    "spectral": {"loss": "wasserstein", "spectral_normalization": True},
    "R1": {"gradient_penalty": 0.1},
    "smooth labels": {"label_smoothing": 0.1},
    "average": {"average_decay": 0.9},
    "two generator steps": {"generator_steps": 2},
    "two discriminator steps": {"discriminator_steps": 2, "learning_rate_init": 2e-3},
    "functions": {
        "loss": (
            lambda logits, is_real: (logits - float(is_real)).square(),
            lambda logits: (logits - 1).square(),
        )
    },
}


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_brings_samples_nearer_to_the_data(name):
    X = gaussian(2000)
    model = GAN(max_iter=15, random_state=0, **LOSSES[name])
    before = model.initialize(X).score(X)
    assert model.fit(X).score(X) > before + 0.3


def test_the_gradient_penalty_is_that_of_finite_differences(small):
    model = GAN(max_iter=1, random_state=0, gradient_penalty=1.0).fit(small)
    X, step = small[:4], 1e-6
    slopes = [
        (model.score_samples(X + step * axis) - model.score_samples(X - step * axis)) / (2 * step)
        for axis in np.eye(2)
    ]
    penalty = model.net_.penalise(torch.tensor(X), None, None).item()
    assert penalty == pytest.approx(0.5 * np.square(slopes).sum(axis=0).mean(), rel=1e-6)


def test_spectral_normalization_gives_weights_a_largest_singular_value_of_one():
    layer = Linear(6, 4)
    nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(0))
    nn.init.zeros_(layer.bias)
    normalised = SpectralNorm(layer)
    for _ in range(200):
        normalised(torch.zeros(1, 6))
    weight = normalised.eval()(torch.eye(6)).detach()
    assert torch.linalg.svdvals(weight)[0].item() == pytest.approx(1, rel=1e-4)


def test_the_average_follows_the_weights_of_the_generator(small):
    model = GAN(max_iter=1, batch_size=200, average_decay=0.75, random_state=0)
    first = state_of(model.initialize(small).module_.generator)
    model.partial_fit(small)
    for name, last in model.module_.generator.state_dict().items():
        expected = 0.75 * first[name] + 0.25 * last
        assert torch.allclose(model.generator_.state_dict()[name], expected, rtol=1e-12)


@pytest.mark.filterwarnings("ignore::sknn_basics.ModeCollapseWarning")
def test_modules_of_the_user_play_and_are_saved(small):
    class Judge(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))

        def forward(self, x):
            return self.layers(x)[:, 0]

    model = GAN(
        generator=nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)),
        discriminator=nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1)),
        max_iter=2,
        random_state=0,
    )
    given = state_of(model.generator)
    samples = model.fit(small).sample(3, random_state=0)
    assert are_same(given, model.generator.state_dict())  # a copy is trained
    loaded = pickle.loads(pickle.dumps(model))
    assert np.array_equal(loaded.sample(3, random_state=0), samples)
    for trained in (model, loaded):
        trained.partial_fit(small)
    assert np.array_equal(loaded.sample(3, random_state=0), model.sample(3, random_state=0))
    samples = model.sample(3, random_state=0)
    assert np.array_equal(model.extract_generator().sample(3, random_state=0), samples)
    assert clone(model).set_params(discriminator=Judge()).fit(small).n_iter_ == 2


def test_a_loss_that_is_no_tensor_is_refused_by_name(small):
    with pytest.raises(TypeError, match="loss must be functions of logits"):
        GAN(loss=(lambda logits, is_real: 0.0, lambda logits: 0.0)).fit(small)


# Classes.


def test_a_conditional_gan_makes_samples_of_the_class_that_is_asked_for():
    rng = np.random.RandomState(0)
    y = np.array(["low", "high"])[rng.randint(2, size=4000)]
    X = rng.normal(0, 0.5, size=(4000, 2)) + np.where(y == "low", -2.0, 2.0)[:, None]
    model = GAN(max_iter=20, random_state=0).fit(X, y)
    for label, center in (("low", -2), ("high", 2)):
        samples = model.sample(500, random_state=0, y=label)
        assert np.abs(samples.mean(axis=0) - center).max() < 1
        alone = model.extract_generator(y=label).sample(500, random_state=0)
        assert np.array_equal(alone, samples)
    both = model.sample(4, random_state=0, y=["low", "high", "low", "high"])
    assert (both.mean(axis=1) > 0).tolist() == [False, True, False, True]
    assert model.score_samples(X, y).mean() > model.score_samples(-X, y).mean() + 1


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda m, X: m.sample(2, y=9), "not among those of the fit"),
        (lambda m, X: m.sample(2, y=[0]), "2 classes"),
        (lambda m, X: m.inverse_transform(np.zeros((2, 4))), "y is missing"),
        (lambda m, X: m.extract_generator(), "y is missing"),
        (lambda m, X: m.partial_fit(X), "know classes"),
        (lambda m, X: m.partial_fit(X, np.full(200, 9)), "not among those of the fit"),
    ],
)
def test_classes_are_asked_for_by_name(small, classes, call, match):
    model = GAN(max_iter=1, random_state=0).fit(small, classes)
    with pytest.raises(ValueError, match=match):
        call(model, small)


def test_classes_that_were_not_fitted_to_are_refused(fitted, small):
    for call in (fitted.sample, fitted.extract_generator):
        with pytest.raises(ValueError, match=r"fit\(X, y\)"):
            call(y=1)
    with pytest.raises(ValueError, match="y holds the classes"):
        GAN().fit(small, small[:, 0])


# Bad input.


@pytest.mark.parametrize(
    ("parameters", "X", "match"),
    [
        ({}, [[1.0, 2.0]], "at least 2"),
        ({}, [[1.0, np.nan], [0.0, 1.0]], "NaN"),
        ({}, np.zeros((4, 2, 2)), "flatten the samples, or take a ConvGAN"),
        ({"loss": "wasserstein", "round": "alternate"}, np.eye(4), "round='joint'"),
        ({"loss": "hinge", "label_smoothing": 0.1}, np.eye(4), "label_smoothing"),
        ({"loss": (len,)}, np.eye(4), "pair of functions"),
        (
            {"latent": lambda n, k, g: np.zeros((n, 1))},
            np.eye(4),
            "latent must make finite latent variables of shape",
        ),
        ({"latent": lambda n, k, g: np.full((n, k), np.nan)}, np.eye(4), "finite latent variables"),
        ({"generator": nn.Linear(4, 3)}, np.eye(4), "generator must map 4 latent variables to 4 "),
        ({"generator": nn.Linear(5, 4)}, np.eye(4), "generator must map 4 latent variables to 4 "),
        ({"discriminator": nn.Linear(4, 2)}, np.eye(4), "discriminator must map samples"),
        ({"discriminator": nn.Linear(3, 1)}, np.eye(4), "discriminator must map samples"),
        (
            {"discriminator": nn.Linear(4, 1), "batch_variety": True},
            np.eye(4),
            "batch_variety=True",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:Got `batch_size`")
def test_bad_input_is_refused_by_name(parameters, X, match):
    model = GAN(**parameters)
    with pytest.raises(ValueError, match=match):
        model.fit(X)
    assert not hasattr(model, "module_")


def test_a_batch_larger_than_the_data_is_cut_with_a_warning(small):
    with pytest.warns(UserWarning, match="batch_size=32, n_samples=20"):
        model = GAN(max_iter=1).fit(small[:20])
    assert model.net_.batch_size == 20


def test_a_refused_call_keeps_the_model(small):
    model = GAN(max_iter=1, random_state=0, out_activation="tanh").fit(small)
    before = model.sample(3, random_state=0)
    with pytest.raises(ValueError, match="out_activation='tanh'"):
        model.partial_fit(100 * small)
    assert np.array_equal(model.sample(3, random_state=0), before)


@pytest.mark.parametrize(
    ("convert", "low", "high"),
    [
        (lambda X: (255 * X).astype(np.uint8), 0, 255),
        (lambda X: X, 0, 1),
        (lambda X: 2 * X - 1, -1, 1),
        (lambda X: 16 * X, 0, 16),
    ],
)
def test_samples_of_a_bounded_output_have_the_scale_of_the_images(digits, convert, low, high):
    X = convert(digits[0][:200])
    model = ConvGAN((4, 8), n_components=4, max_iter=2, batch_size=32, random_state=0).fit(X)
    samples = model.sample(50, random_state=0)
    assert low <= samples.min() < samples.max() <= high
    middle = (low + high) / 2
    assert abs(samples.mean() - middle) < 0.35 * (high - low)
    bytes_ = model.sample(50, random_state=0, dtype="uint8")
    assert bytes_.dtype == np.uint8
    assert np.array_equal(bytes_, np.rint((samples - low) * (255 / (high - low))))


# Images.

LAYOUTS = {
    "rows": ((64,), "auto"),
    "grey": ((8, 8), "auto"),
    "channels last": ((8, 8, 3), "auto"),
    "channels first": ((3, 8, 8), "channels_first"),
    "odd sides": ((7, 5), "auto"),
    "strips": ((12,), "auto"),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("upsample", ["repeat", "stride"])
@pytest.mark.filterwarnings("ignore")
def test_samples_have_the_shape_of_the_images(name, upsample):
    shape, data_format = LAYOUTS[name]
    X = np.random.RandomState(0).uniform(size=(12, *shape))
    model = ConvGAN((2, 3), (5,), 4, upsample=upsample, data_format=data_format, max_iter=1)
    model.fit(X)
    assert model.sample(3, random_state=0).shape == (3, *shape)
    assert model.score_samples(X).shape == (12,)


@pytest.mark.slow
def test_digits_are_of_all_classes_after_40_epochs():
    X, y = load_digits(return_X_y=True)
    classifier = SVC().fit(X, y)
    parameters = {"n_components": 16, "batch_size": 64, "max_iter": 40, "random_state": 0}
    model = ConvGAN(**{**STRIDED_GAN(width=0.5), **parameters}).fit(X)
    predicted = classifier.predict(model.sample(1000, random_state=1))
    assert np.count_nonzero(np.bincount(predicted, minlength=10) > 20) >= 9
    assert -model.score(X) < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_the_defaults_are_near_to_digits_after_15_epochs(digits, seed):
    model = ConvGAN((16, 32), n_components=16, max_iter=15, random_state=seed).fit(digits[0])
    assert -model.score(digits[0]) < 0.03


def test_networks_that_grow_keep_their_layers_and_the_shape_of_samples(digits):
    X = digits[0][:64].reshape(-1, 8, 8)
    model = ConvGAN((3, 4), n_components=4, grow=(4, 8), max_iter=2, batch_size=32, random_state=0)
    shapes, sizes = {}, []
    for _ in range(4):
        model.partial_fit(X)
        shapes[len(shapes)] = {n: p.shape for n, p in model.module_.named_parameters()}
        samples = model.sample(2, random_state=0)
        assert samples.shape == (2, 8, 8)
        blocks = samples.reshape(2, 4, 2, 4, 2)
        sizes.append(4 if np.array_equal(blocks[:, :, 0], blocks[:, :, 1]) else 8)
    assert model.history_["growth"].tolist() == [0, 0, 1, 1]
    assert sizes == [4, 4, 8, 8]
    assert shapes[0] == shapes[3]


def test_the_layers_of_a_smaller_size_are_the_same_when_the_next_one_begins(digits):
    X = digits[0][:64].reshape(-1, 8, 8)
    parameters = {"n_components": 4, "grow": (4, 8), "batch_size": 32, "random_state": 0}
    model = ConvGAN((3, 4), max_iter=1, **parameters).fit(X)
    small = ConvGAN((3, 4), max_iter=1, **parameters)
    small.partial_fit(X)
    before = state_of(small.module_)
    # A step of nothing leaves them, and goes on with the next size.
    small.set_params(learning_rate_init=1e-30, discriminator_learning_rate_init=1e-30)
    small.partial_fit(X)
    assert float(small.generator_.growth) == float(model.generator_.growth) == 1
    after = small.module_.state_dict()
    for name, value in before.items():
        if not name.endswith(("growth", "running_mean", "running_var", "num_batches_tracked")):
            assert torch.allclose(after[name], value, rtol=0, atol=1e-25)


def test_a_new_size_is_faded_in():
    X = np.random.RandomState(0).uniform(size=(16, 4, 4))
    model = ConvGAN((2, 2), n_components=2, grow=(2, 4), max_iter=4, batch_size=16).fit(X)
    assert model.history_["growth"].tolist() == [0, 0, 0, 0, 0.5, 1, 1, 1]


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"grow": (3, 8)}, "grow must list"),
        ({"grow": (2, 4)}, "grow must list"),
        ({"grow": (2, 4, 8)}, "filters must have one number for each"),
        ({"grow": (4, 8), "generator": nn.Linear(100, 64)}, "grow=.* own"),
        ({"generator_normalization": ("batch",) * 3}, "generator_normalization"),
        ({"filters": (4, 4, 4, 4, 4), "downsample": "max"}, "cannot be divided"),
    ],
)
def test_networks_that_do_not_fit_the_images_are_refused_by_name(digits, parameters, match):
    with pytest.raises(ValueError, match=match):
        ConvGAN(**{"filters": (4, 8), **parameters}).fit(digits[0])


# Tools of scikit-learn.


def test_a_search_finds_the_rate_whose_samples_are_nearest():
    X = gaussian(1000)
    search = GridSearchCV(GAN(random_state=0), {"learning_rate_init": [1e-6, 2e-3]}, cv=2)
    assert search.fit(X).best_params_ == {"learning_rate_init": 2e-3}


def test_the_score_is_minus_the_squared_discrepancy_and_the_same_each_time(fitted, small):
    score = fitted.score(small)
    assert score == fitted.score(small) < 0
    rng = np.random.RandomState(0)
    made = fitted.sample(len(small), rng)

    def distances(X, Y):
        return np.square(X[:, None] - Y).sum(axis=2)

    among = distances(small, small)
    width = 2 * np.median(among[among > 0])
    terms = [
        np.exp(-distances(*pair) / width).mean()
        for pair in [(small, small), (made, made), (small, made)]
    ]
    assert score == pytest.approx(-(terms[0] + terms[1] - 2 * terms[2]), rel=1e-9)


def test_the_score_does_not_depend_on_the_scale_of_the_data(small):
    scores = [
        GAN(max_iter=1, out_activation="tanh", random_state=0).fit(X).score(X)
        for X in (small, 1e200 * small)
    ]
    assert scores[0] == pytest.approx(scores[1], rel=1e-9)


def test_weights_and_text_make_the_same_estimator(fitted, tmp_path):
    fitted.save_weights(tmp_path / "gan.npz")
    other = from_json(fitted.to_json()).load_weights(tmp_path / "gan.npz")
    assert np.array_equal(other.sample(3, random_state=0), fitted.sample(3, random_state=0))


def test_a_warm_start_goes_on_with_both_networks(small):
    model = GAN(max_iter=2, warm_start=True, random_state=0).fit(small).fit(small)
    assert len(model.history_["generator_loss"]) == 4
    with pytest.raises(ValueError, match="generator_layer_sizes"):
        model.set_params(generator_layer_sizes=(3,)).fit(small)


def test_gans_are_trained_alone_where_others_are_stacked_and_the_report_says_why(small):
    models = [GAN(max_iter=1, random_state=seed) for seed in range(2)]
    alone = [clone(model).fit(small).sample(3, random_state=0) for model in models]
    with stacked() as report:
        fitted = Parallel()(delayed(model.fit)(small) for model in models)
    for model, samples in zip(fitted, alone):
        assert np.array_equal(model.sample(3, random_state=0), samples)
    assert {training.way for training in report.trainings} == {
        "alone: two networks take turns in its steps"
    }


def test_callbacks_see_batches_and_gradients_of_both_players_and_change_nothing(small):
    class Watch(Callback):
        n_batches = n_gradients = 0

        def on_batch_end(self, net, **kwargs):
            self.n_batches += 1

        def on_grad_computed(self, net, named_parameters, **kwargs):
            self.n_gradients += 1

    watch = Watch()
    watched = GAN(max_iter=2, callbacks=[watch], random_state=0).fit(small)
    assert (watch.n_batches, watch.n_gradients) == (14, 28)
    plain = GAN(max_iter=2, random_state=0).fit(small)
    assert np.array_equal(watched.sample(3, random_state=0), plain.sample(3, random_state=0))


def test_an_interrupted_training_keeps_its_whole_epochs_and_goes_on(small):
    class Interrupt(Callback):
        def on_batch_end(self, net, **kwargs):
            if len(net.history) == 3:
                raise KeyboardInterrupt

    model = GAN(max_iter=5, callbacks=[Interrupt()], normalization="batch", random_state=0)
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(small)
    assert len(model.history_["generator_loss"]) == model.n_iter_ == 2
    assert not model.module_.training
    assert model.set_params(callbacks=None).partial_fit(small).n_iter_ == 1


def test_a_training_that_fails_brings_both_networks_back(small):
    class Fail(Callback):
        def on_batch_end(self, net, **kwargs):
            raise RuntimeError("no")

    model = GAN(max_iter=1, average_decay=0.9, normalization="batch", random_state=0).fit(small)
    before = state_of(model.module_)
    with pytest.raises(RuntimeError, match="no"):
        model.set_params(callbacks=[Fail()]).partial_fit(small)
    assert are_same(before, model.module_.state_dict())


def test_global_random_state_is_left_alone(small):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    GAN(max_iter=1, dropout=0.5).fit(small).sample(3)
    assert torch.equal(torch.get_rng_state(), before)


# Pictures and latents.


def test_latents_are_blended_without_an_encoder(fitted):
    Z = fitted.sample_latents(4, random_state=0)
    path = interpolate(fitted, Z[:2], Z[2:], n_steps=3, space="latent")
    ends = fitted.inverse_transform(Z)
    assert np.allclose(path[:, 0], ends[:2], rtol=1e-12)
    assert np.allclose(path[:, -1], ends[2:], rtol=1e-12)
    half = blend(fitted.extract_generator(), Z[:2], Z[2:], space="latent")
    assert np.allclose(half, path[:, 1], rtol=1e-12)
    assert latent_path(fitted, Z, n_steps=2).shape == (7, 2)
    assert np.array_equal(perturb(fitted, Z, 0.0, space="latent"), ends)
    with pytest.raises(ValueError, match="space='latent'"):
        interpolate(fitted, ends[:2], ends[2:])


def test_samples_are_recorded_of_the_same_latents(small):
    record = RecordSamples(n_samples=5, every=2)
    model = GAN(max_iter=4, callbacks=[record], random_state=0, out_activation="tanh").fit(small)
    assert record.epochs_ == [2, 4]
    assert not np.array_equal(*record.samples_)
    noise = torch.Generator().manual_seed(0)
    Z = torch.rand(5, 4, generator=noise).numpy()
    assert np.allclose(record.samples_[-1], model.inverse_transform(Z), rtol=1e-12)
    corner = [[record.extent_[0], record.extent_[2]]]
    assert np.allclose(record.confidences_[-1][0, 0], model.discriminate(corner), rtol=1e-12)


def test_recording_changes_nothing(small):
    plain, recorded = (
        GAN(max_iter=2, callbacks=callbacks, dropout=0.1, random_state=0).fit(small)
        for callbacks in (None, [RecordSamples()])
    )
    assert np.array_equal(plain.sample(3, random_state=0), recorded.sample(3, random_state=0))


def test_the_curves_of_a_gan_have_a_line_of_indifference(fitted):
    display = TrainingCurveDisplay.from_estimator(fitted)
    names = {name for _, name in display.lines_}
    assert names == {
        *("generator_loss", "discriminator_loss", "real_confidence", "made_confidence")
    }
    lines = [ax.get_lines()[-1].get_ydata()[0] for ax in display.axes_]
    assert lines == [np.log(2), 0.5]


def test_real_images_are_drawn_before_made_ones(digits):
    X = digits[0][:100]
    model = ConvGAN((4, 8), n_components=4, max_iter=1, random_state=0).fit(X)
    display = GeneratedSamplesDisplay.from_estimator(model, X, n_samples=6, n_columns=3)
    assert len(display.images_) == 12
    labels = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert labels == ["real", "", "made", ""]
    assert np.array_equal(display.made.reshape(6, 64), model.sample(6, random_state=0))


def test_the_history_of_images_has_a_row_for_each_epoch(digits):
    X = digits[0][:100]
    record = RecordSamples(n_samples=3)
    ConvGAN((4, 8), n_components=4, max_iter=2, callbacks=[record], random_state=0).fit(X)
    display = SampleHistoryDisplay.from_callback(record)
    assert len(display.images_) == 6
    labels = [text.get_text() for text in display.axes_[0].get_yticklabels()]
    assert labels == ["Epoch 1", "Epoch 2"]


def test_the_film_of_a_game_shows_points_and_confidences(small):
    record = RecordSamples(n_samples=7)
    GAN(max_iter=2, callbacks=[record], random_state=0).fit(small)
    display = SampleHistoryDisplay.from_callback(record, small)
    assert [len(points.get_offsets()) for points in display.points_] == [7, 7]
    assert np.array_equal(display.images_[1].get_array(), record.confidences_[1])
