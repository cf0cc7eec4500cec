"""Image sets in the files of MNIST: found on this machine, or fetched from OpenML."""

import gzip
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from os import PathLike
from pathlib import Path

import numpy as np
from sklearn.datasets import fetch_openml
from sklearn.utils import Bunch

IMAGE_SHAPE = (28, 28)
FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}
# Rows of OpenML's copies, which hold both parts.
ROWS = {"train": slice(None, 60_000), "test": slice(60_000, None), None: slice(None)}
OPENML_SHAPE = (70_000, 784)
IDX_UINT8 = 0x08


@dataclass(frozen=True)
class ImageSet:
    """What tells one image set in the format of MNIST from another.

    Parameters
    ----------
    name : str
        Its name in messages.
    openml_name : str
        Its name at OpenML, version 1.
    subfolders : sequence of str
        Where its files lie below a data folder.
    target_names : sequence of str
        The names of its classes.
    hint : str
        How to get the files.
    """

    name: str
    openml_name: str
    subfolders: Sequence[str]
    target_names: Sequence[str]
    hint: str


def load_image_set(
    source: ImageSet,
    split: str | None,
    data_home: str | PathLike | None,
    download_if_missing: bool,
    as_images: bool,
    return_X_y: bool,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load an image set from local files or else, if that is allowed, from OpenML."""
    try:
        images, target = read_parts(source, split, data_home)
    except FileNotFoundError as missing:
        if not download_if_missing:
            raise FileNotFoundError(
                f"{missing} download_if_missing=True fetches them from OpenML."
            ) from None
        images, target = fetch_parts(source, split, data_home, missing)
    data = images if as_images else images.reshape(len(images), -1)
    if return_X_y:
        return data, target
    return Bunch(data=data, images=images, target=target, target_names=list(source.target_names))


def read_parts(source, split, data_home) -> tuple[np.ndarray, np.ndarray]:
    """Read images and labels of one split, or of both in the order of `FILES`."""
    splits = list(FILES) if split is None else [split]
    folder = find_folder(source, data_home, [name for part in splits for name in FILES[part]])
    parts = [read_split(source, folder, part) for part in splits]
    images = np.concatenate([images for images, _ in parts])
    return images, np.concatenate([labels for _, labels in parts]).astype(np.int64)


def fetch_parts(source, split, data_home, missing) -> tuple[np.ndarray, np.ndarray]:
    """Fetch images and labels from OpenML, or from the copy that scikit-learn keeps of it."""
    try:
        X, y = fetch_openml(
            source.openml_name,
            version=1,
            as_frame=False,
            return_X_y=True,
            data_home=None if data_home is None else os.path.expanduser(data_home),
            # Many times faster, where pandas is there.
            parser="pandas" if find_spec("pandas") else "liac-arff",
        )
    except OSError as error:
        raise FileNotFoundError(f"{missing} OpenML could not be reached: {error}") from error
    if X.shape != OPENML_SHAPE:
        raise ValueError(f"{source.name} of OpenML has shape {X.shape}, not {OPENML_SHAPE}.")
    rows = ROWS[split]
    return X[rows].astype(np.uint8).reshape(-1, *IMAGE_SHAPE), y[rows].astype(np.int64)


def find_folder(source: ImageSet, data_home, names: Sequence[str]) -> Path:
    """Find the first folder that holds all files.

    Raises
    ------
    FileNotFoundError
        If there is none; the message says where it looked.
    """
    folders = candidate_folders(source, data_home)
    for folder in folders:
        if all((folder / name).is_file() for name in names):
            return folder
    raise FileNotFoundError(
        f"{source.name} was not found: none of the folders {[str(f) for f in folders]} holds "
        f"{', '.join(names)}. {source.hint}, or put the files in a folder and pass it as "
        "data_home."
    )


def candidate_folders(source: ImageSet, data_home) -> list[Path]:
    """List the folders to look in."""
    if data_home is not None:
        home = Path(data_home).expanduser()
        return [home, *(home / sub for sub in source.subfolders)]
    user = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    shared = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    roots = [Path(root).expanduser() for root in [user, *shared.split(os.pathsep)] if root]
    return [root / sub for root in roots for sub in source.subfolders]


def read_split(source: ImageSet, folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Read the images and labels of one split, and check that they belong together.

    Raises
    ------
    ValueError
        If a file is damaged, or is one of another data set.
    """
    images_path, labels_path = (folder / name for name in FILES[split])
    images = read_idx(images_path, n_dims=3)
    labels = read_idx(labels_path, n_dims=1)
    if images.shape[1:] != IMAGE_SHAPE:
        raise ValueError(f"{images_path} holds images of {images.shape[1:]}, not {IMAGE_SHAPE}.")
    if len(images) != len(labels):
        raise ValueError(
            f"{images_path} holds {len(images)} images, but {labels_path} {len(labels)} labels."
        )
    if labels.max(initial=0) >= len(source.target_names):
        raise ValueError(f"{labels_path} holds the label {labels.max()}; the last class is 9.")
    return images, labels


def read_idx(path: Path, *, n_dims: int) -> np.ndarray:
    """Read an array of bytes in the IDX format: magic number, sizes, values.

    Raises
    ------
    ValueError
        If the file is damaged, or holds something else.
    """
    try:
        with gzip.open(path) as file:
            content = file.read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is not a complete gzip file: {error}") from error
    magic, n_header = bytes([0, 0, IDX_UINT8, n_dims]), 4 * (1 + n_dims)
    if content[:4] != magic or len(content) < n_header:
        raise ValueError(
            f"{path} is not an IDX file of bytes in {n_dims} dimensions: it starts with "
            f"{content[:4].hex()!r}, not {magic.hex()!r}."
        )
    shape = tuple(np.frombuffer(content, dtype=">u4", count=n_dims, offset=4).tolist())
    n_values, n_expected = len(content) - n_header, int(np.prod(shape, dtype=np.int64))
    if n_values != n_expected:
        raise ValueError(
            f"{path} holds {n_values} values, but its header announces {n_expected} {shape}."
        )
    return np.frombuffer(content, dtype=np.uint8, offset=n_header).reshape(shape)
