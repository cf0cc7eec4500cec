"""Libraries that only some parts of the package need."""

from importlib import import_module
from types import ModuleType


def import_optional(module: str, extra: str, what_for: str) -> ModuleType:
    """Import a module of a library that an extra of this package installs.

    Parameters
    ----------
    module : str
        Full name of the module.
    extra : str
        Name of the extra.
    what_for : str
        Who needs it, as the start of the error's sentence.

    Returns
    -------
    module : module
        The imported module.

    Raises
    ------
    ImportError
        If it is not installed; the message names the extra.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{what_for} needs {module.split('.')[0]}, which the extra '{extra}' brings: "
            f"pip install 'sknn_basics[{extra}]'."
        ) from error
