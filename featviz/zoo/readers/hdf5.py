"""Keras' `.h5`: an HDF5 file of plain arrays, in groups by layer. Read through h5py, the extra `hdf5`.

HDF5 can say that values lie in another file, are worked out from other datasets, or are packed by a plugin; a file of
weights needs none of it, and all of it is refused before any value is read.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from featviz.errors import FeatvizError
from featviz.zoo.readers.reading_errors import MalformedError, one_line, reason

MAGIC = b"\x89HDF\r\n\x1a\n"
DEEPEST = 16
MOST = 20_000
# The group in which a file of a whole model keeps its weights, and the attribute that lists its layers.
WHOLE_MODEL, LAYERS = "model_weights", "layer_names"


def read_hdf5(path: Path, size: int) -> dict[str, np.ndarray]:
    """The arrays by the names that Keras gives them, such as `conv1/kernel:0`.

    Raises: MalformedError, that says what is wrong with the file; FeatvizError if h5py is not installed.
    """
    try:
        import h5py
    except ImportError:
        raise FeatvizError("reading HDF5 needs h5py; install it with `pip install featviz[hdf5]`") from None
    try:
        with h5py.File(path, "r", locking=False) as file:
            root = file
            if WHOLE_MODEL in file:
                root = _linked(file, WHOLE_MODEL)
            by_layer = LAYERS in root.attrs
            left = [MOST, size]
            found = dict(_walk(root, "", [], left))
    except MalformedError:
        raise
    # HDF5 and h5py each raise their own, of many kinds.
    except Exception as error:
        raise MalformedError(f"HDF5 says: {reason(error)}") from None
    if not found:
        raise MalformedError("it holds no arrays")
    short = {_within_layer(name): array for name, array in found.items()}
    return short if by_layer and len(short) == len(found) else found


def _within_layer(name: str) -> str:
    """The name without the layer's group: most layers' weights have names that begin with the layer's own.

    A layer may be called `conv1/conv`: its group is then two.
    """
    parts = name.split("/")
    depths = range(len(parts) // 2, 0, -1)
    depth = next((depth for depth in depths if parts[:depth] == parts[depth : 2 * depth]), 1)
    return "/".join(parts[depth:]) or name


def _linked(group: Any, name: str) -> Any:
    import h5py

    if type(group.get(name, getlink=True)) is not h5py.HardLink:
        raise MalformedError(f"its `{one_line(name, limit=60)}` is a link to somewhere else")
    return group[name]


def _walk(group: Any, prefix: str, above: list[Any], left: list[int]) -> Iterator[tuple[str, np.ndarray]]:
    import h5py

    if len(above) > DEEPEST or group.id in above:
        raise MalformedError(f"its groups lie in one another more than {DEEPEST} deep")
    for name in group:
        left[0] -= 1
        if left[0] < 0:
            raise MalformedError(f"it has more than {MOST:,} members")
        inner = _linked(group, name)
        if isinstance(inner, h5py.Group):
            yield from _walk(inner, f"{prefix}{name}/", [*above, group.id], left)
        elif isinstance(inner, h5py.Dataset):
            yield prefix + name, _array(inner, one_line(prefix + name, limit=60), left)
        else:
            raise MalformedError(f"its `{one_line(prefix + name, limit=60)}` is neither a group nor an array")


def _array(dataset: Any, name: str, left: list[int]) -> np.ndarray:
    if dataset.is_virtual or dataset.external:
        raise MalformedError(f"its `{name}` has its values somewhere else")
    if dataset.id.get_create_plist().get_nfilters() or dataset.chunks is not None:
        raise MalformedError(f"its `{name}` is compressed or in pieces, as Keras never writes it")
    if dataset.dtype.kind not in "fiub" or dataset.dtype.hasobject or dataset.dtype.itemsize > 8:
        raise MalformedError(f"its `{name}` holds what is no number")
    if dataset.shape is None or len(dataset.shape) > 16:
        raise MalformedError(f"its `{name}` has no shape")
    # An array that was never written takes no place: it would be made of a fill value, of any size.
    taken = math.prod(dataset.shape) * dataset.dtype.itemsize
    if dataset.id.get_storage_size() != taken:
        raise MalformedError(f"its `{name}` lacks values")
    left[1] -= taken
    if left[1] < 0:
        raise MalformedError("its arrays have more bytes than the file")
    return np.asarray(dataset[()])
