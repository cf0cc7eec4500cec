"""Around searches of scikit-learn: rates to try, what is under way, forecasts of the past."""

from sknn_basics.model_selection.backtests import Backtest, backtest, make_forecast_scorer
from sknn_basics.model_selection.progress import SearchProgressBar
from sknn_basics.model_selection.rates import suggest_rate

__all__ = [
    "Backtest",
    "SearchProgressBar",
    "backtest",
    "make_forecast_scorer",
    "suggest_rate",
]
