"""Searches that give all candidates a few epochs, and more to those that do well."""

import time
from abc import abstractmethod
from numbers import Integral, Real

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.model_selection import ParameterGrid, ParameterSampler, check_cv
from sklearn.utils import indexable
from sklearn.utils.parallel import Parallel

from sknn_basics._compat import (
    BaseSearchCV,
    Interval,
    MultimetricScorer,
    StrOptions,
    begin_callbacks,
    check_method_params,
    fit_context,
    warn_of_failures,
)
from sknn_basics.estimators._base.checks import unchanged_by_failure
from sknn_basics.model_selection._parts import (
    Evaluation,
    Rows,
    check_can_go_on,
    find_last,
    weights_of,
)
from sknn_basics.model_selection._rungs import Plan, Rungs, choose_backend, make_plan


class EpochHalving(BaseSearchCV):
    """What both searches share: all but where their candidates come from."""

    _parameter_constraints: dict = {
        **{k: v for k, v in BaseSearchCV._parameter_constraints.items() if k != "pre_dispatch"},
        "factor": [Interval(Real, 1, None, closed="neither")],
        "min_resources": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"exhaust", "smallest"}),
        ],
        "max_resources": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "aggressive_elimination": ["boolean"],
    }

    def __init__(
        self,
        estimator,
        *,
        scoring,
        n_jobs,
        refit,
        cv,
        verbose,
        error_score,
        return_train_score,
        factor,
        min_resources,
        max_resources,
        aggressive_elimination,
    ):
        super().__init__(
            estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.factor = factor
        self.min_resources = min_resources
        self.max_resources = max_resources
        self.aggressive_elimination = aggressive_elimination

    @abstractmethod
    def _list_candidates(self) -> list[dict]:
        """List the parameters of all candidates."""

    # The fit.

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **params):
        """Train all candidates for a few epochs, and the best of them for more.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets.
        **params : dict
            What `fit` of the estimator, the splitter (``groups``) and the scorer are given besides,
            as in `sklearn.model_selection.GridSearchCV`.

        Returns
        -------
        self : object
            The fitted search.

        Raises
        ------
        TypeError
            If the estimator cannot continue with a fit.
        ValueError
            If parameters contradict each other, or all fits fail.
        """
        check_can_go_on(self.estimator)
        with unchanged_by_failure(self):
            self._fit(X, y, params)
        return self

    def _fit(self, X, y, params: dict) -> None:
        """Split, plan, train rung by rung, read the results, and fit the best to all data."""
        scorers, metric = self._get_scorers()
        X, y = indexable(X, y)
        params = check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        data = {"estimator": self, "X": X, "y": y, "metadata": weights_of(params)}
        context = begin_callbacks(self, 1 + (self.refit is not False))
        context.call_on_fit_task_begin(**data)
        folds = self._split(X, y, routed.splitter.split)
        candidates = self._list_candidates()
        plan = self._make_plan(candidates)
        backend, n_jobs = choose_backend(self.estimator, self.n_jobs)
        with backend, Parallel(n_jobs=n_jobs) as parallel:
            evaluation = Evaluation(
                scorers,
                routed.scorer.score,
                self.error_score,
                self.return_train_score,
                self.verbose,
            )
            decides = self.refit if isinstance(self.refit, str) else None
            rungs = Rungs(self, X, y, folds, evaluation, decides, parallel)
            classes = np.unique(y) if is_classifier(self.estimator) and np.ndim(y) == 1 else None
            estimators = [self._make_candidate(parameters) for parameters in candidates]
            rungs.begin(candidates, estimators, routed.estimator.fit, classes)
            self._train(rungs, plan, context)
        self._read_results(rungs, scorers, metric)
        if self.refit:
            self._refit(routed.estimator.fit, context, data)
        context.call_on_fit_task_end(**data)

    def _split(self, X, y, params: dict) -> list[Rows]:
        """Split the rows into folds, once for all rungs."""
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        self.n_splits_ = cv.get_n_splits(X, y, **params)
        folds = [Rows(train, test) for train, test in cv.split(X, y, **params)]
        if len(folds) != self.n_splits_:
            raise ValueError(
                "cv.split and cv.get_n_splits return inconsistent results. Expected "
                f"{self.n_splits_} splits, got {len(folds)}"
            )
        if not folds:
            raise ValueError("No fits were performed: cv has no splits.")
        return folds

    def _make_plan(self, candidates: list[dict]) -> Plan:
        """Plan the rungs."""
        if not candidates:
            raise ValueError("No fits were performed: there are no candidates.")
        _, prefix = find_last(self.estimator)
        if any(f"{prefix}max_iter" in parameters for parameters in candidates):
            raise ValueError(
                f"{prefix}max_iter cannot be searched: the best candidates are trained for "
                "max_resources epochs."
            )
        plan = make_plan(
            len(candidates),
            self.factor,
            self.min_resources,
            self._most_epochs(),
            self.aggressive_elimination,
        )
        self.min_resources_, self.max_resources_ = plan.least, plan.most
        self.n_required_iterations_ = plan.n_required
        self.n_possible_iterations_ = plan.n_possible
        return plan

    def _most_epochs(self) -> int:
        """Tell how many epochs the best candidates have."""
        if self.max_resources != "auto":
            return self.max_resources
        most = find_last(self.estimator)[0].max_iter
        if not isinstance(most, Integral) or most < 1:
            raise ValueError(
                f"max_resources='auto' is the estimator's max_iter, but that is {most!r}: give a "
                "number of epochs."
            )
        return int(most)

    def _make_candidate(self, parameters: dict):
        """Make the estimator of a candidate, whose schedules know the largest number of epochs."""
        estimator = clone(self.estimator).set_params(**clone(parameters, safe=False))
        _, prefix = find_last(estimator)
        return estimator.set_params(**{f"{prefix}max_iter": self.max_resources_})

    def _train(self, rungs: Rungs, plan: Plan, context) -> None:
        """Train rung by rung."""
        self.n_resources_, self.n_candidates_ = [], []
        task = context.subcontext(task_name="search", max_subtasks=len(plan.epochs))
        task.call_on_fit_task_begin(estimator=self)
        for rung, n_epochs in enumerate(plan.epochs):
            n_candidates = len(rungs.members)
            if not n_candidates:
                break  # All that were left have failed.
            self.n_resources_.append(n_epochs)
            self.n_candidates_.append(n_candidates)
            if self.verbose:
                print(f"iter: {rung}, n_candidates: {n_candidates}, n_resources: {n_epochs}")
            part = task.subcontext(
                task_name="halving-iteration",
                max_subtasks=n_candidates * self.n_splits_,
                sequential_subtasks=False,
            )
            part.call_on_fit_task_begin(estimator=self)
            rungs.train(rung, n_epochs, part)
            rungs.keep_best(self.factor)
            part.call_on_fit_task_end(estimator=self)
        self.n_iterations_, self.n_remaining_candidates_ = (
            len(self.n_resources_),
            len(rungs.members),
        )
        task.call_on_fit_task_end(estimator=self)

    # Its results.

    def _read_results(self, rungs: Rungs, scorers, metric: str) -> None:
        """Set what was found."""
        warn_of_failures(rungs.outcomes, self.error_score)
        results = self._format_results(rungs.candidates, self.n_splits_, rungs.outcomes, rungs.more)
        first = rungs.outcomes[0]["test_scores"]
        self.multimetric_ = isinstance(first, dict)
        if callable(self.scoring) and self.multimetric_:
            self._check_refit_for_multimetric(first)
            metric = self.refit
        if self.refit or not self.multimetric_:
            self.best_index_ = self._select_best_index(self.refit, metric, results)
            self.best_params_ = results["params"][self.best_index_]
            if not callable(self.refit):
                self.best_score_ = results[f"mean_test_{metric}"][self.best_index_]
        several = isinstance(scorers, MultimetricScorer)
        self.scorer_ = scorers._scorers if several else scorers
        self.cv_results_ = results

    @staticmethod
    def _select_best_index(refit, refit_metric, results):
        """Select the best of the last rung, or of the one before if there all have failed."""
        if callable(refit):
            return BaseSearchCV._select_best_index(refit, refit_metric, results)
        scores = results[f"mean_test_{refit_metric}"]
        if np.isnan(scores).all():
            return 0
        last = results["iter"][~np.isnan(scores)].max()
        return int(np.nanargmax(np.where(results["iter"] == last, scores, np.nan)))

    def _refit(self, fit_params: dict, context, data: dict) -> None:
        """Fit the best candidate to all data, for all epochs."""
        self.best_estimator_ = self._make_candidate(self.best_params_)
        task = context.subcontext(task_name="refit-with-best-params")
        with task.propagate_callback_context(self.best_estimator_):
            task.call_on_fit_task_begin(**data)
            start = time.time()
            args = [data[name] for name in ("X", "y") if data[name] is not None]
            self.best_estimator_.fit(*args, **fit_params)
            self.refit_time_ = time.time() - start
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_
        task.call_on_fit_task_end(**data)


