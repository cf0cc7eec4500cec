"""Displays of images and predictions show the right image under the right label."""

import numpy as np
import pytest
from matplotlib.colors import same_color
from scipy.sparse import csr_array
from sklearn.datasets import load_sample_image
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import confusion_matrix

from sknn_basics import MLPClassifier
from sknn_basics.displays import (
    ClassSamplesDisplay,
    ErrorCountDisplay,
    ErrorGalleryDisplay,
    PredictionGridDisplay,
    TopProbabilitiesDisplay,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(scope="module")
def weak(digits):
    """A classifier of few samples, which errs often."""
    return LogisticRegression(C=0.01).fit(digits[0][:60], digits[1][:60])


@pytest.fixture(scope="module")
def network(digits):
    return MLPClassifier((20,), max_iter=5, tol=10, random_state=0).fit(*digits)


@pytest.fixture
def photos():
    """Four colour photos of 8 x 12 pixels, bytes."""
    return load_sample_image("flower.jpg")[200:232, 300:312].reshape(4, 8, 12, 3)


def pixels(pictures):
    return [np.asarray(picture.get_array()) for picture in pictures]


def tick_labels(axis):
    return [text.get_text() for text in axis.get_ticklabels()]


# Grid.


def test_each_tile_is_an_image_with_its_prediction(digits, weak):
    X, y = digits
    display = PredictionGridDisplay.from_estimator(weak, X[60:], y[60:], n_images=30)
    np.testing.assert_array_equal(pixels(display.images_), X[60:90].reshape(-1, 8, 8))
    predicted = weak.predict(X[60:90])
    for text, true, guess in zip(display.texts_, y[60:90], predicted):
        assert text.get_text() == (f"{guess}" if true == guess else f"{guess} ({true})")
        assert text.get_color() == ("tab:green" if true == guess else "tab:red")
    assert 0 < np.mean(predicted == y[60:90]) < 1


def test_a_caption_is_above_its_own_tile(digits, weak):
    display = PredictionGridDisplay.from_estimator(weak, *digits, n_images=7, n_columns=3)
    for picture, text in zip(display.images_, display.texts_):
        left, right, bottom, top = picture.get_extent()
        x, y = text.get_position()
        assert left < x < right
        assert y < top < bottom
    assert len({picture.get_extent()[0] for picture in display.images_}) == 3


def test_tiles_lie_apart_and_inside_the_axes(digits, weak):
    display = PredictionGridDisplay.from_estimator(weak, *digits, n_images=9)
    (x_low, x_high), (y_high, y_low) = display.ax_.get_xlim(), display.ax_.get_ylim()
    corners = set()
    for picture in display.images_:
        left, right, bottom, top = picture.get_extent()
        assert x_low <= left < right <= x_high
        assert y_low <= top < bottom <= y_high
        corners.add((left, top))
    assert len(corners) == 9


def test_fewer_images_than_asked_for_are_all_shown(digits, weak):
    X, y = digits
    display = PredictionGridDisplay.from_estimator(weak, X[:3], y[:3])
    assert len(display.images_) == 3


def test_colour_images_keep_colours(photos):
    display = PredictionGridDisplay.from_predictions(photos, list("abcd"), list("abca"))
    np.testing.assert_allclose(pixels(display.images_), photos / 255)
    assert [text.get_text() for text in display.texts_] == ["a", "b", "c", "a (d)"]


def test_channels_first_images_are_the_same(photos):
    first = np.moveaxis(photos, -1, 1)
    display = PredictionGridDisplay.from_predictions(
        first, [0] * 4, [0] * 4, data_format="channels_first"
    )
    np.testing.assert_allclose(pixels(display.images_), photos / 255)


@pytest.mark.parametrize("kind", [list, csr_array])
def test_rows_are_images_of_the_shape_given(kind):
    X = np.arange(24.0).reshape(2, 12) / 24
    display = PredictionGridDisplay.from_predictions(kind(X), [0, 1], [0, 1], image_shape=(3, 4))
    np.testing.assert_array_equal(pixels(display.images_), X.reshape(2, 3, 4))


def test_a_frame_of_pixels_is_shown(digits):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(digits[0][:9], index=list("abcdefghi"))
    labels = pd.Series(digits[1][:9], index=frame.index)
    display = PredictionGridDisplay.from_predictions(frame, labels, labels)
    np.testing.assert_array_equal(pixels(display.images_), digits[0][:9].reshape(-1, 8, 8))


def test_classes_may_have_names(digits):
    X, y = digits
    names = {0: "zero", 1: "one"}
    display = PredictionGridDisplay.from_predictions(X[:3], y[:3], [0, 0, 2], class_names=names)
    assert [text.get_text() for text in display.texts_] == ["zero", "zero (one)", "2"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": np.zeros((2, 5))}, r"Rows of 5 pixels need an image_shape of as many, got \(2, 2\)"),
        ({"X": np.zeros((2, 4, 4, 2))}, "grey or of three colours"),
        ({"X": np.full((2, 4), np.nan)}, "NaN"),
        ({"y_pred": [0]}, "inconsistent numbers of samples"),
        ({"n_images": 0}, "n_images must be an integer > 0"),
        ({"n_columns": 0}, "n_columns must be an integer > 0"),
    ],
)
def test_what_cannot_be_a_grid_raises(change, message):
    given = {"X": np.zeros((2, 4)), "y_true": [0, 1], "y_pred": [0, 1]} | change
    with pytest.raises(ValueError, match=message):
        PredictionGridDisplay.from_predictions(**given)


