"""Classifiers and regressors of tables."""

import copy
import itertools
import pickle
import warnings

import joblib
import numpy as np
import pytest
from sklearn.callback import ScoringMonitor
from sklearn.datasets import load_diabetes, load_iris, make_classification
from sklearn.metrics import log_loss, mean_pinball_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from sknn_basics import MLPClassifier, TabularClassifier, TabularRegressor
from sknn_basics.preprocessing import TableEncoder

pd = pytest.importorskip("pandas")
SMALL = {"n_networks": 3, "hidden_layer_sizes": (32,), "max_iter": 64, "random_state": 0}
TINY = {"n_networks": 2, "hidden_layer_sizes": (8,), "max_iter": 4, "random_state": 0}


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True, as_frame=True)
    X["kind"] = np.where(X["petal length (cm)"] > 4, "long", "short")
    return X, y.map({0: "setosa", 1: "versicolor", 2: "virginica"})


@pytest.fixture(scope="module")
def diabetes():
    return load_diabetes(return_X_y=True)


def test_a_mixed_table_is_learnt(iris):
    assert cross_val_score(TabularClassifier(**SMALL), *iris).mean() > 0.9


def test_a_regression_beats_the_mean(diabetes):
    assert cross_val_score(TabularRegressor(**SMALL), *diabetes).mean() > 0.3


def test_the_same_seed_gives_the_same_bits(iris):
    first, second = (TabularClassifier(**SMALL).fit(*iris).predict_proba(iris[0]) for _ in "ab")
    np.testing.assert_array_equal(first, second)


def test_copies_predict_the_same(iris):
    model = TabularClassifier(**SMALL).fit(*iris)
    expected = model.predict_proba(iris[0])
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict_proba(iris[0]), expected)


def test_skops_trusts_types_of_this_package_alone(iris):
    skops = pytest.importorskip("skops.io")
    model = TabularClassifier(**TINY).fit(*iris)
    saved = skops.dumps(model)
    types = skops.get_untrusted_types(data=saved)
    assert all(name.startswith("sknn_basics.") for name in types)
    loaded = skops.loads(saved, trusted=types)
    np.testing.assert_array_equal(loaded.predict(iris[0]), model.predict(iris[0]))


def test_random_labels_promise_nothing():
    rng = np.random.RandomState(0)
    X, y = rng.randn(600, 5), rng.randint(2, size=600)
    model = TabularClassifier(**{**SMALL, "n_networks": 8}).fit(X[:300], y[:300])
    # Four standard errors of a fair coin.
    assert abs(model.score(X[300:], y[300:]) - 0.5) < 4 * 0.5 / np.sqrt(300)
    out_of_fold = model.out_of_fold_prediction_.argmax(1)
    assert np.mean(out_of_fold == y[:300]) - 0.5 < 4 * 0.5 / np.sqrt(300)


def test_out_of_fold_predictions_foretell_the_score():
    X, y = make_classification(1000, 10, n_informative=5, flip_y=0.2, random_state=0)
    model = TabularClassifier(**{**SMALL, "n_networks": 8}).fit(X[:500], y[:500])
    out_of_fold = np.mean(model.out_of_fold_prediction_.argmax(1) == y[:500])
    assert abs(model.score(X[500:], y[500:]) - out_of_fold) < 0.08
    foretold = log_loss(y[:500], model.out_of_fold_prediction_)
    assert abs(log_loss(y[500:], model.predict_proba(X[500:])) - foretold) < 0.08


def test_fewer_networks_than_folds_leave_rows_out_of_fold_unknown(iris):
    model = TabularClassifier(**SMALL).fit(*iris)
    is_known = ~np.isnan(model.out_of_fold_prediction_).any(1)
    assert 3 * 150 // 8 <= is_known.sum() <= 3 * (150 // 8 + 1)


def test_order_of_rows_and_columns_changes_little():
    X, y = make_classification(600, 6, n_informative=4, random_state=0)
    rng = np.random.RandomState(1)
    rows, columns = rng.permutation(300), rng.permutation(6)
    options = {**SMALL, "n_networks": 8}
    plain = TabularClassifier(**options).fit(X[:300], y[:300])
    other = TabularClassifier(**options).fit(X[rows][:, columns], y[rows])
    seed = TabularClassifier(**{**options, "random_state": 1}).fit(X[:300], y[:300])
    expected = plain.predict_proba(X[300:])
    changed = np.abs(other.predict_proba(X[300:][:, columns]) - expected).mean()
    assert changed < 2 * np.abs(seed.predict_proba(X[300:]) - expected).mean()


