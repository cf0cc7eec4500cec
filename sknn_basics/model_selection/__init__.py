"""Tools for searches: learning rates to try, and a progress bar."""

from sknn_basics.model_selection.progress import SearchProgressBar
from sknn_basics.model_selection.rates import suggest_rate

__all__ = ["SearchProgressBar", "suggest_rate"]
