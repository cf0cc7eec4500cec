"""GANs: two networks that play against each other."""

import pickle

import numpy as np
import pytest
import torch

from sknn_basics import GAN, ModeCollapseWarning


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
    assert 0.8 < std_x < 1.4 and 0.8 < std_y < 1.4
    assert abs(correlation) < 0.6
    last = {name: values[-3:].mean() for name, values in model.history_.items()}
    assert 0.45 < last["real_confidence"] < 0.55 and 0.45 < last["made_confidence"] < 0.55
    assert 0.6 < last["generator_loss"] < 0.8 and 0.6 < last["discriminator_loss"] < 0.8


@pytest.mark.slow
@pytest.mark.parametrize("slow", [{"solver": "sgd"}, {"learning_rate_init": 2e-4}])
def test_slower_settings_are_not_there_after_13_epochs(slow):
    X = gaussian()
    model = GAN(max_iter=13, random_state=0, **slow).fit(X)
    assert np.abs(model.sample(5000, random_state=0).mean(axis=0) - 5).max() > 0.3


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
        ("discriminator", "generator", lambda: net.train_discriminator(real, net.make(32, None), None)),
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
