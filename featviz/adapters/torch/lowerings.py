"""Operators of PyTorch that torchax computes otherwise than PyTorch does."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax import lax

if TYPE_CHECKING:
    from torchax.tensor import Environment


def correct(environment: "Environment") -> "Environment":
    """The same environment with these operators as PyTorch defines them."""
    import torch

    def average_pool(x: Any, *args: Any, **kwargs: Any) -> Any:
        return environment.j2t_iso(_average(x.jax(), *args, **kwargs))

    aten = torch.ops.aten
    for operator in (aten.avg_pool1d, aten.avg_pool2d, aten.avg_pool3d):
        environment.override_op_definition(operator, average_pool)
    return environment


def _average(
    x: jax.Array,
    kernel_size: Sequence[int],
    stride: Sequence[int] = (),
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> jax.Array:
    """Average pooling over the last axes, by PyTorch's rules about what a window at the edge is divided by.

    Padding counts unless `count_include_pad` is False; what `ceil_mode` adds behind it never does, which torchax 0.0.14
    forgets in corners.

    >>> _average(jax.numpy.arange(5.0).reshape(1, 1, 5), [2], [2], [0], True).ravel().tolist()
    [0.5, 2.5, 4.0]
    """
    rank = len(kernel_size)
    strides = tuple(stride) or tuple(kernel_size)
    paddings = (padding,) * rank if isinstance(padding, int) else tuple(padding) * (rank // len(padding))
    pads, count = [], np.ones((), np.float32)
    for size, window, step, pad in zip(x.shape[-rank:], kernel_size, strides, paddings, strict=True):
        windows = (size + 2 * pad - window + (step - 1) * ceil_mode) // step + 1
        # The last window must begin on the image or on the padding before it.
        windows -= bool(ceil_mode and (windows - 1) * step >= size + pad)
        first = np.arange(windows) * step - pad
        last = np.minimum(first + window, size + pad)
        inside = last - first if count_include_pad else np.minimum(last, size) - np.maximum(first, 0)
        count = count[..., None] * inside.astype(np.float32)
        pads.append((pad, max(0, int(first[-1]) + window - size)))
    lead = x.ndim - rank
    ones, zeros = (1,) * lead, ((0, 0),) * lead
    total = lax.reduce_window(x, 0.0, lax.add, (*ones, *kernel_size), (*ones, *strides), (*zeros, *pads))
    return total / (divisor_override or count.reshape(*ones, *count.shape))
