"""Multi-layer perceptrons."""

import warnings
from numbers import Real

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from sknn_basics._compat import Interval, StrOptions
from sknn_basics.estimators._base.checks import (
    check_choice,
    check_numeric,
    hidden_sizes,
    one_a_hidden_layer,
    one_a_layer,
)
from sknn_basics.estimators._base.fit import NeuralEstimator
from sknn_basics.estimators._base.targets import NeuralClassifier, NeuralRegressor
from sknn_basics.estimators._base.types import (
    Activations,
    Callbacks,
    Choices,
    ClassWeight,
    Device,
    Float,
    Floats,
    Int,
    Ints,
    LearningRate,
    Loss,
    Names,
    OfSamples,
    RandomState,
    Rates,
    Renamed,
    Scoring,
    Solver,
    Source,
    WeightInit,
)
from sknn_basics.modules.dense import DenseNetwork
from sknn_basics.modules.initialisers import weight_layers
from sknn_basics.modules.layers import ACTIVATIONS, NORMALIZATIONS
from sknn_basics.training.saving import copy_into


class DenseEstimator(NeuralEstimator):
    """What the multi-layer perceptrons share: tabular X, and a dense network."""

    _parameter_constraints: dict = {
        **NeuralEstimator._parameter_constraints,
        "activation": ["array-like", StrOptions(set(ACTIVATIONS)), callable],
        "normalization": ["array-like", StrOptions(set(NORMALIZATIONS)), None],
        "input_noise": ["array-like", Interval(Real, 0, None, closed="left")],
        "module": [callable, None],
    }

    _given = "module"

    def _check_X(self, X, reset: bool):
        X = validate_data(self, X, reset=reset, accept_sparse="csr")
        check_numeric(X, "X")
        if reset:
            self._sample_shape_ = X.shape[1:]
        return X

    def _describe_module(self, n_outputs: int) -> dict:
        if self.module is not None:
            return {
                "n_inputs": self.n_features_in_,
                "hidden_layer_sizes": [],
                "n_outputs": n_outputs,
                "input_noise": self._noises(1),
                "module": self.module,
            }
        sizes = hidden_sizes(self.hidden_layer_sizes)
        activation = one_a_hidden_layer(self.activation, len(sizes), "activation")
        kinds = one_a_hidden_layer(self.normalization, len(sizes), "normalization")
        for kind in kinds if isinstance(kinds, list) else ():
            check_choice(kind, (None, *NORMALIZATIONS), "normalization")
        for one in activation if isinstance(activation, list) else ():
            if not callable(one):
                check_choice(one, list(ACTIVATIONS), "activation")
        return {
            "n_inputs": self.n_features_in_,
            "hidden_layer_sizes": sizes,
            "n_outputs": n_outputs,
            "activation": activation if sizes else "identity",
            "normalization": kinds if sizes else None,
            "dropout": one_a_layer(self.dropout, len(sizes), "dropout"),
            "max_norm": self.max_norm,
            "input_noise": self._noises(len(sizes)),
            "module": None,
        }

    def _noises(self, n_layers: int):
        """Read the noise on the inputs, or on what each hidden layer reads."""
        noises = one_a_hidden_layer(self.input_noise, n_layers, "input_noise")
        for noise in noises if isinstance(noises, list) else ():
            if not (isinstance(noise, Real) and 0 <= noise < np.inf):
                raise ValueError(f"input_noise must not be negative, got {noise!r}.")
        return noises

    def _make_module(self, structure: dict) -> DenseNetwork:
        with self._seeded_given(structure):
            return DenseNetwork(**structure)

    def _weight_layers(self) -> list:
        """List the layers of `coefs_`: of what a user gave none, which may be anything."""
        check_is_fitted(self)
        return weight_layers(self._drawn_part())

    @property
    def n_layers_(self) -> int:
        """Number of layers, the inputs among them."""
        return len(self._weight_layers()) + 1

    @property
    def coefs_(self) -> list[np.ndarray]:
        """Weights between layers, arrays of shape (n_inputs, n_units); views where possible."""
        return [layer.weight.numpy(force=True).T for layer in self._weight_layers()]

    @coefs_.setter
    def coefs_(self, arrays: list[np.ndarray]) -> None:
        copy_into([layer.weight.T for layer in self._weight_layers()], arrays, "coefs_")

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """Biases of the layers, arrays of shape (n_units,); views where possible."""
        return [layer.bias.numpy(force=True) for layer in self._weight_layers()]

    @intercepts_.setter
    def intercepts_(self, arrays: list[np.ndarray]) -> None:
        copy_into([layer.bias for layer in self._weight_layers()], arrays, "intercepts_")


