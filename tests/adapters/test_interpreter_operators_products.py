"""ATen's products, attention, norms and Fourier transforms against PyTorch's own."""

import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from support.aten import SEEDS, assert_operator, normal, property_test  # noqa: E402

pytestmark = pytest.mark.frameworks

DTYPES = st.sampled_from([torch.float32, torch.float32, torch.float32, torch.bfloat16])
SHAPES = {
    "vectors": ((4,), (4,)), "a vector before": ((4,), (2, 4, 3)), "a vector behind": ((3, 2, 4), (4,)),
    "matrices": ((3, 4), (4, 2)), "a stack before": ((2, 3, 4), (4, 2)), "stacks": ((2, 3, 4), (2, 4, 1)),
    "spread stacks": ((2, 1, 3, 4), (5, 4, 2)),
}  # fmt: skip


@pytest.mark.parametrize("kind", list(SHAPES))
@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_products_of_any_rank(kind, dtype):
    assert_operator("aten.matmul", *(normal(shape, seed, dtype) for seed, shape in enumerate(SHAPES[kind])))


@property_test(10)
@given(st.sampled_from([(4,), (3, 4), (2, 3, 4), (1, 2, 3, 4)]), st.booleans(), SEEDS, DTYPES)
def test_linear(shape, biased, seed, dtype):
    bias = normal(5, seed + 2, dtype) if biased else None
    assert_operator("aten.linear", normal(shape, seed, dtype), normal((5, 4), seed + 1, dtype), bias)


FACTORS = st.sampled_from([1, 0.5, -2])


@property_test(10)
@given(FACTORS, FACTORS, SEEDS)
def test_sums_with_products(alpha, beta, seed):
    scales = {"alpha": alpha, "beta": beta}
    x, y = normal((2, 3, 4), seed), normal((2, 4, 5), seed + 1)
    assert_operator("aten.baddbmm", normal((2, 1, 5), seed), x, y, **scales)
    assert_operator("aten.addmm", normal(5, seed), x[0], y[0], **scales)
    assert_operator("aten.addbmm", normal(5, seed), x, y, **scales)
    assert_operator("aten.addmv", normal(3, seed), x[0], normal(4, seed), **scales)
    assert_operator("aten.addr", normal((3, 4), seed), normal(3, seed), normal(4, seed), **scales)


def test_other_products():
    x, y = normal((3, 4)), normal((3, 4), 1)
    assert_operator("aten.mm", x, y.T)
    assert_operator("aten.bmm", x[None], y.T[None])
    assert_operator("aten.mv", x, y[0])
    assert_operator("aten.dot", x[0], y[0])
    assert_operator("aten.inner", x, y)
    assert_operator("aten.outer", x[0], y[:, 0])
    assert_operator("aten.kron", x, y)
    assert_operator("aten.linalg_cross", x[:, :3], y[:, :3])
    assert_operator("aten.bilinear", x, y, normal((2, 4, 4)), normal(2))


@pytest.mark.parametrize("equation", ["nij,kj->nik", "nij,nij->n", "nij,nkj->", "nii->ni", "...i,...j->...ij"])
def test_einsum(equation):
    shapes = {"nii->ni": [(2, 3, 3)], "...i,...j->...ij": [(2, 3), (1, 4)], "nij,kj->nik": [(2, 3, 4), (5, 4)]}
    arrays = [normal(shape, seed) for seed, shape in enumerate(shapes.get(equation, [(2, 3, 4), (2, 3, 4)]))]
    assert_operator("aten.einsum", equation, arrays)


@st.composite
def attentions(draw):
    """Queries, keys, values and the options of scaled dot product attention."""
    heads, queries, keys, units, outputs = (draw(st.integers(1, high)) for high in (2, 4, 4, 3, 3))
    groups = draw(st.sampled_from([1, 1, 2]))
    lead, seed, dtype = draw(st.sampled_from([(), (2,)])), draw(SEEDS), draw(DTYPES)
    arrays = [
        normal((*lead, count, tokens, size), seed + index, dtype)
        for index, (count, tokens, size) in enumerate(
            [(heads * groups, queries, units), (heads, keys, units), (heads, keys, outputs)]
        )
    ]
    kind = draw(st.sampled_from(["all", "causal", "visible", "added", "added, with -inf"]))
    mask = None
    if kind in ("visible", "added, with -inf"):
        mask = normal((queries, keys), seed + 3) > 0
        if kind != "visible":
            mask = torch.where(mask, 0.0, -torch.inf).to(dtype)
    elif kind == "added":
        mask = normal((heads * groups, queries, keys), seed + 3, dtype)
    options = {"scale": draw(st.sampled_from([None, 0.3, 2.0])), "enable_gqa": groups > 1}
    return [*arrays, mask, 0.0, kind == "causal"], options


@property_test(20)
@given(attentions())
def test_attention(drawn):
    args, options = drawn
    # A query that sees nothing has no gradient in PyTorch, but not a number.
    mask = args[3]
    visible = mask is None or not ((mask == 0) if mask.dtype == torch.bool else mask.isneginf()).all(-1).any()
    assert_operator("aten.scaled_dot_product_attention", *args, gradient=bool(visible), **options)