def test_shift_and_scale_of_numbers_change_nothing_but_rounding(diabetes):
    X, y = diabetes
    plain = TabularRegressor(**TINY).fit(X, y).predict(X)
    # Powers of two, so that the numbers themselves are not rounded.
    moved = TabularRegressor(**TINY).fit(X * 1024, y).predict(X * 1024)
    np.testing.assert_allclose(moved, plain, rtol=1e-3)
    scaled = TabularRegressor(**TINY).fit(X, 8 * y - 64).predict(X)
    np.testing.assert_allclose((scaled + 64) / 8, plain, rtol=1e-3)


def test_names_of_categories_change_nothing(iris):
    X, y = iris
    renamed = X.assign(kind=X["kind"].map({"long": "zz", "short": "zzz"}))
    plain = TabularClassifier(**TINY).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(
        TabularClassifier(**TINY).fit(renamed, y).predict_proba(renamed), plain
    )


def test_categories_of_many_levels_are_learnt():
    rng = np.random.RandomState(0)
    town = rng.randint(40, size=2000)
    is_rich = rng.randint(2, size=40)
    X = pd.DataFrame({"town": [f"town {i}" for i in town], "noise": rng.randn(2000)})
    model = TabularClassifier(**{**SMALL, "max_iter": 30}).fit(X[:1500], is_rich[town[:1500]])
    assert model.score(X[1500:], is_rich[town[1500:]]) > 0.95
    assert model.predict_proba(pd.DataFrame({"town": ["new"], "noise": [0.0]})).shape == (1, 2)


def test_a_group_is_on_one_side_of_a_split():
    rng = np.random.RandomState(0)
    groups = np.repeat(np.arange(60), 5)
    # Rows of a group are the same, and labels are drawn: who sees a group knows its label.
    X, y = rng.randn(60, 4)[groups], rng.permutation(np.arange(60) % 2)[groups]
    options = {**SMALL, "n_networks": 8, "max_iter": 200}
    apart = TabularClassifier(**options).fit(X, y, groups=groups).out_of_fold_prediction_
    mixed = TabularClassifier(**options).fit(X, y).out_of_fold_prediction_
    assert np.mean(mixed.argmax(1) == y) > 0.85
    assert np.mean(apart.argmax(1) == y) < 0.7


def test_weights_move_the_prediction(iris):
    X, y = iris
    is_last = (y == "virginica").to_numpy()
    chosen = X[["sepal width (cm)"]]
    weighted = TabularClassifier(**SMALL).fit(chosen, y, sample_weight=np.where(is_last, 10.0, 1.0))
    by_class = TabularClassifier(**SMALL, class_weight={"virginica": 10.0}).fit(chosen, y)
    plain = TabularClassifier(**SMALL).fit(chosen, y)
    expected = plain.predict_proba(chosen)[:, 2].mean()
    for model in (weighted, by_class):
        assert model.predict_proba(chosen)[:, 2].mean() > expected + 0.2


def test_more_networks_than_folds_draw_settings_and_are_picked():
    X, y = make_classification(300, 6, n_informative=4, random_state=0)
    model = TabularClassifier(**{**SMALL, "n_networks": 32}).fit(X, y)
    setting = model.networks_["setting"]
    np.testing.assert_array_equal(setting, np.repeat(np.arange(4), 8))
    assert len(np.unique(model.networks_["learning_rate_init"])) == 4
    assert model.networks_["dropout"][0] == 0.15
    # Half of the settings left half way.
    left = np.isnan(model.history_["valid_loss"][-1]).reshape(4, 8)
    assert left.all(axis=1).sum() >= 2
    # A setting counts as a whole.
    weights = model.ensemble_weights_.reshape(4, 8)
    np.testing.assert_array_equal(weights, weights[:, :1] * np.ones(8))
    assert model.ensemble_weights_.sum() == pytest.approx(1)


def test_given_validation_rows_choose_the_epoch(diabetes):
    X, y = diabetes
    model = TabularRegressor(**SMALL).fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    assert model.score(X[300:], y[300:]) > 0.3
    assert not hasattr(model, "out_of_fold_prediction_")


