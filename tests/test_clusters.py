"""Stacked fits shared among the workers of Dask and Ray, and among joblib's processes."""

import os
import signal
import sys
import threading
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky import get_reusable_executor
from sklearn.datasets import load_digits
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV

from sknn_basics import MLPClassifier
from sknn_basics.parallel import stacked
from sknn_basics.stacking.workers import Common, run_share, share_out, versions

GRID = {"alpha": [0.0, 1e-2], "learning_rate_init": [1e-3, 1e-2]}

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")


# First, as the clusters of the other tests are there until the last one.
@pytest.mark.parametrize(
    ("across", "module", "message"),
    [("dask", "distributed", "make a dask.distributed.Client"), ("ray", "ray", "call ray.init")],
)
def test_no_cluster_is_told_before_anything_is_fitted(across, module, message):
    pytest.importorskip(module)
    with pytest.raises(ValueError, match=message), stacked(across=across):
        pass


@pytest.mark.parametrize("across", ["dask", "ray"])
def test_a_missing_library_is_named_with_its_extra(across, monkeypatch):
    for module in ("distributed", "ray"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"sknn_basics\[{across}\]"), stacked(across=across):
        pass


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:300] / 16, y[:300]


@pytest.fixture(scope="module")
def dask_cluster():
    distributed = pytest.importorskip("distributed", reason="the extra 'dask' is not installed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=0
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def ray_cluster():
    ray = pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    # Workers have to find this module.
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=80 * 2**20,
        runtime_env={"env_vars": {"PYTHONPATH": path}},
    )
    yield ray
    ray.shutdown()


@pytest.fixture(scope="module")
def processes():
    yield
    get_reusable_executor().shutdown(wait=True)


CLUSTERS = {"loky": "processes", "dask": "dask_cluster", "ray": "ray_cluster"}


@pytest.fixture(params=CLUSTERS)
def across(request):
    request.getfixturevalue(CLUSTERS[request.param])
    return request.param


def search(**parameters):
    network = MLPClassifier((8,), max_iter=3, batch_size=50, dtype="float64", random_state=0)
    return GridSearchCV(network.set_params(**parameters), GRID, cv=3)


def scores(fitted):
    return fitted.cv_results_["mean_test_score"]


def test_a_search_over_workers_equals_one_here(across, digits):
    alone = search().fit(*digits)
    with stacked(n_processes=2, across=across) as report:
        together = search().fit(*digits)
    np.testing.assert_allclose(scores(together), scores(alone), atol=1e-9)
    stacks = [training for training in report.trainings if training.way == "stacked"]
    # Twelve fits in two shares; the refit is one of its own.
    assert sum(training.n_fits for training in stacks) == 12
    assert max(training.most_at_once for training in stacks) == 6


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_an_error_of_a_fit_is_that_of_its_own(across, digits):
    grid = {"alpha": [0.0, -1.0, 1e-2, -2.0]}
    failing = GridSearchCV(search().estimator, grid, cv=3)
    with stacked(n_processes=2, across=across), pytest.warns(FitFailedWarning, match="6 fits"):
        failing.fit(*digits)
    assert np.isfinite(scores(failing)).tolist() == [True, False, True, False]


class Deadly(MLPClassifier):
    """A network whose first fit in any process but this one ends the process."""

    def __init__(self, marker="", here=0, hidden_layer_sizes=(8,), alpha=0.0, max_iter=3):
        super().__init__(hidden_layer_sizes, alpha=alpha, max_iter=max_iter, random_state=0)
        self.marker, self.here = marker, here

    def fit(self, X, y):
        if os.getpid() != self.here:
            try:
                os.close(os.open(self.marker, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                pass
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y)


@pytest.mark.filterwarnings("ignore:A process was lost", "ignore:A worker stopped")
def test_a_search_survives_a_worker_that_is_killed(across, digits, tmp_path):
    marker = str(tmp_path / "killed")
    network = Deadly(marker=marker, here=os.getpid())
    grid = {"alpha": [0.0, 1e-2, 1e-1]}
    alone = GridSearchCV(network, grid, cv=2).fit(*digits)
    assert not os.path.exists(marker)
    with stacked(n_processes=2, across=across):
        together = GridSearchCV(network, grid, cv=2).fit(*digits)
    assert os.path.exists(marker)
    np.testing.assert_allclose(scores(together), scores(alone), atol=1e-6)


def test_more_tasks_than_a_share_takes_are_done_in_several(across, monkeypatch):
    monkeypatch.setattr("sknn_basics.stacking.backend.MOST_FITS", 3)
    with parallel_config("stacked", n_processes=2, across=across, n_jobs=6):
        squares = Parallel()(delayed(pow)(i, 2) for i in range(14))
    assert squares == [i**2 for i in range(14)]


def test_data_in_common_are_sent_apart_from_the_tasks(digits):
    X, y = digits
    calls = [[[(pow, (X, i), {"y": y})] for i in range(3)] for _ in range(2)]
    shares, common = share_out(calls)
    assert [value is own for value, own in zip(common, (X, y), strict=True)] == [True, True]
    sent = [call for share in shares for task in share for call in task]
    assert all(isinstance(args[0], Common) and args[1] in (0, 1, 2) for _, args, _ in sent)
    assert {kwargs["y"].number for _, _, kwargs in sent} == {1}


def test_workers_of_another_version_are_named():
    with pytest.raises(RuntimeError, match="A worker has torch .* 1.0: install the same version"):
        run_share(0, [], 1, 1, {**versions(), "torch": "1.0"})


@pytest.mark.parametrize(("n_gpus", "device"), [(2, 1), (4, 3)])
def test_each_share_on_one_machine_has_a_gpu_of_its_own(n_gpus, device):
    with (
        mock.patch("torch.cuda.device_count", return_value=n_gpus),
        mock.patch("torch.cuda.set_device") as set_device,
    ):
        run_share(3, [], 1, 4, versions())
    set_device.assert_called_once_with(device)


def test_ctrl_c_ends_a_search_over_processes(digits, processes):
    # It would take hours.
    slow = search(max_iter=10_000_000, tol=0.0, n_iter_no_change=np.inf)
    timer = threading.Timer(3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt), stacked(n_processes=2):
        slow.fit(*digits)
