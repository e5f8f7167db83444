"""ONNX files exported for a fixed batch of several images: the same graph for one image."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from featviz.adapters.onnx.graph import run
from featviz.adapters.onnx.model_file import Node, OnnxFile
from featviz.common.compilation import quick_options
from featviz.common.program_store import load_or_compile
from featviz.errors import FeatvizError

# Operators whose second input is a shape, or numbers of repeats, that may begin with the batch.
SHAPES = {"Reshape": 1, "Expand": 1, "Tile": 1, "ConstantOfShape": 0}
# Operators that join images with a constant, which an exporter may have repeated for each image.
JOINING = ("Identity", "Concat", "Add", "Sub", "Mul", "Div", "Where")
TOLERANCE = 1e-3


def for_one_image(file: OnnxFile, encoded: tuple[int, ...], what: str) -> OnnxFile:
    """The file for a batch of one, checked against the batch that it is exported for.

    Shapes that begin with the batch, or have it behind tokens, are divided by it, and constants that are the same for
    each image are taken once. An image's output must then be that which it has in the whole batch.

    Args:
        file: A file whose image input has a batch of several.
        encoded: The shape of one encoded image, with an axis of 1 for the batch.
        what: What messages call the file.

    Raises:
        FeatvizError: If the graph for one image gives another output.
    """
    batch = file.shape[0] or 1
    constants = {**file.graph.constants, **file.weights}
    nodes = [_for_one(node, constants, batch) for node in file.graph.nodes]
    weights = {name: constants[name] for name in constants if name in file.weights or _is_taken(name, file.weights)}
    others = {name: array for name, array in constants.items() if name not in weights}
    alone = replace(file, graph=replace(file.graph, nodes=tuple(nodes), constants=others), weights=weights)
    images = np.random.default_rng(0).random((batch, *encoded[1:]), np.float32)
    try:
        together = _output(file, images)
        apart = [_output(alone, images[index : index + 1])[0] for index in (0, batch - 1)]
    except (ValueError, TypeError):
        apart = []
    expected = [] if not apart else [together[0], together[-1]]
    scale = max([float(np.abs(value).max()) for value in expected], default=0.0)
    if not apart or any(
        one.shape != whole.shape or not np.allclose(one, whole, rtol=0, atol=TOLERANCE * scale)
        for one, whole in zip(apart, expected, strict=True)
    ):
        raise FeatvizError(
            f"{what} takes a fixed batch of {batch} images, which its nodes depend on; expected 1 or a free number in "
            "its export"
        )
    return alone


# Behind the name of a constant, that of its part for one image.
ONE = " (one image)"


def _is_taken(name: str, weights: Mapping[str, Any]) -> bool:
    return name.endswith(ONE) and name.removesuffix(ONE) in weights


def _for_one(node: Node, constants: dict[str, np.ndarray], batch: int) -> Node:
    """The node with its constants for one image, which are added to `constants`."""
    inputs = list(node.inputs)
    if node.operator in SHAPES:
        index = SHAPES[node.operator]
        shape = constants.get(inputs[index])
        if shape is not None and shape.ndim == 1 and shape.dtype.kind == "i":
            place = next((place for place, size in enumerate(shape[:2]) if size >= batch and size % batch == 0), None)
            # A first side that is to be inferred is the batch's.
            if place is not None and (place == 0 or shape[0] > 0):
                divided = shape.copy()
                divided[place] //= batch
                constants[inputs[index] + ONE + node.outputs[0]] = divided
                inputs[index] += ONE + node.outputs[0]
    elif node.operator in JOINING:
        for index, name in enumerate(inputs):
            array = constants.get(name)
            if array is not None and array.ndim > 1 and len(array) == batch and (array == array[:1]).all():
                constants[name + ONE] = array[:1]
                inputs[index] = name + ONE
    return replace(node, inputs=tuple(inputs))


def _output(file: OnnxFile, images: np.ndarray) -> np.ndarray:
    """The file's first output for encoded images."""

    def forward(weights: Mapping[str, Array], images: Float[Array, "n ..."]) -> Array:
        return run(file.graph, {**weights, **file.fixed, file.image: images})[0]

    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        compiled = load_or_compile(jax.jit(forward).lower(dict(file.weights), images), quick_options())
    return np.asarray(compiled(dict(file.weights), images))
