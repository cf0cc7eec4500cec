"""Convolutional networks."""

from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np

from sknn_basics._compat import Interval, StrOptions
from sknn_basics.estimators._base.checks import (
    hidden_sizes,
    one_a_block,
    one_a_layer,
)
from sknn_basics.estimators._base.fit import NeuralEstimator
from sknn_basics.estimators._base.images import (
    BLOCK_PARAMETERS,
    CHANNEL_AXES,
    check_images,
    count_blocks,
    describe_blocks,
    describe_images,
)
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
    OfImages,
    RandomState,
    Rates,
    Renamed,
    Scoring,
    Sizes,
    Solver,
    Source,
    WeightInit,
)
from sknn_basics.modules.augmentation import AlikeVariant, as_augmentation
from sknn_basics.modules.conv import ConvNetwork
from sknn_basics.modules.images import PIXEL_SCALES, VARIATION
from sknn_basics.modules.layers import ACTIVATIONS
from sknn_basics.modules.signals import SIGNAL_NETWORKS


class ConvNetEstimator(NeuralEstimator):
    """What the convolutional networks share: images as X, and blocks of convolutions."""

    _parameter_constraints: dict = {
        **NeuralEstimator._parameter_constraints,
        "filters": ["array-like", Interval(Integral, 1, None, closed="left")],
        "kernel_size": ["array-like", Interval(Integral, 1, None, closed="left")],
        "strides": ["array-like", Interval(Integral, 1, None, closed="left")],
        "padding": [
            "array-like",
            StrOptions({"same", "valid"}),
            Interval(Integral, 0, None, closed="left"),
        ],
        "downsample": ["array-like", StrOptions({"max", "average", "stride"}), None],
        "pool_padding": ["array-like", StrOptions({"valid", "same"})],
        "depthwise": ["array-like", "boolean"],
        "pool_size": ["array-like", Interval(Integral, 1, None, closed="left")],
        "normalization": ["array-like", StrOptions({"batch", "layer"}), None],
        "activation": ["array-like", StrOptions(set(ACTIVATIONS)), callable],
        "max_norm": ["array-like", Interval(Real, 0, None, closed="neither"), None],
        "hidden_dropout": ["array-like", Interval(Real, 0, 1, closed="left")],
        "hidden_max_norm": [Interval(Real, 0, None, closed="neither"), None],
        "features": [callable, StrOptions(set(SIGNAL_NETWORKS)), None],
        "image_shape": [StrOptions({"auto"}), "array-like"],
        "data_format": [StrOptions({"auto", *CHANNEL_AXES})],
        "preprocessing": [StrOptions(set(PIXEL_SCALES)), callable, None],
        "augmentation": [callable, None],
        "n_test_variants": [Interval(Integral, 0, None, closed="left")],
    }

    _stochastic_only = (
        *NeuralEstimator._stochastic_only,
        "hidden_dropout",
        "hidden_max_norm",
        "augmentation",
    )

    _given = "features"

    def _check_X(self, X, reset: bool):
        return check_images(self, X, reset)

    def _describe_module(self, n_outputs: int) -> dict:
        shape, channel_axis = describe_images(
            self._sample_shape_, self.image_shape, self.data_format
        )
        sizes = hidden_sizes(self.hidden_layer_sizes)
        activations = one_a_block(self.activation, count_blocks(self.filters), "activation")
        parameters = {name: getattr(self, name) for name in BLOCK_PARAMETERS}
        blocks = describe_blocks(len(shape) - (channel_axis is not None), **parameters)
        return {
            "image_shape": shape,
            "channel_axis": channel_axis,
            "blocks": blocks if self.features is None else [],
            "features": self.features,
            "hidden_layer_sizes": sizes,
            "n_outputs": n_outputs,
            "hidden_activation": activations[-1] if sizes else "identity",
            "hidden_dropout": one_a_layer(self.hidden_dropout, len(sizes), "hidden_dropout"),
            "hidden_max_norm": self.hidden_max_norm,
            "preprocessing": self.preprocessing,
            "input_noise": self.input_noise,
        }

    def _prepare_module(self, X, target, rng, continued: bool) -> None:
        self._reads_bytes_ = X.dtype == np.uint8
        super()._prepare_module(X, target, rng, continued)

    def _make_module(self, structure: dict) -> ConvNetwork:
        with self._seeded_given(structure):
            return ConvNetwork(**structure)

    def _renew_layers(self) -> None:
        if self.augmentation is not None:
            self.module_.input.augmentation = as_augmentation(self.augmentation, self._reads_bytes_)
            self.module_.input.augmentation.requires_grad_(False)

    def _check_options(self) -> None:
        super()._check_options()
        if self.n_test_variants and self.augmentation is None:
            raise ValueError(
                f"n_test_variants={self.n_test_variants} needs an augmentation that makes them."
            )

    def _activated_outputs(self, X) -> np.ndarray:
        outputs = super()._activated_outputs(X)
        if not self.n_test_variants:
            return outputs
        X = self._check_new(X)
        reads_bytes = X.dtype == np.uint8
        before = VARIATION.get()
        try:
            for seed in range(self.n_test_variants):
                VARIATION.set(AlikeVariant(self.augmentation, reads_bytes, seed))
                outputs = outputs + super()._activated_outputs(X)
        finally:
            VARIATION.set(before)
        return outputs / (1 + self.n_test_variants)

    def _fit(self, *args, **kwargs) -> None:
        try:
            super()._fit(*args, **kwargs)
        finally:
            # What only trains is no part of the fitted network.
            if "module_" in vars(self):
                self.module_.input.augmentation = None


