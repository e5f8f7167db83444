"""The table of classes: readable name, the function that draws it, its arguments."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from . import periodic, radial, shapes, stochastic

DIRECTIONS = {"horizontal": 0.0, "vertical": 90.0, "rising diagonal": 45.0, "falling diagonal": 135.0}


class PatternClass(NamedTuple):
    """One class. `draw(rng, n)` returns a Drawing; a shape lies on a ground, a texture fills the image."""

    name: str
    draw: Callable
    is_shape: bool = False


def _textures() -> list[PatternClass]:
    rows = [
        PatternClass(f"{name} grating, {band} frequency", partial(periodic.grating, orientation=angle, band=band))
        for name, angle in DIRECTIONS.items()
        for band in periodic.FREQUENCY_BANDS
    ]
    for name, angle in (("upright", 0.0), ("diagonal", 45.0)):
        rows += [
            PatternClass(f"{name} {word}", partial(draw, orientation=angle))
            for word, draw in (("plaid", periodic.plaid), ("checks", periodic.checks))
        ]
    for name, angle in (("horizontal", 0.0), ("vertical", 90.0)):
        rows += [
            PatternClass(f"{name} {word}", partial(draw, orientation=angle))
            for word, draw in (("waves", periodic.waves), ("zigzag", periodic.zigzag))
        ]
    rows += [
        PatternClass(name, draw)
        for name, draw in (
            ("grid lines", periodic.grid_lines),
            ("bricks", periodic.bricks),
            ("basket weave", periodic.basket),
            ("honeycomb", periodic.honeycomb),
            ("scales", periodic.scales),
            ("concentric rings", radial.rings),
            ("radial rays", radial.rays),
        )
    ]
    rows += [
        PatternClass("clockwise spiral", partial(radial.spiral, hand=1)),
        PatternClass("counterclockwise spiral", partial(radial.spiral, hand=-1)),
        PatternClass("sparse dots", partial(radial.dots, cell=(17, 24), radius=(3, 5), jitter=0.8)),
        PatternClass("dense dots", partial(radial.dots, cell=(8, 10), radius=(2.2, 3), jitter=0.3)),
        PatternClass("rings of dots", radial.dot_rings),
        PatternClass("white noise", partial(stochastic.power_noise, slope=0.0)),
        PatternClass("pink noise", partial(stochastic.power_noise, slope=1.0)),
        PatternClass("brown noise", partial(stochastic.power_noise, slope=2.0)),
        PatternClass("band-pass noise", stochastic.band_noise),
    ]
    rows += [
        PatternClass(f"{name} fur", partial(stochastic.fur, orientation=angle)) for name, angle in DIRECTIONS.items()
    ]
    rows += [
        PatternClass(name, draw)
        for name, draw in (
            ("marble", stochastic.marble),
            ("flames", stochastic.flames),
            ("Voronoi cells", stochastic.voronoi),
        )
    ]
    return rows


def _shapes() -> list[PatternClass]:
    rows = [
        (name, partial(shapes.polygon, corners=corners))
        for corners, name in ((3, "triangle"), (4, "square"), (5, "pentagon"), (6, "hexagon"))
    ]
    rows += [
        (f"{name}-point star", partial(shapes.star, points=points, waist=waist))
        for name, points, waist in (("four", 4, (0.3, 0.38)), ("five", 5, (0.38, 0.45)), ("six", 6, (0.53, 0.6)))
    ]
    rows += [
        ("plus", partial(shapes.cross, orientation=0.0)),
        ("diagonal cross", partial(shapes.cross, orientation=45.0)),
    ]
    rows += [
        (f"curve, open {side}", partial(shapes.curve, orientation=angle))
        for side, angle in (("to the right", 0.0), ("upwards", 90.0), ("to the left", 180.0), ("downwards", 270.0))
    ]
    rows += [(name, getattr(shapes, name)) for name in ("ring", "crescent", "heart", "eye", "leaf", "flower")]
    return [PatternClass(name, draw, True) for name, draw in rows]


TABLE: tuple[PatternClass, ...] = (*_textures(), *_shapes())
CLASS_NAMES: tuple[str, ...] = tuple(row.name for row in TABLE)
