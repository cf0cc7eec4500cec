"""The training loop: batches, policies, optimisers."""

import copy
import pickle
import sys
from platform import libc_ver
from subprocess import run

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed, parallel_config
from scipy.sparse import csr_array
from sklearn.base import clone
from skorch.callbacks import Callback, EpochScoring
from skorch.callbacks import EarlyStopping as SkorchEarlyStopping
from torch import nn

from sknn_basics import MLPClassifier, MLPRegressor
from sknn_basics.stacking.losses import losses_of_members
from sknn_basics.stacking.optimisers import JointOptimiser, lay_moments_side_by_side
from sknn_basics.training.batches import ArrayDataset, Batches
from sknn_basics.training.losses import CrossEntropy
from sknn_basics.training.optimisers import (
    SOLVERS,
    Adam,
    make_optimiser,
    usual_rate,
)
from sknn_basics.training.schedules import (
    CosineAnnealing,
    ExponentialDecay,
    OneCycle,
    ReduceOnPlateau,
    StepDecay,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

CPU = torch.device("cpu")


def make_dataset(X, y=None, weight=None):
    return ArrayDataset(X, y, weight, dtype=torch.float32, device=CPU)


# Batches


@pytest.mark.parametrize("n_columns", [3, 200_000], ids=["cut from blocks", "read one by one"])
def test_an_epoch_contains_every_row_once(n_columns):
    X = np.broadcast_to(np.arange(10.0)[:, None], (10, n_columns))
    dataset = make_dataset(X, np.arange(10), np.arange(10))
    batches = Batches(dataset, 4, np.random.RandomState(0))
    for _ in range(2):
        Xs, ys, weights = zip(*batches)
        assert [len(y) for y in ys] == [4, 4, 2]
        np.testing.assert_array_equal(torch.cat(ys).sort().values, np.arange(10))
        np.testing.assert_array_equal(torch.cat(Xs)[:, 0], torch.cat(ys))
        np.testing.assert_array_equal(torch.cat(weights), torch.cat(ys))


def test_epochs_differ_in_order_only_when_shuffled():
    dataset = make_dataset(np.zeros((50, 2)), np.arange(50))
    shuffled, in_order = Batches(dataset, 50, np.random.RandomState(0)), Batches(dataset, 50)
    (_, first, _), (_, second, _) = next(iter(shuffled)), next(iter(shuffled))
    assert not torch.equal(first, second)
    assert torch.equal(next(iter(in_order))[1], torch.arange(50))


def test_a_subset_reads_its_rows_only():
    X = np.arange(20.0).reshape(10, 2)
    part = make_dataset(X, np.arange(10)).subset(np.array([7, 2, 5]))
    inputs, targets, _ = part[0:2]
    assert targets.tolist() == [7, 2]
    np.testing.assert_array_equal(inputs, X[[7, 2]])


def test_sparse_rows_are_read_as_dense_ones():
    X = np.random.RandomState(0).binomial(1, 0.3, (10, 4)).astype(float)
    rows = np.array([3, 1])
    np.testing.assert_array_equal(make_dataset(csr_array(X))[rows][0], X[rows])


def test_batches_do_not_share_memory_with_a_read_only_array():
    X = np.zeros((4, 2), np.float32)
    X.setflags(write=False)
    make_dataset(X)[0:2][0].add_(1)
    assert not X.any()


# Optimisers


@pytest.mark.parametrize("name", sorted(SOLVERS))
def test_every_solver_learns_at_its_usual_rate(name, iris):
    model = MLPClassifier(
        solver=name, learning_rate_init="auto", batch_size=16, max_iter=40, random_state=0
    ).fit(*iris)
    assert model.score(*iris) > 0.85
    assert model.history_["learning_rate"][0] == usual_rate(name)


def test_a_solver_may_be_a_class_of_torch(iris):
    model = MLPClassifier(solver=torch.optim.Rprop, batch_size=150, max_iter=30, random_state=0)
    assert model.fit(*iris).score(*iris) > 0.9


@pytest.mark.parametrize("name", ["sgd", "adamw", "rmsprop", "adagrad", "adadelta", "nadam"])
def test_a_step_is_that_of_torch(name):
    ours, theirs = nn.Linear(3, 2), nn.Linear(3, 2)
    theirs.load_state_dict(ours.state_dict())
    options = {"sgd": {"momentum": 0.9, "nesterov": True}, "rmsprop": {"alpha": 0.9}}
    # Biases do not decay, unlike torch's unless it is told so.
    groups = [{"params": [theirs.weight]}, {"params": [theirs.bias], "weight_decay": 0.0}]
    optimisers = [
        make_optimiser(ours.parameters(), name, 0.01),
        SOLVERS[name](groups, lr=0.01, **options.get(name, {})),
    ]
    for _ in range(5):
        for layer, optimiser in zip((ours, theirs), optimisers):
            optimiser.zero_grad()
            layer(torch.ones(4, 3)).square().sum().backward()
            optimiser.step()
    torch.testing.assert_close(ours.weight, theirs.weight)
    torch.testing.assert_close(ours.bias, theirs.bias)


def hand_written_adamw(model: MLPRegressor, X, y, alpha: float) -> list[np.ndarray]:
    """Train a copy of a dense network with torch's own AdamW, whole epochs a step."""
    module = copy.deepcopy(model.module_)
    weights = [p for p in module.parameters() if p.dim() > 1]
    biases = [p for p in module.parameters() if p.dim() == 1]
    groups = [{"params": weights, "weight_decay": alpha}, {"params": biases, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=model.learning_rate_init)
    for _ in range(model.max_iter):
        optimiser.zero_grad()
        output = module(torch.tensor(X))
        (0.5 * (output[:, 0] - torch.tensor(y)).square()).mean().backward()
        optimiser.step()
    return [p.detach().numpy() for p in module.parameters()]


@pytest.mark.parametrize("backend", [None, "stacked"])
@pytest.mark.parametrize("alpha", [0.0, 2.0])
def test_alpha_is_the_decoupled_decay_of_adamw(alpha, backend, diabetes):
    X, y = diabetes
    options = {"hidden_layer_sizes": (5,), "solver": "adamw", "alpha": alpha, "batch_size": 442}
    options |= {"shuffle": False, "max_iter": 15, "learning_rate_init": 0.01, "dtype": "float64"}
    models = [MLPRegressor(**options, random_state=seed) for seed in (0, 1)]
    expected = [hand_written_adamw(clone(m).initialize(X, y), X, y, alpha) for m in models]
    with parallel_config(backend=backend or "sequential"):
        models = Parallel()(delayed(model.fit)(X, y) for model in models)
    for model, theirs in zip(models, expected):
        ours = [p.detach().numpy() for p in model.module_.parameters()]
        for own, other in zip(ours, theirs):
            np.testing.assert_allclose(own, other, rtol=1e-9, atol=1e-12)


def test_the_loss_of_adamw_has_no_penalty(diabetes):
    X, y = diabetes
    options = {"solver": "adamw", "learning_rate_init": 1e-30, "max_iter": 1, "random_state": 0}
    heavy, light = (MLPRegressor(**options, alpha=alpha).fit(X, y) for alpha in (100.0, 0.0))
    assert heavy.loss_ == light.loss_


@pytest.mark.parametrize("how", ["partial_fit", "loaded"])
def test_partial_fit_takes_another_decay(how, diabetes):
    X, y = diabetes
    model = MLPRegressor(hidden_layer_sizes=(5,), solver="adamw", alpha=0.0, random_state=0)
    model.partial_fit(X, y)
    if how == "loaded":
        model = pickle.loads(pickle.dumps(model))
    model.set_params(alpha=3.0).partial_fit(X, y)
    assert [group["weight_decay"] for group in model.net_.optimizer_.param_groups] == [3.0, 0.0]


@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop"])
def test_a_fit_does_not_import_the_compiler_of_torch(solver):
    script = (
        "import sys, sklearn.datasets, sknn_basics\n"
        "X, y = sklearn.datasets.load_iris(return_X_y=True)\n"
        f"model = sknn_basics.MLPClassifier(solver={solver!r}, max_iter=1, dropout=0.1)\n"
        "model.fit(X, y).predict(X)\n"
        "sys.exit('torch._dynamo' in sys.modules)\n"
    )
    assert run([sys.executable, "-W", "ignore", "-c", script]).returncode == 0


PAGE_FAULTS = """
import resource, torch
from sknn_basics.training.devices import kept_memory

def count_page_faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    outputs = [torch.ones(4_000_000) for _ in range(6)]
    del outputs
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

with kept_memory("cpu", 100_000_000):
    print(*(count_page_faults() for _ in range(5)))
"""


@pytest.mark.skipif(libc_ver()[0] != "glibc", reason="the allocator is another one")
def test_a_step_finds_the_memory_of_the_last_one():
    result = run([sys.executable, "-c", PAGE_FAULTS], capture_output=True, text=True, check=True)
    first, *_, last = map(int, result.stdout.split())
    assert last < first / 100


def test_fused_steps_of_neighbours_are_those_of_each():
    alone = [[torch.randn(4, 3), torch.randn(4)] for _ in range(3)]
    stacks = [torch.stack(tensors) for tensors in zip(*alone)]
    members = list(zip(*(stack.unbind() for stack in stacks)))
    gradients = [torch.randn_like(stack) for stack in stacks]
    optimisers = []
    for tensors in (alone, members):
        parameters = [[nn.Parameter(t) for t in member] for member in tensors]
        for own, part in zip(zip(*parameters), gradients):
            for parameter, gradient in zip(own, part.unbind()):
                parameter.grad = gradient
        optimisers.append([Adam(own, lr=0.1, fused=True) for own in parameters])
    lay_moments_side_by_side(
        optimisers[1], [[p for g in own.param_groups for p in g["params"]] for own in optimisers[1]]
    )
    # Two share a rate.
    for own in optimisers:
        own[2].param_groups[0]["lr"] = 0.2
    joint = JointOptimiser(optimisers[1])
    assert sorted(map(len, (lists[0] for lists in joint.joined[0].kept.values()))) == [2, 2]
    for _ in range(3):
        joint.step()
        for own in optimisers[0]:
            own.step()
    for member, own in zip(members, alone):
        torch.testing.assert_close(list(member), own)


# Losses


@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4])
def test_cross_entropy_of_a_stack_is_that_of_torch(scale):
    output = (scale * torch.randn(3, 4, 5, dtype=torch.float64)).requires_grad_()
    target, weight = torch.randint(4, (3, 5)), torch.rand(3, 5, dtype=torch.float64)
    results = []
    for losses in (
        losses_of_members(CrossEntropy(), output.mT, target),
        nn.functional.cross_entropy(output, target, reduction="none"),
    ):
        results.append((losses, *torch.autograd.grad((weight * losses).sum(), output)))
    torch.testing.assert_close(*results)


