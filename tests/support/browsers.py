"""Chromium for tests of pages."""

from pathlib import Path

import pytest

CHROMIUM = Path("/usr/bin/chromium")


def open_browser():
    """Yields a browser, or skips the test where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"no browser: {CHROMIUM} is not there; it is Debian's package chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


def watched_page(browser):
    """Yields a page; the test fails if a message appears on its console, or a request goes to a network."""
    page, problems = browser.new_page(viewport={"width": 1280, "height": 900}), []
    page.set_default_timeout(20_000)
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: problems.append(request.url) if request.url.startswith("http") else None)
    yield page
    page.close()
    assert problems == []
