"""Successive halving by epochs: what it finds, and that nothing is trained twice."""

import pickle
import warnings

import joblib
import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning, NotFittedError
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LinearRegression, SGDClassifier
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GroupKFold, KFold, cross_val_score
from sklearn.neural_network import MLPClassifier as ScikitLearnClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from skorch.callbacks import Callback

from sknn_basics import (
    Autoencoder,
    ConvNetClassifier,
    Forecaster,
    MLPClassifier,
    MLPRegressor,
    RNNClassifier,
    VariationalAutoencoder,
)
from sknn_basics.model_selection import EpochHalvingRandomSearchCV, EpochHalvingSearchCV
from sknn_basics.model_selection._rungs import make_plan
from sknn_basics.modules.augmentation import RandomShift
from sknn_basics.parallel import stacked
from sknn_basics.training.checkpoints import TrainingCheckpoint

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RATES = {"learning_rate_init": [1e-4, 1e-3, 1e-2]}
GRID = {**RATES, "alpha": [1e-4, 1e-2, 1.0]}


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:200] / 16, y[:200]


def network(**parameters):
    defaults = {"hidden_layer_sizes": (8,), "max_iter": 9, "batch_size": 30, "random_state": 0}
    return MLPClassifier(**{**defaults, "tol": 0, **parameters})


class CountFits(MinMaxScaler):
    n_fits = 0

    def fit(self, X, y=None):
        CountFits.n_fits += 1
        return super().fit(X, y)


class CountEpochs(Callback):
    n_epochs = 0

    def on_epoch_end(self, net, **kwargs):
        CountEpochs.n_epochs += 1


# A fit in parts.


def train_in_parts(estimator, ends, *data, copied=False):
    for until in ends:
        has_ended = estimator._fit_part(until, *data)
        if copied:
            estimator = pickle.loads(pickle.dumps(estimator))
        if has_ended:
            break
    assert has_ended
    return estimator


def assert_equal_fits(first, second):
    weights = [model.module_.state_dict() for model in (first, second)]
    assert all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])
    history = [{**model.history_, "dur": None} for model in (first, second)]
    assert history[0].keys() == history[1].keys()
    for name in history[0].keys() - {"dur"}:
        np.testing.assert_array_equal(history[0][name], history[1][name])
    for name in ("n_iter_", "t_", "loss_", "loss_curve_", "best_loss_", "validation_scores_"):
        assert getattr(first, name) == getattr(second, name), name


WAYS = {
    "adam": {},
    "draws": {"dropout": 0.3, "input_noise": 0.1, "normalization": "batch"},
    "average": {"average_decay": 0.9, "clip_grad_norm": 1.0},
    "best weights": {"early_stopping": True, "max_iter": 30, "n_iter_no_change": 2, "tol": 0.05},
    "schedule": {"learning_rate": "cosine", "early_stopping": True, "solver": "sgd"},
    "schedule by step": {"learning_rate": "one_cycle", "solver": "adamw"},
    "invscaling": {"learning_rate": "invscaling", "solver": "sgd"},
    "adaptive": {"learning_rate": "adaptive", "solver": "sgd", "tol": 0.5, "n_iter_no_change": 1},
    "warm": {"warm_start": True, "shuffle": False},
    "loss stands still": {"tol": 0.2, "n_iter_no_change": 2, "max_iter": 30},
}


@pytest.mark.parametrize("copied", [False, True], ids=["here", "pickled"])
@pytest.mark.parametrize("way", WAYS)
def test_a_fit_in_parts_has_the_bits_of_one_at_once(digits, way, copied):
    model = network(learning_rate_init=0.01, **{"max_iter": 9, **WAYS[way]})
    whole = clone(model).fit(*digits)
    parts = train_in_parts(clone(model), (2, 3, 7, 30), *digits, copied=copied)
    assert_equal_fits(whole, parts)


@pytest.mark.parametrize("copied", [False, True])
def test_a_fit_in_parts_draws_from_the_keys_of_a_device(digits, copied, keyed_layers):
    model = network(dropout=0.2, max_iter=9)
    whole = clone(model).fit(*digits)
    assert_equal_fits(whole, train_in_parts(clone(model), (2, 9), *digits, copied=copied))


