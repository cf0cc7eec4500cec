"""The same random_state gives the same bits, wherever the fit runs."""

import hashlib
import json
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_validate

from sknn_basics import MLPClassifier, MLPRegressor
from sknn_basics.modules.initialisers import INITIALISERS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

WEIGHT_INITS = ["auto", *INITIALISERS]

MODES = {
    "narrow": {"hidden_layer_sizes": (10,)},
    "wide": {"hidden_layer_sizes": (300, 100)},
    "whole batch": {"batch_size": 1797},
    "sgd": {"solver": "sgd", "learning_rate": "adaptive"},
    "adadelta": {"solver": "adadelta", "learning_rate_init": "auto"},
    "lbfgs": {"solver": "lbfgs"},
    "dropout": {"dropout": 0.5},
    "input noise": {"input_noise": 0.1},
    "batch normalization": {"normalization": "batch"},
    "layer normalization": {"normalization": "layer"},
    "rrelu": {"activation": "rrelu"},
    "prelu": {"activation": "prelu"},
    "early stopping": {"early_stopping": True},
    **{f"weight_init={name}": {"weight_init": name} for name in WEIGHT_INITS[1:]},
}


# The bits of a large step depend on the number of threads, which split its sums.
LARGE_STEPS = ("wide", "whole batch")


def make(mode: str, random_state=0) -> MLPClassifier:
    return MLPClassifier(**{"max_iter": 2, "random_state": random_state, **MODES[mode]})


def digest(model) -> str:
    """Hash every weight of a fitted estimator, and what it predicts."""
    X = load_digits().data / 16
    arrays = [value.numpy() for value in model.module_.state_dict().values()]
    return hashlib.sha256(b"".join(a.tobytes() for a in [*arrays, model.predict(X)])).hexdigest()


def fit_every_mode() -> dict[str, str]:
    """Fit all modes; return each model's digest."""
    X, y = load_digits(return_X_y=True)
    return {mode: digest(make(mode).fit(X / 16, y)) for mode in MODES}


if __name__ == "__main__":
    print(json.dumps(fit_every_mode()))
    sys.exit()


@pytest.fixture(scope="module")
def digests():
    """Digests of all modes in this process."""
    return fit_every_mode()


@pytest.fixture(scope="module", params=[1, 2])
def digests_of_another_process(request):
    """Digests of all modes in a fresh process with one thread, and with two."""
    command = [sys.executable, "-W", "ignore", __file__]
    environment = {**os.environ, "OMP_NUM_THREADS": str(request.param)}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("mode", MODES)
def test_twice_gives_the_same_bits(mode, digits, digests):
    assert digest(make(mode).fit(*digits)) == digests[mode]


@pytest.mark.parametrize("activation", ["rrelu", torch.nn.RReLU], ids=["name", "class of torch"])
def test_an_activation_that_draws_gives_the_same_bits(activation, digits):
    models = [make("narrow").set_params(activation=activation) for _ in range(2)]
    first, second = (digest(model.fit(*digits)) for model in models)
    assert first == second


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode not in LARGE_STEPS])
def test_another_process_gives_the_same_bits(mode, digests, digests_of_another_process):
    assert digests_of_another_process[mode] == digests[mode]


