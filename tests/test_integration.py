"""Neural estimators inside scikit-learn's tools, each against the same done by hand."""

import warnings

import matplotlib
import numpy as np
import pytest
import sklearn
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_linnerud
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import PartialDependenceDisplay, permutation_importance
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, log_loss
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    ParameterGrid,
    RandomizedSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

from sknn_basics import (
    Autoencoder,
    ConvNetRegressor,
    MLPClassifier,
    MLPRegressor,
    RNNRegressor,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

FOLDS = StratifiedKFold(3, shuffle=True, random_state=42)
OPTIONS = {"hidden_layer_sizes": (20,), "max_iter": 5, "random_state": 0}


@pytest.fixture(scope="module")
def cancer():
    """Breast tumours: standardised X of shape (569, 30), y in 0..1."""
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.fixture(scope="module")
def exercise():
    """Linnerud's exercise data: standardised X of shape (20, 3), y of shape (20, 3)."""
    X, y = load_linnerud(return_X_y=True)
    return StandardScaler().fit_transform(X), StandardScaler().fit_transform(y)


@pytest.fixture
def model():
    """Small classifier."""
    return MLPClassifier(**OPTIONS)


@pytest.fixture
def pipeline(model):
    """Small classifier behind a scaler."""
    return Pipeline([("normalize", MinMaxScaler()), ("model", model)])


@pytest.fixture
def routing():
    """Metadata routing is on."""
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def score_by_hand(model, X, y, cv=FOLDS):
    """Fit and score a model in every fold."""
    return [
        clone(model).fit(X[train], y[train]).score(X[test], y[test])
        for train, test in cv.split(X, y)
    ]


# Searches.

GRID = {"model__hidden_layer_sizes": [(10,), (10, 10)], "model__solver": ["adam", "adadelta"]}


def test_grid_search_scores_as_a_loop(pipeline, digits):
    search = GridSearchCV(pipeline, GRID, cv=FOLDS, refit=False).fit(*digits)
    candidates = [clone(pipeline).set_params(**values) for values in ParameterGrid(GRID)]
    expected = [np.mean(score_by_hand(candidate, *digits)) for candidate in candidates]
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], expected)


def test_grid_search_refits_the_best_parameters(pipeline, digits):
    X, y = digits
    search = GridSearchCV(pipeline, GRID, cv=FOLDS).fit(X, y)
    best = np.argmax(search.cv_results_["mean_test_score"])
    assert search.best_params_ == list(ParameterGrid(GRID))[best]
    expected = clone(pipeline).set_params(**search.best_params_).fit(X, y)
    np.testing.assert_array_equal(search.predict_proba(X), expected.predict_proba(X))


def test_grid_search_takes_numpy_numbers(model, iris):
    grid = {
        "hidden_layer_sizes": np.array([5, 10]),
        "batch_size": np.array([50]),
        "dropout": np.array([0.1]),
        "max_iter": np.array([2]),
        "learning_rate_init": np.logspace(-3, -2, 2),
    }
    plain = {name: values.tolist() for name, values in grid.items()}
    ours, expected = (
        GridSearchCV(model, values, cv=FOLDS, error_score="raise").fit(*iris)
        for values in (grid, plain)
    )
    np.testing.assert_array_equal(
        ours.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )


def test_a_misspelt_parameter_raises_in_a_grid(pipeline, iris):
    with pytest.raises(ValueError, match="Invalid parameter 'hidden_layers'"):
        GridSearchCV(pipeline, {"model__hidden_layers": [(10,)]}).fit(*iris)


def test_randomized_search_scores_as_a_loop(pipeline, digits):
    distributions = {
        "model__dropout": [0.0, 0.1, 0.2, 0.3],
        "model__learning_rate_init": np.logspace(-4, -1, 10),
    }
    search = RandomizedSearchCV(pipeline, distributions, n_iter=3, cv=FOLDS, random_state=0)
    results = search.fit(*digits).cv_results_
    for values, score in zip(results["params"], results["mean_test_score"], strict=True):
        candidate = clone(pipeline).set_params(**values)
        assert score == np.mean(score_by_hand(candidate, *digits))


