"""Images in folders, one a class."""

import warnings
from os import PathLike
from pathlib import Path

import numpy as np

from sknn_basics._optional import import_optional
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
        raises, and lists them.
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