def test_the_attention_of_a_processor():
    query, key, value = (normal((2, 2, 4, 3), seed) for seed in range(3))
    name = "aten._scaled_dot_product_flash_attention_for_cpu"
    assert_operator(name, query, key, value, outputs=1)
    assert_operator(name, query, key, value, 0.0, True, scale=0.4, outputs=1)
    assert_operator(name, query, key, value, attn_mask=normal((4, 4)), outputs=1, gradient=False)


@property_test(12)
@given(
    st.sampled_from([(3, 6), (2, 6, 5), (2, 6, 3, 4), (2, 6, 2, 3, 2)]), st.booleans(), st.booleans(), SEEDS, DTYPES,
)  # fmt: skip
def test_batch_norms(shape, affine, training, seed, dtype):
    vectors = [normal(6, seed + index, dtype) if affine else None for index in range(2)]
    mean, variance = normal(6, seed + 2, dtype), normal(6, seed + 3, dtype) ** 2 + 0.1
    image = normal(shape, seed, dtype)
    count = 3 if affine else 1
    if training:
        # The statistics of the batch, whether or not there are running ones, which an edit in place would change.
        assert_operator("aten.batch_norm", image, *vectors, None, None, True, 0.1, 1e-3, False, tolerance=5e-5)
        assert_operator("aten._native_batch_norm_legit.no_stats", image, *vectors, True, 0.1, 1e-3, outputs=1)
    else:
        assert_operator("aten.batch_norm", image, *vectors, mean, variance, False, 0.1, 1e-3, False, gradient=count)
        name = "aten._native_batch_norm_legit_no_training"
        assert_operator(name, image, *vectors, mean, variance, 0.1, 1e-3, outputs=1, gradient=count)


@property_test(12)
@given(st.integers(1, 3), st.booleans(), st.booleans(), st.sampled_from([1e-5, 0.1]), SEEDS, DTYPES)
def test_layer_norms(axes, scaled, shifted, eps, seed, dtype):
    image = normal((2, 3, 4, 5), seed, dtype)
    size = list(image.shape[-axes:])
    weight, bias = (
        normal(size, seed + index, dtype) if wanted else None for index, wanted in enumerate([scaled, shifted])
    )
    assert_operator("aten.layer_norm", image, size, weight, bias, eps, tolerance=5e-5)
    assert_operator("aten.rms_norm", image, size, weight, eps if shifted else None, tolerance=5e-5)


@property_test(12)
@given(
    st.sampled_from([1, 2, 3, 6]), st.sampled_from([(2, 6), (2, 6, 5), (2, 6, 3, 4), (1, 6, 2, 3, 2)]), st.booleans(),
    SEEDS,
)  # fmt: skip
def test_group_and_instance_norms(groups, shape, affine, seed):
    vectors = [normal(6, seed + index) if affine else None for index in range(2)]
    image = normal(shape, seed)
    count = 3 if affine else 1
    if image.ndim > 2 or groups < 6:
        assert_operator("aten.group_norm", image, groups, *vectors, 1e-3, tolerance=5e-5)
    if image.ndim > 2:
        statistics = normal(6, seed + 2), normal(6, seed + 3) ** 2 + 0.1
        assert_operator("aten.instance_norm", image, *vectors, None, None, True, 0.1, 1e-3, False, tolerance=5e-5)
        assert_operator("aten.instance_norm", image, *vectors, *statistics, False, 0.1, 1e-3, False, gradient=count)


ORDERS = st.sampled_from([2, 1, 0, 3, 0.5, float("inf"), float("-inf")])


@property_test(14)
@given(ORDERS, st.sampled_from([None, [0], [-1], [0, 2], [1, -1]]), st.booleans(), SEEDS)
def test_norms_of_vectors(order, dim, keepdim, seed):
    # The largest of an array has a gradient that equal ones share.
    assert_operator("aten.linalg_vector_norm", normal((2, 3, 4), seed), order, dim, keepdim, tolerance=5e-5)


@property_test(8)
@given(st.sampled_from([2.0, 1.0, 0.0, 3.0, float("inf")]), SEEDS)
def test_distances(order, seed):
    assert_operator("aten.cdist", normal((2, 3, 4), seed), normal((2, 5, 4), seed + 1), order, None, tolerance=5e-5)
    assert_operator("aten.cosine_similarity", normal((3, 4), seed), normal((1, 4), seed + 1), -1)


def test_norms_at_zero_have_no_gradient_there():
    assert_operator("aten.linalg_vector_norm", torch.zeros(2, 3), 2, [1])
    assert_operator("aten.cdist", torch.zeros(2, 3), torch.zeros(2, 3), 2.0, None)


TRANSFORMS = ["fft_rfft2", "fft_irfft2", "fft_fft2", "fft_ifft2", "fft_rfft", "fft_irfft", "fft_fft", "fft_ifft"]


@pytest.mark.parametrize("name", TRANSFORMS)
def test_fourier_transforms(name):
    dtype = torch.float32 if "_r" in name else torch.complex64
    image = normal((2, 4, 5), 0, dtype)
    for norm in (None, "ortho", "forward"):
        if name.endswith("2"):
            assert_operator(f"aten.{name}", image, [4, 6], [-2, -1], norm)
        else:
            assert_operator(f"aten.{name}", image, 6, 1, norm)
    assert_operator(f"aten.{name}", image)
