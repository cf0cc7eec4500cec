"""What was stacked, what was not, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from torch import nn

from sknn_basics.training.net import Net

CONVOLUTIONS = (
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
)


@dataclass
class Training:
    """How networks of one structure were trained.

    Parameters
    ----------
    network : str
        Widths of its dense layers, or numbers of its channels where it has none.
    way : str
        'stacked', or 'alone' with the reason.
    n_fits : int
        Number of fits.
    n_epochs : int
        Number of their epochs, all together.
    most_at_once : int
        Size of the largest stack.
    seconds : float
        Duration of these epochs.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_val_score
    >>> from sknn_basics import MLPClassifier
    >>> from sknn_basics.parallel import stacked
    >>> X, y = load_iris(return_X_y=True)
    >>> with stacked() as report:
    ...     scores = cross_val_score(MLPClassifier((5,), max_iter=2, tol=10), X, y, cv=3)
    >>> (training,) = report.trainings
    >>> training.network, training.n_fits, training.way
    ('4-5-3', 3, 'stacked')
    """

    network: str
    way: str
    n_fits: int = 0
    n_epochs: int = 0
    most_at_once: int = 0
    seconds: float = 0.0


class Report:
    """What was stacked, what was not, and why; ``str(report)`` is a table.

    Attributes
    ----------
    trainings : list of Training
        One for each network structure and way of training.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import cross_val_score
    >>> from sknn_basics import MLPClassifier
    >>> from sknn_basics.parallel import stacked
    >>> X, y = load_iris(return_X_y=True)
    >>> with stacked() as report:
    ...     scores = cross_val_score(MLPClassifier((5,), max_iter=2, tol=10), X, y, cv=3)
    >>> print(report)
    network  fits  epochs  most at once  seconds  trained
    4-5-3    3     6       3             ...      stacked
    """

    def __init__(self):
        self._trainings = {}

    @property
    def trainings(self) -> list[Training]:
        return list(self._trainings.values())

    def add(self, nets: Sequence[Net], reason: str | None, seconds: float) -> None:
        """Add an epoch of nets that were trained together, or of one that was not.

        Parameters
        ----------
        nets : sequence of Net
            The nets.
        reason : str or None
            Why one was trained alone; None for a stack.
        seconds : float
            Duration of the epoch.
        """
        module = nets[0].module_
        try:
            network = describe(module)
        except Exception:
            # A layer of the user's own may look like one of torch's. No search ends for a name.
            network = type(module).__name__
        way = "stacked" if reason is None else f"alone: {reason}"
        training = self._trainings.setdefault((network, way), Training(network, way))
        training.n_fits += sum(len(net.history) == net.n_earlier_ + 1 for net in nets)
        training.n_epochs += len(nets)
        training.most_at_once = max(training.most_at_once, len(nets))
        training.seconds += seconds

    def merge(self, reports: Sequence["Report"]) -> None:
        """Add what others took down side by side.

        Parameters
        ----------
        reports : sequence of Report
            The others.
        """
        for key in dict.fromkeys(chain.from_iterable(report._trainings for report in reports)):
            own = self._trainings.setdefault(key, Training(*key))
            found = [report._trainings[key] for report in reports if key in report._trainings]
            own.n_fits += sum(training.n_fits for training in found)
            own.n_epochs += sum(training.n_epochs for training in found)
            own.most_at_once = max(own.most_at_once, *(t.most_at_once for t in found))
            own.seconds += max(training.seconds for training in found)

    def __str__(self) -> str:
        header = ["network", "fits", "epochs", "most at once", "seconds", "trained"]
        rows = [
            [t.network, t.n_fits, t.n_epochs, t.most_at_once, f"{t.seconds:.2f}", t.way]
            for t in self.trainings
        ]
        lines = [[str(cell) for cell in row] for row in [header, *rows]]
        widths = [max(map(len, column)) for column in zip(*lines)]
        return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def describe(module: nn.Module) -> str:
    """Name a network by the widths of its dense layers, or else of its convolutions."""
    layers = list(module.modules())
    dense = [layer for layer in layers if isinstance(layer, nn.Linear)]
    widths = [(layer.in_features, layer.out_features) for layer in dense]
    if not widths:
        convolutions = [layer for layer in layers if isinstance(layer, CONVOLUTIONS)]
        widths = [(layer.in_channels, layer.out_channels) for layer in convolutions]
    if not widths:
        return type(module).__name__
    return "-".join(map(str, [widths[0][0], *(n_outputs for _, n_outputs in widths)]))
