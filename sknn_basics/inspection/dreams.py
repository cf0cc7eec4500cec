"""Photos in which a network sees more than is there."""

from collections.abc import Mapping, Sequence
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import check_scalar
from torch import Tensor

from sknn_basics.inspection._images import Layout, Pixels, climb, need_layout, resize
from sknn_basics.inspection._networks import Subject


def dream(
    model,
    image,
    layers: str | Sequence[str] | Mapping[str, float],
    *,
    filters: Mapping[str, Sequence[int] | Mapping[int, float]] | None = None,
    mask=None,
    update_mask=None,
    n_octaves: int = 3,
    octave_scale: float = 1.4,
    n_steps: int = 20,
    step: float = 0.02,
    bounds: tuple[float, float] | str | None = "auto",
) -> np.ndarray:
    """Change an image so that layers respond more strongly to it, from coarse to fine.

    Parameters
    ----------
    model : estimator, Pipeline or nn.Module
        A fitted estimator of images, a pipeline that ends in one, or a network of images with
        channels first.
    image : array-like of shape (height, width), (height, width, n_channels) or \
(n_channels, height, width)
        Where the dream begins, as the model takes it but for its size; rows of pixels are of the
        model's own size.
    layers : str, sequence of str or mapping of str to float
        Names of layers, as in ``model.summary()``, and their weights: the weighted sum of their
        outputs after their activations is what rises. A layer of weight 0 is left out.
    filters : mapping of str to sequence of int or mapping of int to float, default=None
        Filters of a layer that count alone, or the weight of each. None counts all.
    mask : array-like of shape (height, width), or mapping of str to such, default=None
        How much each place counts, for all layers or for each by its name; resized to their maps.
    update_mask : array-like of shape (height, width), default=None
        How much each pixel may change. Those of 0 stay bit for bit.
    n_octaves : int, default=3
        Number of sizes, the last of which is that of the image.
    octave_scale : float, default=1.4
        How much larger each is than the one before.
    n_steps : int, default=20
        Number of steps for each size.
    step : float, default=0.02
        Length of a step, as a share of half the range of `bounds`. Gradients are divided by the
        square root of their mean square.
    bounds : pair of float, 'auto' or None, default='auto'
        Smallest and largest value of a pixel. 'auto' is the image's own range, and 0 and 255 for
        bytes.

    Returns
    -------
    image : ndarray of the shape of `image`
        The changed image.

    Raises
    ------
    ValueError
        If there is no such layer or filter, or a mask has another size.

    See Also
    --------
    maximize : Begins with noise, and with single filters.

    References
    ----------
    Mordvintsev, Olah and Tyka. "Inceptionism: going deeper into neural networks." Google AI blog,
    2015.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import ConvNetClassifier
    >>> from sknn_basics.inspection import dream
    >>> digits = load_digits()
    >>> model = ConvNetClassifier(filters=(4, 8), max_iter=10, random_state=0)
    >>> _ = model.fit(digits.images / 16, digits.target)
    >>> dream(model, digits.images[0] / 16, {"block1_conv1": 1, "block2_conv1": 0.5}).shape
    (8, 8)
    """
    check_scalar(n_octaves, "n_octaves", Integral, min_val=1)
    check_scalar(n_steps, "n_steps", Integral, min_val=1)
    check_scalar(octave_scale, "octave_scale", Real, min_val=1, include_boundaries="neither")
    subject = Subject(model)
    original = np.asarray(image)
    limits = image_bounds(original, bounds)
    view = ImageView(subject, original.shape)
    goal = Goal(subject, layers, filters or {}, mask, view.layout.size)
    allowed = check_mask(update_mask, view.layout.size, "update_mask")
    with subject.differentiated(original.shape, original[None] if subject.steps else None):
        start = view.to_images(original[None])
        found = start
        for size in octave_sizes(view.layout.size, n_octaves, octave_scale):
            small = resize(start, size)
            detail = resize(found - resize(start, found.shape[2:]), size)
            share = None if allowed is None else resize(allowed.to(start), size)
            images = Pixels(small + detail, step * half_range(limits), limits)

            def change(gradient: Tensor, share=share) -> Tensor:
                return gradient if share is None else gradient * share

            climb(images, lambda values: goal(view.run(goal.names, values)), n_steps, change)
            found = images.images().detach()
        dreamt = view.to_samples(found)[0]
    if allowed is None:
        return dreamt
    stays = view.to_samples((allowed == 0).expand(found.shape).to(found))[0] > 0
    return np.where(stays, original, dreamt)


