"""Candidates differ, and images are translated between their encodings."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from support.normed import CAFFE

from featviz.diagnosis.input_candidates import input_candidates, same_encoding, to_python, translate
from featviz.model import InputSpec


@pytest.mark.parametrize("own", [CAFFE, InputSpec(size=(4, 4), mean=(0.2, 0.3, 0.4), std=(0.5,), channels_first=True)])
def test_images_are_translated_to_what_another_specification_gives(own):
    images = np.random.default_rng(0).uniform(size=(2, 4, 4, 3)).astype(np.float32)
    for candidate in input_candidates(own):
        shown = own.encode(jnp.asarray(translate(images, own, candidate.spec)))
        expected = replace(candidate.spec, channels_first=own.channels_first).encode(jnp.asarray(images))
        np.testing.assert_allclose(shown, expected, rtol=1e-4, atol=1e-4)


def test_candidates_differ_and_begin_with_the_given_one():
    labels = [each.label for each in input_candidates(CAFFE)]
    assert labels[0] == "as given, 0..255 less Caffe's mean, BGR"
    assert len(labels) == 10
    other = InputSpec(size=(8, 8), mean=(0.5,), std=(0.25,))
    found = input_candidates(other)
    assert [each.label for each in found[-1:]] == ["as given, with the channel order reversed"]
    assert len(found) == 12
    assert not any(same_encoding(a.spec, b.spec) for index, a in enumerate(found) for b in found[:index])
    assert eval(to_python(found[5].spec), {"InputSpec": InputSpec}) == found[5].spec