# Schedules


def rates(schedule, n_epochs, rate=1.0):
    return [schedule(epoch, rate, n_epochs) for epoch in range(n_epochs)]


def test_step_decay_is_a_staircase():
    assert rates(StepDecay(0.5, 2), 5) == [1, 1, 0.5, 0.5, 0.25]


def test_exponential_decay_falls_every_epoch():
    np.testing.assert_allclose(rates(ExponentialDecay(0.9), 3), [1, 0.9, 0.81])


def test_cosine_annealing_is_that_of_torch():
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=9, eta_min=0.1)
    expected = []
    for _ in range(10):
        expected.append(schedule.get_last_lr()[0])
        optimiser.step()
        schedule.step()
    np.testing.assert_allclose(rates(CosineAnnealing(0.1), 10), expected)


def test_one_cycle_is_that_of_torch():
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=1.0, total_steps=11, pct_start=0.4, div_factor=25, final_div_factor=400
    )
    expected = []
    for _ in range(11):
        expected.append(schedule.get_last_lr()[0])
        optimiser.step()
        if len(expected) < 11:
            schedule.step()
    # torch's rise of a share p of n steps ends at step p * n - 1.
    ours = rates(OneCycle(rising_share=0.34, start_share=0.04, final_share=1e-4), 11)
    np.testing.assert_allclose(ours, expected, atol=1e-12)


