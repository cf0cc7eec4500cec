"""Layers that vary images at random while training: shifted, zoomed, turned, flipped.

All take batches of shape (n_samples, n_channels, height, width), of floats, and draw anew for
every image. In evaluation mode they return what they are given.
"""

import inspect
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from copy import deepcopy
from math import isfinite, pi
from numbers import Real
from threading import RLock

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sknn_basics.modules.layers import RandomLayer, seed_random_layers

# Two threads that draw from torch's global state would take each other's numbers.
GLOBAL_STATE = RLock()

BYTES = (0.0, 255.0)


class ImageAugmentation(RandomLayer):
    """A random layer for batches of images."""

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() != 4 or not x.is_floating_point():
            raise ValueError(
                f"{type(self).__name__} takes floats of shape (n_samples, n_channels, height, "
                f"width), got {x.dtype} of shape {tuple(x.shape)}."
            )
        return super().forward(x)


class RandomAffine(ImageAugmentation):
    """Shift, zoom and turn each image by amounts of its own, sampling it once.

    Values between pixels are interpolated bilinearly. An image is turned and zoomed about its
    centre, then shifted.

    Parameters
    ----------
    shift : float in [0, 1], default=0.0
        Largest shift in either direction, as a share of the height and of the width.
    zoom : float in [0, 1), default=0.0
        Largest change of size: factors are drawn from [1 - `zoom`, 1 + `zoom`].
    rotation : float in [0, 180], default=0.0
        Largest angle in degrees, to the left and to the right.
    fill : 'edge' or float, default='edge'
        What appears where the image ends: its nearest pixel, or this value.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or a batch does not hold images.

    References
    ----------
    Simard, Steinkraus and Platt. "Best practices for convolutional neural networks applied to
    visual document analysis." ICDAR 2003.

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.modules import RandomAffine
    >>> augment = RandomAffine(shift=0.1, rotation=15)
    >>> images = torch.rand(8, 1, 28, 28)
    >>> augment(images).shape
    torch.Size([8, 1, 28, 28])
    >>> augment.eval()(images) is images
    True
    """

    def __init__(
        self,
        shift: float = 0.0,
        zoom: float = 0.0,
        rotation: float = 0.0,
        fill: str | float = "edge",
    ):
        super().__init__()
        self.shift = check_amount(shift, "shift", 1)
        self.zoom = check_amount(zoom, "zoom", 1, is_below=True)
        self.rotation = check_amount(rotation, "rotation", 180)
        self.fill = check_fill(fill)

    def draw(self, x: Tensor) -> Tensor:
        """Draw matrices of shape (n_samples, 2, 3), from places in the output to such in `x`."""
        unit = self.uniform(x, len(x), 4)
        down, right, zoom, angle = (2 * unit - 1).unbind(1)
        return affine_matrix(
            2 * self.shift * down,
            2 * self.shift * right,
            1 + self.zoom * zoom,
            self.rotation * pi / 180 * angle,
            aspect=x.shape[-1] / x.shape[-2],
        )

    def apply_draw(self, x: Tensor, drawn: Tensor) -> Tensor:
        grid = affine_grid(drawn.flatten(0, -3), *x.shape[-2:])
        return sample_images(x.flatten(0, -4), grid, self.fill).view(x.shape)

    def extra_repr(self) -> str:
        return f"shift={self.shift}, zoom={self.zoom}, rotation={self.rotation}, fill={self.fill!r}"


class RandomShift(RandomAffine):
    """Shift each image down or up, and right or left.

    Parameters
    ----------
    fraction : float in [0, 1]
        Largest shift, as a share of the height and of the width.
    fill : 'edge' or float, default='edge'
        What appears where the image ends: its nearest pixel, or this value.

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.modules import RandomShift
    >>> RandomShift(0.1)(torch.rand(8, 1, 28, 28)).shape
    torch.Size([8, 1, 28, 28])
    """

    def __init__(self, fraction: float, fill: str | float = "edge"):
        super().__init__(shift=check_amount(fraction, "fraction", 1), fill=fill)


