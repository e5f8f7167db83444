"""The k-th largest value without sorting: what TopK and BatchTopK keep during a training."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

# Of one of so many values the threshold of all is guessed, and how far the guess may count wrong. A prime takes values
# of all rows and latents.
SAMPLED, MARGIN = 61, 0.12


def kth_largest(values: Float[Array, "*n latents"], count: int, *, rows: bool) -> Float[Array, "..."]:
    """The `count`-th largest of non-negative values, by counts of their bits.

    The bits of non-negative floats are ordered as the floats are. On a CPU that takes a tenth of the time of
    `jax.lax.top_k`, whose values a training does not need in their order.

    Args:
      values: 0 or more.
      count: from 1.
      rows: whether each row has its own, or all values together.

    Returns:
      A number, or for each row one; 0 where fewer than `count` values are above 0.

    >>> values = jnp.array([[3.0, 1.0, 2.0], [5.0, 0.0, 4.0]])
    >>> float(kth_largest(values, 2, rows=False)), kth_largest(values, 2, rows=True).tolist()
    (4.0, [2.0, 4.0])
    """
    bits = _bits(values)
    if rows:
        return _floats(_bisected(bits, count))[..., 0]
    return _floats(jnp.min(jnp.where(bits >= _separating(bits, count), bits, jnp.iinfo(jnp.int32).max)))


def keep_largest_values(values: Float[Array, "n latents"], count: int, *, rows: bool) -> Float[Array, "n latents"]:
    """Non-negative values of which the `count` largest are kept, in each row or of all; the others are 0.

    Of equal values at the edge all are kept.

    >>> keep_largest_values(jnp.array([[3.0, 1.0, 2.0], [5.0, 0.0, 4.0]]), 3, rows=False).tolist()
    [[3.0, 0.0, 0.0], [5.0, 0.0, 4.0]]
    """
    bits = _bits(jax.lax.stop_gradient(values))
    smallest = _bisected(bits, count) if rows else _separating(bits, count)[None, None]
    return jnp.where(values >= _floats(smallest), values, 0)


def _bits(values: Float[Array, "..."]) -> Int[Array, "..."]:
    return jax.lax.bitcast_convert_type(values.astype(jnp.float32), jnp.int32)


def _floats(bits: Int[Array, "..."]) -> Float[Array, "..."]:
    return jax.lax.bitcast_convert_type(bits, jnp.float32)


def _bisected(bits: Int[Array, "*n latents"], count: int) -> Int[Array, "*n 1"]:
    """The bits of the `count`-th largest of each row, one bit after the other: 31 counts."""

    def set_bit(index: int, found: Array) -> Array:
        tried = found | (1 << (30 - index))
        enough = jnp.sum(bits >= tried, axis=-1, keepdims=True) >= count
        return jnp.where(enough, tried, found)

    return jax.lax.fori_loop(0, 31, set_bit, jnp.zeros((*bits.shape[:-1], 1), jnp.int32))


class _Bracket(NamedTuple):
    """Bits between which the threshold lies, and how many values reach each: `count` or more, and fewer."""

    low: Int[Array, ""]
    high: Int[Array, ""]
    above_low: Int[Array, ""]
    above_high: Int[Array, ""]
    tries: Int[Array, ""]


def _separating(bits: Int[Array, "*n latents"], count: int) -> Int[Array, ""]:
    """Bits that `count` values reach, no more; those of the `count`-th largest where equal values forbid that.

    Two guesses from a sample enclose them, and counts are nearly a straight line in between: about eight passes over
    all values find what bisection takes 31 for.
    """

    def tally(candidate: Int[Array, ""]) -> Int[Array, ""]:
        # Rows first: XLA's CPU backend is slow at sums over all axes, and another type keeps it from making one of two.
        of_rows = jnp.sum(bits >= candidate, axis=-1, dtype=jnp.int32).astype(jnp.uint32)
        return jnp.sum(of_rows, dtype=jnp.uint32).astype(jnp.int32)

    def unfinished(at: _Bracket) -> Array:
        return (at.above_low != count) & (at.high - at.low > 1)

    def narrow(at: _Bracket) -> _Bracket:
        share = (at.above_low - count) / jnp.maximum(at.above_low - at.above_high, 1)
        # Where counts are no line, every third try halves. Below 1: a whole width may not fit into an integer.
        share = jnp.where(at.tries % 3 == 2, 0.5, jnp.minimum(share.astype(jnp.float32), 0.999))
        step = share * (at.high - at.low).astype(jnp.float32)
        tried = jnp.clip(at.low + step.astype(jnp.int32), at.low + 1, at.high - 1)
        return enclose(at, tried)

    def enclose(at: _Bracket, tried: Int[Array, ""]) -> _Bracket:
        inside, found = (tried > at.low) & (tried < at.high), tally(tried)
        low, high = inside & (found >= count), inside & (found < count)
        return _Bracket(
            jnp.where(low, tried, at.low),
            jnp.where(high, tried, at.high),
            jnp.where(low, found, at.above_low),
            jnp.where(high, found, at.above_high),
            at.tries + 1,
        )

    zero, largest = jnp.int32(0), jnp.int32(jnp.iinfo(jnp.int32).max)
    at = _Bracket(zero, largest, jnp.int32(bits.size), zero, zero)
    sample = bits.reshape(1, -1)[:, ::SAMPLED]
    share = count * sample.size / bits.size
    for rank in (share * (1 + MARGIN), share * (1 - MARGIN)):
        guess = _bisected(sample, min(max(round(rank), 1), sample.size))
        at = enclose(at, guess[0, 0])
    return jax.lax.while_loop(unfinished, narrow, at._replace(tries=zero)).low
