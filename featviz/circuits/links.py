"""How the units of an atlas's layers are tied to one another: of each the strongest, found as they are asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from featviz.circuits.connections import connections, neighbors_below
from featviz.circuits.ranking import Tops, alike, blocks, together, tops
from featviz.circuits.spreads import spread_of, surveyed_spread
from featviz.model import Model
from featviz.pages.records import UnitLink
from featviz.surveys.survey import Survey

# Links of each kind on a page.
LINKS = 8


@dataclass(frozen=True)
class LayerLinks:
    """A layer and those below it: its units' `inputs` in each, the `outputs` of each one's units in it, its `alike`."""

    inputs: Mapping[str, Tops]
    outputs: Mapping[str, Tops]
    alike: Tops | None


class Links:
    """The strongest ties between the units of some layers, and their likeness, from the weights.

    The matrices of a layer's ties with those below are computed when one of its units, or of theirs, is first asked
    for. Only the top lists of them are kept: two layers of 20,000 units would take 1.6 GB.
    """

    def __init__(self, model: Model, layers: Sequence[str], survey: Survey | None = None) -> None:
        self.model, self.layers, self.survey = model, tuple(layers), survey
        self.below = neighbors_below(model, layers)
        self.known: dict[str, LayerLinks] = {}

    def inputs(self, layer: str, unit: int) -> tuple[UnitLink, ...]:
        """The units below that drive one most."""
        return _links([(name, found.of(unit)) for name, found in self.tied(layer).inputs.items()])

    def outputs(self, layer: str, unit: int) -> tuple[UnitLink, ...]:
        """The units above that one drives most, as a share of what drives them."""
        above = [name for name, below in self.below.items() if layer in below]
        return _links([(name, self.tied(name).outputs[layer].of(unit)) for name in above])

    def similar(self, layer: str, unit: int) -> tuple[UnitLink, ...]:
        """The units of the same layer with the most similar weights."""
        found = self.tied(layer).alike
        return () if found is None else tuple(UnitLink(layer, other, cosine) for other, cosine in found.of(unit))

    def tied(self, layer: str) -> LayerLinks:
        """A layer's ties with those below it; computed once."""
        if layer not in self.known:
            self.known[layer] = self._tie(layer)
        return self.known[layer]

    @cached_property
    def _spreads(self) -> dict[str, np.ndarray]:
        return spread_of(self.model, self.layers) if self.survey is None else surveyed_spread(self.survey, self.layers)

    def _tie(self, layer: str) -> LayerLinks:
        inputs, outputs, parts = {}, {}, []
        for name in self.below.get(layer, ()):
            ties = connections(self.model, name, layer, self._spreads[name])
            inputs[name], outputs[name] = tops(ties, LINKS), shares(ties, LINKS)
            parts.append(ties)
        whole = np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0] if parts else None
        return LayerLinks(inputs, outputs, None if whole is None else alike(whole, LINKS, overwrite=True))


def shares(ties: np.ndarray, count: int) -> Tops:
    """For each unit below those above that it drives most, as a share of what drives them; `ties` is (above, below).

    Units above differ in the size of their weights, which says nothing of whose input they are.

    >>> shares(np.array([[3.0, 4.0], [1.0, 0.0]], np.float32), 1).of(0)
    [(1, 1.0)]
    """
    norms = np.empty(len(ties), np.float32)
    for part in blocks(len(ties), 8 * max(ties.shape[1], 1)):
        norms[part] = np.linalg.norm(ties[part], axis=1)
    return tops(ties.T, count, over=np.maximum(norms, np.float32(1e-30)))


def _links(parts: list[tuple[str, list[tuple[int, float]]]]) -> tuple[UnitLink, ...]:
    return tuple(UnitLink(*each) for each in together(parts, LINKS))
