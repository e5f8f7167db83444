"""Files of weights as others' tools write them, written by hand: torch.save's two kinds, Caffe's, Keras'."""

import io
import struct
import zipfile

import numpy as np

STORAGES = {
    "float32": "Float", "float64": "Double", "float16": "Half", "bool": "Bool", "uint8": "Byte", "int8": "Char",
    "int16": "Short", "int32": "Int", "int64": "Long",
}  # fmt: skip


# Pickles, opcode by opcode.


def text(value):
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value):
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def several(*values):
    return b"(" + b"".join(values) + b"t"


def name(module, of_it):
    return f"c{module}\n{of_it}\n".encode()


def call(function, *arguments):
    return function + several(*arguments) + b"R"


ORDERED = call(name("collections", "OrderedDict"))


def storage(key, kind, count, *, view=()):
    return (
        several(text("storage"), name("torch", f"{kind}Storage"), text(key), text("cpu"), number(count), *view) + b"Q"
    )


def tensor(stored, offset, shape, strides, *, function="_rebuild_tensor_v2"):
    sides, steps = (several(*map(number, each)) for each in (shape, strides))
    return call(name("torch._utils", function), stored, number(offset), sides, steps, b"\x89", ORDERED)


def whole(key, array, *, view=()):
    """A tensor that is all of its storage, in row-major order."""
    strides = [step // array.itemsize for step in array.strides]
    return tensor(storage(key, STORAGES[str(array.dtype)], array.size, view=view), 0, array.shape, strides)


def items(values, *, start=ORDERED):
    return start + b"(" + b"".join(text(key) + value for key, value in values.items()) + b"u"


def pickled(value):
    return b"\x80\x02" + value + b"."


def state_dict(tensors, *, view=()):
    arrays = {key: np.asarray(array, order="C") for key, array in tensors.items()}
    return items({key: whole(str(at), array, view=view) for at, (key, array) in enumerate(arrays.items())})


def contents(tensors):
    return [np.asarray(array).tobytes() for array in tensors.values()]


# torch.save.


def zipped(members, *, packing=zipfile.ZIP_STORED):
    """A zip archive; `members` are pairs, since two may share a name."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packing) as archive:
        for member, data in members:
            archive.writestr(zipfile.ZipInfo(member), data, packing)
    return out.getvalue()


def torch_zip(pickle, stored, *, folder="net", byteorder=b"little"):
    members = [("data.pkl", pickle), ("byteorder", byteorder)]
    members += [(f"data/{at}", data) for at, data in enumerate(stored)] + [("version", b"3\n")]
    return zipped([(f"{folder}/{member}", data) for member, data in members])


def torch_legacy(pickle, stored, counts, *, little=True):
    system = items({"little_endian": b"\x88" if little else b"\x89"}, start=b"}")
    keys = b"](" + b"".join(text(str(at)) for at in range(len(stored))) + b"e"
    head = [pickled(number(0x1950A86A20F9469CFC6C)), pickled(number(1001)), pickled(system), pickle, pickled(keys)]
    return b"".join(head) + b"".join(struct.pack("<q", n) + data for n, data in zip(counts, stored, strict=True))


def saved(tensors, *, legacy=False):
    """What torch.save writes of a state dict."""
    if not legacy:
        return torch_zip(pickled(state_dict(tensors)), contents(tensors))
    counts = [array.size for array in tensors.values()]
    return torch_legacy(pickled(state_dict(tensors, view=(b"N",))), contents(tensors), counts)


# Caffe.


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(at, value):
    """A field of a message: of text or bytes, or a whole number."""
    if isinstance(value, int):
        return varint(at << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(at << 3 | 2) + varint(len(data)) + data


def blob(array, *, old=False, packed=True):
    sides = [1] * (4 - array.ndim) + list(array.shape)
    shape = b"".join(field(at + 1, side) for at, side in enumerate(sides))
    if not old:
        shape = field(7, field(1, b"".join(map(varint, array.shape))))
    data = np.asarray(array, "<f4")
    if packed:
        return shape + field(5, data.tobytes())
    rows = np.empty((data.size, 5), np.uint8)
    rows[:, 0], rows[:, 1:] = 5 << 3 | 5, data.reshape(-1, 1).view(np.uint8)
    return shape + rows.tobytes()


def caffemodel(layers, *, old=False, packed=True):
    """A .caffemodel; `layers` has each layer's blobs, and a layer whose weight has two axes is fully connected."""
    out = field(1, "net")
    for layer, blobs in layers.items():
        dense = blobs[0].ndim == 2
        written = [blob(array, old=old, packed=packed) for array in blobs]
        if old:
            body = field(2, "data") + field(4, layer) + field(5, 14 if dense else 4)
            out += field(2, body + b"".join(field(6, each) for each in written))
        else:
            body = field(1, layer) + field(2, "InnerProduct" if dense else "Convolution") + field(3, "data")
            out += field(100, body + b"".join(field(7, each) for each in written))
    return out


def caffe_layers(tree):
    """The blobs by layer of a network of ours, whose modules are named as Caffe's layers."""
    layers = {}
    for path, array in tree.items():
        layer, leaf = path.rsplit("/", 1)
        turned = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T
        layers.setdefault(layer, {})[leaf] = np.ascontiguousarray(turned)
    return {layer: [blobs["kernel"], blobs["bias"]] for layer, blobs in layers.items()}


# Keras.


def keras(layers):
    """The bytes of an .h5 of Keras' older kind."""
    import h5py

    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        file.attrs["layer_names"] = list(layers)
        for layer, weights in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = list(weights)
            for weight, array in weights.items():
                group[weight] = array
    return out.getvalue()
