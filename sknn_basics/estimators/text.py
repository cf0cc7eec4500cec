"""Text generation."""

from collections.abc import Mapping, Sequence
from functools import partial
from numbers import Integral, Real
from types import MappingProxyType

import numpy as np
import torch
from scipy.special import softmax
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sknn_basics._compat import HasMethods, Interval, StrOptions, fit_context, validate_params
from sknn_basics.estimators._base.checks import hidden_sizes, one_a_layer
from sknn_basics.estimators._base.fit import NeuralEstimator
from sknn_basics.estimators._base.texts import (
    LEVELS,
    Vocabulary,
    are_short,
    check_texts,
    choose_tokens,
    count_tokens,
    cut_windows,
    read_vectors,
)
from sknn_basics.estimators._base.types import (
    Callbacks,
    Device,
    Float,
    Floats,
    Int,
    Ints,
    LearningRate,
    Names,
    RandomState,
    Rates,
    Renamed,
    Scoring,
    Solver,
    Source,
    WeightInit,
)
from sknn_basics.estimators.recurrent import draw_recurrent_weights, recurrent_only
from sknn_basics.modules.cells import CELLS
from sknn_basics.modules.recurrent import Embedding, OneHot, RecurrentNetwork
from sknn_basics.training.losses import CrossEntropy, SequenceLoss
from sknn_basics.training.optimisers import SOLVERS
from sknn_basics.training.text import (
    TextDataset,
    TextNet,
    Windows,
    evaluation,
    log_probabilities,
    logits_behind,
    read_all,
    read_on,
    take_states,
)

# Width of an embedding of words; characters are one-hot encoded.
WORD_EMBEDDING = 64


