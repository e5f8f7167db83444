"""ATen's operators of sliding windows against PyTorch's own: convolutions, pools, patches."""

import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")

from hypothesis import assume, given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from support.aten import SEEDS, assert_operator, normal, property_test  # noqa: E402

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore:Using padding=.same.")]

DTYPES = st.sampled_from([torch.float32, torch.float32, torch.float32, torch.bfloat16])


@st.composite
def sizes(draw, rank, low, high):
    """One size for every axis, or one for each."""
    if draw(st.booleans()):
        return [draw(st.integers(low, high))]
    return draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank))


def side(size, axis):
    """The size along an axis."""
    return size[axis % len(size)]


@st.composite
def convolutions(draw, *, transposed):
    """The arguments of a convolution, with an image that holds a window at least."""
    rank = draw(st.integers(1, 3))
    groups, incoming, outgoing = draw(st.sampled_from([1, 1, 2, 3])), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    window = [draw(st.integers(1, 3)) for _ in range(rank)]
    stride, padding = draw(sizes(rank, 1, 3)), draw(sizes(rank, 0, 2))
    dilation = draw(sizes(rank, 1, 2))
    space = [
        max(1, side(dilation, axis) * (window[axis] - 1) + 1 - 2 * side(padding, axis)) + draw(st.integers(0, 3))
        for axis in range(rank)
    ]
    batch = draw(st.sampled_from([(), (1,), (2,)]))
    seed, dtype = draw(SEEDS), draw(DTYPES)
    image = normal((*batch, groups * incoming, *space), seed, dtype)
    shape = (groups * incoming, outgoing) if transposed else (groups * outgoing, incoming)
    weight = normal((*shape, *window), seed + 1, dtype)
    bias = normal(groups * outgoing, seed + 2, dtype) if draw(st.booleans()) else None
    if not transposed:
        return rank, (image, weight, bias, stride, padding, dilation, groups)
    extra = [draw(st.integers(0, max(side(stride, axis), side(dilation, axis)) - 1)) for axis in range(rank)]
    results = [
        (space[axis] - 1) * side(stride, axis)
        - 2 * side(padding, axis)
        + side(dilation, axis) * (window[axis] - 1)
        + extra[axis]
        + 1
        for axis in range(rank)
    ]
    assume(min(results) > 0)
    return rank, (image, weight, bias, stride, padding, extra, groups, dilation)


@property_test(16)
@given(convolutions(transposed=False))
def test_convolutions(drawn):
    rank, args = drawn
    assert_operator(f"aten.conv{rank}d", *args)


@property_test(16)
@given(convolutions(transposed=True))
def test_transposed_convolutions(drawn):
    rank, args = drawn
    name = {1: "conv_transpose1d", 2: "conv_transpose2d.input", 3: "conv_transpose3d.input"}[rank]
    assert_operator(f"aten.{name}", *args)


@property_test(8)
@given(convolutions(transposed=False), st.sampled_from(["same", "valid"]))
def test_convolutions_padded_by_name(drawn, padding):
    rank, (image, weight, bias, stride, _, dilation, groups) = drawn
    image = torch.nn.functional.pad(image, (4, 4) * rank)
    assert_operator(
        f"aten.conv{rank}d.padding",
        image,
        weight,
        bias,
        [1] if padding == "same" else stride,
        padding,
        dilation,
        groups,
    )


@property_test(8)
@given(convolutions(transposed=False), convolutions(transposed=True))
def test_convolutions_of_the_core(plain, transposed):
    rank, (image, weight, bias, stride, padding, dilation, groups) = plain
    assume(image.ndim == rank + 2)
    assert_operator("aten.convolution", image, weight, bias, stride, padding, dilation, False, [0] * rank, groups)
    rank, (image, weight, bias, stride, padding, extra, groups, dilation) = transposed
    assume(image.ndim == rank + 2)
    assert_operator("aten.convolution", image, weight, bias, stride, padding, dilation, True, extra, groups)


