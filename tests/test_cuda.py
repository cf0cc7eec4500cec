"""What holds on a GPU. `pytest -m cuda --device cpu tests/test_cuda.py` tries it out on the CPU."""

import pickle

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn

from sknn_basics import (
    GAN,
    Autoencoder,
    ConvAutoencoder,
    ConvNetClassifier,
    MLPClassifier,
    MLPRegressor,
    RNNAutoencoder,
    RNNClassifier,
    TabularClassifier,
    TextGenerator,
    VariationalAutoencoder,
    from_json,
)
from sknn_basics.parallel import stacked
from sknn_basics.training import devices, net
from sknn_basics.training.net import TRAINER

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

SHORT = {"max_iter": 6, "random_state": 0, "dtype": "float32", "batch_size": 32}
RNG = np.random.RandomState(0)
X, Y, Z = RNG.randn(256, 20), RNG.randint(0, 3, 256), RNG.rand(256)
IMAGES, SERIES = RNG.rand(256, 16, 16).astype("f4"), RNG.randn(256, 12, 3)
UNEVEN = [series[: 5 + i % 8] for i, series in enumerate(SERIES)]
SOLVERS = [
    "adam",
    "sgd",
    "adamw",
    "nadam",
    "radam",
    "rmsprop",
    "adagrad",
    "adadelta",
    "adamax",
    "lbfgs",
]


def mlp(**options):
    return MLPClassifier((50, 50), **{**SHORT, **options})


def conv(**options):
    return ConvNetClassifier(**{**SHORT, **options})


def rnn(**options):
    return RNNClassifier((16,), **{**SHORT, **options})


CASES = {
    "dense": (mlp(), (X, Y)),
    "dense, everything": (
        mlp(dropout=0.2, clip_grad_norm=1.0, max_norm=2.0, input_noise=0.1, average_decay=0.9),
        (X, Y),
    ),
    "dense, normalized": (mlp(normalization="batch"), (X, Y)),
    "dense, float64": (mlp(dtype="float64"), (X, Y)),
    "early stopping": (mlp(early_stopping=True), (X, Y)),
    "convolutional": (conv(), (IMAGES, Y)),
    "convolutional, normalized": (conv(normalization="batch", dropout=0.2), (IMAGES, Y)),
    "LSTM": (rnn(), (SERIES, Y)),
    "GRU": (rnn(cell="gru", dropout=0.1), (SERIES, Y)),
    "RNN": (rnn(cell="rnn"), (SERIES, Y)),
    "LSTM, uneven": (rnn(bidirectional=True), (UNEVEN, Y)),
    "LSTM, recurrent dropout": (rnn(recurrent_dropout=0.2), (SERIES, Y)),
    "regression": (MLPRegressor(**SHORT), (X, Z)),
    "autoencoder": (Autoencoder(noise="gaussian", **SHORT), (X,)),
    "variational": (VariationalAutoencoder(**SHORT), (X,)),
    "convolutional autoencoder": (ConvAutoencoder(**SHORT), (IMAGES,)),
    "recurrent autoencoder": (RNNAutoencoder(**SHORT), (SERIES,)),
    **{solver: (mlp(solver=solver, dtype="auto"), (X, Y)) for solver in SOLVERS},
}
OTHERS = {
    "stateful": (rnn(stateful=True), (SERIES, Y)),
    "text": (
        TextGenerator(hidden_layer_sizes=(8,), window=5, max_iter=2, random_state=0),
        (["the cat sat on the mat " * 20],),
    ),
    "GAN": (GAN(max_iter=2, random_state=0), (X,)),
    "table": (TabularClassifier(max_iter=2, random_state=0), (X, Y)),
    "bfloat16": (mlp(dtype="bfloat16"), (X, Y)),
    "augmented by a function": (conv(augmentation=lambda x: x + torch.rand_like(x)), (IMAGES, Y)),
}


@pytest.fixture
def device(request):
    return request.config.option.device


def on(device, estimator, **parameters):
    return clone(estimator).set_params(device=device, **parameters)


def weights_of(estimator):
    return [value.numpy(force=True) for value in estimator.module_.state_dict().values()]


@pytest.mark.parametrize("case", {**CASES, **OTHERS})
@pytest.mark.filterwarnings("error::UserWarning")
def test_every_network_is_fitted_without_a_warning(case, device):
    estimator, data = {**CASES, **OTHERS}[case]
    model = on(device, estimator).fit(*data)
    if hasattr(model, "module_"):
        assert next(model.module_.parameters()).device.type == device


@pytest.mark.parametrize("case", CASES)
def test_the_same_seed_gives_the_same_bits(case, device):
    estimator, data = CASES[case]
    first, second = (on(device, estimator).fit(*data) for _ in range(2))
    for own, expected in zip(weights_of(first), weights_of(second), strict=True):
        np.testing.assert_array_equal(own, expected)


@pytest.mark.parametrize("case", CASES)
def test_replayed_steps_give_the_same_bits(case, device):
    estimator, data = CASES[case]
    replayed, other = (on(device, estimator, cuda_graphs=has).fit(*data) for has in (True, False))
    for own, expected in zip(weights_of(replayed), weights_of(other), strict=True):
        np.testing.assert_array_equal(own, expected)


