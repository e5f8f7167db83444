"""`fv.circuit`: the units that a unit is made of, two or three layers deep."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from featviz.atlas.reading import Atlas, open_atlas
from featviz.attribution.explained_photos import PhotoChoice, read_photos
from featviz.attribution.explained_pictures import check_atlas
from featviz.circuit_graphs.circuit_parts import Circuit, CircuitEdge, CircuitUnit, Family
from featviz.circuit_graphs.edge_effects import PHOTOS, edge_effects, firing_photos, maximum_activations
from featviz.circuit_graphs.families import family_of, find_families
from featviz.circuit_graphs.site.circuit_page import check_circuit_folder, write_circuit
from featviz.circuits.expanded_weights import nearest_layers_below
from featviz.circuits.ranked_maps import relative_maps
from featviz.circuits.unit_std import unit_std
from featviz.circuits.weight_maps import checked_units, signed_norms, weights_between
from featviz.common.arguments import check_count
from featviz.errors import FeatvizError
from featviz.model import Model, require_model
from featviz.model.layer_patterns import block_layers, choose_layers
from featviz.surveys.photos import some_photos

MAX_DEPTH, MAX_INPUTS, MAX_FAMILIES = 4, 24, 12
# Photos of a folder that are read, and how many of them tell how much units vary.
READ, VARIED = 256, 64

Std = Mapping[str, Float[np.ndarray, " units"]]


def circuit(
    model: Model,
    layer: str,
    unit: int,
    *,
    out: str | os.PathLike[str] | None = None,
    layers: Sequence[str] | None = None,
    depth: int = 2,
    inputs: int = 6,
    families: int = 3,
    photos: "PhotoChoice | None" = None,
    atlas: str | os.PathLike[str] | Atlas | None = None,
    draw: bool = True,
    progress: bool = True,
) -> Circuit:
    """A unit's circuit: its strongest inputs, theirs in turn, and whether ablation confirms each link.

    Weights are expanded (`fv.weights_between`) and count as much as the unit below varies. With photos, each link is
    tested: the unit below is set to zero on 16 photos on which the unit above fires, and the link is confirmed if the
    mean change has the sign of the weight, or any where the weights are of both signs, by a 95 % bootstrap interval.
    Fewer than six such photos leave it undecided.

    Args:
      model: the network, from any framework.
      layer, unit: the unit.
      out: a folder for the page `index.html`, its pictures and `circuit.json`, new or of a circuit. Pictures that are
        there already are not drawn again.
      layers: names or patterns of the layers that may be part of it; by default the network's blocks.
      depth: how many layers below the unit's, 1 to 4.
      inputs: how many inputs of the unit; half as many of theirs, and so on, at least two.
      families: into how many families the unit's inputs are divided by NMF of the weights; 0 for none.
      photos: a folder of photos like those that the network was trained on, of which 256 are read, or a list.
      atlas: an atlas of the network, or its folder, whose pictures are shown.
      draw: whether pictures that are missing are drawn.
      progress: whether to show bars.

    Returns:
      The circuit.

    Raises:
      FeatvizError: for an unknown layer or unit, a unit with no layer below, weights that are not finite, photos that
        cannot be read, or a folder that holds something else.

    References:
      Olah et al. 2020, Zoom In; Voss et al. 2021, Visualizing Weights.

    >>> import featviz as fv
    >>> found = fv.circuit(fv.load("patterns"), "mixed3b", 5, layers=["conv2", "mixed3a", "mixed3b"], progress=False)
    >>> [len(level) for level in found.levels][:2], found.edges[0].target.label
    ([1, 6], 'mixed3b:5')
    """
    require_model(model)
    checked_units(model, layer, [unit])
    depth = check_count("depth", depth, 1, MAX_DEPTH)
    inputs = check_count("inputs", inputs, 1, MAX_INPUTS)
    families = check_count("families", families, 0, MAX_FAMILIES)
    if out is not None:
        check_circuit_folder(Path(out))
    order = [each.name for each in model.layers]
    # A latent is made of the units of its own layer, and these of the network's blocks.
    named = choose_layers(model, layers) if layers else [each.name for each in block_layers(model, latents=False)]
    own = model.layer(layer)
    chosen = {*named, layer, *(own.parents if own.latents and not layers else ())}
    below = nearest_layers_below(model, [name for name in order if name in chosen])
    if not below[layer]:
        others = ", ".join(sorted(chosen - {layer}))
        raise FeatvizError(f"`layer` {layer} is computed from none of the other layers, {others}")
    opened = open_atlas(atlas) if isinstance(atlas, str | os.PathLike) else atlas
    opened = None if opened is None else check_atlas(opened, model)
    images = None if photos is None else _read(photos, model)
    used = _reached(below, layer, depth)
    std = unit_std(model, used, images=None if images is None else images[:: max(1, len(images) // VARIED)])
    root = CircuitUnit(layer, unit)
    levels: list[tuple[CircuitUnit, ...]] = [(root,)]
    edges: list[CircuitEdge] = []
    for level in range(depth):
        count = max(2, inputs >> level) if inputs > 1 else 1
        found = _strongest_inputs(model, levels[-1], below, std, count)
        known = {each for units in levels for each in units}
        added = tuple(dict.fromkeys(edge.source for edge in found if edge.source not in known))
        edges += found
        if not added:
            break
        levels.append(added)
    parts = _families(model, root, below[layer], std, families) if families else ()
    edges = [
        replace(edge, family=family_of(parts, edge.source.layer, edge.source.unit)) if edge.target == root else edge
        for edge in edges
    ]
    if images is not None:
        edges = _tested(model, images, edges)
    made = Circuit(model.name, root, tuple(levels), tuple(edges), parts, 0 if images is None else len(images))
    if out is not None:
        write_circuit(model, made, Path(out), atlas=opened, draw=draw, progress=progress)
    return made


def _strongest_inputs(
    model: Model, units: Sequence[CircuitUnit], below: Mapping[str, tuple[str, ...]], std: Std, count: int
) -> list[CircuitEdge]:
    """The edges into each of some units, from the layers next below each."""
    edges = []
    for layer in dict.fromkeys(each.layer for each in units):
        chosen = [each for each in units if each.layer == layer]
        maps = {
            source: weights_between(model, source, layer, units=[each.unit for each in chosen]).maps * std[source]
            for source in below.get(layer, ())
        }
        for below_it, weights in maps.items():
            if not np.isfinite(weights).all():
                raise FeatvizError(f"the weights from {below_it} to {layer} are not finite; expected finite values")
        for index, target in enumerate(chosen):
            ranked = [
                (abs(value), value, CircuitUnit(source, unit), each[index, :, :, unit])
                for source, each in maps.items()
                for unit, value in enumerate(signed_norms(each[index : index + 1])[0].tolist())
                if value
            ]
            ranked = sorted(ranked, key=lambda row: -row[0])[:count]
            shown = relative_maps([row[3] for row in ranked])
            for (_, value, source, _), each in zip(ranked, shown, strict=True):
                assert each is not None
                edges.append(CircuitEdge(source, target, value / ranked[0][0], each))
    return edges


def _families(model: Model, root: CircuitUnit, sources: Sequence[str], std: Std, count: int) -> tuple[Family, ...]:
    """Families of the root's inputs, in the layer that weighs most."""
    maps = {
        source: weights_between(model, source, root.layer, units=[root.unit]).maps[0] * std[source]
        for source in sources
    }
    heaviest = max(maps, key=lambda source: float(np.square(maps[source]).sum()))
    return find_families(heaviest, maps[heaviest], count)


