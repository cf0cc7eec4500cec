"""The table of what fits keep says what they do."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from skorch.callbacks import Callback, Checkpoint, LoadInitState

from sknn_basics import MLPRegressor, from_json

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

PAGE = Path(__file__).parent.parent / "docs" / "user_guide" / "fitting_again.rst"


def read_table() -> dict[str, dict[str, bool]]:
    """Read whether each call keeps each thing: call -> column -> bool."""
    rows = re.findall(r"^   \* - (.*)\n((?:     - .*\n)+)", PAGE.read_text(), re.MULTILINE)
    rows = [(call, re.findall(r"- (.*)", cells)) for call, cells in rows]
    (_, columns), *calls = rows
    return {
        call: {column: cell.startswith("kept") for column, cell in zip(columns, cells, strict=True)}
        for call, cells in calls
    }


KEPT = read_table()


class Start(Callback):
    """Records what the first epoch of a training begins with."""

    def initialize(self):
        self.weights = None
        return self

    def on_epoch_begin(self, net, **kwargs):
        if self.weights is None:
            self.weights = read_weights(net)
            states = net.optimizer_.state.values()
            self.has_momentum = any(s.get("momentum_buffer") is not None for s in states)
            self.n_epochs = len(net.history) - 1


def read_weights(net) -> list[np.ndarray]:
    return [weight.detach().numpy().copy() for weight in net.module_.parameters()]


OPTIONS = {
    "hidden_layer_sizes": (6,),
    "solver": "sgd",
    "learning_rate_init": 1e-3,
    "max_iter": 3,
    "random_state": 0,
}


def make(options) -> MLPRegressor:
    return MLPRegressor(**{**OPTIONS, **options})


def fitted(options, data, folder):
    return make(options).fit(*data)


def pickled(options, data, folder):
    return pickle.loads(pickle.dumps(make(options).fit(*data)))


def rebuilt(options, data, folder):
    model = make(options).fit(*data)
    model.save_weights(folder / "weights.npz")
    return from_json(model.to_json()).load_weights(folder / "weights.npz")


def checkpointed(options, data, folder):
    checkpoint = Checkpoint(monitor=None, dirname=str(folder))
    make({**options, "callbacks": [checkpoint]}).fit(*data)
    return make({**options, "callbacks": [LoadInitState(checkpoint)]})


# Where the next training finds the one before, and the call that makes it.
CALLS = {
    "``fit``": (fitted, "fit"),
    "``fit`` with ``warm_start=True``": (fitted, "fit"),
    "``partial_fit``": (fitted, "partial_fit"),
    "``fit`` from a checkpoint": (checkpointed, "fit"),
    "``partial_fit`` after `pickle`": (pickled, "partial_fit"),
    "``partial_fit`` after `from_json` and ``load_weights``": (rebuilt, "partial_fit"),
}
each_call = pytest.mark.parametrize("call", CALLS)


@pytest.fixture
def fit_again(diabetes, tmp_path):
    """Fit three epochs, and again as a call does, to the same data if no other are given."""

    def fit_twice(call, options, data=diabetes, **changes):
        prepare, method = CALLS[call]
        model = prepare(options, diabetes, tmp_path)
        changes |= {"warm_start": "warm_start" in call}
        model.set_params(**changes, callbacks=[*(model.callbacks or []), Start()])
        return getattr(model, method)(*data)

    return fit_twice


@each_call
def test_weights_momentum_history_and_samples_are_kept_as_the_table_says(call, fit_again, diabetes):
    before = read_weights(make({}).fit(*diabetes).net_)
    model = fit_again(call, {}, max_iter=1)
    start, kept = model.callbacks[-1], KEPT[call]
    assert all(map(np.array_equal, start.weights, before)) == kept["Weights"]
    assert start.has_momentum == kept["Optimiser"]
    assert start.n_epochs == 3 * kept["History"]
    assert model.t_ == (1 + 3 * kept["``t_``"]) * len(diabetes[0])


@each_call
def test_the_schedule_goes_on_as_the_table_says(call, fit_again):
    rates = fit_again(call, {"learning_rate": "exponential"}, max_iter=1).history_["learning_rate"]
    assert np.isclose(rates[-1], 1e-3 * 0.95 ** (3 * KEPT[call]["Schedule"]))


@each_call
def test_the_best_value_is_kept_as_the_table_says(call, fit_again, diabetes):
    X, y = diabetes
    # These losses are about 5000. A warm start does not compare them with those of other samples.
    is_compared = KEPT[call]["Best value"] and "warm_start" not in call
    best = fit_again(call, {}, (X, 100 * y), max_iter=1).best_loss_
    assert (best < 10) == is_compared


@each_call
def test_patience_goes_on_as_the_table_says(call, fit_again, diabetes):
    # After the first, no epoch is an improvement: the first training has waited for two.
    waiting = {"tol": 1e9}
    if "partial_fit" in call:
        adaptive = {**waiting, "learning_rate": "adaptive", "n_iter_no_change": 2}
        *_, first, second = (
            fit_again(call, adaptive).partial_fit(*diabetes).history_["learning_rate"]
        )
        assert (second < first) == KEPT[call]["Patience"]
    else:
        model = fit_again(call, {**waiting, "n_iter_no_change": 4}, max_iter=20)
        assert model.n_iter_ == (3 if KEPT[call]["Patience"] else 6)


def test_initialize_keeps_nothing(diabetes):
    model = make({}).fit(*diabetes).initialize(*diabetes)
    fresh = make({}).initialize(*diabetes)
    assert not any(KEPT["``initialize``"].values())
    assert all(map(np.array_equal, read_weights(model.net_), read_weights(fresh.net_)))
    assert (model.t_, len(model.net_.history), len(model.net_.optimizer_.state)) == (0, 0, 0)


def test_the_table_has_a_row_for_each_call():
    assert KEPT.keys() == {*CALLS, "``initialize``"}
