"""What all neural estimators share: parameters, fitting and its results."""

import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import cache, partial
from math import prod
from numbers import Integral, Real
from os import PathLike

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer_names
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_consistent_length, check_is_fitted
from skorch import NeuralNet
from skorch.callbacks import Callback

from sknn_basics._compat import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    begin_callbacks,
    check_sample_weight,
    fit_context,
    has_callbacks,
    safe_indexing,
)
from sknn_basics.estimators._base.callbacks import (
    PREFIX,
    callback_parameters,
    set_callback_parameters,
)
from sknn_basics.estimators._base.checks import (
    UnknownClasses,
    check_magnitudes,
    check_range,
    explain_other_classes,
    is_unit_floats,
    unchanged_by_failure,
    warn_of_integers,
)
from sknn_basics.estimators._base.continuing import (
    check_same_structure,
    describe_measures,
)
from sknn_basics.estimators._base.notebook import with_layers
from sknn_basics.estimators._base.recording import begin_recording, checkpoints_of, restore
from sknn_basics.estimators._base.saving import (
    check_version,
    default_parameters,
    load_fit,
    pack_state,
    plain_parameters,
    read_weights,
    unpack_state,
    write_json,
)
from sknn_basics.estimators._base.validation import score_by, split_rows
from sknn_basics.modules.augmentation import seeded_global_state
from sknn_basics.modules.initialisers import INITIALISERS, glorot_uniform_with_bias, initialise
from sknn_basics.modules.layers import ACTIVATIONS, random_layers, seed_random_layers
from sknn_basics.modules.summary import (
    Layer,
    count_multiplications,
    count_parameters,
    describe_layers,
    summarise,
)
from sknn_basics.training.archives import read_npz, write_npz
from sknn_basics.training.batches import ArrayDataset
from sknn_basics.training.callbacks import (
    KeepBestWeights,
    NotifyEpochs,
    PrintEpoch,
    RaiseOnDivergence,
    RecordRate,
    StopAfter,
    StopWithoutProgress,
    ValidationScore,
    WarnOfOtherScale,
)
from sknn_basics.training.devices import (
    DTYPES,
    as_array,
    check_precision,
    move,
    new_generator,
    openmp_pools,
    resolve_device,
    weights_dtype,
)
from sknn_basics.training.lbfgs import LBFGSNet
from sknn_basics.training.losses import OUTPUT_ACTIVATIONS
from sknn_basics.training.net import Net
from sknn_basics.training.optimisers import (
    DECOUPLED,
    SOLVERS,
    group_parameters,
    make_optimiser,
    set_rate,
    usual_rate,
)
from sknn_basics.training.pausing import Pause
from sknn_basics.training.plain import PlainNetwork
from sknn_basics.training.policies import schedule_callbacks
from sknn_basics.training.saving import (
    load_weights,
    replace_when_complete,
    shapes_of,
    snapshot,
    weights_as_arrays,
)
from sknn_basics.training.schedules import SCHEDULES, Schedule
from sknn_basics.training.transfer import copy_layers, freeze_layers, share_weights, takes_output

# Values of a sample, and multiplications for it, up to which dtype='auto' is double precision on a
# CPU, which makes results independent of the order of sums: of the number of threads, of the rows
# that are predicted together, of whether a sample is repeated or weighted. The number of samples
# does not count, so that folds have the precision of the whole. Multiplications alone do not tell:
# the smallest networks of digits, of 64 values, already train 1.4 to 1.8 times as long in double
# precision, and the default autoencoders of a table need it and multiply a hundred times as often.
FEW_VALUES, LITTLE_WORK = 32, 2**19


# Parameters that tell how large a network is.
SIZES = (
    "hidden_layer_sizes",
    "decoder_layer_sizes",
    "generator_layer_sizes",
    "discriminator_layer_sizes",
    "n_components",
    "embedding_size",
    "filters",
    "decoder_filters",
    "latent_filters",
    "kernel_size",
    "padding",
)