def test_checkpoints_of_a_fit_that_pauses_are_refused(digits, tmp_path):
    model = network(callbacks=[TrainingCheckpoint(tmp_path)])
    with pytest.raises(ValueError, match="TrainingCheckpoint cannot be used in a fit that pauses"):
        train_in_parts(model, (1, 2), *digits)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "model",
    [
        ConvNetClassifier((4,), (8,), dropout=0.2, augmentation=RandomShift(0.2), max_iter=4),
        RNNClassifier((8,), max_iter=4, dropout=0.2),
        Autoencoder((16,), n_components=4, max_iter=4, noise="mask"),
        VariationalAutoencoder((16,), n_components=4, max_iter=4, loss="squared_error"),
        VariationalAutoencoder((16,), n_components=4, early_stopping=True, max_iter=4),
    ],
    ids=lambda model: type(model).__name__,
)
def test_every_family_can_be_fitted_in_parts(digits, model):
    model.set_params(random_state=0)
    data = digits if hasattr(model, "predict") else digits[:1]
    whole = clone(model).fit(*data)
    assert_equal_fits(whole, train_in_parts(clone(model), (1, 3, 4), *data))


def test_between_parts_a_model_is_as_if_its_fit_ended_there(digits):
    model = network(early_stopping=True, learning_rate_init=0.02, max_iter=12, random_state=1)
    parts = clone(model)
    parts._fit_part(7, *digits)
    short = clone(model).set_params(max_iter=7).fit(*digits)
    np.testing.assert_array_equal(parts.predict_proba(digits[0]), short.predict_proba(digits[0]))
    assert parts.n_iter_ == 7


def test_weights_and_targets_of_all_parts_are_checked(digits):
    X, y = digits
    model = network()
    model._fit_part(2, X, y)
    with pytest.raises(ValueError, match="features"):
        model._fit_part(4, X[:, :5], y)


def test_lbfgs_says_that_it_cannot_pause(digits):
    with pytest.raises(ValueError, match="solver='lbfgs' cannot pause"):
        network(solver="lbfgs")._fit_part(2, *digits)


# Rungs.


@pytest.mark.parametrize(
    ("n_candidates", "least", "most", "is_eager", "epochs"),
    [
        (27, "exhaust", 81, False, [3, 9, 27, 81]),
        (243, "exhaust", 243, False, [1, 3, 9, 27, 81, 243]),  # a logarithm is 4.999...
        (9, "exhaust", 20, False, [2, 6, 18]),
        (9, "smallest", 81, False, [1, 3, 9]),
        (9, 30, 81, False, [30]),
        (9, 30, 81, True, [30, 30, 30]),
        (9, 20, 81, True, [20, 20, 60]),
        (1, "exhaust", 7, False, [7]),
        (100, "exhaust", 2, False, [1]),
    ],
)
def test_rungs_have_the_epochs_of_scikit_learns_halving(
    n_candidates, least, most, is_eager, epochs
):
    assert make_plan(n_candidates, 3, least, most, is_eager).epochs == epochs


def test_results_tell_rungs_and_epochs(iris):
    search = EpochHalvingSearchCV(network(), GRID, cv=3).fit(*iris)
    assert search.n_candidates_ == [9, 3, 1]
    assert search.n_resources_ == [1, 3, 9]
    assert search.n_iterations_ == search.n_required_iterations_ == 3
    assert search.n_remaining_candidates_ == 1
    results = search.cv_results_
    assert results["iter"].tolist() == [0] * 9 + [1] * 3 + [2]
    assert results["n_resources"].tolist() == [1] * 9 + [3] * 3 + [9]
    assert len(results["params"]) == len(results["mean_test_score"]) == 13
    assert results["params"][-1] == search.best_params_
    assert search.best_index_ == 12
    assert search.best_score_ == results["mean_test_score"][12]


