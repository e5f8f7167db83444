"""ATen's products of matrices, and attention."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from featviz.adapters.torch.operators.aten_activations import safe_softmax
from featviz.adapters.torch.operators.aten_norms import vector_norm
from featviz.adapters.torch.operators.aten_random import drop


def _linear(x: jax.Array, weight: jax.Array, bias: jax.Array | None = None) -> jax.Array:
    output = lax.dot_general(x, weight, (((x.ndim - 1,), (weight.ndim - 1,)), ((), ())))
    return output if bias is None else output + bias


def _add_product(bias: jax.Array, x: jax.Array, y: jax.Array, beta: float = 1, alpha: float = 1) -> jax.Array:
    return _add(bias, jnp.matmul(x, y), beta, alpha)


def _add(bias: jax.Array, product: jax.Array, beta: float = 1, alpha: float = 1) -> jax.Array:
    return (product if alpha == 1 else product * alpha) + (bias if beta == 1 else bias * beta)


def _einsum(equation: str, operands: Sequence[jax.Array], path: Any = None) -> jax.Array:
    return jnp.einsum(equation, *operands)


def _bilinear(x: jax.Array, y: jax.Array, weight: jax.Array, bias: jax.Array | None = None) -> jax.Array:
    output = jnp.einsum("...i,oij,...j->...o", x, weight, y)
    return output if bias is None else output + bias


def _attend(
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    attn_mask: jax.Array | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
    draw: int = 0,
) -> jax.Array:
    """softmax(scale q k^T + mask) v, of (..., tokens, units)."""
    if enable_gqa:
        key, value = (jnp.repeat(part, query.shape[-3] // part.shape[-3], -3) for part in (key, value))
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = jnp.matmul(query * factor, jnp.swapaxes(key, -1, -2))
    if is_causal:
        scores = jnp.where(np.tri(query.shape[-2], key.shape[-2], dtype=bool), scores, -jnp.inf)
    if attn_mask is None:
        weights = jax.nn.softmax(scores, -1)
    else:
        # A query that may look at nothing finds zeros.
        masked = jnp.where(attn_mask, scores, -jnp.inf) if attn_mask.dtype == bool else scores + attn_mask
        weights = safe_softmax(masked, -1)
    return jnp.matmul(drop(weights, dropout_p, draw=draw), value)


def _flash_attention(
    query: jax.Array, key: jax.Array, value: jax.Array, dropout_p: float = 0.0, is_causal: bool = False,
    *, attn_mask: jax.Array | None = None, scale: float | None = None, draw: int = 0,
) -> tuple[jax.Array, jax.Array]:  # fmt: skip
    output = _attend(query, key, value, attn_mask, dropout_p, is_causal, scale=scale, draw=draw)
    return output, jnp.zeros(query.shape[:-1])


def _distances(x: jax.Array, y: jax.Array, p: float = 2, compute_mode: Any = None) -> jax.Array:
    difference = jnp.abs(x[..., :, None, :] - y[..., None, :, :])
    return vector_norm(difference, ord=p, dim=-1)


def _distances_of_pairs(x: jax.Array, p: float = 2) -> jax.Array:
    """`pdist`: the distances of all pairs of rows."""
    rows, columns = np.triu_indices(x.shape[0], 1)
    return vector_norm(x[rows] - x[columns], ord=p, dim=-1)


def _cosine_similarity(x: jax.Array, y: jax.Array, dim: int = 1, eps: float = 1e-8) -> jax.Array:
    x, y = (part[None] if part.ndim == 0 else part for part in jnp.broadcast_arrays(x, y))
    norms = [jnp.maximum(jnp.sqrt(jnp.sum(part * part, dim)), eps) for part in (x, y)]
    return jnp.sum(x * y, dim) / (norms[0] * norms[1])


PRODUCTS: dict[str, Callable[..., Any]] = {
    "linear": _linear,
    "matmul": jnp.matmul,
    "linalg_matmul": jnp.matmul,
    "mm": jnp.matmul,
    "bmm": jnp.matmul,
    "mv": jnp.matmul,
    "dot": jnp.dot,
    "vdot": jnp.vdot,
    "inner": jnp.inner,
    "outer": jnp.outer,
    "ger": jnp.outer,
    "kron": jnp.kron,
    "addmm": _add_product,
    "addbmm": lambda bias, x, y, **scales: _add(bias, jnp.einsum("nij,njk->ik", x, y), **scales),
    "addr": lambda bias, x, y, **scales: _add(bias, jnp.outer(x, y), **scales),
    "addmv": _add_product,
    "baddbmm": _add_product,
    "einsum": _einsum,
    "bilinear": _bilinear,
    "linalg_cross": lambda x, y, dim=-1: jnp.cross(x, y, axis=dim),
    "cross": lambda x, y, dim=-1: jnp.cross(x, y, axis=dim),
    "cdist": _distances,
    "_cdist_forward": _distances,
    "pdist": _distances_of_pairs,
    "_pdist_forward": _distances_of_pairs,
    "cosine_similarity": _cosine_similarity,
    "scaled_dot_product_attention": _attend,
    "_scaled_dot_product_flash_attention_for_cpu": _flash_attention,
}
