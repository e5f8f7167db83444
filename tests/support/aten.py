"""Single operators of ATen on JAX against PyTorch's own."""

from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np
import torch
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from torch.utils import _pytree as pytree

from featviz.adapters.torch.interpreter import run_graph, to_array

# Compiling takes most of a test's time; small loops do not need the emitters that are slow to compile.
QUICK = {"xla_cpu_use_fusion_emitters": False}
SEEDS = st.integers(0, 2**16)
HALVES = (torch.float16, torch.bfloat16)


def property_test(examples):
    """Settings of a test that draws operators' arguments: the same ones each time."""
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=checks,
        # Smaller cases would take minutes to find.
        phases=[Phase.explicit, Phase.generate],
    )


def normal(shape, seed=0, dtype=torch.float32):
    """Random numbers; of integers those from -5 to 5."""
    generator = torch.Generator().manual_seed(seed)
    if dtype.is_floating_point or dtype.is_complex:
        return torch.randn(shape, generator=generator).to(dtype)
    return torch.randint(-5, 6, shape, generator=generator).to(dtype)


def find_overload(name):
    """The overload of a name such as `aten.max.dim`; the default one where none is named."""
    parts = name.split(".")
    found = reduce(getattr, parts, torch.ops)
    return found if isinstance(found, torch._ops.OpOverload) else found.default


def assert_operator(name, *args, outputs=None, gradient=True, tolerance=1e-5, **kwargs):
    """Asserts that an operator gives PyTorch's values, types and gradients.

    Args:
        name: The operator, `aten.conv2d` or `aten.max.dim`.
        args: Its arguments; gradients are taken of all floating ones.
        outputs: How many of its outputs are compared, by default all.
        gradient: Whether gradients are compared; a number is that of the first arrays whose gradients are.
        tolerance: Relative to the largest value; gradients are given ten times as much.
    """
    operator = find_overload(name)
    leaves, structure = pytree.tree_flatten((list(args), kwargs))
    places = [place for place, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)]
    floating = [place for place in places if leaves[place].dtype in (torch.float32, torch.complex64)]
    floating = floating[: None if gradient is True else int(gradient)]
    for place in floating:
        leaves[place] = leaves[place].detach().requires_grad_()
    # Copies, since an operator in place changes its arguments.
    arrays = {place: jnp.asarray(to_array(leaves[place])) for place in places}
    result = _call(operator, leaves, structure)
    expected = list(result if isinstance(result, list | tuple) else [result])[:outputs]
    run = _interpreted(operator, leaves, structure, places, result)
    sloped = [index for index, value in enumerate(expected) if value.requires_grad]
    weights = [normal(expected[index].shape, index + 1, expected[index].dtype) for index in sloped]
    found, slopes = _run(run, arrays, floating if sloped else [], sloped, [to_array(weight) for weight in weights])
    half = any(value.dtype in HALVES for value in [*expected, *(leaves[place] for place in places)])
    tolerance = 1e-2 if half else tolerance
    for value, theirs in zip(found, expected, strict=False):
        assert_equal(value, to_array(theirs), tolerance, name)
    if not sloped or not floating:
        return
    theirs = torch.autograd.grad(
        [expected[index] for index in sloped], [leaves[place] for place in floating], weights, allow_unused=True
    )
    for place, slope in zip(floating, theirs, strict=True):
        zeros = torch.zeros_like(leaves[place])
        wanted = to_array(zeros if slope is None else zeros + slope)
        assert_equal(slopes[place], wanted, 10 * tolerance, f"{name}, gradient")


def assert_equal(found, wanted, tolerance, what=""):
    """Asserts the same shape and type, and values that differ by no more than rounding."""
    found = np.asarray(found)
    assert found.shape == wanted.shape, what
    assert found.dtype == wanted.dtype, what
    finite = np.abs(wanted[np.isfinite(wanted)])
    atol = tolerance * max(1.0, float(finite.max(initial=0))) if wanted.dtype.kind in "fc" else 0
    np.testing.assert_allclose(found, wanted, rtol=tolerance if atol else 0, atol=atol, err_msg=what)


def _call(operator, leaves, structure):
    args, kwargs = pytree.tree_unflatten(leaves, structure)
    return operator(*args, **kwargs)


def _interpreted(operator, leaves, structure, places, result):
    """The operator as a function of its arrays by place, run as a graph of one node."""
    graph = torch.fx.Graph()
    nodes = {place: graph.placeholder(f"x{place}") for place in places}
    for place, placeholder in nodes.items():
        placeholder.meta["val"] = leaves[place]
    args, kwargs = pytree.tree_unflatten([nodes.get(place, leaf) for place, leaf in enumerate(leaves)], structure)
    node = graph.call_function(operator, tuple(args), kwargs)
    node.meta["val"] = result
    graph.output(node)
    module = torch.fx.GraphModule(torch.nn.Module(), graph)

    def run(arrays):
        values = {nodes[place].name: array for place, array in arrays.items()}
        with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
            value = run_graph(module, values, [node])[node.name]
        return list(value if isinstance(value, list | tuple) else [value])

    return run


def _run(run, arrays, floating, sloped, weights):
    """Values, and the gradients of their weighted sum by place."""

    def weighted(inputs, others):
        values = run({**others, **inputs})
        total = sum(jnp.real(jnp.sum(values[i] * np.conj(w))) for i, w in zip(sloped, weights, strict=True))
        return total, values

    inputs = {place: arrays[place] for place in floating}
    others = {place: array for place, array in arrays.items() if place not in inputs}
    if not inputs:
        return jax.jit(run, compiler_options=QUICK)(arrays), {}
    (_, values), slopes = jax.jit(jax.value_and_grad(weighted, has_aux=True), compiler_options=QUICK)(inputs, others)
    # PyTorch's gradient of a complex number is the conjugate of JAX's.
    return values, jax.tree.map(jnp.conj, slopes)
