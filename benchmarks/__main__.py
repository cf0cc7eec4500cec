"""Run all peers in turn, print the table of medians and ratios, and write it for the docs."""

import argparse
import tempfile
from pathlib import Path

from benchmarks.data import save_arrays
from benchmarks.harness import run_row
from benchmarks.report import machine, markdown_table, page, table_rows
from benchmarks.rows import ROWS

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only",
        action="extend",
        nargs="+",
        choices=ROWS,
        metavar="NAME",
        help=f"rows to run: {', '.join(ROWS)}",
    )
    parser.add_argument("--runs", type=int, default=5, help="counted runs in a process")
    parser.add_argument(
        "--rounds", type=int, default=3, help="processes a peer, which take turns run by run"
    )
    parser.add_argument("--write", action="store_true", help=f"write docs/{PAGE.name}")
    arguments = parser.parse_args()
    if arguments.write and arguments.only:
        parser.error("--write needs the whole table: leave --only out")
    return arguments


def main() -> None:
    arguments = parse_arguments()
    rows = [ROWS[name] for name in arguments.only or ROWS]
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        images = save_arrays(Path(folder))
        print(f"{machine()}; images: {images}", flush=True)
        for row in rows:
            results = run_row(row, Path(folder), arguments.runs, arguments.rounds)
            lines += table_rows(row, results)
            print(markdown_table(table_rows(row, results)), flush=True)
    if arguments.write:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(rows, lines, images, arguments.runs, arguments.rounds))


if __name__ == "__main__":
    main()
