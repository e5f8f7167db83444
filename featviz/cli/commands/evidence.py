"""`featviz evidence PICTURES --survey FOLDER`: whether natural images support what pictures show."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from featviz.cli.exit_status import usage_errors
from featviz.cli.options.network_options import NetworkChoice, recorded_network_options
from featviz.cli.options.option_group import PATH
from featviz.cli.options.output_options import quiet_option
from featviz.cli.options.survey_options import ComparisonNetwork, comparison_options, photos_option
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.pictures.picture import Picture


@click.command()
@click.argument("pictures", type=PATH, nargs=-1, required=True)
@click.option(
    "--survey",
    "folder",
    type=PATH,
    required=True,
    metavar="FOLDER",
    help="Read the survey that `featviz survey` wrote to this folder.",
)
@recorded_network_options
@photos_option
@comparison_options(default="patterns")
@click.option("--show", type=PATH, metavar="FOLDER", help="Show photographs from another survey, that of FOLDER.")
@click.option(
    "-o",
    "--out",
    type=PATH,
    metavar="FILE",
    help="Draw the evidence as FILE, .png, .pdf or .svg, and write its numbers beside it as JSON.",
)
@quiet_option(printed="table")
def evidence(
    pictures: tuple[Path, ...],
    folder: Path,
    network: NetworkChoice,
    photos: Path | None,
    comparison: ComparisonNetwork,
    show: Path | None,
    out: Path | None,
    quiet: bool,
) -> None:
    """Measure whether to trust PICTURES, files or folders that `featviz render` has written.

    Prints the evidence figures of every unit: how far the picture excites it, whether the picture predicts which
    photographs do, is selective and robust, and agrees with photographs in the layers below and in another network.
    """
    from featviz.common.compilation_cache import use_compilation_cache
    from featviz.common.files import check_suffix, check_writable, write_atomic
    from featviz.evaluation.evidence import check_weights_match
    from featviz.evaluation.evidence import evidence as measure
    from featviz.evaluation.evidence_drawing import SUFFIXES, draw_evidence, save_evidence
    from featviz.evaluation.evidence_text import table
    from featviz.surveys.survey import open_survey
    from featviz.surveys.survey_store import open_store

    with usage_errors():
        if out is not None:
            check_suffix(out, SUFFIXES)
            check_writable(out)
        loaded = load_pictures(pictures)
        recorded = open_store(folder).attributes["network"]
        if network.model is None and recorded.get("model") is None:
            raise FeatvizError(f"`{folder}` does not name its network; expected --model package.module:function")
    use_compilation_cache()
    model = network.load(recorded=recorded)
    features = comparison.features()
    assert features is not None
    with usage_errors():
        survey = open_survey(folder, model, photos=photos)
        shown = open_survey(show, model) if show else None
        check_weights_match(loaded, model)
    result = measure(loaded, survey, other=features, progress=not quiet)
    if not quiet:
        click.echo(table(result))
        click.echo(f"photographs: {len(survey)}; compared by {result.other}")
        if click.get_current_context().get_parameter_source("other") is ParameterSource.DEFAULT:
            click.echo("--other is not given; the flag was validated on photographs with DeiT-tiny, blocks/6")
    if out is not None:
        save_evidence(draw_evidence(loaded, survey, result, photos_from=shown), out)
        write_atomic(out.with_suffix(".json"), (json.dumps(result.to_json(), indent=1) + "\n").encode())
        if not quiet:
            click.echo(str(out))


def load_pictures(paths: Sequence[Path]) -> list["Picture"]:
    """The pictures of files, and of folders all pictures that have a record beside them."""
    from featviz.pictures.picture import SUFFIXES, load_picture

    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
            files += [p for p in inside if p.with_suffix(".json").exists()]
        else:
            files.append(path)
    pictures = [load_picture(file) for file in files]
    if not pictures:
        raise FeatvizError(f"`{paths[0]}` holds no picture with its record; expected what `featviz render` writes")
    return pictures
