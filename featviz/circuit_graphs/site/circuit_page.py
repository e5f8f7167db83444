"""The page of a circuit: the graph, and behind it each unit's inputs in words and numbers."""

import json
from pathlib import Path
from typing import NamedTuple

from featviz.atlas.reading import Atlas
from featviz.attribution.explained_pictures import PictureFiles, name_pictures, write_atlas_pictures, write_pictures
from featviz.circuit_graphs.circuit_parts import Circuit, CircuitEdge, CircuitUnit, EdgeEffect, Verdict
from featviz.circuit_graphs.graph_layout import MAP_SIDE, SIDE, lay_out
from featviz.common.files import describe_folder
from featviz.errors import FeatvizError, in_one_line
from featviz.model import Model
from featviz.objectives import Objective, channel, direction
from featviz.pages.addresses import ASSETS, INDEX, link
from featviz.pages.formatting import format_count, format_percent
from featviz.pages.map_images import MapImage, map_image
from featviz.pages.site_files import FileExists, cached_file_exists, write_if_changed
from featviz.pages.templating import render_page, static_files
from featviz.pictures.picture_files import plain_json

PACKAGE = "featviz.circuit_graphs.site"
RECORD = "circuit.json"
SIGNS = {1: "excites", -1: "inhibits", 0: "both"}


class NodeItem(NamedTuple):
    """A unit of the graph: its place, its picture, and the section that lists its inputs."""

    id: str
    label: str
    layer: str
    unit: int
    x: float
    y: float
    src: str | None
    href: str | None


class EdgeItem(NamedTuple):
    """An edge of the graph and of the lists."""

    source: str
    target: str
    source_label: str
    source_src: str | None
    strength: float
    sign: str
    size: float
    width: float
    map: MapImage
    verdict: str
    words: str
    path: str
    x: float
    y: float
    family: int | None


class FamilyItem(NamedTuple):
    """A family of inputs: its map, its picture and its units."""

    number: int
    map: MapImage
    src: str | None
    units: str


def write_circuit(
    model: Model, circuit: Circuit, folder: Path, *, atlas: Atlas | None, draw: bool, progress: bool
) -> None:
    """Writes the page of a circuit, its record, and the pictures that the folder lacks."""
    # First: by its record a folder is known as that of a circuit, also if the run is killed after it.
    write_if_changed(folder / RECORD, circuit_json(circuit))
    for name, data in static_files(PACKAGE).items():
        write_if_changed(folder / ASSETS / name, data)
    # The page is there while its pictures are being drawn.
    files = name_pictures(model)
    write_if_changed(folder / INDEX, render_circuit(circuit, files, file_exists=cached_file_exists(folder)))
    units: dict[str, list[int]] = {}
    for each in (unit for level in circuit.levels for unit in level):
        units.setdefault(each.layer, []).append(each.unit)
    lacking = write_atlas_pictures(units, folder, files, atlas)
    if draw:
        write_pictures(model, lacking, folder, files, progress=progress)
        directions = [direction(family.layer, family.direction) for family in circuit.families]
        write_pictures(model, directions, folder, files, progress=progress)
    write_if_changed(folder / INDEX, render_circuit(circuit, files, file_exists=cached_file_exists(folder)))


def check_circuit_folder(folder: Path) -> None:
    """Refuses a folder that holds something else than a circuit, before anything is computed.

    Raises:
      FeatvizError: that says what is there.
    """
    try:
        taken = folder.exists() and (not folder.is_dir() or any(not _is_temporary(path) for path in folder.iterdir()))
    except OSError as error:
        raise FeatvizError(f"`{folder}` cannot be read: {error.strerror or in_one_line(error)}") from None
    if taken and not (folder / RECORD).is_file():
        found = describe_folder(folder, lacks="holds other files")
        raise FeatvizError(f"`{folder}` {found}; expected a new folder for the circuit, or that of one")


