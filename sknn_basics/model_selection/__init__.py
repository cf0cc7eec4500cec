"""Around searches of scikit-learn: what is under way, and how long it will take."""

from sknn_basics.model_selection.progress import SearchProgressBar

__all__ = ["SearchProgressBar"]
