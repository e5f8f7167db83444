"""What Sphinx's pages lack for screen readers: levels of captions; and lists of parameters that are no definitions."""

import re
from typing import Any

from sphinx.application import Sphinx

# A caption of the table of contents is a heading without a level.
CAPTION = re.compile(r'role="heading"(?! aria-level)')
# A signature of many lines is a definition list without terms.
PARAMETERS = re.compile(r'<dl>\n((?:<dd><em class="sig-param">.*</dd>\n)+)</dl>')
LINE = re.compile(r"<dd>(.*)</dd>")


def mend_html(html: str) -> str:
    """A page's HTML with these two mended.

    >>> mend_html('<p role="heading">How to</p>')
    '<p role="heading" aria-level="2">How to</p>'
    """
    html = CAPTION.sub('role="heading" aria-level="2"', html)
    return PARAMETERS.sub(lambda found: f'<span class="sig-lines">{LINE.sub(_line, found[1])}</span>', html)


def _line(found: re.Match[str]) -> str:
    return f'<span class="sig-line">{found[1]}</span>'


def mend_page(app: Sphinx, name: str, template: str, context: dict[str, Any], doctree: object) -> None:
    """Mends the text and the navigation of a page before it is written."""
    for key in ("body", "toctree", "furo_navigation_tree"):
        if isinstance(context.get(key), str):
            context[key] = mend_html(context[key])


def setup(app: Sphinx) -> dict[str, bool]:
    """After the theme has made its navigation."""
    app.connect("html-page-context", mend_page, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
