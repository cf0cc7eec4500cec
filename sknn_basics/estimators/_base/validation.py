"""What a fit validates on after every epoch: which rows are held out, and how they are scored."""

from collections.abc import Callable

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split


def split_rows(
    n_samples: int, fraction: float, strata: np.ndarray | None, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Split row numbers for training and validation, by class where that is possible.

    Parameters
    ----------
    n_samples : int
        How many rows there are.
    fraction : float
        Share of those to validate on, of which there are at least two.
    strata : ndarray of shape (n_samples,) or None
        Classes that both parts are to have in the same shares.
    rng : numpy.random.RandomState
        Source of the split.

    Raises
    ------
    ValueError
        If there are too few rows for both.
    """
    n_valid = max(2, int(np.ceil(fraction * n_samples)))
    if fraction == 0 or n_valid >= n_samples:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of "
            "your dataset: early_stopping=True needs samples to train and to validate on, got "
            f"validation_fraction={fraction} of n_samples={n_samples}."
        )
    if strata is not None:
        counts = np.unique(strata, return_counts=True)[1]
        if counts.min() < 2 or len(counts) > min(n_valid, n_samples - n_valid):
            strata = None
    return train_test_split(
        np.arange(n_samples),
        test_size=n_valid,
        random_state=rng,
        stratify=strata,
    )


def score_by(scoring, estimator, X, y, weight: np.ndarray | None) -> Callable:
    """Make the function of a net that scores an estimator on validation data as a scorer does.

    Parameters
    ----------
    scoring : str or callable
        What `sklearn.metrics.check_scoring` reads.
    estimator : object
        What the scorer is called with; the net is its own.
    X, y : array-like
        Validation data, as a user gives them.
    weight : ndarray of shape (n_samples,) or None
        Their weights.
    """
    scorer = check_scoring(estimator, scoring)
    weights = {} if weight is None else {"sample_weight": weight}

    def score(net) -> float:
        try:
            return scorer(estimator, X, y, **weights)
        except Exception as error:
            # A function of the user raises what it likes, a scorer of scikit-learn anything.
            if not hasattr(scorer, "_score_func"):
                raise
            raise ValueError(
                f"scoring={scoring!r} cannot score the validation data: set it to None or "
                f"'loss', or to a function of (estimator, X, y) that can. {error}"
            ) from error

    return score
