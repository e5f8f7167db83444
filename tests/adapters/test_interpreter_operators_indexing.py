"""ATen's operators that arrange, read, replace and reduce values against PyTorch's own."""

import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")

from hypothesis import assume, given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from support.aten import SEEDS, assert_operator, normal, property_test  # noqa: E402

from featviz.adapters.torch.interpreter import GraphError  # noqa: E402

pytestmark = pytest.mark.frameworks

SHAPE = (3, 4, 5)
DIMS = st.integers(-3, 2)
KINDS = st.sampled_from([torch.float32, torch.float32, torch.int64, torch.bool, torch.bfloat16])
BOUNDS = st.one_of(st.none(), st.integers(-7, 7))


def image(seed=0, dtype=torch.float32, shape=SHAPE):
    return normal(shape, seed, dtype)


@property_test(14)
@given(DIMS, BOUNDS, BOUNDS, st.integers(1, 3), SEEDS, KINDS)
def test_slices(dim, start, end, step, seed, dtype):
    x = image(seed, dtype)
    assert_operator("aten.slice.Tensor", x, dim, start, end, step)
    part = torch.ops.aten.slice(x, dim, start, end, step)
    assert_operator("aten.slice_scatter", x, normal(part.shape, seed + 1, dtype), dim, start, end, step)


@property_test(6)
@given(DIMS, SEEDS, KINDS, st.data())
def test_selections(dim, seed, dtype, data):
    x, size = image(seed, dtype), SHAPE[dim]
    index = data.draw(st.integers(-size, size - 1))
    assert_operator("aten.select.int", x, dim, index)
    assert_operator("aten.select_scatter", x, normal(x.select(dim, index).shape, seed, dtype), dim, index)
    start = data.draw(st.integers(-size, size - 1))
    assert_operator("aten.narrow", x, dim, start, data.draw(st.integers(0, size - start % size)))


@st.composite
def indices(draw, size, shape):
    generator = torch.Generator().manual_seed(draw(SEEDS))
    dtype = draw(st.sampled_from([torch.int64, torch.int32]))
    return torch.randint(-size, size, shape, generator=generator).to(dtype)


@property_test(14)
@given(st.data(), st.lists(st.booleans(), min_size=1, max_size=3), SEEDS, KINDS, st.booleans())
def test_indices(data, given_axes, seed, dtype, accumulate):
    assume(any(given_axes))
    x = image(seed, dtype)
    shapes = data.draw(st.sampled_from([[(2,)] * 3, [(2, 1), (3,), (1, 1)], [(), (2,), (2, 2)]]))
    index = [data.draw(indices(SHAPE[axis], shapes[axis])) if used else None for axis, used in enumerate(given_axes)]
    assert_operator("aten.index.Tensor", x, index)
    result = torch.ops.aten.index(x, index)
    if accumulate and dtype == torch.float32:
        assert_operator("aten.index_put", x, index, normal(result.shape, seed + 1), True)
    # Which of several values for one place is kept is not said.
    assert_operator("aten.index_put", x, index, normal((), seed + 1, dtype), gradient=1)


def test_masks():
    x = image()
    assert_operator("aten.index_put", x, [x > 0], torch.tensor(2.0))
    assert_operator("aten.index_put", x, [x[:, 0, 0] > 0], torch.tensor(2.0))
    assert_operator("aten.index_put", x, [None, x[0, :, 0] > 0], torch.tensor(2.0))
    assert_operator("aten.index_put", x, [x > 0], torch.tensor([2.0]), True)
    assert_operator("aten.index_put", x, [x[:, :, 0] > 0], normal(5, 1))
    assert_operator("aten.index_put", x, [None, x[0] > 0], normal((3, 1), 1))
    assert_operator("aten.masked_scatter", x, x > 0, normal(60, 1))
    assert_operator("aten.masked_scatter", x, x[0] > 0, normal((3, 4, 5), 1))


