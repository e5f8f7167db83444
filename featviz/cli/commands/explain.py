"""`featviz explain MODEL PHOTO... -o FOLDER`: which units made a decision, and what changes without them."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from featviz.cli.exit_status import interruptible, usage_errors
from featviz.cli.options.explain_options import (
    DecisionChoice,
    ShownPictures,
    decision_options,
    shown_picture_options,
)
from featviz.cli.options.layers_option import find_layers, layers_option
from featviz.cli.options.network_options import NetworkChoice, classified_network_options
from featviz.cli.options.option_group import PATH
from featviz.cli.options.output_options import out_option, quiet_option
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.attribution.class_units import ClassUnits, UnitRank


@click.command()
@classified_network_options
@click.argument("photos", type=PATH, nargs=-1, required=True)
@out_option("Write the pages into this folder.", metavar="FOLDER")
@decision_options
@layers_option("Explain by these layers, by name or pattern.  [default: four of the network's blocks]")
@shown_picture_options
@click.option("--measure", is_flag=True, help="Measure how far the attributions are to be trusted.")
@quiet_option(printed="address")
def explain(
    network: NetworkChoice,
    photos: tuple[Path, ...],
    out: Path,
    decision: DecisionChoice,
    layers: tuple[str, ...],
    pictures: ShownPictures,
    measure: bool,
    quiet: bool,
) -> None:
    """Write a page for each photo that says which units of MODEL decided.

    PHOTOS are files or folders. Each page divides the score among units, shows what they look for, and what the score
    becomes when one of them alone is ablated.
    """
    from featviz.common.compilation_cache import use_compilation_cache

    use_compilation_cache()
    model = network.load()
    from featviz.attribution.attribute import check_layer
    from featviz.attribution.explain import check_grid, check_numbers
    from featviz.attribution.explain import explain as run
    from featviz.attribution.explained_layers import explained_layers

    with usage_errors():
        chosen = find_layers(model, layers)
        objective = decision.objective(model)
        method = decision.find_method()
        for path in photos:
            if not path.exists():
                raise FeatvizError(f"PHOTOS: `{path}` does not exist; expected photos or folders of them")
        names = explained_layers(model, chosen, objective=objective)
        grid = pictures.grid_layers(model)
        check_grid(grid, names, draw=True)
        check_numbers(decision.units, decision.groups, pictures.size, pictures.steps)
        atlas = pictures.open_atlas(model)
        if objective is not None:
            for layer in names:
                check_layer(model, layer, objective, model.input.size)
    address = (out / "index.html").resolve().as_uri()
    if not quiet and not pictures.no_pictures:
        click.echo(f"The pages will be in {address} soon; their pictures follow, the most important first.", err=True)
    with interruptible(lambda: describe_finished(out)):
        run(
            model,
            list(photos),
            out=out,
            objective=objective,
            layers=names,
            method=method,
            units=decision.units,
            groups=decision.groups,
            atlas=atlas,
            draw=not pictures.no_pictures,
            size=pictures.size,
            steps=pictures.steps,
            grid=grid,
            measure=measure,
            progress=not quiet,
        )
    if decision.class_name is not None:
        from featviz.attribution.class_units import class_units
        from featviz.model import find_class

        index = find_class(model, "--of", decision.class_name)
        found = class_units(
            model, list(photos), index, layers=names, method=method, units=decision.units, progress=not quiet
        )
        if not quiet:
            click.echo(describe_class(found, decision.class_name))
    if not quiet:
        click.echo(address)


def describe_finished(out: Path) -> str:
    """What a stopped command leaves in its folder."""
    if not (out / "index.html").exists():
        return "stopped; nothing is written"
    count = sum(1 for _ in out.glob("pictures/*/*.webp"))
    return f"stopped; {out} has the pages, with {count} of their pictures, and the same command draws the others"


def describe_class(found: "ClassUnits", name: str) -> str:
    """The ranks as lines of text."""
    lines = [f"{name}: {len(found.right)} photos right, {len(found.wrong)} wrong"]
    sections: list[tuple[str, tuple[UnitRank, ...]]] = [
        ("units that it depends on", found.ranked),
        ("units behind the mistakes, for the wrong class rather than this one", found.mistaken),
    ]
    for heading, ranks in sections:
        if ranks:
            lines.append(heading)
            lines += [
                f"  {rank.layer}:{rank.unit}  attribution {rank.attribution:+.3g} ± {rank.attribution_error:.2g}"
                f"  without it {rank.effect:+.3g} ± {rank.effect_error:.2g}"
                for rank in ranks
            ]
    return "\n".join(lines)
