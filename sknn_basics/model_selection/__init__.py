"""Around searches of scikit-learn: rates to try, what is under way, and how long it will take."""

from sknn_basics.model_selection.progress import SearchProgressBar
from sknn_basics.model_selection.rates import suggest_rate

__all__ = ["SearchProgressBar", "suggest_rate"]
