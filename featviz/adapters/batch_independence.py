"""Whether a network gives an image the same activations whatever the other images of its batch are."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from featviz.common.compilation import quick_options
from featviz.common.program_store import load_or_compile
from featviz.model import IMAGE, InputSpec, Weights
from featviz.tracing.batch_axis import find_mixing
from featviz.tracing.program import Program, Step, Value

# An image's values that differ by more than this share of their norm are others: rounding gives 1e-6.
TOLERANCE = 1e-4
# The number of images of a program that is checked: reshapes are followed by factors, of which a prime has none.
COUNT = 2

Activations = Mapping[str, Float[Array, "n ..."]]


class Dependent(NamedTuple):
    """A layer in which images depend on their batch; `random` where each image has random numbers of its own."""

    layer: str
    random: bool = False


def find_dependent_layer(
    program: Program,
    values: Mapping[str, Value | None],
    apply: Callable[[Weights, Float[Array, "n h w c"]], Activations],
    weights: Weights,
    spec: InputSpec,
) -> Dependent | None:
    """The first layer in which an image's activations depend on the other images of its batch, None where none does.

    The program is read first, which takes milliseconds. Only where a step of it may mix images is the network run, on
    four batches of two images: image 0 must keep its values when image 1 becomes another, and be the same in either
    place.

    Args:
        program: The network traced for `COUNT` images, its last input.
        values: The value of each layer in forward order; None of one that lies in a loop.
        apply: The network, whose activations have the images on their first axis.
        weights: Its weights.
        spec: How it takes its images.
    """
    mixing = find_mixing(program, program.inputs[-1], COUNT)
    if mixing is None:
        return None
    if mixing.certain:
        later = _depending(program, mixing.step)
        return Dependent(
            next((name for name, value in values.items() if value in later), list(values)[-1]), random=True
        )
    if any(isinstance(leaf, jax.ShapeDtypeStruct | jax.core.Tracer) for leaf in jax.tree.leaves(weights)):
        return None
    differing = _first_that_differs(apply, weights, spec)
    return None if differing is None else Dependent(differing)


def _first_that_differs(apply: Callable[..., Activations], weights: Weights, spec: InputSpec) -> str | None:
    first, second = _images(spec)
    names: list[str] = []

    def signatures(weights: Weights, images: Float[Array, "n h w c"]) -> list[Float[Array, "n 2"]]:
        activations = {name: value for name, value in apply(weights, images).items() if name != IMAGE}
        names[:] = activations
        return [_signature(value) for value in activations.values()]

    # The program runs four times: its compilation is most of the time, and optimizing it would be longer.
    batches = [np.stack(pair) for pair in ((first, second), (second, first), (first, first), (second, second))]
    run = load_or_compile(jax.jit(signatures).lower(weights, batches[0]), quick_options())
    together, swapped, firsts, seconds = ([np.asarray(rows) for rows in run(weights, batch)] for batch in batches)
    for index, name in enumerate(names):
        pairs = [(together, 0, firsts, 0), (together, 1, seconds, 1), (together, 0, swapped, 1)]
        if len(together[index]) != COUNT or any(_differ(a[index][i], b[index][j]) for a, i, b, j in pairs):
            return name
    return None


def _images(spec: InputSpec) -> Float[np.ndarray, "2 h w c"]:
    """Two images of noise, a bright one of low contrast and a dark one of high contrast."""
    images = np.random.default_rng(0).random((2, *spec.size, spec.channels), dtype=np.float32)
    return np.stack([0.5 + 0.3 * images[0], 0.8 * images[1] ** 2])


def _signature(values: Float[Array, "n ..."]) -> Float[Array, "n 2"]:
    """Of each image, a fixed projection of its values on a line, and their norm."""
    rows = values.reshape(values.shape[0], -1).astype(jnp.float32)
    weights = jnp.cos(jnp.arange(rows.shape[1], dtype=jnp.float32))[None]
    return jnp.stack([jnp.sum(rows * weights, 1), jnp.sqrt(jnp.sum(jnp.square(rows), 1))], 1)


def _differ(row: Float[np.ndarray, " 2"], other: Float[np.ndarray, " 2"]) -> bool:
    scale = max(row[1], other[1])
    return not np.allclose(row, other, rtol=0, atol=TOLERANCE * scale, equal_nan=True) if np.isfinite(scale) else False


def _depending(program: Program, step: Step) -> set[Value]:
    """The values that depend on a step."""
    later = set(step.outputs)
    for each in program.steps[program.steps.index(step) :]:
        if not later.isdisjoint(each.inputs):
            later.update(each.outputs)
    return later