def test_the_best_of_a_rung_go_on(iris):
    search = EpochHalvingSearchCV(network(), GRID, cv=3).fit(*iris)
    results = search.cv_results_
    for rung, n_kept in ((0, 3), (1, 1)):
        scores = results["mean_test_score"][results["iter"] == rung]
        own = [p for p, i in zip(results["params"], results["iter"]) if i == rung]
        kept = [p for p, i in zip(results["params"], results["iter"]) if i == rung + 1]
        lost = [score for score, p in zip(scores, own) if p not in kept]
        assert len(kept) == n_kept
        assert max(lost) <= min(score for score, p in zip(scores, own) if p in kept)


def test_scores_are_those_of_fits_that_end_there_but_know_the_whole_length(iris):
    model = network(learning_rate="cosine", solver="sgd")
    search = EpochHalvingSearchCV(model, RATES, cv=3, refit=False)
    results = search.fit(*iris).cv_results_
    scores = cross_val_score(clone(model).set_params(**results["params"][-1]), *iris, cv=3)
    own = [results[f"split{fold}_test_score"][-1] for fold in range(3)]
    assert results["n_resources"][-1] == 9
    np.testing.assert_allclose(own, scores)


def test_nothing_is_trained_twice(iris):
    CountEpochs.n_epochs = 0
    model = network(callbacks=[CountEpochs])
    EpochHalvingSearchCV(model, GRID, cv=3, refit=False).fit(*iris)
    # Nine candidates for 1 epoch, three for 2 more, one for 6 more; on three folds.
    assert CountEpochs.n_epochs == 3 * (9 * 1 + 3 * 2 + 1 * 6)


def test_all_candidates_are_one_stack(iris):
    search = EpochHalvingSearchCV(network(), GRID, cv=3, refit=False)
    with stacked() as report:
        search.fit(*iris)
    (training,) = report.trainings
    assert (training.n_fits, training.n_epochs, training.most_at_once) == (27, 63, 27)
    assert training.way == "stacked"


def test_networks_are_stacked_without_a_word(iris, monkeypatch):
    seen = []
    fit = MLPClassifier.fit

    def watch(self, *args, **kwargs):
        seen.append(type(joblib.parallel.get_active_backend()[0]).__name__)
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(MLPClassifier, "fit", watch)
    EpochHalvingSearchCV(network(), RATES, cv=2, refit=False).fit(*iris)
    assert set(seen) == {"StackedBackend"}
    seen.clear()
    with joblib.parallel_config("threading", n_jobs=1):
        EpochHalvingSearchCV(network(), RATES, cv=2, refit=False).fit(*iris)
    assert "StackedBackend" not in seen


@pytest.mark.parametrize("backend", ["stacked", "threading", "loky"])
def test_equal_seeds_give_equal_results(iris, backend):
    model = network(dropout=0.2, early_stopping=True)
    with joblib.parallel_config(backend, n_jobs=2 if backend == "loky" else None):
        first, second = (EpochHalvingSearchCV(model, GRID, cv=3).fit(*iris) for _ in range(2))
    np.testing.assert_array_equal(
        first.cv_results_["mean_test_score"], second.cv_results_["mean_test_score"]
    )
    np.testing.assert_array_equal(first.predict_proba(iris[0]), second.predict_proba(iris[0]))


def test_processes_find_what_one_finds(iris):
    model = make_pipeline(StandardScaler(), network(dropout=0.2))
    grid = {"mlpclassifier__learning_rate_init": [1e-4, 1e-3, 1e-2]}
    one = EpochHalvingSearchCV(model, grid, cv=3).fit(*iris)
    two = EpochHalvingSearchCV(model, grid, cv=3, n_jobs=2).fit(*iris)
    np.testing.assert_allclose(
        one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"]
    )


def test_the_best_is_fitted_to_all_data_for_all_epochs(iris):
    search = EpochHalvingSearchCV(network(), RATES, cv=3, max_resources=12).fit(*iris)
    best = network(max_iter=12, **search.best_params_).fit(*iris)
    np.testing.assert_array_equal(search.predict_proba(iris[0]), best.predict_proba(iris[0]))
    assert search.best_estimator_.n_iter_ == 12
    assert "max_iter" not in search.best_params_


