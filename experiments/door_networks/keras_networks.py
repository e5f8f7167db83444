"""keras.applications: a network of each family with random weights, against Keras's own functional sub-models."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

import featviz as fv
from door_networks.comparison import Case, Network, Value
from featviz.model import OUTPUT

# Each family's smallest, and small images that it takes.
FAMILIES = {
    "ConvNeXtTiny": 64, "DenseNet121": 64, "EfficientNetB0": 64, "EfficientNetV2B0": 64, "InceptionResNetV2": 80,
    "InceptionV3": 80, "MobileNet": 64, "MobileNetV2": 64, "MobileNetV3Small": 64, "NASNetMobile": 64, "ResNet50": 64,
    "ResNet50V2": 64, "VGG16": 48, "Xception": 80,
}  # fmt: skip


def keras_case(model: Any, size: int) -> Case:
    """A functional model, its weights drawn at random, and what its layers return."""
    import keras

    randomize(model)
    named = dict(_outputs(model, model.inputs[0], ""))
    parts = keras.Model(model.inputs, [*named.values(), model.outputs[0]])

    def reference(images: np.ndarray) -> dict[str, Value]:
        outputs = parts(images, training=False)
        return {name: Value(np.asarray(output), -1) for name, output in zip([*named, OUTPUT], outputs, strict=True)}

    spec = fv.InputSpec(size=(size, size))
    return Case((size, size), lambda: fv.from_keras(model, input=spec), reference)


def randomize(model: Any) -> None:
    """Draws what is constant in a fresh network: statistics, biases, scales of branches that begin at zero."""
    generator = np.random.default_rng(0)
    for variable in model.variables:
        values = np.asarray(variable.value)
        if np.issubdtype(values.dtype, np.floating) and values.size and (values == values.flat[0]).all():
            noise = generator.normal(0, 0.1, values.shape)
            variable.assign(noise if abs(values.flat[0]) < 0.01 else values * (1 + np.abs(noise)))


def _outputs(model: Any, image: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """The symbolic outputs of all layers of a model on an image, models within it included."""
    import keras

    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    own = [layer.output for layer in layers]
    here = dict(zip([layer.name for layer in layers], own, strict=True))
    if image is not model.inputs[0]:
        here = dict(zip(here, keras.tree.flatten(keras.Model(model.inputs, own)(image)), strict=True))
    for layer in layers:
        if isinstance(layer, keras.Model):
            yield from _outputs(layer, layer.input if image is model.inputs[0] else here[layer.name], f"{layer.name}/")
        yield prefix + layer.name, here[layer.name]


def _application(name: str, size: int) -> Case:
    import keras

    keras.utils.set_random_seed(0)
    build = getattr(keras.applications, name)
    return keras_case(build(weights=None, include_top=False, pooling="avg", input_shape=(size, size, 3)), size)


NETWORKS = [Network(name, "keras", "keras", partial(_application, name, size)) for name, size in FAMILIES.items()]
