"""A fitted network shows its layers where scikit-learn shows estimators in HTML."""

import re
from html import unescape

import numpy as np
import pytest
import torch
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr
from torch import nn

from sknn_basics import ConvNetClassifier, MLPClassifier, RNNClassifier

ROW = re.compile(r"<tr>((?:<td>[^<]*</td>)+)</tr>")


def layers_shown(estimator):
    """Read the rows of all tables of layers."""
    _, *tables = estimator_html_repr(estimator).split("<summary>Layers</summary>")
    return [
        [unescape(cell) for cell in re.findall(r"<td>([^<]*)</td>", row)]
        for table in tables
        for row in ROW.findall(table.split("</table>")[0])
    ]


@pytest.fixture(scope="module")
def network(iris):
    return MLPClassifier((5,), max_iter=2, random_state=0).fit(*iris)


def test_a_fitted_network_shows_its_layers(network):
    assert layers_shown(network) == [
        ["hidden1", "Linear", "(None, 5)", "ReLU", "25"],
        ["output", "Linear", "(None, 3)", "", "18"],
    ]


def test_scikit_learn_s_own_tables_stay(network):
    html = estimator_html_repr(network)
    positions = [html.index(f"<summary>{name}") for name in ("Parameters", "Fitted", "Layers")]
    assert positions == sorted(positions)
    assert "best_loss_" in html


def test_totals_tell_trainable_and_frozen_parameters(iris):
    network = MLPClassifier((5,), frozen_layers="hidden1").initialize(*iris)
    html = estimator_html_repr(network)
    assert "trainable parameters: 18, frozen parameters: 25" in html


def test_an_unfitted_network_shows_no_layers():
    assert layers_shown(MLPClassifier()) == []
    assert layers_shown(make_pipeline(StandardScaler(), MLPClassifier())) == []


def test_a_network_in_a_pipeline_shows_its_layers(iris, network):
    pipeline = make_pipeline(StandardScaler(), MLPClassifier((5,), max_iter=2)).fit(*iris)
    assert layers_shown(pipeline) == layers_shown(network)
    assert pipeline._repr_html_().count("<summary>Layers</summary>") == 1


def test_the_best_network_of_a_search_shows_its_layers(iris, network):
    search = GridSearchCV(MLPClassifier((5,), max_iter=2), {"alpha": [0.1]}, cv=2).fit(*iris)
    assert layers_shown(search) == layers_shown(network)


def test_a_fitted_ensemble_shows_the_unfitted_networks_that_it_was_given(iris, network):
    members = [("a", MLPClassifier((5,), max_iter=2)), ("b", MLPClassifier((5,), max_iter=2))]
    ensemble = VotingClassifier(members).fit(*iris)
    assert estimator_html_repr(ensemble).count("MLPClassifier") > 1
    assert layers_shown(ensemble) == []
    assert layers_shown(ensemble.estimators_[1]) == layers_shown(network)


def test_names_of_layers_are_escaped(digits):
    class Evil(nn.Module):
        def forward(self, x):
            return x

    Evil.__name__ = "<script>alert('x')</script>"
    X, y = digits[0][:40], digits[1][:40]
    network = ConvNetClassifier(features=Evil(), max_iter=1).fit(X, y)
    html = estimator_html_repr(network)
    assert "<script>alert" not in html
    assert "<script>alert('x')</script>" in [row[1] for row in layers_shown(network)]


def test_showing_a_network_changes_nothing(iris):
    X, y = iris
    network = RNNClassifier(
        (3,), stateful=True, batch_size=10, max_iter=2, dropout=0.5, random_state=0
    ).fit(X, y)
    expected = network.predict_proba(X[:20])
    network.reset_states()
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    estimator_html_repr(network)
    np.testing.assert_array_equal(network.predict_proba(X[:20]), expected)
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
