"""Recurrent networks."""

from collections.abc import Callable
from functools import partial
from numbers import Integral, Real

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.base import is_classifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sknn_basics._compat import Interval, StrOptions
from sknn_basics.estimators._base.checks import hidden_sizes, one_a_layer
from sknn_basics.estimators._base.fit import NeuralEstimator
from sknn_basics.estimators._base.sequences import (
    are_of_steps,
    check_same_steps,
    check_sequences,
    cut_padding,
    cut_targets,
    find_lengths,
    find_target_axes,
    has_input,
    has_target,
    in_layout,
    is_list_of_sequences,
    join_targets,
    pad_sequences,
    to_array,
    warn_of_swapped_axes,
)
from sknn_basics.estimators._base.targets import (
    NeuralClassifier,
    NeuralPredictor,
    NeuralRegressor,
    score_quantiles,
)
from sknn_basics.estimators._base.types import (
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
    OfSamples,
    RandomState,
    Rates,
    Renamed,
    Scoring,
    Solver,
    Source,
    WeightInit,
)
from sknn_basics.modules.cells import CELLS, MERGE_MODES
from sknn_basics.modules.initialisers import initialise
from sknn_basics.modules.recurrent import RecurrentNetwork, in_layout_of_network
from sknn_basics.modules.summary import Layer
from sknn_basics.training.devices import answers_in_kind, as_array, new_generator, openmp_pools
from sknn_basics.training.losses import SequenceLoss
from sknn_basics.training.recurrent import StatefulNet, trace_states


def recurrent_only(constraints: dict) -> dict:
    """Leave out the parameters that recurrent networks do not have."""
    others = ("activation", "normalization", "max_norm")
    return {name: options for name, options in constraints.items() if name not in others}


def draw_recurrent_weights(
    module: torch.nn.Module,
    scheme,
    rng: np.random.RandomState,
    drawn: torch.nn.Module | None = None,
) -> None:
    """Draw the weights of a network with recurrent layers, by the estimator's `weight_init`.

    Of its linear and convolutional layers, only those of `drawn`, if that is given.
    """
    scheme = "glorot_uniform" if scheme == "auto" else scheme
    generator = new_generator(rng.randint(np.iinfo(np.int32).max), torch.device("cpu"))
    # The factorisation of orthogonal weights has other bits with more threads.
    with openmp_pools().limit(limits=1):
        initialise(module if drawn is None else drawn, scheme, generator)
        module.initialise(scheme, generator)


