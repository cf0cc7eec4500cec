"""Training and evaluation of networks that have states."""

from collections import defaultdict

import numpy as np
import torch

from sknn_basics.training.batches import ArrayDataset, Batches
from sknn_basics.training.devices import reproducible
from sknn_basics.training.net import Net


class StatefulNet(Net):
    """A net whose network carries its states from batch to batch.

    Samples keep their order, and batches their size, in evaluation too. Each pass over data while
    training begins without states; what is predicted later continues with those of before.
    """

    changes_tensors_only = False

    def get_iterator(self, dataset: ArrayDataset, training: bool = False) -> Batches:
        return Batches(dataset, self.batch_size)

    def rows_of_evaluation(self, dataset: ArrayDataset) -> int:
        return self.batch_size

    def pass_over(self, *args):
        self.module_.reset_states()
        return super().pass_over(*args)

    def end_epoch(self, **kwargs) -> None:
        # Callbacks may predict.
        self.module_.reset_states()
        super().end_epoch(**kwargs)

    def end_training(self, *args) -> None:
        self.module_.reset_states()
        super().end_training(*args)


def trace_states(net: Net, X) -> dict[str, np.ndarray]:
    """Compute a network's states at all steps of X, by name.

    Each has shape (n_samples, n_steps, n_units).
    """
    dataset = net.get_dataset(X)
    size = net.rows_of_evaluation(dataset)
    traced = defaultdict(list)
    with torch.inference_mode(), reproducible(dataset.device):
        for start in range(0, len(dataset), size):
            inputs, _, _ = dataset[start : start + size]
            for name, values in net.module_.trace(inputs).items():
                traced[name].append(values.cpu().numpy())
    return {name: np.concatenate(parts) for name, parts in traced.items()}
