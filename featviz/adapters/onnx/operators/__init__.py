"""ONNX's operators in JAX, for what depends on the image; constants are folded by ONNX's reference implementation."""

from collections.abc import Mapping

from featviz.adapters.onnx.operators.call import Operator
from featviz.adapters.onnx.operators.discrete_fourier import FOURIER
from featviz.adapters.onnx.operators.elementwise import POINTWISE
from featviz.adapters.onnx.operators.grid_sampling import SAMPLING
from featviz.adapters.onnx.operators.microsoft import MICROSOFT
from featviz.adapters.onnx.operators.quantization import QUANTIZED
from featviz.adapters.onnx.operators.recurrent import RECURRENT
from featviz.adapters.onnx.operators.reductions import REDUCTIONS
from featviz.adapters.onnx.operators.reshaping import SHAPING
from featviz.adapters.onnx.operators.resize import RESIZING
from featviz.adapters.onnx.operators.scatters import SCATTERS
from featviz.adapters.onnx.operators.windows import WINDOWED

OPERATORS: Mapping[str, Operator] = {
    **POINTWISE, **REDUCTIONS, **SHAPING, **WINDOWED, **RESIZING, **QUANTIZED, **MICROSOFT,
    **FOURIER, **RECURRENT, **SAMPLING, **SCATTERS,
}  # fmt: skip
