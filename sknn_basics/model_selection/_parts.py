"""Fits that are made in parts: how an estimator continues, alone or at the end of a pipeline."""

import time
import warnings
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from inspect import signature
from numbers import Real
from traceback import format_exc
from typing import NamedTuple

import joblib
import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from sknn_basics._compat import (
    MultimetricScorer,
    check_method_params,
    has_callbacks,
    safe_split,
    score_or_error,
)
from sknn_basics.estimators._base.fit import NeuralEstimator

# Estimators whose `max_iter` counts the iterations of all fits of a warm start together.
COUNTING_ALL = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)


# What is trained, at the end of what is only fitted before it.


def find_last(estimator) -> tuple[object, str]:
    """Find the estimator that is trained for epochs, and the prefix of its parameters."""
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
    elif isinstance(estimator, TransformedTargetRegressor):
        name, last = "regressor", estimator.regressor
    else:
        return estimator, ""
    found, prefix = find_last(last)
    return found, f"{name}__{prefix}"


def with_last(estimator, last):
    """Copy an estimator that was fitted with a `Catcher`, with the last one in its place."""
    copied = copy(estimator)
    if isinstance(estimator, Pipeline):
        name, inner = estimator.steps[-1]
        copied.steps = [*estimator.steps[:-1], (name, with_last(inner, last))]
    elif isinstance(estimator, TransformedTargetRegressor):
        copied.regressor_ = with_last(estimator.regressor_, last)
    else:
        return last
    return copied


class Catcher(BaseEstimator):
    """Stands for the last estimator, and takes down what its `fit` would be called with."""

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, *args, **kwargs):
        self.caught_ = args, kwargs
        return self

    def predict(self, X):
        """Be taken for a regressor: this is never called."""
        raise NotImplementedError

    def get_metadata_routing(self):
        return self.estimator.get_metadata_routing()

    def __sklearn_tags__(self):
        return get_tags(self.estimator)


class Rows(NamedTuple):
    """Rows of a fold, to train and to score on."""

    train: np.ndarray
    test: np.ndarray


@dataclass
class Prepared:
    """What a fold's candidates share whose parameters before the last estimator are the same.

    Attributes
    ----------
    before : estimator or None
        All but the last estimator, fitted; None if there is nothing.
    args, kwargs : tuple, dict
        What the last estimator's `fit` is called with.
    classes : ndarray or None
        All classes of a classifier's whole y.
    error : str or None
        Traceback of what went wrong instead.
    seconds : float
        How long it took.
    """

    before: object = None
    args: tuple = ()
    kwargs: dict = field(default_factory=dict)
    classes: np.ndarray | None = None
    error: str | None = None
    seconds: float = 0.0


def prepare(estimator, X, y, rows: Rows, fit_params: dict, classes, error_score) -> Prepared:
    """Fit all but the last estimator to the rows of a fold to train on."""
    X_train, y_train = safe_split(estimator, X, y, rows.train)
    args = (X_train,) if y_train is None else (X_train, y_train)
    kwargs = check_method_params(X, params=fit_params, indices=rows.train)
    last, prefix = find_last(estimator)
    if not prefix:
        return Prepared(None, args, kwargs, classes)
    start = time.perf_counter()
    before = clone(estimator).set_params(**{prefix.removesuffix("__"): Catcher(last)})
    try:
        before.fit(*args, **kwargs)
    except Exception:
        if error_score == "raise":
            raise
        return Prepared(error=format_exc(), seconds=time.perf_counter() - start)
    seconds = time.perf_counter() - start
    catcher = before
    while not isinstance(catcher, Catcher):
        is_pipeline = isinstance(catcher, Pipeline)
        catcher = catcher.steps[-1][1] if is_pipeline else catcher.regressor_
    caught_args, caught_kwargs = catcher.caught_
    return Prepared(before, caught_args, caught_kwargs, classes, seconds=seconds)


def key_of_preparation(parameters: dict, prefix: str) -> str | int:
    """Make what is equal for candidates that differ in the last estimator alone."""
    own = {
        name: value
        for name, value in parameters.items()
        if not (f"{name}__" == prefix or name.startswith(prefix))
    }
    try:
        return joblib.hash(sorted(own.items(), key=lambda item: item[0]))
    except Exception:  # What cannot be pickled is never the same.
        return id(parameters)


# How it continues.


def check_can_go_on(estimator) -> None:
    """Check that an estimator can continue with a fit.

    Raises
    ------
    TypeError
        If it cannot; the message says what it lacks.
    """
    last, _ = find_last(estimator)
    parameters = last.get_params(deep=False) if hasattr(last, "get_params") else {}
    can_go_on = hasattr(last, "partial_fit") or "warm_start" in parameters
    if not (isinstance(last, NeuralEstimator) or can_go_on) or "max_iter" not in parameters:
        raise TypeError(
            "A search by halving gives good candidates more epochs. It needs an estimator, or a "
            "pipeline that ends in one, that counts them in max_iter and has partial_fit or "
            f"warm_start, to continue where it was. Got {type(last).__name__}."
        )


def go_on(last, prepared: Prepared, done: int, until: int) -> bool:
    """Train the last estimator until it has had so many epochs; tell whether it has ended."""
    with warnings.catch_warnings():
        # What has not converged yet continues, or has had all epochs that there are.
        warnings.simplefilter("ignore", ConvergenceWarning)
        if isinstance(last, NeuralEstimator):
            return last._fit_part(until, *prepared.args, **prepared.kwargs)
        if hasattr(last, "partial_fit") and not getattr(last, "early_stopping", False):
            pass_over(last, prepared, until - done)
        else:
            fit_warm(last, prepared, done, until)
    return until >= last.max_iter


