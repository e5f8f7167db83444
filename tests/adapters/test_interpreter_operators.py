"""Functions of PyTorch as torch.export writes them, on JAX: values, and the gradient with respect to the image."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")

import torch.nn.functional as F  # noqa: E402
from support.aten import QUICK  # noqa: E402

from featviz.adapters.torch.graph_export import export_graph  # noqa: E402
from featviz.adapters.torch.interpreter import run_graph, to_array  # noqa: E402

pytestmark = pytest.mark.frameworks


class Applied(torch.nn.Module):
    """A function of the image as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def compare(function, shape, *, tolerance=2e-5, positive=False, gradient=True):
    """Asserts that the graph of a function gives PyTorch's values and gradients on random numbers."""
    random = np.random.default_rng(0)
    array = random.uniform(0.1, 0.9, shape) if positive else random.normal(size=shape)
    x = torch.tensor(array.astype(np.float32), requires_grad=gradient)
    expected = function(x)
    graph = export_graph(Applied(function), x.detach())
    constants = {name: to_array(tensor) for name, tensor in graph.constants.items()}

    def ours(x):
        values = {graph.image.name: x, **{name: jnp.asarray(array) for name, array in constants.items()}}
        with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
            return run_graph(graph.module, values, graph.wanted)[graph.output.name]

    found = jax.jit(ours, compiler_options=QUICK)(array.astype(np.float32))
    theirs = expected.detach().numpy()
    assert found.shape == theirs.shape
    scale = max(1.0, float(np.abs(theirs.astype(np.float64)).max(initial=0)))
    np.testing.assert_allclose(np.asarray(found), theirs, rtol=tolerance, atol=tolerance * scale)
    if gradient and expected.is_floating_point() and expected.requires_grad:
        weights = random.normal(size=theirs.shape).astype(np.float32)
        expected.backward(torch.tensor(weights))
        sloped = jax.jit(jax.grad(lambda x: jnp.sum(ours(x) * weights)), compiler_options=QUICK)
        slope = sloped(array.astype(np.float32))
        wanted = x.grad.numpy()
        np.testing.assert_allclose(slope, wanted, rtol=1e-3, atol=1e-4 * max(1.0, float(np.abs(wanted).max())))