@pytest.mark.parametrize("name", ["step", "exponential", "cosine", "one_cycle"])
def test_a_named_schedule_sets_the_rates(name, iris):
    model = MLPClassifier(learning_rate=name, max_iter=12, random_state=0).fit(*iris)
    assert len(set(model.history_["learning_rate"])) > 1


def test_a_function_of_the_epoch_sets_the_rates(iris):
    def schedule(epoch):
        return max(0.1, 1 - 0.01 * epoch)

    model = MLPClassifier(learning_rate=schedule, solver="sgd", max_iter=5, random_state=0)
    np.testing.assert_allclose(
        model.fit(*iris).history_["learning_rate"], [1, 0.99, 0.98, 0.97, 0.96]
    )


def test_a_plateau_lowers_the_rate(iris):
    schedule = ReduceOnPlateau(factor=0.5, patience=2, min_rate=0.04)
    model = MLPClassifier(
        learning_rate=schedule, solver="sgd", learning_rate_init=0.1, max_iter=8,
        callbacks=[("flat", NoProgress())], n_iter_no_change=100,
    ).fit(*iris)  # fmt: skip
    expected = [0.1, 0.1, 0.1, 0.05, 0.05, 0.04, 0.04, 0.04]
    np.testing.assert_allclose(model.history_["learning_rate"], expected)


