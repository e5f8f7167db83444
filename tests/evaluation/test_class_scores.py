"""The classes that a network sees in pictures: logits or probabilities, at any size, or none."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from support.surveys import refused
from support.tiny import Fixed, Valid, build

from featviz.evaluation.class_scores import class_scores

PICTURES = np.random.default_rng(0).integers(0, 256, (19, 16, 16, 3), np.uint8)


class Softmaxed(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.softmax(9.0 * nn.Dense(6, name="fc")(jnp.mean(x, axis=(1, 2))))


class Sigmoid(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.sigmoid(nn.Dense(6, name="fc")(jnp.mean(x, axis=(1, 2))))


def outputs(model, pixels):
    images = pixels.astype(np.float32) / 255
    return np.asarray(model.apply(model.weights, images, layers=("fc",))["fc"], np.float64)


def test_the_highest_come_first_with_logit_and_softmax(tiny):
    logits = outputs(tiny, PICTURES)
    found = class_scores(tiny, PICTURES, count=4)
    assert len(found) == 19 and all(len(scores) == 4 for scores in found)
    for row, scores in zip(logits, found, strict=True):
        assert [score.index for score in scores] == np.argsort(-row)[:4].tolist()
        softmax = np.exp(row) / np.exp(row).sum()
        for score in scores:
            assert score.logit == pytest.approx(row[score.index], rel=1e-4, abs=1e-5) and score.name == ""
            assert score.probability == pytest.approx(softmax[score.index], rel=1e-4)


def test_probabilities_are_taken_as_such():
    model = build(Softmaxed())
    logits = 9 * outputs(model, PICTURES)
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    for row, scores in zip(softmax, class_scores(model, PICTURES, count=9), strict=True):
        assert len(scores) == 6
        for score in scores:
            assert score.probability == pytest.approx(row[score.index], rel=1e-3)
            assert score.logit == pytest.approx(np.log(row[score.index]), abs=1e-3)


def test_classes_of_a_sigmoid_have_probabilities_of_their_own():
    model = build(Sigmoid())
    logits = outputs(model, PICTURES)
    for row, scores in zip(logits, class_scores(model, PICTURES, count=6), strict=True):
        assert [score.index for score in scores] == np.argsort(-row).tolist()
        for score in scores:
            assert score.probability == pytest.approx(1 / (1 + np.exp(-row[score.index])), rel=1e-4)
            assert score.logit == pytest.approx(row[score.index], rel=1e-3, abs=1e-4)


def test_pictures_are_scaled_only_where_the_network_cannot_run(tiny):
    large = np.random.default_rng(0).integers(0, 256, (2, 24, 32, 3), np.uint8)
    small = np.stack([np.asarray(Image.fromarray(image).resize((16, 16), Image.Resampling.BICUBIC)) for image in large])
    fixed = build(Fixed())
    assert class_scores(fixed, large) == class_scores(fixed, small)
    assert class_scores(tiny, large)[0][0].logit == pytest.approx(outputs(tiny, large)[0].max(), rel=1e-4)


def test_grays_of_a_network_in_color(tiny):
    gray = PICTURES[:2, ..., :1]
    assert class_scores(tiny, gray) == class_scores(tiny, np.repeat(gray, 3, axis=-1))


def test_what_has_no_classes_has_none(tiny):
    assert class_scores(build(Valid()), PICTURES[:2]) == [(), ()]
    assert class_scores(tiny, PICTURES[:0]) == []
    refused("`pixels` are float64", class_scores, tiny, np.zeros((1, 8, 8, 3)))


def test_googlenet_knows_photographs(googlenet, photos):
    pixels = np.stack(
        [
            np.asarray(Image.open(path).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC))
            for path in photos[:24]
        ]
    )
    right = [int(path.name.split("_")[0]) for path in photos[:24]]
    found = class_scores(googlenet, pixels)
    assert (
        np.mean([number in [score.index for score in scores] for number, scores in zip(right, found, strict=True)])
        > 0.7
    )
    assert found[0][0].logit > 1  # logits, not probabilities
