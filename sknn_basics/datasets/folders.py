"""Images in folders, one per class."""

import warnings
from os import PathLike
from pathlib import Path

import numpy as np
from sklearn.utils import check_consistent_length, check_random_state

from sknn_basics._optional import import_optional
from sknn_basics.modules.augmentation import as_augmentation, draw_variants
from sknn_basics.preprocessing.reader import ImageReader


def load_images(
    folder: str | PathLike, *, skip_broken: bool = False, **options
) -> tuple[np.ndarray, np.ndarray]:
    """Load the images of a folder whose subfolders are classes.

    Parameters
    ----------
    folder : str or path-like
        A folder with one folder a class, named as the class is. Images are searched for in their
        subfolders too; hidden files and those with other endings are left out.
    skip_broken : bool, default=False
        Whether files that cannot be read are left out, with a warning that names them. False
        raises an error, and lists them.
    **options
        Parameters of `sknn_basics.preprocessing.ImageReader`, such as ``size=(64, 64)``.

    Returns
    -------
    X : ndarray of shape (n_images, height, width, 3), dtype uint8
        The images, in the order of classes and names.
    y : ndarray of str of shape (n_images,)
        Their classes.

    Raises
    ------
    NotADirectoryError
        If there is no such folder.
    ValueError
        If there are no images in folders in it, or some cannot be read.
    ImportError
        If Pillow is not installed.

    See Also
    --------
    sknn_basics.preprocessing.ImageReader : Reads files of a list.

    Examples
    --------
    >>> from pathlib import Path
    >>> import sklearn
    >>> from sknn_basics.datasets import load_images
    >>> folder = Path(sklearn.__file__).parent / "datasets"
    >>> X, y = load_images(folder, size=32)
    >>> X.shape, y.tolist()
    ((2, 32, 32, 3), ['images', 'images'])
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise NotADirectoryError(f"folder={str(folder)!r} is no folder.")
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    files = [(path, kind.name) for kind in classes for path in image_files(kind)]
    if not files:
        raise ValueError(
            f"folder={str(folder)!r} must have a folder for each class, with images in it; "
            f"its folders are {[kind.name for kind in classes]}."
        )
    paths, labels = zip(*files)
    reader, y = ImageReader(**options), np.array(labels)
    if not skip_broken:
        return reader.transform(paths), y
    X, is_read = reader.read(paths)
    if not is_read.all():
        broken = [str(path) for path, read in zip(paths, is_read) if not read]
        warnings.warn(f"{len(broken)} images cannot be read: {', '.join(broken)}.", stacklevel=2)
    return X, y[is_read]


def save_variants(
    folder: str | PathLike, augmentation, X, y, *, n_variants: int = 5, random_state=None
) -> list[Path]:
    """Save variants of images as PNG files, in a folder for each class.

    Parameters
    ----------
    folder : str or path-like
        Where the folders of classes are made; `load_images` reads them.
    augmentation : nn.Module or callable
        What makes variants, as estimators take it: see `sknn_basics.modules`.
    X : array-like of shape (n_images, height, width) or (n_images, height, width, 3)
        Images: bytes, or numbers from 0 to 1, beyond which values are cut off.
    y : array-like of shape (n_images,)
        Their classes, which name the folders.
    n_variants : int, default=5
        Number of variants of each image.
    random_state : int, RandomState instance or None, default=None
        Source of the draws.

    Returns
    -------
    paths : list of Path
        The files, ``<folder>/<class>/<number of the image>-<number of the variant>.png``.

    Raises
    ------
    ValueError
        If X holds no images, or y has another length.
    ImportError
        If Pillow is not installed.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics.datasets import load_images, save_variants
    >>> from sknn_basics.modules import RandomAffine
    >>> digits = load_digits()
    >>> with TemporaryDirectory() as folder:
    ...     paths = save_variants(
    ...         folder, RandomAffine(shift=0.1), digits.images[:4] / 16, digits.target[:4]
    ...     )
    ...     X, y = load_images(folder, size=8, mode="L")
    >>> X.shape, sorted(set(y.tolist()))
    ((20, 8, 8), ['0', '1', '2', '3'])
    """
    pil = import_optional("PIL.Image", "images", "save_variants")
    X, y = np.asarray(X), np.asarray(y)
    if X.ndim not in (3, 4) or X.shape[3:] not in ((), (1,), (3,)):
        raise ValueError(f"X must be grey images or images of three colours, got shape {X.shape}.")
    check_consistent_length(X, y)
    images = X.astype(np.float64) if X.dtype == np.uint8 else 255 * X.astype(np.float64)
    layer = as_augmentation(augmentation, reads_bytes=True)
    rng, paths = check_random_state(random_state), []
    for number, (image, label) in enumerate(zip(images, y)):
        seed = rng.randint(np.iinfo(np.int32).max)
        channels_first = np.moveaxis(np.atleast_3d(image), -1, 0)
        variants = draw_variants(layer, channels_first, n_variants, seed)
        pixels = np.rint(np.clip(variants, 0, 255)).astype(np.uint8)
        for variant, values in enumerate(np.moveaxis(pixels, 1, -1)):
            path = Path(folder) / str(label) / f"{number:06d}-{variant}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pil.fromarray(values.squeeze(-1) if values.shape[-1] == 1 else values).save(path)
            paths.append(path)
    return paths


def image_files(folder: Path) -> list[Path]:
    """List the files below a folder that end as images do, hidden ones left out."""
    endings = import_optional("PIL.Image", "images", "load_images").registered_extensions()
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in endings
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder.parent).parts)
    )
