"""Multi-layer perceptrons."""

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from sknn_basics.base import NeuralEstimator
from sknn_basics.checks import check_numeric, hidden_sizes, one_a_layer
from sknn_basics.documentation import DENSE_ATTRIBUTES, documented
from sknn_basics.heads import NeuralClassifier, NeuralRegressor
from sknn_basics.modules.dense import DenseNetwork
from sknn_basics.modules.initialisers import weight_layers
from sknn_basics.training.saving import copy_into


class DenseEstimator(NeuralEstimator):
    """What the multi-layer perceptrons share: tabular X, and a dense network."""

    def _check_X(self, X, reset: bool):
        X = validate_data(self, X, reset=reset, accept_sparse="csr")
        check_numeric(X, "X")
        if reset:
            self._sample_shape_ = X.shape[1:]
        return X

    def _describe_module(self, n_outputs: int) -> dict:
        sizes = hidden_sizes(self.hidden_layer_sizes)
        return {
            "n_inputs": self.n_features_in_,
            "hidden_layer_sizes": sizes,
            "n_outputs": n_outputs,
            "activation": self.activation,
            "normalization": self.normalization,
            "dropout": one_a_layer(self.dropout, len(sizes), "dropout"),
            "max_norm": self.max_norm,
            "input_noise": self.input_noise,
        }

    def _make_module(self, structure: dict) -> DenseNetwork:
        return DenseNetwork(**structure)

    @property
    def n_layers_(self) -> int:
        """Number of layers, the inputs among them."""
        check_is_fitted(self)
        return len(weight_layers(self.module_)) + 1

    @property
    def coefs_(self) -> list[np.ndarray]:
        """Weights between layers, arrays of shape (n_inputs, n_units); views where possible."""
        check_is_fitted(self)
        return [layer.weight.numpy(force=True).T for layer in weight_layers(self.module_)]

    @coefs_.setter
    def coefs_(self, arrays: list[np.ndarray]) -> None:
        check_is_fitted(self)
        copy_into([layer.weight.T for layer in weight_layers(self.module_)], arrays, "coefs_")

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """Biases of the layers, arrays of shape (n_units,); views where possible."""
        check_is_fitted(self)
        return [layer.bias.numpy(force=True) for layer in weight_layers(self.module_)]

    @intercepts_.setter
    def intercepts_(self, arrays: list[np.ndarray]) -> None:
        check_is_fitted(self)
        copy_into([layer.bias for layer in weight_layers(self.module_)], arrays, "intercepts_")


@documented(attributes=DENSE_ATTRIBUTES)
class MLPClassifier(DenseEstimator, NeuralClassifier):
    """Multi-layer perceptron classifier.

    It has every parameter, default and attribute of `sklearn.neural_network.MLPClassifier` with
    the same meaning, and more behind them.

    Parameters
    ----------
    %(parameters)s
    loss : {'log_loss', 'cross_entropy'}, default='log_loss'
        'log_loss' is scikit-learn's choice by the kind of y: one logistic output for two
        classes, a softmax for more, one logistic output a label for a multi-label y of zeros
        and ones. 'cross_entropy' always takes a softmax, and reads a two-dimensional y as one-hot
        rows or class probabilities.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels; column numbers for a two-dimensional y.

    %(attributes)s
    See Also
    --------
    MLPRegressor : Multi-layer perceptron regressor.
    sklearn.neural_network.MLPClassifier : The same without a GPU, dropout or normalization.

    Notes
    -----
    Deliberate differences from scikit-learn: `dtype` says in which data type the network computes,
    and not that of X, which probabilities have all the same; the validation split of
    `early_stopping` is stratified for more than two classes too; class probabilities are accepted
    as y; a diverging training raises; `predict_proba` has one column if there is one class;
    predicted labels of a multi-label y are dense; of equally good epochs, `early_stopping` restores
    the one with the smallest validation loss.

    References
    ----------
    Rumelhart, Hinton and Williams. "Learning representations by back-propagating errors."
    Nature 323 (1986): 533-536.

    Kingma and Ba. "Adam: a method for stochastic optimization." ICLR 2015.

    Glorot and Bengio. "Understanding the difficulty of training deep feedforward neural
    networks." AISTATS 2010.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import MinMaxScaler
    >>> from sknn_basics import MLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> model = make_pipeline(MinMaxScaler(), MLPClassifier(dropout=0.2, random_state=0))
    >>> model.fit(X_train, y_train).score(X_test, y_test) > 0.95
    True
    """

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        loss="log_loss",
        dropout=0.0,
        normalization=None,
        max_norm=None,
        input_noise=0.0,
        weight_init="auto",
        class_weight=None,
        label_smoothing=0.0,
        clip_grad_norm=None,
        init_from=None,
        init_layers=None,
        frozen_layers=None,
        scoring=None,
        callbacks=None,
        device="auto",
        dtype="auto",
        compile=False,
    ):
        self._store(locals())


@documented(attributes=DENSE_ATTRIBUTES)
class MLPRegressor(DenseEstimator, NeuralRegressor):
    """Multi-layer perceptron regressor.

    It has every parameter, default and attribute of `sklearn.neural_network.MLPRegressor` with
    the same meaning, and more behind them.

    Parameters
    ----------
    loss : {'squared_error', 'poisson', 'absolute_error', 'huber'}, default='squared_error'
        What is minimised: half of the squared error, half of the Poisson deviance (the output is
        an exponential, and y must not be negative), the absolute error, or Huber's loss with
        its corner at 1.

    %(parameters)s
    Attributes
    ----------
    %(attributes)s
    See Also
    --------
    MLPClassifier : Multi-layer perceptron classifier.
    sklearn.neural_network.MLPRegressor : The same without a GPU, dropout or normalization.

    Notes
    -----
    Deliberate differences from scikit-learn: `dtype` says in which data type the network computes,
    and not that of X; a diverging training raises. y is not scaled: use
    `sklearn.compose.TransformedTargetRegressor`.

    References
    ----------
    Rumelhart, Hinton and Williams. "Learning representations by back-propagating errors."
    Nature 323 (1986): 533-536.

    Kingma and Ba. "Adam: a method for stochastic optimization." ICLR 2015.

    Glorot and Bengio. "Understanding the difficulty of training deep feedforward neural
    networks." AISTATS 2010.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sknn_basics import MLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = make_pipeline(
    ...     StandardScaler(),
    ...     MLPRegressor(hidden_layer_sizes=(20,), solver="lbfgs", alpha=1000.0, random_state=0),
    ... )
    >>> bool(cross_val_score(model, X, y).mean() > 0.4)
    True
    """

    def __init__(
        self,
        loss="squared_error",
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
        dropout=0.0,
        normalization=None,
        max_norm=None,
        input_noise=0.0,
        weight_init="auto",
        clip_grad_norm=None,
        init_from=None,
        init_layers=None,
        frozen_layers=None,
        scoring=None,
        callbacks=None,
        device="auto",
        dtype="auto",
        compile=False,
    ):
        self._store(locals())
