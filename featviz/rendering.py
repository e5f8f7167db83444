"""Render: objectives and a recipe become pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, overload

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from tqdm import tqdm

from featviz.ascent import Convergence, Routine
from featviz.batching import choose_lanes, default_chunk, device_mesh
from featviz.checks import Size, check_count, check_dtype, check_objectives, check_size, check_start, check_weights
from featviz.images import Shape
from featviz.lanes import run_lanes
from featviz.model import Model, hash_weights
from featviz.objectives import Objective
from featviz.picture import Picture
from featviz.provenance import describe_picture, describe_run
from featviz.recipes import Recipe, default
from featviz.regularizers import compose


@overload
def render(model: Model, objectives: Objective, **options: Any) -> Picture: ...
@overload
def render(model: Model, objectives: Sequence[Objective], **options: Any) -> list[Picture]: ...
def render(model: Model, objectives: Objective | Sequence[Objective], **options: Any) -> Picture | list[Picture]:
    """Pictures that maximize objectives of a network; one objective gives one Picture, a list gives a list.

    A picture depends on its objective, recipe, size, steps and seed alone: not on which others are
    rendered with it. The options are those of `render_each`.

    >>> import featviz as fv
    >>> picture = fv.render(fv.load("patterns"), fv.channel("conv1", 0), size=32, steps=2)
    >>> picture.pixels.shape
    (32, 32, 3)

    Raises: FeatvizError for an unknown layer, a unit out of range, a size or a number of steps without sense.
    """
    if isinstance(objectives, Objective):
        return next(picture for _, picture in render_each(model, [objectives], **options))
    pictures = dict(render_each(model, list(objectives), **options))
    return [pictures[number] for number in range(len(pictures))]


def render_each(
    model: Model,
    objectives: Sequence[Objective],
    *,
    recipe: Recipe = default,
    size: Size | None = None,
    steps: int | None = None,
    seed: int = 0,
    start: np.ndarray | Picture | None = None,
    weights: Any = None,
    lanes: int | None = None,
    dtype: Any = None,
    convergence: Convergence | None = None,
    progress: bool = True,
) -> Iterator[tuple[int, Picture]]:
    """Each picture as soon as it is finished, with its objective's number.

    Args:
      recipe: what is optimized and how; `size`, `steps` and `convergence` override its own.
      size: pixels a side, or (height, width).
      seed: decides everything random; an objective's draws depend on the seed and on its own hash.
      start: an image in [0,1], (height, width, channels), or a Picture, in place of noise.
      weights: another checkpoint of the same network, run by the same compiled program.
      lanes: optimizations computed side by side on each device, at least 2. Another number may round differently: a
        CPU always has two, an accelerator as many as fit. It stands in the provenance.
      dtype: of the network's values, float32 or bfloat16, which accelerators run faster. Parameters, optimizer and the
        picture's score are float32 all the same.
      progress: a bar on standard error, when that is a terminal.
    """
    steps = check_count("steps", recipe.steps if steps is None else steps, 1, 1_000_000)
    seed = check_count("seed", seed, 0, 2**32 - 1)
    start = check_start(start, model)
    height, width = check_size(recipe.size if size is None and start is None else size, start)
    # No command line starts from an image or takes other weights than the model's own.
    repeatable = start is None and (weights is None or weights is model.weights)
    weights = check_weights(model, weights)
    recipe = recipe if convergence is None else replace(recipe, convergence=convergence)
    shape = (1, height, width, model.input.channels)
    looked_at = [*objectives, *([] if recipe.penalty is None else [recipe.penalty])]
    # Each check traces the network, so views of the picture's own shape, as most are, are not checked again.
    for seen in dict.fromkeys((shape, view_shape(recipe, shape))):
        check_objectives(model, looked_at, seen)
    if lanes is not None:
        check_count("lanes", lanes, 2, 65_536)
    routine = Routine(
        apply=model.apply,
        parameterization=recipe.parameterization,
        optimizer=recipe.optimizer,
        schedule=recipe.schedule,
        transforms=recipe.transforms,
        shape=shape,
        samples=recipe.samples,
        redirect_steps=recipe.redirect_steps,
        convergence=recipe.convergence,
        chunk=default_chunk(),
        dtype=check_dtype(dtype),
    )
    run = describe_run(
        model,
        recipe,
        weights_sha256=hash_weights(weights),
        size=(height, width),
        steps=steps,
        seed=seed,
        dtype=routine.dtype,
    )
    run |= {"start": "an image"} if start is not None else {}
    # A recipe or an objective that cannot be described is refused before any work.
    repeatable &= lanes is None
    records = [describe_picture(run, model, objective, recipe, repeatable=repeatable) for objective in objectives]

    def each() -> Iterator[tuple[int, Picture]]:
        groups: dict[Any, list[int]] = {}
        for number, objective in enumerate(objectives):
            groups.setdefault(jax.tree.structure(objective), []).append(number)
        mesh = device_mesh()
        placed = jax.device_put(weights, NamedSharding(mesh, PartitionSpec()))
        disabled = None if progress else True
        with tqdm(total=steps * len(objectives), unit="step", desc="compiling", disable=disabled) as bar:

            def tick(running: int, made: int) -> None:
                bar.set_description(f"{running} lanes", refresh=False)
                bar.update(made)

            # One compiled program for all objectives of one structure.
            for numbers in groups.values():
                alike = [objectives[number] for number in numbers]
                count = choose_lanes(routine, model, placed, alike, recipe.penalty, mesh=mesh, requested=lanes)
                for ended in run_lanes(
                    routine,
                    placed,
                    alike,
                    penalty=recipe.penalty,
                    steps=steps,
                    seed=seed,
                    start=start,
                    count=count,
                    mesh=mesh,
                    tick=tick,
                ):
                    number = numbers[ended.number]
                    bar.total -= steps - len(ended.history)
                    yield (
                        number,
                        Picture(
                            pixels=ended.pixels,
                            score=ended.score,
                            outcome=ended.outcome,
                            history=ended.history,
                            provenance=records[number] | {"lanes": count},
                        ),
                    )

    return each()


def view_shape(recipe: Recipe, shape: Shape) -> Shape:
    """The shape of what the network sees of pictures of `shape`, after the recipe's transforms."""
    image = jax.ShapeDtypeStruct(shape[1:], np.float32)
    progress = jax.ShapeDtypeStruct((), np.float32)
    view = jax.eval_shape(compose(recipe.transforms), jax.random.key(0), image, progress)
    return (shape[0], *view.shape)
