"""Whose axis is which: layers of networks of many kinds, arranged as (positions, units)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featviz.tracing.arrangement import arrange, choose_units
from featviz.tracing.axes import image_layout
from featviz.tracing.following import follow_axes
from featviz.tracing.marks import mark
from featviz.tracing.names import name_values
from featviz.tracing.program import trace

RANDOM = np.random.default_rng(0)
COSINES = np.cos(np.pi / 16 * (np.arange(16)[:, None] + 0.5) * np.arange(16)).astype(np.float32)
SHAPES = {
    "conv": (3, 3, 3, 8), "features": (5, 6, 3, 3), "filter": (1, 1, 3), "up": (8, 24), "down": (24, 8), "same": (8, 8),
    "tokens_up": (16, 32), "tokens_down": (32, 16), "tokens": (16, 16), "width": (16, 10), "cosines": (16, 16),
    "queries": (5, 24), "spectrum": (16, 9, 8), "decode": (8, 96), "one": (3, 3, 3, 1),
    "scale": (8,), "more_tokens": (12, 4), "maps": (8, 5),
}  # fmt: skip
WEIGHTS = {name: RANDOM.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
NHWC, NCHW, NCT = ("NHWC", "HWIO", "NHWC"), ("NCHW", "OIHW", "NCHW"), ("NCH", "OIH", "NCH")


def convolve(x, kernel, numbers=NHWC, *, stride=1):
    strides = (stride,) * (x.ndim - 2)
    return jax.lax.conv_general_dilated(x, kernel, strides, "SAME", dimension_numbers=numbers)


def tokenize(w, x):
    return convolve(x, w["conv"], stride=4).reshape(x.shape[0], 16, 8)


def shapes_of(network, *, channels_first=False):
    """The shapes of what a network returns by name, arranged as layers, and whether all are certain."""
    images = jnp.ones((2, 3, 16, 16) if channels_first else (2, 16, 16, 3))

    def run(weights, x):
        return [mark(name, value) for name, value in network(weights, x).items()]

    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        program, _ = trace(run, WEIGHTS, images)
    axes = follow_axes(program, {program.inputs[-1]: image_layout(images.shape, 1 if channels_first else 3)})
    evidence = axes.evidence()
    shapes = {}
    for name, layer in name_values(program, 2, axes).layers.items():
        units = choose_units(layer.layout, layer.images, evidence, channels_first=channels_first)
        assert units.certain
        value = jax.eval_shape(
            lambda x, layer=layer, units=units: arrange(x, layer.images, units.axis), layer.value.aval
        )
        shapes[name] = value.shape[1:]
    return shapes


def product_over_the_width(w, x):
    y = convolve(x, w["conv"])
    return {"last": jnp.einsum("nhwc,wv->nhvc", y, w["width"]), "first": y.transpose(0, 3, 1, 2) @ w["width"]}


def cosine_transform(w, x):
    y = convolve(x, w["conv"])
    return {
        "constant": jnp.einsum("nhwc,hk,wl->nklc", y, COSINES, COSINES),
        "weights": jnp.einsum("nhwc,hk,wl->nklc", y, w["cosines"], w["cosines"]),
        "image": jnp.einsum("nhwc,hk,wl->nklc", x, w["cosines"], w["cosines"]),
    }


def mixer(w, x):
    x = tokenize(w, x)
    hidden = jax.nn.gelu(x.swapaxes(1, 2) @ w["tokens_up"])
    mixed = hidden @ w["tokens_down"]
    tokens = mixed.swapaxes(1, 2) + x
    return {"hidden": hidden, "mixed": mixed, "tokens": tokens, "units": tokens @ w["up"] @ w["down"] + tokens}


def mixer_of_convolutions(w, x):
    x = tokenize(w, x)
    hidden = jax.nn.gelu(convolve(x, w["tokens_up"].T[:, :, None], NCT))
    mixed = convolve(hidden, w["tokens_down"].T[:, :, None], NCT)
    return {"mixed": mixed, "tokens": mixed + x}


def channel_attention(w, x):
    y = convolve(x, w["conv"])
    gate = convolve(y.mean((1, 2))[:, None, :], w["filter"], NCT)
    return {"gate": gate, "gated": jax.nn.sigmoid(gate).reshape(-1, 1, 1, 8) * y}


def spatial_attention(w, x):
    y = tokenize(w, x)
    gate = jax.nn.sigmoid(y.mean(-1) @ w["tokens"])[:, :, None]
    return {"gate": gate, "gated": gate * y, "greatest": y.max(-1), "kept": y.max(-1, keepdims=True)}


def spatial_gating_unit(w, x):
    u, v = jnp.split(tokenize(w, x) @ w["up"], 2, -1)
    v = jnp.einsum("ntc,ts->nsc", v, w["tokens"])
    return {"gate": v, "gated": u * v}


def permutator(w, x):
    y = convolve(x, w["conv"], stride=4)
    rows = y.reshape(-1, 4, 4, 2, 4).transpose(0, 3, 2, 1, 4).reshape(-1, 2, 4, 16) @ w["tokens"]
    rows = rows.reshape(-1, 2, 4, 4, 4).transpose(0, 3, 2, 1, 4).reshape(y.shape)
    return {"rows": rows, "sum": rows + y @ w["same"]}


def windows(w, x):
    y = convolve(x, w["conv"], stride=4)
    inside = y.reshape(-1, 2, 2, 2, 2, 8).transpose(0, 1, 3, 2, 4, 5).reshape(-1, 4, 8)
    return {"inside": inside @ w["up"], "six": y.reshape(-1, 2, 2, 2, 2, 8).transpose(0, 1, 3, 2, 4, 5)}


def windows_by_place(w, x):
    """As in MobileViT: the same place of every window, folded into the images."""
    y = convolve(x, w["conv"], stride=4).transpose(0, 3, 1, 2)
    y = y.reshape(-1, 2, 2, 2).swapaxes(1, 2).reshape(-1, 8, 4, 4).swapaxes(1, 3).reshape(-1, 4, 8)
    return {"inside": y @ w["up"]}


def tokens_elsewhere(w, x):
    y = tokenize(w, x)
    first = y.swapaxes(0, 1)
    return {
        "first": first @ w["up"],
        "folded": y.reshape(-1, 8) @ w["up"],
        "first_folded": first.reshape(-1, 8) @ w["up"],
    }


def attention(w, x):
    y = tokenize(w, x)
    q = (y @ w["up"]).reshape(-1, 16, 4, 6)
    scores = jax.nn.softmax(jnp.einsum("nqhd,nkhd->nhqk", q, q))
    heads = jnp.einsum("nhqk,nkhd->nqhd", scores, q)
    return {
        "q": q,
        "q_heads_first": q.swapaxes(1, 2),
        "scores": scores,
        "heads": heads,
        "out": heads.reshape(-1, 16, 24),
        "mean": scores.mean(1),
    }


def learned_queries(w, x):
    y = tokenize(w, x)
    q, k = (w["queries"] @ w["down"]).reshape(5, 2, 4), (y @ w["same"]).reshape(-1, 16, 2, 4)
    heads = jnp.einsum("nhqk,nkhd->nqhd", jax.nn.softmax(jnp.einsum("qhd,nkhd->nhqk", q, k)), k).reshape(-1, 5, 8)
    return {"heads": heads, "queries": w["queries"] @ w["down"] + heads @ w["same"]}


def fewer_keys(w, x):
    """As in Linformer: the keys are mixed over the tokens."""
    y = tokenize(w, x)
    keys = jnp.einsum("ntc,tk->nkc", y, w["tokens_up"])
    heads = jnp.einsum("ntk,nkc->ntc", jax.nn.softmax(jnp.einsum("ntc,nkc->ntk", y, keys)), keys)
    return {"heads": heads, "sum": heads + y}


def normalized(w, y):
    """A normalization's last step: a scale and a bias of each unit."""
    return y / jnp.abs(y).sum(-1, keepdims=True) * w["scale"] + w["scale"]


