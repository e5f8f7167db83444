"""ONNX operators that slide a window over an image: convolutions and poolings, padded as their attributes say."""

import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from featviz.adapters.onnx.operators.call import Array, Call, Operator
from featviz.adapters.torch.operators.aten_convolutions import CONVOLUTIONS


class Windows(NamedTuple):
    """For each spatial axis: the window's size, its stride and dilation, the padding before and behind.

    `beyond` is the further padding behind that `ceil_mode`'s last window needs; it never counts in an average.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    beyond: tuple[int, ...]


def windows(call: Call, sizes: Sequence[int], kernel: Sequence[int]) -> Windows:
    """The windows of a node over an input of these spatial sizes.

    >>> windows(Call((), {"pads": [1, 1], "strides": [2], "ceil_mode": 1}, 18), [6], [3]).beyond
    (1,)
    """
    rank = len(sizes)
    strides, dilations = tuple(call.get("strides", (1,) * rank)), tuple(call.get("dilations", (1,) * rank))
    spans = [dilation * (size - 1) + 1 for dilation, size in zip(dilations, kernel, strict=True)]
    automatic = call.get("auto_pad", "NOTSET")
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        totals = [
            max(0, (-(-size // stride) - 1) * stride + span - size)
            for size, stride, span in zip(sizes, strides, spans, strict=True)
        ]
        pads = [_halves(total, lower=automatic == "SAME_LOWER") for total in totals]
    else:
        numbers = tuple(call.get("pads", (0,) * (2 * rank))) if automatic == "NOTSET" else (0,) * (2 * rank)
        pads = list(zip(numbers[:rank], numbers[rank:], strict=True))
    beyond = [0] * rank
    if call.get("ceil_mode", 0):
        for axis, (size, stride, span, (low, high)) in enumerate(zip(sizes, strides, spans, pads, strict=True)):
            count = -(-(size + low + high - span) // stride) + 1
            # A window must not begin behind the input's end.
            count -= (count - 1) * stride >= size + low
            beyond[axis] = max(0, (count - 1) * stride + span - size - low - high)
    return Windows(tuple(kernel), strides, dilations, tuple(pads), tuple(beyond))


def _halves(total: int, *, lower: bool) -> tuple[int, int]:
    less, more = total // 2, total - total // 2
    return (more, less) if lower else (less, more)


def _add_bias(x: Array, bias: Array | None) -> Array:
    return x if bias is None else x + jnp.reshape(bias, (1, -1) + (1,) * (x.ndim - 2))


def _convolve(call: Call) -> Array:
    x, kernel = call.inputs[0], call.inputs[1]
    window = windows(call, x.shape[2:], kernel.shape[2:])
    output = lax.conv_general_dilated(
        x, kernel, window.strides, window.pads, rhs_dilation=window.dilations, feature_group_count=call.get("group", 1)
    )
    return _add_bias(output, call.input(2))


def _convolve_transposed(call: Call) -> Array:
    """A convolution of the dilated input with the flipped kernel."""
    x, kernel, groups = call.inputs[0], call.inputs[1], call.get("group", 1)
    rank, spatial = x.ndim - 2, tuple(range(2, x.ndim))
    window = windows(call, x.shape[2:], kernel.shape[2:])
    output_padding = call.get("output_padding", (0,) * rank)
    spans = [dilation * (size - 1) for dilation, size in zip(window.dilations, window.kernel, strict=True)]
    pads = list(window.pads)
    if call.get("output_shape", None) is not None or call.get("auto_pad", "NOTSET").startswith("SAME"):
        wanted = call.get(
            "output_shape", [size * stride for size, stride in zip(x.shape[2:], window.strides, strict=True)]
        )
        lower = call.get("auto_pad", "NOTSET") != "SAME_UPPER"
        for axis in range(rank):
            full = window.strides[axis] * (x.shape[2 + axis] - 1) + output_padding[axis] + spans[axis] + 1
            total = full - wanted[axis]
            pads[axis] = _halves(total, lower=lower)
    # (in, out per group, ...) -> (out, in per group, ...)
    flipped = kernel.reshape(groups, kernel.shape[0] // groups, *kernel.shape[1:]).swapaxes(1, 2)
    flipped = jnp.flip(flipped.reshape(-1, kernel.shape[0] // groups, *kernel.shape[2:]), spatial)
    output = lax.conv_general_dilated(
        x,
        flipped,
        (1,) * rank,
        [(span - low, span - high + add) for span, (low, high), add in zip(spans, pads, output_padding, strict=True)],
        lhs_dilation=window.strides,
        rhs_dilation=window.dilations,
        feature_group_count=groups,
    )
    return _add_bias(output, call.input(2))


def _pool(x: Array, window: Windows, start: float, combine: Callable[..., Array]) -> Array:
    pads = [(low, high + more) for (low, high), more in zip(window.pads, window.beyond, strict=True)]
    return lax.reduce_window(
        x, start, combine, (1, 1, *window.kernel), (1, 1, *window.strides), [(0, 0), (0, 0), *pads],
        window_dilation=(1, 1, *window.dilations),
    )  # fmt: skip


def _max_pool(call: Call) -> Array | tuple[Array, Array]:
    x = call.inputs[0]
    window = windows(call, x.shape[2:], call.attributes["kernel_shape"])
    return _pool(x, window, -jnp.inf, lax.max) if call.outputs == 1 else _find_largest(call, x, window)


def _find_largest(call: Call, x: Array, window: Windows) -> tuple[Array, Array]:
    """The maxima and where in the whole array they are."""
    if call.get("storage_order", 0):
        raise ValueError("its indices are in column-major order; expected storage_order=0")
    pads = [(0, 0), (0, 0), *((low, high + more) for (low, high), more in zip(window.pads, window.beyond, strict=True))]
    padded = jnp.pad(x, pads, constant_values=-jnp.inf)
    places = np.pad(np.arange(math.prod(x.shape)).reshape(x.shape), pads)
    counts = [
        (size - dilation * (kernel - 1) - 1) // stride + 1
        for size, kernel, stride, dilation in zip(
            padded.shape[2:], window.kernel, window.strides, window.dilations, strict=True
        )
    ]
    taps: list[Any] = [
        (..., *(
            slice(dilation * tap, dilation * tap + stride * (count - 1) + 1, stride)
            for tap, dilation, stride, count in zip(offsets, window.dilations, window.strides, counts, strict=True)
        ))
        for offsets in np.ndindex(*window.kernel)
    ]  # fmt: skip
    values = jnp.stack([padded[tap] for tap in taps])
    first = jnp.argmax(values, 0)[None]
    found = jnp.take_along_axis(jnp.asarray(np.stack([places[tap] for tap in taps])), first, 0)[0]
    return jnp.take_along_axis(values, first, 0)[0], found


def _max_unpool(call: Call) -> Array:
    """The array whose maxima were pooled, zero elsewhere."""
    x, indices = call.inputs[:2]
    window = windows(call, x.shape[2:], call.attributes["kernel_shape"])
    sizes = [
        (size - 1) * stride + kernel - low - high
        for size, stride, kernel, (low, high) in zip(
            x.shape[2:], window.strides, window.kernel, window.pads, strict=True
        )
    ]
    shape = call.static_ints(2) or (*x.shape[:2], *sizes)
    # Indices are those of the size that the pooling saw; a larger one is asked for only to hold them.
    flat = jnp.zeros(math.prod((*x.shape[:2], *sizes))).at[jnp.ravel(indices)].set(jnp.ravel(x))
    output = flat.reshape(*x.shape[:2], *sizes)
    return jnp.pad(output, [(0, wanted - size) for wanted, size in zip(shape, output.shape, strict=True)])


def _sum_blocks(call: Call) -> Array:
    """Col2Im: the sum of overlapping windows, as PyTorch's `fold` gives it."""
    size, kernel = call.static_ints(1) or (), call.static_ints(2) or ()
    if len(size) != 2:
        raise ValueError(f"its image has {len(size)} axes; expected 2")
    window = windows(call, size, kernel)
    if any(low != high for low, high in window.pads):
        raise ValueError("its pads differ from side to side; expected the same")
    pads = tuple(low for low, _ in window.pads)
    return CONVOLUTIONS["col2im"](call.inputs[0], size, kernel, window.dilations, pads, window.strides)


