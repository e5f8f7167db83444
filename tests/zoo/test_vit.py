"""The vision transformer: layer names, and sizes other than the training size."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

from featviz.errors import FeatvizError
from featviz.model import IMAGE, InputSpec
from featviz.zoo.architectures.attention import Gelu, PatchEmbed
from featviz.zoo.architectures.vit import VisionTransformer
from featviz.zoo.registry import find, outline


def test_layers_have_timms_names():
    shapes = {layer.name: layer.shape for layer in outline("deit_tiny").layers}
    assert shapes["patch_embed"] == (14, 14, 192)
    assert shapes["blocks/11"] == shapes["blocks/0/attn"] == (197, 192)
    assert shapes["blocks/5/mlp/act"] == shapes["blocks/5/mlp/fc1"] == (197, 768)
    assert shapes["head"] == (1000,)


def test_gelu_is_exact():
    x = np.linspace(-4, 4, 41, dtype=np.float32)
    exact = x * 0.5 * (1 + erf(x / np.sqrt(2)))
    np.testing.assert_allclose(np.asarray(Gelu().apply({}, jnp.asarray(x))), exact, atol=1e-6)


def test_the_embedding_is_resampled_for_other_sizes():
    module = VisionTransformer(depth=1, width=6, heads=3, classes=4, trained_side=2)
    params = jax.jit(module.init)(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))["params"]
    # With an embedding that is equal everywhere and a class token as a gray patch's all tokens of a gray image are
    # alike, so that their number does not matter.
    gray = jnp.full((1, 96, 48, 3), 0.5)
    patch = jax.jit(PatchEmbed(16, 6).apply)({"params": params["patch_embed"]}, gray)[0, 0, 0]
    params |= {"pos_embed": jnp.ones((1, 5, 6)), "cls_token": patch.reshape(1, 1, 6)}
    logits = [jax.jit(module.apply)({"params": params}, image) for image in (gray, gray[:, :32, :32])]
    np.testing.assert_allclose(np.asarray(logits[0]), np.asarray(logits[1]), atol=1e-5)


def test_images_of_any_size_are_resized_to_complete_patches():
    model = outline("deit_tiny")
    image = jax.ShapeDtypeStruct((1, 100, 90, 3), jnp.float32)
    found = jax.eval_shape(lambda w, x: model.apply(w, x, layers=("patch_embed", IMAGE)), model.weights, image)
    assert found["patch_embed"].shape[1:3] == (6, 6)
    assert found[IMAGE].shape == (1, 100, 90, 3)


def test_an_image_of_complete_patches_is_not_resized():
    image = jnp.asarray(np.random.default_rng(0).random((1, 32, 48, 3)), jnp.float32)
    spec = find("deit_tiny").input
    np.testing.assert_array_equal(spec.encode(image), replace(spec, multiple=1).encode(image))
    # A ramp stays one, its ends within half a pixel.
    ramp = jnp.tile(jnp.linspace(0, 1, 51, dtype=jnp.float32)[None, :, None, None], (1, 1, 48, 3))
    seen = np.asarray(replace(spec, mean=(0.0,), std=(1.0,)).encode(ramp))
    np.testing.assert_allclose(seen[0, :, 0, 0], np.linspace(0, 1, 48), atol=0.011)


@pytest.mark.parametrize("shape", [(1, 100, 112, 3), (1, 112, 90, 3)])
def test_a_side_that_is_not_a_multiple_of_the_patch_is_refused(shape):
    with pytest.raises(FeatvizError, match="takes sides that are multiples of 16"):
        jax.eval_shape(VisionTransformer().init, jax.random.key(0), jax.ShapeDtypeStruct(shape, jnp.float32))


@pytest.mark.parametrize("multiple", [0, -16, 15])
def test_a_multiple_that_does_not_divide_the_training_size_is_refused(multiple):
    with pytest.raises(FeatvizError, match=f"`multiple` is {multiple}; expected a divisor of the sides"):
        InputSpec(size=(224, 224), multiple=multiple)
