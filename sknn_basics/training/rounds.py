"""Epochs of many nets at once: which are stacked, which are trained alone, and why."""

import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue

import numpy as np
import torch
from torch import nn

from sknn_basics.modules.layers import random_layers
from sknn_basics.modules.stacked import unstackable_layer
from sknn_basics.training.batches import Batches
from sknn_basics.training.devices import openmp_pools, threads_for_step
from sknn_basics.training.net import Net
from sknn_basics.training.stack import Stack, structure

WATCHED = ("a callback watches batches", "a callback watches gradients")


@dataclass(eq=False)
class Request:
    """An epoch that a net wants to be trained.

    Attributes
    ----------
    net, batches : Net, Batches
        Whose epoch, on what.
    losses, counts : ndarray, list of int
        The results: reported losses and sizes of the batches.
    error : Exception or None
        What went wrong instead.
    """

    net: Net
    batches: Batches
    losses: np.ndarray | None = None
    counts: list[int] = field(default_factory=list)
    error: Exception | None = None

    def is_fulfilled(self) -> bool:
        return self.losses is not None or self.error is not None


@dataclass
class Training:
    """How networks of one structure were trained.

    Attributes
    ----------
    network : str
        Widths of its layers.
    way : str
        'stacked', or 'alone' with the reason.
    n_fits : int
        Number of fits.
    n_epochs : int
        Number of their epochs, all together.
    most_at_once : int
        Size of the largest stack.
    seconds : float
        Duration of these epochs.
    """

    network: str
    way: str
    n_fits: int = 0
    n_epochs: int = 0
    most_at_once: int = 0
    seconds: float = 0.0


class Report:
    """What was stacked, what was not, and why; ``str(report)`` is a table.

    Attributes
    ----------
    trainings : list of Training
        One for each network structure and way of training.
    """

    def __init__(self):
        self._trainings = {}

    @property
    def trainings(self) -> list[Training]:
        return list(self._trainings.values())

    def add(self, nets: Sequence[Net], reason: str | None, seconds: float) -> None:
        """Add an epoch of nets that were trained together, or of one that was not."""
        network = describe(nets[0].module_)
        way = "stacked" if reason is None else f"alone: {reason}"
        training = self._trainings.setdefault((network, way), Training(network, way))
        training.n_fits += sum(len(net.history) == 1 for net in nets)
        training.n_epochs += len(nets)
        training.most_at_once = max(training.most_at_once, len(nets))
        training.seconds += seconds

    def __str__(self) -> str:
        header = ["network", "fits", "epochs", "most at once", "seconds", "trained"]
        rows = [
            [t.network, t.n_fits, t.n_epochs, t.most_at_once, f"{t.seconds:.2f}", t.way]
            for t in self.trainings
        ]
        lines = [[str(cell) for cell in row] for row in [header, *rows]]
        widths = [max(map(len, column)) for column in zip(*lines)]
        return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


@dataclass(eq=False)
class Part:
    """Nets that are trained together, or one that is trained alone for a reason.

    Attributes
    ----------
    nets : list of Net
        The nets.
    reason : str or None
        Why one is trained alone; None for a stack.
    stack : Stack or None
        The stack of the nets.
    requests : dict of Net to Request
        Their epochs that wait, or are being trained.
    is_running : bool
        Whether they are being trained.
    is_too_large : bool
        Whether the last epoch did not fit in memory.
    seconds : float
        Duration of the last epoch.
    """

    nets: list[Net]
    reason: str | None = None
    stack: Stack | None = None
    requests: dict[Net, Request] = field(default_factory=dict)
    is_running: bool = False
    is_too_large: bool = False
    seconds: float = 0.0

    def train(self) -> None:
        """Train an epoch of each net, and fill in the requests."""
        start = time.perf_counter()
        try:
            if self.stack is None:
                self.train_alone()
            else:
                self.train_stack()
        except Exception as error:
            for request in self.requests.values():
                request.error = error
        self.seconds = time.perf_counter() - start

    def train_alone(self) -> None:
        (net,) = self.nets
        request = self.requests[net]
        with threads_for_step(net.batch_size * net.n_weights()):
            request.losses, request.counts = net.train_epoch(request.batches)

    def train_stack(self) -> None:
        restore = snapshot_of_draws(self.stack, self.requests.values())
        try:
            results = self.stack.train_epoch()
        except Exception as error:
            if not is_out_of_memory(error) or self.stack.n_steps or len(self.nets) == 1:
                raise
            restore()
            self.is_too_large = True
            return
        for net, (losses, counts) in zip(self.stack.nets, results):
            self.requests[net].losses, self.requests[net].counts = losses, counts


