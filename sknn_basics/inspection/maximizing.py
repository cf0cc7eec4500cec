"""What the filters of a network respond to most."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import check_random_state, check_scalar
from torch import Tensor, nn

from sknn_basics.inspection._images import (
    PARAMETERIZATIONS,
    REGULARIZERS,
    TRANSFORMS,
    climb,
    find_layout,
    need_layout,
)
from sknn_basics.inspection._networks import Subject
from sknn_basics.modules.cells import RecurrentLayer
from sknn_basics.training.devices import new_generator

# Noises that a filter is given before it counts as dead, and values of all of them together.
N_TRIES, MOST_VALUES = 8, 2**22


def maximize(
    model,
    layer: str,
    filters: int | Sequence[int] | None = None,
    *,
    n_steps: int = 100,
    step: float = 0.1,
    weights=None,
    start=None,
    bounds: tuple[float, float] | str | None = "auto",
    place: Sequence[int] | None = None,
    regularizers: Mapping[str | Callable, float] | None = None,
    parameterization: str = "pixels",
    transforms: Sequence[str | Callable] = (),
    random_state=None,
) -> np.ndarray:
    """Find inputs to which filters of a layer respond most, by gradient ascent on noise.

    Parameters
    ----------
    model : estimator, Pipeline or nn.Module
        A fitted neural estimator, a pipeline that ends in one, or any network; see `start`.
    layer : str
        Name of a layer, as in ``model.summary()``. Its responses are those after the activation
        that follows it. 'output' has a filter for each class or output.
    filters : int, sequence of int or None, default=None
        Numbers of the filters, or units; None takes all.
    n_steps : int, default=100
        Number of steps.
    step : float, default=0.1
        Length of a step, as a share of half the range of `bounds`. Gradients are divided by the
        square root of their mean square.
    weights : array-like of shape (n_filters,), default=None
        Weights of all filters of the layer, for one input that maximizes their weighted sum: ones
        for the whole layer.
    start : array-like of shape (1, ...) or (n_filters, ...), default=None
        Where to begin: one sample, or one for each filter. None draws uniformly from `bounds`; an
        `nn.Module`, which does not know the shape of its inputs, needs a start.
    bounds : pair of float, 'auto' or None, default='auto'
        Smallest and largest value of an input. 'auto' is 0 and 255 where the network preprocesses
        pixels by a name (``preprocessing="unit"``), else -1 and 1. None sets no bounds, and noise
        is drawn from -1 to 1.
    place : sequence of int or None, default=None
        Position in the map, for example (row, column), whose response is maximized. None takes all.
    regularizers : dict of str or callable to float, default=None
        What is subtracted: 'total_variation', 'norm', or a function from images of shape
        (n_images, n_channels, ...) to a value each; and its weight.
    parameterization : {'pixels', 'fourier'}, default='pixels'
        Whether pixels are changed, or frequencies, by steps of Adam's that make smooth images.
    transforms : sequence of {'jitter', 'scale'} or callable, default=()
        What changes images at random before each step, so that a response must not depend on it: a
        function is given images, as for `regularizers`, and a `torch.Generator`.
    random_state : int, RandomState instance or None, default=None
        Source of the noise and of the transforms.

    Returns
    -------
    inputs : ndarray of shape (n_filters, ...)
        An input for each filter, or one, in the layout of X. That of a filter without any response
        is NaN.

    Raises
    ------
    ValueError
        If there is no such layer or filter, or a step of the pipeline is not linear.

    Warns
    -----
    UserWarning
        If filters respond to no start, and to none of a few further noises: they are dead.

    See Also
    --------
    sknn_basics.displays.FilterDisplay : Draws them.

    References
    ----------
    Erhan, Bengio, Courville and Vincent. "Visualizing higher-layer features of a deep network."
    University of Montreal, technical report 1341 (2009).

    Olah, Mordvintsev and Schubert. "Feature visualization." Distill 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import ConvNetClassifier
    >>> from sknn_basics.inspection import maximize
    >>> digits = load_digits()
    >>> model = ConvNetClassifier(filters=(4, 8), max_iter=10, random_state=0)
    >>> _ = model.fit(digits.images / 16, digits.target)
    >>> maximize(model, "block1_conv1", filters=[0, 2], n_steps=10, random_state=0).shape
    (2, 8, 8)
    """
    check_scalar(n_steps, "n_steps", Integral, min_val=1)
    check_scalar(step, "step", Real, min_val=0, include_boundaries="neither")
    subject = Subject(model)
    response = Response(subject, layer, place)
    rng = check_random_state(random_state)
    limits = resolve_bounds(subject, bounds)
    shape = subject.sample_shape(start)
    with subject.differentiated(shape):
        n_filters = response.count_filters(torch.zeros(1, *shape, **subject.place))
        chosen = check_filters(filters, n_filters, layer)
        response.choose(chosen, weights, n_filters)
        n_images = 1 if weights is not None else len(chosen)
        noise = shrunk(limits) if parameterization == "fourier" else limits
        begin = starts(start, shape, n_images, noise, rng)
        begin, responds = response.wake(torch.tensor(begin, **subject.place), limits, rng)
        found = ascend(
            subject,
            response,
            begin,
            n_steps=n_steps,
            step=step,
            bounds=limits,
            regularizers=regularizers or {},
            parameterization=parameterization,
            transforms=transforms,
            generator=new_generator(rng.randint(np.iinfo(np.int32).max), torch.device("cpu")),
        )
    found[~responds] = np.nan
    if not responds.all():
        dead = [0] if weights is not None else [chosen[i] for i in np.flatnonzero(~responds)]
        warnings.warn(
            f"{len(dead)} of {n_images} filters of {layer!r} are dead: they respond neither to "
            f"where they begin nor to further noise, and their results are NaN: {dead}.",
            UserWarning,
            stacklevel=2,
        )
    return found


class Response:
    """How much the filters of a layer respond to inputs.

    Parameters
    ----------
    subject : Subject
        The model.
    layer : str
        Name of the layer.
    place : sequence of int or None
        Place in the map that counts alone.
    """

    def __init__(self, subject: Subject, layer: str, place: Sequence[int] | None = None):
        self.subject, self.place = subject, place
        self.name = subject.response_name(layer)
        self.is_activated = self.name.endswith("activation")
        is_dense = isinstance(subject.find(layer), nn.Linear | RecurrentLayer | nn.RNNBase)
        self.axis = -1 if is_dense else 1
        self.filters = self.weights = None

    def choose(self, filters: list[int], weights, n_filters: int) -> None:
        """Choose filters, one for each input, or weights of all for one input."""
        self.filters = torch.tensor(filters, device=self.subject.device)
        if weights is None:
            return
        weights = np.asarray(weights, dtype=np.float64)
        if weights.shape != (n_filters,):
            raise ValueError(
                f"weights must have one value for each of {n_filters} filters, got shape "
                f"{weights.shape}."
            )
        self.weights = torch.tensor(weights, **self.subject.place)

    def count_filters(self, samples: Tensor) -> int:
        """Count the filters of the layer."""
        return self.maps(samples).shape[1]

    def maps(self, samples: Tensor) -> Tensor:
        """Compute the layer's outputs, of shape (n_samples, n_filters, n_places)."""
        maps = self.subject.run_to(self.name, samples)
        if maps.dim() == 1:
            maps = maps.unsqueeze(1)
        maps = maps.movedim(self.axis, 1)
        if self.place is not None:
            maps = maps[(slice(None), slice(None), *self.place)]
        return maps.reshape(len(samples), maps.shape[1], -1)

    def of_all(self, samples: Tensor) -> Tensor:
        """Compute the responses of all filters, of shape (n_samples, n_filters).

        After an activation, those are sums of squares; the sign of others says something.
        """
        maps = self.maps(samples)
        return (maps.square() if self.is_activated else maps).sum(2)

    def __call__(self, samples: Tensor, rows: slice = slice(None)) -> Tensor:
        """Compute the response of each sample's own filter, or the weighted sum of all."""
        responses = self.of_all(samples)
        if self.weights is not None:
            return responses @ self.weights
        return responses.gather(1, self.filters[rows, None])[:, 0]

    def wake(self, samples: Tensor, bounds, rng) -> tuple[Tensor, np.ndarray]:
        """Begin filters that do not respond with other noise, if they respond to any.

        Returns the samples, and whether there is a response to each.
        """
        with torch.no_grad():
            responses = self.in_parts(samples)
            if bool((responses != 0).all()):
                return samples, np.ones(len(samples), dtype=bool)
            noise = draw(rng, (N_TRIES, *samples.shape[1:]), bounds)
            noise = torch.tensor(noise, **self.subject.place)
            tried = self.of_all(noise).abs()
        tried = (
            (tried @ self.weights.abs())[:, None]
            if self.weights is not None
            else tried[:, self.filters]
        )
        largest, best = tried.max(0)
        asleep = responses == 0
        woken = torch.where(asleep.view(-1, *[1] * (samples.dim() - 1)), noise[best], samples)
        return woken, ((responses != 0) | (largest > 0)).numpy(force=True)

    def in_parts(self, samples: Tensor) -> Tensor:
        """Compute the responses to many samples."""
        return torch.cat([self(samples[rows], rows) for rows in parts(samples)])


