"""What neural transformers make of X: latents, reconstructions and their errors."""

from math import prod

import numpy as np
from scipy.sparse import issparse
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, _fit_context
from sklearn.utils import check_array
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sknn_basics.base import NeuralEstimator
from sknn_basics.checks import (
    check_latents,
    check_numeric,
    check_range,
    count_dimensions,
    value_range,
)
from sknn_basics.decoder import Decoder, normal_distribution
from sknn_basics.modules.autoencoder import own_weights_as_arrays
from sknn_basics.training.batches import ReconstructionDataset
from sknn_basics.training.devices import as_array
from sknn_basics.training.losses import (
    RECONSTRUCTION_LOSSES,
    Loss,
    Reconstruction,
    mean_squared_difference,
)


class NeuralTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NeuralEstimator):
    """What neural transformers share: they encode X as latents, and learn to decode these.

    The network of a family has `encode` and `decode`, as `AutoencoderNetwork` has.
    """

    _parameter_constraints: dict = {
        **NeuralEstimator._parameter_constraints,
        "loss": [StrOptions({"auto", "binary_cross_entropy", "squared_error"})],
        "out_activation": [StrOptions({"auto", "logistic", "identity"})],
        "init_from": [
            HasMethods("transform"),
            *NeuralEstimator._parameter_constraints["init_from"],
        ],
        "scoring": [StrOptions({"loss"}), callable, None],
    }

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Fit the network to reconstruct X, or y from X.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs. They are cast to the network's data type batch by batch.
        y : array-like of shape (n_samples,) or of the shape of X, default=None
            With the shape of X, what X should be reconstructed as: the clean samples, where X
            holds noisy ones. One-dimensional, it is ignored, so that a pipeline can pass the labels
            that its last step needs.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples; None weighs all the same.
        X_val : {array-like, sparse matrix, torch.Tensor} of shape (n_val, ...), default=None
            Inputs to validate on after every epoch, in place of a part of X, preprocessed as X is.
            A pipeline passes them on as they are, unless metadata routing is enabled and its
            ``transform_input`` names them: see "Validation data in a pipeline" in the user guide.
        y_val : array-like of shape (n_val,) or of the shape of X_val, default=None
            What they should be reconstructed as, with the same meaning as y.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the validation samples.

        Returns
        -------
        self : object
            The fitted transformer.

        Raises
        ------
        ValueError
            If an input cannot be used, or the training diverged. Whatever a fit raises, what was
            learnt before it stays.
        """
        if X_val is None and y_val is not None:
            raise ValueError("y_val needs X_val.")
        return self._fit_epochs(X, y, sample_weight, X_val, y_val, sample_weight_val)

    def initialize(self, X, y=None):
        """Make the network for data like the given, with its initial weights, without training.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs, which decide what 'auto' parameters are.
        y : array-like of shape (n_samples,) or of the shape of X, default=None
            Clean samples, or labels that are ignored, as in `fit`.

        Returns
        -------
        self : object
            The transformer, which encodes with its initial weights.
        """
        return super().initialize(X, y)

    @available_if(NeuralEstimator._has_partial_fit)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Train for one epoch on the given data.

        A schedule with an end, such as ``learning_rate='cosine'``, is for `max_iter` calls: those
        after them keep its last rate, which may be 0, and warn.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs. Those of the first call decide what 'auto' parameters are.
        y : array-like of shape (n_samples,) or of the shape of X, default=None
            Clean samples, or labels that are ignored, as in `fit`.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        self : object
            The transformer.

        Raises
        ------
        ValueError
            If an input cannot be used, or the training diverged.
        """
        return self._partial_fit(X, y, sample_weight)

    def transform(self, X) -> np.ndarray:
        """Encode X as latents.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Latents, in the network's data type.
        """
        return self._encode(X)

    def inverse_transform(self, Z) -> np.ndarray:
        """Decode latents.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_components)
            Latents.

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
        """Encode X and decode the latents.

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

    def score_samples(self, X) -> np.ndarray:
        """Compute the negative reconstruction error of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs.

        Returns
        -------
        score : ndarray of shape (n_samples,)
            Minus the squared error of each sample, averaged over its features, whatever `loss` is.
            As everywhere in scikit-learn, higher is better: what lies below a threshold is an
            anomaly.
        """
        return self._score_samples(self._check_new(X), None)

    def score(self, X, y=None, sample_weight=None) -> float:
        """Compute the mean of `score_samples`.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs.
        y : array-like of shape (n_samples,) or of the shape of X, default=None
            Clean samples to compare the reconstructions with, or labels that are ignored, as in
            `fit`.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        score : float
            Weighted mean over the samples.
        """
        X = self._check_new(X)
        scores = self._score_samples(X, self._check_target(X, as_array(y)))
        return float(np.average(scores, weights=self._weigh(sample_weight, X, X)))

    def extract_decoder(self, X=None) -> Decoder:
        """Copy the decoder into an object of its own, to save and use without the encoder.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...), default=None
            Inputs whose latents tell the decoder's `sample` how those of new samples are
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
        """Tell mean and scale of the latents of new samples, if they are known."""
        return (None, None) if X is None else normal_distribution(self._encode(X))

    # Targets.

    def _encode_target(self, X, y, reset: bool, classes=None):
        target = self._check_target(X, y)
        if reset:
            self._input_range_ = list(value_range(X))
            low, high = self._input_range_ if target is X else value_range(target)
            self.out_activation_ = self._choose_out_activation(low >= 0 and high <= 1)
        return target

    def _check_target(self, X, y):
        """Check y, and return X itself if y does not say what X should become."""
        if y is None or count_dimensions(y) == 1:
            check_consistent_length(X, y)
            return X
        y = check_array(y, accept_sparse="csr", allow_nd=True, ensure_2d=False, input_name="y")
        check_numeric(y, "y")
        if y.shape != X.shape:
            raise ValueError(
                f"y must have the shape of X, {X.shape}, to say what X should be reconstructed as, "
                f"or one dimension to be ignored, got {y.shape}."
            )
        return y

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
            check_unit_range(target)
        return prod(target.shape[1:]), activation

    def _check_options(self) -> None:
        super()._check_options()
        if self.loss == "binary_cross_entropy" and self.out_activation == "identity":
            raise ValueError(
                "loss='binary_cross_entropy' compares probabilities: it needs "
                "out_activation='logistic' or 'auto', got 'identity'."
            )

    def _make_reconstruction_loss(self) -> Loss:
        name = self.loss
        if name == "auto":
            is_logistic = self.out_activation_ == "logistic"
            name = "binary_cross_entropy" if is_logistic else "squared_error"
        return RECONSTRUCTION_LOSSES[name, self.out_activation_]()

    def _make_criterion(self) -> Loss:
        return Reconstruction(self._make_reconstruction_loss(), self.n_outputs_)

    def _make_dataset(self, X, target=None, weight=None) -> ReconstructionDataset:
        parameter = next(self.module_.parameters())
        if target is None:
            target = X
        check_range(target, self._dtype_, "X" if target is X else "y")
        return ReconstructionDataset(
            X, target, weight, dtype=parameter.dtype, device=parameter.device
        )

    def _score_output(self, output, target, weight) -> float:
        target = (target.toarray() if issparse(target) else target).reshape(len(output), -1)
        errors = np.square(output[:, : self.n_outputs_] - target).mean(axis=1)
        return -float(np.average(errors, weights=weight)) if np.isfinite(errors).all() else np.nan

    # Passes through a fitted network.

    @property
    def _n_features_out(self) -> int:
        return self._structure_["n_components"]

    def _encode(self, X) -> np.ndarray:
        X = self._check_new(X)
        return self.net_.map_batches(
            lambda batch: self.module_.encode(batch[0]).numpy(force=True),
            self.net_.get_dataset(X),
        )

    def _decode(self, Z: np.ndarray) -> np.ndarray:
        output = self.net_.map_batches(
            lambda batch: self.net_.activate(self.module_.decode(batch[0])),
            self.net_.get_dataset(Z),
        )
        return output.reshape(len(Z), *self._sample_shape_)

    def _score_samples(self, X, target) -> np.ndarray:
        def scores(batch) -> np.ndarray:
            inputs, targets, _ = batch
            output = self.module_.decode(self.module_.encode(inputs))
            reconstruction = self.net_.predict_nonlinearity(output)
            return -mean_squared_difference(reconstruction, targets).numpy(force=True)

        return self.net_.map_batches(scores, self._make_dataset(X, target))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Latents have the data type of the network.
        tags.transformer_tags.preserves_dtype = []
        return tags


def check_unit_range(target) -> None:
    """Check that a logistic output can reconstruct what it should.

    Raises
    ------
    ValueError
        If a value is not in [0, 1].
    """
    low, high = value_range(target)
    if low < 0 or high > 1:
        raise ValueError(
            "A logistic output reconstructs values in [0, 1], but X (or a y of its shape) has "
            f"values from {low:g} to {high:g}: scale it, or set loss='squared_error' and "
            "out_activation='identity'."
        )
