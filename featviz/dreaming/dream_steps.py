"""DeepDream's ascent: octaves with carried detail, jitter undone after each step, steps of one mean size."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from featviz.common.compilation import compiled
from featviz.regularizers.filters import normalize_laplacian
from featviz.rendering.stages import resize

Slope = Callable[[np.ndarray, tuple[int, int]], tuple[float, np.ndarray]]


@dataclass(frozen=True)
class Dreaming:
    """How a dream proceeds; the constants are those of 2015 (Mordvintsev, Olah and Tyka).

    `step_size` is the mean change of a pixel in a step, of a range of 1: 1.5 of 255. `jitter` is the largest shift, in
    pixels to each side. `laplacian` is the number of bands in which the gradient is given one size (0: none).
    """

    octaves: int = 4
    octave_scale: float = 1.4
    steps: int = 10
    step_size: float = 1.5 / 255
    jitter: int = 32
    laplacian: int = 0


class DreamState(NamedTuple):
    """Where a dream stands: `step` steps of `octave` done, its image (height, width, channels), all scores so far."""

    octave: int
    step: int
    image: np.ndarray
    history: tuple[float, ...]


def ascend(
    key: jax.Array,
    slope: Slope,
    octaves: Sequence[np.ndarray],
    masks: Sequence[np.ndarray] | None,
    how: Dreaming,
    *,
    since: DreamState | None = None,
) -> Iterator[DreamState]:
    """Every step of a dream over a photo's octaves, the smallest first; `since` goes on from one.

    x <- clip(x + step_size / mean |g| * mask * g, 0, 1), g the gradient at the shifted image, shifted back. At the next
    octave x is the photo there plus what the one before has changed, enlarged. The shifts depend on the octave and
    the step alone. Ends early where the gradient is 0 everywhere or not finite.
    """
    begun, done, image, history = since or DreamState(0, 0, octaves[0], ())
    for octave in range(begun, len(octaves)):
        if octave > begun:
            done = 0
            detail = image - octaves[octave - 1]
            image = octaves[octave] + resize(detail, octaves[octave].shape[:2], axis=0)
        for step in range(done, how.steps):
            score, gradient = slope(image, draw_shift(key, octave, step, how.jitter))
            if how.laplacian:
                gradient = normalize_bands(gradient, how.laplacian)
            size = float(np.mean(np.abs(gradient), dtype=np.float64))
            history = (*history, score)
            if size == 0 or not np.isfinite(size):
                yield DreamState(octave, how.steps, image, history)
                return
            change = gradient * np.float32(how.step_size / size)
            if masks is not None:
                change = change * masks[octave][..., None]
            image = np.clip(image + change, 0, 1)
            yield DreamState(octave, step + 1, image, history)


def draw_shift(key: jax.Array, octave: int, step: int, jitter: int) -> tuple[int, int]:
    """Rows and columns, each from -jitter to jitter."""
    own = jax.random.fold_in(jax.random.fold_in(key, octave), step)
    rows, columns = np.asarray(jax.random.randint(own, (2,), -jitter, jitter + 1))
    return int(rows), int(columns)


def normalize_bands(gradient: np.ndarray, levels: int) -> np.ndarray:
    """A gradient, (height, width, channels), whose Laplacian bands each have a root mean square of 1.

    A band below 1e-10 is divided by that (Mordvintsev 2015, TensorFlow's tutorial).
    """
    # Smaller images have fewer bands.
    most = max(1, int(np.log2(max(2, min(gradient.shape[:2])))) - 1)
    # Their own size: far-off units would fall under the bound.
    unit = gradient / np.float32(np.mean(np.abs(gradient), dtype=np.float64) or 1)
    values = jnp.asarray(unit[None])
    return np.asarray(compiled(_normalize, values, levels=min(levels, most))(values))[0]


@partial(jax.jit, static_argnames="levels")
def _normalize(images: jax.Array, *, levels: int) -> jax.Array:
    return normalize_laplacian(images, levels, 1e-10)