class TextGenerator(NeuralEstimator):
    """Recurrent network that learns to continue texts, by characters or by words.

    At each token it predicts the probabilities of all tokens to come next. It learns from windows
    of the texts, and carries its state from token to token when it writes.

    Parameters
    ----------
    level : {'char', 'word'}, default='char'
        What tokens are: characters; or numbers, words (with the apostrophes and hyphens in
        them), punctuation marks and ends of lines. Spaces are then not kept, but written where
        they usually are.

    window : int, default=40
        Number of tokens of a training window.

    step : int, default=3
        Number of tokens from the beginning of a window to that of the next one.

    target : {'each', 'last'}, default='each'
        What is predicted in training: the token after each token of a window, or the one
        after its last token alone.

    hidden_layer_sizes : array-like of int, default=(128, 128)
        Number of cells of each recurrent layer.

    cell : {'lstm', 'gru', 'rnn'}, default='lstm'
        Kind of the cells: long short-term memory, gated recurrent units, or plain ones with
        tanh.

    embedding_size : int, None or 'auto', default='auto'
        Number of values that stand for a token, learned with the rest; None for one-hot
        encoding. 'auto' is None for characters and 64 for words.

    embedding : array of shape (n_tokens, n_dims), mapping of str to array or None, default=None
        Vectors of words to begin with: a mapping, or what is indexed by words as gensim's
        vectors are, or an array with a row for each token of `vocabulary`. Tokens without a
        vector begin at random. ``frozen_layers="embedding"`` keeps all as they are.

    vocabulary : array-like of str or None, default=None
        The tokens; None takes those of the texts of the first fit.

    max_tokens : int or None, default=None
        How many tokens are taken from the texts, the most frequent ones, besides the unknown
        token; None takes all.

    unknown_token : str, None or 'auto', default='auto'
        Token that stands for all others, in training and later; '' leaves others out, so that
        `vocabulary` or `max_tokens` reduces the alphabet; None raises an error where there are
        others. 'auto' is None for characters and '<unk>' for words.

    end_token : bool or 'auto', default='auto'
        Whether the token '<end>' stands before and after each text, so that texts that are
        written begin and end as those of the training. 'auto' is True where X is several
        texts, none of which is longer than a window: names, for example.

    lowercase : bool, default=False
        Whether all texts are lower-cased first.

    dropout : float in [0, 1) or array-like of float, default=0.0
        Probability of dropping an output of a recurrent layer in training; one value, or one
        per layer.

    recurrent_dropout : float in [0, 1) or array-like of float, default=0.0
        Probability of dropping the outputs that a cell passes to the next step in training, the
        same cells at all steps of a sequence; one value, or one per layer.

    solver : str or torch.optim class, default='adam'
        'sgd', 'adam', 'adamw', 'adamax', 'nadam', 'radam', 'rmsprop', 'adagrad', 'adadelta';
        'muon' for Muon on the matrices of hidden layers and AdamW on everything else; 'lbfgs'
        for SciPy's L-BFGS-B on all samples at once, in double precision; or a class or function
        that is called with the parameters and the learning rate as ``lr``, and keeps its own
        defaults.

    alpha : float, default=0.0
        Strength of the L2 penalty on weights, divided by the number of samples of a batch. With
        ``solver='adamw'`` or ``'muon'`` it is the decoupled weight decay instead: each step
        multiplies weights, but not biases, by 1 - learning rate * `alpha`, and the loss has no
        penalty.

    batch_size : int or 'auto', default='auto'
        Number of windows per batch; 'auto' is ``min(100, n_windows)``.

    learning_rate : str, Schedule or callable, default='constant'
        Schedule of the learning rate: 'constant', 'invscaling', 'adaptive' (as in scikit-learn;
        the last two have no effect on solver 'adam'), 'step', 'exponential', 'cosine',
        'one_cycle', 'reduce_on_plateau'; an instance of a class of
        `sknn_basics.training.schedules`, which may also change it after every step; or a
        function that returns the learning rate for an epoch, counted from 0, in which case
        `learning_rate_init` is not used. 'cosine' and 'one_cycle' end after `max_iter` epochs:
        further calls of ``partial_fit`` keep the last learning rate, and warn; a warm start
        begins anew.

    learning_rate_init : float or 'auto', default=0.002
        Initial learning rate. 'auto' is the usual one of the solver: 0.01 for 'sgd' and
        'adagrad', 0.002 for 'adamax' and 'nadam', 1.0 for 'adadelta', and 0.001 for the others.

    power_t : float, default=0.5
        Exponent of 'invscaling'.

    max_iter : int, default=20
        Largest number of epochs.

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
        Whether to hold out the last windows, which share no token with the others, stop when
        their score does not improve by `tol` for `n_iter_no_change` epochs, and restore the
        best weights.

    validation_fraction : float in [0, 1), default=0.1
        Share of the windows to hold out.

    beta_1 : float in [0, 1), default=0.9
        Decay rate of the first moment, of Adam and its variants.

    beta_2 : float in [0, 1), default=0.999
        Decay rate of the second moment, of Adam and its variants.

    epsilon : float, default=1e-8
        Stabilises the division, of Adam, its variants and 'rmsprop'.

    n_iter_no_change : int or inf, default=10
        Number of epochs without improvement after which the training ends.

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

    scoring : {'loss'} or None, default=None
        What is recorded on the validation data and watched by `early_stopping`: minus the loss,
        or minus the bits per token.

    callbacks : list of skorch callbacks or None, default=None
        Called during the training, after the estimator's own.

    device : str or torch.device, default='auto'
        Where to compute: 'auto' is a CUDA GPU if there is one, and the CPU otherwise. After a
        fit, ``net_.device`` is the device that was used.

    dtype : {'float32', 'float64'}, default='float32'
        Data type of the network.

    compile : bool, default=False
        Whether to compile the network with `torch.compile`.

    cuda_graphs : bool, default=True
        Whether steps on a GPU are recorded and replayed as CUDA graphs, which takes the
        processor less time than to launch their kernels one by one; results are the same. Steps
        that run code of yours (callbacks, losses, augmentations, modules) are not. On a CPU it
        does nothing.

    Attributes
    ----------
    tokens_ : list of str
        The tokens, in the order of columns of `predict_proba`.

    vocabulary_ : dict of str to int
        The place of each token in `tokens_`.

    token_counts_ : ndarray of shape (n_tokens,)
        How often each was in the texts of the first fit.

    unknown_token_ : str or None
        The token that stands for all others.

    n_tokens_ : int
        Number of tokens.

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

    n_iter_ : int
        Number of epochs of the last fit.

    t_ : int
        Number of training samples that were seen, counted once per epoch.

    n_parameters_ : int
        Number of parameters of the network.

    See Also
    --------
    RNNClassifier : Recurrent network classifier.
    sknn_basics.training.callbacks.PrintText : Callback that writes a text after every epoch.

    Notes
    -----
    Inputs are one text or several; a window lies within one text. Tokens are numbers until a batch
    is read, so memory holds no array of windows. Texts shorter than a window are windows of their
    own, with the default `target`. With windows side by side (``step=window``), an epoch takes a
    fraction of the time, and more epochs learn at least as much.

    `init_from` takes layers that know tokens by their places: give the other generator's `tokens_`
    as `vocabulary`.

    References
    ----------
    Sutskever, Martens and Hinton. "Generating text with recurrent neural networks." ICML 2011.

    Graves. "Generating sequences with recurrent neural networks." arXiv:1308.0850.

    Examples
    --------
    >>> from sknn_basics import TextGenerator
    >>> text = "the quick brown fox jumps over the lazy dog. " * 40
    >>> model = TextGenerator(
    ...     hidden_layer_sizes=(32,), window=20, learning_rate_init=0.02, max_iter=15, tol=0,
    ...     random_state=0,
    ... )
    >>> model.fit(text).generate("the quick ", 21, strategy="argmax")
    'brown fox jumps over '

    Names end:

    >>> names = TextGenerator(hidden_layer_sizes=(16,), max_iter=60, tol=0, random_state=0)
    >>> names = names.set_params(learning_rate_init=0.02).fit(["anna", "bob"] * 50)
    >>> sorted(set(names.generate(n_texts=20, top_p=0.9, random_state=0)))
    ['anna', 'bob']
    """

    _parameter_constraints: dict = {
        **{
            name: options
            for name, options in recurrent_only(NeuralEstimator._parameter_constraints).items()
            if name not in ("max_fun", "input_noise")
        },
        "level": [StrOptions(set(LEVELS))],
        "window": [Interval(Integral, 1, None, closed="left")],
        "step": [Interval(Integral, 1, None, closed="left")],
        "target": [StrOptions({"each", "last"})],
        "embedding_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"}), None],
        "embedding": ["array-like", HasMethods(["__getitem__", "__contains__"]), None],
        "vocabulary": ["array-like", None],
        "max_tokens": [Interval(Integral, 1, None, closed="left"), None],
        "unknown_token": [str, None],
        "end_token": ["boolean", StrOptions({"auto"})],
        "lowercase": ["boolean"],
        "cell": [StrOptions(set(CELLS))],
        "recurrent_dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
        "solver": [StrOptions(set(SOLVERS)), callable],
        "init_from": [
            HasMethods("generate"),
            *NeuralEstimator._parameter_constraints["init_from"],
        ],
        "scoring": [StrOptions({"loss"}), None],
        "dtype": [StrOptions({"float32", "float64"})],
    }

    _architecture = ("tokens_", "token_counts_", "unknown_token_", "_level_", "_reading_")
    # How models read texts that were saved before there was a choice.
    _reading_ = MappingProxyType({"has_end": False, "lowercase": False})

    def __init__(
        self,
        level: str = "char",
        *,
        window: Int = 40,
        step: Int = 3,
        target: str = "each",
        hidden_layer_sizes: Ints = (128, 128),
        cell: str = "lstm",
        embedding_size: Int | str | None = "auto",
        embedding: np.ndarray | Mapping[str, np.ndarray] | None = None,
        vocabulary: Sequence[str] | np.ndarray | None = None,
        max_tokens: Int | None = None,
        unknown_token: str | None = "auto",
        end_token: bool | str = "auto",
        lowercase: bool = False,
        dropout: Floats = 0.0,
        recurrent_dropout: Floats = 0.0,
        solver: Solver = "adam",
        alpha: Float = 0.0,
        batch_size: Int | str = "auto",
        learning_rate: LearningRate = "constant",
        learning_rate_init: Float | str = 0.002,
        power_t: Float = 0.5,
        max_iter: Int = 20,
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
        dtype: str = "float32",
        compile: bool = False,
        cuda_graphs: bool = True,
    ):
        self._store(locals())

    # Learning.

    def fit(self, X, y=None, *, X_val=None):
        """Learn to continue texts.

        Parameters
        ----------
        X : str or sequence of str
            One text, or several.
        y : None
            Ignored.
        X_val : str or sequence of str, default=None
            Texts to validate on after every epoch, in place of a part of X.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a text is too short or has unknown tokens, or the training diverged.
        TypeError
            If X holds something that is no text.
        """
        return self._fit_texts(X, X_val)

    @fit_context(prefer_skip_nested_validation=True)
    def _fit_texts(self, X, X_val):
        return self._fit_epochs(X, None, None, X_val, None, None)

    def initialize(self, X, y=None):
        """Make the network for texts like the given, with its initial weights, without training.

        Parameters
        ----------
        X : str or sequence of str
            Texts, which decide what tokens there are.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The estimator, which predicts with its initial weights.
        """
        return super().initialize(X, y)

    @available_if(NeuralEstimator._has_partial_fit)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None):
        """Train for one epoch on the given texts.

        A schedule with an end, such as ``learning_rate='cosine'``, is for `max_iter` calls: those
        after them keep its last learning rate, which may be 0, and warn.

        Parameters
        ----------
        X : str or sequence of str
            One text, or several. Those of the first call decide what tokens there are, unless
            `vocabulary` does.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If a text is too short or has unknown tokens, or the training diverged.
        """
        return self._partial_fit(X, None, None)

    def _check_X(self, X, reset: bool) -> Windows:
        texts = check_texts(X)
        if reset:
            ends = self.end_token
            if ends == "auto":
                ends = self.target == "each" and are_short(texts, self.level, self.window)
            self._reading_ = {"has_end": bool(ends), "lowercase": bool(self.lowercase)}
            self.tokens_, self.unknown_token_ = choose_tokens(
                [text.lower() for text in texts] if self.lowercase else texts,
                level=self.level,
                vocabulary=self.vocabulary,
                max_tokens=self.max_tokens,
                unknown_token=self.unknown_token,
                has_end=self._reading_["has_end"],
            )
            self._level_ = self.level
        windows = cut_windows(
            texts, self._known_tokens(), window=self.window, step=self.step, target=self.target
        )
        if reset:
            # A sample is a window.
            self._sample_shape_ = (self.window,)
            self.token_counts_ = count_tokens(windows, len(self.tokens_))
        return windows

    def _known_tokens(self) -> Vocabulary:
        return Vocabulary(self._level_, self.tokens_, self.unknown_token_, **self._reading_)

    @property
    def n_tokens_(self) -> int:
        """Number of tokens."""
        check_is_fitted(self)
        return len(self.tokens_)

    @property
    def vocabulary_(self) -> dict[str, int]:
        """The place of each token in `tokens_`."""
        check_is_fitted(self)
        return self._known_tokens().numbers

    def _encode_target(self, X, y, reset: bool, classes=None) -> Windows:
        return X

    def _describe_output(self, target) -> tuple[int, str]:
        return len(self.tokens_), "softmax"

    def _describe_module(self, n_outputs: int) -> dict:
        sizes = hidden_sizes(self.hidden_layer_sizes)
        if not sizes:
            raise ValueError("hidden_layer_sizes must name at least one recurrent layer.")
        embedding_size = self.embedding_size
        if self.embedding is not None:
            vectors = read_vectors(self.embedding, self.tokens_, self.vocabulary)
            width = len(next(iter(vectors.values())))
            if embedding_size not in ("auto", width):
                raise ValueError(
                    f"embedding_size={embedding_size!r} is not the width of the vectors of "
                    f"embedding, {width}: leave it 'auto'."
                )
            embedding_size = width
        elif embedding_size == "auto":
            embedding_size = WORD_EMBEDDING if self.level == "word" else None
        ends = self.end_token
        return {
            "level": self.level,
            "has_end": self._reading_["has_end"] if ends == "auto" else bool(ends),
            "lowercase": bool(self.lowercase),
            "n_tokens": n_outputs,
            "embedding_size": None if embedding_size is None else int(embedding_size),
            "window": int(self.window),
            "hidden_layer_sizes": sizes,
            "cell": self.cell,
            "dropout": one_a_layer(self.dropout, len(sizes), "dropout"),
            "recurrent_dropout": one_a_layer(
                self.recurrent_dropout, len(sizes), "recurrent_dropout"
            ),
            "target": self.target,
        }

    def _make_module(self, structure: dict) -> RecurrentNetwork:
        n_tokens, size, window, target = map(
            structure.get, ("n_tokens", "embedding_size", "window", "target")
        )
        shared = ("hidden_layer_sizes", "cell", "dropout", "recurrent_dropout")
        network = RecurrentNetwork(
            (size or n_tokens,),
            n_outputs=n_tokens,
            steps_out=target,
            embedding=OneHot(n_tokens) if size is None else Embedding(n_tokens, size),
            **{name: structure[name] for name in shared},
        )
        network.n_multiplications = window * network.n_multiplications_a_step
        network.largest_output = window * network.largest_output_a_step
        return network

    def _draw_weights(self, rng) -> None:
        draw_recurrent_weights(self.module_, self.weight_init, rng)
        if self.embedding is not None:
            vectors = read_vectors(self.embedding, self.tokens_, self.vocabulary)
            weight = self.module_.embedding.weight.data
            weight[list(vectors)] = torch.tensor(np.stack(list(vectors.values()))).to(weight)

    def _clip_batch_size(self, n_samples: int) -> int:
        if self.batch_size == "auto":
            return min(100, n_samples)
        return super()._clip_batch_size(n_samples)

    def _make_criterion(self) -> CrossEntropy | SequenceLoss:
        return SequenceLoss(CrossEntropy()) if self.target == "each" else CrossEntropy()

    def _make_dataset(self, X, target=None, weight=None) -> TextDataset:
        return TextDataset(X, self.target, next(self.module_.parameters()).device)

    def _split_rows(self, target, rng) -> tuple[np.ndarray, np.ndarray]:
        _, rows_val = super()._split_rows(target, rng)
        # Windows that begin at least a window before the held-out ones share no token with them.
        n_between = -(-self.window // self.step)
        n_train = len(target) - len(rows_val) - n_between
        if n_train < 1:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of "
                "your dataset: early_stopping=True needs longer texts, of more than "
                f"{len(target)} windows, to hold out {len(rows_val)} that share no token with the "
                "others."
            )
        every = np.arange(len(target))
        return every[:n_train], every[n_train + n_between :]

    def _split(self, X, inputs, target, weight, validation, rng):
        if validation is None and self.early_stopping:
            whole = self._make_dataset(inputs)
            rows, rows_val = self._split_rows(target, rng)
            return whole.subset(rows), whole.subset(rows_val), self._make_score(None, None, None)
        return super()._split(X, inputs, target, weight, validation, rng)

    def _make_score(self, X, target, weight):
        return lambda net: self._score_output(net.valid_output_.numpy(), None, None)

    def _score_output(self, output, target, weight) -> float:
        # Of validation windows, the net keeps the losses in place of outputs.
        return -float(output.mean()) / (1.0 if self.scoring == "loss" else np.log(2))

    def _kind_of_net(self):
        return TextNet

    def _make_net(self, batch_size: int = 1, rng=None) -> TextNet:
        net = super()._make_net(batch_size, rng)
        net.generate = self.generate
        return net

    # Writing.

    @validate_params(
        {
            "n_texts": [Interval(Integral, 1, None, closed="left"), None],
            "temperature": [Interval(Real, 0, None, closed="neither")],
            "strategy": [StrOptions({"sample", "argmax"})],
            "top_k": [Interval(Integral, 1, None, closed="left"), None],
            "top_p": [Interval(Real, 0, 1, closed="right"), None],
            "allow_unknown": ["boolean"],
            "random_state": ["random_state"],
        },
        prefer_skip_nested_validation=True,
    )
    def generate(
        self,
        prompt=None,
        length=200,
        *,
        n_texts=None,
        temperature=1.0,
        strategy="sample",
        top_k=None,
        top_p=None,
        allow_unknown=False,
        random_state=None,
        seed=None,
    ):
        """Write a text, or several at once.

        Parameters
        ----------
        prompt : str, sequence of str or None, default=None
            Text to continue, of any length, or several. None begins a text: as those of the
            training do, if these have an `end_token`, else with a token that is drawn as frequent
            as it was in the texts of the first fit.
        length : int, default=200
            Number of tokens to write; with an `end_token`, the largest number.
        n_texts : int or None, default=None
            How many texts are written, of one prompt or none; None writes one for each prompt.
        temperature : float, default=1.0
            Divides the logarithms of the probabilities: below 1 likely tokens become likelier,
            above 1 all become more alike.
        strategy : {'sample', 'argmax'}, default='sample'
            Whether tokens are drawn with their probabilities, or the likeliest is taken.
        top_k : int or None, default=None
            Draws from so many of the likeliest tokens.
        top_p : float in (0, 1] or None, default=None
            Draws from the fewest of the likeliest tokens whose probabilities, among those of
            `top_k`, add up to this.
        allow_unknown : bool, default=False
            Whether the token that stands for unknown ones may be written.
        random_state : int, RandomState instance or None, default=None
            Source of the draws.
        seed : None
            What `prompt` was called once; raises an error.

        Returns
        -------
        text : str or list of str
            What follows the prompt; a list of several prompts or with `n_texts`.

        Raises
        ------
        ValueError
            If a prompt is empty or has a token that is not known.
        TypeError
            If the prompt is no text, as the length came first once.

        References
        ----------
        Holtzman et al. "The curious case of neural text degeneration." ICLR 2020.
        """
        check_is_fitted(self)
        prompts, is_one = check_prompts(prompt, length, n_texts, seed)
        known, rng = self._known_tokens(), check_random_state(random_state)
        forbidden = [known.unknown] if self.unknown_token_ and not allow_unknown else []
        choose = partial(choose_tokens_of, forbidden=forbidden, rng=rng)
        contexts = [known.encode_context(text, "prompt") for text in prompts if text is not None]
        n_texts, written = n_texts or len(prompts), []
        if not contexts and known.end:
            contexts = [np.array(known.end)]
        elif not contexts:
            written = [choose(np.tile(self._log_counts(), (n_texts, 1)))]
            contexts = written[0][:, np.newaxis]
        choose = partial(
            choose, strategy=strategy, temperature=temperature, top_k=top_k, top_p=top_p
        )
        with evaluation(self.module_):
            written += write_on(
                self.module_, contexts, n_texts, length - len(written), choose, known.end
            )
        texts = [cut_at_end(numbers, known.end) for numbers in np.transpose(written)]
        texts = [known.decode(numbers) for numbers in texts]
        return texts[0] if is_one else texts

    def _log_counts(self) -> np.ndarray:
        """Tell how frequent tokens are, as logits; those that never were can only follow others."""
        return np.log(self.token_counts_ + np.finfo(float).tiny)

    def predict_proba(self, X) -> np.ndarray:
        """Estimate the probability of each token to come next.

        Parameters
        ----------
        X : str or sequence of str
            One context or several, of any lengths.

        Returns
        -------
        probability : ndarray of shape (n_tokens,) or (n_contexts, n_tokens)
            Columns are in the order of `tokens_`.

        Raises
        ------
        ValueError
            If a context is empty or has a token that is not known.
        """
        check_is_fitted(self)
        known = self._known_tokens()
        contexts = [
            known.encode_context(text, f"The text at position {i}")
            for i, text in enumerate(check_texts(X))
        ]
        probability = softmax(logits_behind(self.module_, contexts), axis=1)
        return probability[0] if isinstance(X, str) else probability

    # Scoring.

    def score(self, X, y=None) -> float:
        """Compute minus the mean number of bits per token, so that higher is better.

        Each token of a text but the first is predicted from the tokens before it: from all of them,
        or from at least `window`. Models are only comparable if they have the same tokens: the
        fewer there are, the fewer bits they take.

        Parameters
        ----------
        X : str or sequence of str
            Texts that the network has not learned from.
        y : None
            Ignored.

        Returns
        -------
        score : float
            Mean of the base-2 logarithms of the tokens' probabilities.

        Raises
        ------
        ValueError
            If no text has two tokens, or one has unknown tokens.
        """
        check_is_fitted(self)
        known = self._known_tokens()
        texts = [
            known.encode(text, f"The text at position {i}") for i, text in enumerate(check_texts(X))
        ]
        context = self._structure_["window"]
        logarithms = [
            log_probabilities(self.module_, text, context) for text in texts if len(text) > 1
        ]
        if not logarithms:
            raise ValueError("score needs a text of at least two tokens.")
        return float(np.concatenate(logarithms).mean() / np.log(2))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.sparse = False
        return tags


