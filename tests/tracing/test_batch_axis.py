"""Steps that may mix images are found; where none is, images together have the values that they have apart."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from featviz.tracing.batch_axis import find_mixing
from featviz.tracing.program import trace

SHAPE = (2, 4, 6, 3)


def mixing(function, *, shape=SHAPE):
    with jax.numpy_rank_promotion("allow"):
        program, _ = trace(function, np.zeros(shape, np.float32))
    return find_mixing(program, program.inputs[-1], 2)


def convolve(x, *, groups=1):
    kernel = jnp.ones((3, 3, x.shape[-1] // groups, x.shape[-1]))
    numbers = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=numbers, feature_group_count=groups)


def attend(x):
    tokens = x.reshape(x.shape[0], -1, x.shape[-1])
    q, k = tokens @ jnp.ones((x.shape[-1], 4)), tokens @ jnp.full((x.shape[-1], 4), 0.1)
    return jax.nn.softmax(jnp.einsum("nqd,nkd->nqk", q, k)) @ tokens


def windows(x):
    """As in Swin: windows folded into the batch, a table of positions, and back."""
    n, h, w, c = x.shape
    folded = x.reshape(n, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 2, 4, 5).reshape(-1, 4, c)
    table = jnp.arange(h * w // 4 * 16.0).reshape(h * w // 4, 4, 4)
    scores = jnp.einsum("nqc,nkc->nqk", folded, folded)
    scores = (scores.reshape(n, -1, 4, 4) + table[None]).reshape(-1, 4, 4)
    out = (jax.nn.softmax(scores) @ folded).reshape(n, h // 2, w // 2, 2, 2, c)
    return out.transpose(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)


def repeat(x):
    def step(carried, weight):
        return jnp.tanh(carried * weight) + carried.mean((1, 2), keepdims=True), carried.sum(-1)

    last, every = lax.scan(step, x, jnp.arange(3.0))
    return last + every.sum(0)[..., None]


def with_class_token(x):
    tokens = x.reshape(x.shape[0], -1, x.shape[-1])
    token = jnp.broadcast_to(jnp.ones((1, 1, x.shape[-1])), (x.shape[0], 1, x.shape[-1]))
    return jnp.concatenate([token, tokens], 1) + jnp.arange(tokens.shape[1] + 1.0)[None, :, None]


APART = {
    "stack": lambda x: jnp.unstack(lax.stack([x, 2 * x, x], 1) + lax.stack([x, x, x], 1), axis=1)[2],
    "tile": lambda x: jnp.tile(x, (1, 2, 1, 1)),
    "constant of one window": lambda x: (x.reshape(8, 6, 3) + jnp.arange(3.0).reshape(1, 1, 3)).reshape(x.shape),
    "convolution": convolve,
    "depthwise convolution": lambda x: convolve(x, groups=3),
    "max pooling": lambda x: lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "SAME"),
    "layer norm": lambda x: jax.nn.standardize(x, axis=(1, 2, 3)),
    "attention": attend,
    "windows folded into the batch": windows,
    "tokens before images": lambda x: (x.reshape(2, -1, 3).transpose(1, 0, 2) @ jnp.ones((3, 5))).swapaxes(0, 1),
    "scan": repeat,
    "class token": with_class_token,
    "resize": lambda x: jax.image.resize(x, (x.shape[0], 8, 9, 3), "bilinear"),
    "nearest resize": lambda x: jax.image.resize(x, (x.shape[0], 8, 9, 3), "nearest"),
    "gather": lambda x: x[:, jnp.array([0, 2])][..., jnp.array([2, 1])],
    "take along": lambda x: jnp.take_along_axis(x, jnp.argsort(x, 2), 2),
    "update": lambda x: x.at[:, 1:3].set(0.0).at[:, :, 0].add(x[:, :, 1]),
    "sort, flip, roll": lambda x: jnp.roll(jnp.sort(x, 1)[:, ::-1], 2, 2),
    "pad": lambda x: jnp.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0))),
    "top k, cumulative sum": lambda x: jnp.cumsum(lax.top_k(x, 2)[0], 1),
    "Fourier transform": lambda x: jnp.abs(jnp.fft.rfft2(x, axes=(1, 2))),
    "one hot": lambda x: jax.nn.one_hot(jnp.argmax(x, -1), 3),
    "activation functions": lambda x: jax.nn.relu6(jax.nn.gelu(jax.nn.silu(x))),
    "branches": lambda x: lax.cond(jnp.ones(()) > 0, jnp.sin, jnp.cos, x),
    "constant noise": lambda x: x + jax.random.normal(jax.random.key(0), (1, *x.shape[1:])),
}  # fmt: skip
MIXED = {
    "batch norm": lambda x: jax.nn.standardize(x, axis=(0, 1, 2)),
    "mean over images": lambda x: x - x.mean(0, keepdims=True),
    "first image": lambda x: x - x[:1],
    "order": lambda x: x[::-1],
    "products of images": lambda x: jnp.einsum("nhwc,mhwc->nm", x, x) @ x.reshape(2, -1),
    "folded windows summed": lambda x: x.reshape(2, 4, 18).reshape(8, 18).sum(0),
    "straddling reshape": lambda x: x.reshape(3, -1).sum(1),
    "images side by side": lambda x: x.reshape(1, -1),
    "sorted": lambda x: jnp.sort(x, 0),
    "images as channels": lambda x: convolve(jnp.moveaxis(x, 0, -1)),
    "a constant for each image": lambda x: x * jnp.arange(2.0)[:, None, None, None],
    "scan over images": lambda x: lax.scan(lambda total, image: (total + image, total), jnp.zeros(x.shape[1:]), x)[1],
    "dropout": lambda x: jnp.where(jax.random.bernoulli(jax.random.key(0), 0.9, x.shape), x, 0.0),
}  # fmt: skip


@pytest.mark.parametrize("name", APART)
def test_ordinary_operations_mix_no_images(name):
    assert mixing(APART[name]) is None


@pytest.mark.parametrize("name", MIXED)
def test_operations_that_mix_images_are_found(name):
    found = mixing(MIXED[name])
    assert found is not None
    # Random numbers need no run: two images may happen to draw the same.
    assert found.certain == (name == "dropout")


# Operations on arrays of any shape, some of which mix what is on the first axis.
OPERATIONS = {
    "sin": jnp.sin,
    "fold": lambda x: x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]) if x.ndim > 2 else x,
    "split": lambda x: x.reshape(2, x.shape[0] // 2, *x.shape[1:]) if x.shape[0] % 2 == 0 and x.ndim < 5 else x,
    "flatten": lambda x: x.reshape(x.shape[0], -1),
    "swap": lambda x: jnp.swapaxes(x, 0, 1),
    "last first": lambda x: jnp.moveaxis(x, -1, 0),
    "center": lambda x: x - x.mean(0, keepdims=True),
    "center last": lambda x: x - x.mean(-1, keepdims=True),
    "product": lambda x: x @ jnp.linspace(0.0, 1.0, 2 * x.shape[-1]).reshape(-1, 2),
    "itself": lambda x: x @ jnp.swapaxes(x, -1, -2),
    "flip": lambda x: x[::-1],
    "flip last": lambda x: x[..., ::-1],
    "join": lambda x: jnp.concatenate([x, jnp.ones((x.shape[0], 1, *x.shape[2:]))], 1),
    "places": lambda x: x + jnp.arange(float(x.shape[0])).reshape(-1, *(1,) * (x.ndim - 1)),
}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(sorted(OPERATIONS)), min_size=1, max_size=6))
def test_images_apart_have_the_values_of_images_together_unless_a_step_is_found(names):
    def function(x):
        for name in names:
            x = OPERATIONS[name](x)
        return x

    with jax.numpy_rank_promotion("allow"), jax.disable_jit():
        if mixing(function, shape=(2, 4, 6)) is not None:
            return
        images = np.random.default_rng(0).random((2, 4, 6), np.float32)
        together = np.asarray(function(images))
        swapped, same = np.asarray(function(images[::-1])), np.asarray(function(images[[0, 0]]))
    np.testing.assert_allclose(swapped[1], together[0], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(same[0], together[0], rtol=1e-5, atol=1e-5)
