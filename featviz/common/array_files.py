"""Arrays and metadata of safetensors files of a form, with one-line errors."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from featviz.errors import ArgumentError, FeatvizError, in_one_line

if TYPE_CHECKING:
    import numpy as np


def read_arrays(
    path: Path, form: str, kind: str, *, missing: str, other: str
) -> tuple[dict[str, str], dict[str, "np.ndarray"]]:
    """The metadata and the arrays of a safetensors file of a form.

    Args:
      path: of the file.
      form: what its metadata has under `format`.
      kind: what it is, with its article, as errors name it.
      missing: what is expected where there is no file.
      other: what is expected where it is one of another form.

    Raises:
      FeatvizError: if the file is missing, broken, or of another form.
    """
    import safetensors

    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise ArgumentError(f"`{path}` does not exist; expected {missing}") from None
    except Exception as error:
        raise FeatvizError(f"`{path.name}` cannot be read as {kind}: {in_one_line(error)}") from None
    if metadata.get("format") != form:
        raise FeatvizError(f"`{path.name}` is not {kind} in this version's format; expected {other}")
    return metadata, arrays


def array_bytes(arrays: "Mapping[str, np.ndarray]", metadata: Mapping[str, str]) -> bytes:
    """A safetensors file, the same bytes for the same arrays and metadata: the library writes metadata in any order."""
    from safetensors.numpy import save

    data = save(dict(arrays), metadata=dict(metadata))
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted(metadata.items()))
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[end:]
