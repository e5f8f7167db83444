"""What a Keras model takes: its inputs by name, and the size, channels and range of its images as it declares them."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from featviz.adapters.fixed_inputs import Shapes
from featviz.errors import FeatvizError
from featviz.model import InputSpec


def find_inputs(model: Any) -> tuple[Shapes, Callable[[Mapping[str, Any]], tuple[tuple[Any, ...], dict[str, Any]]]]:
    """What a model takes, by name, and how its call takes arrays by these names."""
    from keras.src.models.functional import Functional

    declared = jax.tree.leaves(getattr(model, "inputs", None))
    if declared:
        # Others, such as a Sequential, take their one image itself.
        structure = model.input if isinstance(model, Functional) else declared[0]
        shapes: dict[str, Any] = {tensor.name: tuple(tensor.shape) for tensor in declared}
        return shapes, lambda values: ((_map_tensors(structure, values),), {})
    # A subclassed model declares no inputs, but keeps the shapes of those that it was built with.
    (built,) = [*(getattr(model, "_build_shapes_dict", None) or {}).values()][:1] or [None]
    parameters = [
        parameter.name
        for parameter in inspect.signature(model.call).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        and parameter.name not in ("training", "mask")
    ]
    if len(parameters) > 1:
        # Only the first one's shape is known.
        shapes = dict.fromkeys(parameters) | {parameters[0]: _free_batch(built)}
        return shapes, lambda values: ((values[parameters[0]],), {name: values[name] for name in parameters[1:]})
    if isinstance(built, Mapping):
        return {name: _free_batch(shape) for name, shape in built.items()}, lambda values: ((dict(values),), {})
    several = built is not None and not all(size is None or isinstance(size, int) for size in built)
    if several and len(built) > 1:
        named = {str(index): _free_batch(shape) for index, shape in enumerate(built)}
        return named, lambda values: (([values[name] for name in named],), {})
    (name,) = parameters or ["inputs"]
    return {name: None if several else _free_batch(built)}, lambda values: ((values[name],), {})


def _map_tensors(structure: Any, values: Mapping[str, Any]) -> Any:
    """The arrays in the structure of a model's declared inputs; one list of one tensor is that tensor."""
    if isinstance(structure, Mapping):
        return {key: _map_tensors(part, values) for key, part in structure.items()}
    if isinstance(structure, list | tuple):
        return [_map_tensors(part, values) for part in structure]
    return values[structure.name]


def _free_batch(shape: Any) -> tuple[int | None, ...] | None:
    return None if shape is None else (None, *tuple(shape)[1:])


def declared_input(model: Any, image: str) -> InputSpec:
    """The input that a model declares for its image."""
    import keras

    inputs: Sequence[Any] = jax.tree.leaves(getattr(model, "inputs", None))
    shape, dtype = next(
        ((tuple(tensor.shape), tensor.dtype) for tensor in inputs if tensor.name == image), ((), "float32")
    )
    layers = [layer for layer in model._flatten_layers() if not isinstance(layer, keras.Model)]
    # Layers may have another format than Keras's own.
    formats = [layer.data_format for layer in layers if getattr(layer, "data_format", None)]
    first = next(iter(formats), keras.config.image_data_format()) == "channels_first"
    *sides, channels = shape[2:] + shape[1:2] if first else shape[1:] or (None,)
    if len(sides) != 2 or None in (*sides, channels):
        found = ", ".join(str(tuple(tensor.shape)) for tensor in inputs) or "none"
        raise FeatvizError(
            f"`input` is None, and the inputs that {model.name} declares are {found}; expected `input`, or one of "
            "known height, width and number of channels"
        )
    of_bytes = np.issubdtype(dtype, np.integer) or _takes_bytes(layers)
    return InputSpec(
        size=(sides[0], sides[1]), channels=channels, scale=255.0 if of_bytes else 1.0, channels_first=first
    )


def _takes_bytes(layers: Sequence[Any]) -> bool:
    """Whether the layers bring images of 0..255 to another range: 1/255 and 1/127.5 are in use, and means of bytes."""
    import keras

    scales = [np.max(np.asarray(layer.scale)) for layer in layers if isinstance(layer, keras.layers.Rescaling)]
    if scales:
        return any(scale < 1 / 100 for scale in scales)
    normalizations = [layer for layer in layers if isinstance(layer, keras.layers.Normalization)]
    return any(np.max(np.asarray(layer.mean)) > 2 for layer in normalizations if layer.mean is not None)
