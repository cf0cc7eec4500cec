"""Where and in which precision a network computes."""

import os
import threading
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import lru_cache, wraps
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import csr_array
from sklearn import get_config
from threadpoolctl import ThreadpoolController
from torch import nn

CPU = torch.device("cpu")

DTYPES = {"float32": torch.float32, "float64": torch.float64}

# Taken as available where the system does not tell.
UNKNOWN_MEMORY = 4 * 2**30

# Just less than what the allocator of glibc always asks the system for, and returns at once.
LARGE_BLOCK = 31 * 2**20

# Memory of a step below which little is gained by keeping it, and the most that is kept.
LITTLE_MEMORY, MUCH_MEMORY = 2**20, 2**32

# Multiplications of a step's forward pass up to which one thread is used.
SMALL_STEP = 2**22


@lru_cache
def openmp_pools() -> ThreadpoolController:
    """Find the thread pools of OpenMP, torch's among them."""
    return ThreadpoolController().select(user_api="openmp")


def end_openmp_threads() -> None:
    """Let the threads of OpenMP end that wait for this one; the next computation starts new ones.

    A forked process has no threads of its parent, and GNU's library would wait for them forever.
    """
    for library in openmp_pools().lib_controllers:
        if library.prefix == "libgomp" and hasattr(library.dynlib, "omp_pause_resource_all"):
            library.dynlib.omp_pause_resource_all(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=end_openmp_threads)


def threads_for_step(n_multiplications: int):
    """Make the context of a training: one thread where a step is small, else torch's choice.

    Several threads hardly speed up a small step, slow it down many times where other processes
    want the cores, and split its sums, so that the bits of a result would depend on their number.
    The limit holds for the calling thread only.
    """
    return openmp_pools().limit(limits=1 if n_multiplications <= SMALL_STEP else None)