class EpochHalvingSearchCV(EpochHalving):
    """Search a grid by successive halving, with epochs as the resource.

    All candidates are trained for a few epochs, and scored on the rows that their fold leaves out.
    Then the best third continues from where it was for three times as many epochs, and so on:
    nothing is trained twice. Networks of this package are trained together, as under joblib's
    backend "stacked", unless the code around has chosen another one. Read more in the :doc:`user
    guide </user_guide/halving>`.

    Parameters
    ----------
    estimator : estimator
        What is searched: a network, or a pipeline that ends in one, or a
        `sklearn.compose.TransformedTargetRegressor` of these. What comes before the network is
        fitted once a fold for all candidates that have the same parameters there. Any other
        estimator will do that has ``max_iter``, and either ``partial_fit`` or ``warm_start``.

    param_grid : dict or list of dict
        Values to try by parameter, as in `sklearn.model_selection.GridSearchCV`.

    factor : float, default=3
        What the number of candidates is divided by, and the number of epochs multiplied with, from
        rung to rung.

    max_resources : int or 'auto', default='auto'
        Number of epochs that a candidate is trained for at most, and of the fit to all data. It
        takes the place of the estimator's ``max_iter``, so that schedules know it from the first
        epoch on; 'auto' is that ``max_iter``.

    min_resources : {'exhaust', 'smallest'} or int, default='exhaust'
        Number of epochs of the first rung. 'exhaust' chooses it so that the last one has about
        `max_resources`, 'smallest' is one epoch.

    aggressive_elimination : bool, default=False
        Whether candidates leave until less than `factor` are left, where there are not enough
        epochs for as many rungs: the first ones then have the same number of epochs.

    cv : int, cross-validation generator or iterable, default=5
        How rows are split into folds, once for all rungs.

    scoring : str, callable, list, tuple or dict, default=None
        As in `sklearn.model_selection.GridSearchCV`. Of several scores, that which `refit` names
        decides who stays, and the first one if it names none.

    refit : bool, str or callable, default=True
        Whether the best candidate of the last rung is fitted to all data. For several scores, the
        name of that which tells the best; a callable gets ``cv_results_`` and returns
        ``best_index_``.

    error_score : 'raise' or float, default=np.nan
        Score of a candidate that cannot be fitted, with which it leaves in any case.

    return_train_score : bool, default=False
        Whether the rows to train on are scored, too, in every rung.

    n_jobs : int or None, default=None
        Number of processes. For networks of this package, each process trains its candidates as
        stacks; where the code around has chosen a backend of joblib, it is that backend's number of
        jobs.

    verbose : int, default=0
        From 1 on, a line is printed for each rung, from 2 on for each candidate on each fold.

    Attributes
    ----------
    cv_results_ : dict of str to ndarray of shape (n_evaluations,)
        As in `sklearn.model_selection.GridSearchCV`, with a row for each candidate in each rung:
        ``iter`` is the number of the rung and ``n_resources`` that of the epochs so far. Times are
        those of the rung.

    best_estimator_ : estimator
        The best candidate, fitted to all data for `max_resources_` epochs, if `refit`.

    best_params_, best_score_, best_index_ : dict, float, int
        Parameters of the best candidate of the last rung, its mean score, and its row in
        ``cv_results_``.

    scorer_ : callable or dict
        What scores.

    n_splits_ : int
        Number of folds.

    refit_time_ : float
        Seconds of the fit to all data.

    multimetric_ : bool
        Whether there are several scores.

    n_candidates_, n_resources_ : list of int
        Number of candidates and of epochs of each rung.

    n_iterations_, n_required_iterations_, n_possible_iterations_ : int
        Number of rungs; of those that would leave less than `factor` candidates; and of those that
        there are epochs for.

    n_remaining_candidates_ : int
        Number of candidates that the last rung has left.

    min_resources_, max_resources_ : int
        Number of epochs of the first rung, and the largest number.

    classes_ : ndarray of shape (n_classes,)
        Classes of ``best_estimator_``.

    n_features_in_ : int
        Number of features of ``best_estimator_``.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X had any.

    See Also
    --------
    EpochHalvingRandomSearchCV : The same with candidates that are drawn.
    sklearn.model_selection.HalvingGridSearchCV : The same with any resource, but every rung trains
        from the first epoch on.

    Notes
    -----
    What is between the rungs leaves no trace: a network that is trained in rungs has the same
    weights, bit by bit, as one that is trained at once for as many epochs.

    References
    ----------
    Jamieson and Talwalkar. "Non-stochastic best arm identification and hyperparameter
    optimization." AISTATS 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknn_basics import MLPClassifier
    >>> from sknn_basics.model_selection import EpochHalvingSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPClassifier(max_iter=27, batch_size=30, tol=0, random_state=0)
    >>> grid = {"learning_rate_init": [1e-4, 1e-3, 1e-2], "alpha": [1e-4, 1e-2, 1]}
    >>> search = EpochHalvingSearchCV(network, grid).fit(X, y)
    >>> search.n_candidates_, search.n_resources_
    ([9, 3, 1], [3, 9, 27])
    >>> search.best_params_["learning_rate_init"]
    0.01
    """

    _parameter_constraints: dict = {
        **EpochHalving._parameter_constraints,
        "param_grid": [dict, list],
    }

    def __init__(
        self,
        estimator,
        param_grid,
        *,
        factor=3,
        max_resources="auto",
        min_resources="exhaust",
        aggressive_elimination=False,
        cv=5,
        scoring=None,
        refit=True,
        error_score=np.nan,
        return_train_score=False,
        n_jobs=None,
        verbose=0,
    ):
        super().__init__(
            estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            error_score=error_score,
            return_train_score=return_train_score,
            factor=factor,
            min_resources=min_resources,
            max_resources=max_resources,
            aggressive_elimination=aggressive_elimination,
        )
        self.param_grid = param_grid

    def _list_candidates(self) -> list[dict]:
        return list(ParameterGrid(self.param_grid))


