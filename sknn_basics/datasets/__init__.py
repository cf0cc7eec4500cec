"""Loaders of data sets that are already on this machine."""

from sknn_basics.datasets.fashion_mnist import load_fashion_mnist

__all__ = ["load_fashion_mnist"]