class NeuralEstimator(CallbackSupportMixin, BaseEstimator, ABC):
    """Base of all neural estimators.

    A family says how X is checked and which network fits it; a head (`NeuralClassifier`,
    `NeuralRegressor`, `NeuralTransformer`) says what the network learns.
    """

    _parameter_constraints: dict = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS)), callable],
        "solver": [StrOptions({*SOLVERS, "lbfgs"}), callable],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [
            StrOptions({"constant", "invscaling", "adaptive", *SCHEDULES}),
            Schedule,
            callable,
        ],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"),
            Options(Real, {np.inf}),
        ],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
        "normalization": [StrOptions({"batch", "layer"}), None],
        "max_norm": [Interval(Real, 0, None, closed="neither"), None],
        "input_noise": [Interval(Real, 0, None, closed="left")],
        "weight_init": [StrOptions({"auto", *INITIALISERS}), callable],
        "clip_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "average_decay": [Interval(Real, 0, 1, closed="neither"), None],
        "layer_rates": [Mapping, None],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "init_from": [
            *(HasMethods("predict"), HasMethods("transform"), Mapping),
            *(NeuralNet, str, PathLike, None),
        ],
        "init_layers": [str, list, tuple, Mapping, None],
        "frozen_layers": [str, list, tuple, None],
        "scoring": [StrOptions({"loss", *get_scorer_names()}), callable, None],
        "callbacks": [list, tuple, None],
        "device": [str, torch.device],
        "dtype": [StrOptions({"auto", "float32", "float64", "bfloat16"})],
        "compile": ["boolean"],
        "cuda_graphs": ["boolean"],
    }

    # What a rebuilt network needs to be made and to predict, besides parameters and weights: each
    # class names its own.
    _architecture: tuple[str, ...] = (
        "n_features_in_",
        "_sample_shape_",
        "feature_names_in_",
        "n_outputs_",
        "out_activation_",
        "t_",
        "_optimiser_",
        "_structure_",
        "_features_seed_",
        "_frozen_",
        "_dtype_",
        "_reads_unit_",
    )

    # Words of `fit` for what validates.
    _validation_names = "X_val, y_val, sample_weight_val"

    # What L-BFGS, which needs the same loss of the same weights, does not work with.
    _stochastic_only: tuple[str, ...] = ("dropout", "input_noise", "max_norm", "clip_grad_norm")

    # Where a fit stands that is made in parts.
    _pause_: Pause | None = None

    # The parameter by which a user gives a module in place of layers, and that module's name.
    _given: str | None = None

    @classmethod
    @cache
    def _get_param_names(cls):
        # scikit-learn reads the signature again, several times per fit.
        return super()._get_param_names()

    def _store(self, parameters: dict) -> None:
        """Store the parameters of ``__init__``, given as its ``locals()``."""
        vars(self).update((k, v) for k, v in parameters.items() if k not in ("self", "__class__"))

    def get_params(self, deep=True) -> dict:
        """Get parameters.

        Parameters
        ----------
        deep : bool, default=True
            Whether to add the parameters of callbacks, and of estimators that are parameters.

        Returns
        -------
        params : dict
            Values by name: ``callbacks__<name>__<parameter>`` is one of a callback, whose name is
            that of its class if it was given none.
        """
        parameters = super().get_params(deep)
        return parameters | callback_parameters(self.callbacks) if deep else parameters

    def set_params(self, **params):
        """Set parameters.

        Parameters
        ----------
        **params : dict
            Values by the names that `get_params` returns; ``callbacks__<name>=None`` takes a
            callback away.

        Returns
        -------
        self : object
            The estimator.
        """
        of_callbacks = {key: params.pop(key) for key in list(params) if key.startswith(PREFIX)}
        super().set_params(**params)
        if of_callbacks:
            own = {key.removeprefix(PREFIX): value for key, value in of_callbacks.items()}
            self.callbacks = set_callback_parameters(self.callbacks, own)
        return self

    # What families define.

    @abstractmethod
    def _check_X(self, X, reset: bool):
        """Check X, and return it as an array or a CSR matrix in its own data type."""

    @abstractmethod
    def _describe_module(self, n_outputs: int) -> dict:
        """Collect the arguments of the network for the checked X."""

    @abstractmethod
    def _make_module(self, structure: dict) -> torch.nn.Module:
        """Make the network, with unset weights, from what `_describe_module` returned."""

    # What heads define.

    @abstractmethod
    def _encode_target(self, X, y, reset: bool, classes=None):
        """Check y, and return what the loss expects; learn what y means if `reset`.

        X was checked already; a head whose target is X returns this object.
        """

    @abstractmethod
    def _describe_output(self, target: np.ndarray) -> tuple[int, str]:
        """Tell the number of output units and their activation."""

    @abstractmethod
    def _make_criterion(self) -> torch.nn.Module:
        """Make the loss."""

    @abstractmethod
    def _score_output(self, output: np.ndarray, target: np.ndarray, weight) -> float:
        """Score activated outputs against encoded targets; higher is better."""

    # Fitting.

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Fit the network to training data.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
            Inputs. They are cast to the network's data type batch by batch.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples; None weighs all the same.
        X_val : {array-like, sparse matrix, torch.Tensor} of shape (n_val, n_features), default=None
            Inputs to validate on after every epoch, in place of a part of X, preprocessed as X is.
            A pipeline passes them on as they are, unless metadata routing is enabled and its
            ``transform_input`` names them: see "Validation data in a pipeline" in the user guide.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Targets to validate on. `sklearn.compose.TransformedTargetRegressor` passes them on as
            they are: give them transformed.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the validation samples.

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
        if (X_val is None) != (y_val is None):
            missing = "X_val" if X_val is None else "y_val"
            raise ValueError(f"X_val and y_val belong together, but {missing} is missing.")
        return self._fit_epochs(X, y, sample_weight, X_val, y_val, sample_weight_val)

    def _fit_epochs(self, X, y, sample_weight, X_val, y_val, sample_weight_val):
        """Train until a callback decides to stop, or for all epochs."""
        if X_val is None and sample_weight_val is not None:
            raise ValueError("sample_weight_val needs X_val and y_val.")
        validation = None if X_val is None else (X_val, y_val, sample_weight_val)
        continued = self.warm_start and hasattr(self, "module_")
        with self._all_or_nothing(continued):
            self._fit(X, y, sample_weight, validation, continued=continued, n_epochs=self.max_iter)
        if self.n_iter_ == self.max_iter and self.solver != "lbfgs":
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=3,
            )
        return self

    def _fit_part(self, until: int, *args, **kwargs) -> bool:
        """Call `fit`, but pause after some epochs, and continue there in the next call.

        A search asks for it that gives some candidates more epochs than others. All parts together
        are one fit, with the same bits, and schedules know its length, `max_iter`. Between them,
        the estimator is as if `fit` ended there.

        Parameters
        ----------
        until : int
            Number of epochs, of all parts together, after which to pause.
        *args, **kwargs
            What `fit` is called with, the same in each call.

        Returns
        -------
        has_ended : bool
            Whether the fit has ended, and no more parts are to come.
        """
        if self.solver == "lbfgs":
            raise ValueError(
                "solver='lbfgs' cannot pause between epochs: choose a stochastic solver such as "
                "'adam'."
            )
        self._pause_ = replace(self._pause_, until=until) if self._pause_ else Pause(until)
        self.fit(*args, **kwargs)
        if has_ended := self._pause_.has_ended:
            self._pause_ = None
        return has_ended

    @fit_context(prefer_skip_nested_validation=True)
    def initialize(self, X, y):
        """Make the network for data like the given, with its initial weights, without training.

        Parameters
        ----------
        X : {array-like, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
            Inputs, of which one sample is enough.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets; all classes must be among them.

        Returns
        -------
        self : object
            The estimator, which predicts with its initial weights.
        """
        with self._all_or_nothing(continued=False):
            self._fit(X, y, None, continued=False, n_epochs=0)
        return self

    def _partial_fit(self, X, y, sample_weight, classes=None):
        """Train for one epoch on the given data."""
        continued = hasattr(self, "module_")
        with self._all_or_nothing(continued):
            options = {"incremental": True, "classes": classes, "n_epochs": 1}
            self._fit(X, y, sample_weight, continued=continued, **options)
        return self

    def _has_partial_fit(self) -> bool:
        if self.solver == "lbfgs":
            raise AttributeError(
                "partial_fit is only available for stochastic optimizers. "
                f"{self.solver} is not stochastic."
            )
        if self.early_stopping:
            raise AttributeError("partial_fit does not support early_stopping=True")
        return True

    @contextmanager
    def _all_or_nothing(self, continued: bool) -> Iterator[None]:
        """Undo a failed fit: to the model from before, or to none if there was none."""
        # A fit that continues changes the weights of that model; any other makes its own.
        restore = snapshot(self.module_, self.net_.optimizer_) if continued else None
        with unchanged_by_failure(self):
            try:
                yield
            except BaseException:
                if restore is not None:
                    restore()
                raise

    def _fit(
        self,
        X,
        y,
        sample_weight,
        validation=None,
        *,
        continued: bool,
        incremental: bool = False,
        classes=None,
        n_epochs: int,
    ) -> None:
        """Check, encode, build, split, train, read results: the parts follow in this order."""
        X, y = as_array(X), as_array(y)
        told = {"estimator": self, "X": X, "y": y}
        context = begin_callbacks(self, n_epochs)
        context.call_on_fit_task_begin(**told)
        goes_on = self._pause_ is not None and self._pause_.net is not None
        known = continued or goes_on
        inputs, target, weight = self._check(X, y, sample_weight, known, incremental, classes)
        rng = check_random_state(self.random_state)
        recording = None
        if self._pause_ is not None and checkpoints_of(self.callbacks or []):
            raise ValueError("TrainingCheckpoint cannot be used in a fit that pauses in a search.")
        if n_epochs and self.callbacks and self._pause_ is None:
            data = self._name_data(inputs, target, weight, validation)
            kind = {"continued": continued, "is_stream": incremental}
            recording = begin_recording(self, rng, data, **kind)
        if not goes_on:
            self._prepare_module(inputs, target, rng, continued)
        if n_epochs:
            train, valid, score = self._split(X, inputs, target, weight, validation, rng)
        else:
            train, valid, score = self._make_dataset(inputs, target, weight), None, None
        # Of what is not trained, one sample is enough.
        batch_size = self._clip_batch_size(len(train) if n_epochs else sys.maxsize)
        if not known and not self._takes_output():
            self._begin_output(target, weight, train.rows)
        others = [] if validation is None else [WarnOfOtherScale()]
        notify = None
        if has_callbacks(self):
            notify = self._notify_epochs(context, told, sample_weight)
            others.append(notify)
        # What is written is the state after all others.
        others += sorted(self.callbacks or [], key=lambda own: bool(checkpoints_of([own])))
        if goes_on:
            self.module_ = self._pause_.net.module_
            self._renew_layers()
            net = self._pause_.go_on(score, notify)
        else:
            net = self._start_net(
                train, valid, score, others, batch_size, rng, continued, incremental
            )
        self.net_, n_known = net, len(net.history)
        if recording is not None:
            net.recording, recording.n_samples = recording, len(train)
        self._as_fitted_ = plain_parameters(self)
        if self._pause_ is None:
            net.max_epochs = n_epochs
            net.partial_fit(train, valid=valid)
        else:
            self._pause_.train(net, train, valid, n_epochs)
        self._read_results(net, len(train), n_known)
        if n_epochs and not incremental and not net.is_paused_:
            self._check_outcome(target, weight)
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        context.call_on_fit_task_end(**told, metadata=metadata, reconstruction_attributes={})

    # Check and encode.

    def _check(self, X, y, sample_weight, continued: bool, incremental: bool, classes):
        """Check parameters and data; return inputs, encoded targets and weights of samples."""
        self._check_options()
        inputs = self._check_X(X, reset=not continued)
        if not continued:
            self._reads_unit_ = is_unit_floats(inputs)
        try:
            target = self._encode_target(inputs, y, reset=not continued, classes=classes)
        except UnknownClasses as error:
            if incremental:
                raise
            raise ValueError(explain_other_classes(self.classes_, error.seen)) from None
        check_consistent_length(inputs, target)
        if continued and not incremental:
            self._check_same_targets(target)
        self._learn_class_weights(target)
        return inputs, target, self._weigh(sample_weight, inputs, target)

    def _check_options(self) -> None:
        """Check what depends on several parameters."""
        for callback in self.callbacks or ():
            callback = callback[1] if isinstance(callback, tuple) else callback
            kind = callback if isinstance(callback, type) else type(callback)
            if not issubclass(kind, Callback):
                raise TypeError(f"callbacks must be skorch callbacks, got {callback!r}.")
        if self.solver != "lbfgs":
            return
        if self.dtype == "bfloat16":
            raise ValueError("solver='lbfgs' computes in float64, not with dtype='bfloat16'.")
        for name in (*self._stochastic_only, "average_decay", "layer_rates"):
            value = getattr(self, name)
            if value is not None and np.any(value):
                raise ValueError(
                    f"solver='lbfgs' does not work with {name}={value}: "
                    "choose a stochastic solver such as 'adam'."
                )

    def _name_data(self, inputs, target, weight, validation) -> dict:
        """Name all data of a fit, to tell it from others."""
        names = (*("X", "y", "sample_weight"), *self._validation_names.split(", "))
        same = target is inputs
        values = (inputs, None if same else target, weight, *(validation or ()))
        return {name: v for name, v in zip(names, map(as_array, values)) if v is not None}

    def _check_same_targets(self, target) -> None:
        """Check that a warm start continues with the targets of the last fit."""

    def _learn_class_weights(self, target) -> None:
        """Learn from the training data what classes weigh."""

    def _weigh(self, sample_weight, X, target) -> np.ndarray | None:
        """Check the sample weights."""
        if sample_weight is None:
            return None
        return check_sample_weight(
            as_array(sample_weight), X, dtype=np.float64, ensure_non_negative=True
        )

    # Build.

    def _prepare_module(self, X, target, rng, continued: bool) -> None:
        """Make the network with its initial weights, or check that the fitted one still fits."""
        if not continued and self._given and getattr(self, self._given) is not None:
            self._features_seed_ = rng.randint(np.iinfo(np.int32).max)
        n_outputs, out_activation = self._describe_output(target)
        structure = self._describe_module(n_outputs)
        device = resolve_device(self.device)
        if continued:
            dtype = self._dtype_ if self.dtype == "auto" else weights_dtype(self.dtype)
            fitted = {"out_activation_": self.out_activation_, "dtype": self._dtype_}
            wanted = {"out_activation_": out_activation, "dtype": dtype}
            check_same_structure({**self._structure_, **fitted}, {**structure, **wanted})
            if structure != self._structure_:
                module = self._make_module(structure)
                self.module_ = share_weights(module, self.module_)
                self._structure_ = structure
        else:
            self.t_ = 0
            self.n_outputs_, self.out_activation_ = n_outputs, out_activation
            self._structure_ = structure
            self._reset_results()
            self.module_ = self._allocate_module(structure)
            self._dtype_ = self._choose_dtype(X.shape[1:], device)
        check_range(X, self._dtype_, "X")
        rate = self._describe_optimiser()["lr"]
        check_magnitudes(self, "float64" if self.solver == "lbfgs" else self._dtype_, rate)
        # L-BFGS measures differences of the loss that single precision does not show.
        dtype = "float64" if self.solver == "lbfgs" else self._dtype_
        check_precision(device, "bfloat16" if self.dtype == "bfloat16" else dtype)
        move(self.module_, dtype=DTYPES[dtype])
        self._prepare_weights(rng, device, continued)

    def _prepare_weights(self, rng, device: torch.device, continued: bool) -> None:
        """Draw weights or copy them, freeze what is not trained, and renew what may change."""
        was_frozen = continued and self._frozen_ is not None
        if not continued:
            self._draw_weights(rng)
            if self.init_from is not None:
                copy_layers(self.module_, read_weights(self.init_from), self.init_layers)
        # Without a word from the user, what a callback or a given module has frozen stays so.
        if was_frozen or self.frozen_layers is not None:
            freeze_layers(self.module_, self.frozen_layers)
        self._frozen_ = self.frozen_layers
        self._renew_layers()
        move(self.module_, device)
        if random_layers(self.module_):
            # `t_` lets every call of partial_fit draw anew.
            seed = rng.randint(np.iinfo(np.int32).max) + self.t_
            seed_random_layers(self.module_, new_generator(seed, torch.device("cpu")), device)
        if self.compile:
            self.module_.compile()

    def _allocate_module(self, structure: dict) -> torch.nn.Module:
        """Make the network, or say that it is too large."""
        try:
            return self._make_module(structure)
        except (RuntimeError, TypeError) as error:
            if "allocate memory" not in str(error) and "Overflow" not in str(error):
                raise
            sizes = {name: getattr(self, name) for name in SIZES if hasattr(self, name)}
            described = ", ".join(f"{name}={value!r}" for name, value in sizes.items())
            raise ValueError(f"The network does not fit in memory with {described}.") from error

    def _renew_layers(self) -> None:
        """Replace the layers that may change from fit to fit."""

    def _reset_results(self) -> None:
        """Start without any epoch."""
        self._progress_, self._measures_, self._split_state_ = (np.inf, 0), {}, None
        self.loss_curve_, self.validation_scores_ = [], None

    def _choose_dtype(self, sample_shape: tuple[int, ...], device: torch.device) -> str:
        """Choose the network's data type: single precision, unless samples are small."""
        if self.dtype != "auto":
            return weights_dtype(self.dtype)
        is_small = (
            device.type == "cpu"
            and prod(sample_shape) <= FEW_VALUES
            and count_multiplications(self.module_) <= LITTLE_WORK
        )
        return "float64" if self.solver == "lbfgs" or is_small else "float32"

    def _draw_weights(self, rng) -> None:
        module = self._drawn_part()
        if self.weight_init == "auto":
            factor = 2.0 if np.all(np.asarray(self.activation) == "logistic") else 6.0
            glorot_uniform_with_bias(module, rng, factor)
            return
        generator = new_generator(rng.randint(np.iinfo(np.int32).max), torch.device("cpu"))
        # The factorisation of orthogonal weights has other bits with more threads.
        with openmp_pools().limit(limits=1):
            initialise(module, self.weight_init, generator)

    def _drawn_part(self) -> torch.nn.Module:
        """Give the part of the network whose weights are drawn: all but what a user gave."""
        if not self._has_given(self._structure_):
            return self.module_
        parts = self.module_.named_children()
        return torch.nn.ModuleList([part for name, part in parts if name != self._given])

    def _has_given(self, structure: dict) -> bool:
        return self._given is not None and structure.get(self._given) is not None

    def _seeded_given(self, structure: dict):
        """Seed the global random state, where a function may draw its module's weights from it."""
        if not self._has_given(structure):
            return nullcontext()
        return seeded_global_state(self._features_seed_, torch.device("cpu"))

    # Split.

    def _make_dataset(self, X, target=None, weight=None) -> ArrayDataset:
        parameter = next(self.module_.parameters())
        if target is not None and target.dtype.kind == "f":
            check_range(target, self._dtype_, "y")
        return ArrayDataset(X, target, weight, dtype=parameter.dtype, device=parameter.device)

    def _split(self, X, inputs, target, weight, validation, rng):
        """Make the datasets to train and to validate on, and the score of the latter."""
        whole = self._make_dataset(inputs, target, weight)
        if validation is not None:
            try:
                return whole, *self._check_validation(*map(as_array, validation))
            except (TypeError, ValueError) as error:
                kind = ValueError if isinstance(error, ValueError) else TypeError
                raise kind(f"In {self._validation_names}: {error}") from error
        if not self.early_stopping or self.solver == "lbfgs":
            return whole, None, None
        if self._split_state_ is None:
            self._split_state_ = rng.get_state(legacy=False)
        else:
            # What a warm start holds out is what was held out before.
            state, rng = self._split_state_, np.random.RandomState()
            rng.set_state(state)
        rows, rows_val = self._split_rows(target, rng)
        weight_val = None if weight is None else weight[rows_val]
        # A data frame keeps its column names, which a scorer's call of predict checks.
        X_val = safe_indexing(X if hasattr(X, "columns") else inputs, rows_val)
        score = self._make_score(X_val, target[rows_val], weight_val)
        return whole.subset(rows), whole.subset(rows_val), score

    def _check_validation(self, X_val, y_val, weight_val):
        """Make the dataset of the given validation data, and its score."""
        inputs = self._check_X(X_val, reset=False)
        target = self._encode_target(inputs, y_val, reset=False)
        check_consistent_length(inputs, target)
        check_range(inputs, self._dtype_, "X")
        weight = self._weigh(weight_val, inputs, target)
        named = X_val if hasattr(X_val, "columns") else inputs
        return self._make_dataset(inputs, target, weight), self._make_score(named, target, weight)

    def _split_rows(self, target, rng) -> tuple[np.ndarray, np.ndarray]:
        """Choose the rows to train and to validate on."""
        return split_rows(target.shape[0], self.validation_fraction, self._strata(target), rng)

    def _strata(self, target) -> np.ndarray | None:
        """Tell by what the validation rows are stratified."""
        return None

    def _make_score(self, X, target, weight):
        """Make the function that scores a net on the validation data; higher is better."""
        if self.scoring is None:
            return lambda net: self._score_output(net.activate(net.valid_output_), target, weight)
        if self.scoring == "loss":
            return lambda net: -net.history[-1, "valid_loss"]
        return score_by(self.scoring, self, X, self._decode_target(target), weight)

    # Train.

    def _clip_batch_size(self, n_samples: int) -> int:
        if self.batch_size == "auto":
            return min(200, n_samples)
        if self.batch_size > n_samples:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be "
                f"clipped: batch_size={self.batch_size}, n_samples={n_samples}.",
                stacklevel=5,
            )
        return int(min(self.batch_size, n_samples))

    def _takes_output(self) -> bool:
        """Tell whether the output layer comes from another network."""
        return self.init_from is not None and takes_output(self.init_layers)

    def _begin_output(self, target, weight: np.ndarray | None, rows: np.ndarray | None) -> None:
        """Set where the outputs of a new network begin, given targets and rows to train on."""

    def _describe_optimiser(self) -> dict:
        """Collect the arguments of `make_optimiser`, and the initial learning rate."""
        # L-BFGS makes no step of an optimiser, but has to have one.
        solver = "sgd" if self.solver == "lbfgs" else self.solver
        rate = self.learning_rate_init
        return {
            "solver": solver,
            "lr": usual_rate(solver) if rate == "auto" else float(rate),
            "momentum": float(self.momentum),
            "nesterov": self.nesterovs_momentum,
            "betas": (float(self.beta_1), float(self.beta_2)),
            "epsilon": float(self.epsilon),
            "weight_decay": float(self.alpha) if solver in DECOUPLED else 0.0,
            # Models of earlier versions do not know it.
            **({"layer_rates": dict(self.layer_rates)} if self.layer_rates else {}),
        }

    def _make_net(self, batch_size: int = 1, rng=None) -> Net:
        """Make the net that trains and evaluates the network."""
        options = dict(self._optimiser_)
        layer_rates, solver = options.pop("layer_rates", None), options["solver"]
        groups = None
        if layer_rates or solver == "muon":
            groups = partial(group_parameters, layer_rates=layer_rates, solver=solver)
        return self._kind_of_net()(
            self.module_,
            self._make_criterion().to(next(self.module_.parameters()).dtype),
            partial(make_optimiser, **options),
            lr=options["lr"],
            # The optimiser decays the weights itself where that is no gradient of a penalty.
            alpha=0.0 if solver in DECOUPLED else self.alpha,
            clip_grad_norm=self.clip_grad_norm,
            average_decay=self.average_decay,
            autocast=self.dtype == "bfloat16",
            replays=self.cuda_graphs,
            groups=groups,
            batch_size=batch_size,
            rng=rng if self.shuffle else None,
            predict_nonlinearity=OUTPUT_ACTIVATIONS[self.out_activation_],
        )

    def _kind_of_net(self):
        """Choose what makes the net."""
        if self.solver == "lbfgs":
            return partial(LBFGSNet, gtol=self.tol, max_fun=self.max_fun)
        return Net

    def _start_net(
        self, train, valid, score, others, batch_size, rng, continued: bool, incremental: bool
    ) -> Net:
        """Make the net with its callbacks, its optimiser, and the history that it continues."""
        had_optimiser = self._optimiser_ if continued and incremental else None
        self._optimiser_ = self._describe_optimiser()
        net = self._make_net(batch_size=batch_size, rng=rng)
        forgotten = self._forget(describe_measures(self, net, train, valid, incremental))
        net.callbacks = [*self._choose_callbacks(score, incremental), *others]
        # Calls of partial_fit continue with one optimiser as long as the same is wanted.
        rate, make_new = net.lr, net.optimizer
        is_kept = had_optimiser is not None and {**had_optimiser, "lr": rate} == self._optimiser_
        if is_kept and self.net_.trains_the_same():
            optimiser = self.net_.optimizer_
            if had_optimiser["lr"] != rate:
                set_rate(optimiser, rate)
            net.optimizer = lambda parameters, lr: optimiser
        net.initialize()
        net.optimizer = make_new
        if continued:
            net.continue_history(self.net_, *forgotten)
        return net

    def _choose_callbacks(self, score, incremental: bool) -> list:
        """Choose the decisions of this training, in the order in which they are taken."""
        watch = [ValidationScore(score, self.tol, f"scoring={self.scoring!r}")] if score else []
        limit = [] if self.max_time is None else [StopAfter(self.max_time)]
        progress = [PrintEpoch()] if self.verbose else []
        if self.solver == "lbfgs":
            return [RaiseOnDivergence(), *watch, *limit, *progress]
        schedule = schedule_callbacks(
            self.learning_rate,
            self._optimiser_["lr"],
            solver=self.solver,
            n_epochs=self.max_iter,
            power_t=self.power_t,
            n_seen=self.t_,
            restarts=not incremental,
        )
        stop = StopWithoutProgress(
            "valid_score" if self.early_stopping else "train_loss",
            self.tol,
            self.n_iter_no_change,
            self.learning_rate == "adaptive" and self.solver != "adam",
        )
        stop.best_, stop.n_waiting_ = self._progress_
        keep = [KeepBestWeights()] if self.early_stopping or (limit and score) else []
        stops = [*limit, stop]
        return [RaiseOnDivergence(), *schedule, RecordRate(), *watch, *keep, *stops, *progress]

    def _forget(self, measures: dict[str, tuple]) -> tuple[list[str], list[str]]:
        """Forget what is not comparable with what is measured now.

        Returns the names of curves that begin anew, and of those whose best values do.
        """
        before = self._measures_
        changed = [n for n in measures if n in before and before[n][0] != measures[n][0]]
        comparable = [n for n in measures if n in before and measures[n][1] in (None, before[n][1])]
        incomparable = [n for n in before if n in changed or n not in comparable]
        if "progress" in incomparable:
            self._progress_ = (np.inf, 0)
        if "train_loss" in changed:
            self.loss_curve_ = []
        if "valid_score" in measures and "valid_score" in incomparable:
            self.validation_scores_ = None
        # The weights are not those of the best value of what is not measured now.
        self._measures_ = {n: (curve, None) for n, (curve, _) in before.items()} | measures
        return changed, incomparable

    def _notify_epochs(self, context, told: dict, sample_weight) -> NotifyEpochs:
        """Make each epoch a task of scikit-learn's callbacks, told of estimator and data."""
        data = dict(told)
        if sample_weight is not None:
            data["metadata"] = {"sample_weight": sample_weight}
        tasks = []

        def begin() -> None:
            tasks.append(context.subcontext(task_name="epoch"))
            tasks[-1].call_on_fit_task_begin(**data)

        def end() -> bool:
            # A copy of this estimator predicts as it would now: nothing needs to be added.
            return tasks.pop().call_on_fit_task_end(**data, reconstruction_attributes={})

        return NotifyEpochs(begin, end)

    # Read the results.

    def _read_results(self, net: Net, n_samples: int, n_known: int) -> None:
        """Set the fitted attributes from what the net has learned since the first epochs."""
        rows = net.history_[n_known:]
        self.loss_curve_ = self.loss_curve_ + [row["train_loss"] for row in rows]
        self.n_iter_, self.loss_ = net.n_epochs_, net.final_loss()
        self.t_ += net.n_epochs_of_part_ * n_samples
        scores = [row["valid_score"] for row in rows if "valid_score" in row]
        if scores:
            self.validation_scores_ = (self.validation_scores_ or []) + scores
        self.best_validation_score_ = None
        if self.validation_scores_ is not None:
            self.best_validation_score_ = float(np.fmax.reduce(self.validation_scores_))
        self.best_loss_ = None if self.early_stopping else net.best_.get("train_loss", self.loss_)
        self._progress_ = net.progress()
        net.end_training(DTYPES[self._dtype_], self.callbacks or [])

    def _check_outcome(self, target, weight: np.ndarray | None) -> None:
        """Warn where a finished training has not led to what it should have."""

    def _decode_target(self, target: np.ndarray) -> np.ndarray:
        """Turn encoded targets back into what the user gave."""
        return target

    # After a fit.

    @property
    def history_(self) -> dict[str, np.ndarray]:
        """What was recorded for every epoch: name -> array of shape (n_epochs,)."""
        check_is_fitted(self)
        return self.net_.recorded()

    @property
    def n_parameters_(self) -> int:
        """Number of parameters of the network."""
        check_is_fitted(self)
        return count_parameters(self.module_)

    def to_torch(self) -> torch.nn.Module:
        """Copy the network into a plain module, for other libraries.

        Returns
        -------
        module : nn.Module
            In float32, on the CPU and in evaluation, of inputs in the layout of X. A classifier's
            outputs one logit a class, or a label; all others' what they predict or reconstruct.
            Nothing is computed in place, so that gradients of inner layers can be read.
        """
        check_is_fitted(self)
        return PlainNetwork(self.module_, **self._describe_plain())

    def _describe_plain(self) -> dict:
        """Collect what a plain module does with the network's outputs."""
        return {"activate": OUTPUT_ACTIVATIONS[self.out_activation_]}

    def summary(self) -> str:
        """Describe the network: each layer's name, type, output shape, activation, parameters.

        Returns
        -------
        table : str
            One line per layer, then the totals of trainable and frozen parameters.
        """
        check_is_fitted(self)
        return summarise(self.module_, self._describe_layers())

    def _describe_layers(self) -> list[Layer]:
        """List the layers of the fitted network, for `summary` and for plots."""
        return describe_layers(self.module_, self._sample_shape_)

    def _get_fitted_attr_html(self, doc_link=""):
        # scikit-learn asks every step of a pipeline, and every part of another estimator, for the
        # table of its fitted attributes: added there, layers are shown wherever the network is.
        attributes = super()._get_fitted_attr_html(doc_link)
        # A fitted ensemble shows the estimators that it was given, which are not fitted.
        return with_layers(attributes, self) if self.__sklearn_is_fitted__() else attributes

    def save_weights(self, path) -> None:
        """Save the network's weights alone, as a NumPy archive.

        A file that exists is replaced only when the new one is complete.

        Parameters
        ----------
        path : str or path-like
            Name of the file, usually ending in ``.npz``.
        """
        check_is_fitted(self)
        with replace_when_complete({"path": path}) as temporary:
            write_npz(temporary["path"], weights_as_arrays(self.module_))

    def load_weights(self, path):
        """Replace the network's weights by those that `save_weights` has saved.

        Parameters
        ----------
        path : str or path-like
            Name of the file.

        Returns
        -------
        self : object
            The estimator, for example one made by `from_json`.

        Raises
        ------
        ValueError
            If the weights are those of another network or not finite numbers, or the file is
            damaged. No values are read before names and shapes are known to be right.
        """
        check_is_fitted(self)
        load_weights(self.module_, read_npz(path, shapes_of(self.module_)))
        return self

    def _restore(self, saved: dict, path: str):
        """Take the state of a checkpoint; see `TrainingCheckpoint.restore`."""
        with unchanged_by_failure(self):
            return restore(self, saved, path)

    def to_json(self) -> str:
        """Describe the estimator and, if it is fitted, its network as text, without weights.

        Returns
        -------
        text : str
            JSON that `sknn_basics.from_json` reads.

        Raises
        ------
        TypeError
            If a parameter is no plain value (for example, a class or a function).
        """
        return write_json(self)

    def __getstate__(self):
        return pack_state(self, super().__getstate__())

    def __setstate__(self, state):
        check_version(state["_sknn_basics_version"], type(self).__name__)
        saved, state = unpack_state({**default_parameters(type(self)), **state})
        super().__setstate__(state)
        if saved is not None:
            load_fit(self, saved)

    def _activated_outputs(self, X) -> np.ndarray:
        X = self._check_new(X)
        return self.net_.predict_proba(X)

    def _check_new(self, X):
        """Check X that a fitted network is given."""
        if not self.__sklearn_is_fitted__():  # `check_is_fitted` alone is slow on one row
            check_is_fitted(self)
        X = self._check_X(as_array(X), reset=False)
        check_range(X, self._dtype_, "X")
        if getattr(self, "_reads_unit_", False):
            warn_of_integers(X)
        return X

    def __sklearn_is_fitted__(self) -> bool:
        return "module_" in vars(self)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
