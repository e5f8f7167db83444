"""The noise image at which a network is linearized: natural in its spectrum, and no larger than it must be."""

import math
from bisect import bisect_left

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from featviz.circuits.linearization import middle_position, program_behind
from featviz.common.compilation import compiled
from featviz.common.kept import kept_with_owner
from featviz.model import Apply, Model, Weights
from featviz.model.shapes import shapes_at
from featviz.parameterizations.waves import frequencies
from featviz.tracing.evaluation import Replacement, evaluate
from featviz.tracing.program import Program, Step
from featviz.tracing.relu import find_relu

# Standard deviation of the grays of one image, as of natural images, and that of the colors relative to it.
CONTRAST, COLOR = 0.2, 0.3
# Image sizes are tried in steps of this fraction of the training size, smallest first.
FRACTIONS = 16


def linearization_image(
    model: Model, upstream: str, layer: str, *, size: tuple[int, int] | None = None
) -> Float[np.ndarray, "1 h w c"]:
    """A fixed image of pink noise; without a `size`, of the smallest one that serves for the two layers."""
    size = _smallest_size(model, upstream, layer) if size is None else size
    return pink_noise(np.random.default_rng(0), 1, size, channels=model.input.channels)


def pink_noise(
    rng: np.random.Generator, count: int, size: tuple[int, int], *, channels: int = 3
) -> Float[np.ndarray, "n h w c"]:
    """Noise whose amplitude falls off as 1/f, as that of natural images does, in [0,1].

    Grays have mean .5 and standard deviation .2 in each image; each channel adds three tenths of that as color.

    >>> noise = pink_noise(np.random.default_rng(0), 2, (16, 24))
    >>> noise.shape, noise.dtype, bool((noise >= 0).all() and (noise <= 1).all())
    ((2, 16, 24, 3), dtype('float32'), True)
    """
    frequency = frequencies(*size)
    frequency[0, 0] = np.inf
    white = np.fft.rfft2(rng.standard_normal((count, channels + 1, *size)))
    planes = np.fft.irfft2(white / frequency, s=size)
    planes /= np.maximum(planes.std((2, 3), keepdims=True), 1e-12)
    colors = COLOR * planes[:, 1:] if channels > 1 else 0.0 * planes[:, 1:]
    images = 0.5 + CONTRAST * (planes[:, :1] + colors)
    return np.ascontiguousarray(np.moveaxis(np.clip(images, 0, 1), 1, -1), np.float32)


def receptive_field_radius(model: Model, upstream: str, layer: str) -> int:
    """How far from the middle position of `layer` its receptive field in `upstream` reaches, in positions.

    Exact at the training size, whatever the values and the weights: positions outside the receptive field may hold nan
    without a nan in the result. A layer that sees everything has the radius of the map.

    >>> import featviz as fv
    >>> model = fv.load("patterns")
    >>> receptive_field_radius(model, "conv2", "mixed3a"), receptive_field_radius(model, "mixed3b", "mixed4a")
    (2, 5)
    """
    known = _known_radius(model.apply, upstream, layer)
    if not known:
        known.append(_find_radius(model, upstream, layer))
    return known[0]


@kept_with_owner(maxsize=256)
def _known_radius(apply: Apply, upstream: str, layer: str) -> list[int]:
    """Where the radius is kept: it does not depend on the weights."""
    return []


def _find_radius(model: Model, upstream: str, layer: str) -> int:
    below, above = (model.layer(name).shape for name in (upstream, layer))
    image = np.zeros((1, *model.input.size, model.input.channels), np.float32)
    offsets = [np.abs(np.arange(below[axis]) - aligned_center(below[axis], above[axis])) for axis in (0, 1)]
    distance = np.maximum(offsets[0][:, None], offsets[1]).astype(np.float32)
    program = compiled(_sees(model.apply, upstream, layer), model.weights, image, distance > 0)
    low, high = 0, math.ceil(distance.max())
    while low < high:
        half = (low + high) // 2
        low, high = (half + 1, high) if program(model.weights, image, distance > half) else (low, half)
    return low


def aligned_center(below: int, above: int) -> float:
    """Where the middle one of `above` positions lies among the `below` positions of an earlier map.

    >>> aligned_center(14, 14), aligned_center(28, 14)
    (7.0, 14.5)
    """
    return (above // 2 + 0.5) * below / above - 0.5


@kept_with_owner(maxsize=64)
def _sees(apply: Apply, upstream: str, layer: str) -> jax.stages.Wrapped:
    def sees(weights: Weights, image: Float[Array, "1 h w c"], outside: Bool[Array, "rows columns"]) -> Bool[Array, ""]:
        """Whether the middle position of `layer` depends on any position of `upstream` that is `outside`."""
        below = apply(weights, image, layers=(upstream,))[upstream]
        probe = jnp.where(outside[..., None], jnp.nan, 0.0).astype(below.dtype)
        probe = jnp.broadcast_to(probe, below.shape[1:])[None]
        program, args = program_behind(apply, weights, image, {upstream: probe}, layer)
        # A ReLU written as a select would turn nan into 0.
        (activation,) = evaluate(program, [*args, probe], program.outputs, rules=[_without_relu])
        place = middle_position(activation.shape[1:], (image.shape[1], image.shape[2]))
        middle = activation.reshape(-1, activation.shape[-1])[place]
        return jnp.any(jnp.isnan(middle))

    return jax.jit(sees)


def _without_relu(program: Program, step: Step) -> Replacement | None:
    relu = find_relu(program, step)
    return None if relu is None else Replacement((relu.input,), lambda x: (x,))


def _smallest_size(model: Model, upstream: str, layer: str) -> tuple[int, int]:
    """The smallest of some image sizes at which the middle position's receptive field lies inside `upstream`."""
    full = model.input.size
    below, above = (model.layer(name).shape for name in (upstream, layer))
    if len(below) != 3 or len(above) != 3:
        return full
    radius = receptive_field_radius(model, upstream, layer)

    def fits(fraction: int) -> bool:
        try:
            shapes = shapes_at(model, (upstream, layer), _scaled(full, fraction))
        # A network may refuse a size in any way.
        except Exception:
            return False
        return all(_inside(radius, shapes[upstream][axis], shapes[layer][axis]) for axis in (0, 1))

    return _scaled(full, bisect_left(range(1, FRACTIONS), True, key=fits) + 1)


def _scaled(size: tuple[int, int], fraction: int) -> tuple[int, int]:
    return size[0] * fraction // FRACTIONS, size[1] * fraction // FRACTIONS


def _inside(radius: int, below: int, above: int) -> bool:
    """Whether the field fits into a map with a position to spare, since padding moves it a little."""
    if not above:
        return False
    center = aligned_center(below, above)
    return center - radius - 1 >= 0 and center + radius + 1 <= below - 1
