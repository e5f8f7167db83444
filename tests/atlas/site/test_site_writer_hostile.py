"""A site in which every name is hostile: names stay text, and every link leads to a file of the site."""

import json
import re
from collections import Counter

import pytest
from support import sites
from support.parsed_pages import link_target, parse_page
from support.sites import HOSTILE

from featviz.pages import addresses


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return sites.hostile_site(tmp_path_factory.mktemp("hostile"), HOSTILE)


@pytest.fixture(scope="module")
def pages(hostile):
    return {path: parse_page(path) for path in sorted(hostile.rglob("*.html"))}


def test_hostile_names_stay_text(hostile, pages):
    assert len(pages) == 1 + len(HOSTILE) * 4
    for page in pages.values():
        assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
        kinds = Counter(name for name, _ in page.elements)
        assert kinds["html"] == kinds["body"] == kinds["main"] == kinds["h1"] == 1
        for name, attributes in page.elements:
            if name == "script":
                assert re.match(r"(\.\./)*(assets|grids)/", attributes["src"])
    page = pages[hostile / addresses.unit_page(HOSTILE[4], 1)]
    assert {HOSTILE[0], HOSTILE[4], HOSTILE[3]} <= set(page.texts)


def test_every_name_is_the_heading_of_its_layer_s_page(hostile, pages):
    for name in HOSTILE[:-1]:
        assert name in {"", *pages[hostile / addresses.layer_page(name)].texts}
    # A lone surrogate has no UTF-8.
    assert HOSTILE[-1].replace("\ud800", "?") in pages[hostile / addresses.layer_page(HOSTILE[-1])].texts


def test_every_link_leads_to_a_file(hostile, pages):
    checked = set()
    for path, page in pages.items():
        for href in page.links():
            known = (
                "file:///",
                "data:,",
                "data:image/png;base64,",
                "#",
                "../",
                "assets/",
                "layers/",
                "grids/",
                "units/",
            )
            assert href.startswith(known) or re.fullmatch(r"[\w-]+\.(webp|json)", href)
            if not href.startswith(("data:", "#")):
                assert link_target(path, href).is_file()
                checked.add(link_target(path, href).resolve())
    assert {path for path in pages if path.name != "index.html"} <= checked


def test_the_grid_s_data_is_one_call_with_plain_data(hostile):
    for name in HOSTILE:
        script = (hostile / addresses.grid_folder(name) / "units.js").read_text("ascii")
        assert "<" not in script
        grid = json.loads(script.removeprefix("atlas.showGrid(").removesuffix(");\n"))
        assert grid["units"] == [0, 1, 2]
        assert grid["labels"][0] == HOSTILE[0]
        assert grid["faults"] == {"1": [0]} and grid["fault_names"] == [HOSTILE[1]]
        assert grid["full_size"] is True
        page = hostile / addresses.layer_page(name)
        assert all(link_target(page, sheet).is_file() for sheet in grid["sheets"])


def test_every_image_has_a_text_and_a_size(hostile, pages):
    for path, page in pages.items():
        for name, attributes in page.elements:
            if name == "img":
                assert attributes["alt"] and int(attributes["width"]) > 0 and int(attributes["height"]) > 0
            if name == "svg":
                assert attributes.get("aria-label") or path == hostile / "index.html"
