"""What fitted estimators answer, as modules that torch can record: a batch -> one tensor.

Each does for a batch what a method of its estimator computes for all of X, after the checks of X.
"""

from collections.abc import Callable
from copy import deepcopy
from functools import partial

import numpy as np
import torch
from sklearn.base import is_classifier, is_regressor
from torch import Tensor, nn

from sknn_basics.estimators.autoencoders.decoder import Decoder
from sknn_basics.estimators.recurrent import RecurrentEstimator
from sknn_basics.modules.cells import RecurrentLayer
from sknn_basics.modules.images import read_preprocessing
from sknn_basics.modules.layers import RandomLayer
from sknn_basics.modules.recurrent import in_layout_of_network
from sknn_basics.preprocessing import FilterBank
from sknn_basics.training.losses import OUTPUT_ACTIVATIONS


def copied(network: nn.Module) -> nn.Module:
    """Copy a network to the CPU: in evaluation, without states or generators of random numbers."""
    network = deepcopy(network).cpu().requires_grad_(False).eval()
    for layer in network.modules():
        if isinstance(layer, RandomLayer):
            layer.generator = None
        if isinstance(layer, RecurrentLayer):
            layer.state = None
            # What hides the layer from the compiler, where the network was compiled.
            vars(layer).pop("forward", None)
    return network


class Answer(nn.Module):
    """What an estimator answers for a batch of samples.

    Parameters
    ----------
    model : NeuralEstimator
        Fitted estimator.
    """

    def __init__(self, model):
        super().__init__()
        self.network = copied(model.module_)
        self.weights_dtype = next(self.network.parameters()).dtype
        self.activate = OUTPUT_ACTIVATIONS[model.out_activation_]
        self.format = model.data_format if isinstance(model, RecurrentEstimator) else None

    def read(self, x: Tensor) -> Tensor:
        """Bring samples to the data type and the layout of the network."""
        x = x.to(self.weights_dtype)
        return x if self.format is None else in_layout_of_network(x, self.format)


class Probabilities(Answer):
    """Probabilities of a classifier: (n_samples, ...) -> (n_samples, [n_steps,] n_classes).

    Parameters
    ----------
    model : NeuralClassifier
        Fitted classifier.
    dtype : torch.dtype
        Data type that they are rounded to.
    """

    def __init__(self, model, dtype: torch.dtype):
        super().__init__(model)
        self.dtype, self.n_classes = dtype, len(model.classes_)
        self.is_of_classes = model._target_type_ == "classes"

    def forward(self, x: Tensor) -> Tensor:
        output = self.activate(self.network(self.read(x)).double(), self.dtype)
        if not self.is_of_classes or output.shape[-1] > 1:
            return output
        if self.n_classes == 1:
            return torch.ones_like(output)
        return torch.cat([1 - output, output], dim=-1)


class Predictions(Answer):
    """Predictions of a regressor: (n_samples, ...) -> (n_samples, [n_steps,] n_targets)."""

    def __init__(self, model):
        super().__init__(model)
        is_quantile = model.out_activation_ == "quantiles"
        self.n_columns = model.n_outputs_ if is_quantile else model._count_targets()
        self.is_step_a_number = getattr(model, "_target_axes_", 0) == 1

    def forward(self, x: Tensor) -> Tensor:
        output = self.activate(self.network(self.read(x)))[..., : self.n_columns]
        return output.squeeze(-1) if self.is_step_a_number and self.n_columns == 1 else output


class Latents(Answer):
    """Latent variables of an autoencoder: (n_samples, ...) -> (n_samples, n_components)."""

    def __init__(self, model):
        super().__init__(model)
        self.preprocess = read_preprocessing(model._structure_)
        if self.preprocess is not None:
            self.preprocess.to(self.weights_dtype)

    def forward(self, x: Tensor) -> Tensor:
        x = self.read(x)
        return self.network.encode(x if self.preprocess is None else self.preprocess(x))


