"""ATen's elementwise operators: arithmetic, comparisons, bits, selections."""

import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy import special


def _complex(real: jax.Array, imaginary: jax.Array) -> jax.Array:
    return lax.complex(*jnp.broadcast_arrays(real, imaginary))


def _add(x: Any, y: Any, alpha: float = 1) -> jax.Array:
    return jnp.add(x, y if alpha == 1 else y * alpha)


def _subtract(x: Any, y: Any, alpha: float = 1) -> jax.Array:
    return jnp.subtract(x, y if alpha == 1 else y * alpha)


def _divide(x: Any, y: Any, rounding_mode: str | None = None) -> jax.Array:
    if rounding_mode == "floor":
        return jnp.floor_divide(x, y)
    if rounding_mode == "trunc":
        integers = jnp.issubdtype(jnp.result_type(x, y), jnp.integer)
        return lax.div(*jnp.broadcast_arrays(*_promoted(x, y))) if integers else jnp.trunc(jnp.true_divide(x, y))
    return jnp.true_divide(x, y)


def _promoted(x: Any, y: Any, *least: Any) -> tuple[jax.Array, jax.Array]:
    kind = jnp.result_type(x, y, *least)
    return jnp.asarray(x, kind), jnp.asarray(y, kind)


def _power(x: Any, exponent: Any) -> jax.Array:
    if isinstance(exponent, float) and not isinstance(x, int | float):
        x = x.astype(jnp.result_type(x, jnp.float32))
    # An integer exponent is a product, whose gradient is exact for negative bases as well.
    if isinstance(exponent, float) and exponent.is_integer() and abs(exponent) < 64:
        exponent = int(exponent)
    if isinstance(exponent, float) and exponent == 0.5:
        return jnp.sqrt(x)
    return jnp.power(jnp.asarray(x, float) if isinstance(exponent, int) and exponent < 0 else x, exponent)


def _clamp(x: jax.Array, min: Any = None, max: Any = None) -> jax.Array:
    return jnp.clip(x, min, max)


def _lerp(start: jax.Array, end: jax.Array, weight: Any) -> jax.Array:
    return start + weight * (end - start)


def _addcmul(x: jax.Array, a: jax.Array, b: jax.Array, value: float = 1) -> jax.Array:
    return x + value * a * b


def _addcdiv(x: jax.Array, a: jax.Array, b: jax.Array, value: float = 1) -> jax.Array:
    return x + value * a / b


def _round(x: jax.Array, decimals: int = 0) -> jax.Array:
    if decimals == 0 or not jnp.issubdtype(x.dtype, jnp.floating):
        return jnp.round(x)
    factor = 10.0 ** abs(decimals)
    return jnp.round(x * factor) / factor if decimals > 0 else jnp.round(x / factor) * factor


def _absolute(x: jax.Array) -> jax.Array:
    # JAX's slope at zero is one.
    return x * jnp.sign(x) if jnp.issubdtype(x.dtype, jnp.floating) else jnp.abs(x)


def _sign(x: jax.Array) -> jax.Array:
    """The sign, zero for what is no number."""
    if x.dtype == bool:
        return x
    return jnp.nan_to_num(jnp.sign(x)) if jnp.issubdtype(x.dtype, jnp.floating) else jnp.sign(x)


def _direction(x: jax.Array) -> jax.Array:
    """The sign; of complex numbers the one of length one in their direction."""
    if not jnp.issubdtype(x.dtype, jnp.complexfloating):
        return _sign(x)
    return x / jnp.where(x == 0, 1.0, jnp.abs(x))


def _x_log_y(x: Any, y: Any) -> jax.Array:
    return special.xlogy(*_promoted(x, y, jnp.float32))


def _chosen(prefers: Callable[[Any, Any], jax.Array]) -> Callable[..., jax.Array]:
    """`fmax` and `fmin`: the first operand where it is preferred or the second is no number."""

    def run(x: jax.Array, y: jax.Array) -> jax.Array:
        x, y = _promoted(x, y)
        return jnp.where(prefers(x, y) | jnp.isnan(y), x, y)

    return run


