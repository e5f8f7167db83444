"""A layer as a linear function of layers below it: what is between them opened, pooled and scaled linearly."""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from featviz.circuits.path_rules import EVERY, Paths, path_rules
from featviz.model import Apply, Weights
from featviz.model.editable import Editable, add_edits
from featviz.model.edits import Selection, StandIn
from featviz.surveys.receptive_fields import grid_of
from featviz.tracing.dependence import unroll_dependent_scans
from featviz.tracing.evaluation import evaluate
from featviz.tracing.program import Program, trace

# Takes cotangents of the layer's units, (units,), back to the activations below, whose batch is one.
Pullback = Callable[[Float[Array, " units"]], list[Float[Array, "1 *positions source_units"]]]


def linearize(
    apply: Apply,
    weights: Weights,
    image: Float[Array, "1 h w c"],
    sources: Sequence[str],
    layer: str,
    *,
    paths: Paths = EVERY,
) -> tuple[Float[Array, " units"], Pullback]:
    """The units of `layer` at its middle position, and the vector-Jacobian product back to `sources`.

    Gradients are those of the pre-activation, of each source with the others held (`featviz.circuits.path_rules`).
    What is not linear under these rules keeps its gradient on the image.

    Args:
      apply, weights: of the network.
      image: one image in [0,1].
      sources: the layers below.
      layer: a layer that is computed from them.
      paths: those along which gradients flow.

    Returns:
      the values of the units, and the pullback.

    >>> import featviz as fv, jax.numpy as jnp
    >>> model = fv.load("patterns")
    >>> image = jnp.full((1, 64, 64, 3), 0.5)
    >>> values, pullback = linearize(model.apply, model.weights, image, ["conv2"], "mixed3a")
    >>> values.shape, pullback(jnp.ones(48))[0].shape
    ((48,), (1, 16, 16, 32))
    """
    below = [apply(weights, image, layers=(source,))[source] for source in sources]
    if paths.direct:
        # Direct paths are linear wherever they are looked at: the network below need not run.
        below = [jnp.zeros_like(each) for each in below]
    program, args = program_behind(apply, weights, image, dict(zip(sources, below, strict=True)), layer)
    inputs = program.inputs[-len(below) :]
    program = unroll_dependent_scans(program, inputs)
    rules = path_rules(program, inputs, program.outputs[0], paths)

    def above(*values: Float[Array, "1 *positions source_units"]) -> Float[Array, " units"]:
        (activation,) = evaluate(program, [*args, *values], program.outputs, rules=rules)
        return activation.reshape(-1, activation.shape[-1])[
            middle_position(activation.shape[1:], (image.shape[1], image.shape[2]))
        ]

    units, pullback = jax.vjp(above, *below)
    return units, lambda cotangent: list(pullback(cotangent.astype(units.dtype)))


def program_behind(
    apply: Apply,
    weights: Weights,
    image: Float[Array, "1 h w c"],
    sources: Mapping[str, Float[Array, "1 *positions source_units"]],
    layer: str,
) -> tuple[Program, list[jax.Array]]:
    """The program that computes a layer from the activations of layers below, which are its last inputs.

    Returns:
      the program, and arrays for its inputs before those.
    """
    assert isinstance(apply, Editable)
    leaves, structure = jax.tree.flatten((weights, image))

    def behind(*args: jax.Array) -> jax.Array:
        weights, image = jax.tree.unflatten(structure, args[: len(leaves)])
        values = zip(sources, args[len(leaves) :], strict=True)
        added = {name: [StandIn(Selection(), value[0])] for name, value in values}
        patched, patched_weights = add_edits(apply, weights, added)
        return patched(patched_weights, image, layers=(layer,))[layer]

    program, _ = trace(behind, *leaves, *sources.values())
    return program, leaves


def middle_position(shape: tuple[int, ...], size: tuple[int, int]) -> int:
    """The flat index of the middle position of an activation (..., units); among tokens, that of the middle patch.

    Args:
      shape: of the layer, without the batch.
      size: (height, width) of the image.

    >>> middle_position((5, 5, 8), (40, 40)), middle_position((10, 8), (24, 24)), middle_position((8,), (24, 24))
    (12, 5, 0)
    """
    grid = grid_of(shape, size)
    if len(shape) == 2:
        return grid.skipped + grid.rows // 2 * grid.columns + grid.columns // 2
    index = 0
    for side in shape[:-1]:
        index = index * side + side // 2
    return index
