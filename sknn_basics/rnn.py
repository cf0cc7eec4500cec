"""Recurrent networks."""

from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sknn_basics.base import NeuralEstimator
from sknn_basics.checks import hidden_sizes, one_a_layer
from sknn_basics.documentation import RECURRENT_PARAMETERS, documented
from sknn_basics.heads import NeuralClassifier, NeuralRegressor
from sknn_basics.modules.cells import CELLS, MERGE_MODES
from sknn_basics.modules.initialisers import initialise
from sknn_basics.modules.recurrent import RecurrentNetwork
from sknn_basics.modules.summary import Layer
from sknn_basics.sequences import SequenceInputs, SequenceTargets, has_input
from sknn_basics.training.devices import as_array, new_generator, openmp_pools
from sknn_basics.training.recurrent import StatefulNet, trace_states


def recurrent_only(constraints: dict) -> dict:
    """Leave out the parameters that recurrent networks do not have."""
    others = ("activation", "normalization", "max_norm")
    return {name: options for name, options in constraints.items() if name not in others}


class RecurrentEstimator(SequenceInputs, SequenceTargets, NeuralEstimator):
    """What the recurrent networks share: sequences as X, and recurrent layers."""

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
    }

    _stochastic_only = ("dropout", "recurrent_dropout", "input_noise", "clip_grad_norm", "stateful")

    def _check_options(self) -> None:
        super()._check_options()
        for name, value in (("bidirectional", False), ("n_steps_out", None)):
            if self.stateful and getattr(self, name) != value:
                raise ValueError(
                    f"stateful=True does not work with {name}={getattr(self, name)}: set "
                    f"{name}={value}."
                )

    def _check_X(self, X, reset: bool):
        X = super()._check_X(X, reset)
        if self.stateful and not has_input(X).all():
            raise ValueError("stateful=True needs sequences of one length, X has several.")
        return X

    def _describe_module(self, n_outputs: int) -> dict:
        sizes = hidden_sizes(self.hidden_layer_sizes)
        filters = hidden_sizes(self.filters, "filters")
        step_shape = [int(side) for side in self._sample_shape_[1:]]
        if not sizes:
            raise ValueError("hidden_layer_sizes must name at least one recurrent layer.")
        if filters and len(step_shape) not in (2, 3):
            raise ValueError(
                f"filters={self.filters} needs frames of shape (height, width) or (n_channels, "
                f"height, width) as steps, X has steps of shape {tuple(step_shape)}."
            )
        steps_out = self.n_steps_out or ("each" if self._target_axes_ else "last")
        return {
            "step_shape": step_shape,
            "hidden_layer_sizes": sizes,
            "n_outputs": n_outputs,
            "cell": self.cell,
            "bidirectional": self.bidirectional,
            "merge_mode": self.merge_mode,
            "dropout": one_a_layer(self.dropout, len(sizes), "dropout"),
            "recurrent_dropout": one_a_layer(
                self.recurrent_dropout, len(sizes), "recurrent_dropout"
            ),
            "input_noise": self.input_noise,
            "filters": filters,
            "kernel_size": int(self.kernel_size),
            "stride": int(self.strides),
            "steps_out": steps_out if isinstance(steps_out, str) else int(steps_out),
            "stateful": self.stateful,
        }

    def _make_module(self, structure: dict) -> RecurrentNetwork:
        network = RecurrentNetwork(**structure)
        n_further = structure["steps_out"] if isinstance(structure["steps_out"], int) else 0
        n_steps = self._sample_shape_[0] + n_further
        network.n_multiplications = n_steps * network.n_multiplications_a_step
        network.largest_output = n_steps * network.largest_output_a_step
        return network

    def _draw_weights(self, rng) -> None:
        scheme = "glorot_uniform" if self.weight_init == "auto" else self.weight_init
        generator = new_generator(rng.randint(np.iinfo(np.int32).max), torch.device("cpu"))
        # The factorisation behind orthogonal weights has other bits with more threads.
        with openmp_pools().limit(limits=1):
            initialise(self.module_, scheme, generator)
            self.module_.initialise(scheme, generator)

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
            With `n_steps_out`, its steps are among them. Steps behind the end of a shorter sequence
            are NaN.
        """
        check_is_fitted(self)
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

    def _describe_layers(self) -> list[Layer]:
        with self.module_.kept_states():
            return super()._describe_layers()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


@documented(RECURRENT_PARAMETERS)
class RNNClassifier(RecurrentEstimator, NeuralClassifier):
    """Recurrent network classifier: a class for each sequence, or for each of its steps.

    Parameters
    ----------
    %(parameters)s
    loss : {'log_loss', 'cross_entropy'}, default='log_loss'
        'log_loss' chooses by the kind of y: one logistic output for two classes, a softmax for
        more, one logistic output a label for labels of zeros and ones. 'cross_entropy' always
        takes a softmax, and reads rows of y as one-hot rows or class probabilities.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels; column numbers for labels of zeros and ones, and for class probabilities.

    %(attributes)s
    See Also
    --------
    RNNRegressor : Recurrent network regressor.
    MLPClassifier : Multi-layer perceptron classifier.

    Notes
    -----
    X holds sequences, in one of these forms:

    - an array of shape (n_samples, n_steps, n_features);
    - rows of shape (n_samples, n_steps), dense or sparse, whose columns are steps of one number;
    - a list of arrays of shape (n_steps, n_features) or (n_steps,), whose lengths may differ;
    - frames of shape (n_samples, n_steps, height, width) or (n_samples, n_steps, n_channels,
      height, width), or a list of such sequences.

    Predictions take sequences of any length, except for rows. `n_features_in_` is the number of
    features of a step; of rows, that of columns.

    A loss of several steps is their mean, so that each sequence weighs the same, however long it
    is. Recurrent layers have one bias a unit and gate. Their input weights are drawn as
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
        hidden_layer_sizes=(32,),
        cell="lstm",
        *,
        bidirectional=False,
        merge_mode="concat",
        dropout=0.0,
        recurrent_dropout=0.0,
        stateful=False,
        n_steps_out=None,
        filters=(),
        kernel_size=5,
        strides=2,
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
        loss="log_loss",
        input_noise=0.0,
        weight_init="auto",
        class_weight=None,
        label_smoothing=0.0,
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

    def predict_log_proba(self, X):
        """Estimate the logarithm of each class's probability.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, ...) or list of array-like
            Sequences.

        Returns
        -------
        log_probability : ndarray of shape (n_samples, ..., n_classes) or list of ndarray
            Logarithms of `predict_proba`, finite also where that is rounded to 0.
        """
        return self._in_steps(np.asarray, X, self._activate_in_double(self._log_activation, X))

    def _rank(self, probability, k: int) -> tuple:
        if not isinstance(probability, list):
            return super()._rank(probability, k)
        ranked = [super(RNNClassifier, self)._rank(rows, k) for rows in probability]
        return tuple(map(list, zip(*ranked)))


