"""ATen's linear algebra, Fourier transforms, fake quantization and random numbers against PyTorch's own."""

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: make test-frameworks")

from support.aten import assert_operator, find_overload, normal  # noqa: E402

from featviz.adapters.torch.operators import draws_numbers, find_operator  # noqa: E402

pytestmark = pytest.mark.frameworks


def square(seed=0, size=3):
    """Matrices that are far from singular."""
    return normal((2, size, size), seed) + 4 * torch.eye(size)


def definite(seed=0):
    matrix = normal((2, 3, 3), seed)
    return matrix @ matrix.mT + torch.eye(3)


def test_inverses_and_solutions():
    matrix, sides, vector = square(), normal((2, 3, 4), 1), normal((2, 3), 2)
    assert_operator("aten.linalg_inv", matrix, tolerance=1e-4)
    assert_operator("aten.linalg_inv_ex", matrix, outputs=1, tolerance=1e-4)
    assert_operator("aten.linalg_solve", matrix, sides, tolerance=1e-4)
    assert_operator("aten.linalg_solve", matrix, vector, tolerance=1e-4)
    assert_operator("aten.linalg_solve", matrix, sides.mT, left=False, tolerance=1e-4)
    assert_operator("aten._linalg_solve_ex", matrix, sides, outputs=1, tolerance=1e-4)
    for upper in (False, True):
        assert_operator("aten.linalg_solve_triangular", matrix, sides, upper=upper, tolerance=1e-4)
        assert_operator("aten.linalg_solve_triangular", matrix, sides.mT, upper=upper, left=False, tolerance=1e-4)
        assert_operator(
            "aten.linalg_solve_triangular", matrix[0], sides, upper=upper, unitriangular=True, tolerance=1e-4
        )


def test_decompositions():
    matrix = definite()
    for upper in (False, True):
        assert_operator("aten.linalg_cholesky", matrix, upper=upper, gradient=False)
        assert_operator("aten.linalg_cholesky_ex", matrix, upper=upper, outputs=1, gradient=False)
    assert_operator("aten.linalg_eigvalsh", matrix, tolerance=1e-4)
    assert_operator("aten.linalg_svdvals", square(), tolerance=1e-4)
    assert_operator("aten.linalg_matrix_exp", square() / 4, tolerance=1e-4)
    assert_operator("aten.linalg_det", square(), tolerance=1e-4)
    assert_operator("aten._linalg_det", square(), outputs=1, tolerance=1e-4)
    assert_operator("aten._linalg_slogdet", square(), outputs=2, tolerance=1e-4)
    assert_operator("aten.trace", square()[0])
    assert_operator("aten.linalg_pinv", normal((2, 3, 4)), 0.1, tolerance=1e-4)
    assert_operator("aten.linalg_pinv.atol_rtol_float", normal((2, 3, 4)), tolerance=1e-4)
    assert_operator("aten.pdist", normal((4, 3)))


@pytest.mark.parametrize("name", ["linalg_eigh", "_linalg_eigh", "linalg_svd", "_linalg_svd", "linalg_qr"])
def test_factors_give_the_matrix(name):
    # Vectors have no sign of their own.
    matrix = definite()
    theirs = find_overload(f"aten.{name}")(matrix)
    found = [torch.tensor(np.asarray(part)) for part in find_operator(f"{name}.default")(jax.numpy.asarray(matrix))]
    if "eigh" in name:
        product = found[1] @ torch.diag_embed(found[0]) @ found[1].mT
    elif "svd" in name:
        product = found[0] @ torch.diag_embed(found[1]) @ found[2]
    else:
        product = found[0] @ found[1]
    assert [tuple(part.shape) for part in found] == [tuple(part.shape) for part in theirs]
    np.testing.assert_allclose(product, matrix, atol=1e-4)


@pytest.mark.parametrize("normalization", [0, 1, 2])
def test_fourier_transforms_of_the_core(normalization):
    image = normal((2, 4, 5))
    spectrum = normal((2, 4, 3), 1, torch.complex64)
    for onesided in (True, False):
        assert_operator("aten._fft_r2c", image, [1, 2], normalization, onesided)
    for size in (4, 5):
        assert_operator("aten._fft_c2r", spectrum, [1, 2], normalization, size, gradient=False)
    for forward in (True, False):
        assert_operator("aten._fft_c2c", spectrum, [2, 0], normalization, forward)


