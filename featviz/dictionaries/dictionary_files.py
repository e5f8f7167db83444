"""featviz's own files of dictionaries: safetensors, with the kind and what it was fitted on in the metadata."""

import json
import os
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from featviz.common.array_files import array_bytes, read_arrays
from featviz.common.files import write_atomic
from featviz.dictionaries.dictionary import Dictionary, DictionaryRecord
from featviz.dictionaries.kinds import KINDS, Code
from featviz.dictionaries.normalizations import NORMALIZATIONS, Normalization
from featviz.errors import FeatvizError, in_one_line, suggest

FORMAT = "featviz dictionary 1"

Arrays = dict[str, np.ndarray]
Description = dict[str, Any]


def save_dictionary(path: str | os.PathLike[str], dictionary: Dictionary) -> Path:
    """Writes a dictionary, the whole file or none.

    Args:
      path: of the file, which ends in `.safetensors`.
      dictionary: to be written, in single precision.

    Returns:
      The path.

    Raises:
      FeatvizError: if the dictionary's arrays do not fit together or are not finite, or the file cannot be written.

    >>> import tempfile
    >>> from featviz.dictionaries.kinds import KMeans
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = Dictionary(KMeans(centers=np.eye(2, 3, dtype=np.float32)))
    ...     read_dictionary(save_dictionary(f"{folder}/centers.safetensors", made))
    <Dictionary k-means centers, 3 units, 2 latents>
    """
    target = Path(path)
    if target.suffix != ".safetensors":
        raise FeatvizError(f"`path` is `{target.name}`; expected a name that ends in .safetensors")
    dictionary.check()
    arrays: Arrays = {}
    code = _describe(dictionary.code, "code.", arrays)
    normalization = _describe(dictionary.normalization, "normalization.", arrays)
    metadata = {
        "format": FORMAT,
        "code": json.dumps(code),
        "normalization": json.dumps(normalization),
        "record": json.dumps(asdict(replace(dictionary.record, file=""))),
    }
    return write_atomic(target, array_bytes(arrays, metadata))


def read_dictionary(path: str | os.PathLike[str]) -> Dictionary:
    """Reads a file of `save_dictionary`; `fv.load_dictionary` reads those of other libraries too.

    Args:
      path: of the file.

    Raises:
      FeatvizError: if there is no such file, or it holds no dictionary.
    """
    source = Path(path)
    metadata, arrays = read_arrays(
        source,
        FORMAT,
        "a dictionary",
        missing="a file of a dictionary",
        other="a file of `fv.save_dictionary`",
    )
    return dictionary_of(metadata, arrays, source.name)


def dictionary_of(metadata: Mapping[str, str], arrays: Mapping[str, np.ndarray], name: str) -> Dictionary:
    """The dictionary of a file's metadata and arrays; `name` is what errors call the file.

    Raises:
      FeatvizError: if the file says nothing usable of its kind, lacks an array, or has arrays that do not fit.
    """
    try:
        described = {key: json.loads(metadata[key]) for key in ("code", "normalization", "record")}
        for kind in (described["code"]["kind"], described["normalization"]["kind"]):
            if kind not in KINDS and kind not in NORMALIZATIONS:
                raise FeatvizError(f"its kind is `{kind}`; {suggest(str(kind), KINDS)}")
        code = _make_code(described["code"], "code.", arrays)
        normalization = _make_normalization(described["normalization"], arrays)
        return Dictionary(code, normalization, _make_record(described["record"])).check()
    except FeatvizError as error:
        raise FeatvizError(f"`{name}` cannot be used as a dictionary: {error}") from None
    except Exception as error:
        raise FeatvizError(f"`{name}` says nothing usable of its dictionary: {in_one_line(error)}") from None


def _describe(part: Code | Normalization, prefix: str, arrays: Arrays) -> Description:
    """A part's kind and numbers; its arrays are added to `arrays` under the prefix."""
    described: Description = {"kind": part.name}
    for entry in fields(part):  # type: ignore[arg-type]
        value = getattr(part, entry.name)
        if isinstance(value, Code):
            described[entry.name] = _describe(value, f"{prefix}{entry.name}.", arrays)
        elif entry.metadata.get("static"):
            described[entry.name] = value
        else:
            arrays[prefix + entry.name] = np.array(value, np.float32, order="C")
    return described


def _make_code(described: Description, prefix: str, arrays: Mapping[str, np.ndarray]) -> Code:
    kind = KINDS[described["kind"]]
    return kind(**_values(kind, described, prefix, arrays))


def _make_normalization(described: Description, arrays: Mapping[str, np.ndarray]) -> Normalization:
    kind = NORMALIZATIONS[described["kind"]]
    return kind(**_values(kind, described, "normalization.", arrays))


def _values(kind: type, described: Description, prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for entry in fields(kind):
        given = described.get(entry.name)
        if isinstance(given, dict):
            values[entry.name] = _make_code(given, f"{prefix}{entry.name}.", arrays)
        elif entry.metadata.get("static") and entry.name not in described and entry.default is not MISSING:
            continue  # a file that was written before there was this field
        elif entry.metadata.get("static") and entry.name in described:
            values[entry.name] = tuple(given) if isinstance(given, list) else given
        elif prefix + entry.name in arrays:
            values[entry.name] = np.asarray(arrays[prefix + entry.name], np.float32)
        else:
            raise FeatvizError(f"it lacks `{prefix}{entry.name}` of a {described['kind']} dictionary")
    return values


def _make_record(given: Description) -> DictionaryRecord:
    known = {entry.name for entry in fields(DictionaryRecord)}
    record = DictionaryRecord(**{name: value for name, value in given.items() if name in known})
    return replace(record, names=tuple(record.names), notes=tuple((str(a), str(b)) for a, b in record.notes))
