"""The arrays of the benchmarks: made once, saved, and read by the process of each peer."""

from pathlib import Path

import numpy as np

DIGITS, FASHION, PIXELS = "digits", "fashion", "pixels"


def save_arrays(folder: Path) -> str:
    """Save digits, Fashion-MNIST and its raw pixels in `folder`; return what the images are."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    _save(folder, DIGITS, X / 16, y)
    pixels, y, source = _load_images()
    _save(folder, PIXELS, pixels, y)
    _save(folder, FASHION, (pixels / np.float32(255)).astype(np.float32), y)
    return source


def load_arrays(
    folder: Path, name: str, n_rows: int | None = None, dtype: str | None = None
) -> tuple:
    X, y = np.load(folder / f"{name}_X.npy")[:n_rows], np.load(folder / f"{name}_y.npy")[:n_rows]
    return (X if dtype is None else X.astype(dtype)), y


def map_pixels(folder: Path, n_rows: int) -> tuple:
    """Open the raw pixels as a uint8 memory map, with their labels."""
    pixels = np.load(folder / f"{PIXELS}_X.npy", mmap_mode="r")
    return pixels[:n_rows], np.load(folder / f"{PIXELS}_y.npy")[:n_rows]


def _save(folder: Path, name: str, X: np.ndarray, y: np.ndarray) -> None:
    np.save(folder / f"{name}_X.npy", X)
    np.save(folder / f"{name}_y.npy", y)


def _load_images() -> tuple:
    from sknn_basics.datasets import load_fashion_mnist

    try:
        return *load_fashion_mnist(split="train", return_X_y=True), "Fashion-MNIST"
    except FileNotFoundError:
        rng = np.random.default_rng(0)
        X, y = rng.integers(256, size=(60_000, 784), dtype=np.uint8), rng.integers(10, size=60_000)
        return X, y, "random pixels of Fashion-MNIST's shape, as the data set was not found"
