"""ATen's elementwise operators and activation functions against PyTorch's own."""

import math

import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")

from hypothesis import assume, given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from support.aten import SEEDS, assert_operator, find_overload, normal, property_test  # noqa: E402

pytestmark = pytest.mark.frameworks

SPECIAL = [float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -1.0, 1.0, 30.0, -30.0, 100.0]
# Operators of any number, of those in ]0, 1[, and of those above one.
ANYWHERE = [
    "abs", "neg", "exp", "exp2", "expm1", "sin", "cos", "tan", "atan", "sinh", "cosh", "asinh", "erf", "erfc",
    "floor", "ceil", "trunc", "frac", "sign", "sgn", "square", "sinc", "deg2rad", "rad2deg", "sigmoid", "tanh",
    "relu", "relu6", "selu", "celu", "elu", "gelu", "silu", "mish", "softplus", "hardtanh", "hardsigmoid",
    "hardswish", "log_sigmoid", "leaky_relu", "softshrink", "hardshrink", "reciprocal", "round", "logical_not",
    "isnan", "isinf", "isfinite", "isposinf", "isneginf", "signbit", "nan_to_num", "positive", "digamma",
    "special_entr", "special_ndtr", "special_i0e", "special_i1e", "rrelu",
]  # fmt: skip
INSIDE = [
    "log", "log2", "log10", "log1p", "sqrt", "rsqrt", "asin", "acos", "atanh", "erfinv", "lgamma", "logit",
    "special_ndtri", "special_log_ndtr", "i0",
]  # fmt: skip
ABOVE = ["acosh", "log", "special_i1", "digamma", "lgamma"]
# PyTorch's approximation of these is rough, at such ends or throughout.
ROUGH = {"digamma", "sinc", "tan", "lgamma", "erfinv", "special_ndtri", "acosh"}


@pytest.mark.parametrize("name", ANYWHERE)
def test_functions_of_any_number(name):
    tolerance = 2e-4 if name in ROUGH else 1e-5
    assert_operator(f"aten.{name}", normal((3, 5), 1) * 3, tolerance=tolerance)
    if name not in ROUGH:
        # PyTorch's GELU of an infinity is NaN on processors with AVX-512, and not on others.
        special = [value for value in SPECIAL if name != "gelu" or not math.isinf(value)]
        assert_operator(f"aten.{name}", torch.tensor(special), gradient=False)


@pytest.mark.parametrize("name", INSIDE + ABOVE)
def test_functions_of_some_numbers(name):
    inside = torch.sigmoid(normal((3, 5), 1)) if name in INSIDE else normal((3, 5), 1).abs() + 1.1
    assert_operator(f"aten.{name}", inside, tolerance=2e-4 if name in ROUGH else 5e-5)
    if name not in ROUGH:
        assert_operator(f"aten.{name}", torch.tensor(SPECIAL), gradient=False)


INTEGERS = [
    "abs", "neg", "exp", "sin", "sqrt", "sign", "square", "sigmoid", "tanh", "relu", "floor", "ceil", "round",
    "logical_not", "bitwise_not", "isnan",
]  # fmt: skip


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64, torch.uint8])
def test_functions_of_integers(name, dtype):
    numbers = normal((3, 5), 1, torch.int64)
    assert_operator(f"aten.{name}", (numbers.abs() if dtype == torch.uint8 or name == "sqrt" else numbers).to(dtype))


ACTIVATIONS = [
    ("leaky_relu", (0.3,)), ("elu", (0.7, 1.2, 0.9)), ("celu", (1.7,)), ("softplus", (2.0, 3.0)),
    ("hardtanh", (-0.3, 0.8)),
    ("threshold", (0.2, -3.0)), ("softshrink", (0.2,)), ("hardshrink", (0.2,)), ("glu", (0,)), ("glu", (-1,)),
    ("softmax.int", (1,)), ("_softmax", (-1, False)), ("log_softmax.int", (0,)), ("_log_softmax", (0, False)),
    ("_safe_softmax", (0,)), ("rrelu", (0.1, 0.4)), ("clamp", (-0.5, 0.7)), ("clamp", (None, 0.7)),
    ("clamp_min", (0.1,)),
    ("clamp", (0.6, 0.2)), ("clamp_max", (0.1,)), ("nan_to_num", (1.0, 2.0, -2.0)), ("logit", (0.3,)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args"), ACTIVATIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_functions_with_options(name, args, dtype):
    if name == "logit":
        assert_operator("aten.logit", torch.sigmoid(normal((4, 6), 1)), *args)
    else:
        assert_operator(f"aten.{name}", normal((4, 6), 1, dtype), *args)


def test_functions_with_named_options():
    assert_operator("aten.round.decimals", normal((4, 6), 1) * 9, decimals=1)
    assert_operator("aten.round.decimals", normal((4, 6), 1) * 99, decimals=-1)
    assert_operator("aten.gelu", normal((4, 6), 1), approximate="tanh")


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (3, 4, 5, 2)])
def test_prelu(shape):
    for count in (1, shape[1]):
        assert_operator("aten.prelu", normal(shape), normal(count, 1))


