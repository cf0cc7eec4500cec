"""The fitted network inside what a display is given."""

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sknn_basics.estimators._base.fit import NeuralEstimator

# Where estimators that hold another one keep it fitted: searches; those of targets; others.
PARTS = ("best_estimator_", "regressor_", "estimator_")


def find_network(estimator) -> NeuralEstimator:
    """Find the fitted neural estimator: itself, or the one that another estimator holds.

    Parameters
    ----------
    estimator : estimator
        Fitted neural estimator, or a pipeline that ends in one, a search, a forecaster, or another
        estimator of one.

    Returns
    -------
    network : NeuralEstimator
        The fitted neural estimator.

    Raises
    ------
    TypeError
        If there is none.
    NotFittedError
        If it is not fitted.
    """
    network = estimator
    while not isinstance(network, NeuralEstimator):
        check_is_fitted(network)
        if isinstance(network, Pipeline):
            network = network[-1]
        elif parts := [name for name in PARTS if hasattr(network, name)]:
            network = getattr(network, parts[0])
        else:
            raise TypeError(
                "Expected a neural estimator, or a fitted pipeline or search of one, got "
                f"{type(network).__name__}."
            )
    check_is_fitted(network)
    return network
