"""A map's page in a browser, from the disk: pointer, keys, zoom, the search for a class, a phone; no message."""

import numpy as np
import pytest
from support.accessibility import SCHEMES, violations
from support.browsers import open_browser, open_page, settle

import featviz as fv

PHOTOS = list(np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), np.uint8))
TIMES = "\N{MULTIPLICATION SIGN}"
SIZES = {"desk": (1280, 900), "tablet": (820, 1180), "phone": (390, 844)}


@pytest.fixture(scope="module")
def browser():
    yield from open_browser()


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("map") / "m"
    options = {"levels": (2, 4), "layout": "pca", "size": 16, "steps": 2, "per_photo": 16, "min_photos": 1}
    return fv.build_activation_atlas(
        tiny, "conv1/relu", PHOTOS, out=folder, own_photos=PHOTOS[:2], progress=False, **options
    )


def said(level):
    return f"{level.side} {TIMES} {level.side}, {len(level.members)} cells"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_cells_are_shown_to_pointer_and_keys_at_every_size(browser, made, size, scheme):
    width, height = SIZES[size]
    page, problems = open_page(browser, viewport={"width": width, "height": height}, color_scheme=scheme), []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: problems.append(request.url) if request.url.startswith("http") else None)
    page.goto((made.folder / "index.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    coarse, fine = (level.cells for level in made.levels)

    def heading():
        settle(page)
        return page.locator("#cell h2").inner_text()

    def status():
        # The canvas draws, and says its level, once a frame.
        settle(page)
        return page.locator("#status").inner_text()

    assert status() in (said(coarse), said(fine))
    page.locator("#map").focus()
    for _ in range(4):
        page.keyboard.press("+")
    assert status() == said(fine)
    page.keyboard.press("0")
    settle(page)
    page.keyboard.press("ArrowLeft")
    before = heading()
    assert before.startswith("Row ") and before.endswith("of 4")
    moved = {before}
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
        moved.add(heading())
    assert len(moved) > 1
    # A click keeps a cell while the pointer moves on; Escape lets it go.
    page.keyboard.press("Escape")
    box = page.locator("#map").bounding_box()
    side = 0.98 * min(box["width"], box["height"])
    left, top = box["x"] + (box["width"] - side) / 2, box["y"] + (box["height"] - side) / 2

    def point(index):
        return left + (fine.column[index] + 0.5) * side / 4, top + (fine.row[index] + 0.5) * side / 4

    def name(index):
        return f"Row {fine.row[index] + 1}, column {fine.column[index] + 1} of 4"

    page.mouse.move(*point(0))
    assert heading() == name(0)
    page.mouse.move(*point(1))
    assert heading() == name(1)
    page.mouse.click(*point(1))
    page.mouse.move(*point(0))
    assert heading() == name(1)
    assert f"{fine.counts[1]} activation" in page.locator("#cell").inner_text()
    page.keyboard.press("Escape")
    page.close()
    assert problems == []


def test_a_class_lights_the_cells_that_speak_for_it(browser, made):
    # So small that the coarse level is shown at first.
    page = open_page(browser, viewport={"width": 320, "height": 200})
    page.goto((made.folder / "index.html").as_uri())
    coarse, fine = ([{index for index, _ in classes} for classes in level.classes] for level in made.levels)
    wanted = next(index for own in fine for index in own)

    def ending(cells):
        count = sum(wanted in own for own in cells)
        return f", {len(cells)} cells. class {wanted}: {count} cell{'s' * (count != 1)}"

    def status():
        settle(page)
        return page.locator("#status").inner_text()

    page.keyboard.press("/")
    page.keyboard.type(f"class {wanted}")
    assert status().endswith(ending(coarse))
    # The cells are those of the level that is shown.
    page.locator("#in").click()
    assert status().endswith(ending(fine)) and ending(fine) != ending(coarse)
    page.locator("#class").fill("nothing of the kind")
    assert "No cell speaks for" in status()
    page.keyboard.press("Escape")
    assert page.locator("#class").input_value() == ""
    page.close()


def test_a_photo_of_the_users_is_shown_and_hidden(browser, made):
    page = open_page(browser)
    page.goto((made.folder / "index.html").as_uri())
    canvas, buttons = page.locator("#map"), page.locator(".own button")
    settle(page)
    shots = [canvas.screenshot()]
    for index in (0, 1, 1):
        buttons.nth(index).click()
        page.mouse.move(1, 1)
        settle(page)
        shots.append(canvas.screenshot())
    assert shots[0] == shots[3] and len(set(shots)) == 3
    assert [button.get_attribute("aria-pressed") for button in buttons.all()] == ["false", "false"]
    page.close()


def test_the_list_of_cells_leads_to_each(browser, made):
    page = open_page(browser)
    page.goto((made.folder / "index.html").as_uri())
    page.locator("#list summary").click()
    fine = made.levels[1].cells
    buttons = page.locator("#list button")
    buttons.last.wait_for()  # the list is filled at its "toggle" event, which comes after the click has returned
    assert buttons.count() == len(fine.members)
    buttons.nth(2).click()
    assert page.locator("#cell h2").inner_text() == f"Row {fine.row[2] + 1}, column {fine.column[2] + 1} of 4"
    settle(page)
    page.locator("#cell .row button").first.click()
    other = made.levels[1].neighbors[2][0]
    assert (
        page.locator("#cell h2").inner_text().startswith(f"Row {fine.row[other] + 1}, column {fine.column[other] + 1}")
    )
    page.close()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_page_does_not_violate_wcag(browser, made, scheme):
    page = open_page(browser, color_scheme=scheme)
    page.goto((made.folder / "index.html").as_uri())
    assert violations(page) == []
    # With a square kept and the list open.
    page.locator("#list summary").click()
    page.locator("#list button").first.click()
    page.locator(".own button").first.click()
    assert violations(page) == []
    page.close()


def test_aligned_maps_lead_to_each_other_at_the_same_place(browser, tiny, made):
    options = {"levels": (2, 4), "layout": "pca", "size": 16, "steps": 1, "per_photo": 16, "min_photos": 1}
    other = fv.build_activation_atlas(
        tiny,
        "conv2/relu",
        PHOTOS,
        out=made.folder.parent / "other",
        aligned_with=made.folder,
        progress=False,
        **options,
    )
    page, problems = open_page(browser, viewport={"width": 1280, "height": 900}), []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto((made.folder / "index.html").as_uri())
    links = page.locator("#aligned a")
    assert [link.inner_text() for link in links.all()] == ["conv1/relu of tiny", "conv2/relu of tiny"]
    assert links.nth(0).get_attribute("aria-current") == "page"
    page.locator("#map").hover(position={"x": 100, "y": 150})
    for _ in range(3):
        page.mouse.wheel(0, -200)
    page.wait_for_function("() => Number(document.querySelectorAll('#aligned a')[1].hash.split(',')[2]) > 2")
    settle(page)
    place = links.nth(1).get_attribute("href").partition("#")[2]
    zoom = float(place.split(",")[2])
    assert zoom > 2
    links.nth(1).click()
    page.wait_for_url("**/other/index.html*")
    settle(page)
    assert page.locator("h1").inner_text() == "conv2/relu"
    back = page.locator("#aligned a").nth(0).get_attribute("href").partition("#")[2]
    assert [float(each) for each in back.split(",")] == pytest.approx(
        [float(each) for each in place.split(",")], abs=2e-3
    )
    page.close()
    assert problems == [] and other.missing == 0
