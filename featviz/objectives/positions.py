"""Objectives of some of a layer's positions: all but the class tokens, or those within a mask."""

from collections.abc import Sequence
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


def check_unit(layer: str, unit: Any, shape: tuple[int, ...]) -> None:
    """A unit is one of its layer's."""
    if not 0 <= int(unit) < shape[-1]:
        raise FeatvizError(f"`unit` {int(unit)} is out of range; {layer} has {shape[-1]} units, 0 to {shape[-1] - 1}")


def check_position(layer: str, position: Sequence[Any], shape: tuple[int, ...]) -> None:
    """A position is one of its layer's, at this picture size."""
    sizes = shape[:-1]
    if not sizes:
        raise FeatvizError(f"{layer} has no positions; expected an objective without `position`")
    inside = len(position) == len(sizes) and all(0 <= at < size for at, size in zip(position, sizes, strict=True))
    if not inside:
        found, size = ("x".join(str(int(n)) for n in each) for each in (position, sizes))
        raise FeatvizError(f"`position` {found} is outside {layer}, which is {size} at this picture size")


def check_tokens(layer: str, class_tokens: int, shape: tuple[int, ...]) -> None:
    """A layer has tokens, and more than those of the class."""
    if len(shape) != 2:
        raise FeatvizError(f"`class_tokens` is {class_tokens}; {layer} is {shape} and has no tokens")
    if not class_tokens < shape[0]:
        raise FeatvizError(f"`class_tokens` is {class_tokens}; {layer} has {shape[0]} tokens")


def write_position(position: Sequence[Any]) -> str:
    """How a label and the command line write a position.

    >>> write_position((3, 4))
    '@3x4'
    """
    return "@" + "x".join(str(int(at)) for at in position)


def write_patches(class_tokens: int) -> str:
    """How a label and the command line write all tokens but those of the class.

    >>> write_patches(1), write_patches(2)
    ('@patches', '@patches2')
    """
    return "@patches" + ("" if class_tokens == 1 else str(class_tokens))


def at_position(values: jax.Array, position: Sequence[Any]) -> jax.Array:
    """`values[:, *position]`, where the position may be traced."""
    for at in position:
        values = jnp.take(values, at, axis=1)
    return values


@partial(jax.tree_util.register_dataclass, data_fields=["unit"], meta_fields=["layer", "class_tokens"])
@dataclass(frozen=True)
class Patches:
    """The mean of one unit over the tokens of patches: all but the first `class_tokens`."""

    layer: str
    unit: Any
    class_tokens: int

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @property
    def label(self) -> str:
        return f"{self.layer}:{int(self.unit)}{write_patches(self.class_tokens)}"

    def value(self, activations: Activations) -> jax.Array:
        chosen = jnp.take(activations[self.layer], self.unit, axis=-1)
        return jnp.mean(chosen[:, self.class_tokens :], axis=1)

    def check(self, shapes: Shapes) -> None:
        shape = shapes[self.layer]
        check_unit(self.layer, self.unit, shape)
        check_tokens(self.layer, self.class_tokens, shape)


@partial(jax.tree_util.register_dataclass, data_fields=["unit", "mask"], meta_fields=["layer"])
@dataclass(frozen=True)
class Within:
    """sum_p m_p a_p / sum_p m_p, a_p one unit at position p, or the mean square of all units there."""

    layer: str
    unit: Any
    mask: Any

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    @property
    def label(self) -> str:
        return f"{self.layer}:{'whole' if self.unit is None else int(self.unit)}@mask"

    def value(self, activations: Activations) -> jax.Array:
        h = activations[self.layer]
        chosen = jnp.mean(jnp.square(h), axis=-1) if self.unit is None else jnp.take(h, self.unit, axis=-1)
        mask = jnp.asarray(self.mask, jnp.float32)
        if mask.shape != chosen.shape[1:]:
            mask = jax.image.resize(mask, chosen.shape[1:], method="linear")
        axes = tuple(range(1, chosen.ndim))
        return jnp.sum(chosen * mask[None], axis=axes) / (jnp.sum(mask) + 1e-12)

    def check(self, shapes: Shapes) -> None:
        shape, found = shapes[self.layer], np.shape(self.mask)
        if self.unit is not None:
            check_unit(self.layer, self.unit, shape)
        # Only a picture's own two axes can be stretched: tokens have no order that a mask could follow.
        if len(shape) < 2 or len(found) != len(shape) - 1 or (len(shape) != 3 and found != shape[:-1]):
            raise FeatvizError(
                f"`mask` has shape {found}; {self.layer} has positions {shape[:-1]} at this picture size"
            )


def patches(layer: str, unit: int, *, class_tokens: int = 1) -> Objective:
    """One unit of a transformer's layer, (n, tokens, c): mean over all tokens but the first `class_tokens`.

    How many class tokens come before the patches is the network's affair: 1 for ViT and DeiT, 2 for distilled DeiT, 0
    with none. One token alone is `neuron(layer, unit, position=(token,))` (Ghiasi et al. 2022).

    >>> h = jnp.array([[[9.0], [1.0], [3.0]]])
    >>> float(patches("block", 0)({"block": h})[0])
    2.0

    Raises: FeatvizError for a negative `class_tokens`, and by render for a layer without tokens.
    """
    class_tokens = int(as_int("class_tokens", class_tokens))
    if class_tokens < 0:
        raise FeatvizError(f"`class_tokens` is {class_tokens}; expected 0 or more, such as 1")
    return single(Patches(layer, as_int("unit", unit), class_tokens))


def within(layer: str, mask: Any, *, unit: int | None = None) -> Objective:
    """What happens within a mask: sum m a / sum m over positions, a one unit, or without it the layer's mean square.

    `mask`, (h, w) of numbers from 0 to 1, has any size and is stretched over the layer's positions; for tokens,
    (tokens,). It holds the objective to a region, while the picture may change anywhere the network sees from there.

    >>> h = jnp.array([[[[1.0], [3.0]], [[5.0], [7.0]]]])
    >>> float(within("conv1", np.array([[0.0, 1.0], [0.0, 1.0]]), unit=0)({"conv1": h})[0])
    5.0

    Raises: FeatvizError for a mask that is empty or outside [0,1].
    """
    mask = np.asarray(mask, np.float32)
    if mask.size == 0 or not (mask.min() >= 0 and mask.max() <= 1 and mask.max() > 0):
        raise FeatvizError("`mask` is empty or outside [0,1]; expected numbers from 0 to 1, one at least above 0")
    return single(Within(layer, None if unit is None else as_int("unit", unit), mask))
