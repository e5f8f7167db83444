"""What is lost with a reconstruction in place, against logits that are computed by hand."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.surveys import IMAGES, make_folder, refused

import featviz as fv
from featviz.dictionaries.dictionary import Dictionary
from featviz.dictionaries.fitting import loss_recovered as module
from featviz.dictionaries.fitting.loss_recovered import held_out_loss, log_softmax, measure_loss_recovered
from featviz.dictionaries.kinds import ReluSae
from featviz.model.edit_kinds import ablate

SOME = IMAGES[:20]


def autoencoder(keep):
    """Of a layer of eight rectified units: those that are kept, the others 0."""
    kept = np.diag(np.isin(np.arange(8), keep).astype(np.float32))
    eye, zeros = np.eye(8, dtype=np.float32), np.zeros(8, np.float32)
    return Dictionary(ReluSae(encoder=eye, encoder_bias=zeros, decoder=kept, decoder_bias=zeros))


def expected(tiny, keep):
    hidden = np.asarray(tiny.apply(tiny.weights, SOME / np.float32(255), layers=("conv2",))["conv2"], np.float64)
    fc = tiny.weights["params"]["fc"]

    def logits(h):
        # A ReLU follows the layer.
        return log_softmax(
            np.maximum(h, 0).mean(axis=(1, 2)) @ np.asarray(fc["kernel"], np.float64) + np.asarray(fc["bias"])
        )

    before = logits(hidden)
    after = [logits(hidden * np.isin(np.arange(8), keep)), logits(0 * hidden)]
    divergences = [np.mean(np.sum(np.exp(before) * (before - own), axis=1)) for own in after]
    return *divergences, np.mean(before.argmax(axis=1) != after[0].argmax(axis=1))


def test_against_logits_by_hand(tiny):
    found = measure_loss_recovered(tiny, "conv2", autoencoder([0, 1, 2, 5]), SOME)
    reconstructed, ablated, changed = expected(tiny, [0, 1, 2, 5])
    assert found.photos == 20 and found.changed == pytest.approx(changed)
    np.testing.assert_allclose([found.reconstructed, found.ablated], [reconstructed, ablated], rtol=1e-3)
    assert found.recovered == pytest.approx(1 - reconstructed / ablated, rel=1e-2)


def test_a_perfect_reconstruction_loses_nothing_and_none_loses_all(tiny):
    assert measure_loss_recovered(tiny, "conv2", autoencoder(range(8)), SOME).recovered == pytest.approx(1, abs=1e-5)
    assert measure_loss_recovered(tiny, "conv2", autoencoder([]), SOME).recovered == pytest.approx(0, abs=1e-5)


def test_only_held_out_photographs_are_measured(tiny, tmp_path):
    folder = make_folder(tmp_path / "photos", SOME)
    by_folder = held_out_loss(tiny, "conv2", autoencoder([0]), folder, size=(16, 16))
    by_list = held_out_loss(tiny, "conv2", autoencoder([0]), list(SOME), size=(16, 16))
    assert by_folder == by_list == measure_loss_recovered(tiny, "conv2", autoencoder([0]), SOME[[9, 19]])
    # Images that come once are gone by then.
    assert held_out_loss(tiny, "conv2", autoencoder([0]), iter(SOME), size=(16, 16)) is None


def test_a_dictionary_of_another_width_is_refused(tiny):
    refused("takes 8 units", measure_loss_recovered, tiny, "conv1", autoencoder([0]), SOME)


def test_photographs_are_spread_over_those_that_were_held_out(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_PHOTOS", 2)
    many = IMAGES[:50]
    expected_loss = measure_loss_recovered(tiny, "conv2", autoencoder([0]), many[[9, 49]])
    for photos in (make_folder(tmp_path / "photos", many), many):
        assert held_out_loss(tiny, "conv2", autoencoder([0]), photos, size=(16, 16)) == expected_loss
    assert held_out_loss(tiny, "conv2", autoencoder([0]), many[:9], size=(16, 16)) is None


class Tokens(nn.Module):
    """A class token and four patches, which mix once before the class token decides."""

    @nn.compact
    def __call__(self, images):
        n = len(images)
        patches = nn.Dense(6, name="patches")(images.reshape(n, 2, 4, 2, 4, 3).swapaxes(2, 3).reshape(n, 4, 48))
        first = self.param("first", nn.initializers.normal(1.0), (1, 1, 6))
        tokens = nn.Dense(6, name="mixed")(jnp.concatenate([jnp.broadcast_to(first, (n, 1, 6)), patches], axis=1))
        return nn.Dense(3, name="head")(jnp.tanh(tokens[:, 0] + tokens[:, 1:].mean(1)))


def test_class_tokens_stay_as_they_are_unless_they_were_fitted_to():
    module, layer, units = Tokens(), "mixed", 6
    variables = module.init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
    vit = fv.from_linen(module, variables, input=fv.InputSpec(size=(8, 8)))
    nothing = np.zeros((units, units), np.float32)
    zeros = np.zeros(units, np.float32)
    empty = Dictionary(ReluSae(encoder=nothing, encoder_bias=zeros, decoder=nothing, decoder_bias=zeros))
    rng = np.random.default_rng(0)
    photos = list(rng.integers(0, 255, (20, *vit.input.size, 3), np.uint8))
    without = held_out_loss(vit, layer, empty, photos, size=vit.input.size)
    everywhere = held_out_loss(vit, layer, empty, photos, size=vit.input.size, class_tokens=True)
    tokens = np.arange(1, vit.layer(layer).shape[0])
    edited = vit.edited({layer: ablate(None, positions=[(int(token),) for token in tokens])})
    images = np.stack([photos[9], photos[19]]).astype(np.float32) / np.float32(255)
    before, after = (
        log_softmax(np.asarray(each.apply(each.weights, images, layers=("<output>",))["<output>"], np.float64))
        for each in (vit, edited)
    )
    by_hand = np.mean(np.sum(np.exp(before) * (before - after), axis=1))
    np.testing.assert_allclose([without.reconstructed, without.ablated], by_hand, rtol=1e-3)
    assert everywhere.ablated != pytest.approx(by_hand, rel=1e-2)
