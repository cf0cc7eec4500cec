"""What a step asks of a device, counted on torch's meta device, which computes no numbers."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from scipy.stats import kstest
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from sknn_basics import (
    GAN,
    Autoencoder,
    ConvAutoencoder,
    ConvNetClassifier,
    MLPClassifier,
    MLPRegressor,
    RNNAutoencoder,
    RNNClassifier,
    TextGenerator,
    VariationalAutoencoder,
    from_json,
)
from sknn_basics.modules.augmentation import AlikeVariant, RandomFlip
from sknn_basics.modules.cells import side_by_side
from sknn_basics.modules.draws import draw_normal, draw_short, draw_uniform
from sknn_basics.modules.layers import (
    ClippedNoise,
    Dropout,
    GaussianNoise,
    MaskingNoise,
    NormalSampling,
    RReLU,
)
from sknn_basics.modules.variations import (
    MixUp,
    RandomBlur,
    RandomColor,
    RandomCrop,
    RandomErasing,
    RandomScale,
)
from sknn_basics.parallel import stacked
from sknn_basics.stacking.recurrent import OwnRows, StackedRandomLayer
from sknn_basics.stacking.stack import Stack, is_out_of_memory
from sknn_basics.training.batches import ArrayDataset, Batches, DeviceReader, Rows
from sknn_basics.training.devices import Replayed, available_memory, reproducible, widest_float
from sknn_basics.training.net import TRAINER
from sknn_basics.training.optimisers import Adam, make_optimiser
from sknn_basics.training.saving import load_optimiser, optimiser_as_arrays

CPU = torch.device("cpu")
META = torch.device("meta")
MAKE_TENSORS = (torch.tensor, torch.as_tensor, torch.Tensor.new_tensor)


class Launches(TorchDispatchMode):
    """Counts the operations on the meta device, and those that wait for it or copy to or from it.

    A GPU launches a kernel for each. What reads a number of a tensor raises there.
    """

    def __init__(self):
        super().__init__()
        self.n_launches, self.copies = 0, []
        self.makers = Makers(self)

    def __enter__(self):
        self.makers.__enter__()
        return super().__enter__()

    def __exit__(self, *args):
        super().__exit__(*args)
        self.makers.__exit__(*args)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        made = [t for t in tree_leaves(result) if isinstance(t, torch.Tensor)]
        # A number in a tensor of the CPU is given to a kernel as a number.
        arrays = [t for t in given if t.dim()] + made
        if len({t.device.type for t in arrays}) > 1:
            self.copies.append(str(function))
        is_there = any(t.device == META for t in given + made)
        is_view = function.is_view or "empty" in str(function)
        self.n_launches += is_there and not is_view
        return result


class Makers(TorchFunctionMode):
    """Finds tensors that are made on the device of numbers of the host."""

    def __init__(self, launches: Launches):
        super().__init__()
        self.launches = launches

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if function in MAKE_TENSORS and result.device == META:
            self.launches.copies.append(function.__name__)
        return result


class Begun(Exception):
    """Ends a fit before its first step."""


@pytest.fixture
def begin(monkeypatch):
    """Begin fits on the meta device: give what would be trained, or what is found out of it."""
    for place in ("_base.fit", "adversarial"):
        monkeypatch.setattr(
            f"sknn_basics.estimators.{place}.resolve_device", lambda device: META, raising=False
        )
    # It reads numbers of the data.
    monkeypatch.setattr("sknn_basics.training.batches.ArrayDataset.fingerprint", lambda self: 0)

    def begin(estimator, *args, ask=lambda fit: fit, **kwargs):
        begun = []

        def keep(fit):
            fit.advance()
            fuse(fit.net.optimizer_)
            begun.append(ask(fit))
            raise Begun

        token = TRAINER.set(keep)
        try:
            estimator.fit(*args, **kwargs)
        except Begun:
            pass
        finally:
            TRAINER.reset(token)
        return begun[0]

    return begin


def fuse(optimiser):
    """Let an optimiser update all parameters in one call, as on a GPU."""
    for group in optimiser.param_groups:
        group["fused" if isinstance(optimiser, Adam) else "foreach"] = True


def count_step(fit) -> Launches:
    """Count what the second step of a training alone asks of the device."""
    batch = next(iter(fit.batches))
    fit.net._set_training(True)
    fit.net.train_step(batch)
    with Launches() as launches:
        fit.net.train_step(batch)
    return launches


def count_stacked_step(fits) -> Launches:
    """Count the same of a stack."""
    stack = Stack([fit.net for fit in fits], [fit.batches for fit in fits])
    for net in stack.nets:
        net._set_training(True)
    start, stop, lengths, samples = next(iter(stack.sources.steps()))
    members = stack.neighbours(start, stop)
    members.begin()
    members.fill(lengths)
    members.step(*samples)
    with Launches() as launches:
        members.step(*samples)
    return launches


SHORT = {"max_iter": 2, "random_state": 0, "batch_size": 16, "dtype": "float32"}
RNG = np.random.RandomState(0)
X, Y, Z = RNG.rand(48, 6), RNG.randint(0, 3, 48), RNG.rand(48)
IMAGES, COLOURED = RNG.rand(48, 8, 8).astype("f4"), RNG.rand(48, 3, 8, 8).astype("f4")
SERIES, STEPS = RNG.rand(48, 5, 2), RNG.randint(0, 3, (48, 5))
UNEVEN = [series[:3] if i % 2 else series for i, series in enumerate(SERIES)]


def mlp(**options):
    return MLPClassifier((8, 8), **{**SHORT, **options})


def conv(**options):
    return ConvNetClassifier(filters=(4, 4), **{**SHORT, **options})


def rnn(**options):
    return RNNClassifier((6, 6), **{**SHORT, **options})


WEIGHTED = {"sample_weight": Z}
STACKABLE = {
    "dense": (mlp(), (X, Y), {}),
    "dense, weighted": (mlp(), (X, Y), WEIGHTED),
    "dense, unshuffled": (mlp(shuffle=False), (X, Y), {}),
    "dense, everything": (
        mlp(dropout=0.2, input_noise=0.1, max_norm=1.0, clip_grad_norm=1.0, average_decay=0.9),
        (X, Y),
        {},
    ),
    "dense, balanced": (mlp(class_weight="balanced"), (X, Y), {}),
    "dense, rate by step": (mlp(learning_rate="one_cycle"), (X, Y), {}),
    "dense, random slopes": (mlp(activation="rrelu", label_smoothing=0.1), (X, Y), {}),
    "dense, normalized": (mlp(normalization="batch"), (X, Y), {}),
    "quantile": (
        MLPRegressor("quantile", hidden_layer_sizes=(8,), quantile=0.3, **SHORT),
        (X, Z),
        {},
    ),
    "convolutional": (conv(), (IMAGES, Y), {}),
    "convolutional, normalized": (conv(normalization="batch", dropout=0.2), (IMAGES, Y), {}),
    "convolutional, imagenet": (
        conv(preprocessing="imagenet", data_format="channels_first"),
        (COLOURED, Y),
        {},
    ),
    "LSTM": (rnn(), (SERIES, Y), {}),
    "GRU, dropout": (rnn(cell="gru", dropout=0.1, recurrent_dropout=0.2), (SERIES, Y), {}),
    "LSTM, uneven": (rnn(bidirectional=True), (UNEVEN, Y), {}),
    "LSTM, a target each step": (rnn(class_weight="balanced"), (SERIES, STEPS), {}),
    "autoencoder": (Autoencoder(noise="gaussian", **SHORT), (X,), {}),
    "variational": (VariationalAutoencoder(**SHORT), (X,), {}),
    "convolutional autoencoder": (ConvAutoencoder(**SHORT), (IMAGES,), {}),
    "recurrent autoencoder": (RNNAutoencoder(**SHORT), (SERIES,), {}),
}
VARIED = nn.Sequential(
    *(RandomColor(0.2, 0.2, 0.2), RandomCrop(), RandomErasing(), RandomBlur(), RandomScale())
)
SOLVERS = ["sgd", "adamw", "nadam", "radam", "rmsprop", "adagrad", "adadelta", "adamax"]
ALONE = {
    **STACKABLE,
    **{solver: (mlp(solver=solver), (X, Y), {}) for solver in SOLVERS},
    "augmented": (conv(augmentation=RandomFlip()), (IMAGES, Y), {}),
    "augmented in colour": (
        conv(augmentation=VARIED, data_format="channels_first"),
        (COLOURED, Y),
        {},
    ),
    "text": (
        TextGenerator(hidden_layer_sizes=(6,), window=5, max_iter=1, batch_size=8),
        (["the cat sat on the mat " * 9],),
        {},
    ),
}


@pytest.mark.parametrize("case", ALONE)
def test_a_step_neither_waits_for_the_device_nor_copies(case, begin):
    estimator, data, options = ALONE[case]
    launches = begin(estimator, *data, ask=count_step, **options)
    assert launches.copies == []
    assert launches.n_launches > 10


@pytest.mark.parametrize("case", STACKABLE)
def test_a_stacked_step_neither_waits_nor_copies_nor_grows_with_its_members(case, begin):
    estimator, data, options = STACKABLE[case]

    def count(n_members: int) -> Launches:
        # Those of one seed see the same samples.
        members = [clone(estimator).set_params(random_state=i % 2) for i in range(n_members)]
        return count_stacked_step([begin(own, *data, **options) for own in members])

    few, many = count(4), count(12)
    assert few.copies == many.copies == []
    assert few.n_launches == many.n_launches > 10


class Blurred(nn.Module):
    """An augmentation with a buffer, which has to lie where the images do."""

    def __init__(self):
        super().__init__()
        self.register_buffer("kernel", torch.ones(1, 1, 3, 3) / 9)

    def forward(self, x):
        return nn.functional.conv2d(x, self.kernel.to(x.dtype), padding=1)


@pytest.mark.parametrize(
    "varied", [RandomCrop(), RandomColor(0.2), MixUp()], ids=lambda own: type(own).__name__
)
def test_variants_are_drawn_and_made_where_the_images_lie(varied):
    images = torch.empty(3, 1, 8, 8, device=META)
    assert AlikeVariant(varied, False, 0)(images).device == META


def test_buffers_of_an_augmentation_lie_where_the_network_does(begin):
    def device_of_kernel(fit):
        return fit.net.module_.input.augmentation.function.kernel.device

    assert begin(conv(augmentation=Blurred()), IMAGES, Y, ask=device_of_kernel) == META


class Draws(TorchDispatchMode):
    """Remembers where what is drawn from a generator lies, and the generator."""

    def __init__(self):
        super().__init__()
        self.places = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if (generator := (kwargs or {}).get("generator")) is not None:
            self.places.add((result.device.type, generator.device.type))
        return result


@pytest.mark.parametrize(
    ("estimator", "data"),
    [
        (rnn(), (SERIES, Y)),
        (rnn(weight_init="orthogonal"), (SERIES, Y)),
        (mlp(weight_init="he_normal"), (X, Y)),
        (conv(weight_init="lecun_uniform"), (IMAGES, Y)),
        (ConvAutoencoder(weight_init="normal", **SHORT), (IMAGES,)),
        (RNNAutoencoder(**SHORT), (SERIES,)),
        (
            TextGenerator(hidden_layer_sizes=(6,), window=5, max_iter=1, embedding_size=3),
            (["the cat sat on the mat " * 9],),
        ),
    ],
    ids=lambda value: "" if isinstance(value, tuple) else type(value).__name__,
)
def test_weights_of_a_network_on_a_device_are_drawn_where_the_generator_is(
    estimator, data, monkeypatch
):
    text = clone(estimator).fit(*data).to_json()
    monkeypatch.setattr(
        "sknn_basics.estimators._base.saving.resolve_device_or_cpu", lambda device: META
    )
    with Draws() as draws:
        made = from_json(text)
    assert next(made.module_.parameters()).device == META
    assert draws.places == {("cpu", "cpu")}


# Arrays that torch has no tensors of. The device of these tests has numbers: it is the CPU.

FORMS = {
    "reversed rows": lambda X: X[::-1],
    "mirrored": lambda X: X[:, ::-1],
    "foreign byte order": lambda X: X.astype(">f8"),
    "foreign integers": lambda X: (9 * X).astype(">i4"),
    "uint16": lambda X: (60_000 * X).astype("u2"),
    "foreign uint16": lambda X: (60_000 * X).astype(">u2"),
    "uint32": lambda X: (4e9 * X).astype("u4"),
    "uint64": lambda X: (9 * X).astype("u8"),
    "long double": lambda X: X.astype(np.longdouble),
    "bools": lambda X: X > 0.5,
    "bytes": lambda X: (255 * X).astype("u1"),
    "half": lambda X: X.astype("f2"),
    "read-only": lambda X: np.frombuffer(X.tobytes()).reshape(X.shape),
    "columns first": np.asfortranarray,
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("is_resident", [True, False], ids=["resident", "by block"])
@pytest.mark.parametrize("form", FORMS)
def test_any_array_is_read_for_a_device(form, is_resident, monkeypatch):
    free = 10**9 if is_resident else 0
    monkeypatch.setattr("sknn_basics.training.batches.available_memory", lambda device: free)
    given = FORMS[form](X)
    read = DeviceReader(given, torch.float64, CPU)
    order = np.array([5, 0, 47, 3])
    assert (read(slice(2, 9)).numpy() == given[2:9]).all()
    assert (read(Rows(order, torch.from_numpy(order))).numpy() == given[order]).all()
    assert (read.resident is not None) == is_resident


def test_batches_of_a_device_are_those_of_the_processor(monkeypatch):
    monkeypatch.setattr(
        "sknn_basics.training.batches._make_reader",
        lambda X, dtype, device, is_read_again: (DeviceReader(X, dtype, device), None),
    )
    y, weight, rows = np.arange(48), RNG.rand(48), np.arange(3, 41)
    for rng in (None, 0):
        there, here = (
            Batches(dataset.subset(rows), 7, rng if rng is None else np.random.RandomState(rng))
            for dataset in (
                Pretended(X, y, weight, dtype=torch.float32, device=CPU),
                ArrayDataset(X, y, weight, dtype=torch.float32, device=CPU),
            )
        )
        for _ in range(2):
            for got, expected in zip(there, here, strict=True):
                assert all((a == b).all() for a, b in zip(got, expected))


class Pretended(ArrayDataset):
    """A dataset that treats the CPU as any other device."""

    def place_rows(self, order):
        if order is None and self.rows is None:
            return None
        host = self.rows if order is None else self.rows_of_whole(order)
        return Rows(host, torch.from_numpy(host))


def test_fits_of_equal_data_share_what_is_put_on_a_device(monkeypatch, begin):
    uploads = []
    monkeypatch.setattr(
        "sknn_basics.training.batches.as_supported", lambda X: uploads.append(X) or X
    )
    fits = [begin(mlp(alpha=alpha), X.copy(), Y) for alpha in (0.1, 0.2, 0.3)]
    assert uploads == []
    count_stacked_step(fits)
    assert len(uploads) == 1
    # Those of an ensemble see one array in orders of their own.
    fits = [begin(mlp(random_state=seed), X, Y) for seed in range(3)]
    count_stacked_step(fits)
    assert len(uploads) == 2


def test_an_autoencoder_puts_its_inputs_on_a_device_once(monkeypatch, begin):
    uploads = []
    monkeypatch.setattr(
        "sknn_basics.training.batches.as_supported", lambda X: uploads.append(X) or X
    )
    for _ in begin(Autoencoder(**SHORT), X).batches:
        pass
    assert len(uploads) == 1


def test_what_torch_keeps_of_freed_memory_is_free(monkeypatch):
    figures = {"mem_get_info": (100, 1000), "memory_reserved": 70, "memory_allocated": 30}
    for name, value in figures.items():
        monkeypatch.setattr(f"torch.cuda.{name}", lambda device, value=value: value)
    assert available_memory("cuda") == 140


@pytest.mark.parametrize(
    "message",
    [
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "CUDA out of memory. Tried to allocate 2.00 GiB",
    ],
)
def test_libraries_of_a_gpu_that_get_no_memory_are_understood(message):
    assert is_out_of_memory(RuntimeError(message))
    assert not is_out_of_memory(RuntimeError("CUBLAS_STATUS_EXECUTION_FAILED"))


@pytest.mark.parametrize("solver", ["nadam", "radam", "adam", "adagrad"])
def test_single_numbers_of_an_optimiser_are_loaded_where_it_counts(solver):
    model = mlp(solver=solver).fit(X, Y)
    saved = optimiser_as_arrays(model.net_.optimizer_)
    parameters = [nn.Parameter(p.detach().to(META)) for p in model.net_.trainable_]
    optimiser = make_optimiser(parameters, solver, 0.1)
    load_optimiser(optimiser, saved)
    for state in optimiser.state.values():
        assert {value.device.type for value in state.values() if value.dim() == 0} == {"cpu"}
        assert {value.device.type for value in state.values() if value.dim()} == {"meta"}


def test_weights_are_as_precise_as_the_device_allows():
    assert widest_float(torch.device("mps")) == torch.float32
    assert widest_float(torch.device("cuda")) == torch.float64


# Draws from keys, where a network does not lie on a CPU.


def keyed(layer, *keys: int):
    layer.key = torch.tensor(keys if len(keys) > 1 else keys[0])
    return layer.train()


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda i: Dropout(0.2 + 0.1 * i), (7, 5)),
        (lambda i: Dropout(0.5), (4, 3, 6, 5)),
        (lambda i: MaskingNoise(0.4), (7, 5)),
        (lambda i: GaussianNoise(1.0 + i), (7, 5)),
        (lambda i: ClippedNoise(1.0, 0.0, 1.0), (7, 5)),
        (lambda i: RReLU(0.1, 0.2 + 0.1 * i), (7, 5)),
        (lambda i: NormalSampling(), (7, 6)),
    ],
    ids=lambda value: type(value(0)).__name__ if callable(value) else "",
)
def test_layers_of_a_stack_draw_as_each_does_alone(make, shape):
    alone, x = [keyed(make(i), 3 + i) for i in range(3)], torch.randn(3, *shape)
    keys = {"key": torch.tensor([3, 4, 5])}
    stacked = StackedRandomLayer([make(i) for i in range(3)], keys, OwnRows())
    for _ in range(2):
        expected = torch.stack([layer(part) for layer, part in zip(alone, x)])
        torch.testing.assert_close(stacked(x), expected)


def test_draws_from_keys_are_distributed_as_they_should_be():
    key = torch.tensor([1, 2])
    uniform = draw_uniform(key, (2, 100_000), torch.float64)
    normal = draw_normal(key, (2, 100_001), torch.float32).double()
    bits = draw_short(key, 100_000).double()
    for values, distribution in (
        (uniform, "uniform"),
        (normal, "norm"),
        ((bits + 2**15 + torch.rand(bits.shape)) / 2**16, "uniform"),
    ):
        for row in values.numpy():
            assert kstest(row, distribution).pvalue > 1e-3
    # Neither neighbours, nor draws one after another, nor members depend on each other.
    again = draw_uniform(key, (2, 100_000), torch.float64)
    pairs = (uniform[:, 1:], uniform[:, :-1]), (uniform, again), (uniform[0], uniform[1])
    for first, second in pairs:
        correlation = np.corrcoef(first.flatten(), second.flatten())[0, 1]
        assert abs(correlation) < 0.015


# Steps that are replayed. A GPU records the kernels of a step, not the Python code that has called
# them; so does this, for the CPU.


class Recorder(TorchDispatchMode):
    """Records operations, and what they write to."""

    def __init__(self):
        super().__init__()
        self.calls, self.undo = [], []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        written = [
            value
            for argument, value in zip(function._schema.arguments, args)
            if argument.alias_info is not None and argument.alias_info.is_write
        ]
        written += [
            kwargs[argument.name]
            for argument in function._schema.arguments
            if argument.name in kwargs
            and argument.alias_info is not None
            and argument.alias_info.is_write
        ]
        # Its schema does not tell.
        statistics = args[3:5] if "native_batch_norm.default" in str(function) else []
        for tensor in tree_leaves([written, statistics]):
            self.undo.append((tensor.copy_, tensor.clone()))
        if (generator := kwargs.get("generator")) is not None:
            self.undo.append((generator.set_state, generator.get_state()))
        result = function(*args, **kwargs)
        if not (function.is_view or "empty" in str(function)):
            made = [] if written else tree_leaves(result)
            self.calls.append((function, args, kwargs, made))
        return result


class RecordedOnCPU:
    """What `Graph` is, on a CPU: recording leaves everything as it was."""

    n_recorded = n_replays = 0

    def __init__(self, function, tensors):
        type(self).n_recorded += 1
        self.inputs = [None if t is None else t.clone() for t in tensors]
        with Recorder() as recorder:
            self.output = function(*self.inputs)
        self.calls = recorder.calls
        with torch.no_grad():
            for put_back, value in reversed(recorder.undo):
                put_back(value)

    def replay(self, tensors):
        type(self).n_replays += 1
        for own, given in zip(self.inputs, tensors):
            if own is not None:
                own.copy_(given)
        for function, args, kwargs, made in self.calls:
            # With gradients, for which some kernels keep more.
            args, kwargs = tree_map_only(torch.Tensor, torch.Tensor.detach, (args, kwargs))
            for own, value in zip(made, tree_leaves(function(*args, **kwargs))):
                if isinstance(own, torch.Tensor):
                    own.detach().copy_(value)
        return self.output


@pytest.fixture
def graphs(monkeypatch):
    """Let steps be recorded and replayed on the CPU."""
    monkeypatch.setattr("sknn_basics.training.net.has_graphs", lambda device: True)
    monkeypatch.setattr("sknn_basics.training.devices.CALLS_BEFORE_RECORDING", 1)
    recorded = type("Recorded", (RecordedOnCPU,), {})
    monkeypatch.setattr(Replayed, "record", recorded)
    return recorded


def weights_of(estimator):
    return [value.numpy() for value in estimator.module_.state_dict().values()]


REPLAYED = {
    name: case
    for name, case in {**STACKABLE, **{s: (mlp(solver=s), (X, Y), {}) for s in SOLVERS}}.items()
    if name not in ("text", "augmented")
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("case", REPLAYED)
def test_replayed_steps_give_the_same_bits(case, graphs):
    estimator, data, options = REPLAYED[case]
    replayed, other = (
        clone(estimator)
        .set_params(max_iter=4, batch_size=20, cuda_graphs=has)
        .fit(*data, **options)
        for has in (True, False)
    )
    # Of 4 epochs of 3 batches, the last one smaller.
    assert graphs.n_recorded == 2
    assert graphs.n_replays == 4 * 3 - 2
    assert replayed.loss_curve_ == other.loss_curve_
    for own, expected in zip(weights_of(replayed), weights_of(other), strict=True):
        np.testing.assert_array_equal(own, expected)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("case", STACKABLE)
def test_replayed_steps_of_a_stack_give_the_same_bits(case, graphs):
    estimator, data, options = STACKABLE[case]

    def search(has: bool):
        own = clone(estimator).set_params(max_iter=4, batch_size=20, cuda_graphs=has)
        with stacked():
            models = Parallel(n_jobs=3)(
                delayed(clone(own).set_params(alpha=alpha).fit)(*data, **options)
                for alpha in (0.0, 0.1, 0.2)
            )
        return models

    for replayed, other in zip(search(True), search(False)):
        assert replayed.loss_curve_ == other.loss_curve_
        for own, expected in zip(weights_of(replayed), weights_of(other), strict=True):
            np.testing.assert_array_equal(own, expected)
    assert 1 <= graphs.n_recorded <= 6


class OwnStep(nn.ReLU):
    """An activation of a user."""


class Watcher(Callback):
    """A callback of a user."""


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("estimator", "data"),
    [
        (mlp(cuda_graphs=False), (X, Y)),
        (mlp(activation=OwnStep), (X, Y)),
        (mlp(callbacks=[Watcher()]), (X, Y)),
        (MLPRegressor(loss=lambda output, y: (output - y).abs(), **SHORT), (X, Z)),
        (mlp(adversarial_training=0.1), (X, Y)),
        (mlp(solver="lbfgs"), (X, Y)),
        (rnn(stateful=True), (SERIES, Y)),
        (conv(augmentation=lambda images: images.flip(-1)), (IMAGES, Y)),
        (conv(preprocessing=lambda images: images * 2), (IMAGES, Y)),
        (GAN(max_iter=1, random_state=0), (X,)),
    ],
)
def test_steps_that_run_code_of_a_user_or_change_more_than_tensors_are_not_recorded(
    estimator, data, graphs
):
    clone(estimator).fit(*data)
    assert graphs.n_recorded == 0


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_step_that_cannot_be_recorded_is_made_as_ever(graphs, monkeypatch):
    def fail(self, function, tensors):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(graphs, "__init__", fail)
    replayed, other = (mlp(cuda_graphs=has).fit(X, Y) for has in (True, False))
    assert graphs.n_replays == 0
    for own, expected in zip(weights_of(replayed), weights_of(other), strict=True):
        np.testing.assert_array_equal(own, expected)


# Settings of cuDNN.


def cudnn_settings():
    names = ("deterministic", "benchmark", "allow_tf32")
    return {name: getattr(torch.backends.cudnn, name) for name in names}


def test_settings_of_cudnn_hold_while_anyone_computes_and_are_put_back():
    before = cudnn_settings()
    first, second = reproducible("cuda:0"), reproducible(torch.device("cuda"))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert cudnn_settings() == {"deterministic": True, "benchmark": False, "allow_tf32": False}
    second.__exit__(None, None, None)
    assert cudnn_settings() == before


def test_networks_round_to_tf32_where_matrix_products_do(monkeypatch):
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: "high")
    with reproducible("cuda"):
        assert torch.backends.cudnn.allow_tf32


def test_a_processor_needs_no_settings():
    before = cudnn_settings()
    with reproducible("cpu"):
        assert cudnn_settings() == before


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("call", ["fit", "predict"])
def test_networks_compute_with_these_settings(call, monkeypatch):
    places = []

    def look(device):
        places.append(str(device))
        return nullcontext()

    model = mlp().fit(X, Y)
    for module in ("net", "batches"):
        monkeypatch.setattr(f"sknn_basics.training.{module}.reproducible", look)
    model.fit(X, Y) if call == "fit" else model.predict(X)
    assert set(places) == {"cpu"}


def test_weights_lie_side_by_side_for_cudnn():
    weights = [nn.Parameter(torch.randn(shape)) for shape in ((8, 3), (8, 2), (8,))]
    laid = side_by_side(weights)
    places = [part.data_ptr() - laid[0].data_ptr() for part in laid]
    assert places == [0, 4 * 24, 4 * 40]
    sum((part * i).sum() for i, part in enumerate(laid, 1)).backward()
    for i, (part, weight) in enumerate(zip(laid, weights), 1):
        assert torch.equal(part, weight)
        assert (weight.grad == i).all()
