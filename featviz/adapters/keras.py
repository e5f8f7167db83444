"""Keras 3 on its JAX backend: a model or its `.keras` file becomes a Model, its layers named as Keras names them."""

import inspect
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from featviz.adapters.adapter_errors import failing_in, missing_framework, require_input
from featviz.adapters.traced import build_model
from featviz.errors import FeatvizError, in_one_line
from featviz.model import InputSpec, Model, Weights
from featviz.tracing.marks import mark, module_scope

if TYPE_CHECKING:
    import keras


def from_keras(
    model: "keras.Model | str | PathLike[str]",
    *,
    input: InputSpec | None = None,
    name: str | None = None,
    axes: Mapping[str, int] | None = None,
    classes: tuple[str, ...] = (),
    source: Mapping[str, str] | None = None,
) -> Model:
    """A Model of a Keras model on the JAX backend, or of a `.keras` file.

    Layers are the outputs of all layers within, by Keras's names, those of a model within a model behind its name
    (`backbone/conv1`), and the activation functions that are not layers: `conv1/relu` of that layer's output,
    `backbone/relu` of anything else in it. A layer called twice gives `conv` and `conv[1]`. The model runs as at
    inference.

    Args:
        model: A functional, sequential or subclassed model, or the path of a `.keras` file.
        input: How the network takes its images, by default as the model declares its size,
            channels and their axis; its range is then 0..255 if a layer within rescales that, as in most of
            `keras.applications`, else [0,1].
        name: What captions and messages call it, by default the model's name.
        axes: By layer or pattern of layers, the axis of its units in the array that the network computes, such as
            `{"mixer": 2}`, where featviz's is not right.
        classes: The names of its outputs.
        source: Where it comes from, as pictures record it.

    Returns:
        The Model.

    Raises:
        FeatvizError: If the model takes other inputs beside the image, or declares no size and `input` is missing; if
            it fails on such images or has no weights yet; if a file holds Python code, which is not run; if Keras is
            not installed or has another backend.
    """
    if isinstance(model, str | PathLike):
        model = _load(os.fspath(model))
    keras = _import()
    if not isinstance(model, keras.Model):
        raise FeatvizError(
            f"`model` is of type {type(model).__name__}; expected a keras.Model or the path of a .keras file"
        )
    if not model.built:
        raise FeatvizError(f"{model.name} has no weights yet; expected a `model` that was called or built before")
    _require_one_input(model)
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    trainable, names = len(model.trainable_variables), _unique([variable.path for variable in variables])
    options = {"training": False} if "training" in inspect.signature(model.call).parameters else {}

    def forward(weights: Weights, encoded: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        values = [weights[name] for name in names]
        with warnings.catch_warnings(), _marking(model), module_scope("", opaque=True):
            # Raised for a model that takes a list of one array.
            warnings.filterwarnings("ignore", "The structure of `inputs`")
            output, _ = model.stateless_call(values[:trainable], values[trainable:], encoded, **options)
        return jax.tree.leaves(output)[0], {}

    return build_model(
        forward,
        # Copied, since training may reuse the memory of the model's arrays.
        {path: jax.numpy.array(variable.value) for path, variable in zip(names, variables, strict=True)},
        _declared(model) if input is None else require_input(input, str(model.name), channels_first=False),
        name=name or str(model.name),
        axes=axes,
        classes=classes,
        source=source,
    )


def _import(*, backend: str | None = None) -> Any:
    """The module keras on the JAX backend; `backend` is set where the user has set none."""
    unset = "keras" not in sys.modules and "KERAS_BACKEND" not in os.environ
    try:
        if unset and backend is not None:
            os.environ["KERAS_BACKEND"] = backend
        import keras
    except ImportError as error:
        raise missing_framework("keras", error) from None
    finally:
        if unset and backend is not None:
            del os.environ["KERAS_BACKEND"]
    if keras.backend.backend() != "jax":
        raise FeatvizError(
            f"Keras's backend is {keras.backend.backend()}; expected jax: set KERAS_BACKEND=jax before importing Keras"
        )
    return keras


def _load(path: str) -> Any:
    if not os.path.isfile(path):
        raise FeatvizError(f"`model` is `{path}`, which is not a file; expected a keras.Model or a .keras file")
    keras = _import(backend="jax")
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    # Keras's readers may raise anything.
    except Exception as error:
        reason = in_one_line(error)
        if "safe_mode" in reason:
            raise FeatvizError(
                f"`{path}` holds Python code (a Lambda layer, say), which is not run from a file; expected a model of "
                "layers alone, or, if you trust it, what keras.saving.load_model(..., safe_mode=False) gives"
            ) from error
        raise FeatvizError(f"`{path}` cannot be read as a Keras model: {reason}") from error


def _require_one_input(model: Any) -> None:
    """Refuses a model that takes more than the image."""
    declared = jax.tree.leaves(getattr(model, "inputs", None))
    # A subclassed model declares no inputs, but keeps the shapes of those that it was built with.
    built = _flatten_shapes(getattr(model, "_build_shapes_dict", None) or {})
    required = [
        parameter.name
        for parameter in inspect.signature(model.call).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        and parameter.name not in ("training", "mask")
    ]
    names = [tensor.name for tensor in declared] or required
    count = max(len(declared) or len(built), len(required))
    if count > 1:
        listed = f" ({', '.join(f'`{name}`' for name in names)})" if len(names) == count else ""
        raise FeatvizError(
            f"{model.name} takes {count} inputs{listed}; expected one, the image: a keras.Model of the image alone, "
            "which gives the others fixed values"
        )


def _flatten_shapes(shapes: Any) -> list[Any]:
    """The shapes in Keras's nested lists and dicts of shapes, which JAX does not take for trees."""
    if shapes is None:
        return []
    parts = list(shapes.values()) if isinstance(shapes, Mapping) else list(shapes)
    if not isinstance(shapes, Mapping) and all(size is None or isinstance(size, int) for size in parts):
        return [shapes]
    return [shape for part in parts for shape in _flatten_shapes(part)]


def _declared(model: Any) -> InputSpec:
    """The input that a model declares."""
    import keras

    inputs: Sequence[Any] = getattr(model, "inputs", None) or ()
    shape = tuple(inputs[0].shape) if len(inputs) == 1 else ()
    first = keras.config.image_data_format() == "channels_first"
    *sides, channels = shape[2:] + shape[1:2] if first else shape[1:] or (None,)
    if len(sides) != 2 or None in (*sides, channels):
        declared = ", ".join(str(tuple(tensor.shape)) for tensor in inputs) or "none"
        raise FeatvizError(
            f"`input` is None, and the inputs that {model.name} declares are {declared}; expected `input`, or one of "
            "known height, width and number of channels"
        )
    scales = [
        np.max(np.asarray(layer.scale))
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.Rescaling)
    ]
    # 1/255 and 1/127.5 are in use.
    scale = 255.0 if any(scale < 1 / 100 for scale in scales) else 1.0
    return InputSpec(size=(sides[0], sides[1]), channels=channels, scale=scale, channels_first=first)


