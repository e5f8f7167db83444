"""Whether another network recognizes the pictures of classes: the rank of each picture's class among its outputs."""

from collections.abc import Iterable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from featviz.common.compilation import compiled
from featviz.common.kept import kept_with_owner
from featviz.errors import FeatvizError
from featviz.evaluation.corruptions import Pixels
from featviz.evaluation.features import fit
from featviz.model import OUTPUT, Apply, Model, Weights, output_units
from featviz.surveys.reduction import batches


def class_ranks(model: Model, images: Iterable[Pixels], classes: Sequence[int]) -> Int[np.ndarray, " images"]:
    """The rank of each image's class among a network's outputs: 0 if it is the first, below 5 if in the top five.

    Outputs that are as large as the class's count as larger, so that a constant network recognizes nothing.

    Args:
      model: a classifier, which should not be the network that the images were made with.
      images: uint8 (h, w, c) of any sizes, which are resized to the network's.
      classes: the index of the output of each image's class.

    Raises: FeatvizError for a class that the network lacks.

    >>> import featviz as fv
    >>> class_ranks(fv.load("patterns"), [np.zeros((64, 64, 3), np.uint8)], [2]).shape
    (1,)
    """
    units = output_units(model)
    for index in classes:
        if not 0 <= index < units:
            raise FeatvizError(f"`classes` has {index}; {model.name} has {units} outputs, 0 to {units - 1}")
    size, channels = model.input.size, model.input.channels
    parts = [np.zeros((0, units), np.float32)]
    for count, batch in batches(fit(image, size, channels=channels) for image in images):
        program = compiled(output_program(model.apply), model.weights, batch)
        parts.append(np.asarray(program(model.weights, batch)).reshape(len(batch), -1)[:count])
    outputs = np.concatenate(parts)
    if len(outputs) != len(classes):
        raise FeatvizError(f"`classes` has {len(classes)} indices for {len(outputs)} images; expected one an image")
    own = outputs[np.arange(len(outputs)), np.asarray(classes, int)]
    return np.asarray((outputs >= own[:, None]).sum(1) - 1)


@kept_with_owner(maxsize=8)
def output_program(apply: Apply) -> jax.stages.Wrapped:
    """A network's output as a jitted function of its weights and of uint8 images, (n, h, w, c)."""

    def outputs(weights: Weights, images: UInt8[Array, "n h w c"]) -> Float[Array, " n *classes"]:
        return apply(weights, images.astype(jnp.float32) / jnp.float32(255), layers=(OUTPUT,))[OUTPUT]

    return jax.jit(outputs)
