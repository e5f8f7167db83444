"""An ONNX graph run in JAX: what is constant is worked out while it is traced, the rest by the table of operators."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from featviz.adapters.onnx.model_file import Graph, Node, lay_out
from featviz.adapters.onnx.operators import OPERATORS
from featviz.adapters.onnx.operators.call import Array, Call
from featviz.adapters.onnx.protos import array_of
from featviz.errors import FeatvizError, in_one_line, nearest
from featviz.tracing.marks import mark


def run(graph: Graph, given: Mapping[str, Array]) -> list[Array]:
    """The graph's outputs; what its nodes compute is named in the traced program.

    Raises: FeatvizError for an operator that is missing, ValueError if a node fails.
    """
    values: dict[str, Array] = {**graph.constants, **given}
    for node in graph.nodes:
        inputs = tuple(values[name] if name else None for name in node.inputs)
        # Scopes of modules begin with the network's own class: so a ReLU within HardSwish is named by its node.
        with jax.named_scope(f"onnx/{node.name}"):
            results = _run_node(graph, node, inputs, values)
        for name, result in zip(node.outputs, results, strict=False):
            values[name] = mark(graph.names[name], result) if name in graph.names else result
    return [values[name] for name in graph.outputs]


def _run_node(graph: Graph, node: Node, inputs: tuple[Array, ...], values: Mapping[str, Array]) -> Sequence[Any]:
    try:
        if node.operator in ("Shape", "Size"):
            return [_measure(node, np.shape(inputs[0]))]
        if node.operator == "If" and not isinstance(inputs[0], jax.Array):
            return _choose(graph, node, bool(np.all(inputs[0])), values)
        if not any(isinstance(each, jax.Array) for each in inputs) and "If" not in node.operator:
            return _work_out(graph, node, inputs)
        if node.operator in ("Cast", "CastLike"):
            return [_cast(node, inputs)]
        if node.operator not in OPERATORS:
            raise FeatvizError(
                f"the node `{node.name}` is a `{node.operator}` of opset {graph.opset}, which featviz lacks; "
                f"{nearest(node.operator, OPERATORS)}"
            )
        found = OPERATORS[node.operator](Call(inputs, node.attributes, graph.opset, len(node.outputs)))
        return found if isinstance(found, tuple) else (found,)
    except FeatvizError:
        raise
    # Whatever jax or numpy raise: the node is what a user looks for.
    except Exception as error:
        raise ValueError(f"the node `{node.name}` ({node.operator}): {in_one_line(error)}") from error


def _measure(node: Node, shape: tuple[int, ...]) -> np.ndarray:
    if node.operator == "Size":
        return np.asarray(np.prod(shape), np.int64)
    return np.asarray(shape[node.attributes.get("start", 0) : node.attributes.get("end", None)], np.int64)


def _work_out(graph: Graph, node: Node, inputs: Sequence[Any]) -> Sequence[np.ndarray]:
    """What a node makes of constants, by ONNX's own reference."""
    from onnx.reference import ReferenceEvaluator

    names = [name for name in node.inputs if name]
    fed = dict(zip(names, [each for each in inputs if each is not None], strict=True))
    return ReferenceEvaluator(node.proto, opsets={"": graph.opset}).run(None, fed)


def _choose(graph: Graph, node: Node, chosen: bool, values: Mapping[str, Array]) -> Sequence[Array]:
    """The branch of an `If` whose condition is known."""
    branch = node.attributes["then_branch" if chosen else "else_branch"]
    constants = {each.name: array_of(each) for each in branch.initializer}
    return run(lay_out(branch, constants, graph.opset, {}), values)


def _cast(node: Node, inputs: Sequence[Array]) -> Array:
    """Another type; every floating one is single precision here."""
    from onnx import helper

    wanted = inputs[1].dtype if node.operator == "CastLike" else helper.tensor_dtype_to_np_dtype(node.attributes["to"])
    if jnp.issubdtype(wanted, jnp.floating):
        return jnp.asarray(inputs[0], jnp.float32)
    return jnp.asarray(inputs[0]).astype(jax.dtypes.canonicalize_dtype(wanted))