@pytest.mark.parametrize("mode", MODES)
def test_four_threads_at_once_give_the_same_bits(mode, digits, digests):
    models = [make(mode) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        fits = [pool.submit(model.fit, *digits) for model in models]
    assert {digest(fit.result()) for fit in fits} == {digests[mode]}


@pytest.mark.parametrize("mode", ["narrow", "sgd", "dropout", "lbfgs"])
def test_two_jobs_give_the_same_bits(mode, digits):
    one, two = (
        cross_validate(make(mode), *digits, cv=3, n_jobs=n_jobs, return_estimator=True)
        for n_jobs in (1, 2)
    )
    assert [*map(digest, one["estimator"])] == [*map(digest, two["estimator"])]


@pytest.mark.parametrize("mode", MODES)
def test_another_random_state_gives_other_weights(mode, digits, digests):
    assert digest(make(mode, random_state=1).fit(*digits)) != digests[mode]


@pytest.mark.parametrize("mode", ["narrow", "dropout"])
def test_fitting_again_gives_the_same_bits(mode, digits, digests):
    model = make(mode, random_state=1).fit(*digits)
    assert digest(model.set_params(random_state=0).fit(*digits)) == digests[mode]


@pytest.mark.parametrize("mode", ["narrow", "dropout", "early stopping"])
def test_a_fresh_generator_gives_the_bits_of_its_seed(mode, digits, digests):
    assert digest(make(mode, np.random.RandomState(0)).fit(*digits)) == digests[mode]


@pytest.mark.parametrize("mode", ["narrow", "dropout", "weight_init=orthogonal"])
def test_no_random_state_gives_other_weights_each_time(mode, digits):
    first, second = (digest(make(mode, random_state=None).fit(*digits)) for _ in range(2))
    assert first != second


def test_regressor_gives_the_same_bits_in_four_threads(diabetes):
    model = MLPRegressor(dropout=0.2, max_iter=5, random_state=0)
    with ThreadPoolExecutor(4) as pool:
        fits = [pool.submit(clone(model).fit, *diabetes) for _ in range(4)]
    X, _ = diabetes
    expected = model.fit(*diabetes).predict(X)
    for fit in fits:
        np.testing.assert_array_equal(fit.result().predict(X), expected)


@pytest.mark.parametrize("mode", ["narrow", "dropout", "input noise", "rrelu"])
def test_partial_fit_gives_the_same_bits(mode, digits):
    def stream():
        model = make(mode)
        for _ in range(3):
            model.partial_fit(*digits, classes=range(10))
        return digest(model)

    assert stream() == stream()


@pytest.mark.parametrize("mode", ["dropout", "input noise"])
def test_every_call_of_partial_fit_draws_other_masks(mode, iris):
    X, y = iris
    seen = []

    class Recorder(torch.nn.Module):
        def forward(self, x):
            if self.training:
                seen.append(x.detach().clone())
            return x

    options = {"activation": Recorder, "hidden_layer_sizes": (5, 5), "shuffle": False}
    model = make(mode).set_params(**options, learning_rate_init=1e-30)
    for _ in range(2):
        model.partial_fit(X, y, classes=[0, 1, 2])
    # Of each call, the last hidden layer sees what the masks or the noise leave.
    assert not torch.equal(seen[1], seen[3])


def global_states() -> tuple:
    """Read every global source of random numbers."""
    kind, keys, *rest = np.random.get_state()
    return random.getstate(), kind, keys.tolist(), rest, torch.get_rng_state().tolist()


@pytest.mark.parametrize("mode", MODES)
def test_fit_leaves_the_global_random_state_alone(mode, digits):
    before = global_states()
    make(mode).fit(*digits)
    assert global_states() == before


def test_an_activation_class_of_torch_leaves_the_global_random_state_alone(digits):
    before = global_states()
    make("narrow").set_params(activation=torch.nn.RReLU).fit(*digits)
    assert global_states() == before


@pytest.mark.parametrize(
    "mode", [mode for mode in MODES if mode not in ("lbfgs", "early stopping")]
)
def test_partial_fit_leaves_the_global_random_state_alone(mode, digits):
    before = global_states()
    make(mode).partial_fit(*digits, classes=range(10)).partial_fit(*digits)
    assert global_states() == before


@pytest.mark.parametrize("mode", ["narrow", "dropout", "input noise", "rrelu"])
def test_predict_leaves_the_global_random_state_alone(mode, digits):
    X, y = digits
    model = make(mode).fit(X, y)
    before = global_states()
    model.predict(X)
    model.predict_proba(X)
    model.score(X, y)
    model.summary()
    assert global_states() == before


@pytest.mark.parametrize("mode", ["dropout", "input noise", "rrelu", "batch normalization"])
def test_predict_is_the_same_each_time(mode, digits):
    X, y = digits
    model = make(mode).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("weight_init", WEIGHT_INITS)
def test_two_units_never_start_equal(weight_init, digits):
    # Such a small rate leaves the initial weights as they are.
    options = {"solver": "sgd", "learning_rate_init": 1e-30, "max_iter": 1, "random_state": 0}
    model = MLPClassifier((50, 50), weight_init=weight_init, **options).fit(*digits)
    for units in (coef.T for coef in model.coefs_):
        assert len(np.unique(units, axis=0)) == len(units)
