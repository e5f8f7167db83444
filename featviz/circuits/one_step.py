"""One-step weights: the layers from which a layer is computed by a single set of weights."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from featviz.circuits.path_rules import arranged_from
from featviz.common.kept import kept_with_owner
from featviz.model import Apply, Model
from featviz.tracing.dependence import dependents
from featviz.tracing.program import Program, Step, Value, trace

WEIGHTED = {"conv_general_dilated", "dot_general"}


def one_step_sources(model: Model) -> dict[str, tuple[str, ...]]:
    """For each layer, the layers that it is computed from by one convolution or one matrix product.

    Past the weights, the search goes on to the first layer that has a name: through pooling, and through ReLUs. At a
    sum of two paths, such as a skip connection, it ends at the first named layer too.

    >>> import featviz as fv
    >>> found = one_step_sources(fv.load("patterns"))
    >>> found["mixed3a"], found["conv2"]
    (('conv2',), ('conv1',))
    """
    names = tuple(layer.name for layer in model.layers)
    leaves, structure = jax.tree.flatten(jax.eval_shape(lambda weights: weights, model.weights))
    image = (1, *model.input.size, model.input.channels)
    return dict(zip(names, _traced_sources(model.apply, tuple(leaves), structure, names, image), strict=True))


def one_step_targets(
    sources: dict[str, tuple[str, ...]], parents: dict[str, tuple[str, ...]], preferred: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """For each layer, the layers that are computed from it by one set of weights, each unit once.

    Of a layer and what follows it without weights, such as its ReLU or a concatenation, a preferred one is kept, or
    else the first.

    Args:
      sources: of `one_step_sources`.
      parents: of each layer, in forward order.
      preferred: names of layers.
    """
    found: dict[str, tuple[str, ...]] = {}
    for source in parents:
        reached = [name for name in parents if source in sources[name]]
        weightless = {name: [parent for parent in parents[name] if parent in reached] for name in reached}
        covered: set[str] = set()
        for name in reversed(reached):
            if name in preferred or name in covered:
                covered.update(weightless[name])
        found[source] = tuple(
            name for name in reached if name in preferred or (name not in covered and not weightless[name])
        )
    return found


@kept_with_owner(maxsize=4)
def _traced_sources(
    apply: Apply,
    leaves: tuple[jax.ShapeDtypeStruct, ...],
    structure: jax.tree_util.PyTreeDef,
    names: tuple[str, ...],
    image: tuple[int, ...],
) -> tuple[tuple[str, ...], ...]:
    weights = jax.tree.unflatten(structure, leaves)
    program, shapes = trace(lambda w, x: apply(w, x, layers=names), weights, jax.ShapeDtypeStruct(image, jnp.float32))
    values = dict(zip(shapes, program.outputs, strict=True))
    varying = dependents(program, program.inputs[-1:])
    named: dict[Value, str] = {}
    for name in names:
        # An adapter may arrange what the network goes on with.
        for value in arranged_from(program, values[name]):
            named.setdefault(value, name)
    order = {name: index for index, name in enumerate(names)}
    return tuple(
        tuple(sorted(_sources(program, values[name], named, varying), key=order.__getitem__)) for name in names
    )


def _sources(program: Program, start: Value, named: dict[Value, str], varying: set[Value]) -> set[str]:
    found: set[str] = set()
    own = set(arranged_from(program, start))
    waiting, seen = [(start, False)], {(start, False)}
    while waiting:
        value, ended = waiting.pop()
        step = program.producers.get(value)
        if value not in own and ended and value in named:
            found.add(named[value])
            continue
        if step is None:
            continue
        ends = _ends(step, varying)
        for before in step.inputs:
            state = (before, ended or ends)
            if before in varying and state not in seen:
                seen.add(state)
                waiting.append(state)
    return found


def _ends(step: Step, varying: set[Value]) -> bool:
    """Whether a step has weights, or joins two paths."""
    count = sum(value in varying for value in step.inputs)
    return (step.primitive.name in WEIGHTED and count == 1) or (step.primitive.name == "add" and count == 2)
