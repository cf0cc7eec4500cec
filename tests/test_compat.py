"""Private names of other libraries: each works as this package expects, and is met in one place."""

import ast
import inspect
import threading
from numbers import Integral
from pathlib import Path

import numpy as np
import pytest
import torch
from joblib import Memory, Parallel, delayed, parallel_config, register_parallel_backend
from joblib.parallel import BACKENDS
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.utils.validation import validate_data
from torch import nn

import sknn_basics
from sknn_basics import _compat

ROOT = Path(sknn_basics.__file__).parent
LIBRARIES = ("torch", "sklearn", "skorch", "joblib")
WHAT_TO_DO = (
    "{library} has changed {name}: look up in its source what took the place, and change "
    "sknn_basics/_compat.py alone; or find a public way."
)


@pytest.fixture
def expects(request):
    """Give a context that says of a failure which library is to be looked at."""

    class Expects:
        def __init__(self, library, name):
            self.message = WHAT_TO_DO.format(library=library, name=name)

        def __enter__(self):
            return self

        def __exit__(self, kind, error, traceback):
            if error is not None:
                error.add_note(self.message)

    return Expects


class Fitted(BaseEstimator):
    """An estimator whose fit and parameters are checked as ours are."""

    _parameter_constraints = {
        "number": [
            _compat.Interval(Integral, 0, None, closed="left"),
            _compat.Options(Integral, {-5}),
        ],
        "name": [_compat.StrOptions({"a"}), _compat.HasMethods("predict")],
    }

    def __init__(self, number=1, name="a"):
        self.number, self.name = number, name

    @_compat.fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        validate_data(self, X)
        return self


@pytest.mark.parametrize(
    ("options", "message"), [({"number": -1}, "number"), ({"name": 3}, "name")]
)
def test_scikit_learn_validates_parameters(expects, options, message):
    with expects("scikit-learn", "_fit_context or _param_validation"):
        Fitted(number=-5).fit([[1.0]])
        with pytest.raises(ValueError, match=f"The '{message}' parameter of Fitted must be"):
            Fitted(**options).fit([[1.0]])


def test_scikit_learn_validates_arguments(expects):
    @_compat.validate_params(
        {"n": [_compat.Interval(Integral, 1, None, closed="left")]},
        prefer_skip_nested_validation=True,
    )
    def count(n):
        return n

    with expects("scikit-learn", "validate_params"):
        assert count(2) == 2
        with pytest.raises(ValueError, match="The 'n' parameter of .*count must be"):
            count(0)


def test_scikit_learn_checks_arrays(expects):
    X, rows = np.arange(6.0).reshape(3, 2), np.array([2, 0])
    with expects("scikit-learn", "_safe_indexing or utils.validation"):
        np.testing.assert_array_equal(_compat.safe_indexing(X, rows), X[rows])
        np.testing.assert_array_equal(_compat.check_sample_weight(None, X), np.ones(3))
        with pytest.raises(ValueError, match="Negative"):
            _compat.check_sample_weight([1, -1, 1], X, ensure_non_negative=True)
        with pytest.raises(ValueError, match="NaN"):
            _compat.check_y([1, np.nan, 2], multi_output=True)
        assert _compat.check_method_params(X, {"a": [1, 2, 3]}, rows)["a"] == [3, 1]
        fitted = Fitted().fit(X)
        assert list(_compat.check_feature_names_in(fitted)) == ["x0", "x1"]
        assert _compat.routing_enabled() is False


def test_scikit_learn_tells_callbacks_of_tasks(expects):
    class WithCallbacks(CallbackSupportMixin, BaseEstimator):
        pass

    heard = []

    class Listener:
        max_propagation_depth = None

        def setup(self, estimator, context): ...
        def teardown(self, estimator, context): ...
        def on_fit_task_begin(self, estimator, context):
            heard.append([step.task_id for step in _compat.context_path(context)])

        def on_fit_task_end(self, estimator, context): ...

    with expects("scikit-learn", "its callbacks"):
        estimator = WithCallbacks()
        assert not _compat.has_callbacks(estimator)
        estimator.set_callbacks(Listener())
        assert _compat.has_callbacks(estimator)
        context = _compat.begin_callbacks(estimator, 1)
        context.call_on_fit_task_begin(estimator=estimator)
        assert heard == [[0]]


def test_scikit_learn_sends_news_between_processes(expects):
    news = []
    with expects("scikit-learn", "callback._transport"):
        listener = _compat.open_listener(news.append)
        _compat.send(listener, "here")
        Parallel(n_jobs=2)(delayed(_compat.send)(listener, "there") for _ in range(1))
        _compat.close_listener(listener)
        assert news == ["here", "there"]