def test_halving_search_gives_the_best_candidates_more_epochs(pipeline, digits):
    search = HalvingGridSearchCV(
        pipeline,
        {"model__learning_rate_init": [1e-5, 1e-4, 1e-3, 1e-2]},
        resource="model__max_iter",
        min_resources=1,
        max_resources=4,
        factor=2,
        cv=FOLDS,
        random_state=0,
    ).fit(*digits)
    assert search.n_candidates_ == [4, 2, 1]
    assert search.best_estimator_["model"].n_iter_ == 4
    assert search.best_params_["model__learning_rate_init"] == 0.01


def test_halving_search_gives_the_best_candidates_more_samples(pipeline, digits):
    X, y = digits
    grid = {"model__learning_rate_init": [1e-5, 1e-2]}
    search = HalvingGridSearchCV(
        pipeline, grid, factor=2, max_resources=1797, min_resources=600, cv=FOLDS, random_state=0
    ).fit(X, y)
    expected = pipeline.set_params(model__learning_rate_init=0.01).fit(X, y)
    np.testing.assert_array_equal(search.predict(X), expected.predict(X))


def test_nested_search_scores_as_a_loop(pipeline, digits):
    search = GridSearchCV(pipeline, {"model__solver": ["adam", "sgd"]}, cv=2)
    scores = cross_val_score(search, *digits, cv=FOLDS)
    np.testing.assert_array_equal(scores, score_by_hand(search, *digits))


# Cross-validation.


def test_scaler_in_a_pipeline_sees_only_the_training_folds(pipeline, cancer):
    X, y = cancer
    results = cross_validate(pipeline, X, y, cv=FOLDS, return_estimator=True, return_indices=True)
    for fitted, train in zip(results["estimator"], results["indices"]["train"], strict=True):
        np.testing.assert_array_equal(fitted["normalize"].data_min_, X[train].min(axis=0))
        np.testing.assert_array_equal(fitted["normalize"].data_max_, X[train].max(axis=0))


def test_cross_validate_scores_as_a_loop(pipeline, digits):
    X, y = digits
    metrics = ["balanced_accuracy", "neg_log_loss"]
    results = cross_validate(pipeline, X, y, cv=FOLDS, scoring=metrics, return_train_score=True)
    for i, (train, test) in enumerate(FOLDS.split(X, y)):
        fitted = clone(pipeline).fit(X[train], y[train])
        for name, rows in (("train", train), ("test", test)):
            accuracy = balanced_accuracy_score(y[rows], fitted.predict(X[rows]))
            loss = log_loss(y[rows], fitted.predict_proba(X[rows]))
            assert results[f"{name}_balanced_accuracy"][i] == accuracy
            assert results[f"{name}_neg_log_loss"][i] == -loss


def test_cross_val_score_of_a_regressor_scores_as_a_loop(diabetes):
    model, cv = MLPRegressor(**OPTIONS), KFold(3)
    scores = cross_val_score(model, *diabetes, cv=cv)
    np.testing.assert_array_equal(scores, score_by_hand(model, *diabetes, cv))


def test_cross_val_predict_gives_probabilities_of_unseen_rows(pipeline, digits):
    X, y = digits
    probability = cross_val_predict(pipeline, X, y, cv=FOLDS, method="predict_proba")
    for train, test in FOLDS.split(X, y):
        fitted = clone(pipeline).fit(X[train], y[train])
        np.testing.assert_array_equal(probability[test], fitted.predict_proba(X[test]))


def test_learning_curve_scores_as_fits_on_growing_parts(model, digits):
    X, y = digits
    sizes, _, scores = learning_curve(model, X, y, cv=FOLDS, train_sizes=[100, 500, 1000])
    for row, size in zip(scores, sizes, strict=True):
        expected = [
            clone(model).fit(X[train[:size]], y[train[:size]]).score(X[test], y[test])
            for train, test in FOLDS.split(X, y)
        ]
        np.testing.assert_array_equal(row, expected)


def test_learning_curve_by_partial_fit_scores_as_the_same_calls(model, digits):
    X, y = digits
    sizes, _, scores = learning_curve(
        model, X, y, cv=FOLDS, train_sizes=[200, 1000], exploit_incremental_learning=True
    )
    for fold, (train, test) in enumerate(FOLDS.split(X, y)):
        fitted, start = clone(model), 0
        for row, size in zip(scores, sizes, strict=True):
            rows = train[start:size]
            fitted.partial_fit(X[rows], y[rows], classes=range(10))
            assert row[fold] == fitted.score(X[test], y[test])
            start = size


