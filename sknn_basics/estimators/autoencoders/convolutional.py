"""Convolutional autoencoders."""

from collections.abc import Sequence
from math import prod
from numbers import Integral

import numpy as np
import torch

from sknn_basics._compat import Interval
from sknn_basics.estimators._base.checks import hidden_sizes, value_range
from sknn_basics.estimators._base.images import (
    BLOCK_PARAMETERS,
    check_images,
    describe_blocks,
    describe_images,
)
from sknn_basics.estimators._base.transformers import NeuralTransformer
from sknn_basics.estimators._base.types import (
    Activation,
    Activations,
    Callbacks,
    Choices,
    Device,
    Float,
    Floats,
    Int,
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
from sknn_basics.estimators.autoencoders.dense import CODE_CONSTRAINTS, PlainAutoencoder
from sknn_basics.estimators.autoencoders.variational import (
    VARIATIONAL_CONSTRAINTS,
    VariationalEstimator,
)
from sknn_basics.estimators.convolutional import ConvNetEstimator
from sknn_basics.modules.autoencoder import AutoencoderNetwork, VariationalNetwork
from sknn_basics.modules.conv import USUAL_KERNEL
from sknn_basics.modules.conv_autoencoder import conv_autoencoder, conv_variational
from sknn_basics.modules.images import SamplePreprocessing
from sknn_basics.training.batches import (
    ReconstructionDataset,
    evaluation_batch_size,
    map_batches,
)


class ConvAutoencoderEstimator(NeuralTransformer):
    """What convolutional autoencoders share: images as X, and blocks of one convolution."""

    _parameter_constraints: dict = {
        **NeuralTransformer._parameter_constraints,
        **{
            name: ConvNetEstimator._parameter_constraints[name]
            for name in (
                "filters",
                "kernel_size",
                "downsample",
                "pool_size",
                "normalization",
                "activation",
                "image_shape",
                "data_format",
                "preprocessing",
            )
        },
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "latent_filters": [Interval(Integral, 1, None, closed="left"), None],
        "decoder_filters": ["array-like", Interval(Integral, 1, None, closed="left"), None],
    }

    _decoder_kind = "convolutional"
    _stochastic_only = ("dropout", "clip_grad_norm")

    def _check_X(self, X, reset: bool):
        return check_images(self, X, reset)

    def _describe_images(self) -> tuple[list[int], int | None]:
        return describe_images(self._sample_shape_, self.image_shape, self.data_format)

    def _describe_module(self, n_outputs: int) -> dict:
        shape, channel_axis = self._describe_images()
        hidden_sizes(self.filters, "filters")  # one convolution a block
        size = shape if channel_axis is None else shape[1:] if channel_axis == 0 else shape[:-1]
        # Only pools and strides change the size of images, so that the decoder can undo it.
        fixed = {"strides": 1, "padding": "same", "max_norm": None}
        fixed |= {"depthwise": False, "pool_padding": "valid"}
        own = {name: getattr(self, name) for name in BLOCK_PARAMETERS if name not in fixed}
        blocks = describe_blocks(len(size), **own, **fixed)
        if any(isinstance(block["kernel_size"][0], list) for block in blocks):
            raise ValueError(
                f"kernel_size must be sizes, not sets of them, got {self.kernel_size}."
            )
        sizes = halved_sizes(size, blocks)
        n_channels = self.latent_filters or blocks[-1]["filters"][0]
        latent_shape = [int(n_channels), *sizes[-1]]
        is_dense = self.n_components is not None
        return {
            "image_shape": shape,
            "channel_axis": channel_axis,
            "blocks": blocks,
            "decoder_blocks": self._describe_decoder(blocks, sizes),
            "latent_filters": self.latent_filters,
            "latent_shape": latent_shape,
            "n_components": int(self.n_components) if is_dense else prod(latent_shape),
            "is_dense": is_dense,
            "preprocessing": self.preprocessing,
        }

    def _value_range(self, array) -> tuple[float, float]:
        if self.preprocessing is None:
            return super()._value_range(array)
        preprocess = SamplePreprocessing(*self._describe_images(), self.preprocessing)
        rows = ReconstructionDataset(
            array, array, dtype=torch.float32, device=torch.device("cpu"), preprocess=preprocess
        )
        size = evaluation_batch_size(rows, preprocess.layout)
        ranges = map_batches(lambda batch: np.array([value_range(batch[0])]), rows, size)
        return float(ranges[:, 0].min()), float(ranges[:, 1].max())

    def _describe_decoder(self, blocks: list[dict], sizes: list[tuple]) -> list[dict]:
        """Collect the arguments of the decoder's blocks, which mirror the encoder's."""
        filters = [block["filters"][0] for block in reversed(blocks)]
        if self.decoder_filters is not None:
            filters = hidden_sizes(self.decoder_filters, "decoder_filters")
            if len(filters) == len(blocks) - 1:
                filters = [None, *filters]
        if len(filters) != len(blocks) or (filters[0] is None and self._moves(blocks[-1])):
            raise ValueError(
                f"decoder_filters must give one number for each of the {len(blocks)} blocks, or "
                f"one fewer where pools make images smaller, got {self.decoder_filters!r}."
            )
        upsamplings = {"stride": "stride", None: None}
        return [
            {
                "filters": n_filters,
                "kernel_size": block["kernel_size"][0],
                "upsample": upsamplings.get(block["downsample"], "repeat"),
                "pool_size": block["pool_size"],
                "size": size,
                **{name: block[name] for name in ("normalization", "activation", "dropout")},
            }
            for n_filters, block, size in zip(filters, reversed(blocks), reversed(sizes[:-1]))
        ]

    @staticmethod
    def _moves(block: dict) -> bool:
        """Tell whether the convolution of a block moves by more than one pixel."""
        return block["downsample"] == "stride"


def halved_sizes(size, blocks: list[dict]) -> list[tuple]:
    """List the sizes of images before the first block, and after each.

    Raises
    ------
    ValueError
        If a pool does not divide its images, so that the decoder could not give them back, or a
        transposed convolution cannot undo a stride.
    """
    sizes = [tuple(size)]
    for number, block in enumerate(blocks, start=1):
        pool = (1,) * len(size) if block["downsample"] is None else block["pool_size"]
        is_pool = block["downsample"] in ("max", "average")
        if is_pool and any(n % p for n, p in zip(sizes[-1], pool)):
            way = " -> ".join(map(str, sizes))
            raise ValueError(
                f"Images of size {tuple(size)} cannot be divided by the pools of {len(blocks)} "
                f"blocks: {way}, which block {number} would divide by {tuple(pool)}. "
                "Take fewer blocks, another pool_size, downsample='stride', or larger images."
            )
        (kernel,) = block["kernel_size"]
        if block["downsample"] == "stride" and any(
            k % 2 == 0 and p == 1 for k, p in zip(kernel, pool)
        ):
            raise ValueError(
                f"downsample='stride' needs an odd kernel_size where pool_size is 1, got {kernel}."
            )
        if prod(pool) > prod(max(2 * n, USUAL_KERNEL) for n in sizes[-1]):
            raise ValueError(
                f"pool_size={tuple(pool)} of block {number} is more than twice as large as its "
                f"images, {sizes[-1]}."
            )
        sizes.append(tuple(-(-n // p) for n, p in zip(sizes[-1], pool)))
    return sizes


class ConvAutoencoder(PlainAutoencoder, ConvAutoencoderEstimator):
    """Convolutional autoencoder of images.

    Blocks of a convolution each make images smaller; a dense layer, or one more convolution of few
    filters, computes the latent variables; the decoder does the same backwards. With `noise`, or
    with clean images as `X_clean`, it learns to clean images. Those come as they are, in any
    layout, or as flattened rows; one- and three-dimensional ones too.

    Parameters
    ----------
    filters : int or sequence of int, default=(16, 32)
        Number of filters of the convolution of each block of the encoder.

    n_components : int or None, default=20
        Number of latent variables, which a dense layer computes; with None, the flattened
        images of the last convolution are the latent variables.

    activation : str, nn.Module class or sequence of them, default='relu'
        Activation of the convolutions, one for all blocks or one per block, which the decoder
        mirrors.

    latent_filters : int or None, default=None
        Number of filters of one more convolution after the blocks of the encoder.

    decoder_filters : int, sequence of int or None, default=None
        Number of filters of the convolution of each block of the decoder, which then enlarges
        its images; None mirrors the encoder. One fewer than the encoder has, if images are
        enlarged first (not with 'stride'). A last convolution computes the channels of X.

    latent_activation : str or nn.Module class, default='identity'
        Activation of the latent variables, of the same kinds as `activation`.

    kernel_size : int or sequence, default=3
        Size of the kernels: one value for all blocks, or one per block, which the decoder
        mirrors. A block's value is an int, or ``[(3, 5)]`` for 3 x 5. Zeros around the images
        keep their size.

    downsample : {'max', 'average', 'stride'}, None or sequence of them, default='stride'
        How a block of the encoder reduces the size of its images: by pooling, or by a
        convolution with the stride `pool_size`. The decoder enlarges them by repeated pixels,
        or by a transposed convolution.

    pool_size : int, tuple of int or sequence of them, default=2
        The factor of this reduction: one value for all blocks, or one per block, which is an
        int or a tuple with one per dimension.

    normalization : {'batch', 'layer'}, None or sequence of them, default=None
        Normalization between each convolution and its activation; 'layer' is over all channels
        and positions of an image. One value for all blocks, or one per block.

    dropout : float in [0, 1) or sequence of float, default=0.0
        Probability of dropping a value at the end of a block; one for all blocks, or one per
        block.

    image_shape : tuple of int or 'auto', default='auto'
        Shape of an image in rows of flattened images, in the layout of `data_format`. 'auto'
        reads rows of a square number of features as square grey images, others as
        one-dimensional signals.

    data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
        Which axis of images is that of the channels. 'auto' reads two-dimensional samples as
        grey images, and others as channels last. With 'channels_last', samples of shape
        (length, n_channels) are signals of several channels.

    preprocessing : {'unit', 'symmetric', 'imagenet'}, nn.Module, callable or None, default=None
        Scaling of each batch of images of shape (n_images, n_channels, height, width), of X and
        of clean samples alike: the names map pixels from [0, 255] to [0, 1], to [-1, 1], and to
        the standardised RGB channels that networks of torchvision expect. Losses and scores are
        those of preprocessed images. Reconstructions and samples are scaled back to the scale
        of X by the names, and by a module with a method ``inverse``; with any other function,
        they are not scaled back.

    loss : {'auto', 'binary_cross_entropy', 'squared_error'}, class or callable, default='auto'
        What is minimised, summed over features: the binary cross-entropy of a logistic output,
        or half of the squared error of a linear one. 'auto' uses the former if all values of X
        (and of X_clean) lie in [0, 1], and the latter otherwise. A class or an instance of
        `nn.Module`, or a function, is called with reconstructions and targets of the shape of
        X, and returns one number per sample or one per value: see "Losses of your own" in the
        user guide.

    out_activation : {'auto', 'logistic', 'identity'}, default='auto'
        Activation of the reconstruction; 'auto' is what `loss` asks for.

    noise : {'gaussian', 'mask'} or None, default=None
        Noise that is added to X in training, while X without noise remains the target: normal
        noise, clipped to the range of all values of X, or zeros instead of values.

    noise_amount : float, default=0.2
        Standard deviation of 'gaussian' in units of X, or share of the values that 'mask' sets
        to zero.

    sparsity : float, default=0.0
        Strength of an L1 penalty on the latent variables: a factor of the sum of their absolute
        values, averaged over samples.

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
    Autoencoder : Autoencoder of dense networks.
    sknn_basics.architectures : Parameters of well-known networks.

    Notes
    ----- Latent variables are always two-dimensional, of shape (n_samples, n_components): images of
    latent variables are flattened, and `inverse_transform` restores them. Pools must divide the
    size of their images; strides take any size.

    References
    ----------
    Masci, Meier, Cireşan and Schmidhuber. "Stacked convolutional auto-encoders for hierarchical
    feature extraction." ICANN 2011.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import ConvAutoencoder
    >>> images = load_digits().images[:300] / 16
    >>> model = ConvAutoencoder(filters=(8, 8), n_components=5, max_iter=5, random_state=0)
    >>> model.fit_transform(images).shape
    (300, 5)
    >>> model.reconstruct(images).shape
    (300, 8, 8)
    """

    _parameter_constraints: dict = {
        **ConvAutoencoderEstimator._parameter_constraints,
        **CODE_CONSTRAINTS,
    }

    _stochastic_only = ("noise", *ConvAutoencoderEstimator._stochastic_only)

    def __init__(
        self,
        filters: Sizes = (16, 32),
        n_components: Int | None = 20,
        activation: Activations = "relu",
        *,
        latent_filters: Int | None = None,
        decoder_filters: Sizes | None = None,
        latent_activation: Activation = "identity",
        kernel_size: Sizes = 3,
        downsample: Choices = "stride",
        pool_size: Sizes = 2,
        normalization: Choices = None,
        dropout: Floats = 0.0,
        image_shape: Sequence[Int] | str = "auto",
        data_format: str = "auto",
        preprocessing: OfImages = None,
        loss: Loss = "auto",
        out_activation: str = "auto",
        noise: str | None = None,
        noise_amount: Float = 0.2,
        sparsity: Float = 0.0,
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

    def _describe_module(self, n_outputs: int) -> dict:
        return {**super()._describe_module(n_outputs), **self._describe_code()}

    def _make_module(self, structure: dict) -> AutoencoderNetwork:
        return conv_autoencoder(**structure)


class VariationalConvAutoencoder(VariationalEstimator, ConvAutoencoderEstimator):
    """Convolutional variational autoencoder of images.

    The network of a `ConvAutoencoder`, whose latent variables are normal distributions close to the
    unit normal; `sample` makes new images.

    Parameters
    ----------
    filters : int or sequence of int, default=(16, 32)
        Number of filters of the convolution of each block of the encoder.

    n_components : int or None, default=20
        Number of latent variables, which a dense layer computes; with None, the flattened
        images of the last convolution are the latent variables.

    activation : str, nn.Module class or sequence of them, default='relu'
        Activation of the convolutions, one for all blocks or one per block, which the decoder
        mirrors.

    beta : float, default=1.0
        Weight of the divergence of the latent variables from the standard normal distribution:
        a larger weight disentangles them, a smaller one reconstructs better.

    beta_warmup : int, default=0
        Number of epochs over which the weight of the divergence rises to `beta`, so that the
        latent variables learn to carry something before they are penalised. The recorded losses
        are those of `beta`.

    noise_variance : float or 'auto', default='auto'
        Variance of the normal noise around a reconstruction, under which the squared error is a
        log-likelihood: a smaller one reconstructs better, a larger one keeps latent variables
        closer to the standard normal distribution, until they carry no information. 'auto'
        learns it: each step uses the mean squared error of its batch. The cross-entropy has no
        such variance.

    latent_filters : int or None, default=None
        Number of filters of one more convolution after the blocks of the encoder.

    decoder_filters : int, sequence of int or None, default=None
        Number of filters of the convolution of each block of the decoder, which then enlarges
        its images; None mirrors the encoder. One fewer than the encoder has, if images are
        enlarged first (not with 'stride'). A last convolution computes the channels of X.

    kernel_size : int or sequence, default=3
        Size of the kernels: one value for all blocks, or one per block, which the decoder
        mirrors. A block's value is an int, or ``[(3, 5)]`` for 3 x 5. Zeros around the images
        keep their size.

    downsample : {'max', 'average', 'stride'}, None or sequence of them, default='stride'
        How a block of the encoder reduces the size of its images: by pooling, or by a
        convolution with the stride `pool_size`. The decoder enlarges them by repeated pixels,
        or by a transposed convolution.

    pool_size : int, tuple of int or sequence of them, default=2
        The factor of this reduction: one value for all blocks, or one per block, which is an
        int or a tuple with one per dimension.

    normalization : {'batch', 'layer'}, None or sequence of them, default=None
        Normalization between each convolution and its activation; 'layer' is over all channels
        and positions of an image. One value for all blocks, or one per block.

    dropout : float in [0, 1) or sequence of float, default=0.0
        Probability of dropping a value at the end of a block; one for all blocks, or one per
        block.

    image_shape : tuple of int or 'auto', default='auto'
        Shape of an image in rows of flattened images, in the layout of `data_format`. 'auto'
        reads rows of a square number of features as square grey images, others as
        one-dimensional signals.

    data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
        Which axis of images is that of the channels. 'auto' reads two-dimensional samples as
        grey images, and others as channels last. With 'channels_last', samples of shape
        (length, n_channels) are signals of several channels.

    preprocessing : {'unit', 'symmetric', 'imagenet'}, nn.Module, callable or None, default=None
        Scaling of each batch of images of shape (n_images, n_channels, height, width), of X and
        of clean samples alike: the names map pixels from [0, 255] to [0, 1], to [-1, 1], and to
        the standardised RGB channels that networks of torchvision expect. Losses and scores are
        those of preprocessed images. Reconstructions and samples are scaled back to the scale
        of X by the names, and by a module with a method ``inverse``; with any other function,
        they are not scaled back.

    loss : {'auto', 'squared_error', 'binary_cross_entropy'}, class or callable, default='auto'
        Minus the log-likelihood of a sample around its reconstruction, summed over features:
        the squared error, scaled by `noise_variance`, of normal features, or the cross-entropy
        of binary ones. 'auto' is the squared error. A class or an instance of `nn.Module`, or a
        function, is called with reconstructions and targets, in the shape of X, and returns
        minus a log-likelihood for each.

    out_activation : {'auto', 'logistic', 'identity'}, default='auto'
        Activation of the reconstruction; 'auto' is the logistic function with the
        cross-entropy, and with loss 'auto' if all values of X (and of X_clean) lie in [0, 1].

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
    kl_ : ndarray of shape (n_components,)
        Divergence of each latent variable from the unit normal in nats, averaged over the
        samples of the last epoch. What is near 0 carries nothing.

    noise_variance_ : float or None
        Variance of the pixels around a reconstruction, given or learned; None with
        `loss='binary_cross_entropy'`.

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
    VariationalAutoencoder : The same of dense networks, with notes on loss and score.
    ConvAutoencoder : Convolutional autoencoder whose latent variables have no distribution.

    Notes
    -----
    `fit` takes no sample weights, as latent variables are drawn at random: repeat samples instead.

    References
    ----------
    Kingma and Welling. "Auto-encoding variational Bayes." ICLR 2014.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import VariationalConvAutoencoder
    >>> images = load_digits().images[:300] / 16
    >>> model = VariationalConvAutoencoder((8, 8), n_components=2, max_iter=5, random_state=0)
    >>> model.fit(images).sample(3, random_state=0).shape
    (3, 8, 8)
    """

    _parameter_constraints: dict = {
        **ConvAutoencoderEstimator._parameter_constraints,
        **VARIATIONAL_CONSTRAINTS,
    }

    def __init__(
        self,
        filters: Sizes = (16, 32),
        n_components: Int | None = 20,
        activation: Activations = "relu",
        *,
        beta: Float = 1.0,
        beta_warmup: Int = 0,
        noise_variance: Float | str = "auto",
        latent_filters: Int | None = None,
        decoder_filters: Sizes | None = None,
        kernel_size: Sizes = 3,
        downsample: Choices = "stride",
        pool_size: Sizes = 2,
        normalization: Choices = None,
        dropout: Floats = 0.0,
        image_shape: Sequence[Int] | str = "auto",
        data_format: str = "auto",
        preprocessing: OfImages = None,
        loss: Loss = "auto",
        out_activation: str = "auto",
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

    def _check_options(self) -> None:
        super()._check_options()
        if self.n_components is None and self.latent_filters is None:
            raise ValueError(
                "The distribution of the latent variables needs its own layer: set n_components "
                "or latent_filters."
            )

    def _make_module(self, structure: dict) -> VariationalNetwork:
        return conv_variational(**structure)
