"""`featviz activation-atlas MODEL LAYER PHOTOS -o FOLDER`: what a whole layer can see, as a map of pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import click

from featviz.cli.exit_status import interruptible, usage_errors
from featviz.cli.options.engine_options import EngineChoice, engine_options
from featviz.cli.options.layers_option import split
from featviz.cli.options.network_options import NetworkChoice, classified_network_options
from featviz.cli.options.option_group import PATH, Parsed
from featviz.cli.options.output_options import out_option, quiet_option
from featviz.cli.options.recipe_options import RecipeChoice, recipe_options
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.recipes import Recipe


def parse_levels(text: str) -> tuple[int, ...]:
    """Squares along a side of each zoom level.

    >>> parse_levels("10,20,40")
    (10, 20, 40)
    """
    parts = split(text)
    if not parts or not all(part.isdecimal() for part in parts):
        raise FeatvizError(f"--levels is `{text}`; expected squares along a side of each zoom level, such as 10,20,40")
    return tuple(int(part) for part in parts)


class MapOptions(TypedDict):
    """What a map is asked for, as `build_activation_atlas` takes it."""

    per_photo: int
    layout: str | None
    levels: tuple[int, ...]
    min_photos: int
    of: str | None
    against: str | None
    recipe: "Recipe"
    size: int | tuple[int, int] | None
    steps: int | None
    seed: int
    dtype: str


@click.command()
@classified_network_options
@click.argument("layer")
@click.argument("photos", type=PATH)
@out_option("Write the map into this folder, which is new or of a map to continue.", metavar="FOLDER")
@click.option(
    "--per-photo", type=int, default=16, show_default=True, metavar="N", help="Draw N positions of each photo."
)
@click.option("--layout", metavar="NAME", help="Lay out by umap or pca.  [default: umap if umap-learn is installed]")
@click.option(
    "--levels",
    type=Parsed(parse_levels),
    default="10,20,40",
    show_default=True,
    metavar="N,...",
    help="Cut the map into N x N squares at each zoom level.",
)
@click.option(
    "--min-photos", type=int, default=3, show_default=True, metavar="N", help="Draw squares of at least N photos."
)
@click.option(
    "--of",
    "class_name",
    metavar="CLASS",
    help="Draw the map of the activations that speak for CLASS, by name or number.",
)
@click.option(
    "--against", metavar="CLASS", help="Have what speaks for this class on the left, and for that of --of on the right."
)
@click.option(
    "--aligned-with",
    type=PATH,
    metavar="FOLDER",
    help="Lay out like the map in FOLDER, of another layer or checkpoint, on the same PHOTOS.",
)
@click.option(
    "--photos", "own_photos", type=PATH, metavar="FOLDER", help="Show on the page where the photos of FOLDER lie."
)
@recipe_options
@engine_options
@quiet_option(printed="address")
def activation_atlas(
    network: NetworkChoice,
    layer: str,
    photos: Path,
    out: Path,
    per_photo: int,
    layout: str | None,
    levels: tuple[int, ...],
    min_photos: int,
    class_name: str | None,
    against: str | None,
    aligned_with: Path | None,
    own_photos: Path | None,
    choice: RecipeChoice,
    engine: EngineChoice,
    quiet: bool,
) -> None:
    """Draw what LAYER of MODEL can see on the images of the folder PHOTOS, as a map.

    Activations at positions of the images are laid out so that alike ones are side by side; each square's picture is
    drawn from their mean. Run again, the command continues: Ctrl-C or a kill loses only the squares that are being
    drawn. Commands of different shards in one FOLDER draw a map together, and the one that ends last writes the page.
    """
    from featviz.common.compilation_cache import use_compilation_cache

    use_compilation_cache()
    model = network.load()
    from featviz.activation_atlas.build_activation_atlas import build_activation_atlas
    from featviz.activation_atlas.map_request import make_map_request
    from featviz.pages.formatting import format_count
    from featviz.surveys.photos import find_photos

    with usage_errors():
        asked: MapOptions = {
            "per_photo": per_photo,
            "layout": layout,
            "levels": levels,
            "min_photos": min_photos,
            "of": class_name,
            "against": against,
            "recipe": choice.recipe(model),
            "size": choice.size,
            "steps": choice.steps,
            "seed": choice.seed,
            "dtype": choice.dtype,
        }
        make_map_request(model, layer, **asked)
        for folder in (photos, own_photos):
            if folder is not None:
                find_photos(folder)
        drawer = engine.engine()
    with interruptible(lambda: f"stopped; what is done is in {out}, and the same command continues"):
        made = build_activation_atlas(
            model,
            layer,
            photos,
            out=out,
            aligned_with=aligned_with,
            own_photos=own_photos,
            shard=engine.shard,
            engine=drawer,
            progress=not quiet,
            **asked,
        )
    if not quiet:
        for level in made.levels:
            click.echo(f"{level.cells.side} x {level.cells.side}  {len(level)} cells")
        if made.missing:
            click.echo(f"{format_count(made.missing, of='cell')} left for other shards; the last one writes the page")
            return
        click.echo((out / "index.html").resolve().as_uri())
