"""Files of arrays and plain values, without pickles: whole, or not read at all.

A file is in the format of safetensors, which its library reads too: the length of a header in 8
bytes, the header as JSON, then the bytes of all arrays. All else than arrays stands as JSON in the
header's metadata, beside a checksum of the whole file.
"""

import glob
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from zlib import crc32

import numpy as np
import torch

# Number types by the names of safetensors.
DTYPES = {
    "BOOL": np.bool_,
    "U8": np.uint8,
    "I8": np.int8,
    "U16": np.uint16,
    "I16": np.int16,
    "F16": np.float16,
    "U32": np.uint32,
    "I32": np.int32,
    "F32": np.float32,
    "U64": np.uint64,
    "I64": np.int64,
    "F64": np.float64,
}
NAMES = {np.dtype(kind): name for name, kind in DTYPES.items()}


def write_archive(path, content) -> None:
    """Write nested dicts, lists and tuples of arrays, tensors and plain values as one file.

    The file that was there is replaced when the new one lies on the disk as a whole.

    Raises
    ------
    TypeError
        If a value is of another type.
    OSError
        If the file cannot be written; the one that was there stays.
    """
    arrays: list[np.ndarray] = []
    text = _dumps(_pack(content, arrays))
    table, start = {}, 0
    for number, array in enumerate(arrays):
        end = start + array.nbytes
        table[str(number)] = {
            "dtype": NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [start, end],
        }
        start = end
    parts = [array.reshape(-1).view(np.uint8).data for array in arrays]
    metadata = {"content": text, "crc32": _checksum(text, table, parts)}
    header = _dumps({"__metadata__": metadata, **table})
    with replaced(path) as temporary, open(temporary, "wb") as file:
        file.write(len(header).to_bytes(8, "little"))
        file.write(header.encode())
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())


def read_archive(path):
    """Read what `write_archive` has written.

    Raises
    ------
    ValueError
        If the file is damaged, or another one.
    """
    header, payload = _read_parts(Path(path))
    try:
        metadata = header.pop("__metadata__")
        text, checksum = metadata["content"], metadata["crc32"]
        if _checksum(text, header, [payload]) != checksum:
            raise ValueError("its checksum is another one")
        arrays = {number: _read_array(entry, payload) for number, entry in header.items()}
        return _unpack(json.loads(text), arrays)
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"{str(path)!r} is damaged, or no such file: {error}.") from error


@contextmanager
def replaced(path) -> Iterator[Path]:
    """Give a temporary name beside a path, and move the file there to it when it is complete.

    When writing fails (a full disk, say), the file that was there stays as it was.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_left_over(folder: Path, beginning: str) -> None:
    """Remove the temporary files of names with a beginning, if what wrote them runs no more."""
    for other in folder.glob(f".{glob.escape(beginning)}*"):
        number = other.name.rpartition(".")[2]
        if number.isdigit() and not is_running(int(number)):
            other.unlink(missing_ok=True)


def is_running(number: int) -> bool:
    """Tell whether there is a process of a number, as far as one can know."""
    if number == os.getpid() or os.name != "posix":
        return True
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _dumps(value) -> str:
    return json.dumps(value, separators=(",", ":"))


def _checksum(text: str, table: dict, parts: list) -> str:
    """Compute a checksum of all that a file says."""
    checksum = crc32(_dumps([text, table]).encode())
    for part in parts:
        checksum = crc32(part, checksum)
    return f"{checksum:08x}"


def _pack(value, arrays: list[np.ndarray]):
    """Turn values into what JSON can say, and put arrays into a list."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        pairs = [[_pack(part, arrays) for part in pair] for pair in value.items()]
        return {"dict": pairs}
    if isinstance(value, tuple):
        return {"tuple": [_pack(part, arrays) for part in value]}
    if isinstance(value, list):
        return [_pack(part, arrays) for part in value]
    if isinstance(value, np.ndarray | torch.Tensor):
        kind = "tensor" if isinstance(value, torch.Tensor) else "array"
        array = value.numpy(force=True) if kind == "tensor" else value
        if array.dtype in NAMES:
            arrays.append(np.asarray(array, order="C"))
            return {kind: str(len(arrays) - 1)}
        if array.dtype.kind == "U":
            return {"strings": array.tolist()}
    raise TypeError(f"{type(value).__name__} {value!r} is neither an array of numbers nor plain")


def _unpack(value, arrays: dict[str, np.ndarray]):
    if isinstance(value, list):
        return [_unpack(part, arrays) for part in value]
    if not isinstance(value, dict):
        return value
    ((kind, part),) = value.items()
    if kind == "dict":
        return {_unpack(key, arrays): _unpack(own, arrays) for key, own in part}
    if kind == "tuple":
        return tuple(_unpack(own, arrays) for own in part)
    if kind == "strings":
        return np.array(part)
    return torch.from_numpy(arrays[part]) if kind == "tensor" else arrays[part]


def _read_parts(path: Path) -> tuple[dict, memoryview]:
    """Read the header and all the rest of a file, whose size bounds what is read."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > len(content) - 8:
        raise ValueError(f"{str(path)!r} is damaged, or no such file: it ends in its header.")
    with suppress(ValueError, RecursionError):
        header = json.loads(content[8 : 8 + length])
        if isinstance(header, dict):
            return header, memoryview(content)[8 + length :]
    raise ValueError(f"{str(path)!r} is damaged, or no such file: it has no header.")


def _read_array(entry: dict, payload: memoryview) -> np.ndarray:
    start, end = entry["data_offsets"]
    dtype, shape = np.dtype(DTYPES[entry["dtype"]]), tuple(entry["shape"])
    if not 0 <= start <= end <= len(payload) or math.prod(shape) * dtype.itemsize != end - start:
        raise ValueError(f"an array of shape {shape} does not fit in")
    return np.frombuffer(payload[start:end], dtype).reshape(shape).copy()
