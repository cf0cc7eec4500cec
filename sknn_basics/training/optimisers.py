"""Optimisers by name or class, without the cost of torch's compiler."""

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from numbers import Real
from types import MappingProxyType

import torch
from torch import nn
from torch.optim import Optimizer

from sknn_basics._compat import fused_adam, step_without_profiler, unwrapped_methods
from sknn_basics.training.transfer import layers_with_weights, match_layers


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


class Muon(without_compiler(Optimizer)):
    """Muon for groups of matrices, and AdamW for all others.

    Both work on the parameter groups and states of this optimiser. The learning rate of a matrix is
    scaled so that its steps are as large as those of AdamW.

    Parameters
    ----------
    parameters : iterable of dict
        Groups, of which those with ``is_matrix`` are for Muon.
    lr : float
        Rate of both.
    **options
        Those of AdamW.

    References
    ----------
    Jordan et al. "Muon: an optimizer for hidden layers in neural networks." 2024.
    https://kellerjordan.github.io/posts/muon/

    Liu et al. "Muon is scalable for LLM training." arXiv:2502.16982.
    """

    def __init__(self, parameters, lr: float = 0.001, **options):
        if not hasattr(torch.optim, "Muon"):
            raise ValueError("it needs torch.optim.Muon, which torch has from 2.9 on.")
        groups = [dict(group) for group in parameters]
        matrices = [group for group in groups if group.get("is_matrix")]
        others = [group for group in groups if not group.get("is_matrix")]
        made = []
        if matrices:
            made += torch.optim.Muon(matrices, lr=lr, adjust_lr_fn="match_rms_adamw").param_groups
        if others:
            made += torch.optim.AdamW(others, lr=lr, **options).param_groups
        super().__init__(made, {})

    def step(self, closure=None):
        for name in ("Muon", "AdamW"):
            groups = [g for g in self.param_groups if bool(g.get("is_matrix")) == (name == "Muon")]
            kind = without_compiler(getattr(torch.optim, name))
            part = kind.__new__(kind)
            vars(part).update(vars(self), param_groups=groups)
            part.step()

    step_without_profiler(step)

    def __reduce__(self):
        return Muon.__new__, (Muon,), self.__getstate__()


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
    "muon": Muon,
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
    "muon": 0.001,
}


# Solvers that decay weights themselves, where that is no gradient of a penalty.
DECOUPLED = ("adamw", "muon")


def usual_rate(solver: str | Callable) -> float:
    """Tell a solver's own usual learning rate."""
    if isinstance(solver, str):
        return USUAL_RATES[solver]
    rate = inspect.signature(solver).parameters.get("lr")
    if rate is None or rate.default is rate.empty:
        raise ValueError(f"learning_rate_init='auto' needs a default of lr in solver={solver!r}.")
    return rate.default


