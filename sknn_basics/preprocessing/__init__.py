"""What prepares data for networks."""

from sknn_basics.preprocessing.filters import FilterBank
from sknn_basics.preprocessing.pixels import PixelScaler
from sknn_basics.preprocessing.reader import ImageReader

__all__ = ["FilterBank", "ImageReader", "PixelScaler"]
