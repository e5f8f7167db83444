"""An interrupted dream resumes bit for bit, and a preview shows its current image."""

import numpy as np
import pytest

import featviz as fv
from featviz.dreaming.tiles import ImageGradient
from featviz.errors import FeatvizError

QUIET = {"progress": False}


def test_an_interrupted_dream_resumes_bit_for_bit(patterns, photo, tmp_path, monkeypatch):
    options = {"octaves": 2, "steps": 3, "seed": 5, **QUIET}
    expected = fv.dream(patterns, photo, fv.deepdream("conv2"), **options)
    state = tmp_path / "state.npz"
    calls, own = [], ImageGradient.__call__

    def interrupted(self, image, shift):
        calls.append(shift)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return own(self, image, shift)

    monkeypatch.setattr(ImageGradient, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fv.dream(patterns, photo, fv.deepdream("conv2"), state=state, **options)
    assert state.exists()
    with pytest.raises(FeatvizError, match="belongs to another dream"):
        fv.dream(patterns, photo, fv.deepdream("conv1"), state=state, **options)
    found = fv.dream(patterns, photo, fv.deepdream("conv2"), state=state, **options)
    assert len(calls) == 5 + 2 + 1  # the two remaining steps, and the score
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    np.testing.assert_array_equal(found.history, expected.history)
    assert not state.exists()


def test_a_damaged_state_is_refused(patterns, photo, tmp_path):
    state = tmp_path / "state.npz"
    state.write_bytes(b"no state")
    with pytest.raises(FeatvizError, match="cannot be read"):
        fv.dream(patterns, photo, fv.deepdream("conv2"), octaves=1, steps=1, state=state, **QUIET)


def test_the_preview_shows_the_last_image(patterns, photo, tmp_path):
    options = {"octaves": 1, "steps": 2, **QUIET}
    found = fv.dream(patterns, photo, fv.deepdream("conv2"), preview=tmp_path / "now.png", **options)
    shown = fv.load_picture(tmp_path / "now.png").pixels
    np.testing.assert_allclose(shown, found.pixels, atol=1 / 255)
