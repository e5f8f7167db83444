"""Objectives of directions among a layer's units, at all positions, at one, or over a tensor of them."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.common.arguments import as_int
from featviz.errors import FeatvizError
from featviz.model import Activations
from featviz.objectives.base import Objective, Shapes, single
from featviz.objectives.positions import at_position, check_position, check_tokens, write_patches, write_position

# The least cosine, so that a picture that starts out opposed to its direction still moves (lucid, Olah et al. 2018).
LEAST_COSINE = 0.1


def _dot(h: jax.Array, vector: Any) -> jax.Array:
    # A sum of products, not a matrix product: its rounding does not depend on the number of lanes.
    v = jnp.asarray(vector, h.dtype)
    return jnp.sum(h * jnp.expand_dims(v, tuple(range(h.ndim - 1))), axis=-1)


def _lengths(h: jax.Array, vector: Any) -> jax.Array:
    # The root's slope is infinite at 0.
    return jnp.sqrt(jnp.sum(jnp.square(h), axis=-1) + 1e-12) * jnp.sqrt(jnp.sum(jnp.square(jnp.asarray(vector))))


def _aligned(dot: jax.Array, lengths: jax.Array, power: float) -> jax.Array:
    return dot * jnp.maximum(dot / (lengths + 1e-6), LEAST_COSINE) ** power if power else dot


def _mean(values: jax.Array) -> jax.Array:
    return jnp.mean(values, axis=tuple(range(1, values.ndim)))


def _name(layer: str, power: float) -> str:
    return f"{layer}:direction" + (f"^{power:g}" if power else "")


def _check_vector(layer: str, vector: Any, shape: tuple[int, ...]) -> None:
    found = np.shape(vector)
    if found != (shape[-1],):
        raise FeatvizError(f"`vector` has shape {found}; {layer} has {shape[-1]} units, expected ({shape[-1]},)")


@partial(jax.tree_util.register_dataclass, data_fields=["vector"], meta_fields=["layer", "power"])
@dataclass(frozen=True)
class Direction:
    """dot(h, v) * max(.1, cosine(h, v))^power at each position, averaged over them."""

    layer: str
    vector: Any
    power: float = 0.0

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @property
    def label(self) -> str:
        return _name(self.layer, self.power)

    def value(self, activations: Activations) -> jax.Array:
        h = activations[self.layer]
        return _mean(_aligned(_dot(h, self.vector), _lengths(h, self.vector), self.power))

    def check(self, shapes: Shapes) -> None:
        _check_vector(self.layer, self.vector, shapes[self.layer])


@partial(jax.tree_util.register_dataclass, data_fields=["vector"], meta_fields=["layer", "class_tokens", "power"])
@dataclass(frozen=True)
class DirectionOverPatches:
    """The same over the tokens of patches: all but the first `class_tokens`."""

    layer: str
    vector: Any
    class_tokens: int
    power: float = 0.0

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @property
    def label(self) -> str:
        return _name(self.layer, self.power) + write_patches(self.class_tokens)

    def value(self, activations: Activations) -> jax.Array:
        h = activations[self.layer][:, self.class_tokens :]
        return _mean(_aligned(_dot(h, self.vector), _lengths(h, self.vector), self.power))

    def check(self, shapes: Shapes) -> None:
        _check_vector(self.layer, self.vector, shapes[self.layer])
        check_tokens(self.layer, self.class_tokens, shapes[self.layer])


@partial(jax.tree_util.register_dataclass, data_fields=["vector", "position"], meta_fields=["layer", "power"])
@dataclass(frozen=True)
class DirectionAt:
    """dot(h, v) * max(.1, cosine(h, v))^power at one position."""

    layer: str
    vector: Any
    position: Any
    power: float = 0.0

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @property
    def label(self) -> str:
        return _name(self.layer, self.power) + write_position(self.position)

    def value(self, activations: Activations) -> jax.Array:
        h = at_position(activations[self.layer], self.position)
        return _aligned(_dot(h, self.vector), _lengths(h, self.vector), self.power)

    def check(self, shapes: Shapes) -> None:
        _check_vector(self.layer, self.vector, shapes[self.layer])
        check_position(self.layer, self.position, shapes[self.layer])


@partial(jax.tree_util.register_dataclass, data_fields=["of", "number"], meta_fields=[])
@dataclass(frozen=True)
class Numbered:
    """A direction that is one of many: the same value, with its number in its name."""

    of: Direction | DirectionOverPatches | DirectionAt
    number: Any

    @property
    def layers(self) -> tuple[str, ...]:
        return self.of.layers

    @property
    def label(self) -> str:
        name = f"{self.of.layer}:direction"
        return f"{name} {int(self.number)}" + self.of.label.removeprefix(name)

    def value(self, activations: Activations) -> jax.Array:
        return self.of.value(activations)

    def check(self, shapes: Shapes) -> None:
        self.of.check(shapes)


@partial(jax.tree_util.register_dataclass, data_fields=["vector", "position"], meta_fields=["layer"])
@dataclass(frozen=True)
class Cosine:
    """cosine(h, v), averaged over positions or at one."""

    layer: str
    vector: Any
    position: Any = None

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @property
    def label(self) -> str:
        return f"{self.layer}:cosine" + ("" if self.position is None else write_position(self.position))

    def value(self, activations: Activations) -> jax.Array:
        h = activations[self.layer]
        h = h if self.position is None else at_position(h, self.position)
        return _mean(_dot(h, self.vector) / (_lengths(h, self.vector) + 1e-6))

    def check(self, shapes: Shapes) -> None:
        _check_vector(self.layer, self.vector, shapes[self.layer])
        if self.position is not None:
            check_position(self.layer, self.position, shapes[self.layer])


@partial(jax.tree_util.register_dataclass, data_fields=["tensor"], meta_fields=["layer", "power"])
@dataclass(frozen=True)
class TensorDirection:
    """dot(H, T) / positions * max(.1, cosine(H, T))^power, of the layer's whole tensor H; both about their centers."""

    layer: str
    tensor: Any
    power: float = 0.0

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @property
    def label(self) -> str:
        return f"{self.layer}:tensor" + (f"^{self.power:g}" if self.power else "")

    def value(self, activations: Activations) -> jax.Array:
        h, t = activations[self.layer], jnp.asarray(self.tensor, jnp.float32)[None]
        sizes = [min(a, b) for a, b in zip(h.shape[1:-1], t.shape[1:-1], strict=True)]
        h, t = _center(h, sizes), _center(t, sizes)
        axes = tuple(range(1, h.ndim))
        dot = jnp.sum(h * t, axis=axes)
        lengths = jnp.sqrt(jnp.sum(jnp.square(h), axis=axes) + 1e-12) * jnp.sqrt(jnp.sum(jnp.square(t)))
        return _aligned(dot, lengths, self.power) / max(1, int(np.prod(sizes)))

    def check(self, shapes: Shapes) -> None:
        shape, found = shapes[self.layer], np.shape(self.tensor)
        if len(found) != len(shape) or found[-1] != shape[-1]:
            raise FeatvizError(
                f"`tensor` has shape {found}; {self.layer} is {shape} at this picture size, expected one like it"
            )


