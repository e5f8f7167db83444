"""Files of torch.save: a zip archive since PyTorch 1.6, TorchScript likewise; before, a sequence of pickles."""

import io
import struct
from collections.abc import Callable

import numpy as np

from featviz.zoo.readers.pickles import MAX_BYTES, Rules, read_pickle
from featviz.zoo.readers.reading_errors import MalformedError
from featviz.zoo.readers.torch_objects import Storage, state_dict_tensors, to_arrays, torch_rules
from featviz.zoo.readers.zip_members import read_directory, read_member, require_member

# The first two pickles of a file before PyTorch 1.6 (torch/serialization.py).
MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001


def looks_like_torch_legacy(start: bytes) -> bool:
    """Whether a file before PyTorch 1.6 begins with these bytes: a pickle of the magic number, of any protocol."""
    return start.startswith(b"\x80") and MAGIC_NUMBER.to_bytes(10, "little") in start[:32]


def read_torch_legacy(file: io.BufferedIOBase, size: int) -> dict[str, np.ndarray]:
    """The tensors of a file before PyTorch 1.6: five pickles, then the storages, each behind its number of values.

    Raises:
        MalformedError: If the file is damaged, or names anything but tensors.
    """
    if (read_pickle(file), read_pickle(file)) != (MAGIC_NUMBER, PROTOCOL):
        raise MalformedError("it is not of version 1001 of torch.save")
    system = read_pickle(file)
    if type(system) is not dict or system.get("little_endian") is not True:
        raise MalformedError("it has numbers in big-endian order; expected little-endian")
    storages: dict[str, Storage] = {}
    tensors = state_dict_tensors(read_pickle(file, rules=torch_rules(storages)))
    keys = read_pickle(file)
    if type(keys) is not list or not all(type(key) is str for key in keys) or len(set(keys)) != len(keys):
        raise MalformedError("its list of storages is invalid")
    loaded = {}
    for key in keys:
        if key not in storages:
            raise MalformedError("it has a storage that no tensor uses")
        loaded[key] = _storage(file, size, storages[key])
    if file.tell() != size:
        raise MalformedError(f"it has {size - file.tell():,} bytes after its last storage")

    def load(storage: Storage) -> np.ndarray:
        if storage.key not in loaded:
            raise MalformedError("it lacks the storage of a tensor")
        return loaded[storage.key]

    return to_arrays(tensors, load)


def _storage(file: io.BufferedIOBase, size: int, storage: Storage) -> np.ndarray:
    head = file.read(8)
    if len(head) < 8 or storage.bytes > size - file.tell():
        raise MalformedError("it is cut short within a storage")
    if struct.unpack("<q", head)[0] != storage.count:
        raise MalformedError("it has a storage whose number of values is not the one in its pickle")
    data = np.empty(storage.bytes, np.uint8)
    if file.readinto(data.data) != storage.bytes:
        raise MalformedError("it is cut short within a storage")
    return data


def read_torch_zip(file: io.BufferedIOBase, size: int) -> dict[str, np.ndarray]:
    """The tensors of a zip archive: a pickle, and one member for each storage.

    Raises:
        MalformedError: If the file is damaged, or names anything but tensors.
    """
    tree, load = read_zip_tree(file, size, torch_rules({}))
    return to_arrays(state_dict_tensors(tree), load)


def read_zip_tree(file: io.BufferedIOBase, size: int, rules: Rules) -> tuple[object, Callable[[Storage], np.ndarray]]:
    """The value of a zip archive's pickle as the rules make it, and a function that reads a tensor's storage.

    Raises:
        MalformedError: If the file is damaged, or names what the rules do not know.
    """
    members = read_directory(file, size)
    # All members are in one folder, named after the file when it was written.
    folders = [name.removesuffix("data.pkl") for name in members if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(folders) != 1:
        raise MalformedError("it is a zip archive without the data.pkl of torch.save")
    folder = folders[0]
    order = members.get(folder + "byteorder")
    if order is not None and read_member(file, order).tobytes() != b"little":
        raise MalformedError("it has numbers in big-endian order; expected little-endian")
    pickle = require_member(members, folder + "data.pkl")
    if pickle.bytes > MAX_BYTES:
        raise MalformedError(f"its pickle has more than {MAX_BYTES:,} bytes")
    tree = read_pickle(io.BytesIO(read_member(file, pickle).tobytes()), rules=rules)

    def load(storage: Storage) -> np.ndarray:
        member = require_member(members, f"{folder}data/{storage.key}")
        if member.bytes != storage.bytes:
            raise MalformedError(f"it has a storage of {member.bytes:,} bytes; its pickle says {storage.bytes:,}")
        return read_member(file, member)

    return tree, load