@functools.cache
def drawn(*shape):
    """Random numbers; kept, so that they are a constant of the graph."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(shape, generator=generator)


def test_convolutions():
    weight, bias = drawn(8, 2, 3, 2), drawn(8)
    compare(lambda x: F.conv2d(x, weight, bias, (1, 2), (2, 0), (2, 1), 2), (2, 4, 11, 9))
    compare(lambda x: F.conv_transpose2d(x, drawn(4, 6, 3, 4), None, (3, 2), (0, 1), (2, 0), 2, (1, 2)), (2, 4, 5, 6))
    compare(lambda x: F.conv1d(x, drawn(6, 2, 3), drawn(6), 2, 1, 1, 2), (2, 4, 9))
    compare(lambda x: F.conv3d(x, drawn(6, 4, 2, 3, 1), None, 1, 1), (1, 4, 5, 6, 4))


def test_pools():
    compare(lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True), (2, 3, 9, 8))
    compare(lambda x: F.avg_pool2d(x, (2, 3), (3, 2), (0, 1), count_include_pad=False), (2, 3, 9, 8))
    compare(lambda x: F.adaptive_avg_pool2d(x, (3, 5)), (2, 3, 9, 8))
    compare(lambda x: F.adaptive_max_pool2d(x, (3, None)), (2, 3, 9, 8))


def test_unpooling_and_indices():
    compare(lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2), (2, 3, 8, 6))
    compare(lambda x: F.max_pool2d(x, 3, 2, 1, return_indices=True)[1], (2, 3, 8, 7))
    compare(lambda x: F.lp_pool2d(x, 3.0, 2), (1, 2, 6, 6), positive=True)
    compare(lambda x: F.max_pool1d(x, 3, 2, 1), (2, 3, 9))
    compare(lambda x: F.avg_pool3d(x, 2), (1, 2, 4, 5, 6))


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_upsampling(mode, antialias):
    options = {"mode": mode, "antialias": antialias}
    compare(lambda x: F.interpolate(x, size=(5, 13), **options), (1, 2, 9, 7), tolerance=1e-4)
    compare(lambda x: F.interpolate(x, scale_factor=(0.6, 1.7), **options), (1, 2, 9, 7), tolerance=1e-4)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "area"])
def test_nearest_upsampling(mode):
    compare(lambda x: F.interpolate(x, size=(5, 13), mode=mode), (1, 2, 9, 7))
    compare(lambda x: F.interpolate(x, scale_factor=2, mode=mode), (1, 2, 9, 7))


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_sampling_on_a_grid(mode):
    theta = torch.tensor([[[0.9, 0.3, 0.1], [-0.2, 1.4, 0.3]]])

    def sample(x):
        grid = F.affine_grid(theta, (1, 2, 6, 5), align_corners=False)
        return F.grid_sample(x, grid, mode=mode, padding_mode="reflection", align_corners=False)

    compare(sample, (1, 2, 7, 8), tolerance=1e-4)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_padding(mode):
    compare(lambda x: F.pad(x, (1, 2, 3, 0), mode=mode), (2, 3, 5, 6))
    compare(lambda x: F.pad(x, (2, 2), value=1.5), (2, 3, 5))
    compare(lambda x: F.pad(x, (-1, 2, 0, -2)), (2, 3, 5, 6))


NORMS = {
    "layer": lambda x: F.layer_norm(x, (4, 5), drawn(4, 5), drawn(4, 5), 1e-3),
    "group": lambda x: F.group_norm(x, 3, drawn(6), drawn(6)),
    "instance": lambda x: F.instance_norm(x, weight=drawn(6), bias=drawn(6)),
    "batch": lambda x: F.batch_norm(x, drawn(6), drawn(6) ** 2 + 1, drawn(6), drawn(6), eps=1e-3),
    "batch, of the batch": lambda x: F.batch_norm(x, None, None, drawn(6), None, training=True),
    "rms": lambda x: F.rms_norm(x, (5,), drawn(5)),
    "local response": lambda x: F.local_response_norm(x, 3, 1e-2),
    "vector": lambda x: F.normalize(x, dim=1),
    "vector, p = 3": lambda x: torch.linalg.vector_norm(x, 3, dim=(2, 3)),
    "cosine": lambda x: F.cosine_similarity(x, x.flip(1), dim=1),
}


@pytest.mark.parametrize("kind", list(NORMS))
def test_norms(kind):
    compare(NORMS[kind], (3, 6, 4, 5), tolerance=1e-4)


FUNCTIONS = [F.relu, F.relu6, F.gelu, F.silu, F.logsigmoid, F.tanhshrink, F.rrelu, torch.frac, torch.sinc, torch.isnan]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_functions_of_one_array(function):
    compare(function, (2, 4, 5, 6))


ARITHMETIC = {
    "with alpha": lambda x: torch.sub(torch.add(x, x * x, alpha=2), 1.5, alpha=3),
    "rsub": lambda x: 2 - x,
    "powers": lambda x: x**2 + x**3.0 + 2.0**x + (x * x + 1) ** -0.5,
    "division": lambda x: x / 3 + 1 / (x * x + 1),
    "floor and remainder": lambda x: torch.div(x, 0.7, rounding_mode="floor") + x % 0.7 + torch.fmod(x, 0.7),
    "floor division": lambda x: x.detach() // 0.3,
    "truncation": lambda x: torch.div(x, 0.7, rounding_mode="trunc"),
    "integers": lambda x: (x * 5).int() // 2 + (x * 5).long() % 3,
    "integers divided": lambda x: (x * 5).int() / 2,
    "clamp": lambda x: x.clamp(-0.5, 0.7) + x.clamp(min=0.1) + x.clamp(max=torch.tensor(0.2)),
    "where": lambda x: torch.where(x > 0.3, x, -1.0) + x.masked_fill(x < 0, 2.0),
    "comparison": lambda x: (x > 0) & ~(x >= 1) | (x == 0.0),
    "lerp": lambda x: torch.lerp(x, x * x, 0.3) + torch.addcmul(x, x, x, value=2) + torch.addcdiv(x, x, x * x + 1),
    "maximum": lambda x: torch.maximum(x, x.flip(0)) + torch.minimum(x, x * 2) + torch.atan2(x, x * x + 1),
    "prelu": lambda x: F.prelu(x, drawn(4)) + F.threshold(x, 0.2, 3.0),
    "tanh gelu": lambda x: F.gelu(x, approximate="tanh"),
    "softmax": lambda x: x.softmax(1) + F.log_softmax(x, -1) + F.softmin(x, 0),
    "half and back": lambda x: (x.double() * 2).float() + x.to(torch.int64),
}


@pytest.mark.parametrize("kind", list(ARITHMETIC))
def test_arithmetic(kind):
    compare(ARITHMETIC[kind], (3, 4, 5))


REDUCTIONS = {
    "sum": lambda x: x.sum(1) + x.sum((-1, 0), keepdim=True).sum(1).squeeze(-1) + x.sum(),
    "mean": lambda x: x.mean((1, 2), keepdim=True) + x.mean(),
    "var": lambda x: x.var(1) + x.var((0, 1), unbiased=False) + x.var() + torch.var(x, 1, correction=2),
    "std": lambda x: x.std(-1) + x.std(-1, False) + torch.std_mean(x, 2)[1],
    "max": lambda x: x.max(1).values + x.amax((0, 1)) + x.max() - x.min() - x.min(1)[0],
    "argmax": lambda x: x.argmax(1) + x.argmin(-2) + x.argmax(),
    "prod": lambda x: x.prod(1) + x.logsumexp(1) + x.logsumexp((0, 1)),
    "any": lambda x: (x > 1).any(1) | (x > -1).all(1),
    "cumulative": lambda x: x.cumsum(1) + x.cumprod(2) + x.cumsum(-1),
    "sort": lambda x: x.sort(1)[0] + x.sort(-1, descending=True)[0],
    "top": lambda x: x.topk(2, 1)[0] + x.topk(2, 1, largest=False)[0],
}


@pytest.mark.parametrize("kind", list(REDUCTIONS))
def test_reductions(kind):
    compare(REDUCTIONS[kind], (3, 4, 5))


SHAPES = {
    "views": lambda x: x.view(2, -1, 3).reshape(4, -1).flatten().unflatten(0, (5, -1)),
    "axes": lambda x: x.permute(2, 0, -2).transpose(-1, 0).movedim(0, -1).unsqueeze(-1).squeeze(-1).squeeze(),
    "joins": lambda x: torch.cat([torch.stack([x, x * 2], -1).flatten(2), x], -1),
    "splits": lambda x: (
        x.split(3, 1)[1].sum() + x.chunk(3, 2)[-1] + torch.split(x, [1, 4], 2)[0] + x.unbind(1)[0].sum()
    ),
    "repeats": lambda x: x[:, :1].expand(-1, 4, -1) + x.repeat(1, 1, 2)[..., ::2] + x.repeat_interleave(2, 1)[:, ::2],
    "rolls": lambda x: x.roll((1, -2), (1, 2)) + x.flip(1, -1) + x.rot90(2, (1, 2)) + x.roll(3),
    "slices": lambda x: x[:, 1:-1, ::2] + x[:, -2:, [0, -1, 1]] + x[:, :2, -1:] + x[:, None, 1, :3],
    "indices": lambda x: x[:, torch.tensor([0, -1]), torch.tensor([2, 1])] + x[torch.tensor([[0], [1], [2]]), 0, 1],
    "gather": lambda x: x.gather(1, torch.tensor([[[0, 3, 1, 2, 0]]] * 3)) + x.index_select(1, torch.tensor([2])),
    "scatter": lambda x: x.scatter(1, torch.tensor([[[0, 3, 1, 2, 0]]] * 3), x[:, :1] * 2).scatter_add(
        2, torch.tensor([[[1], [0], [0], [4]]] * 3), x[..., :1]
    ),
    "triangles": lambda x: x.tril(1) + x.triu(-1) + torch.diag_embed(x.diagonal(0, 1, 2)).sum(),
    "windows": lambda x: x.unfold(2, 3, 2),
    "embedding": lambda x: F.embedding(torch.tensor([[1, 0], [2, 2]]), x[0]) + F.one_hot(torch.tensor([1]), 5),
    "grids": lambda x: sum(torch.meshgrid(x[0, :, 0], torch.arange(5) / 5, indexing="ij")),
    "creation": lambda x: x + torch.eye(4, 5) + torch.linspace(0, 1, 5) + torch.full_like(x, 2) + x.new_ones(5),
    "strides": lambda x: x.contiguous().as_strided((2, 3), (5, 2), 1),
}


@pytest.mark.parametrize("kind", list(SHAPES))
def test_shapes(kind):
    compare(SHAPES[kind], (3, 4, 5))


def test_images_in_blocks():
    compare(lambda x: F.pixel_unshuffle(F.pixel_shuffle(x, 2), 3), (2, 8, 3, 6))
    compare(lambda x: F.channel_shuffle(x, 4), (2, 8, 3, 6))
    compare(lambda x: F.unfold(x, (3, 2), 1, 1, 2), (2, 3, 7, 8))
    compare(lambda x: F.fold(F.unfold(x, 3, 1, 1, 2), (7, 8), 3, 1, 1, 2), (2, 3, 7, 8))


def edit_chunk(x):
    y = x * 1.0
    y.narrow(1, 0, 2).add_(1.0)
    y.permute(0, 2, 1).select(1, 0).relu_()
    y = y * 1.0
    y[:, 1] = 0
    y[:, :, 2:] += 3.0
    y[x > 1] = 5.0
    return y


def test_edits_in_place_reach_the_array_itself():
    compare(edit_chunk, (3, 4, 5))


PRODUCTS = {
    "matmul": lambda x: x @ x.transpose(1, 2) @ drawn(4, 2) + (drawn(4) @ x.transpose(1, 2).reshape(-1, 4, 1)).sum(),
    "linear": lambda x: F.linear(x, weight=drawn(6, 5), bias=drawn(6)),
    "einsum": lambda x: torch.einsum("nij,kj,nik->ni", x, drawn(3, 5), x[..., :3]),
    "addmm": lambda x: torch.addmm(drawn(2), x[0], drawn(5, 2), beta=0.5, alpha=2) + torch.mv(x[0], drawn(5))[:, None],
    "bilinear": lambda x: F.bilinear(x, x, drawn(2, 5, 5), drawn(2)),
    "distances": lambda x: torch.cdist(x, drawn(3, 3, 5)),
    "attention": lambda x: F.scaled_dot_product_attention(x, x * 2, x + 1),
    "attention, causal": lambda x: F.scaled_dot_product_attention(x, x * 2, x + 1, is_causal=True, scale=0.3),
    "attention, masked": lambda x: F.scaled_dot_product_attention(x, x, x, attn_mask=torch.tril(torch.ones(4, 4)) > 0),
    "attention, biased": lambda x: F.scaled_dot_product_attention(x, x, x, attn_mask=drawn(4, 4)),
    "spectrum": lambda x: torch.fft.irfft2(torch.fft.rfft2(x, norm="ortho") * drawn(4, 3), s=(4, 5), norm="ortho"),
}


@pytest.mark.parametrize("kind", list(PRODUCTS))
def test_products(kind):
    compare(PRODUCTS[kind], (3, 4, 5), tolerance=1e-4)