def pass_over(last, prepared: Prepared, n_epochs: int) -> None:
    """Call `partial_fit` with all data, once an epoch."""
    takes_classes = "classes" in signature(last.partial_fit).parameters
    classes = {"classes": prepared.classes} if takes_classes else {}
    for _ in range(n_epochs):
        last.partial_fit(*prepared.args, **classes, **prepared.kwargs)


def fit_warm(last, prepared: Prepared, done: int, until: int) -> None:
    """Go on by a warm start."""
    most, was_warm = last.max_iter, last.warm_start
    n_epochs = until if isinstance(last, COUNTING_ALL) else until - done
    last.set_params(warm_start=True, max_iter=n_epochs).fit(*prepared.args, **prepared.kwargs)
    last.set_params(warm_start=was_warm, max_iter=most)


@dataclass(eq=False)
class Member:
    """A candidate on a fold: what is trained rung by rung.

    Attributes
    ----------
    parameters : dict
        The candidate's.
    fold : int
        Number of the fold.
    last : estimator
        What is trained, at the end of a pipeline or alone.
    prepared : Prepared
        What comes before it, and its data.
    n_epochs : int
        Epochs so far.
    has_ended : bool
        Whether it has nothing left to train.
    """

    parameters: dict
    fold: int
    last: object
    prepared: Prepared
    n_epochs: int = 0
    has_ended: bool = False

    def train(self, until: int) -> None:
        """Train until it has had so many epochs."""
        if self.prepared.error is None and until > self.n_epochs and not self.has_ended:
            self.has_ended = go_on(self.last, self.prepared, self.n_epochs, until)
        self.n_epochs = max(until, self.n_epochs)

    @property
    def fitted(self):
        """The estimator that predicts."""
        before = self.prepared.before
        return self.last if before is None else with_last(before, self.last)


@dataclass
class Evaluation:
    """How members are trained and scored: what is the same for all of them.

    Attributes
    ----------
    scorer : callable
        The score, or several.
    score_params : dict
        What it is called with besides.
    error_score : 'raise' or float
        What a score is that cannot be computed.
    return_train_score : bool
        Whether the rows to train on are scored, too.
    verbose : int
        From 2 on, a line is printed for each.
    """

    scorer: Callable
    score_params: dict
    error_score: str | Real
    return_train_score: bool
    verbose: int

    def run(self, member: Member, until: int, X, y, rows: Rows, search, context) -> tuple:
        """Train a member until it has had so many epochs, and score it.

        Returns
        -------
        result : dict
            As scikit-learn's `_fit_and_score` returns it.
        last : estimator
            What was trained: in another process, it is a copy.
        n_epochs : int
            Epochs so far.
        has_ended : bool
            Whether nothing is left to train.
        """
        data, is_first = {}, member.n_epochs == 0
        if has_callbacks(search):
            data = dict(zip(("X", "y"), self._rows(member, X, y, rows.train)))
            data["metadata"] = weights_of(member.prepared.kwargs)
        start = time.perf_counter()
        try:
            with context.propagate_callback_context(member.last):
                context.call_on_fit_task_begin(estimator=search, **data)
                member.train(until)
            result = {"fit_error": member.prepared.error}
        except Exception:
            if self.error_score == "raise":
                raise
            result = {"fit_error": format_exc()}
        finally:
            context.call_on_fit_task_end(estimator=search, **data)
        result["fit_time"] = time.perf_counter() - start
        if is_first:
            result["fit_time"] += member.prepared.seconds
        start = time.perf_counter()
        for part, name in self._parts():
            if result["fit_error"] is None:
                result[name] = self._score(member, X, y, getattr(rows, part))
            else:
                result[name] = self._error_scores()
        result["score_time"] = time.perf_counter() - start
        self._print(member, result)
        return result, member.last, member.n_epochs, member.has_ended

    def _parts(self) -> list[tuple[str, str]]:
        """List what is scored: which rows, and the name of their scores."""
        train = [("train", "train_scores")] if self.return_train_score else []
        return [("test", "test_scores"), *train]

    def _rows(self, member: Member, X, y, rows) -> tuple:
        return safe_split(member.fitted, X, y, rows)

    def _score(self, member: Member, X, y, rows):
        X_part, y_part = self._rows(member, X, y, rows)
        params = check_method_params(X, params=self.score_params, indices=rows)
        return score_or_error(member.fitted, X_part, y_part, self.scorer, params, self.error_score)

    def _error_scores(self):
        """Give the scores of what could not be fitted."""
        if isinstance(self.scorer, MultimetricScorer):
            return dict.fromkeys(self.scorer._scorers, self.error_score)
        return self.error_score

    def _print(self, member: Member, result: dict) -> None:
        """Print a line, if wanted."""
        if self.verbose < 2:
            return
        named = ", ".join(f"{name}={value}" for name, value in sorted(member.parameters.items()))
        print(
            f"[CV {member.fold + 1}] {named}; {member.n_epochs} epochs, "
            f"score={result['test_scores']}, {result['fit_time']:.1f} s"
        )


def weights_of(params: dict) -> dict | None:
    """Give what callbacks are told of the metadata of a fit."""
    weight = params.get("sample_weight")
    return None if weight is None else {"sample_weight": weight}