class MLPClassifier(DenseEstimator, NeuralClassifier):
    """Multi-layer perceptron classifier.

    It has every parameter, default and attribute of `sklearn.neural_network.MLPClassifier` with
    the same meaning. The parameters after `max_fun` are added here, and so are some values of
    those before.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int, default=(100,)
        Number of units of each hidden layer.

    activation : str, nn.Module class or list of them, default='relu'
        Activation of the hidden layers, one for all or one for each: 'identity', 'logistic',
        'tanh', 'relu', or any other elementwise activation of `torch.nn` in lower case ('elu',
        'gelu', 'leaky_relu', 'silu', ...), or a class that is called without arguments.

    solver : str or torch.optim class, default='adam'
        'sgd', 'adam', 'adamw', 'adamax', 'nadam', 'radam', 'rmsprop', 'adagrad', 'adadelta';
        'muon' for Muon on the matrices of hidden layers and AdamW on everything else; 'lbfgs'
        for SciPy's L-BFGS-B on all samples at once, in double precision; or a class or function
        that is called with the parameters and the learning rate as ``lr``, and keeps its own
        defaults.

    alpha : float, default=0.0001
        Strength of the L2 penalty on weights, divided by the number of samples of a batch. With
        ``solver='adamw'`` or ``'muon'`` it is the decoupled weight decay instead: each step
        multiplies weights, but not biases, by 1 - learning rate * `alpha`, and the loss has no
        penalty.

    batch_size : int or 'auto', default='auto'
        Number of samples per batch; 'auto' is ``min(200, n_samples)``.

    learning_rate : str, Schedule or callable, default='constant'
        Schedule of the learning rate: 'constant', 'invscaling', 'adaptive' (as in scikit-learn;
        the last two have no effect on solver 'adam'), 'step', 'exponential', 'cosine',
        'one_cycle', 'reduce_on_plateau'; an instance of a class of
        `sknn_basics.training.schedules`, which may also change it after every step; or a
        function that returns the learning rate for an epoch, counted from 0, in which case
        `learning_rate_init` is not used. 'cosine' and 'one_cycle' end after `max_iter` epochs:
        further calls of ``partial_fit`` keep the last learning rate, and warn; a warm start
        begins anew.

    learning_rate_init : float or 'auto', default=0.001
        Initial learning rate. 'auto' is the usual one of the solver: 0.01 for 'sgd' and
        'adagrad', 0.002 for 'adamax' and 'nadam', 1.0 for 'adadelta', and 0.001 for the others.

    power_t : float, default=0.5
        Exponent of 'invscaling'.

    max_iter : int, default=200
        Largest number of epochs, or of iterations of 'lbfgs'.

    shuffle : bool, default=True
        Whether to shuffle the samples in every epoch.

    random_state : int, RandomState instance or None, default=None
        Source of initial weights, validation split, order of samples, dropout and noise. With
        an int, the same data give bitwise identical results on the same device. If steps are
        large (batch size times parameters above 2**22), results on other numbers of threads
        differ by rounding.

    tol : float, default=1e-4
        A smaller improvement of the monitored loss or score counts as none.

    verbose : bool or int, default=False
        Whether to print one line per epoch.

    warm_start : bool, default=False
        Whether `fit` starts from the weights of the last fit. In between, you may change all
        parameters that do not affect what the network predicts (its layers, activations and
        data type): dropout, noise, largest norms, penalties, class weights, loss, solver,
        schedule and the like. Best values and patience are kept only if the loss or score and
        the samples are the same.

    momentum : float in [0, 1], default=0.9
        Momentum of 'sgd'.

    nesterovs_momentum : bool, default=True
        Whether 'sgd' uses Nesterov's momentum.

    early_stopping : bool, default=False
        Whether to hold out a part of the samples, stop when their score does not improve by
        `tol` for `n_iter_no_change` epochs, and restore the best weights. Has no effect on
        'lbfgs'.

    validation_fraction : float in [0, 1), default=0.1
        Share of the samples to hold out, stratified by class if every class has enough samples.
        A warm start holds out the same rows again.

    beta_1 : float in [0, 1), default=0.9
        Decay rate of the first moment, of Adam and its variants.

    beta_2 : float in [0, 1), default=0.999
        Decay rate of the second moment, of Adam and its variants.

    epsilon : float, default=1e-8
        Stabilises the division, of Adam, its variants and 'rmsprop'.

    n_iter_no_change : int or inf, default=10
        Number of epochs without improvement after which the training ends.

    max_fun : int, default=15000
        Largest number of evaluations of the loss by 'lbfgs'.

    loss : {'log_loss', 'cross_entropy', 'focal'}, class or callable, default='log_loss'
        'log_loss' is scikit-learn's choice by the kind of y: one logistic output for two
        classes, a softmax for more, one logistic output per label for a multi-label y of zeros
        and ones. 'cross_entropy' always takes a softmax, and reads a two-dimensional y as
        one-hot rows or class probabilities.
        'focal' is a softmax whose easy samples count less: `FocalLoss`. A class or an object of
        `nn.Module`, or a function, is called with logits and class indices, and returns one
        number a sample: see "Own losses" in the user guide.

    dropout : float in [0, 1) or array-like of float, default=0.0
        Probability of dropping a unit's output in training; one value, or one per hidden layer.

    normalization : {'batch', 'layer'}, None or list of them, default=None
        Normalization between the linear part and the activation of each hidden layer, one for
        all or one for each.

    max_norm : float or None, default=None
        Largest norm of the incoming weights of a hidden unit: larger ones are rescaled after
        every step.

    input_noise : float or list of float, default=0.0
        Standard deviation of normal noise that is added to X in training; a list has one for
        each hidden layer, of the noise on what that layer reads.

    module : nn.Module, class, callable or None, default=None
        Replaces the hidden layers: a module, which is copied and keeps its weights, or a class
        or function that is called with the shape of a sample, ``(n_features,)``, and returns a
        module, whose weights come from `random_state`. It is called with batches of shape
        (n_samples, n_features), its outputs are flattened, and an output layer follows. The
        parameters of hidden layers are not used. `coefs_` and `intercepts_` are those of the
        output layer.

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

    adversarial_training : float, dict or None, default=None
        Radius of a ball around each sample, in which the sample is changed before each step so
        that its loss is large. Small changes then mislead the network less. Values change by at
        most this radius, within the range of X. A dict has a 'radius' and, optionally, 'norm'
        ('linf' or 'l2'), 'n_steps' (7 by default) and 'bounds'. A fit takes longer by a factor
        of about the number of these steps. See `sknn_basics.inspection.adversarial`.

    clip_grad_norm : float or None, default=None
        Largest norm of the gradient of all parameters together.

    average_decay : float in (0, 1) or None, default=None
        Decay of a running average of the weights over the steps, for example 0.999. The
        average, which varies less with the last batches, replaces the weights when the network
        is validated and when the training ends. 'train_loss' is that of the weights themselves.
        Each fit, and each call of ``partial_fit``, starts a new average.

    layer_rates : dict of str to float or None, default=None
        Factors of the learning rate by names of layers, with wildcards: ``{"features*": 0.1}``
        trains a pretrained part more slowly. The first name that matches is used; other layers
        have the factor 1.

    max_time : float or None, default=None
        Largest number of seconds of a fit: no epoch begins that would end later, if it took as
        long as the longest one so far. With validation data, the weights with the best score
        are kept, as with `early_stopping`. The number of epochs depends on the machine.

    init_from : fitted estimator, skorch net, mapping, path or None, default=None
        Source of the initial weights of some layers: another neural estimator or a pipeline
        that ends in one, in a `sklearn.frozen.FrozenEstimator` so that `clone` keeps its
        weights; tensors or arrays by name, such as ``module.state_dict()``; or a file of
        `save_weights`, of `torch.save` (read without running any code), of a skorch checkpoint
        or of safetensors. The other layers get random weights.

    init_layers : str, list of str, dict or None, default=None
        Names of the layers to take from `init_from`, with wildcards as in `fnmatch`
        ('hidden*'); or a dict of how names begin there and here, ``{"backbone": "features"}``,
        where '' is any beginning. None takes all layers except the output, and raises an error
        if they differ; from an autoencoder, it takes the layers of the encoder except those of
        the latent variables.

    frozen_layers : str, list of str or None, default=None
        Names of the layers whose weights are kept as they are, with wildcards ('block*'). With
        `warm_start`, each `fit` freezes and unfreezes layers anew.

    scoring : str, callable or None, default=None
        What is recorded on the validation data and watched by `early_stopping`: a scorer of
        scikit-learn, 'loss', or None for the estimator's own score. Epochs whose score is NaN
        are ignored; the first one warns.

    callbacks : list of skorch callbacks or None, default=None
        Called during the training, after the estimator's own.

    device : str or torch.device, default='auto'
        Where to compute: 'auto' is a CUDA GPU if there is one, and the CPU otherwise. After a
        fit, ``net_.device`` is the device that was used.

    dtype : {'auto', 'float32', 'float64', 'bfloat16'}, default='auto'
        Data type of the network. 'auto' is float32, but float64 for 'lbfgs' and, on a CPU, for
        small samples: up to 32 values, and up to 2**19 multiplications of the network per
        sample. It depends neither on the number of samples nor on the data type of X. 'float32'
        is faster for such samples: dense networks by up to half, LSTM layers two to four times.
        'bfloat16' keeps weights in float32, and computes matrix multiplications and
        convolutions in bfloat16, which is faster on recent GPUs.

    compile : bool, default=False
        Whether to compile the network with `torch.compile`.

    cuda_graphs : bool, default=True
        Whether steps on a GPU are recorded and replayed as CUDA graphs, which takes the
        processor less time than to launch their kernels one by one; results are the same. Steps
        that run code of yours (callbacks, losses, augmentations, modules) are not. On a CPU it
        does nothing.

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
        The skorch net that trained it.

    history_ : dict of str to ndarray of shape (n_epochs,)
        What was recorded for every epoch: 'train_loss', 'learning_rate', 'dur' (seconds) and,
        with validation data, 'valid_loss' and 'valid_score'. Variational autoencoders add the
        parts of the loss, 'train_reconstruction' and 'train_kl' (and 'valid_...'), and a
        learned 'train_noise_variance'.

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
        Number of training samples that were seen, counted once per epoch.

    n_features_in_ : int
        Number of features.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X has names that are all strings.

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
    Deliberate differences from scikit-learn: the network computes in the data type `dtype`, not
    in that of X, which probabilities have; the validation split of `early_stopping` is stratified
    for more than two classes, too; class probabilities are accepted as y; a loss that becomes
    infinite or NaN raises an error; `predict_proba` has one column if there is one class; predicted
    labels of a multi-label y are dense; of equally good epochs, `early_stopping` restores the one
    with the smallest validation loss.

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

    _parameter_constraints: dict = {
        **NeuralClassifier._parameter_constraints,
        **DenseEstimator._parameter_constraints,
    }

    def __init__(
        self,
        hidden_layer_sizes: Ints = (100,),
        activation: Activations = "relu",
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
        normalization: Choices = None,
        max_norm: Float | None = None,
        input_noise: Floats = 0.0,
        module: OfSamples = None,
        weight_init: WeightInit = "auto",
        class_weight: ClassWeight = None,
        label_smoothing: Float = 0.0,
        adversarial_training: Float | dict | None = None,
        clip_grad_norm: Float | None = None,
        average_decay: Float | None = None,
        layer_rates: Rates = None,
        max_time: Float | None = None,
        init_from: Source = None,
        init_layers: Renamed = None,
        frozen_layers: Names | None = None,
        scoring: Scoring = None,
        callbacks: Callbacks = None,
        device: Device = "auto",
        dtype: str = "auto",
        compile: bool = False,
        cuda_graphs: bool = True,
    ):
        self._store(locals())


class MLPRegressor(DenseEstimator, NeuralRegressor):
    """Multi-layer perceptron regressor.

    It has every parameter, default and attribute of `sklearn.neural_network.MLPRegressor` with
    the same meaning. The parameters after `max_fun` are added here, and so are some values of
    those before.

    Parameters
    ----------
    loss : str, class or callable, default='squared_error'
        What is minimised: 'squared_error', half of it; 'poisson', half of the Poisson deviance
        (the output is an exponential, and y must not be negative); 'absolute_error'; 'huber',
        Huber's loss with its corner at 1; 'quantile', the pinball loss of `quantile`;
        'gaussian', minus the log-likelihood of a normal y, whose mean and standard deviation
        ``predict(X, return_std=True)`` returns. A class or an object of `nn.Module`, or a
        function, is called with outputs and targets of shape (n_samples, n_outputs), and
        returns one number a sample or one per output: see "Own losses" in the user guide.

    hidden_layer_sizes : array-like of int, default=(100,)
        Number of units of each hidden layer.

    activation : str, nn.Module class or list of them, default='relu'
        Activation of the hidden layers, one for all or one for each: 'identity', 'logistic',
        'tanh', 'relu', or any other elementwise activation of `torch.nn` in lower case ('elu',
        'gelu', 'leaky_relu', 'silu', ...), or a class that is called without arguments.

    solver : str or torch.optim class, default='adam'
        'sgd', 'adam', 'adamw', 'adamax', 'nadam', 'radam', 'rmsprop', 'adagrad', 'adadelta';
        'muon' for Muon on the matrices of hidden layers and AdamW on everything else; 'lbfgs'
        for SciPy's L-BFGS-B on all samples at once, in double precision; or a class or function
        that is called with the parameters and the learning rate as ``lr``, and keeps its own
        defaults.

    alpha : float, default=0.0001
        Strength of the L2 penalty on weights, divided by the number of samples of a batch. With
        ``solver='adamw'`` or ``'muon'`` it is the decoupled weight decay instead: each step
        multiplies weights, but not biases, by 1 - learning rate * `alpha`, and the loss has no
        penalty.

    batch_size : int or 'auto', default='auto'
        Number of samples per batch; 'auto' is ``min(200, n_samples)``.

    learning_rate : str, Schedule or callable, default='constant'
        Schedule of the learning rate: 'constant', 'invscaling', 'adaptive' (as in scikit-learn;
        the last two have no effect on solver 'adam'), 'step', 'exponential', 'cosine',
        'one_cycle', 'reduce_on_plateau'; an instance of a class of
        `sknn_basics.training.schedules`, which may also change it after every step; or a
        function that returns the learning rate for an epoch, counted from 0, in which case
        `learning_rate_init` is not used. 'cosine' and 'one_cycle' end after `max_iter` epochs:
        further calls of ``partial_fit`` keep the last learning rate, and warn; a warm start
        begins anew.

    learning_rate_init : float or 'auto', default=0.001
        Initial learning rate. 'auto' is the usual one of the solver: 0.01 for 'sgd' and
        'adagrad', 0.002 for 'adamax' and 'nadam', 1.0 for 'adadelta', and 0.001 for the others.

    power_t : float, default=0.5
        Exponent of 'invscaling'.

    max_iter : int, default=200
        Largest number of epochs, or of iterations of 'lbfgs'.

    shuffle : bool, default=True
        Whether to shuffle the samples in every epoch.

    random_state : int, RandomState instance or None, default=None
        Source of initial weights, validation split, order of samples, dropout and noise. With
        an int, the same data give bitwise identical results on the same device. If steps are
        large (batch size times parameters above 2**22), results on other numbers of threads
        differ by rounding.

    tol : float, default=1e-4
        A smaller improvement of the monitored loss or score counts as none.

    verbose : bool or int, default=False
        Whether to print one line per epoch.

    warm_start : bool, default=False
        Whether `fit` starts from the weights of the last fit. In between, you may change all
        parameters that do not affect what the network predicts (its layers, activations and
        data type): dropout, noise, largest norms, penalties, class weights, loss, solver,
        schedule and the like. Best values and patience are kept only if the loss or score and
        the samples are the same.

    momentum : float in [0, 1], default=0.9
        Momentum of 'sgd'.

    nesterovs_momentum : bool, default=True
        Whether 'sgd' uses Nesterov's momentum.

    early_stopping : bool, default=False
        Whether to hold out a part of the samples, stop when their score does not improve by
        `tol` for `n_iter_no_change` epochs, and restore the best weights. Has no effect on
        'lbfgs'.

    validation_fraction : float in [0, 1), default=0.1
        Share of the samples to hold out, stratified by class if every class has enough samples.
        A warm start holds out the same rows again.

    beta_1 : float in [0, 1), default=0.9
        Decay rate of the first moment, of Adam and its variants.

    beta_2 : float in [0, 1), default=0.999
        Decay rate of the second moment, of Adam and its variants.

    epsilon : float, default=1e-8
        Stabilises the division, of Adam, its variants and 'rmsprop'.

    n_iter_no_change : int or inf, default=10
        Number of epochs without improvement after which the training ends.

    max_fun : int, default=15000
        Largest number of evaluations of the loss by 'lbfgs'.

    quantile : float, array-like of float or None, default=None
        Levels of the quantiles that ``loss='quantile'`` predicts: one, or several that
        increase, which become the columns of predictions and never cross.

    dropout : float in [0, 1) or array-like of float, default=0.0
        Probability of dropping a unit's output in training; one value, or one per hidden layer.

    normalization : {'batch', 'layer'}, None or list of them, default=None
        Normalization between the linear part and the activation of each hidden layer, one for
        all or one for each.

    max_norm : float or None, default=None
        Largest norm of the incoming weights of a hidden unit: larger ones are rescaled after
        every step.

    input_noise : float or list of float, default=0.0
        Standard deviation of normal noise that is added to X in training; a list has one for
        each hidden layer, of the noise on what that layer reads.

    module : nn.Module, class, callable or None, default=None
        Replaces the hidden layers: a module, which is copied and keeps its weights, or a class
        or function that is called with the shape of a sample, ``(n_features,)``, and returns a
        module, whose weights come from `random_state`. It is called with batches of shape
        (n_samples, n_features), its outputs are flattened, and an output layer follows. The
        parameters of hidden layers are not used. `coefs_` and `intercepts_` are those of the
        output layer.

    weight_init : str or callable, default='auto'
        'auto' draws weights and biases as scikit-learn does; 'uniform' (±0.01), 'normal'
        (0.05), 'glorot_uniform', 'glorot_normal', 'he_uniform', 'he_normal', 'lecun_uniform',
        'lecun_normal', 'orthogonal' set biases to zero, and so does a function ``(weight, *,
        generator)`` as in `torch.nn.init`.

    clip_grad_norm : float or None, default=None
        Largest norm of the gradient of all parameters together.

    average_decay : float in (0, 1) or None, default=None
        Decay of a running average of the weights over the steps, for example 0.999. The
        average, which varies less with the last batches, replaces the weights when the network
        is validated and when the training ends. 'train_loss' is that of the weights themselves.
        Each fit, and each call of ``partial_fit``, starts a new average.

    layer_rates : dict of str to float or None, default=None
        Factors of the learning rate by names of layers, with wildcards: ``{"features*": 0.1}``
        trains a pretrained part more slowly. The first name that matches is used; other layers
        have the factor 1.

    max_time : float or None, default=None
        Largest number of seconds of a fit: no epoch begins that would end later, if it took as
        long as the longest one so far. With validation data, the weights with the best score
        are kept, as with `early_stopping`. The number of epochs depends on the machine.

    init_from : fitted estimator, skorch net, mapping, path or None, default=None
        Source of the initial weights of some layers: another neural estimator or a pipeline
        that ends in one, in a `sklearn.frozen.FrozenEstimator` so that `clone` keeps its
        weights; tensors or arrays by name, such as ``module.state_dict()``; or a file of
        `save_weights`, of `torch.save` (read without running any code), of a skorch checkpoint
        or of safetensors. The other layers get random weights.

    init_layers : str, list of str, dict or None, default=None
        Names of the layers to take from `init_from`, with wildcards as in `fnmatch`
        ('hidden*'); or a dict of how names begin there and here, ``{"backbone": "features"}``,
        where '' is any beginning. None takes all layers except the output, and raises an error
        if they differ; from an autoencoder, it takes the layers of the encoder except those of
        the latent variables.

    frozen_layers : str, list of str or None, default=None
        Names of the layers whose weights are kept as they are, with wildcards ('block*'). With
        `warm_start`, each `fit` freezes and unfreezes layers anew.

    scoring : str, callable or None, default=None
        What is recorded on the validation data and watched by `early_stopping`: a scorer of
        scikit-learn, 'loss', or None for the estimator's own score. Epochs whose score is NaN
        are ignored; the first one warns.

    callbacks : list of skorch callbacks or None, default=None
        Called during the training, after the estimator's own.

    device : str or torch.device, default='auto'
        Where to compute: 'auto' is a CUDA GPU if there is one, and the CPU otherwise. After a
        fit, ``net_.device`` is the device that was used.

    dtype : {'auto', 'float32', 'float64', 'bfloat16'}, default='auto'
        Data type of the network. 'auto' is float32, but float64 for 'lbfgs' and, on a CPU, for
        small samples: up to 32 values, and up to 2**19 multiplications of the network per
        sample. It depends neither on the number of samples nor on the data type of X. 'float32'
        is faster for such samples: dense networks by up to half, LSTM layers two to four times.
        'bfloat16' keeps weights in float32, and computes matrix multiplications and
        convolutions in bfloat16, which is faster on recent GPUs.

    compile : bool, default=False
        Whether to compile the network with `torch.compile`.

    cuda_graphs : bool, default=True
        Whether steps on a GPU are recorded and replayed as CUDA graphs, which takes the
        processor less time than to launch their kernels one by one; results are the same. Steps
        that run code of yours (callbacks, losses, augmentations, modules) are not. On a CPU it
        does nothing.

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
        The skorch net that trained it.

    history_ : dict of str to ndarray of shape (n_epochs,)
        What was recorded for every epoch: 'train_loss', 'learning_rate', 'dur' (seconds) and,
        with validation data, 'valid_loss' and 'valid_score'. Variational autoencoders add the
        parts of the loss, 'train_reconstruction' and 'train_kl' (and 'valid_...'), and a
        learned 'train_noise_variance'.

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
        Number of training samples that were seen, counted once per epoch.

    n_features_in_ : int
        Number of features.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X has names that are all strings.

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
    ----- Deliberate differences from scikit-learn: the network computes in the data type `dtype`,
    not in that of X; a loss that becomes infinite or NaN raises an error. As in scikit-learn, y is
    not scaled and the outputs start near 0: use `sklearn.compose.TransformedTargetRegressor` for
    targets of another range. A warning says if the outputs have not reached the range of y.

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

    _parameter_constraints: dict = {
        **NeuralRegressor._parameter_constraints,
        **DenseEstimator._parameter_constraints,
    }

    def __init__(
        self,
        loss: Loss = "squared_error",
        hidden_layer_sizes: Ints = (100,),
        activation: Activations = "relu",
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
        normalization: Choices = None,
        max_norm: Float | None = None,
        input_noise: Floats = 0.0,
        module: OfSamples = None,
        weight_init: WeightInit = "auto",
        clip_grad_norm: Float | None = None,
        average_decay: Float | None = None,
        layer_rates: Rates = None,
        max_time: Float | None = None,
        init_from: Source = None,
        init_layers: Renamed = None,
        frozen_layers: Names | None = None,
        scoring: Scoring = None,
        callbacks: Callbacks = None,
        device: Device = "auto",
        dtype: str = "auto",
        compile: bool = False,
        cuda_graphs: bool = True,
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
