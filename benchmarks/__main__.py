"""Run all peers in turn, print the table of medians and ratios, and write it for the docs."""

import argparse
import fnmatch
import json
import tempfile
from pathlib import Path

from benchmarks.data import save_arrays
from benchmarks.harness import run_row
from benchmarks.report import machine, markdown_table, page, table_rows
from benchmarks.rows import ROWS

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
# What the page shows of each row, so that some rows can be measured anew.
MEASURED = Path(__file__).with_name("measured.json")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only",
        action="extend",
        nargs="+",
        metavar="NAME",
        help=f"rows to run, which may have wildcards ('gpu-*'): {', '.join(ROWS)}",
    )
    parser.add_argument("--runs", type=int, default=5, help="counted runs in a process")
    parser.add_argument(
        "--rounds", type=int, default=3, help="processes a peer, which take turns run by run"
    )
    parser.add_argument(
        "--write", action="store_true", help=f"put the rows that were run into docs/{PAGE.name}"
    )
    return parser.parse_args()


def choose_rows(patterns: list[str] | None) -> list[str]:
    """List the rows that match a pattern; those for a GPU have to be asked for."""
    if patterns is None:
        return [name for name in ROWS if not name.startswith("gpu-")]
    chosen = {pattern: fnmatch.filter(ROWS, pattern) for pattern in patterns}
    if unknown := [pattern for pattern, names in chosen.items() if not names]:
        raise SystemExit(f"No row is called {' or '.join(unknown)}: see --help.")
    return list(dict.fromkeys(name for names in chosen.values() for name in names))


def main() -> None:
    arguments = parse_arguments()
    runs, rounds = arguments.runs, arguments.rounds
    with tempfile.TemporaryDirectory() as folder:
        images = save_arrays(Path(folder))
        print(f"{machine()}; images: {images}", flush=True)
        for name in choose_rows(arguments.only):
            lines = table_rows(ROWS[name], run_row(ROWS[name], Path(folder), runs, rounds))
            print(markdown_table(lines), flush=True)
            if arguments.write:
                write(name, {"lines": lines, "runs": runs, "rounds": rounds, "images": images})


def write(name: str, measured: dict) -> None:
    """Put a row into the page, with those that were measured before."""
    rows = json.loads(MEASURED.read_text()) if MEASURED.exists() else {}
    rows[name] = {**measured, "machine": machine(with_gpu=name.startswith("gpu-"))}
    MEASURED.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(page({name: (ROWS[name], rows[name]) for name in ROWS if name in rows}))


if __name__ == "__main__":
    main()
