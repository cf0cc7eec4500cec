"""The table as text."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from benchmarks.harness import OURS, Result, Row

HEADER = ["work", "by", "median", "least", "measured", "required", ""]
PEERS = ["keras", "scikeras", "stable-baselines3"]
PACKAGES = ["sknn-basics", "scikit-learn", "torch", "skorch", *PEERS, "numpy"]

INTRODUCTION = """# All measurements

Each library runs in processes of its own, which take turns after each run; the first run of each
process is not counted. For memory, the import and the first fit, each process counts once. All may
use all cores.

Median and minimum are those of all counted runs. The last column compares sknn_basics with the
library of the line, turn by turn: 2.50x says that sknn_basics is 2.5 times as fast, 0.80x that it
is slower; +1 MB says that it needs 1 MB more.

`make bench` measures everything anew. `python -m benchmarks --only NAME ... --write` measures some
rows and writes this page.
"""

# What the page has of a line: all but what the project requires of itself.
PAGE_HEADER = ["work", "library", "median", "minimum", "compared"]

SECTIONS = {
    "Dense networks": ["digits", "fashion"],
    "Searches and ensembles": ["search", "search-pipeline", "cross-validation", "bagging"],
    "Images": ["images-strided", "images-pooled", "images-augmented", "images-predict"],
    "Sequences and texts": ["sequences-batch-32", "sequences-batch-1", "text", "text-generate"],
    "Predictions": [f"predict-{n}-float{bits}" for n in (1, 60000) for bits in (32, 64)],
    "Memory": ["memory", "memory-resident", "images-memory", "text-memory"],
    "Start": ["import", "first-fit"],
}
OTHERS = "More"


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


def markdown_table(lines: list[list[str]], header: list[str] = HEADER) -> str:
    columns = list(zip(header, *lines, strict=True))
    widths = [max(map(len, column)) for column in columns]
    rule = ["-" * width for width in widths]
    return "\n".join(_join(line, widths) for line in [header, rule, *lines])


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
    """Make the page: for each section, a table and what was measured."""
    listed = [name for names in SECTIONS.values() for name in names]
    sections = {**SECTIONS, OTHERS: [name for name in rows if name not in listed]}
    parts = [
        _section(title, {name: rows[name] for name in names if name in rows})
        for title, names in sections.items()
        if rows.keys() & {*names}
    ]
    machines = dict.fromkeys(
        f"- {_without_ours(measured['machine'])}; images of {measured['images']}"
        for _, measured in rows.values()
    )
    return "\n".join([INTRODUCTION, *parts, "## Machines and versions", "", *machines, ""])


def _section(title: str, rows: dict[str, tuple[Row, dict]]) -> str:
    lines = [_page_line(line) for _, measured in rows.values() for line in measured["lines"]]
    details = [
        f"- **{row.title}** (`--only {name}`). {row.detail} Processes of each library: "
        f"{measured['rounds']}, counted runs of each process: {measured['runs']}."
        for name, (row, measured) in rows.items()
    ]
    return "\n".join([f"## {title}", "", markdown_table(lines, PAGE_HEADER), "", *details, ""])


def _page_line(line: list[str]) -> list[str]:
    line = line[: len(PAGE_HEADER)]
    return [*line[:-1], ""] if line[1] == OURS else line


def _without_ours(machine: str) -> str:
    """Leave out the package's own version, which does not tell machines apart."""
    return ", ".join(part for part in machine.split(", ") if not part.startswith("sknn-basics"))
