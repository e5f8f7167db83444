"""An ONNX graph run in JAX: constants are folded while it is traced, other nodes run by the table of operators."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from featviz.adapters.onnx.model_file import Graph, Node, parse_graph
from featviz.adapters.onnx.operators import OPERATORS
from featviz.adapters.onnx.operators.call import Array, Call
from featviz.adapters.onnx.protos import array_of, used_names
from featviz.errors import FeatvizError, in_one_line, suggest
from featviz.tracing.marks import mark

# Operators whose meaning older opsets differ in, where ONNX's reference implementation has the newest alone.
CHANGED = ("Softmax", "LogSoftmax")


def run(graph: Graph, given: Mapping[str, Array]) -> list[Array]:
    """The graph's outputs; the values of its nodes are named in the traced program.

    Raises: FeatvizError for an operator that is missing, ValueError if a node fails.
    """
    values: dict[str, Array] = {**graph.constants, **given}
    for node in graph.nodes:
        inputs = tuple(values[name] if name else None for name in node.inputs)
        # Flax's scopes begin with the network's class, here `onnx`: so a ReLU within HardSwish gets the node's name.
        with jax.named_scope(f"onnx/{node.name}"):
            results = _run_node(graph, node, inputs, values)
        for name, result in zip(node.outputs, results, strict=False):
            values[name] = mark(graph.names[name], result) if name in graph.names else result
    return [values[name] for name in graph.outputs]


def _run_node(graph: Graph, node: Node, inputs: tuple[Array, ...], values: Mapping[str, Array]) -> Sequence[Array]:
    try:
        if node.operator in ("Shape", "Size"):
            return [_shape_or_size(node, np.shape(inputs[0]))]
        if node.operator == "If" and not isinstance(inputs[0], jax.Array):
            return _run_branch(graph, node, bool(np.all(inputs[0])), values)
        if not any(isinstance(value, jax.Array) for value in inputs) and "If" not in node.operator:
            return _fold(graph, node, inputs, values)
        if node.operator in ("Cast", "CastLike"):
            return [_cast(node, inputs)]
        if node.operator not in OPERATORS:
            raise FeatvizError(
                f"the node `{node.name}` is a `{node.operator}` of opset {graph.opset}, which featviz lacks; "
                f"{suggest(node.operator, OPERATORS)}"
            )
        result = OPERATORS[node.operator](Call(inputs, node.attributes, graph.opset, len(node.outputs)))
        return result if isinstance(result, tuple) else (result,)
    except FeatvizError:
        raise
    # JAX and NumPy may raise anything; the message needs the node.
    except Exception as error:
        raise ValueError(f"the node `{node.name}` ({node.operator}): {in_one_line(error)}") from error


def _shape_or_size(node: Node, shape: tuple[int, ...]) -> np.ndarray:
    if node.operator == "Size":
        return np.asarray(np.prod(shape), np.int64)
    return np.asarray(shape[node.attributes.get("start", 0) : node.attributes.get("end", None)], np.int64)


def _fold(graph: Graph, node: Node, inputs: Sequence[Array], values: Mapping[str, Array]) -> Sequence[np.ndarray]:
    """The outputs of a node of constants, by ONNX's reference implementation."""
    if node.operator in CHANGED:
        with jax.ensure_compile_time_eval():
            return [np.asarray(OPERATORS[node.operator](Call(tuple(inputs), node.attributes, graph.opset)))]
    from onnx import NodeProto, ValueInfoProto, helper
    from onnx.reference import ReferenceEvaluator

    names = [name for name in node.inputs if name]
    feeds = dict(zip(names, [np.asarray(value) for value in inputs if value is not None], strict=True))
    # What the subgraphs of a loop take from around them.
    subgraphs = [attribute.g for attribute in node.proto.attribute if attribute.HasField("g")]
    around = set().union(*map(used_names, subgraphs)) & values.keys() - feeds.keys()
    feeds |= {name: values[name] for name in sorted(around) if not isinstance(values[name], jax.Array)}
    proto = NodeProto()
    proto.CopyFrom(node.proto)
    if proto.domain == "ai.onnx":
        proto.domain = ""
    given = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in feeds.items()
    ]
    outputs = [ValueInfoProto(name=name) for name in node.outputs if name]
    # A graph and not the node alone, for which the newest opset would be taken whatever the file says.
    alone = helper.make_graph([proto], "constants", given, outputs)
    results = iter(ReferenceEvaluator(alone, opsets={"": graph.opset}).run(None, feeds))
    return [next(results) if name else np.zeros(0) for name in node.outputs]


def _run_branch(graph: Graph, node: Node, condition: bool, values: Mapping[str, Array]) -> Sequence[Array]:
    """The branch of an `If` whose condition is known."""
    branch = node.attributes["then_branch" if condition else "else_branch"]
    constants = {tensor.name: array_of(tensor) for tensor in branch.initializer}
    return run(parse_graph(branch, constants, graph.opset, {}), values)


def _cast(node: Node, inputs: Sequence[Array]) -> Array:
    """The input in another type; every floating type is single precision here."""
    from onnx import helper

    wanted = inputs[1].dtype if node.operator == "CastLike" else helper.tensor_dtype_to_np_dtype(node.attributes["to"])
    if jnp.issubdtype(wanted, jnp.floating):
        return jnp.asarray(inputs[0], jnp.float32)
    return jnp.asarray(inputs[0]).astype(jax.dtypes.canonicalize_dtype(wanted))
