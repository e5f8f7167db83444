"""What `featviz explain` explains, by how many units, and the pictures that it shows of them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from featviz.cli.options.layers_option import find_layers
from featviz.cli.options.option_group import PATH, option_group
from featviz.errors import FeatvizError, suggest

if TYPE_CHECKING:
    from featviz.atlas.reading import Atlas
    from featviz.attribution.methods import Method
    from featviz.model import Model
    from featviz.objectives import Objective


@dataclass(frozen=True)
class DecisionChoice:
    """What is explained, and how its score is divided."""

    target: str | None
    against: str | None
    class_name: str | None
    method: str
    units: int
    groups: int

    def objective(self, model: "Model") -> "Objective | None":
        """What is to be explained; None for each photo's largest output.

        Raises:
          FeatvizError: for a target that is none, several at once, or options that exclude one another.
        """
        if self.class_name is not None:
            if self.target is not None or self.against is not None:
                raise FeatvizError("--of goes without --for and --against; expected one of them")
            from featviz.model import find_class
            from featviz.objectives import logit

            return logit(find_class(model, "--of", self.class_name))
        if self.target is None:
            if self.against is not None:
                raise FeatvizError("--against goes with --for, which it is held against")
            return None
        chosen = _one_objective(model, "--for", self.target)
        return chosen if self.against is None else chosen - _one_objective(model, "--against", self.against)

    def find_method(self) -> "Method":
        """The method of that name.

        Raises:
          FeatvizError: if there is none that tells units apart.
        """
        from featviz.attribution.methods import METHODS

        known = {key: method for key, method in METHODS.items() if method.per_unit}
        if self.method not in known:
            raise FeatvizError(f"--method: there is no `{self.method}`; {suggest(self.method, known)}")
        return known[self.method]


@dataclass(frozen=True)
class ShownPictures:
    """Where the pictures of units come from; None is the default of `fv.explain`."""

    atlas: Path | None
    grid: tuple[str, ...]
    no_pictures: bool
    drawn_size: int | None
    drawn_steps: int | None

    @property
    def size(self) -> int:
        """The side of missing pictures."""
        from featviz.attribution.explained_pictures import SIZE

        return SIZE if self.drawn_size is None else self.drawn_size

    @property
    def steps(self) -> int:
        """The steps of missing pictures."""
        from featviz.attribution.explained_pictures import STEPS

        return STEPS if self.drawn_steps is None else self.drawn_steps

    def grid_layers(self, model: "Model") -> list[str]:
        """The layers of which every place is drawn.

        Raises:
          FeatvizError: if there are some, and no pictures are drawn.
        """
        cells = find_layers(model, self.grid) or []
        if self.no_pictures and cells:
            raise FeatvizError("--grid draws pictures; expected no --no-pictures")
        return cells

    def open_atlas(self, model: "Model") -> "Atlas | None":
        """The atlas of --atlas, or None.

        Raises:
          FeatvizError: if it is no atlas, or one of another network.
        """
        from featviz.atlas.reading import open_atlas
        from featviz.attribution.explained_pictures import check_atlas

        return None if self.atlas is None else check_atlas(open_atlas(self.atlas), model)


def _count_option(*names: str, default: int, help: str) -> Callable[[Any], Any]:
    return click.option(*names, type=int, default=default, show_default=True, metavar="N", help=help)


decision_options = option_group(
    "decision",
    DecisionChoice,
    click.option(
        "--for",
        "target",
        metavar="TARGET",
        help="Explain this, such as logit:tabby or mixed4a:7.  [default: the largest output]",
    ),
    click.option("--against", metavar="TARGET", help="Explain the target rather than this one."),
    click.option(
        "--of",
        "class_name",
        metavar="CLASS",
        help="Say that all photos are of CLASS: the units that it depends on are ranked too, and those behind "
        "mistakes.",
    ),
    click.option(
        "--method", metavar="NAME", default="relevance", show_default=True, help="Divide the score by this method."
    ),
    _count_option("--top", "units", default=6, help="Show N units for the decision and N against it."),
    _count_option("--groups", default=4, help="Divide the units into N groups; 0 for none."),
)
shown_picture_options = option_group(
    "pictures",
    ShownPictures,
    click.option("--atlas", type=PATH, metavar="FOLDER", help="Show the pictures of this atlas."),
    click.option(
        "--grid", multiple=True, metavar="NAME,...", help="Draw every place of these layers, of those that are shown."
    ),
    click.option("--no-pictures", is_flag=True, help="Draw no pictures that are missing."),
    click.option(
        "--size",
        "drawn_size",
        type=int,
        metavar="PX",
        help="Draw missing pictures at this side, at most the network's.  [default: 128]",
    ),
    click.option("--steps", "drawn_steps", type=int, metavar="N", help="Draw them in N steps.  [default: 128]"),
)


def _one_objective(model: "Model", option: str, text: str) -> "Objective":
    from featviz.cli.targets import parse_target

    found = parse_target(text, model)
    if len(found) != 1:
        raise FeatvizError(f"{option} is `{text}`, {len(found)} targets; expected one")
    return found[0]
