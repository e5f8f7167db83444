"""HTML pages parsed for tests."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

VOID = {"meta", "link", "img", "input", "br", "wbr"}


class ParsedPage(HTMLParser):
    """A page's elements and texts; a tag that is not closed where it should be is an error."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        assert not self.open or self.open[-1] not in ("script", "style") or not data
        self.texts.append(data)

    def links(self) -> Iterator[str]:
        for _, attributes in self.elements:
            yield from (value for name in ("href", "src") if (value := attributes.get(name)))


def parse_page(path: Path) -> ParsedPage:
    return ParsedPage(path.read_text("utf-8"))


def link_target(page: Path, href: str) -> Path:
    """The file that a browser would open from the disk, the percent signs of its name decoded once."""
    path = Path(unquote(urlsplit(href).path))
    return path if href.startswith("file:") else page.parent / path
