"""Around searches of scikit-learn: rates to try, epochs for the best, what is under way."""

from sknn_basics.model_selection.halving import EpochHalvingRandomSearchCV, EpochHalvingSearchCV
from sknn_basics.model_selection.progress import SearchProgressBar
from sknn_basics.model_selection.rates import suggest_rate

__all__ = [
    "EpochHalvingRandomSearchCV",
    "EpochHalvingSearchCV",
    "SearchProgressBar",
    "suggest_rate",
]
