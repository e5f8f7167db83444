"""What a file or a folder of a dictionary holds, whoever wrote it: arrays and plain values by their names."""

import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from featviz.dictionaries.formats.pickled_objects import read_objects
from featviz.errors import FeatvizError, in_one_line, suggest
from featviz.zoo.readers.reading_errors import MalformedError, signature
from featviz.zoo.readers.torch_files import looks_like_torch_legacy, read_torch_legacy
from featviz.zoo.readers.weight_file import looks_like_safetensors, read_safetensors
from featviz.zoo.weights.hub_files import is_weights

# Of files with weights, and of the configurations beside them.
SUFFIXES = (".safetensors", ".pt", ".pth", ".npz", ".npy")
CONFIGS = ("cfg.json", "config.json")
ZIP, NUMPY = b"PK\x03\x04", b"\x93NUMPY"
# A header of saev's is far shorter.
MAX_HEADER = 2**20
MAX_CONFIG = 2**24
EXPECTED = "a dictionary of featviz, SAELens, saev, ViT-Prisma, overcomplete, dictionary_learning, or arrays"

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Contents:
    """What was read.

    Attributes:
      name: of the file or the folder, for errors.
      arrays: by name.
      config: the configuration that lies beside or within the file.
      metadata: of a safetensors file.
      values: plain values of a pickle, and texts of an archive of NumPy's.
      header: the first line of saev's files, or {}.
    """

    name: str
    arrays: Arrays
    config: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, object] = field(default_factory=dict)
    header: Mapping[str, Any] = field(default_factory=dict)


def read_contents(path: str | os.PathLike[str]) -> Contents:
    """The arrays and values of a file, or of the one file of weights in a folder. Nothing is executed.

    Raises:
      FeatvizError: if there is no such file, or it is of an unknown kind, damaged or malicious.
    """
    source = Path(path)
    if source.is_dir():
        source = _weights_in(source)
    if not source.is_file():
        raise FeatvizError(f"`{source.name}` does not exist; expected {EXPECTED}")
    config = _config_beside(source)
    try:
        with open(source, "rb") as stream:
            start = stream.read(64)
            size = os.fstat(stream.fileno()).st_size
            stream.seek(0)
            return _read(source, stream, start, size, config)
    except MalformedError as error:
        raise FeatvizError(f"`{source.name}` cannot be read as a dictionary: {error}") from None
    except MemoryError:
        raise FeatvizError(f"`{source.name}` does not fit into memory") from None
    except OSError as error:
        raise FeatvizError(f"`{source.name}` cannot be read: {error.strerror or in_one_line(error)}") from None


def _read(source: Path, stream: io.BufferedReader, start: bytes, size: int, config: Mapping[str, Any]) -> Contents:
    name = source.name
    if looks_like_safetensors(start):
        import safetensors

        arrays = read_safetensors(source)
        with safetensors.safe_open(source, framework="numpy") as file:
            metadata = file.metadata() or {}
        return Contents(name, arrays, config, metadata)
    if start.startswith(NUMPY):
        return Contents(name, {"": _numpy(stream)}, config)
    if start.startswith(ZIP) and source.suffix == ".npz":
        arrays, texts = _archive(source)
        return Contents(name, arrays, config, values=texts)
    header: Mapping[str, Any] = {}
    if start.startswith(b"{"):
        header = _header(stream)
        body = io.BytesIO(stream.read())
        stream, size = body, len(body.getbuffer())  # type: ignore[assignment]
        start = body.getvalue()[:64]
    if looks_like_torch_legacy(start):
        return Contents(name, read_torch_legacy(stream, size), config, header=header)
    if start.startswith(ZIP):
        arrays, values = read_objects(stream, size)
        return Contents(name, *_unwrap(arrays, values, config), header=header)
    found = signature(start) or "of an unknown kind"
    raise FeatvizError(f"`{name}` is {found}; expected {EXPECTED}")


def _unwrap(
    arrays: Arrays, values: Mapping[str, object], config: Mapping[str, Any]
) -> tuple[Arrays, Mapping[str, Any], Mapping[str, str], Mapping[str, object]]:
    """The state dict and the configuration of a file that holds both under names of their own."""
    for weights in ("state_dict.", "autoencoder.state_dict.", "model.", "sae."):
        if arrays and all(name.startswith(weights) for name in arrays):
            arrays = {name.removeprefix(weights): array for name, array in arrays.items()}
    for inner in ("cfg.", "config."):
        found = {name.removeprefix(inner): value for name, value in values.items() if name.startswith(inner)}
        config = {**found, **config}
    return arrays, _nested(config), {}, values


def _nested(config: Mapping[str, Any]) -> dict[str, Any]:
    """Names such as `activation_fn_kwargs.k` as dicts within."""
    nested: dict[str, Any] = {}
    for name, value in config.items():
        outer, dot, inner = name.partition(".")
        if dot and isinstance(nested.setdefault(outer, {}), dict):
            nested[outer][inner] = value
        elif not dot:
            nested[name] = value
    return nested


def _numpy(stream: io.BufferedIOBase) -> np.ndarray:
    try:
        array: np.ndarray = np.lib.format.read_array(stream, allow_pickle=False)
    except ValueError as error:
        raise MalformedError(in_one_line(error)) from None
    return array


def _archive(path: Path) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    """The arrays of an archive of NumPy's, and the texts in it, such as `kind`."""
    try:
        # NumPy leaves a damaged file open if it opens it itself.
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            found = {name.removesuffix("_"): file[name] for name in file.files}
    except Exception as error:  # NumPy's and zipfile's own
        raise MalformedError(in_one_line(error)) from None
    texts: dict[str, object] = {name: array.tolist() for name, array in found.items() if array.dtype.kind in "US"}
    return {name: array for name, array in found.items() if name not in texts}, texts


def _header(stream: io.BufferedIOBase) -> dict[str, Any]:
    line = stream.readline(MAX_HEADER)
    try:
        header = json.loads(line)
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or not line.endswith(b"\n"):
        raise MalformedError("its first line is no JSON; expected that of a file of saev")
    return header


def _config_beside(source: Path) -> dict[str, Any]:
    for name in CONFIGS:
        path = source.with_name(name)
        if path.is_file() and path.stat().st_size <= MAX_CONFIG:
            try:
                config = json.loads(path.read_text("utf-8"))
            except (ValueError, RecursionError) as error:
                raise FeatvizError(f"`{name}` beside `{source.name}` is no JSON: {in_one_line(error)}") from None
            if not isinstance(config, dict):
                raise FeatvizError(
                    f"`{name}` beside `{source.name}` holds a {type(config).__name__}; expected a JSON object, as the "
                    "library that trained the dictionary writes it"
                )
            return config
    return {}


def _weights_in(folder: Path) -> Path:
    """The one file of weights in a folder."""
    files = sorted(path for path in folder.iterdir() if is_weights(path.name, SUFFIXES))
    if not files:
        raise FeatvizError(f"the folder `{folder.resolve().name}` holds no weights; expected {EXPECTED}")
    if len(files) > 1:
        names = [file.name for file in files]
        raise FeatvizError(f"the folder `{folder.resolve().name}` holds several files of weights; {suggest('', names)}")
    return files[0]
