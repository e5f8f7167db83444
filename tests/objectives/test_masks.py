"""Masks that make no sense."""

import numpy as np
import pytest

from featviz.errors import FeatvizError
from featviz.objectives import within


@pytest.mark.parametrize("mask", [np.zeros((3, 5)), np.full((3, 5), 2.0), -np.ones((3, 5)), np.ones((0, 5))])
def test_an_empty_mask_is_refused(mask):
    with pytest.raises(FeatvizError, match="`mask` is empty or outside"):
        within("layer", mask)