class NoProgress(Callback):
    """Makes every epoch but the first look no better than the first."""

    def on_epoch_begin(self, net, **kwargs):
        if net.best_:
            net.best_["train_loss"] = -1.0


# Stopping


def test_early_stopping_restores_the_best_weights(digits):
    model = MLPClassifier(
        early_stopping=True, learning_rate_init=0.02, max_iter=200, random_state=0,
        n_iter_no_change=4,
    )  # fmt: skip
    recorder = WeightRecorder()
    model.set_params(callbacks=[recorder]).fit(*digits)
    scores, losses = np.array(model.validation_scores_), model.history_["valid_loss"]
    best = np.argmin(np.where(scores < scores.max() - model.tol, np.inf, losses))
    assert model.n_iter_ < 200
    np.testing.assert_array_equal(model.coefs_[0], recorder.weights[best])
    assert model.best_validation_score_ == max(model.validation_scores_)


class WeightRecorder(Callback):
    def initialize(self):
        self.weights = []
        return self

    def on_epoch_end(self, net, **kwargs):
        self.weights.append(net.module_.hidden1.weight.detach().numpy().T.copy())


def test_a_warm_start_keeps_the_best_weights_of_all_fits(digits):
    X, y = digits
    model = MLPClassifier(early_stopping=True, warm_start=True, max_iter=30, random_state=0)
    weights = model.fit(X, y).coefs_[0].copy()
    model.set_params(solver="sgd", learning_rate_init=3.0, max_iter=2).fit(X, y)
    np.testing.assert_array_equal(model.coefs_[0], weights)


def test_early_stopping_waits_for_its_patience(digits):
    model = MLPClassifier(early_stopping=True, tol=1.0, n_iter_no_change=3, random_state=0)
    # The first epoch improves on nothing at all, then no epoch improves by 1.
    assert model.fit(*digits).n_iter_ == 5


