"""What cannot be stacked is trained alone, and the report says why."""

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from sknn_basics import ConvAutoencoder, ConvNetClassifier, MLPClassifier, architectures
from sknn_basics.parallel import stacked
from sknn_basics.stacking.stack import Neighbours, Stack

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def network(**parameters):
    fixed = {"hidden_layer_sizes": (8,), "max_iter": 4, "batch_size": 16, "random_state": 0}
    return MLPClassifier(**{**fixed, **parameters})


def ways(report) -> set[str]:
    return {training.way for training in report.trainings}


def fit_all(estimators, data) -> list:
    return Parallel()(delayed(clone(estimator).fit)(*data) for estimator in estimators)


def assert_same_fits(fits, others, tolerance):
    for one, other in zip(fits, others, strict=True):
        np.testing.assert_allclose(one.loss_curve_, other.loss_curve_, rtol=tolerance)
        for a, b in zip(one.coefs_, other.coefs_, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)


# Failures while a stack is formed.

# What runs until a stack has made its first steps, by module.
FORMING = {
    "stacking.backend": ["available_memory", "bytes_of_fit"],
    "stacking.rounds": [
        *("key_of", "setting", "reason_alone", "unstackable_layer", "is_wide", "is_on_cpu"),
        *(
            "n_busy_threads",
            "make_group",
            "make_stack",
            "why_no_others",
            "Stack",
            "Group.is_complete",
        ),
        "Rounds.form_groups",
    ],
    "stacking.stack": [
        *("structure", "get_rate", "Sources", "Block", "Part", "JointOptimiser"),
        *("snapshot_of_optimisers", "lay_moments_side_by_side", "Stack.snapshot"),
        *("Neighbours.__init__", "Neighbours.begin", "Neighbours.fill", "Neighbours.step"),
    ],
    "stacking.blocks": [
        *("describe_layer", "named_tensors", "stack_layers", "apply", "losses_of_members"),
        *("Block.read_losses", "Part.step", "Part.losses", "Part.decay", "Part.end_step"),
    ],
    "stacking.sources": [
        *("Sources.make_reader", "Sources.steps", "Sources.plan", "Sources.counts"),
        *("can_be_table", "starts"),
        *("TableReader.begin", "TableReader.read"),
    ],
}
PLACES = [f"{module}.{name}" for module, names in FORMING.items() for name in names]


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("place", PLACES)
def test_what_fails_while_a_stack_is_formed_trains_its_networks_alone(
    place, n_threads, iris, monkeypatch
):
    alone = fit_all([network()] * 3, iris)

    def fail(*args, **kwargs):
        raise LookupError("injected")

    monkeypatch.setattr(torch, "get_num_threads", lambda: n_threads)
    monkeypatch.setattr("sknn_basics.stacking.rounds.SMALL_STEP", 1)
    monkeypatch.setattr(f"sknn_basics.{place}", fail)
    with stacked() as report:
        together = fit_all([network()] * 3, iris)
    assert_same_fits(together, alone, 1e-12)
    assert "alone: stacking failed with LookupError: injected" in ways(report)


SOLVERS = {
    "adam": {"solver": "adam"},
    "momentum": {"solver": "sgd", "learning_rate_init": 0.1},
    "mixed": {"solver": ["adam", "adamax", "sgd"]},
    "draws": {"dropout": 0.3, "normalization": "batch"},
}


@pytest.mark.parametrize("n_ended", [0, 1])
@pytest.mark.parametrize("options", SOLVERS)
def test_steps_of_a_stack_that_fails_are_undone(options, n_ended, iris, monkeypatch):
    """The first stack, or that of the networks that are left, fails in its third step."""
    options = {name: np.resize(value, 3) for name, value in SOLVERS[options].items()}
    estimators = [
        network(max_iter=2 if i < n_ended else 5, random_state=i).set_params(
            **{name: values[i].item() for name, values in options.items()}
        )
        for i in range(3)
    ]
    alone = fit_all(estimators, iris)
    step, n_steps = Neighbours.step, []

    def fail_in_third_step(run, *batch):
        if len(run.nets) == 3 - n_ended:
            n_steps.append(run)
            if len(n_steps) == 3:
                raise LookupError("injected")
        return step(run, *batch)

    monkeypatch.setattr(Neighbours, "step", fail_in_third_step)
    with stacked() as report:
        together = fit_all(estimators, iris)
    assert_same_fits(together, alone, 1e-9)
    # Those that are left had been stacked before.
    left = [training for training in report.trainings if "injected" in training.way]
    assert [training.n_fits for training in left] == [3 - n_ended]
    assert [training.n_epochs for training in left] == [15 if n_ended == 0 else 6]


def test_a_stack_that_does_not_fit_in_memory_where_it_is_formed_is_split(iris, monkeypatch):
    alone = fit_all([network()] * 4, iris)
    init = Stack.__init__

    def form_in_little_memory(stack, nets, batches):
        if len(nets) > 2:
            raise MemoryError
        init(stack, nets, batches)

    monkeypatch.setattr(Stack, "__init__", form_in_little_memory)
    with stacked() as report, pytest.warns(RuntimeWarning, match="at most 2 are stacked now"):
        together = fit_all([network()] * 4, iris)
    assert_same_fits(together, alone, 1e-12)
    assert [(t.way, t.most_at_once) for t in report.trainings] == [("stacked", 2)]