def test_two_jobs_score_as_one(pipeline, digits):
    one, two = (cross_val_score(pipeline, *digits, cv=FOLDS, n_jobs=n) for n in (1, 2))
    np.testing.assert_array_equal(one, two)


# Meta-estimators.


def test_calibration_equals_isotonic_regression_of_the_probability(model, cancer):
    X, y = cancer
    fitted = model.fit(X[:300], y[:300])
    calibrated = CalibratedClassifierCV(FrozenEstimator(fitted), method="isotonic")
    calibrated.fit(X[300:], y[300:])
    isotonic = IsotonicRegression(out_of_bounds="clip")
    isotonic.fit(fitted.predict_proba(X[300:])[:, 1], y[300:])
    expected = isotonic.predict(fitted.predict_proba(X)[:, 1])
    np.testing.assert_allclose(calibrated.predict_proba(X)[:, 1], expected, atol=1e-12)


def test_cross_validated_calibration_averages_its_members(model, digits):
    X, y = digits
    calibrated = CalibratedClassifierCV(model, cv=FOLDS).fit(X, y)
    members = calibrated.calibrated_classifiers_
    expected = np.mean([member.predict_proba(X) for member in members], axis=0)
    np.testing.assert_allclose(calibrated.predict_proba(X), expected, rtol=1e-6)
    for member, (train, _) in zip(members, FOLDS.split(X, y), strict=True):
        fitted = clone(model).fit(X[train], y[train])
        np.testing.assert_array_equal(member.estimator.predict_proba(X), fitted.predict_proba(X))


def test_bagging_averages_members_weighted_by_how_often_a_row_was_drawn(model, digits):
    X, y = digits
    bagging = BaggingClassifier(model, 3, random_state=0)
    bagging.fit(X, y)
    expected = np.mean([member.predict_proba(X) for member in bagging.estimators_], axis=0)
    np.testing.assert_allclose(bagging.predict_proba(X), expected, rtol=1e-6)
    for member, rows in zip(bagging.estimators_, bagging.estimators_samples_, strict=True):
        by_hand = clone(member).fit(X, y, np.bincount(rows, minlength=1797))
        np.testing.assert_array_equal(member.predict_proba(X), by_hand.predict_proba(X))


def test_stacking_fits_its_last_estimator_to_probabilities_of_unseen_rows(model, iris):
    X, y = iris
    other = clone(model).set_params(activation="tanh", max_iter=20)
    stack = StackingClassifier([("a", model), ("b", other)], LogisticRegression(), cv=FOLDS)
    stack.fit(X, y)
    unseen = [
        cross_val_predict(clone(member), X, y, cv=FOLDS, method="predict_proba")
        for member in (model, other)
    ]
    expected = LogisticRegression().fit(np.hstack(unseen), y)
    np.testing.assert_allclose(stack.final_estimator_.coef_, expected.coef_)


def test_one_vs_rest_fits_one_network_a_class(model, digits):
    X, y = digits
    rest = OneVsRestClassifier(model).fit(X, y)
    columns = [clone(model).fit(X, y == k).predict_proba(X)[:, 1] for k in range(10)]
    expected = np.column_stack(columns)
    np.testing.assert_allclose(
        rest.predict_proba(X), expected / expected.sum(axis=1, keepdims=True), rtol=1e-5
    )


def test_multi_output_regressor_fits_one_network_an_output(exercise):
    X, y = exercise
    model = MLPRegressor(**OPTIONS)
    predicted = MultiOutputRegressor(model).fit(X, y).predict(X)
    expected = [clone(model).fit(X, column).predict(X) for column in y.T]
    np.testing.assert_array_equal(predicted, np.column_stack(expected))


def test_transformed_target_regressor_scales_the_target(diabetes):
    X, _ = diabetes
    y = load_diabetes().target
    model = MLPRegressor(**OPTIONS)
    transformed = TransformedTargetRegressor(model, transformer=StandardScaler()).fit(X, y)
    scaled = (y - y.mean()) / y.std()
    expected = clone(model).fit(X, scaled).predict(X) * y.std() + y.mean()
    np.testing.assert_allclose(transformed.predict(X), expected, rtol=1e-5)


