"""The joblib backend "stacked", under which parallel fits of scikit-learn train as one network."""

import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context

import numpy as np
from joblib import parallel_config, register_parallel_backend
from joblib.parallel import ParallelBackendBase

from sknn_basics.training.batches import Batches
from sknn_basics.training.devices import available_memory, openmp_pools
from sknn_basics.training.net import EPOCH_TRAINER, Net
from sknn_basics.training.rounds import Report, Request, Rounds, bytes_of_fit

# Fits that are under way at once, where neither n_jobs nor memory allows fewer.
MOST_FITS = 256

HERE = threading.local()


def locked() -> threading.Lock:
    """Make a lock that is taken: to take it is to wait until another thread lets go of it."""
    lock = threading.Lock()
    lock.acquire()
    return lock


class Cancelled(BaseException):
    """Ends a task whose result nobody wants any more; no `except Exception` holds it up."""


class Task:
    """A function that runs in a thread of its own, in turn with all others.

    Attributes
    ----------
    done : bool
        Whether it has ended, with a result or an error.
    request : Request or None
        The epoch that it waits for.
    waiter : Task or None
        What waits for it to end.
    """

    def __init__(self, turns: "Turns", function: Callable, callback: Callable | None):
        self.turns, self.function, self.callback = turns, function, callback
        self.done = self.is_cancelled = self.is_unwinding = False
        self.result = self.error = self.request = self.waiter = None
        self.turn = locked()
        self.thread = threading.Thread(target=copy_context().run, args=(self.run,), daemon=True)

    def run(self) -> None:
        self.turn.acquire()
        # For this thread only: a team of OpenMP threads for each task costs more than it gives.
        openmp_pools().limit(limits=1)
        HERE.task = self
        EPOCH_TRAINER.set(self.train_epoch)
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

    def train_epoch(self, net: Net, batches: Batches) -> tuple[np.ndarray, list[int]]:
        """Wait until an epoch of the net is trained; return what `Net.train_epoch` returns."""
        if threading.current_thread() is not self.thread:
            return net.train_epoch(batches)
        if self.is_cancelled:
            raise Cancelled
        self.request = Request(net, batches)
        self.turns.wait_for_training(self)
        if self.request.error is not None:
            raise self.request.error
        return self.request.losses, self.request.counts

    def pause(self) -> None:
        """Let others run until this task is resumed."""
        with warnings.catch_warnings():  # brings this task's filters back
            self.turns.hand_back()
            self.turn.acquire()
        if self.is_cancelled and not self.is_unwinding:
            self.is_unwinding = True
            raise Cancelled


class Turns:
    """Tasks of which one runs at a time, until it waits for an epoch or for other tasks, or ends.

    The thread that called joblib gives the turns, and trains when all tasks wait. Nothing here
    needs a lock: it is only touched by the thread whose turn it is.

    Parameters
    ----------
    n_jobs : int
        Most fits under way at once.
    report : Report
        Takes down what is trained.
    """

    def __init__(self, n_jobs: int, report: Report):
        self.n_jobs = n_jobs
        self.rounds = Rounds(report)
        self.queued, self.ready, self.waiting = deque(), deque(), {}
        self.n_active = 0
        self.memory, self.bytes_of_fit = 0, 0
        self.is_away, self.back = False, locked()

    # In the thread of a task.

    def hand_back(self) -> None:
        """End this thread's turn."""
        self.is_away = False
        self.back.release()

    def wait_for_training(self, task: Task) -> None:
        """Pause a task until its request is fulfilled."""
        if not self.memory:
            self.memory = available_memory(task.request.net.device) // 2
        size = bytes_of_fit(task.request.net, task.request.batches)
        self.bytes_of_fit = max(size, self.bytes_of_fit)
        self.waiting[task.request] = task
        self.rounds.add(task.request)
        task.pause()
        while not task.request.is_fulfilled():
            task.pause()

    def end(self, task: Task) -> None:
        task.done, task.function = True, None
        self.n_active -= 1
        if task.waiter is not None:
            self.ready.append(task.waiter)
        self.hand_back()

    # In the thread that called joblib, or that of a task with tasks of its own.

    def wait_for(self, task: Task) -> None:
        """Wait until a task has ended, and see to it that it does."""
        here = getattr(HERE, "task", None)
        if here is None or here.turns is not self:
            while not task.done:
                self.go_on()
            return
        task.waiter = here
        self.n_active -= 1
        try:
            while not task.done:
                here.pause()
        finally:
            self.n_active += 1

    def go_on(self) -> None:
        """Give the next turn; train if there is none to give."""
        if self.ready:
            self.resume(self.ready.popleft())
        elif self.queued and self.has_room():
            task = self.queued.popleft()
            self.n_active += 1
            task.thread.start()
            self.resume(task)
        else:
            self.ready += [self.waiting.pop(request) for request in self.rounds.wait()]

    def has_room(self) -> bool:
        """Tell whether one more fit may be under way; the first one shows how much they take."""
        if self.n_active == 0:
            return True
        fits = 0 < (self.n_active + 1) * self.bytes_of_fit <= self.memory
        return fits and self.n_active < self.n_jobs

    def resume(self, task: Task) -> None:
        if task.done:
            return
        with warnings.catch_warnings():
            self.back.acquire(blocking=False)  # what an interrupted wait has left
            self.is_away = True
            task.turn.release()
            self.back.acquire()

    def cancel(self, tasks: list[Task]) -> None:
        """End tasks early: each is resumed with an exception, and has ended when this returns."""
        is_outermost = getattr(HERE, "task", None) is None
        if is_outermost:
            while self.is_away:
                # The wait for a task was interrupted: it runs until it pauses.
                self.back.acquire()
            self.rounds.close()
        for task in tasks:
            if task in self.queued:
                self.queued.remove(task)
        started = [task for task in tasks if task.thread.ident is not None and not task.done]
        for task in started:
            task.is_cancelled = True
            if task.request in self.waiting:
                if not (is_outermost or self.rounds.withdraw(task.request)):
                    continue  # It is resumed when its epoch has been trained.
                del self.waiting[task.request]
            self.ready.append(task)
        for task in started:
            self.wait_for(task)


