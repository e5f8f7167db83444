"""Render: objectives and a recipe become pictures."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Unpack, overload

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from tqdm import tqdm

from featviz.ascent import Convergence, Routine
from featviz.ascent.batching import choose_lanes, default_chunk, device_mesh
from featviz.ascent.lanes import LaneResult
from featviz.common.signatures import spelled_out
from featviz.errors import FeatvizError
from featviz.model import Model, hash_weights, require_model
from featviz.objectives import Objective
from featviz.objectives.minimization import for_minimization
from featviz.parameterizations import Shape, extra_channels
from featviz.pictures.picture import Picture
from featviz.pictures.provenance import describe_picture, describe_run
from featviz.recipes import Recipe, default_size, expand_stages, resolve
from featviz.regularizers import view_shape
from featviz.rendering.checks import (
    Size,
    as_objectives,
    check_count,
    check_dtype,
    check_fidelity,
    check_objectives,
    check_size,
    check_starts,
    check_weights,
    require_objective,
)
from featviz.rendering.render_options import RenderOptions
from featviz.rendering.stages import Octave, run_stages, show_attribution


@overload
def render(model: Model, objectives: Objective, **options: Unpack[RenderOptions]) -> Picture: ...
@overload
def render(model: Model, objectives: Sequence[Objective], **options: Unpack[RenderOptions]) -> list[Picture]: ...
@spelled_out(RenderOptions, seed=0, progress=True)
def render(
    model: Model, objectives: Objective | Sequence[Objective], **options: Unpack[RenderOptions]
) -> Picture | list[Picture]:
    """Pictures that maximize objectives of a network; one objective gives one Picture, a list gives a list.

    A picture depends on its objective, recipe, size, steps and seed alone: not on which others are
    rendered with it. The options are those of `render_each`.

    >>> import featviz as fv
    >>> picture = fv.render(fv.load("patterns"), fv.channel("conv1", 0), size=32, steps=2)
    >>> picture.pixels.shape
    (32, 32, 3)

    Raises: FeatvizError for an unknown layer, a unit out of range, a size or a number of steps without sense.
    """
    pictures = dict(render_each(model, as_objectives("objectives", objectives), **options))
    return pictures[0] if isinstance(objectives, Objective) else [pictures[number] for number in range(len(pictures))]


@spelled_out(RenderOptions, seed=0, progress=True)
def render_group(
    model: Model, objective: Objective, *, count: int = 4, **options: Unpack[RenderOptions]
) -> list[Picture]:
    """`count` pictures that are optimized together, as one group whose objectives may look at all of them.

    What `diversity` needs, to show the facets of a unit, and `alignment` and `interpolate`. The options are those of
    `render_each`; a `start` is where every picture begins.

    >>> import featviz as fv
    >>> facets = fv.channel("conv2", 0) + 0.1 * fv.diversity("conv1")
    >>> [each.pixels.shape for each in fv.render_group(fv.load("patterns"), facets, count=2, size=32, steps=2)]
    [(32, 32, 3), (32, 32, 3)]

    Raises: FeatvizError as `render` does.
    """
    objectives = [require_objective("objective", objective)]
    return next(pictures for _, pictures in render_groups(model, objectives, count=count, **options))


@spelled_out(RenderOptions, seed=0, progress=True)
def render_each(
    model: Model, objectives: Sequence[Objective], **options: Unpack[RenderOptions]
) -> Iterator[tuple[int, Picture]]:
    """Each picture as soon as it is finished, with its objective's number.

    Args:
      recipe: what is optimized and how, or the name of that; `size`, `steps`, `convergence` and `transparency` override
        its own. None: `default`, or for a network of tokens `transformer`.
      size: pixels a side, or (height, width). None: the recipe's, or for a network of small images twice its own.
      seed: decides everything random; an objective's draws depend on the seed and on its own hash.
      start: an image in [0,1], (height, width, channels), or a Picture, in place of noise; or a list of one each.
      weights: another checkpoint of the same network, run by the same compiled program.
      lanes: optimizations computed side by side on each device, at least 2. Another number may round differently: a
        CPU always has two, an accelerator as many as fit. It stands in the provenance.
      dtype: of the network's values, float32 or bfloat16, which accelerators run faster. Parameters, optimizer and the
        picture's score are float32 all the same.
      transparency: whether the pictures get an alpha that shows where the objective's gradient was.
      progress: a bar on standard error, when that is a terminal.
    """
    drawn = render_groups(model, objectives, **options)
    return ((number, pictures[0]) for number, pictures in drawn)


def render_groups(
    model: Model,
    objectives: Sequence[Objective],
    *,
    recipe: Recipe | str | None = None,
    size: Size | None = None,
    steps: int | None = None,
    seed: int = 0,
    start: np.ndarray | Picture | Sequence[np.ndarray | Picture] | None = None,
    weights: Any = None,
    lanes: int | None = None,
    dtype: Any = None,
    convergence: Convergence | None = None,
    transparency: bool | None = None,
    progress: bool = True,
    count: int = 1,
    on_start: Callable[[int], None] | None = None,
    snapshot_every: int | None = None,
) -> Iterator[tuple[int, list[Picture]]]:
    """Each objective's group of `count` pictures as soon as it is finished; see `render_group` and `render_each`.

    `on_start` is told the number of each objective as a lane takes it up. With `snapshot_every` a group is shown
    every so many steps while it forms, its `history` as long as it has come.
    """
    recipe = resolve(recipe, require_model(model))
    objectives = as_objectives("objectives", objectives)
    steps = check_count("steps", recipe.steps if steps is None else steps, 1, 1_000_000)
    seed = check_count("seed", seed, 0, 2**32 - 1)
    check_count("count", count, 1, 1024)
    starts = check_starts(start, model, len(objectives))
    if size is None and not starts:
        size = default_size(model, recipe, tuple(dict.fromkeys(name for each in objectives for name in each.layers)))
    height, width = check_size(size, starts[0] if starts else None)
    # No command line starts from an image or takes other weights than the model's own.
    repeatable = start is None and (weights is None or weights is model.weights) and count == 1 and lanes is None
    weights = check_weights(model, weights)
    recipe = recipe if convergence is None else replace(recipe, convergence=convergence)
    recipe = recipe if transparency is None else replace(recipe, transparency=transparency)
    if lanes is not None:
        check_count("lanes", lanes, 2, 65_536)
    dtype = check_dtype(dtype)
    if recipe.stages and extra_channels(recipe.parameterization):
        raise FeatvizError("`recipe` has stages and an alpha channel; expected one or the other")
    check_fidelity(model, recipe)
    computed = [for_minimization(model, objective) for objective in objectives]
    octaves = [
        _octave(model, computed, stage, (count, *size, model.input.channels), dtype)
        for stage, size in expand_stages(recipe, (height, width), steps)
    ]
    steps = sum(octave.steps for octave in octaves)
    run = describe_run(
        model,
        recipe,
        weights_sha256=hash_weights(weights),
        size=(height, width),
        steps=steps,
        seed=seed,
        dtype=dtype,
    )
    run |= {"start": "an image"} if start is not None else {}
    run |= {"group": count} if count > 1 else {}
    # A recipe or an objective that cannot be described is refused before any work.
    records = [describe_picture(run, model, objective, recipe, repeatable=repeatable) for objective in objectives]
    begun = [np.stack([each] * count) for each in starts]

    def each() -> Iterator[tuple[int, list[Picture]]]:
        groups: dict[Any, list[int]] = {}
        for number, objective in enumerate(computed):
            groups.setdefault(jax.tree.structure(objective), []).append(number)
        mesh = device_mesh()
        placed = jax.device_put(weights, NamedSharding(mesh, PartitionSpec()))
        disabled = None if progress else True
        with tqdm(total=steps * len(objectives), unit="step", desc="compiling", disable=disabled) as bar:

            def on_progress(running: int, made: int) -> None:
                bar.set_description(f"{running} lanes", refresh=False)
                bar.update(made)

            # One compiled program for all objectives of one structure.
            for numbers in groups.values():
                alike = [computed[number] for number in numbers]
                # The last stage is the largest.
                last = octaves[-1]
                width = choose_lanes(last.routine, model, placed, alike, last.penalty, mesh=mesh, requested=lanes)
                for ended in run_stages(
                    octaves,
                    placed,
                    alike,
                    carry=recipe.carry,
                    seed=seed,
                    start=[begun[number] for number in numbers] if begun else None,
                    count=width,
                    mesh=mesh,
                    on_progress=on_progress,
                    on_start=None if on_start is None else partial(_begin, on_start, numbers),
                    snapshot_every=snapshot_every,
                ):
                    number = numbers[ended.number]
                    bar.total -= steps - len(ended.history) if ended.over else 0
                    yield number, _pictures(ended, records[number] | {"lanes": width}, recipe, model.input.channels)

    return each()


def _begin(on_start: Callable[[int], None], numbers: Sequence[int], at: int) -> None:
    on_start(numbers[at])


def _octave(model: Model, objectives: Sequence[Objective], stage: Recipe, shape: Shape, dtype: str) -> Octave:
    """A stage made ready, after a check that the network runs on what it will see."""
    looked_at = [*objectives, *([] if stage.penalty is None else [stage.penalty])]
    # Each check traces the network, so views of the picture's own shape, as most are, are not checked again.
    for seen in dict.fromkeys((shape, seen_shape(stage, shape))):
        check_objectives(model, looked_at, seen)
    routine = Routine(
        apply=model.apply,
        parameterization=stage.parameterization,
        optimizer=stage.optimizer,
        transforms=stage.transforms,
        shape=shape,
        samples=stage.samples,
        redirect_steps=stage.redirect_steps,
        convergence=stage.convergence,
        chunk=default_chunk(),
        dtype=dtype,
        transparency=stage.transparency,
        # Held with no weight is not held.
        fidelity=stage.fidelity if stage.fidelity is not None and stage.fidelity.weight else None,
    )
    return Octave(routine, stage.steps, stage.penalty)


def _pictures(ended: LaneResult, provenance: dict[str, Any], recipe: Recipe, channels: int) -> list[Picture]:
    """The pictures of a group, alpha apart: the parameterization's own, else the accumulated gradient."""
    pictures = []
    for at, pixels in enumerate(ended.pixels):
        alpha = pixels[..., channels] if pixels.shape[-1] > channels else None
        if alpha is None and ended.attribution is not None:
            alpha = show_attribution(ended.attribution[at])
        pictures.append(
            Picture(
                pixels=pixels[..., :channels] if recipe.display is None else recipe.display(pixels[..., :channels]),
                score=float(ended.scores[at]),
                outcome=ended.outcome,
                history=ended.history,
                provenance=provenance | ({"image": at} if len(ended.pixels) > 1 else {}),
                alpha=alpha,
            )
        )
    return pictures


def seen_shape(recipe: Recipe, shape: Shape) -> Shape:
    """The shape of what the network sees of pictures of `shape`, after the recipe's transforms."""
    n, height, width, channels = shape
    seen = view_shape(recipe.transforms, (n, height, width, channels + extra_channels(recipe.parameterization)))
    if seen[3] != shape[3]:
        raise FeatvizError(
            f"`transforms` leave {seen[3]} channels, the network takes {shape[3]}; an image with alpha needs "
            "`Background()` among them"
        )
    return seen
