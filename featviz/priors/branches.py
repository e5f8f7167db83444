"""A choice between two computations that stays one when lanes are batched."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Bool

from featviz.priors.base import Images

Branch = Callable[..., Images]


def either(predicate: Bool[Array, ""], first: Branch, second: Branch, *operands: Any) -> Images:
    """`first(*operands)` where the predicate holds, else `second(*operands)`; neither is computed in vain.

    Under `vmap`, `jax.lax.cond` computes both for every lane, with a copy of the weights for each. Here a branch is
    computed, for all lanes at once, if any of them takes it. Lanes are mostly at the same step, and take the same one.

    Args:
      predicate: of a lane.
      first: computes images from the operands, and from no other arrays.
      second: as `first`, of the same shape.
      operands: arrays, and trees of them, such as a denoiser with its weights.

    >>> double, halve = lambda x: 2 * x, lambda x: x / 2
    >>> jax.vmap(lambda p, x: either(p, double, halve, x))(jnp.array([True, False]), jnp.ones((2, 1, 1, 1, 1))).ravel()
    Array([2. , 0.5], dtype=float32)
    """

    @custom_vmap
    def choose(predicate: Bool[Array, ""], operands: Sequence[Any]) -> Images:
        return jax.lax.cond(predicate, first, second, *operands)

    @choose.def_vmap
    def choose_of_lanes(
        lanes: int, batched: Sequence[Any], predicate: Bool[Array, "*lanes"], operands: Sequence[Any]
    ) -> tuple[Images, bool]:
        axes = jax.tree.map(lambda each: 0 if each else None, batched[1])
        every_first = jax.vmap(first, in_axes=axes, axis_size=lanes)
        every_second = jax.vmap(second, in_axes=axes, axis_size=lanes)
        if not batched[0]:
            return jax.lax.cond(predicate, every_first, every_second, *operands), True
        shape = jax.eval_shape(every_first, *operands)

        def none(*operands: Any) -> Images:
            return jnp.zeros(shape.shape, shape.dtype)

        ones = jax.lax.cond(jnp.any(predicate), every_first, none, *operands)
        others = jax.lax.cond(jnp.all(predicate), none, every_second, *operands)
        return jnp.where(predicate.reshape(-1, *[1] * (len(shape.shape) - 1)), ones, others), True

    return choose(predicate, operands)
