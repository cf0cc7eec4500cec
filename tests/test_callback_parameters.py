"""Parameters of skorch callbacks, set and searched over as in skorch."""

import numpy as np
import pytest
import skorch
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from skorch.callbacks import EarlyStopping, EpochScoring, LRScheduler

from sknn_basics import Autoencoder, ConvNetClassifier, MLPClassifier, RNNRegressor, TextGenerator
from sknn_basics.parallel import stacked

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return scale(X), y


def stopping(**options):
    """Stops when the training loss has not fallen by a tenth."""
    return EarlyStopping(monitor="train_loss", threshold=0.1, **options)


def network(**options):
    return MLPClassifier(
        (6,), max_iter=30, random_state=0, callbacks=[("es", stopping())], **options
    )


PATIENCE = {"callbacks__es__patience": [1, 5]}


def epochs_of(search, X, y, patience) -> int:
    return clone(search.estimator).set_params(callbacks__es__patience=patience).fit(X, y).n_iter_


def test_a_grid_searches_over_the_patience_of_a_callback(iris):
    X, y = iris
    search = GridSearchCV(network(), PATIENCE, cv=2).fit(X, y)
    assert [p["callbacks__es__patience"] for p in search.cv_results_["params"]] == [1, 5]
    # skorch counts the patience from the first epoch without progress.
    for patience in (1, 5):
        model = MLPClassifier((6,), max_iter=30, random_state=0)
        expected = model.set_params(callbacks=[stopping(patience=patience)]).fit(X, y)
        assert epochs_of(search, X, y, patience) == expected.n_iter_
    assert epochs_of(search, X, y, 1) < epochs_of(search, X, y, 5)
    assert (
        search.best_estimator_.callbacks[0][1].patience
        == search.best_params_["callbacks__es__patience"]
    )
    # The estimator that was given is as it was.
    assert search.estimator.get_params()["callbacks__es__patience"] == 5
    assert search.estimator.callbacks[0][1] is not search.best_estimator_.callbacks[0][1]


def test_names_and_values_are_those_of_skorch():
    callbacks = [("es", EarlyStopping(patience=3)), EpochScoring("accuracy"), LRScheduler]
    callbacks += [EpochScoring("r2", name="r2")]
    net = skorch.NeuralNet(
        torch.nn.Flatten, torch.nn.MSELoss, optimizer=lambda *args, **options: None
    )
    net.set_params(callbacks=callbacks).initialize()
    model = MLPClassifier(callbacks=callbacks)
    own, others = model.get_params(), net.get_params()
    names = [name for name in own if name.startswith("callbacks__es")]
    assert len(names) > 5
    assert all(own[name] == others[name] for name in names)
    assert own["callbacks__EpochScoring_1__scoring"] == others["callbacks__EpochScoring_1__scoring"]
    assert own["callbacks__EpochScoring_2__name"] == "r2"
    assert own["callbacks__LRScheduler"] is LRScheduler


@pytest.mark.parametrize(
    "kind", [MLPClassifier, ConvNetClassifier, RNNRegressor, Autoencoder, TextGenerator]
)
def test_callbacks_of_every_family_have_parameters(kind):
    model = kind(callbacks=[EarlyStopping(patience=3)])
    assert clone(model).set_params(callbacks__EarlyStopping__patience=7).callbacks[0].patience == 7
    assert model.callbacks[0].patience == 3
    assert not any("callbacks__" in name for name in kind().get_params())
    assert not any("callbacks__" in name for name in model.get_params(deep=False))


def test_callbacks_are_replaced_and_taken_away():
    model = MLPClassifier(callbacks=[("es", EarlyStopping(patience=3)), LRScheduler])
    other = EarlyStopping()
    model.set_params(callbacks__es=other, callbacks__es__patience=8, max_iter=3)
    assert model.callbacks[0] == ("es", other)
    assert (other.patience, model.max_iter) == (8, 3)
    model.set_params(callbacks__LRScheduler__policy="StepLR", callbacks__es=None)
    (scheduler,) = model.callbacks
    assert scheduler.policy == "StepLR"


def test_callbacks_of_one_class_have_numbers():
    model = MLPClassifier(callbacks=[EarlyStopping(patience=1), EarlyStopping(patience=2)])
    model.set_params(callbacks__EarlyStopping_2__patience=9)
    assert [callback.patience for callback in model.callbacks] == [1, 9]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"callbacks__ess__patience": 1}, r"callbacks has no 'ess', but \['es'\]"),
        ({"callbacks__es__patients": 1}, "Invalid parameter 'patients'"),
        ({"callbacks__es": None, "callbacks__es__patience": 1}, "no 'es' any more"),
        ({"callbackz__es": None}, "Invalid parameter 'callbackz'"),
    ],
)
def test_unknown_names_are_errors(parameters, words):
    with pytest.raises(ValueError, match=words):
        network().set_params(**parameters)
    with pytest.raises(ValueError, match=r"callbacks has no 'es', but \[\]"):
        MLPClassifier().set_params(callbacks__es__patience=1)


def test_callbacks_are_searched_over_in_a_pipeline_and_a_stack(iris):
    X, y = iris
    pipeline = make_pipeline(StandardScaler(), network())
    grid = {f"mlpclassifier__{name}": values for name, values in PATIENCE.items()}
    search = GridSearchCV(pipeline, grid, cv=2, scoring="neg_log_loss")
    alone = clone(search).fit(X, y).cv_results_["mean_test_score"]
    with stacked() as report:
        joint = search.fit(X, y).cv_results_["mean_test_score"]
    np.testing.assert_allclose(joint, alone, rtol=1e-6)
    assert "stacked" in {training.way for training in report.trainings}
