"""Autoencoders as scikit-learn's outlier detectors."""

import pickle

import joblib
import numpy as np
import pytest
import skops.io
from sklearn import config_context
from sklearn.base import clone, is_outlier_detector
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sknn_basics import (
    Autoencoder,
    AutoencoderOutlierDetector,
    ConvAutoencoder,
    RNNAutoencoder,
    VariationalAutoencoder,
    VariationalConvAutoencoder,
)
from sknn_basics.inspection import reconstruction_error

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SHORT = {"max_iter": 4, "random_state": 0}
KINDS = {
    "Autoencoder": Autoencoder((6,), 2, **SHORT),
    "VariationalAutoencoder": VariationalAutoencoder((6,), 2, **SHORT),
    "ConvAutoencoder": ConvAutoencoder((3, 4), 2, **SHORT),
    "VariationalConvAutoencoder": VariationalConvAutoencoder((3, 4), 2, **SHORT),
    "RNNAutoencoder": RNNAutoencoder((4,), 2, **SHORT),
    "pipeline": make_pipeline(StandardScaler(), Autoencoder((6,), 2, **SHORT)),
    "search": GridSearchCV(Autoencoder((6,), **SHORT), {"n_components": [1, 2]}, cv=2),
}


def samples(name: str) -> np.ndarray:
    """Load digits as rows, images or sequences."""
    X = load_digits().data[:150] / 16
    return X.reshape(-1, 8, 8) if "Conv" in name or "RNN" in name else X


@pytest.fixture(scope="module")
def tumours():
    X, y = load_breast_cancer(return_X_y=True)
    return X, y == 0


@parametrize_with_checks(
    [
        AutoencoderOutlierDetector(),
        AutoencoderOutlierDetector(contamination=0.1),
        AutoencoderOutlierDetector(Autoencoder((10,), 2, max_iter=20)),
        AutoencoderOutlierDetector(
            make_pipeline(StandardScaler(), VariationalAutoencoder((10,), 2, max_iter=20))
        ),
        AutoencoderOutlierDetector(ConvAutoencoder((4, 4), 2, max_iter=20)),
        AutoencoderOutlierDetector(RNNAutoencoder((4,), 2, max_iter=10)),
    ]
)
@pytest.mark.filterwarnings("ignore")
def test_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("name", KINDS)
def test_the_decision_is_the_autoencoders_score_beyond_the_threshold(name):
    X = samples(name)
    detector = AutoencoderOutlierDetector(KINDS[name], contamination=0.1).fit(X)
    assert is_outlier_detector(detector)
    scores = clone(KINDS[name]).fit(X).score_samples(X)
    np.testing.assert_array_equal(detector.score_samples(X), scores)
    assert detector.offset_ == np.percentile(scores, 10)
    np.testing.assert_array_equal(detector.decision_function(X), scores - detector.offset_)
    assert (detector.predict(X) == -1).sum() == 15


@pytest.mark.parametrize("name", KINDS)
def test_decisions_on_held_out_rows_are_those_of_fits_to_the_others(name):
    X, detector = samples(name), AutoencoderOutlierDetector(KINDS[name])
    decision = cross_val_predict(detector, X, cv=2, method="decision_function")
    first = clone(detector).fit(X[75:])
    np.testing.assert_array_equal(decision[:75], first.decision_function(X[:75]))


def test_malignant_tumours_are_outliers_among_benign_ones(tumours):
    X, is_malignant = tumours
    benign = X[~is_malignant]
    detector = AutoencoderOutlierDetector(random_state=0).fit(benign[:200])
    rest = np.concatenate([benign[200:], X[is_malignant]])
    is_outlier = np.arange(len(rest)) >= len(benign) - 200
    assert roc_auc_score(is_outlier, -detector.decision_function(rest)) > 0.95
    assert (detector.predict(rest) == -1)[is_outlier].mean() > 0.8
    assert (detector.predict(benign[:200]) == -1).mean() < 0.15


def test_by_default_nothing_warns(tumours, recwarn):
    AutoencoderOutlierDetector(random_state=0).fit_predict(tumours[0])
    assert not [str(warning.message) for warning in recwarn]


def test_the_automatic_threshold_is_tukeys_fence(tumours):
    detector = AutoencoderOutlierDetector(random_state=0).fit(tumours[0])
    first, third = np.quantile(detector.score_samples(tumours[0]), [0.25, 0.75])
    assert detector.offset_ == pytest.approx(first - 1.5 * (third - first), rel=1e-12)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(tumours):
    def scores(seed):
        detector = AutoencoderOutlierDetector(KINDS["pipeline"], random_state=seed)
        return detector.fit(tumours[0]).score_samples(tumours[0])

    np.testing.assert_array_equal(scores(1), scores(1))
    assert (scores(1) != scores(2)).any()


