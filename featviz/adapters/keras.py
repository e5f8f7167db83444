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
from featviz.adapters.first_output import first_output
from featviz.adapters.fixed_inputs import Fixed, check_fixed, for_images, image_input, split_weights
from featviz.adapters.keras_inputs import declared_input, find_inputs
from featviz.adapters.traced import build_model
from featviz.errors import FeatvizError, in_one_line
from featviz.model import InputSpec, Model, Weights
from featviz.tracing.marks import mark, module_scope

if TYPE_CHECKING:
    import keras

# Begins the names of the weights that are fixed inputs.
FIXED = "fixed/"


def from_keras(
    model: "keras.Model | str | PathLike[str]",
    *,
    input: InputSpec | None = None,
    fixed: Fixed | None = None,
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
            channels and their axis; its range is then 0..255 if the input is of whole numbers, or if a layer within
            rescales or normalizes that, as in most of `keras.applications`, else [0,1].
        fixed: For a model of several inputs, an array for each but the image, by Keras's name, for one image.
        name: What captions and messages call it, by default the model's name.
        axes: By layer or pattern of layers, the axis of its units in the array that the network computes, such as
            `{"mixer": 2}`, where featviz's is not right.
        classes: The names of its outputs.
        source: Where it comes from, as pictures record it.

    Returns:
        The Model.

    Raises:
        FeatvizError: If the model takes inputs beside the image that `fixed` lacks, or declares no size and `input` is
            missing; if it fails on such images or has no weights yet; if a file holds Python code, which is not run;
            if Keras is not installed or has another backend.
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
    inputs, arguments = find_inputs(model)
    image = image_input(str(model.name), inputs, fixed)
    given = check_fixed(str(model.name), inputs, fixed)
    added, constants = split_weights(given)
    variables = [*model.trainable_variables, *model.non_trainable_variables]
    trainable, names = len(model.trainable_variables), _unique([variable.path for variable in variables])
    options = {"training": False} if "training" in inspect.signature(model.call).parameters else {}

    def forward(weights: Weights, encoded: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        values = [weights[name] for name in names]
        others = {name: weights[FIXED + name] for name in added} | constants
        others = {name: for_images(array, inputs[name], encoded.shape[0]) for name, array in others.items()}
        args, keywords = arguments({image: encoded, **others})
        with warnings.catch_warnings(), _marking(model), module_scope("", opaque=True):
            # Raised for a model that takes a list of one array.
            warnings.filterwarnings("ignore", "The structure of `inputs`")
            output, _ = model.stateless_call(values[:trainable], values[trainable:], *args, **keywords, **options)
        return first_output(output), {}

    # Copied, since training may reuse the memory of the model's arrays.
    weights = {path: jax.numpy.array(variable.value) for path, variable in zip(names, variables, strict=True)}
    weights |= {FIXED + name: jax.numpy.asarray(array) for name, array in added.items()}
    return build_model(
        forward,
        weights,
        declared_input(model, image) if input is None else require_input(input, str(model.name), channels_first=False),
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


def _unique(names: Sequence[str]) -> list[str]:
    """The names, repeated ones as `name[1]`: Keras does not promise unique paths."""
    counts = [names[:index].count(name) for index, name in enumerate(names)]
    return [f"{name}[{count}]" if count else name for name, count in zip(names, counts, strict=True)]


@contextmanager
def _marking(model: Any) -> Iterator[None]:
    """While it is open, each layer of the model marks what it returns by the names of the layers that it runs in."""
    import keras
    from keras.src.models.functional import Functional

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

    # A quantized layer has a call of its own.
    calls_of = [
        (layer, name)
        for layer in model._flatten_layers(include_self=False)
        for name in ("call", "quantized_call")
        if hasattr(layer, name)
    ]
    before = [(vars(layer), name, vars(layer).get(name)) for layer, name in calls_of]
    # A Sequential runs a functional model that is not among its layers.
    found = {
        id(each): each for layer in model._flatten_layers() for each in (layer, getattr(layer, "_functional", None))
    }
    functional = [each for each in found.values() if isinstance(each, Functional)]
    # Keras would print its arguments, on many colored lines.
    filtering = keras.config.is_traceback_filtering_enabled()
    keras.config.disable_traceback_filtering()
    try:
        for layer, name in calls_of:
            vars(layer)[name] = marking(layer, getattr(layer, name))
        for layer in functional:
            vars(layer)["_convert_inputs_to_tensors"] = _keeping_floats(layer._convert_inputs_to_tensors)
        yield
    finally:
        if filtering:
            keras.config.enable_traceback_filtering()
        for layer in functional:
            vars(layer).pop("_convert_inputs_to_tensors", None)
        for attributes, name, call in before:
            if call is None:
                attributes.pop(name, None)
            else:
                attributes[name] = call


def _keeping_floats(convert: Callable[[Sequence[Any]], list[Any]]) -> Callable[[Sequence[Any]], list[Any]]:
    """Images for an input of integers stay floats: whole numbers would have no gradient."""

    def run(inputs: Sequence[Any]) -> list[Any]:
        return [
            given
            if isinstance(given, jax.Array)
            and np.issubdtype(given.dtype, np.floating)
            and not np.issubdtype(converted.dtype, np.floating)
            else converted
            for given, converted in zip(inputs, convert(inputs), strict=True)
        ]

    return run
