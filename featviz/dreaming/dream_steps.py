"""DeepDream's gradient ascent: octaves with carried detail, jitter undone after each step, steps of one mean size."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from featviz.common.compilation import compiled
from featviz.regularizers.filters import normalize_laplacian
from featviz.rendering.stages import resize

ImageSize = tuple[int, int]  # height and width in pixels
# The score of an image shifted by (rows, columns), and its gradient with respect to the image.
GradientFunction = Callable[[Float[np.ndarray, "h w c"], tuple[int, int]], tuple[float, Float[np.ndarray, "h w c"]]]

# With a scale of nearly 1 neighboring octaves may have the same size, so that counting them would never end.
MAX_OCTAVES = 64
# The shorter side of the smallest octave, as a share of the network's training size: 4 octaves of scale 1.4 for
# 1024 x 575 pixels, as in 2015.
MIN_OCTAVE_SHARE = 0.9


@dataclass(frozen=True)
class DreamSettings:
    """How a dream proceeds; the constants are those of 2015 (Mordvintsev, Olah and Tyka).

    `step_size` is the mean change of a pixel in a step, of a range of 1: 1.5 of 255. `jitter` is the largest shift, in
    pixels in each direction. `laplacian` is the number of gradient bands that are scaled to one size (0: none). `keep`
    names the channels of the photo that stay as they are.
    """

    octaves: int = 4
    octave_scale: float = 1.4
    steps: int = 10
    step_size: float = 1.5 / 255
    jitter: int = 32
    laplacian: int = 0
    keep: tuple[int, ...] = field(default=(), metadata={"canonical": False})


class DreamState(NamedTuple):
    """A dream after `step` steps of `octave`: its image, and the scores of all steps so far."""

    octave: int
    step: int
    image: Float[np.ndarray, "h w c"]
    history: tuple[float, ...]


def ascend(
    key: Key[Array, ""],
    gradient_of: GradientFunction,
    octaves: Sequence[Float[np.ndarray, "h w c"]],
    masks: Sequence[Float[np.ndarray, "h w"]] | None,
    settings: DreamSettings,
    *,
    resume_from: DreamState | None = None,
) -> Iterator[DreamState]:
    """The state after every step of a dream over a photo's octaves, the smallest first.

    x <- clip(x + step_size / mean |g| * mask * g, 0, 1), g the gradient at the shifted image, shifted back. At the next
    octave x is the photo there plus the enlarged change of the octave before. The shifts depend on the octave and the
    step alone. Ends early where the gradient is 0 everywhere or not finite.
    """
    first_octave, steps_done, image, history = resume_from or DreamState(0, 0, octaves[0], ())
    for octave in range(first_octave, len(octaves)):
        if octave > first_octave:
            steps_done = 0
            detail = image - octaves[octave - 1]
            image = octaves[octave] + resize(detail, octaves[octave].shape[:2], axis=0)
        for step in range(steps_done, settings.steps):
            score, gradient = gradient_of(image, draw_shift(key, octave, step, settings.jitter))
            if settings.laplacian:
                gradient = normalize_bands(gradient, settings.laplacian)
            if settings.keep:
                gradient = np.array(gradient)
                gradient[..., list(settings.keep)] = 0
            mean_size = float(np.mean(np.abs(gradient), dtype=np.float64))
            history = (*history, score)
            if mean_size == 0 or not np.isfinite(mean_size):
                yield DreamState(octave, settings.steps, image, history)
                return
            change = gradient * np.float32(settings.step_size / mean_size)
            if masks is not None:
                change = change * masks[octave][..., None]
            image = np.clip(image + change, 0, 1)
            yield DreamState(octave, step + 1, image, history)


def draw_shift(key: Key[Array, ""], octave: int, step: int, jitter: int) -> tuple[int, int]:
    """A random shift in rows and columns, each from -jitter to jitter."""
    step_key = jax.random.fold_in(jax.random.fold_in(key, octave), step)
    rows, columns = np.asarray(jax.random.randint(step_key, (2,), -jitter, jitter + 1))
    return int(rows), int(columns)


def normalize_bands(gradient: Float[np.ndarray, "h w c"], levels: int) -> Float[np.ndarray, "h w c"]:
    """The gradient with each Laplacian band scaled to a root mean square of 1.

    A band below 1e-10 is divided by that (Mordvintsev 2015, TensorFlow's tutorial).
    """
    # Smaller images have fewer bands.
    max_levels = max(1, int(np.log2(max(2, min(gradient.shape[:2])))) - 1)
    # Scaled to a mean size of 1 first: a gradient in small units would fall under the bound.
    scaled = gradient / np.float32(np.mean(np.abs(gradient), dtype=np.float64) or 1)
    values = jnp.asarray(scaled[None])
    return np.asarray(compiled(_normalize, values, levels=min(levels, max_levels))(values))[0]


@partial(jax.jit, static_argnames="levels")
def _normalize(images: Float[Array, "n h w c"], *, levels: int) -> Float[Array, "n h w c"]:
    return normalize_laplacian(images, levels, 1e-10)


def octave_sizes(size: ImageSize, *, scale: float, count: int) -> list[ImageSize]:
    """(height, width) of each octave, the smallest first; each is the next one's over `scale`, rounded.

    >>> octave_sizes((575, 1024), scale=1.4, count=4)
    [(210, 373), (294, 522), (411, 731), (575, 1024)]
    """
    sizes = [size]
    for _ in range(count - 1):
        # As scipy.ndimage.zoom rounds.
        height, width = (round(side * (1.0 / scale)) for side in sizes[0])
        sizes.insert(0, (height, width))
    return sizes


def count_octaves(size: ImageSize, training_size: ImageSize, *, scale: float) -> int:
    """As many octaves as keep the shorter side of the smallest at `MIN_OCTAVE_SHARE` of the network's training size.

    >>> count_octaves((575, 1024), (224, 224), scale=1.4), count_octaves((100, 100), (224, 224), scale=1.4)
    (4, 1)
    """
    min_side, count = MIN_OCTAVE_SHARE * min(training_size), 1
    while count < MAX_OCTAVES and min(octave_sizes(size, scale=scale, count=count + 1)[0]) >= min_side:
        count += 1
    return count


def shrink(photo: Float[np.ndarray, "h w ..."], sizes: Sequence[ImageSize]) -> list[Float[np.ndarray, "_ _ ..."]]:
    """The photo at each size, the smallest first: each is shrunk from the next larger one."""
    octaves = [photo]
    for size in reversed(sizes[:-1]):
        octaves.insert(0, resize(octaves[0], size, axis=0))
    return octaves
