"""A picture as it forms."""

from collections.abc import Iterator
from typing import Unpack

from featviz.common.signatures import spelled_out
from featviz.model import Model
from featviz.objectives import Objective
from featviz.pictures.picture import Picture
from featviz.rendering.checks import check_count, require_objective
from featviz.rendering.render import render_groups
from featviz.rendering.render_options import RenderOptions


@spelled_out(RenderOptions, seed=0, progress=False)
def stream(model: Model, target: Objective, *, every: int = 16, **options: Unpack[RenderOptions]) -> Iterator[Picture]:
    """The picture of a target every `every` steps as it forms, for a notebook; the last is the one that `render` gives.

    An accelerator makes 16 steps at a time, so that it shows every 16, 32, 48, .... The options are those of
    `render_each`. In the stages of a recipe the pictures have the stages' sizes.

    >>> import featviz as fv
    >>> forming = fv.stream(fv.load("patterns"), fv.channel("conv1", 0), every=2, size=32, steps=5)
    >>> [len(picture.history) for picture in forming]
    [2, 4, 5]

    Raises: FeatvizError as `render` does.
    """
    check_count("every", every, 1, 1_000_000)
    options = {"progress": False, **options}
    drawn = render_groups(model, [require_objective("target", target)], snapshot_every=every, **options)
    return (pictures[0] for _, pictures in drawn)
