"""Recurrent autoencoders."""

from numbers import Integral

import numpy as np
from torch import Tensor

from sknn_basics._compat import Interval, StrOptions
from sknn_basics.estimators._base.checks import check_samples, hidden_sizes, one_a_layer
from sknn_basics.estimators._base.sequences import (
    check_steps,
    find_lengths,
    in_layout,
    is_list_of_inputs,
    join_sequences,
    pad_sequences,
    warn_of_swapped_axes,
)
from sknn_basics.estimators._base.transformers import NeuralTransformer
from sknn_basics.estimators._base.types import (
    Activation,
    Callbacks,
    Device,
    Float,
    Floats,
    Int,
    Ints,
    LearningRate,
    Loss,
    Names,
    RandomState,
    Rates,
    Renamed,
    Scoring,
    Solver,
    Source,
    WeightInit,
)
from sknn_basics.estimators.autoencoders.dense import CODE_CONSTRAINTS, PlainAutoencoder
from sknn_basics.estimators.recurrent import (
    RecurrentEstimator,
    draw_recurrent_weights,
    recurrent_only,
)
from sknn_basics.modules.cells import CELLS
from sknn_basics.modules.recurrent_autoencoder import (
    RecurrentAutoencoderNetwork,
    recurrent_autoencoder,
)
from sknn_basics.training.losses import PaddedReconstruction, Reconstruction


