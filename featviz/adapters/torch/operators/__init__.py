"""ATen's operators as functions of JAX: `find_operator` gives the one of a name."""

from collections.abc import Callable
from typing import Any

from featviz.adapters.torch.operators.aten_activations import ACTIVATIONS
from featviz.adapters.torch.operators.aten_convolutions import CONVOLUTIONS
from featviz.adapters.torch.operators.aten_creation import CREATION
from featviz.adapters.torch.operators.aten_elementwise import ELEMENTWISE
from featviz.adapters.torch.operators.aten_fourier import FOURIER
from featviz.adapters.torch.operators.aten_indexing import INDEXING
from featviz.adapters.torch.operators.aten_linear_algebra import LINEAR_ALGEBRA
from featviz.adapters.torch.operators.aten_norms import NORMS
from featviz.adapters.torch.operators.aten_pools import POOLS
from featviz.adapters.torch.operators.aten_products import PRODUCTS
from featviz.adapters.torch.operators.aten_quantization import QUANTIZATION
from featviz.adapters.torch.operators.aten_random import RANDOM, SOMETIMES, draws_numbers
from featviz.adapters.torch.operators.aten_reductions import REDUCTIONS
from featviz.adapters.torch.operators.aten_resampling import RESAMPLING
from featviz.adapters.torch.operators.aten_scatters import SCATTERS
from featviz.adapters.torch.operators.aten_shapes import SHAPES
from featviz.adapters.torch.operators.deformable_convolutions import DEFORMABLE

__all__ = ["OPERATORS", "draws_numbers", "find_operator", "takes_draw"]

OPERATORS: dict[str, Callable[..., Any]] = {
    **ELEMENTWISE, **ACTIVATIONS, **CONVOLUTIONS, **PRODUCTS, **NORMS, **POOLS, **REDUCTIONS, **SHAPES, **INDEXING,
    **SCATTERS, **RESAMPLING, **CREATION, **RANDOM, **FOURIER, **LINEAR_ALGEBRA, **QUANTIZATION,
    **DEFORMABLE,
}  # fmt: skip
_DRAWING = frozenset(OPERATORS[name] for name in (*RANDOM, *SOMETIMES))


def takes_draw(function: Callable[..., Any]) -> bool:
    """Whether a function may draw random numbers, and is told which of the network's draws it is, as `draw`."""
    return function in _DRAWING


def find_operator(name: str) -> Callable[..., Any] | None:
    """The function of an operator of ATen, None where there is none.

    An overload has its own function, or that of its operator; `view_copy` is `view`, and `relu_` is `relu`, since the
    graph is functional.

    Args:
        name: `conv2d.default`, say, the operator and its overload.

    >>> find_operator("view_copy.default") is find_operator("view.default"), find_operator("nonzero.default")
    (True, None)
    """
    operator, _, overload = name.partition(".")
    plain = operator.removesuffix("_")
    names = name, operator, f"{plain}.{overload}", plain, plain.removesuffix("_copy")
    return next((OPERATORS[known] for known in names if known in OPERATORS), None)
