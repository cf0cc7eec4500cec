"""Layers and networks of PyTorch: the forward pass only.

Public are the layers that a user gives to an estimator.
"""

from sknn_basics.modules.augmentation import (
    FunctionAugmentation,
    RandomAffine,
    RandomFlip,
    RandomRotation,
    RandomShift,
    RandomZoom,
    as_augmentation,
)

__all__ = [
    "FunctionAugmentation",
    "RandomAffine",
    "RandomFlip",
    "RandomRotation",
    "RandomShift",
    "RandomZoom",
    "as_augmentation",
]
