"""ONNX: a file becomes a Model, its layers named as its nodes are."""

import importlib.util
import os
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import jax
import jax.numpy as jnp

from featviz.adapters.adapter_errors import missing_framework, require_input
from featviz.adapters.first_output import first_output
from featviz.adapters.fixed_inputs import Fixed, for_images
from featviz.adapters.onnx.baked_batch import for_one_image
from featviz.adapters.onnx.graph import run
from featviz.adapters.onnx.model_file import OnnxFile, read_onnx
from featviz.adapters.onnx.training_mode import training_dropouts
from featviz.adapters.traced import build_model
from featviz.errors import FeatvizError
from featviz.model import InputSpec, Model, Weights

if TYPE_CHECKING:
    import onnx

# Operators whose scale is that of the whole batch.
DYNAMIC = {"DynamicQuantizeLinear", "com.microsoft.DynamicQuantizeMatMul"}
# Sizes by which an axis of channels is recognized: gray, RGB, with alpha. For others `input` is needed.
CHANNELS = (1, 2, 3, 4)


def from_onnx(
    model: Union[str, os.PathLike[str], "onnx.ModelProto"],
    *,
    input: InputSpec | None = None,
    fixed: Fixed | None = None,
    name: str | None = None,
    axes: Mapping[str, int] | None = None,
    classes: tuple[str, ...] = (),
    source: Mapping[str, str] | None = None,
) -> Model:
    """A Model of an ONNX file, or of an `onnx.ModelProto`.

    Layers are named as Netron shows the nodes, without the slash that PyTorch's export begins them with
    (`layer1/Conv`); a node without a name by its output. The network runs as at inference: a dropout in training mode
    drops nothing, with a warning. Floating initializers are the weights; scalars, integers and the shapes that
    exporters compute from them are constants. A file of a fixed batch runs image by image.

    The operators are featviz's own (`onnx/operators`): jaxonnxruntime ran 4 of the tests' 12 exports, as it lacks
    LayerNormalization, HardSwish, Resize and others, and onnx2torch needs PyTorch and torchvision.

    Args:
        model: The path of an `.onnx` file, with external data beside it, or a ModelProto.
        input: How the network takes its images. A file declares size and channels and on which axis they are, but no
            range: by default it is [0,1], and `featviz check` shows whether that is likely.
        fixed: For a network of several inputs, an array for each but the image, by its name in the file, for one image.
        name: What captions and messages call it, by default the file's stem.
        axes: By layer or pattern of layers, the axis of its units in the array that the network computes, such as
            `{"mixer": 2}`, where featviz's is not right.
        classes: The names of its outputs.
        source: Where it comes from, as pictures record it.

    Returns:
        The Model.

    Raises:
        FeatvizError: If ONNX is not installed, the file is damaged, external data is missing, the network does not
            take one image of a known size, or takes other inputs that `fixed` lacks, or an operator is missing; the
            message names the node.
    """
    if importlib.util.find_spec("onnx") is None:
        raise missing_framework("onnx", ImportError("it is not installed"))
    path = Path(model) if isinstance(model, str | os.PathLike) else None
    what = f"`{path.name}`" if path is not None else "`model`"
    file = read_onnx(model, what, fixed=fixed)
    given = None if input is None else require_input(input, what, channels_first=True)
    spec, single_image = _specify(file, given, what)
    if file.shape[0] not in (None, 1):
        one = jax.ShapeDtypeStruct((1, *spec.size, spec.channels), jnp.float32)
        file = for_one_image(file, jax.eval_shape(spec.encode, one).shape, what)
    # Their scale is that of the whole batch, and an image's activations must not depend on its neighbors.
    single_image = single_image or any(node.operator in DYNAMIC for node in file.graph.nodes)

    def forward(weights: Weights, encoded: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        count = encoded.shape[0]
        given: dict[str, Any] = {**weights, **file.fixed}
        given |= {name: for_images(given[name], shape, count) for name, shape in file.fixed_shapes.items()}
        return first_output(run(file.graph, {**given, file.image: encoded})), {}

    dropouts = training_dropouts(file.graph, {**file.weights, **file.fixed})
    if dropouts:
        more = f" and {len(dropouts) - 1} more" if len(dropouts) > 1 else ""
        warnings.warn(
            f"{what} is exported for training: its dropout `{dropouts[0]}`{more} drops nothing here, as at inference",
            stacklevel=2,
        )
    weights = {name: jnp.asarray(array) for name, array in file.weights.items()}
    return build_model(
        forward,
        weights,
        spec,
        name=name or (path.stem if path is not None else "onnx"),
        single_image=single_image,
        axes=axes,
        classes=classes,
        source=source,
    )


def _specify(file: OnnxFile, given: InputSpec | None, what: str) -> tuple[InputSpec, bool]:
    """The input by the file's declaration and the user's, and whether the network takes one image at a time."""
    shape = ", ".join("?" if size is None else str(size) for size in file.shape)
    if len(file.shape) != 4:
        raise FeatvizError(f"{what} takes `{file.image}` of ({shape}); expected images, (n, c, h, w) or (n, h, w, c)")
    batch, second, third, last = file.shape
    counts = CHANNELS if given is None else (given.channels,)
    first_fits, last_fits = second in counts, last in counts
    channels_first = first_fits
    if first_fits == last_fits:
        if given is None and None in (second, last):
            raise FeatvizError(f"{what} takes ({shape}), its channels left open; expected `input`, an InputSpec")
        if not first_fits and None not in (second, last):
            expected = f"{given.channels} channels, as `input` has" if given is not None else "1 to 4 channels"
            raise FeatvizError(f"{what} takes ({shape}); expected {expected}")
        # Both are possible: PyTorch's order, unless the user says otherwise.
        channels_first = given.channels_first if given is not None else True
    channels, (height, width) = (second, (third, last)) if channels_first else (last, (second, third))
    if given is None:
        if height is None or width is None:
            raise FeatvizError(f"{what} takes ({shape}), the size left open; expected `input`, InputSpec(size=...)")
        # Integers are pixels in 0..255.
        scale = 255.0 if file.integer_image else 1.0
        given = InputSpec(size=(height, width), channels=channels or 3, scale=scale)
    if any(declared not in (None, side) for declared, side in zip((height, width), given.size, strict=True)):
        size = " x ".join(map(str, given.size))
        raise FeatvizError(f"`input` is of {size} px; expected {height} x {width}, as {what} declares")
    return replace(given, channels_first=channels_first), batch is not None
