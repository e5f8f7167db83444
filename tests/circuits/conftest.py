"""The network that tests of circuits share."""

import pytest
from support.connected import Bottleneck
from support.tiny import build


@pytest.fixture(scope="session")
def bottleneck():
    return build(Bottleneck(), size=24)
