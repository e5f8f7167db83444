"""The strongest links between the units of some layers, computed when they are first requested."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from featviz.circuits.cosine_neighbors import cosine_neighbors
from featviz.circuits.expanded_weights import expanded_weights, nearest_layers_below
from featviz.circuits.ranking import RankedRows, row_blocks, strongest_of_layers, strongest_per_row
from featviz.circuits.unit_std import surveyed_unit_std, unit_std
from featviz.model import Model
from featviz.surveys.survey import Survey

# Links of each kind that are kept of a unit.
LINKS = 8


@dataclass(frozen=True)
class UnitLink:
    """Another unit, and how strongly it is linked to this one.

    Attributes:
      layer, unit: the other unit.
      strength: relative to the strongest link, in [-1, 1]; the sign is that of the summed weights, positive where the
        one excites the other. Of similar units it is the cosine of their weights.
    """

    layer: str
    unit: int
    strength: float


@dataclass(frozen=True)
class LayerLinks:
    """The links of a layer with the layers below it.

    Attributes:
      inputs: layer below -> the strongest inputs of each unit of this layer.
      outputs: layer below -> the strongest outputs, in this layer, of each unit of that one.
      similar: the units of this layer with the most similar weights; None without a layer below.
    """

    inputs: Mapping[str, RankedRows]
    outputs: Mapping[str, RankedRows]
    similar: RankedRows | None


class StrongestLinks:
    """The strongest links between the units of some layers, from the expanded weights.

    The matrices of a layer and those below it are computed when a link of one of their units is first requested. Only
    the strongest links are kept: the matrix of two layers of 20,000 units takes 1.6 GB.

    Args:
      model: the network.
      layers: the layers among which links are found.
      survey: natural images that tell how much each unit varies; without it all units count alike.
    """

    def __init__(self, model: Model, layers: Sequence[str], survey: Survey | None = None) -> None:
        self.model, self.layers, self.survey = model, tuple(layers), survey
        self.below = nearest_layers_below(model, layers)
        self._computed: dict[str, LayerLinks] = {}

    def inputs(self, layer: str, unit: int) -> tuple[UnitLink, ...]:
        """The units below with the strongest effect on a unit."""
        return _links([(name, ranked.row(unit)) for name, ranked in self.of_layer(layer).inputs.items()])

    def outputs(self, layer: str, unit: int) -> tuple[UnitLink, ...]:
        """The units above on which a unit has the strongest effect, relative to their other inputs."""
        above = [name for name, below in self.below.items() if layer in below]
        return _links([(name, self.of_layer(name).outputs[layer].row(unit)) for name in above])

    def similar(self, layer: str, unit: int) -> tuple[UnitLink, ...]:
        """The units of the same layer with the most similar weights."""
        ranked = self.of_layer(layer).similar
        return () if ranked is None else tuple(UnitLink(layer, other, cosine) for other, cosine in ranked.row(unit))

    def of_layer(self, layer: str) -> LayerLinks:
        """The links of a layer with those below it; computed once."""
        if layer not in self._computed:
            self._computed[layer] = self._compute(layer)
        return self._computed[layer]

    @cached_property
    def _unit_std(self) -> dict[str, Float[np.ndarray, " units"]]:
        if self.survey is None:
            return unit_std(self.model, self.layers)
        return surveyed_unit_std(self.survey, self.layers)

    def _compute(self, layer: str) -> LayerLinks:
        inputs, outputs, matrices = {}, {}, []
        for name in self.below.get(layer, ()):
            weights = expanded_weights(self.model, name, layer, self._unit_std[name])
            inputs[name], outputs[name] = strongest_per_row(weights, LINKS), strongest_outputs(weights, LINKS)
            matrices.append(weights)
        if not matrices:
            return LayerLinks(inputs, outputs, None)
        joined = np.concatenate(matrices, axis=1) if len(matrices) > 1 else matrices[0]
        return LayerLinks(inputs, outputs, cosine_neighbors(joined, LINKS, overwrite=True))


def strongest_outputs(weights: Float[np.ndarray, "units upstream_units"], count: int) -> RankedRows:
    """The strongest outputs of each upstream unit, each as a share of the weights of the unit above.

    Units above differ in the size of their weights, which says nothing of whose outputs they are.

    >>> strongest_outputs(np.array([[3.0, 4.0], [1.0, 0.0]], np.float32), 1).row(0)
    [(1, 1.0)]
    """
    norms = np.empty(len(weights), np.float32)
    for rows in row_blocks(len(weights), 8 * max(weights.shape[1], 1)):
        norms[rows] = np.linalg.norm(weights[rows], axis=1)
    return strongest_per_row(weights.T, count, divisor=np.maximum(norms, np.float32(1e-30)))


def _links(ranked: list[tuple[str, list[tuple[int, float]]]]) -> tuple[UnitLink, ...]:
    return tuple(UnitLink(*link) for link in strongest_of_layers(ranked, LINKS))
