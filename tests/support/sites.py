"""A small atlas's site for tests, made of synthetic pictures and of hostile names."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from featviz.ascent.outcome import Outcome
from featviz.atlas.site.site_writer import write_assets, write_index, write_layer, write_unit
from featviz.circuits.strongest_links import UnitLink
from featviz.evaluation.class_scores import ClassScore
from featviz.pages.records import (
    EvidenceFigure,
    LayerRecord,
    NetworkRecord,
    PhotoCrop,
    PictureRecord,
    Role,
    SurveyRecord,
    UnitRecord,
    UnitSummary,
)

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\"' onmouseover=alert(1) x='",
    "100%2F%",
    "a/b\\c",
    "..",
    ".",
    "&amp;&lt;",
    "ünï 層 \u2028 😀 \u202e",
    "javascript:alert(1)",
    "a?b#c",
    "x" * 300,
    "層" * 90,
    "",
    "{{ 7 * 7 }}{% raw %}",
    "\x00\x07\x1b\ud800",
)


def pixels(seed: int, *, side: int = 24, channels: int = 3) -> np.ndarray:
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (4, 4, channels), dtype=np.uint8)
    return coarse.repeat(side // 4, 0).repeat(side // 4, 1)


def picture(role: Role = Role.MAIN, index: int = 0, *, seed: int = 0, **changes: Any) -> PictureRecord:
    history = np.linspace(0, 12.5, 32, dtype=np.float32)
    made = PictureRecord(
        role, index, pixels(seed), 12.5, Outcome.CONVERGED, history, seed, "0f" * 32, "featviz render net --x 'a b'"
    )
    return replace(made, **changes)


def summary(unit: UnitRecord) -> UnitSummary:
    main = unit.pictures[0]
    trusted = unit.survey.trusted if unit.survey else None
    return UnitSummary(unit.unit, unit.label, main.score, main.outcome, unit.faults, trusted)


def network(layers: Sequence[LayerRecord], **changes: Any) -> NetworkRecord:
    facts = {"Recipe": "featviz_2026, 24 px", "Weights": "0123abcd"}
    return replace(NetworkRecord("net", tuple(layers), facts, "featviz atlas net -o atlas", True, False), **changes)


def layer(name: str, units: int, **changes: Any) -> LayerRecord:
    return replace(LayerRecord(name, (8, 8, units), units, units, units), **changes)


def survey(folder: Path, *, text: str = "photo", **changes: Any) -> SurveyRecord:
    """Statistics with crops of a photograph that is written into the folder."""
    path = folder / "one photo.jpg"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(7, side=64)).save(path)
    box, photo_size = (-2.5, 4.0, 29.5, 36.0), (64, 64)
    crops = [
        PhotoCrop(percentile, percentile / 10, text, pixels(percentile), path.as_uri(), photo_size, box)
        for percentile in (100, 100, 50, 0)
    ]
    edges, counts = np.linspace(0, 10, 11), np.array([100, 50, 20, 10, 5, 3, 2, 1, 0, 1])
    figures = (
        EvidenceFigure("E1 predicts", "0.71", text, f"What it means: {text}."),
        EvidenceFigure("E2", "0.4", "", "Likeness."),
    )
    made = SurveyRecord(192, 1.5, 0.9, 0.43, edges, counts, 12.5, tuple(crops), figures, True, f"It is {text}.")
    return replace(made, **changes)


def unit(layer: str, index: int, *, label: str = "", **changes: Any) -> UnitRecord:
    provenance = {"name": f"{layer}:{index}"}
    return replace(UnitRecord(layer, index, label, (picture(seed=index),), provenance=provenance), **changes)


def full_unit(layer: str, folder: Path, *, text: str = "tabby") -> UnitRecord:
    """Unit 1 of a layer with all that a page may show; some of the units it is connected to have no picture."""
    pictures = (
        picture(seed=1),
        *(picture(Role.SEED, index, seed=index) for index in (1, 2)),
        *(picture(Role.FACET, index, seed=10 + index) for index in range(3)),
        picture(Role.NEGATIVE, 0, seed=20),
        picture(Role.CENTER, 0, seed=21),
    )
    weights = np.linspace(-1, 1, 9, dtype=np.float16).reshape(3, 3)
    links = (UnitLink(layer, 0, 1.0, weights), UnitLink(layer, 2, -0.5, -weights), UnitLink("elsewhere", 9, 0.25))
    classes = (ClassScore(3, text, 9.5, 0.75), ClassScore(4, "", -1.0, 0.001))
    return unit(
        layer,
        1,
        label=text,
        pictures=pictures,
        inputs=links,
        outputs=links[::-1],
        similar=(UnitLink(layer, 2, 0.9),),
        one_step_inputs=(UnitLink("elsewhere", 9, -1.0, weights[:1, :1]),),
        classes=classes,
        survey=survey(folder, text=text),
    )


def hostile_site(folder: Path, names: Sequence[str]) -> Path:
    """A site whose network, layers, labels, faults, facts, commands and photographs all have hostile names."""
    layers = [layer(name, 3) for name in names]
    layers[1] = replace(layers[1], parents=(names[0], "unknown"))
    shown = network(layers, name=names[0], facts={names[1]: names[2]}, command=names[0], surveyed=True)
    units = []
    for index, name in enumerate(names):
        full = full_unit(name, folder / "photos", text=names[index - 1])
        pictures = (replace(full.pictures[0], command=names[0]), *full.pictures[1:])
        full = replace(full, pictures=pictures, faults=(names[1],), provenance={names[0]: names[1]})
        units += [unit(name, 0, label=names[0]), full, unit(name, 2)]
    return write_site(folder / "site", shown, units)


def write_site(folder: Path, shown: NetworkRecord, units: Sequence[UnitRecord], **options: Any) -> Path:
    """The whole site of these units; the pages are written twice, so that all links are there."""
    write_assets(folder)
    for _ in range(2):
        for index, one in enumerate(units):
            before, after = (
                units[other].unit if 0 <= other < len(units) and units[other].layer == one.layer else None
                for other in (index - 1, index + 1)
            )
            write_unit(folder, shown, one, neighbors=(before, after), **options)
    for one in shown.layers:
        by_number = {unit.unit: unit for unit in units if unit.layer == one.name}
        summaries = [summary(unit) for unit in by_number.values()]
        write_layer(folder, shown, one, summaries, lambda index, units=by_number: units[index].pictures[0].pixels)
    write_index(
        folder, shown, {one.name: [unit.unit for unit in units if unit.layer == one.name] for one in shown.layers}
    )
    return folder