@pytest.mark.parametrize("kink", ["relu", "relu6", "hardtanh", "leaky_relu", "elu", "abs", "hardswish", "hardsigmoid"])
def test_slopes_at_kinks(kink):
    assert_operator(f"aten.{kink}", torch.tensor([0.0, -0.0, 6.0, 1.0, -1.0, 3.0, -3.0]))


@pytest.mark.parametrize("name", ["maximum", "minimum", "fmax", "fmin"])
def test_slopes_of_ties(name):
    assert_operator(f"aten.{name}", torch.tensor([0.0, 1.0]), torch.tensor([0.0, 2.0]))


ARITHMETIC = [
    "add.Tensor", "sub.Tensor", "mul.Tensor", "div.Tensor", "maximum", "minimum", "atan2", "eq.Tensor", "ne.Tensor",
    "lt.Tensor", "le.Tensor", "gt.Tensor", "ge.Tensor", "remainder.Tensor", "fmod.Tensor", "floor_divide",
    "rsub.Tensor",
    "logical_and", "logical_or", "logical_xor", "fmax", "fmin", "copysign.Tensor", "hypot", "logaddexp", "logaddexp2",
    "xlogy.Tensor", "pow.Tensor_Tensor", "float_power.Tensor_Tensor", "isclose",
]  # fmt: skip
BITS = ["bitwise_and.Tensor", "bitwise_or.Tensor", "bitwise_xor.Tensor", "gcd", "lcm"]
KINDS = st.sampled_from(
    [torch.float32, torch.float32, torch.int32, torch.int64, torch.bool, torch.bfloat16, torch.uint8]
)
SHAPES = st.sampled_from([((3, 4), (3, 4)), ((3, 1), (4,)), ((), (3, 4)), ((2, 3, 4), (3, 1)), ((3, 4), ())])


def accepts(name, *args):
    """Whether PyTorch has the operator for arguments of such types."""
    try:
        find_overload(f"aten.{name}")(*args)
    # PyTorch raises errors of several types.
    except Exception:
        return False
    return True


@property_test(150)
@given(st.sampled_from(ARITHMETIC + BITS), SHAPES, KINDS, KINDS, SEEDS)
def test_arithmetic_of_types(name, shapes, first, second, seed):
    x, y = normal(shapes[0], seed, first), normal(shapes[1], seed + 1, second)
    if name in ("remainder.Tensor", "fmod.Tensor", "floor_divide"):
        y = torch.where(y == 0, torch.ones_like(y), y)
    if "pow" in name:
        x, y = torch.where(x == 0, torch.ones_like(x), x * torch.sign(x)), y * torch.sign(y)
    assume(accepts(name, x, y))
    # PyTorch has no gradient of some, and none where it would subtract booleans.
    gradient = name != "floor_divide" and torch.bool not in (first, second)
    assert_operator(f"aten.{name}", x, y, tolerance=1e-4, gradient=gradient)


SCALARS = [
    "add.Tensor", "sub.Tensor", "mul.Tensor", "div.Tensor", "eq.Scalar", "lt.Scalar", "ge.Scalar", "remainder.Scalar",
    "fmod.Scalar", "floor_divide", "rsub.Scalar", "pow.Tensor_Scalar", "clamp_min", "clamp_max",
    "float_power.Tensor_Scalar",
    "bitwise_and.Scalar", "bitwise_left_shift.Tensor_Scalar", "masked_fill.Scalar",
]  # fmt: skip


