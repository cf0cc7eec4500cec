"""How the functions of this room get at a network, and leave it as they found it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from difflib import get_close_matches

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sknn_basics.estimators._base.fit import NeuralEstimator
from sknn_basics.estimators._base.sequences import has_input
from sknn_basics.modules.recurrent import TimeDistributed
from sknn_basics.training.batches import ArrayDataset, samples_a_batch
from sknn_basics.training.devices import as_array

# Values of a flattened sample up to which a step of a pipeline may mix them all.
MOST_MIXED = 4096

Steps = list[tuple[str, object]]


class Subject:
    """A model that is looked at: the network, and what stands before it.

    Parameters
    ----------
    model : estimator, Pipeline or nn.Module
        A fitted neural estimator, a pipeline that ends in one, or any network.

    Attributes
    ----------
    module : nn.Module
        The network.
    estimator : NeuralEstimator or None
        Whose network it is.
    steps : list of (str, transformer)
        What X goes through before it reaches the estimator.
    """

    def __init__(self, model):
        self.steps, self.estimator = unwrap(model)
        self.module = model if self.estimator is None else self.estimator.module_
        tensors = [*self.module.parameters(), *self.module.buffers()]
        example = next((t for t in tensors if t.is_floating_point()), torch.empty(0))
        self.device, self.dtype = example.device, example.dtype

    # What X becomes.

    def transform(self, X):
        """Apply the steps before the estimator."""
        for _, step in self.steps:
            X = step.transform(X)
        return X

    def check(self, X):
        """Turn X into what the network takes: an array, a CSR matrix or windows of texts."""
        X = as_array(self.transform(X))
        if self.estimator is not None:
            return self.estimator._check_X(X, reset=False)
        return np.asarray(X)

    def batches(self, X) -> Iterator[Tensor]:
        """Cut checked X into batches of inputs of the network."""
        if self.estimator is not None:
            dataset = self.estimator._make_dataset(X)
            size = self.estimator.net_.rows_of_evaluation(dataset)
        else:
            dataset = ArrayDataset(X, dtype=self.dtype, device=self.device)
            size = samples_a_batch(self.module, dataset.sample_bytes)
        for start in range(0, X.shape[0], size):
            yield dataset[start : start + size][0]

    # What is there to see.

    def layer_names(self) -> list[str]:
        """List the layers as `summary` does: those of one part, but for plain activations."""
        layers = [(n, layer) for n, layer in self.module.named_modules() if is_leaf(layer)]
        names = [n for n, layer in layers if not (n.endswith("activation") and is_plain(layer))]
        return names or [""]

    def find(self, name: str) -> nn.Module:
        """Find a layer.

        Raises
        ------
        ValueError
            If there is none of this name.
        """
        modules = dict(self.module.named_modules())
        if not isinstance(name, str) or name not in modules:
            close = get_close_matches(str(name), modules, n=1)
            hint = f" Do you mean {close[0]!r}?" if close else ""
            names = ", ".join(map(repr, self.layer_names()))
            raise ValueError(f"There is no layer {name!r}.{hint} The layers are: {names}.")
        return modules[name]

    # How it is run.

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Evaluate the network in a block, and leave no trace of it.

        Modes of all layers, gradients, whether parameters need them, states of recurrent layers and
        torch's global random state are restored; no layer overwrites its input.
        """
        layers = list(self.module.modules())
        modes = [layer.training for layer in layers]
        overwriting = [layer for layer in layers if getattr(layer, "inplace", False)]
        needs = [(p, p.requires_grad) for p in self.module.parameters()]
        with ExitStack() as stack:
            stack.enter_context(torch.random.fork_rng(self._cuda_devices()))
            if hasattr(self.module, "kept_states"):
                stack.enter_context(self.module.kept_states())
            try:
                self.module.eval()
                for layer in overwriting:
                    layer.inplace = False
                for parameter, _ in needs:
                    parameter.requires_grad_(False)
                yield
            finally:
                for layer in overwriting:
                    layer.inplace = True
                for parameter, needed in needs:
                    parameter.requires_grad_(needed)
                for layer, mode in zip(layers, modes):
                    layer.training = mode

    def _cuda_devices(self) -> list[torch.device]:
        return [self.device] if self.device.type == "cuda" else []

    def arrange(self, name: str, values: np.ndarray, X) -> np.ndarray:
        """Bring outputs for checked X of a layer, given by its name, into the layout of X.

        Steps that were computed as samples of their own become steps again, those behind the end of
        a sequence NaN, and channels stand where X has them; last where X has none.
        """
        estimator = self.estimator
        if estimator is None:
            return values
        if self.is_stepwise(name):
            values = values.reshape(X.shape[0], -1, *values.shape[1:])
        data_format = getattr(estimator, "data_format", None)
        if "image_shape" in estimator._structure_:
            channels_last = data_format != "channels_first"
            return np.moveaxis(values, 1, -1) if channels_last and values.ndim > 2 else values
        if hasattr(estimator, "_is_list_") and values.ndim > 2:
            values = without_padding(values, has_input(X))
        if values.ndim == 5 and data_format == "channels_last":
            return np.moveaxis(values, 2, -1)
        is_swapped = data_format == "channels_first" and len(estimator._sample_shape_) < 3
        return np.moveaxis(values, 1, 2) if is_swapped and values.ndim == 3 else values

    def is_stepwise(self, name: str) -> bool:
        """Tell whether a layer is given the steps of all sequences as samples."""
        parts = name.split(".")[:-1]
        parents = (".".join(parts[:i]) for i in range(1, len(parts) + 1))
        return any(isinstance(self.find(parent), TimeDistributed) for parent in parents)