def render_circuit(circuit: Circuit, files: PictureFiles, *, file_exists: FileExists) -> bytes:
    """The page's HTML; pictures that exist are shown."""
    layout = lay_out(circuit)

    def source(shown: Objective) -> str | None:
        address = files.address(shown)
        return link(address, INDEX) if file_exists(address) else None

    ids = {each.unit: f"unit-{index}" for index, each in enumerate(layout.units)}
    targets = {edge.target for edge in circuit.edges}
    nodes = [
        NodeItem(
            ids[each.unit],
            each.unit.label,
            each.unit.layer,
            each.unit.unit,
            each.x,
            each.y,
            source(channel(*each.unit)),
            f"#inputs-{ids[each.unit]}" if each.unit in targets else None,
        )
        for each in layout.units
    ]
    edges = [
        EdgeItem(
            ids[each.edge.source],
            ids[each.edge.target],
            each.edge.source.label,
            source(channel(*each.edge.source)),
            each.edge.strength,
            SIGNS[each.edge.sign],
            round(abs(each.edge.strength), 3),
            round(1 + 5 * abs(each.edge.strength), 1),
            map_image(each.edge.map),
            each.edge.verdict.name.lower(),
            effect_words(each.edge.effect),
            each.path,
            each.x,
            each.y,
            None if each.edge.family is None else each.edge.family + 1,
        )
        for each in layout.edges
    ]
    families = [
        FamilyItem(
            index + 1,
            map_image(family.map),
            source(direction(family.layer, family.direction)),
            ", ".join(str(unit) for unit in family.units),
        )
        for index, family in enumerate(circuit.families)
    ]
    content = {
        "circuit": circuit,
        "layout": layout,
        "nodes": nodes,
        "edges": edges,
        "sections": [(node, [edge for edge in edges if edge.target == node.id]) for node in nodes if node.href],
        "families": families,
        "side": SIDE,
        "map_side": MAP_SIDE,
        "counts": {verdict.name.lower(): sum(edge.verdict is verdict for edge in circuit.edges) for verdict in Verdict},
    }
    return render_page(PACKAGE, "circuit.html", address=INDEX, content=content)


def effect_words(effect: EdgeEffect | None) -> str:
    """What ablation says of an edge, as a sentence.

    >>> effect_words(EdgeEffect(0.25, 0.2, 0.3, 16, 1.0, Verdict.CONFIRMED))
    'confirmed: without it 25 % less (20 % to 30 % less, 16 photos)'
    """
    if effect is None or effect.verdict is Verdict.UNTESTED:
        return "not tested"
    photos = format_count(effect.photos, of="photo")
    if effect.verdict is Verdict.SILENT:
        return f"changes nothing on {photos}"
    low, high = (_change(value) for value in (effect.low, effect.high))
    between = f"{_change(effect.contribution)} ({low} to {high}, {photos})"
    if low.endswith("less") and high.endswith("less"):
        between = f"{_change(effect.contribution)} ({low.removesuffix(' less')} to {high}, {photos})"
    return f"{effect.verdict.value}: without it {between}"


def circuit_json(circuit: Circuit) -> bytes:
    """The record, strict JSON in UTF-8."""
    record = {
        "schema": 1,
        "network": circuit.network,
        "unit": _unit(circuit.root),
        "levels": [[_unit(each) for each in level] for level in circuit.levels],
        "edges": [_edge(edge) for edge in circuit.edges],
        "families": [
            {"layer": each.layer, "units": list(each.units), "map": each.map.round(3).tolist()}
            for each in circuit.families
        ],
        "photos": circuit.photos,
    }
    return (json.dumps(plain_json(record, "circuit"), indent=1) + "\n").encode()


def _is_temporary(path: Path) -> bool:
    """Whether a file was left by a run that was killed as it wrote its first one."""
    return path.name.startswith(".featviz-")


def _unit(unit: CircuitUnit) -> dict[str, object]:
    return {"layer": unit.layer, "unit": unit.unit}


def _edge(edge: CircuitEdge) -> dict[str, object]:
    effect = None
    if edge.effect is not None:
        names = ("contribution", "low", "high", "photos", "active")
        effect = {name: getattr(edge.effect, name) for name in names} | {"verdict": edge.effect.verdict.value}
    return {
        "source": _unit(edge.source),
        "target": _unit(edge.target),
        "strength": edge.strength,
        "map": edge.map.astype(float).round(3).tolist(),
        "effect": effect,
        "family": edge.family,
    }


def _change(contribution: float) -> str:
    return f"{format_percent(abs(contribution))} {'less' if contribution >= 0 else 'more'}"
