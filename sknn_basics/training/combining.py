"""How the outputs of several networks become one prediction."""

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

N_PICKS = 25


def find_temperature(logits: np.ndarray, target: np.ndarray, weight: np.ndarray) -> float:
    """Find what logits are to be divided by, for the smallest log-loss.

    Parameters
    ----------
    logits : ndarray of shape (n_samples, n_classes)
        Outputs for rows that the networks did not learn from.
    target : ndarray of shape (n_samples,)
        Numbers of their classes.
    weight : ndarray of shape (n_samples,)
        Weights of the rows.

    Returns
    -------
    temperature : float
        Between 0.05 and 20.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger. "On calibration of modern neural networks." ICML 2017.
    """
    rows = np.arange(len(target))

    def log_loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        # A prior that weighs as much as a few rows keeps those without an error from certainty.
        prior = log_temperature**2 / len(rows)
        return prior - np.average(scaled[rows, target], weights=weight)

    found = minimize_scalar(log_loss, bounds=(np.log(0.05), np.log(20)), method="bounded")
    return float(np.exp(found.x))


def pick_greedily(
    predictions: np.ndarray, score: Callable[[np.ndarray], float], n_picks: int = N_PICKS
) -> np.ndarray:
    """Choose how much each model counts, by picking again and again the one that helps most.

    Parameters
    ----------
    predictions : ndarray of shape (n_models, ...)
        Predictions for rows that the models did not learn from.
    score : callable
        Computes the loss of a mean of predictions; lower is better.
    n_picks : int, default=25
        Number of picks, with replacement.

    Returns
    -------
    weights : ndarray of shape (n_models,)
        Shares of the picks, which sum to 1.

    References
    ----------
    Caruana, Niculescu-Mizil, Crew and Ksikes. "Ensemble selection from libraries of models."
    ICML 2004.
    """
    counts, total = np.zeros(len(predictions)), np.zeros_like(predictions[0])
    best_counts, best_loss = None, np.inf
    for n in range(1, n_picks + 1):
        losses = [score((total + prediction) / n) for prediction in predictions]
        chosen = int(np.argmin(losses))
        counts[chosen] += 1
        total = total + predictions[chosen]
        if losses[chosen] < best_loss:
            best_counts, best_loss = counts.copy(), losses[chosen]
    best_counts = counts if best_counts is None else best_counts
    return best_counts / best_counts.sum()
