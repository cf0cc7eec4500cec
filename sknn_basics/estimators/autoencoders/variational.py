"""Variational autoencoders."""

import warnings
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if

from sknn_basics._compat import Interval, StrOptions, fit_context
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
from sknn_basics.estimators.autoencoders.dense import DenseAutoencoder
from sknn_basics.modules.autoencoder import VariationalNetwork, dense_variational
from sknn_basics.modules.layers import standard_deviation
from sknn_basics.training.losses import NormalLikelihood, VariationalLoss

# Draws over which the evidence lower bound is averaged.
N_DRAWS = 16

# Divergence from the unit normal, in nats, that a latent variable has at least if it tells samples
# apart.
LEAST_INFORMATION = 0.01

# Number of steps before which no latent variable needs to carry information.
FIRST_STEPS = 50

VARIATIONAL_CONSTRAINTS = {
    "beta": [Interval(Real, 0, None, closed="left")],
    "beta_warmup": [Interval(Integral, 0, None, closed="left")],
    "noise_variance": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
}


class VariationalEstimator(NeuralTransformer):
    """What variational autoencoders share: normal latent variables, and new samples."""

    _architecture = ("noise_variance_",)

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, X_clean=None, X_val=None, X_clean_val=None):
        """Fit the network to reconstruct X, or `X_clean` from X.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs. They are cast to the network's data type batch by batch.
        y : Ignored
            Not used, present for consistency with other transformers.
        X_clean : {array-like, sparse matrix, torch.Tensor} of the shape of X, default=None
            What X should be reconstructed as, on the same scale; None takes X itself. In a
            pipeline, as in `Autoencoder.fit`.
        X_val : {array-like, sparse matrix, torch.Tensor} of shape (n_val, ...), default=None
            Inputs to validate on after every epoch, in place of a part of X, preprocessed as X is.
            A pipeline passes them on as they are, unless metadata routing is enabled and its
            ``transform_input`` names them: see "Validation data in a pipeline" in the user guide.
        X_clean_val : {array-like, sparse matrix, torch.Tensor} of the shape of X_val, default=None
            What they should be reconstructed as.

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
        self._fit_epochs(X, X_clean, None, X_val, X_clean_val, None)
        self._warn_of_collapse()
        return self

    @available_if(NeuralTransformer._has_partial_fit)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, *, X_clean=None):
        """Train for one epoch on the given data.

        A schedule with an end, such as ``learning_rate='cosine'``, is for `max_iter` calls: those
        after them keep its last learning rate, which may be 0, and warn.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs. Those of the first call decide what 'auto' parameters are.
        y : Ignored
            Not used, present for consistency with other transformers.
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
        return self._partial_fit(X, X_clean, None)

    def score_samples(self, X, *, X_clean=None) -> np.ndarray:
        """Estimate the evidence lower bound of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs.
        X_clean : {array-like, sparse matrix, torch.Tensor} of the shape of X, default=None
            What should be reconstructed; None takes X itself.

        Returns
        -------
        score : ndarray of shape (n_samples,)
            Bounds of the log-likelihoods, in nats, in double precision. Higher is better: what lies
            below a threshold is an anomaly. They are finite for every X: beyond -1e290, they fall
            with their logarithm only.
        """
        return super().score_samples(X, X_clean=X_clean)

    def latent_distribution(self, X) -> tuple[np.ndarray, np.ndarray]:
        """Compute the distribution of each sample's latent variables.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs.

        Returns
        -------
        mean : ndarray of shape (n_samples, n_components)
            Means of the independent normal latent variables, which `transform` returns.
        std : ndarray of shape (n_samples, n_components)
            Their standard deviations.
        """
        X = self._check_new(X)
        encoded = self.net_.map_batches(
            lambda batch: self.module_.encoder(batch[0]).numpy(force=True),
            self._make_dataset(X),
        )
        mean, log_variance = np.split(encoded, 2, axis=1)
        return mean, standard_deviation(torch.from_numpy(log_variance)).numpy()

    def sample_latents(self, X, random_state=None) -> np.ndarray:
        """Draw the latent variables of each sample from their distribution.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs.
        random_state : int, RandomState instance or None, default=None
            Source of the draws.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Latent variables; `transform` returns their means.
        """
        mean, std = self.latent_distribution(X)
        noise = check_random_state(random_state).standard_normal(mean.shape)
        return mean + std * noise.astype(mean.dtype)

    def sample(self, n_samples: int = 1, random_state=None) -> np.ndarray:
        """Make new samples: decode draws of the unit normal.

        Parameters
        ----------
        n_samples : int, default=1
            How many.
        random_state : int, RandomState instance or None, default=None
            Source of the draws.

        Returns
        -------
        X : ndarray of shape (n_samples, ...)
            Samples of the shape of those that were fitted to: means of the features, such as
            probabilities of pixels.
        """
        return self.extract_decoder().sample(n_samples, random_state)

    def _describe_latents(self, X) -> tuple[np.ndarray, np.ndarray | None]:
        if X is None:
            return np.zeros(self._n_features_out), None
        return super()._describe_latents(X)

    def _check_options(self) -> None:
        if self.solver == "lbfgs":
            raise ValueError(
                "solver='lbfgs' needs a deterministic loss, but latent variables are drawn at "
                "random: choose a stochastic solver such as 'adam'."
            )
        if not self._has_noise() and self.noise_variance != "auto":
            raise ValueError(
                f"loss={self.loss!r} has no noise_variance, as that of normal features has: "
                f"set loss='squared_error', or leave 'auto', got {self.noise_variance}."
            )
        super()._check_options()

    def _has_noise(self) -> bool:
        """Tell whether features are normal around their reconstruction."""
        return self.loss in ("auto", "squared_error")

    def _auto_loss(self) -> str:
        # The cross-entropy of values that are not binary is no likelihood: most latent variables
        # would not pay for the little that it can gain, and carry nothing.
        return "squared_error"

    def _prepare_module(self, X, target, rng, continued: bool) -> None:
        super()._prepare_module(X, target, rng, continued)
        if not self._has_noise():
            self.noise_variance_ = None
        elif self.noise_variance != "auto":
            self.noise_variance_ = float(self.noise_variance)
        elif not continued or self.noise_variance_ is None:
            self.noise_variance_ = 1.0

    def _make_criterion(self) -> VariationalLoss:
        loss = self._make_reconstruction_loss()
        if self._has_noise():
            is_learnt = self.noise_variance == "auto"
            loss = NormalLikelihood(loss, self.n_outputs_, self.noise_variance_, is_learnt)
        n_epochs = len(self.net_.history) if self.t_ and "net_" in vars(self) else 0
        sizes = self.n_outputs_, self._n_features_out
        return VariationalLoss(loss, *sizes, self.beta, int(self.beta_warmup), n_epochs)

    def _read_results(self, net, n_samples: int, n_known: int) -> None:
        super()._read_results(net, n_samples, n_known)
        self.kl_ = net.observed_
        rows = [row for row in net.history if "train_noise_variance" in row]
        if rows and self.noise_variance == "auto":
            if self.early_stopping:
                # What is kept are the weights of the best epoch.
                rows = [row for row in rows if row.get("valid_score_best")] or rows
            self.noise_variance_ = rows[-1]["train_noise_variance"]
            net.criterion_.loss.variance.fill_(self.noise_variance_)

    def _warn_of_collapse(self) -> None:
        """Warn if most latent variables carry no information, and had the time to learn."""
        dead = np.flatnonzero(self.kl_ < LEAST_INFORMATION)
        if 2 * len(dead) < len(self.kl_) or self.t_ < FIRST_STEPS * self.net_.batch_size:
            return
        if self.noise_variance_ is None:
            remedy = "set loss='squared_error', whose noise_variance is learned, lower beta"
        elif self.noise_variance != "auto":
            remedy = f"lower noise_variance={self.noise_variance:g} or set it to 'auto', lower beta"
        else:
            remedy = "train for more epochs, lower beta"
        warnings.warn(
            f"The posterior has collapsed: {len(dead)} of {len(self.kl_)} latent variables carry "
            "no information about X "
            f"(numbers {', '.join(map(str, dead))}; kl_ below {LEAST_INFORMATION} nats), and are "
            f"ignored by the decoder. {remedy[0].upper()}{remedy[1:]}, or take fewer n_components.",
            stacklevel=4,
        )

    def _make_score(self, X, target, weight):
        if self.scoring is not None:
            return super()._make_score(X, target, weight)
        inputs = self._check_X(X, reset=False)
        return lambda net: float(np.mean(self._score_samples(inputs, target)))

    def _score_batch(self, inputs, targets):
        draws = antithetic_draws(N_DRAWS, self._n_features_out)
        noise, _, _ = self.net_.get_dataset(draws)[:N_DRAWS]
        return self.net_.criterion_.bound(self.module_, inputs, targets, noise)


