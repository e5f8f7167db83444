"""The page of a circuit in a browser, from the disk: filters, keys, a phone, no message on the console."""

import pytest
from support.accessibility import SCHEMES, violations
from support.browsers import open_browser, open_page

from featviz.attribution.explained_pictures import PictureFiles
from featviz.circuit_graphs.site.circuit_page import PACKAGE, render_circuit
from featviz.pages.addresses import ASSETS
from featviz.pages.templating import static_files


@pytest.fixture(scope="module")
def address(found, tmp_path_factory):
    folder = tmp_path_factory.mktemp("circuit")
    (folder / ASSETS).mkdir()
    for name, data in static_files(PACKAGE).items():
        (folder / ASSETS / name).write_bytes(data)
    (folder / "index.html").write_bytes(render_circuit(found, PictureFiles("0"), file_exists=lambda address: False))
    return (folder / "index.html").as_uri()


@pytest.fixture(scope="module")
def browser():
    yield from open_browser()


@pytest.fixture
def page(browser, address):
    messages = []
    page = open_page(browser, viewport={"width": 390, "height": 844})
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.goto(address)
    yield page
    page.close()
    assert messages == []


def test_the_slider_the_switch_and_the_keys(page, found):
    total = len(found.edges)
    assert page.inner_text("#shown") == f"{total} of {total} lines"
    page.eval_on_selector("#strength", "e => { e.value = 1; e.dispatchEvent(new Event('input')); }")
    strongest = sum(round(abs(edge.strength), 3) >= 1 for edge in found.edges)
    assert page.inner_text("#shown") == f"{strongest} of {total} lines"
    assert page.locator(".multiples li:visible").count() == strongest
    page.eval_on_selector("#strength", "e => { e.value = 0; e.dispatchEvent(new Event('input')); }")
    page.check("#confirmed")
    confirmed = sum(edge.verdict.name == "CONFIRMED" for edge in found.edges)
    assert page.inner_text("#shown") == f"{confirmed} of {total} lines"
    page.focus(".node")
    into = len(found.inputs(found.root))
    assert page.locator(".edge.near").count() == into and page.locator(".graph.marked").count() == 1
    # The graph scrolls, not the page.
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_page_does_not_violate_wcag(browser, address, scheme):
    page = open_page(browser, color_scheme=scheme)
    page.goto(address)
    assert violations(page) == []
    page.focus(".node")
    assert violations(page) == []
    page.close()
