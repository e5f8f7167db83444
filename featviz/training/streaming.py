"""A picture as it forms."""

from collections.abc import Iterable, Iterator

from jax.typing import DTypeLike

from featviz.ascent import Convergence
from featviz.model import Model, Weights
from featviz.objectives import Objective
from featviz.pictures.picture import Picture
from featviz.recipes import Recipe
from featviz.rendering.checks import Size, Start, check_count, require_objective
from featviz.rendering.draw import render_groups
from featviz.rendering.request import make_request


def stream(
    model: Model,
    target: Objective,
    *,
    every: int = 16,
    recipe: Recipe | str | None = None,
    size: Size | None = None,
    steps: int | None = None,
    seed: int = 0,
    start: Start | None = None,
    keep: Iterable[int] | None = None,
    weights: Weights | None = None,
    lanes: int | None = None,
    dtype: DTypeLike | None = None,
    convergence: Convergence | None = None,
    transparency: bool | None = None,
    progress: bool = False,
) -> Iterator[Picture]:
    """Snapshots of a picture as it forms, for a notebook; the last one is the picture that `render` gives.

    Args:
      target: one objective.
      every: steps between two snapshots. An accelerator makes 16 steps at a time and shows one every 16, 32, 48, ....

    The other args and the refusals are those of `render`. In the stages of a recipe the snapshots have the stages'
    sizes.

    Returns:
      An iterator of Pictures, whose `history` is as long as the steps made so far.

    >>> import featviz as fv
    >>> forming = fv.stream(fv.load("patterns"), fv.channel("conv1", 0), every=2, size=32, steps=5)
    >>> [len(picture.history) for picture in forming]
    [2, 4, 5]
    """
    check_count("every", every, 1, 1_000_000)
    request = make_request(
        model,
        [require_objective("target", target)],
        recipe=recipe,
        size=size,
        steps=steps,
        seed=seed,
        start=start,
        keep=keep,
        weights=weights,
        lanes=lanes,
        dtype=dtype,
        convergence=convergence,
        transparency=transparency,
        progress=progress,
    )
    return (group[0] for _, group in render_groups(request, snapshot_every=every))
