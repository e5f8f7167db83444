"""Torchvision's deformable convolutions against its own, and against plain convolutions where nothing is displaced."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from support.aten import SEEDS, assert_operator, normal, property_test  # noqa: E402

from featviz.adapters.torch.operators import find_operator  # noqa: E402

pytestmark = pytest.mark.frameworks


def arguments(seed, stride, padding, dilation, groups, offset_groups, masked, *, size=0.7):
    """The arguments of `torchvision.ops.deform_conv2d` as its operator takes them."""
    height, width = ((side + 2 * padding - dilation * (tap - 1) - 1) // stride + 1 for side, tap in ((6, 3), (7, 2)))
    offset = normal((2, 2 * offset_groups * 6, height, width), seed + 2) * size
    mask = torch.sigmoid(normal((2, offset_groups * 6, height, width), seed + 3)) if masked else torch.zeros(2, 1)
    pairs = (side for side in (stride, padding, dilation) for _ in range(2))
    return [
        normal((2, 4, 6, 7), seed), normal((6, 4 // groups, 3, 2), seed + 1), offset, mask, normal(6, seed + 4), *pairs,
        groups, offset_groups, masked,
    ]  # fmt: skip


@pytest.mark.parametrize(("stride", "padding", "dilation", "groups"), [(1, 0, 1, 1), (2, 1, 1, 2), (1, 2, 2, 1)])
def test_without_displacement_it_is_a_convolution(stride, padding, dilation, groups):
    args = arguments(0, stride, padding, dilation, groups, 1, False, size=0.0)
    wanted = torch.nn.functional.conv2d(args[0], args[1], args[4], stride, padding, dilation, groups)
    function = find_operator("deform_conv2d.default")
    with jax.numpy_rank_promotion("allow"):
        found = function(*(jnp.asarray(arg) if isinstance(arg, torch.Tensor) else arg for arg in args))
    np.testing.assert_allclose(found, wanted, atol=1e-5)


OPTIONS = st.tuples(
    st.integers(1, 2), st.integers(0, 2), st.integers(1, 2), st.sampled_from([1, 2]), st.sampled_from([1, 2]),
    st.booleans(),
)  # fmt: skip


@property_test(10)
@given(SEEDS, OPTIONS)
def test_values_and_gradients(seed, options):
    pytest.importorskip("torchvision", reason="needs torchvision")
    assert_operator("torchvision.deform_conv2d", *arguments(seed, *options), tolerance=1e-4)
