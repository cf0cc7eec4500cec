"""Variational autoencoders."""

import warnings
from numbers import Real

import numpy as np
import torch
from sklearn.base import _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import available_if

from sknn_basics.autoencoder import DenseAutoencoder
from sknn_basics.documentation import AUTOENCODER_PARAMETERS, documented
from sknn_basics.modules.autoencoder import VariationalNetwork, dense_variational
from sknn_basics.modules.layers import standard_deviation
from sknn_basics.training.losses import BinaryCrossEntropy, NormalLikelihood, VariationalLoss
from sknn_basics.transformers import NeuralTransformer

# Draws over which the evidence lower bound is averaged.
N_DRAWS = 16

# Divergence from the unit normal, in nats, that a latent has at least if it tells samples apart.
LEAST_INFORMATION = 0.01

VARIATIONAL_CONSTRAINTS = {
    "beta": [Interval(Real, 0, None, closed="left")],
    "noise_variance": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
}


class VariationalMixin:
    """What variational autoencoders share: normally distributed latents, and new samples."""

    @_fit_context(prefer_skip_nested_validation=True)
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
            If an input cannot be used, or the training diverged. Whatever a fit raises, what was
            learnt before it stays.
        """
        if X_val is None and X_clean_val is not None:
            raise ValueError("X_clean_val needs X_val.")
        self._fit_epochs(X, X_clean, None, X_val, X_clean_val, None)
        self._warn_of_collapse()
        return self

    @available_if(NeuralTransformer._has_partial_fit)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, *, X_clean=None):
        """Train for one epoch on the given data.

        A schedule with an end, such as ``learning_rate='cosine'``, is for `max_iter` calls: those
        after them keep its last rate, which may be 0, and warn.

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
        """Compute the distribution of each sample's latents.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs.

        Returns
        -------
        mean : ndarray of shape (n_samples, n_components)
            Means of the independent normal latents, which `transform` returns.
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
        """Draw the latents of each sample from their distribution.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Inputs.
        random_state : int, RandomState instance or None, default=None
            Source of the draws.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Latents; `transform` returns their means.
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
                "solver='lbfgs' needs the same loss of the same weights, but latents are drawn at "
                "random: choose a stochastic solver such as 'adam'."
            )
        if self.loss == "binary_cross_entropy" and self.noise_variance != "auto":
            raise ValueError(
                "loss='binary_cross_entropy' is of binary features, which have no noise_variance: "
                f"set loss='squared_error', or leave 'auto', got {self.noise_variance}."
            )
        super()._check_options()

    def _auto_loss(self) -> str:
        # The cross-entropy of values that are not binary is no likelihood: most latents would not
        # pay for the little that it can gain, and carry nothing.
        return "squared_error"

    def _prepare_module(self, X, target, rng, continued: bool, incremental: bool) -> None:
        super()._prepare_module(X, target, rng, continued, incremental)
        if self.loss == "binary_cross_entropy":
            self.noise_variance_ = None
        elif self.noise_variance != "auto":
            self.noise_variance_ = float(self.noise_variance)
        elif not continued or self.noise_variance_ is None:
            self.noise_variance_ = 1.0

    def _make_criterion(self) -> VariationalLoss:
        loss = self._make_reconstruction_loss()
        if not isinstance(loss, BinaryCrossEntropy):
            is_learnt = self.noise_variance == "auto"
            loss = NormalLikelihood(loss, self.n_outputs_, self.noise_variance_, is_learnt)
        return VariationalLoss(loss, self.n_outputs_, self._n_features_out, self.beta)

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
        """Warn of latents that carry nothing, if those are most."""
        dead = np.flatnonzero(self.kl_ < LEAST_INFORMATION)
        if 2 * len(dead) < len(self.kl_):
            return
        if self.noise_variance_ is None:
            remedy = "set loss='squared_error', whose noise_variance is learnt, lower beta"
        elif self.noise_variance != "auto":
            remedy = f"lower noise_variance={self.noise_variance:g} or set it to 'auto', lower beta"
        else:
            remedy = "train for more epochs, lower beta"
        warnings.warn(
            f"The posterior has collapsed: {len(dead)} of {len(self.kl_)} latents carry nothing of "
            f"X (numbers {', '.join(map(str, dead))}; kl_ below {LEAST_INFORMATION} nats), and are "
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


@documented(AUTOENCODER_PARAMETERS)
class VariationalAutoencoder(VariationalMixin, DenseAutoencoder):
    """Variational autoencoder of dense networks.

    An encoder maps each sample to a normal distribution of latents, and a decoder maps draws from
    it back. The distributions are kept close to the unit normal, whose draws therefore decode to
    samples that resemble the data: `sample` makes new ones.

    Parameters
    ----------
    %(parameters)s
    Attributes
    ----------
    %(attributes)s
    See Also
    --------
    Autoencoder : An autoencoder whose latents have no distribution.

    Notes
    -----
    The loss is the negative evidence lower bound of a sample, in nats: the reconstruction loss
    of one draw, summed over features, plus `beta` times the Kullback-Leibler divergence of the
    latents' distribution from the unit normal, summed over latents. As a negative log-likelihood,
    the squared error is that of normal features of unit variance, without the constant
    ``log(2 * pi) / 2`` a feature; the cross-entropy is that of binary features, and no normalised
    likelihood where values lie between 0 and 1.

    `score_samples` and `score` are the bound itself: with that constant, with a `beta` of 1, and
    averaged over 16 draws that are the same for all samples and models. On validation data,
    'valid_loss' decodes the means; 'valid_score' is `score`.

    `fit` takes no sample weights: each sample's latents are drawn at random, so that a weight of 2
    would not be the same as the sample twice. Repeat samples instead.

    References
    ----------
    Kingma and Welling. "Auto-encoding variational Bayes." ICLR 2014.

    Higgins et al. "beta-VAE: learning basic visual concepts with a constrained variational
    framework." ICLR 2017.

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
        hidden_layer_sizes=(512, 256),
        n_components=20,
        activation="relu",
        *,
        beta=1.0,
        noise_variance="auto",
        decoder_layer_sizes=None,
        loss="auto",
        out_activation="auto",
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

    def _make_module(self, structure: dict) -> VariationalNetwork:
        return dense_variational(**structure)
