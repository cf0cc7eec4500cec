"""The joblib backend "stacked", under which parallel fits of scikit-learn train as one network."""

import reprlib
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path
from queue import Empty, SimpleQueue

from joblib import parallel_config, register_parallel_backend

from sknn_basics._compat import (
    ParallelBackendBase,
    code_that_keeps_results,
    run_one_by_one,
)
from sknn_basics.stacking.report import Report
from sknn_basics.stacking.rounds import Background, Rounds, bytes_of_fit
from sknn_basics.stacking.stack import why_unstackable
from sknn_basics.stacking.workers import Workers
from sknn_basics.training.devices import available_memory, openmp_pools
from sknn_basics.training.net import TRAINER, Fit

# Fits that are under way at once, where neither n_jobs nor memory allows fewer.
MOST_FITS = 256

# Sent to a task in place of a turn's number, it ends the task's thread before its first turn.
NO_TURN = -1

# Seconds after which a task that computes nothing is overdue: it may wait for a lock that another
# task holds in its fit. Where one has been, another is likely.
PATIENCE, IMPATIENCE = 5.0, 0.1

# Share of the time below which a process computes nothing.
IDLE = 0.02

# What runs while a joblib.Memory computes a result to keep.
KEEPING = code_that_keeps_results()

HERE = threading.local()


class Cancelled(BaseException):
    """Ends a task whose result nobody wants any more; no `except Exception` holds it up."""


class Task:
    """A function that runs in a thread of its own, in turn with all others.

    Attributes
    ----------
    done : bool
        Whether it has ended, with a result or an error.
    number : int
        Number of its last turn; 0 before the first.
    fit : Fit or None
        The training that it waits for.
    waiter : Task or None
        What waits for it to end.
    is_kept : bool
        Whether a joblib.Memory keeps the result of what is being fitted.
    """

    def __init__(self, turns: "Turns", function: Callable, callback: Callable | None):
        self.turns, self.function, self.callback = turns, function, callback
        self.done = self.is_cancelled = self.is_unwinding = self.is_kept = False
        self.result = self.error = self.fit = self.waiter = None
        self.numbers, self.number = SimpleQueue(), 0
        self.thread = threading.Thread(target=copy_context().run, args=(self.run,), daemon=True)

    def run(self) -> None:
        if not self.has_turn():
            return
        # For this thread only: a team of OpenMP threads for each task costs more than it gives.
        openmp_pools().limit(limits=1)
        HERE.task = self
        TRAINER.set(self.train)
        try:
            self.result = self.function()
        except BaseException as error:
            self.error = error
        try:
            if self.callback is not None and not self.is_cancelled:
                self.callback(self)
        except BaseException as error:
            self.error = self.error or error
        self.turns.end(self)

    def train(self, fit: Fit) -> None:
        """Wait until all steps of a training are made."""
        if threading.current_thread() is not self.thread:
            fit.train()
            return
        if self.is_cancelled:
            raise Cancelled
        self.fit, self.is_kept = fit, is_kept()
        if self.is_kept:
            fit.reason = "a joblib.Memory keeps its result"
        fit.advance()
        while fit.batches is not None:
            self.turns.wait_for_training(self)
            if fit.error is not None:
                raise fit.error
            if fit.result is not None:
                fit.advance()

    def has_turn(self) -> bool:
        """Wait for the next turn; tell whether there is one."""
        while (number := self.numbers.get()) == self.number:
            # This turn has ended, but an interrupted thread does not know.
            self.turns.ended.put(number)
        self.number = number
        return number > 0

    def rest(self) -> None:
        """Let others run until this task is resumed."""
        with warnings.catch_warnings():  # brings this task's filters back
            self.turns.ended.put(self.number)
            self.has_turn()

    def pause(self) -> None:
        """Rest, unless this task is to end."""
        self.rest()
        if self.is_cancelled and not self.is_unwinding:
            self.is_unwinding = True
            raise Cancelled


