"""Saliency, counterfactuals and drift, and gradients of layers."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.inspection import permutation_importance
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from sknn_basics import ConvNetClassifier, MLPClassifier, MLPRegressor, RNNClassifier
from sknn_basics.displays import CounterfactualDisplay, SaliencyDisplay
from sknn_basics.inspection import counterfactual, drift, layer_gradient, saliency

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

DIGITS = load_digits()
IMAGES = DIGITS.images / 16
CANCER = load_breast_cancer(as_frame=True)
X_CANCER, Y_CANCER = CANCER.data, CANCER.target
NEEDS_CAPTUM = "needs captum, of the extra 'explain'"


@pytest.fixture(scope="module")
def convnet():
    model = ConvNetClassifier(filters=(16, 32), max_iter=20, random_state=0)
    return model.fit(IMAGES, DIGITS.target)


@pytest.fixture(scope="module")
def cancer():
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(max_iter=100, random_state=0))
    return pipeline.fit(X_CANCER, Y_CANCER)


def logits(model, X):
    with torch.no_grad():
        return model.module_(torch.tensor(X, dtype=torch.float32)).numpy()


def test_the_gradient_of_a_linear_model_is_its_weights():
    X, y = load_iris(return_X_y=True)
    model = MLPClassifier((), max_iter=20, random_state=0).fit(X, y)
    np.testing.assert_allclose(
        saliency(model, X, 2), np.tile(model.coefs_[0][:, 2], (150, 1)), rtol=1e-6
    )
    binary = MLPClassifier((), max_iter=20, random_state=0).fit(X[:100], y[:100])
    weights = binary.coefs_[0][:, 0]
    np.testing.assert_allclose(saliency(binary, X[:5], 1), np.tile(weights, (5, 1)), rtol=1e-6)
    np.testing.assert_allclose(saliency(binary, X[:5], 0), np.tile(-weights, (5, 1)), rtol=1e-6)
    pipeline = make_pipeline(StandardScaler(), MLPClassifier((), max_iter=20, random_state=0))
    pipeline.fit(X, y)
    expected = pipeline[-1].coefs_[0][:, 1] / pipeline[0].scale_
    np.testing.assert_allclose(saliency(pipeline, X[:5], 1), np.tile(expected, (5, 1)), rtol=1e-6)


def test_the_gradient_times_the_input_of_a_linear_regression_adds_up():
    X, y = load_diabetes(return_X_y=True)
    model = MLPRegressor(hidden_layer_sizes=(), max_iter=20, random_state=0).fit(X, y)
    found = saliency(model, X, method="input_x_gradient", baseline=X.mean(axis=0))
    difference = model.predict(X) - model.predict(X.mean(axis=0)[None])
    np.testing.assert_allclose(found.sum(axis=1), difference, rtol=1e-6, atol=1e-6)


def test_integrated_gradients_are_complete(convnet):
    pytest.importorskip("captum", reason=NEEDS_CAPTUM)
    X = IMAGES[:50]
    found = saliency(convnet, X, method="integrated", n_steps=300)
    own = convnet.predict(X)
    difference = (logits(convnet, X) - logits(convnet, 0 * X))[range(50), own]
    error = np.abs(found.sum(axis=(1, 2)) - difference) / np.abs(difference)
    assert error.max() < 0.01


def test_integrated_gradients_are_those_of_captum(convnet):
    captum = pytest.importorskip("captum.attr", reason=NEEDS_CAPTUM)
    X = torch.tensor(IMAGES[:10], dtype=torch.float32)
    classes = torch.tensor(DIGITS.target[:10])
    expected = captum.IntegratedGradients(convnet.module_).attribute(X, target=classes, n_steps=50)
    found = saliency(convnet, IMAGES[:10], DIGITS.target[:10], method="integrated")
    np.testing.assert_allclose(found, expected.numpy(force=True), atol=1e-5)


def test_layer_activations_are_those_of_captum(convnet):
    captum = pytest.importorskip("captum.attr", reason=NEEDS_CAPTUM)
    from sknn_basics.inspection import activations

    X = torch.tensor(IMAGES[:10], dtype=torch.float32)
    for name in ("block1_conv1", "block2_conv1_activation", "hidden1"):
        layer = convnet.module_.get_submodule(name)
        expected = captum.LayerActivation(convnet.module_, layer).attribute(X).numpy(force=True)
        expected = np.moveaxis(expected, 1, -1)
        np.testing.assert_allclose(activations(convnet, IMAGES[:10], name)[name], expected)


def test_grad_cam_is_zero_or_more_and_of_the_images_shape(convnet):
    captum = pytest.importorskip("captum.attr", reason=NEEDS_CAPTUM)
    found = saliency(convnet, IMAGES[:10], 3, method="grad_cam", layer="block1_conv1")
    cam = captum.LayerGradCam(convnet.module_, convnet.module_.block1_conv1_activation)
    X = torch.tensor(IMAGES[:10], dtype=torch.float32)
    heat = cam.attribute(X, target=3, relu_attributions=True)
    expected = torch.nn.functional.interpolate(heat, (8, 8), mode="bilinear")[:, 0]
    np.testing.assert_allclose(found, expected.numpy(force=True), atol=1e-5)
    assert found.min() >= 0
    model = MLPClassifier(3, max_iter=1).fit(IMAGES.reshape(-1, 64), DIGITS.target)
    with pytest.raises(ValueError, match="network of images"):
        saliency(model, IMAGES.reshape(-1, 64), method="grad_cam")


def test_smooth_gradients_of_a_linear_model_are_its_gradients():
    X, y = load_iris(return_X_y=True)
    model = MLPClassifier((), max_iter=5, random_state=0).fit(X, y)
    smooth = saliency(model, X, 1, method="smooth", n_steps=3, random_state=0)
    np.testing.assert_allclose(smooth, saliency(model, X, 1), rtol=1e-6)


def test_a_step_that_is_not_linear_is_named():
    model = make_pipeline(
        QuantileTransformer(n_quantiles=20), MLPClassifier(3, max_iter=1, random_state=0)
    ).fit(X_CANCER, Y_CANCER)
    with pytest.raises(
        ValueError, match="'quantiletransformer', QuantileTransformer, is not linear"
    ):
        saliency(model, X_CANCER)
    with pytest.raises(
        ValueError, match="'quantiletransformer', QuantileTransformer, is not linear"
    ):
        counterfactual(model, X_CANCER)


def test_an_output_must_be_chosen_of_several():
    X, y = load_diabetes(return_X_y=True)
    model = MLPRegressor(hidden_layer_sizes=3, max_iter=1, random_state=0)
    model.fit(X, np.stack([y, -y], axis=1))
    assert saliency(model, X[:2], 1).shape == (2, 10)
    with pytest.raises(ValueError, match="2 outputs: choose one"):
        saliency(model, X[:2])


def test_sequences_have_gradients_too():
    model = RNNClassifier(4, max_iter=1, random_state=0).fit(IMAGES, DIGITS.target)
    found = saliency(model, IMAGES[:3])
    assert found.shape == (3, 8, 8)
    assert np.abs(found).min(axis=(1, 2)).max() > 0


def test_sequences_with_their_features_first_have_gradients_in_their_layout():
    X = np.moveaxis(IMAGES[:, :5], 1, 2)
    first = RNNClassifier(4, data_format="channels_first", max_iter=1, random_state=0)
    last = RNNClassifier(4, max_iter=1, random_state=0)
    first.fit(X, DIGITS.target)
    last.fit(IMAGES[:, :5], DIGITS.target)
    found, expected = saliency(first, X[:3], 1), saliency(last, IMAGES[:3, :5], 1)
    np.testing.assert_allclose(np.moveaxis(found, 1, 2), expected, rtol=1e-4, atol=1e-7)


def test_gradients_of_a_layer_are_those_of_a_chain_by_hand():
    X, y = load_iris(return_X_y=True)
    model = MLPClassifier(5, max_iter=20, random_state=0).fit(X, y)
    found = layer_gradient(model, X, ["hidden1", "hidden1_activation"], target=2)
    weights = model.coefs_[1][:, 2]
    hidden = X @ model.coefs_[0] + model.intercepts_[0]
    np.testing.assert_allclose(found["hidden1_activation"], np.tile(weights, (150, 1)), rtol=1e-6)
    np.testing.assert_allclose(found["hidden1"], weights * (hidden > 0), rtol=1e-6)
    assert layer_gradient(model, X, "hidden1")["hidden1"].shape == (150, 5)


def test_gradients_of_maps_have_the_layout_of_X(convnet):
    found = layer_gradient(convnet, IMAGES[:5], "block1_conv1", DIGITS.target[:5])
    assert found["block1_conv1"].shape == (5, 4, 4, 16)


def test_counterfactuals_flip_all_with_few_columns(cancer):
    fixed = ["mean radius", "mean texture"]
    found = counterfactual(cancer, X_CANCER, immutable=fixed)
    assert found.success.all()
    flipped = cancer.predict(found.X_counterfactual) != cancer.predict(X_CANCER)
    assert flipped.all()
    assert np.median(found.n_changed) <= 5
    pd.testing.assert_frame_equal(found.X_counterfactual[fixed], X_CANCER[fixed])
    changed = (found.X_counterfactual != X_CANCER).sum(axis=1)
    np.testing.assert_array_equal(changed, found.n_changed)
    assert (found.X_counterfactual >= X_CANCER.min() - 1e-4).all(axis=None)
    assert (found.X_counterfactual <= X_CANCER.max() * (1 + 1e-6) + 1e-4).all(axis=None)


def test_a_counterfactual_is_as_near_as_a_linear_model_allows():
    X = StandardScaler().fit_transform(X_CANCER)
    model = MLPClassifier((), max_iter=100, random_state=0).fit(X, Y_CANCER)
    weights = model.coefs_[0][:, 0]
    value = X @ weights + model.intercepts_[0][0]
    found = counterfactual(model, X)
    one = found.n_changed == 1
    nearest = np.abs(value[one]) / np.abs(found.change[one] != 0).dot(np.abs(weights))
    assert one.sum() > 100
    np.testing.assert_allclose(np.abs(found.change[one]).max(axis=1), nearest, rtol=1e-2)


def test_whole_numbers_and_bounds_hold(cancer):
    X = X_CANCER.iloc[:40].round()
    first, second = "worst area", "mean perimeter"
    bounds = {first: (0.0, 5000.0), second: (X[second].min(), X[second].max())}
    found = counterfactual(
        cancer, X, integer=[first, 3], bounds=bounds, reference=X_CANCER.round(0)
    )
    table = found.X_counterfactual
    np.testing.assert_array_equal(table[first], table[first].round())
    np.testing.assert_array_equal(table.iloc[:, 3], table.iloc[:, 3].round())
    assert table[second].between(*bounds[second]).all()
    flipped = cancer.predict(table) != cancer.predict(X)
    np.testing.assert_array_equal(flipped, found.success)
    assert found.success.mean() > 0.8


def test_a_dense_change_is_smaller_and_of_more_columns(cancer):
    X = X_CANCER.iloc[:40]
    sparse, dense = (counterfactual(cancer, X, sparse=s, reference=X_CANCER) for s in (True, False))
    assert dense.success.all()
    assert np.median(dense.n_changed) > np.median(sparse.n_changed)
    sizes = [np.linalg.norm(r.change / X_CANCER.std(), axis=1) for r in (sparse, dense)]
    assert np.median(sizes[1]) < np.median(sizes[0])


def test_a_target_of_several_classes_is_reached():
    X, y = load_iris(return_X_y=True)
    model = MLPClassifier(20, max_iter=200, random_state=0).fit(X, y)
    found = counterfactual(model, X, 2)
    np.testing.assert_array_equal(model.predict(found.X_counterfactual[found.success]), 2)
    assert found.success.mean() > 0.9
    own = model.predict(X) == 2
    np.testing.assert_array_equal(found.X_counterfactual[own], X[own])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"immutable": ["shoe size"]}, "no column 'shoe size'"),
        ({"integer": [30]}, "no column 30"),
        ({"bounds": {"mean radius": (0.0, 1.0)}}, "'mean radius'.*leave out"),
        ({"target": 7}, "target has .*7"),
        ({"reference": np.zeros((3, 2))}, "30 columns, got 2"),
    ],
)
def test_bad_arguments_are_named(cancer, options, text):
    with pytest.raises(ValueError, match=text):
        counterfactual(cancer, X_CANCER.iloc[:5], **options)


def test_where_all_columns_are_fixed_nothing_is_found(cancer):
    found = counterfactual(cancer, X_CANCER.iloc[:5], immutable=list(X_CANCER))
    assert not found.success.any()
    pd.testing.assert_frame_equal(found.X_counterfactual, X_CANCER.iloc[:5])


def test_permutation_importance_of_scikit_learn_takes_a_network():
    X, y = load_iris(return_X_y=True)
    model = MLPClassifier(10, max_iter=200, random_state=0).fit(X, y)
    found = permutation_importance(model, X, y, n_repeats=3, random_state=0)
    assert found.importances_mean[2] > 5 * found.importances_mean[0]


def test_drift_is_found_where_it_is():
    rng = np.random.RandomState(0)
    before, after = rng.normal(size=(300, 5)), rng.normal(size=(200, 5))
    assert not drift(before, after).drifted.any()
    after[:, 3] += 1
    np.testing.assert_array_equal(drift(before, after).drifted, np.arange(5) == 3)


def test_drift_of_labels_is_found_by_name():
    before = pd.DataFrame({"size": np.arange(200.0), "colour": ["red", "blue"] * 100})
    after = pd.DataFrame({"size": np.arange(200.0), "colour": ["red"] * 190 + ["green"] * 10})
    found = drift(before, after)
    assert found.names == ["size", "colour"]
    np.testing.assert_array_equal(found.drifted, [False, True])
    with pytest.raises(ValueError, match="2 columns, X_new has 1"):
        drift(before, after[["size"]])
    with pytest.raises(ValueError, match="no rows"):
        drift(before, after.iloc[:0])


def test_saliency_and_counterfactuals_are_drawn(convnet, cancer):
    display = SaliencyDisplay.from_estimator(convnet, IMAGES[:3])
    np.testing.assert_array_equal(display.importance, saliency(convnet, IMAGES[:3]))
    assert [axes.get_title() for axes in display.axes_[:3]] == [
        str(c) for c in convnet.predict(IMAGES[:3])
    ]
    display = CounterfactualDisplay.from_estimator(cancer, X_CANCER.iloc[:1], reference=X_CANCER)
    assert set(display.names) <= set(X_CANCER)
    with pytest.raises(ValueError, match="one row"):
        CounterfactualDisplay.from_estimator(cancer, X_CANCER, reference=X_CANCER)
