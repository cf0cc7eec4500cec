"""Training the networks of many fits at once, and one fit by many processes."""

from sknn_basics.stacking.backend import stacked
from sknn_basics.stacking.report import Report, Training
from sknn_basics.training.data_parallel import data_parallel

__all__ = ["Report", "Training", "data_parallel", "stacked"]