class Turns:
    """Tasks of which one runs at a time, until it waits for an epoch or for other tasks, or ends.

    The diagram of all states is in the docstring of this room, `sknn_basics.stacking`. Tasks are
    threads because a fit cannot be left in its middle in any other way: scikit-learn's code stands
    above it. That only one runs at a time keeps results the same in each run, and global states,
    such as filters of warnings, those of one task. What is ready goes before what is queued, and
    training comes last, so that stacks are as large as memory allows (`has_room`).

    The thread that called joblib gives the turns, and trains when all tasks wait. A turn is a
    number that is sent to a task and comes back when the turn has ended. Where Ctrl-C interrupts
    either, the number is sent again, and comes back again.

    A task that computes nothing for some time is overdue. It may wait for a lock that another task
    holds around its fit, and that one waits for all others to wait too. So those that wait are
    trained, and given turns, without it. Its turn continues next to theirs, and comes back some
    time: the lock here is for these two, else only the thread whose turn it is touches anything.

    A fit whose result a joblib.Memory keeps is trained before any other task has a turn, which
    might be about to compute the same.

    Parameters
    ----------
    n_jobs : int
        Most fits under way at once.
    report : Report
        Takes down what is trained.
    n_sharing : int, default=1
        Number of processes that share the memory there is.
    """

    def __init__(self, n_jobs: int, report: Report, n_sharing: int = 1):
        self.n_jobs, self.n_sharing = n_jobs, n_sharing
        self.report, self.n_tasks = report, 0
        self.set_up_training()
        self.queued, self.ready, self.waiting = deque(), deque(), {}
        self.n_active = 0
        self.memory, self.bytes_of_fit = 0, 0
        self.ended, self.n_turns, self.current = SimpleQueue(), 0, None
        self.overdue, self.patience, self.lock = {}, PATIENCE, threading.RLock()

    def set_up_training(self) -> None:
        self.rounds, self.kept = Rounds(self.report), Rounds(self.report)
        self.background = Background(self.report)

    # In the thread of a task.

    def wait_for_training(self, task: Task) -> None:
        """Pause a task until its training has a result that calls for the task's own thread."""
        fit = task.fit
        with self.lock:
            try:
                if not self.memory:
                    self.memory = available_memory(fit.net.device) // (2 * self.n_sharing)
                self.bytes_of_fit = max(bytes_of_fit(fit), self.bytes_of_fit)
            except Exception as error:
                fit.reason = why_unstackable(error)
            self.waiting[fit] = task
            self.begin(fit)
        task.pause()
        while fit in self.waiting:
            task.pause()

    def end(self, task: Task) -> None:
        with self.lock:
            self.n_active -= 1
            if task.waiter is not None:
                self.ready.append(task.waiter)
            task.done, task.function = True, None
        self.ended.put(task.number)

    # In the thread of a task, or that which called joblib.

    def begin(self, fit: Fit) -> None:
        """Let a net wait for the next round, or train it in the background of other tasks."""
        # Not by what is under way just now: one thread and two make different roundings.
        if self.waiting[fit].is_kept:
            self.kept.add(fit)
        elif self.n_tasks > 1 and self.background.takes(fit):
            self.background.add(fit)
        else:
            self.rounds.add(fit)

    def add(self, task: Task) -> None:
        """Let a task wait for its first turn."""
        with self.lock:
            self.n_tasks += 1
            self.queued.append(task)

    # In the thread that called joblib, or that of a task with tasks of its own.

    def wait_for(self, task: Task, is_cancelled: bool = False) -> None:
        """Wait until a task has ended, and see to it that it does.

        Whoever waits for a cancelled task cannot be cancelled before it has ended.
        """
        here = getattr(HERE, "task", None)
        if here is None or here.turns is not self:
            while not task.done:
                if not self.go_on() and is_cancelled:
                    return  # It waits for what may only come when this thread continues.
            return
        with self.lock:
            task.waiter = here
            self.n_active -= 1
        try:
            while not task.done:
                here.rest() if is_cancelled else here.pause()
        finally:
            with self.lock:
                self.n_active += 1

    def go_on(self) -> bool:
        """Give the next turn; train if there is none to give.

        Where all that is left are overdue turns, tell whether one of them ends for some time.
        """
        self.note_ended(timeout=0)
        if self.kept.has_waiting():
            self.train()
        elif self.ready:
            self.resume(self.ready.popleft())
        elif self.overdue and self.waiting:
            self.train()
        elif self.queued and self.has_room():
            with self.lock:
                task = self.queued.popleft()
                self.n_active += 1
            task.thread.start()
            self.resume(task)
        elif self.waiting:
            self.train()
        else:
            return self.note_ended(timeout=PATIENCE)
        return True

    def note_ended(self, timeout: float) -> bool:
        """Strike out an overdue turn that ends in the given number of seconds, if one does."""
        if not self.overdue:
            return False
        try:
            return self.overdue.pop(self.ended.get(timeout > 0, timeout), None) is not None
        except Empty:
            return False

    def train(self) -> None:
        """Train an epoch; continue with the trainings that need no thread of their own."""
        with self.lock:
            trained = self.kept.train()
            if not trained:
                trained = self.rounds.train()
                trained += self.background.ended(is_patient=not trained)
            with openmp_pools().limit(limits=1):
                goes_on = {fit: self.advance(fit) for fit in trained}
            for fit in trained:
                if goes_on[fit]:
                    self.begin(fit)
                    continue
                task = self.waiting.pop(fit)
                # What is kept is kept before anybody asks for it.
                self.ready.appendleft(task) if task.is_kept else self.ready.append(task)

    def advance(self, fit: Fit) -> bool:
        """Run what comes between the epochs of a training; tell whether it continues."""
        task = self.waiting[fit]
        if fit.error is not None or task.is_cancelled or fit.net.runs_foreign_code():
            return False
        try:
            fit.advance()
        except Exception as error:
            fit.error = error
        return fit.error is None and fit.batches is not None

    def has_room(self) -> bool:
        """Tell whether one more fit may be under way; the first one shows how much they take."""
        if self.n_active <= len(self.overdue):
            return True
        fits = 0 < (self.n_active + 1) * self.bytes_of_fit <= self.memory
        return fits and self.n_active < self.n_jobs

    def resume(self, task: Task) -> None:
        if task.done:
            return
        with warnings.catch_warnings():
            self.n_turns += 1
            self.current = task, self.n_turns
            self.finish_turn()
        if self.n_turns in self.overdue and self.patience == PATIENCE:
            self.patience = IMPATIENCE
            warnings.warn(describe_overdue(task, len(self.waiting)), RuntimeWarning, stacklevel=2)

    def finish_turn(self) -> None:
        """Give a task its turn, and wait until it ends or is overdue."""
        task, number = self.current
        task.numbers.put(number)
        ended = None
        # One that is overdue may end in an earlier turn.
        while ended != number and not task.done:
            start, work = time.perf_counter(), time.process_time()
            try:
                ended = self.ended.get(timeout=self.patience)
            except Empty:
                if time.process_time() - work < IDLE * (time.perf_counter() - start):
                    self.overdue[number] = task
                    break
            # Also earlier turns that were overdue, and numbers that came back twice.
            self.overdue.pop(ended, None)
        self.current = None

    def cancel(self, tasks: list[Task]) -> None:
        """End tasks early: each is resumed with an exception, and has ended when this returns."""
        is_outermost = getattr(HERE, "task", None) is None
        if is_outermost and self.current is not None and not self.current[0].done:
            self.finish_turn()
        if is_outermost:
            # No task is left to train, and an interrupted round is in no order to be gone on with.
            with self.lock:
                self.background.close()
                self.set_up_training()
                self.waiting.clear()
        for task in tasks:
            if task in self.queued:
                self.queued.remove(task)
            if task.number == 0:
                task.numbers.put(NO_TURN)
        started = [task for task in tasks if task.number > 0 and not task.done]
        for task in started:
            self.cancel_started(task)
        for task in started:
            self.wait_for(task, is_cancelled=True)

    def cancel_started(self, task: Task) -> None:
        with self.lock:
            task.is_cancelled = True
            if task.fit in self.waiting:
                is_trained = task.fit in self.background.epochs
                usual = self.background if is_trained else self.rounds
                (self.kept if task.is_kept else usual).withdraw(task.fit)
                del self.waiting[task.fit]
            self.ready.append(task)


