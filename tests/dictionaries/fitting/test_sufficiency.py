"""What would do is said in numbers that do."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featviz.dictionaries.fitting.sufficiency import check_sufficiency
from featviz.errors import FeatvizError


@given(st.integers(1, 300), st.integers(1, 200), st.integers(1, 5000), st.integers(1, 64))
def test_what_it_names_is_enough(each, photos, latents, k):
    try:
        check_sufficiency("layer", photos * each, photos, latents, k)
    except FeatvizError as error:
        found = re.search(r"expected 50: (\d+) photos with as many positions each, or (\d+) latents", str(error))
        more, fewer = map(int, found.groups())
        assert more > photos and fewer < latents
        # One of ten of them is held out.
        fitted, fewer_fitted = more - more // 10, (more - 1) - (more - 1) // 10
        check_sufficiency("layer", fitted * each, fitted, latents, k)
        assert fewer_fitted * each < max(latents, -(-50 * latents // k))
        check_sufficiency("layer", photos * each, photos, fewer, k)
    else:
        assert photos * each * k >= 50 * latents and photos * each >= latents


def test_kinds_whose_latents_all_fire_need_as_many_positions_as_latents():
    check_sufficiency("layer", 64, 64, 64, None)
    with pytest.raises(FeatvizError, match="10 of them have 60 positions of layer for 64 latents; expected 64 or more"):
        check_sufficiency("layer", 60, 10, 64, None)
