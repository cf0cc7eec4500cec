"""More data than memory: ``python -m benchmarks.large_data [gigabytes]``.

Makes Parquet files of random numbers, writes them into a memory map with `to_memory_map`, and fits
one epoch of 784-100-10 from it: ours, skorch with its data loader, and a bare loop over torch's.
Each runs in a process of its own, after the others have ended, and prints its time and the peak of
the memory that it allocated itself. The tables are Markdown.
"""

import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from benchmarks.forecasting import print_table
from benchmarks.measure import anonymous_growth

N_FEATURES, BATCH_SIZE = 784, 256
ROWS_A_FILE = 50_000
PEERS = ("write", "sknn_basics", "skorch", "bare torch loop")


def make_files(folder: Path, n_rows: int) -> None:
    """Write random pixels and labels as Parquet files."""
    import pyarrow
    from pyarrow import parquet

    rng = np.random.default_rng(0)
    names = [f"pixel{i}" for i in range(N_FEATURES)]
    for i in range(0, n_rows, ROWS_A_FILE):
        rows = rng.random((ROWS_A_FILE, N_FEATURES), dtype=np.float32)
        columns = dict(zip(names, rows.T)) | {"label": np.arange(ROWS_A_FILE) % 10}
        table = pyarrow.table(columns)
        path = folder / f"{i:09d}.parquet"
        parquet.write_table(table, path, row_group_size=10_000, compression="none")


def write(folder: Path) -> None:
    from sknn_basics.datasets import to_memory_map

    files = sorted(map(str, folder.glob("*.parquet")))
    to_memory_map(files, "label", path=folder / "X.npy")


def rows_of(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    return np.load(folder / "X.npy", mmap_mode="r"), np.load(folder / "X.target.npy", mmap_mode="r")


def fit_ours(folder: Path) -> None:
    from sknn_basics import MLPClassifier

    MLPClassifier((100,), batch_size=BATCH_SIZE, max_iter=1, random_state=0).fit(*rows_of(folder))


def fit_skorch(folder: Path) -> None:
    import skorch
    from torch import nn

    X, y = rows_of(folder)
    module = nn.Sequential(nn.Linear(N_FEATURES, 100), nn.ReLU(), nn.Linear(100, 10))
    skorch.NeuralNetClassifier(
        module,
        criterion=nn.CrossEntropyLoss,
        max_epochs=1,
        batch_size=BATCH_SIZE,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    ).fit(X, np.asarray(y, dtype=np.int64))


def fit_bare(folder: Path) -> None:
    import torch
    from torch import nn
    from torch.utils.data import DataLoader

    X, y = rows_of(folder)
    rows = [*range(len(X))]
    loader = DataLoader(
        rows,
        BATCH_SIZE,
        shuffle=True,
        collate_fn=lambda own: (torch.from_numpy(X[own]), torch.from_numpy(y[own])),
    )
    module = nn.Sequential(nn.Linear(N_FEATURES, 100), nn.ReLU(), nn.Linear(100, 10))
    optimiser = torch.optim.Adam(module.parameters(), fused=True)
    for inputs, targets in loader:
        optimiser.zero_grad()
        nn.functional.cross_entropy(module(inputs), targets).backward()
        optimiser.step()


WORK = dict(zip(PEERS, (write, fit_ours, fit_skorch, fit_bare)))


def measure(peer: str, folder: Path) -> None:
    """Run one peer in this process, and print its seconds and megabytes."""
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    (megabytes,) = anonymous_growth(lambda: WORK[peer](folder))
    print(f"{time.perf_counter() - start:.1f} {megabytes:.0f}")


def main(gigabytes: float) -> None:
    n_files = max(1, round(gigabytes * 1e9 / (4 * N_FEATURES * ROWS_A_FILE)))
    with tempfile.TemporaryDirectory() as name:
        make_files(Path(name), n_files * ROWS_A_FILE)
        lines = []
        for peer in PEERS:
            command = [sys.executable, "-m", "benchmarks.large_data", peer, name]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            lines.append([peer, *done.stdout.split()])
        size = (Path(name) / "X.npy").stat().st_size
    print(f"{n_files * ROWS_A_FILE:,} rows of {N_FEATURES} float32, {size / 1e9:.1f} GB\n")
    print_table(["work", "seconds", "MB of memory of its own"], lines)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measure(sys.argv[1], Path(sys.argv[2]))
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