def resolve_device(device: str | torch.device) -> torch.device:
    """Choose the device: 'auto' is CUDA where there is one, else the CPU.

    Raises
    ------
    ValueError
        If torch does not know the device, or this machine has none.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.empty(0, device=device).device
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).split("\n")[0].split(". ")[0]
        raise ValueError(f"device={str(device)!r} cannot be used here: {reason}.") from error
    if found.type == "meta":
        raise ValueError("device='meta' holds no numbers.")
    return found


def weights_dtype(dtype: str) -> str:
    """Tell the data type of weights: what computes in bfloat16 keeps them in float32."""
    return "float32" if dtype == "bfloat16" else dtype


def check_precision(device: torch.device, dtype: str) -> None:
    """Check that a device computes in a data type.

    Raises
    ------
    ValueError
        If it does not.
    """
    if dtype == "bfloat16":
        has_it = torch.amp.is_autocast_available(device.type)
        if not has_it or (device.type == "cuda" and not torch.cuda.is_bf16_supported()):
            raise ValueError(
                f"device={str(device)!r} does not compute in bfloat16: set dtype='float32'."
            )
    if device.type == "mps" and dtype == "float64":
        raise ValueError(
            f"device={str(device)!r} has no float64, in which dtype='float64' and solver='lbfgs' "
            "compute: set device='cpu', or fit anew with dtype='float32' and another solver."
        )


def resolve_device_or_cpu(device: str | torch.device) -> torch.device:
    """Choose the device of a loaded model, the CPU with a warning where there is no other."""
    try:
        return resolve_device(device)
    except ValueError:
        warnings.warn(f"No device {str(device)!r} here, the CPU is used instead.", stacklevel=2)
        return torch.device("cpu")


def move(
    module: nn.Module, device: torch.device | None = None, dtype: torch.dtype | None = None
) -> nn.Module:
    """Move a network to a device and a data type, or leave it where it is there already.

    `nn.Module.to` takes long even then.
    """
    for tensor in chain(module.parameters(), module.buffers()):
        is_cast = dtype is not None and tensor.is_floating_point() and tensor.dtype != dtype
        if is_cast or (device is not None and tensor.device != device):
            return module.to(device=device, dtype=dtype)
    return module


def widest_float(device: torch.device) -> torch.dtype:
    """Tell the most precise data type of a device."""
    return torch.float32 if device.type == "mps" else torch.float64


def can_pin(device: torch.device) -> bool:
    """Tell whether copies from pinned memory leave the host free."""
    return device.type == "cuda"


def in_double(tensor: torch.Tensor) -> torch.Tensor:
    """Give a tensor in double precision, on the CPU where its device has none."""
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()


def as_array(X):
    """Turn a tensor on any device into an array or a CSR matrix; return anything else as it is."""
    if not isinstance(X, torch.Tensor):
        return X
    if X.dtype is torch.bfloat16:
        X = X.float()
    if X.layout is torch.strided:
        return X.numpy(force=True)
    X = X.detach().cpu().to_sparse_csr()
    parts = X.values(), X.col_indices(), X.crow_indices()
    return csr_array(tuple(part.numpy() for part in parts), shape=tuple(X.shape))


def answers_in_kind(method):
    """Let a method of X give tensors on X's device, where scikit-learn's array API asks for it.

    Without ``sklearn.set_config(array_api_dispatch=True)``, results are NumPy arrays of any X; and
    so are labels that are no numbers.
    """

    @wraps(method)
    def answer(self, X, *args, **kwargs):
        result = method(self, X, *args, **kwargs)
        if not isinstance(X, torch.Tensor) or not get_config()["array_api_dispatch"]:
            return result
        if isinstance(result, tuple):
            return tuple(like(part, X) for part in result)
        return like(result, X)

    return answer


def like(result, X: torch.Tensor):
    """Put an array of numbers where X is."""
    is_numeric = isinstance(result, np.ndarray) and result.dtype.kind in "biuf"
    return torch.as_tensor(result, device=X.device) if is_numeric else result


def new_generator(seed: int, device: torch.device) -> torch.Generator:
    """Make a random generator on a device."""
    return torch.Generator(device).manual_seed(seed)


class CudnnSettings:
    """The settings of cuDNN while networks of this package compute, as a context.

    Its kernels are those that give the same bits each time, and round products to TF32 only where
    ``torch.set_float32_matmul_precision`` allows matrix multiplications, and so stacked networks,
    the same. torch has one such setting for the whole process: fits in several threads share it,
    and the last one to end puts it back.
    """

    def __init__(self):
        self.lock, self.n_holders, self.before = threading.Lock(), 0, {}

    def __enter__(self) -> None:
        with self.lock:
            if not self.n_holders:
                self.before = self._set({"deterministic": True, "benchmark": False, **read_tf32()})
            self.n_holders += 1

    def __exit__(self, *error) -> None:
        with self.lock:
            self.n_holders -= 1
            if not self.n_holders:
                self._set(self.before)

    def _set(self, values: dict[str, bool]) -> dict[str, bool]:
        """Set values; return those of before."""
        before = {name: getattr(torch.backends.cudnn, name) for name in values}
        for name, value in values.items():
            setattr(torch.backends.cudnn, name, value)
        return before


CUDNN, NO_SETTINGS = CudnnSettings(), nullcontext()


def read_tf32() -> dict[str, bool]:
    """Tell what cuDNN may do with float32, if the user has not told so by torch's newer settings.

    torch refuses to read the older ones then.
    """
    try:
        is_allowed = torch.get_float32_matmul_precision() != "highest"
        _ = torch.backends.cudnn.allow_tf32
    except RuntimeError:
        return {}
    return {"allow_tf32": is_allowed}


def reproducible(device: str | torch.device):
    """Make the context in which networks compute on a device: with the same bits each time."""
    return CUDNN if str(device).startswith("cuda") else NO_SETTINGS


def has_graphs(device: str | torch.device) -> bool:
    """Tell whether a device replays what was recorded."""
    return torch.device(device).type == "cuda"


class Graph:
    """A call of a function of tensors on a GPU, recorded as a CUDA graph.

    Parameters
    ----------
    function : callable
        What to record. Recording runs its Python code, but computes nothing.
    tensors : sequence of Tensor or None
        What it is called with.
    """

    def __init__(self, function: Callable, tensors: Sequence[torch.Tensor | None]):
        # Laid out as they come, so that the same kernels are chosen.
        self.inputs = [
            None if t is None else torch.empty_strided(t.shape, t.stride(), **place_of(t))
            for t in tensors
        ]
        self.graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            # Other threads may ask for memory meanwhile.
            self.graph.capture_begin(capture_error_mode="thread_local")
            try:
                self.output = function(*self.inputs)
            finally:
                self.graph.capture_end()
        torch.cuda.current_stream().wait_stream(stream)

    def replay(self, tensors: Sequence[torch.Tensor | None]):
        """Call it with other tensors; the result lies where that of the next call will."""
        for own, given in zip(self.inputs, tensors):
            if own is not None:
                own.copy_(given)
        self.graph.replay()
        return self.output


def place_of(tensor: torch.Tensor) -> dict:
    """Give the keywords that make a tensor where another one is, and of its data type."""
    return {"dtype": tensor.dtype, "device": tensor.device}


# Calls of each layout before it is recorded: the first ones prepare libraries, and to record takes
# as long as to launch some tens of steps.
CALLS_BEFORE_RECORDING = 20


class Replayed:
    """A function of tensors that a GPU replays as a CUDA graph, once it was called some times.

    It may read and write other tensors too, if these are the same ones each time, and must not
    wait for the device or copy from the host. Where recording fails all the same, the function is
    called as it is from then on.

    Parameters
    ----------
    function : callable
        The function.

    Attributes
    ----------
    failure : str or None
        Why recording has failed.
    """

    record = Graph

    def __init__(self, function: Callable):
        self.function, self.failure = function, None
        self.n_calls: dict[tuple, int] = defaultdict(int)
        self.graphs: dict[tuple, Graph] = {}

    def __call__(self, *tensors: torch.Tensor | None):
        layout = tuple(None if t is None else (t.shape, t.stride(), t.dtype) for t in tensors)
        self.n_calls[layout] += 1
        if layout not in self.graphs and self.n_calls[layout] > CALLS_BEFORE_RECORDING:
            self.try_to_record(layout, tensors)
        if layout in self.graphs:
            return self.graphs[layout].replay(tensors)
        return self.function(*tensors)

    def try_to_record(self, layout: tuple, tensors: Sequence[torch.Tensor | None]) -> None:
        if self.failure is not None:
            return
        try:
            self.graphs[layout] = self.record(self.function, tensors)
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}"


@contextmanager
def kept_memory(device: str | torch.device, n_bytes: int) -> Iterator[None]:
    """Let each step on a CPU find the memory of the last one, instead of asking for it anew.

    The allocator of glibc gives free memory at the end of its heap back to the system, which has to
    clear every page that is asked for again: up to a third of the time of a convolutional network.
    A block that nobody ever writes to lies at the end in its place.

    Parameters
    ----------
    device : str or torch.device
        Where the steps are made.
    n_bytes : int
        Memory that a step takes, as estimated.
    """
    end = None
    if torch.device(device).type == "cpu" and n_bytes > LITTLE_MEMORY:
        try:
            # Once one was freed, blocks of this size are taken from the heap.
            empty_block()
            blocks = [empty_block() for _ in range(2 + min(n_bytes, MUCH_MEMORY) // LARGE_BLOCK)]
            end = max(blocks, key=torch.Tensor.data_ptr)
            del blocks
        except RuntimeError:
            pass  # There is not as much memory; a step may take less.
    try:
        yield
    finally:
        del end


def empty_block() -> torch.Tensor:
    return torch.empty(LARGE_BLOCK, dtype=torch.uint8)


def available_memory(device: str | torch.device) -> int:
    """Tell how many bytes of memory are free on a device."""
    if torch.device(device).type == "cuda":
        # What torch keeps of freed memory is free for it, though not for others.
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        lines = []
    free = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable")]
    return 1024 * free[0] if free else UNKNOWN_MEMORY
