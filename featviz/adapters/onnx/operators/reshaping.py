"""ONNX operators that move values without computing: reshape, slice, gather, pad and their like."""

import math

import jax.numpy as jnp
import numpy as np
from jax import lax

from featviz.adapters.onnx.operators.call import Array, Call, Operator

# `numpy.pad` of ONNX's modes.
MODES = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}


def _reshape(call: Call) -> Array:
    x, shape = call.inputs[0], list(call.static_ints(1, attribute="shape") or ())
    if not call.get("allowzero", 0):
        shape = [x.shape[index] if size == 0 else size for index, size in enumerate(shape)]
    return jnp.reshape(x, shape)


def _flatten(call: Call) -> Array:
    x, axis = call.inputs[0], call.get("axis", 1)
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


def _squeeze(call: Call) -> Array:
    return jnp.squeeze(call.inputs[0], call.static_ints(1, attribute="axes"))


def _unsqueeze(call: Call) -> Array:
    return jnp.expand_dims(call.inputs[0], call.static_ints(1, attribute="axes") or ())


def _expand(call: Call) -> Array:
    x, shape = call.inputs[0], call.static_ints(1) or ()
    return jnp.broadcast_to(x, np.broadcast_shapes(x.shape, shape))


def _concatenate(call: Call) -> Array:
    return jnp.concatenate([jnp.asarray(value) for value in call.inputs], call.get("axis", 1))


def _split(call: Call) -> tuple[Array, ...]:
    x, axis = call.inputs[0], call.get("axis", 0)
    sizes = call.static_ints(1, attribute="split")
    if sizes is None:
        size = -(-x.shape[axis] // call.outputs)
        return tuple(jnp.split(x, list(range(size, x.shape[axis], size)), axis))
    return tuple(jnp.split(x, np.cumsum(sizes)[:-1].tolist(), axis))


def _slice(call: Call) -> Array:
    x = call.inputs[0]
    starts, ends = call.static_ints(1, attribute="starts") or (), call.static_ints(2, attribute="ends") or ()
    axes = call.static_ints(3, attribute="axes") or tuple(range(len(starts)))
    steps = call.static_ints(4) or (1,) * len(starts)
    slices = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        # With a negative step, an end before the first element is below -size.
        last = None if step < 0 and end < -x.shape[axis] else end
        slices[axis] = slice(start, last, step)
    return jnp.asarray(x)[tuple(slices)]


def _gather(call: Call) -> Array:
    x, index, axis = jnp.asarray(call.inputs[0]), call.inputs[1], call.get("axis", 0)
    if isinstance(index, np.ndarray) and index.ndim == 0:
        return lax.index_in_dim(x, int(index), axis, keepdims=False)
    size = x.shape[axis]
    if not isinstance(index, np.ndarray):
        return jnp.take(x, jnp.where(index < 0, index + size, index), axis)
    index = np.where(index < 0, index + size, index)
    if np.array_equal(index.reshape(-1), np.arange(size)):
        # Views of memory are exported as such gathers. Reshaped, an array's axes can be followed.
        axis = axis % x.ndim
        return jnp.reshape(x, (*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]))
    return jnp.take(x, index, axis)


def _gather_elements(call: Call) -> Array:
    x, index, axis = jnp.asarray(call.inputs[0]), call.inputs[1], call.get("axis", 0)
    # Rows beyond the shape of the index are dropped.
    indices = list(jnp.indices(index.shape, sparse=True))
    indices[axis] = index
    return x[tuple(indices)]


def _gather_nd(call: Call) -> Array:
    x, index, batch = jnp.asarray(call.inputs[0]), jnp.asarray(call.inputs[1]), call.get("batch_dims", 0)
    batch_indices = [
        indices.reshape(indices.shape + (1,) * (index.ndim - 1 - batch))
        for indices in jnp.indices(index.shape[:batch], sparse=True)
    ]
    return x[(*batch_indices, *jnp.moveaxis(index, -1, 0))]


def _pad(call: Call) -> Array:
    x, mode = call.inputs[0], call.get("mode", "constant")
    pads = call.static_ints(1, attribute="pads" if call.opset >= 2 else "paddings") or ()
    axes = call.static_ints(3) or tuple(range(x.ndim))
    widths = [(0, 0)] * x.ndim
    for axis, low, high in zip(axes, pads, pads[len(axes) :], strict=False):
        widths[axis] = (low, high)
    # Negative pads cut.
    x = x[tuple(slice(max(0, -low), size - max(0, -high)) for (low, high), size in zip(widths, x.shape, strict=True))]
    widths = [(max(0, low), max(0, high)) for low, high in widths]
    if mode != "constant":
        return jnp.pad(x, widths, mode=MODES[mode])
    value = call.static(2) if call.opset >= 11 else np.asarray(call.get("value", 0.0))
    return jnp.pad(x, widths, constant_values=0.0 if value is None else value.item())


def _depth_to_space(call: Call) -> Array:
    x, block = call.inputs[0], call.attributes["blocksize"]
    n, c, h, w = x.shape
    if call.get("mode", "DCR") == "DCR":
        parts = x.reshape(n, block, block, c // block**2, h, w).transpose(0, 3, 4, 1, 5, 2)
    else:
        parts = x.reshape(n, c // block**2, block, block, h, w).transpose(0, 1, 4, 2, 5, 3)
    return parts.reshape(n, c // block**2, h * block, w * block)


def _space_to_depth(call: Call) -> Array:
    x, block = call.inputs[0], call.attributes["blocksize"]
    n, c, h, w = x.shape
    parts = x.reshape(n, c, h // block, block, w // block, block)
    parts = parts.transpose(0, 3, 5, 1, 2, 4) if call.get("mode", "DCR") == "DCR" else parts.transpose(0, 1, 3, 5, 2, 4)
    return parts.reshape(n, c * block**2, h // block, w // block)


def _triangle(call: Call) -> Array:
    offset = (call.static_ints(1) or (0,))[0]
    return (jnp.triu if call.get("upper", 1) else jnp.tril)(call.inputs[0], offset)


def _dropout(call: Call) -> tuple[Array, ...]:
    # As at inference, nothing is dropped.
    return (call.inputs[0], jnp.ones(call.inputs[0].shape, bool))[: call.outputs]


def _transpose(call: Call) -> Array:
    return jnp.transpose(call.inputs[0], call.get("perm", None))


def _tile(call: Call) -> Array:
    return jnp.tile(call.inputs[0], call.static_ints(1) or ())


SHAPING: dict[str, Operator] = {
    "Reshape": _reshape, "Flatten": _flatten, "Squeeze": _squeeze, "Unsqueeze": _unsqueeze, "Expand": _expand,
    "Concat": _concatenate, "Split": _split, "Slice": _slice, "Gather": _gather, "GatherElements": _gather_elements,
    "GatherND": _gather_nd, "Pad": _pad, "DepthToSpace": _depth_to_space, "SpaceToDepth": _space_to_depth,
    "Trilu": _triangle, "Dropout": _dropout, "Transpose": _transpose, "Tile": _tile,
}  # fmt: skip
