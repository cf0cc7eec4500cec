"""Epochs of many nets at once: which are stacked, which are trained alone, and why."""

import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import chain, pairwise

import numpy as np
import torch

from sknn_basics._compat import is_compiled
from sknn_basics.modules.recurrent import RecurrentNetwork
from sknn_basics.modules.summary import count_parameters
from sknn_basics.stacking.layers import has_convolutions, unstackable_layer
from sknn_basics.stacking.report import NAMES, Report, differences
from sknn_basics.stacking.sources import Sources
from sknn_basics.stacking.stack import (
    Setting,
    Stack,
    Unstackable,
    is_out_of_memory,
    setting,
    why_unstackable,
    work_of_step,
)
from sknn_basics.training.devices import SMALL_STEP, openmp_pools, threads_for_step
from sknn_basics.training.net import Fit, Net

# Multiplications of a step's forward pass from which a network by itself keeps a thread of a
# processor as busy as a stack does: `python -m benchmarks.stacking`.
WIDE_STEP = 3 * 2**22

# The same of networks with convolutions, which torch computes faster for one network.
WIDE_IMAGES = 2**20

# The same of a step of recurrent cells, for the same reason.
WIDE_CELLS = 2**18


@dataclass(eq=False)
class Group:
    """Nets that are trained together, or one that is trained alone for a reason.

    Attributes
    ----------
    nets : list of Net
        The nets.
    reason : str or None
        Why one is trained alone; None for nets that are stacked.
    key : Setting or None
        What nets have in common that are stacked, or would be if there were others.
    n_busy : int
        Number of threads that the steps keep busy.
    stacks : list of Stack
        The stacks of the nets: one, or one a thread.
    waiting : dict of Net to Fit
        Those of them that wait to be trained.
    """

    nets: list[Net]
    reason: str | None = None
    key: Setting | None = None
    n_busy: int = 0
    stacks: list[Stack] = field(default_factory=list)
    waiting: dict[Net, Fit] = field(default_factory=dict)

    def is_complete(self) -> bool:
        """Tell whether all nets wait, and still can be trained together."""
        return len(self.waiting) == len(self.nets) and all(stack.holds() for stack in self.stacks)

    def epochs(self) -> list["Epoch"]:
        """List what can be trained side by side."""
        return [Epoch(self, stack.nets, stack) for stack in self.stacks] or [Epoch(self, self.nets)]


@dataclass(eq=False)
class Epoch:
    """An epoch of a stack, or of a net that is trained alone.

    Attributes
    ----------
    group : Group
        Where its nets wait.
    nets : list of Net
        The nets.
    stack : Stack or None
        The stack of the nets.
    seconds : float
        Duration of the epoch.
    """

    group: Group
    nets: list[Net]
    stack: Stack | None = None
    seconds: float = 0.0

    @property
    def fits(self) -> list[Fit]:
        return [self.group.waiting[net] for net in self.nets]

    def train(self) -> None:
        """Train an epoch of each net, and leave the results with it."""
        start = time.perf_counter()
        try:
            with threads_for_step(self.stack.work if self.stack else work_of_step(self.nets)):
                self.train_alone() if self.stack is None else self.train_stack()
        except Exception as error:
            for fit in self.fits:
                fit.error = error
        self.seconds = time.perf_counter() - start

    def train_alone(self) -> None:
        (fit,) = self.fits
        fit.result = fit.net.pass_over(fit.batches, "train")

    def train_stack(self) -> None:
        # What has fitted in memory once is not tried in halves any more.
        is_new = self.stack.n_epochs == 0
        try:
            results = self.stack.train_epoch()
        except Unstackable as error:
            for fit in self.fits:
                fit.reason = str(error)
            return
        except Exception as error:
            if not (is_new and is_out_of_memory(error)):
                raise
            return
        for fit, result in zip(self.fits, results):
            fit.result = result


def is_on_cpu(net: Net) -> bool:
    return torch.device(net.device).type == "cpu"