class Rounds:
    """Trains epochs of all nets that wait for one.

    A stack is trained as soon as all its nets wait, so that one stack is trained while the
    callbacks of another's nets run. Once nets wait that no complete stack holds, because others
    have ended or new ones begun, all are stacked anew.

    Parameters
    ----------
    report : Report
        Takes down what is trained.
    """

    def __init__(self, report: Report):
        self.report = report
        self.parts: dict[Net, Part] = {}
        self.strays: list[Request] = []
        self.most_members: dict[tuple, int] = {}
        self.n_running, self.is_regrouping = 0, False
        self.finished = SimpleQueue()
        self.n_threads = torch.get_num_threads()
        self.pool = ThreadPoolExecutor(self.n_threads)

    def add(self, request: Request) -> None:
        """Let a net wait for an epoch."""
        part = self.parts.get(request.net)
        if part is None:
            self.strays.append(request)
            return
        part.requests[request.net] = request
        if len(part.requests) < len(part.nets) or self.is_regrouping:
            return
        if part.stack is None or part.stack.holds():
            self.start(part)
        else:
            # A callback has changed what is trained, or where the weights lie.
            self.is_regrouping = True

    def start(self, part: Part) -> None:
        """Begin to train a part."""
        self.n_running += 1
        part.is_running = True
        if part.reason in WATCHED:
            # A user's function may not expect another thread.
            part.train()
            self.finished.put(part)
        else:
            is_only_one = len(part.nets) == len(self.parts)
            self.pool.submit(self.run, part, None if is_only_one else 1)

    def run(self, part: Part, n_threads: int | None) -> None:
        """Train a part in a thread of the pool."""
        with openmp_pools().limit(limits=n_threads):
            part.train()
        self.finished.put(part)

    def wait(self) -> list[Request]:
        """Wait until a part is trained; return its requests."""
        idle = [part for part in self.parts.values() if part.requests and not part.is_running]
        if not self.n_running:
            self.regroup()
        elif self.strays or idle:
            self.is_regrouping = True
        part = self.finished.get()
        self.n_running -= 1
        part.is_running = False
        requests, part.requests = list(part.requests.values()), {}
        if part.is_too_large:
            self.split(part, requests)
            return []
        if requests[0].error is None:
            self.report.add(part.nets, part.reason, part.seconds)
        return requests

    def withdraw(self, request: Request) -> bool:
        """Let a net no longer wait; tell whether that was possible, or it is being trained."""
        part = self.parts.get(request.net)
        if part is not None and part.is_running:
            return False
        self.is_regrouping = True
        if part is None:
            self.strays.remove(request)
        else:
            del part.requests[request.net]
        return True

    def split(self, part: Part, requests: list[Request]) -> None:
        """Let nets wait again, for stacks of half the size."""
        self.strays += requests
        self.is_regrouping = True
        key, most = structure(part.nets[0]), len(part.nets) // 2
        if self.most_members.get(key, len(part.nets)) <= most:
            return  # Its neighbour has been too large already.
        self.most_members[key] = most
        warnings.warn(
            f"A stack of {len(part.nets)} networks does not fit in memory: "
            f"at most {most} are stacked now.",
            RuntimeWarning,
            stacklevel=2,
        )

    def regroup(self) -> None:
        """Stack all nets that wait by their structure, and begin to train them."""
        parts = {id(part): part for part in self.parts.values()}.values()
        waiting = [*self.strays, *(r for part in parts for r in part.requests.values())]
        parts, groups = [], defaultdict(list)
        for request in waiting:
            if reason := reason_alone(request.net):
                parts.append(Part([request.net], reason))
            else:
                groups[structure(request.net)].append(request)
        for key, group in groups.items():
            parts += self.make_parts(group, self.most_members.get(key, len(group)))
        self.parts = {net: part for part in parts for net in part.nets}
        self.strays, self.is_regrouping = [], False
        for request in waiting:
            self.add(request)

    def make_parts(self, requests: list[Request], most: int) -> list[Part]:
        """Make stacks of nets of one structure, one for each core that would else be idle."""
        on_cpu = torch.device(requests[0].net.device).type == "cpu"
        n_cores = self.n_threads if on_cpu else 1
        if len(requests) <= n_cores:
            return [
                Part([request.net], "there are not more of its structure") for request in requests
            ]
        size = min(most, -(-len(requests) // n_cores))
        parts = []
        for start in range(0, len(requests), size):
            members = requests[start : start + size]
            nets = [request.net for request in members]
            parts.append(Part(nets, stack=Stack(nets, [request.batches for request in members])))
        return parts

    def close(self) -> None:
        """Stop what is being trained, and end the threads."""
        for part in self.parts.values():
            if part.stack is not None:
                part.stack.is_stopped = True
        self.pool.shutdown(cancel_futures=True)


def reason_alone(net: Net) -> str | None:
    """Tell why a net is better trained alone, if it is; all that decides on it is here."""
    if net.watches_batches():
        return WATCHED[0]
    if net.watches_gradients():
        return WATCHED[1]
    if layer := unstackable_layer(net.module_):
        return f"{layer} has no stacked form"
    if net.module_._compiled_call_impl is not None:
        return "it is compiled"
    if not net.trainable_:
        return "nothing is trained"
    return None


def snapshot_of_draws(stack: Stack, requests: Iterable[Request]) -> Callable[[], None]:
    """Remember what the first forward pass of an epoch changes; calling the result undoes it."""
    orders = [(request.batches, request.batches.order, request.batches.rng) for request in requests]
    states = [rng and rng.get_state() for _, _, rng in orders]
    generators = {
        layer.generator: layer.generator.get_state()
        for net in stack.nets
        for layer in random_layers(net.module_)
    }
    buffers = [buffer.clone() for buffer in stack.buffers()]

    def restore() -> None:
        for (batches, order, rng), state in zip(orders, states):
            batches.order = order
            if rng is not None:
                rng.set_state(state)
        for generator, state in generators.items():
            generator.set_state(state)
        for buffer, before in zip(stack.buffers(), buffers):
            buffer.copy_(before)

    return restore


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether an allocation failed, on any device."""
    # torch says on the CPU: "DefaultCPUAllocator: can't allocate memory".
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "allocate memory" in str(error)
    )


def describe(module: nn.Module) -> str:
    """Name a network by the widths of its layers."""
    shapes = [
        tuple(layer.weight.shape) for layer in module.modules() if isinstance(layer, nn.Linear)
    ]
    return "-".join(map(str, [shapes[0][1], *(n_outputs for n_outputs, _ in shapes)]))


def bytes_of_fit(net: Net, batches: Batches) -> int:
    """Estimate the memory that a fit takes while it waits and while it is trained."""
    dataset = batches.dataset
    itemsize = next(net.module_.parameters()).element_size()
    # Training and test rows, as they came and transformed, mostly in double precision.
    data = 4 * len(dataset) * dataset.sample_bytes
    # Weights, gradients, moments; outputs of all layers and their gradients.
    outputs = sum(p.shape[0] for p in net.module_.parameters() if p.dim() > 1)
    return data + itemsize * (5 * net.n_weights() + 4 * net.batch_size * outputs)
