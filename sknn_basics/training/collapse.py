"""Warning of generators whose samples hardly differ."""

import warnings

import numpy as np
from skorch.callbacks import Callback

# Shares of the distances of real samples below which samples have little variety, and none.
LITTLE_VARIETY, NO_VARIETY = 0.1, 0.01

# Number of batches before which a generator needs no variety, unless it has none at all.
FIRST_BATCHES = 50


class ModeCollapseWarning(UserWarning):
    """A generator makes samples that hardly differ, whatever latent variables it is given.

    References
    ----------
    Goodfellow. "NIPS 2016 tutorial: generative adversarial networks." arXiv:1701.00160.

    Examples
    --------
    >>> import warnings
    >>> from sknn_basics import ModeCollapseWarning
    >>> warnings.simplefilter("error", ModeCollapseWarning)  # end a training that collapses
    """


class WarnOfCollapse(Callback):
    """Warn when the variety of samples falls below a share of that of real ones, or stays there.

    A generator begins with little variety: where it has not gained any, that is told at the end.
    """

    def __init__(self):
        self.has_warned, self.n_batches = False, 0

    learnt = ("has_warned", "n_batches")

    def on_epoch_end(self, net, dataset_train=None, **kwargs):
        recent = [(row.get("growth"), row.get("variety", np.nan)) for row in net.history[-2:]]
        if len(recent) == 2:
            (growth, before), (has_grown_to, now) = recent
            if growth == has_grown_to and before >= LITTLE_VARIETY > now:
                self.warn(net, f"has fallen to {now:.2g} in epoch {len(net.history)}")

        self.n_batches = len(net.history) * -(-len(dataset_train) // net.batch_size)

    def on_train_end(self, net, **kwargs):
        varieties = [row.get("variety", np.nan) for row in net.history]
        least = NO_VARIETY if self.n_batches < FIRST_BATCHES else LITTLE_VARIETY
        if varieties and varieties[-1] < least:
            self.warn(net, f"is {varieties[-1]:.2g} after epoch {len(varieties)}, the last one")

    def warn(self, net, what: str) -> None:
        """Warn once."""
        if self.has_warned:
            return
        self.has_warned = True
        warnings.warn(
            "The generator's samples hardly differ: the mean distance between them, as a share of "
            f"that between real samples, {what}. If X is scaled, and training has not just begun, "
            "its modes have collapsed: set batch_variety=True, lower the learning rates, give the "
            "discriminator more steps, or take another loss.",
            ModeCollapseWarning,
            stacklevel=2,
        )
