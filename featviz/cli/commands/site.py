"""`featviz site ATLAS`: the pages of an atlas, written again without drawing anything."""

from pathlib import Path

import click

from featviz.cli.exit_status import usage_errors
from featviz.cli.options.network_options import NetworkChoice, recorded_classified_network_options
from featviz.cli.options.option_group import PATH
from featviz.cli.options.output_options import quiet_option, revision_option
from featviz.cli.options.survey_options import ComparisonNetwork, SurveyChoice, comparison_options, page_options
from featviz.errors import FeatvizError


@click.command()
@click.argument("atlas", type=PATH)
@recorded_classified_network_options
@page_options
@comparison_options()
@revision_option
@quiet_option(printed="address")
def site(
    atlas: Path,
    network: NetworkChoice,
    survey: SurveyChoice,
    comparison: ComparisonNetwork,
    revision: str | None,
    quiet: bool,
) -> None:
    """Write the pages of ATLAS again, for example with a survey made since.

    ATLAS is a folder that `featviz atlas` has written.
    """
    from featviz.atlas.build import build_site
    from featviz.atlas.reading import open_atlas
    from featviz.common.compilation_cache import use_compilation_cache

    with usage_errors():
        opened = open_atlas(atlas, revision=revision)
        if not opened.plan:
            raise FeatvizError(f"`{atlas}` has no plan of pictures; expected a folder that `featviz atlas` has begun")
        recorded = opened.entries(opened.plan[0].path).attributes["source"]
        if network.model is None and recorded.get("model") is None:
            raise FeatvizError(f"`{atlas}` does not name its network; expected --model package.module:function")
    use_compilation_cache()
    model = network.load(recorded=recorded)
    front = build_site(
        opened, model, survey=survey.open(model), other=comparison.features(), copy_photos=survey.copy_photos
    )
    if not quiet:
        click.echo(front.resolve().as_uri())