@property_test(6)
@given(st.data(), DIMS, SEEDS, KINDS)
def test_gathers_and_scatters(data, dim, seed, dtype):
    x = image(seed, dtype)
    shape = [data.draw(st.integers(1, size)) for size in SHAPE]
    shape[dim] = data.draw(st.integers(1, 3))
    generator = torch.Generator().manual_seed(seed)
    index = torch.randint(0, SHAPE[dim], shape, generator=generator)
    assert_operator("aten.gather", x, dim, index)
    different = torch.argsort(torch.rand(SHAPE, generator=generator), dim)[tuple(slice(size) for size in shape)]
    source = image(seed + 1, dtype)
    # PyTorch has a gradient of a source of the index's shape only.
    assert_operator("aten.scatter.src", x, dim, different, source, gradient=False)
    assert_operator("aten.scatter.src", x, dim, different, source[tuple(slice(size) for size in shape)])
    assert_operator("aten.scatter.value", x, dim, index, 1)
    if dtype == torch.float32:
        assert_operator("aten.scatter_add", x, dim, index, source[tuple(slice(size) for size in shape)])
        assert_operator("aten.scatter.reduce", x, dim, index, source, reduce="multiply", gradient=False)


@property_test(10)
@given(st.sampled_from(["sum", "prod", "mean", "amax", "amin"]), st.booleans(), DIMS, SEEDS)
def test_scatters_that_reduce(reduce, include_self, dim, seed):
    generator = torch.Generator().manual_seed(seed)
    index = torch.randint(0, SHAPE[dim], (2, 3, 4), generator=generator)
    args = image(seed), dim, index, image(seed + 1), reduce
    assert_operator("aten.scatter_reduce.two", *args, include_self=include_self, gradient=False)
    if reduce in ("sum", "mean"):
        same = image(seed + 1)[:2, :3, :4]
        assert_operator("aten.scatter_reduce.two", *args[:3], same, reduce, include_self=include_self)
    vector = torch.randint(0, SHAPE[dim], (4,), generator=generator)
    shape = list(SHAPE)
    shape[dim] = 4
    if reduce != "sum":
        args = image(seed), dim, vector, normal(shape, seed + 1), reduce
        assert_operator("aten.index_reduce", *args, include_self=include_self, gradient=False)


@property_test(4)
@given(st.data(), DIMS, SEEDS)
def test_indices_along_an_axis(data, dim, seed):
    x = image(seed)
    index = torch.randperm(SHAPE[dim], generator=torch.Generator().manual_seed(seed))[:2]
    shape = list(SHAPE)
    shape[dim] = 2
    source = normal(shape, seed + 1)
    assert_operator("aten.index_select", x, dim, index)
    assert_operator("aten.index_add", x, dim, index, source, alpha=data.draw(st.sampled_from([1, -0.5])))
    assert_operator("aten.index_copy", x, dim, index, source)
    assert_operator("aten.index_fill.int_Scalar", x, dim, index, 2.0)
    assert_operator("aten.take", x, torch.tensor([[0, -1], [7, 59]]))
    assert_operator("aten.put", x, torch.tensor([[0, -1], [7, 58]]), normal((2, 2)))


def test_other_indices():
    x = image()
    assert_operator("aten.embedding", x[0], torch.tensor([[1, 0], [3, 2]]), 0, gradient=False)
    assert_operator("aten.one_hot", torch.tensor([[1, 0], [3, 2]]), 5)
    assert_operator("aten.take_along_dim", x, x.argsort(1), 1)
    assert_operator("aten.take_along_dim", x, x.argmax(1, keepdim=True), 1)
    assert_operator("aten.take_along_dim", x, torch.tensor([3, 59]))
    assert_operator("aten.bucketize.Tensor", x, torch.tensor([-1.0, 0.0, 1.0]), right=True)
    assert_operator("aten.searchsorted.Tensor", x.sort()[0], x)
    assert_operator("aten.searchsorted.Tensor", torch.tensor([-1.0, 0.0, 1.0]), x, right=True, out_int32=True)
    assert_operator("aten.isin.Tensor_Tensor", torch.tensor([[1, 2], [3, 4]]), torch.tensor([4, 1]))


