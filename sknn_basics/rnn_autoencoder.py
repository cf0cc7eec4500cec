"""Recurrent autoencoders."""

from numbers import Integral

from sklearn.utils._param_validation import Interval, StrOptions

from sknn_basics.autoencoder import CODE_CONSTRAINTS, CodeMixin
from sknn_basics.checks import check_samples, hidden_sizes, one_a_layer
from sknn_basics.documentation import AUTOENCODER_PARAMETERS, RECURRENT_PARAMETERS, documented
from sknn_basics.modules.cells import CELLS
from sknn_basics.modules.recurrent_autoencoder import (
    RecurrentAutoencoderNetwork,
    recurrent_autoencoder,
)
from sknn_basics.rnn import RecurrentEstimator, recurrent_only
from sknn_basics.transformers import NeuralTransformer


@documented(RECURRENT_PARAMETERS | AUTOENCODER_PARAMETERS)
class RNNAutoencoder(CodeMixin, NeuralTransformer):
    """Recurrent autoencoder of sequences.

    An encoder of recurrent layers reads a sequence, and maps its state behind the last step to a
    few latents; a decoder of recurrent layers is given these at every step, and writes the sequence
    again.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int, default=(32,)
        Number of units of each recurrent layer of the encoder.

    bidirectional : bool, default=False
        Whether the encoder reads each sequence in both directions. The decoder writes in one.

    dropout : float in [0, 1) or array-like of float, default=0.0
        Probability of dropping a unit's output in training, in the encoder; one value, or one a
        layer.

    recurrent_dropout : float in [0, 1) or array-like of float, default=0.0
        Probability of dropping a unit's output from step to step in training, in the encoder; one
        value, or one a layer.

    learning_rate_init : float or 'auto', default=0.003
        Initial rate; 'auto' is the solver's own usual rate.

    max_iter : int, default=80
        Largest number of epochs, or of iterations of 'lbfgs'.

    %(parameters)s
    Attributes
    ----------
    %(attributes)s
    See Also
    --------
    Autoencoder : Autoencoder of dense networks.
    RNNRegressor : Recurrent network regressor.

    Notes
    -----
    X has shape (n_samples, n_steps, n_features), or holds rows of shape (n_samples, n_steps) with
    one number a step. All sequences have the same number of steps, in `fit` and later.

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
        "recurrent_dropout": RecurrentEstimator._parameter_constraints["recurrent_dropout"],
    }

    _decoder_kind = "recurrent"
    _stochastic_only = ("dropout", "recurrent_dropout", "noise", "clip_grad_norm")

    def __init__(
        self,
        hidden_layer_sizes=(32,),
        n_components=20,
        cell="lstm",
        *,
        bidirectional=False,
        decoder_layer_sizes=None,
        latent_activation="identity",
        dropout=0.0,
        recurrent_dropout=0.0,
        loss="auto",
        out_activation="auto",
        noise=None,
        noise_amount=0.2,
        sparsity=0.0,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.003,
        power_t=0.5,
        max_iter=80,
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

    def _check_X(self, X, reset: bool):
        X = check_samples(self, X, reset)
        if X.ndim > 3:
            raise ValueError(
                "X must have shape (n_samples, n_steps) or (n_samples, n_steps, n_features), got "
                f"{X.shape}: flatten its steps."
            )
        return X

    def _describe_module(self, n_outputs: int) -> dict:
        n_steps, *step_shape = map(int, self._sample_shape_)
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

    _draw_weights = RecurrentEstimator._draw_weights

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
