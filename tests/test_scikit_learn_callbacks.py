"""scikit-learn's own callbacks see every epoch."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from skorch.callbacks import Callback, EpochScoring

from sknn_basics import MLPClassifier, MLPRegressor

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:The estimator MinMaxScaler does not support callbacks"),
]

OPTIONS = {"hidden_layer_sizes": (10,), "max_iter": 4, "random_state": 0}


class Recorder:
    """Record what a callback is told: of every task, its name and number."""

    max_propagation_depth = None

    def __init__(self, stop_at=None):
        self.events, self.stop_at = [], stop_at

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context):
        self.events.append(("end", context.task_name, context.task_id))
        return context.task_name == "epoch" and context.task_id == self.stop_at


class CountingProgressBar(ProgressBar):
    """A progress bar that counts the epochs that it is told of."""

    n_epochs = 0

    def on_fit_task_end(self, estimator, context):
        self.n_epochs += context.task_name == "epoch"
        super().on_fit_task_end(estimator, context)


def scores_of_epochs(monitor, name="accuracy") -> list[float]:
    """List the scores that a monitor has logged at the ends of epochs."""
    return [row[name] for row in monitor.get_logs().data if row["task_name"] == "epoch"]


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_every_epoch_begins_and_ends_within_the_fit(solver, iris):
    recorder = Recorder()
    MLPClassifier(**OPTIONS, solver=solver).set_callbacks(recorder).fit(*iris)
    epochs = [(event, "epoch", i) for i in range(4) for event in ("begin", "end")]
    fit = [("begin", "fit", 0), *epochs, ("end", "fit", 0)]
    assert recorder.events == ["setup", *fit, "teardown"]


def test_a_call_of_partial_fit_is_one_epoch(iris):
    recorder = Recorder()
    model = MLPClassifier(**OPTIONS).set_callbacks(recorder)
    for _ in range(2):
        model.partial_fit(*iris, classes=[0, 1, 2])
    assert recorder.events.count(("end", "epoch", 0)) == 2
    assert recorder.events.count("teardown") == 2


def test_a_training_that_stops_early_ends_its_epochs(iris):
    recorder = Recorder()
    model = MLPClassifier(tol=1.0, n_iter_no_change=2).set_callbacks(recorder).fit(*iris)
    assert model.n_iter_ < 10
    epochs = [event for event in recorder.events if event[:2] == ("end", "epoch")]
    assert len(epochs) == model.n_iter_


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_callbacks_leave_the_model_as_it_is_without_them(solver, iris):
    X, y = iris
    model = MLPClassifier(**OPTIONS, solver=solver, normalization="batch")
    expected = clone(model).fit(X, y).predict_proba(X)
    observers = Recorder(), ScoringMonitor(scoring="accuracy"), ProgressBar()
    observed = model.set_callbacks(*observers).fit(X, y)
    np.testing.assert_array_equal(observed.predict_proba(X), expected)


# Stopping and failing.


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_a_callback_that_returns_true_stops_the_training(solver, iris):
    X, y = iris
    options = {**OPTIONS, "solver": solver}
    model = MLPClassifier(**options).set_callbacks(Recorder(stop_at=1)).fit(X, y)
    assert model.n_iter_ == 2
    expected = MLPClassifier(**{**options, "max_iter": 2}).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


@pytest.mark.parametrize(
    ("options", "spoil"),
    [
        ({"solver": "sgd", "learning_rate_init": 1e100}, lambda X: X),
        ({}, lambda X: np.full_like(X, np.nan)),
        ({"dropout": [0.1, 0.2]}, lambda X: X),
        ({"solver": "lbfgs", "dropout": 0.5}, lambda X: X),
    ],
    ids=["divergence", "NaN", "too many dropouts", "lbfgs with dropout"],
)
def test_callbacks_are_torn_down_after_a_failing_fit(options, spoil, iris):
    X, y = iris
    recorder = Recorder()
    model = MLPClassifier(**{**OPTIONS, **options}).set_callbacks(recorder)
    with pytest.raises(ValueError):
        model.fit(spoil(X), y)
    assert recorder.events.count("setup") == 1
    assert recorder.events.index("teardown") == len(recorder.events) - 1


def test_a_failing_callback_ends_the_fit_and_tears_down_the_others(iris):
    class Failing(Recorder):
        def on_fit_task_end(self, estimator, context):
            raise RuntimeError("no space left")

    recorder = Recorder()
    model = MLPClassifier(**OPTIONS).set_callbacks(recorder, Failing())
    with pytest.raises(RuntimeError, match="no space left"):
        model.fit(*iris)
    assert recorder.events[-1] == "teardown"
    assert not hasattr(model, "classes_")


def test_an_estimator_fits_again_after_a_failing_fit(iris):
    X, y = iris
    monitor = ScoringMonitor(scoring="accuracy")
    model = MLPClassifier(**OPTIONS).set_callbacks(monitor, ProgressBar())
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full_like(X, np.nan), y)
    model.fit(X, y)
    assert len(scores_of_epochs(monitor)) == 4


# ProgressBar.


def test_progress_bar_sees_every_epoch(iris, capsys):
    bar = CountingProgressBar()
    MLPClassifier(**OPTIONS).set_callbacks(bar).fit(*iris)
    assert bar.n_epochs == 4
    assert "MLPClassifier - fit" in capsys.readouterr().out


def test_progress_bar_sees_every_epoch_of_a_pipeline(iris, capsys):
    bar = CountingProgressBar()
    make_pipeline(MinMaxScaler(), MLPClassifier(**OPTIONS)).set_callbacks(bar).fit(*iris)
    assert bar.n_epochs == 4
    assert "Pipeline - fit-final-estimator | MLPClassifier - fit" in capsys.readouterr().out


def test_progress_bar_sees_every_epoch_of_a_search(iris, capsys):
    bar = CountingProgressBar(max_propagation_depth=None)
    model = make_pipeline(MinMaxScaler(), MLPClassifier(**OPTIONS))
    grid = {"mlpclassifier__solver": ["adam", "sgd", "lbfgs"]}
    GridSearchCV(model, grid, cv=2).set_callbacks(bar).fit(*iris)
    # Three candidates in two folds, and the best one again.
    assert bar.n_epochs == (3 * 2 + 1) * 4
    assert capsys.readouterr().out.count("MLPClassifier - fit") >= 7


# ScoringMonitor.


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"solver": "sgd", "dtype": "float64"},
        {"dropout": 0.3, "input_noise": 0.1},
        {"normalization": "batch"},
        {"solver": "lbfgs"},
        {"solver": "lbfgs", "normalization": "batch"},
    ],
    ids=str,
)
def test_scoring_monitor_logs_the_score_of_a_fit_for_as_many_epochs(options, digits):
    monitor = ScoringMonitor(scoring="accuracy")
    options = {**OPTIONS, **options}
    MLPClassifier(**options).set_callbacks(monitor).fit(*digits)
    expected = [
        MLPClassifier(**{**options, "max_iter": n_epochs}).fit(*digits).score(*digits)
        for n_epochs in range(1, 5)
    ]
    assert scores_of_epochs(monitor) == expected


def test_scoring_monitor_logs_several_scores_of_a_regressor(diabetes):
    X, y = diabetes
    monitor = ScoringMonitor(scoring=["r2", "neg_mean_squared_error"])
    model = MLPRegressor(**OPTIONS).set_callbacks(monitor).fit(X, y)
    residual = y - model.predict(X)
    assert scores_of_epochs(monitor, "r2")[-1] == model.score(X, y)
    mean_squared_error = -scores_of_epochs(monitor, "neg_mean_squared_error")[-1]
    assert mean_squared_error == pytest.approx(np.mean(residual**2))


def test_scoring_monitor_weights_the_samples_as_the_fit_does(iris):
    X, y = iris
    weight = 1.0 + 9 * (y == 2)
    monitor = ScoringMonitor(scoring="accuracy")
    model = MLPClassifier(**OPTIONS).set_callbacks(monitor).fit(X, y, sample_weight=weight)
    expected = accuracy_score(y, model.predict(X), sample_weight=weight)
    assert scores_of_epochs(monitor)[-1] == expected != model.score(X, y)


def test_scoring_monitor_logs_the_score_of_the_whole_fit(digits):
    monitor = ScoringMonitor(scoring="accuracy")
    model = MLPClassifier(**OPTIONS, early_stopping=True).set_callbacks(monitor).fit(*digits)
    logged = [row["accuracy"] for row in monitor.get_logs().data if row["task_name"] == "fit"]
    assert logged == [model.score(*digits)]


def test_scoring_monitor_sees_every_epoch_in_a_pipeline(digits):
    X, y = digits
    monitor, alone = ScoringMonitor(scoring="accuracy"), ScoringMonitor(scoring="accuracy")
    MLPClassifier(**OPTIONS).set_callbacks(alone).fit(MinMaxScaler().fit_transform(X), y)
    model = MLPClassifier(**OPTIONS).set_callbacks(monitor)
    make_pipeline(MinMaxScaler(), model).fit(X, y)
    assert scores_of_epochs(monitor) == scores_of_epochs(alone)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_scoring_monitor_sees_every_epoch_in_a_search(n_jobs, iris):
    X, y = iris
    monitor, alone = ScoringMonitor(scoring="accuracy"), ScoringMonitor(scoring="accuracy")
    model = MLPClassifier(**OPTIONS).set_callbacks(monitor)
    grid = {"solver": ["adam", "lbfgs"]}
    search = GridSearchCV(model, grid, cv=3, n_jobs=n_jobs).fit(X, y)
    scores = scores_of_epochs(monitor)
    assert len(scores) == (2 * 3 + 1) * 4
    MLPClassifier(**{**OPTIONS, **search.best_params_}).set_callbacks(alone).fit(X, y)
    refit = [
        row["accuracy"]
        for row in monitor.get_logs().data
        if row["task_name"] == "epoch" and len(row["task_id_path"]) == 3
    ]
    assert refit[-4:] == scores_of_epochs(alone)


def test_the_estimator_of_an_epoch_keeps_its_weights(iris):
    class KeepEstimators(Recorder):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            if context.task_name == "epoch":
                self.events.append(fitted_estimator)

    X, y = iris
    keeper = KeepEstimators()
    MLPClassifier(**OPTIONS).set_callbacks(keeper).fit(X, y)
    second = [event for event in keeper.events if isinstance(event, MLPClassifier)][1]
    expected = MLPClassifier(**{**OPTIONS, "max_iter": 2}).fit(X, y)
    np.testing.assert_array_equal(second.predict_proba(X), expected.predict_proba(X))


# Beside skorch's callbacks.


class CountEpochs(Callback):
    """Count the epochs since the training began."""

    def initialize(self):
        self.n_epochs_ = 0
        return self

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs_ += 1


def test_scoring_monitor_does_not_disturb_callbacks_of_skorch(iris):
    model = MLPClassifier(**OPTIONS, callbacks=[CountEpochs()])
    model.set_callbacks(ScoringMonitor(scoring="accuracy")).fit(*iris)
    assert model.callbacks[0].n_epochs_ == 4


def mean_probability(net, dataset, y=None) -> float:
    return float(net.predict_proba(dataset).max(axis=1).mean())


def test_scoring_monitor_and_epoch_scoring_of_skorch_agree_with_the_latter_alone(iris):
    X, y = iris

    def history(*observers):
        scoring = EpochScoring(mean_probability, name="certainty", lower_is_better=False)
        model = MLPClassifier(**OPTIONS, callbacks=[scoring])
        model.set_callbacks(*observers).fit(X, y, X_val=X, y_val=y)
        return [row["certainty_best"] for row in model.net_.history]

    assert history(ScoringMonitor(scoring="accuracy")) == history()
