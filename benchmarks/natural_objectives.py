"""What an arm of `natural_pictures.py` maximizes of a unit: its mean over all positions, or over the largest ones."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

import featviz as fv
from featviz.model import Activations
from featviz.objectives.base import STATIC, Index, LayerTerm
from featviz.objectives.objective import single


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TopTokens(LayerTerm):
    """The mean of a unit over the k patch tokens where it is largest; the first token is the class token."""

    unit: Index
    k: int = field(default=16, metadata=STATIC)

    @property
    def label(self) -> str:
        return f"{self.layer}:{int(self.unit)}top{self.k}"

    def value(self, activations: Activations) -> Float[Array, " n"]:
        of_patches = jnp.take(activations[self.layer], self.unit, axis=-1)[:, 1:]
        return jnp.mean(jax.lax.top_k(of_patches, self.k)[0], axis=1)


def objective_of(layer: str, unit: int, top: int) -> fv.Objective:
    """A unit's channel; with `top` its mean over so many patch tokens."""
    channel = fv.channel(layer, unit)
    return single(TopTokens(layer, channel.terms[0].unit, top)) if top else channel
