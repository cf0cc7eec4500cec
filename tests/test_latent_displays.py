"""Displays of autoencoders draw reconstructions, latents and what lies between them."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from sknn_basics import (
    Autoencoder,
    AutoencoderOutlierDetector,
    ConvAutoencoder,
    VariationalAutoencoder,
)
from sknn_basics.displays import (
    AnomalyMapDisplay,
    InterpolationDisplay,
    LatentBarsDisplay,
    LatentGridDisplay,
    LatentScatterDisplay,
    OutlierScoreDisplay,
    ReconstructionDisplay,
)
from sknn_basics.inspection import interpolate, latent_grid

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def digits(digits):
    X, y = digits
    return X[:200], y[:200]


@pytest.fixture(scope="module")
def pca(digits):
    return PCA(4).fit(digits[0])


@pytest.fixture(scope="module")
def plane(digits):
    return PCA(2).fit(digits[0])


@pytest.fixture(scope="module")
def scaled(digits):
    network = Autoencoder((16,), 2, max_iter=2, random_state=0)
    return make_pipeline(StandardScaler(), network).fit(digits[0])


def labels_of(axis):
    return [text.get_text() for text in axis.get_ticklabels()]


def pixels(picture):
    return np.asarray(picture.get_array())


# Reconstructions.


def test_images_are_above_their_reconstructions(digits, pca):
    X, _ = digits
    display = ReconstructionDisplay.from_estimator(pca, X, n_images=3)
    expected = np.clip(pca.inverse_transform(pca.transform(X[:3])), 0, 1)
    drawn = np.stack([pixels(picture) for picture in display.images_]).reshape(6, -1)
    np.testing.assert_allclose(drawn, np.concatenate([X[:3], expected]))
    lefts, _, bottoms, _ = np.transpose([picture.get_extent() for picture in display.images_])
    np.testing.assert_array_equal(lefts[:3], lefts[3:])
    assert (bottoms[3:] > bottoms[:3]).all()  # the axis points down
    assert labels_of(display.ax_.yaxis) == ["Image", "Reconstruction", "Difference"]


def test_differences_have_a_colour_bar_about_zero(digits, pca):
    X, _ = digits
    display = ReconstructionDisplay.from_estimator(pca, X, n_images=3)
    expected = (pca.inverse_transform(pca.transform(X[:3])) - X[:3]).reshape(3, 8, 8)
    for picture, values in zip(display.differences_, expected, strict=True):
        np.testing.assert_allclose(pixels(picture), values)
        assert picture.get_clim() == pytest.approx((-np.abs(expected).max(), abs(expected).max()))
    assert display.colorbar_.mappable is display.differences_[-1]


def test_differences_can_be_left_out(digits, pca):
    display = ReconstructionDisplay.from_estimator(pca, digits[0], difference=False)
    assert (display.differences_, display.colorbar_) == ([], None)
    assert labels_of(display.ax_.yaxis) == ["Image", "Reconstruction"]


def test_the_same_images_differ_nowhere(digits):
    X, _ = digits
    display = ReconstructionDisplay.from_predictions(X, X, n_images=2)
    assert all((pixels(picture) == 0).all() for picture in display.differences_)


def test_colours_differ_by_their_mean():
    images = np.random.default_rng(0).random((2, 4, 5, 3))
    display = ReconstructionDisplay.from_predictions(images, images[::-1])
    np.testing.assert_allclose(pixels(display.differences_[0]), (images[1] - images[0]).mean(-1))


def test_bytes_are_shown_as_bright_as_they_are():
    images = np.full((1, 4, 4), 128, np.uint8)
    display = ReconstructionDisplay.from_predictions(images, images + np.float32(10))
    before, after = (pixels(picture).mean() for picture in display.images_)
    assert before < after < 0.6
    assert pixels(display.differences_[0]).mean() == 10


def test_convolutional_autoencoders_and_pipelines_are_reconstructed(digits, scaled):
    images = digits[0].reshape(-1, 8, 8)
    network = ConvAutoencoder((4,), 2, max_iter=1, random_state=0).fit(images)
    assert len(ReconstructionDisplay.from_estimator(network, images).images_) == 20
    assert len(ReconstructionDisplay.from_estimator(scaled, digits[0]).images_) == 20


def test_reconstructions_of_another_shape_raise(digits):
    X, _ = digits
    with pytest.raises(ValueError, match=r"X_pred must have the shape of X.*\(4, 7, 7\)"):
        ReconstructionDisplay.from_predictions(X[:4], X[:4, :49])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ReconstructionDisplay.from_predictions(X[:20], X[:15])
    with pytest.raises(ValueError, match="Input X_pred contains NaN"):
        ReconstructionDisplay.from_predictions(X, X * np.nan)
    with pytest.raises(ValueError, match="n_images"):
        ReconstructionDisplay.from_predictions(X, X, n_images=0)


# Latents.


def test_bars_are_as_high_as_latents(digits, pca):
    X, _ = digits
    display = LatentBarsDisplay.from_estimator(pca, X, n_samples=3)
    heights = [[bar.get_height() for bar in bars] for bars in display.bars_]
    np.testing.assert_allclose(heights, pca.transform(X[:3]))
    assert len({ax.get_ylim() for ax in display.axes_}) == 1
    assert display.axes_[-1].get_xlabel() == "Latent"


def test_bars_take_given_axes(digits, pca):
    figure, axes = plt.subplots(1, 2)
    display = LatentBarsDisplay.from_estimator(pca, digits[0], n_samples=2, ax=axes)
    assert display.figure_ is figure
    with pytest.raises(ValueError, match="ax must be 3 axes, got 2"):
        display.from_latents(np.eye(3), ax=axes)


def test_images_are_beside_their_bars(digits, pca):
    X, _ = digits
    display = LatentBarsDisplay.from_estimator(pca, X, n_samples=2, show_images=True)
    drawn = np.stack([pixels(picture) for picture in display.images_])
    np.testing.assert_array_equal(drawn, X[:2].reshape(-1, 8, 8))
    display.figure_.canvas.draw()
    for bars, picture in zip(display.axes_, display.images_, strict=True):
        beside, own = bars.get_window_extent(), picture.axes.get_window_extent()
        assert own.x0 > beside.x1
        assert beside.y0 <= own.y0 < own.y1 <= beside.y1
        assert own.x1 <= display.figure_.bbox.x1


def test_bars_without_images_are_drawn_alone(digits, pca):
    display = LatentBarsDisplay.from_estimator(pca, digits[0])
    assert display.images_ == []
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LatentBarsDisplay.from_latents(np.eye(4), digits[0][:3], n_samples=2)


def test_latents_of_zero_are_drawn():
    display = LatentBarsDisplay.from_latents(np.zeros((1, 3)))
    assert [bar.get_height() for bar in display.bars_[0]] == [0, 0, 0]


def test_each_class_has_its_points_and_its_name(digits, pca):
    X, y = digits
    names = {0: "zero"}
    display = LatentScatterDisplay.from_estimator(pca, X, y, components=(1, -1), class_names=names)
    Z = pca.transform(X)[:, [1, 3]]
    for label, points in enumerate(display.points_):
        np.testing.assert_allclose(points.get_offsets(), Z[y == label])
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["zero", *map(str, range(1, 10))]
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("Latent 1", "Latent 3")
    assert display.circles_ == []


def test_numbers_are_colours_with_a_bar(pca, digits):
    X, _ = digits
    y = np.linspace(0.5, 2, len(X))
    display = LatentScatterDisplay.from_estimator(pca, X, y)
    (points,) = display.points_
    np.testing.assert_array_equal(points.get_array(), y)
    assert display.ax_.get_legend() is None
    assert len(display.figure_.axes) == 2


def test_points_without_labels_look_alike(pca, digits):
    (points,) = LatentScatterDisplay.from_estimator(pca, digits[0]).points_
    assert points.get_array() is None
    assert len(points.get_offsets()) == 200


def test_many_integers_are_numbers_and_many_strings_are_classes():
    Z, y = np.random.default_rng(0).random((60, 2)), np.arange(60) // 2
    assert len(LatentScatterDisplay.from_latents(Z, y).points_) == 1
    assert len(LatentScatterDisplay.from_latents(Z, y.astype(str)).points_) == 30


def test_many_classes_have_a_colour_each_and_a_legend_that_is_seen():
    labels = [f"_{number}" for number in range(45)]
    display = LatentScatterDisplay.from_latents(np.random.default_rng(0).random((45, 2)), labels)
    assert len({tuple(points.get_facecolor()[0]) for points in display.points_}) == 45
    legend = display.ax_.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == sorted(labels)
    display.figure_.canvas.draw()
    figure, drawn = display.figure_.bbox, legend.get_window_extent()
    assert figure.y0 <= drawn.y0 < drawn.y1 <= figure.y1


def test_circles_tell_where_the_unit_normal_is(digits):
    network = VariationalAutoencoder((8,), 2, max_iter=1, random_state=0).fit(digits[0])
    display = LatentScatterDisplay.from_estimator(network, digits[0], unit_normal=True)
    assert [circle.get_radius() for circle in display.circles_] == [1, 2, 3]
    assert display.ax_.get_aspect() == 1


def test_labels_of_another_number_raise(digits, pca):
    X, y = digits
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples"):
        LatentScatterDisplay.from_estimator(pca, X, y[1:])
    with pytest.raises(
        ValueError, match="components must be 2 different integers of 4 latent variables"
    ):
        LatentScatterDisplay.from_estimator(pca, X, y, components=(0, 4))


# What latents decode to.


def test_each_tile_of_a_grid_is_at_its_latents(plane):
    display = LatentGridDisplay.from_estimator(plane, n_steps=3, low=(-2, 0), high=(2, 4))
    images = latent_grid(plane, 3, low=(-2, 0), high=(2, 4)).reshape(3, 3, 8, 8)
    drawn = pixels(display.image_)
    span = max(1, images.max()) - min(0, images.min())
    np.testing.assert_allclose(
        drawn[:8, 16:], (images[0, 2] - min(0, images.min())) / span, atol=1e-7
    )
    assert drawn.shape == (24, 24)
    assert display.image_.get_extent() == [-3, 3, -1, 5]
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("Latent 0", "Latent 1")


def test_a_grid_keeps_the_shape_of_its_images():
    low_images = np.zeros((2, 2, 4, 8))
    display = LatentGridDisplay(images=low_images, low=(0, 0), high=(10, 1)).plot()
    left, right, bottom, top = display.image_.get_extent()
    shown_height = display.ax_.get_aspect() * (top - bottom)
    assert shown_height / (right - left) == pytest.approx(4 / 8)


def test_a_grid_goes_through_other_latents(pca):
    display = LatentGridDisplay.from_estimator(
        pca, n_steps=2, components=(2, 0), center=np.zeros(4)
    )
    assert display.ax_.get_xlabel() == "Latent 2"
    last = LatentGridDisplay.from_estimator(pca, components=(0, -1), center=np.zeros(4))
    assert last.ax_.get_ylabel() == "Latent 3"
    with pytest.raises(ValueError, match="components"):
        LatentGridDisplay.from_estimator(pca, components=(0, 9), center=np.zeros(4))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"low": 1, "high": 1}, "low and high must be finite and differ, got 1 and 1"),
        ({"low": (0, 1), "high": (2, 1)}, "low and high must be finite and differ"),
        ({"high": np.inf}, "low and high must be finite"),
        ({"low": (1, 2, 3)}, r"low must be a number or a pair of numbers, got \(1, 2, 3\)"),
        ({"high": "3"}, "high must be a number or a pair of numbers, got '3'"),
    ],
)
def test_a_grid_without_a_range_raises(plane, limits, message):
    with pytest.raises(ValueError, match=message):
        LatentGridDisplay.from_estimator(plane, **limits)


def test_strips_lead_from_one_image_to_another(digits, scaled):
    X, _ = digits
    display = InterpolationDisplay.from_estimator(scaled, X[:2], X[2:4], n_steps=3)
    expected = interpolate(scaled, X[:2], X[2:4], n_steps=3).reshape(6, 8, 8)
    low, high = min(0, expected.min()), max(1, expected.max())
    drawn = np.stack([pixels(picture) for picture in display.images_])
    np.testing.assert_allclose(drawn, (expected - low) / (high - low), rtol=1e-5, atol=1e-6)
    assert labels_of(display.ax_.xaxis) == ["0 %", "50 %", "100 %"]


def test_given_strips_are_drawn_row_by_row():
    images = np.random.default_rng(0).random((2, 3, 4, 5))
    rows = images.reshape(2, 3, 20)
    for display in (
        InterpolationDisplay.from_predictions(images),
        InterpolationDisplay.from_predictions(rows, image_shape=(4, 5)),
    ):
        drawn = np.stack([pixels(picture) for picture in display.images_])
        np.testing.assert_array_equal(drawn, images.reshape(6, 4, 5))
        tops = [picture.get_extent()[3] for picture in display.images_]
        assert tops[0] == tops[2] < tops[3] == tops[5]


@pytest.mark.parametrize("shape", [(3, 64), (2, 1, 64)])
def test_what_is_no_strip_raises(shape):
    with pytest.raises(ValueError, match=r"X must be of shape \(n_pairs, n_steps, ...\)"):
        InterpolationDisplay.from_predictions(np.zeros(shape))


def test_pairs_that_do_not_match_raise(digits, scaled):
    X, _ = digits
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        InterpolationDisplay.from_estimator(scaled, X[:2], X[:3])
    with pytest.raises(ValueError, match="n_steps"):
        InterpolationDisplay.from_estimator(scaled, X[:2], X[:2], n_steps=1)


def test_what_is_no_image_raises(digits):
    model = make_pipeline(MinMaxScaler(), PCA(2)).fit(digits[0][:, :10])
    with pytest.raises(ValueError, match="image_shape"):
        LatentGridDisplay.from_estimator(model)
    display = LatentGridDisplay.from_estimator(model, n_steps=2, image_shape=(2, 5))
    assert pixels(display.image_).shape == (4, 10)


# Outliers.


@pytest.fixture(scope="module")
def detector(digits):
    return AutoencoderOutlierDetector(contamination=0.05, random_state=0).fit(digits[0])


def test_scores_are_counted_on_both_sides_of_the_threshold(digits, detector):
    X, _ = digits
    labels = np.where(detector.predict(X) == -1, "odd", "usual")
    edges = [-1e9, detector.offset_, 1]
    display = OutlierScoreDisplay.from_estimator(detector, X, labels, bins=edges)
    assert {name: counts.tolist() for name, counts in display.counts_.items()} == {
        "odd": [10, 0],
        "usual": [0, 190],
    }
    assert display.line_.get_xdata()[0] == detector.offset_
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert names == ["odd", "usual", f"threshold {detector.offset_:.3g}"]


def test_scores_of_an_autoencoder_have_no_threshold(digits, scaled):
    display = OutlierScoreDisplay.from_estimator(scaled, digits[0], bins=7)
    assert display.line_ is None
    assert display.counts_[None].sum() == 200


def test_scores_far_below_all_others_are_counted_in_the_first_bin():
    scores = np.r_[-1e6, np.linspace(0, 1, 101)]
    display = OutlierScoreDisplay.from_predictions(scores, bins=21, threshold=-0.5)
    counts = display.counts_[None]
    assert counts[0] == 1
    assert counts.sum() == 102
    assert display.ax_.get_xlim()[0] > -20


def test_an_anomaly_map_is_brightest_where_an_image_was_damaged(digits, detector):
    damaged = digits[0][:4].reshape(-1, 8, 8).copy()
    masks = np.zeros(damaged.shape, dtype=np.uint8)
    masks[:2, 3:6, :2] = 1
    damaged[:2, 3:6, :2] = 40
    rows = damaged.reshape(4, -1)
    display = AnomalyMapDisplay.from_estimator(detector, rows, masks)
    for picture, mask in zip(display.maps_[:2], masks):
        assert mask[np.unravel_index(pixels(picture).argmax(), (8, 8))] == 1
    assert [axes.get_title() for axes in display.axes_[:2]] == ["outlier"] * 2
    assert [len(axes.collections) for axes in display.axes_] == [1, 1, 0, 0] * 2
    assert len({picture.get_clim() for picture in display.maps_}) == 1


def test_an_anomaly_map_is_of_grey_even_if_the_image_has_colours():
    X = np.random.RandomState(0).uniform(size=(6, 8, 8, 3))
    network = ConvAutoencoder((3,), 2, max_iter=1, random_state=0).fit(X)
    display = AnomalyMapDisplay.from_estimator(network, X, n_images=2)
    error = np.square(network.reconstruct(X[:2]) - X[:2]).mean(axis=-1)
    np.testing.assert_allclose(display.errors, error, rtol=1e-6)
    assert display.axes_[0].get_title() == ""


def test_masks_have_the_size_of_images(digits, detector):
    with pytest.raises(ValueError, match=r"masks must have shape \(2, 8, 8\).* got \(2, 4, 4\)"):
        AnomalyMapDisplay.from_estimator(detector, digits[0], np.zeros((2, 4, 4)), n_images=2)
