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


class LayersHTMLMixin:
    """Add a table of layers below scikit-learn's tables of parameters and fitted attributes.

    scikit-learn asks every step of a pipeline, and every part of another estimator, for the table
    of its fitted attributes: added there, the layers are shown wherever the network is.
    """

    def _get_fitted_attr_html(self, doc_link=""):
        attributes = super()._get_fitted_attr_html(doc_link)
        # A fitted ensemble shows the estimators that it was given, which are not fitted.
        if not self.__sklearn_is_fitted__():
            return attributes
        return TableWithLayers(attributes, layers_table(self))


class TableWithLayers:
    """A table of fitted attributes, as scikit-learn made it, and more behind it."""

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


def layers_table(estimator) -> str:
    """Write the layers of a fitted network as a table in HTML."""
    rows = "\n        ".join(map(layer_row, estimator._describe_layers()))
    totals = (f"{kind}: {n:,}" for kind, n in total_parameters(estimator.module_).items())
    return TABLE.format(rows=rows, totals=", ".join(totals))


def layer_row(layer) -> str:
    """Write one layer as a row."""
    cells = (*map(str, layer[:-1]), f"{layer.n_parameters:,}")
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
