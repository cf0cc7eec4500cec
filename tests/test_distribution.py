"""What is distributed: a source distribution, from which the tests pass and the site builds."""

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BUILD = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"


@pytest.fixture
def tracked():
    """Files of the repository, of which this test needs a clone."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("needs a clone of the repository, and git")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    return [Path(name) for name in listed.stdout.splitlines() if (ROOT / name).exists()]


@pytest.mark.slow
def test_a_source_distribution_holds_all_that_is_tracked(tracked, tmp_path):
    pytest.importorskip("setuptools", minversion="77", reason="needs setuptools 77")
    for name in tracked:
        (tmp_path / "source" / name.parent).mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / "source" / name)
    built = tmp_path / "built"
    built.mkdir()
    subprocess.run(
        [sys.executable, "-c", BUILD, str(built)],
        cwd=tmp_path / "source",
        check=True,
        capture_output=True,
    )
    (archive,) = built.iterdir()
    with tarfile.open(archive) as members:
        held = {"/".join(name.split("/")[1:]) for name in members.getnames()}
    wanted = {name.as_posix() for name in tracked if not name.parts[0].startswith(".")}
    assert wanted - held == set()