def _average_pool(call: Call) -> Array:
    x = call.inputs[0]
    window = windows(call, x.shape[2:], call.attributes["kernel_shape"])
    total = _pool(x, window, 0.0, lax.add)
    if call.get("count_include_pad", 0) and not any(window.beyond):
        return total / math.prod(window.kernel)
    counts = [
        _counts(size, window, axis, bool(call.get("count_include_pad", 0))) for axis, size in enumerate(x.shape[2:])
    ]
    return total / reduce(np.multiply.outer, counts).astype(np.float32)


def _counts(size: int, window: Windows, axis: int, padding: bool) -> np.ndarray:
    """The number of elements in each window along an axis, with the padding or without."""
    (low, high), more = window.pads[axis], window.beyond[axis]
    counted = np.concatenate([np.full(low, padding), np.ones(size, bool), np.full(high, padding), np.zeros(more, bool)])
    span = window.dilations[axis] * (window.kernel[axis] - 1) + 1
    inside = np.lib.stride_tricks.sliding_window_view(counted, span)[:: window.strides[axis], :: window.dilations[axis]]
    return inside.sum(1)


def _lp_pool(call: Call) -> Array:
    x, power = call.inputs[0], call.get("p", 2)
    window = windows(call, x.shape[2:], call.attributes["kernel_shape"])
    return _pool(jnp.abs(x) ** power, window, 0.0, lax.add) ** (1.0 / power)


def _global_average(call: Call) -> Array:
    return jnp.mean(call.inputs[0], axis=tuple(range(2, call.inputs[0].ndim)), keepdims=True)


def _global_max(call: Call) -> Array:
    return jnp.max(call.inputs[0], axis=tuple(range(2, call.inputs[0].ndim)), keepdims=True)


WINDOWED: dict[str, Operator] = {
    "Conv": _convolve, "ConvTranspose": _convolve_transposed, "MaxPool": _max_pool, "AveragePool": _average_pool,
    "LpPool": _lp_pool, "GlobalAveragePool": _global_average, "GlobalMaxPool": _global_max, "MaxUnpool": _max_unpool,
    "Col2Im": _sum_blocks,
}  # fmt: skip
