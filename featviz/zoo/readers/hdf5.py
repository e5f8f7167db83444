"""Keras's `.h5`: an HDF5 file of plain arrays, in groups by layer. Read through h5py, the extra `hdf5`.

HDF5 can refer to other files, compute values from other datasets, or unpack them with a plugin. Files of weights need
none of it, and all of it is refused before any value is read.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from featviz.errors import FeatvizError
from featviz.zoo.readers.reading_errors import Budget, MalformedError, one_line, reason

if TYPE_CHECKING:
    import h5py

MAGIC = b"\x89HDF\r\n\x1a\n"
MAX_DEPTH = 16
MAX_MEMBERS = 20_000
# The group that holds the weights in a file of a complete model, and the attribute that lists its layers.
WHOLE_MODEL, LAYERS = "model_weights", "layer_names"


def read_hdf5(path: Path, size: int) -> dict[str, np.ndarray]:
    """The arrays by Keras's names, such as `conv1/kernel:0`.

    Raises:
        MalformedError: If the file is damaged, or holds anything but plain arrays.
        FeatvizError: If h5py is not installed.
    """
    try:
        import h5py
    except ImportError:
        raise FeatvizError("reading HDF5 needs h5py; install it with `pip install featviz[hdf5]`") from None
    try:
        with h5py.File(path, "r", locking=False) as file:
            root = file
            if WHOLE_MODEL in file:
                root = _follow_hard_link(file, WHOLE_MODEL)
            by_layer = LAYERS in root.attrs
            members = Budget(MAX_MEMBERS, f"it has more than {MAX_MEMBERS:,} members")
            values = Budget(size, "its arrays have more bytes than the file")
            arrays = dict(_walk(root, "", [], members, values))
    except MalformedError:
        raise
    # HDF5 and h5py may raise anything.
    except Exception as error:
        raise MalformedError(f"HDF5 says: {reason(error)}") from None
    if not arrays:
        raise MalformedError("it holds no arrays")
    short = {_name_in_layer(name): array for name, array in arrays.items()}
    return short if by_layer and len(short) == len(arrays) else arrays


def _name_in_layer(name: str) -> str:
    """The name without the layer's group: the weights of most layers repeat its name.

    A layer named `conv1/conv` has two nested groups.
    """
    parts = name.split("/")
    depths = range(len(parts) // 2, 0, -1)
    depth = next((depth for depth in depths if parts[:depth] == parts[depth : 2 * depth]), 1)
    return "/".join(parts[depth:]) or name


def _follow_hard_link(group: "h5py.Group", name: str) -> "h5py.Group | h5py.Dataset | h5py.Datatype":
    import h5py

    if type(group.get(name, getlink=True)) is not h5py.HardLink:
        raise MalformedError(f"its `{one_line(name, limit=60)}` is a link to elsewhere")
    return group[name]


def _walk(
    group: "h5py.Group", prefix: str, above: "list[h5py.h5g.GroupID]", members: Budget, values: Budget
) -> Iterator[tuple[str, np.ndarray]]:
    import h5py

    if len(above) > MAX_DEPTH or group.id in above:
        raise MalformedError(f"its groups are nested more than {MAX_DEPTH} deep")
    for name in group:
        members.spend(1)
        inner = _follow_hard_link(group, name)
        if isinstance(inner, h5py.Group):
            yield from _walk(inner, f"{prefix}{name}/", [*above, group.id], members, values)
        elif isinstance(inner, h5py.Dataset):
            yield prefix + name, _array(inner, one_line(prefix + name, limit=60), values)
        else:
            raise MalformedError(f"its `{one_line(prefix + name, limit=60)}` is neither a group nor an array")


def _array(dataset: "h5py.Dataset", name: str, values: Budget) -> np.ndarray:
    if dataset.is_virtual or dataset.external:
        raise MalformedError(f"its `{name}` has its values elsewhere")
    if dataset.id.get_create_plist().get_nfilters() or dataset.chunks is not None:
        raise MalformedError(f"its `{name}` is compressed or chunked, which Keras never writes")
    if dataset.dtype.kind not in "fiub" or dataset.dtype.hasobject or dataset.dtype.itemsize > 8:
        raise MalformedError(f"its `{name}` holds values that are not numbers")
    if dataset.shape is None or len(dataset.shape) > 16:
        raise MalformedError(f"its `{name}` has no shape")
    # An array that was never written takes no space: it would be a fill value of any size.
    size = math.prod(dataset.shape) * dataset.dtype.itemsize
    if dataset.id.get_storage_size() != size:
        raise MalformedError(f"its `{name}` lacks values")
    values.spend(size)
    return np.asarray(dataset[()])
