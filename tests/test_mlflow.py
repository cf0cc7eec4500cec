"""The recipe of the user guide for MLflow, with a local folder."""

import numpy as np
import pytest
import skops.io
from skorch.callbacks import MlflowLogger

from sknn_basics import MLPClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def mlflow(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("mlflow.sklearn")
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    mlflow.set_experiment("test")
    yield mlflow
    mlflow.set_tracking_uri(before)


@pytest.mark.filterwarnings("ignore")
def test_mlflow_records_every_epoch_and_loads_the_model(mlflow, iris):
    X, _ = iris
    model = MLPClassifier(max_iter=5, random_state=0, callbacks=[MlflowLogger()])
    with mlflow.start_run() as run:
        model.fit(*iris).set_params(callbacks=None)
        trusted = skops.io.get_untrusted_types(data=skops.io.dumps(model))
        logged = mlflow.sklearn.log_model(model, name="model", skops_trusted_types=trusted)
    assert trusted == ["sknn_basics.estimators.dense.MLPClassifier"]
    losses = mlflow.MlflowClient().get_metric_history(run.info.run_id, "train_loss")
    assert [metric.value for metric in losses] == model.loss_curve_
    loaded = mlflow.sklearn.load_model(logged.model_uri)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
