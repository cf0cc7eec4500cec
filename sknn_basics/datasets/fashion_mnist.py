"""Fashion-MNIST, read from the four gzip files of its authors."""

import gzip
import os
import zlib
from os import PathLike
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

IMAGE_SHAPE = (28, 28)
TARGET_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}
# As Debian, a user and torchvision lay them out.
SUBFOLDERS = ("datasets/fashion-mnist", "fashion-mnist", "FashionMNIST/raw")
IDX_UINT8 = 0x08


@validate_params(
    {
        "split": [StrOptions({"train", "test"}), None],
        "data_home": [str, PathLike, None],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def load_fashion_mnist(
    *,
    split: str | None = None,
    data_home: str | PathLike | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load the Fashion-MNIST data set (classification).

    Photos of 70,000 articles of clothing, split by their authors into a training
    and a test set. The files are read where they are; nothing is downloaded.

    =================   ==============
    Classes                         10
    Samples per class            7,000
    Samples total               70,000
    Dimensionality                 784
    Features            integers 0-255
    =================   ==============

    Parameters
    ----------
    split : {'train', 'test'}, default=None
        The part to load: the first 60,000 rows or the last 10,000. None loads
        both, in that order.

    data_home : str or path-like, default=None
        The folder to look in, which holds the four ``*-ubyte.gz`` files or a folder
        ``fashion-mnist``, ``datasets/fashion-mnist`` or ``FashionMNIST/raw`` that
        does. None looks in the XDG data folders: ``$XDG_DATA_HOME`` (by default
        ``~/.local/share``), then those of ``$XDG_DATA_DIRS`` (by default
        ``/usr/local/share`` and ``/usr/share``).

    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        data : ndarray of shape (n_samples, 784), dtype uint8
            One flattened image a row.
        images : ndarray of shape (n_samples, 28, 28), dtype uint8
            The same images; a view of `data`.
        target : ndarray of shape (n_samples,), dtype int64
            The class of each image, 0 to 9.
        target_names : list of str
            The names of the ten classes.

    (data, target) : tuple if `return_X_y=True`
        The two arrays described above.

    Raises
    ------
    FileNotFoundError
        If no folder holds the files; the message says where it looked.
    ValueError
        If a file is damaged.

    References
    ----------
    .. [1] H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for
       Benchmarking Machine Learning Algorithms", 2017. arXiv:1708.07747.

    Examples
    --------
    >>> from sknn_basics.datasets import load_fashion_mnist
    >>> X, y = load_fashion_mnist(split="test", return_X_y=True)  # doctest: +SKIP
    >>> X.shape, y.shape  # doctest: +SKIP
    ((10000, 784), (10000,))
    """
    splits = list(FILES) if split is None else [split]
    folder = _find_folder(data_home, [name for part in splits for name in FILES[part]])
    parts = [_read_split(folder, part) for part in splits]
    images = np.concatenate([images for images, _ in parts])
    target = np.concatenate([labels for _, labels in parts]).astype(np.int64)
    data = images.reshape(len(images), -1)
    if return_X_y:
        return data, target
    return Bunch(data=data, images=images, target=target, target_names=list(TARGET_NAMES))


def _find_folder(data_home, names):
    folders = _candidate_folders(data_home)
    for folder in folders:
        if all((folder / name).is_file() for name in names):
            return folder
    raise FileNotFoundError(
        f"Fashion-MNIST was not found: none of the folders {[str(f) for f in folders]} holds "
        f"{', '.join(names)}. Install the Debian package dataset-fashion-mnist, or put the "
        "files in a folder and pass it as data_home."
    )


def _candidate_folders(data_home):
    if data_home is not None:
        home = Path(data_home).expanduser()
        return [home, *(home / sub for sub in SUBFOLDERS)]
    user = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    shared = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    roots = [Path(root).expanduser() for root in [user, *shared.split(os.pathsep)] if root]
    return [root / sub for root in roots for sub in SUBFOLDERS]


def _read_split(folder, split):
    images_path, labels_path = (folder / name for name in FILES[split])
    images = _read_idx(images_path, n_dims=3)
    labels = _read_idx(labels_path, n_dims=1)
    if images.shape[1:] != IMAGE_SHAPE:
        raise ValueError(f"{images_path} holds images of {images.shape[1:]}, not {IMAGE_SHAPE}.")
    if len(images) != len(labels):
        raise ValueError(
            f"{images_path} holds {len(images)} images, but {labels_path} {len(labels)} labels."
        )
    if labels.max(initial=0) >= len(TARGET_NAMES):
        raise ValueError(f"{labels_path} holds the label {labels.max()}; the last class is 9.")
    return images, labels


def _read_idx(path, *, n_dims):
    """Read an array of bytes in the IDX format: magic number, sizes, values."""
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