def test_tuned_threshold_decides_by_its_threshold(model, cancer):
    X, y = cancer
    tuned = TunedThresholdClassifierCV(model, scoring="balanced_accuracy", cv=FOLDS).fit(X, y)
    probability = clone(model).fit(X, y).predict_proba(X)[:, 1]
    np.testing.assert_array_equal(tuned.predict(X), probability >= tuned.best_threshold_)


# Inspection.


def test_permutation_importance_is_the_loss_of_score(model, digits):
    X, y = digits
    fitted = model.fit(X, y)
    result = permutation_importance(fitted, X, y, n_repeats=2, random_state=0)
    # scikit-learn shuffles every column in the same orders.
    seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max + 1)
    expected = np.empty((64, 2))
    for column in range(64):
        generator, shuffled = np.random.RandomState(seed), X.copy()
        rows = np.arange(len(X))
        for repeat in range(2):
            generator.shuffle(rows)
            shuffled[:, column] = shuffled[rows, column]
            expected[column, repeat] = fitted.score(X, y) - fitted.score(shuffled, y)
    np.testing.assert_allclose(result.importances, expected)


def test_partial_dependence_averages_predictions(diabetes):
    matplotlib.use("Agg")
    X, y = diabetes
    model = MLPRegressor(**OPTIONS).fit(X, y)
    display = PartialDependenceDisplay.from_estimator(model, X, [2], grid_resolution=5)
    (result,) = display.pd_results
    for value, average in zip(result["grid_values"][0], result["average"][0], strict=True):
        changed = X.copy()
        changed[:, 2] = value
        assert average == pytest.approx(model.predict(changed).mean(), abs=1e-6)


# Data frames.


def test_a_network_behind_pandas_output_knows_its_columns(cancer):
    pytest.importorskip("pandas")
    frame, y = load_breast_cancer(return_X_y=True, as_frame=True)
    model = make_pipeline(StandardScaler(), MLPClassifier(**OPTIONS)).set_output(transform="pandas")
    model.fit(frame, y)
    assert model[-1].feature_names_in_.tolist() == frame.columns.tolist()
    expected = MLPClassifier(**OPTIONS).fit(*cancer).predict_proba(cancer[0])
    np.testing.assert_allclose(model.predict_proba(frame), expected, rtol=1e-12)


def test_column_transformer_feeds_columns_of_a_frame():
    pytest.importorskip("pandas")
    frame, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    y = (y - y.mean()) / y.std()
    columns = ColumnTransformer(
        [("sex", OneHotEncoder(), ["sex"]), ("numbers", StandardScaler(), ["bmi", "bp"])]
    )
    model = make_pipeline(columns, MLPRegressor(**OPTIONS)).fit(frame, y)
    sex = frame["sex"].to_numpy()[:, None] == np.unique(frame["sex"])
    X = np.hstack([sex, StandardScaler().fit_transform(frame[["bmi", "bp"]])])
    expected = MLPRegressor(**OPTIONS).fit(X, y).predict(X)
    np.testing.assert_array_equal(model.predict(frame), expected)


# Metadata.


@pytest.fixture
def weight(digits):
    """Weights that favour even digits."""
    _, y = digits
    return np.where(y % 2, 0.1, 1.0)


@pytest.mark.usefixtures("routing")
def test_sample_weights_reach_a_network_in_a_pipeline(pipeline, digits, weight):
    X, y = digits
    pipeline["model"].set_fit_request(sample_weight=True)
    scaled = MinMaxScaler().fit_transform(X)
    weighted = MLPClassifier(**OPTIONS).fit(scaled, y, sample_weight=weight)
    fitted = pipeline.fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(fitted.predict_proba(X), weighted.predict_proba(scaled))
    unweighted = MLPClassifier(**OPTIONS).fit(scaled, y)
    assert not np.allclose(weighted.predict_proba(scaled), unweighted.predict_proba(scaled))


@pytest.mark.usefixtures("routing")
def test_sample_weights_reach_every_fold_of_cross_validate(pipeline, digits, weight):
    X, y = digits
    pipeline["model"].set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    results = cross_validate(pipeline, X, y, cv=FOLDS, params={"sample_weight": weight})
    for score, (train, test) in zip(results["test_score"], FOLDS.split(X, y), strict=True):
        scaler = MinMaxScaler().fit(X[train])
        fitted = MLPClassifier(**OPTIONS)
        fitted.fit(scaler.transform(X[train]), y[train], sample_weight=weight[train])
        expected = fitted.score(scaler.transform(X[test]), y[test], sample_weight=weight[test])
        assert score == expected


