"""Epochs of many nets at once: which are stacked, which are trained alone, and why."""

import time
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import chain, pairwise

import numpy as np
import torch

from sknn_basics._compat import is_compiled
from sknn_basics.modules.recurrent import RecurrentNetwork
from sknn_basics.stacking.layers import has_convolutions, unstackable_layer
from sknn_basics.stacking.report import Report
from sknn_basics.stacking.sources import Sources
from sknn_basics.stacking.stack import (
    Stack,
    Structure,
    Unstackable,
    is_out_of_memory,
    structure,
    why_unstackable,
)
from sknn_basics.training.devices import SMALL_STEP, openmp_pools, threads_for_step
from sknn_basics.training.net import Course, Net

# Multiplications of a step's forward pass from which a network by itself keeps a thread of a
# processor as busy as a stack does: `python -m benchmarks.stacking`.
WIDE_STEP = 3 * 2**22

# The same of networks with convolutions, which torch computes faster for one network.
WIDE_IMAGES = 2**20

# The same of a step of recurrent cells, for the same reason.
WIDE_CELLS = 2**18

# What a report calls that in which networks differ.
NAMES = {
    "dtypes": "data type",
    "devices": "device",
    "frozen": "frozen layers",
    "loss": "loss",
    "n_multiplications": "number of steps",
    "samples": "kind of samples",
}


@dataclass(eq=False)
class Part:
    """Nets that are trained together, or one that is trained alone for a reason.

    Attributes
    ----------
    nets : list of Net
        The nets.
    reason : str or None
        Why one is trained alone; None for nets that are stacked.
    key : Structure or None
        What nets have in common that are stacked, or would be if there were others.
    n_busy : int
        Number of threads that the steps keep busy.
    stacks : list of Stack
        The stacks of the nets: one, or one a thread.
    waiting : dict of Net to Course
        Those of them that wait to be trained.
    """

    nets: list[Net]
    reason: str | None = None
    key: Structure | None = None
    n_busy: int = 0
    stacks: list[Stack] = field(default_factory=list)
    waiting: dict[Net, Course] = field(default_factory=dict)

    def is_complete(self) -> bool:
        """Tell whether all nets wait, and still can be trained together."""
        return len(self.waiting) == len(self.nets) and all(stack.holds() for stack in self.stacks)

    def jobs(self) -> list["Job"]:
        """List what can be trained side by side."""
        return [Job(self, stack.nets, stack) for stack in self.stacks] or [Job(self, self.nets)]


@dataclass(eq=False)
class Job:
    """An epoch of a stack, or of a net that is trained alone.

    Attributes
    ----------
    part : Part
        Where its nets wait.
    nets : list of Net
        The nets.
    stack : Stack or None
        The stack of the nets.
    seconds : float
        Duration of the epoch.
    """

    part: Part
    nets: list[Net]
    stack: Stack | None = None
    seconds: float = 0.0

    @property
    def courses(self) -> list[Course]:
        return [self.part.waiting[net] for net in self.nets]

    def train(self) -> None:
        """Train an epoch of each net, and leave the results with it."""
        start = time.perf_counter()
        try:
            with threads_for_step(work_of_step(self.nets)):
                self.train_alone() if self.stack is None else self.train_stack()
        except Exception as error:
            for course in self.courses:
                course.error = error
        self.seconds = time.perf_counter() - start

    def train_alone(self) -> None:
        (course,) = self.courses
        course.result = course.net.train_epoch(course.batches)

    def train_stack(self) -> None:
        # What has fitted in memory once is not tried in halves any more.
        is_new = self.stack.n_epochs == 0
        try:
            results = self.stack.train_epoch()
        except Unstackable as error:
            for course in self.courses:
                course.reason = str(error)
            return
        except Exception as error:
            if not (is_new and is_out_of_memory(error)):
                raise
            return
        for course, result in zip(self.courses, results):
            course.result = result


def work_of_step(nets: Sequence[Net]) -> int:
    """Count the multiplications of the forward passes of a step of all nets, of one structure."""
    return len(nets) * nets[0].batch_size * nets[0].n_multiplications()


def is_on_cpu(net: Net) -> bool:
    return torch.device(net.device).type == "cpu"


def work_of_cells(net: Net) -> int:
    """Count the multiplications of a step of the widest recurrent part for a batch, 0 without."""
    parts = [part for part in net.module_.modules() if isinstance(part, RecurrentNetwork)]
    return net.batch_size * max((part.n_multiplications_a_step for part in parts), default=0)


