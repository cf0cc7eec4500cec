"""How the functions of this room get at a network, and leave it as they found it."""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from difflib import get_close_matches
from math import prod

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sknn_basics.estimators._base.fit import NeuralEstimator
from sknn_basics.estimators._base.sequences import has_input
from sknn_basics.estimators.text import TextGenerator
from sknn_basics.modules.images import ImageInput
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

    def response_name(self, name: str) -> str:
        """Give the name of the activation that follows a layer, or its own where none does."""
        self.find(name)
        following = f"{name}_activation"
        return following if following in dict(self.module.named_modules()) else name

    @property
    def place(self) -> dict:
        """Tell where tensors for the network lie, as torch's functions take it."""
        return {"dtype": self.dtype, "device": self.device}

    def sample_shape(self, X=None) -> tuple[int, ...]:
        """Find the shape of a sample of X, before all steps.

        Raises
        ------
        ValueError
            If nothing tells.
        """
        if X is not None:
            return np.shape(X)[1:]
        if self.estimator is None:
            raise ValueError("An nn.Module does not know the shape of its inputs: give a start.")
        if self.steps:
            if not hasattr(self.steps[0][1], "n_features_in_"):
                raise ValueError(
                    f"The step {self.steps[0][0]!r} does not know its inputs: give a start."
                )
            return (self.steps[0][1].n_features_in_,)
        return tuple(self.estimator._sample_shape_)

    def run_images(self, names: list[str], images: Tensor) -> dict[str, Tensor]:
        """Compute the outputs of layers for images of (almost) any size.

        Parameters
        ----------
        names : list of str
            The layers.
        images : Tensor of shape (n_images, n_channels, ...)
            Of an estimator's network, they go past what brings its X to this shape, and not further
            than to the last of these layers.

        Raises
        ------
        ValueError
            If a layer is not run, or does not take images of this size.
        """
        prefix, trunk = self.trunk()
        with recorded({name: self.find(name) for name in names}) as outputs:
            try:
                if trunk is None:
                    self.module(images)
                else:
                    for name, layer in trunk.named_children():
                        if not isinstance(layer, ImageInput):
                            images = layer(images)
                        if prefix + name in names and set(names) <= outputs.keys():
                            break
            except RuntimeError as error:
                raise ValueError(
                    f"The layers {names} cannot be run on images of {tuple(images.shape[2:])}: "
                    f"choose earlier layers, or images of the network's own size. {error}"
                ) from error
        if missing := [name for name in names if name not in outputs]:
            raise ValueError(f"The network does not run its layer {missing[0]!r} on images.")
        return outputs

    def trunk(self) -> tuple[str, nn.Module | None]:
        """Find the layers of images of an estimator's network, and what their names begin with."""
        for prefix in ("", "encoder."):
            part = getattr(self.module, "encoder", None) if prefix else self.module
            if isinstance(getattr(part, "input", None), ImageInput):
                return prefix, part
        return "", None

    def convolutions(self) -> list[str]:
        """List the convolutions of images."""
        prefix, trunk = self.trunk()
        modules = (self.module if trunk is None else trunk).named_modules()
        kinds = nn.Conv1d | nn.Conv2d | nn.Conv3d
        return [prefix + name for name, layer in modules if isinstance(layer, kinds)]

    def describe_images(self, data_format: str, image_shape) -> tuple:
        """Tell where images have their channels, and the shape of rows, if none says so."""
        if data_format == "auto":
            own = "channels_first" if self.estimator is None else None
            data_format = own or getattr(self.estimator, "data_format", "auto")
        structure = getattr(self.estimator, "_structure_", {})
        return data_format, structure.get("image_shape") if image_shape is None else image_shape

    # How it is run.

    @contextmanager
    def differentiated(
        self, sample_shape: tuple[int, ...], X=None, plain: bool = False
    ) -> Iterator[None]:
        """Let `run` be differentiated in a block; see `at_rest` for what is restored.

        With `plain`, it is given what the steps made of X already.

        Raises
        ------
        ValueError
            If a step before the network is not linear, or the network reads no numbers.
        """
        if isinstance(self.estimator, TextGenerator):
            raise ValueError(
                f"{type(self.estimator).__name__} reads tokens, which have no gradients."
            )
        self.linear = [] if plain else self.linear_functions(sample_shape, X)
        # Kernels of cuDNN for recurrent layers have no gradients in evaluation.
        kernels = (
            torch.backends.cudnn.flags(enabled=False) if self._cuda_devices() else nullcontext()
        )
        with self.at_rest(), torch.enable_grad(), kernels:
            yield

    def linear_functions(self, sample_shape: tuple[int, ...], X=None) -> list[Callable]:
        """Make functions of tensors of all that happens to X before the network.

        Raises
        ------
        ValueError
            If a step is not linear.
        """
        functions, samples = [], probes(sample_shape, X)
        for name, step in self.steps:
            function, samples = linear_step(name, step, samples, self.place)
            functions.append(function)
        if self.estimator is not None and X is not None:
            step = Checked(self.estimator)
            checked = step.transform(samples)
            if checked.shape != samples.shape or not np.allclose(checked, samples, equal_nan=True):
                functions.append(linear_step("input", step, samples, self.place)[0])
        return functions

    def run(self, samples: Tensor) -> Tensor:
        """Run the steps and the network on samples, as tensors."""
        for apply in self.linear:
            samples = apply(samples)
        return first_tensor(self.module(samples))

    def run_to(self, name: str, samples: Tensor) -> Tensor:
        """Compute the outputs of a layer for samples.

        Raises
        ------
        ValueError
            If it is not run.
        """
        with recorded({name: self.find(name)}) as outputs:
            self.run(samples)
        if name not in outputs:
            raise ValueError(f"The network does not run its layer {name!r}.")
        return outputs[name]

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

        Steps that were computed as samples of their own become steps again, those after the end of
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
    """Set outputs of shape (n_samples, n_steps, ...) after the end of a sequence to NaN.

    There may be more steps than were given, which follow those of each sequence.
    """
    n_further = values.shape[1] - is_step.shape[1]
    if n_further < 0 or is_step.all():
        return values
    ends = is_step.sum(axis=1, keepdims=True) + n_further
    is_kept = np.arange(values.shape[1]) < ends
    return np.where(is_kept.reshape(*is_kept.shape, *[1] * (values.ndim - 2)), values, np.nan)


