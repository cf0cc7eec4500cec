"""What an image shows, in the style of another."""

from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import check_random_state, check_scalar
from torch import Tensor

from sknn_basics.inspection._images import total_variation
from sknn_basics.inspection._networks import Subject
from sknn_basics.inspection.dreams import ImageView, half_range, image_bounds

STARTS = ("noise", "content", "style")


def gram_matrix(activations, normalize: str | None = "size"):
    """Compute how strongly the filters of a layer respond together, wherever they do.

    Parameters
    ----------
    activations : array-like of shape (..., n_filters)
        Outputs of a layer for one image, with filters last: (height, width, n_filters).
    normalize : {'size'} or None, default='size'
        Whether sums are divided by the number of places, so that images of any size compare.

    Returns
    -------
    gram : ndarray of shape (n_filters, n_filters)
        Sums over all places of the products of two filters.

    Raises
    ------
    ValueError
        If `normalize` is unknown, or there are no places.

    Examples
    --------
    >>> from sknn_basics.inspection import gram_matrix
    >>> gram_matrix([[[1, 2], [3, 0]]], normalize=None)
    array([[10.,  2.],
           [ 2.,  4.]])
    """
    if normalize not in ("size", None):
        raise ValueError(f"normalize must be 'size' or None, got {normalize!r}.")
    maps = np.asarray(activations)
    maps = maps if maps.dtype.kind == "f" else maps.astype(np.float64)
    if maps.ndim < 2 or maps.size == 0:
        raise ValueError(f"activations must have places and filters, got shape {maps.shape}.")
    flat = maps.reshape(-1, maps.shape[-1])
    return flat.T @ flat / (len(flat) if normalize == "size" else 1)


def style_transfer(
    model,
    content,
    style,
    *,
    content_layers: str | Sequence[str] = ("block1_conv2",),
    style_layers: str | Sequence[str] = "all",
    content_weight: float = 0.025,
    style_weight: float = 1.0,
    variation_weight: float = 1e-4,
    start="noise",
    solver: str = "adam",
    step: float = 0.05,
    n_steps: int = 300,
    bounds: tuple[float, float] | str | None = "auto",
    random_state=None,
    return_loss_curve: bool = False,
):
    """Draw what one image shows in the style of another.

    Parameters
    ----------
    model : estimator, Pipeline or nn.Module
        A fitted estimator of images, a pipeline that ends in one, or a network of images with
        channels first.
    content : array-like of shape (height, width), (height, width, n_channels) or \
(n_channels, height, width)
        What is to be seen, as the model takes it but for its size.
    style : array-like of shape (height, width), (height, width, n_channels) or \
(n_channels, height, width)
        How it is to look; of any size.
    content_layers : str or sequence of str, default=('block1_conv2',)
        Layers whose outputs are to be those of `content`.
    style_layers : str or sequence of str, default='all'
        Layers whose Gram matrices are to be those of `style`; 'all' are all convolutions.
    content_weight, style_weight, variation_weight : float, default=0.025, 1.0 and 0.0001
        Weights of the squared differences of outputs, those of Gram matrices, and the squared
        differences of neighbouring pixels. Each is a sum over filters or channels, and divided by
        the number of places, so that they do not depend on the size of the image.
    start : {'noise', 'content', 'style'} or array-like of shape (...), default='noise'
        Where to begin.
    solver : {'adam', 'lbfgs'}, default='adam'
        What makes the steps.
    step : float, default=0.05
        Rate of Adam, as a share of half the range of `bounds`.
    n_steps : int, default=300
        Number of steps.
    bounds : pair of float, 'auto' or None, default='auto'
        Smallest and largest value of a pixel; 'auto' is the range of both images, and 0 and 255 for
        bytes.
    random_state : int, RandomState instance or None, default=None
        Source of the noise.
    return_loss_curve : bool, default=False
        Whether the loss before each step is returned too.

    Returns
    -------
    image : ndarray of the shape of `content`
        The drawn image.
    loss_curve : ndarray of shape (n_steps + 1,)
        The loss before each step and after the last, if `return_loss_curve`.

    Raises
    ------
    ValueError
        If there is no such layer, or images do not fit the model.

    See Also
    --------
    reconstruct_content, reconstruct_style : What a layer knows of an image.

    References
    ----------
    Gatys, Ecker and Bethge. "Image style transfer using convolutional neural networks." CVPR 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import ConvNetClassifier
    >>> from sknn_basics.inspection import style_transfer
    >>> digits = load_digits()
    >>> model = ConvNetClassifier(filters=(4, 8), max_iter=10, random_state=0)
    >>> _ = model.fit(digits.images / 16, digits.target)
    >>> style_transfer(
    ...     model, digits.images[0] / 16, digits.images[1] / 16, content_layers="block1_conv1",
    ...     n_steps=20, random_state=0,
    ... ).shape
    (8, 8)
    """
    check_scalar(n_steps, "n_steps", Integral, min_val=1)
    check_scalar(step, "step", Real, min_val=0, include_boundaries="neither")
    for name, weight in (("content", content_weight), ("style", style_weight)):
        check_scalar(weight, f"{name}_weight", Real, min_val=0)
    if solver not in ("adam", "lbfgs"):
        raise ValueError(f"solver must be 'adam' or 'lbfgs', got {solver!r}.")
    subject = Subject(model)
    content, style = np.asarray(content), np.asarray(style)
    limits = image_bounds(np.concatenate([content.ravel(), style.ravel()]), bounds)
    view, view_of_style = ImageView(subject, content.shape), ImageView(subject, style.shape)
    loss = StyleLoss(
        subject,
        as_names(content_layers) if content_weight else [],
        (subject.convolutions() if style_layers == "all" else as_names(style_layers))
        if style_weight
        else [],
        (content_weight, style_weight, variation_weight),
    )
    begin = choose_start(start, content, style, limits, check_random_state(random_state))
    with subject.differentiated(content.shape, content[None] if subject.steps else None):
        with torch.no_grad():
            loss.learn_content(view.run(loss.content, view.to_images(content[None])))
            loss.learn_style(view_of_style.run(loss.style, view_of_style.to_images(style[None])))
        images = view.to_images(begin[None]).clone()
        curve = descend(
            images,
            lambda values: loss(values, view.run(loss.names, values)),
            solver,
            step * half_range(limits),
            n_steps,
            limits,
        )
    image = view.to_samples(images.detach())[0]
    return (image, np.array(curve)) if return_loss_curve else image