def _tested(model: Model, images: Float[np.ndarray, "n h w c"], edges: Sequence[CircuitEdge]) -> list[CircuitEdge]:
    """The edges with their effects."""
    targets = list(dict.fromkeys(edge.target for edge in edges))
    fired = maximum_activations(model, images, [each.layer for each in targets])
    found = {}
    for target in targets:
        shown = images[firing_photos(fired[target.layer][:, target.unit], PHOTOS)]
        into = [edge for edge in edges if edge.target == target]
        for source in dict.fromkeys(edge.source.layer for edge in into):
            chosen = [edge for edge in into if edge.source.layer == source]
            units, signs = [edge.source.unit for edge in chosen], [edge.sign for edge in chosen]
            effects = edge_effects(model, shown, source, units, target.layer, target.unit, signs=signs)
            found.update({(edge.source, target): effect for edge, effect in zip(chosen, effects, strict=True)})
    return [replace(edge, effect=found[edge.source, edge.target]) for edge in edges]


def _reached(below: Mapping[str, tuple[str, ...]], layer: str, depth: int) -> list[str]:
    """The layers that a circuit may use below its root's."""
    found: list[str] = []
    frontier = [layer]
    for _ in range(depth):
        frontier = list(dict.fromkeys(name for each in frontier for name in below.get(each, ())))
        found += frontier
    return list(dict.fromkeys(found))


def _read(photos: PhotoChoice, model: Model) -> Float[np.ndarray, "n h w c"]:
    """At most 256 photos, evenly from a folder."""
    if isinstance(photos, str | os.PathLike) and Path(photos).is_dir():
        photos = [image for _, image, _ in some_photos(photos, READ).items(0)]
    return np.stack([pixels for _, pixels in read_photos(photos, model)])
