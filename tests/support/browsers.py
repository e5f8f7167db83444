"""Chromium for tests of pages."""

from pathlib import Path

import pytest

CHROMIUM = Path("/usr/bin/chromium")
# Milliseconds that a page may take for anything: far more than it needs, for machines that are busy.
PATIENCE = 120_000
FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
STILL = """() => new Promise(done => {
  let [last, count] = [NaN, 0];
  const look = () => {
    count = scrollY === last ? count + 1 : 0;
    last = scrollY;
    if (count === 10) done();
    else requestAnimationFrame(look);
  };
  look();
})"""


def open_browser():
    """Yields a browser, or skips the test where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"no browser: {CHROMIUM} is not there; it is Debian's package chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"], timeout=PATIENCE)
        yield browser
        browser.close()


def open_page(browser, **options):
    """A page that is waited for on a busy machine too."""
    page = browser.new_page(**options)
    page.set_default_timeout(PATIENCE)
    return page


def watched_page(browser):
    """Yields a page; the test fails if a message appears on its console, or a request goes to a network."""
    page, problems = open_page(browser, viewport={"width": 1280, "height": 900}), []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: problems.append(request.url) if request.url.startswith("http") else None)
    yield page
    page.close()
    assert problems == []


def settle(page):
    """Waits until the page has handled what the pointer did, and has drawn: both come once a frame."""
    page.evaluate(FRAMES)


def stop_scrolling(page):
    """Waits until the page lies still."""
    page.evaluate(STILL)
