"""What a layer of a network makes of samples, as features for other estimators."""

from math import prod

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data


class NetworkFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Outputs of a layer of a trained network, one row a sample.

    A pretrained network reads each sample once, and whatever follows in the pipeline is fitted to
    what it makes of it: with ``Pipeline(memory=...)``, a search over the steps after does not run
    the network again, while a network with `frozen_layers` runs them in every epoch.

    Parameters
    ----------
    model : estimator, Pipeline or nn.Module
        A fitted neural estimator, a pipeline that ends in one, whose steps before are applied, or
        any network. `clone` takes the fit away from an estimator: in a search, and wherever this
        transformer is cloned, wrap it in `sklearn.frozen.FrozenEstimator`.
    layer : str or None, default=None
        Name of the layer, as in ``model.summary()``; 'hidden1_activation' is what becomes of the
        outputs of 'hidden1'. None takes what the output layer reads, or all outputs of an
        `nn.Module`.

    Attributes
    ----------
    shape_ : tuple of int
        Shape of the layer's outputs for a sample, in the layout of X; they are flattened.
    n_features_in_ : int
        Number of features of X, if it has two dimensions.

    See Also
    --------
    sknn_basics.inspection.activations : Outputs of several layers, in their shapes.
    sknn_basics.ConvNetClassifier : Its `features`, a backbone that is trained too.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sknn_basics import Autoencoder
    >>> from sknn_basics.preprocessing import NetworkFeatures
    >>> X, y = load_digits(return_X_y=True)
    >>> coder = Autoencoder(hidden_layer_sizes=(64,), max_iter=20, random_state=0).fit(X / 16)
    >>> features = NetworkFeatures(FrozenEstimator(coder), layer="encoder.hidden1")
    >>> model = make_pipeline(features, LogisticRegression(max_iter=1000))
    >>> bool(model.fit(X / 16, y).score(X / 16, y) > 0.9)
    True
    """

    def __init__(self, model, layer: str | None = None):
        self.model = model
        self.layer = layer

    def fit(self, X, y=None):
        """Learn the shape of the features; the network is left as it is.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as the model takes them; the first tells the shape.
        y : Ignored
            Not used, present for consistency with other transformers.

        Returns
        -------
        self : object
            The transformer.

        Raises
        ------
        ValueError
            If there is no such layer; the message lists those that there are.
        """
        if self.layer is not None and not isinstance(self.layer, str):
            raise ValueError(f"layer must be the name of one layer or None, got {self.layer!r}.")
        if len(np.shape(X)) == 2:
            validate_data(self, X, skip_check_array=True)
        self.shape_ = self._compute(X[:1]).shape[1:]
        self._n_features_out = prod(self.shape_)
        return self

    def transform(self, X) -> np.ndarray:
        """Compute the features.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as the model takes them.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features)
            Outputs of the layer, flattened, in the data type of the network.

        Raises
        ------
        ValueError
            If the layer outputs another shape than for the X of `fit`.
        """
        check_is_fitted(self)
        if len(np.shape(X)) == 2:
            validate_data(self, X, reset=False, skip_check_array=True)
        outputs = self._compute(X)
        if outputs.shape[1:] != self.shape_:
            raise ValueError(
                f"The layer outputs shape {outputs.shape[1:]} for X, but {self.shape_} for the X "
                "of fit."
            )
        return outputs.reshape(len(outputs), -1)

    def _compute(self, X) -> np.ndarray:
        # Which stands on the estimators, and these on this room.
        from sknn_basics.inspection import activations

        name = self._name_layer() if self.layer is None else self.layer
        return activations(self.model, X, name)[name]

    def _name_layer(self) -> str:
        """Name the part of the network whose outputs are those of the whole but for its output."""
        from sknn_basics.inspection._networks import unwrap

        _, estimator = unwrap(self.model)
        if estimator is None:
            return ""
        parts = [name for name, _ in estimator.module_.named_children()]
        if "encoder" in parts:
            return "encoder"
        if "output" not in parts[1:]:
            raise ValueError(f"layer=None needs a network with hidden layers, name one of {parts}.")
        return parts[parts.index("output") - 1]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "shape_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = []
        return tags
