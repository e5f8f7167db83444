"""Options of a plan that are refused."""

import pytest
from support.atlases import PLAN

from featviz.atlas.plan import make_plan
from featviz.errors import FeatvizError


def test_invalid_options_are_refused(tiny):
    for options, says in (
        ({"units": [80]}, "`units` is 80; expected a whole number from 0 to 79"),
        ({"units": {"conv2": [8]}}, "`units` is 8; expected a whole number from 0 to 7"),
        ({"units": {"conv3": [0]}}, "`units` names conv3"),
        ({"units": []}, "`units` is empty"),
        ({"units": [-1]}, "`units` is -1"),
        ({"size": 2}, "`size` is 2"),
        ({"steps": 0}, "`steps` is 0"),
        ({"layers": "conv1"}, "expected a list"),
        ({"seed": -1}, "`seed` is -1"),
    ):
        with pytest.raises(FeatvizError, match=says):
            make_plan(tiny, **{**PLAN, **options})