def work_of_cells(net: Net) -> int:
    """Count the multiplications of a step of the widest recurrent network, 0 without one."""
    networks = [own for own in net.module_.modules() if isinstance(own, RecurrentNetwork)]
    return net.batch_size * max((own.n_multiplications_a_step for own in networks), default=0)


def n_busy_threads(nets: Sequence[Net]) -> int:
    """Count the threads that the steps of some nets keep busy, each by itself.

    Threads are for the CPU, and foreign callbacks may not know how to share their work.
    """
    if not is_on_cpu(nets[0]) or any(net.runs_foreign_code() for net in nets):
        return 0
    return min(torch.get_num_threads(), work_of_step(nets) // SMALL_STEP)


def train_epochs(epochs: Sequence[Epoch]) -> None:
    """Train what keeps threads busy side by side, each in one thread, and then all else.

    Threads that share a step wait for each other at every layer.
    """
    n_threads, large = torch.get_num_threads(), []
    if len(epochs) > 1 and n_threads > 1:
        large = [epoch for epoch in epochs if epoch.group.n_busy]
    if len(large) > 1:
        pool = ThreadPoolExecutor(n_threads)
        try:
            list(pool.map(train_in_one_thread, large))
        finally:
            # After Ctrl-C, what is under way ends its epoch, and nothing else is begun.
            pool.shutdown(cancel_futures=True)
        epochs = [epoch for epoch in epochs if epoch not in large]
    for epoch in epochs:
        epoch.train()


def train_in_one_thread(epoch: Epoch) -> None:
    with openmp_pools().limit(limits=1):
        epoch.train()


class Rounds:
    """Trains epochs of all nets that wait for one.

    Stacks last as long as the same nets wait; when some have ended or new ones begun, those of
    their structure are stacked anew.

    Parameters
    ----------
    report : Report
        Takes down what is trained.
    """

    def __init__(self, report: Report):
        self.report = report
        self.groups: dict[Net, Group] = {}
        self.strays: list[Fit] = []
        self.most_members: dict[tuple, int] = {}

    def add(self, fit: Fit) -> None:
        """Let a net wait for an epoch."""
        if group := self.groups.get(fit.net):
            group.waiting[fit.net] = fit
        else:
            self.strays.append(fit)

    def has_waiting(self) -> bool:
        """Tell whether any net waits."""
        return bool(self.strays) or any(group.waiting for group in self.groups.values())

    def withdraw(self, fit: Fit) -> None:
        """Let a net no longer wait."""
        if group := self.groups.get(fit.net):
            del group.waiting[fit.net]
        else:
            self.strays.remove(fit)

    def train(self) -> list[Fit]:
        """Train an epoch of every net that waits; return those that need wait no more."""
        trained = []
        self.regroup()
        groups = list(dict.fromkeys(self.groups.values()))
        epochs = [group.epochs() for group in groups]
        n_stacks = Counter(group.key for group in groups for _ in group.stacks)
        train_epochs(list(chain.from_iterable(epochs)))
        for group, own in zip(groups, epochs):
            fits, group.waiting = list(group.waiting.values()), {}
            left = [fit for fit in fits if fit.error is None and fit.result is None]
            if left:
                self.dissolve(group, left)
            done = [fit for fit in fits if fit.result is not None]
            if done:
                seconds = max(epoch.seconds for epoch in own)
                self.report.add(done, group.reason, seconds, group.key, n_stacks[group.key])
            trained += [fit for fit in fits if fit not in left]
        return trained

    def dissolve(self, group: Group, left: list[Fit]) -> None:
        """Let nets of stacks that failed wait again, alone or for stacks of half the size."""
        self.strays += left
        for fit in left:
            del self.groups[fit.net]
        # What failed for another reason has got it.
        if too_large := [fit for fit in left if fit.reason is None]:
            self.halve(group.key, len(too_large))

    def halve(self, key: Setting, n_members: int) -> None:
        """Let stacks of a setting have at most half of so many members."""
        most = n_members // 2
        if self.most_members.get(key, n_members) <= most:
            return  # A stack of the same size has been too large already.
        self.most_members[key] = most
        warnings.warn(
            f"A stack of {n_members} networks does not fit in memory: "
            f"at most {most} are stacked now.",
            RuntimeWarning,
            stacklevel=2,
        )

    def regroup(self) -> None:
        """Stack nets that wait by their structure, where they do not form complete groups.

        Whatever fails here is a reason to train those alone that it concerns: nobody else shall
        know of it.
        """
        groups = list(dict.fromkeys(self.groups.values()))
        waiting = [fit for group in groups for fit in group.waiting.values()] + self.strays
        try:
            self.groups = {net: group for group in self.form_groups(groups) for net in group.nets}
        except Exception as error:
            reason = why_unstackable(error)
            self.groups = {fit.net: Group([fit.net], reason) for fit in waiting}
        self.strays = []
        for fit in waiting:
            self.add(fit)

    def form_groups(self, groups: list[Group]) -> list[Group]:
        """Keep the groups that are complete, and form new ones of all else that waits."""
        keys = {fit: key_of(fit) for fit in self.strays}
        joined = set(keys.values())
        # New ones may join those that form a group already, or the one that has found no others.
        kept = [
            group
            for group in groups
            if group.is_complete()
            and not (joined and (group.key in joined or (group.key and not group.stacks)))
        ]
        broken = [group for group in groups if group not in kept]
        keys |= {fit: key_of(fit) for group in broken for fit in group.waiting.values()}
        by_key = defaultdict(list)
        for fit, key in keys.items():
            if key is None:
                n_busy = 0 if fit.reason else n_busy_threads([fit.net])
                kept.append(Group([fit.net], reason_for(fit), n_busy=n_busy))
            else:
                by_key[key].append(fit)
        others = {group.key for group in kept if group.key} | set(by_key)
        for key, members in by_key.items():
            kept += self.stack_group(members, key, why_no_others(key, others - {key}))
        return kept

    def stack_group(self, members: list[Fit], key: Setting, why_alone: str) -> list[Group]:
        """Form groups of nets of one setting: as few as fit in memory."""
        size = self.most_members.get(key, len(members))
        if size < len(members):
            why_alone = "a stack of more does not fit in memory"
        shares = [members[start : start + size] for start in range(0, len(members), size)]
        try:
            return [make_group(share, key, why_alone) for share in shares]
        except Exception as error:
            if size > 1 and is_out_of_memory(error):
                self.halve(key, size)
                return self.stack_group(members, key, why_alone)
            for fit in members:
                fit.reason = why_unstackable(error)
            return [Group([fit.net], fit.reason) for fit in members]


class Background:
    """Trains epochs of nets that are best trained alone, each in one thread, while tasks run.

    Parameters
    ----------
    report : Report
        Takes down what is trained.
    """

    def __init__(self, report: Report):
        self.report = report
        self.n_threads = torch.get_num_threads()
        self.pool = ThreadPoolExecutor(self.n_threads)
        self.epochs: dict[Fit, tuple[Epoch, Future]] = {}

    def takes(self, fit: Fit) -> bool:
        """Tell whether an epoch of a net keeps a thread of the CPU busy."""
        if self.n_threads == 1 or fit.reason:
            return False
        try:
            return n_busy_threads([fit.net]) > 0 and reason_for(fit) is not None
        except Exception as error:
            fit.reason = why_unstackable(error)
            return False

    def add(self, fit: Fit) -> None:
        """Begin an epoch of a net as soon as a thread is free."""
        group = Group([fit.net], reason_for(fit), waiting={fit.net: fit})
        (epoch,) = group.epochs()
        self.epochs[fit] = epoch, self.pool.submit(train_in_one_thread, epoch)

    def withdraw(self, fit: Fit) -> None:
        """Let a net no longer be trained; what is under way ends its epoch."""
        _, future = self.epochs.pop(fit)
        if not future.cancel():
            wait([future])

    def ended(self, is_patient: bool) -> list[Fit]:
        """List the nets whose epoch has ended since; the patient wait for one, if there are any."""
        futures = [future for _, future in self.epochs.values()]
        wait(futures, None if is_patient else 0, FIRST_COMPLETED)
        fits = [fit for fit, (_, future) in self.epochs.items() if future.done()]
        for fit in fits:
            epoch, future = self.epochs.pop(fit)
            future.result()
            if fit.error is None:
                self.report.add([fit], epoch.group.reason, epoch.seconds)
        return fits

    def close(self) -> None:
        """End all threads; what is under way ends its epoch."""
        self.pool.shutdown(cancel_futures=True)


def make_group(fits: list[Fit], key: Setting, why_alone: str) -> Group:
    """Make a stack, unless there is but one net."""
    nets = [fit.net for fit in fits]
    n_busy = n_busy_threads(nets)
    if len(nets) == 1:
        return Group(nets, why_alone, key, n_busy)
    n_stacks = max(1, min(n_busy, len(nets)))
    if n_stacks > 1:
        # Those that see the same samples stay together.
        fits = [fits[i] for i in Sources([fit.batches for fit in fits], nets).order]
    work = np.array([work_of_step([fit.net]) for fit in fits])
    shares = np.linspace(0, work.sum(), n_stacks + 1)
    bounds = np.searchsorted(work.cumsum() - work / 2, shares)
    stacks = [make_stack(fits[i:j]) for i, j in pairwise(bounds) if i < j]
    return Group(nets, None, key, n_busy, stacks)


def make_stack(fits: Sequence[Fit]) -> Stack:
    return Stack([fit.net for fit in fits], [fit.batches for fit in fits])


def key_of(fit: Fit) -> Setting | None:
    """Describe the structure of a net that may be stacked; None for one that is trained alone."""
    if reason_for(fit):
        return None
    try:
        key = setting(fit)
        hash(key)
    except Exception as error:
        fit.reason = why_unstackable(error)
        return None
    return key


def reason_for(fit: Fit) -> str | None:
    """Tell why a net is trained alone, if it is."""
    try:
        return fit.reason or reason_alone(fit.net)
    except Exception as error:
        fit.reason = why_unstackable(error)
        return fit.reason


def why_no_others(key: Setting, others: Iterable[Setting]) -> str:
    """Tell why a net has no others to be stacked with: in what it differs from those most alike."""
    if not others:
        return "no others wait to be trained"
    unlike = min((differences(key, other) for other in others), key=len)
    names = {**NAMES, "dtype": f"dtype of {key.dtype}", "device": f"device of {key.device}"}
    return f"no other has its {' and '.join(names[name] for name in unlike)}"


def reason_alone(net: Net) -> str | None:
    """Tell why a net is better trained alone, if it is; all that decides on it is here."""
    if net.why_alone:
        return net.why_alone
    if net.watches_batches():
        return "a callback watches batches"
    if net.watches_gradients():
        return "a callback watches gradients"
    if layer := unstackable_layer(net.module_):
        return f"{layer} has no stacked form"
    if is_compiled(net.module_):
        return "it is compiled"
    if net.autocast:
        return "it computes in bfloat16"
    if not net.trainable_:
        return "nothing is trained"
    if is_on_cpu(net) and is_wide(net):
        return "it is wide enough for a processor"
    return None


def is_wide(net: Net) -> bool:
    """Tell whether a network by itself keeps a processor as busy as a stack does."""
    if cells := work_of_cells(net):
        return cells > WIDE_CELLS
    limit = WIDE_IMAGES if has_convolutions(net.module_) else WIDE_STEP
    return work_of_step([net]) > limit


def bytes_of_fit(fit: Fit) -> int:
    """Estimate the memory that a fit takes while it waits and while it is trained."""
    net, dataset = fit.net, fit.batches.dataset
    itemsize = next(net.module_.parameters()).element_size()
    # Training and test rows, as they came and transformed, mostly in double precision.
    data = 4 * len(dataset) * dataset.sample_bytes
    # Weights, gradients, moments.
    n_weights = count_parameters(net.module_)
    return data + 5 * itemsize * n_weights + net.bytes_of_step()
