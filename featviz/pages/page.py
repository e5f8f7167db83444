"""The frame that all pages share: head, way back, foot."""

from collections.abc import Sequence

from featviz.pages.addresses import ASSETS, link
from featviz.pages.markup import Child, Html, join, tag

# Nothing is loaded from elsewhere and nothing written inside a page runs: `file:` since pages have no origin there.
POLICY = (
    "default-src 'none'; img-src 'self' file: data:; style-src 'self' file: 'unsafe-inline'; script-src 'self' file:"
)


def page(
    address: str,
    title: str,
    *body: Child,
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    data: Sequence[str] = (),
) -> bytes:
    """A whole HTML file; `styles` and `scripts` name the site's assets, `data` are addresses of more scripts."""
    sheets = [f"{ASSETS}/{name}.css" for name in ("base", *styles)]
    sources = [*(f"{ASSETS}/{name}.js" for name in scripts), *data]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name_="color-scheme", content="light dark"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("title", title),
        # Else a browser asks the server for one.
        tag("link", rel="icon", href="data:,"),
        [tag("link", rel="stylesheet", href=link(sheet, address)) for sheet in sheets],
        [tag("script", src=link(source, address), defer=True) for source in sources],
    )
    whole = tag("html", head, "\n", tag("body", *body), lang="en")
    return f"<!doctype html>\n{whole}\n".encode("utf-8", "replace")


def top(trail: Sequence[tuple[str, str | None]], *right: Child) -> Html:
    """The line above a page: the way that leads here, and what lies beside it."""
    steps = [
        tag("li", tag("a", name, href=href) if href else tag("span", name, aria_current="page")) for name, href in trail
    ]
    way = tag("nav", tag("ol", steps), class_="trail", aria_label="Where you are")
    return tag("header", way, join(*right), class_="top")


def foot(*children: Child) -> Html:
    """The line below a page."""
    return tag("footer", *children, class_="foot")


def keys(*pairs: tuple[str, str]) -> Html:
    """Which keys do what, as ("Enter", "open"); not shown where there is no keyboard."""
    said = [tag("span", [[tag("kbd", key), " "] for key in pressed.split()], meaning) for pressed, meaning in pairs]
    return tag("p", said, class_="keys")
