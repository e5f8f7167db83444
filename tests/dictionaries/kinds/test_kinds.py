"""Every kind of dictionary against numpy's account of its formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.dictionaries import UNITS, draw_codes

from featviz.dictionaries.kinds import KINDS, NonnegativeFactors
from featviz.dictionaries.kinds.base import keep_largest

KIND_COUNT = len(draw_codes(0))


def inputs(seed, *positions):
    return np.random.default_rng(seed).normal(size=(*positions, UNITS)).astype(np.float32)


def test_every_kind_is_drawn():
    assert {type(each.code) for each in draw_codes(0)} == set(KINDS.values())


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([(3,), (2, 2), ()]))
def test_encode_and_decode_are_those_of_the_formula(seed, positions):
    x = inputs(seed + 1, *positions)
    for each in draw_codes(seed):
        latents = each.encode(x)
        np.testing.assert_allclose(each.code.encode(x), latents, atol=2e-5, err_msg=each.code.name)
        np.testing.assert_allclose(
            each.code.decode(jnp.asarray(latents, jnp.float32)), each.decode(latents), atol=2e-5, err_msg=each.code.name
        )


@pytest.mark.parametrize("index", range(KIND_COUNT))
def test_a_latent_that_is_there_has_a_pre_activation_that_grows_with_it(index):
    code = draw_codes(3)[index].code
    x = inputs(4, 64)
    latents, before = np.asarray(code.encode(x)), np.asarray(code.pre_activation(x))
    assert latents.shape == before.shape == (64, code.latents)
    if getattr(code, "signed", False) or getattr(code, "magnitudes", False):
        assert latents.min() < 0
        np.testing.assert_array_equal((latents != 0).sum(axis=-1), code.k)
    elif code.rectified:
        assert latents.min() == 0
    if code.name in ("pca", "ica", "concepts"):
        np.testing.assert_array_equal(latents, before)
    elif code.name not in ("k_means", "nmf"):
        np.testing.assert_allclose(latents[latents > 0], before[latents > 0], rtol=1e-6)


@pytest.mark.parametrize("index", range(KIND_COUNT))
def test_the_pre_activation_has_a_gradient_everywhere(index):
    code = draw_codes(5)[index].code
    gradient = jax.grad(lambda x: jnp.sum(code.pre_activation(x)))(jnp.zeros((2, UNITS)))
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0


@pytest.mark.parametrize("index", range(KIND_COUNT))
def test_a_code_is_a_pytree_of_the_shapes_that_it_says(index):
    code = draw_codes(6)[index].code
    leaves, structure = jax.tree.flatten(code)
    again = jax.tree.unflatten(structure, leaves)
    assert structure == jax.tree.structure(again)
    assert again.units == UNITS and again.latents == code.directions.shape[0]
    shapes = code.shapes(code.units, code.latents)
    assert {name: np.shape(getattr(code, name)) for name in shapes} == shapes


def test_the_groups_of_a_matryoshka_add_up_to_the_whole():
    code = next(each.code for each in draw_codes(7) if each.code.name == "matryoshka")
    latents = code.encode(inputs(8, 5))
    first, second, whole = code.decode_groups(latents)
    np.testing.assert_allclose(whole, code.decode(latents), rtol=1e-6)
    alone = np.array(latents)
    alone[:, 2:] = 0
    np.testing.assert_allclose(first, code.decode(jnp.asarray(alone)), rtol=1e-6)
    assert np.abs(np.asarray(first) - np.asarray(second)).max() > 0


def test_more_than_all_latents_are_all_latents():
    values = jnp.array([[1.0, 2.0]])
    assert keep_largest(values, 3) is values


def test_a_factor_of_zeros_has_no_latent():

    code = NonnegativeFactors(
        components=np.eye(2, 3, dtype=np.float32) * [[1], [0]], l1=np.float32(0), l2=np.float32(0)
    )
    assert np.asarray(code.encode(np.array([2.0, 1.0, 0.0], np.float32))).tolist() == [2.0, 0.0]