def test_index_targets_beside_probability_targets_form_stacks_of_their_own(iris):
    X, y = iris
    targets = [(X, y), (X, np.eye(3)[y])] * 2
    estimators = [network(loss="cross_entropy")] * 4
    alone = [clone(e).fit(*xy) for e, xy in zip(estimators, targets)]
    with stacked() as report:
        together = Parallel()(delayed(clone(e).fit)(*xy) for e, xy in zip(estimators, targets))
    assert_same_fits(together, alone, 1e-12)
    rows = [(t.way, t.n_fits, t.most_at_once, t.apart) for t in report.trainings]
    assert rows == [("stacked", 2, 2, "shape or kind of X or y")] * 2


def test_networks_without_a_dense_layer_are_reported_by_their_convolutions(digits):
    images = digits[0][:60].reshape(-1, 8, 8)
    parameters = {**architectures.POOLED_DENOISER, "filters": (4, 2), "batch_size": 20}
    network = ConvAutoencoder(**{**parameters, "max_iter": 2})
    alone = cross_val_score(network.set_params(random_state=0), images, cv=3)
    with stacked() as report:
        together = cross_val_score(network, images, cv=3)
    np.testing.assert_allclose(together, alone, rtol=1e-5)
    assert [training.network for training in report.trainings] == ["1-4-2-2-4-1"]


def test_a_layer_that_cannot_be_described_ends_no_search(iris, monkeypatch):
    def fail(module):
        raise AttributeError("no in_features")

    monkeypatch.setattr("sknn_basics.stacking.report.describe", fail)
    with stacked() as report:
        assert cross_val_score(network(), *iris, cv=3).shape == (3,)
    assert [training.network for training in report.trainings] == ["DenseNetwork"]


# Reasons.


def test_the_report_names_in_what_a_network_differs(iris):
    estimators = [network(dtype=dtype) for dtype in ("float32", "float64")]
    with stacked() as report:
        fit_all(estimators, iris)
    assert ways(report) == {f"alone: no other has its dtype of {e.dtype}" for e in estimators}


def test_the_only_network_has_no_others(iris):
    with stacked() as report:
        fit_all([network()], iris)
    assert ways(report) == {"alone: no others wait to be trained"}


def test_the_report_names_what_splits_stacks(iris):
    with stacked() as report:
        fit_all([network(), network(dtype="float32")] * 2, iris)
    assert [(t.way, t.n_fits, t.apart) for t in report.trainings] == [("stacked", 2, "dtype")] * 2
    assert str(report).count("stacked, apart by dtype") == 2


def test_the_kind_of_targets_is_a_reason(iris):
    X, y = iris
    estimator = network(loss="cross_entropy")
    with stacked() as report:
        Parallel()(delayed(clone(estimator).fit)(X, target) for target in (y, np.eye(3)[y]))
    assert ways(report) == {"alone: no other has its shape or kind of X or y"}


def test_the_last_of_a_stack_is_part_of_it(iris):
    """One that goes on when all others have ended is no row of its own."""
    with stacked() as report:
        fit_all([network(max_iter=n) for n in (2, 2, 5)], iris)
    (row,) = report.trainings
    assert (row.way, row.n_fits, row.n_epochs, row.most_at_once) == ("stacked", 3, 9, 3)


def test_the_report_names_the_networks_of_a_stack(iris):
    sizes = [(n,) for n in range(3, 9)]
    with stacked() as report:
        fit_all([network(hidden_layer_sizes=size) for size in sizes], iris)
    (row,) = report.trainings
    assert row.networks == [f"4-{n}-3" for n in range(3, 9)]
    assert row.network == "4-3-3, 4-4-3, 4-5-3, 3 more"


def test_the_report_counts_the_stacks_of_two_threads(iris, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr("sknn_basics.stacking.rounds.SMALL_STEP", 1)
    with stacked() as report:
        fit_all([network()] * 4, iris)
    (row,) = report.trainings
    assert (row.n_fits, row.n_stacks, row.most_at_once) == (4, 2, 4)
    assert str(report).endswith("stacked in 2 stacks")


def test_augmentation_is_what_has_no_stacked_form(digits):
    images, y = digits[0][:60].reshape(-1, 8, 8), digits[1][:60]
    estimator = ConvNetClassifier((4,), (), max_iter=1, augmentation=torch.nn.Identity())
    with stacked() as report:
        Parallel()(delayed(clone(estimator).fit)(images, y) for _ in range(2))
    assert ways(report) == {"alone: augmentation has no stacked form"}


def test_fits_that_go_on_are_counted(iris):
    estimators = [network(warm_start=True, random_state=i) for i in range(3)]
    for _ in range(2):
        with stacked() as report:
            Parallel()(delayed(estimator.fit)(*iris) for estimator in estimators)
        assert [(t.way, t.n_fits, t.n_epochs) for t in report.trainings] == [("stacked", 3, 12)]
