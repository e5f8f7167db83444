"""Films of dreams: zooms, frames that follow one another, and resuming."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

import featviz as fv
from featviz.dreaming.film import zoom_into
from featviz.errors import FeatvizError

QUIET = {"progress": False}


def test_zooming_is_that_of_the_notebook_of_2015(photo):
    h, w = photo.shape[:2]
    s = 0.05
    expected = ndimage.affine_transform(photo, [1 - s, 1 - s, 1], [h * s / 2, w * s / 2, 0], order=1)
    np.testing.assert_allclose(zoom_into(photo, zoom=s), expected, atol=1e-5)


def test_zooming_out_mirrors_the_image_beyond_its_edges(photo):
    out = zoom_into(photo, zoom=-0.5)
    assert out.min() >= photo.min() - 1e-6 and out[:3].std() > 0.01


def test_rotation_is_about_the_center():
    image = np.random.default_rng(0).random((21, 21, 1)).astype(np.float32)
    turned = image
    for _ in range(4):
        turned = zoom_into(turned, zoom=0.0, rotate=90.0)
    # (h / 2, w / 2) is the middle, as in 2015: a quarter turn moves what is at pixel 0 to pixel h.
    np.testing.assert_allclose(turned[1:, 1:], image[1:, 1:], atol=1e-4)


def test_each_frame_is_a_dream_of_the_one_before(patterns, photo):
    options = {"octaves": 1, "steps": 2, **QUIET}
    film = list(fv.dream_film(patterns, photo, fv.deepdream("conv2"), frames=3, rotate=3.0, seed=4, **options))
    second = fv.dream(
        patterns, zoom_into(film[0].pixels, zoom=0.05, rotate=3.0), fv.deepdream("conv2"), seed=5, **options
    )
    np.testing.assert_array_equal(film[1].pixels, second.pixels)


def test_channels_that_are_kept_stay_in_every_frame(patterns, photo):
    options = {"octaves": 1, "steps": 2, **QUIET}
    film = list(fv.dream_film(patterns, photo, fv.deepdream("conv2"), frames=2, keep={1}, **options))
    for before, frame in zip([photo, zoom_into(film[0].pixels, zoom=0.05)], film, strict=True):
        np.testing.assert_array_equal(frame.pixels[..., 1], before[..., 1])
        assert (frame.pixels[..., [0, 2]] != before[..., [0, 2]]).any()
    frames = [photo, np.roll(photo, 4, 1)]
    dreams = fv.dream_frames(patterns, frames, fv.deepdream("conv2"), keep=0.5, keep_channels={0, 2}, **options)
    for frame, dreamed in zip(frames, dreams, strict=True):
        np.testing.assert_array_equal(dreamed.pixels[..., [0, 2]], frame[..., [0, 2]])
        assert (dreamed.pixels[..., 1] != frame[..., 1]).any()
    with pytest.raises(FeatvizError, match=r"`keep` is \{3\}; expected some of the 3 channels"):
        fv.dream_film(patterns, photo, fv.deepdream("conv2"), keep={3})


def test_an_interrupted_film_resumes(patterns, photo, tmp_path):
    options = {"octaves": 1, "steps": 1, "frames": 4, **QUIET}
    expected = list(fv.dream_film(patterns, photo, fv.deepdream("conv2"), **options))
    film = fv.dream_film(patterns, photo, fv.deepdream("conv2"), state=tmp_path, **options)
    next(film), next(film)
    assert len(list(tmp_path.iterdir())) == 2
    again = list(fv.dream_film(patterns, photo, fv.deepdream("conv2"), state=tmp_path, **options))
    for one, other in zip(again, expected, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert one.score == other.score


def test_dreams_of_still_frames_do_not_flicker(patterns, photo):
    draw = np.random.default_rng(0)
    grain = [np.clip(photo + 0.02 * draw.normal(size=photo.shape), 0, 1).astype(np.float32) for _ in range(4)]
    options = {"octaves": 2, "steps": 4, **QUIET}

    def flicker(dreams):
        """The change of the dreamed detail from frame to frame, as a share of its size."""
        changes = [ndimage.gaussian_filter(d - f, (1, 1, 0)) for d, f in zip(dreams, grain, strict=True)][1:]
        return np.mean([np.abs(b - a).mean() for a, b in pairwise(changes)]) / np.mean(np.abs(changes))

    alone = [
        fv.dream(patterns, frame, fv.deepdream("conv2"), seed=number, **options).pixels
        for number, frame in enumerate(grain)
    ]
    together = [each.pixels for each in fv.dream_frames(patterns, grain, fv.deepdream("conv2"), **options)]
    assert flicker(together) < 0.5 * flicker(alone)


def test_frames_of_two_sizes_are_refused(patterns, photo):
    with pytest.raises(FeatvizError, match="expected one size"):
        list(fv.dream_frames(patterns, [photo, photo[:64]], fv.deepdream("conv2"), octaves=1, steps=1, **QUIET))
