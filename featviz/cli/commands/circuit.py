"""`featviz circuit MODEL TARGET -o FOLDER`: which units a unit is made of, and which links ablation confirms."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from featviz.cli.exit_status import usage_errors
from featviz.cli.options.layers_option import find_layers, layers_option
from featviz.cli.options.network_options import NetworkChoice, classified_network_options
from featviz.cli.options.option_group import PATH
from featviz.cli.options.output_options import out_option, quiet_option
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.circuit_graphs.circuit_parts import Circuit


@click.command()
@classified_network_options
@click.argument("target")
@out_option("Write the page into this folder, which is new or of a circuit.", metavar="FOLDER")
@click.option("--photos", type=PATH, metavar="FOLDER", help="Test each link by ablation on these photos.")
@layers_option("Follow weights through these layers, by name or pattern.  [default: the network's blocks]")
@click.option(
    "--depth", type=int, default=2, show_default=True, metavar="N", help="Follow N layers below the unit's, 1 to 4."
)
@click.option(
    "--inputs", type=int, default=6, show_default=True, metavar="N", help="Show the N strongest inputs of the unit."
)
@click.option(
    "--families",
    type=int,
    default=3,
    show_default=True,
    metavar="N",
    help="Divide its inputs into N families; 0 for none.",
)
@click.option("--atlas", type=PATH, metavar="FOLDER", help="Show the pictures of this atlas.")
@click.option("--no-pictures", is_flag=True, help="Draw no pictures that are missing.")
@quiet_option(printed="list of links")
def circuit(
    network: NetworkChoice,
    target: str,
    out: Path,
    photos: Path | None,
    layers: tuple[str, ...],
    depth: int,
    inputs: int,
    families: int,
    atlas: Path | None,
    no_pictures: bool,
    quiet: bool,
) -> None:
    """Write a page of the units of MODEL that TARGET, a unit such as mixed4a:7, is made of.

    Links are expanded weights. With photos, each is tested: the unit below is ablated, and the link is confirmed if the
    unit above changes as the weight says.
    """
    from featviz.common.compilation_cache import use_compilation_cache

    use_compilation_cache()
    model = network.load()
    from featviz.circuit_graphs.find_circuit import circuit as find

    with usage_errors():
        layer, unit = read_unit(target, [each.name for each in model.layers])
        model.layer(layer)
        if photos is not None and not photos.exists():
            raise FeatvizError(f"--photos: `{photos}` does not exist; expected a folder of photos")
        made = find(
            model,
            layer,
            unit,
            out=out,
            layers=find_layers(model, layers),
            depth=depth,
            inputs=inputs,
            families=families,
            photos=photos,
            atlas=atlas,
            draw=not no_pictures,
            progress=not quiet,
        )
    if not quiet:
        click.echo(describe_circuit(made))
        click.echo((out / "index.html").resolve().as_uri())


def read_unit(target: str, layers: list[str]) -> tuple[str, int]:
    """The layer and the unit of a target such as mixed4a:7.

    Raises:
      FeatvizError: for anything else.

    >>> read_unit("mixed4a/3x3:7", [])
    ('mixed4a/3x3', 7)
    """
    layer, colon, unit = target.rpartition(":")
    if not colon or not unit.isdecimal():
        example = f"{layers[-1]}:0" if layers else "mixed4a:7"
        raise FeatvizError(f"TARGET is `{target}`; expected one unit of a layer, such as {example}")
    return layer, int(unit)


def describe_circuit(circuit: "Circuit") -> str:
    """The links into the unit as lines of text."""
    from featviz.circuit_graphs.site.circuit_page import effect_words
    from featviz.pages.formatting import format_count

    links, units = len(circuit.edges), sum(map(len, circuit.levels)) - 1
    lines = [f"{circuit.root.label}: {format_count(links, of='link')} to {format_count(units, of='unit')}"]
    for edge in circuit.inputs(circuit.root):
        words = f"  {effect_words(edge.effect)}" if circuit.photos else ""
        lines.append(f"  {edge.source.label}  {edge.strength:+.2f}{words}")
    return "\n".join(lines)
