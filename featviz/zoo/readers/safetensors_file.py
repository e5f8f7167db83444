"""safetensors, as timm and Hugging Face publish weights: all tensors by name, bfloat16 as float32."""

import struct
from pathlib import Path

import numpy as np

from featviz.zoo.readers.reading_errors import MalformedError, reason

# The format's own bound of its header.
LARGEST_HEADER = 100_000_000


def looks_like_safetensors(start: bytes) -> bool:
    """Whether a file begins like this: eight bytes of a length, then JSON.

    >>> looks_like_safetensors(bytes([2]) + bytes(7) + b"{}")
    True
    """
    return len(start) > 8 and start[8:9] == b"{" and struct.unpack("<Q", start[:8])[0] <= LARGEST_HEADER


def tensor_names(path: Path) -> list[str] | None:
    """The names of the tensors in a safetensors file, or None if it is none, or damaged."""
    import safetensors

    try:
        with open(path, "rb") as start:
            if not looks_like_safetensors(start.read(9)):
                return None
        with safetensors.safe_open(path, framework="numpy") as file:
            return list(file.keys())
    except Exception:  # SafetensorError and OSError; `read_tensors` tells what it is
        return None


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """All tensors of the file by name.

    Raises: MalformedError, that says what is wrong with it.
    """
    # NumPy knows bfloat16 only once this is imported.
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
