"""A notebook shows a dictionary's kind, its sizes and what its file says, escaped."""

import numpy as np

from featviz.dictionaries.dictionary import Dictionary, DictionaryRecord
from featviz.dictionaries.kinds import KMeans


def test_what_is_known_is_shown_and_escaped():
    names = tuple(f"<i>{index}" for index in range(20))
    record = DictionaryRecord(model="<b>net", layer="conv1", names=names, notes=(("photos", "<script>"),))
    shown = Dictionary(KMeans(centers=np.eye(20, 30, dtype=np.float32)), record=record)._repr_html_()
    for text in ("k-means centers", "30", "20", "&lt;b&gt;net", "conv1", "&lt;script&gt;", "and 8 more"):
        assert text in shown
    assert "<b>" not in shown and "<script" not in shown and "<i>" not in shown
    assert "file" not in shown
