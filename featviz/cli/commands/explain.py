"""`featviz explain MODEL PHOTO... -o FOLDER`: which units made a decision, and what changes without them."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from featviz.cli.exit_status import interruptible, usage_errors
from featviz.cli.options.layers_option import find_layers, layers_option
from featviz.cli.options.network_options import NetworkChoice, classified_network_options
from featviz.cli.options.option_group import PATH
from featviz.cli.options.output_options import out_option, quiet_option
from featviz.errors import FeatvizError, suggest

if TYPE_CHECKING:
    from featviz.attribution.class_units import ClassUnits, UnitRank
    from featviz.attribution.methods import Method
    from featviz.model import Model
    from featviz.objectives import Objective


@click.command()
@classified_network_options
@click.argument("photos", type=PATH, nargs=-1, required=True)
@out_option("Write the pages into this folder.", metavar="FOLDER")
@click.option(
    "--for",
    "target",
    metavar="TARGET",
    help="Explain this, such as logit:tabby or mixed4a:7.  [default: the largest output]",
)
@click.option("--against", metavar="TARGET", help="Explain the target rather than this one.")
@click.option(
    "--of",
    "class_name",
    metavar="CLASS",
    help="Say that all photos are of CLASS: the units that it depends on are ranked too, and those behind mistakes.",
)
@layers_option("Explain by these layers, by name or pattern.  [default: four of the network's blocks]")
@click.option(
    "--method", metavar="NAME", default="relevance", show_default=True, help="Divide the score by this method."
)
@click.option(
    "--top",
    "units",
    type=int,
    default=6,
    show_default=True,
    metavar="N",
    help="Show N units for the decision and N against it.",
)
@click.option(
    "--groups", type=int, default=4, show_default=True, metavar="N", help="Divide the units into N groups; 0 for none."
)
@click.option("--atlas", type=PATH, metavar="FOLDER", help="Show the pictures of this atlas.")
@click.option(
    "--grid", multiple=True, metavar="NAME,...", help="Draw every place of these layers, of those that are shown."
)
@click.option("--no-pictures", is_flag=True, help="Draw no pictures that are missing.")
@click.option(
    "--size", type=int, metavar="PX", help="Draw missing pictures at this side, at most the network's.  [default: 128]"
)
@click.option("--steps", type=int, metavar="N", help="Draw them in N steps.  [default: 128]")
@click.option("--measure", is_flag=True, help="Measure how far the attributions are to be trusted.")
@quiet_option(printed="address")
def explain(
    network: NetworkChoice,
    photos: tuple[Path, ...],
    out: Path,
    target: str | None,
    against: str | None,
    class_name: str | None,
    layers: tuple[str, ...],
    method: str,
    units: int,
    groups: int,
    atlas: Path | None,
    grid: tuple[str, ...],
    no_pictures: bool,
    size: int | None,
    steps: int | None,
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
    from featviz.atlas.reading import open_atlas
    from featviz.attribution.attribute import check_layer
    from featviz.attribution.explain import check_grid, check_numbers
    from featviz.attribution.explain import explain as run
    from featviz.attribution.explained_layers import explained_layers
    from featviz.attribution.explained_pictures import SIZE, STEPS, check_atlas

    size, steps = SIZE if size is None else size, STEPS if steps is None else steps
    with usage_errors():
        chosen = find_layers(model, layers)
        objective = read_objective(model, target, against, class_name)
        divided = find_method(method)
        for path in photos:
            if not path.exists():
                raise FeatvizError(f"PHOTOS: `{path}` does not exist; expected photos or folders of them")
        names = explained_layers(model, chosen, objective=objective)
        cells = find_layers(model, grid) or []
        if no_pictures and cells:
            raise FeatvizError("--grid draws pictures; expected no --no-pictures")
        check_grid(cells, names, draw=True)
        check_numbers(units, groups, size, steps)
        opened = None if atlas is None else check_atlas(open_atlas(atlas), model)
        if objective is not None:
            for layer in names:
                check_layer(model, layer, objective, model.input.size)
    address = (out / "index.html").resolve().as_uri()
    if not quiet and not no_pictures:
        click.echo(f"The pages will be in {address} soon; their pictures follow, the most important first.", err=True)
    with interruptible(lambda: describe_finished(out)):
        run(
            model,
            list(photos),
            out=out,
            objective=objective,
            layers=names,
            method=divided,
            units=units,
            groups=groups,
            atlas=opened,
            draw=not no_pictures,
            size=size,
            steps=steps,
            grid=cells,
            measure=measure,
            progress=not quiet,
        )
    if class_name is not None:
        from featviz.attribution.class_units import class_units
        from featviz.model import find_class

        found = class_units(
            model,
            list(photos),
            find_class(model, "--of", class_name),
            layers=names,
            method=divided,
            units=units,
            progress=not quiet,
        )
        if not quiet:
            click.echo(describe_class(found, class_name))
    if not quiet:
        click.echo(address)


def describe_finished(out: Path) -> str:
    """What a stopped command leaves in its folder."""
    if not (out / "index.html").exists():
        return "stopped; nothing is written"
    count = sum(1 for _ in out.glob("pictures/*/*.webp"))
    return f"stopped; {out} has the pages, with {count} of their pictures, and the same command draws the others"


def read_objective(
    model: "Model", target: str | None, against: str | None, class_name: str | None
) -> "Objective | None":
    """What the options ask to be explained; None for each photo's largest output.

    Raises:
      FeatvizError: for a target that is none, several at once, or options that exclude one another.
    """
    if class_name is not None:
        if target is not None or against is not None:
            raise FeatvizError("--of goes without --for and --against; expected one of them")
        from featviz.model import find_class
        from featviz.objectives import logit

        return logit(find_class(model, "--of", class_name))
    if target is None:
        if against is not None:
            raise FeatvizError("--against goes with --for, which it is held against")
        return None
    chosen = _one_objective(model, "--for", target)
    return chosen if against is None else chosen - _one_objective(model, "--against", against)


def find_method(name: str) -> "Method":
    """The attribution method of that name.

    Raises:
      FeatvizError: if there is none that tells units apart.
    """
    from featviz.attribution.methods import METHODS

    known = {key: method for key, method in METHODS.items() if method.per_unit}
    if name not in known:
        raise FeatvizError(f"--method: there is no `{name}`; {suggest(name, known)}")
    return known[name]


def describe_class(found: "ClassUnits", name: str) -> str:
    """The ranks as lines of text."""
    lines = [f"{name}: {len(found.right)} photos right, {len(found.wrong)} wrong"]
    sections: list[tuple[str, tuple[UnitRank, ...]]] = [
        ("units it hangs on", found.ranked),
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


def _one_objective(model: "Model", option: str, text: str) -> "Objective":
    from featviz.cli.targets import parse_target

    found = parse_target(text, model)
    if len(found) != 1:
        raise FeatvizError(f"{option} is `{text}`, {len(found)} targets; expected one")
    return found[0]
