"""Where and in which precision a network computes."""

import warnings

import numpy as np
import torch

DTYPES = {"float32": torch.float32, "float64": torch.float64}


def resolve_device(device: str | torch.device) -> torch.device:
    """Choose the device: 'auto' is CUDA where there is one, else the CPU.

    Raises
    ------
    ValueError
        If torch does not know the device, or this machine has none.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device={device!r} cannot be used here: {error}") from error


def resolve_device_or_cpu(device: str | torch.device) -> torch.device:
    """Choose the device of a loaded model, the CPU with a warning where there is no other."""
    try:
        return resolve_device(device)
    except ValueError:
        warnings.warn(f"No device {str(device)!r} here, the CPU is used instead.", stacklevel=2)
        return torch.device("cpu")


def resolve_dtype(name: str, X_dtype: np.dtype) -> str:
    """Choose the network's data type: 'auto' is that of X where it is a float, else float32."""
    if name == "auto":
        return "float64" if X_dtype == np.float64 else "float32"
    return name


def as_array(X):
    """Turn a tensor on any device into an array; return anything else as it is."""
    return X.numpy(force=True) if isinstance(X, torch.Tensor) else X


def new_generator(seed: int, device: torch.device) -> torch.Generator:
    """Make a random generator on a device."""
    return torch.Generator(device).manual_seed(seed)
