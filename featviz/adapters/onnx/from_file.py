"""ONNX: a file becomes a Model, its layers named as its nodes are."""

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import jax
import jax.numpy as jnp

from featviz.adapters.input_hint import require_input
from featviz.adapters.onnx.graph import run
from featviz.adapters.onnx.model_file import File, read
from featviz.adapters.traced import build_model
from featviz.errors import FeatvizError
from featviz.model import InputSpec, Model, Weights

if TYPE_CHECKING:
    import onnx

# Sizes that an axis of channels has: gray, RGB, with alpha. Larger ones are told by `input`.
CHANNELS = (1, 2, 3, 4)


def from_onnx(
    model: Union[str, os.PathLike[str], "onnx.ModelProto"],
    *,
    input: InputSpec | None = None,
    name: str | None = None,
    classes: tuple[str, ...] = (),
    source: Mapping[str, str] | None = None,
) -> Model:
    """A Model of an ONNX file, or of an `onnx.ModelProto`.

    Layers are called as Netron shows the nodes, without the slash that PyTorch's export begins them with,
    `layer1/Conv`; a node without a name by its output. The image's size, channels and their place are those that the
    file declares. Its range, mean and std no file says: without `input` it is taken as [0,1], and `featviz check` tells
    whether that is likely. Floating initializers are the weights, an argument of `Model.apply`; scalars, whole numbers
    and the shapes that exporters compute from them are constants. A file of a fixed batch of one runs image by image.

    The operators are featviz's own (`onnx_operators`): jaxonnxruntime ran 4 of the tests' 12 exports, as it lacks
    LayerNormalization, HardSwish, Resize and others, and onnx2torch needs PyTorch and torchvision.

    Raises: FeatvizError, one line, if the file is damaged, its external data is missing, it does not take one image of
    a known size, or an operator is missing, with the node at which it stands.
    """
    if importlib.util.find_spec("onnx") is None:
        raise FeatvizError("from_onnx needs ONNX, which is not installed; pip install featviz[onnx]")
    path = Path(model) if isinstance(model, str | os.PathLike) else None
    what = f"`{path.name}`" if path is not None else "`model`"
    file = read(model, what)
    given = None if input is None else require_input(input, what, channels_first=True)
    spec, single = _specify(file, given, what)

    def forward(weights: Weights, encoded: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        first, *_ = run(file.graph, {**weights, file.image: encoded})
        return first, {}

    weights: dict[str, Any] = {name: jnp.asarray(array) for name, array in file.weights.items()}
    return build_model(
        forward,
        weights,
        spec,
        name=name or (path.stem if path is not None else "onnx"),
        single_image=single,
        classes=classes,
        source=source,
    )


def _specify(file: File, given: InputSpec | None, what: str) -> tuple[InputSpec, bool]:
    """The input as the file declares it and the user says it, and whether it takes one image at a time."""
    shape = ", ".join("?" if size is None else str(size) for size in file.shape)
    if len(file.shape) != 4:
        raise FeatvizError(f"{what} takes `{file.image}` of ({shape}); expected images, (n, c, h, w) or (n, h, w, c)")
    batch, second, third, last = file.shape
    if batch not in (None, 1):
        raise FeatvizError(f"{what} takes a fixed batch of {batch} images; expected 1 or a free number in its export")
    counts = CHANNELS if given is None else (given.channels,)
    first, behind = second in counts, last in counts
    if first == behind:
        if given is None and None in (second, last):
            raise FeatvizError(f"{what} takes ({shape}), its channels left open; expected `input`, an InputSpec")
        if not first and None not in (second, last):
            expected = f"{given.channels} channels, as `input` has" if given is not None else "1 to 4 channels"
            raise FeatvizError(f"{what} takes ({shape}); expected {expected}")
        # Both could be: PyTorch's order, unless the user says otherwise.
        first = given.channels_first if given is not None else True
    channels, (height, width) = (second, (third, last)) if first else (last, (second, third))
    if given is None:
        if height is None or width is None:
            raise FeatvizError(f"{what} takes ({shape}), the size left open; expected `input`, InputSpec(size=...)")
        # Whole numbers are pixels in 0..255.
        scale = 255.0 if file.whole else 1.0
        given = InputSpec(size=(height, width), channels=channels or 3, scale=scale)
    if any(own not in (None, wanted) for own, wanted in zip((height, width), given.size, strict=True)):
        wanted = " x ".join(map(str, given.size))
        raise FeatvizError(f"`input` is of {wanted} px; expected {height} x {width}, as {what} declares")
    return replace(given, channels_first=first), batch == 1
