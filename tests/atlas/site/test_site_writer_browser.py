"""The atlas's site in a browser, from the disk: walls, pages, keys, no complaint on the console."""

import re
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from support import sites
from support.sites import HOSTILE

from featviz.ascent.outcome import Outcome
from featviz.atlas.site.site_writer import write_assets, write_layer
from featviz.pages import addresses
from featviz.pages.records import UnitSummary

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = Path("/usr/bin/chromium")
HARM = tuple(HOSTILE[at] for at in (0, 1, 2, 3, 5, 8, 11, 13))
PHONE = {"width": 390, "height": 844}


class Quiet(SimpleHTTPRequestHandler):
    """A server that keeps its record to itself."""

    def log_message(self, *said):
        pass


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM.exists():
        pytest.skip(f"no browser: {CHROMIUM} is not there; it is Debian's package chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A page; the test fails if anything is said on its console, or asked of a network."""
    page, said = browser.new_page(viewport={"width": 1280, "height": 900}), []
    page.set_default_timeout(10_000)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: said.append(request.url) if request.url.startswith("http") else None)
    yield page
    page.close()
    assert said == []


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Two layers, 30 units of which have a page; of one nothing is drawn."""
    folder = tmp_path_factory.mktemp("site")
    layers = [
        sites.layer("conv/1", 30),
        sites.layer("later", 5, done=0, parents=("conv/1",)),
        sites.layer("top", 3, parents=("later",)),
    ]
    units = []
    for number in range(30):
        main = sites.picture(seed=number, score=float(number * 7 % 30))
        unit = sites.unit("conv/1", number, pictures=(main,), label="tabby cat" if number % 10 == 4 else "")
        units.append(replace(unit, faults=("dead",) if number in (5, 6) else ()))
    units[1] = sites.full_unit("conv/1", folder / "photos")
    units += [sites.unit("top", 0), sites.unit("top", 1)]
    return sites.write_site(folder / "site", sites.network(layers, complete=False), units)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    network = sites.network([sites.layer(name, 2) for name in HARM], name=HOSTILE[1], command=HOSTILE[0])
    units = []
    for at, name in enumerate(HARM):
        units += [
            sites.unit(name, 0),
            replace(sites.full_unit(name, folder, text=HARM[at - 1]), faults=(HOSTILE[1],)),
        ]
    return sites.write_site(folder / "site", network, units)


def open_layer(page, site, layer="conv/1", state=""):
    page.goto((site / addresses.layer_page(layer)).as_uri() + state)
    page.wait_for_selector("html[data-ready]")


def shown_units(page):
    """The units in sight, as they hang."""
    return page.evaluate(
        """() => [...document.querySelectorAll("#grid a")].sort((a, b) => a.dataset.position - b.dataset.position)
        .map(link => Number(link.querySelector(".number").textContent))"""
    )


def focused(page):
    return page.evaluate("() => Number(document.activeElement.closest('#grid a')?.children[1].firstChild.textContent)")


def fits(page):
    return page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_from_the_map_to_a_wall_to_a_unit_and_on(page, site):
    page.goto((site / "index.html").as_uri())
    assert page.locator(".layers > li").count() == 3
    page.click(".named >> text=conv/1")
    page.wait_for_selector("html[data-ready]")
    assert shown_units(page) == list(range(30))
    page.click("#grid a >> nth=1")
    page.wait_for_selector("h1")
    assert page.inner_text("h1") == "Unit 1"
    assert page.locator("img").count() == 9 + 4 + 5  # its own, photographs, other units
    page.click(".units a >> nth=0")
    page.wait_for_url(re.compile(r"conv%252F1/0/index\.html"))
    page.go_back()
    page.click(".trail a >> nth=0")
    page.wait_for_url(re.compile("/index.html$"))


def test_all_pictures_are_there(page, site):
    page.goto((site / addresses.unit_page("conv/1", 1)).as_uri())
    page.evaluate("() => document.querySelectorAll('img').forEach(image => image.loading = 'eager')")
    page.wait_for_function("() => [...document.images].every(image => image.complete && image.naturalWidth)")
    # A linked photograph is cut to what the unit sees: half of it on each side.
    cut = page.locator(".cut").first.bounding_box()
    whole = page.locator(".cut img").first.bounding_box()
    assert whole["width"] == pytest.approx(2 * cut["width"], abs=1) and cut["width"] == pytest.approx(
        cut["height"], abs=1
    )


def test_sorting_filtering_searching(page, site):
    open_layer(page, site)
    scores = {number: number * 7 % 30 for number in range(30)} | {1: 12.5}
    page.select_option("#sort", "high")
    assert shown_units(page) == sorted(scores, key=lambda number: (-scores[number], number))
    page.select_option("#sort", "low")
    assert shown_units(page) == sorted(scores, key=lambda number: (scores[number], number))
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
    # The address holds what is shown: opened again, it is the same.
    page.fill("#search", "tabby")
    page.select_option("#sort", "high")
    seen = shown_units(page)
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert shown_units(page) == seen and page.input_value("#search") == "tabby"


def test_the_wall_under_the_keyboard(page, site):
    open_layer(page, site)
    page.keyboard.press("ArrowRight")
    assert focused(page) == 0
    columns = page.evaluate(
        "() => new Set([...document.querySelectorAll('#grid > div')].map(d => d.getBoundingClientRect().x)).size"
    )
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert focused(page) == 1 + columns
    page.keyboard.press("ArrowUp")
    page.keyboard.press("End")
    assert focused(page) == 29
    page.keyboard.press("/")
    page.keyboard.type("14")
    assert shown_units(page) == [14]
    page.keyboard.press("Enter")
    assert focused(page) == 14
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/14/index\.html"))
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile(r"/15/index\.html"))
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(re.compile(r"/14/index\.html"))
    page.keyboard.press("u")
    page.wait_for_url(re.compile("unit=14"))
    page.wait_for_selector("html[data-ready]")
    assert focused(page) == 14


def test_a_figure_says_what_it_means(page, site):
    page.goto((site / addresses.unit_page("conv/1", 1)).as_uri())
    tip = page.locator("[role=tooltip]").first
    assert not tip.is_visible()
    page.locator(".evidence button").first.hover()
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
def test_on_a_phone_nothing_sticks_out(browser, page, site, hostile, scheme):
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme=scheme)
    for address in ("index.html", addresses.layer_page("conv/1"), addresses.unit_page("conv/1", 1)):
        page.goto((site / address).as_uri())
        assert fits(page)
    paper = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", paper))) < 100) == (scheme == "dark")
    page.goto((hostile / "index.html").as_uri())
    assert fits(page)
    for name in HARM:
        page.goto((hostile / addresses.unit_page(name, 1)).as_uri())
        assert fits(page)


def test_names_that_mean_harm_do_none(page, hostile):
    for name in HARM:
        page.goto((hostile / "index.html").as_uri())
        page.locator(".named a").nth(HARM.index(name)).evaluate("link => link.click()")
        page.wait_for_selector("html[data-ready='2']")
        assert page.text_content("h1") == name
        page.select_option("#show", index=2)
        assert shown_units(page) == [1]
        page.click("#grid a")
        page.wait_for_selector(".hero")
        assert page.text_content(".layer") == name
        assert page.locator("main script").count() == 0 and page.locator("[onmouseover]").count() == 0


@pytest.fixture
def server(hostile):
    """The address of a web server of the hostile site."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=hostile)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_from_a_web_server(browser, server):
    page, said = browser.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.on("response", lambda response: said.append(response.url) if response.status >= 400 else None)
    for at in range(len(HARM)):
        page.goto(server)
        page.locator(".named a").nth(at).evaluate("link => link.click()")
        page.wait_for_selector("html[data-ready='2']")
        page.click("#grid a >> nth=0")
        page.wait_for_selector(".hero")
    page.close()
    assert said == []


def test_a_large_wall(page, tmp_path):
    count = 5000
    layer = sites.layer("large", count)
    briefs = [
        UnitSummary(unit, f"class {unit % 100}", float(unit * 7919 % count), Outcome.CONVERGED, ())
        for unit in range(count)
    ]
    write_assets(tmp_path)
    pixels = sites.pixels(0)
    write_layer(tmp_path, sites.network([layer]), layer, briefs, lambda _: pixels)
    open_layer(page, tmp_path, "large")
    assert 0 < page.locator("#grid a").count() < 400
    assert shown_units(page)[:50] == list(range(50))
    page.evaluate("() => scrollTo(0, document.body.scrollHeight / 2)")
    page.wait_for_function("() => Math.abs(document.querySelector('#grid a').dataset.position - 2500) < 500")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    assert focused(page) == count - 1
    page.select_option("#sort", "high")
    assert page.inner_text("#grid a[data-position='0'] .score") == "4999"
    page.fill("#search", "class 42")
    assert page.inner_text("#count") == "50 of 5,000"
    assert set(shown_units(page)) <= set(range(42, count, 100))