def antithetic_draws(n_draws: int, n_dims: int) -> np.ndarray:
    """Draw from a unit normal, always the same: vectors and their negatives."""
    half = np.random.RandomState(0).standard_normal((n_draws // 2, n_dims))
    return np.concatenate([half, -half])


class VariationalAutoencoder(VariationalEstimator, DenseAutoencoder):
    """Variational autoencoder of dense networks.

    An encoder maps each sample to a normal distribution of latent variables, and a decoder maps
    draws from it back. The distributions are kept close to the unit normal, whose draws therefore
    decode to samples that resemble the data: `sample` makes new ones.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int, default=(512, 256)
        Number of units of each hidden layer of the encoder; ``()`` for none.

    n_components : int, default=20
        Number of latent variables of a sample.

    activation : str or nn.Module class, default='relu'
        Activation of the hidden layers: 'identity', 'logistic', 'tanh', 'relu', or any other
        elementwise activation of `torch.nn` in lower case ('elu', 'gelu', 'leaky_relu', 'silu',
        ...), or a class that is called without arguments.

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

    decoder_layer_sizes : array-like of int or None, default=None
        Number of units of each hidden layer of the decoder; None mirrors the encoder.

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

    dropout : float in [0, 1) or array-like of float, default=0.0
        Probability of dropping a unit's output in training; one value, or one per hidden layer.

    normalization : {'batch', 'layer'} or None, default=None
        Normalization between the linear part and the activation of each hidden layer.

    max_norm : float or None, default=None
        Largest norm of the incoming weights of a hidden unit: larger ones are rescaled after
        every step.

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
        Variance of the features around a reconstruction, given or learned; None with
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
    Autoencoder : An autoencoder whose latent variables have no distribution.

    Notes
    ----- The loss is the negative evidence lower bound of a sample, in nats: the reconstruction
    loss of one draw, summed over features, plus `beta` times the Kullback-Leibler divergence of the
    latent variables' distribution from the unit normal, summed over latent variables. As a negative
    log-likelihood, the squared error is that of normal features of variance `noise_variance`,
    without the constant ``log(2 * pi) / 2`` a feature; the cross-entropy is that of binary
    features, and no normalised likelihood where values lie between 0 and 1.

    `score_samples` and `score` are the bound itself: with that constant, with a `beta` of 1, and
    averaged over 16 draws that are the same for all samples and models. They are comparable between
    values of `noise_variance`, `beta` and `n_components`, but not between the squared error, whose
    likelihood is a density, and the cross-entropy. On validation data, 'valid_loss' decodes the
    means; 'valid_score' is `score`.

    A latent that does not pay for its divergence is switched off: its distribution is the unit
    normal for every sample, and the decoder ignores it. Where the noise is larger than what varies
    in X, that happens to all of them (posterior collapse): reconstructions are the mean of X. `kl_`
    shows the divergence of each latent variable, `history_` the mean of their sum as 'train_kl'
    next to 'train_reconstruction', and `fit` warns where most latent variables carry nothing.

    `fit` takes no sample weights: each sample's latent variables are drawn at random, so that a
    weight of 2 would not be the same as the sample twice. Repeat samples instead.

    References
    ----------
    Kingma and Welling. "Auto-encoding variational Bayes." ICLR 2014.

    Higgins et al. "beta-VAE: learning basic visual concepts with a constrained variational
    framework." ICLR 2017.

    Lucas, Tucker, Grosse and Norouzi. "Don't blame the ELBO! A linear VAE perspective on posterior
    collapse." NeurIPS 2019.

    Rybkin, Daniilidis and Levine. "Simple and effective VAE training with calibrated decoders."
    ICML 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import VariationalAutoencoder
    >>> X, _ = load_digits(return_X_y=True)
    >>> model = VariationalAutoencoder(
    ...     hidden_layer_sizes=(64,), n_components=2, max_iter=20, random_state=0
    ... )
    >>> model.fit(X / 16).sample(3, random_state=0).shape
    (3, 64)
    """

    _parameter_constraints: dict = {
        **DenseAutoencoder._parameter_constraints,
        **VARIATIONAL_CONSTRAINTS,
    }

    def __init__(
        self,
        hidden_layer_sizes: Ints = (512, 256),
        n_components: Int = 20,
        activation: Activation = "relu",
        *,
        beta: Float = 1.0,
        beta_warmup: Int = 0,
        noise_variance: Float | str = "auto",
        decoder_layer_sizes: Ints | None = None,
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
        dropout: Floats = 0.0,
        normalization: str | None = None,
        max_norm: Float | None = None,
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

    def _make_module(self, structure: dict) -> VariationalNetwork:
        return dense_variational(**structure)
