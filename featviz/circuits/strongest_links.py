"""The strongest links between the units of some layers, computed when they are first requested."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float

from featviz.circuits.cosine_neighbors import cosine_neighbors
from featviz.circuits.expanded_weights import expand, nearest_layers_below
from featviz.circuits.one_step import one_step_sources, one_step_targets
from featviz.circuits.ranked_maps import LinkedMap, RankedMaps, WeightMap, input_maps, output_maps, relative_maps
from featviz.circuits.ranking import RankedRows, row_blocks, strongest_of_layers, strongest_per_row
from featviz.circuits.unit_std import surveyed_unit_std, unit_std
from featviz.model import Model
from featviz.surveys.survey import Survey

# Links of each kind that are kept of a unit.
LINKS = 10


@dataclass(frozen=True)
class UnitLink:
    """Another unit, and how strongly it is linked to this one.

    Attributes:
      layer, unit: the other unit.
      strength: relative to the strongest link, in [-1, 1]; the sign is that of the summed weights, positive where the
        one excites the other. Of similar units it is the cosine of their weights.
      map: the weights place by place, relative to the largest of the units that are listed together; None of similar
        units, and where the maps of two layers are too large to keep.
    """

    layer: str
    unit: int
    strength: float
    map: WeightMap | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class LayerLinks:
    """The links of a layer with the layers below it.

    Attributes:
      inputs: layer below -> the strongest inputs of each unit of this layer.
      outputs: layer below -> the strongest outputs, in this layer, of each unit of that one.
      similar: the units of this layer with the most similar weights; None without a layer below.
    """

    inputs: Mapping[str, RankedMaps]
    outputs: Mapping[str, RankedMaps]
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
        self._computed: dict[tuple[str, tuple[str, ...]], LayerLinks] = {}

    def inputs(self, layer: str, unit: int) -> tuple[UnitLink, ...]:
        """The units below with the strongest effect on a unit."""
        return _links([(name, ranked.row(unit)) for name, ranked in self.of_layer(layer).inputs.items()])

    def outputs(self, layer: str, unit: int) -> tuple[UnitLink, ...]:
        """The units above on which a unit has the strongest effect, relative to their other inputs."""
        above = [name for name, below in self.below.items() if layer in below]
        return _links([(name, self.of_layer(name).outputs[layer].row(unit)) for name in above])

    def one_step_inputs(self, layer: str, unit: int) -> tuple[UnitLink, ...]:
        """The units with the largest weights into a unit by a single step; none where the layers below are as near."""
        sources = self._sources[layer]
        if not sources or sources == self.below.get(layer, ()):
            return ()
        return _links([(name, each.row(unit)) for name, each in self._of_sources(layer, sources).inputs.items()])

    def one_step_outputs(self, layer: str, unit: int) -> tuple[UnitLink, ...]:
        """The units into which a unit has the largest weights by a single step; none where the layers above do."""
        targets = self._targets[layer]
        if all(self._sources[target] == self.below.get(target) for target in targets):
            return ()
        found = [(name, self._of_sources(name, self._sources[name]).outputs[layer].row(unit)) for name in targets]
        return _links(found)

    def similar(self, layer: str, unit: int) -> tuple[UnitLink, ...]:
        """The units of the same layer with the most similar weights."""
        ranked = self.of_layer(layer).similar
        return () if ranked is None else tuple(UnitLink(layer, other, cosine) for other, cosine in ranked.row(unit))

    def of_layer(self, layer: str) -> LayerLinks:
        """The links of a layer with those below it; computed once."""
        return self._of_sources(layer, self.below.get(layer, ()))

    def _of_sources(self, layer: str, sources: tuple[str, ...]) -> LayerLinks:
        if (layer, sources) not in self._computed:
            self._computed[layer, sources] = self._compute(layer, sources)
        return self._computed[layer, sources]

    @cached_property
    def _sources(self) -> dict[str, tuple[str, ...]]:
        return one_step_sources(self.model)

    @cached_property
    def _targets(self) -> dict[str, tuple[str, ...]]:
        parents = {layer.name: layer.parents for layer in self.model.layers}
        return one_step_targets(self._sources, parents, self.layers)

    @cached_property
    def _std(self) -> dict[str, Float[np.ndarray, " units"]]:
        # A target's weights are shared out among all of its sources, of which a skip connection adds some.
        reached = {target for layer in self.layers for target in self._targets[layer]}
        one_step = reached | {name for layer in (*self.layers, *reached) for name in self._sources[layer]}
        names = [layer.name for layer in self.model.layers if layer.name in one_step or layer.name in self.layers]
        return unit_std(self.model, names) if self.survey is None else surveyed_unit_std(self.survey, names)

    def _compute(self, layer: str, sources: tuple[str, ...]) -> LayerLinks:
        if not sources:
            return LayerLinks({}, {}, None)
        inputs, outputs = {}, {}
        # One after another: a source that is reached by a skip connection too is not held for the others.
        held = sources != self.below.get(layer)
        groups = [sources] if held else [(name,) for name in sources]
        found = [each for group in groups for each in expand(self.model, group, layer, [self._std[n] for n in group])]
        for name, each in zip(sources, found, strict=True):
            norms = row_norms(each.strengths)
            inputs[name] = input_maps(each, strongest_per_row(each.strengths, LINKS))
            outputs[name] = output_maps(each, strongest_outputs(each.strengths, LINKS, norms=norms), norms)
        if held:
            return LayerLinks(inputs, outputs, None)
        matrices = [each.strengths for each in found]
        joined = np.concatenate(matrices, axis=1) if len(matrices) > 1 else matrices[0]
        return LayerLinks(inputs, outputs, cosine_neighbors(joined, LINKS, overwrite=True))


def row_norms(weights: Float[np.ndarray, "units upstream_units"]) -> Float[np.ndarray, " units"]:
    """The norm of each row, at least 1e-30."""
    norms = np.empty(len(weights), np.float32)
    for rows in row_blocks(len(weights), 8 * max(weights.shape[1], 1)):
        norms[rows] = np.linalg.norm(weights[rows], axis=1)
    return np.maximum(norms, np.float32(1e-30))


def strongest_outputs(
    weights: Float[np.ndarray, "units upstream_units"], count: int, *, norms: Float[np.ndarray, " units"] | None = None
) -> RankedRows:
    """The strongest outputs of each upstream unit, each as a share of the weights of the unit above.

    Units above differ in the size of their weights, which says nothing of whose outputs they are.

    >>> strongest_outputs(np.array([[3.0, 4.0], [1.0, 0.0]], np.float32), 1).row(0)
    [(1, 1.0)]
    """
    return strongest_per_row(weights.T, count, divisor=row_norms(weights) if norms is None else norms)


def _links(rows: list[tuple[str, list[LinkedMap]]]) -> tuple[UnitLink, ...]:
    """The strongest of several layers together, with their maps on one scale."""
    maps = {(layer, each.unit): each.map for layer, row in rows for each in row}
    ranked = [(layer, [(each.unit, each.value) for each in row]) for layer, row in rows]
    chosen = strongest_of_layers(ranked, LINKS)
    shown = relative_maps([maps[layer, unit] for layer, unit, _ in chosen])
    return tuple(UnitLink(*link, map=each) for link, each in zip(chosen, shown, strict=True))
