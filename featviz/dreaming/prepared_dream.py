"""A dream that is checked and ready to run, for any number of photos of one size."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from featviz.ascent.outcome import Outcome
from featviz.common.canonical import describe, digest
from featviz.dreaming.dream_checks import check_numbers, choose_octaves
from featviz.dreaming.dream_steps import DreamSettings, DreamState, ascend, octave_sizes, shrink
from featviz.dreaming.tile_margin import plan_tiling
from featviz.dreaming.tiles import ImageGradient
from featviz.errors import FeatvizError
from featviz.model import Model, Weights, hash_weights
from featviz.objectives import Objective
from featviz.objectives.minimization import for_ascent
from featviz.pictures.endings import is_constant
from featviz.pictures.picture import Picture
from featviz.pictures.provenance import describe_dream
from featviz.rendering.checks import (
    check_keep,
    check_objectives,
    check_weights,
    require_objective,
)

# Pixels of the largest photo that the network sees in one piece by default; above, tiles of DEFAULT_TILE a side.
MAX_PIXELS_IN_ONE_PIECE = 2_000_000
DEFAULT_TILE = 1024


@dataclass(frozen=True)
class PreparedDream:
    """A network, an objective and settings, ready for photos of (height, width) `size`."""

    settings: DreamSettings
    size: tuple[int, int]
    gradient_of: ImageGradient
    mask: Float[np.ndarray, "h w"] | None
    provenance: dict[str, Any]

    def states(
        self, photo: Float[np.ndarray, "h w c"], seed: int, *, resume_from: DreamState | None = None
    ) -> Iterator[DreamState]:
        """The state after every step of the dream of a photo."""
        settings = self.settings
        sizes = octave_sizes(self.size, scale=settings.octave_scale, count=settings.octaves)
        masks = None if self.mask is None else shrink(self.mask, sizes)
        key, octaves = jax.random.key(seed), shrink(photo, sizes)
        yield from ascend(key, self.gradient_of, octaves, masks, settings, resume_from=resume_from)

    def picture(self, state: DreamState, seed: int) -> Picture:
        """The picture of a dream's last state."""
        score, gradient = self.gradient_of(state.image, (0, 0))
        finite = bool(np.isfinite(state.image).all() and np.isfinite(score))
        dead = not gradient.any()
        history = np.asarray(state.history, np.float32)
        constant = is_constant(np.append(history, score))
        usual = Outcome.CONSTANT if constant else Outcome.OUT_OF_STEPS
        outcome = Outcome.NOT_FINITE if not finite else Outcome.DEAD if dead else usual
        return Picture(state.image, score, outcome, history, self.provenance | {"seed": seed})


def prepare_dream(
    model: Model,
    size: tuple[int, int],
    objective: Objective,
    *,
    octaves: int | None = None,
    octave_scale: float = 1.4,
    steps: int = 10,
    step_size: float = 1.5 / 255,
    jitter: int = 32,
    laplacian: int = 0,
    mask: Float[np.ndarray, "h w"] | None = None,
    keep: Iterable[int] | None = None,
    tile: int | None = None,
    weights: Weights | None = None,
) -> PreparedDream:
    """Checks what `dream` is asked, for photos of (height, width) `size`; the options are those of `dream`."""
    objective = require_objective("objective", objective)
    check_numbers(
        octaves=octaves,
        octave_scale=octave_scale,
        steps=steps,
        step_size=step_size,
        jitter=jitter,
        laplacian=laplacian,
        tile=tile,
    )
    octaves = choose_octaves(size, model.input.size, octaves, scale=octave_scale)
    sizes = octave_sizes(size, scale=octave_scale, count=octaves)
    mask = None if mask is None else check_mask(mask, size)
    weights = check_weights(model, weights)
    maximized = for_ascent(model, objective)
    if tile is None:
        tile = DEFAULT_TILE if size[0] * size[1] > MAX_PIXELS_IN_ONE_PIECE else 0
    tiling = None
    check_objectives(model, [maximized], (1, *((tile, tile) if tile else sizes[0]), model.input.channels))
    if tile:
        tiling = plan_tiling(model, weights, maximized, side=tile)
    else:
        check_objectives(model, [maximized], (1, *sizes[-1], model.input.channels))
    kept = check_keep(keep, (), model.input.channels)
    settings = DreamSettings(octaves, octave_scale, steps, step_size, jitter, laplacian, kept)
    provenance = describe_dream(model, objective, describe(settings), weights_sha256=hash_weights(weights), size=size)
    provenance |= {} if tiling is None else {"tile": tiling.side, "margin": tiling.margin}
    provenance |= {"keep": list(kept)} if kept else {}
    provenance |= {} if mask is None else {"mask_sha256": digest(mask)}
    return PreparedDream(settings, size, ImageGradient(model.apply, weights, maximized, tiling), mask, provenance)


def check_mask(mask: Float[np.ndarray, "h w"], size: tuple[int, int]) -> Float[np.ndarray, "h w"]:
    """A mask of the photo's size as float32 in [0,1]."""
    mask = np.asarray(mask, np.float32)
    if mask.shape != size or not (mask.min() >= 0 and mask.max() <= 1):
        raise FeatvizError(f"`mask` has shape {mask.shape}; expected {size} with numbers from 0 to 1")
    return mask
