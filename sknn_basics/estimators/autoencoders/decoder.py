"""The second half of an autoencoder, alone."""

from copy import deepcopy
from inspect import signature
from math import prod

import numpy as np
import torch
from sklearn.utils import check_array, check_random_state, check_scalar

from sknn_basics.estimators._base.checks import check_latents
from sknn_basics.estimators._base.saving import check_version, package_version
from sknn_basics.modules.adversarial import dense_generator, draw_latents
from sknn_basics.modules.autoencoder import dense_decoder
from sknn_basics.modules.conv_adversarial import conv_generator
from sknn_basics.modules.conv_autoencoder import ConvDecoder
from sknn_basics.modules.images import undo_preprocessing
from sknn_basics.modules.recurrent_autoencoder import recurrent_decoder
from sknn_basics.training.batches import ArrayDataset, map_batches, samples_a_batch
from sknn_basics.training.devices import DTYPES, new_generator, resolve_device_or_cpu
from sknn_basics.training.losses import OUTPUT_ACTIVATIONS
from sknn_basics.training.saving import load_weights

# Networks by the kind of autoencoder, or of GAN.
DECODERS = {
    "dense": dense_decoder,
    "convolutional": ConvDecoder,
    "recurrent": recurrent_decoder,
    "dense generator": dense_generator,
    "convolutional generator": conv_generator,
}


