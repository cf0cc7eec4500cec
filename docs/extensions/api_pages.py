"""The pages of the API: one for each room, which is every module that says what is public."""

import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType

import sknn_basics

# Of scikit-learn's metadata routing, which its own pages describe.
ROUTING = ("get_metadata_routing",)

TITLES = {
    "sknn_basics": "Estimators",
    "sknn_basics.agents": "Agents",
    "sknn_basics.architectures": "Architectures",
    "sknn_basics.datasets": "Data sets",
    "sknn_basics.displays": "Plots",
    "sknn_basics.environments": "Environments",
    "sknn_basics.inspection": "Inspection",
    "sknn_basics.model_selection": "Model selection",
    "sknn_basics.modules": "Modules and augmentation",
    "sknn_basics.parallel": "Fast searches",
    "sknn_basics.preprocessing": "Preprocessing",
    "sknn_basics.training.adversarial": "Training of GANs",
    "sknn_basics.training.callbacks": "Callbacks",
    "sknn_basics.training.losses": "Losses",
    "sknn_basics.training.schedules": "Schedules",
}

# Of rooms with many names: which belong together. Names that are in no group come last.
GROUPS = {
    "sknn_basics": {
        "Tables": ["TabularClassifier", "TabularRegressor", "MLPClassifier", "MLPRegressor"],
        "Images, signals and volumes": ["ConvNetClassifier", "ConvNetRegressor"],
        "Sequences, time series and texts": [
            "RNNClassifier",
            "RNNRegressor",
            "Forecaster",
            "TextGenerator",
        ],
        "Autoencoders": [
            "Autoencoder",
            "ConvAutoencoder",
            "RNNAutoencoder",
            "VariationalAutoencoder",
            "VariationalConvAutoencoder",
            "Decoder",
        ],
        "Generative adversarial networks": ["GAN", "ConvGAN", "ModeCollapseWarning"],
        "Saved architectures": ["from_json"],
    },
    "sknn_basics.displays": {
        "Training and searches": [
            "TrainingCurveDisplay",
            "EnsembleCurveDisplay",
            "SearchScoresDisplay",
            "FitTimeDisplay",
        ],
        "Predictions and errors": [
            "PredictionGridDisplay",
            "TopProbabilitiesDisplay",
            "ErrorCountDisplay",
            "ErrorGalleryDisplay",
        ],
        "Data": ["ClassSamplesDisplay", "AugmentationDisplay", "MatchMapDisplay"],
        "Networks": [
            "ArchitectureDisplay",
            "RecurrentStatesDisplay",
            "FilterDisplay",
            "FeatureMapDisplay",
            "DreamDisplay",
            "StyleTransferDisplay",
        ],
        "Explanations": ["AdversarialDisplay", "SaliencyDisplay", "CounterfactualDisplay"],
        "Autoencoders and GANs": [
            "ReconstructionDisplay",
            "LatentScatterDisplay",
            "LatentBarsDisplay",
            "LatentGridDisplay",
            "InterpolationDisplay",
            "GeneratedSamplesDisplay",
            "SampleHistoryDisplay",
        ],
        "Agents": [
            "GameDisplay",
            "QTableDisplay",
            "AgentCurveDisplay",
            "GameLengthDisplay",
            "DiscountedReturnDisplay",
        ],
    },
}
OTHERS = "More"

INDEX = """\
API reference
=============

All public classes and functions, by the module that they are imported from. Names that are not
listed here are private, and may change in every version.

.. toctree::
   :hidden:

{entries}

{sections}
"""

PAGE = """\
{title}

Module ``{room}``

.. automodule:: {room}
   :no-members:

.. currentmodule:: {room}

{tables}
"""

TABLE = """\
.. autosummary::
{options}

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


def grouped_names(room: ModuleType) -> dict[str, list[str]]:
    """Group a room's names; a room without groups is one group without a title."""
    names = public_names(room)
    if room.__name__ not in GROUPS:
        return {"": names}
    groups = GROUPS[room.__name__]
    listed = {name for group in groups.values() for name in group}
    others = [name for name in names if name not in listed]
    return {**groups, OTHERS: others} if others else groups


def tables(room: ModuleType, mark: str, *options: str) -> str:
    """Make a table of each group, under its title if it has one."""
    options = rows((*options, ":nosignatures:"))
    parts = []
    for title, names in grouped_names(room).items():
        heading = f"{underlined(title, mark)}\n\n" if title else ""
        parts.append(heading + TABLE.format(options=options, entries=rows(names)))
    return "\n".join(parts)


def index_section(room: ModuleType) -> str:
    """Make a section of the index: a title, what the room is for, and its tables."""
    name = room.__name__
    title = underlined(TITLES.get(name, name), "-")
    summary = f":doc:`{name} <{name}>`: {summarise(room)}"
    return f"{title}\n\n.. currentmodule:: {name}\n\n{summary}\n\n{tables(room, '~')}"


def summarise(room: ModuleType) -> str:
    """Take the first sentence of a room's docstring."""
    return " ".join(inspect.getdoc(room).split("\n\n")[0].split())


def write_api_pages(folder: Path) -> None:
    """Write an index, and a page for each room."""
    folder.mkdir(exist_ok=True)
    rooms = find_rooms()
    for room in rooms:
        title = underlined(TITLES.get(room.__name__, room.__name__))
        text = PAGE.format(
            title=title, room=room.__name__, tables=tables(room, "-", ":toctree: generated")
        )
        write_if_new(folder / f"{room.__name__}.rst", text)
    entries = rows(room.__name__ for room in rooms)
    sections = "\n".join(map(index_section, rooms))
    write_if_new(folder / "index.rst", INDEX.format(entries=entries, sections=sections))


def underlined(title: str, mark: str = "=") -> str:
    return f"{title}\n{mark * len(title)}"


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
