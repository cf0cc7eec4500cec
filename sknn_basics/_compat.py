"""Every private or undocumented name of torch, scikit-learn, skorch and joblib that we use.

Other modules take such names from here, so that a new version of a library is met in one place.
`tests/test_compat.py` calls each of them, and says what to do where one has changed.
"""

import inspect
from collections.abc import Sequence

import torch
from joblib.memory import MemorizedFunc
from joblib.parallel import (
    FallbackToBackend,
    ParallelBackendBase,
    SequentialBackend,
    default_parallel_config,
)
from joblib.parallel import _backend as joblib_context
from sklearn.base import _fit_context as fit_context
from sklearn.callback._callback_context import get_context_path as context_path
from sklearn.callback._transport import close_listener, open_listener, send
from sklearn.metrics._scorer import _MultimetricScorer as MultimetricScorer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import _insert_error_scores as insert_error_scores
from sklearn.model_selection._validation import _score as score_or_error
from sklearn.model_selection._validation import (
    _warn_or_raise_about_fit_failures as warn_of_failures,
)
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    validate_params,
)
from sklearn.utils.metadata_routing import _routing_enabled as routing_enabled
from sklearn.utils.metaestimators import _safe_split as safe_split
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_feature_names_in as check_feature_names_in
from sklearn.utils.validation import _check_method_params as check_method_params
from sklearn.utils.validation import _check_sample_weight as check_sample_weight
from sklearn.utils.validation import _check_y as check_y
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import grad
from torch.nn.init import _calculate_fan_in_and_fan_out as fan_in_and_fan_out
from torch.nn.modules.conv import _ConvNd as ConvNd
from torch.nn.modules.conv import _ConvTransposeNd as ConvTransposeNd
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

# scikit-learn


def begin_callbacks(estimator, max_subtasks: int | None):
    """Begin a task of scikit-learn's callbacks of an estimator, and return its context."""
    return estimator._init_callback_context(max_subtasks=max_subtasks)


def has_callbacks(estimator) -> bool:
    """Tell whether an estimator has callbacks of scikit-learn."""
    return bool(getattr(estimator, "_skl_callbacks", None))


# joblib


def is_backend_chosen() -> bool:
    """Tell whether the code around has chosen a backend of joblib."""
    config = getattr(joblib_context, "config", default_parallel_config)
    return config["backend"] is not default_parallel_config["backend"]


def code_that_keeps_results() -> set:
    """Collect the code of all methods of what `joblib.Memory` makes of a function."""
    return {f.__code__ for f in vars(MemorizedFunc).values() if inspect.isfunction(f)}


def run_one_by_one(backend) -> FallbackToBackend:
    """Make what a backend raises in `configure` so that tasks run in the calling thread."""
    return FallbackToBackend(SequentialBackend(nesting_level=backend.nesting_level))


def calls_of(batch) -> list:
    """List what a batch of joblib's calls: (function, args, kwargs) each."""
    return batch.items


# torch: many tensors in one call


def add_scaled(targets: Sequence[Tensor], values: Sequence[Tensor], scale) -> None:
    """Add values times a scale, a number or a tensor, to tensors in place."""
    if isinstance(scale, Tensor):
        torch._foreach_add_(targets, torch._foreach_mul(values, scale))
    else:
        torch._foreach_add_(targets, values, alpha=scale)


def interpolate(means: Sequence[Tensor], values: Sequence[Tensor], share: float) -> None:
    """Move tensors by a share of the way to values, in place."""
    torch._foreach_lerp_(means, values, share)


def n_changes(tensor: Tensor) -> int:
    """Count how often a tensor, or what shares its memory, was changed in place."""
    return tensor._version


def norms(tensors: Sequence[Tensor]) -> Sequence[Tensor]:
    """Compute the Euclidean norm of each tensor."""
    return torch._foreach_norm(tensors)


def fused_adam(tensors: tuple, rate: float, betas: tuple[float, float], epsilon: float) -> None:
    """Make a step of Adam: parameters, gradients, two moments, nothing, and numbers of steps."""
    torch._fused_adam_(
        *tensors,
        lr=rate,
        beta1=betas[0],
        beta2=betas[1],
        weight_decay=0.0,
        eps=epsilon,
        amsgrad=False,
        maximize=False,
        grad_scale=None,
        found_inf=None,
    )


# torch: gradients of activations from their outputs, in place. Where an operator is missing, the
# same by public ones, which read and write the memory more than once.


def relu_gradient(gradient: Tensor, output: Tensor, target: Tensor | None = None) -> Tensor:
    """Turn the gradient of rectified outputs into that of the inputs, in place or in a target."""
    target = gradient if target is None else target
    if (operator := _operator("threshold_backward")) is not None:
        return operator(gradient, output, 0, grad_input=target)
    return torch.mul(gradient, output > 0, out=target)


def sigmoid_gradient(gradient: Tensor, output: Tensor) -> Tensor:
    """Turn the gradient of logistic outputs into that of the inputs, in place."""
    if (operator := _operator("sigmoid_backward")) is not None:
        return operator(gradient, output, grad_input=gradient)
    return gradient.mul_(output * (1 - output))


def tanh_gradient(gradient: Tensor, output: Tensor) -> Tensor:
    """Turn the gradient of outputs of a hyperbolic tangent into that of the inputs, in place."""
    if (operator := _operator("tanh_backward")) is not None:
        return operator(gradient, output, grad_input=gradient)
    return gradient.mul_(1 - output**2)


def selu_gradient(gradient: Tensor, output: Tensor) -> Tensor:
    """Compute the gradient of SELU's inputs from that of its outputs, into a new tensor."""
    alpha, scale = 1.6732632423543772848, 1.0507009873554804934
    if (operator := _operator("elu_backward")) is not None:
        target = torch.empty_like(gradient)
        return operator(gradient, alpha, scale, 1.0, True, output, grad_input=target)
    return gradient * torch.where(output > 0, scale, output + scale * alpha)


def _operator(name: str):
    """Find an operator of torch that writes its result where it is told, if there is one."""
    return getattr(getattr(torch.ops.aten, name, None), "grad_input", None)


# torch: gradients of convolutions


def weight_gradient(n_dims: int):
    """Give the function that computes a convolution's gradient of the weights."""
    return {1: grad.conv1d_weight, 2: grad.conv2d_weight, 3: grad.conv3d_weight}[n_dims]


# torch: optimisers and compilation


def unwrapped_methods(optimiser_class: type[Optimizer], names: Sequence[str]) -> dict:
    """Find methods of an optimiser of torch below the wrappers that hide them from the compiler.

    Methods that a subclass outside torch defines are left out.
    """
    methods = {name: getattr(optimiser_class, name) for name in names}
    return {
        name: inspect.unwrap(method)
        for name, method in methods.items()
        if method.__module__.startswith("torch.optim")
    }


def step_without_profiler(step):
    """Make torch leave the profiler's marks, which cost as much as a step, out of a method."""
    step.hooked = True
    return step


def is_compiled(module: nn.Module) -> bool:
    """Tell whether a module was compiled."""
    return module._compiled_call_impl is not None


def is_exporting() -> bool:
    """Tell whether torch records a network: nothing may depend on values, then."""
    return _is_exporting()


def recorded_operator(operator):
    """Give what stands for an operator of `torch.library.custom_op` in what torch records."""
    return operator._opoverload


# Before torch 2.7 there is no way to tell the two apart.
_is_exporting = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)
