"""Types of public signatures: mypy finds misspelt keywords and strings for numbers."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
USER_CODE = ROOT / "tests" / "user_code.py"

api = pytest.importorskip("mypy.api", reason="mypy is not installed")


@pytest.mark.slow
def test_mypy_finds_what_is_wrong_in_users_code_and_nothing_else(tmp_path):
    options = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(tmp_path)]
    output, problems, _ = api.run([*options, "-p", "sknn_basics"])
    assert "Success" in output, output + problems
    output, problems, _ = api.run([*options, str(USER_CODE)])
    found = re.findall(r"user_code.py:(\d+): error: .*\[([\w-]+)\]", output)
    expected = [
        (str(number), line.partition("# error: ")[2])
        for number, line in enumerate(USER_CODE.read_text().splitlines(), start=1)
        if "# error: " in line
    ]
    assert found == expected, output + problems
