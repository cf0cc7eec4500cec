"""Convolutional autoencoders."""

from math import prod
from numbers import Integral

import numpy as np
import torch
from sklearn.utils._param_validation import Interval

from sknn_basics.autoencoder import CODE_CONSTRAINTS, CodeMixin
from sknn_basics.checks import hidden_sizes, value_range
from sknn_basics.convnet import ConvNetEstimator, ImageEstimator
from sknn_basics.documentation import CONV_AUTOENCODER_PARAMETERS, documented
from sknn_basics.modules.autoencoder import AutoencoderNetwork, VariationalNetwork
from sknn_basics.modules.conv import USUAL_KERNEL
from sknn_basics.modules.conv_autoencoder import conv_autoencoder, conv_variational
from sknn_basics.modules.images import SamplePreprocessing
from sknn_basics.training.batches import (
    ReconstructionDataset,
    evaluation_batch_size,
    map_batches,
)
from sknn_basics.transformers import NeuralTransformer
from sknn_basics.variational import VARIATIONAL_CONSTRAINTS, VariationalMixin


class ConvAutoencoderEstimator(NeuralTransformer, ImageEstimator):
    """What convolutional autoencoders share: images as X, and blocks of one convolution."""

    _parameter_constraints: dict = {
        **NeuralTransformer._parameter_constraints,
        **{
            name: ConvNetEstimator._parameter_constraints[name]
            for name in (
                "filters",
                "kernel_size",
                "downsample",
                "pool_size",
                "normalization",
                "activation",
                "image_shape",
                "data_format",
                "preprocessing",
            )
        },
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "latent_filters": [Interval(Integral, 1, None, closed="left"), None],
        "decoder_filters": ["array-like", Interval(Integral, 1, None, closed="left"), None],
    }

    _decoder_kind = "convolutional"
    _stochastic_only = ("dropout", "clip_grad_norm")

    # Only pools and strides change the size of images, so that the decoder can undo it.
    strides, padding, max_norm = 1, "same", None

    def _describe_module(self, n_outputs: int) -> dict:
        shape, channel_axis = self._describe_images()
        hidden_sizes(self.filters, "filters")  # one convolution a block
        size = shape if channel_axis is None else shape[1:] if channel_axis == 0 else shape[:-1]
        blocks = self._describe_blocks(len(size))
        sizes = halved_sizes(size, blocks)
        n_channels = self.latent_filters or blocks[-1]["filters"][0]
        latent_shape = [int(n_channels), *sizes[-1]]
        is_dense = self.n_components is not None
        return {
            "image_shape": shape,
            "channel_axis": channel_axis,
            "blocks": blocks,
            "decoder_blocks": self._describe_decoder(blocks, sizes),
            "latent_filters": self.latent_filters,
            "latent_shape": latent_shape,
            "n_components": int(self.n_components) if is_dense else prod(latent_shape),
            "is_dense": is_dense,
            "preprocessing": self.preprocessing,
        }

    def _value_range(self, array) -> tuple[float, float]:
        if self.preprocessing is None:
            return super()._value_range(array)
        preprocess = SamplePreprocessing(*self._describe_images(), self.preprocessing)
        rows = ReconstructionDataset(
            array, array, dtype=torch.float32, device=torch.device("cpu"), preprocess=preprocess
        )
        size = evaluation_batch_size(rows, preprocess)
        ranges = map_batches(lambda batch: np.array([value_range(batch[0])]), rows, size)
        return float(ranges[:, 0].min()), float(ranges[:, 1].max())

    def _describe_decoder(self, blocks: list[dict], sizes: list[tuple]) -> list[dict]:
        """Collect the arguments of the decoder's blocks, which mirror the encoder's."""
        filters = [block["filters"][0] for block in reversed(blocks)]
        if self.decoder_filters is not None:
            filters = hidden_sizes(self.decoder_filters, "decoder_filters")
            if len(filters) == len(blocks) - 1:
                filters = [None, *filters]
        if len(filters) != len(blocks) or (filters[0] is None and self._moves(blocks[-1])):
            raise ValueError(
                f"decoder_filters must give one number for each of the {len(blocks)} blocks, or "
                f"one fewer where pools make images smaller, got {self.decoder_filters!r}."
            )
        upsamplings = {"stride": "stride", None: None}
        return [
            {
                "filters": n_filters,
                "kernel_size": block["kernel_size"][0],
                "upsample": upsamplings.get(block["downsample"], "repeat"),
                "pool_size": block["pool_size"],
                "size": size,
                **{name: block[name] for name in ("normalization", "activation", "dropout")},
            }
            for n_filters, block, size in zip(filters, reversed(blocks), reversed(sizes[:-1]))
        ]

    @staticmethod
    def _moves(block: dict) -> bool:
        """Tell whether the convolution of a block moves by more than one pixel."""
        return block["downsample"] == "stride"


