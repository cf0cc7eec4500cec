"""Measurements in one process: ``python -m benchmarks.measure ROW PEER FOLDER``.

It prints one sample for every line that it reads, so that several processes can take turns.
"""

import ctypes
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

Work = Callable[[], object]

SAMPLING_INTERVAL = 0.001
M_MMAP_THRESHOLD = -3  # of malloc.h


def milliseconds(work: Work) -> float:
    start = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - start)


def warm_runs(work: Work) -> Iterator[float]:
    """Time each run, after one that is not counted."""
    work()
    while True:
        yield milliseconds(work)


def warm_calls(work: Work, calls: int = 200) -> Iterator[float]:
    """Time of a call too short to be timed alone: a run is the mean of many."""
    return (total / calls for total in warm_runs(lambda: [work() for _ in range(calls)]))


def cold_run(work: Work) -> Iterator[float]:
    """Time the first run of this process."""
    yield milliseconds(work)


def first_extra(work: Work) -> Iterator[float]:
    """Time the first run of this process takes beyond the second."""
    first, second = milliseconds(work), milliseconds(work)
    yield first - second


def memory_megabytes(entry: str) -> float:
    """Read an entry of Linux's process status, such as RssAnon.

    Unlike `resource.getrusage`, it knows anonymous pages, and its peak does not start from the
    parent process's.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        name, value = line.split(":")
        if name == entry:
            return int(value.split()[0]) / 1024
    raise LookupError(f"/proc/self/status has no entry {entry!r}")


def resident_growth(work: Work) -> Iterator[float]:
    """Peak of all resident memory, the mapped file's pages included, beyond that before the run."""
    before = memory_megabytes("VmHWM")
    work()
    yield memory_megabytes("VmHWM") - before


def anonymous_growth(work: Work) -> Iterator[float]:
    """Peak of anonymous memory, which the process itself allocated, beyond that before the run."""
    before = peak = memory_megabytes("RssAnon")
    finished = threading.Event()

    def sample() -> None:
        nonlocal peak
        while not finished.wait(SAMPLING_INTERVAL):
            peak = max(peak, memory_megabytes("RssAnon"))

    sampler = threading.Thread(target=sample, daemon=True)  # no failing run waits for it
    sampler.start()
    work()
    finished.set()
    sampler.join()
    yield peak - before


def growth_in_use(work: Work) -> Iterator[float]:
    """Peak of anonymous memory in use: glibc's allocator keeps no freed block of 64 kB or more."""
    ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 2**16)
    return anonymous_growth(work)


def gpu_megabytes() -> list[str]:
    """Tell the peak of GPU memory since the last call, if there is any in use."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return []
    peak = torch.cuda.max_memory_allocated() / 2**20
    torch.cuda.reset_peak_memory_stats()
    return [f"{peak:.1f}"]


def main(row_name: str, peer: str, folder: str) -> None:
    if not row_name.startswith("gpu-"):
        # All else is measured on the processor.
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    from benchmarks.rows import ROWS

    warnings.simplefilter("ignore")  # that ten epochs do not converge is meant
    row = ROWS[row_name]
    samples = row.measure(row.peers[peer](Path(folder)))
    print("ready", flush=True)
    for _ in sys.stdin:
        print("sample", next(samples), *gpu_megabytes(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
