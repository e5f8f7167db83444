"""Channels: the mean of one unit over all positions of its layer, or over a transformer's patch tokens."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import overload

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from featviz.common.arguments import as_int, is_sequence
from featviz.model import Activations
from featviz.objectives.base import STATIC, Index, LayerTerm, Shapes, label_as_target, read_instead
from featviz.objectives.objective import Examples, Objective, single
from featviz.objectives.positions import (
    UNIT_OVER_PATCHES,
    as_class_tokens,
    check_tokens,
    check_unit,
    position_mean,
    read_patches,
    write_patches,
)
from featviz.objectives.target_forms import TargetForm


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Channel(LayerTerm):
    """mean over positions p of h_p[unit]."""

    unit: Index

    @property
    def label(self) -> str:
        return f"{self.layer}:{int(self.unit)}"

    @property
    def target(self) -> str | None:
        return label_as_target(self)

    @property
    def channel_index(self) -> int:
        return int(self.unit)

    @property
    def mean_over_positions(self) -> bool:
        return True

    def preactivation(self, instead: Mapping[str, str]) -> "Channel":
        return read_instead(self, instead)

    def value(self, activations: Activations) -> Float[Array, " n"]:
        return position_mean(jnp.take(activations[self.layer], self.unit, axis=-1))

    def check(self, shapes: Shapes) -> None:
        check_unit(self.layer, self.unit, shapes[self.layer])


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Patches(LayerTerm):
    """mean over tokens p >= class_tokens of h_p[unit]."""

    unit: Index
    class_tokens: int = field(metadata=STATIC)

    @property
    def label(self) -> str:
        return f"{self.layer}:{int(self.unit)}{write_patches(self.class_tokens)}"

    @property
    def target(self) -> str | None:
        return label_as_target(self)

    def preactivation(self, instead: Mapping[str, str]) -> "Patches":
        return read_instead(self, instead)

    def value(self, activations: Activations) -> Float[Array, " n"]:
        chosen = jnp.take(activations[self.layer], self.unit, axis=-1)
        return jnp.mean(chosen[:, self.class_tokens :], axis=1)

    def check(self, shapes: Shapes) -> None:
        check_unit(self.layer, self.unit, shapes[self.layer])
        check_tokens(self.layer, self.class_tokens, shapes[self.layer])


@overload
def channel(layer: str, unit: int) -> Objective: ...
@overload
def channel(layer: str, unit: Iterable[int]) -> list[Objective]: ...
def channel(layer: str, unit: int | Iterable[int]) -> Objective | list[Objective]:
    """A channel: the mean of one unit over all positions of its layer (Olah et al. 2017).

    Args:
      layer: the name of a layer of shape (n, h, w, units), (n, tokens, units) or (n, units).
      unit: the index of the unit, from 0, or several of them.

    Returns:
      The objective; for several units a list of objectives.

    Raises:
      FeatvizError: for a unit that is not an integer; by `render`, for one that the layer lacks.

    >>> float(channel("conv1", 1)({"conv1": jnp.arange(8.0).reshape(1, 2, 2, 2)})[0])
    4.0
    """
    if is_sequence(unit):
        return [channel(layer, index) for index in unit]
    return single(Channel(layer, as_int("unit", unit)))


def patches(layer: str, unit: int, *, class_tokens: int = 1) -> Objective:
    """A channel of a transformer's layer: the mean of one unit over all tokens except the class tokens.

    One token alone is `neuron(layer, unit, position=(token,))` (Ghiasi et al. 2022).

    Args:
      layer: the name of a layer of shape (n, tokens, units).
      unit: the index of the unit, from 0.
      class_tokens: the number of tokens before those of the patches: 1 for ViT and DeiT, 2 for distilled DeiT, 0 for a
        network without class token.

    Raises:
      FeatvizError: for a negative `class_tokens`; by `render`, for a layer without tokens.

    >>> h = jnp.array([[[9.0], [1.0], [3.0]]])
    >>> float(patches("block", 0)({"block": h})[0])
    2.0
    """
    return single(Patches(layer, as_int("unit", unit), as_class_tokens(class_tokens)))


CHANNEL_FORM = TargetForm(r"(?P<unit>\d+)", "103", lambda source, match: channel(source.layer, int(match["unit"])))
PATCHES_FORM = TargetForm(
    UNIT_OVER_PATCHES,
    "103@patches",
    lambda source, match: patches(source.layer, int(match["unit"]), class_tokens=read_patches(match["patches"])),
)
EXAMPLES: Examples = {
    "channel": lambda layer, shape: channel(layer, 3),
    "patches": lambda layer, shape: patches(layer, 2),
    "patches after two class tokens": lambda layer, shape: patches(layer, 2, class_tokens=2),
}
