"""ONNX operators that read between pixels: on a grid, and where offsets say. They are those of PyTorch."""

import jax.numpy as jnp

from featviz.adapters.onnx.operators.call import Array, Call, Operator
from featviz.adapters.torch.operators.aten_resampling import RESAMPLING
from featviz.adapters.torch.operators.deformable_convolutions import DEFORMABLE

INTERPOLATIONS = {"bilinear": 0, "linear": 0, "nearest": 1, "bicubic": 2, "cubic": 2}
PADDINGS = {"zeros": 0, "border": 1, "reflection": 2}


def _grid_sample(call: Call) -> Array:
    x, grid = call.inputs
    mode, padding = INTERPOLATIONS[call.get("mode", "linear")], PADDINGS[call.get("padding_mode", "zeros")]
    return RESAMPLING["grid_sampler"](
        jnp.asarray(x), jnp.asarray(grid), mode, padding, bool(call.get("align_corners", 0))
    )


def _affine_grid(call: Call) -> Array:
    size = call.static_ints(1) or ()
    return RESAMPLING["affine_grid_generator"](call.inputs[0], size, bool(call.get("align_corners", 0)))


def _deformable(call: Call) -> Array:
    x, kernel, offset = call.inputs[:3]
    bias, mask = call.input(3), call.input(4)
    if x.ndim != 4:
        raise ValueError(f"its input has {x.ndim} axes; expected 4")
    low, left, high, right = call.get("pads", (0,) * 4)
    if (low, left) != (high, right):
        raise ValueError("its pads differ from side to side; expected the same")
    bias = jnp.zeros(kernel.shape[0]) if bias is None else bias
    strides, dilations = call.get("strides", (1, 1)), call.get("dilations", (1, 1))
    return DEFORMABLE["deform_conv2d"](
        x, kernel, offset, mask, bias, *strides, low, left, *dilations,
        call.get("group", 1), call.get("offset_group", 1), mask is not None,
    )  # fmt: skip


SAMPLING: dict[str, Operator] = {"GridSample": _grid_sample, "AffineGrid": _affine_grid, "DeformConv": _deformable}