# Samples.


def test_each_row_holds_images_of_one_class(digits):
    X, y = digits
    display = ClassSamplesDisplay.from_data(X, y, n_per_class=3)
    assert tick_labels(display.ax_.yaxis) == list("0123456789")
    tops = [picture.get_extent()[3] for picture in display.images_]
    rows = np.unique(tops, return_inverse=True)[1]
    for row, picture in zip(rows, pixels(display.images_)):
        assert any(np.array_equal(picture, image.reshape(8, 8)) for image in X[y == row][:3])
    assert np.bincount(rows).tolist() == [3] * 10


def test_a_class_of_fewer_samples_has_a_shorter_row():
    X, y = np.zeros((5, 2, 2)), ["b", "a", "b", "b", "b"]
    display = ClassSamplesDisplay.from_data(X, y, n_per_class=3, class_names={"a": "rare"})
    assert len(display.images_) == 4
    assert tick_labels(display.ax_.yaxis) == ["rare", "b"]


def test_no_sample_raises():
    with pytest.raises(ValueError, match="There is no sample to show"):
        ClassSamplesDisplay.from_data(np.zeros((0, 2, 2)), [])


# Errors.


def test_counts_are_those_of_scikit_learn_off_the_diagonal(digits, weak):
    X, y = digits
    display = ErrorCountDisplay.from_estimator(weak, X, y)
    expected = confusion_matrix(y, weak.predict(X))
    np.testing.assert_array_equal(display.confusion_matrix, expected)
    drawn = display.im_.get_array()
    np.testing.assert_array_equal(drawn.mask, np.eye(10, dtype=bool))
    np.testing.assert_array_equal(drawn.filled(-1)[~drawn.mask], expected[~drawn.mask])


def test_the_most_frequent_error_has_the_strongest_colour(digits, weak):
    display = ErrorCountDisplay.from_estimator(weak, *digits)
    off_diagonal = display.confusion_matrix[~np.eye(10, dtype=bool)]
    assert display.im_.get_clim() == (0, off_diagonal.max())


def test_right_predictions_have_no_text(digits, weak):
    display = ErrorCountDisplay.from_estimator(weak, *digits)
    texts = np.vectorize(lambda text: text.get_text())(display.text_)
    assert set(texts.diagonal()) == {""}
    assert texts[8, 1] == str(display.confusion_matrix[8, 1])


def test_shares_of_a_class_are_shares_of_all_its_samples():
    y_true, y_pred = ["a", "a", "a", "a", "b"], ["a", "a", "a", "b", "b"]
    display = ErrorCountDisplay.from_predictions(y_true, y_pred, normalize="true")
    assert display.im_.get_array()[0, 1] == 0.25


def test_each_cell_holds_an_error_of_its_classes(digits, weak):
    X, y = digits
    display = ErrorGalleryDisplay.from_estimator(weak, X, y)
    predicted = weak.predict(X)
    pairs = {(true, guess) for true, guess in zip(y, predicted) if true != guess}
    assert set(display.images_) == pairs
    for (true, guess), picture in display.images_.items():
        candidates = X[(y == true) & (predicted == guess)].reshape(-1, 8, 8)
        assert any(np.array_equal(picture.get_array(), image) for image in candidates)