def check_prompts(prompt, length, n_texts, seed) -> tuple[list, bool]:
    """Check what is to be written.

    Returns
    -------
    prompts : list of str or None
        The prompts.
    is_one : bool
        Whether a single text is wanted.
    """
    if seed is not None:
        raise TypeError("seed is called prompt, and comes first: generate(prompt, length).")
    if isinstance(prompt, Integral) and not isinstance(prompt, bool):
        raise TypeError(
            f"prompt must be a text, got {prompt!r}. The prompt comes first: "
            f"generate(prompt, length), or generate(length={prompt!r})."
        )
    if not isinstance(length, Integral) or length < 1:
        raise ValueError(
            "The 'length' parameter of generate must be an int in the range [1, inf). "
            f"Got {length!r} instead."
        )
    if prompt is None or isinstance(prompt, str):
        return [prompt], n_texts is None
    prompts = list(prompt) if hasattr(prompt, "__iter__") else [prompt]
    if not prompts or not all(isinstance(text, str) for text in prompts):
        raise TypeError(f"prompt must be a text or a sequence of texts, got {prompt!r}.")
    if n_texts is not None:
        raise ValueError(
            f"n_texts={n_texts} is for one prompt, got {len(prompts)}: give each of them so often."
        )
    return prompts, False


def write_on(module, contexts, n_texts: int, length: int, choose, end: list[int]) -> list:
    """Choose what follows contexts, token by token; return arrays of shape (n_texts,).

    One context is continued `n_texts` times. The texts that have ended are read on, for nothing.
    """
    logits, states = read_all(module, contexts) if length else (None, None)
    if length and len(contexts) < n_texts:
        rows = np.zeros(n_texts, np.int64)
        logits, states = logits[rows], take_states(states, rows)
    written, has_ended = [], np.zeros(n_texts, bool)
    for _ in range(length):
        if written:
            logits, states = read_on(module, written[-1][:, np.newaxis], states)
        written.append(choose(logits))
        has_ended |= np.isin(written[-1], end)
        if has_ended.all():
            break
    return written


