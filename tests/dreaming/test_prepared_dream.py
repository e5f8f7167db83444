"""What `dream` refuses, and how it chooses octaves and tiles."""

import numpy as np
import pytest

import featviz as fv
from featviz.dreaming.prepared_dream import prepare_dream
from featviz.errors import FeatvizError

QUIET = {"progress": False}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"octaves": 0}, "`octaves` is 0"),
        ({"octaves": 12}, "the smallest would be"),
        ({"octave_scale": 1.0}, "`octave_scale` is 1.0"),
        ({"steps": 0}, "`steps` is 0"),
        ({"step_size": 0.0}, "`step_size` is 0.0"),
        ({"jitter": -1}, "`jitter` is -1"),
        ({"mask": np.ones((3, 3))}, "`mask` has shape"),
        ({"mask": np.full((72, 96), 2.0)}, "`mask` has shape"),
        ({"tile": 7}, "`tile` is 7"),
        ({"seed": -1}, "`seed` is -1"),
    ],
)
def test_options_out_of_range_are_refused_in_one_line(options, said, patterns, photo):
    with pytest.raises(FeatvizError, match=said) as caught:
        fv.dream(patterns, photo, fv.deepdream("conv2"), **{"octaves": 1, **options}, **QUIET)
    assert "\n" not in str(caught.value)


def test_a_photo_too_small_is_refused_by_its_size(patterns):
    with pytest.raises(FeatvizError, match="`photo` is 7x64 pixels; expected 8 a side at least"):
        prepare_dream(patterns, (7, 64), fv.deepdream("conv2"))


def test_octaves_are_chosen_for_the_size(patterns):
    assert prepare_dream(patterns, (64, 64), fv.deepdream("conv2")).settings.octaves == 1
    assert prepare_dream(patterns, (256, 320), fv.deepdream("conv2")).settings.octaves > 3
