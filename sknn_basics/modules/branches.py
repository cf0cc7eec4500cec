"""Parts of a network that stand side by side."""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from itertools import pairwise

import torch
from torch import Tensor, nn

from sknn_basics.modules.shapes import Columns


def _average(outputs: Sequence[Tensor]) -> Tensor:
    return reduce(torch.add, outputs) / len(outputs)


MERGES: dict[str, Callable[[Sequence[Tensor]], Tensor]] = {
    "concatenate": lambda outputs: torch.cat(tuple(outputs), dim=1),
    "add": lambda outputs: reduce(torch.add, outputs),
    "average": _average,
    "multiply": lambda outputs: reduce(torch.mul, outputs),
    "maximum": lambda outputs: reduce(torch.maximum, outputs),
}


class Branches(nn.Module):
    """Modules that read the same inputs, and whose outputs become one.

    Given to an estimator as ``module`` or ``features``, it lets a network read parts of X in
    different ways, an image and a table say: each branch then begins with `Columns`.

    Parameters
    ----------
    branches : mapping of str to nn.Module
        The branches by name. A layer of one is called ``"<name>.<layer>"`` in the network.
    merge : {'concatenate', 'add', 'average', 'multiply', 'maximum'}, default='concatenate'
        How the outputs become one: side by side along the first axis of a sample (its features or
        its channels), or value by value.

    Raises
    ------
    ValueError
        If branches read columns that overlap, or output shapes that cannot be merged.

    See Also
    --------
    Columns : Read some of the columns of X.

    Examples
    --------
    >>> from torch import nn
    >>> from sknn_basics.modules import Branches, Columns
    >>> image = nn.Sequential(Columns(0, 64, shape=(1, 8, 8)), nn.Conv2d(1, 4, 3), nn.Flatten())
    >>> table = nn.Sequential(Columns(64, 70), nn.Linear(6, 8), nn.ReLU())
    >>> network = Branches({"image": image, "table": table})
    >>> network(torch.zeros(5, 70)).shape
    torch.Size([5, 152])
    """

    def __init__(self, branches: Mapping[str, nn.Module], merge: str = "concatenate"):
        super().__init__()
        if not isinstance(branches, Mapping) or not branches:
            raise ValueError(f"branches must be modules by name, got {branches!r}.")
        if merge not in MERGES:
            raise ValueError(f"merge must be one of {list(MERGES)}, got {merge!r}.")
        self.merge = merge
        for name, branch in branches.items():
            if not isinstance(branch, nn.Module):
                raise ValueError(f"branches must be modules, got {name}={branch!r}.")
            self.add_module(name, branch)
        check_columns(branches)

    def forward(self, x: Tensor) -> Tensor:
        outputs = [branch(x) for branch in self.children()]
        self.check_shapes(outputs)
        return MERGES[self.merge](outputs)

    def check_shapes(self, outputs: Sequence[Tensor]) -> None:
        """Check that outputs can be merged."""
        # All but the axis along which they stand side by side.
        n_skipped = 2 if self.merge == "concatenate" else 1
        shapes = [output.shape[1:] for output in outputs]
        alike = {(len(shape), shape[n_skipped - 1 :]) for shape in shapes}
        if len(alike) > 1:
            described = ", ".join(
                f"{name} {tuple(shape)}" for (name, _), shape in zip(self.named_children(), shapes)
            )
            raise ValueError(
                f"merge={self.merge!r} cannot merge the outputs of branches, which have samples of "
                f"shapes {described}: end each with torch.nn.Flatten() or modules.Reshape, or with "
                "layers of one size."
            )

    def extra_repr(self) -> str:
        return f"merge={self.merge!r}"


def check_columns(branches: Mapping[str, nn.Module]) -> None:
    """Check that no two branches begin with columns that overlap.

    Raises
    ------
    ValueError
        If two do; the message names them.
    """
    read = {name: _first_columns(branch) for name, branch in branches.items()}
    by_start = sorted((own.start, name) for name, own in read.items() if own is not None)
    for (_, first), (start, second) in pairwise(by_start):
        stop = read[first].stop
        if stop is None or stop > start:
            listed = ", ".join(f"{name} {read[name]}" for _, name in by_start)
            raise ValueError(
                f"Branches {first!r} and {second!r} overlap: {listed}. Give columns that several "
                "branches read once, in front of these branches."
            )


def _first_columns(branch: nn.Module) -> Columns | None:
    """Find the columns with which a branch begins."""
    while isinstance(branch, nn.Sequential) and len(branch):
        branch = branch[0]
    return branch if isinstance(branch, Columns) else None