def test_a_search_on_epochs_is_refused(iris):
    with pytest.raises(ValueError, match="max_iter cannot be searched"):
        EpochHalvingSearchCV(network(), {"max_iter": [2, 3]}).fit(*iris)


def test_more_epochs_at_first_than_there_are_are_refused(iris):
    search = EpochHalvingSearchCV(network(), RATES, min_resources=10)
    with pytest.raises(ValueError, match="min_resources=10 is greater than max_resources=9"):
        search.fit(*iris)


def test_one_that_has_stopped_early_stays_as_it_is(iris):
    model = network(n_iter_no_change=1, tol=10, max_iter=27)
    results = EpochHalvingSearchCV(model, RATES, cv=3).fit(*iris).cv_results_
    best = results["params"][-1]
    own = [score for score, p in zip(results["mean_test_score"], results["params"]) if p == best]
    assert results["n_resources"].tolist() == [9] * 3 + [27]
    assert own[0] == own[1]


# Candidates that are drawn.


def test_candidates_are_drawn_from_distributions(iris):
    drawn = {"learning_rate_init": loguniform(1e-4, 1e-1)}
    search = EpochHalvingRandomSearchCV(network(), drawn, n_candidates=4, cv=2, random_state=0)
    rates = [clone(search).fit(*iris).cv_results_["param_learning_rate_init"] for _ in range(2)]
    np.testing.assert_array_equal(*rates)
    assert len(set(rates[0][:4])) == 4


def test_as_many_are_drawn_as_the_last_rung_needs_for_all_epochs(iris):
    drawn = {"alpha": loguniform(1e-4, 1e-1)}
    search = EpochHalvingRandomSearchCV(network(), drawn, min_resources=3, cv=2, random_state=0)
    assert search.fit(*iris).n_candidates_ == [3, 1]
    assert search.n_resources_ == [3, 9]
    search.set_params(min_resources="exhaust")
    with pytest.raises(ValueError, match="cannot be both"):
        search.fit(*iris)


# Pipelines and other estimators.


def test_what_comes_before_the_network_is_fitted_once_a_fold_and_setting(iris):
    CountFits.n_fits = 0
    model = Pipeline([("scale", CountFits()), ("select", SelectKBest()), ("net", network())])
    grid = {"select__k": [2, 3], "net__alpha": [1e-4, 1e-3, 1e-2]}
    search = EpochHalvingSearchCV(model, grid, cv=3, refit=False).fit(*iris)
    assert CountFits.n_fits == 2 * 3
    assert search.n_candidates_ == [6, 2]


def test_a_pipelines_scores_are_those_of_cross_validation(iris):
    model = make_pipeline(StandardScaler(), network())
    grid = {"mlpclassifier__alpha": [1e-4, 1e-1, 1.0]}
    search = EpochHalvingSearchCV(model, grid, cv=3).fit(*iris)
    scores = cross_val_score(clone(model).set_params(**search.best_params_), *iris, cv=3)
    assert search.best_score_ == pytest.approx(scores.mean())
    assert search.best_estimator_[-1].n_iter_ == 9
    assert search.best_estimator_[0].n_samples_seen_ == 150


def test_the_last_step_itself_may_be_searched(iris):
    model = Pipeline([("scale", StandardScaler()), ("net", network())])
    grid = {"net": [network(alpha=1e-3), network(hidden_layer_sizes=(4,))]}
    search = EpochHalvingSearchCV(model, grid, cv=3).fit(*iris)
    assert search.n_candidates_ == [2]
    assert search.best_estimator_[-1].max_iter == 9