class Decoder:
    """Decoder of a fitted autoencoder, or generator of a GAN, which needs nothing else of them.

    `extract_decoder` of an autoencoder makes it, and `extract_generator` of a GAN. It is saved and
    loaded as any object, by pickle, joblib or skops, with half of the weights of the whole, and
    computes on the device that its estimator was given.

    Parameters
    ----------
    kind : str
        Kind of network, in `DECODERS`.
    structure : dict
        Arguments of the network.
    weights : dict of str to ndarray
        Its weights.
    n_components : int
        Number of latent variables.
    sample_shape : tuple of int
        Shape of a decoded sample.
    out_activation : {'logistic', 'identity'}
        Activation of the outputs.
    dtype : {'float32', 'float64'}
        Data type of the network.
    device : str or torch.device, default='auto'
        Where to compute.
    latent_mean : ndarray of shape (n_components,) or None, default=None
        Mean of the latent variables that `sample` decodes; None if they have no known distribution.
    latent_scale : ndarray of shape (n_components, n_components) or None, default=None
        What draws of a unit normal are multiplied with, before the mean is added; None leaves them.
    latent : {'uniform', 'symmetric', 'normal'}, callable or None, default=None
        Distribution of the latent variables of a GAN, which `sample` draws from; None for an
        autoencoder.
    condition : ndarray of shape (n_classes,) or None, default=None
        What is appended to all latent variables: the class whose samples a conditional GAN makes.

    Attributes
    ----------
    module : nn.Module
        The network.

    Examples
    --------
    >>> import pickle
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import Autoencoder
    >>> X, _ = load_digits(return_X_y=True)
    >>> model = Autoencoder((32,), 5, max_iter=5, random_state=0).fit(X / 16)
    >>> decoder = pickle.loads(pickle.dumps(model.extract_decoder(X / 16)))
    >>> decoder.sample(3, random_state=0).shape
    (3, 64)
    """

    def __init__(
        self,
        kind,
        structure,
        weights,
        *,
        n_components,
        sample_shape,
        out_activation,
        dtype,
        device="auto",
        latent_mean=None,
        latent_scale=None,
        latent=None,
        condition=None,
    ):
        self.__setstate__({k: v for k, v in locals().items() if k != "self"})

    def inverse_transform(self, Z) -> np.ndarray:
        """Decode latent variables.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_components)
            Latent variables.

        Returns
        -------
        X : ndarray of shape (n_samples, ...)
            Reconstructions.

        Raises
        ------
        ValueError
            If Z has another number of columns.
        """
        Z = check_latents(Z, self.n_components, self.dtype)
        if self.condition is not None:
            Z = np.hstack([Z, np.tile(self.condition, (len(Z), 1)).astype(Z.dtype)])
        weight = next(self.module.parameters())
        activate = OUTPUT_ACTIVATIONS[self.out_activation]
        output = map_batches(
            lambda batch: activate(self.module(batch[0])).numpy(force=True),
            ArrayDataset(Z, dtype=weight.dtype, device=weight.device),
            # Latent variables are small, what they are decoded into is not.
            samples_a_batch(self.module, max(Z.shape[1], prod(self.sample_shape)) * Z.itemsize),
        )
        return undo_preprocessing(output.reshape(len(Z), *self.sample_shape), self.structure)

    def sample(self, n_samples: int = 1, random_state=None) -> np.ndarray:
        """Make new samples: decode latent variables drawn from their distribution.

        Parameters
        ----------
        n_samples : int, default=1
            How many.
        random_state : int, RandomState instance or None, default=None
            Source of the draws.

        Returns
        -------
        X : ndarray of shape (n_samples, ...)
            Decoded draws: of the unit normal for a variational autoencoder, of its own `latent` for
            a GAN, else of the normal distribution with the mean and covariance of the latent
            variables that `extract_decoder` saw.

        Raises
        ------
        ValueError
            If the distribution of the latent variables is not known.
        """
        if self.latent_mean is None and self.latent is None:
            raise ValueError(
                "The latent variables follow no known distribution: pass X to extract_decoder, "
                "whose latent variables new ones shall resemble."
            )
        check_scalar(n_samples, "n_samples", (int, np.integer), min_val=1)
        rng = check_random_state(random_state)
        if self.latent is not None:
            return self.inverse_transform(
                latents_as_array(self.latent, n_samples, self.n_components, rng)
            )
        noise = rng.standard_normal((n_samples, self.n_components))
        if self.latent_scale is not None:
            noise = noise @ self.latent_scale.T
        return self.inverse_transform(noise + self.latent_mean)

    def get_params(self, deep: bool = True) -> dict:
        """Get parameters.

        Parameters
        ----------
        deep : bool, default=True
            Ignored: no parameter has any of its own.

        Returns
        -------
        params : dict
            Values by name.
        """
        return {name: getattr(self, name) for name in signature(type(self)).parameters}

    def set_params(self, **params):
        """Set parameters, and make the network anew.

        Parameters
        ----------
        **params : dict
            Values by name.

        Returns
        -------
        self : object
            The decoder.

        Raises
        ------
        ValueError
            If there is no parameter of a name.
        """
        parameters = self.get_params()
        if unknown := [name for name in params if name not in parameters]:
            raise ValueError(f"Decoder has no parameters {unknown}, but {list(parameters)}.")
        self.__setstate__({**parameters, **params})
        return self

    def __sklearn_clone__(self):
        # Its weights are parameters: a clone decodes as it does.
        return deepcopy(self)

    def __repr__(self) -> str:
        return f"Decoder(n_components={self.n_components}, sample_shape={self.sample_shape})"

    def __getstate__(self) -> dict:
        state = {name: value for name, value in vars(self).items() if name != "module"}
        return {**state, "sknn_basics_version": package_version()}

    def __setstate__(self, state: dict) -> None:
        state = dict(state)
        check_version(state.pop("sknn_basics_version", package_version()), "Decoder")
        vars(self).update({"latent": None, "condition": None, **state})
        self.module = DECODERS[self.kind](**self.structure)
        device = resolve_device_or_cpu(self.device)
        self.module.to(device=device, dtype=DTYPES[self.dtype]).eval()
        load_weights(self.module, self.weights)


def latents_as_array(
    latent, n_samples: int, n_components: int, rng: np.random.RandomState
) -> np.ndarray:
    """Draw the latent variables of a GAN."""
    noise = new_generator(rng.randint(np.iinfo(np.int32).max), torch.device("cpu"))
    return draw_latents(latent, n_samples, n_components, noise).numpy(force=True)


def normal_distribution(Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the mean of latent variables, and the scale whose square is their covariance."""
    Z = check_array(Z, dtype=np.float64)
    values, vectors = np.linalg.eigh(np.cov(Z, rowvar=False, bias=True).reshape(2 * [Z.shape[1]]))
    return Z.mean(axis=0), vectors * np.sqrt(np.maximum(values, 0))
