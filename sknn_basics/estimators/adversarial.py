"""Generative adversarial networks."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from math import prod
from numbers import Integral, Real

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.metrics import euclidean_distances
from sklearn.utils import check_random_state, check_scalar, column_or_1d
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sknn_basics._compat import Interval, StrOptions, check_classification_targets, fit_context
from sknn_basics.estimators._base.checks import (
    UnknownClasses,
    check_choice,
    check_samples,
    hidden_sizes,
    one_a_block,
    one_a_layer,
    value_range,
)
from sknn_basics.estimators._base.fit import NeuralEstimator
from sknn_basics.estimators._base.images import (
    BLOCK_PARAMETERS,
    NORMALIZATIONS,
    check_images,
    count_blocks,
    describe_blocks,
    describe_images,
)
from sknn_basics.estimators._base.types import (
    Activation,
    Activations,
    Callbacks,
    Choices,
    Device,
    Float,
    Floats,
    Int,
    Ints,
    RandomState,
    Sizes,
    Solver,
    WeightInit,
)
from sknn_basics.estimators.autoencoders.convolutional import halved_sizes
from sknn_basics.estimators.autoencoders.decoder import Decoder, latents_as_array
from sknn_basics.estimators.convolutional import ConvNetEstimator
from sknn_basics.modules.adversarial import (
    LATENTS,
    AdversarialNetwork,
    check_given,
    dense_gan,
    one_hot,
)
from sknn_basics.modules.autoencoder import own_weights_as_arrays
from sknn_basics.modules.conv_adversarial import conv_gan
from sknn_basics.modules.images import read_preprocessing
from sknn_basics.modules.layers import ACTIVATIONS
from sknn_basics.modules.summary import Layer, count_parameters, describe_layers
from sknn_basics.training.adversarial import (
    ADVERSARIAL_LOSSES,
    AdversarialNet,
    GivenLoss,
    GrowNetworks,
    LogLoss,
    make_optimiser_of_players,
)
from sknn_basics.training.batches import ArrayDataset, ReconstructionDataset
from sknn_basics.training.callbacks import PrintEpoch, RaiseOnDivergence, RecordRate
from sknn_basics.training.collapse import WarnOfCollapse
from sknn_basics.training.devices import as_array, new_generator
from sknn_basics.training.optimisers import SOLVERS, usual_rate

# Ranges of values that an activation of the output has.
RANGES = {"tanh": (-1.0, 1.0), "logistic": (0.0, 1.0)}

# Ranges that images usually have, whatever that of the first batch.
USUAL_RANGES = ((0.0, 1.0), (-1.0, 1.0))

# Strength of the gradient penalty that the Wasserstein loss needs.
USUAL_PENALTY = 10.0

# Samples from which the score is computed.
N_SCORED = 1000


class AdversarialEstimator(NeuralEstimator):
    """What GANs share: two networks, samples of their own, and a score of these."""

    _parameter_constraints: dict = {
        **{
            name: NeuralEstimator._parameter_constraints[name]
            for name in (
                *("activation", "alpha", "learning_rate_init", "max_iter", "shuffle"),
                *("random_state", "verbose", "warm_start", "momentum", "nesterovs_momentum"),
                *("beta_1", "beta_2", "epsilon", "dropout", "normalization", "weight_init"),
                *("clip_grad_norm", "callbacks", "device"),
            )
        },
        "dtype": [StrOptions({"auto", "float32", "float64"})],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "latent": [StrOptions(set(LATENTS)), callable],
        "negative_slope": [Interval(Real, 0, 1, closed="both")],
        "generator_activation": [StrOptions(set(ACTIVATIONS)), callable, None],
        "out_activation": [StrOptions({"auto", "identity", "tanh", "logistic"})],
        "loss": [StrOptions(set(ADVERSARIAL_LOSSES)), tuple, list],
        "round": [StrOptions({"joint", "alternate"})],
        "generator_steps": [Interval(Integral, 1, None, closed="left")],
        "discriminator_steps": [Interval(Integral, 1, None, closed="left")],
        "solver": [StrOptions(set(SOLVERS) - {"muon"}), callable],
        "discriminator_learning_rate_init": [
            Interval(Real, 0, None, closed="neither"),
            StrOptions({"auto"}),
            None,
        ],
        "gradient_penalty": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "batch_variety": ["boolean"],
        "spectral_normalization": ["boolean"],
        "average_decay": [Interval(Real, 0, 1, closed="left"), None],
        "generator": [torch.nn.Module, None],
        "discriminator": [torch.nn.Module, None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
    }

    _architecture = ("_input_range_", "classes_")

    # There is no loss or score that a training should follow, nor a layer that could be its last.
    early_stopping, scoring, tol, learning_rate = False, None, 0.0, "constant"
    init_from = init_layers = frozen_layers = layer_rates = max_time = None
    compile = cuda_graphs = False

    _generator_kind: str

    # Fitting.

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Train generator and discriminator against each other.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Real samples. They are cast to the network's data type batch by batch.
        y : array-like of shape (n_samples,), default=None
            Classes of the samples. With them, both networks are told the class of each sample, and
            `sample` makes samples of any class.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If an input cannot be used, or the training diverged. If a fit fails, the model
            remains as it was before.
        """
        continued = self.warm_start and hasattr(self, "module_")
        with self._all_or_nothing(continued):
            self._fit(X, y, None, continued=continued, n_epochs=self._count_epochs())
        return self

    def initialize(self, X, y=None):
        """Make the networks for data like the given, with their initial weights, without training.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Real samples, which decide what 'auto' parameters are.
        y : array-like of shape (n_samples,), default=None
            Classes of the samples, all of them.

        Returns
        -------
        self : object
            The estimator, which makes samples with its initial weights.
        """
        return super().initialize(X, y)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, classes=None):
        """Train for one epoch on the given data.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Real samples. Those of the first call decide what 'auto' parameters are.
        y : array-like of shape (n_samples,), default=None
            Classes of the samples.
        classes : array-like of shape (n_classes,), default=None
            All classes that may come, for the first call; None takes those of its y.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If an input cannot be used, or the training diverged.
        """
        return self._partial_fit(X, y, None, classes=classes)

    def _count_epochs(self) -> int:
        """Tell how many epochs a fit has."""
        return self.max_iter

    def _check_options(self) -> None:
        super()._check_options()
        if not isinstance(self.loss, str) and (
            len(self.loss) != 2 or not all(map(callable, self.loss))
        ):
            raise ValueError(
                "loss must be a name or a pair of functions, (logits, is_real) and (logits) to one "
                f"loss per sample, got {self.loss!r}."
            )
        if self.label_smoothing and self.loss != "log_loss":
            raise ValueError(
                f"label_smoothing={self.label_smoothing} is for loss='log_loss', got "
                f"loss={self.loss!r}."
            )
        if self.loss == "wasserstein" and self._penalty() and self.round != "joint":
            raise ValueError(
                "loss='wasserstein' penalises gradients between real and made samples: it needs "
                f"round='joint' or gradient_penalty=0, got round={self.round!r}."
            )
        for name in ("batch_variety", "spectral_normalization"):
            if self.discriminator is not None and getattr(self, name):
                raise ValueError(
                    f"{name}=True changes layers of a discriminator that is made here: it must be "
                    "False with a discriminator of your own."
                )

    def _penalty(self) -> float:
        """Tell the strength of the gradient penalty."""
        if self.gradient_penalty != "auto":
            return float(self.gradient_penalty)
        is_free = self.loss == "wasserstein" and not self.spectral_normalization
        return USUAL_PENALTY if is_free else 0.0

    # Targets: classes, or nothing but X.

    def _encode_target(self, X, y, reset: bool, classes=None):
        if X.shape[0] < 2:
            raise ValueError(
                f"{type(self).__name__} learns how samples differ: it needs at least 2 of them, "
                f"got n_samples={X.shape[0]}."
            )
        self._learn_range(X, reset)
        if reset:
            vars(self).pop("classes_", None)
        elif (y is None) == hasattr(self, "classes_"):
            raise ValueError(
                "y must be given to all calls of warm_start or partial_fit, or to none: the fitted "
                f"networks {'know' if y is None else 'know no'} classes."
            )
        if y is None:
            return X
        y = check_classes(y)
        check_consistent_length(X, y)
        if reset:
            self.classes_ = np.unique(y if classes is None else check_classes(classes))
        return self._number_classes(y)

    def _number_classes(self, y: np.ndarray) -> np.ndarray:
        """Replace classes by their numbers."""
        numbers = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)
        unknown = self.classes_[numbers] != y
        if unknown.any():
            raise UnknownClasses(
                f"y has classes {np.unique(y[unknown])} that are not among those of the fit, "
                f"{self.classes_}.",
                np.unique(y),
            )
        return numbers.astype(np.int64)

    def _learn_range(self, X, reset: bool) -> None:
        """Learn the range that a bounded output is scaled to, or check that X keeps to it."""
        low, high = value_range(X)
        if reset:
            self.out_activation_ = self._choose_out_activation()
            self._input_range_ = list(choose_range(X.dtype, low, high))
            return
        known_low, known_high = self._input_range_
        slack = 0.1 * (known_high - known_low)
        is_outside = low < known_low - slack or high > known_high + slack
        if self.out_activation_ in RANGES and is_outside:
            raise ValueError(
                f"X has values from {low:g} to {high:g}, but out_activation="
                f"{self.out_activation_!r} was scaled to the range of the first X, from "
                f"{known_low:g} to {known_high:g}: give that one the whole range, scale X, or set "
                "out_activation='identity'."
            )

    def _choose_out_activation(self) -> str:
        return "identity" if self.out_activation == "auto" else self.out_activation

    def _describe_scale(self) -> list[float] | None:
        """Tell offset and factor that bring X to the range of the output's activation."""
        if self.out_activation_ not in RANGES:
            return None
        (low, high), (first, last) = self._input_range_, RANGES[self.out_activation_]
        if (low, high) == (first, last):
            return None
        factor = (last - first) / (high - low)
        return [low - first / factor, factor]

    def _describe_output(self, target) -> tuple[int, str]:
        wanted = self._choose_out_activation()
        return prod(self._sample_shape_), wanted

    def _describe_module(self, n_outputs: int) -> dict:
        """Collect the arguments that the networks of all GANs have."""
        generator_activation = self.generator_activation
        return {
            "n_features": n_outputs,
            "n_components": int(self.n_components),
            "n_classes": len(self.classes_) if hasattr(self, "classes_") else 0,
            "activation": self.activation,
            "generator_activation": (
                self.activation if generator_activation is None else generator_activation
            ),
            "negative_slope": float(self.negative_slope),
            "out_activation": self.out_activation_,
            "batch_variety": bool(self.batch_variety),
            "spectral_normalization": bool(self.spectral_normalization),
            "is_averaged": self.average_decay is not None,
            "preprocessing": self._describe_scale(),
            "generator": self.generator,
            "discriminator": self.discriminator,
        }

    def _check_given(self, network: AdversarialNetwork, structure: dict) -> AdversarialNetwork:
        """Check the modules of the user, if there are any, in a network."""
        if structure["generator"] is not None or structure["discriminator"] is not None:
            n_inputs = structure["n_components"] + structure["n_classes"]
            check_given(network, n_inputs, self._sample_shape_)
        return network

    def _draw_weights(self, rng) -> None:
        super()._draw_weights(rng)
        if hasattr(self.module_, "average"):
            self.module_.average.load_state_dict(self.module_.generator.state_dict())

    def _drawn_part(self) -> torch.nn.Module:
        made_here = {"generator": self.generator, "discriminator": self.discriminator}
        return torch.nn.ModuleList(
            getattr(self.module_, name) for name, given in made_here.items() if given is None
        )

    # The net.

    def _make_criterion(self):
        if not isinstance(self.loss, str):
            return GivenLoss(*self.loss)
        if self.loss == "log_loss":
            return LogLoss(float(self.label_smoothing))
        return ADVERSARIAL_LOSSES[self.loss]()

    def _make_dataset(self, X, target=None, weight=None) -> ArrayDataset:
        parameter = next(self.module_.parameters())
        place = {"dtype": parameter.dtype, "device": parameter.device}
        preprocess = read_preprocessing(self._structure_)
        if preprocess is not None:
            preprocess.to(**place)
        target = X if target is None else target
        return GameDataset(X, target, **place, preprocess=preprocess)

    def _describe_optimiser(self) -> dict:
        rate = self.discriminator_learning_rate_init
        described = super()._describe_optimiser()
        if rate is None:
            rate = described["lr"]
        elif rate == "auto":
            rate = usual_rate(described["solver"])
        return {**described, "discriminator_rate": float(rate)}

    def _make_net(self, batch_size: int = 1, rng=None) -> AdversarialNet:
        device, noise = next(self.module_.parameters()).device, None
        if rng is not None:
            noise = new_generator(rng.randint(np.iinfo(np.int32).max) + self.t_, device)
        return AdversarialNet(
            self.module_,
            self._make_criterion(),
            partial(make_optimiser_of_players, **self._optimiser_),
            lr=self._optimiser_["lr"],
            alpha=0.0 if self._optimiser_["solver"] == "adamw" else self.alpha,
            clip_grad_norm=self.clip_grad_norm,
            batch_size=batch_size,
            rng=rng if self.shuffle else None,
            latent=self.latent,
            n_components=int(self.n_components),
            is_joint=self.round == "joint",
            generator_steps=int(self.generator_steps),
            discriminator_steps=int(self.discriminator_steps),
            gradient_penalty=self._penalty(),
            average_decay=self.average_decay,
            noise=noise,
        )

    def _choose_callbacks(self, score, incremental: bool) -> list:
        progress = [PrintEpoch()] if self.verbose else []
        return [RaiseOnDivergence(), RecordRate(), WarnOfCollapse(), *progress]

    def _score_output(self, output, target, weight) -> float:
        raise NotImplementedError("GANs validate on no data.")

    # Samples.

    @property
    def generator_(self) -> torch.nn.Module:
        """The network that makes samples, with the average of its weights if there is one."""
        check_is_fitted(self)
        return self.module_.sampler

    @property
    def discriminator_(self) -> torch.nn.Module:
        """The network that tells real samples from made ones."""
        check_is_fitted(self)
        return self.module_.discriminator

    @property
    def n_parameters_(self) -> int:
        """Number of parameters of both networks."""
        return count_parameters(self.generator_) + count_parameters(self.discriminator_)

    def sample_latents(self, n_samples: int = 1, random_state=None) -> np.ndarray:
        """Draw latent variables from their distribution.

        Parameters
        ----------
        n_samples : int, default=1
            How many.
        random_state : int, RandomState instance or None, default=None
            Source of the draws.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Latent variables, in the network's data type.
        """
        check_is_fitted(self)
        check_scalar(n_samples, "n_samples", (int, np.integer), min_val=1)
        rng = check_random_state(random_state)
        Z = latents_as_array(self.latent, n_samples, self._structure_["n_components"], rng)
        return Z.astype(self._dtype_, copy=False)

    def inverse_transform(self, Z, y=None) -> np.ndarray:
        """Make samples of given latent variables.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_components)
            Latent variables.
        y : class or array-like of shape (n_samples,), default=None
            Class of all samples, or of each, if the GAN was fitted to classes.

        Returns
        -------
        X : ndarray of shape (n_samples, ...)
            Samples, of the shape of the X that was fitted to.

        Raises
        ------
        ValueError
            If Z has another number of columns, or the classes are missing.
        """
        check_is_fitted(self)
        Z = as_array(Z)
        if not hasattr(self, "classes_"):
            self._check_no_classes(y)
            return self._make_decoder(None).inverse_transform(Z)
        numbers = self._classes_of_samples(y, len(Z))
        made = np.empty((len(Z), *self._sample_shape_), self._dtype_)
        for number in np.unique(numbers):
            rows = numbers == number
            made[rows] = self._make_decoder(number).inverse_transform(np.asarray(Z)[rows])
        return made

    def sample(self, n_samples: int = 1, random_state=None, *, y=None, dtype=None) -> np.ndarray:
        """Make new samples.

        Parameters
        ----------
        n_samples : int, default=1
            How many.
        random_state : int, RandomState instance or None, default=None
            Source of the draws.
        y : class or array-like of shape (n_samples,), default=None
            Class of all samples, or of each, if the GAN was fitted to classes; None draws classes,
            all equally likely.
        dtype : {'uint8'} or None, default=None
            'uint8' gives images as bytes: the range of values that was learned becomes 0 to 255.
            None gives the values on the scale of the X that was fitted to.

        Returns
        -------
        X : ndarray of shape (n_samples, ...)
            Samples of the shape of those that were fitted to.

        Raises
        ------
        ValueError
            If there are no such classes, or `dtype` is another.
        """
        if dtype not in (None, "uint8"):
            raise ValueError(f"dtype must be None or 'uint8', got {dtype!r}.")
        rng = check_random_state(random_state)
        Z = self.sample_latents(n_samples, rng)
        if y is None and hasattr(self, "classes_"):
            y = self.classes_[rng.randint(len(self.classes_), size=n_samples)]
        X = self.inverse_transform(Z, y)
        if dtype is None:
            return X
        low, high = self._input_range_
        return np.rint((X.clip(low, high) - low) * (255 / (high - low))).astype(np.uint8)

    def extract_generator(self, y=None) -> Decoder:
        """Copy the generator into an object of its own, to save and use without the rest.

        Parameters
        ----------
        y : class, default=None
            Class of the samples that it shall make, if the GAN was fitted to classes.

        Returns
        -------
        generator : Decoder
            It has `inverse_transform` and `sample`.
        """
        check_is_fitted(self)
        if not hasattr(self, "classes_"):
            self._check_no_classes(y)
            return self._make_decoder(None)
        return self._make_decoder(self._classes_of_samples(y, 1)[0])

    def _make_decoder(self, number: int | None) -> Decoder:
        """Copy the generator, of one class if there are any."""
        condition = None
        if number is not None:
            condition = np.eye(len(self.classes_))[number]
        return Decoder(
            self._generator_kind,
            self._structure_,
            own_weights_as_arrays(self.module_.sampler),
            n_components=self._structure_["n_components"],
            sample_shape=tuple(self._sample_shape_),
            out_activation="identity",  # the generator applies its own
            dtype=self._dtype_,
            device=self.device,
            latent=self.latent,
            condition=condition,
        )

    def _check_no_classes(self, y) -> None:
        if y is not None:
            raise ValueError(f"y={y!r} needs a GAN that was fitted to classes, by fit(X, y).")

    def _classes_of_samples(self, y, n_samples: int) -> np.ndarray:
        """Number the class of each sample."""
        if y is None:
            raise ValueError(
                f"y is missing: this GAN was fitted to classes, {self.classes_}; give one of them, "
                "or one per sample."
            )
        y = np.asarray(as_array(y))
        y = np.full(n_samples, y) if y.ndim == 0 else column_or_1d(y)
        if len(y) != n_samples:
            raise ValueError(f"y must have {n_samples} classes, one per sample, got {len(y)}.")
        return self._number_classes(y)

    # What the discriminator says, and the score.

    def score_samples(self, X, y=None) -> np.ndarray:
        """Compute the discriminator's logit of each sample.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Samples.
        y : class or array-like of shape (n_samples,), default=None
            Their classes, if the GAN was fitted to classes; None says it for a mixture of all.

        Returns
        -------
        score : ndarray of shape (n_samples,)
            Logits, higher for samples that rather seem real. They compare samples, but not models.
        """
        X = self._check_new(X)
        if not hasattr(self, "classes_"):
            self._check_no_classes(y)
        elif y is not None:
            numbers = self._classes_of_samples(y, X.shape[0])
            return self._logits(X, numbers)
        return self._logits(X, None)

    def _logits(self, X, numbers: np.ndarray | None) -> np.ndarray:
        dataset = self._make_dataset(X, numbers)
        n_classes = self.module_.n_classes

        def judge(batch) -> np.ndarray:
            samples, y, _ = batch
            condition = None if numbers is None else one_hot(y, n_classes, samples.dtype)
            return self.module_(samples, condition)[:, 0].numpy(force=True)

        return self.net_.map_batches(judge, dataset)

    def discriminate(self, X, y=None) -> np.ndarray:
        """Compute the discriminator's confidence that each sample is real.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Samples.
        y : class or array-like of shape (n_samples,), default=None
            Their classes, as in `score_samples`.

        Returns
        -------
        confidence : ndarray of shape (n_samples,)
            The logistic function of `score_samples`: a probability if the loss is 'log_loss'.
        """
        logits = self.score_samples(X, y)
        return 0.5 * (1 + np.tanh(0.5 * logits))

    def score(self, X, y=None) -> float:
        """Compare samples with X, by minus the squared maximum mean discrepancy.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, ...)
            Real samples, of which up to 1,000 are used.
        y : array-like of shape (n_samples,), default=None
            Their classes, of which the made samples are then, if the GAN was fitted to classes.

        Returns
        -------
        score : float
            Minus the squared maximum mean discrepancy between X and as many samples of fixed latent
            variables, of a Gaussian kernel as wide as the median distance of X; 0 is the best.
            Unlike losses, it compares models.

        References
        ----------
        Gretton, Borgwardt, Rasch, Schölkopf and Smola. "A kernel two-sample test." Journal of
        Machine Learning Research 13 (2012): 723-773.
        """
        X = self._check_new(X)
        rng = np.random.RandomState(0)
        rows = np.arange(X.shape[0])
        if len(rows) > N_SCORED:
            rows = np.sort(rng.choice(len(rows), N_SCORED, replace=False))
        classes = None
        if hasattr(self, "classes_") and y is not None:
            classes = column_or_1d(as_array(y))[rows]
        made = self.sample(len(rows), rng, y=classes)
        X = X[rows]
        real = X.toarray() if issparse(X) else X
        pair = (values.reshape(len(rows), -1).astype(np.float64) for values in (real, made))
        return -squared_discrepancy(*pair)

    def _describe_layers(self) -> list[Layer]:
        n_inputs = self._structure_["n_components"] + self._structure_["n_classes"]
        shapes = {"generator": (n_inputs,), "discriminator": tuple(self._sample_shape_)}
        network = AdversarialNetwork(
            self.generator_, self.discriminator_, self._structure_["n_classes"]
        ).eval()
        layers = describe_layers(network.generator, shapes["generator"])
        layers = [layer._replace(name=f"generator.{layer.name}") for layer in layers]
        judged = describe_layers(network, shapes["discriminator"])
        return [*layers, *judged]


