"""A map's page: parsed, its data, its sheets; names of files and classes stay text."""

import json

import numpy as np
import pytest
from PIL import Image
from support.parsed_pages import link_target, parse_page

from featviz.activation_atlas.activation_map import ActivationAtlas, DrawnLevel
from featviz.activation_atlas.map_cells import MapLevel, central_members, cut_into_cells, most_alike
from featviz.activation_atlas.own_photos import OwnPhoto
from featviz.activation_atlas.site.map_page import cell_pixels, level_sheet, map_data, write_map_page

BAD = "</script><script>alert(1)</script> \" ' & <b>\u2028\udcff"
RNG = np.random.default_rng(0)
PLACES = RNG.random((200, 2)).astype(np.float32)
VALUES = RNG.random((200, 5)).astype(np.float32)
PHOTO = np.repeat(np.arange(20), 10)
OWN = [OwnPhoto(BAD, np.zeros((8, 12, 3), np.uint8), np.array([[0.25, 0.75], [1.0, 0.0]], np.float32))]


def drawn(side, *, size=12, channels=3) -> DrawnLevel:
    cells: MapLevel = cut_into_cells(PLACES, VALUES, PHOTO, side=side, min_photos=1)
    count = len(cells.members)
    classes = tuple(((7, 2.0), (3, 0.5)) if index % 2 else () for index in range(count))
    exemplars = central_members(cells, VALUES, PHOTO, np.zeros(5, np.float32), count=4)
    pictures = RNG.integers(0, 256, (count, size, size, channels), np.uint8)
    return DrawnLevel(cells, pictures, classes, most_alike(cells.means, count=4), tuple(map(tuple, exemplars)))


def make(folder, **options) -> ActivationAtlas:
    levels = (drawn(3, **options), drawn(12, **options))
    return ActivationAtlas(folder, BAD, f"a/{BAD}", BAD, "pca", PLACES, PHOTO, levels, {"photos": BAD})


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    atlas = make(tmp_path_factory.mktemp("page"))
    rows = {row for level in atlas.levels for rows in level.exemplars for row in rows}
    crops = {row: np.full((64, 64, 3), row, np.uint8) for row in rows}
    names = {row: f"{PHOTO[row]}{BAD}.jpg" for row in rows}
    write_map_page(atlas, crops, names, class_names=[BAD] * 8, own=OWN)
    return atlas, names


def read_data(folder):
    text = (folder / "cells.js").read_text()
    assert "<" not in text
    return json.loads(text.removeprefix("window.activationMap = ").rstrip().removesuffix(";"))


def read_image(path):
    with Image.open(path) as file:
        return np.asarray(file)


def test_the_page_is_whole_and_its_links_lead_somewhere(written):
    atlas, _ = written
    page = parse_page(atlas.folder / "index.html")
    assert sum(BAD[:8] in text for text in page.texts) >= 3
    assert not [tag for tag, _ in page.elements if tag == "b"]
    assert sum(tag == "script" for tag, _ in page.elements) == 6
    targets = [link_target(atlas.folder / "index.html", href) for href in page.links() if not href.startswith("data:")]
    assert targets and all(target.is_file() for target in targets)


def test_the_data_is_that_of_the_map(written):
    atlas, names = written
    data = read_data(atlas.folder)
    assert data == map_data(atlas, names, [BAD] * 8, own=OWN) and data["classes"] == [BAD, BAD]
    # From the top, as a canvas has it.
    assert data["own"] == [[[0.25, 0.25], [1.0, 1.0]]]
    for level, shown in zip(atlas.levels, data["levels"], strict=True):
        assert shown["side"] == level.cells.side and shown["mean"] == pytest.approx(200 / level.cells.side**2)
        for index, cell in enumerate(shown["cells"]):
            assert cell["at"] == [level.cells.column[index], level.cells.row[index]]
            assert cell["classes"] == ([[1, 2.0], [0, 0.5]] if index % 2 else [])
            assert [data["photos"][number] for number in cell["shown"]] == [
                names[row] for row in level.exemplars[index]
            ]
            assert cell["like"] == level.neighbors[index].tolist()


def test_sheets_have_each_cell_at_its_place(written):
    atlas, _ = written
    for level in atlas.levels:
        sheet, side = level_sheet(level), cell_pixels(level)
        for row, column, pixels in zip(level.cells.row, level.cells.column, level.pictures, strict=True):
            np.testing.assert_array_equal(sheet[row * side :, column * side :][:side, :side], pixels)
        assert read_image(atlas.folder / "levels" / f"{level.cells.side}.webp").shape == sheet.shape
    # A photograph is as gray as its row is large.
    level = atlas.levels[1]
    index = 70
    sheet = read_image(atlas.folder / "photos" / "12-1.webp")
    left, top = (index - 64) % 8 * 128, (index - 64) // 8 * 128
    for number, row in enumerate(level.exemplars[index]):
        x, y = left + number % 2 * 64, top + number // 2 * 64
        assert abs(sheet[y : y + 64, x : x + 64].mean() - row) < 3


@pytest.mark.parametrize(("side", "size", "expected"), [(3, 200, 96), (3, 40, 40), (100, 96, 40)])
def test_no_sheet_is_larger_than_phones_decode(side, size, expected):
    assert cell_pixels(drawn(side, size=size, channels=1)) == expected


def test_networks_of_one_channel_are_shown_too():
    assert level_sheet(drawn(3, channels=1)).shape == (36, 36, 3)