def cut_at_end(numbers: np.ndarray, end: list[int]) -> np.ndarray:
    """Cut numbers of tokens off where the end comes."""
    places = np.flatnonzero(np.isin(numbers, end))
    return numbers[: places[0]] if len(places) else numbers


def choose_tokens_of(
    logits: np.ndarray,
    strategy: str = "sample",
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    *,
    forbidden: list[int],
    rng: np.random.RandomState,
) -> np.ndarray:
    """Choose a token for each row of logits: the largest one, or at random."""
    logits[:, forbidden] = -np.inf
    if strategy == "argmax":
        return logits.argmax(axis=1)
    with np.errstate(over="ignore", under="ignore"):
        weights = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperature)
    if top_k is not None or top_p is not None:
        weights = keep_likely(weights, top_k, top_p)
    sums = np.cumsum(weights, axis=1)
    return (sums <= rng.uniform(size=(len(sums), 1)) * sums[:, -1:]).sum(axis=1)


def keep_likely(weights: np.ndarray, top_k: int | None, top_p: float | None) -> np.ndarray:
    """Set all but the `top_k` largest weights to 0, and those beyond a share of `top_p`."""
    order = np.argsort(-weights, axis=1, kind="stable")
    ordered = np.take_along_axis(weights, order, axis=1)
    if top_k is not None:
        ordered[:, top_k:] = 0
    if top_p is not None:
        sums = np.cumsum(ordered, axis=1)
        ordered[sums - ordered >= top_p * sums[:, -1:]] = 0
    kept = np.empty_like(weights)
    np.put_along_axis(kept, order, ordered, axis=1)
    return kept
