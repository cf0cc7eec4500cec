"""What classifiers and regressors make of y."""

import warnings
from abc import abstractmethod
from functools import partial
from itertools import pairwise
from numbers import Integral, Real

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, d2_pinball_score, r2_score
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from sknn_basics._compat import (
    Interval,
    StrOptions,
    check_classification_targets,
    check_y,
    fit_context,
)
from sknn_basics.estimators._base.checks import UnknownClasses, check_numeric, explain_other_classes
from sknn_basics.estimators._base.fit import NeuralEstimator
from sknn_basics.training.devices import DTYPES, answers_in_kind, as_array, in_double
from sknn_basics.training.hardening import HardenedNet, check_attack
from sknn_basics.training.losses import (
    OUTPUT_ACTIVATIONS,
    REGRESSION_LOSSES,
    SMALLEST_LOG_VARIANCE,
    BinaryCrossEntropy,
    CrossEntropy,
    FocalLoss,
    GaussianLikelihood,
    Loss,
    Pinball,
)
from sknn_basics.training.own_losses import OwnLoss, make_loss


class NeuralPredictor(NeuralEstimator):
    """What neural classifiers and regressors share: predictions of y."""

    @abstractmethod
    def _decode(self, output: np.ndarray) -> np.ndarray:
        """Turn activated outputs into predictions."""

    @answers_in_kind
    def predict(self, X) -> np.ndarray:
        """Predict the targets of X.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted targets.
        """
        return self._decode(self._activated_outputs(X))


