"""Keras's application files: the zoo's networks compute what keras.applications' do, from images in [0,1] on."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import weight_files as files

keras = pytest.importorskip("keras", reason="needs Keras: make test-frameworks")
pytest.importorskip("h5py", reason="needs h5py: make test-frameworks")

from keras import applications, layers  # noqa: E402

import featviz as fv  # noqa: E402
from featviz.model import OUTPUT  # noqa: E402
from featviz.zoo import registry  # noqa: E402
from featviz.zoo.architectures.vgg import VGG, VGG16, VGG19  # noqa: E402

pytestmark = pytest.mark.frameworks

CLASSES = 7


def top(network):
    """VGG's classifier, thin."""
    x = layers.Flatten(name="flatten")(network.output)
    x = layers.Dense(16, activation="relu", name="fc1")(x)
    x = layers.Dense(16, activation="relu", name="fc2")(x)
    return keras.Model(network.input, layers.Dense(CLASSES, name="predictions")(x))


def vgg_names(model):
    """As Keras 1 wrote them."""
    for layer in model.layers:
        if layer.weights:
            yield layer, layer.name, [f"{layer.name}_{letter}_1:0" for letter in "Wb"]


def densenet_names(model):
    """As the network's layers were called when its file was made."""
    older = {"conv1_conv": "conv1/conv", "conv1_bn": "conv1/bn", "predictions": "fc1000"}
    for layer in model.layers:
        name = older.get(layer.name, layer.name)
        if layer.weights:
            yield layer, name, [f"{name}/{weight.name}:0" for weight in layer.weights]


def inception_names(model):
    """Convolutions and norms are counted from 1 as they are made."""
    for kind, name in ((layers.Conv2D, "conv2d"), (layers.BatchNormalization, "batch_normalization")):
        made = [layer for layer in model.layers if isinstance(layer, kind)]
        made.sort(key=lambda layer: int(layer.name.removeprefix(name).removeprefix("_") or 0))
        for number, layer in enumerate(made, 1):
            yield layer, f"{name}_{number}", [f"{name}_{number}/{weight.name}:0" for weight in layer.weights]
    last = model.get_layer("predictions")
    yield last, "predictions", [f"predictions/{weight.name}:0" for weight in last.weights]


@dataclasses.dataclass(frozen=True)
class Case:
    """A network of Keras, the names in its published file, and what Keras does to images in 0..255."""

    entry: str
    theirs: Callable[[], object]
    names: Callable[[object], object]
    mode: str
    size: tuple[int, int] = (224, 224)
    ours: Callable[[], object] | None = None


def application(name, size):
    return lambda: getattr(applications, name)(weights=None, input_shape=(*size, 3), classifier_activation=None)


def features(name):
    return lambda: top(getattr(applications, name)(weights=None, include_top=False, input_shape=(224, 224, 3)))


CASES = (
    Case("vgg16", features("VGG16"), vgg_names, "caffe", ours=lambda: VGG(VGG16, CLASSES, 16)),
    Case("vgg19", features("VGG19"), vgg_names, "caffe", ours=lambda: VGG(VGG19, CLASSES, 16)),
    Case("densenet121", application("DenseNet121", (96, 64)), densenet_names, "torch", (96, 64)),
    Case("inception_v3", application("InceptionV3", (107, 139)), inception_names, "tf", (107, 139)),
)


@pytest.fixture(autouse=True)
def loose():
    """Keras promotes ranks itself."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.entry)
def case(request):
    return request.param


@pytest.fixture(scope="module")
def network(case):
    """With weights that keep activations' size, and no trivial statistics."""
    model, random = case.theirs(), np.random.default_rng(0)
    for weight in model.weights:
        if weight.path.endswith("kernel"):
            values = random.normal(0, (2 / np.prod(weight.shape[:-1])) ** 0.5, weight.shape)
        elif weight.path.endswith(("gamma", "moving_variance")):
            values = random.uniform(0.5, 1.5, weight.shape)
        else:
            values = random.uniform(-0.2, 0.2, weight.shape)
        weight.assign(values.astype(np.float32))
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization) and layer.scale:
            # Small variances, that show an epsilon of 1e-5; the scale makes up for them.
            variance = 10 ** random.uniform(-5, 0, layer.gamma.shape)
            layer.moving_variance.assign(variance.astype(np.float32))
            layer.gamma.assign((np.asarray(layer.gamma.value) * variance**0.5).astype(np.float32))
    return model


@pytest.fixture(scope="module")
def model(case, network, tmp_path_factory):
    """Ours, from a file as Keras has published it."""
    path = tmp_path_factory.mktemp("keras") / f"{case.entry}.h5"
    written = {
        name: dict(zip(tensors, [np.asarray(weight.value) for weight in layer.weights], strict=True))
        for layer, name, tensors in case.names(network)
    }
    assert sum(map(len, written.values())) == len(network.weights)
    path.write_bytes(files.keras(written))
    with pytest.MonkeyPatch.context() as patch:
        if case.ours:
            entry = dataclasses.replace(registry.find(case.entry), build=case.ours, classes=tuple)
            patch.setattr(registry, "find", lambda name: entry)
        return fv.load(case.entry, weights=path)


def test_logits_and_gradients_are_those_of_keras(case, network, model):
    random = np.random.default_rng(1)
    images = random.uniform(size=(2, *case.size, 3)).astype(np.float32)
    weight = random.normal(size=(2, network.output.shape[-1])).astype(np.float32)
    values = [
        [variable.value for variable in part] for part in (network.trainable_variables, network.non_trainable_variables)
    ]

    def theirs(images):
        prepared = applications.imagenet_utils.preprocess_input(images * 255, mode=case.mode)
        logits, _ = network.stateless_call(*values, prepared, training=False)
        return jnp.sum(logits * weight), logits

    def ours(images):
        logits = model.apply(model.weights, images, layers=[OUTPUT])[OUTPUT]
        return jnp.sum(logits * weight), logits

    (_, expected), slope = jax.jit(jax.value_and_grad(theirs, has_aux=True))(images)
    (_, logits), gradient = jax.jit(jax.value_and_grad(ours, has_aux=True))(images)
    assert differ(logits, expected) < 1e-4 and np.abs(logits).max() > 1e-2
    # A ReLU within rounding of 0 may fall on the other side: one image may be spared.
    assert min(differ(*each) for each in zip(gradient, slope, strict=True)) < 1e-3


def differ(ours, theirs):
    return np.abs(np.asarray(ours) - np.asarray(theirs)).max() / np.abs(theirs).max()
