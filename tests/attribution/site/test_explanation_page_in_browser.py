"""An explanation's page in a browser, from the disk: pointer, keys, a phone, no message on the console."""

import numpy as np
import pytest
from support.accessibility import SCHEMES, violations
from support.browsers import open_browser, open_page, settle

import featviz as fv
from featviz.attribution.methods import GradientTimesActivation

PHOTO = np.random.default_rng(0).random((16, 16, 3), np.float32)
CLEAR = "rgba(0, 0, 0, 0)"
SIZES = {"desk": (1280, 900), "tablet": (820, 1180), "phone": (390, 844)}


@pytest.fixture(scope="module")
def browser():
    yield from open_browser()


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("why")
    options = {"layers": ["conv1/relu", "conv2/relu"], "method": GradientTimesActivation(), "draw": False}
    (explanation,) = fv.explain(tiny, PHOTO, out=folder, groups=2, progress=False, **options)
    return folder / "000000.html", explanation


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_places_are_shown_to_pointer_and_keys_at_every_size(browser, made, size, scheme):
    address, explanation = made
    width, height = SIZES[size]
    page, problems = open_page(browser, viewport={"width": width, "height": height}, color_scheme=scheme), []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: problems.append(request.url) if request.url.startswith("http") else None)
    page.goto(address.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    view = explanation.layers[1]
    section = page.locator("#layer-1")

    def listed():
        settle(page)
        return [text.split()[-2] for text in section.locator(".seen li").all_inner_texts()]

    row, column = np.unravel_index(view.strengths[..., 0].argmax(), view.places.shape)
    assert listed() == [str(unit) for unit in view.strongest[row, column]]
    section.locator('button[data-at="3-4"]').focus()
    assert listed() == [str(unit) for unit in view.strongest[3, 4]]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert listed() == [str(unit) for unit in view.strongest[4, 5]]
    section.locator('button[data-at="0-0"]').hover()
    assert listed() == [str(unit) for unit in view.strongest[0, 0]]
    # The switch shows where a group is, below places without tints, and what feeds it opens in its turn.
    photo = section.locator(".map .base").get_attribute("src")
    section.get_by_label("group 2").check()
    assert section.locator(".map .base").get_attribute("src") == section.locator(".overlay").nth(1).get_attribute("src")
    assert section.locator('button[data-at="0-0"]').evaluate("e => getComputedStyle(e).backgroundColor") == CLEAR
    section.get_by_label("photo", exact=True).check()
    assert section.locator(".map .base").get_attribute("src") == photo
    for index in range(2):
        section.locator(".sources summary").nth(index).click()
    assert section.locator(".sources details[open] figure").first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # One place of each layer is reached by Tab.
    assert page.locator('button[tabindex="0"]').count() == 2
    page.close()
    assert problems == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_page_violates_wcag(browser, made, scheme):
    address, _ = made
    page = open_page(browser, color_scheme=scheme)
    page.goto((address.parent / "index.html").as_uri())
    assert violations(page) == []
    page.goto(address.as_uri())
    page.locator('#layer-1 button[data-at="3-4"]').focus()
    page.locator("#layer-1 .sources summary").first.click()
    assert violations(page) == []
    page.close()