def count_filters(model, layer: str, start=None) -> int:
    """Count the filters of a layer; an `nn.Module` needs a sample to start from."""
    subject = Subject(model)
    shape = subject.sample_shape(start)
    with subject.differentiated(shape), torch.no_grad():
        return Response(subject, layer).count_filters(torch.zeros(1, *shape, **subject.place))


def ascend(
    subject: Subject,
    response: Response,
    start: Tensor,
    *,
    n_steps: int,
    step: float,
    bounds: tuple[float, float] | None,
    regularizers: Mapping,
    parameterization: str,
    transforms: Sequence,
    generator: torch.Generator,
) -> np.ndarray:
    """Go up a response from where each sample begins."""
    penalties = {as_function(f, REGULARIZERS, "regularizers"): w for f, w in regularizers.items()}
    changes = [as_function(change, TRANSFORMS, "transforms") for change in transforms]
    if parameterization not in PARAMETERIZATIONS:
        raise ValueError(
            f"parameterization must be one of {[*PARAMETERIZATIONS]}, got {parameterization!r}."
        )
    layout, shape = find_layout(subject, tuple(start.shape[1:])), tuple(start.shape[1:])
    if layout is None and (penalties or changes or parameterization == "fourier"):
        layout = need_layout(subject, shape, "regularizers, transforms or 'fourier'")
    half = 1.0 if bounds is None else (bounds[1] - bounds[0]) / 2
    found = []
    for rows in parts(start):
        begin = start[rows] if layout is None else layout.to_images(start[rows])
        images = PARAMETERIZATIONS[parameterization](begin, step * half, bounds)
        if parameterization == "fourier":
            images.step = step

        def objective(values: Tensor, rows=rows) -> Tensor:
            penalty = sum(weight * function(values) for function, weight in penalties.items())
            for change in changes:
                values = change(values, generator)
            samples = values if layout is None else layout.to_samples(values)
            return response(samples, rows) - penalty

        climb(images, objective, n_steps)
        values = images.images().detach()
        found.append(values if layout is None else layout.to_samples(values))
    return torch.cat(found).numpy(force=True).copy()