def test_joblib_runs_a_backend_of_ours(expects):
    seen = []

    class Direct(_compat.ParallelBackendBase):
        def effective_n_jobs(self, n_jobs):
            return 2

        def submit(self, func, callback=None):
            seen.append(_compat.calls_of(func))
            result = func()
            callback(result)
            return result

        def retrieve_result(self, out, timeout=None):
            return out

    with expects("joblib", "ParallelBackendBase or BatchedCalls.items"):
        register_parallel_backend("direct", Direct)
        try:
            with parallel_config(backend="direct"):
                assert Parallel()(delayed(abs)(-n) for n in range(2)) == [0, 1]
        finally:
            BACKENDS.pop("direct")
        assert seen == [[(abs, (0,), {})], [(abs, (-1,), {})]]


def test_joblib_knows_what_keeps_results(expects, tmp_path):
    frames = []

    def look():
        frame = inspect.currentframe()
        while frame is not None:
            frames.append(frame.f_code)
            frame = frame.f_back

    with expects("joblib", "MemorizedFunc"):
        Memory(tmp_path, verbose=0).cache(look)()
        assert _compat.code_that_keeps_results() & set(frames)


def test_joblib_runs_one_by_one_where_a_backend_says_so(expects):
    class Refusing(_compat.ParallelBackendBase):
        def effective_n_jobs(self, n_jobs):
            return 2

        def configure(self, **options):
            raise _compat.run_one_by_one(self)

    with expects("joblib", "FallbackToBackend or SequentialBackend"):
        register_parallel_backend("refusing", Refusing)
        try:
            with parallel_config(backend="refusing"):
                threads = Parallel(n_jobs=2)(delayed(threading.get_ident)() for _ in range(3))
        finally:
            BACKENDS.pop("refusing")
        assert threads == [threading.get_ident()] * 3


def test_scikit_learn_knows_targets_of_classes(expects):
    with expects("scikit-learn", "check_classification_targets"):
        _compat.check_classification_targets(["a", "b"])
        with pytest.raises(ValueError, match="Unknown label type"):
            _compat.check_classification_targets([0.1, 0.2])


def test_torch_knows_lazy_parameters(expects):
    with expects("torch", "nn.parameter.is_lazy"):
        assert _compat.is_lazy(nn.LazyLinear(2).weight)
        assert not _compat.is_lazy(nn.Linear(2, 2).weight)


@pytest.mark.parametrize("n_dims", [1, 2, 3])
def test_torch_computes_gradients_of_filters(expects, n_dims):
    convolution = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[n_dims - 1](2, 3, 2)
    x = torch.randn(4, 2, *[5] * n_dims)
    output = convolution(x)
    gradient = torch.randn_like(output)
    output.backward(gradient)
    with expects("torch", f"nn.grad.conv{n_dims}d_weight"):
        result = _compat.weight_gradient(n_dims)(x, convolution.weight.shape, gradient)
        torch.testing.assert_close(result, convolution.weight.grad)


@pytest.mark.parametrize("scale", [2.0, torch.tensor(2.0)])
def test_torch_adds_to_many_tensors(expects, scale):
    targets, values = [torch.ones(2), torch.ones(3)], [torch.ones(2), torch.full((3,), 4.0)]
    with expects("torch", "_foreach_add_, _foreach_mul or _foreach_norm"):
        _compat.add_scaled(targets, values, scale)
        assert [t.tolist() for t in targets] == [[3.0] * 2, [9.0] * 3]
        assert _compat.norms(values)[1].item() == pytest.approx(4 * 3**0.5)


def test_torch_makes_a_fused_step_of_adam(expects):
    weight, reference = (torch.tensor([1.0, -2.0]) for _ in range(2))
    gradient = torch.tensor([0.5, 0.1])
    reference.requires_grad_()
    reference.grad = gradient.clone()
    torch.optim.Adam([reference], lr=0.1, fused=True).step()
    moments = torch.zeros(2), torch.zeros(2)
    with expects("torch", "_fused_adam_"):
        tensors = [weight], [gradient], [moments[0]], [moments[1]], [], [torch.ones(())]
        _compat.fused_adam(tensors, 0.1, (0.9, 0.999), 1e-8)
        torch.testing.assert_close(weight, reference.detach())


@pytest.mark.parametrize("has_operators", [True, False])
@pytest.mark.parametrize("name", ["relu", "selu", "sigmoid", "tanh"])
def test_torch_has_gradients_of_activations(expects, name, has_operators, monkeypatch):
    if not has_operators:
        monkeypatch.setattr(_compat, "_operator", lambda name: None)
    x = torch.linspace(-2, 2, 9, dtype=torch.float64, requires_grad=True)
    output = getattr(torch, name)(x)
    gradient = torch.arange(9.0, dtype=torch.float64)
    output.backward(gradient)
    with expects("torch", f"aten.{name}_backward.grad_input"):
        operator = {"relu": "threshold", "selu": "elu"}.get(name, name)
        assert (_compat._operator(f"{operator}_backward") is not None) == has_operators
        result = getattr(_compat, f"{name}_gradient")(gradient, output.detach())
        torch.testing.assert_close(result, x.grad)
        assert (result is gradient) == (name != "selu")


