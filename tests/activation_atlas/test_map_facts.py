"""What a map's page says of how it was made."""

import numpy as np

from featviz.activation_atlas.map_drawing import CellDrawing
from featviz.activation_atlas.map_facts import describe_map
from featviz.activation_atlas.map_layout import LayoutSettings
from featviz.activation_atlas.map_positions import MapPositions
from featviz.recipes import resolve
from featviz.surveys.photos import find_photos


def test_the_folder_that_one_is_in_has_its_name(tiny, tmp_path, monkeypatch):
    (tmp_path / "woods").mkdir()
    (tmp_path / "woods" / "a.png").write_bytes(b"")
    monkeypatch.chdir(tmp_path / "woods")
    positions = MapPositions(np.zeros((3, 2), np.float32), np.array([0, 0, 1]), np.arange(3), 0, 0)
    drawing = CellDrawing(resolve(None, tiny), (16, 16), 4, 0, 0)
    options = {"per_photo": 2, "layout": "pca", "settings": LayoutSettings(), "signed": False, "classes": ()}
    assert describe_map(find_photos("."), positions, drawing, **options)["photos"] == "2 photos of woods"
    aligned = describe_map(find_photos("."), positions, drawing, aligned_with="a of net", **options)["layout"]
    assert aligned.endswith("turned to the places of the same photos on the map of a of net")
