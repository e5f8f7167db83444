"""The inputs of a network besides its image: arrays that are fixed when it is adapted."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from featviz.errors import FeatvizError, suggest

# By input: the sizes of its axes, the batch first, None where one is free; or None where nothing is declared.
Shapes = Mapping[str, Sequence[int | None] | None]
Fixed = Mapping[str, ArrayLike]


def image_input(network: str, inputs: Shapes, fixed: Fixed | None) -> str:
    """The input that takes the image: the one that `fixed` does not name.

    Args:
        network: What messages call the network.
        inputs: All that it takes.
        fixed: The user's arrays.

    Raises:
        FeatvizError: If not exactly one is left; the message lists the inputs with their shapes.

    >>> image_input("net", {"image": (None, 3, 8, 8), "meta": (None, 5)}, {"meta": np.zeros(5)})
    'image'
    """
    given = dict(fixed or {})
    for name in given:
        if name not in inputs:
            raise FeatvizError(f"`fixed` names `{name}`, which {network} does not take; {suggest(name, inputs)}")
    left = [name for name in inputs if name not in given]
    if len(left) != 1:
        listed = ", ".join(f"`{name}`{_format_shape(shape)}" for name, shape in inputs.items()) or "none"
        count = f"{len(inputs)} inputs" if len(inputs) != 1 else "one input"
        example = next((name for name in reversed(left) if len(inputs[name] or ()) != 4), left[-1]) if left else ""
        forms = f"fixed={{'{example}': array}} or --fixed {example}=FILE.npy"
        expected = f"`fixed`, arrays of all but the image, such as {forms}"
        raise FeatvizError(f"{network} takes {count} ({listed}); expected {expected if left else 'the image'}")
    return left[0]


def check_fixed(network: str, inputs: Shapes, fixed: Fixed | None) -> dict[str, np.ndarray]:
    """The user's arrays, each with a leading axis of 1 for the batch where the input has one.

    Args:
        network: What messages call the network.
        inputs: All that it takes.
        fixed: An array for one image, with or without an axis of 1 for the batch; with it where no shape is declared.

    Raises:
        FeatvizError: If an array is not of its input's shape.

    >>> check_fixed("net", {"meta": (None, 2)}, {"meta": [1.0, 2.0]})["meta"].shape
    (1, 2)
    """
    arrays: dict[str, np.ndarray] = {}
    for name, value in (fixed or {}).items():
        array, shape = np.asarray(value), inputs[name]
        if array.dtype.kind not in "biuf":
            raise FeatvizError(f"`fixed` has `{name}` of {array.dtype}; expected numbers")
        if shape is not None:
            batched = len(shape) > 0 and shape[0] in (None, 1)
            array = array[None] if batched and array.ndim == len(shape) - 1 else array
            fits = array.ndim == len(shape) and not (batched and array.shape[0] != 1)
            if not fits or any(size not in (None, side) for size, side in zip(shape, array.shape, strict=True)):
                expected = f"{_format_shape(shape)}, for one image"
                raise FeatvizError(f"`fixed` has `{name}` of shape{_format_shape(np.shape(value))}; expected{expected}")
        # Half and double precision run in single, JAX's integers have 32 bits.
        arrays[name] = array.astype(np.float32) if array.dtype.kind == "f" else array
    return arrays


def for_images(array: Any, shape: Sequence[int | None] | None, count: int) -> Any:
    """A fixed array for a batch: repeated along the axis of the batch, where its input has one."""
    if shape is None or not len(shape) or shape[0] is not None:
        return array
    repeat = jnp.broadcast_to if isinstance(array, jax.Array) else np.broadcast_to
    return repeat(array, (count, *array.shape[1:]))


def split_weights(arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The floating arrays, which are weights, and the others, which are constants of the program."""
    floating = {name: array for name, array in arrays.items() if array.dtype.kind == "f" and array.ndim}
    return floating, {name: array for name, array in arrays.items() if name not in floating}


def _format_shape(shape: Sequence[int | None] | None) -> str:
    return "" if shape is None else f" ({', '.join('?' if size is None else str(size) for size in shape)})"