class EpochHalvingRandomSearchCV(EpochHalving):
    """Search drawn candidates by successive halving, with epochs as the resource.

    As `EpochHalvingSearchCV`, but the candidates are drawn from distributions. Read more in the
    :doc:`user guide </user_guide/halving>`.

    Parameters
    ----------
    estimator : estimator
        What is searched, as in `EpochHalvingSearchCV`.

    param_distributions : dict or list of dict
        Values or distributions by parameter, as in `sklearn.model_selection.RandomizedSearchCV`.

    n_candidates : int or 'exhaust', default='exhaust'
        Number of candidates; 'exhaust' draws ``max_resources // min_resources``, so that the last
        rung has all epochs.

    factor : float, default=3
        What the number of candidates is divided by, and the number of epochs multiplied with, from
        rung to rung.

    max_resources : int or 'auto', default='auto'
        Number of epochs that a candidate is trained for at most, and of the fit to all data. It
        takes the place of the estimator's ``max_iter``, so that schedules know it from the first
        epoch on; 'auto' is that ``max_iter``.

    min_resources : {'exhaust', 'smallest'} or int, default='smallest'
        Number of epochs of the first rung. 'exhaust' chooses it so that the last one has about
        `max_resources`, 'smallest' is one epoch.

    aggressive_elimination : bool, default=False
        Whether candidates leave until less than `factor` are left, where there are not enough
        epochs for as many rungs: the first ones then have the same number of epochs.

    cv : int, cross-validation generator or iterable, default=5
        How rows are split into folds, once for all rungs.

    scoring : str, callable, list, tuple or dict, default=None
        As in `sklearn.model_selection.GridSearchCV`. Of several scores, that which `refit` names
        decides who stays, and the first one if it names none.

    refit : bool, str or callable, default=True
        Whether the best candidate of the last rung is fitted to all data. For several scores, the
        name of that which tells the best; a callable gets ``cv_results_`` and returns
        ``best_index_``.

    error_score : 'raise' or float, default=np.nan
        Score of a candidate that cannot be fitted, with which it leaves in any case.

    return_train_score : bool, default=False
        Whether the rows to train on are scored, too, in every rung.

    random_state : int, RandomState instance or None, default=None
        Source of the candidates. Networks have a ``random_state`` of their own.

    n_jobs : int or None, default=None
        Number of processes. For networks of this package, each process trains its candidates as
        stacks; where the code around has chosen a backend of joblib, it is that backend's number of
        jobs.

    verbose : int, default=0
        From 1 on, a line is printed for each rung, from 2 on for each candidate on each fold.

    Attributes
    ----------
    cv_results_ : dict of str to ndarray of shape (n_evaluations,)
        As in `sklearn.model_selection.GridSearchCV`, with a row for each candidate in each rung:
        ``iter`` is the number of the rung and ``n_resources`` that of the epochs so far. Times are
        those of the rung.

    best_estimator_ : estimator
        The best candidate, fitted to all data for `max_resources_` epochs, if `refit`.

    best_params_, best_score_, best_index_ : dict, float, int
        Parameters of the best candidate of the last rung, its mean score, and its row in
        ``cv_results_``.

    scorer_ : callable or dict
        What scores.

    n_splits_ : int
        Number of folds.

    refit_time_ : float
        Seconds of the fit to all data.

    multimetric_ : bool
        Whether there are several scores.

    n_candidates_, n_resources_ : list of int
        Number of candidates and of epochs of each rung.

    n_iterations_, n_required_iterations_, n_possible_iterations_ : int
        Number of rungs; of those that would leave less than `factor` candidates; and of those that
        there are epochs for.

    n_remaining_candidates_ : int
        Number of candidates that the last rung has left.

    min_resources_, max_resources_ : int
        Number of epochs of the first rung, and the largest number.

    classes_ : ndarray of shape (n_classes,)
        Classes of ``best_estimator_``.

    n_features_in_ : int
        Number of features of ``best_estimator_``.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if X had any.

    See Also
    --------
    EpochHalvingSearchCV : The same with all candidates of a grid.
    sklearn.model_selection.HalvingGridSearchCV : The same with any resource, but every rung trains
        from the first epoch on.

    Notes
    -----
    What is between the rungs leaves no trace: a network that is trained in rungs has the same
    weights, bit by bit, as one that is trained at once for as many epochs.

    References
    ----------
    Jamieson and Talwalkar. "Non-stochastic best arm identification and hyperparameter
    optimization." AISTATS 2016.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from sknn_basics import MLPClassifier
    >>> from sknn_basics.model_selection import EpochHalvingRandomSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPClassifier(max_iter=27, batch_size=30, tol=0, random_state=0)
    >>> drawn = {"learning_rate_init": loguniform(1e-4, 1e-1), "alpha": loguniform(1e-5, 1)}
    >>> search = EpochHalvingRandomSearchCV(network, drawn, min_resources=3, random_state=0)
    >>> search.fit(X, y).n_candidates_
    [9, 3, 1]
    """

    _parameter_constraints: dict = {
        **EpochHalving._parameter_constraints,
        "param_distributions": [dict, list],
        "n_candidates": [Interval(Integral, 1, None, closed="left"), StrOptions({"exhaust"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator,
        param_distributions,
        *,
        n_candidates="exhaust",
        factor=3,
        max_resources="auto",
        min_resources="smallest",
        aggressive_elimination=False,
        cv=5,
        scoring=None,
        refit=True,
        error_score=np.nan,
        return_train_score=False,
        random_state=None,
        n_jobs=None,
        verbose=0,
    ):
        super().__init__(
            estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            error_score=error_score,
            return_train_score=return_train_score,
            factor=factor,
            min_resources=min_resources,
            max_resources=max_resources,
            aggressive_elimination=aggressive_elimination,
        )
        self.param_distributions = param_distributions
        self.n_candidates = n_candidates
        self.random_state = random_state

    def _list_candidates(self) -> list[dict]:
        n_candidates = self.n_candidates
        if n_candidates == "exhaust":
            if self.min_resources == "exhaust":
                raise ValueError("n_candidates and min_resources cannot be both set to 'exhaust'.")
            least = 1 if self.min_resources == "smallest" else self.min_resources
            n_candidates = max(1, self._most_epochs() // least)
        return list(
            ParameterSampler(self.param_distributions, n_candidates, random_state=self.random_state)
        )
