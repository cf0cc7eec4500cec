"""Leave out the pictures of examples that were not run: `DOCS_ARGS="-D plot_gallery=0"`."""

from pathlib import Path

from docutils import nodes


def leave_out(app, doctree) -> None:
    """Take out figures and images whose file does not exist."""
    # A setting of the command line is text.
    if str(app.config.plot_gallery) not in ("0", "False"):
        return
    for image in list(doctree.findall(nodes.image)):
        path = Path(app.srcdir, image["uri"].lstrip("/"))
        if "auto_examples/images" in image["uri"] and not path.exists():
            figure = image.parent
            while figure is not None and not isinstance(figure, nodes.figure):
                figure = figure.parent
            found = figure or image
            found.parent.remove(found)


def setup(app) -> dict:
    # Before Sphinx looks for the files.
    app.connect("doctree-read", leave_out, priority=100)
    return {"parallel_read_safe": True, "version": "1"}