def reconstruct_content(model, image, layer: str, **options) -> np.ndarray:
    """Draw an image that a layer cannot tell from another, from noise.

    Parameters
    ----------
    model : estimator, Pipeline or nn.Module
        See `style_transfer`.
    image : array-like of shape (height, width), (height, width, n_channels) or \
(n_channels, height, width)
        The other image.
    layer : str
        Name of the layer. Early ones know all of the image, late ones what is in it.
    **options
        Further arguments of `style_transfer`.

    Returns
    -------
    image : ndarray of the shape of `image`
        The drawn image.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import ConvNetClassifier
    >>> from sknn_basics.inspection import reconstruct_content
    >>> digits = load_digits()
    >>> model = ConvNetClassifier(filters=(4, 8), max_iter=10, random_state=0)
    >>> _ = model.fit(digits.images / 16, digits.target)
    >>> reconstruct_content(model, digits.images[0] / 16, "block1_conv1", random_state=0).shape
    (8, 8)
    """
    options = {"content_weight": 1.0, "style_weight": 0.0, "variation_weight": 0.0, **options}
    return style_transfer(model, image, image, content_layers=[layer], **options)


def reconstruct_style(
    model, image, layers: str | Sequence[str] = "all", *, cumulative: bool = False, **options
) -> np.ndarray:
    """Draw images in the style of another, as layers know it, from noise.

    Parameters
    ----------
    model : estimator, Pipeline or nn.Module
        See `style_transfer`.
    image : array-like of shape (height, width), (height, width, n_channels) or \
(n_channels, height, width)
        The other image.
    layers : str or sequence of str, default='all'
        Names of layers; 'all' are all convolutions.
    cumulative : bool, default=False
        Whether each image has the style of a layer and of all before it in `layers`, instead of
        that of one layer.
    **options
        Further arguments of `style_transfer`.

    Returns
    -------
    images : ndarray of shape (n_layers, ...)
        An image for each layer.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import ConvNetClassifier
    >>> from sknn_basics.inspection import reconstruct_style
    >>> digits = load_digits()
    >>> model = ConvNetClassifier(filters=(4, 8), max_iter=10, random_state=0)
    >>> _ = model.fit(digits.images / 16, digits.target)
    >>> reconstruct_style(model, digits.images[0] / 16, n_steps=10, random_state=0).shape
    (2, 8, 8)
    """
    names = Subject(model).convolutions() if layers == "all" else as_names(layers)
    options = {"content_weight": 0.0, "variation_weight": 0.0, **options}
    groups = [names[: i + 1] if cumulative else [name] for i, name in enumerate(names)]
    return np.stack(
        [style_transfer(model, image, image, style_layers=group, **options) for group in groups]
    )


