"""What prepares data for networks."""

from sknn_basics.preprocessing.pixels import PixelScaler

__all__ = ["PixelScaler"]
