"""PyTorch modules to pass to estimators: augmentation, and layers for networks of your own."""

from sknn_basics.modules.augmentation import (
    FunctionAugmentation,
    RandomAffine,
    RandomFlip,
    RandomRotation,
    RandomShift,
    RandomZoom,
    as_augmentation,
)
from sknn_basics.modules.branches import Branches
from sknn_basics.modules.shapes import Columns, Crop, Noise, Reshape, Upsample, ZeroPad

__all__ = [
    "Branches",
    "Columns",
    "Crop",
    "FunctionAugmentation",
    "Noise",
    "RandomAffine",
    "RandomFlip",
    "RandomRotation",
    "RandomShift",
    "RandomZoom",
    "Reshape",
    "Upsample",
    "ZeroPad",
    "as_augmentation",
]
