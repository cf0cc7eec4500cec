"""Quantiles, and means with standard deviations."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm
from sklearn.datasets import load_diabetes
from sklearn.dummy import DummyRegressor
from sklearn.metrics import d2_pinball_score, mean_pinball_loss, r2_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict
from sklearn.preprocessing import scale

from sknn_basics import ConvNetRegressor, MLPRegressor, RNNRegressor, from_json
from sknn_basics.parallel import stacked
from sknn_basics.training.losses import GaussianLikelihood, Pinball

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

LEVELS = [0.1, 0.5, 0.9]
SHORT = {"max_iter": 5, "random_state": 0}
X, y = (scale(values) for values in load_diabetes(return_X_y=True))
CALM = {"hidden_layer_sizes": (5,), "alpha": 3.0, "learning_rate_init": 0.01, "random_state": 0}
CALM["max_iter"] = 100


def heteroscedastic(n_samples: int, seed: int):
    """Make targets whose noise grows with the first feature."""
    rng = np.random.RandomState(seed)
    X = rng.uniform(-2, 2, (n_samples, 2))
    deviation = 0.2 + 0.5 * np.abs(X[:, 0])
    return X, np.sin(2 * X[:, 0]) + deviation * rng.normal(size=n_samples), deviation


def assert_covers(y, bound, level: float) -> None:
    """Compare the share of values below a bound with its level, within three standard errors."""
    error = 3 * np.sqrt(level * (1 - level) / len(y))
    assert np.mean(y <= bound) == pytest.approx(level, abs=error)


@pytest.mark.parametrize("level", [0.2, 0.9])
def test_pinball_loss_is_that_of_scikit_learn(level):
    output, target = torch.randn(50, 1), torch.randn(50, 1)
    expected = mean_pinball_loss(target, output, alpha=level)
    assert float(Pinball([level])(output, target).mean()) == pytest.approx(expected, rel=1e-5)


def test_gaussian_loss_is_a_negative_log_likelihood():
    output, target = torch.randn(50, 4), torch.randn(50, 2)
    mean, log_variance = output.numpy()[:, :2], output.numpy()[:, 2:]
    expected = -norm(mean, np.exp(0.5 * log_variance)).logpdf(target.numpy()).sum(1)
    assert_allclose(GaussianLikelihood(2)(output, target), expected, rtol=1e-5)


def test_quantiles_cover_what_they_say_on_diabetes():
    model = MLPRegressor(loss="quantile", quantile=LEVELS, **CALM)
    predicted = cross_val_predict(model, X, y, cv=KFold(5, shuffle=True, random_state=0))
    for bound, level in zip(predicted.T, LEVELS, strict=True):
        assert_covers(y, bound, level)


def test_quantiles_cover_what_they_say_where_noise_differs():
    X, y, _ = heteroscedastic(20000, 0)
    model = MLPRegressor(loss="quantile", quantile=LEVELS, learning_rate="cosine", random_state=0)
    model.set_params(max_iter=60, learning_rate_init=0.01).fit(X[:15000], y[:15000])
    for bound, level in zip(model.predict(X[15000:]).T, LEVELS, strict=True):
        assert_covers(y[15000:], bound, level)


def test_deviations_are_those_of_the_noise():
    X, y, deviation = heteroscedastic(20000, 0)
    model = MLPRegressor(loss="gaussian", learning_rate="cosine", random_state=0)
    model.set_params(max_iter=60, learning_rate_init=0.01).fit(X[:15000], y[:15000])
    mean, std = model.predict(X[15000:], return_std=True)
    assert r2_score(deviation[15000:], std) > 0.95
    for level in LEVELS:
        assert_covers(y[15000:], norm(mean, std).ppf(level), level)


def test_normal_intervals_cover_what_they_say_on_diabetes():
    mean, std = np.empty((2, len(y)))
    model = MLPRegressor(loss="gaussian", **CALM)
    for train, test in KFold(5, shuffle=True, random_state=0).split(X):
        mean[test], std[test] = model.fit(X[train], y[train]).predict(X[test], return_std=True)
    for level in LEVELS:
        assert_covers(y, norm(mean, std).ppf(level), level)


def test_quantiles_do_not_cross():
    levels = np.linspace(0.02, 0.98, 25).tolist()
    model = MLPRegressor(loss="quantile", quantile=levels, **SHORT).fit(X[:100], y[:100])
    assert (np.diff(model.net_.module_(torch.tensor(X).to(torch.float64)).detach()) < 0).any()
    assert (np.diff(model.predict(10 * X)) >= 0).all()


@pytest.mark.parametrize("family", [MLPRegressor, ConvNetRegressor, RNNRegressor])
def test_training_begins_at_the_quantiles_of_y(family):
    inputs = X[:, :9].reshape(-1, 3, 3)
    inputs = X if family is MLPRegressor else inputs
    model = family(loss="quantile", quantile=LEVELS, **SHORT).initialize(inputs, y)
    expected = [
        DummyRegressor(strategy="quantile", quantile=q).fit(X, y).predict(X[:1]) for q in LEVELS
    ]
    assert_allclose(model.module_.output.bias.detach(), np.ravel(expected), atol=0.02)
    normal = family(loss="gaussian", **SHORT).initialize(inputs, 3 * y + 1)
    assert_allclose(normal.module_.output.bias.detach(), [1, np.log(9)], atol=1e-6)


@pytest.mark.parametrize("family", [MLPRegressor, ConvNetRegressor, RNNRegressor])
def test_predictions_have_a_column_a_quantile_and_std_the_shape_of_y(family):
    inputs = X if family is MLPRegressor else X[:, :9].reshape(-1, 3, 3)
    several = family(loss="quantile", quantile=LEVELS, **SHORT).fit(inputs, y)
    assert several.predict(inputs).shape == (len(X), 3)
    one = family(loss="quantile", quantile=0.3, **SHORT).fit(inputs, y)
    assert one.predict(inputs).shape == (len(X),)
    for target in (y, np.column_stack([y, -y])):
        mean, std = (
            family(loss="gaussian", **SHORT).fit(inputs, target).predict(inputs, return_std=True)
        )
        assert mean.shape == std.shape == target.shape
        assert (std > 0).all()


def test_steps_have_deviations_of_their_own():
    sequences = [X[i, : 3 + i % 4, np.newaxis] for i in range(40)]
    targets = [steps[:, 0] for steps in sequences]
    model = RNNRegressor(loss="gaussian", **SHORT).fit(sequences, targets)
    mean, std = model.predict(sequences, return_std=True)
    assert [len(m) for m in mean] == [len(s) for s in std] == [len(t) for t in targets]
    levels = RNNRegressor(loss="quantile", quantile=LEVELS, **SHORT).fit(sequences, targets)
    assert levels.predict(sequences)[1].shape == (4, 3)
    joined = np.concatenate(targets), np.concatenate(levels.predict(sequences))
    scores = [d2_pinball_score(joined[0], joined[1][:, j], alpha=LEVELS[j]) for j in range(3)]
    assert levels.score(sequences, targets) == pytest.approx(np.mean(scores))


def test_score_is_the_mean_of_scikit_learns():
    model = MLPRegressor(loss="quantile", quantile=LEVELS, **CALM).fit(X, y)
    weight = np.arange(len(y)) % 3
    columns = zip(model.predict(X).T, LEVELS, strict=True)
    scores = [d2_pinball_score(y, q, alpha=level, sample_weight=weight) for q, level in columns]
    assert model.score(X, y, weight) == pytest.approx(np.mean(scores))
    # That of what was fitted, whatever the parameter is now.
    before = model.score(X, y)
    assert model.set_params(quantile=[0.2, 0.3, 0.4]).score(X, y) == before


@pytest.mark.parametrize(
    "options", [{"loss": "quantile", "quantile": LEVELS}, {"loss": "gaussian"}]
)
def test_models_are_saved(options, tmp_path):
    model = MLPRegressor(**options, **SHORT).fit(X, y)
    model.save_weights(tmp_path / "weights.npz")
    rebuilt = from_json(model.to_json()).load_weights(tmp_path / "weights.npz")
    for loaded in (pickle.loads(pickle.dumps(model)), rebuilt):
        assert_array_equal(loaded.predict(X), model.predict(X))
        assert loaded.score(X, y) == model.score(X, y)


@pytest.mark.parametrize(
    "options", [{"loss": "quantile", "quantile": LEVELS}, {"loss": "gaussian"}]
)
def test_fits_are_stacked(options):
    search = GridSearchCV(
        MLPRegressor(**options, **SHORT), {"alpha": [0.0, 1.0]}, cv=2, refit=False
    )
    alone = search.fit(X, y).cv_results_["mean_test_score"]
    with stacked() as report:
        together = search.fit(X, y).cv_results_["mean_test_score"]
    assert [training.n_fits for training in report.trainings] == [4]
    assert_allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "quantile"}, "needs quantile, a number between 0 and 1.*got None"),
        ({"loss": "quantile", "quantile": [0.9, 0.1]}, r"increase strictly.*got \[0.9, 0.1\]"),
        ({"loss": "quantile", "quantile": [0.1, 1.0]}, r"got \[0.1, 1.0\]"),
        ({"quantile": 0.5}, "quantile=0.5 needs loss='quantile', got 'squared_error'"),
    ],
)
def test_refuses_what_are_no_quantiles(options, message):
    with pytest.raises(ValueError, match=message):
        MLPRegressor(**options).fit(X, y)


def test_refuses_what_was_not_learnt():
    with pytest.raises(ValueError, match="return_std=True needs loss='gaussian'"):
        MLPRegressor(**SHORT).fit(X, y).predict(X, return_std=True)
    with pytest.raises(ValueError, match="several quantiles, of a y of one column"):
        MLPRegressor(loss="quantile", quantile=LEVELS).fit(X, np.column_stack([y, y]))