def make_optimiser(
    parameters: Iterable[nn.Parameter] | Iterable[dict],
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
    parameters : iterable of nn.Parameter, or of dict
        What to optimise; groups of it as `group_parameters` makes them, whose rates are multiplied
        by their ``rate_factor``.
    solver : str or callable
        Name in `SOLVERS`, or a `torch.optim` class (or function) called with the parameters and
        the learning rate as ``lr``.
    lr : float
        Learning rate.
    momentum, nesterov : float, bool
        For 'sgd'.
    betas, epsilon : pair of float, float
        For Adam and its variants; 'rmsprop' takes `epsilon` too.
    weight_decay : float
        For 'adamw' and 'muon': weights, but not biases, are multiplied with
        1 - rate * `weight_decay` in each step.

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
    elif isinstance(solver, str) and ("adam" in solver or solver == "muon"):
        options = {"betas": betas, "eps": epsilon}
    make = SOLVERS[solver] if isinstance(solver, str) else solver
    if make is torch.optim.LBFGS:
        raise ValueError("solver=torch.optim.LBFGS needs whole samples: use solver='lbfgs'.")
    groups = [p if isinstance(p, dict) else {"params": [p]} for p in parameters]
    if isinstance(make, type) and issubclass(make, Optimizer):
        devices = {p.device.type for group in groups for p in group["params"]}
        if devices <= fused_devices(torch.optim.AdamW if make is Muon else make):
            options["fused"] = True
        make = make if make in (Adam, Muon) else without_compiler(make)
    if parameters and isinstance(parameters[0], dict):
        for group in parameters:
            group["lr"] = lr * group["rate_factor"]
    if solver in DECOUPLED:
        parameters = decayed_apart(parameters, weight_decay)
    try:
        build: Callable[..., Optimizer] = make
        optimiser = build(parameters, lr=lr, **options)
    except Exception as error:
        raise ValueError(f"solver={solver!r} cannot be used: {error}") from error
    if not isinstance(optimiser, Optimizer):
        raise ValueError(f"solver={solver!r} must make a torch.optim.Optimizer, got {optimiser!r}.")
    return optimiser


def decayed_apart(parameters: Sequence, weight_decay: float) -> list[dict]:
    """Group parameters, or groups of them, by their decay: that of weights, and none of biases."""
    if not (parameters and isinstance(parameters[0], dict)):
        parameters = [{"params": parameters}]
    groups = []
    for given in parameters:
        weights = [p for p in given["params"] if p.dim() > 1]
        biases = [p for p in given["params"] if p.dim() <= 1]
        groups.append({**given, "params": weights, "weight_decay": weight_decay})
        groups.append({**given, "params": biases, "weight_decay": 0.0})
    return [group for group in groups if group["params"]]


def group_parameters(
    module: nn.Module, *, layer_rates: Mapping[str, float] | None, solver: str | Callable
) -> list[dict]:
    """Group what is trained of a network by what its steps are multiplied with.

    Parameters
    ----------
    module : nn.Module
        The network.
    layer_rates : mapping of str to float, or None
        Factors of the rate by patterns of names of layers, of which the first that matches holds.
    solver : str or callable
        For 'muon', hidden matrices have groups of their own: all but embeddings and the weights of
        the last layer.

    Raises
    ------
    ValueError
        If a pattern matches no layer, or a factor is not positive.
    """
    layers, factors = layers_with_weights(module), {}
    for pattern, factor in (layer_rates or {}).items():
        if not (isinstance(factor, Real) and 0 < factor < float("inf")):
            raise ValueError(
                f"layer_rates must hold factors > 0, got {factor!r} for {pattern!r}; frozen_layers "
                "keeps layers as they are."
            )
        for name in match_layers(layers, pattern, "layer_rates"):
            factors.setdefault(name, float(factor))
    groups, last = defaultdict(dict), list(layers)[-1]
    for name, layer in layers.items():
        is_hidden = solver == "muon" and name != last and not isinstance(layer, nn.Embedding)
        for p in layer.parameters(recurse=False):
            if p.requires_grad:
                groups[factors.get(name, 1.0), is_hidden and p.dim() == 2][p] = None
    return [
        {"params": list(own), "rate_factor": factor, "is_matrix": is_matrix}
        for (factor, is_matrix), own in groups.items()
    ]


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
    groups = optimiser.param_groups
    # One without a factor, if there is one, whose rate is not rounded twice.
    group = next((group for group in groups if group.get("rate_factor", 1.0) == 1.0), groups[0])
    return float(group["lr"]) / group.get("rate_factor", 1.0)


def set_rate(optimiser: Optimizer, rate: float) -> None:
    """Set the learning rate of an optimiser."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group.get("rate_factor", 1.0)


def scale_momentum(optimiser: Optimizer, factor: float) -> None:
    """Multiply the momentum buffers of stochastic gradient descent.

    The velocity of scikit-learn contains the learning rates of its past steps, torch's buffer does
    not: scaling the buffer by old rate / new rate makes a change of rate mean the same in both.
    """
    if isinstance(optimiser, Muon):
        return
    for state in optimiser.state.values():
        if state.get("momentum_buffer") is not None:
            state["momentum_buffer"].mul_(factor)
