"""The vision transformer: its layers have names, and it takes other sizes than it was trained on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

from featviz.errors import FeatvizError
from featviz.models.deit import DeiT, Gelu, PatchEmbed
from featviz.models.registry import outline


def test_layers_have_timms_names():
    shapes = {layer.name: layer.shape for layer in outline("deit_tiny").layers}
    assert shapes["patch_embed"] == (14, 14, 192)
    assert shapes["blocks/11"] == shapes["blocks/0/attn"] == (197, 192)
    assert shapes["blocks/5/mlp/act"] == shapes["blocks/5/mlp/fc1"] == (197, 768)
    assert shapes["head"] == (1000,)


def test_gelu_is_the_exact_one():
    x = np.linspace(-4, 4, 41, dtype=np.float32)
    exact = x * 0.5 * (1 + erf(x / np.sqrt(2)))
    np.testing.assert_allclose(np.asarray(Gelu().apply({}, jnp.asarray(x))), exact, atol=1e-6)


def test_the_embedding_is_resampled_for_other_sizes():
    module = DeiT(depth=1, width=6, heads=3, hidden=8, classes=4, trained=2)
    params = module.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)))["params"]
    # With an embedding that is equal everywhere and a class token as a grey patch's all tokens of a grey image are
    # alike, so that their number does not matter.
    grey = jnp.full((1, 96, 48, 3), 0.5)
    patch = PatchEmbed(16, 6).apply({"params": params["patch_embed"]}, grey)[0, 0, 0]
    params |= {"pos_embed": jnp.ones((1, 5, 6)), "cls_token": patch.reshape(1, 1, 6)}
    logits = [module.apply({"params": params}, image) for image in (grey, grey[:, :32, :32])]
    np.testing.assert_allclose(np.asarray(logits[0]), np.asarray(logits[1]), atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 100, 112, 3), (1, 112, 90, 3)])
def test_a_side_that_is_no_multiple_of_the_patch_is_refused(shape):
    with pytest.raises(FeatvizError, match="takes sides that are multiples of 16"):
        jax.eval_shape(DeiT().init, jax.random.key(0), jax.ShapeDtypeStruct(shape, jnp.float32))
