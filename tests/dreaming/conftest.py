"""A small smooth photo for tests of dreams."""

import numpy as np
import pytest
from scipy import ndimage


@pytest.fixture
def photo():
    draw = np.random.default_rng(3)
    return np.clip(0.5 + ndimage.gaussian_filter(draw.normal(size=(72, 96, 3)), (3, 3, 0)) * 2, 0, 1).astype(np.float32)