def as_function(given, named: Mapping[str, Callable], what: str) -> Callable:
    """Find a function by its name, or take one as it is.

    Raises
    ------
    ValueError
        If there is none of this name.
    """
    if callable(given):
        return given
    if given not in named:
        raise ValueError(f"{what} must be functions or of {[*named]}, got {given!r}.")
    return named[given]


def parts(samples: Tensor):
    """Cut samples into slices that are run at once."""
    size = max(1, MOST_VALUES // max(1, samples[:1].numel() * 16))
    return [slice(i, i + size) for i in range(0, len(samples), size)]


def resolve_bounds(subject: Subject, bounds) -> tuple[float, float] | None:
    """Choose the range of inputs.

    Raises
    ------
    ValueError
        If it is none.
    """
    if bounds is None:
        return None
    if isinstance(bounds, str) and bounds == "auto":
        is_bytes = isinstance(getattr(subject.estimator, "preprocessing", None), str)
        return (0.0, 255.0) if is_bytes else (-1.0, 1.0)
    if isinstance(bounds, str) or len(bounds) != 2 or not bounds[0] < bounds[1]:
        raise ValueError(
            f"bounds must be a pair of numbers that grow, 'auto' or None, got {bounds!r}."
        )
    return float(bounds[0]), float(bounds[1])


def shrunk(bounds) -> tuple[float, float]:
    """Give a tenth of a range, about its centre."""
    low, high = bounds or (-1.0, 1.0)
    centre, half = (low + high) / 2, (high - low) / 2
    return centre - half / 10, centre + half / 10


def check_filters(filters, n_filters: int, layer: str) -> list[int]:
    """Check numbers of filters.

    Raises
    ------
    ValueError
        If there is no such filter.
    """
    if filters is None:
        return list(range(n_filters))
    chosen = [filters] if isinstance(filters, Integral) else list(filters)
    if not chosen or not all(isinstance(i, Integral) and 0 <= i < n_filters for i in chosen):
        raise ValueError(
            f"filters must be integers from 0 to {n_filters - 1} for {layer!r}, got {filters!r}."
        )
    return [int(i) for i in chosen]


def draw(rng, shape: tuple[int, ...], bounds) -> np.ndarray:
    """Draw noise uniformly from a range."""
    return rng.uniform(*(bounds or (-1.0, 1.0)), size=shape)


def starts(start, shape: tuple[int, ...], n_images: int, bounds, rng) -> np.ndarray:
    """Draw where images begin, or repeat what is given.

    Raises
    ------
    ValueError
        If there are neither one nor as many as filters.
    """
    if start is None:
        return draw(rng, (n_images, *shape), bounds)
    start = np.asarray(start, dtype=np.float64)
    if len(start) not in (1, n_images):
        raise ValueError(f"start must hold 1 or {n_images} samples, got {len(start)}.")
    return np.repeat(start, n_images // len(start), axis=0)