class GameDataset(ReconstructionDataset):
    """Real samples, and numbers of their classes where these are not the samples themselves."""

    def __init__(self, X, y, *, preprocess=None, **place):
        super().__init__(X, X, preprocess=preprocess, **place)
        if y is not X:
            self.targets = torch.tensor(y, device=place["device"])

    def __getitem__(self, rows) -> tuple:
        if self.targets is None:
            return super().__getitem__(rows)
        return ArrayDataset.__getitem__(self, rows)


def choose_range(dtype: np.dtype, low: float, high: float) -> tuple[float, float]:
    """Choose the range that a bounded output stands for, given that of the first data."""
    if dtype == np.uint8:
        return 0.0, 255.0
    for first, last in USUAL_RANGES:
        if first <= low and high <= last:
            return first, last
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def check_classes(y) -> np.ndarray:
    """Check that y holds classes, one per sample.

    Raises
    ------
    ValueError
        If it holds several, or numbers that are no classes.
    """
    y = column_or_1d(as_array(y))
    try:
        check_classification_targets(y)
    except ValueError as error:
        raise ValueError(
            f"y holds the classes of samples, or is None for samples without any. {error}"
        ) from error
    return y


def squared_discrepancy(X: np.ndarray, Y: np.ndarray) -> float:
    """Compute the squared maximum mean discrepancy between two sets of samples.

    Parameters
    ----------
    X, Y : ndarray of shape (n_samples, n_features)
        The samples. The kernel is as wide as the median distance between those of X, so that
        results for the same X compare.
    """
    # Nothing changes with the scale, but squares of large numbers may overflow.
    scale = max(np.abs(X).max(), np.abs(Y).max()) or 1.0
    X, Y = X / scale, Y / scale
    among_X = euclidean_distances(X, squared=True)
    positive = among_X[among_X > 0]
    width = 2 * (np.median(positive) if positive.size else 1.0)
    kernels = [
        among_X,
        euclidean_distances(X, Y, squared=True),
        euclidean_distances(Y, squared=True),
    ]
    real, between, made = (float(np.exp(-distances / width).mean()) for distances in kernels)
    return max(0.0, real + made - 2 * between)