@pytest.mark.parametrize("case", [name for name in CASES if name != "lbfgs"])
def test_steps_of_every_network_can_be_recorded(case, device, gpu_only, monkeypatch):
    made = []

    class Watched(devices.Replayed):
        def __init__(self, function):
            super().__init__(function)
            made.append(self)

    monkeypatch.setattr(net, "Replayed", Watched)
    estimator, data = CASES[case]
    on(device, estimator).fit(*data)
    assert [own.failure for own in made] == [None]
    assert made[0].graphs


@pytest.mark.parametrize("case", CASES)
def test_a_stack_learns_what_each_learns_alone(case, device):
    estimator, data = CASES[case]
    own = on(device, estimator)
    alphas = (1e-4, 1e-2, 1.0)
    alone = [clone(own).set_params(alpha=alpha).fit(*data) for alpha in alphas]
    with stacked():
        together = Parallel(n_jobs=3)(
            delayed(clone(own).set_params(alpha=alpha).fit)(*data) for alpha in alphas
        )
    for first, second in zip(alone, together):
        np.testing.assert_allclose(first.loss_curve_, second.loss_curve_, rtol=1e-3)


def test_dense_networks_are_stacked(device):
    with stacked() as report:
        GridSearchCV(on(device, mlp()), {"alpha": [0.0, 0.1]}, cv=3).fit(X, Y)
    assert report.trainings[0].way == "stacked"


class Ended(Exception):
    """Ends a fit after some steps."""


@pytest.mark.parametrize("case", ["dense", "dense, everything", "convolutional", "LSTM"])
def test_steps_never_wait_for_the_device(case, device, gpu_only):
    estimator, data = CASES[case]
    numbers = []

    def train(fit):
        fit.advance()
        batches = list(fit.batches)
        torch.cuda.set_sync_debug_mode("error")
        try:
            numbers.extend(fit.net.train_step(batch)["loss"] for batch in batches[:3])
        finally:
            torch.cuda.set_sync_debug_mode(0)
        raise Ended

    token = TRAINER.set(train)
    try:
        with pytest.raises(Ended):
            on(device, estimator).fit(*data)
    finally:
        TRAINER.reset(token)
    assert len(numbers) == 3


@pytest.mark.parametrize("case", [name for name in CASES if name not in SOLVERS])
def test_a_model_is_saved_and_goes_on_where_there_is_no_gpu(case, device):
    estimator, data = CASES[case]
    model = on(device, estimator).fit(*data)
    saved = model.__getstate__()
    loaded = clone(estimator)
    loaded.__setstate__({**saved, "device": "cpu"})
    for own, expected in zip(weights_of(loaded), weights_of(model), strict=True):
        np.testing.assert_array_equal(own, expected)
    assert next(loaded.module_.parameters()).device.type == "cpu"
    if hasattr(model, "predict_proba"):
        np.testing.assert_allclose(
            loaded.predict_proba(data[0]), model.predict_proba(data[0]), atol=1e-4
        )


@pytest.mark.parametrize("solver", ["nadam", "radam", "adam"])
def test_a_loaded_model_goes_on_as_if_it_had_not_been_saved(solver, device):
    model = on(device, mlp(solver=solver)).fit(X, Y)
    loaded = pickle.loads(pickle.dumps(model))
    for own in (model, loaded):
        own.partial_fit(X, Y)
    for own, expected in zip(weights_of(loaded), weights_of(model), strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("estimator", [rnn(), mlp(weight_init="he_normal")])
def test_an_architecture_is_built_on_the_device(estimator, device):
    data = (SERIES, Y) if isinstance(estimator, RNNClassifier) else (X, Y)
    made = from_json(on(device, estimator).fit(*data).to_json())
    assert next(made.module_.parameters()).device.type == device


class Blurred(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("kernel", torch.ones(1, 1, 3, 3) / 9)

    def forward(self, x):
        return nn.functional.conv2d(x, self.kernel.to(x.dtype), padding=1)


@pytest.mark.parametrize(
    ("estimator", "data"),
    [
        (mlp(), (X[::-1], Y)),
        (mlp(), (X.astype(">f8"), Y)),
        (mlp(), (np.frombuffer(X.tobytes()).reshape(X.shape), Y)),
        (conv(), ((999 * IMAGES).astype("u2"), Y)),
        (conv(), (IMAGES[:, :, ::-1], Y)),
        (conv(augmentation=Blurred()), (IMAGES, Y)),
    ],
    ids=["reversed", "foreign bytes", "read-only", "uint16", "mirrored", "buffers"],
)
@pytest.mark.filterwarnings("error::UserWarning")
def test_any_array_and_any_augmentation_is_taken(estimator, data, device):
    model = on(device, estimator).fit(*data)
    assert np.isfinite(model.loss_)


@pytest.mark.parametrize("case", ["dense", "convolutional", "LSTM"])
def test_large_data_by_block_give_the_same_network(case, device, monkeypatch):
    estimator, data = CASES[case]
    resident = on(device, estimator).fit(*data)
    monkeypatch.setattr("sknn_basics.training.batches.available_memory", lambda device: 0)
    by_block = on(device, estimator).fit(*data)
    for own, expected in zip(weights_of(by_block), weights_of(resident), strict=True):
        np.testing.assert_array_equal(own, expected)


def test_memory_is_given_back(device, gpu_only):
    on(device, mlp()).fit(X, Y)
    before = torch.cuda.memory_allocated()
    for _ in range(3):
        on(device, mlp()).fit(X, Y)
    assert torch.cuda.memory_allocated() <= before + 2**20