def test_rows_are_true_and_columns_predicted_labels(digits, weak):
    display = ErrorGalleryDisplay.from_estimator(weak, *digits)
    rows, columns = tick_labels(display.ax_.yaxis), tick_labels(display.ax_.xaxis)
    assert rows == columns == list("0123456789")
    for (true, guess), picture in display.images_.items():
        left, right, bottom, top = picture.get_extent()
        assert left < display.ax_.get_xticks()[guess] < right
        assert top < display.ax_.get_yticks()[true] < bottom


def test_the_surest_error_is_shown():
    X = np.arange(4.0).reshape(4, 1, 1) / 3
    options = {"y_true": [0, 0, 0, 1], "y_pred": [1, 1, 1, 1]}
    sure = ErrorGalleryDisplay.from_predictions(X, **options, confidence=[0.5, 0.9, 0.7, 1])
    assert sure.images.ravel() == X[1]
    first = ErrorGalleryDisplay.from_predictions(X, **options)
    assert first.images.ravel() == X[0]


def test_a_classifier_without_probabilities_has_a_gallery(digits):
    X, y = digits
    classifier = RidgeClassifier(alpha=1e3).fit(X[:60], y[:60])
    display = ErrorGalleryDisplay.from_estimator(classifier, X, y)
    wrong = np.flatnonzero(classifier.predict(X) != y)
    pair = (y[wrong[0]], classifier.predict(X[wrong[:1]])[0])
    np.testing.assert_array_equal(display.images_[pair].get_array(), X[wrong[0]].reshape(8, 8))


def test_no_error_raises(digits):
    X, y = digits
    with pytest.raises(ValueError, match="There is no error to show"):
        ErrorGalleryDisplay.from_predictions(X, y, y)


# Probabilities.


def test_bars_are_the_largest_probabilities_in_order(digits, network):
    image = digits[0][17]
    display = TopProbabilitiesDisplay.from_estimator(network, image, n_top=4)
    (expected,) = network.predict_proba([image])
    widths = [bar.get_width() for bar in display.bars_]
    np.testing.assert_array_equal(widths, np.sort(expected)[::-1][:4])
    labels = tick_labels(display.axes_[1].yaxis)
    assert labels == [str(label) for label in np.argsort(-expected)[:4]]
    np.testing.assert_array_equal(display.image_.get_array(), image.reshape(8, 8))


def test_the_most_probable_class_is_at_the_top(digits, network):
    bottom, top = TopProbabilitiesDisplay.from_estimator(network, digits[0][0]).axes_[1].get_ylim()
    assert top < bottom


def test_the_bar_of_the_true_class_is_green(photos):
    display = TopProbabilitiesDisplay.from_predictions(
        photos[0], [0.2, 0.5, 0.3], classes=["a", "b", "c"], y_true="c", class_names={"b": "bee"}
    )
    colors = [bar.get_facecolor() for bar in display.bars_]
    assert [same_color(color, "tab:green") for color in colors] == [False, True, False]
    assert tick_labels(display.axes_[1].yaxis) == ["bee", "c", "a"]


def test_fewer_classes_than_asked_for_are_all_drawn(photos):
    display = TopProbabilitiesDisplay.from_predictions(photos[0], [0.2, 0.8])
    assert len(display.bars_) == 2


def test_probabilities_fit_their_classes(photos):
    with pytest.raises(ValueError, match="2 probabilities of 3 classes"):
        TopProbabilitiesDisplay.from_predictions(photos[0], [0.2, 0.8], classes=[0, 1, 2])
    with pytest.raises(ValueError, match="n_top must be an integer > 0, got 1.5"):
        TopProbabilitiesDisplay.from_predictions(photos[0], [0.2, 0.8], n_top=1.5)


def test_displays_draw_into_the_axes_given(digits, weak):
    X, y = digits
    _, axes = plt.subplots(2)
    assert PredictionGridDisplay.from_estimator(weak, X, y, ax=axes[0]).ax_ is axes[0]
    assert ClassSamplesDisplay.from_data(X, y, ax=axes[0]).ax_ is axes[0]
    assert ErrorGalleryDisplay.from_estimator(weak, X, y, ax=axes[1]).figure_ is axes[1].figure
    assert ErrorCountDisplay.from_estimator(weak, X, y, ax=axes[1]).ax_ is axes[1]
    bars = TopProbabilitiesDisplay.from_estimator(weak, X[0], ax=axes)
    assert list(bars.axes_) == list(axes)