class StackedBackend(ParallelBackendBase):
    """The joblib backend "stacked".

    Tasks run in threads, one at a time. A neural estimator's fit waits whenever it is about to
    train an epoch; when all tasks wait, the waiting networks are trained together as one
    network. A task without neural estimators just runs.

    Parameters
    ----------
    report : Report or None, default=None
        Takes down what is trained.
    n_processes : int or None, default=None
        Number of processes that share the tasks, each of which trains its own as one network; -1
        is one for each processor or worker. None is 1 for 'loky', else -1.
    across : str, default='loky'
        Name of the joblib backend that has these processes.
    n_sharing : int, default=1
        Number of processes that share the memory there is.
    """

    default_n_jobs = -1

    def __init__(
        self,
        nesting_level=None,
        report: Report | None = None,
        turns: Turns | None = None,
        n_processes: int | None = None,
        across: str = "loky",
        n_sharing: int = 1,
        **kwargs,
    ):
        super().__init__(nesting_level=nesting_level, **kwargs)
        self.report = Report() if report is None else report
        self.outer_turns = turns
        if n_processes is None:
            n_processes = 1 if across == "loky" else -1
        self.workers = Workers(across, n_processes)
        self.n_sharing = n_sharing
        # Whoever names a cluster wants its machines, even if it is but one.
        self.is_shared = across != "loky" or self.workers.n_processes > 1
        self.uses_threads = self.supports_sharedmem = not self.is_shared
        self.calls = []

    def effective_n_jobs(self, n_jobs):
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        return MOST_FITS if n_jobs is None or n_jobs < 0 else n_jobs

    def configure(self, n_jobs=1, parallel=None, **kwargs):
        if self.outer_turns is not None and is_kept():
            # In the thread of the task, so that what is fitted there is found to be kept too.
            raise run_one_by_one(self)
        self.n_jobs = super().configure(n_jobs, parallel)
        return self.n_jobs

    def get_nested_backend(self):
        turns, _ = self.calls[-1]
        nested = StackedBackend(self.nesting_level + 1, report=self.report, turns=turns)
        return nested, None

    def start_call(self):
        self.calls.append((self.outer_turns or self.new_turns(), []))

    def new_turns(self) -> Turns:
        return Turns(self.n_jobs, self.report, self.n_sharing)

    def submit(self, func, callback=None):
        turns, tasks = self.calls[-1]
        tasks.append(Task(turns, func, callback))
        turns.add(tasks[-1])
        return tasks[-1]

    def retrieve_result(self, out, timeout=None):
        is_many = len(out.turns.queued) > 1
        if self.is_shared and is_many and out in out.turns.queued:
            self.run_in_processes(out.turns)
        out.turns.wait_for(out)
        if out.error is not None:
            raise out.error
        return out.result

    def run_in_processes(self, turns: Turns) -> None:
        """Run all tasks that are queued, a part of them in each process."""
        # Tasks stay queued until they are done, so that Ctrl-C finds them.
        tasks = list(turns.queued)
        functions = [task.function for task in tasks]
        outcomes, reports = self.workers.run(functions, self.n_jobs, MOST_FITS)
        turns.queued.clear()
        self.report.merge(reports)
        for task, (task.result, task.error) in zip(tasks, outcomes):
            task.done, task.function = True, None
            if task.callback is not None:
                task.callback(task)

    def abort_everything(self, ensure_ready=True):
        turns, tasks = self.calls[-1]
        turns.cancel(tasks)

    def stop_call(self):
        turns, tasks = self.calls.pop()
        for task in tasks:
            # One that was cancelled and still waits for something ends when that comes.
            if task.thread.ident is not None and task not in turns.overdue.values():
                task.thread.join()
        if self.outer_turns is None:
            turns.background.close()


