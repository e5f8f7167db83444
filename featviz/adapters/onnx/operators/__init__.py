"""ONNX's operators in JAX: what a network does with its image. Constants are worked out by ONNX's own reference."""

from collections.abc import Mapping

from featviz.adapters.onnx.operators.call import Operator
from featviz.adapters.onnx.operators.elementwise import POINTWISE
from featviz.adapters.onnx.operators.normalization import NORMALIZATION
from featviz.adapters.onnx.operators.pooling import POOLING
from featviz.adapters.onnx.operators.products import LINEAR
from featviz.adapters.onnx.operators.reductions import REDUCTIONS
from featviz.adapters.onnx.operators.reshaping import SHAPING
from featviz.adapters.onnx.operators.resize import RESIZING

OPERATORS: Mapping[str, Operator] = {
    **POINTWISE, **REDUCTIONS, **SHAPING, **LINEAR, **POOLING, **NORMALIZATION, **RESIZING
}  # fmt: skip