def _center(values: jax.Array, sizes: list[int]) -> jax.Array:
    """The middle of every axis of positions."""
    for axis, size in enumerate(sizes, start=1):
        first = (values.shape[axis] - size) // 2
        values = jax.lax.slice_in_dim(values, first, first + size, axis=axis)
    return values


def direction(
    layer: str,
    vector: Any,
    *,
    power: float = 0.0,
    position: tuple[int, ...] | None = None,
    class_tokens: int = 0,
    number: int | None = None,
) -> Objective:
    """A direction among a layer's units: mean over positions of dot(h, v) * max(.1, cosine(h, v))^power.

    `vector` has shape (units,): a probe, a principal component, a row of a sparse autoencoder's decoder. With `power` 0
    it is the plain dot product (lucid's `direction`). With `position`, (row, column) or (token,), the value there alone
    (lucid's `direction_neuron`); the first `class_tokens` tokens are left out of the mean, as by `patches`. `number`,
    where the vector is one of many, is written into the picture's name.

    >>> h = jnp.array([[3.0, 4.0]])
    >>> float(direction("fc", np.array([1.0, 0.0], np.float32))({"fc": h})[0])
    3.0
    >>> round(float(direction("fc", np.array([1.0, 0.0], np.float32), power=2.0)({"fc": h})[0]), 3)
    1.08
    >>> direction("fc", [0.0, 1.0], number=7).label
    'fc:direction 7'

    Raises: FeatvizError for `class_tokens` below 0 or beside a `position`.
    """
    vector = np.asarray(vector, np.float32)
    class_tokens = int(as_int("class_tokens", class_tokens))
    if class_tokens < 0 or (class_tokens and position is not None):
        raise FeatvizError(f"`class_tokens` is {class_tokens}; expected 0 or more, and no `position` beside it")
    term: Direction | DirectionOverPatches | DirectionAt
    if position is not None:
        term = DirectionAt(layer, vector, tuple(as_int("position", at) for at in position), float(power))
    elif class_tokens:
        term = DirectionOverPatches(layer, vector, class_tokens, float(power))
    else:
        term = Direction(layer, vector, float(power))
    return single(term if number is None else Numbered(term, as_int("number", number)))


def cosine(layer: str, vector: Any, *, position: tuple[int, ...] | None = None) -> Objective:
    """The cosine alone: mean over positions of dot(h, v) / (|h| |v|), from -1 to 1; or at one position.

    Of the angle only: an image that hardly excites the layer may have the best (lucid's `direction_cossim`).

    >>> round(float(cosine("fc", np.array([2.0, 0.0]))({"fc": jnp.array([[3.0, 4.0]])})[0]), 4)
    0.6
    """
    where = None if position is None else tuple(as_int("position", at) for at in position)
    return single(Cosine(layer, np.asarray(vector, np.float32), where))


def tensor_direction(layer: str, tensor: Any, *, power: float = 0.0) -> Objective:
    """A direction in the space of a layer's whole tensor: dot(H, T) / positions * max(.1, cosine(H, T))^power.

    `tensor` has the rank and the units of the layer's activation of one image, (h, w, c), (tokens, c) or (c,). Where it
    has more or fewer positions both are cut about their centers (lucid's `tensor_direction`).

    >>> h = jnp.arange(8.0).reshape(1, 2, 2, 2)
    >>> float(tensor_direction("conv1", np.ones((2, 2, 2)))({"conv1": h})[0])
    7.0
    """
    return single(TensorDirection(layer, np.asarray(tensor, np.float32), float(power)))
