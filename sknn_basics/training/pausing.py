"""Trainings that pause after some epochs, and continue later as if they had never stood still."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from sknn_basics.modules.layers import random_layers
from sknn_basics.training.averaging import RunningAverage
from sknn_basics.training.batches import ArrayDataset
from sknn_basics.training.callbacks import (
    KeepBestWeights,
    NotifyEpochs,
    StopAfter,
    ValidationScore,
)
from sknn_basics.training.net import Net
from sknn_basics.training.saving import clone_weights


@dataclass(eq=False)
class Pause:
    """What a training that is made in parts keeps from one part to the next.

    All that changes from epoch to epoch belongs to the net: weights, moments, history, callbacks,
    the source of orders. It is kept as it is. When a part ends, however, an estimator wants what
    the training would have left if it ended there (for example, the best weights), and takes its
    callbacks away: what that replaces is kept here. Data are not kept, but given again for each
    part.

    Attributes
    ----------
    until : int
        Number of epochs, of all parts together, after which it pauses.
    net : Net or None
        Whose training; None before its first part.
    has_ended : bool
        Whether there is nothing left to train.
    callbacks : list of (str, Callback)
        All callbacks, with their states.
    sources : list of (torch.Generator or None, Tensor or None)
        What each layer draws from that draws at random: a generator, and on a device a key.
    order : ndarray or None
        Order of the samples in the last epoch, which the next one permutes.
    average : RunningAverage or None
        Average of the weights.
    weights : dict of str to Tensor, or None
        Weights of the last epoch, where the net has got those of the best.
    criterion : dict of str to Tensor
        What the loss has learned.
    """

    until: int
    net: Net | None = None
    has_ended: bool = False
    callbacks: list = field(default_factory=list)
    sources: list = field(default_factory=list)
    order: np.ndarray | None = None
    average: RunningAverage | None = None
    weights: dict | None = None
    criterion: dict = field(default_factory=dict)

    def train(
        self, net: Net, train: ArrayDataset, valid: ArrayDataset | None, n_epochs: int
    ) -> None:
        """Train the next part of `n_epochs` epochs in all."""
        if self.net is None:
            net.notify("on_train_begin", X=train, y=None)
        self.net, n_wanted = net, min(self.until, n_epochs)
        net.fit_loop(train, valid=valid, epochs=n_wanted - net.n_epochs_)
        if net.n_epochs_ < n_wanted and net.stop_reason_ is None:
            raise KeyboardInterrupt
        self.has_ended = net.n_epochs_ >= n_epochs or net.stop_reason_ is not None
        net.is_paused_ = not self.has_ended
        if self.has_ended:
            net.notify("on_train_end", X=train, y=None)
        else:
            self.keep()

    def keep(self) -> None:
        """Keep what an end would change, and let the net have the weights that it would leave."""
        net = self.net
        self.order, self.average = net.order_, net.average_
        # Those are made anew for each part that tell of tasks.
        self.callbacks = [named for named in net.callbacks_ if type(named[1]) is not NotifyEpochs]
        self.criterion = {name: b.clone() for name, b in net.criterion_.named_buffers()}
        self.sources = [
            (layer.generator, layer.key if layer.key is None else layer.key.clone())
            for layer in random_layers(net.module_)
        ]
        for callback in self.find(KeepBestWeights):
            self.weights = clone_weights(net.module_)
            callback.on_train_end(net)
        for callback in self.find(ValidationScore):
            callback.score = None  # It holds the data.

    def go_on(self, score: Callable | None, notify: NotifyEpochs | None) -> Net:
        """Bring the net back to where it stood, and give it what belongs to the present data."""
        net = self.net
        net.callbacks_, net.order_ = list(self.callbacks), self.order
        if notify is not None:
            net.callbacks_.append((type(notify).__name__, notify))
        if self.average is not None:
            net.average_ = self.average.of(net.module_)
        if self.weights is not None:
            net.module_.load_state_dict(self.weights)
        for name, buffer in net.criterion_.named_buffers():
            buffer.copy_(self.criterion[name])
        layers = random_layers(net.module_)
        for layer, (generator, key) in zip(layers, self.sources, strict=True):
            layer.generator, layer.key = generator, key
        for callback in self.find(ValidationScore):
            callback.score = score
        for callback in self.find(StopAfter):
            now = time.monotonic()
            callback.start, callback.last = callback.start + now - callback.last, now
        return net

    def find(self, kind: type) -> list:
        """List the callbacks of a kind."""
        return [callback for _, callback in self.callbacks if isinstance(callback, kind)]
