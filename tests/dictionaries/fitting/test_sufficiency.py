"""What would do is said in numbers that do."""

import re

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
        check_sufficiency("layer", more * each, more, latents, k)
        check_sufficiency("layer", photos * each, photos, fewer, k)
    else:
        assert photos * each * k >= 50 * latents and photos * each >= latents
