"""Damage to files of weights, the same for the same seed: cuts, flipped bits, splices, and numbers made wrong."""

import random
import struct
from dataclasses import dataclass

import numpy as np
import safetensors.numpy
from support import weight_files as files

TENSORS = {
    "conv1.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "conv1.bias": np.ones(2, np.float16),
    "fc.weight": np.ones((3, 2)),
    "bn.num_batches_tracked": np.array(7),
}
LAYERS = {
    "conv1/3x3": [np.ones((2, 3, 2, 2), np.float32), np.zeros(2, np.float32)],
    "classifier": [np.ones((3, 2), np.float32), np.zeros(3, np.float32)],
}
# What wrong lengths, counts and places look like.
NUMBERS = (0, 1, 2, 127, 128, 255, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)


@dataclass(frozen=True)
class Kind:
    """A kind of file: a whole one, and one made of its inner part, which is damaged by itself as well."""

    whole: bytes
    inner: bytes
    rebuilt: object


def kinds():
    """The kinds of file by name; Keras' where h5py is installed."""
    pickle, stored = files.pickled(files.state_dict(TENSORS)), files.contents(TENSORS)
    legacy = files.pickled(files.state_dict(TENSORS, view=(b"N",)))
    counts = [array.size for array in TENSORS.values()]
    whole = safetensors.numpy.save(TENSORS)
    header, data = whole[8 : 8 + struct.unpack("<Q", whole[:8])[0]], whole[8 + struct.unpack("<Q", whole[:8])[0] :]
    found = {
        "torch zip": Kind(files.saved(TENSORS), pickle, lambda inner: files.torch_zip(inner, stored)),
        "torch legacy": Kind(
            files.saved(TENSORS, legacy=True), legacy, lambda inner: files.torch_legacy(inner, stored, counts)
        ),
        "caffe": Kind(files.caffemodel(LAYERS), files.blob(LAYERS["classifier"][0]), _with_blob),
        "caffe, old": Kind(
            files.caffemodel(LAYERS, old=True, packed=False),
            files.blob(LAYERS["classifier"][0], old=True, packed=False),
            _with_blob,
        ),
        "safetensors": Kind(whole, header, lambda inner: struct.pack("<Q", len(inner)) + inner + data),
    }
    try:
        whole = files.keras({"conv1": {"conv1/kernel:0": TENSORS["conv1.weight"], "conv1/bias:0": np.ones(2)}})
    except ImportError:
        return found
    # The parts that say what is where lie before the values.
    return found | {"keras": Kind(whole, whole[:1024], lambda inner: inner + whole[1024:])}


def _with_blob(inner):
    layer = files.field(1, "ip") + files.field(2, "InnerProduct") + files.field(7, inner)
    return files.field(1, "net") + files.field(100, layer)


def mutations(kind, count, *, seed=0):
    """`count` damaged files, half of them damaged within and made whole around it."""
    chosen = random.Random(seed)
    for at in range(count):
        if at % 2:
            yield kind.rebuilt(damaged(kind.inner, chosen))
        else:
            yield damaged(kind.whole, chosen)


def damaged(data, chosen):
    """The bytes with one to four pieces of damage."""
    out = bytearray(data)
    for _ in range(chosen.randint(1, 4)):
        at = chosen.randrange(len(out) + 1)
        length = min(chosen.choice((1, 1, 2, 4, 8, 30, 200)), len(out) - at)
        match chosen.choice(("cut", "flip", "flip", "flip", "byte", "number", "number", "drop", "splice", "repeat")):
            case "cut":
                if chosen.random() < 0.3:
                    del out[at:]
            case "flip":
                if at < len(out):
                    out[at] ^= 1 << chosen.randrange(8)
            case "byte":
                out[at : at + length] = chosen.randbytes(length)
            case "number":
                form = chosen.choice(("<B", "<H", "<I", "<Q", ">I"))
                size = struct.calcsize(form)
                value = (chosen.choice(NUMBERS) + chosen.randint(-1, 1)) % 256**size
                out[at : at + size] = struct.pack(form, value)
            case "drop":
                del out[at : at + length]
            case "splice":
                begin = chosen.randrange(len(out) + 1)
                out[at:at] = out[begin : begin + length]
            case "repeat":
                out[at : at + length] = out[at : at + length] * chosen.choice((2, 3, 50))
    return bytes(out)