class StackedBackend(ParallelBackendBase):
    """The joblib backend "stacked".

    Tasks run in threads, one at a time. A neural estimator's fit waits whenever it is about to
    train an epoch; when all tasks wait, the waiting networks of one structure are trained
    together as one network. A task without neural estimators just runs.

    Parameters
    ----------
    report : Report or None, default=None
        Takes down what is trained.
    """

    supports_sharedmem = True
    uses_threads = True
    default_n_jobs = -1

    def __init__(self, nesting_level=None, report: Report | None = None, turns=None, **kwargs):
        super().__init__(nesting_level=nesting_level, **kwargs)
        self.report = Report() if report is None else report
        self.outer_turns = turns
        self.calls = []

    def effective_n_jobs(self, n_jobs):
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        return MOST_FITS if n_jobs is None or n_jobs < 0 else n_jobs

    def configure(self, n_jobs=1, parallel=None, **kwargs):
        self.n_jobs = super().configure(n_jobs, parallel)
        return self.n_jobs

    def get_nested_backend(self):
        turns, _ = self.calls[-1]
        nested = StackedBackend(self.nesting_level + 1, report=self.report, turns=turns)
        return nested, None

    def start_call(self):
        self.calls.append((self.outer_turns or Turns(self.n_jobs, self.report), []))

    def submit(self, func, callback=None):
        turns, tasks = self.calls[-1]
        tasks.append(Task(turns, func, callback))
        turns.queued.append(tasks[-1])
        return tasks[-1]

    def retrieve_result(self, out, timeout=None):
        out.turns.wait_for(out)
        if out.error is not None:
            raise out.error
        return out.result

    def abort_everything(self, ensure_ready=True):
        turns, tasks = self.calls[-1]
        turns.cancel(tasks)

    def stop_call(self):
        turns, tasks = self.calls.pop()
        for task in tasks:
            if task.thread.ident is not None:
                task.thread.join()
        if turns is not self.outer_turns:
            turns.rounds.close()


@contextmanager
def stacked(n_jobs: int | None = None) -> Iterator[Report]:
    """Train the parallel fits of scikit-learn together, and report what was stacked.

    Within this context, searches, cross-validation and ensembles of scikit-learn train all their
    networks of one structure as one network, as under
    ``joblib.parallel_config(backend="stacked")``.

    Parameters
    ----------
    n_jobs : int or None, default=None
        Most fits under way at once; None or a negative number lets available memory decide, up
        to 256. An estimator's own ``n_jobs`` goes before.

    Yields
    ------
    report : Report
        What was trained so far; print it.

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
    with parallel_config(backend="stacked", n_jobs=n_jobs, report=report):
        yield report


register_parallel_backend("stacked", StackedBackend)
