"""The recipe and the size of pictures where none is named."""

import jax
import pytest

import featviz as fv
from featviz.recipes import by_name
from featviz.rendering.request import make_request
from featviz.zoo.registry import outline


def test_a_network_of_tokens_has_a_recipe_of_its_own():
    assert fv.recipes.default_recipe(outline("patterns")) == by_name("default")
    # Attention in its pooling alone does not make a network one of tokens.
    assert fv.recipes.default_recipe(outline("clip_resnet50")) == by_name("default")
    for name in ("deit_tiny", "dinov2_small", "siglip_base", "clip_vit_b16"):
        assert fv.recipes.default_recipe(outline(name)) == by_name("transformer")


def dense(side):
    """A network of images of one size alone: behind its convolution is a dense layer."""

    def forward(weights, images):
        x = jax.nn.relu(jax.lax.conv(images.transpose(0, 3, 1, 2), weights["kernel"], (1, 1), "SAME"))
        return {"conv": x.transpose(0, 2, 3, 1), "dense": x.reshape(len(x), -1) @ weights["dense"]}

    keys = jax.random.split(jax.random.key(0))
    weights = {
        "kernel": jax.random.normal(keys[0], (2, 3, 3, 3)),
        "dense": jax.random.normal(keys[1], (2 * side * side, 4)),
    }
    return fv.from_function(forward, weights, input=fv.InputSpec(size=(side, side)))


@pytest.mark.parametrize(
    "side, layer, size",
    [(8, "conv", 16), (40, "conv", 80), (100, "conv", 128), (224, "conv", 128), (8, "dense", 8), (16, "dense", 16)],
)
def test_pictures_fit_the_networks_size_where_none_is_told(side, layer, size):
    request = make_request(dense(side), fv.channel(layer, 1), steps=1)
    assert request.stages[-1].routine.shape == (1, size, size, 3)


def test_a_picture_has_that_size():
    picture = fv.render(dense(8), fv.channel("dense", 1), steps=1, progress=False)
    assert picture.pixels.shape == (8, 8, 3) and picture.provenance["size"] == [8, 8]


@pytest.mark.slow
def test_a_recipe_without_a_size_takes_the_networks(deit):
    picture = fv.render(deit, fv.logit(340), steps=1, progress=False)
    assert picture.pixels.shape == (224, 224, 3)
    assert picture.provenance["command"].startswith(
        "featviz render deit_tiny logit:340 --weights deit_tiny_patch16_224.safetensors --recipe transformer --size 224"
    )