def halved_sizes(size, blocks: list[dict]) -> list[tuple]:
    """List the sizes of images before the first block, and behind each.

    Raises
    ------
    ValueError
        If a pool does not divide its images, so that the decoder could not give them back, or a
        transposed convolution cannot undo a stride.
    """
    sizes = [tuple(size)]
    for number, block in enumerate(blocks, start=1):
        pool = (1,) * len(size) if block["downsample"] is None else block["pool_size"]
        is_pool = block["downsample"] in ("max", "average")
        if is_pool and any(n % p for n, p in zip(sizes[-1], pool)):
            way = " -> ".join(map(str, sizes))
            raise ValueError(
                f"Images of size {tuple(size)} cannot be divided by the pools of {len(blocks)} "
                f"blocks: {way}, which block {number} would divide by {tuple(pool)}. "
                "Take fewer blocks, another pool_size, downsample='stride', or larger images."
            )
        (kernel,) = block["kernel_size"]
        if block["downsample"] == "stride" and any(
            k % 2 == 0 and p == 1 for k, p in zip(kernel, pool)
        ):
            raise ValueError(
                f"downsample='stride' needs an odd kernel_size where pool_size is 1, got {kernel}."
            )
        if prod(pool) > prod(max(2 * n, USUAL_KERNEL) for n in sizes[-1]):
            raise ValueError(
                f"pool_size={tuple(pool)} of block {number} is more than twice as large as its "
                f"images, {sizes[-1]}."
            )
        sizes.append(tuple(-(-n // p) for n, p in zip(sizes[-1], pool)))
    return sizes


@documented(CONV_AUTOENCODER_PARAMETERS)
class ConvAutoencoder(CodeMixin, ConvAutoencoderEstimator):
    """Convolutional autoencoder of images.

    Blocks of a convolution each make images smaller; a dense layer, or one more convolution of
    few filters, computes the latents; the decoder does the same backwards. With `noise`, or with
    clean images as `X_clean`, it learns to clean images. Those come as they are, in any layout, or
    as flattened rows; one- and three-dimensional ones too.

    Parameters
    ----------
    %(parameters)s
    Attributes
    ----------
    %(attributes)s
    See Also
    --------
    Autoencoder : Autoencoder of dense networks.
    sknn_basics.architectures : Parameters of well-known networks.

    Notes
    -----
    Latents are always two-dimensional, of shape (n_samples, n_components): images of latents are
    flattened, and `inverse_transform` restores them. Pools must divide the size of their images;
    strides take any size.

    References
    ----------
    Masci, Meier, Cireşan and Schmidhuber. "Stacked convolutional auto-encoders for hierarchical
    feature extraction." ICANN 2011.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import ConvAutoencoder
    >>> images = load_digits().images[:300] / 16
    >>> model = ConvAutoencoder(filters=(8, 8), n_components=5, max_iter=5, random_state=0)
    >>> model.fit_transform(images).shape
    (300, 5)
    >>> model.reconstruct(images).shape
    (300, 8, 8)
    """

    _parameter_constraints: dict = {
        **ConvAutoencoderEstimator._parameter_constraints,
        **CODE_CONSTRAINTS,
    }

    _stochastic_only = ("noise", *ConvAutoencoderEstimator._stochastic_only)

    def __init__(
        self,
        filters=(16, 32),
        n_components=20,
        activation="relu",
        *,
        latent_filters=None,
        decoder_filters=None,
        latent_activation="identity",
        kernel_size=3,
        downsample="stride",
        pool_size=2,
        normalization=None,
        dropout=0.0,
        image_shape="auto",
        data_format="auto",
        preprocessing=None,
        loss="auto",
        out_activation="auto",
        noise=None,
        noise_amount=0.2,
        sparsity=0.0,
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

    def _describe_module(self, n_outputs: int) -> dict:
        return {**super()._describe_module(n_outputs), **self._describe_code()}

    def _make_module(self, structure: dict) -> AutoencoderNetwork:
        return conv_autoencoder(**structure)


@documented(CONV_AUTOENCODER_PARAMETERS)
class VariationalConvAutoencoder(VariationalMixin, ConvAutoencoderEstimator):
    """Convolutional variational autoencoder of images.

    The network of a `ConvAutoencoder`, whose latents are normal distributions close to the unit
    normal; `sample` makes new images.

    Parameters
    ----------
    %(parameters)s
    Attributes
    ----------
    %(attributes)s
    See Also
    --------
    VariationalAutoencoder : The same of dense networks, with notes on loss and score.
    ConvAutoencoder : Convolutional autoencoder whose latents have no distribution.

    Notes
    -----
    `fit` takes no sample weights, as latents are drawn at random: repeat samples instead.

    References
    ----------
    Kingma and Welling. "Auto-encoding variational Bayes." ICLR 2014.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sknn_basics import VariationalConvAutoencoder
    >>> images = load_digits().images[:300] / 16
    >>> model = VariationalConvAutoencoder((8, 8), n_components=2, max_iter=5, random_state=0)
    >>> model.fit(images).sample(3, random_state=0).shape
    (3, 8, 8)
    """

    _parameter_constraints: dict = {
        **ConvAutoencoderEstimator._parameter_constraints,
        **VARIATIONAL_CONSTRAINTS,
    }

    def __init__(
        self,
        filters=(16, 32),
        n_components=20,
        activation="relu",
        *,
        beta=1.0,
        noise_variance="auto",
        latent_filters=None,
        decoder_filters=None,
        kernel_size=3,
        downsample="stride",
        pool_size=2,
        normalization=None,
        dropout=0.0,
        image_shape="auto",
        data_format="auto",
        preprocessing=None,
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
        if self.n_components is None and self.latent_filters is None:
            raise ValueError(
                "The distribution of the latents needs a layer of its own: give n_components or "
                "latent_filters."
            )

    def _make_module(self, structure: dict) -> VariationalNetwork:
        return conv_variational(**structure)
