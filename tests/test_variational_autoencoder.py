"""Variational autoencoders against independent references."""

import pickle

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.exceptions import NotFittedError
from torch import nn
from torch.distributions import Normal, kl_divergence

from sknn_basics import VariationalAutoencoder
from sknn_basics.modules.layers import NormalSampling

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def images(digits):
    X, _ = digits
    return X[:300]


def small(**parameters):
    defaults = {"hidden_layer_sizes": (20,), "n_components": 3, "max_iter": 3, "random_state": 0}
    return VariationalAutoencoder(**{**defaults, **parameters})


@pytest.fixture
def fixed_noise(monkeypatch):
    """One draw for every sample, known to the test."""
    noise = torch.randn(300, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    monkeypatch.setattr(NormalSampling, "draw", lambda self, x: noise)
    return noise


@pytest.mark.parametrize("beta", [1.0, 4.0])
@pytest.mark.parametrize("loss", ["binary_cross_entropy", "squared_error"])
def test_takes_the_step_of_a_network_written_by_hand(images, fixed_noise, loss, beta):
    model = small(
        beta=beta,
        loss=loss,
        activation="tanh",
        solver="sgd",
        momentum=0.0,
        learning_rate_init=0.01,
        alpha=0,
        batch_size=300,
        shuffle=False,
        max_iter=1,
        dtype="float64",
    )
    encoder = nn.Sequential(nn.Linear(64, 20), nn.Tanh(), nn.Linear(20, 6)).double()
    decoder = nn.Sequential(nn.Linear(3, 20), nn.Tanh(), nn.Linear(20, 64)).double()
    layers = [encoder[0], encoder[2], decoder[0], decoder[2]]
    initial = model.initialize(images).module_
    names = ["encoder.hidden1", "encoder.output", "decoder.hidden1", "decoder.output"]
    for layer, name in zip(layers, names):
        layer.load_state_dict(initial.get_submodule(name).state_dict())

    x = torch.tensor(images)
    mean, log_variance = encoder(x).chunk(2, dim=1)
    latents = Normal(mean, torch.exp(log_variance / 2))
    output = decoder(mean + latents.scale * fixed_noise)
    if loss == "squared_error":
        negative_likelihood = 0.5 * (output - x).square().sum()
    else:
        negative_likelihood = nn.BCELoss(reduction="sum")(torch.sigmoid(output), x)
    divergence = kl_divergence(latents, Normal(0.0, 1.0)).sum()
    objective = (negative_likelihood + beta * divergence) / len(x)
    objective.backward()

    model.fit(images)
    assert model.loss_ == pytest.approx(objective.item(), rel=1e-12)
    for layer, name in zip(layers, names):
        trained = model.module_.get_submodule(name)
        for parameter in ("weight", "bias"):
            own = getattr(layer, parameter)
            expected = (own - 0.01 * own.grad).detach().numpy()
            np.testing.assert_allclose(
                getattr(trained, parameter).numpy(force=True), expected, atol=1e-12
            )


def test_bound_of_a_linear_model_is_its_likelihood_where_the_posterior_is_exact(diabetes):
    """Probabilistic PCA with unit noise, whose posterior is known: the bound is tight."""
    X, _ = diabetes
    options = {"activation": "identity", "dtype": "float64", "loss": "squared_error"}
    model = small(hidden_layer_sizes=(), n_components=1, **options).initialize(X)
    weight = np.linspace(-1, 1, 10)
    precision = 1 + weight @ weight
    with torch.no_grad():
        model.module_.decoder.output.weight.copy_(torch.tensor(weight[:, None]))
        model.module_.decoder.output.bias.zero_()
        # The posterior of the latent is normal, of mean X @ weight / precision.
        model.module_.encoder.output.weight.copy_(
            torch.tensor(np.stack([weight / precision, np.zeros(10)]))
        )
        model.module_.encoder.output.bias.copy_(torch.tensor([0.0, -np.log(precision)]))
    marginal = multivariate_normal(np.zeros(10), np.outer(weight, weight) + np.eye(10))
    # The variance of 16 draws is not quite 1, which moves all bounds by the same amount.
    difference = model.score_samples(X) - marginal.logpdf(X)
    assert np.ptp(difference) < 1e-9
    assert abs(difference.mean()) < 1


def test_score_is_the_mean_bound(images):
    model = small().fit(images)
    assert model.score(images) == pytest.approx(model.score_samples(images).mean(), rel=1e-6)


def test_more_training_raises_the_bound(images):
    assert small(max_iter=60).fit(images).score(images) > small().fit(images).score(images)


def test_score_samples_tells_images_from_noise(digits):
    X, _ = digits
    model = VariationalAutoencoder((64,), 10, max_iter=30, random_state=0).fit(X)
    noise = np.random.RandomState(0).uniform(size=(100, 64))
    assert model.score_samples(noise).max() < np.quantile(model.score_samples(X), 0.01)


def test_transform_returns_the_means(images):
    model = small().fit(images)
    mean, std = model.latent_distribution(images)
    np.testing.assert_array_equal(model.transform(images), mean)
    assert mean.shape == std.shape == (300, 3)
    assert (std > 0).all()
    np.testing.assert_array_equal(model.reconstruct(images), model.inverse_transform(mean))


def test_sampled_latents_have_their_distribution(images):
    model = small().fit(images)
    mean, std = model.latent_distribution(images)
    rng = np.random.RandomState(0)
    standard = [(model.sample_latents(images, rng) - mean) / std for _ in range(20)]
    assert np.mean(standard) == pytest.approx(0, abs=0.03)
    assert np.std(standard) == pytest.approx(1, abs=0.03)


def test_more_beta_brings_latents_closer_to_the_unit_normal(images):
    deviation = [
        np.abs(small(beta=beta, max_iter=60).fit(images).transform(images)).mean()
        for beta in (0.1, 10.0)
    ]
    assert deviation[1] < deviation[0] / 2


def test_samples_are_decoded_draws_of_the_unit_normal(images):
    model = small().fit(images)
    noise = np.random.RandomState(3).standard_normal((5, 3))
    np.testing.assert_array_equal(model.sample(5, random_state=3), model.inverse_transform(noise))


def test_same_seed_gives_the_same_samples_in_a_loaded_model(images):
    model = small().fit(images)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.sample(5, random_state=0), model.sample(5, random_state=0))
    np.testing.assert_array_equal(
        loaded.sample_latents(images, random_state=0), model.sample_latents(images, random_state=0)
    )
    np.testing.assert_array_equal(loaded.score_samples(images), model.score_samples(images))