def mixed_and_normalized(w, x):
    """As in GroupViT: tokens are mixed to fewer, and no sum says that these are positions."""
    fewer = jnp.einsum("ntc,tk->nkc", tokenize(w, x)[:, :12], w["more_tokens"])
    return {"norm": normalized(w, fewer), "norm_first": normalized(w, fewer).swapaxes(0, 1)}


def learned_maps(w, x):
    """As in MGP-STR: a map for each character says where to look for it."""
    y = tokenize(w, x)
    maps = jax.nn.softmax(y @ w["maps"], axis=1)
    return {"maps": maps, "norm": normalized(w, jnp.einsum("nts,ntc->nsc", maps, y @ w["same"]))}


def attention_across_units(w, x):
    y = (tokenize(w, x) @ w["up"]).reshape(-1, 16, 4, 6)
    scores = jax.nn.softmax(jnp.einsum("nthd,nthe->nhde", y, y))
    return {"heads": jnp.einsum("nhde,nthe->nthd", scores, y).reshape(-1, 16, 24)}


def shuffles(w, x):
    y = convolve(x, w["conv"])
    n, h, v, c = y.shape
    first = y.transpose(0, 3, 1, 2)
    return {
        "shuffled": y.reshape(n, h, v, 2, 2, 2).transpose(0, 1, 3, 2, 4, 5).reshape(n, 2 * h, 2 * v, 2),
        "one": y[..., :4].reshape(n, h, v, 2, 2, 1).transpose(0, 1, 3, 2, 4, 5).reshape(n, 2 * h, 2 * v, 1),
        "one_first": first[:, :4].reshape(n, 1, 2, 2, h, v).transpose(0, 1, 4, 2, 5, 3).reshape(n, 1, 2 * h, 2 * v),
        "deeper": y.reshape(n, h // 2, 2, v // 2, 2, c).transpose(0, 1, 3, 2, 4, 5).reshape(n, h // 2, v // 2, 4 * c),
        "patches": jax.lax.conv_general_dilated_patches(y, (2, 2), (2, 2), "VALID", dimension_numbers=NHWC),
    }


def decoder(w, x):
    y = (tokenize(w, x).mean(1) @ w["decode"]).reshape(-1, 6, 4, 4)
    return {"start": y, "conv": convolve(y, w["features"], NCHW)}


def pooled_and_spread(w, x):
    y = convolve(x, w["conv"])
    spread = jax.image.resize(y.mean((1, 2), keepdims=True), y.shape, "bilinear")
    return {"spread": spread, "both": jnp.concatenate([y, spread], -1)}


def filters_of_units(w, x):
    """Each unit filtered alone, units folded into the images."""
    y = convolve(x, w["conv"]).transpose(0, 3, 1, 2)
    blurred = convolve(y.reshape(-1, 1, 16, 16), np.ones((1, 1, 3, 3), np.float32), NCHW)
    return {"folded": blurred[:, 0], "unfolded": blurred.reshape(y.shape)}


def weights_of_each_image(w, x):
    """As in a dynamic convolution: images and units are groups."""
    y = convolve(x, w["conv"]).transpose(0, 3, 1, 2)
    kernel = (y.mean((2, 3))[:, None, :, None, None] * w["features"][None, :, :1]).reshape(-1, 8, 3, 3)
    out = jax.lax.conv_general_dilated(
        y.reshape(1, -1, 16, 16), kernel, (1, 1), "SAME", dimension_numbers=NCHW, feature_group_count=2
    )
    return {"grouped": out, "out": out.reshape(2, 5, 16, 16)}


def chosen_tokens(w, x):
    y = tokenize(w, x)
    return {"some": y[:, np.array([3, 1, 2])], "own": jax.vmap(lambda t, i: t[i])(y, jnp.argsort(y[..., 0])[:, :5])}


def neighbors(w, x):
    """As in a graph network: rows of all images' tokens, by their numbers among them."""
    y = tokenize(w, x)
    nearest = jnp.argsort(jnp.einsum("ntc,nsc->nts", y, y))[..., :3] + 16 * jnp.arange(y.shape[0])[:, None, None]
    found = y.reshape(-1, 8)[nearest]
    rows = y.reshape(-1, 8)[nearest.reshape(-1)]
    return {"found": found, "rows": rows, "sum": y + rows.reshape(-1, 16, 3, 8).max(2), "more": rows @ w["up"]}


def stacks(w, x):
    y = tokenize(w, x)
    first, second = jnp.unstack(y.reshape(-1, 2, 8, 8), axis=1)
    return {
        "stack": jax.lax.stack([first, second], axis=2),
        "tile": jnp.tile(y, (1, 3, 1)),
        "part": first,
        "barrier": jax.lax.optimization_barrier((y.swapaxes(0, 1), y))[1],
    }


def recurrent(w, x):
    def advance(h, token):
        h = jnp.tanh(token + h @ w["same"])
        return h, h

    y = tokenize(w, x)
    last, all_ = jax.lax.scan(advance, jnp.zeros((x.shape[0], 8)), y.swapaxes(0, 1))
    return {"last": last, "all": all_}


def one_by_one(w, x):
    return {"mapped": jax.lax.map(lambda image: convolve(image[None], w["conv"])[0], x)}


def spectral(w, x):
    spectrum = jnp.fft.rfft2(convolve(x, w["conv"]), axes=(1, 2))
    return {"filtered": jnp.fft.irfft2(spectrum * w["spectrum"], axes=(1, 2))}


def one_unit(w, x):
    y = convolve(x, w["one"])
    return {"map": y, "squeezed": y[..., 0], "flat": y.reshape(-1, 256)}


def both_views(w, x):
    y = convolve(jnp.concatenate([x, x[:, :, ::-1]]), w["conv"])
    return {"views": y, "first": y[: x.shape[0]]}


def group_norm(w, x):
    y = convolve(x, w["conv"]).reshape(-1, 16, 16, 4, 2)
    return {"normal": (y - y.mean((1, 2, 4), keepdims=True)).reshape(-1, 16, 16, 8)}


KINDS = [
    (product_over_the_width, {"last": (16, 10, 8), "first": (16, 10, 8)}),
    (cosine_transform, {"constant": (16, 16, 8), "weights": (16, 16, 8), "image": (16, 16, 3)}),
    (mixer, {"hidden": (8, 32), "mixed": (16, 8), "tokens": (16, 8), "units": (16, 8)}),
    (mixer_of_convolutions, {"mixed": (16, 8), "tokens": (16, 8)}),
    (channel_attention, {"gate": (1, 8), "gated": (16, 16, 8)}),
    (spatial_attention, {"gate": (16, 1), "gated": (16, 8), "greatest": (16,), "kept": (16, 1)}),
    (spatial_gating_unit, {"gate": (16, 12), "gated": (16, 12)}),
    (permutator, {"rows": (4, 4, 8), "sum": (4, 4, 8)}),
    (windows, {"inside": (4, 4, 24), "six": (2, 2, 2, 2, 8)}),
    (windows_by_place, {"inside": (4, 4, 24)}),
    (tokens_elsewhere, {"first": (16, 24), "folded": (16, 24), "first_folded": (16, 24)}),
    (attention, {"q": (16, 4, 6), "q_heads_first": (4, 16, 6), "scores": (16, 16, 4), "heads": (16, 4, 6),
                 "out": (16, 24), "mean": (16, 16)}),
    (learned_queries, {"heads": (5, 8), "queries": (5, 8)}),
    (fewer_keys, {"heads": (16, 8), "sum": (16, 8)}),
    (mixed_and_normalized, {"norm": (4, 8), "norm_first": (4, 8)}),
    (learned_maps, {"maps": (16, 5), "norm": (5, 8)}),
    (attention_across_units, {"heads": (16, 24)}),
    (shuffles, {"shuffled": (32, 32, 2), "one": (32, 32, 1), "one_first": (32, 32, 1), "deeper": (8, 8, 32),
                "patches": (8, 8, 32)}),
    (decoder, {"start": (4, 4, 6), "conv": (4, 4, 5)}),
    (pooled_and_spread, {"spread": (16, 16, 8), "both": (16, 16, 16)}),
    (filters_of_units, {"folded": (16, 16, 8), "unfolded": (16, 16, 8)}),
    (chosen_tokens, {"some": (3, 8), "own": (5, 8)}),
    (neighbors, {"found": (16, 3, 8), "rows": (48, 8), "sum": (16, 8), "more": (48, 24)}),
    (stacks, {"stack": (8, 2, 8), "tile": (48, 8), "part": (8, 8), "barrier": (16, 8)}),
    (recurrent, {"last": (8,), "all": (16, 8)}),
    (one_by_one, {"mapped": (16, 16, 8)}),
    (spectral, {"filtered": (16, 16, 8)}),
    (one_unit, {"map": (16, 16, 1), "squeezed": (16, 16, 1), "flat": (256,)}),
    (both_views, {"views": (2, 16, 16, 8), "first": (16, 16, 8)}),
    (group_norm, {"normal": (16, 16, 8)}),
]  # fmt: skip


@pytest.mark.parametrize(("network", "expected"), KINDS, ids=[network.__name__ for network, _ in KINDS])
@pytest.mark.parametrize("channels_first", [False, True])
def test_units_are_the_last_axis_of_a_layer(network, expected, channels_first):
    def run(weights, x):
        return network(weights, x.transpose(0, 2, 3, 1) if channels_first else x)

    shapes = shapes_of(run, channels_first=channels_first)
    assert {name: shapes[name] for name in expected} == expected


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    method=st.sampled_from(["nearest", "linear", "cubic", "lanczos3"]),
    sides=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    antialias=st.booleans(),
    first=st.booleans(),
)
def test_a_resize_keeps_the_units(method, sides, antialias, first):
    def network(w, x):
        y = convolve(x, w["conv"], NHWC)
        shape = (x.shape[0], 8, *sides) if first else (x.shape[0], *sides, 8)
        return {"y": jax.image.resize(y.transpose(0, 3, 1, 2) if first else y, shape, method, antialias=antialias)}

    assert shapes_of(network) == {"y": (*sides, 8)}


EQUATIONS = [
    ("nhwc,hk->nkwc", 3),
    ("nhwc,wk->nhkc", 3),
    ("nchw,wk->nchk", 1),
    ("nchw,hk->nkwc", 3),
    ("nhwc,hk->cnkw", 0),
]


@pytest.mark.parametrize(("equation", "after"), EQUATIONS)
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("constant", [False, True])
def test_a_product_over_a_side_keeps_the_units(equation, after, swapped, constant):
    (left, right), result = equation.split("->")[0].split(","), equation.split("->")[1]

    def network(w, x):
        y = convolve(x, w["conv"])
        y = y.transpose(0, 3, 1, 2) if left == "nchw" else y
        matrix = COSINES[:, :4] if constant else w["cosines"][:, :4]
        return {"y": jnp.einsum(f"{right},{left}->{result}", matrix, y) if swapped else jnp.einsum(equation, y, matrix)}

    assert shapes_of(network)["y"][-1] == 8
