"""Images as matplotlib shows them, and where."""

from math import isqrt

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array

from sknn_basics._optional import import_optional

DATA_FORMATS = ("auto", "channels_last", "channels_first", "no_channels")
GREY = {"cmap": "gray", "vmin": 0, "vmax": 1, "interpolation": "nearest"}


def import_pyplot(display):
    """Import `matplotlib.pyplot` for a display.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the message names the extra.
    """
    return import_optional("matplotlib.pyplot", "plot", type(display).__name__)


def as_image(image, data_format: str = "auto") -> np.ndarray:
    """Check one image, and return it with channels last, or without if it has one.

    Parameters
    ----------
    image : array-like of shape (height, width), (height, width, n_channels) or \
(n_channels, height, width)
        Grey or of three colours.
    data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
        Where it has its channels; 'auto' is last, if there are three dimensions.

    Raises
    ------
    ValueError
        If it is no image that can be shown.
    """
    if data_format not in DATA_FORMATS:
        raise ValueError(f"data_format must be one of {DATA_FORMATS}, got {data_format!r}.")
    image = check_array(image, ensure_2d=False, allow_nd=True, input_name="image")
    n_dims = {"auto": (2, 3), "no_channels": (2,)}.get(data_format, (3,))
    shown = np.moveaxis(image, 0, -1) if data_format == "channels_first" else image
    if image.ndim not in n_dims or (image.ndim == 3 and shown.shape[-1] not in (1, 3)):
        raise ValueError(
            f"image must be grey or of three colours, got shape {image.shape} with "
            f"data_format={data_format!r}."
        )
    return shown[..., 0] if shown.shape[2:] == (1,) else shown


def as_images(X, image_shape=None, data_format: str = "auto", name: str = "X") -> np.ndarray:
    """Check several images, and return them with channels last, or without if they have one.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, ...)
        Images of shape (height, width), (height, width, n_channels) or (n_channels, height, width),
        or rows of their pixels.
    image_shape : tuple of int, default=None
        Shape of an image whose pixels are a row of X; None takes rows for grey squares.
    data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
        Where images have their channels; 'auto' is last, if an image has three dimensions.
    name : str, default='X'
        What errors call X.

    Returns
    -------
    images : ndarray of shape (n_samples, height, width) or (n_samples, height, width, 3)
        The images.

    Raises
    ------
    ValueError
        If X holds no images that can be shown.
    """
    X = X.toarray() if issparse(X) else X
    X = check_array(X, ensure_2d=False, allow_nd=True, input_name=name)
    if X.ndim == 2:
        if image_shape is None:
            image_shape = (isqrt(X.shape[1]),) * 2
        if np.prod(image_shape) != X.shape[1]:
            raise ValueError(
                f"Rows of {X.shape[1]} pixels need an image_shape of as many, got {image_shape}."
            )
        X = X.reshape(len(X), *image_shape)
    return np.stack([as_image(image, data_format) for image in X])


def brightness_range(image: np.ndarray) -> tuple[float, float]:
    """Tell which values of an image are black and white.

    Bytes go from 0 to 255, other numbers at least from 0 to 1, and further if they do.
    """
    if image.dtype == np.uint8:
        return 0.0, 255.0
    return min(0.0, float(image.min())), max(1.0, float(image.max()))


def as_brightness(image: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Map the values of an image to [0, 1], from black to white."""
    black, white = limits
    return np.clip((image.astype(float) - black) / (white - black), 0, 1)
