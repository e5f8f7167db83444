"""Files of torch.save since PyTorch 1.6, and TorchScript archives: a zip with a pickle and a member a storage."""

import io

import numpy as np

from featviz.zoo.readers.pickles import BYTES, read_pickle
from featviz.zoo.readers.reading_errors import MalformedError
from featviz.zoo.readers.torch_objects import Storage, arrays, named, rules
from featviz.zoo.readers.zip_members import members, read_member, within


def read_torch_zip(file: io.BufferedIOBase, size: int) -> dict[str, np.ndarray]:
    """The tensors of a state dict by name.

    Raises: MalformedError, that says what is wrong with it.
    """
    found = members(file, size)
    # All members lie in one folder, which is called as the file was when it was written.
    folders = [name.removesuffix("data.pkl") for name in found if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(folders) != 1:
        raise MalformedError("it is a zip archive without the data.pkl of torch.save")
    folder = folders[0]
    order = found.get(folder + "byteorder")
    if order is not None and read_member(file, order).tobytes() != b"little":
        raise MalformedError("it has numbers in big-endian order; expected little-endian")
    pickle = within(found, folder + "data.pkl")
    if pickle.bytes > BYTES:
        raise MalformedError(f"its pickle has more than {BYTES:,} bytes")
    tensors = named(read_pickle(io.BytesIO(read_member(file, pickle).tobytes()), rules=rules({})))

    def load(storage: Storage) -> np.ndarray:
        member = within(found, f"{folder}data/{storage.key}")
        if member.bytes != storage.bytes:
            raise MalformedError(f"it has a storage of {member.bytes:,} bytes; its pickle says {storage.bytes:,}")
        return read_member(file, member)

    return arrays(tensors, load)
