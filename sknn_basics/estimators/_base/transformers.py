"""What neural transformers make of X: latent variables, reconstructions and their errors."""

import warnings
from collections.abc import Callable
from math import prod

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.metrics import r2_score
from sklearn.utils import check_array
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sknn_basics._compat import StrOptions, fit_context
from sknn_basics.estimators._base.checks import (
    check_choice,
    check_latents,
    check_numeric,
    check_range,
    value_range,
)
from sknn_basics.estimators._base.fit import NeuralEstimator
from sknn_basics.estimators.autoencoders.decoder import Decoder, normal_distribution
from sknn_basics.modules.autoencoder import own_weights_as_arrays
from sknn_basics.modules.images import read_preprocessing, undo_preprocessing
from sknn_basics.training.batches import ReconstructionDataset
from sknn_basics.training.devices import answers_in_kind, as_array
from sknn_basics.training.losses import (
    RECONSTRUCTION_LOSSES,
    Loss,
    Reconstruction,
    mean_squared_difference,
)
from sknn_basics.training.own_losses import UNFIT_FOR_RECONSTRUCTIONS, make_loss

# Inputs of networks up to which sums and squares of what they make of them are finite; of scores,
# what is left of the largest floats to their sums.
LARGEST_INPUT, LARGEST_SCORE = 1e12, 1e290

# How far from [0, 1] a scaler may leave values that are meant to be 0 or 1.
ROUNDING = 1e-5


class NeuralTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NeuralEstimator):
    """What neural transformers share: they encode X as latent variables, and learn to decode these.

    The network of a family has `encode` and `decode`, as `AutoencoderNetwork` has.
    """

    _parameter_constraints: dict = {
        **NeuralEstimator._parameter_constraints,
        "loss": [StrOptions({"auto", "binary_cross_entropy", "squared_error"}), callable],
        "out_activation": [StrOptions({"auto", "logistic", "identity"})],
        "scoring": [StrOptions({"loss"}), callable, None],
    }

    _architecture = ("_input_range_",)

    # Words of `fit` for what validates.
    _validation_names = "X_val, X_clean_val, sample_weight_val"

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X,
        y=None,
        sample_weight=None,
        *,
        X_clean=None,
        X_val=None,
        X_clean_val=None,
        sample_weight_val=None,
    ):
        """Fit the network to reconstruct X, or `X_clean` from X.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs. They are cast to the network's data type batch by batch.
        y : Ignored
            Not used, present for consistency with other transformers.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples; None weighs all the same.
        X_clean : {array-like, sparse matrix, torch.Tensor} of the shape of X, default=None
            What X should be reconstructed as: the clean samples, where X holds noisy ones, on the
            same scale. None takes X itself. In a pipeline, ask for it with
            ``set_fit_request(X_clean=True)``, and let the steps before transform it as they do X
            with ``Pipeline(..., transform_input=["X_clean"])``.
        X_val : {array-like, sparse matrix, torch.Tensor} of shape (n_val, ...), default=None
            Inputs to validate on after every epoch, in place of a part of X, preprocessed as X is.
            A pipeline passes them on as they are, unless metadata routing is enabled and its
            ``transform_input`` names them: see "Validation data in a pipeline" in the user guide.
        X_clean_val : {array-like, sparse matrix, torch.Tensor} of the shape of X_val, default=None
            What they should be reconstructed as.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the validation samples.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If an input cannot be used, or the training diverged. If a fit fails, the model
            remains as it was before.
        """
        if X_val is None and X_clean_val is not None:
            raise ValueError("X_clean_val needs X_val.")
        # What other heads call y are the clean samples here.
        return self._fit_epochs(X, X_clean, sample_weight, X_val, X_clean_val, sample_weight_val)

    def initialize(self, X, y=None, *, X_clean=None):
        """Make the network for data like the given, with its initial weights, without training.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs, which decide what 'auto' parameters are.
        y : Ignored
            Not used, present for consistency with other transformers.
        X_clean : {array-like, sparse matrix, torch.Tensor} of the shape of X, default=None
            Clean samples, as in `fit`.

        Returns
        -------
        self : object
            The transformer, which encodes with its initial weights.
        """
        return super().initialize(X, X_clean)

    @available_if(NeuralEstimator._has_partial_fit)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None, *, X_clean=None):
        """Train for one epoch on the given data.

        A schedule with an end, such as ``learning_rate='cosine'``, is for `max_iter` calls: those
        after them keep its last learning rate, which may be 0, and warn.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs. Those of the first call decide what 'auto' parameters are.
        y : Ignored
            Not used, present for consistency with other transformers.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.
        X_clean : {array-like, sparse matrix, torch.Tensor} of the shape of X, default=None
            Clean samples, as in `fit`.

        Returns
        -------
        self : object
            The transformer.

        Raises
        ------
        ValueError
            If an input cannot be used, or the training diverged.
        """
        return self._partial_fit(X, X_clean, sample_weight)

    @answers_in_kind
    def transform(self, X) -> np.ndarray:
        """Encode X as latent variables.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Latent variables, in the network's data type.
        """
        return self._encode(X)

    @answers_in_kind
    def inverse_transform(self, Z) -> np.ndarray:
        """Decode latent variables.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_components)
            Latent variables.

        Returns
        -------
        X : ndarray of shape (n_samples, ...)
            Reconstructions, of the shape of the X that was fitted to.

        Raises
        ------
        ValueError
            If Z has another number of columns.
        """
        check_is_fitted(self)
        return self._decode(check_latents(as_array(Z), self._n_features_out, self._dtype_))

    def reconstruct(self, X) -> np.ndarray:
        """Encode X and decode the latent variables.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs.

        Returns
        -------
        reconstruction : ndarray of the shape of X
            What ``inverse_transform(transform(X))`` returns.
        """
        return self._decode(self._encode(X))

    def score_samples(self, X, *, X_clean=None) -> np.ndarray:
        """Compute the negative reconstruction error of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs.
        X_clean : {array-like, sparse matrix, torch.Tensor} of the shape of X, default=None
            What the reconstructions are compared with; None takes X itself.

        Returns
        -------
        score : ndarray of shape (n_samples,)
            Minus the squared error of each sample, averaged over its features, whatever `loss` is,
            in double precision. As everywhere in scikit-learn, higher is better: what lies below a
            threshold is an anomaly. It is finite for every X: beyond 1e290, errors grow with their
            logarithm only.
        """
        X = self._check_new(X)
        return self._score_samples(X, self._check_clean(X, as_array(X_clean), reset=False))

    def score(
        self, X, y=None, sample_weight=None, *, X_clean=None, metric: str = "score_samples"
    ) -> float:
        """Compute the mean of `score_samples`, or the share of the variance that is explained.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs.
        y : Ignored
            Not used, present for consistency with other transformers.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.
        X_clean : {array-like, sparse matrix, torch.Tensor} of the shape of X, default=None
            What the reconstructions are compared with; None takes X itself.
        metric : {'score_samples', 'r2'}, default='score_samples'
            'r2' is the share of the variance of each feature that reconstructions explain,
            averaged over the features that vary. It is the same in every unit, and compares models
            after different scalers: see `sknn_basics.inspection.explained_variance`, which
            searches take as `scoring`.

        Returns
        -------
        score : float
            Weighted mean over the samples, or the share.

        Raises
        ------
        ValueError
            If there is no such metric.
        """
        check_choice(metric, ("score_samples", "r2"), "metric")
        if metric == "r2":
            target = as_array(X if X_clean is None else X_clean)
            return mean_r2(target, as_array(self.reconstruct(X)), sample_weight)
        scores = self.score_samples(X, X_clean=X_clean)
        weight = self._weigh(sample_weight, scores, scores)
        return float(np.average(scores, weights=weight))

    def extract_decoder(self, X=None) -> Decoder:
        """Copy the decoder into an object of its own, to save and use without the encoder.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...), default=None
            Inputs whose latent variables tell the decoder's `sample` how those of new samples are
            distributed: normally, with their mean and covariance.

        Returns
        -------
        decoder : Decoder
            It has `inverse_transform` and `sample`.
        """
        check_is_fitted(self)
        mean, scale = self._describe_latents(X)
        return Decoder(
            self._decoder_kind,
            self._structure_,
            own_weights_as_arrays(self.module_.decoder),
            n_components=self._n_features_out,
            sample_shape=tuple(self._sample_shape_),
            out_activation=self.out_activation_,
            dtype=self._dtype_,
            device=self.device,
            latent_mean=mean,
            latent_scale=scale,
        )

    def _describe_latents(self, X) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Tell mean and scale of the latent variables of new samples, if they are known."""
        return (None, None) if X is None else normal_distribution(self._encode(X))

    # Targets.

    def _encode_target(self, X, y, reset: bool, classes=None):
        if reset:
            self._input_range_ = list(self._value_range(X))
        target = self._check_clean(X, y, reset)
        if reset:
            target_range = self._input_range_ if target is X else self._value_range(target)
            self.out_activation_ = self._choose_out_activation(is_unit(*target_range))
        return target

    def _check_clean(self, X, X_clean, reset: bool):
        """Check clean samples; return X itself, the same object, if there are none."""
        if X_clean is None:
            return X
        names = getattr(self, "feature_names_in_", None)
        if names is not None and list(getattr(X_clean, "columns", names)) != list(names):
            raise ValueError("X_clean must have the columns of X, in the same order.")
        X_clean = check_array(
            X_clean, accept_sparse="csr", allow_nd=True, ensure_2d=False, input_name="X_clean"
        )
        check_numeric(X_clean, "X_clean")
        if X_clean.shape != X.shape:
            raise ValueError(
                f"X_clean must have the shape of X, {X.shape}, as it is what X should be "
                f"reconstructed as, got {X_clean.shape}."
            )
        self._warn_of_other_range(X_clean, reset)
        return X_clean

    def _value_range(self, array) -> tuple[float, float]:
        """Tell the range of the values that the network sees of inputs or clean samples."""
        return value_range(array)

    def _warn_of_other_range(self, X_clean, reset: bool) -> None:
        """Warn of clean samples that cannot be on the scale of the inputs that were fitted to."""
        (low, high), (low_clean, high_clean) = self._input_range_, self._value_range(X_clean)
        span, span_clean = high - low, high_clean - low_clean
        is_larger = span_clean > 10 * span or low_clean > high or high_clean < low
        # A few samples may well have a smaller range than all together.
        is_smaller = reset and 10 * span_clean < span
        if span > 0 and (is_larger or is_smaller):
            warnings.warn(
                f"X_clean has values from {low_clean:g} to {high_clean:g}, but X has values from "
                f"{low:g} to {high:g}: scale them alike. The steps of a pipeline transform X_clean "
                'only with metadata routing and Pipeline(..., transform_input=["X_clean"]).',
                stacklevel=2,
            )

    def _choose_out_activation(self, is_unit: bool) -> str:
        if self.out_activation != "auto":
            return self.out_activation
        if self.loss == "auto":
            return "logistic" if is_unit else "identity"
        return "logistic" if self.loss == "binary_cross_entropy" else "identity"

    def _describe_output(self, target) -> tuple[int, str]:
        chosen = self.out_activation
        activation = self.out_activation_ if chosen == "auto" else chosen
        if activation == "logistic":
            check_unit_range(*self._value_range(target))
        return prod(target.shape[1:]), activation

    def _check_options(self) -> None:
        super()._check_options()
        if self.loss == "binary_cross_entropy" and self.out_activation == "identity":
            raise ValueError(
                "loss='binary_cross_entropy' compares probabilities: it needs "
                "out_activation='logistic' or 'auto', got 'identity'."
            )

    def _make_reconstruction_loss(self) -> Loss:
        if not isinstance(self.loss, str):
            return make_loss(
                self.loss,
                unfit=UNFIT_FOR_RECONSTRUCTIONS,
                activate=torch.sigmoid if self.out_activation_ == "logistic" else None,
                sample_shape=tuple(self._sample_shape_),
            )
        name = self._auto_loss() if self.loss == "auto" else self.loss
        return RECONSTRUCTION_LOSSES[name, self.out_activation_]()

    def _auto_loss(self) -> str:
        """Choose the loss for the values of X."""
        is_logistic = self.out_activation_ == "logistic"
        return "binary_cross_entropy" if is_logistic else "squared_error"

    def _make_criterion(self) -> Loss:
        return Reconstruction(self._make_reconstruction_loss(), self.n_outputs_)

    def _make_dataset(self, X, target=None, weight=None) -> ReconstructionDataset:
        if target is not None and target is not X:
            check_range(target, self._dtype_, "X_clean")
        parameter = next(self.module_.parameters())
        place = {"dtype": parameter.dtype, "device": parameter.device}
        preprocess = read_preprocessing(self._structure_)
        if preprocess is not None:
            preprocess.to(**place)
        target = X if target is None else target
        return ReconstructionDataset(X, target, weight, **place, preprocess=preprocess)

    def _score_output(self, output, target, weight) -> float:
        target = (target.toarray() if issparse(target) else target).reshape(len(output), -1)
        errors = np.square(output[:, : self.n_outputs_] - target).mean(axis=1)
        return -float(np.average(errors, weights=weight)) if np.isfinite(errors).all() else np.nan

    # Passes through a fitted network.

    def _describe_plain(self) -> dict:
        described = {**super()._describe_plain(), "sample_shape": tuple(self._sample_shape_)}
        preprocess = read_preprocessing(self._structure_)
        if preprocess is not None:
            preprocess.to("cpu", torch.float32)
            described |= {"read": preprocess, "write": preprocess.inverse}
        return described

    @property
    def _n_features_out(self) -> int:
        return self._structure_["n_components"]

    def _encode(self, X) -> np.ndarray:
        X = self._check_new(X)
        return self.net_.map_batches(
            lambda batch: self.module_.encode(batch[0]).numpy(force=True), self._make_dataset(X)
        )

    def _decode(self, Z: np.ndarray) -> np.ndarray:
        output = self.net_.map_batches(
            lambda batch: self.net_.activate(self.module_.decode(batch[0])),
            self.net_.get_dataset(Z),
        )
        output = output.reshape(len(Z), *self._sample_shape_)
        return undo_preprocessing(output, self._structure_)

    def _score_samples(self, X, target) -> np.ndarray:
        return self.net_.map_batches(
            lambda batch: score_far(self._score_batch, *batch[:2]), self._make_dataset(X, target)
        )

    def _score_batch(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Compute the score of each sample of a batch."""
        output = self.module_.decode(self.module_.encode(inputs))
        return -mean_squared_difference(self.net_.predict_nonlinearity(output), targets)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Latent variables have the data type of the network.
        tags.transformer_tags.preserves_dtype = []
        return tags


