"""Libraries around scikit-learn run with our estimators; each test is skipped without its own.

`make test-ecosystem` installs all of them, in an environment of its own.
"""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from sknn_basics import MLPClassifier, MLPRegressor, TabularClassifier

pytestmark = pytest.mark.filterwarnings("ignore")

SHORT = {"learning_rate_init": 0.02, "max_iter": 30, "random_state": 0}
CANCER = load_breast_cancer(as_frame=True)
X_TRAIN, X_TEST, Y_TRAIN, Y_TEST = train_test_split(CANCER.data, CANCER.target, random_state=0)


def classifier(**options):
    return make_pipeline(StandardScaler(), MLPClassifier((10,), **{**SHORT, **options}))


def series() -> pd.Series:
    """A sine of period 12 in months."""
    months = pd.date_range("2000-01-01", periods=120, freq="MS")
    return pd.Series(np.sin(2 * np.pi * np.arange(120) / 12), months)


class Prune(Callback):
    """End the fit of a trial of Optuna that does not look as good as others did."""

    def __init__(self, trial):
        self.trial = trial

    def on_epoch_end(self, net, **kwargs):
        self.trial.report(net.history[-1, "valid_score"], len(net.history))
        if self.trial.should_prune():
            import optuna

            raise optuna.TrialPruned


def test_optuna_prunes_trials_after_each_epoch():
    optuna = pytest.importorskip("optuna", reason="needs Optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    X = StandardScaler().fit_transform(X_TRAIN)

    def objective(trial):
        rate = trial.suggest_categorical("learning_rate_init", [1e-2, 1e-7])
        options = {**SHORT, "learning_rate_init": rate, "callbacks": [Prune(trial)]}
        model = MLPClassifier(early_stopping=True, **options)
        return model.fit(X, Y_TRAIN).best_validation_score_

    pruner = optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=2)
    study = optuna.create_study(direction="maximize", pruner=pruner)
    for rate in (1e-2, 1e-7):
        study.enqueue_trial({"learning_rate_init": rate})
    study.optimize(objective, n_trials=2)
    complete, pruned = study.trials
    assert (complete.state.name, pruned.state.name) == ("COMPLETE", "PRUNED")
    assert len(pruned.intermediate_values) < len(complete.intermediate_values)
    assert study.best_params == {"learning_rate_init": 1e-2}


def test_skore_reports_what_the_estimator_scores():
    skore = pytest.importorskip("skore", reason="needs skore")
    model = classifier().fit(X_TRAIN, Y_TRAIN)
    report = skore.EstimatorReport(model, X_test=X_TEST, y_test=Y_TEST)
    assert report.metrics.accuracy() == pytest.approx(model.score(X_TEST, Y_TEST))


def test_mapie_predicts_intervals_that_hold_what_they_say():
    regression = pytest.importorskip("mapie.regression", reason="needs MAPIE")
    X, y = load_diabetes(return_X_y=True)
    X, y = StandardScaler().fit_transform(X), (y - y.mean()) / y.std()
    model = MLPRegressor(hidden_layer_sizes=(10,), **SHORT)
    conformal = regression.SplitConformalRegressor(model, confidence_level=0.9, prefit=False)
    conformal.fit(X[:200], y[:200]).conformalize(X[200:320], y[200:320])
    predicted, intervals = conformal.predict_interval(X[320:])
    lower, upper = intervals[:, 0, 0], intervals[:, 1, 0]
    assert np.all((lower <= predicted) & (predicted <= upper))
    assert np.mean((lower <= y[320:]) & (y[320:] <= upper)) > 0.8


