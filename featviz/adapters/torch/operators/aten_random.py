"""ATen's operators that draw random numbers, once and for all, so that a picture can be made again.

Each takes `draw`, which of the network's draws it is: each has its own numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp


def _key(draw: int) -> jax.Array:
    return jax.random.fold_in(jax.random.key(0), draw)


def _normal(size: Sequence[int], *, dtype: Any = None, draw: int = 0) -> jax.Array:
    return jax.random.normal(_key(draw), tuple(size))


def _uniform(size: Sequence[int], *, dtype: Any = None, draw: int = 0) -> jax.Array:
    return jax.random.uniform(_key(draw), tuple(size))


def _of_normal(x: Any, mean: Any = 0.0, std: Any = 1.0, *, draw: int = 0, **ignored: Any) -> jax.Array:
    """Numbers in place of those of an array, or around means that are arrays."""
    return jax.random.normal(_key(draw), x.shape) * std + mean


def _around(
    mean: Any, std: Any = 1.0, size: Sequence[int] | None = None, *, draw: int = 0, **ignored: Any
) -> jax.Array:
    shape = jnp.broadcast_shapes(jnp.shape(mean), jnp.shape(std)) if size is None else tuple(size)
    return jax.random.normal(_key(draw), shape) * std + mean


def _of_uniform(x: jax.Array, low: float = 0.0, high: float = 1.0, *, draw: int = 0, **ignored: Any) -> jax.Array:
    return jax.random.uniform(_key(draw), x.shape, minval=low, maxval=high)


def _exponential(x: jax.Array, rate: float = 1.0, *, draw: int = 0, **ignored: Any) -> jax.Array:
    return jax.random.exponential(_key(draw), x.shape) / rate


def _integers(*args: Any, dtype: Any = None, draw: int = 0) -> jax.Array:
    *bounds, size = args
    low, high = (0, *bounds)[-2:]
    return jax.random.randint(_key(draw), tuple(size), low, high)


def _integers_like(x: jax.Array, *bounds: int, dtype: Any = None, draw: int = 0) -> jax.Array:
    return _integers(*bounds, x.shape, draw=draw)


def _permutation(n: int, *, dtype: Any = None, draw: int = 0) -> jax.Array:
    return jax.random.permutation(_key(draw), n)


def _bernoulli(x: jax.Array, p: Any = None, *, draw: int = 0) -> jax.Array:
    return jax.random.bernoulli(_key(draw), x if p is None else p, x.shape).astype(x.dtype)


def _sloped(
    x: jax.Array, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, *rest: Any, draw: int = 0
) -> jax.Array:
    """RReLU, whose slopes below zero are random in training."""
    slope = jax.random.uniform(_key(draw), x.shape, minval=lower, maxval=upper) if training else (lower + upper) / 2
    return jnp.where(x > 0, x, x * slope)


def _kept(x: jax.Array, p: float, *, draw: int, whole_features: bool = False) -> jax.Array:
    shape = (*x.shape[:2], *(1,) * (x.ndim - 2)) if whole_features else x.shape
    return jnp.broadcast_to(jax.random.bernoulli(_key(draw), 1 - p, shape), x.shape)


def _dropout(x: jax.Array, p: float, train: bool, *, draw: int = 0) -> jax.Array:
    return drop(x, p, draw=draw, train=train)


def _feature_dropout(x: jax.Array, p: float, train: bool, *, draw: int = 0) -> jax.Array:
    return drop(x, p, draw=draw, train=train, whole_features=True)


def drop(x: jax.Array, p: float, *, draw: int, train: bool = True, whole_features: bool = False) -> jax.Array:
    """Dropout, of single values or of the whole arrays of features."""
    if not train or p == 0:
        return x
    # Everything may be dropped.
    return jnp.where(_kept(x, p, draw=draw, whole_features=whole_features), x / (1 - p) if p < 1 else x, 0.0)


def _alpha_dropout(x: jax.Array, p: float, train: bool, *, whole_features: bool = False, draw: int = 0) -> jax.Array:
    """Dropout to the lower end of SELU, which keeps mean and variance."""
    if not train or p == 0:
        return x
    lowest = -1.7580993408473766
    factor = ((1 - p) * (1 + p * lowest**2)) ** -0.5 if p < 1 else 0.0
    return factor * (jnp.where(_kept(x, p, draw=draw, whole_features=whole_features), x, lowest) - p * lowest)


def _feature_alpha_dropout(x: jax.Array, p: float, train: bool, *, draw: int = 0) -> jax.Array:
    return _alpha_dropout(x, p, train, whole_features=True, draw=draw)


def _native_dropout(x: jax.Array, p: float, train: bool | None, *, draw: int = 0) -> tuple[jax.Array, jax.Array]:
    training = train is None or train
    return _dropout(x, p, training, draw=draw), _kept(x, p if training else 0.0, draw=draw)


RANDOM: dict[str, Callable[..., Any]] = {
    "randn": _normal,
    "rand": _uniform,
    "randn_like": lambda x, *, dtype=None, draw=0: _normal(x.shape, draw=draw),
    "rand_like": lambda x, *, dtype=None, draw=0: _uniform(x.shape, draw=draw),
    "randint": _integers,
    "randint_like": _integers_like,
    "randperm": _permutation,
    "normal": _around,
    "normal_functional": _of_normal,
    "normal_": _of_normal,
    "uniform": _of_uniform,
    "exponential": _exponential,
    "bernoulli": _bernoulli,
    "rrelu": _sloped,
    "dropout": _dropout,
    "feature_dropout": _feature_dropout,
    "alpha_dropout": _alpha_dropout,
    "feature_alpha_dropout": _feature_alpha_dropout,
    "native_dropout": _native_dropout,
}
# Operators that are random where an argument says so: its place and its name.
SOMETIMES = {
    **dict.fromkeys(
        ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout", "native_dropout"), (2, "train")
    ),
    "rrelu": (3, "training"),
    "scaled_dot_product_attention": (4, "dropout_p"),
    "_scaled_dot_product_flash_attention_for_cpu": (3, "dropout_p"),
}


def draws_numbers(operator: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    """Whether an operator draws random numbers, given its arguments.

    >>> draws_numbers("dropout", (None, 0.5, True), {}), draws_numbers("dropout", (None, 0.5, False), {})
    (True, False)
    >>> draws_numbers("randn", ([2, 3],), {}), draws_numbers("exponential_", (None,), {}), draws_numbers("relu", (), {})
    (True, True, False)
    """
    plain = operator.removesuffix("_")
    if plain not in SOMETIMES:
        return operator in RANDOM or plain in RANDOM
    place, name = SOMETIMES[plain]
    drawn = args[place] if len(args) > place else kwargs.get(name)
    # The probability of a dropout that is on may be zero.
    return bool(drawn) and not (place == 2 and args[1] == 0)
