"""Transformers that prepare tables, images and series for networks."""

from sknn_basics.preprocessing.features import NetworkFeatures
from sknn_basics.preprocessing.filters import FilterBank
from sknn_basics.preprocessing.pixels import PixelScaler
from sknn_basics.preprocessing.reader import ImageReader
from sknn_basics.preprocessing.sequences import SequenceScaler
from sknn_basics.preprocessing.tables import TableEncoder
from sknn_basics.preprocessing.windows import SlidingWindow

__all__ = [
    "FilterBank",
    "ImageReader",
    "NetworkFeatures",
    "PixelScaler",
    "SequenceScaler",
    "SlidingWindow",
    "TableEncoder",
]
