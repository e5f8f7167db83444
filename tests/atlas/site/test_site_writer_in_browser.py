"""The atlas's site in a browser, from the disk and from a server: pages, keys, no message on the console."""

import re
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from support import sites
from support.accessibility import SCHEMES, violations
from support.browsers import open_browser, open_page, settle, watched_page
from support.sites import HOSTILE

from featviz.ascent.outcome import Outcome
from featviz.atlas.site.site_writer import write_assets, write_layer
from featviz.pages import addresses
from featviz.pages.records import UnitSummary

NAMES = tuple(HOSTILE[index] for index in (0, 1, 2, 3, 5, 8, 11, 13, 14))
PHONE = {"width": 390, "height": 844}


class QuietHandler(SimpleHTTPRequestHandler):
    """A request handler that logs nothing."""

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def browser():
    yield from open_browser()


@pytest.fixture
def page(browser):
    yield from watched_page(browser)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Three layers: 30 units of one, none of the second, two of the third."""
    folder = tmp_path_factory.mktemp("site")
    layers = [
        sites.layer("conv/1", 30),
        sites.layer("later", 5, done=0, parents=("conv/1",)),
        sites.layer("top", 3, parents=("later",)),
    ]
    units = []
    for index in range(30):
        main = sites.picture(seed=index, score=float(index * 7 % 30))
        unit = sites.unit("conv/1", index, pictures=(main,), label="tabby cat" if index % 10 == 4 else "")
        units.append(replace(unit, faults=("dead",) if index in (5, 6) else ()))
    units[1] = sites.full_unit("conv/1", folder / "photos")
    units += [sites.unit("top", 0), sites.unit("top", 1)]
    return sites.write_site(folder / "site", sites.network(layers, complete=False), units)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return sites.hostile_site(tmp_path_factory.mktemp("hostile"), NAMES)


def open_layer(page, site, layer="conv/1", state=""):
    page.goto((site / addresses.layer_page(layer)).as_uri() + state)
    page.wait_for_selector("html[data-ready]")


def shown_units(page):
    """The units in view, in the grid's order."""
    return page.evaluate(
        """() => [...document.querySelectorAll("#grid a")].sort((a, b) => a.dataset.position - b.dataset.position)
        .map(link => Number(link.querySelector(".number").textContent))"""
    )


def focused_unit(page):
    return page.evaluate("() => Number(document.activeElement.closest('#grid a')?.children[1].firstChild.textContent)")


def fits(page):
    return page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_from_the_front_page_to_a_layer_to_a_unit_and_back(page, site):
    page.goto((site / "index.html").as_uri())
    assert page.locator(".layers > li").count() == 3
    page.click(".named >> text=conv/1")
    page.wait_for_selector("html[data-ready]")
    assert shown_units(page) == list(range(30))
    page.click("#grid a >> nth=1")
    page.wait_for_url(re.compile(r"/1/index\.html"))
    assert page.inner_text("h1") == "Unit 1"
    assert page.locator("img").count() == 9 + 4 + 2 * 5  # its own, photographs, other units with weights
    page.click(".units a >> nth=0")
    page.wait_for_url(re.compile(r"conv%252F1/0/index\.html"))
    page.go_back()
    page.wait_for_url(re.compile(r"/1/index\.html"))
    page.click(".trail a >> nth=0")
    page.wait_for_url(re.compile("/index.html$"))


def test_all_images_load(page, site):
    page.goto((site / addresses.unit_page("conv/1", 1)).as_uri())
    page.evaluate("() => document.querySelectorAll('img').forEach(image => image.loading = 'eager')")
    page.wait_for_function("() => [...document.images].every(image => image.complete && image.naturalWidth)")
    # A linked photograph is cut to the receptive field: half of it on each side.
    cut = page.locator(".cut").first.bounding_box()
    photo = page.locator(".cut img").first.bounding_box()
    assert photo["width"] == pytest.approx(2 * cut["width"], abs=1)
    assert cut["width"] == pytest.approx(cut["height"], abs=1)


def test_sorting_filtering_searching(page, site):
    open_layer(page, site)
    scores = {unit: unit * 7 % 30 for unit in range(30)} | {1: 12.5}
    page.select_option("#sort", "high")
    assert shown_units(page) == sorted(scores, key=lambda unit: (-scores[unit], unit))
    page.select_option("#sort", "low")
    assert shown_units(page) == sorted(scores, key=lambda unit: (scores[unit], unit))
    page.select_option("#sort", "label")
    assert shown_units(page)[:4] == [1, 4, 14, 24]
    page.select_option("#sort", "unit")
    page.select_option("#show", "fault-dead")
    assert shown_units(page) == [5, 6] and page.inner_text("#grid .faulty .score >> nth=0") == "dead"
    page.select_option("#show", "trusted")
    assert shown_units(page) == [1]
    page.select_option("#show", "all")
    page.fill("#search", "TABBY")
    assert shown_units(page) == [1, 4, 14, 24] and page.inner_text("#count") == "4 of 30"
    page.fill("#search", "2")
    assert shown_units(page) == [2, *range(20, 30)]
    page.fill("#search", "no such thing")
    assert shown_units(page) == [] and page.inner_text(".none")
    # The address holds the state: after a reload, the page shows the same.
    page.fill("#search", "tabby")
    page.select_option("#sort", "high")
    before = shown_units(page)
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert shown_units(page) == before and page.input_value("#search") == "tabby"


