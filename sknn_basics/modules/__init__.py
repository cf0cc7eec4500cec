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
from sknn_basics.modules.signals import fully_convolutional, inception_time, resnet_1d
from sknn_basics.modules.variations import (
    CutMix,
    MixUp,
    RandomBlur,
    RandomColor,
    RandomCrop,
    RandomErasing,
    RandomScale,
    RandomTimeShift,
)

__all__ = [
    "Branches",
    "Columns",
    "Crop",
    "CutMix",
    "FunctionAugmentation",
    "MixUp",
    "Noise",
    "RandomAffine",
    "RandomBlur",
    "RandomColor",
    "RandomCrop",
    "RandomErasing",
    "RandomFlip",
    "RandomRotation",
    "RandomScale",
    "RandomShift",
    "RandomTimeShift",
    "RandomZoom",
    "Reshape",
    "Upsample",
    "ZeroPad",
    "as_augmentation",
    "fully_convolutional",
    "inception_time",
    "resnet_1d",
]
