"""HTML of notebooks: texts are escaped, and images keep their size or are enlarged by whole factors."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from featviz.common.displayed_list import MOST_SHOWN, DisplayedList
from featviz.common.notebook_html import (
    Html,
    encoded_image_html,
    facts_html,
    figure_html,
    heading_html,
    image_html,
    joined_html,
    row_html,
    table_html,
    text_html,
)


class Seen(HTMLParser):
    def __init__(self, source):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


@given(st.text(min_size=1))
def test_no_text_becomes_markup(text):
    plain = encoded_image_html(b"", "a", width=100)
    for made in (
        heading_html(text, text),
        figure_html(encoded_image_html(b"", text, width=100), [text, text]),
        table_html([text], [[text_html(text)]]),
        facts_html([(text, text)]),
        row_html([text_html(text, quiet=True)]),
    ):
        assert set(Seen(made).tags) <= {"div", "strong", "span", "figure", "img", "figcaption", "br", "table", "thead",
                                        "tbody", "tr", "th", "td"}  # fmt: skip
    assert Seen(plain).tags == ["img"]


@pytest.mark.parametrize(("side", "width"), [(32, 96), (64, 128), (96, 96), (200, 200)])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_small_images_are_enlarged_by_whole_factors(mode, side, width):
    made = image_html(Image.new(mode, (side, side)), "an image")
    assert f"width:{width}px" in made and ("pixelated" in made) == (width > side)
    data = base64.b64decode(re.search(r"base64,([^\"]+)", made)[1])
    assert Image.open(io.BytesIO(data)).size == (side, side)


def test_large_images_are_reduced_where_it_is_asked():
    image = Image.fromarray(np.zeros((300, 200, 3), np.uint8))
    made = image_html(image, "an image", side=150)
    assert "width:100px" in made and image.size == (200, 300)


def test_facts_without_a_value_are_left_out():
    assert Seen(facts_html([("a", 1), ("b", ""), ("c", 0)])).text == "a1c0"


class Item:
    def _repr_html_(self):
        return "<i>item</i>"


def test_a_list_is_a_list_and_its_parts_are_shown_too():
    items = DisplayedList(Item() for _ in range(MOST_SHOWN + 5))
    assert isinstance(items, list) and items == list(items) and items[0] is next(iter(items))
    assert items._repr_html_().count("<i>item</i>") == MOST_SHOWN and "and 5 more" in items._repr_html_()
    assert items[:2]._repr_html_().count("<i>item</i>") == 2 and "more" not in items[:2]._repr_html_()
    assert joined_html([Html("<i></i>")]) == "<div><i></i></div>"
