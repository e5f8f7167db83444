"""The map of a layer of latents in a browser, from the disk: pointer, keys, names, pictures, the grid's search."""

import re

import numpy as np
import pytest
from support import sites
from support.accessibility import SCHEMES, violations
from support.browsers import open_browser, open_page, settle, stop_scrolling, watched_page
from support.processes import wait_for

from featviz.atlas.site.site_writer import write_assets, write_layer
from featviz.dictionaries import latent_map
from featviz.pages import addresses

LAYER, UNITS = "conv/latents", 3000


@pytest.fixture(scope="module")
def browser():
    yield from open_browser()


@pytest.fixture
def page(browser):
    yield from watched_page(browser)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Unit 5 in a corner of its own, the others in the middle."""
    folder = tmp_path_factory.mktemp("site")
    layer = sites.layer(LAYER, UNITS)
    summaries = [
        sites.summary(sites.unit(LAYER, unit, label="tabby cat" if unit % 100 == 5 else "")) for unit in range(UNITS)
    ]
    places = 0.3 + 0.4 * np.random.default_rng(0).random((UNITS, 2))
    places[5] = [0.02, 0.04]
    layout = latent_map.LatentMap("UMAP", 256, latent_map.settle(places, 256))
    write_assets(folder)
    write_layer(folder, sites.network([layer]), layer, summaries, sites.pixels, layout=layout)
    opened = folder / addresses.unit_page(LAYER, 5)
    opened.parent.mkdir(parents=True)
    opened.write_text('<title>5</title><link rel="icon" href="data:,">')
    return folder


def open_map(page, site):
    page.goto((site / addresses.layer_page(LAYER)).as_uri())
    page.wait_for_selector("html[data-mapped]")


def place(page, row):
    """Where a unit is in the window."""
    box = page.locator("#map").bounding_box()
    left, top, width, height = page.evaluate("row => atlas.mapView.place(row)", row)
    return box["x"] + left + width / 2, box["y"] + top + height / 2


def name(page):
    settle(page)
    shown = page.locator("#map-unit")
    return shown.inner_text() if shown.is_visible() else None


def drawn(page):
    """How many pixels of the canvas are not empty, and how many have color."""
    # The canvas has pictures of files, which no script may read; a screenshot may.
    from io import BytesIO

    from PIL import Image

    page.mouse.move(2, 2)
    settle(page)
    shot = np.asarray(Image.open(BytesIO(page.locator("#map").screenshot())).convert("RGB")).astype(int)
    paper = shot[-1, -1]
    different = np.abs(shot - paper).max(-1) > 24
    return different.sum(), (shot.max(-1) - shot.min(-1) > 60).sum()


def test_the_unit_under_the_pointer_is_named_and_opens(page, site):
    open_map(page, site)
    assert name(page) is None
    page.mouse.move(*place(page, 5))
    assert name(page) == "Unit 5, tabby cat"
    box = page.locator("#map-unit").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 1280
    page.mouse.click(*place(page, 5))
    page.wait_for_url(re.compile(r"conv%252Flatents/5/index\.html"))


def test_dragging_moves_it_and_opens_nothing(page, site):
    open_map(page, site)
    x, y = place(page, 5)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 150, y + 60, steps=5)
    page.mouse.up()
    settle(page)
    assert place(page, 5) == pytest.approx((x + 150, y + 60), abs=1)
    assert page.url.endswith(".html") and "units" not in page.url


def test_wheel_and_keys_only_with_the_focus(page, site):
    open_map(page, site)
    page.mouse.move(*place(page, 5))
    scale = page.evaluate("() => atlas.mapView.scale")
    page.mouse.wheel(0, 200)
    page.wait_for_function("() => scrollY > 0")
    assert page.evaluate("() => atlas.mapView.scale") == scale
    page.focus("#map")
    stop_scrolling(page)
    page.mouse.move(*place(page, 5))
    before = place(page, 5)
    page.mouse.wheel(0, -300)
    page.wait_for_function("scale => atlas.mapView.scale > scale", arg=scale)
    # What is under the pointer stays there.
    assert place(page, 5) == pytest.approx(before, abs=1)
    page.keyboard.press("0")
    assert page.evaluate("() => atlas.mapView.scale") == scale
    page.keyboard.press("ArrowRight")
    assert name(page).startswith("Unit ")
    for _ in range(20):
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowLeft")
    assert name(page) == "Unit 5, tabby cat"
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"conv%252Flatents/5/index\.html"))


def test_pictures_once_zoomed_in_each_unit_its_own_at_the_end(page, site):
    open_map(page, site)
    points, colored = drawn(page)
    assert points > 500 and colored < points / 20
    assert page.evaluate("() => atlas.mapView.pictureLevel()") == -1
    page.focus("#map")
    for _ in range(12):
        page.keyboard.press("+")
    page.wait_for_function("() => atlas.mapView.pictureLevel() === 0")
    # Sheets are drawn as they come.
    page.wait_for_function("() => [...atlas.mapView.sheets.values()].some(Boolean)")
    wait_for(lambda: drawn(page)[1] > 2000)
    # Every unit has a block of its own at this level.
    assert page.evaluate("() => atlas.mapView.points.level(0).occupied") == UNITS


def test_the_search_marks_units_on_the_map(page, site):
    open_map(page, site)
    assert page.evaluate("() => atlas.mapView.matched") is None
    page.fill("#search", "tabby")
    marked = page.evaluate("() => [...atlas.mapView.matched].reduce((sum, one) => sum + one, 0)")
    assert marked == 30 and page.evaluate("() => atlas.mapView.matched[5]") == 1
    page.fill("#search", "")
    assert page.evaluate("() => atlas.mapView.matched") is None
    # The grid's keys are still the grid's.
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("() => document.activeElement.closest('#grid') !== null")


def test_on_a_telephone_it_fits_and_in_the_dark_it_is_light(browser, site):
    page = open_page(browser, viewport={"width": 390, "height": 844}, color_scheme="dark")
    open_map(page, site)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("() => atlas.mapView.ink") == "#ebe8e2"
    page.close()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_map_does_not_violate_wcag(browser, site, scheme):
    page = open_page(browser, color_scheme=scheme)
    open_map(page, site)
    assert violations(page) == []
    page.close()