class GAN(AdversarialEstimator):
    """Generative adversarial network of dense networks.

    A generator makes samples of random latent variables, and a discriminator learns to tell them
    from real ones; each is trained against the other, until the samples resemble the data.

    Parameters
    ----------
    generator_layer_sizes : array-like of int, default=(16,)
        Number of units of each hidden layer of the generator.

    discriminator_layer_sizes : array-like of int, default=(16, 16)
        Number of units of each hidden layer of the discriminator.

    n_components : int, default=4
        Number of latent variables of a sample.

    latent : {'uniform', 'symmetric', 'normal'} or callable, default='uniform'
        Distribution of the latent variables: uniform on [0, 1), uniform on [-1, 1), standard
        normal, or the result of a function ``(n_samples, n_components, generator)`` with a
        `torch.Generator`.

    activation : str or nn.Module class, default='leaky_relu'
        Activation of the discriminator's hidden layers, as in `MLPClassifier`.

    negative_slope : float in [0, 1], default=0.1
        Slope of 'leaky_relu' below zero.

    generator_activation : str, nn.Module class or None, default=None
        Activation of the generator's hidden layers; None is `activation`.

    out_activation : {'auto', 'identity', 'tanh', 'logistic'}, default='auto'
        Activation of the generator's output, 'auto' is 'identity' for rows and 'tanh' for
        images. For a bounded one, X is scaled inside, and samples are scaled back: from [0,
        255] if X has bytes, from [0, 1] or [-1, 1] if X lies there, and otherwise from the
        range of X.

    generator : nn.Module or None, default=None
        Replaces the layers of the generator: maps latent variables (and a one-hot encoded
        class) to samples. It is copied, keeps its weights, and is followed by `out_activation`.

    discriminator : nn.Module or None, default=None
        Replaces the layers of the discriminator: maps samples to logits; classes are passed as
        further features or channels. It is copied, and keeps its weights.

    loss : {'log_loss', 'hinge', 'wasserstein'} or pair of functions, default='log_loss'
        Cross-entropy, with which the generator maximises the confidence in its samples; hinge
        loss; or the difference of mean logits, which needs `gradient_penalty` or
        `spectral_normalization`. Two functions ``(logits, is_real)`` and ``(logits)`` give the
        losses of the discriminator, for samples that are all real or all generated, and of the
        generator, one per sample.

    round : {'joint', 'alternate'}, default='joint'
        The steps with each batch: the discriminator takes a step on real and generated samples
        together, and then the generator; or the discriminator on real ones, the generator, the
        discriminator on generated ones, and the generator again.

    generator_steps : int, default=1
        Number of steps of the generator in its turn.

    discriminator_steps : int, default=1
        Number of batches that the discriminator is trained on before the generator's turn.

    solver : str or torch.optim class, default='adam'
        'sgd', 'adam', 'adamw', 'adamax', 'nadam', 'radam', 'rmsprop', 'adagrad', 'adadelta', or
        a class or function that is called with the parameters and the learning rate as ``lr``,
        and keeps its own defaults.

    alpha : float, default=0.0
        Strength of the L2 penalty on weights, as in `MLPClassifier`.

    batch_size : int, default=32
        Number of real samples per batch.

    learning_rate_init : float or 'auto', default=0.001
        Learning rate of the generator, and of the discriminator unless it has its own; 'auto'
        is the usual one of the solver.

    discriminator_learning_rate_init : float, 'auto' or None, default=None
        Learning rate of the discriminator; None is `learning_rate_init`.

    max_iter : int, default=15
        Number of epochs.

    shuffle : bool, default=True
        Whether to shuffle the samples in every epoch.

    random_state : int, RandomState instance or None, default=None
        Source of initial weights, order of samples, latent variables and dropout. With an int,
        the same data give bitwise identical results on the same device. If steps are large
        (batch size times parameters above 2**22), results on other numbers of threads differ by
        rounding.

    verbose : bool or int, default=False
        Whether to print one line per epoch.

    warm_start : bool, default=False
        Whether `fit` continues with the networks of the last fit.

    momentum : float in [0, 1], default=0.9
        Momentum of 'sgd'.

    nesterovs_momentum : bool, default=True
        Whether 'sgd' uses Nesterov's momentum.

    beta_1 : float in [0, 1), default=0.5
        Decay rate of the first moment, of Adam and its variants.

    beta_2 : float in [0, 1), default=0.999
        Decay rate of the second moment, of Adam and its variants.

    epsilon : float, default=1e-8
        Stabilises the division, of Adam, its variants and 'rmsprop'.

    gradient_penalty : float or 'auto', default='auto'
        Strength of a penalty on the discriminator's gradient with respect to samples: with the
        loss 'wasserstein', on its distance from norm 1 between real and generated samples,
        otherwise on half of its square at real ones (R1). 'auto' is 10 for 'wasserstein'
        without `spectral_normalization`, and otherwise 0.

    label_smoothing : float in [0, 1), default=0.0
        By how much less than 1 the discriminator should be confident in real samples.

    batch_variety : bool, default=False
        Whether the discriminator's last layer gets the variety of its features within the batch
        as an input, which works against samples that are all alike.

    spectral_normalization : bool, default=False
        Whether each of the discriminator's weight matrices is divided by its largest singular
        value.

    average_decay : float in [0, 1) or None, default=None
        Decay of a running average of the generator's weights, with which samples are generated;
        None generates them with the weights themselves.

    dropout : float in [0, 1) or array-like of float, default=0.0
        Probability of dropping the output of a discriminator's unit in training; one value, or
        one per hidden layer.

    normalization : {'batch', 'layer'} or None, default=None
        Normalization between the linear part and the activation of each hidden layer.

    weight_init : str or callable, default='auto'
        'auto' draws weights and biases as scikit-learn does; 'uniform' (±0.01), 'normal'
        (0.05), 'glorot_uniform', 'glorot_normal', 'he_uniform', 'he_normal', 'lecun_uniform',
        'lecun_normal', 'orthogonal' set biases to zero, and so does a function ``(weight, *,
        generator)`` as in `torch.nn.init`.

    clip_grad_norm : float or None, default=None
        Largest norm of the gradient of all parameters together.

    callbacks : list of skorch callbacks or None, default=None
        Called during the training, after the estimator's own.

    device : str or torch.device, default='auto'
        Where to compute: 'auto' is a CUDA GPU if there is one, and the CPU otherwise. After a
        fit, ``net_.device`` is the device that was used.

    dtype : {'auto', 'float32', 'float64'}, default='auto'
        Data type of the networks. 'auto' is float32, but float64 on a CPU for small samples: up
        to 32 values, and up to 2**19 multiplications by both networks for each.

    Attributes
    ----------
    generator_ : nn.Module
        The network that makes samples.

    discriminator_ : nn.Module
        The network that tells them from real ones.

    classes_ : ndarray of shape (n_classes,)
        The classes, where there are any.

    module_ : nn.Module
        The network.

    net_ : skorch.NeuralNet
        The skorch net that trained it.

    history_ : dict of str to ndarray of shape (n_epochs,)
        What was recorded for every epoch: 'train_loss', 'learning_rate', 'dur' (seconds) and,
        with validation data, 'valid_loss' and 'valid_score'. Variational autoencoders add the
        parts of the loss, 'train_reconstruction' and 'train_kl' (and 'valid_...'), and a
        learned 'train_noise_variance'.

    n_iter_ : int
        Number of epochs of the last fit.

    n_parameters_ : int
        Number of parameters of the network.

    n_features_in_ : int
        Number of features.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X has names that are all strings.

    out_activation_ : str
        Activation of the outputs.

    See Also
    --------
    ConvGAN : The same of convolutional networks, for images.
    VariationalAutoencoder : Another way to new samples, which has an encoder too.

    References
    ----------
    Goodfellow et al. "Generative adversarial nets." NeurIPS 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from sknn_basics import GAN
    >>> X = np.random.RandomState(0).normal(5, 1, size=(2000, 2))
    >>> model = GAN(max_iter=40, random_state=0).fit(X)
    >>> samples = model.sample(1000, random_state=0)
    >>> samples.shape
    (1000, 2)
    >>> bool(np.abs(samples.mean(axis=0) - 5).max() < 1)
    True
    """

    _parameter_constraints: dict = {
        **AdversarialEstimator._parameter_constraints,
        "generator_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "discriminator_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    }

    _generator_kind = "dense generator"

    def __init__(
        self,
        generator_layer_sizes: Ints = (16,),
        discriminator_layer_sizes: Ints = (16, 16),
        n_components: Int = 4,
        *,
        latent: str | Callable = "uniform",
        activation: Activation = "leaky_relu",
        negative_slope: Float = 0.1,
        generator_activation: Activation | None = None,
        out_activation: str = "auto",
        generator: torch.nn.Module | None = None,
        discriminator: torch.nn.Module | None = None,
        loss: str | Sequence[Callable] = "log_loss",
        round: str = "joint",
        generator_steps: Int = 1,
        discriminator_steps: Int = 1,
        solver: Solver = "adam",
        alpha: Float = 0.0,
        batch_size: Int = 32,
        learning_rate_init: Float | str = 0.001,
        discriminator_learning_rate_init: Float | str | None = None,
        max_iter: Int = 15,
        shuffle: bool = True,
        random_state: RandomState = None,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: Float = 0.9,
        nesterovs_momentum: bool = True,
        beta_1: Float = 0.5,
        beta_2: Float = 0.999,
        epsilon: Float = 1e-8,
        gradient_penalty: Float | str = "auto",
        label_smoothing: Float = 0.0,
        batch_variety: bool = False,
        spectral_normalization: bool = False,
        average_decay: Float | None = None,
        dropout: Floats = 0.0,
        normalization: str | None = None,
        weight_init: WeightInit = "auto",
        clip_grad_norm: Float | None = None,
        callbacks: Callbacks = None,
        device: Device = "auto",
        dtype: str = "auto",
    ):
        self._store(locals())

    def _check_X(self, X, reset: bool):
        X = check_samples(self, X, reset)
        if X.ndim != 2:
            raise ValueError(
                f"X must have shape (n_samples, n_features), got {X.shape}: flatten the samples, "
                "or take a ConvGAN."
            )
        return X

    def _describe_module(self, n_outputs: int) -> dict:
        judging = hidden_sizes(self.discriminator_layer_sizes, "discriminator_layer_sizes")
        return {
            **super()._describe_module(n_outputs),
            "image_shape": [n_outputs],
            "channel_axis": None,
            "generator_layer_sizes": hidden_sizes(
                self.generator_layer_sizes, "generator_layer_sizes"
            ),
            "discriminator_layer_sizes": judging,
            "normalization": self.normalization,
            "discriminator_normalization": self.normalization,
            "dropout": one_a_layer(self.dropout, len(judging), "dropout"),
        }

    def _make_module(self, structure: dict) -> AdversarialNetwork:
        return self._check_given(dense_gan(**structure), structure)