@pytest.mark.parametrize("scoring", ["loss", "neg_log_loss", "balanced_accuracy", "roc_auc_ovr"])
def test_scoring_chooses_the_epoch(iris, scoring):
    model = TabularClassifier(**SMALL, scoring=scoring).fit(*iris)
    assert model.score(*iris) > 0.9
    if scoring == "neg_log_loss":
        assert model.history_["valid_loss"][0].mean() == pytest.approx(np.log(3), abs=0.3)


def test_a_scorer_that_fails_is_named(iris):
    with pytest.raises(ValueError, match="scoring='recall' cannot score"):
        TabularClassifier(**TINY, scoring="recall").fit(*iris)


def test_quantiles_cover_their_share():
    rng = np.random.RandomState(0)
    X = rng.uniform(size=(1500, 1))
    y = X[:, 0] + rng.randn(1500) * (0.1 + X[:, 0])
    options = {**SMALL, "loss": "quantile", "max_iter": 40}
    model = TabularRegressor(**options, quantile=0.9).fit(X[:1000], y[:1000])
    covered = np.mean(y[1000:] <= model.predict(X[1000:]))
    assert abs(covered - 0.9) < 3 * np.sqrt(0.09 / 500) + 0.02
    median = TabularRegressor(**{**options, "loss": "absolute_error"}).fit(X[:1000], y[:1000])
    assert mean_pinball_loss(y[1000:], median.predict(X[1000:])) < 0.5 * np.std(y[1000:])


def test_two_outputs_are_predicted_in_their_shape(diabetes):
    X, y = diabetes
    predicted = TabularRegressor(**SMALL).fit(X, np.stack([y, -y], axis=1)).predict(X)
    assert predicted.shape == (len(y), 2)
    assert np.corrcoef(predicted[:, 0], y)[0, 1] > 0.5
    assert np.corrcoef(predicted[:, 1], y)[0, 1] < -0.5


def test_labels_are_learnt_apart(iris):
    X, y = iris
    labels = np.stack([y != "setosa", y == "virginica"], axis=1).astype(int)
    model = TabularClassifier(**SMALL).fit(X, labels)
    assert model.predict(X).shape == labels.shape
    assert np.mean(model.predict(X) == labels) > 0.9


def test_predictions_stay_in_the_range_of_the_targets(diabetes):
    X, y = diabetes
    predicted = TabularRegressor(**SMALL).fit(X, y).predict(100 * X)
    assert y.min() <= predicted.min()
    assert predicted.max() <= y.max()


@pytest.mark.parametrize("X", [[[0.0], [1.0]], [[1.0], [1.0]], [["a"], ["b"]], [[np.nan]] * 2])
@pytest.mark.parametrize("n_networks", [1, 9])
def test_two_rows_have_an_answer(X, n_networks):
    X = np.array(X, dtype=object)
    model = TabularClassifier(**{**TINY, "n_networks": n_networks}).fit(X, [0, 1])
    assert set(model.predict(X)) <= {0, 1}
    assert np.isfinite(model.predict_proba(X)).all()


def test_one_row_and_a_thousand_columns_have_an_answer():
    X = np.random.RandomState(0).randn(30, 1000)
    assert np.isfinite(TabularRegressor(**TINY).fit(X, X[:, 0]).predict(X)).all()
    assert TabularRegressor(**TINY).fit(X[:1], [3.0]).predict(X[:1]) == [3.0]


def test_one_class_is_certain():
    model = TabularClassifier(**SMALL).fit([[0.0], [1.0], [2.0]], ["only"] * 3)
    np.testing.assert_array_equal(model.predict_proba([[5.0]]), [[1.0]])


def test_given_validation_rows_need_their_targets(iris):
    with pytest.raises(ValueError, match="X_val and y_val"):
        TabularClassifier(**SMALL).fit(*iris, X_val=iris[0])


def test_unknown_classes_in_validation_rows_are_named(iris):
    X, y = iris
    with pytest.raises(ValueError, match="y_val has classes.*virginica"):
        TabularClassifier(**TINY).fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])


def test_a_refused_fit_keeps_the_model(iris):
    model = TabularClassifier(**TINY).fit(*iris)
    expected = model.predict_proba(iris[0])
    with pytest.raises(ValueError, match="infinity"):
        model.fit([[np.inf], [1.0]], [0, 1])
    np.testing.assert_array_equal(model.predict_proba(iris[0]), expected)


def test_dropout_of_almost_all_units_keeps_outputs_finite(iris):
    model = TabularClassifier(**TINY, dropout=0.9999).fit(*iris)
    assert np.isfinite(model.history_["train_loss"]).all()
    assert np.isfinite(model.predict_proba(iris[0])).all()