def test_imbalanced_learn_samples_what_a_network_is_fitted_to():
    imblearn = pytest.importorskip("imblearn", reason="needs imbalanced-learn")
    from imblearn.over_sampling import RandomOverSampler

    rare = np.flatnonzero(Y_TRAIN == 0)[:20]
    rows = np.concatenate([rare, np.flatnonzero(Y_TRAIN == 1)])
    sampler = RandomOverSampler(random_state=0)
    network = MLPClassifier((10,), **SHORT)
    model = imblearn.pipeline.make_pipeline(StandardScaler(), sampler, network)
    model.fit(X_TRAIN.iloc[rows], Y_TRAIN.iloc[rows])
    assert model[-1].t_ == model[-1].n_iter_ * 2 * (len(rows) - 20)
    assert model.score(X_TEST, Y_TEST) > 0.85


@pytest.mark.parametrize("network", [MLPClassifier((10,), **SHORT), TabularClassifier(2)])
def test_skrub_prepares_tables_of_numbers_texts_and_dates(network):
    skrub = pytest.importorskip("skrub", reason="needs skrub")
    rng = np.random.RandomState(0)
    y = rng.randint(0, 2, 120)
    X = pd.DataFrame(
        {
            "number": y + rng.randn(120),
            "colour": np.array(["red", "green", "blue"])[(y + rng.randint(0, 2, 120)) % 3],
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.randint(0, 900, 120), "D"),
        }
    )
    model = skrub.tabular_pipeline(network).fit(X, y)
    assert model.score(X, y) > 0.7


def test_shap_explains_what_a_pipeline_predicts():
    shap = pytest.importorskip("shap", reason="needs shap")
    model = classifier().fit(X_TRAIN, Y_TRAIN)
    background = shap.maskers.Independent(X_TRAIN, max_samples=10)
    explainer = shap.Explainer(lambda X: model.predict_proba(X)[:, 1], background, seed=0)
    shares = explainer(X_TEST[:2])
    expected = model.predict_proba(X_TEST[:2])[:, 1]
    assert_allclose(shares.base_values + shares.values.sum(1), expected, atol=1e-6)


def test_skforecast_forecasts_with_a_network():
    recursive = pytest.importorskip("skforecast.recursive", reason="needs skforecast")
    y = series()
    network = MLPRegressor(hidden_layer_sizes=(20,), max_iter=300, random_state=0)
    forecaster = recursive.ForecasterRecursive(estimator=network, lags=12)
    forecaster.fit(y=y[:-12])
    assert_allclose(forecaster.predict(steps=12), y[-12:], atol=0.2)


def test_sktime_forecasts_with_a_network():
    compose = pytest.importorskip("sktime.forecasting.compose", reason="needs sktime")
    y = series()
    y.index = y.index.to_period("M")
    network = MLPRegressor(hidden_layer_sizes=(20,), max_iter=300, random_state=0)
    forecaster = compose.make_reduction(network, window_length=12, strategy="recursive")
    forecaster.fit(y[:-12])
    assert_allclose(forecaster.predict(fh=range(1, 13)), y[-12:], atol=0.2)


def test_mlflow_logs_a_model_and_loads_it(tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="needs MLflow")
    pytest.importorskip("mlflow.sklearn", reason="needs MLflow")
    model = classifier().fit(X_TRAIN, Y_TRAIN)
    mlflow.sklearn.save_model(model, tmp_path / "model", serialization_format="cloudpickle")
    loaded = mlflow.sklearn.load_model(str(tmp_path / "model"))
    assert_array_equal(loaded.predict_proba(X_TEST), model.predict_proba(X_TEST))


def test_polars_frames_are_read_and_given_back():
    polars = pytest.importorskip("polars", reason="needs polars")
    train, test = polars.from_pandas(X_TRAIN), polars.from_pandas(X_TEST)
    model = classifier().fit(train, polars.Series(Y_TRAIN))
    assert model[0].feature_names_in_.tolist() == train.columns
    expected = classifier().fit(X_TRAIN, Y_TRAIN).predict_proba(X_TEST)
    assert_allclose(model.predict_proba(test), expected)
    scaler = StandardScaler().set_output(transform="polars").fit(train)
    network = MLPClassifier((10,), **SHORT).fit(scaler.transform(train), Y_TRAIN)
    assert_array_equal(network.predict(scaler.transform(test)), model.predict(test))
