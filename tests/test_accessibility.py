"""The check of accessibility finds what is planted."""

import pytest
from support.accessibility import violations
from support.browsers import open_browser, open_page

PLANTED = {
    "image-alt": '<img src="data:,">',
    "label": '<input type="text">',
    "color-contrast": '<p style="color:#aaa;background:#fff">faint</p>',
    "target-size": '<button style="width:9px;height:9px;border:0;padding:0">a</button>' * 2,
}


@pytest.fixture(scope="module")
def page():
    for browser in open_browser():
        yield open_page(browser)


@pytest.mark.parametrize("rule", PLANTED)
def test_violations_are_found(page, rule):
    page.set_content(f'<html lang="en"><title>t</title><main><h1>h</h1>{PLANTED[rule]}</main>')
    assert {line.partition(":")[0] for line in violations(page)} >= {rule}


def test_a_plain_page_has_none(page):
    page.set_content('<html lang="en"><title>t</title><main><h1>h</h1><p>text</p></main>')
    assert violations(page) == []
