"""Lanes at their start, and in the place of others that have finished."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from featviz.ascent.routine import RUNNING, Lane, Routine, images_of


@partial(jax.jit, static_argnames="routine")
def start(keys: Key[Array, " lanes"], images: Float[Array, "lanes n h w c"] | None, *, routine: Routine) -> Lane:
    """Fresh lanes, from the noise of their keys or from start images."""

    def start_one(key: Key[Array, ""], image: Float[Array, "n h w c"] | None) -> Lane:
        if image is None:
            params = routine.parameterization.init(jax.random.fold_in(key, 0xFFFFFFFF), routine.shape)
        else:
            params = routine.parameterization.from_image(image)
        kept = image[..., jnp.array(routine.keep)] if image is not None and routine.keep else None
        zero = jnp.zeros((), jnp.float32)
        fidelity = routine.fidelity is not None
        prior, prior_key = routine.prior, jax.random.fold_in(key, 0xFFFFFFFE)
        return Lane(
            params=params,
            optimizer=routine.optimizer().init(params),
            key=key,
            step=jnp.zeros((), jnp.int32),
            status=jnp.full((), RUNNING, jnp.int32),
            moved=jnp.zeros((), bool),
            silent=jnp.zeros((), bool),
            window_sum=zero,
            window_mean=jnp.full((), -jnp.inf, jnp.float32),
            attribution=jnp.zeros(routine.shape[:3], jnp.float32) if routine.transparency else None,
            anchor=images_of(routine, params, kept) if fidelity else None,
            balance=zero if fidelity else None,
            kept=kept,
            carried=None if prior is None else prior.begin(prior_key, routine.shape),
        )

    return jax.vmap(start_one, in_axes=(0, None if images is None else 0))(keys, images)


@jax.jit
def refill(lanes: Lane, fresh: Lane, replaced: Bool[Array, " lanes"]) -> Lane:
    """`fresh` lanes where `replaced`, the others unchanged; the same program for any of them."""

    def choose(old: jax.Array, new: jax.Array) -> jax.Array:
        return jnp.where(replaced.reshape(replaced.shape + (1,) * (new.ndim - 1)), new, old)

    return jax.tree.map(choose, lanes, fresh)
