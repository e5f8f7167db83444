"""The built documentation site in a browser: it fits on a phone, all pictures are there, nobody is shut out."""

from pathlib import Path

import pytest
from support.accessibility import SCHEMES, violations
from support.browsers import open_browser, open_page

SITE = Path(__file__).resolve().parents[1] / "docs" / "_build" / "html"
PAGES = sorted(
    str(path.relative_to(SITE))
    for folder in ("", "notebooks", "api", "project")
    for path in (SITE / folder).glob("*.html")
)
WIDTHS = (360, 800, 1400)
BROKEN = "() => [...document.images].filter(image => image.complete && !image.naturalWidth).map(image => image.src)"
# All that is wider than the window and cannot be scrolled by itself makes the page scroll sideways.
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"

if not PAGES:
    pytest.skip("the site is not built: make docs", allow_module_level=True)


@pytest.fixture(scope="module")
def browser():
    yield from open_browser()


@pytest.mark.parametrize("address", PAGES)
def test_a_page_fits_and_is_whole(browser, address):
    page = open_page(browser)
    page.goto((SITE / address).as_uri())
    found = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 1000})
        if (excess := page.evaluate(OVERFLOW)) > 0:
            found[width] = excess
    # The page of the search has a heading once something is sought.
    headings = 0 if address == "search.html" else 1
    assert (found, page.evaluate(BROKEN), page.locator("h1").count()) == ({}, [], headings)
    page.close()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("address", PAGES)
def test_a_page_does_not_violate_wcag(browser, address, scheme):
    page = open_page(browser, color_scheme=scheme)
    page.goto((SITE / address).as_uri())
    assert violations(page) == []
    page.close()