class NeuralClassifier(ClassifierMixin, NeuralPredictor):
    """What neural classifiers share: classes, probabilities, class weights.

    Attributes
    ----------
    _class_weight_ : dict, list of dict or None
        `class_weight`, with 'balanced' as what it is on the training data.
    """

    _parameter_constraints: dict = {
        **NeuralEstimator._parameter_constraints,
        "loss": [StrOptions({"log_loss", "cross_entropy", "focal"}), callable],
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="both")],
        "adversarial_training": [Interval(Real, 0, None, closed="neither"), dict, None],
    }

    _architecture = ("classes_", "_target_type_")

    def _check_options(self) -> None:
        super()._check_options()
        if self.label_smoothing and self.loss not in ("log_loss", "cross_entropy"):
            raise ValueError(
                f"label_smoothing={self.label_smoothing} needs loss='log_loss' or 'cross_entropy', "
                f"got loss={self.loss!r}."
            )
        if self.adversarial_training is None:
            return
        check_attack(self.adversarial_training)
        unfit = [("solver", "lbfgs"), ("stateful", True)]
        for name, value in unfit:
            if getattr(self, name, None) == value:
                raise ValueError(f"adversarial_training does not work with {name}={value!r}.")

    def _kind_of_net(self):
        if self.adversarial_training is None:
            return super()._kind_of_net()
        return partial(HardenedNet, attack=check_attack(self.adversarial_training))

    @available_if(NeuralEstimator._has_partial_fit)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None, classes=None):
        """Train for one epoch on the given data.

        A schedule with an end, such as ``learning_rate='cosine'``, is for `max_iter` calls: those
        after them keep its last learning rate, which may be 0, and warn.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever be given; needed in the first call.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If an input cannot be used, a class is unknown, or the training diverged.
        """
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"class_weight={self.class_weight!r} is not supported by partial_fit, which does "
                "not see all samples: give the weight of each class as a dict."
            )
        if classes is None and not hasattr(self, "classes_"):
            raise ValueError("classes must be passed on the first call to partial_fit.")
        known = getattr(self, "classes_", classes)
        if classes is not None and not np.array_equal(np.unique(classes), np.unique(known)):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, "
                f"was: {known!r}"
            )
        return self._partial_fit(X, y, sample_weight, classes)

    @answers_in_kind
    def predict_proba(self, X) -> np.ndarray:
        """Estimate the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        probability : ndarray of shape (n_samples, n_classes)
            Columns are in the order of `classes_`. For multi-label targets, each column is the
            probability of its label. Computed in double precision, whatever that of the network,
            and returned as float64; as in scikit-learn, X of float32 gives float32, unless
            ``dtype='float64'``.
        """
        return self._probabilities(self._activated_outputs(X))

    def _activated_outputs(self, X) -> np.ndarray:
        """Activate the outputs for X in double precision, and round as `predict_proba` says."""
        X = self._check_new(X)
        is_single = X.dtype == np.float32 and self.dtype != "float64"
        dtype = DTYPES["float32" if is_single else "float64"]
        activate = OUTPUT_ACTIVATIONS[self.out_activation_]
        return self.net_.map_outputs(
            lambda output: activate(in_double(output), dtype).numpy(force=True), X
        )

    def _describe_plain(self) -> dict:
        return {"is_binary": self._target_type_ == "classes" and self.out_activation_ == "logistic"}

    def _probabilities(self, output) -> np.ndarray:
        """Turn activated outputs into one probability for each class or label."""
        if self._target_type_ != "classes" or output.shape[1] > 1:
            return output
        if len(self.classes_) == 1:
            return np.ones_like(output)
        return np.hstack([1 - output, output])

    @answers_in_kind
    def predict_log_proba(self, X) -> np.ndarray:
        """Estimate the logarithm of each class's probability.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        log_probability : ndarray of shape (n_samples, n_classes)
            Logarithms of `predict_proba`.
        """
        # Of the rounded ones, as in scikit-learn: 0 is minus infinity.
        with np.errstate(divide="ignore"):
            return np.log(as_array(self.predict_proba(X)))

    def top_k(self, X, k: int = 5) -> tuple[np.ndarray, np.ndarray]:
        """Find the most probable classes of each sample, the most probable first.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
            Inputs.
        k : int, default=5
            How many classes.

        Returns
        -------
        labels : ndarray of shape (n_samples, k)
            Their labels.
        probability : ndarray of shape (n_samples, k)
            Their probabilities.

        Raises
        ------
        ValueError
            If there are fewer than `k` classes.
        """
        check_is_fitted(self)
        if not (isinstance(k, Integral) and 1 <= k <= len(self.classes_)):
            raise ValueError(f"k must be an integer from 1 to {len(self.classes_)}, got {k!r}.")
        return self._rank(as_array(self.predict_proba(X)), k)

    def _rank(self, probability: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Find the `k` most probable classes, and their probabilities."""
        best = np.argsort(-probability, axis=-1, kind="stable")[..., :k]
        return self.classes_[best], np.take_along_axis(probability, best, axis=-1)

    def score(self, X, y, sample_weight=None) -> float:
        """Compute the accuracy of the predictions for X.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_classes)
            True targets. Rows of class probabilities count as their most probable class; of
            multi-label rows, all labels must be right.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        accuracy : float
            Share of right predictions.
        """
        if getattr(self, "_target_type_", None) == "probabilities" and np.ndim(y) == 2:
            y = self.classes_[np.argmax(as_array(y), axis=1)]
        return super().score(as_array(X), as_array(y), sample_weight)

    def _encode_target(self, X, y, reset: bool, classes=None) -> np.ndarray:
        check_given(y, self)
        y = check_y(y, multi_output=True, y_numeric=False, estimator=self)
        y = y.toarray() if issparse(y) else y
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        try:
            if y.dtype.kind == "O" and any(label is None or label != label for label in y.ravel()):
                raise ValueError("Input y contains missing values.")
            if reset:
                self._learn_target(y, classes)
            if self._target_type_ == "classes":
                return self._encode_classes(y)
        except TypeError as error:
            raise ValueError(
                f"y must hold labels that can be ordered, without missing values: {error}."
            ) from error
        if y.ndim != 2 or y.shape[1] != len(self.classes_):
            raise ValueError(f"y must have shape (n_samples, {len(self.classes_)}), got {y.shape}.")
        if self._target_type_ == "probabilities":
            check_probabilities(y)
            if isinstance(self._own_loss(), FocalLoss):
                raise ValueError("The focal loss needs classes or labels, not probabilities as y.")
        return y.astype(np.float64)

    def _learn_target(self, y, classes) -> None:
        """Learn the kind of target and its classes."""
        # scikit-learn takes long to tell even of these.
        is_plain = y.ndim == 1 and y.dtype.kind in "biuU"
        kind = "multiclass" if is_plain else type_of_target(y, input_name="y")
        if kind == "continuous-multioutput" or (self.loss == "cross_entropy" and y.ndim == 2):
            self._target_type_ = "probabilities"
        else:
            if kind not in ("binary", "multiclass", "multilabel-indicator"):
                check_classification_targets(y)
            if kind == "multiclass-multioutput":
                raise ValueError(
                    "y has several columns with more than two classes (multiclass-multioutput), "
                    "which is not supported: use sklearn.multioutput.MultiOutputClassifier."
                )
            self._target_type_ = "labels" if y.ndim == 2 else "classes"
        if self._target_type_ == "labels":
            warn_of_one_hot_rows(y)
        if self._target_type_ == "classes":
            self.classes_ = np.unique(y if classes is None else classes)
        else:
            self.classes_ = np.arange(y.shape[1])

    def _encode_classes(self, y) -> np.ndarray:
        """Turn labels into indices of `classes_`."""
        if y.ndim != 1:
            raise ValueError(f"y must have shape (n_samples,), got {y.shape}.")
        seen, index = np.unique(y, return_inverse=True)
        if not np.array_equal(seen, self.classes_):
            if len(np.setdiff1d(seen, self.classes_)):
                raise UnknownClasses(
                    f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. "
                    f"'y' has {seen}.",
                    seen,
                )
            index = np.searchsorted(self.classes_, seen)[index]
        return index.astype(np.float64)[:, None] if self._has_one_output() else index

    def _check_same_targets(self, target) -> None:
        if self._target_type_ != "classes":
            return
        # Negative and missing ones are the padding of sequences.
        seen = self.classes_[np.unique(target[target >= 0]).astype(np.intp)]
        if len(seen) != len(self.classes_):
            raise ValueError(explain_other_classes(self.classes_, seen))

    def _has_one_output(self) -> bool:
        if len(self.classes_) > 2 or self.loss == "cross_entropy":
            return False
        loss = self._own_loss()
        # A loss of its user is given class indices, if it can be computed of them.
        return loss is None or not takes_classes(loss, 2)

    def _own_loss(self) -> Loss | None:
        """Make the loss that is given what the network outputs, or None for the usual ones."""
        if self.loss == "focal":
            return FocalLoss()
        return None if isinstance(self.loss, str) else make_loss(self.loss)

    def _describe_output(self, target) -> tuple[int, str]:
        if self._target_type_ == "probabilities":
            return target.shape[-1], "softmax"
        if self._target_type_ == "labels":
            return target.shape[-1], "logistic"
        return (1, "logistic") if self._has_one_output() else (len(self.classes_), "softmax")

    def _make_criterion(self) -> Loss:
        if (loss := self._own_loss()) is not None:
            if self.out_activation_ == "softmax" and self._target_type_ == "classes":
                check_takes_classes(loss, len(self.classes_))
            return loss
        kind = CrossEntropy if self.out_activation_ == "softmax" else BinaryCrossEntropy
        return kind(self.label_smoothing)

    def _learn_class_weights(self, target) -> None:
        self._class_weight_ = self.class_weight
        if isinstance(self.class_weight, str):
            self._class_weight_ = self._balance_classes(target)
        if self._class_weight_ is not None:
            check_class_weight(self._weigh_classes(target), self.class_weight)

    def _balance_classes(self, target) -> dict | list[dict]:
        """Find the weights with which all classes of some targets weigh the same."""
        if self._target_type_ == "labels":
            return [balanced(np.array([0, 1]), np.bincount(y, minlength=2)) for y in target.T]
        mass = target.sum(axis=0)
        if self._target_type_ == "classes":
            mass = np.bincount(target.ravel().astype(np.intp), minlength=len(self.classes_))
        return balanced(self.classes_, mass)

    def _weigh(self, sample_weight, X, target) -> np.ndarray | None:
        weight = super()._weigh(sample_weight, X, target)
        if self._class_weight_ is None:
            return weight
        by_class = self._weigh_classes(target)
        return by_class if weight is None else weight * by_class

    def _weigh_classes(self, target) -> np.ndarray:
        """Compute each sample's weight by its class, its labels or its probabilities."""
        if self._target_type_ == "labels":
            return compute_sample_weight(self._class_weight_, target)
        weights = self._weights_of_classes()
        if self._target_type_ == "probabilities":
            return target @ weights
        return weights[target.ravel().astype(np.intp)]

    def _weights_of_classes(self) -> np.ndarray:
        """Read the class weights as one weight a class."""
        weights, classes = self._class_weight_, self.classes_.tolist()
        if not isinstance(weights, dict) or not set(weights) <= set(classes):
            raise ValueError(
                f"class_weight must be 'balanced' or a dict from classes {classes} to weights, "
                f"got {weights}."
            )
        try:
            return np.array([float(weights.get(name, 1.0)) for name in classes])
        except (TypeError, ValueError) as error:
            raise ValueError(f"class_weight must hold numbers, got {weights}.") from error

    def _strata(self, target) -> np.ndarray | None:
        if self._target_type_ == "labels":
            return None
        return target.argmax(1) if self._target_type_ == "probabilities" else target.ravel()

    def _decode_target(self, target) -> np.ndarray:
        if self._target_type_ == "classes":
            return self.classes_[target.ravel().astype(np.intp)]
        return target.astype(int) if self._target_type_ == "labels" else target

    def _decode(self, output) -> np.ndarray:
        if self._target_type_ == "labels":
            return (output > 0.5).astype(int)
        return self.classes_[self._most_probable(output)]

    def _most_probable(self, output) -> np.ndarray:
        """Find the index of each row's most probable class."""
        if output.shape[1] > 1:
            return output.argmax(axis=1)
        return (output[:, 0] > 0.5).astype(np.intp) * (len(self.classes_) - 1)

    def _score_output(self, output, target, weight) -> float:
        if not np.isfinite(output).all():
            return np.nan
        if self._target_type_ == "labels":
            return accuracy_score(target, output > 0.5, sample_weight=weight)
        most_probable = self._most_probable(output)
        true = target.argmax(1) if self._target_type_ == "probabilities" else target.ravel()
        return accuracy_score(true, most_probable, sample_weight=weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class NeuralRegressor(RegressorMixin, NeuralPredictor):
    """What neural regressors share: losses and real targets.

    Attributes
    ----------
    _quantiles_ : list of float or None
        Levels of the quantiles that are predicted, if these are what is predicted.
    """

    _parameter_constraints: dict = {
        **NeuralEstimator._parameter_constraints,
        "loss": [StrOptions({*REGRESSION_LOSSES, "quantile", "gaussian"}), callable],
        "quantile": ["array-like", Interval(Real, 0, 1, closed="neither"), None],
    }
    _architecture = ("_quantiles_",)

    @answers_in_kind
    def predict(self, X, return_std: bool = False):
        """Predict the targets of X.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
            Inputs.
        return_std : bool, default=False
            Whether to return standard deviations too, which ``loss='gaussian'`` learns.

        Returns
        -------
        y : ndarray of shape (n_samples,), (n_samples, n_outputs) or (n_samples, n_quantiles)
            Predicted targets: the means with ``loss='gaussian'``, and one column for each of
            several quantiles.
        std : ndarray of the shape of y
            Standard deviations of the targets around them; only with `return_std`.

        Raises
        ------
        ValueError
            If standard deviations are asked for that were not learned.
        """
        output = self._activated_outputs(X)
        predicted = self._in_steps(self._decode, X, output, is_shaped_as_y=True)
        if not return_std:
            return predicted
        if self.out_activation_ != "gaussian":
            raise ValueError("return_std=True needs loss='gaussian', which learns what it returns.")
        return predicted, self._in_steps(self._decode_std, X, output, is_shaped_as_y=True)

    def _in_steps(self, decode, X, output: np.ndarray, is_shaped_as_y: bool = False):
        """Decode the outputs for X."""
        return decode(output)

    def score(self, X, y, sample_weight=None) -> float:
        """Compute how much better the predictions for X are than a constant.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        score : float
            R²; with ``loss='quantile'``, the mean of `sklearn.metrics.d2_pinball_score` over the
            quantiles.
        """
        X, y = as_array(X), as_array(y)
        if getattr(self, "_quantiles_", None) is None:
            return super().score(X, y, sample_weight)
        return score_quantiles(y, self.predict(X), self._quantiles_, sample_weight)

    @available_if(NeuralEstimator._has_partial_fit)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Train for one epoch on the given data.

        A schedule with an end, such as ``learning_rate='cosine'``, is for `max_iter` calls: those
        after them keep its last learning rate, which may be 0, and warn.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If an input cannot be used, or the training diverged.
        """
        return self._partial_fit(X, y, sample_weight)

    def _encode_target(self, X, y, reset: bool, classes=None) -> np.ndarray:
        self._quantiles_ = None
        if self.loss == "quantile":
            self._quantiles_ = np.ravel(self.quantile).tolist()
        check_given(y, self)
        y = check_y(y, multi_output=True, y_numeric=True, estimator=self)
        y = y.toarray() if issparse(y) else y
        check_numeric(y, "y")
        # Missing values in an array of objects are numbers only now.
        y = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        y = y.reshape(len(y), -1)
        if not reset and y.shape[1] != self._count_targets():
            raise ValueError(f"y must have {self._count_targets()} outputs, got {y.shape[1]}.")
        if y.shape[1] > 1 and self.loss == "quantile" and np.ndim(self.quantile):
            raise ValueError(
                f"quantile={self.quantile} are several quantiles, of a y of one column, but y has "
                f"shape {y.shape}: use sklearn.multioutput.MultiOutputRegressor."
            )
        if self.loss == "poisson" and y.min() < 0:
            raise ValueError(f"loss='poisson' needs y >= 0, got {y.min()}.")
        return y

    def _count_targets(self) -> int:
        """Tell how many numbers a fitted network predicts for a sample, or for a step of it."""
        outputs_of_one = {"gaussian": 2, "quantiles": self.n_outputs_}
        return self.n_outputs_ // outputs_of_one.get(self.out_activation_, 1)

    def _check_options(self) -> None:
        super()._check_options()
        if self.loss == "quantile":
            check_quantile(self.quantile)
        elif self.quantile is not None:
            raise ValueError(f"quantile={self.quantile} needs loss='quantile', got {self.loss!r}.")

    def _describe_output(self, target) -> tuple[int, str]:
        n_targets = target.shape[-1]
        if self.loss == "quantile" and np.ndim(self.quantile):
            return len(self.quantile), "quantiles"
        if self.loss == "gaussian":
            return 2 * n_targets, "gaussian"
        return n_targets, "exp" if self.loss == "poisson" else "identity"

    def _make_criterion(self) -> Loss:
        if self.loss == "quantile":
            return Pinball(self._quantiles_, self.n_outputs_)
        if self.loss == "gaussian":
            return GaussianLikelihood(self._count_targets())
        if isinstance(self.loss, str):
            return REGRESSION_LOSSES[self.loss](self.n_outputs_)
        return make_loss(self.loss, 1 / self.n_outputs_)

    def _begin_output(self, target, weight, rows) -> None:
        if rows is not None:
            target, weight = target[rows], None if weight is None else weight[rows]
        # To get there by steps of the learning rate takes longer than to learn all the rest.
        start = torch.from_numpy(self._best_constant(*values_of_steps(target, weight)))
        self.module_.output.bias.data.copy_(start)

    def _best_constant(self, y: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        """Compute the outputs of a constant that fits y, of shape (n_values, n_outputs), best."""
        if weight is not None and not weight.any():
            return np.zeros(self.n_outputs_)
        if isinstance(self.loss, str) and self.loss != "huber":
            return best_constant(y, weight, self.loss, self._quantiles_)
        constants = [best_constant(y, weight, of) for of in ("squared_error", "absolute_error")]
        return min(constants, key=lambda constant: self._loss_of_constant(constant, y, weight))

    def _loss_of_constant(self, logits: np.ndarray, target: np.ndarray, weight) -> float:
        """Compute the mean loss of a network whose outputs are the same for all samples."""
        # Of steps, each by itself.
        criterion = NeuralRegressor._make_criterion(self).double()
        target = torch.tensor(target, dtype=torch.float64)
        output = torch.tensor(logits, dtype=torch.float64).expand(len(target), -1)
        if weight is None:
            return float(criterion.mean(output, target)) * criterion.reported_share
        if not weight.any():
            return 0.0
        losses = criterion(output, target).numpy()
        return float(np.average(losses, weights=weight)) * criterion.reported_share

    def _decode(self, output) -> np.ndarray:
        if self.out_activation_ == "quantiles":
            return output
        output = output[:, : self._count_targets()]
        return output.ravel() if output.shape[1] == 1 else output

    def _decode_std(self, output) -> np.ndarray:
        return self._decode(output[:, self._count_targets() :])

    def _decode_target(self, target) -> np.ndarray:
        return target.ravel() if target.shape[1] == 1 else target

    def _score_output(self, output, target, weight) -> float:
        if not np.isfinite(output).all():
            return np.nan
        if self._quantiles_ is not None:
            return score_quantiles(target, output, self._quantiles_, weight)
        return r2_score(target, output[:, : target.shape[1]], sample_weight=weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = np.ndim(getattr(self, "quantile", None)) == 0
        return tags


def values_of_steps(target: np.ndarray, weight: np.ndarray | None) -> tuple:
    """Join the targets of all steps, if there are steps, which share their sample's weight.

    Returns
    -------
    values : ndarray of shape (n_values, n_outputs)
        Targets without padding.
    weight : ndarray of shape (n_values,) or None
        Their weights.
    """
    if target.ndim == 2:
        return target, weight
    is_target = ~np.isnan(target[:, :, 0])
    weight = np.ones(len(target)) if weight is None else weight
    n_steps = is_target.sum(axis=1)
    return target[is_target], np.repeat(weight / n_steps, n_steps)


def best_constant(
    y: np.ndarray, weight: np.ndarray | None, loss: str, levels: list[float] | None = None
) -> np.ndarray:
    """Compute the outputs of the constant that fits y best: for example, its mean or median.

    Parameters
    ----------
    y : ndarray of shape (n_values, n_targets)
        Targets.
    weight : ndarray of shape (n_values,) or None
        Their weights, not all zero.
    loss : str
        Name of the loss.
    levels : list of float or None, default=None
        Levels of the quantiles of ``loss='quantile'``.

    Returns
    -------
    logits : ndarray of shape (n_outputs,)
        Outputs before their activation; zero where there is no such constant.
    """
    if loss in ("absolute_error", "quantile"):
        # Unlike an interpolated one, this median of weights is that of repeated rows.
        return np.quantile(
            y, levels or [0.5], axis=0, weights=weight, method="inverted_cdf"
        ).ravel()
    mean = np.average(y, axis=0, weights=weight)
    if loss == "gaussian":
        variance = np.average(np.square(y - mean), axis=0, weights=weight)
        return np.append(mean, np.log(np.maximum(variance, np.exp(SMALLEST_LOG_VARIANCE))))
    return np.log(mean, out=np.zeros_like(mean), where=mean > 0) if loss == "poisson" else mean


def check_quantile(quantile) -> None:
    """Check the levels of quantiles.

    Raises
    ------
    ValueError
        If they are not between 0 and 1, or do not increase.
    """
    levels = np.ravel(np.asarray(quantile, dtype=object))
    is_level = all(isinstance(level, Real) and 0 < level < 1 for level in levels)
    if not (len(levels) and is_level and all(a < b for a, b in pairwise(levels))):
        raise ValueError(
            "loss='quantile' needs quantile, a number between 0 and 1, or several that increase "
            f"strictly, such as [0.05, 0.5, 0.95], got {quantile!r}."
        )


def score_quantiles(y: np.ndarray, predicted: np.ndarray, levels: list[float], weight) -> float:
    """Average D² of the pinball loss over quantiles: the share of a constant's that is avoided."""
    columns = predicted.T if len(levels) > 1 else [predicted]
    scores = [
        d2_pinball_score(y, column, sample_weight=weight, alpha=level)
        for column, level in zip(columns, levels, strict=True)
    ]
    return float(np.mean(scores))


def takes_classes(loss: Loss, n_classes: int) -> bool:
    """Tell whether a loss can be computed of one logit a class, and indices of classes."""
    # As many samples as classes could be taken for something else.
    logits, classes = torch.zeros(n_classes + 1, n_classes), torch.zeros(n_classes + 1).long()
    return not isinstance(loss, OwnLoss) or loss.takes(logits, classes)


def check_takes_classes(loss: Loss, n_classes: int) -> None:
    """Check that a loss can be computed of what a classifier gives it.

    Raises
    ------
    ValueError
        If it cannot.
    """
    if not takes_classes(loss, n_classes):
        raise ValueError(
            f"{loss.title} cannot be computed of outputs of shape (n_samples, {n_classes}), one "
            "logit a class, and a target of shape (n_samples,), the indices of classes: use one "
            "that can, as torch.nn.CrossEntropyLoss, or one-hot rows as y."
        )


def check_given(y, estimator) -> None:
    """Check that y is not None.

    Raises
    ------
    ValueError
        If it is.
    """
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, "
            "but the target y is None."
        )


