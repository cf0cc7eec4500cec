"""Image files as one array of images."""

import mmap
from collections.abc import Sequence
from functools import partial
from math import prod
from numbers import Integral
from os import PathLike
from tempfile import TemporaryFile

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin

from sknn_basics._compat import Interval, StrOptions, fit_context
from sknn_basics._optional import import_optional
from sknn_basics.estimators._base.checks import as_size

# Modes of Pillow that hold more than eight bits per channel.
DEEP_MODES = ("I", "F")


class ImageReader(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Read image files, and bring them all to one size.

    The images lie in a temporary file that is mapped into memory: there may be more of them than
    memory holds, and an estimator reads them batch by batch. The file has no name (on Windows, an
    arbitrary one) and vanishes with the last array that uses it.

    Parameters
    ----------
    size : int or tuple (height, width), default=224
        Size of the images in pixels; an int for squares. Proportions are not kept.
    mode : {'RGB', 'L'}, default='RGB'
        Whether images are of three colours or grey. Of animations, the first image is read.
    background : str, tuple of three int or None, default='white'
        What is seen through transparent pixels: a colour that Pillow knows by name or as
        '#rrggbb', or its red, green and blue from 0 to 255. None refuses images with
        transparent pixels.
    flatten : bool, default=False
        Whether to return each image as one row, as `sklearn.compose.ColumnTransformer` needs it
        (which copies all columns into memory).
    folder : str, path-like or None, default=None
        Where the temporary file lies: somewhere with room for all images. None is the system's
        folder for temporary files, which may itself be in memory.

    See Also
    --------
    PixelScaler : Maps the pixels to numbers in [0, 1] or [-1, 1].

    Notes
    -----
    Needs Pillow: ``pip install 'sknn_basics[images]'``. Photos are turned upright as their EXIF
    orientation says. Images are made smaller by a weighted mean of all pixels (antialiasing), and
    interpolated bilinearly.

    Examples
    --------
    >>> from pathlib import Path
    >>> import sklearn
    >>> from sknn_basics.preprocessing import ImageReader
    >>> folder = Path(sklearn.__file__).parent / "datasets" / "images"
    >>> images = ImageReader(size=(48, 64)).transform(sorted(folder.glob("*.jpg")))
    >>> images.shape, images.dtype
    ((2, 48, 64, 3), dtype('uint8'))
    """

    _parameter_constraints: dict = {
        "size": ["array-like", Interval(Integral, 1, None, closed="left")],
        "mode": [StrOptions({"RGB", "L"})],
        "background": [str, "array-like", None],
        "flatten": ["boolean"],
        "folder": [str, PathLike, None],
    }

    def __init__(self, size=224, *, mode="RGB", background="white", flatten=False, folder=None):
        self.size = size
        self.mode = mode
        self.background = background
        self.flatten = flatten
        self.folder = folder

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Only check parameters, and that X are paths.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, 1)
            Paths of image files.
        y : Ignored
            Not used.

        Returns
        -------
        self : object
            The transformer.
        """
        self._image_shape()
        check_paths(X)
        return self

    def transform(self, X) -> np.ndarray:
        """Read the images.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, 1)
            Paths of image files: a list, an array, a series or a column of a data frame.

        Returns
        -------
        images : ndarray of shape (n_samples, height, width, 3), dtype uint8
            Images, without the last dimension for mode 'L', or of shape (n_samples, n_values) if
            `flatten`.

        Raises
        ------
        FileNotFoundError
            If there is no file of that name.
        ValueError
            If X does not hold paths, or a file cannot be read as an image, has more than eight
            bits per channel, or has transparent pixels where `background` is None.
        OSError
            If the disk of `folder` is full.
        ImportError
            If Pillow is not installed.
        """
        shape = self._image_shape()
        paths = check_paths(X)
        background = check_background(self.background)
        read = partial(read_image, size=shape[:2], mode=self.mode, background=background)
        # Written, not mapped at once: a full disk is an error then, and not a crash.
        with TemporaryFile(dir=self.folder, prefix="images-") as file:
            for number, path in enumerate(paths):
                file.write(read(path, f"X[{number}]"))
            file.flush()
            # A plain array on the map: joblib takes `numpy.memmap` for a file that has a name.
            images = np.frombuffer(mmap.mmap(file.fileno(), 0), dtype=np.uint8)
        return images.reshape(len(paths), *([-1] if self.flatten else shape))

    def _image_shape(self) -> tuple[int, ...]:
        size = as_size(self.size, 2, "size")
        return size if self.mode == "L" else (*size, 3)

    @property
    def _n_features_out(self) -> int:
        if not self.flatten:
            raise ValueError("Only images in rows have feature names: set flatten=True.")
        return prod(self._image_shape())

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags


def check_paths(X) -> list[str | PathLike]:
    """Read X as a list of paths.

    Raises
    ------
    ValueError
        If it holds something else, or nothing, or has several columns.
    """
    if isinstance(X, str | bytes | PathLike):
        raise ValueError(f"X must be paths of image files, got the single path {X!r}.")
    values = X.to_numpy() if hasattr(X, "to_numpy") else np.asarray(X, dtype=object)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or not len(values):
        raise ValueError(
            "X must be paths of image files, of shape (n_samples,) or (n_samples, 1), "
            f"got shape {values.shape}."
        )
    for number, path in enumerate(values):
        if not isinstance(path, str | PathLike):
            raise ValueError(f"X must be paths of image files, got X[{number}] = {path!r}.")
    return list(values)


def check_background(background) -> tuple[int, int, int] | None:
    """Read a colour by name or by its parts; None stays None.

    Raises
    ------
    ValueError
        If it is no colour.
    """
    if background is None:
        return None
    colours = import_optional("PIL.ImageColor", "images", "ImageReader")
    try:
        is_name = isinstance(background, str)
        red, green, blue = colours.getrgb(background)[:3] if is_name else background
    except (TypeError, ValueError) as error:
        raise ValueError(f"background={background!r} is no colour: {error}.") from error
    if not all(isinstance(part, Integral) and 0 <= part <= 255 for part in (red, green, blue)):
        raise ValueError(f"background must have parts from 0 to 255, got {background!r}.")
    return int(red), int(green), int(blue)


def read_image(
    path: str | PathLike,
    name: str,
    *,
    size: Sequence[int],
    mode: str,
    background: tuple[int, int, int] | None,
) -> bytes:
    """Read one image file as the bytes of its pixels, row by row.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it cannot be read as an image; the message tells `name` and path.
    """
    pil = import_optional("PIL.Image", "images", "ImageReader")
    try:
        with pil.open(path) as image:
            if is_deep(image):
                raise ValueError(
                    f"it has mode {image.mode!r}, with more than eight bits per channel; "
                    "scale it to bytes yourself"
                )
            return _as_pixels(image, size, mode, background, pil.Resampling.BILINEAR)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{name} is {str(path)!r}: there is no such file.") from error
    # Each decoder fails in its own way.
    except (OSError, ValueError, SyntaxError, EOFError, pil.DecompressionBombError) as error:
        raise ValueError(f"{name} is {str(path)!r}, which is no image to read: {error}.") from error


def is_deep(image) -> bool:
    """Tell whether an opened image has more than eight bits per channel in its file."""
    # Pillow would read colours of 16 bits as if they had eight: only how it unpacks them tells.
    return image.mode.startswith(DEEP_MODES) or any(
        ";16" in str(tile[-1]) for tile in getattr(image, "tile", ())
    )


def _as_pixels(image, size: Sequence[int], mode: str, background, resample) -> bytes:
    ops = import_optional("PIL.ImageOps", "images", "ImageReader")
    # JPEG decodes an image many times too large in less detail, several times faster.
    image.draft(None, (2 * max(size), 2 * max(size)))
    image = ops.exif_transpose(image)
    if image.has_transparency_data:
        image = _on_background(image.convert("RGBA"), background)
    height, width = size
    return image.convert(mode).resize((width, height), resample).tobytes()


def _on_background(image, background):
    """Show a background through the transparent pixels of an image."""
    pil = import_optional("PIL.Image", "images", "ImageReader")
    if image.getextrema()[-1][0] == 255:
        return image
    if background is None:
        raise ValueError("it has transparent pixels, and background=None")
    return pil.alpha_composite(pil.new("RGBA", image.size, (*background, 255)), image)
