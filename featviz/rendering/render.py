"""Render: pictures that maximize objectives of a network."""

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from jax.typing import DTypeLike

from featviz.ascent import Convergence
from featviz.common.displayed_list import DisplayedList
from featviz.model import Model, Weights
from featviz.objectives import Objective
from featviz.pictures.picture import Picture
from featviz.recipes import Recipe
from featviz.rendering.checks import Size, Start, as_objectives, require_objective
from featviz.rendering.draw import render_groups
from featviz.rendering.forming import render_shown
from featviz.rendering.request import make_request


@overload
def render(
    model: Model,
    objectives: Objective,
    *,
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
    progress: bool = True,
) -> Picture: ...
@overload
def render(
    model: Model,
    objectives: Sequence[Objective],
    *,
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
    progress: bool = True,
) -> list[Picture]: ...
def render(
    model: Model,
    objectives: Objective | Sequence[Objective],
    *,
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
    progress: bool = True,
) -> Picture | list[Picture]:
    """Pictures that maximize objectives of a network by gradient ascent.

    Each picture depends on its objective, recipe, size, steps and seed alone, not on which others are rendered with it.

    Args:
      model: the network, as `fv.load` or an adapter gives it.
      objectives: one objective, or a list of them.
      recipe: what is optimized and how, or the name of a published combination; `size`, `steps`, `convergence` and
        `transparency` override its own. None: `default`, or for a network of tokens `transformer`.
      size: pixels a side, or (height, width), from 8 to 4096. None: the recipe's, or for a network of small images at
        most twice the size of its training.
      steps: gradient steps, 1 to 1,000,000. None: the recipe's.
      seed: decides everything random, 0 to 2^32 - 1; an objective's draws depend on the seed and on its own hash.
      start: an image in [0,1], (height, width, channels), or a Picture, in place of noise; or a list of one for each
        objective.
      keep: channels of `start` that stay exactly as they are, such as {3, 4} of an image of several bands.
      weights: another checkpoint of the same network, run by the same compiled program.
      lanes: optimizations that one program computes on each device, 1 to 65,536. Another number may round differently,
        so it stands in the provenance. None: one on a CPU, as many as fit on an accelerator.
      dtype: of the network's values, float32 or bfloat16, which accelerators run faster. Parameters, optimizer and the
        picture's score are float32 in either case.
      convergence: when to stop before `steps`. None: the recipe's.
      transparency: whether the pictures get an alpha that shows where the objective's gradient was. None: the recipe's.
      progress: whether to show a bar on standard error, if that is a terminal, and in a notebook the pictures as they
        form.

    Returns:
      One Picture for one objective, a list of Pictures in the same order for a list, which a notebook shows side by
        side.

    Raises:
      FeatvizError: for an unknown layer, a unit out of range, or an option out of its range, before any work.

    >>> import featviz as fv
    >>> picture = fv.render(fv.load("patterns"), fv.channel("conv1", 0), size=32, steps=2)
    >>> picture.pixels.shape
    (32, 32, 3)
    """
    request = make_request(
        model,
        as_objectives("objectives", objectives),
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
    groups = render_shown(request)
    if isinstance(objectives, Objective):
        return groups[0][0]
    return DisplayedList(groups[index][0] for index in range(len(groups)))


def render_each(
    model: Model,
    objectives: Sequence[Objective],
    *,
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
    progress: bool = True,
) -> Iterator[tuple[int, Picture]]:
    """Pictures one by one, each as soon as it is finished.

    Args and refusals are those of `render`; the checks are made at the call, the pictures as they are asked for.

    Returns:
      An iterator of (index of the objective, its Picture), in the order in which they finish.

    >>> import featviz as fv
    >>> pictures = fv.render_each(fv.load("patterns"), fv.channel("conv1", [0, 1]), size=32, steps=2)
    >>> sorted((index, picture.name) for index, picture in pictures)
    [(0, 'conv1:0'), (1, 'conv1:1')]
    """
    request = make_request(
        model,
        objectives,
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
    return ((index, group[0]) for index, group in render_groups(request))


def render_group(
    model: Model,
    objective: Objective,
    *,
    group_size: int = 4,
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
    progress: bool = True,
) -> list[Picture]:
    """Pictures that are optimized together, as one group, for objectives that compare them.

    `diversity` shows the facets of a unit this way; `alignment` and `interpolate` need a group as well.

    Args:
      objective: one objective, which every picture of the group maximizes.
      group_size: how many pictures, 1 to 1024.
      start: an image in [0,1], or a Picture, from which every picture of the group starts; or a list of one for each
        picture, such as `facet_starts` gives.

    The other args and the refusals are those of `render`.

    Returns:
      The pictures of the group.

    >>> import featviz as fv
    >>> facets = fv.channel("conv2", 0) + 0.1 * fv.diversity("conv1")
    >>> pictures = fv.render_group(fv.load("patterns"), facets, group_size=2, size=32, steps=2)
    >>> [picture.pixels.shape for picture in pictures]
    [(32, 32, 3), (32, 32, 3)]
    """
    request = make_request(
        model,
        [require_objective("objective", objective)],
        group_size=group_size,
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
    return DisplayedList(render_shown(request)[0])
