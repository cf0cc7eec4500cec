"""Tools for searches: learning rates, epochs for the best, backtests, and a progress bar."""

from sknn_basics.model_selection.backtests import Backtest, backtest, make_forecast_scorer
from sknn_basics.model_selection.halving import EpochHalvingRandomSearchCV, EpochHalvingSearchCV
from sknn_basics.model_selection.progress import SearchProgressBar
from sknn_basics.model_selection.rates import suggest_rate

__all__ = [
    "Backtest",
    "EpochHalvingRandomSearchCV",
    "EpochHalvingSearchCV",
    "SearchProgressBar",
    "backtest",
    "make_forecast_scorer",
    "suggest_rate",
]
