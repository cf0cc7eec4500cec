"""Rows of work, the processes that measure them, and the requirements that judge the medians."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

OURS = "sknn_basics"


@dataclass(frozen=True)
class Requirement:
    """What the medians must reach.

    Attributes
    ----------
    compare : callable
        (our median, the peer's) -> the figure that is judged.
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

    def is_met(self, figure: float) -> bool:
        return figure >= self.bound if self.is_least else figure <= self.bound


def ratio_of_at_least(least: float) -> Requirement:
    """The peer's median over ours."""
    return Requirement(lambda ours, peer: peer / ours, least, "{:.2f}x", is_least=True)


def excess_of_at_most(most: float, unit: str) -> Requirement:
    """Our median less the peer's."""
    return Requirement(lambda ours, peer: ours - peer, most, f"{{:+.0f}} {unit}")


def total_of_at_most(most: float, unit: str) -> Requirement:
    """Our own median."""
    return Requirement(lambda ours, peer: ours, most, f"{{:.0f}} {unit}")


@dataclass(frozen=True)
class Row:
    """One kind of work, done by us and by each peer.

    Each peer is a function from the folder of arrays to the work, a function without arguments.
    `measure` runs that work and returns samples in `unit`. Where its single sample varies, as
    `single_sample` says, each counted run takes a fresh process.
    """

    name: str
    title: str
    detail: str
    measure: Callable[[Callable[[], object], int], list[float]]
    peers: dict[str, Callable[[Path], Callable[[], object]]]
    requirements: dict[str, Requirement]
    unit: str = "ms"
    single_sample: bool = False


@dataclass
class Result:
    """What one peer gave for one row."""

    samples: list[float] = field(default_factory=list)
    error: str = ""

    @property
    def median(self) -> float:
        return median(self.samples)

    @property
    def least(self) -> float:
        return min(self.samples)


def run_row(row: Row, folder: Path, runs: int, rounds: int) -> dict[str, Result]:
    """Measure all peers of a row, each in fresh processes.

    The peers take turns, round by round, so that a slow minute of the machine falls on all of them.
    """
    results = {peer: Result() for peer in row.peers}
    if row.single_sample:
        _run_round(row, folder, 1, {peer: Result() for peer in row.peers})  # fills the disk cache
        rounds = runs
    for _ in range(rounds):
        _run_round(row, folder, runs, results)
    return results


def _run_round(row: Row, folder: Path, runs: int, results: dict[str, Result]) -> None:
    for peer, result in results.items():
        if result.error:
            continue
        arguments = [row.name, peer, str(runs), str(folder)]
        command = [sys.executable, "-m", "benchmarks.measure", *arguments]
        process = subprocess.run(command, capture_output=True, text=True)
        if process.returncode == 0:
            result.samples += json.loads(process.stdout.splitlines()[-1])
        else:
            result.error = process.stderr.strip().splitlines()[-1]
