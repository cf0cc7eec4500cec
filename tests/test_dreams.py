"""Dreams, and what an image shows in the style of another."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_sample_images
from sklearn.pipeline import make_pipeline
from torch import nn

from sknn_basics import ConvAutoencoder, ConvNetClassifier, MLPClassifier
from sknn_basics.displays import DreamDisplay, StyleTransferDisplay
from sknn_basics.inspection import (
    activations,
    dream,
    gram_matrix,
    reconstruct_content,
    reconstruct_style,
    style_transfer,
)
from sknn_basics.inspection._networks import Subject
from sknn_basics.inspection.styles import StyleLoss
from sknn_basics.preprocessing import PixelScaler

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

IMAGES = load_digits().images / 16
DIGITS = load_digits().target
PHOTO, FLOWER = (image[::8, ::8] for image in load_sample_images().images)
FIRST = {name: np.moveaxis(i / 255.0, -1, 0) for name, i in [("photo", PHOTO), ("flower", FLOWER)]}


@pytest.fixture(scope="module")
def convnet():
    return ConvNetClassifier(filters=(16, 32), max_iter=10, random_state=0).fit(IMAGES, DIGITS)


@pytest.fixture
def random_net():
    generator = torch.Generator().manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2), nn.ReLU())
    for parameter in net.parameters():
        parameter.data.normal_(0, 0.2, generator=generator)
    return net


def response(model, image, layer, weights=1.0):
    name = f"{layer}_activation"
    return (activations(model, image[None], name)[name] * weights).sum()


def test_a_dream_raises_the_weighted_sum_with_each_size(convnet):
    layers = {"block1_conv1": 0.5, "block2_conv1": 1.0}
    sums = [
        sum(weight * response(convnet, image, name) for name, weight in layers.items())
        for image in (
            IMAGES[0],
            *(dream(convnet, IMAGES[0], layers, n_octaves=n, n_steps=10) for n in (1, 2, 3)),
        )
    ]
    assert (np.diff(sums) > 0).all()


def test_pixels_that_must_not_change_stay_bit_for_bit(convnet):
    mask = np.zeros((8, 8))
    mask[2:5, 3:] = 1
    dreamt = dream(convnet, IMAGES[0], "block2_conv1", update_mask=mask)
    np.testing.assert_array_equal(dreamt[mask == 0], IMAGES[0][mask == 0])
    assert (dreamt[mask == 1] != IMAGES[0][mask == 1]).any()


def test_a_layer_of_weight_zero_is_left_out(convnet):
    alone = dream(convnet, IMAGES[0], {"block1_conv1": 1})
    with_zero = dream(convnet, IMAGES[0], {"block1_conv1": 1, "block2_conv1": 0})
    np.testing.assert_array_equal(alone, with_zero)


def test_filters_count_by_their_weights(convnet):
    named = dream(convnet, IMAGES[0], "block1_conv1", filters={"block1_conv1": [3]}, n_octaves=1)
    weighed = dream(
        convnet, IMAGES[0], "block1_conv1", filters={"block1_conv1": {3: 2.0}}, n_octaves=1
    )
    np.testing.assert_allclose(named, weighed, rtol=1e-4, atol=1e-5)
    own = np.eye(16)[3]
    assert response(convnet, named, "block1_conv1", own) > response(
        convnet, IMAGES[0], "block1_conv1", own
    )


def test_a_mask_of_maps_leaves_what_does_not_count(convnet):
    mask = np.zeros((8, 8))
    mask[:, 4:] = 1
    dreamt = dream(convnet, IMAGES[0], "block1_conv1", mask=mask, n_octaves=1)
    by_layer = dream(convnet, IMAGES[0], "block1_conv1", mask={"block1_conv1": mask}, n_octaves=1)
    np.testing.assert_array_equal(dreamt, by_layer)
    # A kernel of 3 with stride 2 sees one column further to the left.
    np.testing.assert_allclose(dreamt[:, :2], IMAGES[0][:, :2], atol=1e-6)


def test_a_photo_of_another_size_dreams_in_the_networks_layers(random_net):
    model = ConvNetClassifier(filters=((4, 4), 6), max_iter=1, random_state=0)
    model.fit(np.random.RandomState(0).rand(20, 16, 16, 3), np.arange(20) % 2)
    assert dream(model, PHOTO, "block2_conv1", n_steps=2).shape == PHOTO.shape
    assert dream(random_net, FIRST["photo"], "2", n_steps=2).shape == FIRST["photo"].shape
    with pytest.raises(ValueError, match="own size"):
        dream(model, PHOTO, "hidden1", n_steps=2)


def test_values_stay_within_the_photos_range(random_net):
    dreamt = dream(random_net, FIRST["photo"], "2", n_steps=5, step=0.5)
    assert dreamt.min() >= FIRST["photo"].min()
    assert dreamt.max() <= FIRST["photo"].max()
    bytes_ = dream(random_net, np.moveaxis(PHOTO, -1, 0), "2", n_steps=5, step=0.5)
    assert bytes_.max() > 1


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"layers": "block7_conv1"}, "no layer 'block7_conv1'"),
        ({"layers": {"block1_conv1": 0}}, "weight that is not 0"),
        ({"update_mask": np.ones((3, 3))}, r"\(8, 8\), got \(3, 3\)"),
        ({"mask": np.ones(8)}, r"\(8, 8\)"),
        ({"filters": {"block1_conv1": [16]}}, "0 to 15"),
        ({"filters": {"block2_conv1": [1]}}, "not among layers"),
        ({"octave_scale": 1.0}, "octave_scale"),
    ],
)
def test_bad_dreams_are_named(convnet, options, text):
    with pytest.raises(ValueError, match=text):
        dream(convnet, IMAGES[0], **{"layers": "block1_conv1", **options})


def test_a_table_does_not_dream():
    model = MLPClassifier(5, max_iter=1, random_state=0).fit(
        IMAGES.reshape(len(IMAGES), -1), DIGITS
    )
    with pytest.raises(ValueError, match="network of images"):
        dream(model, IMAGES[0].ravel(), "hidden1")


def test_a_gram_matrix_is_a_sum_of_products_of_filters():
    maps = np.random.RandomState(0).normal(size=(8, 8, 6))
    expected = np.einsum("xyi,xyj->ij", maps, maps)
    np.testing.assert_allclose(gram_matrix(maps, normalize=None), expected)
    np.testing.assert_allclose(gram_matrix(maps), expected / 64)


def test_a_gram_matrix_does_not_know_places():
    rng = np.random.RandomState(0)
    maps = rng.normal(size=(8, 8, 6))
    shuffled = rng.permutation(maps.reshape(64, 6)).reshape(8, 8, 6)
    np.testing.assert_allclose(gram_matrix(maps), gram_matrix(shuffled))
    np.testing.assert_allclose(gram_matrix(maps), gram_matrix(np.tile(maps, (2, 3, 1))))


def test_a_gram_matrix_needs_places_and_a_known_norm():
    with pytest.raises(ValueError, match="places"):
        gram_matrix([1.0, 2.0])
    with pytest.raises(ValueError, match="'area'"):
        gram_matrix(np.ones((2, 2)), normalize="area")


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("content_weight", [0.0, 0.025])
def test_the_loss_of_a_style_falls_by_nine_tenths(random_net, solver, content_weight):
    _, curve = style_transfer(
        random_net,
        FIRST["photo"],
        FIRST["flower"],
        content_layers="0",
        content_weight=content_weight,
        solver=solver,
        n_steps=200,
        random_state=0,
        return_loss_curve=True,
    )
    assert curve[-1] < 0.1 * curve[0]


def test_the_gradient_of_the_style_loss_is_right(random_net):
    subject = Subject(random_net.double())
    loss = StyleLoss(subject, ["0"], ["0", "2"], (0.025, 1.0, 1e-4))
    generator = torch.Generator().manual_seed(0)
    images, other = torch.rand(2, 1, 3, 6, 6, generator=generator, dtype=torch.float64)
    outputs = subject.run_images(loss.names, other)
    loss.learn_content({name: values.detach() for name, values in outputs.items()})
    loss.learn_style({name: values.detach() for name, values in outputs.items()})
    assert torch.autograd.gradcheck(
        lambda x: loss(x, subject.run_images(loss.names, x)), images.requires_grad_()
    )


def test_an_early_layer_knows_all_of_an_image(convnet):
    found = reconstruct_content(convnet, IMAGES[0], "block1_conv1", random_state=0)
    assert np.corrcoef(found.ravel(), IMAGES[0].ravel())[0, 1] > 0.99


def test_styles_are_reconstructed_by_layer_and_cumulated(convnet):
    alone, cumulated = (
        reconstruct_style(convnet, IMAGES[0], cumulative=c, n_steps=5, random_state=0)
        for c in (False, True)
    )
    assert alone.shape == (2, 8, 8)
    np.testing.assert_array_equal(alone[0], cumulated[0])
    assert (alone[1] != cumulated[1]).any()


def test_styles_of_bytes_pass_the_networks_own_preprocessing():
    model = ConvAutoencoder(filters=(4, 4), preprocessing="unit", max_iter=1, random_state=0)
    photo, flower = PHOTO[:16, :16], FLOWER[:32, :32]
    model.fit(np.stack([photo] * 4))
    drawn = style_transfer(
        model, photo, flower, content_layers="encoder.block1_conv1", n_steps=3, random_state=0
    )
    assert drawn.shape == photo.shape
    assert drawn.max() > 1


def test_styles_go_through_a_pipeline():
    model = ConvNetClassifier(filters=(4,), max_iter=1, random_state=0)
    pipeline = make_pipeline(PixelScaler(), model).fit(
        np.stack([PHOTO[:16, :16]] * 4), [0, 1, 0, 1]
    )
    options = {"content_weight": 0, "n_steps": 30, "start": "content", "return_loss_curve": True}
    options |= {"variation_weight": 0}
    photo, flower = PHOTO[:16, :16], FLOWER[:16, :16]
    drawn, through = style_transfer(pipeline, photo, flower, **options)
    _, direct = style_transfer(model, *pipeline[0].transform(np.stack([photo, flower])), **options)
    np.testing.assert_allclose(through[0], direct[0], rtol=1e-4)
    assert through[-1] < through[0]
    assert drawn.max() > 1


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"content_layers": "block1_conv2"}, "no layer 'block1_conv2'"),
        ({"start": "black"}, "'black'"),
        ({"start": IMAGES[0, :4]}, "shape of content"),
        ({"solver": "sgd"}, "'sgd'"),
        ({"content_weight": 0, "style_weight": 0}, "nothing to draw"),
    ],
)
def test_bad_styles_are_named(convnet, options, text):
    options = {"content_layers": "block1_conv1", **options}
    with pytest.raises(ValueError, match=text):
        style_transfer(convnet, IMAGES[0], IMAGES[1], **options)


def test_looking_leaves_the_network_as_it_was(convnet):
    before = {name: values.clone() for name, values in convnet.module_.state_dict().items()}
    generator = torch.get_rng_state()
    dream(convnet, IMAGES[0], "block1_conv1", n_steps=2)
    style_transfer(convnet, IMAGES[0], IMAGES[1], content_layers="block1_conv1", n_steps=2)
    after = convnet.module_.state_dict()
    assert all(torch.equal(values, after[name]) for name, values in before.items())
    assert all(p.requires_grad and p.grad is None for p in convnet.module_.parameters())
    assert torch.equal(torch.get_rng_state(), generator)


def test_dreams_and_styles_are_drawn_beside_what_they_were(random_net):
    display = DreamDisplay.from_estimator(random_net, FIRST["photo"], "2", n_steps=2)
    np.testing.assert_array_equal(display.image, np.moveaxis(FIRST["photo"], 0, -1))
    assert [axes.get_title() for axes in display.axes_] == ["Image", "Dream"]
    display = StyleTransferDisplay.from_estimator(
        random_net, FIRST["photo"], FIRST["flower"], content_layers="0", n_steps=2, random_state=0
    )
    assert len(display.images_) == 3