class Checked:
    """What an estimator makes of X before its network reads it, as a step of a pipeline.

    Parameters
    ----------
    estimator : NeuralEstimator
        The estimator.
    """

    def __init__(self, estimator: NeuralEstimator):
        self.estimator = estimator

    def transform(self, X):
        """Check X."""
        return np.asarray(self.estimator._check_X(X, reset=False))


def probes(shape: tuple[int, ...], X=None) -> np.ndarray:
    """Choose samples on which steps are compared with what is linear."""
    if X is None:
        return np.random.RandomState(0).uniform(size=(6, *shape))
    X = np.asarray(X[:6], dtype=np.float64)
    return np.concatenate([X, (X + X[::-1]) / 2])


def linear_step(name: str, step, samples: np.ndarray, place: dict):
    """Make a function of tensors of one step; return also what it makes of samples.

    A step is known by what it does: to each value by itself, or to all together.
    """

    def apply(X: np.ndarray) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            values = step.transform(named_columns(step, X))
        return np.asarray(values.toarray() if issparse(values) else values, dtype=np.float64)

    what = f"The step {name!r}, {type(step).__name__},"
    remedy = "apply it and the steps before it to X, and give the rest of the pipeline"
    if isinstance(step, Checked):
        what = f"What {type(step.estimator).__name__} makes of X before its network"
        remedy = "give its module_ what that reads"
    error = ValueError(f"{what} is not linear, and cannot be differentiated: {remedy}.")
    try:
        wanted, shape = apply(samples), samples.shape[1:]
        offset = apply(np.zeros((1, *shape)))[0]
        if offset.shape == shape:
            factor = apply(np.ones((1, *shape)))[0] - offset
            if np.allclose(offset + factor * samples, wanted, rtol=1e-5, atol=1e-7):
                offset, factor = (torch.tensor(values, **place) for values in (offset, factor))
                return lambda x: offset + factor * x, wanted
        if prod(shape) > MOST_MIXED:
            raise error
        rows = np.eye(prod(shape)).reshape(-1, *shape)
        matrix = (apply(rows) - offset).reshape(len(rows), -1)
    except (TypeError, ValueError) as reason:
        raise error from reason
    if not np.allclose(
        samples.reshape(len(samples), -1) @ matrix + offset.ravel(),
        wanted.reshape(len(samples), -1),
        rtol=1e-5,
        atol=1e-7,
    ):
        raise error
    bias, matrix = torch.tensor(offset, **place), torch.tensor(matrix, **place)
    return lambda x: (x.flatten(1) @ matrix).reshape(-1, *bias.shape) + bias, wanted


def named_columns(step, X: np.ndarray):
    """Give columns the names that a step was fitted with, if it was fitted to a data frame."""
    names = getattr(step, "feature_names_in_", None)
    pandas = sys.modules.get("pandas")
    return X if names is None or pandas is None else pandas.DataFrame(X, columns=names)


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
    """Record the outputs of layers in a block, by name.

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
    """Take the first tensor of the outputs of a layer: the outputs, before any states."""
    while not isinstance(output, Tensor):
        output = next(iter(output.values() if isinstance(output, dict) else output))
    return output
