"""`featviz atlas MODEL -o FOLDER`: a picture and a page of every unit."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from featviz.cli.commands.render import add_penalties, parse_size
from featviz.cli.networks import find_model
from featviz.cli.options.input_option import input_option
from featviz.cli.options.layers_option import layers_option, split, split_all
from featviz.cli.options.other_model import find_judge, other_layer_option, other_option, other_weights_option
from featviz.cli.session import (
    Stopped,
    classes_option,
    keep_compiled,
    name_classes,
    stoppable,
    weights_option,
    wrong_command,
)
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.atlas.atlas_store import Store
    from featviz.atlas.plan import Task

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("model")
@click.option(
    "-o", "--out", required=True, metavar="FOLDER", help="The atlas, new or to continue; or s3://..., gs://..."
)
@weights_option
@input_option
@classes_option
@layers_option("Layers, by name or pattern, as inception_4*.  [default: the network's blocks]")
@click.option(
    "--units",
    metavar="UNITS",
    multiple=True,
    help="Of each layer, such as 0-15,40, or LAYER:UNITS, once for each layer.  [default: all]",
)
@click.option(
    "--pages",
    type=click.Choice(["basic", "full"]),
    default="basic",
    show_default=True,
    help="A full page has more seeds, unlike pictures, the negative and the neuron at the center: 9 pictures a unit.",
)
@click.option("--full", metavar="NAME,...", help="Only these layers have full pages.")
@click.option(
    "--recipe", "recipe_name", help="One of `featviz recipes`.  [default: default, or transformer for tokens]"
)
@click.option("--penalty", "penalties", metavar="NAME=WEIGHT", multiple=True, help="As of `featviz render`.")
@click.option("--size", metavar="PX", help="Pixels a side, or HEIGHTxWIDTH.  [default: the recipe's]")
@click.option("--steps", type=int, help="Steps of each optimization.  [default: the recipe's]")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--dtype", type=click.Choice(["float32", "bfloat16"]), default="float32", show_default=True, help="Of the network."
)
@click.option("--shard", metavar="I/N", default="1/1", help="Draw the I-th of N shares of the plan.")
@click.option(
    "--engine",
    "engine_name",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="What draws.",
)
@click.option(
    "--ray-address", metavar="ADDRESS", help="A Ray cluster's, such as auto on one of its machines, or local."
)
@click.option(
    "--ray-workers", type=int, metavar="N", help="Workers to ask for, at most.  [default: as many as there is room for]"
)
@click.option("--ray-gpus", type=int, metavar="N", help="GPUs of each worker.  [default: one, where there are any]")
@click.option("--survey", "survey_folder", type=FILE, metavar="FOLDER", help="For the pages: of `featviz survey`.")
@click.option("--photos", type=FILE, metavar="FOLDER", help="Where its photographs are now, if they have moved.")
@other_option
@other_weights_option
@other_layer_option
@click.option("--copy-photos", is_flag=True, help="Photographs become part of the site.  [default: links to them]")
@click.option("--site/--no-site", default=True, help="Whether FOLDER/site is made.  [default: it is]")
@click.option("--plan", "only_plan", is_flag=True, help="Say what there is to do, and how long it takes; do nothing.")
@click.option("--quiet", is_flag=True, help="No progress and no report.")
def atlas(
    model: str,
    out: str,
    weights: Path | None,
    input_words: str | None,
    classes: Path | None,
    layers: tuple[str, ...],
    units: tuple[str, ...],
    pages: str,
    full: str | None,
    recipe_name: str | None,
    penalties: tuple[str, ...],
    size: str | None,
    steps: int | None,
    seed: int,
    dtype: str,
    shard: str,
    engine_name: str,
    ray_address: str | None,
    ray_workers: int | None,
    ray_gpus: int | None,
    survey_folder: Path | None,
    photos: Path | None,
    other: str | None,
    other_weights: Path | None,
    other_layer: str | None,
    copy_photos: bool,
    site: bool,
    only_plan: bool,
    quiet: bool,
) -> None:
    """Every unit of MODEL with its picture and its page.

    Run again, it continues. Ctrl-C or a kill loses only the pictures that are being drawn.
    """
    from featviz import recipes

    with wrong_command():
        named = None if recipe_name is None else recipes.by_name(recipe_name)
        pixels, number = parse_size(size), parse_shard(shard)
        chosen = parse_units(units)
    keep_compiled()
    network = find_model(model, weights, input_words=input_words)
    from featviz.atlas.build import build_atlas
    from featviz.atlas.engines import Engine, local
    from featviz.atlas.plan import make_plan, share
    from featviz.atlas.ray.engine import OnRay
    from featviz.atlas.revisions import check_network
    from featviz.surveys.survey import open_survey

    rich = split(full) if full is not None else None if pages == "full" else []
    options: dict[str, Any] = {
        "layers": split_all(layers),
        "units": chosen,
        "full": rich,
        "size": pixels,
        "steps": steps,
        "seed": seed,
        "dtype": dtype,
    }
    with wrong_command():
        network = network if classes is None else name_classes(network, classes)
        for name, given in (("--photos", photos), ("--other", other), ("--copy-photos", copy_photos or None)):
            if given is not None and survey_folder is None:
                raise FeatvizError(f"{name} goes with --survey FOLDER")
        if (ray_address, ray_workers, ray_gpus) != (None, None, None) and engine_name != "ray":
            raise FeatvizError("--ray-address, --ray-workers and --ray-gpus go with --engine ray")
        options["recipe"] = add_penalties(recipes.resolve(named, network), penalties)
        engine: Engine = local if engine_name == "local" else OnRay(ray_address, ray_workers, ray_gpus)
        place = engine.probe() if only_plan and isinstance(engine, OnRay) else None
        plan = make_plan(network, **options, place=place)
        tasks = share(plan.tasks, network, number=number[0], count=number[1])
        store = begun(out)
        if store is not None:
            check_network(store, plan.tasks[0].series.run["network"])
    if only_plan:
        from featviz.atlas.pilot import estimate, table

        for line in table(estimate(network, tasks if store is None else undrawn(store, tasks)), out):
            click.echo(line)
        return
    seen = None if survey_folder is None else open_survey(survey_folder, network, photos=photos)
    judge = find_judge(other, other_weights, other_layer)
    try:
        with stoppable():
            made = build_atlas(
                network,
                out=out,
                shard=number,
                engine=engine,
                survey=seen,
                other=judge,
                copy_photos=copy_photos,
                site=site,
                progress=not quiet,
                **options,
            )
    except KeyboardInterrupt:
        raise Stopped(f"stopped; {kept(out)}, and the same command continues") from None
    if not quiet:
        done, planned = made.count()
        click.echo(f"{out}  {done} of {planned} entries")
        if site and (Path(out) / "site" / "index.html").exists():
            click.echo((Path(out) / "site" / "index.html").resolve().as_uri())
        for line in made.report():
            click.echo(line)


def begun(out: str) -> "Store | None":
    """The store of an atlas that there is already."""
    from featviz.atlas.reading import open_atlas

    try:
        return open_atlas(out).store
    except FeatvizError:
        return None


def undrawn(store: "Store", tasks: "Sequence[Task]") -> "list[Task]":
    """The tasks less the entries that are there already."""
    there = {task.path: store.entries(task.path).there() for task in tasks if task.path in store.group}
    left = [replace(t, units=tuple(u for u in t.units if u not in there.get(t.path, ()))) for t in tasks]
    return [task for task in left if task.units]


def kept(out: str) -> str:
    """How many pictures a stopped run has left."""
    from featviz.atlas.reading import open_atlas

    try:
        done, planned = open_atlas(out).count()
    except FeatvizError:  # stopped as it began
        return "nothing is drawn yet"
    return f"{done} of {planned} pictures are in {out}"


def parse_units(texts: tuple[str, ...]) -> "list[int] | dict[str, list[int]] | None":
    """`0-15,40` as numbers, several `LAYER:UNITS` as numbers by layer, nothing as None.

    >>> parse_units(("0-2,5",)), parse_units(("conv1:3", "conv2:0-1"))
    ([0, 1, 2, 5], {'conv1': [3], 'conv2': [0, 1]})
    """
    if not texts:
        return None
    if len(texts) == 1 and ":" not in texts[0]:
        return _numbers(texts[0])
    found: dict[str, list[int]] = {}
    for text in texts:
        layer, colon, units = text.rpartition(":")
        if not colon:
            raise FeatvizError(f"--units is `{text}`; expected LAYER:UNITS where there are several")
        found[layer] = found.get(layer, []) + _numbers(units)
    return found


def _numbers(text: str) -> list[int]:
    found: list[int] = []
    for part in split(text):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and int(first) > int(last)):
            raise FeatvizError(f"--units is `{text}`; expected numbers and ranges, such as 0-15,40")
        found += range(int(first), int(last or first) + 1)
    return found


def parse_shard(text: str) -> tuple[int, int]:
    """`3/8` as (3, 8).

    >>> parse_shard("3/8")
    (3, 8)
    """
    number, _, count = text.partition("/")
    if not number.isdecimal() or not count.isdecimal() or not 1 <= int(number) <= int(count):
        raise FeatvizError(f"--shard is `{text}`; expected I/N, such as 1/4 to 4/4")
    return int(number), int(count)
