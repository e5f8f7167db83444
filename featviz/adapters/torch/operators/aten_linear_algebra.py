"""ATen's decompositions of matrices and what is solved with them."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy import linalg

# What PyTorch returns beside its results: that all went well.
DONE = 0


def _turned(x: jax.Array) -> jax.Array:
    return jnp.swapaxes(x, -1, -2)


def _invert(x: jax.Array, *, check_errors: bool = False) -> tuple[jax.Array, jax.Array]:
    return jnp.linalg.inv(x), jnp.full(x.shape[:-2], DONE, jnp.int32)


def _solve(a: jax.Array, b: jax.Array, *, left: bool = True, **ignored: Any) -> jax.Array:
    if not left:
        return _turned(_solve(_turned(a), _turned(b)))
    # Vectors side by side are those of as many systems.
    vectors = b.ndim == 1 or (b.ndim == a.ndim - 1 and b.shape == a.shape[:-1])
    return jnp.linalg.solve(a, b[..., None])[..., 0] if vectors else jnp.linalg.solve(a, b)


def _solve_checked(a: jax.Array, b: jax.Array, **options: Any) -> tuple[jax.Array, ...]:
    # The factors beside the result are for gradients, which JAX has its own way to.
    return _solve(a, b, **options), a, jnp.zeros(a.shape[:-1], jnp.int32), jnp.full(a.shape[:-2], DONE, jnp.int32)


def _solve_triangular(
    a: jax.Array, b: jax.Array, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> jax.Array:
    if not left:
        return _turned(_solve_triangular(_turned(a), _turned(b), upper=not upper, unitriangular=unitriangular))
    shape = jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = (jnp.broadcast_to(part, (*shape, *part.shape[-2:])) for part in (a, b))
    return jax.lax.linalg.triangular_solve(a, b, left_side=True, lower=not upper, unit_diagonal=unitriangular)


def _cholesky(x: jax.Array, *, upper: bool = False, **ignored: Any) -> jax.Array:
    factor = jnp.linalg.cholesky(x)
    return jnp.conj(_turned(factor)) if upper else factor


def _cholesky_checked(x: jax.Array, **options: Any) -> tuple[jax.Array, jax.Array]:
    return _cholesky(x, **options), jnp.full(x.shape[:-2], DONE, jnp.int32)


def _eigh(x: jax.Array, uplo: str = "L", compute_v: bool = True) -> tuple[jax.Array, jax.Array]:
    values, vectors = jnp.linalg.eigh(x, UPLO=uplo, symmetrize_input=False)
    return values, vectors if compute_v else jnp.zeros(0)


def _svd(
    x: jax.Array, full_matrices: bool = False, compute_uv: bool = True, *, driver: str | None = None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    if not compute_uv:
        return jnp.zeros(0), jnp.linalg.svd(x, compute_uv=False), jnp.zeros(0)
    left, values, right = jnp.linalg.svd(x, full_matrices=full_matrices)
    return left, values, right


def _determinant(x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    return jnp.linalg.det(x), x, jnp.zeros(x.shape[:-1], jnp.int32)


def _log_determinant(x: jax.Array) -> tuple[jax.Array, ...]:
    sign, logarithm = jnp.linalg.slogdet(x)
    return sign, logarithm, x, jnp.zeros(x.shape[:-1], jnp.int32)


def _pseudo_inverse(
    x: jax.Array, rcond: Any = None, hermitian: bool = False, *, atol: Any = None, rtol: Any = None
) -> jax.Array:
    rtol = rcond if rtol is None else rtol
    if atol is not None:
        raise NotImplementedError("a pseudoinverse with an absolute tolerance")
    # PyTorch's own tolerance is this one, NumPy's is ten times as large.
    least = max(x.shape[-2:]) * jnp.finfo(x.dtype).eps if rtol is None else rtol
    return jnp.linalg.pinv(x, rtol=least, hermitian=hermitian)


def _qr(x: jax.Array, mode: str = "reduced") -> tuple[jax.Array, jax.Array]:
    if mode == "r":
        return jnp.zeros(0), jnp.linalg.qr(x, mode="r")
    orthogonal, upper = jnp.linalg.qr(x, mode=mode)
    return orthogonal, upper


LINEAR_ALGEBRA: dict[str, Callable[..., Any]] = {
    "linalg_inv": jnp.linalg.inv,
    "inverse": jnp.linalg.inv,
    "linalg_inv_ex": _invert,
    "linalg_solve": _solve,
    "_linalg_solve_ex": _solve_checked,
    "linalg_solve_triangular": _solve_triangular,
    "linalg_cholesky": _cholesky,
    "linalg_cholesky_ex": _cholesky_checked,
    "cholesky": lambda x, upper=False: _cholesky(x, upper=upper),
    "linalg_eigh": lambda x, uplo="L": _eigh(x, uplo),
    "_linalg_eigh": _eigh,
    "linalg_eigvalsh": lambda x, uplo="L": _eigh(x, uplo)[0],
    "linalg_svd": lambda x, full_matrices=True, *, driver=None: _svd(x, full_matrices),
    "_linalg_svd": _svd,
    "linalg_svdvals": lambda x, *, driver=None: _svd(x, compute_uv=False)[1],
    "linalg_qr": _qr,
    "linalg_householder_product": jax.lax.linalg.householder_product,
    "linalg_pinv": _pseudo_inverse,
    "pinverse": lambda x, rcond=1e-15: jnp.linalg.pinv(x, rtol=rcond),
    "linalg_det": jnp.linalg.det,
    "det": jnp.linalg.det,
    "_linalg_det": _determinant,
    "_linalg_slogdet": _log_determinant,
    "linalg_matrix_exp": linalg.expm,
    "matrix_exp": linalg.expm,
    "trace": jnp.trace,
}
