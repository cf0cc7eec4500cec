"""Training the networks of many fits at once, under the joblib backend ``"stacked"``."""

from sknn_basics.stacking.backend import stacked
from sknn_basics.stacking.report import Report, Training

__all__ = ["Report", "Training", "stacked"]
