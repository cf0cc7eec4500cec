"""Networks of estimators as plain modules, for libraries that explain or attack them."""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn

from sknn_basics.modules.layers import RandomLayer


class PlainNetwork(nn.Module):
    """A copy of a network: (n_samples, ...) -> what its estimator predicts of, in float32.

    Parameters
    ----------
    network : nn.Module
        What is copied, to the CPU.
    activate : callable or None, default=None
        What is applied to its outputs.
    is_binary : bool, default=False
        Whether its one output is the logit of the second of two classes, and both shall have one:
        their difference is the same, and so is their softmax.
    read : callable or None, default=None
        What is applied to inputs first: brings them into the layout of the network, for example.
    write : callable or None, default=None
        What is applied to the reconstructions of an autoencoder last.
    sample_shape : tuple of int or None, default=None
        The shape that an autoencoder's reconstruction of a sample gets; None is no autoencoder.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        activate: Callable | None = None,
        is_binary: bool = False,
        read: Callable | None = None,
        write: Callable | None = None,
        sample_shape: tuple[int, ...] | None = None,
    ):
        super().__init__()
        self.network = deepcopy(network).to("cpu", torch.float32)
        self.activate, self.is_binary, self.sample_shape = activate, is_binary, sample_shape
        self.read, self.write = read, write
        for layer in self.network.modules():
            # What looks into a network needs the outputs of each layer.
            if getattr(layer, "inplace", False):
                layer.inplace = False
            if isinstance(layer, RandomLayer):
                layer.generator = None
            # An explainer calls it again and again, each time for samples of their own.
            if getattr(layer, "stateful", False):
                layer.stateful, layer.state = False, None
        self.requires_grad_(True).eval()

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.read is None else self.read(x)
        if self.sample_shape is not None:
            output = self.network.decode(self.network.encode(x))
        else:
            output = self.network(x)
        if self.is_binary:
            output = torch.cat([-output / 2, output / 2], dim=-1)
        if self.activate is not None:
            output = self.activate(output)
        if self.sample_shape is not None:
            output = output.unflatten(1, self.sample_shape)
        return output if self.write is None else self.write(output)
