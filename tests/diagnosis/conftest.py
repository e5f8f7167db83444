"""Images that tests of the input share."""

import pytest
from support.normed import make_scenes


@pytest.fixture(scope="session")
def scenes():
    """Images with about the colors and the contrast of photos."""
    return make_scenes()
