"""Fashion-MNIST: photos of clothing."""

from os import PathLike

import numpy as np
from sklearn.utils import Bunch

from sknn_basics._compat import StrOptions, validate_params
from sknn_basics.datasets.idx import ImageSet, load_image_set

FASHION_MNIST = ImageSet(
    name="Fashion-MNIST",
    openml_name="Fashion-MNIST",
    # As Debian, a user and torchvision lay them out.
    subfolders=("datasets/fashion-mnist", "fashion-mnist", "FashionMNIST/raw"),
    target_names=(
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
    ),
    hint="Install the Debian package dataset-fashion-mnist",
)


@validate_params(
    {
        "split": [StrOptions({"train", "test"}), None],
        "data_home": [str, PathLike, None],
        "download_if_missing": ["boolean"],
        "as_images": ["boolean"],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def load_fashion_mnist(
    *,
    split: str | None = None,
    data_home: str | PathLike | None = None,
    download_if_missing: bool = True,
    as_images: bool = False,
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load the Fashion-MNIST data set (classification).

    Photos of 70,000 articles of clothing, split by their authors into a training and a test set.
    Files on this machine are read where they are.

    =================   ==============
    Classes                         10
    Samples per class          7,000
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
        ``/usr/local/share`` and ``/usr/share``). What is downloaded is kept in this
        folder, None in that of `sklearn.datasets.get_data_home`.

    download_if_missing : bool, default=True
        Whether to fetch data from OpenML that are not on this machine, with
        `sklearn.datasets.fetch_openml`, which keeps them for the next time. With
        False, only local files are read, and nothing is ever downloaded.

    as_images : bool, default=False
        Whether `data` are images, of shape (n_samples, 28, 28), and not rows.

    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    dataset : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        data : ndarray of shape (n_samples, 784) or (n_samples, 28, 28), dtype uint8
            One image a row, flattened unless `as_images`.
        images : ndarray of shape (n_samples, 28, 28), dtype uint8
            The same images; they share the memory of `data`.
        target : ndarray of shape (n_samples,), dtype int64
            The class of each image, 0 to 9.
        target_names : list of str
            The names of the ten classes.

    (data, target) : tuple if `return_X_y=True`
        The two arrays described above.

    Raises
    ------
    FileNotFoundError
        If no folder holds the files, and OpenML cannot be reached or must not be; the
        message says where it looked, and what to do.
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
    return load_image_set(
        FASHION_MNIST, split, data_home, download_if_missing, as_images, return_X_y
    )
