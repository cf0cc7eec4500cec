"""Image files as one array of images."""

import io
import mmap
from collections.abc import Sequence
from contextlib import contextmanager
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

# How many of the files that cannot be read an error lists.
MOST_LISTED = 20


class ImageReader(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Read image files, and bring them all to one size.

    The images lie in a temporary file that is mapped into memory: there may be more of them than
    memory holds, and an estimator reads them batch by batch. The file has no name (on Windows, an
    arbitrary one) and vanishes with the last array that uses it.

    Parameters
    ----------
    size : int or tuple (height, width), default=224
        Size of the images in pixels; an int for squares.
    mode : {'RGB', 'L'}, default='RGB'
        Whether images are of three colours or grey. Of animations, the first image is read.
    resize : {'squeeze', 'crop', 'pad'}, default='squeeze'
        What happens to images of other proportions: ``'squeeze'`` does not keep these, 'crop' cuts
        off what is too much on both sides, 'pad' shows the whole image, with `background` next to
        it (black, if that is None, and 0 next to images of more than eight bits).
    dtype : {'uint8', 'uint16', 'float32'}, default='uint8'
        Data type of the images. 'uint16' and 'float32' also read grey images of sixteen bits, and
        'float32' those of floats, as scanners and microscopes write them; the values are those of
        the files, whatever their range.
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
        "resize": [StrOptions({"squeeze", "crop", "pad"})],
        "dtype": [StrOptions({"uint8", "uint16", "float32"})],
        "background": [str, "array-like", None],
        "flatten": ["boolean"],
        "folder": [str, PathLike, None],
    }

    def __init__(
        self,
        size=224,
        *,
        mode="RGB",
        resize="squeeze",
        dtype="uint8",
        background="white",
        flatten=False,
        folder=None,
    ):
        self.size = size
        self.mode = mode
        self.resize = resize
        self.dtype = dtype
        self.background = background
        self.flatten = flatten
        self.folder = folder

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Only check parameters, and that X are images to read.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, 1)
            Paths of image files, or what else `transform` reads.
        y : Ignored
            Not used.

        Returns
        -------
        self : object
            The transformer.
        """
        self._image_shape()
        check_sources(X)
        return self

    def transform(self, X) -> np.ndarray:
        """Read the images.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, 1)
            Paths of image files: a list, an array, a series or a column of a data frame. In place
            of a path may also stand the bytes of a file, a file opened for reading bytes, or an
            image of Pillow.

        Returns
        -------
        images : ndarray of shape (n_samples, height, width, 3), dtype uint8
            Images, without the last dimension for mode 'L', or of shape (n_samples, n_values) if
            `flatten`; of another data type, if `dtype` is.

        Raises
        ------
        FileNotFoundError
            If there are no files of some names.
        ValueError
            If X does not hold paths, or files cannot be read as images, have more bits per channel
            than `dtype`, or have transparent pixels where `background` is None. All such files
            are listed: `read` leaves them out.
        OSError
            If the disk of `folder` is full.
        ImportError
            If Pillow is not installed.
        """
        images, failures = self._read(check_sources(X))
        if failures:
            raise_failures(failures)
        return images

    def read(self, X) -> tuple[np.ndarray, np.ndarray]:
        """Read the images, and leave out those that cannot be read.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, 1)
            As in `transform`.

        Returns
        -------
        images : ndarray of shape (n_read, height, width, 3), dtype uint8
            The images that could be read, as `transform` returns them.
        is_read : ndarray of bool of shape (n_samples,)
            Which they are: their labels are ``y[is_read]``.

        Raises
        ------
        ValueError
            If X does not hold paths, or no file can be read.
        OSError
            If the disk of `folder` is full.
        ImportError
            If Pillow is not installed.
        """
        sources = check_sources(X)
        images, failures = self._read(sources)
        if len(failures) == len(sources):
            raise_failures(failures)
        is_read = np.ones(len(sources), dtype=bool)
        is_read[list(failures)] = False
        return images, is_read

    def _read(self, sources: list) -> tuple[np.ndarray, dict[int, Exception]]:
        """Read images, and collect by number why the others cannot be read."""
        shape = self._image_shape()
        background = check_background(self.background)
        options = {"mode": self.mode, "resize": self.resize, "dtype": self.dtype}
        read = partial(read_image, size=shape[:2], background=background, **options)
        failures: dict[int, Exception] = {}
        # Written, not mapped at once: a full disk is an error then, and not a crash.
        with TemporaryFile(dir=self.folder, prefix="images-") as file:
            for number, source in enumerate(sources):
                try:
                    pixels = read(source, f"X[{number}]")
                except (FileNotFoundError, UnreadableImage) as error:
                    failures[number] = error
                else:
                    file.write(pixels)
            file.flush()
            n_read = len(sources) - len(failures)
            # A plain array on the map: joblib takes `numpy.memmap` for a file that has a name.
            buffer = mmap.mmap(file.fileno(), 0) if n_read else b""
            images = np.frombuffer(buffer, dtype=self.dtype)
        return images.reshape(n_read, *([prod(shape)] if self.flatten else shape)), failures

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


class UnreadableImage(ValueError):
    """A file cannot be read as an image."""


def raise_failures(failures: dict[int, Exception]) -> None:
    """Raise one error for those of several files."""
    errors = list(failures.values())
    if len(errors) == 1:
        raise errors[0]
    is_missing = all(isinstance(error, FileNotFoundError) for error in errors)
    lines = [f"{len(errors)} images cannot be read:", *map(str, errors[:MOST_LISTED])]
    if len(errors) > MOST_LISTED:
        lines.append(f"and {len(errors) - MOST_LISTED} more.")
    lines.append("ImageReader.read leaves out such images, and tells which.")
    raise (FileNotFoundError if is_missing else ValueError)("\n".join(lines))


def check_sources(X) -> list:
    """Read X as a list of paths, bytes, files or images of Pillow.

    Raises
    ------
    ValueError
        If it holds something else, or nothing, or has several columns.
    """
    if is_source(X):
        raise ValueError(f"X must be paths of image files, got the single path {X!r}.")
    if isinstance(X, list | tuple) and X and all(map(is_source, X)):
        # NumPy would read images of Pillow as arrays.
        return list(X)
    values = X.to_numpy() if hasattr(X, "to_numpy") else np.asarray(X, dtype=object)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or not len(values):
        raise ValueError(
            "X must be paths of image files, of shape (n_samples,) or (n_samples, 1), "
            f"got shape {values.shape}."
        )
    for number, source in enumerate(values):
        if not is_source(source):
            raise ValueError(
                "X must be paths of image files, bytes of such, opened files or images of Pillow, "
                f"got X[{number}] = {source!r}."
            )
    return list(values)


def is_source(value) -> bool:
    """Tell whether something may be read as one image."""
    is_file = hasattr(value, "read") and hasattr(value, "seek")
    return isinstance(value, str | bytes | PathLike) or is_file or is_pillow(value)


def is_pillow(value) -> bool:
    return hasattr(value, "getextrema") and hasattr(value, "convert")


def describe_source(source) -> str:
    """Name a source in errors."""
    if isinstance(source, str | PathLike):
        return repr(str(source))
    if isinstance(source, bytes):
        return f"{len(source)} bytes"
    return repr(source)


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
    source,
    name: str,
    *,
    size: Sequence[int],
    mode: str,
    resize: str,
    dtype: str,
    background: tuple[int, int, int] | None,
) -> bytes:
    """Read one image as the bytes of its pixels, row by row.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    UnreadableImage
        If it cannot be read as an image; the message tells `name` and path.
    """
    pil = import_optional("PIL.Image", "images", "ImageReader")
    try:
        with opened(source) as image:
            if is_deep(image):
                pixels = deep_pixels(image, size, resize, dtype)
                pixels = pixels if mode == "L" else np.repeat(pixels[..., None], 3, axis=2)
            else:
                pixels = plain_pixels(image, size, mode, resize, background)
            return np.asarray(pixels).astype(dtype).tobytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{name} is {str(source)!r}: there is no such file.") from error
    # Each decoder fails in its own way.
    except (OSError, ValueError, SyntaxError, EOFError, pil.DecompressionBombError) as error:
        raise UnreadableImage(
            f"{name} is {describe_source(source)}, which is no image to read: {error}."
        ) from error


@contextmanager
def opened(source):
    """Open an image; files are left where they were, and images of Pillow as they were."""
    pil = import_optional("PIL.Image", "images", "ImageReader")
    if is_pillow(source):
        tile = list(getattr(source, "tile", ()))
        copy = source.copy()
        # How the file holds its pixels, which reading them makes forget.
        copy.tile = tile
        yield copy
        return
    if hasattr(source, "read"):
        start = source.tell()
        try:
            yield pil.open(source)
        finally:
            source.seek(start)
        return
    with pil.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
        yield image


def is_deep(image) -> bool:
    """Tell whether an opened image has more than eight bits per channel in its file."""
    # Pillow would read colours of 16 bits as if they had eight: only how it unpacks them tells.
    return image.mode.startswith(DEEP_MODES) or any(
        ";16" in str(tile[-1]) for tile in getattr(image, "tile", ())
    )


def deep_pixels(image, size: Sequence[int], resize: str, dtype: str) -> np.ndarray:
    """Read a grey image of more than eight bits, of shape (height, width)."""
    if not image.mode.startswith(DEEP_MODES):
        raise ValueError(
            f"it has mode {image.mode!r}, with more than eight bits per channel, of which Pillow "
            "reads eight; scale it to bytes yourself"
        )
    is_float = image.mode == "F"
    if dtype == "uint8" or (is_float and dtype == "uint16"):
        remedy = "float32" if is_float else "uint16' or 'float32"
        raise ValueError(
            f"it has mode {image.mode!r}, with more than eight bits per channel; set "
            f"dtype='{remedy}', or scale it to bytes yourself"
        )
    ops = import_optional("PIL.ImageOps", "images", "ImageReader")
    image = ops.exif_transpose(image)
    image = image if is_float else image.convert("I").convert("F")
    values = np.asarray(change_size(image, size, resize, 0))
    if dtype == "uint16":
        values = np.rint(values)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(
                f"it has values from {values.min():g} to {values.max():g}; set dtype='float32'"
            )
    return values


def plain_pixels(image, size: Sequence[int], mode: str, resize: str, background):
    """Read an image of bytes, in a mode and of a size."""
    ops = import_optional("PIL.ImageOps", "images", "ImageReader")
    if hasattr(image, "draft"):
        # JPEG decodes an image many times too large in less detail, several times faster.
        image.draft(None, (2 * max(size), 2 * max(size)))
    image = ops.exif_transpose(image)
    if image.has_transparency_data:
        image = _on_background(image.convert("RGBA"), background)
    pil = import_optional("PIL.Image", "images", "ImageReader")
    color = pil.new("RGB", (1, 1), background or (0, 0, 0)).convert(mode).getpixel((0, 0))
    return change_size(image.convert(mode), size, resize, color)


def change_size(image, size: Sequence[int], resize: str, color):
    """Bring an image to a size: scaled, cropped, or padded with a colour."""
    ops = import_optional("PIL.ImageOps", "images", "ImageReader")
    bilinear = import_optional("PIL.Image", "images", "ImageReader").Resampling.BILINEAR
    height, width = size
    if resize == "crop":
        return ops.fit(image, (width, height), bilinear)
    if resize == "pad":
        return ops.pad(image, (width, height), bilinear, color)
    return image.resize((width, height), bilinear)


def _on_background(image, background):
    """Show a background through the transparent pixels of an image."""
    pil = import_optional("PIL.Image", "images", "ImageReader")
    if image.getextrema()[-1][0] == 255:
        return image
    if background is None:
        raise ValueError("it has transparent pixels, and background=None")
    return pil.alpha_composite(pil.new("RGBA", image.size, (*background, 255)), image)
