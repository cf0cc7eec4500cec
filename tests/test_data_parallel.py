"""One fit over several processes, started as users start them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sknn_basics import MLPClassifier
from sknn_basics.parallel import data_parallel

COMMON = """
import os, sys, warnings
import numpy as np
warnings.simplefilter("ignore")
from sknn_basics import ConvNetClassifier, MLPClassifier, MLPRegressor
from sknn_basics.parallel import data_parallel
rng = np.random.default_rng(0)
X, y = rng.normal(size=(101, 6)), np.arange(101) % 3
X[:, 0] += y
weight = rng.uniform(0.0, 2.0, 101)
images = rng.random((41, 8, 8))
fixed = {"dtype": "float64", "random_state": 0, "max_iter": 4}
def fits():
    mlp = MLPClassifier((7,), batch_size=25, **fixed)
    yield mlp.fit(X, y)
    yield MLPClassifier((7,), batch_size=50, class_weight="balanced", **fixed).fit(X, y, weight)
    yield MLPClassifier(
        (7, 5), batch_size=30, early_stopping=True, normalization="layer", clip_grad_norm=0.1,
        **fixed,
    ).fit(X, y)
    sgd = {"solver": "sgd", "batch_size": 16, "alpha": 1.0, **fixed}
    yield MLPRegressor(hidden_layer_sizes=(5,), **sgd).fit(X, X[:, :2])
    yield ConvNetClassifier((3,), (), batch_size=8, **fixed).fit(images, np.arange(41) % 2)
def numbers(estimator):
    parts = [*estimator.module_.parameters()]
    parts = [p.detach().numpy().ravel() for p in parts]
    return np.concatenate([*parts, estimator.loss_curve_])
"""


def run(folder, n_processes, script, limit=120):
    path = folder / "script.py"
    path.write_text(COMMON + script)
    package = str(Path(__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": package, "OMP_NUM_THREADS": "1"}
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", str(n_processes)]
    launcher += ["--master-addr", "127.0.0.1", "--rdzv-backend", "c10d"]
    launcher += ["--rdzv-endpoint", "127.0.0.1:0"]
    return subprocess.run(
        [sys.executable, *launcher, str(path)],
        cwd=folder,
        env=environment,
        timeout=limit,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def alone():
    space = {}
    exec(COMMON, space)  # the same lines as in the processes
    return [space["numbers"](fit) for fit in space["fits"]()]


@pytest.mark.parametrize("n_processes", [2, 3])
def test_processes_have_the_same_bits_and_the_numbers_of_one(tmp_path, alone, n_processes):
    script = """
with data_parallel() as rank:
    np.savez(f"rank{rank}", *map(numbers, fits()))
"""
    done = run(tmp_path, n_processes, script)
    assert done.returncode == 0, done.stderr
    ranks = [list(np.load(tmp_path / f"rank{i}.npz").values()) for i in range(n_processes)]
    assert len(ranks[0]) == len(alone) == 5
    for own, expected in zip(ranks[0], alone, strict=True):
        np.testing.assert_allclose(own, expected, atol=1e-9)
    for other in ranks[1:]:
        for own, first in zip(other, ranks[0], strict=True):
            np.testing.assert_array_equal(own, first)


def test_a_process_that_ends_ends_the_fit_of_the_others(tmp_path):
    script = """
from skorch.callbacks import Callback
class Leave(Callback):
    def on_epoch_end(self, net, **kwargs):
        if os.environ["RANK"] == "1" and len(net.history) == 2:
            os._exit(0)
with data_parallel(timeout=20) as rank:
    try:
        MLPClassifier(max_iter=50, callbacks=[Leave()], **fixed | {"max_iter": 50}).fit(X, y)
    except BaseException as error:
        open("error", "w").write(type(error).__name__)
        raise
"""
    script = script.replace("max_iter=50, callbacks", "callbacks")
    assert run(tmp_path, 2, script).returncode != 0
    assert (tmp_path / "error").read_text() == "RuntimeError"


def test_a_fit_of_several_processes_continues_from_its_checkpoint(tmp_path, alone):
    script = """
from skorch.callbacks import Callback
from sknn_basics.training.checkpoints import TrainingCheckpoint
class Leave(Callback):
    def on_epoch_end(self, net, **kwargs):
        if not os.path.exists("rank1.npy") and len(net.history) == 2 and rank == 1:
            np.save("rank1.npy", [])
            os._exit(1)
callbacks = [TrainingCheckpoint("checkpoints"), Leave()]
with data_parallel(20) as rank:
    fit = MLPClassifier((7,), batch_size=25, callbacks=callbacks, **fixed).fit(X, y)
    np.save(f"rank{rank}.npy", numbers(fit))
"""
    assert run(tmp_path, 2, script).returncode != 0
    assert len(np.load(tmp_path / "rank1.npy")) == 0
    done = run(tmp_path, 2, script)
    assert done.returncode == 0, done.stderr
    for rank in range(2):
        np.testing.assert_allclose(np.load(tmp_path / f"rank{rank}.npy"), alone[0], atol=1e-9)


REFUSED = {
    "MLPClassifier(random_state=rank, max_iter=2).fit(X, y)": "different data or random states",
    "MLPClassifier(random_state=0, max_iter=2).fit(X[rank:], y[rank:])": "different data or random",
    "MLPClassifier(normalization='batch', max_iter=2).fit(X, y)": "set 'layer' or 'group' for a",
    "MLPClassifier(adversarial_training=0.1, max_iter=2).fit(X, y)": "not of HardenedNet",
    "MLPClassifier(max_iter=2, callbacks=[Watching()]).fit(X, y)": "A callback that watches",
    "ConvNetClassifier((2,), augmentation=MixUp(), max_iter=1).fit(images, y[:41])": "are mixed",
}


def test_what_cannot_be_shared_is_told(tmp_path):
    script = f"""
from skorch.callbacks import Callback
from sknn_basics.modules import MixUp
class Watching(Callback):
    def on_batch_end(self, net, **kwargs):
        pass
with data_parallel(20) as rank:
    for fit, message in {REFUSED}.items():
        try:
            eval(fit)
        except (RuntimeError, ValueError) as error:
            assert message in str(error), error
        else:
            raise AssertionError(fit)
"""
    done = run(tmp_path, 2, script)
    assert done.returncode == 0, done.stderr


def test_without_a_launcher_nothing_changes():
    X = np.random.default_rng(0).normal(size=(30, 2))
    network = MLPClassifier((3,), max_iter=2, random_state=0)
    before = network.fit(X, X[:, 0] > 0).coefs_[0]
    with data_parallel() as rank:
        after = network.fit(X, X[:, 0] > 0).coefs_[0]
    assert rank == 0
    np.testing.assert_array_equal(before, after)
