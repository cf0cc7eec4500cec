"""Windows that a regressor inside of a forecaster holds out."""

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.utils.validation import has_fit_parameter

# Rows above which early_stopping='auto' of scikit-learn's histogram boosting is on.
MANY_ROWS = 10_000


def takes_validation(estimator) -> bool:
    """Tell whether the fit of a regressor takes data to validate on."""
    return has_fit_parameter(estimator, "X_val") and has_fit_parameter(estimator, "y_val")


def count_held_out(estimator, n_windows: int) -> int:
    """Count the windows that a regressor wants to hold out and can be given.

    Of those that choose them by themselves, at random, a warning says so.
    """
    for part in (estimator, *estimator.get_params().values()):
        if not hasattr(part, "get_params") or isinstance(part, type):
            continue
        n_val = n_held_out(part.get_params(deep=False), n_windows)
        if n_val and part is estimator and takes_validation(estimator):
            return n_val
        if n_val:
            warn_of_random_windows(part)
    return 0


def n_held_out(params: dict, n_samples: int) -> int:
    """Tell from the parameters of a regressor how many of its samples it holds out."""
    stops = params.get("early_stopping", params.get("n_iter_no_change") is not None)
    if stops == "auto":
        stops = n_samples > MANY_ROWS
    share = params.get("validation_fraction")
    # What is no share is left to the regressor, which complains.
    if not stops or params.get("solver") == "lbfgs" or not isinstance(share, Real) or share <= 0:
        return 0
    return share if isinstance(share, Integral) else max(2, int(np.ceil(share * n_samples)))


def warn_of_random_windows(regressor) -> None:
    """Warn of a regressor that holds out random windows."""
    warnings.warn(
        f"{type(regressor).__name__} stops early by the score of windows that it holds out at "
        "random: they overlap with those that it is trained on, so that the score is too good. "
        "Switch this off (by early_stopping or n_iter_no_change), or let the Forecaster hold out "
        "the last windows: its estimator itself has to be a regressor whose fit takes X_val, such "
        "as sknn_basics.MLPRegressor.",
        stacklevel=6,
    )
