"""Where the windows of ONNX's convolutions and poolings lie: padding as the attributes say it."""

from collections.abc import Sequence
from typing import NamedTuple

from featviz.adapters.onnx.operators.call import Call


class Windows(NamedTuple):
    """Of each spatial axis: the window's size, its stride and dilation, the padding before and behind.

    `beyond` is what must be added behind so that `ceil_mode`'s last window fits: it holds no numbers.
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
            # A window that would begin behind the input's end is none.
            count -= (count - 1) * stride >= size + low
            beyond[axis] = max(0, (count - 1) * stride + span - size - low - high)
    return Windows(tuple(kernel), strides, dilations, tuple(pads), tuple(beyond))


def _halves(total: int, *, lower: bool) -> tuple[int, int]:
    less, more = total // 2, total - total // 2
    return (more, less) if lower else (less, more)