def test_keyboard_shortcuts(page, site):
    open_layer(page, site)
    page.keyboard.press("ArrowRight")
    assert focused_unit(page) == 0
    columns = page.evaluate(
        "() => new Set([...document.querySelectorAll('#grid > div')].map(d => d.getBoundingClientRect().x)).size"
    )
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert focused_unit(page) == 1 + columns
    page.keyboard.press("ArrowUp")
    page.keyboard.press("End")
    assert focused_unit(page) == 29
    page.keyboard.press("/")
    page.keyboard.type("14")
    assert shown_units(page) == [14]
    page.keyboard.press("Enter")
    assert focused_unit(page) == 14
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/14/index\.html"))
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile(r"/15/index\.html"))
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(re.compile(r"/14/index\.html"))
    page.keyboard.press("u")
    page.wait_for_url(re.compile("unit=14"))
    page.wait_for_selector("html[data-ready]")
    assert focused_unit(page) == 14


def test_a_figure_of_the_evidence_explains_itself(page, site):
    page.goto((site / addresses.unit_page("conv/1", 1)).as_uri())
    tip = page.locator("[role=tooltip]").first
    assert not tip.is_visible()
    page.locator(".evidence button").first.hover()
    settle(page)
    assert tip.is_visible() and tip.inner_text() == "What it means: tabby."
    page.locator(".evidence button").nth(1).focus()
    assert page.locator("[role=tooltip]").nth(1).is_visible()


def test_a_unit_s_page_needs_no_script(browser, site):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / addresses.unit_page("conv/1", 1)).as_uri())
    assert page.locator("svg path").count() == 3 and page.locator("svg rect").count() == 9
    assert page.locator("pre code").inner_text() == "featviz render net --x 'a b'"
    assert page.locator(".part").count() == 10
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_fit_a_phone_in_both_color_schemes(page, site, scheme):
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme=scheme)
    for address in ("index.html", addresses.layer_page("conv/1"), addresses.unit_page("conv/1", 1)):
        page.goto((site / address).as_uri())
        assert fits(page)
    paper = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", paper))) < 100) == (scheme == "dark")


def visit_hostile_pages(page, front_page, *, unit):
    """Opens each layer's page from the front page, and from there a unit's page; yields once there."""
    page.goto(front_page)
    assert fits(page)
    # Addresses as the browser resolves them: what a click would open.
    layers = page.eval_on_selector_all(".named a", "links => links.map(link => link.href)")
    assert len(layers) == len(NAMES)
    for name, address in zip(NAMES, layers, strict=True):
        page.goto(address)
        page.wait_for_selector("html[data-ready='3']")
        assert page.text_content("h1") == name
        page.select_option("#show", index=2)
        assert shown_units(page) == [1]
        page.select_option("#show", index=0)
        page.goto(page.eval_on_selector(f"#grid a[data-position='{unit}']", "link => link.href"))
        assert page.text_content(".layer") == name
        yield


def test_hostile_names_do_no_harm_and_fit_a_phone(page, hostile):
    page.set_viewport_size(PHONE)
    for _ in visit_hostile_pages(page, (hostile / "index.html").as_uri(), unit=1):
        assert page.locator("main script").count() == 0 and page.locator("[onmouseover]").count() == 0
        assert fits(page)


@pytest.fixture
def server(hostile):
    """The address of a web server of the hostile site."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=hostile)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_hostile_names_from_a_web_server(browser, server):
    page, problems = open_page(browser), []
    page.on("console", lambda message: problems.append(message.text))
    page.on("response", lambda response: problems.append(response.url) if response.status >= 400 else None)
    # Unit 1 has photographs on the disk, which a page from a server may not load.
    assert len(list(visit_hostile_pages(page, server, unit=0))) == len(NAMES)
    page.close()
    assert problems == []


def test_a_grid_of_5000_units_holds_only_those_in_view(page, tmp_path):
    count = 5000
    layer = sites.layer("large", count)
    summaries = [
        UnitSummary(unit, f"class {unit % 100}", float(unit * 7919 % count), Outcome.CONVERGED, ())
        for unit in range(count)
    ]
    write_assets(tmp_path)
    pixels = sites.pixels(0)
    write_layer(tmp_path, sites.network([layer]), layer, summaries, lambda _: pixels)
    open_layer(page, tmp_path, "large")
    assert 0 < page.locator("#grid a").count() < 400
    assert shown_units(page)[:50] == list(range(50))
    page.evaluate("() => scrollTo(0, document.body.scrollHeight / 2)")
    page.wait_for_function("() => Math.abs(document.querySelector('#grid a').dataset.position - 2500) < 500")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    assert focused_unit(page) == count - 1
    page.select_option("#sort", "high")
    assert page.inner_text("#grid a[data-position='0'] .score") == "4999"
    page.fill("#search", "class 42")
    assert page.inner_text("#count") == "50 of 5,000"
    assert set(shown_units(page)) <= set(range(42, count, 100))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_page_violates_wcag(browser, site, scheme):
    page = open_page(browser, color_scheme=scheme)
    # A page with all that there can be, one with a fault, one with little, a layer with units and one without.
    units = [addresses.unit_page("conv/1", unit) for unit in (1, 5, 0)]
    for address in (addresses.INDEX, *map(addresses.layer_page, ("conv/1", "later")), *units):
        if (site / address).exists():
            page.goto((site / address).as_uri())
            assert violations(page) == [], address
    page.close()