def balanced(classes: np.ndarray, mass: np.ndarray) -> dict:
    """Weigh the classes that have samples by the inverse of their number."""
    held = mass > 0
    weights = mass.sum() / (held.sum() * mass[held])
    return dict(zip(classes[held].tolist(), weights.tolist()))


def check_class_weight(weights: np.ndarray, class_weight) -> None:
    """Check what was computed from ``class_weight``.

    Raises
    ------
    ValueError
        If a weight cannot be used, or none is positive.
    """
    if not (np.isfinite(weights).all() and weights.min() >= 0 and weights.any()):
        raise ValueError(
            "class_weight must be finite, not negative and not zero for all classes of y, "
            f"got {class_weight}."
        )


def warn_of_one_hot_rows(y: np.ndarray) -> None:
    """Warn where labels of zeros and ones look like one-hot rows: each has a single 1."""
    # A single row, or one of two columns, may well be what it is read as.
    if min(len(y), y.shape[1] - 1) > 1 and (np.count_nonzero(y, axis=1) == 1).all():
        warnings.warn(
            f"Every row of y has exactly one 1 among its {y.shape[1]} columns, and is read as "
            "independent labels (multi-label), as scikit-learn does: a prediction may have no "
            "label, or several. If these are one-hot rows of classes, set loss='cross_entropy', "
            "or give the classes as a one-dimensional y, such as y.argmax(axis=1).",
            UserWarning,
            stacklevel=2,
        )


def check_probabilities(y: np.ndarray) -> None:
    """Check that each row holds the probabilities of all classes.

    Raises
    ------
    ValueError
        If a value is negative, or a row does not sum to 1.
    """
    if y.min() < 0 or not np.allclose(y.sum(axis=1), 1, atol=1e-3):
        raise ValueError(
            "The rows of a two-dimensional y are read as class probabilities: they must not be "
            f"negative and must sum to 1, got sums from {y.sum(axis=1).min():.3g} to "
            f"{y.sum(axis=1).max():.3g} and a smallest value of {y.min():.3g}."
        )