class RecurrentEstimator(NeuralPredictor):
    """What the recurrent networks share: sequences as X and as y, and recurrent layers.

    If y has a target for each step, a head is given all steps of all samples as if they were
    samples: it stands before the head in the order of classes.

    Attributes
    ----------
    _target_axes_ : int
        Number of dimensions of a sample's targets if these have steps, else 0.
    _step_weights_ : list of float or None
        Weight of each class, where steps have classes.
    """

    _parameter_constraints: dict = {
        **recurrent_only(NeuralEstimator._parameter_constraints),
        "cell": [StrOptions(set(CELLS))],
        "bidirectional": ["boolean"],
        "merge_mode": [StrOptions(set(MERGE_MODES))],
        "recurrent_dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
        "stateful": ["boolean"],
        "n_steps_out": [Interval(Integral, 1, None, closed="left"), None],
        "filters": ["array-like", Interval(Integral, 1, None, closed="left")],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "strides": [Interval(Integral, 1, None, closed="left")],
        "data_format": [StrOptions({"auto", "channels_last", "channels_first"})],
        "module": [callable, None],
    }

    _given = "module"

    _architecture = ("_target_axes_", "_step_weights_", "_batch_size_")
    _stochastic_only = ("dropout", "recurrent_dropout", "input_noise", "clip_grad_norm", "stateful")

    def _check_options(self) -> None:
        super()._check_options()
        for name, value in (("bidirectional", False), ("n_steps_out", None)):
            if self.stateful and getattr(self, name) != value:
                raise ValueError(
                    f"stateful=True does not work with {name}={getattr(self, name)}: set "
                    f"{name}={value}."
                )
        if self.stateful and self.module is not None:
            raise ValueError("stateful=True does not work with module, whose states are its own.")

    def _check_X(self, X, reset: bool):
        X = check_sequences(self, X, reset)
        # A single step may be followed by many, and rows have one number a step.
        if reset and self.data_format == "auto" and self.n_steps_out is None and X.ndim > 2:
            warn_of_swapped_axes(X)
        if self.stateful and not has_input(X).all():
            raise ValueError("stateful=True needs sequences of one length, X has several.")
        return X

    def _choose_dtype(self, sample_shape: tuple[int, ...], device) -> str:
        # The longest sequence of a list may be in one fold and not in another.
        n_steps = np.inf if self._is_list_ else sample_shape[0]
        return super()._choose_dtype((n_steps, *sample_shape[1:]), device)

    # Targets, those of each step if y has steps.

    def _encode_target(self, X, y, reset: bool, classes=None) -> np.ndarray:
        if y is None:
            return super()._encode_target(X, y, reset, classes)
        y = y.toarray() if issparse(y) else y
        is_of_steps = reset and self._is_list_ and are_of_steps(y, has_input(X).sum(axis=1))
        y = y if is_list_of_sequences(y) or hasattr(y, "shape") else to_array(y, "y")
        if reset:
            self._target_axes_ = int(is_of_steps) or find_target_axes(
                y, self._sample_shape_, self.n_steps_out, is_classifier(self)
            )
        if not self._target_axes_:
            return super()._encode_target(X, y, reset, classes)
        if self.n_steps_out is None and hasattr(y, "shape") and X.ndim > 2:
            y = cut_padding(y, has_input(X).sum(axis=1))
        steps, lengths = join_targets(y, self._target_axes_, self.n_steps_out)
        target = super()._encode_target(X, steps, reset, classes)
        return pad_sequences(target, lengths, -1 if target.dtype.kind in "iu" else np.nan)

    def _decode_target(self, target):
        if not self._target_axes_:
            return super()._decode_target(target)
        mask = has_target(target)
        steps = super()._decode_target(target[mask])
        return cut_targets(steps, mask.sum(axis=1), self._target_axes_)

    def _strata(self, target) -> np.ndarray | None:
        return None if self._target_axes_ else super()._strata(target)

    def _learn_class_weights(self, target) -> None:
        self._step_weights_ = None
        has_weights = is_classifier(self) and self.class_weight is not None
        if not (self._target_axes_ and has_weights):
            return super()._learn_class_weights(target)
        if self._target_type_ != "classes":
            raise ValueError("class_weight needs a y of one class a step, not of several columns.")
        super()._learn_class_weights(target[has_target(target)])
        self._step_weights_ = self._weights_of_classes().tolist()
        # They weigh the steps in the loss, not the samples.
        self._class_weight_ = None

    def _make_criterion(self):
        criterion = super()._make_criterion()
        return SequenceLoss(criterion, self._step_weights_) if self._target_axes_ else criterion

    def _make_dataset(self, X, target=None, weight=None):
        if self._target_axes_ and self._structure_["steps_out"] == "each" and target is not None:
            check_same_steps(has_input(X).sum(axis=1), has_target(target).sum(axis=1))
        return super()._make_dataset(X, target, weight)

    def _make_score(self, X, target, weight):
        is_padded = not (hasattr(X, "columns") or has_input(X).all())
        named = [row[mask] for row, mask in zip(X, has_input(X))] if is_padded else X
        # A scorer calls `predict`, which reads them as the user's.
        named = in_layout(named, self.data_format, is_padded, back=True)
        return super()._make_score(named, target, weight)

    def _score_output(self, output, target, weight) -> float:
        if not self._target_axes_:
            return super()._score_output(output, target, weight)
        mask = has_target(target)
        weight = None if weight is None else np.repeat(weight, mask.sum(axis=1))
        return super()._score_output(output[mask], target[mask], weight)

    # The network.

    def _describe_module(self, n_outputs: int) -> dict:
        sizes = hidden_sizes(self.hidden_layer_sizes)
        filters = hidden_sizes(self.filters, "filters")
        step_shape = [int(side) for side in self._sample_shape_[1:]]
        if self.module is not None:
            sizes = []
        elif not sizes:
            raise ValueError("hidden_layer_sizes must name at least one recurrent layer.")
        if filters and len(step_shape) not in (2, 3):
            raise ValueError(
                f"filters={self.filters} needs frames of shape (height, width) or (n_channels, "
                f"height, width) as steps, X has steps of shape {tuple(step_shape)}."
            )
        steps_out = self.n_steps_out or ("each" if self._target_axes_ else "last")
        shares = {
            name: one_a_layer(getattr(self, name), len(sizes), name) if sizes else []
            for name in ("dropout", "recurrent_dropout")
        }
        return {
            "step_shape": step_shape,
            "hidden_layer_sizes": sizes,
            "n_outputs": n_outputs,
            "cell": self.cell,
            "bidirectional": self.bidirectional,
            "merge_mode": self.merge_mode,
            **shares,
            "input_noise": self.input_noise,
            "filters": filters,
            "kernel_size": int(self.kernel_size),
            "stride": int(self.strides),
            "steps_out": steps_out if isinstance(steps_out, str) else int(steps_out),
            "stateful": self.stateful,
            "module": self.module,
        }

    def _make_module(self, structure: dict) -> RecurrentNetwork:
        n_further = structure["steps_out"] if isinstance(structure["steps_out"], int) else 0
        n_steps = self._sample_shape_[0] + n_further
        with self._seeded_given(structure):
            network = RecurrentNetwork(**structure, n_steps=n_steps)
        network.n_multiplications = n_steps * network.n_multiplications_a_step
        network.largest_output = n_steps * network.largest_output_a_step
        return network

    def _draw_weights(self, rng) -> None:
        draw_recurrent_weights(self.module_, self.weight_init, rng, self._drawn_part())

    def _kind_of_net(self):
        return StatefulNet if self._structure_["stateful"] else super()._kind_of_net()

    def _make_net(self, batch_size: int | None = None, rng=None):
        if batch_size is not None:
            # A stateful network predicts in the batches that it was trained in.
            self._batch_size_ = batch_size
        return super()._make_net(self._batch_size_, rng)

    def _split_rows(self, target, rng) -> tuple[np.ndarray, np.ndarray]:
        rows, rows_val = super()._split_rows(target, rng)
        if not self.stateful:
            return rows, rows_val
        # The last ones are held out, so that the others still follow each other.
        return np.split(np.arange(len(target)), [len(rows)])

    # After a fit.

    @answers_in_kind
    def predict(self, X):
        """Predict the targets of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, ...) or list of array-like
            Sequences.

        Returns
        -------
        y : ndarray of shape (n_samples, ...) or list of ndarray
            Predicted targets, shaped as the y of `fit`. If there is one target a step, sequences
            in a list get theirs in a list.
        """
        return self._in_steps(self._decode, X, self._activated_outputs(X), is_shaped_as_y=True)

    def _in_steps(self, decode: Callable, X, output: np.ndarray, is_shaped_as_y: bool = False):
        """Decode the outputs for X, those of each step if y has steps."""
        if not self._target_axes_:
            return decode(output)
        decoded = decode(output.reshape(-1, output.shape[2]))
        if is_shaped_as_y and self._target_axes_ == 2 and decoded.ndim == 1:
            decoded = decoded[:, np.newaxis]
        decoded = decoded.reshape(*output.shape[:2], *decoded.shape[1:])
        lengths = self._lengths_of(X)
        if lengths is not None:
            return [values[:n] for values, n in zip(decoded, lengths)]
        return decoded

    def _lengths_of(self, X) -> np.ndarray | None:
        """Tell how many targets each sequence has, None if all have as many by their shape."""
        is_each = self._structure_["steps_out"] == "each"
        return find_lengths(X, self.data_format) if is_each else None

    def score(self, X, y, sample_weight=None) -> float:
        """Compute the accuracy, or the coefficient of determination, of the predictions for X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, ...) or list of array-like
            Sequences.
        y : array-like of shape (n_samples, ...) or list of array-like
            True targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        score : float
            Share of right predictions of a classifier, R² of a regressor. If y has steps, each
            step counts as a sample.
        """
        check_is_fitted(self)
        if not self._target_axes_:
            return super().score(X, y, sample_weight)
        y = cut_padding(as_array(y), self._lengths_of(X))
        true, lengths = join_targets(y, self._target_axes_, self.n_steps_out)
        predicted = list(self.predict(as_array(X)))
        check_same_steps(np.array(list(map(len, predicted))), lengths)
        predicted = np.concatenate(predicted)
        if sample_weight is not None:
            check_consistent_length(lengths, sample_weight)
            sample_weight = np.repeat(as_array(sample_weight), lengths)
        if getattr(self, "_target_type_", None) == "probabilities":
            true = self.classes_[true.argmax(axis=1)]
        if getattr(self, "_quantiles_", None) is not None:
            return score_quantiles(true, predicted, self._quantiles_, sample_weight)
        metric = accuracy_score if is_classifier(self) else r2_score
        return metric(true, predicted, sample_weight=sample_weight)

    def states(self, X) -> dict[str, np.ndarray]:
        """Compute the states of all layers at every step of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, ...) or list of array-like
            Sequences.

        Returns
        -------
        states : dict of str to ndarray of shape (n_samples, n_steps, n_units)
            'layer1_hidden' and so on; of an LSTM 'layer1_cell' too; of a bidirectional network
            each also with '_reverse' at its end, the state after reading from the end to that step.
            With `n_steps_out`, its steps are among them. Steps after the end of a shorter sequence
            are NaN.

        Raises
        ------
        ValueError
            If `module` stands in place of the recurrent layers.
        """
        check_is_fitted(self)
        if self._has_given(self._structure_):
            raise ValueError(
                "`states` are those of recurrent layers, in whose place module stands."
            )
        X = self._check_X(as_array(X), reset=False)
        states = trace_states(self.net_, X)
        lengths = has_input(X).sum(axis=1, keepdims=True)
        for values in states.values():
            n_further = values.shape[1] - X.shape[1]
            values[np.arange(values.shape[1]) >= lengths + n_further] = np.nan
        return states

    def reset_states(self):
        """Let the next prediction of a stateful network begin without a state.

        Returns
        -------
        self : object
            The estimator.
        """
        check_is_fitted(self)
        self.module_.reset_states()
        return self

    def _describe_plain(self) -> dict:
        read = partial(in_layout_of_network, data_format=self.data_format)
        return {**super()._describe_plain(), "read": read}

    def _describe_layers(self) -> list[Layer]:
        with self.module_.kept_states():
            return super()._describe_layers()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