def _unique(names: Sequence[str]) -> list[str]:
    """The names, repeated ones as `name[1]`: Keras does not promise unique paths."""
    counts = [names[:index].count(name) for index, name in enumerate(names)]
    return [f"{name}[{count}]" if count else name for name, count in zip(names, counts, strict=True)]


@contextmanager
def _marking(model: Any) -> Iterator[None]:
    """While it is open, each layer of the model marks what it returns by the names of the layers that it runs in."""
    import keras

    calls: list[str] = []

    def marking(layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            calls.append(layer.name)
            path = "/".join(calls)
            try:
                with failing_in(path, layer), module_scope(path, opaque=True):
                    output = call(*args, **kwargs)
            finally:
                calls.pop()
            return mark(path, output)

        return run

    layers = model._flatten_layers(include_self=False)
    before = [(vars(layer), vars(layer).get("call")) for layer in layers]
    # Keras would print its arguments, on many colored lines.
    filtering = keras.config.is_traceback_filtering_enabled()
    keras.config.disable_traceback_filtering()
    try:
        for layer in layers:
            vars(layer)["call"] = marking(layer, layer.call)
        yield
    finally:
        if filtering:
            keras.config.enable_traceback_filtering()
        for attributes, call in before:
            if call is None:
                attributes.pop("call", None)
            else:
                attributes["call"] = call