def test_targets_may_be_transformed():
    X, y = load_diabetes(return_X_y=True)
    inner = make_pipeline(
        StandardScaler(), MLPRegressor(hidden_layer_sizes=8, max_iter=9, random_state=0)
    )
    model = TransformedTargetRegressor(inner, transformer=StandardScaler())
    grid = {"regressor__mlpregressor__learning_rate_init": [1e-4, 1e-3, 1e-2]}
    search = EpochHalvingSearchCV(model, grid, cv=3).fit(X, y)
    scores = cross_val_score(clone(model).set_params(**search.best_params_), X, y, cv=3)
    assert search.best_score_ == pytest.approx(scores.mean())


@pytest.mark.parametrize(
    "model",
    [
        SGDClassifier(max_iter=9, random_state=0),
        SGDClassifier(max_iter=9, early_stopping=True, random_state=0),
        ScikitLearnClassifier((8,), max_iter=9, random_state=0),
        ScikitLearnClassifier((8,), max_iter=9, early_stopping=True, random_state=0),
    ],
    ids=["passes", "warm", "network", "warm network"],
)
def test_estimators_of_scikit_learn_go_on_one_by_one(iris, model):
    search = EpochHalvingSearchCV(model, {"alpha": [1e-4, 1e-2, 1.0]}, cv=3).fit(*iris)
    assert search.n_resources_ == [3, 9]
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert not search.best_estimator_.get_params().get("warm_start")


def test_passes_are_those_of_partial_fit(iris):
    X, y = iris
    model = SGDClassifier(max_iter=4, random_state=0)
    cv = [(np.arange(0, 150, 2), np.arange(1, 150, 2))]
    grid = {"alpha": [1e-2, 1e-3]}
    search = EpochHalvingSearchCV(model, grid, factor=2, cv=cv).fit(X, y)
    alone = clone(model).set_params(**search.best_params_)
    for _ in range(4):
        alone.partial_fit(X[::2], y[::2], classes=np.unique(y))
    assert search.best_score_ == alone.score(X[1::2], y[1::2])


def test_boosting_goes_on_to_the_number_of_trees(iris):
    X, y = iris
    model = HistGradientBoostingClassifier(max_iter=8, early_stopping=False)
    cv = [(np.arange(0, 150, 2), np.arange(1, 150, 2))]
    grid = {"learning_rate": [0.01, 0.3]}
    search = EpochHalvingSearchCV(model, grid, factor=2, cv=cv, scoring="neg_log_loss")
    search.fit(X, y)
    alone = clone(model).set_params(**search.best_params_).fit(X[::2], y[::2])
    scorer = search.scorer_
    assert search.best_score_ == pytest.approx(scorer(alone, X[1::2], y[1::2]))


@pytest.mark.parametrize("model", [LinearRegression(), Forecaster(MLPRegressor())])
def test_what_cannot_go_on_is_named(iris, model):
    with pytest.raises(TypeError, match=f"max_iter and has partial_fit.*{type(model).__name__}"):
        EpochHalvingSearchCV(model, {"fit_intercept": [True]}).fit(*iris)


# Scores.


def test_the_score_that_refit_names_decides(iris):
    def worst(y, predicted):
        return -accuracy_score(y, predicted)

    scoring = {"accuracy": "accuracy", "error": make_scorer(worst)}
    for refit, sign in (("accuracy", 1), ("error", -1)):
        search = EpochHalvingSearchCV(network(), RATES, cv=3, scoring=scoring, refit=refit)
        results = search.fit(*iris).cv_results_
        first = sign * results["mean_test_accuracy"][:3]
        kept = results["params"].index(results["params"][3])
        assert first[kept] == first.max()
        assert search.best_score_ == results[f"mean_test_{refit}"][3]
    with pytest.raises(ValueError, match="refit must be set to a scorer key"):
        EpochHalvingSearchCV(network(), RATES, scoring=scoring).fit(*iris)


def test_a_function_may_give_several_scores(iris):
    def scoring(estimator, X, y):
        return {"accuracy": estimator.score(X, y), "zero": 0}

    search = EpochHalvingSearchCV(network(), RATES, cv=3, scoring=scoring, refit="accuracy")
    search.fit(*iris)
    assert search.multimetric_
    assert search.best_score_ == search.cv_results_["mean_test_accuracy"][search.best_index_]
    assert search.cv_results_["mean_test_zero"].tolist() == [0] * 4


