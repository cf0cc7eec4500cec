"""Optimisers by name or class, without the cost of torch's compiler."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

import torch
from torch import nn
from torch.optim import Optimizer

from sknn_basics._compat import fused_adam, step_without_profiler, unwrapped_methods


@lru_cache
def without_compiler(optimiser_class: type[Optimizer]) -> type[Optimizer]:
    """Subclass an optimiser so that using it does not import torch's compiler.

    torch wraps these methods to hide them from `torch.compile`, and the wrappers import
    `torch._dynamo` when first called: more than a second, in every new process. The optimiser
    never runs under `torch.compile` here, so the methods below the wrappers do. Methods that
    a subclass outside torch defines stay as they are.
    """
    names = ("add_param_group", "state_dict", "load_state_dict", "zero_grad", "step")
    body = {"__module__": __name__, "__reduce__": _reduce_to_original}
    body |= unwrapped_methods(optimiser_class, names)
    if "step" in body:
        body["step"] = step_without_profiler(torch.no_grad()(body["step"]))
    return type(optimiser_class.__name__, (optimiser_class,), body)


def _reduce_to_original(optimiser: Optimizer):
    """Pickle an optimiser by the class that torch knows."""
    return _new_optimiser, (type(optimiser).__base__,), optimiser.__getstate__()


def _new_optimiser(optimiser_class: type[Optimizer]) -> Optimizer:
    optimiser_class = without_compiler(optimiser_class)
    return optimiser_class.__new__(optimiser_class)


class Adam(without_compiler(torch.optim.Adam)):
    """Adam whose epsilon is not divided by the correction of the second moment.

    This is the form at the end of the paper's section 2, and scikit-learn's. It matters for
    weights whose gradient is only the L2 penalty, those of a constant input for example.

    References
    ----------
    Kingma and Ba. "Adam: a method for stochastic optimization." ICLR 2015.
    """

    def __init__(self, parameters, *, eps: float = 1e-8, **options):
        super().__init__(parameters, eps=eps, **options)
        for group in self.param_groups:
            group["epsilon_hat"], group["n_steps"] = eps, 0

    def step(self, closure=None):
        for group in self.param_groups:
            group["n_steps"] += 1
            correction = 1 - group["betas"][1] ** group["n_steps"]
            group["eps"] = group["epsilon_hat"] / correction**0.5
        if not self.param_groups[0]["fused"]:
            super().step(closure)
            return
        # Without torch's costly preparations.
        for group in self.param_groups:
            tensors = self.kept.get(id(group)) or self.fused_tensors(group)
            if tensors[0]:
                with torch.no_grad():
                    tensors[-1][0].fill_(group["n_steps"])
                    fused_adam(tensors, group["lr"], group["betas"], group["eps"])

    # The tensors of groups whose gradients stay the same tensors from step to step, by id. Whoever
    # owns the gradients (`sknn_basics.stacking`) fills it.
    kept: Mapping[int, tuple] = MappingProxyType({})

    def fused_tensors(self, group: dict) -> tuple:
        """Collect what a fused step works on: parameters, gradients, moments, numbers of steps."""
        parameters = [p for p in group["params"] if p.grad is not None]
        states = [self.state[p] or self.new_state(p) for p in parameters]
        # One number for all: counting in each state would cost as much as the step.
        device = group["params"][0].device
        step = torch.full((), group["n_steps"], dtype=torch.float32, device=device)
        for state in states:
            state["step"] = step
        return (
            parameters,
            [p.grad for p in parameters],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [step] * len(parameters),
        )

    def new_state(self, parameter: nn.Parameter) -> dict:
        """Begin a parameter's moments."""
        state = self.state[parameter]
        state["exp_avg"] = torch.zeros_like(parameter)
        state["exp_avg_sq"] = torch.zeros_like(parameter)
        return state

    step_without_profiler(step)

    def __reduce__(self):
        return Adam.__new__, (Adam,), self.__getstate__()


SOLVERS = {
    "sgd": torch.optim.SGD,
    "adam": Adam,
    "adamw": torch.optim.AdamW,
    "adamax": torch.optim.Adamax,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
}

