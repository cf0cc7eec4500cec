"""Types of parameters that many estimators share."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, TypeAlias

import numpy as np
import torch
from sklearn.base import BaseEstimator
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import Tensor, nn
from torch.optim import Optimizer

from sknn_basics.training.schedules import Schedule

Int: TypeAlias = int | np.integer
Float: TypeAlias = float | np.floating | np.integer
Ints: TypeAlias = Int | Sequence[Int] | np.ndarray
Floats: TypeAlias = Float | Sequence[Float] | np.ndarray
# One value for all blocks of a network, one per block, or one for each convolution of a block.
Sizes: TypeAlias = Int | list[Any] | tuple[Any, ...] | set[Any] | np.ndarray
Names: TypeAlias = str | list[str] | tuple[str, ...]
# Which columns of a table: a mask, positions or names.
Columns: TypeAlias = str | Sequence[bool | Int | str] | np.ndarray | None
# Names, or how they begin there and here.
Renamed: TypeAlias = Names | Mapping[str, str] | None
Choices: TypeAlias = str | Sequence[str | None] | None

RandomState: TypeAlias = Int | np.random.RandomState | None
Activation: TypeAlias = str | Callable[[], nn.Module]
Activations: TypeAlias = Activation | Sequence[Activation]
Loss: TypeAlias = str | Callable[..., Tensor]
Solver: TypeAlias = str | Callable[..., Optimizer]
LearningRate: TypeAlias = str | Schedule | Callable[[int], float]
WeightInit: TypeAlias = str | Callable[..., Any]
ClassWeight: TypeAlias = Mapping[Any, Float] | list[Mapping[Any, Float]] | str | None
Source: TypeAlias = (
    BaseEstimator | NeuralNet | Mapping[str, np.ndarray | torch.Tensor] | str | PathLike | None
)
# Factors of the rate by names of layers.
Rates: TypeAlias = Mapping[str, Float] | None
Scoring: TypeAlias = str | Callable[..., float] | None
Callbacks: TypeAlias = (
    Sequence[Callback | type[Callback] | tuple[str, Callback | type[Callback]]] | None
)
Device: TypeAlias = str | torch.device
# What is called with batches of images.
OfImages: TypeAlias = str | nn.Module | Callable[..., Any] | None
# What stands in place of hidden layers: a module, or what is called with the shape of a sample.
OfSamples: TypeAlias = nn.Module | Callable[..., nn.Module] | None