def test_probabilities_follow_the_scores_from_the_mean_outwards(tumours):
    X, _ = tumours
    detector = AutoencoderOutlierDetector(random_state=0).fit(X)
    scores, probability = detector.score_samples(X), detector.outlier_probability(X)
    assert (probability[scores >= scores.mean()] == 0).all()
    order = np.argsort(-scores)
    assert (np.diff(probability[order]) >= 0).all()
    nearest = np.argmin(np.abs(scores - (scores.mean() - scores.std())))
    z = (scores.mean() - scores[nearest]) / scores.std()
    # Within one standard deviation lie 68 percent.
    assert probability[nearest] == pytest.approx(0.6827 + 0.484 * (z - 1), abs=0.01)


def test_probabilities_are_numbers_where_all_training_scores_are_the_same():
    detector = AutoencoderOutlierDetector(random_state=0).fit(np.ones((20, 3)))
    detector.score_std_ = 0.0
    at_mean, beyond = detector.outlier_probability([[1, 1, 1], [9, 9, 9]])
    assert np.isfinite(at_mean)
    assert beyond == 1


def test_what_fit_is_given_reaches_the_autoencoder(tumours):
    X, is_malignant = tumours
    X = StandardScaler().fit_transform(X)
    network = Autoencoder((6,), 2, max_iter=20, random_state=0)
    weight = is_malignant.astype(float)
    detector = AutoencoderOutlierDetector(network).fit(X, sample_weight=weight)
    expected = clone(network).fit(X, sample_weight=weight).score_samples(X)
    np.testing.assert_array_equal(detector.score_samples(X), expected)
    with config_context(enable_metadata_routing=True):
        network = network.set_fit_request(sample_weight=True)
        routed = AutoencoderOutlierDetector(network).fit(X, sample_weight=weight)
    np.testing.assert_array_equal(routed.score_samples(X), expected)


def test_a_refused_fit_keeps_the_detector(tumours):
    X, _ = tumours
    detector = AutoencoderOutlierDetector(random_state=0).fit(X)
    scores, offset = detector.score_samples(X), detector.offset_
    with pytest.raises(ValueError, match="NaN"):
        detector.fit([[0.0, 1.0], [np.nan, 2.0], [1.0, 3.0]])
    np.testing.assert_array_equal(detector.score_samples(X), scores)
    assert (detector.offset_, detector.n_features_in_) == (offset, X.shape[1])


def test_a_detector_that_is_not_fitted_says_so():
    with pytest.raises(NotFittedError):
        AutoencoderOutlierDetector().predict([[1.0]])


@pytest.mark.parametrize("name", ["Autoencoder", "pipeline"])
def test_detectors_in_a_stack_are_those_alone(name):
    X = samples(name)
    search = GridSearchCV(
        AutoencoderOutlierDetector(KINDS[name], contamination=0.2),
        {"random_state": [0, 1, 2]},
        scoring=lambda model, X, y=None: model.decision_function(X).mean(),
        cv=2,
        refit=False,
    )
    alone = clone(search).fit(X).cv_results_["mean_test_score"]
    with joblib.parallel_config(backend="stacked"):
        stacked = clone(search).fit(X).cv_results_["mean_test_score"]
    assert np.isfinite(alone).all()
    np.testing.assert_allclose(stacked, alone, rtol=1e-3)


def test_a_loaded_detector_predicts_the_same_bits(tumours):
    X, _ = tumours
    detector = AutoencoderOutlierDetector(random_state=0).fit(X)
    written = skops.io.dumps(detector)
    trusted = skops.io.get_untrusted_types(data=written)
    assert all(name.startswith("sknn_basics.") for name in trusted), trusted
    for loaded in (pickle.loads(pickle.dumps(detector)), skops.io.loads(written, trusted=trusted)):
        np.testing.assert_array_equal(loaded.decision_function(X), detector.decision_function(X))


def test_errors_are_largest_where_a_sample_was_changed(tumours):
    X, _ = tumours
    detector = AutoencoderOutlierDetector(random_state=0).fit(X)
    changed = X[:1].copy()
    changed[0, 4] += 30 * X[:, 4].std()
    error = reconstruction_error(detector, changed) / X.var(axis=0)
    assert error.shape == (1, 30)
    assert error.argmax() == 4


def test_mean_errors_of_images_are_minus_their_scores():
    X = samples("Conv")
    network = clone(KINDS["ConvAutoencoder"]).fit(X)
    error = reconstruction_error(AutoencoderOutlierDetector(network).fit(X), X)
    assert error.shape == X.shape
    np.testing.assert_allclose(-error.mean(axis=(1, 2)), network.score_samples(X), rtol=1e-4)


def test_errors_need_what_restores_samples():
    with pytest.raises(TypeError, match="inverse_transform, or be a fitted search"):
        reconstruction_error(3, [[1.0]])
