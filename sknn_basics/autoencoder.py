"""Autoencoders."""

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval, StrOptions

from sknn_basics.checks import check_samples, hidden_sizes, one_a_layer
from sknn_basics.documentation import AUTOENCODER_PARAMETERS, documented
from sknn_basics.modules.autoencoder import NOISES, AutoencoderNetwork, dense_autoencoder
from sknn_basics.modules.layers import ACTIVATIONS
from sknn_basics.training.losses import Reconstruction
from sknn_basics.transformers import NeuralTransformer

CODE_CONSTRAINTS = {
    "latent_activation": [StrOptions(set(ACTIVATIONS)), callable],
    "noise": [StrOptions(set(NOISES)), None],
    "noise_amount": [Interval(Real, 0, None, closed="left")],
    "sparsity": [Interval(Real, 0, None, closed="left")],
}


class CodeMixin:
    """What autoencoders share whose latents are numbers, not distributions."""

    def _check_options(self) -> None:
        super()._check_options()
        if self.noise == "mask" and self.noise_amount >= 1:
            raise ValueError(
                "noise='mask' needs a noise_amount in [0, 1), the share of values that are set "
                f"to zero, got {self.noise_amount}."
            )

    def _describe_code(self) -> dict:
        """Collect the arguments of a network that concern latents and noise."""
        return {
            "latent_activation": self.latent_activation,
            "noise": self._describe_noise(),
            "appends_latents": self.sparsity > 0,
        }

    def _describe_noise(self) -> list | None:
        """Name what corrupts X, and collect its arguments."""
        if self.noise is None:
            return None
        limits = self._input_range_ if self.noise == "gaussian" else []
        return [self.noise, float(self.noise_amount), *limits]

    def _make_criterion(self) -> Reconstruction:
        loss = self._make_reconstruction_loss()
        return Reconstruction(loss, self.n_outputs_, self.sparsity)


class DenseAutoencoder(NeuralTransformer):
    """What autoencoders of dense networks share: tabular X, and the sizes of layers."""

    _parameter_constraints: dict = {
        **NeuralTransformer._parameter_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "decoder_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
            None,
        ],
    }

    _decoder_kind = "dense"
    _stochastic_only = ("dropout", "max_norm", "clip_grad_norm")

    def _check_X(self, X, reset: bool):
        X = check_samples(self, X, reset)
        if X.ndim != 2:
            raise ValueError(
                f"X must have shape (n_samples, n_features), got {X.shape}: flatten the samples."
            )
        return X

    def _describe_module(self, n_outputs: int) -> dict:
        encoder = hidden_sizes(self.hidden_layer_sizes)
        decoder = encoder[::-1]
        if self.decoder_layer_sizes is not None:
            decoder = hidden_sizes(self.decoder_layer_sizes, "decoder_layer_sizes")
        return {
            "n_features": n_outputs,
            "hidden_layer_sizes": encoder,
            "n_components": int(self.n_components),
            "decoder_layer_sizes": decoder,
            "activation": self.activation if encoder or decoder else "identity",
            "normalization": self.normalization if encoder or decoder else None,
            "dropout": one_a_layer(self.dropout, len(encoder) + len(decoder), "dropout"),
            "max_norm": self.max_norm,
        }


@documented(AUTOENCODER_PARAMETERS)
class Autoencoder(CodeMixin, DenseAutoencoder):
    """Autoencoder of dense networks.

    An encoder maps each sample to a few latents, and a decoder maps these back; both are trained
    together to give back what they were given. With `noise`, it is a denoising autoencoder, with
    `sparsity` a sparse one. It is a transformer: it reduces dimensions before any other estimator,
    cleans with `reconstruct`, and finds anomalies with `score_samples`.

    Parameters
    ----------
    %(parameters)s
    tied_weights : bool, default=False
        Whether the decoder has the transposed weights of the encoder, and only biases of its own.

    Attributes
    ----------
    %(attributes)s
    See Also
    --------
    VariationalAutoencoder : An autoencoder whose latents are normally distributed.
    sklearn.decomposition.PCA : What an autoencoder without hidden layers and activations finds.

    Notes
    -----
    The reported losses are averaged over features. `score` and `score_samples` are negative squared
    errors, averaged over features, whatever `loss` is: they compare models of different losses, and
    are 0 for a perfect reconstruction.

    References
    ----------
    Hinton and Salakhutdinov. "Reducing the dimensionality of data with neural networks."
    Science 313 (2006): 504-507.

    Vincent, Larochelle, Bengio and Manzagol. "Extracting and composing robust features with
    denoising autoencoders." ICML 2008.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sknn_basics import Autoencoder
    >>> X, _ = load_digits(return_X_y=True)
    >>> X = X[:500] / 16
    >>> model = Autoencoder(
    ...     hidden_layer_sizes=(32,), n_components=2, solver="lbfgs", max_iter=60, random_state=0
    ... )
    >>> Z = model.fit_transform(X)
    >>> Z.shape
    (500, 2)
    >>> pca = PCA(2).fit(X)
    >>> error_of_pca = ((X - pca.inverse_transform(pca.transform(X))) ** 2).mean()
    >>> bool(-model.score(X) < error_of_pca)
    True
    """

    _parameter_constraints: dict = {
        **DenseAutoencoder._parameter_constraints,
        **CODE_CONSTRAINTS,
        "tied_weights": ["boolean"],
    }

    _stochastic_only = ("noise", *DenseAutoencoder._stochastic_only)

    def __init__(
        self,
        hidden_layer_sizes=(512, 256),
        n_components=20,
        activation="relu",
        *,
        decoder_layer_sizes=None,
        latent_activation="identity",
        loss="auto",
        out_activation="auto",
        noise=None,
        noise_amount=0.2,
        sparsity=0.0,
        tied_weights=False,
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

    def _check_options(self) -> None:
        super()._check_options()
        if self.tied_weights and self.decoder_layer_sizes is not None:
            raise ValueError(
                "tied_weights=True mirrors the encoder: decoder_layer_sizes must be None, got "
                f"{self.decoder_layer_sizes}."
            )

    def _describe_module(self, n_outputs: int) -> dict:
        return {
            **super()._describe_module(n_outputs),
            **self._describe_code(),
            "tied_weights": bool(self.tied_weights),
        }

    def _make_module(self, structure: dict) -> AutoencoderNetwork:
        return dense_autoencoder(**structure)