def test_torch_shows_its_optimisers_below_their_wrappers(expects):
    names = ("step", "state_dict")
    with expects("torch", "the wrappers of optimisers' methods"):
        methods = _compat.unwrapped_methods(torch.optim.SGD, names)
        assert set(methods) == set(names)
        assert not any(hasattr(method, "__wrapped__") for method in methods.values())
        assert _compat.step_without_profiler(methods["step"]).hooked

        class Own(torch.optim.SGD):
            def step(self, closure=None): ...

        assert set(_compat.unwrapped_methods(Own, names)) == {"state_dict"}


def test_torch_tells_what_is_compiled(expects):
    with expects("torch", "_compiled_call_impl"):
        module = nn.Linear(1, 1)
        assert not _compat.is_compiled(module)
        module.compile()
        assert _compat.is_compiled(module)


def test_torch_tells_that_it_records(expects):
    class Tells(nn.Module):
        def forward(self, x):
            return x + _compat.is_exporting()

    with expects("torch", "torch.compiler.is_exporting"):
        program = torch.export.export(Tells(), (torch.zeros(1),))
        assert program.module()(torch.zeros(1)) == 1
        assert not _compat.is_exporting()


def test_torch_names_an_operator_that_it_records(expects):
    from sknn_basics.export.recurrent import recurrent

    with expects("torch", "torch.library.CustomOpDef._opoverload"):
        assert str(_compat.recorded_operator(recurrent)) == "sknn_basics.recurrent.default"


def test_torch_knows_its_convolutions(expects):
    with expects("torch", "_ConvNd, _ConvTransposeNd or _calculate_fan_in_and_fan_out"):
        layer = nn.ConvTranspose2d(2, 3, 5)
        assert isinstance(layer, _compat.ConvNd)
        assert isinstance(layer, _compat.ConvTransposeNd)
        assert not isinstance(nn.Conv2d(2, 3, 5), _compat.ConvTransposeNd)
        assert _compat.fan_in_and_fan_out(nn.Conv2d(2, 3, 5).weight) == (50, 75)


# Modules whose names the libraries document, or the documented names alone where there are others.
DOCUMENTED = {
    "sklearn": ("get_config",),
    "joblib": ("Parallel", "cpu_count", "delayed", "parallel_config", "register_parallel_backend"),
    "skorch": ("NeuralNet",),
    "skorch.callbacks": None,
    "skorch.history": ("History",),
    "sklearn.base": None,
    "sklearn.callback": ("CallbackSupportMixin",),
    "sklearn.compose": None,
    "sklearn.datasets": None,
    "sklearn.exceptions": None,
    "sklearn.frozen": None,
    "sklearn.metrics": None,
    "sklearn.model_selection": None,
    "sklearn.pipeline": None,
    "sklearn.preprocessing": None,
    "sklearn.utils": None,
    "sklearn.utils.class_weight": ("compute_class_weight", "compute_sample_weight"),
    "sklearn.utils.metadata_routing": ("MetadataRouter", "MethodMapping", "process_routing"),
    "sklearn.utils.metaestimators": ("available_if",),
    "sklearn.utils.multiclass": ("is_multilabel", "type_of_target", "unique_labels"),
    "sklearn.utils.validation": (
        *("check_consistent_length", "check_is_fitted", "has_fit_parameter", "validate_data"),
    ),
    "torch": None,
    "torch.export": ("Dim",),
    "torch.func": ("functional_call", "vmap"),
    "torch.nn": ("functional", "init", "utils"),
    "torch.optim": None,
    "torch.utils.data": None,
}


def foreign_private_names(path: Path) -> list[str]:
    """List the names of other libraries in a file that these do not promise to keep."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in LIBRARIES:
            known = DOCUMENTED.get(node.module, ())
            names = [alias.name for alias in node.names]
            found += [
                f"{node.module}: {name}"
                for name in names
                if name.startswith("_") or (known is not None and name not in known)
            ]
        elif isinstance(node, ast.Attribute):
            name = ast.unparse(node)
            if name.startswith(("torch._", "torch.ops", "sklearn.utils._", "joblib._")):
                found.append(name)
    return found


def test_private_names_are_in_one_place():
    assert foreign_private_names(ROOT / "_compat.py")
    files = [path for path in ROOT.rglob("*.py") if path.name != "_compat.py"]
    found = {str(path): names for path in files if (names := foreign_private_names(path))}
    assert not found
