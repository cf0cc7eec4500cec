"""Successive halving: which epochs candidates have, and the rungs in which they have them."""

from collections import defaultdict
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import product
from math import ceil

import numpy as np
from joblib import effective_n_jobs, parallel_config
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from sknn_basics._compat import insert_error_scores, is_backend_chosen, warn_of_failures
from sknn_basics.estimators._base.fit import NeuralEstimator
from sknn_basics.model_selection._parts import (
    Evaluation,
    Member,
    Rows,
    find_last,
    key_of_preparation,
    prepare,
)


@dataclass
class Plan:
    """After how many epochs the rungs end.

    Attributes
    ----------
    n_required : int
        Number of rungs that leave less than `factor` candidates.
    n_possible : int
        Number of rungs that there are epochs for.
    least, most : int
        Epochs of the first rung, and the largest number of any.
    epochs : list of int
        Those of each rung.
    """

    n_required: int
    n_possible: int
    least: int
    most: int
    epochs: list[int]


def make_plan(
    n_candidates: int, factor: float, least: str | int, most: int, is_eager: bool
) -> Plan:
    """Plan the rungs, as scikit-learn's halving does.

    Raises
    ------
    ValueError
        If the first rung has more epochs than there are.
    """
    n_required = 1 + whole_logarithm(n_candidates, factor)
    if least == "exhaust":
        least = int(most // factor ** (n_required - 1))
    least = 1 if least == "smallest" else max(1, least)
    if least > most:
        raise ValueError(f"min_resources={least} is greater than max_resources={most}.")
    n_possible = 1 + whole_logarithm(most // least, factor)
    n_rungs = n_required if is_eager else min(n_required, n_possible)
    # Where there are not enough epochs for all of them, the first rungs have the same.
    powers = [max(0, rung - max(0, n_rungs - n_possible)) for rung in range(n_rungs)]
    epochs = [min(int(factor**power * least), most) for power in powers]
    return Plan(n_required, n_possible, int(least), int(most), epochs)


def whole_logarithm(value: float, base: float) -> int:
    """Count how often a value can be divided by a base with 1 or more left."""
    n_times = 0
    while base ** (n_times + 1) <= value:
        n_times += 1
    return n_times


def choose_backend(estimator, n_jobs: int | None) -> tuple[AbstractContextManager, int | None]:
    """Choose the stacked backend for networks, where the code around has not chosen any.

    Returns
    -------
    backend : context manager
        Within it, joblib uses the backend.
    n_jobs : int or None
        What `Parallel` is given.
    """
    last, _ = find_last(estimator)
    if is_backend_chosen() or not isinstance(last, NeuralEstimator):
        return nullcontext(), n_jobs
    n_processes = effective_n_jobs(1 if n_jobs is None else n_jobs)
    return parallel_config("stacked", n_processes=n_processes), None


@dataclass
class Rungs:
    """Trains candidates rung by rung.

    Attributes
    ----------
    search : estimator
        Whose candidates they are.
    X, y : array-like
        The data.
    folds : list of Rows
        Their folds.
    evaluation : Evaluation
        How candidates are trained and scored.
    metric : str or None
        Which of several scores decides; None for the first.
    parallel : Parallel
        What runs the tasks of a rung.
    members : dict of int to list of Member
        Of each candidate that is left, by its number, one for each fold.
    candidates : list of dict
        Parameters of the candidates of all rungs so far, one rung after another.
    outcomes : list of dict
        Results of these candidates, fold by fold.
    more : dict of str to list
        Number and epochs of the rung of each of these candidates.
    """

    search: object
    X: object
    y: object
    folds: list[Rows]
    evaluation: Evaluation
    metric: str | None
    parallel: Parallel
    members: dict[int, list[Member]] = field(default_factory=dict)
    candidates: list[dict] = field(default_factory=list)
    outcomes: list[dict] = field(default_factory=list)
    more: dict[str, list] = field(default_factory=lambda: defaultdict(list))

    def begin(self, candidates: list[dict], estimators: list, fit_params: dict, classes) -> None:
        """Make what is trained of each candidate.

        What comes before the network in a pipeline is fitted here, once for all candidates that
        have the same of it.
        """
        prefixes = [find_last(estimator)[1] for estimator in estimators]
        keys = [key_of_preparation(*pair) for pair in zip(candidates, prefixes)]
        first = dict(zip(reversed(keys), reversed(estimators)))
        places = list(product(first, range(len(self.folds))))
        error_score = self.evaluation.error_score
        calls = [
            (first[key], self.X, self.y, self.folds[fold], fit_params, classes, error_score)
            for key, fold in places
        ]
        if any(prefixes):
            prepared = self.parallel(delayed(prepare)(*call) for call in calls)
        else:  # Rows are cut out, nothing is fitted.
            prepared = [prepare(*call) for call in calls]
        prepared = dict(zip(places, prepared))
        for number, (parameters, estimator) in enumerate(zip(candidates, estimators)):
            last, _ = find_last(estimator)
            self.members[number] = [
                Member(parameters, fold, clone(last), prepared[keys[number], fold])
                for fold in range(len(self.folds))
            ]

    def train(self, rung: int, n_epochs: int, context) -> None:
        """Train all that is left until it has had so many epochs, and take the results down."""
        own = self.evaluate(n_epochs, context)
        self.outcomes += own
        if callable(self.search.scoring):
            insert_error_scores(self.outcomes, self.evaluation.error_score)
        if rung == 0 and all(outcome["fit_error"] for outcome in own):
            warn_of_failures(own, self.evaluation.error_score)
        self.candidates += [members[0].parameters for members in self.members.values()]
        self.more["iter"] += [rung] * len(self.members)
        self.more["n_resources"] += [n_epochs] * len(self.members)

    def evaluate(self, n_epochs: int, context) -> list[dict]:
        """Train and score all that is left, as one call of joblib."""
        members = [member for own in self.members.values() for member in own]
        tasks = [
            context.subcontext(task_name="candidate-split-evaluation", task_id=number)
            for number in range(len(members))
        ]
        results = self.parallel(
            delayed(self.evaluation.run)(
                member, n_epochs, self.X, self.y, self.folds[member.fold], self.search, task
            )
            for member, task in zip(members, tasks)
        )
        for member, (_, *state) in zip(members, results):
            # In another process, a copy was trained.
            member.last, member.n_epochs, member.has_ended = state
        return [outcome for outcome, *_ in results]

    def keep_best(self, factor: float) -> None:
        """Let those go that have failed, and all but the best."""
        n_members = len(self.members)
        own = iter(self.outcomes[-n_members * len(self.folds) :])
        scores = {}
        for number in self.members:
            outcomes = [next(own) for _ in self.folds]
            if not any(outcome["fit_error"] for outcome in outcomes):
                scores[number] = np.mean([self.score_of(outcome) for outcome in outcomes])
        # What is not a number sorts after all others.
        best = sorted(scores, key=lambda number: (np.isnan(scores[number]), -scores[number]))
        kept = set(best[: ceil(n_members / factor)])
        self.members = {n: members for n, members in self.members.items() if n in kept}

    def score_of(self, outcome: dict) -> float:
        """Give the score that decides."""
        score = outcome["test_scores"]
        if not isinstance(score, dict):
            return score
        return score[self.metric] if self.metric in score else next(iter(score.values()))