class ConvGAN(AdversarialEstimator):
    """Generative adversarial network of convolutional networks, for images.

    The generator makes small images of random latent variables by dense layers, and each of its
    blocks makes them larger; the discriminator has the same blocks the other way round.

    Parameters
    ----------
    filters : int or sequence of int, default=(32, 64)
        Number of filters of the convolution of each block of the discriminator, which the
        generator mirrors.

    hidden_layer_sizes : array-like of int, default=()
        Number of units of each dense layer between latent variables and the first images of the
        generator, and, in the opposite order, after the blocks of the discriminator.

    n_components : int, default=100
        Number of latent variables of a sample.

    kernel_size : int or sequence, default=3
        Size of the kernels: one value for all blocks, or one per block, which the generator
        mirrors. A block's value is an int, or ``[(3, 5)]`` for 3 x 5. Zeros around the images
        keep their size.

    upsample : {'repeat', 'stride'}, default='repeat'
        How a block of the generator doubles the size of its images: by repeated pixels before
        its convolution, or by a transposed convolution.

    downsample : {'max', 'average', 'stride'}, None or sequence of them, default='stride'
        How a block of the discriminator halves its images: by pooling, or by the stride of its
        convolution. None keeps their size, in the generator, too. One value for all blocks, or
        one per block.

    grow : array-like of int or None, default=None
        Sides of square images, from the smallest to that of X, each twice as long as the one
        before: networks of one number of `filters` for each, that of the largest first, are
        trained for `max_iter` epochs on each size, and the layers of a new size are faded in
        over the first half of its epochs. Images then grow by repeated pixels and shrink by
        averages. None trains on the full size alone.

    image_shape : tuple of int or 'auto', default='auto'
        Shape of an image in rows of flattened images, in the layout of `data_format`. 'auto'
        reads rows of a square number of features as square grey images, others as
        one-dimensional signals.

    data_format : {'auto', 'channels_last', 'channels_first', 'no_channels'}, default='auto'
        Which axis of images is that of the channels. 'auto' reads two-dimensional samples as
        grey images, and others as channels last. With 'channels_last', samples of shape
        (length, n_channels) are signals of several channels.

    latent : {'uniform', 'symmetric', 'normal'} or callable, default='normal'
        Distribution of the latent variables: uniform on [0, 1), uniform on [-1, 1), standard
        normal, or the result of a function ``(n_samples, n_components, generator)`` with a
        `torch.Generator`.

    activation : str, nn.Module class or sequence of them, default='leaky_relu'
        Activation of the discriminator, one for all blocks or one per block; as in
        `MLPClassifier`.

    negative_slope : float in [0, 1], default=0.2
        Slope of 'leaky_relu' below zero.

    generator_activation : str, nn.Module class or None, default='relu'
        Activation of the generator; None is that of the discriminator.

    out_activation : {'auto', 'identity', 'tanh', 'logistic'}, default='auto'
        Activation of the generator's output, 'auto' is 'identity' for rows and 'tanh' for
        images. For a bounded one, X is scaled inside, and samples are scaled back: from [0,
        255] if X has bytes, from [0, 1] or [-1, 1] if X lies there, and otherwise from the
        range of X.

    generator : nn.Module or None, default=None
        Replaces the layers of the generator: maps latent variables (and a one-hot encoded
        class) to samples. It is copied, keeps its weights, and is followed by `out_activation`.

    discriminator : nn.Module or None, default=None
        Replaces the layers of the discriminator: maps samples to logits; classes are passed as
        further features or channels. It is copied, and keeps its weights.

    loss : {'log_loss', 'hinge', 'wasserstein'} or pair of functions, default='log_loss'
        Cross-entropy, with which the generator maximises the confidence in its samples; hinge
        loss; or the difference of mean logits, which needs `gradient_penalty` or
        `spectral_normalization`. Two functions ``(logits, is_real)`` and ``(logits)`` give the
        losses of the discriminator, for samples that are all real or all generated, and of the
        generator, one per sample.

    round : {'joint', 'alternate'}, default='joint'
        The steps with each batch: the discriminator takes a step on real and generated samples
        together, and then the generator; or the discriminator on real ones, the generator, the
        discriminator on generated ones, and the generator again.

    generator_steps : int, default=1
        Number of steps of the generator in its turn.

    discriminator_steps : int, default=1
        Number of batches that the discriminator is trained on before the generator's turn.

    solver : str or torch.optim class, default='adam'
        'sgd', 'adam', 'adamw', 'adamax', 'nadam', 'radam', 'rmsprop', 'adagrad', 'adadelta', or
        a class or function that is called with the parameters and the learning rate as ``lr``,
        and keeps its own defaults.

    alpha : float, default=0.0
        Strength of the L2 penalty on weights, as in `MLPClassifier`.

    batch_size : int, default=64
        Number of real samples per batch.

    learning_rate_init : float or 'auto', default=0.001
        Learning rate of the generator, and of the discriminator unless it has its own; 'auto'
        is the usual one of the solver.

    discriminator_learning_rate_init : float, 'auto' or None, default=None
        Learning rate of the discriminator; None is `learning_rate_init`.

    max_iter : int, default=30
        Number of epochs.

    shuffle : bool, default=True
        Whether to shuffle the samples in every epoch.

    random_state : int, RandomState instance or None, default=None
        Source of initial weights, order of samples, latent variables and dropout. With an int,
        the same data give bitwise identical results on the same device. If steps are large
        (batch size times parameters above 2**22), results on other numbers of threads differ by
        rounding.

    verbose : bool or int, default=False
        Whether to print one line per epoch.

    warm_start : bool, default=False
        Whether `fit` continues with the networks of the last fit.

    momentum : float in [0, 1], default=0.9
        Momentum of 'sgd'.

    nesterovs_momentum : bool, default=True
        Whether 'sgd' uses Nesterov's momentum.

    beta_1 : float in [0, 1), default=0.5
        Decay rate of the first moment, of Adam and its variants.

    beta_2 : float in [0, 1), default=0.999
        Decay rate of the second moment, of Adam and its variants.

    epsilon : float, default=1e-8
        Stabilises the division, of Adam, its variants and 'rmsprop'.

    gradient_penalty : float or 'auto', default='auto'
        Strength of a penalty on the discriminator's gradient with respect to samples: with the
        loss 'wasserstein', on its distance from norm 1 between real and generated samples,
        otherwise on half of its square at real ones (R1). 'auto' is 10 for 'wasserstein'
        without `spectral_normalization`, and otherwise 0.

    label_smoothing : float in [0, 1), default=0.0
        By how much less than 1 the discriminator should be confident in real samples.

    batch_variety : bool, default=False
        Whether the discriminator's last layer gets the variety of its features within the batch
        as an input, which works against samples that are all alike.

    spectral_normalization : bool, default=False
        Whether each of the discriminator's weight matrices is divided by its largest singular
        value.

    average_decay : float in [0, 1) or None, default=None
        Decay of a running average of the generator's weights, with which samples are generated;
        None generates them with the weights themselves.

    dropout : float in [0, 1) or sequence of float, default=0.0
        Probability of dropping a value at the end of a block of the discriminator; one for all
        blocks, or one per block.

    normalization : {'batch', 'layer'}, None or sequence of them, default='batch'
        Normalization between each convolution of the discriminator and its activation: one
        value for all blocks but the first, or one per block.

    generator_normalization : str, None or sequence of them, default='auto'
        Normalization in the generator, 'batch', 'layer' or None: one value for its first images
        and all blocks but the last, or one each. 'auto' mirrors `normalization`.

    weight_init : str or callable, default='auto'
        'auto' draws weights and biases as scikit-learn does; 'uniform' (±0.01), 'normal'
        (0.05), 'glorot_uniform', 'glorot_normal', 'he_uniform', 'he_normal', 'lecun_uniform',
        'lecun_normal', 'orthogonal' set biases to zero, and so does a function ``(weight, *,
        generator)`` as in `torch.nn.init`.

    clip_grad_norm : float or None, default=None
        Largest norm of the gradient of all parameters together.

    callbacks : list of skorch callbacks or None, default=None
        Called during the training, after the estimator's own.

    device : str or torch.device, default='auto'
        Where to compute: 'auto' is a CUDA GPU if there is one, and the CPU otherwise. After a
        fit, ``net_.device`` is the device that was used.

    dtype : {'auto', 'float32', 'float64'}, default='auto'
        Data type of the networks. 'auto' is float32, but float64 on a CPU for small samples: up
        to 32 values, and up to 2**19 multiplications by both networks for each.

    Attributes
    ----------
    generator_ : nn.Module
        The network that makes samples.

    discriminator_ : nn.Module
        The network that tells them from real ones.

    classes_ : ndarray of shape (n_classes,)
        The classes, where there are any.

    module_ : nn.Module
        The network.

    net_ : skorch.NeuralNet
        The skorch net that trained it.

    history_ : dict of str to ndarray of shape (n_epochs,)
        What was recorded for every epoch: 'train_loss', 'learning_rate', 'dur' (seconds) and,
        with validation data, 'valid_loss' and 'valid_score'. Variational autoencoders add the
        parts of the loss, 'train_reconstruction' and 'train_kl' (and 'valid_...'), and a
        learned 'train_noise_variance'.

    n_iter_ : int
        Number of epochs of the last fit.

    n_parameters_ : int
        Number of parameters of the network.

    n_features_in_ : int
        Number of features.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X has names that are all strings.

    out_activation_ : str
        Activation of the outputs.

    See Also
    --------
    GAN : The same of dense networks.
    sknn_basics.architectures : Parameters of well-known networks.

    References
    ----------
    Radford, Metz and Chintala. "Unsupervised representation learning with deep convolutional
    generative adversarial networks." ICLR 2016.

    Karras, Aila, Laine and Lehtinen. "Progressive growing of GANs for improved quality, stability,
    and variation." ICLR 2018.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import ConvGAN
    >>> X, y = load_digits(return_X_y=True)
    >>> model = ConvGAN((8, 16), n_components=8, max_iter=2, random_state=0).fit(X[:300])
    >>> model.sample(5, random_state=0).shape
    (5, 64)
    """

    _parameter_constraints: dict = {
        **AdversarialEstimator._parameter_constraints,
        **{
            name: ConvNetEstimator._parameter_constraints[name]
            for name in (
                *("filters", "hidden_layer_sizes", "kernel_size", "downsample", "normalization"),
                *("activation", "image_shape", "data_format"),
            )
        },
        "upsample": [StrOptions({"repeat", "stride"})],
        "generator_normalization": ["array-like", StrOptions({"auto", "batch", "layer"}), None],
        "grow": ["array-like", None],
    }

    # What its blocks do not have.
    depthwise, pool_padding = False, "valid"

    _generator_kind = "convolutional generator"

    def __init__(
        self,
        filters: Ints = (32, 64),
        hidden_layer_sizes: Ints = (),
        n_components: Int = 100,
        *,
        kernel_size: Sizes = 3,
        upsample: str = "repeat",
        downsample: Choices = "stride",
        grow: Ints | None = None,
        image_shape: str | Sequence[Int] = "auto",
        data_format: str = "auto",
        latent: str | Callable = "normal",
        activation: Activations = "leaky_relu",
        negative_slope: Float = 0.2,
        generator_activation: Activation | None = "relu",
        out_activation: str = "auto",
        generator: torch.nn.Module | None = None,
        discriminator: torch.nn.Module | None = None,
        loss: str | Sequence[Callable] = "log_loss",
        round: str = "joint",
        generator_steps: Int = 1,
        discriminator_steps: Int = 1,
        solver: Solver = "adam",
        alpha: Float = 0.0,
        batch_size: Int = 64,
        learning_rate_init: Float | str = 0.001,
        discriminator_learning_rate_init: Float | str | None = None,
        max_iter: Int = 30,
        shuffle: bool = True,
        random_state: RandomState = None,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: Float = 0.9,
        nesterovs_momentum: bool = True,
        beta_1: Float = 0.5,
        beta_2: Float = 0.999,
        epsilon: Float = 1e-8,
        gradient_penalty: Float | str = "auto",
        label_smoothing: Float = 0.0,
        batch_variety: bool = False,
        spectral_normalization: bool = False,
        average_decay: Float | None = None,
        dropout: Floats = 0.0,
        normalization: Choices = "batch",
        generator_normalization: Choices = "auto",
        weight_init: WeightInit = "auto",
        clip_grad_norm: Float | None = None,
        callbacks: Callbacks = None,
        device: Device = "auto",
        dtype: str = "auto",
    ):
        self._store(locals())

    def _check_X(self, X, reset: bool):
        return check_images(self, X, reset)

    def _choose_out_activation(self) -> str:
        return "tanh" if self.out_activation == "auto" else self.out_activation

    def _check_options(self) -> None:
        super()._check_options()
        if self.grow is not None and not self.generator is self.discriminator is None:
            raise ValueError(
                f"grow={self.grow!r} is of layers that are made here: it must be None with a "
                "generator or discriminator of your own."
            )

    def _count_epochs(self) -> int:
        return self.max_iter * (1 if self.grow is None else len(self.grow))

    def _choose_callbacks(self, score, incremental: bool) -> list:
        callbacks = super()._choose_callbacks(score, incremental)
        if self.grow is None:
            return callbacks
        return [GrowNetworks(len(self.grow), self.max_iter), *callbacks]

    def _describe_module(self, n_outputs: int) -> dict:
        shape, channel_axis = describe_images(
            self._sample_shape_, self.image_shape, self.data_format
        )
        hidden_sizes(self.filters, "filters")  # one convolution a block
        size = shape if channel_axis is None else shape[1:] if channel_axis == 0 else shape[:-1]
        # Both networks halve or double images, or leave their size.
        fixed = {"strides": 1, "padding": "same", "max_norm": None, "pool_size": 2}
        fixed |= {"depthwise": False, "pool_padding": "valid"}
        own = {name: getattr(self, name) for name in BLOCK_PARAMETERS if name not in fixed}
        blocks = describe_blocks(len(size), **own, **fixed)
        if self.normalization is None or isinstance(self.normalization, str):
            # What the first convolution sees are the samples themselves.
            blocks[0]["normalization"] = None
        sizes = halved_sizes(size, blocks) if self.grow is None else self._growing_sizes(size)
        hidden = hidden_sizes(self.hidden_layer_sizes)
        common = super()._describe_module(n_outputs)
        activations = one_a_block(self.activation, count_blocks(self.filters), "activation")
        if self.grow is not None and len(set(map(str, activations))) > 1:
            raise ValueError(
                f"activation must be one for all blocks of networks that grow, got {activations}."
            )
        if self.generator_activation is None:
            common["generator_activation"] = activations[-1]
        return {
            **common,
            "image_shape": shape,
            "channel_axis": channel_axis,
            "first_shape": [blocks[-1]["filters"][0], *sizes[-1]],
            "generator_hidden": hidden,
            "generator_blocks": self._describe_generator(blocks, sizes, shape, channel_axis),
            "generator_normalization": self._describe_normalization(),
            "blocks": blocks,
            "discriminator_hidden": hidden[::-1],
            "hidden_activation": activations[-1],
            "grow": None if self.grow is None else sizes[::-1],
        }

    def _describe_generator(
        self, blocks: list[dict], sizes: list[tuple], shape: list[int], channel_axis: int | None
    ) -> list[dict]:
        """Collect the arguments of the generator's blocks, each of which undoes one."""
        n_channels = 1 if channel_axis is None else shape[channel_axis]
        widths = [n_channels, *(block["filters"][0] for block in blocks)]
        grown = []
        for number in reversed(range(len(blocks))):
            block = blocks[number]
            is_kept = block["downsample"] is None
            grown.append(
                {
                    "filters": widths[number],
                    "kernel_size": block["kernel_size"][0],
                    "upsample": "repeat" if is_kept else self.upsample,
                    "pool_size": (1,) * len(sizes[0]) if is_kept else block["pool_size"],
                    "size": sizes[min(number, len(sizes) - 1)],
                }
            )
        return grown

    def _describe_normalization(self) -> list[str | None]:
        """List the normalizations of the generator: of its first images, then of its blocks."""
        n_blocks, own = count_blocks(self.filters), self.generator_normalization
        if isinstance(own, str) and own == "auto":
            own = self.normalization
            own = own[::-1] if isinstance(own, list | tuple) else own
        values = one_a_block(own, n_blocks, "generator_normalization")
        for value in values:
            check_choice(value, NORMALIZATIONS, "generator_normalization")
        return values

    def _growing_sizes(self, size) -> list[tuple]:
        """List the sizes of images, from the largest, that the networks grow to."""
        wanted = hidden_sizes(self.grow, "grow")
        sides = wanted[::-1]
        is_doubled = all(2 * small == large for large, small in pairwise(sides))
        if not is_doubled or any(n != sides[0] for n in size):
            raise ValueError(
                "grow must list the sides of square images, each twice as long as the one before, "
                f"up to that of the images, {tuple(size)}, got {tuple(wanted)}."
            )
        if count_blocks(self.filters) != len(sides):
            raise ValueError(
                f"filters must have one number for each of the {len(sides)} sizes of grow, "
                f"got {self.filters}."
            )
        return [(side,) * len(size) for side in sides]

    def _make_module(self, structure: dict) -> AdversarialNetwork:
        return self._check_given(conv_gan(**structure), structure)
