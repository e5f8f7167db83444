"""The drawing and the table of evidence."""

from PIL import Image
from support.evidence import LAYER, picture_of

import featviz as fv
from featviz.evaluation.evidence_drawing import draw_evidence, save_evidence
from featviz.evaluation.evidence_text import table


def test_the_drawing_and_the_table_have_a_row_for_every_unit(blob_survey, patterns, tmp_path):
    pictures = [picture_of(blob_survey.photo(unit), unit) for unit in range(2)]
    evidence = fv.evidence(pictures, blob_survey, other=fv.Features(patterns, "mixed3a"), progress=False)
    figure = draw_evidence(pictures, blob_survey, evidence)
    save_evidence(figure, tmp_path / "evidence.png")
    with Image.open(tmp_path / "evidence.png") as image:
        assert image.width > 800 and image.height > 400
    texts = [text for axes in figure.axes for text in axes.texts]
    beyond = [(text.get_text(), text.get_window_extent().x1 - figure.bbox.x1) for text in texts]
    assert len(texts) > 20 and [each for each in beyond if each[1] > 0] == []
    lines = table(evidence).splitlines()
    assert len(lines) == 1 + 2 + 3
    assert lines[1].startswith(f"{LAYER}:0")
