"""A request: everything that `render` is asked, checked once and passed on as one frozen value."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Float

from featviz.ascent import Convergence, Routine
from featviz.ascent.batching import default_chunk
from featviz.common.rare_collection import rare_collection
from featviz.errors import FeatvizError
from featviz.model import Model, Weights, hash_weights, require_model
from featviz.objectives import Objective
from featviz.objectives.minimization import for_ascent
from featviz.parameterizations import Shape, extra_channels
from featviz.pictures.command import recipe_words
from featviz.pictures.provenance import describe_picture, describe_run
from featviz.priors.denoiser import Denoiser
from featviz.priors.loading import load_denoiser, prior_path
from featviz.priors.unet import DenoiserConfig
from featviz.recipes import Recipe, default_size, expand_stages, resolve
from featviz.regularizers import view_shape
from featviz.rendering.checks import (
    Size,
    Start,
    as_objectives,
    check_count,
    check_dtype,
    check_fidelity,
    check_keep,
    check_objectives,
    check_prior,
    check_seed,
    check_size,
    check_starts,
    check_weights,
)


@dataclass(frozen=True)
class PreparedStage:
    """A stage of a recipe that is ready to run; its `routine` has the size of its pictures."""

    routine: Routine
    steps: int
    penalty: Objective | None


@dataclass(frozen=True, eq=False)
class Request:
    """What `render` is asked, checked.

    `written` are the objectives as the caller wrote them, `objectives` what the lanes maximize: for a negated objective
    and for a dictionary's latents that is the pre-activation. `provenance` has one
    record for each objective, as the caller wrote it. `starts` has the images of each objective's group, or is empty
    where pictures start from noise. `steps` counts the steps of all `stages` together.
    """

    model: Model
    weights: Weights
    recipe: Recipe
    stages: tuple[PreparedStage, ...]
    denoiser: Denoiser | None
    written: tuple[Objective, ...]
    objectives: tuple[Objective, ...]
    provenance: tuple[dict[str, Any], ...]
    starts: tuple[Float[np.ndarray, "group h w c"], ...]
    keep: tuple[int, ...]
    group_size: int
    steps: int
    seed: int
    lanes: int | None
    progress: bool


@rare_collection()
def make_request(
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
    group_size: int = 1,
) -> Request:
    """Checks what `render` is asked; the options are those of `render_each`.

    Args:
      group_size: pictures of each objective that are optimized together, 1 to 1024.

    Raises: FeatvizError for anything that cannot be rendered; nothing has been compiled by then.
    """
    recipe = resolve(recipe, require_model(model))
    written = as_objectives("objectives", objectives)
    steps = check_count("steps", recipe.steps if steps is None else steps, 1, 1_000_000)
    seed = check_seed(seed)
    check_count("group_size", group_size, 1, 1024)
    starts = check_starts(start, model, len(written), group_size=group_size)
    kept = check_keep(keep, start, model.input.channels)
    if size is None and not starts:
        size = default_size(model, recipe, tuple(dict.fromkeys(layer for each in written for layer in each.layers)))
    height, width = check_size(size, starts[0][0] if starts else None)
    # No command line starts from an image, takes other weights than the model's own, groups pictures or sets lanes.
    own_weights = weights is None or weights is model.weights
    repeatable = start is None and own_weights and group_size == 1 and lanes is None
    weights = check_weights(model, weights)
    recipe = recipe if convergence is None else replace(recipe, convergence=convergence)
    recipe = recipe if transparency is None else replace(recipe, transparency=transparency)
    if lanes is not None:
        check_count("lanes", lanes, 1, 65_536)
    dtype = check_dtype(dtype)
    if recipe.stages and extra_channels(recipe.parameterization):
        raise FeatvizError("`recipe` has stages and an alpha channel; expected one or the other")
    check_fidelity(model, recipe)
    check_prior(recipe)
    # A prior that does nothing needs no file.
    recipe = replace(recipe, prior=None) if recipe.prior is not None and recipe.prior.is_idle else recipe
    denoiser = None if recipe.prior is None else load_denoiser(recipe.prior.file, model.input.channels)
    maximized = [for_ascent(model, objective) for objective in written]
    stages = [
        prepare_stage(
            model,
            maximized,
            stage,
            (group_size, *stage_size, model.input.channels),
            dtype,
            keep=kept,
            denoiser=None if denoiser is None else denoiser.config,
        )
        for stage, stage_size in expand_stages(recipe, (height, width), steps)
    ]
    steps = sum(stage.steps for stage in stages)
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
    run |= {"keep": list(kept)} if kept else {}
    run |= {"group": group_size} if group_size > 1 else {}
    if recipe.prior is not None and denoiser is not None:
        run |= {"prior": {"file": prior_path(recipe.prior.file).name, "sha256": hash_weights(denoiser.weights)}}
    # A recipe or an objective that cannot be described is refused here.
    options = recipe_words(recipe)
    provenance = [describe_picture(run, model, objective, options, repeatable=repeatable) for objective in written]
    return Request(
        model=model,
        weights=weights,
        recipe=recipe,
        stages=tuple(stages),
        denoiser=denoiser,
        written=tuple(written),
        objectives=tuple(maximized),
        provenance=tuple(provenance),
        starts=tuple(starts),
        keep=kept,
        group_size=group_size,
        steps=steps,
        seed=seed,
        lanes=lanes,
        progress=progress,
    )


def prepare_stage(
    model: Model,
    objectives: Sequence[Objective],
    stage: Recipe,
    shape: Shape,
    dtype: str,
    *,
    keep: tuple[int, ...] = (),
    denoiser: DenoiserConfig | None = None,
) -> PreparedStage:
    """A stage ready to run, after a check that the network takes the views that it will get."""
    needed = [*objectives, *([] if stage.penalty is None else [stage.penalty])]
    # Each check traces the network. Most views have the shape of the picture, which is checked once.
    for input_shape in dict.fromkeys((shape, network_input_shape(stage, shape))):
        check_objectives(model, needed, input_shape)
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
        # No fidelity term at weight 0.
        fidelity=stage.fidelity if stage.fidelity is not None and stage.fidelity.weight else None,
        keep=keep,
        # Its weights are an argument: another file of the same architecture runs the same program.
        prior=None if stage.prior is None else replace(stage.prior, file=None),
        denoiser=denoiser,
    )
    return PreparedStage(routine, stage.steps, stage.penalty)


def network_input_shape(recipe: Recipe, shape: Shape) -> Shape:
    """The shape of the views that the network gets of pictures of `shape`, after the recipe's transforms."""
    n, height, width, channels = shape
    views = view_shape(recipe.transforms, (n, height, width, channels + extra_channels(recipe.parameterization)))
    if views[3] != channels:
        raise FeatvizError(
            f"`transforms` give {views[3]} channels, the network takes {channels}; an image with alpha needs "
            "`Background()` among them"
        )
    return views


def group_by_structure(objectives: Sequence[Objective]) -> list[list[int]]:
    """The indices of the objectives that one compiled program serves, a list for each structure.

    >>> from featviz.objectives import channel, logit
    >>> group_by_structure([channel("conv1", 0), logit(2), channel("conv1", 7)])
    [[0, 2], [1]]
    """
    groups: dict[Any, list[int]] = {}
    for index, objective in enumerate(objectives):
        groups.setdefault(jax.tree.structure(objective), []).append(index)
    return list(groups.values())