def mean_r2(X, reconstruction, sample_weight=None) -> float:
    """Average the share of the variance that is explained over the features that vary."""
    X = np.asarray(X.toarray() if issparse(X) else X, dtype=float)
    X, restored = (values.reshape(len(X), -1) for values in (X, np.asarray(reconstruction, float)))
    varies = X.max(axis=0) > X.min(axis=0)
    if not varies.any():
        return np.nan
    return float(r2_score(X[:, varies], restored[:, varies], sample_weight=sample_weight))


def is_unit(low: float, high: float) -> bool:
    """Tell whether a logistic output can reconstruct values of a range, but for rounding."""
    return low >= -ROUNDING and high <= 1 + ROUNDING


def check_unit_range(low: float, high: float) -> None:
    """Check that a logistic output can reconstruct values of a range.

    Raises
    ------
    ValueError
        If it does not lie in [0, 1].
    """
    if not is_unit(low, high):
        raise ValueError(
            "A logistic output reconstructs values in [0, 1], but X (or X_clean) has values from "
            f"{low:g} to {high:g}: scale it, or set loss='squared_error' and "
            "out_activation='identity'."
        )


def score_far(score: Callable, inputs: Tensor, targets: Tensor) -> np.ndarray:
    """Score a batch that may hold samples of any size, as finite numbers in double precision.

    What networks make of very large inputs is proportional to them, or bounded: the squared error
    of a sample beyond `LARGEST_INPUT` is that of the sample scaled down to it, times the square of
    the scale.
    """
    largest = torch.maximum(inputs.flatten(1).abs().amax(1), targets.flatten(1).abs().amax(1))
    scale = (largest / LARGEST_INPUT).clamp(min=1)
    if (scale > 1).any():
        inputs, targets = (x / scale.view(-1, *[1] * (x.ndim - 1)) for x in (inputs, targets))
    results = score(inputs, targets), scale
    return enlarge(*(values.numpy(force=True).astype(np.float64) for values in results))


def enlarge(scores: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Multiply scores by the square of a scale; beyond `LARGEST_SCORE` only their logarithm grows.

    That keeps their order, and leaves room for sums.
    """
    with np.errstate(over="ignore", divide="ignore"):
        losses = -scores * scale * scale
        excess = np.log(np.abs(scores)) + 2 * np.log(scale) - np.log(LARGEST_SCORE)
    return -np.where(losses > LARGEST_SCORE, LARGEST_SCORE * (1 + excess), losses)
