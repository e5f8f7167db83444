"""Files of torch.save before PyTorch 1.6: five pickles, then the storages, each after its number of values."""

import io
import struct

import numpy as np

from featviz.zoo.readers.pickles import read_pickle
from featviz.zoo.readers.reading_errors import MalformedError
from featviz.zoo.readers.torch_objects import Storage, arrays, named, rules

# torch/serialization.py: the first two pickles.
MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001


def looks_like_torch_legacy(start: bytes) -> bool:
    """Whether a file begins like this: a pickle, of any protocol, of the number."""
    return start.startswith(b"\x80") and MAGIC_NUMBER.to_bytes(10, "little") in start[:32]


def read_torch_legacy(file: io.BufferedIOBase, size: int) -> dict[str, np.ndarray]:
    """The tensors of a state dict by name.

    Raises: MalformedError, that says what is wrong with it.
    """
    if (read_pickle(file), read_pickle(file)) != (MAGIC_NUMBER, PROTOCOL):
        raise MalformedError("it is of another version of torch.save than 1001")
    system = read_pickle(file)
    if type(system) is not dict or system.get("little_endian") is not True:
        raise MalformedError("it has numbers in big-endian order; expected little-endian")
    storages: dict[str, Storage] = {}
    tensors = named(read_pickle(file, rules=rules(storages)))
    keys = read_pickle(file)
    if type(keys) is not list or not all(type(key) is str for key in keys) or len(set(keys)) != len(keys):
        raise MalformedError("its list of storages is none")
    loaded = {}
    for key in keys:
        if key not in storages:
            raise MalformedError("it has a storage that no tensor is of")
        loaded[key] = _storage(file, size, storages[key])
    if file.tell() != size:
        raise MalformedError(f"it has {size - file.tell():,} bytes after its last storage")

    def load(storage: Storage) -> np.ndarray:
        if storage.key not in loaded:
            raise MalformedError("it lacks the storage of a tensor")
        return loaded[storage.key]

    return arrays(tensors, load)


def _storage(file: io.BufferedIOBase, size: int, storage: Storage) -> np.ndarray:
    head = file.read(8)
    if len(head) < 8 or storage.bytes > size - file.tell():
        raise MalformedError("it is cut short: a storage is not whole")
    if struct.unpack("<q", head)[0] != storage.count:
        raise MalformedError("it has a storage of another number of values than its pickle says")
    data = np.empty(storage.bytes, np.uint8)
    if file.readinto(data.data) != storage.bytes:
        raise MalformedError("it is cut short: a storage is not whole")
    return data