@property_test(5)
@given(st.integers(-4, 4), st.sampled_from([(0, 1), (1, 2), (-1, 0), (2, 1)]), SEEDS)
def test_diagonals(offset, dims, seed):
    x = image(seed)
    rows, columns = (SHAPE[dim] for dim in dims)
    if -rows < offset < columns:
        assert_operator("aten.diagonal", x, offset, *dims)
        part = torch.diagonal(x, offset, *dims)
        assert_operator("aten.diagonal_scatter", x, normal(part.shape, seed + 1), offset, *dims)
    assert_operator("aten.diag_embed", x[0], offset, *dims)
    assert_operator("aten.tril", x, offset)
    assert_operator("aten.triu", x, offset)
    assert_operator("aten.diag", x[0, 0], offset)


@property_test(6)
@given(DIMS, st.integers(1, 3), st.integers(1, 3), SEEDS)
def test_windows_as_an_axis(dim, size, step, seed):
    assert_operator("aten.unfold", image(seed), dim, size, step)


@property_test(4)
@given(st.permutations([0, 1, 2]), DIMS, DIMS, st.integers(-7, 7), KINDS)
def test_axes(order, first, second, shift, dtype):
    x = image(0, dtype)
    assert_operator("aten.permute", x, [order[0], order[1] - 3, order[2]])
    assert_operator("aten.transpose.int", x, first, second)
    assert_operator("aten.movedim.int", x, first, second)
    assert_operator("aten.flip", x, [first])
    assert_operator("aten.roll", x, [shift], [first])
    assert_operator("aten.roll", x, [shift])
    assert_operator("aten.roll", x, [shift, 1], [0, 2])
    assert_operator("aten.unsqueeze", x, first)
    assert_operator("aten.squeeze.dim", x[:, :1], first)
    if first % 3 != second % 3:
        assert_operator("aten.rot90", x, shift, [first, second])
        assert_operator("aten.flip", x, [first, second])
        assert_operator("aten.squeeze.dims", x[:1, :1], [first, second])


@property_test(5)
@given(DIMS, st.integers(1, 6), st.lists(st.integers(0, 3), min_size=1, max_size=3), KINDS)
def test_splits(dim, parts, sizes, dtype):
    x = image(1, dtype)
    assert_operator("aten.split.Tensor", x, parts, dim)
    assert_operator("aten.chunk", x, parts, dim)
    assert_operator("aten.tensor_split.sections", x, parts, dim)
    assert_operator("aten.tensor_split.indices", x, sorted(sizes), dim)
    assert_operator("aten.unbind.int", x, dim)
    if sum(sizes) <= SHAPE[dim]:
        assert_operator("aten.split_with_sizes", x, [*sizes, SHAPE[dim] - sum(sizes)], dim)


@property_test(4)
@given(DIMS, KINDS, KINDS)
def test_joins(dim, first, second):
    x, y = image(0, first), image(1, second)
    assert_operator("aten.cat", [x, y, x], dim)
    assert_operator("aten.stack", [x, x.flip(0)], dim)
    assert_operator("aten.cat", [torch.zeros(0, dtype=first), x], dim)
    assert_operator("aten.hstack", [x, x])
    assert_operator("aten.vstack", [x, x])


def test_repeats():
    x = image()
    assert_operator("aten.expand", x[:, :1], [2, 3, 4, 5])
    assert_operator("aten.expand", x[:, :1], [-1, 4, -1])
    assert_operator("aten.repeat", x, [2, 1, 1, 3])
    assert_operator("aten.tile", x, [2, 3])
    assert_operator("aten.repeat_interleave.self_int", x, 2, 1)
    assert_operator("aten.repeat_interleave.self_int", x, 2)
    assert_operator("aten.meshgrid.indexing", [x[0, 0], x[0, :, 0], x[0, 0, 0]], indexing="xy")
    assert_operator("aten.broadcast_tensors", [x, x[0, 0]])


@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_blocks(lead):
    assert_operator("aten.pixel_shuffle", normal((*lead, 8, 2, 3)), 2)
    assert_operator("aten.pixel_unshuffle", normal((*lead, 2, 4, 6)), 2)
    if lead:
        assert_operator("aten.channel_shuffle", normal((2, 6, *lead)), 3)