class RandomZoom(RandomAffine):
    """Enlarge or shrink each image about its centre, with its proportions kept.

    Parameters
    ----------
    fraction : float in [0, 1)
        Largest change of size: factors are drawn from [1 - `fraction`, 1 + `fraction`].
    fill : 'edge' or float, default='edge'
        What appears where the image ends: its nearest pixel, or this value.

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.modules import RandomZoom
    >>> RandomZoom(0.2)(torch.rand(8, 1, 28, 28)).shape
    torch.Size([8, 1, 28, 28])
    """

    def __init__(self, fraction: float, fill: str | float = "edge"):
        super().__init__(zoom=check_amount(fraction, "fraction", 1, is_below=True), fill=fill)


class RandomRotation(RandomAffine):
    """Turn each image about its centre.

    Parameters
    ----------
    degrees : float in [0, 180]
        Largest angle, to the left and to the right.
    fill : 'edge' or float, default='edge'
        What appears where the image ends: its nearest pixel, or this value.

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.modules import RandomRotation
    >>> RandomRotation(15)(torch.rand(8, 1, 28, 28)).shape
    torch.Size([8, 1, 28, 28])
    """

    def __init__(self, degrees: float, fill: str | float = "edge"):
        super().__init__(rotation=check_amount(degrees, "degrees", 180), fill=fill)


class RandomFlip(ImageAugmentation):
    """Mirror each image with probability 1/2, in each direction that is switched on.

    Parameters
    ----------
    horizontal : bool, default=True
        Whether to swap left and right.
    vertical : bool, default=False
        Whether to swap top and bottom.

    Raises
    ------
    ValueError
        If both are off, or a batch does not hold images.

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.modules import RandomFlip
    >>> (flipped,) = RandomFlip()(torch.tensor([[[[1.0, 2.0]]]]))
    >>> sorted(flipped.flatten().tolist())
    [1.0, 2.0]
    """

    def __init__(self, horizontal: bool = True, vertical: bool = False):
        super().__init__()
        if not horizontal and not vertical:
            raise ValueError("RandomFlip needs horizontal=True or vertical=True.")
        self.horizontal, self.vertical = bool(horizontal), bool(vertical)

    def draw(self, x: Tensor) -> Tensor:
        """Draw whether to flip horizontally and vertically: bools of shape (n_samples, 2)."""
        # Whatever numbers the images are.
        unit = self.uniform(torch.empty((), dtype=torch.float32, device=x.device), len(x), 2)
        return unit < 0.5

    def apply_draw(self, x: Tensor, drawn: Tensor) -> Tensor:
        horizontal, vertical = drawn[..., None, None, None].unbind(-4)
        if self.horizontal:
            x = flip_some(x, horizontal, -1)
        return flip_some(x, vertical, -2) if self.vertical else x

    def extra_repr(self) -> str:
        return f"horizontal={self.horizontal}, vertical={self.vertical}"


