"""ATen's changes of resolution, padding and sampling against PyTorch's own."""

import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")

from hypothesis import assume, given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from support.aten import SEEDS, assert_operator, normal, property_test  # noqa: E402

pytestmark = pytest.mark.frameworks

KINDS = {
    "upsample_nearest{}d": (1, 2, 3), "_upsample_nearest_exact{}d": (1, 2, 3), "upsample_linear{}d": (1,),
    "upsample_bilinear{}d": (2,), "upsample_trilinear{}d": (3,), "upsample_bicubic{}d": (2,),
    "_upsample_bilinear{}d_aa": (2,), "_upsample_bicubic{}d_aa": (2,),
}  # fmt: skip
UPSAMPLINGS = [(name.format(rank), rank) for name, ranks in KINDS.items() for rank in ranks]


@pytest.mark.parametrize(("name", "rank"), UPSAMPLINGS)
@property_test(6)
@given(st.data(), SEEDS, st.booleans())
def test_upsampling(name, rank, data, seed, align_corners):
    # PyTorch's antialias is wrong for images that are one pixel wide.
    sides = st.integers(2, 9) if name.endswith("_aa") else st.integers(1, 9)
    image = normal((1, 2, *(data.draw(sides) for _ in range(rank))), seed)
    output = [data.draw(sides) for _ in range(rank)]
    aligned = [] if "nearest" in name else [align_corners]
    scales = [None] * rank
    if data.draw(st.booleans()):
        # What PyTorch is given where the size came from a factor.
        scales = [data.draw(st.sampled_from([0.4, 1.0, 1.5, 2.0, 2.7])) for _ in range(rank)]
        output = [int(side * scale) for side, scale in zip(image.shape[2:], scales, strict=True)]
        assume(min(output) > (1 if name.endswith("_aa") else 0))
    assert_operator(f"aten.{name}", image, output, *aligned, *scales, tolerance=1e-4)


@pytest.mark.parametrize(("name", "rank"), UPSAMPLINGS)
def test_upsampling_by_factors(name, rank):
    image = normal((1, 2, *(4, 5, 3)[:rank]))
    aligned = [] if "nearest" in name else [False]
    factors = [1.6, 2.0, 0.7][:rank]
    assert_operator(f"aten.{name}.vec", image, None, *aligned, factors, tolerance=1e-4)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@property_test(8)
@given(st.data(), st.integers(1, 3), SEEDS)
def test_padding(mode, data, rank, seed):
    image = normal((1, 2, *(4, 5, 3)[:rank]), seed)
    low = -1 if mode == "circular" else -2
    padding = [data.draw(st.integers(low, 2)) for _ in range(2 * rank)]
    assume(all(padding[2 * axis] + padding[2 * axis + 1] > -image.shape[-1 - axis] for axis in range(rank)))
    if mode == "constant":
        assert_operator("aten.pad", image, padding, mode, 1.5)
        assert_operator("aten.constant_pad_nd", image, padding, -1)
    else:
        assert_operator("aten.pad", image, padding, mode)


@property_test(8)
@given(st.integers(1, 3), st.integers(0, 2), st.integers(0, 2), SEEDS)
def test_padding_by_its_own_operators(rank, low, high, seed):
    image = normal((2, *(4, 5, 3)[:rank]), seed)
    assert_operator(f"aten.reflection_pad{rank}d", image, [low, high] * rank)
    assert_operator(f"aten.replication_pad{rank}d", image, [low, high + 1] * rank)


@pytest.mark.parametrize("interpolation", [0, 1, 2])
@property_test(8)
@given(st.integers(2, 3), st.integers(0, 2), st.booleans(), SEEDS, st.sampled_from([0.7, 1.5, 4.0]))
def test_sampling_on_a_grid(interpolation, rank, padding, align_corners, seed, reach):
    assume(rank == 2 or interpolation < 2)
    image = normal((2, 2, *(4, 5, 3)[:rank]), seed)
    grid = normal((2, *(2, 3, 2)[:rank], rank), seed + 1) * reach
    # The rounding of a position decides which pixel is the nearest.
    gradient = 1 if interpolation == 1 else 2
    args = image, grid, interpolation, padding, align_corners
    assert_operator("aten.grid_sampler", *args, tolerance=1e-4, gradient=gradient)


def test_sampling_at_pixels():
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, 4), torch.linspace(-1, 1, 5), indexing="ij")
    grid = torch.stack([columns, rows], -1)[None]
    for padding in range(3):
        assert_operator("aten.grid_sampler", normal((1, 2, 4, 5)), grid, 0, padding, True, tolerance=1e-4, gradient=1)


@pytest.mark.parametrize("size", [[2, 3, 4, 5], [2, 3, 1, 5], [1, 3, 2, 3, 4]])
@pytest.mark.parametrize("align_corners", [False, True])
def test_affine_grids(size, align_corners):
    rank = len(size) - 2
    assert_operator("aten.affine_grid_generator", normal((size[0], rank, rank + 1)), size, align_corners)
