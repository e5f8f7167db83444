"""`--edit LAYER:UNITS=EDIT`: the network changed at a layer, wherever MODEL stands."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import click

from featviz.errors import FeatvizError, in_one_line, suggest

if TYPE_CHECKING:
    import numpy as np

    from featviz.model import Model
    from featviz.model.edits import Edit

NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
UNITS = re.compile(r"(?P<layer>.+):(?P<units>\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)")
POSITIONS = re.compile(r"(?P<before>.+)@(?P<positions>\d+(?:x\d+)?(?:,\d+(?:x\d+)?)*)")
SCALE = re.compile(rf"x(?P<factor>{NUMBER})")
DIRECTION = re.compile(rf"\+(?:(?P<strength>{NUMBER})x)?(?P<file>.+\.npy)")

edit_option = click.option(
    "--edit",
    "edits",
    multiple=True,
    metavar="LAYER[:UNITS]=EDIT",
    help="Change the network at LAYER. EDIT is zero, a number that units are held at, x2 to scale them, keep for all "
    "else to become zero, +FILE.npy to add a direction (+3xFILE.npy three times), or FILE.npy for the activations of "
    "another image. UNITS is a list such as 3,8-15; @7x7 behind them is a position, @0 a token. The option may be "
    "repeated.",
)


def add_edits(model: "Model", texts: Sequence[str]) -> "Model":
    """The model with the edits of texts, in their order.

    Args:
      model: the network.
      texts: such as `mixed4a:3=zero`.

    Raises:
      FeatvizError: for a text that is no edit, or one that does not fit the network.
    """
    edited = model
    for text in texts:
        try:
            layer, edit = parse_edit(text, model)
            edited = edited.edited({layer: edit})
        except FeatvizError as error:
            raise FeatvizError(f"--edit is `{text}`: {error}") from None
    if not texts:
        return model
    # What stands on the command line can make the network again.
    return replace(edited, source={**model.source, "edit": shlex.join(map(_without_folder, texts))})


def parse_edit(text: str, model: "Model") -> tuple[str, "Edit"]:
    """The layer and the edit of a text.

    >>> from featviz.zoo.registry import outline
    >>> layer, edit = parse_edit("mixed4a:3,8-10=x2", outline("patterns"))
    >>> layer, edit.where.units.tolist(), float(edit.factor)
    ('mixed4a', [3, 8, 9, 10], 2.0)

    Raises:
      FeatvizError: if it is none, or the network has no such layer.
    """
    from featviz.model import edit_kinds

    place, equals, what = text.rpartition("=")
    if not equals or not place or not what:
        raise FeatvizError("expected LAYER:UNITS=EDIT, such as mixed4a:3=zero")
    layer, units, positions = _split_place(place, model)
    if what == "zero":
        return layer, edit_kinds.ablate(units, positions=positions)
    if what == "keep":
        if units is None and positions is None:
            raise FeatvizError("it keeps all of the layer; expected units or a position")
        return layer, edit_kinds.keep(units, positions=positions)
    if re.fullmatch(NUMBER, what):
        return layer, edit_kinds.clamp(units, float(what), positions=positions)
    if scaled := SCALE.fullmatch(what):
        return layer, edit_kinds.scale(units, float(scaled["factor"]), positions=positions)
    if added := DIRECTION.fullmatch(what):
        if units is not None:
            raise FeatvizError("a direction is added to all units; expected the layer without units")
        strength = float(added["strength"] or 1)
        return layer, edit_kinds.add_direction(_read(added["file"]), strength=strength, positions=positions)
    if what.endswith(".npy"):
        return layer, edit_kinds.patch_in(_read(what), units=units, positions=positions)
    raise FeatvizError(f"there is no edit `{what}`; expected zero, keep, a number, x2, FILE.npy or +FILE.npy")


def _split_place(place: str, model: "Model") -> tuple[str, list[int] | None, list[tuple[int, ...]] | None]:
    """A layer, its units and positions; None for all of them. A layer's own name may have a colon."""
    known = {layer.name for layer in model.layers}
    units: list[int] | None = None
    positions: list[tuple[int, ...]] | None = None
    if place not in known and (match := POSITIONS.fullmatch(place)):
        place = match["before"]
        positions = [tuple(map(int, each.split("x"))) for each in match["positions"].split(",")]
    if place not in known and (match := UNITS.fullmatch(place)):
        place = match["layer"]
        count = model.layer(place).units if place in known else 0
        units = [unit for each in match["units"].split(",") for unit in _range(each, count)]
    if place not in known:
        raise FeatvizError(f"{model.name} has no layer `{place}`; {suggest(place, list(known))}")
    return place, units, positions


def _range(text: str, count: int) -> range:
    """The units of a text, as far as the first that a layer of `count` units lacks, which the edit's check names."""
    first, _, last = text.partition("-")
    if int(last or first) < int(first):
        raise FeatvizError(f"the range {text} runs backwards; expected {last}-{first}")
    return range(int(first), min(int(last or first), max(int(first), count)) + 1)


def _read(name: str) -> "np.ndarray":
    import numpy as np

    path = Path(name)
    try:
        with path.open("rb") as file:
            return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
    except FileNotFoundError:
        raise FeatvizError(f"`{path.name}` does not exist; expected a .npy file") from None
    except Exception as error:
        raise FeatvizError(f"`{path.name}` cannot be read: {in_one_line(error)}") from None


def _without_folder(text: str) -> str:
    """An edit with its file by its base name, as commands in records have it.

    >>> _without_folder("conv1=+2x/data/tabby.npy"), _without_folder("conv1:3=zero")
    ('conv1=+2xtabby.npy', 'conv1:3=zero')
    """
    place, _, what = text.rpartition("=")
    if not what.endswith(".npy"):
        return text
    added = DIRECTION.fullmatch(what)
    name = PurePath(added["file"] if added else what).name
    sign = what[: added.start("file")] if added else ""
    return f"{place}={sign}{name}"
