"""The data of a layer's map: sheets in the order of the map, places, and which page has one."""

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support import sites

from featviz.atlas.site.layer_map import COLUMNS, MAP_FILE, SIDE, morton_order, write_map
from featviz.atlas.site.site_writer import write_layer
from featviz.dictionaries.latent_map import LatentMap, settle
from featviz.pages.addresses import grid_folder, layer_page


def layout(units, method="PCA"):
    places = np.random.default_rng(0).random((units, 2))
    return LatentMap(method, 64, settle(places, 64))


def data_of(folder, name="a/latents"):
    script = (folder / grid_folder(name) / MAP_FILE).read_text()
    assert script.startswith("atlas.showMap(") and script.endswith(");\n")
    return json.loads(script[len("atlas.showMap(") : -3])


def color(unit):
    return np.full((96, 48, 3), [unit, 255 - unit, 128], np.uint8)


def test_each_picture_is_where_its_slot_says(tmp_path):
    units = [unit for unit in range(150) if unit != 7]
    write_map(tmp_path, "a/latents", units, layout(150), lambda unit: None if unit == 9 else color(unit))
    data = data_of(tmp_path)
    assert data["cell_size"] == [32, SIDE] and data["columns"] == COLUMNS and len(data["sheets"]) == 3
    np.testing.assert_array_equal(np.stack([data["x"], data["y"]], 1), layout(150).points[units])
    folder = tmp_path / "layers"
    sheets = [np.asarray(Image.open((folder / sheet.replace("%25", "%")).resolve())) for sheet in data["sheets"]]
    for unit, slot in zip(units, data["slots"], strict=True):
        if unit == 9:
            assert slot == -1
            continue
        sheet, cell = divmod(slot, COLUMNS * COLUMNS)
        row, column = divmod(cell, COLUMNS)
        middle = sheets[sheet][row * SIDE + SIDE // 2, column * 32 + 16].astype(int)
        assert np.abs(middle - [unit, 255 - unit, 128]).max() < 12
    # Again with fewer: what is stale goes, and the same content stays the same file.
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / grid_folder("a/latents") / "map").iterdir()}
    write_map(tmp_path, "a/latents", units, layout(150), lambda unit: None if unit == 9 else color(unit))
    again = {path.name: path.stat().st_mtime_ns for path in (tmp_path / grid_folder("a/latents") / "map").iterdir()}
    assert again == kept
    write_map(tmp_path, "a/latents", units[:5], layout(150), color)
    assert len(list((tmp_path / grid_folder("a/latents") / "map").iterdir())) == 1


def test_without_any_picture(tmp_path):
    write_map(tmp_path, "a/latents", [0, 1], layout(2), lambda unit: None)
    assert data_of(tmp_path)["sheets"] == [] and data_of(tmp_path)["slots"] == [-1, -1]


def test_only_a_layer_with_a_layout_has_a_map(tmp_path):
    layer = sites.layer("a", 4)
    summaries = [sites.summary(sites.unit("a", unit)) for unit in range(4)]
    network = sites.network([layer])
    page = tmp_path / layer_page("a")
    write_layer(tmp_path, network, layer, summaries, sites.pixels)
    assert "<canvas" not in page.read_text() and not (tmp_path / grid_folder("a") / MAP_FILE).exists()
    write_layer(tmp_path, network, layer, summaries, sites.pixels, layout=layout(4, "UMAP"))
    assert "<canvas" in page.read_text() and "(UMAP)" in page.read_text()
    assert "featviz[maps]" not in page.read_text()
    write_layer(tmp_path, network, layer, summaries, sites.pixels, layout=layout(4))
    assert "principal components" in page.read_text() and "featviz[maps]" in page.read_text()


@given(st.integers(0, 40), st.integers(0, 3))
def test_the_order_is_that_of_interleaved_bits(count, seed):
    points = np.random.default_rng(seed).integers(0, 1 << 16, (count, 2))
    keys = [int("".join(f"{y >> bit & 1}{x >> bit & 1}" for bit in range(15, -1, -1)), 2) for x, y in points.tolist()]
    assert morton_order(points).tolist() == sorted(range(count), key=lambda index: keys[index])