def test_same_seed_gives_the_same_bits_and_leaves_the_global_state_alone(images):
    state = torch.get_rng_state(), np.random.get_state()[1].copy()
    first, second = (small().fit(images) for _ in range(2))
    np.testing.assert_array_equal(first.transform(images), second.transform(images))
    first.score(images)
    first.sample(2, random_state=0)
    assert (torch.get_rng_state() == state[0]).all()
    assert (np.random.get_state()[1] == state[1]).all()


def test_early_stopping_watches_the_bound(images):
    model = small(early_stopping=True, max_iter=4).fit(images)
    assert model.validation_scores_[-1] == pytest.approx(model.score(images), rel=0.3)
    model = small().fit(images[:200], X_val=images[200:])
    assert model.validation_scores_[-1] == pytest.approx(model.score(images[200:]), rel=1e-5)


def test_partial_fit_draws_anew(images):
    model = small().partial_fit(images)
    first = model.transform(images)
    assert not np.array_equal(model.partial_fit(images).transform(images), first)
    assert model.t_ == 600


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"beta": -1}, "'beta' parameter"),
        ({"n_components": 0}, "'n_components' parameter"),
        ({"solver": "lbfgs"}, "drawn at random"),
    ],
    ids=str,
)
def test_wrong_parameters_raise(images, parameters, message):
    with pytest.raises(ValueError, match=message):
        small(**parameters).fit(images)


@pytest.mark.parametrize(
    "use",
    [
        lambda model, X: model.transform(X),
        lambda model, X: model.inverse_transform(X[:, :3]),
        lambda model, X: model.reconstruct(X),
        lambda model, X: model.score_samples(X),
        lambda model, X: model.score(X),
        lambda model, X: model.extract_decoder(),
        lambda model, X: model.latent_distribution(X),
        lambda model, X: model.sample_latents(X),
        lambda model, X: model.sample(),
    ],
)
def test_use_before_a_fit_raises(images, use):
    with pytest.raises(NotFittedError):
        use(small(), images)


def test_number_of_samples_must_be_positive(images):
    model = small().fit(images)
    with pytest.raises(ValueError, match="n_samples"):
        model.sample(0)
    with pytest.raises(TypeError, match="n_samples"):
        model.sample(1.5)