@property_test(30)
@given(
    st.sampled_from(
        ["sum", "mean", "amax", "amin", "any", "all", "var", "std", "logsumexp", "nansum", "count_nonzero"]
    ),
    st.sampled_from([[0], [-1], [0, 2], [1, -1], [], None]), st.booleans(), SEEDS, KINDS,
)  # fmt: skip
def test_reductions(name, dims, keepdim, seed, dtype):
    x = image(seed, dtype)
    if name in ("var", "std"):
        # PyTorch's gradient over an empty list of dimensions is infinite.
        assume(dtype.is_floating_point and dims != [])
        for correction in (1, 0, 2):
            assert_operator(f"aten.{name}.correction", x, dims, correction=correction, keepdim=keepdim, tolerance=5e-5)
        return
    if name == "count_nonzero":
        assert_operator("aten.count_nonzero.dim_IntList", x, dims or [0])
        return
    assume(name not in ("mean", "logsumexp") or dtype.is_floating_point)
    assume(dims != [] or name not in ("any", "all"))
    assume(dims is not None or name in ("sum", "mean", "nansum", "any", "all"))
    overload = {"sum": "sum.dim_IntList", "mean": "mean.dim", "any": "any.dims", "all": "all.dims"}.get(name, name)
    # Equal bits share a gradient in half precision.
    assert_operator(f"aten.{overload}", x, dims, keepdim, tolerance=5e-5)


