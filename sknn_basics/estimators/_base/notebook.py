"""The layers of a fitted network, in what scikit-learn shows of an estimator in a notebook."""

from html import escape

from sknn_basics.modules.summary import total_parameters

# The classes are those of scikit-learn's own tables, whose style this one shares.
TABLE = """
<div class="estimator-table">
  <details>
    <summary>Layers</summary>
    <table class="parameters-table">
      <tbody>
        <tr>
          <th>Name</th><th>Type</th><th>Output shape</th><th>Activation</th><th>Parameters</th>
        </tr>
        {rows}
        <tr><td colspan="5">{totals}</td></tr>
      </tbody>
    </table>
  </details>
</div>
"""


class TableWithLayers:
    """A table of fitted attributes, as scikit-learn made it, and more after it."""

    def __init__(self, attributes, layers: str):
        self.attributes, self.layers = attributes, layers

    def __len__(self) -> int:
        return len(self.attributes)

    def __getitem__(self, name):
        return self.attributes[name]

    def __iter__(self):
        return iter(self.attributes)

    def _repr_html_inner(self) -> str:
        return self.attributes._repr_html_inner() + self.layers


def with_layers(attributes, estimator) -> TableWithLayers:
    """Add the layers of a fitted network to scikit-learn's table of its fitted attributes."""
    return TableWithLayers(attributes, layers_table(estimator))


def layers_table(estimator) -> str:
    """Write the layers of a fitted network as a table in HTML."""
    rows = "\n        ".join(map(layer_row, estimator._describe_layers()))
    totals = (f"{kind}: {n:,}" for kind, n in total_parameters(estimator.module_).items())
    return TABLE.format(rows=rows, totals=", ".join(totals))


def layer_row(layer) -> str:
    """Write one layer as a row."""
    cells = (*map(str, layer[:-1]), f"{layer.n_parameters:,}")
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
