"""What a network is made of."""

from sknn_basics.displays._axes import choose_ax
from sknn_basics.displays.models import find_network
from sknn_basics.modules.summary import Layer


class ArchitectureDisplay:
    """Diagram of a network: its layers with activations and parameters, and the shapes between.

    Use `from_estimator` to make one.

    Parameters
    ----------
    layers : list of Layer
        Name, kind, output shape, activation and number of parameters of each layer.
    input_shape : tuple of int
        Shape of one sample.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        What holds the axes.
    boxes_ : list of matplotlib Text
        One box a layer, from the first.
    shapes_ : list of matplotlib Text
        The shape of the input, and after each layer that of its output, without the batch.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sknn_basics import MLPClassifier
    >>> from sknn_basics.displays import ArchitectureDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPClassifier((5,), random_state=0).initialize(X, y)
    >>> display = ArchitectureDisplay.from_estimator(network)
    >>> [shape.get_text() for shape in display.shapes_]
    ['4', '5', '3']
    """

    def __init__(self, *, layers: list[Layer], input_shape: tuple[int, ...]):
        self.layers = layers
        self.input_shape = input_shape

    @classmethod
    def from_estimator(cls, estimator, *, ax=None) -> "ArchitectureDisplay":
        """Draw the network of an estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted or initialised neural estimator, a pipeline that ends in one, or a search.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : ArchitectureDisplay
            The drawn display.

        Raises
        ------
        TypeError
            If there is no neural estimator.
        ValueError
            If it is not fitted.
        """
        network = find_network(estimator)
        layers, shape = network._describe_layers(), network._sample_shape_
        return cls(layers=layers, input_shape=tuple(shape)).plot(ax)

    def plot(self, ax=None) -> "ArchitectureDisplay":
        """Draw the diagram, from top to bottom.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : ArchitectureDisplay
            This display.
        """
        n_layers = len(self.layers)
        self.ax_ = choose_ax(self, ax, (4.5, 0.4 + 0.9 * n_layers))
        self.figure_ = self.ax_.figure
        # A layer is one unit high; the shape of its input is at its top.
        self.shapes_ = [self._write_shape(0, self.input_shape)]
        self.boxes_ = []
        kinds = list(dict.fromkeys(layer.kind for layer in self.layers))
        for place, layer in enumerate(self.layers):
            color = f"C{kinds.index(layer.kind) % 10}"
            self.boxes_.append(self._draw_box(place + 0.5, layer, color))
            # The batch is no part of the shape of a sample.
            self.shapes_.append(self._write_shape(place + 1, layer.output_shape[1:]))
        self.ax_.set(xlim=(0, 1), ylim=(n_layers + 0.2, -0.2))
        self.ax_.set_axis_off()
        return self

    def _write_shape(self, height: float, shape: tuple):
        text = " x ".join(map(str, shape)) or "1"
        return self.ax_.text(0.52, height, text, va="center", size="small")

    def _draw_box(self, height: float, layer: Layer, color: str):
        arrow = {"arrowstyle": "-|>", "color": "tab:gray"}
        self.ax_.annotate("", (0.5, height + 0.7), (0.5, height - 0.7), arrowprops=arrow, zorder=0)
        activation = f" + {layer.activation}" if layer.activation else ""
        text = f"{layer.name}: {layer.kind}{activation}\n{count(layer.n_parameters)}"
        box = {"boxstyle": "round", "facecolor": "white", "edgecolor": color, "linewidth": 2}
        return self.ax_.text(0.5, height, text, ha="center", va="center", bbox=box, size="small")


def count(n_parameters: int) -> str:
    """Write a number of parameters."""
    return f"{n_parameters:,} parameter{'' if n_parameters == 1 else 's'}"