USUAL_RATES = {
    "sgd": 0.01,
    "adam": 0.001,
    "adamw": 0.001,
    "adamax": 0.002,
    "nadam": 0.002,
    "radam": 0.001,
    "rmsprop": 0.001,
    "adagrad": 0.01,
    "adadelta": 1.0,
}


def usual_rate(solver: str | Callable) -> float:
    """Tell a solver's own usual learning rate."""
    if isinstance(solver, str):
        return USUAL_RATES[solver]
    rate = inspect.signature(solver).parameters.get("lr")
    if rate is None or rate.default is rate.empty:
        raise ValueError(f"learning_rate_init='auto' needs a default of lr in solver={solver!r}.")
    return rate.default


def make_optimiser(
    parameters: Iterable[nn.Parameter],
    solver: str | Callable,
    lr: float,
    *,
    momentum: float = 0.9,
    nesterov: bool = True,
    betas: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-8,
    weight_decay: float = 0.01,
) -> Optimizer:
    """Make an optimiser.

    Parameters
    ----------
    parameters : iterable of nn.Parameter
        What to optimise.
    solver : str or callable
        Name in `SOLVERS`, or a `torch.optim` class (or function) called with the parameters and
        the rate as ``lr``.
    lr : float
        Learning rate.
    momentum, nesterov : float, bool
        For 'sgd'.
    betas, epsilon : pair of float, float
        For Adam and its variants; 'rmsprop' takes `epsilon` too.
    weight_decay : float
        For 'adamw': weights, but not biases, are multiplied with 1 - rate * `weight_decay` in
        each step.

    Returns
    -------
    optimiser : torch.optim.Optimizer
        The fused implementation where there is one.
    """
    parameters = list(parameters)
    options = {}
    if solver == "sgd":
        options = {"momentum": momentum, "nesterov": nesterov and momentum > 0}
    elif solver == "rmsprop":
        # Hinton's smoothing constant; torch's default is 0.99.
        options = {"alpha": 0.9, "eps": epsilon}
    elif isinstance(solver, str) and "adam" in solver:
        options = {"betas": betas, "eps": epsilon}
    make = SOLVERS[solver] if isinstance(solver, str) else solver
    if make is torch.optim.LBFGS:
        raise ValueError("solver=torch.optim.LBFGS needs whole samples: use solver='lbfgs'.")
    if isinstance(make, type) and issubclass(make, Optimizer):
        if {parameter.device.type for parameter in parameters} <= fused_devices(make):
            options["fused"] = True
        make = make if make is Adam else without_compiler(make)
    if solver == "adamw":
        parameters = decayed_apart(parameters, weight_decay)
    try:
        build: Callable[..., Optimizer] = make
        optimiser = build(parameters, lr=lr, **options)
    except Exception as error:
        raise ValueError(f"solver={solver!r} cannot be used: {error}") from error
    if not isinstance(optimiser, Optimizer):
        raise ValueError(f"solver={solver!r} must make a torch.optim.Optimizer, got {optimiser!r}.")
    return optimiser


def decayed_apart(parameters: Sequence[nn.Parameter], weight_decay: float) -> list[dict]:
    """Group parameters by their decay: that of weights, and none of biases."""
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


@lru_cache
def fused_devices(optimiser_class: type[Optimizer]) -> set[str]:
    """Tell on which types of devices an optimiser updates all parameters in one call."""
    if issubclass(optimiser_class, torch.optim.Adagrad):
        return {"cpu"}
    can_fuse = any(
        "fused" in inspect.signature(parent).parameters for parent in optimiser_class.__mro__[:-2]
    )
    return {"cpu", "cuda"} if can_fuse else set()


def get_rate(optimiser: Optimizer) -> float:
    """Tell the learning rate of an optimiser."""
    return float(optimiser.param_groups[0]["lr"])


def set_rate(optimiser: Optimizer, rate: float) -> None:
    """Set the learning rate of an optimiser."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def scale_momentum(optimiser: Optimizer, factor: float) -> None:
    """Multiply the momentum buffers of stochastic gradient descent.

    The velocity of scikit-learn contains the rates of its past steps, torch's buffer does not:
    scaling the buffer by old rate / new rate makes a change of rate mean the same in both.
    """
    for state in optimiser.state.values():
        if state.get("momentum_buffer") is not None:
            state["momentum_buffer"].mul_(factor)
