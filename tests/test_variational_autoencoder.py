"""Variational autoencoders against independent references."""

import copy
import pickle

import joblib
import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from torch import nn
from torch.distributions import Normal, kl_divergence

from sknn_basics import VariationalAutoencoder, VariationalConvAutoencoder, from_json
from sknn_basics.datasets import load_fashion_mnist
from sknn_basics.modules.layers import NormalSampling
from sknn_basics.training.losses import SquaredError, VariationalLoss

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
@pytest.mark.parametrize(
    ("loss", "variance"),
    [
        ("binary_cross_entropy", "auto"),
        ("squared_error", 1.0),
        ("squared_error", 0.25),
        ("squared_error", "auto"),
    ],
)
def test_takes_the_step_of_a_network_written_by_hand(images, fixed_noise, loss, variance, beta):
    model = small(
        beta=beta,
        loss=loss,
        noise_variance=variance,
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
        # The variance that is learnt is the one where the likelihood of the batch is largest.
        scale = (
            (output - x).square().mean().detach() if variance == "auto" else x.new_tensor(variance)
        )
        negative_likelihood = 0.5 * ((output - x).square() / scale + scale.log()).sum()
    else:
        negative_likelihood = nn.BCELoss(reduction="sum")(torch.sigmoid(output), x)
    divergence = kl_divergence(latents, Normal(0.0, 1.0)).sum()
    objective = (negative_likelihood + beta * divergence) / len(x)
    objective.backward()

    model.fit(images)
    assert model.loss_ == pytest.approx(objective.item(), rel=1e-12)
    history = {name: values[-1] for name, values in model.history_.items()}
    assert history["train_kl"] == pytest.approx(divergence.item() / len(x), rel=1e-10)
    likelihood = negative_likelihood.item() / len(x)
    assert history["train_reconstruction"] == pytest.approx(likelihood, rel=1e-10)
    if loss == "squared_error":
        assert model.noise_variance_ == pytest.approx(scale.item(), rel=1e-10)
    for layer, name in zip(layers, names):
        trained = model.module_.get_submodule(name)
        for parameter in ("weight", "bias"):
            own = getattr(layer, parameter)
            expected = (own - 0.01 * own.grad).detach().numpy()
            np.testing.assert_allclose(
                getattr(trained, parameter).numpy(force=True), expected, atol=1e-12
            )


@pytest.mark.parametrize("variance", [1.0, 0.2, 5.0])
def test_bound_of_a_linear_model_is_its_likelihood_where_the_posterior_is_exact(diabetes, variance):
    """Probabilistic PCA, whose posterior is known: the bound is tight, constants included."""
    X, _ = diabetes
    options = {"activation": "identity", "dtype": "float64", "noise_variance": variance}
    model = small(hidden_layer_sizes=(), n_components=1, **options).initialize(X)
    weight = np.linspace(-1, 1, 10)
    precision = 1 + weight @ weight / variance
    with torch.no_grad():
        model.module_.decoder.output.weight.copy_(torch.tensor(weight[:, None]))
        model.module_.decoder.output.bias.zero_()
        # The posterior of the latent is normal, of mean X @ weight / precision.
        model.module_.encoder.output.weight.copy_(
            torch.tensor(np.stack([weight / variance / precision, np.zeros(10)]))
        )
        model.module_.encoder.output.bias.copy_(torch.tensor([0.0, -np.log(precision)]))
    marginal = multivariate_normal(np.zeros(10), np.outer(weight, weight) + variance * np.eye(10))
    # The variance of 16 draws is not quite 1, which moves all bounds by the same amount.
    difference = model.score_samples(X) - marginal.logpdf(X)
    assert np.ptp(difference) < 1e-9
    assert abs(difference.mean()) < 0.5


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


# Collapse.


@pytest.mark.filterwarnings("error:The posterior has collapsed")
@pytest.mark.parametrize("kind", [VariationalAutoencoder, VariationalConvAutoencoder])
def test_default_does_not_collapse_on_digits(digits, kind):
    X = digits[0].reshape(-1, 8, 8) if kind is VariationalConvAutoencoder else digits[0]
    model = kind(max_iter=40, random_state=0).fit(X)
    assert model.kl_.sum() > 3
    errors = np.square(model.reconstruct(X) - X).mean()
    assert errors < np.square(X - X.mean(axis=0)).mean() / 2


@pytest.mark.filterwarnings("error:The posterior has collapsed")
def test_default_does_not_collapse_on_clothes():
    try:
        X, _ = load_fashion_mnist(return_X_y=True)
    except FileNotFoundError:
        pytest.skip("needs Fashion-MNIST")
    X = (X[:2000] / np.float32(255)).reshape(2000, -1)
    model = VariationalAutoencoder(max_iter=10, random_state=0).fit(X)
    assert model.kl_.sum() > 10
    assert (model.kl_ > 0.1).all()


@pytest.mark.filterwarnings("error:The posterior has collapsed")
def test_default_does_not_collapse_on_standardised_values(diabetes):
    model = VariationalAutoencoder((32,), 4, max_iter=60, random_state=0).fit(diabetes[0])
    assert model.out_activation_ == "identity"
    assert (model.kl_ > 0.01).all()


def test_latents_that_carry_nothing_are_named_with_the_remedy(digits):
    X, _ = digits
    model = small(n_components=4, noise_variance=1.0, max_iter=60)
    message = "4 of 4 latent variables carry no .*numbers 0, 1, 2, 3;.* Lower noise_variance=1"
    with pytest.warns(UserWarning, match=message):
        model.fit(X)
    assert (model.kl_ < 0.01).all()
    np.testing.assert_allclose(model.history_["train_kl"][-1], model.kl_.sum(), rtol=1e-5)
    with pytest.warns(UserWarning, match="Set loss='squared_error'.* or take fewer n_components"):
        small(beta=50.0, loss="binary_cross_entropy", max_iter=20).fit(X)
    with pytest.warns(UserWarning, match="lower beta"):
        small(beta=1000.0, max_iter=20).fit(X)


@pytest.mark.filterwarnings("error:The posterior has collapsed")
def test_a_training_of_few_steps_is_no_collapse(images):
    model = small(beta=100.0, learning_rate_init=0.03, max_iter=20).fit(images)
    assert (model.kl_ < 0.01).all()


def test_collapse_is_told_of_networks_of_a_stack(digits):
    X, _ = digits
    model = small(n_components=4, loss="squared_error", max_iter=80)
    search = GridSearchCV(model, {"noise_variance": [1.0, "auto"]}, cv=2, refit=False)
    with (
        joblib.parallel_config(backend="stacked"),
        pytest.warns(UserWarning, match="carry no information"),
    ):
        search.fit(X)
    assert search.cv_results_["rank_test_score"].tolist() == [2, 1]


def test_kl_is_that_of_the_latents_of_samples(images):
    model = small(learning_rate_init=1e-12, alpha=0.0, max_iter=1, dtype="float64").fit(images)
    mean, std = model.latent_distribution(images)
    kl = (0.5 * (mean**2 + std**2 - 1) - np.log(std)).mean(axis=0)
    np.testing.assert_allclose(model.kl_, kl, rtol=1e-6)


@pytest.mark.parametrize("loss", ["squared_error", "binary_cross_entropy"])
def test_history_takes_the_loss_apart(images, loss):
    model = small(loss=loss, beta=3.0, alpha=0.0, max_iter=5)
    history = model.fit(images[:200], X_val=images[200:]).history_
    for part in ("train", "valid"):
        total = history[f"{part}_reconstruction"] + 3 * history[f"{part}_kl"]
        np.testing.assert_allclose(total, history[f"{part}_loss"], rtol=1e-6)
        assert (history[f"{part}_kl"] > 0).all()
    assert ("train_noise_variance" in history) == (loss == "squared_error")


def test_stacked_networks_record_the_same_parts_of_the_loss(images):
    names = "train_reconstruction", "train_kl", "train_noise_variance"

    def fit(alpha):
        model = small(alpha=alpha, max_iter=4, dtype="float64").fit(images)
        return [model.history_[name] for name in names], model.kl_, model.noise_variance_

    expected = [fit(alpha) for alpha in (0.0, 0.1)]
    with joblib.parallel_config(backend="stacked"):
        stacked = joblib.Parallel()(joblib.delayed(fit)(alpha) for alpha in (0.0, 0.1))
    for one, other in zip(stacked, expected):
        for values, reference in zip(one, other):
            np.testing.assert_allclose(values, reference, rtol=1e-9)


# The noise of the decoder.


def test_learnt_variance_is_the_error_of_the_last_epoch(images):
    model = small(max_iter=30).fit(images)
    assert model.noise_variance_ == model.history_["train_noise_variance"][-1]
    error = np.square(model.reconstruct(images) - images).mean()
    assert error < model.noise_variance_ < 2 * error
    assert small(noise_variance=0.3).fit(images).noise_variance_ == 0.3
    assert small(loss="binary_cross_entropy").fit(images).noise_variance_ is None


def test_scores_of_variances_compare_and_the_learnt_one_is_best(digits):
    X, _ = digits
    options = {"n_components": 8, "max_iter": 60}
    scores = [
        small(noise_variance=variance, **options).fit(X).score(X)
        for variance in (10.0, 1.0, 0.1, "auto", 0.0003)
    ]
    assert scores[0] < scores[1] < scores[2] < scores[3] > scores[4]


def test_learnt_variance_is_that_of_the_epoch_that_early_stopping_keeps(digits):
    X, _ = digits
    options = {"early_stopping": True, "n_iter_no_change": 3, "learning_rate_init": 0.02}
    model = small(max_iter=300, n_components=8, **options).fit(X)
    best = np.argmax(model.validation_scores_)
    assert best < len(model.validation_scores_) - 1
    assert model.noise_variance_ in model.history_["train_noise_variance"][: best + 1]


def test_learnt_variance_is_saved_and_learnt_on(images, tmp_path):
    model = small(max_iter=10).fit(images)
    variance = model.noise_variance_
    model.save_weights(tmp_path / "weights.npz")
    described = from_json(model.to_json()).load_weights(tmp_path / "weights.npz")
    for other in (described, pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert other.noise_variance_ == variance
        np.testing.assert_array_equal(other.score_samples(images), model.score_samples(images))
    model.set_params(warm_start=True, learning_rate_init=0.01).fit(images)
    assert model.noise_variance_ < variance
    smaller = model.noise_variance_
    for _ in range(10):
        model.partial_fit(images)
    assert model.noise_variance_ < smaller
    assert model.set_params(noise_variance=0.5).fit(images).noise_variance_ == 0.5


def test_refused_fit_keeps_the_learnt_variance(images):
    model = small().partial_fit(images)
    variance, scores = model.noise_variance_, model.score_samples(images)
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(np.full((2, 64), np.nan))
    assert model.noise_variance_ == variance
    np.testing.assert_array_equal(model.score_samples(images), scores)


def test_features_without_any_variance_can_be_learnt():
    model = small(max_iter=30).fit(np.full((50, 4), 0.5))
    assert np.isfinite(model.loss_curve_).all()
    assert model.noise_variance_ > 0


# Bad input.


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"beta": -1}, "'beta' parameter"),
        ({"n_components": 0}, "'n_components' parameter"),
        ({"solver": "lbfgs"}, "drawn at random"),
        ({"noise_variance": 0.0}, "'noise_variance' parameter"),
        ({"noise_variance": "learn"}, "'noise_variance' parameter"),
        ({"loss": "binary_cross_entropy", "noise_variance": 0.1}, "has no noise_variance"),
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


