"""Outlier detection by reconstruction: what an autoencoder restores badly is unlike its X."""

from numbers import Real

import numpy as np
from scipy.special import erf
from sklearn.base import BaseEstimator, MetaEstimatorMixin, OutlierMixin, clone
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from sknn_basics._compat import HasMethods, Interval, StrOptions, fit_context, routing_enabled
from sknn_basics.estimators._base.checks import unchanged_by_failure
from sknn_basics.estimators._base.types import Float, RandomState
from sknn_basics.estimators.autoencoders.dense import Autoencoder
from sknn_basics.training.callbacks import StopAtEpoch

# Of the network of `estimator=None`. Less of a penalty ranks no better, and more inliers among new
# rows would be taken for outliers, where rows are few.
N_UNITS, N_ITERATIONS, ALPHA = 32, 200, 10.0

# Tukey's fences lie so many interquartile ranges beyond the quartiles.
FENCE = 1.5


class AutoencoderOutlierDetector(OutlierMixin, MetaEstimatorMixin, BaseEstimator):
    """Outlier detection with an autoencoder.

    An autoencoder learns to restore samples through a few latent variables. It restores samples
    that are unlike those it was fitted to badly: its `score_samples` is low for them. This
    estimator puts a threshold to these scores, and has the methods of scikit-learn's outlier
    detectors. Where the training data hold no outliers, it is a novelty detector.

    Parameters
    ----------
    estimator : estimator or None, default=None
        What has `fit` and `score_samples`: an autoencoder of any kind, variational, convolutional
        or recurrent ones included, a `Pipeline` that ends in one, or a search of these. None is for
        tables: an `Autoencoder` of standardised columns, with half as many latent variables as
        there are columns, trained by a short run of L-BFGS.
    contamination : float in (0, 0.5] or 'auto', default='auto'
        Share of outliers in X, which sets the threshold: as many training samples are predicted
        to be outliers. 'auto' takes Tukey's fence instead: what scores lower than the first
        quartile of the training scores by more than 1.5 times their interquartile range is an
        outlier. As errors are skewed, these are often five to ten percent of X.
    random_state : int, RandomState instance or None, default=None
        Source of every `random_state` of the estimator; None leaves those that it has.

    Attributes
    ----------
    estimator_ : estimator
        The fitted autoencoder, or pipeline.
    offset_ : float
        The threshold: ``decision_function`` is ``score_samples`` minus it.
    score_mean_ : float
        Mean of the training scores.
    score_std_ : float
        Their standard deviation.
    n_features_in_ : int
        Number of features, if the autoencoder tells it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has names that are all strings.

    See Also
    --------
    Autoencoder : What restores rows of tables.
    ConvAutoencoder : What restores images.
    sklearn.ensemble.IsolationForest : Outlier detection with random trees.

    Notes
    -----
    The threshold is a quantile of the scores of the rows that the autoencoder was fitted to. A
    large network that has memorised them scores new rows lower: compare with
    ``cross_val_predict(detector, X, method="decision_function")``, whose rows were held out.

    References
    ----------
    Kriegel, Kröger, Schubert and Zimek. "Interpreting and unifying outlier scores." SDM 2011.

    Tukey. "Exploratory data analysis." Addison-Wesley, 1977.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sknn_basics import AutoencoderOutlierDetector
    >>> X, _ = load_iris(return_X_y=True)
    >>> detector = AutoencoderOutlierDetector(contamination=0.02, random_state=0).fit(X)
    >>> int((detector.predict(X) == -1).sum())
    3
    >>> detector.predict([[5.0, 3.4, 1.5, 0.2], [5.0, 3.4, 5.5, 0.2]])
    array([ 1, -1])
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "score_samples"]), None],
        "contamination": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator=None,
        *,
        contamination: Float | str = "auto",
        random_state: RandomState = None,
    ):
        self.estimator = estimator
        self.contamination = contamination
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **fit_params):
        """Fit the autoencoder, and choose the threshold.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs, as the autoencoder takes them.
        y : Ignored
            Not used, present for consistency with other outlier detectors.
        **fit_params : dict
            Passed to the autoencoder's ``fit``, by metadata routing if that is enabled:
            ``sample_weight`` or ``X_val``, for example, and of a pipeline with the name of the
            step, as in ``autoencoder__X_val``. The threshold counts all rows of X the same.

        Returns
        -------
        self : AutoencoderOutlierDetector
            The fitted detector.

        Raises
        ------
        ValueError
            If an input cannot be used, or the training diverged.
        """
        with unchanged_by_failure(self):
            self._forget_features()
            self.estimator_ = self._make_estimator(X).fit(X, **self._route(fit_params))
            for name in ("n_features_in_", "feature_names_in_"):
                if hasattr(self.estimator_, name):
                    setattr(self, name, getattr(self.estimator_, name))
            self._choose_threshold(np.asarray(self.estimator_.score_samples(X), dtype=float))
        return self

    def score_samples(self, X) -> np.ndarray:
        """Compute the autoencoder's score of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs, as the autoencoder takes them.

        Returns
        -------
        score : ndarray of shape (n_samples,)
            What the autoencoder's `score_samples` returns: minus the mean squared error of the
            reconstruction or, of variational ones, a bound of the log-likelihood. The lower, the
            more of an outlier.
        """
        check_is_fitted(self)
        return np.asarray(self.estimator_.score_samples(X), dtype=float)

    def decision_function(self, X) -> np.ndarray:
        """Compute how far each sample is on the inliers' side of the threshold.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs, as the autoencoder takes them.

        Returns
        -------
        decision : ndarray of shape (n_samples,)
            ``score_samples(X) - offset_``: negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X) -> np.ndarray:
        """Predict which samples are outliers.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs, as the autoencoder takes them.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            -1 for outliers, 1 for inliers.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def outlier_probability(self, X) -> np.ndarray:
        """Turn scores into probabilities of being an outlier.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs, as the autoencoder takes them.

        Returns
        -------
        probability : ndarray of shape (n_samples,)
            The probability that a normal variable of the training scores' mean and variance lies
            nearer to its mean than the sample's score, and 0 for scores above the mean: the
            Gaussian scaling of Kriegel and others, PyOD's ``method='unify'``. It depends on neither
            `contamination` nor the unit of the scores.
        """
        excess = self.score_mean_ - self.score_samples(X)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(excess > 0, excess / self.score_std_, 0)
        return erf(np.clip(z, 0, None) / np.sqrt(2))

    def get_metadata_routing(self) -> MetadataRouter:
        """Tell which metadata go where.

        Returns
        -------
        routing : MetadataRouter
            ``fit`` hands metadata to the autoencoder's ``fit``.
        """
        model = default_autoencoder(1) if self.estimator is None else self.estimator
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add(estimator=model, method_mapping=mapping)

    def _route(self, fit_params: dict) -> dict:
        """Choose what the autoencoder's fit is given."""
        if routing_enabled():
            return process_routing(self, "fit", **fit_params).estimator.fit
        return fit_params

    def _make_estimator(self, X):
        if self.estimator is None:
            # The scaler checks X, and tells its number of columns.
            model = default_autoencoder(StandardScaler().fit(X).n_features_in_)
        else:
            model = clone(self.estimator)
        return model if self.random_state is None else seed_all(model, self.random_state)

    def _forget_features(self) -> None:
        for name in ("n_features_in_", "feature_names_in_"):
            vars(self).pop(name, None)

    def _choose_threshold(self, scores: np.ndarray) -> None:
        if self.contamination == "auto":
            first, third = np.percentile(scores, [25, 75])
            self.offset_ = float(first - FENCE * (third - first))
        else:
            self.offset_ = float(np.percentile(scores, 100 * self.contamination))
        self.score_mean_, self.score_std_ = float(scores.mean()), float(scores.std())

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if self.estimator is not None:
            tags.input_tags = get_tags(self.estimator).input_tags
        return tags


def default_autoencoder(n_features: int) -> Pipeline:
    """Make the autoencoder of a table with so many columns."""
    network = Autoencoder(
        (N_UNITS,),
        n_components=-(-n_features // 2),
        activation="tanh",
        loss="squared_error",
        solver="lbfgs",
        alpha=ALPHA,
        max_iter=N_ITERATIONS,
        callbacks=[StopAtEpoch(N_ITERATIONS)],
    )
    return make_pipeline(StandardScaler(), network)


def seed_all(model, random_state):
    """Set every `random_state` of a model, its steps and parts."""
    rng = check_random_state(random_state)
    names = [n for n in sorted(model.get_params()) if n.split("__")[-1] == "random_state"]
    return model.set_params(**{name: rng.randint(np.iinfo(np.int32).max) for name in names})