class RNNClassifier(RecurrentEstimator, NeuralClassifier):
    """Recurrent network classifier: a class for each sequence, or for each of its steps.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int, default=(32,)
        Number of cells of each recurrent layer.

    cell : {'lstm', 'gru', 'rnn'}, default='lstm'
        Kind of the cells: long short-term memory, gated recurrent units, or plain ones with
        tanh.

    bidirectional : bool, default=False
        Whether each layer has further cells, as many, that read the sequences backwards.

    merge_mode : {'concat', 'sum', 'average', 'product'}, default='concat'
        How the outputs of both directions are merged.

    dropout : float in [0, 1) or array-like of float, default=0.0
        Probability of dropping an output of a recurrent layer in training; one value, or one
        per layer.

    recurrent_dropout : float in [0, 1) or array-like of float, default=0.0
        Probability of dropping the outputs that a cell passes to the next step in training, the
        same cells at all steps of a sequence; one value, or one per layer.

    stateful : bool, default=False
        Whether each sample starts from the final states of the same row of the preceding batch,
        so that with ``batch_size=1`` samples are parts of one long sequence. Samples keep their
        order, whatever `shuffle` is; `early_stopping` holds out the last ones; states are reset
        in every epoch. Predictions are made in batches of the same size, and continue with the
        states of the predictions before, until `reset_states` is called. States are not saved.

    n_steps_out : int or None, default=None
        Number of further steps to predict after the end of each sequence, for which y has shape
        (n_samples, n_steps_out) or (n_samples, n_steps_out, n_outputs). The network then takes
        this many further steps, without inputs. None predicts one target per sequence or one
        per step, as y has.

    filters : int or array-like of int, default=()
        Number of filters of each convolution, followed by a rectifier, that is applied to every
        video frame of X, of shape (n_samples, n_steps, height, width) or (n_samples, n_steps,
        n_channels, height, width). Without convolutions, frames are flattened.

    kernel_size : int, default=5
        Width and height of the filters; zeros around the frames keep their size at stride 1.

    strides : int, default=2
        Stride of the convolutions.

    data_format : {'auto', 'channels_last', 'channels_first'}, default='auto'
        Which axis of X is that of the features, or of the channels of frames. 'channels_last'
        reads shapes (n_samples, n_steps, n_features) and (n_samples, n_steps, height, width,
        n_channels); 'channels_first' reads (n_samples, n_features, n_steps), as aeon, sktime
        and tsai have it, and (n_samples, n_steps, n_channels, height, width). 'auto' reads
        sequences with their features last and frames with their channels first, and warns if X
        looks as if it had the other layout. The shape of y does not depend on it.

    module : nn.Module, class, callable or None, default=None
        Replaces the recurrent layers: a module, which is copied and keeps its weights, or a
        class or function that is called with the shape of a sample, ``(n_steps, n_features)``,
        and returns a module, whose weights come from `random_state`. It is called with batches
        of shape (n_samples, n_steps, n_features) and returns the same number of steps with any
        number of values, or one vector per sample if y has one target per sequence. If it
        returns a tuple, as torch's recurrent layers do, the first part is used. Sequences of
        different lengths need a ``forward(x, lengths)``, with zeros after each sequence. The
        parameters of recurrent layers are not used.

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
        more, one logistic output per label for labels of zeros and ones. 'cross_entropy' always
        takes a softmax, and reads rows of y as one-hot rows or class probabilities.
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
        Class labels; column numbers for labels of zeros and ones, and for class probabilities.

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
    RNNRegressor : Recurrent network regressor.
    MLPClassifier : Multi-layer perceptron classifier.

    Notes
    -----
    X holds sequences, in one of these forms:

    - an array of shape (n_samples, n_steps, n_features), or with another `data_format`, in which
      shorter sequences may end with steps of NaN;
    - rows of shape (n_samples, n_steps), dense or sparse, whose columns are steps of one number;
    - a list of arrays of shape (n_steps, n_features) or (n_steps,), whose lengths may differ;
    - frames of shape (n_samples, n_steps, height, width) or (n_samples, n_steps, n_channels,
      height, width), or a list of such sequences.

    Predictions take sequences of any length, except for rows. `n_features_in_` is the number of
    features of a step; of rows, that of columns.

    A loss of several steps is their mean, so that each sequence weighs the same, however long it
    is. Recurrent layers have one bias per unit and gate. Their input weights are drawn as
    `weight_init` says ('auto' is 'glorot_uniform'), gate by gate; recurrent weights are orthogonal;
    biases are zero, but those of an LSTM's forget gates one.

    y has shape (n_samples,) or (n_samples, n_labels) for one target a sequence. There is one target
    a step if y has shape (n_samples, n_steps) with as many columns as X has steps (of rows, whose
    columns may be labels, only if y has other values than 0 and 1), or (n_samples, n_steps,
    n_labels), or if it is a list of arrays whose lengths are those of X.

    References
    ----------
    Hochreiter and Schmidhuber. "Long short-term memory." Neural Computation 9.8 (1997): 1735-1780.

    Cho et al. "Learning phrase representations using RNN encoder-decoder for statistical machine
    translation." EMNLP 2014.

    Schuster and Paliwal. "Bidirectional recurrent neural networks." IEEE Transactions on Signal
    Processing 45.11 (1997): 2673-2681.

    Examples
    --------
    Each digit is read line by line.

    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from sknn_basics import RNNClassifier
    >>> digits = load_digits()
    >>> X_train, X_test, y_train, y_test = train_test_split(
    ...     digits.images / 16, digits.target, random_state=0
    ... )
    >>> model = RNNClassifier(learning_rate_init=0.02, max_iter=15, tol=0, random_state=0)
    >>> model.fit(X_train, y_train).score(X_test, y_test) > 0.9
    True
    """

    _parameter_constraints: dict = {
        **recurrent_only(NeuralClassifier._parameter_constraints),
        **RecurrentEstimator._parameter_constraints,
    }

    def __init__(
        self,
        hidden_layer_sizes: Ints = (32,),
        cell: str = "lstm",
        *,
        bidirectional: bool = False,
        merge_mode: str = "concat",
        dropout: Floats = 0.0,
        recurrent_dropout: Floats = 0.0,
        stateful: bool = False,
        n_steps_out: Int | None = None,
        filters: Ints = (),
        kernel_size: Int = 5,
        strides: Int = 2,
        data_format: str = "auto",
        module: OfSamples = None,
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

    @answers_in_kind
    def predict_proba(self, X):
        """Estimate the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, ...) or list of array-like
            Sequences.

        Returns
        -------
        probability : ndarray of shape (n_samples, ..., n_classes) or list of ndarray
            Columns are in the order of `classes_`. If there is one target a step, sequences in a
            list get theirs in a list. The data type is that of `MLPClassifier.predict_proba`.
        """
        return self._in_steps(self._probabilities, X, self._activated_outputs(X))

    @answers_in_kind
    def predict_log_proba(self, X):
        """Estimate the logarithm of each class's probability.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, ...) or list of array-like
            Sequences.

        Returns
        -------
        log_probability : ndarray of shape (n_samples, ..., n_classes) or list of ndarray
            Logarithms of `predict_proba`.
        """
        with np.errstate(divide="ignore"):
            return self._in_steps(
                lambda output: np.log(self._probabilities(output)), X, self._activated_outputs(X)
            )

    def _rank(self, probability, k: int) -> tuple:
        if not isinstance(probability, list):
            return super()._rank(probability, k)
        ranked = [super(RNNClassifier, self)._rank(rows, k) for rows in probability]
        return tuple(map(list, zip(*ranked)))


class RNNRegressor(RecurrentEstimator, NeuralRegressor):
    """Recurrent network regressor: numbers for each sequence, or for each of its steps.

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

    hidden_layer_sizes : array-like of int, default=(32,)
        Number of cells of each recurrent layer.

    cell : {'lstm', 'gru', 'rnn'}, default='lstm'
        Kind of the cells: long short-term memory, gated recurrent units, or plain ones with
        tanh.

    bidirectional : bool, default=False
        Whether each layer has further cells, as many, that read the sequences backwards.

    merge_mode : {'concat', 'sum', 'average', 'product'}, default='concat'
        How the outputs of both directions are merged.

    dropout : float in [0, 1) or array-like of float, default=0.0
        Probability of dropping an output of a recurrent layer in training; one value, or one
        per layer.

    recurrent_dropout : float in [0, 1) or array-like of float, default=0.0
        Probability of dropping the outputs that a cell passes to the next step in training, the
        same cells at all steps of a sequence; one value, or one per layer.

    stateful : bool, default=False
        Whether each sample starts from the final states of the same row of the preceding batch,
        so that with ``batch_size=1`` samples are parts of one long sequence. Samples keep their
        order, whatever `shuffle` is; `early_stopping` holds out the last ones; states are reset
        in every epoch. Predictions are made in batches of the same size, and continue with the
        states of the predictions before, until `reset_states` is called. States are not saved.

    n_steps_out : int or None, default=None
        Number of further steps to predict after the end of each sequence, for which y has shape
        (n_samples, n_steps_out) or (n_samples, n_steps_out, n_outputs). The network then takes
        this many further steps, without inputs. None predicts one target per sequence or one
        per step, as y has.

    filters : int or array-like of int, default=()
        Number of filters of each convolution, followed by a rectifier, that is applied to every
        video frame of X, of shape (n_samples, n_steps, height, width) or (n_samples, n_steps,
        n_channels, height, width). Without convolutions, frames are flattened.

    kernel_size : int, default=5
        Width and height of the filters; zeros around the frames keep their size at stride 1.

    strides : int, default=2
        Stride of the convolutions.

    data_format : {'auto', 'channels_last', 'channels_first'}, default='auto'
        Which axis of X is that of the features, or of the channels of frames. 'channels_last'
        reads shapes (n_samples, n_steps, n_features) and (n_samples, n_steps, height, width,
        n_channels); 'channels_first' reads (n_samples, n_features, n_steps), as aeon, sktime
        and tsai have it, and (n_samples, n_steps, n_channels, height, width). 'auto' reads
        sequences with their features last and frames with their channels first, and warns if X
        looks as if it had the other layout. The shape of y does not depend on it.

    module : nn.Module, class, callable or None, default=None
        Replaces the recurrent layers: a module, which is copied and keeps its weights, or a
        class or function that is called with the shape of a sample, ``(n_steps, n_features)``,
        and returns a module, whose weights come from `random_state`. It is called with batches
        of shape (n_samples, n_steps, n_features) and returns the same number of steps with any
        number of values, or one vector per sample if y has one target per sequence. If it
        returns a tuple, as torch's recurrent layers do, the first part is used. Sequences of
        different lengths need a ``forward(x, lengths)``, with zeros after each sequence. The
        parameters of recurrent layers are not used.

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
    RNNClassifier : Recurrent network classifier.
    MLPRegressor : Multi-layer perceptron regressor.

    Notes
    -----
    X holds sequences, in one of these forms:

    - an array of shape (n_samples, n_steps, n_features), or with another `data_format`, in which
      shorter sequences may end with steps of NaN;
    - rows of shape (n_samples, n_steps), dense or sparse, whose columns are steps of one number;
    - a list of arrays of shape (n_steps, n_features) or (n_steps,), whose lengths may differ;
    - frames of shape (n_samples, n_steps, height, width) or (n_samples, n_steps, n_channels,
      height, width), or a list of such sequences.

    Predictions take sequences of any length, except for rows. `n_features_in_` is the number of
    features of a step; of rows, that of columns.

    A loss of several steps is their mean, so that each sequence weighs the same, however long it
    is. Recurrent layers have one bias per unit and gate. Their input weights are drawn as
    `weight_init` says ('auto' is 'glorot_uniform'), gate by gate; recurrent weights are orthogonal;
    biases are zero, but those of an LSTM's forget gates one, and that of the outputs, which begins
    at the mean of y: at its median where `loss` is 'absolute_error' or 'huber', at its logarithm
    for 'poisson'. So y may lie far from 0; where it varies by far more or less than 1,
    `sklearn.compose.TransformedTargetRegressor` helps.

    y has shape (n_samples,) or (n_samples, n_outputs) for one target a sequence. There is one
    target a step if y has shape (n_samples, n_steps, n_outputs), or if it is a list of arrays whose
    lengths are those of X.

    References
    ----------
    Hochreiter and Schmidhuber. "Long short-term memory." Neural Computation 9.8 (1997): 1735-1780.

    Cho et al. "Learning phrase representations using RNN encoder-decoder for statistical machine
    translation." EMNLP 2014.

    Schuster and Paliwal. "Bidirectional recurrent neural networks." IEEE Transactions on Signal
    Processing 45.11 (1997): 2673-2681.

    Examples
    --------
    >>> import numpy as np
    >>> from sknn_basics import RNNRegressor
    >>> series = np.sin(0.3 * np.arange(400))
    >>> windows = np.lib.stride_tricks.sliding_window_view(series, 9)
    >>> X, y = windows[:, :8, np.newaxis], windows[:, 8]
    >>> model = RNNRegressor(
    ...     hidden_layer_sizes=(8,), learning_rate_init=0.02, max_iter=30, tol=0, random_state=0
    ... )
    >>> model.fit(X[:300], y[:300]).score(X[300:], y[300:]) > 0.9
    True
    """

    _parameter_constraints: dict = {
        **recurrent_only(NeuralRegressor._parameter_constraints),
        **RecurrentEstimator._parameter_constraints,
    }

    def __init__(
        self,
        loss: Loss = "squared_error",
        hidden_layer_sizes: Ints = (32,),
        cell: str = "lstm",
        *,
        bidirectional: bool = False,
        merge_mode: str = "concat",
        dropout: Floats = 0.0,
        recurrent_dropout: Floats = 0.0,
        stateful: bool = False,
        n_steps_out: Int | None = None,
        filters: Ints = (),
        kernel_size: Int = 5,
        strides: Int = 2,
        data_format: str = "auto",
        module: OfSamples = None,
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

    @answers_in_kind
    def predict(self, X, return_std: bool = False):
        """Predict the targets of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, ...) or list of array-like
            Sequences.
        return_std : bool, default=False
            Whether to return standard deviations too, which ``loss='gaussian'`` learns.

        Returns
        -------
        y : ndarray of shape (n_samples, ...) or list of ndarray
            Predicted targets, shaped as the y of `fit`, and with one column for each of several
            quantiles. If there is one target a step, sequences in a list get theirs in a list.
        std : ndarray or list of the shapes of y
            Standard deviations of the targets around them; only with `return_std`.
        """
        return NeuralRegressor.predict(self, X, return_std)
