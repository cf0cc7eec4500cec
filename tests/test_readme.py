"""The README runs as it stands, and its links work outside of the repository."""

import importlib.util
import re
import tomllib
import warnings
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)

specification = importlib.util.spec_from_file_location(
    "draw_search_times", ROOT / "docs" / "draw_search_times.py"
)
drawing = importlib.util.module_from_spec(specification)
specification.loader.exec_module(drawing)


@pytest.mark.slow
def test_code_blocks_run_one_after_the_other(monkeypatch, capsys):
    # The data of the images may not be installed; a few such images do as well.
    images = np.random.RandomState(0).randint(0, 256, (60, 28, 28), "uint8")
    labels = np.arange(60) % 10
    monkeypatch.setattr(
        "sknn_basics.datasets.load_fashion_mnist", lambda **options: (images, labels)
    )
    names = {}
    for block in BLOCKS:
        with warnings.catch_warnings(action="ignore"):
            exec(block, names)
    assert names["search"].score(names["X_test"], names["y_test"]) > 0.95
    assert "stacked" in capsys.readouterr().out


def source_of(link, urls):
    """Tell which file a link shows, as a file of the repository or as a page of the site."""
    if path := re.fullmatch(rf"{re.escape(urls['Homepage'])}/(?:blob|raw)/main/(.+)", link):
        return ROOT / path[1]
    page = re.fullmatch(rf"{re.escape(urls['Documentation'])}/en/latest/(.+)\.html", link)
    assert page, link
    sources = [ROOT / "docs" / f"{page[1]}{suffix}" for suffix in (".rst", ".md")]
    return next((source for source in sources if source.exists()), sources[0])


def test_links_are_absolute_and_lead_to_files_that_exist():
    with open(ROOT / "pyproject.toml", "rb") as file:
        urls = tomllib.load(file)["project"]["urls"]
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links
    for link in links:
        # The pages of the API are written when the site is built.
        assert link.endswith("/api/index.html") or source_of(link, urls).exists(), link


def test_numbers_are_those_of_the_benchmark_page():
    times = drawing.read_times((ROOT / "docs" / "benchmarks.md").read_text())
    _, *rows = re.findall(r"\| ([\d.]+) \| ([\d.]*)", README)
    measured = [
        f"{seconds:.2g}, {float(ratio[:-1]):.2g}" for seconds, ratio in times.values() if ratio
    ]
    assert [f"{float(s):.2g}, {float(ratio):.2g}" for s, ratio in rows] == measured
    faster = ["2.6 times as fast as scikit-learn", "7.4 times as fast as skorch"]
    assert all(claim in README.replace("\n  ", " ") for claim in faster)


def test_the_picture_shows_the_numbers_of_the_benchmark_page():
    times = drawing.read_times((ROOT / "docs" / "benchmarks.md").read_text())
    assert drawing.PICTURE.read_text() == drawing.draw(times)
