"""Displays of networks draw what is in them: curves, layers and states."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sknn_basics import (
    ConvNetClassifier,
    Forecaster,
    MLPClassifier,
    MLPRegressor,
    RNNRegressor,
    VariationalAutoencoder,
)
from sknn_basics.displays import (
    ArchitectureDisplay,
    RecurrentStatesDisplay,
    TrainingCurveDisplay,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def plain(iris):
    return MLPClassifier((5,), max_iter=6, random_state=0).fit(*iris)


@pytest.fixture(scope="module")
def validated(iris):
    options = {"early_stopping": True, "n_iter_no_change": 3, "learning_rate_init": 0.1}
    return MLPClassifier((5,), max_iter=50, random_state=0, **options).fit(*iris)


@pytest.fixture(scope="module")
def lstm(iris):
    X, y = iris
    return RNNRegressor(hidden_layer_sizes=(3, 2), cell="lstm", max_iter=2, random_state=0).fit(
        X, y
    )


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


# Curves.


def test_a_curve_holds_the_loss_of_every_epoch(plain):
    display = TrainingCurveDisplay.from_estimator(plain)
    epochs, losses = display.lines_["MLPClassifier", "train_loss"].get_data()
    np.testing.assert_array_equal(epochs, [1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(losses, plain.loss_curve_)


def test_without_validation_there_are_no_scores_and_no_best_epoch(plain):
    display = TrainingCurveDisplay.from_estimator(plain)
    assert len(display.axes_) == 1
    assert legend_of(display.axes_[0]) == ["training"]
    assert display.best_lines_ == {}


def test_validation_adds_its_loss_and_score(validated):
    display = TrainingCurveDisplay.from_estimator(validated)
    assert [ax.get_ylabel() for ax in display.axes_] == ["Loss", "Score"]
    scores = display.lines_["MLPClassifier", "valid_score"].get_ydata()
    np.testing.assert_array_equal(scores, validated.validation_scores_)
    losses = display.lines_["MLPClassifier", "valid_loss"].get_ydata()
    np.testing.assert_array_equal(losses, validated.history_["valid_loss"])


def test_the_best_epoch_is_the_one_whose_weights_were_kept(validated, iris):
    display = TrainingCurveDisplay.from_estimator(validated)
    best = display.best_epochs["MLPClassifier"]
    assert best < validated.n_iter_
    same = copy.deepcopy(validated).set_params(max_iter=best).fit(*iris)
    np.testing.assert_array_equal(same.coefs_[0], validated.coefs_[0])
    for line in display.best_lines_.values():
        assert list(line.get_xdata()) == [best, best]
    assert len(display.best_lines_) == 2


def test_several_runs_have_a_colour_each(plain, validated):
    display = TrainingCurveDisplay.from_estimators({"short": plain, "long": validated})
    loss_ax, score_ax = display.axes_
    assert legend_of(loss_ax) == ["short, training", "long, training", "long, validation"]
    assert legend_of(score_ax) == ["long, validation"]
    colors = {key: line.get_color() for key, line in display.lines_.items()}
    assert colors["long", "train_loss"] == colors["long", "valid_score"]
    assert colors["long", "train_loss"] != colors["short", "train_loss"]


def test_a_training_score_that_a_callback_recorded_is_drawn_too(iris):
    from skorch.callbacks import Callback

    class TrainScore(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.history.record("train_score", 0.5)

    X, y = iris
    network = MLPClassifier((5,), max_iter=2, callbacks=[TrainScore()])
    display = TrainingCurveDisplay.from_estimator(network.fit(X, y, X_val=X, y_val=y))
    assert legend_of(display.axes_[1])[:2] == ["training", "validation"]
    assert list(display.lines_["MLPClassifier", "train_score"].get_ydata()) == [0.5, 0.5]


def test_curves_are_those_of_the_network_inside(iris):
    pipeline = make_pipeline(StandardScaler(), MLPClassifier((5,), max_iter=3, random_state=0))
    search = GridSearchCV(pipeline, {"mlpclassifier__alpha": [0.1]}, cv=2).fit(*iris)
    display = TrainingCurveDisplay.from_estimator(search, name="best")
    expected = search.best_estimator_[-1].loss_curve_
    np.testing.assert_array_equal(display.lines_["best", "train_loss"].get_ydata(), expected)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_one_epoch_is_a_visible_point(iris, solver):
    network = MLPClassifier((5,), solver=solver, max_iter=1).fit(*iris)
    (line,) = TrainingCurveDisplay.from_estimator(network).lines_.values()
    assert line.get_marker() == "o"


def test_autoencoders_have_curves(iris):
    model = VariationalAutoencoder((4,), n_components=2, max_iter=3).fit(iris[0])
    display = TrainingCurveDisplay.from_estimator(model)
    assert len(display.lines_["VariationalAutoencoder", "train_loss"].get_ydata()) == 3


def test_a_reloaded_network_has_the_same_curves_and_best_epoch(validated):
    before, after = (
        TrainingCurveDisplay.from_estimator(network)
        for network in (validated, pickle.loads(pickle.dumps(validated)))
    )
    assert before.best_epochs == after.best_epochs
    for key, line in before.lines_.items():
        np.testing.assert_array_equal(line.get_ydata(), after.lines_[key].get_ydata())


def test_curves_are_drawn_into_the_axes_given(validated):
    _, axes = plt.subplots(2)
    display = TrainingCurveDisplay.from_estimator(validated, ax=axes)
    assert list(display.axes_) == list(axes)
    assert display.figure_ is axes[0].figure
    with pytest.raises(ValueError, match="ax must be 2 axes, got 1"):
        display.plot(axes[0])


@pytest.mark.parametrize("display", [TrainingCurveDisplay, ArchitectureDisplay])
def test_what_has_no_network_raises(display, iris):
    with pytest.raises(TypeError, match="Expected a neural estimator.*LogisticRegression"):
        display.from_estimator(LogisticRegression().fit(*iris))
    with pytest.raises(NotFittedError):
        display.from_estimator(MLPClassifier())
    with pytest.raises(NotFittedError):
        display.from_estimator(make_pipeline(StandardScaler(), MLPClassifier()))
    with pytest.raises(NotFittedError):
        display.from_estimator(GridSearchCV(MLPClassifier(), {"alpha": [1]}))


def test_runs_come_as_a_dict_that_is_not_empty(plain):
    with pytest.raises(TypeError, match="estimators must be a dict of name to estimator, got list"):
        TrainingCurveDisplay.from_estimators([plain])
    with pytest.raises(ValueError, match="histories is empty"):
        TrainingCurveDisplay.from_estimators({})


def test_a_network_that_was_not_trained_has_no_curves(iris):
    with pytest.raises(ValueError, match="no epoch was recorded"):
        TrainingCurveDisplay.from_estimator(MLPClassifier((5,)).initialize(*iris))


@pytest.mark.parametrize("holder", [Forecaster, TransformedTargetRegressor])
def test_curves_are_those_of_the_regressor_inside(holder, waves):
    regressor = MLPRegressor(hidden_layer_sizes=(3,), max_iter=4, random_state=0)
    model = holder(regressor).fit(waves, *([waves[:, 0]] if holder is not Forecaster else []))
    display = TrainingCurveDisplay.from_estimator(model)
    assert len(display.lines_["MLPRegressor", "train_loss"].get_ydata()) == 4


# Layers.


def test_a_diagram_has_a_box_a_layer_and_the_shapes_between(plain):
    display = ArchitectureDisplay.from_estimator(plain)
    assert [box.get_text() for box in display.boxes_] == [
        "hidden1: Linear + ReLU\n25 parameters",
        "output: Linear\n18 parameters",
    ]
    assert [shape.get_text() for shape in display.shapes_] == ["4", "5", "3"]


def test_boxes_stand_in_order_with_an_arrow_through_each(plain):
    display = ArchitectureDisplay.from_estimator(plain)
    heights = [box.get_position()[1] for box in display.boxes_]
    assert heights == sorted(heights)
    bottom, top = display.ax_.get_ylim()
    assert bottom > top
    arrows = [child for child in display.ax_.texts if getattr(child, "arrow_patch", None)]
    assert len(arrows) == 2


def test_shapes_of_images_have_all_their_dimensions(digits):
    X, y = digits[0][:60].reshape(-1, 8, 8), digits[1][:60]
    network = ConvNetClassifier((4,), hidden_layer_sizes=(), max_iter=1).initialize(X, y)
    shapes = [text.get_text() for text in ArchitectureDisplay.from_estimator(network).shapes_]
    assert shapes == ["8 x 8", "1 x 8 x 8", "4 x 4 x 4", "64", "10"]


def test_parameters_of_all_boxes_are_those_of_the_network(lstm):
    display = ArchitectureDisplay.from_estimator(lstm)
    assert sum(layer.n_parameters for layer in display.layers) == lstm.n_parameters_


# States.


def test_states_are_drawn_unit_by_step(lstm, iris):
    display = RecurrentStatesDisplay.from_estimator(lstm, iris[0][7])
    expected = lstm.states(iris[0][7:8])
    assert list(display.images_) == list(expected)
    for name, picture in display.images_.items():
        np.testing.assert_array_equal(picture.get_array(), expected[name][0].T)


def test_the_sequence_is_above_its_states(lstm, iris):
    display = RecurrentStatesDisplay.from_estimator(lstm, iris[0][7])
    (line,) = display.lines_
    np.testing.assert_array_equal(line.get_ydata(), iris[0][7])
    titles = ["", "Layer1 hidden", "Layer1 cell", "Layer2 hidden", "Layer2 cell"]
    assert [ax.get_title() for ax in display.axes_] == titles
    tops = [ax.get_position().y1 for ax in display.axes_]
    assert tops == sorted(tops, reverse=True)


def test_colours_of_states_are_white_at_zero(lstm, iris):
    display = RecurrentStatesDisplay.from_estimator(lstm, iris[0][7])
    for name, picture in display.images_.items():
        low, high = picture.get_clim()
        assert low == -high
        assert high == (1 if "hidden" in name else np.abs(picture.get_array()).max())


def test_each_feature_of_a_sequence_is_a_line(waves):
    X = np.stack([waves[:10], waves[10:20]])
    network = RNNRegressor(hidden_layer_sizes=(2,), max_iter=1).fit(X, [0.0, 1.0])
    assert len(RecurrentStatesDisplay.from_estimator(network, X[0]).lines_) == 3


def test_a_sequence_shorter_than_those_of_the_fit_is_drawn(waves):
    X = [waves[:10], waves[10:25]]
    network = RNNRegressor(hidden_layer_sizes=(2,), max_iter=1).fit(X, [0.0, 1.0])
    display = RecurrentStatesDisplay.from_estimator(network, waves[:4])
    assert all(picture.get_array().shape[1] == 4 for picture in display.images_.values())


def test_a_network_without_states_raises(plain, iris):
    with pytest.raises(TypeError, match="MLPClassifier is no recurrent network"):
        RecurrentStatesDisplay.from_estimator(plain, iris[0][0])