class ImageView:
    """Images of one model, of whatever size.

    Parameters
    ----------
    subject : Subject
        The model.
    shape : tuple of int
        Shape of an image, as the model takes it but for its size.
    """

    def __init__(self, subject: Subject, shape: tuple[int, ...]):
        self.subject = subject
        own = need_layout(subject, shape, "This")
        # An image may be larger than those of the fit.
        is_row = len(shape) != len(own.image_shape)
        image_shape = own.image_shape if is_row else shape
        self.layout = Layout(shape, tuple(image_shape), own.channel_axis)
        self.is_whole = self.layout.image_shape == own.image_shape

    def to_images(self, samples: np.ndarray) -> Tensor:
        """Bring samples to tensors of shape (n_images, n_channels, ...)."""
        return self.layout.to_images(torch.tensor(samples, **self.subject.place))

    def to_samples(self, images: Tensor) -> np.ndarray:
        """Undo `to_images`."""
        return self.layout.to_samples(images).numpy(force=True)

    def run(self, names: list[str], images: Tensor) -> dict[str, Tensor]:
        """Compute the outputs of layers for images, after the steps of a pipeline."""
        if self.subject.steps:
            if tuple(images.shape[2:]) != self.layout.size or not self.is_whole:
                raise ValueError(
                    f"The step {self.subject.steps[0][0]!r} takes images of one size: set "
                    "n_octaves=1, or apply it to the image, and give the estimator alone."
                )
            samples = self.layout.to_samples(images)
            for apply in self.subject.linear:
                samples = apply(samples)
            layout = need_layout(self.subject, tuple(samples.shape[1:]), "This")
            images = layout.to_images(samples)
        return self.subject.run_images(names, images)


class Goal:
    """The weighted sum of the outputs of layers.

    Parameters
    ----------
    subject : Subject
        The model.
    layers : str, sequence of str or mapping of str to float
        Layers and their weights.
    filters : mapping
        Filters of each layer, or their weights.
    mask : array-like, mapping or None
        How much each place counts.
    size : tuple of int
        Size of the masks.
    """

    def __init__(self, subject: Subject, layers, filters: Mapping, mask, size: tuple[int, ...]):
        layers = [layers] if isinstance(layers, str) else layers
        weights = dict(layers) if isinstance(layers, Mapping) else dict.fromkeys(layers, 1.0)
        for name in [*weights, *filters]:
            subject.find(name)
        self.layers = {name: float(w) for name, w in weights.items() if w != 0}
        if not self.layers:
            raise ValueError("layers must name at least one layer of a weight that is not 0.")
        if unknown := [name for name in filters if name not in weights]:
            raise ValueError(f"filters are given for {unknown[0]!r}, which is not among layers.")
        self.filters = filters
        self.responses = {name: subject.response_name(name) for name in self.layers}
        masks = mask if isinstance(mask, Mapping) else dict.fromkeys(self.layers, mask)
        self.masks = {n: check_mask(m, size, "mask") for n, m in masks.items() if m is not None}

    @property
    def names(self) -> list[str]:
        """The layers whose outputs are needed."""
        return list(self.responses.values())

    def __call__(self, outputs: Mapping[str, Tensor]) -> Tensor:
        """Compute the sum for each image."""
        parts = [w * self.of_layer(n, outputs[self.responses[n]]) for n, w in self.layers.items()]
        return torch.stack(parts).sum(0)

    def of_layer(self, name: str, maps: Tensor) -> Tensor:
        """Sum the outputs of a layer for each image, as its filters and mask say."""
        if name in self.masks and maps.dim() > 2:
            maps = maps * resize(self.masks[name].to(maps), maps.shape[2:])
        sums = maps.flatten(2).sum(2) if maps.dim() > 2 else maps
        if name not in self.filters:
            return sums.sum(1)
        chosen = self.filters[name]
        chosen = chosen if isinstance(chosen, Mapping) else dict.fromkeys(chosen, 1.0)
        if not all(isinstance(i, Integral) and 0 <= i < sums.shape[1] for i in chosen):
            raise ValueError(
                f"filters of {name!r} must be integers from 0 to {sums.shape[1] - 1}, got "
                f"{list(chosen)}."
            )
        weights = torch.tensor(list(chosen.values()), dtype=sums.dtype, device=sums.device)
        return sums[:, list(chosen)] @ weights


def octave_sizes(size: tuple[int, ...], n_octaves: int, scale: float) -> list[tuple[int, ...]]:
    """List the sizes of an image from the smallest to its own."""
    shares = [scale**-k for k in reversed(range(n_octaves))]
    return [tuple(max(1, round(n * share)) for n in size) for share in shares]


def image_bounds(image: np.ndarray, bounds) -> tuple[float, float] | None:
    """Choose the range of an image's values.

    Raises
    ------
    ValueError
        If it is none.
    """
    if bounds is None:
        return None
    if isinstance(bounds, str) and bounds == "auto":
        if image.dtype == np.uint8:
            return 0.0, 255.0
        low, high = float(image.min()), float(image.max())
        return (low, high) if low < high else (low - 1, high + 1)
    if isinstance(bounds, str) or len(bounds) != 2 or not bounds[0] < bounds[1]:
        raise ValueError(
            f"bounds must be a growing pair of numbers, 'auto' or None, got {bounds!r}."
        )
    return float(bounds[0]), float(bounds[1])


def half_range(bounds) -> float:
    """Give half the range of values, 1 without bounds."""
    return 1.0 if bounds is None else (bounds[1] - bounds[0]) / 2


def check_mask(mask, size: tuple[int, ...], name: str) -> Tensor | None:
    """Check a mask, and return it as an image of one channel.

    Raises
    ------
    ValueError
        If its size is another.
    """
    if mask is None:
        return None
    mask = np.asarray(mask, dtype=np.float64)
    if mask.shape != tuple(size):
        raise ValueError(
            f"{name} must have the size of the image, {tuple(size)}, got {mask.shape}."
        )
    return torch.tensor(mask)[None, None]