def is_kept() -> bool:
    """Tell whether a joblib.Memory keeps the result of what this thread computes."""
    frame = sys._getframe()
    while frame is not None and frame.f_code not in KEEPING:
        frame = frame.f_back
    return frame is not None


def describe_overdue(task: Task, n_waiting: int) -> str:
    """Say which task is overdue, where it stands, and what can be done about it."""
    calls = getattr(task.function, "items", [])
    name = " and ".join(dict.fromkeys(name_of(call) for call in calls))
    frame = sys._current_frames().get(task.thread.ident)
    place = ""
    if frame is not None:
        place = f", in line {frame.f_lineno} of {Path(frame.f_code.co_filename).name}"
    return (
        f"A task of the backend 'stacked', {name}, has computed nothing for {PATIENCE:g} seconds"
        f"{place}; {n_waiting} others wait within fit to be trained. Does it wait for a lock that "
        "is held around a fit? The others continue without it now, in smaller stacks. Hold no lock "
        "while fitting, or take another backend of joblib."
    )


def name_of(call: tuple) -> str:
    """Name what is called, and its first argument."""
    function, args, _ = call
    function = getattr(function, "function", function)  # scikit-learn wraps it
    name = getattr(function, "__qualname__", repr(function))
    return f"{name}({reprlib.repr(args[0]) if args else ''})"