def without_padding(values: np.ndarray, is_step: np.ndarray) -> np.ndarray:
    """Set outputs of shape (n_samples, n_steps, ...) behind the end of a sequence to NaN.

    There may be more steps than were given, which follow those of each sequence.
    """
    n_further = values.shape[1] - is_step.shape[1]
    if n_further < 0 or is_step.all():
        return values
    ends = is_step.sum(axis=1, keepdims=True) + n_further
    is_kept = np.arange(values.shape[1]) < ends
    return np.where(is_kept.reshape(*is_kept.shape, *[1] * (values.ndim - 2)), values, np.nan)


def unwrap(model) -> tuple[Steps, NeuralEstimator | None]:
    """Find the steps before a network, and its estimator.

    Raises
    ------
    TypeError
        If there is no network.
    NotFittedError
        If there is none yet.
    """
    steps: Steps = []
    while isinstance(model, Pipeline | FrozenEstimator):
        if isinstance(model, FrozenEstimator):
            model = model.estimator
            continue
        before = [(n, step) for n, step in model.steps[:-1] if step not in (None, "passthrough")]
        steps += before
        model = model.steps[-1][1]
    if isinstance(model, nn.Module):
        return steps, None
    if not isinstance(model, NeuralEstimator):
        inner = [n for n in ("best_estimator_", "estimator_", "regressor_") if hasattr(model, n)]
        hint = f" Give its {inner[0]}." if inner else ""
        raise TypeError(
            "model must be a neural estimator, a Pipeline that ends in one, or an nn.Module, got "
            f"{type(model).__name__}.{hint}"
        )
    check_is_fitted(model)
    return steps, model


def is_plain(layer: nn.Module) -> bool:
    """Tell whether a layer has no parameters."""
    return next(layer.parameters(), None) is None


def is_leaf(layer: nn.Module) -> bool:
    """Tell whether a layer holds no others."""
    return next(layer.children(), None) is None


@contextmanager
def recorded(layers: dict[str, nn.Module], copies: bool = True) -> Iterator[dict[str, Tensor]]:
    """Record what layers put out in a block, by name.

    Parameters
    ----------
    layers : dict of str to nn.Module
        The layers.
    copies : bool, default=True
        Whether outputs are copied, so that what follows cannot overwrite them.
    """
    outputs: dict[str, Tensor] = {}

    def recorder(name: str) -> Callable:
        def record(layer, inputs, output) -> None:
            values = first_tensor(output)
            outputs[name] = values.clone() if copies else values

        return record

    hooks = [layer.register_forward_hook(recorder(name)) for name, layer in layers.items()]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()


def first_tensor(output) -> Tensor:
    """Take the first tensor of what a layer puts out: the outputs, before any states."""
    while not isinstance(output, Tensor):
        output = next(iter(output.values() if isinstance(output, dict) else output))
    return output