class FunctionAugmentation(RandomLayer):
    """Make a random layer of any function or module that varies a batch.

    A function is given floats of shape (n_samples, n_channels, height, width), as functions of
    torchvision and kornia take them: in [0, 1] where X holds bytes, and in X's own range otherwise.
    What it returns is brought back to the range of X. The first batch is checked: a warning says
    where values are cut off at 0 and 1, or all images have become alike.

    A function that accepts the keyword ``generator`` is given one, seeded by a draw of this layer.
    Any other may draw from torch's global state: that is seeded in the same way before the call
    and put back after it, on the CPU and on the batch's own device. Draws from elsewhere
    (`random`, NumPy) are the function's own affair.

    Parameters
    ----------
    function : callable
        Maps a batch to one of the same shape and data type, on the same device.
    per_image : bool, default=False
        Whether the function is called for each image by itself, as a batch of one. Functions of
        torchvision draw once a call, and change all images of a batch alike; so each has a draw of
        its own, for the price of many calls. Functions of kornia need this not.
    value_range : 'auto', pair of float or None, default='auto'
        Lowest and highest value of X, which become 0 and 1 for the function. 'auto' is (0, 255)
        for bytes and None for other X; None gives values as they come.

    Raises
    ------
    ValueError
        If a result has another shape, data type or device, or `value_range` is no range.
    TypeError
        If a result is no tensor.

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.modules import FunctionAugmentation
    >>> darken = FunctionAugmentation(lambda x: x * torch.rand(len(x), 1, 1, 1))
    >>> bool((darken(torch.ones(8, 1, 4, 4)) < 1).all())
    True
    """

    # Code that nobody here knows.
    calls_user = True

    def __init__(
        self,
        function: Callable[..., Tensor],
        *,
        per_image: bool = False,
        value_range: str | tuple[float, float] | None = "auto",
    ):
        super().__init__()
        self.function, self.per_image = function, per_image
        self.value_range = check_value_range(value_range)
        self.takes_generator = accepts_generator(function)
        self.is_checked = False

    def draw(self, x: Tensor) -> Tensor:
        """Draw a seed, where it is read: on the CPU."""
        return torch.randint(2**31 - 1, (), generator=self.generator)

    def apply_draw(self, x: Tensor, drawn: Tensor) -> Tensor:
        if drawn.dim():
            return torch.stack([self.apply_draw(*one) for one in zip(x, drawn)])
        has_range = isinstance(self.value_range, tuple)
        low, high = self.value_range if has_range else (0.0, 1.0)
        # A function may work in place, on what may be a view of the training data.
        given = (x - low) / (high - low) if has_range else x.clone()
        before = given if self.is_checked else given.clone()
        result = self._call(given, int(drawn))
        if not self.is_checked:
            self.is_checked = True
            warn_of_outcome(before, result, self._name())
        return result * (high - low) + low if has_range else result

    def _call(self, x: Tensor, seed: int) -> Tensor:
        """Call the function for a batch, or for each image."""
        batches = x.split(1) if self.per_image else [x]
        if self.takes_generator:
            generator = torch.Generator(x.device).manual_seed(seed)
            results = [self.function(batch, generator=generator) for batch in batches]
        else:
            with seeded_global_state(seed, x.device):
                results = [self.function(batch) for batch in batches]
        return torch.cat([self._check_result(*pair) for pair in zip(results, batches)])

    def _name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    def _check_result(self, result, x: Tensor) -> Tensor:
        name = self._name()
        if not isinstance(result, Tensor):
            raise TypeError(f"augmentation {name} must return a tensor, got {type(result)}.")
        for what in ("shape", "dtype", "device"):
            came, expected = getattr(result, what), getattr(x, what)
            if came != expected:
                raise ValueError(
                    f"augmentation {name} must keep the {what} of a batch: it was given "
                    f"{expected}, and returned {came}."
                )
        return result

    def extra_repr(self) -> str:
        return "" if isinstance(self.function, nn.Module) else f"{self.function!r}"


def check_value_range(value_range) -> str | tuple[float, float] | None:
    """Check the range of values that a function is given as 0 to 1.

    Raises
    ------
    ValueError
        If it is neither 'auto' nor None nor two rising numbers.
    """
    if value_range is None or (isinstance(value_range, str) and value_range == "auto"):
        return value_range
    is_pair = isinstance(value_range, list | tuple) and len(value_range) == 2
    if not (is_pair and all(map(isfinite, value_range)) and value_range[0] < value_range[1]):
        raise ValueError(
            f"value_range must be 'auto', None or (low, high) with low < high, got {value_range!r}."
        )
    return tuple(map(float, value_range))


def warn_of_outcome(before: Tensor, after: Tensor, name: str) -> None:
    """Warn where a function of the user has spoilt a batch of images."""
    (low, high), (new_low, new_high) = before.aminmax(), after.aminmax()
    is_beyond = low < -0.01 or high > 1.01
    if is_beyond and new_low >= 0 and new_high <= 1:
        warnings.warn(
            f"augmentation {name} was given values from {low:g} to {high:g}, and has cut them off "
            "at 0 and 1, as functions of torchvision do: wrap it in sknn_basics.modules."
            f"FunctionAugmentation({name}, value_range=(low, high)) with the range of X.",
            stacklevel=2,
        )
    elif len(after) > 1 and (after == after[:1]).all() and not (before == before[:1]).all():
        warnings.warn(
            f"augmentation {name} has made all images of a batch alike: it must return a varied "
            "batch of images of shape (n_samples, n_channels, height, width).",
            stacklevel=2,
        )


