"""The fitted network inside what a display is given."""

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sknn_basics.base import NeuralEstimator


def find_network(estimator) -> NeuralEstimator:
    """Find the fitted neural estimator: itself, the last step of a pipeline, the best of a search.

    Parameters
    ----------
    estimator : NeuralEstimator, Pipeline or search
        Fitted estimator.

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
        elif hasattr(network, "best_estimator_"):
            network = network.best_estimator_
        else:
            raise TypeError(
                "Expected a neural estimator, a pipeline that ends in one or a refitted search of "
                f"one, got {type(network).__name__}."
            )
    check_is_fitted(network)
    return network
