"""Natural images for the pages of an atlas: --survey, --photos, --copy-photos, and --other to compare with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from featviz.cli.exit_status import usage_errors
from featviz.cli.options.option_group import PATH, option_group
from featviz.errors import FeatvizError

if TYPE_CHECKING:
    from featviz.evaluation.features import Features
    from featviz.model import Model
    from featviz.surveys.survey import Survey


@dataclass(frozen=True)
class ComparisonNetwork:
    """Another network and one of its layers, whose features compare pictures with photographs."""

    other: str | None
    other_weights: Path | None
    other_layer: str | None

    def features(self) -> "Features | None":
        """The features that the options name, or None without --other.

        Raises:
          click.UsageError: if --other names no network, --other-layer no layer of it, or --other is missing.
        """
        if self.other is None:
            for name, given in (("--other-weights", self.other_weights), ("--other-layer", self.other_layer)):
                if given is not None:
                    raise click.UsageError(f"{name} goes with --other MODEL")
            return None
        from featviz.cli.model_argument import load_network
        from featviz.evaluation.features import Features, features_of

        network = load_network(self.other, self.other_weights)
        with usage_errors():
            return features_of(network) if self.other_layer is None else Features(network, self.other_layer)


@dataclass(frozen=True)
class SurveyChoice:
    """A survey whose photographs and evidence go onto an atlas's pages."""

    survey_folder: Path | None
    photos: Path | None
    copy_photos: bool

    def open(self, network: "Model") -> "Survey | None":
        """The survey of the network, or None without --survey."""
        from featviz.surveys.survey import open_survey

        return None if self.survey_folder is None else open_survey(self.survey_folder, network, photos=self.photos)

    def check(self, comparison: ComparisonNetwork) -> None:
        """Refuses options that need a survey where there is none."""
        given = {"--photos": self.photos, "--other": comparison.other, "--copy-photos": self.copy_photos or None}
        for name, value in given.items():
            if value is not None and self.survey_folder is None:
                raise FeatvizError(f"{name} goes with --survey FOLDER")


def comparison_options(*, default: str | None = None) -> Callable[[Any], Any]:
    """--other, --other-weights and --other-layer, as one argument `comparison`.

    Args:
      default: the network that is taken without --other.
    """
    return option_group(
        "comparison",
        ComparisonNetwork,
        click.option(
            "--other",
            metavar="MODEL",
            default=default,
            show_default=default is not None,
            help="Compare pictures with photographs by the features of this other network.",
        ),
        click.option(
            "--other-weights",
            type=PATH,
            metavar="FILE",
            help="Read the other network's weights from FILE: safetensors, .pth, .caffemodel or .h5.",
        ),
        click.option(
            "--other-layer",
            metavar="NAME",
            help="Take the features from this layer of the other network.  [default: half way through it]",
        ),
    )


photos_option = click.option(
    "--photos", type=PATH, metavar="FOLDER", help="Read the survey's photographs from FOLDER, if they have moved."
)
page_options = option_group(
    "survey",
    SurveyChoice,
    click.option(
        "--survey",
        "survey_folder",
        type=PATH,
        metavar="FOLDER",
        help="Show photographs and evidence of FOLDER, which `featviz survey` has written.",
    ),
    photos_option,
    click.option(
        "--copy-photos",
        is_flag=True,
        help="Copy the photographs into the pages' folder.  [default: the pages link to them]",
    ),
)