@contextmanager
def stacked(
    n_jobs: int | None = None, n_processes: int | None = None, across: str = "loky"
) -> Iterator[Report]:
    """Train the parallel fits of scikit-learn together, and report what was stacked.

    Within this context, searches, cross-validation and ensembles of scikit-learn train all their
    networks as one network, as under
    ``joblib.parallel_config(backend="stacked")``.

    Parameters
    ----------
    n_jobs : int or None, default=None
        Most fits under way at once; None or a negative number lets available memory decide, up
        to 256. An estimator's own ``n_jobs`` goes before.
    n_processes : int or None, default=None
        Number of processes that share the fits, each of which trains its own as one network; -1 is
        one for each processor or worker, None is 1 with 'loky' and else -1. More than one pay where
        much is prepared and scored, once they have started. What is fitted has to be picklable
        then.
    across : str, default='loky'
        Name of the joblib backend that has these processes: 'loky' starts some on this machine,
        'dask' shares the fits among the workers of the present ``distributed.Client``, and 'ray'
        among those of the cluster that ``ray.init`` has found. Data that many fits have in common
        are sent to each machine once.

    Yields
    ------
    report : Report
        What was trained so far; print it.

    Raises
    ------
    ImportError
        If the library of a cluster is not installed.
    ValueError
        If `n_processes` is neither -1 nor a positive integer, or there is no cluster.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sknn_basics import MLPClassifier
    >>> from sknn_basics.parallel import stacked
    >>> X, y = load_iris(return_X_y=True)
    >>> search = GridSearchCV(MLPClassifier(random_state=0), {"alpha": [1e-4, 1e-2]}, cv=5)
    >>> with stacked() as report:
    ...     _ = search.fit(X, y)
    >>> report.trainings[0].way, report.trainings[0].most_at_once
    ('stacked', 10)
    """
    report = Report()
    processes = {"n_processes": n_processes, "across": across}
    with parallel_config("stacked", n_jobs=n_jobs, report=report, **processes):
        yield report


register_parallel_backend("stacked", StackedBackend)