# A warm-up of beta.


def test_the_divergence_pays_more_epoch_by_epoch():
    loss = VariationalLoss(SquaredError(), 3, 2, beta=2.0, warmup=3)
    output = torch.randn(6, 7, generator=torch.Generator().manual_seed(0))
    target = torch.zeros(6, 3)
    kl = loss.observe(output).sum(1)
    weights = []
    for _ in range(5):
        weights.append(
            ((loss(output, target) - output[:, :3].square().sum(1) / 2) / kl).mean().item()
        )
        observed = loss.observe(output).mean(0).numpy()[None]
        mean = loss(output, target).mean().numpy()[None]
        held_back = loss.held_back(observed)
        full = (output[:, :3].square().sum(1) / 2 + 2 * kl).mean().item()
        assert float(mean[0] + held_back[0]) == pytest.approx(full, rel=1e-5)
        loss.read_epoch(mean, observed, [6], is_training=True)
        loss.read_epoch(mean, observed, [6], is_training=False)
    assert weights == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0], rel=1e-4)


def test_recorded_losses_are_those_of_beta_during_a_warm_up(digits):
    options = {"n_components": 3, "max_iter": 4, "random_state": 0, "alpha": 0.0}
    model = VariationalAutoencoder((16,), beta=4.0, beta_warmup=3, **options)
    model.set_params(loss="binary_cross_entropy").fit(digits[0][:200])
    history = model.history_
    parts = history["train_reconstruction"] + 4 * history["train_kl"]
    np.testing.assert_allclose(history["train_loss"], parts, rtol=1e-5)
    cold = clone(model).set_params(beta_warmup=0).fit(digits[0][:200])
    assert history["train_kl"][1] > cold.history_["train_kl"][1]


def test_a_warm_up_goes_on_where_the_training_does(digits):
    X = digits[0][:100]
    options = {"n_components": 3, "random_state": 0, "beta": 4.0, "beta_warmup": 4}
    model = VariationalAutoencoder((16,), **options)
    for n_before in range(3):
        model.partial_fit(X)
        assert model.net_.criterion_.n_epochs == n_before + 1
        assert len(model.loss_curve_) == n_before + 1
    assert clone(model).set_params(max_iter=2).fit(X).net_.criterion_.n_epochs == 2


def test_warm_ups_in_a_stack_are_those_alone(digits):
    X = digits[0][:120]
    model = VariationalAutoencoder((8,), n_components=2, max_iter=4, beta_warmup=3, random_state=0)
    search = GridSearchCV(model, {"alpha": [0.0, 0.1], "beta_warmup": [0, 3]}, cv=2, refit=False)
    alone = clone(search).fit(X).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend="stacked"):
        stacked = clone(search).fit(X).cv_results_["mean_test_score"]
    np.testing.assert_allclose(stacked, alone, rtol=0.05)
