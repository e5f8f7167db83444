"""A notebook shows a picture with its name, score and ending, and nothing of a file becomes markup."""

import numpy as np
import pytest
from support.pictures import make

from featviz.ascent.outcome import Outcome
from featviz.pictures.picture import Picture

HOSTILE = "</figcaption><script>alert(1)</script>\"'&"


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("alpha", [False, True])
def test_a_picture_of_any_channels_is_shown(channels, alpha):
    shown = make(channels, alpha=alpha)._repr_html_()
    assert shown.count("<img ") == 1 and "data:image/webp;base64," in shown and "score 12.5" in shown


def test_texts_of_a_record_are_escaped():
    record = {"name": HOSTILE, "class": HOSTILE, "note": HOSTILE, "network": {"name": HOSTILE}}
    shown = Picture(np.zeros((4, 4, 3)), float("nan"), Outcome.DEAD, [], record)._repr_html_()
    assert "<script" not in shown and shown.count("&lt;script&gt;") == 4
    assert "score" not in shown and "Dead" in shown
