"""The README runs as it stands, and its links work outside of the repository."""

import re
import tomllib
import warnings
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


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


def test_links_are_absolute_and_lead_to_files_that_exist():
    with open(ROOT / "pyproject.toml", "rb") as file:
        home = tomllib.load(file)["project"]["urls"]["Homepage"]
    targets = re.findall(r"\]\(([^)]+)\)", README)
    assert targets
    for target in targets:
        path = re.fullmatch(rf"{re.escape(home)}/(?:blob|raw)/main/(.+)", target)
        assert path, target
        assert (ROOT / path[1]).exists(), target


def test_numbers_are_those_of_the_benchmark_page():
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    _, row = page.split("| grid search: 12 candidates x 5 folds", 1)
    ratios = re.findall(r"([\d.]+)x +\| ≥", row)[:3]
    claimed = re.findall(r"([\d.]+) times \|", README)
    assert [f"{float(ratio):.2g}" for ratio in ratios] == [f"{float(c):.2g}" for c in claimed]
