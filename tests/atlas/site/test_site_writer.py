"""The atlas's site as files: what is written, what is left alone, what pages say."""

import json
from dataclasses import replace

import pytest
from support import sites
from support.parsed_pages import link_target, parse_page

from featviz.atlas.site.site_writer import write_layer, write_unit
from featviz.circuits.strongest_links import UnitLink
from featviz.errors import FeatvizError
from featviz.pages.records import PhotoCrop


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def grid_of(path):
    return json.loads(path.read_text("ascii").removeprefix("atlas.showGrid(").removesuffix(");\n"))


def test_writing_again_changes_nothing(tmp_path):
    network = sites.network([sites.layer("a", 3)])
    units = [sites.unit("a", 0), sites.full_unit("a", tmp_path / "photos"), sites.unit("a", 2)]
    first = files(sites.write_site(tmp_path / "first", network, units))
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "first").rglob("*") if path.is_file()}
    assert files(sites.write_site(tmp_path / "first", network, units)) == first
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    assert files(sites.write_site(tmp_path / "second", network, units)) == first


def test_files_of_an_earlier_run_are_removed(tmp_path):
    network = sites.network([sites.layer("a", 3)])
    full = sites.full_unit("a", tmp_path / "photos")
    write_unit(tmp_path, network, full, neighbors=(0, 2), copy_photos=True)
    write_unit(tmp_path, network, replace(full, pictures=full.pictures[:1]), neighbors=(0, 2))
    assert {path.name for path in (tmp_path / "units/a/1").iterdir()} == {"index.html", "unit.json", "main.webp"}
    for seed in (1, 2):
        summaries = [sites.summary(full)]
        write_layer(tmp_path, network, network.layers[0], summaries, lambda _, seed=seed: sites.pixels(seed))
    assert len(list((tmp_path / "grids/a").glob("*.webp"))) == 1


def test_units_without_a_picture_have_an_empty_frame(tmp_path):
    network = sites.network([sites.layer("a", 3, done=1)])
    write_unit(tmp_path, network, sites.full_unit("a", tmp_path / "photos"), neighbors=(None, None))
    path = tmp_path / "units/a/1/index.html"
    page = parse_page(path)
    kinds = [attributes.get("class") for _, attributes in page.elements]
    assert kinds.count("frame empty") == 8
    assert not [attributes for _, attributes in page.elements if attributes.get("rel") in ("prev", "next")]
    images = [attributes["src"] for name, attributes in page.elements if name == "img"]
    assert all(
        link_target(path, source).is_file() for source in images if not source.startswith("data:image/png;base64,")
    )
    write_unit(tmp_path, network, sites.unit("a", 0), neighbors=(None, 1))
    write_unit(tmp_path, network, sites.full_unit("a", tmp_path / "photos"), neighbors=(0, None))
    assert "../../../units/a/0/index.html" in set(parse_page(path).links())


def test_a_photograph_is_linked_only_if_it_is_a_file(tmp_path):
    crop = PhotoCrop(100, 1.0, "p", sites.pixels(0), "javascript:alert(1)", (64, 64), (0, 0, 8, 8))
    gone = replace(crop, href=None, photo_size=None, box=None)
    flat = replace(crop, href="file:///x.jpg", box=(8, 8, 8, 8))
    survey = sites.survey(tmp_path / "photos", examples=(crop, gone, flat))
    unit = sites.unit("a", 0, survey=survey)
    write_unit(tmp_path, sites.network([sites.layer("a", 1)]), unit, neighbors=(None, None))
    page = (tmp_path / "units/a/0/index.html").read_text()
    assert "javascript" not in page and "x.jpg" not in page and page.count("frame empty") == 3


@pytest.mark.parametrize(
    ("surveyed", "said"),
    [(False, "featviz atlas net -o atlas --survey FOLDER"), (True, "The survey does not cover this unit.")],
)
def test_without_a_survey_the_page_says_how_to_make_one(tmp_path, surveyed, said):
    network = sites.network([sites.layer("a", 1)], surveyed=surveyed)
    write_unit(tmp_path, network, sites.unit("a", 0), neighbors=(None, None))
    assert said in parse_page(tmp_path / "units/a/0/index.html").texts


def test_a_gray_and_elongated_picture(tmp_path):
    wide = sites.pixels(1, side=48, channels=1)[:24]
    unit = sites.unit("a", 0, pictures=(sites.picture(pixels=wide),))
    network = sites.network([sites.layer("a", 1)])
    write_unit(tmp_path, network, unit, neighbors=(None, None))
    write_layer(tmp_path, network, network.layers[0], [sites.summary(unit)], lambda _: wide)
    assert grid_of(tmp_path / "grids/a/units.js")["cell_size"] == [48, 24]


def test_a_grid_without_some_pictures(tmp_path):
    network = sites.network([sites.layer("a", 40, done=20)])
    summaries = [sites.summary(sites.unit("a", index)) for index in range(20)]
    thumbnails = {index: sites.pixels(index) for index in range(17, 20)}
    write_layer(tmp_path, network, network.layers[0], summaries, thumbnails.get)
    grid = grid_of(tmp_path / "grids/a/units.js")
    assert grid["missing"] == list(range(17)) and grid["cell_size"] == [24, 24] and grid["full_size"] is False
    assert "20 of 40 units" in parse_page(tmp_path / "layers/a.html").texts


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "units").write_text("in the way")
    with pytest.raises(FeatvizError, match="cannot write"):
        write_unit(tmp_path, sites.network([sites.layer("a", 1)]), sites.unit("a", 0), neighbors=(None, None))


def test_links_to_units_of_another_layer_name_it(tmp_path):
    unit = sites.unit("a", 0, inputs=(UnitLink("b/c", 4, -0.25),))
    write_unit(tmp_path, sites.network([sites.layer("a", 1)]), unit, neighbors=(None, None))
    assert {"b/c", "4", "\N{MINUS SIGN}0.25"} <= set(parse_page(tmp_path / "units/a/0/index.html").texts)


def test_maps_of_weights_and_the_switch_between_them(tmp_path):
    network = sites.network([sites.layer("a", 3, done=1)])
    write_unit(tmp_path, network, sites.full_unit("a", tmp_path / "photos"), neighbors=(None, None))
    page = parse_page(tmp_path / "units/a/1/index.html")
    maps = [attributes for name, attributes in page.elements if name == "img" and attributes.get("class") == "weights"]
    assert len(maps) == 5 and all(each["alt"] and each["src"].startswith("data:image/png") for each in maps)
    switches = [attributes for name, attributes in page.elements if attributes.get("type") == "radio"]
    assert [each["name"] for each in switches] == ["inputs-weights", "inputs-weights"]
