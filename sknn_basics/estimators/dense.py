"""Multi-layer perceptrons."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from sknn_basics.estimators._base.checks import check_numeric, hidden_sizes, one_a_layer
from sknn_basics.estimators._base.fit import NeuralEstimator
from sknn_basics.estimators._base.targets import NeuralClassifier, NeuralRegressor
from sknn_basics.estimators._base.types import (
    Activation,
    Callbacks,
    ClassWeight,
    Device,
    Float,
    Floats,
    Int,
    Ints,
    LearningRate,
    Loss,
    Names,
    RandomState,
    Scoring,
    Solver,
    Source,
    WeightInit,
)
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
            "activation": self.activation if sizes else "identity",
            "normalization": self.normalization if sizes else None,
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


class MLPClassifier(DenseEstimator, NeuralClassifier):
    """Multi-layer perceptron classifier.

    It has every parameter, default and attribute of `sklearn.neural_network.MLPClassifier` with
    the same meaning, and more behind them.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int, default=(100,)
        Number of units of each hidden layer.

    activation : str or nn.Module class, default='relu'
        Activation of the hidden layers: 'identity', 'logistic', 'tanh', 'relu', or any other
        elementwise activation of `torch.nn` in lower case ('elu', 'gelu', 'leaky_relu', 'silu',
        ...), or a class that is called without arguments.

    solver : str or torch.optim class, default='adam'
        'sgd', 'adam', 'adamw', 'adamax', 'nadam', 'radam', 'rmsprop', 'adagrad', 'adadelta';
        'lbfgs' for SciPy's L-BFGS-B on all samples at once, in double precision; or a class or
        function that is called with the parameters and the rate as ``lr``, and keeps its own
        defaults.

    alpha : float, default=0.0001
        Strength of the L2 penalty on weights, divided by the number of samples of a batch. With
        ``solver='adamw'`` it is the decoupled weight decay instead: each step multiplies
        weights, but not biases, by 1 - rate * `alpha`, and the loss has no penalty.

    batch_size : int or 'auto', default='auto'
        Number of samples a batch; 'auto' is ``min(200, n_samples)``.

    learning_rate : str, Schedule or callable, default='constant'
        Schedule of the rate: 'constant', 'invscaling', 'adaptive' (as in scikit-learn; the last
        two do nothing to solver 'adam'), 'step', 'exponential', 'cosine', 'one_cycle',
        'reduce_on_plateau', an object of `sknn_basics.training.schedules`, or a function from
        the epoch, counted from 0, to the rate. 'cosine' and 'one_cycle' end after `max_iter`
        epochs: calls of ``partial_fit`` beyond them keep the last rate, and warn; a warm start
        begins anew.

    learning_rate_init : float or 'auto', default=0.001
        Initial rate; 'auto' is the solver's own usual rate.

    power_t : float, default=0.5
        Exponent of 'invscaling'.

    max_iter : int, default=200
        Largest number of epochs, or of iterations of 'lbfgs'.

    shuffle : bool, default=True
        Whether the samples get a new order every epoch.

    random_state : int, RandomState instance or None, default=None
        Source of initial weights, validation split, order of samples, dropout and noise. With
        an int, the same data give the same bits on the same device. Only where a step is large
        (batch size times parameters above 2**22), the last bits depend on the number of threads
        too.

    tol : float, default=1e-4
        An improvement of the monitored loss or score that is smaller counts as none.

    verbose : bool or int, default=False
        Whether to print one line an epoch.

    warm_start : bool, default=False
        Whether `fit` continues with the weights of the last fit. All parameters may change in
        between that leave the network as it predicts (its layers, activations and data type):
        dropout, noises, largest norms, penalties, class weights, loss, solver, schedule and the
        like. Best values and patience go on only where they are of the same loss or score on
        the same samples.

    momentum : float in [0, 1], default=0.9
        Momentum of 'sgd'.

    nesterovs_momentum : bool, default=True
        Whether 'sgd' uses Nesterov's momentum.

    early_stopping : bool, default=False
        Whether to hold out a part of the samples, stop when their score does not improve by
        `tol` for `n_iter_no_change` epochs, and restore the best weights. Does nothing to
        'lbfgs'.

    validation_fraction : float in [0, 1), default=0.1
        Share of the samples to hold out, stratified by class where every class has enough
        samples. A warm start holds out the same rows again.

    beta_1 : float in [0, 1), default=0.9
        Decay rate of the first moment, of Adam and its variants.

    beta_2 : float in [0, 1), default=0.999
        Decay rate of the second moment, of Adam and its variants.

    epsilon : float, default=1e-8
        Stabilises the division, of Adam, its variants and 'rmsprop'.

    n_iter_no_change : int or inf, default=10
        Number of epochs without improvement that are waited for.

    max_fun : int, default=15000
        Largest number of evaluations of the loss by 'lbfgs'.

    loss : {'log_loss', 'cross_entropy', 'focal'}, class or callable, default='log_loss'
        'log_loss' is scikit-learn's choice by the kind of y: one logistic output for two
        classes, a softmax for more, one logistic output a label for a multi-label y of zeros
        and ones. 'cross_entropy' always takes a softmax, and reads a two-dimensional y as
        one-hot rows or class probabilities.
        'focal' is a softmax whose easy samples count less: `FocalLoss`. A class or an object of
        `nn.Module`, or a function, is called with logits and class indices, and returns one
        number a sample: see "Own losses" in the user guide.

    dropout : float in [0, 1) or array-like of float, default=0.0
        Probability of dropping a unit's output in training; one value, or one a hidden layer.

    normalization : {'batch', 'layer'} or None, default=None
        Normalization between the linear part and the activation of each hidden layer.

    max_norm : float or None, default=None
        Largest norm of the weights into each hidden unit, restored after every step.

    input_noise : float, default=0.0
        Standard deviation of normal noise that is added to X in training.

    weight_init : str or callable, default='auto'
        'auto' draws weights and biases as scikit-learn does; 'uniform' (±0.01), 'normal'
        (0.05), 'glorot_uniform', 'glorot_normal', 'he_uniform', 'he_normal', 'lecun_uniform',
        'lecun_normal', 'orthogonal' set biases to zero, and so does a function ``(weight, *,
        generator)`` as in `torch.nn.init`.

    class_weight : dict, list of dict, 'balanced' or None, default=None
        Weight of each class, multiplied with `sample_weight`; 'balanced' is inversely
        proportional to the classes' frequencies in the training data, and weighs validation
        data the same.

    label_smoothing : float in [0, 1], default=0.0
        Share of each target that is spread evenly over the classes.

    clip_grad_norm : float or None, default=None
        Largest norm of the gradient of all parameters together.

    init_from : fitted estimator, mapping, path or None, default=None
        Where the initial weights of some layers come from: another neural estimator or a
        pipeline that ends in one, in a `sklearn.frozen.FrozenEstimator` if it shall survive
        `clone`; arrays by name; or a file of `save_weights`. The other layers are drawn.

    init_layers : str, list of str or None, default=None
        Names of the layers to take from `init_from`, with wildcards as in `fnmatch`
        ('hidden*'). None takes all but the output, and raises where the networks differ
        otherwise.

    frozen_layers : str, list of str or None, default=None
        Names of the layers whose weights are kept as they are, with wildcards ('block*'). With
        `warm_start`, each `fit` freezes and thaws anew.

    scoring : str, callable or None, default=None
        What is recorded on the validation data and watched by `early_stopping`: a scorer of
        scikit-learn, 'loss', or None for the estimator's own score. Epochs whose score is NaN
        count neither as progress nor as none; the first one warns.

    callbacks : list of skorch callbacks or None, default=None
        Called during the training, after the estimator's own.

    device : str or torch.device, default='auto'
        Where to compute; 'auto' is CUDA where there is one, else the CPU.

    dtype : {'auto', 'float32', 'float64'}, default='auto'
        Data type of the network. 'auto' is float32, but float64 for 'lbfgs' and, on a CPU, for
        small samples: up to 32 values, and up to 2**19 multiplications by the network for each.
        It does not depend on the number of samples, nor on the data type of X. 'float32' is
        faster there: dense networks by up to half, LSTM layers two to four times.

    compile : bool, default=False
        Whether to compile the network with `torch.compile`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels; column numbers for a two-dimensional y.

    coefs_ : list of ndarray of shape (n_inputs, n_units)
        Weights of each layer.

    intercepts_ : list of ndarray of shape (n_units,)
        Biases of each layer.

    n_layers_ : int
        Number of layers, the inputs among them.

    module_ : nn.Module
        The network.

    net_ : skorch.NeuralNet
        The net that has trained it.

    history_ : dict of str to ndarray of shape (n_epochs,)
        What was recorded for every epoch: 'train_loss', 'learning_rate', 'dur' (seconds) and,
        with validation data, 'valid_loss' and 'valid_score'. Variational autoencoders add the
        parts of the loss, 'train_reconstruction' and 'train_kl' (and 'valid_...'), and a learnt
        'train_noise_variance'.

    loss_ : float
        Loss of the last epoch.

    best_loss_ : float or None
        Smallest training loss of all epochs; None with `early_stopping`.

    loss_curve_ : list of float
        Training loss of every epoch, the L2 penalty included.

    validation_scores_ : list of float or None
        Score on the validation data after every epoch.

    best_validation_score_ : float or None
        Best score on the validation data.

    t_ : int
        Number of training samples that were seen, counted once an epoch.

    n_features_in_ : int
        Number of features.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has names that are all strings.

    n_iter_ : int
        Number of epochs of the last fit.

    n_outputs_ : int
        Number of output units.

    n_parameters_ : int
        Number of parameters of the network.

    out_activation_ : str
        Activation of the outputs.

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
        hidden_layer_sizes: Ints = (100,),
        activation: Activation = "relu",
        *,
        solver: Solver = "adam",
        alpha: Float = 0.0001,
        batch_size: Int | str = "auto",
        learning_rate: LearningRate = "constant",
        learning_rate_init: Float | str = 0.001,
        power_t: Float = 0.5,
        max_iter: Int = 200,
        shuffle: bool = True,
        random_state: RandomState = None,
        tol: Float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: Float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: Float = 0.1,
        beta_1: Float = 0.9,
        beta_2: Float = 0.999,
        epsilon: Float = 1e-8,
        n_iter_no_change: Float = 10,
        max_fun: Int = 15000,
        loss: Loss = "log_loss",
        dropout: Floats = 0.0,
        normalization: str | None = None,
        max_norm: Float | None = None,
        input_noise: Float = 0.0,
        weight_init: WeightInit = "auto",
        class_weight: ClassWeight = None,
        label_smoothing: Float = 0.0,
        clip_grad_norm: Float | None = None,
        init_from: Source = None,
        init_layers: Names | None = None,
        frozen_layers: Names | None = None,
        scoring: Scoring = None,
        callbacks: Callbacks = None,
        device: Device = "auto",
        dtype: str = "auto",
        compile: bool = False,
    ):
        self._store(locals())