@documented(RECURRENT_PARAMETERS)
class RNNRegressor(RecurrentEstimator, NeuralRegressor):
    """Recurrent network regressor: numbers for each sequence, or for each of its steps.

    Parameters
    ----------
    loss : {'squared_error', 'poisson', 'absolute_error', 'huber'}, default='squared_error'
        What is minimised: half of the squared error, half of the Poisson deviance (the output is
        an exponential, and y must not be negative), the absolute error, or Huber's loss with
        its corner at 1.

    %(parameters)s
    Attributes
    ----------
    %(attributes)s
    See Also
    --------
    RNNClassifier : Recurrent network classifier.
    MLPRegressor : Multi-layer perceptron regressor.

    Notes
    -----
    X holds sequences, in one of these forms:

    - an array of shape (n_samples, n_steps, n_features);
    - rows of shape (n_samples, n_steps), dense or sparse, whose columns are steps of one number;
    - a list of arrays of shape (n_steps, n_features) or (n_steps,), whose lengths may differ;
    - frames of shape (n_samples, n_steps, height, width) or (n_samples, n_steps, n_channels,
      height, width), or a list of such sequences.

    Predictions take sequences of any length, except for rows. `n_features_in_` is the number of
    features of a step; of rows, that of columns.

    A loss of several steps is their mean, so that each sequence weighs the same, however long it
    is. Recurrent layers have one bias a unit and gate. Their input weights are drawn as
    `weight_init` says ('auto' is 'glorot_uniform'), gate by gate; recurrent weights are orthogonal;
    biases are zero, but those of an LSTM's forget gates one.

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
        loss="squared_error",
        hidden_layer_sizes=(32,),
        cell="lstm",
        *,
        bidirectional=False,
        merge_mode="concat",
        dropout=0.0,
        recurrent_dropout=0.0,
        stateful=False,
        n_steps_out=None,
        filters=(),
        kernel_size=5,
        strides=2,
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
        input_noise=0.0,
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
