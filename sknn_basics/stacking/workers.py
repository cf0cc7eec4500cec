"""Tasks shared among processes, here or on other machines: each trains its own as one network.

The processes are those of a joblib backend, which knows how to start them, to send them what they
need, and what to do where one is lost. Here the tasks are dealt out, and what they have in common
is sent apart from them, once.
"""

import traceback
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor
from importlib import import_module
from importlib.metadata import version
from numbers import Integral

import numpy as np
import torch
from joblib import Parallel, cpu_count, delayed, parallel_config
from scipy.sparse import issparse

from sknn_basics._compat import calls_of
from sknn_basics._optional import import_optional
from sknn_basics.stacking.report import Report

# Bytes from which on an argument that tasks have in common is sent apart from them.
MUCH = 2**10

# How often the shares of lost processes are begun anew; Dask has a limit of its own.
MOST_LOSSES = 3

# How many arguments of `run_share` are a share's own.
N_OWN = 5

# What processes must have in the same version as this one.
PACKAGES = ("sknn-basics", "scikit-learn", "torch")


class Workers:
    """The processes that share the tasks of a call of joblib.

    Parameters
    ----------
    across : str
        Name of the joblib backend that has them: 'loky' starts some on this machine, 'dask' and
        'ray' have clusters.
    n_processes : int
        How many; -1 is as many as there are.

    Raises
    ------
    ImportError
        If a library that the backend needs is not installed.
    ValueError
        If the number is neither -1 nor a positive integer, joblib does not know the backend, or
        there is no cluster.
    """

    def __init__(self, across: str, n_processes: int):
        if not isinstance(n_processes, Integral) or (n_processes < 1 and n_processes != -1):
            raise ValueError(f"n_processes must be -1 or a positive integer, got {n_processes!r}.")
        self.across = across
        prepare = {"loky": cpu_count, "dask": count_dask_workers, "ray": count_ray_workers}
        count = prepare.get(across, cpu_count)
        self.n_processes = count() if n_processes == -1 else int(n_processes)
        if across in ("dask", "ray"):
            count()

    def run(self, functions: Sequence, n_jobs: int, most: int) -> tuple[list[tuple], list[Report]]:
        """Run the functions of tasks, which joblib has made, a share of them in each process.

        Parameters
        ----------
        functions : sequence
            What joblib was given to call.
        n_jobs : int
            Most fits under way at once, in all processes together.
        most : int
            Most tasks of a share. Where there are more, whoever has done its share gets the next.

        Returns
        -------
        outcomes : list of (result, error)
            Of each function, one of them None.
        reports : list of Report
            What each share has trained.
        """
        n_shares = min(len(functions), max(self.n_processes, -(-len(functions) // most)))
        n_processes = min(self.n_processes, n_shares)
        # Neighbours are alike, such as the folds of one candidate: dealt out, shares take as long.
        places = [range(i, len(functions), n_shares) for i in range(n_shares)]
        shares, common = share_out([[calls_of(functions[i]) for i in own] for own in places])
        n_jobs = max(1, n_jobs // n_processes)
        calls = [
            (i, share, n_jobs, n_processes, versions(), *common) for i, share in enumerate(shares)
        ]
        found = self.run_shares(calls, n_processes)
        outcomes = [None] * len(functions)
        for own, (results, _) in zip(places, found):
            for i, outcome in zip(own, results):
                outcomes[i] = outcome
        return outcomes, [report for _, report in found]

    def run_shares(self, calls: list[tuple], n_processes: int) -> list[tuple]:
        """Call `run_share` in other processes; return what it does, but for the numbers."""
        if self.across == "ray":
            return run_with_ray(calls, n_processes)
        return run_with_joblib(self.across, calls, n_processes)


def run_with_joblib(across: str, calls: list[tuple], n_processes: int) -> list:
    """Run shares in the processes of a joblib backend, those of lost processes anew."""
    n_threads = max(1, cpu_count() // n_processes)
    options = {"inner_max_num_threads": n_threads} if across == "loky" else {}
    found, n_losses = {}, 0
    while len(found) < len(calls):
        left = [delayed(run_share)(*call) for call in calls if call[0] not in found]
        try:
            with parallel_config(across, n_jobs=n_processes, **options):
                for i, *result in Parallel(return_as="generator_unordered", batch_size=1)(left):
                    found[i] = result
        except Exception as error:
            n_losses += 1
            if n_losses > MOST_LOSSES or not isinstance(error, BrokenExecutor):
                raise
            warnings.warn(
                f"A process was lost ({type(error).__name__}): "
                f"{len(calls) - len(found)} of {len(calls)} shares of the fits begin anew.",
                RuntimeWarning,
                stacklevel=2,
            )
    return [found[i] for i in range(len(calls))]


def run_with_ray(calls: list[tuple], n_processes: int) -> list:
    """Run shares as tasks of Ray, which runs those of a lost process anew by itself."""
    ray = import_module("ray")
    n_gpus = min(1.0, ray.cluster_resources().get("GPU", 0) / n_processes)
    run = ray.remote(num_cpus=1, num_gpus=n_gpus, max_retries=MOST_LOSSES)(run_share)
    # All calls end with the same values; each machine takes them from the store once.
    stored = {id(value): ray.put(value) for value in calls[0][N_OWN:]}
    tasks = [
        run.remote(*call[:N_OWN], *(stored[id(value)] for value in call[N_OWN:])) for call in calls
    ]
    try:
        return [found[1:] for found in ray.get(tasks)]
    except BaseException:
        for task in tasks:
            ray.cancel(task, force=True)
        raise


class Common:
    """Stands for an argument that tasks have in common, by its number."""

    def __init__(self, number: int):
        self.number = number


def share_out(shares: list[list]) -> tuple[list[list], list]:
    """Take out of the calls of all shares what several have in common and is large.

    Returns
    -------
    shares : list of list of list of (callable, args, kwargs)
        The calls of each task of each share, with `Common` in the places of what was taken out.
    common : list
        What was taken out.
    """
    found, common = {}, []

    def take_out(value):
        if id(value) in found:
            return found[id(value)]
        if bytes_of(value) < MUCH:
            return value
        common.append(value)
        return found.setdefault(id(value), Common(len(common) - 1))

    return replace_in(shares, take_out), common


def replace_in(shares: list[list], replace: Callable) -> list[list]:
    """Replace the arguments of all calls of all tasks of some shares."""
    return [
        [
            [
                (function, tuple(map(replace, args)), {k: replace(v) for k, v in kwargs.items()})
                for function, args, kwargs in calls
            ]
            for calls in share
        ]
        for share in shares
    ]


def bytes_of(value) -> int:
    """Tell how much memory data take, 0 for what may be something else."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if issparse(value):
        return value.data.nbytes
    return int(np.prod(value.shape)) * 8 if hasattr(value, "iloc") else 0


def versions() -> dict[str, str]:
    """Tell the versions of what all processes must have alike."""
    return {name: version(name) for name in PACKAGES}


def run_share(
    number: int, share: list, n_jobs: int, n_sharing: int, expected: dict[str, str], *common
) -> tuple[int, list[tuple], Report]:
    """Run a process's share of all tasks: train their networks as one network.

    Parameters
    ----------
    number : int
        Number of the share.
    share : list of list of (callable, args, kwargs)
        What each task calls.
    n_jobs : int
        Most fits under way at once.
    n_sharing : int
        Number of processes that do the same.
    expected : dict
        Versions of packages where the tasks come from.
    *common
        What the tasks have in common.

    Returns
    -------
    number : int
        Number of the share.
    outcomes : list of (result, error)
        Result and error of each task, one of them None.
    report : Report
        What was trained.

    Raises
    ------
    RuntimeError
        If a package has another version here.
    """
    for name, own in versions().items():
        if own != expected[name]:
            raise RuntimeError(
                f"A worker has {name} {own}, and the process that sent it fits {expected[name]}: "
                "install the same version on all machines."
            )
    if (n_gpus := torch.cuda.device_count()) > 1:
        # A cluster that gives each of its workers one shows only that one.
        torch.cuda.set_device(number % n_gpus)

    def put_back(value):
        return common[value.number] if isinstance(value, Common) else value

    (calls,) = replace_in([share], put_back)
    report = Report()
    with parallel_config("stacked", n_jobs=n_jobs, report=report, n_sharing=n_sharing):
        return number, Parallel()(delayed(attempt)(own) for own in calls), report


def attempt(calls: list) -> tuple[list | None, Exception | None]:
    """Call what a task calls; return the results, or else the error."""
    try:
        return [function(*args, **kwargs) for function, args, kwargs in calls], None
    except Exception as error:
        # A traceback does not travel between processes.
        error.add_note(f"In another process:\n{''.join(traceback.format_tb(error.__traceback__))}")
        return None, error


def count_dask_workers() -> int:
    """Count the worker processes of the present Dask client."""
    distributed = import_optional("distributed", "dask", "across='dask'")
    try:
        client = distributed.get_client()
    except ValueError:
        raise ValueError(
            "across='dask' needs a cluster: make a dask.distributed.Client before the search."
        ) from None
    client.wait_for_workers(1, timeout=30)
    return len(client.scheduler_info(n_workers=-1)["workers"])


def count_ray_workers() -> int:
    """Count the processors of the present Ray cluster."""
    ray = import_optional("ray", "ray", "across='ray'")
    if not ray.is_initialized():
        raise ValueError("across='ray' needs a cluster: call ray.init() before the search.")
    return int(ray.cluster_resources()["CPU"])