def as_augmentation(augmentation, reads_bytes: bool = False) -> nn.Module:
    """Make a layer whose draws `seed_random_layers` seeds.

    Parameters
    ----------
    augmentation : None, nn.Module or callable
        None changes nothing. A random layer of this package is copied, and so is each part of an
        `nn.Sequential`; any other module or function becomes a `FunctionAugmentation`.
    reads_bytes : bool, default=False
        Whether the images are bytes, which functions are given as numbers in [0, 1].

    Returns
    -------
    layer : nn.Module
        A new layer, active in training mode only.

    Raises
    ------
    TypeError
        If `augmentation` is something else.

    Examples
    --------
    >>> import torch
    >>> from sknn_basics.modules import as_augmentation
    >>> as_augmentation(torch.nn.Dropout(0.2))
    FunctionAugmentation(
      (function): Dropout(p=0.2, inplace=False)
    )
    """
    if augmentation is None:
        return nn.Identity()
    if type(augmentation) is nn.Sequential:
        return nn.Sequential(*(as_augmentation(part, reads_bytes) for part in augmentation))
    if isinstance(augmentation, RandomLayer):
        layer = deepcopy(augmentation)
    elif not callable(augmentation) or isinstance(augmentation, type):
        raise TypeError(
            "augmentation must be None, an nn.Module or a function on a batch of images, "
            f"got {augmentation!r}."
        )
    else:
        layer = FunctionAugmentation(deepcopy(augmentation))
    if reads_bytes and getattr(layer, "value_range", None) == "auto":
        layer.value_range = BYTES
    return layer


class AlikeVariant(nn.Module):
    """Vary all images by the same draws, in evaluation too: the same for every batch.

    Parameters
    ----------
    augmentation : nn.Module or callable
        See `as_augmentation`. What mixes images is left out.
    reads_bytes : bool
        Whether the images are bytes.
    seed : int
        Seed of the draws.
    """

    def __init__(self, augmentation, reads_bytes: bool, seed: int):
        super().__init__()
        augmentation = as_augmentation(augmentation, reads_bytes)
        self.parts = augmentation if isinstance(augmentation, nn.Sequential) else [augmentation]
        self.seed = seed

    def forward(self, x: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed)
        for part in self.parts:
            if getattr(part, "drawn", False) is None:
                continue
            seed_random_layers(part.to(x.device), generator, x.device)
            drawn = part.draw(x[:1])
            drawn = drawn.expand(len(x), *drawn.shape[1:]) if drawn.dim() else drawn
            x = part.apply_draw(x, drawn)
        return x


def draw_variants(augmentation, image: np.ndarray, n_variants: int, seed: int) -> np.ndarray:
    """Vary one image several times, as a network in training would see it.

    Parameters
    ----------
    augmentation : None, nn.Module or callable
        See `as_augmentation`. It is called once a variant: some draw alike for a whole batch.
    image : ndarray of shape (n_channels, height, width)
        The image.
    n_variants : int
        Number of variants.
    seed : int
        Seed of the draws.

    Returns
    -------
    variants : ndarray of shape (n_variants, n_channels, height, width)
        In double precision for an image of double precision, else in single.
    """
    layer = as_augmentation(augmentation).train()
    seed_random_layers(layer, torch.Generator().manual_seed(seed))
    dtype = torch.float64 if image.dtype == np.float64 else torch.float32
    batch = torch.tensor(np.ascontiguousarray(image), dtype=dtype).unsqueeze(0)
    with torch.no_grad():
        return torch.cat([layer(batch.clone()) for _ in range(n_variants)]).numpy()


