"""A traced network with edits in its program, each at its layer's place."""

from collections.abc import Callable, Mapping, Sequence

import jax

from featviz.errors import FeatvizError, suggest
from featviz.model.edits import Edit
from featviz.tracing.arrangement import Images, arrange, restore
from featviz.tracing.names import NamedValue
from featviz.tracing.program import Program
from featviz.tracing.scans import Location, ScanLocation, ValueLocation
from featviz.tracing.splicing import insert, unroll


def with_edits(
    program: Program,
    named: Mapping[str, NamedValue],
    axes: Mapping[str, int | None],
    edits: Mapping[str, Sequence[Edit]],
) -> tuple[Program, dict[str, NamedValue]]:
    """The program with edits, and where its layers are then. The edits' leaves are its further inputs, in their order.

    A scan in which a layer is edited is unrolled: one of its iterations then differs from the others.

    Args:
        program: The network's program.
        named: Its layers.
        axes: The axis of the units of each, once its images are unfolded.
        edits: By layer, the edits in the order in which they apply.
    """
    named = dict(named)
    for layer in edits:
        if layer not in named:
            raise FeatvizError(
                f"`edits` names `{layer}`, which the network lacks at this size; {suggest(layer, named)}"
            )
        while isinstance(location := named[layer].location, ScanLocation):
            program, moved = unroll(program, location.scan)
            named = _move(named, moved)
    for layer, each in edits.items():
        for edit in each:
            leaves, structure = jax.tree.flatten(edit)
            function = _on_value(structure, named[layer].images, axes[layer])
            program = insert(program, named[layer].value, function, leaves)
    return program, named


def _on_value(structure: jax.tree_util.PyTreeDef, images: Images, units: int | None) -> Callable[..., jax.Array]:
    """An edit as a function of the value as the network computes it, and of the edit's leaves."""

    def edit(value: jax.Array, *leaves: jax.Array) -> jax.Array:
        made: Edit = jax.tree.unflatten(structure, leaves)
        return restore(made(arrange(value, images, units)), value.shape, images, units)

    return edit


def _move(named: Mapping[str, NamedValue], moved: Callable[[Location], Location]) -> dict[str, NamedValue]:
    found = {}
    for name, layer in named.items():
        location = moved(layer.location)
        value = location.value if isinstance(location, ValueLocation) else layer.value
        found[name] = layer._replace(location=location, value=value)
    return found