def test_validation_split_is_stratified(iris):
    X, y = iris
    seen = []

    def count(estimator, X_val, y_val):
        seen.append(np.bincount(y_val).tolist())
        return 0.0

    MLPClassifier(
        early_stopping=True, validation_fraction=0.2, scoring=count, max_iter=2, random_state=0
    ).fit(X, y)
    assert seen == [[10, 10, 10]] * 2


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_given_validation_data_are_scored_and_not_trained_on(solver, iris):
    X, y = iris
    options = {"max_iter": 4, "random_state": 0, "solver": solver, "normalization": "batch"}
    plain = MLPClassifier(**options).fit(X[::2], y[::2])
    watched = MLPClassifier(**options).fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert watched.validation_scores_[-1] == plain.score(X[1::2], y[1::2])
    np.testing.assert_array_equal(watched.coefs_[0], plain.coefs_[0])


@pytest.mark.parametrize("scoring", ["neg_log_loss", "loss", "balanced_accuracy", None])
def test_early_stopping_watches_the_scoring(scoring, iris):
    X, y = iris
    model = MLPClassifier(scoring=scoring, early_stopping=True, max_iter=3, random_state=0)
    model.fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    probability = model.predict_proba(X[1::2])[np.arange(75), y[1::2]]
    accuracy = model.score(X[1::2], y[1::2])
    expected = {None: accuracy, "balanced_accuracy": accuracy}
    expected = expected.get(scoring, np.log(probability).mean())
    assert model.best_validation_score_ == pytest.approx(expected, abs=1e-6)


def test_class_weights_equal_the_matching_sample_weights(digits):
    X, y = digits
    weights = {digit: 1.0 + digit for digit in range(10)}
    by_class = MLPClassifier(class_weight=weights, max_iter=3, random_state=0).fit(X, y)
    by_sample = MLPClassifier(max_iter=3, random_state=0).fit(X, y, sample_weight=1.0 + y)
    np.testing.assert_array_equal(by_class.predict_proba(X), by_sample.predict_proba(X))


@pytest.mark.filterwarnings("ignore:Got `batch_size`")
def test_a_weight_of_two_equals_a_repeated_row(diabetes):
    X, y = diabetes
    options = {"batch_size": 1000, "max_iter": 20, "random_state": 0, "dtype": "float64"}
    weight = np.where(np.arange(len(y)) % 2, 2, 1)
    rows = np.repeat(np.arange(len(y)), weight)
    weighted = MLPRegressor(**options).fit(X, y, weight)
    repeated = MLPRegressor(**options).fit(X[rows], y[rows])
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), atol=1e-9)


# skorch's callbacks


def test_epoch_scoring_of_skorch_works(iris):
    X, y = iris
    scoring = EpochScoring(
        lambda net, X, y: float(len(X)), name="size", use_caching=False, lower_is_better=False
    )
    model = MLPClassifier(callbacks=[scoring], max_iter=2).fit(X, y, X_val=X[:30], y_val=y[:30])
    assert model.history_["size"].tolist() == [30, 30]


def test_early_stopping_of_skorch_stops(iris):
    stopping = SkorchEarlyStopping(monitor="train_loss", patience=2, threshold=10)
    model = MLPClassifier(callbacks=[stopping], max_iter=50, random_state=0).fit(*iris)
    assert model.n_iter_ == 3


class BatchRecorder(Callback):
    def initialize(self):
        self.sizes, self.gradients = [], []
        return self

    def on_batch_end(self, net, batch=None, training=None, **kwargs):
        self.sizes.append(len(batch[0]))

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.gradients.append(dict(named_parameters)["output.weight"].grad.norm().item())


def test_batch_callbacks_see_every_batch(iris):
    recorder = BatchRecorder()
    model = MLPClassifier(callbacks=[recorder], batch_size=60, max_iter=2).fit(*iris)
    assert recorder.sizes == [60, 60, 30] * 2
    assert len(recorder.gradients) == 6
    recorded = model.net_.history[:, "batches", :, "train_loss"]
    assert np.shape(recorded) == (2, 3)


def test_clipping_limits_the_gradient(iris):
    recorder = BatchRecorder()
    MLPClassifier(callbacks=[recorder], clip_grad_norm=1e-3, max_iter=2).fit(*iris)
    assert max(recorder.gradients) <= 1e-3
