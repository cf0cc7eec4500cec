"""Running averages of weights."""

from collections import defaultdict
from collections.abc import Callable, Sequence

import torch
from torch import nn

from sknn_basics._compat import interpolate


class RunningAverage:
    """Exponential average of a network's weights over the steps of a training.

    After n steps, the weights of step i have the share (1 - decay) decay^(n - i), divided by the
    sum of all shares: the initial weights have none. Running statistics are averaged too.

    Parameters
    ----------
    module : nn.Module
        The network.
    decay : float in (0, 1)
        What the shares of earlier weights are multiplied with in each step.

    References
    ----------
    Polyak and Juditsky. "Acceleration of stochastic approximation by averaging." SIAM Journal on
    Control and Optimization 30 (1992): 838-855.
    """

    def __init__(self, module: nn.Module, decay: float):
        buffers = [buffer for buffer in module.buffers() if buffer.is_floating_point()]
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        self.tensors = [*trained, *buffers]
        self.means = [torch.zeros_like(tensor.detach()) for tensor in self.tensors]
        self.decay, self.n_steps = decay, 0
        self.last: list[torch.Tensor] = []

    def of(self, module: nn.Module) -> "RunningAverage":
        """Go on with a module that is this one's, or a copy of it."""
        average = RunningAverage(module, self.decay)
        average.means, average.n_steps, average.last = self.means, self.n_steps, self.last
        return average

    def update(self) -> None:
        """Add the weights after a step."""
        update_averages([self])

    def snapshot(self) -> Callable[[], None]:
        """Remember the averages; calling the result brings them back."""
        n_steps, means = self.n_steps, [mean.clone() for mean in self.means]

        def undo() -> None:
            self.n_steps, self.means = n_steps, means

        return undo

    @torch.no_grad()
    def show(self) -> None:
        """Give the network the averages, and remember the weights of the last step."""
        if self.last or not self.n_steps:
            return
        self.last = [tensor.detach().clone() for tensor in self.tensors]
        for tensor, mean in zip(self.tensors, self.means):
            tensor.copy_(mean)

    @torch.no_grad()
    def hide(self) -> None:
        """Give the network the weights of the last step again."""
        for tensor, last in zip(self.tensors, self.last):
            tensor.copy_(last)
        self.last = []


@torch.no_grad()
def update_averages(averages: Sequence[RunningAverage]) -> None:
    """Add the weights after a step to each of some averages, in one call for those of one share."""
    by_share = defaultdict(lambda: ([], []))
    for own in averages:
        own.n_steps += 1
        means, values = by_share[(1 - own.decay) / (1 - own.decay**own.n_steps)]
        means += own.means
        # A stack gives tensors another memory.
        values += [tensor.detach() for tensor in own.tensors]
    for share, (means, values) in by_share.items():
        interpolate(means, values, share)
