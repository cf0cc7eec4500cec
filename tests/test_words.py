"""What pages and examples show is set as it was meant."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def load(path):
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_index_of_an_accented_letter_stands_beside_it():
    mathml = load(ROOT / "docs" / "extensions" / "mathml.py").mathml
    formula = re.sub(r"\s+", "", mathml(r"\hat v_t"))
    assert "<msub><moveraccent" in formula
    assert "</mover><mi>t</mi></msub>" in formula
    assert "munderover" not in formula


def test_the_bounds_of_a_sum_stand_below_and_above_it():
    mathml = load(ROOT / "docs" / "extensions" / "mathml.py").mathml
    assert mathml(r"\sum_{i=1}^n x_i").count("munderover") == 2


PAGES = sorted((ROOT / "docs").rglob("*.rst"))
FORMULA = r":math:`([^`]+)`|^ *\.\. math::\n\n((?: +.+\n)+)"


def test_all_formulas_of_the_pages_can_be_set():
    mathml = load(ROOT / "docs" / "extensions" / "mathml.py").mathml
    pages = [path for path in PAGES if not {"_build", "api", "auto_examples"} & {*path.parts}]
    found = [re.findall(FORMULA, path.read_text(), re.MULTILINE) for path in pages]
    formulas = [inline or block for page in found for inline, block in page]
    assert len(formulas) > 50
    for formula in formulas:
        assert mathml(formula).startswith("<math")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_says_how_to_run_it_in_a_block_of_code(path):
    head = path.read_text().split('"""')[1]
    block = re.search(r"\.\. code-block:: shell\n\n((?:    .+\n)+)", head)
    assert f"python examples/{path.name}" in block[1]
    # Indented text outside of a block is a quotation, whose lines run together.
    assert not re.search(r"^    ", head.replace(block[0], ""), re.MULTILINE)


def test_every_example_is_in_one_section_of_the_gallery():
    order = load(ROOT / "docs" / "extensions" / "example_order.py").ORDER
    assert sorted(order) == [path.name for path in EXAMPLES]


def test_sections_of_the_gallery_stand_before_their_first_examples():
    sections = load(ROOT / "docs" / "extensions" / "example_order.py")
    block = (
        '.. raw:: html\n\n    <div class="sphx-glr-thumbcontainer">\n\n:doc:`/auto_examples/{}`\n\n'
    )
    thumbnails = [block.format(name.removesuffix(".py")) for name in sections.ORDER]
    page = f"Examples\n\n{sections.OPEN}{''.join(thumbnails)}{sections.CLOSE}"
    found = sections.add_sections(page)
    titles = [title for title, _ in re.findall(r"^(.+)\n(-+)$", found, re.MULTILINE)]
    assert titles == list(sections.SECTIONS)
    assert found.count(sections.OPEN) == found.count(sections.CLOSE) == len(titles)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("# Two samples a batch.", "samples a batch"),
        ('"""A misspelt parameter raises."""', "raises"),
        ("x = 1  # what the network has\n# learnt", "learnt"),
        ("'the latents of X'", "latents"),
    ],
)
def test_words_that_are_not_the_fields_are_found_in_texts(tmp_path, monkeypatch, text, word):
    words = load(ROOT / "docs" / "check_words.py")
    monkeypatch.setattr(words, "ROOT", tmp_path)
    (tmp_path / "code.py").write_text(f"{text}\n")
    (found,) = words.check(tmp_path / "code.py")
    line = text.count("\n") + 1
    assert found.startswith(f"code.py:{line}: {word!r}")


def test_words_of_code_are_left_alone(tmp_path, monkeypatch):
    words = load(ROOT / "docs" / "check_words.py")
    monkeypatch.setattr(words, "ROOT", tmp_path)
    code = 'latents = pictures["learnt"]\ntext = f"{latents} of ``latents``"\n'
    (tmp_path / "code.py").write_text(code)
    assert list(words.check(tmp_path / "code.py")) == []


GUIDE = sorted((ROOT / "docs" / "user_guide").glob("*.rst"))


# What the guide shows of libraries and machines that the tests do not have.
ELSEWHERE = ("dask", "data_parallel", "mlflow", "onnxruntime", "skforecast", "timm")


@pytest.mark.parametrize("path", GUIDE, ids=lambda path: path.stem)
def test_all_code_of_the_guide_is_in_doctests(path):
    # Those are run; other blocks are not.
    text = re.sub(r"^ *\.\. math::$", "", path.read_text(), flags=re.MULTILINE)
    blocks = re.findall(r"(\.\. code-block:: python|::)\n\n((?: +.*\n|\n)+)", text)
    code = [b for kind, b in blocks if kind != "::" or re.match(r" +(import |from )", b)]
    assert [block for block in code if not any(name in block for name in ELSEWHERE)] == []
