"""A dictionary: normalization around its code, and what is refused."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from support.dictionaries import LATENTS, UNITS, draw_autoencoder, draw_codes

from featviz.dictionaries import ConstantNorm, Dictionary, DictionaryRecord, Identity, LayerNorm, Standardized
from featviz.dictionaries.kinds import BatchTopKSae, MatryoshkaSae, TopKSae
from featviz.errors import FeatvizError


def make(normalization=None, **changes):
    arrays = draw_autoencoder(np.random.default_rng(0)) | changes
    return Dictionary(TopKSae(**arrays, k=3), LayerNorm() if normalization is None else normalization)


def activations(*positions):
    return np.random.default_rng(1).normal(size=(*positions, UNITS)).astype(np.float32)


def test_it_normalizes_before_and_undoes_after():
    dictionary, h = make(), activations(2, 4)
    normalized = dictionary.normalization.apply(h)
    np.testing.assert_allclose(dictionary.encode(h), dictionary.code.encode(normalized), rtol=1e-6)
    spread, mean = h.std(-1, ddof=1, keepdims=True), h.mean(-1, keepdims=True)
    expected = np.asarray(dictionary.code.decode(dictionary.encode(h))) * spread + mean
    np.testing.assert_allclose(dictionary.reconstruct(h), expected, atol=1e-4)


def test_it_survives_where_the_latent_is_not_zero():
    dictionary, h = make(), activations(7)
    np.testing.assert_array_equal(dictionary.survives(h), np.asarray(dictionary.encode(h)) > 0)
    assert np.asarray(dictionary.survives(h)).sum(-1).max() <= 3
    signed = Dictionary(TopKSae(**draw_autoencoder(np.random.default_rng(0)), k=12, signed=True))
    latents = np.asarray(signed.encode(h))
    assert (latents < 0).any()
    np.testing.assert_array_equal(signed.survives(h), latents != 0)
    probe = next(each.code for each in draw_codes(0) if each.code.name == "concepts")
    assert np.asarray(Dictionary(probe).survives(h)).all()


def test_it_is_a_pytree_without_its_record():
    dictionary = replace(make(), record=DictionaryRecord(model="googlenet", notes=(("photos", "64"),)))
    again = jax.jit(lambda each: jax.tree.map(lambda leaf: 2 * leaf, each))(dictionary)
    assert again.record == dictionary.record
    np.testing.assert_allclose(again.code.decoder, 2 * dictionary.code.decoder)


def test_activations_of_another_width_are_refused():
    with pytest.raises(FeatvizError, match=f"`activations` have 4 units; the dictionary takes {UNITS}"):
        make().encode(np.zeros((2, 4)))


def test_what_was_encoded_is_needed_where_each_position_has_its_own_scale():
    with pytest.raises(FeatvizError, match="`like` is missing"):
        make().decode(np.zeros((2, LATENTS)))
    scaled = make(Standardized(np.ones(UNITS, np.float32), np.float32(2)))
    np.testing.assert_allclose(scaled.decode(np.zeros((1, LATENTS)))[0], scaled.code.decoder_bias * 2 + 1, rtol=1e-6)


def test_arrays_that_do_not_fit_or_are_not_finite_are_refused():
    assert make().check().latents == LATENTS
    with pytest.raises(FeatvizError, match=r"`encoder_bias` of the dictionary has shape \(3,\); expected \(9,\)"):
        make(encoder_bias=np.zeros(3)).check()
    with pytest.raises(FeatvizError, match="`decoder` of the dictionary has values that are not finite"):
        make(decoder=np.full((LATENTS, UNITS), np.nan)).check()
    with pytest.raises(FeatvizError, match="`mean` of the dictionary has shape"):
        make(Standardized(np.zeros(2), np.float32(1))).check()
    with pytest.raises(FeatvizError, match="`names` has 1 names"):
        replace(make(), record=DictionaryRecord(names=("fur",))).check()


def test_numbers_that_contradict_the_arrays_are_refused():
    arrays = draw_autoencoder(np.random.default_rng(0))
    for k in (0, -2, LATENTS + 1, 2.5, True):
        with pytest.raises(FeatvizError, match=f"its k is {k}; expected a whole number from 1 to {LATENTS}"):
            Dictionary(TopKSae(**arrays, k=k)).check()
    inner = BatchTopKSae(**arrays, threshold=np.float32(0.5), k=LATENTS + 1)
    with pytest.raises(FeatvizError, match=f"its k is {LATENTS + 1}; expected a whole number from 0 to {LATENTS}"):
        Dictionary(MatryoshkaSae(autoencoder=inner, groups=(4, 5))).check()
    with pytest.raises(FeatvizError, match="its groups are of 4, 4 latents; expected .* 9 in all"):
        Dictionary(MatryoshkaSae(autoencoder=replace(inner, k=2), groups=(4, 4))).check()
    for scale in (np.float32(0), np.float32(-1), np.linspace(0, 1, UNITS, dtype=np.float32)):
        with pytest.raises(FeatvizError, match="`scale` of the normalization has (0|-1); expected numbers above 0"):
            make(Standardized(np.zeros(UNITS, np.float32), scale)).check()
    with pytest.raises(FeatvizError, match="`scale` of the dictionary has values that are not finite"):
        make(Standardized(np.zeros(UNITS, np.float32), np.float32(np.nan))).check()


def test_one_of_a_latent_is_what_decoding_it_adds():
    h = activations(3)
    for normalization in (Identity(), LayerNorm(), ConstantNorm(), Standardized(np.ones(UNITS), np.float32(2))):
        for code in (each.code for each in draw_codes(0)):
            dictionary = Dictionary(code, normalization)
            z = np.asarray(dictionary.encode(h))
            more = z.copy()
            more[:, 1] += 1.5
            added = np.asarray(dictionary.decode(more, like=h)) - np.asarray(dictionary.decode(z, like=h))
            np.testing.assert_allclose(1.5 * dictionary.one_of(1, like=h), added, atol=2e-5, err_msg=code.name)


def test_one_mean_stands_for_all_units():
    h = activations(3)
    one, each = make(Standardized(0, 2.0)).check(), make(Standardized(np.zeros(UNITS), np.float32(2)))
    np.testing.assert_array_equal(one.encode(h), each.encode(h))
    np.testing.assert_array_equal(one.reconstruct(h), each.reconstruct(h))
