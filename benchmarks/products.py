"""Where oneDNN multiplies faster than torch's own library: ``python -m benchmarks.products``.

The products of the first layer of networks that see the same samples: the weights of all of them
as one matrix, by a batch. `LARGE_PRODUCT` of modules/stacked_linear.py rests on the table, of
products in one thread in turn; medians. Prints a Markdown table.
"""

import time
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.forecasting import print_table
from sknn_basics.modules.stacked_linear import has_onednn, product

N_ROUNDS = 200

# Networks, hidden units, features and samples a batch.
SIZES = (
    (1, 32, 64, 200),
    (3, 32, 64, 200),
    (12, 32, 64, 200),
    (12, 100, 13, 32),
    (1, 100, 64, 200),
    (3, 100, 64, 200),
    (12, 100, 64, 200),
    (12, 300, 300, 200),
)


def median_seconds(works: list[Callable[[], object]]) -> list[float]:
    """Time works in turn, the first times unrecorded."""
    seconds = []
    for _ in range(10 + N_ROUNDS):
        row = []
        for work in works:
            start = time.perf_counter()
            work()
            row.append(time.perf_counter() - start)
        seconds.append(row)
    return np.median(seconds[10:], axis=0).tolist()


def compare(weights: torch.Tensor, batch: torch.Tensor) -> list[float]:
    """Time both ways to multiply each row of two matrices."""
    return median_seconds([lambda: weights @ batch.T, lambda: product(weights, batch)])


def main() -> None:
    torch.set_num_threads(1)
    if not has_onednn():
        raise SystemExit("This torch has no product of oneDNN.")
    lines = []
    for n_networks, n_units, n_features, n_samples in SIZES:
        weights = torch.randn(n_networks * n_units, n_features)
        batch = torch.randn(n_samples, n_features)
        torch_own, onednn = compare(weights, batch)
        n_products = weights.numel() * n_samples
        lines.append(
            [
                f"{n_networks} x {n_features}-{n_units}, batch {n_samples}",
                f"{n_products / 2**20:.2f}",
                f"{1e6 * torch_own:.0f} µs",
                f"{1e6 * onednn:.0f} µs",
                f"{torch_own / onednn:.2f}x",
            ]
        )
    print_table(["networks", "products / 2^20", "torch", "oneDNN", "gain"], lines)


if __name__ == "__main__":
    main()