def _polar(length: jax.Array, angle: jax.Array) -> jax.Array:
    return lax.complex(*jnp.broadcast_arrays(length * jnp.cos(angle), length * jnp.sin(angle)))


def _places(condition: jax.Array) -> jax.Array:
    raise NotImplementedError("the places where something is true, whose number depends on the values")


def _where(condition: jax.Array, x: Any, y: Any) -> jax.Array:
    return jnp.where(condition, x, y)


def _masked_fill(x: jax.Array, mask: jax.Array, value: Any) -> jax.Array:
    return jnp.where(mask, jnp.asarray(value, x.dtype), x)


def _nan_to_num(x: jax.Array, nan: float | None = None, posinf: Any = None, neginf: Any = None) -> jax.Array:
    return jnp.nan_to_num(x, nan=nan or 0.0, posinf=posinf, neginf=neginf)


def _logit(x: jax.Array, eps: float | None = None) -> jax.Array:
    return special.logit(x if eps is None else jnp.clip(x, eps, 1 - eps))


def _is_close(x: jax.Array, y: jax.Array, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> jax.Array:
    return jnp.isclose(x, y, rtol, atol, equal_nan)


def _bitwise_or_logical(bits: Callable[..., jax.Array], truth: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """An operator that is bitwise on integers and logical on booleans."""

    def run(*operands: Any) -> jax.Array:
        booleans = all(jnp.issubdtype(jnp.result_type(operand), jnp.bool_) for operand in operands)
        return (truth if booleans else bits)(*operands)

    return run


_and = _bitwise_or_logical(jnp.bitwise_and, jnp.logical_and)
_or = _bitwise_or_logical(jnp.bitwise_or, jnp.logical_or)
_xor = _bitwise_or_logical(jnp.bitwise_xor, jnp.logical_xor)
_not = _bitwise_or_logical(jnp.bitwise_not, jnp.logical_not)

# Operators of one array that JAX has under its own name.
UNARY: dict[str, Callable[..., Any]] = {
    "abs": _absolute, "absolute": _absolute, "neg": jnp.negative, "negative": jnp.negative, "positive": jnp.positive,
    "exp": jnp.exp, "exp2": jnp.exp2, "expm1": jnp.expm1, "special_expm1": jnp.expm1, "log": jnp.log,
    "log2": jnp.log2, "log10": jnp.log10, "log1p": jnp.log1p, "sqrt": jnp.sqrt, "rsqrt": lax.rsqrt,
    "square": jnp.square, "reciprocal": jnp.reciprocal, "sin": jnp.sin, "cos": jnp.cos, "tan": jnp.tan,
    "asin": jnp.arcsin, "acos": jnp.arccos, "atan": jnp.arctan, "sinh": jnp.sinh, "cosh": jnp.cosh,
    "asinh": jnp.arcsinh, "acosh": jnp.arccosh, "atanh": jnp.arctanh, "arctan": jnp.arctan, "erf": lax.erf,
    "special_erf": lax.erf, "erfc": lax.erfc, "erfinv": lax.erf_inv, "floor": jnp.floor, "ceil": jnp.ceil,
    "trunc": jnp.trunc, "frac": lambda x: x - jnp.trunc(x), "sign": _sign, "sgn": _direction,
    "isnan": jnp.isnan, "isinf": jnp.isinf, "isfinite": jnp.isfinite, "logical_not": jnp.logical_not,
    "sinc": jnp.sinc, "special_sinc": jnp.sinc, "deg2rad": jnp.deg2rad, "rad2deg": jnp.rad2deg,
    "lgamma": lax.lgamma, "digamma": lax.digamma, "special_ndtr": special.ndtr, "special_ndtri": special.ndtri,
    "special_log_ndtr": special.log_ndtr, "special_entr": special.entr, "i0": special.i0, "special_i0": special.i0,
    "special_i0e": special.i0e, "special_i1": special.i1, "special_i1e": special.i1e, "isposinf": jnp.isposinf,
    "isneginf": jnp.isneginf, "signbit": jnp.signbit, "real": jnp.real, "imag": jnp.imag, "conj": jnp.conj,
    "_conj": jnp.conj, "conj_physical": jnp.conj, "resolve_conj": jnp.asarray, "resolve_neg": jnp.asarray,
    "angle": jnp.angle, "view_as_real": lambda x: jnp.stack([x.real, x.imag], -1),
    "view_as_complex": lambda x: lax.complex(x[..., 0], x[..., 1]), "complex": _complex,
    "bitwise_not": _not, "round": _round, "nan_to_num": _nan_to_num, "logit": _logit, "special_logit": _logit,
}  # fmt: skip

BINARY: dict[str, Callable[..., Any]] = {
    "add": _add, "sub": _subtract, "subtract": _subtract, "rsub": lambda x, y, alpha=1: _subtract(y, x, alpha),
    "mul": jnp.multiply, "multiply": jnp.multiply, "div": _divide, "divide": _divide, "true_divide": jnp.true_divide,
    "floor_divide": jnp.floor_divide, "remainder": jnp.mod, "fmod": jnp.fmod, "pow": _power,
    "float_power": _power, "maximum": jnp.maximum, "minimum": jnp.minimum, 
    "fmax": _chosen(operator.ge), "fmin": _chosen(operator.le),
    "max.other": jnp.maximum, "min.other": jnp.minimum, "atan2": jnp.arctan2, "arctan2": jnp.arctan2,
    "hypot": jnp.hypot, "copysign": jnp.copysign, "logaddexp": jnp.logaddexp, "xlogy": _x_log_y,
    "special_xlogy": _x_log_y, "special_xlog1py": special.xlog1py, "logaddexp2": jnp.logaddexp2, "polar": _polar,
    "gcd": jnp.gcd, "lcm": jnp.lcm, "ldexp": lambda x, y: x * 2.0**y, "nextafter": jnp.nextafter,
    "igamma": lax.igamma, "igammac": lax.igammac, "special_zeta": special.zeta,
    "polygamma": special.polygamma, "special_polygamma": special.polygamma,
    "eq": jnp.equal, "ne": jnp.not_equal, "not_equal": jnp.not_equal, "lt": jnp.less, "le": jnp.less_equal,
    "gt": jnp.greater, "ge": jnp.greater_equal, "less": jnp.less, "greater": jnp.greater,
    "logical_and": jnp.logical_and, "logical_or": jnp.logical_or, "logical_xor": jnp.logical_xor,
    "bitwise_and": _and, "bitwise_or": _or, "bitwise_xor": _xor, "__and__": _and, "__or__": _or, "__xor__": _xor,
    "__iand__": _and, "__ior__": _or, "__ixor__": _xor, "__ilshift__": jnp.left_shift, "__irshift__": jnp.right_shift,
    "bitwise_left_shift": jnp.left_shift, "bitwise_right_shift": jnp.right_shift, "__lshift__": jnp.left_shift,
    "__rshift__": jnp.right_shift, "isclose": _is_close, "heaviside": jnp.heaviside,
}  # fmt: skip

ELEMENTWISE: dict[str, Callable[..., Any]] = {
    **UNARY,
    **BINARY,
    "clamp": _clamp,
    "clip": _clamp,
    "clamp_min": lambda x, bound: jnp.maximum(x, bound),
    "clamp_max": lambda x, bound: jnp.minimum(x, bound),
    "lerp": _lerp,
    "addcmul": _addcmul,
    "addcdiv": _addcdiv,
    "where": _where,
    "where.default": _places,
    "masked_fill": _masked_fill,
}
