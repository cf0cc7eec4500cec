"""The pages name all that is public, their code runs, and docstrings are complete."""

import builtins
import doctest
import importlib.util
import inspect
import re
import textwrap
import warnings
from pathlib import Path

import pytest
from numpydoc.docscrape import get_doc_object
from numpydoc.validate import validate
from torch import nn

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted(
    path.relative_to(DOCS).as_posix()
    for folder in (DOCS, DOCS / "user_guide")
    for path in folder.glob("*.rst")
    if ">>> " in path.read_text()
)

specification = importlib.util.spec_from_file_location(
    "api_pages", DOCS / "extensions" / "api_pages.py"
)
api_pages = importlib.util.module_from_spec(specification)
specification.loader.exec_module(api_pages)

# Of numpydoc's checks. Those left out ask for cross-references and a second paragraph everywhere,
# for examples of methods, for returned values without a name, and where the quotes are.
CHECKS = {
    "GL01": "the text starts in the wrong line",
    "GL03": "double blank lines",
    "GL05": "tabs",
    "GL06": "unknown sections",
    "GL07": "sections in the wrong order",
    "GL08": "no docstring",
    "GL10": "misspelt directives",
    "SS01": "no summary",
    "SS02": "a summary that does not start with a capital letter",
    "SS03": "a summary that does not end with a full stop",
    "SS04": "an indented summary",
    "SS05": "a summary in the third person",
    "SS06": "a summary of several lines",
    "PR01": "parameters that are not described",
    "PR02": "parameters that do not exist",
    "PR03": "parameters in the wrong order",
    "PR04": "parameters without a type",
    "PR05": "a type that ends with a full stop",
    "PR06": "types misspelt",
    "PR07": "parameters without a description",
    "PR08": "a description that does not start with a capital letter",
    "PR09": "a description that does not end with a full stop",
    "PR10": "no space before the colon",
    "RT01": "returned values that are not described",
    "RT03": "returned values without a description",
    "RT04": "a description that does not start with a capital letter",
    "RT05": "a description that does not end with a full stop",
    "YD01": "yielded values that are not described",
    "SA02": "cross-references without a full stop",
    "SA03": "cross-references that do not start with a capital letter",
    "SA04": "cross-references without a description",
}


def list_public():
    """List full names of what is public, with the methods of classes that this package defines.

    The methods of layers are those that torch asks for, and described there.
    """
    for room in api_pages.find_rooms():
        for name in api_pages.public_names(room):
            value = getattr(room, name)
            if not callable(value):
                continue
            yield f"{room.__name__}.{name}"
            if inspect.isclass(value) and not issubclass(value, nn.Module):
                for method, function in inspect.getmembers(value, inspect.isroutine):
                    is_own = str(getattr(function, "__module__", "")).startswith("sknn_basics")
                    if is_own and not method.startswith("_"):
                        yield f"{room.__name__}.{name}.{method}"


PUBLIC = list(list_public())


def resolve(name):
    for room in reversed(api_pages.find_rooms()):
        if name.startswith(f"{room.__name__}."):
            value = room
            for part in name.removeprefix(f"{room.__name__}.").split("."):
                value = getattr(value, part)
            return value
    raise LookupError(name)


@pytest.mark.parametrize("name", PUBLIC)
def test_docstrings_pass_the_checks_of_numpydoc(name):
    errors = [f"{code}: {text}" for code, text in validate(name)["errors"] if code in CHECKS]
    assert not errors


@pytest.mark.parametrize("name", PUBLIC)
def test_errors_are_exceptions_and_say_when_they_are_raised(name):
    for error in get_doc_object(resolve(name))["Raises"]:
        assert issubclass(getattr(builtins, error.type), Exception)
        text = " ".join(error.desc)
        assert text[:1].isupper()
        assert text.endswith(".")


# These read files that are not everywhere.
NEED_FILES = {
    "sknn_basics.architectures.load_vgg16",
    "sknn_basics.datasets.load_fashion_mnist",
    "sknn_basics.datasets.load_mnist",
}
NAMES = [
    f"{room.__name__}.{name}"
    for room in api_pages.find_rooms()
    for name in api_pages.public_names(room)
    if callable(getattr(room, name))
]