def test_a_function_may_choose_the_best(iris):
    search = EpochHalvingSearchCV(network(), RATES, cv=3, refit=lambda results: 1).fit(*iris)
    assert search.best_params_ == search.cv_results_["params"][1]
    assert not hasattr(search, "best_score_")


def test_scores_on_training_rows_come_when_asked_for(iris):
    model = network()
    results = EpochHalvingSearchCV(model, RATES, cv=3, return_train_score=True).fit(*iris)
    assert np.isfinite(results.cv_results_["mean_train_score"]).all()
    results = EpochHalvingSearchCV(model, RATES, cv=3).fit(*iris).cv_results_
    assert "mean_train_score" not in results


# What fails.


def test_a_candidate_that_fails_gets_the_error_score_and_leaves(iris):
    grid = {"solver": ["lbfgs", "adam", "sgd"]}
    search = EpochHalvingSearchCV(network(), grid, cv=3, factor=1.5, error_score=2.0)
    with pytest.warns(FitFailedWarning, match=r"3 fits failed out of a total of (.|\n)*lbfgs"):
        search.fit(*iris)
    results = search.cv_results_
    assert results["mean_test_score"][0] == 2
    assert "lbfgs" not in [p["solver"] for p in results["params"][3:]]
    assert search.best_params_["solver"] != "lbfgs"


def test_an_error_is_raised_when_asked_for(iris):
    search = EpochHalvingSearchCV(network(), {"solver": ["lbfgs"]}, error_score="raise")
    with pytest.raises(ValueError, match="cannot pause"):
        search.fit(*iris)


def test_a_search_whose_fits_all_fail_says_why(iris):
    with pytest.raises(ValueError, match=r"All the 6 fits failed(.|\n)*cannot pause"):
        EpochHalvingSearchCV(network(solver="lbfgs"), {"alpha": [1, 2]}, cv=3).fit(*iris)


class BreaksLater(ClassifierMixin, BaseEstimator):
    """Fails in the second call of `partial_fit`."""

    def __init__(self, alpha=0, max_iter=4):
        self.alpha, self.max_iter = alpha, max_iter

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def partial_fit(self, X, y, classes=None):
        if hasattr(self, "classes_"):
            raise RuntimeError("broken")
        return self.fit(X, y)

    def predict(self, X):
        return np.full(len(X), self.alpha)


def test_where_all_fail_later_the_best_is_that_of_the_rung_before(iris):
    grid = {"alpha": [0, 1, 5]}
    search = EpochHalvingSearchCV(BreaksLater(), grid, cv=3, min_resources=1)
    with pytest.warns(FitFailedWarning, match="broken"), pytest.warns(UserWarning, match="finite"):
        search.fit(*iris)
    assert search.best_params_ == {"alpha": 0}
    assert search.best_score_ == pytest.approx(1 / 3)


def test_a_step_that_fails_before_the_network_fails_its_candidates(iris):
    model = make_pipeline(SelectKBest(), network())
    grid = {"selectkbest__k": [2, -1]}
    with (
        pytest.warns(FitFailedWarning, match="'k' parameter"),
        pytest.warns(UserWarning, match="finite"),
    ):
        search = EpochHalvingSearchCV(model, grid, cv=3).fit(*iris)
    assert search.best_params_ == {"selectkbest__k": 2}


