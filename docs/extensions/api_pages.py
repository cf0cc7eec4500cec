"""The pages of the API: one a room, a room being every module that says what is public."""

import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType

import sknn_basics

# Of scikit-learn's metadata routing, which its own pages describe.
ROUTING = ("get_metadata_routing",)

INDEX = """\
{title}

Every public name, by the module that it is imported from.

.. toctree::
   :maxdepth: 2

{entries}
"""

PAGE = """\
{title}

.. automodule:: {room}
   :no-members:

.. currentmodule:: {room}

.. autosummary::
   :toctree: generated
   :nosignatures:

{entries}
"""


def find_rooms() -> list[ModuleType]:
    """Find the modules that have an ``__all__``, that of the package first."""
    names = [name for _, name, _ in pkgutil.walk_packages(sknn_basics.__path__, "sknn_basics.")]
    modules = [importlib.import_module(name) for name in sorted(names)]
    return [module for module in (sknn_basics, *modules) if hasattr(module, "__all__")]


def public_names(room: ModuleType) -> list[str]:
    """List a room's names, without those that are rooms themselves; classes come first."""
    names = [name for name in room.__all__ if not inspect.ismodule(getattr(room, name))]
    return sorted(names, key=lambda name: (not inspect.isclass(getattr(room, name)), name))


def write_api_pages(folder: Path) -> None:
    """Write an index, and a page for each room."""
    folder.mkdir(exist_ok=True)
    rooms = find_rooms()
    for room in rooms:
        names = public_names(room)
        text = PAGE.format(title=underlined(room.__name__), room=room.__name__, entries=rows(names))
        write_if_new(folder / f"{room.__name__}.rst", text)
    entries = rows(room.__name__ for room in rooms)
    write_if_new(folder / "index.rst", INDEX.format(title=underlined("API"), entries=entries))


def underlined(title: str) -> str:
    return f"{title}\n{'=' * len(title)}"


def rows(names) -> str:
    return "\n".join(f"   {name}" for name in names)


def write_if_new(path: Path, text: str) -> None:
    """Write a file unless it says the same already: Sphinx reads what is newer than its build."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def skip_routing(app, what, name, obj, skip, options) -> bool | None:
    """Leave out the methods of scikit-learn's metadata routing."""
    is_routing = name in ROUTING or (name.startswith("set_") and name.endswith("_request"))
    return True if is_routing else None


def setup(app) -> dict:
    app.connect("autodoc-skip-member", skip_routing)
    return {"parallel_read_safe": True, "version": sknn_basics.__version__}