def test_time_ends_a_fit(iris):
    model = TabularClassifier(**{**TINY, "max_iter": 10_000}, max_time=0.2).fit(*iris)
    assert 1 <= model.n_iter_ < 10_000


def test_networks_that_do_not_improve_leave(iris):
    model = TabularClassifier(**{**SMALL, "max_iter": 200}, n_iter_no_change=5).fit(*iris)
    assert model.n_iter_ < 200
    waited = model.n_iter_ - 1 - model.best_epoch_
    assert waited.min() >= 0
    assert (np.isnan(model.history_["valid_loss"]).sum(0) + 5 == waited).all()


def test_networks_that_a_cycle_has_brought_nothing_leave():
    rng = np.random.RandomState(0)
    X = rng.randn(400, 3)
    y = (X[:, 0] > 0) ^ (rng.uniform(size=400) < 0.3)
    model = TabularClassifier(**{**SMALL, "n_networks": 8, "max_iter": 150}).fit(X, y)
    left = np.isnan(model.history_["valid_loss"][-1])
    assert left.any()
    # Those whose best epoch lies in the first 3 / 15 of the training trained 7 / 15 of it.
    np.testing.assert_array_equal(left, model.best_epoch_ < 30)
    assert (~np.isnan(model.history_["valid_loss"][:, left])).sum(0).tolist() == [70] * left.sum()


def test_an_interrupt_keeps_the_best_epochs_so_far(iris, monkeypatch):
    from sknn_basics.training.tabular import Training

    advance = Training.advance

    def interrupted(self, epoch, generator):
        if epoch == 40:
            raise KeyboardInterrupt
        advance(self, epoch, generator)

    monkeypatch.setattr(Training, "advance", interrupted)
    with pytest.warns(UserWarning, match="interrupted"):
        model = TabularClassifier(**SMALL).fit(*iris)
    assert model.n_iter_ == 40
    assert model.score(*iris) > 0.8


def test_scikit_learn_follows_the_epochs(iris):
    X, y = iris
    monitor = ScoringMonitor(scoring="accuracy")
    model = TabularClassifier(**{**SMALL, "max_iter": 6}).set_callbacks(monitor).fit(X, y)
    rows = monitor.get_logs().data
    epochs = [row["accuracy"] for row in rows if row["task_name"] == "epoch"]
    assert len(epochs) == 6
    (last,) = [row["accuracy"] for row in rows if row["task_name"] == "fit"]
    assert last == model.score(X, y)


def test_verbose_prints_a_line_an_epoch(iris, capsys):
    TabularClassifier(**TINY, verbose=True).fit(*iris)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"Epoch {i}" for i in (1, 2, 3, 4)]


CHANGES = {
    "n_networks": 9,
    "hidden_layer_sizes": 5,
    "categorical_features": ["sepal width (cm)", "kind"],
    "learning_rate_init": 0.01,
    "alpha": 0.5,
    "dropout": 0.0,
    "embedding_scale": 1.0,
    "label_smoothing": 0.3,
    "batch_size": 20,
    "n_iter_no_change": 1,
    "scoring": "neg_log_loss",
    "max_time": 10.0,
    "class_weight": "balanced",
}


@pytest.mark.parametrize("pair", itertools.combinations(CHANGES, 2), ids="-".join)
def test_any_two_parameters_work_together(iris, pair):
    X, y = iris
    options = {**TINY, **{name: CHANGES[name] for name in pair}}
    first, second = (TabularClassifier(**options).fit(X[::3], y[::3]) for _ in "ab")
    expected = first.predict_proba(X)
    np.testing.assert_array_equal(second.predict_proba(X), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(first)).predict_proba(X), expected)
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(expected.sum(1), 1)


def test_searches_alone_and_stacked_give_the_same(iris):
    grid = {"dropout": [0.0, 0.3], "n_networks": [1, 9]}
    search = GridSearchCV(TabularClassifier(**TINY), grid, cv=2)
    alone = search.fit(*iris).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend="stacked"):
        stacked = search.fit(*iris).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(stacked, alone)


def test_the_encoder_serves_other_networks(iris):
    pipe = make_pipeline(
        TableEncoder(), MLPClassifier((20,), learning_rate_init=0.01, max_iter=100, random_state=0)
    )
    assert cross_val_score(pipe, *iris).mean() > 0.9


def test_ordinary_use_does_not_warn(iris):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TabularClassifier(**TINY).fit(*iris).predict(iris[0])
