"""Loaders of image and time-series data sets, and generators of artificial data."""

from sknn_basics.datasets.fashion_mnist import load_fashion_mnist
from sknn_basics.datasets.folders import load_images, save_variants
from sknn_basics.datasets.memory_maps import to_memory_map
from sknn_basics.datasets.mnist import load_mnist
from sknn_basics.datasets.series import load_sunspots, make_sum_of_sines
from sknn_basics.datasets.shapes import SHAPE_NAMES, iter_shapes, make_shapes

__all__ = [
    "SHAPE_NAMES",
    "iter_shapes",
    "load_fashion_mnist",
    "load_images",
    "load_mnist",
    "load_sunspots",
    "make_shapes",
    "make_sum_of_sines",
    "save_variants",
    "to_memory_map",
]
