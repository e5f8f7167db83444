"""Our own safetensors files: read and checked against the network that they are for, or written atomically.

A file is untrusted: nothing in it is executed. Errors name the file by its base name, the tensor, and what was expected
and found.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import safetensors
import safetensors.numpy
from flax.traverse_util import flatten_dict, unflatten_dict

from featviz.common.files import write_atomic
from featviz.errors import FeatvizError, suggest
from featviz.zoo.readers.reading_errors import base_name, check_file, one_line, reason, signature, weights_error

# A nested dict of arrays, or of their shapes, by module and parameter.
ArrayTree = dict[str, "np.ndarray | ArrayTree"]
ShapeTree = Mapping[str, "jax.ShapeDtypeStruct | ShapeTree"]
# safetensors' names of dtypes, for NumPy's; others are shown as they are.
DTYPES = {
    **{"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "BOOL": "bool"},
    **{"I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8"},
    **{"U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8"},
}


def flatten(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A nested dict as a flat one, names joined by `/`.

    >>> flatten({"fire2": {"expand1x1": {"bias": 1, "kernel": 2}}})
    {'fire2/expand1x1/bias': 1, 'fire2/expand1x1/kernel': 2}
    """
    return flatten_dict(tree, sep="/")


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `flatten`.

    >>> unflatten({"conv1/bias": 1, "conv1/kernel": 2})
    {'conv1': {'bias': 1, 'kernel': 2}}
    """
    return unflatten_dict(dict(flat), sep="/")


def read_weights(path: str | os.PathLike[str], template: ShapeTree) -> ArrayTree:
    """The tensors of a safetensors file as NumPy arrays, in a nested dict of the template's structure.

    Args:
        path: The file. It must hold exactly the template's tensors, in its shapes and dtypes, all of them finite.
        template: A nested dict of `jax.ShapeDtypeStruct`, as `jax.eval_shape` of a module's `init` returns it.

    Raises:
        FeatvizError: If there is no such file, it cannot be read, or it is not for this network.

    >>> import jax, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_weights(f"{folder}/a.safetensors", {"conv1": {"bias": np.ones(2, np.float32)}})
    ...     template = {"conv1": {"bias": jax.ShapeDtypeStruct((2,), np.float32)}}
    ...     read_weights(f"{folder}/a.safetensors", template)
    {'conv1': {'bias': array([1., 1.], dtype=float32)}}
    """
    file, name = Path(path), base_name(path)
    expected = flatten(template)
    check_file(file, expected="a safetensors file", ending=".safetensors")
    try:
        with safetensors.safe_open(file, framework="numpy") as tensors:
            _check_names(name, tensors.keys(), list(expected))
            # All headers before any data: a wrong network is refused at once, and no unknown dtype is decoded.
            for key, leaf in expected.items():
                header = tensors.get_slice(key)
                _check_kind(name, key, header.get_shape(), header.get_dtype(), leaf)
            arrays = {key: tensors.get_tensor(key) for key in expected}
    except FeatvizError:
        raise
    except Exception as error:  # SafetensorError, OSError, and TypeError for a dtype that NumPy lacks
        raise _unreadable(file, name, error) from error
    for key, array in arrays.items():
        _check_finite(name, key, array)
    return unflatten(arrays)


def read_tree(path: str | os.PathLike[str]) -> ArrayTree:
    """All tensors of a safetensors file of a user's own network, as a nested dict; names are split at `/`.

    Raises:
        FeatvizError: If there is no such file, it cannot be read, or a value is not finite.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_weights(f"{folder}/a.safetensors", {"conv1": {"bias": np.ones(2, np.float32)}})
    ...     read_tree(f"{folder}/a.safetensors")
    {'conv1': {'bias': array([1., 1.], dtype=float32)}}
    """
    file, name = Path(path), base_name(path)
    check_file(file, expected="a safetensors file", ending=".safetensors")
    try:
        with safetensors.safe_open(file, framework="numpy") as tensors:
            arrays = {key: tensors.get_tensor(key) for key in tensors.keys()}  # noqa: SIM118
        tree = unflatten(arrays)
    except Exception as error:  # as in read_weights; and a name that is both a tensor's and a branch's
        raise _unreadable(file, name, error) from error
    for key, array in arrays.items():
        if np.issubdtype(array.dtype, np.floating):
            _check_finite(name, key, array)
    return tree


def write_weights(
    path: str | os.PathLike[str], tree: Mapping[str, Any], *, metadata: Mapping[str, str] | None = None
) -> None:
    """Writes a nested dict of arrays as a safetensors file, names joined by `/`; see `read_weights`.

    The file is written atomically: the old one stays until the new one is on the disk.

    Raises:
        FeatvizError: If the folder is missing, the file cannot be written, or an array does not hold numbers.
    """
    # Row-major, since safetensors writes an array's memory unchanged.
    arrays = {key: np.asarray(value, order="C") for key, value in flatten(tree).items()}
    try:
        data = safetensors.numpy.save(arrays, dict(metadata) if metadata else None)
    except (KeyError, ValueError, TypeError, safetensors.SafetensorError) as error:
        raise FeatvizError(f"`tree`: `{base_name(path)}` cannot be written: {reason(error)}") from error
    write_atomic(path, data)


def _check_names(name: str, actual: Sequence[str], expected: Sequence[str]) -> None:
    missing = sorted(set(expected) - set(actual))
    unknown = [one_line(key) for key in sorted(set(actual) - set(expected))]
    if len(missing) > len(expected) // 2:
        known = len(expected) - len(missing)
        example = f", not `{unknown[0]}`" if unknown else ""
        raise weights_error(
            name,
            f"holds another network: of its {len(actual)} tensors {known} are among the {len(expected)} "
            f"expected, such as `{missing[0]}`{example}",
        )
    if missing:
        hint = f"; {suggest(missing[0], unknown)}" if unknown else ""
        raise weights_error(name, f"lacks {_count(missing)} of the {len(expected)} expected{hint}")
    if unknown:
        raise weights_error(name, f"holds {_count(unknown)} that the network lacks; expected {len(expected)} in all")


def _count(keys: Sequence[str]) -> str:
    return f"the tensor `{keys[0]}`" + (f" and {len(keys) - 1} more" if len(keys) > 1 else "")


def _check_kind(name: str, key: str, shape: Sequence[int], dtype: str, leaf: jax.ShapeDtypeStruct) -> None:
    if tuple(shape) != tuple(leaf.shape):
        actual = one_line(str(tuple(shape)))
        raise weights_error(name, f"has `{key}` of shape {actual}; expected {tuple(leaf.shape)}")
    kind = DTYPES.get(dtype, dtype)
    if kind != str(leaf.dtype):
        raise weights_error(name, f"has `{key}` in {kind}; expected {leaf.dtype}")


def _check_finite(name: str, key: str, array: np.ndarray) -> None:
    bad = array.size - np.count_nonzero(np.isfinite(array))
    if bad:
        raise weights_error(name, f"has {bad} of {array.size} values of `{key}` not finite; expected finite numbers")


def _unreadable(file: Path, name: str, error: Exception) -> FeatvizError:
    try:
        with open(file, "rb") as stream:
            start = stream.read(32)
    except OSError as disk_error:
        return weights_error(name, f"cannot be read: {reason(disk_error)}")
    details = reason(error)
    # The header's JSON starts at the ninth byte; the first eight, its length, may be anything.
    if start[8:9] == b"{":
        return weights_error(name, f"is cut short or damaged ({details}); expected a complete safetensors file")
    if kind := signature(start):
        return weights_error(name, f"is {kind}; expected a safetensors file")
    return weights_error(name, f"is not a safetensors file ({details}); expected a complete one")
