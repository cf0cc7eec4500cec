"""Tensors in, tensors out, where scikit-learn's array API asks for it.

SciPy decides when it is imported whether it takes part, so that each test has a process of its own.
"""

import os
import subprocess
import sys
import textwrap

import pytest

BEGIN = """
import warnings
import numpy as np
import sklearn
import torch
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_predict, cross_val_score
from sknn_basics import Autoencoder, MLPClassifier, MLPRegressor, RNNClassifier

warnings.simplefilter("ignore")
X, y = load_iris(return_X_y=True)
tensors = torch.tensor(X), torch.tensor(y)
classifier = MLPClassifier((8,), max_iter=20, random_state=0)
"""


def run(code: str) -> None:
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    command = [sys.executable, "-c", BEGIN + textwrap.dedent(code)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_predictions_across_folds_are_tensors():
    run("""
    expected = cross_val_predict(classifier, X, y, cv=3)
    with sklearn.config_context(array_api_dispatch=True):
        predicted = cross_val_predict(classifier, *tensors, cv=3)
        probability = classifier.fit(*tensors).predict_proba(tensors[0])
    assert isinstance(predicted, torch.Tensor)
    np.testing.assert_array_equal(predicted.numpy(), expected)
    assert isinstance(probability, torch.Tensor)
    np.testing.assert_array_equal(probability.numpy(), classifier.predict_proba(X))
    """)


@pytest.mark.slow
def test_each_family_answers_in_kind():
    run("""
    with sklearn.config_context(array_api_dispatch=True):
        regressor = MLPRegressor(hidden_layer_sizes=(4,), max_iter=3).fit(tensors[0], tensors[1])
        assert isinstance(regressor.predict(tensors[0]), torch.Tensor)
        assert isinstance(regressor.score(*tensors), float)
        coder = Autoencoder((4,), 2, max_iter=3).fit(tensors[0])
        latents = coder.transform(tensors[0])
        assert isinstance(coder.inverse_transform(latents), torch.Tensor)
        recurrent = RNNClassifier((3,), max_iter=2).fit(*tensors)
        assert isinstance(recurrent.predict_proba(tensors[0]), torch.Tensor)
        assert recurrent.predict(X).dtype == y.dtype  # arrays give arrays
        assert 0 <= cross_val_score(classifier, *tensors, cv=2).mean() <= 1
    """)


@pytest.mark.slow
def test_tensors_give_arrays_where_nobody_asks():
    run("""
    assert isinstance(classifier.fit(*tensors).predict(tensors[0]), np.ndarray)
    with sklearn.config_context(array_api_dispatch=True):
        names = np.array(["a", "b", "c"])[y]
        named = MLPClassifier((8,), max_iter=5).fit(tensors[0], names)
        assert named.predict(tensors[0]).dtype.kind in "OU"
    """)
