"""Links into other projects' pages, where their indices can be read: the build needs no network."""

from urllib.error import URLError
from urllib.request import urlopen

PAGES = {
    "python": "https://docs.python.org/3/",
    "numpy": "https://numpy.org/doc/stable/",
    "sklearn": "https://scikit-learn.org/stable/",
    "skorch": "https://skorch.readthedocs.io/en/stable/",
    "gymnasium": "https://gymnasium.farama.org/",
    "torch": "https://docs.pytorch.org/docs/stable/",
}


def is_reachable(page: str) -> bool:
    try:
        with urlopen(f"{page}objects.inv", timeout=5) as answer:
            return answer.status == 200
    except (URLError, TimeoutError):
        return False


def choose_pages(app, config) -> None:
    """Give intersphinx the pages that it can read."""
    config.intersphinx_mapping = {
        name: (page, None) for name, page in PAGES.items() if is_reachable(page)
    }


def leave_as_text(app, env, node, content):
    """Show what scikit-learn's inherited docstrings link to as text where it was not found."""
    if "docstring of sklearn." in (node.source or node.parent.source or ""):
        return content
    return None


def setup(app) -> dict:
    # Before intersphinx checks its setting, and after it has looked for a target.
    app.connect("config-inited", choose_pages, priority=100)
    app.connect("missing-reference", leave_as_text, priority=900)
    return {"parallel_read_safe": True, "version": "1"}