@pytest.mark.usefixtures("routing")
def test_sample_weights_reach_every_fit_of_a_grid_search(pipeline, digits, weight):
    X, y = digits
    pipeline["model"].set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    grid = {"model__solver": ["adam", "sgd"]}
    search = GridSearchCV(pipeline, grid, cv=FOLDS).fit(X, y, sample_weight=weight)
    expected = clone(pipeline).set_params(**search.best_params_).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(search.predict_proba(X), expected.predict_proba(X))
    for values, score in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"]):
        candidate = clone(pipeline).set_params(**values)
        scores = [
            clone(candidate)
            .fit(X[train], y[train], sample_weight=weight[train])
            .score(X[test], y[test], sample_weight=weight[test])
            for train, test in FOLDS.split(X, y)
        ]
        assert score == np.mean(scores)


@pytest.mark.usefixtures("routing")
def test_weights_that_nobody_requests_raise(pipeline, digits, weight):
    with pytest.raises(ValueError, match="sample_weight"):
        cross_validate(pipeline, *digits, cv=FOLDS, params={"sample_weight": weight})


@pytest.mark.usefixtures("routing")
def test_a_pipeline_scales_the_validation_data_of_its_network(digits):
    X, y = digits
    train, valid = np.arange(1797) < 1000, np.arange(1797) >= 1000
    model = MLPClassifier(**OPTIONS).set_fit_request(X_val=True, y_val=True)
    pipeline = make_pipeline(StandardScaler(), model, transform_input=["X_val"])
    pipeline.fit(X[train], y[train], X_val=X[valid], y_val=y[valid])
    scaler = StandardScaler().fit(X[train])
    expected = MLPClassifier(**OPTIONS).fit(
        scaler.transform(X[train]), y[train], X_val=scaler.transform(X[valid]), y_val=y[valid]
    )
    assert pipeline[-1].validation_scores_ == expected.validation_scores_


# Validation data.


def test_given_validation_data_are_scored_after_every_epoch(digits):
    X, y = digits
    data = {"X_val": X[1000:], "y_val": y[1000:]}
    model = MLPClassifier(**OPTIONS).fit(X[:1000], y[:1000], **data)
    expected = [
        MLPClassifier(**{**OPTIONS, "max_iter": n})
        .fit(X[:1000], y[:1000])
        .score(X[1000:], y[1000:])
        for n in range(1, 6)
    ]
    np.testing.assert_allclose(model.validation_scores_, expected, atol=1 / 797)


def test_given_validation_data_do_not_change_the_training(digits):
    X, y = digits
    model = MLPClassifier(**OPTIONS).fit(X, y, X_val=X[:100], y_val=y[:100])
    expected = MLPClassifier(**OPTIONS).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


def test_early_stopping_uses_the_given_validation_data(digits):
    X, y = digits
    options = {**OPTIONS, "early_stopping": True, "learning_rate_init": 0.05, "max_iter": 30}
    model = MLPClassifier(**options, n_iter_no_change=3)
    model.fit(X[:1000], y[:1000], X_val=X[1000:], y_val=y[1000:])
    assert model.n_iter_ == len(model.validation_scores_) < 30
    assert model.score(X[1000:], y[1000:]) == max(model.validation_scores_)


def test_weights_of_validation_samples_weight_the_score(digits):
    X, y = digits
    data = {"X_val": X[1000:], "y_val": y[1000:]}
    weight = np.where(y[1000:] == 0, 1.0, 0.0)
    model = MLPClassifier(**OPTIONS).fit(X[:1000], y[:1000], **data, sample_weight_val=weight)
    zeros = y[1000:] == 0
    expected = model.score(X[1000:][zeros], y[1000:][zeros])
    assert model.validation_scores_[-1] == pytest.approx(expected)