def test_ctrl_c_ends_the_search(iris):
    class Interrupt(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2:
                raise KeyboardInterrupt

    for backend in ("stacked", "threading"):
        model = network(callbacks=[Interrupt])
        search = EpochHalvingSearchCV(model, RATES, cv=3)
        with joblib.parallel_config(backend, n_jobs=None), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(KeyboardInterrupt):
                search.fit(*iris)
        with pytest.raises(NotFittedError):
            search.predict(iris[0])


# As scikit-learn's searches.


def test_weights_of_samples_reach_fit_and_score(iris):
    X, y = iris
    weight = np.where(y == 0, 0.0, 1.0)
    grid = {"alpha": [1e-4, 1e-2]}
    plain = EpochHalvingSearchCV(network(), grid, cv=3, refit=False)
    weighted = clone(plain).fit(X, y, sample_weight=weight)
    with config_context(enable_metadata_routing=True):
        model = network().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        routed = clone(plain).set_params(estimator=model).fit(X, y, sample_weight=weight)
        pipeline = make_pipeline(StandardScaler(with_mean=False, with_std=False), model)
        pipeline[0].set_fit_request(sample_weight=False)
        piped = EpochHalvingSearchCV(pipeline, {"mlpclassifier__alpha": [1e-4, 1e-2]}, cv=3)
        piped.set_params(refit=False).fit(X, y, sample_weight=weight)
    scores = [s.cv_results_["mean_test_score"] for s in (plain.fit(X, y), weighted, routed, piped)]
    assert not np.array_equal(scores[0], scores[1])
    np.testing.assert_array_equal(scores[1], scores[2])
    np.testing.assert_allclose(scores[2], scores[3])


def test_groups_reach_the_splitter(iris):
    groups = np.arange(150) % 5
    search = EpochHalvingSearchCV(network(), RATES, cv=GroupKFold(5), refit=False)
    assert search.fit(*iris, groups=groups).n_splits_ == 5


def test_folds_may_be_random_as_they_are_drawn_once(iris):
    cv = KFold(3, shuffle=True)
    results = EpochHalvingSearchCV(network(), RATES, cv=cv, max_resources=1, refit=False)
    assert results.fit(*iris).n_splits_ == 3


def test_data_frames_keep_their_names(iris):
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(iris[0], columns=list("abcd"))
    search = EpochHalvingSearchCV(network(), RATES, cv=3).fit(X, iris[1])
    assert search.feature_names_in_.tolist() == list("abcd")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search.predict(X)


def test_autoencoders_are_searched_without_y(digits):
    model = Autoencoder((16,), n_components=2, max_iter=3, random_state=0)
    search = EpochHalvingSearchCV(model, {"learning_rate_init": [1e-6, 1e-3, 1e-2]}, cv=2)
    assert search.fit(digits[0]).best_params_["learning_rate_init"] > 1e-6


def test_a_fitted_search_is_pickled_cloned_and_shown(iris):
    search = EpochHalvingSearchCV(network(), RATES, cv=3).fit(*iris)
    loaded = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(loaded.predict(iris[0]), search.predict(iris[0]))
    assert clone(search).get_params()["param_grid"] == RATES
    assert "best_estimator_: MLPClassifier" in search._repr_html_()
    assert search.classes_.tolist() == [0, 1, 2]
    assert search.n_features_in_ == 4


class Record:
    """A callback that takes down which tasks end."""

    max_propagation_depth = None

    def __init__(self):
        self.ended = []

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, **kwargs):
        pass

    def on_fit_task_end(self, estimator, context, **kwargs):
        self.ended.append((context.estimator_name, context.task_name))

    def teardown(self, estimator, context):
        pass


def test_callbacks_see_rungs_candidates_and_epochs(iris):
    record = Record()
    search = EpochHalvingSearchCV(network(), RATES, cv=3).set_callbacks(record)
    with joblib.parallel_config("stacked"):
        search.fit(*iris)
    ended = [task for _, task in record.ended]
    assert ended.count("halving-iteration") == 2
    assert ended.count("epoch") == 3 * 3 * 3 + 3 * 6 + 9
    assert ended.count("search") == 1


def test_no_warning_of_convergence_comes_from_candidates(iris):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        EpochHalvingSearchCV(network(), RATES, cv=3, refit=False).fit(*iris)
    assert not [w for w in caught if issubclass(w.category, ConvergenceWarning)]


def test_lines_tell_rungs_and_candidates(iris, capsys):
    EpochHalvingSearchCV(network(), RATES, cv=3, verbose=2, refit=False).fit(*iris)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "iter: 0, n_candidates: 3, n_resources: 3"
    assert sum(line.startswith("[CV") for line in lines) == 9 + 3