class Decoded(nn.Module):
    """Samples of latent variables: (n_samples, n_components) -> (n_samples, ...).

    Parameters
    ----------
    decoder : Decoder
        Decoder or generator.
    """

    def __init__(self, decoder: Decoder):
        super().__init__()
        self.network = copied(decoder.module)
        self.weights_dtype = next(self.network.parameters()).dtype
        self.activate = OUTPUT_ACTIVATIONS[decoder.out_activation]
        self.sample_shape, self.condition = tuple(decoder.sample_shape), None
        if decoder.condition is not None:
            self.condition = torch.tensor(np.atleast_2d(decoder.condition)).to(self.weights_dtype)
        self.preprocess = read_preprocessing(decoder.structure)
        if self.preprocess is not None:
            self.preprocess.to(self.weights_dtype)

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self.weights_dtype)
        if self.condition is not None:
            x = torch.cat([x, self.condition.expand(x.shape[0], -1)], 1)
        samples = self.activate(self.network(x)).unflatten(1, self.sample_shape)
        return samples if self.preprocess is None else self.preprocess.inverse(samples)


class Reconstructions(nn.Module):
    """Reconstructions of an autoencoder: (n_samples, ...) -> (n_samples, ...)."""

    def __init__(self, model):
        super().__init__()
        self.encode, self.decode = Latents(model), Decoded(model.extract_decoder())

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


class Matches(nn.Module):
    """How well filters match each place of images, as `FilterBank.transform` tells."""

    def __init__(self, bank: FilterBank):
        super().__init__()
        self.bank = bank
        weights = np.nan_to_num(np.asarray(bank.filters, dtype=np.float64), nan=0.0)
        weights = weights[..., None] if weights.ndim == 3 else weights
        self.weights, self.limits = torch.as_tensor(weights), {}
        if bank.threshold is not None:
            for name in ("float32", "float64"):
                limits = bank._thresholds(weights.astype(name))
                self.limits[getattr(torch, name)] = torch.as_tensor(limits).reshape(-1, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 3:
            x = x.unsqueeze(1)
        elif self.bank.data_format != "channels_first":
            x = x.movedim(-1, 1)
        weights = self.weights.to(x.dtype).movedim(-1, 1)
        if self.bank.padding == "same":
            around = ((n - 1) // 2 for n in weights.shape[:1:-1])
            widths = [w for n, k in zip(around, weights.shape[:1:-1]) for w in (n, k - 1 - n)]
            x = nn.functional.pad(x, widths)
        maps = nn.functional.conv2d(x, weights)
        if self.bank.threshold is not None:
            maps = (maps >= self.limits[x.dtype]).to(x.dtype)
        maps = nn.functional.max_pool2d(maps, self.bank.pool_size, ceil_mode=True)
        return maps if self.bank.data_format == "channels_first" else maps.movedim(1, -1)


class NextToken(nn.Module):
    """A step of a text: tokens and states -> probabilities of the next token, and new states.

    Parameters
    ----------
    model : TextGenerator
        Fitted generator.
    """

    def __init__(self, model):
        super().__init__()
        # Recurrent operators have no double precision.
        self.network = copied(model.module_).float()

    def states(self) -> dict[str, int]:
        """Name the states of all layers, and tell their numbers of units."""
        return {
            f"layer{i}_{name}": layer.n_units
            for i, layer in enumerate(self.network.recurrent_layers(), start=1)
            for name in layer.kind.states
        }

    def forward(self, tokens: Tensor, states: list[Tensor]) -> tuple[Tensor, ...]:
        x, ends = self.network.embedding(tokens), []
        for layer in self.network.recurrent_layers():
            n_states = len(layer.kind.states)
            own, states = states[:n_states], states[n_states:]
            x, end = layer.run(x, "", own)
            ends += end
        logits = self.network.output(x[:, -1])
        return torch.softmax(logits.double(), -1).to(logits.dtype), *ends


METHODS: dict[str, Callable] = {
    "transform": Latents,
    "inverse_transform": lambda model: Decoded(model.extract_decoder()),
    "reconstruct": Reconstructions,
}


def choose_answer(model, dtype: torch.dtype) -> Callable[[], nn.Module]:
    """Choose what a fitted estimator answers, as a function that makes the module.

    Parameters
    ----------
    model : NeuralEstimator or Decoder
        What is fitted.
    dtype : torch.dtype
        Data type of X, as far as the estimator's method depends on it.
    """
    if isinstance(model, Decoder):
        return partial(Decoded, model)
    if is_classifier(model):
        is_single = dtype == torch.float32 and model.dtype != "float64"
        return partial(Probabilities, model, torch.float32 if is_single else torch.float64)
    return partial(Predictions if is_regressor(model) else Latents, model)
