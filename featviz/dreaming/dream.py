"""Dream: a photo in which a network shows what it sees."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import jax
import numpy as np
from tqdm import tqdm

from featviz.ascent.outcome import Outcome
from featviz.common.canonical import describe, digest
from featviz.dreaming.dream_files import read_moment, watcher
from featviz.dreaming.dream_options import DreamOptions, with_dream_options
from featviz.dreaming.dream_steps import Dreaming, DreamState, ascend
from featviz.dreaming.octaves import MOST, count_octaves, octave_sizes, shrink
from featviz.dreaming.tile_gradients import TiledGradient
from featviz.dreaming.tile_margin import plan_tiling
from featviz.errors import FeatvizError
from featviz.model import Model, hash_weights
from featviz.objectives import Objective
from featviz.objectives.minimization import for_minimization
from featviz.pictures.picture import Picture
from featviz.pictures.provenance import describe_dream
from featviz.rendering.checks import (
    SMALLEST_SIZE,
    check_count,
    check_image,
    check_objectives,
    check_weights,
    require_objective,
)

# Pixels of the largest image that is looked at in one piece; above, tiles of TILE a side.
LARGEST_WHOLE = 2_000_000
TILE = 1024


@dataclass(frozen=True)
class PreparedDream:
    """A network, an objective and settings, ready for any number of photos of one size."""

    model: Model
    objective: Objective
    how: Dreaming
    size: tuple[int, int]
    slopes: TiledGradient
    mask: np.ndarray | None
    record: dict[str, Any]

    def moments(self, photo: np.ndarray, seed: int, *, since: DreamState | None = None) -> Iterator[DreamState]:
        """Every step of the dream of a photo."""
        sizes = octave_sizes(self.size, scale=self.how.octave_scale, count=self.how.octaves)
        masks = None if self.mask is None else shrink(self.mask, sizes)
        yield from ascend(jax.random.key(seed), self.slopes, shrink(photo, sizes), masks, self.how, since=since)

    def picture(self, moment: DreamState, seed: int) -> Picture:
        """The picture of a dream's last moment."""
        score, gradient = self.slopes(moment.image, (0, 0))
        finite = bool(np.isfinite(moment.image).all() and np.isfinite(score))
        dead = not gradient.any()
        outcome = Outcome.NOT_FINITE if not finite else Outcome.DEAD if dead else Outcome.OUT_OF_STEPS
        history = np.asarray(moment.history, np.float32)
        return Picture(moment.image, score, outcome, history, self.record | {"seed": seed})


def prepare(
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
    mask: np.ndarray | None = None,
    tile: int | None = None,
    weights: Any = None,
) -> PreparedDream:
    """A Dreamer for photos of (height, width); the options are those of `dream`."""
    objective = require_objective("objective", objective)
    check_count("steps", steps, 1, 100_000)
    check_count("jitter", jitter, 0, 4096)
    check_count("laplacian", laplacian, 0, 12)
    if not 1 < octave_scale <= 16:
        raise FeatvizError(f"`octave_scale` is {octave_scale}; expected a number above 1, such as 1.4")
    if not 0 < step_size <= 1:
        raise FeatvizError(f"`step_size` is {step_size}; expected a share of the range, such as {1.5 / 255:.4f}")
    if min(size) < SMALLEST_SIZE:
        raise FeatvizError(f"`photo` is {size[0]}x{size[1]} pixels; expected {SMALLEST_SIZE} a side at least")
    if octaves is None:
        octaves = count_octaves(size, model.input.size, scale=octave_scale)
    sizes = octave_sizes(size, scale=octave_scale, count=check_count("octaves", octaves, 1, MOST))
    if min(sizes[0]) < SMALLEST_SIZE:
        small = "x".join(map(str, sizes[0]))
        raise FeatvizError(f"`octaves` is {octaves}: the smallest would be {small} pixels; expected fewer octaves")
    if mask is not None:
        mask = np.asarray(mask, np.float32)
        if mask.shape != size or not (mask.min() >= 0 and mask.max() <= 1):
            raise FeatvizError(f"`mask` has shape {mask.shape}; expected {size} with numbers from 0 to 1")
    own = check_weights(model, weights)
    computed = for_minimization(model, objective)
    if tile is None:
        tile = TILE if size[0] * size[1] > LARGEST_WHOLE else 0
    tiling = None
    check_objectives(model, [computed], (1, *((tile, tile) if tile else sizes[0]), model.input.channels))
    if tile:
        tiling = plan_tiling(model, own, computed, side=check_count("tile", tile, 64, 4096))
    else:
        check_objectives(model, [computed], (1, *sizes[-1], model.input.channels))
    how = Dreaming(octaves, octave_scale, steps, step_size, jitter, laplacian)
    record = describe_dream(model, objective, describe(how), weights_sha256=hash_weights(own), size=size)
    record |= {} if tiling is None else {"tile": tiling.side, "margin": tiling.margin}
    record |= {} if mask is None else {"mask_sha256": digest(mask)}
    return PreparedDream(model, objective, how, size, TiledGradient(model.apply, own, computed, tiling), mask, record)