def affine_matrix(
    down: Tensor, right: Tensor, zoom: Tensor, angle: Tensor, aspect: float
) -> Tensor:
    """Make matrices that tell where each place of the output lies in the input.

    Parameters
    ----------
    down, right : Tensor of shape (n_samples,)
        Shifts; 2 is the whole height or width.
    zoom : Tensor of shape (n_samples,)
        Factors of size.
    angle : Tensor of shape (n_samples,)
        Counter-clockwise turns, in radians.
    aspect : float
        Width divided by height.

    Returns
    -------
    matrix : Tensor of shape (n_samples, 2, 3)
        Applied to (x, y, 1), each coordinate from -1 to 1.
    """
    cosine, sine = angle.cos() / zoom, angle.sin() / zoom
    turn = torch.stack((cosine, -sine / aspect, sine * aspect, cosine), 1).view(-1, 2, 2)
    return torch.cat((turn, -turn @ torch.stack((right, down), 1).unsqueeze(2)), 2)


def affine_grid(matrix: Tensor, height: int, width: int) -> Tensor:
    """Compute where each pixel lies in the input: (n_samples, height, width, 2).

    As `torch.nn.functional.affine_grid`, in a third of its time.
    """
    x, y = (
        (2 * torch.arange(size, dtype=matrix.dtype, device=matrix.device) + 1) / size - 1
        for size in (width, height)
    )
    per_x, per_y, constant = matrix[:, None, None].unbind(-1)
    return torch.addcmul(torch.addcmul(constant, per_y, y[:, None, None]), per_x, x[:, None])


def sample_images(x: Tensor, grid: Tensor, fill: str | float) -> Tensor:
    """Read images bilinearly at the places of a grid."""
    if fill == "edge":
        return F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    # Outside, torch's 'zeros' are the value itself.
    inside = F.grid_sample(x - fill if fill else x, grid, align_corners=False)
    return inside.add_(fill) if fill else inside


def flip_some(x: Tensor, is_flipped: Tensor, dim: int) -> Tensor:
    """Mirror some images along a dimension.

    Parameters
    ----------
    x : Tensor of shape (..., n_samples, n_channels, height, width)
        Images.
    is_flipped : Tensor of shape (..., n_samples, 1, 1, 1), dtype bool
        Which of them.
    dim : {-1, -2}
        The dimension: width or height.
    """
    there = torch.arange(x.shape[dim], device=x.device).view(-1, *[1] * (-1 - dim))
    # Several times faster than `where` and `flip`, whose result is thrown away.
    return x.gather(dim, torch.where(is_flipped, there.flip(0), there).expand(x.shape))


def check_amount(value: float, name: str, limit: float, is_below: bool = False) -> float:
    """Check that an amount is a number from 0 to `limit`.

    Raises
    ------
    ValueError
        If it is not.
    """
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= limit or (is_below and value == limit):
        bracket = ")" if is_below else "]"
        raise ValueError(f"{name} must be a number in [0, {limit}{bracket}, got {value!r}.")
    return float(value)


def check_fill(fill: str | float) -> str | float:
    """Check what lies outside an image.

    Raises
    ------
    ValueError
        If it is neither 'edge' nor a finite number.
    """
    if fill == "edge":
        return fill
    if not isinstance(fill, Real) or not isfinite(fill):
        raise ValueError(f"fill must be 'edge' or a finite number, got {fill!r}.")
    return float(fill)


def accepts_generator(function: Callable) -> bool:
    """Tell whether a function, or a module's forward, has a parameter ``generator``."""
    called = function.forward if isinstance(function, nn.Module) else function
    try:
        return "generator" in inspect.signature(called).parameters
    except (TypeError, ValueError):  # built-in functions have no signature
        return False


@contextmanager
def seeded_global_state(seed: int, device: torch.device):
    """Seed torch's global random state, of the CPU and of `device`, and put it back afterwards."""
    devices, device_type = ([], "cuda") if device.type == "cpu" else ([device], device.type)
    with GLOBAL_STATE, torch.random.fork_rng(devices, device_type=device_type):
        torch.default_generator.manual_seed(seed)
        if devices:
            # `torch.manual_seed` would seed all devices, and leave the others so.
            module = torch.get_device_module(device)
            with module.device(device):
                module.manual_seed(seed)
        yield