@property_test(100)
@given(st.sampled_from(SCALARS), KINDS, st.sampled_from([2, 3, -2, 1, True, 0.5, 1.5, -0.7, 3.0]), SEEDS)
def test_arithmetic_with_numbers(name, dtype, number, seed):
    x = normal((3, 4), seed, dtype)
    if "pow" in name and (number < 0 or not float(number).is_integer()):
        x = torch.where(x == 0, torch.ones_like(x), x * torch.sign(x))
    if name == "masked_fill.Scalar":
        assert_operator(f"aten.{name}", x, normal((3, 1), seed) > 0, number)
        return
    assume(accepts(name, x, number))
    assert_operator(f"aten.{name}", x, number, tolerance=1e-4, gradient=name != "floor_divide")


@property_test(30)
@given(st.sampled_from(["floor", "trunc", None]), KINDS, KINDS, st.booleans(), SEEDS)
def test_division_that_rounds(mode, first, second, by_number, seed):
    x, y = normal((3, 4), seed, first), normal((4,), seed + 1, second)
    y = 3 if by_number else torch.where(y == 0, torch.ones_like(y), y)
    name = "div.Scalar_mode" if by_number else "div.Tensor_mode"
    assume(accepts(name, x, y) if mode is None else first != torch.bool or second != torch.bool)
    assert_operator(f"aten.{name}", x, y, rounding_mode=mode)


def test_powers_have_exact_slopes():
    x = torch.tensor([-1.5, -0.5, 0.0, 0.5, 2.0])
    for exponent in (0, 1, 2, 3, 2.0, 4.0):
        assert_operator("aten.pow.Tensor_Scalar", x, exponent)
    assert_operator("aten.pow.Tensor_Scalar", x.abs() + 0.1, -1.5)
    assert_operator("aten.pow.Tensor_Scalar", x.abs() + 0.1, 0.5)
    assert_operator("aten.pow.Scalar", 2.0, x)
    assert_operator("aten.pow.Scalar", 2, torch.tensor([1, 2, 3]))


@property_test(12)
@given(st.sampled_from([1, 2, -0.5]), SHAPES, SEEDS)
def test_sums_with_factors(factor, shapes, seed):
    x, y = normal(shapes[0], seed), normal(shapes[1], seed + 1)
    assert_operator("aten.add.Tensor", x, y, alpha=factor)
    assert_operator("aten.rsub.Tensor", x, y, alpha=factor)
    assert_operator("aten.addcmul", x, y, x, value=factor)
    assert_operator("aten.addcdiv", x, y, x.abs() + 1, value=factor)
    assert_operator("aten.lerp.Scalar", x.expand(2, 3, 4), y.expand(2, 3, 4), 0.3 * factor)
    assert_operator("aten.lerp.Tensor", x.expand(2, 3, 4), y.expand(2, 3, 4), normal((4,), seed))


@property_test(16)
@given(KINDS, KINDS, SHAPES, SEEDS)
def test_choices(first, second, shapes, seed):
    x, y = normal(shapes[0], seed, first), normal(shapes[1], seed + 1, second)
    mask = normal((3, 4), seed + 2) > 0
    assert_operator("aten.where.self", mask, x, y)
    assert_operator("aten.where.ScalarOther", mask, x, 1.5 if first.is_floating_point else 1)
    assert_operator(
        "aten.masked_fill.Tensor", x.float().expand(3, 4) if x.ndim < 3 else x.float(), mask, torch.tensor(2.0)
    )
    assert_operator("aten.clamp.Tensor", normal((3, 4), seed), normal((4,), seed + 1), None)


def test_complex_numbers():
    x, y = normal((3, 4)), normal((4,), 1)
    assert_operator("aten.complex", x, y)
    assert_operator("aten.polar", x.abs(), y)
    z = torch.complex(x, y.expand(3, 4))
    for name in (
        "real",
        "imag",
        "abs",
        "angle",
        "conj_physical",
        "view_as_real",
        "exp",
        "sgn",
        "mean",
        "sum",
        "reciprocal",
    ):
        assert_operator(f"aten.{name}", z)
    assert_operator("aten.view_as_complex", normal((3, 2)))
    assert_operator("aten.mul.Tensor", z, x)
    assert_operator("aten.matmul", z, z.T)