def n_busy_threads(nets: Sequence[Net]) -> int:
    """Count the threads that the steps of some nets keep busy, each by itself.

    Threads are for the CPU, and foreign callbacks may not know how to share their work.
    """
    if not is_on_cpu(nets[0]) or any(net.runs_foreign_code() for net in nets):
        return 0
    return min(torch.get_num_threads(), work_of_step(nets) // SMALL_STEP)


def train_jobs(jobs: Sequence[Job]) -> None:
    """Train what keeps threads busy side by side, each in one thread, and then all else.

    Threads that share a step wait for each other at every layer.
    """
    n_threads, large = torch.get_num_threads(), []
    if len(jobs) > 1 and n_threads > 1:
        large = [job for job in jobs if job.part.n_busy]
    if len(large) > 1:
        pool = ThreadPoolExecutor(n_threads)
        try:
            list(pool.map(train_in_one_thread, large))
        finally:
            # After Ctrl-C, what is under way ends its epoch, and nothing else is begun.
            pool.shutdown(cancel_futures=True)
        jobs = [job for job in jobs if job not in large]
    for job in jobs:
        job.train()


def train_in_one_thread(job: Job) -> None:
    with openmp_pools().limit(limits=1):
        job.train()


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
        self.parts: dict[Net, Part] = {}
        self.strays: list[Course] = []
        self.most_members: dict[tuple, int] = {}

    def add(self, course: Course) -> None:
        """Let a net wait for an epoch."""
        if part := self.parts.get(course.net):
            part.waiting[course.net] = course
        else:
            self.strays.append(course)

    def has_waiting(self) -> bool:
        """Tell whether any net waits."""
        return bool(self.strays) or any(part.waiting for part in self.parts.values())

    def withdraw(self, course: Course) -> None:
        """Let a net no longer wait."""
        if part := self.parts.get(course.net):
            del part.waiting[course.net]
        else:
            self.strays.remove(course)

    def train(self) -> list[Course]:
        """Train an epoch of every net that waits; return those that need wait no more."""
        trained = []
        self.regroup()
        parts = list(dict.fromkeys(self.parts.values()))
        jobs = [part.jobs() for part in parts]
        train_jobs(list(chain.from_iterable(jobs)))
        for part, own in zip(parts, jobs):
            courses, part.waiting = list(part.waiting.values()), {}
            left = [course for course in courses if course.error is None and course.result is None]
            if left:
                self.dissolve(part, left)
            nets = [course.net for course in courses if course.result is not None]
            if nets:
                self.report.add(nets, part.reason, max(job.seconds for job in own))
            trained += [course for course in courses if course not in left]
        return trained

    def dissolve(self, part: Part, left: list[Course]) -> None:
        """Let nets of stacks that failed wait again, alone or for stacks of half the size."""
        self.strays += left
        for course in left:
            del self.parts[course.net]
        # What failed for another reason has got it.
        if too_large := [course for course in left if course.reason is None]:
            self.halve(part.key, len(too_large))

    def halve(self, key: Structure, n_members: int) -> None:
        """Let stacks of a structure have at most half of so many members."""
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
        """Stack nets that wait by their structure, where they do not form complete parts.

        Whatever fails here is a reason to train those alone that it concerns: nobody else shall
        know of it.
        """
        parts = list(dict.fromkeys(self.parts.values()))
        waiting = [course for part in parts for course in part.waiting.values()] + self.strays
        try:
            self.parts = {net: part for part in self.form_parts(parts) for net in part.nets}
        except Exception as error:
            reason = why_unstackable(error)
            self.parts = {course.net: Part([course.net], reason) for course in waiting}
        self.strays = []
        for course in waiting:
            self.add(course)

    def form_parts(self, parts: list[Part]) -> list[Part]:
        """Keep the parts that are complete, and form new ones of all else that waits."""
        keys = {course: key_of(course) for course in self.strays}
        joined = set(keys.values())
        # New ones may join those that form a part already, or the one that has found no others.
        kept = [
            part
            for part in parts
            if part.is_complete()
            and not (joined and (part.key in joined or (part.key and not part.stacks)))
        ]
        broken = [part for part in parts if part not in kept]
        keys |= {course: key_of(course) for part in broken for course in part.waiting.values()}
        groups = defaultdict(list)
        for course, key in keys.items():
            if key is None:
                n_busy = 0 if course.reason else n_busy_threads([course.net])
                kept.append(Part([course.net], reason_for(course), n_busy=n_busy))
            else:
                groups[key].append(course)
        others = {part.key for part in kept if part.key} | set(groups)
        for key, members in groups.items():
            kept += self.stack_group(members, key, why_no_others(key, others - {key}))
        return kept

    def stack_group(self, members: list[Course], key: Structure, why_alone: str) -> list[Part]:
        """Form parts of nets of one structure: as few as fit in memory."""
        size = self.most_members.get(key, len(members))
        if size < len(members):
            why_alone = "a stack of more does not fit in memory"
        groups = [members[start : start + size] for start in range(0, len(members), size)]
        try:
            return [make_part(group, key, why_alone) for group in groups]
        except Exception as error:
            if size > 1 and is_out_of_memory(error):
                self.halve(key, size)
                return self.stack_group(members, key, why_alone)
            for course in members:
                course.reason = why_unstackable(error)
            return [Part([course.net], course.reason) for course in members]


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
        self.jobs: dict[Course, tuple[Job, Future]] = {}

    def takes(self, course: Course) -> bool:
        """Tell whether an epoch of a net keeps a thread of the CPU busy."""
        if self.n_threads == 1 or course.reason:
            return False
        try:
            return n_busy_threads([course.net]) > 0 and reason_for(course) is not None
        except Exception as error:
            course.reason = why_unstackable(error)
            return False

    def add(self, course: Course) -> None:
        """Begin an epoch of a net as soon as a thread is free."""
        part = Part([course.net], reason_for(course), waiting={course.net: course})
        (job,) = part.jobs()
        self.jobs[course] = job, self.pool.submit(train_in_one_thread, job)

    def withdraw(self, course: Course) -> None:
        """Let a net no longer be trained; what is under way ends its epoch."""
        _, future = self.jobs.pop(course)
        if not future.cancel():
            wait([future])

    def ended(self, is_patient: bool) -> list[Course]:
        """List the nets whose epoch has ended since; the patient wait for one, if there are any."""
        futures = [future for _, future in self.jobs.values()]
        wait(futures, None if is_patient else 0, FIRST_COMPLETED)
        courses = [course for course, (_, future) in self.jobs.items() if future.done()]
        for course in courses:
            job, future = self.jobs.pop(course)
            future.result()
            if course.error is None:
                self.report.add(job.nets, job.part.reason, job.seconds)
        return courses

    def close(self) -> None:
        """End all threads; what is under way ends its epoch."""
        self.pool.shutdown(cancel_futures=True)


def make_part(courses: list[Course], key: Structure, why_alone: str) -> Part:
    """Make a stack, unless there is but one net."""
    nets = [course.net for course in courses]
    n_busy = n_busy_threads(nets)
    if len(nets) == 1:
        return Part(nets, why_alone, key, n_busy)
    n_stacks = max(1, min(n_busy, len(nets)))
    if n_stacks > 1:
        # Those that see the same samples stay together.
        courses = [courses[i] for i in Sources([course.batches for course in courses]).order]
    bounds = np.linspace(0, len(courses), n_stacks + 1).astype(int)
    stacks = [make_stack(courses[i:j]) for i, j in pairwise(bounds)]
    return Part(nets, None, key, n_busy, stacks)


def make_stack(courses: Sequence[Course]) -> Stack:
    return Stack([course.net for course in courses], [course.batches for course in courses])


def key_of(course: Course) -> Structure | None:
    """Describe the structure of a net that may be stacked; None for one that is trained alone."""
    if reason_for(course):
        return None
    try:
        key = structure(course)
        hash(key)
    except Exception as error:
        course.reason = why_unstackable(error)
        return None
    return key


def reason_for(course: Course) -> str | None:
    """Tell why a net is trained alone, if it is."""
    try:
        return course.reason or reason_alone(course.net)
    except Exception as error:
        course.reason = why_unstackable(error)
        return course.reason


def why_no_others(key: Structure, others: Iterable[Structure]) -> str:
    """Tell why a net has no others to be stacked with: in what it differs from those most alike."""
    if not others:
        return "no others wait to be trained"
    unlike = min((differences(key, other) for other in others), key=len)
    if any(name in ("layers", "weights") for name in unlike):
        return "there are no others of its structure"
    names = {"batch_size": f"batch size of {key.batch_size}", **NAMES}
    return f"no other of its structure has its {' and '.join(names[name] for name in unlike)}"


def differences(key: Structure, other: Structure) -> list[str]:
    return [name for name, own, its in zip(key._fields, key, other) if own != its]


def reason_alone(net: Net) -> str | None:
    """Tell why a net is better trained alone, if it is; all that decides on it is here."""
    if net.watches_batches():
        return "a callback watches batches"
    if net.watches_gradients():
        return "a callback watches gradients"
    if layer := unstackable_layer(net.module_):
        return f"{layer} has no stacked form"
    if is_compiled(net.module_):
        return "it is compiled"
    if net.average_decay is not None:
        return "its weights are averaged"
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


def bytes_of_fit(course: Course) -> int:
    """Estimate the memory that a fit takes while it waits and while it is trained."""
    net, dataset = course.net, course.batches.dataset
    itemsize = next(net.module_.parameters()).element_size()
    # Training and test rows, as they came and transformed, mostly in double precision.
    data = 4 * len(dataset) * dataset.sample_bytes
    # Weights, gradients, moments.
    return data + 5 * itemsize * net.n_weights() + net.bytes_of_step()
