"""A file of weights of any kind; the kind is recognized by its content, never by its name."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from featviz.zoo.readers.caffemodel import read_caffe
from featviz.zoo.readers.hdf5 import MAGIC as HDF5
from featviz.zoo.readers.hdf5 import read_hdf5
from featviz.zoo.readers.reading_errors import MalformedError, base_name, check_file, reason, signature, weights_error
from featviz.zoo.readers.torch_files import looks_like_torch_legacy, read_torch_legacy, read_torch_zip
from featviz.zoo.readers.zip_members import LOCAL as ZIP

EXPECTED = "safetensors, a file of torch.save, a .caffemodel, or an .h5 of Keras"
# The header's size that safetensors itself allows.
MAX_HEADER = 100_000_000
# The first bytes of a protobuf of Caffe: its name, its layers of the old format or the new one, or its input.
CAFFE = (b"\x0a", b"\x12", b"\x1a", b"\xa2\x06")


def read_tensors(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The tensors of an official file of weights by their names there; bfloat16 becomes float32.

    Reads PyTorch's files (`torch.save` in both formats, and TorchScript), safetensors, Caffe's and Keras's. Nothing in
    the file is executed, and its sizes are checked before they are used.

    Raises:
        FeatvizError: If the file is of none of these kinds, damaged, or malicious.
    """
    file, name = Path(path), base_name(path)
    check_file(file, expected=EXPECTED)
    try:
        with open(file, "rb") as stream:
            start = stream.read(64)
            size = os.fstat(stream.fileno()).st_size
            stream.seek(0)
            kind, read = _reader(start)
            if read is None:
                raise weights_error(name, f"is {kind}; expected {EXPECTED}")
            return read(file, stream, size)
    except MalformedError as error:
        raise weights_error(name, f"cannot be read as {kind}: {error}") from None
    except MemoryError:
        raise weights_error(name, "does not fit into memory") from None
    except OSError as error:
        raise weights_error(name, f"cannot be read: {reason(error)}") from None


Reader = Callable[..., dict[str, np.ndarray]]


def _reader(start: bytes) -> tuple[str, Reader | None]:
    if looks_like_safetensors(start):
        return "safetensors", lambda file, stream, size: read_safetensors(file)
    if start.startswith(ZIP):
        return "a file of torch.save", lambda file, stream, size: read_torch_zip(stream, size)
    if looks_like_torch_legacy(start):
        return "a file of torch.save", lambda file, stream, size: read_torch_legacy(stream, size)
    if start.startswith(HDF5):
        return "an .h5 of Keras", lambda file, stream, size: read_hdf5(file, size)
    if start.startswith(CAFFE):
        return "a .caffemodel", lambda file, stream, size: read_caffe(stream, size)
    return signature(start) or "of an unknown kind", None


def looks_like_safetensors(start: bytes) -> bool:
    """Whether a safetensors file begins with these bytes: a length of eight bytes, then JSON.

    >>> looks_like_safetensors(bytes([2]) + bytes(7) + b"{}")
    True
    """
    return len(start) > 8 and start[8:9] == b"{" and struct.unpack("<Q", start[:8])[0] <= MAX_HEADER


def tensor_names(path: Path) -> list[str] | None:
    """The names of the tensors in a safetensors file, or None if the file is of another kind or damaged."""
    import safetensors

    try:
        with open(path, "rb") as start:
            if not looks_like_safetensors(start.read(9)):
                return None
        with safetensors.safe_open(path, framework="numpy") as file:
            return list(file.keys())
    except Exception:  # SafetensorError and OSError; `read_tensors` reports the reason
        return None


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """All tensors of a safetensors file by name, bfloat16 as float32.

    Raises:
        MalformedError: If the file is damaged.
    """
    # Makes bfloat16 known to NumPy.
    import ml_dtypes
    import safetensors

    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    # SafetensorError, OSError, and TypeError for a dtype that NumPy lacks.
    except Exception as error:
        raise MalformedError(reason(error)) from None
    return {
        name: array.astype(np.float32) if array.dtype == ml_dtypes.bfloat16 else array
        for name, array in tensors.items()
    }