@with_dream_options
def dream(
    model: Model,
    photo: np.ndarray | Picture,
    objective: Objective,
    *,
    seed: int = 0,
    preview: str | os.PathLike[str] | None = None,
    state: str | os.PathLike[str] | None = None,
    progress: bool = True,
    **options: Unpack[DreamOptions],
) -> Picture:
    """A photo changed so that an objective rises: DeepDream, by the algorithm of 2015 and with any objective.

    Each of `steps` steps in each octave: x <- clip(x + step_size / mean |g| * g, 0, 1), g the gradient at x shifted by
    up to `jitter` pixels, shifted back. Octaves are the photo at smaller sizes, each `octave_scale` times the one
    before; what is dreamed in one is carried to the next as a difference from the photo (Mordvintsev, Olah and Tyka
    2015). `fv.deepdream(layer)` is the objective of 2015, `fv.guided_dream` that with a guide; every other will do.

    Args:
      photo: (height, width, channels) in [0,1], of any size.
      octaves: how many; by default as many as keep the smallest near the network's training size.
      step_size: mean change of a pixel in a step, of a range of 1.
      laplacian: bands of the gradient that are given one size, which brings out large shapes; 0 for none, 4 as in
        TensorFlow's tutorial.
      mask: (height, width) from 0, where the photo stays, to 1.
      tile: pixels a side of the windows through which the network looks at a large photo, in bounded memory; 0 for one
        piece. By default above 2 megapixels. The gradient is of one size over the whole image, so no seam shows.
      preview: a PNG that shows how far it is, written anew every few seconds.
      state: a file from which a dream that was stopped goes on, bit for bit; removed at the end.
      weights: another checkpoint of the same network.

    >>> import featviz as fv
    >>> photo = np.random.default_rng(0).random((48, 64, 3)).astype(np.float32)
    >>> dreamed = fv.dream(fv.load("patterns"), photo, fv.deepdream("conv2"), octaves=2, steps=2, progress=False)
    >>> dreamed.pixels.shape, len(dreamed.history)
    ((48, 64, 3), 4)

    Raises: FeatvizError for a photo, an objective or an option without sense; with tiles, for an objective that looks
    at the image as a whole.
    """
    seed = check_count("seed", seed, 0, 2**32 - 1)
    image = check_image("photo", photo, model)
    dreamer = prepare(model, (image.shape[0], image.shape[1]), objective, **options)
    name = digest([describe(dreamer.record), seed, digest(image)])
    place = None if state is None else Path(state)
    since = None if place is None else read_moment(place, name)
    watch = watcher(preview, place, name)
    total = dreamer.how.octaves * dreamer.how.steps
    moment = since
    with tqdm(total=total, unit="step", desc="dream", disable=None if progress else True) as bar:
        bar.update(0 if since is None else len(since.history))
        try:
            for moment in dreamer.moments(image, seed, since=since):
                watch(moment, False)
                bar.set_description(f"octave {moment.octave + 1} of {dreamer.how.octaves}", refresh=False)
                bar.update(1)
        except KeyboardInterrupt:
            if moment is not None:
                watch(moment, True)
            raise
    assert moment is not None
    if preview is not None:
        watch(moment, True)
    picture = dreamer.picture(moment, seed)
    if place is not None:
        place.unlink(missing_ok=True)
    return replace(picture, provenance={**picture.provenance, "photo_sha256": digest(image)})
