"""ONNX's operators in JAX: what a network does with its image. Constants are worked out by ONNX's own reference."""

from collections.abc import Mapping

from featviz.adapters.onnx_operators.call import Operator
from featviz.adapters.onnx_operators.linear import LINEAR
from featviz.adapters.onnx_operators.normalization import NORMALIZATION
from featviz.adapters.onnx_operators.pointwise import POINTWISE
from featviz.adapters.onnx_operators.pooling import POOLING
from featviz.adapters.onnx_operators.reductions import REDUCTIONS
from featviz.adapters.onnx_operators.resizing import RESIZING
from featviz.adapters.onnx_operators.shaping import SHAPING

OPERATORS: Mapping[str, Operator] = {
    **POINTWISE, **REDUCTIONS, **SHAPING, **LINEAR, **POOLING, **NORMALIZATION, **RESIZING
}  # fmt: skip
