"""The table as text."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from benchmarks.harness import OURS, Result, Row

HEADER = ["work", "by", "median", "least", "measured", "required", ""]
PEERS = ["keras", "scikeras", "stable-baselines3"]
PACKAGES = ["sknn-basics", "scikit-learn", "torch", "skorch", *PEERS, "numpy"]

INTRODUCTION = """# Benchmarks

`make bench` runs this table; `python -m benchmarks --write` also writes this page, and with
`--only NAME ...` some of its rows.
Each peer runs in processes of its own, which take turns run by run, after one that is not counted.
For memory, the import and the first fit, each process counts once. All peers may use all cores.
Medians and least values are over all counted runs. The measured figure is the median over all
turns of the peer's time over ours (above 1x, ours is faster), of ours less the peer's, or of ours.
"""


def table_rows(row: Row, results: dict[str, Result]) -> list[list[str]]:
    """Make a line of the table for each peer; ours, the first, carries the title."""
    titles = {OURS: row.title}
    return [[titles.get(peer, ""), peer, *_cells(row, peer, results)] for peer in row.peers]


def _cells(row: Row, peer: str, results: dict[str, Result]) -> list[str]:
    if results[peer].error:
        return ["", "", "", "", results[peer].error]
    amounts = [_amount(results[peer].median, row.unit), _amount(results[peer].least, row.unit)]
    if results[peer].memory:
        amounts[0] += f", {max(results[peer].memory):.0f} MB of the GPU"
    requirement = row.requirements.get(peer)
    if requirement is None or results[OURS].error:
        return [*amounts, "", "", ""]
    figure = requirement.figure(results[OURS].samples, results[peer].samples)
    verdict = "pass" if requirement.is_met(figure) else "**falls short**"
    return [*amounts, requirement.text.format(figure), str(requirement), verdict]


def _amount(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}" if abs(value) < 100 else f"{value:.0f} {unit}"


def markdown_table(lines: list[list[str]]) -> str:
    columns = list(zip(HEADER, *lines, strict=True))
    widths = [max(map(len, column)) for column in columns]
    rule = ["-" * width for width in widths]
    return "\n".join(_join(line, widths) for line in [HEADER, rule, *lines])


def _join(cells: list[str], widths: list[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    return f"| {' | '.join(padded)} |"


def machine(with_gpu: bool = False) -> str:
    system = f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
    return ", ".join([*gpu_name(with_gpu), system, *filter(None, map(_package_version, PACKAGES))])


def gpu_name(is_wanted: bool) -> list[str]:
    import torch

    return [torch.cuda.get_device_name()] if is_wanted and torch.cuda.is_available() else []


def _package_version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return ""


def page(rows: dict[str, tuple[Row, dict]]) -> str:
    """Make the page of rows and what was measured of each."""
    lines = [line for _, measured in rows.values() for line in measured["lines"]]
    details = [
        f"- **{row.title}** (`--only {name}`). {row.detail} Processes a peer: "
        f"{measured['rounds']}, runs of each: {measured['runs']}."
        for name, (row, measured) in rows.items()
    ]
    machines = dict.fromkeys(
        f"{measured['machine']}; images of {measured['images']}" for _, measured in rows.values()
    )
    return "\n".join(
        [
            INTRODUCTION,
            markdown_table(lines),
            "",
            *[f"Measured on {machine}." for machine in machines],
            "",
            "## What was measured",
            "",
            *details,
            "",
        ]
    )