class RNNAutoencoder(PlainAutoencoder, NeuralTransformer):
    """Recurrent autoencoder of sequences.

    An encoder of recurrent layers reads a sequence, and maps its state after the last step to a few
    latent variables; a decoder of recurrent layers is given these at every step, and writes the
    sequence again.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int, default=(32,)
        Number of units of each recurrent layer of the encoder.

    n_components : int, default=20
        Number of latent variables of a sample.

    cell : {'lstm', 'gru', 'rnn'}, default='lstm'
        Kind of the cells: long short-term memory, gated recurrent units, or plain ones with
        tanh.

    bidirectional : bool, default=False
        Whether the encoder reads each sequence in both directions. The decoder writes in one.

    decoder_layer_sizes : array-like of int or None, default=None
        Number of units of each hidden layer of the decoder; None mirrors the encoder.

    data_format : {'auto', 'channels_last', 'channels_first'}, default='auto'
        Whether X has shape (n_samples, n_steps, n_features), channels last, or (n_samples,
        n_features, n_steps), as aeon, sktime and tsai have it. 'auto' is last, and warns if X
        looks as if it had the other layout. Reconstructions have that of X.

    latent_activation : str or nn.Module class, default='identity'
        Activation of the latent variables, of the same kinds as `activation`.

    dropout : float in [0, 1) or array-like of float, default=0.0
        Probability of dropping a unit's output in training, in the encoder; one value, or one
        per layer.

    recurrent_dropout : float in [0, 1) or array-like of float, default=0.0
        Probability of dropping a unit's output from step to step in training, in the encoder;
        one value, or one per layer.

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

    learning_rate_init : float or 'auto', default=0.003
        Initial learning rate. 'auto' is the usual one of the solver: 0.01 for 'sgd' and
        'adagrad', 0.002 for 'adamax' and 'nadam', 1.0 for 'adadelta', and 0.001 for the others.

    power_t : float, default=0.5
        Exponent of 'invscaling'.

    max_iter : int, default=80
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
    RNNRegressor : Recurrent network regressor.

    Notes
    -----
    X has shape (n_samples, n_steps, n_features), or that of `data_format`, or holds rows of shape
    (n_samples, n_steps) with one number a step; all sequences then have the same number of steps,
    in `fit` and later. A list of arrays, or an array in which shorter sequences end with steps of
    NaN, holds sequences of several lengths, none of which is later longer than the longest of
    `fit`. Each weighs the same in the loss; reconstructions of a list are a list.

    References
    ----------
    Srivastava, Mansimov and Salakhutdinov. "Unsupervised learning of video representations using
    LSTMs." ICML 2015.

    Examples
    --------
    >>> from sknn_basics import RNNAutoencoder
    >>> from sklearn.datasets import load_digits
    >>> images = load_digits().images[:200] / 16  # read line by line
    >>> model = RNNAutoencoder((16,), n_components=4, max_iter=3, random_state=0)
    >>> model.fit_transform(images).shape
    (200, 4)
    >>> model.reconstruct(images).shape
    (200, 8, 8)
    """

    _parameter_constraints: dict = {
        **recurrent_only(NeuralTransformer._parameter_constraints),
        **CODE_CONSTRAINTS,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "decoder_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
            None,
        ],
        "cell": [StrOptions(set(CELLS))],
        "bidirectional": ["boolean"],
        "data_format": RecurrentEstimator._parameter_constraints["data_format"],
        "recurrent_dropout": RecurrentEstimator._parameter_constraints["recurrent_dropout"],
    }

    _architecture = ("_is_padded_",)
    # Models that were saved before there was a choice have sequences of one length.
    _is_padded_ = False
    _decoder_kind = "recurrent"
    _stochastic_only = ("dropout", "recurrent_dropout", "noise", "clip_grad_norm")

    def __init__(
        self,
        hidden_layer_sizes: Ints = (32,),
        n_components: Int = 20,
        cell: str = "lstm",
        *,
        bidirectional: bool = False,
        decoder_layer_sizes: Ints | None = None,
        data_format: str = "auto",
        latent_activation: Activation = "identity",
        dropout: Floats = 0.0,
        recurrent_dropout: Floats = 0.0,
        loss: Loss = "auto",
        out_activation: str = "auto",
        noise: str | None = None,
        noise_amount: Float = 0.2,
        sparsity: Float = 0.0,
        solver: Solver = "adam",
        alpha: Float = 0.0001,
        batch_size: Int | str = "auto",
        learning_rate: LearningRate = "constant",
        learning_rate_init: Float | str = 0.003,
        power_t: Float = 0.5,
        max_iter: Int = 80,
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

    def _check_X(self, X, reset: bool):
        lengths = find_lengths(X, self.data_format)
        if lengths is not None or (self._is_padded_ and not reset):
            return self._check_padded(X, lengths, reset)
        X = check_samples(self, X, reset)
        if reset:
            self._is_padded_ = False
        if X.ndim > 3:
            raise ValueError(
                "X must have shape (n_samples, n_steps) or (n_samples, n_steps, n_features), got "
                f"{X.shape}: flatten its steps."
            )
        if reset and self.data_format == "auto" and X.ndim == 3:
            warn_of_swapped_axes(X)
        return X

    def _check_padded(self, X, lengths: np.ndarray | None, reset: bool) -> np.ndarray:
        """Check sequences of several lengths; fill them up with NaN, in the layout of X."""
        is_list = is_list_of_inputs(X)
        rows = in_layout(X if is_list else np.asarray(X), self.data_format, is_list)
        lengths = np.full(len(rows), rows.shape[1]) if lengths is None else lengths
        steps, lengths = join_sequences([row[:n] for row, n in zip(rows, lengths)], "X")
        steps = check_steps(steps).reshape(len(steps), -1)
        axes = [1, 0] if self.data_format == "channels_first" else [0, 1]
        if reset:
            shape = int(lengths.max()), steps.shape[1]
            self.n_features_in_, self._is_padded_ = shape[1], True
            self._sample_shape_ = tuple(shape[axis] for axis in axes)
        fitted = self._sample_shape_
        n_steps, n_features = fitted[axes[0]], fitted[axes[1]] if len(fitted) > 1 else 1
        if not self._is_padded_ or lengths.max() > n_steps or steps.shape[1] != n_features:
            least = 1 if self._is_padded_ else n_steps
            raise ValueError(
                f"X has sequences of {lengths.min()} to {lengths.max()} steps of {steps.shape[1]} "
                f"features, but {type(self).__name__} was fitted to {least} to {n_steps} steps of "
                f"{n_features}."
            )
        X = pad_sequences(steps, lengths, np.nan, n_steps)
        return X.transpose(0, *(1 + axis for axis in axes))

    def _value_range(self, array) -> tuple[float, float]:
        if not self._is_padded_:
            return super()._value_range(array)
        return float(np.nanmin(array)), float(np.nanmax(array))

    def _check_clean(self, X, X_clean, reset: bool):
        if X_clean is not None and self._is_padded_:
            raise ValueError("X_clean needs sequences of one length, X has several.")
        return super()._check_clean(X, X_clean, reset)

    def _choose_dtype(self, sample_shape: tuple[int, ...], device) -> str:
        # The longest sequence of a list may be in one fold and not in another.
        return super()._choose_dtype((np.inf,) if self._is_padded_ else sample_shape, device)

    def _make_criterion(self) -> Reconstruction:
        if not self._is_padded_:
            return super()._make_criterion()
        if not isinstance(self.loss, str):
            raise ValueError(
                f"Sequences of several lengths need a loss by name, got {self.loss!r}."
            )
        loss = self._make_reconstruction_loss()
        return PaddedReconstruction(loss, self.n_outputs_, self.sparsity)

    def _score_output(self, output, target, weight) -> float:
        if not self._is_padded_:
            return super()._score_output(output, target, weight)
        scores = score_known(output[:, : self.n_outputs_], target)
        return float(np.average(scores, weights=weight)) if np.isfinite(scores).all() else np.nan

    def _score_samples(self, X, target) -> np.ndarray:
        if not self._is_padded_:
            return super()._score_samples(X, target)
        return self.net_.map_batches(self._score_padded, self._make_dataset(X, target))

    def _score_padded(self, batch: tuple) -> np.ndarray:
        inputs, targets = batch[:2]
        output = self.net_.predict_nonlinearity(self.module_.decode(self.module_.encode(inputs)))
        return score_known(*(as_double(values) for values in (output, targets)))

    def reconstruct(self, X):
        """Encode X and decode the latent variables.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, ...) or list of array-like
            Sequences.

        Returns
        -------
        reconstruction : ndarray of the shape of X, or list of ndarray
            What ``inverse_transform(transform(X))`` returns, as long as each sequence is: a list of
            a list, and NaN after the end of shorter sequences of an array.
        """
        whole = super().reconstruct(X)
        if not self._is_padded_:
            return whole
        is_list = is_list_of_inputs(X)
        steps = in_layout(whole, self.data_format, is_list=False)
        lengths = find_lengths(X, self.data_format)
        if is_list:
            rows = [row[:n] for row, n in zip(steps, lengths)]
            rows = in_layout(rows, self.data_format, is_list=True, back=True)
            return [row.reshape(np.shape(x)) for row, x in zip(rows, X)]
        n_steps = in_layout(np.asarray(X), self.data_format, is_list=False).shape[1]
        steps = steps[:, :n_steps].copy()
        if lengths is not None:
            steps[np.arange(n_steps) >= lengths[:, None]] = np.nan
        return in_layout(steps, self.data_format, is_list=False, back=True).reshape(np.shape(X))

    def _describe_module(self, n_outputs: int) -> dict:
        shape = [int(n) for n in self._sample_shape_]
        is_swapped = self.data_format == "channels_first" and len(shape) == 2
        n_steps, *step_shape = shape[::-1] if is_swapped else shape
        encoder = hidden_sizes(self.hidden_layer_sizes)
        decoder = encoder[::-1]
        if self.decoder_layer_sizes is not None:
            decoder = hidden_sizes(self.decoder_layer_sizes, "decoder_layer_sizes")
        for name, sizes in (("hidden_layer_sizes", encoder), ("decoder_layer_sizes", decoder)):
            if not sizes:
                raise ValueError(f"{name} must name at least one recurrent layer.")
        shares = {
            name: one_a_layer(getattr(self, name), len(encoder), name)
            for name in ("dropout", "recurrent_dropout")
        }
        return {
            "n_steps": n_steps,
            "step_shape": step_shape,
            "n_outputs_a_step": n_outputs // n_steps,
            "is_swapped": is_swapped,
            "hidden_layer_sizes": encoder,
            "n_components": int(self.n_components),
            "decoder_layer_sizes": decoder,
            "cell": self.cell,
            "bidirectional": self.bidirectional,
            **shares,
            **self._describe_code(),
        }

    def _make_module(self, structure: dict) -> RecurrentAutoencoderNetwork:
        return recurrent_autoencoder(**structure)

    def _draw_weights(self, rng) -> None:
        draw_recurrent_weights(self.module_, self.weight_init, rng)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def score_known(output: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Compute minus the mean squared error of each sample where its target is known."""
    target = target.reshape(output.shape)
    known = ~np.isnan(target)
    errors = np.square(np.where(known, output - target, 0.0))
    return -errors.sum(axis=1) / known.sum(axis=1)


def as_double(values: Tensor) -> np.ndarray:
    """Make an array in double precision of a tensor of samples."""
    return values.flatten(1).numpy(force=True).astype(np.float64)