def test_fourier_transforms_over_any_axes():
    image = normal((2, 4, 5))
    assert_operator("aten.fft_rfftn", image)
    assert_operator("aten.fft_fftn", image, None, [0, 2], "ortho")
    assert_operator("aten.fft_irfftn", normal((2, 4, 3), 0, torch.complex64), [4, 6], [1, 2], gradient=False)
    assert_operator("aten.fft_fftshift", image)
    assert_operator("aten.fft_ifftshift", image, [1])
    assert_operator("aten.fft_fftfreq", 5, 0.5)
    assert_operator("aten.fft_rfftfreq", 5)


def test_fake_quantization():
    image = normal((2, 3, 4), 1) * 3
    tensors = torch.tensor(0.1), torch.tensor(3, dtype=torch.int32)
    vectors = torch.tensor([0.1, 0.02, 0.3]), torch.tensor([0, 5, -2], dtype=torch.int32)
    assert_operator("aten.fake_quantize_per_tensor_affine", image, 0.1, 3, -20, 20)
    assert_operator("aten.fake_quantize_per_tensor_affine.tensor_qparams", image, *tensors, -20, 20, gradient=1)
    assert_operator("aten.fake_quantize_per_channel_affine", image, *vectors, 1, -20, 20, gradient=1)
    assert_operator("aten.fake_quantize_per_tensor_affine_cachemask", image, 0.1, 3, -20, 20)
    assert_operator("aten.fake_quantize_per_channel_affine_cachemask", image, *vectors, 1, -20, 20, gradient=1)
    name = "aten._fake_quantize_per_tensor_affine_cachemask_tensor_qparams"
    assert_operator(name, image, *tensors, torch.tensor([1]), -20, 20, gradient=1)


RANDOM = {
    "randn": ([300, 4],), "rand": ([300, 4],), "randint": (7, [300, 4]), "randint.low": (-3, 7, [300, 4]),
    "randn_like": "x", "rand_like": "x", "normal_functional": ("x", 1.0, 2.0), "uniform": ("x", -1.0, 3.0),
    "bernoulli.p": ("x", 0.3), "exponential": ("x", 2.0), "dropout": ("x", 0.4, True),
    "feature_dropout": ("x", 0.4, True), "alpha_dropout": ("x", 0.4, True), "native_dropout": ("x", 0.4, True),
    "rrelu": ("x", 0.1, 0.9, True), "normal.float_float": (1.0, 2.0, [300, 4]), "randperm": (30,),
}  # fmt: skip


@pytest.mark.parametrize("name", list(RANDOM))
def test_random_numbers_have_the_same_distribution(name):
    args = [torch.full((300, 4, 5), 1.5) if arg == "x" else arg for arg in RANDOM[name]]
    torch.manual_seed(0)
    theirs = find_overload(f"aten.{name}")(*args)
    overload = name if "." in name else f"{name}.default"
    function = find_operator(overload)
    assert function is not None
    found = function(*(jax.numpy.asarray(arg) if isinstance(arg, torch.Tensor) else arg for arg in args))
    theirs, found = (part[0] if isinstance(part, tuple) else part for part in (theirs, found))
    theirs = theirs.double().numpy()
    assert found.shape == theirs.shape
    assert abs(float(found.mean()) - theirs.mean()) < 0.15 * (theirs.std() + 0.1)
    assert abs(float(found.std()) - theirs.std()) < 0.15 * (theirs.std() + 0.1)


def test_operators_that_draw_numbers_by_their_arguments():
    attention = "scaled_dot_product_attention"
    assert draws_numbers(attention, (0, 0, 0), {"dropout_p": 0.1})
    assert draws_numbers(attention, (0, 0, 0, None, 0.1), {})
    assert not draws_numbers(attention, (0, 0, 0), {})
    assert draws_numbers("rrelu", (0, 0.1, 0.3, True), {})
    assert not draws_numbers("rrelu", (0, 0.1, 0.3), {})
    assert not draws_numbers("dropout", (0, 0.0, True), {})
    assert draws_numbers("feature_alpha_dropout", (0, 0.5, True), {})