@property_test(4)
@given(DIMS, st.booleans(), SEEDS, st.sampled_from([torch.float32, torch.int64]))
def test_extremes_and_orders(dim, keepdim, seed, dtype):
    shuffled = torch.randperm(60, generator=torch.Generator().manual_seed(seed)).reshape(SHAPE).to(dtype) - 20
    for name in ("max.dim", "min.dim", "argmax", "argmin", "median.dim"):
        assert_operator(f"aten.{name}", shuffled, dim, keepdim)
    for name in ("cumsum", "cumprod", "cummax", "cummin"):
        # Products of sixty numbers leave single precision.
        assert_operator(f"aten.{name}", shuffled / 20 if dtype == torch.float32 else shuffled.sign(), dim)
    assert_operator("aten.sort", shuffled, dim, keepdim)
    assert_operator("aten.sort.stable", shuffled // 9, stable=True, dim=dim, descending=keepdim, gradient=False)
    assert_operator("aten.topk", shuffled, 2, dim, keepdim)
    assert_operator("aten.kthvalue", shuffled, 2, dim, keepdim)
    assert_operator("aten.aminmax", shuffled, dim=dim, keepdim=keepdim)
    if dtype == torch.float32:
        assert_operator("aten.logcumsumexp", shuffled / 20, dim)


@pytest.mark.parametrize(
    "name", ["max", "min", "sum", "mean", "prod", "var", "std", "argmax", "argmin", "any", "all", "median"]
)
def test_reductions_to_a_number(name):
    for shape in ((3, 5), (5,)):
        assert_operator(f"aten.{name}", normal(shape, 1), tolerance=5e-5)
    if name not in ("var", "std"):
        assert_operator(f"aten.{name}", normal((), 1))


@pytest.mark.parametrize(
    "name", ["sum.dim_IntList", "mean.dim", "amax", "cumsum", "softmax.int", "sort", "max.dim", "argmax"]
)
def test_a_number_has_a_dimension(name):
    for dim in (0, -1):
        assert_operator(
            f"aten.{name}", normal((), 1), [dim] if name in ("sum.dim_IntList", "mean.dim", "amax") else dim
        )


def test_means_and_spreads_together():
    x = image()
    assert_operator("aten.var_mean.correction", x, [0, 2], correction=0, keepdim=True, tolerance=5e-5)
    assert_operator("aten.std_mean.correction", x, [1], correction=1, tolerance=5e-5)
    assert_operator("aten.var.dim", x, [1], False, True, tolerance=5e-5)
    assert_operator("aten.std", x, False, tolerance=5e-5)
    assert_operator("aten.prod.dim_int", x, 1)
    assert_operator("aten.sum", x.bool())
    assert_operator("aten.sum", x.half(), dtype=torch.float32)
    assert_operator("aten.mean", x.int(), dtype=torch.float32)


@property_test(6)
@given(st.integers(-5, 5), st.integers(1, 9), st.sampled_from([1, 2, 0.5, -1]))
def test_ranges(start, length, step):
    assert_operator("aten.arange.start_step", start, start + length * step, step)
    assert_operator("aten.arange.start_step", start + 0.1, start + length * step, step, dtype=torch.float32)
    assert_operator("aten.arange.start", start, start + length, dtype=torch.int64)
    assert_operator("aten.linspace", start, start + step, length)
    assert_operator("aten.linspace", start, start + 7, length, dtype=torch.int64)
    assert_operator("aten.logspace", start / 5, step, length, 2.0)


def test_creation():
    x = image()
    for name, args in {
        "full": ([2, 3], 1.5), "zeros": ([2, 3],), "ones": ([2, 3],), "eye": (3,), "eye.m": (3, 4),
        "scalar_tensor": (2,),
        "tril_indices": (3, 4, -1), "triu_indices": (3, 4, 1), "full_like": (x, 2), "zeros_like": (x,),
        "ones_like": (x,),
        "new_full": (x, [2], 3), "new_zeros": (x, [2]), "new_ones": (x, [2]), "fill.Scalar": (x, 2.5),
    }.items():  # fmt: skip
        assert_operator(f"aten.{name}", *args)
    assert_operator("aten.full", [2], True)
    assert_operator("aten.full", [2], 3)
    assert_operator("aten.full_like", x, 2, dtype=torch.int64)


TYPES = [torch.float32, torch.float16, torch.float64, torch.int64, torch.int8, torch.uint8, torch.bool, torch.complex64]


@pytest.mark.parametrize("target", TYPES)
@pytest.mark.parametrize("source", TYPES)
def test_conversions(source, target):
    if source.is_complex and not target.is_complex:
        pytest.skip("PyTorch warns")
    x = normal((3, 5), 1, torch.float32).abs() * 3 if target == torch.uint8 else normal((3, 5), 1, torch.float32) * 3
    assert_operator("aten._to_copy", x.to(source), dtype=target, gradient=False)
    assert_operator("aten.to.dtype", x.to(source), target, gradient=False)
    assert_operator("aten.type_as", x.to(source), torch.zeros(1, dtype=target), gradient=False)


def test_views():
    x = image()
    for name, args in {
        "view": ([4, -1],), "reshape": ([-1],), "flatten.using_ints": (1, -1), "unflatten.int": (1, [2, -1]),
        "ravel": (),
        "view_as": (torch.zeros(12, 5),), "t": (), "mT": (), "contiguous": (), "clone": (),
    }.items():  # fmt: skip
        assert_operator(f"aten.{name}", x[0] if name == "t" else x, *args)
    assert_operator("aten.as_strided", x, [2, 3, 2], [20, 5, 2], 1)


def test_memory_of_arrays_whose_axes_are_exchanged():
    assert_operator("aten.as_strided", image().transpose(0, 2), [2, 3], [1, 4])
    assert_operator("aten.as_strided", normal((1, 4, 1, 5)), [2, 3], [1, 4])
    with pytest.raises(GraphError, match="part of another in memory"):
        assert_operator("aten.as_strided", image()[:, 1:3], [2, 3], [1, 4])


def test_places_whose_number_depends_on_values():
    with pytest.raises(GraphError, match="depends on the values"):
        assert_operator("aten.where", image() > 0)


@pytest.mark.parametrize("name", ["__and__", "__or__", "__xor__", "__iand__", "__ior__", "__ixor__"])
def test_operators_of_python(name):
    for dtype in (torch.bool, torch.int64):
        assert_operator(f"aten.{name}.Tensor", image(0, dtype), image(1, dtype))


def test_commonest_values():
    rounded = image().round()
    for dim in (0, -1):
        assert_operator("aten.mode", rounded, dim, outputs=1, gradient=False)
        assert_operator("aten.mode", rounded.long(), dim, True, outputs=1)
    assert_operator("aten.histc", image(), 7, -2, 2, gradient=False)
    assert_operator("aten.histc", image(), 5, gradient=False)
    assert_operator("aten.cartesian_prod", [image()[0, 0], image()[1, :, 0]])
