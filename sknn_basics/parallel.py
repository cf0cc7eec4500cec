"""Many fits of scikit-learn trained as one network: what users import of `stacking`."""

from sknn_basics.stacking.backend import stacked
from sknn_basics.stacking.report import Report, Training

__all__ = ["Report", "Training", "stacked"]
