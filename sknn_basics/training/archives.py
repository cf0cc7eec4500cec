"""Files of arrays and plain values, without pickles: whole, or not read at all.

A file is in the format of safetensors, which its library reads too: the length of a header in 8
bytes, the header as JSON, then the bytes of all arrays. All else than arrays stands as JSON in the
header's metadata, next to a checksum of the whole file.
"""

import glob
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile, ZipInfo
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


def write_archive(path, content, *, is_synced: bool = True) -> None:
    """Write nested dicts, lists and tuples of arrays, tensors and plain values as one file.

    The file that was there is replaced when the new one is whole.

    Parameters
    ----------
    path : str or path-like
        The file.
    content : object
        What to write.
    is_synced : bool, default=True
        Whether it lies on the disk then, and not in the memory of the system, which a power cut
        would clear.

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
        if is_synced:
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


# NumPy's archives.

# An archive that is read without knowing what should be in it may expand to so many times its size,
# or to so many bytes.
MOST_EXPANSION, FEW_BYTES = 100, 2**26

COMMENT = "sknn_basics crc32="


def write_npz(path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as `numpy.savez` does, with a checksum of names and values as a comment."""
    with open(path, "wb") as file:
        np.savez(file, **arrays)
    with ZipFile(path, "a") as archive:
        archive.comment = _comment_of(archive)


def read_npz(path, expected: Mapping[str, tuple] | None = None) -> dict[str, np.ndarray]:
    """Read an archive of `numpy.savez` or `write_npz` whose arrays are finite numbers.

    Parameters
    ----------
    path : str or path-like
        The file.
    expected : mapping of str to tuple of int, or None
        Names and shapes, of which nothing may differ: no values are read before that is known.

    Raises
    ------
    ValueError
        If the file is damaged, another one, or holds anything else.
    """
    path = Path(path)
    with open(path, "rb") as file:
        try:
            return _read_npz(file, path.stat().st_size, expected)
        except Exception as error:  # zipfile and NumPy raise whatever there is.
            raise ValueError(f"{str(path)!r} cannot be read as weights: {error}") from error


def _read_npz(file, size: int, expected) -> dict[str, np.ndarray]:
    with ZipFile(file) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if len(members) < len(archive.infolist()):
            raise ValueError("it has two arrays of one name")
        if archive.comment not in (b"", _comment_of(archive)):
            raise ValueError("its checksum is another one")
        headers = {name: _read_header(archive, info) for name, info in members.items()}
        if expected is not None:
            check_shapes({name: shape for name, (shape, _, _) in headers.items()}, expected)
        elif sum(n for _, _, n in headers.values()) > max(FEW_BYTES, MOST_EXPANSION * size):
            raise ValueError(f"it expands to more than {MOST_EXPANSION} times its size")
        arrays = {}
        for name, info in members.items():
            # Whole, since only then its checksum is compared.
            content = archive.read(info)
            arrays[name] = np.lib.format.read_array(BytesIO(content), allow_pickle=False)
        check_finite(arrays)
        return arrays


def _read_header(archive: ZipFile, info: ZipInfo) -> tuple[tuple, np.dtype, int]:
    """Read shape, data type and size of an array, which its member must hold and no more."""
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
            version, np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(file)
        n_bytes = file.tell() + math.prod(shape) * dtype.itemsize
    if dtype.kind not in "biuf":
        raise ValueError(f"{info.filename} holds {dtype}, not real numbers")
    if info.file_size != n_bytes:
        raise ValueError(f"{info.filename} has {info.file_size} bytes in place of {n_bytes}")
    return shape, dtype, n_bytes


def check_shapes(given: Mapping[str, tuple], expected: Mapping[str, tuple]) -> None:
    """Check the names and shapes of weights.

    Raises
    ------
    ValueError
        If names or shapes differ; the message names them.
    """
    differing = [
        f"{name}: {given.get(name, 'missing')} for {expected.get(name, 'no such layer')}"
        for name in sorted(expected.keys() | given.keys())
        if given.get(name) != expected.get(name)
    ]
    if differing:
        raise ValueError(f"The weights do not fit the network: {'; '.join(differing)}.")


def check_finite(arrays: Mapping[str, np.ndarray]) -> None:
    """Check that arrays hold finite real numbers.

    Raises
    ------
    ValueError
        If one does not; the message names it.
    """
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{name} holds {array.dtype}, not real numbers")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{name} holds values that are not finite")


def _comment_of(archive: ZipFile) -> bytes:
    """Compute what ties the values of an archive to their names."""
    members = sorted((info.filename, info.CRC) for info in archive.infolist())
    return f"{COMMENT}{crc32(_dumps(members).encode()):08x}".encode()


@contextmanager
def replaced(path) -> Iterator[Path]:
    """Give a temporary name next to a path, and move the file there to it when it is complete.

    When writing fails (for example, a full disk), the file that was there stays as it was.
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
    """Turn values into what JSON can represent, and put arrays into a list."""
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