class StyleLoss:
    """How far an image is from the content of one and the style of another.

    Parameters
    ----------
    subject : Subject
        The model.
    content, style : list of str
        Names of layers.
    weights : tuple of float
        Of content, style and variation.
    """

    def __init__(self, subject: Subject, content: list[str], style: list[str], weights):
        self.content = [subject.response_name(name) for name in content]
        self.style = [subject.response_name(name) for name in style]
        self.weights = weights
        if not self.content and not self.style:
            raise ValueError("There is nothing to draw: content and style have no weight or layer.")

    @property
    def names(self) -> list[str]:
        """The layers whose outputs are needed."""
        return list(dict.fromkeys([*self.content, *self.style]))

    def learn_content(self, outputs: dict[str, Tensor]) -> None:
        """Learn what is to be seen."""
        self.wanted = {name: outputs[name] for name in self.content}

    def learn_style(self, outputs: dict[str, Tensor]) -> None:
        """Learn how it is to look."""
        self.grams = {name: gram(outputs[name]) for name in self.style}

    def __call__(self, images: Tensor, outputs: dict[str, Tensor]) -> Tensor:
        """Compute the loss."""
        content, style, variation = self.weights
        loss = variation * total_variation(images).sum() / images[0, 0].numel()
        for name in self.content:
            difference = outputs[name] - self.wanted[name]
            loss = loss + content * difference.square().sum() / n_places(difference)
        for name in self.style:
            loss = loss + style * (gram(outputs[name]) - self.grams[name]).square().sum()
        return loss


def gram(maps: Tensor) -> Tensor:
    """Compute the Gram matrices of maps of shape (n_images, n_filters, *size), over their size."""
    flat = maps.reshape(len(maps), maps.shape[1], -1)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


def n_places(maps: Tensor) -> int:
    """Count the places of maps of shape (n_images, n_filters, *size)."""
    return maps[0, 0].numel()


def descend(images: Tensor, loss, solver: str, rate: float, n_steps: int, bounds) -> list[float]:
    """Go down a loss, changing images in place; return the losses."""
    images.requires_grad_()
    curve = []

    def closure() -> Tensor:
        value = loss(images)
        (images.grad,) = torch.autograd.grad(value, images)
        return value.detach()

    if solver == "adam":
        optimiser = torch.optim.Adam([images], lr=rate)
    else:
        optimiser = torch.optim.LBFGS(
            [images],
            max_iter=1,
            tolerance_grad=0,
            tolerance_change=0,
            line_search_fn="strong_wolfe",
        )
    for _ in range(n_steps):
        curve.append(float(optimiser.step(closure)))
        if bounds is not None:
            with torch.no_grad():
                images.clamp_(*bounds)
    curve.append(float(loss(images).detach()))
    return curve


def as_names(layers: str | Sequence[str]) -> list[str]:
    """List names of layers."""
    return [layers] if isinstance(layers, str) else list(layers)


def choose_start(start, content: np.ndarray, style: np.ndarray, bounds, rng) -> np.ndarray:
    """Choose where a drawing begins.

    Raises
    ------
    ValueError
        If there is no such start, or it is of another shape.
    """
    if isinstance(start, str):
        if start not in STARTS:
            raise ValueError(f"start must be an image or of {STARTS}, got {start!r}.")
        if start == "noise":
            return rng.uniform(*(bounds or (-1.0, 1.0)), size=content.shape)
        start = content if start == "content" else style
    start = np.asarray(start)
    if start.shape != content.shape:
        raise ValueError(
            f"start must have the shape of content, {content.shape}, got {start.shape}."
        )
    return start
