"""`featviz evidence PICTURES --survey FOLDER`: what natural images say of pictures."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from featviz.cli.networks import find_model
from featviz.cli.options.input_option import input_option
from featviz.cli.options.other_model import find_judge, other_layer_option, other_weights_option
from featviz.cli.session import keep_compiled, weights_option, wrong_command
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.model import Model
    from featviz.pictures.picture import Picture

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("pictures", type=FILE, nargs=-1, required=True)
@click.option("--survey", "folder", type=FILE, required=True, help="A folder that `featviz survey` has written.")
@weights_option
@input_option
@click.option(
    "--model", metavar="MODEL", help="The network surveyed, if it is not of the zoo: package.module:function."
)
@click.option(
    "--photos", type=FILE, metavar="FOLDER", help="Where the survey's photographs are now, if they have moved."
)
@click.option(
    "--other", default="patterns", show_default=True, metavar="MODEL", help="Another network, whose features compare."
)
@other_weights_option
@other_layer_option
@click.option("--show", type=FILE, metavar="FOLDER", help="Another survey, from which the photographs shown are taken.")
@click.option(
    "-o", "--out", type=FILE, metavar="FILE", help="A figure, .png, .pdf or .svg; beside it, all figures as JSON."
)
@click.option("--quiet", is_flag=True, help="No progress and no table.")
@click.pass_context
def evidence(
    ctx: click.Context,
    pictures: tuple[Path, ...],
    folder: Path,
    weights: Path | None,
    input_words: str | None,
    model: str | None,
    photos: Path | None,
    other: str,
    other_weights: Path | None,
    other_layer: str | None,
    show: Path | None,
    out: Path | None,
    quiet: bool,
) -> None:
    """Whether to trust PICTURES, files or folders that `featviz render` has written.

    Prints the figures E0 to E5 for every unit: is it alive, does the picture predict which photographs excite it,
    is it selective, does it survive, does it take the photographs' path through the network, does it transfer.
    """
    from featviz.common.files import check_writable, known_suffix, write_whole
    from featviz.evaluation.evidence import evidence as judge
    from featviz.evaluation.evidence_drawing import SUFFIXES, draw_evidence, save_evidence
    from featviz.evaluation.evidence_text import table
    from featviz.surveys.survey import open_survey
    from featviz.surveys.survey_store import open_store

    with wrong_command():
        if out is not None:
            known_suffix(out, SUFFIXES)
            check_writable(out)
        found = load_pictures(pictures)
        network = model or open_store(folder).attributes["network"].get("model")
        if network is None:
            raise FeatvizError(
                f"`{folder}` surveys a network that no command makes; --model says which, as package.module:function"
            )
    keep_compiled()
    surveyed = find_model(network, weights, input_words=input_words)
    phi = find_judge(other, other_weights, other_layer)
    assert phi is not None
    with wrong_command():
        survey = open_survey(folder, surveyed, photos=photos)
        shown = open_survey(show, surveyed) if show else None
        warn_of(found, surveyed)
    made = judge(found, survey, other=phi, progress=not quiet)
    if not quiet:
        click.echo(table(made))
        click.echo(f"photographs: {len(survey)}; compared by {made.other}")
        if ctx.get_parameter_source("other") is ParameterSource.DEFAULT:
            click.echo("no --other was given: on photographs the flag was tried with DeiT-tiny, blocks/6")
    if out is not None:
        save_evidence(draw_evidence(found, survey, made, photos_from=shown), out)
        write_whole(out.with_suffix(".json"), (json.dumps(made.to_json(), indent=1) + "\n").encode())
        if not quiet:
            click.echo(str(out))


def load_pictures(paths: tuple[Path, ...]) -> list["Picture"]:
    """The pictures of files, and of folders all those with a record beside them."""
    from featviz.pictures.picture import SUFFIXES, load_picture

    files: list[Path] = []
    for path in paths:
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        files += [p for p in inside if p.with_suffix(".json").exists()] if path.is_dir() else inside
    pictures = [load_picture(file) for file in files]
    if not pictures:
        raise FeatvizError(f"`{paths[0]}` holds no picture with its record; expected what `featviz render` writes")
    return pictures


def warn_of(pictures: list["Picture"], model: "Model") -> None:
    """Says so where pictures come from another network or other weights than those surveyed."""
    from featviz.model import hash_weights

    own = hash_weights(model.weights)
    foreign = [p.name for p in pictures if p.provenance.get("network", {}).get("weights_sha256", own) != own]
    if foreign:
        raise FeatvizError(
            f"`{foreign[0]}` was drawn for other weights than the survey's; expected pictures of {model.name}"
        )
