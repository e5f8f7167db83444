"""`featviz site ATLAS`: the pages of an atlas anew, without drawing anything."""

from pathlib import Path

import click

from featviz.cli.networks import find_model
from featviz.cli.options.input_option import input_option
from featviz.cli.options.other_model import find_judge, other_layer_option, other_option, other_weights_option
from featviz.cli.session import (
    classes_option,
    keep_compiled,
    name_classes,
    revision_option,
    weights_option,
    wrong_command,
)
from featviz.errors import FeatvizError

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("atlas", type=FILE)
@weights_option
@input_option
@click.option("--model", metavar="MODEL", help="The network, if it is not of the zoo: package.module:function.")
@classes_option
@click.option("--survey", "survey_folder", type=FILE, metavar="FOLDER", help="Of `featviz survey`: photographs.")
@click.option("--photos", type=FILE, metavar="FOLDER", help="Where its photographs are now, if they have moved.")
@other_option
@other_weights_option
@other_layer_option
@click.option("--copy-photos", is_flag=True, help="Photographs become part of the site.  [default: links to them]")
@revision_option
@click.option("--quiet", is_flag=True, help="No address.")
def site(
    atlas: Path,
    weights: Path | None,
    input_words: str | None,
    model: str | None,
    classes: Path | None,
    survey_folder: Path | None,
    photos: Path | None,
    other: str | None,
    other_weights: Path | None,
    other_layer: str | None,
    copy_photos: bool,
    revision: str | None,
    quiet: bool,
) -> None:
    """The site of ATLAS, a folder that `featviz atlas` has written, anew: with a survey, say, made since."""
    from featviz.atlas.build import build_site
    from featviz.atlas.reading import open_atlas

    with wrong_command():
        found = open_atlas(atlas, revision=revision)
        if not found.plan:
            raise FeatvizError(f"`{atlas}` has no pictures planned; expected an atlas that was begun")
        name = model or found.entries(found.plan[0]["path"]).attributes["source"].get("model")
        if name is None:
            raise FeatvizError(f"`{atlas}` is of a network of no command; expected --model package.module:function")
    keep_compiled()
    network = find_model(name, weights, input_words=input_words)
    with wrong_command():
        network = network if classes is None else name_classes(network, classes)
    from featviz.surveys.survey import open_survey

    seen = None if survey_folder is None else open_survey(survey_folder, network, photos=photos)
    judge = find_judge(other, other_weights, other_layer)
    front = build_site(found, network, survey=seen, other=judge, copy_photos=copy_photos)
    if not quiet:
        click.echo(front.resolve().as_uri())
