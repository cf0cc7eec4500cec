"""What was stacked, what was not, and why."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

from torch import nn

from sknn_basics.training.net import Fit, Net

CONVOLUTIONS = (
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
)


# Names of networks that a row shows.
MOST_NAMES = 3

# What the networks of two stacks differ in, in words of parameters and data.
NAMES = {"dtype": "dtype", "device": "device", "samples": "shape or kind of X or y"}


@dataclass
class Training:
    """How networks were trained.

    Parameters
    ----------
    way : str
        'stacked', or 'alone' with the reason.
    networks : list of str
        The different networks: widths of dense layers, or numbers of channels where there are none.
    n_fits : int
        Number of fits. One whose stack failed is counted where it continued, too.
    n_epochs : int
        Number of their epochs, all together.
    most_at_once : int
        Most networks that were trained at once: the size of a stack, or of those of all threads.
    n_stacks : int
        Number of stacks: more than one where memory is short, or with one for each thread.
    seconds : float
        Duration of these epochs.
    apart : str
        In what they differ from all other networks that were stacked, if there are any.

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

    way: str
    networks: list[str] = field(default_factory=list)
    n_fits: int = 0
    n_epochs: int = 0
    most_at_once: int = 0
    n_stacks: int = 0
    seconds: float = 0.0
    apart: str = ""

    @property
    def network(self) -> str:
        """The different networks, the first of many."""
        n_more = len(self.networks) - MOST_NAMES
        return ", ".join(self.networks[:MOST_NAMES]) + (f", {n_more} more" if n_more > 0 else "")

    def describe(self) -> str:
        """Tell how they were trained, in how many stacks, and what split these.

        Returns
        -------
        way : str
            The last column of the report's table.
        """
        stacks = f" in {self.n_stacks} stacks" if self.n_stacks > 1 else ""
        return self.way + stacks + (f", apart by {self.apart}" if self.apart else "")


class Report:
    """What was stacked, what was not, and why; ``str(report)`` is a table.

    Attributes
    ----------
    trainings : list of Training
        One for all networks that could be in one stack, and one for each other network and the
        reason why it was trained alone.

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
        stacks = {row: t for row, t in self._trainings.items() if t.way == "stacked"}
        for row, training in stacks.items():
            others = [differences(row, other) for other in stacks if other != row]
            training.apart = " and ".join(NAMES[name] for name in min(others, key=len, default=[]))
        return list(self._trainings.values())

    def add(
        self,
        fits: Sequence[Fit],
        reason: str | None,
        seconds: float,
        setting: tuple | None = None,
        n_stacks: int = 0,
    ) -> None:
        """Add an epoch of fits that were trained together, or of one that was not.

        Parameters
        ----------
        fits : sequence of Fit
            The fits.
        reason : str or None
            Why one was trained alone; None for stacks.
        seconds : float
            Duration of the epoch.
        setting : tuple or None
            What the networks have in common with others that they may be stacked with.
        n_stacks : int
            Number of stacks of that setting.
        """
        row, way = setting, "stacked"
        # The last one of a stack is trained alone for no reason of its own.
        if reason is not None and (setting is None or fits[0].row != setting):
            row, way, n_stacks = (describe_net(fits[0].net), reason), f"alone: {reason}", 0
        training = self._trainings.setdefault(row, Training(way))
        for fit in fits:
            if fit.row != row:
                # One that paused was counted when it began.
                training.n_fits += not (fit.row is None and fit.net.is_paused_)
                fit.row = row
                training.networks += {describe_net(fit.net)}.difference(training.networks)
        training.n_epochs += len(fits)
        training.most_at_once = max(training.most_at_once, len(fits))
        training.n_stacks = max(training.n_stacks, n_stacks)
        training.seconds += seconds

    def merge(self, reports: Sequence["Report"]) -> None:
        """Add what others took down side by side.

        Parameters
        ----------
        reports : sequence of Report
            The others.
        """
        for row in dict.fromkeys(chain.from_iterable(report._trainings for report in reports)):
            found = [report._trainings[row] for report in reports if row in report._trainings]
            own = self._trainings.setdefault(row, Training(found[0].way))
            names = chain.from_iterable(training.networks for training in [own, *found])
            own.networks = list(dict.fromkeys(names))
            own.n_fits += sum(training.n_fits for training in found)
            own.n_epochs += sum(training.n_epochs for training in found)
            own.most_at_once = max(own.most_at_once, *(t.most_at_once for t in found))
            own.n_stacks = max(own.n_stacks, sum(training.n_stacks for training in found))
            own.seconds += max(training.seconds for training in found)

    def __str__(self) -> str:
        header = ["network", "fits", "epochs", "most at once", "seconds", "trained"]
        rows = [
            [t.network, t.n_fits, t.n_epochs, t.most_at_once, f"{t.seconds:.2f}", t.describe()]
            for t in self.trainings
        ]
        lines = [[str(cell) for cell in row] for row in [header, *rows]]
        widths = [max(map(len, column)) for column in zip(*lines)]
        return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def differences(setting: tuple, other: tuple) -> list[str]:
    """Name the parts in which two settings differ."""
    return [name for name, own, its in zip(NAMES, setting, other) if own != its]


def describe_net(net: Net) -> str:
    """Name a network."""
    try:
        return describe(net.module_)
    except Exception:
        # A layer of the user's own may look like one of torch's. No search ends for a name.
        return type(net.module_).__name__


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