class MLPRegressor(DenseEstimator, NeuralRegressor):
    """Multi-layer perceptron regressor.

    It has every parameter, default and attribute of `sklearn.neural_network.MLPRegressor` with
    the same meaning, and more behind them.

    Parameters
    ----------
    loss : str, class or callable, default='squared_error'
        What is minimised: 'squared_error', half of it; 'poisson', half of the Poisson deviance
        (the output is an exponential, and y must not be negative); 'absolute_error'; 'huber',
        Huber's loss with its corner at 1; 'quantile', the pinball loss of `quantile`;
        'gaussian', minus the log-likelihood of a normal y, whose mean and standard deviation
        ``predict(X, return_std=True)`` returns. A class or an object of `nn.Module`, or a
        function, is called with outputs and targets of shape (n_samples, n_outputs), and
        returns one number a sample or one an output: see "Own losses" in the user guide.

    hidden_layer_sizes : array-like of int, default=(100,)
        Number of units of each hidden layer.

    activation : str or nn.Module class, default='relu'
        Activation of the hidden layers: 'identity', 'logistic', 'tanh', 'relu', or any other
        elementwise activation of `torch.nn` in lower case ('elu', 'gelu', 'leaky_relu', 'silu',
        ...), or a class that is called without arguments.

    solver : str or torch.optim class, default='adam'
        'sgd', 'adam', 'adamw', 'adamax', 'nadam', 'radam', 'rmsprop', 'adagrad', 'adadelta';
        'lbfgs' for SciPy's L-BFGS-B on all samples at once, in double precision; or a class or
        function that is called with the parameters and the rate as ``lr``, and keeps its own
        defaults.

    alpha : float, default=0.0001
        Strength of the L2 penalty on weights, divided by the number of samples of a batch. With
        ``solver='adamw'`` it is the decoupled weight decay instead: each step multiplies
        weights, but not biases, by 1 - rate * `alpha`, and the loss has no penalty.

    batch_size : int or 'auto', default='auto'
        Number of samples a batch; 'auto' is ``min(200, n_samples)``.

    learning_rate : str, Schedule or callable, default='constant'
        Schedule of the rate: 'constant', 'invscaling', 'adaptive' (as in scikit-learn; the last
        two do nothing to solver 'adam'), 'step', 'exponential', 'cosine', 'one_cycle',
        'reduce_on_plateau', an object of `sknn_basics.training.schedules`, or a function from
        the epoch, counted from 0, to the rate. 'cosine' and 'one_cycle' end after `max_iter`
        epochs: calls of ``partial_fit`` beyond them keep the last rate, and warn; a warm start
        begins anew.

    learning_rate_init : float or 'auto', default=0.001
        Initial rate; 'auto' is the solver's own usual rate.

    power_t : float, default=0.5
        Exponent of 'invscaling'.

    max_iter : int, default=200
        Largest number of epochs, or of iterations of 'lbfgs'.

    shuffle : bool, default=True
        Whether the samples get a new order every epoch.

    random_state : int, RandomState instance or None, default=None
        Source of initial weights, validation split, order of samples, dropout and noise. With
        an int, the same data give the same bits on the same device. Only where a step is large
        (batch size times parameters above 2**22), the last bits depend on the number of threads
        too.

    tol : float, default=1e-4
        An improvement of the monitored loss or score that is smaller counts as none.

    verbose : bool or int, default=False
        Whether to print one line an epoch.

    warm_start : bool, default=False
        Whether `fit` continues with the weights of the last fit. All parameters may change in
        between that leave the network as it predicts (its layers, activations and data type):
        dropout, noises, largest norms, penalties, class weights, loss, solver, schedule and the
        like. Best values and patience go on only where they are of the same loss or score on
        the same samples.

    momentum : float in [0, 1], default=0.9
        Momentum of 'sgd'.

    nesterovs_momentum : bool, default=True
        Whether 'sgd' uses Nesterov's momentum.

    early_stopping : bool, default=False
        Whether to hold out a part of the samples, stop when their score does not improve by
        `tol` for `n_iter_no_change` epochs, and restore the best weights. Does nothing to
        'lbfgs'.

    validation_fraction : float in [0, 1), default=0.1
        Share of the samples to hold out, stratified by class where every class has enough
        samples. A warm start holds out the same rows again.

    beta_1 : float in [0, 1), default=0.9
        Decay rate of the first moment, of Adam and its variants.

    beta_2 : float in [0, 1), default=0.999
        Decay rate of the second moment, of Adam and its variants.

    epsilon : float, default=1e-8
        Stabilises the division, of Adam, its variants and 'rmsprop'.

    n_iter_no_change : int or inf, default=10
        Number of epochs without improvement that are waited for.

    max_fun : int, default=15000
        Largest number of evaluations of the loss by 'lbfgs'.

    quantile : float, array-like of float or None, default=None
        Levels of the quantiles that ``loss='quantile'`` predicts: one, or several that
        increase, which become the columns of predictions and never cross.

    dropout : float in [0, 1) or array-like of float, default=0.0
        Probability of dropping a unit's output in training; one value, or one a hidden layer.

    normalization : {'batch', 'layer'} or None, default=None
        Normalization between the linear part and the activation of each hidden layer.

    max_norm : float or None, default=None
        Largest norm of the weights into each hidden unit, restored after every step.

    input_noise : float, default=0.0
        Standard deviation of normal noise that is added to X in training.

    weight_init : str or callable, default='auto'
        'auto' draws weights and biases as scikit-learn does; 'uniform' (±0.01), 'normal'
        (0.05), 'glorot_uniform', 'glorot_normal', 'he_uniform', 'he_normal', 'lecun_uniform',
        'lecun_normal', 'orthogonal' set biases to zero, and so does a function ``(weight, *,
        generator)`` as in `torch.nn.init`.

    clip_grad_norm : float or None, default=None
        Largest norm of the gradient of all parameters together.

    init_from : fitted estimator, mapping, path or None, default=None
        Where the initial weights of some layers come from: another neural estimator or a
        pipeline that ends in one, in a `sklearn.frozen.FrozenEstimator` if it shall survive
        `clone`; arrays by name; or a file of `save_weights`. The other layers are drawn.

    init_layers : str, list of str or None, default=None
        Names of the layers to take from `init_from`, with wildcards as in `fnmatch`
        ('hidden*'). None takes all but the output, and raises where the networks differ
        otherwise.

    frozen_layers : str, list of str or None, default=None
        Names of the layers whose weights are kept as they are, with wildcards ('block*'). With
        `warm_start`, each `fit` freezes and thaws anew.

    scoring : str, callable or None, default=None
        What is recorded on the validation data and watched by `early_stopping`: a scorer of
        scikit-learn, 'loss', or None for the estimator's own score. Epochs whose score is NaN
        count neither as progress nor as none; the first one warns.

    callbacks : list of skorch callbacks or None, default=None
        Called during the training, after the estimator's own.

    device : str or torch.device, default='auto'
        Where to compute; 'auto' is CUDA where there is one, else the CPU.

    dtype : {'auto', 'float32', 'float64'}, default='auto'
        Data type of the network. 'auto' is float32, but float64 for 'lbfgs' and, on a CPU, for
        small samples: up to 32 values, and up to 2**19 multiplications by the network for each.
        It does not depend on the number of samples, nor on the data type of X. 'float32' is
        faster there: dense networks by up to half, LSTM layers two to four times.

    compile : bool, default=False
        Whether to compile the network with `torch.compile`.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_inputs, n_units)
        Weights of each layer.

    intercepts_ : list of ndarray of shape (n_units,)
        Biases of each layer.

    n_layers_ : int
        Number of layers, the inputs among them.

    module_ : nn.Module
        The network.

    net_ : skorch.NeuralNet
        The net that has trained it.

    history_ : dict of str to ndarray of shape (n_epochs,)
        What was recorded for every epoch: 'train_loss', 'learning_rate', 'dur' (seconds) and,
        with validation data, 'valid_loss' and 'valid_score'. Variational autoencoders add the
        parts of the loss, 'train_reconstruction' and 'train_kl' (and 'valid_...'), and a learnt
        'train_noise_variance'.

    loss_ : float
        Loss of the last epoch.

    best_loss_ : float or None
        Smallest training loss of all epochs; None with `early_stopping`.

    loss_curve_ : list of float
        Training loss of every epoch, the L2 penalty included.

    validation_scores_ : list of float or None
        Score on the validation data after every epoch.

    best_validation_score_ : float or None
        Best score on the validation data.

    t_ : int
        Number of training samples that were seen, counted once an epoch.

    n_features_in_ : int
        Number of features.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has names that are all strings.

    n_iter_ : int
        Number of epochs of the last fit.

    n_outputs_ : int
        Number of output units.

    n_parameters_ : int
        Number of parameters of the network.

    out_activation_ : str
        Activation of the outputs.

    See Also
    --------
    MLPClassifier : Multi-layer perceptron classifier.
    sklearn.neural_network.MLPRegressor : The same without a GPU, dropout or normalization.

    Notes
    -----
    Deliberate differences from scikit-learn: `dtype` says in which data type the network computes,
    and not that of X; a diverging training raises. As in scikit-learn, y is
    not scaled and the outputs begin near 0: use `sklearn.compose.TransformedTargetRegressor` for
    targets that lie elsewhere. A training that has not come from 0 to y warns.

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
        loss: Loss = "squared_error",
        hidden_layer_sizes: Ints = (100,),
        activation: Activation = "relu",
        *,
        solver: Solver = "adam",
        alpha: Float = 0.0001,
        batch_size: Int | str = "auto",
        learning_rate: LearningRate = "constant",
        learning_rate_init: Float | str = 0.001,
        power_t: Float = 0.5,
        max_iter: Int = 200,
        shuffle: bool = True,
        random_state: RandomState = None,
        tol: Float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: Float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: Float = 0.1,
        beta_1: Float = 0.9,
        beta_2: Float = 0.999,
        epsilon: Float = 1e-8,
        n_iter_no_change: Float = 10,
        max_fun: Int = 15000,
        quantile: Floats | None = None,
        dropout: Floats = 0.0,
        normalization: str | None = None,
        max_norm: Float | None = None,
        input_noise: Float = 0.0,
        weight_init: WeightInit = "auto",
        clip_grad_norm: Float | None = None,
        init_from: Source = None,
        init_layers: Names | None = None,
        frozen_layers: Names | None = None,
        scoring: Scoring = None,
        callbacks: Callbacks = None,
        device: Device = "auto",
        dtype: str = "auto",
        compile: bool = False,
    ):
        self._store(locals())

    def _begin_output(self, target, weight, rows) -> None:
        # What scikit-learn's has too begins where its outputs do.
        if self.loss in ("quantile", "gaussian"):
            super()._begin_output(target, weight, rows)

    def _check_outcome(self, target, weight) -> None:
        if self.loss in ("quantile", "gaussian"):
            return
        constant = self._best_constant(target, weight)
        near, far = (self._loss_of_constant(c, target, weight) for c in (constant, 0 * constant))
        # It matters that y is far from 0, and that much of what this costs is still to pay.
        if near >= 0 and far > 2 * near and self.loss_ > near + 0.1 * (far - near):
            warnings.warn(
                f"The training loss is {self.loss_:.3g} after {self.n_iter_} epochs, but "
                f"{near:.3g} if y is predicted by a constant: y, of mean {target.mean():.3g} and "
                f"standard deviation {target.std():.3g}, lies far from 0, where the outputs begin. "
                "Scale y by TransformedTargetRegressor(model, transformer=StandardScaler()), or "
                "raise learning_rate_init or max_iter.",
                ConvergenceWarning,
                stacklevel=2,
            )