@pytest.mark.usefixtures("routing")
def test_a_transformed_target_regressor_hands_validation_data_to_its_pipeline(diabetes):
    X, y = 100 + 5 * diabetes[0], 300 + 20 * diabetes[1]
    of_y = StandardScaler().fit(y[:300, None])
    options = {**OPTIONS, "max_iter": 30}
    model = MLPRegressor(**options).set_fit_request(X_val=True, y_val=True)
    pipeline = make_pipeline(StandardScaler(), model, transform_input=["X_val"])
    y_val = of_y.transform(y[300:, None]).ravel()
    whole = TransformedTargetRegressor(pipeline, transformer=StandardScaler())
    whole.fit(X[:300], y[:300], X_val=X[300:], y_val=y_val)
    score = whole.regressor_[-1].validation_scores_[-1]
    assert score == pytest.approx(whole.score(X[300:], y[300:]))


def unscaled(X, y):
    """Training data, and validation data on a scale of their own: kind, fit's arguments."""
    X_val, y_val = 50 + 20 * X, 300 + 50 * y
    steps, images = X[:, :, None], X[:, :9].reshape(-1, 3, 3)
    return {
        "X of a dense network": (MLPRegressor, X, y, X_val, y, "X_val"),
        "y of a dense network": (MLPRegressor, X, y, X, y_val, "y_val"),
        "both of a dense network": (MLPRegressor, X, y, X_val, y_val, "X_val and y_val"),
        "sparse X": (MLPRegressor, csr_array(X), y, csr_array(X_val), y, "X_val"),
        "y of a recurrent network": (RNNRegressor, steps, y, steps, y_val, "y_val"),
        "y a step": (RNNRegressor, steps, steps, steps, 300 + 50 * steps, "y_val"),
        "X of a convolutional network": (
            ConvNetRegressor, images, y, 300 + 50 * images, y, "X_val"
        ),
        "X of an autoencoder": (Autoencoder, X, None, X_val, None, "X_val"),
    }  # fmt: skip


def fit_with_validation(case, diabetes, **options):
    kind, X, y, X_val, y_val, names = unscaled(*diabetes)[case]
    size = {"filters": (4,)} if kind is ConvNetRegressor else {"hidden_layer_sizes": (20,)}
    model = kind(**size, max_iter=2, random_state=0, **options)
    targets = {} if y is None else {"y": y, "y_val": y_val}
    return lambda: model.fit(X, **targets, X_val=X_val), names


@pytest.mark.parametrize("case", list(unscaled(np.zeros((2, 10)), np.zeros(2))))
def test_validation_data_on_another_scale_are_named(case, diabetes):
    fit, names = fit_with_validation(case, diabetes)
    with pytest.warns(UserWarning, match=f"validation loss is .* much of {names} lies outside"):
        fit()


def test_validation_data_on_another_scale_are_named_under_lbfgs(diabetes):
    fit, names = fit_with_validation("y of a dense network", diabetes, solver="lbfgs")
    with pytest.warns(UserWarning, match=f"much of {names} lies outside"):
        fit()


def test_a_pipeline_that_does_not_scale_validation_data_is_named(cancer):
    X, y = load_breast_cancer(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(**OPTIONS))
    data = {"mlpclassifier__X_val": X[400:], "mlpclassifier__y_val": y[400:]}
    with pytest.warns(UserWarning, match=r"much of X_val .* transform_input=\['X_val'\]"):
        pipeline.fit(X[:400], y[:400], **data)


@pytest.mark.parametrize(
    ("train", "valid", "options"),
    [
        (slice(None, 400), slice(400, None), {}),
        (slice(None, 400), slice(400, 402), {}),
        (slice(None, 30), slice(30, None), {"batch_size": 1, "learning_rate_init": 0.1}),
        (slice(None, 400), slice(400, None), {"normalization": "batch", "batch_size": 400}),
    ],
)
def test_validation_data_like_the_training_data_are_not_warned_of(train, valid, options, cancer):
    X, y = cancer
    model = MLPClassifier(**{**OPTIONS, **options})
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X[train], y[train], X_val=X[valid], y_val=y[valid])


def test_a_trend_is_not_warned_of(diabetes):
    days = np.linspace(-1.7, 1.7, 400)[:, None]
    data = {"X_val": 1.75 + days[:100] + 1.7, "y_val": 1.75 + days[:100, 0] + 1.7}
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        MLPRegressor(**OPTIONS).fit(days, days[:, 0], **data)