class ConvNetClassifier(ConvNetEstimator, NeuralClassifier):
    """Convolutional network classifier.

    Blocks of convolutions, each ending in a smaller image, then dense layers. Images come as
    they are, in any layout, or as flattened rows; one- and three-dimensional ones too.

    Parameters
    ----------
    filters : int or sequence of int or of tuple of int, default=(16, 32)
        Number of filters of each block: an int for a block of one convolution, a tuple for a
        block of several, so that ``(32, (16, 16))`` are two blocks of three convolutions in
        all.

    hidden_layer_sizes : array-like of int, default=(100,)
        Number of units of each dense layer after the blocks.

    activation : str, nn.Module class or sequence of them, default='relu'
        Activation of the convolutions, one for all blocks or one per block; hidden layers have
        the last block's. As in `MLPClassifier`.

    kernel_size : int or sequence, default=3
        Size of the kernels: one value for all blocks, or one per block. A block's value is an
        int, or one value for each of its convolutions, which is an int or a tuple with one per
        dimension: ``[(5, 3)]`` are a 5 x 5 and a 3 x 3 convolution in one block, ``[[(5, 3)]]``
        is one of 5 x 3. A set instead of a size, ``{3, 5}``, stands for kernels side by side,
        each with all of the filters.

    strides : int or sequence, default=1
        Strides of the convolutions, given as `kernel_size`.

    padding : {'same', 'valid'}, int or sequence of them, default='same'
        Zeros around the images of each convolution: 'same' keeps their size at stride 1,
        'valid' adds none, and an int is their number on each side. One value for all blocks, or
        one per block.

    downsample : {'max', 'average', 'stride'}, None or sequence of them, default='stride'
        How a block reduces the size of its images: it ends with pooling, or its last
        convolution has the stride `pool_size` instead of `strides`. One value for all blocks,
        or one per block.

    pool_size : int, tuple of int or sequence of them, default=2
        The factor of this reduction: one value for all blocks, or one per block, which is an
        int or a tuple with one per dimension.

    pool_padding : {'valid', 'same'} or sequence of them, default='valid'
        Whether pooling drops the last pixels if they do not fill its window, or includes them,
        so that 13 pixels become 7 rather than 6. One value for all blocks, or one per block.

    depthwise : bool or sequence of bool, default=False
        Whether each convolution filters every channel separately, followed by a 1 x 1
        convolution that mixes the channels, which has fewer weights. One value for all blocks,
        or one per block.

    normalization : {'batch', 'layer'}, None or sequence of them, default=None
        Normalization between each convolution and its activation; 'layer' is over all channels
        and positions of an image. One value for all blocks, or one per block.

    dropout : float in [0, 1) or sequence of float, default=0.0
        Probability of dropping a value at the end of a block; one for all blocks, or one per
        block.

    max_norm : float, None or sequence of them, default=None
        Largest norm of a filter's weights: larger ones are rescaled after every step. One value
        for all blocks, or one per block.

    hidden_dropout : float in [0, 1) or array-like of float, default=0.0
        Probability of dropping a hidden unit's output; one value, or one per hidden layer.

    hidden_max_norm : float or None, default=None
        Largest norm of the incoming weights of a hidden unit.

    features : nn.Module, callable, str or None, default=None
        Replaces the blocks, for example with a pretrained backbone: a module, which is copied,
        or a function that is called with the image shape (n_channels, height, width) and
        returns a module. 'inception_time', 'resnet_1d' and 'fully_convolutional' are networks
        of signals: the functions of `sknn_basics.modules` by these names. Outputs are
        flattened, weights are kept, and the parameters of blocks are not used.

    image_shape : tuple of int or 'auto', default='auto'
        Shape of an image in rows of flattened images, in the layout of `data_format`. 'auto'
        reads rows of a square number of features as square grey images, others as
        one-dimensional signals.

    data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
        Which axis of images is that of the channels. 'auto' reads two-dimensional samples as
        grey images, and others as channels last. With 'channels_last', samples of shape
        (length, n_channels) are signals of several channels.

    preprocessing : {'unit', 'symmetric', 'imagenet'}, nn.Module, callable or None, default=None
        Scaling of each batch of images of shape (n_images, n_channels, height, width), in
        training and prediction. The names map pixels from [0, 255] to [0, 1], to [-1, 1], and
        to the standardised RGB channels that networks of torchvision expect. A function is
        called with the unchanged values of X as floats: transforms of torchvision, which expect
        [0, 1], are ``lambda x: transforms(x / 255)`` for bytes.

    augmentation : nn.Module, callable or None, default=None
        Random change of each training batch of images, before `preprocessing`: see
        `sknn_basics.modules`. A function is called with floats, which are in [0, 1] if X has
        bytes, and unchanged otherwise. `sknn_basics.modules.FunctionAugmentation` says how it
        draws random numbers, and lets functions that draw once per batch, as those of
        torchvision do, draw for each image.

    n_test_variants : int, default=0
        Number of variants of each image, by `augmentation`, over whose outputs predictions are
        averaged, together with that of the image itself. All images vary alike, and in every
        call the same. Scores in training are without.

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
        'log_loss' chooses by the kind of y: one logistic output for two classes, a softmax for
        more, one logistic output per label for a multi-label y of zeros and ones.
        'cross_entropy' always takes a softmax, and reads a two-dimensional y as one-hot rows or
        class probabilities.
        'focal' is a softmax whose easy samples count less: `FocalLoss`. A class or an object of
        `nn.Module`, or a function, is called with logits and class indices, and returns one
        number a sample: see "Own losses" in the user guide.

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
    ConvNetRegressor : Convolutional network regressor.
    MLPClassifier : Multi-layer perceptron classifier.
    sknn_basics.architectures : Parameters of well-known networks.

    References
    ----------
    LeCun, Bottou, Bengio and Haffner. "Gradient-based learning applied to document recognition."
    Proceedings of the IEEE 86 (1998): 2278-2324.

    Springenberg, Dosovitskiy, Brox and Riedmiller. "Striving for simplicity: the all convolutional
    net." ICLR workshop 2015.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from sknn_basics import ConvNetClassifier
    >>> X, y = load_digits(return_X_y=True)  # rows of 64 pixels are images of 8 x 8
    >>> X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    >>> model = ConvNetClassifier(filters=(16, 32), batch_size=50, max_iter=15, random_state=0)
    >>> model.fit(X_train, y_train).score(X_test, y_test) > 0.9
    True
    """

    _parameter_constraints: dict = {
        **NeuralClassifier._parameter_constraints,
        **ConvNetEstimator._parameter_constraints,
    }

    def __init__(
        self,
        filters: Sizes = (16, 32),
        hidden_layer_sizes: Ints = (100,),
        activation: Activations = "relu",
        *,
        kernel_size: Sizes = 3,
        strides: Sizes = 1,
        padding: Sizes | str = "same",
        downsample: Choices = "stride",
        pool_size: Sizes = 2,
        pool_padding: str | Sequence[str] = "valid",
        depthwise: bool | Sequence[bool] = False,
        normalization: Choices = None,
        dropout: Floats = 0.0,
        max_norm: Floats | None = None,
        hidden_dropout: Floats = 0.0,
        hidden_max_norm: Float | None = None,
        features: OfImages = None,
        image_shape: Sequence[Int] | str = "auto",
        data_format: str = "auto",
        preprocessing: OfImages = None,
        augmentation: OfImages = None,
        n_test_variants: Int = 0,
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
        input_noise: Float = 0.0,
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


class ConvNetRegressor(ConvNetEstimator, NeuralRegressor):
    """Convolutional network regressor.

    Blocks of convolutions, each ending in a smaller image, then dense layers. Images come as
    they are, in any layout, or as flattened rows; one- and three-dimensional ones too.

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

    filters : int or sequence of int or of tuple of int, default=(16, 32)
        Number of filters of each block: an int for a block of one convolution, a tuple for a
        block of several, so that ``(32, (16, 16))`` are two blocks of three convolutions in
        all.

    hidden_layer_sizes : array-like of int, default=(100,)
        Number of units of each dense layer after the blocks.

    activation : str, nn.Module class or sequence of them, default='relu'
        Activation of the convolutions, one for all blocks or one per block; hidden layers have
        the last block's. As in `MLPClassifier`.

    kernel_size : int or sequence, default=3
        Size of the kernels: one value for all blocks, or one per block. A block's value is an
        int, or one value for each of its convolutions, which is an int or a tuple with one per
        dimension: ``[(5, 3)]`` are a 5 x 5 and a 3 x 3 convolution in one block, ``[[(5, 3)]]``
        is one of 5 x 3. A set instead of a size, ``{3, 5}``, stands for kernels side by side,
        each with all of the filters.

    strides : int or sequence, default=1
        Strides of the convolutions, given as `kernel_size`.

    padding : {'same', 'valid'}, int or sequence of them, default='same'
        Zeros around the images of each convolution: 'same' keeps their size at stride 1,
        'valid' adds none, and an int is their number on each side. One value for all blocks, or
        one per block.

    downsample : {'max', 'average', 'stride'}, None or sequence of them, default='stride'
        How a block reduces the size of its images: it ends with pooling, or its last
        convolution has the stride `pool_size` instead of `strides`. One value for all blocks,
        or one per block.

    pool_size : int, tuple of int or sequence of them, default=2
        The factor of this reduction: one value for all blocks, or one per block, which is an
        int or a tuple with one per dimension.

    pool_padding : {'valid', 'same'} or sequence of them, default='valid'
        Whether pooling drops the last pixels if they do not fill its window, or includes them,
        so that 13 pixels become 7 rather than 6. One value for all blocks, or one per block.

    depthwise : bool or sequence of bool, default=False
        Whether each convolution filters every channel separately, followed by a 1 x 1
        convolution that mixes the channels, which has fewer weights. One value for all blocks,
        or one per block.

    normalization : {'batch', 'layer'}, None or sequence of them, default=None
        Normalization between each convolution and its activation; 'layer' is over all channels
        and positions of an image. One value for all blocks, or one per block.

    dropout : float in [0, 1) or sequence of float, default=0.0
        Probability of dropping a value at the end of a block; one for all blocks, or one per
        block.

    max_norm : float, None or sequence of them, default=None
        Largest norm of a filter's weights: larger ones are rescaled after every step. One value
        for all blocks, or one per block.

    hidden_dropout : float in [0, 1) or array-like of float, default=0.0
        Probability of dropping a hidden unit's output; one value, or one per hidden layer.

    hidden_max_norm : float or None, default=None
        Largest norm of the incoming weights of a hidden unit.

    features : nn.Module, callable, str or None, default=None
        Replaces the blocks, for example with a pretrained backbone: a module, which is copied,
        or a function that is called with the image shape (n_channels, height, width) and
        returns a module. 'inception_time', 'resnet_1d' and 'fully_convolutional' are networks
        of signals: the functions of `sknn_basics.modules` by these names. Outputs are
        flattened, weights are kept, and the parameters of blocks are not used.

    image_shape : tuple of int or 'auto', default='auto'
        Shape of an image in rows of flattened images, in the layout of `data_format`. 'auto'
        reads rows of a square number of features as square grey images, others as
        one-dimensional signals.

    data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
        Which axis of images is that of the channels. 'auto' reads two-dimensional samples as
        grey images, and others as channels last. With 'channels_last', samples of shape
        (length, n_channels) are signals of several channels.

    preprocessing : {'unit', 'symmetric', 'imagenet'}, nn.Module, callable or None, default=None
        Scaling of each batch of images of shape (n_images, n_channels, height, width), in
        training and prediction. The names map pixels from [0, 255] to [0, 1], to [-1, 1], and
        to the standardised RGB channels that networks of torchvision expect. A function is
        called with the unchanged values of X as floats: transforms of torchvision, which expect
        [0, 1], are ``lambda x: transforms(x / 255)`` for bytes.

    augmentation : nn.Module, callable or None, default=None
        Random change of each training batch of images, before `preprocessing`: see
        `sknn_basics.modules`. A function is called with floats, which are in [0, 1] if X has
        bytes, and unchanged otherwise. `sknn_basics.modules.FunctionAugmentation` says how it
        draws random numbers, and lets functions that draw once per batch, as those of
        torchvision do, draw for each image.

    n_test_variants : int, default=0
        Number of variants of each image, by `augmentation`, over whose outputs predictions are
        averaged, together with that of the image itself. All images vary alike, and in every
        call the same. Scores in training are without.

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

    input_noise : float, default=0.0
        Standard deviation of normal noise that is added to X in training.

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
    ConvNetClassifier : Convolutional network classifier.
    MLPRegressor : Multi-layer perceptron regressor.

    Notes
    -----
    Whatever `weight_init` is, the bias of the outputs begins at the mean of y: at its median where
    `loss` is 'absolute_error' or 'huber', at its logarithm for 'poisson'. So y may lie far from 0;
    where it varies by far more or less than 1, `sklearn.compose.TransformedTargetRegressor` helps.

    References
    ----------
    LeCun, Bottou, Bengio and Haffner. "Gradient-based learning applied to document recognition."
    Proceedings of the IEEE 86 (1998): 2278-2324.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import ConvNetRegressor
    >>> images = load_digits().images / 16  # of shape (1797, 8, 8)
    >>> centre = images.sum(axis=1) @ np.arange(8) / images.sum(axis=(1, 2))
    >>> model = ConvNetRegressor(filters=(8, 16), batch_size=20, max_iter=20, random_state=0)
    >>> model.fit(images[:1500], centre[:1500]).score(images[1500:], centre[1500:]) > 0.8
    True
    """

    _parameter_constraints: dict = {
        **NeuralRegressor._parameter_constraints,
        **ConvNetEstimator._parameter_constraints,
    }

    def __init__(
        self,
        loss: Loss = "squared_error",
        filters: Sizes = (16, 32),
        hidden_layer_sizes: Ints = (100,),
        activation: Activations = "relu",
        *,
        kernel_size: Sizes = 3,
        strides: Sizes = 1,
        padding: Sizes | str = "same",
        downsample: Choices = "stride",
        pool_size: Sizes = 2,
        pool_padding: str | Sequence[str] = "valid",
        depthwise: bool | Sequence[bool] = False,
        normalization: Choices = None,
        dropout: Floats = 0.0,
        max_norm: Floats | None = None,
        hidden_dropout: Floats = 0.0,
        hidden_max_norm: Float | None = None,
        features: OfImages = None,
        image_shape: Sequence[Int] | str = "auto",
        data_format: str = "auto",
        preprocessing: OfImages = None,
        augmentation: OfImages = None,
        n_test_variants: Int = 0,
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
        input_noise: Float = 0.0,
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