@pytest.mark.parametrize("name", sorted({*NAMES} - NEED_FILES))
def test_every_public_name_has_an_example_that_runs(name):
    example = "\n".join(get_doc_object(resolve(name))["Examples"])
    assert doctest.DocTestParser().get_examples(example)
    assert "+SKIP" not in example


ARRAY = re.compile(r"\b(ndarray|array-like|sparse matrix)\b")
SHAPE = re.compile(r"of (the )?shape|dict of|(array-like|tuple) of (\d|int|float|str|ndarray|mat)")


@pytest.mark.parametrize("name", PUBLIC)
def test_arrays_are_described_with_their_shapes(name):
    text = get_doc_object(resolve(name))
    entries = [e for part in ("Parameters", "Attributes", "Returns", "Yields") for e in text[part]]
    assert [e.name for e in entries if ARRAY.search(e.type) and not SHAPE.search(e.type)] == []


@pytest.mark.parametrize("name", [name for name in PUBLIC if inspect.isfunction(resolve(name))])
def test_functions_that_raise_say_what(name):
    function = inspect.unwrap(resolve(name))
    raises = re.search(r"^ +raise (\w+)", inspect.getsource(function), re.MULTILINE)
    assert not raises or raises[1] in [e.type for e in get_doc_object(resolve(name))["Raises"]]


@pytest.mark.parametrize("name", [name for name in NAMES if name.count(".") == 1])
def test_every_method_of_the_literature_names_its_source(name):
    # A decoder is a part of an autoencoder, which names them; JSON is no method.
    if name.rsplit(".", 1)[-1] not in ("Decoder", "from_json"):
        assert get_doc_object(resolve(name))["References"]


def test_every_module_that_says_what_is_public_is_a_room_of_the_api():
    files = Path(api_pages.sknn_basics.__file__).parent.rglob("*.py")
    saying = {path for path in files if re.search(r"^__all__ = ", path.read_text(), re.MULTILINE)}
    assert {Path(room.__file__) for room in api_pages.find_rooms()} == saying


@pytest.mark.parametrize("room", [room.__name__ for room in api_pages.find_rooms()])
def test_the_api_has_a_page_for_each_room_with_all_its_names(room, tmp_path):
    api_pages.write_api_pages(tmp_path)
    (public,) = (r for r in api_pages.find_rooms() if r.__name__ == room)
    names = {name for name in public.__all__ if not inspect.ismodule(getattr(public, name))}
    page, index = ((tmp_path / f"{name}.rst").read_text() for name in (room, "index"))
    assert sorted(re.findall(r"^   (\w+)$", page, re.MULTILINE)) == sorted(names)
    assert room in index.split()
    assert names <= set(index.split())


def test_titles_and_groups_of_the_api_name_what_is_public():
    rooms = {room.__name__: room for room in api_pages.find_rooms()}
    assert set(api_pages.TITLES) <= set(rooms)
    for room, groups in api_pages.GROUPS.items():
        listed = [name for names in groups.values() for name in names]
        assert len(listed) == len(set(listed))
        assert set(listed) <= set(api_pages.public_names(rooms[room]))


@pytest.mark.parametrize("page", PAGES)
def test_the_code_of_the_pages_runs(page):
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    with warnings.catch_warnings():
        failed, _ = doctest.testfile(str(DOCS / page), module_relative=False, optionflags=options)
    assert failed == 0


def code_blocks(page):
    pattern = r"^( *)\.\. code-block:: python\n((?:\1   .*\n|\n)+)"
    blocks = re.findall(pattern, (DOCS / page).read_text(), re.MULTILINE)
    return [textwrap.dedent(block) for _, block in blocks]


DATA, *MIGRATIONS = code_blocks("migration.rst")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("number", range(len(MIGRATIONS)))
def test_the_code_of_the_migration_page_runs(number, monkeypatch):
    if "scikeras" in MIGRATIONS[number]:
        monkeypatch.setenv("KERAS_BACKEND", "torch")
        pytest.importorskip("scikeras", reason="SciKeras is not installed")
    scope = {}
    exec(DATA, scope)
    exec(MIGRATIONS[number], scope)
    model = next(scope[name] for name in ("search", "net", "model") if name in scope)
    assert model.score(scope["X"], scope["y"]) > 0.9
