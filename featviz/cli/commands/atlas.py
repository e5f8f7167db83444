"""`featviz atlas MODEL -o FOLDER`: a picture and a page of every unit."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import click

from featviz.cli.atlas_compaction import check_compact_alone, compact
from featviz.cli.exit_status import interruptible, usage_errors
from featviz.cli.options.engine_options import EngineChoice, engine_options
from featviz.cli.options.layers_option import layers_option, split, split_all
from featviz.cli.options.network_options import NetworkChoice, optional_classified_network_options
from featviz.cli.options.output_options import quiet_option
from featviz.cli.options.recipe_options import RecipeChoice, recipe_options
from featviz.cli.options.survey_options import ComparisonNetwork, SurveyChoice, comparison_options, page_options
from featviz.cli.options.units_option import Units, units_option
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.atlas.atlas_store import Store
    from featviz.atlas.reading import Atlas
    from featviz.atlas.series import Task
    from featviz.recipes import Recipe
    from featviz.surveys.survey import Survey


class PlanOptions(TypedDict):
    """What a plan is made of, as `build_atlas` takes it."""

    layers: list[str] | None
    units: Units
    full: list[str] | None
    recipe: "Recipe"
    size: int | tuple[int, int] | None
    steps: int | None
    seed: int
    dtype: str
    facets: int | None
    survey: "Survey | None"


@click.command()
@optional_classified_network_options
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="FOLDER",
    help="Write the atlas into FOLDER, new or to continue, or to s3://..., gs://...",
)
@layers_option("Draw these layers, by name or pattern, such as inception_4*.  [default: the network's blocks]")
@units_option
@click.option(
    "--pages",
    type=click.Choice(["basic", "full"]),
    default="basic",
    show_default=True,
    help="Draw 1 picture a unit, or 7 for a full page: 4 facets, the negative and the neuron at the center.",
)
@click.option("--full", metavar="NAME,...", help="Draw full pages of these layers only.")
@click.option(
    "--facets",
    type=click.IntRange(0, 16),
    metavar="K",
    help="Draw K facets of each unit: with --survey one for each of K clusters of its top photographs, begun at the "
    "one in its middle, else pictures that differ.  [default: 4 on full pages]",
)
@recipe_options
@engine_options
@page_options
@comparison_options()
@click.option("--site/--no-site", default=True, help="Write the pages, as FOLDER/site.  [default: --site]")
@click.option("--plan", "only_plan", is_flag=True, help="Print what there is to draw and how long it takes, and stop.")
@click.option(
    "--compact",
    "only_compact",
    is_flag=True,
    help="Gather the files of the pictures that FOLDER has in a few large ones, and stop; takes no MODEL and no other "
    "options. The end of a run does so for each finished layer.",
)
@quiet_option(printed="report")
def atlas(
    network: NetworkChoice,
    out: str,
    layers: tuple[str, ...],
    units: Units,
    pages: str,
    full: str | None,
    facets: int | None,
    choice: RecipeChoice,
    engine: EngineChoice,
    survey: SurveyChoice,
    comparison: ComparisonNetwork,
    site: bool,
    only_plan: bool,
    only_compact: bool,
    quiet: bool,
) -> None:
    """Draw every unit of MODEL, with a page for each.

    Run again, the command continues. Ctrl-C or a kill loses only the pictures that are being drawn.
    """
    from featviz.common.compilation_cache import use_compilation_cache

    if only_compact:
        check_compact_alone(click.get_current_context())
        compact(out, quiet=quiet)
        return
    if network.model is None:
        raise click.UsageError("Missing argument 'MODEL'.")
    use_compilation_cache()
    model = network.load()
    from featviz.atlas.build import build_atlas
    from featviz.atlas.plan import make_plan
    from featviz.atlas.ray.engine import OnRay
    from featviz.atlas.revisions import check_network
    from featviz.atlas.sharding import shard_tasks

    with usage_errors():
        survey.check(comparison)
        drawer = engine.engine()
        options: PlanOptions = {
            "layers": split_all(layers),
            "units": units,
            "full": split(full) if full is not None else None if pages == "full" else [],
            "recipe": choice.recipe(model),
            "size": choice.size,
            "steps": choice.steps,
            "seed": choice.seed,
            "dtype": choice.dtype,
            "facets": facets,
            "survey": survey.open(model),
        }
        machine: Any = drawer.probe() if only_plan and isinstance(drawer, OnRay) else None
        plan = make_plan(model, **options, machine=machine)
        index, count = engine.shard
        tasks = shard_tasks(plan.tasks, model, index=index, count=count)
        store = open_begun(out)
        if store is not None:
            check_network(store, plan.tasks[0].series.run["network"])
    if only_plan:
        from featviz.atlas.cost_estimate import estimate, estimate_lines

        for line in estimate_lines(estimate(model, tasks if store is None else remaining_tasks(store, tasks)), out):
            click.echo(line)
        return
    features = comparison.features()
    with interruptible(lambda: f"stopped; {describe_finished(out)}, and the same command continues"):
        result = build_atlas(
            model,
            out=out,
            shard=engine.shard,
            engine=drawer,
            other=features,
            copy_photos=survey.copy_photos,
            site=site,
            progress=not quiet,
            **options,
        )
    if not quiet:
        report_atlas(out, result, site=site)


def report_atlas(out: str, atlas: "Atlas", *, site: bool = True) -> None:
    """Prints how many pictures an atlas has, the address of its first page, and which pictures mean little."""
    done, planned = atlas.count()
    click.echo(f"{out}  {done} of {planned} entries")
    front = Path(out) / "site" / "index.html"
    if site and front.exists():
        click.echo(front.resolve().as_uri())
    for line in atlas.report():
        click.echo(line)


def open_begun(out: str) -> "Store | None":
    """The store of the atlas that is already in a folder, or None."""
    from featviz.atlas.reading import open_atlas

    try:
        return open_atlas(out).store
    except FeatvizError:
        return None


def remaining_tasks(store: "Store", tasks: "Sequence[Task]") -> "list[Task]":
    """The tasks without the entries that are already in the store."""
    drawn = {task.path: store.entries(task.path).written() for task in tasks if task.path in store.group}
    remaining = [t.of_units(unit for unit in t.units if unit not in drawn.get(t.path, ())) for t in tasks]
    return [task for task in remaining if task.units]


def describe_finished(out: str) -> str:
    """How many pictures an interrupted run has finished."""
    from featviz.atlas.reading import open_atlas

    try:
        done, planned = open_atlas(out).count()
    except FeatvizError:  # interrupted before the atlas was begun
        return "nothing is drawn yet"
    return f"{done} of {planned} pictures are in {out}"
