"""Drawing: the objectives of a request go through their stages, and pictures come out as they are finished."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Float

from featviz.ascent import StepWeights
from featviz.ascent.batching import choose_lanes, device_mesh
from featviz.ascent.lanes import Monitor
from featviz.ascent.outcome import LaneResult, Outcome
from featviz.common.progress import progress_bar
from featviz.pictures.endings import MIN_STEPS, is_constant, is_unmoved
from featviz.pictures.picture import Picture
from featviz.rendering.request import Request, group_by_structure
from featviz.rendering.stages import Placement, run_stages
from featviz.rendering.survival import survival


def render_groups(
    request: Request, *, on_start: Callable[[int], None] | None = None, snapshot_every: int | None = None
) -> Iterator[tuple[int, list[Picture]]]:
    """Each objective's index with its group of pictures, as soon as it is finished.

    Args:
      on_start: gets the index of each objective when a lane begins it.
      snapshot_every: steps between two snapshots of a group that is not finished; the `history` of these pictures is
        as long as the steps made so far.
    """
    mesh = device_mesh()
    weights, prior = jax.device_put(
        (request.weights, None if request.denoiser is None else request.denoiser.weights),
        NamedSharding(mesh, PartitionSpec()),
    )
    weights = weights if prior is None else StepWeights(weights, prior)
    total = request.steps * len(request.objectives)
    with progress_bar(None, total=total, unit="step", desc="compiling", shown=request.progress) as bar:
        monitor = Monitor(partial(_show_progress, bar), on_start, snapshot_every)
        # One compiled program for all objectives of one structure.
        for indices in group_by_structure(request.objectives):
            placement = Placement(weights, mesh, lanes_for(request, indices, weights, mesh))
            for index, result in run_stages(request, indices, placement, monitor):
                if result.finished:
                    bar.total -= request.steps - len(result.history)
                yield index, make_pictures(request, index, result, lanes=placement.lanes)


def lanes_for(request: Request, indices: list[int], weights: Any, mesh: Mesh) -> int:
    """Lanes on each device for the objectives at `indices`, of one structure."""
    objectives = [request.objectives[index] for index in indices]
    # The last stage is the largest.
    last = request.stages[-1]
    return choose_lanes(
        last.routine, request.model, weights, objectives, last.penalty, mesh=mesh, requested=request.lanes
    )


def make_pictures(request: Request, index: int, result: LaneResult, *, lanes: int) -> list[Picture]:
    """The pictures of a group. Their alpha is the parameterization's own, else the accumulated gradient."""
    channels, display = request.model.input.channels, request.recipe.display
    provenance = request.provenance[index] | {"lanes": lanes}
    notes = request.objectives[index].terms[0].image_notes
    pictures = []
    for member, image in enumerate(result.pixels):
        alpha = image[..., channels] if image.shape[-1] > channels else None
        if alpha is None and result.attribution is not None:
            alpha = show_attribution(result.attribution[member])
        pixels, start = (
            shown if display is None else display(shown)
            for shown in (image[..., :channels], result.start[member][..., :channels])
        )
        left = survival(request.model, request.weights, request.written[index], pixels)
        pictures.append(
            Picture(
                pixels=pixels,
                score=float(result.scores[member]),
                outcome=_ending(request, result, member, pixels, start),
                history=result.history,
                provenance=provenance
                | ({"image": member} if request.group_size > 1 else {})
                | ({"latents": left} if left else {})
                | ({"note": notes[member % len(notes)]} if notes else {}),
                alpha=alpha,
                clean_history=np.stack([result.clean_steps, result.clean_scores[:, member]], 1).astype(np.float32),
            )
        )
    return pictures


def _ending(
    request: Request,
    result: LaneResult,
    member: int,
    pixels: Float[np.ndarray, "h w c"],
    start: Float[np.ndarray, "h w c"],
) -> Outcome:
    """How a picture of a group ended; `pixels` and `start` as they are shown."""
    if not result.finished or result.outcome in (Outcome.DEAD, Outcome.NOT_FINITE):
        return result.outcome
    # The scores of steps vary by rounding alone with fewer bits.
    exact = request.stages[-1].routine.dtype == "float32"
    scores = result.clean_scores[:, member]
    if is_constant(np.concatenate([scores, result.history]) if exact else scores):
        return Outcome.CONSTANT
    # From an image of the caller's the picture may be meant to stay close.
    judged = not request.starts and len(result.history) >= MIN_STEPS
    return Outcome.UNMOVED if judged and is_unmoved(pixels, start) else result.outcome


def _show_progress(bar: Any, lanes: int, steps: int) -> None:
    bar.set_description(f"drawing {lanes} at once" if lanes > 1 else "drawing", refresh=False)
    bar.update(steps)


def show_attribution(attribution: Float[np.ndarray, "h w"], *, percentile: float = 80.0) -> Float[np.ndarray, "h w"]:
    """The accumulated gradient as alpha in [0,1]: clipped at its 80th percentile (Fel et al. 2023, MACO).

    >>> show_attribution(np.array([[0.0, 1.0], [2.0, 2.0]]), percentile=50.0).tolist()
    [[0.0, 0.6666666865348816], [1.0, 1.0]]
    """
    ceiling = np.percentile(attribution, percentile)
    return np.clip(attribution / max(float(ceiling), 1e-30), 0, 1).astype(np.float32)