@st.composite
def pools(draw, rank, *, dilated=False):
    """An image, and the window, stride, padding, dilation and ceil mode of a pool."""
    window = draw(sizes(rank, 1, 3))
    stride = draw(st.one_of(st.just([]), sizes(rank, 1, 4)))
    padding = [draw(st.integers(0, side(window, axis) // 2)) for axis in range(rank)]
    dilation = draw(sizes(rank, 1, 2)) if dilated else [1]
    # PyTorch wants images as large as the window in three dimensions; windows between two pixels have no maximum.
    hidden = 0 if rank == 3 or dilated else 2
    space = [
        max(1, side(dilation, axis) * (side(window, axis) - 1) + 1 - hidden * padding[axis]) + draw(st.integers(0, 4))
        for axis in range(rank)
    ]
    lead = draw(st.sampled_from([(2,), (1, 2), (2, 1)]))
    # PyTorch pools volumes in single precision only.
    dtype = torch.float32 if rank == 3 else draw(DTYPES)
    return normal((*lead, *space), draw(SEEDS), dtype), window, stride, padding, dilation, draw(st.booleans())


@property_test(15)
@given(st.data(), st.integers(1, 3), st.booleans(), st.sampled_from([None, None, 3]))
def test_average_pools(data, rank, counts_padding, divisor):
    image, window, stride, padding, _, ceil_mode = data.draw(pools(rank))
    rest = [divisor] if rank > 1 and divisor else []
    assert_operator(f"aten.avg_pool{rank}d", image, window, stride, padding, ceil_mode, counts_padding, *rest)


@property_test(15)
@given(st.data(), st.integers(1, 3), st.booleans())
def test_maximum_pools(data, rank, indices):
    args = data.draw(pools(rank, dilated=True))
    assert_operator(f"aten.max_pool{rank}d" + "_with_indices" * indices, *args)


@property_test(15)
@given(st.data(), st.integers(1, 3), st.booleans())
def test_adaptive_pools(data, rank, largest):
    lead = data.draw(st.sampled_from([(2,), (1, 2)]))
    space = data.draw(st.lists(st.integers(1, 7), min_size=rank, max_size=rank))
    output = data.draw(st.lists(st.integers(1, 8), min_size=rank, max_size=rank))
    image = normal((*lead, *space), data.draw(SEEDS), data.draw(DTYPES))
    assert_operator(f"aten.adaptive_{'max' if largest else 'avg'}_pool{rank}d", image, output)


@property_test(8)
@given(st.integers(2, 3), st.sampled_from([(2,), (1, 2)]), SEEDS)
def test_maxima_are_put_back(rank, lead, seed):
    image = normal((*lead, *(5, 4, 6)[:rank]), seed)
    pool = {2: torch.nn.functional.max_pool2d, 3: torch.nn.functional.max_pool3d}[rank]
    values, indices = pool(image, 2, return_indices=True)
    rest = [] if rank == 2 else [[2, 2, 2], [0, 0, 0]]
    assert_operator(f"aten.max_unpool{rank}d", values, indices, list(image.shape[-rank:]), *rest)


@st.composite
def patches(draw):
    window, dilation, padding, stride = (
        [draw(st.integers(low, high)) for _ in range(2)] for low, high in ((1, 3), (1, 2), (0, 2), (1, 3))
    )
    space = [
        max(1, dilation[axis] * (window[axis] - 1) + 1 - 2 * padding[axis]) + draw(st.integers(0, 4))
        for axis in range(2)
    ]
    return normal((*draw(st.sampled_from([(2,), (2, 3)])), *space), draw(SEEDS)), window, dilation, padding, stride


@property_test(12)
@given(patches())
def test_patches(drawn):
    assert_operator("aten.im2col", *drawn)


@property_test(12)
@given(patches())
def test_patches_are_summed(drawn):
    image, *options = drawn
    flat = torch.ops.aten.im2col(image, *options)
    assert_operator("aten.col2im", flat, list(image.shape[-2:]), *options)
