"""Rows of work, the processes that measure them, and the requirements that judge the samples."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

OURS = "sknn_basics"

# Between turns: workers of joblib collect garbage after their work, and the next turn would pay.
PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class Requirement:
    """What the median over all turns must reach.

    Attributes
    ----------
    compare : callable
        (our sample, the peer's of the same turn) -> the figure of that turn.
    bound : float
        Least or most of that figure, as `text` says.
    text : str
        Format of a figure.
    is_least : bool
        Whether the figure must be at least `bound`, or at most.
    """

    compare: Callable[[float, float], float]
    bound: float
    text: str
    is_least: bool = False

    def __str__(self) -> str:
        return f"{'≥' if self.is_least else '≤'} {self.text.format(self.bound)}"

    def figure(self, ours: list[float], peer: list[float]) -> float:
        """Compare turn by turn, so that a slow minute of the machine falls on both."""
        return median(map(self.compare, ours, peer))

    def is_met(self, figure: float) -> bool:
        return figure >= self.bound if self.is_least else figure <= self.bound


def ratio_of_at_least(least: float) -> Requirement:
    """The peer's figure over ours."""
    return Requirement(lambda ours, peer: peer / ours, least, "{:.2f}x", is_least=True)


def excess_of_at_most(most: float, unit: str) -> Requirement:
    """Our figure less the peer's."""
    return Requirement(lambda ours, peer: ours - peer, most, f"{{:+.0f}} {unit}")


def total_of_at_most(most: float, unit: str) -> Requirement:
    """Our own figure."""
    return Requirement(lambda ours, peer: ours, most, f"{{:.0f}} {unit}")


@dataclass(frozen=True)
class Row:
    """One kind of work, done by us and by each peer.

    Each peer is a function from the folder of arrays to the work, a function without arguments.
    `measure` runs that work and yields samples in `unit`, in a fresh process only one where
    `single_sample` says so.
    """

    name: str
    title: str
    detail: str
    measure: Callable[[Callable[[], object]], Iterator[float]]
    peers: dict[str, Callable[[Path], Callable[[], object]]]
    requirements: dict[str, Requirement]
    unit: str = "ms"
    single_sample: bool = False


@dataclass
class Result:
    """What one peer gave for one row."""

    samples: list[float] = field(default_factory=list)
    # Peaks of GPU memory, in MB.
    memory: list[float] = field(default_factory=list)
    error: str = ""

    @property
    def median(self) -> float:
        return median(self.samples)

    @property
    def least(self) -> float:
        return min(self.samples)


def run_row(row: Row, folder: Path, runs: int, rounds: int) -> dict[str, Result]:
    """Measure all peers of a row: `rounds` times a fresh process each, which take `runs` turns."""
    results = {peer: Result() for peer in row.peers}
    if row.single_sample:
        _run_round(row, folder, 1, {peer: Result() for peer in row.peers})  # fills the disk cache
        runs, rounds = 1, runs
    for _ in range(rounds):
        _run_round(row, folder, runs, results)
    return results


def _run_round(row: Row, folder: Path, runs: int, results: dict[str, Result]) -> None:
    with ExitStack() as stack:
        processes = {
            peer: stack.enter_context(_start([row.name, peer, str(folder)]))
            for peer in results
            if not results[peer].error
        }
        for peer, process in processes.items():
            _read(process, "ready", results[peer])
        for _ in range(runs):
            for peer, process in processes.items():
                if not results[peer].error:
                    time.sleep(PAUSE_SECONDS)
                    print(file=process.stdin, flush=True)
                    numbers = list(map(float, _read(process, "sample", results[peer])))
                    results[peer].samples += numbers[:1]
                    results[peer].memory += numbers[1:]


def _start(arguments: list[str]) -> subprocess.Popen:
    command = [sys.executable, "-m", "benchmarks.measure", *arguments]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(command, text=True, **pipes)


def _read(process: subprocess.Popen, word: str, result: Result) -> list[str]:
    """Read what follows a word, skipping what the peer itself prints; or else its error."""
    for line in process.stdout:
        if line.startswith(word):
            return line.split()[1:]
    result.error = process.stderr.read().strip().splitlines()[-1]
    return []
