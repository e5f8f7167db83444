"""A file of weights, of whichever kind it is: told by what it holds, never by what it is called."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from featviz.zoo.readers.caffemodel import read_caffe
from featviz.zoo.readers.hdf5 import MAGIC as HDF5
from featviz.zoo.readers.hdf5 import read_hdf5
from featviz.zoo.readers.reading_errors import MalformedError, base_name, check_file, reason, signature, wrong
from featviz.zoo.readers.safetensors_file import looks_like_safetensors, read_safetensors
from featviz.zoo.readers.torch_legacy import looks_like_torch_legacy, read_torch_legacy
from featviz.zoo.readers.torch_zip import read_torch_zip
from featviz.zoo.readers.zip_members import LOCAL as ZIP

EXPECTED = "safetensors, a file of torch.save, a .caffemodel, or an .h5 of Keras"
# How a protobuf of Caffe begins: its name, its layers of the old kind and the new, or its input.
CAFFE = (b"\x0a", b"\x12", b"\x1a", b"\xa2\x06")


def read_tensors(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The tensors of an official file by the names that they have there; bfloat16 comes as float32.

    Of PyTorch (`torch.save`, both kinds of file, and TorchScript), safetensors, Caffe and Keras. What the file says is
    checked before it is believed, and nothing in it is executed.

    Raises: FeatvizError, one line, if it is none of them, or damaged, or made to do harm.
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
                raise wrong(name, f"is {kind}; expected {EXPECTED}")
            return read(file, stream, size)
    except MalformedError as error:
        raise wrong(name, f"cannot be read as {kind}: {error}") from None
    except MemoryError:
        raise wrong(name, "does not fit into memory") from None
    except OSError as error:
        raise wrong(name, f"cannot be read: {reason(error)}") from None


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
    return signature(start) or "of no known kind", None
